import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, QUOTE, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom, textOf } from '#shared/money/grid.ts';
import { filled, HOLE, OrderTemplates } from './venue-templates.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, StreamKind, Venue } from './venue.ts';
import {
  asset,
  batchesOf,
  bodyFrom,
  bytesOf,
  END,
  expiryOf,
  FOUND_NUMBERS,
  idOf,
  keyCode,
  shapeOf,
  venueId,
} from './venue.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountLimits,
  AccountRest,
  AccountSocket,
  Answer,
  Call,
  DeadMan,
  FeeState,
  Meaning,
  OrderRef,
  OrderState,
  OrderTicket,
  Placed,
  PositionState,
  Refusal,
  Reply,
  VenueFill,
  Weight,
} from './venue-account.ts';
import {
  answerFrom,
  checked,
  decimalText,
  frameText,
  hmac,
  jsonOf,
  meaningOf,
  ok,
  queryOf,
  refused,
  signedNumber,
  timeText,
} from './venue-tools.ts';

const BINANCE = venueId('binance');

const fees = (maker: string, taker: string, currency: Fees['currency']): Fees => ({
  maker: amountOf(maker),
  taker: amountOf(taker),
  currency,
});

/**
 * No endpoint says what the delivery of a quarterly contract costs: it is counted as a taker's trade.
 * @see https://www.binance.com/en/support/faq/a3401595e1734084959c61491bc0dbe3
 */
const FUTURES_FEES: Fees = { ...fees('0.0002', '0.0005', 'settle'), delivery: amountOf('0.0005') };

/**
 * Of the index, at most a tenth of the premium; the exercise likewise.
 * @see https://www.binance.com/en/support/faq/5326e5de61c34fed98abe28d2f175a23
 */
const OPTION_FEES: Fees = {
  ...fees('0.0003', '0.0003', 'settle'),
  premiumShareMax: amountOf('0.1'),
  delivery: amountOf('0.00015'),
};

/** What the markets share: the stream protocol, its limits and its server pings. */
const protocol = {
  subscribe: (symbols, request) => requestsOf('SUBSCRIBE', bookStreams(symbols), request),
  unsubscribe: (symbols, request) => requestsOf('UNSUBSCRIBE', bookStreams(symbols), request),
  heartbeat: { kind: 'server-protocol-ping' },
  idleMs: 60_000,
  firstBookWithinMs: 10_000,
} as const satisfies Partial<Market>;

/** Two streams a symbol; 1,024 a socket are allowed, fewer keep a reconnect small. */
const SYMBOLS_PER_SOCKET = 200;

const spot: Market = {
  ...protocol,
  id: 'spot',
  // Times in microseconds, for what our estimate of the venue's clock gains by them.
  wsUrl: 'wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND',
  restUrl: 'https://api.binance.com',
  defaultFees: fees('0.001', '0.001', 'received'),
  limits: { symbolsPerSocket: SYMBOLS_PER_SOCKET, messagesPerSecond: 5 },
  instruments: { paths: ['/api/v3/exchangeInfo'], parse: (bodies, taken) => parseInstruments('spot', bodies, taken) },
  book: {
    snapshot: snapshotAt('/api/v3/depth'),
    follows: followsBySequence,
    depth: Infinity,
  },
  streams: {
    kinds: ['trades'],
    symbolsPerSocket: 2 * SYMBOLS_PER_SOCKET,
    subscribe: streamsOf({ trades: (symbol) => `${symbol}@trade` }),
  },
  decode: (frame, sink) => {
    if (frame.has(QUOTE_SHAPE)) takeQuote(frame, sink);
    else if (frame.has(DEPTH_SHAPE)) takeDepth(frame, sink);
    else decode(frame, sink, ANY_SEGMENT);
  },
};

const FUTURES_STREAMS: Readonly<Record<StreamKind, (symbol: string) => string>> = {
  trades: (symbol) => `${symbol}@aggTrade`,
  reference: (symbol) => `${symbol}@markPrice@1s`,
};

const usdm: Market = {
  ...protocol,
  id: 'usdm',
  wsUrl: 'wss://fstream.binance.com/public/stream',
  restUrl: 'https://fapi.binance.com',
  defaultFees: FUTURES_FEES,
  limits: { symbolsPerSocket: SYMBOLS_PER_SOCKET, messagesPerSecond: 10 },
  instruments: {
    paths: ['/fapi/v1/exchangeInfo', '/fapi/v1/fundingInfo'],
    parse: (bodies, taken) => parseInstruments('usdm', bodies, taken),
  },
  book: { snapshot: snapshotAt('/fapi/v1/depth'), follows: followsByPrevious, depth: Infinity },
  streams: {
    kinds: ['trades', 'reference'],
    wsUrl: 'wss://fstream.binance.com/market/stream',
    symbolsPerSocket: 2 * SYMBOLS_PER_SOCKET,
    subscribe: streamsOf(FUTURES_STREAMS),
  },
  decode: (frame, sink) => decodeFutures(frame, sink, USDM_SEGMENT),
};

const coinm: Market = {
  ...protocol,
  id: 'coinm',
  wsUrl: 'wss://dstream.binance.com/stream',
  restUrl: 'https://dapi.binance.com',
  defaultFees: FUTURES_FEES,
  limits: { symbolsPerSocket: SYMBOLS_PER_SOCKET, messagesPerSecond: 10 },
  instruments: {
    paths: ['/dapi/v1/exchangeInfo', '/dapi/v1/fundingInfo'],
    parse: (bodies, taken) => parseInstruments('coinm', bodies, taken),
  },
  book: { snapshot: snapshotAt('/dapi/v1/depth'), follows: followsByPrevious, depth: Infinity },
  streams: {
    kinds: ['trades', 'reference'],
    symbolsPerSocket: 2 * SYMBOLS_PER_SOCKET,
    subscribe: streamsOf(FUTURES_STREAMS),
  },
  decode: (frame, sink) => decodeFutures(frame, sink, COINM_SEGMENT),
};

/**
 * European options: watched, not traded. Their tape stands on another path than their prices, so that only the prices are followed.
 * @see https://developers.binance.com/docs/derivatives/options-trading/websocket-market-streams
 */
const options: Market = {
  ...protocol,
  id: 'options',
  wsUrl: 'wss://fstream.binance.com/public/stream',
  restUrl: 'https://eapi.binance.com',
  defaultFees: OPTION_FEES,
  // 200 streams a socket are allowed.
  limits: { symbolsPerSocket: 100, messagesPerSecond: 10 },
  instruments: { paths: ['/eapi/v1/exchangeInfo'], parse: parseOptions },
  book: { snapshot: snapshotAt('/eapi/v1/depth'), follows: followsByPrevious, depth: Infinity },
  // Most strikes are quiet for minutes.
  idleMs: 300_000,
  firstBookWithinMs: 300_000,
  streams: {
    kinds: ['reference'],
    wsUrl: 'wss://fstream.binance.com/market/stream',
    // One stream speaks of every option of an underlying: a second socket would only say it again.
    symbolsPerSocket: 10_000,
    subscribe: streamsOf({ reference: (symbol) => `${symbol.split('-', 1)[0]!}usdt@optionMarkPrice` }),
  },
  decode: (frame, sink) => decode(frame, sink, ANY_SEGMENT),
};

/** @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams */
export const binance: Venue = {
  id: BINANCE,
  markets: [spot, usdm, coinm, options],
  accounts: [spotAccount(), usdmAccount(), coinmAccount()],
};

const bookStreams = (symbols: readonly string[]): readonly string[] =>
  symbols.map((symbol) => symbol.toLowerCase()).flatMap((symbol) => [`${symbol}@depth@100ms`, `${symbol}@bookTicker`]);

function requestsOf(method: string, streams: readonly string[], request: number): readonly string[] {
  return batchesOf(streams, 200).map((params, at) => JSON.stringify({ method, params, id: request * 100 + at }));
}

function streamsOf(
  names: Partial<Record<StreamKind, (symbol: string) => string>>,
): NonNullable<Market['streams']>['subscribe'] {
  return (kinds, symbols, request) => {
    const streams = symbols.flatMap((symbol) => kinds.map((kind) => names[kind]?.(symbol.toLowerCase()) ?? ''));
    return requestsOf(
      'SUBSCRIBE',
      [...new Set(streams)].filter((name) => name !== ''),
      request,
    );
  };
}

/** 1,000 levels: five times the weight buys 5,000, and nobody trades that deep. */
function snapshotAt(path: string): BookRules['snapshot'] {
  return { from: 'rest', path: (symbol) => `${path}?symbol=${symbol}&limit=1000`, decode: decodeSnapshot };
}

/**
 * Spot. The documentation's rules, by its numbers:
 * 4. an event whose u is not above the snapshot's lastUpdateId (later: the book's own) is dropped;
 * 5. the first event must have U <= lastUpdateId + 1 <= u;
 * 6. afterwards each U must be the previous u + 1.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly
 */
