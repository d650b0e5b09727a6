import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate, ReferenceUpdate, TradePrint } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import type { Side } from '#shared/domain/route.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountRest,
  AccountSocket,
  Answer,
  BalanceState,
  Call,
  DeadMan,
  FeeState,
  KeyPermissions,
  Meaning,
  OrderRef,
  OrderState,
  OrderTicket,
  Placed,
  PositionState,
  Refusal,
  Reply,
  VenueFill,
} from './venue-account.ts';
import {
  answerFrom,
  checked,
  decimalOrZero,
  decimalText,
  frameText,
  hmac,
  jsonOf,
  meaningOf,
  ok,
  queryOf,
  refused,
  signedNumber,
} from './venue-tools.ts';
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
  roomFor,
  shapeOf,
  venueId,
} from './venue.ts';

const KUCOIN = venueId('kucoin');

type Product = Pick<Market, 'restUrl' | 'defaultFees' | 'instruments'>;
/** Where a book is asked for when no socket can be kept. */
const POLLS: Readonly<Record<string, string>> = {
  spot: '/api/v1/market/orderbook/level2_100',
  futures: '/api/v1/level2/depth100',
};
const STREAMS: Readonly<Record<string, readonly StreamKind[]>> = {
  spot: ['trades'],
  futures: ['trades', 'reference'],
};
const CHANNELS_OF: Readonly<Record<StreamKind, readonly string[]>> = {
  trades: ['trade'],
  reference: ['mark-price', 'funding-fee'],
};

const spotProduct: Product = {
  restUrl: 'https://api.kucoin.com',
  defaultFees: { maker: amountOf('0.001'), taker: amountOf('0.001'), currency: 'quote' },
  instruments: { paths: ['/api/v2/symbols'], parse: (bodies, fees) => parseSpot('spot', bodies, fees) },
};

const futuresProduct: Product = {
  restUrl: 'https://api-futures.kucoin.com',
  // Delivery: https://kucoin.zendesk.com/hc/en-us/articles/26692732384409-Coin-Margined-Contract-Delivery-Rules
  defaultFees: {
    maker: amountOf('0.0002'),
    taker: amountOf('0.0006'),
    currency: 'settle',
    delivery: amountOf('0.00025'),
  },
  instruments: { paths: ['/api/v1/contracts/active'], parse: (bodies, fees) => parseFutures('futures', bodies, fees) },
};

const session = {
  // 18 s is what the welcome announces; 60 s of silence close the socket, and so does more than one ping a second.
  heartbeat: { kind: 'client-text', text: '{"id":"ping","type":"ping"}', everyMs: 18_000 },
  idleMs: 40_000,
  // A snapshot comes up to 6 s after its subscription.
  firstBookWithinMs: 15_000,
} as const satisfies Partial<Market>;

/** The push sockets of the unified account: no token, one symbol a request, 300 client messages in ten seconds. */
function unified(id: string, tradeType: string, product: Product): Market {
  const names = { book: bytesOf(`obu.${tradeType}`), trade: bytesOf(`trade.${tradeType}`) };
  // A change as it usually comes.
  const delta = shapeOf(
    `{"T":"obu.${tradeType}","dp":"increment@10ms","t":"delta","P":<nanoseconds>,` +
      '"d":{"a":<levels>,"b":<levels>,"C":<integer>,"s":"<text>","M":<nanoseconds>,"O":<integer>}}',
  );
  const requestsOf = (action: string, symbols: readonly string[], request: number): readonly string[] =>
    symbols.map((symbol, at) =>
      JSON.stringify({ id: `${request}-${at}`, action, channel: 'obu', tradeType, symbol, depth: 'increment@10ms' }),
    );
  const topicsOf = (kinds: readonly StreamKind[], symbols: readonly string[]): readonly (readonly [string, string])[] =>
    kinds
      .flatMap((kind) => CHANNELS_OF[kind])
      .flatMap((channel) => symbols.map((symbol) => [channel, symbol] as const));
  return {
    ...session,
    ...product,
    id,
    wsUrl: `wss://x-push-${id}.kucoin.com`,
    subscribe: (symbols, request) => requestsOf('SUBSCRIBE', symbols, request),
    unsubscribe: (symbols, request) => requestsOf('UNSUBSCRIBE', symbols, request),
    // 600 topics are allowed; fifty are subscribed in two seconds.
    limits: { symbolsPerSocket: 50, messagesPerSecond: 25 },
    book: { snapshot: { from: 'push', holds: true }, follows: followsUnified, depth: Infinity },
    streams: {
      kinds: STREAMS[id]!,
      // 600 topics a socket, three a symbol.
      symbolsPerSocket: 100,
      subscribe: (kinds, symbols, request) =>
        topicsOf(kinds, symbols).map(([channel, symbol], at) =>
          JSON.stringify({ id: `${request}-${at}`, action: 'SUBSCRIBE', channel, tradeType, symbol }),
        ),
    },
    poll: { path: (symbol) => `${POLLS[id]!}?symbol=${symbol}`, decode: decodeSnapshot },
    decode: (frame, sink) => {
      if (!frame.has(delta) || !takeDelta(frame, sink)) decodeUnified(frame, sink, names);
    },
  };
}

/** The protocol of recordings, whose sockets took a token: deltas alone, the first state by REST. */
function classic(
  market: Omit<Market, keyof typeof session | 'limits' | 'subscribe' | 'unsubscribe'>,
  topic: string,
): Market {
  const requestsOf = (type: string, symbols: readonly string[], request: number): readonly string[] =>
    batchesOf(symbols, 100).map((batch, at) =>
      JSON.stringify({ id: `${request}-${at}`, type, topic: `${topic}:${batch.join(',')}`, response: true }),
    );
  return {
    ...session,
    ...market,
    subscribe: (symbols, request) => requestsOf('subscribe', symbols, request),
    unsubscribe: (symbols, request) => requestsOf('unsubscribe', symbols, request),
    limits: { symbolsPerSocket: 300, messagesPerSecond: 10 },
  };
}

const spotClassic = classic(
  {
    ...spotProduct,
    id: 'spot-classic',
    wsUrl: 'wss://ws-api-spot.kucoin.com',
    hosts: ['push-private.kucoin.com'],
    instruments: { paths: ['/api/v1/symbols'], parse: (bodies, fees) => parseSpot('spot-classic', bodies, fees) },
    book: { snapshot: snapshotAt('/api/v3/market/orderbook/level2'), follows: followsClassic, depth: Infinity },
    decode: (frame, sink) => {
      decodeClassic(frame, sink, SPOT_TOPICS);
    },
  },
  '/market/level2',
);

const futuresClassic = classic(
  {
    ...futuresProduct,
    id: 'futures-classic',
    wsUrl: 'wss://ws-api-futures.kucoin.com',
    instruments: {
      ...futuresProduct.instruments,
      parse: (bodies, fees) => parseFutures('futures-classic', bodies, fees),
    },
    book: { snapshot: snapshotAt('/api/v1/level2/snapshot'), follows: followsClassic, depth: Infinity },
    decode: (frame, sink) => {
      decodeClassic(frame, sink, FUTURES_TOPICS);
    },
  },
  '/contractMarket/level2',
);

/**
 * 1. The snapshot's C is the book's sequence. It comes up to six seconds after the subscription, deltas before it: they are held.
 * 2. A frame whose C is not above it is in it already.
 * 3. Each O must be the last C + 1. The first frame may begin inside the snapshot: its sizes are those after C.
 * @see https://www.kucoin.com/docs-new
 */
