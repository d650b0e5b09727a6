import { assert } from '#shared/assert.ts';
import type { LevelBuffer } from '#shared/domain/market-event.ts';
import type { Book, BookSide, Direction } from './book.ts';
import { RingMemory } from './ring-memory.ts';
import { SortedSide } from './sorted-book.ts';

/** A tick as an exact fraction: `units / scale` (0.25 is 25 / 100), so that a price is rebuilt to the same double that was read. */
export type Tick = { readonly units: number; readonly scale: number };

export type Window = {
  readonly tick: Tick;
  /** Ticks that the ring spans, a power of two of at least 1,024. */
  readonly ticks: number;
};

/** For dense books of a known tick: quantities in a ring indexed by tick, with the few levels far away or off the grid kept sorted aside. */
export const ringBook = (window: Window, memory = new RingMemory()): Book => ({
  bids: new RingSide(1, window, memory),
  asks: new RingSide(-1, window, memory),
});

/** Of a moved window, this share is left free above the best. */
const HEADROOM = 1 / 4;
/** A best level that has sunk this near to the window's worse end, as a share of it, makes the window follow. */
const FLOOR = 1 / 8;
/** Ticks beyond this do not fit the window's integers; such prices are kept aside. */
const TICKS_MAX = 2 ** 30;
/** The position of a price that has none: off the grid, or too many ticks high. Also the best position of an empty ring: less than any other. */
const OFF_GRID = -(2 ** 31);

/** A ring's memory begins with a head, in doubles (the tick, and the best of what is kept aside) and in integers. */
const UNITS = 0;
const SCALE = 1;
const TICKS_PER_PRICE = 2;
/** −Infinity while nothing is aside. */
const ASIDE_KEY = 3;
/** The window is [low, low + ticks). A multiple of 32, so that the slots of a word are positions in a row. */
const LOW = 8;
/** Best position inside; OFF_GRID while the ring is empty. */
const BEST = 9;
const INSIDE = 10;
const ASIDE = 11;
const HEAD_INTEGERS = 12;

/**
 * Positions are ticks × direction, so greater is better on both sides. Invariant: a level on the grid that is better than everything outside the window
 * is inside it; outside are worse levels and prices off the grid. In memory stand the head, one bit for each word of the following (the summary), one bit a
 * slot (the words), the quantities by slot.
 */
export class RingSide implements BookSide {
  readonly #doubles: Float64Array;
  readonly #integers: Int32Array;
  readonly #direction: Direction;
  readonly #mask: number;
  /** Where things begin: the head's doubles and integers, the rest. */
  readonly #head: number;
  readonly #integerHead: number;
  readonly #words: number;
  readonly #qtys: number;
  readonly #summary: number;
  /** One that is empty and not ours, until there is something to keep: most books never need it. */
  #aside: SortedSide;

  constructor(direction: Direction, { tick, ticks }: Window, memory = new RingMemory()) {
    assert(tick.units > 0 && tick.scale > 0, 'a ring needs a tick');
    assert(ticks >= 1_024 && Number.isInteger(Math.log2(ticks)), 'a window is a power of two');
    const integers = HEAD_INTEGERS + ticks / 1_024 + ticks / 32;
    const before = Math.ceil(integers / 2);
    const stretch = memory.take(before + ticks);
    this.#doubles = stretch.doubles;
    this.#integers = stretch.integers;
    this.#direction = direction;
    this.#mask = ticks - 1;
    this.#head = stretch.at;
    this.#integerHead = 2 * stretch.at;
    this.#summary = this.#integerHead + HEAD_INTEGERS;
    this.#words = this.#summary + ticks / 1_024;
    this.#qtys = stretch.at + before;
    this.#aside = NOTHING_ASIDE;
    this.#doubles.set([tick.units, tick.scale, tick.scale / tick.units, -Infinity], this.#head);
    this.#integers[this.#integerHead + BEST] = OFF_GRID;
  }

  get count(): number {
    return this.#integers[this.#integerHead + INSIDE]! + this.#integers[this.#integerHead + ASIDE]!;
  }

