import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '#shared/schema/event.ts';
import { eventOf, fillData, operationData, sampleOf } from '../support/events.ts';
import { startTestCloud, type CloudUnderTest } from '../support/cloud.ts';
import { listIn, parse, textIn, type Json } from '../support/json.ts';
import { eventually } from '../support/world.ts';

let world: CloudUnderTest;
let token: string;
let principals = 0;
/** Midnight of the world's clock: what happens is placed on whole days before it. */
let midnightMs: number;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

beforeAll(async () => {
  world = await startTestCloud();
  midnightMs = Math.floor(world.clock.nowMs() / DAY_MS) * DAY_MS;
});
afterAll(() => world.close());
beforeEach(async () => {
  token = await world.tokenOf(`test-${(principals += 1)}`);
});

let seq = 0;
const at = (event: EngineEvent, ms: number): EngineEvent => ({ ...event, at: String(BigInt(ms) * 1_000_000n) });
const rates = { BTC: '60000', USDT: '1' };

/** An operation of two fills that ended two seconds after it began; `realised` may differ from what the fills say. */
function operation(id: string, beganMs: number, realised: string, type = 'spatial'): EngineEvent[] {
  const next = (): number => (seq += 1);
  const common = { rates, type };
  const sold = { instrument: 'okx:BTC/USDT', side: 'sell' as const, price: '60100', fee: '6', fee_asset: 'USDT' };
  const bought = { price: '60000', fee: '6', fee_asset: 'USDT' };
  const ended = { ...common, state: 'completed' as const, pnl: { realised, fees: '12' } };
  return [
    at(eventOf('operation', next(), operationData(id, common)), beganMs),
    at(eventOf('fill', next(), fillData(`${id}-b`, id, bought)), beganMs + 900),
    at(eventOf('fill', next(), fillData(`${id}-s`, id, sold)), beganMs + 900),
    at(eventOf('operation', next(), operationData(id, { ...ended, ...attributionOf(id) })), beganMs + 2_000),
  ];
}

/** One that says where its profit came from. */
const attributionOf = (id: string): object =>
  id === 'op-1'
    ? { attribution: { captured: '11', slippage: '-0.5', legging: '-1', fees: '-12', inventory: '0.5' } }
    : {};

describe('without a history', () => {
  it('performance is zero where a sum is meant and null where there is nothing to measure', async () => {
    const { status, data } = await world.get('/v1/analytics/performance', token);
    expect(status).toBe(200);
    expect(data).toMatchObject({
      period: '30d',
      operations: 0,
      open_operations: 0,
      truncated: false,
      total_pnl: 0,
      fees: 0,
      sharpe_ratio: null,
      sortino_ratio: null,
      volatility: null,
      max_drawdown: 0,
      win_rate: null,
      avg_trade_duration: null,
      profit_factor: null,
      attribution: {
        families: [],
        venues: [],
        symbols: [],
        sources: {
          captured: 0,
          slippage: 0,
          legging: 0,
          fees: 0,
          inventory: 0,
          funding: 0,
          settlement: 0,
          unexplained: 0,
        },
      },
    });
  });

  it('there is no report', async () => {
    expect((await world.get('/v1/risk/reports', token)).data).toEqual({ reports: [], next_cursor: null });
    expect((await world.get('/v1/risk/reports/2026-11-20', token)).error.code).toBe(2003);
  });
});

