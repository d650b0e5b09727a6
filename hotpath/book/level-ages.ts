import { assert } from '#shared/assert.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { SNAPSHOT } from '#shared/domain/market-event.ts';
import type { Side } from '#shared/domain/route.ts';

/**
 * How much of each displayed level has stood for a least age. Remembers the levels that were heard of, not all that are there: the others stand since the
 * watch began. Time goes in windows of the least age, and what has stood is the least quantity of this window and of the one before: so it has
 * stood for the least age, and twice that is always enough.
 */
export class LevelAges {
  readonly #windowNs: number;
  readonly #bids: StandingLevels[];
  readonly #asks: StandingLevels[];

  constructor(instruments: number, minAgeMs: number) {
    assert(minAgeMs > 0, 'levels are watched for an age');
    this.#windowNs = minAgeMs * 1e6;
    this.#bids = Array.from({ length: instruments }, () => new StandingLevels());
    this.#asks = Array.from({ length: instruments }, () => new StandingLevels());
  }

  /** An update that has changed a book. */
  observe({ kind, instrument, bids, asks, receivedTimeNs }: MarketUpdate): void {
    const window = Math.floor(receivedTimeNs / this.#windowNs);
    if (kind === SNAPSHOT) {
      this.#bids[instrument]!.replace(bids, window);
      this.#asks[instrument]!.replace(asks, window);
    } else {
      this.#bids[instrument]!.set(bids, window);
      this.#asks[instrument]!.set(asks, window);
    }
  }

  /** The book is not to be believed any more: what comes next is new. */
  forget(instrument: InstrumentIndex, nowNs: TimeNs): void {
    const window = Math.floor(nowNs / this.#windowNs);
    this.#bids[instrument]!.clear(window);
    this.#asks[instrument]!.clear(window);
  }

  /** Share of what is displayed at a price to a taker of `side` that has stood for the least age. */
  readonly standingShareOf = (instrument: InstrumentIndex, side: Side, price: number, nowNs: TimeNs): number => {
    const levels = side === 'buy' ? this.#asks[instrument]! : this.#bids[instrument]!;
    return levels.shareOf(price, Math.floor(nowNs / this.#windowNs));
  };
}

/** Slots of a table, a power of two; filled beyond three quarters it is cleared and the watch begins anew. */
const SLOTS = 512;
const FILLED_MAX = 384;
/** Levels of a snapshot that are taken: what is deeper carries nobody's size. */
const SNAPSHOT_LEVELS = 256;

/** One side of a book: an open-addressing table by price. Its arrays are made when the first level comes. */
class StandingLevels {
  /** NaN where the slot is free. */
  #prices = NOTHING;
  /** Displayed now; and the least of the level's own window and of the window before that. */
  #qtys = NOTHING;
  #least = NOTHING;
  #leastBefore = NOTHING;
  #windows = NOTHING;
  #filled = 0;
  /** Window in which the watch began. */
  #since = Infinity;

  /** Levels as a frame tells them; quantity 0 is gone. */
  set({ prices, qtys, count }: LevelBuffer, window: number): void {
    this.#begin(window);
    for (let at = 0; at < count; at += 1) this.#setOne(prices[at]!, qtys[at]!, window);
  }

  /** The levels of a snapshot: what is not among them is gone. */
  replace({ prices, qtys, count }: LevelBuffer, window: number): void {
    this.#begin(window);
    const taken = Math.min(count, SNAPSHOT_LEVELS);
    for (let slot = 0; slot < this.#prices.length; slot += 1) {
      const price = this.#prices[slot]!;
      if (!Number.isNaN(price) && !isAmong(price, prices, taken)) this.#write(slot, 0, window);
    }
    for (let at = 0; at < taken; at += 1) this.#setOne(prices[at]!, qtys[at]!, window);
  }

  clear(window: number): void {
    this.#prices.fill(NaN);
    this.#filled = 0;
    this.#since = window;
  }

  shareOf(price: number, window: number): number {
    const slot = this.#slotOf(price);
    if (slot < 0 || Number.isNaN(this.#prices[slot])) return window > this.#since + 1 ? 1 : 0;
    this.#turn(slot, window);
    const qty = this.#qtys[slot]!;
    return qty > 0 ? Math.min(this.#least[slot]!, this.#leastBefore[slot]!) / qty : 0;
  }

  #begin(window: number): void {
    if (this.#prices.length > 0) return;
    this.#prices = new Float64Array(SLOTS).fill(NaN);
    this.#qtys = new Float64Array(SLOTS);
    this.#least = new Float64Array(SLOTS);
    this.#leastBefore = new Float64Array(SLOTS);
    this.#windows = new Float64Array(SLOTS);
    this.#since = window;
  }

  #setOne(price: number, qty: number, window: number): void {
    let slot = this.#slotOf(price);
    if (Number.isNaN(this.#prices[slot])) {
      if (this.#filled === FILLED_MAX) {
        this.clear(window);
        slot = this.#slotOf(price);
      }
      this.#filled += 1;
      this.#prices[slot] = price;
      this.#qtys[slot] = 0;
      this.#least[slot] = 0;
      this.#leastBefore[slot] = 0;
      this.#windows[slot] = window;
    }
    this.#write(slot, qty, window);
  }

  #write(slot: number, qty: number, window: number): void {
    this.#turn(slot, window);
    this.#qtys[slot] = qty;
    if (qty < this.#least[slot]!) this.#least[slot] = qty;
  }

  /** Brings a level to the window of now: in those that nobody spoke of it, it stood. */
  #turn(slot: number, window: number): void {
    const passed = window - this.#windows[slot]!;
    if (passed <= 0) return;
    this.#leastBefore[slot] = passed === 1 ? this.#least[slot]! : this.#qtys[slot]!;
    this.#least[slot] = this.#qtys[slot]!;
    this.#windows[slot] = window;
  }

  /** The price's slot, or the free one where it belongs; -1 before the first level. */
  #slotOf(price: number): number {
    if (this.#prices.length === 0) return -1;
    DOUBLE[0] = price;
    let slot = (Math.imul(WORDS[0]! ^ Math.imul(WORDS[1]!, 0x9e3779b1), 0x85ebca6b) >>> 16) & (SLOTS - 1);
    while (this.#prices[slot] !== price && !Number.isNaN(this.#prices[slot])) slot = (slot + 1) & (SLOTS - 1);
    return slot;
  }
}

const NOTHING = new Float64Array(0);
/** A double's bits, to hash it. */
const DOUBLE = new Float64Array(1);
const WORDS = new Uint32Array(DOUBLE.buffer);

/** Snapshots come best first, so prices are sorted one way or the other. */
function isAmong(price: number, prices: Float64Array, count: number): boolean {
  const rising = count > 1 && prices[1]! > prices[0]!;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = prices[middle]!;
    if (rising ? there < price : there > price) low = middle + 1;
    else high = middle;
  }
  return low < count && prices[low] === price;
}
