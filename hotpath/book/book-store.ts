import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Depths, Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, BookStatus, LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN, HELD, IGNORED, QUOTE, SNAPSHOT } from '#shared/domain/market-event.ts';
import type { BookRules } from '../venues/venue.ts';
import type { BookSide, Levels } from './book.ts';
import type { BookStatistics, Rules } from './instrument-book.ts';
import {
  BookRows,
  CROSSED,
  CROSSED_SINCE_NS,
  FOLLOWING,
  InstrumentBook,
  LAST_SEQUENCE,
  LATENESS_MS,
  POLLED,
  QUOTE_RULES,
  QUOTE_SEQUENCE,
  RECEIVED_NS,
  ROW,
  rulesFrom,
  SAID_NS,
  SUSPECT,
  VERIFIED,
} from './instrument-book.ts';
import { VenueClock } from './venue-clock.ts';

/** A book that has collected more levels a side than this is given up for a new snapshot. */
const BOOK_LEVELS_MAX = 50_000;
/** A book may cross for a moment between two frames of a venue; one that stays crossed is wrong. */
const CROSSED_MAX_NS = 2e9;
/** So long a connection's other frames vouch for a book that says nothing itself. */
const VOUCHED_MAX_NS = 300e9;

/** The flags that say whether a book is believed, and what they are when it is. */
const BELIEVED = FOLLOWING | VERIFIED | SUSPECT | POLLED | CROSSED;
const LIVE = FOLLOWING | VERIFIED;

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
  readonly #rows: BookRows;
  /** One clock a venue market; the instrument's is at its index. */
  readonly #clocks: readonly VenueClock[];
  readonly #connections: Int32Array;
  #heardNs = new Float64Array(64).fill(-Infinity);
  readonly #clock: Clock;
  readonly #staleAfterMs: number;

  constructor({ instruments, rulesOf, clock, staleAfterMs, onDelta }: BookStoreOptions) {
    this.tops = newTops(instruments.length);
    this.quotes = newTops(instruments.length);
    const rows = new BookRows(instruments.length);
    this.#rows = rows;
    const known = new Map<BookRules, Rules>();
    this.#books = instruments.map((instrument, at) => {
      const said = rulesOf(instrument);
      const rules = known.get(said) ?? rulesFrom(said);
      known.set(said, rules);
      return new InstrumentBook(instrument, rules, { rows, at: at as InstrumentIndex }, onDelta);
    });
    this.#clocks = clocksOf(instruments, clock.unixMs(0 as TimeNs));
    this.#connections = new Int32Array(instruments.length).fill(-1);
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
    const at = update.instrument;
    const { numbers } = this.#rows;
    numbers[at * ROW + SAID_NS] = update.receivedTimeNs;
    const outcome = update.kind === QUOTE ? this.#takeQuote(update, at) : this.#takeLevels(this.#books[at]!, update);
    if (update.kind !== SNAPSHOT && !Number.isNaN(update.venueTimeMs)) {
      const clock = this.#clocks[at]!;
      clock.observe(update);
      numbers[at * ROW + LATENESS_MS] = clock.latenessMs;
    }
    numbers[at * ROW + outcome]! += 1;
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
    book.mark(POLLED, false);
    clearTop(this.tops, instrument);
    clearTop(this.quotes, instrument);
  }

  /** What comes from now on until `distrust` was asked for by REST: it can be looked at, and is never traded on. */
  markPolled(instrument: InstrumentIndex): void {
    this.#books[instrument]!.mark(POLLED, true);
  }

  /** The other venues say that the price is wrong, or that it is right again. */
  suspect(instrument: InstrumentIndex, isSuspect: boolean): void {
    const book = this.#books[instrument]!;
    book.mark(SUSPECT, isSuspect);
    if (book.status === 'live' || book.status === 'suspect') this.#showTop(instrument);
  }

  /** When the venue last said anything of the instrument; −Infinity before the first word. */
  saidNs(instrument: InstrumentIndex): number {
    return this.#rows.numbers[instrument * ROW + SAID_NS]!;
  }

  /** Nothing is known against the book but that it has been silent too long for its connection to vouch for it. */
  isQuiet(instrument: InstrumentIndex): boolean {
    const connection = this.#connections[instrument]!;
    if (connection < 0 || this.depths.status(instrument) !== 'stale') return false;
    return this.#heardNs[connection]! - this.saidNs(instrument) > VOUCHED_MAX_NS;
  }

  /** Writes best bid and best ask, believed or not, with their quantities to places 0 and 1: NaN and 0 where the book has none. */
  best(instrument: InstrumentIndex, prices: Float64Array, qtys: Float64Array): void {
    const book = this.#books[instrument]!;
    const { quotes } = this;
    prices.fill(NaN, 0, 2);
    qtys.fill(0, 0, 2);
    if (!book.is(FOLLOWING)) return;
    if (book.is(QUOTE_RULES)) {
      prices[0] = quotes.bid[instrument]!;
      qtys[0] = quotes.bidQty[instrument]!;
      prices[1] = quotes.ask[instrument]!;
      qtys[1] = quotes.askQty[instrument]!;
    } else {
      book.bids.best(prices, qtys, 0);
      book.asks.best(prices, qtys, 1);
    }
  }

  /** As it stands now. */
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

  #takeLevels(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    return update.kind === SNAPSHOT ? this.#takeSnapshot(book, update) : this.#takeDelta(book, update);
  }

  #takeDelta(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    if (!book.is(FOLLOWING)) return this.#await(book, update);
    const continuity = book.rules.follows(book, update);
    if (continuity === 'drop') {
      book.deltasDropped += 1;
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
    if (!book.rules.holdsDeltas) return IGNORED;
    if (book.hold(update)) return HELD;
    this.#break(book, update.instrument);
    book.hold(update);
    return BROKEN;
  }

  #takeSnapshot(book: InstrumentBook, update: MarketUpdate): ApplyOutcome {
    if (book.rules.holdsDeltas) {
      if (book.is(FOLLOWING) && update.lastSequence <= book.lastSequence) return IGNORED;
      book.replace(update);
      const aligned = book.replayHeld();
      if (!aligned) {
        clearTop(this.tops, update.instrument);
        return BROKEN;
      }
    } else book.replace(update);
    return this.#settle(book, update);
  }

  #takeQuote(update: MarketUpdate, at: InstrumentIndex): ApplyOutcome {
    const { numbers, flags } = this.#rows;
    const row = at * ROW;
    const sequence = update.lastSequence;
    if (sequence < numbers[row + QUOTE_SEQUENCE]!) return IGNORED;
    const { quotes } = this;
    numbers[row + QUOTE_SEQUENCE] = sequence;
    copyTop(update.bids, quotes.bid, quotes.bidQty, at);
    copyTop(update.asks, quotes.ask, quotes.askQty, at);
    if ((flags[at]! & FOLLOWING) === 0 || sequence <= numbers[row + LAST_SEQUENCE]!) return IGNORED;
    flags[at]! |= QUOTE_RULES;
    return this.#refreshTop(update, at);
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
    if (book.is(QUOTE_RULES) && !this.#isQuoteNewer(update.instrument)) book.mark(QUOTE_RULES, false);
    return this.#refreshTop(update, update.instrument);
  }

  #break(book: InstrumentBook, instrument: InstrumentIndex): void {
    book.forget('gap');
    book.gaps += 1;
    clearTop(this.tops, instrument);
  }

  #isQuoteNewer(at: InstrumentIndex): boolean {
    const { numbers } = this.#rows;
    return numbers[at * ROW + QUOTE_SEQUENCE]! > numbers[at * ROW + LAST_SEQUENCE]!;
  }

  /** The top after new levels or a new quote. A book that stays locked or crossed is broken. */
  #refreshTop({ receivedTimeNs: receivedNs }: MarketUpdate, at: InstrumentIndex): ApplyOutcome {
    const { numbers } = this.#rows;
    const row = at * ROW;
    numbers[row + RECEIVED_NS] = receivedNs;
    if (!this.#showTop(at)) numbers[row + CROSSED_SINCE_NS] = NaN;
    else if (Number.isNaN(numbers[row + CROSSED_SINCE_NS])) numbers[row + CROSSED_SINCE_NS] = receivedNs;
    else if (receivedNs - numbers[row + CROSSED_SINCE_NS]! > CROSSED_MAX_NS) {
      this.#break(this.#books[at]!, at);
      return BROKEN;
    }
    return APPLIED;
  }

  /** Sets the top by what the book holds and what is known of it. True when bid and ask are locked or crossed. */
  #showTop(at: InstrumentIndex): boolean {
    const { tops, quotes } = this;
    const { flags } = this.#rows;
    const { bid, bidQty, ask, askQty } = tops;
    if ((flags[at]! & QUOTE_RULES) !== 0) {
      bid[at] = quotes.bid[at]!;
      bidQty[at] = quotes.bidQty[at]!;
      ask[at] = quotes.ask[at]!;
      askQty[at] = quotes.askQty[at]!;
    } else {
      const book = this.#books[at]!;
      book.bids.best(bid, bidQty, at);
      book.asks.best(ask, askQty, at);
    }
    const isCrossed = bid[at]! >= ask[at]!;
    const now = isCrossed ? flags[at]! | CROSSED : flags[at]! & ~CROSSED;
    flags[at] = now;
    if ((now & BELIEVED) !== LIVE) clearTop(tops, at);
    return isCrossed;
  }

  #status(instrument: InstrumentIndex): BookStatus {
    const { status } = this.#books[instrument]!;
    return status === 'live' && this.#ageMs(instrument, this.#clock.now()) > this.#staleAfterMs ? 'stale' : status;
  }

  /** Since the last proof that the book is current, and how late its last update came. */
  #ageMs(instrument: InstrumentIndex, nowNs: TimeNs): number {
    const { numbers } = this.#rows;
    const row = instrument * ROW;
    const connection = this.#connections[instrument]!;
    const heardNs =
      connection < 0 ? -Infinity : Math.min(this.#heardNs[connection]!, numbers[row + SAID_NS]! + VOUCHED_MAX_NS);
    return (nowNs - Math.max(numbers[row + RECEIVED_NS]!, heardNs)) / 1e6 + numbers[row + LATENESS_MS]!;
  }

  /** Levels as they stand after the newest word: under a newer quote, its top first and then what the book has strictly behind it. */
  #read(instrument: InstrumentIndex, isBid: boolean, prices: Float64Array, qtys: Float64Array): number {
    const book = this.#books[instrument]!;
    if (!book.is(FOLLOWING)) return 0;
    const side: BookSide = isBid ? book.bids : book.asks;
    if (!book.is(QUOTE_RULES)) return side.read(prices, qtys, 0, NaN);
    const price = isBid ? this.quotes.bid[instrument]! : this.quotes.ask[instrument]!;
    if (Number.isNaN(price)) return 0;
    prices[0] = price;
    qtys[0] = isBid ? this.quotes.bidQty[instrument]! : this.quotes.askQty[instrument]!;
    return side.read(prices, qtys, 1, price);
  }
}

function newTops(count: number): Tops {
  return {
    bid: new Float64Array(count).fill(NaN),
    bidQty: new Float64Array(count),
    ask: new Float64Array(count).fill(NaN),
    askQty: new Float64Array(count),
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
