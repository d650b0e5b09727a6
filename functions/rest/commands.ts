import { createHash, randomUUID } from 'node:crypto';
import type { Clock } from '#shared/clock/clock.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { CommandWord } from '#shared/schema/api.ts';
import type { Command } from '#shared/schema/command.ts';
import { ApplicationError, isErrorCode } from '../common/errors.ts';
import { ANSWER_TTL_MS, at } from '../common/layout.ts';
import type { CommandAnswer, EventOf } from '../common/store.ts';
import { nowMs, type AppOptions } from './context.ts';

const WAIT_MS = 3_000;
const LOOK_EVERY_MS = 50;

/** What is asked of the engine, without the facts of the asking. */
export type Wish = Command extends infer C ? (C extends Command ? Omit<C, 'v' | 'id' | 'by' | 'at_ms'> : never) : never;
export type Accepted = Exclude<CommandAnswer, EventOf<'command-refused'>>;

export const commandOf = (options: AppOptions, by: string, wish: Wish, id: string = randomUUID()): Command => ({
  v: 1,
  id,
  by,
  at_ms: nowMs(options),
  ...wish,
});

/** How long a request waits for the engine, and for what follows its answer. */
export const patienceOf = ({ clock }: AppOptions): TimeNs => (clock.now() + WAIT_MS * 1e6) as TimeNs;

/**
 * Sends a command and waits for the engine's word; undefined when it does not come in time.
 * @throws ApplicationError 5002 when the stream does not take it, the engine's own code when it refuses
 */
export async function carriedOut(
  options: AppOptions,
  command: Command,
  untilNs: TimeNs,
): Promise<Accepted | undefined> {
  await send(options, command);
  return acceptedFrom(await answerTo(options, command.id, untilNs));
}

/** @throws ApplicationError with the engine's own code when it refused */
export function acceptedFrom(answer: CommandAnswer | undefined): Accepted | undefined {
  if (answer?.kind !== 'command-refused') return answer;
  const { code, reason } = answer.data;
  throw new ApplicationError(isErrorCode(code) ? code : 5002, reason);
}

/** @throws ApplicationError 5002 */
export async function send(options: AppOptions, command: Command): Promise<void> {
  await options.sendCommand(command).catch((error: unknown) => {
    options.log.warn('command-not-sent', { command: command.id, cause: String(error) });
    throw new ApplicationError(5002, 'the command stream does not answer');
  });
}

/** For changes that stand whatever the engine says of them: its word as data, a stream that is away included. */
export async function wordOn(
  options: AppOptions,
  command: Command,
): Promise<{ readonly word: CommandWord; readonly answer: CommandAnswer | undefined }> {
  try {
    await send(options, command);
  } catch (error) {
    if (!(error instanceof ApplicationError)) throw error;
    return {
      word: { ...wordOf(command.id, undefined), state: 'unsent', reason: error.detail ?? null },
      answer: undefined,
    };
  }
  const answer = await answerTo(options, command.id, patienceOf(options));
  return { word: wordOf(command.id, answer), answer };
}

export function wordOf(command_id: string, answer: CommandAnswer | undefined): CommandWord {
  const nothing = { command_id, code: null, reason: null, detail: {} };
  switch (answer?.kind) {
    case undefined:
      return { ...nothing, state: 'pending' };
    case 'command-refused':
      return { ...nothing, state: 'refused', code: answer.data.code, reason: answer.data.reason };
    case 'command-done':
      return { ...nothing, state: 'done', detail: answer.data.detail };
    case 'trading-state':
    case 'breaker':
    case 'emergency-stop':
      return { ...nothing, state: 'done', reason: answer.data.reason, detail: { state: answer.data.state } };
    case 'risk-limits':
      return { ...nothing, state: 'done' };
  }
}

/**
 * The id of a command that its sender has named: the same name of the same sender is the same command.
 * @throws ApplicationError 3001 with status 409 when it came with another wish before
 */
export async function namedCommand(
  options: AppOptions,
  { by, name, wish }: { readonly by: string; readonly name: string; readonly wish: Wish },
): Promise<{ readonly id: string; readonly isRepeated: boolean }> {
  const { store } = options;
  const id = sha256(JSON.stringify([by, name])).slice(0, 40);
  const before = await store.state.update(at.commandRequest(store.engine, id), {
    UpdateExpression: 'SET wish_sha256 = :wish, #ttl = :ttl',
    ConditionExpression: 'attribute_not_exists(wish_sha256) OR wish_sha256 = :wish',
    ExpressionAttributeNames: { '#ttl': 'ttl' },
    ExpressionAttributeValues: {
      ':wish': sha256(JSON.stringify(wish)),
      ':ttl': Math.ceil((nowMs(options) + ANSWER_TTL_MS) / 1000),
    },
    ReturnValues: 'ALL_OLD',
  });
  if (before === undefined) throw new ApplicationError(3001, 'this name was used for another order', {}, 409);
  return { id, isRepeated: before['wish_sha256'] !== undefined };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The engine's word; undefined when it does not come in time, or cannot be read: the command is on its way all the same. */
async function answerTo(options: AppOptions, id: string, untilNs: TimeNs): Promise<CommandAnswer | undefined> {
  try {
    return await found(options.clock, untilNs, () => options.store.commandAnswer(id));
  } catch (error) {
    if (!(error instanceof ApplicationError)) throw error;
    options.log.warn('command-answer-unread', { command: id, cause: error.message });
    return undefined;
  }
}

/** Looks until there is something to see; undefined when it is too late. */
export async function found<T>(
  clock: Clock,
  untilNs: TimeNs,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  for (;;) {
    const seen = await look();
    // By the clock: a look at a busy table may take longer than the pause between two.
    if (seen !== undefined || clock.now() >= untilNs) return seen;
    await new Promise<void>((resolve) => {
      clock.after(LOOK_EVERY_MS, resolve);
    });
  }
}
