import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { ChecksumView, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, bodyFrom, bytesOf, END, idOf, keyCode, roomFor, venueId } from './venue.ts';

const BITFINEX = venueId('bitfinex');
/** SEQ_ALL: every data frame of the socket ends with a count. OB_CHECKSUM: a checksum of each book now and then. */
const CONF_FLAGS = 65_536 + 131_072;

/** One protocol and one address for both markets; they differ in their instruments. */
const market = (id: 'spot' | 'swap', list: string): Market => ({
  id,
  wsUrl: 'wss://api-pub.bitfinex.com/ws/2',
  restUrl: 'https://api-pub.bitfinex.com',
  hosts: ['api.bitfinex.com'],
  // None for anybody since 2025-12-17.
  defaultFees: { maker: amountOf(0), taker: amountOf(0), currency: id === 'spot' ? 'received' : 'settle' },
  instruments: {
    paths: [`/v2/conf/${list}`, '/v2/conf/pub:map:currency:sym', '/v2/tickers?symbols=ALL'],
    parse: (bodies, fees) => parseInstruments(id, bodies, fees),
  },
  greeting: [JSON.stringify({ event: 'conf', flags: CONF_FLAGS })],
  // Unsubscribing needs the channel's number, and a lost frame ends the socket anyway.
  subscribe: (symbols) =>
    symbols.map((symbol) =>
      JSON.stringify({ event: 'subscribe', channel: 'book', symbol, prec: 'P0', freq: 'F0', len: '100' }),
    ),
  // 25 to 36 subscriptions a socket are taken.
  limits: { symbolsPerSocket: 25, messagesPerSecond: 15 },
  // It sends `hb` on each quiet channel every 15 s and asks for nothing.
  heartbeat: { kind: 'server-protocol-ping' },
  idleMs: 40_000,
  // Recorded: 11 s from the request to the book of a quiet pair.
  firstBookWithinMs: 20_000,
  book: {
    snapshot: { from: 'push' },
    // The socket's count says whether a frame was lost (`lost`); what comes in turn follows.
    follows: () => 'apply',
    depth: Infinity,
    checksum,
  },
  decode,
});

/**
 * @see https://docs.bitfinex.com/docs/ws-general
 * @see https://docs.bitfinex.com/reference/ws-public-books
 */
export const bitfinex: Venue = {
  id: BITFINEX,
  markets: [market('spot', 'pub:info:pair'), market('swap', 'pub:info:pair:futures')],
};

const HASHED_LEVELS = 25;

/**
 * Signed CRC32 over `bidPrice:bidAmount:askPrice:-askAmount:…` of the best 25 a side, numbers as JavaScript prints them; where a side is shorter
 * its places are left out.
 * @see https://docs.bitfinex.com/docs/ws-websocket-checksum
 */
function checksum(book: ChecksumView): number {
  const [bids = [], asks = []] = [book.bids, book.asks].map((read, side) => {
    const prices = new Float64Array(HASHED_LEVELS);
    const qtys = new Float64Array(HASHED_LEVELS);
    const count = read(prices, qtys);
    const sign = side === 0 ? 1 : -1;
    return Array.from({ length: count }, (_, at) => `${prices[at]!}:${sign * qtys[at]!}`);
  });
  const texts = Array.from({ length: HASHED_LEVELS }, (_, at) => [bids[at], asks[at]]).flat();
  return crc32(texts.filter((text) => text !== undefined).join(':')) | 0;
}

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const QUOTE = 0x22;
const MINUS = 0x2d;
const LETTER_P = 0x50;
const CHECKSUM = bytesOf('cs');
const HEARTBEAT = bytesOf('hb');

function decode(frame: Frame, sink: MarketSink): void {
  if (frame.peek() === OPEN_BRACE) readEvent(frame, sink);
  else readData(frame, sink, false);
}

/**
 * `[channel,payload…,count]`. The count is of the whole socket: it is followed on every frame, whatever the channel. Frames of a channel that
 * was not announced yet wait for its announcement (`isReleased`: then they were counted before).
 */
function readData(frame: Frame, sink: MarketSink, isReleased: boolean): void {
  if (!frame.firstElement()) throw new BadInput('bitfinex: an empty frame');
  frame.integer();
  const channel = frame.value;
  const instrument = sink.connection.instrumentOf(channel);
  if (!frame.nextElement()) throw new BadInput('bitfinex: a channel without a payload');
  const followed = instrument !== undefined && instrument !== -1;
  const hasBook = followed ? readPayload(frame, sink.update, instrument) : false;
  const isHeartbeat = !followed && skipPayload(frame);
  const sequence = readSequence(frame);
  frame.finish();
  if (!isReleased) countFrame(sink, sequence);
  if (hasBook) {
    sink.update.lastSequence = sequence;
    sink.publish();
  } else if (instrument === undefined && !isHeartbeat && !sink.connection.hold(channel, frame)) {
    sink.control('lost', 'frames of channels that nobody announced');
  }
}

