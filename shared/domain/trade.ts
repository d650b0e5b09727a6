import type { Decimal } from 'decimal.js';
import type { Amount, Price, Qty } from '../money/grid.ts';
import type { Asset, Branded, InstrumentId, OperationId, OpportunityId, RouteId, TimeNs } from './ids.ts';
import type { FamilyId, Side, Terms } from './route.ts';

/** A mispricing seen, nothing promised. Amounts are in `asset`, the route's start asset. */
export type Opportunity = {
  readonly id: OpportunityId;
  readonly route: RouteId;
  readonly family: FamilyId;
  readonly asset: Asset;
  readonly legs: readonly OpportunityLeg[];
  /** Size in `asset` that was walked. */
  readonly notional: number;
  /** At best prices, before fees, as a fraction. */
  readonly grossEdge: number;
  /** After fees and the depth walk at `notional`, as a fraction. */
  readonly netEdge: number;
  /** Costs at `notional`, in `asset`. */
  readonly fees: number;
  readonly slippage: number;
  readonly unwindCost: number;
  readonly fillProbability: number;
  /** The probability that it ends as if every leg had filled: P(all fill), and what recovery saves of the rest. */
  readonly goodEnd: number;
  /** P(good end) × (net profit + improvement) − (1 − P) × unwind cost − impact. */
  readonly expectedValue: number;
  readonly oldestBookAgeMs: number;
  readonly detectedTimeNs: TimeNs;
  /** What must lie idle or as margin until the end, in `asset`: what EV is ranked by. The notional for routes that end at once. */
  readonly capital: number;
  /** Estimated cost of our own footprint beyond the displayed levels, in `asset`; part of `expectedValue`. */
  readonly impact: number;
  /** What orders get better than reckoned, in `asset`, because they take levels whole of which only a share is counted on; part of `expectedValue`. */
  readonly improvement: number;
  /** Routes that hold. */
  readonly holding?: Holding;
};

/** What the time until the end brings and costs at `notional`, in the opportunity's asset: costs are positive, funding is what is received. */
export type Holding = {
  readonly certainty: Terms['certainty'];
  /** Until the last settlement, or the configured horizon. */
  readonly hours: number;
  readonly payoff: number;
  readonly closing: number;
  readonly delivery: number;
  readonly funding: number;
  readonly borrow: number;
  readonly capitalCost: number;
  /** Net edge a year, simple: netEdge × year / hours. */
  readonly annualised: number;
  /** Hours after which funding has paid for everything else; Infinity when it never does, 0 when nothing is left to pay for. */
  readonly breakEvenHours: number;
};

export type OpportunityLeg = {
  readonly instrument: InstrumentId;
  readonly side: Side;
  /** Average price of the walk and quantity in the unit of the book, as found: floats, for people and screens. */
  readonly price: number;
  readonly qty: number;
  readonly fill?: FillFacts;
};

/** What the chance that a leg fills is reckoned from; docs/calibration.md. */
export type FillFacts = {
  readonly ageMs: number;
  readonly roundTripMs: number;
  /** Fraction per square root of a second. */
  readonly volatility: number;
  /** The leg's quantity as a share of what is displayed within its limit. */
  readonly share: number;
  /** What is displayed within the limits, were every leg's like this one's, in the numeraire: the plan's notional / `share`. */
  readonly displayed: number;
  /** How far the limit stands beyond the worst level that is needed, as a fraction of the price. */
  readonly cushion: number;
};

/** Exact legs, checked for all of them before the first order. */
export type Plan = {
  readonly operation: OperationId;
  readonly opportunity: OpportunityId;
  readonly route: RouteId;
  readonly family: FamilyId;
  readonly asset: Asset;
  readonly legs: readonly PlanLeg[];
  /** In the numeraire. */
  readonly notional: Amount;
  /** Expected profit at plan time, in the numeraire. */
  readonly expectedProfit: Amount;
  readonly netEdgeBps: number;
  readonly expectedValue: Amount;
  readonly fillProbability: number;
  readonly oldestBookAgeMs: number;
  /** Value of one unit of each asset the plan touches, in the numeraire, fixed now so that profit can be recomputed from fills. */
  readonly rates: Readonly<Record<string, Decimal>>;
  readonly plannedTimeNs: TimeNs;
  /** In the numeraire: what of `expectedProfit` comes after the fills (payoffs, funding) less what is still to be paid (closing, delivery, borrow, capital). 0 for product routes. */
  readonly expectedCarry: Amount;
  /** Sum routes: how the legs hang together, for recovery and for what is held afterwards. */
  readonly bond?: Bond;
};

/** Legs of a sum plan agree when filled quantity / `perUnit` is the same for all of them. */
export type Bond = {
  /** Units of the route that the plan takes. */
  readonly units: Decimal;
  /** By leg: quantity in the venue's unit per unit of the route, as planned. */
  readonly perUnit: readonly Decimal[];
  /** `enter` opens what is held until `endsMs` (or until it is closed by trading where that is absent); `exit` closes it. */
  readonly intent: 'enter' | 'exit';
  readonly endsMs?: number;
  /** The route carries an exposure over from one settlement to the next. */
  readonly isBridged?: true;
  /** Of an exit: the operation that entered what it closes. */
  readonly holding?: OperationId;
};

