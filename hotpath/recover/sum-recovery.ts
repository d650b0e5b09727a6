import { Decimal } from 'decimal.js';
import type { LegView, OperationView, Recovery, RecoveryOrder } from '#shared/domain/recovery.ts';
import { opposite } from '#shared/domain/route.ts';
import { feeOfTrade } from '#shared/money/fee.ts';
import { lotQty, textOf, tickAt, ZERO } from '#shared/money/grid.ts';
import { fillFactsOf, pnlOfFill, quoteValueOf } from '#shared/money/pnl.ts';
import type { Level } from './book-walk.ts';
import { limitBeyond, walkBase } from './book-walk.ts';
import type { Candidate, RecoveryLimits, RecoveryMarket } from './candidate.ts';
import { isAffordable, isBetter } from './candidate.ts';

type Bond = NonNullable<OperationView['bond']>;

/** One correction of one leg: its order, if there is one to send, and what that brings in the numeraire. */
type Correction = { readonly order: RecoveryOrder | undefined; readonly value: Decimal; readonly isWhole: boolean };

/**
 * Decides what is left to do once no order of a sum route works any more. Sends nothing.
 *
 * Legs agree when all have filled as many units of the route, to within a lot. Each leg is tried as the one that stays as it is: the others are completed or
 * unwound to it, by whole lots and never beyond it. A way is worth what its orders bring at today's books after fees, and for every unit that then stands
 * what the plan expects of it later. What is smaller than the smallest order stays as dust.
 */
export function decideSumRecovery(
  view: OperationView,
  bond: Bond,
  market: RecoveryMarket,
  limits: RecoveryLimits,
): Recovery {
  const { legs, round, waits } = view;
  if (legs.every(({ qty, filledQty }) => filledQty.eq(qty))) return { kind: 'complete' };
  if (legs.every(({ spent, received }) => spent.isZero() && received.isZero()))
    return { kind: 'complete', reason: 'unfilled' };
  if (doAgree(legs, bond)) return { kind: 'complete', reason: 'recovered' };

  const slack = new Decimal(limits.slackBps).times(round + 1).div(10_000);
  let best: Candidate | undefined;
  for (const anchor of legs.keys()) {
    const candidate = candidateAround(anchor, { ...view, bond }, market, slack);
    if (candidate !== undefined && (best === undefined || isBetter(candidate, best))) best = candidate;
  }
  if (best?.orders.length === 0) return { kind: 'complete', reason: 'dust' };
  if (round >= limits.roundsMax || waits >= limits.waitsMax)
    return { kind: 'fail', reason: `RECOVERY_EXHAUSTED: ${unitsText(legs, bond)}` };
  if (best === undefined) return { kind: 'wait', reason: `NO_WAY_OUT_NOW: ${unitsText(legs, bond)}` };
  return { kind: 'send', orders: best.orders };
}

/** Whether some number of units is less than a lot away from what every leg has filled. */
export function doAgree(
  legs: readonly Pick<LegView, 'instrument' | 'filledQty'>[],
  { perUnit }: Pick<Bond, 'perUnit'>,
): boolean {
  const least = legs.map(({ instrument, filledQty }, at) => filledQty.minus(instrument.lot).div(perUnit[at]!));
  const most = legs.map(({ instrument, filledQty }, at) => filledQty.plus(instrument.lot).div(perUnit[at]!));
  return Decimal.max(...least).lt(Decimal.min(...most));
}

/** Brings every leg to the units that one has filled; undefined when a book is empty or not live, or when funds are missing. */
function candidateAround(
  anchor: number,
  { legs, rates, bond }: OperationView & { readonly bond: Bond },
  market: RecoveryMarket,
  slack: Decimal,
): Candidate | undefined {
  const units = Decimal.max(ZERO, unitsOf(legs[anchor]!, bond.perUnit[anchor]!));
  const orders: RecoveryOrder[] = [];
  let value = units.times(bond.carry);
  let isWhole = true;
  for (const [at, leg] of legs.entries()) {
    const lacking = units.times(bond.perUnit[at]!).minus(leg.filledQty).toDecimalPlaces(18);
    const correction = correct({ leg, at, lacking, slack, rates }, market);
    if (correction === undefined) return undefined;
    if (correction.order !== undefined) orders.push(correction.order);
    value = value.plus(correction.value);
    isWhole &&= correction.isWhole;
  }
  if (!isAffordable(orders, legs, market)) return undefined;
  // A book too thin for the smallest order is no way, and what it cannot take is no dust.
  if (!isWhole && orders.length === 0) return undefined;
  return { orders, value, isWhole };
}

type Wanted = {
  readonly leg: LegView;
  readonly at: number;
  /** Quantity that the leg has done too little; negative: too much. */
  readonly lacking: Decimal;
  readonly slack: Decimal;
  readonly rates: OperationView['rates'];
};

/** The order that brings a leg closer: none when that is below the smallest order, undefined without a live book. */
function correct({ leg, at, lacking, slack, rates }: Wanted, market: RecoveryMarket): Correction | undefined {
  const { instrument } = leg;
  const { lot, minQty, minNotional } = instrument;
  const nothing = { order: undefined, value: ZERO, isWhole: true };
  const wanted = lotQty(lacking.abs(), lot);
  if (wanted.isZero()) return nothing;
  const isForward = lacking.gt(0);
  const side = isForward ? leg.side : opposite(leg.side);
  const levels = market.levels(instrument, side);
  if (levels.length === 0) return undefined;

  const walk = walkBase(levels, wanted);
  const qty = lotQty(walk.qty, lot);
  const price = limitBeyond(walk.worst, slack, side, tickAt(instrument, walk.worst));
  if (qty.isZero() || qty.lt(minQty) || quoteValueOf(instrument, qty, price).lt(minNotional))
    return { ...nothing, isWhole: walk.isWhole };
  const purpose = isForward ? 'complete' : 'unwind';
  const order: RecoveryOrder = { leg: at, purpose, instrument: instrument.id, side, qty, price };
  return { order, value: valueOf(order, leg, levels, { market, rates }), isWhole: walk.isWhole };
}

/** What an order brings over the levels that it takes, after fees, at the rates of the plan. */
function valueOf(
  { side, qty }: RecoveryOrder,
  { instrument }: LegView,
  levels: readonly Level[],
  { market, rates }: { readonly market: RecoveryMarket; readonly rates: OperationView['rates'] },
): Decimal {
  const underlying = market.underlyingOf(instrument);
  let value: Decimal = ZERO;
  let left: Decimal = qty;
  for (const level of levels) {
    if (!left.gt(0)) break;
    const taken = Decimal.min(left, level.qty);
    const trade = { side, price: level.price, qty: taken };
    const fee = feeOfTrade(instrument, { ...trade, rate: instrument.fees.taker, underlying });
    value = value.plus(pnlOfFill(fillFactsOf({ ...trade, ...fee }, instrument), rates).realised);
    left = left.minus(taken);
  }
  return value;
}

const unitsOf = ({ filledQty }: LegView, perUnit: Decimal): Decimal => filledQty.div(perUnit);

const unitsText = (legs: readonly LegView[], { perUnit }: Bond): string =>
  legs.map((leg, at) => `${leg.instrument.id}=${textOf(unitsOf(leg, perUnit[at]!).toSignificantDigits(8))}`).join(', ');
