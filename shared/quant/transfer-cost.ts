import type { Instrument } from '../domain/instrument.ts';
import type { ProductRoute } from '../domain/route.ts';

/**
 * What a product route spends where it has not received it must be brought there again: the configured cost between the venues of legs that follow each other, as
 * a fraction. `costsBps` by `from>to`.
 */
export function transferCostOf(
  { legs }: ProductRoute,
  instruments: readonly Instrument[],
  costsBps: Readonly<Record<string, number>>,
): number {
  const venues = legs.map(({ instrument }) => instruments[instrument]!.venue);
  let bps = 0;
  for (const [at, venue] of venues.entries()) {
    const next = venues[(at + 1) % venues.length]!;
    if (next !== venue) bps += costsBps[`${venue}>${next}`] ?? 0;
  }
  return bps / 1e4;
}
