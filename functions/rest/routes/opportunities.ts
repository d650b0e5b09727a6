import { createRoute } from '@hono/zod-openapi';
import { idParams, opportunitiesData, opportunitiesQuery, opportunityData } from '#shared/schema/api.ts';
import { success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { explainedOpportunityOf, opportunityOf, profitOf, splitInstrument } from '../views.ts';

/** What was seen, traded or not, and why. */
export function mountOpportunities(app: App, options: AppOptions, guards: Guards): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/analytics/opportunities',
    tags: ['analytics'],
    summary: 'Opportunities, newest first',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: opportunitiesQuery },
    responses: { 200: answers(opportunitiesData, 'A page of opportunities'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { limit, cursor, min_profit, status, type, symbol } = context.req.valid('query');
    const page = await options.store.opportunities({
      limit,
      cursor,
      matches: ({ event: { data } }) =>
        (status === undefined || data.status === status) &&
        (type === undefined || data.type === type) &&
        (symbol === undefined || data.legs.some(({ instrument }) => splitInstrument(instrument).symbol === symbol)) &&
        (min_profit === undefined || profitOf(data).gte(min_profit)),
    });
    const opportunities = page.items.map(({ event }) => opportunityOf(event));
    return context.json(success({ opportunities, next_cursor: page.nextCursor ?? null }, nowMs(options)), 200);
  });

  const one = createRoute({
    method: 'get',
    path: '/v1/analytics/opportunities/{id}',
    tags: ['analytics'],
    summary: 'One opportunity with its explanation: every cost, every check, the counterfactual',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { params: idParams },
    responses: { 200: answers(opportunityData, 'The opportunity, explained'), ...fails(404), ...denials },
  });
  app.openapi(one, async (context) => {
    const { id } = context.req.valid('param');
    const found = await options.store.opportunity(id);
    if (found === undefined) throw new ApplicationError(2003, `no opportunity ${id}`);
    return context.json(success(explainedOpportunityOf(found.event), nowMs(options)), 200);
  });
}
