import type { Principal } from '../common/auth.ts';
import { filterKey, refuseMany, type Filter } from './conversation.ts';
import { subjectOf, wants, wireText, type Channel, type Subscription, type Update } from './subscription.ts';

/** One client's connection, whatever carries it. */
export type PeerSocket = {
  readonly send: (text: string) => void;
  readonly close: (code: number, reason: string) => void;
  /** Bytes handed over and not yet on their way. */
  readonly bufferedBytes: () => number;
};

/** Above it a client counts as slow, and updates are conflated. */
const BUFFERED_BYTES_MAX = 64 * 1024;
/** A client that asks and never reads: its answers alone fill this much. */
const DROWNED_BYTES = 4 * 1024 * 1024;
/** Subjects kept for a slow client; beyond it the stalest state is let go. */
const WAITING_MAX = 1_024;

/** A client and what it is owed. */
export class Peer {
  readonly principal: Principal;
  /** Bad messages in a row. */
  strikes = 0;
  readonly #socket: PeerSocket;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Latest update a subject, in the order in which the subjects first had to wait. */
  readonly #waiting = new Map<string, { readonly update: Update; readonly subscription: Subscription }>();

  constructor(socket: PeerSocket, principal: Principal) {
    this.#socket = socket;
    this.principal = principal;
  }

  /** The same filter again replaces the one before. @throws ApplicationError 3001 when there are too many */
  subscribe(subscription: Subscription): void {
    const key = filterKey(subscription.channel, subscription);
    if (!this.#subscriptions.has(key)) refuseMany(this.#subscriptions.size);
    this.#subscriptions.set(key, subscription);
  }

  unsubscribe(channel: Channel, filter: Filter): void {
    this.#subscriptions.delete(filterKey(channel, filter));
  }

  listensTo(channel: Channel): boolean {
    return [...this.#subscriptions.values()].some((subscription) => subscription.channel === channel);
  }

  /** Sends an update that is wanted, once; or keeps it as the subject's latest state while the client is slow. */
  offer(update: Update): void {
    for (const subscription of this.#subscriptions.values()) {
      if (!wants(subscription, update)) continue;
      if (this.#waiting.size > 0 || this.#isSlow()) this.#keep(update, subscription);
      else this.#socket.send(wireText(update, subscription.id));
      return;
    }
  }

  /** Sends what waits, as far as the client keeps up. */
  flush(): void {
    for (const [subject, { update, subscription }] of this.#waiting) {
      if (this.#isSlow()) return;
      this.#waiting.delete(subject);
      this.#socket.send(wireText(update, subscription.id));
    }
  }

  get hasDrowned(): boolean {
    return this.#socket.bufferedBytes() > DROWNED_BYTES;
  }

  /** An answer to the client itself: never conflated; one comes for each message at most. */
  say(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  close(code: number, reason: string): void {
    this.#waiting.clear();
    this.#socket.close(code, reason);
  }

  #keep(update: Update, subscription: Subscription): void {
    const subject = subjectOf(update);
    // Taken out and put back: what waits goes out in the order of its latest state, so that seq never goes down.
    this.#waiting.delete(subject);
    this.#waiting.set(subject, { update, subscription });
    if (this.#waiting.size <= WAITING_MAX) return;
    const [stalest] = this.#waiting.keys();
    this.#waiting.delete(stalest!);
  }

  #isSlow(): boolean {
    return this.#socket.bufferedBytes() > BUFFERED_BYTES_MAX;
  }
}
