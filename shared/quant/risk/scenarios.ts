import { assert } from '../../assert.ts';
import { ScenarioSums } from './scenario-sums.ts';

/** How every risk factor (as a rule: instrument) moves in each scenario: observed, or drawn. */
export type Scenarios = {
  readonly factors: number;
  readonly count: number;
  /** Factor by factor: the return of factor f in scenario s over the horizon, as a fraction, is at `f × count + s`. Oldest first where observed. */
  readonly returns: Float64Array;
  /** Of {@link keptScenarios} alone. */
  readonly sums: ScenarioSums | undefined;
};

export function scenariosOf(factors: number, count: number, returns: Float64Array): Scenarios {
  assert(returns.length === factors * count, 'there is a return of each factor in each scenario');
  return { factors, count, returns, sums: undefined };
}

/** A copy over which whole portfolios are summed faster, by SIMD code: for scenarios that are kept, since it has a memory of its own. */
export function keptScenarios({ factors, count, returns }: Scenarios): Scenarios {
  const sums = new ScenarioSums(factors, count);
  sums.returns.set(returns);
  return { factors, count, returns: sums.returns, sums };
}

/**
 * What a portfolio gains in each scenario: P&Lₛ = Σ_f (δ_f·r + ½γ_f·r²), r = r_fs; δ = S·∂V/∂S and γ = S²·∂²V/∂S² in USD. Second order in each factor alone: an
 * instrument that depends on two factors at once is carried by neither's γ. Eight factors at a time, so that the sums are read and written an eighth as often.
 * @see J. Hull, "Options, Futures, and Other Derivatives", ch. 22 (quadratic model).
 */
export function pnlInto(scenarios: Scenarios, deltaUsd: Float64Array, gammaUsd: Float64Array, pnl: Float64Array): void {
  const { factors } = scenarios;
  assert(deltaUsd.length === factors && gammaUsd.length === factors, 'there is an exposure to each factor');
  assert(pnl.length === scenarios.count, 'there is an outcome of each scenario');
  if (scenarios.sums === undefined) sumLinear(scenarios, deltaUsd, pnl);
  else scenarios.sums.into(deltaUsd, pnl);
  for (let factor = 0; factor < factors; factor += 1)
    if (gammaUsd[factor] !== 0) addSquare(scenarios, factor, gammaUsd[factor]!, pnl);
}

function sumLinear(scenarios: Scenarios, deltaUsd: Float64Array, pnl: Float64Array): void {
  const { factors } = scenarios;
  pnl.fill(0);
  let factor = 0;
  for (; factor + 8 <= factors; factor += 8) addEight(scenarios, deltaUsd, factor, pnl);
  for (; factor < factors; factor += 1) addLinear(scenarios, factor, deltaUsd[factor]!, pnl);
}

/** Adds what an exposure to one factor gains in each scenario. */
export function addExposure(
  scenarios: Scenarios,
  factor: number,
  { deltaUsd, gammaUsd }: { readonly deltaUsd: number; readonly gammaUsd: number },
  pnl: Float64Array,
): void {
  if (deltaUsd !== 0) addLinear(scenarios, factor, deltaUsd, pnl);
  if (gammaUsd !== 0) addSquare(scenarios, factor, gammaUsd, pnl);
}

function addLinear({ returns, count }: Scenarios, factor: number, deltaUsd: number, pnl: Float64Array): void {
  const from = factor * count;
  for (let at = 0; at < count; at += 1) pnl[at] = pnl[at]! + deltaUsd * returns[from + at]!;
}

function addSquare({ returns, count }: Scenarios, factor: number, gammaUsd: number, pnl: Float64Array): void {
  const from = factor * count;
  for (let at = 0; at < count; at += 1) {
    const move = returns[from + at]!;
    pnl[at] = pnl[at]! + 0.5 * gammaUsd * move * move;
  }
}

function addEight({ returns, count }: Scenarios, delta: Float64Array, factor: number, pnl: Float64Array): void {
  const d0 = delta[factor]!;
  const d1 = delta[factor + 1]!;
  const d2 = delta[factor + 2]!;
  const d3 = delta[factor + 3]!;
  const d4 = delta[factor + 4]!;
  const d5 = delta[factor + 5]!;
  const d6 = delta[factor + 6]!;
  const d7 = delta[factor + 7]!;
  const r0 = factor * count;
  const r1 = r0 + count;
  const r2 = r1 + count;
  const r3 = r2 + count;
  const r4 = r3 + count;
  const r5 = r4 + count;
  const r6 = r5 + count;
  const r7 = r6 + count;
  for (let at = 0; at < count; at += 1) {
    pnl[at] =
      pnl[at]! +
      d0 * returns[r0 + at]! +
      d1 * returns[r1 + at]! +
      d2 * returns[r2 + at]! +
      d3 * returns[r3 + at]! +
      d4 * returns[r4 + at]! +
      d5 * returns[r5 + at]! +
      d6 * returns[r6 + at]! +
      d7 * returns[r7 + at]!;
  }
}
