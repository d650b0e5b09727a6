import { BookStore } from '#hotpath/book/book-store.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { BadInput } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { ApplyOutcome } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN, QUOTE } from '#shared/domain/market-event.ts';
import type { Random } from '#shared/random.ts';
import { randomFrom } from '#shared/random.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { Kind } from './mutations.ts';
import { changesContent, kinds, mutated } from './mutations.ts';
import type { Stream } from './streams.ts';
import { levelHash, TruthBook } from './truth.ts';

/** Runs seed after seed until so many mutations were made; stops at the first seed with a fault. */
export function fuzz(stream: Stream, wanted: number, firstSeed: number) {
  const total: Partial<Tally> = {};
  let mutations = 0;
  for (let seed = firstSeed; mutations < wanted; seed += 1) {
    const { tally, faults } = new Fuzzer(stream, randomFrom(seed)).run(4);
    for (const [name, count] of Object.entries(tally) as [keyof Tally, number][])
      total[name] = (total[name] ?? 0) + count;
    mutations += kinds.reduce((sum, kind) => sum + tally[kind], 0);
    if (faults.length > 0) return { faults: [`seed ${seed}`, ...faults.slice(0, 5)], tally: total as Tally, mutations };
  }
  return { faults: [], tally: total as Tally, mutations };
}

type Said = { readonly instrument: InstrumentIndex; readonly isQuote: boolean; readonly outcome: ApplyOutcome };
type Pending = { readonly bytes: Buffer; readonly frame: number; readonly due: number };

type Tally = Record<Kind | 'refused' | 'broken' | 'snapshots' | 'liveChecks', number>;

/**
 * Plays a stream through decode and books and lets things happen to its frames, as a session would see it: what is malformed makes every book of the
 * connection distrusted, what is broken gets a new snapshot, a little late. After each frame its book, if it claims to be live, is compared with
 * how the venue's own book stood after the frame that it says it is at.
 */
class Fuzzer {
  readonly tally: Tally = Object.fromEntries(
    [...kinds, 'refused', 'broken', 'snapshots', 'liveChecks'].map((name) => [name, 0]),
  ) as Tally;
  /** What went wrong, in words; empty after a good run. */
  readonly faults: string[] = [];
  readonly #stream: Stream;
  readonly #random: Random;
  readonly #store: BookStore;
  readonly #sink: FeedSink;
  readonly #frame = new Frame();
  readonly #clock = new VirtualClock(0n);
  readonly #truth: TruthBook[] = [];
  readonly #pending: (Pending | undefined)[] = [];
  /** The last frame that changed each book at the venue, and the last one that our book applied. */
  readonly #changedBy: number[] = [];
  readonly #appliedFrame: number[] = [];
  #said: Said | undefined;
  #losses = 0;
  readonly #prices = new Float64Array(20_000);
  readonly #qtys = new Float64Array(20_000);

