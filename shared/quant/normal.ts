/**
 * Replaces z ≥ 0 in `cells[at]` by Mills' ratio of the normal law, M(z) = (1 − Φ(z)) / φ(z) = √(π/2)·erfcx(z/√2), within 1e-15 relative: in place,
 * because a double that a call returns is boxed wherever V8 does not inline the call. It stays near 1/z where Φ and φ underflow: option wings are
 * computed from it. One polynomial for all z, (1 + z)·M(z) in (z − 5)/(z + 5), from its Chebyshev series to 5e-17; its terms are added in pairs,
 * pairs of pairs and so on, which a processor does side by side.
 * @see M. Shepherd & J. Laframboise, "Chebyshev approximation of (1 + 2x)exp(x²)erfc x in 0 ≤ x < ∞", Math. Comp. 36 (1981) 249–253.
 */
export function applyMills(cells: Float64Array, at: number): void {
  const z = cells[at]!;
  const t = z < FARTHEST ? (z - 5) / (z + 5) : 1;
  const t2 = t * t;
  const t4 = t2 * t2;
  const t8 = t4 * t4;
  const first =
    1.1568486282918946 +
    -0.22948753825211315 * t +
    (0.07778159886873767 + 0.025072179301638704 * t) * t2 +
    (-0.06617760077909583 + 0.06150504584018923 * t + (-0.03802659218584928 + 0.016348231280994333 * t) * t2) * t4;
  const second =
    -0.004201290329119981 +
    1.953063861927472e-5 * t +
    (0.00045704392324600636 + -0.00013437427962890172 * t) * t2 +
    (-2.480583742626465e-5 + 2.2709615666886862e-5 * t + (-1.7633441042947286e-7 + -3.277292964931172e-6 * t) * t2) *
      t4;
  const third =
    3.2054570763862265e-7 +
    4.920024802540081e-7 * t +
    (-6.589172574782641e-8 + -7.758978539904777e-8 * t) * t2 +
    (9.093346192821805e-9 + 1.1033982677116041e-8 * t + (-7.075544448550995e-10 + -9.568291059979476e-10 * t) * t2) *
      t4;
  cells[at] = (first + second * t8 + third * (t8 * t8)) / (1 + z);
}

/**
 * Φ(x), the standard normal distribution function, to full relative accuracy in the lower tail as well (1e-14 where Φ(x) ≥ 1e-300).
 * Φ(−z) = φ(z)·M(z); the square is split as Cody does, so that rounding x² does not reach the exponent.
 */
export function normalCdf(x: number): number {
  const z = Math.abs(x);
  if (z > UNDERFLOW) return x > 0 ? 1 : 0;
  const coarse = Math.trunc(z * 16) / 16;
  const density = INVERSE_SQRT_TWO_PI * Math.exp(-0.5 * coarse * coarse) * Math.exp(-0.5 * (z - coarse) * (z + coarse));
  ratio[0] = z;
  applyMills(ratio, 0);
  const tail = density * ratio[0];
  return x > 0 ? 1 - tail : tail;
}

/** 1/√(2π), the normal density at its mode. */
export const INVERSE_SQRT_TWO_PI = 0.3989422804014327;
/** Φ(−39) is below the least double. */
const UNDERFLOW = 39;
/** From here on z and z + 5 differ by less than a double shows; infinity has no quotient. */
const FARTHEST = 1e17;
const ratio = new Float64Array(1);
