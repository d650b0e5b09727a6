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
import type { OrderRequest, OrderStatus, Standing } from './order.ts';
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
  /** Net quantity done in the leg's own direction, before fees, less what its venue has taken of it by itself. */
  readonly filledQty: Decimal;
  readonly spent: Decimal;
  readonly received: Decimal;
  /** Its venue has taken some of it by itself: nothing is opened there again. */
  readonly isTaken?: boolean;
};

/**
 * A derivative that stands for what is loose elsewhere, until that can be traded: an operation holds it only while it recovers. It is no leg, and its
 * fills count toward none.
 */
export type Cover = {
  readonly instrument: Instrument;
  /** Signed, in the unit of the instrument, net over all fills; never zero. */
  readonly size: Decimal;
};

/** An operation at rest: what recovery decides on. Legs of a product route stand in its order: what leg k receives, leg k + 1 spends. */
export type OperationView = {
  readonly legs: readonly LegView[];
  readonly rates: Readonly<Record<string, Decimal>>;
  /** Recovery rounds that have sent orders so far. */
  readonly round: number;
  /** How often in a row nothing could be sent since. */
  readonly waits: number;
  /** How long recovery has been at it: 0 when it is asked for the first time, and again after a person's word or a late fill. */
  readonly ageMs: number;
  /** Profit of all fills so far, and of what venues have taken, at the operation's rates, fees paid, in the numeraire. */
  readonly realised: Decimal;
  readonly covers: readonly Cover[];
  /** Sum routes: legs agree when filled quantity / `perUnit` is the same for all. `carry` is what a unit is worth beyond its fills, in the numeraire. */
  readonly bond?: Pick<Bond, 'perUnit' | 'intent'> & { readonly carry: Decimal };
};

/**
 * An order that recovery wants sent, immediate-or-cancel.
 *
 * `complete` and `unwind` trade their leg's own instrument. A `hedge` trades another one, and the instrument says how its fills count ({@link standsIn}):
 * - Spot for a spot leg stands in for it: its fills are the leg's. Quantity counts in the leg's direction, base and quote as received and spent; another
 *   quote counts at the operation's rates.
 * - Everything else covers: its fills count toward no leg but as {@link Cover}, and a later `hedge` the other way closes it. `leg` then only says which leg
 *   it is sent for (and counts its attempts).
 */
export type RecoveryOrder = {
  readonly leg: number;
  readonly purpose: 'complete' | 'unwind' | 'hedge';
  readonly instrument: InstrumentId;
  readonly side: Side;
  readonly qty: Qty;
  /** Worst price that is still accepted. */
  readonly price: Price;
};

/** Whether trades of another instrument do a leg's work for good: coins are coins wherever they lie. */
export const standsIn = (leg: Pick<Instrument, 'kind' | 'base'>, other: Pick<Instrument, 'kind' | 'base'>): boolean =>
  leg.kind === 'spot' && other.kind === 'spot' && leg.base === other.base;

/** What stands unhedged: signed, in the instrument's unit; `value` in the numeraire at the operation's rates. */
export type Loose = { readonly instrument: InstrumentId; readonly size: Decimal; readonly value: Decimal };

/** A way out that a person may choose. `accept` sends nothing: what is loose stays, and is inventory. */
export type Proposal = {
  /** Its kind, numbered where there are several: what an approval names. */
  readonly id: string;
  readonly kind: 'complete' | 'unwind' | 'hedge' | 'accept';
  /** In the numeraire, against what the operation is worth at its own rates as it stands. Negative where it gains. */
  readonly cost: Decimal;
  readonly orders: readonly RecoveryOrder[];
};

export type EscalationReason =
  'RECOVERY_OFF' | 'ROUNDS_EXHAUSTED' | 'WAITED_TOO_LONG' | 'LOSS_ABOVE_MAX' | 'TIME_EXHAUSTED' | 'NO_WAY_OUT';

