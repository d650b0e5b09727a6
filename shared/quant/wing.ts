import { applyExp } from './exponential.ts';
import { applyMills, INVERSE_SQRT_TWO_PI } from './normal.ts';

/**
 * The one cell through which numbers reach {@link evaluateWing} and come back: doubles that cross a call that V8 does not inline are boxed, those in
 * a typed array are not. Nothing lives here between two calls.
 */
export const cell = new Float64Array(21);

/** In: y = |ln(F/K)|. */
export const Y = 0;
/** In: s = σ√T. */
export const S = 1;
/** In: the smaller of the discounted forward and the discounted strike: the bound of the value. */
export const UNDER = 2;
/** In: √(discounted forward × discounted strike). */
export const MEAN = 3;
/** Out: what the out-of-the-money option is worth. */
export const VALUE = 4;
/** Out: φ at the geometric middle, exp(−(z² + t²)/2)/√(2π): ∂value/∂s = MEAN·DENSITY. */
export const DENSITY = 5;
/** Out: Mills' ratio of |z − t|. */
export const NEAR = 6;
/** Out: Mills' ratio of z + t. */
export const FAR = 7;
/** Out: M(z − t) − M(z + t) without cancellation; (left of the middle, z < t, the value's). */
export const GAP = 8;
/** Out: z − t; the smaller leg's probability is Φ(t − z). */
export const OFFSET = 9;
/** ln(F/K): from here on the caller's, kept beside. */
export const MONEYNESS = 10;
/** The discounted forward, the discounted strike and |forward − strike|: a double each, and what it has no place for. */
export const FORWARD = 11;
export const STRIKE = 13;
export const INTRINSIC = 15;
/** Three free places: of whoever needs them, between two calls. */
export const SCRATCH = 17;
/** y/s, later Mills' ratio of it: between the functions of this file. */
const Z = 20;

/**
 * Black's formula for the out-of-the-money side, stable from the middle to the last double of the wings. With z = y/s, t = s/2 and Mills' ratio M:
 *
 *   value = MEAN·[e^(−y/2)Φ(t − z) − e^(y/2)Φ(−t − z)] = MEAN·φ(z, t)·[M(z − t) − M(z + t)]
 *
 * The difference is taken as it is where it keeps its digits, otherwise from its odd Taylor series in t, whose coefficients are the integrals
 * I_k = ∫u^k e^(−zu − u²/2)du, M = I_0. Left of the middle (z < t) the value is its bound less two tails.
 * @see P. Jäckel, "Let's Be Rational", Wilmott 75 (2015), for the normalised function and the need of such regions.
 */
export function evaluateWing(): void {
  const y = cell[Y]!;
  const s = cell[S]!;
  const z = y === 0 ? 0 : y / s;
  const t = 0.5 * s;
  const offset = z - t;
  cell[SCRATCH] = -0.5 * (z * z + t * t);
  cell[SCRATCH + 1] = 0;
  applyExp(cell, SCRATCH);
  const density = INVERSE_SQRT_TWO_PI * (cell[SCRATCH] + cell[SCRATCH + 1]!);
  cell[Z] = z;
  cell[DENSITY] = density;
  cell[NEAR] = Math.abs(offset);
  applyMills(cell, NEAR);
  cell[FAR] = z + t;
  applyMills(cell, FAR);
  cell[OFFSET] = offset;
  if (z >= 6 && t < 0.1) fillGapFar();
  else if (t < 0.02) fillGapClose();
  else if (offset >= 0) cell[GAP] = cell[NEAR] - cell[FAR];
  else {
    const value = cell[UNDER]! - cell[MEAN]! * density * (cell[NEAR] + cell[FAR]);
    cell[GAP] = value / (cell[MEAN]! * density);
    cell[VALUE] = value;
    return;
  }
  cell[VALUE] = cell[MEAN]! * density * cell[GAP]!;
}

/** I_(k+1) = k·I_(k−1) − z·I_k, forwards: it loses digits as z^k, in terms that shrink as t^k. */
function fillGapClose(): void {
  const z = cell[Z]!;
  const t = 0.5 * cell[S]!;
  applyMills(cell, Z);
  const i0 = cell[Z]!;
  const i1 = 1 - z * i0;
  const i2 = i0 - z * i1;
  const i3 = 2 * i1 - z * i2;
  const i4 = 3 * i2 - z * i3;
  const i5 = 4 * i3 - z * i4;
  const i6 = 5 * i4 - z * i5;
  const i7 = 6 * i5 - z * i6;
  const w = t * t;
  cell[GAP] = 2 * t * (i1 + (w / 6) * (i3 + (w / 20) * (i5 + (w / 42) * i7)));
}

/**
 * The same recurrence backwards, where it is stable: I_k/I_(k−1) = k/(z + I_(k+1)/I_k), Laplace's continued fraction, the series nested on its way.
 * @see J. C. P. Miller's algorithm for minimal solutions, DLMF § 3.6(iii) and § 7.18.
 */
function fillGapFar(): void {
  const z = cell[Z]!;
  const t = 0.5 * cell[S]!;
  const w = t * t;
  let below = 0.5 * (z + Math.sqrt(z * z + 4 * (DEPTH + 1)));
  let series = 1;
  for (let k = DEPTH; k > 1; k -= 2) {
    const above = z + k / below;
    series = 1 + (w / (below * above)) * series;
    below = z + (k - 1) / above;
  }
  const first = 1 / below;
  cell[GAP] = (2 * t * first * series) / (z + first);
}

/** Odd. From z = 6 on, deeper changes nothing in a double. */
const DEPTH = 19;
