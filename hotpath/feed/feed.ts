import type { Histogram } from 'hdr-histogram-js';
import { build } from 'hdr-histogram-js';
import { assert } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { Depths } from '#shared/domain/capital.ts';
import type { InstrumentIndex, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { BookStatus, MarketUpdate, ReferenceUpdate, TradePrint } from '#shared/domain/market-event.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import { RateLimiter } from '../runtime/rate-limiter.ts';
import type { StreamKind } from '../venues/venue.ts';
import { batchesOf } from '../venues/venue.ts';
import type { ConnectionContext } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import type { WatchedBooks } from './price-watch.ts';
import { PriceWatch } from './price-watch.ts';
import type { Outside } from './rest-reader.ts';
import { RestReader } from './rest-reader.ts';
import type { FeedBooks } from './session.ts';
import { FAILURES_MAX, Session } from './session.ts';
import { kindsFor, StreamSession } from './stream-session.ts';
import type { Tally } from './tally.ts';
import { newTally } from './tally.ts';
import type { VenueStatus, VenueView } from './venue-health.ts';
import { decayed, healthOf, Standing, statusOf } from './venue-health.ts';

export type FeedOptions = Outside & {
  readonly endpoints: readonly Endpoint[];
  /** The run's registry: a position in it is an InstrumentIndex. */
  readonly instruments: readonly Instrument[];
  readonly books: FeedBooks &
    WatchedBooks & {
      readonly depths: Pick<Depths, 'status' | 'ageMs'>;
      readonly suspect: (instrument: InstrumentIndex, isSuspect: boolean) => void;
      /** Only a long silence of its own is held against the book. */
      readonly isQuiet: (instrument: InstrumentIndex) => boolean;
      /** Ours − the venue's clock, and how much a message's travel time varies; NaN while unknown. */
      readonly clockOffsetMs: (instrument: InstrumentIndex) => number;
      readonly clockJitterMs: (instrument: InstrumentIndex) => number;
    };
  /** Channels to follow beside the books, where a market has them; none unless told. */
  readonly streams?: readonly StreamKind[];
  /** A venue whose health falls below is out of trading until it is well again. */
  readonly healthMin?: number;
  readonly onUpdate: (update: MarketUpdate) => void;
  /** A book that was suspect is believed again: it has prices from now on, and no update says so. */
  readonly onBelieved?: (instrument: InstrumentIndex) => void;
  readonly onPrint?: (print: TradePrint) => void;
  readonly onReference?: (reference: ReferenceUpdate) => void;
  readonly onDecision?: (elapsedNs: number) => void;
  readonly onVenueStatus?: (change: VenueStatusChange) => void;
};

export type VenueStatusChange = { readonly venue: VenueId; readonly status: VenueStatus; readonly reason: string };

type VenueFeed = {
  readonly id: VenueId;
  readonly sessions: Session[];
  readonly streams: StreamSession[];
  readonly instruments: InstrumentIndex[];
  readonly tally: Tally;
  readonly openings: RateLimiter;
  readonly ages: Histogram;
  readonly standing: Standing;
  status: VenueStatus;
  health: number;
  warm: boolean;
};

/** OKX takes three connections a second from one address, Binance 300 in five minutes. */
const OPENINGS = { perSecond: 1, burst: 3, queueMax: 1_000 } as const;
/**
 * Depth snapshots are the dearest public request of a venue. 110 in the first minute and 90 in each later one stay within Binance's 6,000 weight
 * a minute at 50 each, with room for the instrument list.
 */
const SNAPSHOTS = { perSecond: 1.5, burst: 20, queueMax: 2_000 } as const;
const EVALUATE_EVERY_MS = 1_000;
const COMPARE_EVERY_MS = 500;
const AGE_US_MAX = 2e9;

/** Every venue's market data: sessions, their repair, and what can be said of each venue. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #venues = new Map<VenueId, VenueFeed>();
  /** Session by instrument. */
  readonly #sessions: Session[] = [];
  readonly #readers: RestReader[] = [];
  readonly #watch: PriceWatch;
  #connections = 0;
  #evaluation: Timer | undefined;
  #comparison: Timer | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    const indices = options.instruments.map((_instrument, index) => index as InstrumentIndex);
    for (const endpoint of options.endpoints) {
      const { venue, market } = endpoint;
      const own = indices.filter((index) => {
        const instrument = options.instruments[index]!;
        return instrument.venue === venue.id && instrument.market === market.id;
      });
      if (own.length > 0) this.#addMarket(endpoint, own);
    }
    this.#watch = new PriceWatch(options.instruments, options.books, {
      onSuspect: (instrument, mid, others) => this.#onSuspect(instrument, mid, others),
      onAgreed: (instrument) => this.#onAgreed(instrument),
      onStuck: (instrument, unchangedMs) => this.#onStuck(instrument, unchangedMs),
    });
    assert(
      indices.every((index) => this.#sessions[index] !== undefined),
      'every instrument has an endpoint',
    );
  }

  start(): void {
    // Books first: what opens is paced, and they are what is traded on.
    for (const { sessions } of this.#venues.values()) for (const session of sessions) session.start();
    for (const { streams } of this.#venues.values()) for (const stream of streams) stream.start();
    this.#scheduleEvaluation();
    this.#scheduleComparison();
  }

  /** Closes every socket; nothing is called back afterwards. */
  stop(): void {
    this.#evaluation?.cancel();
    this.#comparison?.cancel();
    for (const reader of this.#readers) reader.stop();
    for (const { sessions, streams, openings } of this.#venues.values()) {
      openings.clear();
      for (const session of sessions) session.stop();
      for (const stream of streams) stream.stop();
    }
  }

  /** The book stage found the book of `instrument` broken: it is started over, at a bounded rate. */
  resync(instrument: InstrumentIndex): void {
    const { tally } = this.#venueOf(instrument);
    if (this.#options.books.depths.status(instrument) === 'gap') {
      tally.gaps += 1;
      tally.trouble += 0.2;
    }
    this.#sessions[instrument]!.resync(instrument);
  }

  /** From 0 to 1; 0 for a venue that is not followed or that is out of trading for a while. */
  health(venue: VenueId): number {
    const followed = this.#venues.get(venue);
    return followed?.standing.tradable === true ? followed.health : 0;
  }

  status(): EngineStatus['venues'] {
    return [...this.#venues.values()].map((venue) => this.#statusOf(venue));
  }

  #addMarket(endpoint: Endpoint, own: readonly InstrumentIndex[]): void {
    const options = this.#options;
    const { venue, market } = endpoint;
    const feed = this.#venues.get(venue.id) ?? newVenueFeed(venue.id, options);
    this.#venues.set(venue.id, feed);
    const reader = new RestReader(options, SNAPSHOTS);
    this.#readers.push(reader);
    const context = {
      ...options,
      endpoint,
      reader,
      tally: feed.tally,
      openings: feed.openings,
      onDecision: options.onDecision ?? (() => undefined),
      onChange: (reason: string) => this.#evaluate(feed, reason),
    };
    const { symbolsPerSocket } = market.limits;
    for (let from = 0; from < own.length; from += symbolsPerSocket) {
      const carried = own.slice(from, from + symbolsPerSocket);
      const session = new Session(context, this.#connections, carried);
      this.#connections += 1;
      feed.sessions.push(session);
      feed.instruments.push(...carried);
      for (const instrument of carried) this.#sessions[instrument] = session;
    }
    this.#addStreams(feed, context, own);
  }

  #addStreams(feed: VenueFeed, context: ConnectionContext, own: readonly InstrumentIndex[]): void {
    const { instruments, streams: wanted = [], onPrint = ignore, onReference = ignore } = this.#options;
    for (const isSpot of [true, false]) {
      const followed = own.filter((index) => (instruments[index]!.kind === 'spot') === isSpot);
      for (const { rules, url } of context.endpoint.streams) {
        const kinds = kindsFor(rules, isSpot, wanted);
        if (kinds.length === 0) continue;
        for (const indices of batchesOf(followed, rules.symbolsPerSocket)) {
          feed.streams.push(new StreamSession({ ...context, onPrint, onReference }, { rules, url, kinds, indices }));
        }
      }
    }
  }

  #venueOf(instrument: InstrumentIndex): VenueFeed {
    return this.#venues.get(this.#options.instruments[instrument]!.venue)!;
  }

  #scheduleEvaluation(): void {
    this.#evaluation = this.#options.clock.after(EVALUATE_EVERY_MS, () => {
      for (const venue of this.#venues.values()) {
        venue.tally.trouble = decayed(venue.tally.trouble, EVALUATE_EVERY_MS);
        this.#sampleAges(venue);
        this.#evaluate(venue, '');
      }
      this.#scheduleEvaluation();
    });
  }

  #scheduleComparison(): void {
    const { clock } = this.#options;
    this.#comparison = clock.after(COMPARE_EVERY_MS, () => {
      this.#watch.compare(clock.now());
      this.#scheduleComparison();
    });
  }

  #onSuspect(instrument: InstrumentIndex, mid: number, others: number): void {
    const { books, instruments, logger } = this.#options;
    books.suspect(instrument, true);
    logger.warn('feed-suspect', { instrument: instruments[instrument]!.id, mid, others });
  }

  #onAgreed(instrument: InstrumentIndex): void {
    const { books, instruments, logger, onBelieved } = this.#options;
    books.suspect(instrument, false);
    logger.info('feed-agreed', { instrument: instruments[instrument]!.id });
    onBelieved?.(instrument);
  }

  #onStuck(instrument: InstrumentIndex, unchangedMs: number): void {
    const { books, instruments, logger } = this.#options;
    const { tally } = this.#venueOf(instrument);
    tally.trouble += 1;
    logger.warn('feed-stuck', { instrument: instruments[instrument]!.id, unchangedMs });
    books.distrust(instrument);
    this.#sessions[instrument]!.resync(instrument);
  }

  #sampleAges({ instruments, ages }: VenueFeed): void {
    const { books, clock } = this.#options;
    const nowNs = clock.now();
    for (const instrument of instruments) {
      if (books.depths.status(instrument) === 'live')
        ages.recordValue(Math.min(AGE_US_MAX, Math.round(books.depths.ageMs(instrument, nowNs) * 1e3)));
    }
  }

  #evaluate(venue: VenueFeed, reason: string): void {
    const view = this.#viewOf(venue);
    venue.warm ||= view.liveBooks === view.books;
    const status = statusOf({ ...view, warm: venue.warm });
    venue.health = healthOf(view);
    const was = venue.standing.tradable;
    venue.standing.judge(venue.health, this.#options.clock.now());
    if (venue.standing.tradable !== was) {
      this.#options.logger.info('venue-standing', { venue: venue.id, tradable: !was, health: venue.health });
    }
    if (status === venue.status) return;
    venue.status = status;
    const change = { venue: venue.id, status, reason: reason === '' ? reasonOf(view) : reason };
    this.#options.logger.info('venue-status', change);
    this.#options.onVenueStatus?.(change);
  }

  #viewOf({ sessions, instruments, tally, warm }: VenueFeed): VenueView {
    const { books } = this.#options;
    return {
      sockets: sessions.length,
      openSockets: sessions.filter(({ state }) => state === 'open').length,
      books: instruments.length,
      liveBooks: instruments.filter((instrument) => books.depths.status(instrument) === 'live').length,
      quietBooks: instruments.filter((instrument) => books.isQuiet(instrument)).length,
      abandoned: sessions.reduce((sum, session) => sum + session.abandoned, 0),
      unreachable: sessions.every(({ failures }) => failures >= FAILURES_MAX),
      warm,
      trouble: tally.trouble,
    };
  }

  #statusOf(venue: VenueFeed): EngineStatus['venues'][number] {
    const { books, clock } = this.#options;
    const { messages, gaps, resyncs, reconnects, malformed, prints, references } = venue.tally;
    const nowNs = clock.now();
    const being = (status: BookStatus) =>
      venue.instruments.filter((instrument) => books.depths.status(instrument) === status);
    const live = being('live');
    const ages = live.map((instrument) => books.depths.ageMs(instrument, nowNs)).sort((a, b) => a - b);
    const firstOf = (figure: (instrument: InstrumentIndex) => number) => live.map(figure).find(Number.isFinite) ?? 0;
    return {
      id: venue.id,
      status: venue.status,
      health: venue.health,
      messages,
      gaps,
      resyncs,
      reconnects,
      malformed,
      prints,
      references,
      books: venue.instruments.length,
      live_books: live.length,
      suspect_books: being('suspect').length,
      polled_books: being('polled').length,
      tradable: venue.standing.tradable,
      age_ms: ages[ages.length >> 1] ?? 0,
      age_ms_p99: venue.ages.getValueAtPercentile(99) / 1e3,
      clock_offset_ms: firstOf((instrument) => books.clockOffsetMs(instrument)),
      clock_jitter_ms: firstOf((instrument) => books.clockJitterMs(instrument)),
    };
  }
}

const newVenueFeed = (id: VenueId, { clock, healthMin = 0 }: FeedOptions): VenueFeed => ({
  id,
  sessions: [],
  streams: [],
  instruments: [],
  tally: newTally(),
  openings: new RateLimiter(clock, OPENINGS),
  ages: build({ bitBucketSize: 64, highestTrackableValue: AGE_US_MAX, numberOfSignificantValueDigits: 2 }),
  standing: new Standing(healthMin),
  status: 'connecting',
  health: 0,
  warm: false,
});

const ignore = (): void => undefined;

const reasonOf = ({ openSockets, sockets, liveBooks, books, abandoned }: VenueView): string =>
  `${openSockets}/${sockets} sockets, ${liveBooks}/${books} books live, ${abandoned} given up`;
