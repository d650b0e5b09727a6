/**
 * Black–Scholes and Black-76 with their Greeks, two options at a time: the same operations in the same order as wing.ts, legs.ts and black.ts, so the
 * results are the same bits. Rows that those treat apart (no time or volatility left, numbers beyond 1e300) get no number for a price.
 * Memory: 2^(m/64) in two doubles each, the columns below, then the tables. AssemblyScript; built by test/shared/quant/build-kernel.ts.
 */

const ROWS: usize = 128;
const COLUMN: usize = ROWS << 3;
const SIGN: usize = 1024;
const UNDERLYING: usize = SIGN + COLUMN;
const STRIKE: usize = UNDERLYING + COLUMN;
const YEARS: usize = STRIKE + COLUMN;
const VOLATILITY: usize = YEARS + COLUMN;
const RATE: usize = VOLATILITY + COLUMN;
const YIELD: usize = RATE + COLUMN;
const PRICE: usize = YIELD + COLUMN;
const DELTA: usize = PRICE + COLUMN;
const GAMMA: usize = DELTA + COLUMN;
const VEGA: usize = GAMMA + COLUMN;
const THETA: usize = VEGA + COLUMN;
const RHO: usize = THETA + COLUMN;

/** Read from memory: a constant in the code is put together anew at each use. */
const MILLS = memory.data<f64>([
  1.1568486282918946, -0.22948753825211315, 0.07778159886873767, 0.025072179301638704,
  -0.06617760077909583, 0.06150504584018923, -0.03802659218584928, 0.016348231280994333,
  -0.004201290329119981, 1.953063861927472e-5, 0.00045704392324600636, -0.00013437427962890172,
  -2.480583742626465e-5, 2.2709615666886862e-5, -1.7633441042947286e-7, -3.277292964931172e-6,
  3.2054570763862265e-7, 4.920024802540081e-7, -6.589172574782641e-8, -7.758978539904777e-8,
  9.093346192821805e-9, 1.1033982677116041e-8, -7.075544448550995e-10, -9.568291059979476e-10,
]);
/** 64/ln 2, what leaves no place for a fraction, ln 2/64 in two parts, 1/2! to 1/6!. */
const EXP = memory.data<f64>([
  92.33248261689366, 6755399441055744, 0.01083042469326756, 2.9815858269852933e-12,
  0.5, 0.16666666666666666, 0.041666666666666664, 0.008333333333333333, 0.001388888888888889,
]);
/** 1/3, 1/5, to 1/21, √2 and ln 2 in two parts. */
const LOG = memory.data<f64>([
  0.3333333333333333, 0.2, 0.14285714285714285, 0.1111111111111111, 0.09090909090909091,
  0.07692307692307693, 0.06666666666666667, 0.058823529411764705, 0.05263157894736842, 0.047619047619047616,
  1.4142135623730951, 0.6931471803691238, 1.9082149292705877e-10,
]);

/** The first `count` rows; `onSpot` is 1 for options on an asset with a spot price, 0 for options on a forward. */
export function value(count: i32, onSpot: i32): void {
  const end = <usize>count << 3;
  for (let at: usize = 0; at < end; at += 16) pair(at, onSpot);
}

