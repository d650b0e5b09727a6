import { assert } from '../assert.ts';
import { loadForward, loadSpot } from './legs.ts';
import { INVERSE_SQRT_TWO_PI } from './normal.ts';
import type { ForwardColumns, ForwardOption, SpotColumns, SpotOption } from './option.ts';
import {
  cell,
  DENSITY,
  evaluateWing,
  FAR,
  FORWARD,
  GAP,
  INTRINSIC,
  MEAN,
  MONEYNESS,
  NEAR,
  S,
  STRIKE,
  UNDER,
  VALUE,
  Y,
} from './wing.ts';

/**
 * Why a price has no volatility: outside the no-arbitrage bounds; nothing left to expiry; the price lies on a bound to its last place, or so near that
 * its rounding moves the volatility by more than 1e-9 of itself while vega is below 1e-8; or an input that is no number.
 */
export const REFUSALS = [
  'below-intrinsic',
  'above-bound',
  'expired',
  'vega-vanishing',
  'not-a-number',
  'unsettled',
] as const;
export type ImpliedRefusal = (typeof REFUSALS)[number];

export type Implied =
  | {
      readonly kind: 'volatility';
      readonly volatility: number;
      /** How far half a unit in the last place of the price moves the volatility, relative. Above 1e-9 the price hardly holds it: far in the money. */
      readonly uncertainty: number;
      readonly evaluations: number;
    }
  | { readonly kind: 'refused'; readonly reason: ImpliedRefusal };

export type QuotedColumns<Columns extends ForwardColumns> = Omit<Columns, 'volatility'> & {
  readonly price: Float64Array;
};

/** `refusal` is 0 where there is a volatility, otherwise 1 + the place in {@link REFUSALS}, and the volatility is NaN. */
export type ImpliedColumns = {
  readonly volatility: Float64Array;
  readonly uncertainty: Float64Array;
  readonly refusal: Uint8Array;
  /** How often Black's formula was evaluated. */
  readonly evaluations: Uint8Array;
};

/** The volatility at which {@link blackScholes} gives this price, to 1e-12 relative wherever the price determines it. */
export function impliedBlackScholes(option: Omit<SpotOption, 'volatility'> & { readonly price: number }): Implied {
  fillRow(option);
  row.yield[0] = option.yield;
  impliedBlackScholesInto(row, rowImplied);
  return impliedOfRow();
}

/** As {@link impliedBlackScholes}, for an option on a forward. */
export function impliedBlack76(option: Omit<ForwardOption, 'volatility'> & { readonly price: number }): Implied {
  fillRow(option);
  impliedBlack76Into(row, rowImplied);
  return impliedOfRow();
}

/** {@link impliedBlackScholes} of every row, without allocation. */
export function impliedBlackScholesInto(options: QuotedColumns<SpotColumns>, out: ImpliedColumns): void {
  const count = rowsOf(options, out);
  for (let at = 0; at < count; at += 1) {
    loadSpot(options, at);
    invert(options, out, at);
  }
}

/** {@link impliedBlack76} of every row, without allocation. */
export function impliedBlack76Into(options: QuotedColumns<ForwardColumns>, out: ImpliedColumns): void {
  const count = rowsOf(options, out);
  for (let at = 0; at < count; at += 1) {
    loadForward(options, at);
    invert(options, out, at);
  }
}

/** The price's time value on the out-of-the-money side, and what is left to its bound, decide; parity makes both exact. */
function invert(options: QuotedColumns<ForwardColumns>, out: ImpliedColumns, at: number): void {
  const forward = cell[FORWARD]!;
  const strike = cell[STRIKE]!;
  const moneyness = cell[MONEYNESS]!;
  const price = options.price[at]!;
  const years = options.years[at]!;
  const isCall = options.calls[at] === 1;
  const outside = isCall !== moneyness > 0;
  const scale = cell[MEAN]!;
  const value = outside ? price : price - cell[INTRINSIC]! - cell[INTRINSIC + 1]!;
  const room = isCall ? forward - price + cell[FORWARD + 1]! : strike - price + cell[STRIKE + 1]!;
  const noise = HALF_PLACE * price;
  out.volatility[at] = Number.NaN;
  out.uncertainty[at] = Number.NaN;
  out.evaluations[at] = 0;
  out.refusal[at] = 0;
  if (!(
    Number.isFinite(price) &&
    scale > 0 &&
    Number.isFinite(scale) &&
    Number.isFinite(moneyness) &&
    years >= -Infinity
  )) {
    out.refusal[at] = NOT_A_NUMBER;
  } else if (years <= 0) out.refusal[at] = EXPIRED;
  else if (value < -4 * noise || price < 0) out.refusal[at] = BELOW_INTRINSIC;
  else if (price <= (outside ? 0 : cell[INTRINSIC]! + cell[INTRINSIC + 1]!)) out.refusal[at] = VEGA_VANISHING;
  else if (room < 0) out.refusal[at] = ABOVE_BOUND;
  else if (room <= noise) out.refusal[at] = VEGA_VANISHING;
  if (out.refusal[at] !== 0) return;

  target[VALUE_SOUGHT] = value / scale;
  target[ROOM_SOUGHT] = room / scale;
  cell[UNDER] = cell[UNDER]! / scale;
  cell[MEAN] = 1;
  out.evaluations[at] = solve();
  const s = cell[S]!;
  const slope = cell[DENSITY]! * scale;
  const uncertainty = noise / (s * slope);
  if (out.evaluations[at] > EVALUATIONS_MAX) out.refusal[at] = UNSETTLED;
  else if (!(uncertainty <= RESOLUTION || slope * Math.sqrt(years) > VEGA_LEAST)) out.refusal[at] = VEGA_VANISHING;
  else {
    out.volatility[at] = s / Math.sqrt(years);
    out.uncertainty[at] = uncertainty;
  }
}

