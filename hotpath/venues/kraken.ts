import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { assert, BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import { krakenChecksum } from './venue-checksum.ts';
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
  Meaning,
  OrderRef,
  OrderState,
  OrderTicket,
  Placed,
  Refusal,
  Reply,
  VenueFill,
  Weight,
} from './venue-account.ts';
import {
  answerFrom,
  checked,
  decimalOrZeroOf,
  decimalText,
  frameText,
  hash,
  hmac,
  jsonOf,
  ok,
  queryOf,
  refused,
} from './venue-tools.ts';
import type { Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, FOUND_NUMBERS, idOf, keyCode, shapeOf, venueId } from './venue.ts';

const KRAKEN = venueId('kraken');
/** Subscribed depth, and so the levels kept: after each frame the rest is unknown. */
const DEPTH = 1_000;
const REST_URL = 'https://api.kraken.com';

const spot: Market = {
  id: 'spot',
  wsUrl: 'wss://ws.kraken.com/v2',
  restUrl: REST_URL,
  defaultFees: { maker: amountOf('0.004'), taker: amountOf('0.008'), currency: 'quote' },
  instruments: { paths: ['/0/public/AssetPairs'], parse: parseInstruments },
  subscribe: (symbols, request) =>
    requestsOf('subscribe', { channel: 'book', depth: DEPTH, snapshot: true }, symbols, request),
  unsubscribe: (symbols, request) => requestsOf('unsubscribe', { channel: 'book', depth: DEPTH }, symbols, request),
  limits: { symbolsPerSocket: 100, messagesPerSecond: 5 },
  heartbeat: { kind: 'client-text', text: '{"method":"ping"}', everyMs: 30_000 },
  // The venue itself sends a heartbeat every second.
  idleMs: 15_000,
  firstBookWithinMs: 5_000,
  book: {
    snapshot: { from: 'push' },
    // There is no sequence: every frame follows, and its checksum says whether one was lost.
    follows: () => 'apply',
    depth: DEPTH,
    checksum: krakenChecksum,
  },
  streams: {
    kinds: ['trades'],
    symbolsPerSocket: 100,
    // What traded before the subscription is not asked for.
    subscribe: (kinds, symbols, request) =>
      kinds.length === 0 ? [] : requestsOf('subscribe', { channel: 'trade', snapshot: false }, symbols, request),
  },
  poll: { path: (symbol) => `/0/public/Depth?pair=${altNameOf(symbol)}&count=500`, decode: decodeDepth },
  decode,
};

/** The first generation, which recordings still speak: arrays that end with channel and pair, old asset codes. */
const spotV1: Market = {
  id: 'spot-v1',
  wsUrl: 'wss://ws.kraken.com',
  restUrl: REST_URL,
  defaultFees: spot.defaultFees,
  instruments: {
    paths: spot.instruments.paths,
    parse: (bodies, fees) => parseInstruments(bodies, fees).map(inV1),
  },
  subscribe: (symbols) => requestsOfV1('subscribe', symbols),
  unsubscribe: (symbols) => requestsOfV1('unsubscribe', symbols),
  limits: spot.limits,
  heartbeat: { kind: 'client-text', text: '{"event":"ping"}', everyMs: 30_000 },
  idleMs: spot.idleMs,
  firstBookWithinMs: spot.firstBookWithinMs,
  book: spot.book,
  decode: decodeV1,
};

/** @see https://docs.kraken.com/api/docs/websocket-v2/book */
export const kraken: Venue = {
  id: KRAKEN,
  markets: [spot],
  recorded: [spotV1],
  // Last in the file, made when it is asked for.
  get accounts() {
    return [account];
  },
};

function requestsOf(
  method: string,
  channel: Readonly<Record<string, unknown>>,
  symbols: readonly string[],
  request: number,
): readonly string[] {
  return batchesOf(symbols, 50).map((symbol, at) =>
    JSON.stringify({ method, params: { ...channel, symbol }, req_id: request * 100 + at }),
  );
}

const requestsOfV1 = (event: string, symbols: readonly string[]): readonly string[] =>
  batchesOf(symbols, 50).map((pair) => JSON.stringify({ event, pair, subscription: { name: 'book', depth: DEPTH } }));

const inV1 = (instrument: Instrument): Instrument => ({
  ...instrument,
  market: 'spot-v1',
  venueSymbol: [instrument.base, instrument.quote].map((code) => OLD_CODES[code] ?? code).join('/'),
});

const KEY = {
  channel: keyCode('channel'),
  type: keyCode('type'),
  data: keyCode('data'),
  symbol: keyCode('symbol'),
  bids: keyCode('bids'),
  asks: keyCode('asks'),
  checksum: keyCode('checksum'),
  timestamp: keyCode('timestamp'),
  method: keyCode('method'),
  success: keyCode('success'),
  error: keyCode('error'),
  side: keyCode('side'),
  price: keyCode('price'),
  qty: keyCode('qty'),
  result: keyCode('result'),
} as const;
const BOOK = bytesOf('book');
const TRADE = bytesOf('trade');
const TYPE_SNAPSHOT = bytesOf('snapshot');
const TYPE_UPDATE = bytesOf('update');
const PONG = bytesOf('pong');
const BUY = bytesOf('buy');
const SELL = bytesOf('sell');
const LETTER_F = 0x66;

const SYMBOL = 1;
const BIDS = 2;
const ASKS = 4;
const CHECKSUM = 8;
const WHOLE = SYMBOL | BIDS | ASKS | CHECKSUM;

/** A change as it usually comes. */
const UPDATE_SHAPE = shapeOf(
  '{"channel":"book","type":"update","data":[{"symbol":"<text>","bids":<objects>,"asks":<objects>,"checksum":<integer>,"timestamp":"<text>"}]}',
);

function decode(frame: Frame, sink: MarketSink): void {
  if (frame.has(UPDATE_SHAPE)) takeUpdate(frame, sink);
  else decodeAny(frame, sink);
}

function takeUpdate(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  frame.shapedText(1);
  setVenueTime(frame, update);
  frame.shapedText(0);
  const instrument = sink.find(frame, frame.textStart, frame.textEnd);
  if (instrument === -1) return;
  update.kind = DELTA;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = FOUND_NUMBERS[0]!;
  frame.shapedLevels(0, update.bids);
  frame.shapedLevels(1, update.asks);
  sink.publish();
}

