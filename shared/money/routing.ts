import { Decimal } from 'decimal.js';
import type { Instrument } from '../domain/instrument.ts';
import type { OrderRequest } from '../domain/order.ts';
import type { Side } from '../domain/route.ts';
import type { Qty } from './grid.ts';
import { limitPrice, lotQty, tickAt, ZERO } from './grid.ts';
import { quoteValueOf } from './pnl.ts';

/** A venue where an order could go. */
export type Place = {
  readonly instrument: Instrument;
  /** What it would meet, best first; empty when the book is not live. */
  readonly levels: readonly { readonly price: Decimal; readonly qty: Decimal }[];
  /** The most that the account bears. */
  readonly most: Decimal;
};

/** One venue's share of an order. */
export type Part = Pick<OrderRequest, 'qty' | 'price'> & { readonly instrument: Instrument };

type Offer = { readonly at: number; readonly qty: Decimal; readonly net: Decimal };

/**
 * Splits an order that takes at once over the venues that list its instrument: what is best after fees first, level by level, within the limit, the accounts and
 * the books. Each part is on its venue's grid; one below the smallest order of its venue is left out. What is left of the quantity has nowhere to go.
 */
export function splitOver(
  places: readonly Place[],
  { side, qty, price }: { readonly side: Side; readonly qty: Decimal; readonly price: Decimal },
): readonly Part[] {
  const taken = places.map((): Decimal => ZERO);
  let left = qty;
  for (const offer of offersOf(places, side, price)) {
    const room = places[offer.at]!.most.minus(taken[offer.at]!);
    const part = Decimal.max(ZERO, Decimal.min(left, offer.qty, room));
    taken[offer.at] = taken[offer.at]!.plus(part);
    left = left.minus(part);
    if (left.isZero()) break;
  }
  return places.flatMap(({ instrument }, at) => {
    const limit = limitPrice(price, tickAt(instrument, price), side);
    const whole: Qty = lotQty(taken[at]!, instrument.lot);
    const isEnough = whole.gt(0) && whole.gte(instrument.minQty);
    if (!isEnough || quoteValueOf(instrument, whole, limit).lt(instrument.minNotional)) return [];
    return { instrument, qty: whole, price: limit };
  });
}

/** Every level within the limit, the best after fees first. */
function offersOf(places: readonly Place[], side: Side, limit: Decimal): readonly Offer[] {
  const isBuy = side === 'buy';
  const offers = places.flatMap(({ instrument, levels }, at) => {
    const fee = isBuy ? instrument.fees.taker.plus(1) : new Decimal(1).minus(instrument.fees.taker);
    return levels
      .filter(({ price }) => (isBuy ? price.lte(limit) : price.gte(limit)))
      .map(({ price, qty }): Offer => ({ at, qty, net: price.times(fee) }));
  });
  return offers.sort((a, b) => (isBuy ? a.net.cmp(b.net) : b.net.cmp(a.net)) || a.at - b.at);
}
