import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ENGINE,
  eventOf,
  fillData,
  operationData,
  opportunityData,
  orderData,
  sampleOf,
  statusOf,
} from '../support/events.ts';
import { startTestCloud, type CloudUnderTest } from '../support/cloud.ts';
import { listIn, parse, textIn, type Json } from '../support/json.ts';
import { eventually } from '../support/world.ts';

let world: CloudUnderTest;
let token: string;
let principals = 0;
let stopSeq = 200;

beforeAll(async () => {
  world = await startTestCloud();
  await world.feed(history());
  await world.sample([
    sampleOf('binance:BTC/USDT', world.clock.nowMs()),
    sampleOf('okx:BTC/USDT', world.clock.nowMs(), { bid: '60100.3', ask: '60100.6' }),
    sampleOf('okx:BTC/USDT:USDT', world.clock.nowMs(), { bid: '', status: 'syncing' }),
  ]);
  const seen = async (): Promise<number> =>
    listIn((await world.get('/v1/market/prices', await world.tokenOf('s'))).data['prices']).length;
  await eventually(async () => (await seen()) === 3);
});
afterAll(() => world.close());
beforeEach(async () => {
  // A principal of its own, so that no test lives on another's rate limit.
  principals += 1;
  token = await world.tokenOf(`test-${principals}`);
});

