import { Decimal } from 'decimal.js';
import { BadInput } from '../assert.ts';
import type { Side } from '../domain/route.ts';
import type { EngineEvent } from '../schema/event.ts';
import { decimalFrom } from './grid.ts';

/** What a spot fill moved, in the words of its instrument. */
export type FillFacts = {
  readonly side: Side;
  readonly base: string;
  readonly quote: string;
  readonly price: Decimal;
  readonly qty: Decimal;
  readonly fee: Decimal;
  readonly feeAsset: string;
};

/** Value of one unit of each asset in the numeraire, fixed when the operation was planned. */
export type Rates = Readonly<Record<string, Decimal>>;

/** In the numeraire. `realised` is after fees. */
export type Pnl = { readonly realised: Decimal; readonly fees: Decimal };

/** What entered (+) and left (−) the account by the trade itself, before its fee. */
export function flowsOf({ side, price, qty }: Pick<FillFacts, 'side' | 'price' | 'qty'>): {
  readonly base: Decimal;
  readonly quote: Decimal;
} {
  const value = price.times(qty);
  return side === 'buy' ? { base: qty, quote: value.neg() } : { base: qty.neg(), quote: value };
}

/** base flow × rate + quote flow × rate − fee × rate. @throws BadInput when an asset has no rate. */
export function pnlOfFill(fill: FillFacts, rates: Rates): Pnl {
  const flows = flowsOf(fill);
  const fees = fill.fee.times(rateIn(rates, fill.feeAsset));
  const gross = flows.base.times(rateIn(rates, fill.base)).plus(flows.quote.times(rateIn(rates, fill.quote)));
  return { realised: gross.minus(fees), fees };
}

/**
 * Profit from the journal's `fill` and `operation` events alone, exact: what every other figure of profit must equal. Each trade counts
 * once however often it stands in the events. @throws BadInput on a fill whose operation or rate is unknown.
 */
export function recomputePnl(events: Iterable<EngineEvent>): Pnl & { readonly fills: number } {
  const rates = new Map<string, Rates>();
  const seen = new Set<string>();
  let realised = new Decimal(0);
  let fees = new Decimal(0);
  for (const event of events) {
    if (event.kind === 'operation' && !rates.has(event.data.id))
      rates.set(event.data.id, decimalsFrom(event.data.rates));
    if (event.kind !== 'fill') continue;
    const trade = `${event.data.instrument} ${event.data.trade_id}`;
    if (seen.has(trade)) continue;
    seen.add(trade);
    const known = rates.get(event.data.operation);
    if (known === undefined) throw new BadInput(`fill of an unknown operation: seq=${event.seq}`);
    const pnl = pnlOfFill(fillFactsFrom(event.data), known);
    realised = realised.plus(pnl.realised);
    fees = fees.plus(pnl.fees);
  }
  return { realised, fees, fills: seen.size };
}

/** Reads the money of a `fill` event. */
export function fillFactsFrom(data: Extract<EngineEvent, { kind: 'fill' }>['data']): FillFacts {
  return {
    side: data.side,
    base: data.base,
    quote: data.quote,
    price: decimalFrom(data.price),
    qty: decimalFrom(data.qty),
    fee: decimalFrom(data.fee),
    feeAsset: data.fee_asset,
  };
}

/** Reads amounts by asset, such as an operation's rates. @throws BadInput on anything that is not a decimal. */
export const decimalsFrom = (texts: Readonly<Record<string, string>>): Readonly<Record<string, Decimal>> =>
  Object.fromEntries(Object.entries(texts).map(([asset, text]) => [asset, decimalFrom(text)]));

function rateIn(rates: Rates, asset: string): Decimal {
  const rate = rates[asset];
  if (rate === undefined) throw new BadInput(`no rate for ${asset}`);
  return rate;
}
