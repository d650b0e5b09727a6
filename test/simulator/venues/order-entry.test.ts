import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { socketTo, virtualRun } from '../venue-client.ts';
import type { Run, TestSocket } from '../venue-client.ts';

const { apiKey, secret, passphrase } = DEFAULT_ACCOUNT;
const SYMBOLS = ['BTC/USDT', 'BTC/USDT:USDT', 'BTC/USD'];

type Reply = { readonly status: number; readonly delayMs: number; readonly body: Record<string, unknown> };
const ask = (
  simulator: Simulator,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): Reply => {
  const reply = simulator.request({ method, path, headers, body });
  return { status: reply.status, delayMs: reply.delayMs, body: JSON.parse(reply.body) as Record<string, unknown> };
};

/** A venue's signed request, made here from its documentation. */
type Signed = (
  run: Run,
  what: { method: string; path: string; fields?: Record<string, string>; secret?: string; skewMs?: number },
) => Reply;

const nowMs = ({ clock }: Run): number => Math.floor(clock.unixMs(clock.now()));

const binance: Signed = (run, { method, path, fields = {}, secret: key = secret, skewMs = 0 }) => {
  const query = new URLSearchParams({ ...fields, timestamp: String(nowMs(run) + skewMs) }).toString();
  const signed = `${query}&signature=${createHmac('sha256', key).update(query).digest('hex')}`;
  const headers = { 'X-MBX-APIKEY': apiKey };
  return method === 'POST'
    ? ask(run.simulator, method, path, headers, signed)
    : ask(run.simulator, method, `${path}?${signed}`, headers);
};

const okx: Signed = (run, { method, path, fields = {}, secret: key = secret, skewMs = 0 }) => {
  const timestamp = new Date(nowMs(run) + skewMs).toISOString();
  const query = method === 'GET' && Object.keys(fields).length > 0 ? `?${new URLSearchParams(fields).toString()}` : '';
  const body = method === 'GET' ? '' : JSON.stringify(fields);
  const sign = createHmac('sha256', key)
    .update(timestamp + method + path + query + body)
    .digest('base64');
  return ask(
    run.simulator,
    method,
    `/okx${path}${query}`,
    {
      'OK-ACCESS-KEY': apiKey,
      'OK-ACCESS-SIGN': sign,
      'OK-ACCESS-TIMESTAMP': timestamp,
      'OK-ACCESS-PASSPHRASE': passphrase,
    },
    body,
  );
};

const kraken: Signed = (run, { path, fields = {}, secret: key = secret, skewMs = 0 }) => {
  const nonce = String(nowMs(run) + skewMs);
  const body = new URLSearchParams({ nonce, ...fields }).toString();
  const digest = createHash('sha256')
    .update(nonce + body)
    .digest();
  const sign = createHmac('sha512', Buffer.from(key, 'base64'))
    .update(Buffer.concat([Buffer.from(path), digest]))
    .digest('base64');
  return ask(run.simulator, 'POST', `/kraken${path}`, { 'API-Key': apiKey, 'API-Sign': sign }, body);
};

const bestAsk = (run: Run, venue: string, symbol = 'BTC/USDT'): number => {
  const exchange = run.simulator.exchange(venue);
  const listing = exchange.listings.find((each) => each.symbol === symbol)!;
  return exchange.engine(listing).asks.best()!.price / 10 ** listing.priceDecimals;
};

