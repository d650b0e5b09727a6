import { BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fence } from '#shared/domain/order.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { unpackerOf } from '../../runtime/inflate.ts';
import { rerouted } from '../../runtime/reroute.ts';
import type { Socket } from '../../runtime/transport.ts';
import type { Priority } from '../../runtime/weight-limiter.ts';
import type { AccountEvent, AccountSocket, OrderRef, OrderTicket, Placed } from '../../venues/venue-account.ts';
import type { AccountClient, Outcome } from './account-client.ts';
import { textOfOutcome } from './account-client.ts';

export type SessionOptions = {
  readonly client: AccountClient;
  readonly socket: AccountSocket;
  readonly instruments: readonly Instrument[];
  /** What is not the session's own business: orders, fills, balances, positions. */
  readonly onEvent: (event: AccountNews) => void;
  /** Subscribed: from now on events come. */
  readonly onReady: () => void;
  /** Events since `heardMs` (Unix, the venue's clock as we estimate it) may be lost. Said when the socket ends, and when a frame cannot be read. */
  readonly onLost: (heardMs: number) => void;
};

export type AccountNews = Extract<AccountEvent, { readonly kind: 'order' | 'ended' | 'fill' | 'balance' | 'position' }>;
/** As an outcome of REST; `no-socket`: not sent, for the socket is not ready. */
export type SocketOutcome = Outcome<Placed> | { readonly kind: 'no-socket' };
export type SocketAskOptions = {
  readonly priority: Priority;
  readonly timeoutMs: number;
  readonly withinMs?: number;
  readonly fence?: Fence;
};

type State = 'stopped' | 'closed' | 'passing' | 'connecting' | 'login' | 'ready';
type Answered = Extract<AccountEvent, { readonly kind: 'answer' }>;
type Pending = {
  readonly to: 'place' | 'cancel';
  readonly clientOrderId: string;
  readonly done: (outcome: SocketOutcome) => void;
  readonly timer: Timer;
};

const RECONNECT = { minMs: 250, maxMs: 30_000 } as const;
/** Opened, logged in and subscribed within this time, or opened anew. */
const READY_WITHIN_MS = 15_000;
/** A socket that was ready for so long was no mistake. */
const PROVEN_NS = 10e9;
/** Orders and cancels awaiting their answer on one socket. */
const PENDING_MAX = 1_024;
/** So many frames that cannot be read within a minute, and the socket is not believed any more. */
const MALFORMED_MAX = 3;
const MALFORMED_WINDOW_NS = 60e9;
const LEFT = 1000;

