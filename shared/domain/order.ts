import type { Decimal } from 'decimal.js';
import type { Price, Qty } from '../money/grid.ts';
import type { Asset, ClientOrderId, InstrumentId, OperationId, TimeNs, TradeId, VenueOrderId } from './ids.ts';
import type { Side } from './route.ts';

export type TimeInForce = 'GTC' | 'IOC' | 'FOK';
export type OrderType = 'limit' | 'market';

/** What we ask of a venue. `leg` counts from 0; `attempt` from 0, and grows when recovery sends again. */
export type OrderRequest = {
  readonly clientOrderId: ClientOrderId;
  readonly operation: OperationId;
  readonly leg: number;
  readonly attempt: number;
  /** Why it is sent: a plan's leg, or recovery that completes, hedges or unwinds; `manual` comes from the API. */
  readonly purpose: 'leg' | 'complete' | 'unwind' | 'hedge' | 'manual';
  readonly instrument: InstrumentId;
  readonly side: Side;
  readonly type: OrderType;
  /** Limit price; for a market order the worst price we still accept. */
  readonly price: Price;
  readonly qty: Qty;
  readonly timeInForce: TimeInForce;
  /** Refused by the venue where it would take. */
  readonly postOnly?: boolean;
  /** Contracts: never turns the position. */
  readonly reduceOnly?: boolean;
};

export type OrderStatus =
  'submitted' | 'unknown' | 'accepted' | 'partially-filled' | 'filled' | 'canceled' | 'rejected' | 'expired';

/**
 * Why an order was not taken. `not-filled`: it could not trade at once as its time in force asks. `unauthorised`: key, signature, permission, address.
 * `unlisted`: the venue gave a code that our table does not have.
 */
export type RejectReason =
  | 'insufficient-funds'
  | 'would-take'
  | 'not-filled'
  | 'rate-limited'
  | 'invalid-order'
  | 'below-minimum'
  | 'price-out-of-band'
  | 'duplicate-id'
  | 'reduce-only'
  | 'self-trade'
  | 'clock-skew'
  | 'unauthorised'
  | 'venue-down'
  | 'not-allowed'
  | 'unlisted';

export type Fill = {
  readonly tradeId: TradeId;
  readonly clientOrderId: ClientOrderId;
  readonly instrument: InstrumentId;
  readonly side: Side;
  readonly price: Decimal;
  readonly qty: Decimal;
  readonly fee: Decimal;
  readonly feeAsset: Asset;
  readonly liquidity: 'maker' | 'taker';
};

/** What a resting order can be changed to. `qty` is the whole of the order: what has filled counts toward it. */
export type Standing = { readonly price: Price; readonly qty: Qty };

/** Everything a venue can say about an order of ours. `unknown` is not a failure: the order may be live. */
export type OrderReport = { readonly clientOrderId: ClientOrderId; readonly receivedTimeNs: TimeNs } & (
  | {
      readonly kind: 'accepted';
      readonly venueOrderId: VenueOrderId;
      /** Of an order that was to be replaced: how it stands by the venue's word, as of when it was asked. Without a time it may be old news. */
      readonly standing?: Standing;
      readonly askedTimeNs?: TimeNs;
    }
  /** The venue surely did not replace it: it stands as before, or has ended. */
  | { readonly kind: 'kept'; readonly to: Standing; readonly reason: RejectReason; readonly text: string }
  | { readonly kind: 'rejected'; readonly reason: RejectReason; readonly text: string }
  | { readonly kind: 'unknown'; readonly cause: 'timeout' | 'disconnect' | 'server-error' | 'restart' }
  | { readonly kind: 'fill'; readonly fill: Fill }
  /** Terminal: nothing more will fill, except what was already on its way. */
  | { readonly kind: 'canceled' }
  | { readonly kind: 'expired' }
  /** Answer of a probe: the venue never saw this order. It may be heard much later than it was asked for, and counts as of then. */
  | { readonly kind: 'not-found'; readonly askedTimeNs?: TimeNs }
);

/** Where orders go: paper, native or ccxt behind one contract. Never throws for what a venue does; reports come back later. */
export type OrderGateway = {
  /** Writes all orders in this tick. Each must have been journalled before. */
  readonly submit: (orders: readonly OrderRequest[]) => void;
  readonly cancel: (order: ClientOrderId) => void;
  /**
   * Changes an order that rests, in place: under its id, journalled before. False where the venue cannot: nothing was sent then. Answered by `accepted` with
   * the new standing, or by `kept`; by neither when the answer was lost, and then it is asked about.
   */
  readonly replace: (order: ClientOrderId, to: Standing) => boolean;
  /** Asks the venue what became of an order; answered by reports (fills first, then the state, or `not-found`). */
  readonly probe: (order: ClientOrderId) => void;
};

/** Asked before an order leaves: undefined while orders may, else why none does (an emergency stop, a lost lease). Cancels and questions always may. */
export type Fence = () => string | undefined;
