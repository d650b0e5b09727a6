import type { OrderRequest, OrderStatus } from '#shared/domain/order.ts';

/** The whole life of an order. A fill may overtake or outlive a cancel: venues do that. */
const next: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  submitted: ['accepted', 'partially-filled', 'filled', 'canceled', 'rejected', 'expired', 'unknown'],
  unknown: ['accepted', 'partially-filled', 'filled', 'canceled', 'rejected', 'expired'],
  accepted: ['partially-filled', 'filled', 'canceled', 'rejected', 'expired', 'unknown'],
  'partially-filled': ['partially-filled', 'filled', 'canceled', 'expired', 'unknown'],
  canceled: ['partially-filled', 'filled'],
  expired: ['partially-filled', 'filled'],
  filled: [],
  rejected: [],
};

/** The status after a venue's report, or `anomaly` if the report makes no sense: then the venue is asked, not believed. */
export const statusAfter = (from: OrderStatus, reported: OrderStatus): OrderStatus | 'anomaly' =>
  next[from].includes(reported) ? reported : 'anomaly';

/** Whether the venue has said its last word: nothing works any more, though a fill may still be on its way. */
export const isAtRest = (status: OrderStatus): boolean =>
  status === 'filled' || status === 'canceled' || status === 'expired' || status === 'rejected';

/** Whether its venue has said that it works. */
export const isLive = ({ status }: { readonly status: OrderStatus }): boolean =>
  status === 'accepted' || status === 'partially-filled';

/** Whether it stands in its book as it may. One that is being replaced is asked about until that is settled. */
export const isResting = (order: {
  readonly status: OrderStatus;
  readonly request: Pick<OrderRequest, 'timeInForce'>;
  readonly isCancelling: boolean;
  readonly replacing: object | undefined;
}): boolean =>
  order.request.timeInForce === 'GTC' && !order.isCancelling && order.replacing === undefined && isLive(order);