/** `{"channel":"book"|"trade","type":…,"data":[…]}`; control frames begin with another key. Tickers tell no more than the book. */
function decodeAny(frame: Frame, sink: MarketSink): void {
  let channel: Uint8Array | undefined;
  let kind: MarketUpdate['kind'] | undefined;
  let dataAt = -1;
  let followed = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      frame.string();
      channel = frame.textIs(BOOK) ? BOOK : frame.textIs(TRADE) ? TRADE : undefined;
      if (channel === undefined) return;
    } else if (key === KEY.type && channel !== undefined) kind = readType(frame);
    else if (key === KEY.data && kind !== undefined) {
      dataAt = frame.at;
      if (channel === BOOK) followed = readBook(frame, sink, kind);
      else frame.skip();
    } else if (key === KEY.method || key === KEY.error) {
      control(frame, sink, key);
      return;
    } else frame.skip();
  }
  frame.finish();
  if (channel === undefined) return;
  if (dataAt < 0) throw new BadInput(`kraken: a frame without type or data: ${frame.text().slice(0, 120)}`);
  if (followed) sink.publish();
  if (channel === BOOK || kind === SNAPSHOT) return;
  // The whole frame has been passed: half a one publishes nothing.
  frame.at = dataAt;
  readTrades(frame, sink);
}

const V1 = {
  snapshotAsks: keyCode('as'),
  snapshotBids: keyCode('bs'),
  asks: keyCode('a'),
  bids: keyCode('b'),
  checksum: keyCode('c'),
} as const;
const V1_BOOK = bytesOf('book-');
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;

/** `[channel, {"as":…,"bs":…}, "book-1000", "XBT/USD"]`, or `{"a":…,"c":…}`, `{"b":…,"c":…}`, or both of these one after the other. */
function decodeV1(frame: Frame, sink: MarketSink): void {
  if (frame.peek() !== OPEN_BRACKET) {
    controlV1(frame, sink);
    return;
  }
  const { update } = sink;
  const start = frame.at;
  const named = nameOfV1(frame, sink);
  if (!named) return;
  frame.at = start;
  resetV1(update);
  let seen = 0;
  frame.firstElement();
  do {
    if (frame.peek() === OPEN_BRACE) seen |= readSidesV1(frame, update);
    else frame.skip();
  } while (frame.nextElement());
  frame.finish();
  const isSnapshot = (seen & (V1_SNAPSHOT | ASKS | BIDS)) === (V1_SNAPSHOT | ASKS | BIDS);
  if (!isSnapshot && ((seen & V1_SNAPSHOT) !== 0 || (seen & CHECKSUM) === 0 || (seen & (ASKS | BIDS)) === 0)) {
    throw new BadInput(`kraken: fields are missing: ${frame.text().slice(0, 120)}`);
  }
  update.kind = isSnapshot ? SNAPSHOT : DELTA;
  sink.publish();
}

/** The last two elements say what the frame is of; false when it is no book that we follow. */
function nameOfV1(frame: Frame, sink: MarketSink): boolean {
  let isBook = false;
  let texts = 0;
  let instrument: ReturnType<MarketSink['find']> = -1;
  if (!frame.firstElement()) return false;
  do {
    if (frame.peek() !== QUOTE) {
      frame.skip();
      continue;
    }
    frame.string();
    texts += 1;
    if (texts === 1) isBook = startsWith(frame, V1_BOOK);
    else instrument = sink.find(frame, frame.textStart, frame.textEnd);
  } while (frame.nextElement());
  if (!isBook || instrument === -1) return false;
  sink.update.instrument = instrument;
  return true;
}

function startsWith({ bytes, textStart, textEnd }: Frame, prefix: Uint8Array): boolean {
  if (textEnd - textStart < prefix.length) return false;
  return prefix.every((byte, at) => bytes[textStart + at] === byte);
}

function resetV1(update: MarketUpdate): void {
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  // Either side may be absent.
  for (const side of [update.asks, update.bids]) {
    side.count = 0;
    side.priceDecimals = 0;
    side.qtyDecimals = 0;
  }
}

const V1_SNAPSHOT = 16;

function readSidesV1(frame: Frame, update: MarketUpdate): number {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === V1.asks || key === V1.snapshotAsks) {
      frame.levels(update.asks);
      seen |= ASKS | (key === V1.snapshotAsks ? V1_SNAPSHOT : 0);
    } else if (key === V1.bids || key === V1.snapshotBids) {
      frame.levels(update.bids);
      seen |= BIDS | (key === V1.snapshotBids ? V1_SNAPSHOT : 0);
    } else if (key === V1.checksum) {
      frame.integer();
      update.checksum = frame.value;
      // It names the state that the frame leads to.
      update.lastSequence = frame.value;
      seen |= CHECKSUM;
    } else frame.skip();
  }
  return seen;
}

/** `{"event":"subscriptionStatus"|"systemStatus"|"heartbeat"|"pong",…}`. */
function controlV1(frame: Frame, sink: MarketSink): void {
  const text = frame.text();
  if (text.includes('"event":"pong"')) sink.control('pong', text);
  else if (text.includes('"status":"error"')) sink.control('error', text);
  else if (text.includes('"event":"subscriptionStatus"')) sink.control('ack', text);
}

function readType(frame: Frame): MarketUpdate['kind'] {
  frame.string();
  if (frame.textIs(TYPE_SNAPSHOT)) return SNAPSHOT;
  if (frame.textIs(TYPE_UPDATE)) return DELTA;
  throw new BadInput(`kraken: unknown type: ${frame.text().slice(0, 120)}`);
}

/** The array holds one book; false when it is of an instrument that we do not follow. */
function readBook(frame: Frame, sink: MarketSink, kind: MarketUpdate['kind']): boolean {
  const { update } = sink;
  let seen = 0;
  let followed = false;
  update.kind = kind;
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.venueTimeMs = NaN;
  if (!frame.firstElement()) throw new BadInput('kraken: a book frame without a book');
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      followed = instrument !== -1;
      if (instrument !== -1) update.instrument = instrument;
      seen |= SYMBOL;
    } else if (key === KEY.bids) {
      frame.levelObjects(update.bids);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      frame.levelObjects(update.asks);
      seen |= ASKS;
    } else if (key === KEY.checksum) {
      frame.integer();
      update.checksum = frame.value;
      seen |= CHECKSUM;
    } else if (key === KEY.timestamp) readVenueTime(frame, update);
    else frame.skip();
  }
  if (frame.nextElement()) throw new BadInput('kraken: two books in a frame');
  if (seen !== WHOLE) throw new BadInput(`kraken: fields are missing: ${frame.text().slice(0, 120)}`);
  return followed;
}

const SIDE = 16;
const WHOLE_TRADE = SYMBOL | SIDE;
const trade = new Float64Array(2);

