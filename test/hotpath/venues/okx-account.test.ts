import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { okx } from '#hotpath/venues/okx.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { BadInput } from '#shared/assert.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { asset } from '#hotpath/venues/venue.ts';
import { instrumentOf } from '#test/support/instruments.ts';

const account = okx.accounts![0]!;
const socket = account.sockets[0]!;
const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret', passphrase: 'words' },
  nowMs: 1_790_000_000_123,
  nonce: 1_790_000_000_123_000,
  facts: {},
  marginMode: 'isolated',
  leverage: 3,
};
const spot: Instrument = { ...instrumentOf('okx', 'spot', 'BTC-USDT'), quote: asset('USDT'), venueCode: '7' };
const swap: Instrument = { ...instrumentOf('okx', 'swap', 'BTC-USDT-SWAP'), kind: 'perpetual', settle: asset('USDT') };
const option: Instrument = { ...instrumentOf('okx', 'options', 'BTC-USD-261225-60000-C'), kind: 'option' };
const ticket = (fields: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: spot,
  side: 'buy',
  type: 'limit',
  price: '62000.1',
  qty: '0.01',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...fields,
});
const ref = (fields: Partial<OrderRef> = {}): OrderRef => ({
  ...ticket(),
  venueOrderId: undefined,
  sentMs: context.nowMs - 5_000,
  ...fields,
});
const read = <T>(call: Call<T>, body: unknown, status = 200) =>
  call.read({ status, headers: {}, text: typeof body === 'string' ? body : JSON.stringify(body) });
const data = (...rows: readonly unknown[]) => ({ code: '0', msg: '', data: rows });
const placed = (order: OrderTicket): Record<string, unknown> =>
  (JSON.parse(account.rest.place(order, context).body!) as [Record<string, unknown>])[0];
const decode = (frame: unknown) => socket.decode(Buffer.from(JSON.stringify(frame)));

describe('orders', () => {
  it.each([
    [{}, 'limit'],
    [{ postOnly: true }, 'post_only'],
    [{ timeInForce: 'IOC' }, 'ioc'],
    [{ timeInForce: 'FOK' }, 'fok'],
    [{ type: 'market', timeInForce: 'IOC' }, 'market'],
  ] as const)('%j go out as %s', (fields, ordType) => {
    expect(account.refuses(ticket(fields))).toBeUndefined();
    expect(placed(ticket(fields))).toMatchObject({ ordType, instId: 'BTC-USDT', tdMode: 'cash', sz: '0.01' });
    expect('px' in placed(ticket(fields))).toBe(ordType !== 'market');
  });

  it.each([
    { postOnly: true, timeInForce: 'IOC' },
    { postOnly: true, type: 'market' },
    { type: 'market', timeInForce: 'FOK' },
    { reduceOnly: true },
    { instrument: option, type: 'market' },
    { instrument: option, reduceOnly: true },
  ] as const)('%j are refused, not bent', (fields) => {
    expect(account.refuses(ticket(fields))).toMatch(/\w+ \w+/);
  });

  it('say base units on spot, and the margin mode of derivatives', () => {
    expect(placed(ticket())).toMatchObject({ tgtCcy: 'base_ccy' });
    expect(placed(ticket({ instrument: swap, reduceOnly: true }))).toMatchObject({
      tdMode: 'isolated',
      reduceOnly: true,
    });
    const shared = { ...context, facts: { acctLv: '3' } };
    expect(account.rest.place(ticket(), shared).body).toContain('"tdMode":"cross"');
  });

  it('name the instrument by its number on the socket, and by its name only without one', () => {
    const frame = socket.orders!.place(ticket(), context, '17', '');
    expect(JSON.parse(frame)).toMatchObject({ id: '17', op: 'order', args: [{ instIdCode: 7 }] });
    expect(frame).not.toContain('instId"');
    expect(socket.orders!.cancel(ref({ instrument: swap }), context, '18', '')).toContain('"instId":"BTC-USDT-SWAP"');
  });

  it('say the same over both ways, each its own', () => {
    const digits = fc.integer({ min: 1, max: 1e9 }).map(String);
    const orders = fc.record({
      ...{ price: digits, qty: digits, clientOrderId: digits.map((text) => `a-${text}` as ClientOrderId) },
      instrument: fc.constantFrom(spot, swap, option),
      side: fc.constantFrom('buy', 'sell'),
      type: fc.constantFrom('limit', 'market'),
      timeInForce: fc.constantFrom('GTC', 'IOC', 'FOK'),
      postOnly: fc.boolean(),
      reduceOnly: fc.boolean(),
    });
    const levels = ['1', '3'].map((acctLv) => ({ ...context, facts: { acctLv } }));
    const holds = fc.property(orders, fc.constantFrom(...levels), fc.nat(), (order, now, request) => {
      const frame = socket.orders!.place(order, now, String(request), '');
      const { args, ...rest } = JSON.parse(frame) as { readonly args: readonly [Record<string, unknown>] };
      const [asked] = JSON.parse(account.rest.place(order, now).body!) as typeof args;
      expect(rest).toEqual({ id: String(request), op: 'order' });
      // The other way has the instrument's name.
      expect({ ...args[0], instId: order.instrument.venueSymbol, instIdCode: undefined }).toEqual(asked);
      expect(asked['clOrdId']).toBe(order.clientOrderId.replace('-', ''));
    });
    fc.assert(holds, { numRuns: 300, seed: 1 });
  });

  it('never lose a digit of price or quantity', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 24n }), fc.bigInt({ min: 1n, max: 10n ** 24n }), (price, qty) => {
        const order = ticket({ price: `${price}.5`, qty: `0.${qty}` });
        expect(placed(order)).toMatchObject({ px: `${price}.5`, sz: `0.${qty}` });
      }),
    );
  });
});

