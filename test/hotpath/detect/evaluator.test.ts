import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { Books, spot } from '#test/support/market.ts';

const { engine: defaults } = loadConfig({ dir: 'config', env: {} });
const engine = { ...defaults, families: ['spatial', 'cycle'] satisfies typeof defaults.families, max_legs: 5 };
const at = (index: number): InstrumentIndex => index as InstrumentIndex;

const symbols = ['BTC/USDT', 'ETH/BTC', 'ETH/USDT', 'SOL/ETH', 'SOL/USDT', 'SOL/BTC'];
const instruments = [
  ...[...symbols, 'USDC/USDT', 'SOL/USDC'].map((symbol) => spot(`a:${symbol}`, { fee: '0.001' })),
  ...symbols.map((symbol) => spot(`b:${symbol}`, { fee: '0.0016', feeCurrency: 'quote' })),
  ...symbols.slice(0, 4).map((symbol) => spot(`c:${symbol}`, { fee: '0' })),
];
const { routes } = compileRoutes(instruments, engine, 0);
const fair: Readonly<Record<string, number>> = { BTC: 30_000, ETH: 2_000, SOL: 100, USDC: 1, USDT: 1 };

describe('compilation', () => {
  it('counts by family, in the order of the configuration', () => {
    const { byFamily, truncated } = compileRoutes(instruments, { ...engine, families: ['cycle', 'spatial'] }, 0);
    expect(byFamily).toEqual({ cycle: routes.filter(({ family }) => family === 'cycle').length, spatial: 22 });
    expect(truncated).toEqual([]);
  });

  it('says which family did not fit, and only when one did not', () => {
    const full = compileRoutes(instruments, { ...engine, max_routes: routes.length }, 0);
    expect(full.truncated).toEqual([]);
    expect(full.routes).toHaveLength(routes.length);
    const cut = compileRoutes(instruments, { ...engine, max_routes: 24 }, 0);
    expect(cut.truncated).toEqual(['cycle']);
    expect(cut.byFamily).toEqual({ spatial: 22, cycle: 2 });
    expect(compileRoutes(instruments, { ...engine, max_routes: 22 }, 0).truncated).toEqual(['cycle']);
  });
});

describe('product routes', () => {
  it('equals naive evaluation of every route on random tops', () => {
    const moves = fc.array(
      fc.record({
        index: fc.nat(instruments.length - 1),
        shift: fc.double({ min: -0.01, max: 0.01, noNaN: true }),
        halfSpread: fc.double({ min: 0, max: 0.002, noNaN: true }),
        dead: fc.integer({ min: 0, max: 9 }).map((draw) => draw === 0),
      }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(moves, fc.constantFrom(0, 0.0001, 0.002), (changes, minEdge) => {
        const books = new Books(instruments.length);
        const evaluator = new Evaluator(instruments, routes, { tops: books.tops, minEdge });
        for (const { index, shift, halfSpread, dead } of changes) {
          const { base, quote } = instruments[index]!;
          const mid = (fair[base]! / fair[quote]!) * (1 + shift);
          books.flat(index, mid * (1 - halfSpread), mid * (1 + halfSpread));
          if (dead) books.set(index, { bids: [], asks: [] });
          const count = evaluator.screen(at(index));
          const expected = naive(books, index, minEdge);
          expect([...evaluator.found.subarray(0, count)].sort(ascending)).toEqual(expected.slice().sort(ascending));
          const edges = [...evaluator.found.subarray(0, count)].map((route) => evaluator.netEdge(route));
          expect(edges).toEqual([...edges].sort((x, y) => y - x));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never finds a route through a book that died without a word', () => {
    const books = new Books(2);
    const pair = [spot('a:BTC/USDT'), spot('b:BTC/USDT')];
    const evaluator = new Evaluator(pair, compileRoutes(pair, engine, 0).routes, { tops: books.tops, minEdge: 0 });
    evaluator.screen(books.flat(0, 100));
    expect(evaluator.screen(books.flat(1, 101))).toBe(1);
    books.set(0, { bids: [], asks: [] });
    expect(evaluator.screen(at(1))).toBe(0);
    expect(evaluator.netEdge(0)).toBeNaN();
  });

  it('takes the fee where the venue takes it', () => {
    const books = new Books(2);
    const pair = [
      spot('a:BTC/USDT', { fee: '0.001', feeCurrency: 'received' }),
      spot('b:BTC/USDT', { fee: '0.002', feeCurrency: 'quote' }),
    ];
    const evaluator = new Evaluator(pair, compileRoutes(pair, engine, 0).routes, { tops: books.tops, minEdge: 0 });
    books.flat(0, 100);
    books.flat(1, 110);
    expect(evaluator.grossEdge(0)).toBeCloseTo(0.1, 15);
    // Bought on a: 0.999 BTC for 100; sold on b at 110 less 0.2 %.
    expect(evaluator.netEdge(0)).toBeCloseTo((0.999 * 110 * 0.998) / 100 - 1, 15);
    // Bought on b: 110 × 1.002 for one; sold on a at 100 less 0.1 %.
    expect(evaluator.netEdge(1)).toBeCloseTo((100 * 0.999) / (110 * 1.002) - 1, 15);
  });

  it('keeps the best routes when more pass than it can hand on, and counts the rest', () => {
    const venues = Array.from({ length: 300 }, (_none, venue) => spot(`v${venue}:BTC/USDT`));
    const compiled = compileRoutes(venues, { ...engine, max_routes: 200_000 }, 0);
    const books = new Books(venues.length);
    for (let venue = 0; venue < venues.length; venue += 1) books.flat(venue, 100 + ((venue * 7) % 299));
    const evaluator = new Evaluator(venues, compiled.routes, { tops: books.tops, minEdge: 0 });
    const count = evaluator.screen(books.flat(0, 1));
    expect(count).toBe(evaluator.found.length);
    expect(evaluator.dropped).toBe(299 - count);
    expect(1 + evaluator.netEdge(evaluator.found[0]!)).toBe(100 + 298);
    expect(1 + evaluator.netEdge(evaluator.found[count - 1]!)).toBeGreaterThan(100 + 298 - count - 1);
  });
});

const ascending = (x: number, y: number): number => x - y;

/** Routes that touch the instrument and pay to within 1e-9, each evaluated alone with its fees from the instrument. */
function naive(books: Books, changed: number, minEdge: number): number[] {
  return [...routes.entries()].flatMap(([index, { legs }]) => {
    if (!legs.some(({ instrument }) => instrument === changed)) return [];
    let product = 1;
    for (const { instrument, side } of legs) {
      const fee = instruments[instrument]!.fees.taker.toNumber();
      const received = instruments[instrument]!.fees.currency === 'received';
      const { bid, ask } = books.tops;
      if (side === 'sell') product *= bid[instrument]! * (1 - fee);
      else product *= received ? (1 - fee) / ask[instrument]! : 1 / (ask[instrument]! * (1 + fee));
    }
    return product > 1 + minEdge - 1e-9 ? [index] : [];
  });
}
