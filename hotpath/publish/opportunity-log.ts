import { createHash } from 'node:crypto';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { Opportunity, Plan, RefusalReason, Verdict } from '#shared/domain/trade.ts';
import { textOf } from '#shared/money/grid.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Contest, Sized } from '../pipeline.ts';
import type { Aftermath, Hindsight } from './hindsight.ts';
import { bpsText, contestTexts, counterfactualTexts, figuresOf } from './opportunity-event.ts';

export type Check = EventData<'opportunity'>['checks'][number];

export type OpportunityLogOptions = {
  readonly clock: Clock;
  readonly recorder: Recorder;
  /** Every question that the risk gate asked about the plan, for the explanation: found when this is called, put into words when its answer is. */
  readonly checksOf: (plan: Plan, nowNs: TimeNs) => () => readonly Check[];
  /** A route not seen for this long has lost its opportunity. */
  readonly expireAfterMs: number;
  /** Events a second a route; more changes than that are counted, not written. */
  readonly eventsPerSecond: number;
  /** Open lifetimes; one more closes the one that was seen longest ago. */
  readonly openMax: number;
  /** Looks after what was refused, once a lifetime. */
  readonly hindsight?: Hindsight;
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
  checks: () => readonly Check[];
  contest: Contest | undefined;
  /** The opportunity that was refused first, and how it went on. */
  refused: { readonly opportunity: Opportunity; readonly aftermath: Aftermath } | undefined;
  isOpen: boolean;
  /** Events left in the running second. */
  allowance: number;
  allowanceFromNs: number;
};

/** A decision that is made and not yet said; `status`: of the event about it, where there is one. */
type Untold = {
  readonly lifetime: Lifetime;
  readonly sized: Sized;
  readonly decision: Decision;
  readonly status: EventData<'opportunity'>['status'] | undefined;
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
  readonly #untold: Untold[] = [];
  #lastDecided: { readonly seen: OpportunityId; readonly lifetime: OpportunityId } | undefined;

  constructor(options: OpportunityLogOptions) {
    assert(options.openMax > 0, 'the opportunity log holds no lifetime');
    this.#options = options;
  }

  /** sha256 over every decision told so far: route, legs, and the reason or the plan. */
  get decisionHash(): string {
    return this.#hash.copy().digest('hex');
  }

  /** The lifetime to which the opportunity that was just decided belongs: under that id the journal knows it. */
  readonly lifetimeOf = (seen: OpportunityId): OpportunityId =>
    this.#lastDecided?.seen === seen ? this.#lastDecided.lifetime : seen;

  /** One decision on a route: the publish stage of the pipeline. What is to be said of it is kept as it is now, and said by `tell`. */
  readonly opportunity = (route: number, sized: Sized, verdict: Verdict | undefined, nowNs: TimeNs): void => {
    const decision = decisionOf(sized, verdict);
    const known = this.#open.get(route);
    if (known !== undefined && this.#untold.some(({ lifetime }) => lifetime === known)) this.tell();
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
    if (decision.reason !== undefined && lifetime.refused === undefined) this.#follow(route, lifetime);
    const status = changed ? this.#change(lifetime, sized, decision, nowNs) : undefined;
    this.#untold.push({ lifetime, sized, decision, status });
  };

  /** Says what was decided, in the order of the decisions. Texts cost as much as the decision: orders do not wait for them. */
  readonly tell = (): void => {
    for (const { lifetime, sized, decision, status } of this.#untold) {
      this.#hash.update(decisionText(sized, decision));
      if (status !== undefined) this.#record(lifetime, status);
    }
    this.#untold.length = 0;
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
    this.tell();
    this.#options.hindsight?.stop();
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
      checks: () => [],
      contest: undefined,
      refused: undefined,
      isOpen: true,
      allowance: this.#options.eventsPerSecond,
      allowanceFromNs: nowNs,
    };
    this.#open.set(route, lifetime);
    this.detected += 1;
    return lifetime;
  }

  /** What becomes of a refused opportunity may be known only when its lifetime is over: then it is told once more. */
  #follow(route: number, lifetime: Lifetime): void {
    const { opportunity } = lifetime;
    const aftermath = this.#options.hindsight?.follow(route, opportunity, () => {
      if (!lifetime.isOpen && lifetime.decision.status !== 'executed') this.#recordEnd(lifetime);
    });
    if (aftermath !== undefined) lifetime.refused = { opportunity, aftermath };
  }

  #count({ status, reason }: Decision): void {
    if (status === 'executed') this.executed += 1;
    if (reason !== undefined) this.rejectedByReason.set(reason, (this.rejectedByReason.get(reason) ?? 0) + 1);
  }

  /** The status to tell; undefined: nothing is told. A lifetime that was executed stays so; what is refused afterwards is told by its reason. */
  #change(lifetime: Lifetime, sized: Sized, decision: Decision, nowNs: TimeNs): Untold['status'] {
    this.#count(decision);
    const status = lifetime.decision.status === 'executed' ? 'executed' : decision.status;
    lifetime.decision = { ...decision, status };
    lifetime.contest = sized.contest;
    if (sized.kind === 'plan') {
      lifetime.checks = this.#options.checksOf(sized.plan, nowNs);
      if (decision.status === 'executed') lifetime.operation = sized.plan.operation;
    } else {
      lifetime.checks = () => [{ name: sized.reason, value: sized.detail, passed: false }];
    }
    if (nowNs - lifetime.allowanceFromNs >= 1e9) {
      lifetime.allowance = this.#options.eventsPerSecond;
      lifetime.allowanceFromNs = nowNs;
    }
    // An execution is always told: its operation points here.
    if (lifetime.allowance <= 0 && decision.status !== 'executed') {
      this.suppressed += 1;
      return undefined;
    }
    lifetime.allowance -= 1;
    return status;
  }

  #close(route: number, lifetime: Lifetime): void {
    this.tell();
    this.#open.delete(route);
    lifetime.isOpen = false;
    this.#recordEnd(lifetime);
  }

  #recordEnd(lifetime: Lifetime): void {
    const { status, reason } = lifetime.decision;
    this.#record(lifetime, status === 'executed' ? 'executed' : reason === undefined ? 'expired' : 'rejected');
  }

  #record(lifetime: Lifetime, status: EventData<'opportunity'>['status']): void {
    const { opportunity, decision, operation, contest, refused, firstSeenNs, lastSeenNs } = lifetime;
    const { clock, recorder } = this.#options;
    const lifetimeMs = (lastSeenNs - firstSeenNs) / 1e6;
    recorder.record('opportunity', lifetime.id, {
      id: lifetime.id,
      ...figuresOf(opportunity),
      status,
      ...(decision.reason === undefined ? {} : { reason: decision.reason, detail: decision.detail }),
      ...(operation === undefined ? {} : { operation }),
      ...(contest === undefined ? {} : { contest: contestTexts(contest) }),
      checks: [...lifetime.checks()],
      first_seen: clock.unixNs(firstSeenNs),
      last_seen: clock.unixNs(lastSeenNs),
      peak_net_edge_bps: bpsText(lifetime.peakNetEdge),
      ...(refused?.aftermath.complete === true
        ? { counterfactual: counterfactualTexts(refused.opportunity, refused.aftermath.outcomes, lifetimeMs) }
        : {}),
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
