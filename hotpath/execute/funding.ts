import { Decimal } from 'decimal.js';
import type { SettledTerms } from '#shared/domain/held.ts';
import { textOf } from '#shared/money/grid.ts';
import { contractOf, contractValue } from '#shared/money/pnl.ts';
import type { EventData } from '#shared/schema/event.ts';

/** What a venue says of a perpetual's next funding. */
export type FundingWord = {
  /** A fraction of the value for the interval that ends at `nextMs`; longs pay when it is positive. */
  readonly rate: number;
  readonly nextMs: number;
  /** Mark price, at which the value is taken. */
  readonly price: number;
};

/** The last word before it fell due. */
export type FundingDue = Omit<FundingWord, 'nextMs'> & { readonly dueMs: number };

/** Coins and dollars are counted to so many decimals. */
const AMOUNT_DECIMALS = 18;

/** What a signed position pays or receives, rounded against us; `assetRate` values the settlement asset in the numeraire. */
export function fundingEventOf(
  terms: SettledTerms,
  size: Decimal,
  { rate, price, dueMs }: FundingDue,
  assetRate: Decimal,
): EventData<'funding'> {
  const value = contractValue(contractOf(terms)!, size, new Decimal(price));
  const amount = value.times(rate).neg().toDecimalPlaces(AMOUNT_DECIMALS, Decimal.ROUND_FLOOR);
  return {
    instrument: terms.id,
    asset: terms.settle,
    amount: textOf(amount),
    asset_rate: textOf(assetRate),
    funding_rate: textOf(new Decimal(rate)),
    price: textOf(new Decimal(price)),
    size: textOf(size),
    due_ms: dueMs,
  };
}
