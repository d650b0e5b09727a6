import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { black76, black76Into, blackScholes, blackScholesInto } from '#shared/quant/black.ts';
import { applyExp, applyLog } from '#shared/quant/exponential.ts';
import { normalCdf } from '#shared/quant/normal.ts';
import type { SpotOption } from '#shared/quant/option.ts';

const EXPONENTIALS = [
  [1e-9, 1.000000001, -8.224037093664211e-17],
  [-0.0107, 0.989357041371165, -2.0805695166015437e-17],
  [0.25, 1.2840254166877414, 8.968972781793724e-17],
  [-0.7, 0.4965853037914095, 9.827550225511106e-18],
  [1.0, 2.718281828459045, 1.4456468917292502e-16],
  [-4.5, 0.011108996538242306, 4.1424253318674305e-19],
  [17.3, 32605775.72099587, -1.5242208879847258e-9],
  [-300.25, 4.009422364622857e-131, -9.421845746665655e-148],
  [699.9, 9.177151136957067e303, -2.1250360650809388e287],
  [-699.9, 1.0896627777796162e-304, 3.02e-321],
] as const;

const between = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const anyOption = fc.record({
  right: fc.constantFrom('call' as const, 'put' as const),
  underlying: between(0.01, 100_000),
  depth: between(-8, 8),
  years: fc.oneof(between(1 / 525_600, 0.01), between(0.01, 5)),
  volatility: between(0.05, 2),
  rate: between(-0.1, 0.2),
  yield: between(-0.1, 0.2),
});
/** Strikes so many standard deviations from the underlying. */
const optionOf = ({
  depth,
  ...rest
}: typeof anyOption extends fc.Arbitrary<infer Drawn> ? Drawn : never): SpotOption => ({
  ...rest,
  strike: rest.underlying * Math.exp(Math.max(-5, Math.min(5, depth * rest.volatility * Math.sqrt(rest.years)))),
});
const options = anyOption.map(optionOf);
const legsOf = ({ underlying, strike, years, rate, yield: earned }: SpotOption) => ({
  forward: underlying * Math.exp(-earned * years),
  paid: strike * Math.exp(-rate * years),
});

describe('the normal law', () => {
  it('keeps its digits in the tails', () => {
    // mpmath, to the nearest double.
    expect(normalCdf(0)).toBeCloseTo(0.5, 15);
    expect(normalCdf(1) / 0.8413447460685429).toBeCloseTo(1, 15);
    expect(Math.abs(normalCdf(-10) / 7.619853024160525e-24 - 1)).toBeLessThan(1e-14);
    expect(Math.abs(normalCdf(-37) / 5.725571222524577e-300 - 1)).toBeLessThan(1e-13);
    expect(normalCdf(-50)).toBe(0);
    expect(normalCdf(50)).toBe(1);
    expect(normalCdf(Infinity)).toBe(1);
  });

  it('is symmetric and rises', () => {
    fc.assert(
      fc.property(between(-9, 9), between(1e-6, 1), (x, step) => {
        expect(normalCdf(x) + normalCdf(-x)).toBeCloseTo(1, 14);
        expect(normalCdf(x + step)).toBeGreaterThanOrEqual(normalCdf(x));
      }),
    );
  });
});

describe('the exponential', () => {
  it('has more digits than a double', () => {
    const pair = new Float64Array(2);
    // mpmath: e^x in two doubles; the reduced arguments of the table are multiples of ln 2/64.
    for (const [x, high, low] of EXPONENTIALS) {
      pair[0] = x;
      pair[1] = 0;
      applyExp(pair, 0);
      const [first = NaN, second = NaN] = pair;
      expect(Math.abs(first - high + (second - low)) / high).toBeLessThan(2.5e-18);
    }
  });

  it('takes what a double cannot reduce, and no number', () => {
    const of = (x: number): number => {
      const pair = Float64Array.of(x, 0);
      applyExp(pair, 0);
      return pair[0]! + pair[1]!;
    };
    expect(of(0)).toBe(1);
    expect(of(-745.5)).toBe(0);
    expect(of(-Infinity)).toBe(0);
    expect(of(709.5)).toBe(Math.exp(709.5));
    expect(of(710)).toBe(Infinity);
    expect(of(Number.NaN)).toBeNaN();
  });
});

