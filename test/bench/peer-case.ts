import { readFileSync } from 'node:fs';
import ccxt from 'ccxt';
import { BookStore } from '#hotpath/book/book-store.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Stream } from '#test/fuzz/streams.ts';
import { streams } from '#test/fuzz/streams.ts';
import type { BookEvent } from '#test/fuzz/truth.ts';
import { TruthBook } from '#test/fuzz/truth.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { hasRecorded } from '#test/support/recorded.ts';
import type { Row } from './cases.ts';
import { FrameClock } from './decision.ts';
import type { Contender } from './measure.ts';
import { compare } from './measure.ts';
import { ResultHash } from './result-hash.ts';

const { version } = JSON.parse(readFileSync('node_modules/ccxt/package.json', 'utf8')) as { version: string };

/** Compiled code is what is compared: so many messages go through ours before the first round. */
const WARM_MESSAGES = 20_000;
const LEVELS_MAX = 5_000;

type Peer = {
  readonly stream: string;
  /** Where the frames come from. */
  readonly source: 'recorded' | 'retold';
  readonly venue: string;
  readonly url: string;
  readonly market: { readonly type: 'spot' | 'swap'; readonly linear?: boolean };
  /** Books whose levels carry a count of orders. */
  readonly counted?: true;
  /** What subscriptions have left in the client by the time that books flow. */
  readonly subscribed?: (symbol: string) => Readonly<Record<string, unknown>>;
};

/**
 * One book channel a venue that both understand. `retold`: the changes of a recording in the frames of the protocol of today, which no recording has.
 */
const PEERS: readonly Peer[] = [
  {
    stream: 'hftbacktest/spot_btcusdt_20240808',
    source: 'recorded',
    venue: 'binance',
    url: 'wss://stream.binance.com:9443/ws/0',
    market: { type: 'spot' },
  },
  {
    stream: 'hftbacktest/cm_btcusd_perp_20240808',
    source: 'recorded',
    venue: 'binance',
    url: 'wss://dstream.binance.com/ws/0',
    market: { type: 'swap', linear: false },
  },
  {
    stream: 'derived/okx_books_seqid_2026form',
    source: 'recorded',
    venue: 'okx',
    url: 'wss://ws.okx.com:8443/ws/v5/public',
    market: { type: 'swap', linear: false },
    subscribed: (symbol) => ({ [`books:${symbol}`]: true }),
  },
  {
    stream: 'bybit/xrpusdt_linear_ob500_20241201',
    source: 'recorded',
    venue: 'bybit',
    url: 'wss://stream.bybit.com/v5/public/linear',
    market: { type: 'swap', linear: true },
  },
  {
    stream: 'gate obu of recorded changes',
    source: 'retold',
    venue: 'gate',
    url: 'wss://api.gateio.ws/ws/v4/',
    market: { type: 'spot' },
  },
  {
    stream: 'derived/kraken_v2_from_v1',
    source: 'recorded',
    venue: 'kraken',
    url: 'wss://ws.kraken.com/v2',
    market: { type: 'spot' },
  },
  {
    stream: 'krakenfutures of recorded changes',
    source: 'retold',
    venue: 'krakenfutures',
    url: 'wss://futures.kraken.com/ws/v1',
    market: { type: 'swap', linear: true },
  },
  {
    // The classic channel: of the unified one's changes (`a`, `b`) this ccxt reads none.
    stream: 'cryptofeed/kucoin',
    source: 'recorded',
    venue: 'kucoin',
    url: 'wss://ws-api-spot.kucoin.com/',
    market: { type: 'spot' },
  },
  {
    stream: 'htx of recorded changes',
    source: 'retold',
    venue: 'htx',
    url: 'wss://api.huobi.pro/feed',
    market: { type: 'spot' },
  },
  {
    stream: 'cryptofeed/bitfinex',
    source: 'recorded',
    venue: 'bitfinex',
    url: 'wss://api-pub.bitfinex.com/ws/2',
    market: { type: 'spot' },
    counted: true,
  },
  {
    stream: 'deribit of recorded changes',
    source: 'retold',
    venue: 'deribit',
    url: 'wss://www.deribit.com/ws/api/v2',
    market: { type: 'swap', linear: false },
    counted: true,
  },
  {
    stream: 'mexc futures of recorded changes',
    source: 'retold',
    venue: 'mexc',
    url: 'wss://contract.mexc.com/edge',
    market: { type: 'swap', linear: true },
  },
];

