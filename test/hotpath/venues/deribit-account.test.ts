import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { deribit } from '#hotpath/venues/deribit.ts';
import type { AccountContext, Answer, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hmac, numbersAsText } from '#hotpath/venues/venue-tools.ts';
import { asset } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf } from '#shared/money/grid.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const account = deribit.accounts![0]!;
const { rest, sockets } = account;
const socket = sockets[0]!;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_790_000_000_000.4,
  nonce: 42,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const swap: Instrument = {
  ...instrumentOf('deribit', 'swap', 'BTC-PERPETUAL', '0.5'),
  kind: 'perpetual',
  settle: asset('BTC'),
};
const option: Instrument = {
  ...instrumentOf('deribit', 'options', 'BTC-25DEC26-100000-C', '0.0001'),
  kind: 'option',
  settle: asset('BTC'),
  tickSteps: [{ above: amountOf('0.005'), tick: amountOf('0.0005') }],
};
const ticket = (change: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: swap,
  side: 'buy',
  type: 'limit',
  price: '62000.5',
  qty: '10',
  timeInForce: 'IOC',
  postOnly: false,
  reduceOnly: false,
  ...change,
});
const ref = (change: Partial<OrderRef> = {}): OrderRef => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: swap,
  side: 'buy',
  venueOrderId: undefined,
  sentMs: 1_790_000_000_000,
  ...change,
});

const paramsOf = ({ path }: Call<unknown>): Readonly<Record<string, string>> =>
  Object.fromEntries(new URLSearchParams(path.split('?')[1]));
const methodOf = ({ path }: Call<unknown>): string => path.split('?')[0]!.replace('/api/v2/', '');
const answer = <T>(call: Call<T>, result: unknown): Answer<T> =>
  call.read({ status: 200, headers: {}, text: JSON.stringify({ jsonrpc: '2.0', result, usIn: 1 }) });
const refusedBy = <T>(call: Call<T>, code: number, data?: object): Answer<T> =>
  call.read({
    status: 400,
    headers: {},
    text: JSON.stringify({ jsonrpc: '2.0', error: { code, message: 'no', data } }),
  });
const value = <T>(answered: Answer<T>): T => {
  if (answered.kind === 'refused') throw new Error(`${answered.meaning}: ${answered.text}`);
  return answered.value;
};
const more = <T>(answered: Answer<T>): Call<T> => {
  if (answered.kind !== 'ok' || answered.more === undefined) throw new Error('there is no more');
  return answered.more(context);
};

const entry = (change: object = {}) => ({
  order_id: '7',
  label: 'a00010000010',
  instrument_name: 'BTC-PERPETUAL',
  direction: 'buy',
  order_state: 'open',
  order_type: 'limit',
  time_in_force: 'good_til_cancelled',
  price: 62000.5,
  amount: 10,
  filled_amount: 0,
  last_update_timestamp: 1_790_000_000_000,
  ...change,
});
const fill = (change: object = {}) => ({
  trade_id: 't1',
  order_id: '7',
  label: 'a00010000010',
  instrument_name: 'BTC-PERPETUAL',
  direction: 'buy',
  price: 62000.5,
  amount: 10,
  fee: 1e-8,
  fee_currency: 'BTC',
  liquidity: 'M',
  timestamp: 1_790_000_000_000,
  ...change,
});

