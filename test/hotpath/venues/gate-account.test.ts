import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientOrderIdFrom } from '#hotpath/execute/client-order-id.ts';
import { gate } from '#hotpath/venues/gate.ts';
import type { AccountContext, OrderRef, OrderTicket, Reply } from '#hotpath/venues/venue-account.ts';
import { BadInput } from '#shared/assert.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';

const [spotAccount, usdtAccount] = gate.accounts!;
const { rest } = spotAccount!;
const { rest: contracts } = usdtAccount!;
const [spotSocket] = spotAccount!.sockets;
const [usdtSocket] = usdtAccount!.sockets;

const spot = instrumentOf('gate', 'spot', 'BTC_USDT');
const ether = instrumentOf('gate', 'spot', 'ETH_USDT');
const swap: Instrument = { ...instrumentOf('gate', 'usdt', 'BTC_USDT'), kind: 'perpetual' };
const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_790_000_000_999,
  nonce: 1,
  facts: { user: '110284739', mode: '1' },
  marginMode: 'cross',
  leverage: 1,
};
const ID = 'a0001000001000' as ClientOrderId;
const ticketOf = (more: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: ID,
  instrument: spot,
  side: 'buy',
  type: 'limit',
  price: '50000.1',
  qty: '7',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...more,
});
const onUsdt = (more: Partial<OrderTicket> = {}): OrderTicket => ticketOf({ instrument: swap, ...more });
const refOf = (more: Partial<OrderRef> = {}): OrderRef => ({
  clientOrderId: ID,
  instrument: spot,
  side: 'buy',
  venueOrderId: undefined,
  sentMs: 1_790_000_000_000,
  ...more,
});
const replyOf = (body: unknown, status = 200): Reply => ({
  status,
  headers: {},
  text: typeof body === 'string' ? body : JSON.stringify(body),
});
const spotBody = (order: OrderTicket): unknown => JSON.parse(rest.place(order, context).body!);
const usdtBody = (order: OrderTicket): unknown => JSON.parse(contracts.place(order, context).body!);

describe('orders', () => {
  it('of spot name their time in force, and their account', () => {
    expect(spotBody(ticketOf({ postOnly: true }))).toEqual({
      currency_pair: 'BTC_USDT',
      type: 'limit',
      account: 'spot',
      side: 'buy',
      amount: '7',
      price: '50000.1',
      time_in_force: 'poc',
      text: 't-a0001000001000',
    });
    expect(spotBody(ticketOf({ type: 'market', side: 'sell', timeInForce: 'IOC' }))).not.toHaveProperty('price');
    const unified = { ...context, facts: { ...context.facts, mode: '2' } };
    expect(JSON.parse(rest.place(ticketOf(), unified).body!)).toMatchObject({ account: 'unified' });
    expect(rest.cancel(refOf(), unified).path).toContain('account=unified');
  });

  it('of contracts carry their side as a sign', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e15 - 1 }), fc.boolean(), (size, isSale) => {
        const order = onUsdt({ qty: String(size), side: isSale ? 'sell' : 'buy' });
        expect(usdtBody(order)).toMatchObject({ size: isSale ? -size : size, price: '50000.1', tif: 'gtc' });
        expect(usdtAccount!.refuses(order)).toBeUndefined();
      }),
    );
    expect(usdtBody(onUsdt({ type: 'market', timeInForce: 'IOC', reduceOnly: true }))).toMatchObject({
      price: '0',
      tif: 'ioc',
      reduce_only: true,
    });
  });

  it('are sent over the socket as by REST, signed', () => {
    const frame = JSON.parse(usdtSocket!.orders!.place(onUsdt(), context, '12', '')) as object;
    expect(frame).toMatchObject({
      channel: 'futures.order_place',
      event: 'api',
      time: 1_790_000_000,
      payload: { req_id: '12', req_param: usdtBody(onUsdt()) },
    });
    expect(spotSocket!.orders!.cancel(refOf(), context, '13', '')).toContain('"order_id":"t-a0001000001000"');
  });

  it('are refused where the venue cannot say them', () => {
    const refused = (account: typeof spotAccount, order: OrderTicket): boolean => account!.refuses(order) !== undefined;
    expect(refused(spotAccount, ticketOf({ type: 'market', side: 'buy', timeInForce: 'IOC' }))).toBe(true);
    expect(refused(spotAccount, ticketOf({ type: 'market', side: 'sell', timeInForce: 'IOC' }))).toBe(false);
    expect(refused(spotAccount, ticketOf({ type: 'market', side: 'sell', timeInForce: 'GTC' }))).toBe(true);
    expect(refused(spotAccount, ticketOf({ reduceOnly: true }))).toBe(true);
    expect(refused(usdtAccount, onUsdt({ qty: '0.5' }))).toBe(true);
    expect(refused(usdtAccount, onUsdt({ type: 'market', timeInForce: 'FOK' }))).toBe(true);
    for (const account of [spotAccount, usdtAccount]) {
      expect(refused(account, ticketOf({ timeInForce: 'FOK' }))).toBe(false);
      expect(refused(account, ticketOf({ postOnly: true, timeInForce: 'IOC' }))).toBe(true);
    }
  });

  it('have names that the venue takes', () => {
    fc.assert(
      fc.property(fc.nat(9_999), fc.nat(999_999), fc.nat(9), fc.nat(9), (epoch, ordinal, leg, attempt) => {
        const id = spotAccount!.clientOrderId(clientOrderIdFrom({ epoch, ordinal, leg, attempt }));
        expect(id).toMatch(/^t-[\w.-]{1,28}$/);
      }),
    );
  });
});

