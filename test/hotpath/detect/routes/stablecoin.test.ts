import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cycle } from '#hotpath/detect/routes/cycle.ts';
import { stablecoin } from '#hotpath/detect/routes/stablecoin.ts';
import type { Asset } from '#shared/domain/ids.ts';
import type { CompileOptions, Route } from '#shared/domain/route.ts';
import { compileOptions } from '#test/support/options.ts';
import { spot } from '#test/support/market.ts';

const options: CompileOptions = { ...compileOptions, stableAssets: ['USDT', 'USDC', 'USD'] as Asset[] };
const legsOf = ({ legs, start }: Route): string =>
  `${start} ${legs.map(({ instrument, side }) => `${side}${instrument}`).join('>')}`;

/** Up to two venues, each with some of the pairs of five assets. */
const markets = fc
  .uniqueArray(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 })), {
    minLength: 1,
    maxLength: 12,
    selector: ([venue, x, y]) => `${venue}${Math.min(x, y)}${Math.max(x, y)}`,
  })
  .map((pairs) => {
    const codes = ['USDT', 'BTC', 'USDC', 'ETH', 'USD'];
    return pairs.filter(([, x, y]) => x !== y).map(([venue, x, y]) => spot(`${venue}:${codes[x]!}/${codes[y]!}`));
  });

describe('stablecoin', () => {
  it('buys a coin for one, sells it for the other, and converts back, on any venues', () => {
    const instruments = [spot('a:BTC/USDT'), spot('b:BTC/USDC'), spot('c:USDC/USDT')];
    expect(stablecoin.compile(instruments, { ...options, crossVenue: false })).toEqual([
      {
        id: 'stablecoin:a:BTC/USDT>b:BTC/USDC>c:USDC/USDT',
        family: 'stablecoin',
        evaluator: 'product',
        legs: [
          { instrument: 0, side: 'buy', ratio: 1 },
          { instrument: 1, side: 'sell', ratio: 1 },
          { instrument: 2, side: 'sell', ratio: 1 },
        ],
        start: 'USDT',
      },
      {
        id: 'stablecoin:c:USDC/USDT>b:BTC/USDC>a:BTC/USDT',
        family: 'stablecoin',
        evaluator: 'product',
        legs: [
          { instrument: 2, side: 'buy', ratio: 1 },
          { instrument: 1, side: 'buy', ratio: 1 },
          { instrument: 0, side: 'sell', ratio: 1 },
        ],
        start: 'USDT',
      },
    ]);
  });

  it('takes from cycle exactly what it gives', () => {
    fc.assert(
      fc.property(markets, fc.integer({ min: 2, max: 4 }), (instruments, maxLegs) => {
        const without = cycle.compile(instruments, { ...options, maxLegs, stableAssets: [] }).map(legsOf);
        const taken = stablecoin.compile(instruments, { ...options, maxLegs }).map(legsOf);
        const left = cycle.compile(instruments, { ...options, maxLegs }).map(legsOf);
        expect([...left, ...taken].sort()).toEqual(without.sort());
        expect(new Set(taken).size).toBe(taken.length);
      }),
      { numRuns: 500 },
    );
  });

  it('is empty while nothing is declared stable, and leaves triangles of three stable assets alone', () => {
    const instruments = [spot('a:BTC/USDT'), spot('a:BTC/USDC'), spot('a:USDC/USDT')];
    expect(stablecoin.compile(instruments, compileOptions)).toEqual([]);
    const stable = [spot('a:USDC/USDT'), spot('a:USDC/USD'), spot('a:USDT/USD')];
    expect(stablecoin.compile(stable, options)).toEqual([]);
    expect(cycle.compile(stable, options)).toHaveLength(2);
  });

  it('puts those inside a venue first, and stops at the bound', () => {
    const instruments = ['a', 'b'].flatMap((venue) =>
      ['BTC/USDT', 'BTC/USDC', 'USDC/USDT'].map((symbol) => spot(`${venue}:${symbol}`)),
    );
    const all = stablecoin.compile(instruments, options);
    expect(all).toHaveLength(16);
    const venuesOf = ({ legs }: Route): number =>
      new Set(legs.map(({ instrument }) => instruments[instrument]!.venue)).size;
    expect(all.map(venuesOf)).toEqual([...Array<number>(4).fill(1), ...Array<number>(12).fill(2)]);
    expect(stablecoin.compile(instruments, { ...options, maxRoutes: 5 })).toEqual(all.slice(0, 5));
  });
});
