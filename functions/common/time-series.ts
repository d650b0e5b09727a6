import { decimalFrom } from '#shared/money/grid.ts';
import type { Interval } from '#shared/schema/api.ts';
import { at } from './layout.ts';
import { ApplicationError } from './errors.ts';
import type { Item, Table } from './table.ts';
import { seqKey } from './tables.ts';

/** One observation of an instrument's price, as exact decimal text in canonical form. */
export type Quote = { readonly instrument: string; readonly atMs: number; readonly price: string };

/** Prices of the bucket that starts with `startMs`, as exact decimal text. */
export type Candle = {
  readonly startMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
};

export type CandleQuery = {
  readonly instrument: string;
  readonly interval: Interval;
  /** Of the starts of candles: from inclusive, to exclusive. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
};

/**
 * Where series are kept. Writing is idempotent and does not care for order: the same quotes in whatever order, batches and repetitions
 * leave the same candles. A quote older than an interval is kept, or further ahead of the clock than a minute, leaves no trace in it.
 * @throws ApplicationError 5001 when the database does not answer
 */
export type TimeSeriesStore = {
  readonly write: (quotes: readonly Quote[], nowMs: number) => Promise<void>;
  /** The oldest first. */
  readonly candles: (query: CandleQuery, nowMs: number) => Promise<readonly Candle[]>;
};

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Clocks differ; a quote of the day after tomorrow is nonsense. */
const AHEAD_MAX_MS = MINUTE_MS;

export const intervals: Readonly<Record<Interval, { readonly ms: number; readonly keepMs: number }>> = {
  '1m': { ms: MINUTE_MS, keepMs: 7 * DAY_MS },
  '5m': { ms: 5 * MINUTE_MS, keepMs: 30 * DAY_MS },
  '1h': { ms: 60 * MINUTE_MS, keepMs: 400 * DAY_MS },
  '1d': { ms: DAY_MS, keepMs: 1_830 * DAY_MS },
};

const LONGER: readonly Interval[] = ['5m', '1h', '1d'];
const CONCURRENCY = 16;
/** Another writer may have come between; after this many the batch comes again. */
const ATTEMPTS_MAX = 8;

/**
 * Candles as DynamoDB items, one a bucket, which end by the table's TTL. Quotes go into minutes; a minute goes into the longer intervals
 * once, when a later one begins, and what comes for a minute that is over goes there at once. So a quote costs one read and one write. The
 * newest minutes, which may not have been carried over yet, are merged in by who reads.
 */
export function dynamoTimeSeries(table: Table): TimeSeriesStore {
  return {
    write: async (quotes, nowMs) => {
      const minutes = minutesOf(quotes, nowMs);
      for (let from = 0; from < minutes.length; from += CONCURRENCY) {
        await Promise.all(minutes.slice(from, from + CONCURRENCY).map((bucket) => take(table, bucket, nowMs)));
      }
    },
    candles: async (query, nowMs) => {
      const { instrument, interval, toMs, limit } = query;
      // What is over may still be there: TTL takes its time.
      const fromMs = Math.max(0, query.fromMs, nowMs - intervals[interval].keepMs);
      if (fromMs >= toMs) return [];
      const found = new Map<number, Range>();
      for (const item of await between(table, { ...query, fromMs })) found.set(Number(item['sk']), rangeOf(item));
      for (const item of interval === '1m' ? [] : await newestMinutes(table, instrument, Infinity)) {
        const bucket = bucketOf({ instrument, interval, startMs: Number(item['sk']), range: rangeOf(item) }, interval);
        if (bucket.startMs >= fromMs && bucket.startMs < toMs) mergeIn(found, bucket.startMs, bucket.range);
      }
      return [...found]
        .sort(([a], [b]) => a - b)
        .slice(0, limit)
        .map(([startMs, range]) => candleOf(startMs, range));
    },
  };
}

type Dated = { readonly atMs: number; readonly price: string };
/** A candle that can be merged: it knows when its first and last price were seen. */
type Range = { readonly open: Dated; readonly high: string; readonly low: string; readonly close: Dated };
type Bucket = {
  readonly instrument: string;
  readonly interval: Interval;
  readonly startMs: number;
  readonly range: Range;
};

function minutesOf(quotes: readonly Quote[], nowMs: number): readonly Bucket[] {
  const minutes = new Map<string, Bucket>();
  for (const { instrument, atMs, price } of quotes) {
    if (atMs > nowMs + AHEAD_MAX_MS) continue;
    const startMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
    const here = { atMs, price };
    const range = { open: here, high: price, low: price, close: here };
    const known = minutes.get(`${startMs} ${instrument}`)?.range;
    minutes.set(`${startMs} ${instrument}`, {
      instrument,
      interval: '1m',
      startMs,
      range: known === undefined ? range : merged(known, range),
    });
  }
  return [...minutes.values()];
}

async function take(table: Table, minute: Bucket, nowMs: number): Promise<void> {
  const { instrument, startMs } = minute;
  const isOver = startMs + MINUTE_MS <= nowMs;
  const isKept = startMs >= nowMs - intervals['1m'].keepMs;
  if (isOver || !isKept) await carry(table, minute, nowMs);
  if (!isKept) return;
  const { carried } = await mergeInto(table, minute);
  if (carried) return;
  for (const item of await newestMinutes(table, instrument, startMs)) {
    await carry(table, { ...minute, startMs: Number(item['sk']), range: rangeOf(item) }, nowMs);
  }
  // Last, so that it is done again when anything before it failed.
  await table.update(at.candle(instrument, '1m', startMs), {
    UpdateExpression: 'SET carried = :yes',
    ExpressionAttributeValues: { ':yes': true },
  });
}

/** A minute into the longer intervals. */
async function carry(table: Table, minute: Bucket, nowMs: number): Promise<void> {
  for (const interval of LONGER) {
    const bucket = bucketOf(minute, interval);
    if (bucket.startMs >= nowMs - intervals[interval].keepMs) await mergeInto(table, bucket);
  }
}

const bucketOf = (minute: Bucket, interval: Interval): Bucket => {
  const { ms } = intervals[interval];
  return { ...minute, interval, startMs: Math.floor(minute.startMs / ms) * ms };
};

function mergeIn(into: Map<number, Range>, startMs: number, range: Range): void {
  const known = into.get(startMs);
  into.set(startMs, known === undefined ? range : merged(known, range));
}

const candleOf = (startMs: number, { open, high, low, close }: Range): Candle => ({
  startMs,
  open: open.price,
  high,
  low,
  close: close.price,
});

/**
 * Commutative, associative and idempotent, so that the order and number of writes do not matter. Of two prices of one instant the lower
 * opens and the higher closes.
 */
function merged(a: Range, b: Range): Range {
  const opened = a.open.atMs - b.open.atMs || compare(a.open.price, b.open.price);
  const closed = a.close.atMs - b.close.atMs || compare(a.close.price, b.close.price);
  return {
    open: opened <= 0 ? a.open : b.open,
    high: compare(a.high, b.high) >= 0 ? a.high : b.high,
    low: compare(a.low, b.low) <= 0 ? a.low : b.low,
    close: closed >= 0 ? a.close : b.close,
  };
}

/** `carried`: whether the minutes before this one have been carried over. */
async function mergeInto(
  table: Table,
  { instrument, interval, startMs, range }: Bucket,
): Promise<{ readonly carried: boolean }> {
  const key = at.candle(instrument, interval, startMs);
  const { ms, keepMs } = intervals[interval];
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const known = await table.get(key);
    const before = known === undefined ? undefined : String(known['candle']);
    const after = JSON.stringify(known === undefined ? range : merged(rangeOf(known), range));
    const carried = known?.['carried'] === true;
    if (after === before) return { carried };
    const written = await table.update(key, {
      UpdateExpression: 'SET candle = :after, #ttl = :ttl',
      ConditionExpression: before === undefined ? 'attribute_not_exists(candle)' : 'candle = :before',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: {
        ':after': after,
        ':ttl': Math.ceil((startMs + ms + keepMs) / 1000),
        ...(before === undefined ? {} : { ':before': before }),
      },
    });
    if (written !== undefined) return { carried };
  }
  throw new ApplicationError(5001, 'a candle is written by too many at once');
}

