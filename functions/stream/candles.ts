import { decimalFrom, textOf } from '#shared/money/grid.ts';
import type { MarketSample } from '#shared/schema/status.ts';
import type { Quote } from '../common/time-series.ts';

/** What candles are made of: the mid of a live book. A book that is stale, crossed or one-sided has no price. */
export function quotesOf(samples: readonly MarketSample[]): readonly Quote[] {
  return samples.flatMap(({ instrument, at_ms, bid, ask, status }) => {
    if (status !== 'live' || bid === '' || ask === '') return [];
    // Half of a decimal sum is a decimal: exact.
    return [{ instrument, atMs: at_ms, price: textOf(decimalFrom(bid).plus(decimalFrom(ask)).times('0.5')) }];
  });
}
