declare const brand: unique symbol;
/** A `T` that only its maker may mint: nothing else may be passed for it. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A place where one can trade: `binance`, `okx`, `kraken`. */
export type VenueId = Branded<string, 'VenueId'>;
/** `venue:symbol`, symbol in ccxt's unified form: `binance:BTC/USDT`, `okx:BTC/USDT:USDT`. */
export type InstrumentId = Branded<string, 'InstrumentId'>;
/** Position of an instrument in this run's registry; the hot path indexes typed arrays with it. */
export type InstrumentIndex = Branded<number, 'InstrumentIndex'>;
/** An asset code as ccxt spells it: `BTC`, `USDT`. USDT, USDC and USD are different assets. */
export type Asset = Branded<string, 'Asset'>;
export type RouteId = Branded<string, 'RouteId'>;
export type OpportunityId = Branded<string, 'OpportunityId'>;
export type OperationId = Branded<string, 'OperationId'>;
/** Ours, deterministic from (epoch, operation, leg, attempt); see execute/client-order-id.ts. */
export type ClientOrderId = Branded<string, 'ClientOrderId'>;
export type VenueOrderId = Branded<string, 'VenueOrderId'>;
export type TradeId = Branded<string, 'TradeId'>;

/**
 * Nanoseconds since the clock's origin, as a double: exact to the nanosecond for 104 days after the origin and allocation-free,
 * which a bigint is not. Only `Clock.unixNs` turns it into wall time.
 */
export type TimeNs = Branded<number, 'TimeNs'>;
/** Unix nanoseconds as decimal text: how times stand in events, where they must be exact and survive JSON. */
export type UnixNsText = Branded<string, 'UnixNsText'>;