describe('what became of an order', () => {
  const order = {
    id: '1852454420',
    text: 't-a0001000001000',
    currency_pair: 'BTC_USDT',
    side: 'buy',
    type: 'limit',
    amount: '10',
    left: '4',
    price: '50000',
    time_in_force: 'gtc',
    update_time_ms: 1710488334074,
  };
  const spotStatus = (more: object): unknown => {
    const answer = rest.query(refOf({ venueOrderId: '1852454420' }), context).read(replyOf({ ...order, ...more }));
    return answer.kind === 'ok' ? answer.value.status : answer.meaning;
  };

  it.each([
    [{ status: 'open', finish_as: 'open' }, 'open'],
    [{ status: 'closed', left: '0', finish_as: 'filled' }, 'filled'],
    [{ status: 'closed', left: '0' }, 'filled'],
    [{ status: 'cancelled', finish_as: 'cancelled' }, 'canceled'],
    [{ status: 'cancelled', finish_as: 'ioc', time_in_force: 'ioc' }, 'expired'],
    [{ status: 'cancelled', finish_as: 'cancelled', time_in_force: 'fok' }, 'expired'],
    [{ status: 'cancelled', finish_as: 'poc', time_in_force: 'poc' }, 'expired'],
    [{ status: 'cancelled', finish_as: 'stp' }, 'expired'],
    [{ status: 'cancelled', finish_as: 'liquidate_cancelled' }, 'canceled'],
  ])('on spot: %j is %s', (more, status) => {
    expect(spotStatus(more)).toBe(status);
  });

  it('keeps numbers of contracts’ orders that no double holds', () => {
    const text =
      '{"id":93251654367282713,"text":"t-a","contract":"BTC_USDT","size":-10,"left":-4,"price":"62000.4","tif":"gtc",' +
      '"status":"finished","finish_as":"cancelled","finish_time":1514764900.123,"create_time":1514764800}';
    const answer = contracts.query(refOf({ instrument: swap, venueOrderId: '1' }), context).read(replyOf(text));
    if (answer.kind !== 'ok') throw new Error(answer.text);
    const { qty, filled, ...state } = answer.value;
    expect(state).toMatchObject({
      venueOrderId: '93251654367282713',
      side: 'sell',
      status: 'canceled',
      timeMs: 1_514_764_900_123,
    });
    expect([qty.toFixed(), filled.toFixed()]).toEqual(['10', '6']);
  });

  it('is looked for among the ended ones when its name is not known any more', () => {
    const unknown = replyOf({ label: 'ORDER_NOT_FOUND', message: 'Order not found' }, 404);
    const answer = rest.query(refOf(), context).read(unknown);
    if (answer.kind !== 'refused') throw new Error('known');
    expect(answer.meaning).toBe('not-found');
    const elsewhere = answer.elsewhere!(context);
    expect(elsewhere.path).toBe(
      '/api/v4/spot/orders?account=spot&currency_pair=BTC_USDT&status=finished&from=1789999940&limit=100',
    );
    const ended = { ...order, status: 'closed', left: '0', finish_as: 'filled' };
    const others = [
      { ...ended, text: 'apiv4' },
      { ...ended, text: 't-other' },
    ];
    expect(elsewhere.read(replyOf([...others, ended]))).toMatchObject({ kind: 'ok', value: { status: 'filled' } });
    expect(elsewhere.read(replyOf(others))).toMatchObject({ kind: 'refused', meaning: 'not-found' });
    expect(elsewhere.read(replyOf('', 502))).toMatchObject({ kind: 'refused', meaning: 'in-doubt' });
    const byNumber = rest.query(refOf({ venueOrderId: '9' }), context).read(unknown);
    expect(byNumber).not.toHaveProperty('elsewhere');
    const contract = contracts.query(refOf({ instrument: swap }), context).read(unknown);
    if (contract.kind !== 'refused') throw new Error('known');
    const past = contract.elsewhere!(context);
    expect(past.path).toContain('/futures/usdt/orders_timerange?contract=BTC_USDT&from=');
    const other = { id: '1', contract: 'BTC_USDT', size: 1, left: 0, price: '1', tif: 'ioc', status: 'finished' };
    const [full, last] = [100, 99].map((length) => past.read(replyOf(Array.from({ length }, () => other))));
    if (full?.kind !== 'refused') throw new Error('found');
    expect(full.elsewhere!(context).path).toContain('&offset=100');
    expect(last).toEqual({ kind: 'refused', meaning: 'not-found', code: 'ORDER_NOT_FOUND', text: expect.any(String) });
  });

  it('is definite only by label, never of a server that fails', () => {
    const { read } = rest.place(ticketOf(), context);
    const said = (label: string, status = 400, message = ''): unknown => {
      const answer = read(replyOf({ label, message }, status));
      return answer.kind === 'refused' ? answer.meaning : 'ok';
    };
    expect(said('BALANCE_NOT_ENOUGH')).toBe('insufficient-funds');
    expect(said('BALANCE_NOT_ENOUGH', 503)).toBe('in-doubt');
    expect(said('INVALID_PARAM_VALUE')).toBe('invalid-order');
    expect(said('INVALID_PARAM_VALUE', 400, 'Your order size 0.003 USDT is too small.')).toBe('below-minimum');
    expect(said('toString')).toBe('unlisted');
    expect(read(replyOf('<html>', 504))).toMatchObject({ meaning: 'in-doubt' });
  });

  it('never throws, whatever is said', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.integer({ min: 200, max: 599 }), (text, status) => {
        const calls = [
          rest.place(ticketOf(), context),
          rest.openOrders([spot], context)[0]!,
          contracts.fees([swap], context)[0]!,
        ];
        for (const call of calls) expect(['ok', 'refused']).toContain(call.read(replyOf(text, status)).kind);
      }),
    );
  });
});

