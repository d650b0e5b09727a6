import { createHash } from 'node:crypto';
import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { FillFacts, Opportunity, Plan, RefusalReason, Verdict } from '#shared/domain/trade.ts';
import { textOf } from '#shared/money/grid.ts';
import type { EventData, LegFill } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Sized } from '../pipeline.ts';

export type Check = EventData<'opportunity'>['checks'][number];

export type OpportunityLogOptions = {
  readonly clock: Clock;
  readonly recorder: Recorder;
  /** Every question that the risk gate asked about the plan, for the explanation. */
  readonly checksOf: (plan: Plan, nowNs: TimeNs) => readonly Check[];
  /** A route not seen for this long has lost its opportunity. */
  readonly expireAfterMs: number;
  /** Events a second a route; more changes than that are counted, not written. */
  readonly eventsPerSecond: number;
  /** Open lifetimes; one more closes the one that was seen longest ago. */
  readonly openMax: number;
};

type Decision = {
  readonly status: 'active' | 'executed';
  readonly reason: RefusalReason | undefined;
  readonly detail: string;
};

/** An opportunity from when its route was first seen to when it was gone. */
type Lifetime = {
  readonly id: OpportunityId;
  readonly firstSeenNs: TimeNs;
  opportunity: Opportunity;
  lastSeenNs: TimeNs;
  peakNetEdge: number;
  decision: Decision;
  operation: string | undefined;
  checks: readonly Check[];
  /** Events left in the running second. */
  allowance: number;
  allowanceFromNs: number;
};

/** Turns a stream of decisions into opportunities with a lifetime, and into one hash that says whether two runs decided the same. */
export class OpportunityLog {
  detected = 0;
  executed = 0;
  /** Changes that the event limit kept out of the journal. */
  suppressed = 0;
  readonly rejectedByReason = new Map<RefusalReason, number>();
  readonly #options: OpportunityLogOptions;
  readonly #open = new Map<number, Lifetime>();
  readonly #hash = createHash('sha256');
  #lastDecided: { readonly seen: OpportunityId; readonly lifetime: OpportunityId } | undefined;

  constructor(options: OpportunityLogOptions) {
    assert(options.openMax > 0, 'the opportunity log holds no lifetime');
    this.#options = options;
  }

  /** sha256 over every decision so far: route, legs, and the reason or the plan. */
  get decisionHash(): string {
    return this.#hash.copy().digest('hex');
  }

  /** The lifetime to which the opportunity that was just decided belongs: under that id the journal knows it. */
  readonly lifetimeOf = (seen: OpportunityId): OpportunityId =>
    this.#lastDecided?.seen === seen ? this.#lastDecided.lifetime : seen;

  /** One decision on a route: the publish stage of the pipeline. */
  readonly opportunity = (route: number, sized: Sized, verdict: Verdict | undefined, nowNs: TimeNs): void => {
    const decision = decisionOf(sized, verdict);
    this.#hash.update(decisionText(sized, decision));
    const known = this.#open.get(route);
    const lifetime = known ?? this.#begin(route, sized.opportunity, decision, nowNs);
    // Most recently seen last: the first of the map is the one to close when it is full.
    if (known !== undefined) {
      this.#open.delete(route);
      this.#open.set(route, known);
    }
    this.#lastDecided = { seen: sized.opportunity.id, lifetime: lifetime.id };
    const changed = known === undefined || decision.status === 'executed' || decision.reason !== known.decision.reason;
    lifetime.opportunity = sized.opportunity;
    lifetime.lastSeenNs = nowNs;
    lifetime.peakNetEdge = Math.max(lifetime.peakNetEdge, sized.opportunity.netEdge);
    if (!changed) return;
    this.#count(decision);
    this.#change(lifetime, sized, decision, nowNs);
  };

  /** Closes what has not been seen for a while. Called on a timer. */
  readonly sweep = (nowNs: TimeNs): void => {
    const beforeNs = nowNs - this.#options.expireAfterMs * 1e6;
    for (const [route, lifetime] of this.#open) {
      if (lifetime.lastSeenNs >= beforeNs) break;
      this.#close(route, lifetime);
    }
  };

  /** Closes every lifetime: the engine stops looking. */
  readonly closeAll = (): void => {
    for (const [route, lifetime] of this.#open) this.#close(route, lifetime);
  };

  /** The open lifetimes of greatest net edge, best first. */
  readonly top = (count: number): readonly { readonly opportunity: Opportunity; readonly reason: string }[] =>
    [...this.#open.values()]
      .sort((a, b) => b.opportunity.netEdge - a.opportunity.netEdge)
      .slice(0, count)
      .map(({ opportunity, decision }) => ({ opportunity, reason: decision.reason ?? decision.status }));

  #begin(route: number, opportunity: Opportunity, decision: Decision, nowNs: TimeNs): Lifetime {
    if (this.#open.size >= this.#options.openMax) {
      for (const [oldest, lifetime] of this.#open) {
        this.#close(oldest, lifetime);
        break;
      }
    }
    const lifetime: Lifetime = {
      id: opportunity.id,
      firstSeenNs: nowNs,
      opportunity,
      lastSeenNs: nowNs,
      peakNetEdge: opportunity.netEdge,
      decision,
      operation: undefined,
      checks: [],
      allowance: this.#options.eventsPerSecond,
      allowanceFromNs: nowNs,
    };
    this.#open.set(route, lifetime);
    this.detected += 1;
    return lifetime;
  }

  #count({ status, reason }: Decision): void {
    if (status === 'executed') this.executed += 1;
    if (reason !== undefined) this.rejectedByReason.set(reason, (this.rejectedByReason.get(reason) ?? 0) + 1);
  }

