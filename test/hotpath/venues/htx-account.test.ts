import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gzipSync } from 'node:zlib';
import { htx, swapClientOrderId } from '#hotpath/venues/htx.ts';
import type { AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { refusalOf } from '#test/support/venue-fixture.ts';

const [spotAccount, swapAccount] = htx.accounts!;
const spot = instrumentOf('htx', 'spot', 'btcusdt');
const swap = instrumentOf('htx', 'swap', 'BTC-USDT');
const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_790_000_000_123,
  nonce: 1,
  facts: { accountId: '7', userId: '8' },
  marginMode: 'cross',
  leverage: 5,
};
const ID = 'a0001000001a1' as ClientOrderId;
const ticket = (more: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: ID,
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
const ref: OrderRef = { ...ticket(), venueOrderId: undefined, sentMs: context.nowMs };
const bodyOf = (order: OrderTicket): Record<string, unknown> => {
  const account = order.instrument.market === 'spot' ? spotAccount! : swapAccount!;
  return JSON.parse(account.rest.place(order, context).body ?? '') as Record<string, unknown>;
};
const reply = (value: unknown) => ({ status: 200, headers: {}, text: JSON.stringify(value) });

describe('client ids', () => {
  const digits = Array.from('0123456789abcdefghijklmnopqrstuvwxyz');
  const anyId = fc
    .array(fc.constantFrom(...digits), { minLength: 12, maxLength: 12 })
    .map((parts) => `a${parts.join('')}` as ClientOrderId);

  it('are numbers of 63 bits on swaps, and no two of ours share one', () => {
    fc.assert(
      fc.property(anyId, anyId, (a, b) => {
        const [x, y] = [BigInt(swapClientOrderId(a)), BigInt(swapClientOrderId(b))];
        expect(x === y).toBe(a === b);
        expect(x >= 1n && x < 2n ** 63n).toBe(true);
      }),
    );
    expect(swapClientOrderId('a000000000000' as ClientOrderId)).toBe('1');
    expect(BigInt(swapClientOrderId('azzzzzzzzzzzz' as ClientOrderId))).toBe(36n ** 12n);
  });

  it('stand as they are on spot', () => {
    fc.assert(fc.property(anyId, (id) => spotAccount!.clientOrderId(id) === id && /^[\w-]{1,64}$/.test(id)));
  });
});

describe('orders', () => {
  it.each([
    [{}, 'buy-limit'],
    [{ timeInForce: 'IOC' }, 'buy-ioc'],
    [{ timeInForce: 'FOK', side: 'sell' }, 'sell-limit-fok'],
    [{ postOnly: true }, 'buy-limit-maker'],
    [{ type: 'market', side: 'sell', timeInForce: 'IOC' }, 'sell-market'],
  ] as const)('spot: %j is %s', (more, type) => {
    expect(spotAccount!.refuses(ticket(more))).toBeUndefined();
    expect(bodyOf(ticket(more))).toMatchObject({ type, 'account-id': '7', 'client-order-id': ID, amount: '0.01' });
  });

  it.each([
    [{}, { type: 'limit', time_in_force: 'gtc', price: '62000.5' }],
    [{ timeInForce: 'IOC' }, { type: 'limit', time_in_force: 'ioc' }],
    [{ timeInForce: 'FOK' }, { type: 'limit', time_in_force: 'fok' }],
    [{ postOnly: true }, { type: 'post_only', time_in_force: 'gtc' }],
    [{ reduceOnly: true }, { reduce_only: 1 }],
  ] as const)('swaps: %j is %j', (more, fields) => {
    const order = ticket({ ...more, instrument: swap, qty: '10' });
    expect(swapAccount!.refuses(order)).toBeUndefined();
    expect(bodyOf(order)).toMatchObject({ contract_code: 'BTC-USDT', margin_mode: 'cross', volume: '10', ...fields });
  });

  it('names no price and no time in force for a market order', () => {
    const body = bodyOf(ticket({ instrument: swap, type: 'market', timeInForce: 'IOC', qty: '3' }));
    expect(Object.keys(body)).not.toContain('price');
    expect(Object.keys(body)).not.toContain('time_in_force');
  });

  it.each([
    ['spot', { type: 'market' }, /what to spend/],
    ['spot', { reduceOnly: true }, /reduce-only/],
    ['spot', { postOnly: true, timeInForce: 'IOC' }, /post-only/],
    ['swap', { postOnly: true, timeInForce: 'FOK' }, /post-only/],
    ['swap', { type: 'market', timeInForce: 'FOK' }, /fill-or-kill/],
  ] as const)('%s refuses %j', (id, more, words) => {
    const account = id === 'spot' ? spotAccount! : swapAccount!;
    expect(account.refuses(ticket(more))).toMatch(words);
  });
});

describe('answers', () => {
  it.each([
    ['10', 'ok'],
    ['7', 'not-open'],
    ['6', 'not-open'],
    ['-1', 'not-open'],
    ['0', 'not-found'],
  ])('a cancel by client id in state %s is %s', (state, meaning) => {
    const answer = spotAccount!.rest.cancel(ref, context).read(reply({ status: 'ok', data: Number(state) }));
    expect(answer.kind === 'ok' ? 'ok' : answer.meaning).toBe(meaning);
  });

  it('asks for cancels of many again while there are more', () => {
    const call = spotAccount!.rest.cancelAll([spot], context)[0]!;
    const page = (next: number) =>
      call.read(reply({ status: 'ok', data: { 'success-count': 100, 'failed-count': 0, 'next-id': next } }));
    const [more, last] = [page(5_454_600), page(-1)];
    expect(more.kind === 'ok' && more.more !== undefined).toBe(true);
    expect(last.kind === 'ok' && last.more === undefined).toBe(true);
  });

  it('goes through fills by pages of 500 and windows of two days', () => {
    const day = 86_400_000;
    const first = spotAccount!.rest.fillsSince([spot], context.nowMs - 3 * day, context)[0]!;
    const window = (path: string): number => {
      const query = new URLSearchParams(path.split('?')[1]);
      return Number(query.get('end-time')) - Number(query.get('start-time'));
    };
    expect(window(first.path)).toBe(2 * day);
    const answer = first.read(reply({ status: 'ok', data: [] }));
    const second = answer.kind === 'ok' ? answer.more!(context) : undefined;
    expect(window(second!.path)).toBe(day);
    const end = second!.read(reply({ status: 'ok', data: [] }));
    expect(end.kind === 'ok' && end.more).toBe(undefined);

    const row = {
      symbol: 'btcusdt',
      'order-id': 345_487_249_132_375,
      'trade-id': 1085,
      type: 'buy-ioc',
      price: '62000.5',
      'filled-amount': '0.004',
      'filled-fees': '0.000008',
      'filled-points': '0.0',
      'fee-currency': 'btc',
      role: 'taker',
      'created-at': 1_790_000_000_000,
    };
    const full = first.read(reply({ status: 'ok', data: Array.from({ length: 500 }, (_, id) => ({ ...row, id })) }));
    expect(full.kind === 'ok' && full.more!(context).path).toContain('from=499');
    expect(full.kind === 'ok' && full.value[0]).toMatchObject({ venueOrderId: '345487249132375', feeAsset: 'BTC' });
  });

  it('calls a fee paid in points by its name', () => {
    const row = {
      id: 1,
      symbol: 'btcusdt',
      'order-id': 2,
      'trade-id': 3,
      type: 'sell-limit',
      price: '1',
      'filled-amount': '2',
      'filled-fees': '0',
      'filled-points': '0.1',
      'fee-currency': 'usdt',
      'fee-deduct-currency': 'hbpoint',
      role: 'maker',
      'created-at': 4,
    };
    const answer = spotAccount!.rest.fillsOf!({ ...ref, venueOrderId: '2' }, context).read(
      reply({ status: 'ok', data: [row] }),
    );
    expect(answer.kind === 'ok' && answer.value[0]).toMatchObject({ feeAsset: 'HBPOINT', liquidity: 'maker' });
    expect(answer.kind === 'ok' && answer.value[0]!.fee.toFixed()).toBe('0.1');
  });

  it('looks for fills of an order from a little before it was sent', () => {
    const { path } = spotAccount!.rest.fillsOf!(ref, context);
    expect(path).toContain(`&start-time=${Math.floor(context.nowMs - 60_000)}`);
  });

  it('believes that a swap order is filled when its volume is', () => {
    const order = {
      id: '1',
      contract_code: 'BTC-USDT',
      order_id: '1382748711720767488',
      client_order_id: '5',
      side: 'buy',
      type: 'limit',
      price: '62000',
      volume: '10',
      state: 'filled',
      time_in_force: 'gtc',
      trade_volume: '4',
      created_time: '1',
      updated_time: '2',
    };
    const query = swapAccount!.rest.query({ ...ref, instrument: swap }, context);
    const status = (more: object): unknown => {
      const answer = query.read(reply({ code: 200, message: 'Success', data: { ...order, ...more }, ts: 1 }));
      return answer.kind === 'ok' ? answer.value.status : answer.meaning;
    };
    expect(status({})).toBe('open');
    expect(status({ trade_volume: '10' })).toBe('filled');
    expect(status({ state: 'partially_canceled', time_in_force: 'ioc' })).toBe('expired');
    expect(status({ state: 'canceled' })).toBe('canceled');
    expect(status({ state: 'unheard-of' })).toBe('in-doubt');
  });

  it('never throws, whatever comes', () => {
    const calls = [spotAccount!, swapAccount!].flatMap(({ rest }, at) => {
      const order = { ...ref, instrument: at === 0 ? spot : swap };
      return [rest.query(order, context), rest.balances(context), ...rest.openOrders([order.instrument], context)];
    });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.constantFrom(...calls), (text, call) => {
        expect(['ok', 'refused']).toContain(call.read({ status: 200, headers: {}, text }).kind);
      }),
    );
  });
});

