import { Decimal } from 'decimal.js';
import type { Instrument } from '../domain/instrument.ts';
import type { Side } from '../domain/route.ts';

/**
 * Where a taker fee bites, as fractions: a buy pays `price × (1 + onQuote)` and receives `1 − onBase` a unit of base; a sell gives one unit
 * and receives `price × (1 − onQuote)`.
 */
export type TakerFee = { readonly onBase: Decimal; readonly onQuote: Decimal };

const NONE = new Decimal(0);

/** A fee in the received asset shrinks what a buy delivers; every other fee is money of the quote side. */
export function takerFeeOf({ fees }: Instrument, side: Side): TakerFee {
  return side === 'buy' && fees.currency === 'received'
    ? { onBase: fees.taker, onQuote: NONE }
    : { onBase: NONE, onQuote: fees.taker };
}
