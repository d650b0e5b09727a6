import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitfinex, clientNumber } from '#hotpath/venues/bitfinex.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { answerIn, Desk, instrumentsAt, simulatedAccount, Watch } from '../our-client.ts';
import { socketTo, truth, virtualRun } from '../venue-client.ts';

/** Our own reading of Bitfinex against the simulated one, in process and on a virtual clock. */

const [spotAccount, swapAccount] = bitfinex.accounts!;
const BOOK = 0 as InstrumentIndex;
const opened = (id: 'spot' | 'swap' = 'spot', seed = 51) => {
  const run = virtualRun(seed, { venues: ['bitfinex'], dislocations_per_minute: 600 });
  run.forward(500);
  const market = bitfinex.markets.find((each) => each.id === id)!;
  const instruments = instrumentsAt(run, market);
  return { run, market, instruments, desk: new Desk(run, id === 'spot' ? spotAccount! : swapAccount!) };
};

describe.each(['spot', 'swap'] as const)('market data of %s', (id) => {
  it('keeps live books that are the exchange’s own, by count and by checksum', () => {
    const { run, market, instruments } = opened(id);
    const watch = new Watch(run, market, instruments);
    for (const text of market.subscribe(
      instruments.map(({ venueSymbol }) => venueSymbol),
      1,
    ))
      watch.socket.send(text);
    watch.forward(20_000);
    run.simulator.stop();
    const again = new Watch(run, market, instruments);
    for (const text of market.subscribe(
      instruments.map(({ venueSymbol }) => venueSymbol),
      1,
    ))
      again.socket.send(text);
    again.read();
    for (const [index, { venueSymbol }] of instruments.entries()) {
      expect(watch.rig.store.depths.status(index as InstrumentIndex), venueSymbol).toBe('live');
      const { checksums, checksumsWrong } = watch.rig.store.statistics(index as InstrumentIndex);
      expect(checksums).toBeGreaterThan(3);
      expect(checksumsWrong).toBe(0);
      expect(again.levels(index)).toEqual(truth(run.simulator.exchange('bitfinex'), venueSymbol, 100));
    }
    expect(watch.rig.controls).not.toContain('lost');
  });

  it('shows a lost frame by its count, a spoilt book by its checksum', () => {
    for (const kind of ['gap', 'bad-checksum'] as const) {
      const { run, market, instruments } = opened(id, 52);
      const watch = new Watch(run, market, instruments.slice(0, 1));
      for (const text of market.subscribe([instruments[0]!.venueSymbol], 1)) watch.socket.send(text);
      watch.forward(2_000);
      expect(watch.rig.store.depths.status(BOOK)).toBe('live');
      run.simulator.fault({ venue: 'bitfinex', kind });
      watch.forward(8_000);
      if (kind === 'gap') expect(watch.rig.controls).toContain('lost');
      else expect(watch.rig.store.statistics(BOOK).checksumsWrong).toBe(1);
    }
  });

  it('tells its tape, and of derivatives mark, index and funding', () => {
    const { run, market, instruments } = opened(id, 53);
    const watch = new Watch(run, market, instruments);
    const { kinds, subscribe } = market.streams!;
    for (const text of subscribe(
      kinds,
      instruments.slice(0, 12).map(({ venueSymbol }) => venueSymbol),
      1,
    ))
      watch.socket.send(text);
    watch.forward(20_000);
    const { prints, references, controls } = watch.rig;
    expect(prints.length).toBeGreaterThan(0);
    expect(new Set(prints.map(({ taker }) => taker))).toEqual(new Set([1, -1]));
    expect(controls).not.toContain('error');
    expect(references.length > 0).toBe(id === 'swap');
    for (const { markPrice, indexPrice, fundingRate, nextFundingTimeMs, venueTimeMs } of references) {
      expect(Math.abs(markPrice / indexPrice - 1)).toBeLessThan(0.05);
      expect(Math.abs(fundingRate)).toBeLessThan(0.01);
      expect(nextFundingTimeMs).toBeGreaterThan(venueTimeMs);
    }
  });
});