/**
 * Frame bytes → book, beside ccxt.pro's `handleMessage` on the same frames, at full depth and at depth 20 (what `watchOrderBook(symbol, 20)` keeps; ours keeps
 * every level in both). Its JSON.parse is in, as reading
 * is in ours; what hands the book to an awaiting caller is not.
 * Ours verifies Kraken's checksums, theirs does not by default. Undefined without recordings.
 */
export function peerCases(framesMax: number, rounds: number): readonly Row[] {
  if (!hasRecorded) {
    process.stderr.write('peer: skipped, there are no recordings (RECORDED_DIR)\n');
    return [];
  }
  const all = streams({ openingLevels: LEVELS_MAX, framesMax });
  return PEERS.flatMap((peer) => {
    const stream = all.find(({ name, venue }) => name === peer.stream && venue === peer.venue)!;
    return [undefined, 20].map((limit) => peerRow(peer, stream, limit, rounds));
  });
}

function peerRow(peer: Peer, stream: Stream, limit: number | undefined, rounds: number): Row {
  const frames = stream.frames.filter(({ event }) => event !== undefined);
  const texts = frames.map(({ text, encoding }) => Buffer.from(text, encoding));
  const changed = frames.map(({ event }) => event!.symbol);
  const ours = oursOf(stream, texts);
  for (let warm = 0; warm < WARM_MESSAGES; warm += texts.length) ours.prepare().run();
  const { fastNs, plainNs, hash, plainHash } = compare(
    texts.length,
    rounds,
    ours,
    theirsOf(peer, stream, { texts, changed }, limit),
  );
  const name = `ccxt ${version} ${peer.venue} ${stream.market.id}, ${limit ?? 'all'} levels`;
  // A book that was cut does not know what it has lost, so its best prices may be others.
  return {
    name,
    unit: 'ns/message',
    value: fastNs,
    ratio: plainNs / fastNs,
    hash,
    plainHash: limit === undefined ? plainHash : hash,
  };
}

function oursOf(
  { venue, market, symbols, openings, preamble = [], snapshotText }: Stream,
  frames: readonly Buffer[],
): Contender {
  return {
    prepare: () => {
      const instruments = symbols.map((symbol) =>
        instrumentOf(venue, market.id, symbol, tickOf(openings.get(symbol)!)),
      );
      const books = new BookStore({
        instruments,
        rulesOf: () => market.book,
        clock: new FrameClock(),
        staleAfterMs: Infinity,
      });
      const sink = new FeedSink({
        instruments,
        venue,
        market: market.id,
        onUpdate: (update) => void books.apply(update),
        onControl: () => undefined,
      });
      const frame = new Frame();
      for (const text of preamble) market.decode(frame.window(Buffer.from(text), 0, Buffer.byteLength(text)), sink);
      for (const [at, symbol] of symbols.entries()) {
        const truth = new TruthBook();
        truth.apply(openings.get(symbol)!);
        const bytes = Buffer.from(snapshotText(symbol, truth));
        const { snapshot } = market.book;
        frame.window(bytes, 0, bytes.length);
        if (snapshot.from === 'rest') snapshot.decode(frame, sink, at as InstrumentIndex);
        else market.decode(frame, sink);
      }
      sink.connection.sequence = NaN;
      const run = (): void => {
        for (let at = 0; at < frames.length; at += 1) {
          const bytes = frames[at]!;
          market.decode(frame.window(bytes, 0, bytes.length), sink);
        }
      };
      return { run, hash: () => hashOf(symbols.map((_symbol, at) => [books.tops.bid[at]!, books.tops.ask[at]!])) };
    },
  };
}

