import { createRoute } from '@hono/zod-openapi';
import { commandData, idParams } from '#shared/schema/api.ts';
import { isoFromNs, success } from '../../common/envelope.ts';
import { wordOf } from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

/** What became of a command that was still on its way when its sender was answered. */
export function mountCommands(app: App, options: AppOptions, guards: Guards): void {
  const one = createRoute({
    method: 'get',
    path: '/v1/trading/commands/{id}',
    tags: ['trading'],
    summary: 'What the engine has said to a command, for a day; `pending` while it has said nothing',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { params: idParams },
    responses: { 200: answers(commandData, "The engine's word"), ...denials },
  });
  app.openapi(one, async (context) => {
    const { id } = context.req.valid('param');
    const answer = await options.store.commandAnswer(id);
    const data = { ...wordOf(id, answer), answered_at: answer === undefined ? null : isoFromNs(answer.at) };
    return context.json(success(data, nowMs(options)), 200);
  });
}
