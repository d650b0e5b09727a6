import type { LevelBuffer } from '#shared/domain/market-event.ts';
import type { Book, BookSide, Direction } from './book.ts';

/** For sparse or wide books and unknown ticks: sorted blocks of levels, best at the end, where nearly all changes happen. */
export const sortedBook = (): Book => ({ bids: new SortedSide(1), asks: new SortedSide(-1) });

/** Levels of a block; a change moves half as many at most, on average a quarter. */
const BLOCK = 32;
/** Changes this near to a block's best are found by walking; the rest by bisection. */
const NEAR = 12;

/**
 * A place is where a level stands until the next change: the rank of its block (0 is the worst) × BLOCK + its index in there. Invariant: no block is empty but
 * the only one.
 */
export class SortedSide implements BookSide {
  count = 0;
  readonly #direction: Direction;
  /** Price × direction, ascending in each block. Reading adds 0, so that a price of nothing never comes out as −0. */
  #keys = new Float64Array(BLOCK);
  #qtys = new Float64Array(BLOCK);
  /** By rank: where the block begins in the two above. Behind those in use stand the free ones. */
  #starts = new Int32Array(1);
  /** By rank: how many levels the block has. */
  #sizes = new Int32Array(1);
  /** By rank: keys from here on belong to the block, or to a better one. */
  #floors = new Float64Array(1).fill(-Infinity);
  #blocks = 1;

  constructor(direction: Direction) {
    this.#direction = direction;
  }

  /** Key of the best level; there is one. */
  bestKey(): number {
    return this.keyAt(this.bestPlace());
  }

  /** Key of the worst level; there is one. */
  worstKey(): number {
    return this.#keys[this.#starts[0]!]!;
  }

  best(prices: Float64Array, qtys: Float64Array, at: number): void {
    if (this.count === 0) {
      prices[at] = NaN;
      qtys[at] = 0;
    } else {
      const last = this.#blocks - 1;
      const from = this.#starts[last]! + this.#sizes[last]! - 1;
      prices[at] = this.#keys[from]! * this.#direction + 0;
      qtys[at] = this.#qtys[from]!;
    }
  }

  write({ prices, qtys, count }: LevelBuffer): void {
    for (let at = 0; at < count; at += 1) this.set(prices, qtys, at);
  }

  /** Worst first: so levels are only ever appended. */
  replace({ prices, qtys, count }: LevelBuffer): void {
    this.clear();
    for (let at = count - 1; at >= 0; at -= 1) this.set(prices, qtys, at);
  }

  /** One level: `qtys[at]` at `prices[at]`. (In arrays: a double that is passed to a function may be boxed.) */
  set(prices: Float64Array, qtys: Float64Array, at: number): void {
    const key = prices[at]! * this.#direction;
    const rank = this.#rankOf(key);
    const index = this.#indexOf(key, rank);
    const start = this.#starts[rank]!;
    const qty = qtys[at]!;
    if (index < this.#sizes[rank]! && this.#keys[start + index] === key) {
      if (qty === 0) this.#remove(rank, index);
      else this.#qtys[start + index] = qty;
    } else if (qty !== 0) this.#insert(rank, index, key, qty);
  }

  truncate(depth: number): void {
    let surplus = this.count - depth;
    if (surplus <= 0) return;
    this.count = depth;
    while (surplus >= this.#sizes[0]! && this.#blocks > 1) {
      surplus -= this.#sizes[0]!;
      this.#dropBlock(0);
    }
    const start = this.#starts[0]!;
    const end = start + this.#sizes[0]!;
    this.#keys.copyWithin(start, start + surplus, end);
    this.#qtys.copyWithin(start, start + surplus, end);
    this.#sizes[0]! -= surplus;
  }

  clear(): void {
    this.count = 0;
    this.#blocks = 1;
    this.#sizes[0] = 0;
  }

  read(prices: Float64Array, qtys: Float64Array, at: number, beyond: number): number {
    let place = this.bestPlace();
    if (!Number.isNaN(beyond)) {
      const key = beyond * this.#direction;
      while (place >= 0 && this.keyAt(place) >= key) place = this.placeBelow(place);
    }
    let to = at;
    for (; place >= 0 && to < prices.length; to += 1) {
      prices[to] = this.keyAt(place) * this.#direction + 0;
      qtys[to] = this.qtyAt(place);
      place = this.placeBelow(place);
    }
    return to;
  }

  /** Where the best level stands; -1 if there is none. */
  bestPlace(): number {
    const last = this.#blocks - 1;
    return last * BLOCK + this.#sizes[last]! - 1;
  }

  /** Where the next worse level stands; -1 if there is none. */
  placeBelow(place: number): number {
    if (place % BLOCK > 0 || place === 0) return place - 1;
    const rank = place / BLOCK - 1;
    return rank * BLOCK + this.#sizes[rank]! - 1;
  }

  /** -Infinity and 0 at place -1. */
  keyAt(place: number): number {
    return place < 0 ? -Infinity : this.#keys[this.#starts[place >>> BLOCK_BITS]! + (place % BLOCK)]!;
  }

