import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { PriceView } from '#shared/schema/api.ts';
import { demand, type Principal } from '../common/auth.ts';
import { ApplicationError } from '../common/errors.ts';
import {
  CONNECTIONS_MAX,
  gap,
  isHeld,
  POLICY_VIOLATION,
  refusal,
  refuseUnheard,
  REPLAY_MAX,
  resumed,
  STRIKES_MAX,
  subscribed,
  unsubscribed,
  wholeOf,
  wishFrom,
  type KnownNames,
  type Resume,
  type Wish,
} from './conversation.ts';
import { KEY_CLOSED, KeyWatch, type IsClosed } from './key-watch.ts';
import { Peer, type PeerSocket } from './peer.ts';
import type { Channel, News, Update } from './subscription.ts';

export type HubOptions = KnownNames & {
  readonly clock: Clock;
  readonly isClosed: IsClosed;
  readonly connectionsMax?: number;
  /** Updates of a channel that are held for `resume`. */
  readonly replayMax?: number;
};

/** What a transport does with one connection. */
export type Connection = {
  readonly message: (text: string) => void;
  readonly closed: () => void;
};

const CARE_EVERY_MS = 50;
const GOING_AWAY = 1001;

type History = { seq: number; readonly held: Update[] };

/**
 * The push side of the API, without a transport. Every channel numbers its updates; the last ones are held for clients that come back.
 * A client that reads too slowly gets the latest state of each subject, never a growing queue.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #peers = new Set<Peer>();
  readonly #keys: KeyWatch;
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
    this.#keys = new KeyWatch(options.clock, options.isClosed);
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
    const opening = opensWith === undefined ? undefined : wholeOf(opensWith);
    if (opening !== undefined)
      this.#guard(peer, () => this.#fulfil(peer, { type: 'subscribe', subscription: opening }));
    return {
      message: (text) => this.#guard(peer, () => this.#fulfil(peer, wishFrom(text, this.#options))),
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
    for (const peer of this.#peers) if (!this.#isOver(peer)) peer.offer(update);
  }

  close(): void {
    this.#timer.current.cancel();
    for (const peer of this.#peers) peer.close(GOING_AWAY, 'server is stopping');
    this.#peers.clear();
  }

  #fulfil(peer: Peer, wish: Wish): void {
    switch (wish.type) {
      case 'subscribe':
        peer.subscribe(wish.subscription);
        peer.say(subscribed(wish.subscription, this.#histories[wish.subscription.channel].seq));
        return;
      case 'unsubscribe':
        peer.unsubscribe(wish.channel, wish);
        peer.say(unsubscribed(wish));
        return;
      case 'resume':
        this.#resume(peer, wish);
        return;
    }
  }

  /** Everything that is still held from `fromSeq` on, as far as subscribed; or the news that some of it is gone. */
  #resume(peer: Peer, wish: Resume): void {
    refuseUnheard(wish.channel, peer.listensTo(wish.channel));
    const { seq, held } = this.#histories[wish.channel];
    const oldest = held[0]?.seq ?? seq + 1;
    if (!isHeld(wish.fromSeq, { oldest, seq })) {
      peer.say(gap(wish, { oldest, seq }));
      return;
    }
    const missed = held.slice(wish.fromSeq - oldest);
    for (const update of missed) peer.offer(update);
    peer.say(resumed(wish, seq));
  }

  /** Runs what a client asked for; says what is wrong with it, and ends the conversation after three such messages in a row. */
  #guard(peer: Peer, action: () => void): void {
    try {
      if (this.#isOver(peer)) throw new ApplicationError(1002);
      demand(peer.principal, 'read');
      action();
      peer.strikes = 0;
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error;
      peer.strikes += 1;
      peer.say(refusal(error, this.#nowMs()));
      if (peer.strikes >= STRIKES_MAX) this.#drop(peer, 'three bad messages in a row');
    }
  }

  #care(): void {
    for (const peer of this.#peers) {
      peer.flush();
      if (this.#isOver(peer)) this.#drop(peer, 'token expired');
      else if (peer.hasDrowned) this.#drop(peer, 'too slow');
    }
    void this.#dropClosed();
  }

  async #dropClosed(): Promise<void> {
    try {
      const closed = await this.#keys.closed([...this.#peers].map(({ principal }) => principal));
      for (const peer of this.#peers) if (closed.has(peer.principal.id)) this.#drop(peer, KEY_CLOSED);
    } catch (error) {
      // The database is away: keys are looked at again.
      if (!(error instanceof ApplicationError)) throw error;
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
