import type { ClientOrderId, OperationId } from '#shared/domain/ids.ts';
import { Decimal } from 'decimal.js';
import type { Price, Qty } from '#shared/money/grid.ts';
import { limitPrice, lotQty, tickAt, ZERO } from '#shared/money/grid.ts';
import { quoteValueOf } from '#shared/money/pnl.ts';
import type { Operation, OperationLeg, Order } from './operation.ts';
import { isAtRest } from './order-status.ts';

/** Under what the money of a leg is reserved that is not sent yet. */
export const holdOf = (operation: OperationId, leg: number): ClientOrderId =>
  `hold ${operation} ${leg}` as ClientOrderId;

/** What is due of a leg now, and what of it is left for later. */
export type Due = { readonly at: number; readonly leg: OperationLeg; readonly qty: Qty; readonly later: Qty };

/**
 * What the other legs owe to what the maker's order has filled: in proportion, whole lots, never more than its share, and nothing below the smallest order
 * until more has come together.
 */
export function dueOf(operation: Operation, maker: Order): readonly Due[] {
  const { leg: makerLeg } = maker.request;
  const { qty: makerQty } = operation.legs[makerLeg]!;
  const makerFilled = filledOf(operation, makerLeg);
  return operation.legs.flatMap((leg, at) => {
    if (at === makerLeg) return [];
    const sent = sentOf(operation, at);
    const { lot, minQty, minNotional } = leg.instrument;
    const qty = lotQty(makerFilled.times(leg.qty).div(makerQty).minus(sent), lot);
    if (!qty.gt(0) || qty.lt(minQty) || quoteValueOf(leg.instrument, qty, leg.price).lt(minNotional)) return [];
    return [{ at, leg, qty, later: leg.qty.minus(sent).minus(qty) as Qty }];
  });
}

/** Whether an order that followed the maker's has ended without all of its quantity, or a venue has taken of a leg: to wait on would leave more loose. */
export const hasMissed = (operation: Operation, maker: Order): boolean =>
  operation.isTaken ||
  operation.orders.some(
    ({ request: { leg, qty }, status, filledQty }) =>
      leg !== maker.request.leg && isAtRest(status) && filledQty.lt(qty),
  );

/**
 * Where an order that makes should stand: at the best price of its side where others have bid past it, up to the worst that the plan bears. It never leaves
 * the market: what is better for us is had when the market comes. `best` is the best price of its own side, ours or another's.
 */
export function followPrice({ instrument, side, price: worst }: OperationLeg, at: Price, best: Decimal): Price {
  const isBuy = side === 'buy';
  const bound = isBuy ? Decimal.min(best, worst) : Decimal.max(best, worst);
  const target = limitPrice(bound, tickAt(instrument, bound), side);
  return (isBuy ? target.gt(at) : target.lt(at)) ? target : at;
}

/** Where it stands first: no worse than the plan bears, and no better than the best of its side. */
export function firstPrice({ instrument, side, price: worst }: OperationLeg, best: Decimal | undefined): Price {
  if (best === undefined) return worst;
  const bound = side === 'buy' ? Decimal.min(best, worst) : Decimal.max(best, worst);
  return limitPrice(bound, tickAt(instrument, bound), side);
}

/** What all orders of a leg have filled: a replaced one counts with its successor. */
function filledOf({ orders }: Operation, leg: number): Decimal {
  let filled: Decimal = ZERO;
  for (const { request, filledQty } of orders) if (request.leg === leg) filled = filled.plus(filledQty);
  return filled;
}

function sentOf({ orders }: Operation, at: number): Decimal {
  let sent: Decimal = ZERO;
  for (const { request } of orders) if (request.leg === at) sent = sent.plus(request.qty);
  return sent;
}
