import type { Decimal } from 'decimal.js';
import type { Price, Qty } from '../money/grid.ts';
import type {
  Asset,
  ClientOrderId,
  InstrumentId,
  OperationId,
  OpportunityId,
  RouteId,
  TradeId,
  VenueId,
} from './ids.ts';
import type { Instrument } from './instrument.ts';
import type { OrderRequest, OrderStatus } from './order.ts';
import type { FamilyId, Side } from './route.ts';
import type { Bond, OperationState } from './trade.ts';

/**
 * One leg as recovery sees it once none of its orders works any more. A buy spends quote and receives base, a sell the other way round;
 * amounts are net over all orders of the leg, fees included, so an unwind takes back what the leg did.
 */
export type LegView = {
  readonly instrument: Instrument;
  readonly side: Side;
  /** As planned. */
  readonly qty: Qty;
  /** Net quantity done in the leg's own direction, before fees. */
  readonly filledQty: Decimal;
  readonly spent: Decimal;
  readonly received: Decimal;
};

/** An operation at rest: what recovery decides on. Legs of a product route stand in its order: what leg k receives, leg k + 1 spends. */
export type OperationView = {
  readonly legs: readonly LegView[];
  readonly rates: Readonly<Record<string, Decimal>>;
  /** Recovery rounds that have sent orders so far. */
  readonly round: number;
  /** How often in a row nothing could be sent since. */
  readonly waits: number;
  /** Sum routes: legs agree when filled quantity / `perUnit` is the same for all. `carry` is what a unit is worth beyond its fills, in the numeraire. */
  readonly bond?: { readonly perUnit: readonly Decimal[]; readonly carry: Decimal };
};

export type RecoveryOrder = {
  readonly leg: number;
  readonly purpose: 'complete' | 'unwind';
  readonly side: Side;
  readonly qty: Qty;
  /** Worst price that is still accepted. */
  readonly price: Price;
};

/** What is left to do. `wait`: nothing can be sent now (no live book, no funds); asked again later, a bounded number of times. */
export type Recovery =
  | { readonly kind: 'complete'; readonly reason?: 'unfilled' | 'recovered' | 'dust' }
  | { readonly kind: 'send'; readonly orders: readonly RecoveryOrder[] }
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'fail'; readonly reason: string };

/** An operation that the journal knows and that has not ended: what a dead process left behind. */
export type OpenOperation = {
  readonly id: OperationId;
  readonly opportunity: OpportunityId;
  readonly route: RouteId;
  readonly family: FamilyId;
  readonly state: OperationState;
  readonly notional: Decimal;
  readonly expectedProfit: Decimal;
  readonly rates: Readonly<Record<string, Decimal>>;
  readonly legs: readonly OpenLeg[];
  readonly orders: readonly OpenOrder[];
  /** Of its fills so far, in the numeraire. */
  readonly pnl: { readonly realised: Decimal; readonly fees: Decimal };
  /** What of it is in the dust ledger already, by asset: it had ended before a late fill woke it. */
  readonly dust: Readonly<Record<string, Decimal>>;
  /** Of sum routes; `carry` is what a unit is worth beyond its fills, in the numeraire, `asset` the route's. */
  readonly bond?: Bond & { readonly carry: Decimal; readonly asset: Asset };
};

export type OpenLeg = {
  readonly instrument: InstrumentId;
  readonly side: Side;
  readonly price: Price;
  readonly qty: Qty;
};

export type OpenOrder = {
  readonly request: OrderRequest;
  readonly status: OrderStatus;
  readonly fills: readonly OpenFill[];
};

export type OpenFill = {
  readonly tradeId: TradeId;
  readonly clientOrderId: ClientOrderId;
  readonly side: Side;
  readonly price: Decimal;
  readonly qty: Decimal;
  readonly fee: Decimal;
  readonly feeAsset: string;
  /** Where the operation's rates do not know the fee's asset. */
  readonly feeRate?: Decimal;
};

/** All that the ledger knows, as rebuilt from the journal. Amounts by asset; `realised` and `fees` in the numeraire. */
export type LedgerState = {
  readonly balances: readonly { readonly venue: VenueId; readonly asset: string; readonly total: Decimal }[];
  readonly positions: readonly {
    readonly instrument: InstrumentId;
    readonly size: Decimal;
    readonly entryPrice: Decimal;
    readonly realised: Decimal;
    readonly cost?: Decimal;
  }[];
  readonly deviations: Readonly<Record<string, Decimal>>;
  readonly dust: Readonly<Record<string, Decimal>>;
  /** Trades of operations that are still open, `instrument side tradeId`. */
  readonly trades: readonly string[];
  readonly realised: Decimal;
  readonly fees: Decimal;
  readonly fills: number;
  /** UTC day number of `dayRealised`. */
  readonly day: number;
  readonly dayRealised: Decimal;
};