function followsBySequence(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  if (opening) return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
  return firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

/**
 * Futures. 4. an event whose u is below lastUpdateId is dropped; 5. the first event must hold it: U <= lastUpdateId <= u; 6. afterwards each pu must be
 * the previous u. Ids are shared by all symbols, so U..u has holes and an event in truth covers (pu, u]: a snapshot taken in such a hole
 * (pu <= lastUpdateId < U) is continued too.
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly
 */
function followsByPrevious(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, previousSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (opening) {
    if (last < lastSequence) return 'drop';
    return firstSequence <= lastSequence || previousSequence <= lastSequence ? 'apply' : 'gap';
  }
  if (last <= lastSequence) return 'drop';
  return previousSequence === lastSequence ? 'apply' : 'gap';
}

const KEY = {
  stream: keyCode('stream'),
  data: keyCode('data'),
  event: keyCode('e'),
  time: keyCode('E'),
  segment: keyCode('st'),
  symbol: keyCode('s'),
  first: keyCode('U'),
  last: keyCode('u'),
  previous: keyCode('pu'),
  bids: keyCode('b'),
  asks: keyCode('a'),
  bidQty: keyCode('B'),
  askQty: keyCode('A'),
  result: keyCode('result'),
  error: keyCode('error'),
  code: keyCode('code'),
  tradeTime: keyCode('T'),
  price: keyCode('p'),
  qty: keyCode('q'),
  isBuyerMaker: keyCode('m'),
  tradeType: keyCode('X'),
  lastUpdateId: keyCode('lastUpdateId'),
  snapshotBids: keyCode('bids'),
  snapshotAsks: keyCode('asks'),
} as const;
const DEPTH_UPDATE = bytesOf('depthUpdate');
const BOOK_TICKER = bytesOf('bookTicker');
const SERVER_SHUTDOWN = bytesOf('serverShutdown');
const TRADE = bytesOf('trade');
const AGGREGATE_TRADE = bytesOf('aggTrade');
const MARK_PRICE = bytesOf('markPriceUpdate');
const OPTION_MARK_PRICE = bytesOf('markPrice');
const MARKET_TRADE = bytesOf('MARKET');
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const LETTER_T = 0x74;
/** A time beyond this is in microseconds: in milliseconds it would be the year 5138. */
const MS_MAX = 1e14;

/** Since June 2026 futures payloads say of which market they are, and streams of all symbols carry both. */
const ANY_SEGMENT = 0;
const USDM_SEGMENT = 1;
const COINM_SEGMENT = 2;

/** Fields seen in an event, as bits. */
const SYMBOL = 1;
const FIRST = 2;
const LAST = 4;
const BIDS = 8;
const ASKS = 16;
const BID_PRICE = 32;
const ASK_PRICE = 64;
const BID_QTY = 128;
const ASK_QTY = 256;
const DEPTH_FIELDS = SYMBOL | FIRST | LAST | BIDS | ASKS;
const QUOTE_FIELDS = SYMBOL | LAST | BID_PRICE | ASK_PRICE | BID_QTY | ASK_QTY;

/** Spot, as it usually comes. */
const QUOTE_SHAPE = shapeOf(
  '{"stream":"<text>","data":{"u":<integer>,"s":"<text>","b":"<number>","B":"<number>","a":"<number>","A":"<number>"}}',
);
const DEPTH_SHAPE = shapeOf(
  '{"stream":"<text>","data":{"e":"depthUpdate","E":<integer>,"s":"<text>","U":<integer>,"u":<integer>,"b":<levels>,"a":<levels>}}',
);

/** Futures: the same with their pair, their market and the time of the matching engine. */
const FUTURES_QUOTE_SHAPE = shapeOf(
  '{"stream":"<text>","data":{"e":"bookTicker","u":<integer>,"s":"<text>","ps":"<text>","st":<integer>,' +
    '"b":"<number>","B":"<number>","a":"<number>","A":"<number>","T":<integer>,"E":<integer>}}',
);
const FUTURES_DEPTH_SHAPE = shapeOf(
  '{"stream":"<text>","data":{"e":"depthUpdate","E":<integer>,"T":<integer>,"s":"<text>","ps":"<text>","st":<integer>,' +
    '"U":<integer>,"u":<integer>,"pu":<integer>,"b":<levels>,"a":<levels>}}',
);

function decodeFutures(frame: Frame, sink: MarketSink, segment: number): void {
  if (frame.has(FUTURES_QUOTE_SHAPE)) takeFuturesQuote(frame, sink, segment);
  else if (frame.has(FUTURES_DEPTH_SHAPE)) takeFuturesDepth(frame, sink, segment);
  else decode(frame, sink, segment);
}

function takeFuturesQuote(frame: Frame, sink: MarketSink, segment: number): void {
  if (FOUND_NUMBERS[1] !== segment || !begin(frame, sink)) return;
  const { update } = sink;
  update.kind = QUOTE;
  update.lastSequence = FOUND_NUMBERS[0]!;
  update.venueTimeMs = millisecondsOf(7);
  takePrices(update, 2);
  sink.publish();
}

function takeFuturesDepth(frame: Frame, sink: MarketSink, segment: number): void {
  if (FOUND_NUMBERS[2] !== segment || !begin(frame, sink)) return;
  const { update } = sink;
  update.kind = DELTA;
  update.venueTimeMs = millisecondsOf(0);
  update.firstSequence = FOUND_NUMBERS[3]!;
  update.lastSequence = FOUND_NUMBERS[4]!;
  update.previousSequence = FOUND_NUMBERS[5]!;
  frame.shapedLevels(0, update.bids);
  frame.shapedLevels(1, update.asks);
  sink.publish();
}

function takeQuote(frame: Frame, sink: MarketSink): void {
  if (!begin(frame, sink)) return;
  const { update } = sink;
  update.kind = QUOTE;
  update.lastSequence = FOUND_NUMBERS[0]!;
  takePrices(update, 1);
  sink.publish();
}

function takeDepth(frame: Frame, sink: MarketSink): void {
  if (!begin(frame, sink)) return;
  const { update } = sink;
  update.kind = DELTA;
  update.venueTimeMs = millisecondsOf(0);
  update.firstSequence = FOUND_NUMBERS[1]!;
  update.lastSequence = FOUND_NUMBERS[2]!;
  frame.shapedLevels(0, update.bids);
  frame.shapedLevels(1, update.asks);
  sink.publish();
}

/** The instrument, which every shape names in its second text; false where it is none that we follow. */
function begin(frame: Frame, sink: MarketSink): boolean {
  frame.shapedText(1);
  const instrument = sink.find(frame, frame.textStart, frame.textEnd);
  if (instrument === -1) return false;
  forget(sink.update);
  sink.update.instrument = instrument;
  return true;
}

/** Price and quantity of the bid, then of the ask, from a place of the shape on. */
function takePrices({ bids, asks }: MarketUpdate, place: number): void {
  bids.prices[0] = FOUND_NUMBERS[place]!;
  bids.qtys[0] = FOUND_NUMBERS[place + 1]!;
  bids.count = bids.prices[0] > 0 ? 1 : 0;
  asks.prices[0] = FOUND_NUMBERS[place + 2]!;
  asks.qtys[0] = FOUND_NUMBERS[place + 3]!;
  asks.count = asks.prices[0] > 0 ? 1 : 0;
}

/** The time in a place of the shape. */
function millisecondsOf(place: number): number {
  const time = FOUND_NUMBERS[place]!;
  return time > MS_MAX ? time / 1_000 : time;
}

/** Events come bare (`/ws`) or as `{"stream":…,"data":event}` (`/stream`); some streams send lists of them. */
function decode(frame: Frame, sink: MarketSink, segment: number): void {
  if (frame.peek() === OPEN_BRACKET) {
    readList(frame, sink, segment);
    return;
  }
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.stream) frame.skip();
    else if (key === KEY.data && frame.peek() === OPEN_BRACE) {
      if (!readEvent(frame, sink, frame.at, segment)) return;
      while (frame.nextKey() !== END) frame.skip();
      publish(frame, sink);
      return;
    } else if (key === KEY.data && frame.peek() === OPEN_BRACKET) {
      readList(frame, sink, segment);
      return;
    } else {
      if (readEvent(frame, sink, frame.start, segment)) publish(frame, sink);
      return;
    }
  }
}

function publish(frame: Frame, sink: MarketSink): void {
  frame.finish();
  sink.publish();
}

/**
 * Reads the event at `start`: a depth update or a best quote of an instrument we follow to its end; false, at once, for anything else. Trades and
 * marks are published by their own readers.
 */
function readEvent(frame: Frame, sink: MarketSink, start: number, segment: number): boolean {
  const { update } = sink;
  const { bids, asks } = update;
  let seen = 0;
  forget(update);
  frame.at = start;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    switch (key) {
      case KEY.event:
        frame.string();
        if (frame.textIs(DEPTH_UPDATE) || frame.textIs(BOOK_TICKER)) break;
        return readOther(frame, sink, start, segment);
      case KEY.time:
        readTime(frame);
        update.venueTimeMs = frame.value;
        break;
      case KEY.segment:
        if (isForeign(frame, segment)) return false;
        break;
      case KEY.symbol: {
        frame.string();
        const instrument = sink.find(frame, frame.textStart, frame.textEnd);
        if (instrument === -1) return false;
        update.instrument = instrument;
        seen |= SYMBOL;
        break;
      }
      case KEY.first:
        frame.integer();
        update.firstSequence = frame.value;
        seen |= FIRST;
        break;
      case KEY.last:
        frame.integer();
        update.lastSequence = frame.value;
        seen |= LAST;
        break;
      case KEY.previous:
        frame.integer();
        update.previousSequence = frame.value;
        break;
      case KEY.bids:
        seen |= readSide(frame, bids) ? BIDS : BID_PRICE;
        break;
      case KEY.asks:
        seen |= readSide(frame, asks) ? ASKS : ASK_PRICE;
        break;
      case KEY.bidQty:
        frame.number(bids.qtys, 0);
        seen |= BID_QTY;
        break;
      case KEY.askQty:
        frame.number(asks.qtys, 0);
        seen |= ASK_QTY;
        break;
      case KEY.result:
        sink.control('ack', frame.text());
        return false;
      case KEY.error:
      case KEY.code:
        sink.control('error', frame.text());
        return false;
      default:
        frame.skip();
    }
  }
  return isWhole(seen, sink.update, frame);
}

