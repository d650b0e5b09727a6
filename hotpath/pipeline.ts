import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { ApplyOutcome, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN } from '#shared/domain/market-event.ts';
import type { Approved, Opportunity, Plan, SizeRefusal, Verdict } from '#shared/domain/trade.ts';

/** What sizing found on a route that passed the screen. A refusal carries the opportunity when there was enough to describe one. */
export type Sized =
  | { readonly kind: 'plan'; readonly opportunity: Opportunity; readonly plan: Plan }
  | {
      readonly kind: 'refused';
      readonly opportunity: Opportunity;
      readonly reason: SizeRefusal;
      readonly detail: string;
    };

/** The stages, in the order in which an update meets them. */
export type Stages = {
  readonly feed: { readonly resync: (instrument: InstrumentIndex) => void };
  readonly book: { readonly apply: (update: MarketUpdate) => ApplyOutcome };
  readonly detect: {
    /** Screens the routes that touch the instrument; returns how many passed, whose indices stand in `found`. */
    readonly screen: (changed: InstrumentIndex, nowNs: TimeNs) => number;
    readonly found: Int32Array;
  };
  readonly size: {
    /** Undefined when there is nothing worth saying: the screen was optimistic, or the route was refused a moment ago for the same reason. */
    readonly size: (route: number, nowNs: TimeNs) => Sized | undefined;
  };
  readonly risk: { readonly approve: (plan: Plan, nowNs: TimeNs) => Verdict };
  readonly execute: { readonly submit: (plan: Approved<Plan>, nowNs: TimeNs) => void };
  readonly publish: {
    readonly opportunity: (route: number, sized: Sized, verdict: Verdict | undefined, nowNs: TimeNs) => void;
  };
};

/** One market update through every stage, top to bottom. Synchronous to the end: sockets are written to, never awaited. */
export function onMarketUpdate(stages: Stages, update: MarketUpdate): void {
  const outcome = stages.book.apply(update);
  if (outcome === BROKEN) stages.feed.resync(update.instrument);
  if (outcome !== APPLIED) return;

  const found = stages.detect.screen(update.instrument, update.receivedTimeNs);
  for (let at = 0; at < found; at += 1) pursue(stages, stages.detect.found[at]!, update.receivedTimeNs);
}

/** One route that looks good at best prices: sized, asked about, sent. */
function pursue(stages: Stages, route: number, nowNs: TimeNs): void {
  const sized = stages.size.size(route, nowNs);
  if (sized === undefined) return;

  const verdict = sized.kind === 'plan' ? stages.risk.approve(sized.plan, nowNs) : undefined;
  stages.publish.opportunity(route, sized, verdict, nowNs);

  if (verdict?.kind === 'approved') stages.execute.submit(verdict.plan, nowNs);
}
