import { Decimal } from 'decimal.js';
import type { ClientOrderId, OperationId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderRequest } from '#shared/domain/order.ts';
import { textOf } from '#shared/money/grid.ts';
import type { Rates } from '#shared/money/pnl.ts';
import { hasPremium } from '#shared/money/pnl.ts';
import type { Part } from '#shared/money/routing.ts';
import type { OperationFacts, OperationLeg } from './operation.ts';
import type { DUST_ROUTE } from './operation.ts';
import { exposureOf, MANUAL } from './operation.ts';
import { ratesText } from './operation-from.ts';

/** One order that no plan stands behind: a person's, or one that sells dust. On the instrument's grid, with a limit even where it is a market order. */
export type ManualOrder = Pick<
  OrderRequest,
  'side' | 'type' | 'qty' | 'price' | 'timeInForce' | 'postOnly' | 'reduceOnly'
> & {
  readonly operation: OperationId;
  readonly instrument: Instrument;
  readonly route: typeof MANUAL | typeof DUST_ROUTE;
  /** The rest of an order that is split over several venues. */
  readonly beside?: readonly Part[];
};

export const partsOf = ({ instrument, qty, price, beside = [] }: ManualOrder): readonly Part[] => [
  { instrument, qty, price },
  ...beside,
];

/** What came of it at once. */
export type Placed =
  | { readonly kind: 'sent'; readonly order: ClientOrderId; readonly operation: OperationId }
  | {
      readonly kind: 'refused';
      readonly reason: 'BALANCE_INSUFFICIENT' | 'RATE_UNKNOWN' | 'SELF_TRADE' | 'FENCED';
      readonly detail: string;
    };

/** What came of asking that an order be taken back. */
export type Cancelled =
  | { readonly kind: 'cancelling'; readonly operation: OperationId }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'over'; readonly status: string };

/** How a manual order is booked, and what its events say. */
export type ManualTerms = {
  readonly facts: OperationFacts;
  readonly legs: readonly OperationLeg[];
  readonly rates: Rates;
};

/** Undefined when nobody can say what its assets are worth. */
export function manualTerms(
  order: ManualOrder,
  rateOf: (asset: string) => number | undefined,
): ManualTerms | undefined {
  const { operation, side, route } = order;
  const parts = partsOf(order);
  const rates: Record<string, Decimal> = {};
  for (const { instrument, price } of parts) {
    const found = ratesFor(instrument, price, rateOf);
    if (found === undefined) return undefined;
    Object.assign(rates, found);
  }
  const legs = parts.map((part): OperationLeg => ({ ...part, side, expectedPrice: part.price }));
  const notional = legs.reduce((sum, leg) => sum.plus(exposureOf(leg, rates)), new Decimal(0));
  const facts: OperationFacts = {
    id: operation,
    opportunity: MANUAL,
    route,
    type: MANUAL,
    notional: textOf(notional),
    expected_profit: '0',
    rates: ratesText(rates),
    legs: parts.map(({ instrument, price, qty }) => ({
      instrument: instrument.id,
      side,
      price: textOf(price),
      qty: textOf(qty),
    })),
  };
  return { facts, legs, rates };
}

/** What one asset of the pair is worth gives the other. */
export function ratesFor(
  { id, kind, base, quote, contractSize }: Instrument,
  price: Decimal,
  rateOf: (asset: string) => number | undefined,
): Rates | undefined {
  const [knownBase, knownQuote] = [decimalOf(rateOf(base)), decimalOf(rateOf(quote))];
  const isOption = hasPremium(kind);
  const quoteRate = knownQuote ?? (isOption ? undefined : knownBase?.div(price).toSignificantDigits(18));
  const baseRate = knownBase ?? (isOption ? undefined : knownQuote?.times(price));
  if (quoteRate === undefined || baseRate === undefined) return undefined;
  const rates = { [base]: baseRate, [quote]: quoteRate };
  return isOption ? { ...rates, [id]: price.times(contractSize).times(quoteRate) } : rates;
}

const decimalOf = (rate: number | undefined): Decimal | undefined =>
  rate === undefined || !Number.isFinite(rate) ? undefined : new Decimal(rate);
