/** A surface after {@link totalVariance}: variances a year, now and in the long run, how fast the one becomes the other, skew and curvature. */
export type VolatilitySurface = {
  readonly variance: number;
  readonly longVariance: number;
  /** A year. */
  readonly reversion: number;
  /** Correlation ρ of price and volatility: below zero, low strikes are dearer. */
  readonly skew: number;
  /** η: how steep the wings are. */
  readonly curvature: number;
};

/** By asset; {@link USUAL} for every other. Each satisfies η(1 + |ρ|) ≤ 2. */
const SURFACES: Readonly<Record<string, VolatilitySurface>> = {
  BTC: { variance: 0.48 ** 2, longVariance: 0.58 ** 2, reversion: 2, skew: -0.25, curvature: 1 },
  ETH: { variance: 0.62 ** 2, longVariance: 0.7 ** 2, reversion: 2.5, skew: -0.2, curvature: 0.9 },
};
const USUAL: VolatilitySurface = {
  variance: 0.8 ** 2,
  longVariance: 0.85 ** 2,
  reversion: 2,
  skew: -0.2,
  curvature: 0.9,
};

export const surfaceOf = (asset: string): VolatilitySurface => SURFACES[asset] ?? USUAL;

/** Volatility a year of the strike `moneyness` = ln(K/F) away from the expiry's forward. Years above zero. */
export const volatilityOf = (surface: VolatilitySurface, moneyness: number, years: number): number =>
  Math.sqrt(totalVariance(surface, moneyness, years) / years);

/**
 * σ²T of the surface "SSVI": w(k, θ) = θ/2·{1 + ρφk + √[(φk + ρ)² + 1 − ρ²]} with θ the total variance at the money and
 * φ(θ) = η/√(θ(1 + θ)), here with ψ = θφ, which stands at θ = 0 too. θ(T) is the integral of a variance that reverts to its mean, so it never
 * falls; with η(1 + |ρ|) ≤ 2 no calendar spread and no butterfly is worth less than nothing.
 * @see J. Gatheral & A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014) 59–71, theorems 4.1 and 4.2, (4.5).
 */
export function totalVariance(
  { variance, longVariance, reversion, skew, curvature }: VolatilitySurface,
  moneyness: number,
  years: number,
): number {
  const theta = longVariance * years + ((variance - longVariance) * -Math.expm1(-reversion * years)) / reversion;
  const tilt = curvature * Math.sqrt(theta / (1 + theta)) * moneyness;
  return 0.5 * (theta + skew * tilt + Math.hypot(tilt + skew * theta, theta * Math.sqrt(1 - skew * skew)));
}
