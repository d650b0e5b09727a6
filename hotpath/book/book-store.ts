import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Depths, Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, BookStatus, LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN, DELTA, HELD, IGNORED, QUOTE, SNAPSHOT } from '#shared/domain/market-event.ts';
import type { BookRules } from '../venues/venue.ts';
import type { BookSide, Levels } from './book.ts';
import type { BookStatistics } from './instrument-book.ts';
import { InstrumentBook } from './instrument-book.ts';
import { VenueClock } from './venue-clock.ts';

/** A book that has collected more levels a side than this is given up for a new snapshot. */
const BOOK_LEVELS_MAX = 50_000;
/** A book may cross for a moment between two frames of a venue; one that stays crossed is wrong. */
const CROSSED_MAX_NS = 2e9;
/** So long a connection's other frames vouch for a book that says nothing itself. */
const VOUCHED_MAX_NS = 300e9;

type BookStoreOptions = {
  /** The run's registry: an instrument's position in it is its index. */
  readonly instruments: readonly Instrument[];
  readonly rulesOf: (instrument: Instrument) => BookRules;
  readonly clock: Clock;
  /** A live book older than this is stale. */
  readonly staleAfterMs: number;
  /** For reports: called with each delta as its levels enter a book, the held ones too, in the venue's order. */
  readonly onDelta?: (update: MarketUpdate) => void;
};

/**
 * Every instrument's book, and whether it can be believed. A book answers only while its venue's continuity and checksum rules hold; what breaks
 * them makes it unready until a snapshot. Single-threaded, allocation-free per update while live.
 */
export class BookStore {
  /** Best prices of live books, a newer quote merged in. */
  readonly tops: Tops;
  /** The last best quote each venue sent, whatever its book's state. */
  readonly quotes: Tops;
  readonly depths: Depths;
  readonly #books: readonly InstrumentBook[];
  /** One clock a venue market; the instrument's is at its index. */
  readonly #clocks: readonly VenueClock[];
  readonly #connections: Int32Array;
  #heardNs = new Float64Array(64).fill(-Infinity);
  /** When the venue last said anything of the instrument, applied or not. */
  readonly #saidNs: Float64Array;
  readonly #clock: Clock;
  readonly #staleAfterMs: number;

  constructor({ instruments, rulesOf, clock, staleAfterMs, onDelta }: BookStoreOptions) {
    this.tops = newTops(instruments.length);
    this.quotes = newTops(instruments.length);
    this.#books = instruments.map((instrument) => new InstrumentBook(instrument, rulesOf(instrument), onDelta));
    this.#clocks = clocksOf(instruments, clock.unixMs(0 as TimeNs));
    this.#connections = new Int32Array(instruments.length).fill(-1);
    this.#saidNs = new Float64Array(instruments.length).fill(-Infinity);
    this.#clock = clock;
    this.#staleAfterMs = staleAfterMs;
    this.depths = {
      status: (instrument) => this.#status(instrument),
      bids: (instrument, prices, qtys) => this.#read(instrument, true, prices, qtys),
      asks: (instrument, prices, qtys) => this.#read(instrument, false, prices, qtys),
      ageMs: (instrument, nowNs) => this.#ageMs(instrument, nowNs),
    };
  }

  apply(update: MarketUpdate): ApplyOutcome {
    const book = this.#books[update.instrument]!;
    this.#saidNs[update.instrument] = update.receivedTimeNs;
    const outcome = this.#take(book, update);
    if (update.kind !== SNAPSHOT && !Number.isNaN(update.venueTimeMs)) {
      const clock = this.#clocks[update.instrument]!;
      clock.observe(update);
      book.latenessMs = clock.latenessMs;
    }
    book.statistics.count(outcome);
    return outcome;
  }

