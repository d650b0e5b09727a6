import { describe, expect, it } from 'vitest';
import { krakenfutures } from '#hotpath/venues/krakenfutures.ts';
import type { AccountContext, AccountEvent, Answer, Call, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { BROKEN } from '#shared/domain/market-event.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { Run, TestSocket } from '../venue-client.ts';
import { socketTo, truth, virtualRun } from '../venue-client.ts';

/** Our own reading of Kraken's futures against the simulated ones, in process and on a virtual clock. */

const market = krakenfutures.markets[0]!;
const account = krakenfutures.accounts![0]!;
const { rest } = account;
const privateSocket = account.sockets[0]!;
const placeOf = (url: string): string => url.replace(/^\w+:\//, '');

function contextOf({ clock }: Run, changes: Partial<AccountContext> = {}): AccountContext {
  const { apiKey, secret } = DEFAULT_ACCOUNT;
  const nowMs = clock.unixMs(clock.now());
  return { credentials: { apiKey, secret }, nowMs, nonce: 1, facts: {}, marginMode: 'cross', leverage: 1, ...changes };
}
function asked<T>({ simulator }: Run, call: Call<T>): Answer<T> {
  const path = placeOf(account.restUrl + call.path);
  const { status, headers, body } = simulator.request({ method: call.method, path, headers: call.headers, body: '' });
  return call.read({ status, headers, text: body });
}
function valueOf<T>(answer: Answer<T>): T {
  if (answer.kind === 'refused') throw new Error(`${answer.code} ${answer.text}`);
  return answer.value;
}

function begun(seed: number) {
  const run = virtualRun(seed, { venues: ['krakenfutures'] });
  run.forward(1_000);
  const path = placeOf(market.restUrl + market.instruments.paths[0]!);
  const { body } = run.simulator.request({ method: 'GET', path, headers: {}, body: '' });
  const instruments = market.instruments.parse([body], market.defaultFees);
  const named = (symbol: string): Instrument => instruments.find((each) => each.symbol === symbol)!;
  const exchange = run.simulator.exchange('krakenfutures');
  const desk = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
  let count = 0;
  const ticket = (changes: Partial<OrderTicket> = {}): OrderTicket => {
    count += 1;
    return {
      clientOrderId: `a0002000${String(count).padStart(5, '0')}` as ClientOrderId,
      instrument: named('BTC/USD:USD'),
      side: 'buy',
      type: 'limit',
      price: '40000',
      qty: '0.01',
      timeInForce: 'GTC',
      postOnly: false,
      reduceOnly: false,
      ...changes,
    };
  };
  const place = (changes: Partial<OrderTicket> = {}) => asked(run, rest.place(ticket(changes), contextOf(run)));
  return { run, instruments, named, exchange, desk, ticket, place };
}

const eventsOf = (socket: TestSocket): readonly AccountEvent[] =>
  socket.take().flatMap((frame) => privateSocket.decode(Buffer.from(frame)));

/** A private socket that has answered its challenge. */
function opened(run: Run, secret = DEFAULT_ACCOUNT.secret): TestSocket {
  const socket = socketTo(run.simulator, placeOf(privateSocket.wsUrl));
  const context = contextOf(run, { credentials: { apiKey: DEFAULT_ACCOUNT.apiKey, secret } });
  for (const frame of privateSocket.login(context, '')) socket.send(frame);
  const challenge = eventsOf(socket).find(({ kind }) => kind === 'challenge');
  if (challenge?.kind !== 'challenge') throw new Error('no challenge');
  for (const frame of privateSocket.prove!(challenge.text, context)) socket.send(frame);
  return socket;
}

describe('krakenfutures market data', () => {
  it('lists what the engine reads: linear and inverse, perpetual and dated', () => {
    const { instruments } = begun(61);
    expect(instruments.map(({ symbol, kind, inverse }) => [symbol, kind, inverse])).toEqual([
      ['BTC/USD:USD', 'perpetual', false],
      ['ETH/USD:USD', 'perpetual', false],
      ['SOL/USD:USD', 'perpetual', false],
      ['BTC/USD:BTC', 'perpetual', true],
      ['BTC/USD:USD-261225', 'future', false],
      ['BTC/USD:BTC-261225', 'future', true],
    ]);
  });

  it("keeps live books that are the exchange's own, level by level and never crossed", () => {
    const { run, instruments, exchange } = begun(62);
    const rig = new MarketRig(market, instruments);
    const socket = socketTo(run.simulator, placeOf(market.wsUrl));
    for (const frame of market.subscribe(
      instruments.map(({ venueSymbol }) => venueSymbol),
      1,
    ))
      socket.send(frame);
    run.forward(15_000);
    const outcomes = socket.take().map((frame) => rig.take({ frame })?.outcome);
    expect(outcomes.length).toBeGreaterThan(1_000);
    expect(outcomes).not.toContain(BROKEN);
    for (const [index, { symbol }] of instruments.entries()) {
      expect(rig.store.depths.status(index as InstrumentIndex), symbol).toBe('live');
      const { bids, asks } = truth(exchange, symbol, 1);
      expect([rig.store.tops.bid[index], rig.store.tops.ask[index]], symbol).toEqual([bids[0]![0], asks[0]![0]]);
    }
  });

  it('breaks a book whose frame was lost, and a new snapshot heals it', () => {
    const { run, instruments } = begun(63);
    const rig = new MarketRig(market, instruments);
    const socket = socketTo(run.simulator, placeOf(market.wsUrl));
    for (const frame of market.subscribe(['PF_XBTUSD'], 1)) socket.send(frame);
    run.simulator.fault({ venue: 'krakenfutures', kind: 'gap' });
    run.forward(5_000);
    const outcomes = socket.take().map((frame) => rig.take({ frame })?.outcome);
    expect(outcomes).toContain(BROKEN);
    expect(rig.store.depths.status(0 as InstrumentIndex)).toBe('gap');
    for (const frame of market.unsubscribe!(['PF_XBTUSD'], 2)) socket.send(frame);
    for (const frame of market.subscribe(['PF_XBTUSD'], 3)) socket.send(frame);
    for (const frame of socket.take()) rig.take({ frame });
    expect(rig.store.depths.status(0 as InstrumentIndex)).toBe('live');
  });

  it('tells the tape, mark and funding', () => {
    const { run, instruments } = begun(64);
    const rig = new MarketRig(market, instruments);
    const socket = socketTo(run.simulator, placeOf(market.wsUrl));
    const symbols = instruments.map(({ venueSymbol }) => venueSymbol);
    for (const frame of market.streams!.subscribe(['trades', 'reference'], symbols, 1)) socket.send(frame);
    run.forward(20_000);
    for (const frame of socket.take()) rig.take({ frame });
    expect(rig.prints.length).toBeGreaterThan(10);
    expect(new Set(rig.references.map(({ instrument }) => instrument)).size).toBe(instruments.length);
    const nowMs = run.clock.unixMs(run.clock.now());
    for (const { instrument, fundingRate, nextFundingTimeMs, markPrice } of rig.references) {
      const perpetual = instruments[instrument]!.kind === 'perpetual';
      expect(Number.isNaN(fundingRate)).toBe(!perpetual);
      if (perpetual) expect(nextFundingTimeMs - nowMs).toBeLessThanOrEqual(3_600_000);
      expect(markPrice).toBeGreaterThan(0);
    }
  });

  it('answers a poll with the book', () => {
    const { run } = begun(65);
    const path = placeOf(market.restUrl + market.poll!.path('PI_XBTUSD'));
    const { body } = run.simulator.request({ method: 'GET', path, headers: {}, body: '' });
    const { orderBook } = JSON.parse(body) as { orderBook: { bids: number[][]; asks: number[][] } };
    expect(orderBook.bids.length).toBeGreaterThan(5);
    expect(orderBook.bids[0]![0]!).toBeLessThan(orderBook.asks[0]![0]!);
  });
});

describe('krakenfutures account', () => {
  it('rests an order, finds it while it is there and in the history after, and cancels it', () => {
    const { run, ticket, named } = begun(66);
    const order = ticket();
    const { venueOrderId } = valueOf(asked(run, rest.place(order, contextOf(run))));
    const instrument = named('BTC/USD:USD');
    const sentMs = contextOf(run).nowMs;
    const ref = {
      clientOrderId: order.clientOrderId,
      instrument,
      side: 'buy',
      venueOrderId: undefined,
      sentMs,
    } as const;
    expect(valueOf(asked(run, rest.query(ref, contextOf(run))))).toMatchObject({ venueOrderId, status: 'open' });
    expect(valueOf(asked(run, rest.openOrders([instrument], contextOf(run))[0]!))).toMatchObject([{ venueOrderId }]);
    expect(valueOf(asked(run, rest.openOrders([named('BTC/USD:BTC')], contextOf(run))[0]!))).toEqual([]);
    valueOf(asked(run, rest.cancel(ref, contextOf(run))));
    expect(valueOf(asked(run, rest.query(ref, contextOf(run))))).toMatchObject({ status: 'canceled' });
    run.forward(6_000);
    const late = asked(run, rest.query(ref, contextOf(run)));
    expect(late).toMatchObject({ meaning: 'not-found' });
    const past = late.kind === 'refused' ? late.elsewhere!(contextOf(run)) : undefined;
    expect(valueOf(asked(run, past!))).toMatchObject({ venueOrderId, status: 'canceled' });
    expect(asked(run, rest.cancel(ref, contextOf(run)))).toMatchObject({ meaning: 'not-found' });
  });

  it('hears of orders, fills, positions and money', () => {
    const { run, place, desk, exchange } = begun(67);
    const socket = opened(run);
    expect(eventsOf(socket).map(({ kind }) => kind)).toEqual(expect.arrayContaining(['balance', 'ready']));
    valueOf(place({ type: 'market', side: 'sell', timeInForce: 'IOC', qty: '0.5' }));
    const heard = eventsOf(socket);
    const fills = heard.flatMap((event) => (event.kind === 'fill' ? [event.fill] : []));
    const trades = exchange.ordersOf(desk).flatMap((order) => order.trades);
    expect(fills.map(({ fee }) => fee.toFixed())).toEqual(trades.map(({ fee }) => fee.toFixed()));
    expect(fills.every(({ feeAsset, side }) => feeAsset === 'USD' && side === 'sell')).toBe(true);
    const positions = heard.flatMap((event) => (event.kind === 'position' ? [event.position] : []));
    expect(positions.at(-1)?.qty.toFixed()).toBe('-0.5');
    expect(valueOf(asked(run, rest.positions!(contextOf(run))))[0]?.qty.toFixed()).toBe('-0.5');
    valueOf(place());
    expect(eventsOf(socket)).toMatchObject([{ kind: 'order', order: { status: 'open' } }]);
    run.simulator.exchange('krakenfutures').cancelAll(desk, () => true);
    expect(eventsOf(socket)).toMatchObject([{ kind: 'ended', status: 'canceled' }]);
    run.forward(2_000);
    expect(socket.take().some((frame) => frame.includes('heartbeat'))).toBe(true);
  });

  it('subscribes nobody who cannot sign', () => {
    const { run } = begun(68);
    const events = eventsOf(opened(run, 'd3Jvbmc='));
    expect(events.length).toBeGreaterThan(0);
    for (const event of events) expect(event).toMatchObject({ kind: 'error', refusal: { meaning: 'unauthorised' } });
  });

  it('cancels contract by contract, and ends everything when the countdown runs out', () => {
    const { run, place, named, instruments, desk, exchange } = begun(69);
    const inverse = named('BTC/USD:BTC');
    valueOf(place());
    valueOf(place({ instrument: inverse, qty: '100' }));
    for (const call of rest.cancelAll([named('BTC/USD:USD')], contextOf(run))) valueOf(asked(run, call));
    expect(exchange.ordersOf(desk, 'open').map(({ listing }) => listing.symbol)).toEqual(['BTC/USD:BTC']);
    const { deadMan } = account;
    if (deadMan.kind !== 'timer') throw new Error('the venue has a timer');
    const arm = (ms: number): void => void valueOf(asked(run, deadMan.arm(ms, instruments, contextOf(run))[0]!));
    arm(10_000);
    run.forward(8_000);
    arm(10_000);
    run.forward(8_000);
    expect(exchange.ordersOf(desk, 'open')).toHaveLength(1);
    run.forward(3_000);
    expect(exchange.ordersOf(desk, 'open')).toHaveLength(0);
  });

  it('tells its money by wallet, its fills and the time', () => {
    const { run, place, named, desk, exchange } = begun(70);
    valueOf(place({ type: 'market', timeInForce: 'IOC', qty: '0.5' }));
    const balances = valueOf(asked(run, rest.balances(contextOf(run))));
    expect(balances.map(({ asset, total }) => [asset, total.toNumber()])).toEqual([
      ['USD', desk.balance('flex', 'USD').total.toNumber()],
      ['BTC:fi_xbtusd', desk.balance('fi_xbtusd', 'BTC').total.toNumber()],
    ]);
    const fills = valueOf(asked(run, rest.fillsSince([named('BTC/USD:USD')], 0, contextOf(run))[0]!));
    const trades = exchange.ordersOf(desk).flatMap((order) => order.trades);
    expect(fills.map(({ fee }) => fee.toFixed()).toSorted()).toEqual(trades.map(({ fee }) => fee.toFixed()).toSorted());
    expect(valueOf(asked(run, rest.time!))).toBe(Math.floor(run.clock.unixMs(run.clock.now())));
  });

  it.each<[string, Partial<OrderTicket>, string]>([
    ['more than there is', { qty: '5000' }, 'insufficient-funds'],
    ['off the price grid', { price: '40000.5' }, 'invalid-order'],
    ['off the size grid', { qty: '0.00001' }, 'invalid-order'],
    ['taking though it must not', { postOnly: true, price: '900000' }, 'would-take'],
    ['adding though it must reduce', { reduceOnly: true }, 'reduce-only'],
  ])('refuses %s', (_name, changes, meaning) => {
    expect(begun(71).place(changes)).toMatchObject({ kind: 'refused', meaning });
  });

  it('refuses the wrong signature, an id twice, too many requests, and what it is told to', () => {
    const { run, place, ticket, named } = begun(72);
    const stranger = { credentials: { apiKey: DEFAULT_ACCOUNT.apiKey, secret: 'd3Jvbmc=' } };
    expect(asked(run, rest.balances(contextOf(run, stranger)))).toMatchObject({ meaning: 'unauthorised' });
    const order = ticket();
    valueOf(asked(run, rest.place(order, contextOf(run))));
    expect(asked(run, rest.place(order, contextOf(run)))).toMatchObject({ meaning: 'duplicate-id' });
    const nowhere = { ...named('BTC/USD:USD'), venueSymbol: 'PF_NONEUSD' };
    expect(place({ instrument: nowhere })).toMatchObject({ code: 'contractNotFound' });
    for (const [kind, meaning] of [
      ['reject', 'not-allowed'],
      ['rate-limited', 'rate-limited'],
      ['server-error', 'in-doubt'],
    ] as const) {
      run.simulator.fault({ venue: 'krakenfutures', kind });
      expect(place(), kind).toMatchObject({ meaning });
    }
    const answers = Array.from({ length: 60 }, () => place());
    expect(answers.at(-1)).toMatchObject({ meaning: 'rate-limited' });
    run.forward(11_000);
    expect(place().kind).toBe('ok');
  });

  it('ends an immediate order that finds nothing, and fills one by half when told to', () => {
    const { run, place } = begun(73);
    const idle = valueOf(place({ timeInForce: 'IOC', price: '1000' }));
    expect(idle.order).toMatchObject({ status: 'expired' });
    run.simulator.fault({ venue: 'krakenfutures', kind: 'partial-fill' });
    const half = valueOf(place({ timeInForce: 'IOC', price: '900000', qty: '0.02' }));
    expect([half.order?.status, half.order?.filled.toFixed()]).toEqual(['expired', '0.01']);
  });
});