it.each([
  [60000.0, 60000.000001, 0.0, -1.6666672308790375e-11],
  [1.0, 1.0, 1e-17, 1e-17],
  [100.0, 141.0, 0.0, -0.3435897043900769],
  [100.0, 142.0, 0.0, -0.3506568716131694],
  [3e-9, 4000000000.0, 0.0, -41.7342137463446],
  [50000.0, 1.25, 0.0, 10.596634733096073],
])('the logarithm of %d/%d keeps its digits near one and far', (a, b, c, expected) => {
  const cells = Float64Array.of(a, b, c);
  applyLog(cells, 0);
  expect(Math.abs(cells[0]! / expected - 1)).toBeLessThan(5e-16);
});

describe('Black–Scholes', () => {
  it('gives the textbook example', () => {
    // Hull, example 15.6: S 42, K 40, half a year, 20 %, 10 %: call 4.76, put 0.81.
    const option = { underlying: 42, strike: 40, years: 0.5, volatility: 0.2, rate: 0.1, yield: 0 };
    expect(blackScholes({ right: 'call', ...option }).price).toBeCloseTo(4.7594, 4);
    expect(blackScholes({ right: 'put', ...option }).price).toBeCloseTo(0.8086, 4);
  });

  it('keeps put-call parity', () => {
    fc.assert(
      fc.property(options, (option) => {
        const { forward, paid } = legsOf(option);
        const call = blackScholes({ ...option, right: 'call' });
        const put = blackScholes({ ...option, right: 'put' });
        expect(Math.abs(call.price - put.price - (forward - paid))).toBeLessThan(1e-14 * (forward + paid));
        expect(Math.abs(call.delta - put.delta - forward / option.underlying)).toBeLessThan(1e-13);
        expect(call.gamma).toBe(put.gamma);
        expect(call.vega).toBe(put.vega);
      }),
    );
  });

  it('stays within the bounds of no arbitrage', () => {
    fc.assert(
      fc.property(options, (option) => {
        const { forward, paid } = legsOf(option);
        const isCall = option.right === 'call';
        const { price, delta, gamma, vega } = blackScholes(option);
        const rounding = 1e-14 * (forward + paid);
        expect(price).toBeGreaterThanOrEqual(Math.max(0, (isCall ? forward - paid : paid - forward) - rounding));
        expect(price).toBeLessThanOrEqual((isCall ? forward : paid) + rounding);
        expect(isCall ? delta : -delta).toBeGreaterThanOrEqual(0);
        expect(Math.abs(delta)).toBeLessThanOrEqual((forward / option.underlying) * (1 + 1e-14));
        expect(gamma).toBeGreaterThanOrEqual(0);
        expect(vega).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('never falls in volatility; a call falls and a put rises in strike', () => {
    fc.assert(
      fc.property(options, between(1.0001, 1.5), (option, factor) => {
        const { price } = blackScholes(option);
        const rounding = 1e-13 * (option.underlying + option.strike);
        const wilder = blackScholes({ ...option, volatility: option.volatility * factor });
        const higher = blackScholes({ ...option, strike: option.strike * factor });
        expect(wilder.price).toBeGreaterThanOrEqual(price - rounding);
        expect((option.right === 'call' ? 1 : -1) * (price - higher.price)).toBeGreaterThanOrEqual(-rounding);
      }),
    );
  });

  it('has the Greeks that its own differences show', () => {
    const option: SpotOption = {
      right: 'put',
      underlying: 100,
      strike: 95,
      years: 0.4,
      volatility: 0.6,
      rate: 0.03,
      yield: 0.01,
    };
    const slope = (change: (step: number) => Partial<SpotOption>): number =>
      (blackScholes({ ...option, ...change(1e-5) }).price - blackScholes({ ...option, ...change(-1e-5) }).price) / 2e-5;
    const { delta, gamma, vega, theta, rho } = blackScholes(option);
    const up = blackScholes({ ...option, underlying: 100 + 1e-4 }).delta;
    const down = blackScholes({ ...option, underlying: 100 - 1e-4 }).delta;
    expect(delta).toBeCloseTo(
      slope((step) => ({ underlying: 100 + step })),
      7,
    );
    expect(gamma).toBeCloseTo((up - down) / 2e-4, 8);
    expect(vega).toBeCloseTo(
      slope((step) => ({ volatility: 0.6 + step })),
      6,
    );
    expect(theta).toBeCloseTo(-slope((step) => ({ years: 0.4 + step })), 6);
    expect(rho).toBeCloseTo(
      slope((step) => ({ rate: 0.03 + step })),
      6,
    );
  });

  it('is worth its discounted intrinsic value without time or volatility', () => {
    const option: SpotOption = {
      right: 'call',
      underlying: 110,
      strike: 100,
      years: 0,
      volatility: 0.5,
      rate: 0.05,
      yield: 0,
    };
    expect(blackScholes(option)).toMatchObject({ price: 10, delta: 1, gamma: 0, vega: 0, rho: 0 });
    expect(blackScholes({ ...option, right: 'put' })).toMatchObject({ price: 0, gamma: 0, vega: 0 });
    expect(blackScholes({ ...option, years: 1, volatility: 0 }).price).toBeCloseTo(110 - 100 * Math.exp(-0.05), 12);
  });

  it('answers nonsense with NaN', () => {
    const option: SpotOption = {
      right: 'call',
      underlying: 100,
      strike: 100,
      years: 1,
      volatility: 0.5,
      rate: 0,
      yield: 0,
    };
    for (const wrong of [{ volatility: -1 }, { years: -1 }, { underlying: -1 }, { strike: Number.NaN }]) {
      expect(blackScholes({ ...option, ...wrong }).price).toBeNaN();
    }
  });
});

describe('Black-76', () => {
  it('is Black–Scholes on a forward that carries its own discount', () => {
    fc.assert(
      fc.property(options, (option) => {
        const ours = black76(option);
        const spot = blackScholes({ ...option, yield: option.rate });
        expect(ours).toMatchObject({ price: spot.price, delta: spot.delta, gamma: spot.gamma, vega: spot.vega });
        expect(ours.rho).toBe(-option.years * ours.price);
      }),
    );
  });
});

it('gives by columns what it gives one by one', () => {
  fc.assert(
    fc.property(fc.array(options, { minLength: 1, maxLength: 5 }), (rows) => {
      const column = (pick: (option: SpotOption) => number) => Float64Array.from(rows, pick);
      const columns = {
        calls: Uint8Array.from(rows, ({ right }) => (right === 'call' ? 1 : 0)),
        underlying: column(({ underlying }) => underlying),
        strike: column(({ strike }) => strike),
        years: column(({ years }) => years),
        volatility: column(({ volatility }) => volatility),
        rate: column(({ rate }) => rate),
        yield: column((option) => option.yield),
      };
      const empty = () => new Float64Array(rows.length);
      const out = { price: empty(), delta: empty(), gamma: empty(), vega: empty(), theta: empty(), rho: empty() };
      const rowOf = (at: number) => Object.fromEntries(Object.entries(out).map(([name, values]) => [name, values[at]]));
      blackScholesInto(columns, out);
      for (const [at, option] of rows.entries()) expect(rowOf(at)).toEqual(blackScholes(option));
      black76Into(columns, out);
      for (const [at, option] of rows.entries()) expect(rowOf(at)).toEqual(black76(option));
    }),
  );
});