@inline
function pair(at: usize, onSpot: i32): void {
  const underlying = v128.load(UNDERLYING + at);
  const strikeNow = v128.load(STRIKE + at);
  const years = v128.load(YEARS + at);
  const volatility = v128.load(VOLATILITY + at);
  const rate = v128.load(RATE + at);
  const yielded = v128.load(YIELD + at);
  const sign = v128.load(SIGN + at);
  const root = f64x2.sqrt(years);

  const earned = f64x2.neg(yielded);
  const earnedYears = mul(earned, years);
  let usual = within(earnedYears, 700);
  let steps = stepsOf(earnedYears);
  let high = expHigh(steps);
  let low = expLow(earnedYears, productLow(earned, years, earnedYears), steps, high);
  let product = mul(underlying, high);
  let rounded = add(productLow(underlying, high, product), mul(underlying, low));
  const forward = add(product, rounded);
  const forwardLow = sub(rounded, sub(forward, product));

  if (onSpot) {
    const paid = f64x2.neg(rate);
    const paidYears = mul(paid, years);
    usual = v128.and(usual, within(paidYears, 700));
    steps = stepsOf(paidYears);
    high = expHigh(steps);
    low = expLow(paidYears, productLow(paid, years, paidYears), steps, high);
  }
  product = mul(strikeNow, high);
  rounded = add(productLow(strikeNow, high, product), mul(strikeNow, low));
  const strike = add(product, rounded);
  const strikeLow = sub(rounded, sub(strike, product));

  const difference = sub(forward, strike);
  const taken = sub(difference, forward);
  const differenceLow = add(
    sub(sub(forward, sub(difference, taken)), add(strike, taken)),
    sub(forwardLow, strikeLow),
  );
  const ratio = f64x2.div(forward, strike);
  usual = v128.and(usual, v128.and(f64x2.gt(ratio, splat(1e-300)), f64x2.lt(ratio, splat(1e300))));
  const moneyness = log(forward, strike, differenceLow, ratio);
  const above = f64x2.gt(moneyness, splat(0));
  const mean = f64x2.sqrt(mul(forward, strike));
  const under = v128.bitselect(strike, forward, above);
  const over = v128.bitselect(forward, strike, above);

  const s = mul(volatility, root);
  usual = v128.and(usual, v128.and(f64x2.gt(s, splat(0)), f64x2.gt(years, splat(0))));
  const z = f64x2.div(f64x2.abs(moneyness), s);
  const t = mul(splat(0.5), s);
  const offset = sub(z, t);
  const exponent = mul(splat(-0.5), add(mul(z, z), mul(t, t)));
  usual = v128.and(usual, within(exponent, 700));
  steps = stepsOf(exponent);
  high = expHigh(steps);
  const density = mul(splat(0.3989422804014327), add(high, expLow(exponent, splat(0), steps, high)));
  const near = mills(f64x2.abs(offset));
  const far = mills(add(z, t));
  const peak = mul(mean, density);
  usual = v128.and(usual, f64x2.gt(peak, splat(0)));

  const right = f64x2.ge(offset, splat(0));
  const isFar = v128.and(f64x2.ge(z, splat(6)), f64x2.lt(t, splat(0.1)));
  const isClose = v128.andnot(f64x2.lt(t, splat(0.02)), isFar);
  let gap = sub(near, far);
  if (v128.any_true(isFar)) gap = v128.bitselect(gapFar(z, t), gap, isFar);
  if (v128.any_true(isClose)) gap = v128.bitselect(gapClose(z, t), gap, isClose);
  const byGap = v128.or(right, v128.or(isFar, isClose));
  const worth = v128.bitselect(mul(peak, gap), sub(under, mul(peak, add(near, far))), byGap);

  const isCall = f64x2.gt(sign, splat(0));
  const outside = v128.xor(isCall, above);
  const tail = f64x2.div(mul(peak, near), under);
  const farTail = f64x2.div(mul(peak, far), over);
  const one = splat(1);
  const small = v128.bitselect(sub(one, tail), tail, v128.xor(outside, right));
  const large = v128.bitselect(farTail, sub(one, farTail), outside);
  const first = v128.bitselect(large, small, above);
  const second = v128.bitselect(small, large, above);

  const decay = f64x2.neg(f64x2.div(mul(peak, volatility), mul(splat(2), root)));
  const turned = v128.xor(splat(-0.0), v128.and(above, splat(-0.0)));
  const intrinsic = v128.xor(difference, turned);
  const intrinsicLow = v128.xor(differenceLow, turned);
  const price = v128.bitselect(worth, add(intrinsic, add(intrinsicLow, worth)), outside);
  v128.store(PRICE + at, v128.bitselect(price, splat(NaN), usual));
  v128.store(DELTA + at, f64x2.div(mul(mul(sign, first), forward), underlying));
  v128.store(GAMMA + at, f64x2.div(peak, mul(mul(underlying, underlying), s)));
  v128.store(VEGA + at, mul(peak, root));
  if (onSpot) {
    const carried = sub(mul(mul(yielded, forward), first), mul(mul(rate, strike), second));
    v128.store(THETA + at, add(decay, mul(sign, carried)));
    v128.store(RHO + at, mul(mul(mul(sign, years), strike), second));
  } else {
    v128.store(THETA + at, add(decay, mul(rate, price)));
    v128.store(RHO + at, mul(f64x2.neg(years), price));
  }
}

