import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Interval } from '#shared/schema/api.ts';
import { ApplicationError } from './errors.ts';
import { lineOf } from './line-protocol.ts';
import { partedTimeSeries, type PartLog } from './time-series-parts.ts';
import { intervals, type Bucket, type TimeSeriesStore } from './time-series.ts';

export type InfluxOptions = {
  /** Such as `http://127.0.0.1:8086`. */
  readonly url: string;
  /** There is one database an interval, since each is kept for another time: `<database>_1m`, `_5m`, `_1h`, `_1d`. */
  readonly database: string;
  /** `token` where there is one; user and password otherwise; nothing where the server asks for nothing. */
  readonly token?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly timeoutMs?: number;
};

const MEASUREMENT = 'candle';
const LINES_MAX = 5_000;
const DAY_S = 86_400;

/**
 * Candles in InfluxDB, by line protocol and InfluxQL over plain HTTP: `/write` and `/query` of version 1, which 2 and 3 serve as well. Prices are
 * text fields: exact, and not for InfluxDB to reckon with.
 * @see https://docs.influxdata.com/influxdb/v1/tools/api/
 * @throws ApplicationError 5001 when it does not answer or has no time, 5003 naming what it refused: those writes would be refused again
 */
export const influxTimeSeries = (options: InfluxOptions): TimeSeriesStore => partedTimeSeries(influxParts(options));

/** Creates the databases that are missing, each with the retention that its interval is kept; for a server of one's own. */
export async function ensureInfluxDatabases(options: InfluxOptions): Promise<void> {
  for (const [interval, { ms, keepMs }] of Object.entries(intervals)) {
    // A bucket is kept from its end, and a shard goes as a whole.
    const seconds = Math.ceil((keepMs + ms) / 1_000) + DAY_S;
    await asked(options, {
      q: `CREATE DATABASE ${identifier(databaseOf(options, interval as Interval))} WITH DURATION ${seconds}s`,
    });
  }
}

function influxParts(options: InfluxOptions): PartLog {
  return {
    append: async (parts) => {
      for (const [interval, own] of Map.groupBy(parts, (part) => part.interval)) {
        const lines = [...new Set(own.map(lineOfPart))];
        for (let from = 0; from < lines.length; from += LINES_MAX) {
          await written(options, databaseOf(options, interval), lines.slice(from, from + LINES_MAX).join('\n'));
        }
      }
    },
    between: async ({ instrument, interval, fromMs, toMs }) => {
      const time = `time >= ${Math.ceil(fromMs)}ms AND time < ${Math.ceil(toMs)}ms`;
      const found = await asked(options, {
        db: databaseOf(options, interval),
        q: `SELECT ${COLUMNS.join(', ')} FROM ${MEASUREMENT} WHERE instrument = ${literal(instrument)} AND ${time}`,
      });
      return found.map((row) => partOf(instrument, interval, row));
    },
    newestStartMs: async ({ instrument, interval }, beforeMs) => {
      const before = Number.isFinite(beforeMs) ? ` AND time < ${Math.ceil(beforeMs)}ms` : '';
      const [row] = await asked(options, {
        db: databaseOf(options, interval),
        q: `SELECT high FROM ${MEASUREMENT} WHERE instrument = ${literal(instrument)}${before} ORDER BY time DESC LIMIT 1`,
      });
      return row === undefined ? undefined : startOf(interval, row[0]);
    },
  };
}

const COLUMNS = ['open', 'open_ms', 'high', 'low', 'close', 'close_ms'] as const;

/** Where a part lies within its bucket follows from what it says: the same part lies in the same place, another one in another. */
function lineOfPart({ instrument, interval, startMs, range }: Bucket): string {
  const { open, high, low, close } = range;
  const digest = createHash('sha256').update(JSON.stringify(range)).digest();
  const withinNs = digest.readBigUInt64BE() % BigInt(intervals[interval].ms * 1_000_000);
  return lineOf({
    measurement: MEASUREMENT,
    tags: { instrument },
    fields: {
      open: open.price,
      open_ms: BigInt(Math.round(open.atMs)),
      high,
      low,
      close: close.price,
      close_ms: BigInt(Math.round(close.atMs)),
    },
    timeNs: BigInt(startMs) * 1_000_000n + withinNs,
  });
}

/** Time, then the columns. */
type Row = readonly [timeMs: number, ...cells: readonly unknown[]];

function partOf(instrument: string, interval: Interval, [timeMs, ...cells]: Row): Bucket {
  const [open, openMs, high, low, close, closeMs] = cellsSchema.parse(cells);
  const range = { open: { atMs: openMs, price: open }, high, low, close: { atMs: closeMs, price: close } };
  return { instrument, interval, startMs: startOf(interval, timeMs), range };
}

const cellsSchema = z.tuple([z.string(), z.number(), z.string(), z.string(), z.string(), z.number()]);

const startOf = (interval: Interval, timeMs: number): number =>
  Math.floor(timeMs / intervals[interval].ms) * intervals[interval].ms;

const databaseOf = ({ database }: InfluxOptions, interval: Interval): string => `${database}_${interval}`;
const identifier = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
const literal = (text: string): string => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;

async function written(options: InfluxOptions, db: string, body: string): Promise<void> {
  await sent(options, `/write?${new URLSearchParams({ db, precision: 'ns' }).toString()}`, body);
}

const answerSchema = z.object({
  results: z.array(
    z.object({
      error: z.string().optional(),
      series: z.array(z.object({ values: z.array(z.tuple([z.number()], z.unknown())) })).optional(),
    }),
  ),
});

async function asked(
  options: InfluxOptions,
  query: { readonly db?: string; readonly q: string },
): Promise<readonly Row[]> {
  const text = await sent(options, '/query', new URLSearchParams({ ...query, epoch: 'ms' }));
  const parsed = answerSchema.safeParse(jsonIn(text));
  const [result] = parsed.success ? parsed.data.results : [];
  if (result === undefined) throw new ApplicationError(5003, 'InfluxDB answered something else');
  if (result.error !== undefined) throw new ApplicationError(5003, `InfluxDB: ${result.error}`);
  return result.series?.[0]?.values ?? [];
}

/** The answer's body. */
async function sent(options: InfluxOptions, path: string, body: string | URLSearchParams): Promise<string> {
  const { url, timeoutMs = 5_000 } = options;
  let status: number;
  let text: string;
  try {
    const response = await fetch(`${url.replace(/\/$/, '')}${path}`, {
      method: 'POST',
      headers: headersOf(options),
      body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    status = response.status;
    text = await response.text();
  } catch {
    throw new ApplicationError(5001, 'InfluxDB does not answer', { 'retry-after': '5' });
  }
  if (status < 300) return text;
  if (status === 429 || status >= 500) {
    throw new ApplicationError(5001, `InfluxDB answered ${status}`, { 'retry-after': '5' });
  }
  const said = z.object({ error: z.string() }).safeParse(jsonIn(text));
  throw new ApplicationError(5003, `InfluxDB answered ${status}: ${said.success ? said.data.error : 'no reason'}`);
}

function headersOf({ token, user, password }: InfluxOptions): Record<string, string> {
  if (token !== undefined) return { authorization: `Token ${token}` };
  if (user === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}` };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
