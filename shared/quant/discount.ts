/** A year of option markets: 365 days, in milliseconds. */
const YEAR_MS = 365 * 86_400_000;

/** Years from `fromMs` to `toMs` (Unix ms) over a year of 365 days, to the millisecond; zero once it is past. */
export function yearsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / YEAR_MS;
}

/** What one unit paid in `years` is worth now, e^(−rT), at a continuously compounded yearly rate. @see Hull, ch. 4 */
export function discountFactor(rate: number, years: number): number {
  return Math.exp(-rate * years);
}

/** The continuously compounded yearly rate that takes `from` to `to` in `years`: ln(to/from)/T. `years` > 0. */
export function rateBetween(from: number, to: number, years: number): number {
  const ratio = to / from;
  return (ratio > 0.5 && ratio < 2 ? Math.log1p((to - from) / from) : Math.log(ratio)) / years;
}
