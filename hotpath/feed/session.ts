import { BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { BookStatus, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA } from '#shared/domain/market-event.ts';
import type { BookRules, Control } from '../venues/venue.ts';
import { Backoff } from '../runtime/backoff.ts';
import { Frame } from '../runtime/frame.ts';
import { unpackerOf } from '../runtime/inflate.ts';
import { RateLimiter } from '../runtime/rate-limiter.ts';
import type { Socket } from '../runtime/transport.ts';
import type { Endpoint } from './endpoint.ts';
import type { Outside, ReadOutcome, RestReader } from './rest-reader.ts';
import { FeedSink } from './sink.ts';
import { Subscription } from './subscription.ts';
import type { Tally } from './tally.ts';

/** The books as a feed sees them: whom to tell that a connection lives or died, whom to ask whether a book has come. */
export type FeedBooks = {
  /** From now on frames of `connection` prove that the instrument's book is current. */
  readonly assign: (instrument: InstrumentIndex, connection: number) => void;
  readonly heard: (connection: number, nowNs: TimeNs) => void;
  readonly distrust: (instrument: InstrumentIndex) => void;
  readonly depths: { readonly status: (instrument: InstrumentIndex) => BookStatus };
};

/** What the sessions of one market share. */
export type SessionContext = Outside & {
  readonly endpoint: Endpoint;
  /** The whole run's registry: a position in it is an InstrumentIndex. */
  readonly instruments: readonly Instrument[];
  readonly books: FeedBooks;
  readonly tally: Tally;
  readonly reader: RestReader;
  /** Paces the opening of sockets. */
  readonly openings: RateLimiter;
  readonly onUpdate: (update: MarketUpdate) => void;
  /** Nanoseconds from a frame's arrival until everything that follows from it was done. */
  readonly onDecision: (elapsedNs: number) => void;
  /** Something happened that may change the venue's status. */
  readonly onChange: (reason: string) => void;
};

export type SessionState = 'closed' | 'connecting' | 'open' | 'stopped';
type RestSnapshot = Extract<BookRules['snapshot'], { from: 'rest' }>;

const RECONNECT = { minMs: 250, maxMs: 30_000 } as const;
/** A quiet instrument's snapshot is not held back for a first delta longer than this. */
const FIRST_DELTA_WITHIN_MS = 1_000;
/** So many malformed frames within a minute, and the socket itself is no longer believed. */
const MALFORMED_MAX = 3;
const MALFORMED_WINDOW_NS = 60e9;
/** Close code of sockets that we end ourselves. @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const LEFT = 1000;
const SENDS_QUEUED_MAX = 10_000;

/** One socket of one market with the books that come over it: opened, kept alive, repaired, opened again. */
export class Session {
  readonly #subscriptions: readonly Subscription[];
  readonly #context: SessionContext;
  readonly #connection: number;
  readonly #byInstrument = new Map<InstrumentIndex, Subscription>();
  /** 1 where the REST snapshot is asked for as soon as the first delta shows that the stream runs. */
  readonly #awaitsDelta: Uint8Array;
  readonly #backoff: Backoff;
  readonly #sends: RateLimiter;
  readonly #frame = new Frame();
  readonly #unpack: ReturnType<typeof unpackerOf>;
  readonly #sink: FeedSink;
  #state: SessionState = 'closed';
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

  constructor(context: SessionContext, connection: number, indices: readonly InstrumentIndex[]) {
    const { endpoint, instruments, clock, random, books } = context;
    const { market } = endpoint;
    this.#context = context;
    this.#connection = connection;
    this.#unpack = unpackerOf(market.compression);
    this.#awaitsDelta = new Uint8Array(instruments.length);
    this.#backoff = new Backoff(RECONNECT, random);
    // Half the limit as burst and half as rate: no second ever sees more than the limit.
    const half = market.limits.messagesPerSecond / 2;
    this.#sends = new RateLimiter(clock, {
      perSecond: half,
      burst: Math.max(1, Math.floor(half)),
      queueMax: SENDS_QUEUED_MAX,
    });
    this.#subscriptions = indices.map((instrument) => {
      const { venueSymbol } = instruments[instrument]!;
      books.assign(instrument, connection);
      return new Subscription({ instrument, venueSymbol, firstBookWithinMs: market.firstBookWithinMs }, context, {
        status: (index) => books.depths.status(index),
        resubscribe: (subscription) => this.#resubscribe([subscription]),
        restart: (subscription) => this.#restart(subscription),
        abandon: (subscription) => this.#abandon(subscription),
      });
    });
    for (const subscription of this.#subscriptions) this.#byInstrument.set(subscription.instrument, subscription);
    this.#sink = new FeedSink({
      instruments,
      venue: endpoint.venue.id,
      market: market.id,
      onUpdate: this.#onUpdate,
      onControl: this.#onControl,
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Books of this session that the venue does not give. */
  get abandoned(): number {
    return this.#subscriptions.reduce((sum, { abandoned }) => sum + (abandoned ? 1 : 0), 0);
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

  /** The book of `instrument`, which this session carries, is broken: it is started over, soon. */
  resync(instrument: InstrumentIndex): void {
    if (this.#state === 'open') this.#byInstrument.get(instrument)!.restart();
  }

  #open(): void {
    const { transport, endpoint, clock, openings } = this.#context;
    this.#generation += 1;
    const generation = this.#generation;
    const current = (): boolean => this.#generation === generation;
    this.#state = 'connecting';
    openings.run(() => {
      if (!current()) return;
      this.#lastFrameNs = clock.now();
      this.#watch();
      this.#socket = transport.open(endpoint.wsUrl, {
        onOpen: () => {
          if (current()) this.#onOpen();
        },
        onFrame: (bytes, receivedTimeNs) => {
          if (this.#generation === generation) this.#onFrame(bytes, receivedTimeNs);
        },
        onPing: (receivedTimeNs) => {
          if (current()) this.#onLife(receivedTimeNs);
        },
        onClose: (code, reason) => {
          if (current()) this.#onClose(code, reason);
        },
      });
    });
  }

  #onOpen(): void {
    const { endpoint, tally, logger, onChange } = this.#context;
    const { venue, market } = endpoint;
    this.#state = 'open';
    this.#proven = false;
    if (this.#opened) tally.reconnects += 1;
    this.#opened = true;
    logger.info('feed-open', { venue: venue.id, market: market.id, connection: this.#connection });
    this.#sink.connection.reset();
    this.#beat();
    this.#send(market.greeting ?? []);
    this.#send(
      market.subscribe(
        this.#subscriptions.map(({ venueSymbol }) => venueSymbol),
        this.#nextRequest(),
      ),
    );
    for (const subscription of this.#subscriptions) this.#await(subscription);
    onChange('connected');
  }

  /** The hot path: bytes → numbers → books → decision, all before this returns. */
  #onFrame(bytes: Uint8Array, receivedTimeNs: TimeNs): void {
    const { endpoint, tally, clock, onDecision } = this.#context;
    this.#onLife(receivedTimeNs);
    tally.messages += 1;
    this.#sink.update.receivedTimeNs = receivedTimeNs;
    try {
      const text = this.#unpack === undefined ? bytes : this.#unpack(bytes);
      endpoint.market.decode(this.#frame.window(text, 0, text.length), this.#sink);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      this.#onMalformed(error);
      return;
    }
    onDecision(clock.now() - receivedTimeNs);
  }

  /** Whatever arrives proves that nothing sent before it is still on its way. */
  #onLife(receivedTimeNs: TimeNs): void {
    this.#lastFrameNs = receivedTimeNs;
    this.#context.books.heard(this.#connection, receivedTimeNs);
  }

  readonly #onUpdate = (update: MarketUpdate): void => {
    if (!this.#proven) this.#onProof();
    if (update.kind === DELTA && this.#awaitsDelta[update.instrument] === 1) this.#onFirstDelta(update.instrument);
    this.#context.onUpdate(update);
  };

  /** The connection carries data: the next failure is a new one. */
  #onProof(): void {
    this.#proven = true;
    this.#backoff.reset();
  }

  #onFirstDelta(instrument: InstrumentIndex): void {
    this.#awaitsDelta[instrument] = 0;
    const subscription = this.#byInstrument.get(instrument)!;
    subscription.snapshot?.cancel();
    // Deferred: the request must not answer into the frame that is being read.
    subscription.snapshot = this.#context.clock.after(0, () => this.#requestSnapshot(subscription));
  }

  readonly #onControl = (kind: Control, text: string): void => {
    const { endpoint, logger } = this.#context;
    if (kind === 'ack' || kind === 'pong') return;
    if (kind === 'ping') {
      const { heartbeat } = endpoint.market;
      // Past the pacing of requests: a late answer costs the socket.
      if (heartbeat.kind === 'server-text') this.#socket?.send(heartbeat.reply(text));
      return;
    }
    logger.warn(`feed-${kind}`, { venue: endpoint.venue.id, market: endpoint.market.id, text: text.slice(0, 300) });
    // The venue announces that it will close: leave before the books are interrupted at a bad moment.
    if (kind === 'notice') this.#leave('the venue will close');
    if (kind === 'lost') this.#onLost();
  };

  /** Frames of this socket are missing, and nobody knows of which book. */
  #onLost(): void {
    const { tally, books, onChange } = this.#context;
    tally.gaps += 1;
    tally.trouble += 1;
    for (const subscription of this.#subscriptions) {
      books.distrust(subscription.instrument);
      subscription.restart();
    }
    onChange('frames were lost');
  }

  /** A frame of a known channel that cannot be read may have carried a change of any book of the connection: none is believed. */
  #onMalformed({ message }: BadInput): void {
    const { endpoint, tally, books, clock, logger, onChange } = this.#context;
    const nowNs = clock.now();
    tally.malformed += 1;
    tally.trouble += 1;
    for (const subscription of this.#subscriptions) {
      books.distrust(subscription.instrument);
      // A snapshot asked for earlier need not join what comes from now on.
      subscription.cancel();
    }
    onChange('malformed frame');
    if (nowNs - this.#malformedSinceNs > MALFORMED_WINDOW_NS) {
      this.#malformed = 0;
      this.#malformedSinceNs = nowNs;
      logger.warn('feed-malformed', { venue: endpoint.venue.id, market: endpoint.market.id, text: message });
    }
    this.#malformed += 1;
    if (this.#malformed >= MALFORMED_MAX) this.#leave('malformed frames');
    else this.#timers.malformed ??= clock.after(0, () => this.#startAllOver());
  }

  #startAllOver(): void {
    delete this.#timers.malformed;
    if (this.#context.endpoint.market.unsubscribe === undefined) {
      // The first of them brings a new socket for all.
      for (const subscription of this.#subscriptions) subscription.restart();
      return;
    }
    this.#context.tally.resyncs += this.#subscriptions.length;
    this.#resubscribe(this.#subscriptions);
  }

  /** Ends the socket; whatever it still has to say is not heard. */
  #leave(reason: string): void {
    const socket = this.#socket;
    this.#generation += 1;
    this.#onClose(LEFT, reason);
    socket?.close();
  }

  #onClose(code: number, reason: string): void {
    const { endpoint, tally, books, clock, logger, onChange } = this.#context;
    this.#state = 'closed';
    this.#socket = undefined;
    tally.trouble += 1;
    this.#forget();
    for (const { instrument } of this.#subscriptions) books.distrust(instrument);
    const delayMs = this.#backoff.nextMs();
    const { venue, market } = endpoint;
    logger.warn('feed-closed', { venue: venue.id, market: market.id, code, reason, reconnectMs: Math.round(delayMs) });
    this.#timers.reconnect = clock.after(delayMs, () => this.#open());
    onChange(`disconnected: ${code} ${reason}`.trim());
  }

  /** Nothing of the lost connection is awaited any more. */
  #forget(): void {
    for (const subscription of this.#subscriptions) subscription.cancel();
    this.#awaitsDelta.fill(0);
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
    this.#leave('idle');
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

  #await(subscription: Subscription): void {
    const { endpoint, clock } = this.#context;
    subscription.awaitBook();
    if (endpoint.market.book.snapshot.from === 'push' || subscription.snapshot !== undefined) return;
    this.#awaitsDelta[subscription.instrument] = 1;
    subscription.snapshot = clock.after(FIRST_DELTA_WITHIN_MS, () => this.#requestSnapshot(subscription));
  }

  #resubscribe(subscriptions: readonly Subscription[]): void {
    const { market } = this.#context.endpoint;
    const symbols = subscriptions.map(({ venueSymbol }) => venueSymbol);
    // Where there is none the venue did not answer the subscription: saying it again does no harm.
    if (market.unsubscribe !== undefined) this.#send(market.unsubscribe(symbols, this.#nextRequest()));
    this.#send(market.subscribe(symbols, this.#nextRequest()));
    if (this.#state !== 'open') return;
    for (const subscription of subscriptions) this.#await(subscription);
  }

  #restart(subscription: Subscription): void {
    const { endpoint, tally } = this.#context;
    const { unsubscribe, book } = endpoint.market;
    tally.resyncs += 1;
    if (unsubscribe === undefined) this.#leave('a book must be started over');
    else if (book.snapshot.from === 'push') this.#resubscribe([subscription]);
    else {
      subscription.awaitBook();
      if (subscription.snapshot === undefined) this.#requestSnapshot(subscription);
    }
  }

  #requestSnapshot(subscription: Subscription): void {
    const { endpoint, reader } = this.#context;
    const { snapshot } = endpoint.market.book;
    if (snapshot.from === 'push') return;
    this.#awaitsDelta[subscription.instrument] = 0;
    if (snapshot.from === 'request') {
      subscription.snapshot = undefined;
      subscription.awaitBook();
      this.#send([snapshot.text(subscription.venueSymbol, this.#nextRequest())]);
      return;
    }
    subscription.snapshot = reader.read(endpoint.restUrl + snapshot.path(subscription.venueSymbol), (outcome) => {
      subscription.snapshot = undefined;
      this.#onSnapshot(subscription, snapshot, outcome);
    });
  }

  #onSnapshot(subscription: Subscription, { decode }: RestSnapshot, outcome: ReadOutcome): void {
    const { endpoint, tally, clock, logger } = this.#context;
    const name = { venue: endpoint.venue.id, market: endpoint.market.id, symbol: subscription.venueSymbol };
    if (outcome.kind === 'failed') {
      logger.warn('feed-snapshot-failed', { ...name, reason: outcome.reason });
      tally.trouble += 1;
      subscription.restart();
      return;
    }
    this.#sink.update.receivedTimeNs = clock.now();
    try {
      decode(this.#frame.window(outcome.body, 0, outcome.body.length), this.#sink, subscription.instrument);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      logger.warn('feed-snapshot-malformed', { ...name, text: error.message });
      tally.malformed += 1;
      subscription.restart();
      return;
    }
    subscription.awaitBook();
  }

  #abandon({ venueSymbol }: Subscription): void {
    const { endpoint, tally, logger, onChange } = this.#context;
    const { venue, market } = endpoint;
    tally.trouble += 1;
    logger.error('feed-no-book', { venue: venue.id, market: market.id, symbol: venueSymbol });
    onChange(`no book of ${venueSymbol}`);
  }

  #send(texts: readonly string[]): void {
    const generation = this.#generation;
    for (const text of texts) {
      const queued = this.#sends.run(() => {
        if (this.#generation === generation) this.#socket?.send(text);
      });
      // Not a venue's doing: no market has so many symbols a socket. Reconnecting is the only state that is surely right.
      if (!queued) {
        this.#leave('too many messages to send');
        return;
      }
    }
  }

  #nextRequest(): number {
    this.#request += 1;
    return this.#request;
  }
}
