import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { ChecksumView, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, idOf, keyCode, venueId } from './venue.ts';

const KRAKEN = venueId('kraken');
/** Subscribed depth, and so the levels kept: after each frame the rest is unknown. */
const DEPTH = 1_000;

const spot: Market = {
  id: 'spot',
  wsUrl: 'wss://ws.kraken.com/v2',
  restUrl: 'https://api.kraken.com',
  defaultFees: { maker: amountOf('0.004'), taker: amountOf('0.008'), currency: 'quote' },
  instruments: { paths: ['/0/public/AssetPairs'], parse: parseInstruments },
  subscribe: (symbols, request) => requestsOf('subscribe', symbols, request),
  unsubscribe: (symbols, request) => requestsOf('unsubscribe', symbols, request),
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
    checksum,
  },
  decode,
};

/** @see https://docs.kraken.com/api/docs/websocket-v2/book */
export const kraken: Venue = { id: KRAKEN, markets: [spot] };

function requestsOf(method: string, symbols: readonly string[], request: number): readonly string[] {
  const snapshot = method === 'subscribe' ? { snapshot: true } : {};
  return batchesOf(symbols, 50).map((symbol, at) =>
    JSON.stringify({
      method,
      params: { channel: 'book', symbol, depth: DEPTH, ...snapshot },
      req_id: request * 100 + at,
    }),
  );
}

const HASHED_LEVELS = 10;
/** Whole numbers up to here come back exactly from the double that a decimal text became. */
const EXACT_MAX = 2 ** 51;
const prices = new Float64Array(HASHED_LEVELS);
const qtys = new Float64Array(HASHED_LEVELS);

/**
 * CRC32, unsigned, over the top 10 asks from low to high, then the top 10 bids from high to low: of each level the price's and the quantity's digits
 * as the venue writes them, without the point and without leading zeros. The venue writes a fixed number of decimals for each instrument, so the
 * digits are those of value × 10^decimals. NaN when a value has more digits than a double keeps.
 * @see https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
 */
function checksum(book: ChecksumView): number {
  const priceScale = 10 ** book.priceDecimals;
  const qtyScale = 10 ** book.qtyDecimals;
  let crc = -1;
  for (let side = 0; side < 2; side += 1) {
    const count = side === 0 ? book.asks(prices, qtys) : book.bids(prices, qtys);
    for (let at = 0; at < count; at += 1) {
      const price = Math.round(prices[at]! * priceScale);
      const qty = Math.round(qtys[at]! * qtyScale);
      if (price > EXACT_MAX || qty > EXACT_MAX) return NaN;
      crc = hashDigits(hashDigits(crc, price), qty);
    }
  }
  return ~crc >>> 0;
}

const NINE_DIGITS = 1e9;
const digits = new Uint8Array(10);

/** Continues the CRC over the decimal digits of a whole number. */
function hashDigits(crc: number, value: number): number {
  const high = Math.floor(value / NINE_DIGITS);
  if (high === 0) return hashInt(crc, value, 1);
  return hashInt(hashInt(crc, high, 1), value - high * NINE_DIGITS, 9);
}

/** The digits of an integer below 2^31, padded with zeros to `width`. */
function hashInt(crc: number, value: number, width: number): number {
  let left = value | 0;
  let count = 0;
  while (left > 0 || count < width) {
    const tenth = (left / 10) | 0;
    digits[count] = 0x30 + left - tenth * 10;
    left = tenth;
    count += 1;
  }
  let hash = crc;
  for (let at = count - 1; at >= 0; at -= 1) hash = CRC_TABLE[(hash ^ digits[at]!) & 0xff]! ^ (hash >>> 8);
  return hash;
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let entry = byte;
  for (let bit = 0; bit < 8; bit += 1) entry = (entry & 1) === 0 ? entry >>> 1 : (entry >>> 1) ^ 0xedb88320;
  return entry;
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
} as const;
const BOOK = bytesOf('book');
const TYPE_SNAPSHOT = bytesOf('snapshot');
const TYPE_UPDATE = bytesOf('update');
const PONG = bytesOf('pong');
const LETTER_F = 0x66;

const SYMBOL = 1;
const BIDS = 2;
const ASKS = 4;
const CHECKSUM = 8;
const WHOLE = SYMBOL | BIDS | ASKS | CHECKSUM;

function decode(frame: Frame, sink: MarketSink): void {
  let kind: MarketUpdate['kind'] | undefined;
  let isBook = false;
  let isRead = false;
  let followed = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      frame.string();
      isBook = frame.textIs(BOOK);
      if (!isBook) return;
    } else if (key === KEY.type && isBook) kind = readType(frame);
    else if (key === KEY.data && kind !== undefined) {
      followed = readBook(frame, sink, kind);
      isRead = true;
    } else if (key === KEY.method || key === KEY.error) {
      control(frame, sink, key);
      return;
    } else frame.skip();
  }
  frame.finish();
  if (isBook && !isRead) throw new BadInput(`kraken: a book frame without type or data: ${frame.text().slice(0, 120)}`);
  if (followed) sink.publish();
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
    } else if (key === KEY.timestamp) readTimestamp(frame, update);
    else frame.skip();
  }
  if (frame.nextElement()) throw new BadInput('kraken: two books in a frame');
  if (seen !== WHOLE) throw new BadInput(`kraken: fields are missing: ${frame.text().slice(0, 120)}`);
  return followed;
}

const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

/** `2025-05-06T09:17:26.208075Z` into `venueTimeMs`, without making a Date for each frame. */
function readTimestamp(frame: Frame, update: MarketUpdate): void {
  frame.string();
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
  update.venueTimeMs = days * 86_400_000 + (seconds + fraction / 10 ** decimals) * 1e3;
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

/** The v2 socket spells assets as everybody does; the REST list still has the old codes. */
const RENAMED: Readonly<Record<string, string>> = { XBT: 'BTC', XDG: 'DOGE' };

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
