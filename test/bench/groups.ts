import { ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Row } from './cases.ts';
import type { LatencySize } from './latency-case.ts';
import type { PauseSize } from './pause-case.ts';

const FULL_SCALE = { frames: 20_000, rounds: 7, growth: [20, 200, 2_000] };
/** Sixteen hundred books, and the four hundred that a smaller desk follows; then with a core to itself. */
const FULL_LATENCY: readonly LatencySize[] = [
  { rate: 50_000, seconds: 60, symbols: 200 },
  { rate: 50_000, seconds: 60, symbols: 50 },
  { rate: 50_000, seconds: 20, symbols: 50, polls: true },
];
const SMALL_LATENCY: readonly LatencySize[] = [{ rate: 10_000, seconds: 1, symbols: 20 }];
const FULL_PAUSE: readonly PauseSize[] = [
  { frames: 100_000, symbols: 200, rate: 50_000 },
  { frames: 100_000, symbols: 50, rate: 50_000 },
];
const SMALL_PAUSE: readonly PauseSize[] = [{ frames: 4_000, symbols: 20, rate: 50_000 }];
const FULL_REFERENCE = { frames: 40_000, rounds: 3, plans: 1_000, seconds: 10 };
const SMALL_REFERENCE = { frames: 2_000, rounds: 1, plans: 60, seconds: 1 };
const SMALL_SCALE = { frames: 4_000, rounds: 1, growth: [20, 60] };

/** Messages of the whole path, of a single step, and rounds; recorded frames, and those for native peers; plans that go out on the wire. */
export const SIZES = {
  full: {
    frames: 60_000,
    steps: 40_000,
    rounds: 7,
    recorded: 60_000,
    native: 6_500,
    plans: 2_000,
    scale: FULL_SCALE,
    latency: FULL_LATENCY,
    pause: FULL_PAUSE,
    ticks: 300,
    reference: FULL_REFERENCE,
  },
  small: {
    frames: 6_000,
    steps: 2_000,
    rounds: 2,
    recorded: 1_000,
    native: 0,
    plans: 60,
    scale: SMALL_SCALE,
    latency: SMALL_LATENCY,
    pause: SMALL_PAUSE,
    ticks: 10,
    reference: SMALL_REFERENCE,
  },
};
export type Size = (typeof SIZES)['full'];

/** Cases that are measured in one process. What only one of them needs is loaded by it alone. */
export type Group = {
  readonly name: string;
  readonly about: string;
  /** Of Node, besides. The engine's own where nothing but the engine is timed: beside others both run under the same. */
  readonly flags?: readonly string[];
  readonly run: (size: Size) => Promise<readonly Row[]>;
};

