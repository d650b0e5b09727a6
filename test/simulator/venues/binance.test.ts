import { describe, expect, it } from 'vitest';
import { binance } from '#hotpath/venues/binance.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountSocket,
  Answer,
  Call,
  OrderTicket,
} from '#hotpath/venues/venue-account.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import { socketTo, truth, virtualRun } from '../venue-client.ts';
import type { Run, TestSocket } from '../venue-client.ts';

/** Our own reading of Binance against the simulated one, in process and on a virtual clock. */

const marketOf = (id: string): Market => binance.markets.find((market) => market.id === id)!;
const accountOf = (id: string): Account => binance.accounts!.find((account) => account.id === id)!;
/** `wss://host/path` → `/host/path`, under which the simulator has it. */
const placeOf = (url: string): string => url.replace(/^\w+:\//, '');
const get = ({ simulator }: Run, url: string): string =>
  simulator.request({ method: 'GET', path: placeOf(url), headers: {}, body: '' }).body;
const instrumentsOf = (run: Run, { restUrl, instruments, defaultFees }: Market): readonly Instrument[] =>
  instruments.parse(
    instruments.paths.map((path) => get(run, restUrl + path)),
    defaultFees,
  );
const contextOf = ({ clock }: Run, secret = DEFAULT_ACCOUNT.secret): AccountContext => ({
  credentials: { apiKey: DEFAULT_ACCOUNT.apiKey, secret },
  nowMs: clock.unixMs(clock.now()),
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
});

function asked<T>(run: Run, account: Account, call: Call<T>): Answer<T> {
  const url = call.path.startsWith('https:') ? call.path : account.restUrl + call.path;
  const { status, headers, body } = run.simulator.request({
    method: call.method,
    path: placeOf(url),
    headers: call.headers,
    body: call.body ?? '',
  });
  return call.read({ status, headers, text: body });
}
function valueOf<T>(answer: Answer<T>): T {
  if (answer.kind === 'refused') throw new Error(`${answer.code} ${answer.text}`);
  return answer.value;
}

describe.each(['spot', 'usdm', 'coinm', 'options'])('market data of %s', (id) => {
  const market = marketOf(id);

  it("keeps a live book that is the exchange's own", () => {
    const run = virtualRun(31, { venues: ['binance'], dislocations_per_minute: 600 });
    run.forward(500);
    const [instrument] = instrumentsOf(run, market);
    const { venueSymbol, symbol } = instrument!;
    const rig = new MarketRig(market, [instrument!]);
    const socket = socketTo(run.simulator, placeOf(market.wsUrl));
    for (const frame of market.subscribe([venueSymbol], 1)) socket.send(frame);
    const { snapshot } = market.book;
    if (snapshot.from !== 'rest') throw new Error('no REST snapshot');
    run.forward(250);
    rig.snapshot(venueSymbol, Buffer.from(get(run, market.restUrl + snapshot.path(venueSymbol))));
    for (let frames = 0; frames < 150;) {
      run.forward(10);
      const taken = socket.take();
      for (const frame of taken) rig.take({ frame });
      frames += taken.length;
    }
    // Right after a batch of depth frames there is nothing that the other side does not know.
    for (let isDepth = false; !isDepth;) {
      run.forward(10);
      for (const frame of socket.take()) {
        isDepth ||= frame.includes('depthUpdate');
        rig.take({ frame });
      }
    }
    const index = 0 as InstrumentIndex;
    const { bids, asks } = rig.store.levels(index)!;
    const pairs = (side: typeof bids): number[][] => {
      const [prices, qtys] = [new Float64Array(side.count), new Float64Array(side.count)];
      side.read(prices, qtys, 0, NaN);
      return Array.from(prices, (price, at) => [price, qtys[at]!]);
    };
    expect(rig.store.depths.status(index)).toBe('live');
    expect(rig.store.statistics(index)).toMatchObject({ gaps: 0 });
    expect({ bids: pairs(bids), asks: pairs(asks) }).toEqual(truth(run.simulator.exchange('binance'), symbol));
  });

  it('tells its tape and marks on the sockets beside the books, and there alone', () => {
    const run = virtualRun(32, { venues: ['binance'], updates_per_second: 4_000 });
    const instruments = instrumentsOf(run, market);
    const { kinds, wsUrl = market.wsUrl, subscribe } = market.streams!;
    const frames = subscribe(
      kinds,
      instruments.map(({ venueSymbol }) => venueSymbol),
      1,
    );
    const socket = socketTo(run.simulator, placeOf(wsUrl));
    const elsewhere = wsUrl === market.wsUrl ? undefined : socketTo(run.simulator, placeOf(market.wsUrl));
    for (const frame of frames) for (const each of [socket, elsewhere]) each?.send(frame);
    run.forward(3_000);
    const rig = new MarketRig(market, instruments);
    for (const frame of socket.take()) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.prints.length > 0).toBe(kinds.includes('trades'));
    expect(rig.references.length > 0).toBe(kinds.includes('reference'));
    expect(elsewhere?.take().map((frame) => Object.keys(JSON.parse(frame) as object)) ?? []).toEqual(
      elsewhere === undefined ? [] : frames.map(() => ['result', 'id']),
    );
    for (const { markPrice, fundingRate, nextFundingTimeMs, markVolatility, delta, instrument } of rig.references) {
      expect(markPrice).toBeGreaterThan(0);
      const { kind } = instruments[instrument]!;
      const [isFunded, isOption] = [kind === 'perpetual', kind === 'option'];
      expect([fundingRate, nextFundingTimeMs].map(Number.isNaN)).toEqual([!isFunded, !isFunded]);
      expect([markVolatility, delta].map(Number.isNaN)).toEqual([!isOption, !isOption]);
    }
  });
});

