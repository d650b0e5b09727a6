import { Decimal } from 'decimal.js';
import type { CapitalView, Tops } from '#shared/domain/capital.ts';
import type { Asset, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';

/** Assets through which others may be valued when no book joins them with the numeraire. */
const HOPS = ['BTC', 'ETH'] as Asset[];

type Quote = { readonly at: InstrumentIndex; readonly inverse: boolean };

/**
 * Values assets in the numeraire from the middle of live spot books: direct or inverse, else through one hop; the first live book in
 * registry order speaks, so that a run repeats. A peg stands where no book does. Undefined when nobody can say.
 */
export function valuationOf(
  instruments: readonly Instrument[],
  tops: Tops,
  { numeraire, pegs }: { readonly numeraire: Asset; readonly pegs: Readonly<Record<string, string>> },
): CapitalView['rateOf'] {
  const quotes = quotesOf(instruments);
  const pegged = new Map(Object.entries(pegs).map(([asset, value]) => [asset as Asset, new Decimal(value).toNumber()]));

  const rateBetween = (asset: Asset, target: Asset): number | undefined => {
    for (const { at, inverse } of quotes.get(pairKey(asset, target)) ?? []) {
      const mid = (tops.bid[at]! + tops.ask[at]!) / 2;
      if (mid > 0) return inverse ? 1 / mid : mid;
    }
    return undefined;
  };
  const rateThroughHop = (asset: Asset): number | undefined => {
    for (const hop of HOPS) {
      const first = rateBetween(asset, hop);
      const second = first === undefined ? undefined : rateBetween(hop, numeraire);
      if (first !== undefined && second !== undefined) return first * second;
    }
    return undefined;
  };
  return (asset) =>
    asset === numeraire ? 1 : (rateBetween(asset, numeraire) ?? rateThroughHop(asset) ?? pegged.get(asset));
}

function quotesOf(instruments: readonly Instrument[]): ReadonlyMap<string, readonly Quote[]> {
  const quotes = new Map<string, Quote[]>();
  const add = (key: string, quote: Quote): void => void quotes.set(key, [...(quotes.get(key) ?? []), quote]);
  for (const [index, { kind, base, quote }] of instruments.entries()) {
    if (kind !== 'spot') continue;
    const at = index as InstrumentIndex;
    add(pairKey(base, quote), { at, inverse: false });
    add(pairKey(quote, base), { at, inverse: true });
  }
  return quotes;
}

const pairKey = (from: Asset, to: Asset): string => `${from}>${to}`;
