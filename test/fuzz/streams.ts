import { snapshotSymbolOf } from '#hotpath/replay/lane.ts';
import { binance } from '#hotpath/venues/binance.ts';
import { bitfinex } from '#hotpath/venues/bitfinex.ts';
import { bybit } from '#hotpath/venues/bybit.ts';
import { deribit } from '#hotpath/venues/deribit.ts';
import { gate } from '#hotpath/venues/gate.ts';
import { htx } from '#hotpath/venues/htx.ts';
import { kraken } from '#hotpath/venues/kraken.ts';
import { krakenfutures } from '#hotpath/venues/krakenfutures.ts';
import { kucoin } from '#hotpath/venues/kucoin.ts';
import { mexc } from '#hotpath/venues/mexc.ts';
import { okx } from '#hotpath/venues/okx.ts';
import type { Market, Venue } from '#hotpath/venues/venue.ts';
import { hasRecorded, recordedLines } from '#test/support/recorded.ts';
import { fixturesOf } from '#test/support/venue-fixture.ts';
import { tellOptions } from './binance.ts';
import * as bitfinexBooks from './bitfinex.ts';
import * as deribitBooks from './deribit.ts';
import type { Dialect, Traffic } from './dialect.ts';
import * as htxBooks from './htx.ts';
import * as kucoinBooks from './kucoin.ts';
import * as mexcBooks from './mexc.ts';
import type { BookEvent, Level } from './truth.ts';
import { eventFrom, snapshotFrom, TruthBook } from './truth.ts';

/** A clean frame, what it does to a book, and how that book stands afterwards. */
export type CleanFrame = Omit<Traffic, 'symbol'> & { readonly event: BookEvent | undefined };

/** One market's clean traffic, from the moment at which every book has its snapshot. */
export type Stream = {
  readonly name: string;
  readonly venue: string;
  readonly market: Market;
  readonly symbols: readonly string[];
  /** The first snapshot of each book. */
  readonly openings: ReadonlyMap<string, BookEvent>;
  readonly frames: readonly CleanFrame[];
  /** Levels a side that a checksum covers; undefined where a sequence vouches for the whole book. */
  readonly vouched: number | undefined;
  /**
   * How each book stood after each frame that changed it: its hash by the sequence it had then, or (where a checksum vouches) its vouched top by the
   * frame's number, -1 being the opening.
   */
  readonly states: ReadonlyMap<string, ReadonlyMap<number, number | string>>;
  /** A snapshot of a book as it stands, as the venue would send it. */
  readonly snapshotText: (symbol: string, book: TruthBook) => string;
  readonly preamble: Dialect['preamble'];
};

const FRAMES_MAX = 4_000;
/** Where no checksum counts them, a snapshot's deep levels only cost time. */
const OPENING_LEVELS = 150;

/** Recorded traffic where there is some, else the fixtures. Snapshots by REST are cut to `openingLevels` a side. */
export function streams({ openingLevels = OPENING_LEVELS, framesMax = FRAMES_MAX } = {}): readonly Stream[] {
  const streamOf = streamsCutAt(openingLevels);
  const [spot, usdm, coinm, options] = binance.markets;
  if (!hasRecorded) {
    return [binance, okx, kraken, bybit, gate, krakenfutures, kucoin, mexc, htx, bitfinex, deribit].flatMap((venue) =>
      // Kraken's first protocol is read from recordings alone, and what its frames do to a book is told by no dialect here.
      fixturesOf(venue)
        .filter(({ market }) => market.id !== 'spot-v1')
        .map(({ market, steps }) =>
          streamOf(
            `fixture ${venue.id} ${market.id}`,
            venue,
            market,
            steps.map((step) =>
              'frame' in step ? { ...step, text: step.frame } : { symbol: step.symbol, text: step.snapshot },
            ),
          ),
        ),
    );
  }
  const recorded = (name: string, venue: Venue, market: Market): Stream =>
    streamOf(name, venue, market, trafficOf(name, market, framesMax));
  const bybitLinear = recorded('bybit/xrpusdt_linear_ob500_20241201', bybit, bybit.markets[1]!);
  const gateUpdates = recorded('cryptofeed/gateio', gate, gate.recorded![0]!);
  const kucoinSpot = recorded('cryptofeed/kucoin', kucoin, kucoin.recorded![0]!);
  return [
    kucoinSpot,
    streamOf('kucoin obu of recorded changes', kucoin, kucoin.markets[0]!, retold(kucoinSpot, kucoinBooks.tellUnified)),
    streamOf(
      'kucoin futures of recorded changes',
      kucoin,
      kucoin.recorded![1]!,
      retold(kucoinSpot, kucoinBooks.tellFuturesClassic),
    ),
    streamOf('htx of recorded changes', htx, htx.markets[0]!, retold(kucoinSpot, htxBooks.tellSpot)),
    streamOf('htx swaps of recorded changes', htx, htx.markets[1]!, retold(kucoinSpot, htxBooks.tellSwap)),
    recorded('cryptofeed/bitfinex', bitfinex, bitfinex.markets[0]!),
    recorded('cryptofeed/deribit', deribit, deribit.markets[2]!),
    streamOf('deribit of recorded changes', deribit, deribit.markets[0]!, retold(kucoinSpot, deribitBooks.tell)),
    streamOf('mexc of recorded changes', mexc, mexc.markets[0]!, retold(kucoinSpot, mexcBooks.tellSpot)),
    streamOf('mexc futures of recorded changes', mexc, mexc.markets[1]!, retold(kucoinSpot, mexcBooks.tellFutures)),
    bybitLinear,
    gateUpdates,
    streamOf('gate obu of recorded changes', gate, gate.markets[0]!, retold(gateUpdates, gateObu)),
    streamOf(
      'krakenfutures of recorded changes',
      krakenfutures,
      krakenfutures.markets[0]!,
      retold(bybitLinear, krakenFuturesBook),
    ),
    recorded('cryptofeed/binance', binance, spot!),
    recorded('hftbacktest/spot_btcusdt_20240808', binance, spot!),
    recorded('cryptofeed/binance_futures', binance, usdm!),
    recorded('hftbacktest/cm_btcusd_perp_20240808', binance, coinm!),
    streamOf('binance options of recorded changes', binance, options!, retold(kucoinSpot, tellOptions)),
    recorded('cryptofeed/okx', okx, okx.markets[0]!),
    recorded('derived/okx_books_seqid_2026form', okx, okx.markets[1]!),
    recorded('derived/kraken_v2_from_v1', kraken, kraken.markets[0]!),
  ];
}

