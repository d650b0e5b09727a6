import type { Instrument } from '../domain/instrument.ts';
import type { RouteLeg, Unit } from '../domain/route.ts';
import { reckonedFees } from './taker-fee.ts';

/** What a taker pays on a leg, as doubles. */
export type LegFee = {
  /** A fraction of the value; of the underlying for options. */
  readonly taker: number;
  /** An option's fee is at most this share of the premium; Infinity elsewhere. */
  readonly premiumShareMax: number;
  readonly kind: 'spot-received' | 'spot-quote' | 'derivative' | 'option';
};

export function legFeeOf({ kind, fees }: Pick<Instrument, 'kind' | 'fees'>): LegFee {
  const { taker, currency } = reckonedFees(fees);
  const of = (legKind: LegFee['kind']): LegFee => ({
    taker: taker.toNumber(),
    premiumShareMax: fees.premiumShareMax?.toNumber() ?? Infinity,
    kind: legKind,
  });
  if (kind === 'option') return of('option');
  if (kind !== 'spot') return of('derivative');
  return of(currency === 'received' ? 'spot-received' : 'spot-quote');
}

/** What one unit is worth in the route's start asset at a price: the price itself, or 1/price for a leg that is counted in quote. */
export const unitValue = (unit: Unit | undefined, price: number): number => (unit === 'quote' ? 1 / price : price);

/**
 * The cash of one unit of a leg at a price, after the taker fee, in the route's start asset: positive is received. `underlying` is what an option's fee is a
 * fraction of, in the premium's currency (1 where the premium is paid in coin); ignored elsewhere.
 *
 * | counted in | buy | sell |
 * | base: spot, fee from the received coin | −p/(1 − f) | p(1 − f) |
 * | base: spot, fee in quote; futures | −p(1 + f) | p(1 − f) |
 * | base: option | −p − min(f·X, s·p) | p − min(f·X, s·p) |
 * | quote: spot, fee from the received coin | (1 − f)/p | −1/(p(1 − f)) |
 * | quote: spot, fee in quote | 1/(p(1 + f)) | −1/(p(1 − f)) |
 * | quote: inverse future | (1 − f)/p | −(1 + f)/p |
 */
export function cashPerUnit(
  { side, unit }: Pick<RouteLeg, 'side' | 'unit'>,
  fee: LegFee,
  price: number,
  underlying: number,
): number {
  const { taker, kind } = fee;
  const buys = side === 'buy';
  if (kind === 'option') {
    const charged = Math.min(taker * underlying, fee.premiumShareMax * price);
    return buys ? -price - charged : price - charged;
  }
  if (unit !== 'quote') {
    if (!buys) return price * (1 - taker);
    return kind === 'spot-received' ? -price / (1 - taker) : -price * (1 + taker);
  }
  if (kind === 'derivative') return buys ? (1 - taker) / price : -(1 + taker) / price;
  if (!buys) return -1 / (price * (1 - taker));
  return kind === 'spot-received' ? (1 - taker) / price : 1 / (price * (1 + taker));
}

/** Units of a leg in one unit of the venue's quantity at a price: contracts of an inverse future are quote, everything else is base. */
export function unitsPerQty(
  { contractSize, inverse }: Pick<Instrument, 'contractSize' | 'inverse'>,
  unit: Unit | undefined,
  price: number,
): number {
  const size = contractSize.toNumber();
  if (inverse) return unit === 'quote' ? size : size / price;
  return unit === 'quote' ? size * price : size;
}
