import type { Histogram } from 'hdr-histogram-js';
import { build } from 'hdr-histogram-js';

/** One way of doing a case: a fresh state, then `run` over all messages; the hash of what came out. */
export type Contender = {
  readonly prepare: () => { readonly run: () => void; readonly hash: () => string };
};
export type Compared = {
  readonly fastNs: number;
  /** Of its quietest round. */
  readonly quietNs: number;
  readonly plainNs: number;
  readonly hash: string;
  readonly plainHash: string;
};

/** The slow one of two decides how long a case takes: it rests when it has had this long and this many rounds. */
const PLAIN_NS = 3e9;
const PLAIN_ROUNDS = 3;

/** Nanoseconds a message of both, rounds interleaved so that a noisy machine hits both alike; medians. The first round warms up. */
export function compare(messages: number, rounds: number, fast: Contender, plain: Contender): Compared {
  const times = { fast: [] as number[], plain: [] as number[] };
  const hashes = { fast: '', plain: '' };
  let plainNs = 0;
  for (let round = 0; round <= rounds; round += 1) {
    const one = timed(fast, messages);
    hashes.fast = one.hash;
    if (round > 0) times.fast.push(one.ns);
    if (round > PLAIN_ROUNDS && plainNs > PLAIN_NS) continue;
    const other = timed(plain, messages);
    hashes.plain = other.hash;
    plainNs += other.ns * messages;
    if (round > 0) times.plain.push(other.ns);
  }
  return {
    fastNs: median(times.fast),
    quietNs: Math.min(...times.fast),
    plainNs: median(times.plain),
    hash: hashes.fast,
    plainHash: hashes.plain,
  };
}

function timed({ prepare }: Contender, messages: number): { readonly ns: number; readonly hash: string } {
  const { run, hash } = prepare();
  const started = performance.now();
  run();
  const elapsedMs = performance.now() - started;
  return { ns: (elapsedMs * 1e6) / messages, hash: hash() };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/** How many messages go by between two readings of the heap: few enough that nothing is collected meanwhile. */
const HEAP_CHUNK = 2_000;

export type HeapGrowth = { readonly typical: number; readonly mean: number };

/**
 * Heap bytes that one message allocates: growth over chunks of messages, less what reading the heap itself allocates. The median chunk is the
 * typical one, the mean has the rare messages that open routes in it. Needs `--expose-gc`; NaN without.
 */
export function heapGrowth(messages: number, take: (at: number) => void): HeapGrowth {
  const collect = globalThis.gc;
  if (collect === undefined) return { typical: NaN, mean: NaN };
  const grown = (task: () => void): number => {
    const before = process.memoryUsage().heapUsed;
    task();
    return process.memoryUsage().heapUsed - before;
  };
  const reading = median(Array.from({ length: 21 }, () => grown(() => undefined)));
  const chunks: number[] = [];
  for (let from = 0; from + HEAP_CHUNK <= messages; from += HEAP_CHUNK) {
    collect();
    const bytes = grown(() => {
      for (let at = from; at < from + HEAP_CHUNK; at += 1) take(at);
    });
    chunks.push(Math.max(0, bytes - reading) / HEAP_CHUNK);
  }
  return { typical: median(chunks), mean: chunks.reduce((sum, bytes) => sum + bytes, 0) / chunks.length };
}

const HISTOGRAM_NS = 600e9;
const PERCENTILES = [50, 90, 99, 99.9, 99.99] as const;

/** Of nanoseconds up to ten minutes, to three digits. */
export const nsHistogram = (): Histogram =>
  build({ lowestDiscernibleValue: 1, highestTrackableValue: HISTOGRAM_NS, numberOfSignificantValueDigits: 3 });

/** Whole nanoseconds; what is longer than the histogram reaches counts as its longest. */
export const note = (histogram: Histogram, ns: number): void =>
  histogram.recordValue(Math.min(HISTOGRAM_NS, Math.max(0, Math.round(ns))));

/** Values divided by `unitNs`: 1e3 for microseconds. */
export function percentilesOf(histogram: Histogram, unitNs = 1): Readonly<Record<string, number>> {
  const entries = PERCENTILES.map((at) => [`p${at}`, histogram.getValueAtPercentile(at) / unitNs] as const);
  return Object.fromEntries([...entries, ['max', histogram.maxValue / unitNs]]);
}
