import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, BookStatus, LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, HELD, IGNORED, SNAPSHOT } from '#shared/domain/market-event.ts';
import type { BookRules, ChecksumView } from '../venues/venue.ts';
import type { Book, BookSide } from './book.ts';
import { bookFor } from './layout.ts';
import { RingMemory } from './ring-memory.ts';
import { sortedBook } from './sorted-book.ts';

/** Deltas kept for a snapshot that is on its way. More means the snapshot does not come: it is asked for again. */
const HELD_FRAMES_MAX = 4_096;
const HELD_LEVELS_MAX = 50_000;

/** What happened to one instrument's updates since the start. */
export type BookStatistics = {
  applied: number;
  ignored: number;
  held: number;
  /** Breaks of continuity, of a checksum or of a bound. */
  gaps: number;
  snapshots: number;
  /** Snapshots that did not reach up to the deltas held for them. */
  snapshotsTooOld: number;
  /** Deltas applied, those held first included; dropped by the venue's rule. */
  deltas: number;
  deltasDropped: number;
  checksums: number;
  checksumsWrong: number;
};

/** What is believed of a book: bits of its flags. There is a snapshot, and no rule was broken since. */
export const FOLLOWING = 1;
/** The last checksum said that the book is right; also where venues send none. */
export const VERIFIED = 2;
/** The other venues say something else: not believed, however unbroken its own sequence is. */
export const SUSPECT = 4;
/** Asked for now and then, not followed. */
export const POLLED = 8;
/** The last quote is newer than the book. */
export const QUOTE_RULES = 16;
/** Bid and ask are locked or crossed. */
export const CROSSED = 32;
/** A rule was broken, and no snapshot came since. */
const GAP = 64;
/** No delta came since the snapshot. */
const OPENING = 128;

/** Doubles of a book's row. The first ones count outcomes: their places are the outcomes themselves. */
export const ROW = 16;
export const LAST_SEQUENCE = 4;
export const QUOTE_SEQUENCE = 5;
/** Of the last update that was applied. */
export const RECEIVED_NS = 6;
export const LATENESS_MS = 7;
/** When the venue last said anything, applied or not. */
export const SAID_NS = 8;
/** NaN while it is not crossed. */
export const CROSSED_SINCE_NS = 9;

/** What nearly every update touches of the books, side by side in memory: objects would be fetched from all over the heap. */
export class BookRows {
  /** `ROW` doubles a book. */
  readonly numbers: Float64Array;
  readonly flags: Uint8Array;
  /** Where dense books have their levels. */
  readonly memory = new RingMemory();

  constructor(books: number) {
    this.numbers = new Float64Array(books * ROW);
    this.flags = new Uint8Array(books).fill(VERIFIED | OPENING);
    for (let row = 0; row < this.numbers.length; row += ROW) {
      this.numbers[row + LAST_SEQUENCE] = NaN;
      this.numbers[row + QUOTE_SEQUENCE] = NaN;
      this.numbers[row + RECEIVED_NS] = -Infinity;
      this.numbers[row + SAID_NS] = -Infinity;
      this.numbers[row + CROSSED_SINCE_NS] = NaN;
    }
  }
}

/** A market's rules, in one shape for all markets: each update asks them. */
export type Rules = Pick<BookRules, 'follows' | 'depth'> & {
  readonly checksum: BookRules['checksum'] | undefined;
  /** Whether deltas from before a snapshot may continue it. */
  readonly holdsDeltas: boolean;
};

export const rulesFrom = ({ follows, depth, checksum, snapshot }: BookRules): Rules => ({
  follows,
  depth,
  checksum,
  holdsDeltas: snapshot.from !== 'push' || snapshot.holds === true,
});

type Place = { readonly rows: BookRows; readonly at: InstrumentIndex };