/** @see https://docs.kraken.com/api/docs/websocket-v2/trade : `side` is the taker's. */
function readTrades(frame: Frame, sink: MarketSink): void {
  const { print } = sink;
  if (!frame.firstElement()) return;
  do {
    let seen = 0;
    let followed = false;
    trade.fill(NaN);
    print.venueTimeMs = NaN;
    for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
      if (key === KEY.symbol) {
        frame.string();
        const instrument = sink.find(frame, frame.textStart, frame.textEnd);
        followed = instrument !== -1;
        if (instrument !== -1) print.instrument = instrument;
        seen |= SYMBOL;
      } else if (key === KEY.side) {
        frame.string();
        print.taker = takerOf(frame);
        seen |= SIDE;
      } else if (key === KEY.price) frame.number(trade, 0);
      else if (key === KEY.qty) frame.number(trade, 1);
      else if (key === KEY.timestamp) readVenueTime(frame, print);
      else frame.skip();
    }
    if (seen !== WHOLE_TRADE || !(trade[0]! > 0 && trade[1]! > 0)) {
      throw new BadInput(`kraken: not a trade: ${frame.text().slice(0, 120)}`);
    }
    print.price = trade[0]!;
    print.qty = trade[1]!;
    if (followed) sink.publishPrint();
  } while (frame.nextElement());
}

function takerOf(frame: Frame): 1 | -1 {
  if (frame.textIs(BUY)) return 1;
  if (frame.textIs(SELL)) return -1;
  throw new BadInput(`kraken: unknown side: ${frame.text().slice(0, 120)}`);
}

/**
 * `{"error":[],"result":{"XXBTZUSD":{"asks":[["price","qty",seconds],…],"bids":[…]}}}`, for watching only: no checksum.
 * @see https://docs.kraken.com/api-reference/market-data/get-order-book
 */
function decodeDepth(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let seen = 0;
  update.kind = SNAPSHOT;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key !== KEY.result) {
      frame.skip();
      continue;
    }
    // The one key of the result is the pair, in the spelling of REST.
    if (frame.firstKey() === END) throw new BadInput('kraken: a depth without a pair');
    for (let side = frame.firstKey(); side !== END; side = frame.nextKey()) {
      if (side === KEY.bids) {
        frame.levels(update.bids);
        seen |= BIDS;
      } else if (side === KEY.asks) {
        frame.levels(update.asks);
        seen |= ASKS;
      } else frame.skip();
    }
    if (frame.nextKey() !== END) throw new BadInput('kraken: two pairs in a depth');
  }
  frame.finish();
  if (seen !== (BIDS | ASKS)) throw new BadInput(`kraken: not a depth: ${frame.text().slice(0, 120)}`);
  sink.publish();
}

const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

type Timed = Pick<MarketUpdate, 'venueTimeMs'>;

function readVenueTime(frame: Frame, told: Timed): void {
  frame.string();
  setVenueTime(frame, told);
}

/** Powers of ten, by the count of decimals of a second. */
const FRACTIONS = Float64Array.from({ length: 10 }, (_none, decimals) => 10 ** decimals);

/** The string read last, `2025-05-06T09:17:26.208075Z`, in Unix milliseconds: no Date is made, and no double returned, which would be boxed. */
function setVenueTime(frame: Frame, told: Timed): void {
  const { bytes, textStart: at, textEnd } = frame;
  const decimals = Math.max(0, textEnd - at - 21);
  const days = daysFrom(wholeAt(bytes, at, 4), wholeAt(bytes, at + 5, 2), wholeAt(bytes, at + 8, 2));
  const seconds = (wholeAt(bytes, at + 11, 2) * 60 + wholeAt(bytes, at + 14, 2)) * 60 + wholeAt(bytes, at + 17, 2);
  const fraction = wholeAt(bytes, at + 20, decimals);
  const isShaped =
    decimals <= 9 && textEnd - at !== 21 && bytes[at + 10] === LETTER_T && bytes[textEnd - 1] === LETTER_Z;
  if (!isShaped || days < 0 || seconds < 0 || fraction < 0) {
    throw new BadInput(`kraken: not a timestamp: ${frame.text(at, textEnd).slice(0, 40)}`);
  }
  told.venueTimeMs = days * 86_400_000 + (seconds + fraction / FRACTIONS[decimals]!) * 1e3;
}

/** Not a number of digits: negative enough to stay so in any sum here. */
const NOT_DIGITS = -(2 ** 28);

/** The whole number in `count` bytes, at most nine of them. */
function wholeAt(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let at = from; at < from + count && at < from + 9; at += 1) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return NOT_DIGITS;
    value = value * 10 + digit;
  }
  return value;
}

/** Days since 1970-01-01 of a date of our era. @see https://howardhinnant.github.io/date_algorithms.html#days_from_civil */
function daysFrom(year: number, month: number, day: number): number {
  if (year < 1970 || month < 1 || month > 12 || day < 1) return NOT_DIGITS;
  const inYear = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return (
    inYear * 365 + Math.floor(inYear / 4) - Math.floor(inYear / 100) + Math.floor(inYear / 400) + dayOfYear - 719_468
  );
}

/** `{"method":"pong"|"subscribe"|…,"success":true|false}` or `{"error":…}`. */
function control(frame: Frame, sink: MarketSink, firstKey: number): void {
  let kind: 'ack' | 'pong' | 'error' = 'ack';
  for (let key = firstKey; key !== END; key = frame.nextKey()) {
    if (key === KEY.method) {
      frame.string();
      if (frame.textIs(PONG)) kind = 'pong';
      continue;
    }
    if (key === KEY.error || (key === KEY.success && frame.peek() === LETTER_F)) kind = 'error';
    frame.skip();
  }
  sink.control(kind, frame.text());
}

const listing = z.object({
  wsname: z.string().optional(),
  pair_decimals: z.int(),
  lot_decimals: z.int(),
  tick_size: z.string().optional(),
  ordermin: z.string().optional(),
  costmin: z.string().optional(),
  status: z.string().optional(),
});
type Listing = z.infer<typeof listing>;
const assetPairs = z.object({ error: z.array(z.string()).length(0), result: z.record(z.string(), listing) });

function parseInstruments(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    Object.values(bodyFrom(assetPairs, body, 'kraken AssetPairs').result).flatMap((entry) =>
      instrumentFrom(entry, fees),
    ),
  );
}

