import { assert } from '#shared/assert.ts';
import type { Asset, InstrumentId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Plan } from '#shared/domain/trade.ts';
import { doubleOf } from '#shared/money/double.ts';
import { hasPremium } from '#shared/money/pnl.ts';
import type { Position } from '#shared/money/position.ts';
import type { PlanEffect } from '#shared/quant/risk/scenario-book.ts';
import { ScenarioBook } from '#shared/quant/risk/scenario-book.ts';
import { CONFIDENCES } from '#shared/quant/risk/tail.ts';
import type { Config } from '#shared/schema/config.ts';
import type { AskedPlan } from './asked.ts';
import type { SaidDelta } from './factors.ts';
import { Factors, halfDelta, PlanEntries } from './factors.ts';
import type { Prior } from './moves.ts';
import { Moves, NOTE_EVERY_MS } from './moves.ts';
import type { RiskBook } from './risk-gate.ts';

export type TradingBookSources = {
  readonly instruments: readonly Instrument[];
  readonly venues: readonly VenueId[];
  /** Value of one unit in the numeraire; undefined when nobody can say. */
  readonly rateOf: (asset: Asset) => number | undefined;
  /** Middle of a contract's book in its quote; NaN while it is not live. */
  readonly midOf: (id: InstrumentId) => number;
  readonly totalOf: (venue: VenueId, asset: string) => Position['size'];
  readonly deviationOf: (asset: string) => number;
  readonly openPositions: () => readonly InstrumentId[];
  readonly positionOf: (id: InstrumentId) => Position;
  readonly confidence: () => Config['risk']['var_confidence'];
  /** Of a coin, as a fraction per square root of a second, until its own is known. */
  readonly defaultVolatility: number;
  /** Assets that only a depeg moves. */
  readonly stableAssets: readonly string[];
  readonly numeraire: string;
  readonly saidDeltaOf?: SaidDelta;
  /** Highest that trading had earned before this start, at the prices of then. */
  readonly peakUsd: number;
};

/** One contract that is held. */
export type Row = {
  readonly instrument: Instrument;
  readonly factor: number;
  readonly valueUsd: number;
  readonly deltaUsd: number;
  /** Signed, in coins. */
  readonly coins: number;
};

const STABLE_DEVIATION = 0.001;
/** What a contract moves beside its coin, a day. */
const BASIS_DEVIATION = 0.001;
const DAY_S = 86_400;

/**
 * What trading has made of the inventory it began with, at the prices of now: coins and money by asset, contracts one by one. The inventory itself counts in
 * equity alone: it is there on purpose, and no limit closes it. Looked at every second; between two looks the gate reads the last.
 */
export class TradingBook implements RiskBook {
  readonly moves: Moves;
  readonly factors: Factors;
  readonly scenarios: ScenarioBook;
  readonly #sources: TradingBookSources;
  readonly #listings: ReadonlyMap<InstrumentId, Instrument>;
  /** By factor: the last value of an asset in the numeraire, the last price of a contract in its quote. NaN before the first. */
  readonly #levels: Float64Array;
  readonly #coinOf: Int32Array;
  /** By asset: what trading has added to the accounts. */
  readonly #cash: Float64Array;
  readonly #deltaUsd: Float64Array;
  readonly #noGamma: Float64Array;
  readonly #entries = new PlanEntries();
  #entered: Plan | undefined;
  #reckoned: PlanEffect | undefined;
  #rows: readonly Row[] = [];
  #tradedUsd = Number.NaN;
  #equityUsd = Number.NaN;
  #peakUsd: number;
  #maxDrawdown = 0;
  #knownAtNs = -Infinity;
  #notedAtNs = -Infinity;
  #correlationRisk = 0;