  /** A lifetime that was executed stays so; what is refused afterwards is told by its reason. */
  #change(lifetime: Lifetime, sized: Sized, decision: Decision, nowNs: TimeNs): void {
    const status = lifetime.decision.status === 'executed' ? 'executed' : decision.status;
    lifetime.decision = { ...decision, status };
    if (sized.kind === 'plan') {
      lifetime.checks = this.#options.checksOf(sized.plan, nowNs);
      if (decision.status === 'executed') lifetime.operation = sized.plan.operation;
    } else {
      lifetime.checks = [{ name: sized.reason, value: sized.detail, passed: false }];
    }
    if (nowNs - lifetime.allowanceFromNs >= 1e9) {
      lifetime.allowance = this.#options.eventsPerSecond;
      lifetime.allowanceFromNs = nowNs;
    }
    // An execution is always told: its operation points here.
    if (lifetime.allowance <= 0 && decision.status !== 'executed') {
      this.suppressed += 1;
      return;
    }
    lifetime.allowance -= 1;
    this.#record(lifetime, status);
  }

  #close(route: number, lifetime: Lifetime): void {
    this.#open.delete(route);
    const { status, reason } = lifetime.decision;
    this.#record(lifetime, status === 'executed' ? 'executed' : reason === undefined ? 'expired' : 'rejected');
  }

  #record(lifetime: Lifetime, status: EventData<'opportunity'>['status']): void {
    const { opportunity, decision, operation } = lifetime;
    const { clock, recorder } = this.#options;
    recorder.record('opportunity', lifetime.id, {
      id: lifetime.id,
      route: opportunity.route,
      type: opportunity.family,
      asset: opportunity.asset,
      legs: opportunity.legs.map(({ instrument, side, price, qty, fill }) => ({
        instrument,
        side,
        price: decimalText(price),
        qty: decimalText(qty),
        ...(fill === undefined ? {} : { fill: fillTexts(fill) }),
      })),
      notional: decimalText(opportunity.notional),
      gross_edge_bps: decimalText(opportunity.grossEdge * 1e4),
      net_edge_bps: decimalText(opportunity.netEdge * 1e4),
      fees: decimalText(opportunity.fees),
      slippage: decimalText(opportunity.slippage),
      unwind_cost: decimalText(opportunity.unwindCost),
      fill_probability: decimalText(opportunity.fillProbability),
      expected_value: decimalText(opportunity.expectedValue),
      oldest_book_age_ms: decimalText(opportunity.oldestBookAgeMs),
      status,
      ...(decision.reason === undefined ? {} : { reason: decision.reason, detail: decision.detail }),
      ...(operation === undefined ? {} : { operation }),
      checks: [...lifetime.checks],
      first_seen: clock.unixNs(lifetime.firstSeenNs),
      last_seen: clock.unixNs(lifetime.lastSeenNs),
      peak_net_edge_bps: decimalText(lifetime.peakNetEdge * 1e4),
    });
  }
}

function decisionOf(sized: Sized, verdict: Verdict | undefined): Decision {
  if (sized.kind === 'refused') return { status: 'active', reason: sized.reason, detail: sized.detail };
  assert(verdict !== undefined, 'a plan was published before the risk gate had answered');
  if (verdict.kind === 'denied') return { status: 'active', reason: verdict.reason, detail: verdict.detail };
  return { status: 'executed', reason: undefined, detail: '' };
}

function decisionText(sized: Sized, { reason }: Decision): string {
  let text = sized.opportunity.route as string;
  for (const leg of sized.opportunity.legs) text += ` ${leg.instrument} ${leg.side} ${leg.price} ${leg.qty}`;
  if (sized.kind === 'plan') {
    for (const leg of sized.plan.legs) text += ` ${leg.instrument} ${leg.side} ${textOf(leg.price)} ${textOf(leg.qty)}`;
  }
  return `${text} ${reason ?? 'approved'}\n`;
}

const fillTexts = ({ ageMs, roundTripMs, volatility, share, cushion }: FillFacts): LegFill => ({
  age_ms: decimalText(ageMs),
  round_trip_ms: decimalText(roundTripMs),
  volatility: decimalText(volatility),
  share: decimalText(share),
  cushion: decimalText(cushion),
});

/** A found number as decimal text: twelve digits say all that a screen can know. */
function decimalText(found: number): string {
  assert(Number.isFinite(found), 'an opportunity holds a number that is none');
  return textOf(new Decimal(found).toSignificantDigits(12));
}
