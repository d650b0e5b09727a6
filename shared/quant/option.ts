export type Right = 'call' | 'put';

/**
 * A European option on an asset with a spot price. Years as `yearsBetween` counts them; volatility, rate and yield a year, continuously
 * compounded, 0.05 is 5 %. Underlying and strike positive, years and volatility not negative: anything else gives NaN.
 */
export type SpotOption = {
  readonly right: Right;
  readonly underlying: number;
  readonly strike: number;
  readonly years: number;
  readonly volatility: number;
  readonly rate: number;
  /** What holding the underlying earns: dividends, staking, the coin's own interest. */
  readonly yield: number;
};

/** A European option on a forward or future: `underlying` is the forward of the option's own expiry. */
export type ForwardOption = Omit<SpotOption, 'yield'>;

/**
 * Price and sensitivities in units of the premium's currency: delta and gamma to the underlying, vega to a volatility higher by 1.00, theta to a
 * year passed (calendar time going on, so mostly negative), rho to a rate higher by 1.00.
 */
export type Valuation = {
  readonly price: number;
  readonly delta: number;
  readonly gamma: number;
  readonly vega: number;
  readonly theta: number;
  readonly rho: number;
};

/** {@link ForwardOption} by columns; `calls` holds 1 for a call, 0 for a put. */
export type ForwardColumns = {
  readonly calls: Uint8Array;
  readonly underlying: Float64Array;
  readonly strike: Float64Array;
  readonly years: Float64Array;
  readonly volatility: Float64Array;
  readonly rate: Float64Array;
};

/** {@link SpotOption} by columns. */
export type SpotColumns = ForwardColumns & { readonly yield: Float64Array };

/** {@link Valuation} by columns, as long as the options' or longer. */
export type ValuationColumns = { readonly [figure in keyof Valuation]: Float64Array };
