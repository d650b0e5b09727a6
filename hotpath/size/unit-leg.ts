import type { References, Tops } from '#shared/domain/capital.ts';
import type { Asset } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { RouteLeg, SumRoute } from '#shared/domain/route.ts';
import { marginAssetOf } from '#shared/money/margin.ts';
import { underlyingOf } from '#shared/quant/carry.ts';
import type { LegFee } from '#shared/quant/leg-value.ts';
import { cashPerUnit, unitsPerQty } from '#shared/quant/leg-value.ts';

/** A leg of a sum route with everything that sizing asks of it. */
export type UnitLeg = RouteLeg & {
  readonly listing: Instrument;
  /** As they hold now, and the taker's in doubles. */
  readonly fees: Fees;
  readonly fee: LegFee;
  /** What an option's fee is a fraction of, in the currency of its premium; NaN while unknown, and for what is no option. */
  readonly underlying: number;
};

/** The legs as they stand now. */
export function unitLegsOf(
  { legs }: SumRoute,
  market: { readonly instruments: readonly Instrument[]; readonly references: References },
  feesOf: (leg: RouteLeg) => Pick<UnitLeg, 'fees' | 'fee'>,
): readonly UnitLeg[] {
  return legs.map((leg) => {
    const listing = market.instruments[leg.instrument]!;
    const underlying = listing.kind === 'option' ? underlyingOf(leg.instrument, market) : NaN;
    return { ...leg, listing, ...feesOf(leg), underlying };
  });
}

/** Cash of one unit of the leg at a price, in the start asset. */
export const cashAt = (leg: UnitLeg, price: number): number => cashPerUnit(leg, leg.fee, price, leg.underlying);

/** The same before fees. */
export const grossCashAt = (leg: UnitLeg, price: number): number =>
  cashPerUnit(leg, { ...leg.fee, taker: 0 }, price, 0);

/**
 * Units of the leg that one unit of the venue's quantity makes at a price. A spot fee is part of it wherever it is taken from what is counted:
 * a coin of which f is kept back makes 1 − f, and f of the dollars are not the coin's.
 */
export function unitsMade({ listing, unit, side, fee }: UnitLeg, price: number): number {
  const units = unitsPerQty(listing, unit, price);
  if (listing.kind !== 'spot') return units;
  const isReceived = fee.kind === 'spot-received';
  if (unit !== 'quote') return side === 'buy' && isReceived ? units * (1 - fee.taker) : units;
  if (side === 'sell') return units * (1 - fee.taker);
  return isReceived ? units : units * (1 + fee.taker);
}

/** Whether the units depend on neither price nor fee, so that whole lots make units that can be counted exactly. */
export const isExact = ({ listing: { kind, inverse }, unit, side, fee }: UnitLeg): boolean => {
  if (kind === 'spot') return unit !== 'quote' && !(side === 'buy' && fee.kind === 'spot-received' && fee.taker > 0);
  return inverse === (unit === 'quote');
};

/** The account that bears the leg: what is spent where it trades at once, the margin where it is held against one. */
export function accountAssetOf({ listing, side }: UnitLeg): Asset {
  if (listing.kind !== 'spot') return marginAssetOf(listing);
  return side === 'buy' ? listing.quote : listing.base;
}

/** What that account must hold for one unit at a price, fee included, in its own asset. */
export function needAt(leg: UnitLeg, price: number, marginFraction: number): number {
  const { listing, side, unit, fee, underlying } = leg;
  const cash = cashAt(leg, price);
  if (listing.kind === 'spot') return (side === 'buy') === (unit === 'quote') ? 1 : -cash;
  if (listing.kind === 'option') return side === 'buy' ? -cash : marginFraction * underlying + price - cash;
  const value = listing.inverse ? (unit === 'quote' ? 1 / price : 1) : price;
  return value * (marginFraction + fee.taker);
}

/** The best price of the leg, and of a trade that undoes it. */
export const wayInPrice = ({ instrument, side }: RouteLeg, { bid, ask }: Pick<Tops, 'bid' | 'ask'>): number =>
  side === 'buy' ? ask[instrument]! : bid[instrument]!;
export const wayBackPrice = ({ instrument, side }: UnitLeg, { bid, ask }: Pick<Tops, 'bid' | 'ask'>): number =>
  side === 'buy' ? bid[instrument]! : ask[instrument]!;

/** The price at which a unit of the leg brings so much less, at least, than at this one. */
export function priceYielding(leg: UnitLeg, price: number, less: number): number {
  const { side, unit, fee } = leg;
  if (unit === 'quote') {
    const cash = cashAt(leg, price);
    // Coins a unit go with 1/price; a buy gives up half of them at most.
    const left = side === 'buy' ? Math.max(cash / 2, cash - less) : cash - less;
    return (price * cash) / left;
  }
  if (fee.kind === 'option') {
    // Counted as if the fee grew with the premium, which it does up to its cap.
    const growth = Number.isFinite(fee.premiumShareMax) ? fee.premiumShareMax : 0;
    return side === 'buy' ? price + less / (1 + growth) : price - less;
  }
  return price - less / cashAt(leg, 1);
}
