import type { Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import type { Book } from './book.ts';
import type { Tick } from './ring-book.ts';
import { ringBook } from './ring-book.ts';
import type { RingMemory } from './ring-memory.ts';
import { sortedBook } from './sorted-book.ts';

/** Fewer levels a side than this are found as fast in a sorted array, which is smaller. */
const DENSE_LEVELS = 16;
/** Ticks of a ring's window. The largest takes up to a megabyte a book, as far as it is written to. */
const WINDOW_MIN = 2_048;
const WINDOW_MAX = 65_536;
/** Above the least window, no more ticks than this for each level: memory is for books that are deep. */
const TICKS_PER_LEVEL = 256;
/**
 * A window that has this share of the levels within reach is large enough; with less than the other, a sorted array is better. Changes come nearer to the top
 * than a snapshot's levels lie: with a quarter of them in reach most changes are.
 */
const SHARE_WANTED = 7 / 8;
const SHARE_LEAST = 1 / 4;

/** The layout that suits an instrument, judged by its first snapshot: the ring where the tick is known and a window reaches enough of the levels. */
export function bookFor(instrument: Instrument, { bids, asks }: MarketUpdate, memory?: RingMemory): Book {
  const tick = tickOf(instrument);
  const levels = Math.min(bids.count, asks.count);
  if (tick === undefined || levels < DENSE_LEVELS) return sortedBook();
  const reached = (window: number): number =>
    Math.min(shareReached(bids, tick, window), shareReached(asks, tick, window));
  const largest = Math.min(WINDOW_MAX, TICKS_PER_LEVEL * levels);
  let window = WINDOW_MIN;
  while (2 * window <= largest && reached(window) < SHARE_WANTED) window *= 2;
  return reached(window) < SHARE_LEAST ? sortedBook() : ringBook({ tick, ticks: window }, memory);
}

/** Undefined where the tick is not known (replay without metadata) or too fine for exact integers. */
function tickOf({ tick }: Instrument): Tick | undefined {
  if (!tick.isFinite() || !tick.greaterThan(0) || tick.decimalPlaces() > 15) return undefined;
  const scale = 10 ** tick.decimalPlaces();
  const units = tick.times(scale).toNumber();
  return Number.isSafeInteger(units) ? { units, scale } : undefined;
}

/** The share of the levels that stay inside the window while the best moves about in it. */
function shareReached({ prices, count }: LevelBuffer, { units, scale }: Tick, window: number): number {
  const reach = ((window / 2) * units) / scale;
  let near = 0;
  for (let at = 0; at < count; at += 1) if (Math.abs(prices[at]! - prices[0]!) < reach) near += 1;
  return near / count;
}
