import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LegView, OperationView, RecoveryOrder } from '#shared/domain/recovery.ts';
import { opposite } from '#shared/domain/route.ts';
import { feeOfTrade } from '#shared/money/fee.ts';
import { lotQty, tickAt, ZERO } from '#shared/money/grid.ts';
import { fillFactsOf, pnlOfFill, quoteValueOf } from '#shared/money/pnl.ts';
import type { Level } from './book-walk.ts';
import { limitBeyond, walkBase } from './book-walk.ts';
import type { Candidate, PlacedOrder, Situation } from './candidate.ts';
import { DUST_COST, isAffordable } from './candidate.ts';
import { matchedUnits, unitsOf, valueOfSize } from './loose.ts';

type SumBond = NonNullable<OperationView['bond']>;

/** One correction of one leg: its order, if there is one to send, and what all that is lacking brings at that price, in the numeraire. */
type Correction = { readonly placed: PlacedOrder | undefined; readonly value: Decimal; readonly isWhole: boolean };

/**
 * Ways to bring a sum route into agreement. Legs agree when all have filled as many units of the route, to within a lot. Each leg is tried as the one that
 * stays as it is: the others are completed or unwound to it, by whole lots and never beyond it. A way is worth what has been realised and what its orders
 * bring at today's books after fees, and for every unit that then stands what the plan expects of it later. What is smaller than the smallest order stays as
 * dust. A leg is held where it was planned, so no other venue's book does its work. What a venue has taken of a leg by itself is not opened there again: the
 * others follow it.
 */
export function sumWays(situation: Situation, bond: SumBond): readonly Candidate[] {
  return [...situation.view.legs.keys()].flatMap((anchor) => wayAround(anchor, situation, bond) ?? []);
}

/** What the operation is worth as it stands, in the numeraire at its own rates. */
export const standingOfSum = ({ legs, realised }: OperationView, bond: SumBond): Decimal =>
  realised.plus(matchedUnits(legs, bond).times(bond.carry));

/** Whether some number of units is less than a lot away from what every leg has filled. */
export function doAgree(
  legs: readonly Pick<LegView, 'instrument' | 'filledQty'>[],
  { perUnit }: Pick<SumBond, 'perUnit'>,
): boolean {
  const least = legs.map(({ instrument, filledQty }, at) => filledQty.minus(instrument.lot).div(perUnit[at]!));
  const most = legs.map(({ instrument, filledQty }, at) => filledQty.plus(instrument.lot).div(perUnit[at]!));
  return Decimal.max(...least).lt(Decimal.min(...most));
}

/** Brings every leg to the units that one has filled; undefined when a book is empty or not live, or when funds are missing. */
function wayAround(anchor: number, situation: Situation, bond: SumBond): Candidate | undefined {
  const { legs, realised } = situation.view;
  const units = Decimal.max(ZERO, unitsOf(legs[anchor]!, bond.perUnit[anchor]!));
  const placed: PlacedOrder[] = [];
  let value = realised.plus(units.times(bond.carry));
  let isWhole = true;
  for (const [at, leg] of legs.entries()) {
    const lacking = units.times(bond.perUnit[at]!).minus(leg.filledQty).toDecimalPlaces(18);
    const correction = correct({ leg, at, lacking }, situation);
    if (correction === undefined) return undefined;
    if (correction.placed !== undefined) placed.push(correction.placed);
    value = value.plus(correction.value);
    isWhole &&= correction.isWhole;
  }
  if (!isAffordable(placed, situation.market)) return undefined;
  // A book too thin for the smallest order is no way, and what it cannot take is no dust.
  if (!isWhole && placed.length === 0) return undefined;
  return { placed, value, isWhole };
}

type Wanted = {
  readonly leg: LegView;
  readonly at: number;
  /** Quantity that the leg has done too little; negative: too much. */
  readonly lacking: Decimal;
};

/** The order that brings a leg closer: none when that is below the smallest order, undefined without a live book, or where its venue would take it again. */
function correct({ leg, at, lacking }: Wanted, { market, slack, view }: Situation): Correction | undefined {
  const { instrument: on } = leg;
  const nothing = { placed: undefined, value: ZERO, isWhole: true };
  const wanted = lotQty(lacking.abs(), on.lot);
  if (wanted.isZero()) return nothing;
  const isForward = lacking.gt(0);
  if (isForward && leg.isTaken === true) return undefined;
  const side = isForward ? leg.side : opposite(leg.side);
  const levels = market.levels(on, side);
  if (levels.length === 0) return undefined;

  const walk = walkBase(levels, wanted);
  const qty = lotQty(walk.qty, on.lot);
  const price = limitBeyond(walk.worst, slack, side, tickAt(on, walk.worst));
  if (qty.isZero() || qty.lt(on.minQty) || quoteValueOf(on, qty, price).lt(on.minNotional))
    return { ...nothing, value: valueOfSize(on, wanted, view.rates).times(DUST_COST).neg(), isWhole: walk.isWhole };
  const purpose = isForward ? 'complete' : 'unwind';
  const placed = { on, order: { leg: at, purpose, instrument: on.id, side, qty, price } as const };
  // As if all of it were traded so: what a thin book leaves for later must not look like a gain.
  const value = broughtBy(placed, levels, { market, view }).times(wanted).div(qty);
  return { placed, value, isWhole: walk.isWhole };
}

/** What an order brings over the levels that it takes, after fees, in the numeraire at the operation's rates. */
function broughtBy(
  { on, order: { side, qty } }: { readonly on: Instrument; readonly order: Pick<RecoveryOrder, 'side' | 'qty'> },
  levels: readonly Level[],
  { market, view }: Pick<Situation, 'market' | 'view'>,
): Decimal {
  const underlying = market.underlyingOf(on);
  let value: Decimal = ZERO;
  let left: Decimal = qty;
  for (const level of levels) {
    if (!left.gt(0)) break;
    const taken = Decimal.min(left, level.qty);
    const trade = { side, price: level.price, qty: taken };
    const fee = feeOfTrade(on, { ...trade, rate: on.fees.taker, underlying });
    value = value.plus(pnlOfFill(fillFactsOf({ ...trade, ...fee }, on), view.rates).realised);
    left = left.minus(taken);
  }
  return value;
}