/** x/(ln 2/64), rounded. */
@inline
function stepsOf(x: v128): v128 {
  const toInteger = number(EXP, 1);
  return sub(add(mul(x, number(EXP, 0)), toInteger), toInteger);
}

/** e^x as a sum of two: the first, then what it lacks. */
@inline
function expHigh(steps: v128): v128 {
  const whole = i32x4.trunc_sat_f64x2_s_zero(steps);
  return mul(v128.shuffle<f64>(rootsAt(whole, 0), rootsAt(whole, 1), 0, 2), powerOf(whole));
}

@inline
function expLow(x: v128, xLow: v128, steps: v128, high: v128): v128 {
  const r = add(sub(sub(x, mul(steps, number(EXP, 2))), mul(steps, number(EXP, 3))), xLow);
  const rr = mul(r, r);
  const inner = add(
    add(number(EXP, 4), mul(r, number(EXP, 5))),
    mul(rr, add(add(number(EXP, 6), mul(r, number(EXP, 7))), mul(rr, number(EXP, 8)))),
  );
  const whole = i32x4.trunc_sat_f64x2_s_zero(steps);
  const rootLow = v128.shuffle<f64>(rootsAt(whole, 0), rootsAt(whole, 1), 1, 3);
  return add(mul(rootLow, powerOf(whole)), mul(high, add(r, mul(rr, inner))));
}

@inline
function rootsAt(whole: v128, lane: u8): v128 {
  return v128.load((lane === 0 ? i32x4.extract_lane(whole, 0) & 63 : i32x4.extract_lane(whole, 1) & 63) << 4);
}

@inline
function powerOf(whole: v128): v128 {
  return i64x2.shl(i64x2.extend_low_i32x4_u(i32x4.add(i32x4.shr_s(whole, 6), i32x4.splat(1023))), 52);
}

/** ln((a + low)/b), `ratio` being a/b. */
@inline
function log(a: v128, b: v128, aLow: v128, ratio: v128): v128 {
  const bits = mul(ratio, number(LOG, 10));
  const power = v128.and(bits, i64x2.splat(0x7ff0000000000000));
  const raised = i64x2.shr_u(power, 52);
  const k = f64x2.convert_low_i32x4_s(i32x4.sub(v128.shuffle<i32>(raised, raised, 0, 2, 0, 2), i32x4.splat(1023)));
  const near = mul(b, power);
  const kept = v128.and(aLow, f64x2.eq(k, splat(0)));
  const w = f64x2.div(add(sub(a, near), kept), add(a, near));
  const v = mul(w, w);
  const v2 = mul(v, v);
  const v4 = mul(v2, v2);
  let series = add(number(LOG, 0), mul(number(LOG, 1), v));
  series = add(series, mul(add(number(LOG, 2), mul(number(LOG, 3), v)), v2));
  const third = add(number(LOG, 4), mul(number(LOG, 5), v));
  series = add(series, mul(add(third, mul(add(number(LOG, 6), mul(number(LOG, 7), v)), v2)), v4));
  series = add(series, mul(add(number(LOG, 8), mul(number(LOG, 9), v)), mul(v4, v4)));
  const twice = add(w, w);
  return add(
    mul(k, number(LOG, 11)),
    add(twice, add(mul(mul(twice, v), series), mul(k, number(LOG, 12)))),
  );
}

