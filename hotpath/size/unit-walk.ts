import { assert } from '#shared/assert.ts';
import type { CapitalView, Depths } from '#shared/domain/capital.ts';
import type { WalkBound } from './depth-walk.ts';
import { LEGS_MAX, LEVELS_MAX, ROUNDING } from './depth-walk.ts';
import type { UnitLeg } from './unit-leg.ts';
import { accountAssetOf, cashAt, needAt, unitsMade } from './unit-leg.ts';

export type UnitLimits = {
  /** Share of each displayed level that may be taken. */
  readonly displayedFraction: number;
  /** What a unit brings and costs beside the cash of its legs, in the start asset. */
  readonly carry: number;
  /** What each unit must earn at least, in the start asset: the walk ends where the next one would not. */
  readonly hurdle: number;
  readonly unitsMax: number;
  /** Held against futures and sold options, as a fraction of their value or underlying. */
  readonly marginFraction: number;
  readonly availableOf: CapitalView['availableOf'];
};

/**
 * Walks the books of all legs of a sum route in lockstep, from the best price down: every unit of the route takes `ratio` units of each leg. The cash of a
 * unit only gets less with depth, so going on while the next unit pays finds the size of greatest profit. Legs on one account share its money. Works on its own
 * buffers; the results of one walk stand until the next.
 */
export class UnitWalk {
  /** Units of the route. */
  units = 0;
  /** What the legs bring together, after fees, in the start asset. */
  cash = 0;
  bound: WalkBound = 'edge';
  /** By leg, in the venue's unit: quantity, quantity × price, price of the worst level touched (the best one while nothing is). */
  readonly qty = new Float64Array(LEGS_MAX);
  readonly value = new Float64Array(LEGS_MAX);
  readonly worstPrice = new Float64Array(LEGS_MAX);
  /** The books as they were read, by leg, best first. */
  readonly prices: readonly Float64Array[] = buffers();
  readonly qtys: readonly Float64Array[] = buffers();
  readonly levels = new Int32Array(LEGS_MAX);

  readonly #level = new Int32Array(LEGS_MAX);
  /** By leg and unit of the route, on the current level: cash, the venue's quantity, what the account must hold. */
  readonly #cash = new Float64Array(LEGS_MAX);
  readonly #qty = new Float64Array(LEGS_MAX);
  readonly #need = new Float64Array(LEGS_MAX);
  /** Units of the route that the current level still bears. */
  readonly #levelLeft = new Float64Array(LEGS_MAX);
  /** The first leg on the same account, where its money is counted. */
  readonly #account = new Int32Array(LEGS_MAX);
  readonly #funds = new Float64Array(LEGS_MAX);
  readonly #needOfAccount = new Float64Array(LEGS_MAX);

  /** False when not even the first unit pays; then there are no results. */
  walk(legs: readonly UnitLeg[], depths: Depths, limits: UnitLimits): boolean {
    assert(legs.length <= LEGS_MAX, 'a route has more legs than the walk has buffers');
    this.#load(legs, depths, limits);
    if (!(this.#marginal(legs.length, limits) > limits.hurdle)) return false;

    while (this.#marginal(legs.length, limits) > limits.hurdle) {
      this.#take(legs.length, this.#longestStep(legs.length, limits.unitsMax));
      if (this.bound === 'balance' || this.bound === 'notional') return true;
      if (!this.#nextLevels(legs, limits)) {
        this.bound = 'depth';
        return true;
      }
    }
    this.bound = 'edge';
    return true;
  }

  /** Reads the books and takes nothing. */
  look(legs: readonly UnitLeg[], depths: Depths): void {
    this.units = 0;
    this.cash = 0;
    for (let at = 0; at < legs.length; at += 1) {
      const leg = legs[at]!;
      const read = leg.side === 'buy' ? depths.asks : depths.bids;
      this.levels[at] = read(leg.instrument, this.prices[at]!, this.qtys[at]!);
      this.qty[at] = 0;
      this.value[at] = 0;
      this.worstPrice[at] = this.prices[at]![0]!;
    }
  }

  #load(legs: readonly UnitLeg[], depths: Depths, limits: UnitLimits): void {
    this.look(legs, depths);
    for (let at = 0; at < legs.length; at += 1) {
      this.#level[at] = 0;
      this.#loadAccount(legs, at, limits);
      this.#enterLevel(legs[at]!, at, limits);
    }
  }

  #loadAccount(legs: readonly UnitLeg[], at: number, { availableOf }: UnitLimits): void {
    const { venue } = legs[at]!.listing;
    const asset = accountAssetOf(legs[at]!);
    this.#funds[at] = Math.max(0, availableOf(venue, asset));
    let first = 0;
    while (legs[first]!.listing.venue !== venue || accountAssetOf(legs[first]!) !== asset) first += 1;
    this.#account[at] = first;
  }

