import { black76 } from '#shared/quant/black.ts';
import { impliedBlack76 } from '#shared/quant/implied-volatility.ts';
import type { Exchange } from './exchange.ts';
import type { Listing } from './listings.ts';
import type { BookHalf } from './matching-engine.ts';

/** What a venue says of a derivative beside its book, made from its own books. Prices in the listing's quote, rates and volatilities fractions. */
export type Reference = {
  readonly mark: number;
  /** Of the underlying, in dollars. */
  readonly index: number;
  /** Paid at `fundingMs`. */
  readonly fundingRate: number;
  readonly fundingMs: number;
};

export type OptionReference = {
  readonly forward: number;
  readonly bidVolatility: number;
  readonly askVolatility: number;
  readonly markVolatility: number;
  /** Of one unit of the underlying, in dollars; vega to a point of volatility, theta to a day. */
  readonly delta: number;
  readonly gamma: number;
  readonly vega: number;
  readonly theta: number;
  readonly rho: number;
};

export const FUNDING_INTERVAL_MS = 8 * 3_600_000;
const FUNDING_MAX = 0.0075;
const DAYS_A_YEAR = 365;
const YEAR_MS = DAYS_A_YEAR * 86_400_000;
const DOLLARS = ['USD', 'USDT', 'USDC', 'UST'];
/** Where no price says another. */
const VOLATILITY = 0.6;

/** Undefined while one side of the book is empty. */
export function referenceOf(exchange: Exchange, listing: Listing): Reference | undefined {
  const mark = midOf(exchange, listing);
  if (mark === undefined) return undefined;
  const index = indexOf(exchange, listing) ?? mark;
  const fundingMs = (Math.floor(exchange.nowMs() / FUNDING_INTERVAL_MS) + 1) * FUNDING_INTERVAL_MS;
  const premium = Math.max(-FUNDING_MAX, Math.min(FUNDING_MAX, mark / index - 1));
  return { mark, index, fundingRate: Number(premium.toFixed(8)), fundingMs };
}

/** Undefined for what is no option, has expired, or has no book. */
export function optionReferenceOf(exchange: Exchange, listing: Listing): OptionReference | undefined {
  const { strike, right, expiryMs, settle, base } = listing;
  const mark = midOf(exchange, listing);
  const forward = forwardOf(exchange, listing);
  if (strike === undefined || right === undefined || expiryMs === undefined) return undefined;
  if (mark === undefined || forward === undefined || expiryMs <= exchange.nowMs()) return undefined;
  const option = {
    right,
    underlying: forward,
    strike: strike.toNumber(),
    years: (expiryMs - exchange.nowMs()) / YEAR_MS,
    rate: 0,
  };
  const unit = settle === base ? forward : 1;
  const volatilityOf = (price: number | undefined): number => {
    const implied = impliedBlack76({ ...option, price: (price ?? 0) * unit });
    return implied.kind === 'volatility' ? implied.volatility : NaN;
  };
  const { bids, asks } = exchange.engine(listing);
  const markVolatility = volatilityOf(mark);
  const { delta, gamma, vega, theta, rho } = black76({
    ...option,
    volatility: Number.isNaN(markVolatility) ? VOLATILITY : markVolatility,
  });
  return {
    forward,
    bidVolatility: volatilityOf(priceIn(listing, bids)),
    askVolatility: volatilityOf(priceIn(listing, asks)),
    markVolatility: Number.isNaN(markVolatility) ? VOLATILITY : markVolatility,
    delta,
    gamma,
    vega: vega / 100,
    theta: theta / DAYS_A_YEAR,
    rho: rho / 100,
  };
}

/** The spot price in dollars that the venue itself makes; undefined where it does not list that. */
export function indexOf(exchange: Exchange, { base, quote }: Listing): number | undefined {
  const spot = exchange.listings.filter((each) => each.kind === 'spot' && each.base === base);
  const pair = spot.find((each) => each.quote === quote) ?? spot.find((each) => DOLLARS.includes(each.quote));
  return pair === undefined ? undefined : midOf(exchange, pair);
}

/** The same expiry's future, else the index, else a perpetual. */
function forwardOf(exchange: Exchange, { base, expiryMs }: Listing): number | undefined {
  const of = (kind: Listing['kind'], wanted: (listing: Listing) => boolean): number | undefined => {
    const found = exchange.listings.find((each) => each.kind === kind && each.base === base && wanted(each));
    return found === undefined ? undefined : midOf(exchange, found);
  };
  return (
    of('future', (each) => each.expiryMs === expiryMs) ??
    of('spot', ({ quote }) => DOLLARS.includes(quote)) ??
    of('perpetual', () => true)
  );
}

function midOf(exchange: Exchange, listing: Listing): number | undefined {
  const { bids, asks } = exchange.engine(listing);
  const [bid, ask] = [priceIn(listing, bids), priceIn(listing, asks)];
  return bid === undefined || ask === undefined
    ? undefined
    : Number(((bid + ask) / 2).toFixed(listing.priceDecimals + 1));
}

const priceIn = ({ priceDecimals }: Listing, half: BookHalf): number | undefined => {
  const best = half.best();
  return best === undefined ? undefined : best.price / 10 ** priceDecimals;
};