/** A snapshot, an update or a checksum of a book; false for a heartbeat. */
function readPayload(frame: Frame, update: MarketUpdate, instrument: InstrumentIndex): boolean {
  update.kind = DELTA;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.venueTimeMs = NaN;
  update.checksum = NaN;
  clear(update.bids);
  clear(update.asks);
  const byte = frame.peek();
  if (byte === QUOTE) return readNamed(frame, update);
  if (byte !== OPEN_BRACKET) throw new BadInput(`bitfinex: not a book: ${frame.text().slice(0, 120)}`);
  const isEmpty = !frame.firstElement();
  if (isEmpty || frame.peek() === OPEN_BRACKET) {
    update.kind = SNAPSHOT;
    if (!isEmpty) readSnapshot(frame, update);
  } else readLevel(frame, update);
  return true;
}

function readSnapshot(frame: Frame, update: MarketUpdate): void {
  do {
    if (!frame.firstElement()) throw new BadInput('bitfinex: an empty level');
    readLevel(frame, update);
  } while (frame.nextElement());
}

/** `"cs",checksum` or `"hb"`. */
function readNamed(frame: Frame, update: MarketUpdate): boolean {
  frame.string();
  if (frame.textIs(HEARTBEAT)) return false;
  if (!frame.textIs(CHECKSUM) || !frame.nextElement()) {
    throw new BadInput(`bitfinex: not a book: ${frame.text().slice(0, 120)}`);
  }
  frame.integer();
  update.checksum = frame.value;
  return true;
}

function clear(side: LevelBuffer): void {
  side.count = 0;
  side.priceDecimals = 0;
  side.qtyDecimals = 0;
}

/** Amounts before their side is known. */
const scratch = new Float64Array(2);

/** `price,count,amount]`, the bracket before it passed: an amount below zero is an ask, a count of zero removes. */
function readLevel(frame: Frame, update: MarketUpdate): void {
  frame.number(scratch, 0);
  requireNext(frame);
  frame.integer();
  const isRemoval = frame.value === 0;
  requireNext(frame);
  const isAsk = frame.peek() === MINUS;
  if (isAsk) frame.at += 1;
  frame.number(scratch, 1);
  if (frame.nextElement()) throw new BadInput('bitfinex: a level of more than three');
  const side = isAsk ? update.asks : update.bids;
  const index = roomFor(side);
  side.prices[index] = scratch[0]!;
  side.qtys[index] = isRemoval ? 0 : scratch[1]!;
  frame.takeLevel(side, index);
}

function requireNext(frame: Frame): void {
  if (!frame.nextElement()) throw new BadInput('bitfinex: a level is too short');
}

/** Another channel's payload: whatever stands before the count. True when it is a heartbeat. */
function skipPayload(frame: Frame): boolean {
  if (frame.peek() !== QUOTE) {
    frame.skip();
    return false;
  }
  frame.string();
  if (frame.textIs(HEARTBEAT)) return true;
  if (frame.nextElement()) frame.skip();
  return false;
}

/** The socket's count, NaN where the venue was not asked for it; the array ends behind it. */
function readSequence(frame: Frame): number {
  if (!frame.nextElement()) return NaN;
  frame.number(scratch, 0);
  const sequence = scratch[0]!;
  if (!Number.isSafeInteger(sequence) || frame.nextElement()) {
    throw new BadInput(`bitfinex: not a count: ${frame.text().slice(0, 120)}`);
  }
  return sequence;
}

/** SEQ_ALL: each frame's count is the one before and one. */
function countFrame({ connection, control }: MarketSink, sequence: number): void {
  const expected = connection.sequence + 1;
  connection.sequence = sequence;
  if (!Number.isNaN(expected) && sequence !== expected) control('lost', `frame ${sequence} after ${expected - 1}`);
}

const KEY = {
  event: keyCode('event'),
  channel: keyCode('channel'),
  number: keyCode('chanId'),
  symbol: keyCode('symbol'),
  precision: keyCode('prec'),
  code: keyCode('code'),
  status: keyCode('status'),
} as const;
const SUBSCRIBED = bytesOf('subscribed');
const INFO = bytesOf('info');
const CONF = bytesOf('conf');
const ERROR = bytesOf('error');
const BOOK = bytesOf('book');
const OK = bytesOf('OK');

type Event = {
  kind: 'subscribed' | 'info' | 'conf' | 'error' | 'other';
  isBook: boolean;
  isPriced: boolean;
  isOk: boolean;
  hasCode: boolean;
  channel: number;
  symbolStart: number;
  symbolEnd: number;
};

