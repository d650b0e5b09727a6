import { Decimal } from 'decimal.js';
import type { Instrument } from '../domain/instrument.ts';
import type { Side } from '../domain/route.ts';

/**
 * What a taker fee makes of a trade, as factors: a buy pays `price × paid` and receives `kept` a unit of base; a sell gives one unit and
 * receives `price × kept`.
 */
export type TakerFee = { readonly paid: Decimal; readonly kept: Decimal };

const ONE = new Decimal(1);

/** A fee in the received asset shrinks what a buy delivers; every other fee is money of the quote side. */
export function takerFeeOf({ fees }: Instrument, side: Side): TakerFee {
  const kept = ONE.minus(fees.taker);
  if (side === 'sell' || fees.currency === 'received') return { paid: ONE, kept };
  return { paid: ONE.plus(fees.taker), kept: ONE };
}