/** Nothing has been said yet of what an event may leave out. */
function forget(update: MarketUpdate): void {
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
}

/** Into `frame.value`, in milliseconds. */
function readTime(frame: Frame): void {
  frame.integer();
  if (frame.value > MS_MAX) frame.value /= 1_000;
}

function isForeign(frame: Frame, segment: number): boolean {
  frame.integer();
  return segment !== ANY_SEGMENT && frame.value !== segment;
}

/** An event of another channel, whose name was read last; one of them says that the server is about to go. */
function readOther(frame: Frame, sink: MarketSink, start: number, segment: number): false {
  const isTrade = frame.textIs(TRADE) || frame.textIs(AGGREGATE_TRADE);
  const isMark = frame.textIs(MARK_PRICE) || frame.textIs(OPTION_MARK_PRICE);
  if (frame.textIs(SERVER_SHUTDOWN)) sink.control('notice', frame.text());
  frame.at = start;
  if (isTrade) readTrade(frame, sink, segment);
  if (isMark) readMark(frame, sink, segment);
  return false;
}

/** `b` and `a` are levels in a depth update and a price in a best quote. Answers whether they were levels. */
function readSide(frame: Frame, side: MarketUpdate['bids']): boolean {
  if (frame.peek() === OPEN_BRACKET) {
    frame.levels(side);
    return true;
  }
  frame.number(side.prices, 0);
  // An empty side is quoted as price 0.
  side.count = side.prices[0]! > 0 ? 1 : 0;
  return false;
}

function isWhole(seen: number, update: MarketUpdate, frame: Frame): boolean {
  if ((seen & DEPTH_FIELDS) === DEPTH_FIELDS) update.kind = DELTA;
  else if ((seen & QUOTE_FIELDS) === QUOTE_FIELDS) update.kind = QUOTE;
  else if (seen === 0) return false;
  else throw new BadInput(`binance: fields are missing: ${frame.text().slice(0, 120)}`);
  return true;
}

const PRICE = 2;
const QTY = 4;
const TAKER = 8;
const TRADE_FIELDS = SYMBOL | PRICE | QTY | TAKER;
const NUMBER = new Float64Array(1);

/** `trade` and `aggTrade`. What stands beside the book (block trades, liquidations taken over) is no print; neither is a trade of nothing. */
function readTrade(frame: Frame, sink: MarketSink, segment: number): void {
  const { print } = sink;
  let seen = 0;
  print.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      if (instrument === -1) return;
      print.instrument = instrument;
      seen |= SYMBOL;
    } else if (key === KEY.price) {
      frame.number(NUMBER, 0);
      print.price = NUMBER[0]!;
      seen |= PRICE;
    } else if (key === KEY.qty) {
      frame.number(NUMBER, 0);
      print.qty = NUMBER[0]!;
      seen |= QTY;
    } else if (key === KEY.tradeTime) {
      readTime(frame);
      print.venueTimeMs = frame.value;
    } else if (key === KEY.isBuyerMaker) {
      print.taker = frame.peek() === LETTER_T ? -1 : 1;
      frame.skip();
      seen |= TAKER;
    } else if (key === KEY.tradeType) {
      frame.string();
      if (!frame.textIs(MARKET_TRADE)) return;
    } else if (key === KEY.segment) {
      if (isForeign(frame, segment)) return;
    } else frame.skip();
  }
  if (seen !== TRADE_FIELDS) throw new BadInput(`binance: not a trade: ${frame.text().slice(0, 120)}`);
  if (print.price > 0 && print.qty > 0) sink.publishPrint();
}

/** `[event,…]`, of which marks are read. */
function readList(frame: Frame, sink: MarketSink, segment: number): void {
  if (!frame.firstElement()) return;
  do {
    if (frame.peek() === OPEN_BRACE) readMark(frame, sink, segment);
    else frame.skip();
  } while (frame.nextElement());
}

/** What a mark may say, by its key; position is the place in SAID. */
const MARK_KEYS: readonly number[] = ['p', 'mp', 'i', 'r', 'T', 'b', 'a', 'vo', 'd', 'g', 'v', 't', 'rf'].map(keyCode);
const AT = {
  mark: 0,
  optionMark: 1,
  index: 2,
  funding: 3,
  nextFunding: 4,
  bidVolatility: 5,
  askVolatility: 6,
  markVolatility: 7,
  delta: 8,
  gamma: 9,
  vega: 10,
  theta: 11,
  riskFreeRate: 12,
} as const;
const SAID = new Float64Array(MARK_KEYS.length);

/** `markPriceUpdate` of a future or `markPrice` of an option, read to its end: it may stand in a list. Anything else is passed over. */
function readMark(frame: Frame, sink: MarketSink, segment: number): void {
  let instrument: InstrumentIndex | -1 = -1;
  let isMark = false;
  let isOurs = true;
  let timeMs = NaN;
  SAID.fill(NaN);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.event) {
      frame.string();
      isMark = frame.textIs(MARK_PRICE) || frame.textIs(OPTION_MARK_PRICE);
      if (!isMark) isOurs = false;
    } else if (!isOurs) frame.skip();
    else if (key === KEY.symbol) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
      if (instrument === -1) isOurs = false;
    } else if (key === KEY.time) {
      readTime(frame);
      timeMs = frame.value;
    } else if (key === KEY.segment) isOurs = !isForeign(frame, segment);
    else {
      const at = MARK_KEYS.indexOf(key);
      if (at === -1) frame.skip();
      else signedNumber(frame, SAID, at);
    }
  }
  if (isMark && isOurs && instrument !== -1) publishMark(sink, instrument, timeMs);
}

function publishMark(sink: MarketSink, instrument: InstrumentIndex, timeMs: number): void {
  const { reference } = sink;
  sink.clearReference();
  reference.instrument = instrument;
  reference.venueTimeMs = timeMs;
  const isOption = !Number.isNaN(SAID[AT.optionMark]!);
  reference.markPrice = isOption ? SAID[AT.optionMark]! : SAID[AT.mark]!;
  reference.indexPrice = SAID[AT.index]!;
  // Options are priced on the index.
  reference.underlyingPrice = isOption ? SAID[AT.index]! : NaN;
  reference.fundingRate = SAID[AT.funding]!;
  // A delivery contract has no funding: its rate is empty and its next time 0.
  reference.nextFundingTimeMs = positiveOrNan(AT.nextFunding);
  // -1 where there is no such quote.
  reference.bidVolatility = positiveOrNan(AT.bidVolatility);
  reference.askVolatility = positiveOrNan(AT.askVolatility);
  reference.markVolatility = positiveOrNan(AT.markVolatility);
  reference.delta = SAID[AT.delta]!;
  reference.gamma = SAID[AT.gamma]!;
  reference.vega = SAID[AT.vega]!;
  reference.theta = SAID[AT.theta]!;
  reference.interestRate = SAID[AT.riskFreeRate]!;
  sink.publishReference();
}

const positiveOrNan = (at: number): number => (SAID[at]! > 0 ? SAID[at]! : NaN);

/** `{"lastUpdateId":…,"E":…,"bids":[…],"asks":[…]}` of `/depth`, whose number options call `u`; an error body has none of these. */
function decodeSnapshot(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let seen = 0;
  update.kind = SNAPSHOT;
  update.instrument = instrument;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.lastUpdateId || key === KEY.last) {
      frame.integer();
      update.lastSequence = frame.value;
      update.firstSequence = update.lastSequence;
      seen |= LAST;
    } else if (key === KEY.snapshotBids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.snapshotAsks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.time) {
      readTime(frame);
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen !== (LAST | BIDS | ASKS)) throw new BadInput(`binance: not a snapshot: ${frame.text().slice(0, 120)}`);
  publish(frame, sink);
}

const filter = z.object({
  filterType: z.string(),
  tickSize: z.string().optional(),
  stepSize: z.string().optional(),
  minQty: z.string().optional(),
  minNotional: z.string().optional(),
  notional: z.string().optional(),
});
const listing = z.object({
  symbol: z.string().min(1),
  status: z.string().optional(),
  contractStatus: z.string().optional(),
  baseAsset: z.string().min(1),
  quoteAsset: z.string().min(1),
  marginAsset: z.string().optional(),
  contractType: z.string().optional(),
  contractSize: z.number().positive().optional(),
  deliveryDate: z.number().optional(),
  filters: z.array(filter),
});
type Listing = z.infer<typeof listing>;
const exchangeInfo = z.object({ symbols: z.array(listing) });

const fundingInfo = z.array(z.object({ symbol: z.string(), fundingIntervalHours: z.number().positive() }));

/** The second body is of futures. */
function parseInstruments(market: string, bodies: readonly string[], taken: Fees): readonly Instrument[] {
  const [listed = '', adjusted] = bodies;
  const { symbols } = bodyFrom(exchangeInfo, listed, 'binance exchangeInfo');
  const instruments = symbols.flatMap((entry) => instrumentFrom(market, entry, taken));
  if (adjusted === undefined) return instruments;
  const infos = bodyFrom(fundingInfo, adjusted, 'binance fundingInfo');
  const hoursOf = new Map(infos.map(({ symbol, fundingIntervalHours }) => [symbol, fundingIntervalHours]));
  return instruments.map((instrument) => {
    if (instrument.kind !== 'perpetual') return instrument;
    const hours = hoursOf.get(instrument.venueSymbol) ?? FUNDING_HOURS;
    return { ...instrument, funding: { intervalMs: hours * 3_600_000 } };
  });
}

/**
 * Where `fundingInfo`, which lists what was adjusted, says nothing else.
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Get-Funding-Rate-Info
 * @see https://www.binance.com/en/support/faq/introduction-to-binance-futures-funding-rates-360033525031
 */
