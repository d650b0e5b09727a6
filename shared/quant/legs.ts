import { applyExp, applyLog, applyProduct } from './exponential.ts';
import type { ForwardColumns, SpotColumns } from './option.ts';
import { cell, FORWARD, INTRINSIC, MEAN, MONEYNESS, SCRATCH, STRIKE, UNDER, Y } from './wing.ts';

/**
 * What is exchanged at expiry, discounted: underlying·e^(−qT) and strike·e^(−rT), in two doubles each. Far in the money the price is nearly their
 * difference, and all that is known of the volatility stands in its last places: there the legs must not round.
 */

/** Discounts both legs of row `at` and takes ln(F/K). */
export function loadSpot(options: Omit<SpotColumns, 'volatility'>, at: number): void {
  loadDiscount(options.yield, options.years, at);
  applyDiscount(options.underlying, at, FORWARD);
  if (options.yield[at] !== options.rate[at]) loadDiscount(options.rate, options.years, at);
  applyDiscount(options.strike, at, STRIKE);
  loadMiddle(options.years, at);
}

/** As {@link loadSpot}, for an underlying that is a forward: both legs are paid at expiry. */
export function loadForward(options: Omit<ForwardColumns, 'volatility'>, at: number): void {
  loadDiscount(options.rate, options.years, at);
  applyDiscount(options.underlying, at, FORWARD);
  applyDiscount(options.strike, at, STRIKE);
  loadMiddle(options.years, at);
}

/** e^(−rate·years) into the scratch; the product's rounding would reach the price. */
function loadDiscount(rates: Float64Array, years: Float64Array, at: number): void {
  cell[SCRATCH] = -rates[at]!;
  cell[SCRATCH + 1] = years[at]!;
  applyProduct(cell, SCRATCH);
  applyExp(cell, SCRATCH);
}

function applyDiscount(amounts: Float64Array, at: number, leg: number): void {
  const amount = amounts[at]!;
  cell[leg] = amount;
  cell[leg + 1] = cell[SCRATCH]!;
  applyProduct(cell, leg);
  const product = cell[leg];
  const low = cell[leg + 1]! + amount * cell[SCRATCH + 1]!;
  const discounted = product + low;
  cell[leg] = discounted;
  cell[leg + 1] = low - (discounted - product);
}

/** Near the money the logarithm comes from the difference, which still has the digits: minutes to expiry, the wings live on them. */
function loadMiddle(years: Float64Array, at: number): void {
  const forward = cell[FORWARD]!;
  const strike = cell[STRIKE]!;
  const difference = forward - strike;
  const taken = difference - forward;
  const low = forward - (difference - taken) - (strike + taken) + (cell[FORWARD + 1]! - cell[STRIKE + 1]!);
  cell[SCRATCH] = forward;
  cell[SCRATCH + 1] = strike;
  cell[SCRATCH + 2] = low;
  applyLog(cell, SCRATCH);
  const moneyness = cell[SCRATCH];
  const above = moneyness > 0;
  cell[MONEYNESS] = moneyness;
  cell[INTRINSIC] = above ? difference : -difference;
  cell[INTRINSIC + 1] = above ? low : -low;
  cell[UNDER] = above ? strike : forward;
  cell[MEAN] = Math.sqrt(forward * strike);
  cell[Y] = years[at]! >= 0 ? Math.abs(moneyness) : Number.NaN;
}
