import { Decimal } from 'decimal.js';
import type { Fees, Instrument } from '../domain/instrument.ts';
import type { Side } from '../domain/route.ts';

/**
 * What a taker fee makes of a trade, as factors: a buy pays `price × paid` and receives `kept` a unit of base; a sell gives one unit and
 * receives `price × kept`.
 */
export type TakerFee = { readonly paid: Decimal; readonly kept: Decimal };

const ONE = new Decimal(1);

/** A fee in the received asset shrinks what a buy delivers; every other fee is money of the quote side. */
export function takerFeeOf({ fees }: Pick<Instrument, 'fees'>, side: Side): TakerFee {
  const { taker, currency } = reckonedFees(fees);
  const kept = ONE.minus(taker);
  if (side === 'sell' || currency === 'received') return { paid: ONE, kept };
  return { paid: ONE.plus(taker), kept: ONE };
}

/** Fees as they are reckoned: one that is paid in a token leaves what is received whole, and counts as money of the quote side. */
export function reckonedFees(fees: Fees): Fees {
  const { token, maker, taker } = fees;
  if (token === undefined) return fees;
  const charged = ONE.minus(token.discount);
  return { ...fees, maker: maker.times(charged), taker: taker.times(charged), currency: 'quote' };
}
