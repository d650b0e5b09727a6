import { BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate, ReferenceUpdate, TradePrint } from '#shared/domain/market-event.ts';
import { Backoff } from '../runtime/backoff.ts';
import { Frame } from '../runtime/frame.ts';
import { unpackerOf } from '../runtime/inflate.ts';
import { RateLimiter } from '../runtime/rate-limiter.ts';
import type { Socket, SocketHandlers } from '../runtime/transport.ts';
import type { Control } from '../venues/venue.ts';
import type { Endpoint } from './endpoint.ts';
import type { Outside } from './rest-reader.ts';
import { FeedSink } from './sink.ts';
import type { Tally } from './tally.ts';

/** What the connections of one market share. */
export type ConnectionContext = Outside & {
  readonly endpoint: Endpoint;
  /** The whole run's registry: a position in it is an InstrumentIndex. */
  readonly instruments: readonly Instrument[];
  readonly tally: Tally;
  /** Paces the opening of sockets. */
  readonly openings: RateLimiter;
};

/** Whoever subscribes over a connection: told what becomes of it, and handed what its frames say. */
export type ConnectionUser = {
  /** The socket is open and greeted: now one subscribes. */
  readonly onOpen: () => void;
  /** Something arrived: what was sent before it is not on its way any more. */
  readonly onLife?: (receivedTimeNs: TimeNs) => void;
  /** A frame was read to its end, and all that follows from it was done. */
  readonly onRead?: (receivedTimeNs: TimeNs) => void;
  /** Frames did not arrive, nobody knows of which instrument. */
  readonly onLost?: () => void;
  /** A frame could not be read. `onDoubt` follows, unless the socket is left. */
  readonly onMalformed?: () => void;
  /** A malformed frame is over: everything is to be started over, on the same socket. */
  readonly onDoubt: () => void;
  /** The socket is gone; another is opened soon. */
  readonly onClosed: (reason: string) => void;
  readonly onUpdate: (update: MarketUpdate) => void;
  readonly onPrint?: (print: TradePrint) => void;
  readonly onReference?: (reference: ReferenceUpdate) => void;
};

export type ConnectionState = 'closed' | 'connecting' | 'open' | 'stopped';

const RECONNECT = { minMs: 250, maxMs: 30_000 } as const;
/** So many malformed frames within a minute, and the socket itself is no longer believed. */
const MALFORMED_MAX = 3;
const MALFORMED_WINDOW_NS = 60e9;
/** Close code of sockets that we end ourselves. @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const LEFT = 1000;
const SENDS_QUEUED_MAX = 10_000;

/** One socket of one market: opened at the venue's pace, kept alive, read, left when it says nothing or nonsense, opened again. */
export class Connection {
  readonly sink: FeedSink;
  readonly #context: ConnectionContext;
  readonly #url: string;
  readonly #user: ConnectionUser;
  readonly #backoff: Backoff;
  readonly #sends: RateLimiter;
  readonly #frame = new Frame();
  readonly #unpack: ReturnType<typeof unpackerOf>;
  #state: ConnectionState = 'closed';
  #socket: Socket | undefined;
  /** Counts sockets: what an earlier one still says is not heard. */
  #generation = 0;
  #opened = false;
  #proven = false;
  #request = 0;
  #lastFrameNs = 0;
  #malformed = 0;
  #malformedSinceNs = Number.NEGATIVE_INFINITY;
  #timers: { watch?: Timer; heartbeat?: Timer; reconnect?: Timer; malformed?: Timer } = {};

