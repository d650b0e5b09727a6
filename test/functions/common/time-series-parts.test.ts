import { describe } from 'vitest';
import { partedTimeSeries, type PartLog } from '#functions/common/time-series-parts.ts';
import type { Bucket } from '#functions/common/time-series.ts';
import { keepsItsPromises } from '../support/time-series-suite.ts';

/** The plainest log of parts that there is. */
function logInMemory(): PartLog {
  const parts = new Map<string, Bucket>();
  const of = (instrument: string, interval: string): readonly Bucket[] =>
    [...parts.values()].filter((part) => part.instrument === instrument && part.interval === interval);
  return {
    append: (added) => {
      for (const part of added) parts.set(JSON.stringify(part), part);
      return Promise.resolve();
    },
    between: ({ instrument, interval, fromMs, toMs }) =>
      Promise.resolve(of(instrument, interval).filter(({ startMs }) => startMs >= fromMs && startMs < toMs)),
    newestStartMs: ({ instrument, interval }, beforeMs) => {
      const starts = of(instrument, interval).map(({ startMs }) => startMs);
      const newest = Math.max(...starts.filter((startMs) => startMs < beforeMs));
      return Promise.resolve(Number.isFinite(newest) ? newest : undefined);
    },
  };
}

describe('time series over a log of parts', () => {
  // One log, and a new instance each time: nothing may hang on what an instance remembers.
  const log = logInMemory();
  keepsItsPromises(() => partedTimeSeries(log));
});