  /** Which connection carries the instrument now; small integers from 0. */
  assign(instrument: InstrumentIndex, connection: number): void {
    assert(Number.isInteger(connection) && connection >= 0 && connection < 1e6, 'connections are small integers');
    this.#connections[instrument] = connection;
    if (connection < this.#heardNs.length) return;
    const heard = new Float64Array(2 * connection).fill(-Infinity);
    heard.set(this.#heardNs);
    this.#heardNs = heard;
  }

  /** Any frame on a connection proves that its books have not missed one until then. */
  heard(connection: number, nowNs: TimeNs): void {
    this.#heardNs[connection] = nowNs;
  }

  /** The connection was lost or spoke nonsense: the book waits for a new snapshot, and nothing it said counts. */
  distrust(instrument: InstrumentIndex): void {
    const book = this.#books[instrument]!;
    book.forget('syncing');
    book.polled = false;
    clearTop(this.tops, instrument);
    clearTop(this.quotes, instrument);
  }

  /** What comes from now on until `distrust` was asked for by REST: it can be looked at, and is never traded on. */
  markPolled(instrument: InstrumentIndex): void {
    this.#books[instrument]!.polled = true;
  }

  /** The other venues say that the price is wrong, or that it is right again. */
  suspect(instrument: InstrumentIndex, isSuspect: boolean): void {
    const book = this.#books[instrument]!;
    book.suspect = isSuspect;
    if (book.status === 'live' || book.status === 'suspect') this.#showTop(book, instrument);
  }

  /** When the venue last said anything of the instrument; −Infinity before the first word. */
  saidNs(instrument: InstrumentIndex): number {
    return this.#saidNs[instrument]!;
  }

  /** Nothing is known against the book but that it has been silent too long for its connection to vouch for it. */
  isQuiet(instrument: InstrumentIndex): boolean {
    const connection = this.#connections[instrument]!;
    if (connection < 0 || this.depths.status(instrument) !== 'stale') return false;
    return this.#heardNs[connection]! - this.#saidNs[instrument]! > VOUCHED_MAX_NS;
  }

  /** Writes best bid and best ask, believed or not, with their quantities to places 0 and 1: NaN and 0 where the book has none. */
  best(instrument: InstrumentIndex, prices: Float64Array, qtys: Float64Array): void {
    const book = this.#books[instrument]!;
    const { quotes } = this;
    prices.fill(NaN, 0, 2);
    qtys.fill(0, 0, 2);
    if (!book.following) return;
    if (book.quoteRules) {
      prices[0] = quotes.bid[instrument]!;
      qtys[0] = quotes.bidQty[instrument]!;
      prices[1] = quotes.ask[instrument]!;
      qtys[1] = quotes.askQty[instrument]!;
    } else {
      book.bids.best(prices, qtys, 0);
      book.asks.best(prices, qtys, 1);
    }
  }

  statistics(instrument: InstrumentIndex): Readonly<BookStatistics> {
    return this.#books[instrument]!.statistics;
  }

  /** The last sequence applied; NaN without one, or where the venue sends none. */
  lastSequence(instrument: InstrumentIndex): number {
    return this.#books[instrument]!.lastSequence;
  }

  /** The depth book itself, all levels, whatever its status: for reports and hashes. Undefined before the first snapshot. */
  levels(instrument: InstrumentIndex): { readonly bids: Levels; readonly asks: Levels } | undefined {
    return this.#books[instrument]!.book;
  }

  /** How far the market's clock stands from ours (ours − theirs), with the fastest message's travel time; NaN before the first timed message. */
  clockOffsetMs(instrument: InstrumentIndex): number {
    return this.#clocks[instrument]!.offsetMs();
  }

  /** How much the travel time of the market's messages varies; NaN before the second timed message. */
  clockJitterMs(instrument: InstrumentIndex): number {
    return this.#clocks[instrument]!.jitterMs;
  }

  #take(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    switch (update.kind) {
      case SNAPSHOT:
        return this.#takeSnapshot(book, update);
      case DELTA:
        return this.#takeDelta(book, update);
      case QUOTE:
        return this.#takeQuote(book, update);
    }
  }