it('answers on the public socket as the venue does', () => {
  const { run } = opened();
  const socket = socketTo(run.simulator, '/api-pub.bitfinex.com/ws/2');
  const told = (value: unknown): unknown => {
    socket.take();
    socket.send(value);
    return JSON.parse(socket.take().at(-1) ?? 'null');
  };
  const book = { event: 'subscribe', channel: 'book', symbol: 'tBTCUSD', prec: 'P0', len: '25' };
  expect(told({ event: 'ping', cid: 5 })).toMatchObject({ event: 'pong', cid: 5 });
  expect(told({ ...book, symbol: 'tNOPE' })).toMatchObject({ event: 'error', code: 10300, msg: 'symbol: invalid' });
  expect(told(book)).toHaveLength(2);
  expect(told(book)).toMatchObject({ event: 'error', code: 10301 });
  expect(told({ event: 'unsubscribe', chanId: 9_999 })).toMatchObject({ event: 'error' });
  expect(told([0, 'on', null, {}])).toMatchObject({ event: 'error', code: 10200 });
  expect(told('nonsense')).toMatchObject({ event: 'error' });
  run.forward(16_000);
  expect(socket.take().some((frame) => frame.startsWith('['))).toBe(true);
});

describe('orders', () => {
  it('go out, are found among the open and the ended, and are cancelled by REST', () => {
    const { instruments, desk } = opened();
    const instrument = instruments.find(({ symbol }) => symbol === 'BTC/USDT')!;
    const { rest } = spotAccount!;
    const order = desk.ticket(instrument, { qty: '0.5' });
    const { venueOrderId } = desk.get((context) => rest.place(order, context));
    const state = desk.get((context) => rest.query(desk.refOf(order), context));
    expect(state).toMatchObject({
      venueOrderId,
      clientOrderId: String(clientNumber(order.clientOrderId)),
      status: 'open',
    });
    expect(desk.get((context) => rest.openOrders([instrument], context)[0]!)).toHaveLength(1);
    expect(desk.meaning((context) => rest.place(order, context))).toBe('duplicate-id');
    desk.get((context) => rest.cancel(desk.refOf(order), context));
    expect(desk.get((context) => rest.query(desk.refOf(order), context)).status).toBe('canceled');
    expect(desk.get((context) => rest.query(desk.refOf(order, venueOrderId), context)).status).toBe('canceled');
    expect(desk.meaning((context) => rest.cancel(desk.refOf(order), context))).toBe('not-open');
    expect(() => desk.get((context) => rest.query(desk.refOf(desk.ticket(instrument)), context))).toThrow('not-found');
  });

  it('fill over the socket, and fills and balances agree with the ledger', () => {
    const { run, instruments, desk } = opened('spot', 54);
    const instrument = instruments.find(({ symbol }) => symbol === 'ETH/USDT')!;
    expect(desk.open().map(({ kind }) => kind)).toContain('ready');
    const order = desk.ticket(instrument, { side: 'sell', qty: '3', price: '1000', timeInForce: 'IOC' });
    const events = desk.place(order);
    expect(answerIn(events)).toBe('ok');
    const fills = events.flatMap((event) => (event.kind === 'fill' ? [event.fill] : []));
    const own = run.simulator.exchange('bitfinex').ordersOf(simulatedAccount(run, bitfinex)).at(-1)!;
    expect(own.trades.length).toBeGreaterThan(0);
    expect(fills.map(({ tradeId }) => tradeId)).toEqual(own.trades.map(({ id }) => String(id)));
    const number = String(clientNumber(order.clientOrderId));
    expect(fills.every(({ clientOrderId }) => clientOrderId === number)).toBe(true);
    const [{ venueOrderId }] = fills as [(typeof fills)[number]];
    const listed = desk.get((context) => spotAccount!.rest.fillsOf!(desk.refOf(order, venueOrderId), context));
    expect(listed.map(({ tradeId }) => tradeId)).toEqual(fills.map(({ tradeId }) => tradeId));
    const told = events.findLast((event) => event.kind === 'balance' && event.balance.asset === 'ETH');
    const { total } = simulatedAccount(run, bitfinex).balance('exchange', 'ETH');
    expect(told?.kind === 'balance' && told.balance.total.toFixed()).toBe(total.toFixed());
  });

  it('end as their terms say', () => {
    const { instruments, desk } = opened('spot', 55);
    const instrument = instruments.find(({ symbol }) => symbol === 'SOL/USDT')!;
    desk.open();
    const ended = (fields: object): unknown[] => {
      const last = desk.place(desk.ticket(instrument, fields)).findLast((event) => event.kind === 'order');
      return last?.kind === 'order' ? [last.order.status, last.order.reason] : [];
    };
    expect(ended({ price: '1', timeInForce: 'IOC' })).toEqual(['expired', undefined]);
    expect(ended({ price: '1', timeInForce: 'FOK' })).toEqual(['expired', 'not-filled']);
    expect(ended({ price: '500', postOnly: true })).toEqual(['expired', 'would-take']);
    expect(ended({ side: 'sell', type: 'market' })).toEqual(['filled', undefined]);
    expect(ended({ price: '1' })).toEqual(['open', undefined]);
  });

  it('are refused for what they are', () => {
    const { run, instruments, desk } = opened('spot', 56);
    const instrument = instruments.find(({ symbol }) => symbol === 'BTC/USDT')!;
    desk.open();
    const refused = (fields: object): string => answerIn(desk.place(desk.ticket(instrument, fields)));
    expect(refused({ qty: '1000', price: '90000' })).toBe('insufficient-funds');
    expect(refused({ qty: '0.00001' })).toBe('below-minimum');
    expect(refused({ qty: '0.1234567891' })).toBe('invalid-order');
    expect(refused({ price: '20000.5' })).toBe('invalid-order');
    run.simulator.fault({ venue: 'bitfinex', kind: 'reject' });
    expect(refused({})).toBe('not-allowed');
    expect(answerIn(desk.cancel(desk.refOf(desk.ticket(instrument))))).toBe('not-open');
    run.simulator.fault({ venue: 'bitfinex', kind: 'server-error' });
    expect(desk.meaning((context) => spotAccount!.rest.balances(context))).toBe('in-doubt');
    const asked = Array.from({ length: 91 }, () => desk.meaning((context) => spotAccount!.rest.balances(context)));
    expect(new Set(asked)).toEqual(new Set(['ok', 'rate-limited']));
    const used = desk.context();
    expect(desk.meaning(() => spotAccount!.rest.balances({ ...used, nonce: 5 }))).toBe('clock-skew');
  });

  it('of one pair are all cancelled, and of no other', () => {
    const { run, instruments, desk } = opened('spot', 57);
    const [btc, eth] = ['BTC/USDT', 'ETH/USDT'].map((name) => instruments.find(({ symbol }) => symbol === name)!);
    for (const order of [desk.ticket(btc!), desk.ticket(btc!), desk.ticket(eth!, { price: '1000' })])
      desk.get((context) => spotAccount!.rest.place(order, context));
    desk.get((context) => spotAccount!.rest.cancelAll([btc!], context)[0]!);
    const open = run.simulator.exchange('bitfinex').ordersOf(simulatedAccount(run, bitfinex), 'open');
    expect(open.map(({ listing }) => listing.symbol)).toEqual(['ETH/USDT']);
  });

  it('open and close positions in the margin wallet', () => {
    const { run, instruments, desk } = opened('swap', 58);
    const instrument = instruments.find(({ symbol }) => symbol === 'BTC/USDT:USDT')!;
    desk.open();
    const market = { type: 'market', qty: '0.05', timeInForce: 'IOC' } as const;
    const events = desk.place(desk.ticket(instrument, { ...market, side: 'sell' }));
    const heard = events.findLast((event) => event.kind === 'position');
    expect(heard?.kind === 'position' && heard.position.qty.toFixed()).toBe('-0.05');
    const [listed] = desk.get((context) => swapAccount!.rest.positions!(context));
    expect(listed).toMatchObject({ venueSymbol: 'tBTCF0:USTF0' });
    expect(answerIn(desk.place(desk.ticket(instrument, { ...market, side: 'sell', reduceOnly: true })))).toBe(
      'reduce-only',
    );
    expect(answerIn(desk.place(desk.ticket(instrument, { ...market, reduceOnly: true })))).toBe('ok');
    expect(desk.get((context) => swapAccount!.rest.positions!(context))).toEqual([]);
    const balances = desk.get((context) => swapAccount!.rest.balances(context));
    const { total } = simulatedAccount(run, bitfinex).balance('margin', 'USDT');
    expect(balances.find(({ asset }) => asset === 'USDT')!.total.toNumber()).toBeCloseTo(total.toNumber(), 6);
  });
});

