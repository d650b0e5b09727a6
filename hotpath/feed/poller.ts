import { BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { Frame } from '../runtime/frame.ts';
import type { Market } from '../venues/venue.ts';
import type { ConnectionContext } from './connection.ts';
import type { RestReader } from './rest-reader.ts';
import { FeedSink } from './sink.ts';

export type PollerContext = ConnectionContext & {
  readonly books: { readonly markPolled: (instrument: InstrumentIndex) => void };
  readonly reader: RestReader;
  readonly onUpdate: (update: MarketUpdate) => void;
};

/** Whole books are the dearest public request of a venue, and nobody trades on these. */
const POLL_EVERY_MS = 1_000;
/** Of one book; also how old a polled book is at best when there are few. */
const SAME_BOOK_AFTER_MS = 5_000;

/**
 * Asks for the books of a connection by REST, one after the other, while no socket can be kept. One request is under way at most, and the market's reader
 * adds its own limits and obeys the venue's.
 */
export class Poller {
  readonly #context: PollerContext;
  readonly #indices: readonly InstrumentIndex[];
  readonly #frame = new Frame();
  #sink: FeedSink | undefined;
  #at = 0;
  #next: Timer | undefined;

  constructor(context: PollerContext, indices: readonly InstrumentIndex[]) {
    this.#context = context;
    this.#indices = indices;
  }

  get running(): boolean {
    return this.#next !== undefined;
  }

  /** Does nothing where the venue gives no book by REST. */
  start(): void {
    const { endpoint, logger } = this.#context;
    const source = pollOf(endpoint.market);
    if (source === undefined || this.running) return;
    logger.warn('feed-polled', { venue: endpoint.venue.id, market: endpoint.market.id, books: this.#indices.length });
    this.#ask(source);
  }

  stop(): void {
    this.#next?.cancel();
    this.#next = undefined;
  }

  #ask(source: PollSource): void {
    const { endpoint, instruments, reader, clock, logger } = this.#context;
    const instrument = this.#indices[this.#at]!;
    this.#at = (this.#at + 1) % this.#indices.length;
    const { venueSymbol } = instruments[instrument]!;
    this.#next = reader.read(endpoint.restUrl + source.path(venueSymbol), (outcome) => {
      if (outcome.kind === 'body') this.#take(source, instrument, outcome.body);
      else logger.warn('feed-poll-failed', { venue: endpoint.venue.id, symbol: venueSymbol, reason: outcome.reason });
      const pauseMs = Math.max(POLL_EVERY_MS, SAME_BOOK_AFTER_MS / this.#indices.length);
      this.#next = clock.after(pauseMs, () => this.#ask(source));
    });
  }

  #take({ decode }: PollSource, instrument: InstrumentIndex, body: Uint8Array): void {
    const { books, clock, tally } = this.#context;
    this.#sink ??= this.#newSink();
    this.#sink.update.receivedTimeNs = clock.now();
    books.markPolled(instrument);
    try {
      decode(this.#frame.window(body, 0, body.length), this.#sink, instrument);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      tally.malformed += 1;
    }
  }

  /** Made when it is needed: most connections are never polled for. */
  #newSink(): FeedSink {
    const { endpoint, instruments, onUpdate } = this.#context;
    return new FeedSink({
      instruments,
      venue: endpoint.venue.id,
      market: endpoint.market.id,
      onUpdate,
      onControl: () => undefined,
    });
  }
}

type PollSource = NonNullable<Market['poll']>;

/** Where the books start from REST the same answer serves. */
const pollOf = ({ book: { snapshot }, poll }: Market): PollSource | undefined =>
  snapshot.from === 'rest' ? snapshot : poll;
