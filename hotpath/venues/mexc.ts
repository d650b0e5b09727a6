import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, fundingFrom, idOf, keyCode, roomFor, venueId } from './venue.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountSocket,
  Answer,
  BalanceState,
  Call,
  FeeState,
  KeyPermissions,
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
  andThen,
  answerFrom,
  checked,
  codesOf,
  decimalOrZero,
  decimalOrZeroOf,
  decimalText,
  frameText,
  hmac,
  jsonOf,
  meaningOf,
  ok,
  queryOf,
  refused,
  signedNumber,
  sortedQueryOf,
  timeText,
} from './venue-tools.ts';

const MEXC = venueId('mexc');
const REST_URL = 'https://api.mexc.com';
const SPOT_WS_URL = 'wss://wbs-api.mexc.com/ws';
const FUTURES_WS_URL = 'wss://contract.mexc.com/edge';

const SPOT_CHANNEL = 'spot@public.aggre.depth.v3.api.pb@10ms@';
const SPOT_TRADES = 'spot@public.aggre.deals.v3.api.pb@10ms@';

const spot: Market = {
  id: 'spot',
  wsUrl: SPOT_WS_URL,
  restUrl: REST_URL,
  defaultFees: { maker: amountOf('0'), taker: amountOf('0.0005'), currency: 'quote' },
  instruments: { paths: ['/api/v3/exchangeInfo'], parse: parseSpot },
  subscribe: (symbols, request) => spotRequest('SUBSCRIPTION', SPOT_CHANNEL, symbols, request),
  unsubscribe: (symbols, request) => spotRequest('UNSUBSCRIPTION', SPOT_CHANNEL, symbols, request),
  limits: { symbolsPerSocket: 30, messagesPerSecond: 5 },
  heartbeat: { kind: 'client-text', text: '{"method":"PING"}', everyMs: 15_000 },
  idleMs: 40_000,
  firstBookWithinMs: 10_000,
  book: {
    snapshot: {
      from: 'rest',
      path: (symbol) => `/api/v3/depth?symbol=${symbol}&limit=1000`,
      decode: (frame, sink, instrument) => {
        decodeSnapshot(frame, sink, instrument);
      },
    },
    follows,
    depth: Infinity,
  },
  streams: {
    kinds: ['trades'],
    symbolsPerSocket: 30,
    subscribe: (kinds, symbols, request) =>
      kinds.includes('trades') ? spotRequest('SUBSCRIPTION', SPOT_TRADES, symbols, request) : [],
  },
  decode: decodeSpot,
};

const FUTURES_STREAMS = {
  trades: ['sub.deal'],
  reference: ['sub.fair.price', 'sub.index.price', 'sub.funding.rate'],
} as const;

const futures: Market = {
  id: 'futures',
  wsUrl: FUTURES_WS_URL,
  restUrl: REST_URL,
  defaultFees: { maker: amountOf('0.0006'), taker: amountOf('0.0008'), currency: 'settle' },
  instruments: { paths: ['/api/v1/contract/detail', '/api/v1/contract/funding_rate'], parse: parseFutures },
  // A step a message: merged ones would wait 200 ms.
  subscribe: (symbols) => futuresRequests('sub.depth', symbols, { compress: false }),
  unsubscribe: (symbols) => futuresRequests('unsub.depth', symbols, {}),
  limits: { symbolsPerSocket: 20, messagesPerSecond: 10 },
  // Silence from us closes the socket after a minute, whatever it sends.
  heartbeat: { kind: 'client-text', text: '{"method":"ping"}', everyMs: 15_000 },
  idleMs: 40_000,
  firstBookWithinMs: 10_000,
  book: {
    snapshot: {
      from: 'rest',
      path: (symbol) => `/api/v1/contract/depth/${symbol}?limit=1000`,
      decode: (frame, sink, instrument) => {
        decodeFuturesSnapshot(frame, sink, instrument);
      },
    },
    follows,
    depth: Infinity,
  },
  streams: {
    kinds: ['trades', 'reference'],
    symbolsPerSocket: 20,
    subscribe: (kinds, symbols) =>
      kinds.flatMap((kind) => FUTURES_STREAMS[kind].flatMap((method) => futuresRequests(method, symbols, {}))),
  },
  decode: decodeFutures,
};

/** @see https://www.mexc.com/api-docs */
export const mexc: Venue = { id: MEXC, markets: [spot, futures], accounts: [spotAccount(), futuresAccount()] };

function spotRequest(method: string, channel: string, symbols: readonly string[], request: number): readonly string[] {
  return [JSON.stringify({ method, params: symbols.map((symbol) => channel + symbol), id: request })];
}

function futuresRequests(method: string, symbols: readonly string[], options: object): readonly string[] {
  return symbols.map((symbol) => JSON.stringify({ method, param: { symbol, ...options } }));
}

/**
 * Spot, by the numbers of its documentation; futures say the same of `begin` and `end`, or of `version` alone.
 * 4. a snapshot older than the first push is asked for again;
 * 5. what ends at or before the snapshot (later: the book) is dropped;
 * 6. the first push after it must not begin above the snapshot + 1;
 * 7. afterwards each fromVersion must be the previous toVersion + 1.
 * @see https://www.mexc.com/api-docs/spot-v3/websocket-market-streams/how-to-properly-maintain-a-local-copy-of-the-order-book
 * @see https://www.mexc.com/api-docs/futures/websocket-api/incremental-order-book-maintenance-mechanism
 */
function follows(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  if (opening) return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
  return firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

/** Protobuf's wire types; the others are retired. @see https://protobuf.dev/programming-guides/encoding/ */
const VARINT = 0;
const FIXED64 = 1;
const TEXT = 2;
const FIXED32 = 5;

/** A frame, or anything else whose bytes end somewhere. */
type Bytes = { readonly bytes: Uint8Array; readonly end: number };

/** Walks the fields of one protobuf message in place: after {@link next}, the value of field `field` is in [start, end). */
class Fields {
  field = 0;
  type = VARINT;
  start = 0;
  end = 0;
  #frame: Bytes | undefined;
  #limit = 0;

  open(frame: Bytes, start: number, end: number): this {
    this.#frame = frame;
    this.end = start;
    this.#limit = end;
    return this;
  }

  /** False behind the last field. @throws BadInput when the field does not lie within the message. */
  next(): boolean {
    if (this.end === this.#limit) return false;
    this.start = this.end;
    const tag = this.#small();
    this.field = tag >>> 3;
    this.type = tag & 7;
    if (this.field === 0) this.#refuse('field 0');
    let length = 0;
    if (this.type === VARINT) length = this.#varintLength();
    else if (this.type === FIXED64) length = 8;
    else if (this.type === FIXED32) length = 4;
    else if (this.type === TEXT) length = this.#small();
    else this.#refuse(`wire type ${this.type}`);
    if (length > this.#limit - this.start) this.#refuse('a field without an end');
    this.end = this.start + length;
    return true;
  }

  /** A tag or a length: a varint below 2^28, which a frame's size never reaches. */
  #small(): number {
    const { bytes } = this.#frame!;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.start === this.#limit) this.#refuse('a field without an end');
      const byte = bytes[this.start]!;
      this.start += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return this.#refuse('a tag or length that is too long');
  }

  #varintLength(): number {
    const { bytes } = this.#frame!;
    for (let at = this.start; at < this.#limit && at < this.start + 10; at += 1) {
      if (bytes[at]! < 0x80) return at + 1 - this.start;
    }
    return this.#refuse('a varint without an end');
  }

  #refuse(trouble: string): never {
    throw new BadInput(`mexc: ${trouble} at byte ${this.start} of ${this.#frame!.end}`);
  }
}

const wrapper = new Fields();
const depth = new Fields();
const item = new Fields();

/** Fields of PushDataV3ApiWrapper. @see https://github.com/mexcdevelop/websocket-proto */
const CHANNEL = 1;
const SYMBOL = 3;
const SEND_TIME = 6;
const AGGRE_DEPTHS = 313;
const AGGRE_DEALS = 314;
/** Of PublicAggreDepthsV3Api. */
const ASKS = 1;
const BIDS = 2;
const FROM_VERSION = 4;
const TO_VERSION = 5;
/** Of PublicAggreDepthV3ApiItem. */
const PRICE = 1;
const QUANTITY = 2;

