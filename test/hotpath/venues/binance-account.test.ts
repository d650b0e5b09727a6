import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binance } from '#hotpath/venues/binance.ts';
import type { Account, AccountContext, AccountEvent, Call, OrderTicket, Reply } from '#hotpath/venues/venue-account.ts';
import { BadInput } from '#shared/assert.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { OrderType, TimeInForce } from '#shared/domain/order.ts';
import { instrumentOf } from '#test/support/instruments.ts';

const accountOf = (id: string): Account => binance.accounts!.find((account) => account.id === id)!;
const instrument = (id: string) => instrumentOf('binance', id, id === 'coinm' ? 'BTCUSD_PERP' : 'BTCUSDT');
const NOW_MS = 1_795_219_200_123.75;
const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: NOW_MS,
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const ticket = (id: string, more: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: instrument(id),
  side: 'buy',
  type: 'limit',
  price: '62000.1',
  qty: '0.01',
  timeInForce: 'IOC',
  postOnly: false,
  reduceOnly: false,
  ...more,
});
const ref = (id: string, venueOrderId?: string) => ({ ...ticket(id), venueOrderId, sentMs: 1_795_219_100_000 });
const reply = (value: unknown, status = 200): Reply => ({
  status,
  headers: {},
  text: typeof value === 'string' ? value : JSON.stringify(value),
});
/** The parameters of a request, wherever they stand. */
const sent = ({ path, body }: Call<unknown>): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(body ?? path.split('?')[1]));
const valueOf = <T>(call: Call<T>, value: unknown): T => {
  const answer = call.read(reply(value));
  if (answer.kind === 'refused') throw new Error(answer.text);
  return answer.value;
};
const socketOf = (id: string, carries: 'events' | 'orders') =>
  accountOf(id).sockets.find((socket) => socket.carries.includes(carries))!;
const told = (id: string, event: unknown): readonly AccountEvent[] =>
  socketOf(id, 'events').decode(Buffer.from(JSON.stringify(event)));

