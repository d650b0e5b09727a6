import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import { black76 } from '#shared/quant/black.ts';
import type { Random } from '#shared/random.ts';
import type { Level, PlantedBook, Shape, ShapeEnd, Truth, World } from './truth.ts';
import { truthOf } from './truth.ts';

/** A market around one arbitrage, and what exactly it is worth. */
export type Planted = {
  readonly shape: Shape;
  readonly books: ReadonlyMap<Instrument, PlantedBook>;
  readonly truth: Truth;
};

/** Dollars; every other price follows from these. */
export const DOLLARS: Readonly<Record<string, number>> = {
  USD: 1,
  USDT: 1,
  USDC: 1,
  BTC: 92_400,
  ETH: 3_120,
  SOL: 141,
  XRP: 2.13,
  ADA: 0.482,
  LTC: 94.7,
};
const VOLATILITY = 0.55;
const YEAR_MS = 365 * 86_400_000;
/** Redrawn so often before a shape is given up: grids can be too coarse for an edge. */
const DRAWS_MAX = 20;
/** Least distance to the threshold: what lies closer is a matter of rounding. */
const GUARD_BPS = 0.3;

export type Wish = {
  readonly shape: Shape;
  readonly random: Random;
  readonly world: Omit<World, 'bookOf'>;
  readonly thresholdBps: number;
  /** The edge wanted for the first unit, basis points. */
  readonly edgeBps: number;
};

/**
 * Draws fair books for all legs, then moves one of them on its grid until the first unit has about the edge that is wanted; the truth is reckoned from what
 * came of it. Undefined when the grids do not allow it.
 */
export function plantedMarket(wish: Wish): Planted | undefined {
  for (let draw = 0; draw < DRAWS_MAX; draw += 1) {
    const planted = drawn(wish);
    if (planted !== undefined && isClear(planted, wish)) return planted;
  }
  return undefined;
}

/** A book with a wide spread around the fair price: for instruments that are only there to value others. */
export function wideBook(instrument: Instrument, nowMs: number): PlantedBook {
  const fair = fairPrice(instrument, nowMs);
  const qty = lots(instrument, 50_000);
  const [bid, ask] = [onGrid(instrument, fair * 0.99), onGrid(instrument, fair * 1.01)];
  return { bids: [[bid, qty]], asks: [[ask, qty]] };
}

function drawn({ shape, random, world, edgeBps, thresholdBps }: Wish): Planted | undefined {
  const fair = new Map<Instrument, PlantedBook>();
  for (const { instrument } of shape.legs) fair.set(instrument, bookAround(instrument, random, world.nowMs));
  const ends: readonly ShapeEnd[] = shape.kind === 'sum' ? shape.closings : [];
  for (const { instrument } of ends) {
    if (!fair.has(instrument)) fair.set(instrument, wideBook(instrument, world.nowMs));
  }
  const moved = shape.legs[random.integer(shape.legs.length)]!;
  const shiftedBy = (ticks: number): Planted | undefined => {
    const book = shifted(fair.get(moved.instrument)!, moved.instrument.tick.times(ticks));
    if (book === undefined) return undefined;
    const books = new Map(fair).set(moved.instrument, book);
    return { shape, books, truth: truthOf(shape, { ...world, bookOf: (instrument) => books.get(instrument)! }) };
  };
  const edgeAt = (ticks: number): number => shiftedBy(ticks)?.truth.bestEdgeBps.toNumber() ?? NaN;
  const ticks = solve(edgeAt, edgeBps, reachOf(moved.instrument, fair.get(moved.instrument)!));
  if (ticks === undefined) return undefined;
  // Away from the threshold, on the side that was asked for.
  const rises = edgeAt(ticks + 1) > edgeAt(ticks) ? 1 : -1;
  const away = edgeBps > thresholdBps ? rises : -rises;
  for (let step = 0; step < 10; step += 1) {
    const found = shiftedBy(ticks + away * step);
    if (found === undefined) return undefined;
    if (Math.abs(found.truth.bestEdgeBps.toNumber() - thresholdBps) > GUARD_BPS) return found;
  }
  return undefined;
}