/** One private socket: its pass, login and subscriptions, kept alive and opened again; orders over it where it carries them. */
export class AccountSession {
  reconnects = 0;
  malformed = 0;
  readonly #options: SessionOptions;
  readonly #backoff: Backoff;
  readonly #unpack: ReturnType<typeof unpackerOf>;
  readonly #pending = new Map<string, Pending>();
  #state: State = 'stopped';
  #socket: Socket | undefined;
  /** Counts sockets: what concerns an earlier one is not heard. */
  #generation = 0;
  #pass = '';
  #request = 0;
  #heardNs = 0;
  #readyNs = 0;
  #malformedSinceNs = Number.NEGATIVE_INFINITY;
  #malformedNow = 0;
  readonly #timers: { ready?: Timer; idle?: Timer; heartbeat?: Timer; renew?: Timer; reconnect?: Timer } = {};

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#backoff = new Backoff(RECONNECT, options.client.random);
    this.#unpack = unpackerOf(options.socket.compression);
  }

  get id(): string {
    return this.#options.socket.id;
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  get carriesEvents(): boolean {
    return this.#options.socket.carries.includes('events');
  }

  get carriesOrders(): boolean {
    return this.#options.socket.orders !== undefined;
  }

  start(): void {
    this.#begin();
  }

  stop(): void {
    this.#generation += 1;
    this.#state = 'stopped';
    this.#forget();
    this.#timers.reconnect?.cancel();
    this.#socket?.close();
    this.#socket = undefined;
    this.#failPending();
  }

  place(order: OrderTicket, clientOrderId: string, options: SocketAskOptions, done: Pending['done']): void {
    this.#ask({ to: 'place', clientOrderId, done }, options, (request) => {
      const { client, socket } = this.#options;
      return socket.orders!.place(order, client.context(), request, this.#pass);
    });
  }

  cancel(order: OrderRef, clientOrderId: string, options: SocketAskOptions, done: Pending['done']): void {
    this.#ask({ to: 'cancel', clientOrderId, done }, options, (request) => {
      const { client, socket } = this.#options;
      return socket.orders!.cancel(order, client.context(), request, this.#pass);
    });
  }

  #ask(ask: Omit<Pending, 'timer'>, options: SocketAskOptions, textOf: (request: string) => string): void {
    const { client, socket } = this.#options;
    const { priority, timeoutMs, withinMs, fence } = options;
    if (!this.isReady || socket.orders === undefined || this.#pending.size >= PENDING_MAX) {
      ask.done({ kind: 'no-socket' });
      return;
    }
    const admission = client.limiter.submit({
      priority,
      weight: socket.orders.weight,
      run: () => {
        if (fence?.() !== undefined) ask.done({ kind: 'unsent', why: 'fenced' });
        else if (this.isReady) this.#write(ask, timeoutMs, textOf);
        else ask.done({ kind: 'no-socket' });
      },
      drop: () => ask.done({ kind: 'unsent', why: 'too-late' }),
      ...(withinMs === undefined ? {} : { withinMs }),
    });
    if (admission === 'full' || admission === 'too-heavy') ask.done({ kind: 'unsent', why: admission });
  }

  #write(ask: Omit<Pending, 'timer'>, timeoutMs: number, textOf: (request: string) => string): void {
    this.#request += 1;
    const request = String(this.#request);
    const timer = this.#options.client.clock.after(timeoutMs, () => {
      this.#pending.delete(request);
      ask.done({ kind: 'failed', cause: 'timeout' });
    });
    this.#pending.set(request, { ...ask, timer });
    this.#socket!.send(textOf(request));
  }

  #begin(): void {
    this.#generation += 1;
    const { client, socket } = this.#options;
    if (socket.pass === undefined) {
      this.#open();
      return;
    }
    this.#state = 'passing';
    const generation = this.#generation;
    client.ask(socket.pass.ask, { name: 'pass', priority: 'order' }, (outcome) => {
      if (this.#generation !== generation) return;
      if (outcome.kind !== 'ok') {
        this.#end(LEFT, `no pass: ${textOfOutcome(outcome)}`);
        return;
      }
      this.#pass = outcome.value;
      client.redaction.add(outcome.value);
      this.#open();
    });
  }

  #open(): void {
    const { client, socket } = this.#options;
    const generation = this.#generation;
    const current = (): boolean => this.#generation === generation;
    this.#state = 'connecting';
    this.#heardNs = client.clock.now();
    this.#timers.ready = client.clock.after(READY_WITHIN_MS, () => this.#leave('not ready in time'));
    this.#watchIdle();
    const path = socket.path?.(client.context(), this.#pass) ?? '';
    const url = rerouted(/^wss?:/.test(path) ? path : socket.wsUrl + path, client.setup.via);
    this.#socket = client.transport.open(url, {
      onOpen: () => {
        if (current()) this.#onOpen();
      },
      onFrame: (bytes, start, end) => {
        if (current()) this.#onFrame(bytes.subarray(start, end));
      },
      onPing: () => {
        if (current()) this.#heardNs = client.clock.now();
      },
      onClose: (code, reason) => {
        if (current()) this.#end(code, reason);
      },
    });
  }

  #onOpen(): void {
    const { client, socket } = this.#options;
    this.#state = 'login';
    this.#heardNs = client.clock.now();
    this.#beat();
    this.#renewLater();
    const login = socket.login(client.context(), this.#pass);
    // Where the venue challenges first there may be nothing to say yet.
    if (login.length === 0 && socket.prove === undefined) this.#onReady();
    else this.#sendAll(login);
  }

  #onReady(): void {
    const { client, socket, instruments, onReady } = this.#options;
    if (this.#state !== 'login') return;
    this.#state = 'ready';
    this.#readyNs = client.clock.now();
    this.#timers.ready?.cancel();
    this.#sendAll(socket.subscribe(instruments, client.context(), this.#pass));
    client.logger.info('account-socket-ready', { ...client.name, socket: socket.id });
    onReady();
  }

  #onFrame(bytes: Uint8Array): void {
    const { client, socket } = this.#options;
    this.#heardNs = client.clock.now();
    let events: readonly AccountEvent[];
    try {
      events = socket.decode(this.#unpack === undefined ? bytes : this.#unpack(bytes));
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      this.#onMalformed(error);
      return;
    }
    const generation = this.#generation;
    for (const event of events) {
      if (this.#generation !== generation) return;
      this.#onEvent(event);
    }
  }

  #onEvent(event: AccountEvent): void {
    const { client, socket, onEvent } = this.#options;
    switch (event.kind) {
      case 'order':
      case 'ended':
      case 'fill':
      case 'balance':
      case 'position':
        onEvent(event);
        return;
      case 'answer':
        this.#onAnswer(event);
        return;
      case 'ready':
        this.#onReady();
        return;
      case 'challenge':
        this.#sendAll(socket.prove?.(event.text, client.context()) ?? []);
        return;
      case 'ping':
        this.#socket?.send(event.reply);
        return;
      case 'pong':
        return;
      case 'over':
        this.#leave(event.text);
        return;
      case 'error':
        client.logger.warn('account-socket-error', {
          ...client.name,
          socket: socket.id,
          text: textOfOutcome(event.refusal),
        });
        // Who is not let in is not let in by waiting; who is in has only asked for something that is not there.
        if (this.#state !== 'ready') this.#leave(textOfOutcome(event.refusal));
    }
  }

  /** By its number, else by the order; where a venue repeats neither, there is nobody to tell. */
  #onAnswer({ request, clientOrderId, to, answer }: Answered): void {
    const found =
      request !== undefined && this.#pending.has(request)
        ? request
        : [...this.#pending].find(
            ([, each]) => each.clientOrderId === clientOrderId && (to === 'unsaid' || each.to === to),
          )?.[0];
    if (found === undefined) return;
    const pending = this.#pending.get(found)!;
    this.#pending.delete(found);
    pending.timer.cancel();
    const { client, socket } = this.#options;
    if (answer.kind === 'ok') {
      pending.done(answer);
      return;
    }
    const refusal = client.noted(answer, pending.to);
    if (refusal.meaning === 'rate-limited' && socket.orders !== undefined) client.limiter.spent(socket.orders.weight);
    pending.done(refusal);
  }

  /** A frame of a known kind that cannot be read may have carried anything. */
  #onMalformed({ message }: BadInput): void {
    const { client, socket, onLost } = this.#options;
    const nowNs = client.clock.now();
    this.malformed += 1;
    if (nowNs - this.#malformedSinceNs > MALFORMED_WINDOW_NS) {
      this.#malformedSinceNs = nowNs;
      this.#malformedNow = 0;
    }
    this.#malformedNow += 1;
    client.logger.warn('account-socket-malformed', { ...client.name, socket: socket.id, text: message.slice(0, 300) });
    if (this.#malformedNow >= MALFORMED_MAX) this.#leave('malformed frames');
    else if (this.carriesEvents) onLost(client.nowMs());
  }

  /** Ends the socket; whatever it still has to say is not heard. */
  #leave(reason: string): void {
    const socket = this.#socket;
    this.#end(LEFT, reason);
    socket?.close();
  }

  #end(code: number, reason: string): void {
    const { client, socket, onLost } = this.#options;
    const wasReady = this.isReady;
    this.#generation += 1;
    this.#state = 'closed';
    this.#socket = undefined;
    this.#forget();
    if (wasReady) this.reconnects += 1;
    // It had worked: the next failure is a new one.
    if (wasReady && client.clock.now() - this.#readyNs > PROVEN_NS) this.#backoff.reset();
    const delayMs = this.#backoff.nextMs();
    const text = client.redaction.text(reason).slice(0, 300);
    const reconnectMs = Math.round(delayMs);
    client.logger.warn('account-socket-closed', { ...client.name, socket: socket.id, code, text, reconnectMs });
    this.#timers.reconnect = client.clock.after(delayMs, () => this.#begin());
    if (wasReady && this.carriesEvents) {
      onLost(client.nowMs() - (client.clock.now() - this.#heardNs) / 1e6);
    }
    this.#failPending();
  }

  /** What was sent may have arrived. */
  #failPending(): void {
    const left = [...this.#pending.values()];
    this.#pending.clear();
    for (const { done, timer } of left) {
      timer.cancel();
      done({ kind: 'failed', cause: 'disconnect' });
    }
  }

  #forget(): void {
    const { ready, idle, heartbeat, renew } = this.#timers;
    for (const timer of [ready, idle, heartbeat, renew]) timer?.cancel();
  }

  #watchIdle(): void {
    const { client, socket } = this.#options;
    const leftMs = socket.idleMs - (client.clock.now() - this.#heardNs) / 1e6;
    if (leftMs <= 1e-3) this.#leave('idle');
    else this.#timers.idle = client.clock.after(leftMs, () => this.#watchIdle());
  }

  #beat(): void {
    const { client, socket } = this.#options;
    const { heartbeat } = socket;
    if (heartbeat.kind === 'none') return;
    this.#timers.heartbeat = client.clock.after(heartbeat.everyMs, () => {
      if (heartbeat.kind === 'client-text') this.#socket?.send(heartbeat.text(client.nowMs()));
      else this.#socket?.ping?.();
      this.#beat();
    });
  }

  #renewLater(): void {
    const { client, socket } = this.#options;
    const renew = socket.pass?.renew;
    if (renew === undefined) return;
    const generation = this.#generation;
    this.#timers.renew = client.clock.after(renew.everyMs, () => {
      const make: Parameters<AccountClient['ask']>[0] = (context) => renew.call(context, this.#pass);
      client.persist(
        (told) => client.ask(make, { name: 'renew', priority: 'order' }, told),
        3,
        (outcome) => {
          if (this.#generation !== generation) return;
          if (outcome.kind === 'ok') this.#renewLater();
          else this.#leave(`pass not renewed: ${textOfOutcome(outcome)}`);
        },
      );
    });
  }

  #sendAll(texts: readonly string[]): void {
    for (const text of texts) this.#socket?.send(text);
  }
}
