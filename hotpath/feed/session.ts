import { BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { BookStatus, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA } from '#shared/domain/market-event.ts';
import type { BookRules } from '../venues/venue.ts';
import { Frame } from '../runtime/frame.ts';
import type { ConnectionContext, ConnectionState } from './connection.ts';
import { Connection } from './connection.ts';
import { Poller } from './poller.ts';
import type { ReadOutcome, RestReader } from './rest-reader.ts';
import { Subscription } from './subscription.ts';

/** The books as a feed sees them: whom to tell that a connection lives or died, whom to ask whether a book has come. */
export type FeedBooks = {
  /** From now on frames of `connection` prove that the instrument's book is current. */
  readonly assign: (instrument: InstrumentIndex, connection: number) => void;
  readonly heard: (connection: number, nowNs: TimeNs) => void;
  readonly distrust: (instrument: InstrumentIndex) => void;
  /** What the instrument says from now on is asked for now and then: to be shown, not traded on. Ends with `distrust`. */
  readonly markPolled: (instrument: InstrumentIndex) => void;
  /** When the venue last said anything of this instrument. */
  readonly saidNs: (instrument: InstrumentIndex) => number;
  readonly depths: { readonly status: (instrument: InstrumentIndex) => BookStatus };
};

/** What the sessions of one market share. */
export type SessionContext = ConnectionContext & {
  readonly books: FeedBooks;
  readonly reader: RestReader;
  readonly onUpdate: (update: MarketUpdate) => void;
  /** Nanoseconds from a frame's arrival until everything that follows from it was done. */
  readonly onDecision: (elapsedNs: number) => void;
  /** Something happened that may change the venue's status. */
  readonly onChange: (reason: string) => void;
};

type RestSnapshot = Extract<BookRules['snapshot'], { from: 'rest' }>;

/** A quiet instrument's snapshot is not held back for a first delta longer than this. */
const FIRST_DELTA_WITHIN_MS = 1_000;
/** Attempts in a row after which a socket cannot be kept: books are polled until one opens. */
export const FAILURES_MAX = 3;
/** Nothing of an instrument for so long on a socket that speaks: does its subscription still work? OKX repeats an unchanged book within 60 s. */
const QUIET_AFTER_NS = 75e9;
/** One question a socket: 180 an hour stay below OKX's 480 subscriptions and unsubscriptions. */
const VERIFY_EVERY_MS = 20_000;

/** The books that come over one connection: subscribed to, started over when they break, verified when they are silent, polled when there is no socket. */
export class Session {
  readonly #subscriptions: readonly Subscription[];
  readonly #context: SessionContext;
  readonly #connectionIndex: number;
  readonly #connection: Connection;
  readonly #poller: Poller;
  readonly #byInstrument = new Map<InstrumentIndex, Subscription>();
  /** 1 where the REST snapshot is asked for as soon as the first delta shows that the stream runs. */
  readonly #awaitsDelta: Uint8Array;
  /** Of REST answers; the connection's own may be in use while one arrives. */
  readonly #frame = new Frame();
  #verification: Timer | undefined;
  #verified: { readonly subscription: Subscription; readonly saidNs: number } | undefined;

  constructor(context: SessionContext, connection: number, indices: readonly InstrumentIndex[]) {
    const { endpoint, instruments, books } = context;
    const { market } = endpoint;
    this.#context = context;
    this.#connectionIndex = connection;
    this.#awaitsDelta = new Uint8Array(instruments.length);
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
    this.#poller = new Poller(context, indices);
    this.#connection = new Connection(context, endpoint.wsUrl, {
      onOpen: () => this.#onOpen(),
      onLife: (receivedTimeNs) => books.heard(this.#connectionIndex, receivedTimeNs),
      onRead: (receivedTimeNs) => context.onDecision(context.clock.now() - receivedTimeNs),
      onLost: () => this.#onLost(),
      onMalformed: () => this.#onMalformed(),
      onDoubt: () => this.#startAllOver(),
      onClosed: (reason) => this.#onClosed(reason),
      onUpdate: this.#onUpdate,
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Books of this session that the venue does not give. */
  get abandoned(): number {
    return this.#subscriptions.reduce((sum, { abandoned }) => sum + (abandoned ? 1 : 0), 0);
  }

  /** Attempts to connect since the connection last carried data. */
  get failures(): number {
    return this.#connection.failures;
  }

  start(): void {
    this.#connection.start();
  }

  stop(): void {
    this.#forget();
    this.#poller.stop();
    this.#connection.stop();
  }

  /** The book of `instrument`, which this session carries, is broken: it is started over, soon. */
  resync(instrument: InstrumentIndex): void {
    if (this.state === 'open') this.#byInstrument.get(instrument)!.restart();
  }

  #onOpen(): void {
    const { endpoint, onChange } = this.#context;
    if (this.#poller.running) {
      this.#poller.stop();
      this.#distrustAll();
    }
    this.#connection.send(
      endpoint.market.subscribe(
        this.#subscriptions.map(({ venueSymbol }) => venueSymbol),
        this.#connection.nextRequest(),
      ),
    );
    for (const subscription of this.#subscriptions) this.#await(subscription);
    this.#verifySoon();
    onChange('connected');
  }

  readonly #onUpdate = (update: MarketUpdate): void => {
    this.#connection.prove();
    if (update.kind === DELTA && this.#awaitsDelta[update.instrument] === 1) this.#onFirstDelta(update.instrument);
    this.#context.onUpdate(update);
  };

  #onFirstDelta(instrument: InstrumentIndex): void {
    this.#awaitsDelta[instrument] = 0;
    const subscription = this.#byInstrument.get(instrument)!;
    subscription.snapshot?.cancel();
    // Deferred: the request must not answer into the frame that is being read.
    subscription.snapshot = this.#context.clock.after(0, () => this.#requestSnapshot(subscription));
  }

  /** Frames of this socket are missing, and nobody knows of which book. */
  #onLost(): void {
    const { tally, books, onChange } = this.#context;
    tally.trouble += 1;
    for (const subscription of this.#subscriptions) {
      books.distrust(subscription.instrument);
      subscription.restart();
    }
    onChange('frames were lost');
  }

  /** A frame of a known channel that cannot be read may have carried a change of any book of the connection: none is believed. */
  #onMalformed(): void {
    const { tally, onChange } = this.#context;
    tally.trouble += 1;
    this.#distrustAll();
    // A snapshot asked for earlier need not join what comes from now on.
    for (const subscription of this.#subscriptions) subscription.cancel();
    onChange('malformed frame');
  }

  #startAllOver(): void {
    if (this.#context.endpoint.market.unsubscribe === undefined) {
      // The first of them brings a new socket for all.
      for (const subscription of this.#subscriptions) subscription.restart();
      return;
    }
    this.#context.tally.resyncs += this.#subscriptions.length;
    this.#resubscribe(this.#subscriptions);
  }

  #onClosed(reason: string): void {
    const { tally, onChange } = this.#context;
    tally.trouble += 1;
    this.#forget();
    if (!this.#poller.running) {
      this.#distrustAll();
      if (this.failures >= FAILURES_MAX) this.#poller.start();
    }
    onChange(`disconnected: ${reason}`);
  }

  #distrustAll(): void {
    for (const { instrument } of this.#subscriptions) this.#context.books.distrust(instrument);
  }

  /** Nothing of the lost connection is awaited any more. */
  #forget(): void {
    for (const subscription of this.#subscriptions) subscription.cancel();
    this.#awaitsDelta.fill(0);
    this.#verification?.cancel();
    this.#verified = undefined;
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
    const connection = this.#connection;
    const symbols = subscriptions.map(({ venueSymbol }) => venueSymbol);
    // Where there is none the venue did not answer the subscription: saying it again does no harm.
    if (market.unsubscribe !== undefined) connection.send(market.unsubscribe(symbols, connection.nextRequest()));
    connection.send(market.subscribe(symbols, connection.nextRequest()));
    if (this.state !== 'open') return;
    for (const subscription of subscriptions) this.#await(subscription);
  }

  #restart(subscription: Subscription): void {
    const { endpoint, tally } = this.#context;
    const { unsubscribe, book } = endpoint.market;
    tally.resyncs += 1;
    if (unsubscribe === undefined) this.#connection.leave('a book must be started over');
    else if (book.snapshot.from === 'push') this.#resubscribe([subscription]);
    else {
      subscription.awaitBook();
      if (subscription.snapshot === undefined) this.#requestSnapshot(subscription);
    }
  }

  #verifySoon(): void {
    if (this.#context.endpoint.market.unsubscribe === undefined) return;
    this.#verification = this.#context.clock.after(VERIFY_EVERY_MS, () => {
      this.#judgeVerified();
      this.#verifyQuietest();
      this.#verifySoon();
    });
  }

  /**
   * A socket that speaks vouches for all of its books, but one subscription may be dead. The book that has been silent longest is subscribed to
   * again: a new snapshot says what it is, and until then the old book stands.
   */
  #verifyQuietest(): void {
    const { books, clock } = this.#context;
    let quietest: Subscription | undefined;
    let saidNs = clock.now() - QUIET_AFTER_NS;
    for (const subscription of this.#subscriptions) {
      const candidateNs = books.saidNs(subscription.instrument);
      if (candidateNs >= saidNs || subscription.awaitsBook) continue;
      quietest = subscription;
      saidNs = candidateNs;
    }
    if (quietest === undefined) return;
    this.#verified = { subscription: quietest, saidNs };
    this.#resubscribe([quietest]);
  }

  /** No answer: it was not quiet, it was deaf. */
  #judgeVerified(): void {
    const verified = this.#verified;
    this.#verified = undefined;
    if (verified === undefined) return;
    const { books, endpoint, logger } = this.#context;
    const { subscription, saidNs } = verified;
    if (books.saidNs(subscription.instrument) > saidNs) return;
    logger.warn('feed-silent', {
      venue: endpoint.venue.id,
      market: endpoint.market.id,
      symbol: subscription.venueSymbol,
    });
    books.distrust(subscription.instrument);
    subscription.restart();
  }

  #requestSnapshot(subscription: Subscription): void {
    const { endpoint, reader } = this.#context;
    const { snapshot } = endpoint.market.book;
    if (snapshot.from === 'push') return;
    this.#awaitsDelta[subscription.instrument] = 0;
    if (snapshot.from === 'request') {
      subscription.snapshot = undefined;
      subscription.awaitBook();
      this.#connection.send([snapshot.text(subscription.venueSymbol, this.#connection.nextRequest())]);
      return;
    }
    subscription.snapshot = reader.read(endpoint.restUrl + snapshot.path(subscription.venueSymbol), (outcome) => {
      subscription.snapshot = undefined;
      this.#onSnapshot(subscription, snapshot, outcome);
    });
  }

  #onSnapshot(subscription: Subscription, { decode }: RestSnapshot, outcome: ReadOutcome): void {
    const { endpoint, tally, clock, logger } = this.#context;
    const { sink } = this.#connection;
    const name = { venue: endpoint.venue.id, market: endpoint.market.id, symbol: subscription.venueSymbol };
    if (outcome.kind === 'failed') {
      logger.warn('feed-snapshot-failed', { ...name, reason: outcome.reason });
      tally.trouble += 1;
      subscription.restart();
      return;
    }
    sink.update.receivedTimeNs = clock.now();
    try {
      decode(this.#frame.window(outcome.body, 0, outcome.body.length), sink, subscription.instrument);
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
}
