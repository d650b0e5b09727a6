import { BookStore } from '#hotpath/book/book-store.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { binance } from '#hotpath/venues/binance.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import type { Stream } from '#test/fuzz/streams.ts';
import type { BookEvent } from '#test/fuzz/truth.ts';
import { TruthBook } from '#test/fuzz/truth.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { recordedLines } from '#test/support/recorded.ts';
import { FrameClock } from './decision.ts';

/** Frames that change books, from the moment at which every book has its snapshot; `changed` has the symbol of each. */
export type PeerFeed = {
  readonly venue: string;
  readonly market: Market;
  readonly symbols: readonly string[];
  readonly openings: ReadonlyMap<string, BookEvent>;
  readonly preamble: readonly string[];
  readonly snapshotTexts: ReadonlyMap<string, string>;
  readonly frames: readonly Buffer[];
  readonly changed: readonly string[];
};

/** One book of Binance, as recorded: its REST snapshot, and all depth frames after it. */
export function recordedBinance(name: string, market: string, framesMax: number): PeerFeed {
  const lines = recordedLines(name);
  const text = lines.find(({ k }) => k === 'http')!.d!;
  const { lastUpdateId, bids, asks } = JSON.parse(text) as Pick<BookEvent, 'bids' | 'asks'> & {
    readonly lastUpdateId: number;
  };
  const depths = lines.flatMap(({ k, d = '' }) => (k === 'in' && d.includes('"depthUpdate"') ? [d] : []));
  const texts = depths.filter((frame) => binanceDepth(frame).u > lastUpdateId).slice(0, framesMax);
  const symbol = binanceDepth(texts[0]!).s;
  return {
    venue: binance.id,
    market: binance.markets.find(({ id }) => id === market)!,
    symbols: [symbol],
    openings: new Map([[symbol, { symbol, isSnapshot: true, sequence: lastUpdateId, bids, asks }]]),
    preamble: [],
    snapshotTexts: new Map([[symbol, text]]),
    frames: texts.map((frame) => Buffer.from(frame)),
    changed: texts.map(() => symbol),
  };
}

type BinanceDepth = {
  readonly s: string;
  readonly u: number;
  readonly b: readonly (readonly [price: string, qty: string])[];
  readonly a: BinanceDepth['b'];
};

export const binanceDepth = (text: string): BinanceDepth => (JSON.parse(text) as { readonly data: BinanceDepth }).data;

export function feedOf({ venue, market, symbols, openings, preamble = [], ...stream }: Stream): PeerFeed {
  const frames = stream.frames.filter(({ event }) => event !== undefined);
  return {
    venue,
    market,
    symbols,
    openings,
    preamble,
    snapshotTexts: new Map(
      symbols.map((symbol) => [symbol, stream.snapshotText(symbol, openedBook(openings.get(symbol)!))]),
    ),
    frames: frames.map(({ text, encoding }) => Buffer.from(text, encoding)),
    changed: frames.map(({ event }) => event!.symbol),
  };
}

function openedBook(opening: BookEvent): TruthBook {
  const book = new TruthBook();
  book.apply(opening);
  return book;
}

/** As fine as the prices of a book are written. */
export const tickOf = ({ bids, asks }: Pick<BookEvent, 'bids' | 'asks'>): string =>
  String(
    10 ** -Math.max(0, ...[...bids, ...asks].map(([price]) => price.split('.')[1]?.replace(/0+$/, '').length ?? 0)),
  );

/** Our books of a feed, opened by its snapshots: what follows goes in as frames or, decoded before, as updates. */
export class OwnBooks {
  readonly store: BookStore;
  readonly #market: Market;
  readonly #sink: FeedSink;
  readonly #frame = new Frame();

  /** `onUpdate` hears what is decoded, after the books. */
  constructor(feed: PeerFeed, onUpdate: (update: MarketUpdate) => void = () => undefined) {
    const { venue, market, symbols } = feed;
    const instruments = symbols.map((symbol) =>
      instrumentOf(venue, market.id, symbol, tickOf(feed.openings.get(symbol)!)),
    );
    const store = new BookStore({
      instruments,
      rulesOf: () => market.book,
      clock: new FrameClock(),
      staleAfterMs: Infinity,
    });
    this.#sink = new FeedSink({
      instruments,
      venue,
      market: market.id,
      onUpdate: (update) => {
        store.apply(update);
        onUpdate(update);
      },
      onControl: () => undefined,
    });
    this.store = store;
    this.#market = market;
    for (const text of feed.preamble) this.hear(Buffer.from(text));
    for (const [at, symbol] of symbols.entries()) this.#open(at, Buffer.from(feed.snapshotTexts.get(symbol)!));
    this.#sink.connection.sequence = NaN;
  }

  hear(bytes: Buffer): void {
    this.#market.decode(this.#frame.window(bytes, 0, bytes.length), this.#sink);
  }

  #open(instrument: number, bytes: Buffer): void {
    const { snapshot } = this.#market.book;
    if (snapshot.from !== 'rest') this.hear(bytes);
    else snapshot.decode(this.#frame.window(bytes, 0, bytes.length), this.#sink, instrument as InstrumentIndex);
  }

  /** Best bid and best ask of each book. */
  get tops(): readonly (readonly [bid: number, ask: number])[] {
    const { bid, ask } = this.store.tops;
    return [...bid].map((price, at) => [price, ask[at]!]);
  }
}