describe('lists', () => {
  it('of open orders come for all pairs, and go on while any pair has more', () => {
    const [call] = rest.openOrders([spot, ether], context);
    expect(call!.path).toBe('/api/v4/spot/open_orders?page=1&limit=100');
    const one = { id: '1', side: 'buy', type: 'limit', amount: '1', left: '1', time_in_force: 'gtc', status: 'open' };
    const groups = ['BTC_USDT', 'XRP_USDT'].map((currency_pair) => ({
      currency_pair,
      total: currency_pair === 'XRP_USDT' ? 101 : 1,
      orders: [{ ...one, currency_pair }],
    }));
    const answer = call!.read(replyOf(groups));
    if (answer.kind !== 'ok') throw new Error(answer.text);
    expect(answer.value.map(({ venueSymbol }) => venueSymbol)).toEqual(['BTC_USDT']);
    const next = answer.more!(context);
    expect(next.path).toContain('page=2');
    expect(next.read(replyOf(groups))).not.toHaveProperty('more');
  });

  it('of fills go on while they come full, and say in what the fee was paid', () => {
    const fill = {
      id: '1',
      order_id: '2',
      side: 'sell',
      role: 'maker',
      amount: '1',
      price: '2',
      create_time_ms: '1548000000123.456',
    };
    const [call] = rest.fillsSince([spot], 1_548_000_000_000, context);
    expect(call!.path).toBe('/api/v4/spot/my_trades?currency_pair=BTC_USDT&from=1548000000&limit=100');
    const read = (count: number, more: object) => {
      const answer = call!.read(replyOf(Array.from({ length: count }, () => ({ ...fill, ...more }))));
      if (answer.kind !== 'ok') throw new Error(answer.text);
      return answer;
    };
    const paid = (more: object): unknown => {
      const [first] = read(1, more).value;
      return [first!.fee.toFixed(), first!.feeAsset, first!.venueSymbol, first!.timeMs];
    };
    expect(paid({ fee: '0.1', fee_currency: 'USDT' })).toEqual(['0.1', 'USDT', 'BTC_USDT', 1_548_000_000_123]);
    expect(paid({ fee: '0', gt_fee: '0.2' })).toEqual(['0.2', 'GT', 'BTC_USDT', 1_548_000_000_123]);
    expect(paid({ fee: '0', point_fee: '0.3' })).toEqual(['0.3', 'POINT', 'BTC_USDT', 1_548_000_000_123]);
    expect(read(100, {}).more!(context).path).toContain('page=2');
    expect(read(99, {}).more).toBeUndefined();
    const [contract] = contracts.fillsSince([swap], 0, context);
    const row = {
      id: 1,
      contract: 'BTC_USDT',
      order_id: '3',
      size: -2,
      price: '1',
      role: 'taker',
      fee: '-0.5',
      create_time: 1.5,
    };
    const answer = contract!.read(replyOf(Array.from({ length: 100 }, () => row)));
    if (answer.kind !== 'ok') throw new Error(answer.text);
    expect(answer.value[0]).toMatchObject({ side: 'sell', liquidity: 'taker', feeAsset: 'USDT', timeMs: 1_500 });
    expect(answer.more!(context).path).toContain('offset=100');
  });

  it('of keys tell what ours may do, and nothing of a key that is not there', () => {
    const perms = (names: readonly string[], read_only = false) => names.map((name) => ({ name, read_only }));
    const may = (list: unknown): unknown => {
      const answer = rest.permissions!(context).read(replyOf(list));
      return answer.kind === 'ok' ? answer.value : answer.meaning;
    };
    const others = { key: 'other', perms: perms(['withdrawal']) };
    expect(may([others, { key: 'key', perms: perms(['spot', 'account']) }])).toEqual({ trade: true, withdraw: false });
    expect(may([{ key: 'key', perms: perms(['spot', 'withdrawal']) }])).toEqual({ trade: true, withdraw: true });
    expect(may([{ key: 'key', perms: perms(['spot', 'withdrawal'], true) }])).toEqual({
      trade: false,
      withdraw: false,
    });
    expect(may([others])).toEqual({ trade: true, withdraw: undefined });
  });

  it('of fills take either name of a trade', () => {
    const fill = { contract: 'BTC_USDT', order_id: '9', size: '-2', price: '5', role: 'taker', create_time: '1' };
    const read = (more: object): unknown =>
      contracts.fillsSince([swap], 0, context)[0]!.read(replyOf([{ ...fill, ...more }]));
    for (const name of ['id', 'trade_id']) {
      expect(read({ [name]: '7' })).toMatchObject({ kind: 'ok', value: [{ tradeId: '7', side: 'sell' }] });
    }
    expect(read({})).toMatchObject({ kind: 'refused', meaning: 'in-doubt' });
  });

  it('of the countdown name each contract, however many', () => {
    const { deadMan } = usdtAccount!;
    if (deadMan.kind !== 'timer') throw new Error('no timer');
    const bodies = (instruments: readonly Instrument[], ms: number): unknown[] =>
      deadMan.arm(ms, instruments, context).map(({ body }) => JSON.parse(body!) as unknown);
    expect(bodies([swap], 5_001)).toEqual([{ timeout: 6, contract: 'BTC_USDT' }]);
    expect(bodies([swap], 0)).toEqual([{ timeout: 0, contract: 'BTC_USDT' }]);
    const many = Array.from({ length: 11 }, () => swap);
    expect(bodies(many, 30_000)).toEqual(many.map(() => ({ timeout: 30, contract: 'BTC_USDT' })));
  });
});