/** The v2 socket spells assets as everybody does; REST still has the old codes. */
const RENAMED: Readonly<Record<string, string>> = { XBT: 'BTC', XDG: 'DOGE' };
const OLD_CODES: Readonly<Record<string, string>> = { BTC: 'XBT', DOGE: 'XDG' };

/** Empty for dark pools, which have no name on the socket. */
function instrumentFrom(entry: Listing, fees: Fees): readonly Instrument[] {
  const [base, quote] = (entry.wsname ?? '').split('/').map((code) => RENAMED[code] ?? code);
  if (base === undefined || quote === undefined || base === '' || quote === '') return [];
  const symbol = `${base}/${quote}`;
  const lot = amountOf(10).pow(-entry.lot_decimals);
  return [
    {
      id: idOf(KRAKEN, symbol),
      venue: KRAKEN,
      market: 'spot',
      symbol,
      venueSymbol: symbol,
      kind: 'spot',
      base: asset(base),
      quote: asset(quote),
      settle: asset(quote),
      contractSize: amountOf(1),
      inverse: false,
      tick: entry.tick_size === undefined ? amountOf(10).pow(-entry.pair_decimals) : decimalFrom(entry.tick_size),
      lot,
      minQty: entry.ordermin === undefined ? lot : decimalFrom(entry.ordermin),
      minNotional: decimalFrom(entry.costmin ?? '0'),
      fees,
      status: entry.status === undefined || entry.status === 'online' ? 'trading' : 'halted',
    },
  ];
}

// The account: REST below /0/private, and the socket for orders and their fate.

const AUTH_URL = 'wss://ws-auth.kraken.com/v2';

/** Of a pair as REST takes it, from its name on the socket: `BTC/USD` → `XBTUSD`. */
const altNameOf = (symbol: string): string =>
  symbol
    .split('/')
    .map((code) => OLD_CODES[code] ?? code)
    .join('');

/** The first assets of the venue have a class letter before their code in REST: `XXBT`, `ZUSD`. None has been added since. */
const CLASSED =
  /^(?:X(?=(?:ETC|ETH|LTC|MLN|REP|XBT|XDG|XLM|XMR|XRP|ZEC)(?:[.]|$))|Z(?=(?:AUD|CAD|EUR|GBP|JPY|USD)(?:[.]|$)))/;

/** `XXBT` → `BTC`, `ZUSD` → `USD`; `XBT.F` (lent out, not for trading) stays apart as `BTC.F`. */
function assetOf(code: string): string {
  const [name = '', ...suffix] = code.replace(CLASSED, '').split('.');
  return [RENAMED[name] ?? name, ...suffix].join('.');
}

/** REST answers with a pair's id, `XXBTZUSD`, or its alternative name, `XBTUSD`: both without class letters are one. */
function instrumentNamed(instruments: readonly Instrument[], pair: string): Instrument | undefined {
  const split = /^([XZ]\w{3})([XZ]\w{3})$/.exec(pair);
  const parts = (split?.slice(1) ?? [pair]).map((part) => part.replace(CLASSED, ''));
  const plain = parts.join('');
  return instruments.find(({ venueSymbol }) => {
    const name = altNameOf(venueSymbol);
    return name === plain || name === pair;
  });
}

/**
 * What refusals mean. An answer of a service that is overrun or away may stand for an order that was taken all the same.
 * @see https://docs.kraken.com/api/docs/guides/spot-errors
 */
const ERRORS: Readonly<Record<string, Meaning>> = {
  'EAPI:Invalid key': 'unauthorised',
  'EAPI:Invalid signature': 'unauthorised',
  'EAPI:Invalid nonce': 'clock-skew',
  'EAPI:Rate limit exceeded': 'rate-limited',
  'EAPI:Bad request': 'invalid-order',
  'EAPI:Feature disabled': 'not-allowed',
  'EAccount:Invalid permissions': 'unauthorised',
  'EAuth:Account temporary disabled': 'unauthorised',
  'EAuth:Account unconfirmed': 'unauthorised',
  'EAuth:Rate limit exceeded': 'rate-limited',
  'EAuth:Too many requests': 'rate-limited',
  'EDatabase:Internal error': 'in-doubt',
  'EGeneral:Internal error': 'in-doubt',
  'EGeneral:Invalid arguments': 'invalid-order',
  'EGeneral:Permission denied': 'unauthorised',
  'EGeneral:Temporary lockout': 'rate-limited',
  'EGeneral:Too many requests': 'rate-limited',
  'EGeneral:Unknown method': 'invalid-order',
  'EOrder:Cannot open opposing position': 'not-allowed',
  'EOrder:Cannot open position': 'not-allowed',
  'EOrder:Cost minimum not met': 'below-minimum',
  'EOrder:Domain rate limit exceeded': 'rate-limited',
  'EOrder:Insufficient funds': 'insufficient-funds',
  'EOrder:Insufficient margin': 'insufficient-funds',
  'EOrder:Invalid order': 'invalid-order',
  'EOrder:Invalid price': 'invalid-order',
  'EOrder:Margin allowance exceeded': 'insufficient-funds',
  'EOrder:Margin level too low': 'insufficient-funds',
  'EOrder:Margin position size exceeded': 'not-allowed',
  'EOrder:Order minimum not met': 'below-minimum',
  'EOrder:Orders limit exceeded': 'not-allowed',
  'EOrder:Positions limit exceeded': 'not-allowed',
  'EOrder:Post only order': 'would-take',
  'EOrder:Rate limit exceeded': 'rate-limited',
  'EOrder:Reduce only': 'reduce-only',
  'EOrder:Scheduled orders limit exceeded': 'not-allowed',
  'EOrder:Tick size check failed': 'invalid-order',
  'EOrder:Trading agreement required': 'not-allowed',
  'EOrder:Unknown order': 'not-found',
  'EOrder:Unknown position': 'not-allowed',
  'EQuery:Invalid asset pair': 'invalid-order',
  'EQuery:Unknown asset': 'invalid-order',
  'EQuery:Unknown asset pair': 'invalid-order',
  'EService:Busy': 'in-doubt',
  'EService:Deadline elapsed': 'not-filled',
  'EService:Market in cancel_only mode': 'not-allowed',
  'EService:Market in limit_only mode': 'not-allowed',
  'EService:Market in post_only mode': 'not-allowed',
  'EService:Throttled': 'rate-limited',
  'EService:Timeout': 'in-doubt',
  'EService:Unavailable': 'in-doubt',
  'ESession:Invalid session': 'unauthorised',
  'ETrade:User Locked': 'unauthorised',
  'Currency pair not supported': 'invalid-order',
};

