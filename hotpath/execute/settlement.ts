import { Decimal } from 'decimal.js';
import type { SettledTerms } from '#shared/domain/held.ts';
import type { Asset } from '#shared/domain/ids.ts';
import type { Side } from '#shared/domain/route.ts';
import { ZERO } from '#shared/money/grid.ts';
import { contractOf, contractValue, hasPremium } from '#shared/money/pnl.ts';

/** How a venue closes an expired position: the trade that it comes to. */
export type Settlement = {
  readonly side: Side;
  /** A future's settlement price; what one coin of an option pays, in the currency of its premium. */
  readonly price: Decimal;
  readonly qty: Decimal;
  readonly fee: Decimal;
  readonly feeAsset: Asset;
  readonly underlyingPrice: Decimal;
};

const ONE = new Decimal(1);
const PAYOFF_DECIMALS = 30;

/**
 * Futures settle at the price of the underlying, for a share of the value. Options pay what they are worth exercised, in dollars |S − K| or in coin
 * |1 − K/S|, for a share of the underlying that is no more than a share of what they pay; those that pay nothing cost nothing.
 *
 * @see https://support.deribit.com/hc/en-us/articles/25944746248989-Fees (delivery)
 */
export function settlementOf(terms: SettledTerms, size: Decimal, underlyingPrice: Decimal): Settlement {
  const { kind, base, quote, settle, contractSize, fees } = terms;
  const closing = { side: size.isNegative() ? 'buy' : 'sell', qty: size.abs(), underlyingPrice } as const;
  const rate = fees.delivery ?? ZERO;
  if (!hasPremium(kind)) {
    const value = contractValue(contractOf(terms)!, closing.qty, underlyingPrice);
    return { ...closing, price: underlyingPrice, fee: value.times(rate), feeAsset: settle };
  }
  const price = payoffOf(terms, underlyingPrice);
  const charged = rate.times(base === quote ? ONE : underlyingPrice);
  const capped = Decimal.min(charged, (fees.premiumShareMax ?? ONE).times(price));
  return { ...closing, price, fee: capped.times(closing.qty).times(contractSize), feeAsset: quote };
}

/** What one coin of an option pays; nothing where it has no strike. */
function payoffOf({ base, quote, strike, right }: SettledTerms, underlyingPrice: Decimal): Decimal {
  if (strike === undefined) return ZERO;
  const gain = right === 'call' ? underlyingPrice.minus(strike) : strike.minus(underlyingPrice);
  if (!gain.gt(0)) return ZERO;
  return base === quote ? gain.div(underlyingPrice).toDecimalPlaces(PAYOFF_DECIMALS) : gain;
}
