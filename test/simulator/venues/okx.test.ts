import { describe, expect, it } from 'vitest';
import { okx } from '#hotpath/venues/okx.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { answerIn, Desk, instrumentsAt, simulatedAccount, Watch } from '../our-client.ts';
import { truth, virtualRun } from '../venue-client.ts';

/** Our own reading of OKX against the simulated one, in process and on a virtual clock. */

const [account] = okx.accounts!;
const marketOf = (id: string): Market => okx.markets.find((market) => market.id === id)!;
const ALONE = { venues: ['okx'], dislocations_per_minute: 600 };
const opened = (id: string, seed = 41) => {
  const run = virtualRun(seed, ALONE);
  run.forward(500);
  const instruments = instrumentsAt(run, marketOf(id));
  return { run, instruments, desk: new Desk(run, account!) };
};

describe.each(okx.markets)('market data of $id', (market) => {
  it('keeps a live book that is the exchange’s own, until a frame is lost', () => {
    const { run, instruments } = opened(market.id);
    const [instrument] = instruments;
    const watch = new Watch(run, market, [instrument!]);
    for (const text of market.subscribe([instrument!.venueSymbol], 1)) watch.socket.send(text);
    watch.forward(5_000);
    run.simulator.stop();
    for (const text of market.unsubscribe!([instrument!.venueSymbol], 2)) watch.socket.send(text);
    for (const text of market.subscribe([instrument!.venueSymbol], 3)) watch.socket.send(text);
    watch.read();
    expect(watch.rig.store.depths.status(0 as InstrumentIndex)).toBe('live');
    expect(watch.rig.store.statistics(0 as InstrumentIndex)).toMatchObject({ gaps: 0 });
    expect(watch.levels(0)).toEqual(truth(run.simulator.exchange('okx'), instrument!.venueSymbol));

    run.simulator.start();
    run.simulator.fault({ venue: 'okx', kind: 'gap', market: market.id });
    watch.forward(10_000);
    expect(watch.rig.store.statistics(0 as InstrumentIndex).gaps).toBeGreaterThan(0);
  });

  it('tells its tape and its references beside the books', () => {
    const { run, instruments } = opened(market.id, 42);
    const { kinds, subscribe } = market.streams!;
    const watch = new Watch(run, market, instruments);
    for (const text of subscribe(
      kinds,
      instruments.map(({ venueSymbol }) => venueSymbol),
      1,
    ))
      watch.socket.send(text);
    watch.forward(20_000);
    const { prints, references, controls } = watch.rig;
    expect(prints.length).toBeGreaterThan(0);
    expect(controls).not.toContain('error');
    const told = (name: keyof (typeof references)[number]) => references.some((each) => !Number.isNaN(each[name]));
    expect(told('markPrice')).toBe(market.id !== 'spot');
    expect(told('fundingRate')).toBe(market.id === 'swap');
    expect(told('indexPrice')).toBe(market.id === 'swap');
    expect(told('markVolatility') && told('delta')).toBe(market.id === 'options');
  });
});

it('lists options with strike, right and expiry, and every contract with its number', () => {
  const { instruments } = opened('options');
  expect(instruments.map(({ symbol }) => symbol)).toEqual(['BTC/USD:BTC-270326-90000-C', 'BTC/USD:BTC-270326-90000-P']);
  expect(instruments[0]).toMatchObject({ kind: 'option', right: 'call', inverse: false });
  expect(instruments[0]!.contractSize.toFixed()).toBe('0.01');
  for (const { venueCode } of instruments) expect(venueCode).toMatch(/^\d+$/);
});

