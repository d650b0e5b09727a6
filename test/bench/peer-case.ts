import { readFileSync } from 'node:fs';
import ccxt from 'ccxt';
import { OrderBook } from 'tardis-dev';
import { streams } from '#test/fuzz/streams.ts';
import type { BookEvent } from '#test/fuzz/truth.ts';
import { hasRecorded } from '#test/support/recorded.ts';
import type { Goal, Row } from './cases.ts';
import { row } from './cases.ts';
import type { Compared, Contender } from './measure.ts';
import { compare, median } from './measure.ts';
import type { PeerFeed } from './peer-feeds.ts';
import { binanceDepth, feedOf, OwnBooks, recordedBinance } from './peer-feeds.ts';
import { ResultHash } from './result-hash.ts';

const versionOf = (library: string): string =>
  (JSON.parse(readFileSync(`node_modules/${library}/package.json`, 'utf8')) as { readonly version: string }).version;

/** Compiled code is what is compared: so many messages go through ours before the first round. */
const WARM_MESSAGES = 20_000;
const LEVELS_MAX = 5_000;
/** Longer than every recording but those of Binance, which are read by themselves. */
const LINES_MAX = 6_000;
/** What ccxt's `watchOrderBook` keeps of a Binance book for whoever names no limit, and the most that Binance gives. */
const WATCHED_LIMITS = [1_000, 5_000] as const;
const FULL_DEPTH: Goal = { of: 'ratio', least: 100 };

type Peer = {
  readonly stream: string;
  readonly venue: string;
  readonly url: string;
  readonly market: { readonly type: 'spot' | 'swap'; readonly linear?: boolean };
  /** Books whose levels carry a count of orders. */
  readonly counted?: true;
  /** What subscriptions have left in the client by the time that books flow. */
  readonly subscribed?: (symbol: string) => Readonly<Record<string, unknown>>;
};

/** Whole recordings of one book. */
const BINANCE: readonly Peer[] = [
  {
    stream: 'hftbacktest/spot_btcusdt_20240808',
    venue: 'binance',
    url: 'wss://stream.binance.com:9443/ws/0',
    market: { type: 'spot' },
  },
  {
    stream: 'hftbacktest/cm_btcusd_perp_20240808',
    venue: 'binance',
    url: 'wss://dstream.binance.com/ws/0',
    market: { type: 'swap', linear: false },
  },
];

/** One book channel a venue that both understand: recorded, or the changes of a recording in the frames of the protocol of today, of which there is none. */
const PEERS: readonly Peer[] = [
  {
    stream: 'derived/okx_books_seqid_2026form',
    venue: 'okx',
    url: 'wss://ws.okx.com:8443/ws/v5/public',
    market: { type: 'swap', linear: false },
    subscribed: (symbol) => ({ [`books:${symbol}`]: true }),
  },
  {
    stream: 'bybit/xrpusdt_linear_ob500_20241201',
    venue: 'bybit',
    url: 'wss://stream.bybit.com/v5/public/linear',
    market: { type: 'swap', linear: true },
  },
  {
    stream: 'gate obu of recorded changes',
    venue: 'gate',
    url: 'wss://api.gateio.ws/ws/v4/',
    market: { type: 'spot' },
  },
  {
    stream: 'derived/kraken_v2_from_v1',
    venue: 'kraken',
    url: 'wss://ws.kraken.com/v2',
    market: { type: 'spot' },
  },
  {
    stream: 'krakenfutures of recorded changes',
    venue: 'krakenfutures',
    url: 'wss://futures.kraken.com/ws/v1',
    market: { type: 'swap', linear: true },
  },
  {
    // The classic channel: of the unified one's changes (`a`, `b`) this ccxt reads none.
    stream: 'cryptofeed/kucoin',
    venue: 'kucoin',
    url: 'wss://ws-api-spot.kucoin.com/',
    market: { type: 'spot' },
  },
  {
    stream: 'htx of recorded changes',
    venue: 'htx',
    url: 'wss://api.huobi.pro/feed',
    market: { type: 'spot' },
  },
  {
    stream: 'cryptofeed/bitfinex',
    venue: 'bitfinex',
    url: 'wss://api-pub.bitfinex.com/ws/2',
    market: { type: 'spot' },
    counted: true,
  },
  {
    stream: 'deribit of recorded changes',
    venue: 'deribit',
    url: 'wss://www.deribit.com/ws/api/v2',
    market: { type: 'swap', linear: false },
    counted: true,
  },
  {
    stream: 'mexc futures of recorded changes',
    venue: 'mexc',
    url: 'wss://contract.mexc.com/edge',
    market: { type: 'swap', linear: true },
  },
];

/**
 * Frame bytes → book → best prices, beside libraries that do the same. JSON.parse is in theirs, as reading is in ours. Ours verifies Kraken's checksums, ccxt
 * does not by default; ours keeps every level. None without recordings.
 */
