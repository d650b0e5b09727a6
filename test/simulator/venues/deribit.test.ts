import { describe, expect, it } from 'vitest';
import { deribit } from '#hotpath/venues/deribit.ts';
import type { AccountContext, Answer, Call, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { Run, TestSocket } from '../venue-client.ts';
import { get, ORIGIN_MS, socketTo, truth, virtualRun } from '../venue-client.ts';

const account = deribit.accounts![0]!;
const { rest, sockets } = account;
const ours = sockets[0]!;
const { apiKey, secret } = DEFAULT_ACCOUNT;

const contextAt = (nowMs: number, keys = { apiKey, secret }): AccountContext => ({
  credentials: keys,
  nowMs,
  nonce: nowMs,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
});

const start = (): Run => virtualRun(32, { venues: ['deribit'], batch_ms: 0 });

/** What the venue's own metadata says of an instrument. */
function listed(simulator: Simulator, id: string, symbol: string): Instrument {
  const { instruments, defaultFees } = deribit.markets.find((market) => market.id === id)!;
  const bodies = instruments.paths.map((path) => JSON.stringify(get(simulator, `/www.deribit.com${path}`)));
  return instruments.parse(bodies, defaultFees).find(({ venueSymbol }) => venueSymbol === symbol)!;
}
const perpetual = (simulator: Simulator): Instrument => listed(simulator, 'swap', 'BTC-PERPETUAL');

function answer<T>(simulator: Simulator, { method, path, headers, body = '', read }: Call<T>): Answer<T> {
  const reply = simulator.request({ method, path: `/www.deribit.com${path}`, headers, body });
  return read({ status: reply.status, headers: reply.headers, text: reply.body });
}

const opened = (simulator: Simulator, frames: readonly string[]): TestSocket => {
  const socket = socketTo(simulator, '/www.deribit.com/ws/api/v2');
  for (const frame of frames) socket.send(frame);
  return socket;
};

/** Every level that our book has of the first instrument. */
function levelsOf({ store }: MarketRig): { readonly bids: number[][]; readonly asks: number[][] } {
  const side = (name: 'bids' | 'asks'): number[][] => {
    const [prices, qtys] = [new Float64Array(1_000), new Float64Array(1_000)];
    const count = store.depths[name](0 as InstrumentIndex, prices, qtys);
    return Array.from({ length: count }, (_, at) => [prices[at]!, qtys[at]!]);
  };
  return { bids: side('bids'), asks: side('asks') };
}

const ticketOf = (instrument: Instrument, change: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument,
  side: 'buy',
  type: 'limit',
  price: '50000',
  qty: '10',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...change,
});

const openOrders = (simulator: Simulator): number => {
  const exchange = simulator.exchange('deribit');
  return exchange.ordersOf(exchange.ledger.byKey(apiKey)!, 'open').length;
};

