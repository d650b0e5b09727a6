import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import { performanceData, performanceQuery } from '#shared/schema/api.ts';
import { isoFromMs, success } from '../../common/envelope.ts';
import { readHistory, type History } from '../../reports/history.ts';
import { performanceOf, type Performance } from '../../reports/performance.ts';
import { figuresOf } from '../../reports/views.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

type PerformanceData = z.infer<typeof performanceData>;
type Query = z.infer<typeof performanceQuery>;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A return is the profit of an hour where the period is short, of a day where it is long. */
const periods = {
  '1d': { days: 1, bucketMs: HOUR_MS },
  '7d': { days: 7, bucketMs: HOUR_MS },
  '30d': { days: 30, bucketMs: DAY_MS },
  '90d': { days: 90, bucketMs: DAY_MS },
  '1y': { days: 365, bucketMs: DAY_MS },
} as const;

/** What trading brought, and at which risk. */
export function mountPerformance(app: App, options: AppOptions, guards: Guards): void {
  const performance = createRoute({
    method: 'get',
    path: '/v1/analytics/performance',
    tags: ['analytics'],
    summary: 'Profit, Sharpe and Sortino ratio, volatility, drawdown, win rate, attribution',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: performanceQuery },
    responses: {
      200: answers(performanceData, 'Of the operations that ended in the period'),
      ...fails(400),
      ...denials,
    },
  });
  app.openapi(performance, async (context) => {
    const query = context.req.valid('query');
    const { days, bucketMs } = periods[query.period];
    const toMs = nowMs(options);
    const history = await readHistory(options.store, { fromMs: toMs - days * DAY_MS, toMs });
    const window = { fromMs: history.knownFromMs, toMs, bucketMs };
    const data = viewOf(query, history, { ...window, performance: performanceOf(history.outcomes, window) });
    return context.json(success(data, toMs), 200);
  });
}

type Found = { readonly fromMs: number; readonly toMs: number; readonly performance: Performance };

function viewOf({ period, metric }: Query, history: History, { fromMs, toMs, performance }: Found): PerformanceData {
  const common = {
    period,
    from: isoFromMs(fromMs),
    to: isoFromMs(toMs),
    operations: performance.operations,
    open_operations: history.open,
    truncated: history.truncated,
  };
  const timestamp = isoFromMs(toMs);
  const figures = figuresOf(performance);
  switch (metric) {
    case undefined:
      return { ...common, ...figures.pnl, ...figures.sharpe, ...figures.volatility, timestamp };
    case 'pnl':
    case 'sharpe':
    case 'volatility':
      return { ...common, ...figures[metric], timestamp };
  }
}
