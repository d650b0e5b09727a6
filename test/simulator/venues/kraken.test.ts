import { describe, expect, it } from 'vitest';
import { kraken } from '#hotpath/venues/kraken.ts';
import type { AccountContext, AccountEvent, Answer, Call, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { Run } from '../venue-client.ts';
import { socketTo, truth, virtualRun } from '../venue-client.ts';

/** Our own reading of Kraken against the simulated one, in process and on a virtual clock. */

const market = kraken.markets[0]!;
const account = kraken.accounts![0]!;
const { rest } = account;
const privateSocket = account.sockets[0]!;
const placeOf = (url: string): string => url.replace(/^\w+:\//, '');

let nonce = 1_795_219_200_000_000;
function contextOf({ clock }: Run, changes: Partial<AccountContext> = {}): AccountContext {
  nonce += 1;
  const { apiKey, secret } = DEFAULT_ACCOUNT;
  const nowMs = clock.unixMs(clock.now());
  return { credentials: { apiKey, secret }, nowMs, nonce, facts: {}, marginMode: 'cross', leverage: 1, ...changes };
}
function asked<T>({ simulator }: Run, call: Call<T>): Answer<T> {
  const path = placeOf(account.restUrl + call.path);
  const request = { method: call.method, path, headers: call.headers, body: call.body ?? '' };
  const { status, headers, body } = simulator.request(request);
  return call.read({ status, headers, text: body });
}
function valueOf<T>(answer: Answer<T>): T {
  if (answer.kind === 'refused') throw new Error(`${answer.code} ${answer.text}`);
  return answer.value;
}
function instrumentsOf({ simulator }: Run): readonly Instrument[] {
  const path = placeOf(market.restUrl + market.instruments.paths[0]!);
  const { body } = simulator.request({ method: 'GET', path, headers: {}, body: '' });
  return market.instruments.parse([body], market.defaultFees);
}

const SYMBOLS = ['BTC/USDT', 'ETH/USDT', 'BTC/USD'];
function begun(seed: number) {
  const run = virtualRun(seed, { venues: ['kraken'], symbols: SYMBOLS });
  run.forward(1_000);
  const instruments = instrumentsOf(run);
  const [instrument] = instruments as [Instrument];
  const exchange = run.simulator.exchange('kraken');
  const desk = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
  let count = 0;
  const ticket = (changes: Partial<OrderTicket> = {}): OrderTicket => {
    count += 1;
    return {
      clientOrderId: `a0002000${String(count).padStart(5, '0')}` as ClientOrderId,
      instrument,
      side: 'buy',
      type: 'limit',
      price: '40000.0',
      qty: '0.01',
      timeInForce: 'GTC',
      postOnly: false,
      reduceOnly: false,
      ...changes,
    };
  };
  const place = (changes: Partial<OrderTicket> = {}) => asked(run, rest.place(ticket(changes), contextOf(run)));
  return { run, instruments, instrument, exchange, desk, ticket, place };
}

describe('kraken market data', () => {
  it("keeps a live book that is the exchange's own, and the tape", () => {
    const { run, instruments, exchange } = begun(41);
    const rig = new MarketRig(market, instruments);
    const books = socketTo(run.simulator, placeOf(market.wsUrl));
    for (const frame of market.subscribe(['BTC/USDT'], 1)) books.send(frame);
    const tape = socketTo(run.simulator, placeOf(market.wsUrl));
    for (const frame of market.streams!.subscribe(['trades'], ['BTC/USDT'], 2)) tape.send(frame);
    run.forward(20_000);
    for (const frame of [...books.take(), ...tape.take()]) rig.take({ frame });
    const index = instruments.findIndex(({ symbol }) => symbol === 'BTC/USDT') as InstrumentIndex;
    expect(rig.store.depths.status(index)).toBe('live');
    expect(rig.store.statistics(index)).toMatchObject({ checksumsWrong: 0 });
    const { bids, asks } = truth(exchange, 'BTC/USDT', 1);
    expect([rig.store.tops.bid[index], rig.store.tops.ask[index]]).toEqual([bids[0]![0], asks[0]![0]]);
    expect(rig.prints.length).toBeGreaterThan(10);
    expect(new Set(rig.prints.map(({ instrument }) => instrument))).toEqual(new Set([index]));
  });

  it('answers a poll with the book', () => {
    const { run, instruments } = begun(42);
    const path = placeOf(market.restUrl + market.poll!.path('BTC/USD'));
    const { body } = run.simulator.request({ method: 'GET', path, headers: {}, body: '' });
    expect(Object.keys((JSON.parse(body) as { result: object }).result)).toEqual(['XXBTZUSD']);
    expect(instruments.map(({ symbol }) => symbol).toSorted()).toEqual(SYMBOLS.toSorted());
  });
});

describe('kraken account', () => {
  it('rests an order, finds it by either id, and cancels it', () => {
    const { run, ticket, instrument, desk, exchange } = begun(43);
    const order = ticket();
    const { venueOrderId } = valueOf(asked(run, rest.place(order, contextOf(run))));
    const { clientOrderId } = order;
    const ref = { clientOrderId, instrument, side: 'buy', venueOrderId: undefined, sentMs: 0 } as const;
    expect(valueOf(asked(run, rest.query(ref, contextOf(run))))).toMatchObject({ venueOrderId, status: 'open' });
    expect(valueOf(asked(run, rest.query({ ...ref, venueOrderId }, contextOf(run))))).toMatchObject({ clientOrderId });
    valueOf(asked(run, rest.cancel(ref, contextOf(run))));
    expect(exchange.ordersOf(desk).map(({ status }) => status)).toEqual(['canceled']);
    const gone = asked(run, rest.query(ref, contextOf(run)));
    expect(gone).toMatchObject({ kind: 'refused', meaning: 'not-found' });
    const closed = gone.kind === 'refused' ? gone.elsewhere!(contextOf(run)) : undefined;
    expect(valueOf(asked(run, closed!))).toMatchObject({ venueOrderId, status: 'canceled' });
    expect(asked(run, rest.cancel(ref, contextOf(run)))).toMatchObject({ meaning: 'not-found' });
  });

  it('cancels the orders of its pairs and leaves the others', () => {
    const { run, place, instruments, desk, exchange } = begun(44);
    const [btc, eth] = ['BTC/USDT', 'ETH/USDT'].map((symbol) => instruments.find((each) => each.symbol === symbol)!);
    for (let at = 0; at < 60; at += 1) valueOf(place({ instrument: btc!, qty: '0.0001' }));
    valueOf(place({ instrument: eth!, price: '1000.00', qty: '0.1' }));
    let call: Call<unknown> | undefined = rest.cancelAll([btc!], contextOf(run))[0];
    let calls = 0;
    while (call !== undefined) {
      const answer: Answer<unknown> = asked(run, call);
      calls += 1;
      call = answer.kind === 'ok' ? answer.more?.(contextOf(run)) : undefined;
    }
    expect(calls).toBe(3);
    expect(exchange.ordersOf(desk, 'open').map(({ listing }) => listing.symbol)).toEqual(['ETH/USDT']);
  });

  it('places and cancels over the socket, and hears of both', () => {
    const { run, ticket, instrument } = begun(45);
    const pass = valueOf(asked(run, privateSocket.pass!.ask(contextOf(run))));
    const socket = socketTo(run.simulator, placeOf(privateSocket.wsUrl));
    const events = (): readonly AccountEvent[] =>
      socket.take().flatMap((frame) => privateSocket.decode(Buffer.from(frame)));
    for (const frame of privateSocket.subscribe([instrument], contextOf(run), pass)) socket.send(frame);
    expect(events().some(({ kind }) => kind === 'balance')).toBe(true);
    const order = ticket({ type: 'market', side: 'sell', timeInForce: 'IOC' });
    socket.send(privateSocket.orders!.place(order, contextOf(run), '7', pass));
    const heard = events();
    expect(heard.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['order', 'fill', 'ended', 'balance', 'answer']),
    );
    expect(heard.find(({ kind }) => kind === 'answer')).toMatchObject({
      request: '7',
      to: 'place',
      answer: { kind: 'ok' },
    });
    const resting = ticket();
    socket.send(privateSocket.orders!.place(resting, contextOf(run), '8', pass));
    const { clientOrderId } = resting;
    const ref = { clientOrderId, instrument, side: 'buy', venueOrderId: undefined, sentMs: 0 } as const;
    socket.send(privateSocket.orders!.cancel(ref, contextOf(run), '9', pass));
    expect(events().filter(({ kind }) => kind === 'ended')).toMatchObject([{ status: 'canceled', clientOrderId }]);
    socket.send(privateSocket.orders!.place(ticket(), contextOf(run), '10', 'stolen'));
    expect(events()).toMatchObject([{ request: '10', answer: { meaning: 'unauthorised' } }]);
  });

  it('reads every page of its fills, with the fees that were charged', () => {
    const { run, place, instrument, desk, exchange } = begun(46);
    for (let at = 0; at < 55; at += 1) valueOf(place({ type: 'market', timeInForce: 'IOC', qty: '0.001' }));
    const fills: string[] = [];
    let call: Call<readonly { readonly fee: { toFixed(): string } }[]> | undefined = rest.fillsSince(
      [instrument],
      0,
      contextOf(run),
    )[0];
    while (call !== undefined) {
      const answer: Answer<readonly { readonly fee: { toFixed(): string } }[]> = asked(run, call);
      fills.push(...valueOf(answer).map(({ fee }) => fee.toFixed()));
      call = answer.kind === 'ok' ? answer.more?.(contextOf(run)) : undefined;
    }
    const booked = exchange.ordersOf(desk).flatMap(({ trades }) => trades.map(({ fee }) => fee.toFixed()));
    expect(booked.length).toBeGreaterThan(50);
    expect(fills.toSorted()).toEqual(booked.toSorted());
  });

  it('ends every order when the countdown runs out, and none when it was renewed', () => {
    const { run, place, instruments, desk, exchange } = begun(47);
    const { deadMan } = account;
    if (deadMan.kind !== 'timer') throw new Error('the venue has a timer');
    const arm = (ms: number): void => void valueOf(asked(run, deadMan.arm(ms, instruments, contextOf(run))[0]!));
    valueOf(place());
    arm(10_000);
    run.forward(8_000);
    arm(10_000);
    run.forward(8_000);
    expect(exchange.ordersOf(desk, 'open')).toHaveLength(1);
    run.forward(3_000);
    expect(exchange.ordersOf(desk, 'open')).toHaveLength(0);
    valueOf(place());
    arm(10_000);
    arm(0);
    run.forward(20_000);
    expect(exchange.ordersOf(desk, 'open')).toHaveLength(1);
  });

  it('knows its fees, its key, its money and the time', () => {
    const { run, instruments, desk } = begun(48);
    const fees = rest.fees(instruments, contextOf(run)).flatMap((call) => valueOf(asked(run, call)));
    expect(fees.map(({ maker, taker }) => [maker.toFixed(), taker.toFixed()])).toEqual(
      instruments.map(() => ['0.001', '0.0016']),
    );
    expect(valueOf(asked(run, rest.permissions!(contextOf(run))))).toEqual({ trade: true, withdraw: false });
    const balances = new Map(
      valueOf(asked(run, rest.balances(contextOf(run)))).map((each) => [each.asset, each.total]),
    );
    for (const asset of desk.assets('spot')) {
      expect(balances.get(asset)?.toFixed(), asset).toBe(desk.balance('spot', asset).total.toFixed());
    }
    expect(Math.abs(valueOf(asked(run, rest.time!)) - run.clock.unixMs(run.clock.now()))).toBeLessThanOrEqual(1_000);
  });

  it.each<[string, Partial<OrderTicket>, string]>([
    ['more than there is', { qty: '5000' }, 'insufficient-funds'],
    ['too little', { qty: '0.00001' }, 'below-minimum'],
    ['too little money', { qty: '0.00005', price: '1.0' }, 'below-minimum'],
    ['off the grid', { price: '40000.123' }, 'invalid-order'],
    ['taking though it must not', { postOnly: true, price: '900000.0', qty: '0.0001' }, 'would-take'],
  ])('refuses %s', (_name, changes, meaning) => {
    expect(begun(49).place(changes)).toMatchObject({ kind: 'refused', meaning });
  });

  it('refuses the wrong key, signature and nonce, too many orders, and what it is told to', () => {
    const { run, place, ticket } = begun(50);
    const { apiKey } = DEFAULT_ACCOUNT;
    const as = (changes: Partial<AccountContext>) => asked(run, rest.balances(contextOf(run, changes)));
    expect(as({ credentials: { apiKey, secret: 'd3Jvbmc=' } })).toMatchObject({ code: 'EAPI:Invalid signature' });
    expect(as({ credentials: { apiKey: 'nobody', secret: 'd3Jvbmc=' } })).toMatchObject({ meaning: 'unauthorised' });
    expect(as({}).kind).toBe('ok');
    expect(as({ nonce: 5 })).toMatchObject({ meaning: 'clock-skew' });
    run.simulator.fault({ venue: 'kraken', kind: 'reject' });
    expect(place()).toMatchObject({ kind: 'refused' });
    run.simulator.fault({ venue: 'kraken', kind: 'rate-limited' });
    expect(place()).toMatchObject({ meaning: 'rate-limited' });
    run.simulator.fault({ venue: 'kraken', kind: 'server-error' });
    expect(place()).toMatchObject({ meaning: 'in-doubt' });
    const answers = Array.from({ length: 230 }, () =>
      asked(run, rest.place(ticket({ qty: '0.0001' }), contextOf(run))),
    );
    expect(answers.at(-1)).toMatchObject({ meaning: 'rate-limited' });
  });

  it('takes batches of orders and cancels', () => {
    const { run, desk, exchange } = begun(51);
    const pass = valueOf(asked(run, privateSocket.pass!.ask(contextOf(run))));
    const socket = socketTo(run.simulator, placeOf(privateSocket.wsUrl));
    const order = { order_type: 'limit', side: 'buy', order_qty: 0.001, limit_price: 40_000 };
    const orders = [
      { ...order, cl_ord_id: 'one' },
      { ...order, cl_ord_id: 'two' },
    ];
    socket.send({ method: 'batch_add', params: { symbol: 'BTC/USDT', orders, token: pass }, req_id: 1 });
    expect(exchange.ordersOf(desk, 'open').map(({ clientOrderId }) => clientOrderId)).toEqual(['one', 'two']);
    socket.send({ method: 'batch_cancel', params: { orders: ['one', 'two'], token: pass }, req_id: 2 });
    expect(exchange.ordersOf(desk, 'open')).toEqual([]);
    expect(JSON.parse(socket.take().at(-1)!)).toMatchObject({ success: true, orders_cancelled: 2 });
  });
});
