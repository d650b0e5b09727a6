import { describe, expect, it } from 'vitest';
import { randomFrom } from '#shared/random.ts';
import { brierScore, meanWithError, reliabilityOf } from '#local/calibration/scores.ts';

describe('the Brier score', () => {
  it('is 0 for certainty that is right, 1 for certainty that is wrong, and p(1 − p) for the rate', () => {
    expect(brierScore([{ probability: 1, happened: true }])).toBe(0);
    expect(brierScore([{ probability: 1, happened: false }])).toBe(1);
    const rate = [true, true, true, false].map((happened) => ({ probability: 0.75, happened }));
    expect(brierScore(rate)).toBeCloseTo(0.1875, 12);
  });
});

describe('the reliability of forecasts', () => {
  it('shows ten bins of equal numbers, least probable first, that agree when the forecasts are honest', () => {
    const random = randomFrom(9);
    const forecasts = Array.from({ length: 20_000 }, () => {
      const probability = random.next();
      return { probability, happened: random.next() < probability };
    });
    const bins = reliabilityOf(forecasts);
    expect(bins.map(({ count }) => count)).toEqual(Array.from({ length: 10 }, () => 2_000));
    for (const [at, { predicted, observed }] of bins.entries()) {
      expect(predicted).toBeCloseTo(at / 10 + 0.05, 1);
      expect(Math.abs(observed - predicted)).toBeLessThan(0.04);
    }
  });
});

describe('a mean with its error', () => {
  it('is that of independent values where each is its own cluster', () => {
    const { mean, standardError, count } = meanWithError([[1], [2], [3], [4]]);
    expect([mean, count]).toEqual([2.5, 4]);
    expect(standardError).toBeCloseTo(Math.sqrt(5 / 3 / 4), 12);
  });

  it('does not take four words of one witness for four witnesses', () => {
    const said = (times: number) => [1, 2, 3, 4].map((value) => Array.from({ length: times }, () => value));
    expect(meanWithError(said(4)).standardError).toBeCloseTo(meanWithError(said(1)).standardError, 12);
  });
});
