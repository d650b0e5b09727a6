/**
 * What both screens keep of an instrument, in one line of memory: four prices, `PRICE_LIMITS` × instrument and on. While its best ask is at or above the first and
 * the third, and its best bid at or below the second and the fourth, none of its routes pays. The first two are the product screen's, the others the sum
 * screen's. NaN: every change is screened.
 */
export type PriceLimits = Float64Array;

export const PRICE_LIMITS = 4;
/** Where the sum screen's begin. */
export const SUM_LIMITS = 2;

export const newPriceLimits = (instruments: number): PriceLimits =>
  new Float64Array(PRICE_LIMITS * instruments).fill(NaN);
