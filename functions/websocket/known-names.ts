import type { Clock } from '#shared/clock/clock.ts';
import type { Store } from '../common/store.ts';
import { knownMarkets } from '../rest/known-markets.ts';
import type { KnownNames } from './conversation.ts';

/** After which the markets are read again: a new one can be subscribed this much later. */
const REFRESH_MS = 10_000;

/** What is configured and what samples came of, as the table has it. */
export function knownNames(
  store: Pick<Store, 'markets'>,
  configured: { readonly symbols: readonly string[]; readonly venues: readonly string[] },
  clock: Clock,
): () => Promise<KnownNames> {
  let kept: { readonly names: KnownNames; readonly readMs: number } | undefined;
  return async () => {
    const nowMs = clock.unixMs(clock.now());
    if (kept === undefined || nowMs - kept.readMs > REFRESH_MS) {
      const { symbols, venues } = knownMarkets(configured, await store.markets());
      const names = {
        isKnownSymbol: (symbol: string) => symbols.has(symbol),
        isKnownVenue: (venue: string) => venues.has(venue),
      };
      kept = { names, readMs: nowMs };
    }
    return kept.names;
  };
}
