import type { BookHalf, MatchingEngine } from './matching-engine.ts';

/** Levels as flat pairs: price in ticks, quantity in lots, price, quantity, … best first. */
export type FlatLevels = number[];

/**
 * What subscribers of one depth have been told of a book. Each `advance` finds the difference to the book as it is now, as venues send
 * it: absolute quantities, 0 removes; a level that better ones push out of the depth is not mentioned, because clients truncate.
 */
export class DepthView {
  /** The subscribers' view after the last `advance`. */
  bids: FlatLevels = [];
  asks: FlatLevels = [];
  /** What the last `advance` found. */
  bidChanges: FlatLevels = [];
  askChanges: FlatLevels = [];
  readonly #engine: MatchingEngine;
  readonly #depth: number;
  #seenChanges = -1;

  constructor(engine: MatchingEngine, depth: number) {
    this.#engine = engine;
    this.#depth = depth;
  }

  /** True when the book differs from what subscribers know. */
  advance(): boolean {
    this.bidChanges = [];
    this.askChanges = [];
    if (this.#seenChanges === this.#engine.changes) return false;
    this.#seenChanges = this.#engine.changes;
    this.bids = this.#advanceSide(this.#engine.bids, this.bids, this.bidChanges);
    this.asks = this.#advanceSide(this.#engine.asks, this.asks, this.askChanges);
    return this.bidChanges.length + this.askChanges.length > 0;
  }

  #advanceSide(half: BookHalf, before: FlatLevels, changes: FlatLevels): FlatLevels {
    const levels = half.levels;
    const count = Math.min(levels.length, this.#depth);
    const now: FlatLevels = [];
    const sign = half === this.#engine.bids ? -1 : 1;
    let old = 0;
    for (let at = 0; at < count; at += 1) {
      const { price, qty } = levels[levels.length - 1 - at]!;
      now.push(price, qty);
      while (old < before.length && before[old]! * sign < price * sign) {
        changes.push(before[old]!, 0);
        old += 2;
      }
      const same = old < before.length && before[old] === price;
      if (!same || before[old + 1] !== qty) changes.push(price, qty);
      if (same) old += 2;
    }
    // With the depth full, older levels beyond it are the client's to drop; with room left they are gone from the book.
    if (count < this.#depth) for (; old < before.length; old += 2) changes.push(before[old]!, 0);
    return now;
  }
}

/** Up to `depth` levels of a half as they stand now. */
export function flatLevels(half: BookHalf, depth: number): FlatLevels {
  const flat: FlatLevels = [];
  for (const { price, qty } of half.bestFirst()) {
    if (flat.length >= 2 * depth) break;
    flat.push(price, qty);
  }
  return flat;
}