@inline
function mills(z: v128): v128 {
  const t = f64x2.div(sub(z, splat(5)), add(z, splat(5)));
  const t2 = mul(t, t);
  const t4 = mul(t2, t2);
  const t8 = mul(t4, t4);
  const first = eight(t, t2, t4, MILLS);
  const second = eight(t, t2, t4, MILLS + 64);
  const third = eight(t, t2, t4, MILLS + 128);
  return f64x2.div(add(add(first, mul(second, t8)), mul(third, mul(t8, t8))), add(splat(1), z));
}

@inline
function eight(t: v128, t2: v128, t4: v128, from: usize): v128 {
  const lower = add(add(number(from, 0), mul(number(from, 1), t)), mul(add(number(from, 2), mul(number(from, 3), t)), t2));
  const upper = add(add(number(from, 4), mul(number(from, 5), t)), mul(add(number(from, 6), mul(number(from, 7), t)), t2));
  return add(lower, mul(upper, t4));
}

function gapClose(z: v128, t: v128): v128 {
  const i0 = mills(z);
  const i1 = sub(splat(1), mul(z, i0));
  const i2 = sub(i0, mul(z, i1));
  const i3 = sub(mul(splat(2), i1), mul(z, i2));
  const i4 = sub(mul(splat(3), i2), mul(z, i3));
  const i5 = sub(mul(splat(4), i3), mul(z, i4));
  const i6 = sub(mul(splat(5), i4), mul(z, i5));
  const i7 = sub(mul(splat(6), i5), mul(z, i6));
  const w = mul(t, t);
  const series = add(
    i1,
    mul(
      f64x2.div(w, splat(6)),
      add(i3, mul(f64x2.div(w, splat(20)), add(i5, mul(f64x2.div(w, splat(42)), i7)))),
    ),
  );
  return mul(mul(splat(2), t), series);
}

function gapFar(z: v128, t: v128): v128 {
  const w = mul(t, t);
  let below = mul(splat(0.5), add(z, f64x2.sqrt(add(mul(z, z), splat(80)))));
  let series = splat(1);
  for (let k = 19; k > 1; k -= 2) {
    const above = add(z, f64x2.div(splat(<f64>k), below));
    series = add(splat(1), mul(f64x2.div(w, mul(below, above)), series));
    below = add(z, f64x2.div(splat(<f64>(k - 1)), above));
  }
  const first = f64x2.div(splat(1), below);
  return f64x2.div(mul(mul(mul(splat(2), t), first), series), add(z, first));
}

/** What rounding took from a·b. */
@inline
function productLow(a: v128, b: v128, product: v128): v128 {
  const splitter = splat(134217729);
  const splitA = mul(splitter, a);
  const highA = sub(splitA, sub(splitA, a));
  const lowA = sub(a, highA);
  const splitB = mul(splitter, b);
  const highB = sub(splitB, sub(splitB, b));
  const lowB = sub(b, highB);
  return sub(mul(lowA, lowB), sub(sub(sub(product, mul(highA, highB)), mul(lowA, highB)), mul(highA, lowB)));
}

@inline
function number(table: usize, at: usize): v128 { return v128.load64_splat(table + (at << 3)); }
@inline
function within(x: v128, bound: f64): v128 { return f64x2.lt(f64x2.abs(x), splat(bound)); }
@inline
function add(a: v128, b: v128): v128 { return f64x2.add(a, b); }
@inline
function sub(a: v128, b: v128): v128 { return f64x2.sub(a, b); }
@inline
function mul(a: v128, b: v128): v128 { return f64x2.mul(a, b); }
@inline
function splat(a: f64): v128 { return f64x2.splat(a); }