it('cancels what is open when the socket that asked for it is lost', () => {
  const { run, instruments, desk } = opened('spot', 59);
  const instrument = instruments.find(({ symbol }) => symbol === 'BTC/USDT')!;
  desk.open();
  expect(answerIn(desk.place(desk.ticket(instrument)))).toBe('ok');
  const open = () => run.simulator.exchange('bitfinex').ordersOf(simulatedAccount(run, bitfinex), 'open').length;
  expect(open()).toBe(1);
  run.simulator.fault({ venue: 'bitfinex', kind: 'disconnect' });
  expect(open()).toBe(0);
});

it('tells fees and permissions, and refuses a wrong signature everywhere', () => {
  const { run, instruments, desk } = opened('spot', 60);
  const { rest } = spotAccount!;
  const fees = desk.get((context) => rest.fees(instruments, context)[0]!);
  expect(fees).toHaveLength(instruments.length);
  expect(fees.every(({ maker, taker }) => maker.isZero() && taker.isZero())).toBe(true);
  expect(desk.get((context) => rest.permissions!(context))).toEqual({ trade: true, withdraw: false });
  const stranger = new Desk(run, spotAccount!, 'wrong');
  expect(stranger.meaning((context) => rest.balances(context))).toBe('unauthorised');
  expect(stranger.open()).toMatchObject([{ kind: 'error', refusal: { meaning: 'unauthorised' } }]);
});

