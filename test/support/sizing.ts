import type { Pace, References } from '#shared/domain/capital.ts';

/** A world in which nothing moves and every venue answers at once. */
export const stillPace: Pace = {
  volatilityOf: () => 0,
  roundTripMsOf: () => 0,
  clockJitterMsOf: () => NaN,
  standingShareOf: () => 1,
};

/** Columns for so many instruments of which no venue has said anything. */
export function silentReferences(instruments: number): References {
  const column = (): Float64Array => new Float64Array(instruments).fill(NaN);
  return {
    markPrice: column(),
    indexPrice: column(),
    underlyingPrice: column(),
    fundingRate: column(),
    nextFundingTimeMs: column(),
    fundingIntervalMs: column(),
    markVolatility: column(),
  };
}
