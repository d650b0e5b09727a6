import { describe, expect, it } from 'vitest';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountSocket,
  Answer,
  Call,
  OrderRef,
  OrderTicket,
} from '#hotpath/venues/venue-account.ts';
import type { Market, Venue } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import { socketTo, truth, virtualRun } from '../venue-client.ts';
import type { Run, TestSocket } from '../venue-client.ts';

/**
 * Our own reading of a venue against the simulated one, in process and on a virtual clock: what venues of one unified account have in common. Each
 * venue's test names its markets and codes, and adds what is its own.
 */
export type Suite = {
  readonly venue: Venue;
  /** Markets whose public side is read. */
  readonly markets: readonly string[];
  /** Levels a side that the feed keeps; all where absent. */
  readonly depth?: number;
  /** Market and symbol of the orders. */
  readonly orders: readonly (readonly [market: string, symbol: string])[];
  /** Orders that the venue does not take, by market. */
  readonly refusals: Readonly<Record<string, readonly Refusable[]>>;
  readonly rateLimitedCode: string;
  /** The limit on which an order counts. */
  readonly orderLimit: string;
};
export type Refusable = readonly [what: string, more: Partial<OrderTicket>, meaning: string];

export const marketOf = ({ markets }: Venue, id: string): Market => markets.find((market) => market.id === id)!;
/** `wss://host/path` → `/host/path`, under which the simulator has it. */
export const placeOf = (url: string): string => url.replace(/^\w+:\//, '');
const get = ({ simulator }: Run, url: string): string =>
  simulator.request({ method: 'GET', path: placeOf(url), headers: {}, body: '' }).body;
export const instrumentsOf = (run: Run, { restUrl, instruments, defaultFees }: Market): readonly Instrument[] =>
  instruments.parse(
    instruments.paths.map((path) => get(run, restUrl + path)),
    defaultFees,
  );
export const contextOf = ({ clock }: Run, more: Partial<AccountContext['credentials']> = {}): AccountContext => ({
  credentials: {
    apiKey: DEFAULT_ACCOUNT.apiKey,
    secret: DEFAULT_ACCOUNT.secret,
    passphrase: DEFAULT_ACCOUNT.passphrase,
    ...more,
  },
  nowMs: clock.unixMs(clock.now()),
  nonce: 1,
  facts: { user: '100001' },
  marginMode: 'cross',
  leverage: 1,
});

export function asked<T>(run: Run, account: Account, call: Call<T>): Answer<T> {
  const { status, headers, body } = run.simulator.request({
    method: call.method,
    path: placeOf(account.restUrl + call.path),
    headers: call.headers,
    body: call.body ?? '',
  });
  return call.read({ status, headers, text: body });
}
export function valueOf<T>(answer: Answer<T>): T {
  if (answer.kind === 'refused') throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
  return answer.value;
}

export function describeMarketData({ venue, markets, depth }: Suite): void {
  describe.each(markets)('market data of %s', (id) => {
    const market = marketOf(venue, id);

    it("keeps a live book that is the exchange's own, and loses faith when a frame is lost", () => {
      const run = virtualRun(31, { venues: [venue.id], dislocations_per_minute: 600 });
      run.forward(500);
      const [instrument] = instrumentsOf(run, market);
      const rig = new MarketRig(market, [instrument!]);
      const socket = socketTo(run.simulator, placeOf(market.wsUrl));
      for (const frame of market.subscribe([instrument!.venueSymbol], 1)) socket.send(frame);
      for (let frames = 0; frames < 150;) {
        run.forward(10);
        const taken = socket.take();
        for (const frame of taken) rig.take({ frame });
        frames += taken.length;
      }
      // Right after a batch of frames there is nothing that the other side does not know.
      for (let isTold = false; !isTold;) {
        run.forward(10);
        for (const frame of socket.take()) {
          isTold ||= rig.take({ frame }) !== undefined;
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
      expect({ bids: pairs(bids), asks: pairs(asks) }).toEqual(
        truth(run.simulator.exchange(venue.id), instrument!.symbol, depth),
      );

      run.simulator.fault({ venue: venue.id, kind: 'gap' });
      for (let step = 0; step < 50; step += 1) {
        run.forward(10);
        for (const frame of socket.take()) rig.take({ frame });
      }
      expect(rig.store.depths.status(index)).toBe('gap');
    });

    it('tells its tape and marks on the channels beside the books', () => {
      const run = virtualRun(32, { venues: [venue.id], updates_per_second: 4_000 });
      const instruments = instrumentsOf(run, market);
      const { kinds, subscribe } = market.streams!;
      const socket = socketTo(run.simulator, placeOf(market.wsUrl));
      const symbols = instruments.map(({ venueSymbol }) => venueSymbol);
      for (const frame of subscribe(kinds, symbols, 1)) socket.send(frame);
      run.forward(3_000);
      const rig = new MarketRig(market, instruments);
      for (const frame of socket.take()) expect(rig.take({ frame })).toBeUndefined();
      expect(rig.prints.length).toBeGreaterThan(0);
      expect(rig.references.length > 0).toBe(kinds.includes('reference'));
      const rates = rig.references.filter(({ fundingRate }) => !Number.isNaN(fundingRate));
      expect(rates.length > 0).toBe(kinds.includes('reference'));
      expect(rig.controls).not.toContain('error');
    });

    it('gives its book by REST as well', () => {
      const run = virtualRun(33, { venues: [venue.id] });
      run.forward(500);
      const [instrument] = instrumentsOf(run, market);
      const { path, decode } = market.poll!;
      const rig = new MarketRig({ ...market, book: { ...market.book, snapshot: { from: 'rest', path, decode } } }, [
        instrument!,
      ]);
      const body = get(run, market.restUrl + path(instrument!.venueSymbol));
      const taken = rig.snapshot(instrument!.venueSymbol, Buffer.from(body));
      expect(taken?.update.bids.count).toBeGreaterThan(10);
      const best = truth(run.simulator.exchange(venue.id), instrument!.symbol, 1);
      expect(taken?.update.asks.prices[0]).toBe(best.asks[0]![0]);
    });
  });
}

/** A private socket as the engine would drive it, by hand. */
export class Private {
  readonly #events: AccountEvent[] = [];
  readonly #socket: TestSocket;
  readonly #spec: AccountSocket;

  constructor(run: Run, account: Account, carries: 'events' | 'orders', context = contextOf(run)) {
    this.#spec = account.sockets.find((socket) => socket.carries.includes(carries))!;
    const { pass: asking, path, wsUrl, login, prove, subscribe } = this.#spec;
    const pass = asking === undefined ? '' : valueOf(asked(run, account, asking.ask(contextOf(run))));
    this.#socket = socketTo(run.simulator, placeOf(wsUrl + (path?.(context, pass) ?? '')));
    for (const frame of login(context, pass)) this.#socket.send(frame);
    for (const event of this.take()) {
      this.#events.push(event);
      if (event.kind === 'challenge') for (const frame of prove!(event.text, context)) this.#socket.send(frame);
    }
    for (const frame of subscribe([], context, pass)) this.#socket.send(frame);
    this.#events.push(...this.take());
  }

  /** What was said while it opened. */
  get opening(): readonly AccountEvent[] {
    return this.#events;
  }

  get closes(): readonly number[] {
    return this.#socket.closes;
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

export function describeOrders(suite: Suite): void {
  const { venue } = suite;
  describe.each(suite.orders)('orders of %s', (id, symbol) => {
    const account = venue.accounts!.find(({ markets }) => markets.includes(id))!;
    const { rest, deadMan } = account;
    const begin = () => {
      const run = virtualRun(41, {
        venues: [venue.id],
        symbols: [symbol],
        updates_per_second: 20,
        dislocations_per_minute: 0,
      });
      run.forward(1_000);
      const [instrument] = instrumentsOf(run, marketOf(venue, id)).filter((each) => each.symbol === symbol);
      const exchange = run.simulator.exchange(venue.id);
      const listing = exchange.listings.find((each) => each.symbol === symbol)!;
      const ask = <T>(call: Call<T>): Answer<T> => asked(run, account, call);
      let made = 0;
      const ticket = (more: Partial<OrderTicket> = {}): OrderTicket => ({
        clientOrderId: `a0001000${String((made += 1)).padStart(5, '0')}` as ClientOrderId,
        instrument: instrument!,
        side: 'buy',
        type: 'limit',
        price: '50000',
        qty: id === 'spot' ? '0.02' : '30',
        timeInForce: 'GTC',
        postOnly: false,
        reduceOnly: false,
        ...more,
      });
      const ref = (order: OrderTicket): OrderRef => ({
        ...order,
        venueOrderId: undefined,
        sentMs: contextOf(run).nowMs - 1_000,
      });
      const asks = () => exchange.engine(listing).asks.best()!.price;
      const dear = (): string => ((asks() + 500) / 10).toFixed(1);
      return { run, instrument: instrument!, ask, ticket, ref, dear, context: () => contextOf(run) };
    };

    it('rest, are asked for, listed and cancelled, and the stream tells', () => {
      const { run, ticket, ask, ref, instrument, context } = begin();
      const stream = new Private(run, account, 'events');
      expect(stream.opening.filter(({ kind }) => kind === 'error')).toEqual([]);
      const order = ticket({ postOnly: true });
      const name = account.clientOrderId(order.clientOrderId);
      const { venueOrderId } = valueOf(ask(rest.place(order, context())));
      expect(Number.isSafeInteger(Number(venueOrderId))).toBe(false);
      expect(valueOf(ask(rest.query(ref(order), context())))).toMatchObject({
        status: 'open',
        clientOrderId: name,
        venueOrderId,
      });
      const [open] = rest.openOrders([instrument], context());
      expect(valueOf(ask(open!)).map((each) => each.venueOrderId)).toEqual([venueOrderId]);
      expect(ask(rest.cancel({ ...ref(order), venueOrderId }, context())).kind).toBe('ok');
      expect(ask(rest.cancel(ref(order), context()))).toMatchObject({ meaning: 'not-open' });
      expect(valueOf(ask(rest.query(ref(order), context())))).toMatchObject({ status: 'canceled' });
      const told = stream.take().filter((event) => event.kind === 'order');
      expect(told.map(({ order: each }) => [each.status, each.clientOrderId, each.venueOrderId])).toEqual([
        ['open', name, venueOrderId],
        ['canceled', name, venueOrderId],
      ]);
    });

    it('trade IOC over their socket, and fills, balances and fees agree', () => {
      const { run, ticket, ask, ref, dear, instrument, context } = begin();
      const stream = new Private(run, account, 'events');
      const wire = new Private(run, account, 'orders');
      expect(wire.opening).toContainEqual({ kind: 'ready' });
      const order = ticket({ timeInForce: 'IOC', price: dear() });
      wire.send(wire.orders().place(order, context(), '17', ''));
      const answers = wire.take().filter((event) => event.kind === 'answer');
      expect(answers).toMatchObject([{ request: '17', to: 'place', answer: { kind: 'ok' } }]);
      const state = valueOf(ask(rest.query(ref(order), context())));
      expect(['filled', 'expired']).toContain(state.status);
      const [since] = rest.fillsSince([instrument], context().nowMs - 1_000, context());
      const listed = valueOf(ask(since!));
      const told = stream.take();
      const fills = told.flatMap((event) => (event.kind === 'fill' ? [event.fill] : []));
      const bare = (list: typeof listed) =>
        list.map((fill) => ({ ...fill, clientOrderId: '' })).sort((a, b) => Number(a.tradeId) - Number(b.tradeId));
      expect(bare(fills)).toEqual(bare(listed));
      expect(fills.every(({ liquidity }) => liquidity === 'taker')).toBe(true);
      expect(fills.reduce((sum, { qty }) => sum.plus(qty), state.filled.times(0)).toFixed()).toBe(
        state.filled.toFixed(),
      );
      const [fees] = rest.fees([instrument], context());
      const [rate] = valueOf(ask(fees!));
      expect(rate!.taker.toFixed()).toBe(instrument.fees.taker.toFixed());
      expect(valueOf(ask(rest.balances(context()))).map(({ asset }) => asset)).toContain(fills[0]!.feeAsset);
      if (instrument.kind !== 'spot') {
        const positions = valueOf(ask(rest.positions!(context())));
        expect(positions).toMatchObject([{ venueSymbol: instrument.venueSymbol }]);
        expect(positions[0]!.qty.toFixed()).toBe(state.filled.toFixed());
        expect(told.filter(({ kind }) => kind === 'position').length).toBeGreaterThan(0);
      } else expect(told.filter(({ kind }) => kind === 'balance').length).toBeGreaterThan(0);
      wire.send(wire.orders().cancel({ ...ref(order), venueOrderId: state.venueOrderId }, context(), '18', ''));
      expect(wire.take().filter(({ kind }) => kind === 'answer')).toMatchObject([
        { request: '18', to: 'cancel', answer: { kind: 'refused', meaning: 'not-open' } },
      ]);
    });

    it.each(suite.refusals[id] ?? [])('are refused for %s, the same over both ways', (_name, more, meaning) => {
      const { run, ticket, ask, context } = begin();
      expect(ask(rest.place(ticket(more), context()))).toMatchObject({ kind: 'refused', meaning });
      const wire = new Private(run, account, 'orders');
      wire.send(wire.orders().place(ticket(more), context(), '1', ''));
      expect(wire.take().at(-1)).toMatchObject({ request: '1', to: 'place', answer: { kind: 'refused', meaning } });
    });

    it('are refused for their id, their time, their signature and their number', () => {
      const { run, ticket, ask, ref, context } = begin();
      const order = ticket();
      valueOf(ask(rest.place(order, context())));
      expect(ask(rest.place(order, context()))).toMatchObject({ meaning: 'duplicate-id' });
      const late = { ...context(), nowMs: context().nowMs - 100_000 };
      expect(ask(rest.place(ticket(), late))).toMatchObject({ meaning: 'clock-skew' });
      expect(ask(rest.place(ticket(), contextOf(run, { secret: 'wrong' })))).toMatchObject({ meaning: 'unauthorised' });
      expect(ask(rest.balances(contextOf(run, { apiKey: 'nobody' })))).toMatchObject({ meaning: 'unauthorised' });
      expect(ask(rest.query(ref(ticket()), context()))).toMatchObject({ meaning: 'not-found' });
      run.simulator.fault({ venue: venue.id, kind: 'reject' });
      expect(ask(rest.place(ticket(), context()))).toMatchObject({ meaning: 'not-allowed' });
      run.simulator.fault({ venue: venue.id, kind: 'server-error' });
      expect(ask(rest.place(ticket(), context()))).toMatchObject({ meaning: 'in-doubt' });
      run.simulator.fault({ venue: venue.id, kind: 'rate-limited' });
      expect(ask(rest.place(ticket(), context()))).toMatchObject({ meaning: 'rate-limited' });
      const refused = Array.from({ length: 201 }, () => ask(rest.place(ticket({ qty: '0' }), context())));
      expect(refused.at(-1)).toMatchObject({ meaning: 'rate-limited', code: suite.rateLimitedCode });
    });

    it('all end at once, alone or when nobody winds the clock', () => {
      const { run, ticket, ask, ref, instrument, context } = begin();
      const orders = [ticket(), ticket()];
      for (const order of orders) valueOf(ask(rest.place(order, context())));
      const statuses = () => orders.map((order) => valueOf(ask(rest.query(ref(order), context()))).status);
      if (deadMan.kind !== 'timer') throw new Error('no timer');
      const arm = (ms: number): void => {
        for (const call of deadMan.arm(ms, [instrument], context())) valueOf(ask(call));
      };
      arm(6_000);
      run.forward(4_000);
      arm(6_000);
      run.forward(4_000);
      expect(statuses()).toEqual(['open', 'open']);
      run.forward(3_000);
      expect(statuses()).toEqual(['canceled', 'canceled']);
      arm(6_000);
      arm(0);
      orders.push(ticket());
      valueOf(ask(rest.place(orders[2]!, context())));
      run.forward(8_000);
      expect(statuses()[2]).toBe('open');
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
      expect(account.limits.used!(headers)[suite.orderLimit]).toBeGreaterThan(0);
    });

    it('are in doubt when the answer is lost, and found by their id', () => {
      const { run, ticket, ask, ref, context } = begin();
      run.simulator.fault({ venue: venue.id, kind: 'lost-ack' });
      const order = ticket();
      const wire = new Private(run, account, 'orders');
      wire.send(wire.orders().place(order, context(), '1', ''));
      expect(wire.take().filter(({ kind }) => kind === 'answer')).toEqual([]);
      expect(valueOf(ask(rest.query(ref(order), context())))).toMatchObject({ status: 'open' });
    });
  });
}