/** Refusals that name a detail mean what they mean without it: `EGeneral:Invalid arguments:volume`, `Currency pair not supported BTC/XYZ`. */
function refusalFrom(text: string): Refusal {
  const code = Object.keys(ERRORS).find(
    (known) => text === known || text.startsWith(`${known}:`) || text.startsWith(`${known} `),
  );
  return refused(code === undefined ? 'unlisted' : ERRORS[code]!, text.slice(0, 80), text);
}

const failure = z.object({ error: z.array(z.string()).min(1) });

/** An error or nothing; texts that begin with W only warn. */
function refusalIn(body: unknown): Refusal | undefined {
  const parsed = failure.safeParse(body);
  const error = parsed.data?.error.find((text) => !text.startsWith('W'));
  return error === undefined ? undefined : refusalFrom(error);
}

type Form = Readonly<Record<string, string | number | boolean | undefined>>;

/** REST's own counter rises by one a call and by two for histories; orders have a counter of their own. */
const REST: Weight = { rest: 1 };
const HISTORY: Weight = { rest: 2 };
const ORDER: Weight = { trading: 1 };

/**
 * API-Sign = base64 of HMAC-SHA512, keyed by the decoded secret, over the path and the SHA-256 of nonce and body.
 * @see https://docs.kraken.com/api/docs/guides/spot-rest-auth
 */
function signedHeaders(path: string, body: string, type: string, { credentials, nonce }: AccountContext) {
  const signed = Buffer.concat([Buffer.from(path), hash('sha256', `${nonce}${body}`)]);
  return {
    'API-Key': credentials.apiKey,
    'API-Sign': hmac('sha512', Buffer.from(credentials.secret, 'base64'), signed, 'base64'),
    'Content-Type': type,
  };
}

type Question<T, V> = {
  readonly method: string;
  readonly form?: Form;
  readonly weight: Weight;
  readonly result: z.ZodType<T>;
  readonly valueOf: (result: T) => Answer<V>;
};

function callOf<T, V>(
  { method, form = {}, weight, result, valueOf }: Question<T, V>,
  context: AccountContext,
): Call<V> {
  const path = `/0/private/${method}`;
  const body = queryOf({ nonce: context.nonce, ...form });
  return {
    method: 'POST',
    path,
    headers: signedHeaders(path, body, 'application/x-www-form-urlencoded', context),
    body,
    weight,
    read: (reply) => answerOf(reply, result, valueOf),
  };
}

/** What the envelope `{"error":[],"result":…}` holds. */
function answerOf<T, V>(reply: Reply, result: z.ZodType<T>, valueOf: (result: T) => Answer<V>): Answer<V> {
  const answer = answerFrom(reply, z.object({ result }), {
    refusalOf: refusalIn,
    valueOf: (body) => valueOf(body.result),
  });
  if (answer.kind === 'ok') return answer.value;
  const { kind, meaning, code, text } = answer;
  return { kind, meaning, code, text };
}

const seconds = z.string().transform((text) => Number(text) * 1_000);

const restOrder = z.object({
  cl_ord_id: z.string().nullish(),
  status: z.enum(['pending', 'open', 'closed', 'canceled', 'expired']),
  reason: z.string().nullish(),
  opentm: seconds,
  closetm: seconds.optional(),
  descr: z.object({ pair: z.string(), type: z.enum(['buy', 'sell']), ordertype: z.string(), price: z.string() }),
  vol: decimalText,
  vol_exec: decimalText,
});
type RestOrder = z.infer<typeof restOrder>;
const restOrders = z.record(z.string(), restOrder);

/** What ended an order that nobody asked to end: its own terms. */
const TERMS: Readonly<Record<string, Meaning>> = { 'Post only order': 'would-take' };
const WAS_ASKED = /request|user|cancel/i;

type Ending = { readonly status: 'canceled' | 'expired'; readonly reason?: Meaning };

/** The venue calls it canceled, whoever did it; only the reason tells. */
function endingOf(status: 'canceled' | 'expired', reason: string | null | undefined): Ending {
  const byTerms = status === 'expired' || (typeof reason === 'string' && reason !== '' && !WAS_ASKED.test(reason));
  if (!byTerms) return { status: 'canceled' };
  const meaning = TERMS[reason ?? ''];
  return { status: 'expired', ...(meaning === undefined ? {} : { reason: meaning }) };
}

function stateOf(id: string, order: RestOrder, { venueSymbol }: Instrument): OrderState {
  const { status, descr } = order;
  const ended = status === 'canceled' || status === 'expired' ? endingOf(status, order.reason) : undefined;
  return {
    venueSymbol,
    clientOrderId: order.cl_ord_id ?? '',
    venueOrderId: id,
    side: descr.type,
    ...(ended ?? { status: status === 'closed' ? 'filled' : 'open' }),
    ...(descr.ordertype === 'limit' ? { price: decimalOrZeroOf(descr.price) } : {}),
    qty: order.vol,
    filled: order.vol_exec,
    timeMs: order.closetm ?? order.opentm,
  };
}

const notFound = (what: string): Refusal => refused('not-found', 'EOrder:Unknown order', `no order ${what}`);

/** By the venue's id in one call; by ours first among the open orders, then among the ended ones. */
function query(order: OrderRef, context: AccountContext): Call<OrderState> {
  const { venueOrderId, clientOrderId, instrument } = order;
  const found = (orders: Readonly<Record<string, RestOrder>>, what: string): Answer<OrderState> => {
    const hit = Object.entries(orders).find(([id, each]) => id === venueOrderId || each.cl_ord_id === clientOrderId);
    return hit === undefined ? notFound(what) : ok(stateOf(...hit, instrument));
  };
  if (venueOrderId !== undefined) {
    const form = { txid: venueOrderId };
    const valueOf = (orders: Readonly<Record<string, RestOrder>>) => found(orders, venueOrderId);
    return callOf({ method: 'QueryOrders', form, weight: REST, result: restOrders, valueOf }, context);
  }
  const form = { cl_ord_id: clientOrderId };
  const closed = (later: AccountContext): Call<OrderState> =>
    callOf(
      {
        method: 'ClosedOrders',
        form,
        weight: HISTORY,
        result: z.object({ closed: restOrders }),
        valueOf: (result) => found(result.closed, clientOrderId),
      },
      later,
    );
  return callOf(
    {
      method: 'OpenOrders',
      form,
      weight: REST,
      result: z.object({ open: restOrders }),
      valueOf: (result) => {
        const answer = found(result.open, clientOrderId);
        return answer.kind === 'ok' ? answer : { ...answer, elsewhere: closed };
      },
    },
    context,
  );
}