describe('deribit orders', () => {
  it.each([
    [{ timeInForce: 'GTC' }, { time_in_force: 'good_til_cancelled', label: 'a00010000010', type: 'limit' }],
    [{ timeInForce: 'FOK' }, { time_in_force: 'fill_or_kill', price: '62000.5', amount: '10' }],
    [
      { timeInForce: 'GTC', postOnly: true },
      { post_only: 'true', reject_post_only: 'true' },
    ],
    [
      { type: 'market', timeInForce: 'GTC' },
      { type: 'market', time_in_force: 'immediate_or_cancel' },
    ],
    [{ side: 'sell', reduceOnly: true }, { reduce_only: 'true' }],
  ] as const)('of %j say %j', (change, said) => {
    expect(paramsOf(rest.place(ticket(change), context))).toMatchObject(said);
  });

  it('go to a method for each side', () => {
    expect(methodOf(rest.place(ticket(), context))).toBe('private/buy');
    expect(methodOf(rest.place(ticket({ side: 'sell' }), context))).toBe('private/sell');
  });

  it.each([
    { type: 'market', postOnly: true },
    { type: 'market', timeInForce: 'FOK' },
    { timeInForce: 'IOC', postOnly: true },
  ] as const)('of %j are refused with a sentence', (change) => {
    expect(account.refuses(ticket({ timeInForce: 'GTC', ...change }))).toMatch(/\w+ \w+/);
  });

  it('are refused off the coarser grid of dear options, and nowhere else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), (ticks) => {
        const price = new Decimal(ticks).times('0.0001');
        const refused = account.refuses(ticket({ instrument: option, price: price.toFixed() })) !== undefined;
        expect(refused).toBe(price.gt('0.005') && !price.mod('0.0005').isZero());
      }),
    );
  });

  it('reach the socket digit by digit: no number passes through a double', () => {
    const digits = fc.stringMatching(/^[1-9]\d{0,17}[.]\d{1,18}$/);
    fc.assert(
      fc.property(digits, digits, (price, qty) => {
        const frame = socket.orders!.place(ticket({ price, qty }), context, '12', '');
        expect(numbersAsText(frame)).toMatchObject({
          id: '121',
          method: 'private/buy',
          params: { price, amount: qty, label: 'a00010000010' },
        });
      }),
    );
  });

  it('are signed over the path, with time and nonce', () => {
    const { path, headers } = rest.place(ticket(), context);
    const sig = hmac('sha256', 'secret', `1790000000000\n42\nGET\n${path}\n\n`, 'hex');
    expect(headers['Authorization']).toBe(`deri-hmac-sha256 id=key,ts=1790000000000,sig=${sig},nonce=42`);
  });

  it('tell at once what became of them', () => {
    const result = { order: entry({ order_state: 'filled', filled_amount: 10 }), trades: [fill()] };
    const placed = value(answer(rest.place(ticket(), context), result));
    expect(placed).toMatchObject({ venueOrderId: '7', order: { status: 'filled' } });
    expect(placed.fills!.map(({ fee, liquidity }) => [fee.toFixed(), liquidity])).toEqual([['0.00000001', 'maker']]);
  });
});

describe('deribit states and refusals', () => {
  it.each([
    [{ order_state: 'untriggered' }, 'open'],
    [{ order_state: 'cancelled' }, 'canceled'],
    [{ order_state: 'cancelled', time_in_force: 'immediate_or_cancel' }, 'expired'],
    [{ order_state: 'cancelled', time_in_force: 'fill_or_kill', price: 'market_price' }, 'expired'],
    [{ order_state: 'rejected', post_only: true }, 'rejected'],
  ] as const)('read %j as %s', (change, status) => {
    const told = value(answer(rest.query(ref({ venueOrderId: '7' }), context), entry(change)));
    expect([told.status, told.reason]).toEqual([status, status === 'rejected' ? 'would-take' : undefined]);
    expect(told.price?.toFixed()).toBe('price' in change ? undefined : '62000.5');
  });

  it.each([
    [rest.place(ticket(), context), 10004, 'not-found'],
    [rest.cancel(ref({ venueOrderId: '7' }), context), 10004, 'not-open'],
    [rest.place(ticket(), context), 11094, 'in-doubt'],
    [rest.place(ticket(), context), 55_555, 'unlisted'],
  ])('%#: mean what they mean where they stand', (call, code, meaning) => {
    expect(refusedBy(call, code, { param: 'amount', reason: 'bad' })).toMatchObject({
      kind: 'refused',
      meaning,
      text: 'no amount bad',
    });
  });

  it('count what a cancel by label ended', () => {
    const call = rest.cancel(ref(), context);
    expect([methodOf(call), paramsOf(call)]).toEqual([
      'private/cancel_by_label',
      { label: 'a00010000010', currency: 'BTC' },
    ]);
    expect(answer(call, 1)).toMatchObject({ kind: 'ok' });
    expect(answer(call, 0)).toMatchObject({ kind: 'refused', meaning: 'not-open' });
  });

  it('are looked for by label, of our instrument, the latest first', () => {
    const call = rest.query(ref(), context);
    expect(methodOf(call)).toBe('private/get_order_state_by_label');
    const list = [
      entry({ order_id: '1', last_update_timestamp: 1 }),
      entry({ order_id: '2', last_update_timestamp: 3 }),
      entry({ order_id: '3', last_update_timestamp: 9, instrument_name: 'BTC-25DEC26' }),
    ];
    expect(value(answer(call, list)).venueOrderId).toBe('2');
  });

  it.each([
    ['an empty list', answer(rest.query(ref(), context), [])],
    ['an unknown id', refusedBy(rest.query(ref({ venueOrderId: '7' }), context), 10004)],
  ])('are looked for in the history after %s', (_name, first) => {
    if (first.kind !== 'refused') throw new Error('an order was found');
    const history = first.elsewhere!(context);
    expect(methodOf(history)).toBe('private/get_order_history_by_instrument');
    expect(answer(history, [entry({ label: 'other', order_id: '8' })])).toMatchObject({ meaning: 'not-found' });
    expect(value(answer(history, [entry({ order_state: 'filled' })])).status).toBe('filled');
  });
});