describe('Binance order entry', () => {
  const ORDER = '/binance/spot/api/v3/order';
  const limit = (fields: Record<string, string> = {}): Record<string, string> => ({
    symbol: 'BTCUSDT',
    side: 'BUY',
    type: 'LIMIT',
    timeInForce: 'GTC',
    quantity: '0.01',
    price: '50000',
    newClientOrderId: 'mine-1',
    ...fields,
  });

  it.each<[string, number, Parameters<Signed>[1]]>([
    ['unknown symbol', -1121, { method: 'POST', path: ORDER, fields: limit({ symbol: 'NOPE' }) }],
    ['wrong signature', -1022, { method: 'POST', path: ORDER, fields: limit(), secret: 'other' }],
    ['old timestamp', -1021, { method: 'POST', path: ORDER, fields: limit(), skewMs: -6_000 }],
    ['future timestamp', -1021, { method: 'POST', path: ORDER, fields: limit(), skewMs: 2_000 }],
    [
      'no side',
      -1102,
      { method: 'POST', path: ORDER, fields: { symbol: 'BTCUSDT', type: 'LIMIT', timeInForce: 'GTC' } },
    ],
    ['off the tick', -1013, { method: 'POST', path: ORDER, fields: limit({ price: '50000.001' }) }],
    ['off the lot', -1013, { method: 'POST', path: ORDER, fields: limit({ quantity: '0.0100001' }) }],
    ['too small', -1013, { method: 'POST', path: ORDER, fields: limit({ quantity: '0.00005' }) }],
    ['no number', -1100, { method: 'POST', path: ORDER, fields: limit({ quantity: 'much' }) }],
    ['no funds', -2010, { method: 'POST', path: ORDER, fields: limit({ quantity: '100' }) }],
    [
      'maker that would take',
      -2010,
      { method: 'POST', path: ORDER, fields: limit({ type: 'LIMIT_MAKER', price: '150000', quantity: '0.001' }) },
    ],
    ['cancel of nothing', -2011, { method: 'DELETE', path: ORDER, fields: { symbol: 'BTCUSDT', orderId: '99' } }],
    [
      'query of nothing',
      -2013,
      { method: 'GET', path: ORDER, fields: { symbol: 'BTCUSDT', origClientOrderId: 'never' } },
    ],
    [
      'futures margin',
      -2019,
      { method: 'POST', path: '/binance/usdm/fapi/v1/order', fields: limit({ quantity: '900' }) },
    ],
    [
      'futures post-only',
      -5022,
      { method: 'POST', path: '/binance/usdm/fapi/v1/order', fields: limit({ timeInForce: 'GTX', price: '150000' }) },
    ],
    [
      'futures notional',
      -4164,
      { method: 'POST', path: '/binance/usdm/fapi/v1/order', fields: limit({ quantity: '0.001', price: '40000' }) },
    ],
  ])('%s: %i', (_, code, what) => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const reply = binance(run, what);
    expect([reply.status, reply.body['code']]).toEqual([400, code]);
    expect(run.simulator.exchange('binance').ledger.byKey(apiKey)!.balance('spot', 'USDT').held.toFixed()).toBe('0');
  });

  it('asks for a known key', () => {
    const { simulator } = virtualRun(1, { symbols: SYMBOLS });
    expect(ask(simulator, 'GET', '/binance/spot/api/v3/account')).toMatchObject({ status: 401, body: { code: -2014 } });
    expect(ask(simulator, 'GET', '/binance/spot/api/v3/account', { 'X-MBX-APIKEY': 'x' })).toMatchObject({
      status: 401,
      body: { code: -2015 },
    });
  });

  it('knows a client order id as long as its order is open, and finds the order by it', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const fields = limit();
    expect(binance(run, { method: 'POST', path: ORDER, fields }).body).toMatchObject({
      status: 'NEW',
      executedQty: '0.00000000',
    });
    expect(binance(run, { method: 'POST', path: ORDER, fields }).body).toMatchObject({
      code: -2010,
      msg: 'Duplicate order sent.',
    });
    const found = binance(run, {
      method: 'GET',
      path: ORDER,
      fields: { symbol: 'BTCUSDT', origClientOrderId: 'mine-1' },
    });
    expect(found.body).toMatchObject({ clientOrderId: 'mine-1', price: '50000.00000000', status: 'NEW' });
    binance(run, { method: 'DELETE', path: ORDER, fields: { symbol: 'BTCUSDT', origClientOrderId: 'mine-1' } });
    expect(binance(run, { method: 'POST', path: ORDER, fields }).status).toBe(200);
  });

  it('reports over the WebSocket API what happens, fills first, then the state', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const socket = socketTo(run.simulator, '/binance/spot/ws-api/v3');
    const call = (method: string, params: Record<string, string>): void => {
      const all: Record<string, string> = { ...params, apiKey, timestamp: String(nowMs(run)) };
      const text = Object.keys(all)
        .sort()
        .map((name) => `${name}=${all[name]!}`)
        .join('&');
      socket.send({
        id: 'r1',
        method,
        params: { ...all, signature: createHmac('sha256', secret).update(text).digest('hex') },
      });
    };
    call('userDataStream.subscribe.signature', {});
    call('order.place', {
      ...limit({ timeInForce: 'IOC', price: String(bestAsk(run, 'binance') + 1_000), quantity: '0.5' }),
    });
    const frames = socket
      .take()
      .map((text) => JSON.parse(text) as { status?: number; event?: { e: string; x: string; X: string } });
    expect(frames[0]).toMatchObject({ status: 200, result: { subscriptionId: 0 } });
    const reports = frames.flatMap(({ event }) => (event?.e === 'executionReport' ? [event] : []));
    expect(reports[0]).toMatchObject({ x: 'NEW', X: 'NEW' });
    expect(reports.slice(1).every(({ x }) => x === 'TRADE')).toBe(true);
    expect(reports.at(-1)).toMatchObject({ X: 'FILLED' });
    expect(frames.at(-1)).toMatchObject({ id: 'r1', status: 200, result: { status: 'FILLED' } });
  });

  it('pushes futures events to the listen key of the account', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const { body } = ask(run.simulator, 'POST', '/binance/usdm/fapi/v1/listenKey', { 'X-MBX-APIKEY': apiKey });
    const socket = socketTo(run.simulator, `/fstream.binance.com/private/ws?listenKey=${String(body['listenKey'])}`);
    binance(run, {
      method: 'POST',
      path: '/binance/usdm/fapi/v1/order',
      fields: { symbol: 'BTCUSDT', side: 'SELL', type: 'MARKET', quantity: '0.01' },
    });
    const events = socket.take().map((text) => JSON.parse(text) as { e: string; o?: { x: string } });
    expect(events.map(({ e, o }) => o?.x ?? e)).toEqual(['NEW', 'TRADE', 'ACCOUNT_UPDATE']);
  });

  it('limits orders to 100 in ten seconds', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const codes = Array.from(
      { length: 101 },
      (_, at) =>
        binance(run, { method: 'POST', path: ORDER, fields: limit({ quantity: '0.001', newClientOrderId: `n${at}` }) })
          .status,
    );
    expect(codes.filter((status) => status === 200)).toHaveLength(100);
    expect(codes.at(-1)).toBe(429);
  });
});

