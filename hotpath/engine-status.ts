import type { Clock } from '#shared/clock/clock.ts';
import type { TimeNs, VenueId } from '#shared/domain/ids.ts';
import { plainText, textOf } from '#shared/money/grid.ts';
import type { EngineStatus, SyntheticStatus } from '#shared/schema/status.ts';
import type { Engine } from './engine.ts';
import type { Tenure } from './lease/tenure.ts';
import type { SyntheticLevel } from './synthetics/synthetic-view.ts';
import { viewOf } from './synthetics/synthetic-view.ts';

/** What the publish worker last said of itself. */
export type Shipping = { readonly publishedSeq: number; readonly lagRecords: number; readonly lagMs: number };

export type StatusSources = {
  readonly engine: Engine;
  readonly name: string;
  readonly version: string;
  readonly clock: Clock;
  readonly startedAtMs: number;
  readonly shipping: () => Shipping;
  /** Of this process; zeros where the process is not only the engine. */
  readonly load: () => {
    readonly memoryBytes: number;
    readonly memoryLimitBytes?: number;
    readonly cpuPercent: number;
  };
};

/** A book that was never there is infinitely old, and JSON has no infinity. */
const AGE_MAX_MS = 86_400_000;
const TOP_OPPORTUNITIES = 8;

/** The engine in one record: made once a second, for the terminal, the state table and the metrics. */
export function statusMaker(sources: StatusSources): () => EngineStatus {
  const { engine, clock } = sources;
  let last = { messages: 0, atNs: clock.now() as number };
  return () => {
    const nowNs = clock.now();
    const { executor, ledger, opportunities, decisions, journal } = engine;
    const venues = engine.feed.status().map((venue) => ({ ...venue, ...engine.ordersAt(venue.id as VenueId) }));
    const messages = venues.reduce((sum, venue) => sum + venue.messages, 0);
    const perSecond = nowNs > last.atNs ? ((messages - last.messages) * 1e9) / (nowNs - last.atNs) : 0;
    last = { messages, atNs: nowNs };
    const shipping = sources.shipping();
    const load = sources.load();
    return {
      engine: sources.name,
      epoch: engine.epoch,
      mode: engine.mode,
      at_ms: clock.unixMs(nowNs),
      started_at_ms: sources.startedAtMs,
      trading_state: engine.trading.state,
      reason: engine.trading.reason,
      version: sources.version,
      venues,
      messages,
      messages_per_second: perSecond,
      decision_ns: {
        p50: decisions.getValueAtPercentile(50),
        p99: decisions.getValueAtPercentile(99),
        p999: decisions.getValueAtPercentile(99.9),
      },
      latency: engine.latencies(),
      opportunities: {
        detected: opportunities.detected,
        executed: opportunities.executed,
        rejected_by_reason: Object.fromEntries(opportunities.rejectedByReason),
        top: opportunities.top(TOP_OPPORTUNITIES).map(({ opportunity, reason }) => ({
          route: opportunity.route,
          type: opportunity.family,
          net_edge_bps: opportunity.netEdge * 1e4,
          notional: opportunity.notional,
          reason,
        })),
      },
      operations: { ...executor.counts },
      fills: ledger.fills,
      pnl: { realised: textOf(ledger.pnl.realised), fees: textOf(ledger.pnl.fees) },
      journal: {
        records: journal.lastSeq,
        published: shipping.publishedSeq,
        lag_records: shipping.lagRecords,
        lag_ms: shipping.lagMs,
      },
      risk: engine.risk.status(),
      breakers: [...engine.risk.breakers.status()],
      memory_bytes: load.memoryBytes,
      ...(load.memoryLimitBytes === undefined ? {} : { memory_limit_bytes: load.memoryLimitBytes }),
      cpu_percent: load.cpuPercent,
      ...(engine.lease === undefined ? {} : { lease: leaseStatus(engine.lease) }),
      ...(engine.accounts === undefined ? {} : { accounts: [...engine.accounts.statuses()] }),
      ...(engine.synthetics.length === 0 ? {} : { synthetics: syntheticStatuses(engine, nowNs) }),
    };
  };
}

const leaseStatus = ({ holder, epoch, leftMs }: Tenure): EngineStatus['lease'] => ({
  holder,
  epoch,
  left_ms: Math.round(leftMs),
});

type Priced = Pick<Engine, 'synthetics' | 'references'> & {
  readonly books: Pick<Engine['books'], 'tops' | 'depths'>;
};

/** Every synthetic as its legs stand now. */
export function syntheticStatuses({ synthetics, references, books }: Priced, nowNs: TimeNs): SyntheticStatus[] {
  const market = { tops: books.tops, depths: books.depths, references };
  return synthetics.map((synthetic) => {
    const { name, description, quote, legs } = synthetic;
    const { bids, asks, fairValue, greeks, status, ageMs } = viewOf(synthetic, market, nowNs);
    return {
      name,
      description,
      quote,
      legs: legs.map(({ instrument, ratio }) => ({ instrument: instrument.id, ratio: plainText(ratio) })),
      bids: bids.map(levelText),
      asks: asks.map(levelText),
      fair_value: textOrNull(fairValue),
      greeks: {
        delta: textOrNull(greeks.delta),
        gamma: textOrNull(greeks.gamma),
        vega: textOrNull(greeks.vega),
        theta: textOrNull(greeks.theta),
        rho: textOrNull(greeks.rho),
      },
      status,
      age_ms: Math.min(ageMs, AGE_MAX_MS),
    };
  });
}

const levelText = ([price, units]: SyntheticLevel): [string, string] => [
  plainText(price),
  plainText(Number(units.toPrecision(UNIT_DIGITS))),
];

/** Contracts are divided by prices and ratios: nobody wants all digits of that. */
const UNIT_DIGITS = 12;
const textOrNull = (found: number): string | null => (Number.isNaN(found) ? null : plainText(found));