describe('deribit lists', () => {
  it('of fills go on from the last trade, and never stand still', () => {
    const [call] = rest.fillsSince([swap], 1_789_999_990_000, context);
    const first = answer(call!, { trades: [fill(), fill({ instrument_name: 'ETH-PERPETUAL' })], has_more: true });
    expect(value(first)).toHaveLength(1);
    const second = more(first);
    expect(paramsOf(second)['start_timestamp']).toBe('1790000000000');
    const third = more(answer(second, { trades: [fill()], has_more: true }));
    expect(paramsOf(third)['start_timestamp']).toBe('1790000000001');
    expect(answer(third, { trades: [], has_more: true })).toEqual({ kind: 'ok', value: [] });
  });

  it('of older fills are asked for in both records, a currency at a time', () => {
    const since = 1_790_000_000_000 - 3 * 86_400_000;
    const calls = rest.fillsSince([swap, option, { ...swap, settle: asset('USDC') }], since, context);
    expect(calls.map((call) => [paramsOf(call)['currency'], paramsOf(call)['historical']])).toEqual([
      ['BTC', 'true'],
      ['BTC', 'false'],
      ['USDC', 'true'],
      ['USDC', 'false'],
    ]);
  });

  it('of one order’s fills are found by id, or by label', () => {
    const known = rest.fillsOf!(ref({ venueOrderId: '7' }), context);
    expect(value(answer(known, [fill()]))).toHaveLength(1);
    const unknown = rest.fillsOf!(ref(), context);
    const page = { trades: [fill(), fill({ label: 'other' })], has_more: false };
    expect(value(answer(unknown, page))).toHaveLength(1);
  });

  it('of open orders are one, with only what was asked for', () => {
    const [call, ...others] = rest.openOrders([swap, option], context);
    expect([methodOf(call!), others]).toEqual(['private/get_open_orders', []]);
    expect(value(answer(call!, [entry(), entry({ instrument_name: 'ETH-PERPETUAL' })]))).toHaveLength(1);
    expect(rest.openOrders([], context)).toEqual([]);
  });

  it('of positions are signed by their direction', () => {
    const position = { instrument_name: 'BTC-PERPETUAL', direction: 'sell', size: -50, average_price: 62000 };
    const list = [position, { ...position, direction: 'buy', size: 50 }, { ...position, direction: 'zero', size: 0 }];
    expect(value(answer(rest.positions!(context), list)).map(({ qty }) => qty.toFixed())).toEqual(['-50', '50', '0']);
  });
});

describe('deribit fees and keys', () => {
  const commissions = [
    { instrument_name: 'BTC-PERPETUAL', maker_commission: 0.0001, taker_commission: 0.0005 },
    { instrument_name: 'BTC-25DEC26', maker_commission: 1, taker_commission: 1 },
  ];
  it.each([
    ['none', [], ['0.0001', '0.0005']],
    [
      'a fraction',
      [{ instrument_type: 'perpetual', fee_type: 'relative', maker_fee: 0, taker_fee: 0.5 }],
      ['0', '0.00025'],
    ],
    [
      'another fee',
      [{ instrument_type: 'perpetual', fee_type: 'fixed', maker_fee: -0.0001, taker_fee: 0.0003 }],
      ['-0.0001', '0.0003'],
    ],
    [
      'one of options',
      [{ instrument_type: 'option', fee_type: 'fixed', maker_fee: 1, taker_fee: 1 }],
      ['0.0001', '0.0005'],
    ],
    ['one of another form', [{ kind: 'future', value: {} }], ['0.0001', '0.0005']],
  ])('are what instruments cost with %s of a discount', (_name, fees, paid) => {
    const [call, ...others] = rest.fees([swap], context);
    expect(others).toEqual([]);
    const next = more(answer(call!, { currency: 'BTC', fees }));
    expect(paramsOf(next)).toMatchObject({ currency: 'BTC', kind: 'future' });
    const told = value(answer(next, commissions));
    expect(
      told.map(({ venueSymbol, market, maker, taker }) => [venueSymbol, market, maker.toFixed(), taker.toFixed()]),
    ).toEqual([['BTC-PERPETUAL', 'swap', ...paid]]);
  });

  it.each([
    ['connection mainaccount trade:read_write wallet:read', { trade: true, withdraw: false }],
    ['account:read trade:read wallet:read_write', { trade: false, withdraw: true }],
  ])('with the scope %s', (scope, may) => {
    const call = rest.permissions!(context);
    expect(value(answer(call, { scope, access_token: 'x' }))).toEqual(may);
    const signature = hmac('sha256', 'secret', '1790000000000\n42\n', 'hex');
    expect(paramsOf(call)).toMatchObject({ grant_type: 'client_signature', signature, data: '' });
  });

  it('are guarded: orders of a lost connection end', () => {
    const frames = socket.subscribe([swap, option], context, '');
    expect(frames[0]).toContain('private/enable_cancel_on_disconnect');
    expect(frames[1]).toContain('"channels":["user.changes.any.any.raw","user.portfolio.btc"]');
  });
});

