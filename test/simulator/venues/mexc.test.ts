import { describe, expect, it } from 'vitest';
import { mexc } from '#hotpath/venues/mexc.ts';
import type { Account, AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { levelsOf, OwnClient, restingTicket } from '../own-client.ts';
import { truth } from '../venue-client.ts';

const BOOK = 0 as InstrumentIndex;
const MARKETS = [
  ['spot', 'BTC/USDT'],
  ['futures', 'BTC/USDT:USDT'],
] as const;
const idOf = (at: number): ClientOrderId => `a0001000${String(at).padStart(5, '0')}` as ClientOrderId;
const refOf = (order: OrderTicket, venueOrderId?: string): OrderRef => ({ ...order, venueOrderId, sentMs: 0 });

describe('the simulated MEXC, read by our own code', () => {
  it.each(MARKETS)('%s: books, trades and reference to the last level', (id, symbol) => {
    const client = new OwnClient(mexc, 61);
    const { rig, forward } = client.follow(id, client.instrument(id, symbol));
    forward(8_000);
    expect(rig.store.depths.status(BOOK)).toBe('live');
    expect(rig.store.statistics(BOOK)).toMatchObject({ gaps: 0 });
    expect(rig.controls).not.toContain('error');
    expect(levelsOf(rig)).toEqual(truth(client.run.simulator.exchange('mexc'), symbol));
    expect(rig.prints.length).toBeGreaterThan(0);
    for (const field of ['markPrice', 'indexPrice', 'fundingRate', 'nextFundingTimeMs'] as const)
      expect(rig.references.some((each) => !Number.isNaN(each[field]))).toBe(id === 'futures');
  });

  it.each(MARKETS)('%s: a lost frame shows by its number', (id, symbol) => {
    const client = new OwnClient(mexc, 62);
    const { rig, forward } = client.follow(id, client.instrument(id, symbol));
    forward(500);
    client.run.simulator.fault({ venue: 'mexc', market: id, kind: 'gap' });
    forward(3_000);
    expect(rig.store.depths.status(BOOK)).toBe('gap');
  });

  it.each(MARKETS)('%s: says when it has no such symbol, and answers pings', (id, symbol) => {
    const client = new OwnClient(mexc, 63);
    const market = client.market(id);
    const { rig } = client.follow(id, client.instrument(id, symbol));
    const socket = client.open(market.wsUrl);
    for (const frame of market.subscribe(['NOPE'], 1)) socket.send(frame);
    if (market.heartbeat.kind === 'client-text') socket.send(market.heartbeat.text);
    for (const frame of socket.take()) rig.frame(frame);
    expect(rig.controls.slice(-2)).toEqual(['error', 'pong']);
  });

  it('hangs up on futures clients that are silent, though it speaks', () => {
    const client = new OwnClient(mexc, 64);
    const market = client.market('futures');
    const socket = client.open(market.wsUrl);
    for (const frame of market.subscribe(['BTC_USDT'], 1)) socket.send(frame);
    client.run.forward(61_000);
    expect(socket.closes).toHaveLength(1);
  });

  it('takes no listen key that it did not give, and renews its own', () => {
    const client = new OwnClient(mexc, 65);
    const { url, frames } = { url: client.market('spot').wsUrl, frames: ['spot@private.orders.v3.api.pb'] };
    const socket = client.open(`${url}?listenKey=nonsense`);
    socket.send(JSON.stringify({ method: 'SUBSCRIPTION', params: frames }));
    const said = socket.take().map((frame) => Buffer.from(frame).toString());
    expect(said[0]).toBe('Invalid listen key');
    expect(said[1]).toContain('Not Subscribed');
    const account = client.account('spot');
    const { pass } = account.sockets[0]!;
    const key = client.value(account, pass!.ask(client.context()));
    expect(client.value(account, pass!.renew!.call(client.context(), key))).toBe(key);
  });
});

describe.each(MARKETS)('an account of the simulated MEXC: %s', (id, symbol) => {
  const start = (seed: number): { client: OwnClient; account: Account; instrument: Instrument } => {
    const client = new OwnClient(mexc, seed);
    return { client, account: client.account(id), instrument: client.instrument(id, symbol) };
  };

  it('places, finds, lists and cancels an order, and hears of it', () => {
    const { client, account, instrument } = start(66);
    const events = client.listen(account, 'events');
    const opening = events.take();
    expect(opening.filter(({ kind }) => kind === 'error')).toEqual([]);
    expect(opening.some(({ kind }) => kind === 'ready')).toBe(id === 'futures');
    const ticket = restingTicket(instrument, { clientOrderId: idOf(1) });
    const { venueOrderId } = client.value(account, account.rest.place(ticket, client.context()));
    for (const ref of [refOf(ticket), refOf(ticket, venueOrderId)])
      expect(client.value(account, account.rest.query(ref, client.context()))).toMatchObject({
        status: 'open',
        clientOrderId: ticket.clientOrderId,
        venueOrderId,
        side: 'buy',
      });
    const open = client.value(account, account.rest.openOrders([instrument], client.context())[0]!);
    expect(open.map(({ clientOrderId }) => clientOrderId)).toEqual([ticket.clientOrderId]);

    client.value(account, account.rest.cancel(refOf(ticket), client.context()));
    expect(client.value(account, account.rest.query(refOf(ticket), client.context())).status).toBe('canceled');
    for (const ref of [refOf(ticket), refOf(ticket, venueOrderId)])
      expect(client.ask(account, account.rest.cancel(ref, client.context()))).toMatchObject({
        // Spot does not tell an order that has ended from one that never was.
        meaning: id === 'spot' ? 'not-found' : 'not-open',
      });
    const states = events.take().flatMap((event) => (event.kind === 'order' ? [event.order.status] : []));
    expect(states).toEqual(['open', 'canceled']);
  });

  it('trades, and fills, money and positions agree to the ledger', () => {
    const { client, account, instrument } = start(67);
    const events = client.listen(account, 'events');
    const ticket = restingTicket(instrument, { clientOrderId: idOf(2), side: 'sell', type: 'market' });
    client.value(account, account.rest.place(ticket, client.context()));
    const exchange = client.run.simulator.exchange('mexc');
    const ledger = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
    const order = exchange.ordersOf(ledger).at(-1)!;
    const state = client.value(account, account.rest.query(refOf(ticket), client.context()));
    expect([state.status, state.filled.toFixed()]).toEqual(['filled', ticket.qty]);
    const since = client.value(account, account.rest.fillsSince([instrument], 1, client.context())[0]!);
    const own = client.value(account, account.rest.fillsOf!(refOf(ticket, state.venueOrderId), client.context()));
    const heard = events.take().flatMap((event) => (event.kind === 'fill' ? [event.fill] : []));
    const row = ({ tradeId, fee, feeAsset, liquidity, qty }: (typeof since)[number]): string =>
      [tradeId, fee.toFixed(), feeAsset, liquidity, qty.toFixed()].join(' ');
    expect(since.map(row).sort()).toEqual(own.map(row).sort());
    expect(since.map(row).sort()).toEqual(heard.map(row).sort());
    expect(since).toHaveLength(order.trades.length);
    const paid = since.reduce((sum, { fee }) => sum + fee.toNumber(), 0);
    expect(paid).toBeCloseTo(
      order.trades.reduce((sum, { fee }) => sum + fee.toNumber(), 0),
      10,
    );
    for (const { asset, total, available } of client.value(account, account.rest.balances(client.context()))) {
      expect(total.toFixed(), asset).toBe(ledger.balance(id, asset).total.toFixed());
      expect(available.toFixed(), asset).toBe(ledger.available(id, asset).toFixed());
    }
    if (account.rest.positions !== undefined)
      expect(client.value(account, account.rest.positions(client.context()))[0]?.qty.toFixed()).toBe('-100');
  });

  it('ends by itself what its time in force ends', () => {
    const { client, account, instrument } = start(68);
    const far = { side: 'sell' as const, price: '900000' };
    for (const [at, timeInForce] of (['IOC', 'FOK'] as const).entries()) {
      const ticket = restingTicket(instrument, { clientOrderId: idOf(3 + at), timeInForce, ...far });
      client.value(account, account.rest.place(ticket, client.context()));
      expect(client.value(account, account.rest.query(refOf(ticket), client.context())).status).toBe('expired');
    }
    const exchange = client.run.simulator.exchange('mexc');
    const told = exchange.ordersOf(exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!).map((each) => each.timeInForce);
    expect(told).toEqual(['IOC', 'FOK']);
  });

  it.each([
    ['too little money', { qty: '90000' }, 'insufficient-funds', 'insufficient-funds'],
    ['a price off the tick', { price: '50000.01' }, 'price-out-of-band', 'invalid-order'],
    ['too small a quantity', { qty: '0.00000001' }, 'below-minimum', 'invalid-order'],
  ] as const)('refuses %s', (_what, more, spotMeaning, futuresMeaning) => {
    const { client, account, instrument } = start(69);
    const qty = id === 'futures' && 'qty' in more && more.qty === '90000' ? '900000000' : undefined;
    const ticket = restingTicket(instrument, { ...more, ...(qty === undefined ? {} : { qty }) });
    expect(client.ask(account, account.rest.place(ticket, client.context()))).toMatchObject({
      kind: 'refused',
      meaning: id === 'spot' ? spotMeaning : futuresMeaning,
    });
  });

  it('refuses foreign keys, wrong signatures and old clocks', () => {
    const { client, account } = start(70);
    const meaning = (context: AccountContext): unknown => {
      const answer = client.ask(account, account.rest.balances(context));
      return answer.kind === 'refused' ? answer.meaning : 'ok';
    };
    expect(meaning(client.context({ apiKey: 'stranger' }))).toBe('unauthorised');
    expect(meaning(client.context({ secret: 'wrong' }))).toBe('unauthorised');
    expect(meaning({ ...client.context(), nowMs: client.context().nowMs - 60_000 })).toBe('clock-skew');
    expect(meaning(client.context())).toBe('ok');
  });

  it('does not know what is not there, and cancels everything when told', () => {
    const { client, account, instrument } = start(71);
    const { rest } = account;
    const missing = restingTicket(instrument, { clientOrderId: idOf(50) });
    expect(client.ask(account, rest.query(refOf(missing), client.context()))).toMatchObject({ meaning: 'not-found' });
    for (const at of [20, 21])
      client.value(account, rest.place(restingTicket(instrument, { clientOrderId: idOf(at) }), client.context()));
    client.value(account, rest.cancelAll([instrument], client.context())[0]!);
    expect(client.value(account, rest.openOrders([instrument], client.context())[0]!)).toEqual([]);
  });

  it('says its fees and its time', () => {
    const { client, account, instrument } = start(72);
    const { maker, taker } = client.market(id).defaultFees;
    const [fee] = client.value(account, account.rest.fees([instrument], client.context())[0]!);
    expect([fee!.maker.toFixed(), fee!.taker.toFixed()]).toEqual([maker.toFixed(), taker.toFixed()]);
    expect(client.value(account, account.rest.time!)).toBe(client.context().nowMs);
  });

  it('limits orders', () => {
    const { client, account, instrument } = start(73);
    const meanings = Array.from({ length: 210 }, (_, at) => {
      const ticket = restingTicket(instrument, { clientOrderId: idOf(100 + at), price: '1' });
      const answer = client.ask(account, account.rest.place(ticket, client.context()));
      return answer.kind === 'refused' ? answer.meaning : 'ok';
    });
    expect(meanings.at(-1)).toBe('rate-limited');
  });
});

describe('futures of the simulated MEXC', () => {
  it('reduces only what is there', () => {
    const client = new OwnClient(mexc, 74);
    const account = client.account('futures');
    const instrument = client.instrument('futures', 'BTC/USDT:USDT');
    const market = { type: 'market' as const, qty: '10' };
    const place = (at: number, more: Partial<OrderTicket>): unknown => {
      const ticket = restingTicket(instrument, { clientOrderId: idOf(at), ...market, ...more });
      const answer = client.ask(account, account.rest.place(ticket, client.context()));
      return answer.kind === 'refused' ? answer.meaning : answer.kind;
    };
    expect(place(1, { side: 'sell', reduceOnly: true })).toBe('reduce-only');
    expect(place(2, { side: 'buy' })).toBe('ok');
    expect(place(3, { side: 'sell', reduceOnly: true })).toBe('ok');
    expect(client.value(account, account.rest.positions!(client.context()))).toEqual([]);
  });
});
