import type { Decimal } from 'decimal.js';
import type { Asset } from '../domain/ids.ts';
import type { Instrument } from '../domain/instrument.ts';
import type { Side } from '../domain/route.ts';
import { times } from './exact.ts';
import { marginAssetOf, optionFee } from './margin.ts';
import { contractOf, contractValue } from './pnl.ts';

/** A trade, the rate its liquidity is charged, and what an option's fee is a fraction of, in the currency of its premium. */
export type Charged = {
  readonly side: Side;
  readonly price: Decimal;
  readonly qty: Decimal;
  readonly rate: Decimal;
  readonly underlying: Decimal;
};

/** What a venue takes for a trade, and in which asset: spot of what is received or in quote, contracts where they settle. */
export function feeOfTrade(
  instrument: Instrument,
  { side, price, qty, rate, underlying }: Charged,
): { readonly fee: Decimal; readonly feeAsset: Asset } {
  const { kind, base, quote, contractSize, fees } = instrument;
  const contract = contractOf(instrument);
  if (contract === undefined) {
    const inBase = fees.currency === 'received' && side === 'buy';
    return { fee: times(inBase ? qty : times(qty, price), rate), feeAsset: inBase ? base : quote };
  }
  const feeAsset = marginAssetOf(instrument);
  if (kind === 'option')
    return { fee: qty.times(contractSize).times(optionFee(instrument, rate, price, underlying)), feeAsset };
  return { fee: contractValue(contract, qty, price).abs().times(rate), feeAsset };
}
