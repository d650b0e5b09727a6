import type { MarketSample } from '#shared/schema/status.ts';
import type { AppOptions } from './context.ts';
import { splitInstrument } from './views.ts';

/** What may be asked for: what is configured, and whatever the engine has sent samples of. */
export function knownMarkets(
  { symbols, venues }: Pick<AppOptions, 'symbols' | 'venues'>,
  samples: readonly Pick<MarketSample, 'instrument'>[],
): { readonly symbols: ReadonlySet<string>; readonly venues: ReadonlySet<string> } {
  const seen = samples.map(({ instrument }) => splitInstrument(instrument));
  return {
    symbols: new Set([...symbols, ...seen.map(({ symbol }) => symbol)]),
    venues: new Set([...venues, ...seen.map(({ exchange }) => exchange)]),
  };
}