/** By venue and market; the others are told apart in truth.ts. */
const dialects: ReadonlyMap<string, Dialect> = new Map([
  ['kucoin:spot', kucoinBooks.unified('SPOT')],
  ['kucoin:futures', kucoinBooks.unified('FUTURES')],
  ['kucoin:spot-classic', kucoinBooks.spotClassic],
  ['kucoin:futures-classic', kucoinBooks.futuresClassic],
  ['mexc:spot', mexcBooks.spot],
  ['mexc:futures', mexcBooks.futures],
  ['htx:spot', htxBooks.spot],
  ['htx:swap', htxBooks.swap],
  ...deribit.markets.map(({ id }) => [`deribit:${id}`, deribitBooks.books] as const),
]);

const trafficOf = (name: string, market: Market, framesMax: number): Traffic[] =>
  recordedLines(name)
    .slice(0, framesMax)
    .flatMap(({ k, d = '', u = '' }) => {
      if (k === 'in') return [{ text: d }];
      return k === 'http' ? [{ symbol: snapshotSymbolOf(market, u)!, text: d }] : [];
    });

/** A stream's books in the frames of a protocol of which there is no recording. */
function retold({ openings, frames }: Stream, tell: (event: BookEvent, sequence: number) => Traffic[]): Traffic[] {
  const sequences = new Map<string, number>();
  const events = [...openings.values(), ...frames.flatMap(({ event }) => event ?? [])];
  return events.flatMap((event) => {
    const told = tell(event, (sequences.get(event.symbol) ?? 0) + 1);
    sequences.set(event.symbol, (sequences.get(event.symbol) ?? 0) + told.length);
    return told;
  });
}

/** Each frame covers two ids, as merged updates do. */
const gateObu = ({ symbol, isSnapshot, bids, asks }: BookEvent, sequence: number): Traffic[] => {
  const merged = isSnapshot ? { full: true } : { U: 2 * sequence - 1 };
  const result = { t: 1_790_000_000_000, ...merged, s: `ob.${symbol}.50`, u: 2 * sequence, b: bids, a: asks };
  return [{ text: JSON.stringify({ channel: 'spot.obu', result, event: 'update' }) }];
};

/** One level a frame. */
function krakenFuturesBook({ symbol, isSnapshot, bids, asks }: BookEvent, sequence: number): Traffic[] {
  if (isSnapshot) return [{ text: krakenFuturesSnapshot(symbol, { bids, asks, sequence }) }];
  const changes = [...bids.map((level) => ['buy', ...level]), ...asks.map((level) => ['sell', ...level])];
  return changes.map(([side, price, qty], at) => ({
    text: `{"feed":"book","product_id":"${symbol}","side":"${side!}","seq":${sequence + at},"price":${price!},"qty":${qty!},"timestamp":1790000000000}`,
  }));
}

