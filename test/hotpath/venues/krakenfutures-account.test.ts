import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { krakenfutures } from '#hotpath/venues/krakenfutures.ts';
import type { AccountContext, Answer, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hash, hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const account = krakenfutures.accounts![0]!;
const [market] = krakenfutures.markets;
const { rest } = account;
const socket = account.sockets[0]!;
const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'c2VjcmV0' },
  nowMs: 1_795_219_200_000,
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const perpetual = instrumentOf('krakenfutures', 'futures', 'PF_XBTUSD');
const other = instrumentOf('krakenfutures', 'futures', 'PI_XBTUSD');
const clientOrderId = 'a000200003140' as ClientOrderId;
const ticket = (changes: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId,
  instrument: perpetual,
  side: 'buy',
  type: 'limit',
  price: '62000',
  qty: '1',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...changes,
});
const ref = (venueOrderId?: string): OrderRef => ({
  clientOrderId,
  instrument: perpetual,
  side: 'buy',
  venueOrderId,
  sentMs: 1_795_219_100_000,
});
const answered = <T>(call: Call<T>, body: object): Answer<T> =>
  call.read({ status: 200, headers: {}, text: JSON.stringify({ result: 'success', ...body }) });
const formOf = ({ path }: Call<unknown>): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(path.split('?')[1]));

describe('krakenfutures orders', () => {
  it.each<[Partial<OrderTicket>, string]>([
    [{}, 'lmt'],
    [{ timeInForce: 'IOC' }, 'ioc'],
    [{ postOnly: true }, 'post'],
    [{ type: 'market', timeInForce: 'IOC' }, 'mkt'],
  ])('%j are of type %s', (changes, orderType) => {
    const form = formOf(rest.place(ticket(changes), context));
    expect(form).toMatchObject({ orderType, size: '1', cliOrdId: clientOrderId, symbol: 'PF_XBTUSD' });
    expect(Object.hasOwn(form, 'limitPrice')).toBe(orderType !== 'mkt');
    expect(account.refuses(ticket(changes))).toBeUndefined();
  });

  it('fill whole or not at all nowhere: refused, and never sent as an order that rests', () => {
    expect(account.refuses(ticket({ timeInForce: 'FOK' }))).toMatch(/fill-or-kill/);
    expect(() => rest.place(ticket({ timeInForce: 'FOK' }), context)).toThrow();
    expect(account.refuses(ticket({ postOnly: true, timeInForce: 'IOC' }))).toMatch(/post-only/);
  });

  const sent = (status: string, orderEvents: readonly object[] = []) => ({
    sendStatus: { status, order_id: 'id-1', receivedTime: '2026-11-20T10:00:00.500Z', orderEvents },
  });
  const execution = (amount: number) => ({ type: 'EXECUTION', amount, price: 62_000, orderPriorExecution: {} });
  it.each<[string, Partial<OrderTicket>, object, string, string]>([
    ['rests', {}, sent('placed', [{ type: 'PLACE' }]), 'open', '0'],
    ['fills in two', {}, sent('placed', [execution(0.4), execution(0.6)]), 'filled', '1'],
    ['fills in part and rests', {}, sent('placed', [execution(0.4), { type: 'PLACE' }]), 'open', '0.4'],
    ['fills in part and goes', { timeInForce: 'IOC' }, sent('placed', [execution(0.4)]), 'expired', '0.4'],
    ['finds nothing', { timeInForce: 'IOC' }, sent('iocWouldNotExecute', [{ type: 'REJECT' }]), 'expired', '0'],
  ])('answers for an order that %s', (_name, changes, body, status, filled) => {
    const answer = answered(rest.place(ticket(changes), context), body);
    if (answer.kind === 'refused') throw new Error(answer.text);
    const { order } = answer.value;
    expect([answer.value.venueOrderId, order?.status, order?.filled.toFixed()]).toEqual(['id-1', status, filled]);
  });

  it('may be taken without a word on how they stand, but not without an id', () => {
    expect(answered(rest.place(ticket(), context), sent('placed'))).toEqual({
      kind: 'ok',
      value: { venueOrderId: 'id-1' },
    });
    expect(answered(rest.place(ticket(), context), { sendStatus: { status: 'placed' } })).toMatchObject({
      meaning: 'in-doubt',
    });
    expect(answered(rest.place(ticket(), context), sent('somethingNew'))).toMatchObject({ meaning: 'unlisted' });
  });

  it('are cancelled contract by contract', () => {
    const calls = rest.cancelAll([perpetual, other], context);
    expect(calls.map((call) => formOf(call)['symbol'])).toEqual(['PF_XBTUSD', 'PI_XBTUSD']);
    expect(answered(calls[0]!, { cancelStatus: { status: 'noOrdersToCancel' } }).kind).toBe('ok');
  });
});

