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
  /** A year. */
  readonly interestRate: number;
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

/** The premium is what eight hours cost. */
const EIGHT_HOURS_MS = 28_800_000;
const FUNDING_MAX = 0.0075;
const DAYS_A_YEAR = 365;
const YEAR_MS = DAYS_A_YEAR * 86_400_000;
/** Where no price says another. */
const VOLATILITY = 0.6;

/** Undefined while one side of the book is empty and no mark price was planted. */
export function referenceOf(exchange: Exchange, listing: Listing): Reference | undefined {
  const planted = exchange.planted(listing);
  const mark = planted.markPrice ?? exchange.mid(listing);
  if (mark === undefined) return undefined;
  const index = exchange.indexOf(listing) ?? mark;
  const premium = Math.max(-FUNDING_MAX, Math.min(FUNDING_MAX, mark / index - 1));
  return {
    mark,
    index,
    fundingRate: planted.fundingRate ?? Number(((premium * listing.fundingEveryMs) / EIGHT_HOURS_MS).toFixed(8)),
    fundingMs: planted.nextFundingMs ?? nextFundingMs(listing, exchange.nowMs()),
  };
}

/** The first funding after `nowMs`. */
export const nextFundingMs = ({ fundingEveryMs }: Listing, nowMs: number): number =>
  (Math.floor(nowMs / fundingEveryMs) + 1) * fundingEveryMs;

/** Undefined for what is no option, has expired, or has no book. */
export function optionReferenceOf(exchange: Exchange, listing: Listing): OptionReference | undefined {
  const { kind, strike, right, expiryMs, settle, base } = listing;
  const planted = exchange.planted(listing);
  const mark = planted.markPrice ?? exchange.mid(listing);
  const forward = forwardOf(exchange, listing);
  if (kind !== 'option' || strike === undefined || right === undefined || expiryMs === undefined) return undefined;
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
    interestRate: planted.interestRate ?? 0,
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

/** The same expiry's future, settled alike where there is one, else the index, else a perpetual. */
function forwardOf(exchange: Exchange, option: Listing): number | undefined {
  const { base, settle, expiryMs } = option;
  const futures = exchange.listings.filter(
    (each) => each.kind === 'future' && each.base === base && each.expiryMs === expiryMs,
  );
  const future = futures.find((each) => each.settle === settle) ?? futures[0];
  const perpetual = exchange.listings.find((each) => each.perpetual && each.base === base);
  const midOf = (listing: Listing | undefined): number | undefined =>
    listing === undefined ? undefined : exchange.mid(listing);
  return midOf(future) ?? exchange.indexOf(option) ?? midOf(perpetual);
}

const priceIn = ({ priceDecimals }: Listing, half: BookHalf): number | undefined => {
  const best = half.best();
  return best === undefined ? undefined : best.price / 10 ** priceDecimals;
};
