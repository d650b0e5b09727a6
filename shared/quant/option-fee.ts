/** A venue's option fee: a fraction of the underlying, at most a fraction of the premium. Deribit: 0.0003 and 0.125. */
export type OptionFeeRule = {
  readonly ofUnderlying: number;
  readonly capOfPremium: number;
};

/**
 * The fee of one contract on one unit of underlying, in the premium's currency: min(rate × underlying, cap × premium). Where the premium is paid in
 * coin the underlying is 1. Never a fraction of the premium alone: an option far out would look expensive, one deep in cheap.
 * @see https://support.deribit.com/hc/en-us/articles/25944746248989-Fees (0.03 % of the underlying, capped at 12.5 % of the option's price).
 */
export function optionFee(rule: OptionFeeRule, underlying: number, premium: number): number {
  return Math.min(rule.ofUnderlying * underlying, rule.capOfPremium * premium);
}

/** What a venue takes when an option pays: a fraction of the underlying, at most a fraction of what the option is then worth. */
export type SettlementFeeRule = {
  readonly ofUnderlying: number;
  readonly capOfValue: number;
};

/**
 * The delivery or exercise fee of one contract on one unit of underlying, from both sides: min(rate × settlement price, cap × value at expiry).
 * Nothing for an option that ends worthless. Where it pays in coin the settlement price is 1 and the value in coin. Rules at the time of writing:
 * Deribit 0.00015 and 0.125 (none on its daily options), Bybit the same, Binance 0.00015 and 0.1, OKX 0.0002 and 0.07 (none on its daily options).
 * @see https://support.deribit.com/hc/en-us/articles/25944746248989-Fees (delivery)
 * @see https://help.bybit.com/hc/en-us/articles/5488484662041-Bybit-Option-Fees-Explained (delivery fee)
 * @see https://www.binance.com/en/support/faq/5326e5de61c34fed98abe28d2f175a23 (exercise fee)
 */
export function settlementFee(rule: SettlementFeeRule, settlementPrice: number, value: number): number {
  return Math.min(rule.ofUnderlying * settlementPrice, rule.capOfValue * value);
}
