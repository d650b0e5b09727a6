import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mexc } from '#hotpath/venues/mexc.ts';
import type { AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { refusalOf } from '#test/support/venue-fixture.ts';

const [spotAccount, futuresAccount] = mexc.accounts!;
const spot = instrumentOf('mexc', 'spot', 'BTCUSDT');
const swap = instrumentOf('mexc', 'futures', 'BTC_USDT');
const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_790_000_000_123.7,
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 5,
};
const ticket = (more: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: 'a0001000001a1' as ClientOrderId,
  instrument: spot,
  side: 'buy',
  type: 'limit',
  price: '62000.5',
  qty: '0.01',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...more,
});
const refOf = (venueOrderId?: string): OrderRef => ({ ...ticket(), venueOrderId, sentMs: 5.5 });
const reply = (value: unknown, status = 200) => ({ status, headers: {}, text: JSON.stringify(value) });
const queryOf = (path: string): URLSearchParams => new URLSearchParams(path.split('?')[1]);

it('looks for fills of an order from a little before it was sent', () => {
  const sent = { ...refOf(), sentMs: 100_000.5 };
  expect(queryOf(spotAccount!.rest.fillsOf!(sent, context).path).get('startTime')).toBe('40000');
  const future = { ...sent, instrument: swap };
  expect(queryOf(futuresAccount!.rest.fillsOf!(future, context).path).get('start_time')).toBe('40000');
});

describe('orders', () => {
  it.each([
    [{}, 'LIMIT'],
    [{ timeInForce: 'IOC' }, 'IMMEDIATE_OR_CANCEL'],
    [{ timeInForce: 'FOK' }, 'FILL_OR_KILL'],
    [{ postOnly: true }, 'LIMIT_MAKER'],
    [{ type: 'market', side: 'sell', timeInForce: 'IOC' }, 'MARKET'],
  ] as const)('spot: %j is %s', (more, type) => {
    const query = queryOf(spotAccount!.rest.place(ticket(more), context).path);
    expect(spotAccount!.refuses(ticket(more))).toBeUndefined();
    expect(query.get('type')).toBe(type);
    expect(query.get('timestamp')).toBe('1790000000123');
    expect(query.has('price')).toBe(type !== 'MARKET');
    expect([...query.keys()].at(-1)).toBe('signature');
  });

  it.each([
    [{}, { side: 1, type: 1 }],
    [{ timeInForce: 'IOC' }, { side: 1, type: 3 }],
    [
      { timeInForce: 'FOK', side: 'sell' },
      { side: 3, type: 4 },
    ],
    [{ postOnly: true }, { side: 1, type: 2 }],
    [
      { type: 'market', timeInForce: 'IOC' },
      { side: 1, type: 5 },
    ],
    [
      { reduceOnly: true, side: 'sell' },
      { side: 3, type: 1, reduceOnly: true },
    ],
  ] as const)('futures: %j is %j', (more, fields) => {
    const { body } = futuresAccount!.rest.place(ticket({ ...more, instrument: swap, qty: '10' }), context);
    const sent = JSON.parse(body!) as Record<string, unknown>;
    expect(sent).toMatchObject({ symbol: 'BTC_USDT', vol: 10, openType: 2, positionMode: 2, ...fields });
    expect('price' in sent).toBe(fields.type !== 5);
    expect('reduceOnly' in sent).toBe('reduceOnly' in fields);
  });

  it('writes numbers digit by digit, and leverage where margin is isolated', () => {
    const order = ticket({ instrument: swap, price: '0.00000012345678901234', qty: '9007199254740993' });
    const { body } = futuresAccount!.rest.place(order, { ...context, marginMode: 'isolated' });
    expect(body).toContain('"price":0.00000012345678901234,');
    expect(body).toContain('"vol":9007199254740993,');
    expect(body).toContain('"openType":1,"leverage":5,');
  });

  it.each([
    ['spot', { type: 'market' }, /what to spend/],
    ['spot', { reduceOnly: true }, /reduce-only/],
    ['spot', { postOnly: true, timeInForce: 'IOC' }, /post-only/],
    ['futures', { postOnly: true, timeInForce: 'FOK' }, /post-only/],
    ['futures', { type: 'market', timeInForce: 'FOK' }, /fill-or-kill/],
  ] as const)('%s refuses %j', (id, more, words) => {
    const account = id === 'spot' ? spotAccount! : futuresAccount!;
    expect(account.refuses(ticket(more))).toMatch(words);
  });

  it('says that nothing cancels when we fall silent', () => {
    for (const { deadMan } of [spotAccount!, futuresAccount!]) expect(deadMan).toMatchObject({ kind: 'none' });
  });
});

