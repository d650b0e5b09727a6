import type { Decimal } from 'decimal.js';
import type { ClientOrderId, InstrumentId } from '#shared/domain/ids.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Order } from './operation.ts';

/** Our orders that may stand in a book for long, by instrument. */
export class RestingOrders {
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

  all(): readonly ClientOrderId[] {
    return [...this.#orders.values()].flatMap((orders) => [...orders].map(({ request }) => request.clientOrderId));
  }

  /** Those that an order at this limit would trade with, if it came so far: we would pay both fees to ourselves. */
  against(instrument: InstrumentId, side: Side, price: Decimal): readonly Order[] {
    const beside = this.#orders.get(instrument);
    if (beside === undefined) return [];
    return [...beside].filter(
      ({ request }) => request.side !== side && (side === 'buy' ? request.price.lte(price) : request.price.gte(price)),
    );
  }
}