/** All of the account; the venue cannot be asked for less. */
function openOrdersCall<V>(
  instruments: readonly Instrument[],
  valueOf: (orders: readonly OrderState[]) => Answer<V>,
  context: AccountContext,
): Call<V> {
  return callOf(
    {
      method: 'OpenOrders',
      weight: REST,
      result: z.object({ open: restOrders }),
      valueOf: ({ open }) =>
        valueOf(
          Object.entries(open).flatMap(([id, order]) => {
            const instrument = instrumentNamed(instruments, order.descr.pair);
            return instrument === undefined ? [] : [stateOf(id, order, instrument)];
          }),
        ),
    },
    context,
  );
}

const CANCEL_BATCH = 50;
/** What a cancellation costs on the order counter, by the order's age: the younger, the dearer. */
const CANCEL_COSTS: readonly (readonly [belowMs: number, units: number])[] = [
  [5_000, 8],
  [10_000, 6],
  [15_000, 5],
  [45_000, 4],
  [90_000, 2],
  [300_000, 1],
];

const cancelWeight = (ageMs: number): Weight => ({
  trading: CANCEL_COSTS.find(([belowMs]) => ageMs < belowMs)?.[1] ?? 0,
});

/**
 * CancelAll would end the orders of every pair: the open ones of these are listed first, then cancelled by their ids. The value is how many are left to cancel.
 */
function cancelAll(instruments: readonly Instrument[], context: AccountContext): readonly Call<unknown>[] {
  const listed = (orders: readonly OrderState[]): Answer<number> =>
    cancelling(orders.map(({ venueOrderId }) => venueOrderId));
  return [openOrdersCall(instruments, listed, context)];
}

const cancelling = (ids: readonly string[]): Answer<number> =>
  ids.length === 0 ? ok(0) : { kind: 'ok', value: ids.length, more: (later) => cancelBatch(ids, later) };

/** @see https://docs.kraken.com/api-reference/trading/cancel-order-batch */
function cancelBatch(ids: readonly string[], context: AccountContext): Call<number> {
  const path = '/0/private/CancelOrderBatch';
  const orders = ids.slice(0, CANCEL_BATCH);
  const body = JSON.stringify({ nonce: context.nonce, orders });
  return {
    method: 'POST',
    path,
    headers: signedHeaders(path, body, 'application/json', context),
    body,
    weight: cancelWeight(0),
    read: (reply) => answerOf(reply, z.object({ count: z.string() }), () => cancelling(ids.slice(CANCEL_BATCH))),
  };
}

const restTrade = z.object({
  ordertxid: z.string(),
  pair: z.string(),
  time: seconds,
  type: z.enum(['buy', 'sell']),
  price: decimalText,
  fee: decimalText,
  vol: decimalText,
  maker: z.boolean().optional(),
  cl_ord_id: z.string().nullish(),
});
const restTrades = z.object({ trades: z.record(z.string(), restTrade), count: z.string().optional() });

/** Newest first, as many a page as the venue likes; `count` says how many there are. */
function fillsCall(
  instruments: readonly Instrument[],
  sinceMs: number,
  offset: number,
  context: AccountContext,
): Call<readonly VenueFill[]> {
  // The start is exclusive and in seconds.
  const form = { start: Math.floor(sinceMs / 1_000) - 1, ofs: offset === 0 ? undefined : offset };
  return callOf(
    {
      method: 'TradesHistory',
      form,
      weight: HISTORY,
      result: restTrades,
      valueOf: ({ trades, count }): Answer<readonly VenueFill[]> => {
        const page = Object.entries(trades);
        const value = page.flatMap(([id, each]) => {
          const instrument = instrumentNamed(instruments, each.pair);
          return instrument === undefined || each.time < sinceMs ? [] : [fillOf(id, each, instrument)];
        });
        const next = offset + page.length;
        const isLast = page.length === 0 || next >= Number(count ?? next);
        if (isLast) return ok(value);
        return { kind: 'ok', value, more: (later) => fillsCall(instruments, sinceMs, next, later) };
      },
    },
    context,
  );
}

const fillOf = (id: string, each: z.infer<typeof restTrade>, { venueSymbol }: Instrument): VenueFill => ({
  venueSymbol,
  clientOrderId: each.cl_ord_id ?? '',
  venueOrderId: each.ordertxid,
  tradeId: id,
  side: each.type,
  price: each.price,
  qty: each.vol,
  fee: each.fee,
  // Our orders ask for fees in the quote asset; the history does not repeat it.
  feeAsset: '',
  liquidity: each.maker === true ? 'maker' : 'taker',
  timeMs: each.time,
});

const restBalances = z.record(
  z.string(),
  z.object({
    balance: decimalText,
    hold_trade: decimalText,
    credit: decimalText.optional(),
    credit_used: decimalText.optional(),
  }),
);

/** Available = balance + credit − used credit − what open orders hold. @see https://docs.kraken.com/api-reference/account-data/get-extended-balance */
const balances = (context: AccountContext): Call<readonly BalanceState[]> =>
  callOf(
    {
      method: 'BalanceEx',
      weight: REST,
      result: restBalances,
      valueOf: (result) =>
        ok(
          Object.entries(result).map(([code, { balance, hold_trade: held, credit, credit_used: used }]) => ({
            asset: assetOf(code),
            total: balance,
            available: balance
              .plus(credit ?? 0)
              .minus(used ?? 0)
              .minus(held),
          })),
        ),
    },
    context,
  );

const feeTier = z.record(z.string(), z.object({ fee: decimalText }));
const tradeVolume = z.object({ fees: feeTier, fees_maker: feeTier.nullish() });
const FEE_PAIRS = 50;

/** In percent; a pair without a maker's schedule has one fee for both. */
const fees = (instruments: readonly Instrument[], context: AccountContext): readonly Call<readonly FeeState[]>[] =>
  batchesOf(instruments, FEE_PAIRS).map((batch) =>
    callOf(
      {
        method: 'TradeVolume',
        form: { pair: batch.map(({ venueSymbol }) => altNameOf(venueSymbol)).join(',') },
        weight: REST,
        result: tradeVolume,
        valueOf: (result) =>
          ok(
            Object.entries(result.fees).flatMap(([pair, { fee }]) => {
              const instrument = instrumentNamed(batch, pair);
              const maker = result.fees_maker?.[pair]?.fee ?? fee;
              if (instrument === undefined) return [];
              return [
                { venueSymbol: instrument.venueSymbol, market: 'spot', maker: maker.div(100), taker: fee.div(100) },
              ];
            }),
          ),
      },
      context,
    ),
  );

