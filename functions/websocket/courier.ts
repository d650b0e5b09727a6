import type { Clock } from '#shared/clock/clock.ts';
import type { ChannelLog, Head } from './channel-log.ts';
import type { Connections, Listener } from './connections.ts';
import {
  gap,
  isHeld,
  POLICY_VIOLATION,
  REPLAY_MAX,
  resumed,
  subscribed,
  wholeOf,
  type Resume,
} from './conversation.ts';
import type { Delivery, Gateway } from './gateway.ts';
import { KEY_CLOSED, KeyWatch, type IsClosed } from './key-watch.ts';
import { subjectOf, wants, wireText, type Channel, type Subscription, type Update } from './subscription.ts';

export type CourierOptions = {
  readonly channels: ChannelLog;
  readonly connections: Connections;
  readonly gateway: Gateway;
  readonly isClosed: IsClosed;
  readonly clock: Clock;
};

/** Connections that are sent to at the same time; each gets its messages one after the other. */
const AT_ONCE = 32;
/** Updates that everybody is sent before the next step: what a sender that dies has done in vain. */
const STEP_MAX = 256;
/** A slow connection holds the others up no more often than this. */
const RETRY_MS = 2_000;
/** Who resumes is sent nothing else meanwhile; API Gateway gives a function half a minute. */
const RESUME_MS = 45_000;
/** API Gateway calls a connection gone that it has not quite opened. */
const OPENING_MS = 10_000;

/**
 * Brings the updates of the channels to those who listen. One sender at a time in each channel, so that a connection's numbers only rise;
 * whoever adds an update stays until everybody has been sent it, by itself or by another. A connection that is slow is owed its updates
 * from then on, and is sent the latest state of each subject when it is tried again.
 */
