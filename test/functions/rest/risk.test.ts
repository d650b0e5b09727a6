import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventData } from '#shared/schema/event.ts';
import { startTestCloud, type CloudUnderTest } from '../support/cloud.ts';
import { eventOf, riskOf, statusOf } from '../support/events.ts';
import { listIn, textIn } from '../support/json.ts';

let world: CloudUnderTest;
let token: string;
let principals = 0;

beforeAll(async () => {
  world = await startTestCloud();
});
afterAll(() => world.close());
beforeEach(async () => {
  token = await world.tokenOf(`risk-${(principals += 1)}`, ['read', 'risk']);
});

const breaker = (id: string, over: Partial<EventData<'breaker'>> = {}): EventData<'breaker'> => ({
  id,
  state: 'open',
  trips: 'halted',
  reason: 'lost 2600 within the hour',
  value: '2600',
  limit: '2500',
  by: 'engine',
  ...over,
});

describe('without a word of the engine', () => {
  it('there are no figures and no breakers', async () => {
    const { status, error } = await world.get('/v1/risk/metrics', token);
    expect([status, error.code]).toEqual([404, 2003]);
    await world.say(statusOf(world.clock.nowMs()));
    expect((await world.get('/v1/risk/metrics', token)).error.code).toBe(2003);
    const { data } = await world.get('/v1/risk/breakers', token);
    expect(data).toEqual({ breakers: [], history: [], next_cursor: null });
    const { text } = await world.get('/metrics');
    expect(text).not.toContain('arbitrage_engine_var_current');
    expect((await world.get('/v1/status', token)).data).toMatchObject({ breakers_open: [], accounts: [], lease: null });
  });
});

