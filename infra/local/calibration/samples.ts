import type { FillFacts } from '#shared/domain/trade.ts';
import type { EngineEvent, EventData, LegFill } from '#shared/schema/event.ts';

/** One plan that was sent, and what came of it. Money in the numeraire. */
export type Sample = {
  readonly family: string;
  readonly plannedMs: number;
  readonly legs: readonly LegSample[];
  /** As it was predicted when the plan was made. */
  readonly fillProbability: number;
  readonly allFilled: boolean;
  readonly expectedValue: number;
  /** What the plan would have made, had all legs filled: its profit, and what whole levels give beyond it. */
  readonly expectedProfit: number;
  readonly unwindCost: number;
  /** Undefined for what is held: it has not brought everything yet. */
  readonly realised: number | undefined;
};

export type LegSample = { readonly facts: FillFacts; readonly filled: boolean };

type Sending = {
  readonly opportunity: EventData<'opportunity'>;
  readonly filled: Map<number, boolean>;
  operation: EventData<'operation'> | undefined;
};

/** Reads a journal's plans whose operations have ended: what their chance was reckoned from, which legs filled at once, and what they brought. */
export function samplesFrom(events: Iterable<EngineEvent>): readonly Sample[] {
  const sendings = new Map<string, Sending>();
  for (const event of events) {
    if (event.kind === 'opportunity') {
      // It is told again later, with what was seen by then: the first word is the plan's.
      const id = event.data.operation;
      if (id === undefined || sendings.has(id)) continue;
      sendings.set(id, { opportunity: event.data, filled: new Map(), operation: undefined });
    } else if (event.kind === 'order' && event.data.purpose === 'leg' && event.data.attempt === 0) {
      sendings.get(event.data.operation)?.filled.set(event.data.leg, event.data.status === 'filled');
    } else if (event.kind === 'operation' && event.data.pnl !== undefined) {
      const sending = sendings.get(event.data.id);
      if (sending !== undefined) sending.operation = event.data;
    }
  }
  return [...sendings.values()].flatMap((sending) => sampleFrom(sending) ?? []);
}

/** Undefined when it has not ended, was never sent, or was planned before facts were journalled. */
function sampleFrom({ opportunity, filled, operation }: Sending): Sample | undefined {
  const legs = opportunity.legs.flatMap(({ fill }, at) =>
    fill === undefined || !filled.has(at) ? [] : [{ facts: factsFrom(fill), filled: filled.get(at)! }],
  );
  if (operation?.pnl === undefined || legs.length < opportunity.legs.length) return undefined;
  const rate = Number(operation.rates[opportunity.asset] ?? NaN);
  return {
    family: opportunity.type,
    plannedMs: Number(BigInt(opportunity.last_seen) / 1_000_000n),
    legs,
    fillProbability: Number(opportunity.fill_probability),
    allFilled: legs.every((leg) => leg.filled),
    expectedValue: Number(opportunity.expected_value) * rate,
    expectedProfit: Number(operation.expected_profit) + Number(opportunity.improvement ?? 0) * rate,
    unwindCost: Number(opportunity.unwind_cost) * rate,
    realised: operation.bond === undefined ? Number(operation.pnl.realised) : undefined,
  };
}

const factsFrom = (fill: LegFill): FillFacts => ({
  ageMs: Number(fill.age_ms),
  roundTripMs: Number(fill.round_trip_ms),
  volatility: Number(fill.volatility),
  share: Number(fill.share),
  displayed: Number(fill.displayed),
  cushion: Number(fill.cushion),
});
