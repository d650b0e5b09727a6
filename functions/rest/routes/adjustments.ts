import { assert } from '#shared/assert.ts';
import { adjustmentData, adjustmentRequest, commandPending } from '#shared/schema/api.ts';
import { isoFromNs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { exactBodyFrom } from '../body.ts';
import { carriedOut, commandOf, patienceOf } from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

/** The ledger follows the venue: a deposit, a withdrawal, what nobody told the engine. */
export function mountAdjustments(app: App, options: AppOptions, guards: Guards): void {
  const path = '/v1/trading/adjustments';
  app.openAPIRegistry.registerPath({
    method: 'post',
    path,
    tags: ['trading'],
    summary: "Make a venue's amount of an asset the ledger's",
    security: secured('risk'),
    request: { body: { required: true, content: { 'application/json': { schema: adjustmentRequest } } } },
    responses: {
      200: answers(adjustmentData, 'The ledger was adjusted'),
      202: answers(commandPending, 'The engine has not answered within 3 s; the command stays on its way'),
      ...fails(400, 404),
      ...denials,
    },
  });
  app.post(path, guards.scope('risk'), async (context) => {
    const { exchange, asset, amount, reason } = exactBodyFrom(await context.req.text(), adjustmentRequest);
    if (!options.venues.includes(exchange)) throw new ApplicationError(2002, exchange);
    const by = context.get('principal').id;
    const command = commandOf(options, by, { kind: 'adjust', venue: exchange, asset, amount, reason });
    context.set('auditDetail', `${exchange} ${asset} ${amount}`);
    const answer = await carriedOut(options, command, patienceOf(options));
    const command_id = command.id;
    if (answer === undefined) {
      return context.json(success({ state: 'pending' as const, command_id }, nowMs(options)), 202);
    }
    assert(answer.kind === 'command-done', `an adjustment is not answered by ${answer.kind}`);
    const { detail } = answer.data;
    const data = { exchange, asset, command_id, detail, timestamp: isoFromNs(answer.at) };
    return context.json(success(data, nowMs(options)), 200);
  });
}
