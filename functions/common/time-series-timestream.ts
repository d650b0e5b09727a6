import { createHash } from 'node:crypto';
import type { Interval } from '#shared/schema/api.ts';
import { ApplicationError } from './errors.ts';
import { partedTimeSeries, type PartLog } from './time-series-parts.ts';
import { intervals, type Bucket, type TimeSeriesStore } from './time-series.ts';

export type TimestreamOptions = {
  readonly region: string;
  /** One table an interval: `<table>_1m`, `_5m`, `_1h`, `_1d`; late quotes need a memory store that is kept as long as they are late. */
  readonly database: string;
  readonly table: string;
};

/** One record of several values, as WriteRecords takes it. */
export type TimestreamRecord = {
  readonly Dimensions: { readonly Name: string; readonly Value: string }[];
  readonly MeasureName: string;
  readonly MeasureValueType: 'MULTI';
  readonly MeasureValues: { readonly Name: string; readonly Value: string; readonly Type: 'VARCHAR' | 'BIGINT' }[];
  readonly Time: string;
  readonly TimeUnit: 'NANOSECONDS';
};
/** What is asked of Timestream; cells as text, in the order of the columns. */
export type TimestreamPeer = {
  readonly write: (table: string, records: TimestreamRecord[]) => Promise<void>;
  readonly query: (sql: string) => Promise<readonly (readonly string[])[]>;
};

const RECORDS_MAX = 100;

/**
 * Candles in Timestream for LiveAnalytics, for accounts that have it: it takes no new ones since June 2025. No free peer speaks its protocol, so
 * unlike the other stores it was never run against a real one here.
 * @see https://docs.aws.amazon.com/timestream/latest/developerguide/AmazonTimestreamForLiveAnalytics-availability-change.html
 * @throws ApplicationError 5001 when it does not answer, 5003 naming the records that it refused
 */
export const timestreamTimeSeries = (options: TimestreamOptions, peer = peerOf(options)): TimeSeriesStore =>
  partedTimeSeries(timestreamParts(options, peer));

function timestreamParts({ database, table }: TimestreamOptions, peer: TimestreamPeer): PartLog {
  const tableOf = (interval: Interval): string => `${table}_${interval}`;
  const from = (interval: Interval): string => `FROM "${database}"."${tableOf(interval)}"`;
  return {
    append: async (parts) => {
      for (const [interval, own] of Map.groupBy(parts, (part) => part.interval)) {
        // Timestream refuses a request that holds one record twice.
        const records = [...new Map(own.map((part) => [JSON.stringify(part), recordOf(part)])).values()];
        for (let at = 0; at < records.length; at += RECORDS_MAX) {
          await peer.write(tableOf(interval), records.slice(at, at + RECORDS_MAX));
        }
      }
    },
    between: async ({ instrument, interval, fromMs, toMs }) => {
      const rows = await peer.query(
        `SELECT to_milliseconds(time), open, open_ms, high, low, "close", close_ms ${from(interval)} WHERE instrument = ${literal(instrument)}` +
          ` AND time >= from_milliseconds(${fromMs}) AND time < from_milliseconds(${toMs})`,
      );
      return rows.map((row) => partOf(instrument, interval, row));
    },
    newestStartMs: async ({ instrument, interval }, beforeMs) => {
      const before = Number.isFinite(beforeMs) ? ` AND time < from_milliseconds(${beforeMs})` : '';
      const [row] = await peer.query(
        `SELECT to_milliseconds(time) ${from(interval)} WHERE instrument = ${literal(instrument)}${before} ORDER BY time DESC LIMIT 1`,
      );
      return row === undefined ? undefined : startOf(interval, Number(row[0]));
    },
  };
}

function recordOf({ instrument, interval, startMs, range }: Bucket): TimestreamRecord {
  const { open, high, low, close } = range;
  const digest = createHash('sha256').update(JSON.stringify(range)).digest();
  const withinNs = digest.readBigUInt64BE() % BigInt(intervals[interval].ms * 1_000_000);
  const text = (Name: string, Value: string) => ({ Name, Value, Type: 'VARCHAR' as const });
  const integer = (Name: string, value: number) => ({
    Name,
    Value: String(Math.round(value)),
    Type: 'BIGINT' as const,
  });
  return {
    Dimensions: [{ Name: 'instrument', Value: instrument }],
    MeasureName: 'candle',
    MeasureValueType: 'MULTI',
    MeasureValues: [
      text('open', open.price),
      integer('open_ms', open.atMs),
      text('high', high),
      text('low', low),
      text('close', close.price),
      integer('close_ms', close.atMs),
    ],
    Time: String(BigInt(startMs) * 1_000_000n + withinNs),
    TimeUnit: 'NANOSECONDS',
  };
}

function partOf(instrument: string, interval: Interval, row: readonly string[]): Bucket {
  const [timeMs, open, openMs, high, low, close, closeMs] = row as readonly [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const range = {
    open: { atMs: Number(openMs), price: open },
    high,
    low,
    close: { atMs: Number(closeMs), price: close },
  };
  return { instrument, interval, startMs: startOf(interval, Number(timeMs)), range };
}

const startOf = (interval: Interval, timeMs: number): number =>
  Math.floor(timeMs / intervals[interval].ms) * intervals[interval].ms;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The clients are loaded with the first call: who keeps candles elsewhere does not carry them. */
function peerOf({ region, database }: TimestreamOptions): TimestreamPeer {
  const writing = once(async () => {
    const { TimestreamWriteClient, WriteRecordsCommand } = await import('@aws-sdk/client-timestream-write');
    return { client: new TimestreamWriteClient({ region }), WriteRecordsCommand };
  });
  const asking = once(async () => {
    const { TimestreamQueryClient, QueryCommand } = await import('@aws-sdk/client-timestream-query');
    return { client: new TimestreamQueryClient({ region }), QueryCommand };
  });
  return {
    write: (TableName, Records) =>
      guarded(async () => {
        const { client, WriteRecordsCommand } = await writing();
        await client.send(new WriteRecordsCommand({ DatabaseName: database, TableName, Records }));
      }),
    query: (QueryString) =>
      guarded(async () => {
        const { client, QueryCommand } = await asking();
        const rows: string[][] = [];
        let NextToken: string | undefined;
        do {
          const page = await client.send(
            new QueryCommand({ QueryString, ...(NextToken === undefined ? {} : { NextToken }) }),
          );
          rows.push(...(page.Rows ?? []).map(({ Data = [] }) => Data.map(({ ScalarValue = '' }) => ScalarValue)));
          ({ NextToken } = page);
        } while (NextToken !== undefined);
        return rows;
      }),
  };
}

function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => (loaded ??= load());
}

async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const { name, message } = error as Error;
    const isOurs = ['RejectedRecordsException', 'ValidationException', 'ResourceNotFoundException'].includes(name);
    if (isOurs) throw new ApplicationError(5003, `Timestream: ${name}: ${message}`);
    throw new ApplicationError(5001, `Timestream: ${name}`, { 'retry-after': '5' });
  }
}