describe('times', () => {
  it('are in microseconds where we ask for them, and read as milliseconds', () => {
    const run = virtualRun(33, { venues: ['binance'], symbols: ['BTC/USDT'] });
    const market = marketOf('spot');
    const socket = socketTo(run.simulator, placeOf(market.wsUrl));
    const plain = socketTo(run.simulator, placeOf(market.wsUrl.replace(/[?].*/, '')));
    for (const each of [socket, plain]) for (const frame of market.subscribe(['BTCUSDT'], 1)) each.send(frame);
    run.forward(1_000);
    const timesOf = (from: TestSocket): number[] => {
      const rig = new MarketRig(market, instrumentsOf(run, market));
      return from.take().flatMap((frame) => {
        const { update } = rig.take({ frame }) ?? {};
        return update === undefined || Number.isNaN(update.venueTimeMs) ? [] : [update.venueTimeMs];
      });
    };
    const raw = socket.frames.find((frame) => frame.includes('depthUpdate'))!;
    expect(raw).toMatch(/"E":\d{16},/);
    const times = timesOf(socket);
    expect(times.length).toBeGreaterThan(3);
    expect(times).toEqual(timesOf(plain));
  });
});

/** A private socket as the engine would drive it, by hand. */
class Private {
  readonly events: AccountEvent[] = [];
  readonly #socket: TestSocket;
  readonly #spec: AccountSocket;

  constructor(run: Run, account: Account, carries: 'events' | 'orders') {
    this.#spec = account.sockets.find((socket) => socket.carries.includes(carries))!;
    const { pass: asking, path, wsUrl, login } = this.#spec;
    const context = contextOf(run);
    const pass = asking === undefined ? '' : valueOf(asked(run, account, asking.ask(context)));
    this.#socket = socketTo(run.simulator, placeOf(wsUrl + (path?.(context, pass) ?? '')));
    for (const frame of login(context, pass)) this.#socket.send(frame);
  }

  send(frame: string): void {
    this.#socket.send(frame);
  }

  /** What has been said since the last time. */
  take(): readonly AccountEvent[] {
    return this.#socket.take().flatMap((frame) => this.#spec.decode(Buffer.from(frame)));
  }

  orders() {
    return this.#spec.orders!;
  }
}

