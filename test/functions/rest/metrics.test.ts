import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LATENCY_BOUNDS_S } from '#shared/schema/status.ts';
import { startTestCloud, type CloudUnderTest } from '../support/cloud.ts';
import { riskOf, statusOf } from '../support/events.ts';

let world: CloudUnderTest;
beforeAll(async () => {
  world = await startTestCloud();
  await world.get('/v1/status');
});
afterAll(() => world.close());

/** The names that dashboards and alert rules of others are written for. */
const CONTRACT: Readonly<Record<string, 'gauge' | 'counter' | 'histogram'>> = {
  arbitrage_engine_latency_seconds: 'histogram',
  arbitrage_engine_latency_p99: 'gauge',
  arbitrage_engine_throughput: 'gauge',
  arbitrage_engine_memory_usage_percent: 'gauge',
  arbitrage_engine_var_current: 'gauge',
  arbitrage_engine_var_utilization: 'gauge',
  arbitrage_engine_positions_count: 'gauge',
  arbitrage_opportunities_detected_total: 'counter',
  arbitrage_trades_executed_total: 'counter',
  // Losses lower it.
  arbitrage_profit_usd_total: 'gauge',
  arbitrage_latency_seconds: 'histogram',
  system_memory_usage_bytes: 'gauge',
  system_cpu_usage_percent: 'gauge',
  websocket_connections_active: 'gauge',
  api_requests_per_second: 'gauge',
  errors_total: 'counter',
  strategy_failures_total: 'counter',
  arbitrage_venue_book_age_seconds: 'gauge',
  arbitrage_venue_gaps_total: 'counter',
  arbitrage_venue_resyncs_total: 'counter',
  arbitrage_venue_reconnects_total: 'counter',
  arbitrage_venue_health_score: 'gauge',
  arbitrage_venue_clock_offset_seconds: 'gauge',
  arbitrage_venue_order_round_trip_seconds: 'gauge',
  arbitrage_venue_rejects_total: 'counter',
};

const scrape = async (): Promise<string> => {
  const nowMs = world.clock.nowMs();
  const status = statusOf(nowMs, { risk: riskOf(nowMs) });
  const venues = status.venues.map((venue) => ({ ...venue, order_round_trip_ms: 40, rejects: 2 }));
  await world.say({ ...status, venues });
  return (await world.get('/metrics')).text;
};

/** Prometheus text, strictly: each sample belongs to the family that was declared before it. */
function parsed(text: string): {
  readonly types: Record<string, string>;
  readonly samples: ReadonlyMap<string, number>;
} {
  const types: Record<string, string> = {};
  const samples = new Map<string, number>();
  let family = '';
  for (const line of text.split('\n')) {
    const [, named, type] = /^# TYPE (\S+) (gauge|counter|histogram|summary)$/.exec(line) ?? [];
    if (named !== undefined) {
      family = named;
      types[named] = type!;
      continue;
    }
    if (line === '' || line.startsWith('# HELP ')) continue;
    const [, name = '', labels = '', value] =
      /^([a-zA-Z_:][\w:]*)(\{(?:[a-z_]+="[^"\\\n]*",?)*\})? (-?[\d.]+(?:e[+-]?\d+)?|\+Inf|NaN)$/.exec(line) ?? [];
    expect(value, line).toBeDefined();
    expect(name === family || (types[family] === 'histogram' && /_(bucket|sum|count)$/.test(name)), line).toBe(true);
    expect(samples.has(`${name}${labels}`), `twice: ${line}`).toBe(false);
    samples.set(`${name}${labels}`, Number(value));
  }
  return { types, samples };
}

describe('metrics', () => {
  it('have the names and types of the contract, with values', async () => {
    const { types, samples } = parsed(await scrape());
    expect(types).toMatchObject(CONTRACT);
    const families = [...samples.keys()].map((key) => key.replace(/[{].*/, ''));
    const valueless = Object.entries(CONTRACT).filter(
      ([name, type]) => !families.includes(type === 'histogram' ? `${name}_bucket` : name),
    );
    expect(valueless).toEqual([]);
    expect(samples.get('arbitrage_engine_memory_usage_percent')).toBe(25);
    expect(samples.get('arbitrage_venue_rejects_total{venue="binance"}')).toBe(2);
    expect(samples.get('errors_total{type="1001"}')).toBe(1);
  });

  it('count latencies in buckets that rise, by stage', async () => {
    const { samples } = parsed(await scrape());
    for (const stage of ['decision', 'order']) {
      const bounds = [...LATENCY_BOUNDS_S.map(String), '+Inf'];
      const counts = bounds.map((le) =>
        samples.get(`arbitrage_engine_latency_seconds_bucket{stage="${stage}",le="${le}"}`)!,
      );
      expect(counts.every((count, bucket) => count >= (counts[bucket - 1] ?? 0))).toBe(true);
      expect(counts.at(-1)).toBe(samples.get(`arbitrage_engine_latency_seconds_count{stage="${stage}"}`));
    }
    expect(samples.get('arbitrage_engine_latency_seconds_sum{stage="order"}')).toBeCloseTo(0.16, 9);
    expect(samples.get('arbitrage_latency_seconds_bucket{le="0.000005"}')).toBe(97);
  });
});