describe.each(['spot', 'usdm', 'coinm'])('%s orders', (id) => {
  const { rest, refuses } = accountOf(id);

  it.each<[string, Partial<OrderTicket>, Record<string, string | undefined>]>([
    ['GTC', { timeInForce: 'GTC' }, { type: 'LIMIT', timeInForce: 'GTC', price: '62000.1' }],
    ['IOC', { timeInForce: 'IOC' }, { type: 'LIMIT', timeInForce: 'IOC' }],
    ['FOK', { timeInForce: 'FOK', side: 'sell' }, { type: 'LIMIT', timeInForce: 'FOK', side: 'SELL' }],
    ['market', { type: 'market' }, { type: 'MARKET', timeInForce: undefined, price: undefined, quantity: '0.01' }],
    [
      'post-only',
      { timeInForce: 'GTC', postOnly: true },
      id === 'spot' ? { type: 'LIMIT_MAKER', timeInForce: undefined } : { type: 'LIMIT', timeInForce: 'GTX' },
    ],
  ])('says %s as the venue says it, the same over both ways', (_name, more, fields) => {
    const order = ticket(id, more);
    expect(refuses(order)).toBeUndefined();
    const asked = sent(rest.place(order, context));
    for (const [name, value] of Object.entries(fields)) expect(asked[name]).toBe(value);
    const frame = JSON.parse(socketOf(id, 'orders').orders!.place(order, context, '7', '')) as {
      params: Record<string, unknown>;
    };
    const { signature: restSignature, ...restFields } = asked;
    const { signature, apiKey, ...wsFields } = frame.params;
    expect(Object.fromEntries(Object.entries(wsFields).map(([name, value]) => [name, String(value)]))).toEqual(
      restFields,
    );
    expect([apiKey, typeof signature, typeof restSignature]).toEqual(['key', 'string', 'string']);
  });

  it('says of each order of a kind its own, signed with its own key', () => {
    const digits = fc.integer({ min: 1, max: 1e9 }).map(String);
    const keys = ['one', 'two'].map((apiKey) => ({ apiKey: `${apiKey}"key`, secret: `${apiKey} secret` }));
    const orders = fc.record({
      ...{ price: digits, qty: digits, clientOrderId: digits.map((text) => `a${text}` as ClientOrderId) },
      side: fc.constantFrom('buy', 'sell'),
      type: fc.constantFrom<OrderType>('limit', 'market'),
      timeInForce: fc.constantFrom<TimeInForce>('GTC', 'IOC', 'FOK'),
      postOnly: fc.boolean(),
      reduceOnly: fc.boolean(),
    });
    const holds = fc.property(orders, fc.constantFrom(...keys), fc.nat(), (more, credentials, nowMs) => {
      const order = ticket(id, more);
      if (refuses(order) !== undefined) return;
      const now = { ...context, credentials, nowMs };
      const text = socketOf(id, 'orders').orders!.place(order, now, '7', '');
      const { params } = JSON.parse(text) as { readonly params: Readonly<Record<string, unknown>> };
      const { signature, ...signed } = params;
      const asked = sent(rest.place(order, now));
      const payload = Object.keys(signed)
        .sort()
        .map((name) => `${name}=${String(signed[name])}`);
      expect(signature).toBe(createHmac('sha256', credentials.secret).update(payload.join('&')).digest('hex'));
      expect(signed).toMatchObject({ apiKey: credentials.apiKey, newClientOrderId: more.clientOrderId });
      const said = Object.fromEntries(Object.entries(signed).map(([name, value]) => [name, String(value)]));
      // The other way is signed without the key.
      expect({ ...said, signature: asked['signature'] }).toEqual({ ...asked, apiKey: credentials.apiKey });
    });
    fc.assert(holds, { numRuns: 300, seed: 1 });
  });

  it('refuses what it could only approximate', () => {
    expect(refuses(ticket(id, { postOnly: true, timeInForce: 'IOC' }))).toMatch(/rests/);
    expect(refuses(ticket(id, { postOnly: true, timeInForce: 'FOK' }))).toMatch(/rests/);
    expect(refuses(ticket(id, { type: 'market', postOnly: true }))).toMatch(/post-only/);
    expect(refuses(ticket(id, { type: 'market', timeInForce: 'FOK' }))).toMatch(/fill-or-kill/);
    const reduceOnly = ticket(id, { reduceOnly: true });
    if (id === 'spot') expect(refuses(reduceOnly)).toMatch(/reduce-only/);
    else {
      expect(refuses(reduceOnly)).toBeUndefined();
      expect(sent(rest.place(reduceOnly, context))['reduceOnly']).toBe('true');
    }
  });

  it('sends exactly what was asked, or says why not', () => {
    fc.assert(
      fc.property(
        fc.record({
          side: fc.constantFrom('buy', 'sell'),
          type: fc.constantFrom<OrderType>('limit', 'market'),
          timeInForce: fc.constantFrom<TimeInForce>('GTC', 'IOC', 'FOK'),
          postOnly: fc.boolean(),
          reduceOnly: fc.boolean(),
        }),
        (more) => {
          const order = ticket(id, more);
          if (refuses(order) !== undefined) return;
          const asked = sent(rest.place(order, context));
          expect(asked['side']).toBe(more.side.toUpperCase());
          expect(asked['type'] === 'MARKET').toBe(more.type === 'market');
          expect(asked['type'] === 'LIMIT_MAKER' || asked['timeInForce'] === 'GTX').toBe(more.postOnly);
          expect(asked['reduceOnly'] === 'true').toBe(more.reduceOnly);
          if (more.type === 'limit' && !more.postOnly) expect(asked['timeInForce']).toBe(more.timeInForce);
        },
      ),
    );
  });

  it('signs the bytes that it sends', () => {
    for (const call of [rest.place(ticket(id), context), rest.query(ref(id), context), rest.cancel(ref(id), context)]) {
      const text = call.body ?? call.path.split('?')[1]!;
      const [, payload, signature] = /^(.*)&signature=(.*)$/.exec(text)!;
      expect(signature).toBe(createHmac('sha256', 'secret').update(payload!).digest('hex'));
      expect(sent(call)['timestamp']).toBe('1795219200123');
      expect(call.headers['X-MBX-APIKEY']).toBe('key');
    }
  });

  it('takes a cancel of everything where nothing is open for done', () => {
    const [call] = rest.cancelAll([instrument(id)], context);
    expect(call!.read(reply({ code: -2011, msg: 'Unknown order sent.' }, 400)).kind).toBe('ok');
    expect(call!.read(reply({ code: -1021, msg: 'late' }, 400))).toMatchObject({
      kind: 'refused',
      meaning: 'clock-skew',
    });
  });

  it('asks for few instruments one by one, for many at once, and keeps those that were asked for', () => {
    const many = Array.from({ length: 50 }, (_, at) => ({ ...instrument(id), venueSymbol: `COIN${at}` }));
    expect(rest.openOrders(many.slice(0, 3), context).map((call) => sent(call)['symbol'])).toEqual([
      'COIN0',
      'COIN1',
      'COIN2',
    ]);
    const [all, ...more] = rest.openOrders(many, context);
    expect(more).toEqual([]);
    expect(sent(all!)).not.toHaveProperty('symbol');
    const row = {
      orderId: 1,
      clientOrderId: 'x',
      price: '1',
      origQty: '1',
      executedQty: '0',
      status: 'NEW',
      side: 'BUY',
      time: 5,
    };
    expect(
      valueOf(all!, [
        { ...row, symbol: 'COIN7' },
        { ...row, symbol: 'OTHER' },
      ]),
    ).toMatchObject([{ venueSymbol: 'COIN7', status: 'open', timeMs: 5 }]);
  });

  it('keeps order numbers beyond what a double holds', () => {
    const text = `{"symbol":"BTCUSDT","orderId":9007199254740993,"clientOrderId":"c","price":"1","origQty":"2","executedQty":"1","status":"EXPIRED_IN_MATCH","side":"SELL","updateTime":7}`;
    const answer = rest.query(ref(id), context).read(reply(text));
    expect(answer).toMatchObject({
      value: { venueOrderId: '9007199254740993', status: 'expired', reason: 'self-trade', timeMs: 7 },
    });
  });

  it.each([
    ['a word that is no status', { status: 'ELSEWHERE' }],
    ['a number that is none', { executedQty: 'much' }],
  ])('leaves in doubt an order with %s', (_name, wrong) => {
    const row = {
      symbol: 'BTCUSDT',
      orderId: 1,
      clientOrderId: 'c',
      price: '1',
      origQty: '2',
      executedQty: '1',
      status: 'NEW',
      side: 'BUY',
    };
    expect(rest.place(ticket(id), context).read(reply({ ...row, ...wrong }))).toMatchObject({
      kind: 'refused',
      meaning: 'in-doubt',
    });
  });

  it('never throws, whatever is answered', () => {
    const calls = [
      rest.place(ticket(id), context),
      rest.query(ref(id), context),
      rest.balances(context),
      rest.time!,
      ...rest.fillsSince([instrument(id)], 0, context),
      ...rest.fees([instrument(id)], context),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...calls),
        fc.oneof(fc.json(), fc.string()),
        fc.integer({ min: 100, max: 599 }),
        (call, text, status) => {
          expect(['ok', 'refused']).toContain(call.read({ status, headers: {}, text }).kind);
        },
      ),
    );
  });
});