describe('OKX order entry', () => {
  const order = (fields: Record<string, string> = {}): Record<string, string> => ({
    instId: 'BTC-USDT',
    tdMode: 'cash',
    side: 'buy',
    ordType: 'limit',
    px: '50000',
    sz: '0.01',
    clOrdId: 'mine1',
    ...fields,
  });
  const ORDER = '/api/v5/trade/order';

  it.each<[string, string, Parameters<Signed>[1]]>([
    ['unknown instrument', '51001', { method: 'POST', path: ORDER, fields: order({ instId: 'NO-PE' }) }],
    ['off the lot', '51121', { method: 'POST', path: ORDER, fields: order({ sz: '0.000000001' }) }],
    ['too small', '51020', { method: 'POST', path: ORDER, fields: order({ sz: '0.000001' }) }],
    ['no funds', '51008', { method: 'POST', path: ORDER, fields: order({ sz: '1000' }) }],
    ['no number', '51000', { method: 'POST', path: ORDER, fields: order({ px: 'high' }) }],
    [
      'cancel of nothing',
      '51400',
      { method: 'POST', path: '/api/v5/trade/cancel-order', fields: { instId: 'BTC-USDT', ordId: '9' } },
    ],
  ])('%s: sCode %s under code 1', (_, sCode, what) => {
    const reply = okx(virtualRun(1, { symbols: SYMBOLS }), what);
    expect(reply).toMatchObject({ status: 200, body: { code: '1', data: [{ sCode }] } });
  });

  it('refuses wrong signatures, old timestamps, unknown orders', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const balance = { method: 'GET', path: '/api/v5/account/balance' };
    expect(okx(run, { ...balance, secret: 'other' })).toMatchObject({ status: 401, body: { code: '50113' } });
    expect(okx(run, { ...balance, skewMs: -31_000 })).toMatchObject({ status: 401, body: { code: '50102' } });
    expect(
      okx(run, { method: 'GET', path: ORDER, fields: { instId: 'BTC-USDT', clOrdId: 'never' } }).body['code'],
    ).toBe('51603');
    expect(okx(run, { method: 'POST', path: ORDER, fields: order() }).body['code']).toBe('0');
    expect(okx(run, { method: 'POST', path: ORDER, fields: order() })).toMatchObject({
      body: { data: [{ sCode: '51016' }] },
    });
  });

  const login = (run: Run, key = secret): TestSocket => {
    const socket = socketTo(run.simulator, '/okx/ws/v5/private');
    const timestamp = String(Math.floor(nowMs(run) / 1_000));
    const sign = createHmac('sha256', key).update(`${timestamp}GET/users/self/verify`).digest('base64');
    socket.send({ op: 'login', args: [{ apiKey, passphrase, timestamp, sign }] });
    return socket;
  };

  it('trades over the private socket by instrument code, part of a batch may fail', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const socket = login(run);
    expect(JSON.parse(socket.take()[0]!)).toMatchObject({ event: 'login', code: '0' });
    socket.send({ op: 'subscribe', args: [{ channel: 'orders', instType: 'ANY' }] });
    const { data } = ask(run.simulator, 'GET', '/okx/api/v5/public/instruments?instType=SPOT').body as {
      data: { instIdCode: number }[];
    };
    const args = [
      {
        instIdCode: data[0]!.instIdCode,
        tdMode: 'cash',
        side: 'sell',
        ordType: 'ioc',
        px: '50000',
        sz: '0.1',
        clOrdId: 'a1',
      },
      {
        instIdCode: data[0]!.instIdCode,
        tdMode: 'cash',
        side: 'sell',
        ordType: 'ioc',
        px: '50000',
        sz: '1000',
        clOrdId: 'a2',
      },
      { instId: 'BTC-USDT', tdMode: 'cash', side: 'sell', ordType: 'ioc', px: '50000', sz: '0.1', clOrdId: 'a3' },
    ];
    socket.take();
    socket.send({ id: '7', op: 'batch-orders', args });
    const frames = socket.take().map((text) => JSON.parse(text) as Record<string, unknown>);
    const states = frames.flatMap((frame) =>
      'arg' in frame ? (frame['data'] as { state: string }[]).map(({ state }) => state) : [],
    );
    expect(states[0]).toBe('live');
    expect(states.at(-1)).toBe('filled');
    expect(frames.at(-1)).toMatchObject({
      id: '7',
      code: '2',
      data: [{ sCode: '0' }, { sCode: '51008' }, { sCode: '51001' }],
    });
  });

  it('keeps strangers out of the private socket', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const socket = login(run, 'other');
    socket.send({ id: '1', op: 'order', args: [{ instIdCode: 10_000 }] });
    socket.send({ op: 'subscribe', args: [{ channel: 'orders', instType: 'ANY' }] });
    expect(socket.take().map((text) => (JSON.parse(text) as { code: string }).code)).toEqual([
      '60007',
      '60011',
      '60011',
    ]);
  });
});

