import { randomUUID } from 'node:crypto';
import type { z } from '@hono/zod-openapi';
import { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import { tradingData, tradingPending, tradingRequest } from '#shared/schema/api.ts';
import type { Command } from '#shared/schema/command.ts';
import { isoFromNs, success } from '../../common/envelope.ts';
import { ApplicationError, detailOf, isErrorCode } from '../../common/errors.ts';
import type { EventOf, Store } from '../../common/store.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

const WAIT_MS = 3_000;
const LOOK_EVERY_MS = 50;

/**
 * Start and stop: a command on the stream, answered by the engine's event that carries its id. The body is read here and not by the
 * route's validators, which refuse one that is empty or not declared as JSON: a plain `curl -d` must be able to stop the engine.
 */
export function mountTrading(app: App, options: AppOptions, guards: Guards): void {
  for (const kind of ['start', 'stop'] as const) {
    const path = `/v1/trading/${kind}`;
    app.openAPIRegistry.registerPath({
      method: 'post',
      path,
      tags: ['trading'],
      summary: kind === 'start' ? 'Let the engine trade' : 'Stop the engine from opening operations',
      security: secured,
      request: { body: { required: false, content: { 'application/json': { schema: tradingRequest } } } },
      responses: {
        200: answers(tradingData, 'The new trading state'),
        202: answers(tradingPending, 'The engine has not answered within 3 s; the command stays on its way'),
        ...fails(400),
        ...denials,
      },
    });
    app.post(path, guards.scope('trade'), async (context) => {
      const { reason } = requestFrom(await context.req.text());
      const command: Command = {
        v: 1,
        id: randomUUID(),
        by: context.get('principal').id,
        at_ms: nowMs(options),
        kind,
        reason: reason === '' ? `${kind} by API` : reason,
      };
      await options.sendCommand(command).catch((error: unknown) => {
        options.log.warn('command-not-sent', { command: command.id, cause: String(error) });
        throw new ApplicationError(5002, 'the command stream does not answer');
      });
      const answer = await answerTo(command.id, options.store, options.clock).catch((error: unknown) => {
        // It is on its way whether or not we can look for the answer.
        if (!(error instanceof ApplicationError)) throw error;
        options.log.warn('command-answer-unread', { command: command.id, cause: error.message });
        return undefined;
      });
      if (answer === undefined) {
        return context.json(success({ state: 'pending' as const, command_id: command.id }, nowMs(options)), 202);
      }
      return context.json(success(outcomeOf(answer, command.id), nowMs(options)), 200);
    });
  }
}

/** @throws BadInput when there is a body and it is none of ours */
function requestFrom(body: string): z.infer<typeof tradingRequest> {
  let json: unknown;
  try {
    json = body.trim() === '' ? {} : JSON.parse(body);
  } catch {
    throw new BadInput('the body is not JSON');
  }
  const result = tradingRequest.safeParse(json);
  if (!result.success) throw new BadInput(detailOf(result.error.issues));
  return result.data;
}

/** The engine's word, waited for; undefined when it does not come in time. */
async function answerTo(
  id: string,
  store: Store,
  clock: Clock,
): Promise<EventOf<'trading-state' | 'command-refused'> | undefined> {
  // By the clock: a look at a busy table may take longer than the pause between two.
  const untilNs = clock.now() + WAIT_MS * 1e6;
  for (;;) {
    const answer = await store.commandAnswer(id);
    if (answer !== undefined || clock.now() >= untilNs) return answer;
    await new Promise<void>((resolve) => {
      clock.after(LOOK_EVERY_MS, resolve);
    });
  }
}

/** @throws ApplicationError with the engine's own code when it refused */
function outcomeOf(
  answer: EventOf<'trading-state' | 'command-refused'>,
  command_id: string,
): { state: 'active' | 'reducing' | 'halted'; reason: string; by: string; command_id: string; timestamp: string } {
  if (answer.kind === 'command-refused') {
    const { code, reason } = answer.data;
    throw new ApplicationError(isErrorCode(code) ? code : 5002, reason);
  }
  const { state, reason, by } = answer.data;
  return { state, reason, by, command_id, timestamp: isoFromNs(answer.at) };
}