/** Of PublicAggreDealsV3Api, and of its items, which begin as those of depths. */
const DEALS = 1;
const TRADE_TYPE = 3;
const TRADE_TIME = 4;

const DEPTH_CHANNEL = bytesOf('spot@public.aggre.depth.v3.api.pb');
const DEALS_CHANNEL = bytesOf('spot@public.aggre.deals.v3.api.pb');
const OPEN_BRACE = 0x7b;

/** Books and trades come as protobuf, acks and pongs as JSON. */
function decodeSpot(frame: Frame, sink: MarketSink): void {
  if (frame.bytes[frame.start] === OPEN_BRACE) {
    decodeSpotControl(frame, sink);
    return;
  }
  const { update } = sink;
  let instrument: InstrumentIndex | -1 | undefined;
  /** The field in which the channel's message stands; 0 for a channel that is none of ours. */
  let expected = 0;
  let body = 0;
  let bodyStart = -1;
  let bodyEnd = -1;
  clear(update, DELTA);
  wrapper.open(frame, frame.start, frame.end);
  while (wrapper.next()) {
    const { field, type, start, end } = wrapper;
    if (field === CHANNEL && type === TEXT) expected = bodyOfChannel(frame, start, end);
    else if (field === SYMBOL && type === TEXT) instrument = sink.find(frame, start, end);
    else if (field === SEND_TIME && type === VARINT) update.venueTimeMs = milliseconds(frame, start, end);
    else if ((field === AGGRE_DEPTHS || field === AGGRE_DEALS) && type === TEXT) {
      if (bodyStart >= 0) throw new BadInput('mexc: two messages in a frame');
      body = field;
      bodyStart = start;
      bodyEnd = end;
    }
  }
  if (expected === 0 && bodyStart < 0) return;
  if (instrument === undefined || bodyStart < 0 || expected !== body)
    throw new BadInput('mexc: a frame without its fields');
  if (body === AGGRE_DEPTHS) readDepths(frame, update, bodyStart, bodyEnd);
  else readDeals(frame, sink, { start: bodyStart, end: bodyEnd }, instrument);
  if (instrument === -1 || body !== AGGRE_DEPTHS) return;
  update.instrument = instrument;
  sink.publish();
}

const version = new Float64Array(1);

function readDepths(frame: Frame, update: MarketUpdate, from: number, to: number): void {
  depth.open(frame, from, to);
  while (depth.next()) {
    const { field, type, start, end } = depth;
    if (type !== TEXT) continue;
    if (field === ASKS) readItem(frame, update.asks, start, end);
    else if (field === BIDS) readItem(frame, update.bids, start, end);
    else if (field === FROM_VERSION || field === TO_VERSION) {
      frame.decimalAt(start, end, version, 0);
      if (!Number.isSafeInteger(version[0])) throw new BadInput('mexc: a version that is not an exact integer');
      if (field === FROM_VERSION) update.firstSequence = version[0]!;
      else update.lastSequence = version[0]!;
    }
  }
  if (!(update.firstSequence <= update.lastSequence)) throw new BadInput('mexc: versions are missing or reversed');
}

/** Price and quantity, as text; a quantity of 0 removes. */
function readItem(frame: Frame, into: LevelBuffer, from: number, to: number): void {
  const index = roomFor(into);
  into.prices[index] = NaN;
  into.qtys[index] = NaN;
  item.open(frame, from, to);
  while (item.next()) {
    const { field, type, start, end } = item;
    if (type !== TEXT) continue;
    if (field === PRICE) {
      frame.decimalAt(start, end, into.prices, index);
      if (frame.decimals > into.priceDecimals) into.priceDecimals = frame.decimals;
    } else if (field === QUANTITY) {
      frame.decimalAt(start, end, into.qtys, index);
      if (frame.decimals > into.qtyDecimals) into.qtyDecimals = frame.decimals;
    }
  }
  frame.takeLevel(into, index);
}

/** `{1 deals[{1 price, 2 quantity, 3 trade type, 4 time}]}`: the type is the taker's, 1 buys and 2 sells. */
function readDeals(frame: Frame, sink: MarketSink, body: Bounds, instrument: InstrumentIndex | -1): void {
  depth.open(frame, body.start, body.end);
  while (depth.next()) {
    if (depth.field === DEALS && depth.type === TEXT) readDeal(frame, sink, depth, instrument);
  }
}

type Bounds = { readonly start: number; readonly end: number };
const deal = new Float64Array(2);

function readDeal(
  frame: Frame,
  sink: MarketSink,
  { start: from, end: to }: Bounds,
  instrument: InstrumentIndex | -1,
): void {
  const { print } = sink;
  let tradeType = 0;
  deal.fill(NaN);
  print.venueTimeMs = sink.update.venueTimeMs;
  item.open(frame, from, to);
  while (item.next()) {
    const { field, type, start, end } = item;
    if (field === PRICE && type === TEXT) frame.decimalAt(start, end, deal, 0);
    else if (field === QUANTITY && type === TEXT) frame.decimalAt(start, end, deal, 1);
    else if (field === TRADE_TYPE && type === VARINT) tradeType = frame.bytes[start]!;
    else if (field === TRADE_TIME && type === VARINT) print.venueTimeMs = milliseconds(frame, start, end);
  }
  if (!(deal[0]! > 0) || !(deal[1]! >= 0) || (tradeType !== BOUGHT && tradeType !== SOLD))
    throw new BadInput('mexc: not a trade');
  if (instrument === -1) return;
  print.instrument = instrument;
  print.price = deal[0]!;
  print.qty = deal[1]!;
  print.taker = tradeType === BOUGHT ? 1 : -1;
  sink.publishPrint();
}

const BOUGHT = 1;
const SOLD = 2;

/** A varint of Unix milliseconds: six bytes today, and eight could leave the exact integers. */
function milliseconds({ bytes }: Bytes, start: number, end: number): number {
  if (end - start > 7) throw new BadInput('mexc: a time beyond all days');
  let value = 0;
  for (let at = end - 1; at >= start; at -= 1) value = value * 128 + (bytes[at]! & 0x7f);
  return value;
}

function bodyOfChannel(frame: Frame, start: number, end: number): 0 | typeof AGGRE_DEPTHS | typeof AGGRE_DEALS {
  if (startsWith(frame, start, end, DEPTH_CHANNEL)) return AGGRE_DEPTHS;
  return startsWith(frame, start, end, DEALS_CHANNEL) ? AGGRE_DEALS : 0;
}

function startsWith({ bytes }: Frame, start: number, end: number, text: Uint8Array): boolean {
  if (end - start < text.length) return false;
  for (let at = 0; at < text.length; at += 1) if (bytes[start + at] !== text[at]) return false;
  return true;
}

const KEY = {
  code: keyCode('code'),
  message: keyCode('msg'),
  channel: keyCode('channel'),
  symbol: keyCode('symbol'),
  data: keyCode('data'),
  time: keyCode('ts'),
  bids: keyCode('bids'),
  asks: keyCode('asks'),
  version: keyCode('version'),
  begin: keyCode('begin'),
  end: keyCode('end'),
  lastUpdateId: keyCode('lastUpdateId'),
  p: keyCode('p'),
  v: keyCode('v'),
  taker: keyCode('T'),
  t: keyCode('t'),
  price: keyCode('price'),
  rate: keyCode('rate'),
  fundingRate: keyCode('fundingRate'),
  nextSettleTime: keyCode('nextSettleTime'),
  fairPrice: keyCode('fairPrice'),
  indexPrice: keyCode('indexPrice'),
} as const;
const PONG_UPPER = bytesOf('PONG');
const PUSH_DEPTH = bytesOf('push.depth');
const PUSH_DEAL = bytesOf('push.deal');
const PUSH_FAIR = bytesOf('push.fair.price');
const PUSH_INDEX = bytesOf('push.index.price');
const PUSH_FUNDING = bytesOf('push.funding.rate');
const PUSH_TICKER = bytesOf('push.ticker');
const PONG = bytesOf('pong');
const RS_ERROR = bytesOf('rs.error');
const LETTER_R = 0x72;
const QUOTE_MARK = 0x22;

