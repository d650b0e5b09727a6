import { assert } from '#shared/assert.ts';
import type { Side } from '#shared/domain/route.ts';

/** The market model's own liquidity: it has no account. */
export const HOUSE = 0;

/** An order in the book. Price in ticks, quantity in lots: integers, so that matching is exact. */
export type Resting = { readonly owner: number; readonly side: Side; readonly price: number; qty: number };

/** All orders of one price, oldest first. */
export type Level = { readonly price: number; qty: number; readonly orders: Resting[] };

export type Incoming = {
  /** Opaque to the engine; {@link HOUSE} for the model's own. */
  readonly owner: number;
  readonly side: Side;
  /** Limit in ticks; undefined for a market order. */
  readonly price: number | undefined;
  readonly qty: number;
  readonly timeInForce: 'GTC' | 'IOC' | 'FOK';
};

export type Fill = { readonly maker: Resting; readonly price: number; readonly qty: number };

export type Matched = {
  readonly fills: readonly Fill[];
  /** Present when something of it rests in the book. */
  readonly resting: Resting | undefined;
};

/** One limit order book with price-time priority: the best price first, and at one price the oldest order first. */
export class MatchingEngine {
  readonly bids = new BookHalf('buy');
  readonly asks = new BookHalf('sell');
  /** Grows by one with each change of a level: what venues count as update ids. */
  changes = 0;

  half(side: Side): BookHalf {
    return side === 'buy' ? this.bids : this.asks;
  }

  /** True when a limit at `price` would trade on arrival. */
  wouldTake(side: Side, price: number): boolean {
    const best = this.half(side === 'buy' ? 'sell' : 'buy').best();
    return best !== undefined && reaches(side, price, best.price);
  }

  /** Lots that an order limited to `price` could take at once. */
  takeable(side: Side, price: number | undefined): number {
    let lots = 0;
    for (const level of this.half(side === 'buy' ? 'sell' : 'buy').bestFirst()) {
      if (price !== undefined && !reaches(side, price, level.price)) break;
      lots += level.qty;
    }
    return lots;
  }

  /** Matches, then rests what is left of a GTC limit order. A FOK order fills whole or not at all. */
  submit(incoming: Incoming): Matched {
    assert(incoming.qty > 0 && Number.isSafeInteger(incoming.qty), 'an order has a whole number of lots');
    if (incoming.timeInForce === 'FOK' && this.takeable(incoming.side, incoming.price) < incoming.qty)
      return { fills: [], resting: undefined };

    const fills: Fill[] = [];
    let left = incoming.qty;
    const half = this.half(incoming.side === 'buy' ? 'sell' : 'buy');
    for (let best = half.best(); left > 0 && best !== undefined; best = half.best()) {
      if (incoming.price !== undefined && !reaches(incoming.side, incoming.price, best.price)) break;
      left = this.#takeFrom(half, best, left, fills);
    }
    const rests = left > 0 && incoming.timeInForce === 'GTC' && incoming.price !== undefined;
    return { fills, resting: rests ? this.#rest(incoming, incoming.price, left) : undefined };
  }

  /** Takes an order out of the book; false when nothing of it rests there any more. */
  cancel(order: Resting): boolean {
    const half = this.half(order.side);
    const level = half.at(order.price);
    const position = level?.orders.indexOf(order) ?? -1;
    if (level === undefined || position < 0) return false;

    level.orders.splice(position, 1);
    level.qty -= order.qty;
    if (level.orders.length === 0) half.remove(level);
    this.changes += 1;
    return true;
  }

  #takeFrom(half: BookHalf, level: Level, wanted: number, fills: Fill[]): number {
    let left = wanted;
    for (let maker = level.orders[0]; left > 0 && maker !== undefined; maker = level.orders[0]) {
      const qty = Math.min(left, maker.qty);
      left -= qty;
      maker.qty -= qty;
      level.qty -= qty;
      if (maker.qty === 0) level.orders.shift();
      fills.push({ maker, price: level.price, qty });
    }
    if (level.orders.length === 0) half.remove(level);
    this.changes += 1;
    return left;
  }

  #rest({ owner, side }: Incoming, price: number, qty: number): Resting {
    const order: Resting = { owner, side, price, qty };
    const level = this.half(side).open(price);
    level.orders.push(order);
    level.qty += qty;
    this.changes += 1;
    return order;
  }
}

/** One side of a book: a sorted array with the best level last, where most changes happen. */
export class BookHalf {
  /** Worst first. */
  readonly levels: Level[] = [];
  readonly #rising: boolean;

  constructor(side: Side) {
    this.#rising = side === 'buy';
  }

  best(): Level | undefined {
    return this.levels[this.levels.length - 1];
  }

  *bestFirst(): Generator<Level, void, undefined> {
    for (let at = this.levels.length - 1; at >= 0; at -= 1) yield this.levels[at]!;
  }

  at(price: number): Level | undefined {
    const level = this.levels[this.#position(price)];
    return level?.price === price ? level : undefined;
  }

  /** The level of that price, made when it is not there. */
  open(price: number): Level {
    const position = this.#position(price);
    const there = this.levels[position];
    if (there?.price === price) return there;
    const level: Level = { price, qty: 0, orders: [] };
    this.levels.splice(position, 0, level);
    return level;
  }

  remove(level: Level): void {
    this.levels.splice(this.#position(level.price), 1);
  }

  /** Where a level of that price stands, or would stand. */
  #position(price: number): number {
    let low = 0;
    let high = this.levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const there = this.levels[middle]!.price;
      if (this.#rising ? there < price : there > price) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const reaches = (side: Side, limit: number, price: number): boolean =>
  side === 'buy' ? limit >= price : limit <= price;
