import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Price } from '#shared/money/grid.ts';
import { ZERO } from '#shared/money/grid.ts';

export type Level = { readonly price: Decimal; readonly qty: Decimal };

/** What taking from the best level on gives: quantity, its value in quote before fees, the worst price met, and whether it was all. */
export type Walk = {
  readonly qty: Decimal;
  readonly value: Decimal;
  readonly worst: Decimal;
  readonly isWhole: boolean;
};

/** Takes a base quantity, or as much of it as there is. There must be a level. */
export function walkBase(levels: readonly Level[], wanted: Decimal): Walk {
  let qty: Decimal = ZERO;
  let value: Decimal = ZERO;
  for (const level of levels) {
    const taken = Decimal.min(wanted.minus(qty), level.qty);
    qty = qty.plus(taken);
    value = value.plus(taken.times(level.price));
    if (qty.eq(wanted)) return { qty, value, worst: level.price, isWhole: true };
  }
  return { qty, value, worst: worstOf(levels), isWhole: false };
}

/** Takes until a value in quote is reached, or as much of it as there is. There must be a level. */
export function walkQuote(levels: readonly Level[], wanted: Decimal): Walk {
  let qty: Decimal = ZERO;
  let value: Decimal = ZERO;
  for (const { price, qty: offered } of levels) {
    const left = wanted.minus(value);
    const worth = price.times(offered);
    if (worth.gte(left)) return { qty: qty.plus(left.div(price)), value: wanted, worst: price, isWhole: true };
    qty = qty.plus(offered);
    value = value.plus(worth);
  }
  return { qty, value, worst: worstOf(levels), isWhole: false };
}

function worstOf(levels: readonly Level[]): Decimal {
  const last = levels.at(-1);
  assert(last !== undefined, 'an empty book is walked');
  return last.price;
}

/** A limit that bears a little more than the walk met, on the grid and never at or below zero. */
export function limitBeyond(worst: Decimal, slack: Decimal, side: Side, tick: Decimal): Price {
  const limit = side === 'buy' ? worst.times(slack.plus(1)) : worst.times(new Decimal(1).minus(slack));
  const rounding = side === 'buy' ? Decimal.ROUND_CEIL : Decimal.ROUND_FLOOR;
  return Decimal.max(tick, limit.div(tick).toDecimalPlaces(0, rounding).times(tick)) as Price;
}