const streamsCutAt =
  (openingLevels: number) =>
  (name: string, venue: Venue, market: Market, traffic: readonly Traffic[]): Stream => {
    const openings = new Map<string, BookEvent>();
    const frames: CleanFrame[] = [];
    const pending: CleanFrame[] = [];
    const dialect = venue === bitfinex ? bitfinexBooks.dialectOf(traffic) : dialects.get(`${venue.id}:${market.id}`);
    const told = dialect ?? { eventFrom, snapshotFrom };
    for (const { symbol, text, ...rest } of traffic) {
      if (dialect?.preamble?.includes(text) === true) continue;
      const event =
        symbol === undefined ? told.eventFrom(text) : shortened(told.snapshotFrom(symbol, text), openingLevels);
      if (event?.isSnapshot === true && !openings.has(event.symbol)) {
        openings.set(event.symbol, event);
        continue;
      }
      pending.push({ ...rest, text, event });
    }
    const { snapshot } = market.book;
    const isPushed = snapshot.from === 'push' && snapshot.holds !== true;
    for (const frame of pending) {
      const opening = frame.event === undefined ? undefined : openings.get(frame.event.symbol);
      // What a REST snapshot holds already comes no more; pushed frames are all later than theirs.
      if (frame.event === undefined || isPushed || frame.event.sequence > opening!.sequence) frames.push(frame);
    }
    const isKraken = venue === kraken;
    const isLegacyOkx = venue === okx && !frames.some(({ text }) => text.includes('"seqId"'));
    const vouched = isKraken ? 10 : isLegacyOkx ? 25 : undefined;
    return {
      name,
      venue: venue.id,
      market,
      symbols: [...openings.keys()],
      openings,
      frames,
      vouched,
      preamble: dialect?.preamble,
      states: statesOf(openings, frames, vouched),
      snapshotText: isKraken
        ? krakenSnapshot
        : (dialect?.snapshotText ?? ((symbol, book) => snapshotTextOf({ venue, market }, symbol, book, isLegacyOkx))),
    };
  };

const shortened = ({ bids, asks, ...rest }: BookEvent, levels: number): BookEvent => ({
  ...rest,
  bids: bids.slice(0, levels),
  asks: asks.slice(0, levels),
});

function statesOf(
  openings: ReadonlyMap<string, BookEvent>,
  frames: readonly CleanFrame[],
  vouched: number | undefined,
): Stream['states'] {
  const states = new Map<string, Map<number, number | string>>();
  for (const [symbol, opening] of openings) {
    const book = new TruthBook();
    const ofBook = new Map<number, number | string>();
    const note = (event: BookEvent, number: number): void => {
      book.apply(event);
      if (vouched === undefined) ofBook.set(event.sequence, book.hash);
      else ofBook.set(number, book.top(vouched).join());
    };
    note(opening, -1);
    for (const [number, { event }] of frames.entries()) if (event?.symbol === symbol) note(event, number);
    states.set(symbol, ofBook);
  }
  return states;
}

function snapshotTextOf(
  { venue, market }: { readonly venue: Venue; readonly market: Market },
  symbol: string,
  book: TruthBook,
  isLegacy: boolean,
): string {
  const bids = book.sorted('bids');
  const asks = book.sorted('asks');
  const { sequence } = book;
  if (market === gate.recorded![0]) return JSON.stringify({ id: sequence, asks, bids });
  if (venue === gate) {
    const channel = market === gate.markets[0] ? 'spot.obu' : 'futures.obu';
    return JSON.stringify({
      channel,
      result: { full: true, s: `ob.${symbol}.50`, u: sequence, b: bids, a: asks },
      event: 'update',
    });
  }
  if (venue === bybit) {
    const data = { s: symbol, b: bids, a: asks, u: sequence, seq: 1 };
    return JSON.stringify({ topic: `orderbook.50.${symbol}`, type: 'snapshot', ts: 1_790_000_000_000, data });
  }
  if (venue === krakenfutures) return krakenFuturesSnapshot(symbol, { bids, asks, sequence });
  if (venue === binance) return JSON.stringify({ lastUpdateId: book.sequence, bids, asks });
  const tail = isLegacy ? { checksum: book.sequence } : { checksum: 0, seqId: book.sequence, prevSeqId: -1 };
  const levels = (side: readonly (readonly string[])[]) => side.map((level) => [...level, '0', '1']);
  const data = [{ asks: levels(asks), bids: levels(bids), ts: '1790000000000', ...tail }];
  return JSON.stringify({ arg: { channel: 'books', instId: symbol }, action: 'snapshot', data });
}

/** Levels as objects of bare numbers, in the texts they came with. */
const levelObjects = (levels: readonly Level[]): string =>
  `[${levels.map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join(',')}]`;

function krakenSnapshot(symbol: string, book: TruthBook): string {
  const [bids, asks] = [levelObjects(book.sorted('bids')), levelObjects(book.sorted('asks'))];
  return `{"channel":"book","type":"snapshot","data":[{"symbol":"${symbol}","bids":${bids},"asks":${asks},"checksum":${book.krakenChecksum()}}]}`;
}

function krakenFuturesSnapshot(
  symbol: string,
  { bids, asks, sequence }: Pick<BookEvent, 'bids' | 'asks' | 'sequence'>,
): string {
  return `{"feed":"book_snapshot","product_id":"${symbol}","timestamp":1790000000000,"seq":${sequence},"tickSize":null,"bids":${levelObjects(bids)},"asks":${levelObjects(asks)}}`;
}
