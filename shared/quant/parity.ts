import { assert } from '../assert.ts';
import type { Settlement, StrikeQuote } from './forward.ts';

/** What locking parity in leaves at expiry's value today, per unit of underlying and before fees, in the premium's currency. Positive: a profit. */
export type ParityEdges = {
  /** Sell the call, buy the put, buy the forward. */
  readonly conversion: number;
  /** Buy the call, sell the put, sell the forward. */
  readonly reversal: number;
};

/** The forward as it can be traded, and the discount factor of the premium's currency. */
export type ForwardQuote = {
  readonly bid: number;
  readonly ask: number;
  readonly discount: number;
  readonly settlement: Settlement;
};

/** {@link StrikeQuote} by columns. */
export type StrikeColumns = { readonly [side in keyof StrikeQuote]: Float64Array };

/** {@link ParityEdges} by columns, as long as the strikes' or longer. */
export type ParityColumns = { readonly [way in keyof ParityEdges]: Float64Array };

/**
 * Checks C − P = D·(F − K), inverse C − P = D·(1 − K/F), at prices that can be traded, for a forward with a bid and an ask. Both edges are at most
 * zero where parity holds within the spreads.
 * @see H. Stoll, "The relationship between put and call option prices", J. Finance 24 (1969) 801–824; Hull, ch. 18.
 */
export function parityEdges(
  { strike, callBid, callAsk, putBid, putAsk }: StrikeQuote,
  { bid, ask, discount, settlement }: ForwardQuote,
): ParityEdges {
  const worthAt = (forward: number): number =>
    discount * (settlement === 'linear' ? forward - strike : 1 - strike / forward);
  return {
    conversion: callBid - putAsk - worthAt(ask),
    reversal: worthAt(bid) - (callAsk - putBid),
  };
}

/** {@link parityEdges} of every strike, without allocation: what a change of the forward calls for. */
export function parityEdgesInto(quotes: StrikeColumns, forward: ForwardQuote, out: ParityColumns): void {
  const count = quotes.strike.length;
  assert(out.conversion.length >= count && out.reversal.length >= count, 'there is a row of results for each strike');
  const { strike, callBid, callAsk, putBid, putAsk } = quotes;
  const { conversion, reversal } = out;
  const { bid, ask, discount } = forward;
  if (forward.settlement === 'linear') {
    for (let at = 0; at < count; at += 1) {
      conversion[at] = callBid[at]! - putAsk[at]! - discount * (ask - strike[at]!);
      reversal[at] = discount * (bid - strike[at]!) - (callAsk[at]! - putBid[at]!);
    }
    return;
  }
  for (let at = 0; at < count; at += 1) {
    conversion[at] = callBid[at]! - putAsk[at]! - discount * (1 - strike[at]! / ask);
    reversal[at] = discount * (1 - strike[at]! / bid) - (callAsk[at]! - putBid[at]!);
  }
}
