import { Decimal } from 'decimal.js';
import { decimalFrom } from '#shared/money/grid.ts';

/** `value` × 10^-`decimals` with all its decimals: (1500, 2) → `15.00`. `value` is a non-negative integer. */
export function fixedText(value: number, decimals: number): string {
  if (decimals === 0) return String(value);
  const digits = String(value).padStart(decimals + 1, '0');
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** The same without trailing zeros: (1500, 2) → `15`. */
export function trimmedText(value: number, decimals: number): string {
  const text = fixedText(value, decimals);
  if (decimals === 0) return text;
  let end = text.length;
  while (text.charCodeAt(end - 1) === ZERO_CODE) end -= 1;
  return text.slice(0, text.charCodeAt(end - 1) === POINT_CODE ? end - 1 : end);
}

/** Decimal text as an integer of 10^-`decimals`; undefined when it is off that grid. @throws BadInput when it is no decimal. */
export function integerFrom(text: string, decimals: number): number | undefined {
  const value = decimalFrom(text).times(Decimal.pow(10, decimals));
  return value.isInteger() && value.abs().lte(Number.MAX_SAFE_INTEGER) ? value.toNumber() : undefined;
}

/** `value` × 10^-`decimals`, exactly. */
export const scaled = (value: number, decimals: number): Decimal =>
  new Decimal(value).times(Decimal.pow(10, -decimals));

const ZERO_CODE = 48;
const POINT_CODE = 46;
