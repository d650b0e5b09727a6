import { Decimal } from 'decimal.js';
import { BadInput, assert } from '#shared/assert.ts';
import type { References, Tops } from '#shared/domain/capital.ts';
import type { Asset, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { QUOTE } from '#shared/domain/market-event.ts';
import type { CompileOptions, SumRoute } from '#shared/domain/route.ts';
import type { CarryMarket, CarrySettings } from '#shared/quant/carry.ts';
import { carryOf, notionalPerUnit } from '#shared/quant/carry.ts';
import type { LegFee } from '#shared/quant/leg-value.ts';
import { cashPerUnit, legFeeOf, unitsPerQty } from '#shared/quant/leg-value.ts';
import { Evaluator } from '../detect/evaluator.ts';
import { basis } from '../detect/routes/basis.ts';
import { calendar } from '../detect/routes/calendar.ts';
import { funding } from '../detect/routes/funding.ts';
import { asset, idOf } from '../venues/venue.ts';
import { mergeFrameFiles } from './merge.ts';
import type { ReportOptions } from './book-report.ts';
import { instrumentsOf } from './registry.ts';
import { Replay } from './replay.ts';
import type { ReplaySource } from './replay.ts';
import { surveyFile } from './survey.ts';

/** What the recorded quotes of three markets say of each ordered pair: how wide the edge was, how often and for how long. */
export type BasisReport = {
  readonly definition: string;
  readonly thresholds_bps: readonly number[];
  readonly results: Readonly<Record<string, PairReport>>;
};

export type PairReport = {
  readonly evaluations: number;
  readonly min_bps: number | null;
  readonly max_bps: number | null;
  /** By threshold. */
  readonly episodes: readonly number[];
  readonly ms: readonly number[];
  /** With fees given: what entering and leaving both legs costs, and how many episodes pay after that by the definition of the engine. */
  readonly round_trip_fees_bps?: number;
  readonly profitable_episodes?: number;
  /** And what both best quotes offered when the edge was widest, in coins: contracts are converted. */
  readonly coins_at_max?: number | null;
};

export type TakerFees = { readonly spotBps: number; readonly perpBps: number };

export const THRESHOLDS_BPS = [0, 1, 2, 3, 4, 5, 6, 8, 10] as const;
const DEFINITION = `Merge bookTicker frames by receive time t (ties: spot, usdm, cm, then file order); stop after the last usdm frame.
After each frame once all three are known: gross_bps = (bid_sell - ask_buy) / ask_buy * 1e4 for the six ordered pairs.
An episode is a maximal run of evaluations strictly above the threshold.`;
const USDM = 1;
/** What the files hold, in their order: a coin on the spot market, its perpetual in USDT, and the one that settles in the coin and is sized in US dollars. */
const FORMS = [
  { name: 'spot', symbol: '/USDT', kind: 'spot', quote: 'USDT', inverse: false },
  { name: 'usdm', symbol: '/USDT:USDT', kind: 'perpetual', quote: 'USDT', inverse: false },
  { name: 'cm', symbol: '/USD', kind: 'perpetual', quote: 'USD', inverse: true },
] as const;
/** Dollars a contract. @see https://dapi.binance.com/dapi/v1/exchangeInfo `contractSize` */
const COINM_CONTRACT = { BTC: 100, others: 10 } as const;

/**
 * Merges three recordings, spot, USD-M and COIN-M, and measures the edge of all six ordered pairs after each best quote: the routes that the families
 * `basis`, `funding` and `calendar` make of them where a dollar counts as a USDT.
 * @throws BadInput on files that cannot be replayed, hold more than one instrument or are not of one coin.
 */
export async function reportBasis(
  files: readonly [spot: string, usdm: string, coinm: string],
  options: ReportOptions & { readonly fees?: TakerFees },
): Promise<BasisReport> {
  const sources: ReplaySource[] = [];
  const { onProgress } = options;
  for (const [index, file] of files.entries()) {
    sources.push(await sourceOf(file, { ...options, onProgress: (share) => onProgress?.((index + share) / 6) }));
  }
  let quotes = 0;
  const replay = new Replay(describe(sources, options.fees), ({ kind }) => {
    if (kind === QUOTE) quotes += 1;
  });
  const meters = metersOf(replay, options.fees);
  const known = (): boolean => FORMS.every((_form, index) => replay.store.quotes.bid[index]! > 0);
  for await (const { source, line } of mergeFrameFiles(files, (share) => onProgress?.(0.5 + share / 2))) {
    const before = quotes;
    replay.play(source, line);
    if (quotes === before || !known()) continue;
    for (const meter of meters) meter.measure(replay.clock.now());
    if (source === USDM) for (const meter of meters) meter.keep();
  }
  return {
    definition: DEFINITION,
    thresholds_bps: THRESHOLDS_BPS,
    results: Object.fromEntries(meters.map((meter) => [meter.name, meter.report()])),
  };
}

async function sourceOf(file: string, options: ReportOptions): Promise<ReplaySource> {
  const survey = await surveyFile(file, options);
  const instruments = await instrumentsOf(survey);
  if (instruments.length === 1) return { survey, instruments };
  throw new BadInput(`${file}: the basis takes files of one instrument, this one has ${instruments.length}`);
}

/** Recordings name symbols alone; which of three forms of a coin each file holds is said by its place. */
function describe(sources: readonly ReplaySource[], fees: TakerFees | undefined): readonly ReplaySource[] {
  const coins = new Set(sources.map(({ instruments: [only] }) => coinOf(only!)));
  const [coin] = coins;
  if (coins.size > 1 || coin === undefined) {
    throw new BadInput(`the basis takes files of one coin, these have ${[...coins].join(', ')}`);
  }
  return sources.map(({ survey, instruments: [only] }, at) => ({
    survey,
    instruments: [describedAs(FORMS[at]!, only!, coin, fees)],
  }));
}

/** `BTCUSDT` and `BTCUSD_PERP` are of BTC. */
const coinOf = ({ venueSymbol }: Instrument): string => venueSymbol.replace(/[-_/]?USD.*$/, '');

function describedAs(
  { symbol, kind, quote, inverse }: (typeof FORMS)[number],
  known: Instrument,
  coin: string,
  fees: TakerFees | undefined,
): Instrument {
  const unified = `${coin}${symbol}${inverse ? `:${coin}` : ''}`;
  const bps = kind === 'spot' ? fees?.spotBps : fees?.perpBps;
  const taker = new Decimal(bps ?? 0).div(1e4);
  const contract = coin === 'BTC' ? COINM_CONTRACT.BTC : COINM_CONTRACT.others;
  return {
    ...known,
    id: idOf(known.venue, unified),
    symbol: unified,
    kind,
    base: asset(coin),
    quote: asset(quote),
    settle: asset(inverse ? coin : quote),
    inverse,
    contractSize: new Decimal(inverse ? contract : 1),
    fees: { maker: taker, taker, currency: kind === 'spot' ? 'received' : 'settle' },
  };
}

const COMPILE: CompileOptions = {
  maxLegs: 2,
  crossVenue: true,
  maxRoutes: 6,
  startAssets: ['USDT' as Asset],
  stableAssets: [],
  equalAssets: new Map([['USD' as Asset, 'USDT' as Asset]]),
  nowMs: 0,
  minTenorMs: 0,
};

function metersOf({ store, instruments }: Replay, fees: TakerFees | undefined): readonly PairMeter[] {
  const routes = [basis, funding, calendar].flatMap((family) => family.compile(instruments, COMPILE)) as SumRoute[];
  const evaluator = new Evaluator(instruments, routes, { tops: store.quotes, minEdge: 0 });
  const market: CarryMarket = { instruments, tops: store.quotes, references: unfunded(instruments.length), nowMs: 0 };
  const legFees = instruments.map(legFeeOf);
  const feeBpsOf = (form: number): number => (form === 0 ? (fees?.spotBps ?? 0) : (fees?.perpBps ?? 0));
  const meters = routes.map((route, at) => {
    const [bought, sold] = route.legs.map(({ instrument }) => instrument as number) as [number, number];
    const gross = new EpisodeMeter(() => evaluator.grossEdge(at) * 1e4, THRESHOLDS_BPS);
    // A perpetual never settles against what hedges it: what was entered must be left, and both are paid for.
    const costs = fees && {
      net: new EpisodeMeter(() => netEdge(route, market, legFees), [0]),
      coins: () => coinsOffered(route, instruments, store.quotes),
      roundTripBps: 2 * (feeBpsOf(bought) + feeBpsOf(sold)),
    };
    return { place: bought * FORMS.length + sold, meter: new PairMeter([bought, sold], gross, costs) };
  });
  return meters.sort((one, other) => one.place - other.place).map(({ meter }) => meter);
}

/** Best quotes of three perpetual markets say nothing of funding: none is counted on. */
function unfunded(count: number): References {
  const column = (value: number): Float64Array => new Float64Array(count).fill(value);
  return {
    markPrice: column(NaN),
    indexPrice: column(NaN),
    underlyingPrice: column(NaN),
    fundingRate: column(0),
    nextFundingTimeMs: column(Infinity),
    fundingIntervalMs: column(1),
    markVolatility: column(NaN),
  };
}

/** Entered and left at once: fees both ways, and nothing for time or slippage. */
const FEES_ALONE: CarrySettings = {
  horizonMs: 0,
  fundingPersistence: 0,
  capitalRate: 0,
  marginFraction: 0,
  closingSlippage: 0,
  borrowRateOf: () => 0,
  minTenorMs: 0,
};

function netEdge(route: SumRoute, market: CarryMarket, legFees: readonly LegFee[]): number {
  const { tops } = market;
  let net = carryOf(route, market, FEES_ALONE).net;
  for (const leg of route.legs) {
    const price = (leg.side === 'buy' ? tops.ask : tops.bid)[leg.instrument]!;
    net += leg.ratio * cashPerUnit(leg, legFees[leg.instrument]!, price, price);
  }
  return net / notionalPerUnit(route, tops);
}

/** What both best quotes offer. */
function coinsOffered({ legs }: SumRoute, instruments: readonly Instrument[], quotes: Tops): number {
  const offers = legs.map(({ instrument: at, side }) =>
    side === 'buy'
      ? quotes.askQty[at]! * unitsPerQty(instruments[at]!, 'base', quotes.ask[at]!)
      : quotes.bidQty[at]! * unitsPerQty(instruments[at]!, 'base', quotes.bid[at]!),
  );
  return Math.min(...offers);
}

type Costs = { readonly net: EpisodeMeter; readonly roundTripBps: number; readonly coins: () => number };

/** What is measured of one ordered pair. */
class PairMeter {
  readonly name: string;
  readonly #gross: EpisodeMeter;
  readonly #costs: Costs | undefined;
  #coinsAtMax: number | null = null;
  #keptCoins: number | null = null;

  constructor([bought, sold]: readonly [number, number], gross: EpisodeMeter, costs: Costs | undefined) {
    this.name = `buy_${FORMS[bought]!.name}_sell_${FORMS[sold]!.name}`;
    this.#gross = gross;
    this.#costs = costs;
  }

  measure(nowNs: TimeNs): void {
    const widest = this.#gross.max;
    this.#gross.measure(nowNs);
    if (this.#costs === undefined) return;
    this.#costs.net.measure(nowNs);
    if (this.#gross.max > widest) this.#coinsAtMax = this.#costs.coins();
  }

  /** What was measured until now is reported even if nothing is kept again. */
  keep(): void {
    this.#gross.keep();
    this.#costs?.net.keep();
    this.#keptCoins = this.#coinsAtMax;
  }

  report(): PairReport {
    const { evaluations, min, max, episodes, totalNs } = this.#gross.kept;
    return {
      evaluations,
      min_bps: evaluations === 0 ? null : rounded(min, 4),
      max_bps: evaluations === 0 ? null : rounded(max, 4),
      episodes,
      ms: totalNs.map((ns) => rounded(ns / 1e6, 3)),
      ...(this.#costs && {
        round_trip_fees_bps: this.#costs.roundTripBps,
        profitable_episodes: this.#costs.net.kept.episodes[0]!,
        coins_at_max: this.#keptCoins === null ? null : rounded(this.#keptCoins, 8),
      }),
    };
  }
}

type Counts = {
  readonly evaluations: number;
  readonly min: number;
  readonly max: number;
  /** By threshold. */
  readonly episodes: readonly number[];
  /** Integer nanoseconds: milliseconds are exact to the third decimal. */
  readonly totalNs: readonly number[];
};

/** Counts the episodes of an edge: maximal runs of evaluations strictly above each threshold. */
class EpisodeMeter {
  readonly #edge: () => number;
  readonly #thresholds: readonly number[];
  readonly #above: boolean[];
  readonly #episodes: number[];
  readonly #totalNs: number[];
  #evaluations = 0;
  #min = Infinity;
  #max = -Infinity;
  #lastNs = 0;
  #kept: Counts;

  constructor(edge: () => number, thresholds: readonly number[]) {
    this.#edge = edge;
    this.#thresholds = thresholds;
    this.#above = thresholds.map(() => false);
    this.#episodes = thresholds.map(() => 0);
    this.#totalNs = thresholds.map(() => 0);
    this.#kept = this.#counts();
  }

  get max(): number {
    return this.#max;
  }

  /** The counts when `keep` was last called. */
  get kept(): Counts {
    return this.#kept;
  }

  measure(nowNs: TimeNs): void {
    const edge = this.#edge();
    assert(!Number.isNaN(edge), 'an edge is measured once every market is known');
    for (const [at, threshold] of this.#thresholds.entries()) {
      if (this.#above[at] === true) this.#totalNs[at]! += nowNs - this.#lastNs;
      const above = edge > threshold;
      if (above && this.#above[at] === false) this.#episodes[at]! += 1;
      this.#above[at] = above;
    }
    this.#evaluations += 1;
    this.#min = Math.min(this.#min, edge);
    this.#max = Math.max(this.#max, edge);
    this.#lastNs = nowNs;
  }

  keep(): void {
    this.#kept = this.#counts();
  }

  #counts(): Counts {
    return {
      evaluations: this.#evaluations,
      min: this.#min,
      max: this.#max,
      episodes: [...this.#episodes],
      totalNs: [...this.#totalNs],
    };
  }
}

const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals));
