import { z } from '@hono/zod-openapi';
import { Counter, Gauge, Registry, type Metric } from 'prom-client';
import { LATENCY_BOUNDS_S, type EngineStatus, type LatencyCounts } from '#shared/schema/status.ts';
import { memoryShareOf } from '../../alerts/figures.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, SILENT_AFTER_MS, type App, type AppOptions } from '../context.ts';

/** Prometheus text, built anew at each scrape from the engine's last status: the API keeps no counters of the engine's. */
export function mountMetrics(app: App, options: AppOptions): void {
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/metrics',
    tags: ['system'],
    summary: 'Prometheus text',
    responses: { 200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } } },
  });
  app.get('/metrics', async (context) => {
    const registry = new Registry();
    const page = painter(registry);
    paintApi(page, options);
    try {
      page.gauge('websocket_connections_active', 'Open WebSocket connections', [[await options.socketsOpen()]]);
      const [status, positions] = await Promise.all([options.store.status(), options.store.positions()]);
      page.gauge('arbitrage_store_up', 'Whether the database answers', [[1]]);
      const isUp = status !== undefined && nowMs(options) - status.at_ms <= SILENT_AFTER_MS;
      page.gauge('arbitrage_engine_up', 'Whether the engine has been heard within ten seconds', [[isUp ? 1 : 0]]);
      const open = positions.filter(({ data }) => data.status === 'open').length;
      page.gauge('arbitrage_engine_positions_count', 'Open positions', [[open]]);
      if (status !== undefined) paintEngine(page, status);
    } catch (error) {
      // A scrape must say that the database is down, not fail with it.
      if (!(error instanceof ApplicationError)) throw error;
      page.gauge('arbitrage_store_up', 'Whether the database answers', [[0]]);
      page.gauge('arbitrage_engine_up', 'Whether the engine has been heard within ten seconds', [[0]]);
    }
    return context.text(await registry.metrics(), 200, { 'Content-Type': registry.contentType });
  });
}

type Labels = Readonly<Record<string, string>>;
/** Values with their labels. */
type Series = readonly (readonly [value: number, labels?: Labels])[];
type Counted = readonly (readonly [LatencyCounts, Labels?])[];
type Painter = {
  readonly gauge: (name: string, help: string, series: Series) => void;
  readonly counter: (name: string, help: string, series: Series) => void;
  /** Of buckets that somebody else has counted, with the bounds of LATENCY_BOUNDS_S. */
  readonly histogram: (name: string, help: string, series: Counted) => void;
};

function painter(registry: Registry): Painter {
  const options = (name: string, help: string, series: Series): object => ({
    name,
    help,
    registers: [registry],
    labelNames: Object.keys(series[0]?.[1] ?? {}),
  });
  return {
    gauge: (name, help, series) => {
      // The library shows 0 for a gauge that nobody has set.
      if (series.length === 0) return;
      const gauge = new Gauge(options(name, help, series) as never);
      for (const [value, labels = {}] of series) gauge.set(labels, value);
    },
    counter: (name, help, series) => {
      const counter = new Counter(options(name, help, series) as never);
      for (const [value, labels = {}] of series) counter.inc(labels, value);
    },
    histogram: (name, help, series) => {
      registry.registerMetric(countedOf(name, help, series));
    },
  };
}

/** The text of a registered metric is made of this. The library counts only what it observes itself; here somebody else has counted. */
function countedOf(name: string, help: string, series: Counted): Metric {
  const values = series.flatMap(([{ counts, sum_s }, labels = {}]) => {
    let below = 0;
    const buckets = counts.map((count, bucket) => {
      below += count;
      const le = String(LATENCY_BOUNDS_S[bucket] ?? '+Inf');
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum_s },
      { metricName: `${name}_count`, labels, value: below },
    ];
  });
  const get = (): Promise<object> => Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
  return { name, get } as unknown as Metric;
}