/** `{"event":…}`: what a channel number means, and what the venue has to say. */
function readEvent(frame: Frame, sink: MarketSink): void {
  const event = eventFrom(frame);
  frame.finish();
  // 20051 restart, 20060 maintenance begins, 20061 it is over: each wants a new socket.
  if (event.kind === 'info') sink.control(event.hasCode ? 'notice' : 'ack', frame.text());
  else if (event.kind === 'error' || (event.kind === 'conf' && !event.isOk)) sink.control('error', frame.text());
  else if (event.kind === 'conf') sink.control('ack', frame.text());
  if (event.kind !== 'subscribed') return;
  if (Number.isNaN(event.channel)) throw new BadInput(`bitfinex: a channel without a number: ${frame.text()}`);
  const isOurs = event.isBook && event.isPriced;
  const instrument = isOurs ? sink.find(frame, event.symbolStart, event.symbolEnd) : -1;
  sink.connection.learn(event.channel, instrument);
  sink.control('ack', frame.text());
  for (const held of sink.connection.release(event.channel)) readData(frame.window(held, 0, held.length), sink, true);
}

function eventFrom(frame: Frame): Event {
  const event: Event = {
    kind: 'other',
    isBook: false,
    isPriced: false,
    isOk: false,
    hasCode: false,
    channel: NaN,
    symbolStart: 0,
    symbolEnd: 0,
  };
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.number) {
      frame.integer();
      event.channel = frame.value;
    } else if (frame.peek() === QUOTE) {
      frame.string();
      if (key === KEY.event) event.kind = kindOf(frame);
      else if (key === KEY.channel) event.isBook = frame.textIs(BOOK);
      else if (key === KEY.precision) event.isPriced = frame.bytes[frame.textStart] === LETTER_P;
      else if (key === KEY.status) event.isOk = frame.textIs(OK);
      else if (key === KEY.symbol) {
        event.symbolStart = frame.textStart;
        event.symbolEnd = frame.textEnd;
      }
    } else {
      event.hasCode ||= key === KEY.code;
      frame.skip();
    }
  }
  return event;
}

function kindOf(frame: Frame): Event['kind'] {
  if (frame.textIs(SUBSCRIBED)) return 'subscribed';
  if (frame.textIs(INFO)) return 'info';
  if (frame.textIs(CONF)) return 'conf';
  return frame.textIs(ERROR) ? 'error' : 'other';
}

const pairList = z.tuple([z.array(z.tuple([z.string().min(6), z.array(z.unknown()).min(4)]))]);
const currencyMap = z.tuple([z.array(z.tuple([z.string(), z.string()]))]);
const tickerList = z.array(z.array(z.unknown()).min(8)).min(1);
const LAST_PRICE = 7;
const MIN_SIZE = 3;
/** A price has five significant digits, so its grid is known only from a price: the last one. */
const SIGNIFICANT_DIGITS = 5;
const LOT = amountOf('0.00000001');

/** Pairs without a last price are left out: nobody trades them, and their grid is not known. */
function parseInstruments(id: 'spot' | 'swap', bodies: readonly string[], fees: Fees): readonly Instrument[] {
  const [pairs] = bodyFrom(pairList, bodies[0] ?? '', 'bitfinex info:pair');
  const [names] = bodyFrom(currencyMap, bodies[1] ?? '', 'bitfinex map:currency:sym');
  const tickers = bodyFrom(tickerList, bodies[2] ?? '', 'bitfinex tickers');
  const nameOf = new Map(names.map(([code, name]) => [code, name.toUpperCase()]));
  const lastOf = new Map(tickers.map((ticker) => [ticker[0], ticker[LAST_PRICE]]));
  const taken = new Set<string>();
  return pairs.flatMap(([pair, info]) => {
    const last = lastOf.get(`t${pair}`);
    if (typeof last !== 'number' || !(last > 0)) return [];
    const [base, quote] = assetsOf(pair).map((code) => nameOf.get(code) ?? code);
    const symbol = `${base!}/${quote!}${id === 'spot' ? '' : `:${quote!}`}`;
    // Renamed currencies: the list's first pair of a name is the one that is traded.
    if (taken.has(symbol)) return [];
    taken.add(symbol);
    const minimum = info[MIN_SIZE];
    return [
      {
        id: idOf(BITFINEX, symbol),
        venue: BITFINEX,
        market: id,
        symbol,
        venueSymbol: `t${pair}`,
        kind: id === 'spot' ? 'spot' : 'perpetual',
        ...{ base: asset(base!), quote: asset(quote!), settle: asset(quote!) },
        contractSize: amountOf(1),
        inverse: false,
        tick: amountOf(10).pow(amountOf(last).e - SIGNIFICANT_DIGITS + 1),
        lot: LOT,
        minQty: typeof minimum === 'string' && Number(minimum) > 0 ? decimalFrom(minimum) : LOT,
        minNotional: amountOf(0),
        fees,
        status: 'trading',
      } satisfies Instrument,
    ];
  });
}

/** `BTCUSD`, `1INCH:USD`, `BTCF0:USTF0` without the mark of a perpetual. */
function assetsOf(pair: string): readonly [string, string] {
  const [base, quote] = pair.includes(':') ? pair.split(':') : [pair.slice(0, 3), pair.slice(3)];
  return [base!.replace(/F0$/, ''), quote!.replace(/F0$/, '')];
}
