import { assert } from '../../assert.ts';
import type { Square } from './matrix.ts';
import { quadraticForm } from './matrix.ts';
import { normalDensity, normalQuantile } from './normal-quantile.ts';

/** Of normal outcomes; `deviationUsd` is their standard deviation. */
export type ParametricTail = { readonly deviationUsd: number; readonly varUsd: number; readonly esUsd: number };

/**
 * Delta-normal VaR and ES: with σ = √(δᵀΣδ) and z = Φ⁻¹(α), VaR = zσ − μ and ES = σ·φ(z)/(1 − α) − μ, in USD over the horizon of Σ. Deltas alone: what options
 * do beyond them, scenarios tell. NaN where Σ says nothing of a factor that is held, or the variance is below zero.
 * @see J. Hull, "Options, Futures, and Other Derivatives", ch. 22; A. McNeil, R. Frey & P. Embrechts, "Quantitative Risk Management", ex. 2.14 (ES).
 */
export function parametricTail(
  deltaUsd: Readonly<Float64Array>,
  covariance: Square,
  confidence: number,
  meanUsd = 0,
): ParametricTail {
  assert(deltaUsd.length === covariance.size, 'there is an exposure to each factor');
  const deviationUsd = deviationOf(deltaUsd, covariance);
  const z = normalQuantile(confidence);
  return {
    deviationUsd,
    varUsd: z * deviationUsd - meanUsd,
    esUsd: (deviationUsd * normalDensity(z)) / (1 - confidence) - meanUsd,
  };
}

/** √(δᵀΣδ), USD. A variance below zero by no more than what its sum rounds is none; by more, Σ is no covariance: NaN. */
export function deviationOf(deltaUsd: Readonly<Float64Array>, covariance: Square): number {
  const variance = quadraticForm(covariance, deltaUsd);
  if (variance >= 0) return Math.sqrt(variance);
  const alone = undiversified(deltaUsd, covariance);
  return variance >= -1e-12 * alone * alone ? 0 : Number.NaN;
}

/**
 * σ of the portfolio over Σ|δᵢ|σᵢ of its parts: 1 where nothing diversifies or hedges another, near 0 where all is hedged, 0 without positions. The lower it is, the more depends on
 * correlations that hold.
 */
export function correlationRisk(deltaUsd: Readonly<Float64Array>, covariance: Square): number {
  const alone = undiversified(deltaUsd, covariance);
  return alone === 0 ? 0 : deviationOf(deltaUsd, covariance) / alone;
}

function undiversified(deltaUsd: Readonly<Float64Array>, { size, cells }: Square): number {
  let sum = 0;
  for (let at = 0; at < size; at += 1)
    if (deltaUsd[at] !== 0) sum += Math.abs(deltaUsd[at]!) * Math.sqrt(cells[at * size + at]!);
  return sum;
}