export class Courier {
  readonly #options: CourierOptions;
  readonly #keys: KeyWatch;

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#keys = new KeyWatch(options.clock, options.isClosed);
  }

  /**
   * Returns when everybody has been sent what the channel has now.
   * @throws ApplicationError 5001, 5002 when that could not be done: what is missing is sent with the next batch, or this one again
   */
  async deliver(channel: Channel): Promise<void> {
    const { channels } = this.#options;
    const { seq, sent } = await channels.head(channel);
    if (sent < seq) await this.#drain(channel);
  }

  /** Ends what must end, and tries those again that are owed something. */
  async care(): Promise<void> {
    const nowMs = this.#nowMs();
    const waiting = new Set<Channel>();
    const listeners = await this.#options.connections.all();
    const closed = await this.#keys.closed(listeners.map(({ principal }) => principal));
    for (const listener of listeners) {
      const { id, expiresAtMs } = listener.principal;
      const isExpired = nowMs >= expiresAtMs;
      if (isExpired || closed.has(id)) {
        await this.end(listener.id, isExpired ? 'token expired' : KEY_CLOSED);
        continue;
      }
      if (listener.greeting !== undefined) waiting.add(listener.greeting);
      for (const [channel, { notBeforeMs }] of listener.debts) if (notBeforeMs <= nowMs) waiting.add(channel);
    }
    for (const channel of waiting) await this.#drain(channel);
  }

  /** Nothing is sent in the channel between the answer and what follows it. */
  async subscribe(listener: Listener, subscription: Subscription): Promise<void> {
    const { channels, connections } = this.#options;
    await channels.exclusively(subscription.channel, async () => {
      await connections.subscribe(listener, subscription);
      const { sent } = await channels.head(subscription.channel);
      await this.say(listener, subscribed(subscription, sent));
    });
  }

  /** Everything that is held from `fromSeq` on, as far as subscribed, then the word that it was all; or that some of it is gone. */
  async resume(listener: Listener, wish: Resume): Promise<void> {
    const { channels, connections } = this.#options;
    const { channel, fromSeq } = wish;
    let end = 0;
    await channels.exclusively(channel, async () => {
      const { sent } = await channels.head(channel);
      const held = { oldest: await channels.oldest(channel, sent), seq: sent };
      if (!isHeld(fromSeq, held)) {
        await this.say(listener, gap(wish, held));
        return;
      }
      end = sent;
      await connections.owe(listener.id, channel, { fromSeq, notBeforeMs: this.#nowMs() + RESUME_MS });
    });
    if (end === 0) return;
    // The most of it while others are sent to; what came meanwhile in turn, so that live updates follow on it.
    const missed = await channels.updates(channel, fromSeq, end);
    if (!(await this.#send(listener, channel, missed))) return;
    await channels.exclusively(channel, async () => {
      const { sent } = await channels.head(channel);
      if (!(await this.#send(listener, channel, await channels.updates(channel, end + 1, sent)))) return;
      await connections.settle(listener.id, channel);
      await this.say(listener, resumed(wish, sent));
    });
  }

  /** An answer to the client itself. One that a slow client does not take is lost to it, as on any connection that breaks. */
  async say({ id }: Listener, message: object): Promise<void> {
    await this.#options.gateway.post(id, JSON.stringify(message));
  }

  /** API Gateway closes with a code of its own: ours goes before it as a message. */
  async end(id: string, reason: string): Promise<void> {
    const { gateway, connections } = this.#options;
    await gateway.post(id, JSON.stringify({ type: 'closing', code: POLICY_VIOLATION, reason }));
    await connections.remove(id);
    await gateway.close(id);
  }

  async #drain(channel: Channel): Promise<void> {
    const { channels, connections } = this.#options;
    await channels.exclusively(channel, async (sentTo) => {
      let head: Head;
      let to: number;
      do {
        head = await channels.head(channel);
        const from = Math.max(head.sent, head.seq - REPLAY_MAX) + 1;
        to = Math.min(head.seq, from + STEP_MAX - 1);
        // After the head: who has been told of its end is among them.
        const listeners = await connections.all();
        const step = { from, to, updates: from <= to ? await channels.updates(channel, from, to) : [] };
        await inParallel(listeners, (listener) => this.#serve(listener, channel, step));
        await sentTo(to);
      } while (to < head.seq);
    });
  }

  async #serve(listener: Listener, channel: Channel, step: Step): Promise<void> {
    const { channels, connections } = this.#options;
    if (this.#nowMs() >= listener.principal.expiresAtMs) return;
    if (listener.greeting === channel && !(await this.#greet(listener, channel, step.from - 1))) return;
    const debt = listener.debts.get(channel);
    if (debt === undefined) {
      await this.#send(listener, channel, step.updates);
      return;
    }
    if (debt.notBeforeMs > this.#nowMs()) return;
    const owed = await channels.updates(channel, debt.fromSeq, step.to);
    if (await this.#send(listener, channel, latestOf(owed))) await connections.settle(listener.id, channel);
  }

  /** Who came by an alias of the address is told that it listens, before anything else. */
  async #greet(listener: Listener, channel: Channel, seq: number): Promise<boolean> {
    const { connections, gateway } = this.#options;
    const delivery = await gateway.post(listener.id, JSON.stringify(subscribed(wholeOf(channel), seq)));
    if (!(await this.#isTaken(listener, channel, { delivery, seq: seq + 1 }))) return false;
    await connections.greeted(listener.id);
    return true;
  }

  /** In order, as far as wanted. False when the connection took them no further: it is owed the rest, or it is gone. */
  async #send(listener: Listener, channel: Channel, updates: readonly Update[]): Promise<boolean> {
    for (const update of updates) {
      const subscription = listener.subscriptions.find((each) => wants(each, update));
      if (subscription === undefined) continue;
      const delivery = await this.#options.gateway.post(listener.id, wireText(update, subscription.id));
      if (!(await this.#isTaken(listener, channel, { delivery, seq: update.seq }))) return false;
    }
    return true;
  }

  async #isTaken(
    { id, connectedAtMs }: Listener,
    channel: Channel,
    { delivery, seq }: { readonly delivery: Delivery; readonly seq: number },
  ): Promise<boolean> {
    const { connections } = this.#options;
    const nowMs = this.#nowMs();
    switch (delivery) {
      case 'sent':
      case 'too-large':
        return true;
      case 'gone':
        if (nowMs - connectedAtMs >= OPENING_MS) {
          await connections.remove(id);
          return false;
        }
        await connections.owe(id, channel, { fromSeq: seq, notBeforeMs: nowMs });
        return false;
      case 'slow':
        await connections.owe(id, channel, { fromSeq: seq, notBeforeMs: nowMs + RETRY_MS });
        return false;
    }
  }

  #nowMs(): number {
    const { clock } = this.#options;
    return clock.unixMs(clock.now());
  }
}

type Step = { readonly from: number; readonly to: number; readonly updates: readonly Update[] };

/** The last update of each subject, in the order of their numbers. */
function latestOf(updates: readonly Update[]): readonly Update[] {
  const latest = new Map(updates.map((update) => [subjectOf(update), update.seq]));
  return updates.filter((update) => latest.get(subjectOf(update)) === update.seq);
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += AT_ONCE)
    await Promise.all(items.slice(from, from + AT_ONCE).map(work));
}
