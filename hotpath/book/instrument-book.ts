import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, BookStatus, LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN, HELD, IGNORED, SNAPSHOT } from '#shared/domain/market-event.ts';
import type { BookRules, ChecksumView } from '../venues/venue.ts';
import type { Book, BookSide } from './book.ts';
import { bookFor } from './layout.ts';
import { sortedBook } from './sorted-book.ts';

/** Deltas kept for a snapshot that is on its way. More means the snapshot does not come: it is asked for again. */
const HELD_FRAMES_MAX = 4_096;
const HELD_LEVELS_MAX = 50_000;

/** What happened to one instrument's updates since the start. */
export class BookStatistics {
  applied = 0;
  ignored = 0;
  held = 0;
  /** Breaks of continuity, of a checksum or of a bound. */
  gaps = 0;
  snapshots = 0;
  /** Snapshots that did not reach up to the deltas held for them. */
  snapshotsTooOld = 0;
  /** Deltas applied, those held first included; dropped by the venue's rule. */
  deltas = 0;
  deltasDropped = 0;
  checksums = 0;
  checksumsWrong = 0;

  count(outcome: ApplyOutcome): void {
    switch (outcome) {
      case APPLIED:
        this.applied += 1;
        return;
      case IGNORED:
        this.ignored += 1;
        return;
      case HELD:
        this.held += 1;
        return;
      case BROKEN:
        return;
    }
  }
}

/** One instrument's book with its state of belief. The store decides; this remembers. */
export class InstrumentBook {
  readonly rules: BookRules;
  readonly statistics = new BookStatistics();
  status: BookStatus = 'syncing';
  /** There is a snapshot, and no rule was broken since. */
  following = false;
  /** The last checksum said that the book is right; also true where venues send none. */
  verified = true;
  /** The other venues say something else: not believed, however unbroken its own sequence is. */
  suspect = false;
  /** Asked for now and then, not followed. */
  polled = false;
  /** True until the first delta after a snapshot. */
  opening = true;
  lastSequence = NaN;
  quoteSequence = NaN;
  /** The last quote is newer than the book. */
  quoteRules = false;
  receivedTimeNs = -Infinity;
  latenessMs = 0;
  crossedSinceNs = NaN;
  /** Undefined before the first snapshot, which decides the layout. */
  book: Book | undefined;
  bids: BookSide = NO_BOOK.bids;
  asks: BookSide = NO_BOOK.asks;
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

  readonly #onDelta: ((update: MarketUpdate) => void) | undefined;

  constructor(instrument: Instrument, rules: BookRules, onDelta?: (update: MarketUpdate) => void) {
    this.#onDelta = onDelta;
    this.#instrument = instrument;
    this.rules = rules;
  }

  /** Starts anew: nothing counts until a snapshot. Levels stay for whoever wants to look, deltas held are dropped. */
  forget(status: 'syncing' | 'gap'): void {
    this.status = status;
    this.following = false;
    this.quoteRules = false;
    this.quoteSequence = NaN;
    this.crossedSinceNs = NaN;
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
      this.book = bookFor(this.#instrument, update);
      this.bids = this.book.bids;
      this.asks = this.book.asks;
    }
    this.bids.clear();
    this.asks.clear();
    this.#checksumView.priceDecimals = 0;
    this.#checksumView.qtyDecimals = 0;
    this.#set(update);
    this.verified = true;
    this.following = true;
    this.opening = true;
    this.statistics.snapshots += 1;
  }

  /** One delta that follows. */
  write(update: MarketUpdate): void {
    this.#set(update);
    this.opening = false;
    this.statistics.deltas += 1;
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
        this.following = false;
        this.status = 'syncing';
        this.statistics.snapshotsTooOld += 1;
        return false;
      }
      if (continuity === 'apply') this.write(update);
      else this.statistics.deltasDropped += 1;
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
    this.statistics.checksums += 1;
    this.verified = !Number.isNaN(found);
    if (!this.verified || found === update.checksum) return true;
    this.statistics.checksumsWrong += 1;
    return false;
  }

  #set(update: MarketUpdate): void {
    const { bids, asks } = update;
    if (update.kind === SNAPSHOT) {
      setBackwards(this.bids, bids);
      setBackwards(this.asks, asks);
    } else {
      setForwards(this.bids, bids);
      setForwards(this.asks, asks);
    }
    this.lastSequence = update.lastSequence;
    const view = this.#checksumView;
    view.priceDecimals = Math.max(view.priceDecimals, bids.priceDecimals, asks.priceDecimals);
    view.qtyDecimals = Math.max(view.qtyDecimals, bids.qtyDecimals, asks.qtyDecimals);
  }
}

/** In the order sent: a frame may name a price twice, and the last word counts. */
function setForwards(side: BookSide, { prices, qtys, count }: LevelBuffer): void {
  for (let at = 0; at < count; at += 1) side.set(prices, qtys, at);
}

/** Snapshots come best first; worst first, the sorted layout only ever appends. */
function setBackwards(side: BookSide, { prices, qtys, count }: LevelBuffer): void {
  for (let at = count - 1; at >= 0; at -= 1) side.set(prices, qtys, at);
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