describe('performance', () => {
  beforeAll(async () => {
    // Each pair of fills makes −6 on binance and 10 − 6 = 4 on okx: −2 together.
    await world.feed([
      ...operation('old', midnightMs - 60 * DAY_MS, '100'),
      ...operation('op-1', midnightMs - 3 * DAY_MS + HOUR_MS, '-2'),
      ...operation('op-2', midnightMs - 2 * DAY_MS + 5 * HOUR_MS, '10.000000000000000001', 'cycle'),
      ...operation('op-3', midnightMs - 2 * DAY_MS + 5 * HOUR_MS + 60_000, '-2'),
      at(eventOf('operation', (seq += 1), operationData('open')), midnightMs - 10_000),
    ]);
  });

  it('is of the operations that ended in the period, to the last digit', async () => {
    const { data, text } = await world.get('/v1/analytics/performance?period=7d', token);
    expect(data).toMatchObject({
      period: '7d',
      operations: 3,
      open_operations: 1,
      truncated: false,
      fees: 36,
      max_drawdown: 2,
      avg_trade_duration: 2,
      win_rate: 0.333333333333,
    });
    expect(text).toContain('"total_pnl":6.000000000000000001,');
    expect(text).toContain('"profit_factor":2.5,');
    expect(data['attribution']).toEqual({
      families: [
        { name: 'cycle', pnl: 10, operations: 1 },
        { name: 'spatial', pnl: -4, operations: 2 },
      ],
      venues: [
        // 12.000000000000000001
        { name: 'unattributed', pnl: 12, operations: 1 },
        { name: 'okx', pnl: 12, operations: 3 },
        { name: 'binance', pnl: -18, operations: 3 },
      ],
      symbols: [
        { name: 'unattributed', pnl: 12, operations: 1 },
        { name: 'BTC/USDT', pnl: -6, operations: 3 },
      ],
      // op-2 and op-3 do not say where it came from.
      sources: {
        captured: 11,
        slippage: -0.5,
        legging: -1,
        fees: -12,
        inventory: 0.5,
        funding: 0,
        settlement: 0,
        unexplained: 8,
      },
    });
    expect((await world.get('/v1/analytics/performance?period=90d', token)).data['total_pnl']).toBe(106);
  });

  it.each([
    ['pnl', ['attribution', 'avg_trade_duration', 'fees', 'profit_factor', 'total_pnl', 'win_rate']],
    ['sharpe', ['sharpe_ratio', 'sortino_ratio']],
    ['volatility', ['max_drawdown', 'volatility']],
  ])('gives the figures of %s alone when asked so', async (metric, names) => {
    const { data } = await world.get(`/v1/analytics/performance?period=7d&metric=${metric}`, token);
    const common = ['period', 'from', 'to', 'operations', 'open_operations', 'truncated', 'timestamp'];
    const left = Object.keys(data).filter((name) => !common.includes(name));
    expect(left.sort()).toEqual(names);
  });

  it.each(['period=2d', 'metric=luck'])('%s is 400/3001', async (query) => {
    const { status, error } = await world.get(`/v1/analytics/performance?${query}`, token);
    expect([status, error.code]).toEqual([400, 3001]);
  });

  const day = (back: number): string => new Date(midnightMs - back * DAY_MS).toISOString().slice(0, 10);

  it('stands in the report of each day, hour by hour', async () => {
    const { data, text } = await world.get(`/v1/risk/reports/${day(2)}`, token);
    expect(data).toMatchObject({
      date: day(2),
      final: true,
      operations: 2,
      fees: 24,
      max_drawdown: 2,
      best: { id: 'op-2', family: 'cycle' },
      worst: { id: 'op-3', pnl: -2 },
    });
    expect(text).toContain('"total_pnl":8.000000000000000001,');
    const hours = listIn(data['hours']);
    expect(hours).toHaveLength(24);
    expect([hours[4]!['cumulative'], hours[5]!['pnl'], hours[23]!['cumulative']]).toEqual([0, 8, 8]);
  });

  it('is kept once the day is settled, and made anew while it is not', async () => {
    const made = async (date: string): Promise<Json> => (await world.get(`/v1/risk/reports/${date}`, token)).data;
    const [settled, today] = [await made(day(3)), await made(day(0))];
    world.clock.advance(1_000);
    expect(await made(day(3))).toEqual(settled);
    const later = await made(day(0));
    expect([today['final'], later['final']]).toEqual([false, false]);
    expect(later['generated_at']).not.toBe(today['generated_at']);
  });

  it('comes as a page with charts for who asks for HTML, with nothing from elsewhere in it', async () => {
    const page = await world.get(`/v1/risk/reports/${day(2)}`, token, { accept: 'text/html,*/*;q=0.8' });
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.text.match(/<svg/g)).toHaveLength(2);
    expect(page.text.match(/<rect/g)).toHaveLength(24);
    expect(page.text).toContain('op-2');
    expect(page.text).not.toMatch(/<script|https?:\/\//);
    const same = await world.get(`/v1/risk/reports/${day(2)}?format=html`, token);
    expect(same.text).toBe(page.text);
    expect(page.text).toContain('unexplained');
    const json = await world.get(`/v1/risk/reports/${day(2)}?format=json`, token, { accept: 'text/html' });
    expect(parse(json.text)['status']).toBe('success');
  });

  it('has reports of every day since the first operation, newest first', async () => {
    const first = await world.get('/v1/risk/reports?limit=2', token);
    expect(first.data['reports']).toEqual([
      { date: day(0), final: false },
      { date: day(1), final: expect.any(Boolean) as boolean },
    ]);
    const rest = await world.get(`/v1/risk/reports?cursor=${textIn(first.data['next_cursor'])}`, token);
    expect(listIn(rest.data['reports'])).toHaveLength(59);
    expect(listIn(rest.data['reports']).at(-1)).toEqual({ date: day(60), final: true });
    expect(rest.data['next_cursor']).toBeNull();
  });

  it.each([
    ['/v1/risk/reports/2026-02-30', 400, 3001],
    ['/v1/risk/reports/yesterday', 400, 3001],
    ['/v1/risk/reports/2020-01-01', 404, 2003],
    ['/v1/risk/reports/2999-01-01', 404, 2003],
    ['/v1/risk/reports?cursor=nonsense', 400, 3001],
  ])('%s is %d/%d', async (path, status, code) => {
    const answer = await world.get(path, token);
    expect([answer.status, answer.error.code]).toEqual([status, code]);
  });
});

