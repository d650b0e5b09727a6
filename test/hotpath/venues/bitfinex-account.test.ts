import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientOrderIdFrom } from '#hotpath/execute/client-order-id.ts';
import { bitfinex, clientNumber } from '#hotpath/venues/bitfinex.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { BadInput } from '#shared/assert.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';

const [spotAccount, swapAccount] = bitfinex.accounts!;
const { rest, sockets } = spotAccount!;
const socket = sockets[0]!;
const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_790_000_000_123,
  nonce: 1_790_000_000_123_000,
  facts: {},
  marginMode: 'cross',
  leverage: 3,
};
const spot = instrumentOf('bitfinex', 'spot', 'tBTCUSD');
const swap: Instrument = { ...instrumentOf('bitfinex', 'swap', 'tBTCF0:USTF0'), kind: 'perpetual' };
const ID = 'a00010000010' as ClientOrderId;
const ticket = (fields: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: ID,
  instrument: spot,
  side: 'buy',
  type: 'limit',
  price: '62000',
  qty: '0.01',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...fields,
});
const ref = (fields: Partial<OrderRef> = {}): OrderRef => ({
  ...ticket(),
  venueOrderId: undefined,
  sentMs: Date.UTC(2026, 8, 21, 23, 59, 59),
  ...fields,
});
const read = <T>(call: Call<T>, body: unknown, status = 200) =>
  call.read({ status, headers: {}, text: JSON.stringify(body) });
const placed = (fields: Partial<OrderTicket>): unknown => JSON.parse(rest.place(ticket(fields), context).body!);
const decode = (frame: unknown) => socket.decode(Buffer.from(JSON.stringify(frame)));
const row = (id: number, fields: { cid?: number; status?: string; left?: number; symbol?: string } = {}) => {
  const { cid = clientNumber(ID), status = 'ACTIVE', left = 0.01, symbol = 'tBTCUSD' } = fields;
  return [id, null, cid, symbol, 1, 2, left, 0.01, 'EXCHANGE LIMIT', null, null, null, 0, status, null, null, 62000, 0];
};

describe('client numbers', () => {
  const parts = fc.record({
    epoch: fc.nat(16_383),
    ordinal: fc.nat(2 ** 20 - 1),
    leg: fc.nat(35),
    attempt: fc.nat(35),
  });

  it('have at most 45 bits, and are never the same for two ids of a day', () => {
    fc.assert(
      fc.property(fc.uniqueArray(parts, { maxLength: 50, selector: (each) => JSON.stringify(each) }), (list) => {
        const numbers = list.map((each) => clientNumber(clientOrderIdFrom(each)));
        expect(new Set(numbers).size).toBe(numbers.length);
        for (const each of numbers) expect(each >= 0 && each < 2 ** 45).toBe(true);
      }),
    );
  });

  it('of other ids stand above those of ours', () => {
    const highest = clientNumber(clientOrderIdFrom({ epoch: 16_383, ordinal: 2 ** 20 - 1, leg: 35, attempt: 35 }));
    fc.assert(
      fc.property(
        fc.string().filter((text) => !/^a[0-9a-z]{12}$/.test(text)),
        (text) => {
          const given = clientNumber(text);
          expect(given > highest && given < 2 ** 45 && given === clientNumber(text)).toBe(true);
        },
      ),
    );
  });
});

describe('orders', () => {
  it.each([
    [{}, { type: 'EXCHANGE LIMIT', amount: '0.01', price: '62000' }],
    [{ side: 'sell' }, { type: 'EXCHANGE LIMIT', amount: '-0.01' }],
    [{ timeInForce: 'IOC' }, { type: 'EXCHANGE IOC' }],
    [{ timeInForce: 'FOK' }, { type: 'EXCHANGE FOK' }],
    [{ postOnly: true }, { type: 'EXCHANGE LIMIT', flags: 4096 }],
    [{ type: 'market', timeInForce: 'IOC' }, { type: 'EXCHANGE MARKET' }],
    [
      { instrument: swap, reduceOnly: true },
      { type: 'LIMIT', flags: 1024, lev: 3 },
    ],
    [
      { instrument: swap, timeInForce: 'FOK' },
      { type: 'FOK', lev: 3 },
    ],
  ] as const)('%j go out as %j', (fields, sent) => {
    expect(spotAccount!.refuses(ticket(fields))).toBeUndefined();
    expect(placed(fields)).toMatchObject({ ...sent, cid: clientNumber(ID) });
  });

  it.each([
    { postOnly: true, timeInForce: 'FOK' },
    { postOnly: true, type: 'market' },
    { type: 'market', timeInForce: 'FOK' },
    { reduceOnly: true },
    { price: '100005' },
    { price: '62000.5' },
  ] as const)('%j are refused, not bent', (fields) => {
    expect(spotAccount!.refuses(ticket(fields))).toMatch(/\w+ \w+/);
  });

  it('go over the socket as they go by REST', () => {
    const frame = JSON.parse(socket.orders!.place(ticket(), context, '1', '')) as unknown[];
    expect(frame).toEqual([0, 'on', null, placed({})]);
  });

  it('are cancelled by our number with its UTC day until theirs is known', () => {
    const body = (order: OrderRef) => JSON.parse(rest.cancel(order, context).body!) as unknown;
    expect(body(ref())).toEqual({ cid: clientNumber(ID), cid_date: '2026-09-21' });
    expect(body(ref({ venueOrderId: '33950998275' }))).toEqual({ id: 33_950_998_275 });
  });
});