  #takeDelta(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    if (!book.following) return this.#await(book, update);
    const continuity = book.rules.follows(book, update);
    if (continuity === 'drop') {
      book.statistics.deltasDropped += 1;
      return IGNORED;
    }
    if (continuity === 'gap') {
      this.#break(book, update.instrument);
      book.hold(update);
      return BROKEN;
    }
    book.write(update);
    return this.#settle(book, update);
  }

  /** A delta without a book: kept for the snapshot where that is asked for, otherwise of no use. */
  #await(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    if (!holdsDeltas(book)) return IGNORED;
    if (book.hold(update)) return HELD;
    this.#break(book, update.instrument);
    book.hold(update);
    return BROKEN;
  }

  #takeSnapshot(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    if (holdsDeltas(book)) {
      if (book.following && update.lastSequence <= book.lastSequence) return IGNORED;
      book.replace(update);
      const aligned = book.replayHeld();
      if (!aligned) {
        clearTop(this.tops, update.instrument);
        return BROKEN;
      }
    } else book.replace(update);
    return this.#settle(book, update);
  }

  #takeQuote(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    if (update.lastSequence < book.quoteSequence) return IGNORED;
    const { quotes } = this;
    const at = update.instrument;
    book.quoteSequence = update.lastSequence;
    quotes.receivedTimeNs[at] = update.receivedTimeNs;
    copyTop(update.bids, quotes.bid, quotes.bidQty, at);
    copyTop(update.asks, quotes.ask, quotes.askQty, at);
    if (!book.following || update.lastSequence <= book.lastSequence) return IGNORED;
    book.quoteRules = true;
    return this.#refreshTop(book, update);
  }

  /** After levels were written: depth, checksum, size, crossing, then the new top. */
  #settle(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    const { depth } = book.rules;
    if (depth !== Infinity) {
      book.bids.truncate(depth);
      book.asks.truncate(depth);
    }
    if (!book.checksumHolds(update) || book.bids.count > BOOK_LEVELS_MAX || book.asks.count > BOOK_LEVELS_MAX) {
      this.#break(book, update.instrument);
      return BROKEN;
    }
    book.quoteRules &&= book.quoteSequence > book.lastSequence;
    return this.#refreshTop(book, update);
  }

  #break(book: InstrumentBook, instrument: InstrumentIndex): void {
    book.forget('gap');
    book.statistics.gaps += 1;
    clearTop(this.tops, instrument);
  }

  /** The top after new levels or a new quote. A book that stays locked or crossed is broken. */
  #refreshTop(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    book.receivedTimeNs = update.receivedTimeNs;
    this.tops.receivedTimeNs[update.instrument] = update.receivedTimeNs;
    this.#showTop(book, update.instrument);
    if (book.status !== 'crossed') book.crossedSinceNs = NaN;
    else if (Number.isNaN(book.crossedSinceNs)) book.crossedSinceNs = update.receivedTimeNs;
    else if (update.receivedTimeNs - book.crossedSinceNs > CROSSED_MAX_NS) {
      this.#break(book, update.instrument);
      return BROKEN;
    }
    return APPLIED;
  }

  /** Sets status and top by what the book holds and what is known of it. */
  #showTop(book: InstrumentBook, at: InstrumentIndex): void {
    const { tops, quotes } = this;
    if (book.quoteRules) {
      tops.bid[at] = quotes.bid[at]!;
      tops.bidQty[at] = quotes.bidQty[at]!;
      tops.ask[at] = quotes.ask[at]!;
      tops.askQty[at] = quotes.askQty[at]!;
    } else {
      book.bids.best(tops.bid, tops.bidQty, at);
      book.asks.best(tops.ask, tops.askQty, at);
    }
    if (tops.bid[at]! >= tops.ask[at]!) book.status = 'crossed';
    else if (!book.verified) book.status = 'syncing';
    else if (book.polled) book.status = 'polled';
    else book.status = book.suspect ? 'suspect' : 'live';
    if (book.status !== 'live') clearTop(tops, at);
  }

  #status(instrument: InstrumentIndex): BookStatus {
    const { status } = this.#books[instrument]!;
    return status === 'live' && this.#ageMs(instrument, this.#clock.now()) > this.#staleAfterMs ? 'stale' : status;
  }

  /** Since the last proof that the book is current, and how late its last update came. */
  #ageMs(instrument: InstrumentIndex, nowNs: TimeNs): number {
    const book = this.#books[instrument]!;
    const connection = this.#connections[instrument]!;
    const heardNs =
      connection < 0 ? -Infinity : Math.min(this.#heardNs[connection]!, this.#saidNs[instrument]! + VOUCHED_MAX_NS);
    return (nowNs - Math.max(book.receivedTimeNs, heardNs)) / 1e6 + book.latenessMs;
  }

  /** Levels as they stand after the newest word: under a newer quote, its top first and then what the book has strictly behind it. */
  #read(instrument: InstrumentIndex, isBid: boolean, prices: Float64Array, qtys: Float64Array): number {
    const book = this.#books[instrument]!;
    if (!book.following) return 0;
    const side: BookSide = isBid ? book.bids : book.asks;
    if (!book.quoteRules) return side.read(prices, qtys, 0, NaN);
    const price = isBid ? this.quotes.bid[instrument]! : this.quotes.ask[instrument]!;
    if (Number.isNaN(price)) return 0;
    prices[0] = price;
    qtys[0] = isBid ? this.quotes.bidQty[instrument]! : this.quotes.askQty[instrument]!;
    return side.read(prices, qtys, 1, price);
  }
}

/** Whether deltas from before a snapshot may continue it. */
const holdsDeltas = ({ rules: { snapshot } }: InstrumentBook): boolean =>
  snapshot.from !== 'push' || snapshot.holds === true;

function newTops(count: number): Tops {
  return {
    bid: new Float64Array(count).fill(NaN),
    bidQty: new Float64Array(count),
    ask: new Float64Array(count).fill(NaN),
    askQty: new Float64Array(count),
    receivedTimeNs: new Float64Array(count).fill(-Infinity),
  };
}

function clearTop(tops: Tops, at: InstrumentIndex): void {
  tops.bid[at] = NaN;
  tops.ask[at] = NaN;
  tops.bidQty[at] = 0;
  tops.askQty[at] = 0;
}

function clocksOf(instruments: readonly Instrument[], originMs: number): VenueClock[] {
  const clocks = new Map<string, VenueClock>();
  return instruments.map(({ venue, market }) => {
    const key = `${venue}:${market}`;
    const known = clocks.get(key) ?? new VenueClock(originMs);
    clocks.set(key, known);
    return known;
  });
}

/** A quote's only level, or NaN and 0 of a side that it leaves empty. */
function copyTop(level: LevelBuffer, prices: Float64Array, qtys: Float64Array, at: InstrumentIndex): void {
  if (level.count === 0) {
    prices[at] = NaN;
    qtys[at] = 0;
  } else {
    prices[at] = level.prices[0]!;
    qtys[at] = level.qtys[0]!;
  }
}