function paintApi(page: Painter, options: AppOptions): void {
  const { tally } = options;
  page.gauge('api_requests_per_second', 'Requests a second over the last minute', [
    [tally.requestsPerSecond(nowMs(options))],
  ]);
  const errors = [...tally.errors].map(([type, count]) => [count, { type }] as const);
  page.counter('errors_total', 'Failed API requests by code, and stream records that were poison', errors);
}

function paintEngine(page: Painter, status: EngineStatus): void {
  const { decision_ns, opportunities, operations, journal } = status;
  const { decision } = status.latency ?? {};
  page.histogram(
    'arbitrage_engine_latency_seconds',
    'Latency by stage: decision (from frame to decision), order (from order to first word)',
    Object.entries(status.latency ?? {}).map(([stage, counts]) => [counts, { stage }]),
  );
  page.histogram('arbitrage_latency_seconds', 'Frame to decision', decision === undefined ? [] : [[decision]]);
  page.gauge('arbitrage_engine_latency_p99', 'Frame to decision, 99th percentile, seconds', [[decision_ns.p99 / 1e9]]);
  page.gauge('arbitrage_engine_throughput', 'Market messages a second', [[status.messages_per_second]]);
  page.counter('arbitrage_engine_messages_total', 'Market messages', [[status.messages]]);
  page.counter('arbitrage_opportunities_detected_total', 'Opportunities seen', [[opportunities.detected]]);
  page.counter('arbitrage_opportunities_executed_total', 'Opportunities traded', [[opportunities.executed]]);
  page.counter(
    'arbitrage_opportunities_rejected_total',
    'Opportunities not traded, by reason',
    Object.entries(opportunities.rejected_by_reason).map(([reason, count]) => [count, { reason }]),
  );
  page.counter('arbitrage_trades_executed_total', 'Fills', [[status.fills]]);
  page.counter('arbitrage_operations_completed_total', 'Operations completed', [[operations.completed]]);
  page.counter('strategy_failures_total', 'Operations that failed', [[operations.failed]]);
  page.gauge('arbitrage_operations_open', 'Operations under way', [[operations.open + operations.recovering]]);
  page.gauge('arbitrage_profit_usd_total', 'Realised profit after fees, in the numeraire', [
    [Number(status.pnl.realised)],
  ]);
  page.gauge('arbitrage_publish_lag_records', 'Journal records not yet shipped', [[journal.lag_records]]);
  page.gauge('arbitrage_publish_lag_seconds', 'Age of the oldest record not yet shipped', [[journal.lag_ms / 1000]]);
  page.counter('arbitrage_journal_records_total', 'Journal records', [[journal.records]]);
  page.gauge('arbitrage_engine_trading', 'Whether the engine may open operations', [
    [status.trading_state === 'active' ? 1 : 0],
  ]);
  page.gauge('arbitrage_operations_escalated', 'Operations that wait for a person', [[operations.escalated ?? 0]]);
  paintRisk(page, status);
  const memory = memoryShareOf(status);
  page.gauge(
    'arbitrage_engine_memory_usage_percent',
    'Resident memory of what the process may use',
    memory === undefined ? [] : [[memory * 100]],
  );
  page.gauge('system_memory_usage_bytes', "The engine's resident memory", [[status.memory_bytes]]);
  page.gauge('system_cpu_usage_percent', "The engine's processor time", [[status.cpu_percent]]);
  paintVenues(page, status.venues);
  paintAccounts(page, status.accounts ?? []);
}

function paintRisk(page: Painter, { risk, breakers = [] }: EngineStatus): void {
  const known = (value: number | null | undefined): Series => (value === null || value === undefined ? [] : [[value]]);
  page.gauge('arbitrage_engine_var_current', 'Value at risk of a day, USD', known(risk?.var_usd));
  page.gauge('arbitrage_engine_var_utilization', 'Value at risk over its limit', known(risk?.var_utilization));
  page.gauge('arbitrage_engine_drawdown', 'From the peak of equity, as a share of it', known(risk?.drawdown));
  page.gauge('arbitrage_engine_daily_pnl_usd', 'Profit of the day', known(risk?.daily_pnl_usd));
  page.gauge(
    'arbitrage_breaker_open',
    'Whether the breaker holds trading back',
    breakers.map(({ id, state }) => [state === 'open' ? 1 : 0, { breaker: id }] as const),
  );
}