/**
 * Leaves σ√T in the cell and answers how often it evaluated Black's formula. The inflection point s = √(2y) parts the prices. Below it,
 * (−ln b)^(−½) is nearly linear in s; above it, −ln(bound − b) nearly quadratic: in either, a start that fits the slope at the inflection and the far
 * end is within a few per cent, and Halley's third-order steps from there settle at once. A bracket keeps each step inside.
 * @see P. Jäckel, "Let's Be Rational", Wilmott 75 (2015) (inflection point, objective functions by region, derivatives).
 */
function solve(): number {
  const y = cell[Y]!;
  const middle = Math.sqrt(2 * y);
  cell[S] = middle;
  evaluateWing();
  const isLow = target[VALUE_SOUGHT]! < cell[VALUE]!;
  target[LOW] = isLow ? 0 : middle;
  target[HIGH] = isLow ? middle : Infinity;
  if (isLow) startLow();
  else startHigh();
  for (let evaluations = 2; evaluations <= EVALUATIONS_MAX; evaluations += 1) {
    const s: number = cell[S];
    evaluateWing();
    if (isLow) stepLow();
    else stepHigh();
    const wanted: number = s + target[STEP]!;
    if (target[STEP]! > 0) target[LOW] = s;
    else target[HIGH] = s;
    const isInside: boolean = wanted >= target[LOW] && wanted <= target[HIGH];
    cell[S] = isInside ? wanted : target[HIGH] === Infinity ? 2 * s : 0.5 * (target[LOW] + target[HIGH]);
    if (isInside && Math.abs(target[STEP]!) <= SETTLED * s) return evaluations;
  }
  return EVALUATIONS_MAX + 1;
}

/**
 * Near the money and short, b ≈ y·φ(z)·I₁(z)/z with I₁(z) ≈ 1/(1 + √(π/2)z + z²), Bachelier's limit: two of Newton's steps find z. Elsewhere ln b is
 * −z²/2 far out: the parabola in z = y/s with the slope of the inflection point.
 */
function startLow(): void {
  const y = cell[Y]!;
  const middle = cell[S]!;
  if (y < 0.5) {
    const log = Math.log((INVERSE_SQRT_TWO_PI * y) / target[VALUE_SOUGHT]!);
    let z =
      log > 1 ? (2 * log) / (Math.sqrt(2 * log) + 1.5) : (2 * Math.exp(log)) / (1 + Math.sqrt(1 + 5 * Math.exp(log)));
    for (let step = 0; step < 2; step += 1) {
      const cubic = 1 + z * (1.2533 + z);
      z -= (0.5 * z * z + Math.log(z * cubic) - log) / (z + 1 / z + (1.2533 + 2 * z) / cubic);
    }
    if (z > y / middle) {
      cell[S] = y / z;
      return;
    }
  }
  const fall = Math.log(cell[VALUE]! / target[VALUE_SOUGHT]!);
  const slope = (2 * cell[DENSITY]!) / cell[VALUE]!;
  cell[S] = y / (y / middle + (2 * fall) / (slope + Math.sqrt(slope * slope + 2 * fall)));
}

/** −ln(bound − b) is s²/8 far out: the parabola in s with the slope of the inflection point. */
function startHigh(): void {
  const rise = Math.log1p((target[VALUE_SOUGHT]! - cell[VALUE]!) / target[ROOM_SOUGHT]!);
  const slope = cell[DENSITY]! / (cell[UNDER]! - cell[VALUE]!);
  cell[S] = cell[S]! + (2 * rise) / (slope + Math.sqrt(slope * slope + 0.5 * rise));
}