describe('token', () => {
  it('is given for the key pair that the first start made, and opens the API', async () => {
    const { apiKey, apiSecret } = world.cloud.keyPair!;
    const { status, data } = await world.post('/v1/auth/token', { api_key: apiKey, api_secret: apiSecret });
    expect(status).toBe(200);
    expect(data['expires_in']).toBe(86_400);
    expect(data['scopes']).toEqual(['read', 'trade', 'risk', 'admin']);
    expect((await world.get('/v1/status', textIn(data['token']))).status).toBe(200);
  });

  it.each([
    ['a wrong secret', () => ({ api_key: world.cloud.keyPair!.apiKey, api_secret: 'wrong' })],
    ['a key that does not exist', () => ({ api_key: 'nobody', api_secret: 'x' })],
  ])('is refused to %s with 1001', async (_, pair) => {
    const { status, error } = await world.post('/v1/auth/token', pair());
    expect([status, error.code]).toEqual([401, 1001]);
  });

  it.each([
    ['malformed JSON', '{"api_key":'],
    ['a missing field', { api_key: 'x' }],
    ['no body', undefined],
    ['a body beyond the limit', { api_key: 'x', api_secret: 'y'.repeat(70_000) }],
  ])('request with %s is 400/3001', async (_, body) => {
    const { status, error, text } = await world.post('/v1/auth/token', body);
    expect([status, error.code]).toEqual([400, 3001]);
    expect(text).not.toMatch(/\.ts|node_modules/);
  });

  it('request that is not declared as JSON is told so', async () => {
    const response = await fetch(`${world.cloud.apiUrl}/v1/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: '{"api_key":"x","api_secret":"y"}',
    });
    expect([response.status, parse(await response.text())]).toMatchObject([
      400,
      { error: { code: 3001, detail: expect.stringContaining('Content-Type: application/json') as string } },
    ]);
  });
});

describe('envelope and headers', () => {
  it('of a success', async () => {
    const { text, headers } = await world.get('/v1/trading/balances', token, { 'x-request-id': 'mine-1' });
    const body = parse(text);
    expect(Object.keys(body)).toEqual(['status', 'timestamp', 'data']);
    expect(body['timestamp']).toBe(new Date(world.clock.nowMs()).toISOString());
    expect(headers.get('x-request-id')).toBe('mine-1');
    expect(headers.get('x-api-version')).toBe('1.0');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('of a failure: unknown route', async () => {
    const { status, error, headers } = await world.get('/v1/nothing/here', token);
    expect(status).toBe(404);
    expect(error).toEqual({
      code: 404,
      category: 'Request',
      message: 'Not found',
      request_id: headers.get('x-request-id'),
    });
  });

  it('refuses an unknown API version and takes an absent one for 1.0', async () => {
    expect((await world.get('/v1/status', token, { 'x-api-version': '1.0' })).status).toBe(200);
    const { status, error } = await world.get('/v1/status', token, { 'x-api-version': '2.0' });
    expect([status, error.code]).toEqual([400, 3001]);
  });

  it('lets listed origins in and no others', async () => {
    const from = (origin: string) => world.get('/v1/status', token, { origin });
    expect((await from('http://desk.test')).headers.get('access-control-allow-origin')).toBe('http://desk.test');
    expect((await from('http://evil.test')).headers.get('access-control-allow-origin')).toBeNull();
    const preflight = await fetch(`${world.cloud.apiUrl}/v1/trading/start`, {
      method: 'OPTIONS',
      headers: { origin: 'http://desk.test', 'access-control-request-method': 'POST' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'GET,POST,PUT,PATCH,DELETE',
    ]);
  });

  it('writes amounts as numbers whose text is the exact decimal', async () => {
    const { text } = await world.get('/v1/market/books/binance/BTC%2FUSDT', token);
    expect(text).toContain('[60000.40,0.000000010000000001]');
    expect((await world.get('/v1/trading/balances?asset=BTC', token)).text).toContain('"total":8.000000000000000001');
  });
});

describe('market', () => {
  it('gives prices, by symbol and exchange', async () => {
    const all = await world.get('/v1/market/prices', token);
    expect(all.data['prices']).toHaveLength(3);
    const some = await world.get('/v1/market/prices?symbols=BTC%2FUSDT,ETH%2FUSDT&exchange=binance', token);
    expect(some.data['prices']).toEqual([
      {
        symbol: 'BTC/USDT',
        exchange: 'binance',
        price: 60000.2,
        bid: 60000.1,
        ask: 60000.3,
        volume: 1234.5,
        timestamp: new Date(world.clock.nowMs()).toISOString(),
        status: 'live',
      },
    ]);
    const { prices } = (await world.get('/v1/market/prices?symbols=BTC%2FUSDT:USDT', token)).data;
    expect(prices).toMatchObject([{ symbol: 'BTC/USDT:USDT', price: null, bid: null, status: 'syncing' }]);
  });

  it.each([
    ['/v1/market/prices?symbols=NO%2FSUCH', 404, 2001],
    ['/v1/market/prices?exchange=nowhere', 404, 2002],
    ['/v1/market/books/nowhere/BTC%2FUSDT', 404, 2002],
    ['/v1/market/books/binance/NO%2FSUCH', 404, 2001],
    ['/v1/market/books/kraken/SOL%2FETH', 404, 2003],
    ['/v1/market/books/binance/BTC%2FUSDT?depth=0', 400, 3001],
  ])('%s is %d/%d', async (path, status, code) => {
    const answer = await world.get(path, token);
    expect([answer.status, answer.error.code]).toEqual([status, code]);
  });

  it('gives a book to the depth asked for, with its age', async () => {
    world.clock.advance(250);
    const { data } = await world.get('/v1/market/books/binance/BTC%2FUSDT?depth=1', token);
    expect(data).toMatchObject({ exchange: 'binance', symbol: 'BTC/USDT', status: 'live' });
    expect(data['bids']).toEqual([[60000.1, 1.5]]);
    expect(data['age_ms']).toBeGreaterThanOrEqual(253);
  });
});

describe('analytics', () => {
  it('lists opportunities newest first, page by page, without losing or repeating one', async () => {
    const ids: string[] = [];
    let cursor = '';
    for (let page = 0; page < 10; page += 1) {
      const { data } = await world.get(`/v1/analytics/opportunities?limit=2${cursor}`, token);
      ids.push(...listIn(data['opportunities']).map(({ id }) => textIn(id)));
      if (JSON.stringify(data['next_cursor']) === 'null') break;
      cursor = `&cursor=${textIn(data['next_cursor'])}`;
    }
    expect(ids).toEqual(['opp-5', 'opp-4', 'opp-3', 'opp-2', 'opp-1']);
  });

  it.each([
    ['status=executed', ['opp-1']],
    ['status=rejected&type=cycle', ['opp-3']],
    ['symbol=ETH%2FBTC', ['opp-3']],
    ['min_profit=7.6', ['opp-5']],
    ['status=expired', []],
  ])('filters by %s', async (query, expected) => {
    const { data } = await world.get(`/v1/analytics/opportunities?${query}`, token);
    expect(listIn(data['opportunities']).map(({ id }) => id)).toEqual(expected);
    expect(data['next_cursor']).toBeNull();
  });

  it('shows an opportunity as the contract names it', async () => {
    const { data, text } = await world.get('/v1/analytics/opportunities?status=executed', token);
    expect(listIn(data['opportunities'])[0]).toMatchObject({
      symbol: 'BTC/USDT',
      type: 'spatial',
      buy_exchange: 'binance',
      sell_exchange: 'okx',
      status: 'executed',
      operation: 'op-1',
      timestamp: '2026-11-21T00:00:00.000Z',
    });
    expect(text).toContain('"buy_price":60000.10,');
    expect(text).toContain('"profit":7.5000125,');
    expect(text).toContain('"profit_percentage":0.125,');
  });

  it('explains one: every cost, every check, the counterfactual', async () => {
    const { data } = await world.get('/v1/analytics/opportunities/opp-2', token);
    expect(data['explanation']).toEqual({
      route: 'spatial:binance:BTC/USDT>okx:BTC/USDT',
      gross_edge_bps: 16.7,
      net_edge_bps: 12.5,
      peak_net_edge_bps: 13,
      costs: { fees: 1.2, slippage: 0.3, expected_unwind: 4.5 },
      fill_probability: 0.96,
      oldest_book_age_ms: 12.5,
      checks: [{ name: 'book-age', value: '1700', limit: '1500', passed: false }],
      capital: null,
      impact: null,
      holding: null,
      contest: null,
      counterfactual: 'It would have been traded if book-age had held: it was 1700 against a limit of 1500.',
      counterfactual_outcome: null,
    });
  });

  it.each([
    ['/v1/analytics/opportunities/nothing', 404, 2003],
    ['/v1/analytics/opportunities?limit=0', 400, 3001],
    ['/v1/analytics/opportunities?limit=1001', 400, 3001],
    ['/v1/analytics/opportunities?status=lost', 400, 3001],
    ['/v1/analytics/opportunities?cursor=nonsense', 400, 3001],
  ])('%s is %d/%d', async (path, status, code) => {
    const answer = await world.get(path, token);
    expect([answer.status, answer.error.code]).toEqual([status, code]);
  });

  it("refuses another list's cursor", async () => {
    const { data } = await world.get('/v1/trading/orders?limit=1', token);
    const answer = await world.get(`/v1/analytics/opportunities?cursor=${textIn(data['next_cursor'])}`, token);
    expect([answer.status, answer.error.code]).toEqual([400, 3001]);
  });
});

describe('trading', () => {
  it('lists operations, and shows one with transitions, orders, fills and what each did to the profit', async () => {
    const list = await world.get('/v1/trading/operations?state=completed', token);
    expect(list.data['operations']).toMatchObject([
      { id: 'op-1', state: 'completed', pnl: { realised: 4.02, fees: 12 } },
    ]);
    const { data, text } = await world.get('/v1/trading/operations/op-1', token);
    expect(listIn(data['transitions']).map(({ state }) => state)).toEqual(['approved', 'executing', 'completed']);
    expect(data['orders']).toHaveLength(2);
    expect(data['fills']).toHaveLength(2);
    expect(text).toContain('"contribution":{"base":6000,"quote":-6000.01,"fee":-6}');
    expect((await world.get('/v1/trading/operations/nothing', token)).error.code).toBe(2003);
  });

  it.each(['/v1/trading/orders', '/v1/orders'])('lists orders at %s', async (path) => {
    const { data } = await world.get(`${path}?operation=op-1&status=filled`, token);
    expect(data['orders']).toHaveLength(2);
    expect(listIn(data['orders'])[0]).toMatchObject({
      order_id: 'o-2',
      exchange: 'okx',
      side: 'sell',
      filled_quantity: 0.1,
    });
    expect((await world.get(`${path}?symbol=ETH%2FUSDT`, token)).data['orders']).toEqual([]);
    expect((await world.get(`${path}?status=open`, token)).error.code).toBe(3001);
  });

  it.each(['/v1/trading/positions', '/v1/positions'])(
    'lists positions at %s, valued at the current price',
    async (path) => {
      const { data, text } = await world.get(`${path}?status=open&symbol=BTC%2FUSDT`, token);
      expect(data['positions']).toMatchObject([{ id: 'binance:BTC/USDT', type: 'long', current_price: 60000.2 }]);
      expect(text).toContain('"unrealized_pnl":50.1,');
      const pages = await world.get(`${path}?limit=1`, token);
      const rest = await world.get(`${path}?cursor=${encodeURIComponent(textIn(pages.data['next_cursor']))}`, token);
      expect(rest.data['positions']).toMatchObject([{ id: 'okx:BTC/USDT:USDT', unrealized_pnl: null }]);
      expect(rest.data['next_cursor']).toBeNull();
    },
  );

  it('lists balances by exchange and asset', async () => {
    const { data } = await world.get('/v1/trading/balances?exchange=binance&asset=USDT', token);
    expect(data['balances']).toMatchObject([
      { total: 500_000, available: 493_999.99, reserved: 6000.01, in_flight: 0 },
    ]);
    expect((await world.get('/v1/trading/balances?exchange=nowhere', token)).error.code).toBe(2002);
  });

  it('starts and stops: the command travels, the answer of the engine comes back', async () => {
    const asked = world.answerNext<'start' | 'stop'>(({ id, by, reason }) =>
      eventOf('trading-state', 101, { state: 'halted', reason, by, command_id: id }),
    );
    const { status, data } = await world.post('/v1/trading/stop', { reason: 'lunch' }, token);
    expect(await asked).toMatchObject({ kind: 'stop', reason: 'lunch', by: `test-${principals}`, v: 1 });
    expect(status).toBe(200);
    expect(data).toMatchObject({ state: 'halted', reason: 'lunch', command_id: (await asked).id });
  });

  it('passes a refusal on with its code', async () => {
    const asked = world.answerNext(({ id }) =>
      eventOf('command-refused', 102, { command_id: id, code: 4001, reason: 'daily loss is over its limit' }),
    );
    const { status, error } = await world.post('/v1/trading/start', undefined, token);
    expect(await asked).toMatchObject({ kind: 'start' });
    expect([status, error.code, error.detail]).toEqual([403, 4001, 'daily loss is over its limit']);
  });

  it('answers 202 when the engine says nothing for three seconds', async () => {
    const { status, data } = await world.post('/v1/trading/start', {}, token);
    expect([status, data['state']]).toEqual([202, 'pending']);
    expect(data['command_id']).toMatch(/^[0-9a-f-]{36}$/);
    world.abandon(textIn(data['command_id']));
  });

  it('refuses what it does not know instead of ignoring it', async () => {
    const { status, error } = await world.post('/v1/trading/start', { strategies: ['spatial'] }, token);
    expect([status, error.code]).toEqual([400, 3001]);
    expect(error.detail).toContain('strategies');
  });

  it('stops on a body of any kind that can be read, and on none', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const json = { 'content-type': 'application/json' };
    const cases = [
      { headers: form, body: '{"reason":"plain curl -d"}', reason: 'plain curl -d' },
      { headers: json, body: '', reason: 'stop by API' },
    ];
    for (const { headers, body, reason: wanted } of cases) {
      const asked = world.answerNext<'start' | 'stop'>(({ id, by, reason }) =>
        eventOf('trading-state', (stopSeq += 1), { state: 'halted', reason, by, command_id: id }),
      );
      const response = await fetch(`${world.cloud.apiUrl}/v1/trading/stop`, {
        method: 'POST',
        headers: { ...headers, authorization: `Bearer ${token}` },
        body,
      });
      expect(response.status).toBe(200);
      expect(await asked).toMatchObject({ kind: 'stop', reason: wanted });
    }
    const garbage = await world.post('/v1/trading/stop', 'garbage', token);
    expect([garbage.status, garbage.error.code, garbage.error.detail]).toEqual([400, 3001, 'the body is not JSON']);
  });

  it('says 503/5002 while the stream is down, and works again after it', { timeout: 30_000 }, async () => {
    await world.cloud.stopKinesis();
    const { status, error } = await world.post('/v1/trading/start', {}, token);
    expect([status, error.code]).toEqual([503, 5002]);
    await world.cloud.startKinesis();
    const asked = world.answerNext<'start' | 'stop'>(({ id, by, reason }) =>
      eventOf('trading-state', 103, { state: 'active', reason, by, command_id: id }),
    );
    expect((await world.post('/v1/trading/start', {}, token)).data).toMatchObject({ state: 'active' });
    expect(await asked).toMatchObject({ kind: 'start', reason: 'start by API' });
  });
});

describe('system', () => {
  it('is alive without a token, ready only while the engine speaks', async () => {
    expect((await world.get('/health')).data).toEqual({ healthy: true });
    const before = await world.get('/ready');
    expect([before.status, before.error.code]).toEqual([503, 5002]);
    expect((await world.get('/v1/status', token)).data).toMatchObject({ state: 'unknown', status_age_ms: null });

    await world.say(statusOf(world.clock.nowMs()));
    world.clock.advance(10_000);
    expect((await world.get('/ready')).data).toMatchObject({ ready: true, engine: ENGINE, status_age_ms: 10_000 });
    const status = await world.get('/v1/status', token);
    expect(status.data).toMatchObject({
      state: 'active',
      mode: 'paper',
      publish: { journalled: 321, published: 300, lag_records: 21, lag_ms: 1500 },
    });
    expect(listIn(status.data['venues'])[0]).toMatchObject({ id: 'binance', reason: 'connected', health: 0.98 });
    expect(status.text).toContain('"realised":12.340000000000000001');

    world.clock.advance(1);
    const after = await world.get('/ready');
    expect([after.status, after.error.detail]).toEqual([503, `engine ${ENGINE} was last heard 10 s ago`]);
    expect((await world.get('/v1/status', token)).data['state']).toBe('unknown');
  });

  it('gives Prometheus text with the names of the contract', async () => {
    await world.say(statusOf(world.clock.nowMs()));
    const { text, headers } = await world.get('/metrics');
    expect(headers.get('content-type')).toContain('text/plain');
    for (const line of [
      'arbitrage_engine_latency_seconds_bucket{stage="decision",le="0.000005"} 97',
      'arbitrage_engine_latency_seconds_bucket{stage="decision",le="+Inf"} 100',
      'arbitrage_engine_latency_seconds_count{stage="order"} 4',
      'arbitrage_engine_latency_p99 0.000022',
      'arbitrage_engine_throughput 250',
      'arbitrage_engine_positions_count 2',
      'arbitrage_opportunities_detected_total 7',
      'arbitrage_trades_executed_total 4',
      'arbitrage_profit_usd_total 12.34',
      'arbitrage_publish_lag_records 21',
      'arbitrage_publish_lag_seconds 1.5',
      'arbitrage_venue_gaps_total{venue="binance"} 1',
      'arbitrage_engine_up 1',
      'websocket_connections_active 0',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).toMatch(/errors_total\{type="1001"\} \d+/);
  });
});

describe('documents', () => {
  it('describe every route, and refer to nothing that is missing', async () => {
    const { text } = await world.get('/v1/openapi.json');
    const document = parse(text);
    expect(document['openapi']).toBe('3.1.0');
    const routes = Object.entries(document['paths']!).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ method, path, operation })),
    );
    const described = routes.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(described.sort()).toMatchInlineSnapshot(`
      [
        "DELETE /v1/keys/{id}",
        "DELETE /v1/orders/{order_id}",
        "DELETE /v1/trading/orders/{order_id}",
        "GET /health",
        "GET /metrics",
        "GET /ready",
        "GET /v1/alerts",
        "GET /v1/alerts/{id}/ack",
        "GET /v1/analytics/opportunities",
        "GET /v1/analytics/opportunities/{id}",
        "GET /v1/analytics/performance",
        "GET /v1/audit",
        "GET /v1/config",
        "GET /v1/config/versions",
        "GET /v1/docs",
        "GET /v1/keys",
        "GET /v1/market/books/{exchange}/{symbol}",
        "GET /v1/market/history",
        "GET /v1/market/prices",
        "GET /v1/market/synthetics",
        "GET /v1/openapi.json",
        "GET /v1/orders",
        "GET /v1/positions",
        "GET /v1/risk/breakers",
        "GET /v1/risk/limits",
        "GET /v1/risk/metrics",
        "GET /v1/risk/reports",
        "GET /v1/risk/reports/{date}",
        "GET /v1/status",
        "GET /v1/trading/balances",
        "GET /v1/trading/commands/{id}",
        "GET /v1/trading/operations",
        "GET /v1/trading/operations/{id}",
        "GET /v1/trading/orders",
        "GET /v1/trading/positions",
        "GET /v1/trading/recoveries",
        "PATCH /v1/orders/{order_id}",
        "PATCH /v1/trading/orders/{order_id}",
        "POST /v1/alerts/{id}/ack",
        "POST /v1/auth/token",
        "POST /v1/config/reload",
        "POST /v1/config/rollback",
        "POST /v1/keys",
        "POST /v1/orders",
        "POST /v1/portfolio/rebalance/execute",
        "POST /v1/portfolio/rebalance/plan",
        "POST /v1/risk/breakers/{id}/reset",
        "POST /v1/trading/adjustments",
        "POST /v1/trading/emergency-stop",
        "POST /v1/trading/orders",
        "POST /v1/trading/position-adjustments",
        "POST /v1/trading/recoveries/{operation}",
        "POST /v1/trading/start",
        "POST /v1/trading/stop",
        "PUT /v1/config",
        "PUT /v1/risk/limits",
      ]
    `);
    for (const { path, operation } of routes) {
      expect(operation['summary']).toBeTypeOf('string');
      for (const response of Object.values(operation['responses']!)) {
        expect(response['description']).toBeTypeOf('string');
      }
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = listIn(operation['parameters'] ?? ([] as never)).filter((each) => textIn(each['in']) === 'path');
      expect(declared.map(({ name }) => name).sort()).toEqual(inPath.sort());
    }
    for (const [, pointer] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = pointer!.split('/').reduce<Json | undefined>((node, part) => node?.[part], document);
      expect(found).toBeDefined();
    }
  });

  it('have a page for people that fetches nothing from elsewhere', async () => {
    const { text, headers } = await world.get('/v1/docs');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; style-src 'unsafe-inline'");
    expect(text).toContain('/v1/market/books/{exchange}/{symbol}');
    expect(text).not.toMatch(/<script|src=|https?:\/\//);
  });
});

function history(): Parameters<CloudUnderTest['feed']>[0] {
  const okxFill = {
    instrument: 'okx:BTC/USDT',
    side: 'sell' as const,
    price: '60100.30',
    fee: '6.01',
    fee_asset: 'USDT',
  };
  const okxOrder = { instrument: 'okx:BTC/USDT', side: 'sell' as const, price: '60100.30', leg: 1 };
  const check = { name: 'book-age', value: '1700', limit: '1500', passed: false };
  const cycle = [
    { instrument: 'binance:ETH/BTC', side: 'buy' as const, price: '0.05', qty: '2' },
    { instrument: 'binance:ETH/USDT', side: 'sell' as const, price: '3000', qty: '2' },
  ];
  return [
    eventOf('venue-status', 1, { venue: 'binance', status: 'live', reason: 'connected' }),
    eventOf('opportunity', 2, opportunityData('opp-1', { status: 'active' })),
    eventOf('operation', 3, operationData('op-1')),
    eventOf('operation', 4, operationData('op-1', { state: 'executing' })),
    eventOf('order', 5, orderData('o-1', 'op-1')),
    eventOf('order', 6, orderData('o-2', 'op-1', okxOrder)),
    eventOf('fill', 7, fillData('t-1', 'op-1')),
    eventOf('order', 8, orderData('o-1', 'op-1', { status: 'filled', filled_qty: '0.10', average_price: '60000.10' })),
    eventOf('fill', 9, fillData('t-1', 'op-1', { ...okxFill, client_order_id: 'o-2' })),
    eventOf('order', 10, orderData('o-2', 'op-1', { ...okxOrder, status: 'filled', filled_qty: '0.1' })),
    eventOf('operation', 11, operationData('op-1', { state: 'completed', pnl: { realised: '4.02', fees: '12' } })),
    eventOf('opportunity', 12, opportunityData('opp-1', { status: 'executed', operation: 'op-1' })),
    eventOf(
      'opportunity',
      13,
      opportunityData('opp-2', { status: 'rejected', reason: 'BOOK_TOO_OLD', checks: [check] }),
    ),
    eventOf('opportunity', 14, opportunityData('opp-3', { status: 'rejected', type: 'cycle', legs: cycle })),
    eventOf('opportunity', 15, opportunityData('opp-4')),
    eventOf('opportunity', 16, opportunityData('opp-5', { notional: '6100' })),
    eventOf('balance', 17, {
      venue: 'binance',
      asset: 'USDT',
      total: '500000',
      available: '493999.99',
      reserved: '6000.01',
    }),
    eventOf('balance', 18, {
      venue: 'okx',
      asset: 'BTC',
      total: '8.000000000000000001',
      available: '8',
      reserved: '0',
    }),
    eventOf('position', 19, {
      id: 'binance:BTC/USDT',
      instrument: 'binance:BTC/USDT',
      type: 'long',
      size: '0.5',
      entry_price: '59900',
      realized_pnl: '0',
      status: 'open',
    }),
    eventOf('position', 20, {
      id: 'okx:BTC/USDT:USDT',
      instrument: 'okx:BTC/USDT:USDT',
      type: 'short',
      size: '5',
      entry_price: '60500',
      realized_pnl: '1.5',
      status: 'open',
    }),
  ];
}
