import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { bybit } from '#hotpath/venues/bybit.ts';
import type { AccountContext, Answer, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { SNAPSHOT } from '#shared/domain/market-event.ts';
import { asset } from '#hotpath/venues/venue.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const account = bybit.accounts![0]!;
const { rest, sockets, deadMan } = account;
const [events, trade] = sockets;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_790_000_000_000.4,
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const spot = instrumentOf('bybit', 'spot', 'BTCUSDT');
const linear = (symbol: string, settle = 'USDT'): Instrument => ({
  ...instrumentOf('bybit', 'linear', symbol),
  kind: 'perpetual',
  settle: asset(settle),
});
const ticket = (change: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: spot,
  side: 'buy',
  type: 'limit',
  price: '62000.1',
  qty: '0.01',
  timeInForce: 'IOC',
  postOnly: false,
  reduceOnly: false,
  ...change,
});
const ref: OrderRef = {
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: spot,
  side: 'buy',
  venueOrderId: undefined,
  sentMs: 1_790_000_000_000,
};

const fieldsOf = (call: Call<unknown>): Readonly<Record<string, unknown>> =>
  call.body === undefined
    ? Object.fromEntries(new URLSearchParams(call.path.split('?')[1]))
    : (JSON.parse(call.body) as Record<string, unknown>);
const answer = <T>(call: Call<T>, result: unknown, retCode = 0): Answer<T> =>
  call.read({ status: 200, headers: {}, text: JSON.stringify({ retCode, retMsg: 'said', result, time: 1 }) });
const value = <T>(answered: Answer<T>): T => {
  if (answered.kind === 'refused') throw new Error(`${answered.meaning}: ${answered.text}`);
  return answered.value;
};

describe('bybit orders', () => {
  it.each([
    [{ timeInForce: 'GTC' }, { timeInForce: 'GTC', price: '62000.1' }],
    [{ timeInForce: 'IOC' }, { timeInForce: 'IOC' }],
    [{ timeInForce: 'FOK' }, { timeInForce: 'FOK' }],
    [{ timeInForce: 'GTC', postOnly: true }, { timeInForce: 'PostOnly' }],
    [{ type: 'market' }, { orderType: 'Market', marketUnit: 'baseCoin', timeInForce: undefined, price: undefined }],
    [
      { type: 'market', instrument: linear('BTCUSDT') },
      { category: 'linear', marketUnit: undefined },
    ],
    [
      { instrument: linear('BTCUSDT'), reduceOnly: true, side: 'sell' },
      { reduceOnly: true, side: 'Sell' },
    ],
  ] as const)('of %j say %j', (change, said) => {
    expect(fieldsOf(rest.place(ticket(change), context))).toMatchObject(
      Object.fromEntries(Object.entries(said).filter(([, field]) => field !== undefined)),
    );
    for (const [name, field] of Object.entries(said))
      if (field === undefined) expect(fieldsOf(rest.place(ticket(change), context))).not.toHaveProperty(name);
  });

  it.each([
    { type: 'market', postOnly: true },
    { type: 'market', timeInForce: 'FOK' },
    { timeInForce: 'IOC', postOnly: true },
    { timeInForce: 'FOK', postOnly: true },
    { reduceOnly: true },
    { instrument: { ...linear('BTC-25DEC26-60000-C'), kind: 'option' } },
  ] as const)('of %j are refused with a sentence', (change) => {
    expect(account.refuses(ticket({ timeInForce: 'GTC', ...change }))).toMatch(/\w+ \w+/);
  });

  it('are the same over the socket as by REST, and signed for once', () => {
    const frame = JSON.parse(trade!.orders!.place(ticket(), context, '7', '')) as Record<string, unknown>;
    expect(frame).toMatchObject({ reqId: '7', op: 'order.create', header: { 'X-BAPI-TIMESTAMP': '1790000000000' } });
    expect(frame['args']).toEqual([fieldsOf(rest.place(ticket(), context))]);
  });

  it('are signed over what is sent, whatever that is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 36 }), fc.string(), (id, secret) => {
        const within = { ...context, credentials: { apiKey: 'key', secret } };
        const call = rest.place(ticket({ clientOrderId: id as ClientOrderId }), within);
        const asked = rest.query({ ...ref, clientOrderId: id as ClientOrderId }, within);
        for (const [payload, { headers }] of [
          [call.body!, call],
          [asked.path.split('?')[1]!, asked],
        ] as const)
          expect(headers['X-BAPI-SIGN']).toBe(hmac('sha256', secret, `1790000000000key5000${payload}`, 'hex'));
      }),
    );
  });

  it('are asked for and canceled by the venue’s id where there is one', () => {
    const known = { ...ref, venueOrderId: '77' };
    expect(fieldsOf(rest.query(known, context))).toEqual({ symbol: 'BTCUSDT', category: 'spot', orderId: '77' });
    expect(fieldsOf(rest.cancel(ref, context))).toMatchObject({ orderLinkId: 'a00010000010' });
  });
});

