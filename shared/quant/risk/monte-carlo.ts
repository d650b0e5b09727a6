import type { Random } from '../../random.ts';
import type { Factored } from './cholesky.ts';
import { choleskyOf } from './cholesky.ts';
import type { Square } from './matrix.ts';
import { pnlInto, scenariosOf } from './scenarios.ts';
import type { Scenarios } from './scenarios.ts';

export type Drawn =
  { readonly kind: 'drawn'; readonly scenarios: Scenarios } | Extract<Factored, { readonly kind: 'refused' }>;

/**
 * `count` joint moves of the factors, normal with mean zero and covariance Σ: r = L·z, L·Lᵀ = Σ, z independent standard normals of `random` (factor by factor,
 * scenario by scenario: same seed, same scenarios). Delta-gamma VaR and ES are those of {@link pnlInto} over them. Drawn anew when Σ changes, not when positions do. Refused where Σ is no covariance.
 * @see P. Glasserman, "Monte Carlo Methods in Financial Engineering", § 2.3.3 (Cholesky) and 9.1.2 (delta-gamma).
 */
export function drawScenarios(covariance: Square, count: number, random: Random): Drawn {
  const factored = choleskyOf(covariance);
  if (factored.kind === 'refused') return factored;
  const { size, cells } = factored.lower;
  const normals = Float64Array.from({ length: size * count }, () => random.normal());
  const independent = scenariosOf(size, count, normals);
  const returns = new Float64Array(size * count);
  const none = new Float64Array(size);
  // A factor moves as a portfolio of independent ones would gain, whose exposures are its row of L.
  for (let factor = 0; factor < size; factor += 1) {
    const row = cells.subarray(factor * size, (factor + 1) * size);
    pnlInto(independent, row, none, returns.subarray(factor * count, (factor + 1) * count));
  }
  return { kind: 'drawn', scenarios: scenariosOf(size, count, returns) };
}