function followsUnified(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  if (opening) return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
  return firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

/**
 * 1. Deltas are held until the snapshot is there; what ends at or before its sequence is dropped.
 * 2. sequenceStart must not be above the last sequence + 1 (futures: sequence is the last one + 1).
 * 3. Of a frame that begins inside the snapshot the older changes would be passed over. They need not be: a frame holds the last size of each of
 *    its prices, and where that is older than the snapshot, the snapshot has the same.
 * @see https://www.kucoin.com/docs/websocket/spot-trading/public-channels/level2-market-data
 */
function followsClassic(
  { lastSequence }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
}

const KEY = {
  topic: keyCode('T'),
  depth: keyCode('dp'),
  kind: keyCode('t'),
  body: keyCode('d'),
  symbol: keyCode('s'),
  first: keyCode('O'),
  last: keyCode('C'),
  matchTime: keyCode('M'),
  asks: keyCode('a'),
  bids: keyCode('b'),
  result: keyCode('result'),
  type: keyCode('type'),
  code: keyCode('code'),
  classicTopic: keyCode('topic'),
  data: keyCode('data'),
  sequence: keyCode('sequence'),
  sequenceStart: keyCode('sequenceStart'),
  sequenceEnd: keyCode('sequenceEnd'),
  changes: keyCode('changes'),
  change: keyCode('change'),
  time: keyCode('time'),
  timestamp: keyCode('timestamp'),
  classicAsks: keyCode('asks'),
  classicBids: keyCode('bids'),
  size: keyCode('q'),
  price: keyCode('p'),
  side: keyCode('S'),
  markPrice: keyCode('mp'),
  indexPrice: keyCode('ip'),
  priceTime: keyCode('ts'),
  fundingRate: keyCode('fr'),
  nextFunding: keyCode('nt'),
  fundingInterval: keyCode('gl'),
  classicSide: keyCode('side'),
  classicPrice: keyCode('price'),
  classicSize: keyCode('size'),
  classicMark: keyCode('markPrice'),
  classicIndex: keyCode('indexPrice'),
  classicFunding: keyCode('fundingRate'),
} as const;
const INCREMENT = bytesOf('increment@10ms');
const TYPE_SNAPSHOT = bytesOf('snapshot');
const TYPE_DELTA = bytesOf('delta');
const PONG = bytesOf('pong');
const ACK = bytesOf('ack');
const ERROR = bytesOf('error');
const SUCCESS = bytesOf('200000');
const MARK_PRICE = bytesOf('mark-price');
const FUNDING_FEE = bytesOf('funding-fee');
const SELL = bytesOf('sell');
const BUY = bytesOf('buy');
const UPPER_SELL = bytesOf('SELL');
const UPPER_BUY = bytesOf('BUY');
const LETTER_T = 0x74;
const OPEN_BRACE = 0x7b;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Fields seen in a book, as bits. */
const SYMBOL = 1;
const FIRST = 2;
const LAST = 4;
const BIDS = 8;
const ASKS = 16;
const UNIFIED_FIELDS = SYMBOL | FIRST | LAST | BIDS | ASKS;
const PRICE = 32;
const SIZE = 64;
const SIDE = 128;
const TIME = 256;
const TRADE_FIELDS = SYMBOL | PRICE | SIZE | SIDE | TIME;
const CLASSIC_TRADE_FIELDS = PRICE | SIZE | SIDE | TIME;

const OTHER = 0;
const IS_BOOK = 1;
const IS_TRADE = 2;
const IS_REFERENCE = 3;

/** Where numbers are read before they go on. */
const numbers = new Float64Array(1);

/** False when its sequences are none. */
function takeDelta(frame: Frame, sink: MarketSink): boolean {
  if (FOUND_NUMBERS[3]! > FOUND_NUMBERS[1]!) return false;
  const { update } = sink;
  frame.shapedText(0);
  if (!find(frame, sink, frame.textStart, frame.textEnd)) return true;
  update.kind = DELTA;
  update.firstSequence = FOUND_NUMBERS[3]!;
  update.lastSequence = FOUND_NUMBERS[1]!;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = FOUND_NUMBERS[2]!;
  frame.shapedLevels(0, update.asks);
  frame.shapedLevels(1, update.bids);
  sink.publish();
  return true;
}

/** `{"T":"obu.SPOT","dp":"increment@10ms","t":"snapshot"|"delta","P":…,"d":{…}}`, as text in binary frames; trades, mark prices and funding likewise. */
function decodeUnified(
  frame: Frame,
  sink: MarketSink,
  names: { readonly book: Uint8Array; readonly trade: Uint8Array },
): void {
  let topic: number = OTHER;
  let isRead = false;
  let followed = false;
  let kind: MarketUpdate['kind'] | undefined;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.topic) {
      frame.string();
      topic = frame.textIs(names.book) ? IS_BOOK : topicOf(frame, names.trade);
      if (topic === OTHER) return;
    } else if (key === KEY.depth) {
      frame.string();
      // The other depths are whole books of their own.
      if (!frame.textIs(INCREMENT)) return;
    } else if (key === KEY.kind && topic === IS_BOOK) kind = readKind(frame);
    else if (key === KEY.body && topic === IS_BOOK && kind !== undefined) {
      followed = readUnified(frame, sink, kind);
      isRead = true;
    } else if (key === KEY.body && topic > IS_BOOK) {
      followed = topic === IS_TRADE ? readTrade(frame, sink) : readReference(frame, sink);
      isRead = true;
    } else if (key === KEY.result || key === KEY.type || key === KEY.code) {
      control(frame, sink, key);
      return;
    } else frame.skip();
  }
  frame.finish();
  if (topic !== OTHER && !isRead) throw new BadInput(`kucoin: a frame without type or data: ${beginning(frame)}`);
  if (!followed) return;
  if (topic === IS_BOOK) sink.publish();
  else if (topic === IS_TRADE) sink.publishPrint();
  else sink.publishReference();
}

function topicOf(frame: Frame, trade: Uint8Array): number {
  if (frame.textIs(trade)) return IS_TRADE;
  return frame.textIs(MARK_PRICE) || frame.textIs(FUNDING_FEE) ? IS_REFERENCE : OTHER;
}

/** `{"s":…,"S":"sell","p":"price","q":"size","M":<ns>,…}`: `S` is what the taker did. */
function readTrade(frame: Frame, sink: MarketSink): boolean {
  const { print } = sink;
  let seen = 0;
  let followed = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      followed = instrument !== -1;
      if (instrument !== -1) print.instrument = instrument;
      seen |= SYMBOL;
    } else if (key === KEY.price) {
      print.price = amountAt(frame);
      seen |= PRICE;
    } else if (key === KEY.size) {
      print.qty = amountAt(frame);
      seen |= SIZE;
    } else if (key === KEY.side) {
      print.taker = takerOf(frame);
      seen |= SIDE;
    } else if (key === KEY.matchTime) {
      readNanoseconds(frame, print);
      seen |= TIME;
    } else frame.skip();
  }
  if (seen !== TRADE_FIELDS) throw new BadInput(`kucoin: fields are missing: ${beginning(frame)}`);
  return followed;
}

function amountAt(frame: Frame): number {
  frame.number(numbers, 0);
  return numbers[0]!;
}

function takerOf(frame: Frame): 1 | -1 {
  frame.string();
  if (frame.textIs(BUY) || frame.textIs(UPPER_BUY)) return 1;
  if (frame.textIs(SELL) || frame.textIs(UPPER_SELL)) return -1;
  throw new BadInput(`kucoin: unknown side: ${beginning(frame)}`);
}

/**
 * `{"s":…,"mp":mark,"ip":index,"ts":ms}` each second, or `{"s":…,"fr":rate,"nt":ms,"gl":ms}` each minute: `fr` is the rate of the running interval,
 * which ends at `nt`; `lfr` is the settled one before.
 */
function readReference(frame: Frame, sink: MarketSink): boolean {
  const { reference } = sink;
  let followed = false;
  sink.clearReference();
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      followed = instrument !== -1;
      if (instrument !== -1) reference.instrument = instrument;
    } else if (key === KEY.markPrice) reference.markPrice = rateAt(frame);
    else if (key === KEY.indexPrice) reference.indexPrice = rateAt(frame);
    else if (key === KEY.fundingRate) reference.fundingRate = rateAt(frame);
    else if (key === KEY.nextFunding) reference.nextFundingTimeMs = rateAt(frame);
    else if (key === KEY.fundingInterval) reference.fundingIntervalMs = rateAt(frame);
    else if (key === KEY.priceTime) reference.venueTimeMs = rateAt(frame);
    else frame.skip();
  }
  return followed;
}

