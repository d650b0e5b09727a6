import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import { historyData, historyQuery } from '#shared/schema/api.ts';
import { exact, isoFromMs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import type { Candle, CandleQuery } from '../../common/time-series.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { knownMarkets } from '../known-markets.ts';

type Query = z.infer<typeof historyQuery>;

/** Candles of one instrument, oldest first. */
export function mountHistory(app: App, options: AppOptions, guards: Guards): void {
  const history = createRoute({
    method: 'get',
    path: '/v1/market/history',
    tags: ['market'],
    summary: 'Candles of mid prices; without an exchange, of the first one that has any',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: historyQuery },
    responses: { 200: answers(historyData, 'The oldest first'), ...fails(400, 404), ...denials },
  });
  app.openapi(history, async (context) => {
    const query = context.req.valid('query');
    const { symbol, interval, limit } = query;
    const range = rangeOf(query);
    for (const exchange of await exchangesOf(options, query)) {
      // One more than asked for tells whether there is a next page.
      const wanted: CandleQuery = { instrument: `${exchange}:${symbol}`, interval, ...range, limit: limit + 1 };
      const found = await options.store.series.candles(wanted, nowMs(options));
      if (found.length === 0) continue;
      const next = found[limit];
      const next_cursor = next === undefined ? null : String(next.startMs);
      const data = { symbol, exchange, interval, records: found.slice(0, limit).map(recordOf), next_cursor };
      return context.json(success(data, nowMs(options)), 200);
    }
    throw new ApplicationError(2003, `no candles of ${symbol} in that time`);
  });
}

/** @throws BadInput when the time ends before it begins, or the cursor is not one of it */
function rangeOf({ start_time, end_time, cursor }: Query): { readonly fromMs: number; readonly toMs: number } {
  const fromMs = Date.parse(start_time);
  const toMs = Date.parse(end_time);
  if (toMs <= fromMs) throw new BadInput('end_time is not after start_time');
  if (cursor === undefined) return { fromMs, toMs };
  const at = Number(cursor);
  if (!/^\d{1,15}$/.test(cursor) || at < fromMs || at >= toMs) throw new BadInput('cursor is not one of this query');
  return { fromMs: at, toMs };
}

/** @throws ApplicationError 2001, 2002 for what is not known */
async function exchangesOf(options: AppOptions, { symbol, exchange }: Query): Promise<readonly string[]> {
  const known = knownMarkets(options, await options.store.markets());
  if (exchange !== undefined && !known.venues.has(exchange)) throw new ApplicationError(2002, exchange);
  if (!known.symbols.has(symbol)) throw new ApplicationError(2001, symbol);
  return exchange === undefined ? [...known.venues] : [exchange];
}

const recordOf = ({ startMs, open, high, low, close }: Candle): z.infer<typeof historyData>['records'][number] => ({
  timestamp: isoFromMs(startMs),
  open: exact(open),
  high: exact(high),
  low: exact(low),
  close: exact(close),
  volume: null,
});
