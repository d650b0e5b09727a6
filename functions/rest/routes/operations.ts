import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import { idParams, operationData, operationsData, operationsQuery } from '#shared/schema/api.ts';
import { isoFromNs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import type { EventOf, Operation } from '../../common/store.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { fillOf, operationOf, orderOf, recoveryOf } from '../views.ts';

/** What was done about opportunities, leg by leg. */
export function mountOperations(app: App, options: AppOptions, guards: Guards): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/trading/operations',
    tags: ['trading'],
    summary: 'Operations, newest first',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: operationsQuery },
    responses: { 200: answers(operationsData, 'A page of operations'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { limit, cursor, state } = context.req.valid('query');
    const page = await options.store.operations({
      limit,
      cursor,
      matches: ({ event }) => state === undefined || event.data.state === state,
    });
    const data = { operations: page.items.map(operationOf), next_cursor: page.nextCursor ?? null };
    return context.json(success(data, nowMs(options)), 200);
  });

  const one = createRoute({
    method: 'get',
    path: '/v1/trading/operations/{id}',
    tags: ['trading'],
    summary: 'One operation with its transitions, orders, fills and what each fill did to the profit',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { params: idParams },
    responses: { 200: answers(operationData, 'The operation'), ...fails(404), ...denials },
  });
  app.openapi(one, async (context) => {
    const { id } = context.req.valid('param');
    const [found, escalation] = await Promise.all([options.store.operation(id), options.store.escalation(id)]);
    if (found === undefined) throw new ApplicationError(2003, `no operation ${id}`);
    return context.json(success(detailOf(found, escalation), nowMs(options)), 200);
  });
}

function detailOf(
  { operation, transitions, orders, fills }: Operation,
  escalation: EventOf<'escalation'> | undefined,
): z.infer<typeof operationData> {
  const { rates } = operation.event.data;
  return {
    ...operationOf(operation),
    escalation: escalation === undefined ? null : recoveryOf(escalation),
    transitions: transitions.map(({ data, at }) => ({
      state: data.state,
      reason: data.reason ?? null,
      timestamp: isoFromNs(at),
    })),
    orders: orders.map(orderOf),
    fills: fills.map((fill) => fillOf(fill, rates)),
  };
}