function rateAt(frame: Frame): number {
  signedNumber(frame, numbers, 0);
  return numbers[0]!;
}

function readKind(frame: Frame): MarketUpdate['kind'] {
  frame.string();
  if (frame.textIs(TYPE_SNAPSHOT)) return SNAPSHOT;
  if (frame.textIs(TYPE_DELTA)) return DELTA;
  throw new BadInput(`kucoin: unknown type: ${beginning(frame)}`);
}

/** `{"s":…,"O":first,"C":last,"M":<ns>,"a":[["price","size"]],"b":[]}`; false when it is of an instrument that we do not follow. */
function readUnified(frame: Frame, sink: MarketSink, kind: MarketUpdate['kind']): boolean {
  const { update } = sink;
  let seen = 0;
  let followed = false;
  clear(update, kind);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      followed = find(frame, sink, frame.textStart, frame.textEnd);
      seen |= SYMBOL;
    } else if (key === KEY.first) {
      frame.integer();
      update.firstSequence = frame.value;
      seen |= FIRST;
    } else if (key === KEY.last) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.matchTime) readNanoseconds(frame, update);
    else frame.skip();
  }
  if (seen !== UNIFIED_FIELDS) throw new BadInput(`kucoin: fields are missing: ${beginning(frame)}`);
  if (update.firstSequence > update.lastSequence) throw new BadInput(`kucoin: O above C: ${beginning(frame)}`);
  return followed;
}

function readNanoseconds(frame: Frame, into: { venueTimeMs: number }): void {
  frame.peek();
  const start = frame.at;
  frame.skip();
  nanosecondsAt(frame, start, frame.at, into);
}

/** Unix nanoseconds are above 2^53: a double holds their milliseconds, read apart from the last six digits. */
function nanosecondsAt(frame: Frame, start: number, end: number, into: { venueTimeMs: number }): void {
  const { bytes } = frame;
  let ms = 0;
  let ns = 0;
  let isWhole = end - start >= 18 && end - start <= 20;
  for (let at = start; at < end && isWhole; at += 1) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) isWhole = false;
    else if (at < end - 6) ms = ms * 10 + digit;
    else ns = (ns * 10 + digit) | 0;
  }
  if (!isWhole) throw new BadInput(`kucoin: not nanoseconds: ${frame.text(start, Math.min(end, start + 40))}`);
  into.venueTimeMs = ms + ns / 1e6;
}

/** `{"id":…,"result":true|false}`, `{"type":"ack"|"pong"|"error"|"welcome",…}` or `{"code":…}` of a refusal. */
function control(frame: Frame, sink: MarketSink, key: number): void {
  if (key === KEY.code) sink.control('error', frame.text());
  else if (key === KEY.result) sink.control(frame.peek() === LETTER_T ? 'ack' : 'error', frame.text());
  else {
    frame.string();
    const kind = frame.textIs(PONG) ? 'pong' : frame.textIs(ACK) ? 'ack' : frame.textIs(ERROR) ? 'error' : undefined;
    if (kind !== undefined) sink.control(kind, frame.text());
  }
}

/** What a classic market pushes, by the beginning of its topic. */
type ClassicTopics = {
  readonly book: Uint8Array;
  readonly trade: Uint8Array;
  readonly reference: Uint8Array | undefined;
  readonly readBook: (frame: Frame, update: MarketUpdate) => void;
};

const SPOT_TOPICS: ClassicTopics = {
  book: bytesOf('/market/level2:'),
  trade: bytesOf('/market/match:'),
  reference: undefined,
  readBook: readSpotChanges,
};
const FUTURES_TOPICS: ClassicTopics = {
  book: bytesOf('/contractMarket/level2:'),
  trade: bytesOf('/contractMarket/execution:'),
  reference: bytesOf('/contract/instrument:'),
  readBook: readFuturesChange,
};

/** `{"type":"message","topic":"/market/level2:SYMBOL","subject":…,"data":{…}}`; in 2021 the data came first, so it is read last. */
function decodeClassic(frame: Frame, sink: MarketSink, topics: ClassicTopics): void {
  let topic: number = OTHER;
  let dataStart = -1;
  let dataEnd = -1;
  let instrument: InstrumentIndex | -1 = -1;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.classicTopic) {
      frame.string();
      topic = classicTopicOf(frame, topics);
      if (topic === OTHER) return;
      let symbolStart = frame.textStart;
      while (frame.bytes[symbolStart] !== COLON) symbolStart += 1;
      instrument = sink.find(frame, symbolStart + 1, frame.textEnd);
    } else if (key === KEY.type) control(frame, sink, key);
    else if (key === KEY.data && frame.peek() === OPEN_BRACE) {
      dataStart = frame.at;
      frame.skip();
      dataEnd = frame.at;
    } else frame.skip();
  }
  frame.finish();
  if (instrument === -1) return;
  if (dataStart < 0) throw new BadInput(`kucoin: a frame without data: ${beginning(frame)}`);
  frame.at = dataStart;
  readClassic(frame, sink, { topic, instrument, readBook: topics.readBook });
  if (frame.at !== dataEnd) throw new BadInput(`kucoin: brackets do not match: ${beginning(frame)}`);
  if (topic === IS_BOOK) sink.publish();
  else if (topic === IS_TRADE) sink.publishPrint();
  else sink.publishReference();
}

function classicTopicOf(frame: Frame, { book, trade, reference }: ClassicTopics): number {
  if (startsWith(frame, book)) return IS_BOOK;
  if (startsWith(frame, trade)) return IS_TRADE;
  return reference !== undefined && startsWith(frame, reference) ? IS_REFERENCE : OTHER;
}

function readClassic(
  frame: Frame,
  sink: MarketSink,
  { topic, instrument, readBook }: { topic: number; instrument: InstrumentIndex; readBook: ClassicTopics['readBook'] },
): void {
  if (topic === IS_BOOK) {
    clear(sink.update, DELTA);
    sink.update.instrument = instrument;
    readBook(frame, sink.update);
  } else if (topic === IS_TRADE) {
    sink.print.instrument = instrument;
    readClassicTrade(frame, sink.print);
  } else {
    sink.clearReference();
    sink.reference.instrument = instrument;
    readClassicReference(frame, sink.reference);
  }
}

/** `{"side":"buy","price":…,"size":…,"time":"<ns>"}`; a contract's has `ts`. */
function readClassicTrade(frame: Frame, print: TradePrint): void {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.classicPrice) {
      print.price = amountAt(frame);
      seen |= PRICE;
    } else if (key === KEY.classicSize) {
      print.qty = amountAt(frame);
      seen |= SIZE;
    } else if (key === KEY.classicSide) {
      print.taker = takerOf(frame);
      seen |= SIDE;
    } else if (key === KEY.time) {
      frame.string();
      nanosecondsAt(frame, frame.textStart, frame.textEnd, print);
      seen |= TIME;
    } else if (key === KEY.priceTime) {
      readNanoseconds(frame, print);
      seen |= TIME;
    } else frame.skip();
  }
  if (seen !== CLASSIC_TRADE_FIELDS) throw new BadInput(`kucoin: fields are missing: ${beginning(frame)}`);
}

/** `{"markPrice":…,"indexPrice":…,"timestamp":ms}`, or `{"fundingRate":…,"timestamp":ms}`, whose granularity is that of the push, not of the funding. */
function readClassicReference(frame: Frame, reference: ReferenceUpdate): void {
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.classicMark) reference.markPrice = rateAt(frame);
    else if (key === KEY.classicIndex) reference.indexPrice = rateAt(frame);
    else if (key === KEY.classicFunding) reference.fundingRate = rateAt(frame);
    else if (key === KEY.timestamp) reference.venueTimeMs = rateAt(frame);
    else frame.skip();
  }
}

