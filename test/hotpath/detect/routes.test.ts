import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Asset } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { CompileOptions, Route } from '#shared/domain/route.ts';
import { cycle } from '#hotpath/detect/routes/cycle.ts';
import { families } from '#hotpath/detect/routes/index.ts';
import { spatial } from '#hotpath/detect/routes/spatial.ts';
import { spot } from '#test/support/market.ts';

const assets = (...codes: string[]): Asset[] => codes as Asset[];
const options: CompileOptions = {
  maxLegs: 4,
  crossVenue: true,
  maxRoutes: 100_000,
  startAssets: assets('USDT', 'USDC', 'BTC'),
  stableAssets: [],
  equalAssets: new Map(),
  nowMs: 0,
  minTenorMs: 0,
};
const ids = (routes: readonly Route[]): string[] => routes.map(({ id }) => id);

/** Up to three venues, each with some of the pairs of six assets. */
const markets = fc
  .uniqueArray(
    fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 })),
    { minLength: 1, maxLength: 12, selector: ([venue, x, y]) => `${venue}${Math.min(x, y)}${Math.max(x, y)}` },
  )
  .map((pairs) => {
    const codes = ['USDT', 'BTC', 'USDC', 'ETH', 'SOL', 'XRP'];
    return pairs.filter(([, x, y]) => x !== y).map(([venue, x, y]) => spot(`${venue}:${codes[x]!}/${codes[y]!}`));
  });

describe('spatial', () => {
  it('pairs one asset pair over two venues, both ways', () => {
    const instruments = [spot('a:BTC/USDT'), spot('b:BTC/USDT'), spot('b:ETH/USDT')];
    const [first, second, ...rest] = spatial.compile(instruments, options);
    expect(rest).toEqual([]);
    expect(first).toEqual({
      id: 'spatial:a:BTC/USDT>b:BTC/USDT',
      family: 'spatial',
      evaluator: 'product',
      legs: [
        { instrument: 0, side: 'buy', ratio: 1 },
        { instrument: 1, side: 'sell', ratio: 1 },
      ],
      start: 'USDT',
    });
    expect(second!.id).toBe('spatial:b:BTC/USDT>a:BTC/USDT');
  });

  it('never takes USDT, USDC and USD for one another, nor a perpetual for spot', () => {
    const others = [spot('b:BTC/USDC'), spot('c:BTC/USD'), spot('d:BTC/USDT', { kind: 'perpetual' })];
    expect(spatial.compile([spot('a:BTC/USDT'), ...others], options)).toEqual([]);
  });

  it('leaves out what is halted', () => {
    const halted: Instrument = { ...spot('b:BTC/USDT'), status: 'halted' };
    expect(spatial.compile([spot('a:BTC/USDT'), halted], options)).toEqual([]);
  });

  it('keeps profit in the base where the quote is no start asset, and makes no route where neither is', () => {
    const instruments = [spot('a:BTC/EUR'), spot('b:BTC/EUR'), spot('a:SOL/ETH'), spot('b:SOL/ETH')];
    const routes = spatial.compile(instruments, options);
    expect(routes.map(({ start, legs }) => [start, legs[0]!.side])).toEqual([
      ['BTC', 'sell'],
      ['BTC', 'sell'],
    ]);
  });
});

