import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { black76, black76Into, blackScholes, blackScholesInto } from '#shared/quant/black.ts';
import type { SpotOption, Valuation } from '#shared/quant/option.ts';
import { ON_SPOT, pricePairs } from '#shared/quant/pairs.ts';
import { randomFrom } from '#shared/random.ts';
import { builtKernel, KERNELS } from './build-kernel.ts';

const FIGURES = ['price', 'delta', 'gamma', 'vega', 'theta', 'rho'] as const;

/** Rows for several fills of the kernel's memory, an odd number of them: to 36 standard deviations, minutes to 30 years, and the degenerate. */
function optionsFrom(seed: number, count: number): readonly SpotOption[] {
  const random = randomFrom(seed);
  const within = (low: number, high: number): number => low + (high - low) * random.next();
  return Array.from({ length: count }, (): SpotOption => {
    const years = random.next() < 0.3 ? within(1, 60) / 525_600 : within(0.01, 30);
    const volatility = within(0.03, 2.5);
    const reach = within(-36, 36) * volatility * Math.sqrt(years);
    const option = { underlying: within(0.01, 60_000), years, volatility, rate: within(-0.05, 0.15) };
    const strike = option.underlying * Math.exp(Math.max(-12, Math.min(12, reach)));
    const right = random.next() < 0.5 ? 'call' : 'put';
    return { right, strike, yield: random.next() < 0.3 ? 0 : within(-0.05, 0.15), ...option };
  });
}

const USUAL: SpotOption = {
  right: 'call',
  underlying: 100,
  strike: 90,
  years: 0.5,
  volatility: 0.6,
  rate: 0.04,
  yield: 0.01,
};
const ODD: readonly SpotOption[] = [
  { years: 0 },
  { volatility: 0 },
  { strike: 100, rate: 0, yield: 0 },
  { years: -1 },
  { strike: Number.NaN },
  { underlying: 0 },
  { underlying: 1e300, strike: 1e-300 },
  { volatility: 80 },
  { rate: 2_000 },
  { rate: -2_000 },
  { years: Infinity },
  { strike: 1e-30, volatility: 0.01 },
].map((change) => ({ ...USUAL, ...change }));

function columnsOf(options: readonly SpotOption[]) {
  const column = (pick: (option: SpotOption) => number) => Float64Array.from(options, pick);
  return {
    calls: Uint8Array.from(options, ({ right }) => (right === 'call' ? 1 : 0)),
    underlying: column(({ underlying }) => underlying),
    strike: column(({ strike }) => strike),
    years: column(({ years }) => years),
    volatility: column(({ volatility }) => volatility),
    rate: column(({ rate }) => rate),
    yield: column((option) => option.yield),
  };
}

const emptyFor = (count: number) => {
  const column = () => new Float64Array(count).fill(-1);
  return { price: column(), delta: column(), gamma: column(), vega: column(), theta: column(), rho: column() };
};

describe('two options at a time', () => {
  const options = [...optionsFrom(7, 700), ...ODD, ...optionsFrom(8, 1_001)];

  it.each([
    ['spot', blackScholesInto, blackScholes],
    ['forward', black76Into, black76],
  ] as const)('give the bits of one at a time, on a %s', (_model, into, one) => {
    const out = emptyFor(options.length);
    into(columnsOf(options), out);
    for (const [at, option] of options.entries()) {
      const wanted: Valuation = one(option);
      for (const figure of FIGURES)
        expect(out[figure][at], `${figure} of ${JSON.stringify(option)}`).toBe(wanted[figure]);
    }
  });

  it('leave only degenerate rows and the last of the wings to one at a time', () => {
    const usual = optionsFrom(9, 999);
    const columns = columnsOf(usual);
    const out = emptyFor(usual.length);
    pricePairs(columns, columns.yield, out, ON_SPOT);
    expect(out.price.filter((price) => Number.isNaN(price)).length).toBeLessThan(10);
    expect(out.price.filter((price) => price === -1)).toHaveLength(0);
  });

  it('are what their source compiles to', async () => {
    expect(await builtKernel(KERNELS.pairs)).toBe(readFileSync(KERNELS.pairs.target, 'utf8'));
  }, 60_000);
});