  qtyAt(place: number): number {
    return place < 0 ? 0 : this.#qtys[this.#starts[place >>> BLOCK_BITS]! + (place % BLOCK)]!;
  }

  /** Offers every level whose key is at least `from`, worst first; those that `take` accepts leave. */
  offer(from: number, take: (key: number, qty: number) => boolean): void {
    let rank = this.#rankOf(from);
    let index = this.#indexOf(from, rank);
    while (rank < this.#blocks) {
      const blocks = this.#blocks;
      if (index === this.#sizes[rank]) {
        rank += 1;
        index = 0;
        continue;
      }
      const at = this.#starts[rank]! + index;
      if (!take(this.#keys[at]!, this.#qtys[at]!)) index += 1;
      else {
        this.#remove(rank, index);
        if (this.#blocks < blocks) index = 0;
      }
    }
  }

  #rankOf(key: number): number {
    const floors = this.#floors;
    let high = this.#blocks - 1;
    if (key >= floors[high]!) return high;
    let low = 0;
    // floors[low] <= key < floors[high]
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (floors[middle]! <= key) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Index in the block of the first key that is not less than `key`. */
  #indexOf(key: number, rank: number): number {
    const keys = this.#keys;
    const start = this.#starts[rank]!;
    let at = start + this.#sizes[rank]!;
    const near = Math.max(start, at - NEAR);
    while (at > near && keys[at - 1]! >= key) at -= 1;
    if (at > near || near === start) return at - start;
    let low = start;
    let high = near;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low - start;
  }

  #insert(rank: number, index: number, key: number, qty: number): void {
    if (this.#sizes[rank] === BLOCK) {
      // Behind the last there is no need to halve: snapshots come so.
      const kept = index === BLOCK ? BLOCK : BLOCK / 2;
      this.#split(rank, kept);
      const next = this.#starts[rank + 1]!;
      this.#floors[rank + 1] = index === kept ? key : this.#keys[next]!;
      if (index >= kept) {
        rank += 1;
        index -= kept;
      }
    }
    const keys = this.#keys;
    const qtys = this.#qtys;
    const at = this.#starts[rank]! + index;
    for (let to = this.#starts[rank]! + this.#sizes[rank]!; to > at; to -= 1) {
      keys[to] = keys[to - 1]!;
      qtys[to] = qtys[to - 1]!;
    }
    keys[at] = key;
    qtys[at] = qty;
    this.#sizes[rank]! += 1;
    this.count += 1;
  }

  #remove(rank: number, index: number): void {
    const keys = this.#keys;
    const qtys = this.#qtys;
    const last = this.#starts[rank]! + this.#sizes[rank]! - 1;
    for (let to = this.#starts[rank]! + index; to < last; to += 1) {
      keys[to] = keys[to + 1]!;
      qtys[to] = qtys[to + 1]!;
    }
    this.count -= 1;
    this.#sizes[rank]! -= 1;
    if (this.#sizes[rank] === 0 && this.#blocks > 1) this.#dropBlock(rank);
  }

  /** Leaves `kept` levels in a full block and moves the others to a new one behind it. */
  #split(rank: number, kept: number): void {
    if (this.#blocks === this.#starts.length) this.#grow();
    const end = this.#blocks;
    const start = this.#starts[end]!;
    this.#starts.copyWithin(rank + 2, rank + 1, end);
    this.#sizes.copyWithin(rank + 2, rank + 1, end);
    this.#floors.copyWithin(rank + 2, rank + 1, end);
    this.#blocks += 1;
    const from = this.#starts[rank]!;
    this.#keys.copyWithin(start, from + kept, from + BLOCK);
    this.#qtys.copyWithin(start, from + kept, from + BLOCK);
    this.#starts[rank + 1] = start;
    this.#sizes[rank] = kept;
    this.#sizes[rank + 1] = BLOCK - kept;
  }

  #dropBlock(rank: number): void {
    const start = this.#starts[rank]!;
    const end = this.#blocks;
    this.#starts.copyWithin(rank, rank + 1, end);
    this.#sizes.copyWithin(rank, rank + 1, end);
    this.#floors.copyWithin(rank, rank + 1, end);
    this.#floors[0] = -Infinity;
    this.#starts[end - 1] = start;
    this.#blocks = end - 1;
  }

  /** Bounded by who calls: a frame brings at most LEVELS_MAX levels, and the store gives up a book above BOOK_LEVELS_MAX. */
  #grow(): void {
    const blocks = this.#blocks;
    const keys = new Float64Array(2 * blocks * BLOCK);
    const qtys = new Float64Array(2 * blocks * BLOCK);
    const starts = Int32Array.from({ length: 2 * blocks }, (_none, rank) => rank * BLOCK);
    const sizes = new Int32Array(2 * blocks);
    const floors = new Float64Array(2 * blocks);
    keys.set(this.#keys);
    qtys.set(this.#qtys);
    starts.set(this.#starts);
    sizes.set(this.#sizes);
    floors.set(this.#floors);
    this.#keys = keys;
    this.#qtys = qtys;
    this.#starts = starts;
    this.#sizes = sizes;
    this.#floors = floors;
  }
}

const BLOCK_BITS = Math.log2(BLOCK);
