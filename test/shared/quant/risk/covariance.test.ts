import { describe, expect, it } from 'vitest';
import { Bug } from '#shared/assert.ts';
import { choleskyOf } from '#shared/quant/risk/cholesky.ts';
import {
  addObservation,
  correlationOf,
  ewmaCovariance,
  sampleCovariance,
  shrunkCovariance,
} from '#shared/quant/risk/covariance.ts';
import { drawScenarios } from '#shared/quant/risk/monte-carlo.ts';
import { normalQuantile } from '#shared/quant/risk/normal-quantile.ts';
import { correlationRisk, deviationOf, parametricTail } from '#shared/quant/risk/parametric.ts';
import { pnlInto, scenariosOf } from '#shared/quant/risk/scenarios.ts';
import { tailsFor, tailsInto } from '#shared/quant/risk/tail.ts';
import { normalCdf } from '#shared/quant/normal.ts';
import { randomFrom } from '#shared/random.ts';

const squareOf = (...cells: readonly number[]) => ({ size: Math.sqrt(cells.length), cells: Float64Array.from(cells) });
const twoFactors = scenariosOf(2, 3, Float64Array.of(1, 2, 3, 2, 4, 9));
const normalsFrom = (factors: number, count: number, seed: number) => {
  const random = randomFrom(seed);
  return scenariosOf(
    factors,
    count,
    Float64Array.from({ length: factors * count }, () => random.normal()),
  );
};

describe('covariance', () => {
  it('of a sample divides by one less than its scenarios', () => {
    expect([...sampleCovariance(twoFactors).cells]).toEqual([1, 3.5, 3.5, 13]);
  });

  it('is unknown from one scenario, and no portfolio can be drawn from it', () => {
    const covariance = sampleCovariance(scenariosOf(2, 1, Float64Array.of(1, 2)));
    expect(covariance.cells.every(Number.isNaN)).toBe(true);
    expect(drawScenarios(covariance, 10, randomFrom(1))).toEqual({ kind: 'refused', reason: 'not-a-number' });
  });

  it('exponentially weighted counts what is recent more, with weights that add to one', () => {
    const { cells } = ewmaCovariance(twoFactors, 0.5);
    expect(cells[0]).toBeCloseTo((0.25 * 1 + 0.5 * 4 + 9) / 1.75, 12);
    expect(cells[1]).toBeCloseTo((0.25 * 2 + 0.5 * 8 + 27) / 1.75, 12);
    expect(() => ewmaCovariance(twoFactors, 1)).toThrow(Bug);
  });

  it('observation by observation tends to the weighted one', () => {
    const scenarios = normalsFrom(3, 400, 8);
    const running = { size: 3, cells: new Float64Array(9) };
    for (let at = 0; at < 400; at += 1) {
      const observed = Float64Array.from({ length: 3 }, (_none, factor) => scenarios.returns[factor * 400 + at]!);
      addObservation(running, observed, 0.9);
    }
    const { cells } = ewmaCovariance(scenarios, 0.9);
    for (const [at, cell] of cells.entries()) expect(running.cells[at]).toBeCloseTo(cell, 12);
  });

  it('shrinks to no correlation where scenarios are too few to say, less the more there are', () => {
    expect(shrunkCovariance(normalsFrom(4, 2, 1)).intensity).toBe(1);
    const intensities = [10, 100, 10_000].map((count) => {
      const own = normalsFrom(5, count, 2);
      const common = own.returns.subarray(0, count);
      const together = own.returns.map((move, at) => move + 2 * common[at % count]!);
      return shrunkCovariance(scenariosOf(5, count, together)).intensity;
    });
    expect(intensities).toEqual([...intensities].sort((a, b) => b - a));
    expect(intensities[0]).toBeGreaterThan(0.01);
    expect(intensities[2]).toBeLessThan(0.001);
  });

  it('shrunk keeps variances, and is positive definite with more factors than scenarios', () => {
    const scenarios = normalsFrom(20, 8, 3);
    const sample = sampleCovariance(scenarios);
    const { covariance, intensity } = shrunkCovariance(scenarios);
    expect(intensity).toBeGreaterThan(0);
    for (let at = 0; at < 400; at += 21) expect(covariance.cells[at]).toBe(sample.cells[at]);
    const factored = choleskyOf(covariance);
    if (factored.kind === 'refused') expect.fail(factored.reason);
    for (let at = 0; at < 400; at += 21) expect(factored.lower.cells[at]).toBeGreaterThan(0);
  });

  it('has correlations between −1 and 1; what does not move goes with nothing', () => {
    expect([...correlationOf(squareOf(4, -6, 0, -6, 9, 0, 0, 0, 0)).cells]).toEqual([1, -1, 0, -1, 1, 0, 0, 0, 1]);
  });
});