describe('Kraken order entry', () => {
  const order = (fields: Record<string, string> = {}): Record<string, string> => ({
    pair: 'XBTUSDT',
    type: 'buy',
    ordertype: 'limit',
    price: '50000',
    volume: '0.01',
    cl_ord_id: 'mine-1',
    ...fields,
  });
  const ADD = { method: 'POST', path: '/0/private/AddOrder' };

  it.each<[string, string, Parameters<Signed>[1]]>([
    ['unknown pair', 'EQuery:Unknown asset pair', { ...ADD, fields: order({ pair: 'NOPE' }) }],
    ['wrong signature', 'EAPI:Invalid signature', { ...ADD, fields: order(), secret: 'b3RoZXI=' }],
    ['off the tick', 'EOrder:Invalid price', { ...ADD, fields: order({ price: '50000.01' }) }],
    ['too small', 'EOrder:Order minimum not met', { ...ADD, fields: order({ volume: '0.00001' }) }],
    ['no funds', 'EOrder:Insufficient funds', { ...ADD, fields: order({ volume: '1000' }) }],
    [
      'post-only that would take',
      'EOrder:Post only order',
      { ...ADD, fields: order({ oflags: 'post', price: '150000' }) },
    ],
    [
      'long client id',
      'EGeneral:Invalid arguments:cl_ord_id',
      { ...ADD, fields: order({ cl_ord_id: 'x'.repeat(19) }) },
    ],
    [
      'cancel of nothing',
      'EOrder:Unknown order',
      { method: 'POST', path: '/0/private/CancelOrder', fields: { txid: 'OAAAAA-AAAAA-AAAAAA' } },
    ],
  ])('%s: %s', (_, error, what) => {
    expect(kraken(virtualRun(1, { symbols: SYMBOLS }), what)).toMatchObject({ status: 200, body: { error: [error] } });
  });

  it('refuses a nonce that goes back', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const balance = { method: 'POST', path: '/0/private/Balance' };
    expect(kraken(run, balance).body['error']).toEqual([]);
    expect(kraken(run, { ...balance, skewMs: -5 }).body['error']).toEqual(['EAPI:Invalid nonce']);
  });

  it('trades over WebSocket with a token, and reports executions', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const { result } = kraken(run, { method: 'POST', path: '/0/private/GetWebSocketsToken' }).body as {
      result: { token: string };
    };
    const socket = socketTo(run.simulator, '/ws-auth.kraken.com/v2');
    const { token } = result;
    socket.send({ method: 'subscribe', params: { channel: 'executions', token } });
    socket.take();
    const params = {
      order_type: 'limit',
      side: 'buy',
      order_qty: 0.3,
      symbol: 'BTC/USD',
      limit_price: 150_000.1,
      time_in_force: 'ioc',
      cl_ord_id: 'ws-1',
      token,
    };
    socket.send({ method: 'add_order', params, req_id: 2 });
    const frames = socket
      .take()
      .map((text) => JSON.parse(text) as { channel?: string; data: { exec_type: string; order_status: string }[] });
    const kinds = frames.flatMap(({ channel, data }) =>
      channel === 'executions' ? data.map(({ exec_type }) => exec_type) : [],
    );
    expect([kinds[0], kinds.at(-2), kinds.at(-1)]).toEqual(['new', 'trade', 'filled']);
    expect(frames.at(-1)).toMatchObject({
      method: 'add_order',
      req_id: 2,
      success: true,
      result: { cl_ord_id: 'ws-1' },
    });
    socket.send({ method: 'add_order', params: { ...params, token: 'stolen' }, req_id: 3 });
    expect(JSON.parse(socket.take()[0]!)).toMatchObject({
      success: false,
      error: 'ESession:Invalid session',
      req_id: 3,
    });
  });
});

