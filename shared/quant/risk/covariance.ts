import { assert } from '../../assert.ts';
import type { Square } from './matrix.ts';
import type { Scenarios } from './scenarios.ts';

/** Σᵢⱼ = Σₛ (rᵢₛ − r̄ᵢ)(rⱼₛ − r̄ⱼ) / (n − 1), per horizon of the returns, squared. NaN with fewer than two scenarios: nothing is known of them. */
export function sampleCovariance(scenarios: Scenarios): Square {
  const { factors, count } = scenarios;
  const centred = centredOf(scenarios);
  return symmetric(factors, (i, j) => dot(centred, i * count, j * count, count) / (count > 1 ? count - 1 : Number.NaN));
}

/**
 * Exponentially weighted: Σᵢⱼ = Σₛ wₛ·rᵢₛ·rⱼₛ with wₛ = (1 − λ)λⁿ⁻¹⁻ˢ / (1 − λⁿ), so that the weights of n scenarios add to one; the mean is taken for zero. λ = 0.94
 * is RiskMetrics' for days. NaN without scenarios.
 * @see J. P. Morgan, "RiskMetrics — Technical Document" (1996), § 5.2.
 */
export function ewmaCovariance({ factors, count, returns }: Scenarios, lambda: number): Square {
  assert(lambda > 0 && lambda < 1, 'the decay lies between 0 and 1');
  const weight = Float64Array.from({ length: count }, (_none, at) => lambda ** (count - 1 - at));
  const total = weight.reduce((sum, each) => sum + each, 0);
  return symmetric(factors, (i, j) => {
    let sum = 0;
    for (let at = 0; at < count; at += 1) sum += weight[at]! * returns[i * count + at]! * returns[j * count + at]!;
    return sum / total;
  });
}

/** One more observation of every factor, in place: Σ ← λΣ + (1 − λ)·r·rᵀ. What {@link ewmaCovariance} tends to. */
export function addObservation({ size, cells }: Square, observed: Float64Array, lambda: number): void {
  assert(observed.length === size, 'there is a return of each factor');
  for (let i = 0; i < size; i += 1) {
    const left = (1 - lambda) * observed[i]!;
    for (let j = 0; j <= i; j += 1) {
      const cell = lambda * cells[i * size + j]! + left * observed[j]!;
      cells[i * size + j] = cell;
      cells[j * size + i] = cell;
    }
  }
}

export type Shrunk = {
  readonly covariance: Square;
  /** 0: the sample's correlations; 1: none. */
  readonly intensity: number;
};

/**
 * The sample's variances, its correlations drawn towards zero by as much as their own noise says: ρ*ᵢⱼ = (1 − λ)ρᵢⱼ, λ = Σ Var(ρᵢⱼ) / Σ ρᵢⱼ² over i ≠ j, within 0 and 1. Few
 * scenarios of many factors show hedges that are chance; this takes them back, and unlike the sample's it is positive definite with any number of scenarios (λ > 0). It also
 * takes back some of what moves together: a portfolio that is long of everything looks safer. With two scenarios or none every correlation is noise, and λ = 1.
 * @see J. Schäfer & K. Strimmer, "A shrinkage approach to large-scale covariance matrix estimation", Stat. Appl. Genet. Mol. Biol. 4 (2005) 32, target D.
 */
export function shrunkCovariance(scenarios: Scenarios): Shrunk {
  const { factors, count } = scenarios;
  const sample = sampleCovariance(scenarios);
  const intensity = count < 3 ? 1 : noiseShare(scenarios);
  const cells = sample.cells.map((cell, at) =>
    Math.floor(at / factors) === at % factors ? cell : cell * (1 - intensity),
  );
  return { covariance: { size: factors, cells }, intensity };
}

/** ρᵢⱼ = Σᵢⱼ / √(Σᵢᵢ·Σⱼⱼ); a factor that does not move goes with none. */
export function correlationOf({ size, cells }: Square): Square {
  const deviation = Float64Array.from({ length: size }, (_none, at) => Math.sqrt(cells[at * size + at]!));
  return symmetric(size, (i, j) => {
    if (i === j) return 1;
    const scale = deviation[i]! * deviation[j]!;
    return scale === 0 ? 0 : cells[i * size + j]! / scale;
  });
}

/** Σ Var(ρᵢⱼ) / Σ ρᵢⱼ² over i < j, from standardised returns x: with wₛ = xᵢₛ·xⱼₛ, ρ = n/(n − 1)·w̄ and Var(ρ) = n/(n − 1)³·Σₛ(wₛ − w̄)². */
function noiseShare(scenarios: Scenarios): number {
  const { factors, count } = scenarios;
  const standard = centredOf(scenarios);
  for (let factor = 0; factor < factors; factor += 1) {
    const from = factor * count;
    const deviation = Math.sqrt(dot(standard, from, from, count) / (count - 1));
    for (let at = from; at < from + count; at += 1) standard[at] = deviation === 0 ? 0 : standard[at]! / deviation;
  }
  let noise = 0;
  let signal = 0;
  for (let i = 1; i < factors; i += 1) {
    for (let j = 0; j < i; j += 1) {
      const mean = dot(standard, i * count, j * count, count) / count;
      let spread = 0;
      for (let at = 0; at < count; at += 1) {
        const off = standard[i * count + at]! * standard[j * count + at]! - mean;
        spread += off * off;
      }
      noise += (spread * count) / (count - 1) ** 3;
      signal += ((mean * count) / (count - 1)) ** 2;
    }
  }
  return signal === 0 ? 1 : Math.min(1, noise / signal);
}

/** The returns less their factor's mean. */
function centredOf({ factors, count, returns }: Scenarios): Float64Array {
  const centred = new Float64Array(returns.length);
  for (let from = 0; from < factors * count; from += count) {
    let sum = 0;
    for (let at = from; at < from + count; at += 1) sum += returns[at]!;
    const mean = sum / count;
    for (let at = from; at < from + count; at += 1) centred[at] = returns[at]! - mean;
  }
  return centred;
}

function dot(values: Float64Array, i: number, j: number, count: number): number {
  let sum = 0;
  for (let at = 0; at < count; at += 1) sum += values[i + at]! * values[j + at]!;
  return sum;
}

function symmetric(size: number, cellOf: (row: number, column: number) => number): Square {
  const cells = new Float64Array(size * size);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column <= row; column += 1) {
      const cell = cellOf(row, column);
      cells[row * size + column] = cell;
      cells[column * size + row] = cell;
    }
  }
  return { size, cells };
}