describe('orders', () => {
  it('go out, are found, and are cancelled by REST', () => {
    const { instruments, desk } = opened('spot');
    const instrument = instruments.find(({ symbol }) => symbol === 'BTC/USDT')!;
    const { rest } = account!;
    const order = desk.ticket(instrument, { qty: '0.5' });
    const { venueOrderId } = desk.get((context) => rest.place(order, context));
    const state = desk.get((context) => rest.query(desk.refOf(order), context));
    expect(state).toMatchObject({ venueOrderId, clientOrderId: order.clientOrderId, status: 'open', side: 'buy' });
    expect(desk.get((context) => rest.openOrders([instrument], context)[0]!)).toHaveLength(1);
    expect(desk.meaning((context) => rest.place(order, context))).toBe('duplicate-id');
    desk.get((context) => rest.cancel(desk.refOf(order, venueOrderId), context));
    expect(desk.get((context) => rest.query(desk.refOf(order), context)).status).toBe('canceled');
    expect(desk.meaning((context) => rest.cancel(desk.refOf(order), context))).toBe('not-open');
    expect(desk.meaning((context) => rest.query(desk.refOf(desk.ticket(instrument)), context))).toBe('not-found');
  });

  it('fill over the socket, and fills, fees and balances agree with the ledger', () => {
    const { run, instruments, desk } = opened('spot', 43);
    const instrument = instruments.find(({ symbol }) => symbol === 'ETH/USDT')!;
    expect(desk.open().map(({ kind }) => kind)).toEqual(['ready']);
    desk.events();
    const order = desk.ticket(instrument, { side: 'sell', qty: '3', price: '1000', timeInForce: 'IOC' });
    const events = desk.place(order, '77');
    expect(answerIn(events)).toBe('ok');
    expect(events.find((event) => event.kind === 'answer')).toMatchObject({ request: '77', to: 'place' });
    const fills = events.flatMap((event) => (event.kind === 'fill' ? [event.fill] : []));
    const own = run.simulator.exchange('okx').ordersOf(simulatedAccount(run, okx)).at(-1)!;
    expect(fills.map(({ tradeId }) => tradeId)).toEqual(own.trades.map(({ id }) => String(id)));
    expect(fills.map(({ fee }) => fee.toFixed())).toEqual(own.trades.map(({ fee }) => fee.toFixed()));
    expect(new Set(fills.map(({ feeAsset }) => feeAsset))).toEqual(new Set(['USDT']));
    const rest = desk.get((context) => account!.rest.fillsOf!(desk.refOf(order), context));
    expect(rest.map(({ tradeId }) => tradeId).toSorted()).toEqual(fills.map(({ tradeId }) => tradeId).toSorted());
    const told = events.findLast((event) => event.kind === 'balance' && event.balance.asset === 'ETH');
    const balance = simulatedAccount(run, okx).balance('spot', 'ETH');
    expect(told?.kind === 'balance' && told.balance.total.toFixed()).toBe(balance.total.toFixed());
  });

  it('end as their terms say', () => {
    const { instruments, desk } = opened('spot', 44);
    const instrument = instruments.find(({ symbol }) => symbol === 'SOL/USDT')!;
    desk.open();
    const ended = (fields: object): unknown[] => {
      const events = desk.place(desk.ticket(instrument, { qty: '1', ...fields }));
      const last = events.findLast((event) => event.kind === 'order');
      return last?.kind === 'order' ? [last.order.status, last.order.reason] : [];
    };
    expect(ended({ price: '1', timeInForce: 'IOC' })).toEqual(['expired', undefined]);
    expect(ended({ price: '1', timeInForce: 'FOK' })).toEqual(['expired', 'not-filled']);
    expect(ended({ price: '500', postOnly: true })).toEqual(['expired', 'would-take']);
    expect(ended({ side: 'sell', type: 'market' })).toEqual(['filled', undefined]);
  });

  it('are refused for what they are', () => {
    const { run, instruments, desk } = opened('spot', 45);
    const instrument = instruments.find(({ symbol }) => symbol === 'BTC/USDT')!;
    desk.open();
    const refused = (fields: object): string => answerIn(desk.place(desk.ticket(instrument, fields)));
    expect(refused({ qty: '1000', price: '90000' })).toBe('insufficient-funds');
    expect(refused({ qty: '0.000001' })).toBe('below-minimum');
    expect(refused({ qty: '0.1234567891' })).toBe('invalid-order');
    expect(refused({ price: '20000.01' })).toBe('invalid-order');
    run.simulator.fault({ venue: 'okx', kind: 'reject' });
    expect(refused({})).toBe('not-allowed');
    const flood = Array.from({ length: 61 }, () => refused({ qty: '0.0001' }));
    expect(flood.at(-1)).toBe('rate-limited');
    expect(answerIn(desk.cancel(desk.refOf(desk.ticket(instrument), '9000000000000009999')))).toBe('not-open');
    run.simulator.fault({ venue: 'okx', kind: 'server-error' });
    expect(desk.meaning((context) => account!.rest.balances(context))).toBe('in-doubt');
    run.simulator.fault({ venue: 'okx', kind: 'rate-limited' });
    expect(desk.meaning((context) => account!.rest.balances(context))).toBe('rate-limited');
  });

  it('of one market are all cancelled, and of no other', () => {
    const { run, instruments, desk } = opened('spot', 46);
    const [btc, eth] = ['BTC/USDT', 'ETH/USDT'].map((name) => instruments.find(({ symbol }) => symbol === name)!);
    for (let at = 0; at < 25; at += 1) {
      desk.get((context) => account!.rest.place(desk.ticket(btc!, { qty: '0.001' }), context));
      run.forward(100);
    }
    desk.get((context) => account!.rest.place(desk.ticket(eth!, { price: '1000' }), context));
    desk.get((context) => account!.rest.cancelAll([btc!], context)[0]!);
    const open = run.simulator.exchange('okx').ordersOf(simulatedAccount(run, okx), 'open');
    expect(open.map(({ listing }) => listing.symbol)).toEqual(['ETH/USDT']);
  });

  it('open and close positions, which both ways tell the same', () => {
    const { instruments, desk } = opened('swap', 47);
    const instrument = instruments.find(({ symbol }) => symbol === 'BTC/USDT:USDT')!;
    desk.open();
    const market = { type: 'market', qty: '5', timeInForce: 'IOC' } as const;
    const events = desk.place(desk.ticket(instrument, { ...market, side: 'sell' }));
    const heard = events.findLast((event) => event.kind === 'position');
    expect(heard?.kind === 'position' && heard.position.qty.toFixed()).toBe('-5');
    const listed = desk.get((context) => account!.rest.positions!(context));
    expect(listed.map(({ venueSymbol, qty }) => [venueSymbol, qty.toFixed()])).toEqual([['BTC-USDT-SWAP', '-5']]);
    const more = desk.ticket(instrument, { ...market, side: 'sell', reduceOnly: true });
    expect(answerIn(desk.place(more))).toBe('reduce-only');
    expect(answerIn(desk.place({ ...desk.ticket(instrument, market), reduceOnly: true }))).toBe('ok');
    expect(desk.get((context) => account!.rest.positions!(context))[0]!.qty.toFixed()).toBe('0');
  });
});

