import { describe, expect, it } from 'vitest';
import { htx } from '#hotpath/venues/htx.ts';
import type { Account, AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import { levelsOf, OwnClient, restingTicket } from '../own-client.ts';
import { truth } from '../venue-client.ts';

const BOOK = 0 as InstrumentIndex;
const MARKETS = [
  ['spot', 'BTC/USDT', 150],
  ['swap', 'BTC/USDT:USDT', 20],
] as const;
const idOf = (at: number): ClientOrderId => `a0001000${String(at).padStart(5, '0')}` as ClientOrderId;
const refOf = (order: OrderTicket, venueOrderId?: string): OrderRef => ({ ...order, venueOrderId, sentMs: 0 });

describe('the simulated HTX, read by our own code', () => {
  it.each(MARKETS)('%s: books, trades and reference to the last level', (id, symbol, depth) => {
    const client = new OwnClient(htx, 41);
    const { rig, forward } = client.follow(id, client.instrument(id, symbol));
    forward(12_000);
    expect(rig.store.depths.status(BOOK)).toBe('live');
    expect(rig.store.statistics(BOOK)).toMatchObject({ gaps: 0 });
    expect(rig.controls).not.toContain('error');
    expect(rig.controls).toContain('ping');
    expect(levelsOf(rig)).toEqual(truth(client.run.simulator.exchange('htx'), symbol, depth));
    expect(rig.prints.length).toBeGreaterThan(0);
    for (const field of ['markPrice', 'indexPrice', 'fundingRate', 'nextFundingTimeMs'] as const)
      expect(rig.references.some((each) => !Number.isNaN(each[field]))).toBe(id === 'swap');
  });

  it.each(MARKETS)('%s: a lost frame shows by its number', (id, symbol) => {
    const client = new OwnClient(htx, 42);
    const { rig, forward } = client.follow(id, client.instrument(id, symbol));
    client.run.simulator.fault({ venue: 'htx', market: id, kind: 'gap' });
    forward(2_000);
    expect(rig.store.depths.status(BOOK)).toBe('gap');
  });

  it.each(MARKETS)('%s: the book by REST', (id, symbol) => {
    const client = new OwnClient(htx, 43);
    const market = client.market(id);
    const instrument = client.instrument(id, symbol);
    const { path, decode } = market.poll!;
    const rig = new MarketRig({ ...market, book: { ...market.book, snapshot: { from: 'rest', path, decode } } }, [
      instrument,
    ]);
    rig.snapshot(instrument.venueSymbol, Buffer.from(client.get(market.restUrl + path(instrument.venueSymbol))));
    expect(levelsOf(rig)).toEqual(truth(client.run.simulator.exchange('htx'), symbol, 150));
  });

  it('acknowledges no topic that it does not have', () => {
    const client = new OwnClient(htx, 44);
    const { rig, forward } = client.follow('spot', { ...client.instrument('spot', 'BTC/USDT'), venueSymbol: 'nope' });
    forward(100);
    expect(rig.controls).toContain('error');
    expect(rig.store.depths.status(BOOK)).not.toBe('live');
  });

  it('hangs up on who does not answer its pings', () => {
    const client = new OwnClient(htx, 45);
    const socket = client.open('wss://api.hbdm.com/linear-swap-ws');
    client.run.forward(30_000);
    expect(socket.closes[0]).toBe(1003);
  });
});

describe.each(MARKETS)('an account of the simulated HTX: %s', (id, symbol) => {
  const start = (seed: number): { client: OwnClient; account: Account; instrument: Instrument } => {
    const client = new OwnClient(htx, seed);
    return { client, account: client.account(id), instrument: client.instrument(id, symbol) };
  };

  it('places, finds, lists and cancels an order, and hears of it', () => {
    const { client, account, instrument } = start(46);
    const events = client.listen(account, 'events');
    expect(events.take()).toContainEqual({ kind: 'ready' });
    const ticket = restingTicket(instrument, { clientOrderId: idOf(1) });
    const { venueOrderId } = client.value(account, account.rest.place(ticket, client.context()));
    const own = account.clientOrderId(ticket.clientOrderId);
    for (const ref of [refOf(ticket), refOf(ticket, venueOrderId)])
      expect(client.value(account, account.rest.query(ref, client.context()))).toMatchObject({
        status: 'open',
        clientOrderId: own,
        venueOrderId,
        side: 'buy',
      });
    const open = client.value(account, account.rest.openOrders([instrument], client.context())[0]!);
    expect(open.map(({ clientOrderId }) => clientOrderId)).toEqual([own]);

    client.value(account, account.rest.cancel(refOf(ticket), client.context()));
    expect(client.value(account, account.rest.query(refOf(ticket), client.context())).status).toBe('canceled');
    for (const ref of [refOf(ticket), refOf(ticket, venueOrderId)])
      expect(client.ask(account, account.rest.cancel(ref, client.context()))).toMatchObject({ meaning: 'not-open' });
    const states = events.take().flatMap((event) => (event.kind === 'order' ? [event.order.status] : []));
    expect(states).toEqual(['open', 'canceled']);
  });

  it('trades, and fills, money and positions agree to the ledger', () => {
    const { client, account, instrument } = start(47);
    const events = client.listen(account, 'events');
    const ticket = restingTicket(instrument, { clientOrderId: idOf(2), side: 'sell', type: 'market' });
    client.value(account, account.rest.place(ticket, client.context()));
    const exchange = client.run.simulator.exchange('htx');
    const ledger = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
    const order = exchange.ordersOf(ledger).at(-1)!;
    const state = client.value(account, account.rest.query(refOf(ticket), client.context()));
    expect([state.status, state.filled.toFixed()]).toEqual(['filled', ticket.qty]);
    const since = client.value(account, account.rest.fillsSince([instrument], 1, client.context()).at(-1)!);
    const fills =
      since.length > 0
        ? since
        : client.value(account, account.rest.fillsOf!(refOf(ticket, state.venueOrderId), client.context()));
    const heard = events.take().flatMap((event) => (event.kind === 'fill' ? [event.fill] : []));
    for (const list of [fills, heard])
      expect(list.map(({ tradeId }) => tradeId).sort()).toEqual(order.trades.map((each) => String(each.id)).sort());
    const paid = fills.reduce((sum, { fee }) => sum + fee.toNumber(), 0);
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
    const { client, account, instrument } = start(48);
    const far = { side: 'sell' as const, price: '900000' };
    for (const [at, timeInForce] of (['IOC', 'FOK'] as const).entries()) {
      const ticket = restingTicket(instrument, { clientOrderId: idOf(3 + at), timeInForce, ...far });
      client.value(account, account.rest.place(ticket, client.context()));
      expect(client.value(account, account.rest.query(refOf(ticket), client.context())).status).toBe('expired');
    }
    const taking = restingTicket(instrument, { clientOrderId: idOf(9), postOnly: true, price: '500000' });
    const qty = id === 'spot' ? '0.001' : '1';
    client.value(account, account.rest.place({ ...taking, qty }, client.context()));
    expect(client.value(account, account.rest.query(refOf(taking), client.context()))).toMatchObject({
      status: 'expired',
      reason: 'would-take',
    });
  });

  it.each([
    ['too little money', { qty: '90000' }, 'insufficient-funds', 'insufficient-funds'],
    ['a price off the tick', { price: '50000.01' }, 'invalid-order', 'invalid-order'],
    ['too small a quantity', { qty: '0.000001' }, 'below-minimum', 'invalid-order'],
  ] as const)('refuses %s', (_what, more, spotMeaning, swapMeaning) => {
    const { client, account, instrument } = start(49);
    const qty = id === 'swap' && 'qty' in more && more.qty === '90000' ? '90000000' : undefined;
    const ticket = restingTicket(instrument, { ...more, ...(qty === undefined ? {} : { qty }) });
    expect(client.ask(account, account.rest.place(ticket, client.context()))).toMatchObject({
      kind: 'refused',
      meaning: id === 'spot' ? spotMeaning : swapMeaning,
    });
  });

  it('refuses foreign keys, wrong signatures and old clocks', () => {
    const { client, account } = start(50);
    const meaning = (context: AccountContext): unknown => {
      const answer = client.ask(account, account.rest.balances(context));
      return answer.kind === 'refused' ? answer.meaning : 'ok';
    };
    expect(meaning(client.context({ apiKey: 'stranger' }))).toBe('unauthorised');
    expect(meaning(client.context({ secret: 'wrong' }))).toBe('unauthorised');
    const late = meaning({ ...client.context(), nowMs: client.context().nowMs - 3_600_000 });
    expect(['clock-skew', 'unauthorised']).toContain(late);
    expect(meaning(client.context())).toBe('ok');
  });

  it('does not know what is not there', () => {
    const { client, account, instrument } = start(51);
    const missing = client.ask(account, account.rest.query(refOf(restingTicket(instrument)), client.context()));
    expect(missing).toMatchObject({ meaning: 'not-found' });
    if (missing.kind === 'refused' && missing.elsewhere !== undefined)
      expect(client.ask(account, missing.elsewhere(client.context()))).toMatchObject({ meaning: 'not-found' });
  });

  it('cancels everything when it is told, and when we fall silent', () => {
    const { client, account, instrument } = start(52);
    const { deadMan, rest } = account;
    const place = (at: number): unknown =>
      client.value(account, rest.place(restingTicket(instrument, { clientOrderId: idOf(at) }), client.context()));
    const open = (): number => client.value(account, rest.openOrders([instrument], client.context())[0]!).length;
    place(20);
    place(21);
    client.value(account, rest.cancelAll([instrument], client.context())[0]!);
    expect(open()).toBe(0);
    expect(client.ask(account, rest.cancelAll([instrument], client.context())[0]!).kind).toBe('ok');

    place(22);
    if (deadMan.kind !== 'timer') throw new Error('no timer');
    const arm = (ms: number): unknown => client.value(account, deadMan.arm(ms, [instrument], client.context())[0]!);
    arm(5_000);
    client.run.forward(3_000);
    arm(0);
    client.run.forward(10_000);
    expect(open()).toBe(1);
    arm(5_000);
    client.run.forward(6_000);
    expect(open()).toBe(0);
  });

  it('says its fees, its key and its time', () => {
    const { client, account, instrument } = start(53);
    const { maker, taker } = client.market(id).defaultFees;
    const [fee] = client.value(account, account.rest.fees([instrument], client.context())[0]!);
    expect([fee!.maker.toFixed(), fee!.taker.toFixed()]).toEqual([maker.toFixed(), taker.toFixed()]);
    expect(client.value(account, account.rest.permissions!(client.context()))).toEqual({
      trade: true,
      withdraw: false,
    });
    expect(client.value(account, account.rest.time!)).toBe(client.context().nowMs);
  });

  it('limits orders', () => {
    const { client, account, instrument } = start(54);
    const meanings = Array.from({ length: 110 }, (_, at) => {
      const ticket = restingTicket(instrument, { clientOrderId: idOf(100 + at), price: '1' });
      const answer = client.ask(account, account.rest.place(ticket, client.context()));
      return answer.kind === 'refused' ? answer.meaning : 'ok';
    });
    expect(meanings.at(-1)).toBe('rate-limited');
  });
});

describe('the order socket of the simulated HTX', () => {
  it('places and cancels, and names the request in its answer', () => {
    const client = new OwnClient(htx, 55);
    const account = client.account('spot');
    const instrument = client.instrument('spot', 'BTC/USDT');
    const socket = client.listen(account, 'orders');
    expect(socket.take()).toEqual([{ kind: 'ready' }]);
    const { orders } = account.sockets.find(({ id }) => id === 'orders')!;
    const ticket = restingTicket(instrument, { clientOrderId: idOf(30) });
    socket.send(orders!.place(ticket, client.context(), '1', ''));
    socket.send(orders!.place({ ...ticket, clientOrderId: idOf(31), qty: '90000' }, client.context(), '2', ''));
    socket.send(orders!.cancel(refOf(ticket), client.context(), '3', ''));
    socket.send(orders!.cancel(refOf(ticket), client.context(), '4', ''));
    expect(socket.take()).toMatchObject([
      { kind: 'answer', request: '1', to: 'place', answer: { kind: 'ok' } },
      { kind: 'answer', request: '2', answer: { kind: 'refused', meaning: 'insufficient-funds' } },
      { kind: 'answer', request: '3', to: 'cancel', answer: { kind: 'ok' } },
      { kind: 'answer', request: '4', to: 'cancel', answer: { kind: 'refused', meaning: 'not-open' } },
    ]);
    expect(client.value(account, account.rest.query(refOf(ticket), client.context())).status).toBe('canceled');
  });

  it('keeps an answer back when it is told to, though the order is done', () => {
    const client = new OwnClient(htx, 56);
    const account = client.account('spot');
    const socket = client.listen(account, 'orders');
    socket.take();
    client.run.simulator.fault({ venue: 'htx', market: 'spot', kind: 'lost-ack' });
    const ticket = restingTicket(client.instrument('spot', 'BTC/USDT'), { clientOrderId: idOf(40) });
    const { orders } = account.sockets.find(({ id }) => id === 'orders')!;
    socket.send(orders!.place(ticket, client.context(), '1', ''));
    client.run.forward(1_000);
    expect(socket.take()).toEqual([]);
    expect(client.value(account, account.rest.query(refOf(ticket), client.context())).status).toBe('open');
  });
});