/** @see https://docs.kraken.com/api-reference/account-data/get-api-key-info */
const permissions = (context: AccountContext): Call<KeyPermissions> =>
  callOf(
    {
      method: 'GetApiKeyInfo',
      weight: REST,
      result: z.object({ permissions: z.array(z.string()) }),
      valueOf: ({ permissions: granted }) =>
        ok({ trade: granted.includes('modify-trades'), withdraw: granted.includes('withdraw-funds') }),
    },
    context,
  );

/** @see https://docs.kraken.com/api/docs/rest-api/add-order */
const place = (order: OrderTicket, context: AccountContext): Call<Placed> =>
  callOf(
    {
      method: 'AddOrder',
      form: {
        pair: altNameOf(order.instrument.venueSymbol),
        type: order.side,
        ordertype: order.type,
        volume: order.qty,
        cl_ord_id: order.clientOrderId,
        price: order.type === 'limit' ? order.price : undefined,
        timeinforce: isImmediate(order) ? 'IOC' : undefined,
        oflags: order.postOnly ? 'post,fciq' : 'fciq',
      },
      weight: ORDER,
      result: z.object({ txid: z.array(z.string()).min(1) }),
      valueOf: ({ txid }) => ok({ venueOrderId: txid[0]! }),
    },
    context,
  );

function isImmediate(order: OrderTicket): boolean {
  assert(refuses(order) === undefined, 'an order that the venue cannot express is never sent');
  return order.type === 'limit' && order.timeInForce === 'IOC';
}

const cancel = (order: OrderRef, context: AccountContext): Call<unknown> =>
  callOf(
    {
      method: 'CancelOrder',
      form: order.venueOrderId === undefined ? { cl_ord_id: order.clientOrderId } : { txid: order.venueOrderId },
      weight: cancelWeight(context.nowMs - order.sentMs),
      result: z.object({ count: z.string() }),
      valueOf: ({ count }) => (count === '0' ? refused('not-open', 'count 0', 'nothing was cancelled') : ok(count)),
    },
    context,
  );

/** The documents name gtc, gtd and ioc. Clients also know fok, which nothing confirms: it is refused. */
function refuses(order: OrderTicket): string | undefined {
  if (order.timeInForce === 'FOK') return 'fill-or-kill is not documented for this venue';
  if (order.reduceOnly) return 'a spot order cannot be reduce-only';
  if (order.postOnly && (order.type === 'market' || order.timeInForce === 'IOC')) {
    return 'post-only does not go with an order that must trade at once';
  }
  return undefined;
}

const token: (context: AccountContext) => Call<string> = (context) =>
  callOf(
    {
      method: 'GetWebSocketsToken',
      weight: REST,
      result: z.object({ token: z.string().min(1) }),
      valueOf: (result) => ok(result.token),
    },
    context,
  );

/** A request over the socket. Quantities and prices are JSON numbers with the digits of our text: never through a double. */
function socketRequest(method: string, request: string, params: Readonly<Record<string, unknown>>, numbers: Form = {}) {
  const bare = Object.entries(numbers).flatMap(([name, text]) => (text === undefined ? [] : `,"${name}":${text}`));
  return `{"method":"${method}","params":${JSON.stringify(params).slice(0, -1)}${bare.join('')}},"req_id":${request}}`;
}

const socketPlace = (order: OrderTicket, _context: AccountContext, request: string, pass: string): string =>
  socketRequest(
    'add_order',
    request,
    {
      order_type: order.type,
      side: order.side,
      symbol: order.instrument.venueSymbol,
      cl_ord_id: order.clientOrderId,
      ...(isImmediate(order) ? { time_in_force: 'ioc' } : {}),
      ...(order.postOnly ? { post_only: true } : {}),
      fee_preference: 'quote',
      token: pass,
    },
    { order_qty: order.qty, limit_price: order.type === 'limit' ? order.price : undefined },
  );

const socketCancel = (order: OrderRef, _context: AccountContext, request: string, pass: string): string => {
  const id =
    order.venueOrderId === undefined ? { cl_ord_id: [order.clientOrderId] } : { order_id: [order.venueOrderId] };
  return socketRequest('cancel_order', request, { ...id, token: pass });
};

const socketAnswer = z.object({
  method: z.string().optional(),
  req_id: z.string().optional(),
  success: z.boolean().optional(),
  error: z.string().optional(),
  result: z.object({ order_id: z.string().optional(), cl_ord_id: z.string().nullish() }).optional(),
});
const TO: Readonly<Record<string, 'place' | 'cancel'>> = { add_order: 'place', cancel_order: 'cancel' };

/** An answer to an order or a cancel; refusals of anything else are errors of the socket. */
function eventsOfAnswer(message: unknown): readonly AccountEvent[] {
  const { method = '', req_id: request, success, error, result } = checked(socketAnswer, message, 'kraken answer');
  if (method === 'pong') return [{ kind: 'pong' }];
  const to = TO[method];
  if (to === undefined) return error === undefined ? [] : [{ kind: 'error', refusal: refusalFrom(error) }];
  const answer: Answer<Placed> =
    error !== undefined
      ? refusalFrom(error)
      : success === true
        ? ok({ venueOrderId: result?.order_id ?? '' })
        : refused('in-doubt', '', 'neither taken nor refused');
  return [{ kind: 'answer', ...(request === undefined ? {} : { request }), to, answer }];
}

const execution = z.object({
  exec_type: z.string(),
  order_id: z.string(),
  cl_ord_id: z.string().nullish(),
  order_status: z.enum(['pending_new', 'new', 'partially_filled', 'filled', 'canceled', 'expired']).optional(),
  symbol: z.string().optional(),
  side: z.enum(['buy', 'sell']).optional(),
  order_type: z.string().optional(),
  order_qty: decimalText.optional(),
  limit_price: decimalText.optional(),
  cum_qty: decimalText.optional(),
  reason: z.string().nullish(),
  timestamp: z.string().optional(),
  exec_id: z.string().optional(),
  last_qty: decimalText.optional(),
  last_price: decimalText.optional(),
  liquidity_ind: z.enum(['m', 't']).optional(),
  fees: z.array(z.object({ asset: z.string(), qty: decimalText })).optional(),
});
type Execution = z.infer<typeof execution>;

/**
 * What one report says. Only the first report of an order describes it; later ones name it and what changed.
 * @see https://docs.kraken.com/exchange/api-reference/spot-websocket-v2/executions
 */