describe('bybit refusals', () => {
  it.each([
    [rest.place(ticket(), context), 110001, 'not-found'],
    [rest.cancel(ref, context), 110001, 'not-open'],
    [rest.cancel(ref, context), 170213, 'not-open'],
    [rest.place(ticket(), context), 10016, 'in-doubt'],
    [rest.place(ticket(), context), 987654, 'unlisted'],
  ])('%#: mean what they mean where they stand', (call, code, meaning) => {
    expect(answer(call, {}, code)).toMatchObject({ kind: 'refused', meaning, code: String(code), text: 'said' });
  });

  it.each([
    [403, '<html>access too frequent</html>', 'rate-limited'],
    [403, 'configured to block access from your country', 'not-allowed'],
    [429, '', 'rate-limited'],
    [502, '<html></html>', 'in-doubt'],
    [200, '{"retCode":0,"result":{}}', 'in-doubt'],
    [200, 'not JSON', 'in-doubt'],
  ])('by status %i with %j are %s', (status, text, meaning) => {
    expect(rest.place(ticket(), context).read({ status, headers: {}, text })).toMatchObject({ meaning });
  });
});

const entry = (change: object = {}) => ({
  symbol: 'BTCUSDT',
  orderId: '1',
  orderLinkId: 'a00010000010',
  side: 'Buy',
  orderType: 'Limit',
  timeInForce: 'GTC',
  orderStatus: 'New',
  cancelType: 'UNKNOWN',
  rejectReason: 'EC_NoError',
  price: '62000',
  qty: '0.01',
  cumExecQty: '0.004',
  updatedTime: '1790000000000',
  ...change,
});

describe('bybit order states', () => {
  it.each([
    [{ orderStatus: 'PartiallyFilled' }, 'open'],
    [{ orderStatus: 'Filled' }, 'filled'],
    [{ orderStatus: 'Cancelled', cancelType: 'CancelByUser' }, 'canceled'],
    [{ orderStatus: 'Cancelled', timeInForce: 'IOC' }, 'expired'],
    [{ orderStatus: 'PartiallyFilledCanceled', orderType: 'Market', timeInForce: 'IOC' }, 'expired'],
    [{ orderStatus: 'Cancelled', timeInForce: 'IOC', rejectReason: 'EC_PerCancelRequest' }, 'canceled'],
    [{ orderStatus: 'Cancelled', timeInForce: 'PostOnly', rejectReason: 'EC_PostOnlyWillTakeLiquidity' }, 'expired'],
    [{ orderStatus: 'Rejected', rejectReason: 'EC_NoImmediateQtyToFill' }, 'rejected'],
  ] as const)('read %j as %s', (change, status) => {
    const told = value(answer(rest.query(ref, context), { category: 'spot', list: [entry(change)] }));
    expect(told).toMatchObject({ status, market: 'spot', clientOrderId: 'a00010000010' });
    expect(told.reason).toBe(status === 'rejected' ? 'not-filled' : undefined);
  });

  it.each([
    ['of an unknown word', [entry({ orderStatus: 'Sleeping' })]],
    ['twice', [entry(), entry()]],
  ])('leave in doubt an order %s', (_name, list) => {
    expect(answer(rest.query(ref, context), { list })).toMatchObject({ kind: 'refused', meaning: 'in-doubt' });
  });

  it('are looked for among the ended ones when they are not found', () => {
    const first = answer(rest.query(ref, context), { list: [] });
    if (first.kind !== 'refused') throw new Error('an order was found');
    expect([first.meaning, first.elsewhere!(context).path.split('?')[0]]).toEqual(['not-found', '/v5/order/history']);
    const second = answer(first.elsewhere!(context), { list: [] });
    expect(second).toEqual({ kind: 'refused', meaning: 'not-found', code: '200', text: 'no order of this id' });
  });
});

