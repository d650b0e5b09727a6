import type { Decimal } from 'decimal.js';
import type { Asset, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Plan, PlanLeg } from '#shared/domain/trade.ts';
import { doubleOf } from '#shared/money/double.ts';
import { hasPremium } from '#shared/money/pnl.ts';
import type { AskedLeg, AskedPlan } from './asked.ts';

export type FundsSources = {
  readonly availableOf: (venue: VenueId, asset: Asset) => number;
  readonly reservedOf: (venue: VenueId, asset: Asset) => Decimal;
  /** Exactly what a leg would reserve as things stand. */
  readonly needOf: (instrument: Instrument, leg: PlanLeg) => { readonly asset: Asset; readonly amount: Decimal };
  /** Of a future's value. */
  readonly marginFraction: number;
};

type Need = { venue: VenueId; asset: Asset; amount: number; isMargin: boolean };

/** Doubles fall short of exact sums by less than this share. */
const ROUNDING = 1e-9;

/**
 * Whether accounts bear all legs of a plan together. Asked in doubles and against us first: nothing netted, fees on top. Only what that does not clear is reckoned as
 * the ledger will.
 */
export class Funds {
  readonly #sources: FundsSources;
  readonly #rough: Need[] = [];
  /** Whose needs stand there; undefined where one of them has no rough need. */
  #filled: Plan | undefined;

  constructor(sources: FundsSources) {
    this.#sources = sources;
  }

  /** In words; undefined where all is there. */
  readonly shortAccount = (asked: AskedPlan): string | undefined => {
    if (this.#fillRough(asked) && this.#shortOf(this.#rough, asked.count) === undefined) return undefined;
    const exact = this.#exact(asked);
    const short = this.#shortOf(exact, exact.length);
    if (short === undefined) return undefined;
    const { venue, asset } = short;
    const wanted = sumOn(exact, exact.length, short);
    return `${venue} ${asset}: wanted=${wanted}, free=${this.#sources.availableOf(venue, asset)}`;
  };

  readonly marginRatio = (asked: AskedPlan, enough: number): number => {
    const bound = this.#fillRough(asked) ? this.#leastFree(this.#rough, asked.count) : Number.NaN;
    if (bound >= enough) return bound;
    const exact = this.#exact(asked);
    return this.#leastFree(exact, exact.length);
  };

  /** False where a leg has no rough need. */
  #fillRough({ plan, legs, count }: AskedPlan): boolean {
    if (this.#filled === plan) return true;
    this.#filled = undefined;
    for (let at = 0; at < count; at += 1) {
      const need = (this.#rough[at] ??= { venue: '' as VenueId, asset: '' as Asset, amount: 0, isMargin: false });
      if (!this.#roughInto(legs[at]!, need)) return false;
    }
    this.#filled = plan;
    return true;
  }

  #roughInto({ leg, listing, qty, price }: AskedLeg, need: Need): boolean {
    const { kind, venue, base, quote, settle, contractSize, inverse, fees } = listing;
    if (hasPremium(kind)) return false;
    const taker = doubleOf(fees.taker);
    need.venue = venue;
    need.isMargin = kind !== 'spot';
    if (kind !== 'spot') {
      const units = qty * doubleOf(contractSize);
      need.asset = settle;
      need.amount = (inverse ? units / price : units * price) * (this.#sources.marginFraction + taker);
    } else if (leg.side === 'buy') {
      need.asset = quote;
      need.amount = qty * price * (1 + taker);
    } else {
      need.asset = base;
      need.amount = qty;
    }
    need.amount *= 1 + ROUNDING;
    return true;
  }

  #exact({ legs, count }: AskedPlan): readonly Need[] {
    return legs.slice(0, count).map(({ leg, listing }) => {
      const { asset, amount } = this.#sources.needOf(listing, leg);
      return { venue: listing.venue, asset, amount: doubleOf(amount), isMargin: listing.kind !== 'spot' };
    });
  }

  /** What needs nothing is never short: an account in the red must still get out. */
  #shortOf(needs: readonly Need[], count: number): Need | undefined {
    for (let at = 0; at < count; at += 1) {
      const need = needs[at]!;
      const wanted = sumOn(needs, count, need);
      if (wanted > 0 && !(wanted <= this.#sources.availableOf(need.venue, need.asset))) return need;
    }
    return undefined;
  }

  /** Free over bound, after the plan, on the account where it is least. */
  #leastFree(needs: readonly Need[], count: number): number {
    let least = Infinity;
    for (let at = 0; at < count; at += 1) {
      const need = needs[at]!;
      if (!need.isMargin) continue;
      const { venue, asset } = need;
      const wanted = sumOn(needs, count, need);
      const bound = doubleOf(this.#sources.reservedOf(venue, asset)) + wanted;
      const free = this.#sources.availableOf(venue, asset) - wanted;
      least = Math.min(least, bound === 0 ? Infinity : free / bound);
    }
    return least;
  }
}

function sumOn(needs: readonly Need[], count: number, { venue, asset }: Need): number {
  let sum = 0;
  for (let at = 0; at < count; at += 1) {
    const need = needs[at]!;
    if (need.venue === venue && need.asset === asset) sum += need.amount;
  }
  return sum;
}
