import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { ApplyOutcome, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN } from '#shared/domain/market-event.ts';
import type { Approved, Opportunity, Plan, SizeRefusal, Verdict } from '#shared/domain/trade.ts';
import { sentLegs } from '#shared/domain/trade.ts';
import type { Claim, Contestant } from './allocator.ts';
import { orderOf, worthOf } from './allocator.ts';

/** What sizing found on a route that passed the screen. A refusal carries the opportunity when there was enough to describe one. */
export type Sized = Planned | Refused;
type Planned = {
  readonly kind: 'plan';
  readonly opportunity: Opportunity;
  readonly plan: Plan;
  readonly contest?: Contest;
};
type Refused = {
  readonly kind: 'refused';
  readonly opportunity: Opportunity;
  readonly reason: SizeRefusal;
  readonly detail: string;
  readonly contest?: Contest;
};

/** A plan's place among those of one change: the first takes what it claims before the second is asked about. */
export type Contest = {
  readonly rank: number;
  readonly of: number;
  /** Expected value per unit of capital and hour. */
  readonly worth: number;
};

/** The stages, in the order in which an update meets them. */
export type Stages = {
  readonly feed: { readonly resync: (instrument: InstrumentIndex) => void };
  readonly book: { readonly apply: (update: MarketUpdate) => ApplyOutcome };
  readonly detect: {
    /** Screens the routes that touch the instrument; returns how many passed, whose indices stand in `found`. */
    readonly screen: (changed: InstrumentIndex, nowNs: TimeNs) => number;
    /** The same for routes whose carry was reckoned anew: without a tick. */
    readonly refresh: (nowNs: TimeNs) => number;
    readonly found: Int32Array;
  };
  readonly size: {
    /** Undefined when there is nothing worth saying: the screen was optimistic, or the route was refused a moment ago for the same reason. */
    readonly size: (route: number, nowNs: TimeNs) => Sized | undefined;
    /** What is left for a route that was planned just now, after a better plan has taken money of it: asked whatever its cool-down says. */
    readonly resize: (route: number, nowNs: TimeNs) => Sized | undefined;
  };
  readonly risk: { readonly approve: (plan: Plan, nowNs: TimeNs) => Verdict };
  readonly execute: {
    readonly submit: (plan: Approved<Plan>, nowNs: TimeNs) => void;
    /** What the plan would take from each account, and what is free there now. */
    readonly claimsOf: (plan: Plan) => readonly Claim[];
  };
  readonly publish: {
    readonly opportunity: (route: number, sized: Sized, verdict: Verdict | undefined, nowNs: TimeNs) => void;
    /** Says of the decisions what is to be said. */
    readonly tell: () => void;
  };
};

/** One market update through every stage, top to bottom. Synchronous to the end: sockets are written to, never awaited. */
export function onMarketUpdate(stages: Stages, update: MarketUpdate): void {
  const outcome = stages.book.apply(update);
  if (outcome === BROKEN) stages.feed.resync(update.instrument);
  if (outcome !== APPLIED) return;

  const found = stages.detect.screen(update.instrument, update.receivedTimeNs);
  if (found > 0) pursue(stages, stages.detect.found.subarray(0, found), update.receivedTimeNs);
}

/** A book is believed again that says nothing itself: its prices have changed from none to some. */
export function onBelieved(stages: Stages, instrument: InstrumentIndex, nowNs: TimeNs): void {
  const found = stages.detect.screen(instrument, nowNs);
  if (found > 0) pursue(stages, stages.detect.found.subarray(0, found), nowNs);
}

/** Time has passed, or a venue has spoken of funding or an index: the same from there on. */
export function onRefresh(stages: Stages, nowNs: TimeNs): void {
  const found = stages.detect.refresh(nowNs);
  if (found > 0) pursue(stages, stages.detect.found.subarray(0, found), nowNs);
}

type Deciding = Pick<Stages, 'size' | 'risk' | 'execute' | 'publish'>;

/** Routes that look good at best prices, best first: sized, then asked about and sent one after the other. */
export function pursue(stages: Deciding, found: Int32Array, nowNs: TimeNs): void {
  const plans: Candidate[] = [];
  for (const route of found) {
    const sized = stages.size.size(route, nowNs);
    if (sized?.kind === 'plan') plans.push({ route, sized });
    else if (sized !== undefined) settle(stages, route, sized, nowNs);
  }
  if (plans.length > 1) compete(stages, plans, nowNs);
  else for (const { route, sized } of plans) settle(stages, route, sized, nowNs);
  tell(stages);
}

/** The last word on a route: the gate's where there is a plan. What is said of it is fixed before money moves, and told when the orders have left. */
function settle(stages: Deciding, route: number, sized: Sized, nowNs: TimeNs): void {
  const verdict = sized.kind === 'plan' ? stages.risk.approve(sized.plan, nowNs) : undefined;
  stages.publish.opportunity(route, sized, verdict, nowNs);

  if (verdict?.kind === 'approved') stages.execute.submit(verdict.plan, nowNs);
}

/** Orders have left: now there is time for words. */
function tell(stages: Pick<Stages, 'publish'>): void {
  stages.publish.tell();
}

type Candidate = { readonly route: number; readonly sized: Planned };

/** Plans of one change may want the same money: the better ones have it first. */
function compete(stages: Deciding, plans: readonly Candidate[], nowNs: TimeNs): void {
  const contestants = plans.map(({ sized }) => contestantFrom(sized, stages.execute.claimsOf(sized.plan)));
  for (const [place, index] of orderOf(contestants).entries()) {
    const { route, sized } = plans[index]!;
    const contest = { rank: place + 1, of: plans.length, worth: worthOf(contestants[index]!) };
    settle(stages, route, { ...affordable(stages, route, sized, nowNs), contest }, nowNs);
  }
}

function contestantFrom({ opportunity, plan }: Planned, claims: readonly Claim[]): Contestant {
  return {
    expectedValue: plan.expectedValue.toNumber(),
    capital: opportunity.capital * plan.rates[plan.asset]!.toNumber(),
    holdHours: opportunity.holding?.hours ?? 0,
    netEdge: opportunity.netEdge,
    claims,
    instruments: sentLegs(plan.legs).map(({ instrument }) => instrument),
  };
}

/** The plan as it is while its money is there, else what is left of it. */
function affordable(stages: Deciding, route: number, sized: Planned, nowNs: TimeNs): Sized {
  const short = stages.execute.claimsOf(sized.plan).find(({ amount, free }) => amount > free);
  if (short === undefined) return sized;
  const smaller = stages.size.resize(route, nowNs);
  if (smaller?.kind === 'plan') return smaller;
  return {
    kind: 'refused',
    opportunity: sized.opportunity,
    reason: 'CAPITAL_ALLOCATED',
    detail: `account=${short.account}, wanted=${short.amount}, free=${short.free}`,
  };
}
