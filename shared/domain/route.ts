import type { Asset, InstrumentIndex, RouteId } from './ids.ts';
import type { Instrument } from './instrument.ts';

export type Side = 'buy' | 'sell';
export const opposite = (side: Side): Side => (side === 'buy' ? 'sell' : 'buy');

/** `spatial`, `cycle`; later `basis`, `parity`, … One file a family in detect/routes/. */
export type FamilyId = string;

export type RouteLeg = {
  readonly instrument: InstrumentIndex;
  readonly side: Side;
  /** Quantity of this leg in base units per unit of the route (sum routes); 1 for product routes. */
  readonly ratio: number;
};

/**
 * A compiled arbitrage relation whose payoff cancels.
 * - `product`: conversion rates along the legs, starting and ending in `start`; edge = Π rate − 1 (spatial, cycles).
 * - `sum`: Σ priced payoffs of the legs plus a carry term; edge = (Σ received − Σ paid + carry) / Σ paid (basis, parity, …).
 */
export type Route = {
  /** Readable and stable between runs: `spatial:binance:BTC/USDT>okx:BTC/USDT`. */
  readonly id: RouteId;
  readonly family: FamilyId;
  readonly evaluator: 'product' | 'sum';
  readonly legs: readonly RouteLeg[];
  /** The asset in which the edge is earned and the size is measured. */
  readonly start: Asset;
  /** Sum routes: value per unit that does not depend on the books (funding, strike, discounting), in `start`. 0 for product routes. */
  readonly carry: number;
};

export type CompileOptions = {
  readonly maxLegs: number;
  /** Cycles may switch venue between legs where both venues are pre-funded. */
  readonly crossVenue: boolean;
  /** Compilation stops there and says so: every list is bounded. */
  readonly maxRoutes: number;
  /** Assets in which cycles may start and profit may stay. */
  readonly startAssets: readonly Asset[];
};

/** A family turns the instrument list into routes and nothing else; evaluation, sizing and staleness are the engine's. */
export type RouteFamily = {
  readonly id: FamilyId;
  readonly compile: (instruments: readonly Instrument[], options: CompileOptions) => readonly Route[];
};
