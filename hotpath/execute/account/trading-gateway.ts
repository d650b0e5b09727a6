import type { BadInput } from '#shared/assert.ts';
import type { InstrumentId } from '#shared/domain/ids.ts';
import type { Fees } from '#shared/domain/instrument.ts';
import type { OrderGateway } from '#shared/domain/order.ts';
import type { BalanceState, OrderState, PositionState, VenueFill } from '../../venues/venue-account.ts';

/** What an account holds, whole: what is not in it is nothing. */
export type AccountHoldings = {
  readonly balances: readonly BalanceState[];
  readonly positions: readonly PositionState[];
};

/** An account that trades for real: its orders, and what it can be asked. Questions are answered with undefined when the venue does not. */
export type TradingGateway = OrderGateway & {
  /** Orders over a socket; everything told; how long the venue has us wait. */
  readonly status: { readonly socket: boolean; readonly current: boolean; readonly bannedMs: number };
  readonly openOrders: number;
  readonly start: (done: (problem: BadInput | undefined) => void) => void;
  readonly stop: (done?: () => void) => void;
  /** Ends everything open and asks until nothing is; `done` gets what could not be ended, undefined where the venue did not say. */
  readonly cancelAll: (done: (left: readonly OrderState[], isKnown: boolean) => void) => void;
  readonly fees: (done: (fees: ReadonlyMap<InstrumentId, Fees>) => void) => void;
  readonly askHoldings: (done: (holdings: AccountHoldings | undefined) => void) => void;
  readonly askOpenOrders: (done: (orders: readonly OrderState[] | undefined) => void) => void;
  readonly askFills: (sinceMs: number, done: (fills: readonly VenueFill[] | undefined) => void) => void;
  readonly cancelStranger: (order: OrderState) => void;
};