/** One instrument's book with its state of belief. The store decides; this remembers. */
export class InstrumentBook {
  // What every delta reads stands first, in as few lines of memory as there may be.
  readonly rules: Rules;
  bids: BookSide = NO_BOOK.bids;
  asks: BookSide = NO_BOOK.asks;
  readonly #rows: BookRows;
  readonly #at: number;
  readonly #onDelta: ((update: MarketUpdate) => void) | undefined;
  deltas = 0;
  gaps = 0;
  snapshots = 0;
  snapshotsTooOld = 0;
  deltasDropped = 0;
  checksums = 0;
  checksumsWrong = 0;
  /** Undefined before the first snapshot, which decides the layout. */
  book: Book | undefined;
  readonly #instrument: Instrument;
  /** Packed: hundreds of books may wait for a slow snapshot with thousands of frames. */
  #held: Float64Array[] = [];
  #heldLevels = 0;
  readonly #checksumView = {
    bids: (prices, qtys) => this.bids.read(prices, qtys, 0, NaN),
    asks: (prices, qtys) => this.asks.read(prices, qtys, 0, NaN),
    priceDecimals: 0,
    qtyDecimals: 0,
  } satisfies ChecksumView;

  constructor(instrument: Instrument, rules: Rules, place: Place, onDelta?: (update: MarketUpdate) => void) {
    this.#onDelta = onDelta;
    this.#instrument = instrument;
    this.#rows = place.rows;
    this.#at = place.at;
    this.rules = rules;
  }

  /** The last sequence applied; NaN without one. */
  get lastSequence(): number {
    return this.#rows.numbers[this.#at * ROW + LAST_SEQUENCE]!;
  }

  /** True until the first delta after a snapshot. */
  get opening(): boolean {
    return this.is(OPENING);
  }

  get status(): BookStatus {
    if (!this.is(FOLLOWING)) return this.is(GAP) ? 'gap' : 'syncing';
    if (this.is(CROSSED)) return 'crossed';
    if (!this.is(VERIFIED)) return 'syncing';
    if (this.is(POLLED)) return 'polled';
    return this.is(SUSPECT) ? 'suspect' : 'live';
  }

  get statistics(): BookStatistics {
    const { gaps, snapshots, snapshotsTooOld, deltas, deltasDropped, checksums, checksumsWrong } = this;
    const counted = (outcome: ApplyOutcome): number => this.#rows.numbers[this.#at * ROW + outcome]!;
    return {
      applied: counted(APPLIED),
      ignored: counted(IGNORED),
      held: counted(HELD),
      gaps,
      snapshots,
      snapshotsTooOld,
      deltas,
      deltasDropped,
      checksums,
      checksumsWrong,
    };
  }

  is(flag: number): boolean {
    return (this.#rows.flags[this.#at]! & flag) !== 0;
  }

  mark(flag: number, isSo: boolean): void {
    const { flags } = this.#rows;
    flags[this.#at] = isSo ? flags[this.#at]! | flag : flags[this.#at]! & ~flag;
  }

  /** Starts anew: nothing counts until a snapshot. Levels stay for whoever wants to look, deltas held are dropped. */
  forget(status: 'syncing' | 'gap'): void {
    const { numbers } = this.#rows;
    this.mark(FOLLOWING | QUOTE_RULES, false);
    this.mark(GAP, status === 'gap');
    numbers[this.#at * ROW + QUOTE_SEQUENCE] = NaN;
    numbers[this.#at * ROW + CROSSED_SINCE_NS] = NaN;
    this.#held = [];
    this.#heldLevels = 0;
  }

  /** Keeps a copy of a delta for the snapshot; false when there is no room. */
  hold(update: MarketUpdate): boolean {
    const levels = update.bids.count + update.asks.count;
    if (this.#held.length === HELD_FRAMES_MAX || this.#heldLevels + levels > HELD_LEVELS_MAX) return false;
    this.#held.push(packed(update));
    this.#heldLevels += levels;
    return true;
  }

  /** The snapshot replaces whatever was there. */
  replace(update: MarketUpdate): void {
    if (this.book === undefined) {
      this.book = bookFor(this.#instrument, update, this.#rows.memory);
      this.bids = this.book.bids;
      this.asks = this.book.asks;
    }
    this.#checksumView.priceDecimals = 0;
    this.#checksumView.qtyDecimals = 0;
    this.#set(update);
    this.mark(VERIFIED | FOLLOWING | OPENING, true);
    this.snapshots += 1;
  }

  /** One delta that follows. */
  write(update: MarketUpdate): void {
    this.#set(update);
    this.mark(OPENING, false);
    this.deltas += 1;
    this.#onDelta?.(update);
  }

  /**
   * Applies the held deltas that continue the snapshot. False when the snapshot ends before they begin, or one is missing between them: then
   * what is left stays held for the next snapshot.
   */
  replayHeld(): boolean {
    const held = this.#held;
    for (const [at, numbers] of held.entries()) {
      const update = unpacked(numbers);
      const continuity = this.rules.follows(this, update);
      if (continuity === 'gap') {
        this.#held = held.slice(at);
        this.#heldLevels = this.#held.reduce((sum, { length }) => sum + (length - HEAD) / 2, 0);
        this.mark(FOLLOWING | GAP, false);
        this.snapshotsTooOld += 1;
        return false;
      }
      if (continuity === 'apply') this.write(update);
      else this.deltasDropped += 1;
    }
    this.#held = [];
    this.#heldLevels = 0;
    return true;
  }

  /**
   * Compares with the frame's checksum, if it has one. A checksum that cannot be computed (NaN) is neither right nor wrong: the book goes on, but is not
   * believed until one says so.
   */
  checksumHolds(update: MarketUpdate): boolean {
    const { checksum } = this.rules;
    if (checksum === undefined || Number.isNaN(update.checksum)) return true;
    const found = checksum(this.#checksumView);
    const isKnown = !Number.isNaN(found);
    this.checksums += 1;
    this.mark(VERIFIED, isKnown);
    if (!isKnown || found === (update.checksum | 0)) return true;
    this.checksumsWrong += 1;
    return false;
  }

  #set(update: MarketUpdate): void {
    const { bids, asks } = update;
    if (update.kind === SNAPSHOT) {
      this.bids.replace(bids);
      this.asks.replace(asks);
    } else {
      this.bids.write(bids);
      this.asks.write(asks);
    }
    this.#rows.numbers[this.#at * ROW + LAST_SEQUENCE] = update.lastSequence;
    if (this.rules.checksum === undefined) return;
    const view = this.#checksumView;
    view.priceDecimals = Math.max(view.priceDecimals, bids.priceDecimals, asks.priceDecimals);
    view.qtyDecimals = Math.max(view.qtyDecimals, bids.qtyDecimals, asks.qtyDecimals);
  }
}

/** Numbers before the levels: the update's own, then count and decimals of each side. */
const HEAD = 14;

function packed(update: MarketUpdate): Float64Array {
  const { bids, asks } = update;
  const numbers = new Float64Array(HEAD + 2 * (bids.count + asks.count));
  numbers.set([
    update.kind,
    update.instrument,
    update.firstSequence,
    update.lastSequence,
    update.previousSequence,
    update.checksum,
    update.venueTimeMs,
    update.receivedTimeNs,
    ...[bids, asks].flatMap(({ count, priceDecimals, qtyDecimals }) => [count, priceDecimals, qtyDecimals]),
  ]);
  let at = HEAD;
  for (const { prices, qtys, count } of [bids, asks]) {
    numbers.set(prices.subarray(0, count), at);
    numbers.set(qtys.subarray(0, count), at + count);
    at += 2 * count;
  }
  return numbers;
}

function unpacked(numbers: Float64Array): MarketUpdate {
  const bidCount = numbers[8]!;
  const side = (head: number, at: number): LevelBuffer => {
    const count = numbers[head]!;
    return {
      prices: numbers.subarray(at, at + count),
      qtys: numbers.subarray(at + count, at + 2 * count),
      count,
      priceDecimals: numbers[head + 1]!,
      qtyDecimals: numbers[head + 2]!,
    };
  };
  return {
    kind: numbers[0] as MarketUpdate['kind'],
    instrument: numbers[1] as MarketUpdate['instrument'],
    firstSequence: numbers[2]!,
    lastSequence: numbers[3]!,
    previousSequence: numbers[4]!,
    checksum: numbers[5]!,
    venueTimeMs: numbers[6]!,
    receivedTimeNs: numbers[7] as MarketUpdate['receivedTimeNs'],
    bids: side(8, HEAD),
    asks: side(11, HEAD + 2 * bidCount),
  };
}

/** Stands in before the first snapshot: always empty. */
const NO_BOOK = sortedBook();
