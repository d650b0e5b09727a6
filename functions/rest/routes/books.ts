import { createRoute } from '@hono/zod-openapi';
import { bookData, bookParams, bookQuery } from '#shared/schema/api.ts';
import { exact, isoFromMs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { knownMarkets } from '../known-markets.ts';

/** The sampled book of one instrument; its age says how far to trust it. */
export function mountBooks(app: App, options: AppOptions, guards: Guards): void {
  const books = createRoute({
    method: 'get',
    path: '/v1/market/books/{exchange}/{symbol}',
    tags: ['market'],
    summary: 'Order book of one instrument; write the symbol URL-encoded (BTC%2FUSDT)',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { params: bookParams, query: bookQuery },
    responses: { 200: answers(bookData, 'Best levels first'), ...fails(400, 404), ...denials },
  });
  app.openapi(books, async (context) => {
    const { exchange, symbol } = context.req.valid('param');
    const { depth } = context.req.valid('query');
    const sample = await options.store.market(`${exchange}:${symbol}`);
    if (sample === undefined) throw await absent(options, exchange, symbol);

    const levels = (side: readonly (readonly [string, string])[]): [number, number][] =>
      side.slice(0, depth).map(([price, qty]) => [exact(price), exact(qty)]);
    const data = {
      symbol,
      exchange,
      bids: levels(sample.bids),
      asks: levels(sample.asks),
      status: sample.status,
      // As old as it was when sampled, and older since.
      age_ms: Math.max(0, Math.round(sample.age_ms + nowMs(options) - sample.at_ms)),
      timestamp: isoFromMs(sample.at_ms),
    };
    return context.json(success(data, nowMs(options)), 200);
  });
}

async function absent(options: AppOptions, exchange: string, symbol: string): Promise<ApplicationError> {
  const known = knownMarkets(options, await options.store.markets());
  if (!known.venues.has(exchange)) return new ApplicationError(2002, exchange);
  if (!known.symbols.has(symbol)) return new ApplicationError(2001, symbol);
  return new ApplicationError(2003, `no book of ${symbol} on ${exchange} has been sampled`);
}
