import { BookStore } from '#hotpath/book/book-store.ts';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { randomFrom } from '#shared/random.ts';
import type { BenchFrame, BenchMarket } from './bench-market.ts';
import { engine, FrameClock } from './decision.ts';
import { FastEngine, marketNamed } from './fast-engine.ts';
import type { Compared, Contender } from './measure.ts';
import { compare, heapGrowth } from './measure.ts';
import { PlainBook } from './plain-book.ts';
import { PlainEngine } from './plain-engine.ts';
import { plainParse } from './plain-parse.ts';
import { PlainRoutes } from './plain-routes.ts';
import { ResultHash } from './result-hash.ts';

export type Row = {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** The same of the quietest round: what the code takes while nobody else is on the machine. `value` is the median of the rounds. */
  readonly quiet?: number;
  /** How many times as fast as what it is compared with. */
  readonly ratio?: number;
  /** Of the result, alike on every machine and in every run of the same size; '' where the result is time itself. */
  readonly hash: string;
  /** What the plain implementation came to: another hash means another answer. Absent where nothing else reckons it: then the pin alone holds it. */
  readonly plainHash?: string;
  readonly goal?: Goal;
  /** In the unit of the row. */
  readonly percentiles?: Readonly<Record<string, number>>;
  /** Versions and settings, and what exactly is compared. */
  readonly note?: string;
};

/** Shown beside the figure as reached or missed; a missed goal fails nothing. */
export type Goal = {
  readonly of: 'value' | 'ratio';
} & ({ readonly least: number } | { readonly most: number });

type Wanted = { readonly venue: string; readonly kind: BenchFrame['kind']; readonly levels: number };

export const row = (
  name: string,
  { fastNs, quietNs, plainNs, hash, plainHash }: Omit<Compared, 'plainHash'> & Pick<Row, 'plainHash'>,
  unit = 'ns/message',
  goal?: Goal,
): Row => ({
  name,
  unit,
  value: fastNs,
  quiet: quietNs,
  ratio: plainNs / fastNs,
  hash,
  ...(plainHash === undefined ? {} : { plainHash }),
  ...(goal === undefined ? {} : { goal }),
});

/** Every frame of a sort, one after the other and over again, until there are `messages`. */
function repeated({ instruments, frames }: BenchMarket, wanted: Wanted, messages: number): readonly BenchFrame[] {
  const found = frames.filter(
    ({ instrument, kind, levels }) =>
      instruments[instrument]!.venue === wanted.venue && kind === wanted.kind && levels === wanted.levels,
  );
  return Array.from({ length: messages }, (_none, at) => found[at % found.length]!);
}

