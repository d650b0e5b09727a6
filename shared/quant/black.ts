import { assert } from '../assert.ts';
import { loadForward, loadSpot } from './legs.ts';
import type { ForwardColumns, ForwardOption, SpotColumns, SpotOption, Valuation, ValuationColumns } from './option.ts';
import { ON_FORWARD, ON_SPOT, pricePairs } from './pairs.ts';
import {
  cell,
  DENSITY,
  evaluateWing,
  FAR,
  FORWARD,
  INTRINSIC,
  MEAN,
  MONEYNESS,
  NEAR,
  OFFSET,
  S,
  STRIKE,
  UNDER,
  VALUE,
  Y,
} from './wing.ts';

/**
 * Black–Scholes–Merton with a continuous yield q, x = ln(S/K) + (r − q)T, d₁,₂ = x/(σ√T) ± σ√T/2:
 * call = S·e^(−qT)Φ(d₁) − K·e^(−rT)Φ(d₂), put by parity.
 * @see J. Hull, "Options, Futures, and Other Derivatives", ch. 17 (prices with a yield) and 19 (Greeks).
 */
export function blackScholes(option: SpotOption): Valuation {
  fillRow(option, option.yield);
  priceOnSpot(row, rowValue, 0);
  return valuationOfRow();
}

/**
 * Black's model on a forward F: e^(−rT)·[F·Φ(d₁) − K·Φ(d₂)]. Theta and rho hold the forward still: rho is −T·price.
 * @see F. Black, "The pricing of commodity contracts", J. Financial Economics 3 (1976) 167–179; Hull, ch. 18.
 */
export function black76(option: ForwardOption): Valuation {
  fillRow(option, option.rate);
  priceOnForward(row, rowValue, 0);
  return valuationOfRow();
}

/** {@link blackScholes} of every row, without allocation. */
export function blackScholesInto(options: SpotColumns, out: ValuationColumns): void {
  const count = rowsOf(options, out);
  pricePairs(options, options.yield, out, ON_SPOT);
  for (let at = 0; at < count; at += 1) if (Number.isNaN(out.price[at])) priceOnSpot(options, out, at);
}

/** {@link black76} of every row, without allocation. */
export function black76Into(options: ForwardColumns, out: ValuationColumns): void {
  const count = rowsOf(options, out);
  pricePairs(options, options.rate, out, ON_FORWARD);
  for (let at = 0; at < count; at += 1) if (Number.isNaN(out.price[at])) priceOnForward(options, out, at);
}

function priceOnSpot(options: SpotColumns, out: ValuationColumns, at: number): void {
  loadSpot(options, at);
  loadWing(options, at);
  evaluateWing();
  store(options, options.yield, out, at);
  out.rho[at] = signOf(options, at) * options.years[at]! * cell[STRIKE]! * cell[VALUE]!;
}

function priceOnForward(options: ForwardColumns, out: ValuationColumns, at: number): void {
  loadForward(options, at);
  loadWing(options, at);
  evaluateWing();
  store(options, options.rate, out, at);
  out.theta[at] = -cell[Y]! + options.rate[at]! * out.price[at]!;
  out.rho[at] = -options.years[at]! * out.price[at]!;
}

function loadWing(options: ForwardColumns, at: number): void {
  const volatility = options.volatility[at]!;
  cell[S] = volatility >= 0 ? volatility * Math.sqrt(options.years[at]!) : Number.NaN;
}

/** Writes all but rho; leaves the loss to time in Y and the probability of exercise in VALUE. */
function store(options: ForwardColumns, yields: Float64Array, out: ValuationColumns, at: number): void {
  const underlying = options.underlying[at]!;
  const forward = cell[FORWARD]!;
  const strike = cell[STRIKE]!;
  const s = cell[S]!;
  const above = cell[MONEYNESS]! > 0;
  const isCall = options.calls[at] === 1;
  const sign = isCall ? 1 : -1;
  const outside = isCall !== above;

  const peak = cell[MEAN]! * cell[DENSITY]!;
  const tail = (peak * cell[NEAR]!) / cell[UNDER]!;
  const farTail = (peak * cell[FAR]!) / (above ? forward : strike);
  // The smaller leg's probability is the near tail, or what is left of it when the middle lies beyond the strike.
  const small = outside === cell[OFFSET]! >= 0 ? tail : 1 - tail;
  const large = outside ? farTail : 1 - farTail;
  const first = above ? large : small;
  const second = above ? small : large;

  const decay = s > 0 ? (peak * options.volatility[at]!) / (2 * Math.sqrt(options.years[at]!)) : 0;
  // The intrinsic value in two parts: the last place of the price is then the only thing that rounds.
  out.price[at] = outside ? cell[VALUE]! : cell[INTRINSIC]! + (cell[INTRINSIC + 1]! + cell[VALUE]!);
  out.delta[at] = (sign * first * forward) / underlying;
  out.gamma[at] = peak > 0 ? peak / (underlying * underlying * s) : peak;
  out.vega[at] = peak * Math.sqrt(options.years[at]!);
  out.theta[at] = -decay + sign * (yields[at]! * forward * first - options.rate[at]! * strike * second);
  cell[Y] = decay;
  cell[VALUE] = second;
}

const signOf = (options: ForwardColumns, at: number): number => (options.calls[at] === 1 ? 1 : -1);

function rowsOf(options: ForwardColumns, out: ValuationColumns): number {
  const count = options.strike.length;
  assert(out.price.length >= count && out.rho.length >= count, 'there is a row of results for each option');
  return count;
}

const row = {
  calls: new Uint8Array(1),
  underlying: new Float64Array(1),
  strike: new Float64Array(1),
  years: new Float64Array(1),
  volatility: new Float64Array(1),
  rate: new Float64Array(1),
  yield: new Float64Array(1),
} satisfies SpotColumns;

const rowValue = {
  price: new Float64Array(1),
  delta: new Float64Array(1),
  gamma: new Float64Array(1),
  vega: new Float64Array(1),
  theta: new Float64Array(1),
  rho: new Float64Array(1),
} satisfies ValuationColumns;

function fillRow(option: ForwardOption, yielded: number): void {
  row.calls[0] = option.right === 'call' ? 1 : 0;
  row.underlying[0] = option.underlying;
  row.strike[0] = option.strike;
  row.years[0] = option.years;
  row.volatility[0] = option.volatility;
  row.rate[0] = option.rate;
  row.yield[0] = yielded;
}

function valuationOfRow(): Valuation {
  return {
    price: rowValue.price[0]!,
    delta: rowValue.delta[0]!,
    gamma: rowValue.gamma[0]!,
    vega: rowValue.vega[0]!,
    theta: rowValue.theta[0]!,
    rho: rowValue.rho[0]!,
  };
}
