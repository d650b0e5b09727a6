import fc from 'fast-check';
import { expect, it } from 'vitest';
import { kellyFraction, kellyNotional, type Bet } from '#shared/portfolio/kelly.ts';

const bets = fc.record({
  chance: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
  gain: fc.double({ min: 0.01, max: 5, noNaN: true }),
  loss: fc.double({ min: 0.01, max: 1, noNaN: true }),
});
const growth = ({ chance, gain, loss }: Bet, share: number): number =>
  chance * Math.log1p(share * gain) + (1 - chance) * Math.log1p(-share * loss);

it('is the edge over the odds where a stake is lost whole', () => {
  // Even money at 60 %: twenty percent. Two to one at 40 %: p − q/b = 0.4 − 0.6/2.
  expect(kellyFraction({ chance: 0.6, gain: 1, loss: 1 })).toBeCloseTo(0.2, 12);
  expect(kellyFraction({ chance: 0.4, gain: 2, loss: 1 })).toBeCloseTo(0.1, 12);
});

it('is nothing where the bet does not pay, and without end where it cannot lose', () => {
  expect(kellyFraction({ chance: 0.5, gain: 1, loss: 1 })).toBe(0);
  expect(kellyFraction({ chance: 0.2, gain: 1, loss: 0.5 })).toBe(0);
  expect(kellyFraction({ chance: 0.9, gain: -0.1, loss: 0.5 })).toBe(0);
  expect(kellyFraction({ chance: 0.9, gain: 0.1, loss: 0 })).toBe(Infinity);
  expect(kellyFraction({ chance: 0, gain: 0.1, loss: 0 })).toBe(0);
});

it('lets capital grow faster than any other share', () => {
  fc.assert(
    fc.property(bets, fc.double({ min: 0, max: 1, noNaN: true }), (bet, at) => {
      const best = kellyFraction(bet);
      const other = (at * 0.999) / bet.loss;
      expect(growth(bet, best)).toBeGreaterThanOrEqual(growth(bet, other) - 1e-12);
    }),
  );
});

it('is μ/σ² where gains and losses are small against the stake', () => {
  const bet = { chance: 0.51, gain: 0.01, loss: 0.01 };
  const mean = 0.51 * 0.01 - 0.49 * 0.01;
  expect(kellyFraction(bet)).toBeCloseTo(mean / 0.01 ** 2, 9);
});

it('puts in a fraction of it, of the capital, up to the cap', () => {
  const bet = { chance: 0.6, gain: 1, loss: 1 };
  expect(kellyNotional(bet, 10_000, { fraction: 0.5, cap: 20_000 })).toBeCloseTo(1_000, 9);
  expect(kellyNotional(bet, 10_000_000, { fraction: 0.5, cap: 20_000 })).toBe(20_000);
  expect(kellyNotional(bet, -5, { fraction: 0.5, cap: 20_000 })).toBe(0);
  expect(kellyNotional({ chance: 0.9, gain: 0.1, loss: 0 }, 1, { fraction: 0.5, cap: 20_000 })).toBe(20_000);
  expect(kellyNotional({ chance: 0.9, gain: 0.1, loss: 0 }, 0, { fraction: 0.5, cap: 20_000 })).toBe(0);
  expect(kellyNotional({ ...bet, chance: 0.1 }, 10_000, { fraction: 0.5, cap: 20_000 })).toBe(0);
});