  best(prices: Float64Array, qtys: Float64Array, at: number): void {
    const doubles = this.#doubles;
    const head = this.#head;
    const best = this.#integers[this.#integerHead + BEST]!;
    const key = (best * doubles[head + UNITS]!) / doubles[head + SCALE]!;
    if (best === OFF_GRID || doubles[head + ASIDE_KEY]! > key) this.#aside.best(prices, qtys, at);
    else {
      prices[at] = key * this.#direction + 0;
      qtys[at] = doubles[this.#qtys + (best & this.#mask)]!;
    }
  }

  /** One pass with few branches, since what a frame says cannot be foretold; the next best is looked for once, when all is written. */
  write({ prices, qtys, count }: LevelBuffer): void {
    const doubles = this.#doubles;
    const integers = this.#integers;
    const direction = this.#direction;
    const mask = this.#mask;
    const head = this.#integerHead;
    const words = this.#words;
    const slots = this.#qtys;
    const units = doubles[this.#head + UNITS]!;
    const scale = doubles[this.#head + SCALE]!;
    const ticksPerPrice = doubles[this.#head + TICKS_PER_PRICE]!;
    let low = integers[head + LOW]!;
    let best = integers[head + BEST]!;
    let inside = integers[head + INSIDE]!;
    // While the best has left, `best` is a bound that nothing inside reaches.
    let bestLeft = false;
    for (let at = 0; at < count; at += 1) {
      const price = prices[at]!;
      const ticks = (price * ticksPerPrice + 0.5) | 0;
      const position = Math.imul(ticks, direction);
      if (((position - low) & ~mask) !== 0 || (ticks * units) / scale !== price || ticks >= TICKS_MAX) {
        this.#keep(best, inside, bestLeft);
        bestLeft = false;
        // That may have moved the window.
        this.#set(prices, qtys, at);
        low = integers[head + LOW]!;
        best = integers[head + BEST]!;
        inside = integers[head + INSIDE]!;
        continue;
      }
      const qty = qtys[at]!;
      const slot = position & mask;
      const word = words + (slot >>> 5);
      const before = integers[word]!;
      const is = Number(qty !== 0);
      const after = (before & ~(1 << slot)) | (is << slot);
      doubles[slots + slot] = qty;
      integers[word] = after;
      inside += is - ((before >>> slot) & 1);
      if (before === 0 || after === 0) this.#summarise(slot >>> 5, after);
      if (position >= best) {
        if (is === 1) {
          best = position;
          bestLeft = false;
        } else if (position === best) bestLeft = true;
      }
    }
    this.#keep(best, inside, bestLeft);
  }

  replace({ prices, qtys, count }: LevelBuffer): void {
    this.#clear();
    for (let at = count - 1; at >= 0; at -= 1) this.#set(prices, qtys, at);
  }

  truncate(depth: number): void {
    const aside = this.#aside;
    for (let surplus = this.count - depth; surplus > 0; surplus -= 1) {
      const worst = this.#inside === 0 ? OFF_GRID : this.#lowestFrom(this.#low);
      if (worst === OFF_GRID || (aside.count > 0 && aside.worstKey() <= this.#keyOf(worst))) {
        aside.truncate(aside.count - 1);
        this.#asideChanged();
      } else this.#setInside(worst, NO_QTY, 0);
    }
  }

  read(prices: Float64Array, qtys: Float64Array, at: number, beyond: number): number {
    const doubles = this.#doubles;
    const direction = this.#direction;
    const integers = this.#integers;
    const mask = this.#mask;
    const aside = this.#aside;
    const limit = Number.isNaN(beyond) ? Infinity : beyond * direction;
    const room = prices.length;
    let left = this.#inside;
    let position = this.#best;
    // Of the word that `position` is in, what is not better than it: words do not straddle the window's end.
    let bits = left > 0 ? integers[this.#wordOf(position)]! & (-1 >>> (31 - (position & 31))) : 0;
    let place = -1;
    let asideKey = doubles[this.#head + ASIDE_KEY]!;
    if (asideKey !== -Infinity) place = aside.bestPlace();
    let to = at;
    while (to < room && (left > 0 || place >= 0)) {
      const inside = left > 0 ? this.#keyOf(position) : -Infinity;
      if (inside > asideKey) {
        if (inside < limit) {
          prices[to] = inside * direction + 0;
          qtys[to] = doubles[this.#qtys + (position & mask)]!;
          to += 1;
        }
        left -= 1;
        bits &= ~(1 << position);
        if (bits !== 0) position = (position | 31) - Math.clz32(bits);
        else if (left > 0) {
          position = this.#highestBelow(position);
          bits = integers[this.#wordOf(position)]!;
        }
      } else {
        if (asideKey < limit) {
          prices[to] = asideKey * direction + 0;
          qtys[to] = aside.qtyAt(place);
          to += 1;
        }
        place = aside.placeBelow(place);
        asideKey = aside.keyAt(place);
      }
    }
    return to;
  }

  get #low(): number {
    return this.#integers[this.#integerHead + LOW]!;
  }

  get #best(): number {
    return this.#integers[this.#integerHead + BEST]!;
  }

  get #inside(): number {
    return this.#integers[this.#integerHead + INSIDE]!;
  }

  /** Where a position's quantity stands. */
  #slotOf(position: number): number {
    return this.#qtys + (position & this.#mask);
  }

  /** Where a position's bit stands. */
  #wordOf(position: number): number {
    return this.#words + ((position & this.#mask) >>> 5);
  }

  #clear(): void {
    const head = this.#integerHead;
    // A ring without levels is clean already; what was never written takes no memory.
    if (this.#inside > 0) {
      this.#doubles.fill(0, this.#qtys, this.#qtys + this.#mask + 1);
      this.#integers.fill(0, this.#summary, 2 * this.#qtys);
    }
    this.#integers[head + INSIDE] = 0;
    this.#integers[head + BEST] = OFF_GRID;
    this.#aside.clear();
    this.#asideChanged();
  }

  #keep(best: number, inside: number, bestLeft: boolean): void {
    const head = this.#integerHead;
    this.#integers[head + BEST] = best;
    this.#integers[head + INSIDE] = inside;
    if (bestLeft) this.#findBest();
  }

  /** A whole number: results that may be NaN are boxed. */
  #positionOf(price: number): number {
    const head = this.#head;
    const ticks = (price * this.#doubles[head + TICKS_PER_PRICE]! + 0.5) | 0;
    const onGrid = (ticks * this.#doubles[head + UNITS]!) / this.#doubles[head + SCALE]! === price;
    return onGrid && ticks < TICKS_MAX ? Math.imul(ticks, this.#direction) : OFF_GRID;
  }

  #keyOf(position: number): number {
    return (position * this.#doubles[this.#head + UNITS]!) / this.#doubles[this.#head + SCALE]!;
  }

  #holds(position: number): boolean {
    const offset = position - this.#low;
    return offset >= 0 && offset <= this.#mask;
  }

  #set(prices: Float64Array, qtys: Float64Array, at: number): void {
    const position = this.#positionOf(prices[at]!);
    if (position !== OFF_GRID && this.#holds(position)) this.#setInside(position, qtys, at);
    else this.#setElsewhere(prices, qtys, at);
  }

  /** A level that is not in the window: aside, unless the window must come to it. */
  #setElsewhere(prices: Float64Array, qtys: Float64Array, at: number): void {
    const position = this.#positionOf(prices[at]!);
    if (position !== OFF_GRID && qtys[at] !== 0 && this.#belongsInside(position)) {
      this.#moveTo(position);
      this.#setInside(position, qtys, at);
    } else if (qtys[at] !== 0 || this.#aside.count > 0) {
      this.#setAside(prices, qtys, at);
      this.#asideChanged();
    }
  }

  #setAside(prices: Float64Array, qtys: Float64Array, at: number): void {
    if (this.#aside === NOTHING_ASIDE) this.#aside = new SortedSide(this.#direction);
    this.#aside.set(prices, qtys, at);
  }

  /** Whether a level outside must come inside: it is better than the window, or there is nothing better elsewhere. */
  #belongsInside(position: number): boolean {
    if (this.#inside > 0) return position > this.#low;
    return this.#aside.count === 0 || this.#keyOf(position) > this.#aside.bestKey();
  }

  #setInside(position: number, qtys: Float64Array, at: number): void {
    const integers = this.#integers;
    const head = this.#integerHead;
    const slot = position & this.#mask;
    const word = this.#words + (slot >>> 5);
    const before = integers[word]!;
    const is = Number(qtys[at] !== 0);
    this.#doubles[this.#qtys + slot] = qtys[at]!;
    integers[word] = (before & ~(1 << slot)) | (is << slot);
    integers[head + INSIDE]! += is - ((before >>> slot) & 1);
    this.#summarise(slot >>> 5, integers[word]);
    if (is === 1) integers[head + BEST] = Math.max(integers[head + BEST]!, position);
    else if (position === this.#best) this.#findBest();
  }

  /** After the best was removed: the next best, with the window kept around it. */
  #findBest(): void {
    const head = this.#integerHead;
    this.#integers[head + BEST] = this.#inside > 0 ? this.#highestBelow(this.#best) : OFF_GRID;
    if (this.#aside.count === 0) return;
    if (this.#inside > 0) {
      if (this.#best - this.#low < FLOOR * (this.#mask + 1)) this.#moveTo(this.#best);
    } else {
      const next = this.#positionOf(this.#aside.bestKey() * this.#direction);
      if (next !== OFF_GRID) this.#moveTo(next);
    }
  }

  /** Puts the window around `position`: what falls out of it goes aside, what now belongs inside comes in. */
  #moveTo(position: number): void {
    const low = (position - (1 - HEADROOM) * (this.#mask + 1)) & ~31;
    const price = new Float64Array(1);
    const quantity = new Float64Array(1);
    while (this.#inside > 0) {
      const worst = this.#lowestFrom(this.#low);
      if (worst >= low) break;
      price[0] = this.#keyOf(worst) * this.#direction;
      quantity[0] = this.#doubles[this.#slotOf(worst)]!;
      this.#setAside(price, quantity, 0);
      this.#unset(worst);
    }
    this.#integers[this.#integerHead + LOW] = low;
    this.#aside.offer(this.#keyOf(low), (key, qty) => {
      const returning = this.#positionOf(key * this.#direction);
      if (returning === OFF_GRID || !this.#holds(returning)) return false;
      quantity[0] = qty;
      this.#setInside(returning, quantity, 0);
      return true;
    });
    this.#asideChanged();
  }

  /** Takes a level out of the ring that goes on elsewhere; the best is no matter unless it was the last. */
  #unset(position: number): void {
    const head = this.#integerHead;
    const slot = position & this.#mask;
    const word = this.#words + (slot >>> 5);
    this.#doubles[this.#qtys + slot] = 0;
    this.#integers[word]! &= ~(1 << slot);
    this.#summarise(slot >>> 5, this.#integers[word]!);
    this.#integers[head + INSIDE]! -= 1;
    if (this.#inside === 0) this.#integers[head + BEST] = OFF_GRID;
  }

  #asideChanged(): void {
    const aside = this.#aside;
    this.#integers[this.#integerHead + ASIDE] = aside.count;
    this.#doubles[this.#head + ASIDE_KEY] = aside.count === 0 ? -Infinity : aside.bestKey();
  }

  /** A word has become `bits`. */
  #summarise(word: number, bits: number): void {
    const group = this.#summary + (word >>> 5);
    this.#integers[group] = (this.#integers[group]! & ~(1 << word)) | (Number(bits !== 0) << word);
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
    const integers = this.#integers;
    const word = slot >>> 5;
    const bits = integers[this.#words + word]! & (-1 >>> (31 - (slot & 31)));
    if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits);
    let group = word >>> 5;
    let words = integers[this.#summary + group]! & ((1 << (word & 31)) - 1);
    while (words === 0) {
      group -= 1;
      if (group < 0) return -1;
      words = integers[this.#summary + group]!;
    }
    const next = (group << 5) + 31 - Math.clz32(words);
    return (next << 5) + 31 - Math.clz32(integers[this.#words + next]!);
  }

  /** The lowest occupied slot at or above `slot`, -1 if none. */
  #lowestSlot(slot: number): number {
    const integers = this.#integers;
    const word = slot >>> 5;
    const bits = integers[this.#words + word]! & (-1 << (slot & 31));
    if (bits !== 0) return (word << 5) + lowestBit(bits);
    const groups = this.#words - this.#summary;
    let group = word >>> 5;
    let words = integers[this.#summary + group]! & ~(-1 >>> (31 - (word & 31)));
    while (words === 0) {
      group += 1;
      if (group === groups) return -1;
      words = integers[this.#summary + group]!;
    }
    const next = (group << 5) + lowestBit(words);
    return (next << 5) + lowestBit(integers[this.#words + next]!);
  }
}

const NO_QTY = new Float64Array(1);
/** Of every ring that has kept nothing aside. Never written. */
const NOTHING_ASIDE = new SortedSide(1);

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits);