describe('fills by pages', () => {
  const row = (id: number) => ({
    symbol: 'BTCUSDT',
    id,
    orderId: 3,
    price: '1',
    qty: '1',
    commission: '0.1',
    commissionAsset: 'USDT',
    time: 1,
    ...{ isBuyer: true, isMaker: false, buyer: true, maker: false },
  });
  const page = (first: number, count: number): unknown => Array.from({ length: count }, (_, at) => row(first + at));

  it.each(['spot', 'usdm', 'coinm'])('%s: goes on behind the last id of a full page', (id) => {
    const [call] = accountOf(id).rest.fillsSince([instrument(id)], NOW_MS - 1_000, context);
    expect(sent(call!)['startTime']).toBe('1795219199123');
    const full = call!.read(reply(page(9, 1_000)));
    if (full.kind !== 'ok') throw new Error(full.text);
    const next = full.more!({ ...context, nowMs: NOW_MS + 5 });
    expect(sent(next)).toMatchObject({ fromId: '1009', timestamp: '1795219200128' });
    expect(sent(next)).not.toHaveProperty('startTime');
    const last = next.read(reply(page(1_009, 3)));
    expect(last).toMatchObject({ kind: 'ok' });
    expect(last).not.toHaveProperty('more');
  });

  it('asks futures week by week until now', () => {
    const week = 7 * 86_400_000;
    let [call] = accountOf('usdm').rest.fillsSince([instrument('usdm')], NOW_MS - 2.5 * week, context);
    const starts: number[] = [];
    while (call !== undefined) {
      starts.push(Number(sent(call)['startTime']));
      const answer = call.read(reply([]));
      call = answer.kind === 'ok' ? answer.more?.(context) : undefined;
    }
    expect(starts.map((start) => Math.round(((NOW_MS - start) / week) * 10) / 10)).toEqual([2.5, 1.5, 0.5]);
  });

  it('asks for an order by its number, or since it was sent', () => {
    const { fillsOf } = accountOf('spot').rest;
    expect(sent(fillsOf!(ref('spot', '28'), context))).toMatchObject({ orderId: '28', limit: '1000' });
    expect(sent(fillsOf!(ref('spot'), context))).toMatchObject({ startTime: '1795219040000' });
  });
});