describe('market history', () => {
  const MINUTE_MS = 60_000;
  let startMs: number;
  const iso = (ms: number): string => new Date(ms).toISOString();
  const path = (over: Readonly<Record<string, string>> = {}): string =>
    `/v1/market/history?${new URLSearchParams({
      symbol: 'BTC/USDT',
      interval: '1m',
      start_time: iso(startMs),
      end_time: iso(startMs + 5 * MINUTE_MS),
      ...over,
    }).toString()}`;

  beforeAll(async () => {
    startMs = Math.floor(world.clock.nowMs() / MINUTE_MS) * MINUTE_MS - 10 * MINUTE_MS;
    const quote = (atMs: number, bid: string, ask: string, over = {}) =>
      sampleOf('okx:BTC/USDT', atMs, { bid, ask, ...over });
    await world.sample([
      quote(startMs, '100', '101'),
      quote(startMs + 20_000, '102', '103'),
      // Late, stale, one-sided.
      quote(startMs + 10_000, '99', '100.000000000000000001'),
      quote(startMs + 30_000, '1', '2', { status: 'stale' }),
      quote(startMs + 30_000, '', '900'),
      quote(startMs + MINUTE_MS, '104', '105'),
      quote(startMs + 3 * MINUTE_MS, '106', '107'),
    ]);
    await eventually(async () => (await world.get(path(), await world.tokenOf('h'))).text.includes('106.5'));
  });

  it('gives candles of live mids, the oldest first, exactly', async () => {
    const { data, text } = await world.get(path(), token);
    expect(data).toMatchObject({ symbol: 'BTC/USDT', exchange: 'okx', interval: '1m', next_cursor: null });
    const flat = (ms: number, price: number) => ({
      timestamp: iso(ms),
      ...{ open: price, high: price, low: price, close: price, volume: null },
    });
    expect(data['records']).toEqual([
      { timestamp: iso(startMs), open: 100.5, high: 102.5, low: 99.5, close: 102.5, volume: null },
      flat(startMs + MINUTE_MS, 104.5),
      flat(startMs + 3 * MINUTE_MS, 106.5),
    ]);
    expect(text).toContain('"low":99.5000000000000000005,');
  });

  it.each(['5m', '1h', '1d'])('rolls them up to %s', async (interval) => {
    const { data } = await world.get(path({ interval, start_time: iso(startMs - 2 * DAY_MS) }), token);
    const records = listIn(data['records']);
    expect([records[0]!['open'], records.at(-1)!['close']]).toEqual([100.5, 106.5]);
    expect(Math.max(...records.map(({ high }) => Number(high)))).toBe(106.5);
  });

  it('pages', async () => {
    const first = await world.get(path({ limit: '2' }), token);
    const rest = await world.get(path({ limit: '2', cursor: textIn(first.data['next_cursor']) }), token);
    const times = [first, rest].flatMap(({ data }) => listIn(data['records']).map(({ timestamp }) => timestamp));
    expect(times).toEqual([startMs, startMs + MINUTE_MS, startMs + 3 * MINUTE_MS].map(iso));
    expect(rest.data['next_cursor']).toBeNull();
  });

  it.each<[string, Readonly<Record<string, string>>, number, number]>([
    ['an unknown symbol', { symbol: 'NO/SUCH' }, 404, 2001],
    ['an unknown exchange', { exchange: 'nowhere' }, 404, 2002],
    ['an exchange without data', { exchange: 'kraken' }, 404, 2003],
    ['a time without data', { start_time: '2020-01-01T00:00:00Z', end_time: '2020-01-02T00:00:00Z' }, 404, 2003],
    ['another interval', { interval: '2m' }, 400, 3001],
    ['a time that is none', { start_time: 'noon' }, 400, 3001],
    ['an end before its start', { end_time: '2020-01-01T00:00:00Z' }, 400, 3001],
    ['too many at once', { limit: '1001' }, 400, 3001],
    ['a cursor of another query', { cursor: '17' }, 400, 3001],
  ])('answers %s with its code', async (_, over, status, code) => {
    const answer = await world.get(path(over), token);
    expect([answer.status, answer.error.code]).toEqual([status, code]);
  });
});
