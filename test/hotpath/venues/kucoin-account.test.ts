import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientOrderIdFrom } from '#hotpath/execute/client-order-id.ts';
import { kucoin } from '#hotpath/venues/kucoin.ts';
import type { AccountContext, OrderRef, OrderTicket, Reply } from '#hotpath/venues/venue-account.ts';
import { BadInput } from '#shared/assert.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';

const [account] = kucoin.accounts!;
const { rest, sockets, deadMan, refuses } = account!;
const [events, orders] = sockets;

const spot = instrumentOf('kucoin', 'spot', 'BTC-USDT');
const ether = instrumentOf('kucoin', 'spot', 'ETH-USDT');
const swap: Instrument = { ...instrumentOf('kucoin', 'futures', 'XBTUSDTM'), kind: 'perpetual' };
const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret', passphrase: 'words' },
  nowMs: 1_790_000_000_123.5,
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const ticketOf = (more: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: 'a0001000001000' as ClientOrderId,
  instrument: spot,
  side: 'buy',
  type: 'limit',
  price: '50000.1',
  qty: '0.00000001',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...more,
});
const refOf = (more: Partial<OrderRef> = {}): OrderRef => ({
  clientOrderId: 'a0001000001000' as ClientOrderId,
  instrument: spot,
  side: 'buy',
  venueOrderId: undefined,
  sentMs: 0,
  ...more,
});
const bodyOf = (order: OrderTicket): unknown => JSON.parse(rest.place(order, context).body!);
const replyOf = (body: unknown, status = 200): Reply => ({
  status,
  headers: {},
  text: typeof body === 'string' ? body : JSON.stringify(body),
});
const said = (data: unknown): Reply => replyOf({ code: '200000', data });

describe('orders', () => {
  it('name what they are, never leaving it to a default', () => {
    expect(bodyOf(ticketOf({ postOnly: true }))).toEqual({
      tradeType: 'SPOT',
      clientOid: 'a0001000001000',
      symbol: 'BTC-USDT',
      side: 'BUY',
      orderType: 'LIMIT',
      sizeUnit: 'BASECCY',
      size: '0.00000001',
      price: '50000.1',
      timeInForce: 'GTC',
      postOnly: true,
    });
    expect(bodyOf(ticketOf({ instrument: swap, qty: '7', timeInForce: 'FOK', reduceOnly: true }))).toMatchObject({
      tradeType: 'FUTURES',
      sizeUnit: 'UNIT',
      size: '7',
      timeInForce: 'FOK',
      reduceOnly: true,
    });
    expect(bodyOf(ticketOf({ type: 'market', timeInForce: 'IOC' }))).not.toHaveProperty('price');
  });

  it('are sent over the socket as by REST', () => {
    const order = ticketOf({ instrument: swap, qty: '7' });
    const frame = orders!.orders!.place(order, context, '12', '');
    expect(JSON.parse(frame)).toEqual({ id: '12', op: 'uta.order', args: bodyOf(order) });
  });

  it('are refused where the venue cannot say them', () => {
    const cases: readonly (readonly [Partial<OrderTicket>, boolean])[] = [
      [{}, false],
      [{ timeInForce: 'FOK' }, false],
      [{ postOnly: true }, false],
      [{ type: 'market', timeInForce: 'IOC' }, false],
      [{ instrument: swap, reduceOnly: true }, false],
      [{ postOnly: true, timeInForce: 'IOC' }, true],
      [{ postOnly: true, type: 'market', timeInForce: 'IOC' }, true],
      [{ type: 'market', timeInForce: 'GTC' }, true],
      [{ type: 'market', timeInForce: 'FOK' }, true],
      [{ reduceOnly: true }, true],
    ];
    for (const [more, isRefused] of cases)
      expect(refuses(ticketOf(more)) !== undefined, JSON.stringify(more)).toBe(isRefused);
  });

  it('have ids that the venue takes', () => {
    fc.assert(
      fc.property(fc.nat(9_999), fc.nat(999_999), fc.nat(9), fc.nat(9), (epoch, ordinal, leg, attempt) => {
        const id = account!.clientOrderId(clientOrderIdFrom({ epoch, ordinal, leg, attempt }));
        expect(id).toMatch(/^[\w-]{1,40}$/);
      }),
    );
  });

  it('are found by our id, or by the venue’s once it is known', () => {
    expect(rest.query(refOf(), context).path).toMatch(/\?clientOid=a0001000001000&symbol=BTC-USDT&tradeType=SPOT$/);
    expect(JSON.parse(rest.cancel(refOf({ venueOrderId: '427737326394129559' }), context).body!)).toEqual({
      orderId: '427737326394129559',
      symbol: 'BTC-USDT',
      tradeType: 'SPOT',
    });
  });
});

