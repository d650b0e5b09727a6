import { describe, expect, it } from 'vitest';
import { marketSamples } from '#hotpath/engine-status.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import type { MarketSample } from '#shared/schema/status.ts';
import { marketSample } from '#shared/schema/status.ts';
import type { PaperBook } from '#test/support/market.ts';
import { Books, spot } from '#test/support/market.ts';

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
