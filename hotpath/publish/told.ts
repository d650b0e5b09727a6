import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Depths } from '#shared/domain/capital.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { BOOK_STATUSES } from '#shared/domain/market-event.ts';
import { plainText } from '#shared/money/grid.ts';
import type { EngineStatus, MarketSample } from '#shared/schema/status.ts';
import { FULL, ringMemory, RingReader, RingWriter } from '../runtime/ring.ts';

/** What the engine says of itself and of the market once a second, in memory that the publish worker reads. */
export type ToldMemory = {
  readonly memory: SharedArrayBuffer;
  /** Ids, by index. */
  readonly instruments: readonly string[];
};

/** What is sampled. */
export type Market = {
  readonly instruments: readonly Pick<Instrument, 'id'>[];
  readonly books: {
    readonly depths: Depths;
    /** Undefined before the first snapshot. */
    readonly levels: (instrument: InstrumentIndex) => unknown;
  };
};

const SAMPLE_LEVELS = 10;
/** A book that was never there is infinitely old, and JSON has no infinity. */
const AGE_MAX_MS = 86_400_000;
/** Stands where a sample has its instrument: what follows is a status as JSON. */
const STATUS = -1;
/** Doubles of a sample before its levels: instrument, status, time, age, how many bids and asks. */
const HEAD = 6;
const SAMPLE_BYTES_MAX = 8 * (HEAD + 4 * SAMPLE_LEVELS) + 8;
/** Of samples, so that a worker that pauses for a while misses none. */
const SECONDS = 4;
const STATUS_BYTES = 4 * 1024 * 1024;

/**
 * The engine's side: numbers as they stand, written where the worker reads them. The texts are made over there: of two thousand books they cost tens of
 * milliseconds, and copies of them as much again.
 */
export class ToldWriter {
  readonly told: ToldMemory;
  readonly #market: Market;
  readonly #clock: Clock;
  readonly #ring: RingWriter;
  readonly #bids = newLevels();
  readonly #asks = newLevels();

  constructor(market: Market, clock: Clock) {
    const { instruments } = market;
    const memory = ringMemory(STATUS_BYTES + SECONDS * instruments.length * SAMPLE_BYTES_MAX);
    this.told = { memory, instruments: instruments.map(({ id }) => id) };
    this.#market = market;
    this.#clock = clock;
    this.#ring = new RingWriter(memory);
  }

  /** Samples and statuses for which there was no room: the worker has not read for seconds. */
  get refused(): number {
    return this.#ring.refused;
  }

  /** Every book as it is now, then the status. */
  tell(status: EngineStatus): void {
    const nowNs = this.#clock.now();
    const atMs = this.#clock.unixMs(nowNs);
    const { instruments, books } = this.#market;
    for (let at = 0; at < instruments.length; at += 1) {
      const index = at as InstrumentIndex;
      // A book that is gone is told, or its last sample would stay live for ever; of one that never was there is nothing to tell.
      if (books.levels(index) === undefined) continue;
      this.#sample(index, atMs, Math.min(books.depths.ageMs(index, nowNs), AGE_MAX_MS));
    }
    this.#say(JSON.stringify(status));
    this.#ring.wake();
  }