const FUNDING_HOURS = 8;

/** Empty for what the engine cannot express: a listing without a price or lot grid, or a contract of an unknown type. */
function instrumentFrom(market: string, entry: Listing, taken: Fees): readonly Instrument[] {
  const filterOf = (...types: string[]) => entry.filters.find(({ filterType }) => types.includes(filterType));
  const tick = filterOf('PRICE_FILTER')?.tickSize;
  const lot = filterOf('LOT_SIZE');
  const notional = filterOf('NOTIONAL', 'MIN_NOTIONAL');
  const kind = kindOf(market, entry.contractType);
  if (tick === undefined || lot?.stepSize === undefined || lot.minQty === undefined || kind === undefined) return [];
  const [base, quote] = [asset(entry.baseAsset), asset(entry.quoteAsset)];
  const settle = asset(entry.marginAsset ?? entry.quoteAsset);
  const expiry = kind === 'future' ? expiryOf(entry.deliveryDate) : undefined;
  const contract = market === 'spot' ? '' : `:${settle}${expiry === undefined ? '' : `-${expiry.day}`}`;
  const symbol = `${base}/${quote}${contract}`;
  const grid = { tick: decimalFrom(tick), lot: decimalFrom(lot.stepSize) };
  if (!grid.tick.greaterThan(0) || !grid.lot.greaterThan(0)) return [];
  return [
    {
      id: idOf(BINANCE, symbol),
      venue: BINANCE,
      market,
      symbol,
      venueSymbol: entry.symbol,
      kind,
      ...{ base, quote, settle },
      contractSize: amountOf(entry.contractSize ?? 1),
      inverse: market === 'coinm',
      ...grid,
      minQty: decimalFrom(lot.minQty),
      minNotional: decimalFrom(notional?.minNotional ?? notional?.notional ?? '0'),
      fees: taken,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      status: (entry.status ?? entry.contractStatus) === 'TRADING' ? 'trading' : 'halted',
    },
  ];
}

function kindOf(market: string, contractType: string | undefined): InstrumentKind | undefined {
  if (market === 'spot') return 'spot';
  if (contractType === 'PERPETUAL') return 'perpetual';
  return contractType !== undefined && /^(CURRENT|NEXT)_(MONTH|QUARTER)$/.test(contractType) ? 'future' : undefined;
}

const optionsInfo = z.object({
  optionContracts: z.array(
    z.object({ baseAsset: z.string(), quoteAsset: z.string(), underlying: z.string(), settleAsset: z.string() }),
  ),
  optionSymbols: z.array(
    z.object({
      symbol: z.string().min(1),
      status: z.string().optional(),
      underlying: z.string(),
      side: z.enum(['CALL', 'PUT']),
      strikePrice: z.string(),
      expiryDate: z.number(),
      unit: z.union([z.number(), z.string()]).transform(String),
      filters: z.array(filter),
    }),
  ),
});
type OptionListing = z.infer<typeof optionsInfo>['optionSymbols'][number];
type OptionContract = z.infer<typeof optionsInfo>['optionContracts'][number];

function parseOptions(bodies: readonly string[], taken: Fees): readonly Instrument[] {
  return bodies.flatMap((body) => {
    const { optionContracts, optionSymbols } = bodyFrom(optionsInfo, body, 'binance options exchangeInfo');
    return optionSymbols.flatMap((entry) => {
      const contract = optionContracts.find(({ underlying }) => underlying === entry.underlying);
      return contract === undefined ? [] : optionFrom(entry, contract, taken);
    });
  });
}

function optionFrom(entry: OptionListing, contract: OptionContract, taken: Fees): readonly Instrument[] {
  const tick = entry.filters.find(({ filterType }) => filterType === 'PRICE_FILTER')?.tickSize;
  const lot = entry.filters.find(({ filterType }) => filterType === 'LOT_SIZE');
  const expiry = expiryOf(entry.expiryDate);
  if (tick === undefined || lot?.stepSize === undefined || lot.minQty === undefined || expiry === undefined) return [];
  const strike = decimalFrom(entry.strikePrice);
  const grid = { tick: decimalFrom(tick), lot: decimalFrom(lot.stepSize) };
  const contractSize = decimalFrom(entry.unit);
  if (![strike, grid.tick, grid.lot, contractSize].every((value) => value.greaterThan(0))) return [];
  const [base, quote, settle] = [asset(contract.baseAsset), asset(contract.quoteAsset), asset(contract.settleAsset)];
  const letter = entry.side === 'CALL' ? 'C' : 'P';
  const symbol = `${base}/${quote}:${settle}-${expiry.day}-${textOf(strike)}-${letter}`;
  return [
    {
      id: idOf(BINANCE, symbol),
      venue: BINANCE,
      market: 'options',
      symbol,
      venueSymbol: entry.symbol,
      kind: 'option',
      ...{ base, quote, settle },
      contractSize: amountOf(contractSize),
      inverse: false,
      ...grid,
      minQty: decimalFrom(lot.minQty),
      minNotional: decimalFrom('0'),
      fees: taken,
      expiryMs: expiry.ms,
      strike,
      right: entry.side === 'CALL' ? 'call' : 'put',
      status: (entry.status ?? 'TRADING') === 'TRADING' ? 'trading' : 'halted',
    },
  ];
}

/** One API of the venue: its endpoints with their weights, and what it alone does. */
type Api = {
  readonly id: 'spot' | 'usdm' | 'coinm';
  readonly restUrl: string;
  readonly place: Endpoint;
  readonly cancel: Endpoint;
  /** Changes price and quantity where the order stands. Spot only ever takes less: that is no replacement. */
  readonly amend?: Endpoint;
  readonly cancelAll: Endpoint;
  readonly query: Endpoint;
  readonly openOrders: Endpoint;
  /** Weight of all symbols' open orders in one call. */
  readonly allOpenOrders: Endpoint;
  readonly fills: Endpoint;
  readonly fillsOfOrder: Endpoint;
  readonly time: Endpoint;
  readonly limits: AccountLimits;
  readonly fees: AccountRest['fees'];
  readonly balances: AccountRest['balances'];
  readonly positions?: AccountRest['positions'];
  /** Whether a key's permissions let it trade here. */
  readonly mayTrade: (permissions: z.infer<typeof apiRestrictions>) => boolean;
  readonly sockets: readonly AccountSocket[];
  readonly deadMan: DeadMan;
};
type Endpoint = { readonly method: Call<unknown>['method']; readonly path: string; readonly weight: Weight };

function endpoint(method: Endpoint['method'], path: string, weight: Weight): Endpoint {
  return { method, path, weight };
}

/**
 * @see https://developers.binance.com/docs/binance-spot-api-docs/rest-api
 * @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-api
 */
function spotAccount(): Account {
  const root = '/api/v3';
  const rates = endpoint('GET', `${root}/account/commission`, { weight: 20 });
  const balances = endpoint('GET', `${root}/account`, { weight: 20 });
  return accountOf({
    id: 'spot',
    restUrl: 'https://api.binance.com',
    place: endpoint('POST', `${root}/order`, { weight: 1, orders: 1, ordersDay: 1 }),
    cancel: endpoint('DELETE', `${root}/order`, { weight: 1 }),
    cancelAll: endpoint('DELETE', `${root}/openOrders`, { weight: 1 }),
    query: endpoint('GET', `${root}/order`, { weight: 4 }),
    openOrders: endpoint('GET', `${root}/openOrders`, { weight: 6 }),
    allOpenOrders: endpoint('GET', `${root}/openOrders`, { weight: 80 }),
    fills: endpoint('GET', `${root}/myTrades`, { weight: 20 }),
    fillsOfOrder: endpoint('GET', `${root}/myTrades`, { weight: 5 }),
    time: endpoint('GET', `${root}/time`, { weight: 1 }),
    limits: limitsOf({ weight: [6_000, 60_000], orders: [100, 10_000], ordersDay: [200_000, 86_400_000] }),
    fees: (instruments, context) =>
      instruments.map(({ venueSymbol: symbol }) =>
        signed(context, rates, { symbol }, (reply) => answerOf(reply, spotCommission, feesOfSpot)),
      ),
    balances: (context) =>
      signed(context, balances, { omitZeroBalances: true }, (reply) =>
        answerOf(reply, z.object({ balances: z.array(spotBalance) }), (body) =>
          body.balances.map(({ asset: name, free, locked }) => ({
            asset: name,
            total: free.plus(locked),
            available: free,
          })),
        ),
      ),
    mayTrade: ({ enableSpotAndMarginTrading }) => enableSpotAndMarginTrading,
    sockets: [
      {
        ...privateSocket(),
        id: 'api',
        carries: ['events', 'orders'],
        wsUrl: 'wss://ws-api.binance.com:443/ws-api/v3?returnRateLimits=false',
        login: (context) => [apiFrame(LOGIN, 'userDataStream.subscribe.signature', {}, context)],
        orders: ordersOver({ weight: 1, orders: 1, ordersDay: 1 }),
        decode: decodePrivate,
      },
    ],
    deadMan: { kind: 'none', why: 'Binance spot has no countdown and cancels nothing when a socket is lost' },
  });
}

/**
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams
 */
function usdmAccount(): Account {
  return futuresAccount({
    id: 'usdm',
    restUrl: 'https://fapi.binance.com',
    root: '/fapi/v1',
    balances: endpoint('GET', '/fapi/v3/balance', { weight: 5 }),
    positions: endpoint('GET', '/fapi/v3/positionRisk', { weight: 5 }),
    fillsWeight: 5,
    orderWeight: { orders: 1, ordersMinute: 1 },
    limits: limitsOf({ weight: [2_400, 60_000], orders: [300, 10_000], ordersMinute: [1_200, 60_000] }),
    ordersUrl: 'wss://ws-fapi.binance.com/ws-fapi/v1?returnRateLimits=false',
    eventsUrl: 'wss://fstream.binance.com/private/ws',
  });
}