describe('acknowledgements under faults', () => {
  it('come late when told: the order is done at once, its answer after the delay', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    run.simulator.fault({ venue: 'kraken', kind: 'slow-ack', ms: 700 });
    const reply = kraken(run, {
      method: 'POST',
      path: '/0/private/AddOrder',
      fields: { pair: 'XBTUSDT', type: 'buy', ordertype: 'limit', price: '50000', volume: '0.01' },
    });
    expect(reply.delayMs).toBe(700);
    expect(
      run.simulator.exchange('kraken').ordersOf(run.simulator.exchange('kraken').ledger.byKey(apiKey)!, 'open'),
    ).toHaveLength(1);
  });

  it('never come when lost: the order lives, and is found by its client order id', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    run.simulator.fault({ venue: 'okx', kind: 'lost-ack' });
    const fields = {
      instId: 'BTC-USDT',
      tdMode: 'cash',
      side: 'buy',
      ordType: 'limit',
      px: '50000',
      sz: '0.01',
      clOrdId: 'lost1',
    };
    expect(okx(run, { method: 'POST', path: '/api/v5/trade/order', fields }).delayMs).toBe(Infinity);
    const found = okx(run, {
      method: 'GET',
      path: '/api/v5/trade/order',
      fields: { instId: 'BTC-USDT', clOrdId: 'lost1' },
    });
    expect(found).toMatchObject({ delayMs: 0, body: { data: [{ state: 'live', clOrdId: 'lost1' }] } });
  });

  it('are lost with the socket that should have brought them', () => {
    const run = virtualRun(1, { symbols: SYMBOLS });
    const { result } = kraken(run, { method: 'POST', path: '/0/private/GetWebSocketsToken' }).body as {
      result: { token: string };
    };
    const socket = socketTo(run.simulator, '/kraken/v2');
    run.simulator.fault({ venue: 'kraken', kind: 'slow-ack', ms: 500 });
    socket.send({
      method: 'add_order',
      params: {
        order_type: 'limit',
        side: 'buy',
        order_qty: 0.01,
        symbol: 'BTC/USD',
        limit_price: 50_000,
        token: result.token,
      },
    });
    run.simulator.fault({ venue: 'kraken', kind: 'disconnect' });
    const before = socket.frames.length;
    run.forward(2_000);
    expect([socket.closes, socket.frames.length]).toEqual([[1006], before]);
  });
});