const told = (frame: object) => socket.decode(Buffer.from(JSON.stringify(frame)));

describe('deribit private frames', () => {
  it.each([
    [{ id: 10, result: { access_token: 'x', scope: 'y' } }, ['ready']],
    [{ id: 10, error: { code: 13004, message: 'invalid_credentials' } }, ['error']],
    [{ id: 40, result: ['user.changes.any.any.raw'] }, []],
    [{ id: 40, error: { code: 11050, message: 'bad_request' } }, ['error']],
    [{ method: 'heartbeat', params: { type: 'heartbeat' } }, []],
    [{ method: 'heartbeat', params: { type: 'test_request' } }, ['ping']],
    [{ method: 'subscription', params: { channel: 'user.mmp_trigger.btc', data: {} } }, []],
    [{ id: 71, error: { code: 13009, message: 'unauthorized' } }, ['answer', 'over']],
    [{ id: 79, result: 1 }, []],
    [{ something: 'else' }, []],
  ])('%j say %j', (frame, kinds) => {
    expect(told({ jsonrpc: '2.0', ...frame }).map(({ kind }) => kind)).toEqual(kinds);
  });

  it('answer orders and cancels by request', () => {
    expect(told({ id: 121, result: { order: entry(), trades: [] } })).toMatchObject([
      { request: '12', to: 'place', answer: { kind: 'ok', value: { venueOrderId: '7', fills: [] } } },
    ]);
    expect(told({ id: 122, result: entry({ order_state: 'cancelled' }) })).toMatchObject([
      { request: '12', to: 'cancel', answer: { kind: 'ok', value: { order: { status: 'canceled' } } } },
    ]);
    expect(told({ id: 122, result: 0 })).toMatchObject([{ to: 'cancel', answer: { meaning: 'not-open' } }]);
  });

  it('tell fills before the orders that they changed', () => {
    const data = { orders: [entry({ order_state: 'filled' })], trades: [fill()], positions: [] };
    const frame = { method: 'subscription', params: { channel: 'user.changes.any.any.raw', data } };
    expect(told(frame).map(({ kind }) => kind)).toEqual(['fill', 'order']);
  });

  it.each([
    { id: 71, result: {} },
    { id: 72, result: 'x' },
    { method: 'subscription', params: { channel: 'user.changes.any.any.raw', data: { orders: [{}] } } },
    { method: 'subscription', params: { channel: 'user.portfolio.btc', data: {} } },
  ])('%j are refused', (frame) => {
    expect(refusalOf(() => told(frame))).toBeTypeOf('string');
  });
});

