import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, expiryOf, idOf, keyCode, venueId } from './venue.ts';

const KRAKEN_FUTURES = venueId('krakenfutures');

/** Multi-collateral contracts (`PF_`, `FF_`: linear, in base units) and inverse ones (`PI_`, `FI_`: in US dollars) share one socket. */
const futures: Market = {
  id: 'futures',
  wsUrl: 'wss://futures.kraken.com/ws/v1',
  restUrl: 'https://futures.kraken.com',
  defaultFees: { maker: amountOf('0.0002'), taker: amountOf('0.0005'), currency: 'settle' },
  instruments: { paths: ['/derivatives/api/v3/instruments'], parse: parseInstruments },
  subscribe: (symbols) => requestsOf('subscribe', symbols),
  unsubscribe: (symbols) => requestsOf('unsubscribe', symbols),
  limits: { symbolsPerSocket: 100, messagesPerSecond: 20 },
  // Only a protocol ping keeps the socket open; a minute without one closes it.
  heartbeat: { kind: 'client-protocol-ping', everyMs: 20_000 },
  idleMs: 45_000,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity },
  decode,
};

/** @see https://docs.kraken.com/exchange/api-reference/futures-websocket/book */
export const krakenfutures: Venue = { id: KRAKEN_FUTURES, markets: [futures] };

function requestsOf(event: string, symbols: readonly string[]): readonly string[] {
  return batchesOf(symbols, 50).map((batch) => JSON.stringify({ event, feed: 'book', product_ids: batch }));
}

/** 1. A snapshot brings its seq. 2. Each delta is one level, and its seq, counted by product, is the last one + 1. */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  return update.lastSequence === lastSequence + 1 ? 'apply' : 'gap';
}

const KEY = {
  feed: keyCode('feed'),
  event: keyCode('event'),
  product: keyCode('product_id'),
  side: keyCode('side'),
  sequence: keyCode('seq'),
  price: keyCode('price'),
  qty: keyCode('qty'),
  time: keyCode('timestamp'),
  bids: keyCode('bids'),
  asks: keyCode('asks'),
} as const;
const FEED_DELTA = bytesOf('book');
const FEED_SNAPSHOT = bytesOf('book_snapshot');
const BUY = bytesOf('buy');
const SELL = bytesOf('sell');
const REFUSALS = ['error', 'alert', 'subscribed_failed', 'unsubscribed_failed'].map(bytesOf);

const PRODUCT = 1;
const SEQUENCE = 2;
const SIDE = 4;
const PRICE = 8;
const QTY = 16;
const BIDS = 32;
const ASKS = 64;
const IS_BUY = 128;
const WHOLE_DELTA = PRODUCT | SEQUENCE | SIDE | PRICE | QTY;
const WHOLE_SNAPSHOT = PRODUCT | SEQUENCE | BIDS | ASKS;

/** The level of a delta, until its side is known. */
const level = new Float64Array(2);

/** Messages are flat: `{"feed":"book_snapshot"|"book","product_id":…,…}`, or `{"event":…}`, which may name the feed that it is about. */
function decode(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  let seen = 0;
  let isBook = false;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.event) {
      control(frame, sink);
      return;
    }
    if (key === KEY.feed) {
      frame.string();
      if (!isBookFeed(frame, update)) return;
      isBook = true;
    } else if (key === KEY.product) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      if (instrument === -1) return;
      update.instrument = instrument;
      seen |= PRODUCT;
    } else seen |= readField(frame, update, key);
  }
  if (!isBook) return;
  const isDelta = update.kind === DELTA;
  const needed = isDelta ? WHOLE_DELTA : WHOLE_SNAPSHOT;
  if ((seen & needed) !== needed) {
    throw new BadInput(`krakenfutures: not a book: ${frame.text().slice(0, 120)}`);
  }
  if (isDelta) placeLevel(frame, update, (seen & IS_BUY) !== 0);
  frame.finish();
  sink.publish();
}

/** Whether the text read last names a book's feed; then the update is of its kind. */
function isBookFeed(frame: Frame, update: MarketUpdate): boolean {
  const isDelta = frame.textIs(FEED_DELTA);
  if (!isDelta && !frame.textIs(FEED_SNAPSHOT)) return false;
  update.kind = isDelta ? DELTA : SNAPSHOT;
  return true;
}