/** `{"sequenceStart":…,"sequenceEnd":…,"changes":{"asks":[["price","size","sequence"]],"bids":[]},"time":ms}`. */
function readSpotChanges(frame: Frame, update: MarketUpdate): void {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.sequenceStart) {
      frame.integer();
      update.firstSequence = frame.value;
      seen |= FIRST;
    } else if (key === KEY.sequenceEnd) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.changes) {
      for (let side = frame.firstKey(); side !== END; side = frame.nextKey()) {
        if (side === KEY.classicAsks) {
          readChanges(frame, update.asks);
          seen |= ASKS;
        } else if (side === KEY.classicBids) {
          readChanges(frame, update.bids);
          seen |= BIDS;
        } else frame.skip();
      }
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen !== (FIRST | LAST | BIDS | ASKS)) throw new BadInput(`kucoin: fields are missing: ${beginning(frame)}`);
}

const change = new Float64Array(3);

/** `[["price","size","sequence"],…]` in no order; a price of 0 only moves the sequence. */
function readChanges(frame: Frame, into: LevelBuffer): void {
  const sequences: number[] = [];
  if (!frame.firstElement()) return;
  do {
    if (!frame.firstElement()) throw new BadInput(`kucoin: an empty change: ${beginning(frame)}`);
    let count = 0;
    do {
      if (count === change.length) throw new BadInput(`kucoin: not a change: ${beginning(frame)}`);
      frame.number(change, count);
      count += 1;
    } while (frame.nextElement());
    if (count !== change.length) throw new BadInput(`kucoin: not a change: ${beginning(frame)}`);
    takeChange(frame, into, sequences);
  } while (frame.nextElement());
}

/** The newest size of each price counts. */
function takeChange(frame: Frame, into: LevelBuffer, sequences: number[]): void {
  const [price, size, sequence] = change as unknown as readonly [number, number, number];
  if (!(price >= 0 && size >= 0)) throw new BadInput(`kucoin: not a change: ${beginning(frame)}`);
  if (price === 0) return;
  const known = into.prices.subarray(0, into.count).indexOf(price);
  if (known >= 0 && sequences[known]! > sequence) return;
  const index = known >= 0 ? known : roomFor(into);
  into.prices[index] = price;
  into.qtys[index] = size;
  sequences[index] = sequence;
  into.count = Math.max(into.count, index + 1);
}

/** `{"sequence":…,"change":"price,buy|sell,size","timestamp":ms}`: one level. */
function readFuturesChange(frame: Frame, update: MarketUpdate): void {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.sequence) {
      frame.integer();
      update.firstSequence = frame.value;
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.change) {
      frame.string();
      readLevelText(frame, update);
      seen |= BIDS;
    } else if (key === KEY.timestamp) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen !== (LAST | BIDS)) throw new BadInput(`kucoin: fields are missing: ${beginning(frame)}`);
}

function readLevelText(frame: Frame, update: MarketUpdate): void {
  const { bytes, textStart: start, textEnd: end } = frame;
  let priceEnd = start;
  while (priceEnd < end && bytes[priceEnd] !== COMMA) priceEnd += 1;
  let sideEnd = priceEnd + 1;
  while (sideEnd < end && bytes[sideEnd] !== COMMA) sideEnd += 1;
  frame.textStart = priceEnd + 1;
  frame.textEnd = Math.min(sideEnd, end);
  const isBuy = frame.textIs(BUY);
  if ((!isBuy && !frame.textIs(SELL)) || sideEnd >= end)
    throw new BadInput(`kucoin: not a change: ${beginning(frame)}`);
  const into = isBuy ? update.bids : update.asks;
  const index = roomFor(into);
  frame.decimalAt(start, priceEnd, into.prices, index);
  frame.decimalAt(sideEnd + 1, end, into.qtys, index);
  frame.takeLevel(into, index);
}

function snapshotAt(path: string): BookRules['snapshot'] {
  return { from: 'rest', path: (symbol) => `${path}?symbol=${symbol}`, decode: decodeSnapshot };
}

/** `{"code":"200000","data":{"sequence":…,"bids":[…],"asks":[…]}}`; the spot answer quotes its sequence. */
function decodeSnapshot(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let isRead = false;
  let isSuccess = false;
  clear(update, SNAPSHOT);
  update.instrument = instrument;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.code) {
      frame.string();
      isSuccess = frame.textIs(SUCCESS);
    } else if (key === KEY.data && frame.peek() === OPEN_BRACE) {
      readSnapshot(frame, update);
      isRead = true;
    } else frame.skip();
  }
  frame.finish();
  if (!isSuccess || !isRead) throw new BadInput(`kucoin: not a snapshot: ${beginning(frame)}`);
  sink.publish();
}

function readSnapshot(frame: Frame, update: MarketUpdate): void {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.sequence) {
      frame.integer();
      update.firstSequence = frame.value;
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.classicBids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.classicAsks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else frame.skip();
  }
  if (seen !== (LAST | BIDS | ASKS)) throw new BadInput(`kucoin: not a snapshot: ${beginning(frame)}`);
}

/** Nothing read yet. */
function clear(update: MarketUpdate, kind: MarketUpdate['kind']): void {
  update.kind = kind;
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  update.bids.count = 0;
  update.asks.count = 0;
}

/** Whether we follow the instrument that is spelled in [start, end). */
function find(frame: Frame, sink: MarketSink, start: number, end: number): boolean {
  const instrument = sink.find(frame, start, end);
  if (instrument === -1) return false;
  sink.update.instrument = instrument;
  return true;
}

/** Whether the string read last starts with `text`. */
function startsWith(frame: Frame, text: Uint8Array): boolean {
  if (frame.textEnd - frame.textStart < text.length) return false;
  for (let at = 0; at < text.length; at += 1) if (frame.bytes[frame.textStart + at] !== text[at]) return false;
  return true;
}

const beginning = (frame: Frame): string => frame.text().slice(0, 120);

const spotListing = z.object({
  symbol: z.string().min(1),
  baseCurrency: z.string().min(1),
  quoteCurrency: z.string().min(1),
  baseMinSize: z.string(),
  baseIncrement: z.string(),
  priceIncrement: z.string(),
  minFunds: z.string().nullish(),
  feeCategory: z.int().positive().max(10).default(1),
  makerFeeCoefficient: z.string().default('1'),
  takerFeeCoefficient: z.string().default('1'),
  enableTrading: z.boolean(),
});
const spotAnswer = z.object({ code: z.literal('200000'), data: z.array(spotListing) });

function parseSpot(market: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(spotAnswer, body, 'kucoin symbols').data.flatMap((entry) => spotFrom(market, entry, fees)),
  );
}

/** Coins of class A pay the tier's fee, B twice and C three times that, times the symbol's coefficient. */
function spotFrom(market: string, entry: z.infer<typeof spotListing>, fees: Fees): readonly Instrument[] {
  const [tick, lot] = [decimalFrom(entry.priceIncrement), decimalFrom(entry.baseIncrement)];
  if (!tick.greaterThan(0) || !lot.greaterThan(0)) return [];
  const symbol = `${entry.baseCurrency}/${entry.quoteCurrency}`;
  return [
    {
      id: idOf(KUCOIN, symbol),
      venue: KUCOIN,
      market,
      symbol,
      venueSymbol: entry.symbol,
      kind: 'spot',
      base: asset(entry.baseCurrency),
      quote: asset(entry.quoteCurrency),
      settle: asset(entry.quoteCurrency),
      contractSize: amountOf(1),
      inverse: false,
      tick,
      lot,
      minQty: decimalFrom(entry.baseMinSize),
      minNotional: decimalFrom(entry.minFunds ?? '0'),
      fees: {
        maker: fees.maker.times(entry.feeCategory).times(decimalFrom(entry.makerFeeCoefficient)),
        taker: fees.taker.times(entry.feeCategory).times(decimalFrom(entry.takerFeeCoefficient)),
        currency: fees.currency,
      },
      status: entry.enableTrading ? 'trading' : 'halted',
    },
  ];
}