  /** Makes the leg's level the current one; a level that is not there brings nothing that anybody would want. */
  #enterLevel(leg: UnitLeg, at: number, { displayedFraction, marginFraction }: UnitLimits): void {
    const level = this.#level[at]!;
    if (level >= this.levels[at]!) {
      this.#cash[at] = -Infinity;
      this.#levelLeft[at] = 0;
      return;
    }
    const price = this.prices[at]![level]!;
    this.#cash[at] = leg.ratio * cashAt(leg, price);
    this.#qty[at] = leg.ratio / unitsMade(leg, price);
    this.#need[at] = leg.ratio * needAt(leg, price, marginFraction);
    this.#levelLeft[at] = (this.qtys[at]![level]! * displayedFraction) / this.#qty[at];
  }

  /** What the next unit earns. */
  #marginal(legs: number, { carry }: UnitLimits): number {
    let sum = carry;
    for (let at = 0; at < legs; at += 1) sum += this.#cash[at]!;
    return sum;
  }

  /** The most units before a level, an account or the size limit is used up; `bound` says which. */
  #longestStep(legs: number, unitsMax: number): number {
    let step = unitsMax - this.units;
    this.bound = 'notional';
    this.#needOfAccount.fill(0);
    for (let at = 0; at < legs; at += 1) this.#needOfAccount[this.#account[at]!]! += this.#need[at]!;
    for (let at = 0; at < legs; at += 1) {
      const need = this.#needOfAccount[at]!;
      if (need > 0 && this.#funds[at]! < step * need) {
        step = this.#funds[at]! / need;
        this.bound = 'balance';
      }
      if (this.#levelLeft[at]! < step) {
        step = this.#levelLeft[at]!;
        this.bound = 'depth';
      }
    }
    return Math.max(0, step);
  }

  #take(legs: number, step: number): void {
    this.units += step;
    for (let at = 0; at < legs; at += 1) {
      const price = this.prices[at]![this.#level[at]!]!;
      const qty = step * this.#qty[at]!;
      this.cash += step * this.#cash[at]!;
      this.qty[at]! += qty;
      this.value[at]! += qty * price;
      if (qty > 0) this.worstPrice[at] = price;
      this.#levelLeft[at]! -= step;
      this.#funds[this.#account[at]!]! -= step * this.#need[at]!;
    }
  }

  /** Goes on to the next level wherever the current one is used up (to within rounding); false when a book has no more. */
  #nextLevels(legs: readonly UnitLeg[], limits: UnitLimits): boolean {
    for (let at = 0; at < legs.length; at += 1) {
      const full = this.qtys[at]![this.#level[at]!]! / this.#qty[at]!;
      if (this.#levelLeft[at]! > full * ROUNDING) continue;
      this.#level[at]! += 1;
      this.#enterLevel(legs[at]!, at, limits);
      if (this.#level[at]! >= this.levels[at]!) return false;
    }
    return true;
  }
}

const buffers = (): readonly Float64Array[] => Array.from({ length: LEGS_MAX }, () => new Float64Array(LEVELS_MAX));