  #sample(index: InstrumentIndex, atMs: number, ageMs: number): void {
    const { depths } = this.#market.books;
    const bids = depths.bids(index, this.#bids.prices, this.#bids.qtys);
    const asks = depths.asks(index, this.#asks.prices, this.#asks.qtys);
    const start = this.#ring.reserve(8 * (HEAD + 2 * (bids + asks)));
    if (start === FULL) return;
    const { doubles } = this.#ring;
    const at = start / 8;
    doubles[at] = index;
    doubles[at + 1] = BOOK_STATUSES.indexOf(depths.status(index));
    doubles[at + 2] = atMs;
    doubles[at + 3] = ageMs;
    doubles[at + 4] = bids;
    doubles[at + 5] = asks;
    writeLevels(doubles, at + HEAD, this.#bids, bids);
    writeLevels(doubles, at + HEAD + 2 * bids, this.#asks, asks);
    this.#ring.commit();
  }

  #say(json: string): void {
    const text = Buffer.from(json);
    const start = this.#ring.reserve(8 + text.length);
    if (start === FULL) return;
    this.#ring.doubles[start / 8] = STATUS;
    this.#ring.bytes.set(text, start + 8);
    this.#ring.commit();
  }
}

/** The worker's side: the latest of everything. What it had no time for is replaced. */
export class ToldReader {
  readonly #instruments: readonly string[];
  readonly #ring: RingReader;
  readonly #samples = new Map<number, MarketSample>();
  #status: EngineStatus | undefined;

  constructor({ memory, instruments }: ToldMemory) {
    this.#instruments = instruments;
    this.#ring = new RingReader(memory);
  }

  /** Resolves when there is something new, or after so long. */
  wait(timeoutMs: number): Promise<void> {
    return this.#ring.wait(timeoutMs);
  }

  /** Takes in what has been said; to be called every second or so, or the engine finds no room. */
  listen(): void {
    const ring = this.#ring;
    while (ring.next()) {
      const index = ring.doubles[ring.start / 8]!;
      if (index === STATUS) this.#status = this.#readStatus();
      else this.#samples.set(index, this.#readSample(index));
    }
  }

  /** The last status that was not taken yet, and the samples that go with it. */
  take(): { readonly status: EngineStatus; readonly market: readonly MarketSample[] } | undefined {
    this.listen();
    if (this.#status === undefined) return undefined;
    const taken = { status: this.#status, market: [...this.#samples.values()] };
    this.#status = undefined;
    this.#samples.clear();
    return taken;
  }

  /** Whether there is nothing left to take. */
  get isEmpty(): boolean {
    this.listen();
    return this.#status === undefined;
  }

  #readStatus(): EngineStatus {
    const { bytes, start, end } = this.#ring;
    // Written by the other thread of this process: it needs no schema.
    return JSON.parse(Buffer.from(bytes.slice(start + 8, end)).toString()) as EngineStatus;
  }

  #readSample(index: number): MarketSample {
    const { doubles, start } = this.#ring;
    const at = start / 8;
    const [bidCount, askCount] = [doubles[at + 4]!, doubles[at + 5]!];
    const bids = levelsFrom(doubles, at + HEAD, bidCount);
    const asks = levelsFrom(doubles, at + HEAD + 2 * bidCount, askCount);
    const [bid, bidQty] = bids[0] ?? NO_LEVEL;
    const [ask, askQty] = asks[0] ?? NO_LEVEL;
    const instrument = this.#instruments[index];
    const status = BOOK_STATUSES[doubles[at + 1]!];
    assert(instrument !== undefined && status !== undefined, 'a sample names what both threads know');
    return {
      instrument,
      at_ms: doubles[at + 2]!,
      bid,
      bid_qty: bidQty,
      ask,
      ask_qty: askQty,
      // Nobody counts trades yet.
      volume: '',
      status,
      age_ms: doubles[at + 3]!,
      bids,
      asks,
    };
  }
}

type SideLevels = { readonly prices: Float64Array; readonly qtys: Float64Array };

function newLevels(): SideLevels {
  return { prices: new Float64Array(SAMPLE_LEVELS), qtys: new Float64Array(SAMPLE_LEVELS) };
}

function writeLevels(into: Float64Array, from: number, { prices, qtys }: SideLevels, count: number): void {
  for (let level = 0; level < count; level += 1) {
    into[from + 2 * level] = prices[level]!;
    into[from + 2 * level + 1] = qtys[level]!;
  }
}

const NO_LEVEL = ['', ''] as const;

/** The shortest text of a double read from decimal text is that text. */
const levelsFrom = (doubles: Float64Array, from: number, count: number): [string, string][] =>
  Array.from({ length: count }, (_none, level) => [
    plainText(doubles[from + 2 * level]!),
    plainText(doubles[from + 2 * level + 1]!),
  ]);
