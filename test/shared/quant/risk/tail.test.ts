import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bug } from '#shared/assert.ts';
import { tailsFor, tailsInto } from '#shared/quant/risk/tail.ts';

const tailsOf = (pnl: readonly number[], confidences?: readonly number[]) => {
  const tails = tailsFor(pnl.length, confidences);
  tailsInto(Float64Array.from(pnl), tails);
  return { var: [...tails.varUsd], es: [...tails.esUsd] };
};

describe('value at risk and expected shortfall', () => {
  it('are the loss that the worst 5 and 1 % of 100 outcomes exceed, and their mean', () => {
    const pnl = Array.from({ length: 100 }, (_none, at) => 50 - at);
    expect(tailsOf(pnl)).toEqual({ var: [44, 48], es: [47, 49] });
  });

  it('take a part of the next loss where the tail is no whole number of outcomes', () => {
    const { var: at, es } = tailsOf([-10, -20, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13], [0.8]);
    expect(at).toEqual([0]);
    expect(es[0]).toBeCloseTo((20 + 10 + 0.4 * 0) / 2.4, 12);
  });

  it.each([
    ['one scenario', [-7], 7],
    ['outcomes that are all the same', new Array<number>(1_000).fill(-3), 3],
    ['an empty portfolio', new Array<number>(1_000).fill(0), 0],
    ['nothing but gains', new Array<number>(40).fill(2), -2],
  ])('are that outcome for %s', (_name, pnl, loss) => {
    expect(tailsOf(pnl).var).toEqual([loss, loss]);
    for (const es of tailsOf(pnl).es) expect(es).toBeCloseTo(loss, 12);
  });

  it.each([
    ['without scenarios', []],
    ['where an outcome is no number', [1, Number.NaN, -4]],
    ['where an outcome is beyond all numbers', [1, -Infinity, -4]],
  ])('are unknown %s', (_name, pnl) => {
    expect(tailsOf(pnl)).toEqual({ var: [Number.NaN, Number.NaN], es: [Number.NaN, Number.NaN] });
  });

  it('leave the outcomes where they are', () => {
    const pnl = Float64Array.of(3, -1, 2);
    tailsInto(pnl, tailsFor(3));
    expect([...pnl]).toEqual([3, -1, 2]);
  });

  it('are those of the sorted outcomes, however they tie and whatever a sample says', () => {
    const outcome = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ min: -1e6, max: 1e6, noNaN: true }));
    // Every sixteenth is high: what a sample taken in steps sees says nothing of the others.
    const skewed = fc.array(outcome, { minLength: 130, maxLength: 1_500, size: 'max' }).map((pnl) => {
      const step = Math.floor(pnl.length / 64);
      return pnl.map((value, at) => (at % step === 0 ? value + 1e7 : value));
    });
    fc.assert(
      fc.property(fc.oneof(fc.array(outcome, { minLength: 1, maxLength: 900, size: 'max' }), skewed), (pnl) => {
        const losses = pnl.map((gain) => 0 - gain).sort((a, b) => b - a);
        const { var: at, es } = tailsOf(pnl);
        for (const [place, percent] of [5, 1].entries()) {
          const mass = (pnl.length * percent) / 100;
          const whole = Math.floor(mass);
          const worst = losses.slice(0, whole).reduce((sum, loss) => sum + loss, 0);
          expect(at[place]).toBe(losses[whole]);
          expect(es[place]).toBeCloseTo((worst + (mass - whole) * losses[whole]!) / mass, 6);
          expect(es[place]).toBeGreaterThanOrEqual(at[place]! - 1e-9 * Math.abs(at[place]!));
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([[[0.99, 0.95]], [[0]], [[1]], [[0.95, 0.95]]])('refuse confidences %j', (confidences) => {
    expect(() => tailsFor(10, confidences)).toThrow(Bug);
  });

  it('never grow by merging two portfolios: the whole is no riskier than its parts', () => {
    const pnl = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(pnl, pnl, (one, other) => {
        const both = tailsOf(one.map((gain, at) => gain + other[at]!)).es;
        const apart = [tailsOf(one).es, tailsOf(other).es];
        for (const place of [0, 1])
          expect(both[place]).toBeLessThanOrEqual(apart[0]![place]! + apart[1]![place]! + 1e-9);
      }),
    );
  });
});