it('has coarser ticks from the next digit on', () => {
  const [market] = bitfinex.markets;
  const bodies = ['[[["BTCUSD",[null,null,null,"0.00004"]]]]', '[[]]', '[["tBTCUSD",1,1,1,1,1,0,99990,1,1,1]]'];
  const [{ tick, tickSteps }] = market!.instruments.parse(bodies, market!.defaultFees) as [Instrument];
  expect(tick.toFixed()).toBe('1');
  expect(tickSteps!.map(({ above, tick: coarser }) => [above.toFixed(), coarser.toFixed()])).toEqual([
    ['100000', '10'],
    ['1000000', '100'],
  ]);
});

describe('answers', () => {
  it('that are accepted as submitted carry the number; a refusal carries its words', () => {
    const call = rest.place(ticket(), context);
    const said = (about: unknown, status: string, text: string) => [1, 'on-req', null, null, about, null, status, text];
    expect(read(call, said([row(7)], 'SUCCESS', 'Submitting'))).toEqual({ kind: 'ok', value: { venueOrderId: '7' } });
    expect(read(call, said([], 'SUCCESS', 'Submitting'))).toMatchObject({ meaning: 'in-doubt' });
    expect(read(call, said([row(7)], 'ERROR', 'Invalid order: minimum size for BTC/USD is 1'))).toMatchObject({
      meaning: 'below-minimum',
    });
    expect(read(call, ['error', 10001, 'something new'], 500)).toMatchObject({ meaning: 'unlisted', code: '10001' });
    expect(read(call, {}, 500)).toMatchObject({ meaning: 'in-doubt' });
  });

  it('to a query come from the open orders, then from the ended ones', () => {
    const first = rest.query(ref(), context);
    expect(read(first, [row(7)])).toMatchObject({ value: { venueOrderId: '7', status: 'open' } });
    const answer = read(first, [row(8, { cid: 5 })]);
    expect(answer).toMatchObject({ kind: 'refused', meaning: 'not-found' });
    const second = answer.kind === 'refused' ? answer.elsewhere!(context) : first;
    expect(second.path).toBe('/v2/auth/r/orders/tBTCUSD/hist');
    const ended = row(7, { status: 'EXECUTED @ 62000.0(0.01)', left: 0 });
    expect(read(second, [ended])).toMatchObject({ value: { status: 'filled' } });
    expect(read(second, [])).toMatchObject({ meaning: 'not-found' });
    const full = Array.from({ length: 2_500 }, (_, at) => row(at + 10, { cid: 5 }));
    expect(read(second, full)).toMatchObject({ meaning: 'in-doubt' });
  });

  it.each([
    ['ACTIVE', 'open', undefined],
    ['PARTIALLY FILLED @ 62000.0(0.006)', 'open', undefined],
    ['EXECUTED @ 62000.0(0.01): was PARTIALLY FILLED @ 62000.0(0.006)', 'filled', undefined],
    ['CANCELED was: PARTIALLY FILLED @ 62000.0(0.006)', 'canceled', undefined],
    ['POSTONLY CANCELED', 'expired', 'would-take'],
    ['IOC CANCELED', 'expired', undefined],
    ['FILLORKILL CANCELED', 'expired', 'not-filled'],
    ['INSUFFICIENT BALANCE was: PARTIALLY FILLED', 'rejected', 'insufficient-funds'],
    ['RSN_DUST (amount is less than 0.00000001)', 'rejected', 'below-minimum'],
  ])('%s is %s', (status, expected, reason) => {
    const [event] = decode([0, 'ou', row(7, { status })]);
    expect(event!.kind === 'order' && [event.order.status, event.order.reason]).toEqual([expected, reason]);
  });

  it('say what the key may do', () => {
    const scopes = (orders: number, withdraw: number) => [
      ['account', 1, 0],
      ['orders', 1, orders],
      ['withdraw', 1, withdraw],
    ];
    const permissions = rest.permissions!(context);
    expect(read(permissions, scopes(1, 0))).toMatchObject({ value: { trade: true, withdraw: false } });
    expect(read(permissions, scopes(0, 1))).toMatchObject({ value: { trade: false, withdraw: true } });
  });

  it('read wallets of the account’s own kind, named as elsewhere', () => {
    const wallets = [
      ['exchange', 'UST', 100.5, 0, 90.25],
      ['margin', 'USTF0', 7, 0, null],
      ['funding', 'USD', 1, 0, 1],
    ];
    const told = (account: typeof spotAccount) => {
      const answer = read(account!.rest.balances(context), wallets);
      return answer.kind === 'ok'
        ? answer.value.map((each) => [each.asset, Number(each.total), Number(each.available)])
        : [];
    };
    expect(told(spotAccount)).toEqual([['USDT', 100.5, 90.25]]);
    expect(told(swapAccount)).toEqual([['USDT', 7, 7]]);
  });
});