/** `{"id":0,"code":0,"msg":"spot@…"|"PONG"|"Not Subscribed successfully! …"}`. */
function decodeSpotControl(frame: Frame, sink: MarketSink): void {
  let kind: 'ack' | 'pong' | 'error' | undefined;
  let isRefused = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.code) {
      frame.integer();
      isRefused ||= frame.value !== 0;
      kind ??= 'ack';
    } else if (key === KEY.message && frame.peek() === QUOTE_MARK) {
      frame.string();
      if (frame.textIs(PONG_UPPER)) kind = 'pong';
      // A refusal of one of several symbols comes with code 0.
      isRefused ||= frame.text(frame.textStart, frame.textEnd).startsWith('Not ');
    } else frame.skip();
  }
  if (kind !== undefined) sink.control(isRefused ? 'error' : kind, frame.text());
}

/** `{"lastUpdateId":…,"bids":[…],"asks":[…]}`; an error body has none of these. */
function decodeSnapshot(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  clear(sink.update, SNAPSHOT);
  sink.update.instrument = instrument;
  readBook(frame, sink.update);
  frame.finish();
  sink.publish();
}

/** `{"success":true,"code":0,"data":{"asks":[[price,contracts,orders]],"bids":[],"version":…}}`. */
function decodeFuturesSnapshot(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  let isRead = false;
  clear(sink.update, SNAPSHOT);
  sink.update.instrument = instrument;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.data && frame.peek() === OPEN_BRACE) {
      readBook(frame, sink.update);
      isRead = true;
    } else frame.skip();
  }
  frame.finish();
  if (!isRead) throw new BadInput(`mexc: not a snapshot: ${frame.text().slice(0, 120)}`);
  sink.publish();
}

/** What a push of the futures socket is to us. */
const OTHER = 0;
const DEPTH = 1;
const DEAL = 2;
const FAIR = 3;
const INDEX = 4;
/** Funding, and tickers, which say all of the reference at once. */
const FACTS = 5;
type Push = typeof OTHER | typeof DEPTH | typeof DEAL | typeof FAIR | typeof INDEX | typeof FACTS;

function pushOf(frame: Frame): Push {
  if (frame.textIs(PUSH_DEPTH)) return DEPTH;
  if (frame.textIs(PUSH_DEAL)) return DEAL;
  if (frame.textIs(PUSH_FAIR)) return FAIR;
  if (frame.textIs(PUSH_INDEX)) return INDEX;
  return frame.textIs(PUSH_FUNDING) || frame.textIs(PUSH_TICKER) ? FACTS : OTHER;
}

/** `{"symbol":…,"channel":"push.depth","data":{…},"ts":…}`, in varying order. */
function decodeFutures(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  let push: Push = OTHER;
  let isRead = false;
  let dataStart = -1;
  let instrument: InstrumentIndex | -1 | undefined;
  clear(update, DELTA);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      frame.string();
      push = pushOf(frame);
      if (push !== OTHER) continue;
      futuresControl(frame, sink);
      return;
    } else if (key === KEY.symbol) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
    } else if (key === KEY.data && push === DEPTH) {
      readBook(frame, update);
      isRead = true;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else {
      if (key === KEY.data) dataStart = frame.at;
      frame.skip();
    }
  }
  if (push === OTHER) return;
  frame.finish();
  if ((!isRead && dataStart < 0) || instrument === undefined)
    throw new BadInput(`mexc: fields are missing: ${frame.text().slice(0, 120)}`);
  frame.at = dataStart;
  if (push === DEPTH && !isRead) readBook(frame, update);
  if (instrument === -1) return;
  update.instrument = instrument;
  if (push === DEPTH) sink.publish();
  else if (push === DEAL) readFuturesDeals(frame, sink);
  else readFacts(frame, sink, push);
}

/** A list of trades, or one of them. */
function readFuturesDeals(frame: Frame, sink: MarketSink): void {
  if (frame.peek() === OPEN_BRACE) readFuturesDeal(frame, sink);
  else if (frame.firstElement()) {
    do readFuturesDeal(frame, sink);
    while (frame.nextElement());
  }
}

/** `{"p":price,"v":contracts,"T":1 bought|2 sold,"t":ms}` */
function readFuturesDeal(frame: Frame, sink: MarketSink): void {
  const { print, update } = sink;
  let tradeType = 0;
  deal.fill(NaN);
  print.instrument = update.instrument;
  print.venueTimeMs = update.venueTimeMs;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.p) frame.number(deal, 0);
    else if (key === KEY.v) frame.number(deal, 1);
    else if (key === KEY.taker) {
      frame.integer();
      tradeType = frame.value;
    } else if (key === KEY.t) {
      frame.integer();
      print.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (!(deal[0]! > 0) || !(deal[1]! >= 0) || (tradeType !== BOUGHT && tradeType !== SOLD))
    throw new BadInput(`mexc: not a trade: ${frame.text().slice(0, 120)}`);
  print.price = deal[0]!;
  print.qty = deal[1]!;
  print.taker = tradeType === BOUGHT ? 1 : -1;
  sink.publishPrint();
}

function readFacts(frame: Frame, sink: MarketSink, push: Push): void {
  const { reference, update } = sink;
  sink.clearReference();
  reference.instrument = update.instrument;
  reference.venueTimeMs = update.venueTimeMs;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (!isFact(key)) {
      frame.skip();
      continue;
    }
    signedNumber(frame, deal, 0);
    const value = deal[0]!;
    if (key === KEY.rate || key === KEY.fundingRate) reference.fundingRate = value;
    else if (key === KEY.nextSettleTime) reference.nextFundingTimeMs = value;
    else if (key === KEY.fairPrice || push === FAIR) reference.markPrice = value;
    else if (key === KEY.indexPrice || push === INDEX) reference.indexPrice = value;
  }
  sink.publishReference();
}

const isFact = (key: number): boolean =>
  key === KEY.rate ||
  key === KEY.fundingRate ||
  key === KEY.nextSettleTime ||
  key === KEY.fairPrice ||
  key === KEY.indexPrice ||
  key === KEY.price;

/** `{"channel":"pong"|"rs.sub.depth"|"rs.error",…}`; other pushes are none of ours. */
function futuresControl(frame: Frame, sink: MarketSink): void {
  if (frame.textIs(PONG)) sink.control('pong', frame.text());
  else if (frame.textIs(RS_ERROR)) sink.control('error', frame.text());
  else if (frame.bytes[frame.textStart] === LETTER_R) sink.control('ack', frame.text());
}

const SIDES = 3;
const SEQUENCE = 4;

/** `{"asks":[…],"bids":[…],"version":…}`, merged steps with `begin` and `end`, spot snapshots with `lastUpdateId`. */
function readBook(frame: Frame, update: MarketUpdate): void {
  let seen = 0;
  let begin = NaN;
  let end = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.version || key === KEY.lastUpdateId) {
      frame.integer();
      update.firstSequence = frame.value;
      update.lastSequence = frame.value;
      seen |= SEQUENCE;
    } else if (key === KEY.begin) {
      frame.integer();
      begin = frame.value;
    } else if (key === KEY.end) {
      frame.integer();
      end = frame.value;
    } else frame.skip();
  }
  if (begin <= end) {
    update.firstSequence = begin;
    update.lastSequence = end;
    seen |= SEQUENCE;
  }
  if (seen !== (SIDES | SEQUENCE)) throw new BadInput(`mexc: fields are missing: ${frame.text().slice(0, 120)}`);
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
  update.bids.priceDecimals = 0;
  update.bids.qtyDecimals = 0;
  update.asks.priceDecimals = 0;
  update.asks.qtyDecimals = 0;
}

const decimals = z.int().min(0).max(40);
const listing = z.object({
  symbol: z.string().min(1),
  status: z.string(),
  baseAsset: z.string().min(1),
  quoteAsset: z.string().min(1),
  baseAssetPrecision: decimals,
  quotePrecision: decimals,
  baseSizePrecision: z.string().default('0'),
  quoteAmountPrecision: z.string().default('0'),
  isSpotTradingAllowed: z.boolean().default(false),
});
const exchangeInfo = z.object({ symbols: z.array(listing) });

function parseSpot(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(exchangeInfo, body, 'mexc exchangeInfo').symbols.map((entry) => spotFrom(entry, fees)),
  );
}