describe('events', () => {
  const report = {
    e: 'executionReport',
    s: 'BTCUSDT',
    c: 'cancel-1',
    C: 'a00010000010',
    S: 'BUY',
    q: '1',
    p: '5',
    x: 'CANCELED',
    X: 'CANCELED',
    i: 4,
    l: '0',
    z: '0.4',
    L: '0',
    n: '0',
    N: null,
    T: 9,
    t: -1,
    m: false,
  };

  it("names a canceled spot order by its own id, not the cancel's", () => {
    expect(told('spot', { subscriptionId: 0, event: report })).toMatchObject([
      { kind: 'order', order: { clientOrderId: 'a00010000010', status: 'canceled', venueOrderId: '4' } },
    ]);
    expect(told('spot', { subscriptionId: 0, event: { ...report, C: '', c: 'own' } })).toMatchObject([
      { order: { clientOrderId: 'own' } },
    ]);
  });

  it('tells the fill before the state that it made', () => {
    const event = {
      ...report,
      C: '',
      x: 'TRADE',
      X: 'FILLED',
      l: '0.6',
      L: '4.5',
      n: '0.001',
      N: 'BNB',
      t: 12,
      m: true,
    };
    const said = told('spot', event);
    expect(said.map(({ kind }) => kind)).toEqual(['fill', 'order']);
    expect(said).toMatchObject([
      { fill: { tradeId: '12', feeAsset: 'BNB', liquidity: 'maker' } },
      { order: { status: 'filled' } },
    ]);
  });

  it('ends with its listen key', () => {
    expect(told('usdm', { e: 'listenKeyExpired', E: 1 })).toEqual([{ kind: 'over', text: 'listenKeyExpired' }]);
    expect(told('spot', { subscriptionId: 0, event: { e: 'eventStreamTerminated', E: 1 } })).toMatchObject([
      { kind: 'over' },
    ]);
  });

  it('is ready when its subscription was taken, and not when it was refused', () => {
    expect(told('spot', { id: 'login', status: 200, result: { subscriptionId: 0 } })).toEqual([{ kind: 'ready' }]);
    expect(told('spot', { id: 'login', status: 400, error: { code: -1022, msg: 'Signature' } })).toMatchObject([
      { kind: 'error', refusal: { meaning: 'unauthorised' } },
    ]);
  });

  it('answers by the number of the request', () => {
    const { decode } = socketOf('usdm', 'orders');
    const say = (value: unknown) => decode(Buffer.from(JSON.stringify(value)));
    expect(
      say({ id: 'cancel-12', status: 200, result: { symbol: 'BTCUSDT', orderId: 5, clientOrderId: 'c' } }),
    ).toMatchObject([
      { kind: 'answer', request: '12', to: 'cancel', answer: { kind: 'ok', value: { venueOrderId: '5' } } },
    ]);
    expect(say({ id: 'place-3', status: 200, result: {} })).toMatchObject([
      { answer: { kind: 'refused', meaning: 'in-doubt' } },
    ]);
    expect(say({ id: 'place-3', status: 503, error: { code: -1007, msg: 'Timeout' } })).toMatchObject([
      { request: '3', answer: { meaning: 'in-doubt' } },
    ]);
    expect(say({ id: null, status: 400, error: { code: -1099, msg: 'no' } })).toMatchObject([{ kind: 'error' }]);
  });

  it('leaves out the empty sides of a hedged account', () => {
    const side = (ps: string, pa: string) => ({ s: 'BTCUSDT', pa, ep: '1', ps });
    const a = { B: [], P: [side('BOTH', '0'), side('LONG', '0'), side('SHORT', '-3')] };
    expect(told('usdm', { e: 'ACCOUNT_UPDATE', a })).toMatchObject([
      { kind: 'position', position: { qty: expect.objectContaining({ s: 1 }) as unknown } },
      { kind: 'position', position: { qty: expect.objectContaining({ s: -1 }) as unknown } },
    ]);
  });

  it('says nothing to frames that it does not know, and refuses broken ones', () => {
    for (const frame of ['', 'pong', '[]', '{}', '{"e":"GRID_UPDATE"}', '{"e":"TRADE_LITE","s":"BTCUSDT"}'])
      expect(socketOf('usdm', 'events').decode(Buffer.from(frame))).toEqual([]);
    expect(() => told('usdm', { e: 'ORDER_TRADE_UPDATE', o: { ...report, q: 'much' } })).toThrow(BadInput);
    expect(() => told('spot', { ...report, X: 'ELSEWHERE' })).toThrow(BadInput);
  });
});

