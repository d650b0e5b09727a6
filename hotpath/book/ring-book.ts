import { assert } from '#shared/assert.ts';
import type { Book, BookSide, Direction } from './book.ts';
import { SortedSide } from './sorted-book.ts';

/** A tick as an exact fraction: `units / scale` (0.25 is 25 / 100), so that a price is rebuilt to the same double that was read. */
export type Tick = { readonly units: number; readonly scale: number };

/**
 * For dense books of a known tick: quantities in a ring indexed by tick, with the few levels far away or off the grid kept sorted aside. The ring spans
 * `window` ticks, a power of two of at least 1,024.
 */
export const ringBook = (tick: Tick, window: number): Book => ({
  bids: new RingSide(1, tick, window),
  asks: new RingSide(-1, tick, window),
});

/** Of a moved window, this share is left free above the best. */
const HEADROOM = 1 / 4;
/** A best level that has sunk this near to the window's worse end, as a share of it, makes the window follow. */
const FLOOR = 1 / 8;
/** Ticks beyond this do not fit the window's integers; such prices are kept aside. */
const TICKS_MAX = 2 ** 30;
/** The position of a price that has none: off the grid, or too many ticks high. */
const OFF_GRID = -(2 ** 31);

/**
 * Positions are ticks × direction, so greater is better on both sides. Invariant: a level on the grid that is better than everything outside the window
 * is inside it; outside are worse levels and prices off the grid.
 */
export class RingSide implements BookSide {
  readonly #direction: Direction;
  readonly #units: number;
  readonly #scale: number;
  readonly #window: number;
  readonly #mask: number;
  readonly #qtys: Float64Array;
  /** One bit a slot, and one bit a word of those. */
  readonly #words: Int32Array;
  readonly #summary: Int32Array;
  readonly #aside: SortedSide;
  /** The window is [low, low + window). */
  #low = 0;
  /** Best position inside; meaningless while the ring is empty. */
  #best = 0;
  #inside = 0;

  constructor(direction: Direction, { units, scale }: Tick, window: number) {
    assert(units > 0 && scale > 0, 'a ring needs a tick');
    assert(window >= 1_024 && Number.isInteger(Math.log2(window)), 'a window is a power of two');
    this.#direction = direction;
    this.#units = units;
    this.#scale = scale;
    this.#window = window;
    this.#mask = window - 1;
    this.#qtys = new Float64Array(window);
    this.#words = new Int32Array(window / 32);
    this.#summary = new Int32Array(window / 1_024);
    this.#aside = new SortedSide(direction);
  }

  get count(): number {
    return this.#inside + this.#aside.count;
  }

  best(prices: Float64Array, qtys: Float64Array, at: number): void {
    const aside = this.#aside;
    if (this.#inside === 0 || (aside.count > 0 && aside.bestKey() > this.#keyOf(this.#best))) {
      aside.best(prices, qtys, at);
    } else {
      prices[at] = this.#keyOf(this.#best) * this.#direction + 0;
      qtys[at] = this.#qtys[this.#best & this.#mask]!;
    }
  }

