import type { Histogram } from 'hdr-histogram-js';
import { build } from 'hdr-histogram-js';
import { assert } from '#shared/assert.ts';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Depths } from '#shared/domain/capital.ts';
import type { InstrumentIndex, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import { RateLimiter } from '../runtime/rate-limiter.ts';
import type { Endpoint } from './endpoint.ts';
import type { Outside } from './rest-reader.ts';
import { RestReader } from './rest-reader.ts';
import type { FeedBooks } from './session.ts';
import { Session } from './session.ts';
import type { Tally } from './tally.ts';
import { newTally } from './tally.ts';
import type { VenueStatus, VenueView } from './venue-health.ts';
import { decayed, healthOf, statusOf } from './venue-health.ts';

export type FeedOptions = Outside & {
  readonly endpoints: readonly Endpoint[];
  /** The run's registry: a position in it is an InstrumentIndex. */
  readonly instruments: readonly Instrument[];
  readonly books: FeedBooks & {
    readonly depths: Pick<Depths, 'status' | 'ageMs'>;
    /** Ours − the venue's clock; NaN while unknown. */
    readonly clockOffsetMs: (instrument: InstrumentIndex) => number;
  };
  readonly onUpdate: (update: MarketUpdate) => void;
  readonly onDecision?: (elapsedNs: number) => void;
  readonly onVenueStatus?: (change: VenueStatusChange) => void;
};

export type VenueStatusChange = { readonly venue: VenueId; readonly status: VenueStatus; readonly reason: string };

type VenueFeed = {
  readonly id: VenueId;
  readonly sessions: Session[];
  readonly instruments: InstrumentIndex[];
  readonly tally: Tally;
  readonly openings: RateLimiter;
  readonly ages: Histogram;
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
/** Attempts in a row after which a venue that never answered is down, not connecting. */
const FAILURES_MAX = 3;
const AGE_US_MAX = 2e9;

/** Every venue's market data: sessions, their repair, and what can be said of each venue. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #venues = new Map<VenueId, VenueFeed>();
  /** Session by instrument. */
  readonly #sessions: Session[] = [];
  readonly #readers: RestReader[] = [];
  #connections = 0;
  #evaluation: Timer | undefined;

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
    assert(
      indices.every((index) => this.#sessions[index] !== undefined),
      'every instrument has an endpoint',
    );
  }

  start(): void {
    for (const { sessions } of this.#venues.values()) for (const session of sessions) session.start();
    this.#scheduleEvaluation();
  }

  /** Closes every socket; nothing is called back afterwards. */
  stop(): void {
    this.#evaluation?.cancel();
    for (const reader of this.#readers) reader.stop();
    for (const { sessions, openings } of this.#venues.values()) {
      openings.clear();
      for (const session of sessions) session.stop();
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

  /** From 0 to 1; 0 for a venue that is not followed. */
  health(venue: VenueId): number {
    return this.#venues.get(venue)?.health ?? 0;
  }

  status(): EngineStatus['venues'] {
    return [...this.#venues.values()].map((venue) => this.#statusOf(venue));
  }

  #addMarket(endpoint: Endpoint, own: readonly InstrumentIndex[]): void {
    const options = this.#options;
    const { venue, market } = endpoint;
    const feed = this.#venues.get(venue.id) ?? newVenueFeed(venue.id, options.clock);
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
      abandoned: sessions.reduce((sum, session) => sum + session.abandoned, 0),
      unreachable: sessions.every(({ failures }) => failures >= FAILURES_MAX),
      warm,
      trouble: tally.trouble,
    };
  }

  #statusOf(venue: VenueFeed): EngineStatus['venues'][number] {
    const { books, clock } = this.#options;
    const { messages, gaps, resyncs, reconnects, malformed } = venue.tally;
    const nowNs = clock.now();
    const live = venue.instruments.filter((instrument) => books.depths.status(instrument) === 'live');
    const ages = live.map((instrument) => books.depths.ageMs(instrument, nowNs)).sort((a, b) => a - b);
    const offsets = live
      .map((instrument) => books.clockOffsetMs(instrument))
      .filter((offset) => Number.isFinite(offset));
    return {
      id: venue.id,
      status: venue.status,
      health: venue.health,
      messages,
      gaps,
      resyncs,
      reconnects,
      malformed,
      books: venue.instruments.length,
      live_books: live.length,
      age_ms: ages[ages.length >> 1] ?? 0,
      age_ms_p99: venue.ages.getValueAtPercentile(99) / 1e3,
      clock_offset_ms: offsets[0] ?? 0,
    };
  }
}

const newVenueFeed = (id: VenueId, clock: Clock): VenueFeed => ({
  id,
  sessions: [],
  instruments: [],
  tally: newTally(),
  openings: new RateLimiter(clock, OPENINGS),
  ages: build({ bitBucketSize: 64, highestTrackableValue: AGE_US_MAX, numberOfSignificantValueDigits: 2 }),
  status: 'connecting',
  health: 0,
  warm: false,
});

const reasonOf = ({ openSockets, sockets, liveBooks, books, abandoned }: VenueView): string =>
  `${openSockets}/${sockets} sockets, ${liveBooks}/${books} books live, ${abandoned} given up`;
