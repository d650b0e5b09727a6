import type { Settlement, StrikeQuote } from './forward.ts';

/** What locking parity in leaves at expiry's value today, per unit of underlying and before fees, in the premium's currency. Positive: a profit. */
export type ParityEdges = {
  /** Sell the call, buy the put, buy the forward. */
  readonly conversion: number;
  /** Buy the call, sell the put, sell the forward. */
  readonly reversal: number;
};

/**
 * Checks C − P = D·(F − K), inverse C − P = D·(1 − K/F), at prices that can be traded, for a forward with a bid and an ask. Both edges are at most
 * zero where parity holds within the spreads.
 * @see H. Stoll, "The relationship between put and call option prices", J. Finance 24 (1969) 801–824; Hull, ch. 18.
 */
export function parityEdges(
  { strike, callBid, callAsk, putBid, putAsk }: StrikeQuote,
  {
    bid,
    ask,
    discount,
    settlement,
  }: { readonly bid: number; readonly ask: number; readonly discount: number; readonly settlement: Settlement },
): ParityEdges {
  const worthAt = (forward: number): number =>
    discount * (settlement === 'linear' ? forward - strike : 1 - strike / forward);
  return {
    conversion: callBid - putAsk - worthAt(ask),
    reversal: worthAt(bid) - (callAsk - putBid),
  };
}