describe('answers', () => {
  it('follows fills from the newest hundred backwards, and ends', () => {
    const row = (timeMs: number, id: number) => ({
      symbol: 'BTCUSDT',
      id: `${id}X1`,
      orderId: 'C02__1',
      price: '62000.5',
      qty: '0.004',
      commission: '0.124',
      commissionAsset: 'USDT',
      time: timeMs,
      isBuyer: false,
      isMaker: true,
      clientOrderId: null,
    });
    const first = spotAccount!.rest.fillsSince([spot], 1_000.5, context)[0]!;
    expect(queryOf(first.path).get('startTime')).toBe('1000');
    const full = first.read(reply(Array.from({ length: 100 }, (_, at) => row(5_000 + at, at))));
    const second = full.kind === 'ok' ? full.more!(context) : first;
    expect(queryOf(second.path).get('endTime')).toBe('5000');
    // A hundred in the last millisecond: the next page begins before it.
    const same = second.read(reply(Array.from({ length: 100 }, (_, at) => row(5_000, at))));
    expect(same.kind === 'ok' && queryOf(same.more!(context).path).get('endTime')).toBe('4999');
    const last = second.read(reply([row(4_000, 7)]));
    expect(last.kind === 'ok' && [last.more, last.value[0]!.liquidity, last.value[0]!.side]).toEqual([
      undefined,
      'maker',
      'sell',
    ]);
  });

  it('takes the number of an order bare or in an object', () => {
    const call = futuresAccount!.rest.place(ticket({ instrument: swap }), context);
    for (const data of ['102057569836905984', { orderId: '102057569836905984', ts: 1 }])
      expect(call.read(reply({ success: true, code: 0, data }))).toEqual({
        kind: 'ok',
        value: { venueOrderId: '102057569836905984' },
      });
    const bare = call.read({ status: 200, headers: {}, text: '{"success":true,"code":0,"data":102057569836905984}' });
    expect(bare.kind === 'ok' && bare.value.venueOrderId).toBe('102057569836905984');
  });

  it('never reports a fee below what orders by API pay', () => {
    const call = futuresAccount!.rest.fees([swap], context)[0]!;
    const fees = (makerFee: number, takerFee: number): readonly string[] => {
      const answer = call.read(reply({ success: true, code: 0, data: { makerFee, takerFee } }));
      return answer.kind === 'ok' ? answer.value.flatMap(({ maker, taker }) => [maker.toFixed(), taker.toFixed()]) : [];
    };
    expect(fees(0, 0.0002)).toEqual(['0.0006', '0.0008']);
    expect(fees(0.001, 0.002)).toEqual(['0.001', '0.002']);
  });

  it('does not take the account for the key', () => {
    const body = { canTrade: true, canWithdraw: true, canDeposit: true, balances: [] };
    expect(spotAccount!.rest.permissions!(context).read(reply(body))).toEqual({
      kind: 'ok',
      value: { trade: true, withdraw: undefined },
    });
    expect(futuresAccount!.rest.permissions).toBeUndefined();
  });

  it('never throws, whatever comes', () => {
    const calls = [spotAccount!, futuresAccount!].flatMap(({ rest }, at) => [
      rest.query(refOf('1'), context),
      rest.balances(context),
      rest.cancel(refOf('1'), context),
      ...rest.openOrders([at === 0 ? spot : swap], context),
    ]);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.constantFrom(...calls), (text, call) => {
        expect(['ok', 'refused']).toContain(call.read({ status: 200, headers: {}, text }).kind);
      }),
    );
  });
});

describe('sockets', () => {
  const [spotEvents] = spotAccount!.sockets;
  const [futuresEvents] = futuresAccount!.sockets;

  it.each([
    ['{"id":0,"code":0,"msg":"PONG"}', [{ kind: 'pong' }]],
    ['{"id":0,"code":0,"msg":"spot@private.orders.v3.api.pb"}', []],
    ['{"id":0,"code":0,"msg":"Not Subscribed successfully! [x]"}', [{ kind: 'error' }]],
  ])('spot control: %s', (text, events) => {
    expect(spotEvents!.decode(Buffer.from(text))).toMatchObject(events);
  });

  it.each([
    ['{"channel":"pong","data":1}', [{ kind: 'pong' }]],
    ['{"channel":"rs.login","data":"success","ts":1}', [{ kind: 'ready' }]],
    [
      '{"channel":"rs.error","data":"signature fail","ts":1}',
      [{ kind: 'error', refusal: { meaning: 'unauthorised' } }],
    ],
    ['{"channel":"push.personal.risk.limit","data":{},"ts":1}', []],
  ])('futures: %s', (text, events) => {
    expect(futuresEvents!.decode(Buffer.from(text))).toMatchObject(events);
  });

  it('throws BadInput alone, whatever comes', () => {
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.json().map((text) => Uint8Array.from(Buffer.from(text))),
    );
    fc.assert(
      fc.property(frames, fc.constantFrom(spotEvents!, futuresEvents!), (frame, socket) => {
        refusalOf(() => socket.decode(frame));
      }),
    );
  });
});
