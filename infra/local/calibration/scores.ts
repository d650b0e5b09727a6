/** A forecast of an event, and whether it came. */
export type Forecast = { readonly probability: number; readonly happened: boolean };

/** Mean squared distance between forecast and what came: 0 is perfect. @see Brier, Verification of forecasts expressed in terms of probability (1950) */
export const brierScore = (forecasts: readonly Forecast[]): number =>
  meanOf(forecasts.map(({ probability, happened }) => (probability - Number(happened)) ** 2));

/** Forecasts of about the same probability: what they said on average, and how often they were right. */
export type Bin = { readonly predicted: number; readonly observed: number; readonly count: number };

/** Ten bins of equal numbers, least probable first. */
export function reliabilityOf(forecasts: readonly Forecast[]): readonly Bin[] {
  const sorted = forecasts.toSorted((one, other) => one.probability - other.probability);
  return Array.from({ length: BINS }, (_, bin) => {
    const members = sorted.slice((bin * sorted.length) / BINS, ((bin + 1) * sorted.length) / BINS);
    return {
      predicted: meanOf(members.map(({ probability }) => probability)),
      observed: meanOf(members.map(({ happened }) => Number(happened))),
      count: members.length,
    };
  });
}

const BINS = 10;

export type Mean = { readonly mean: number; readonly standardError: number; readonly count: number };

/**
 * The mean, and how far from the truth chance alone may have put it. What belongs to one cluster may have happened for one reason: clusters are
 * independent, their members need not be.
 */
export function meanWithError(clusters: readonly (readonly number[])[]): Mean {
  const values = clusters.flat();
  const mean = meanOf(values);
  const squares = clusters.map((cluster) => cluster.reduce((sum, value) => sum + value - mean, 0) ** 2);
  const spread = squares.reduce((sum, square) => sum + square, 0);
  const correction = clusters.length / (clusters.length - 1);
  return { mean, standardError: Math.sqrt(spread * correction) / values.length, count: values.length };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