/** Many symbols are listed that no key may trade: they count as halted. */
function spotFrom(entry: z.infer<typeof listing>, fees: Fees): Instrument {
  const symbol = `${entry.baseAsset}/${entry.quoteAsset}`;
  const lot = amountOf(10).pow(-entry.baseAssetPrecision);
  const minQty = decimalFrom(entry.baseSizePrecision);
  return {
    id: idOf(MEXC, symbol),
    venue: MEXC,
    market: 'spot',
    symbol,
    venueSymbol: entry.symbol,
    kind: 'spot',
    base: asset(entry.baseAsset),
    quote: asset(entry.quoteAsset),
    settle: asset(entry.quoteAsset),
    contractSize: amountOf(1),
    inverse: false,
    tick: amountOf(10).pow(-entry.quotePrecision),
    lot,
    minQty: minQty.greaterThan(0) ? minQty : lot,
    minNotional: decimalFrom(entry.quoteAmountPrecision),
    fees,
    status: entry.status === '1' && entry.isSpotTradingAllowed ? 'trading' : 'halted',
  };
}

const contract = z.object({
  symbol: z.string().min(1),
  baseCoin: z.string().min(1),
  quoteCoin: z.string().min(1),
  settleCoin: z.string().min(1),
  contractSize: z.number().positive(),
  priceUnit: z.number().positive(),
  volUnit: z.number().positive(),
  minVol: z.number().positive(),
  state: z.int(),
  apiAllowed: z.boolean().default(true),
});
const details = z.object({ success: z.literal(true), data: z.array(contract) });

/** @see https://www.mexc.com/api-docs/futures/market-endpoints/get-funding-rate : the cycle in hours. */
const fundingRate = z.object({ symbol: z.string(), collectCycle: z.number(), nextSettleTime: z.number() });
const fundingRates = z.object({ success: z.literal(true), data: z.array(fundingRate) });

function parseFutures(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  const [listed = '', funded] = bodies;
  const contracts = bodyFrom(details, listed, 'mexc contract detail').data.map((entry) => contractFrom(entry, fees));
  if (funded === undefined) return contracts;
  const { data } = bodyFrom(fundingRates, funded, 'mexc funding_rate');
  const fundingOf = new Map(
    data.map(({ symbol, collectCycle, nextSettleTime }) => [
      symbol,
      fundingFrom(collectCycle * 3_600_000, nextSettleTime),
    ]),
  );
  return contracts.map((instrument) => ({ ...instrument, ...fundingOf.get(instrument.venueSymbol) }));
}

/** Perpetuals all of them; those settled in their base coin are inverse, a contract being `contractSize` units of the quote. */
function contractFrom(entry: z.infer<typeof contract>, fees: Fees): Instrument {
  const symbol = `${entry.baseCoin}/${entry.quoteCoin}:${entry.settleCoin}`;
  return {
    id: idOf(MEXC, symbol),
    venue: MEXC,
    market: 'futures',
    symbol,
    venueSymbol: entry.symbol,
    kind: 'perpetual',
    base: asset(entry.baseCoin),
    quote: asset(entry.quoteCoin),
    settle: asset(entry.settleCoin),
    contractSize: amountOf(entry.contractSize),
    inverse: entry.settleCoin === entry.baseCoin,
    tick: amountOf(entry.priceUnit),
    lot: amountOf(entry.volUnit),
    minQty: amountOf(entry.minVol),
    minNotional: amountOf(0),
    fees,
    status: entry.state === 0 && entry.apiAllowed ? 'trading' : 'halted',
  };
}

// Accounts. Spot signs its query like Binance, futures sign key, time and content; neither takes orders over a socket.

/** Clocks differ: fills of an order are asked for from a little before it was sent. */
const SENT_SLACK_MS = 60_000;

/** @see https://www.mexc.com/api-docs/spot-v3/spot-account-trade */
function spotAccount(): Account {
  return {
    id: 'spot',
    markets: ['spot'],
    restUrl: REST_URL,
    clientOrderId: (id) => id,
    refuses: refusesSpot,
    // Each endpoint has 500 units in ten seconds of its own; about twenty requests a second are taken.
    limits: {
      buckets: {
        place: { units: 200, windowMs: 10_000 },
        cancel: { units: 200, windowMs: 10_000 },
        read: { units: 500, windowMs: 10_000 },
      },
    },
    rest: {
      place: placeSpot,
      cancel: (order, context) =>
        spotCall(
          { method: 'DELETE', path: '/api/v3/order', fields: spotIdOf(order), weight: { cancel: 1 } },
          context,
          done,
        ),
      // Five symbols at most in a request.
      cancelAll: (instruments, context) =>
        batchesOf(instruments, 5).map((batch) => {
          const fields = { symbol: batch.map(({ venueSymbol }) => venueSymbol).join(',') };
          return spotCall(
            { method: 'DELETE', path: '/api/v3/openOrders', fields, weight: { cancel: 1 } },
            context,
            done,
          );
        }),
      query: (order, context) =>
        spotCall({ path: '/api/v3/order', fields: spotIdOf(order), weight: { read: 2 } }, context, (reply) =>
          spotAnswer(reply, spotOrder, (found) => found),
        ),
      openOrders: (instruments, context) =>
        instruments.map(({ venueSymbol: symbol }) =>
          spotCall({ path: '/api/v3/openOrders', fields: { symbol }, weight: { read: 3 } }, context, (reply) =>
            spotAnswer(reply, z.array(spotOrder), (list) => list),
          ),
        ),
      fillsSince: (instruments, sinceMs, context) =>
        instruments.map(({ venueSymbol: symbol }) =>
          spotFills({ symbol, startTime: String(Math.floor(sinceMs)) }, context),
        ),
      fillsOf: spotFillsOf,
      balances: (context) => accountCall(context, ({ balances }) => balances),
      fees: (instruments, context) => instruments.map((each) => spotFee(each, context)),
      // `canWithdraw` is the account's, not the key's: what the key may do is not said.
      permissions: (context) =>
        accountCall(context, ({ canTrade }): KeyPermissions => ({ trade: canTrade, withdraw: undefined })),
      time: {
        method: 'GET',
        path: '/api/v3/time',
        headers: {},
        weight: { read: 1 },
        read: (reply) =>
          spotAnswer(reply, z.object({ serverTime: z.string() }), ({ serverTime }) => Number(serverTime)),
      },
    },
    sockets: [spotEventSocket()],
    deadMan: { kind: 'none', why: 'nothing here cancels orders when a client falls silent' },
  };
}

/** @see https://www.mexc.com/api-docs/futures/account-and-trading-endpoints */
function futuresAccount(): Account {
  const get = <T>(path: string, fields: Query, context: AccountContext, read: (reply: Reply) => Answer<T>): Call<T> =>
    futuresCall({ path, fields, weight: { read: 1 } }, context, read);
  const post = (path: string, body: object, context: AccountContext, read: (reply: Reply) => Answer<unknown>) =>
    futuresCall({ path, body: JSON.stringify(body), weight: { trade: 1 } }, context, read);
  return {
    id: 'futures',
    markets: ['futures'],
    restUrl: REST_URL,
    // 32 characters at most.
    clientOrderId: (id) => id,
    refuses: refusesAny,
    limits: { buckets: { trade: { units: 20, windowMs: 2_000 }, read: { units: 20, windowMs: 2_000 } } },
    rest: {
      place: placeFutures,
      cancel: ({ instrument, venueOrderId, clientOrderId }, context) =>
        venueOrderId === undefined
          ? post(
              '/api/v1/private/order/batch_cancel_with_external',
              [{ symbol: instrument.venueSymbol, externalOid: clientOrderId }],
              context,
              cancelled,
            )
          : post('/api/v1/private/order/cancel', [venueOrderId], context, cancelled),
      cancelAll: (instruments, context) =>
        instruments.map(({ venueSymbol: symbol }) =>
          post('/api/v1/private/order/cancel_all', { symbol }, context, (reply) =>
            futuresAnswer(reply, z.unknown().optional(), (data) => data),
          ),
        ),
      query: ({ instrument, venueOrderId, clientOrderId }, context) =>
        get(
          venueOrderId === undefined
            ? `/api/v1/private/order/external/${instrument.venueSymbol}/${clientOrderId}`
            : `/api/v1/private/order/get/${venueOrderId}`,
          {},
          context,
          oneOrder,
        ),
      openOrders: (instruments, context) => instruments.map((each) => openFutures(each, 1, context)),
      fillsSince: (instruments, sinceMs, context) =>
        instruments.map((each) => futuresFills(each, { sinceMs, page: 1 }, context)),
      fillsOf: ({ instrument, venueOrderId, sentMs }, context) =>
        venueOrderId === undefined
          ? futuresFills(instrument, { sinceMs: sentMs - SENT_SLACK_MS, page: 1 }, context)
          : get(`/api/v1/private/order/deal_details/${venueOrderId}`, {}, context, (reply) =>
              futuresAnswer(reply, z.array(futuresFill).nullish(), (list) => list ?? []),
            ),
      balances: (context) =>
        get('/api/v1/private/account/assets', {}, context, (reply) =>
          futuresAnswer(reply, z.array(futuresAsset), (list) => list),
        ),
      positions: (context) =>
        get('/api/v1/private/position/open_positions', {}, context, (reply) =>
          futuresAnswer(reply, z.array(futuresPosition).nullish(), (list) => list ?? []),
        ),
      fees: (instruments, context) => instruments.map((each) => futuresFee(each, context)),
      time: {
        method: 'GET',
        path: '/api/v1/contract/ping',
        headers: {},
        weight: { read: 1 },
        read: (reply) => futuresAnswer(reply, z.string(), Number),
      },
    },
    sockets: [futuresEventSocket()],
    deadMan: { kind: 'none', why: 'nothing here cancels orders when a client falls silent' },
  };
}