describe('signed nonsense', () => {
  const value = fc.constantFrom(
    '',
    '0',
    '-1',
    '1e9',
    '1e-9',
    '0.01',
    '50000',
    '1e400',
    'NaN',
    'x',
    '٣',
    'null',
    '99999999999999999999',
  );
  const draft = fc.record({
    side: fc.constantFrom('BUY', 'buy', 'sell', 'SELL', 'hold'),
    type: fc.constantFrom('LIMIT', 'MARKET', 'limit', 'market', 'ioc', 'post_only', 'stop'),
    timeInForce: fc.constantFrom('GTC', 'IOC', 'FOK', 'GTX', 'never'),
    price: value,
    qty: value,
    byQuote: fc.boolean(),
    id: fc.constantFrom('a', 'b', '', 'x'.repeat(40), 'ü'),
  });

  it('is refused or done, and never makes or loses money', () => {
    fc.assert(
      fc.property(fc.array(draft, { minLength: 1, maxLength: 12 }), (drafts) => {
        const run = virtualRun(1, { symbols: SYMBOLS });
        for (const { side, type, timeInForce, price, qty, byQuote, id } of drafts) {
          const replies = [
            binance(run, {
              method: 'POST',
              path: '/binance/spot/api/v3/order',
              fields: {
                symbol: 'BTCUSDT',
                side,
                type,
                timeInForce,
                price,
                [byQuote ? 'quoteOrderQty' : 'quantity']: qty,
                newClientOrderId: id,
              },
            }),
            binance(run, {
              method: 'POST',
              path: '/binance/usdm/fapi/v1/order',
              fields: { symbol: 'BTCUSDT', side, type, timeInForce, price, quantity: qty, newClientOrderId: id },
            }),
            okx(run, {
              method: 'POST',
              path: '/api/v5/trade/order',
              fields: {
                instId: 'BTC-USDT',
                side,
                ordType: type,
                px: price,
                sz: qty,
                tgtCcy: byQuote ? 'quote_ccy' : 'base_ccy',
                clOrdId: id,
              },
            }),
            kraken(run, {
              method: 'POST',
              path: '/0/private/AddOrder',
              fields: {
                pair: 'XBTUSDT',
                type: side,
                ordertype: type,
                timeinforce: timeInForce,
                price,
                volume: qty,
                oflags: byQuote ? 'viqc' : '',
                cl_ord_id: id,
              },
            }),
          ];
          for (const { status } of replies) expect(status).toBeLessThan(500);
        }
        run.forward(500);
        for (const venue of ['binance', 'okx', 'kraken'] as const) {
          const accounts = run.simulator.exchange(venue).ledger.all();
          const total = accounts.reduce(
            (sum, account) => sum.plus(account.balance('spot', 'BTC').total),
            accounts[0]!.balance('spot', 'none').total,
          );
          expect(total.toFixed()).toBe(DEFAULT_ACCOUNT.balances['BTC']);
        }
      }),
      { numRuns: 60 },
    );
  });
});