type Refusable = readonly [what: string, more: Partial<OrderTicket>, meaning: string];
const unpaid = (qty: string): Refusable => ['too little money', { qty }, 'insufficient-funds'];
const small = (qty: string, price: string): Refusable => ['too small a value', { qty, price }, 'below-minimum'];
const everywhere: readonly Refusable[] = [
  ['a post-only price that takes', { postOnly: true, price: '200000' }, 'would-take'],
  ['a price off the tick', { price: '50000.001' }, 'invalid-order'],
];
const onFutures: readonly Refusable[] = [
  ['nothing to reduce', { reduceOnly: true }, 'reduce-only'],
  ['an unfillable FOK', { timeInForce: 'FOK' }, 'not-filled'],
];
const refusals: Readonly<Record<'spot' | 'usdm' | 'coinm', readonly Refusable[]>> = {
  spot: [...everywhere, unpaid('900'), small('0.001', '4000')],
  usdm: [...everywhere, ...onFutures, unpaid('900'), small('0.001', '40000')],
  coinm: [...everywhere, ...onFutures, unpaid('90000000')],
};

const SYMBOLS = { spot: 'BTC/USDT', usdm: 'BTC/USDT:USDT', coinm: 'BTC/USD:BTC' };

describe.each(['spot', 'usdm', 'coinm'] as const)('orders of %s', (id) => {
  const account = accountOf(id);
  const { rest } = account;
  const begin = (config = {}) => {
    const run = virtualRun(41, { venues: ['binance'], symbols: Object.values(SYMBOLS), ...config });
    const [instrument] = instrumentsOf(run, marketOf(id));
    const exchange = run.simulator.exchange('binance');
    const book = exchange.engine(exchange.listings.find(({ symbol }) => symbol === SYMBOLS[id])!);
    const qty = id === 'coinm' ? '3' : '0.02';
    let made = 0;
    const ticket = (more: Partial<OrderTicket> = {}): OrderTicket => ({
      clientOrderId: `a0001000${String((made += 1)).padStart(5, '0')}` as ClientOrderId,
      instrument: instrument!,
      side: 'buy',
      type: 'limit',
      price: id === 'spot' ? '50000.00' : '50000.0',
      qty,
      timeInForce: 'GTC',
      postOnly: false,
      reduceOnly: false,
      ...more,
    });
    const ask = <T>(call: Call<T>): Answer<T> => asked(run, account, call);
    const ref = (order: OrderTicket) => ({ ...order, venueOrderId: undefined, sentMs: contextOf(run).nowMs - 1_000 });
    const dear = (ticks: number): string =>
      ((ticks + 2_000) / 10 ** (id === 'spot' ? 2 : 1)).toFixed(id === 'spot' ? 2 : 1);
    return { run, instrument: instrument!, book, ticket, ask, ref, dear, context: () => contextOf(run) };
  };

  it('rest, are asked for, listed and cancelled, and the stream tells', () => {
    const { run, ticket, ask, ref, instrument, context } = begin();
    const stream = new Private(run, account, 'events');
    const order = ticket({ postOnly: true });
    const placed = valueOf(ask(rest.place(order, context())));
    expect(placed.order).toMatchObject({ status: 'open', clientOrderId: order.clientOrderId });
    expect(valueOf(ask(rest.query(ref(order), context())))).toMatchObject({
      status: 'open',
      venueOrderId: placed.venueOrderId,
    });
    const [open] = rest.openOrders([instrument], context());
    expect(valueOf(ask(open!)).map(({ clientOrderId }) => clientOrderId)).toEqual([order.clientOrderId]);
    expect(ask(rest.cancel(ref(order), context())).kind).toBe('ok');
    expect(ask(rest.cancel(ref(order), context()))).toMatchObject({ meaning: 'not-open' });
    expect(valueOf(ask(rest.query(ref(order), context())))).toMatchObject({ status: 'canceled' });
    const told = stream.take().filter((event) => event.kind === 'order');
    expect(told.map(({ order: { status, clientOrderId } }) => [status, clientOrderId])).toEqual([
      ['open', order.clientOrderId],
      ['canceled', order.clientOrderId],
    ]);
  });

  it('trade IOC over their socket, and fills, balances and fees agree', () => {
    const { run, ticket, ask, ref, book, dear, instrument, context } = begin();
    const stream = new Private(run, account, 'events');
    const wire = new Private(run, account, 'orders');
    const order = ticket({ timeInForce: 'IOC', price: dear(book.asks.best()!.price) });
    wire.send(wire.orders().place(order, context(), '17', ''));
    const answers = wire.take().filter((event) => event.kind === 'answer');
    expect(answers).toMatchObject([
      { request: '17', to: 'place', answer: { kind: 'ok', value: { order: { status: 'filled' } } } },
    ]);
    const state = valueOf(ask(rest.query(ref(order), context())));
    const listed = valueOf(ask(rest.fillsOf!({ ...ref(order), venueOrderId: state.venueOrderId }, context())));
    const [since] = rest.fillsSince([instrument], context().nowMs - 1_000, context());
    expect(valueOf(ask(since!))).toEqual(listed);
    const told = stream.take();
    const fills = told.flatMap((event) => (event.kind === 'fill' ? [event.fill] : []));
    // REST does not repeat our id.
    expect(fills.map((fill) => ({ ...fill, clientOrderId: '' }))).toEqual(listed);
    expect(fills.reduce((sum, { qty }) => sum.plus(qty), state.filled.times(0)).toFixed()).toBe(state.qty.toFixed());
    const [fees] = rest.fees([instrument], context());
    const [rate] = valueOf(ask(fees!));
    const [fill] = fills;
    if (id === 'spot') expect(fill!.fee.toFixed()).toBe(fill!.qty.times(rate!.taker).toFixed());
    expect(valueOf(ask(rest.balances(context()))).map(({ asset }) => asset)).toContain(fill!.feeAsset);
    if (rest.positions !== undefined) {
      expect(valueOf(ask(rest.positions(context())))).toMatchObject([{ venueSymbol: instrument.venueSymbol }]);
      expect(told.filter(({ kind }) => kind === 'position').length).toBeGreaterThan(0);
    }
    wire.send(wire.orders().cancel(ref(order), context(), '18', ''));
    expect(wire.take()).toMatchObject([
      { request: '18', to: 'cancel', answer: { kind: 'refused', meaning: 'not-open' } },
    ]);
  });

  it.each(refusals[id])('are refused for %s, the same over both ways', (_name, more, meaning) => {
    const { run, ticket, ask, context } = begin();
    expect(ask(rest.place(ticket(more), context()))).toMatchObject({ kind: 'refused', meaning });
    const wire = new Private(run, account, 'orders');
    wire.send(wire.orders().place(ticket(more), context(), '1', ''));
    expect(wire.take().at(-1)).toMatchObject({ answer: { kind: 'refused', meaning } });
  });

  it('are refused for their id, their time, their signature and their number', () => {
    const { run, ticket, ask, ref, context } = begin();
    const order = ticket();
    valueOf(ask(rest.place(order, context())));
    expect(ask(rest.place(order, context()))).toMatchObject({ meaning: 'duplicate-id' });
    expect(ask(rest.place(ticket(), { ...context(), nowMs: context().nowMs - 6_000 }))).toMatchObject({
      meaning: 'clock-skew',
    });
    expect(ask(rest.place(ticket(), contextOf(run, 'wrong')))).toMatchObject({ meaning: 'unauthorised' });
    expect(ask(rest.query(ref(ticket()), context()))).toMatchObject({ meaning: 'not-found' });
    const { credentials } = context();
    const stranger = { ...context(), credentials: { ...credentials, apiKey: 'nobody' } };
    expect(ask(rest.balances(stranger))).toMatchObject({ meaning: 'unauthorised' });
    run.simulator.fault({ venue: 'binance', kind: 'reject' });
    expect(ask(rest.place(ticket(), context()))).toMatchObject({ meaning: 'not-allowed' });
    run.simulator.fault({ venue: 'binance', kind: 'server-error' });
    expect(ask(rest.place(ticket(), context()))).toMatchObject({ meaning: 'in-doubt' });
    run.simulator.fault({ venue: 'binance', kind: 'rate-limited' });
    expect(ask(rest.place(ticket(), context()))).toMatchObject({ meaning: 'rate-limited' });
    const meanings = Array.from({ length: 301 }, () =>
      ask(rest.place(ticket({ postOnly: true, price: '200000' }), context())),
    );
    expect(meanings.at(-1)).toMatchObject({ meaning: 'rate-limited', code: '-1015' });
  });

  it('all end at once, alone or when nobody winds the clock', () => {
    const { run, ticket, ask, ref, instrument, context } = begin();
    const orders = [ticket(), ticket()];
    for (const order of orders) valueOf(ask(rest.place(order, context())));
    const statuses = () => orders.map((order) => valueOf(ask(rest.query(ref(order), context()))).status);
    const { deadMan } = account;
    if (deadMan.kind === 'timer') {
      const arm = (ms: number) => {
        for (const call of deadMan.arm(ms, [instrument], context())) valueOf(ask(call));
      };
      arm(2_000);
      run.forward(1_500);
      arm(2_000);
      run.forward(1_500);
      expect(statuses()).toEqual(['open', 'open']);
      run.forward(600);
      expect(statuses()).toEqual(['canceled', 'canceled']);
      arm(2_000);
      arm(0);
      orders.push(ticket());
      valueOf(ask(rest.place(orders[2]!, context())));
      run.forward(3_000);
      expect(statuses()[2]).toBe('open');
    }
    for (let again = 0; again < 2; again += 1)
      for (const call of rest.cancelAll([instrument], context())) valueOf(ask(call));
    expect(new Set(statuses())).toEqual(new Set(['canceled']));
  });

  it('say what the key may do, what time it is and what is used', () => {
    const { run, ticket, ask, context } = begin();
    expect(valueOf(ask(rest.permissions!(context())))).toEqual({ trade: true, withdraw: false });
    expect(valueOf(ask(rest.time!))).toBe(Math.floor(context().nowMs));
    const call = rest.place(ticket(), context());
    const { headers } = run.simulator.request({
      method: 'POST',
      path: placeOf(account.restUrl + call.path),
      headers: call.headers,
      body: call.body!,
    });
    const used = account.limits.used!(headers);
    expect(used['weight']).toBeGreaterThan(0);
    if (id !== 'coinm') expect(used['orders']).toBe(1);
  });

  it('are in doubt when the answer is lost, and found by their id', () => {
    const { run, ticket, ask, ref, context } = begin();
    run.simulator.fault({ venue: 'binance', kind: 'lost-ack' });
    const order = ticket();
    const wire = new Private(run, account, 'orders');
    wire.send(wire.orders().place(order, context(), '1', ''));
    expect(wire.take().filter(({ kind }) => kind === 'answer')).toEqual([]);
    expect(valueOf(ask(rest.query(ref(order), context())))).toMatchObject({ status: 'open' });
  });
});

describe('listen keys', () => {
  it.each(['usdm', 'coinm'])('of %s live an hour beyond their last renewal, and say when they end', (id) => {
    const run = virtualRun(51, {
      venues: ['binance'],
      symbols: [SYMBOLS.usdm, SYMBOLS.coinm],
      updates_per_second: 0.01,
    });
    const account = accountOf(id);
    const { pass } = account.sockets.find(({ carries }) => carries.includes('events'))!;
    const stream = new Private(run, account, 'events');
    const renew = () => asked(run, account, pass!.renew!.call(contextOf(run), ''));
    for (let half = 0; half < 3; half += 1) {
      run.forward(pass!.renew!.everyMs);
      expect(renew().kind).toBe('ok');
    }
    expect(stream.take()).toEqual([]);
    run.forward(3_600_100);
    expect(stream.take()).toEqual([{ kind: 'over', text: 'listenKeyExpired' }]);
    expect(renew()).toMatchObject({ kind: 'refused', code: '-1125' });
  });
});
