import { z } from 'zod';
import type { Clock } from '#shared/clock/clock.ts';
import { scope } from '#shared/schema/scope.ts';
import { isClosed } from '../common/api-keys.ts';
import { demand } from '../common/auth.ts';
import { failure } from '../common/envelope.ts';
import { ApplicationError } from '../common/errors.ts';
import type { Log } from '../common/log.ts';
import type { Table } from '../common/table.ts';
import type { Connections, Listener } from './connections.ts';
import {
  channelFrom,
  CONNECTIONS_MAX,
  refusal,
  refuseUnheard,
  STRIKES_MAX,
  unsubscribed,
  wholeOf,
  wishFrom,
  type KnownNames,
  type Wish,
} from './conversation.ts';
import type { Courier } from './courier.ts';
import { KEY_CLOSED } from './key-watch.ts';

export type PushOptions = {
  readonly state: Table;
  readonly connections: Connections;
  readonly courier: Courier;
  readonly known: () => Promise<KnownNames>;
  readonly clock: Clock;
  readonly log: Log;
};

/** What the authorizer found out; its context is text. */
const authorizerContext = z.object({
  principalId: z.string().min(1),
  scopes: z.string().transform((text) => scope.array().parse(text.split(' ').filter((part) => part !== ''))),
  expiresAtMs: z.coerce.number(),
});

/** What we read of a WebSocket API's proxy event. */
export type PushEvent = {
  readonly requestContext: {
    readonly eventType: 'CONNECT' | 'MESSAGE' | 'DISCONNECT';
    readonly connectionId: string;
    readonly requestId: string;
    readonly authorizer?: unknown;
  };
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | null;
  readonly body?: string | null;
};
export type PushResult = { readonly statusCode: number; readonly body?: string };

const OK: PushResult = { statusCode: 200 };

/** The push API behind API Gateway: `$connect`, `$disconnect` and whatever clients say. */
export function createPush(options: PushOptions): (event: PushEvent) => Promise<PushResult> {
  return async (event) => {
    const { eventType, connectionId, requestId } = event.requestContext;
    switch (eventType) {
      case 'CONNECT':
        try {
          await open(options, event);
          return OK;
        } catch (thrown) {
          const error = known(thrown);
          return { statusCode: error.status, body: JSON.stringify(failure(error, requestId, nowMs(options))) };
        }
      case 'DISCONNECT':
        await options.connections.remove(connectionId);
        return OK;
      case 'MESSAGE':
        await hear(options, connectionId, event.body ?? '');
        return OK;
    }
  };
}

/** `?channel=prices` opens with that channel: a WebSocket API has one path only. */
async function open({ state, connections, clock }: PushOptions, event: PushEvent): Promise<void> {
  const { requestContext, queryStringParameters } = event;
  const { principalId, scopes, expiresAtMs } = authorizerContext.parse(requestContext.authorizer);
  const now = clock.unixMs(clock.now());
  const wanted = queryStringParameters?.['channel'];
  const opensWith = wanted === undefined ? undefined : wholeOf(channelFrom(wanted));
  const principal = { id: principalId, scopes, expiresAtMs };
  if (await isClosed(state, principalId, now)) throw new ApplicationError(1001, KEY_CLOSED);
  if (opensWith !== undefined) demand(principal, 'read');
  if ((await connections.all()).length >= CONNECTIONS_MAX)
    throw new ApplicationError(5002, 'all connections are taken');
  await connections.open(requestContext.connectionId, principal, now, opensWith);
}

async function hear(options: PushOptions, id: string, text: string): Promise<void> {
  const { connections, courier, log } = options;
  const listener = await connections.get(id);
  // Nothing would ever come over it: its client had better connect again.
  if (listener === undefined) {
    await courier.end(id, 'the connection is not known');
    return;
  }
  try {
    if (nowMs(options) >= listener.principal.expiresAtMs) throw new ApplicationError(1002);
    demand(listener.principal, 'read');
    await fulfil(options, listener, wishFrom(text, await options.known()));
    await connections.forgive(listener);
  } catch (thrown) {
    const error = known(thrown);
    await courier.say(listener, refusal(error, nowMs(options)));
    if (error.status >= 500) {
      // Not the client's fault.
      log.error('push-failed', { connection: id, cause: error.detail ?? error.message });
      return;
    }
    if ((await connections.strike(id)) >= STRIKES_MAX) await courier.end(id, 'three bad messages in a row');
  }
}

async function fulfil({ connections, courier }: PushOptions, listener: Listener, wish: Wish): Promise<void> {
  switch (wish.type) {
    case 'subscribe':
      await courier.subscribe(listener, wish.subscription);
      return;
    case 'unsubscribe':
      await connections.unsubscribe(listener.id, wish.channel, wish);
      await courier.say(listener, unsubscribed(wish));
      return;
    case 'resume':
      refuseUnheard(
        wish.channel,
        listener.subscriptions.some(({ channel }) => channel === wish.channel),
      );
      await courier.resume(listener, wish);
      return;
  }
}

/** What is no outcome we know is our own bug, and fails the function. */
function known(thrown: unknown): ApplicationError {
  if (thrown instanceof ApplicationError) return thrown;
  throw thrown;
}

const nowMs = ({ clock }: PushOptions): number => clock.unixMs(clock.now());
