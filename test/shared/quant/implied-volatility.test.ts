import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { black76, blackScholes } from '#shared/quant/black.ts';
import { impliedBlack76, impliedBlackScholes } from '#shared/quant/implied-volatility.ts';

const between = (min: number, max: number) => fc.double({ min, max, noNaN: true });

describe('implied volatility', () => {
  it('finds the volatility again to 1e-12, out to the last wings, in four evaluations', () => {
    fc.assert(
      fc.property(
        between(-30, 30),
        fc.oneof(between(1 / 525_600, 0.01), between(0.01, 5)),
        between(0.05, 1.5),
        between(-0.1, 0.2),
        (depth, years, volatility, rate) => {
          const reach = depth * volatility * Math.sqrt(years);
          fc.pre(Math.abs(reach) < 10);
          const right = reach > 0 ? ('call' as const) : ('put' as const);
          const option = { right, underlying: 100, strike: 100 * Math.exp(reach), years, rate };
          const implied = impliedBlack76({ ...option, price: black76({ ...option, volatility }).price });
          if (implied.kind === 'refused') throw new Error(`${implied.reason} at depth ${depth}`);
          expect(Math.abs(implied.volatility / volatility - 1)).toBeLessThan(1e-12);
          expect(implied.evaluations).toBeLessThanOrEqual(5);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('finds it on either side of the money, with a yield, wherever it answers', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('call' as const, 'put' as const),
        between(-4, 4),
        between(0.05, 1.5),
        between(-0.05, 0.1),
        (right, depth, volatility, earned) => {
          const strike = 100 * Math.exp(depth * volatility * 0.5);
          const option = { right, underlying: 100, strike, years: 0.25, rate: 0.04, yield: earned };
          const implied = impliedBlackScholes({ ...option, price: blackScholes({ ...option, volatility }).price });
          if (implied.kind === 'refused') throw new Error(`${implied.reason} at depth ${depth}`);
          expect(Math.abs(implied.volatility / volatility - 1)).toBeLessThan(1e-9);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('solves prices far in the money as far as their last place allows, and says how far that is', () => {
    fc.assert(
      fc.property(between(-9, -2), between(0.05, 1.5), between(-0.1, 0.2), (depth, volatility, rate) => {
        const option = { right: 'call' as const, underlying: 60_000, years: 0.5, rate, yield: 0.01 };
        const strike = 60_000 * Math.exp(depth * volatility * Math.sqrt(0.5));
        const { price, vega } = blackScholes({ ...option, strike, volatility });
        const limit = (price * 2 ** -53) / (vega * volatility);
        fc.pre(vega > 1e-8 && limit < 1e-3);
        const implied = impliedBlackScholes({ ...option, strike, price });
        if (implied.kind === 'refused') throw new Error(`${implied.reason} at depth ${depth}`);
        expect(Math.abs(implied.volatility / volatility - 1)).toBeLessThan(1.1 * limit + 1e-13);
        expect(implied.uncertainty / limit).toBeCloseTo(1, 1);
        const again = blackScholes({ ...option, strike, volatility: implied.volatility }).price;
        // Each of the two terms that a price is the difference of is rounded by itself.
        expect(Math.abs(again / price - 1)).toBeLessThan(1e-15 + (60_000 / price) * 2 ** -53);
      }),
      { numRuns: 1_000 },
    );
  });

  it('names why a price has none', () => {
    const call = { right: 'call' as const, underlying: 100, strike: 90, years: 0.5, rate: 0 };
    const reasonOf = (change: object) => {
      const implied = impliedBlack76({ ...call, price: 12, ...change });
      return implied.kind === 'refused' ? implied.reason : implied.kind;
    };
    expect(reasonOf({})).toBe('volatility');
    expect(reasonOf({ price: 9.99 })).toBe('below-intrinsic');
    expect(reasonOf({ price: -1 })).toBe('below-intrinsic');
    expect(reasonOf({ price: 10 })).toBe('vega-vanishing');
    expect(reasonOf({ price: 0, strike: 200 })).toBe('vega-vanishing');
    expect(reasonOf({ price: 10 + 1e-13 })).toBe('vega-vanishing');
    expect(reasonOf({ price: 100 })).toBe('vega-vanishing');
    expect(reasonOf({ price: 100.01 })).toBe('above-bound');
    expect(reasonOf({ right: 'put', price: 90.01 })).toBe('above-bound');
    expect(reasonOf({ years: 0 })).toBe('expired');
    expect(reasonOf({ years: Number.NaN })).toBe('not-a-number');
    expect(reasonOf({ price: Number.NaN })).toBe('not-a-number');
    expect(reasonOf({ underlying: -100 })).toBe('not-a-number');
  });

  it('takes the money itself and the smallest prices', () => {
    for (const price of [1e-300, 1e-12, 0.5, 50, 99]) {
      const option = { right: 'call' as const, underlying: 100, strike: 100, years: 0.1, rate: 0 };
      const implied = impliedBlack76({ ...option, price });
      if (implied.kind === 'refused') throw new Error(implied.reason);
      const again = black76({ ...option, volatility: implied.volatility }).price;
      expect(Math.abs(again / price - 1)).toBeLessThan(1e-13);
    }
  });
});