/** @see https://developers.binance.com/docs/derivatives/coin-margined-futures/trade */
function coinmAccount(): Account {
  return futuresAccount({
    id: 'coinm',
    restUrl: 'https://dapi.binance.com',
    root: '/dapi/v1',
    balances: endpoint('GET', '/dapi/v1/balance', { weight: 1 }),
    positions: endpoint('GET', '/dapi/v1/positionRisk', { weight: 1 }),
    fillsWeight: 20,
    orderWeight: { ordersMinute: 1 },
    limits: limitsOf({ weight: [2_400, 60_000], ordersMinute: [1_200, 60_000] }),
    ordersUrl: 'wss://ws-dapi.binance.com/ws-dapi/v1?returnRateLimits=false',
    eventsUrl: 'wss://dstream.binance.com/ws',
  });
}

/** What the two futures APIs share. */
function futuresAccount(of: {
  readonly id: 'usdm' | 'coinm';
  readonly restUrl: string;
  readonly root: string;
  readonly balances: Endpoint;
  readonly positions: Endpoint;
  readonly fillsWeight: number;
  readonly orderWeight: Weight;
  readonly limits: AccountLimits;
  readonly ordersUrl: string;
  readonly eventsUrl: string;
}): Account {
  const { id, root } = of;
  const rates = endpoint('GET', `${root}/commissionRate`, { weight: 20 });
  const countdown = endpoint('POST', `${root}/countdownCancelAll`, { weight: 10 });
  const open = (weight: number): Endpoint => endpoint('GET', `${root}/openOrders`, { weight });
  return accountOf({
    id,
    restUrl: of.restUrl,
    place: endpoint('POST', `${root}/order`, of.orderWeight),
    cancel: endpoint('DELETE', `${root}/order`, { weight: 1 }),
    // @see https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/Modify-Order
    amend: endpoint('PUT', `${root}/order`, { weight: 1, ...of.orderWeight }),
    cancelAll: endpoint('DELETE', `${root}/allOpenOrders`, { weight: 1 }),
    query: endpoint('GET', `${root}/order`, { weight: 1 }),
    openOrders: open(1),
    allOpenOrders: open(40),
    fills: endpoint('GET', `${root}/userTrades`, { weight: of.fillsWeight }),
    fillsOfOrder: endpoint('GET', `${root}/userTrades`, { weight: of.fillsWeight }),
    time: endpoint('GET', `${root}/time`, { weight: 1 }),
    limits: of.limits,
    fees: (instruments, context) =>
      instruments.map(({ venueSymbol: symbol }) =>
        signed(context, rates, { symbol }, (reply) =>
          answerOf(reply, futuresCommission, (body) => [
            {
              venueSymbol: body.symbol,
              market: id,
              maker: body.makerCommissionRate,
              taker: body.takerCommissionRate,
            },
          ]),
        ),
      ),
    balances: (context) =>
      signed(context, of.balances, {}, (reply) =>
        answerOf(reply, z.array(futuresBalance), (rows) =>
          rows.map((row) => ({ asset: row.asset, total: row.balance, available: row.availableBalance })),
        ),
      ),
    positions: (context) =>
      signed(context, of.positions, {}, (reply) =>
        answerOf(reply, z.array(positionRow), (rows) => rows.filter(isPosition).map(positionOf)),
      ),
    mayTrade: ({ enableFutures }) => enableFutures,
    sockets: [ordersSocket(of), eventsSocket(of)],
    deadMan: {
      kind: 'timer',
      // The venue documents no bounds: it looks at its countdowns every 10 ms.
      minMs: 1_000,
      maxMs: 3_600_000,
      arm: (countdownTime, instruments, context) =>
        instruments.map(({ venueSymbol: symbol }) =>
          signed(context, countdown, { symbol, countdownTime }, (reply) =>
            answerOf(reply, z.unknown(), (body) => body),
          ),
        ),
    },
  });
}

/** Everything that is the same for all three. */
function accountOf(api: Api): Account {
  const { id } = api;
  const orders = (instruments: readonly Instrument[]) => (reply: Reply) =>
    answerOf(reply, z.array(orderRow), (rows) =>
      rows.map(stateOf).filter(({ venueSymbol }) => instruments.some((each) => each.venueSymbol === venueSymbol)),
    );
  return {
    id,
    markets: [id],
    restUrl: api.restUrl,
    // Letters, digits and `.:/_-`, 36 at most: ours are.
    clientOrderId: (ours) => ours,
    refuses: (order) => refusalOfTicket(order, id === 'spot'),
    limits: api.limits,
    rest: {
      place: (order, context) => signed(context, api.place, orderFields(order), readPlaced),
      cancel: (order, context) =>
        signed(context, api.cancel, refFields(order), (reply) => answerOf(reply, orderRow, stateOf)),
      ...(api.amend === undefined ? {} : { amend: amendOf(api.amend) }),
      cancelAll: (instruments, context) =>
        instruments.map(({ venueSymbol: symbol }) =>
          signed(context, api.cancelAll, { symbol }, (reply) => {
            const answer = answerOf(reply, z.unknown(), (body) => body);
            // Nothing was open.
            return answer.kind === 'refused' && answer.meaning === 'not-open' ? ok(undefined) : answer;
          }),
        ),
      query: (order, context) =>
        signed(context, api.query, refFields(order), (reply) => answerOf(reply, orderRow, stateOf)),
      openOrders: (instruments, context) =>
        instruments.length * api.openOrders.weight['weight']! > api.allOpenOrders.weight['weight']!
          ? [signed(context, api.allOpenOrders, {}, orders(instruments))]
          : instruments.map((instrument) =>
              signed(context, api.openOrders, { symbol: instrument.venueSymbol }, orders([instrument])),
            ),
      fillsSince: (instruments, sinceMs, context) =>
        instruments.map(({ venueSymbol }) => fillsFrom(api, venueSymbol, { startTime: Math.floor(sinceMs) }, context)),
      fillsOf: ({ instrument: { venueSymbol: symbol }, venueOrderId, sentMs }, context) =>
        venueOrderId === undefined
          ? fillsFrom(api, symbol, { startTime: Math.floor(sentMs) - SENT_SLACK_MS }, context)
          : signed(context, api.fillsOfOrder, { symbol, orderId: venueOrderId, limit: FILLS_MAX }, (reply) =>
              answerOf(reply, z.array(fillRow), (rows) => rows.map(fillOf)),
            ),
      balances: api.balances,
      ...(api.positions === undefined ? {} : { positions: api.positions }),
      fees: api.fees,
      permissions: (context) =>
        signed(context, PERMISSIONS, {}, (reply) =>
          answerOf(reply, apiRestrictions, (body) => ({
            trade: api.mayTrade(body),
            withdraw: body.enableWithdrawals,
          })),
        ),
      time: {
        ...api.time,
        headers: {},
        read: (reply) => answerOf(reply, z.object({ serverTime: timeText }), ({ serverTime }) => serverTime),
      },
    },
    sockets: api.sockets,
    deadMan: api.deadMan,
  };
}

/** How late a request may arrive and still be done: an order that is slower than this is no longer wanted. */
const RECV_WINDOW_MS = 5_000;
/** On the spot host, whatever the account: the key is one. */
const PERMISSIONS = endpoint('GET', 'https://api.binance.com/sapi/v1/account/apiRestrictions', { wallet: 1 });

/** Headers tell what is used of a bucket in its window. */
const USED_HEADERS: Readonly<Record<string, string>> = {
  'x-mbx-used-weight-1m': 'weight',
  'x-mbx-order-count-10s': 'orders',
  'x-mbx-order-count-1m': 'ordersMinute',
  'x-mbx-order-count-1d': 'ordersDay',
  'x-sapi-used-ip-weight-1m': 'wallet',
};

function limitsOf(buckets: Readonly<Record<string, readonly [units: number, windowMs: number]>>): AccountLimits {
  const all = { ...buckets, wallet: [12_000, 60_000] as const };
  return {
    buckets: Object.fromEntries(Object.entries(all).map(([name, [units, windowMs]]) => [name, { units, windowMs }])),
    used: (headers) =>
      Object.fromEntries(
        Object.entries(USED_HEADERS).flatMap(([header, bucket]) => {
          const used = Number(headers[header]);
          return Number.isFinite(used) && bucket in all ? [[bucket, used]] : [];
        }),
      ),
  };
}

type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Signs the query exactly as it is sent, percent-encoded; that of a POST or PUT is its body.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security
 */
function signed<T>(
  { credentials, nowMs }: AccountContext,
  { method, path, weight }: Endpoint,
  fields: Fields,
  read: (reply: Reply) => Answer<T>,
): Call<T> {
  const query = queryOf({ ...fields, recvWindow: RECV_WINDOW_MS, timestamp: Math.floor(nowMs) });
  const text = `${query}&signature=${hmac('sha256', credentials.secret, query, 'hex')}`;
  const headers = { 'X-MBX-APIKEY': credentials.apiKey };
  if (method === 'GET' || method === 'DELETE') return { method, path: `${path}?${text}`, headers, weight, read };
  return {
    method,
    path,
    headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: text,
    weight,
    read,
  };
}

