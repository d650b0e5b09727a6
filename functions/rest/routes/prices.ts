import { createRoute } from '@hono/zod-openapi';
import { pricesData, pricesQuery } from '#shared/schema/api.ts';
import { success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { knownMarkets } from '../known-markets.ts';
import { priceOf } from '../views.ts';

/** The latest price of every instrument, or of those asked for. */
export function mountPrices(app: App, options: AppOptions, guards: Guards): void {
  const prices = createRoute({
    method: 'get',
    path: '/v1/market/prices',
    tags: ['market'],
    summary: 'Latest prices',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: pricesQuery },
    responses: { 200: answers(pricesData, 'One entry an instrument'), ...fails(400, 404), ...denials },
  });
  app.openapi(prices, async (context) => {
    const { symbols, exchange } = context.req.valid('query');
    const samples = await options.store.markets();
    const known = knownMarkets(options, samples);
    const wanted = symbols?.split(',').map((symbol) => symbol.trim());
    if (exchange !== undefined && !known.venues.has(exchange)) throw new ApplicationError(2002, exchange);
    const stranger = wanted?.find((symbol) => !known.symbols.has(symbol));
    if (stranger !== undefined) throw new ApplicationError(2001, stranger);

    const found = samples
      .map(priceOf)
      .filter((price) => exchange === undefined || price.exchange === exchange)
      .filter((price) => wanted?.includes(price.symbol) ?? true);
    return context.json(success({ prices: found }, nowMs(options)), 200);
  });
}
