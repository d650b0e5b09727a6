import { Decimal } from 'decimal.js';
import { ZERO } from './grid.ts';
import type { FillFacts } from './pnl.ts';
import { flowsOf } from './pnl.ts';

/** Net change of inventory through one instrument. `realised` is in quote, after fees. */
export type Position = { readonly size: Decimal; readonly entryPrice: Decimal; readonly realised: Decimal };

export const FLAT: Position = { size: ZERO, entryPrice: ZERO, realised: ZERO };

/** The position after a fill. A fee in base is inventory given away at the fill's price. */
export function positionAfter(position: Position, fill: FillFacts): Position {
  const traded = moved(position, flowsOf(fill).base, fill.price);
  if (fill.feeAsset !== fill.base) return { ...traded, realised: traded.realised.minus(fill.fee) };
  const paid = moved(traded, fill.fee.neg(), fill.price);
  return { ...paid, realised: paid.realised.minus(fill.fee.times(fill.price)) };
}

/** Average entry while it grows, realised profit while it shrinks, a new entry when it turns over. */
function moved({ size, entryPrice, realised }: Position, change: Decimal, price: Decimal): Position {
  const after = size.plus(change);
  if (size.isZero() || size.isNegative() === change.isNegative()) {
    if (size.isZero()) return { size: after, entryPrice: after.isZero() ? ZERO : price, realised };
    const cost = size.times(entryPrice).plus(change.times(price));
    return { size: after, entryPrice: cost.div(after).toSignificantDigits(20), realised };
  }
  const closed = Decimal.min(size.abs(), change.abs()).times(size.isNegative() ? -1 : 1);
  const turned = !after.isZero() && after.isNegative() !== size.isNegative();
  return {
    size: after,
    entryPrice: after.isZero() ? ZERO : turned ? price : entryPrice,
    realised: realised.plus(price.minus(entryPrice).times(closed)),
  };
}