/** As fine as the prices of a book are written. */
const tickOf = ({ bids, asks }: BookEvent): string =>
  String(
    10 ** -Math.max(0, ...[...bids, ...asks].map(([price]) => price.split('.')[1]?.replace(/0+$/, '').length ?? 0)),
  );

type Side = readonly (readonly [price: number, qty: number])[];
type PeerBook = { bids: Side; asks: Side; limit: () => void; reset: (snapshot: object) => void };
type PeerClient = {
  readonly subscriptions: Record<string, unknown>;
  /** JSON, then `handleMessage`. */
  readonly onMessage: (event: { readonly data: string }) => void;
};
type PeerExchange = {
  readonly orderbooks: Record<string, PeerBook>;
  readonly setMarkets: (markets: readonly object[]) => void;
  readonly client: (url: string) => PeerClient;
  readonly orderBook: (snapshot: object, limit: number | undefined) => PeerBook;
  readonly countedOrderBook: (snapshot: object, limit: number | undefined) => PeerBook;
  readonly handleMessage: (client: PeerClient, message: unknown) => void;
};

function theirsOf(
  peer: Peer,
  stream: Stream,
  { texts: frames, changed }: { readonly texts: readonly Buffer[]; readonly changed: readonly string[] },
  limit: number | undefined,
): Contender {
  const { symbols, openings, preamble = [] } = stream;
  return {
    prepare: () => {
      const Exchange = (ccxt.pro as unknown as Record<string, new () => PeerExchange>)[peer.venue]!;
      const exchange = new Exchange();
      exchange.setMarkets(symbols.map((id) => marketOf(peer, id)));
      const client = exchange.client(peer.url);
      for (const symbol of symbols) Object.assign(client.subscriptions, peer.subscribed?.(symbol));
      for (const text of preamble) exchange.handleMessage(client, JSON.parse(text));
      for (const symbol of symbols) {
        const { bids, asks, sequence } = openings.get(symbol)!;
        const levels = (side: typeof bids) =>
          side.map((level) => [...level.map(Number), 1].slice(0, peer.counted ? 3 : 2));
        const book = peer.counted ? exchange.countedOrderBook({}, limit) : exchange.orderBook({}, limit);
        book.reset({ symbol, bids: levels(bids), asks: levels(asks), nonce: sequence });
        exchange.orderbooks[symbol] = book;
      }
      const run = (): void => {
        for (let at = 0; at < frames.length; at += 1) {
          client.onMessage({ data: frames[at]!.toString() });
          // As `watchOrderBook` does for its caller at each update.
          if (limit !== undefined) exchange.orderbooks[changed[at]!]!.limit();
        }
      };
      const top = ([level]: Side): number => level?.[0] ?? NaN;
      return {
        run,
        hash: () =>
          hashOf(
            symbols.map((symbol) => [top(exchange.orderbooks[symbol]!.bids), top(exchange.orderbooks[symbol]!.asks)]),
          ),
      };
    },
  };
}

const marketOf = ({ market: { type, linear } }: Peer, id: string): object => ({
  id,
  symbol: id,
  base: id,
  quote: 'QUOTE',
  baseId: id,
  quoteId: 'QUOTE',
  type,
  spot: type === 'spot',
  swap: type === 'swap',
  future: false,
  option: false,
  contract: type !== 'spot',
  linear,
  inverse: linear === undefined ? undefined : !linear,
  active: true,
  precision: { amount: 1e-8, price: 1e-8 },
  limits: { amount: {}, price: {}, cost: {} },
  info: {},
});

function hashOf(tops: readonly (readonly [bid: number, ask: number])[]): string {
  const hash = new ResultHash();
  for (const [bid, ask] of tops) {
    hash.double(bid);
    hash.double(ask);
  }
  return hash.hex;
}
