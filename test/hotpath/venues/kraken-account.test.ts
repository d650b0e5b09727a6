import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kraken } from '#hotpath/venues/kraken.ts';
import type { AccountContext, Answer, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { numbersAsText } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { refusalOf } from '#test/support/venue-fixture.ts';

const account = kraken.accounts![0]!;
const { rest } = account;
const socket = account.sockets[0]!;
const context = (nonce = 1_795_219_200_000_000): AccountContext => ({
  credentials: { apiKey: 'key', secret: 'c2VjcmV0' },
  nowMs: 1_795_219_200_000,
  nonce,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
});
const btc = instrumentOf('kraken', 'spot', 'BTC/USD');
const doge = instrumentOf('kraken', 'spot', 'DOGE/BTC');
const sol = instrumentOf('kraken', 'spot', 'SOL/USDT');
const clientOrderId = 'a000200003140' as ClientOrderId;
const ticket = (changes: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId,
  instrument: btc,
  side: 'buy',
  type: 'limit',
  price: '62000.1',
  qty: '0.01',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...changes,
});
const ref = (venueOrderId?: string): OrderRef => ({
  clientOrderId,
  instrument: btc,
  side: 'buy',
  venueOrderId,
  sentMs: 1_795_219_100_000,
});
const answered = <T>(call: Call<T>, result: unknown): Answer<T> =>
  call.read({ status: 200, headers: {}, text: JSON.stringify({ error: [], result }) });
const formOf = (call: Call<unknown>): Record<string, string> => Object.fromEntries(new URLSearchParams(call.body));
const order = (pair: string, changes: object = {}) => ({
  status: 'open',
  opentm: 1_795_219_100.5,
  descr: { pair, type: 'sell', ordertype: 'limit', price: '62000.1' },
  vol: '1.25000000',
  vol_exec: '0.25000000',
  ...changes,
});

describe('kraken orders', () => {
  it.each<[string, Partial<OrderTicket>, Record<string, string>]>([
    ['rest', {}, { ordertype: 'limit', price: '62000.1', oflags: 'fciq' }],
    ['take or go', { timeInForce: 'IOC' }, { ordertype: 'limit', timeinforce: 'IOC', oflags: 'fciq' }],
    ['never take', { postOnly: true }, { ordertype: 'limit', oflags: 'post,fciq' }],
    ['take at any price', { type: 'market', timeInForce: 'IOC' }, { ordertype: 'market', oflags: 'fciq' }],
  ])('that %s', (_name, changes, fields) => {
    const form = formOf(rest.place(ticket(changes), context()));
    expect(form).toMatchObject({ pair: 'XBTUSD', volume: '0.01', cl_ord_id: clientOrderId, ...fields });
    expect(Object.hasOwn(form, 'timeinforce')).toBe(Object.hasOwn(fields, 'timeinforce'));
    expect(Object.hasOwn(form, 'price')).toBe(fields['ordertype'] === 'limit');
    expect(account.refuses(ticket(changes))).toBeUndefined();
  });

  it.each<Partial<OrderTicket>>([
    { timeInForce: 'FOK' },
    { type: 'market', timeInForce: 'FOK' },
    { reduceOnly: true },
    { postOnly: true, timeInForce: 'IOC' },
    { postOnly: true, type: 'market' },
  ])('are refused with %j, and never sent as something else', (changes) => {
    expect(account.refuses(ticket(changes))).toMatch(/\w+ \w+/);
    if (changes.timeInForce === 'FOK') {
      expect(() => rest.place(ticket(changes), context())).toThrow();
      expect(() => socket.orders!.place(ticket(changes), context(), '1', 'token')).toThrow();
    }
  });

  it('go over the socket with the digits of their text', () => {
    const decimals = fc
      .tuple(fc.bigInt({ min: 1n, max: 10n ** 20n }), fc.integer({ min: 1, max: 10 }))
      .map(([units, places]) => {
        const digits = String(units).padStart(places + 1, '0');
        return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
      });
    fc.assert(
      fc.property(decimals, decimals, (price, qty) => {
        const frame = socket.orders!.place(ticket({ price, qty, timeInForce: 'IOC' }), context(), '17', 'pass');
        expect(numbersAsText(frame)).toEqual({
          method: 'add_order',
          params: {
            order_type: 'limit',
            side: 'buy',
            symbol: 'BTC/USD',
            cl_ord_id: clientOrderId,
            time_in_force: 'ioc',
            fee_preference: 'quote',
            token: 'pass',
            order_qty: qty,
            limit_price: price,
          },
          req_id: '17',
        });
      }),
    );
  });

  it('are cancelled by the id that is known', () => {
    expect(formOf(rest.cancel(ref(), context()))).toMatchObject({ cl_ord_id: clientOrderId });
    expect(formOf(rest.cancel(ref('OABC'), context()))).toMatchObject({ txid: 'OABC' });
    const frame = socket.orders!.cancel(ref('OABC'), context(), '3', 'pass');
    expect(JSON.parse(frame)).toEqual({
      method: 'cancel_order',
      params: { order_id: ['OABC'], token: 'pass' },
      req_id: 3,
    });
    expect(answered(rest.cancel(ref(), context()), { count: 0 })).toMatchObject({ meaning: 'not-open' });
  });

  it.each([
    [0, 8],
    [4_999, 8],
    [5_000, 6],
    [89_999, 2],
    [300_000, 0],
  ])('cost to cancel at the age of %d ms: %d', (ageMs, units) => {
    const sentMs = context().nowMs - ageMs;
    expect(rest.cancel({ ...ref('OABC'), sentMs }, context()).weight).toEqual({ trading: units });
  });

  it('carry the nonce first, and sign it', () => {
    const [one, two] = [rest.place(ticket(), context(1)), rest.place(ticket(), context(2))];
    expect([one.body, two.body]).toEqual([
      expect.stringMatching(/^nonce=1&pair=/),
      expect.stringMatching(/^nonce=2&pair=/),
    ]);
    expect(one.headers['API-Sign']).not.toBe(two.headers['API-Sign']);
  });
});

