import { createRoute } from '@hono/zod-openapi';
import { balancesData, balancesQuery } from '#shared/schema/api.ts';
import { success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { balanceOf, Mismatches } from '../views.ts';

/** Funds by venue and asset. */
export function mountBalances(app: App, options: AppOptions, guards: Guards): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/trading/balances',
    tags: ['trading'],
    summary: 'Balances: total, available, reserved, in flight',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: balancesQuery },
    responses: { 200: answers(balancesData, 'One entry a venue and asset'), ...fails(400, 404), ...denials },
  });
  app.openapi(list, async (context) => {
    const { exchange, asset } = context.req.valid('query');
    const [balances, open] = await Promise.all([options.store.balances(), options.store.openMismatches()]);
    const isKnown = (venue: string): boolean =>
      options.venues.includes(venue) || balances.some(({ data }) => data.venue === venue);
    if (exchange !== undefined && !isKnown(exchange)) throw new ApplicationError(2002, exchange);
    const found = balances
      .filter(({ data }) => exchange === undefined || data.venue === exchange)
      .filter(({ data }) => asset === undefined || data.asset === asset);
    const mismatches = new Mismatches(open);
    const data = { balances: found.map((balance) => balanceOf(balance, mismatches)) };
    return context.json(success(data, nowMs(options)), 200);
  });
}
