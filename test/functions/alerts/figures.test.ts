import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AlertRuleId } from '#shared/schema/alerts.ts';
import { LATENCY_BOUNDS_S, type EngineStatus } from '#shared/schema/status.ts';
import { signalsOfFigures, type Figures } from '#functions/alerts/figures.ts';
import { emfLine } from '#functions/alerts/emf.ts';
import { quantileOf, windowOf, type Memory, type Reading, type Window } from '#functions/alerts/windows.ts';
import { countsOf, riskOf, sampleOf, statusOf } from '../support/events.ts';
import { testConfig } from '../support/world.ts';

const { limits } = testConfig().alerts;
const NOW_MS = 1_795_219_200_000;

/** Whether a rule finds it bad; undefined where it says nothing. */
function found(rule: AlertRuleId, over: Partial<EngineStatus> = {}, window: Window = {}, more: Partial<Figures> = {}) {
  const figures: Figures = {
    nowMs: NOW_MS,
    status: statusOf(NOW_MS - 1_000, over),
    maxDailyLossUsd: 5_000,
    window,
    ...more,
  };
  return signalsOfFigures(figures, [], { limits }).find((signal) => signal.rule === rule)?.bad;
}
const risk = (over: Partial<NonNullable<EngineStatus['risk']>>): Partial<EngineStatus> => ({
  risk: { ...riskOf(NOW_MS), ...over },
});
const venue = (over: object): Partial<EngineStatus> => ({ venues: [{ ...statusOf(NOW_MS).venues[0]!, ...over }] });

describe('a rule begins just above its limit', () => {
  it.each<[AlertRuleId, boolean, boolean]>([
    [
      'engine-silent',
      found('engine-silent', { at_ms: NOW_MS - 60_000 })!,
      found('engine-silent', { at_ms: NOW_MS - 60_001 })!,
    ],
    [
      'latency-high',
      found('latency-high', {}, { latencyP99S: 0.01 })!,
      found('latency-high', {}, { latencyP99S: 0.0101 })!,
    ],
    ['memory-high', found('memory-high', { memory_bytes: 3.2e8 })!, found('memory-high', { memory_bytes: 3.2e8 + 1 })!],
    ['memory-full', found('memory-full', { memory_bytes: 3.6e8 })!, found('memory-full', { memory_bytes: 3.6e8 + 1 })!],
    [
      'var-high',
      found('var-high', risk({ var_utilization: 0.9 }))!,
      found('var-high', risk({ var_utilization: 0.901 }))!,
    ],
    [
      'daily-loss',
      found('daily-loss', risk({ daily_pnl_usd: -4_999 }))!,
      found('daily-loss', risk({ daily_pnl_usd: -5_000 }))!,
    ],
    [
      'api-errors',
      found('api-errors', {}, { api: { requests: 100, errors: 5 } })!,
      found('api-errors', {}, { api: { requests: 100, errors: 6 } })!,
    ],
    [
      'strategy-degraded',
      found('strategy-degraded', {}, { operations: { ended: 10, failed: 5 } })!,
      found('strategy-degraded', {}, { operations: { ended: 10, failed: 6 } })!,
    ],
    [
      'denial-streak',
      found('denial-streak', {}, { denials: { count: 499, reasons: '' } })!,
      found('denial-streak', {}, { denials: { count: 500, reasons: '' } })!,
    ],
    [
      'publish-late',
      found('publish-late', { journal: { records: 9, published: 1, lag_records: 8, lag_ms: 60_000 } })!,
      found('publish-late', { journal: { records: 9, published: 1, lag_records: 8, lag_ms: 60_001 } })!,
    ],
    [
      'venue-degraded',
      found('venue-degraded', venue({ status: 'live' }))!,
      found('venue-degraded', venue({ status: 'degraded' }))!,
    ],
    [
      'volatility-unusual',
      found('volatility-unusual', {}, { moves: { unusual: [] } })!,
      found(
        'volatility-unusual',
        {},
        { moves: { unusual: [{ instrument: 'binance:BTC/USDT', bps: 250, sigmas: 9 }] } },
      )!,
    ],
  ])('%s', (_, below, above) => {
    expect([below, above]).toEqual([false, true]);
  });

  it('and says nothing of what is not known', () => {
    expect(found('latency-high')).toBeUndefined();
    expect(found('memory-high', { memory_limit_bytes: undefined as never })).toBeUndefined();
    expect(found('var-high')).toBeUndefined();
    expect(found('var-high', risk({ var_utilization: null }))).toBeUndefined();
    expect(found('daily-loss', risk({}), {}, { maxDailyLossUsd: undefined })).toBeUndefined();
    expect(found('api-errors', {}, { api: { requests: limits.api_requests_min - 1, errors: 10 } })).toBeUndefined();
    expect(found('engine-silent', {}, {}, { status: undefined })).toBeUndefined();
  });

  it('and of a silent engine that it is silent, no more', () => {
    const figures = { nowMs: NOW_MS, status: statusOf(NOW_MS - 61_000), maxDailyLossUsd: 1, window: {} };
    expect(signalsOfFigures(figures, [], { limits }).map(({ rule }) => rule)).toEqual(['engine-silent']);
  });
});