function eventsOfExecution(report: Execution): readonly AccountEvent[] {
  const fill = report.exec_type === 'trade' ? [{ kind: 'fill' as const, fill: fillOfExecution(report) }] : [];
  const status = report.order_status ?? 'new';
  const { symbol, side, order_qty: qty, limit_price: price } = report;
  const filled = report.cum_qty;
  const told = {
    clientOrderId: report.cl_ord_id ?? '',
    venueOrderId: report.order_id,
    timeMs: report.timestamp === undefined ? NaN : Date.parse(report.timestamp),
  };
  const ending =
    status === 'canceled' || status === 'expired'
      ? endingOf(status, report.reason)
      : ({ status: status === 'filled' ? 'filled' : 'open' } as const);
  if (symbol !== undefined && side !== undefined && qty !== undefined) {
    const isPriced = report.order_type === 'limit' && price !== undefined;
    const described = { ...told, venueSymbol: symbol, side, qty, ...(isPriced ? { price } : {}) };
    // A full order that does not say how much is full all the same.
    const unsaid = ending.status === 'filled' ? qty : new Decimal(0);
    return [...fill, { kind: 'order', order: { ...described, ...ending, filled: filled ?? unsaid } }];
  }
  const { status: ended } = ending;
  if (ended === 'open') return fill;
  return [...fill, { kind: 'ended', ...told, ...ending, status: ended, ...(filled === undefined ? {} : { filled }) }];
}

function fillOfExecution(report: Execution): VenueFill {
  const { symbol, side, exec_id: tradeId, last_qty: qty, last_price: price, fees: paid = [] } = report;
  if (symbol === undefined || side === undefined || tradeId === undefined || qty === undefined || price === undefined) {
    throw new BadInput(`kraken: a trade without its terms: ${report.order_id}`);
  }
  return {
    venueSymbol: symbol,
    clientOrderId: report.cl_ord_id ?? '',
    venueOrderId: report.order_id,
    tradeId,
    side,
    price,
    qty,
    fee: paid.reduce((sum, fee) => sum.plus(fee.qty), new Decimal(0)),
    feeAsset: paid[0]?.asset ?? '',
    liquidity: report.liquidity_ind === 'm' ? 'maker' : 'taker',
    timeMs: report.timestamp === undefined ? NaN : Date.parse(report.timestamp),
  };
}

const balance = z.object({
  asset: z.string(),
  balance: decimalText,
  wallet_type: z.string().optional(),
  wallets: z.array(z.object({ type: z.string(), id: z.string(), balance: decimalText })).optional(),
});

/** Totals of the spot wallet: the channel does not say what open orders hold, so no more than `available` is there. */
function eventsOfBalance(row: z.infer<typeof balance>): readonly AccountEvent[] {
  const isSpot = row.wallet_type === undefined || row.wallet_type === 'spot';
  const total = row.wallets?.find(({ type, id }) => type === 'spot' && id === 'main')?.balance ?? row.balance;
  return isSpot ? [{ kind: 'balance', balance: { asset: row.asset, total, available: total } }] : [];
}

const push = z.object({ channel: z.string(), data: z.array(z.unknown()).optional() });

function decodePrivate(frame: Uint8Array): readonly AccountEvent[] {
  const message = jsonOf(frameText(frame));
  if (typeof message !== 'object' || message === null) {
    throw new BadInput(`kraken: not a message: ${frameText(frame).slice(0, 80)}`);
  }
  if (!('channel' in message)) return eventsOfAnswer(message);
  const { channel, data = [] } = checked(push, message, 'kraken push');
  if (channel === 'executions') {
    return data.flatMap((row) => eventsOfExecution(checked(execution, row, 'kraken execution')));
  }
  if (channel === 'balances') return data.flatMap((row) => eventsOfBalance(checked(balance, row, 'kraken balance')));
  return [];
}

const subscribing = (channel: string, pass: string, options: Form): string =>
  JSON.stringify({ method: 'subscribe', params: { channel, ...options, token: pass } });

/** The token opens the session within a quarter of an hour, and holds as long as the socket does. */
const privateSocket: AccountSocket = {
  id: 'private',
  carries: ['events', 'orders'],
  wsUrl: AUTH_URL,
  pass: { ask: token },
  login: () => [],
  subscribe: (_instruments, _context, pass) => [
    subscribing('executions', pass, { snap_orders: true, snap_trades: true }),
    subscribing('balances', pass, { snapshot: true }),
  ],
  orders: { weight: ORDER, place: socketPlace, cancel: socketCancel },
  heartbeat: { kind: 'client-text', text: () => '{"method":"ping"}', everyMs: 30_000 },
  idleMs: 15_000,
  decode: decodePrivate,
};

const dayMs = 86_400_000;

const account: Account = {
  id: 'spot',
  markets: ['spot'],
  restUrl: REST_URL,
  // Up to 18 characters of free text: ours are shorter.
  clientOrderId: (id) => id,
  refuses,
  limits: {
    /**
     * Counters that decay: by the second tier, 20 calls at one in two seconds, and 125 for orders, which fall by 2.34 a second. Whoever stays within the
     * window never passes the counter. The order counter is each pair's own; here it is the account's.
     * @see https://docs.kraken.com/api/docs/guides/spot-ratelimits
     */
    buckets: { rest: { units: 20, windowMs: 40_000 }, trading: { units: 125, windowMs: 53_500 } },
    // "Invalid nonce" answers whoever is overtaken.
    serial: true,
  },
  rest: {
    place,
    cancel,
    cancelAll,
    query,
    openOrders: (instruments, context) => [openOrdersCall(instruments, ok, context)],
    fillsSince: (instruments, sinceMs, context) => [fillsCall(instruments, sinceMs, 0, context)],
    balances,
    fees,
    permissions,
    /** In whole seconds. */
    time: {
      method: 'GET',
      path: '/0/public/Time',
      headers: {},
      weight: {},
      read: (reply) => answerOf(reply, z.object({ unixtime: seconds }), ({ unixtime }) => ok(unixtime)),
    },
  },
  sockets: [privateSocket],
  // Ends every order of the account, whatever its pair.
  deadMan: {
    kind: 'timer',
    minMs: 1_000,
    maxMs: dayMs,
    arm: (timeoutMs, _instruments, context) => [
      callOf(
        {
          method: 'CancelAllOrdersAfter',
          form: { timeout: Math.ceil(timeoutMs / 1_000) },
          weight: REST,
          result: z.object({ currentTime: z.string(), triggerTime: z.string().nullish() }),
          valueOf: (result) => ok(result),
        },
        context,
      ),
    ],
  },
};
