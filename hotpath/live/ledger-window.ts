import type { Decimal } from 'decimal.js';
import type { InstrumentId, VenueId } from '#shared/domain/ids.ts';
import { ZERO } from '#shared/money/grid.ts';

/** What of the ledger is compared with what venues say. */
export type LedgerView = {
  readonly totalOf: (venue: VenueId, asset: string) => Decimal;
  readonly assetsOf: (venue: VenueId) => readonly string[];
  readonly positionOf: (instrument: InstrumentId) => { readonly size: Decimal };
};

/** Amounts remembered of one balance: more fills than an account has in a second or two. The oldest go first. */
const AMOUNTS_MAX = 256;

/** Everything that the ledger had of a venue's balances and positions while the window was open. */
export class LedgerWindow {
  readonly #ledger: LedgerView;
  readonly #venue: VenueId;
  readonly #contracts: readonly InstrumentId[];
  readonly #balances = new Map<string, Decimal[]>();
  readonly #positions = new Map<InstrumentId, Decimal[]>();

  constructor(ledger: LedgerView, venue: VenueId, contracts: readonly InstrumentId[]) {
    this.#ledger = ledger;
    this.#venue = venue;
    this.#contracts = contracts;
    this.look();
  }

  /** To be called after anything was booked. */
  look(): void {
    for (const asset of this.#ledger.assetsOf(this.#venue))
      note(this.#balances, asset, this.#ledger.totalOf(this.#venue, asset));
    for (const id of this.#contracts) note(this.#positions, id, this.#ledger.positionOf(id).size);
  }

  get assets(): readonly string[] {
    return [...this.#balances.keys()];
  }

  balance(asset: string): readonly Decimal[] {
    return this.#balances.get(asset) ?? NOTHING;
  }

  position(instrument: InstrumentId): readonly Decimal[] {
    return this.#positions.get(instrument) ?? NOTHING;
  }
}

const NOTHING: readonly Decimal[] = [ZERO];

function note<Key>(all: Map<Key, Decimal[]>, key: Key, now: Decimal): void {
  const amounts = all.get(key);
  if (amounts === undefined) all.set(key, [now]);
  else if (!amounts.at(-1)!.eq(now)) {
    amounts.push(now);
    if (amounts.length > AMOUNTS_MAX) amounts.shift();
  }
}
