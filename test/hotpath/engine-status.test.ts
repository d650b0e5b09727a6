import { describe, expect, it } from 'vitest';
import { ReferenceStore } from '#hotpath/book/reference-store.ts';
import { marketSamples, syntheticStatuses } from '#hotpath/engine-status.ts';
import { asset } from '#hotpath/venues/venue.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import type { MarketSample, SyntheticStatus } from '#shared/schema/status.ts';
import { marketSample, syntheticStatus } from '#shared/schema/status.ts';
import type { PaperBook } from '#test/support/market.ts';
import { Books, spot } from '#test/support/market.ts';
import { listing } from '#test/support/options.ts';

/** What is sampled of one instrument with this book; without `hasBook` it never had one. */
function sampled(book: PaperBook, hasBook = true): MarketSample[] {
  const books = new Books(1);
  books.set(0, book);
  const { depths } = books;
  const levels = () => (hasBook ? ({} as never) : undefined);
  const clock = new VirtualClock(1_700_000_000_000_000_000n);
  return marketSamples({ instruments: [spot('a:BTC/USDT')], books: { depths, levels } }, clock);
}

const gone = (status: BookStatus): PaperBook => ({ bids: [], asks: [], status });

describe('marketSamples', () => {
  it('tells the quote and the levels exactly, and no volume that nobody has counted', () => {
    const [sample] = sampled({ bids: [[50_000.1, 0.3]], asks: [[50_000.2, 1e-8]], ageMs: 4 });
    expect(marketSample.parse(sample)).toEqual({
      instrument: 'a:BTC/USDT',
      at_ms: 1_700_000_000_000,
      bid: '50000.1',
      bid_qty: '0.3',
      ask: '50000.2',
      ask_qty: '0.00000001',
      volume: '',
      status: 'live',
      age_ms: 4,
      bids: [['50000.1', '0.3']],
      asks: [['50000.2', '0.00000001']],
    });
  });

  it('says that a book is gone, or else its last price would stay live for ever', () => {
    for (const status of ['gap', 'syncing'] as const) {
      const [sample] = sampled(gone(status));
      expect(marketSample.parse(sample)).toMatchObject({ status, bid: '', ask: '', bids: [], asks: [] });
    }
  });

  it('tells a book with one empty side', () => {
    expect(sampled({ bids: [[1, 2]], asks: [] })[0]).toMatchObject({ bid: '1', bid_qty: '2', ask: '', ask_qty: '' });
  });

  it('has nothing to say of an instrument that never had a book', () => {
    expect(sampled(gone('syncing'), false)).toEqual([]);
  });
});

describe('syntheticStatuses', () => {
  const [march, december] = [listing('a:BTC/USD:BTC-270326'), listing('a:BTC/USD:BTC-261225')];
  const legs = [
    { at: 0 as InstrumentIndex, instrument: march, ratio: 1 },
    { at: 1 as InstrumentIndex, instrument: december, ratio: -0.1 },
  ];
  const synthetic = { name: 'roll', description: 'a roll', quote: asset('USD'), legs };
  const books = new Books(2);
  const references = new ReferenceStore([{}, {}]);
  const told = (): SyntheticStatus => {
    const [status] = syntheticStatuses({ synthetics: [synthetic], references, books }, 0 as TimeNs);
    return syntheticStatus.parse(JSON.parse(JSON.stringify(status)));
  };

  it('say what nobody knows as null', () => {
    expect(told()).toMatchObject({ fair_value: null, bids: [], asks: [], status: 'syncing', greeks: { delta: '0.9' } });
  });

  it('round what summing left over', () => {
    books.set(0, { bids: [[0.3, 3]], asks: [[0.4, 3]], ageMs: 3 });
    books.set(1, { bids: [[1, 3]], asks: [[1, 3]], ageMs: 5 });
    expect(told()).toEqual({
      name: 'roll',
      description: 'a roll',
      quote: 'USD',
      legs: [
        { instrument: 'a:BTC/USD:BTC-270326', ratio: '1' },
        { instrument: 'a:BTC/USD:BTC-261225', ratio: '-0.1' },
      ],
      bids: [['0.2', '10']],
      asks: [['0.3', '7.5']],
      fair_value: '0.25',
      greeks: { delta: '0.9', gamma: '0', vega: '0', theta: '0', rho: '0' },
      status: 'live',
      age_ms: 5,
    });
  });
});