/** All that WebSocket requests name, in byte order: so they are signed. */
const API_PARAMS = [
  'apiKey',
  'newClientOrderId',
  'newOrderRespType',
  'origClientOrderId',
  'price',
  'quantity',
  'recvWindow',
  'reduceOnly',
  'side',
  'symbol',
  'timeInForce',
  'timestamp',
  'type',
] as const;
type ApiFields = { readonly [Name in (typeof API_PARAMS)[number]]?: Fields[string] };

/** The parameters sorted by name are what a WebSocket request signs, unencoded. */
function apiFrame(id: string, method: string, fields: ApiFields, { credentials, nowMs }: AccountContext): string {
  const { params, payload } = apiTexts({ ...fields, ...apiOf(credentials), timestamp: Math.floor(nowMs) });
  return framed(id, method, params, hmac('sha256', credentials.secret, payload, 'hex'));
}

const apiOf = ({ apiKey }: AccountContext['credentials']): ApiFields => ({ apiKey, recvWindow: RECV_WINDOW_MS });

/** What is sent, but for the signature, and what is signed. */
type ApiTexts = { readonly params: string; readonly payload: string };

function apiTexts(fields: ApiFields): ApiTexts {
  let params = '';
  let payload = '';
  for (const name of API_PARAMS) {
    const value = fields[name];
    if (value === undefined) continue;
    // A number, also where a template has a hole for it.
    params += `"${name}":${typeof value === 'string' && name !== 'timestamp' ? quoted(value) : String(value)},`;
    payload += `${payload === '' ? '' : '&'}${name}=${String(value)}`;
  }
  return { params, payload };
}

const framed = (id: string, method: string, params: string, signature: string): string =>
  `{"id":"${id}","method":"${method}","params":{${params}"signature":"${signature}"}}`;

const placeTemplates = new OrderTemplates((order, { credentials }) => {
  const { params, payload } = apiTexts({
    ...orderFields(order),
    ...apiOf(credentials),
    newClientOrderId: HOLE,
    timestamp: HOLE,
  });
  return { params: params.split(HOLE), payload: payload.split(HOLE) };
});

/** As `apiFrame`, of what is the same for all orders of a kind, and what differs. */
function placeFrame(order: OrderTicket, context: AccountContext, request: string): string {
  const { credentials, nowMs } = context;
  const { params, payload } = placeTemplates.of(credentials, order, context);
  const { clientOrderId, price, qty, type } = order;
  const time = String(Math.floor(nowMs));
  const values = type === 'limit' ? [clientOrderId, price, qty, time] : [clientOrderId, qty, time];
  const signature = hmac('sha256', credentials.secret, filled(payload, values), 'hex');
  return framed(`place-${request}`, 'order.place', filled(params, values), signature);
}

const DOUBLE_QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** As JSON.stringify has it, without asking it for what is plain ASCII and needs no escape. */
function quoted(text: string): string {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === DOUBLE_QUOTE || code === BACKSLASH) return JSON.stringify(text);
  }
  return `"${text}"`;
}

/** Why Binance cannot do exactly this. */
function refusalOfTicket(order: OrderTicket, isSpot: boolean): string | undefined {
  const { type, timeInForce, postOnly, reduceOnly } = order;
  if (isSpot && reduceOnly) return 'Binance spot has no reduce-only orders';
  if (type === 'market') {
    if (postOnly) return 'a market order cannot be post-only';
    // The rest of a market order expires, whatever it says.
    return timeInForce === 'FOK' ? 'Binance has no fill-or-kill market orders' : undefined;
  }
  if (postOnly && timeInForce !== 'GTC') return `a post-only order rests: it cannot be ${timeInForce}`;
  return undefined;
}

function orderFields(order: OrderTicket): ApiFields {
  const { instrument, side, type, price, qty, timeInForce, postOnly, reduceOnly, clientOrderId } = order;
  const isSpot = instrument.market === 'spot';
  const isLimit = type === 'limit';
  // Spot has a type for it, futures a time in force.
  const spotType = isLimit && postOnly && isSpot ? 'LIMIT_MAKER' : type.toUpperCase();
  const spotTime = postOnly ? (isSpot ? undefined : 'GTX') : timeInForce;
  return {
    symbol: instrument.venueSymbol,
    side: side.toUpperCase(),
    type: spotType,
    timeInForce: isLimit ? spotTime : undefined,
    quantity: qty,
    price: isLimit ? price : undefined,
    reduceOnly: reduceOnly ? true : undefined,
    newClientOrderId: clientOrderId,
    // Spot's FULL names the fills, futures' RESULT waits for what an IOC came to.
    newOrderRespType: isSpot ? 'FULL' : 'RESULT',
  };
}

/** The quantity is the whole order's; one that has filled as much is cancelled. */
function amendOf(amend: Endpoint): NonNullable<AccountRest['amend']> {
  return (order, { price, qty: quantity }, context) =>
    signed(context, amend, { ...refFields(order), side: order.side.toUpperCase(), quantity, price }, (reply) =>
      answerOf(reply, orderRow, stateOf),
    );
}

const refFields = ({ instrument, clientOrderId }: OrderRef) => ({
  symbol: instrument.venueSymbol,
  origClientOrderId: clientOrderId,
});

/** Unsaid, half as many are told. */
const FILLS_MAX = 1_000;
/** Clocks differ: fills of an order are asked for from a little before it was sent. */
const SENT_SLACK_MS = 60_000;
/** Futures answer for this long from a start time on, spot for ever: asked in such steps, nothing is missed on either. */
const FILLS_WINDOW_MS = 7 * 86_400_000;

/** A symbol's fills from a time or an id on, oldest first: a full page is followed by id, the rest of the time by the next window. */
function fillsFrom(
  api: Api,
  symbol: string,
  from: { readonly startTime: number } | { readonly fromId: string; readonly startTime?: undefined },
  context: AccountContext,
): Call<readonly VenueFill[]> {
  return signed(context, api.fills, { symbol, ...from, limit: FILLS_MAX }, (reply) => {
    const answer: Answer<readonly VenueFill[]> = answerOf(reply, z.array(fillRow), (rows) => rows.map(fillOf));
    if (answer.kind === 'refused') return answer;
    const last = answer.value.at(-1);
    if (last !== undefined && answer.value.length >= FILLS_MAX) {
      const fromId = String(BigInt(last.tradeId) + 1n);
      return { ...answer, more: (later) => fillsFrom(api, symbol, { fromId }, later) };
    }
    if (api.id === 'spot' || from.startTime === undefined) return answer;
    const startTime = from.startTime + FILLS_WINDOW_MS;
    if (startTime >= context.nowMs) return answer;
    return { ...answer, more: (later) => fillsFrom(api, symbol, { startTime }, later) };
  });
}

const apiRestrictions = z.object({
  enableWithdrawals: z.boolean(),
  enableSpotAndMarginTrading: z.boolean(),
  enableFutures: z.boolean(),
});
const commission = z.object({ maker: decimalText, taker: decimalText, buyer: decimalText, seller: decimalText });
const spotCommission = z.object({
  symbol: z.string(),
  standardCommission: commission,
  specialCommission: commission.optional(),
  taxCommission: commission.optional(),
});
const futuresCommission = z.object({
  symbol: z.string(),
  makerCommissionRate: decimalText,
  takerCommissionRate: decimalText,
});
const spotBalance = z.object({ asset: z.string(), free: decimalText, locked: decimalText });
const futuresBalance = z.object({ asset: z.string(), balance: decimalText, availableBalance: decimalText });

/** All that is charged adds up; what depends on the side counts at its dearer. A discount for paying in BNB is not counted on. */
function feesOfSpot(body: z.infer<typeof spotCommission>): readonly FeeState[] {
  const parts = [body.standardCommission, body.specialCommission, body.taxCommission].filter(
    (part) => part !== undefined,
  );
  const sum = (own: 'maker' | 'taker'): Decimal =>
    Decimal.sum(...parts.map((part) => part[own].plus(Decimal.max(part.buyer, part.seller))));
  return [{ venueSymbol: body.symbol, market: 'spot', maker: sum('maker'), taker: sum('taker') }];
}

const orderRow = z.object({
  symbol: z.string(),
  orderId: z.string(),
  clientOrderId: z.string(),
  /** Of a spot cancel's answer: the other id is then the cancel's own. */
  origClientOrderId: z.string().optional(),
  price: decimalText,
  origQty: decimalText,
  executedQty: decimalText,
  status: z.string(),
  side: z.enum(['BUY', 'SELL']),
  time: timeText,
  updateTime: timeText,
  transactTime: timeText,
});
type OrderRow = z.infer<typeof orderRow>;

const STATUSES: Readonly<Record<string, OrderState['status']>> = {
  PENDING_NEW: 'open',
  NEW: 'open',
  PARTIALLY_FILLED: 'open',
  PENDING_CANCEL: 'open',
  FILLED: 'filled',
  CANCELED: 'canceled',
  REJECTED: 'rejected',
  EXPIRED: 'expired',
  EXPIRED_IN_MATCH: 'expired',
};

/** What a status means, with its reason where the status is one. @throws BadInput on a word that is none */
function statusOf(status: string): Pick<OrderState, 'status' | 'reason'> {
  if (!Object.hasOwn(STATUSES, status)) throw new BadInput(`binance: unknown order status ${status.slice(0, 40)}`);
  return { status: STATUSES[status]!, ...(status === 'EXPIRED_IN_MATCH' ? { reason: 'self-trade' } : {}) };
}

const sideOf = (side: 'BUY' | 'SELL'): 'buy' | 'sell' => (side === 'BUY' ? 'buy' : 'sell');