  constructor(context: ConnectionContext, url: string, user: ConnectionUser) {
    const { endpoint, instruments, clock, random } = context;
    const { market } = endpoint;
    this.#context = context;
    this.#url = url;
    this.#user = user;
    this.#unpack = unpackerOf(market.compression);
    this.#backoff = new Backoff(RECONNECT, random);
    // Half the limit as burst and half as rate: no second ever sees more than the limit.
    const half = market.limits.messagesPerSecond / 2;
    this.#sends = new RateLimiter(clock, {
      perSecond: half,
      burst: Math.max(1, Math.floor(half)),
      queueMax: SENDS_QUEUED_MAX,
    });
    this.sink = new FeedSink({
      instruments,
      venue: endpoint.venue.id,
      market: market.id,
      onUpdate: user.onUpdate,
      onControl: this.#onControl,
      ...(user.onPrint !== undefined && { onPrint: user.onPrint }),
      ...(user.onReference !== undefined && { onReference: user.onReference }),
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Attempts to connect since the connection last carried data. */
  get failures(): number {
    return this.#backoff.attempts;
  }

  start(): void {
    this.#open();
  }

  stop(): void {
    this.#state = 'stopped';
    this.#generation += 1;
    this.#timers.reconnect?.cancel();
    this.#forget();
    this.#socket?.close();
  }

  /** The connection carries data: the next failure is a new one. */
  prove(): void {
    if (this.#proven) return;
    this.#proven = true;
    this.#backoff.reset();
  }

  /** Sends at the pace that the venue allows. */
  send(texts: readonly string[]): void {
    const generation = this.#generation;
    for (const text of texts) {
      const queued = this.#sends.run(() => {
        if (this.#generation === generation) this.#socket?.send(text);
      });
      // Not a venue's doing: no market has so many symbols a socket. Reconnecting is the only state that is surely right.
      if (!queued) {
        this.leave('too many messages to send');
        return;
      }
    }
  }

  nextRequest(): number {
    this.#request += 1;
    return this.#request;
  }

  /** Ends the socket; whatever it still has to say is not heard. */
  leave(reason: string): void {
    const socket = this.#socket;
    this.#generation += 1;
    this.#onClose(LEFT, reason);
    socket?.close();
  }

  #open(): void {
    const { transport, clock, openings } = this.#context;
    this.#generation += 1;
    const generation = this.#generation;
    const current = (): boolean => this.#generation === generation;
    this.#state = 'connecting';
    openings.run(() => {
      if (!current()) return;
      this.#lastFrameNs = clock.now();
      this.#watch();
      const handlers: SocketHandlers = {
        onOpen: () => {
          if (current()) this.#onOpen();
        },
        onFrame: (bytes, start, end, receivedTimeNs) => {
          if (this.#generation === generation) this.#onFrame(bytes, start, end, receivedTimeNs);
        },
        onPing: (receivedTimeNs) => {
          if (current()) this.#onLife(receivedTimeNs);
        },
        onClose: (code, reason) => {
          if (current()) this.#onClose(code, reason);
        },
      };
      this.#socket = transport.open(this.#url, handlers, 'feed');
    });
  }

  #onOpen(): void {
    const { endpoint, tally, logger } = this.#context;
    const { venue, market } = endpoint;
    this.#state = 'open';
    this.#proven = false;
    if (this.#opened) tally.reconnects += 1;
    this.#opened = true;
    logger.info('feed-open', { venue: venue.id, market: market.id });
    this.sink.connection.reset();
    this.#beat();
    this.send(market.greeting ?? []);
    this.#user.onOpen();
  }

  /** The hot path: bytes → numbers → books → decision, all before this returns. */
  #onFrame(bytes: Uint8Array, start: number, end: number, receivedTimeNs: TimeNs): void {
    const { endpoint, tally } = this.#context;
    this.#onLife(receivedTimeNs);
    tally.messages += 1;
    this.sink.update.receivedTimeNs = receivedTimeNs;
    try {
      if (this.#unpack === undefined) this.#frame.window(bytes, start, end);
      else {
        const text = this.#unpack(bytes.subarray(start, end));
        this.#frame.window(text, 0, text.length);
      }
      endpoint.market.decode(this.#frame, this.sink);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      this.#onMalformed(error);
      return;
    }
    this.#user.onRead?.(receivedTimeNs);
  }

  /** Whatever arrives proves that nothing sent before it is still on its way. */
  #onLife(receivedTimeNs: TimeNs): void {
    this.#lastFrameNs = receivedTimeNs;
    this.#user.onLife?.(receivedTimeNs);
  }

  readonly #onControl = (kind: Control, text: string): void => {
    const { endpoint, logger, tally } = this.#context;
    if (kind === 'ack' || kind === 'pong') return;
    if (kind === 'ping') {
      const { heartbeat } = endpoint.market;
      // Past the pacing of requests: a late answer costs the socket.
      if (heartbeat.kind === 'server-text') this.#socket?.send(heartbeat.reply(text));
      return;
    }
    logger.warn(`feed-${kind}`, { venue: endpoint.venue.id, market: endpoint.market.id, text: text.slice(0, 300) });
    // The venue announces that it will close: leave before the books are interrupted at a bad moment.
    if (kind === 'notice') this.leave('the venue will close');
    if (kind === 'lost') {
      tally.gaps += 1;
      this.#user.onLost?.();
    }
  };

  #onMalformed({ message }: BadInput): void {
    const { endpoint, tally, clock, logger } = this.#context;
    const nowNs = clock.now();
    tally.malformed += 1;
    this.#user.onMalformed?.();
    if (nowNs - this.#malformedSinceNs > MALFORMED_WINDOW_NS) {
      this.#malformed = 0;
      this.#malformedSinceNs = nowNs;
      logger.warn('feed-malformed', { venue: endpoint.venue.id, market: endpoint.market.id, text: message });
    }
    this.#malformed += 1;
    if (this.#malformed >= MALFORMED_MAX) this.leave('malformed frames');
    else {
      this.#timers.malformed ??= clock.after(0, () => {
        delete this.#timers.malformed;
        this.#user.onDoubt();
      });
    }
  }

  #onClose(code: number, reason: string): void {
    const { endpoint, clock, logger } = this.#context;
    this.#state = 'closed';
    this.#socket = undefined;
    this.#forget();
    const delayMs = this.#backoff.nextMs();
    const { venue, market } = endpoint;
    logger.warn('feed-closed', { venue: venue.id, market: market.id, code, reason, reconnectMs: Math.round(delayMs) });
    this.#timers.reconnect = clock.after(delayMs, () => this.#open());
    this.#user.onClosed(`${code} ${reason}`.trim());
  }

  /** Nothing of the lost connection is awaited any more. */
  #forget(): void {
    this.#sends.clear();
    this.#timers.watch?.cancel();
    this.#timers.heartbeat?.cancel();
    this.#timers.malformed?.cancel();
    this.#timers = {};
  }

  #watch(): void {
    const { endpoint, clock, logger } = this.#context;
    const { venue, market } = endpoint;
    const leftMs = market.idleMs - (clock.now() - this.#lastFrameNs) / 1e6;
    if (leftMs > 1e-3) {
      this.#timers.watch = clock.after(leftMs, () => this.#watch());
      return;
    }
    logger.warn('feed-idle', { venue: venue.id, market: market.id, idleMs: market.idleMs });
    this.leave('idle');
  }

  #beat(): void {
    const { heartbeat } = this.#context.endpoint.market;
    if (heartbeat.kind !== 'client-text' && heartbeat.kind !== 'client-protocol-ping') return;
    this.#timers.heartbeat = this.#context.clock.after(heartbeat.everyMs, () => {
      if (heartbeat.kind === 'client-text') this.#socket?.send(heartbeat.text);
      else this.#socket?.ping?.();
      this.#beat();
    });
  }
}
