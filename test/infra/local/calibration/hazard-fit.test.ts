import { describe, expect, it } from 'vitest';
import { randomFrom } from '#shared/random.ts';
import type { Trial } from '#local/calibration/hazard-fit.ts';
import { fitHazard } from '#local/calibration/hazard-fit.ts';

/** Trials whose hazards are known. */
function trialsFrom(coefficients: readonly number[], count: number, offset = 0): readonly Trial[] {
  const random = randomFrom(3);
  return Array.from({ length: count }, () => {
    const regressors = coefficients.map((_, at) => (at === 0 ? 1 : random.normal()));
    const logHazard = regressors.reduce((sum, regressor, at) => sum + regressor * coefficients[at]!, offset);
    return { regressors, offset, missed: random.next() < 1 - Math.exp(-Math.exp(logHazard)) };
  });
}

describe('the fit of a hazard', () => {
  it('finds the coefficients that made the trials, within four of the errors that it states', () => {
    const truth = [-2, 0.7, -0.4, 0];
    const { coefficients, standardErrors } = fitHazard(trialsFrom(truth, 20_000), 0);
    for (const [at, each] of truth.entries()) {
      expect(Math.abs(coefficients[at]! - each)).toBeLessThan(4 * standardErrors[at]!);
      expect(standardErrors[at]!).toBeGreaterThan(0);
      expect(standardErrors[at]!).toBeLessThan(0.05);
    }
  });

  it('leaves no slope at what it finds: nothing near is likelier', () => {
    const trials = trialsFrom([-1, 0.5], 500);
    const { coefficients, logLikelihood } = fitHazard(trials, 0);
    const likelihoodOf = ([intercept, slope]: readonly number[]): number =>
      trials.reduce((sum, { regressors, missed }) => {
        const hazard = Math.exp(intercept! + slope! * regressors[1]!);
        return sum + (missed ? Math.log(1 - Math.exp(-hazard)) : -hazard);
      }, 0);
    expect(logLikelihood).toBeCloseTo(likelihoodOf(coefficients), 9);
    for (const [one, other] of [
      [0.01, 0],
      [-0.01, 0],
      [0, 0.01],
      [0, -0.01],
    ] as const)
      expect(likelihoodOf([coefficients[0]! + one, coefficients[1]! + other])).toBeLessThan(logLikelihood);
  });

  it('is the rate of misses where nothing else is known, and takes what is known of the hazard', () => {
    const trials = trialsFrom([-1], 1_000);
    const missed = trials.filter((trial) => trial.missed).length;
    const rate = -Math.log(1 - missed / trials.length);
    expect(Math.exp(fitHazard(trials, 0).coefficients[0]!)).toBeCloseTo(rate, 6);
    const offset = trials.map((trial) => ({ ...trial, offset: Math.log(4) }));
    expect(Math.exp(fitHazard(offset, 0).coefficients[0]!)).toBeCloseTo(rate / 4, 6);
  });

  it('stays finite where a regressor tells misses and fills apart, or tells nothing', () => {
    const separated = Array.from({ length: 100 }, (_, at) => ({
      regressors: [1, at < 50 ? -1 : 1, 0],
      offset: 0,
      missed: at >= 50,
    }));
    const { coefficients } = fitHazard(separated, 1);
    expect(coefficients[1]!).toBeGreaterThan(0.5);
    expect(coefficients.every((each) => Math.abs(each) < 20)).toBe(true);
    expect(coefficients[2]!).toBe(0);
  });
});