describe('answers', () => {
  const order = {
    orderId: '427737326394129559',
    symbol: 'BTC-USDT',
    orderType: 'LIMIT',
    side: 'SELL',
    size: '10',
    price: '50000',
    timeInForce: 'GTC',
    postOnly: false,
    filledSize: '4',
    updatedTime: 1768816081248,
    cancelReason: '',
    clientOid: 'a0001000001000',
  };
  const statusOf = (more: object): unknown => {
    const answer = rest.query(refOf(), context).read(said({ ...order, ...more }));
    return answer.kind === 'ok' ? answer.value.status : answer.meaning;
  };

  it.each([
    [{ status: 2 }, 'open'],
    [{ status: 3 }, 'filled'],
    [{ status: 4 }, 'open'],
    [{ status: 5, cancelReason: 'USER' }, 'canceled'],
    [{ status: 6, cancelReason: 0 }, 'canceled'],
    [{ status: 6, timeInForce: 'IOC' }, 'expired'],
    [{ status: 5, timeInForce: 'FOK' }, 'expired'],
    [{ status: 5, orderType: 'MARKET' }, 'expired'],
    [{ status: 5, postOnly: true, cancelReason: 'POST_ONLY' }, 'expired'],
    [{ status: 5, postOnly: true, cancelReason: 'USER' }, 'canceled'],
    [{ status: 99 }, 'in-doubt'],
  ])('%j is %s', (more, status) => {
    expect(statusOf(more)).toBe(status);
  });

  it('keep numbers that no double holds', () => {
    const text = JSON.stringify({ code: '200000', data: { ...order, status: 2 } }).replace(
      '"updatedTime":1768816081248',
      '"updatedTime":1768816081248000001',
    );
    const answer = rest.query(refOf(), context).read(replyOf(text));
    expect(answer).toMatchObject({ kind: 'ok', value: { timeMs: 1_768_816_081_248, venueOrderId: order.orderId } });
  });

  it('are definite only by code and word, never of a server that fails', () => {
    const { read } = rest.place(ticketOf(), context);
    expect(read(replyOf({ code: '200004', msg: 'Balance insufficient!' }))).toMatchObject({
      meaning: 'insufficient-funds',
    });
    expect(read(replyOf({ code: '200004', msg: 'Balance insufficient!' }, 502))).toMatchObject({ meaning: 'in-doubt' });
    expect(read(replyOf({ code: '400100', msg: 'order_not_exist_or_not_allow_to_cancel' }))).toMatchObject({
      meaning: 'not-open',
    });
    expect(read(replyOf({ code: 'constructor', msg: 'toString' }))).toMatchObject({ meaning: 'unlisted' });
    expect(read(replyOf('<html>', 503))).toMatchObject({ meaning: 'in-doubt', code: '503' });
    expect(read(replyOf('<html>', 200))).toMatchObject({ meaning: 'in-doubt' });
    expect(read(said({}))).toMatchObject({ meaning: 'in-doubt' });
  });

  it('never throw, whatever is said', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.integer({ min: 200, max: 599 }), (text, status) => {
        const calls = [
          rest.place(ticketOf(), context),
          rest.balances(context),
          rest.fillsSince([spot], 0, context)[0]!,
        ];
        for (const call of calls) expect(['ok', 'refused']).toContain(call.read(replyOf(text, status)).kind);
      }),
    );
  });
});

describe('lists', () => {
  it('name one symbol, or none and leave out what was not asked for', () => {
    const [one] = rest.openOrders([spot], context);
    expect(one!.path).toContain('tradeType=SPOT&symbol=BTC-USDT&');
    const calls = rest.openOrders([spot, ether, swap], context);
    expect(calls.map(({ path }) => /tradeType=(\w+)(&symbol=\w+)?/.exec(path)?.slice(1))).toEqual([
      ['SPOT', undefined],
      ['FUTURES', '&symbol=XBTUSDTM'],
    ]);
    const item = { orderId: '1', orderType: 'LIMIT', side: 'BUY', size: '1', status: 2 };
    const items = ['BTC-USDT', 'XRP-USDT', 'ETH-USDT'].map((symbol) => ({ ...item, symbol }));
    const answer = calls[0]!.read(said({ items, pageNumber: 1, totalPage: 3 }));
    if (answer.kind !== 'ok') throw new Error(answer.text);
    expect(answer.value.map(({ venueSymbol }) => venueSymbol)).toEqual(['BTC-USDT', 'ETH-USDT']);
    const next = answer.more!(context);
    expect(next.path).toContain('pageNumber=2');
    expect(next.read(said({ items, pageNumber: 3, totalPage: 2 }))).not.toHaveProperty('more');
  });

  it('of fills go on while pages are full', () => {
    const fill = {
      symbol: 'BTC-USDT',
      orderId: '1',
      tradeId: '2',
      side: 'BUY',
      size: '1',
      price: '2',
      fee: '-0.1',
      feeCurrency: 'XBT',
      liquidityRole: 'MAKER',
      executionTime: 1768216134336000000,
    };
    const read = (count: number) =>
      rest
        .fillsSince([spot], 1_000.7, context)[0]!
        .read(said({ lastId: 137, items: Array.from({ length: count }, () => fill) }));
    const [full, last] = [read(100), read(99)];
    if (full.kind !== 'ok' || last.kind !== 'ok') throw new Error('refused');
    expect(full.value[0]).toMatchObject({ liquidity: 'maker', feeAsset: 'BTC', venueOrderId: '1' });
    expect(full.value[0]!.fee.toFixed()).toBe('-0.1');
    expect(full.more!(context).path).toMatch(/startAt=1000&lastId=137/);
    expect(last.more).toBeUndefined();
  });

  it('of the countdown mean all of a product, whichever instrument asks', () => {
    if (deadMan.kind !== 'timer') throw new Error('no timer');
    const bodies = (instruments: readonly Instrument[], ms: number): unknown[] =>
      deadMan.arm(ms, instruments, context).map(({ body }) => JSON.parse(body!) as unknown);
    expect(bodies([spot, swap], 5_500)).toEqual([
      { tradeType: 'SPOT', timeout: 6 },
      { tradeType: 'FUTURES', timeout: 6 },
    ]);
    expect(bodies([spot], 0)).toEqual([{ tradeType: 'SPOT', timeout: -1 }]);
  });
});