/** What no market of the venue takes. */
function refusesAny({ type, timeInForce, postOnly }: OrderTicket): string | undefined {
  if (postOnly && (type === 'market' || timeInForce !== 'GTC'))
    return 'a post-only order rests: it cannot be IOC, FOK or at market';
  if (type === 'market' && timeInForce === 'FOK') return 'a market order cannot be fill-or-kill here';
  return undefined;
}

function refusesSpot(order: OrderTicket): string | undefined {
  if (order.reduceOnly) return 'spot has no reduce-only orders';
  if (order.type === 'market' && order.side === 'buy') return 'a market buy names what to spend here, not what to buy';
  return refusesAny(order);
}

type Query = Readonly<Record<string, string | undefined>>;
type SpotRequest = {
  /** GET when absent. */
  readonly method?: Call<unknown>['method'];
  readonly path: string;
  readonly fields: Query;
  readonly weight: Weight;
};

/** The query as it is sent, by HMAC-SHA256 in lower-case hex. @see https://www.mexc.com/api-docs/spot-v3/general-info */
export const spotSignature = (secret: string, query: string): string => hmac('sha256', secret, query, 'hex');

function spotCall<T>(
  { method = 'GET', path, fields, weight }: SpotRequest,
  { credentials, nowMs }: AccountContext,
  read: (reply: Reply) => Answer<T>,
): Call<T> {
  const query = queryOf({ ...fields, timestamp: String(Math.floor(nowMs)), recvWindow: '5000' });
  return {
    method,
    path: `${path}?${query}&signature=${spotSignature(credentials.secret, query)}`,
    headers: { 'X-MEXC-APIKEY': credentials.apiKey, 'Content-Type': 'application/json' },
    weight,
    read,
  };
}

const spotIdOf = ({ instrument, venueOrderId, clientOrderId }: OrderRef): Query => ({
  symbol: instrument.venueSymbol,
  ...(venueOrderId === undefined ? { origClientOrderId: clientOrderId } : { orderId: venueOrderId }),
});

function spotTypeOf({ type, timeInForce, postOnly }: OrderTicket): string {
  if (type === 'market') return 'MARKET';
  if (postOnly) return 'LIMIT_MAKER';
  return { GTC: 'LIMIT', IOC: 'IMMEDIATE_OR_CANCEL', FOK: 'FILL_OR_KILL' }[timeInForce];
}

function placeSpot(order: OrderTicket, context: AccountContext): Call<Placed> {
  const fields = {
    symbol: order.instrument.venueSymbol,
    side: order.side.toUpperCase(),
    type: spotTypeOf(order),
    quantity: order.qty,
    ...(order.type === 'market' ? {} : { price: order.price }),
    newClientOrderId: order.clientOrderId,
  };
  return spotCall({ method: 'POST', path: '/api/v3/order', fields, weight: { place: 1 } }, context, (reply) =>
    spotAnswer(reply, z.object({ orderId: z.string() }), ({ orderId }) => ({ venueOrderId: orderId })),
  );
}

/** The answer repeats the orders, in a state of their own. */
const done = (reply: Reply): Answer<unknown> => spotAnswer(reply, z.unknown(), (body) => body);

const sideOf = z.enum(['BUY', 'SELL']).transform((side) => (side === 'BUY' ? 'buy' : 'sell'));

const spotOrder = z
  .object({
    symbol: z.string(),
    orderId: z.string(),
    clientOrderId: z.string().nullish(),
    side: sideOf,
    type: z.string(),
    status: z.string(),
    price: decimalOrZero,
    origQty: decimalOrZero,
    executedQty: decimalOrZero,
    time: timeText,
    updateTime: timeText,
  })
  .transform((order): OrderState => ({
    venueSymbol: order.symbol,
    clientOrderId: order.clientOrderId ?? '',
    venueOrderId: order.orderId,
    side: order.side,
    status: spotStatusOf(order.status, order.type),
    ...(order.type === 'MARKET' ? {} : { price: order.price }),
    qty: order.origQty,
    filled: order.executedQty,
    timeMs: Number.isNaN(order.updateTime) ? order.time : order.updateTime,
  }));

const ENDS_ITSELF = /^(MARKET|IMMEDIATE_OR_CANCEL|FILL_OR_KILL)$/;

function spotStatusOf(status: string, type: string): OrderState['status'] {
  switch (status) {
    case 'NEW':
    case 'PARTIALLY_FILLED':
      return 'open';
    case 'FILLED':
      return 'filled';
    case 'CANCELED':
    case 'PARTIALLY_CANCELED':
      return ENDS_ITSELF.test(type) ? 'expired' : 'canceled';
    default:
      throw new BadInput(`mexc: unknown order status ${status.slice(0, 40)}`);
  }
}

const spotFill = z
  .object({
    symbol: z.string(),
    id: z.string(),
    orderId: z.string(),
    clientOrderId: z.string().nullish(),
    price: decimalText,
    qty: decimalText,
    commission: decimalOrZero,
    commissionAsset: z.string().nullish(),
    time: timeText,
    isBuyer: z.boolean(),
    isMaker: z.boolean(),
  })
  .transform((fill): VenueFill => ({
    venueSymbol: fill.symbol,
    clientOrderId: fill.clientOrderId ?? '',
    venueOrderId: fill.orderId,
    tradeId: fill.id,
    side: fill.isBuyer ? 'buy' : 'sell',
    price: fill.price,
    qty: fill.qty,
    fee: fill.commission,
    feeAsset: fill.commissionAsset ?? '',
    liquidity: fill.isMaker ? 'maker' : 'taker',
    timeMs: fill.time,
  }));

const FILL_PAGE = 100;
const okWith = <T>(value: T, more: (context: AccountContext) => Call<T>): Answer<T> => ({ kind: 'ok', value, more });

/** The newest hundred; older ones end where those began. A fill that stands in two pages is the same one. */
function spotFills(fields: Query, context: AccountContext): Call<readonly VenueFill[]> {
  const request = { path: '/api/v3/myTrades', fields: { ...fields, limit: String(FILL_PAGE) }, weight: { read: 10 } };
  return spotCall(request, context, (reply) =>
    andThen(
      spotAnswer(reply, z.array(spotFill), (list): readonly VenueFill[] => list),
      (fills): Answer<readonly VenueFill[]> => {
        if (fills.length < FILL_PAGE) return ok(fills);
        const oldestMs = Math.min(...fills.map(({ timeMs }) => timeMs));
        const endTime = String(String(oldestMs) === fields['endTime'] ? oldestMs - 1 : oldestMs);
        return okWith(fills, (later) => spotFills({ ...fields, endTime }, later));
      },
    ),
  );
}

function spotFillsOf(
  { instrument: { venueSymbol: symbol }, venueOrderId, sentMs }: OrderRef,
  context: AccountContext,
): Call<readonly VenueFill[]> {
  const startTime = String(Math.floor(sentMs) - SENT_SLACK_MS);
  return spotFills({ symbol, ...(venueOrderId === undefined ? { startTime } : { orderId: venueOrderId }) }, context);
}

const spotAccountInfo = z.object({
  canTrade: z.boolean(),
  balances: z.array(
    z
      .object({ asset: z.string(), free: decimalOrZero, locked: decimalOrZero })
      .transform(({ asset: name, free, locked }): BalanceState => ({
        asset: name,
        total: free.plus(locked),
        available: free,
      })),
  ),
});

