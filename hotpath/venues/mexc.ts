import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, bodyFrom, bytesOf, END, idOf, keyCode, roomFor, venueId } from './venue.ts';

const MEXC = venueId('mexc');

const SPOT_CHANNEL = 'spot@public.aggre.depth.v3.api.pb@10ms@';

const spot: Market = {
  id: 'spot',
  wsUrl: 'wss://wbs-api.mexc.com/ws',
  restUrl: 'https://api.mexc.com',
  defaultFees: { maker: amountOf('0'), taker: amountOf('0.0005'), currency: 'quote' },
  instruments: { paths: ['/api/v3/exchangeInfo'], parse: parseSpot },
  subscribe: (symbols, request) => spotRequest('SUBSCRIPTION', symbols, request),
  unsubscribe: (symbols, request) => spotRequest('UNSUBSCRIPTION', symbols, request),
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
  decode: decodeSpot,
};

const futures: Market = {
  id: 'futures',
  wsUrl: 'wss://contract.mexc.com/edge',
  restUrl: 'https://api.mexc.com',
  defaultFees: { maker: amountOf('0.0006'), taker: amountOf('0.0008'), currency: 'settle' },
  instruments: { paths: ['/api/v1/contract/detail'], parse: parseFutures },
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
  decode: decodeFutures,
};

/** @see https://www.mexc.com/api-docs */
export const mexc: Venue = { id: MEXC, markets: [spot, futures] };

function spotRequest(method: string, symbols: readonly string[], request: number): readonly string[] {
  return [JSON.stringify({ method, params: symbols.map((symbol) => SPOT_CHANNEL + symbol), id: request })];
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

/** Walks the fields of one protobuf message in place: after {@link next}, the value of field `field` is in [start, end). */
class Fields {
  field = 0;
  type = VARINT;
  start = 0;
  end = 0;
  #frame: Frame | undefined;
  #limit = 0;

  open(frame: Frame, start: number, end: number): this {
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
/** Of PublicAggreDepthsV3Api. */
const ASKS = 1;
const BIDS = 2;
const FROM_VERSION = 4;
const TO_VERSION = 5;
/** Of PublicAggreDepthV3ApiItem. */
const PRICE = 1;
const QUANTITY = 2;

const DEPTH_CHANNEL = bytesOf('spot@public.aggre.depth.v3.api.pb');
const OPEN_BRACE = 0x7b;

/** Books come as protobuf, acks and pongs as JSON. */
function decodeSpot(frame: Frame, sink: MarketSink): void {
  if (frame.bytes[0] === OPEN_BRACE) {
    decodeSpotControl(frame, sink);
    return;
  }
  const { update } = sink;
  let instrument: InstrumentIndex | -1 | undefined;
  let isDepth = false;
  let bodyStart = -1;
  let bodyEnd = -1;
  clear(update, DELTA);
  wrapper.open(frame, 0, frame.end);
  while (wrapper.next()) {
    const { field, type, start, end } = wrapper;
    if (field === CHANNEL && type === TEXT) isDepth = textStartsWith(frame, start, end);
    else if (field === SYMBOL && type === TEXT) instrument = sink.find(frame, start, end);
    else if (field === SEND_TIME && type === VARINT) readMilliseconds(frame, start, end, update);
    else if (field === AGGRE_DEPTHS && type === TEXT) {
      if (bodyStart >= 0) throw new BadInput('mexc: two books in a frame');
      bodyStart = start;
      bodyEnd = end;
    }
  }
  if (!isDepth && bodyStart < 0) return;
  if (instrument === undefined || bodyStart < 0 || !isDepth)
    throw new BadInput('mexc: a book frame without its fields');
  readDepths(frame, update, bodyStart, bodyEnd);
  if (instrument === -1) return;
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

/** A varint of Unix milliseconds: six bytes today, and eight could leave the exact integers. */
function readMilliseconds(frame: Frame, start: number, end: number, update: MarketUpdate): void {
  if (end - start > 7) throw new BadInput('mexc: a time beyond all days');
  let value = 0;
  for (let at = end - 1; at >= start; at -= 1) value = value * 128 + (frame.bytes[at]! & 0x7f);
  update.venueTimeMs = value;
}

function textStartsWith(frame: Frame, start: number, end: number): boolean {
  if (end - start < DEPTH_CHANNEL.length) return false;
  for (let at = 0; at < DEPTH_CHANNEL.length; at += 1) if (frame.bytes[start + at] !== DEPTH_CHANNEL[at]) return false;
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
} as const;
const PONG_UPPER = bytesOf('PONG');
const PUSH_DEPTH = bytesOf('push.depth');
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
  if (!isRead) throw new BadInput(`mexc: not a snapshot: ${frame.text(0, 120)}`);
  sink.publish();
}

/** `{"symbol":…,"channel":"push.depth","data":{…},"ts":…}`, in varying order. */
function decodeFutures(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  let isBook = false;
  let isRead = false;
  let dataStart = -1;
  let instrument: InstrumentIndex | -1 | undefined;
  clear(update, DELTA);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      frame.string();
      isBook = frame.textIs(PUSH_DEPTH);
      if (isBook) continue;
      futuresControl(frame, sink);
      return;
    } else if (key === KEY.symbol) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
    } else if (key === KEY.data && isBook) {
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
  if (!isBook) return;
  frame.finish();
  if (!isRead && dataStart >= 0) {
    frame.at = dataStart;
    readBook(frame, update);
    isRead = true;
  }
  if (!isRead || instrument === undefined) throw new BadInput(`mexc: fields are missing: ${frame.text(0, 120)}`);
  if (instrument === -1) return;
  update.instrument = instrument;
  sink.publish();
}

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
  if (seen !== (SIDES | SEQUENCE)) throw new BadInput(`mexc: fields are missing: ${frame.text(0, 120)}`);
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

function parseFutures(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(details, body, 'mexc contract detail').data.map((entry) => contractFrom(entry, fees)),
  );
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
