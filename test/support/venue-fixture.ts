import { readFileSync, writeFileSync } from 'node:fs';
import { BookStore } from '#hotpath/book/book-store.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import type { Market, Venue } from '#hotpath/venues/venue.ts';
import { BadInput } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, MarketUpdate, ReferenceUpdate, TradePrint } from '#shared/domain/market-event.ts';

/** One step of a market's fixture: a frame of the socket (a binary one as `latin1` text, a character a byte), or the answer to a snapshot request. */
export type Step =
  | { readonly frame: string; readonly encoding?: BufferEncoding }
  | { readonly symbol: string; readonly snapshot: string };
export type MarketFixture = {
  readonly market: Market;
  readonly bodies: readonly string[];
  readonly steps: readonly Step[];
  /** Frames of the channels beside the books. */
  readonly streams: readonly Step[];
  /** What all of it is to be read as; undefined while nobody has looked at it. */
  readonly gives: unknown;
};

type Row = { readonly market?: string; readonly provenance?: string; readonly instruments?: string } & Partial<
  Record<'frame' | 'snapshot' | 'symbol' | 'stream', string>
> & { readonly encoding?: BufferEncoding; readonly gives?: unknown };

const fileOf = (venue: string): string => `test/fixtures/venues/${venue}.jsonl`;

const rowsOf = (venue: string): readonly Row[] =>
  readFileSync(fileOf(venue), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

export const provenanceOf = (venue: string): string => rowsOf(venue)[0]?.provenance ?? '';

export const fixturesOf = (venue: Venue): readonly MarketFixture[] =>
  [...venue.markets, ...(venue.recorded ?? [])].map((market) => {
    const rows = rowsOf(venue.id).filter((row) => row.market === market.id);
    return {
      market,
      bodies: rows.flatMap(({ instruments }) => instruments ?? []),
      steps: rows.flatMap(({ frame, snapshot, symbol, encoding }): Step[] => {
        if (snapshot !== undefined) return [{ symbol: symbol!, snapshot }];
        return frame === undefined ? [] : [{ frame, ...(encoding === undefined ? {} : { encoding }) }];
      }),
      gives: rows.findLast(({ gives }) => gives !== undefined)?.gives,
      streams: rows.flatMap(({ stream: frame, encoding }) =>
        frame === undefined ? [] : [{ frame, ...(encoding === undefined ? {} : { encoding }) }],
      ),
    };
  });

/** JSON has no NaN. */
export const plainOf = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, each: unknown) => (Number.isNaN(each) ? 'NaN' : each)));

/** `UPDATE_FIXTURES=1` writes what the decoders make of the frames into the fixtures, to be read before it is committed. */
export const updatesFixtures = process.env['UPDATE_FIXTURES'] === '1';

export function writeExpectation(venue: string, market: string, gives: unknown): void {
  const kept = readFileSync(fileOf(venue), 'utf8')
    .trim()
    .split('\n')
    .filter((line) => {
      const row = JSON.parse(line) as Row;
      return row.market !== market || row.gives === undefined;
    });
  writeFileSync(fileOf(venue), `${[...kept, JSON.stringify({ market, gives })].join('\n')}\n`);
}

export const bytesOfStep = (step: Step): Buffer =>
  'frame' in step ? Buffer.from(step.frame, step.encoding) : Buffer.from(step.snapshot);

/** Decode and books of one market, fed by hand: 100 ms pass between frames. */
export class MarketRig {
  readonly store: BookStore;
  readonly controls: string[] = [];
  /** What the channels beside the books said. */
  readonly prints: TradePrint[] = [];
  readonly references: ReferenceUpdate[] = [];
  readonly #market: Market;
  readonly #instruments: readonly Instrument[];
  readonly #sink: FeedSink;
  readonly #frame = new Frame();
  readonly #clock = new VirtualClock(0n);
  #last: { update: MarketUpdate; outcome: ApplyOutcome } | undefined;

  constructor(market: Market, instruments: readonly Instrument[]) {
    this.#market = market;
    this.#instruments = instruments;
    const { venue } = instruments[0]!;
    this.store = new BookStore({
      instruments,
      rulesOf: () => market.book,
      clock: this.#clock,
      staleAfterMs: Infinity,
    });
    this.#sink = new FeedSink({
      instruments,
      venue,
      market: market.id,
      onPrint: (print) => this.prints.push({ ...print }),
      onReference: (reference) => this.references.push({ ...reference }),
      onControl: (kind) => {
        this.controls.push(kind);
        if (kind === 'lost') for (const index of instruments.keys()) this.store.distrust(index as InstrumentIndex);
      },
      onUpdate: (update) => {
        this.#last = { update: structuredClone(update), outcome: this.store.apply(update) };
      },
    });
  }

  /** What one step published and what the books made of it; undefined when it published nothing. @throws BadInput */
  take(step: Step): { readonly update: MarketUpdate; readonly outcome: ApplyOutcome } | undefined {
    return 'frame' in step ? this.frame(bytesOfStep(step)) : this.snapshot(step.symbol, bytesOfStep(step));
  }

  frame(bytes: Uint8Array) {
    this.#begin();
    this.#market.decode(this.#frame.window(bytes, 0, bytes.length), this.#sink);
    return this.#last;
  }

  snapshot(symbol: string, bytes: Uint8Array) {
    const { snapshot } = this.#market.book;
    if (snapshot.from !== 'rest') throw new Error('this market sends its snapshots as frames');
    this.#begin();
    const index = this.#instruments.findIndex(({ venueSymbol }) => venueSymbol === symbol);
    snapshot.decode(this.#frame.window(bytes, 0, bytes.length), this.#sink, index as InstrumentIndex);
    return this.#last;
  }

  #begin(): void {
    this.#last = undefined;
    this.#clock.jumpTo(this.#clock.now() + 1e8);
    this.#sink.update.receivedTimeNs = this.#clock.now();
  }
}

/** What `take` throws, if it is BadInput; anything else is a fault of ours and goes through. */
export function refusalOf(take: () => unknown): string | undefined {
  try {
    take();
    return undefined;
  } catch (error) {
    if (error instanceof BadInput) return error.message;
    throw error;
  }
}
