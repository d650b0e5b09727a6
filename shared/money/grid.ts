import { Decimal } from 'decimal.js';
import { BadInput } from '../assert.ts';
import type { Branded } from '../domain/ids.ts';
import type { Instrument } from '../domain/instrument.ts';
import type { Side } from '../domain/route.ts';
import { doubleOf } from './double.ts';
import { compare, times, wholeOf } from './exact.ts';

// 40 digits: a product of an 18-digit price and an 18-digit quantity is exact; division is never used where exactness is owed.
Decimal.set({ precision: 40, toExpNeg: -40, toExpPos: 40 });

/** A price on an instrument's tick grid. */
export type Price = Branded<Decimal, 'Price'>;
/** A quantity on an instrument's lot grid, in the venue's unit. */
export type Qty = Branded<Decimal, 'Qty'>;
/** A sum of money in a named asset; the name stands beside it. */
export type Amount = Branded<Decimal, 'Amount'>;

export const ZERO = new Decimal(0) as Amount;
export const amountOf = (value: Decimal.Value): Amount => new Decimal(value) as Amount;

/** An amount of more digits on either side of the point than this is none of anything; written out it could fill the memory. */
const DIGITS_MAX = 100;

/** Reads decimal text exactly. @throws BadInput on anything that is not a finite decimal of a size that occurs. */
export function decimalFrom(text: string): Decimal {
  const isDecimal = text.length <= 2 * DIGITS_MAX && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
  const value = isDecimal ? new Decimal(text) : undefined;
  if (value === undefined || !value.isFinite() || Math.abs(value.e) > DIGITS_MAX) {
    throw new BadInput(`not a decimal: "${text.slice(0, 40)}"`);
  }
  return value;
}

/** The tick on which a price lies: some venues' ticks grow with the price. */
export const tickAt = (
  { tick, tickSteps = [] }: Pick<Instrument, 'tick' | 'tickSteps'>,
  price: Decimal.Value,
): Decimal => tickSteps.findLast(({ above }) => above.lt(price))?.tick ?? tick;

/** Puts a detected price on the grid so that we never pay more or take less than was decided. */
export const limitPrice = (found: Decimal.Value, tick: Decimal, side: Side): Price =>
  onGrid(found, tick, side === 'buy' ? Decimal.ROUND_FLOOR : Decimal.ROUND_CEIL) as Price;

/** Puts a quantity on the lot grid, never above what was asked. */
export const lotQty = (wanted: Decimal.Value, lot: Decimal): Qty => onGrid(wanted, lot, Decimal.ROUND_FLOOR) as Qty;

/** How many lots a quantity on their grid has. */
export function lotsIn(qty: Qty, lot: Decimal): number {
  const lots = doubleOf(qty) / doubleOf(lot);
  return lots < STEPS_MAX ? Math.round(lots) : qty.div(lot).toNumber();
}

/** Doubles count so many steps to within a small part of one, and are this share of their number off at most. */
const STEPS_MAX = 1e12;
const STEPS_ERROR = 1e-14;

/** In whole steps. Doubles tell how many, but where their error reaches over a whole one: there decimals do. */
function onGrid(found: Decimal.Value, step: Decimal, rounding: Decimal.Rounding): Decimal {
  const steps = (found instanceof Decimal ? doubleOf(found) : Number(found)) / doubleOf(step);
  if (!(steps >= 1 && steps < STEPS_MAX)) return new Decimal(found).div(step).toDecimalPlaces(0, rounding).times(step);
  const nearest = Math.round(steps);
  const isSure = Math.abs(steps - nearest) > steps * STEPS_ERROR;
  const beyond = isSure ? steps - nearest : compare(new Decimal(found), times(step, wholeOf(nearest)));
  if (rounding === Decimal.ROUND_CEIL) return times(step, wholeOf(beyond > 0 ? nearest + 1 : nearest));
  return times(step, wholeOf(beyond < 0 ? nearest - 1 : nearest));
}

/** Canonical text: no exponent, no trailing zeros. */
export const textOf = (value: Decimal): string => value.toFixed();

/** The shortest text that reads back as this double, without an exponent. A decimal only where there would be one: thousands a second pass here. */
export function plainText(found: number): string {
  const text = String(found);
  return text.includes('e') ? textOf(new Decimal(text)) : text;
}
