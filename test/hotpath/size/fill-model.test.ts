import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { Pace } from '#shared/domain/capital.ts';
import type { InstrumentId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { FillFacts } from '#shared/domain/trade.ts';
import type { WalkedLeg } from '#hotpath/size/fill-model.ts';
import {
  fillFactsOf,
  fillProbabilityOf,
  goodEndOf,
  hazardOf,
  impactShareOf,
  improvementShareOf,
  regressorsOf,
} from '#hotpath/size/fill-model.ts';

const settings = loadConfig({ dir: 'config', env: {} }).engine.fill;
const pace: Pace = {
  volatilityOf: () => 2e-4,
  roundTripMsOf: () => 40,
  clockJitterMsOf: () => NaN,
  standingShareOf: () => 1,
};

const leg = (changes: Partial<WalkedLeg> = {}): WalkedLeg => ({
  id: 'a:BTC/USDT' as InstrumentId,
  instrument: 0 as InstrumentIndex,
  side: 'buy',
  qty: 3,
  averagePrice: 100.2,
  worstPrice: 100.5,
  limit: 101,
  ageMs: 10,
  prices: Float64Array.of(100, 100.5, 101, 102, 103),
  qtys: Float64Array.of(2, 3, 5, 10, 1e6),
  levels: 4,
  ...changes,
});

const facts = fc.record({
  ageMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
  roundTripMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
  volatility: fc.double({ min: 0, max: 0.1, noNaN: true }),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  displayed: fc.double({ min: 0, max: 1e7, noNaN: true }),
  cushion: fc.double({ min: 0, max: 0.1, noNaN: true }),
});

describe('what the chance of filling is reckoned from', () => {
  it('is the share of what stands within the limit, and the room between need and limit', () => {
    expect(fillFactsOf(leg(), pace, 6_000)).toEqual({
      ageMs: 10,
      roundTripMs: 40,
      volatility: 2e-4,
      share: 0.3,
      displayed: 20_000,
      cushion: expect.closeTo(0.5 / 100.5, 12),
    });
  });

  it('reads a sale from the bids down', () => {
    const sale = leg({
      side: 'sell',
      prices: Float64Array.of(100, 99, 98),
      qtys: Float64Array.of(2, 4, 50),
      levels: 3,
      worstPrice: 99.5,
      limit: 99,
    });
    expect(fillFactsOf(sale, pace, 6_000)).toMatchObject({ share: 0.5, cushion: expect.closeTo(0.5 / 99.5, 12) });
  });

  it('takes all of a book that does not display the quantity', () => {
    expect(fillFactsOf(leg({ levels: 0 }), pace, 0).share).toBe(1);
    expect(fillFactsOf(leg({ qty: 11 }), pace, 0).share).toBe(1);
  });
});

describe('the probability that all legs fill', () => {
  it('is a probability, however odd the facts', () => {
    fc.assert(
      fc.property(fc.array(facts, { minLength: 1, maxLength: 6 }), (legs) => {
        const probability = fillProbabilityOf(legs, settings);
        expect(probability).toBeGreaterThanOrEqual(0);
        expect(probability).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is the product over the legs where they miss independently', () => {
    const independent = { ...settings, correlation: 1 };
    fc.assert(
      fc.property(facts, facts, (one, other) => {
        const alone = [one, other].map((each) => fillProbabilityOf([each], independent));
        expect(fillProbabilityOf([one, other], independent)).toBeCloseTo(alone[0]! * alone[1]!, 12);
      }),
    );
  });

  it('never rises with the age, the round trip or the share, and never falls with the cushion', () => {
    fc.assert(
      fc.property(facts, fc.double({ min: 0, max: 1e3, noNaN: true }), (calm, more) => {
        const chanceOf = (each: FillFacts): number => fillProbabilityOf([each], settings);
        expect(chanceOf({ ...calm, ageMs: calm.ageMs + more })).toBeLessThanOrEqual(chanceOf(calm));
        expect(chanceOf({ ...calm, roundTripMs: calm.roundTripMs + more })).toBeLessThanOrEqual(chanceOf(calm));
        expect(chanceOf({ ...calm, share: Math.min(1, calm.share + more) })).toBeLessThanOrEqual(chanceOf(calm));
      }),
    );
  });

  it('is linear in its regressors, on the logarithm of the hazard', () => {
    fc.assert(
      fc.property(facts, (each) => {
        const { intercept, round_trip, age, volatility, share, displayed, cushion } = settings;
        const coefficients = [intercept, round_trip, age, volatility, share, displayed, cushion];
        const linear = regressorsOf(each).reduce((sum, regressor, at) => sum + regressor * coefficients[at]!, 0);
        expect(Math.log(hazardOf(each, settings))).toBeCloseTo(linear, 9);
      }),
    );
  });
});

describe('the probability of a good end', () => {
  const legs = [40, 10].map((roundTripMs) => ({ ...fillFactsOf(leg(), pace, 6_000), roundTripMs }));

  it('adds what recovery saves of the misses, the less the slower the slowest venue is', () => {
    expect(goodEndOf(0.8, legs, { ...settings, rescue_ms: 0 })).toBe(0.8);
    expect(goodEndOf(0.8, legs, { ...settings, rescue_ms: 40 })).toBeCloseTo(0.9, 12);
    expect(goodEndOf(0.8, legs, { ...settings, rescue_ms: 120 })).toBeCloseTo(0.95, 12);
  });

  it('stays a probability where nothing takes time', () => {
    const instant = legs.map((each) => ({ ...each, roundTripMs: 0 }));
    expect(goodEndOf(0.8, instant, { ...settings, rescue_ms: 0 })).toBe(0.8);
    expect(goodEndOf(0.8, instant, { ...settings, rescue_ms: 1e9 })).toBeCloseTo(1, 9);
  });
});

describe('the impact beyond the displayed levels', () => {
  it('is two thirds of the square-root law, less what the walk lost already', () => {
    const law = (2 / 3) * 0.8 * 2e-4 * Math.sqrt((60 * 3) / 20);
    const wanted = { ...settings, impact_factor: 0.8, turnover_seconds: 60 };
    expect(impactShareOf(leg({ averagePrice: 100 }), pace, wanted)).toBeCloseTo(law, 15);
    expect(impactShareOf(leg({ averagePrice: 100.01 }), pace, wanted)).toBeCloseTo(law - 1e-4, 15);
  });

  it('is nothing where it is switched off, where the walk has paid more, and where nothing is displayed', () => {
    expect(impactShareOf(leg({ averagePrice: 100 }), pace, { ...settings, impact_factor: 0 })).toBe(0);
    expect(impactShareOf(leg(), pace, { ...settings, impact_factor: 0.8 })).toBe(0);
    expect(impactShareOf(leg({ levels: 0 }), pace, { ...settings, impact_factor: 0.8 })).toBe(0);
  });

  it('grows with the root of the quantity', () => {
    const wanted = { ...settings, impact_factor: 1, turnover_seconds: 10 };
    const of = (qty: number): number => impactShareOf(leg({ qty, averagePrice: 100 }), pace, wanted);
    expect(of(4) / of(1)).toBeCloseTo(2, 12);
  });
});

describe('the improvement over what was reckoned', () => {
  it('is what whole levels give beyond the share that is counted on', () => {
    // Half of each level: 1 at 100, 1.5 at 100.5, 0.5 at 101. Whole ones: 2 at 100, 1 at 100.5.
    const counted = (100 + 1.5 * 100.5 + 0.5 * 101) / 3;
    const whole = (2 * 100 + 100.5) / 3;
    const improved = improvementShareOf(leg({ averagePrice: counted, worstPrice: 101 }));
    expect(improved).toBeCloseTo(1 - whole / counted, 12);
  });

  it('is nothing where levels are counted on whole, and where nothing is taken', () => {
    expect(improvementShareOf(leg({ averagePrice: (2 * 100 + 100.5) / 3 }))).toBeCloseTo(0, 12);
    expect(improvementShareOf(leg({ qty: 0 }))).toBe(0);
  });
});
