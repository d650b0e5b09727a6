import type { InstrumentIndex, TimeNs } from './ids.ts';

/**
 * One side's levels of one frame: parallel arrays the scanner writes into, reused for every frame. Quantity 0 removes the level.
 * `priceDecimals`/`qtyDecimals` are the most decimals seen in the frame's texts (checksums hash fixed-decimal texts).
 */
export type LevelBuffer = {
  prices: Float64Array;
  qtys: Float64Array;
  count: number;
  priceDecimals: number;
  qtyDecimals: number;
};

/** What a frame said. Numbers, not strings: the pipeline switches on it a million times a second. */
export const SNAPSHOT = 0;
export const DELTA = 1;
/** Best bid and ask only, one level a side. */
export const QUOTE = 2;
export type MarketUpdateKind = typeof SNAPSHOT | typeof DELTA | typeof QUOTE;

/**
 * One decoded market event. A single instance lives for the whole run and is overwritten by each frame (no object a message);
 * whoever wants to keep it copies it.
 */
export type MarketUpdate = {
  kind: MarketUpdateKind;
  instrument: InstrumentIndex;
  /** First and last sequence that the frame covers, and the last one of the frame before. NaN where the venue sends none. */
  firstSequence: number;
  lastSequence: number;
  previousSequence: number;
  /** As sent, signed or not as the venue defines it; NaN when absent (OKX: 0 means absent since 2026-06-23). */
  checksum: number;
  /** The venue's event time in Unix milliseconds (fractions allowed); NaN when the frame carries none. */
  venueTimeMs: number;
  receivedTimeNs: TimeNs;
  readonly bids: LevelBuffer;
  readonly asks: LevelBuffer;
};

/**
 * `live` alone is traded. `crossed`: bid and ask are locked or crossed. `gap`: the venue's continuity or checksum rule was broken; only a snapshot
 * heals it. `suspect`: far from what the other venues say. `polled`: asked for by REST now and then, while no socket can be kept.
 */
export const BOOK_STATUSES = ['syncing', 'live', 'stale', 'crossed', 'gap', 'suspect', 'polled'] as const;
export type BookStatus = (typeof BOOK_STATUSES)[number];

/** One trade of the public tape; one instance for the whole run, overwritten. */
export type TradePrint = {
  instrument: InstrumentIndex;
  price: number;
  /** In the venue's unit. */
  qty: number;
  /** +1: the taker bought; -1: sold. */
  taker: 1 | -1;
  venueTimeMs: number;
  receivedTimeNs: TimeNs;
};

/**
 * What a venue says of an instrument beside its book; one instance for the whole run, overwritten. NaN: the frame did not say. Rates and volatilities are
 * fractions (0.0001 is 1 bp; 0.65 is 65 %); a decoder that meets percent divides.
 */
export type ReferenceUpdate = {
  instrument: InstrumentIndex;
  venueTimeMs: number;
  receivedTimeNs: TimeNs;
  markPrice: number;
  indexPrice: number;
  /** For the interval that ends at `nextFundingTimeMs`: the rate that will be paid as it stands now. Longs pay shorts when positive. */
  fundingRate: number;
  nextFundingTimeMs: number;
  /** As transmitted; NaN where the frame leaves it to the instrument. */
  fundingIntervalMs: number;
  bidVolatility: number;
  askVolatility: number;
  markVolatility: number;
  /** Greeks as the venue sends them: per unit of the underlying. */
  delta: number;
  gamma: number;
  vega: number;
  theta: number;
  rho: number;
  /** The forward or index that the venue prices the option on. */
  underlyingPrice: number;
  interestRate: number;
};

/** The answer of the book stage to one update. */
export const APPLIED = 0;
/** Older than what the book has: dropped by the venue's own rule. */
export const IGNORED = 1;
/** Held until the snapshot arrives (bounded). */
export const HELD = 2;
/** Continuity or checksum broken, or the hold is full: the feed must get a new snapshot. */
export const BROKEN = 3;
export type ApplyOutcome = typeof APPLIED | typeof IGNORED | typeof HELD | typeof BROKEN;