const contract = z.object({
  symbol: z.string().min(1),
  type: z.string(),
  baseCurrency: z.string().min(1),
  quoteCurrency: z.string().min(1),
  settleCurrency: z.string().min(1),
  expireDate: z.number().nullish(),
  lotSize: z.number().positive(),
  tickSize: z.number().positive(),
  multiplier: z.number(),
  isInverse: z.boolean(),
  status: z.string(),
});
const contractsAnswer = z.object({ code: z.literal('200000'), data: z.array(contract) });

function parseFutures(market: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(contractsAnswer, body, 'kucoin contracts').data.flatMap((entry) => contractFrom(market, entry, fees)),
  );
}

const PERPETUAL = 'FFWCSX';
const DATED = 'FFICSX';
const RENAMED: Readonly<Record<string, string>> = { XBT: 'BTC' };

/** An inverse contract's multiplier is −1: one unit of the quote currency. Empty for types that we do not know. */
function contractFrom(market: string, entry: z.infer<typeof contract>, fees: Fees): readonly Instrument[] {
  const expiry = entry.type === DATED ? expiryOf(entry.expireDate ?? undefined) : undefined;
  if ((entry.type !== PERPETUAL && expiry === undefined) || entry.multiplier === 0) return [];
  const [base, quote, settle] = [entry.baseCurrency, entry.quoteCurrency, entry.settleCurrency].map(
    (code) => RENAMED[code] ?? code,
  ) as [string, string, string];
  const symbol = `${base}/${quote}:${settle}${expiry === undefined ? '' : `-${expiry.day}`}`;
  return [
    {
      id: idOf(KUCOIN, symbol),
      venue: KUCOIN,
      market,
      symbol,
      venueSymbol: entry.symbol,
      kind: expiry === undefined ? 'perpetual' : 'future',
      base: asset(base),
      quote: asset(quote),
      settle: asset(settle),
      contractSize: amountOf(entry.multiplier).abs(),
      inverse: entry.isInverse,
      tick: amountOf(entry.tickSize),
      lot: amountOf(entry.lotSize),
      minQty: amountOf(entry.lotSize),
      minNotional: amountOf(0),
      fees,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      status: entry.status === 'Open' ? 'trading' : 'halted',
    },
  ];
}

/** Codes that say what happened, across the generations of the API. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  100001: 'not-found',
  100004: 'not-open',
  102421: 'insufficient-funds',
  102426: 'duplicate-id',
  102435: 'below-minimum',
  102436: 'not-open',
  112010: 'unauthorised',
  126002: 'not-allowed',
  126003: 'below-minimum',
  126004: 'not-allowed',
  126005: 'not-allowed',
  126006: 'not-allowed',
  126007: 'not-allowed',
  126009: 'not-allowed',
  126011: 'not-allowed',
  126013: 'insufficient-funds',
  126015: 'not-allowed',
  126022: 'price-out-of-band',
  126027: 'not-allowed',
  126028: 'not-allowed',
  126029: 'price-out-of-band',
  126030: 'price-out-of-band',
  126033: 'duplicate-id',
  126043: 'not-found',
  126044: 'duplicate-id',
  200004: 'insufficient-funds',
  210021: 'insufficient-funds',
  230003: 'insufficient-funds',
  260100: 'insufficient-funds',
  300000: 'invalid-order',
  300003: 'insufficient-funds',
  300009: 'reduce-only',
  300012: 'price-out-of-band',
  300018: 'duplicate-id',
  330005: 'not-allowed',
  330008: 'insufficient-funds',
  330012: 'not-allowed',
  400001: 'unauthorised',
  400002: 'clock-skew',
  400003: 'unauthorised',
  400004: 'unauthorised',
  400005: 'unauthorised',
  400006: 'unauthorised',
  400007: 'unauthorised',
  400100: 'invalid-order',
  400200: 'not-allowed',
  400303: 'not-allowed',
  400330: 'price-out-of-band',
  400350: 'not-allowed',
  400370: 'price-out-of-band',
  400400: 'invalid-order',
  400401: 'unauthorised',
  400500: 'not-allowed',
  400600: 'invalid-order',
  400760: 'price-out-of-band',
  401000: 'not-allowed',
  408000: 'in-doubt',
  411100: 'not-allowed',
  415000: 'invalid-order',
  429000: 'rate-limited',
  500000: 'in-doubt',
  600100: 'invalid-order',
  600101: 'below-minimum',
  900001: 'invalid-order',
  1015: 'rate-limited',
};

/** Some codes stand for anything that was wrong with the request: there the words say what. */
const WORDS: Readonly<Record<string, Meaning>> = {
  'account.available.amount': 'insufficient-funds',
  'Balance insufficient!': 'insufficient-funds',
  'Funds below the minimum requirement.': 'below-minimum',
  'Order size below the minimum requirement.': 'below-minimum',
  'The quantity is below the minimum requirement.': 'below-minimum',
  'order not exist': 'not-found',
  'order not exist.': 'not-found',
  'The order does not exist.': 'not-found',
  order_not_exist: 'not-found',
  'error.getOrder.orderNotExist': 'not-found',
  order_not_exist_or_not_allow_to_cancel: 'not-open',
  'Order not exist or not allow to be cancelled': 'not-open',
};

const meansOf = (code: string, words: string): Meaning =>
  Object.hasOwn(WORDS, words) ? WORDS[words]! : meaningOf(MEANINGS, code);

const SUCCESS_CODE = '200000';
const envelope = z.object({ code: z.string(), msg: z.string().nullish() });

function refusalOf(body: unknown, reply: Reply): Refusal | undefined {
  const { success, data } = envelope.safeParse(body);
  if (!success || data.code === SUCCESS_CODE) return undefined;
  const words = data.msg ?? '';
  const meaning = meansOf(data.code, words);
  // Whatever it says, a server that fails may have done what was asked.
  return refused(reply.status >= 500 ? 'in-doubt' : meaning, data.code, words);
}

const TRADE_TYPE: Readonly<Record<string, string>> = { spot: 'SPOT', futures: 'FUTURES' };
const SIZE_UNIT: Readonly<Record<string, string>> = { spot: 'BASECCY', futures: 'UNIT' };
const tradeTypeOf = (market: string): string => TRADE_TYPE[market]!;
const assetOf = (code: string): string => RENAMED[code] ?? code;

type Request<T> = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly weight: number;
  readonly read: Call<T>['read'];
};

/**
 * Time + method + path with its query + body, HMAC-SHA256, base64; the passphrase is signed too.
 * @see https://www.kucoin.com/docs-new/authentication
 */
function signed<T>({ method, path, body, weight, read }: Request<T>, { credentials, nowMs }: AccountContext): Call<T> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const time = String(Math.floor(nowMs));
  return {
    method,
    path,
    headers: {
      'KC-API-KEY': credentials.apiKey,
      'KC-API-SIGN': hmac('sha256', credentials.secret, `${time}${method}${path}${text}`, 'base64'),
      'KC-API-TIMESTAMP': time,
      'KC-API-PASSPHRASE': passphraseOf(credentials),
      'KC-API-KEY-VERSION': '2',
      'Content-Type': 'application/json',
    },
    ...(body === undefined ? {} : { body: text }),
    weight: { [UNIFIED]: weight },
    read,
  };
}

const passphraseOf = ({ secret, passphrase = '' }: AccountContext['credentials']): string =>
  hmac('sha256', secret, passphrase, 'base64');

const UNIFIED = 'unified';

/** An answer's `data`. */
function reader<T, V>(schema: z.ZodType<T>, valueOf: (data: T) => V): Call<V>['read'] {
  const answer = z.object({ data: schema });
  return (reply) => answerFrom(reply, answer, { refusalOf, valueOf: ({ data }) => valueOf(data) });
}
const done = reader(z.unknown().optional(), () => undefined);

