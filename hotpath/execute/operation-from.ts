import type { Decimal } from 'decimal.js';
import type { InstrumentId, OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OpenOperation } from '#shared/domain/recovery.ts';
import type { Plan } from '#shared/domain/trade.ts';
import { textOf } from '#shared/money/grid.ts';
import type { Rates } from '#shared/money/pnl.ts';
import { fillFactsOf, hasPremium, pnlOfFill } from '#shared/money/pnl.ts';
import type { OperationBond, OperationFacts, OperationLeg } from './operation.ts';
import { mostOf, Operation } from './operation.ts';

/** How a plan is booked: at which rates, and how a sum plan hangs together. */
export type Terms = { readonly rates: Rates; readonly bond?: OperationBond };

/**
 * A product plan is booked as it was planned. Of a sum plan, an option that is entered is booked at what it is expected to trade at, since what it will
 * pay is no profit of the entry; `carry` is the profit that a unit is then still expected to bring. An exit keeps the rates of what it closes.
 */
export function termsOf(plan: Plan, instrumentOf: (id: InstrumentId) => Instrument): Terms {
  const { bond, rates, legs } = plan;
  if (bond === undefined) return { rates };
  const booked: Record<string, Decimal> = { ...rates };
  let carry: Decimal = plan.expectedCarry;
  for (const { instrument: id, expectedPrice, side, qty } of legs) {
    const { kind, contractSize, quote } = instrumentOf(id);
    const quoteRate = rates[quote];
    if (!hasPremium(kind) || quoteRate === undefined || bond.intent === 'exit') continue;
    const worth = expectedPrice.times(contractSize).times(quoteRate);
    const gain = worth.minus(rates[id] ?? worth).times(qty);
    carry = side === 'buy' ? carry.minus(gain) : carry.plus(gain);
    booked[id] = worth;
  }
  return { rates: booked, bond: { ...bond, carry: carry.div(bond.units).toSignificantDigits(20), asset: plan.asset } };
}

/** What the events of a plan's operation say of it. */
export function planFacts(plan: Plan, opportunity: OpportunityId, { rates, bond }: Terms): OperationFacts {
  return {
    id: plan.operation,
    opportunity,
    route: plan.route,
    type: plan.family,
    notional: textOf(plan.notional),
    expected_profit: textOf(plan.expectedProfit),
    rates: ratesText(rates),
    legs: plan.legs.map(legText),
    ...bondText(bond),
  };
}

export function openFacts(open: OpenOperation): OperationFacts {
  return {
    id: open.id,
    opportunity: open.opportunity,
    route: open.route,
    type: open.family,
    notional: textOf(open.notional),
    expected_profit: textOf(open.expectedProfit),
    rates: ratesText(open.rates),
    legs: open.legs.map(legText),
    ...bondText(open.bond),
  };
}

/** An operation as the journal left it, or undefined when one of its instruments is no longer known. */
export function operationFrom(
  open: OpenOperation,
  instrumentOf: (id: InstrumentId) => Instrument | undefined,
  { ordinal, startedNs }: { readonly ordinal: number; readonly startedNs: TimeNs },
): Operation | undefined {
  const legs: OperationLeg[] = [];
  for (const leg of open.legs) {
    const instrument = instrumentOf(leg.instrument);
    if (instrument === undefined) return undefined;
    legs.push({ ...leg, instrument, expectedPrice: leg.expectedPrice ?? leg.price });
  }
  const operation = new Operation(ordinal, openFacts(open), legs, {
    state: open.state,
    rates: open.rates,
    ...(open.bond === undefined ? {} : { bond: open.bond }),
    dustTold: new Map(Object.entries(open.dust)),
    startedNs,
  });
  for (const { request, status, fills, replacing } of open.orders) {
    const instrument = instrumentOf(request.instrument);
    if (instrument === undefined) return undefined;
    const order = operation.addOrder(request, instrument, status);
    // Whether it was replaced is to be asked.
    if (replacing !== undefined) order.replacing = { ...replacing, how: 'in-place' };
    for (const fill of fills)
      operation.addFill(order, fill, pnlOfFill(fillFactsOf(fill, instrument, fill.feeRate), open.rates));
    // The process may have died between the record of the last fill and that of the order: its venue has no more to say.
    if (order.filledQty.gte(mostOf(order))) order.status = 'filled';
  }
  for (const taking of open.taken ?? []) {
    const instrument = instrumentOf(taking.instrument);
    if (instrument === undefined) return undefined;
    operation.take(taking, instrument);
  }
  linkSuccessors(operation, open.orders);
  return operation;
}

/** A late fill of an order takes back what was sent in its stead. */
function linkSuccessors({ orders }: Operation, known: OpenOperation['orders']): void {
  const byId = new Map(orders.map((order) => [order.request.clientOrderId, order]));
  for (const { request, replacedBy } of known)
    if (replacedBy !== undefined) byId.get(request.clientOrderId)!.successor = byId.get(replacedBy);
}

function bondText(bond: OperationBond | undefined): Pick<OperationFacts, 'bond'> {
  if (bond === undefined) return {};
  const { units, perUnit, intent, endsMs, carry, asset, holding } = bond;
  return {
    bond: {
      units: textOf(units),
      per_unit: perUnit.map(textOf),
      intent,
      ...(endsMs === undefined ? {} : { ends_ms: endsMs }),
      carry: textOf(carry),
      asset,
      ...(holding === undefined ? {} : { holding }),
    },
  };
}

export const ratesText = (rates: Rates): Record<string, string> =>
  Object.fromEntries(Object.entries(rates).map(([asset, rate]) => [asset, textOf(rate)]));

const legText = ({
  instrument,
  side,
  price,
  qty,
  expectedPrice,
}: OpenOperation['legs'][number]): OperationFacts['legs'][number] => ({
  instrument,
  side,
  price: textOf(price),
  qty: textOf(qty),
  ...(expectedPrice === undefined ? {} : { expected_price: textOf(expectedPrice) }),
});