describe('a window', () => {
  const reading = (minute: number, over: Partial<EngineStatus> = {}, more: Partial<Reading> = {}): Reading => ({
    atMs: NOW_MS + minute * 60_000,
    status: statusOf(NOW_MS + minute * 60_000, { started_at_ms: NOW_MS, ...over }),
    api: undefined,
    markets: [],
    ...more,
  });
  const after = (...readings: readonly Reading[]): { window: Window; memory: Memory | undefined } =>
    readings.reduce<{ window: Window; memory: Memory | undefined }>(
      ({ memory }, each) => windowOf(memory, each, limits),
      { window: {}, memory: undefined },
    );
  const counted = (...latencies: readonly (readonly [seconds: number, count: number])[]): Partial<EngineStatus> => ({
    latency: { decision: countsOf(...latencies) },
  });

  it('has the latencies of its own time, not of all time', () => {
    const slow = counted([3e-6, 1_000_000], [0.02, 100]);
    const { window } = after(reading(0, counted([3e-6, 1_000_000])), reading(1, slow));
    expect(window.latencyP99S).toBeGreaterThan(0.01);
    expect(after(reading(0, slow), reading(1, slow)).window.latencyP99S).toBeUndefined();
  });

  it('begins anew with an engine that was started anew', () => {
    const restarted = reading(1, { ...counted([3e-6, 10]), started_at_ms: NOW_MS + 50_000 });
    expect(after(reading(0, counted([0.02, 500])), restarted).window.latencyP99S).toBeLessThan(5e-6);
  });

  it('counts operations until there are enough of them', () => {
    const ended = (completed: number, failed: number): Partial<EngineStatus> => ({
      operations: { completed, failed, recovering: 0, open: 0 },
    });
    const few = after(reading(0, ended(0, 0)), reading(1, ended(2, 4)));
    expect(few.window.operations).toBeUndefined();
    expect(windowOf(few.memory, reading(2, ended(3, 7)), limits).window.operations).toEqual({ ended: 10, failed: 7 });
  });

  it('counts denials since a plan has passed, and only what limits and doubts have denied', () => {
    const told = (executed: number, denied: number): Partial<EngineStatus> => ({
      opportunities: {
        detected: 0,
        executed,
        rejected_by_reason: { VAR_EXCEEDS_MAX: denied, EDGE_BELOW_THRESHOLD: 9_999, ROUTE_COOLING_DOWN: 5 },
        top: [],
      },
    });
    const streak = after(reading(0, told(0, 100)), reading(1, told(0, 700)));
    expect(streak.window.denials).toEqual({ count: 700, reasons: 'VAR_EXCEEDS_MAX' });
    expect(windowOf(streak.memory, reading(2, told(1, 800)), limits).window.denials?.count).toBe(0);
  });

  it('takes counters that fell for those of a new process', () => {
    const api = (requests: number, errors: number): Partial<Reading> => ({ api: { requests, errors } });
    expect(after(reading(0, {}, api(100, 5)), reading(1, {}, api(150, 6))).window.api).toEqual({
      requests: 50,
      errors: 1,
    });
    expect(after(reading(0, {}, api(100, 5)), reading(1, {}, api(7, 2))).window.api).toEqual({
      requests: 7,
      errors: 2,
    });
  });

  it('finds a move that is far out of what is usual, after it knows what is', () => {
    const mid = (minute: number, price: number): Reading =>
      reading(minute, {}, { markets: [sampleOf('okx:BTC/USDT', 0, { bid: String(price), ask: String(price) })] });
    const calm = Array.from({ length: 22 }, (_, minute) => mid(minute, minute % 2 === 0 ? 60_000 : 60_006));
    const jump = after(...calm, mid(22, 61_000)).window.moves?.unusual;
    expect(jump).toEqual([{ instrument: 'okx:BTC/USDT', bps: 164, sigmas: expect.any(Number) }]);
    expect(after(...calm, mid(22, 60_300)).window.moves?.unusual).toEqual([]);
    expect(after(...calm.slice(0, 10), mid(10, 61_000)).window.moves?.unusual).toEqual([]);
    const gone = reading(22, {}, { markets: [sampleOf('okx:BTC/USDT', 0, { status: 'stale', bid: '1', ask: '1' })] });
    expect(after(...calm, gone).window.moves?.unusual).toEqual([]);
  });
});

describe('a quantile of buckets', () => {
  it('lies in the bucket in which the exact one lies', () => {
    const seconds = fc.double({ min: 1e-7, max: 2.5, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(seconds, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, q) => {
          const { counts } = countsOf(...values.map((value) => [value, 1] as const));
          const exact = [...values].sort((a, b) => a - b)[Math.ceil(q * values.length - 1e-9) - 1]!;
          const bucket = LATENCY_BOUNDS_S.findIndex((bound) => exact <= bound);
          const estimate = quantileOf(counts, q)!;
          expect(estimate).toBeGreaterThanOrEqual(LATENCY_BOUNDS_S[bucket - 1] ?? 0);
          expect(estimate).toBeLessThanOrEqual(LATENCY_BOUNDS_S[bucket]! + 1e-12);
        },
      ),
    );
    expect(quantileOf([], 0.99)).toBeUndefined();
    expect(quantileOf(countsOf([60, 1]).counts, 0.99)).toBe(2.5);
  });
});

it('writes what is known as metrics of CloudWatch', () => {
  const figures: Figures = {
    nowMs: NOW_MS,
    status: statusOf(NOW_MS - 500),
    maxDailyLossUsd: 1,
    window: { latencyP99S: 0.002 },
  };
  const line = JSON.parse(emfLine('engine-1', figures)) as Record<string, unknown>;
  expect(line).toMatchObject({
    Engine: 'engine-1',
    StatusAge: 500,
    DecisionLatencyP99: 2,
    MemoryUtilization: 25,
    VenuesNotLive: 0,
  });
  expect(line).not.toHaveProperty('VarUtilization');
  const { CloudWatchMetrics, Timestamp } = line['_aws'] as {
    CloudWatchMetrics: { Metrics: { Name: string }[] }[];
    Timestamp: number;
  };
  expect(Timestamp).toBe(NOW_MS);
  for (const { Name } of CloudWatchMetrics[0]!.Metrics) expect(line[Name]).toBeTypeOf('number');
});