function paintAccounts(page: Painter, accounts: NonNullable<EngineStatus['accounts']>): void {
  const each = (value: (account: (typeof accounts)[number]) => number | undefined): Series =>
    accounts.flatMap((account) => {
      const found = value(account);
      return found === undefined ? [] : [[found, { venue: account.venue, account: account.account }] as const];
    });
  page.gauge(
    'arbitrage_account_up',
    'Whether the account is live',
    each(({ status }) => (status === 'live' ? 1 : 0)),
  );
  page.gauge(
    'arbitrage_account_verified',
    'Whether the ledger agrees with the venue',
    each(({ verified }) => (verified ? 1 : 0)),
  );
  page.gauge(
    'arbitrage_account_round_trip_seconds',
    'From an order to its acknowledgement, as the gateway sees it',
    each(({ round_trip_ms }) => (round_trip_ms === null ? undefined : round_trip_ms / 1000)),
  );
}

type Venue = EngineStatus['venues'][number];
type Figure = readonly [name: string, help: string, value: (venue: Venue) => number | undefined];

const VENUE_GAUGES: readonly Figure[] = [
  ['up', 'Whether the venue is live', ({ status }) => (status === 'live' ? 1 : 0)],
  ['book_age_seconds', 'Age of the books, median', ({ age_ms }) => age_ms / 1000],
  ['health_score', 'Health, 0 to 1', ({ health }) => health],
  ['tradable', 'Whether its health allows trading', ({ tradable }) => ofFlag(tradable)],
  ['live_books', 'Books that may be traded', ({ live_books }) => live_books],
  ['suspect_books', 'Books far from what the other venues say', ({ suspect_books }) => suspect_books],
  ['polled_books', 'Books that come by REST, which are not traded', ({ polled_books }) => polled_books],
  ['clock_offset_seconds', "The venue's clock against ours", ({ clock_offset_ms }) => clock_offset_ms / 1000],
  [
    'order_round_trip_seconds',
    "From an order's leaving to its first word, a mean of the last ones",
    ({ order_round_trip_ms }) => inSeconds(order_round_trip_ms),
  ],
  [
    'clock_jitter_seconds',
    'Mean change of the travel time from one message to the next',
    ({ clock_jitter_ms }) => inSeconds(clock_jitter_ms),
  ],
];
const VENUE_COUNTERS: readonly Figure[] = [
  ['rejects_total', 'Orders that the venue has rejected', ({ rejects }) => rejects],
  ['messages_total', 'Messages', ({ messages }) => messages],
  ['gaps_total', 'Sequence gaps and bad checksums', ({ gaps }) => gaps],
  ['resyncs_total', 'Books built anew', ({ resyncs }) => resyncs],
  ['reconnects_total', 'Connections opened again', ({ reconnects }) => reconnects],
];

function paintVenues(page: Painter, venues: readonly Venue[]): void {
  const each = (valueOf: Figure[2]): Series =>
    venues.flatMap((venue) => {
      const value = valueOf(venue);
      return value === undefined ? [] : [[value, { venue: venue.id }] as const];
    });
  for (const [name, help, value] of VENUE_GAUGES) page.gauge(`arbitrage_venue_${name}`, help, each(value));
  for (const [name, help, value] of VENUE_COUNTERS) page.counter(`arbitrage_venue_${name}`, help, each(value));
}

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

function ofFlag(flag: boolean | undefined): number | undefined {
  if (flag === undefined) return undefined;
  return flag ? 1 : 0;
}