/** Halley on (−ln b)^(−½); ln b from its parts, so that b may underflow. (ln b)' = 1/(M(z − t) − M(z + t)). */
function stepLow(): void {
  const y = cell[Y]!;
  const s = cell[S]!;
  const z = y / s;
  const log = Math.log(cell[GAP]! * INVERSE_SQRT_TWO_PI) - 0.5 * (z * z + 0.25 * s * s);
  const slope = 1 / cell[GAP]!;
  const root = Math.sqrt(Math.log(target[VALUE_SOUGHT]!) / log);
  const newton = (2 * log * (1 - 1 / root)) / slope;
  const curve = (z * z) / s - 0.25 * s - slope - (1.5 * slope) / log;
  target[STEP] = halley(newton, curve);
}

/** Halley on −ln(bound − b); near the bound what is left of it comes from the two tails. */
function stepHigh(): void {
  const y = cell[Y]!;
  const s = cell[S]!;
  const left =
    cell[VALUE]! > 0.5 * cell[UNDER]! ? cell[DENSITY]! * (cell[NEAR]! + cell[FAR]!) : cell[UNDER]! - cell[VALUE]!;
  const short =
    cell[VALUE]! > 0.5 * cell[UNDER]!
      ? Math.log(left / target[ROOM_SOUGHT]!)
      : Math.log1p((target[VALUE_SOUGHT]! - cell[VALUE]!) / target[ROOM_SOUGHT]!);
  const slope = cell[DENSITY]! / left;
  const z = y === 0 ? 0 : y / s;
  const bend = s === 0 ? 0 : (z * z) / s - 0.25 * s;
  target[STEP] = halley(short / slope, bend + slope);
}

/** Halley's step from Newton's and f''/f'; a correction that would turn or triple it is left out. */
function halley(newton: number, curve: number): number {
  const divisor = 1 + 0.5 * newton * curve;
  return divisor > 0.3 ? newton / divisor : newton;
}

function rowsOf(options: { readonly price: Float64Array }, out: ImpliedColumns): number {
  const count = options.price.length;
  assert(out.volatility.length >= count && out.refusal.length >= count, 'there is a row of results for each price');
  return count;
}

function fillRow(option: Omit<ForwardOption, 'volatility'> & { readonly price: number }): void {
  row.calls[0] = option.right === 'call' ? 1 : 0;
  row.underlying[0] = option.underlying;
  row.strike[0] = option.strike;
  row.years[0] = option.years;
  row.rate[0] = option.rate;
  row.price[0] = option.price;
}

function impliedOfRow(): Implied {
  const refusal = rowImplied.refusal[0]!;
  if (refusal !== 0) return { kind: 'refused', reason: REFUSALS[refusal - 1]! };
  return {
    kind: 'volatility',
    volatility: rowImplied.volatility[0]!,
    uncertainty: rowImplied.uncertainty[0]!,
    evaluations: rowImplied.evaluations[0]!,
  };
}

const codeOf = (reason: ImpliedRefusal): number => 1 + REFUSALS.indexOf(reason);
const BELOW_INTRINSIC = codeOf('below-intrinsic');
const ABOVE_BOUND = codeOf('above-bound');
const EXPIRED = codeOf('expired');
const VEGA_VANISHING = codeOf('vega-vanishing');
const NOT_A_NUMBER = codeOf('not-a-number');
const UNSETTLED = codeOf('unsettled');

/** Half a unit in the last place of a double, relative, at most: what rounding takes from a price. */
const HALF_PLACE = 2 ** -53;
/** A volatility that the price's rounding moves by more than this, relative, is refused where vega is below its least. */
const RESOLUTION = 1e-9;
const VEGA_LEAST = 1e-8;
/** A third-order step of this size leaves an error below the last place. */
const SETTLED = 1e-6;
const EVALUATIONS_MAX = 24;

/** What is sought and where, beside the cell and for the same reason. */
const target = new Float64Array(5);
const VALUE_SOUGHT = 0;
const ROOM_SOUGHT = 1;
const LOW = 2;
const HIGH = 3;
const STEP = 4;

const row = {
  calls: new Uint8Array(1),
  underlying: new Float64Array(1),
  strike: new Float64Array(1),
  years: new Float64Array(1),
  rate: new Float64Array(1),
  yield: new Float64Array(1),
  price: new Float64Array(1),
} satisfies QuotedColumns<SpotColumns>;

const rowImplied = {
  volatility: new Float64Array(1),
  uncertainty: new Float64Array(1),
  refusal: new Uint8Array(1),
  evaluations: new Uint8Array(1),
} satisfies ImpliedColumns;