describe('the simulated Deribit', () => {
  it.each([
    ['swap', 'BTC-PERPETUAL'],
    ['swap', 'BTC_USDC-PERPETUAL'],
    ['futures', 'BTC-25DEC26'],
    ['options', 'BTC-25DEC26-90000-C'],
  ])('%s %s: sends books, trades and tickers that our decoder follows to the last level', (id, symbol) => {
    const { simulator, forward } = start();
    const market = deribit.markets.find((each) => each.id === id)!;
    const rig = new MarketRig(market, [listed(simulator, id, symbol)]);
    const { kinds, subscribe } = market.streams!;
    const socket = opened(simulator, [
      ...(market.greeting ?? []),
      ...market.subscribe([symbol], 1),
      ...subscribe(kinds, [symbol], 2),
    ]);
    for (let step = 0; step < 40; step += 1) {
      forward(200);
      for (const frame of socket.take()) {
        rig.take({ frame });
        if (rig.controls.at(-1) === 'ping' && market.heartbeat.kind === 'server-text')
          socket.send(market.heartbeat.reply(frame));
      }
    }
    expect(rig.store.depths.status(0 as InstrumentIndex)).toBe('live');
    expect(rig.store.statistics(0 as InstrumentIndex)).toMatchObject({ gaps: 0 });
    expect(rig.controls).not.toContain('error');
    expect(levelsOf(rig)).toEqual(truth(simulator.exchange('deribit'), symbol));
    expect(rig.prints.length).toBeGreaterThan(0);
    const { markPrice, delta, markVolatility, fundingRate } = rig.references.at(-1)!;
    expect(markPrice).toBeGreaterThan(0);
    expect([delta > 0 && delta < 1, markVolatility > 0.3 && markVolatility < 0.9]).toEqual(
      id === 'options' ? [true, true] : [false, false],
    );
    expect(Number.isNaN(fundingRate)).toBe(id !== 'swap');
  });

  it('shows a lost frame by its chain, and brings no snapshot to who asks again', () => {
    const { simulator, forward } = start();
    const market = deribit.markets[0]!;
    const rig = new MarketRig(market, [perpetual(simulator)]);
    const socket = opened(simulator, market.subscribe(['BTC-PERPETUAL'], 1));
    forward(1_000);
    simulator.fault({ venue: 'deribit', market: 'swap', kind: 'gap' });
    forward(3_000);
    for (const frame of socket.take()) rig.take({ frame });
    expect(rig.store.depths.status(0 as InstrumentIndex)).toBe('gap');
    socket.send(market.subscribe(['BTC-PERPETUAL'], 2)[0]!);
    expect(socket.take().join()).not.toContain('"type":"snapshot"');
  });

  it('accepts the channels that there are, and raw ones after a login', () => {
    const { simulator } = start();
    const socket = opened(simulator, []);
    const ask = (...channels: string[]): unknown => {
      socket.send({ jsonrpc: '2.0', id: 5, method: 'public/subscribe', params: { channels } });
      return JSON.parse(socket.take()[0]!);
    };
    expect(ask('book.NOPE.100ms', 'book.BTC-PERPETUAL.100ms')).toMatchObject({ result: ['book.BTC-PERPETUAL.100ms'] });
    expect(ask('book.BTC-PERPETUAL.raw')).toMatchObject({ error: { code: 13778 } });
    socket.send(ours.login(contextAt(ORIGIN_MS), '').at(-1)!);
    socket.take();
    expect(ask('book.BTC-PERPETUAL.raw')).toMatchObject({ result: ['book.BTC-PERPETUAL.raw'] });
  });

  it('hangs up on who does not answer its heartbeat', () => {
    const { simulator, forward } = start();
    const deaf = opened(simulator, deribit.markets[0]!.greeting ?? []);
    forward(15_000);
    expect(deaf.take().join()).toContain('test_request');
    expect(deaf.closes).toEqual([]);
    forward(10_000);
    expect(deaf.closes).toEqual([1000]);
  });
});