describe('private frames', () => {
  const read = (frame: unknown, socket = spotSocket) =>
    socket!.decode(Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame)));
  const header = { response_time: '1', status: '200', channel: 'spot.order_place', event: 'api' };

  it('that only say that an order was received say nothing', () => {
    const received = { request_id: '7', ack: true, header, data: { result: { req_id: '7', req_param: {} } } };
    expect(read(received)).toEqual([]);
    expect(read({ ...received, ack: false })).toMatchObject([
      { kind: 'answer', request: '7', to: 'place', answer: { kind: 'refused', meaning: 'in-doubt' } },
    ]);
  });

  it('that refuse are answers, whatever they acknowledge', () => {
    const data = { errs: { label: 'BALANCE_NOT_ENOUGH', message: 'Not enough balance' } };
    for (const ack of [true, false, undefined])
      expect(read({ request_id: '7', ack, header: { ...header, status: '400' }, data })).toMatchObject([
        { request: '7', to: 'place', answer: { kind: 'refused', meaning: 'insufficient-funds' } },
      ]);
    expect(read({ request_id: '7', header: { ...header, status: '500' }, data })).toMatchObject([
      { answer: { meaning: 'in-doubt' } },
    ]);
  });

  it('of a login let in or keep out', () => {
    const login = { ...header, channel: 'spot.login' };
    expect(read({ request_id: 'login', header: login, data: { result: { api_key: 'key', uid: '1' } } })).toEqual([
      { kind: 'ready' },
    ]);
    const errs = { label: 'INVALID_SIGNATURE', message: '' };
    expect(read({ request_id: 'login', header: { ...login, status: '401' }, data: { errs } })).toMatchObject([
      { kind: 'error', refusal: { meaning: 'unauthorised' } },
    ]);
  });

  it('that refuse a subscription say why', () => {
    const message = '{"label":"INVALID_KEY","message":"Invalid key provided"}\n';
    const frame = { time: 1, channel: 'spot.orders', event: 'subscribe', error: { code: 4, message }, result: null };
    expect(read(frame)).toMatchObject([{ kind: 'error', refusal: { meaning: 'unauthorised', code: 'INVALID_KEY' } }]);
    const other = { ...frame, error: { code: 2, message: 'unknown currency pair' } };
    expect(read(other)).toMatchObject([{ kind: 'error', refusal: { meaning: 'invalid-order', code: '2' } }]);
  });

  it('name the user where contracts want it', () => {
    const payloads = (socket: typeof spotSocket): unknown[] =>
      socket!.subscribe([], context, '').map((text) => (JSON.parse(text) as { payload?: unknown }).payload);
    expect(payloads(usdtSocket)).toEqual(Array.from({ length: 3 }, () => ['110284739', '!all']));
    expect(payloads(spotSocket)).toEqual([['!all'], ['!all'], undefined]);
  });

  it('that are malformed are refused, and unknown ones are nothing', () => {
    for (const frame of ['', '7', '{"channel":"spot.orders","event":"update","result":{}}', '{"channel":[]}'])
      expect(() => read(frame), frame).toThrow(BadInput);
    expect(read({ channel: 'futures.orders', event: 'update', result: [] })).toEqual([]);
    expect(read({ channel: 'spot.cross_balances', event: 'update', result: 7 })).toEqual([]);
    expect(read({ channel: 'spot.orders', event: 'subscribe', result: { status: 'success' } })).toEqual([]);
    expect(read({ time: 1, channel: 'spot.pong', event: '', result: null })).toEqual([{ kind: 'pong' }]);
  });
});
