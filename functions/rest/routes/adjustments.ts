import { assert } from '#shared/assert.ts';
import {
  adjustmentData,
  adjustmentRequest,
  commandPending,
  positionAdjustmentData,
  positionAdjustmentRequest,
} from '#shared/schema/api.ts';
import type { Command } from '#shared/schema/command.ts';
import { isoFromNs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { exactBodyFrom } from '../body.ts';
import { carriedOut, commandOf, patienceOf, type Accepted } from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

/** The ledger follows the venue: a deposit, a withdrawal, what nobody told the engine. */
export function mountAdjustments(app: App, options: AppOptions, guards: Guards): void {
  mountBalance(app, options, guards);
  mountPosition(app, options, guards);
}

const PENDING = 'The engine has not answered within 3 s; the command stays on its way';

function mountBalance(app: App, options: AppOptions, guards: Guards): void {
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
      202: answers(commandPending, PENDING),
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
    if (answer === undefined) return context.json(success(pendingOf(command), nowMs(options)), 202);
    return context.json(success({ exchange, asset, ...doneOf(command, answer) }, nowMs(options)), 200);
  });
}

function mountPosition(app: App, options: AppOptions, guards: Guards): void {
  const path = '/v1/trading/position-adjustments';
  app.openAPIRegistry.registerPath({
    method: 'post',
    path,
    tags: ['trading'],
    summary: "Make a venue's position in a contract the ledger's",
    security: secured('risk'),
    request: { body: { required: true, content: { 'application/json': { schema: positionAdjustmentRequest } } } },
    responses: {
      200: answers(positionAdjustmentData, 'The ledger was adjusted'),
      202: answers(commandPending, PENDING),
      ...fails(400, 404),
      ...denials,
    },
  });
  app.post(path, guards.scope('risk'), async (context) => {
    const body = exactBodyFrom(await context.req.text(), positionAdjustmentRequest);
    const { exchange, symbol, size, entry_price, reason } = body;
    if (!options.venues.includes(exchange)) throw new ApplicationError(2002, exchange);
    const by = context.get('principal').id;
    const instrument = `${exchange}:${symbol}`;
    const command = commandOf(options, by, { kind: 'adjust-position', instrument, size, entry_price, reason });
    context.set('auditDetail', `${instrument} ${size} at ${entry_price}`);
    const answer = await carriedOut(options, command, patienceOf(options));
    if (answer === undefined) return context.json(success(pendingOf(command), nowMs(options)), 202);
    return context.json(success({ exchange, symbol, ...doneOf(command, answer) }, nowMs(options)), 200);
  });
}

const pendingOf = ({ id }: Command) => ({ state: 'pending' as const, command_id: id });

function doneOf({ id }: Command, answer: Accepted) {
  assert(answer.kind === 'command-done', `an adjustment is not answered by ${answer.kind}`);
  return { command_id: id, detail: answer.data.detail, timestamp: isoFromNs(answer.at) };
}