describe('risk', () => {
  const nowMs = (): number => world.clock.nowMs();

  it('is told in the words of the contract', async () => {
    await world.say(statusOf(nowMs(), { risk: riskOf(nowMs()) }));
    const { data } = await world.get('/v1/risk/metrics', token);
    expect(data).toEqual({
      portfolio_var: 12_345.6,
      expected_shortfall: 15_000,
      parametric_var: 12_000,
      monte_carlo_var: null,
      confidence: 0.95,
      var_utilization: 0.25,
      equity: 1_000_000,
      max_drawdown: 0.02,
      drawdown: 0.01,
      leverage_ratio: 0.4,
      concentration_risk: 0.2,
      liquidity_ratio: 1,
      correlation_risk: 0.3,
      exit_cost: 20,
      daily_pnl: -7,
      exposure: {
        gross: 400_000,
        net: 100,
        by_exchange: { binance: 200_000 },
        by_asset: { BTC: 100 },
        by_family: { spatial: 0 },
      },
      stresses: { 'venue-down binance': -50_000 },
      timestamp: new Date(nowMs()).toISOString(),
    });
    const trader = await world.tokenOf('trader', ['trade']);
    expect((await world.get('/v1/risk/metrics', trader)).error.code).toBe(1003);
  });

  it('stands in the status and in the metrics, with breakers, accounts and the lease', async () => {
    const { trips, reason, value, limit } = breaker('window-loss');
    const calm = { id: 'latency', state: 'closed', trips: 'reducing', value: '0', limit: '2000' } as const;
    const [venue] = statusOf(nowMs()).venues;
    await world.say(
      statusOf(nowMs(), {
        risk: riskOf(nowMs()),
        breakers: [
          { id: 'window-loss', state: 'open', trips, reason, value, limit, opened_ms: nowMs() },
          { ...calm, reason: '', opened_ms: null },
        ],
        accounts: [
          {
            venue: 'binance',
            account: 'spot',
            gateway: 'native',
            status: 'live',
            verified: false,
            reason: 'BTC differs',
            round_trip_ms: 12,
            banned_ms: 0,
          },
        ],
        lease: { holder: 'here', epoch: 4, left_ms: 2_900 },
        operations: { completed: 2, failed: 0, recovering: 0, open: 1, escalated: 1 },
        venues: [
          {
            ...venue!,
            tradable: true,
            suspect_books: 2,
            polled_books: 3,
            clock_jitter_ms: 5,
            order_round_trip_ms: 9,
            rejects: 4,
          },
        ],
      }),
    );
    const { data } = await world.get('/v1/status', token);
    expect(data).toMatchObject({
      breakers_open: ['window-loss'],
      accounts: [{ exchange: 'binance', verified: false, round_trip_ms: 12 }],
      lease: { holder: 'here', epoch: 4 },
      operations: { escalated: 1 },
      venues: [
        { tradable: true, suspect_books: 2, polled_books: 3, clock_jitter_ms: 5, order_round_trip_ms: 9, rejects: 4 },
      ],
    });
    const lines = (await world.get('/metrics')).text.split('\n');
    for (const line of [
      'arbitrage_engine_var_current 12345.6',
      'arbitrage_engine_var_utilization 0.25',
      'arbitrage_breaker_open{breaker="window-loss"} 1',
      'arbitrage_breaker_open{breaker="latency"} 0',
      'arbitrage_operations_escalated 1',
      'arbitrage_account_verified{venue="binance",account="spot"} 0',
      'arbitrage_account_round_trip_seconds{venue="binance",account="spot"} 0.012',
      'arbitrage_venue_order_round_trip_seconds{venue="binance"} 0.009',
      'arbitrage_venue_rejects_total{venue="binance"} 4',
      'arbitrage_venue_tradable{venue="binance"} 1',
      'arbitrage_venue_suspect_books{venue="binance"} 2',
      'arbitrage_venue_polled_books{venue="binance"} 3',
      'arbitrage_venue_clock_jitter_seconds{venue="binance"} 0.005',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it('has breakers as they stand, and what they did, page by page', async () => {
    await world.feed([
      eventOf('breaker', 1, breaker('window-loss')),
      eventOf('breaker', 2, breaker('drift', { trips: 'reducing' })),
      eventOf('breaker', 3, breaker('drift', { trips: 'reducing', state: 'closed', by: 'me', reason: 'looked at' })),
    ]);
    const now = { id: 'window-loss', state: 'open', trips: 'halted', value: '2700', limit: '2500' } as const;
    const breakers = [{ ...now, reason: 'lost', opened_ms: 1_000 }];
    await world.say(statusOf(nowMs(), { breakers }));
    const { data } = await world.get('/v1/risk/breakers?limit=2', token);
    // Of the one in the status the status has the last word.
    expect(data['breakers']).toEqual([
      { ...now, reason: 'lost', opened_at: '1970-01-01T00:00:01.000Z' },
      expect.objectContaining({ id: 'drift', state: 'closed', opened_at: null }),
    ]);
    expect(listIn(data['history']).map(({ id, state, by }) => [id, state, by])).toEqual([
      ['drift', 'closed', 'me'],
      ['drift', 'open', 'engine'],
    ]);
    const rest = await world.get(`/v1/risk/breakers?cursor=${textIn(data['next_cursor'])}`, token);
    expect(rest.data).toMatchObject({ history: [{ id: 'window-loss', value: '2600' }], next_cursor: null });
    expect((await world.get('/v1/risk/breakers?cursor=x', token)).error.code).toBe(3001);
  });

  it('lets a breaker be reset by who may', async () => {
    const path = '/v1/risk/breakers/window-loss/reset';
    const asked = world.answerNext<'breaker-reset'>(({ id, by, breaker: name }) =>
      eventOf('breaker', 10, breaker(name, { state: 'closed', by, reason: 'reset', command_id: id })),
    );
    const { status, data } = await world.post(path, undefined, token);
    expect(await asked).toMatchObject({ kind: 'breaker-reset', breaker: 'window-loss' });
    expect([status, data]).toMatchObject([200, { id: 'window-loss', state: 'closed', command_id: (await asked).id }]);

    const unknown = world.answerNext(({ id }) =>
      eventOf('command-refused', 11, { command_id: id, code: 2003, reason: 'no breaker nonsense' }),
    );
    const refused = await world.post('/v1/risk/breakers/nonsense/reset', {}, token);
    await unknown;
    expect([refused.status, refused.error.code]).toEqual([404, 2003]);

    const pending = await world.post(path, undefined, token);
    expect([pending.status, pending.data['state']]).toEqual([202, 'pending']);
    const reader = await world.tokenOf('reader', ['read', 'trade']);
    expect((await world.post(path, undefined, reader)).error.code).toBe(1003);
  });
});

describe('what a venue says otherwise', () => {
  it('stands beside the balance and the position until it is settled', async () => {
    const position = {
      instrument: 'okx:BTC/USDT:USDT',
      type: 'short',
      entry_price: '60500',
      realized_pnl: '0',
    } as const;
    const differs = { venue: 'okx', ledger: '8', venue_says: '9', reason: 'a deposit?' } as const;
    const held = { venue: 'okx', total: '8', available: '8', reserved: '0' };
    await world.feed([
      eventOf('balance', 20, { ...held, asset: 'BTC' }),
      eventOf('balance', 21, { ...held, asset: 'ETH' }),
      eventOf('position', 22, { ...position, id: 'p-1', size: '5', status: 'open' }),
      eventOf('mismatch', 23, { ...differs, what: 'balance', id: 'BTC', state: 'open' }),
      eventOf('mismatch', 24, { ...differs, what: 'balance', id: 'ETH', state: 'open' }),
      eventOf('mismatch', 25, { ...differs, what: 'balance', id: 'ETH', state: 'settled' }),
      eventOf('mismatch', 26, { ...differs, what: 'position', id: position.instrument, state: 'open' }),
    ]);
    const { data } = await world.get('/v1/trading/balances?exchange=okx', token);
    expect(listIn(data['balances']).map(({ asset, mismatch }) => [asset, mismatch])).toEqual([
      ['BTC', { venue_says: '9', reason: 'a deposit?', since: '2026-11-21T00:00:00.023Z' }],
      ['ETH', null],
    ]);
    const before = await world.get('/v1/trading/positions', token);
    expect(before.data['positions']).toMatchObject([{ id: 'p-1', at_exchange: null, mismatch: { venue_says: '9' } }]);

    const account = { venue: 'okx', account: 'trading', gateway: 'native', status: 'live', verified: false } as const;
    const told = { instrument: position.instrument, size: '-9', entry_price: '60500.10', leverage: '2' };
    const mark = { mark_price: '60000', liquidation_price: null, liquidation_distance: 0.5 };
    const accounts = [{ ...account, reason: '', round_trip_ms: null, banned_ms: 0, positions: [{ ...told, ...mark }] }];
    await world.say(statusOf(world.clock.nowMs(), { accounts }));
    const after = await world.get('/v1/trading/positions', token);
    expect(listIn(after.data['positions'])[0]!['at_exchange']).toEqual({
      size: -9,
      entry_price: 60_500.1,
      mark_price: 60_000,
      liquidation_price: null,
      leverage: 2,
      liquidation_distance: 0.5,
      adl_rank: null,
    });
    expect((await world.get('/v1/status', token)).data).toMatchObject({
      accounts: [{ exchange: 'okx', open_positions: 1 }],
    });
  });
});