  set(prices: Float64Array, qtys: Float64Array, at: number): void {
    const position = this.#positionOf(prices[at]!);
    if (position === OFF_GRID) this.#aside.set(prices, qtys, at);
    else if (this.#holds(position)) this.#setInside(position, qtys, at);
    else if (qtys[at] !== 0 && this.#belongsInside(position)) {
      this.#moveTo(position);
      this.#setInside(position, qtys, at);
    } else this.#aside.set(prices, qtys, at);
  }

  truncate(depth: number): void {
    for (let surplus = this.count - depth; surplus > 0; surplus -= 1) {
      const worst = this.#inside === 0 ? OFF_GRID : this.#lowestFrom(this.#low);
      const asideIsWorse =
        worst === OFF_GRID || (this.#aside.count > 0 && this.#aside.worstKey() <= this.#keyOf(worst));
      if (asideIsWorse) this.#aside.truncate(this.#aside.count - 1);
      else this.#setInside(worst, NO_QTY, 0);
    }
  }

  clear(): void {
    // A ring without levels is clean already; what was never written takes no memory.
    if (this.#inside > 0) {
      this.#qtys.fill(0);
      this.#words.fill(0);
      this.#summary.fill(0);
    }
    this.#aside.clear();
    this.#inside = 0;
  }

  read(prices: Float64Array, qtys: Float64Array, at: number, beyond: number): number {
    const limit = Number.isNaN(beyond) ? Infinity : beyond * this.#direction;
    let left = this.#inside;
    let position = this.#best;
    let place = this.#aside.bestPlace();
    let to = at;
    while (to < prices.length && (left > 0 || place >= 0)) {
      const inside = left > 0 ? this.#keyOf(position) : -Infinity;
      const aside = this.#aside.keyAt(place);
      const key = Math.max(inside, aside);
      if (key < limit) {
        prices[to] = key * this.#direction + 0;
        qtys[to] = inside > aside ? this.#qtys[position & this.#mask]! : this.#aside.qtyAt(place);
        to += 1;
      }
      if (inside > aside) {
        left -= 1;
        if (left > 0) position = this.#highestBelow(position);
      } else place = this.#aside.placeBelow(place);
    }
    return to;
  }

  /** A whole number: results that may be NaN are boxed. */
  #positionOf(price: number): number {
    const ticks = Math.round((price * this.#scale) / this.#units);
    if (ticks >= TICKS_MAX || (ticks * this.#units) / this.#scale !== price) return OFF_GRID;
    return (ticks * this.#direction) | 0;
  }

  #keyOf(position: number): number {
    return (position * this.#units) / this.#scale;
  }

  #holds(position: number): boolean {
    const offset = position - this.#low;
    return offset >= 0 && offset < this.#window;
  }

  /** Whether a level outside must come inside: it is better than the window, or there is nothing better elsewhere. */
  #belongsInside(position: number): boolean {
    if (this.#inside > 0) return position > this.#low;
    return this.#aside.count === 0 || this.#keyOf(position) > this.#aside.bestKey();
  }

  #setInside(position: number, qtys: Float64Array, at: number): void {
    const slot = position & this.#mask;
    const was = this.#qtys[slot] !== 0;
    const is = qtys[at] !== 0;
    this.#qtys[slot] = qtys[at]!;
    if (is && !was) {
      this.#mark(slot);
      if (this.#inside === 0 || position > this.#best) this.#best = position;
      this.#inside += 1;
    } else if (was && !is) {
      this.#unmark(slot);
      this.#inside -= 1;
      if (position === this.#best) this.#bestLeft();
    }
  }

  /** Finds the next best after the best was removed, and keeps the window around it. */
  #bestLeft(): void {
    if (this.#inside > 0) this.#best = this.#highestBelow(this.#best);
    if (this.#aside.count === 0) return;
    if (this.#inside > 0) {
      if (this.#best - this.#low < FLOOR * this.#window) this.#moveTo(this.#best);
    } else {
      const next = this.#positionOf(this.#aside.bestKey() * this.#direction);
      if (next !== OFF_GRID) this.#moveTo(next);
    }
  }

  /** Puts the window around `position`: what falls out of it goes aside, what now belongs inside comes in. */
  #moveTo(position: number): void {
    const low = position - (1 - HEADROOM) * this.#window;
    const price = new Float64Array(1);
    const quantity = new Float64Array(1);
    while (this.#inside > 0) {
      const worst = this.#lowestFrom(this.#low);
      if (worst >= low) break;
      price[0] = this.#keyOf(worst) * this.#direction;
      quantity[0] = this.#qtys[worst & this.#mask]!;
      this.#aside.set(price, quantity, 0);
      this.#qtys[worst & this.#mask] = 0;
      this.#unmark(worst & this.#mask);
      this.#inside -= 1;
    }
    this.#low = low;
    this.#aside.offer(this.#keyOf(low), (key, qty) => {
      const returning = this.#positionOf(key * this.#direction);
      if (!this.#holds(returning)) return false;
      quantity[0] = qty;
      this.#setInside(returning, quantity, 0);
      return true;
    });
  }

  #mark(slot: number): void {
    const word = slot >>> 5;
    this.#words[word]! |= 1 << (slot & 31);
    this.#summary[word >>> 5]! |= 1 << (word & 31);
  }

  #unmark(slot: number): void {
    const word = slot >>> 5;
    this.#words[word]! &= ~(1 << (slot & 31));
    if (this.#words[word] === 0) this.#summary[word >>> 5]! &= ~(1 << (word & 31));
  }

  /** The next occupied position below; there is one. */
  #highestBelow(position: number): number {
    const from = (position - 1) & this.#mask;
    let found = this.#highestSlot(from);
    if (found < 0) found = this.#highestSlot(this.#mask);
    return position - 1 - ((from - found) & this.#mask);
  }

  /** The first occupied position at or above; there is one. */
  #lowestFrom(position: number): number {
    const from = position & this.#mask;
    let found = this.#lowestSlot(from);
    if (found < 0) found = this.#lowestSlot(0);
    return position + ((found - from) & this.#mask);
  }

  /** The highest occupied slot at or below `slot`, -1 if none. */
  #highestSlot(slot: number): number {
    const word = slot >>> 5;
    const bits = this.#words[word]! & (-1 >>> (31 - (slot & 31)));
    if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits);
    let group = word >>> 5;
    let words = this.#summary[group]! & ((1 << (word & 31)) - 1);
    while (words === 0) {
      group -= 1;
      if (group < 0) return -1;
      words = this.#summary[group]!;
    }
    const next = (group << 5) + 31 - Math.clz32(words);
    return (next << 5) + 31 - Math.clz32(this.#words[next]!);
  }

  /** The lowest occupied slot at or above `slot`, -1 if none. */
  #lowestSlot(slot: number): number {
    const word = slot >>> 5;
    const bits = this.#words[word]! & (-1 << (slot & 31));
    if (bits !== 0) return (word << 5) + lowestBit(bits);
    let group = word >>> 5;
    let words = this.#summary[group]! & ~(-1 >>> (31 - (word & 31)));
    while (words === 0) {
      group += 1;
      if (group === this.#summary.length) return -1;
      words = this.#summary[group]!;
    }
    const next = (group << 5) + lowestBit(words);
    return (next << 5) + lowestBit(this.#words[next]!);
  }
}

const NO_QTY = new Float64Array(1);

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits);
