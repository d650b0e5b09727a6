import { BookStore } from '#hotpath/book/book-store.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import type { Stages } from '#hotpath/pipeline.ts';
import { onMarketUpdate } from '#hotpath/pipeline.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { venues } from '#hotpath/venues/index.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { References, Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { carrySettingsOf } from '#shared/quant/carry.ts';
import { silentReferences } from '#test/support/sizing.ts';
import type { BenchFrame } from './bench-market.ts';
import { decisionStages, engine, FrameClock } from './decision.ts';
import { ResultHash } from './result-hash.ts';

const SUMS_A_CALL = 16;

type Feed = { readonly market: Market; readonly sink: FeedSink };

/** The hot path as it runs, from a frame's bytes to the decision, without sockets. */
export class FastEngine {
  readonly hash = new ResultHash();
  readonly #clock = new FrameClock();
  readonly #frame = new Frame();
  readonly #books: BookStore;
  readonly #detect: Evaluator;
  readonly #feeds: readonly Feed[];
  readonly #byVenue = new Map<string, Feed>();

  constructor(
    instruments: readonly Instrument[],
    routes: readonly Route[],
    references: References = silentReferences(instruments.length),
  ) {
    const marketOf = (instrument: Instrument): Market => marketNamed(instrument.venue, instrument.market);
    const books = new BookStore({
      instruments,
      rulesOf: (instrument) => marketOf(instrument).book,
      clock: this.#clock,
      staleAfterMs: Infinity,
    });
    const carry = { references, settings: carrySettingsOf(engine.carry), unixMs: () => 0 };
    const minEdge = engine.min_edge_bps / 1e4;
    const detect = new Evaluator(instruments, routes, { tops: books.tops, minEdge, carry });
    const stages: Stages = {
      feed: {
        resync: (at) => {
          throw new Error(`the bench broke a book: ${instruments[at]!.id}`);
        },
      },
      book: books,
      detect,
      ...decisionStages(instruments, routes, { tops: books.tops, depths: books.depths, references }, this.hash),
    };
    this.#detect = detect;
    this.#books = books;
    this.#feeds = instruments.map((instrument) => {
      const { venue, market } = instrument;
      const known = this.#byVenue.get(venue);
      if (known !== undefined) return known;
      const sink = new FeedSink({
        instruments,
        venue,
        market,
        onUpdate: (update) => onMarketUpdate(stages, update),
        onControl: () => undefined,
      });
      const feed = { market: marketOf(instrument), sink };
      this.#byVenue.set(venue, feed);
      return feed;
    });
  }

  /** Where the frame lies, if it is not where it was made. */
  take({ instrument, kind, bytes: made }: BenchFrame, bytes = made, start = 0, end = made.length): void {
    const { market, sink } = this.#feeds[instrument]!;
    this.#clock.nowNs += 10_000;
    sink.update.receivedTimeNs = this.#clock.nowNs as TimeNs;
    this.#frame.window(bytes, start, end);
    const { snapshot } = market.book;
    if (kind === 'snapshot' && snapshot.from === 'rest')
      snapshot.decode(this.#frame, sink, instrument as InstrumentIndex);
    else market.decode(this.#frame, sink);
    this.hash.double(this.#books.tops.bid[instrument]!);
    this.hash.double(this.#books.tops.ask[instrument]!);
  }

  /** Carry of every route that holds, as the engine reckons it a few at a time between frames. */
  reckon(): void {
    for (let call = 0; call < this.#detect.sums / SUMS_A_CALL; call += 1) this.#detect.refresh(this.#clock.now());
  }

  /** What a venue's socket brings, where the transport put it. */
  hear(venue: string, bytes: Uint8Array, start: number, end: number): void {
    const { market, sink } = this.#byVenue.get(venue)!;
    this.#clock.nowNs += 10_000;
    sink.update.receivedTimeNs = this.#clock.nowNs as TimeNs;
    market.decode(this.#frame.window(bytes, start, end), sink);
  }

  get tops(): Tops {
    return this.#books.tops;
  }
}

export function marketNamed(venue: string, id: string): Market {
  const market = venues.find((candidate) => candidate.id === venue)?.markets.find((candidate) => candidate.id === id);
  if (market === undefined) throw new Error(`no market ${venue} ${id}`);
  return market;
}