describe('cycle', () => {
  it('finds what brute force finds, each cycle once', () => {
    fc.assert(
      fc.property(markets, fc.integer({ min: 3, max: 5 }), fc.boolean(), (instruments, maxLegs, crossVenue) => {
        const routes = cycle.compile(instruments, { ...options, maxLegs, crossVenue });
        const found = routes.map(({ legs }) => rotationKey(legs.map(({ instrument, side }) => `${side}${instrument}`)));
        expect(new Set(found).size).toBe(found.length);
        expect(new Set(found)).toEqual(bruteForce(instruments, maxLegs, crossVenue));
        expect(new Set(ids(routes)).size).toBe(routes.length);
      }),
      { numRuns: 1_500 },
    );
  });

  it('begins and ends in its start asset, the first of the list that it meets', () => {
    fc.assert(
      fc.property(markets, (instruments) => {
        for (const { start, legs } of cycle.compile(instruments, options)) {
          let held = start;
          const met: Asset[] = [];
          for (const { instrument, side } of legs) {
            const { base, quote } = instruments[instrument]!;
            met.push(held);
            expect(held).toBe(side === 'buy' ? quote : base);
            held = side === 'buy' ? base : quote;
          }
          expect(held).toBe(start);
          expect(options.startAssets.find((asset) => met.includes(asset))).toBe(start);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('puts short before long and inside a venue before across, and stops at the bound', () => {
    const symbols = ['BTC/USDT', 'ETH/BTC', 'ETH/USDT', 'SOL/ETH', 'SOL/USDT'];
    const instruments = ['a', 'b'].flatMap((venue) => symbols.map((symbol) => spot(`${venue}:${symbol}`)));
    const all = cycle.compile(instruments, options);
    const rank = ({ legs }: Route): number =>
      legs.length * 2 + (new Set(legs.map(({ instrument }) => instruments[instrument]!.venue)).size > 1 ? 1 : 0);
    const ranks = all.map(rank);
    expect(ranks).toEqual([...ranks].sort((x, y) => x - y));
    expect(cycle.compile(instruments, { ...options, maxRoutes: 7 })).toEqual(all.slice(0, 7));
  });
});

describe.each(families)('$id', (family) => {
  it('is pure: the same input gives the same routes, and nothing gives none', () => {
    fc.assert(
      fc.property(markets, (instruments) => {
        expect(ids(family.compile(instruments, options))).toEqual(ids(family.compile([...instruments], options)));
      }),
      { numRuns: 50 },
    );
    expect(family.compile([], options)).toEqual([]);
  });

  it('gives legs of instruments that exist, in this family and at most as long as allowed', () => {
    fc.assert(
      fc.property(markets, (instruments) => {
        for (const route of family.compile(instruments, options)) {
          expect(route.family).toBe(family.id);
          expect(route.id.startsWith(`${family.id}:`)).toBe(true);
          expect(route.legs.length).toBeLessThanOrEqual(options.maxLegs);
          for (const { instrument } of route.legs) expect(instruments[instrument]).toBeDefined();
        }
      }),
      { numRuns: 50 },
    );
  });
});

/** Every closed chain of steps over distinct assets, found by trying all of them; keyed so that rotations are one. */
function bruteForce(instruments: readonly Instrument[], maxLegs: number, crossVenue: boolean): Set<string> {
  const steps = instruments.flatMap(({ base, quote, venue }, at) => [
    { key: `buy${at}`, from: quote, to: base, venue },
    { key: `sell${at}`, from: base, to: quote, venue },
  ]);
  const keys = new Set<string>();
  const extend = (chain: typeof steps): void => {
    const first = chain[0]!;
    const last = chain.at(-1)!;
    if (chain.length >= 3 && last.to === first.from) {
      const meets = chain.some(({ from }) => options.startAssets.includes(from));
      const venues = new Set(chain.map(({ venue }) => venue)).size;
      if (meets && (venues === 1 || crossVenue)) keys.add(rotationKey(chain.map(({ key }) => key)));
    }
    if (chain.length >= maxLegs) return;
    for (const step of steps) {
      const fresh = chain.every(({ from, key }) => from !== step.from && key !== step.key);
      if (fresh && step.from === last.to && last.to !== first.from) extend([...chain, step]);
    }
  };
  for (const step of steps) extend([step]);
  return keys;
}

function rotationKey(keys: readonly string[]): string {
  return keys.map((_key, at) => [...keys.slice(at), ...keys.slice(0, at)].join('>')).sort()[0]!;
}