/** As `reader`, for lists that come in pages; `next` asks for the one after, if there is one. */
function pageReader<T, V>(
  schema: z.ZodType<T>,
  valueOf: (data: T) => readonly V[],
  next: (data: T) => ((context: AccountContext) => Call<readonly V[]>) | undefined,
): Call<readonly V[]>['read'] {
  const answer = z.object({ data: schema });
  return (reply) => {
    let more: ((context: AccountContext) => Call<readonly V[]>) | undefined;
    const read = answerFrom(reply, answer, {
      refusalOf,
      valueOf: ({ data }) => {
        more = next(data);
        return valueOf(data);
      },
    });
    return read.kind === 'ok' && more !== undefined ? { ...read, more } : read;
  };
}

const sideText = z.string().transform((text, context): Side => {
  const side = text.toLowerCase();
  if (side === 'buy' || side === 'sell') return side;
  context.addIssue({ code: 'custom', message: `unknown side: ${text.slice(0, 40)}` });
  return z.NEVER;
});
/** Unix nanoseconds, as whole milliseconds. */
const nanosecondText = z
  .string()
  .nullish()
  .transform((text) => (text === undefined || text === null || text === '' ? NaN : Number(text.slice(0, -6))));
const textOrEmpty = z
  .string()
  .nullish()
  .transform((text) => text ?? '');

/** What one order is sent as, by REST and by socket. A unified account's margin mode and leverage are set for the symbol, never by an order. */
const orderFields = (order: OrderTicket): Readonly<Record<string, unknown>> => ({
  tradeType: tradeTypeOf(order.instrument.market),
  clientOid: order.clientOrderId,
  symbol: order.instrument.venueSymbol,
  side: order.side.toUpperCase(),
  orderType: order.type.toUpperCase(),
  sizeUnit: SIZE_UNIT[order.instrument.market]!,
  size: order.qty,
  ...(order.type === 'limit' ? { price: order.price, timeInForce: order.timeInForce } : {}),
  ...(order.postOnly ? { postOnly: true } : {}),
  ...(order.reduceOnly ? { reduceOnly: true } : {}),
});

function refuses({ instrument, type, timeInForce, postOnly, reduceOnly }: OrderTicket): string | undefined {
  if (instrument.kind === 'spot' && reduceOnly) return 'a spot order cannot only reduce';
  if (type === 'market' && timeInForce !== 'IOC') return `a market order here is IOC, not ${timeInForce}`;
  if (postOnly && (type === 'market' || timeInForce !== 'GTC')) return 'only a GTC limit order can be post-only';
  return undefined;
}

/** By our id, or by the venue's. */
const namedBy = ({ instrument, clientOrderId, venueOrderId }: OrderRef): Readonly<Record<string, string>> => ({
  ...(venueOrderId === undefined ? { clientOid: clientOrderId } : { orderId: venueOrderId }),
  symbol: instrument.venueSymbol,
  tradeType: tradeTypeOf(instrument.market),
});

const placedData = z.object({ orderId: z.string().min(1) });

/** 0 and 1 are of stop orders, 4 and 6 have filled in part. */
const STATUS_OF: Readonly<Record<string, OrderState['status']>> = {
  0: 'open',
  1: 'open',
  2: 'open',
  3: 'filled',
  4: 'open',
  5: 'canceled',
  6: 'canceled',
};
/** Who cancelled: somebody asked. Other reasons, and none, say nothing of an order that rests. */
const ASKED = 'USER';

function statusFrom(
  code: string,
  {
    timeInForce,
    postOnly,
    reason,
  }: { readonly timeInForce: string; readonly postOnly: boolean; readonly reason: string },
): OrderState['status'] {
  const status = STATUS_OF[code];
  if (status === undefined) throw new BadInput(`kucoin: unknown order status ${code.slice(0, 40)}`);
  if (status !== 'canceled') return status;
  if (timeInForce === 'IOC' || timeInForce === 'FOK') return 'expired';
  return postOnly && reason !== '' && reason !== '0' && reason !== ASKED ? 'expired' : 'canceled';
}

const orderData = z.object({
  orderId: z.string().min(1),
  clientOid: textOrEmpty,
  symbol: z.string().min(1),
  side: sideText,
  orderType: z.string(),
  price: decimalOrZero,
  size: decimalText,
  filledSize: decimalOrZero,
  timeInForce: textOrEmpty,
  postOnly: z.boolean().nullish(),
  cancelReason: textOrEmpty,
  updatedTime: nanosecondText,
  status: z.string(),
});

const orderFrom = (entry: z.infer<typeof orderData>): OrderState => ({
  venueSymbol: entry.symbol,
  clientOrderId: entry.clientOid,
  venueOrderId: entry.orderId,
  side: entry.side,
  status: statusFrom(entry.status, {
    // A market order's is said to be GTC; none ever rests.
    timeInForce: entry.orderType === 'MARKET' ? 'IOC' : entry.timeInForce,
    postOnly: entry.postOnly === true,
    reason: entry.cancelReason,
  }),
  ...(entry.price.isZero() ? {} : { price: entry.price }),
  qty: entry.size,
  filled: entry.filledSize,
  timeMs: entry.updatedTime,
});

const openData = z.object({ items: z.array(orderData), pageNumber: z.string(), totalPage: z.string() });
const fillData = z.object({
  symbol: z.string().min(1),
  orderId: z.string().min(1),
  clientOid: textOrEmpty,
  tradeId: z.string().min(1),
  side: sideText,
  price: decimalText,
  size: decimalText,
  fee: decimalOrZero,
  feeCurrency: textOrEmpty,
  liquidityRole: z.enum(['TAKER', 'MAKER']),
  executionTime: nanosecondText,
  tradeType: textOrEmpty,
});

/** `liquid` and `adl`, beside `trade` and `settlement`: what the venue has traded by itself. */
function forcedBy(type: string): Pick<VenueFill, 'forced'> {
  if (/^adl/i.test(type)) return { forced: 'adl' };
  return /^liquid/i.test(type) ? { forced: 'liquidation' } : {};
}
const fillsData = z.object({ lastId: z.string().nullish(), items: z.array(fillData) });

const fillFrom = (entry: z.infer<typeof fillData>): VenueFill => ({
  venueSymbol: entry.symbol,
  clientOrderId: entry.clientOid,
  venueOrderId: entry.orderId,
  tradeId: entry.tradeId,
  side: entry.side,
  price: entry.price,
  qty: entry.size,
  fee: entry.fee,
  feeAsset: assetOf(entry.feeCurrency),
  liquidity: entry.liquidityRole === 'TAKER' ? 'taker' : 'maker',
  timeMs: entry.executionTime,
  ...forcedBy(entry.tradeType),
});

/** Of a market's list: what was asked for. One symbol can be named; several come with all of the market. */
type Asked = { readonly tradeType: string; readonly symbol?: string; readonly symbols: ReadonlySet<string> };

const askedOf = (instruments: readonly Instrument[]): readonly Asked[] =>
  Object.entries(TRADE_TYPE).flatMap(([market, tradeType]) => {
    const symbols = instruments.filter((each) => each.market === market).map(({ venueSymbol }) => venueSymbol);
    if (symbols.length === 0) return [];
    return [
      { tradeType, ...(symbols.length === 1 ? { symbol: symbols[0]! } : {}), symbols: new Set(symbols) },
    ] satisfies readonly Asked[];
  });

const PAGE = 100;
const PAGES_MAX = 50;

function openPage(
  { tradeType, symbol, symbols }: Asked,
  page: number,
  context: AccountContext,
): Call<readonly OrderState[]> {
  const query = queryOf({ tradeType, symbol, pageNumber: page, pageSize: PAGE });
  return signed(
    {
      method: 'GET',
      path: `/api/ua/v1/unified/order/open-list?${query}`,
      weight: 4,
      read: pageReader(
        openData,
        ({ items }) => items.map(orderFrom).filter(({ venueSymbol }) => symbols.has(venueSymbol)),
        ({ totalPage }) =>
          page < Math.min(PAGES_MAX, Number(totalPage))
            ? (later) => openPage({ tradeType, ...(symbol === undefined ? {} : { symbol }), symbols }, page + 1, later)
            : undefined,
      ),
    },
    context,
  );
}

