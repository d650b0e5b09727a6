import type { Book, BookSide, Direction } from './book.ts';

/** For sparse or wide books and unknown ticks: sorted arrays, best at the end, where nearly all changes happen. */
export const sortedBook = (): Book => ({ bids: new SortedSide(1), asks: new SortedSide(-1) });

/** Changes this near to the best are found by walking; the rest by bisection. */
const NEAR = 12;
/** Shorter moves than this are cheaper in a loop than through the engine's memmove call. */
const SHORT_MOVE = 24;

export class SortedSide implements BookSide {
  count = 0;
  readonly #direction: Direction;
  /** Price × direction, ascending. Reading adds 0, so that a price of nothing never comes out as −0. */
  #keys = new Float64Array(64);
  #qtys = new Float64Array(64);

  constructor(direction: Direction) {
    this.#direction = direction;
  }

  /** Key of the best level; there is one. */
  bestKey(): number {
    return this.#keys[this.count - 1]!;
  }

  /** Key of the worst level; there is one. */
  worstKey(): number {
    return this.#keys[0]!;
  }

  best(prices: Float64Array, qtys: Float64Array, at: number): void {
    if (this.count === 0) {
      prices[at] = NaN;
      qtys[at] = 0;
    } else {
      prices[at] = this.#keys[this.count - 1]! * this.#direction + 0;
      qtys[at] = this.#qtys[this.count - 1]!;
    }
  }

  set(prices: Float64Array, qtys: Float64Array, at: number): void {
    const key = prices[at]! * this.#direction;
    const index = this.#position(key);
    const qty = qtys[at]!;
    if (index < this.count && this.#keys[index] === key) {
      if (qty === 0) this.#remove(index);
      else this.#qtys[index] = qty;
    } else if (qty !== 0) {
      this.#makeRoom(index);
      this.#keys[index] = key;
      this.#qtys[index] = qty;
    }
  }

  truncate(depth: number): void {
    const surplus = this.count - depth;
    if (surplus <= 0) return;
    this.#keys.copyWithin(0, surplus, this.count);
    this.#qtys.copyWithin(0, surplus, this.count);
    this.count = depth;
  }

  clear(): void {
    this.count = 0;
  }

  read(prices: Float64Array, qtys: Float64Array, at: number, beyond: number): number {
    let level = Number.isNaN(beyond) ? this.count : this.#position(beyond * this.#direction);
    let to = at;
    for (; level > 0 && to < prices.length; to += 1) {
      level -= 1;
      prices[to] = this.#keys[level]! * this.#direction + 0;
      qtys[to] = this.#qtys[level]!;
    }
    return to;
  }

  /** The `rank`th best key and its quantity (0 is the best); -Infinity and 0 beyond the last. */
  keyAt(rank: number): number {
    return rank < this.count ? this.#keys[this.count - 1 - rank]! : -Infinity;
  }

  qtyAt(rank: number): number {
    return rank < this.count ? this.#qtys[this.count - 1 - rank]! : 0;
  }

  /** Offers every level whose key is at least `from`, worst first; those that `take` accepts leave. */
  offer(from: number, take: (key: number, qty: number) => boolean): void {
    let kept = this.#position(from);
    for (let at = kept; at < this.count; at += 1) {
      const key = this.#keys[at]!;
      const qty = this.#qtys[at]!;
      if (take(key, qty)) continue;
      this.#keys[kept] = key;
      this.#qtys[kept] = qty;
      kept += 1;
    }
    this.count = kept;
  }

  /** Index of the first key that is not less than `key`. */
  #position(key: number): number {
    const keys = this.#keys;
    let at = this.count;
    const near = at > NEAR ? at - NEAR : 0;
    while (at > near && keys[at - 1]! >= key) at -= 1;
    if (at > near || near === 0) return at;
    let low = 0;
    let high = near;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #makeRoom(at: number): void {
    if (this.count === this.#keys.length) this.#grow();
    const keys = this.#keys;
    const qtys = this.#qtys;
    const count = this.count;
    if (count - at > SHORT_MOVE) {
      keys.copyWithin(at + 1, at, count);
      qtys.copyWithin(at + 1, at, count);
    } else {
      for (let to = count; to > at; to -= 1) {
        keys[to] = keys[to - 1]!;
        qtys[to] = qtys[to - 1]!;
      }
    }
    this.count = count + 1;
  }

  #remove(at: number): void {
    const keys = this.#keys;
    const qtys = this.#qtys;
    const last = this.count - 1;
    if (last - at > SHORT_MOVE) {
      keys.copyWithin(at, at + 1, this.count);
      qtys.copyWithin(at, at + 1, this.count);
    } else {
      for (let to = at; to < last; to += 1) {
        keys[to] = keys[to + 1]!;
        qtys[to] = qtys[to + 1]!;
      }
    }
    this.count = last;
  }

  /** Bounded by who calls: a frame brings at most LEVELS_MAX levels, and the store gives up a book above BOOK_LEVELS_MAX. */
  #grow(): void {
    const keys = new Float64Array(2 * this.count);
    const qtys = new Float64Array(2 * this.count);
    keys.set(this.#keys);
    qtys.set(this.#qtys);
    this.#keys = keys;
    this.#qtys = qtys;
  }
}