/** In the order in which they run and are printed. */
export const GROUPS: readonly Group[] = [
  {
    name: 'hotpath',
    about: 'The steps of the path, one at a time: bytes → numbers → book → routes that pay.',
    run: hotpath,
  },
  {
    name: 'family',
    about: 'A changed market → the routes of all families that pay; triangles beside a full walk of all of them.',
    run: async ({ steps, rounds }) => {
      const { familyCases } = await import('./family-case.ts');
      const { triangleCase } = await import('./triangle-case.ts');
      return [...familyCases(steps / 4, rounds), triangleCase(steps / 4, rounds)];
    },
  },
  {
    name: 'size',
    about: 'A route that pays → a plan in decimals, approved, under the engine’s flags.',
    flags: ENGINE_NODE_OPTIONS,
    run: async ({ steps, rounds }) => (await import('./size-case.ts')).sizeCases(steps / 40, rounds),
  },
  {
    name: 'quant',
    about: 'Option prices, Greeks, implied volatilities.',
    run: async ({ steps, rounds }) => (await import('./quant-case.ts')).quantCases(steps / 4, rounds),
  },
  {
    name: 'risk',
    about: 'Portfolio risk, whole and after one change.',
    run: async ({ steps }) => (await import('./risk-case.ts')).riskCases(steps / 20),
  },
  {
    name: 'orders',
    about: 'Orders through gate, journal and gateway to fills on paper, under the engine’s flags.',
    flags: ENGINE_NODE_OPTIONS,
    run: async ({ steps, rounds }) =>
      (await import('./order-flow-case.ts')).orderFlowCases(Math.ceil(steps / 10), rounds),
  },
  {
    name: 'gate',
    about: 'A plan → approved, beside fifty positions and their thousand scenarios, under the engine’s flags.',
    flags: ENGINE_NODE_OPTIONS,
    run: async ({ steps }) => (await import('./gate-case.ts')).gateCases(Math.ceil(steps / 2_000)),
  },
  { name: 'path', about: 'Frame bytes → decision, in memory, 3 venues × 50 symbols.', run: path },
  {
    name: 'scale',
    about:
      'Frame bytes → decision, in memory, 8 venues × 200 symbols with routes of every family, and with fewer and more symbols.',
    run: async ({ scale }) => {
      const { scaleCases } = await import('./scale-case.ts');
      const { scaleSocketCase } = await import('./socket-case.ts');
      return [...scaleCases(scale), ...(await scaleSocketCase(scale.frames, scale.rounds, 200))];
    },
  },
  {
    name: 'latency',
    about:
      'A steady rate through loopback WebSockets from another process: engine time, and from the write to the decision. Beside it what the pause between two messages costs.',
    run: async ({ latency, pause }) => {
      const { latencyCases } = await import('./latency-case.ts');
      const { pauseCases } = await import('./pause-case.ts');
      return [...(await latencyCases(latency)), ...pause.flatMap(pauseCases)];
    },
  },
  {
    name: 'tick',
    about:
      'The frame at which a plan pays → signed orders on two sockets, and both fills: live mode, venues in another process.',
    run: async ({ ticks }) => (await import('./tick-case.ts')).tickCases(ticks),
  },
  {
    name: 'reference',
    about: 'What comparable native systems are said to do, as limits.',
    run: async ({ reference }) => (await import('./reference-case.ts')).referenceCases(reference),
  },
  {
    name: 'wire',
    about: 'An approved plan → signed bytes on two sockets, journalled, under the engine’s flags.',
    flags: ENGINE_NODE_OPTIONS,
    run: async ({ plans }) => (await import('./wire-case.ts')).wireCases(plans),
  },
  {
    name: 'socket',
    about: 'The whole path through loopback WebSockets.',
    run: async ({ frames, rounds }) => (await import('./socket-case.ts')).socketCases(frames, rounds),
  },
  {
    name: 'ring',
    about: 'What the engine tells its publish worker: through a ring in shared memory, beside a MessagePort.',
    run: async ({ steps, rounds }) => (await import('./ring-case.ts')).ringCases(steps, rounds),
  },
  {
    name: 'store',
    about: 'Events → rows of a table, in batches to a stub.',
    run: async ({ steps, rounds }) => (await import('./store-case.ts')).storeCases(Math.ceil(steps / 8), rounds),
  },
  {
    name: 'peer',
    about: 'Recorded book frames → book, beside libraries of the field on the same frames.',
    run: async ({ recorded, rounds }) => (await import('./peer-case.ts')).peerCases(recorded, rounds),
  },
  {
    name: 'native',
    about:
      'Recorded book frames → book, beside engines whose books are native code. Needs Python; skipped in the small mode.',
    run: async ({ native }) => (native === 0 ? [] : (await import('./native-case.ts')).nativeCases(native, 2)),
  },
];

async function hotpath({ frames, steps, rounds }: Size): Promise<readonly Row[]> {
  const { benchMarket } = await import('./bench-market.ts');
  const { bookCase, detectCase, parseCase } = await import('./cases.ts');
  const market = benchMarket(1, frames);
  const each = [steps, rounds] as const;
  const listed = market.instruments.filter(({ venue }) => venue === 'binance');
  return [
    parseCase('parse binance depth, 20+20', market, { venue: 'binance', kind: 'delta', levels: 20 }, each),
    parseCase('parse binance bookTicker', market, { venue: 'binance', kind: 'quote', levels: 1 }, each),
    parseCase('parse okx books, 8+8', market, { venue: 'okx', kind: 'delta', levels: 8 }, each),
    parseCase('parse kraken v2 book, 8+8', market, { venue: 'kraken', kind: 'delta', levels: 8 }, each),
    bookCase(market, rounds),
    detectCase('detect spatial, 8 venues', eightVenues(listed[0]!), { families: ['spatial'] }, each),
    detectCase('detect triangles, 50 symbols', listed, { families: ['cycle'], max_legs: 3 }, each),
    // A plain search takes three hundred times as long.
    detectCase('detect all routes, 3 × 50 symbols', market.instruments, {}, [steps / 8, rounds]),
  ];
}

async function path({ frames, rounds }: Size): Promise<readonly Row[]> {
  const { benchMarket } = await import('./bench-market.ts');
  const { wholePathCases } = await import('./cases.ts');
  return wholePathCases(benchMarket(1, frames), rounds);
}

const eightVenues = (listing: Instrument): readonly Instrument[] =>
  Array.from({ length: 8 }, (_none, venue) => ({
    ...listing,
    id: `v${venue}:${listing.symbol}` as Instrument['id'],
    venue: `v${venue}` as Instrument['venue'],
  }));