describe('answers', () => {
  const ack = (sCode: string, sMsg = '') => ({ ordId: '1', clOrdId: 'a00010000010', tag: '', ts: '1', sCode, sMsg });

  it('are those of the item, whatever the envelope says', () => {
    const call = account.rest.place(ticket(), context);
    expect(read(call, data(ack('0')))).toEqual({ kind: 'ok', value: { venueOrderId: '1' } });
    const refusal = { code: '1', msg: 'All operations failed', data: [ack('51008', 'Insufficient')] };
    expect(read(call, refusal)).toMatchObject({ kind: 'refused', meaning: 'insufficient-funds', code: '51008' });
    expect(read(call, { code: '1', msg: 'failed', data: [] })).toMatchObject({ meaning: 'in-doubt' });
    expect(read(call, '', 504)).toMatchObject({ meaning: 'in-doubt' });
  });

  it('of a query without an order mean that there is none', () => {
    const call = account.rest.query(ref(), context);
    expect(call.path).toBe('/api/v5/trade/order?instId=BTC-USDT&clOrdId=a00010000010');
    expect(read(call, data())).toMatchObject({ meaning: 'not-found' });
    expect(read(call, { code: '51603', msg: 'Order does not exist', data: [] })).toMatchObject({
      meaning: 'not-found',
    });
  });

  it('tell an end by its own terms from a cancellation', () => {
    const row = {
      instId: 'BTC-USDT',
      ordId: '1',
      side: 'buy',
      sz: '1',
      accFillSz: '0.4',
      state: 'canceled',
      uTime: '5',
    };
    const status = (ordType: string, cancelSource: string) => {
      const answer = read(account.rest.query(ref(), context), data({ ...row, ordType, cancelSource }));
      return answer.kind === 'ok' ? [answer.value.status, answer.value.reason] : answer;
    };
    expect(status('ioc', '')).toEqual(['expired', undefined]);
    expect(status('ioc', '14')).toEqual(['expired', undefined]);
    expect(status('fok', '13')).toEqual(['expired', 'not-filled']);
    expect(status('post_only', '31')).toEqual(['expired', 'would-take']);
    expect(status('limit', '1')).toEqual(['canceled', undefined]);
    expect(status('limit', '20')).toEqual(['canceled', undefined]);
    expect(status('ioc', '1')).toEqual(['canceled', undefined]);
  });

  it('about the account refuse positions kept a side each, and say what the key may do', () => {
    const permissions = account.rest.permissions!(context);
    const row = { uid: '1', acctLv: '2', posMode: 'net_mode', perm: 'read_only,withdraw,trade' };
    expect(read(permissions, data(row))).toEqual({ kind: 'ok', value: { trade: true, withdraw: true } });
    expect(read(permissions, data({ ...row, perm: 'read_only' }))).toMatchObject({
      value: { trade: false, withdraw: false },
    });
    const [facts] = account.prepare!(context);
    expect(read(facts!, data(row))).toMatchObject({ value: { uid: '1', acctLv: '2' } });
    expect(read(facts!, data({ ...row, posMode: 'long_short_mode' }))).toMatchObject({ meaning: 'not-allowed' });
  });

  it('read fees by group, by margin currency, and turn their sign', () => {
    const rates = {
      maker: '-0.0008',
      taker: '-0.001',
      makerU: '-0.0002',
      takerU: '-0.0005',
      makerUSDC: '0.0001',
      takerUSDC: '-0.0003',
    };
    const fee = (instrument: Instrument, row: object) => {
      const [call] = account.rest.fees([instrument], context);
      const answer = read(call!, data(row));
      return answer.kind === 'ok' ? answer.value.map(({ maker, taker }) => [Number(maker), Number(taker)]) : answer;
    };
    expect(fee(spot, rates)).toEqual([[0.0008, 0.001]]);
    expect(fee(swap, rates)).toEqual([[0.0002, 0.0005]]);
    expect(fee({ ...swap, settle: asset('USDC') }, rates)).toEqual([[-0.0001, 0.0003]]);
    expect(fee({ ...swap, settle: asset('BTC') }, rates)).toEqual([[0.0008, 0.001]]);
    const group = { ...rates, feeGroup: [{ groupId: '1', maker: '-0.00015', taker: '-0.00045' }] };
    expect(fee(swap, group)).toEqual([[0.00015, 0.00045]]);
  });
});

