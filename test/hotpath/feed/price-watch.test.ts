import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PriceWatch } from '#hotpath/feed/price-watch.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import { spot } from '#test/support/market.ts';

type Shown = { status: BookStatus; bid: number; ask: number; qty: number };
const STEP_MS = 500;

/** One symbol on some venues, whose books a test sets; `pass` compares twice a second. */
function watching(venues: number) {
  const instruments = Array.from({ length: venues }, (_, at) => spot(`v${at}:BTC/USDT`));
  const books: Shown[] = instruments.map(() => ({ status: 'live', bid: 99.99, ask: 100.01, qty: 1 }));
  const said: string[] = [];
  const suspects = new Set<number>();
  let nowNs = 0;
  const watch = new PriceWatch(
    instruments,
    {
      depths: { status: (at) => books[at]!.status },
      best: (at, prices, qtys) => {
        const { bid, ask, qty } = books[at]!;
        prices.set([bid, ask]);
        qtys.set([qty, qty]);
      },
    },
    {
      onSuspect: (at) => {
        expect(suspects.has(at)).toBe(false);
        suspects.add(at);
        said.push(`suspect ${at} at ${nowNs / 1e9}`);
      },
      onAgreed: (at) => {
        expect(suspects.delete(at)).toBe(true);
        said.push(`agreed ${at} at ${nowNs / 1e9}`);
      },
      onStuck: (at: InstrumentIndex) => said.push(`stuck ${at} at ${nowNs / 1e9}`),
    },
  );
  const at = (venue: number, mid: number) => Object.assign(books[venue]!, { bid: mid * 0.9999, ask: mid * 1.0001 });
  const pass = (ms: number, before: () => void = () => undefined) => {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      nowNs += STEP_MS * 1e6;
      before();
      watch.compare(nowNs as TimeNs);
    }
  };
  return { books, said, suspects, at, pass };
}

describe('a price far from the other venues', () => {
  it('is suspect after two seconds, said once, and agrees again after five', () => {
    const { at, pass, said } = watching(3);
    pass(10_000);
    at(1, 110);
    pass(2_000);
    expect(said).toEqual([]);
    pass(20_000);
    expect(said).toEqual(['suspect 1 at 12.5']);
    at(1, 100.1);
    pass(5_000);
    expect(said).toHaveLength(1);
    pass(500);
    expect(said).toEqual(['suspect 1 at 12.5', 'agreed 1 at 37.5']);
  });

  it('is what an arbitrage looks like while it is small or short', () => {
    const { at, pass, said } = watching(3);
    at(1, 101.5);
    pass(60_000);
    at(1, 120);
    pass(1_500);
    at(1, 100);
    pass(60_000);
    expect(said.filter((word) => word.startsWith('suspect'))).toEqual([]);
  });

  it('is usual where the venues have always been far apart', () => {
    const { at, pass, suspects } = watching(4);
    const mids = [97, 99, 101, 104];
    let step = 0;
    pass(60_000, () => {
      step += 1;
      for (const [venue, mid] of mids.entries()) at(venue, mid + (step % 2) / 100);
    });
    expect([...suspects]).toEqual([]);
  });

  it('accuses nobody where two venues disagree, and both halves where two stand against two', () => {
    const two = watching(2);
    two.at(0, 150);
    two.pass(30_000);
    expect(two.said).toEqual([]);
    const four = watching(4);
    for (const venue of [2, 3]) four.at(venue, 150);
    four.pass(30_000);
    expect([...four.suspects].every((venue) => venue < 4)).toBe(true);
    for (const venue of [2, 3]) four.at(venue, 100);
    four.pass(10_000);
    expect([...four.suspects]).toEqual([]);
  });

  it('is not judged, nor does it judge, while its book is not believed', () => {
    const { books, at, pass, said, suspects } = watching(3);
    at(2, 130);
    books[2]!.status = 'syncing';
    pass(30_000);
    expect(said).toEqual([]);
    books[2]!.status = 'live';
    books[0]!.status = 'stale';
    pass(30_000);
    expect(said).toEqual([]);
    books[0]!.status = 'live';
    pass(3_000);
    expect([...suspects]).toEqual([2]);
    // Nobody left to agree with: it stays accused.
    books[0]!.status = 'gap';
    at(2, 100);
    pass(30_000);
    expect([...suspects]).toEqual([2]);
  });

  it('never makes a venue suspect that says what most others say', () => {
    const mids = fc.array(fc.double({ min: 50, max: 200, noNaN: true }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(mids, { minLength: 1, maxLength: 12 }), fc.integer({ min: 0, max: 1 }), (history, wild) => {
        // Five venues of which one, or two, say anything; three agree.
        const { at, pass, suspects } = watching(5);
        for (const said of history) {
          for (let venue = 0; venue <= wild; venue += 1) at(venue, said[venue]!);
          pass(3_000);
          for (const venue of suspects) expect(venue).toBeLessThanOrEqual(wild);
        }
        for (let venue = 0; venue <= wild; venue += 1) at(venue, 100);
        pass(10_000);
        expect([...suspects]).toEqual([]);
      }),
    );
  });
});

describe('a book that stands still', () => {
  it('is stuck when the others leave it behind, and is said so again only when they have moved on', () => {
    const { at, pass, said } = watching(3);
    const drift = (from: number, to: number) => {
      let mid = from;
      return () => {
        mid += (to - from) / 30;
        for (const venue of [0, 1]) at(venue, mid);
      };
    };
    pass(5_000);
    const stuck = () => said.filter((word) => word.startsWith('stuck'));
    pass(15_000, drift(100, 100.5));
    expect(stuck()).toEqual(['stuck 2 at 11.5']);
    // The others had gone on; then nobody moves.
    pass(10_000);
    expect(stuck()).toHaveLength(2);
    pass(60_000);
    expect(stuck()).toHaveLength(2);
    pass(10_000, drift(100.5, 101.5));
    expect(stuck()).toHaveLength(3);
  });

  it('is not stuck while it changes, nor while the others stay within its spread', () => {
    const { books, at, pass, said } = watching(3);
    let mid = 100;
    pass(60_000, () => {
      mid *= 1.0001;
      for (const venue of [0, 1]) at(venue, mid);
      books[2]!.qty += 1;
    });
    expect(said.filter((word) => word.startsWith('stuck'))).toEqual([]);
    Object.assign(books[2]!, { bid: 90, ask: 115 });
    pass(30_000, () => {
      mid *= 1.0001;
      for (const venue of [0, 1]) at(venue, mid);
    });
    expect(said.filter((word) => word.startsWith('stuck'))).toEqual([]);
  });
});
