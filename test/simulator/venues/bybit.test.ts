import { describe, expect, it } from 'vitest';
import { bybit } from '#hotpath/venues/bybit.ts';
import type { AccountContext, Answer, Call, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { Run, TestSocket } from '../venue-client.ts';
import { get, ORIGIN_MS, socketTo, truth, virtualRun } from '../venue-client.ts';

const account = bybit.accounts![0]!;
const { rest, sockets, deadMan } = account;
const [events, trade] = sockets;
const { apiKey, secret } = DEFAULT_ACCOUNT;

const contextAt = (nowMs: number, keys = { apiKey, secret }): AccountContext => ({
  credentials: keys,
  nowMs,
  nonce: nowMs,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
});

const start = (): Run => virtualRun(31, { venues: ['bybit'], batch_ms: 0 });

/** What the venue's own metadata says of a market. */
function listed(simulator: Simulator, id: string): readonly Instrument[] {
  const { instruments, defaultFees } = bybit.markets.find((market) => market.id === id)!;
  const bodies = instruments.paths.map((path) => JSON.stringify(get(simulator, `/api.bybit.com${path}`)));
  return instruments.parse(bodies, defaultFees);
}

function answer<T>(simulator: Simulator, { method, path, headers, body = '', read }: Call<T>): Answer<T> {
  const reply = simulator.request({ method, path: `/api.bybit.com${path}`, headers, body });
  return read({ status: reply.status, headers: reply.headers, text: reply.body });
}

/** Sockets of the simulator take the frames that ours send. */
const opened = (simulator: Simulator, path: string, frames: readonly string[]): TestSocket => {
  const socket = socketTo(simulator, `/stream.bybit.com${path}`);
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
  qty: '0.01',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...change,
});

describe('the simulated Bybit', () => {
  it.each([
    ['spot', 'BTCUSDT'],
    ['linear', 'BTCUSDT'],
    ['inverse', 'BTCUSD'],
    ['option', 'BTC-25DEC26-90000-C-USDT'],
  ])('%s: sends books, trades and tickers that our decoder follows to the last level', (id, symbol) => {
    const { simulator, forward } = start();
    const market = bybit.markets.find((each) => each.id === id)!;
    const instruments = listed(simulator, id).filter(({ venueSymbol }) => venueSymbol === symbol);
    const rig = new MarketRig(market, instruments);
    const streams = [market.streams!, ...(market.moreStreams ?? [])];
    const socket = opened(simulator, `/v5/public/${id}`, [
      ...market.subscribe([symbol], 1),
      ...streams.flatMap(({ kinds, subscribe }) => subscribe(kinds, [symbol], 2)),
    ]);
    for (let step = 0; step < 50; step += 1) {
      forward(200);
      for (const frame of socket.take()) rig.take({ frame });
    }
    expect(rig.store.depths.status(0 as InstrumentIndex)).toBe('live');
    expect(rig.store.statistics(0 as InstrumentIndex)).toMatchObject({ gaps: 0 });
    expect(rig.controls).not.toContain('error');
    const exchange = simulator.exchange('bybit');
    const listing = exchange.listings.find((each) => each.market === id && each.venueSymbol === symbol)!;
    expect(levelsOf(rig)).toEqual(truth(exchange, listing.symbol, id === 'option' ? 25 : 50));
    expect(rig.prints.length).toBeGreaterThan(0);
    if (id !== 'spot') expect(rig.references.some(({ markPrice }) => markPrice > 0)).toBe(true);
    if (id === 'option') expect(rig.references.some(({ delta }) => delta > 0 && delta < 1)).toBe(true);
  });

  it('shows a lost frame by its number', () => {
    const { simulator, forward } = start();
    const market = bybit.markets[1]!;
    const rig = new MarketRig(market, listed(simulator, 'linear'));
    const socket = opened(simulator, '/v5/public/linear', market.subscribe(['BTCUSDT'], 1));
    forward(1_000);
    simulator.fault({ venue: 'bybit', market: 'linear', kind: 'gap' });
    forward(5_000);
    for (const frame of socket.take()) rig.take({ frame });
    const index = listed(simulator, 'linear').findIndex(({ venueSymbol }) => venueSymbol === 'BTCUSDT');
    expect(rig.store.depths.status(index as InstrumentIndex)).toBe('gap');
  });

  it('refuses a topic that it does not have, and says so', () => {
    const { simulator } = start();
    const socket = opened(simulator, '/v5/public/spot', bybit.markets[0]!.subscribe(['BTCUSDT', 'NOPE'], 1));
    expect(socket.take().map((frame) => JSON.parse(frame) as unknown)).toMatchObject([{ success: false }]);
    const many = Array.from({ length: 11 }, () => 'orderbook.50.BTCUSDT');
    socket.send({ op: 'subscribe', args: many });
    expect(socket.take().join()).toContain('args size >10');
  });

  it('gives the book by REST as our poll reads it', () => {
    const { simulator, forward } = start();
    forward(500);
    const market = bybit.markets[0]!;
    const body = JSON.stringify(get(simulator, `/api.bybit.com${market.poll!.path('BTCUSDT')}`));
    expect(body).toContain(`"b":[["`);
  });
});