function stateOf(row: OrderRow): OrderState {
  const timeMs = [row.updateTime, row.transactTime, row.time].find((time) => !Number.isNaN(time)) ?? NaN;
  return {
    venueSymbol: row.symbol,
    clientOrderId: row.origClientOrderId ?? row.clientOrderId,
    venueOrderId: row.orderId,
    side: sideOf(row.side),
    ...statusOf(row.status),
    ...(row.price.isZero() ? {} : { price: row.price }),
    qty: row.origQty,
    filled: row.executedQty,
    timeMs,
  };
}

const fillRow = z.object({
  symbol: z.string(),
  id: z.string(),
  orderId: z.string(),
  price: decimalText,
  qty: decimalText,
  commission: decimalText,
  commissionAsset: z.string(),
  time: timeText,
  isBuyer: z.boolean().optional(),
  isMaker: z.boolean().optional(),
  buyer: z.boolean().optional(),
  maker: z.boolean().optional(),
});

/** A line of `myTrades` or `userTrades`. */
function fillOf(row: z.infer<typeof fillRow>): VenueFill {
  const isBuyer = row.isBuyer ?? row.buyer;
  const isMaker = row.isMaker ?? row.maker;
  if (isBuyer === undefined || isMaker === undefined) throw new BadInput('binance: a fill without its side');
  return {
    venueSymbol: row.symbol,
    clientOrderId: '',
    venueOrderId: row.orderId,
    tradeId: row.id,
    side: isBuyer ? 'buy' : 'sell',
    price: row.price,
    qty: row.qty,
    fee: row.commission,
    feeAsset: row.commissionAsset,
    liquidity: isMaker ? 'maker' : 'taker',
    timeMs: row.time,
  };
}

const positionRow = z.object({
  symbol: z.string(),
  positionAmt: decimalText,
  entryPrice: decimalText,
  markPrice: decimalText,
  liquidationPrice: decimalText,
  leverage: decimalText.optional(),
  positionSide: z.string(),
  /** 0 to 4. */
  adl: decimalText.optional(),
});

/** Of an account in hedge mode the sides stand apart, most of them empty. */
const isPosition = ({ positionSide, positionAmt }: { positionSide: string; positionAmt: Decimal }): boolean =>
  positionSide === 'BOTH' || !positionAmt.isZero();

const positionOf = (row: z.infer<typeof positionRow>): PositionState => ({
  venueSymbol: row.symbol,
  qty: row.positionAmt,
  entryPrice: row.entryPrice,
  markPrice: row.markPrice,
  ...(row.liquidationPrice.isZero() ? {} : { liquidationPrice: row.liquidationPrice }),
  ...(row.leverage === undefined ? {} : { leverage: row.leverage }),
  ...(row.adl === undefined ? {} : { adlRank: row.adl.toNumber() / 4 }),
});

const placedRow = z.looseObject({ symbol: z.string(), orderId: z.string(), clientOrderId: z.string() });
const placedFills = z.object({
  fills: z
    .array(
      z.object({
        price: decimalText,
        qty: decimalText,
        commission: decimalText,
        commissionAsset: z.string(),
        tradeId: z.string(),
      }),
    )
    .optional(),
});

const readPlaced = (reply: Reply): Answer<Placed> => answerOf(reply, placedRow, placedOf);

/** An acknowledgement alone, or the order as it stands, on spot with its fills. @throws BadInput */
function placedOf(body: z.infer<typeof placedRow>): Placed {
  const { orderId: venueOrderId } = body;
  if (body['status'] === undefined) return { venueOrderId };
  const order = stateOf(checked(orderRow, body, 'binance order'));
  const { fills } = checked(placedFills, body, 'binance fills');
  if (fills === undefined) return { venueOrderId, order };
  return {
    venueOrderId,
    order,
    fills: fills.map(({ tradeId, price, qty, commission: fee, commissionAsset: feeAsset }) => ({
      venueSymbol: order.venueSymbol,
      clientOrderId: order.clientOrderId,
      venueOrderId,
      tradeId,
      side: order.side,
      ...{ price, qty, fee, feeAsset },
      liquidity: 'taker',
      timeMs: order.timeMs,
    })),
  };
}

const answerOf = <T, V>(reply: Reply, schema: z.ZodType<T>, valueOf: (body: T) => V): Answer<V> =>
  answerFrom(reply, schema, { refusalOf: refusalIn, valueOf });

const errorBody = z.object({ code: z.string().regex(/^-\d+$/), msg: z.string() });

/** Of a body of either API; undefined when it is none. */
function refusalIn(body: unknown): Refusal | undefined {
  const { data } = errorBody.safeParse(body);
  return data === undefined ? undefined : refused(meaningIn(data.code, data.msg), data.code, data.msg);
}

/** Codes that say only who refused: the words say why. */
const SPOKEN: ReadonlySet<string> = new Set(['-1010', '-1013', '-2010', '-2011']);

/**
 * @see https://developers.binance.com/docs/binance-spot-api-docs/errors
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code
 */
function meaningIn(code: string, text: string): Meaning {
  if (!SPOKEN.has(code)) return meaningOf(CODES, code);
  const [, filterName] = /^Filter failure: ([A-Z_]+)/.exec(text) ?? [];
  if (filterName !== undefined) return meaningOf(FILTERS, filterName);
  const said = meaningOf(WORDS, text.replace(/[.]$/, ''));
  // -1013 has not reached the matching engine, whatever its words.
  return said === 'unlisted' && code === '-1013' ? 'invalid-order' : said;
}

const FILTERS: Readonly<Record<string, Meaning>> = {
  PRICE_FILTER: 'invalid-order',
  PERCENT_PRICE: 'price-out-of-band',
  PERCENT_PRICE_BY_SIDE: 'price-out-of-band',
  LOT_SIZE: 'invalid-order',
  MARKET_LOT_SIZE: 'invalid-order',
  MIN_NOTIONAL: 'below-minimum',
  NOTIONAL: 'below-minimum',
  MAX_POSITION: 'not-allowed',
  MAX_ASSET: 'not-allowed',
  MAX_NUM_ORDERS: 'not-allowed',
  MAX_NUM_ALGO_ORDERS: 'not-allowed',
  EXCHANGE_MAX_NUM_ORDERS: 'not-allowed',
  EXCHANGE_MAX_NUM_ALGO_ORDERS: 'not-allowed',
};

const WORDS: Readonly<Record<string, Meaning>> = {
  'Account has insufficient balance for requested action': 'insufficient-funds',
  'Duplicate order sent': 'duplicate-id',
  'Order would immediately match and take': 'would-take',
  'Order would trigger immediately': 'invalid-order',
  'Unknown order sent': 'not-open',
  'Order was not canceled due to cancel restrictions': 'not-open',
  'Cancel order is invalid. Check origClOrdId and orderId': 'invalid-order',
  'Cancel order is all or none': 'not-allowed',
  'Market is closed': 'not-allowed',
  'Market orders are not supported for this symbol': 'not-allowed',
  'Limit orders require GTC for this phase': 'not-allowed',
  'This order type is not possible in this trading phase': 'not-allowed',
  'This action is disabled on this account': 'not-allowed',
  'This account may not place or cancel orders': 'not-allowed',
  'This symbol is not permitted for this account': 'not-allowed',
  'This symbol is restricted for this account': 'not-allowed',
  'Rest API trading is not enabled': 'not-allowed',
  'WebSocket API trading is not enabled': 'not-allowed',
  'Unsupported order combination': 'invalid-order',
  'Price * QTY is zero or less': 'invalid-order',
  'Invalid price': 'invalid-order',
  'Invalid quantity': 'invalid-order',
};

const CODES: Readonly<Record<string, Meaning>> = {
  '-1000': 'in-doubt',
  '-1001': 'in-doubt',
  '-1002': 'unauthorised',
  '-1003': 'rate-limited',
  '-1006': 'in-doubt',
  '-1007': 'in-doubt',
  '-1008': 'venue-down',
  '-1011': 'unauthorised',
  '-1014': 'invalid-order',
  '-1015': 'rate-limited',
  '-1016': 'venue-down',
  '-1020': 'not-allowed',
  '-1021': 'clock-skew',
  '-1022': 'unauthorised',
  '-1034': 'rate-limited',
  '-1099': 'unauthorised',
  '-1100': 'invalid-order',
  '-1101': 'invalid-order',
  '-1102': 'invalid-order',
  '-1103': 'invalid-order',
  '-1104': 'invalid-order',
  '-1105': 'invalid-order',
  '-1106': 'invalid-order',
  '-1108': 'invalid-order',
  '-1109': 'unauthorised',
  '-1111': 'invalid-order',
  '-1112': 'not-filled',
  '-1114': 'invalid-order',
  '-1115': 'invalid-order',
  '-1116': 'invalid-order',
  '-1117': 'invalid-order',
  '-1118': 'invalid-order',
  '-1119': 'invalid-order',
  '-1121': 'invalid-order',
  '-1122': 'not-allowed',
  '-1125': 'unauthorised',
  '-1127': 'invalid-order',
  '-1128': 'invalid-order',
  '-1130': 'invalid-order',
  '-1131': 'invalid-order',
  '-1136': 'invalid-order',
  '-2008': 'unauthorised',
  '-2013': 'not-found',
  '-2014': 'unauthorised',
  '-2015': 'unauthorised',
  '-2016': 'not-allowed',
  '-2017': 'unauthorised',
  '-2018': 'insufficient-funds',
  '-2019': 'insufficient-funds',
  '-2020': 'not-filled',
  '-2021': 'would-take',
  '-2022': 'reduce-only',
  '-2023': 'not-allowed',
  '-2024': 'insufficient-funds',
  '-2025': 'not-allowed',
  '-2026': 'reduce-only',
  '-2027': 'not-allowed',
  '-2028': 'insufficient-funds',
  '-4001': 'invalid-order',
  '-4002': 'price-out-of-band',
  '-4003': 'invalid-order',
  '-4004': 'below-minimum',
  '-4005': 'invalid-order',
  '-4013': 'price-out-of-band',
  '-4014': 'invalid-order',
  '-4015': 'invalid-order',
  '-4016': 'price-out-of-band',
  '-4023': 'invalid-order',
  '-4024': 'price-out-of-band',
  '-4061': 'not-allowed',
  '-4087': 'not-allowed',
  '-4088': 'not-allowed',
  '-4109': 'not-allowed',
  '-4116': 'duplicate-id',
  '-4118': 'reduce-only',
  '-4131': 'price-out-of-band',
  '-4140': 'not-allowed',
  '-4141': 'not-allowed',
  '-4164': 'below-minimum',
  '-4183': 'price-out-of-band',
  '-4184': 'price-out-of-band',
  '-4192': 'not-allowed',
  '-4400': 'not-allowed',
  '-5021': 'not-filled',
  '-5022': 'would-take',
  '-5028': 'clock-skew',
};