  constructor(sources: TradingBookSources) {
    const { instruments } = sources;
    this.#sources = sources;
    this.#listings = new Map(instruments.map((instrument) => [instrument.id, instrument]));
    this.factors = new Factors(instruments, sources.saidDeltaOf);
    const { count, assets, contracts } = this.factors;
    this.#coinOf = Int32Array.from({ length: count }, (_none, at) =>
      at < assets.length ? at : this.factors.ofAsset(contracts[at - assets.length]!.base)!,
    );
    this.moves = new Moves(Array.from(this.#coinOf, (coin, at) => this.#priorOf(at, coin)));
    this.scenarios = new ScenarioBook(this.moves.scenarios, CONFIDENCES);
    this.#levels = new Float64Array(count).fill(Number.NaN);
    this.#cash = new Float64Array(assets.length);
    this.#deltaUsd = new Float64Array(count);
    this.#noGamma = new Float64Array(count);
    this.#peakUsd = sources.peakUsd;
  }

  readonly ageMs = (nowNs: TimeNs): number => (nowNs - this.#knownAtNs) / 1e6;
  readonly equityUsd = (): number => this.#equityUsd;
  readonly correlationRisk = (): number => this.#correlationRisk;
  readonly drawdown = (): number => {
    const lostUsd = this.#peakUsd - this.#tradedUsd;
    if (lostUsd === 0) return 0;
    return this.#equityUsd <= 0 ? Infinity : lostUsd / this.#equityUsd;
  };

  /** The deepest of this run. */
  get maxDrawdown(): number {
    return this.#maxDrawdown;
  }

  /** The most that trading had earned at any look, since the first start. */
  get peakUsd(): number {
    return this.#peakUsd;
  }

  /** Of a day, of what is held. */
  get tailUsd(): { readonly varUsd: number; readonly shortfallUsd: number } {
    const { varUsd, esUsd } = this.scenarios.measure();
    const at = this.#confidence();
    return { varUsd: varUsd[at]!, shortfallUsd: esUsd[at]! };
  }

  /** Contracts that are held, as of the last look. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Exposure to each factor. */
  get deltaUsd(): Readonly<Float64Array> {
    return this.#deltaUsd;
  }

  /** What trading has added to the accounts, by asset, and what one unit is worth. */
  cashOf(asset: number): { readonly amount: number; readonly rate: number } {
    return { amount: this.#cash[asset]!, rate: this.#levels[asset]! };
  }

  /** What trading has earned since the first start, at the prices of the last look. */
  get tradedUsd(): number {
    return this.#tradedUsd;
  }

  readonly varUsdWith = (asked: AskedPlan, enough: number): number => {
    const bound = this.#boundOf(asked);
    return bound <= enough ? bound : this.#effect().varUsd[this.#confidence()]!;
  };

  readonly shortfallUsdWith = (asked: AskedPlan, enough: number): number => {
    const bound = this.#boundOf(asked);
    return bound <= enough ? bound : this.#effect().esUsd[this.#confidence()]!;
  };

  /** Values everything anew. Every so often it also notes where prices stand, for the scenarios. */
  look(nowNs: TimeNs): void {
    this.#value();
    if (nowNs - this.#notedAtNs >= NOTE_EVERY_MS * 1e6) {
      this.#notedAtNs = nowNs;
      this.moves.observe(this.#levels, this.#coinOf);
    }
    this.moves.refresh(Math.ceil((this.factors.count * 1_000) / NOTE_EVERY_MS));
    if (Number.isNaN(this.#tradedUsd + sumOf(this.#deltaUsd))) return;
    this.#peakUsd = Math.max(this.#peakUsd, this.#tradedUsd);
    this.#maxDrawdown = Math.max(this.#maxDrawdown, this.drawdown());
    this.scenarios.replace(this.#deltaUsd, this.#noGamma);
    this.#reckoned = undefined;
    this.scenarios.measure();
    this.#correlationRisk = this.#hedging();
    this.#knownAtNs = nowNs;
  }

  /** ES(held + plan) ≤ ES(held) + Σ |δ|·ES(one unit), and VaR ≤ ES: no pass over the scenarios while limits are far. */
  #boundOf(asked: AskedPlan): number {
    if (this.#entered !== asked.plan) {
      this.factors.addPlan(asked, this.#entries);
      this.#entered = asked.plan;
      this.#reckoned = undefined;
    }
    const { count, factor, deltaUsd } = this.#entries;
    const at = this.#confidence();
    const { long, short } = this.moves.units;
    let sum = this.scenarios.measure().esUsd[at]!;
    for (let entry = 0; entry < count; entry += 1) {
      const delta = deltaUsd[entry]!;
      sum += delta > 0 ? delta * long[at]![factor[entry]!]! : -delta * short[at]![factor[entry]!]!;
    }
    return sum;
  }

  /** Over all scenarios, once a plan. */
  #effect(): PlanEffect {
    this.#reckoned ??= this.scenarios.effectOf(this.#entries);
    return this.#reckoned;
  }

  #confidence(): number {
    return CONFIDENCES.indexOf(this.#sources.confidence());
  }

  #value(): void {
    const { sources, assets } = { sources: this.#sources, assets: this.factors.assets };
    for (const [at, asset] of assets.entries()) {
      this.#levels[at] = sources.rateOf(asset) ?? this.#levels[at]!;
      this.#cash[at] = sources.deviationOf(asset);
    }
    for (const [at, { id }] of this.factors.contracts.entries()) {
      const mid = sources.midOf(id);
      if (mid > 0) this.#levels[assets.length + at] = mid;
    }
    this.#rows = sources.openPositions().flatMap((id) => this.#rowOf(id));
    let tradedUsd = 0;
    this.#deltaUsd.fill(0);
    for (const at of assets.keys()) {
      const usd = this.#cash[at] === 0 ? 0 : this.#cash[at]! * this.#levels[at]!;
      this.#deltaUsd[at] = usd;
      tradedUsd += usd;
    }
    let contractsUsd = 0;
    for (const { factor, valueUsd, deltaUsd } of this.#rows) {
      this.#deltaUsd[factor] = this.#deltaUsd[factor]! + deltaUsd;
      contractsUsd += valueUsd;
    }
    this.#tradedUsd = tradedUsd + contractsUsd;
    this.#equityUsd = this.#accountsUsd() + contractsUsd;
  }

  /** What nobody can value counts for nothing. */
  #accountsUsd(): number {
    const { venues, totalOf } = this.#sources;
    let sum = 0;
    for (const [at, asset] of this.factors.assets.entries()) {
      const rate = this.#levels[at]!;
      if (!(rate > 0)) continue;
      for (const venue of venues) sum += doubleOf(totalOf(venue, asset)) * rate;
    }
    return sum;
  }

  /** A contract, and its coins out of what the ledger counts as held of its asset. Spot is in the assets already; what is listed no more has no price. */
  #rowOf(id: InstrumentId): readonly Row[] {
    const instrument = this.#listings.get(id);
    if (instrument === undefined || instrument.kind === 'spot') return [];
    const { kind, base, quote, contractSize, inverse, right } = instrument;
    const position = this.#sources.positionOf(id);
    const units = doubleOf(position.size) * doubleOf(contractSize);
    const cost = position.cost === undefined ? 0 : doubleOf(position.cost);
    const [coin, money] = [this.factors.ofAsset(base)!, this.factors.ofAsset(quote)!];
    const [coinRate, rate] = [this.#levels[coin]!, this.#levels[money]!];
    if (hasPremium(kind)) {
      const coins = units * this.factors.deltaOf(instrument);
      // Out of the ledger's count comes what it has counted.
      this.#cash[coin] = this.#cash[coin]! - units * halfDelta(right);
      const mid = this.#sources.midOf(id);
      const valueUsd = (Number.isNaN(mid) ? cost : units * mid) * rate;
      return [{ instrument, factor: coin, valueUsd, deltaUsd: coins * coinRate, coins }];
    }
    const factor = this.factors.ofContract(id)!;
    const seen = this.#levels[factor]!;
    const price = Number.isNaN(seen) ? doubleOf(position.entryPrice) : seen;
    if (!inverse) {
      this.#cash[coin] = this.#cash[coin]! - units;
      this.#cash[money] = this.#cash[money]! + cost;
      return [
        { instrument, factor, valueUsd: (units * price - cost) * rate, deltaUsd: units * price * rate, coins: units },
      ];
    }
    this.#cash[coin] = this.#cash[coin]! - cost;
    this.#cash[money] = this.#cash[money]! + units;
    return [{ instrument, factor, valueUsd: (cost - units / price) * coinRate, deltaUsd: units * rate, coins: cost }];
  }

  /** σ of the book over Σ|δ|σ of its parts. */
  #hedging(): number {
    const { pnl } = this.scenarios;
    let alone = 0;
    for (const [at, deltaUsd] of this.#deltaUsd.entries())
      if (deltaUsd !== 0) alone += Math.abs(deltaUsd) * this.moves.deviation[at]!;
    if (alone === 0) return 0;
    const mean = sumOf(pnl) / pnl.length;
    let squares = 0;
    for (const each of pnl) squares += (each - mean) * (each - mean);
    return Math.min(1, Math.sqrt(squares / (pnl.length - 1)) / alone);
  }

  #priorOf(factor: number, coin: number): Prior {
    const { stableAssets, numeraire, defaultVolatility } = this.#sources;
    const asset = this.factors.assets[coin];
    assert(asset !== undefined, 'each factor has its coin');
    const isStable = stableAssets.includes(asset);
    const deviation = asset === numeraire ? 0 : isStable ? STABLE_DEVIATION : defaultVolatility * Math.sqrt(DAY_S);
    return { deviation, group: coin, own: factor === coin ? 0 : BASIS_DEVIATION };
  }
}

function sumOf(values: Readonly<Float64Array>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at += 1) sum += values[at]!;
  return sum;
}
