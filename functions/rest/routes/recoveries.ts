import { createRoute } from '@hono/zod-openapi';
import { assert } from '#shared/assert.ts';
import {
  commandPending,
  recoveriesData,
  recoveriesQuery,
  recoveryData,
  recoveryParams,
  recoveryRequest,
} from '#shared/schema/api.ts';
import { isoFromNs, success } from '../../common/envelope.ts';
import { carriedOut, commandOf, patienceOf } from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { recoveryOf } from '../views.ts';

/** What recovery asks a person, and the person's word. */
export function mountRecoveries(app: App, options: AppOptions, guards: Guards): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/trading/recoveries',
    tags: ['trading'],
    summary: 'Operations that recovery has given up: what happened, what is at stake, the ways out and their cost',
    security: secured('trade'),
    middleware: [guards.scope('trade')] as const,
    request: { query: recoveriesQuery },
    responses: { 200: answers(recoveriesData, 'A page of requests, newest first'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { limit, cursor, state } = context.req.valid('query');
    const page = await options.store.escalations({
      limit,
      cursor,
      matches: ({ event }) => event.data.state === state,
    });
    const data = { recoveries: page.items.map(({ event }) => recoveryOf(event)), next_cursor: page.nextCursor ?? null };
    return context.json(success(data, nowMs(options)), 200);
  });

  const decide = createRoute({
    method: 'post',
    path: '/v1/trading/recoveries/{operation}',
    tags: ['trading'],
    summary: 'Approve one of the ways out, or cancel the recovery: what is loose stays',
    security: secured('trade'),
    middleware: [guards.scope('trade')] as const,
    request: {
      params: recoveryParams,
      body: { required: true, content: { 'application/json': { schema: recoveryRequest } } },
    },
    responses: {
      200: answers(recoveryData, 'The engine follows it'),
      202: answers(commandPending, 'The engine has not answered within 3 s; the command stays on its way'),
      ...fails(400, 404, 409),
      ...denials,
    },
  });
  app.openapi(decide, async (context) => {
    const { operation } = context.req.valid('param');
    const { decision, proposal } = context.req.valid('json');
    const command = commandOf(options, context.get('principal').id, {
      kind: 'recovery',
      operation,
      decision,
      ...(proposal === undefined ? {} : { proposal }),
    });
    context.set('auditDetail', `${decision} ${operation}${proposal === undefined ? '' : ` ${proposal}`}`);
    const answer = await carriedOut(options, command, patienceOf(options));
    const command_id = command.id;
    if (answer === undefined) {
      return context.json(success({ state: 'pending' as const, command_id }, nowMs(options)), 202);
    }
    assert(answer.kind === 'command-done', `a recovery is not answered by ${answer.kind}`);
    const { detail } = answer.data;
    const data = { operation, decision, command_id, detail, timestamp: isoFromNs(answer.at) };
    return context.json(success(data, nowMs(options)), 200);
  });
}