/** Days may pass between two events; our own pings tell a quiet socket from a dead one. */
function privateSocket(): Pick<AccountSocket, 'heartbeat' | 'idleMs' | 'login' | 'subscribe'> {
  return {
    heartbeat: { kind: 'client-protocol-ping', everyMs: 30_000 },
    idleMs: 90_000,
    login: () => [],
    subscribe: () => [],
  };
}

const LOGIN = 'login';

/** A request's number goes out with what was asked, so that its answer tells. */
function ordersOver(weight: Weight): NonNullable<AccountSocket['orders']> {
  return {
    weight,
    place: placeFrame,
    cancel: (order, context, request) => apiFrame(`cancel-${request}`, 'order.cancel', refFields(order), context),
  };
}

/** Each request is signed: there is no login for keys of this kind. */
function ordersSocket(of: { readonly ordersUrl: string; readonly orderWeight: Weight }): AccountSocket {
  return {
    ...privateSocket(),
    id: 'orders',
    carries: ['orders'],
    wsUrl: of.ordersUrl,
    orders: ordersOver(of.orderWeight),
    decode: decodePrivate,
  };
}

function eventsSocket(of: { readonly root: string; readonly eventsUrl: string }): AccountSocket {
  const path = `${of.root}/listenKey`;
  const keyed = ({ credentials }: AccountContext): Pick<Call<unknown>, 'path' | 'headers' | 'weight'> => ({
    path,
    headers: { 'X-MBX-APIKEY': credentials.apiKey },
    weight: { weight: 1 },
  });
  return {
    ...privateSocket(),
    id: 'events',
    carries: ['events'],
    wsUrl: of.eventsUrl,
    pass: {
      ask: (context) => ({
        ...keyed(context),
        method: 'POST',
        read: (reply) => answerOf(reply, z.object({ listenKey: z.string().min(1) }), ({ listenKey }) => listenKey),
      }),
      renew: {
        // It ends after 60 minutes.
        everyMs: 1_800_000,
        call: (context) => ({
          ...keyed(context),
          method: 'PUT',
          read: (reply) => answerOf(reply, z.unknown(), (body) => body),
        }),
      },
    },
    path: (_context, listenKey) => `/${listenKey}`,
    decode: decodePrivate,
  };
}

const apiAnswer = z.object({
  id: z.string().nullable(),
  status: z.string(),
  result: z.unknown().optional(),
  error: errorBody.optional(),
});
const wrapped = z.object({ event: z.looseObject({ e: z.string() }) });
const combined = z.object({ data: z.looseObject({ e: z.string() }) });
const bare = z.looseObject({ e: z.string() });
type PrivateEvent = z.infer<typeof bare>;

/** Answers of the WebSocket API, and events: bare, wrapped by the WebSocket API, or of a combined stream. */
function decodePrivate(frame: Uint8Array): readonly AccountEvent[] {
  const body = jsonOf(frameText(frame));
  const answer = apiAnswer.safeParse(body);
  if (answer.success) return eventsOfAnswer(answer.data);
  const event = wrapped.safeParse(body).data?.event ?? combined.safeParse(body).data?.data ?? bare.safeParse(body).data;
  return event === undefined ? [] : eventsOf(event);
}

function eventsOfAnswer({ id, status, result, error }: z.infer<typeof apiAnswer>): readonly AccountEvent[] {
  const refusal =
    error === undefined
      ? status === '200'
        ? undefined
        : refused('in-doubt', status, 'neither a result nor an error')
      : refused(meaningIn(error.code, error.msg), error.code, error.msg);
  if (id === LOGIN) return [refusal === undefined ? { kind: 'ready' } : { kind: 'error', refusal }];
  const [, to, request] = /^(place|cancel)-(.+)$/.exec(id ?? '') ?? [];
  if (request === undefined) return refusal === undefined ? [] : [{ kind: 'error', refusal }];
  const kind = to === 'place' ? 'place' : 'cancel';
  return [{ kind: 'answer', request, to: kind, answer: refusal ?? answerOfResult(kind, result) }];
}

function answerOfResult(to: 'place' | 'cancel', result: unknown): Answer<Placed> {
  const parsed = placedRow.safeParse(result);
  if (!parsed.success) return refused('in-doubt', '200', 'not understood');
  return ok(to === 'place' ? placedOf(parsed.data) : { venueOrderId: parsed.data.orderId });
}

/** What else comes here (grid and strategy orders, margin calls, settings) is of nothing that we do. */
function eventsOf(event: PrivateEvent): readonly AccountEvent[] {
  switch (event.e) {
    case 'executionReport':
      return eventsOfOrder(checked(execution, event, 'binance executionReport'));
    case 'ORDER_TRADE_UPDATE':
      return eventsOfOrder(checked(z.object({ o: execution }), event, 'binance ORDER_TRADE_UPDATE').o);
    case 'outboundAccountPosition':
      return checked(spotPosition, event, 'binance outboundAccountPosition').B.map(({ a, f, l }) => ({
        kind: 'balance',
        balance: { asset: a, total: f.plus(l), available: f },
      }));
    case 'ACCOUNT_UPDATE':
      return eventsOfAccount(checked(accountUpdate, event, 'binance ACCOUNT_UPDATE').a);
    case 'listenKeyExpired':
    case 'eventStreamTerminated':
    case 'serverShutdown':
      return [{ kind: 'over', text: event.e }];
    default:
      return [];
  }
}

const spotPosition = z.object({ B: z.array(z.object({ a: z.string(), f: decimalText, l: decimalText })) });
const accountUpdate = z.object({
  a: z.object({
    B: z.array(z.object({ a: z.string(), wb: decimalText, cw: decimalText })),
    P: z.array(z.object({ s: z.string(), pa: decimalText, ep: decimalText, ps: z.string() })),
  }),
});

/** What is available is not said; the cross wallet is the most that it can be. */
const eventsOfAccount = ({ B, P }: z.infer<typeof accountUpdate>['a']): readonly AccountEvent[] => [
  ...B.map(({ a, wb, cw }): AccountEvent => ({ kind: 'balance', balance: { asset: a, total: wb, available: cw } })),
  ...P.filter(({ ps, pa }) => isPosition({ positionSide: ps, positionAmt: pa })).map(({ s, pa, ep }): AccountEvent => ({
    kind: 'position',
    position: { venueSymbol: s, qty: pa, entryPrice: ep },
  })),
];

const execution = z.object({
  s: z.string(),
  c: z.string(),
  /** Spot, when canceled: the order's own id; `c` is then the cancel's. */
  C: z.string().optional(),
  S: z.enum(['BUY', 'SELL']),
  q: decimalText,
  p: decimalText,
  x: z.string(),
  X: z.string(),
  i: z.string(),
  l: decimalText,
  z: decimalText,
  L: decimalText,
  n: decimalText.nullish(),
  N: z.string().nullish(),
  T: timeText,
  t: z.string(),
  m: z.boolean(),
});

/**
 * What the venue has sent by itself has an id of its own for it; `settlement_autoclose-` is a delivery.
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Order-Update
 */
function forcedBy(clientOrderId: string): VenueFill['forced'] {
  if (clientOrderId.startsWith('adl_autoclose')) return 'adl';
  return clientOrderId.startsWith('autoclose-') ? 'liquidation' : undefined;
}

/** The fill first: an order's end is its last word. */
function eventsOfOrder(report: z.infer<typeof execution>): readonly AccountEvent[] {
  const clientOrderId = report.C === undefined || report.C === '' ? report.c : report.C;
  const side = sideOf(report.S);
  const order: OrderState = {
    venueSymbol: report.s,
    clientOrderId,
    venueOrderId: report.i,
    side,
    ...statusOf(report.X),
    ...(report.p.isZero() ? {} : { price: report.p }),
    qty: report.q,
    filled: report.z,
    timeMs: report.T,
  };
  // CALCULATED: of a liquidation.
  const isFill = (report.x === 'TRADE' || report.x === 'CALCULATED') && !report.l.isZero();
  const forced = forcedBy(clientOrderId);
  const fill: VenueFill = {
    venueSymbol: report.s,
    clientOrderId,
    venueOrderId: report.i,
    tradeId: report.t,
    side,
    price: report.L,
    qty: report.l,
    fee: report.n ?? new Decimal(0),
    feeAsset: report.N ?? '',
    liquidity: report.m ? 'maker' : 'taker',
    timeMs: report.T,
    ...(forced === undefined ? {} : { forced }),
  };
  return isFill
    ? [
        { kind: 'fill', fill },
        { kind: 'order', order },
      ]
    : [{ kind: 'order', order }];
}
