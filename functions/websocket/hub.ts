import type { Clock, Timer } from '#shared/clock/clock.ts';
import { socketRequest, type PriceView, type SocketRequest } from '#shared/schema/api.ts';
import { demand, type Principal } from '../common/auth.ts';
import { isoFromMs } from '../common/envelope.ts';
import { ApplicationError, applicationErrors } from '../common/errors.ts';
import { Peer, type PeerSocket } from './peer.ts';
import { CHANNELS, type Channel, type News, type Subscription, type Update } from './subscription.ts';

export type HubOptions = {
  readonly clock: Clock;
  readonly isKnownSymbol: (symbol: string) => boolean;
  readonly isKnownVenue: (venue: string) => boolean;
  readonly connectionsMax?: number;
  /** Updates of a channel that are held for `resume`. */
  readonly replayMax?: number;
};

/** What a transport does with one connection. */
export type Connection = {
  readonly message: (text: string) => void;
  readonly closed: () => void;
};

const CONNECTIONS_MAX = 50;
const REPLAY_MAX = 2_048;
const SUBSCRIPTIONS_MAX = 200;
const STRIKES_MAX = 3;
const CARE_EVERY_MS = 50;
/** RFC 6455 §7.4.1: a message that violates policy. */
const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;

type History = { seq: number; readonly held: Update[] };

/**
 * The push side of the API, without a transport. Every channel numbers its updates; the last ones are held for clients that come back.
 * A client that reads too slowly gets the latest state of each subject, never a growing queue.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #peers = new Set<Peer>();
  readonly #histories: Readonly<Record<Channel, History>> = {
    prices: { seq: 0, held: [] },
    opportunities: { seq: 0, held: [] },
    orders: { seq: 0, held: [] },
    trades: { seq: 0, held: [] },
    system: { seq: 0, held: [] },
    risk: { seq: 0, held: [] },
  };
  readonly #timer: { current: Timer };

  constructor(options: HubOptions) {
    this.#options = options;
    const care = (): void => {
      this.#care();
      this.#timer.current = options.clock.after(CARE_EVERY_MS, care);
    };
    this.#timer = { current: options.clock.after(CARE_EVERY_MS, care) };
  }

  get connections(): number {
    return this.#peers.size;
  }

  get isFull(): boolean {
    return this.#peers.size >= (this.#options.connectionsMax ?? CONNECTIONS_MAX);
  }

  /** `opensWith`: the channel that an alias of the address subscribes at once. */
  connect(socket: PeerSocket, principal: Principal, opensWith?: Channel): Connection {
    const peer = new Peer(socket, principal);
    this.#peers.add(peer);
    if (opensWith !== undefined) this.#guard(peer, () => this.#handle(peer, { type: 'subscribe', channel: opensWith }));
    return {
      message: (text) => this.#guard(peer, () => this.#handle(peer, requestFrom(text))),
      closed: () => this.#peers.delete(peer),
    };
  }

  price(data: PriceView): void {
    this.publish({ channel: 'prices', data });
  }

  /** Numbers it, holds it for who comes back, and sends it to who wants it. */
  publish(news: News): void {
    const history = this.#histories[news.channel];
    history.seq += 1;
    const update: Update = { ...news, seq: history.seq };
    history.held.push(update);
    if (history.held.length > (this.#options.replayMax ?? REPLAY_MAX)) history.held.shift();
    for (const peer of this.#peers) peer.offer(update);
  }

  close(): void {
    this.#timer.current.cancel();
    for (const peer of this.#peers) peer.close(GOING_AWAY, 'server is stopping');
    this.#peers.clear();
  }

  #handle(peer: Peer, request: SocketRequest): void {
    demand(peer.principal, 'read');
    const channel = this.#channelFrom(request.channel);
    switch (request.type) {
      case 'subscribe':
        peer.subscribe(this.#subscriptionFrom(channel, request), SUBSCRIPTIONS_MAX);
        peer.say({
          type: 'subscribed',
          channel,
          symbol: request.symbol,
          id: request.id,
          seq: this.#histories[channel].seq,
        });
        return;
      case 'unsubscribe':
        peer.unsubscribe(channel, request);
        peer.say({ type: 'unsubscribed', channel, symbol: request.symbol, id: request.id });
        return;
      case 'resume':
        this.#resume(peer, channel, request.from_seq, request.id);
        return;
    }
  }

  /** Everything that is still held from `fromSeq` on, as far as subscribed; or the news that some of it is gone. */
  #resume(peer: Peer, channel: Channel, fromSeq: number, id: string | undefined): void {
    if (!peer.listensTo(channel)) throw new ApplicationError(3001, `subscribe to ${channel} before resuming it`);
    const { seq, held } = this.#histories[channel];
    const oldest = held[0]?.seq ?? seq + 1;
    if (fromSeq < oldest || fromSeq > seq + 1) {
      peer.say({ type: 'gap', channel, from_seq: fromSeq, oldest_seq: oldest, seq, id });
      return;
    }
    const missed = held.slice(fromSeq - oldest);
    for (const update of missed) peer.offer(update);
    peer.say({ type: 'resumed', channel, from_seq: fromSeq, seq, id });
  }

  #channelFrom(name: string): Channel {
    const channel = CHANNELS.find((known) => known === name);
    if (channel !== undefined) return channel;
    throw new ApplicationError(3001, `channel is one of ${CHANNELS.join(', ')}`);
  }

  #subscriptionFrom(channel: Channel, request: Extract<SocketRequest, { type: 'subscribe' }>): Subscription {
    const { symbol, exchange, min_profit, id } = request;
    if (symbol !== undefined && !this.#options.isKnownSymbol(symbol)) throw new ApplicationError(2001, symbol);
    if (exchange !== undefined && !this.#options.isKnownVenue(exchange)) throw new ApplicationError(2002, exchange);
    return { channel, symbol, exchange, minProfit: min_profit, id };
  }

  /** Runs what a client asked for; says what is wrong with it, and ends the conversation after three such messages in a row. */
  #guard(peer: Peer, action: () => void): void {
    try {
      if (this.#isOver(peer)) throw new ApplicationError(1002);
      action();
      peer.strikes = 0;
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error;
      peer.strikes += 1;
      const { message, category } = applicationErrors[error.code];
      const timestamp = isoFromMs(this.#nowMs());
      peer.say({ type: 'error', timestamp, error: { code: error.code, category, message, detail: error.detail } });
      if (peer.strikes >= STRIKES_MAX) this.#drop(peer, 'three bad messages in a row');
    }
  }

  #care(): void {
    for (const peer of this.#peers) {
      peer.flush();
      if (this.#isOver(peer)) this.#drop(peer, 'token expired');
      else if (peer.hasDrowned) this.#drop(peer, 'too slow');
    }
  }

  #drop(peer: Peer, reason: string): void {
    this.#peers.delete(peer);
    peer.close(POLICY_VIOLATION, reason);
  }

  #isOver(peer: Peer): boolean {
    return this.#nowMs() >= peer.principal.expiresAtMs;
  }

  #nowMs(): number {
    const { clock } = this.#options;
    return clock.unixMs(clock.now());
  }
}

/** @throws ApplicationError 3001 */
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
