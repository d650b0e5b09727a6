import type { ClientOrderId, OperationId } from '#shared/domain/ids.ts';
import type { Decimal } from 'decimal.js';
import type { Qty } from '#shared/money/grid.ts';
import { lotQty, ZERO } from '#shared/money/grid.ts';
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
  const { leg: makerLeg, qty: makerQty } = maker.request;
  return operation.legs.flatMap((leg, at) => {
    if (at === makerLeg) return [];
    const sent = sentOf(operation, at);
    const { lot, minQty, minNotional } = leg.instrument;
    const qty = lotQty(maker.filledQty.times(leg.qty).div(makerQty).minus(sent), lot);
    if (!qty.gt(0) || qty.lt(minQty) || quoteValueOf(leg.instrument, qty, leg.price).lt(minNotional)) return [];
    return [{ at, leg, qty, later: leg.qty.minus(sent).minus(qty) as Qty }];
  });
}

/** Whether an order that followed the maker's has ended without all of its quantity: to wait on would leave more loose. */
export const hasMissed = (operation: Operation, maker: Order): boolean =>
  operation.orders.some((order) => order !== maker && isAtRest(order.status) && order.filledQty.lt(order.request.qty));

function sentOf({ orders }: Operation, at: number): Decimal {
  let sent: Decimal = ZERO;
  for (const { request } of orders) if (request.leg === at) sent = sent.plus(request.qty);
  return sent;
}
