import type { Asset, InstrumentId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { doubleOf } from '#shared/money/double.ts';
import type { PlanColumns } from '#shared/quant/risk/scenario-book.ts';
import type { AskedPlan } from './asked.ts';

/**
 * What prices move with: first every asset, by its value in the numeraire, then every perpetual and future by its own price. A coin is a coin on whichever
 * venue it is; a contract is not its coin. Options move with their coin, by the delta that their venue says; while it has not, a call counts half a coin and
 * a put minus half, as in the ledger.
 */
export class Factors {
  readonly assets: readonly Asset[];
  /** Of the factors after the assets. */
  readonly contracts: readonly Instrument[];
  readonly #ofAsset: ReadonlyMap<string, number>;
  readonly #ofContract: ReadonlyMap<string, number>;
  readonly #saidDeltaOf: SaidDelta;

  constructor(instruments: readonly Instrument[], saidDeltaOf: SaidDelta = () => Number.NaN) {
    this.#saidDeltaOf = saidDeltaOf;
    this.assets = [...new Set(instruments.flatMap(({ base, quote, settle }) => [base, quote, settle]))];
    this.contracts = instruments.filter(({ kind }) => kind === 'perpetual' || kind === 'future');
    this.#ofAsset = new Map(this.assets.map((asset, at) => [asset, at]));
    this.#ofContract = new Map(this.contracts.map(({ id }, at) => [id, this.assets.length + at]));
  }

  get count(): number {
    return this.assets.length + this.contracts.length;
  }

  /** Undefined for what no instrument is about. */
  ofAsset(asset: Asset): number | undefined {
    return this.#ofAsset.get(asset);
  }

  /** Undefined for what is no perpetual or future, or listed no more. */
  ofContract(id: InstrumentId): number | undefined {
    return this.#ofContract.get(id);
  }

  /** Coins that one coin's worth of an option moves as. */
  deltaOf({ id, right }: Pick<Instrument, 'id' | 'right'>): number {
    const said = this.#saidDeltaOf(id);
    return Number.isNaN(said) ? halfDelta(right) : said;
  }

  /** What a plan adds to each factor once all of it has filled. */
  addPlan({ plan, legs, count }: AskedPlan, into: PlanEntries): void {
    into.clear();
    for (let at = 0; at < count; at += 1) {
      const { leg, listing, id, base, qty, usd } = legs[at]!;
      const { kind, quote, contractSize } = listing;
      const sign = leg.side === 'buy' ? 1 : -1;
      const contract = this.#ofContract.get(id);
      if (contract !== undefined) into.add(contract, sign * usd);
      else if (kind === 'spot') {
        into.add(this.#ofAsset.get(base)!, sign * usd);
        into.add(this.#ofAsset.get(quote)!, -sign * usd);
      } else {
        const rate = plan.rates[base];
        const coins = sign * this.deltaOf(listing) * qty * doubleOf(contractSize);
        into.add(this.#ofAsset.get(base)!, rate === undefined ? Number.NaN : coins * doubleOf(rate));
      }
    }
  }
}

/** An option's delta by its venue's word; NaN while it has not said. */
export type SaidDelta = (id: InstrumentId) => number;

/** A call less its put is one coin, whatever the price: what the ledger counts. */
export function halfDelta(right: Instrument['right']): number {
  if (right === undefined) return 0;
  return right === 'call' ? 0.5 : -0.5;
}

/** Two a leg, and no plan has more than six. */
const ENTRIES_MAX = 16;

/** Exposures by factor, each factor once. Used again for the next plan. */
export class PlanEntries implements PlanColumns {
  count = 0;
  readonly factor = new Int32Array(ENTRIES_MAX);
  readonly deltaUsd = new Float64Array(ENTRIES_MAX);
  readonly gammaUsd = new Float64Array(ENTRIES_MAX);

  clear(): void {
    this.count = 0;
  }

  add(factor: number, deltaUsd: number): void {
    let at = 0;
    while (at < this.count && this.factor[at] !== factor) at += 1;
    if (at === this.count) {
      this.count += 1;
      this.factor[at] = factor;
      this.deltaUsd[at] = 0;
    }
    this.deltaUsd[at] = this.deltaUsd[at]! + deltaUsd;
  }
}