/** Newest first; the next page is what came before `lastId`. */
function fillsPage(
  asked: Asked & { readonly startAt: number },
  lastId: string | undefined,
  context: AccountContext,
): Call<readonly VenueFill[]> {
  const { tradeType, symbol, symbols, startAt } = asked;
  const query = queryOf({ tradeType, symbol, startAt, lastId, pageSize: PAGE });
  return signed(
    {
      method: 'GET',
      path: `/api/ua/v1/unified/order/execution?${query}`,
      weight: 4,
      read: pageReader(
        fillsData,
        ({ items }) => items.map(fillFrom).filter(({ venueSymbol }) => symbols.has(venueSymbol)),
        ({ items, lastId: last }) =>
          items.length === PAGE && typeof last === 'string' && last !== lastId
            ? (later) => fillsPage(asked, last, later)
            : undefined,
      ),
    },
    context,
  );
}

const balanceData = z.object({
  accounts: z.array(
    z.object({
      currencies: z.array(z.object({ currency: z.string().min(1), balance: decimalText, available: decimalText })),
    }),
  ),
});
const positionData = z.object({
  symbol: z.string().min(1),
  size: decimalText,
  entryPrice: decimalOrZero,
  markPrice: decimalOrZero,
  leverage: decimalOrZero,
});
const feeData = z.object({
  list: z.array(z.object({ symbol: z.string().min(1), takerFeeRate: decimalText, makerFeeRate: decimalText })),
});
const keyData = z.object({ permission: z.string() });
const timeData = z.string().transform(Number);
const tokenData = z.object({ token: z.string().min(1) });

const rest: AccountRest = {
  place: (order, context) =>
    signed(
      {
        method: 'POST',
        path: '/api/ua/v1/unified/order/place',
        body: orderFields(order),
        weight: 1,
        read: reader(placedData, ({ orderId }): Placed => ({ venueOrderId: orderId })),
      },
      context,
    ),
  cancel: (order, context) =>
    signed(
      { method: 'POST', path: '/api/ua/v1/unified/order/cancel', body: namedBy(order), weight: 1, read: done },
      context,
    ),
  cancelAll: (instruments, context) =>
    instruments.map(({ venueSymbol, market }) =>
      signed(
        {
          method: 'POST',
          path: '/api/ua/v1/unified/order/cancel-all',
          body: { symbol: venueSymbol, tradeType: tradeTypeOf(market), orderFilter: 'NORMAL' },
          weight: 20,
          read: done,
        },
        context,
      ),
    ),
  query: (order, context) =>
    signed(
      {
        method: 'GET',
        path: `/api/ua/v1/unified/order/detail?${queryOf(namedBy(order))}`,
        weight: 4,
        read: reader(orderData, orderFrom),
      },
      context,
    ),
  openOrders: (instruments, context) => askedOf(instruments).map((asked) => openPage(asked, 1, context)),
  fillsSince: (instruments, sinceMs, context) =>
    askedOf(instruments).map((asked) => fillsPage({ ...asked, startAt: Math.floor(sinceMs) }, undefined, context)),
  balances: (context) =>
    signed(
      {
        method: 'GET',
        path: '/api/ua/v1/unified/account/balance',
        weight: 5,
        read: reader(balanceData, ({ accounts }) =>
          accounts.flatMap(({ currencies }) =>
            currencies.map(({ currency, balance, available }): BalanceState => ({
              asset: assetOf(currency),
              total: balance,
              available,
            })),
          ),
        ),
      },
      context,
    ),
  positions: (context) =>
    signed(
      {
        method: 'GET',
        path: '/api/ua/v1/unified/position/open-list?limit=200',
        weight: 3,
        read: reader(z.array(positionData), (list) =>
          list.map(({ symbol, size, entryPrice, markPrice, leverage }): PositionState => ({
            venueSymbol: symbol,
            qty: size,
            entryPrice,
            markPrice,
            leverage,
          })),
        ),
      },
      context,
    ),
  fees: (instruments, context) =>
    Object.keys(TRADE_TYPE).flatMap((market) =>
      batchesOf(
        instruments.filter((each) => each.market === market).map(({ venueSymbol }) => venueSymbol),
        FEE_SYMBOLS_MAX,
      ).map((symbols) => feesOf(market, symbols, context)),
    ),
  permissions: (context) =>
    signed(
      {
        method: 'GET',
        path: '/api/ua/v1/user/api-key',
        weight: 3,
        read: reader(keyData, ({ permission }): KeyPermissions => {
          const granted = new Set(permission.split(',').map((name) => name.trim()));
          return {
            trade: granted.has('Unified') || granted.has('Trade'),
            withdraw: WITHDRAWALS.some((name) => granted.has(name)),
          };
        }),
      },
      context,
    ),
  time: {
    method: 'GET',
    path: '/api/v1/timestamp',
    headers: {},
    weight: { public: 3 },
    read: reader(timeData, (ms) => ms),
  },
};

/** An older key's `Transfer` moves funds out of the account too. */
const WITHDRAWALS = ['Withdrawal', 'Withdraw', 'Transfer'] as const;
const FEE_SYMBOLS_MAX = 10;

const feesOf = (market: string, symbols: readonly string[], context: AccountContext): Call<readonly FeeState[]> =>
  signed(
    {
      method: 'GET',
      path: `/api/ua/v1/user/fee-rate?tradeType=${tradeTypeOf(market)}&symbol=${symbols.join(',')}`,
      weight: 3,
      read: reader(feeData, ({ list }) =>
        list.map(({ symbol, makerFeeRate, takerFeeRate }): FeeState => ({
          venueSymbol: symbol,
          market,
          maker: makerFeeRate,
          taker: takerFeeRate,
        })),
      ),
    },
    context,
  );

/** All of the product, as no symbol is named: there is one countdown, and what the last request leaves out is not covered any more. */
const deadMan: DeadMan = {
  kind: 'timer',
  minMs: 5_000,
  maxMs: 86_400_000,
  arm: (timeoutMs, instruments, context) =>
    askedOf(instruments).map(({ tradeType }) =>
      signed(
        {
          method: 'POST',
          path: '/api/ua/v1/dcp/set',
          body: { tradeType, timeout: timeoutMs === 0 ? -1 : Math.ceil(timeoutMs / 1_000) },
          weight: 2,
          read: done,
        },
        context,
      ),
    ),
};

const pushedOrder = z
  .object({
    oi: z.string().min(1),
    ci: textOrEmpty,
    s: z.string().min(1),
    S: sideText,
    p: decimalOrZero,
    q: decimalText,
    fS: decimalOrZero,
    os: z.string(),
    oT: textOrEmpty,
    tIF: textOrEmpty,
    pO: z.boolean().nullish(),
    cR: textOrEmpty,
    U: nanosecondText,
  })
  .transform(({ oi, ci, s, S, p, q, fS, os, oT, tIF, pO, cR, U }): OrderState => ({
    venueSymbol: s,
    clientOrderId: ci,
    venueOrderId: oi,
    side: S,
    status: statusFrom(os, { timeInForce: oT === 'MARKET' ? 'IOC' : tIF, postOnly: pO === true, reason: cR }),
    ...(p.isZero() ? {} : { price: p }),
    qty: q,
    filled: fS,
    timeMs: U,
  }));
/** `execution`, not `execution.lite`, which leaves the fee out. `lR` is the side of ours: TAKER took. */
const pushedFill = z
  .object({
    oi: z.string().min(1),
    ci: textOrEmpty,
    ti: z.string().min(1),
    s: z.string().min(1),
    S: sideText,
    p: decimalText,
    q: decimalText,
    f: decimalOrZero,
    fC: textOrEmpty,
    lR: z.enum(['TAKER', 'MAKER']),
    E: nanosecondText,
  })
  .transform(({ oi, ci, ti, s, S, p, q, f, fC, lR, E }): VenueFill => ({
    venueSymbol: s,
    clientOrderId: ci,
    venueOrderId: oi,
    tradeId: ti,
    side: S,
    price: p,
    qty: q,
    fee: f,
    feeAsset: assetOf(fC),
    liquidity: lR === 'TAKER' ? 'taker' : 'maker',
    timeMs: E,
  }));