describe('bybit lists', () => {
  it('are followed page by page, cursors as they came', () => {
    const [call] = rest.openOrders([spot, instrumentOf('bybit', 'spot', 'ETHUSDT')], context);
    const first = answer(call!, { list: [entry(), entry({ symbol: 'SOLUSDT' })], nextPageCursor: 'page%3D1%26' });
    expect(value(first)).toHaveLength(1);
    const next = first.kind === 'ok' ? first.more!(context) : undefined;
    expect(next!.path).toBe('/v5/order/realtime?category=spot&limit=50&cursor=page%3D1%26');
    const last = answer(next!, { list: [], nextPageCursor: 'page%3D2%26' });
    expect(last).toEqual({ kind: 'ok', value: [] });
  });

  it('are as few as the venue allows', () => {
    const asked = [spot, linear('BTCUSDT'), linear('ETHUSDT'), linear('BTCPERP', 'USDC')];
    expect(rest.openOrders(asked, context).map(({ path }) => path.split('?')[1])).toEqual([
      'symbol=BTCUSDT&category=spot&limit=50',
      'category=linear&settleCoin=USDT&limit=50',
      'symbol=BTCPERP&category=linear&limit=50',
    ]);
    expect(rest.fees(asked, context).map(({ path }) => path)).toEqual([
      '/v5/account/fee-rate?category=spot&symbol=BTCUSDT',
      '/v5/account/fee-rate?category=linear',
    ]);
  });

  it('of positions follow one another: USDT, USDC, inverse', () => {
    const position = {
      symbol: 'BTCUSDT',
      side: 'Sell',
      size: '0.5',
      avgPrice: '62000',
      markPrice: '62010',
      liqPrice: '',
    };
    const first = answer(rest.positions!(context), { list: [position], nextPageCursor: '' });
    expect(value(first).map(({ qty, liquidationPrice }) => [qty.toFixed(), liquidationPrice])).toEqual([
      ['-0.5', undefined],
    ]);
    const second = first.kind === 'ok' ? first.more!(context) : undefined;
    expect(fieldsOf(second!)).toMatchObject({ category: 'linear', settleCoin: 'USDC' });
    const told = answer(second!, { list: [] });
    const third = told.kind === 'ok' ? told.more!(context) : undefined;
    expect(fieldsOf(third!)).toMatchObject({ category: 'inverse' });
    expect(answer(third!, { list: [] })).toEqual({ kind: 'ok', value: [] });
  });

  it('of fills cover all the time since, a week at a time, without a hole', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 700 * 86_400_000 }), (ageMs) => {
        const since = 1_790_000_000_000 - ageMs;
        const windows = rest.fillsSince([spot], since, context).map((call) => fieldsOf(call));
        const times = windows.map(({ startTime, endTime }) => [Number(startTime), Number(endTime ?? context.nowMs)]);
        expect(times[0]![0]).toBe(since);
        expect(times.at(-1)![1]).toBeGreaterThanOrEqual(Math.floor(context.nowMs));
        for (const [at, [start, end]] of times.entries()) {
          expect(end! - start!).toBeLessThanOrEqual(7 * 86_400_000 + 1);
          if (at > 0) expect(start).toBe(times[at - 1]![1]! + 1);
        }
      }),
    );
  });

  it('of fills leave out what is no trade', () => {
    const fill = { symbol: 'BTCUSDT', execId: 'e', orderId: '1', side: 'Sell', execPrice: '1', execQty: '2' };
    const list = ['Trade', 'Funding', 'AdlTrade'].map((execType) => ({
      ...fill,
      execType,
      execFee: '-0.1',
      execTime: '5',
    }));
    const told = value(answer(rest.fillsOf!(ref, context), { list }));
    expect(told.map(({ fee, liquidity, feeAsset }) => [fee.toFixed(), liquidity, feeAsset])).toEqual([
      ['-0.1', 'taker', ''],
      ['-0.1', 'taker', ''],
    ]);
  });
});

