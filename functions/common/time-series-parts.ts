import type { Interval } from '#shared/schema/api.ts';
import {
  bucketOf,
  candleOf,
  intervals,
  mergeIn,
  MINUTE_MS,
  minutesOf,
  type Bucket,
  type Range,
  type TimeSeriesStore,
} from './time-series.ts';

export type PartQuery = {
  readonly instrument: string;
  readonly interval: Interval;
  /** Starts of buckets: from inclusive, to exclusive. */
  readonly fromMs: number;
  readonly toMs: number;
};

/**
 * A database that keeps whatever is written and merges nothing: each write leaves a part of a bucket beside those that are there, and the parts of a
 * bucket make its candle. The same part twice is one part.
 */
export type PartLog = {
  readonly append: (parts: readonly Bucket[]) => Promise<void>;
  /** In any order. */
  readonly between: (query: PartQuery) => Promise<readonly Bucket[]>;
  /** Where the newest bucket starts that starts before this time. */
  readonly newestStartMs: (
    of: Pick<PartQuery, 'instrument' | 'interval'>,
    beforeMs: number,
  ) => Promise<number | undefined>;
};

const NEXT: Readonly<Partial<Record<Interval, Interval>>> = { '1m': '5m', '5m': '1h', '1h': '1d' };
const CARRIED: readonly Interval[] = ['1m', '5m', '1h'];
/** The current one, one ahead of our clock, and the one before: no older one waits to be carried. */
const NEWEST = 3;
/** Buckets that are asked for at first; each further question asks for twice as many. */
const WINDOW_MIN = 100;
/** Instruments times intervals; what is forgotten is carried once more, which changes nothing. */
const REMEMBERED_MAX = 50_000;

/**
 * Candles over a log of parts. A quote leaves a part of its minute; what is known of a minute becomes one part of the next longer interval when a later
 * minute begins, and so on up, and what comes for a bucket that is over goes up at once. So a bucket of any length has few parts, and who
 * reads merges them, with those of the newest shorter buckets, which have not gone up yet.
 */
export function partedTimeSeries(log: PartLog): TimeSeriesStore {
  const begun = new Map<string, number>();

  const carry = async (minute: Bucket, interval: Interval, nowMs: number): Promise<void> => {
    const id = `${interval} ${minute.instrument}`;
    const { startMs } = bucketOf(minute, interval);
    if ((begun.get(id) ?? -Infinity) >= startMs) return;
    const waiting = await newestOf(log, { ...minute, interval }, startMs);
    await log.append(waiting.flatMap((bucket) => upward(bucketOf(bucket, NEXT[interval]!), nowMs)));
    // Last, so that it is done again when anything before it failed.
    if (begun.size >= REMEMBERED_MAX) begun.clear();
    begun.set(id, startMs);
  };

  return {
    write: async (quotes, nowMs) => {
      const minutes = minutesOf(quotes, nowMs);
      await log.append(minutes.flatMap((minute) => upward(minute, nowMs)));
      for (const minute of minutes.filter((bucket) => isKept(bucket, nowMs))) {
        for (const interval of CARRIED) await carry(minute, interval, nowMs);
      }
    },
    candles: async ({ instrument, interval, limit, ...range }, nowMs) => {
      const startFrom = (ms: number): number => Math.ceil(ms / intervals[interval].ms) * intervals[interval].ms;
      const fromMs = startFrom(Math.max(0, range.fromMs, nowMs - intervals[interval].keepMs));
      const toMs = startFrom(Math.min(range.toMs, nowMs + MINUTE_MS + 1));
      if (fromMs >= toMs) return [];
      const found = await merging(log, { instrument, interval, fromMs, toMs }, limit);
      for (const shorter of shorterThan(interval)) {
        for (const waiting of await newestOf(log, { instrument, interval: shorter }, Infinity)) {
          const { startMs, range: part } = bucketOf(waiting, interval);
          if (startMs >= fromMs && startMs < toMs) mergeIn(found, startMs, part);
        }
      }
      return [...found]
        .sort(([a], [b]) => a - b)
        .slice(0, limit)
        .map(([startMs, part]) => candleOf(startMs, part));
    },
  };
}

const shorterThan = (interval: Interval): readonly Interval[] =>
  CARRIED.filter((carried) => intervals[carried].ms < intervals[interval].ms);

const isOver = ({ interval, startMs }: Bucket, nowMs: number): boolean => startMs + intervals[interval].ms <= nowMs;
const isKept = ({ interval, startMs }: Bucket, nowMs: number): boolean => startMs >= nowMs - intervals[interval].keepMs;

/** A part, and those of longer intervals that it belongs to at once. */
function upward(part: Bucket, nowMs: number): readonly Bucket[] {
  const kept = isKept(part, nowMs) ? [part] : [];
  const next = NEXT[part.interval];
  if (next === undefined || (kept.length > 0 && !isOver(part, nowMs))) return kept;
  return [...kept, ...upward(bucketOf(part, next), nowMs)];
}

/** The newest buckets before a time, each as one part. */
async function newestOf(
  log: PartLog,
  of: Pick<PartQuery, 'instrument' | 'interval'>,
  beforeMs: number,
): Promise<readonly Bucket[]> {
  const { instrument, interval } = of;
  const lastMs = await log.newestStartMs({ instrument, interval }, beforeMs);
  if (lastMs === undefined) return [];
  const { ms } = intervals[interval];
  const fromMs = lastMs - (NEWEST - 1) * ms;
  const found = new Map<number, Range>();
  for (const { startMs, range } of await log.between({ instrument, interval, fromMs, toMs: lastMs + ms })) {
    mergeIn(found, startMs, range);
  }
  return [...found].map(([startMs, range]) => ({ instrument, interval, startMs, range }));
}

/** At least the oldest `limit` buckets of a time, if there are so many. */
async function merging(log: PartLog, query: PartQuery, limit: number): Promise<Map<number, Range>> {
  const found = new Map<number, Range>();
  let width = Math.max(limit, WINDOW_MIN) * intervals[query.interval].ms;
  for (let { fromMs } = query; fromMs < query.toMs && found.size < limit; width *= 2) {
    const toMs = Math.min(query.toMs, fromMs + width);
    for (const { startMs, range } of await log.between({ ...query, fromMs, toMs })) mergeIn(found, startMs, range);
    fromMs = toMs;
  }
  return found;
}
