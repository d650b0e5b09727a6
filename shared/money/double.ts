import type { Decimal } from 'decimal.js';

/** decimal.js keeps seven digits a word. */
const WORD_DIGITS = 7;
/** More words than a double has digits for change nothing. */
const WORDS_MAX = 4;
/** 1e7 to the power of its place; a double goes no further. */
const POWERS = Float64Array.from({ length: 45 }, (_none, at) => Number(`1e${at * WORD_DIGITS}`));

/**
 * A decimal as a double, within two last places of the nearest one, without the text that `toNumber` makes of it: for limits and figures on the path of an
 * order, never for what is booked. NaN and the infinities stay what they are; beyond 1e-308 and 1e308 as `toNumber` has it.
 */
export function doubleOf(value: Decimal): number {
  const {
    d: words,
    e: exponent,
    s: sign,
  } = value as { readonly d: readonly number[] | null; readonly e: number; readonly s: number };
  if (words === null) return value.toNumber();
  const used = words.length < WORDS_MAX ? words.length : WORDS_MAX;
  let mantissa = 0;
  for (let at = 0; at < used; at += 1) mantissa = mantissa * 1e7 + words[at]!;
  const power = Math.floor(exponent / WORD_DIGITS) - used + 1;
  if (power > 40 || power < -40) return value.toNumber();
  return sign * (power < 0 ? mantissa / POWERS[-power]! : mantissa * POWERS[power]!);
}