it('answers or ignores foreign input, and never breaks of it', () => {
  const leaf = fc.oneof(
    fc.constantFrom(
      'book',
      'trades',
      'status',
      'tBTCUST',
      'deriv:tBTCF0:USTF0',
      'EXCHANGE LIMIT',
      '4',
      '-1',
      'NaN',
      '1e999',
    ),
    fc.integer(),
    fc.json(),
    fc.constant(null),
  );
  const names = [
    'event',
    'channel',
    'symbol',
    'key',
    'chanId',
    'len',
    'flags',
    'type',
    'amount',
    'price',
    'cid',
    'id',
    'all',
  ];
  const fields = fc.dictionary(fc.constantFrom(...names), fc.oneof(leaf, fc.array(leaf, { maxLength: 2 })), {
    maxKeys: 7,
  });
  const event = fc.tuple(fc.constantFrom('conf', 'subscribe', 'unsubscribe', 'auth', 'ping', 'x'), fields);
  const text = fc.oneof(
    event.map(([word, rest]) => JSON.stringify({ ...rest, event: word })),
    fc
      .tuple(fc.constantFrom(0, 7, null), fc.constantFrom('on', 'oc', 'oc_multi', 'x'), fields)
      .map(([channel, word, rest]) => JSON.stringify([channel, word, null, rest])),
    fc.string(),
    fc.json(),
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(text, { maxLength: 8 }), (isKnown, texts) => {
      const run = virtualRun(61, { venues: ['bitfinex'], symbols: ['BTC/USDT', 'BTC/USDT:USDT'] });
      const socket = socketTo(run.simulator, '/api.bitfinex.com/ws/2');
      const desk = new Desk(run, spotAccount!);
      if (isKnown) for (const login of desk.socket.login(desk.context(), '')) socket.send(login);
      for (const each of texts) socket.send(each);
      run.forward(300);
      expect(socket.frames.length).toBeGreaterThan(0);
      const { rest } = desk.account;
      const path = texts.map((each) => encodeURIComponent(each)).join('/');
      for (const method of ['GET', 'POST']) {
        const place = `/api.bitfinex.com/v2/${path}`;
        expect(run.simulator.request({ method, path: place, headers: {}, body: path }).status).toBeLessThan(501);
      }
      if (isKnown) expect(desk.meaning((context) => rest.balances(context))).toBe('ok');
    }),
    { numRuns: 60 },
  );
});
