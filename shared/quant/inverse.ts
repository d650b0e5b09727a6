import { black76 } from './black.ts';
import type { ForwardOption, Right } from './option.ts';

/**
 * What a coin-settled option pays at expiry, in coin for one coin of underlying: call max(0, 1 − K/S), put max(0, K/S − 1). A call never pays more
 * than the coin; a put has no bound as S falls.
 * @see https://support.deribit.com/hc/en-us/articles/31424939096093-Inverse-Options
 */
export function inversePayoff(right: Right, strike: number, settlementPrice: number): number {
  const call = (settlementPrice - strike) / settlementPrice;
  return Math.max(0, right === 'call' ? call : -call);
}

/**
 * The premium of a coin-settled option in coin: Black's price at the forward, over the forward, discounted at the coin's own rate (`rate`). The coin
 * is the numeraire: e^(−r_coin·T)·[Φ(d₁) − (K/F)·Φ(d₂)] for the call.
 * @see M. Garman & S. Kohlhagen, "Foreign currency option values", J. Int. Money and Finance 2 (1983) 231–237: the same claim in the other currency.
 */
export function inversePrice(option: ForwardOption): number {
  return black76(option).price / option.underlying;
}
