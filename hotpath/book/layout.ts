import type { Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import type { Book } from './book.ts';
import type { Tick } from './ring-book.ts';
import { ringBook, WINDOW } from './ring-book.ts';
import { sortedBook } from './sorted-book.ts';

/** Fewer levels a side than this are found as fast in a sorted array, which is smaller. */
const DENSE_LEVELS = 16;

/** The layout that suits an instrument, judged by its first snapshot: the ring where the tick is known and half the levels lie within reach. */
export function bookFor(instrument: Instrument, snapshot: MarketUpdate): Book {
  const tick = tickOf(instrument);
  const dense = tick !== undefined && isDense(snapshot.bids, tick) && isDense(snapshot.asks, tick);
  return dense ? ringBook(tick) : sortedBook();
}

/** Undefined where the tick is not known (replay without metadata) or too fine for exact integers. */
function tickOf({ tick }: Instrument): Tick | undefined {
  if (!tick.isFinite() || !tick.greaterThan(0) || tick.decimalPlaces() > 15) return undefined;
  const scale = 10 ** tick.decimalPlaces();
  const units = tick.times(scale).toNumber();
  return Number.isSafeInteger(units) ? { units, scale } : undefined;
}

function isDense(levels: LevelBuffer, { units, scale }: Tick): boolean {
  const best = levels.prices[0];
  if (best === undefined || levels.count < DENSE_LEVELS) return false;
  const reach = ((WINDOW / 2) * units) / scale;
  let near = 0;
  for (let at = 0; at < levels.count; at += 1) if (Math.abs(levels.prices[at]! - best) < reach) near += 1;
  return near >= Math.min(levels.count / 2, WINDOW / 16);
}