const accountCall = <T>(context: AccountContext, valueOf: (account: z.infer<typeof spotAccountInfo>) => T): Call<T> =>
  spotCall({ path: '/api/v3/account', fields: {}, weight: { read: 10 } }, context, (reply) =>
    spotAnswer(reply, spotAccountInfo, valueOf),
  );

const spotFeeBody = z.object({ data: z.object({ makerCommission: decimalText, takerCommission: decimalText }) });

function spotFee({ venueSymbol }: Instrument, context: AccountContext): Call<readonly FeeState[]> {
  const request = { path: '/api/v3/tradeFee', fields: { symbol: venueSymbol }, weight: { read: 20 } };
  return spotCall(request, context, (reply) =>
    spotAnswer(reply, spotFeeBody, ({ data }) => [
      { venueSymbol, market: 'spot', maker: data.makerCommission, taker: data.takerCommission },
    ]),
  );
}

const trouble = z.object({ code: z.string(), msg: z.string().nullish() });

/** `{"code":30004,"msg":"Insufficient position"}`; some good answers carry a code as well: 0 or 200. */
function spotRefusal(body: unknown): Refusal | undefined {
  const parsed = trouble.safeParse(body);
  if (!parsed.success || parsed.data.code === '0' || parsed.data.code === '200') return undefined;
  return refused(meaningOf(SPOT_CODES, parsed.data.code), parsed.data.code, parsed.data.msg ?? '');
}

const spotAnswer = <T, V>(reply: Reply, schema: z.ZodType<T>, valueOf: (body: T) => V): Answer<V> =>
  answerFrom(reply, schema, { refusalOf: spotRefusal, valueOf });

/** @see https://www.mexc.com/api-docs/spot-v3/public-api-definitions#error-code */
const SPOT_CODES = codesOf({
  'insufficient-funds': '10101 30004 30005',
  'below-minimum': '30002 88013',
  'invalid-order':
    '-1121 -1128 400 10095 10096 10097 10102 30003 30014 30021 33333 44444 700004 700005 700008 700013 730001 730002',
  'price-out-of-band': '30010 30087',
  'not-filled': '30025',
  'not-allowed':
    '26 10007 10098 30000 30001 30016 30018 30019 30020 30027 30028 30029 30032 30041 60005 70011 140002 730003 730100',
  unauthorised: '401 402 403 406 602 10001 10072 700001 700002 700006 700007 140001',
  'clock-skew': '10073 700003',
  'rate-limited': '429 510',
  'venue-down': '604 801 11444',
  'not-found': '-2011 -2013 22222 30026',
  'in-doubt': '500 501 503 504 20002 730000',
});

/** A listen key lives an hour, its socket a day. @see https://www.mexc.com/api-docs/spot-v3/websocket-user-data-streams */
function spotEventSocket(): AccountSocket {
  const path = '/api/v3/userDataStream';
  const listenKey = z.object({ listenKey: z.string().min(1) });
  return {
    id: 'events',
    carries: ['events'],
    wsUrl: SPOT_WS_URL,
    pass: {
      ask: (context) =>
        spotCall({ method: 'POST', path, fields: {}, weight: { read: 1 } }, context, (reply) =>
          spotAnswer(reply, listenKey, (body) => body.listenKey),
        ),
      renew: {
        everyMs: 30 * 60_000,
        call: (context, pass) =>
          spotCall({ method: 'PUT', path, fields: { listenKey: pass }, weight: { read: 1 } }, context, (reply) =>
            spotAnswer(reply, listenKey, (body) => body.listenKey),
          ),
      },
    },
    path: (_context, pass) => `?listenKey=${pass}`,
    login: () => [],
    subscribe: () => [
      JSON.stringify({
        method: 'SUBSCRIPTION',
        params: ['spot@private.orders.v3.api.pb', 'spot@private.deals.v3.api.pb', 'spot@private.account.v3.api.pb'],
      }),
    ],
    heartbeat: { kind: 'client-text', text: () => '{"method":"PING"}', everyMs: 15_000 },
    idleMs: 40_000,
    decode: (frame) => (frame[0] === OPEN_BRACE ? spotControl(frameText(frame)) : spotEvents(frame)),
  };
}

/** `{"id":0,"code":0,"msg":"PONG"}`; a refusal of one of several channels comes with code 0. */
function spotControl(text: string): readonly AccountEvent[] {
  const { code, msg } = checked(trouble, jsonOf(text), 'mexc control');
  if (msg === 'PONG') return [{ kind: 'pong' }];
  const isRefused = code !== '0' || (msg ?? '').startsWith('Not ');
  return isRefused ? [{ kind: 'error', refusal: refused(meaningOf(SPOT_CODES, code), code, msg ?? '') }] : [];
}

/** A protobuf message that is not hot: texts and messages as bytes, varints as numbers, the last of each field. */
type Message = ReadonlyMap<number, Uint8Array | number>;

function messageOf(bytes: Uint8Array): Message {
  const fields = new Fields().open({ bytes, end: bytes.length }, 0, bytes.length);
  const message = new Map<number, Uint8Array | number>();
  while (fields.next()) {
    const { field, type, start, end } = fields;
    if (type === TEXT) message.set(field, bytes.subarray(start, end));
    // A longer one is a negative number, which nothing of ours is.
    else if (type === VARINT && end - start <= 7) message.set(field, milliseconds({ bytes, end }, start, end));
  }
  return message;
}

/** The fields by their numbers as texts, for a schema to check. */
const textsOf = (message: Message): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...message].map(([field, value]) => [field, typeof value === 'number' ? String(value) : frameText(value)]),
  );

const PRIVATE_ORDERS = 304;
const PRIVATE_DEALS = 306;
const PRIVATE_ACCOUNT = 307;

/** The wrapper of the public frames with a private body. @throws BadInput */
function spotEvents(frame: Uint8Array): readonly AccountEvent[] {
  const outer = messageOf(frame);
  const bodyOf = (field: number): Readonly<Record<string, string>> | undefined => {
    const body = outer.get(field);
    return body instanceof Uint8Array ? textsOf(messageOf(body)) : undefined;
  };
  const symbol = outer.get(SYMBOL);
  const sentMs = outer.get(SEND_TIME);
  const about = {
    venueSymbol: symbol instanceof Uint8Array ? frameText(symbol) : '',
    sentMs: typeof sentMs === 'number' ? sentMs : NaN,
  };
  const [order, fill, account] = [PRIVATE_ORDERS, PRIVATE_DEALS, PRIVATE_ACCOUNT].map(bodyOf);
  return [
    ...(order === undefined ? [] : [{ kind: 'order', order: orderFrom(order, about) } as const]),
    ...(fill === undefined ? [] : [{ kind: 'fill', fill: fillFrom(fill, about) } as const]),
    ...(account === undefined ? [] : [{ kind: 'balance', balance: balanceFrom(account) } as const]),
  ];
}

type About = { readonly venueSymbol: string; readonly sentMs: number };
/** proto3 leaves out what is empty or 0. */
const maybe = z.string().default('');

/** PrivateOrdersV3Api. @see https://github.com/mexcdevelop/websocket-proto */
const orderMessage = z.object({
  /** id */
  1: z.string(),
  /** clientId */
  2: maybe,
  /** price */
  3: decimalOrZero,
  /** quantity */
  4: decimalOrZero,
  /** orderType */
  7: z.string(),
  /** tradeType */
  8: z.enum(['1', '2']),
  /** cumulativeQuantity */
  13: decimalOrZero,
  /** status */
  15: z.string(),
  /** createTime */
  16: timeText,
});
const MARKET_TYPE = '5';

function orderFrom(body: unknown, { venueSymbol, sentMs }: About): OrderState {
  const order = checked(orderMessage, body, 'mexc order');
  return {
    venueSymbol,
    clientOrderId: order[2],
    venueOrderId: order[1],
    side: order[8] === '1' ? 'buy' : 'sell',
    status: statusFrom(order[15], order[7]),
    ...(order[7] === MARKET_TYPE ? {} : { price: order[3] }),
    qty: order[4],
    filled: order[13],
    timeMs: Number.isNaN(sentMs) ? order[16] : sentMs,
  };
}