/** As many as can still change without being carried over at once: the current one, one ahead of our clock, and the one before. */
async function newestMinutes(table: Table, instrument: string, beforeMs: number): Promise<readonly Item[]> {
  const { Items = [] } = await table.query({
    KeyConditionExpression: 'pk = :pk AND sk < :before',
    ExpressionAttributeValues: {
      ':pk': at.candle(instrument, '1m', 0).pk,
      ':before': seqKey(Math.min(beforeMs, Number.MAX_SAFE_INTEGER)),
    },
    ScanIndexForward: false,
    Limit: 3,
    ConsistentRead: true,
  });
  return Items;
}

async function between(
  table: Table,
  { instrument, interval, fromMs, toMs, limit }: CandleQuery,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  let from: Record<string, unknown> | undefined;
  do {
    const page = await table.query({
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      ExpressionAttributeValues: {
        ':pk': at.candle(instrument, interval, 0).pk,
        ':from': seqKey(Math.ceil(fromMs)),
        ':to': seqKey(Math.ceil(toMs) - 1),
      },
      Limit: limit - items.length,
      ...(from === undefined ? {} : { ExclusiveStartKey: from }),
    });
    items.push(...(page.Items ?? []));
    from = page.LastEvaluatedKey;
  } while (from !== undefined && items.length < limit);
  return items;
}

// Only `mergeInto` writes candles.
const rangeOf = (item: Item): Range => JSON.parse(String(item['candle'])) as Range;
const compare = (a: string, b: string): number => decimalFrom(a).comparedTo(b);
