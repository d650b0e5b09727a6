import type { Asset, InstrumentIndex, RouteId } from './ids.ts';
import type { Instrument } from './instrument.ts';

export type Side = 'buy' | 'sell';
export const opposite = (side: Side): Side => (side === 'buy' ? 'sell' : 'buy');

/** `spatial`, `cycle`, `basis`, `parity`, … One file a family in detect/routes/. */
export type FamilyId = string;

/**
 * In what a leg of a sum route is counted, and so what one unit of it is worth in the route's start asset.
 * - `base`: units of base. One is worth the price: dollars for a coin, or the premium of an option in its own currency.
 * - `quote`: units of quote, in a route that is reckoned in the coin. One unit of quote is worth 1/price of coin, and buying the coin brings it: the
 *   signs turn over. Coin-settled hedges (an inverse future, a spot trade) are counted so.
 */
export type Unit = 'base' | 'quote';

export type RouteLeg = {
  readonly instrument: InstrumentIndex;
  readonly side: Side;
  /** Units of this leg per unit of the route (sum routes); 1 for product routes. */
  readonly ratio: number;
  /** `base` where absent. */
  readonly unit?: Unit;
};

/** Sure money at a settlement per unit of the route, in the start asset, whatever the underlying does by then. Negative is owed. */
export type Payoff = { readonly atMs: number; readonly amount: number };

/** A trade to come that ends a leg, or carries an exposure over: it costs a taker fee and the configured slippage, at the price of now. */
export type Closing = Pick<RouteLeg, 'instrument' | 'ratio' | 'unit'>;

/** A settlement by the venue: it costs the instrument's delivery fee. Of the call and the put of one strike only one pays, so only one is listed. */
export type Delivery = Pick<RouteLeg, 'instrument' | 'ratio' | 'unit'>;

/**
 * A spot position that carries an exposure from one settlement to a later one (jelly rolls): opened and closed by two trades that stand among the closings. It
 * costs what a leg of spot costs while it is held.
 */
export type Bridge = RouteLeg & { readonly fromMs: number; readonly toMs: number };

/**
 * What a sum route needs beside its legs to be reckoned to its end.
 * - `locked`: the payoff is the same at every settlement price.
 * - `bound`: it is at least `payoffs` (verticals, butterflies, calendars).
 * - `converging`: it is expected, not promised (anything against a perpetual, or closed by trading before its own expiry).
 */
export type Terms = {
  readonly certainty: 'locked' | 'bound' | 'converging';
  /** What edges are fractions of, per unit of the route in the start asset: the value of a leg at its best price, or a fixed amount. */
  readonly notional: { readonly leg: number } | { readonly amount: number };
  readonly payoffs: readonly Payoff[];
  readonly closings: readonly Closing[];
  readonly deliveries: readonly Delivery[];
  readonly bridges?: readonly Bridge[];
  /** When the last of it is over; undefined where it ends by trading: then it is reckoned to the configured horizon. */
  readonly endsMs: number | undefined;
};

type RouteBase = {
  /** Readable and stable between runs: `spatial:binance:BTC/USDT>okx:BTC/USDT`. */
  readonly id: RouteId;
  readonly family: FamilyId;
  readonly legs: readonly RouteLeg[];
  /** The asset in which the edge is earned and the size is measured. */
  readonly start: Asset;
};

/** Conversion rates along the legs, starting and ending in `start`; edge = Π rate − 1 (spatial, cycles). */
export type ProductRoute = RouteBase & { readonly evaluator: 'product' };

/**
 * Payoffs that cancel; all legs open at once. Net per unit = Σ received − Σ paid − fees + what `terms` say of the time until the end; edge = net / notional.
 * docs/net-edge.md has the definition, shared/quant/carry.ts the part that does not depend on depth.
 */
export type SumRoute = RouteBase & { readonly evaluator: 'sum'; readonly terms: Terms };

/** A compiled arbitrage relation whose payoff cancels. */
export type Route = ProductRoute | SumRoute;

export type CompileOptions = {
  readonly maxLegs: number;
  /** Cycles may switch venue between legs where both venues are pre-funded. */
  readonly crossVenue: boolean;
  /** Compilation stops there and says so: every list is bounded. */
  readonly maxRoutes: number;
  /** Assets in which routes may start and profit may stay. */
  readonly startAssets: readonly Asset[];
  /** Assets that promise the same (USDT, USDC, USD): what the family `stablecoin` joins. Empty while that family is off. */
  readonly stableAssets: readonly Asset[];
  /** Quotes that stand for one another by explicit decision, each with the one it counts as. All others never meet in one route. */
  readonly equalAssets: ReadonlyMap<Asset, Asset>;
  /** Unix ms: what has expired, or expires within the least tenor, makes no route. */
  readonly nowMs: number;
  readonly minTenorMs: number;
};

/** A family turns the instrument list into routes and nothing else; evaluation, sizing and staleness are the engine's. */
export type RouteFamily = {
  readonly id: FamilyId;
  readonly compile: (instruments: readonly Instrument[], options: CompileOptions) => readonly Route[];
};
