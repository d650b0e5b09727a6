import { decimalFrom } from '#shared/money/grid.ts';
import type { Interval } from '#shared/schema/api.ts';

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

export const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Clocks differ; a quote of the day after tomorrow is nonsense. */
const AHEAD_MAX_MS = MINUTE_MS;

export const intervals: Readonly<Record<Interval, { readonly ms: number; readonly keepMs: number }>> = {
  '1m': { ms: MINUTE_MS, keepMs: 7 * DAY_MS },
  '5m': { ms: 5 * MINUTE_MS, keepMs: 30 * DAY_MS },
  '1h': { ms: 60 * MINUTE_MS, keepMs: 400 * DAY_MS },
  '1d': { ms: DAY_MS, keepMs: 1_830 * DAY_MS },
};

type Dated = { readonly atMs: number; readonly price: string };
/** A candle that can be merged: it knows when its first and last price were seen. */
export type Range = { readonly open: Dated; readonly high: string; readonly low: string; readonly close: Dated };
export type Bucket = {
  readonly instrument: string;
  readonly interval: Interval;
  readonly startMs: number;
  readonly range: Range;
};

/** The minutes that these quotes touch, each as far as they tell. */
export function minutesOf(quotes: readonly Quote[], nowMs: number): readonly Bucket[] {
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

/** A minute, or what is known of it, as part of a longer interval. */
export const bucketOf = (part: Bucket, interval: Interval): Bucket => {
  const { ms } = intervals[interval];
  return { ...part, interval, startMs: Math.floor(part.startMs / ms) * ms };
};

export function mergeIn(into: Map<number, Range>, startMs: number, range: Range): void {
  const known = into.get(startMs);
  into.set(startMs, known === undefined ? range : merged(known, range));
}

export const candleOf = (startMs: number, { open, high, low, close }: Range): Candle => ({
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
export function merged(a: Range, b: Range): Range {
  const opened = a.open.atMs - b.open.atMs || compare(a.open.price, b.open.price);
  const closed = a.close.atMs - b.close.atMs || compare(a.close.price, b.close.price);
  return {
    open: opened <= 0 ? a.open : b.open,
    high: compare(a.high, b.high) >= 0 ? a.high : b.high,
    low: compare(a.low, b.low) <= 0 ? a.low : b.low,
    close: closed >= 0 ? a.close : b.close,
  };
}

const compare = (a: string, b: string): number => decimalFrom(a).comparedTo(b);