/** Reads the value under `key`; answers which field it was, 0 for none of a book's. */
function readField(frame: Frame, update: MarketUpdate, key: number): number {
  switch (key) {
    case KEY.side:
      frame.string();
      if (frame.textIs(BUY)) return SIDE | IS_BUY;
      if (frame.textIs(SELL)) return SIDE;
      throw new BadInput(`krakenfutures: unknown side: ${frame.text().slice(0, 120)}`);
    case KEY.sequence:
      frame.integer();
      update.lastSequence = frame.value;
      return SEQUENCE;
    case KEY.price:
      frame.number(level, 0);
      return PRICE;
    case KEY.qty:
      frame.number(level, 1);
      return QTY;
    case KEY.time:
      frame.integer();
      update.venueTimeMs = frame.value;
      return 0;
    case KEY.bids:
      frame.levelObjects(update.bids);
      return BIDS;
    case KEY.asks:
      frame.levelObjects(update.asks);
      return ASKS;
    default:
      frame.skip();
      return 0;
  }
}

/** No checksum hashes these levels: their decimals are of no use. */
function placeLevel(frame: Frame, { bids, asks }: MarketUpdate, isBuy: boolean): void {
  const into = isBuy ? bids : asks;
  if (!(level[0]! > 0 && level[1]! >= 0)) {
    throw new BadInput(`krakenfutures: not a level: ${frame.text().slice(0, 120)}`);
  }
  into.prices[0] = level[0]!;
  into.qtys[0] = level[1]!;
  into.count = 1;
  (isBuy ? asks : bids).count = 0;
}

/** `{"event":"info"|"subscribed"|"unsubscribed"|"alert"|"error"|…}`. */
function control(frame: Frame, sink: MarketSink): void {
  frame.string();
  const isRefusal = REFUSALS.some((refusal) => frame.textIs(refusal));
  sink.control(isRefusal ? 'error' : 'ack', frame.text());
}

const listing = z.object({
  symbol: z.string().min(1),
  type: z.string(),
  base: z.string().optional(),
  quote: z.string().optional(),
  tickSize: z.number().optional(),
  contractSize: z.number().optional(),
  contractValueTradePrecision: z.int().optional(),
  lastTradingTime: z.string().optional(),
  tradeable: z.boolean(),
  postOnly: z.boolean().optional(),
});
type Listing = z.infer<typeof listing>;
const answer = z.object({ result: z.literal('success'), instruments: z.array(listing) });

function parseInstruments(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(answer, body, 'krakenfutures instruments').instruments.flatMap((entry) => instrumentFrom(entry, fees)),
  );
}

const RENAMED: Readonly<Record<string, string>> = { XBT: 'BTC', XDG: 'DOGE' };
const TYPES: Readonly<Record<string, 'linear' | 'inverse'>> = {
  flexible_futures: 'linear',
  futures_inverse: 'inverse',
};

/** Empty for indices and for types that are no longer listed. A market that takes resting orders only is halted for us. */
function instrumentFrom(entry: Listing, fees: Fees): readonly Instrument[] {
  const { tickSize, contractSize, contractValueTradePrecision: precision } = entry;
  const type = TYPES[entry.type];
  const [base, quote] = [entry.base, entry.quote].map((code) => RENAMED[code ?? ''] ?? code);
  if (type === undefined || base === undefined || quote === undefined || precision === undefined) return [];
  if (!(Number(tickSize) > 0) || !(Number(contractSize) > 0)) return [];
  const expiry = expiryOf(Date.parse(entry.lastTradingTime ?? ''));
  if (expiry === undefined && entry.lastTradingTime !== undefined) return [];
  const settle = type === 'inverse' ? base : quote;
  const symbol = `${base}/${quote}:${settle}${expiry === undefined ? '' : `-${expiry.day}`}`;
  const lot = amountOf(10).pow(-precision);
  return [
    {
      id: idOf(KRAKEN_FUTURES, symbol),
      venue: KRAKEN_FUTURES,
      market: 'futures',
      symbol,
      venueSymbol: entry.symbol.toUpperCase(),
      kind: expiry === undefined ? 'perpetual' : 'future',
      base: asset(base),
      quote: asset(quote),
      settle: asset(settle),
      contractSize: decimalFrom(String(contractSize)),
      inverse: type === 'inverse',
      tick: decimalFrom(String(tickSize)),
      lot,
      minQty: lot,
      minNotional: amountOf(0),
      fees,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      status: entry.tradeable && entry.postOnly !== true ? 'trading' : 'halted',
    },
  ];
}