describe('lists', () => {
  it('of what to cancel hold the instruments asked for, never everything of the key', () => {
    const [list] = rest.cancelAll([spot, { ...spot, venueSymbol: 'tETHUSD' }], context);
    const answer = read(list!, [row(1), row(2, { symbol: 'tXRPUSD' }), row(3, { symbol: 'tETHUSD' })]);
    const call = answer.kind === 'ok' ? answer.more!(context) : list!;
    expect(JSON.parse(call.body!)).toEqual({ id: [1, 3] });
    expect(read(list!, [])).not.toHaveProperty('more');
  });

  it('of fills go on from the last one’s millisecond, and always further', () => {
    const fill = (id: number, timeMs: number) => [
      id,
      'tBTCUSD',
      timeMs,
      5,
      -0.1,
      62000,
      'MARKET',
      0,
      1,
      -0.5,
      'USD',
      9,
    ];
    const [first] = rest.fillsSince([spot], 1_000, context);
    const next = (times: (at: number) => number) => {
      const answer = read(
        first!,
        Array.from({ length: 2_500 }, (_, at) => fill(at, times(at))),
      );
      return answer.kind === 'ok' ? (JSON.parse(answer.more!(context).body!) as { start: number }).start : NaN;
    };
    expect(next((at) => 1_000 + at)).toBe(3_499);
    expect(next(() => 1_000)).toBe(1_001);
    const few = read(first!, [fill(1, 1_000)]);
    expect(few).toMatchObject({ value: [{ side: 'sell', liquidity: 'maker', clientOrderId: '9', feeAsset: 'USD' }] });
    expect(few).not.toHaveProperty('more');
    expect(few.kind === 'ok' && few.value[0]!.fee.toFixed()).toBe('0.5');
  });
});

describe('the socket', () => {
  it('asks to cancel what is open when it is lost', () => {
    expect(JSON.parse(socket.login(context, '')[0]!)).toMatchObject({
      event: 'auth',
      dms: 4,
      authNonce: context.nonce,
    });
  });

  it('answers by our number; a failed cancel without it is an error', () => {
    const notice = (type: string, about: unknown, status: string) => [
      0,
      'n',
      [1, type, null, null, about, null, status, 'Order not found.'],
    ];
    const cid = String(clientNumber(ID));
    expect(decode(notice('on-req', row(7), 'SUCCESS'))).toMatchObject([
      { kind: 'answer', to: 'place', clientOrderId: cid, answer: { value: { venueOrderId: '7' } } },
    ]);
    expect(decode(notice('oc-req', row(7), 'ERROR'))).toMatchObject([
      { kind: 'answer', to: 'cancel', answer: { meaning: 'not-open' } },
    ]);
    const nobody = [7, null, null, null];
    expect(decode(notice('oc-req', nobody, 'ERROR'))).toMatchObject([
      { kind: 'error', refusal: { meaning: 'not-open' } },
    ]);
    expect(decode(notice('uca', null, 'SUCCESS'))).toEqual([]);
  });

  it('refuses what is malformed and passes over what it does not know', () => {
    expect(() => decode([0, 'ou', [1, 2]])).toThrow(BadInput);
    expect(() => decode([0, 'ou', row(7, { status: 'DREAMING' })])).toThrow(BadInput);
    expect(() => socket.decode(Buffer.from('{'))).toThrow(BadInput);
    expect(decode([0, 'te', [1, 'tBTCUSD']])).toEqual([]);
    expect(decode([0, 'fcs', []])).toEqual([]);
    expect(decode([17, 'hb'])).toEqual([]);
  });
});