/** Bytes → the numbers of an update. */
export function parseCase(
  name: string,
  market: BenchMarket,
  wanted: Wanted,
  [messages, rounds]: readonly [number, number],
): Row {
  const frames = repeated(market, wanted, messages);
  const fast: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const frame = new Frame();
      const { decode } = marketNamed(wanted.venue, 'spot');
      const sink = new FeedSink({
        instruments: market.instruments,
        venue: wanted.venue,
        market: 'spot',
        onUpdate: ({ bids, asks }) => {
          hash.integer(bids.count + asks.count);
          hash.double(bids.prices[bids.count - 1]!);
          hash.double(asks.qtys[asks.count - 1]!);
        },
        onControl: () => undefined,
      });
      const run = (): void => {
        for (let at = 0; at < messages; at += 1) {
          const { bytes } = frames[at]!;
          decode(frame.window(bytes, 0, bytes.length), sink);
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  const plain: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const run = (): void => {
        for (let at = 0; at < messages; at += 1) {
          const { bids, asks } = plainParse(wanted.venue, Buffer.from(frames[at]!.bytes).toString());
          hash.integer(bids.length + asks.length);
          hash.double(bids.at(-1)![0]);
          hash.double(asks.at(-1)![1]);
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  return row(name, compare(messages, rounds, fast, plain));
}

/** Decoded 20 + 20 level changes of one venue's books → best prices. */
export function bookCase(market: BenchMarket, rounds: number): Row {
  const venue = 'okx';
  const { book: rules, decode } = marketNamed(venue, 'spot');
  const { instruments } = market;
  const updates: MarketUpdate[] = [];
  const frame = new Frame();
  const sink = new FeedSink({
    instruments,
    venue,
    market: 'spot',
    onUpdate: (update) => updates.push(structuredClone(update)),
    onControl: () => undefined,
  });
  const own = ({ instrument }: BenchFrame): boolean => instruments[instrument]!.venue === venue;
  const texts = [...market.snapshots, ...market.frames].filter(own).map(({ bytes }) => bytes);
  for (const bytes of texts) decode(frame.window(bytes, 0, bytes.length), sink);
  const plainUpdates = texts.map((bytes) => plainParse(venue, Buffer.from(bytes).toString()));
  const snapshots = market.snapshots.filter(own).length;

  const fast: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const books = new BookStore({
        instruments,
        rulesOf: () => rules,
        clock: new FrameClock(),
        staleAfterMs: Infinity,
      });
      for (let at = 0; at < snapshots; at += 1) books.apply(updates[at]!);
      const run = (): void => {
        for (let at = snapshots; at < updates.length; at += 1) {
          const update = updates[at]!;
          books.apply(update);
          hash.double(books.tops.bid[update.instrument]!);
          hash.double(books.tops.ask[update.instrument]!);
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  const plain: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const books = new Map<string, PlainBook>();
      for (const update of plainUpdates.slice(0, snapshots)) {
        const book = new PlainBook();
        books.set(update.symbol, book);
        book.apply(update);
      }
      const run = (): void => {
        for (let at = snapshots; at < plainUpdates.length; at += 1) {
          const book = books.get(plainUpdates[at]!.symbol)!;
          book.apply(plainUpdates[at]!);
          const { bid, ask } = book.top();
          hash.double(bid);
          hash.double(ask);
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  return row('book apply, 8+8 and 20+20 levels', compare(updates.length - snapshots, rounds, fast, plain));
}

/** A changed best price → the routes that pay. */
export function detectCase(
  name: string,
  instruments: readonly Instrument[],
  settings: Partial<typeof engine>,
  [messages, rounds]: readonly [number, number],
): Row {
  const { routes } = compileRoutes(instruments, { ...engine, ...settings }, 0);
  const random = randomFrom(7);
  const changed = Int32Array.from({ length: messages }, () => random.integer(instruments.length));
  const shifts = Float64Array.from({ length: messages }, () => 1 + random.normal() * 0.0006);
  const fair = instruments.map(
    ({ base, quote }) => (base.length * 13 + base.charCodeAt(0)) / (quote.length * 13 + quote.charCodeAt(0)),
  );
  const shared = (prepare: (tops: Tops, hash: ResultHash) => (at: number) => void): Contender => ({
    prepare: () => {
      const tops = topsOf(fair);
      const hash = new ResultHash();
      const screen = prepare(tops, hash);
      const run = (): void => {
        for (let at = 0; at < messages; at += 1) {
          const index = changed[at]!;
          const price = fair[index]! * shifts[at]!;
          tops.bid[index] = price * 0.9999;
          tops.ask[index] = price * 1.0001;
          screen(index);
        }
      };
      return { run, hash: () => hash.hex };
    },
  });
  const minEdge = 0.0001;
  const fast = shared((tops, hash) => {
    const evaluator = new Evaluator(instruments, routes, { tops, minEdge });
    return (index) => {
      const count = evaluator.screen(index as InstrumentIndex);
      hash.integer(count);
      for (let at = 0; at < count; at += 1) hash.integer(evaluator.found[at]!);
    };
  });
  const plain = shared((tops, hash) => {
    const plainRoutes = new PlainRoutes(instruments, routes, tops);
    return (index) => {
      const found = plainRoutes.found(index, minEdge);
      hash.integer(found.length);
      for (const route of found) hash.integer(route);
    };
  });
  return row(name, compare(messages, rounds, fast, plain));
}

function topsOf(prices: readonly number[]): Tops {
  const column = (values: readonly number[]): Float64Array => Float64Array.from(values);
  const none = prices.map(() => 0);
  return {
    bid: column(prices.map((price) => price * 0.9999)),
    bidQty: column(none),
    ask: column(prices.map((price) => price * 1.0001)),
    askQty: column(none),
  };
}

const HEAP_PASSES = 3;

/** Frame → decision: speed, ratio, how the slowest frames fare, and what a frame leaves on the heap. */
export function wholePathCases(market: BenchMarket, rounds: number): readonly Row[] {
  const { instruments, snapshots, frames } = market;
  const { routes } = compileRoutes(instruments, engine, 0);
  const opened = <Engine extends FastEngine | PlainEngine>(started: Engine): Engine => {
    for (const frame of snapshots) started.take(frame);
    return started;
  };
  const contender = (start: () => FastEngine | PlainEngine): Contender => ({
    prepare: () => {
      const running = opened(start());
      const run = (): void => {
        for (let at = 0; at < frames.length; at += 1) running.take(frames[at]!);
      };
      return { run, hash: () => running.hash.hex };
    },
  });
  const compared = compare(
    frames.length,
    rounds,
    contender(() => new FastEngine(instruments, routes)),
    contender(() => new PlainEngine(instruments, routes)),
  );
  const { hash, plainHash } = compared;
  const mean = row('whole path, mean', compared);
  const times = eachTime(opened(new FastEngine(instruments, routes)), frames);
  // Compiled code allocates less than what is still being compiled: the passes before the last only warm up.
  const [heap] = Array.from({ length: HEAP_PASSES }, () => {
    const running = opened(new FastEngine(instruments, routes));
    return heapGrowth(frames.length, (at) => running.take(frames[at]!));
  }).reverse();
  const alone = (name: string, unit: string, value: number): Row => ({ name, unit, value, hash, plainHash });
  return [
    { ...mean, name: 'whole path', unit: 'messages/s', value: 1e9 / mean.value, quiet: 1e9 / compared.quietNs },
    mean,
    alone('whole path, p50', 'ns/message', times[Math.floor(times.length * 0.5)]!),
    alone('whole path, p99', 'ns/message', times[Math.floor(times.length * 0.99)]!),
    alone('whole path, p99.9', 'ns/message', times[Math.floor(times.length * 0.999)]!),
    alone('whole path, heap', 'bytes/message', heap!.typical),
    alone('whole path, heap with sizing', 'bytes/message', heap!.mean),
  ];
}

/** Nanoseconds of each frame, sorted; a clock reading is in each. */
function eachTime(running: FastEngine, frames: readonly BenchFrame[]): Float64Array {
  const times = new Float64Array(frames.length);
  for (let at = 0; at < frames.length; at += 1) {
    const started = performance.now();
    running.take(frames[at]!);
    times[at] = (performance.now() - started) * 1e6;
  }
  return times.sort();
}
