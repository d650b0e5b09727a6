import type { ClientOrderId, InstrumentId } from '#shared/domain/ids.ts';
import type { OrderRequest } from '#shared/domain/order.ts';
import type { Order } from './operation.ts';

/** Our orders that are not over, by instrument: those that rest, and those that may still arrive. */
export class WorkingOrders {
  readonly #orders = new Map<InstrumentId, Set<Order>>();

  add(order: Order): void {
    const { instrument } = order.request;
    const beside = this.#orders.get(instrument);
    if (beside === undefined) this.#orders.set(instrument, new Set([order]));
    else beside.add(order);
  }

  remove(order: Order): void {
    const { instrument } = order.request;
    const beside = this.#orders.get(instrument);
    if (beside?.delete(order) === true && beside.size === 0) this.#orders.delete(instrument);
  }

  /** Those that may stay in their books for long. */
  resting(): readonly ClientOrderId[] {
    return [...this.#orders.values()]
      .flatMap((orders) => [...orders])
      .flatMap(({ request }) => (request.timeInForce === 'GTC' ? request.clientOrderId : []));
  }

  /** Those that an order could trade with, if both came so far: we would pay both fees to ourselves. */
  against(order: Limit): readonly Order[] {
    const beside = this.#orders.get(order.instrument);
    return beside === undefined
      ? []
      : [...beside].filter(
          ({ request, replacing }) => doMeet(order, request) || doMeet(order, { ...request, ...replacing }),
        );
  }
}

type Limit = Pick<OrderRequest, 'instrument' | 'side' | 'price' | 'timeInForce'>;

/** One of them must stay in the book for the other to find it. */
function doMeet(a: Limit, b: Limit): boolean {
  if (a.side === b.side || (a.timeInForce !== 'GTC' && b.timeInForce !== 'GTC')) return false;
  const [buy, sell] = a.side === 'buy' ? [a, b] : [b, a];
  return buy.price.gte(sell.price);
}