describe('kraken questions', () => {
  it('asks for an order by its id, or by ours among the open and then the ended', () => {
    expect(rest.query(ref('OABC'), context()).path).toBe('/0/private/QueryOrders');
    const open = rest.query(ref(), context());
    const nothing = answered(open, { open: { OOTHER: order('XBTUSD', { cl_ord_id: 'other' }) } });
    expect(nothing).toMatchObject({ kind: 'refused', meaning: 'not-found' });
    if (nothing.kind !== 'refused') return;
    const closed = nothing.elsewhere!(context());
    expect([closed.path, formOf(closed)['cl_ord_id']]).toEqual(['/0/private/ClosedOrders', clientOrderId]);
    const ended = { status: 'canceled', closetm: 1_795_219_101.25, cl_ord_id: clientOrderId };
    const asked = answered(closed, { closed: { OABC: order('XBTUSD', { ...ended, reason: 'User requested' }) } });
    expect(asked).toMatchObject({ value: { venueOrderId: 'OABC', status: 'canceled', timeMs: 1_795_219_101_250 } });
    const last = answered(closed, { closed: {} });
    expect(last).toMatchObject({ meaning: 'not-found' });
    expect(Object.hasOwn(last, 'elsewhere')).toBe(false);
  });

  it.each([
    ['canceled', 'User requested', { status: 'canceled' }],
    ['canceled', null, { status: 'canceled' }],
    ['canceled', 'Post only order', { status: 'expired', reason: 'would-take' }],
    ['canceled', 'Immediate order could not fill', { status: 'expired' }],
    ['expired', null, { status: 'expired' }],
    ['closed', null, { status: 'filled' }],
    ['pending', null, { status: 'open' }],
  ])('takes %s for the reason %j as %j', (status, reason, expected) => {
    const answer = answered(rest.query(ref('OABC'), context()), { OABC: order('XBTUSD', { status, reason }) });
    expect(answer).toMatchObject({ kind: 'ok', value: { ...expected, side: 'sell', venueSymbol: 'BTC/USD' } });
  });

  it('keeps to the pairs that it was asked for, however REST spells them', () => {
    const open = {
      A: order('XBTUSD'),
      B: order('XXBTZUSD'),
      C: order('XXDGXXBT'),
      D: order('SOLUSDT'),
      E: order('ETHUSD'),
    };
    const answer = answered(rest.openOrders([btc, doge, sol], context())[0]!, { open });
    expect(answer.kind === 'ok' ? answer.value.map(({ venueSymbol }) => venueSymbol) : answer).toEqual([
      'BTC/USD',
      'BTC/USD',
      'DOGE/BTC',
      'SOL/USDT',
    ]);
  });

  it('cancels all of these pairs and nothing else, fifty at a time', () => {
    const mine = Array.from({ length: 70 }, (_, at) => [`OMINE${at}`, order('XBTUSD')] as const);
    const open = Object.fromEntries([...mine, ['OTHER', order('ETHUSD')]]);
    const cancelled: string[] = [];
    let answer = answered(rest.cancelAll([btc], context())[0]!, { open });
    let requests = 0;
    while (answer.kind === 'ok' && answer.more !== undefined && requests < 10) {
      requests += 1;
      const call = answer.more(context(requests));
      const { orders, nonce } = JSON.parse(call.body!) as { orders: string[]; nonce: number };
      expect([call.path, nonce]).toEqual(['/0/private/CancelOrderBatch', requests]);
      cancelled.push(...orders);
      answer = answered(call, { count: orders.length });
    }
    expect([requests, cancelled]).toEqual([2, mine.map(([id]) => id)]);
    expect(answered(rest.cancelAll([btc], context())[0]!, { open: {} })).toEqual({ kind: 'ok', value: 0 });
  });

  it('follows the pages of fills until there are no more, and leaves out older ones', () => {
    const sinceMs = 1_795_219_100_500;
    const all = Array.from({ length: 120 }, (_, at) => ({ id: `T${at}`, time: 1_795_219_200 - at }));
    const found: string[] = [];
    let call: Call<readonly { readonly tradeId: string }[]> | undefined = rest.fillsSince([btc], sinceMs, context())[0];
    for (let pages = 0; call !== undefined && pages < 10; pages += 1) {
      const form = formOf(call);
      expect(Number(form['start'])).toBeLessThan(sinceMs / 1_000);
      const page = all.slice(Number(form['ofs'] ?? 0), Number(form['ofs'] ?? 0) + 50);
      const trade = {
        ordertxid: 'O1',
        pair: 'XXBTZUSD',
        type: 'buy',
        price: '62000.1',
        cost: '1',
        fee: '0.1',
        vol: '0.01',
      };
      const trades = Object.fromEntries(page.map(({ id, time }) => [id, { ...trade, time, maker: true }]));
      const answer: Answer<readonly { readonly tradeId: string }[]> = answered(call, { trades, count: all.length });
      if (answer.kind === 'refused') throw new Error(answer.text);
      found.push(...answer.value.map(({ tradeId }) => tradeId));
      call = answer.more?.(context());
    }
    expect(found).toEqual(all.filter(({ time }) => time * 1_000 >= sinceMs).map(({ id }) => id));
  });

  it('tells assets in their common spelling, and what is lent out apart', () => {
    const row = { balance: '2', hold_trade: '0.5' };
    const codes = ['XXBT', 'ZUSD', 'XXDG', 'XETH', 'USDT', 'XTZ', 'ZRX', 'XBT.F', 'USD.M'];
    const answer = answered(rest.balances(context()), Object.fromEntries(codes.map((code) => [code, row])));
    const assets = ['BTC', 'USD', 'DOGE', 'ETH', 'USDT', 'XTZ', 'ZRX', 'BTC.F', 'USD.M'];
    expect(answer.kind === 'ok' ? answer.value.map(({ asset }) => asset) : answer).toEqual(assets);
    const credit = { ...row, credit: '1', credit_used: '0.25' };
    const owed = answered(rest.balances(context()), { ZUSD: credit });
    expect(owed.kind === 'ok' && owed.value[0]!.available.toFixed()).toBe('2.25');
  });

  it('divides percents, and takes one fee for both where there is but one', () => {
    const [call] = rest.fees([btc, sol], context());
    expect(formOf(call!)['pair']).toBe('XBTUSD,SOLUSDT');
    const fees = { XXBTZUSD: { fee: '0.4000' }, SOLUSDT: { fee: '0.2000' } };
    const answer = answered(call!, { fees, fees_maker: { XXBTZUSD: { fee: '0.2500' } } });
    expect(
      answer.kind === 'ok' ? answer.value.map(({ maker, taker }) => [maker.toFixed(), taker.toFixed()]) : answer,
    ).toEqual([
      ['0.0025', '0.004'],
      ['0.002', '0.002'],
    ]);
  });

  it('knows a key that may withdraw', () => {
    const may = (permissions: readonly string[]) => answered(rest.permissions!(context()), { permissions });
    expect(may(['modify-trades', 'query-funds'])).toEqual({ kind: 'ok', value: { trade: true, withdraw: false } });
    expect(may(['withdraw-funds'])).toEqual({ kind: 'ok', value: { trade: false, withdraw: true } });
  });

  it('arms the countdown in whole seconds, and disarms it with none', () => {
    const { deadMan } = account;
    if (deadMan.kind !== 'timer') throw new Error('the venue has a timer');
    const timeouts = [60_000, 1_500, 0].map((ms) => formOf(deadMan.arm(ms, [], context())[0]!)['timeout']);
    expect(timeouts).toEqual(['60', '2', '0']);
  });

  it('never throws, whatever is answered', () => {
    const calls: readonly Call<unknown>[] = [
      rest.place(ticket(), context()),
      rest.query(ref(), context()),
      rest.balances(context()),
      ...rest.fillsSince([btc], 0, context()),
      ...rest.fees([btc], context()),
    ];
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.constantFrom(200, 429, 500), (text, status) => {
        for (const call of calls) expect(['ok', 'refused']).toContain(call.read({ status, headers: {}, text }).kind);
      }),
    );
  });
});