/** Types 3, 4 and 5 are IOC, FOK and market: they end by themselves. */
function statusFrom(status: string, type: string): OrderState['status'] {
  switch (status) {
    case '1':
    case '3':
      return 'open';
    case '2':
      return 'filled';
    case '4':
    case '5':
      return /^[345]$/.test(type) ? 'expired' : 'canceled';
    default:
      throw new BadInput(`mexc: unknown order status ${status.slice(0, 40)}`);
  }
}

/** PrivateDealsV3Api. */
const fillMessage = z.object({
  /** price */
  1: decimalText,
  /** quantity */
  2: decimalText,
  /** tradeType */
  4: z.enum(['1', '2']),
  /** isMaker */
  5: maybe,
  /** tradeId */
  7: z.string(),
  /** clientOrderId */
  8: maybe,
  /** orderId */
  9: z.string(),
  /** feeAmount */
  10: decimalOrZero,
  /** feeCurrency */
  11: maybe,
  /** time */
  12: timeText,
});

function fillFrom(body: unknown, { venueSymbol, sentMs }: About): VenueFill {
  const fill = checked(fillMessage, body, 'mexc deal');
  return {
    venueSymbol,
    clientOrderId: fill[8],
    venueOrderId: fill[9],
    tradeId: fill[7],
    side: fill[4] === '1' ? 'buy' : 'sell',
    price: fill[1],
    qty: fill[2],
    fee: fill[10],
    feeAsset: fill[11],
    liquidity: fill[5] === '1' ? 'maker' : 'taker',
    timeMs: Number.isNaN(fill[12]) ? sentMs : fill[12],
  };
}

/** PrivateAccountV3Api: coin, its number, available, change, frozen, change. */
const accountMessage = z.object({ 1: z.string(), 3: decimalOrZero, 5: decimalOrZero });

function balanceFrom(body: unknown): BalanceState {
  const { 1: name, 3: available, 5: frozen } = checked(accountMessage, body, 'mexc account');
  return { asset: name, total: available.plus(frozen), available };
}

type FuturesRequest = {
  readonly path: string;
  readonly fields?: Query;
  /** Present for POST. */
  readonly body?: string;
  readonly weight: Weight;
};

/** Key, milliseconds and content (the body, or the sorted query), by HMAC-SHA256 in lower-case hex. */
export const futuresSignature = (
  secret: string,
  { apiKey, time, content }: Readonly<Record<'apiKey' | 'time' | 'content', string>>,
): string => hmac('sha256', secret, apiKey + time + content, 'hex');

function futuresCall<T>(
  { path, fields = {}, body, weight }: FuturesRequest,
  { credentials, nowMs }: AccountContext,
  read: (reply: Reply) => Answer<T>,
): Call<T> {
  const { apiKey, secret } = credentials;
  const query = sortedQueryOf(fields);
  const time = String(Math.floor(nowMs));
  const headers = {
    ApiKey: apiKey,
    'Request-Time': time,
    'Content-Type': 'application/json',
    Signature: futuresSignature(secret, { apiKey, time, content: body ?? query }),
  };
  if (body !== undefined) return { method: 'POST', path, headers, body, weight, read };
  return { method: 'GET', path: query === '' ? path : `${path}?${query}`, headers, weight, read };
}

/** 1 limit, 2 post-only, 3 IOC, 4 FOK, 5 market. */
function futuresTypeOf({ type, timeInForce, postOnly }: OrderTicket): number {
  if (type === 'market') return 5;
  if (postOnly) return 2;
  return { GTC: 1, IOC: 3, FOK: 4 }[timeInForce];
}

/** One-way positions: 1 buys, 3 sells, and what only reduces says so. Prices and volumes are numbers, written from their texts. */
function placeFutures(order: OrderTicket, context: AccountContext): Call<Placed> {
  const rest = JSON.stringify({
    symbol: order.instrument.venueSymbol,
    side: order.side === 'buy' ? 1 : 3,
    type: futuresTypeOf(order),
    openType: context.marginMode === 'cross' ? 2 : 1,
    ...(context.marginMode === 'isolated' ? { leverage: context.leverage } : {}),
    positionMode: 2,
    ...(order.reduceOnly ? { reduceOnly: true } : {}),
    externalOid: order.clientOrderId,
  });
  const price = order.type === 'market' ? '' : `"price":${order.price},`;
  const body = `{"vol":${order.qty},${price}${rest.slice(1)}`;
  return futuresCall({ path: '/api/v1/private/order/create', body, weight: { trade: 1 } }, context, (reply) =>
    futuresAnswer(reply, placedFutures, (data) => data),
  );
}

/** An object since 2026, the bare number before. */
const placedFutures = z
  .union([z.string(), z.object({ orderId: z.string() })])
  .transform((data): Placed => ({ venueOrderId: typeof data === 'string' ? data : data.orderId }));

const cancelResults = z.array(z.object({ errorCode: z.string(), errorMsg: z.string().nullish() })).nullish();

/** Each order of the list has an answer of its own. */
const cancelled = (reply: Reply): Answer<unknown> =>
  andThen(
    futuresAnswer(reply, cancelResults, (data) => data ?? []),
    (results): Answer<unknown> => {
      const failed = results.find(({ errorCode }) => errorCode !== '0');
      if (failed === undefined) return ok(results);
      return refused(meaningOf(FUTURES_CODES, failed.errorCode), failed.errorCode, failed.errorMsg ?? '');
    },
  );

/** 1 opens a long, 2 closes a short, 3 opens a short, 4 closes a long. */
const futuresSide = z.enum(['1', '2', '3', '4']).transform((side) => (side === '1' || side === '2' ? 'buy' : 'sell'));

const futuresOrder = z
  .object({
    orderId: z.string(),
    symbol: z.string(),
    externalOid: z.string().nullish(),
    side: futuresSide,
    orderType: z.string(),
    state: z.string(),
    price: decimalOrZero,
    vol: decimalText,
    dealVol: decimalOrZero,
    errorCode: z.string().nullish(),
    createTime: timeText,
    updateTime: timeText,
  })
  .transform((order): OrderState => ({
    venueSymbol: order.symbol,
    clientOrderId: order.externalOid ?? '',
    venueOrderId: order.orderId,
    side: order.side,
    ...futuresStateOf(order),
    ...(/^[56]$/.test(order.orderType) ? {} : { price: order.price }),
    qty: order.vol,
    filled: order.dealVol,
    timeMs: Number.isNaN(order.updateTime) ? order.createTime : order.updateTime,
  }));

/** States: 1 not yet taken, 2 open, 3 completed, 4 cancelled, 5 invalid. A post-only order that would take is cancelled by the venue unfilled, as if asked. */
function futuresStateOf(order: {
  readonly state: string;
  readonly orderType: string;
  readonly errorCode?: string | null | undefined;
}): Pick<OrderState, 'status' | 'reason'> {
  switch (order.state) {
    case '1':
    case '2':
      return { status: 'open' };
    case '3':
      return { status: 'filled' };
    case '4':
      return { status: /^[3456]$/.test(order.orderType) ? 'expired' : 'canceled' };
    case '5':
      return { status: 'rejected', reason: meaningOf(FUTURES_CODES, order.errorCode ?? '') };
    default:
      throw new BadInput(`mexc: unknown order state ${order.state.slice(0, 40)}`);
  }
}

const oneOrder = (reply: Reply): Answer<OrderState> =>
  andThen(
    futuresAnswer(reply, futuresOrder.nullish(), (data) => data ?? undefined),
    (found) => (found === undefined ? refused('not-found', '0', 'no order') : ok(found)),
  );

const FUTURES_PAGE = 100;

/** Pages by their number: a full one has another behind it. */
const nextPage = <T>(
  answer: Answer<readonly T[]>,
  next: (context: AccountContext) => Call<readonly T[]>,
): Answer<readonly T[]> => andThen(answer, (list) => (list.length < FUTURES_PAGE ? ok(list) : okWith(list, next)));

function openFutures(instrument: Instrument, page: number, context: AccountContext): Call<readonly OrderState[]> {
  const path = `/api/v1/private/order/list/open_orders/${instrument.venueSymbol}`;
  const fields = { page_num: String(page), page_size: String(FUTURES_PAGE) };
  return futuresCall({ path, fields, weight: { read: 1 } }, context, (reply) =>
    nextPage(
      futuresAnswer(reply, z.array(futuresOrder).nullish(), (list): readonly OrderState[] => list ?? []),
      (later) => openFutures(instrument, page + 1, later),
    ),
  );
}