describe('krakenfutures questions', () => {
  const cached = (status: string, changes: object = {}) => ({
    orders: [
      {
        order: {
          orderId: 'id-1',
          cliOrdId: clientOrderId,
          symbol: 'pf_xbtusd',
          side: 'buy',
          quantity: 1,
          filled: 0.4,
          limitPrice: 62_000,
          lastUpdateTimestamp: '2026-11-20T10:00:00.500Z',
        },
        status,
        ...changes,
      },
    ],
  });

  it.each([
    ['ENTERED_BOOK', {}, { status: 'open' }],
    ['FULLY_EXECUTED', {}, { status: 'filled' }],
    ['CANCELLED', { updateReason: 'cancelled_by_user' }, { status: 'canceled' }],
    ['CANCELLED', { updateReason: 'PARTIAL_FILL' }, { status: 'expired' }],
    ['REJECTED', { error: 'POST_WOULD_EXECUTE' }, { status: 'rejected', reason: 'would-take' }],
    ['REJECTED', { error: 'SOMETHING_NEW' }, { status: 'rejected', reason: 'unlisted' }],
  ])('reads %s %j as %j', (status, changes, expected) => {
    const answer = answered(rest.query(ref('id-1'), context), cached(status, changes));
    expect(answer).toMatchObject({ kind: 'ok', value: { ...expected, venueSymbol: 'PF_XBTUSD' } });
  });

  it('does not believe a state that it does not know', () => {
    const answer = answered(rest.query(ref('id-1'), context), cached('HELD'));
    expect(answer).toMatchObject({ kind: 'refused', meaning: 'in-doubt' });
  });

  it('looks for an older order in the history, page by page, newest first', () => {
    const nothing = answered(rest.query(ref(), context), { orders: [] });
    if (nothing.kind === 'ok') throw new Error('there is none');
    expect(nothing.meaning).toBe('not-found');
    const past = nothing.elsewhere!(context);
    expect(past.path).toMatch(/^\/api\/history\/v3\/orders\?sort=desc&since=1795219040000$/);
    const order = {
      uid: 'id-1',
      tradeable: 'PF_XBTUSD',
      direction: 'Buy',
      quantity: '0',
      filled: '1',
      timestamp: '1795219100000',
      limitPrice: '62000.0',
      orderType: 'IoC',
      clientId: clientOrderId,
      lastUpdateTimestamp: '1795219100500',
    };
    const first = answered(past, {
      elements: [{ event: { OrderPlaced: { order: { ...order, clientId: 'other' } } } }],
      continuationToken: 'next',
    });
    if (first.kind === 'ok') throw new Error('another one’s order');
    const second = first.elsewhere!(context);
    expect(second.path).toContain('continuation_token=next');
    const found = answered(second, { elements: [{ event: { OrderPlaced: { order } } }] });
    expect(found).toMatchObject({ value: { status: 'filled', venueOrderId: 'id-1', timeMs: 1_795_219_100_500 } });
    const rest1 = { ...order, quantity: '0.6', filled: '0.4' };
    expect(answered(second, { elements: [{ event: { OrderPlaced: { order: rest1 } } }] })).toMatchObject({
      value: { status: 'expired' },
    });
    const end = answered(second, { elements: [] });
    expect(end).toMatchObject({ meaning: 'not-found' });
    expect(Object.hasOwn(end, 'elsewhere')).toBe(false);
  });

  it('follows fills back to a time, and never for ever', () => {
    const row = { symbol: 'PF_XBTUSD', side: 'buy', order_id: 'id-1', size: 1, price: 62_000, fillType: 'taker' };
    const page = (from: number) =>
      Array.from({ length: 3 }, (_, at) => ({
        ...row,
        fill_id: `${from - at}`,
        fillTime: new Date(1_795_219_000_000 + (from - at) * 1_000).toISOString(),
      }));
    const call = rest.fillsSince([perpetual], 1_795_219_004_000, context)[0]!;
    expect(call.path).not.toContain('lastFillTime');
    const first = answered(call, { fills: page(9) });
    if (first.kind === 'refused') throw new Error(first.text);
    const next = first.more!(context);
    expect(formOf(next)['lastFillTime']).toBe(new Date(1_795_219_007_001).toISOString());
    const second = answered(next, { fills: page(6) });
    expect(second).toMatchObject({ kind: 'ok', value: [{ tradeId: '6' }, { tradeId: '5' }, { tradeId: '4' }] });
    expect(
      answered(next, { fills: page(7).map((fill) => ({ ...fill, fillTime: page(7)[0]!.fillTime })) }),
    ).not.toHaveProperty('more');
    expect(answered(next, { fills: [] })).toEqual({ kind: 'ok', value: [] });
  });

  it('keeps the wallets of inverse contracts apart from the common collateral', () => {
    const accounts = {
      cash: { type: 'cashAccount', balances: { xbt: 5 } },
      fi_xbtusd: {
        type: 'marginAccount',
        currency: 'xbt',
        balances: { xbt: 2, PI_XBTUSD: 100 },
        auxiliary: { af: 1.5 },
      },
      flex: { type: 'multiCollateralMarginAccount', currencies: { XBT: { quantity: 0.5, available: 0.25 } } },
    };
    const answer = answered(rest.balances(context), { accounts });
    expect(
      answer.kind === 'ok'
        ? answer.value.map(({ asset, total, available }) => [asset, total.toFixed(), available.toFixed()])
        : [],
    ).toEqual([
      ['BTC:fi_xbtusd', '2', '1.5'],
      ['BTC', '0.5', '0.25'],
    ]);
  });

  it('signs a position by its side', () => {
    const openPositions = [
      { side: 'short', symbol: 'PF_XBTUSD', size: 2, price: 62_000 },
      { side: 'long', symbol: 'PI_XBTUSD', size: 3, price: 61_000, maxFixedLeverage: 5 },
    ];
    const answer = answered(rest.positions!(context), { openPositions });
    expect(answer.kind === 'ok' ? answer.value.map(({ qty }) => qty.toFixed()) : []).toEqual(['-2', '3']);
  });

  it('asks no fees of schedules that are not charged any more', () => {
    expect(rest.fees([perpetual], context)).toEqual([]);
  });

  it('never throws, whatever is answered', () => {
    const calls: readonly Call<unknown>[] = [
      rest.place(ticket(), context),
      rest.query(ref(), context),
      rest.balances(context),
      rest.positions!(context),
      ...rest.fillsSince([perpetual], 0, context),
    ];
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.constantFrom(200, 429, 500), (text, status) => {
        for (const call of calls) expect(['ok', 'refused']).toContain(call.read({ status, headers: {}, text }).kind);
      }),
    );
  });
});