export type PlanLeg = {
  readonly instrument: InstrumentId;
  readonly side: Side;
  /** Worst price the plan still bears, on the tick grid. */
  readonly price: Price;
  readonly qty: Qty;
  /** Average price the walk expects. */
  readonly expectedPrice: Decimal;
  /** In the numeraire. */
  readonly notional: Amount;
  /** It rests in its book, and the other legs follow its fills; one leg at most. Absent: all legs take at once. */
  readonly how?: 'maker';
  /** Parts of `qty` that other venues' listings of the same coins trade; the leg's own order is for the rest. Spot alone: coins are coins wherever they lie. */
  readonly beside?: readonly LegPart[];
};

export type LegPart = Pick<PlanLeg, 'instrument' | 'price' | 'qty' | 'expectedPrice' | 'notional'>;

/** What is sent of legs: each part as a leg of its own. The same list where none has parts. */
export function sentLegs(legs: readonly PlanLeg[]): readonly PlanLeg[] {
  for (const { beside } of legs) if (beside !== undefined) return legs.flatMap(partsOf);
  return legs;
}

function partsOf({ beside = [], ...leg }: PlanLeg): readonly PlanLeg[] {
  const qty = beside.reduce<Decimal>((left, part) => left.minus(part.qty), leg.qty);
  const notional = leg.notional.times(qty).div(leg.qty);
  const own: PlanLeg = { ...leg, qty: qty as Qty, notional: notional as Amount };
  return [own, ...beside.map((part): PlanLeg => ({ ...leg, ...part }))];
}

/** Made by the risk gate alone; the executor takes nothing else. */
export type Approved<T> = Branded<T, 'Approved'>;

/** Why the engine itself did not trade what it saw: before a plan existed (sizing), or when the gate refused the plan. */
export type RefusalReason = SizeRefusal | DenyReason;

export type SizeRefusal =
  | 'EDGE_BELOW_THRESHOLD'
  | 'EV_BELOW_THRESHOLD'
  | 'DEPTH_INSUFFICIENT'
  | 'BELOW_MIN_QTY'
  | 'BELOW_MIN_NOTIONAL'
  | 'BALANCE_INSUFFICIENT'
  | 'RATE_UNKNOWN'
  /** Funding, index or another word of the venue that the route is reckoned with is missing. */
  | 'REFERENCE_UNKNOWN'
  /** Better than what is believed: a wrong price is likelier than a gift. */
  | 'EDGE_ABNORMAL'
  /** A level that carries the size has stood for too short a time. */
  | 'LEVEL_TOO_YOUNG'
  /** The opportunity itself has not lasted long enough. */
  | 'LIFETIME_TOO_SHORT'
  /** The books' times cannot be told apart well enough to say that they were true at once. */
  | 'CLOCKS_UNCERTAIN'
  /** A better opportunity has taken the money that both would need. */
  | 'CAPITAL_ALLOCATED'
  | 'ROUTE_COOLING_DOWN';

/** Denied is ours, rejected is the venue's: never one word for both. */
export type DenyReason =
  | 'TRADING_HALTED'
  | 'TRADING_REDUCING'
  | 'VENUE_UNHEALTHY'
  | 'BOOK_NOT_LIVE'
  | 'BOOK_TOO_OLD'
  | 'EDGE_BELOW_MIN'
  | 'POSITION_EXCEEDS_MAX'
  | 'VENUE_EXPOSURE_EXCEEDS_MAX'
  | 'TOTAL_EXPOSURE_EXCEEDS_MAX'
  | 'DAILY_LOSS_EXCEEDS_MAX'
  | 'OPEN_OPERATIONS_EXCEED_MAX'
  | 'ASSET_EXPOSURE_EXCEEDS_MAX'
  | 'FAMILY_EXPOSURE_EXCEEDS_MAX'
  | 'CONCENTRATION_EXCEEDS_MAX'
  | 'LEVERAGE_EXCEEDS_MAX'
  | 'CORRELATION_RISK_EXCEEDS_MAX'
  | 'DRAWDOWN_EXCEEDS_MAX'
  | 'VAR_EXCEEDS_MAX'
  | 'EXPECTED_SHORTFALL_EXCEEDS_MAX'
  | 'SLIPPAGE_EXCEEDS_MAX'
  | 'EXECUTION_TIME_EXCEEDS_MAX'
  | 'ORDER_RATE_EXCEEDS_MAX'
  | 'EDGE_ABNORMAL'
  | 'BALANCE_INSUFFICIENT'
  | 'MARGIN_INSUFFICIENT'
  /** The account's venue is not heard, or differs from the ledger. */
  | 'ACCOUNT_UNVERIFIED'
  /** The figures of the portfolio are older than they may be. */
  | 'RISK_UNKNOWN'
  /** Another order of ours rests where this plan would trade against it. */
  | 'SELF_TRADE'
  | 'INSTRUMENT_BUSY'
  /** A venue is near to reducing what is held of an instrument. */
  | 'ADL_RANK_EXCEEDS_MAX'
  /** The route needs a spot trade at a settlement to come, which nobody makes yet. */
  | 'BRIDGE_NOT_TRADED';

/** `detail` is `key=value, key=value`. */
export type Denied = { readonly kind: 'denied'; readonly reason: DenyReason; readonly detail: string };
export type Verdict = { readonly kind: 'approved'; readonly plan: Approved<Plan> } | Denied;

export type TradingState = 'active' | 'reducing' | 'halted';

/** The life of a plan. Each transition is an event, journalled before its effect. `escalated`: automatic ways are exhausted, a person decides. */
export type OperationState = 'approved' | 'executing' | 'recovering' | 'escalated' | 'completed' | 'failed';
