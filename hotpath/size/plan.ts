import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { CapitalView } from '#shared/domain/capital.ts';
import type { Asset } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Opportunity, PlanLeg } from '#shared/domain/trade.ts';
import { minus, plus, times } from '#shared/money/exact.ts';
import type { Amount } from '#shared/money/grid.ts';
import type { ExactLeg } from './exact-legs.ts';

/** Value of one unit of each asset in the numeraire. */
export type Rates = Readonly<Record<string, Decimal>>;

/** Digits of prices and values that are found rather than owed. */
const FOUND_DIGITS = 15;

/** Rates of every asset that the legs touch, or the first asset nobody can value. */
export function ratesOf(
  legs: readonly { readonly listing: Pick<Instrument, 'base' | 'quote' | 'fees'> }[],
  rateOf: CapitalView['rateOf'],
): { readonly kind: 'rates'; readonly rates: Rates } | { readonly kind: 'unknown'; readonly asset: Asset } {
  const rates: Record<string, Decimal> = {};
  for (const asset of legs.flatMap(({ listing: { base, quote, fees } }) => [base, quote, fees.token?.asset ?? quote])) {
    if (rates[asset] !== undefined) continue;
    const rate = rateOf(asset);
    if (rate === undefined || !Number.isFinite(rate)) return { kind: 'unknown', asset };
    rates[asset] = new Decimal(rate);
  }
  return { kind: 'rates', rates };
}

/** What exact legs are worth, in the numeraire: the first leg's input, and what all fills together leave behind, after fees. */
export function worthOf(
  legs: readonly ExactLeg[],
  rates: Rates,
): { readonly notional: Amount; readonly profit: Amount } {
  const [first] = legs;
  assert(first !== undefined, 'a plan has no legs');
  let profit: Decimal = new Decimal(0);
  for (const leg of legs) {
    const received = times(leg.received, rateIn(rates, receivedAsset(leg)));
    profit = minus(plus(profit, received), times(leg.given, rateIn(rates, givenAsset(leg))));
  }
  return { notional: times(first.given, rateIn(rates, givenAsset(first))) as Amount, profit: profit as Amount };
}

export const planLegOf = ({ instrument, side, limit, qty, quote }: ExactLeg, rates: Rates): PlanLeg => ({
  instrument: instrument.id,
  side,
  price: limit,
  qty,
  expectedPrice: quote.div(qty).toSignificantDigits(FOUND_DIGITS),
  notional: times(quote, rateIn(rates, instrument.quote)) as Amount,
});

/** P(good end) × (profit + improvement) − (1 − P) × what getting out of the worst leg would cost − impact; all but the profit are in units of `startRate`. */
export function expectedValueOf(
  profit: Decimal,
  { goodEnd, improvement, unwindCost, impact }: Pick<Opportunity, 'goodEnd' | 'improvement' | 'unwindCost' | 'impact'>,
  startRate: number,
): Amount {
  const costs = ((1 - goodEnd) * unwindCost + impact - goodEnd * improvement) * startRate;
  return profit.times(goodEnd).minus(costs).toSignificantDigits(FOUND_DIGITS, Decimal.ROUND_FLOOR) as Amount;
}

const givenAsset = ({ instrument, side }: ExactLeg): Asset => (side === 'buy' ? instrument.quote : instrument.base);
const receivedAsset = ({ instrument, side }: ExactLeg): Asset => (side === 'buy' ? instrument.base : instrument.quote);

function rateIn(rates: Rates, asset: Asset): Decimal {
  const rate = rates[asset];
  assert(rate !== undefined, `a plan touches an asset without a rate: ${asset}`);
  return rate;
}