describe('bybit keys and money', () => {
  it.each([
    ['0', { Spot: ['SpotTrade'], Wallet: ['AccountTransfer', 'Withdraw'] }, { trade: true, withdraw: true }],
    ['1', { Spot: ['SpotTrade'], Wallet: [] }, { trade: false, withdraw: false }],
    ['0', { Spot: [], ContractTrade: ['Order', 'Position'] }, { trade: true, withdraw: false }],
  ])('read-only %s with %j', (readOnly, permissions, may) => {
    const text = JSON.stringify({ retCode: 0, result: { readOnly: Number(readOnly), permissions } });
    expect(rest.permissions!(context).read({ status: 200, headers: {}, text })).toEqual({ kind: 'ok', value: may });
  });

  it('are available less what is locked and bound, and never below zero', () => {
    const coin = { coin: 'USDT', walletBalance: '10', locked: '1', totalOrderIM: '2.5', totalPositionIM: '' };
    const told = value(answer(rest.balances(context), { list: [{ coin: [coin, { ...coin, locked: '20' }] }] }));
    expect(told.map(({ total, available }) => [total.toFixed(), available.toFixed()])).toEqual([
      ['10', '6.5'],
      ['10', '0'],
    ]);
  });

  it('tell the time to the millisecond', () => {
    const result = { timeSecond: '1790000000', timeNano: '1790000000123456789' };
    expect(value(answer(rest.time!, result))).toBe(1_790_000_000_123);
  });

  it('are guarded by a switch for contracts and for spot', () => {
    const armed = deadMan.kind === 'disconnect' ? deadMan.arm!(context) : [];
    expect(armed.map((call) => fieldsOf(call))).toEqual([
      { timeWindow: 3, product: 'DERIVATIVES' },
      { timeWindow: 3, product: 'SPOT' },
    ]);
    expect(events!.subscribe([], context, '').join()).toContain('dcp.spot');
  });
});

const told = (socket: typeof events, frame: object) => socket!.decode(Buffer.from(JSON.stringify(frame)));

describe('bybit private frames', () => {
  it.each([
    [events, { success: true, ret_msg: '', op: 'auth', conn_id: 'x' }, ['ready']],
    [events, { success: false, ret_msg: 'bad sign', op: 'auth' }, ['error']],
    [events, { success: true, ret_msg: '', op: 'subscribe' }, []],
    [events, { success: false, ret_msg: 'error:handler not found,topic:dcp', op: 'subscribe' }, ['error']],
    [events, { req_id: '', op: 'pong', args: ['1675418560633'] }, ['pong']],
    [events, { topic: 'greeks', data: [{ baseCoin: 'BTC' }] }, []],
    [events, { topic: 'execution.fast', data: [{}] }, []],
    [events, { something: 'else' }, []],
    [trade, { retCode: 0, retMsg: 'OK', op: 'auth', connId: 'x' }, ['ready']],
    [trade, { retCode: 10004, retMsg: 'bad sign', op: 'auth' }, ['error']],
    [trade, { retCode: 0, op: 'pong', data: ['1711002002529'] }, ['pong']],
    [trade, { reqId: '7', retCode: 10404, retMsg: 'op type is not found', op: '' }, ['answer']],
    [trade, { hello: 1 }, []],
  ])('%#: say what happened', (socket, frame, kinds) => {
    expect(told(socket, frame).map(({ kind }) => kind)).toEqual(kinds);
  });

  it('answer orders by request', () => {
    const reply = {
      reqId: '7',
      retCode: 0,
      retMsg: 'OK',
      op: 'order.create',
      data: { orderId: '99', orderLinkId: 'a' },
    };
    expect(told(trade, reply)).toEqual([
      { kind: 'answer', request: '7', to: 'place', answer: { kind: 'ok', value: { venueOrderId: '99' } } },
    ]);
    expect(told(trade, { ...reply, op: 'order.cancel', retCode: 110001 })).toMatchObject([
      { to: 'cancel', answer: { kind: 'refused', meaning: 'not-open' } },
    ]);
  });

  it.each([
    [events, { topic: 'order', data: [{ symbol: 'BTCUSDT' }] }],
    [events, { topic: 'order', data: [entry({ orderStatus: 'Sleeping' })] }],
    [events, { topic: 'wallet', data: {} }],
    [trade, { reqId: '7', retCode: 0, op: 'order.create', data: {} }],
  ])('%#: are refused when they are malformed', (socket, frame) => {
    expect(refusalOf(() => told(socket, frame))).toBeTypeOf('string');
  });

  it('tell which market a symbol is of', () => {
    const frame = { topic: 'order.linear', data: [entry({ category: 'linear' })] };
    expect(told(events, frame)).toMatchObject([{ kind: 'order', order: { market: 'linear', status: 'open' } }]);
  });
});

