import { Decimal } from 'decimal.js';
import type { CapitalView } from '#shared/domain/capital.ts';
import type { SizeRefusal } from '#shared/domain/trade.ts';
import { compare, lesser, minus, plus, times } from '#shared/money/exact.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { lotQty, ZERO } from '#shared/money/grid.ts';
import { needOf } from '#shared/money/margin.ts';
import type { CommonStep } from './common-step.ts';
import type { UnitLeg } from './unit-leg.ts';
import { unitsMade } from './unit-leg.ts';

/** What the walk found for one leg. Quantities in the venue's unit. */
export type WantedUnits = {
  readonly leg: UnitLeg;
  readonly limit: Price;
  readonly qty: number;
  readonly worstPrice: number;
  /** Levels that may be taken, best first: price and displayed quantity. */
  readonly prices: Float64Array;
  readonly qtys: Float64Array;
  readonly levels: number;
};

export type UnitRules = {
  /** Undefined where no leg counts exactly. */
  readonly step: CommonStep | undefined;
  readonly displayedFraction: number;
  /** Held against futures and sold options, as a fraction of their value or underlying. */
  readonly margin: Decimal;
  readonly availableOf: CapitalView['availableOf'];
};

export type ExactUnitLeg = {
  readonly leg: UnitLeg;
  readonly limit: Price;
  readonly qty: Qty;
  /** Over the displayed levels, rounded against us: what all of `qty` costs or brings is that of one fill at this price. */
  readonly averagePrice: Decimal;
};

export type ExactUnits =
  | { readonly kind: 'units'; readonly units: Decimal; readonly legs: readonly ExactUnitLeg[] }
  | { readonly kind: 'refused'; readonly reason: SizeRefusal; readonly detail: string };

/**
 * Puts a walk on the grids of all legs at once. The coarsest grid says how many units: the common step of the legs that count exactly, or the lot of a
 * leg whose units depend on its price or its fee. It is floored; every finer grid comes as near as it can, to within half a lot (half a step), and never takes
 * more than was walked or more money than an account has at the limit prices. Every leg meets its venue's minimums, or nothing is planned.
 */
export function exactUnits(wanted: readonly WantedUnits[], walked: number, rules: UnitRules): ExactUnits {
  let target = walked;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const fit = fitTo(target, wanted, rules);
    if (fit.kind === 'refused') return fit;
    const isTooMuch = wanted.some(({ qty }, at) => fit.qtys[at]!.toNumber() > qty * NUDGE ** 2);
    const share = shareAffordable(wanted, fit, rules);
    if (!isTooMuch && share >= 1) return minimumsMet(wanted, fit) ?? exactFrom(wanted, fit, rules.displayedFraction);
    const units = fit.units.toNumber();
    target = Math.min(isTooMuch ? units - fit.grid : units, units * share);
  }
  return refuse('BALANCE_INSUFFICIENT', `units=${walked}`);
}

/** Rounding up takes one step back, money one division: the rest is room. */
const ATTEMPTS_MAX = 6;
/** Doubles fall short of a whole lot by about this much. */
const NUDGE = 1 + 1e-12;
/** Digits of prices and units that are found rather than owed. */
const FOUND_DIGITS = 15;

type Fit = {
  readonly kind: 'fit';
  readonly units: Decimal;
  readonly qtys: readonly Qty[];
  /** Units by which the coarsest grid counts. */
  readonly grid: number;
};

function fitTo(target: number, wanted: readonly WantedUnits[], rules: UnitRules): Fit | Refused {
  const { step, displayedFraction } = rules;
  const coarsest = coarsestOf(wanted, step);
  if (coarsest === undefined) return fitToStep(target, wanted, { ...rules, step: step! });
  const { listing, ratio } = wanted[coarsest]!.leg;
  const found = qtyFor(wanted[coarsest]!, target * ratio, displayedFraction);
  const qty = lotQty(found * NUDGE, listing.lot);
  if (qty.isZero())
    return refuse('BELOW_MIN_QTY', `instrument=${listing.id}, qty=${found}, lot=${listing.lot.toFixed()}`);
  const price = averagePriceOf(wanted[coarsest]!, qty, displayedFraction).toNumber();
  const units = new Decimal((qty.toNumber() * unitsMade(wanted[coarsest]!.leg, price)) / ratio);
  const steps = step === undefined ? ZERO : units.div(step.units).toDecimalPlaces(0, Decimal.ROUND_HALF_DOWN);
  const qtys = wanted.map((leg, at) =>
    at === coarsest ? qty : (lotsOf(leg, step?.lots[at], steps) ?? nearestQty(leg, units, displayedFraction)),
  );
  return {
    kind: 'fit',
    units: units.toSignificantDigits(FOUND_DIGITS),
    qtys,
    grid: units.toNumber() * listing.lot.div(qty).toNumber(),
  };
}

/** A whole number of common steps; what does not count exactly comes as near as its lot allows. */
function fitToStep(
  target: number,
  wanted: readonly WantedUnits[],
  { step, displayedFraction }: UnitRules & { readonly step: CommonStep },
): Fit | Refused {
  const steps = new Decimal(target * NUDGE).div(step.units).floor();
  if (steps.isZero()) {
    const { id } = wanted[step.coarsest]!.leg.listing;
    const { lot } = wanted[step.coarsest]!.leg.listing;
    const detail = `instrument=${id}, lot=${lot.toFixed()}, step_units=${step.units.toSignificantDigits(8).toFixed()}`;
    return refuse('BELOW_MIN_QTY', `${detail}, units=${target}`);
  }
  const units = steps.times(step.units);
  const qtys = wanted.map((leg, at) => lotsOf(leg, step.lots[at], steps) ?? nearestQty(leg, units, displayedFraction));
  return { kind: 'fit', units, qtys, grid: step.units.toNumber() };
}