describe('krakenfutures feeds', () => {
  const read = (message: unknown) => socket.decode(Buffer.from(JSON.stringify(message)));

  it('are subscribed by proving the challenge, and ready with the last', () => {
    expect(JSON.parse(socket.login(context, '')[0]!)).toEqual({ event: 'challenge', api_key: 'key' });
    expect(read({ event: 'challenge', message: 'riddle' })).toEqual([{ kind: 'challenge', text: 'riddle' }]);
    const frames = socket.prove!('riddle', context).map((frame) => JSON.parse(frame) as Record<string, string>);
    expect(frames.map(({ feed }) => feed)).toEqual(['heartbeat', 'open_orders', 'fills', 'balances', 'open_positions']);
    const signed = hmac('sha512', Buffer.from('c2VjcmV0', 'base64'), hash('sha256', 'riddle'), 'base64');
    for (const frame of frames.slice(1)) {
      expect(frame).toMatchObject({ original_challenge: 'riddle', signed_challenge: signed, api_key: 'key' });
    }
    const ready = frames.flatMap(({ feed }) => read({ event: 'subscribed', feed }));
    expect(ready).toEqual([{ kind: 'ready' }]);
    expect(read({ event: 'alert', message: 'Failed to subscribe to authenticated feed' })).toMatchObject([
      { kind: 'error', refusal: { meaning: 'unauthorised' } },
    ]);
  });

  it.each([
    ['cancelled_by_user', { status: 'canceled' }],
    ['dead_man_switch', { status: 'canceled' }],
    ['full_fill', { status: 'filled' }],
    ['ioc_order_failed_because_it_would_not_be_executed', { status: 'expired', reason: 'not-filled' }],
    ['post_order_failed_because_it_would_filled', { status: 'expired', reason: 'would-take' }],
    ['would_execute_self', { status: 'expired', reason: 'self-trade' }],
    ['something_new', { status: 'canceled' }],
  ])('end an order with %s as %j', (reason, expected) => {
    const events = read({ feed: 'open_orders', order_id: 'id-1', is_cancel: true, reason });
    expect(events).toMatchObject([{ kind: 'ended', venueOrderId: 'id-1', ...expected }]);
  });

  it('tell what is left of an order: its quantity is that and what filled', () => {
    const order = {
      instrument: 'PF_XBTUSD',
      last_update_time: 5,
      qty: 0.6,
      filled: 0.4,
      order_id: 'id-1',
      direction: 1,
    };
    const [event] = read({ feed: 'open_orders', order, is_cancel: false, reason: 'partial_fill' });
    expect(event).toMatchObject({ kind: 'order', order: { side: 'sell', status: 'open' } });
    expect(event?.kind === 'order' && event.order.qty.toFixed()).toBe('1');
    expect(refusalOf(() => read({ feed: 'open_orders', is_cancel: false, reason: 'x' }))).toMatch(/without an order/);
  });

  it('say the tape, mark, index and funding of the public socket, in whatever order of keys', () => {
    const rig = new MarketRig(market!, [perpetual, other]);
    const ticker = { product_id: 'PF_XBTUSD', markPrice: 62_000.5, index: 62_001, relative_funding_rate: -1.5e-5 };
    const timed = { ...ticker, next_funding_rate_time: 1_795_222_800_000, time: 1_795_219_200_123, feed: 'ticker' };
    rig.take({ frame: JSON.stringify(timed) });
    rig.take({ frame: JSON.stringify(Object.fromEntries(Object.entries(timed).reverse())) });
    expect(rig.references[1]).toEqual({ ...rig.references[0], receivedTimeNs: rig.references[1]!.receivedTimeNs });
    expect(rig.references[0]).toMatchObject({ markPrice: 62_000.5, indexPrice: 62_001, fundingRate: -1.5e-5 });
    rig.take({ frame: JSON.stringify({ feed: 'ticker', product_id: 'PI_XBTUSD', markPrice: 1, index: null }) });
    expect(rig.references[2]).toMatchObject({ instrument: 1, markPrice: 1, indexPrice: NaN, fundingRate: NaN });
    const trade = { feed: 'trade', product_id: 'PF_XBTUSD', side: 'sell', seq: 1, time: 7, qty: 2, price: 3 };
    rig.take({ frame: JSON.stringify(trade) });
    expect(rig.prints).toMatchObject([{ price: 3, qty: 2, taker: -1, venueTimeMs: 7 }]);
    expect(refusalOf(() => rig.take({ frame: JSON.stringify({ ...trade, qty: 0 }) }))).toMatch(/not a trade/);
  });
});