/** Automatic ways are exhausted: what a person needs to decide. */
export type Escalation = {
  readonly kind: 'escalate';
  /** `CODE: key=value, …`; the code is an {@link EscalationReason}. */
  readonly reason: string;
  /** In words: what happened, what is at stake, what can be done. */
  readonly request: string;
  readonly loose: readonly Loose[];
  readonly proposals: readonly Proposal[];
  /** What the operation loses by the best way there is, or has lost where there is none; in the numeraire, negative where it gains. */
  readonly loss: Decimal;
};

/** What is left to do. `wait`: nothing can be sent now (no live book, no funds); asked again later, a bounded number of times. */
export type Recovery =
  | { readonly kind: 'complete'; readonly reason?: 'unfilled' | 'recovered' | 'dust' }
  | { readonly kind: 'send'; readonly orders: readonly RecoveryOrder[] }
  | { readonly kind: 'wait'; readonly reason: string }
  | Escalation;

/** An operation as the journal knows it: what a dead process left open, or ended last. */
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
  /** What venues have taken of it by themselves; absent where nothing was. */
  readonly taken?: readonly Taking[];
  /** Of its fills so far, in the numeraire. */
  readonly pnl: { readonly realised: Decimal; readonly fees: Decimal };
  /** What of it is in the dust ledger already, by asset: it had ended before a late fill woke it. */
  readonly dust: Readonly<Record<string, Decimal>>;
  /** When it was first told of, Unix ms. */
  readonly sinceMs?: number;
  /** When it last said how it is, Unix ms: of one that is over, its end. */
  readonly toldMs?: number;
  /** Of sum routes; `carry` is what a unit is worth beyond its fills, in the numeraire, `asset` the route's. */
  readonly bond?: Bond & { readonly carry: Decimal; readonly asset: Asset };
};

/** What a dead process left. */
export type Left = {
  readonly open: readonly OpenOperation[];
  /** Over, oldest first: a late fill may still wake one. */
  readonly ended: readonly OpenOperation[];
  /** When the journal ends, Unix ms. */
  readonly atMs: number;
};

export type OpenLeg = {
  readonly instrument: InstrumentId;
  readonly side: Side;
  readonly price: Price;
  readonly qty: Qty;
  /** Absent in what was journalled before it was told. */
  readonly expectedPrice?: Decimal;
};

export type OpenOrder = {
  readonly request: OrderRequest;
  readonly status: OrderStatus;
  readonly fills: readonly OpenFill[];
  /** It was to stand so, and nobody knows whether it does. */
  readonly replacing?: Standing;
  /** What was sent in its stead once it was over. */
  readonly replacedBy?: ClientOrderId;
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

/** A trade, or a part of one, that a venue has made by itself of what an operation has entered or covers with. */
export type Taking = Omit<OpenFill, 'tradeId' | 'clientOrderId'> & { readonly instrument: InstrumentId };

/** All that the ledger knows, as rebuilt from the journal. Amounts by asset; `realised` and `fees` in the numeraire. */
export type LedgerState = {
  readonly balances: readonly { readonly venue: VenueId; readonly asset: string; readonly total: Decimal }[];
  readonly positions: readonly {
    readonly instrument: InstrumentId;
    readonly size: Decimal;
    readonly entryPrice: Decimal;
    readonly realised: Decimal;
    readonly cost?: Decimal;
    /** When it was opened from nothing, Unix ms; absent while flat. */
    readonly openedMs?: number;
  }[];
  readonly deviations: Readonly<Record<string, Decimal>>;
  readonly dust: Readonly<Record<string, Decimal>>;
  /** Trades of operations that are open or were lately and those that venues forced, `instrument side tradeId`. */
  readonly trades: readonly string[];
  readonly realised: Decimal;
  readonly fees: Decimal;
  readonly fills: number;
  /** UTC day number of `dayRealised`. */
  readonly day: number;
  readonly dayRealised: Decimal;
};