/** The leg whose lot is worth more units than the common step and every other such lot; undefined where the step is the coarsest grid. */
function coarsestOf(wanted: readonly WantedUnits[], step: CommonStep | undefined): number | undefined {
  let coarsest: number | undefined;
  let most = step?.units.toNumber() ?? 0;
  for (const [at, { leg, worstPrice }] of wanted.entries()) {
    if (step?.lots[at] !== undefined) continue;
    const units = (leg.listing.lot.toNumber() * unitsMade(leg, worstPrice)) / leg.ratio;
    if (units <= most) continue;
    most = units;
    coarsest = at;
  }
  return coarsest;
}

const lotsOf = ({ leg }: WantedUnits, lots: Decimal | undefined, steps: Decimal): Qty | undefined =>
  lots === undefined ? undefined : (steps.times(lots).times(leg.listing.lot) as Qty);

function nearestQty(wanted: WantedUnits, units: Decimal, displayedFraction: number): Qty {
  const { lot } = wanted.leg.listing;
  const qty = qtyFor(wanted, units.times(wanted.leg.ratio).toNumber(), displayedFraction);
  return new Decimal(qty).div(lot).toDecimalPlaces(0, Decimal.ROUND_HALF_DOWN).times(lot) as Qty;
}

/** The quantity that makes so many units of the leg, from the best level down; what the levels lack is counted at the worst price. */
function qtyFor({ leg, prices, qtys, levels, worstPrice }: WantedUnits, units: number, fraction: number): number {
  let left = units;
  let qty = 0;
  for (let at = 0; at < levels && left > 0; at += 1) {
    const made = unitsMade(leg, prices[at]!);
    const taken = Math.min(qtys[at]! * fraction, left / made);
    qty += taken;
    left -= taken * made;
  }
  return left > 0 ? qty + left / unitsMade(leg, worstPrice) : qty;
}

/** The least share of the fit that every account can pay for at the limit prices; 1 or more where all of it can be had. */
function shareAffordable(wanted: readonly WantedUnits[], { qtys }: Fit, { margin, availableOf }: UnitRules): number {
  const needs = wanted.map(({ leg: { side, listing, underlying }, limit: price }, at) => {
    const rules = { fraction: margin, underlyingOf: () => new Decimal(underlying) };
    return { venue: listing.venue, ...needOf({ side, qty: qtys[at]!, price }, listing, ZERO, rules) };
  });
  const shares = needs.map(({ venue, asset }) => {
    const ours = needs.filter((other) => other.venue === venue && other.asset === asset);
    const needed = ours.reduce((sum, { amount }) => sum.plus(amount), new Decimal(0));
    const available = new Decimal(Math.max(0, availableOf(venue, asset)));
    return needed.lte(available) ? 1 : available.div(needed).toNumber();
  });
  return Math.min(...shares);
}

function minimumsMet(wanted: readonly WantedUnits[], { qtys }: Fit): Refused | undefined {
  for (const [at, { leg, limit, worstPrice }] of wanted.entries()) {
    const { id, minQty, minNotional, contractSize, inverse } = leg.listing;
    const qty = qtys[at]!;
    if (qty.isZero() || qty.lt(minQty)) {
      return refuse('BELOW_MIN_QTY', `instrument=${id}, qty=${qty.toFixed()}, min=${minQty.toFixed()}`);
    }
    const contracts = qty.times(contractSize);
    const notional = inverse ? contracts : contracts.times(Decimal.min(limit, worstPrice));
    if (notional.lt(minNotional)) {
      const detail = `instrument=${id}, notional=${notional.toFixed()}, min=${minNotional.toFixed()}`;
      return refuse('BELOW_MIN_NOTIONAL', detail);
    }
  }
  return undefined;
}

function exactFrom(wanted: readonly WantedUnits[], { units, qtys }: Fit, displayedFraction: number): ExactUnits {
  const legs = wanted.map((leg, at) => {
    const qty = qtys[at]!;
    return { leg: leg.leg, limit: leg.limit, qty, averagePrice: averagePriceOf(leg, qty, displayedFraction) };
  });
  return { kind: 'units', units, legs };
}

/**
 * From the best level down, in whole lots a level; what the levels cannot give to a lot is counted at the worst price. Contracts of an inverse future are
 * averaged as they pay: by the coins that they are worth.
 */
function averagePriceOf(wanted: WantedUnits, qty: Qty, fraction: number): Decimal {
  const { leg, prices, qtys, levels, worstPrice } = wanted;
  const { lot, inverse } = leg.listing;
  let left: Decimal = qty;
  let sum: Decimal = ZERO;
  for (let at = 0; at <= levels && compare(left, ZERO) > 0; at += 1) {
    const isShown = at < levels;
    const taken = isShown ? lesser(left, lotQty(qtys[at]! * fraction * NUDGE, lot)) : left;
    const price = new Decimal(isShown ? prices[at]! : worstPrice);
    sum = plus(sum, inverse ? taken.div(price) : times(taken, price));
    left = minus(left, taken);
  }
  const average = inverse ? qty.div(sum) : sum.div(qty);
  return average.toSignificantDigits(FOUND_DIGITS, leg.side === 'buy' ? Decimal.ROUND_CEIL : Decimal.ROUND_FLOOR);
}

type Refused = Extract<ExactUnits, { kind: 'refused' }>;
const refuse = (reason: SizeRefusal, detail: string): Refused => ({ kind: 'refused', reason, detail });
