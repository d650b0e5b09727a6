import { describe, expect, it } from 'vitest';
import { ToldReader, ToldWriter } from '#hotpath/publish/told.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import type { EngineStatus, MarketSample } from '#shared/schema/status.ts';
import { marketSample } from '#shared/schema/status.ts';
import type { PaperBook } from '#test/support/market.ts';
import { Books, spot } from '#test/support/market.ts';

const status = (at: number): EngineStatus => ({ engine: 'engine-1', at_ms: at, reason: 'für alle' }) as EngineStatus;

/** One instrument, its book, and both ends. */
function world(book: PaperBook, hasBook = true) {
  const books = new Books(1);
  books.set(0, book);
  const market = {
    instruments: [spot('a:BTC/USDT')],
    books: { depths: books.depths, levels: () => (hasBook ? {} : undefined) },
  };
  const writer = new ToldWriter(market, new VirtualClock(1_700_000_000_000_000_000n));
  return { books, writer, reader: new ToldReader(writer.told) };
}

/** What is sampled of one instrument with this book; without `hasBook` it never had one. */
function sampled(book: PaperBook, hasBook = true): readonly MarketSample[] {
  const { writer, reader } = world(book, hasBook);
  writer.tell(status(1));
  return reader.take()!.market;
}

const gone = (state: BookStatus): PaperBook => ({ bids: [], asks: [], status: state });

describe('samples of the market', () => {
  it('tell the quote and the levels exactly, and no volume that nobody has counted', () => {
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

  it('say that a book is gone, or else its last price would stay live for ever', () => {
    for (const state of ['gap', 'syncing'] as const) {
      const [sample] = sampled(gone(state));
      expect(marketSample.parse(sample)).toMatchObject({ status: state, bid: '', ask: '', bids: [], asks: [] });
    }
  });

  it('tell a book with one empty side', () => {
    expect(sampled({ bids: [[1, 2]], asks: [] })[0]).toMatchObject({ bid: '1', bid_qty: '2', ask: '', ask_qty: '' });
  });

  it('have nothing to say of an instrument that never had a book', () => {
    expect(sampled(gone('syncing'), false)).toEqual([]);
  });

  it('tell the ten best levels of a deep book, best first', () => {
    const levels = (from: number, step: number) =>
      Array.from({ length: 25 }, (_none, at): [number, number] => [from + at * step, at + 1]);
    const [sample] = sampled({ bids: levels(100, -1), asks: levels(101, 1) });
    expect(sample!.bids).toEqual(Array.from({ length: 10 }, (_none, at) => [String(100 - at), String(at + 1)]));
    expect(sample!.asks).toEqual(Array.from({ length: 10 }, (_none, at) => [String(101 + at), String(at + 1)]));
  });
});

describe('what the engine tells the worker', () => {
  it('is taken once, and only the latest of it', () => {
    const { books, writer, reader } = world({ bids: [[1, 2]], asks: [] });
    expect(reader.take()).toBeUndefined();
    writer.tell(status(1));
    books.set(0, { bids: [[3, 4]], asks: [] });
    writer.tell(status(2));
    expect(reader.isEmpty).toBe(false);
    const taken = reader.take();
    expect(taken?.status).toEqual(status(2));
    expect(taken?.market.map(({ bid }) => bid)).toEqual(['3']);
    expect(reader.take()).toBeUndefined();
    expect(reader.isEmpty).toBe(true);
  });

  it('is refused and counted where nobody reads it, and goes on where somebody does again', () => {
    const { writer, reader } = world({ bids: [[1, 2]], asks: [] });
    const long = { ...status(1), reason: 'x'.repeat(1_500_000) };
    for (let second = 0; second < 6; second += 1) writer.tell(long);
    expect(writer.refused).toBeGreaterThan(0);
    reader.listen();
    writer.tell(status(7));
    expect(reader.take()?.status).toEqual(status(7));
  });

  it('wakes who waits for it', async () => {
    const { writer, reader } = world({ bids: [[1, 2]], asks: [] });
    const woken = reader.wait(600_000);
    writer.tell(status(1));
    await woken;
    expect(reader.isEmpty).toBe(false);
  });
});