describe('what an account says of itself', () => {
  it('adds up what spot charges, at the dearer side', () => {
    const part = (maker: string, taker: string, buyer = '0', seller = '0') => ({ maker, taker, buyer, seller });
    const [call] = accountOf('spot').rest.fees([instrument('spot')], context);
    const [fee] = valueOf(call!, {
      symbol: 'BTCUSDT',
      standardCommission: part('0.001', '0.002', '0.0001', '0.0003'),
      specialCommission: part('0.01', '0.01'),
      taxCommission: part('0.00001', '0.00002'),
      discount: { enabledForAccount: true, discount: '0.75' },
    });
    expect([fee!.maker.toFixed(), fee!.taker.toFixed(), fee!.market]).toEqual(['0.01131', '0.01232', 'spot']);
  });

  it('asks the spot host what the key may do', () => {
    const rights = { enableWithdrawals: true, enableSpotAndMarginTrading: false, enableFutures: true };
    const asked = ['spot', 'usdm'].map((id) => accountOf(id).rest.permissions!(context));
    expect(asked.map(({ path }) => path.split('?')[0])).toEqual(
      Array(2).fill('https://api.binance.com/sapi/v1/account/apiRestrictions'),
    );
    expect(asked.map((call) => valueOf(call, rights))).toEqual([
      { trade: false, withdraw: true },
      { trade: true, withdraw: true },
    ]);
  });

  it('reads what is used from the headers, of its own buckets', () => {
    const { used, buckets } = accountOf('coinm').limits;
    const headers = {
      'x-mbx-used-weight-1m': '12',
      'x-mbx-order-count-1m': '3',
      'x-mbx-order-count-10s': '9',
      etag: 'x',
    };
    expect(used!(headers)).toEqual({ weight: 12, ordersMinute: 3 });
    expect(Object.keys(buckets)).toEqual(['weight', 'ordersMinute', 'wallet']);
  });

  it('has a countdown on futures, for each symbol, and none on spot', () => {
    const { deadMan } = accountOf('coinm');
    if (deadMan.kind !== 'timer') throw new Error('no timer');
    const calls = deadMan.arm(
      0,
      [instrument('coinm'), { ...instrument('coinm'), venueSymbol: 'ETHUSD_PERP' }],
      context,
    );
    expect(calls.map(sent)).toMatchObject([
      { symbol: 'BTCUSD_PERP', countdownTime: '0' },
      { symbol: 'ETHUSD_PERP', countdownTime: '0' },
    ]);
    expect(accountOf('spot').deadMan.kind).toBe('none');
  });

  it('takes our ids as they are', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^a[0-9a-z]{12}$/), (id) => {
        expect(accountOf('spot').clientOrderId(id as ClientOrderId)).toBe(id);
        expect(id).toMatch(/^[.A-Z:/a-z0-9_-]{1,36}$/);
      }),
    );
  });
});
