import type { EngineStatus } from '#shared/schema/status.ts';
import { LATENCY_BOUNDS_S } from '#shared/schema/status.ts';
import type { Probe } from './soak-probe.ts';

/** What one period of a soak was like. */
export type Minute = Pick<Probe, 'rssMb' | 'heapMb' | 'externalMb' | 'lagMs' | 'gc' | 'cpuShare'> & {
  readonly messagesPerSecond: number;
  readonly engineUs: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly operations: number;
  readonly liveBooks: number;
};

/** The period between two states of the engine, with what its process said of itself at the end of it. */
export function minuteFrom(probe: Probe, now: EngineStatus, before: EngineStatus): Minute {
  const { rssMb, heapMb, externalMb, lagMs, gc, cpuShare } = probe;
  const counts = countsBetween(now, before);
  const seconds = (now.at_ms - before.at_ms) / 1e3;
  return {
    ...{ rssMb, heapMb, externalMb, lagMs, gc, cpuShare },
    messagesPerSecond: (now.messages - before.messages) / seconds,
    engineUs: { p50: quantileUs(counts, 0.5), p99: quantileUs(counts, 0.99), p999: quantileUs(counts, 0.999) },
    operations: endedOf(now) - endedOf(before),
    liveBooks: now.venues.reduce((sum, { live_books: live }) => sum + live, 0),
  };
}

const endedOf = ({ operations }: EngineStatus): number => operations.completed + operations.failed;

function countsBetween(now: EngineStatus, before: EngineStatus): readonly number[] {
  const earlier = before.latency?.['decision']?.counts;
  return now.latency?.['decision']?.counts.map((count, at) => count - (earlier?.[at] ?? 0)) ?? [];
}

/** Within a bucket as if its logarithms were spread evenly: good enough to see growth. */
export function quantileUs(counts: readonly number[], share: number): number {
  const wanted = share * counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (const [at, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const upper = LATENCY_BOUNDS_S[at] ?? LATENCY_BOUNDS_S.at(-1)! * 2;
      const lower = LATENCY_BOUNDS_S[at - 1] ?? upper / 4;
      return 1e6 * lower * (upper / lower) ** ((wanted - below) / count);
    }
    below += count;
  }
  return NaN;
}

const RSS_SHARE = 0.05;
/** The share of the asked rate that must have come. */
const RATE_SHARE = 0.95;
/** Times the spread of the first quarter's periods that the last quarter's median may be above theirs. */
const NOISE = 2;

export type Verdict = { readonly holds: boolean; readonly words: readonly string[] };

/**
 * 1. After the warm-up the median memory of each quarter stays within 5 % of the first quarter's. 2. The median p99.9 of the last quarter is not above that of
 * the first by more than twice the spread of the first quarter's (its largest less its median), or half as much again where that is more. 3. The venues sent
 * what was asked. 4. It traded in every quarter: an engine whose breaker is open rests.
 */
export function verdictOf(
  minutes: readonly Minute[],
  { everyMs, warmUpMs, rate }: { readonly everyMs: number; readonly warmUpMs: number; readonly rate: number },
): Verdict {
  const counted = minutes.slice(Math.floor(warmUpMs / everyMs));
  if (counted.length < 4) return { holds: false, words: ['too short: four periods after the warm-up are needed'] };
  const quarters = [0, 1, 2, 3].map((at) =>
    counted.slice(Math.floor((at * counted.length) / 4), Math.floor(((at + 1) * counted.length) / 4)),
  );
  const rss = quarters.map((quarter) => median(quarter.map(({ rssMb }) => rssMb)));
  const heap = quarters.map((quarter) => median(quarter.map(({ heapMb }) => heapMb)));
  const slow = quarters.map((quarter) => median(quarter.map(({ engineUs }) => engineUs.p999)));
  const ended = quarters.map((quarter) => quarter.reduce((sum, { operations }) => sum + operations, 0));
  const spread = Math.max(...quarters[0]!.map(({ engineUs }) => engineUs.p999)) - slow[0]!;
  const allowed = slow[0]! + Math.max(NOISE * spread, slow[0]! / 2);
  const sent = median(counted.map(({ messagesPerSecond }) => messagesPerSecond));
  const checks = [
    {
      holds: rss.every((mb) => Math.abs(mb / rss[0]! - 1) <= RSS_SHARE),
      words: `memory by quarter: ${rss.map((mb) => mb.toFixed(1)).join(', ')} MB (± 5 % of the first; heap ${heap.map((mb) => mb.toFixed(1)).join(', ')})`,
    },
    {
      holds: slow[3]! <= allowed,
      words: `p99.9 of engine time by quarter: ${slow.map((us) => us.toFixed(1)).join(', ')} µs (the last at most ${allowed.toFixed(1)})`,
    },
    {
      holds: ended.every((operations) => operations > 0),
      words: `operations ended by quarter: ${ended.join(', ')}`,
    },
    { holds: sent >= RATE_SHARE * rate, words: `messages a second: ${sent.toFixed(0)} (asked: ${rate})` },
  ];
  return {
    holds: checks.every(({ holds }) => holds),
    words: checks.map(({ holds, words }) => `${holds ? 'holds' : 'FAILS'}  ${words}`),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

export function minuteText(minute: Minute, number: number): string {
  const { rssMb, heapMb, externalMb, messagesPerSecond, engineUs, lagMs, gc, operations, liveBooks, cpuShare } = minute;
  const us = (value: number): string => value.toFixed(1);
  return [
    `${number}`.padStart(4),
    `rss ${rssMb.toFixed(1)} heap ${heapMb.toFixed(1)} ext ${externalMb.toFixed(1)} MB`,
    `${messagesPerSecond.toFixed(0)}/s ${liveBooks} books ${operations} ops cpu ${(cpuShare * 100).toFixed(0)} %`,
    `engine p50 ${us(engineUs.p50)} p99 ${us(engineUs.p99)} p99.9 ${us(engineUs.p999)} µs`,
    `lag p99 ${us(lagMs.p99)} max ${us(lagMs.max)} ms`,
    `gc ${gc.count} (${gc.major} major) longest ${us(gc.longestMs)} ms`,
  ].join(' · ');
}
