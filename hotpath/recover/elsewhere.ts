import { Decimal } from 'decimal.js';
import type { Asset, InstrumentId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { standsIn } from '#shared/domain/recovery.ts';
import { ZERO } from '#shared/money/grid.ts';
import type { Elsewhere } from './candidate.ts';

/** Each leg on its own book, or not at all. */
export const NOWHERE_ELSE: Elsewhere = {
  alternatives: () => [],
  coversOf: () => [],
  transferCostOf: () => ZERO,
};

export type ElsewhereOptions = {
  /** Quotes that count as another one. */
  readonly equalAssets: Readonly<Record<string, string>>;
  /** By `from>to`; nothing where absent. */
  readonly rebalanceCostBps: Readonly<Record<string, number>>;
};

/** What of all that is listed can do another one's work: spot of the same coins, and linear perpetuals. */
export function elsewhereFrom(
  instruments: readonly Instrument[],
  { equalAssets, rebalanceCostBps }: ElsewhereOptions,
): Elsewhere {
  const listed = instruments.filter(({ status }) => status === 'trading');
  const spots = listed.filter(({ kind }) => kind === 'spot');
  const perpetuals = listed.filter(({ kind, inverse }) => kind === 'perpetual' && !inverse);
  const countsAs = (quote: Asset): string => equalAssets[quote] ?? quote;
  const alternatives = new Map<InstrumentId, readonly Instrument[]>(
    spots.map((leg) => [
      leg.id,
      spots.filter(
        (other) => other.venue !== leg.venue && standsIn(leg, other) && countsAs(other.quote) === countsAs(leg.quote),
      ),
    ]),
  );
  const covers = Map.groupBy(perpetuals, ({ base }): string => base);
  return {
    alternatives: ({ id }) => alternatives.get(id) ?? [],
    coversOf: (asset) => covers.get(asset) ?? [],
    transferCostOf: (leg, other) => {
      const bps = (rebalanceCostBps[`${leg}>${other}`] ?? 0) + (rebalanceCostBps[`${other}>${leg}`] ?? 0);
      return new Decimal(bps).div(10_000);
    },
  };
}
