import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LegPart, Opportunity, Plan, PlanLeg } from '#shared/domain/trade.ts';
import type { Amount } from '#shared/money/grid.ts';
import { lotQty, ZERO } from '#shared/money/grid.ts';
import type { Place } from '#shared/money/routing.ts';
import { splitOver } from '#shared/money/routing.ts';

/** What splitting asks of the books and the accounts. Levels are what may be taken, best first. */
export type SplitSources = {
  /** The leg's own listing first, then every other that lists the same with a live book. */
  readonly placesOf: (leg: PlanLeg) => readonly Place[];
  /** Orders a leg at most; 1 never splits. */
  readonly partsMax: number;
};

type Odds = Pick<Opportunity, 'goodEnd' | 'unwindCost' | 'notional'>;

const DIGITS = 15;

/**
 * Divides the legs of a product plan over the venues that list the same coins, where that raises its expected value: what is saved, against one more order
 * that may miss. Quantities and worst prices stay as they are, fees nowhere grow: a split plan is at no price worse than the whole one. `startRate` is the value of the
 * start asset, in which `odds` has its costs.
 */
export function splitPlan(plan: Plan, odds: Odds, startRate: number, sources: SplitSources): Plan {
  if (sources.partsMax <= 1 || plan.bond !== undefined) return plan;
  let split = plan;
  const used = new Set(plan.legs.map(({ instrument }) => instrument));
  for (const [at, leg] of plan.legs.entries()) {
    const places = sources.placesOf(leg).filter(({ instrument: { id } }, nth) => nth === 0 || !used.has(id));
    const found = splitLeg(leg, places, sources.partsMax);
    if (found === undefined) continue;
    const better = withParts(split, at, found, { odds, startRate, legs: plan.legs.length });
    if (better.expectedValue.lte(split.expectedValue)) continue;
    split = better;
    for (const { instrument } of found.beside) used.add(instrument);
  }
  return split;
}

type Split = { readonly beside: readonly LegPart[]; readonly saved: Decimal; readonly quote: string };

/** Undefined when nothing is saved, or a part would not be an order. `saved` is in the quote. */
export function splitLeg(leg: PlanLeg, places: readonly Place[], partsMax: number): Split | undefined {
  const [own, ...others] = places;
  if (own === undefined || leg.how === 'maker') return undefined;
  const alike = others.filter(({ instrument }) => doesStandIn(own.instrument, instrument));
  const chosen = [own, ...nearest(leg, alike).slice(0, partsMax - 1)];
  const parts = splitOver(chosen, leg).filter(({ instrument }) => instrument !== own.instrument);
  const left = parts.reduce<Decimal>((rest, { qty }) => rest.minus(qty), leg.qty);
  if (parts.length === 0 || !isOrder(own.instrument, left, leg.price)) return undefined;
  const whole = costOf(leg, own, leg.qty);
  const sum = parts.reduce<Decimal>(
    (total, { instrument, qty }) => total.plus(costOf(leg, placeOf(places, instrument), qty)),
    costOf(leg, own, left),
  );
  const saved = leg.side === 'buy' ? whole.minus(sum) : sum.minus(whole);
  if (!saved.gt(0)) return undefined;
  const beside = parts.map(({ instrument, qty, price }): LegPart => {
    const expectedPrice = grossOf(leg, placeOf(places, instrument), qty).div(qty).toSignificantDigits(DIGITS);
    const notional = leg.notional.times(qty).div(leg.qty) as Amount;
    return { instrument: instrument.id, price, qty, expectedPrice, notional };
  });
  return { beside, saved, quote: own.instrument.quote };
}

/** The same coins for the same money, and no dearer at any price. */
const doesStandIn = (own: Instrument, other: Instrument): boolean =>
  own.kind === 'spot' &&
  other.kind === 'spot' &&
  own.base === other.base &&
  own.quote === other.quote &&
  own.fees.currency === other.fees.currency &&
  other.fees.taker.lte(own.fees.taker);

const isOrder = ({ lot, minQty, minNotional }: Instrument, qty: Decimal, price: Decimal): boolean =>
  qty.gt(0) && qty.gte(minQty) && lotQty(qty, lot).eq(qty) && qty.times(price).gte(minNotional);

/** By the best price. */
const nearest = ({ side }: PlanLeg, places: readonly Place[]): readonly Place[] =>
  places
    .filter(({ levels }) => levels.length > 0)
    .toSorted((a, b) => a.levels[0]!.price.cmp(b.levels[0]!.price) * (side === 'buy' ? 1 : -1));

const placeOf = (places: readonly Place[], instrument: Instrument): Place =>
  places.find((place) => place.instrument === instrument)!;

/** What the levels ask or bring for a quantity, in the quote before fees; what they lack, at the leg's worst price. */
function grossOf({ price: worst }: PlanLeg, { levels }: Place, qty: Decimal): Decimal {
  let left = qty;
  let gross: Decimal = ZERO;
  for (const level of levels) {
    const taken = Decimal.min(left, level.qty);
    gross = gross.plus(taken.times(level.price));
    left = left.minus(taken);
    if (left.isZero()) return gross;
  }
  return gross.plus(left.times(worst));
}

function costOf(leg: PlanLeg, place: Place, qty: Decimal): Decimal {
  const { taker } = place.instrument.fees;
  const factor = leg.side === 'buy' ? taker.plus(1) : taker.neg().plus(1);
  return grossOf(leg, place, qty).times(factor);
}

/** Each order more misses as often as one of the plan's own does. */
function withParts(
  plan: Plan,
  at: number,
  { beside, saved, quote }: Split,
  { odds, startRate, legs }: { readonly odds: Odds; readonly startRate: number; readonly legs: number },
): Plan {
  const leg = plan.legs[at]!;
  const gain = saved.times(plan.rates[quote] ?? ZERO);
  const each = plan.fillProbability ** (1 / legs);
  const kept = each ** beside.length;
  const missed = new Decimal(odds.goodEnd * (1 - kept));
  const lost = missed.times(plan.expectedProfit.plus(odds.unwindCost * startRate));
  const value = plan.expectedValue.plus(gain.times(odds.goodEnd * kept)).minus(lost);
  return {
    ...plan,
    legs: plan.legs.map((same, nth) => (nth === at ? { ...leg, beside } : same)),
    expectedProfit: plan.expectedProfit.plus(gain) as Amount,
    expectedValue: value.toSignificantDigits(DIGITS, Decimal.ROUND_FLOOR) as Amount,
    fillProbability: plan.fillProbability * kept,
  };
}
