import type { LevelBuffer } from '#shared/domain/market-event.ts';

/** One side's levels, to read. */
export type Levels = {
  readonly count: number;
  /** Writes the best price and its quantity to `prices[at]` and `qtys[at]`: NaN and 0 when the side is empty. */
  readonly best: (prices: Float64Array, qtys: Float64Array, at: number) => void;
  /**
   * Writes levels best first from position `at` on, as far as the arrays reach, and returns the position behind the last. Only levels strictly worse
   * than `beyond` count, unless it is NaN.
   */
  readonly read: (prices: Float64Array, qtys: Float64Array, at: number, beyond: number) => number;
};

/** One side of a book. Layouts differ in speed, never in answers. */
export type BookSide = Levels & {
  /**
   * Sets the absolute quantities at the prices in the order given: a frame may name a price twice, and the last word counts. Quantity 0 removes the
   * level, and removing what is not there does nothing.
   */
  readonly write: (levels: LevelBuffer) => void;
  /** Forgets what was there. Snapshots come best first; of a price named twice the first counts. */
  readonly replace: (levels: LevelBuffer) => void;
  /** Keeps the best `depth` levels. */
  readonly truncate: (depth: number) => void;
};

export type Book = { readonly bids: BookSide; readonly asks: BookSide };

/** Multiplies a price so that greater is better: bids as they are, asks negated. */
export type Direction = 1 | -1;