describe('lists', () => {
  const open = (ordId: string, instId = 'BTC-USDT') => ({
    ...{ instId, ordId, side: 'sell', ordType: 'limit', state: 'live', px: '1', sz: '2', accFillSz: '', uTime: '1' },
  });

  it('go on from the last order of a full page', () => {
    const [first] = account.rest.openOrders([spot], context);
    const rows = Array.from({ length: 100 }, (_, at) => open(String(900 - at)));
    const answer = read(first!, data(...rows));
    expect(answer.kind === 'ok' && answer.value).toHaveLength(100);
    const next = answer.kind === 'ok' ? answer.more!(context) : first!;
    expect(next.path).toBe('/api/v5/trade/orders-pending?instId=BTC-USDT&after=801');
    expect(read(next, data(open('5')))).not.toHaveProperty('more');
  });

  it('of several instruments are asked by type and hold no others', () => {
    const other = { ...spot, venueSymbol: 'ETH-USDT' };
    const [call] = account.rest.openOrders([spot, other], context);
    expect(call!.path).toBe('/api/v5/trade/orders-pending?instType=SPOT');
    const answer = read(call!, data(open('1'), open('2', 'XRP-USDT'), open('3', 'ETH-USDT')));
    expect(answer.kind === 'ok' && answer.value.map(({ venueOrderId }) => venueOrderId)).toEqual(['1', '3']);
  });

  it('of what to cancel become batches of twenty, and what is gone is no failure', () => {
    const [list] = account.rest.cancelAll([spot], context);
    const rows = Array.from({ length: 45 }, (_, at) => open(String(at + 1)));
    const sizes: number[] = [];
    let answer = read(list!, data(...rows));
    while (answer.kind === 'ok' && answer.more !== undefined) {
      const call = answer.more(context);
      const items = JSON.parse(call.body!) as { ordId: string }[];
      sizes.push(items.length);
      const acks = items.map(({ ordId }) => ({ ordId, clOrdId: '', sCode: ordId === '1' ? '51400' : '0', sMsg: '' }));
      answer = read(call, { code: '2', msg: '', data: acks });
    }
    expect(answer.kind).toBe('ok');
    expect(sizes).toEqual([20, 20, 5]);
  });

  it('of fills are recent ones by their own endpoint, and signs are turned', () => {
    const [call] = account.rest.fillsSince([spot], context.nowMs - 1_000, context);
    expect(call!.path).toContain('/api/v5/trade/fills?instType=SPOT&instId=BTC-USDT&begin=');
    const [old] = account.rest.fillsSince([spot], context.nowMs - 5 * 86_400_000, context);
    expect(old!.path).toContain('/api/v5/trade/fills-history?');
    const row = {
      instId: 'BTC-USDT',
      clOrdId: '',
      ordId: '1',
      tradeId: '2',
      billId: '3',
      side: 'buy',
      fillPx: '10',
      fillSz: '2',
      fee: '0.01',
      feeCcy: 'USDT',
      execType: 'M',
      fillTime: '7',
    };
    const answer = read(call!, data(row));
    expect(answer.kind === 'ok' && answer.value[0]!.fee.toFixed()).toBe('-0.01');
    expect(answer).toMatchObject({ value: [{ liquidity: 'maker', feeAsset: 'USDT', timeMs: 7 }] });
  });
});

