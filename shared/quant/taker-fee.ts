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
  const { taker, inReceived } = reckonedFeeOf(fees);
  const kept = ONE.minus(taker);
  if (side === 'sell' || inReceived) return { paid: ONE, kept };
  return { paid: ONE.plus(taker), kept: ONE };
}

/** The taker's fee as it is reckoned: one that is paid in a token leaves what is received whole, and counts as money of the quote side. */
export const reckonedFeeOf = ({
  taker,
  currency,
  token,
}: Fees): { readonly taker: Decimal; readonly inReceived: boolean } =>
  token === undefined
    ? { taker, inReceived: currency === 'received' }
    : { taker: taker.times(ONE.minus(token.discount)), inReceived: false };
