import { BadInput, assert } from '#shared/assert.ts';
import type { InstrumentIndex, RouteId, TimeNs } from '#shared/domain/ids.ts';
import { QUOTE } from '#shared/domain/market-event.ts';
import type { Route } from '#shared/domain/route.ts';
import { Evaluator } from '../detect/evaluator.ts';
import { asset } from '../venues/venue.ts';
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
  /** With fees given: what entering and leaving both legs costs, and how many episodes lie above that. */
  readonly round_trip_fees_bps?: number;
  readonly profitable_episodes?: number;
};

export type TakerFees = { readonly spotBps: number; readonly perpBps: number };

export const THRESHOLDS_BPS = [0, 1, 2, 3, 4, 5, 6, 8, 10] as const;
const DEFINITION = `Merge bookTicker frames by receive time t (ties: spot, usdm, cm, then file order); stop after the last usdm frame.
After each frame once all three are known: gross_bps = (bid_sell - ask_buy) / ask_buy * 1e4 for the six ordered pairs.
An episode is a maximal run of evaluations strictly above the threshold.`;
const MARKETS = ['spot', 'usdm', 'cm'] as const;
const USDM = 1;

/**
 * Merges three recordings, spot, USD-M and COIN-M, and measures the gross edge of all six ordered pairs after each best quote.
 * @throws BadInput on files that cannot be replayed or hold more than one instrument.
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
  const replay = new Replay(sources, ({ kind }) => {
    if (kind === QUOTE) quotes += 1;
  });
  const meters = metersOf(replay, options.fees);
  const known = (): boolean => MARKETS.every((_market, index) => replay.store.quotes.bid[index]! > 0);
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

function metersOf({ store, instruments }: Replay, fees: TakerFees | undefined): readonly PairMeter[] {
  const pairs = MARKETS.flatMap((buy, bought) =>
    MARKETS.flatMap((sell, sold) => (bought === sold ? [] : [{ name: `buy_${buy}_sell_${sell}`, bought, sold }])),
  );
  const routes = pairs.map(({ name, bought, sold }) =>
    basisRoute(name, bought as InstrumentIndex, sold as InstrumentIndex),
  );
  const evaluator = new Evaluator(instruments, routes, { tops: store.quotes, minEdge: 0 });
  const feeBpsOf = (market: number): number => (market === 0 ? (fees?.spotBps ?? 0) : (fees?.perpBps ?? 0));
  return pairs.map(({ name, bought, sold }, route) => {
    // A perpetual never settles against what hedges it: what was entered must be left, and both are paid for.
    const roundTripBps = fees === undefined ? undefined : 2 * (feeBpsOf(bought) + feeBpsOf(sold));
    return new PairMeter(name, () => evaluator.grossEdge(route) * 1e4, roundTripBps);
  });
}

const basisRoute = (id: string, bought: InstrumentIndex, sold: InstrumentIndex): Route => ({
  id: id as RouteId,
  family: 'basis',
  evaluator: 'sum',
  legs: [
    { instrument: bought, side: 'buy', ratio: 1 },
    { instrument: sold, side: 'sell', ratio: 1 },
  ],
  start: asset('USDT'),
  terms: {
    certainty: 'converging',
    notional: { leg: 0 },
    payoffs: [],
    closings: [],
    deliveries: [],
    endsMs: undefined,
  },
});

type Counts = {
  readonly evaluations: number;
  readonly minBps: number;
  readonly maxBps: number;
  /** By threshold. */
  readonly episodes: readonly number[];
  /** Integer nanoseconds: milliseconds are exact to the third decimal. */
  readonly totalNs: readonly number[];
};

/** Counts one pair's episodes: maximal runs of evaluations strictly above each threshold. */
class PairMeter {
  readonly name: string;
  readonly #edgeBps: () => number;
  readonly #thresholds: readonly number[];
  readonly #roundTripBps: number | undefined;
  readonly #above: boolean[];
  readonly #episodes: number[];
  readonly #totalNs: number[];
  #evaluations = 0;
  #minBps = Infinity;
  #maxBps = -Infinity;
  #lastNs = 0;
  #kept: Counts;

  constructor(name: string, edgeBps: () => number, roundTripBps: number | undefined) {
    this.name = name;
    this.#edgeBps = edgeBps;
    this.#roundTripBps = roundTripBps;
    this.#thresholds = roundTripBps === undefined ? THRESHOLDS_BPS : [...THRESHOLDS_BPS, roundTripBps];
    this.#above = this.#thresholds.map(() => false);
    this.#episodes = this.#thresholds.map(() => 0);
    this.#totalNs = this.#thresholds.map(() => 0);
    this.#kept = this.#counts();
  }

  measure(nowNs: TimeNs): void {
    const bps = this.#edgeBps();
    assert(!Number.isNaN(bps), 'an edge is measured once every market is known');
    for (const [at, threshold] of this.#thresholds.entries()) {
      if (this.#above[at] === true) this.#totalNs[at]! += nowNs - this.#lastNs;
      const above = bps > threshold;
      if (above && this.#above[at] === false) this.#episodes[at]! += 1;
      this.#above[at] = above;
    }
    this.#evaluations += 1;
    this.#minBps = Math.min(this.#minBps, bps);
    this.#maxBps = Math.max(this.#maxBps, bps);
    this.#lastNs = nowNs;
  }

  /** What was measured until now is reported even if nothing is kept again. */
  keep(): void {
    this.#kept = this.#counts();
  }

  report(): PairReport {
    const { evaluations, minBps, maxBps, episodes, totalNs } = this.#kept;
    const standard = THRESHOLDS_BPS.length;
    return {
      evaluations,
      min_bps: evaluations === 0 ? null : rounded(minBps, 4),
      max_bps: evaluations === 0 ? null : rounded(maxBps, 4),
      episodes: episodes.slice(0, standard),
      ms: totalNs.slice(0, standard).map((ns) => rounded(ns / 1e6, 3)),
      ...(this.#roundTripBps === undefined
        ? {}
        : { round_trip_fees_bps: this.#roundTripBps, profitable_episodes: episodes[standard]! }),
    };
  }

  #counts(): Counts {
    return {
      evaluations: this.#evaluations,
      minBps: this.#minBps,
      maxBps: this.#maxBps,
      episodes: [...this.#episodes],
      totalNs: [...this.#totalNs],
    };
  }
}

const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals));