describe('bybit tape and tickers', () => {
  const rigOf = (id: string, symbol: string): MarketRig =>
    new MarketRig(
      bybit.markets.find((market) => market.id === id)!,
      [instrumentOf('bybit', id, symbol)],
    );
  const print = { T: 5, s: 'BTCUSDT', S: 'Sell', v: '0.5', p: '62000.1', i: 'x', BT: false };

  it('print each trade of a frame but those made beside the book', () => {
    const rig = rigOf('spot', 'BTCUSDT');
    const data = [print, { ...print, BT: true }, { ...print, s: 'ETHUSDT' }, { ...print, S: 'Buy', p: '1' }];
    rig.take({ frame: JSON.stringify({ topic: 'publicTrade.BTCUSDT', type: 'snapshot', ts: 6, data }) });
    expect(rig.prints.map(({ price, qty, taker, venueTimeMs }) => [price, qty, taker, venueTimeMs])).toEqual([
      [62_000.1, 0.5, -1, 5],
      [1, 0.5, 1, 5],
    ]);
  });

  it.each([{ S: 'Both' }, { p: 'x' }, { T: 'x' }, { v: undefined }])('refuse a trade with %j', (change) => {
    const frame = JSON.stringify({ topic: 'publicTrade.BTCUSDT', data: [{ ...print, ...change }] });
    expect(refusalOf(() => rigOf('spot', 'BTCUSDT').take({ frame }))).toBeTypeOf('string');
  });

  it('say of a delta only what it says', () => {
    const rig = rigOf('linear', 'BTCUSDT');
    const ticker = (data: object) =>
      rig.take({
        frame: JSON.stringify({ topic: 'tickers.BTCUSDT', type: 'delta', data: { symbol: 'BTCUSDT', ...data }, ts: 9 }),
      });
    ticker({ fundingRate: '-0.00002', fundingIntervalHour: '4', nextFundingTime: '1790006400000', basis: '' });
    ticker({ markPrice: '62000.5' });
    ticker({ bid1Size: '7' });
    ticker({ markPrice: '', indexPrice: '61999' });
    expect(
      rig.references.map(({ markPrice, indexPrice, fundingRate }) => [markPrice, indexPrice, fundingRate]),
    ).toEqual([
      [NaN, NaN, -0.00002],
      [62_000.5, NaN, NaN],
      [NaN, 61_999, NaN],
    ]);
    expect(rig.references[0]).toMatchObject({ fundingIntervalMs: 14_400_000, nextFundingTimeMs: 1_790_006_400_000 });
    expect(rig.references[1]!.venueTimeMs).toBe(9);
  });

  it('know no volatility where there is no quote', () => {
    const rig = rigOf('option', 'BTC-25DEC26-60000-C');
    const data = { symbol: 'BTC-25DEC26-60000-C', bidIv: '0', askIv: '0.51', delta: '-0.2' };
    rig.take({ frame: JSON.stringify({ topic: 'tickers.BTC-25DEC26-60000-C', data, ts: 9 }) });
    expect(rig.references).toMatchObject([{ bidVolatility: NaN, askVolatility: 0.51, delta: -0.2, rho: NaN }]);
  });

  it('ask for the trades of options by their coin, once', () => {
    const [more] = bybit.markets.find(({ id }) => id === 'option')!.moreStreams!;
    const [frame] = more!.subscribe(
      ['trades'],
      ['BTC-25DEC26-60000-C', 'BTC-25DEC26-60000-P', 'ETH-25DEC26-3000-C'],
      1,
    );
    expect((JSON.parse(frame!) as { readonly args: unknown }).args).toEqual(['publicTrade.BTC', 'publicTrade.ETH']);
  });
});

describe('bybit polls', () => {
  const market = bybit.markets.find(({ id }) => id === 'linear')!;
  const polled = (body: object): readonly MarketUpdate[] => {
    const updates: MarketUpdate[] = [];
    const sink = new FeedSink({
      instruments: [instrumentOf('bybit', 'linear', 'BTCUSDT')],
      venue: 'bybit',
      market: 'linear',
      onUpdate: (update) => updates.push(structuredClone(update)),
      onControl: () => undefined,
    });
    const bytes = Buffer.from(JSON.stringify(body));
    market.poll!.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
    return updates;
  };

  it('read the whole book', () => {
    const [update, ...others] = polled({
      retCode: 0,
      retMsg: 'OK',
      result: { s: 'BTCUSDT', b: [['62000.1', '1.5']], a: [['62000.2', '2']], ts: 5, u: 9 },
    });
    expect(others).toEqual([]);
    expect(update).toMatchObject({ kind: SNAPSHOT, instrument: 0, lastSequence: 9, venueTimeMs: 5 });
    expect([update!.bids.prices[0], update!.bids.qtys[0], update!.asks.prices[0], update!.asks.count]).toEqual([
      62_000.1, 1.5, 62_000.2, 1,
    ]);
  });

  it.each([
    { retCode: 10001, retMsg: 'no', result: {} },
    { retCode: 0, result: { s: 'BTCUSDT', b: [], u: 9 } },
    { retCode: 0 },
  ])('refuse %j', (body) => {
    expect(refusalOf(() => polled(body))).toBeTypeOf('string');
  });
});
