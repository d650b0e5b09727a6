import type { RiskBook, RiskSources } from '#hotpath/risk/risk-gate.ts';

/** A million, nothing lost, nothing at risk. */
export const calmBook: RiskBook = {
  ageMs: () => 0,
  equityUsd: () => 1_000_000,
  drawdown: () => 0,
  correlationRisk: () => 0,
  varUsdWith: () => 0,
  shortfallUsdWith: () => 0,
};

/** Nothing speaks against anything. */
export const calm: RiskSources = {
  tradingState: () => 'active',
  accountVerified: () => true,
  venueHealth: () => 1,
  bookStatus: () => 'live',
  bookAgeMs: () => 0,
  roundTripMs: () => 0,
  positionUsd: () => 0,
  exposureUsd: () => 0,
  assetExposureUsd: () => 0,
  familyExposureUsd: () => 0,
  totalExposureUsd: () => 0,
  dailyPnlUsd: () => 0,
  openOperations: () => 0,
  recentOrders: () => 0,
  shortAccount: () => undefined,
  marginRatio: () => Infinity,
  busy: () => false,
  meetsOwnOrder: () => false,
  adlRank: () => 0,
  book: calmBook,
};