describe('private frames', () => {
  const order = {
    instId: 'BTC-USDT',
    ordId: '1',
    clOrdId: 'a',
    side: 'sell',
    ordType: 'limit',
    sz: '2',
    px: '10',
    uTime: '5',
  };

  it('tell a fill before the state it leads to', () => {
    const filled = {
      ...order,
      state: 'filled',
      accFillSz: '2',
      tradeId: '9',
      fillPx: '10',
      fillSz: '2',
      fillFee: '-0.1',
      fillFeeCcy: 'USDT',
      execType: 'T',
      fillTime: '5',
    };
    const events = decode({ arg: { channel: 'orders' }, data: [filled] });
    expect(events.map(({ kind }) => kind)).toEqual(['fill', 'order']);
    expect(events[0]).toMatchObject({ fill: { tradeId: '9', liquidity: 'taker', side: 'sell' } });
  });

  it('tell a short position below zero, however it is kept', () => {
    const row = { instId: 'X', instType: 'SWAP', avgPx: '10', markPx: '', liqPx: '', lever: '' };
    const qty = (fields: object) =>
      decode({ arg: { channel: 'positions' }, data: [{ ...row, ...fields }] }).map((event) =>
        event.kind === 'position' ? event.position.qty.toFixed() : event.kind,
      );
    expect(qty({ posSide: 'net', pos: '-3' })).toEqual(['-3']);
    expect(qty({ posSide: 'short', pos: '3' })).toEqual(['-3']);
    expect(qty({ posSide: 'net', pos: '' })).toEqual(['0']);
    expect(qty({ instType: 'MARGIN', posSide: 'net', pos: '3' })).toEqual([]);
  });

  it('that are malformed are refused; those that say nothing to us are nothing', () => {
    expect(() => decode({ arg: { channel: 'orders' }, data: [{ ...order, state: 'asleep' }] })).toThrow(BadInput);
    expect(() => socket.decode(Buffer.from('{"arg":'))).toThrow(BadInput);
    expect(decode({ arg: { channel: 'deposit-info' }, data: [{}] })).toEqual([]);
    expect(decode({ event: 'channel-conn-count', channel: 'orders', connCount: '1' })).toEqual([]);
    expect(decode({ id: '1', op: 'amend-order', code: '0', data: [] })).toEqual([]);
  });
});

it('arms the dead man’s switch in whole seconds, and disarms it with 0', () => {
  const { deadMan } = account;
  const arm = (timeoutMs: number) => (deadMan.kind === 'timer' ? deadMan.arm(timeoutMs, [], context)[0]!.body : '');
  expect([arm(10_000), arm(10_001), arm(0)]).toEqual(['{"timeOut":"10"}', '{"timeOut":"11"}', '{"timeOut":"0"}']);
});
