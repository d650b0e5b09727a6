import { emergencyData, emergencyPending, tradingData, tradingPending, tradingRequest } from '#shared/schema/api.ts';
import { assert } from '#shared/assert.ts';
import { isoFromNs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { bodyFrom } from '../body.ts';
import { carriedOut, commandOf, patienceOf } from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

const request = { body: { required: false, content: { 'application/json': { schema: tradingRequest } } } };

/** Start, stop, and the emergency stop: commands on the stream, answered by the engine's events that carry their ids. */
export function mountTrading(app: App, options: AppOptions, guards: Guards): void {
  for (const kind of ['start', 'stop'] as const) {
    const path = `/v1/trading/${kind}`;
    app.openAPIRegistry.registerPath({
      method: 'post',
      path,
      tags: ['trading'],
      summary: kind === 'start' ? 'Let the engine trade' : 'Stop the engine from opening operations',
      security: secured('trade'),
      request,
      responses: {
        200: answers(tradingData, 'The new trading state'),
        202: answers(tradingPending, 'The engine has not answered within 3 s; the command stays on its way'),
        ...fails(400),
        ...denials,
      },
    });
    app.post(path, guards.scope('trade'), async (context) => {
      const { reason } = bodyFrom(await context.req.text(), tradingRequest);
      const by = context.get('principal').id;
      const command = commandOf(options, by, { kind, reason: reason === '' ? `${kind} by API` : reason });
      const answer = await carriedOut(options, command, patienceOf(options));
      const command_id = command.id;
      if (answer === undefined) {
        return context.json(success({ state: 'pending' as const, command_id }, nowMs(options)), 202);
      }
      assert(answer.kind === 'trading-state', `${kind} is not answered by ${answer.kind}`);
      const data = { ...answer.data, command_id, timestamp: isoFromNs(answer.at) };
      return context.json(success(data, nowMs(options)), 200);
    });
  }
  mountEmergencyStop(app, options, guards);
}

function mountEmergencyStop(app: App, options: AppOptions, guards: Guards): void {
  const path = '/v1/trading/emergency-stop';
  app.openAPIRegistry.registerPath({
    method: 'post',
    path,
    tags: ['trading'],
    summary: 'Send nothing any more, cancel every open order, and ask the venues until none is left',
    security: secured('risk'),
    request,
    responses: {
      200: answers(emergencyData, 'What every venue says is left'),
      202: answers(emergencyPending, 'Not verified within 3 s; it goes on, and the command can be asked for'),
      ...fails(400),
      ...denials,
    },
  });
  app.post(path, guards.scope('risk'), async (context) => {
    const { reason } = bodyFrom(await context.req.text(), tradingRequest);
    const by = context.get('principal').id;
    const command = commandOf(options, by, {
      kind: 'emergency-stop',
      reason: reason === '' ? 'emergency stop by API' : reason,
    });
    const answer = await carriedOut(options, command, patienceOf(options));
    const command_id = command.id;
    if (answer === undefined) {
      const state = await begunOrNot(options, command_id);
      return context.json(success({ state, command_id }, nowMs(options)), 202);
    }
    assert(answer.kind === 'emergency-stop', `an emergency stop is not answered by ${answer.kind}`);
    const { state, accounts } = answer.data;
    assert(state !== 'started', 'the start of an emergency stop is no answer');
    const data = {
      state,
      reason: answer.data.reason,
      by: answer.data.by,
      command_id,
      accounts: accounts.map(({ venue, account, open, left, ms }) => ({
        exchange: venue,
        account,
        open_orders: open,
        left_orders: left,
        took_ms: ms,
      })),
      timestamp: isoFromNs(answer.at),
    };
    return context.json(success(data, nowMs(options)), 200);
  });
}

/** Whether the engine has begun with it; `pending` also where that cannot be read. */
async function begunOrNot(options: AppOptions, command: string): Promise<'started' | 'pending'> {
  try {
    const stop = await options.store.emergencyStop();
    return stop?.data.command_id === command ? 'started' : 'pending';
  } catch (error) {
    if (!(error instanceof ApplicationError)) throw error;
    return 'pending';
  }
}