export async function peerCases(framesMax: number, rounds: number): Promise<readonly Row[]> {
  if (!hasRecorded) {
    process.stderr.write('peer: skipped, there are no recordings (RECORDED_DIR)\n');
    return [];
  }
  const rows: Row[] = [];
  for (const peer of BINANCE) {
    const market = peer.market.type === 'spot' ? 'spot' : 'coinm';
    const feed = recordedBinance(peer.stream, market, framesMax);
    rows.push(...ccxtRows(peer, feed, rounds));
    for (const limit of WATCHED_LIMITS) rows.push(await watchedRow(peer, feed, rounds, limit));
    rows.push(tardisRow(feed, rounds));
  }
  const all = streams({ openingLevels: LEVELS_MAX, framesMax: Math.min(framesMax, LINES_MAX) });
  for (const peer of PEERS) {
    const stream = all.find(({ name, venue }) => name === peer.stream && venue === peer.venue)!;
    rows.push(...ccxtRows(peer, feedOf(stream), rounds));
  }
  return rows;
}

function ccxtRows(peer: Peer, feed: PeerFeed, rounds: number): readonly Row[] {
  return [undefined, 20].map((limit) => {
    const ours = warmed(feed);
    const { plainHash, ...compared } = compare(feed.frames.length, rounds, ours, ccxtBooks(peer, feed, limit));
    return {
      // A book that was cut does not know what it has lost, so its best prices may be others.
      ...row(
        titleOf('ccxt', feed, `${limit ?? 'all'} levels`),
        limit === undefined ? { ...compared, plainHash } : compared,
      ),
      ...goalOf(feed, limit === undefined),
      note: `ccxt ${versionOf('ccxt')}, handleMessage of the exchange class on each frame${limit === undefined ? '' : ', then limit()'}; what hands the book to an awaiting caller is not in it`,
    };
  });
}

/** As those have it who call `watchOrderBook(symbol, limit)` over and over: that is the only way to the book. */
async function watchedRow(peer: Peer, feed: PeerFeed, rounds: number, limit: number): Promise<Row> {
  const ours = warmed(feed);
  const times = { fast: [] as number[], plain: [] as number[] };
  const hashes = { fast: '', plain: '' };
  for (let round = 0; round <= rounds; round += 1) {
    const { run, hash } = ours.prepare();
    const oursStarted = performance.now();
    run();
    if (round > 0) times.fast.push(performance.now() - oursStarted);
    hashes.fast = hash();
    const watched = openedWatch(peer, feed, limit);
    const theirsStarted = performance.now();
    for (const bytes of feed.frames) await watched.take(bytes);
    if (round > 0) times.plain.push(performance.now() - theirsStarted);
    hashes.plain = watched.hash();
  }
  const nsOf = (elapsedMs: number): number => (elapsedMs * 1e6) / feed.frames.length;
  const compared: Compared = {
    fastNs: nsOf(median(times.fast)),
    quietNs: nsOf(Math.min(...times.fast)),
    plainNs: nsOf(median(times.plain)),
    hash: hashes.fast,
    plainHash: hashes.plain,
  };
  return {
    ...row(titleOf('ccxt', feed, `watched to ${limit} levels`), compared),
    ...goalOf(feed, limit === WATCHED_LIMITS[1]),
    note: `ccxt ${versionOf('ccxt')}, await watchOrderBook(symbol, limit) for each frame (1,000 is its default, 5,000 the most that Binance gives); no socket in it`,
  };
}

const goalOf = ({ venue, market }: PeerFeed, isFullDepth: boolean): { readonly goal?: Goal } =>
  isFullDepth && venue === 'binance' && market.id === 'spot' ? { goal: FULL_DEPTH } : {};

function tardisRow(feed: PeerFeed, rounds: number): Row {
  const compared = compare(feed.frames.length, rounds, warmed(feed), tardisBook(feed));
  return {
    ...row(titleOf('tardis-dev', feed, 'all levels'), compared),
    note: `tardis-dev ${versionOf('tardis-dev')}, OrderBook.update on JSON.parse and Number, bestBid and bestAsk read`,
  };
}

const titleOf = (library: string, { venue, market }: PeerFeed, what: string): string =>
  `${library}, ${venue} ${market.id}, ${what}`;

function warmed(feed: PeerFeed): Contender {
  const ours = ownBooks(feed);
  for (let warm = 0; warm < WARM_MESSAGES; warm += feed.frames.length) ours.prepare().run();
  return ours;
}

const ownBooks = (feed: PeerFeed): Contender => ({
  prepare: () => {
    const own = new OwnBooks(feed);
    const { frames } = feed;
    const run = (): void => {
      for (let at = 0; at < frames.length; at += 1) own.hear(frames[at]!);
    };
    return { run, hash: () => hashOf(own.tops) };
  },
});