const pushedBalance = z
  .object({ c: z.string().min(1), b: decimalText, a: decimalText })
  .transform(({ c, b, a }): BalanceState => ({ asset: assetOf(c), total: b, available: a }));
const pushedPosition = z
  .object({
    s: z.string().min(1),
    q: decimalText,
    eP: decimalOrZero,
    mP: decimalOrZero,
    lP: decimalOrZero,
    l: decimalOrZero,
  })
  .transform(({ s, q, eP, mP, lP, l }): PositionState => ({
    venueSymbol: s,
    qty: q,
    entryPrice: eP,
    markPrice: mP,
    liquidationPrice: lP,
    leverage: l,
  }));

const pushed = z.object({
  T: z.string().optional(),
  d: z.unknown().optional(),
  id: z.string().optional(),
  type: z.string().optional(),
  result: z.unknown().optional(),
  code: z.string().optional(),
  msg: z.string().nullish(),
  reason: z.string().nullish(),
});

/** By the beginning of a topic: what follows its point is the account type. */
const EVENT_OF: Readonly<Record<string, (body: unknown) => AccountEvent>> = {
  orderAll: (d) => ({ kind: 'order', order: checked(pushedOrder, d, 'kucoin order') }),
  execution: (d) => ({ kind: 'fill', fill: checked(pushedFill, d, 'kucoin fill') }),
  balance: (d) => ({ kind: 'balance', balance: checked(pushedBalance, d, 'kucoin balance') }),
  positionAll: (d) => ({ kind: 'position', position: checked(pushedPosition, d, 'kucoin position') }),
};

function decodeEvents(frame: Uint8Array): readonly AccountEvent[] {
  const text = frameText(frame);
  const { T: topic = '', d, type, result, code, msg, reason } = checked(pushed, jsonOf(text), 'kucoin private frame');
  const [channel = ''] = topic.split('.');
  if (Object.hasOwn(EVENT_OF, channel)) return [EVENT_OF[channel]!(d)];
  if (type === 'pong') return [{ kind: 'pong' }];
  if (result !== false && type !== 'error' && (code === undefined || code === SUCCESS_CODE)) return [];
  const words = msg ?? reason ?? text;
  // A subscription that is refused without a code was wrong.
  const meaning = code === undefined ? 'invalid-order' : meansOf(code, words);
  return [{ kind: 'error', refusal: refused(meaning, code ?? '', words) }];
}

/** Orders, fills, balances and positions of both markets. One channel a subscription. */
const events: AccountSocket = {
  id: 'events',
  carries: ['events'],
  wsUrl: 'wss://wsapi-push.kucoin.com',
  pass: {
    // A token lasts a day; the next socket asks for its own.
    ask: (context) =>
      signed(
        {
          method: 'POST',
          path: '/api/v2/bullet-private',
          weight: 10,
          read: reader(tokenData, ({ token }) => token),
        },
        context,
      ),
  },
  path: (_, token) => `?${queryOf({ token })}`,
  login: () => [],
  subscribe: () =>
    [
      { channel: 'orderAll', tradeType: 'UNIFIED' },
      { channel: 'execution', tradeType: 'UNIFIED' },
      { channel: 'balance', accountType: 'UNIFIED' },
      { channel: 'positionAll', tradeType: 'UNIFIED' },
    ].map((channel, at) => JSON.stringify({ id: `s${at}`, action: 'SUBSCRIBE', ...channel })),
  heartbeat: {
    kind: 'client-text',
    text: (nowMs) => JSON.stringify({ id: String(nowMs), type: 'ping' }),
    everyMs: 18_000,
  },
  idleMs: 40_000,
  decode: decodeEvents,
};

const orderAnswer = z.object({
  id: z.string().optional(),
  op: z.string().optional(),
  code: z.string().optional(),
  msg: z.string().nullish(),
  data: z.union([z.string(), z.object({ orderId: z.string().optional() })]).nullish(),
  sessionId: z.string().optional(),
});

function decodeOrders(frame: Uint8Array): readonly AccountEvent[] {
  const text = frameText(frame);
  const { id, op, code, msg, data, sessionId } = checked(orderAnswer, jsonOf(text), 'kucoin order frame');
  if (data === 'welcome') return [{ kind: 'ready' }];
  if (op === 'pong') return [{ kind: 'pong' }];
  if (code === undefined) return sessionId === undefined ? [] : [{ kind: 'challenge', text }];
  const refusal = code === SUCCESS_CODE ? undefined : refused(meansOf(code, msg ?? ''), code, msg ?? '');
  if (id === undefined || op === undefined || op === 'ping')
    return refusal === undefined ? [] : [{ kind: 'error', refusal }];
  const to = op.endsWith('cancel') ? 'cancel' : 'place';
  return [{ kind: 'answer', request: id, to, answer: refusal ?? placedFrom(to, data) }];
}

/** A cancel by our id is answered with our id alone. */
function placedFrom(to: 'place' | 'cancel', data: z.infer<typeof orderAnswer>['data']): Answer<Placed> {
  const venueOrderId = typeof data === 'object' ? data?.orderId : undefined;
  if (to === 'place' && venueOrderId === undefined) return refused('in-doubt', SUCCESS_CODE, 'no order id');
  return ok({ venueOrderId: venueOrderId ?? '' });
}

/**
 * Requests go out on a socket of their own, whose session is proven: the server's first frame comes back signed.
 * @see https://www.kucoin.com/docs-new/websocket-api/base-info/introduction-uta
 */
const orders: AccountSocket = {
  id: 'orders',
  carries: ['orders'],
  wsUrl: 'wss://wsapi.kucoin.com',
  path: ({ credentials, nowMs }) => {
    const timestamp = Math.floor(nowMs);
    return `/v1/private?${queryOf({
      apikey: credentials.apiKey,
      sign: hmac('sha256', credentials.secret, `${credentials.apiKey}${timestamp}`, 'base64'),
      passphrase: passphraseOf(credentials),
      timestamp,
    })}`;
  },
  login: () => [],
  prove: (challenge, { credentials }) => [hmac('sha256', credentials.secret, challenge, 'base64')],
  subscribe: () => [],
  orders: {
    weight: { [UNIFIED]: 1 },
    place: (order, _, id) => JSON.stringify({ id, op: 'uta.order', args: orderFields(order) }),
    cancel: (order, _, id) => JSON.stringify({ id, op: 'uta.cancel', args: namedBy(order) }),
  },
  heartbeat: {
    kind: 'client-text',
    text: (nowMs) => JSON.stringify({ id: `p${nowMs}`, op: 'ping', timestamp: nowMs }),
    everyMs: 18_000,
  },
  idleMs: 40_000,
  decode: decodeOrders,
};

/** The unified trading account: spot and futures under one key, one balance, one pair of sockets. */
const unifiedAccount: Account = {
  id: UNIFIED,
  markets: ['spot', 'futures'],
  restUrl: 'https://api.kucoin.com',
  // Up to 40 of letters, digits, `_` and `-`: ours are.
  clientOrderId: (id) => id,
  refuses,
  limits: {
    buckets: {
      // The lowest tier's.
      [UNIFIED]: { units: 200, windowMs: 3_000 },
      public: { units: 2_000, windowMs: 30_000 },
    },
    used: ({ 'gw-ratelimit-limit': limit, 'gw-ratelimit-remaining': remaining }) =>
      Number(limit) > 0 && Number(remaining) >= 0 ? { [UNIFIED]: Number(limit) - Number(remaining) } : NOTHING_USED,
  },
  rest,
  sockets: [events, orders],
  deadMan,
};
const NOTHING_USED = {};

/** @see https://www.kucoin.com/docs-new */
export const kucoin: Venue = {
  id: KUCOIN,
  markets: [unified('spot', 'SPOT', spotProduct), unified('futures', 'FUTURES', futuresProduct)],
  recorded: [spotClassic, futuresClassic],
  accounts: [unifiedAccount],
};
