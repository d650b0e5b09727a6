import type { Interval } from '#shared/schema/api.ts';
import { ApplicationError } from './errors.ts';
import { at } from './layout.ts';
import type { Item, Table } from './table.ts';
import { seqKey } from './tables.ts';
import {
  bucketOf,
  candleOf,
  intervals,
  merged,
  mergeIn,
  MINUTE_MS,
  minutesOf,
  type Bucket,
  type CandleQuery,
  type Range,
  type TimeSeriesStore,
} from './time-series.ts';

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