describe('keys', () => {
  it.each([
    ['General,Unified,Spot', { trade: true, withdraw: false }],
    ['General', { trade: false, withdraw: false }],
    ['General,Unified,InnerTransfer', { trade: true, withdraw: false }],
    ['General,Unified,Withdrawal', { trade: true, withdraw: true }],
    ['General,Trade,Transfer', { trade: true, withdraw: true }],
  ])('with %s', (permission, may) => {
    expect(rest.permissions!(context).read(said({ permission }))).toEqual({ kind: 'ok', value: may });
  });
});

describe('private frames', () => {
  const decode = (frame: unknown) =>
    events!.decode(Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame)));

  it('of fills say who took, as the venue says it', () => {
    const d = { E: 1, S: 'BUY', p: '2', q: '3', s: 'BTC-USDT', lR: 'MAKER', oi: '1', ti: '2' };
    const [event] = decode({ T: 'execution.UNIFIED', d });
    expect(event).toMatchObject({ kind: 'fill', fill: { liquidity: 'maker', side: 'buy' } });
    expect(() => decode({ T: 'execution.UNIFIED', d: { ...d, lR: '' } })).toThrow(BadInput);
  });

  it('of control are told by their kind', () => {
    expect(decode({ sessionId: 'x', message: 'welcome', pingInterval: 18_000 })).toEqual([]);
    expect(decode({ id: 's0', result: true })).toEqual([]);
    expect(decode({ type: 'pong', id: '1', ts: 1 })).toEqual([{ kind: 'pong' }]);
    expect(decode({ id: 's0', result: false, reason: 'missing `symbol`' })).toMatchObject([
      { kind: 'error', refusal: { meaning: 'invalid-order', text: 'missing `symbol`' } },
    ]);
    expect(decode({ T: 'kline.UNIFIED', d: {} })).toEqual([]);
  });

  it('that are malformed are refused', () => {
    for (const frame of ['', '[', 'null', '7', '{"T":"orderAll.UNIFIED"}', '{"T":"balance.SPOT","d":[]}'])
      expect(() => decode(frame), frame).toThrow(BadInput);
  });

  it('of the order socket prove the session and answer by number', () => {
    const read = (frame: unknown) => orders!.decode(Buffer.from(JSON.stringify(frame)));
    const challenge = '{"sessionId":"s","timestamp":1}';
    expect(orders!.decode(Buffer.from(challenge))).toEqual([{ kind: 'challenge', text: challenge }]);
    expect(orders!.prove!(challenge, context)[0]).toMatch(/^[\w+/]{43}=$/);
    expect(read({ sessionId: 's', data: 'welcome', pingInterval: 18_000 })).toEqual([{ kind: 'ready' }]);
    expect(read({ id: 'p1', op: 'pong', timestamp: '1' })).toEqual([{ kind: 'pong' }]);
    expect(read({ id: '7', op: 'uta.order', code: '200000', data: { orderId: '42' } })).toMatchObject([
      { request: '7', to: 'place', answer: { kind: 'ok', value: { venueOrderId: '42' } } },
    ]);
    expect(read({ id: '7', op: 'uta.order', code: '200000', data: {} })).toMatchObject([
      { to: 'place', answer: { kind: 'refused', meaning: 'in-doubt' } },
    ]);
    expect(read({ id: '8', op: 'uta.cancel', code: '200000', data: { clientOid: 'a' } })).toMatchObject([
      { to: 'cancel', answer: { kind: 'ok' } },
    ]);
  });
});
