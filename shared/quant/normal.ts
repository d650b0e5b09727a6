/**
 * Replaces z ≥ 0 in `cells[at]` by Mills' ratio of the normal law, M(z) = (1 − Φ(z)) / φ(z) = √(π/2)·erfcx(z/√2), within 1e-15 relative: in place,
 * because a double that a call returns is boxed wherever V8 does not inline the call. It stays near 1/z where
 * Φ and φ underflow: option wings are computed from it.
 * @see W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969) 631–637; coefficients of his CALERF.
 */
export function applyMills(cells: Float64Array, at: number): void {
  const x = cells[at]! * SQRT_HALF;
  if (x > 4) {
    const v = 1 / (x * x);
    const above =
      ((((1.63153871373020978e-2 * v + 3.05326634961232344e-1) * v + 3.60344899949804439e-1) * v +
        1.25781726111229246e-1) *
        v +
        1.60837851487422766e-2) *
        v +
      6.58749161529837803e-4;
    const below =
      ((((v + 2.56852019228982242) * v + 1.87295284992346725) * v + 5.27905102951428412e-1) * v +
        6.05183413124413191e-2) *
        v +
      2.33520497626869185e-3;
    cells[at] = (SQRT_HALF_PI * (INVERSE_SQRT_PI - (v * above) / below)) / x;
    return;
  }
  if (x > 0.46875) {
    const above =
      (((((((2.15311535474403846e-8 * x + 5.64188496988670089e-1) * x + 8.88314979438837594) * x +
        6.61191906371416295e1) *
        x +
        2.98635138197400131e2) *
        x +
        8.8195222124176909e2) *
        x +
        1.71204761263407058e3) *
        x +
        2.05107837782607147e3) *
        x +
      1.23033935479799725e3;
    const below =
      (((((((x + 1.57449261107098347e1) * x + 1.17693950891312499e2) * x + 5.37181101862009858e2) * x +
        1.62138957456669019e3) *
        x +
        3.29079923573345963e3) *
        x +
        4.36261909014324716e3) *
        x +
        3.43936767414372164e3) *
        x +
      1.23033935480374942e3;
    cells[at] = (SQRT_HALF_PI * above) / below;
    return;
  }
  const w = x * x;
  const above =
    (((1.85777706184603153e-1 * w + 3.1611237438705656) * w + 1.13864154151050156e2) * w + 3.77485237685302021e2) * w +
    3.20937758913846947e3;
  const below =
    (((w + 2.36012909523441209e1) * w + 2.44024637934444173e2) * w + 1.28261652607737228e3) * w + 2.84423683343917062e3;
  cells[at] = SQRT_HALF_PI * Math.exp(w) * (1 - (x * above) / below);
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
const SQRT_HALF = Math.SQRT1_2;
const SQRT_HALF_PI = 1.2533141373155003;
const INVERSE_SQRT_PI = 0.5641895835477563;
const ratio = new Float64Array(1);
