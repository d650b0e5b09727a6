import { createRoute } from '@hono/zod-openapi';
import { ordersData, ordersQuery } from '#shared/schema/api.ts';
import { success } from '../../common/envelope.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { orderOf, splitInstrument } from '../views.ts';

/** Order history, under both of its paths. */
export function mountOrders(app: App, options: AppOptions, guards: Guards): void {
  for (const path of ['/v1/trading/orders', '/v1/orders']) {
    const list = createRoute({
      method: 'get',
      path,
      tags: ['trading'],
      summary: 'Orders, newest first',
      security: secured('read'),
      middleware: [guards.scope('read')] as const,
      request: { query: ordersQuery },
      responses: { 200: answers(ordersData, 'A page of orders'), ...fails(400), ...denials },
    });
    app.openapi(list, async (context) => {
      const { limit, cursor, status, symbol, operation } = context.req.valid('query');
      const page = await options.store.orders({
        limit,
        cursor,
        matches: ({ event: { data } }) =>
          (status === undefined || data.status === status) &&
          (symbol === undefined || splitInstrument(data.instrument).symbol === symbol) &&
          (operation === undefined || data.operation === operation),
      });
      const data = { orders: page.items.map(orderOf), next_cursor: page.nextCursor ?? null };
      return context.json(success(data, nowMs(options)), 200);
    });
  }
}
