/** A bet: with `chance` it gains, else it loses; both are fractions of what is put in and above zero. */
export type Bet = { readonly chance: number; readonly gain: number; readonly loss: number };

/**
 * The share of the capital that makes it grow fastest in the long run: the f that maximises p·ln(1 + f·gain) + q·ln(1 − f·loss), f* = p/loss − q/gain;
 * 0 where the bet does not pay, Infinity where it cannot lose.
 * @see J. L. Kelly, "A new interpretation of information rate", Bell System Technical Journal 35 (1956) 917–926
 */
export function kellyFraction({ chance, gain, loss }: Bet): number {
  if (gain <= 0) return 0;
  if (loss <= 0) return chance > 0 ? Infinity : 0;
  return Math.max(0, chance / loss - (1 - chance) / gain);
}

/**
 * The most to put into a bet: a fraction of Kelly's share of the capital, which halves the growth less than it tames the swings, and never more than
 * `cap`.
 * @see E. O. Thorp, "The Kelly criterion in blackjack, sports betting and the stock market", Handbook of Asset and Liability Management 1 (2006) 385–428
 */
export function kellyNotional(
  bet: Bet,
  capital: number,
  { fraction, cap }: { readonly fraction: number; readonly cap: number },
): number {
  const share = kellyFraction(bet);
  if (share === 0 || capital <= 0) return 0;
  return Math.min(cap, fraction * share * capital);
}
