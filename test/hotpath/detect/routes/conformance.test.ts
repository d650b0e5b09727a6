import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Asset } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { CompileOptions, Route } from '#shared/domain/route.ts';
import { families } from '#hotpath/detect/routes/index.ts';
import { compileOptions, listing, optionMarkets } from '#test/support/options.ts';

/** One suite for every family: whatever is listed, routes are made of it alone and may be traded. */

const STABLE = ['USDT', 'USDC', 'USD'] as Asset[];
const SPOTS = ['ETH/USDT', 'ETH/BTC', 'ETH/USDC', 'USDC/USDT', 'BTC/USDT', 'BTC/USDC'];

/** Everything, some of it halted, some expired. */
const markets = fc
  .tuple(
    optionMarkets,
    fc.subarray(SPOTS.flatMap((symbol) => ['a', 'b'].map((venue) => `${venue}:${symbol}`))),
    fc.array(fc.nat(), { maxLength: 6 }),
    fc.array(fc.nat(), { maxLength: 6 }),
  )
  .map(([boards, spots, halted, expired]) => {
    const known = new Set(boards.map(({ id }) => id as string));
    const all = [...boards, ...spots.filter((id) => !known.has(id)).map((id) => listing(id))];
    return all.map((each, at): Instrument => {
      if (halted.includes(at)) return { ...each, status: 'halted' };
      const isLate = each.expiryMs !== undefined && expired.includes(at);
      return isLate ? { ...each, expiryMs: compileOptions.nowMs + compileOptions.minTenorMs } : each;
    });
  });

const settings = fc.record({
  equalAssets: fc.constantFrom(new Map<Asset, Asset>(), new Map([['USD', 'USDT'] as [Asset, Asset]])),
  stableAssets: fc.constantFrom([], STABLE),
  startAssets: fc.subarray([...STABLE, 'BTC' as Asset], { minLength: 1 }),
  maxLegs: fc.integer({ min: 2, max: 5 }),
});
const inputs = fc
  .tuple(markets, settings)
  .map(([instruments, chosen]) => [instruments, { ...compileOptions, ...chosen }] as const);

const ids = (routes: readonly Route[]): string[] => routes.map(({ id }) => id);

describe.each(families)('$id', (family) => {
  const over = (
    check: (routes: readonly Route[], instruments: readonly Instrument[], options: CompileOptions) => void,
  ): void => {
    const checked = fc.property(inputs, ([instruments, options]) => {
      check(family.compile(instruments, options), instruments, options);
    });
    fc.assert(checked, { numRuns: 40 });
  };

  it('has no route for nothing, and the same ones for the same input', () => {
    expect(family.compile([], compileOptions)).toEqual([]);
    over((routes, instruments, options) => {
      expect(
        family.compile(
          instruments.map((each) => ({ ...each })),
          options,
        ),
      ).toEqual(routes);
    });
  });

  it('names no two routes alike, all after itself', () => {
    over((routes) => {
      expect(new Set(ids(routes)).size).toBe(routes.length);
      expect(routes.filter((route) => route.family !== family.id || !route.id.startsWith(`${family.id}:`))).toEqual([]);
    });
  });

  it('takes what is listed, trades and lasts', () => {
    over((routes, instruments, { nowMs, minTenorMs }) => {
      const wrong = usesOf(routes).filter(({ at }) => {
        const { status, expiryMs = Infinity } = instruments[at]!;
        return status !== 'trading' || expiryMs <= nowMs + minTenorMs;
      });
      expect(wrong).toEqual([]);
    });
  });

  it('mixes no quotes, and reckons in an asset in which routes may start', () => {
    over((routes, instruments, { startAssets, equalAssets }) => {
      const counts = (asset: Asset): Asset => equalAssets.get(asset) ?? asset;
      const wrong = routes.filter((route) => {
        if (!startAssets.map(counts).includes(counts(route.start))) return true;
        if (route.evaluator === 'product') return false;
        const uses = usesOf([route]).map(({ at, unit }) => ({ ...instruments[at]!, unit }));
        const reckoned = uses.map(({ base, quote, unit }) => counts(unit === 'quote' ? base : quote));
        // What is counted in quote, and what strikes are counted in, are one currency as well.
        const others = uses.flatMap(({ symbol, kind, unit }) =>
          kind === 'option' || unit === 'quote' ? [counts(writtenQuote(symbol))] : [],
        );
        return reckoned.some((asset) => asset !== route.start) || new Set(others).size > 1;
      });
      expect(wrong).toEqual([]);
    });
  });

  it('is no longer than allowed, and stops at the bound with what came first', () => {
    over((routes, instruments, options) => {
      expect(Math.max(0, ...routes.map(({ legs }) => legs.length))).toBeLessThanOrEqual(options.maxLegs);
      for (const maxRoutes of [0, 1, 7]) {
        expect(ids(family.compile(instruments, { ...options, maxRoutes }))).toEqual(ids(routes.slice(0, maxRoutes)));
      }
    });
  });

  it('counts legs in positive ratios, and edges in what is there', () => {
    over((routes) => {
      for (const route of routes) {
        expect(route.legs.every(({ ratio }) => ratio > 0 && Number.isFinite(ratio))).toBe(true);
        expect(new Set(route.legs.map(({ instrument }) => instrument)).size).toBe(route.legs.length);
        if (route.evaluator === 'product') continue;
        const { notional } = route.terms;
        expect('amount' in notional ? notional.amount : route.legs[notional.leg]?.ratio).toBeGreaterThan(0);
      }
    });
  });
});

type Use = { readonly route: Route; readonly at: number; readonly unit: 'base' | 'quote' };

/** Every mention of an instrument: legs and ends. */
function usesOf(routes: readonly Route[]): readonly Use[] {
  return routes.flatMap((route) => {
    const ends =
      route.evaluator === 'sum'
        ? [...route.terms.closings, ...route.terms.deliveries, ...(route.terms.bridges ?? [])]
        : [];
    return [...route.legs, ...ends].map(({ instrument, unit = 'base' }) => ({ route, at: instrument, unit }));
  });
}

const writtenQuote = (symbol: string): Asset => symbol.split('/')[1]!.split(':')[0] as Asset;