describe('the triangle of a covariance', () => {
  it('multiplied by itself is the covariance, of full rank or not', () => {
    for (const [factors, count] of [
      [6, 50],
      [12, 5],
      [1, 2],
    ] as const) {
      const { size, cells } = sampleCovariance(normalsFrom(factors, count, 4));
      const factored = choleskyOf({ size, cells });
      if (factored.kind === 'refused') expect.fail(factored.reason);
      const { cells: lower } = factored.lower;
      for (let i = 0; i < size; i += 1) {
        for (let j = 0; j < size; j += 1) {
          let sum = 0;
          for (let k = 0; k < size; k += 1) sum += lower[i * size + k]! * lower[j * size + k]!;
          expect(sum).toBeCloseTo(cells[i * size + j]!, 6);
        }
      }
    }
  });

  it.each([
    ['not-square', { size: 2, cells: Float64Array.of(1, 0, 1) }],
    ['not-a-number', squareOf(1, Number.NaN, 0, 1)],
    ['not-a-number', squareOf(Infinity)],
    ['not-symmetric', squareOf(1, 0.5, 0.4, 1)],
    ['not-positive', squareOf(1, 2, 2, 1)],
    ['not-positive', squareOf(-1)],
    ['not-positive', squareOf(0, 1, 1, 1)],
    // Each two of the three could go together so; all three cannot.
    ['not-positive', squareOf(1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1)],
  ] as const)('is refused: %s', (reason, matrix) => {
    expect(choleskyOf(matrix)).toEqual({ kind: 'refused', reason });
  });
});

describe('drawn scenarios', () => {
  const covariance = squareOf(4e-4, 3e-4, 3e-4, 9e-4);
  const drawnFrom = (seed: number, count: number) => {
    const drawn = drawScenarios(covariance, count, randomFrom(seed));
    return drawn.kind === 'drawn' ? drawn.scenarios : expect.fail(drawn.reason);
  };

  it('are the same from the same seed, others from another', () => {
    expect(drawnFrom(1, 50).returns).toEqual(drawnFrom(1, 50).returns);
    expect(drawnFrom(1, 50).returns).not.toEqual(drawnFrom(2, 50).returns);
  });

  it('move together as the covariance says', () => {
    const { cells } = sampleCovariance(drawnFrom(3, 40_000));
    for (const [at, cell] of cells.entries()) expect(cell / covariance.cells[at]!).toBeCloseTo(1, 1);
  });

  it('tend to the parametric figures where nothing bends', () => {
    const deltaUsd = Float64Array.of(10_000, -5_000);
    const scenarios = drawnFrom(4, 40_000);
    const pnl = new Float64Array(scenarios.count);
    const tails = tailsFor(scenarios.count);
    pnlInto(scenarios, deltaUsd, new Float64Array(2), pnl);
    tailsInto(pnl, tails);
    for (const [at, confidence] of tails.confidences.entries()) {
      const { varUsd, esUsd } = parametricTail(deltaUsd, covariance, confidence);
      expect(Math.abs(tails.varUsd[at]! / varUsd - 1)).toBeLessThan(0.03);
      expect(Math.abs(tails.esUsd[at]! / esUsd - 1)).toBeLessThan(0.03);
    }
  });
});

describe('parametric figures', () => {
  it('are the known quantiles of one factor', () => {
    const { deviationUsd, varUsd, esUsd } = parametricTail(Float64Array.of(-100), squareOf(0.04), 0.99, 3);
    expect(deviationUsd).toBeCloseTo(20, 12);
    expect(varUsd).toBeCloseTo(20 * 2.3263478740408408 - 3, 10);
    expect(esUsd).toBeCloseTo(20 * 2.6652142203458076 - 3, 10);
  });

  it('are nothing for an empty portfolio and for a perfect hedge, unknown where the covariance is none', () => {
    const twins = squareOf(0.04, 0.04, 0.04, 0.04);
    expect(parametricTail(new Float64Array(2), twins, 0.95)).toEqual({ deviationUsd: 0, varUsd: 0, esUsd: 0 });
    expect(deviationOf(Float64Array.of(1e6 / 3, -1e6 / 3), twins)).toBe(0);
    expect(deviationOf(Float64Array.of(1, -1), squareOf(1, 2, 2, 1))).toBeNaN();
    expect(deviationOf(Float64Array.of(1, 0), squareOf(Number.NaN, 0, 0, 1))).toBeNaN();
    expect(deviationOf(Float64Array.of(0, 1), squareOf(Number.NaN, 0, 0, 1))).toBe(1);
  });

  it('have a correlation risk of 1 where all moves together and 0 where all is hedged', () => {
    const twins = squareOf(0.04, 0.04, 0.04, 0.04);
    expect(correlationRisk(Float64Array.of(5, 7), twins)).toBeCloseTo(1, 12);
    expect(correlationRisk(Float64Array.of(5, -5), twins)).toBe(0);
    expect(correlationRisk(Float64Array.of(1, 1), squareOf(1, 0, 0, 1))).toBeCloseTo(Math.SQRT1_2, 12);
    expect(correlationRisk(new Float64Array(2), twins)).toBe(0);
  });
});

describe('the normal quantile', () => {
  it('is the inverse of the distribution, far into the tails', () => {
    for (const p of [1e-300, 1e-20, 1e-8, 0.001, 0.05, 0.3, 0.499, 0.5])
      expect(normalCdf(normalQuantile(p)) / p).toBeCloseTo(1, 10);
    for (const p of [0.6, 0.95, 0.99, 0.999999]) expect(normalCdf(normalQuantile(p))).toBeCloseTo(p, 14);
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 13);
    expect(() => normalQuantile(0)).toThrow(Bug);
    expect(() => normalQuantile(1)).toThrow(Bug);
  });
});
