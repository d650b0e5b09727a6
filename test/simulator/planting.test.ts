import { describe, expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { PlantSpec } from '#simulator/planting.ts';
import { optionReferenceOf, referenceOf } from '#simulator/reference.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { get, socketTo, truth, virtualRun } from './venue-client.ts';

const BOOKS: PlantSpec['books'] = [
  {
    venue: 'binance',
    symbol: 'BTC/USDT',
    bids: [
      ['89000.1', '0.5'],
      ['90000', '0.25'],
    ],
    asks: [['90010', '1']],
  },
  { venue: 'okx', symbol: 'BTC-USDT', bids: [['90100', '2']], asks: [] },
];
const PLANTED = {
  binance: {
    bids: [
      [90_000, 0.25],
      [89_000.1, 0.5],
    ],
    asks: [[90_010, 1]],
  },
  okx: { bids: [[90_100, 2]], asks: [] },
};

const start = () => virtualRun(51, { venues: ['binance', 'okx', 'kraken'], batch_ms: 0 });
const bookOf = (simulator: Simulator, venue: string, symbol = 'BTC/USDT') => truth(simulator.exchange(venue), symbol);
const both = (simulator: Simulator) => ({ binance: bookOf(simulator, 'binance'), okx: bookOf(simulator, 'okx') });

describe('planting', () => {
  it('puts exactly these levels into all books at once, and keeps the market away from them', () => {
    const { simulator, forward } = start();
    forward(1_000);
    const elsewhere = bookOf(simulator, 'binance', 'ETH/USDT');
    simulator.plant({ books: BOOKS });
    expect(both(simulator)).toEqual(PLANTED);
    forward(20_000);
    expect(both(simulator)).toEqual(PLANTED);
    expect(bookOf(simulator, 'binance', 'ETH/USDT')).not.toEqual(elsewhere);
  });

  it('goes out by the venue’s own frames, the same for the same orders', () => {
    const frames = (): readonly string[] => {
      const { simulator, forward } = start();
      const socket = socketTo(simulator, '/binance/spot/stream?streams=btcusdt@depth@100ms');
      forward(1_000);
      socket.take();
      simulator.plant({ books: BOOKS, quiet: true });
      forward(500);
      return socket.take();
    };
    const first = frames();
    expect(first).toHaveLength(1);
    const { b, a } = (JSON.parse(first[0]!) as { data: { b: string[][]; a: string[][] } }).data;
    const left = (levels: string[][]): string[][] => levels.filter(([, qty]) => Number(qty) > 0);
    expect(left(b).map((level) => level.map(Number))).toEqual(PLANTED.binance.bids);
    expect(left(a).map((level) => level.map(Number))).toEqual(PLANTED.binance.asks);
    expect(frames()).toEqual(first);
  });

  it('holds the whole market still when it is to be quiet, and empties the rest when it is to be clear', () => {
    const { simulator, forward } = start();
    forward(1_000);
    const before = bookOf(simulator, 'kraken', 'BTC/USDT');
    simulator.plant({ books: BOOKS, quiet: true });
    forward(10_000);
    expect(bookOf(simulator, 'kraken', 'BTC/USDT')).toEqual(before);
    simulator.plant({ books: BOOKS, clear: true });
    forward(10_000);
    expect(bookOf(simulator, 'kraken', 'BTC/USDT')).toEqual({ bids: [], asks: [] });
    expect(both(simulator)).toEqual(PLANTED);
  });

  it('ends with its duration, or when it is taken back', () => {
    const { simulator, forward } = start();
    const isWhole = (venue: string): boolean => bookOf(simulator, venue).bids.length >= 20;
    simulator.plant({ books: BOOKS, quiet: true, duration_ms: 5_000 });
    forward(4_900);
    expect([isWhole('binance'), isWhole('okx')]).toEqual([false, false]);
    forward(200);
    expect([isWhole('binance'), isWhole('okx')]).toEqual([true, true]);
    simulator.plant({ books: BOOKS });
    simulator.unplant({ listings: [{ venue: 'okx', symbol: 'BTC/USDT' }] });
    expect([isWhole('binance'), isWhole('okx')]).toEqual([false, true]);
    simulator.unplant();
    expect([isWhole('binance'), isWhole('okx')]).toEqual([true, true]);
  });

  it('fills accounts’ orders that it meets, and can be traded with to the last lot', () => {
    const { simulator } = start();
    const exchange = simulator.exchange('binance');
    const account = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
    const listing = exchange.listings.find(({ symbol }) => symbol === 'BTC/USDT')!;
    const place = (side: 'buy' | 'sell', timeInForce: 'GTC' | 'IOC', price: string, qty: string) =>
      exchange.place({
        account,
        listing,
        clientOrderId: undefined,
        side,
        type: 'limit',
        timeInForce,
        postOnly: false,
        price,
        qty,
        qtyIn: 'base',
      });
    simulator.plant({ books: [{ venue: 'binance', symbol: 'BTC/USDT', bids: [], asks: [] }], quiet: true });
    const resting = place('buy', 'GTC', '90015', '0.4');
    simulator.plant({ books: BOOKS, quiet: true });
    expect(resting).toMatchObject({ kind: 'placed', order: { status: 'filled' } });
    expect(bookOf(simulator, 'binance').asks).toEqual([[90_010, 0.6]]);
    expect(place('sell', 'IOC', '89000', '5')).toMatchObject({ order: { status: 'expired', filled: 75_000 } });
    expect(bookOf(simulator, 'binance').bids).toEqual([]);
  });

  it.each([
    [{ venue: 'nowhere', symbol: 'BTC/USDT', bids: [], asks: [] }, 'venue nowhere is not simulated'],
    [{ venue: 'okx', symbol: 'BTC/EUR', bids: [], asks: [] }, 'okx does not list BTC/EUR'],
    [{ venue: 'okx', symbol: 'BTC/USDT', bids: [['90000.05', '1']], asks: [] }, 'price 90000.05 is off the grid'],
    [{ venue: 'okx', symbol: 'BTC/USDT', bids: [], asks: [['90000', '0.000000001']] }, 'asks[0]: quantity'],
    [{ venue: 'okx', symbol: 'BTC/USDT', bids: [['90000', '0']], asks: [] }, 'not above zero'],
    [{ venue: 'okx', symbol: 'BTC/USDT', bids: [['-1', '1']], asks: [] }, 'price -1 is not above zero'],
    [{ venue: 'okx', symbol: 'BTC/USDT', bids: [['much', '1']], asks: [] }, 'not a decimal'],
    [{ venue: 'okx', symbol: 'BTC/USDT', bids: [['90000', '1']], asks: [['90000', '1']] }, 'is crossed'],
    [
      {
        venue: 'okx',
        symbol: 'BTC/USDT',
        bids: [
          ['90000', '1'],
          ['90000.0', '1'],
        ],
        asks: [],
      },
      'a price twice',
    ],
  ] as [PlantSpec['books'][0], string][])('refuses %j: %s', (book, problem) => {
    const { simulator } = start();
    const before = bookOf(simulator, 'okx');
    expect(() => simulator.plant({ books: [book] })).toThrow(BadInput);
    expect(() => simulator.plant({ books: [book] })).toThrow(problem);
    expect(() => simulator.plant({ books: [...BOOKS, ...BOOKS] })).toThrow('twice at once');
    expect(bookOf(simulator, 'okx')).toEqual(before);
  });

  it('says of a derivative what was planted, until it is taken back', () => {
    const { simulator } = virtualRun(52, { venues: ['deribit'] });
    const exchange = simulator.exchange('deribit');
    const listing = (symbol: string) => exchange.listings.find((each) => each.symbol === symbol)!;
    const [perpetual, option] = [listing('BTC/USD:BTC'), listing('BTC/USD:BTC-261225-90000-C')];
    const before = referenceOf(exchange, perpetual);
    simulator.plantReference({
      venue: 'deribit',
      symbol: 'BTC/USD:BTC',
      funding_rate: 0.0123,
      next_funding_ms: 1_800_000_000_000,
      index_price: 90_000,
      mark_price: 90_001.5,
    });
    simulator.plantReference({
      venue: 'deribit',
      symbol: 'BTC-25DEC26-90000-C',
      mark_price: 0.08,
      interest_rate: 0.05,
    });
    expect(referenceOf(exchange, perpetual)).toEqual({
      mark: 90_001.5,
      index: 90_000,
      fundingRate: 0.0123,
      fundingMs: 1_800_000_000_000,
    });
    expect(referenceOf(exchange, option)!.mark).toBe(0.08);
    expect(optionReferenceOf(exchange, option)!.interestRate).toBe(0.05);
    simulator.unplant();
    expect(referenceOf(exchange, perpetual)).toEqual(before);
    expect(() => simulator.plantReference({ venue: 'deribit', symbol: 'X', mark_price: 1 })).toThrow('does not list X');
  });

  it('changes what venues answer of a contract', () => {
    const { simulator } = virtualRun(53, { venues: ['gate', 'krakenfutures', 'mexc'] });
    const said = { funding_rate: 0.0025, mark_price: 90_123.5, index_price: 90_000 };
    simulator.plantReference({ venue: 'gate', symbol: 'BTC/USDT:USDT', ...said });
    simulator.plantReference({ venue: 'mexc', symbol: 'BTC/USDT:USDT', ...said });
    simulator.plantReference({ venue: 'krakenfutures', symbol: 'BTC/USD:USD', ...said });
    expect(get(simulator, '/gate/api/v4/futures/usdt/contracts/BTC_USDT')).toMatchObject({
      funding_rate: '0.0025',
      mark_price: '90123.5',
      index_price: '90000',
    });
    expect(get(simulator, '/mexc/api/v1/contract/funding_rate/BTC_USDT')).toMatchObject({
      data: { fundingRate: 0.0025 },
    });
    expect(get(simulator, '/krakenfutures/derivatives/api/v3/tickers')).toMatchObject({
      tickers: expect.arrayContaining([
        expect.objectContaining({ markPrice: 90_123.5, indexPrice: 90_000 }),
      ]) as unknown,
    });
  });
});
