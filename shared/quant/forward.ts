import { assert } from '../assert.ts';
import { rateBetween, yearsBetween } from './discount.ts';

/** What the underlying costs now and at the expiries that have a future: earliest first, prices positive. */
export type FuturesCurve = {
  readonly spot: number;
  readonly nowMs: number;
  readonly futures: readonly { readonly expiryMs: number; readonly price: number }[];
};

export type CurveForward =
  | { readonly kind: 'forward'; readonly forward: number }
  | { readonly kind: 'none'; readonly reason: 'expired' | 'beyond-last-future' };

/**
 * The forward of an expiry: the future's own price where there is one, otherwise a constant carry rate between its neighbours (ln F linear in time),
 * spot being the forward of now. Nothing is guessed beyond the last future.
 * @see Hull, ch. 5 (F = S·e^(cT)).
 */
export function forwardFromFutures({ spot, nowMs, futures }: FuturesCurve, expiryMs: number): CurveForward {
  if (expiryMs <= nowMs) return { kind: 'none', reason: 'expired' };
  let fromMs = nowMs;
  let from = spot;
  for (const { expiryMs: toMs, price } of futures) {
    if (toMs <= nowMs) continue;
    assert(toMs > fromMs, 'futures come earliest first');
    if (toMs === expiryMs) return { kind: 'forward', forward: price };
    if (toMs > expiryMs) {
      const carry = rateBetween(from, price, yearsBetween(fromMs, toMs));
      return { kind: 'forward', forward: from * Math.exp(carry * yearsBetween(fromMs, expiryMs)) };
    }
    fromMs = toMs;
    from = price;
  }
  return { kind: 'none', reason: 'beyond-last-future' };
}

/** The two options of a strike as they can be traded, in the currency of the premium. */
export type StrikeQuote = {
  readonly strike: number;
  readonly callBid: number;
  readonly callAsk: number;
  readonly putBid: number;
  readonly putAsk: number;
};

/** In what premium and payoff are paid: the currency of the strike, or the underlying itself (coin-settled). */
export type Settlement = 'linear' | 'inverse';

export type ParityForward =
  | {
      readonly kind: 'forward';
      readonly forward: number;
      /** No strike that agrees can be traded to a forward outside of these. */
      readonly low: number;
      readonly high: number;
      readonly agreeing: number;
      /** Strikes with a usable quote that say otherwise: stale, or an opportunity. */
      readonly dissenting: number;
    }
  | { readonly kind: 'none'; readonly reason: 'too-few-strikes' | 'no-majority' };

/**
 * The forward on which put-call parity of most strikes agrees. At each strike, selling the call and buying the put (and the reverse) bounds it:
 * linear F = K + (C − P)/D, inverse F = K/(1 − (C − P)/D), D the discount factor of the premium's currency. The widest agreement of these
 * intervals is taken, so neither wide quotes nor a minority of stale ones, however tight, move it. Bid and ask, never mids.
 * @see Hull, ch. 18 (parity on a forward); K. Marzullo's interval vote as in RFC 5905 § 11.2.1.
 */
export function forwardFromParity(
  quotes: readonly StrikeQuote[],
  {
    discount,
    settlement,
    minStrikes,
  }: { readonly discount: number; readonly settlement: Settlement; readonly minStrikes: number },
): ParityForward {
  const bounds = quotes.flatMap((quote) => boundsOf(quote, discount, settlement));
  if (bounds.length < Math.max(1, minStrikes)) return { kind: 'none', reason: 'too-few-strikes' };

  const edges = bounds.flatMap(({ low, high }) => [
    { at: low, opens: 1 },
    { at: high, opens: -1 },
  ]);
  edges.sort((a, b) => a.at - b.at || b.opens - a.opens);
  let open = 0;
  let agreeing = 0;
  let low = 0;
  let high = 0;
  for (const [place, { at, opens }] of edges.entries()) {
    open += opens;
    if (open <= agreeing) continue;
    agreeing = open;
    low = at;
    high = edges[place + 1]!.at;
  }
  if (agreeing * 2 <= bounds.length) return { kind: 'none', reason: 'no-majority' };
  return { kind: 'forward', forward: 0.5 * (low + high), low, high, agreeing, dissenting: bounds.length - agreeing };
}

type Bounds = { readonly low: number; readonly high: number };

/** None for a strike that cannot be traded both ways, or whose quotes are crossed. */
function boundsOf(
  { strike, callBid, callAsk, putBid, putAsk }: StrikeQuote,
  discount: number,
  settlement: Settlement,
): Bounds[] {
  const isQuoted = strike > 0 && callBid > 0 && putBid > 0 && callAsk >= callBid && putAsk >= putBid;
  if (!isQuoted) return [];
  const least = (callBid - putAsk) / discount;
  const most = (callAsk - putBid) / discount;
  const low = settlement === 'linear' ? strike + least : strike / (1 - least);
  const high = settlement === 'linear' ? strike + most : most < 1 ? strike / (1 - most) : Infinity;
  return Number.isFinite(low) && Number.isFinite(high) && low > 0 ? [{ low, high }] : [];
}