describe('deribit tape, tickers and combos', () => {
  const frameOf = (channel: string, data: unknown) => ({
    frame: JSON.stringify({ jsonrpc: '2.0', method: 'subscription', params: { channel, data } }),
  });
  const rigOf = (id: string, symbol: string): MarketRig =>
    new MarketRig(
      deribit.markets.find((market) => market.id === id)!,
      [instrumentOf('deribit', id, symbol)],
    );
  const combo = 'BTC-FS-25DEC26_PERP';

  it('keep a combo’s book below zero', () => {
    const rig = rigOf('combos', combo);
    const data = {
      type: 'snapshot',
      timestamp: 1,
      change_id: 1,
      bids: [['new', -12.5, 10]],
      asks: [
        ['new', 0, 5],
        ['new', 2.5, 1],
      ],
    };
    rig.take(frameOf(`book.${combo}.100ms`, data));
    expect([rig.store.tops.bid[0], rig.store.tops.ask[0]]).toEqual([-12.5, 0]);
    const change = {
      type: 'change',
      timestamp: 2,
      prev_change_id: 1,
      change_id: 2,
      bids: [['new', -1, 1]],
      asks: [['delete', 0, 0]],
    };
    rig.take(frameOf(`book.${combo}.100ms`, change));
    expect([rig.store.tops.bid[0], rig.store.tops.ask[0]]).toEqual([-1, 2.5]);
    expect(
      refusalOf(() => rig.take(frameOf(`book.${combo}.100ms`, { ...change, bids: [['new', -1, -1]] }))),
    ).toBeTypeOf('string');
  });

  it('print combos below zero, no block trades, and refuse what is no trade', () => {
    const rig = rigOf('combos', combo);
    const trade = { timestamp: 5, price: -2.5, amount: 10, direction: 'sell' };
    rig.take(
      frameOf(`trades.${combo}.100ms`, [
        trade,
        { ...trade, block_trade_id: 'BLOCK-1' },
        { ...trade, direction: 'buy' },
      ]),
    );
    expect(rig.prints.map(({ price, qty, taker }) => [price, qty, taker])).toEqual([
      [-2.5, 10, -1],
      [-2.5, 10, 1],
    ]);
    for (const change of [{ price: null }, { direction: 'zero' }, { amount: undefined }])
      expect(refusalOf(() => rig.take(frameOf(`trades.${combo}.raw`, [{ ...trade, ...change }])))).toBeTypeOf('string');
  });

  it('read volatilities as fractions and Greeks as sent', () => {
    const rig = rigOf('options', option.venueSymbol);
    const greeks = { delta: -0.5, gamma: 1e-5, vega: 10, theta: -4, rho: 2 };
    const data = {
      timestamp: 5,
      mark_price: 0.01,
      mark_iv: 62.5,
      bid_iv: 0,
      ask_iv: null,
      underlying_price: 7,
      interest_rate: 0,
      greeks,
    };
    rig.take(frameOf(`ticker.${option.venueSymbol}.100ms`, data));
    expect(rig.references).toMatchObject([
      {
        ...greeks,
        markVolatility: 0.625,
        bidVolatility: NaN,
        askVolatility: NaN,
        underlyingPrice: 7,
        interestRate: 0,
        venueTimeMs: 5,
      },
    ]);
    expect(rig.references[0]!.fundingIntervalMs).toBeNaN();
  });

  it('say a rate of funding, and no time at which it is paid', () => {
    const rig = rigOf('swap', 'BTC-PERPETUAL');
    rig.take(frameOf('ticker.BTC-PERPETUAL.raw', { timestamp: 5, mark_price: 1, current_funding: -0.000005 }));
    expect(rig.references).toMatchObject([{ fundingRate: -0.000005, fundingIntervalMs: NaN, nextFundingTimeMs: NaN }]);
  });
});

describe('deribit polls', () => {
  const market = deribit.markets.find(({ id }) => id === 'swap')!;
  const polled = (body: object): readonly MarketUpdate[] => {
    const updates: MarketUpdate[] = [];
    const sink = new FeedSink({
      instruments: [instrumentOf('deribit', 'swap', 'BTC-PERPETUAL')],
      venue: 'deribit',
      market: 'swap',
      onUpdate: (update) => updates.push(structuredClone(update)),
      onControl: () => undefined,
    });
    const bytes = Buffer.from(JSON.stringify(body));
    market.poll!.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
    return updates;
  };

  it('read the whole book', () => {
    const [update, ...others] = polled({
      jsonrpc: '2.0',
      result: { timestamp: 5, change_id: 9, bids: [[62000.1, 1.5]], asks: [[62000.2, 2]] },
    });
    expect(others).toEqual([]);
    expect(update).toMatchObject({ kind: SNAPSHOT, instrument: 0, lastSequence: 9, venueTimeMs: 5 });
    expect([update!.bids.prices[0], update!.bids.qtys[0], update!.asks.prices[0], update!.asks.count]).toEqual([
      62_000.1, 1.5, 62_000.2, 1,
    ]);
  });

  it.each([
    { jsonrpc: '2.0', error: { code: 13020, message: 'not_found' } },
    { result: { change_id: 9, bids: [] } },
    { result: { bids: [[1]], asks: [], change_id: 9 } },
  ])('refuse %j', (body) => {
    expect(refusalOf(() => polled(body))).toBeTypeOf('string');
  });
});
