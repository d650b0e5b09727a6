import { Decimal } from 'decimal.js';
import type { CapitalView, Tops } from '#shared/domain/capital.ts';
import type { Asset } from '#shared/domain/ids.ts';
import { feeOfTrade } from '#shared/money/fee.ts';
import { fillFactsOf, hasPremium, pnlOfFill } from '#shared/money/pnl.ts';
import { reckonedFees } from '#shared/quant/taker-fee.ts';
import type { CommonStep } from './common-step.ts';
import type { ExactUnitLeg } from './exact-units.ts';
import type { Rates } from './plan.ts';
import type { UnitLeg } from './unit-leg.ts';

/** What the rates of a sum plan are made from. */
export type UnitMarket = {
  readonly start: Asset;
  /** Value of one unit of the start asset in the numeraire. */
  readonly startRate: number;
  readonly rateOf: CapitalView['rateOf'];
  readonly tops: Tops;
};

/**
 * Values of everything that fills of the plan move, in the numeraire: assets, and tokens named by instrument for options (one of its quantity each).
 *
 * What is left of a unit of the route once it stands is no profit yet: that is its payoff, which the carry has. So the rates make the flows of a whole
 * unit come to its cash alone: coins bought and coins sold at one rate, and tokens at their middle price less their share of what the settlement pays.
 */
export function unitRatesOf(legs: readonly UnitLeg[], step: CommonStep | undefined, market: UnitMarket): Rates {
  const assets = assetRatesOf(legs, market);
  const ratioOf = (at: number): Decimal => step?.ratios[at] ?? new Decimal(legs[at]!.ratio);
  const options = [...legs.entries()].filter(([, { listing }]) => hasPremium(listing.kind));
  const middles = new Map(options.map(([at, leg]) => [at, middleOf(leg, assets, market)]));
  let left = new Decimal(0);
  for (const [at, { listing, side, unit }] of legs.entries()) {
    const worth = middles.get(at) ?? (unit === 'quote' ? assets[listing.quote]!.neg() : assets[listing.base]!);
    left = left.plus(signed(worth, side).times(ratioOf(at)));
  }
  const tokens = options.map(([at, { listing, side }]) => {
    const share = signed(left, side).div(ratioOf(at)).div(options.length);
    const rate = middles.get(at)!.minus(share).times(listing.contractSize);
    return [listing.id, rate.toSignificantDigits(TOKEN_DIGITS)] as const;
  });
  return { ...assets, ...Object.fromEntries(tokens) };
}

/** What one fill of an exact leg at its average price comes to, after fees, in the numeraire: the money of fills as the books count it. */
export function realisedBy({ leg, qty, averagePrice: price }: ExactUnitLeg, rates: Rates): Decimal {
  const { listing, side } = leg;
  return pnlOfFill(fillFactsOf({ side, price, qty, ...feeOf(leg, qty, price) }, listing), rates).realised;
}

/** The notional of an exact leg in the numeraire: of the underlying, where it is an option. */
export function notionalOf({ leg: { listing }, qty, averagePrice }: ExactUnitLeg, rates: Rates): Decimal {
  const contracts = qty.times(listing.contractSize);
  if (hasPremium(listing.kind)) return contracts.times(rates[listing.base]!);
  return (listing.inverse ? contracts : contracts.times(averagePrice)).times(rates[listing.quote]!);
}

/** Rates are found rather than owed. */
const RATE_DIGITS = 15;
/** Tokens are balanced against the other legs: to more digits than any sum of theirs has. */
const TOKEN_DIGITS = 30;

/** What the taker pays, and in which asset the venue takes it; what it takes in a token is worth as much quote. */
function feeOf({ listing, fees, side, underlying }: UnitLeg, qty: Decimal, price: Decimal) {
  const reckoned = reckonedFees(fees);
  const trade = { side, price, qty, rate: reckoned.taker, underlying: new Decimal(underlying) };
  return feeOfTrade({ ...listing, fees: reckoned }, trade);
}

function assetRatesOf(
  legs: readonly UnitLeg[],
  { start, startRate, rateOf, tops }: UnitMarket,
): Record<string, Decimal> {
  const found: Record<string, number> = { [start]: startRate };
  for (const { listing, unit, instrument, underlying, fees } of legs) {
    const { kind, base, quote, settle } = listing;
    const middle = (tops.bid[instrument]! + tops.ask[instrument]!) / 2;
    if (unit === 'quote') found[quote] ??= rateOf(quote) ?? startRate / middle;
    // What a leg is paid in counts as the start asset: the route was compiled so.
    else found[quote] ??= startRate;
    found[base] ??= rateOf(base) ?? startRate * (kind === 'option' ? underlying : middle);
    found[settle] ??= settle === base ? found[base] : found[quote];
    if (fees.token !== undefined) found[fees.token.asset] ??= rateOf(fees.token.asset)!;
  }
  return Object.fromEntries(
    Object.entries(found).map(([asset, rate]) => [asset, new Decimal(rate).toSignificantDigits(RATE_DIGITS)]),
  );
}

/** Of one unit of an option, in the numeraire. */
function middleOf({ listing, instrument }: UnitLeg, rates: Rates, { tops }: UnitMarket): Decimal {
  const middle = new Decimal((tops.bid[instrument]! + tops.ask[instrument]!) / 2);
  return middle.times(rates[listing.quote]!).toSignificantDigits(RATE_DIGITS);
}

const signed = (value: Decimal, side: 'buy' | 'sell'): Decimal => (side === 'buy' ? value : value.neg());