describe('orders on the simulated Deribit', () => {
  const session = (simulator: Simulator): TestSocket => {
    const context = contextAt(ORIGIN_MS);
    return opened(simulator, [...ours.login(context, ''), ...ours.subscribe([perpetual(simulator)], context, '')]);
  };
  const eventsOf = (socket: TestSocket) => socket.take().flatMap((frame) => ours.decode(Buffer.from(frame)));

  it('go out and are told of on one socket', () => {
    const { simulator, forward } = start();
    const socket = session(simulator);
    const instrument = perpetual(simulator);
    const context = contextAt(ORIGIN_MS);
    expect(eventsOf(socket).map(({ kind }) => kind)).toEqual(['ready']);
    socket.send(ours.orders!.place(ticketOf(instrument, { type: 'market', qty: '50' }), context, '1', ''));
    forward(20);
    const events = eventsOf(socket);
    expect(new Set(events.map(({ kind }) => kind))).toEqual(
      new Set(['answer', 'fill', 'order', 'position', 'balance']),
    );
    expect(events.find(({ kind }) => kind === 'answer')).toMatchObject({
      request: '1',
      to: 'place',
      answer: { kind: 'ok', value: { order: { status: 'filled', clientOrderId: 'a00010000010' } } },
    });
  });

  it('are found and canceled by a label that need not be unique', () => {
    const { simulator } = start();
    const instrument = perpetual(simulator);
    const context = contextAt(ORIGIN_MS);
    const ticket = ticketOf(instrument);
    const ref = { ...ticket, venueOrderId: undefined, sentMs: ORIGIN_MS };
    expect(answer(simulator, rest.query(ref, context))).toMatchObject({ meaning: 'not-found' });
    for (let time = 0; time < 2; time += 1)
      expect(answer(simulator, rest.place(ticket, context))).toMatchObject({ kind: 'ok' });
    expect(answer(simulator, rest.query(ref, context))).toMatchObject({ kind: 'ok', value: { status: 'open' } });
    expect(answer(simulator, rest.cancel(ref, context))).toMatchObject({ kind: 'ok' });
    expect(openOrders(simulator)).toBe(0);
    expect(answer(simulator, rest.cancel(ref, context))).toMatchObject({ meaning: 'not-open' });
  });

  it('end with the connection that placed them', () => {
    const { simulator, forward } = start();
    const socket = session(simulator);
    const instrument = perpetual(simulator);
    socket.send(ours.orders!.place(ticketOf(instrument), contextAt(ORIGIN_MS), '1', ''));
    expect(answer(simulator, rest.place(ticketOf(instrument), contextAt(ORIGIN_MS))).kind).toBe('ok');
    expect(openOrders(simulator)).toBe(2);
    simulator.fault({ venue: 'deribit', kind: 'disconnect' });
    forward(10);
    expect(openOrders(simulator)).toBe(1);
  });

  it.each([
    [{ price: '50000.05' }, 'invalid-order'],
    [{ qty: '15' }, 'invalid-order'],
    [{ qty: '900000000', price: '90000' }, 'insufficient-funds'],
    [{ price: '99000', postOnly: true }, 'would-take'],
    [{ side: 'sell', reduceOnly: true, price: '99000' }, 'reduce-only'],
  ] as const)('of %j are %s', (change, meaning) => {
    const { simulator } = start();
    const ticket = ticketOf(perpetual(simulator), change);
    expect(answer(simulator, rest.place(ticket, contextAt(ORIGIN_MS)))).toMatchObject({ kind: 'refused', meaning });
  });

  it('are limited: twenty at once', () => {
    const { simulator } = start();
    const instrument = perpetual(simulator);
    const meanings = Array.from({ length: 21 }, () => {
      const said = answer(simulator, rest.place(ticketOf(instrument), contextAt(ORIGIN_MS)));
      return said.kind === 'ok' ? 'ok' : said.meaning;
    });
    expect(meanings).toEqual([...Array.from({ length: 20 }, () => 'ok'), 'rate-limited']);
  });

  it('need the right key, secret and time, by REST and on the socket', () => {
    const { simulator } = start();
    const meaning = (context: AccountContext): string => {
      const said = answer(simulator, rest.balances(context));
      return said.kind === 'ok' ? 'ok' : said.meaning;
    };
    expect(meaning(contextAt(ORIGIN_MS))).toBe('ok');
    const wrong = [
      contextAt(ORIGIN_MS, { apiKey, secret: 'wrong' }),
      contextAt(ORIGIN_MS, { apiKey: 'nobody', secret }),
      contextAt(ORIGIN_MS - 120_000),
    ];
    for (const context of wrong) {
      expect(meaning(context)).toBe('unauthorised');
      expect(eventsOf(opened(simulator, ours.login(context, '')))).toMatchObject([{ kind: 'error' }]);
    }
    const stranger = opened(simulator, [ours.orders!.place(ticketOf(perpetual(simulator)), wrong[0]!, '1', '')]);
    expect(eventsOf(stranger).map(({ kind }) => kind)).toEqual(['answer', 'over']);
  });
});

