import { describe, expect, it } from 'vitest';
import { Bug } from '#shared/assert.ts';
import { ScenarioBook } from '#shared/quant/risk/scenario-book.ts';
import { pnlInto, scenariosOf } from '#shared/quant/risk/scenarios.ts';
import { randomFrom } from '#shared/random.ts';

const FACTORS = 11;
const COUNT = 250;

function scenariosFrom(seed: number) {
  const random = randomFrom(seed);
  return scenariosOf(
    FACTORS,
    COUNT,
    Float64Array.from({ length: FACTORS * COUNT }, () => 0.02 * random.normal()),
  );
}

const planOf = (...legs: readonly (readonly [factor: number, deltaUsd: number, gammaUsd: number])[]) => ({
  count: legs.length,
  factor: Int32Array.from(legs, ([factor]) => factor),
  deltaUsd: Float64Array.from(legs, ([, deltaUsd]) => deltaUsd),
  gammaUsd: Float64Array.from(legs, ([, , gammaUsd]) => gammaUsd),
});

describe('outcomes by scenario', () => {
  it('are the moves times what is exposed to them, and half the square for what bends', () => {
    const scenarios = scenariosOf(2, 2, Float64Array.of(0.1, -0.2, 0.5, 0));
    const pnl = new Float64Array(2);
    pnlInto(scenarios, Float64Array.of(100, -10), Float64Array.of(0, 40), pnl);
    expect(pnl[0]).toBeCloseTo(10 - 5 + 5, 12);
    expect(pnl[1]).toBeCloseTo(-20, 12);
  });

  it('need a return of each factor in each scenario', () => {
    expect(() => scenariosOf(2, 3, new Float64Array(5))).toThrow(Bug);
  });
});

describe('a scenario book', () => {
  it('says nothing can be lost where nothing is held', () => {
    const { varUsd, esUsd } = new ScenarioBook(scenariosFrom(1)).measure();
    expect([...varUsd, ...esUsd]).toEqual([0, 0, 0, 0]);
  });

  it('knows nothing without scenarios', () => {
    const book = new ScenarioBook(scenariosOf(1, 0, new Float64Array(0)));
    book.add(0, 100, 0);
    expect([...book.measure().varUsd]).toEqual([Number.NaN, Number.NaN]);
  });

  it('comes to the same change by change, past the renewal of its sums, as all at once', () => {
    const scenarios = scenariosFrom(2);
    const random = randomFrom(3);
    const book = new ScenarioBook(scenarios);
    const deltaUsd = new Float64Array(FACTORS);
    const gammaUsd = new Float64Array(FACTORS);
    for (let change = 0; change < 5_000; change += 1) {
      const factor = random.integer(FACTORS);
      const [delta, gamma] = [1e4 * random.normal(), random.next() < 0.5 ? 0 : 1e3 * random.normal()];
      deltaUsd[factor]! += delta;
      gammaUsd[factor]! += gamma;
      book.add(factor, delta, gamma);
    }
    const whole = new ScenarioBook(scenarios);
    whole.replace(deltaUsd, gammaUsd);
    const { varUsd, esUsd } = whole.measure();
    for (const at of [0, 1]) {
      expect(book.measure().varUsd[at]! / varUsd[at]!).toBeCloseTo(1, 10);
      expect(book.measure().esUsd[at]! / esUsd[at]!).toBeCloseTo(1, 10);
    }
    expect([...book.deltaUsd]).toEqual([...deltaUsd]);
  });

  it('says what a plan adds, and stays as it is', () => {
    const scenarios = scenariosFrom(4);
    const book = new ScenarioBook(scenarios);
    book.add(3, 50_000, 0);
    book.add(5, -20_000, 3_000);
    const before = [...book.measure().varUsd, ...book.measure().esUsd];
    const { varUsd, esUsd, addedVarUsd, addedEsUsd } = book.effectOf(planOf([3, 10_000, 0], [7, -4_000, 500]));
    const added = [...addedVarUsd, ...addedEsUsd];
    const after = [...varUsd, ...esUsd];
    for (const [at, figure] of after.entries()) expect(figure - added[at]!).toBeCloseTo(before[at]!, 8);
    expect([...book.measure().varUsd, ...book.measure().esUsd]).toEqual(before);

    book.add(3, 10_000, 0);
    book.add(7, -4_000, 500);
    expect([...book.measure().varUsd, ...book.measure().esUsd]).toEqual(after);
  });

  it('sees that a hedge takes risk away, and the whole of it where the hedge is perfect', () => {
    const book = new ScenarioBook(scenariosFrom(5));
    book.add(2, 30_000, 0);
    const held = [...book.measure().esUsd];
    expect(book.effectOf(planOf([2, -30_000, 0])).addedEsUsd).toEqual(Float64Array.from(held, (es) => -es));
    expect(book.effectOf(planOf([2, 30_000, 0])).addedEsUsd[0]).toBeGreaterThan(0);
  });

  it('does not know what a plan of unknown size adds', () => {
    const book = new ScenarioBook(scenariosFrom(6));
    const { varUsd, addedVarUsd } = book.effectOf(planOf([0, Number.NaN, 0]));
    expect([...varUsd, ...addedVarUsd].every(Number.isNaN)).toBe(true);
    expect([...book.measure().varUsd]).toEqual([0, 0]);
  });

  it('refuses a factor that the scenarios do not have, and what is no number', () => {
    const book = new ScenarioBook(scenariosFrom(7));
    expect(() => book.add(FACTORS, 1, 0)).toThrow(Bug);
    expect(() => book.add(0, Number.NaN, 0)).toThrow(Bug);
    expect(() => book.effectOf(planOf([-1, 1, 0]))).toThrow(Bug);
  });
});
