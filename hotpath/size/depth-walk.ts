import { assert } from '#shared/assert.ts';
import type { Depths } from '#shared/domain/capital.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Side } from '#shared/domain/route.ts';

/** The most legs a route may have; see `max_legs` in the configuration. */
export const LEGS_MAX = 6;
/** Levels read of each book: what lies deeper is taken as not there. */
export const LEVELS_MAX = 64;

/** A leg as the walk needs it; the fee's factors as in shared/quant/taker-fee.ts. */
export type WalkLeg = {
  readonly instrument: InstrumentIndex;
  readonly side: Side;
  readonly paid: number;
  readonly kept: number;
};

/** Output for one unit of input at a price, after fees. */
export const rateAt = ({ side, paid, kept }: WalkLeg, price: number): number =>
  side === 'buy' ? kept / (price * paid) : price * kept;

export type WalkLimits = {
  /** Share of each displayed level that may be taken. */
  readonly displayedFraction: number;
  /** What each unit of size must earn at least, as a fraction: the walk ends where the next one would not. */
  readonly hurdle: number;
  /** Most that may go into the first leg, in its input asset. */
  readonly startMax: number;
  /** Most that may go into each leg, in its input asset: what the venue holds for us. */
  readonly inputMax: Float64Array;
};

/** What ended the walk: the next unit does not pay, a book is used up, money is short, or the size limit is reached. */
export type WalkBound = 'edge' | 'depth' | 'balance' | 'notional';

/**
 * Walks the books of all legs at once, from the best price down: what goes into the first leg comes out of the last, and each leg's output
 * is the next one's input. Conversion only gets worse with size, so going on while the next unit pays finds the size of greatest
 * profit. Works on its own buffers; the results of one walk stand until the next.
 */
export class DepthWalk {
  /** Into the first leg, and out of the last, both in the start asset. */
  input = 0;
  output = 0;
  bound: WalkBound = 'edge';
  /** By leg: base traded, quote traded before fees, price of the worst level touched (the best one while nothing is). */
  readonly baseQty = new Float64Array(LEGS_MAX);
  readonly quoteQty = new Float64Array(LEGS_MAX);
  readonly worstPrice = new Float64Array(LEGS_MAX);
  /** The books as they were read, by leg, best first. */
  readonly prices: readonly Float64Array[] = buffers();
  readonly qtys: readonly Float64Array[] = buffers();
  readonly levels = new Int32Array(LEGS_MAX);

  readonly #level = new Int32Array(LEGS_MAX);
  /** Output for one unit of input on the current level. */
  readonly #rate = new Float64Array(LEGS_MAX);
  /** Input that the current level still takes. */
  readonly #levelLeft = new Float64Array(LEGS_MAX);
  readonly #inputLeft = new Float64Array(LEGS_MAX);

  /** False when not even the first unit pays; then there are no results. */
  walk(legs: readonly WalkLeg[], depths: Depths, limits: WalkLimits): boolean {
    assert(legs.length <= LEGS_MAX, 'a route has more legs than the walk has buffers');
    this.#load(legs, depths, limits);
    if (!(this.#marginal(legs.length) > 1 + limits.hurdle)) return false;

    let startLeft = limits.startMax;
    while (this.#marginal(legs.length) > 1 + limits.hurdle) {
      const step = this.#longestStep(legs.length, startLeft);
      startLeft -= step;
      this.#take(legs, step);
      if (this.bound === 'balance' || this.bound === 'notional') return true;
      if (!this.#nextLevels(legs, limits.displayedFraction)) {
        this.bound = 'depth';
        return true;
      }
    }
    this.bound = 'edge';
    return true;
  }

  #load(legs: readonly WalkLeg[], depths: Depths, limits: WalkLimits): void {
    this.input = 0;
    this.output = 0;
    for (let at = 0; at < legs.length; at += 1) {
      const leg = legs[at]!;
      const read = leg.side === 'buy' ? depths.asks : depths.bids;
      this.levels[at] = read(leg.instrument, this.prices[at]!, this.qtys[at]!);
      this.baseQty[at] = 0;
      this.quoteQty[at] = 0;
      this.worstPrice[at] = this.prices[at]![0]!;
      this.#inputLeft[at] = limits.inputMax[at]!;
      this.#level[at] = 0;
      this.#enterLevel(leg, at, limits.displayedFraction);
    }
  }

  /** Makes the leg's level the current one; a level that is not there converts nothing. */
  #enterLevel(leg: WalkLeg, at: number, displayedFraction: number): void {
    const level = this.#level[at]!;
    if (level >= this.levels[at]!) {
      this.#rate[at] = 0;
      this.#levelLeft[at] = 0;
      return;
    }
    const price = this.prices[at]![level]!;
    const qty = this.qtys[at]![level]! * displayedFraction;
    this.#rate[at] = rateAt(leg, price);
    this.#levelLeft[at] = leg.side === 'buy' ? qty * price * leg.paid : qty;
  }

  /** Output of the last leg for the next unit into the first. */
  #marginal(legs: number): number {
    let product = 1;
    for (let at = 0; at < legs; at += 1) product *= this.#rate[at]!;
    return product;
  }

  /** The most that can go into the first leg before a level, a balance or the size limit is used up; `bound` says which. */
  #longestStep(legs: number, startLeft: number): number {
    let step = startLeft;
    this.bound = 'notional';
    let reach = 1;
    for (let at = 0; at < legs; at += 1) {
      const byBalance = this.#inputLeft[at]! / reach;
      if (byBalance < step) {
        step = byBalance;
        this.bound = 'balance';
      }
      const byLevel = this.#levelLeft[at]! / reach;
      if (byLevel < step) {
        step = byLevel;
        this.bound = 'depth';
      }
      reach *= this.#rate[at]!;
    }
    return Math.max(0, step);
  }

  #take(legs: readonly WalkLeg[], step: number): void {
    let flow = step;
    this.input += step;
    for (let at = 0; at < legs.length; at += 1) {
      const leg = legs[at]!;
      const price = this.prices[at]![this.#level[at]!]!;
      const base = leg.side === 'buy' ? flow / (price * leg.paid) : flow;
      this.baseQty[at]! += base;
      this.quoteQty[at]! += base * price;
      if (base > 0) this.worstPrice[at] = price;
      this.#inputLeft[at]! -= flow;
      this.#levelLeft[at]! -= flow;
      flow *= this.#rate[at]!;
    }
    this.output += flow;
  }

  /** Goes on to the next level wherever the current one is used up (to within rounding); false when a book has no more. */
  #nextLevels(legs: readonly WalkLeg[], displayedFraction: number): boolean {
    for (let at = 0; at < legs.length; at += 1) {
      const price = this.prices[at]![this.#level[at]!]!;
      const full = this.qtys[at]![this.#level[at]!]! * (legs[at]!.side === 'buy' ? price : 1);
      if (this.#levelLeft[at]! > full * ROUNDING) continue;
      this.#level[at]! += 1;
      this.#enterLevel(legs[at]!, at, displayedFraction);
      if (this.#level[at]! >= this.levels[at]!) return false;
    }
    return true;
  }
}

/** Doubles leave about this much of a level behind when it is taken whole. */
export const ROUNDING = 1e-12;

const buffers = (): readonly Float64Array[] => Array.from({ length: LEGS_MAX }, () => new Float64Array(LEVELS_MAX));
