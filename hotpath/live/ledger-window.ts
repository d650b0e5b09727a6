import { Decimal } from 'decimal.js';
import type { InstrumentId, VenueId } from '#shared/domain/ids.ts';
import { ZERO } from '#shared/money/grid.ts';

/** What of the ledger is compared with what venues say. */
export type LedgerView = {
  readonly totalOf: (venue: VenueId, asset: string) => Decimal;
  readonly assetsOf: (venue: VenueId) => readonly string[];
  readonly positionOf: (instrument: InstrumentId) => { readonly size: Decimal };
};

type Range = { least: Decimal; most: Decimal };

/**
 * The least and the most that the ledger had of a venue's balances and positions while the window was open. The venue answers of some instant
 * in it, and what it says of a fill may be told before or after the fill itself.
 */
export class LedgerWindow {
  readonly #ledger: LedgerView;
  readonly #venue: VenueId;
  readonly #contracts: readonly InstrumentId[];
  readonly #balances = new Map<string, Range>();
  readonly #positions = new Map<InstrumentId, Range>();

  constructor(ledger: LedgerView, venue: VenueId, contracts: readonly InstrumentId[]) {
    this.#ledger = ledger;
    this.#venue = venue;
    this.#contracts = contracts;
    this.look();
  }

  /** To be called after anything was booked. */
  look(): void {
    for (const asset of this.#ledger.assetsOf(this.#venue))
      widen(this.#balances, asset, this.#ledger.totalOf(this.#venue, asset));
    for (const id of this.#contracts) widen(this.#positions, id, this.#ledger.positionOf(id).size);
  }

  get assets(): readonly string[] {
    return [...this.#balances.keys()];
  }

  balance(asset: string): Readonly<Range> {
    return this.#balances.get(asset) ?? NOTHING;
  }

  position(instrument: InstrumentId): Readonly<Range> {
    return this.#positions.get(instrument) ?? NOTHING;
  }
}

const NOTHING: Readonly<Range> = { least: ZERO, most: ZERO };

function widen<Key>(ranges: Map<Key, Range>, key: Key, now: Decimal): void {
  const range = ranges.get(key);
  if (range === undefined) ranges.set(key, { least: now, most: now });
  else {
    range.least = Decimal.min(range.least, now);
    range.most = Decimal.max(range.most, now);
  }
}