/** On the side of the threshold that was asked for; what pays must be worth some steps of its grid. */
function isClear({ truth }: Planted, { edgeBps, thresholdBps }: Wish): boolean {
  const best = truth.bestEdgeBps.toNumber();
  if (edgeBps <= thresholdBps) return best < thresholdBps;
  return best > thresholdBps && truth.net.gt(truth.tolerance.times(3));
}

/** The number of ticks at which a monotonic edge comes nearest to the one wanted. */
function solve(edgeAt: (ticks: number) => number, wanted: number, reach: number): number | undefined {
  let [low, high] = [-reach, reach];
  const rising = edgeAt(high) > edgeAt(low);
  if (Number.isNaN(edgeAt(low) + edgeAt(high))) return undefined;
  const isBelow = (ticks: number): boolean => edgeAt(ticks) < wanted === rising;
  if (!isBelow(low) || isBelow(high)) return undefined;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isBelow(middle)) low = middle;
    else high = middle;
  }
  return rising ? high : low;
}

/** How far a book may be moved, in ticks: a fifth of the underlying (years of capital cost are more than a spread), never down to nothing. */
function reachOf(instrument: Instrument, { bids }: PlantedBook): number {
  const underlying =
    instrument.kind === 'option' ? unitOf(instrument) : DOLLARS[instrument.base]! / DOLLARS[instrument.quote]!;
  const lowest = bids.at(-1)![0];
  return Decimal.min(new Decimal(underlying).times(0.2), lowest.times(0.9)).div(instrument.tick).floor().toNumber();
}

/** What an option's premium is counted against: one coin, or its dollars. */
const unitOf = ({ base, quote }: Instrument): number => (base === quote ? 1 : DOLLARS[base]!);

export function fairPrice(instrument: Instrument, nowMs: number): number {
  const { kind, base, quote, strike, right, expiryMs } = instrument;
  const dollars = DOLLARS[base]!;
  if (kind !== 'option') return dollars / DOLLARS[quote]!;
  const premium = black76({
    right: right!,
    underlying: dollars,
    strike: strike!.toNumber(),
    years: (expiryMs! - nowMs) / YEAR_MS,
    volatility: VOLATILITY,
    rate: 0,
  }).price;
  return base === quote ? premium / dollars : premium;
}

/** One to four levels a side around the fair price; sizes as people have them. */
function bookAround(instrument: Instrument, random: Random, nowMs: number): PlantedBook {
  const fair = fairPrice(instrument, nowMs);
  const { tick } = instrument;
  const spacing = Decimal.max(1, new Decimal(fair).times(0.00005).div(tick).ceil()).toNumber();
  const half = 1 + random.integer(2 * spacing);
  const side = (sign: 1 | -1): readonly Level[] => {
    const count = 1 + random.integer(4);
    let price = onGrid(instrument, fair).plus(tick.times(sign * half));
    const levels: Level[] = [];
    for (let at = 0; at < count && price.gt(0); at += 1) {
      levels.push([price, lots(instrument, 20_000 * Math.exp(2 * random.next()))]);
      price = price.plus(tick.times(sign * (1 + random.integer(2 * spacing))));
    }
    return levels;
  };
  return { bids: side(-1), asks: side(1) };
}

function shifted({ bids, asks }: PlantedBook, by: Decimal): PlantedBook | undefined {
  const move = (levels: readonly Level[]): readonly Level[] => levels.map(([price, qty]) => [price.plus(by), qty]);
  const book = { bids: move(bids), asks: move(asks) };
  return book.bids.every(([price]) => price.gt(0)) ? book : undefined;
}

const onGrid = ({ tick }: Instrument, price: number): Decimal =>
  Decimal.max(1, new Decimal(price).div(tick).round()).times(tick);

/** So many dollars of the underlying in whole lots of the venue's quantity, at least thirty of them. */
function lots({ contractSize, inverse, base, lot, minQty }: Instrument, dollars: number): Decimal {
  const size = inverse ? contractSize : contractSize.times(DOLLARS[base]!);
  const wanted = new Decimal(dollars).div(size).div(lot).floor();
  return Decimal.max(wanted, 30, minQty.div(lot).times(30)).times(lot);
}