/** Of one Binance book. */
const tardisBook = ({ openings, frames }: PeerFeed): Contender => ({
  prepare: () => {
    const [opening] = openings.values();
    const change = { type: 'book_change', symbol: '', exchange: 'binance', timestamp: new Date(0) } as const;
    const levels = (side: BookEvent['bids']) =>
      side.map(([price, qty]) => ({ price: Number(price), amount: Number(qty) }));
    const book = new OrderBook();
    const apply = ({ bids, asks }: Pick<BookEvent, 'bids' | 'asks'>, isSnapshot: boolean): void =>
      book.update({ ...change, isSnapshot, bids: levels(bids), asks: levels(asks), localTimestamp: change.timestamp });
    apply(opening!, true);
    const run = (): void => {
      for (const bytes of frames) {
        const { b, a } = binanceDepth(bytes.toString());
        apply({ bids: b, asks: a }, false);
        book.bestBid();
        book.bestAsk();
      }
    };
    return { run, hash: () => hashOf([[book.bestBid()!.price, book.bestAsk()!.price]]) };
  },
});

type Side = readonly (readonly [price: number, qty: number])[];
type PeerBook = { bids: Side; asks: Side; limit: () => void; reset: (snapshot: object) => void };
type PeerClient = {
  readonly subscriptions: Record<string, unknown>;
  startedConnecting: boolean;
  readonly connected: { readonly resolve: () => void };
  /** JSON, then `handleMessage`. */
  readonly onMessage: (event: { readonly data: string }) => void;
};
type PeerExchange = {
  readonly orderbooks: Record<string, PeerBook>;
  readonly setMarkets: (markets: readonly object[]) => void;
  client: (url: string) => PeerClient;
  readonly watchOrderBook: (symbol: string, limit: number) => Promise<PeerBook>;
  readonly orderBook: (snapshot: object, limit: number | undefined) => PeerBook;
  readonly countedOrderBook: (snapshot: object, limit: number | undefined) => PeerBook;
  readonly handleMessage: (client: PeerClient, message: unknown) => void;
};

type Opened = { readonly exchange: PeerExchange; readonly client: PeerClient };

function opened(peer: Peer, { symbols, openings, preamble }: PeerFeed, limit: number | undefined): Opened {
  const Exchange = (ccxt.pro as unknown as Record<string, new () => PeerExchange>)[peer.venue]!;
  const exchange = new Exchange();
  exchange.setMarkets(symbols.map((id) => marketOf(peer, id)));
  const client = exchange.client(peer.url);
  for (const symbol of symbols) Object.assign(client.subscriptions, peer.subscribed?.(symbol));
  for (const text of preamble) exchange.handleMessage(client, JSON.parse(text));
  for (const symbol of symbols) {
    const { bids, asks, sequence } = openings.get(symbol)!;
    const levels = (side: typeof bids) => side.map((level) => [...level.map(Number), 1].slice(0, peer.counted ? 3 : 2));
    const book = peer.counted ? exchange.countedOrderBook({}, limit) : exchange.orderBook({}, limit);
    book.reset({ symbol, bids: levels(bids), asks: levels(asks), nonce: sequence });
    exchange.orderbooks[symbol] = book;
  }
  return { exchange, client };
}

const ccxtBooks = (peer: Peer, feed: PeerFeed, limit: number | undefined): Contender => ({
  prepare: () => {
    const { exchange, client } = opened(peer, feed, limit);
    const { frames, changed } = feed;
    const run = (): void => {
      for (let at = 0; at < frames.length; at += 1) {
        client.onMessage({ data: frames[at]!.toString() });
        // As `watchOrderBook` does for its caller at each update.
        if (limit !== undefined) exchange.orderbooks[changed[at]!]!.limit();
      }
    };
    return { run, hash: () => topsHash(exchange, feed.symbols) };
  },
});

/** Of one book, subscribed and connected as far as it knows. */
function openedWatch(
  peer: Peer,
  feed: PeerFeed,
  limit: number,
): { readonly take: (bytes: Buffer) => Promise<void>; readonly hash: () => string } {
  const { exchange, client } = opened(peer, feed, limit);
  const symbol = feed.symbols[0]!;
  client.subscriptions[`orderbook::${symbol}`] = true;
  client.startedConnecting = true;
  client.connected.resolve();
  exchange.client = () => client;
  const take = async (bytes: Buffer): Promise<void> => {
    const update = exchange.watchOrderBook(symbol, limit);
    client.onMessage({ data: bytes.toString() });
    await update;
  };
  return { take, hash: () => topsHash(exchange, feed.symbols) };
}

function topsHash({ orderbooks }: PeerExchange, symbols: readonly string[]): string {
  const top = ([level]: Side): number => level?.[0] ?? NaN;
  return hashOf(symbols.map((symbol) => [top(orderbooks[symbol]!.bids), top(orderbooks[symbol]!.asks)]));
}

const marketOf = ({ market: { type, linear } }: Peer, id: string): object => ({
  id,
  lowercaseId: id.toLowerCase(),
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