describe('expiry on the simulated Deribit', () => {
  const EXPIRY_MS = Date.UTC(2026, 11, 25, 8);
  const NAME = 'BTC-25DEC26-90000-C';

  it('empties the book, pays, and lists the instrument as closed', () => {
    const { simulator, clock, forward } = start();
    const option = listed(simulator, 'options', NAME);
    const context = contextAt(ORIGIN_MS);
    const socket = opened(simulator, [...ours.login(context, ''), ...ours.subscribe([option], context, '')]);
    socket.send({
      jsonrpc: '2.0',
      id: 9,
      method: 'public/subscribe',
      params: { channels: ['instrument.state.option.BTC'] },
    });
    socket.send(ours.orders!.place(ticketOf(option, { type: 'market', qty: '0.5' }), context, '1', ''));
    const market = deribit.markets.find(({ id }) => id === 'options')!;
    const rig = new MarketRig(market, [option]);
    const books = opened(simulator, market.subscribe([NAME], 1));
    simulator.plant({ books: [{ venue: 'deribit', symbol: NAME, bids: [['0.1', '1']], asks: [] }], quiet: true });
    for (const { symbol } of simulator.exchange('deribit').listings)
      simulator.plantReference({ venue: 'deribit', symbol, index_price: 100_000 });
    clock.jumpTo((EXPIRY_MS - ORIGIN_MS - 2_000) * 1e6);
    socket.take();
    forward(3_000);

    for (const frame of books.take()) rig.take({ frame });
    expect(levelsOf(rig)).toEqual({ bids: [], asks: [] });
    const said = socket.take().map((frame) => JSON.parse(frame) as { params?: { channel: string; data: unknown } });
    const dataOf = (channel: RegExp): unknown[] =>
      said.flatMap(({ params }) => (params !== undefined && channel.test(params.channel) ? [params.data] : []));
    expect(dataOf(/^instrument[.]state/)).toContainEqual(
      expect.objectContaining({ state: 'closed', instrument_name: NAME }),
    );
    expect(dataOf(/^user[.]changes/)).toContainEqual(
      expect.objectContaining({ positions: [expect.objectContaining({ instrument_name: NAME, size: 0 })] }),
    );
    expect(dataOf(/^user[.]portfolio/).length).toBeGreaterThan(0);

    const result = (path: string): unknown =>
      (get(simulator, `/www.deribit.com/api/v2/public/${path}`) as { result: unknown }).result;
    const named = expect.objectContaining({ instrument_name: NAME }) as unknown;
    expect(result('get_instruments?currency=BTC&kind=option&expired=false')).not.toContainEqual(named);
    expect(result('get_instruments?currency=BTC&kind=option&expired=true')).toContainEqual(named);
    expect(result(`ticker?instrument_name=${NAME}`)).toMatchObject({ state: 'closed', delivery_price: 100_000 });
    expect(result('get_delivery_prices?index_name=btc_usd')).toEqual({
      data: [{ date: '2026-12-25', delivery_price: 100_000 }],
      records_total: 1,
    });
    expect(result(`get_last_settlements_by_instrument?instrument_name=${NAME}`)).toMatchObject({
      settlements: [{ type: 'delivery', index_price: 100_000, mark_price: 0.1 }],
    });
    const later = contextAt(EXPIRY_MS + 1_000);
    expect(answer(simulator, rest.place(ticketOf(option, { price: '0.1', qty: '1' }), later))).toMatchObject({
      kind: 'refused',
      code: '10020',
    });
  });

  it('says what was planted beside a book', () => {
    const { simulator, forward } = start();
    const market = deribit.markets[0]!;
    const { kinds, subscribe } = market.streams!;
    const rig = new MarketRig(market, [perpetual(simulator)]);
    const socket = opened(simulator, subscribe(kinds, ['BTC-PERPETUAL'], 1));
    simulator.plantReference({
      venue: 'deribit',
      symbol: 'BTC/USD:BTC',
      funding_rate: -0.0042,
      mark_price: 91_000.5,
      index_price: 91_111,
    });
    forward(200);
    for (const frame of socket.take()) rig.take({ frame });
    expect(rig.references.at(-1)).toMatchObject({ fundingRate: -0.0042, markPrice: 91_000.5, indexPrice: 91_111 });
  });
});