it('ends what is open when the dead man’s switch is not held', () => {
  const { run, instruments, desk } = opened('spot', 48);
  const instrument = instruments.find(({ symbol }) => symbol === 'BTC/USDT')!;
  const { deadMan, rest } = account!;
  const arm = (ms: number): unknown =>
    desk.get((context) => (deadMan.kind === 'timer' ? deadMan.arm(ms, [instrument], context)[0]! : rest.time!));
  const order = desk.ticket(instrument, { qty: '0.01' });
  desk.get((context) => rest.place(order, context));
  const status = (): string => desk.get((context) => rest.query(desk.refOf(order), context)).status;
  arm(10_000);
  run.forward(9_000);
  arm(10_000);
  run.forward(9_000);
  expect(status()).toBe('open');
  run.forward(2_000);
  expect(status()).toBe('canceled');
  expect(desk.meaning((context) => (deadMan.kind === 'timer' ? deadMan.arm(5_000, [], context)[0]! : rest.time!))).toBe(
    'invalid-order',
  );
});

it('tells fees, permissions and the time, and refuses a wrong signature everywhere', () => {
  const { run, desk } = opened('spot', 49);
  const { rest } = account!;
  for (const market of okx.markets) {
    const [instrument] = instrumentsAt(run, market);
    const [fee] = desk.get((context) => rest.fees([instrument!], context)[0]!);
    const listing = run.simulator.exchange('okx').listings.find((each) => each.market === market.id)!;
    expect([fee!.maker.toFixed(), fee!.taker.toFixed()]).toEqual([listing.maker.toFixed(), listing.taker.toFixed()]);
  }
  expect(desk.get((context) => rest.permissions!(context))).toEqual({ trade: true, withdraw: false });
  expect(desk.get(() => rest.time!)).toBe(Math.floor(run.clock.unixMs(run.clock.now())));
  const stranger = new Desk(run, account!, 'wrong');
  expect(stranger.meaning((context) => rest.balances(context))).toBe('unauthorised');
  expect(stranger.open()).toMatchObject([{ kind: 'error', refusal: { meaning: 'unauthorised' } }]);
});