describe('sockets', () => {
  const [orders, events] = spotAccount!.sockets;

  it('reads frames as text and as gzip', () => {
    const text = '{"action":"req","code":200,"ch":"auth","data":{}}';
    for (const frame of [Buffer.from(text), gzipSync(text)]) expect(events!.decode(frame)).toEqual([{ kind: 'ready' }]);
  });

  it.each([
    ['{"action":"ping","data":{"ts":1790000000001}}', '{"action":"pong","data":{"ts":1790000000001}}'],
    ['{"ping":1790000000001}', '{"pong":1790000000001}'],
  ])('answers %s', (ping, pong) => {
    for (const socket of [orders!, events!])
      expect(socket.decode(Buffer.from(ping))).toEqual([{ kind: 'ping', reply: pong }]);
    const [swaps] = swapAccount!.sockets;
    expect(swaps!.decode(Buffer.from('{"op":"ping","ts":"1"}'))).toEqual([
      { kind: 'ping', reply: '{"op":"pong","ts":"1"}' },
    ]);
  });

  it('tells a login that failed', () => {
    const refused = orders!.decode(Buffer.from('{"action":"req","code":2002,"ch":"auth","message":"auth.fail"}'));
    expect(refused).toMatchObject([{ kind: 'error', refusal: { meaning: 'unauthorised' } }]);
    const swaps = swapAccount!.sockets[0]!.decode(
      Buffer.from('{"op":"auth","type":"api","err-code":2002,"err-msg":"Authentication fail"}'),
    );
    expect(swaps).toMatchObject([{ kind: 'error', refusal: { meaning: 'unauthorised' } }]);
  });

  it('throws BadInput alone, whatever comes', () => {
    const sockets = [orders!, events!, swapAccount!.sockets[0]!];
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.constantFrom(...sockets), (text, socket) => {
        refusalOf(() => socket.decode(Buffer.from(text)));
      }),
    );
  });

  it('counts the seconds of its switch upwards', () => {
    const { deadMan } = spotAccount!;
    const call = deadMan.kind === 'timer' ? deadMan.arm(5_001, [spot], context)[0]! : undefined;
    expect(call!.body).toBe('{"timeout":6}');
  });
});
