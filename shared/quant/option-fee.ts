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
