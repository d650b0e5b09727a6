import type { Asset, InstrumentIndex, TimeNs, VenueId } from './ids.ts';
import type { BookStatus } from './market-event.ts';
import type { Side } from './route.ts';

/** What sizing and risk may ask about money. Numbers are floats for finding; the ledger behind it is decimal. */
export type CapitalView = {
  /** Free to commit now: total less what open orders may still take. */
  readonly availableOf: (venue: VenueId, asset: Asset) => number;
  /** Value of one unit in the numeraire, from live books or an explicit peg; undefined when nobody can say. */
  readonly rateOf: (asset: Asset) => number | undefined;
  /** All there is, in the numeraire; NaN while nobody can say. Absent where sizes do not depend on it. */
  readonly equity?: () => number;
};

/**
 * Best prices of every instrument in typed arrays indexed by InstrumentIndex: what the screens read. `bid`/`ask` are NaN and
 * quantities 0 while the book is not live.
 */
export type Tops = {
  readonly bid: Float64Array;
  readonly bidQty: Float64Array;
  readonly ask: Float64Array;
  readonly askQty: Float64Array;
};

/** What sizing reads of one book. Levels go out best first; returns how many were written. */
export type Depths = {
  readonly status: (instrument: InstrumentIndex) => BookStatus;
  readonly asks: (instrument: InstrumentIndex, prices: Float64Array, qtys: Float64Array) => number;
  readonly bids: (instrument: InstrumentIndex, prices: Float64Array, qtys: Float64Array) => number;
  /** Age of the book's news on the clock-corrected venue time where there is one, else since receipt; milliseconds. */
  readonly ageMs: (instrument: InstrumentIndex, nowNs: TimeNs) => number;
};

/** Stands for the next funding time where funding flows all the time. */
export const FUNDING_FLOWS = 0;

/**
 * What venues say of instruments beside their books, in columns by InstrumentIndex; NaN while unknown. Rates are fractions for one interval, times Unix ms,
 * prices in the quote.
 */
export type References = {
  readonly markPrice: Float64Array;
  readonly indexPrice: Float64Array;
  /** The forward or index that the venue prices an option on. */
  readonly underlyingPrice: Float64Array;
  readonly fundingRate: Float64Array;
  /** `FUNDING_FLOWS` where it is paid all the time. */
  readonly nextFundingTimeMs: Float64Array;
  readonly fundingIntervalMs: Float64Array;
  readonly markVolatility: Float64Array;
};

/** How fast prices and venues are: what sizing asks about the time until an order has arrived. */
export type Pace = {
  /** Of the middle of the book, as a fraction per square root of a second. */
  readonly volatilityOf: (instrument: InstrumentIndex) => number;
  /** From an order's leaving to the venue's answer, milliseconds. */
  readonly roundTripMsOf: (instrument: InstrumentIndex) => number;
  /** How much the travel time of the venue's messages varies, milliseconds; NaN while nobody knows. */
  readonly clockJitterMsOf: (instrument: InstrumentIndex) => number;
  /** Share of what is displayed at a price to a taker of `side` that has stood for `engine.filters.min_level_age_ms`; 1 where that is not watched. */
  readonly standingShareOf: (instrument: InstrumentIndex, side: Side, price: number, nowNs: TimeNs) => number;
};
