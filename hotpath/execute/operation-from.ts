import type { Decimal } from 'decimal.js';
import type { InstrumentId, OpportunityId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OpenOperation } from '#shared/domain/recovery.ts';
import type { Plan } from '#shared/domain/trade.ts';
import { textOf } from '#shared/money/grid.ts';
import type { Rates } from '#shared/money/pnl.ts';
import { fillFactsOf, hasPremium, pnlOfFill } from '#shared/money/pnl.ts';
import type { OperationBond, OperationFacts, OperationLeg } from './operation.ts';
import { Operation } from './operation.ts';

/** The bond of a sum plan, with what a unit is expected to bring after its fills. */
export const bondOf = ({ bond, expectedCarry }: Plan): OperationBond | undefined =>
  bond === undefined ? undefined : { ...bond, carry: expectedCarry.div(bond.units).toSignificantDigits(20) };

/** The plan's rates; an option that they leave out is worth what the plan expects to trade it at. */
export function completeRates({ legs, rates }: Plan, instrumentOf: (id: InstrumentId) => Instrument): Rates {
  const complete: Record<string, Decimal> = { ...rates };
  for (const { instrument: id, expectedPrice } of legs) {
    const { kind, contractSize, quote } = instrumentOf(id);
    const quoteRate = rates[quote];
    if (hasPremium(kind) && complete[id] === undefined && quoteRate !== undefined)
      complete[id] = expectedPrice.times(contractSize).times(quoteRate);
  }
  return complete;
}

/** What the events of a plan's operation say of it. */
export function planFacts(
  plan: Plan,
  opportunity: OpportunityId,
  rates: Rates,
  bond: OperationBond | undefined,
): OperationFacts {
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
    ...(open.bond === undefined ? {} : { bond: open.bond }),
    dustTold: new Map(Object.entries(open.dust)),
  });
  for (const { request, status, fills } of open.orders) {
    const order = operation.addOrder(request, status);
    const { instrument } = legs[request.leg]!;
    for (const fill of fills)
      operation.addFill(order, fill, pnlOfFill(fillFactsOf(fill, instrument, fill.feeRate), open.rates));
  }
  return operation;
}

function bondText(bond: OperationBond | undefined): Pick<OperationFacts, 'bond'> {
  if (bond === undefined) return {};
  const { units, perUnit, intent, endsMs, carry, holding } = bond;
  return {
    bond: {
      units: textOf(units),
      per_unit: perUnit.map(textOf),
      intent,
      ...(endsMs === undefined ? {} : { ends_ms: endsMs }),
      carry: textOf(carry),
      ...(holding === undefined ? {} : { holding }),
    },
  };
}

export const ratesText = (rates: Rates): Record<string, string> =>
  Object.fromEntries(Object.entries(rates).map(([asset, rate]) => [asset, textOf(rate)]));

const legText = ({ instrument, side, price, qty }: OpenOperation['legs'][number]): OperationFacts['legs'][number] => ({
  instrument,
  side,
  price: textOf(price),
  qty: textOf(qty),
});
