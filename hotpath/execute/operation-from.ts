import type { InstrumentId, OpportunityId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OpenOperation } from '#shared/domain/recovery.ts';
import type { Plan } from '#shared/domain/trade.ts';
import { textOf } from '#shared/money/grid.ts';
import { pnlOfFill } from '#shared/money/pnl.ts';
import type { OperationFacts, OperationLeg } from './operation.ts';
import { Operation } from './operation.ts';

/** What the events of a plan's operation say of it. */
export function planFacts(plan: Plan, opportunity: OpportunityId): OperationFacts {
  return {
    id: plan.operation,
    opportunity,
    route: plan.route,
    type: plan.family,
    notional: textOf(plan.notional),
    expected_profit: textOf(plan.expectedProfit),
    rates: ratesText(plan.rates),
    legs: plan.legs.map(legText),
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
  };
}

/** An operation as the journal left it, or undefined when one of its instruments is no longer known. */
export function operationFrom(
  open: OpenOperation,
  ordinal: number,
  instrumentOf: (id: InstrumentId) => Instrument | undefined,
): Operation | undefined {
  const legs: OperationLeg[] = [];
  for (const leg of open.legs) {
    const instrument = instrumentOf(leg.instrument);
    if (instrument === undefined) return undefined;
    legs.push({ ...leg, instrument });
  }
  const operation = new Operation(ordinal, openFacts(open), legs, {
    state: open.state,
    rates: open.rates,
    dustTold: new Map(Object.entries(open.dust)),
  });
  for (const { request, status, fills } of open.orders) {
    const order = operation.addOrder(request, status);
    const { base, quote } = legs[request.leg]!.instrument;
    for (const fill of fills) operation.addFill(order, fill, pnlOfFill({ ...fill, base, quote }, open.rates));
  }
  return operation;
}

const ratesText = (rates: Plan['rates']): Record<string, string> =>
  Object.fromEntries(Object.entries(rates).map(([asset, rate]) => [asset, textOf(rate)]));

const legText = ({ instrument, side, price, qty }: OpenOperation['legs'][number]): OperationFacts['legs'][number] => ({
  instrument,
  side,
  price: textOf(price),
  qty: textOf(qty),
});
