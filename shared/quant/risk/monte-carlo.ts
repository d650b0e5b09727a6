import type { Random } from '../../random.ts';
import type { Factored } from './cholesky.ts';
import { choleskyOf } from './cholesky.ts';
import type { Square } from './matrix.ts';
import type { Scenarios } from './scenarios.ts';

export type Drawn =
  { readonly kind: 'drawn'; readonly scenarios: Scenarios } | Extract<Factored, { readonly kind: 'refused' }>;

/**
 * `count` joint moves of the factors, normal with mean zero and covariance Σ: r = L·z, L·Lᵀ = Σ, z independent standard normals of `random` (scenario by scenario, factor by
 * factor: same seed, same scenarios). Delta-gamma VaR and ES are those of {@link pnlInto} over them. Drawn anew when Σ changes, not when positions do. Refused where Σ is no covariance.
 * @see P. Glasserman, "Monte Carlo Methods in Financial Engineering", § 2.3.3 (Cholesky) and 9.1.2 (delta-gamma).
 */
export function drawScenarios(covariance: Square, count: number, random: Random): Drawn {
  const factored = choleskyOf(covariance);
  if (factored.kind === 'refused') return factored;
  const { size, cells } = factored.lower;
  const returns = new Float64Array(size * count);
  const z = new Float64Array(size);
  for (let scenario = 0; scenario < count; scenario += 1) {
    for (let factor = 0; factor < size; factor += 1) z[factor] = random.normal();
    for (let factor = 0; factor < size; factor += 1) {
      let sum = 0;
      for (let k = 0; k <= factor; k += 1) sum += cells[factor * size + k]! * z[k]!;
      returns[factor * count + scenario] = sum;
    }
  }
  return { kind: 'drawn', scenarios: { factors: size, count, returns } };
}