const futuresFill = z
  .object({
    id: z.string(),
    symbol: z.string(),
    side: futuresSide,
    vol: decimalText,
    price: decimalText,
    fee: decimalOrZero,
    feeCurrency: z.string().nullish(),
    timestamp: timeText,
    orderId: z.string(),
    externalOid: z.string().nullish(),
    // Lists name it in two ways.
    isTaker: z.boolean().optional(),
    taker: z.boolean().optional(),
    /** Of the order: 2 taken over by the system, 4 reduced to cover others. */
    category: z.string().nullish(),
  })
  .transform((fill): VenueFill => ({
    venueSymbol: fill.symbol,
    clientOrderId: fill.externalOid ?? '',
    venueOrderId: fill.orderId,
    tradeId: fill.id,
    side: fill.side,
    price: fill.price,
    qty: fill.vol,
    fee: fill.fee,
    feeAsset: fill.feeCurrency ?? '',
    liquidity: (fill.isTaker ?? fill.taker ?? true) ? 'taker' : 'maker',
    timeMs: fill.timestamp,
    ...(fill.category === '4' ? { forced: 'adl' } : fill.category === '2' ? { forced: 'liquidation' } : {}),
  }));

function futuresFills(
  instrument: Instrument,
  { sinceMs, page }: { readonly sinceMs: number; readonly page: number },
  context: AccountContext,
): Call<readonly VenueFill[]> {
  const fields = {
    symbol: instrument.venueSymbol,
    start_time: String(Math.floor(sinceMs)),
    page_num: String(page),
    page_size: String(FUTURES_PAGE),
  };
  const path = '/api/v1/private/order/list/order_deals';
  return futuresCall({ path, fields, weight: { read: 1 } }, context, (reply) =>
    nextPage(
      futuresAnswer(reply, z.array(futuresFill).nullish(), (list): readonly VenueFill[] => list ?? []),
      (later) => futuresFills(instrument, { sinceMs, page: page + 1 }, later),
    ),
  );
}

/** Equity contains what open positions would bring; the total does not. Pushes have no equity: then it is the sum of its parts. */
const futuresAsset = z
  .object({
    currency: z.string(),
    availableBalance: decimalOrZero,
    frozenBalance: decimalOrZero,
    positionMargin: decimalOrZero,
    equity: z.string().nullish(),
    unrealized: decimalOrZero,
  })
  .transform(({ currency, availableBalance, frozenBalance, positionMargin, equity, unrealized }): BalanceState => ({
    asset: currency,
    total:
      equity === undefined || equity === null
        ? availableBalance.plus(frozenBalance).plus(positionMargin)
        : decimalOrZeroOf(equity).minus(unrealized),
    available: availableBalance,
  }));

/** Type 1 is long, 2 short. */
const futuresPosition = z
  .object({
    symbol: z.string(),
    positionType: z.enum(['1', '2']),
    holdVol: decimalText,
    holdAvgPrice: decimalOrZero,
    liquidatePrice: decimalOrZero,
    leverage: decimalOrZero,
    /** 1 to 5. */
    adlLevel: decimalOrZero,
  })
  .transform((position): PositionState => ({
    venueSymbol: position.symbol,
    qty: position.positionType === '1' ? position.holdVol : position.holdVol.negated(),
    entryPrice: position.holdAvgPrice,
    ...(position.liquidatePrice.gt(0) ? { liquidationPrice: position.liquidatePrice } : {}),
    ...(position.leverage.gt(0) ? { leverage: position.leverage } : {}),
    ...(position.adlLevel.gt(0) ? { adlRank: position.adlLevel.toNumber() / 5 } : {}),
  }));

const futuresFeeRate = z.object({ makerFee: decimalText, takerFee: decimalText });

/** What the venue answers are the rates of its own pages; orders by API pay at least the announced ones since June 2026. */
function futuresFee({ venueSymbol }: Instrument, context: AccountContext): Call<readonly FeeState[]> {
  const { maker, taker } = futures.defaultFees;
  const request = {
    path: '/api/v1/private/account/tiered_fee_rate',
    fields: { symbol: venueSymbol },
    weight: { read: 1 },
  };
  return futuresCall(request, context, (reply) =>
    futuresAnswer(reply, futuresFeeRate, ({ makerFee, takerFee }) => [
      {
        venueSymbol,
        market: 'futures',
        maker: makerFee.gt(maker) ? makerFee : maker,
        taker: takerFee.gt(taker) ? takerFee : taker,
      },
    ]),
  );
}

const futuresTrouble = z.object({ success: z.literal(false), code: z.string(), message: z.string().nullish() });

/** `{"success":false,"code":2005,"message":"Balance insufficient"}` with HTTP 200; lists of the venue's own examples say false with code 0. */
function futuresRefusal(body: unknown): Refusal | undefined {
  const parsed = futuresTrouble.safeParse(body);
  if (!parsed.success || parsed.data.code === '0') return undefined;
  return refused(meaningOf(FUTURES_CODES, parsed.data.code), parsed.data.code, parsed.data.message ?? '');
}

const futuresAnswer = <T, V>(reply: Reply, data: z.ZodType<T>, valueOf: (data: T) => V): Answer<V> =>
  answerFrom(reply, z.object({ code: z.literal('0'), data }), {
    refusalOf: futuresRefusal,
    valueOf: ({ data: value }) => valueOf(value),
  });

/** @see https://www.mexc.com/api-docs/futures/error-code */
const FUTURES_CODES = codesOf({
  'insufficient-funds': '2005 2018',
  'below-minimum': '2008',
  'invalid-order': '600 601 1001 2001 2002 2006 2011 2013 2014 2015 2021 2022 2028 2029 2030 2034 2035 6003 6004',
  'price-out-of-band': '2003 2004 2007 2032 2033',
  'reduce-only': '2009',
  'not-allowed': '1000 1002 1003 1004 2019 2023 2024 2025 2027 2031 2036 2038 6001 6002 6005',
  unauthorised: '401 402 403 406 506 511 602 701 702 703 704',
  'clock-skew': '513',
  'rate-limited': '429 510 2037',
  'venue-down': '604 801',
  'not-found': '2040',
  'not-open': '2041',
  'in-doubt': '500 501 503 504 603 9999',
});

/** @see https://www.mexc.com/api-docs/futures/websocket-api */
function futuresEventSocket(): AccountSocket {
  return {
    id: 'events',
    carries: ['events'],
    wsUrl: FUTURES_WS_URL,
    login: ({ credentials, nowMs }) => {
      const { apiKey, secret } = credentials;
      const reqTime = String(Math.floor(nowMs));
      const signature = futuresSignature(secret, { apiKey, time: reqTime, content: '' });
      return [JSON.stringify({ method: 'login', param: { apiKey, signature, reqTime } })];
    },
    subscribe: () => [
      JSON.stringify({
        method: 'personal.filter',
        param: { filters: ['order', 'order.deal', 'position', 'asset'].map((filter) => ({ filter })) },
      }),
    ],
    heartbeat: { kind: 'client-text', text: () => '{"method":"ping"}', everyMs: 15_000 },
    idleMs: 40_000,
    decode: (frame) => futuresEvents(frameText(frame)),
  };
}

const pushed = z.object({ channel: z.string(), data: z.unknown() });

function futuresEvents(text: string): readonly AccountEvent[] {
  const { channel, data } = checked(pushed, jsonOf(text), 'mexc push');
  switch (channel) {
    case 'pong':
      return [{ kind: 'pong' }];
    case 'rs.login':
      return data === 'success' ? [{ kind: 'ready' }] : [{ kind: 'error', refusal: loginRefusal(data) }];
    case 'rs.error':
      return [{ kind: 'error', refusal: loginRefusal(data) }];
    case 'push.personal.order':
      return [{ kind: 'order', order: checked(futuresOrder, data, 'mexc order') }];
    case 'push.personal.order.deal':
      return [{ kind: 'fill', fill: checked(futuresFill, data, 'mexc deal') }];
    case 'push.personal.position':
      return [{ kind: 'position', position: checked(futuresPosition, data, 'mexc position') }];
    case 'push.personal.asset':
      return [{ kind: 'balance', balance: checked(futuresAsset, data, 'mexc asset') }];
    default:
      return [];
  }
}

/** Refusals of the socket are words. */
const loginRefusal = (data: unknown): Refusal =>
  refused('unauthorised', 'rs.error', typeof data === 'string' ? data : JSON.stringify(data));