  constructor(stream: Stream, random: Random) {
    const { venue, market, symbols } = stream;
    this.#stream = stream;
    this.#random = random;
    const instruments = symbols.map((symbol, at) => instrumentOf(venue, market.id, symbol, at % 2 === 0 ? '0.1' : '0'));
    this.#store = new BookStore({
      instruments,
      rulesOf: () => market.book,
      clock: this.#clock,
      staleAfterMs: Infinity,
    });
    this.#sink = new FeedSink({
      instruments,
      venue,
      market: market.id,
      onControl: (kind) => {
        if (kind === 'lost') this.#losses += 1;
      },
      onUpdate: (update) => {
        const outcome = this.#store.apply(update);
        this.#said = { instrument: update.instrument, isQuote: update.kind === QUOTE, outcome };
      },
    });
  }

  /** The venue counts the socket's frames: what it pushes comes in its turn or is missed. */
  get #counts(): boolean {
    return this.#stream.preamble !== undefined;
  }

  /** Once through the stream, with about one book frame in `every` mutated. */
  run(every: number): this {
    const { symbols, openings, frames, preamble = [] } = this.#stream;
    for (const text of preamble) this.#decode(Buffer.from(text));
    if (this.#counts) this.#sink.connection.sequence = 0;
    for (const [at, symbol] of symbols.entries()) {
      this.#truth[at] = new TruthBook();
      this.#advance(at, -1, openings.get(symbol)!);
      this.#restart(at, -1);
    }
    let delayed: { bytes: Buffer; frame: number } | undefined;
    for (const [number, { text, encoding, event }] of frames.entries()) {
      this.#deliverSnapshots(number);
      if (event !== undefined) this.#advance(symbols.indexOf(event.symbol), number, event);
      const bytes = Buffer.from(text, encoding);
      // Frames that change no book are many and teach less.
      const rarity = event === undefined ? 10 * every : every;
      const kind = this.#random.integer(rarity) === 0 ? kinds[this.#random.integer(kinds.length)] : undefined;
      if (kind !== undefined) this.tally[kind] += 1;
      const before = delayed;
      delayed = undefined;
      if (kind === 'reorder') delayed = { bytes, frame: number };
      else if (kind !== 'drop')
        this.#deliver(kind === undefined ? bytes : mutated(bytes, kind, this.#random), number, kind);
      if (kind === 'duplicate') this.#deliver(bytes, number, kind);
      if (before !== undefined) this.#deliver(before.bytes, before.frame, 'reorder');
    }
    return this;
  }

  #advance(at: number, number: number, event: Parameters<TruthBook['apply']>[0]): void {
    this.#truth[at]!.apply(event);
    this.#changedBy[at] = number;
  }

  #deliver(bytes: Buffer, number: number, kind: Kind | undefined): void {
    this.#said = undefined;
    const losses = this.#losses;
    this.#clock.jumpTo(this.#clock.now() + 1e6);
    this.#sink.update.receivedTimeNs = this.#clock.now();
    const foreign = kind !== undefined && changesContent(kind);
    try {
      this.#decode(bytes);
    } catch (error) {
      this.#refused(error, foreign, number);
      return;
    }
    if (this.#losses > losses) this.#startOver(number);
    // A changed channel number hides whose change it was; the next count does not tell.
    const own = this.#stream.frames[number]!.event?.symbol;
    if (foreign && own !== undefined && this.#counts) {
      this.#restart(this.#stream.symbols.indexOf(own), number);
    }
    const said = this.#said as Said | undefined;
    if (said === undefined) return;
    if (kind === 'truncate') this.faults.push(`frame ${number} was believed although cut to ${bytes.length} bytes`);
    if (said.outcome === APPLIED && !said.isQuote) this.#appliedFrame[said.instrument] = number;
    // Sequences do not vouch for content: what was changed and taken is undone, as nobody could have noticed.
    if (foreign && this.#stream.vouched === undefined) this.#restart(said.instrument, number);
    else if (said.outcome === BROKEN) {
      this.tally.broken += 1;
      this.#askSnapshot(said.instrument, number);
    }
    if (!said.isQuote) this.#check(said.instrument, number);
  }

  #decode(bytes: Buffer): void {
    this.#stream.market.decode(this.#frame.window(bytes, 0, bytes.length), this.#sink);
  }

  /** Frames of the socket are missing, and nobody knows of which book. */
  #startOver(number: number): void {
    this.tally.broken += 1;
    for (const at of this.#stream.symbols.keys()) this.#restart(at, number);
  }

  #refused(error: unknown, foreign: boolean, number: number): void {
    this.tally.refused += 1;
    if (!(error instanceof BadInput)) this.faults.push(`frame ${number}: ${String(error)}`);
    else if (!foreign) this.faults.push(`frame ${number} was refused although clean: ${error.message}`);
    for (const at of this.#stream.symbols.keys()) this.#restart(at, number);
  }

  #restart(at: number, number: number): void {
    this.#store.distrust(at as InstrumentIndex);
    this.#askSnapshot(at, number);
  }

  /** The answer is made now and comes within the next frames. */
  #askSnapshot(at: number, number: number): void {
    this.#pending[at] = {
      bytes: this.#snapshotNow(at),
      frame: this.#changedBy[at]!,
      due: number + 1 + this.#random.integer(4),
    };
  }

  #snapshotNow(at: number): Buffer {
    return Buffer.from(this.#stream.snapshotText(this.#stream.symbols[at]!, this.#truth[at]!));
  }

  #deliverSnapshots(number: number): void {
    const { snapshot } = this.#stream.market.book;
    for (const [at, pending] of this.#pending.entries()) {
      if (pending === undefined || pending.due > number) continue;
      this.#pending[at] = undefined;
      this.tally.snapshots += 1;
      this.#sink.update.receivedTimeNs = this.#clock.now();
      const bytes = this.#counts ? this.#snapshotNow(at) : pending.bytes;
      const frame = this.#frame.window(bytes, 0, bytes.length);
      const { sequence } = this.#sink.connection;
      this.#sink.connection.sequence = NaN;
      if (snapshot.from !== 'rest') this.#stream.market.decode(frame, this.#sink);
      else snapshot.decode(frame, this.#sink, at as InstrumentIndex);
      this.#sink.connection.sequence = sequence;
      this.#appliedFrame[at] = pending.frame;
      if (this.#said!.outcome === BROKEN) this.#askSnapshot(at, number);
      this.#check(at, number);
    }
  }

  #check(at: number, number: number): void {
    const instrument = at as InstrumentIndex;
    if (this.#store.depths.status(instrument) !== 'live') return;
    this.tally.liveChecks += 1;
    const { vouched, states, symbols } = this.#stream;
    const symbol = symbols[at]!;
    const key = vouched === undefined ? this.#store.lastSequence(instrument) : this.#appliedFrame[at]!;
    const found = vouched === undefined ? this.#hash(instrument) : this.#top(instrument, vouched);
    const want = states.get(symbol)!.get(key);
    if (found !== want) {
      this.faults.push(`${symbol} is live and wrong at ${key} after frame ${number}: ${found}, not ${want ?? 'known'}`);
    }
    const { bid, ask } = this.#store.tops;
    if (bid[at]! >= ask[at]!) this.faults.push(`${symbol} is live and crossed after frame ${number}`);
  }

  #hash(instrument: InstrumentIndex): number {
    const { bids, asks } = this.#store.levels(instrument)!;
    let hash = 0;
    for (const [number, side] of [bids, asks].entries()) {
      const count = side.read(this.#prices, this.#qtys, 0, NaN);
      for (let at = 0; at < count; at += 1) hash ^= levelHash(number, this.#prices[at]!, this.#qtys[at]!);
    }
    return hash;
  }

  #top(instrument: InstrumentIndex, count: number): string {
    const { bids, asks } = this.#store.levels(instrument)!;
    return [bids, asks]
      .flatMap((side) => {
        const read = Math.min(count, side.read(this.#prices, this.#qtys, 0, NaN));
        return Array.from({ length: read }, (_, at) => [this.#prices[at]!, this.#qtys[at]!]);
      })
      .flat()
      .join();
  }
}
