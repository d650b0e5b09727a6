/**
 * Replaces x = `cells[at]` + `cells[at + 1]` (the second small beside the first) by e^x, again as a sum of two: within 2e-18 relative while
 * |x| < 700, a last place of a double beyond. x = (64k + m)·ln 2/64 + r, e^x = 2^k·2^(m/64)·(1 + (e^r − 1)), the table of 2^(m/64) in two doubles.
 * @see P. T. P. Tang, "Table-driven implementation of the exponential function", ACM TOMS 15 (1989) 144–157.
 */
export function applyExp(cells: Float64Array, at: number): void {
  const x = cells[at]!;
  if (!(Math.abs(x) < 700)) {
    cells[at] = Math.exp(x);
    cells[at + 1] = 0;
    return;
  }
  const n = x * STEPS_OF_ONE + TO_INTEGER - TO_INTEGER;
  const r = x - n * STEP_HIGH - n * STEP_LOW + cells[at + 1]!;
  const rr = r * r;
  const beyond = r + rr * (0.5 + r * (1 / 6) + rr * (1 / 24 + r * (1 / 120) + rr * (1 / 720)));
  const m = n & 63;
  const power = POWERS[(n >> 6) + POWER_MOST]!;
  const root = ROOTS[2 * m]!;
  cells[at] = root * power;
  cells[at + 1] = (ROOTS[2 * m + 1]! + root * beyond) * power;
}

/**
 * Replaces a = `cells[at]`, b = `cells[at + 1]` and c = `cells[at + 2]` (small beside both) by ln((a + c)/b) in `cells[at]`, within 4e-16 relative
 * however near to one the quotient is: b is doubled or halved until it is near a, and ln(a/b) = 2·artanh((a − b)/(a + b)) by its series.
 */
export function applyLog(cells: Float64Array, at: number): void {
  const a = cells[at]!;
  const b = cells[at + 1]!;
  const ratio = a / b;
  if (!(ratio > 1e-300 && ratio < 1e300)) {
    cells[at] = Math.log(ratio);
    return;
  }
  view[0] = ratio * Math.SQRT2;
  const k = (words[1]! >> 20) - 1_023;
  const near = b * POWERS[k + POWER_MOST]!;
  const w = (a - near + (k === 0 ? cells[at + 2]! : 0)) / (a + near);
  const v = w * w;
  const v2 = v * v;
  const v4 = v2 * v2;
  const series =
    1 / 3 +
    (1 / 5) * v +
    (1 / 7 + (1 / 9) * v) * v2 +
    (1 / 11 + (1 / 13) * v + (1 / 15 + (1 / 17) * v) * v2) * v4 +
    (1 / 19 + (1 / 21) * v) * (v4 * v4);
  const twice = w + w;
  cells[at] = k * LN2_HIGH + (twice + (twice * v * series + k * LN2_LOW));
}

/**
 * Replaces the factors `cells[at]` and `cells[at + 1]` by their product and what rounding took from it, exactly.
 * @see T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971) 224–242.
 */
export function applyProduct(cells: Float64Array, at: number): void {
  const a = cells[at]!;
  const b = cells[at + 1]!;
  const product = a * b;
  const splitA = SPLITTER * a;
  const highA = splitA - (splitA - a);
  const lowA = a - highA;
  const splitB = SPLITTER * b;
  const highB = splitB - (splitB - b);
  const lowB = b - highB;
  cells[at] = product;
  cells[at + 1] = lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB);
}

/** 64/ln 2 and its inverse, the first part short enough that n times it is exact. */
const STEPS_OF_ONE = 92.33248261689366;
const STEP_HIGH = 0.01083042469326756;
const STEP_LOW = 2.9815858269852933e-12;
/** Added to a double, it leaves no place for a fraction. */
const TO_INTEGER = 1.5 * 2 ** 52;
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const SPLITTER = 2 ** 27 + 1;

/** A double and its halves, the lower first. */
const view = new Float64Array(1);
const words = new Int32Array(view.buffer);

/** 2^k, from −POWER_MOST on. */
const POWER_MOST = 1_022;
const POWERS = Float64Array.from({ length: 2 * POWER_MOST + 1 }, (_none, at) => 2 ** (at - POWER_MOST));
/** 2^(m/64), m from 0 to 63, two doubles each. */
export const ROOTS = rootsOfTwo();

function rootsOfTwo(): Float64Array {
  const roots = new Float64Array(128);
  const pair = new Float64Array(2);
  const first = 1.0108892860517005;
  const firstLow = -1.5234778603368577e-17;
  roots[0] = 1;
  for (let at = 2; at < 128; at += 2) {
    const before = roots[at - 2]!;
    pair[0] = before;
    pair[1] = first;
    applyProduct(pair, 0);
    const [product = 0, rounded = 0] = pair;
    const low = rounded + (before * firstLow + roots[at - 1]! * first);
    const root = product + low;
    roots[at] = root;
    roots[at + 1] = low - (root - product);
  }
  return roots;
}
