import { socketRequest, type SocketRequest } from '#shared/schema/socket.ts';
import { isoFromMs } from '../common/envelope.ts';
import { ApplicationError, applicationErrors } from '../common/errors.ts';
import { CHANNELS, type Channel, type Subscription } from './subscription.ts';

/** What a client may say and what it is answered, whoever keeps its connection. */

export const CONNECTIONS_MAX = 50;
export const SUBSCRIPTIONS_MAX = 200;
/** Bad messages in a row that end a conversation. */
export const STRIKES_MAX = 3;
/** Updates of a channel that are held for `resume`. */
export const REPLAY_MAX = 2_048;
/** RFC 6455 §7.4.1: a message that violates policy. */
export const POLICY_VIOLATION = 1008;

export type KnownNames = {
  readonly isKnownSymbol: (symbol: string) => boolean;
  readonly isKnownVenue: (venue: string) => boolean;
};

export type Filter = { readonly symbol?: string | undefined; readonly exchange?: string | undefined };
export type Unsubscribe = Filter & { readonly channel: Channel; readonly id: string | undefined };
/** `fromSeq`: the first sequence wanted again. */
export type Resume = { readonly channel: Channel; readonly fromSeq: number; readonly id: string | undefined };
/** What a client asks for, understood. */
export type Wish =
  | { readonly type: 'subscribe'; readonly subscription: Subscription }
  | ({ readonly type: 'unsubscribe' } & Unsubscribe)
  | ({ readonly type: 'resume' } & Resume);

/** @throws ApplicationError 3001 for what is no request, 2001 and 2002 for a symbol or an exchange that nobody knows */
export function wishFrom(text: string, known: KnownNames): Wish {
  const request = requestFrom(text);
  const channel = channelFrom(request.channel);
  const { id } = request;
  switch (request.type) {
    case 'subscribe': {
      const { symbol, exchange, min_profit } = request;
      if (symbol !== undefined && !known.isKnownSymbol(symbol)) throw new ApplicationError(2001, symbol);
      if (exchange !== undefined && !known.isKnownVenue(exchange)) throw new ApplicationError(2002, exchange);
      return { type: 'subscribe', subscription: { channel, symbol, exchange, minProfit: min_profit, id } };
    }
    case 'unsubscribe':
      return { type: 'unsubscribe', channel, symbol: request.symbol, exchange: request.exchange, id };
    case 'resume':
      return { type: 'resume', channel, fromSeq: request.from_seq, id };
  }
}

/** @throws ApplicationError 3001 naming the channels that there are */
export function channelFrom(name: string): Channel {
  const channel = CHANNELS.find((known) => known === name);
  if (channel !== undefined) return channel;
  throw new ApplicationError(3001, `channel is one of ${CHANNELS.join(', ')}`);
}

/** Everything of a channel: what an alias of the address subscribes. */
export const wholeOf = (channel: Channel): Subscription => ({
  channel,
  symbol: undefined,
  exchange: undefined,
  minProfit: undefined,
  id: undefined,
});

/** A filter again takes the place of the one before. */
export const filterKey = (channel: Channel, { symbol, exchange }: Filter): string =>
  `${channel} ${symbol ?? ''} ${exchange ?? ''}`;

/** @throws ApplicationError 3001 */
export function refuseMany(subscriptions: number): void {
  if (subscriptions >= SUBSCRIPTIONS_MAX)
    throw new ApplicationError(3001, `a connection has at most ${SUBSCRIPTIONS_MAX} subscriptions`);
}

/** @throws ApplicationError 3001 */
export function refuseUnheard(channel: Channel, isSubscribed: boolean): void {
  if (!isSubscribed) throw new ApplicationError(3001, `subscribe to ${channel} before resuming it`);
}

/** What a channel still holds: `oldest` is one more than `seq` when nothing. */
export type Held = { readonly oldest: number; readonly seq: number };
export const isHeld = (fromSeq: number, { oldest, seq }: Held): boolean => fromSeq >= oldest && fromSeq <= seq + 1;

export const subscribed = ({ channel, symbol, id }: Subscription, seq: number): object => ({
  type: 'subscribed',
  channel,
  symbol,
  id,
  seq,
});
export const unsubscribed = ({ channel, symbol, id }: Unsubscribe): object => ({
  type: 'unsubscribed',
  channel,
  symbol,
  id,
});
export const resumed = ({ channel, fromSeq, id }: Resume, seq: number): object => ({
  type: 'resumed',
  channel,
  from_seq: fromSeq,
  seq,
  id,
});
export const gap = ({ channel, fromSeq, id }: Resume, { oldest, seq }: Held): object => ({
  type: 'gap',
  channel,
  from_seq: fromSeq,
  oldest_seq: oldest,
  seq,
  id,
});

export function refusal({ code, detail }: ApplicationError, nowMs: number): object {
  const { message, category } = applicationErrors[code];
  return { type: 'error', timestamp: isoFromMs(nowMs), error: { code, category, message, detail } };
}

function requestFrom(text: string): SocketRequest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ApplicationError(3001, 'a message is one JSON object');
  }
  const result = socketRequest.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ApplicationError(3001, `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`);
}