describe('orders on the simulated Bybit', () => {
  it('go over the trade socket, and their fate comes over the private one', () => {
    const { simulator, forward } = start();
    const [linear] = listed(simulator, 'linear');
    const context = contextAt(ORIGIN_MS);
    const orders = opened(simulator, '/v5/trade', trade!.login(context, ''));
    const told = opened(simulator, '/v5/private', [
      ...events!.login(context, ''),
      ...events!.subscribe([linear!], context, ''),
    ]);
    forward(50);
    const now = contextAt(ORIGIN_MS + 50);
    orders.send(trade!.orders!.place(ticketOf(linear!), now, '1', ''));
    orders.send(trade!.orders!.place(ticketOf(linear!, { type: 'market', qty: '0.02' }), now, '2', ''));
    forward(50);
    const answers = orders.take().flatMap((frame) => trade!.decode(Buffer.from(frame)));
    expect(answers).toMatchObject([
      { kind: 'ready' },
      { kind: 'answer', request: '1', to: 'place', answer: { kind: 'ok' } },
      { kind: 'answer', request: '2', to: 'place', answer: { kind: 'refused', meaning: 'duplicate-id' } },
    ]);
    const taker = ticketOf(linear!, { type: 'market', qty: '0.02', clientOrderId: 'a00010000020' as ClientOrderId });
    orders.send(trade!.orders!.place(taker, now, '3', ''));
    forward(50);
    const kinds = told.take().flatMap((frame) => events!.decode(Buffer.from(frame)).map(({ kind }) => kind));
    expect(new Set(kinds)).toEqual(new Set(['ready', 'order', 'balance', 'fill', 'position']));
  });

  it.each([
    [{ price: '50000.123' }, 'invalid-order'],
    [{ qty: '0.0000000001' }, 'invalid-order'],
    [{ qty: '0.00001' }, 'below-minimum'],
    [{ qty: '10000', price: '90000' }, 'insufficient-funds'],
    [{ instrument: { venueSymbol: 'NOPEUSDT' } }, 'invalid-order'],
  ] as const)('of %j are %s', (change, meaning) => {
    const { simulator } = start();
    const spot = listed(simulator, 'spot').find(({ venueSymbol }) => venueSymbol === 'BTCUSDT')!;
    const { instrument, ...rest_ } = { instrument: {}, ...change };
    const ticket = ticketOf({ ...spot, ...instrument }, rest_);
    expect(answer(simulator, rest.place(ticket, contextAt(ORIGIN_MS)))).toMatchObject({ kind: 'refused', meaning });
  });

  it('reduce only what there is to reduce, and are told to go when told so', () => {
    const { simulator } = start();
    const [linear] = listed(simulator, 'linear');
    const reducing = ticketOf(linear!, { reduceOnly: true, side: 'sell' });
    expect(answer(simulator, rest.place(reducing, contextAt(ORIGIN_MS)))).toMatchObject({ meaning: 'reduce-only' });
    simulator.fault({ venue: 'bybit', kind: 'reject' });
    expect(answer(simulator, rest.place(ticketOf(linear!), contextAt(ORIGIN_MS)))).toMatchObject({
      meaning: 'not-allowed',
    });
  });

  it('are limited: ten a second on contracts', () => {
    const { simulator } = start();
    const [linear] = listed(simulator, 'linear');
    const meanings = Array.from({ length: 11 }, (_, at) => {
      const clientOrderId = `a000100000${10 + at}` as ClientOrderId;
      const said = answer(simulator, rest.place(ticketOf(linear!, { clientOrderId }), contextAt(ORIGIN_MS)));
      return said.kind === 'ok' ? 'ok' : said.meaning;
    });
    expect(meanings).toEqual([...Array.from({ length: 10 }, () => 'ok'), 'rate-limited']);
  });

  it('need the right key, secret and time', () => {
    const { simulator } = start();
    const meaning = (context: AccountContext): string => {
      const said = answer(simulator, rest.balances(context));
      return said.kind === 'ok' ? 'ok' : said.meaning;
    };
    expect(meaning(contextAt(ORIGIN_MS))).toBe('ok');
    expect(meaning(contextAt(ORIGIN_MS, { apiKey, secret: 'wrong' }))).toBe('unauthorised');
    expect(meaning(contextAt(ORIGIN_MS, { apiKey: 'nobody', secret }))).toBe('unauthorised');
    expect(meaning(contextAt(ORIGIN_MS - 6_000))).toBe('clock-skew');
    const socket = opened(simulator, '/v5/private', events!.login(contextAt(ORIGIN_MS, { apiKey, secret: 'x' }), ''));
    expect(socket.take().flatMap((frame) => events!.decode(Buffer.from(frame)))).toMatchObject([{ kind: 'error' }]);
  });

  it('end some seconds after the socket that guards them, unless it is back before', () => {
    const { simulator, forward } = start();
    const [linear] = listed(simulator, 'linear');
    const context = contextAt(ORIGIN_MS);
    const armed = deadMan.kind === 'disconnect' ? deadMan.arm!(context) : [];
    expect(armed.map((call) => answer(simulator, call).kind)).toEqual(['ok', 'ok']);
    const guard = (): void =>
      void opened(simulator, '/v5/private', [
        ...events!.login(contextAt(ORIGIN_MS + 60_000), ''),
        ...events!.subscribe([], context, ''),
      ]);
    guard();
    expect(answer(simulator, rest.place(ticketOf(linear!), context)).kind).toBe('ok');
    const open = (): number => {
      const { ledger } = simulator.exchange('bybit');
      return simulator.exchange('bybit').ordersOf(ledger.byKey(apiKey)!, 'open').length;
    };
    simulator.fault({ venue: 'bybit', kind: 'disconnect' });
    forward(2_000);
    guard();
    forward(10_000);
    expect(open()).toBe(1);
    simulator.fault({ venue: 'bybit', kind: 'disconnect' });
    forward(2_900);
    expect(open()).toBe(1);
    forward(200);
    expect(open()).toBe(0);
  });
});
