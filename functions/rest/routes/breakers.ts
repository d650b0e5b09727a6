import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import { assert, BadInput } from '#shared/assert.ts';
import { breakerResetData, breakersData, commandPending, idParams, pageQuery } from '#shared/schema/api.ts';
import type { BreakerStatus } from '#shared/schema/status.ts';
import { isoFromMs, isoFromNs, success } from '../../common/envelope.ts';
import type { EventOf } from '../../common/store.ts';
import { carriedOut, commandOf, patienceOf } from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { breakerChangeOf } from '../views.ts';

type BreakerView = z.infer<typeof breakersData>['breakers'][number];

/** What stops trading by itself, and is reset by a person alone. */
export function mountBreakers(app: App, options: AppOptions, guards: Guards): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/risk/breakers',
    tags: ['risk'],
    summary: 'Breakers as they stand, and what they did, newest first',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: pageQuery },
    responses: { 200: answers(breakersData, 'All breakers, and a page of their history'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { limit, cursor } = context.req.valid('query');
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw new BadInput('cursor is not one of ours');
    const before = cursor === undefined ? Infinity : Number(cursor);
    const [status, told, history] = await Promise.all([
      options.store.status(),
      options.store.breakers(),
      options.store.breakerHistory(limit + 1, before),
    ]);
    const page = history.slice(0, limit);
    const data = {
      breakers: breakersOf(status?.breakers ?? [], told),
      history: page.map(breakerChangeOf),
      next_cursor: history.length > limit ? String(page.at(-1)!.seq) : null,
    };
    return context.json(success(data, nowMs(options)), 200);
  });

  const reset = createRoute({
    method: 'post',
    path: '/v1/risk/breakers/{id}/reset',
    tags: ['risk'],
    summary: 'Close a breaker',
    security: secured('risk'),
    middleware: [guards.scope('risk')] as const,
    request: { params: idParams },
    responses: {
      200: answers(breakerResetData, 'It is closed'),
      202: answers(commandPending, 'The engine has not answered within 3 s; the command stays on its way'),
      ...fails(400, 404),
      ...denials,
    },
  });
  app.openapi(reset, async (context) => {
    const { id } = context.req.valid('param');
    const command = commandOf(options, context.get('principal').id, { kind: 'breaker-reset', breaker: id });
    const answer = await carriedOut(options, command, patienceOf(options));
    const command_id = command.id;
    if (answer === undefined) {
      return context.json(success({ state: 'pending' as const, command_id }, nowMs(options)), 202);
    }
    assert(answer.kind === 'breaker', `a reset is not answered by ${answer.kind}`);
    return context.json(success({ ...breakerChangeOf(answer), command_id }, nowMs(options)), 200);
  });
}

/** The status has them all with their values; what only the journal knows has its last word. */
function breakersOf(now: readonly BreakerStatus[], told: readonly EventOf<'breaker'>[]): BreakerView[] {
  const listed = new Set(now.map(({ id }) => id));
  return [
    ...now.map(({ opened_ms, ...breaker }) => ({
      ...breaker,
      opened_at: opened_ms === null ? null : isoFromMs(opened_ms),
    })),
    ...told
      .filter(({ data }) => !listed.has(data.id))
      .map(({ data: { id, state, trips, value, limit, reason }, at }) => ({
        id,
        state,
        trips,
        value,
        limit,
        reason,
        opened_at: state === 'open' ? isoFromNs(at) : null,
      })),
  ];
}