describe('kraken events', () => {
  const read = (message: unknown) => socket.decode(Buffer.from(JSON.stringify(message)));
  const execution = (row: object) => read({ channel: 'executions', type: 'update', data: [row], sequence: 1 });
  const trade = { order_id: 'O1', exec_id: 'T1', exec_type: 'trade', symbol: 'BTC/USD', side: 'buy' };

  it('tell the fill of a trade, with its fee', () => {
    const events = execution({
      ...trade,
      order_status: 'filled',
      last_qty: 0.1,
      last_price: 62000.1,
      liquidity_ind: 'm',
      fees: [{ asset: 'USD', qty: 1.5 }],
      timestamp: '2026-11-20T10:00:06.710123Z',
    });
    expect(events.map(({ kind }) => kind)).toEqual(['fill', 'ended']);
    expect(events).toMatchObject([
      { fill: { tradeId: 'T1', feeAsset: 'USD', liquidity: 'maker', venueSymbol: 'BTC/USD', clientOrderId: '' } },
      { status: 'filled', venueOrderId: 'O1' },
    ]);
  });

  it('take a full order for full, said or not how much', () => {
    const [, told] = execution({ ...trade, order_status: 'filled', order_qty: 0.1, last_qty: 0.1, last_price: 5 });
    if (told?.kind !== 'order') throw new Error('no order');
    expect(told.order.filled.toFixed()).toBe('0.1');
  });

  it('end an order of which no more is said than which it was', () => {
    const ended = { order_id: 'O1', exec_type: 'canceled', order_status: 'canceled', cum_qty: 0.25, symbol: 'BTC/USD' };
    expect(execution({ ...ended, reason: 'User requested' })).toMatchObject([
      { kind: 'ended', venueOrderId: 'O1', clientOrderId: '', status: 'canceled' },
    ]);
    expect(execution({ ...ended, reason: 'Post only order' })).toMatchObject([
      { kind: 'ended', status: 'expired', reason: 'would-take' },
    ]);
  });

  it('refuse a trade without its terms, and what is no message', () => {
    expect(refusalOf(() => execution({ ...trade, last_qty: 1 }))).toMatch(/trade/);
    expect(refusalOf(() => execution({ exec_type: 'new' }))).toMatch(/execution/);
    expect(refusalOf(() => socket.decode(Buffer.from('not json')))).toMatch(/not a message/);
  });

  it('answer by the number of the request, and tell other refusals as errors', () => {
    const refusal = { success: false, error: 'EOrder:Insufficient funds' };
    expect(read({ method: 'add_order', req_id: 12, ...refusal })).toMatchObject([
      { kind: 'answer', request: '12', to: 'place', answer: { meaning: 'insufficient-funds' } },
    ]);
    expect(read({ method: 'add_order', req_id: 13, success: false })).toMatchObject([
      { kind: 'answer', request: '13', to: 'place', answer: { meaning: 'in-doubt' } },
    ]);
    expect(read({ method: 'subscribe', success: false, error: 'ESession:Invalid session' })).toMatchObject([
      { kind: 'error', refusal: { meaning: 'unauthorised' } },
    ]);
  });

  it('tell balances of the spot wallet only', () => {
    const data = [
      {
        asset: 'BTC',
        balance: 3,
        wallets: [
          { type: 'earn', id: 'flex', balance: 1 },
          { type: 'spot', id: 'main', balance: 2 },
        ],
      },
      { asset: 'USD', balance: 5, wallet_type: 'earn', wallet_id: 'flex' },
    ];
    const events = read({ channel: 'balances', type: 'snapshot', data });
    expect(events).toHaveLength(1);
    expect(events[0]?.kind === 'balance' && events[0].balance.total.toFixed()).toBe('2');
  });
});
