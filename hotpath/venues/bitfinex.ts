import { crc32 } from 'node:zlib';
import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Funding, Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
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
  PositionState,
  Refusal,
  Reply,
  VenueFill,
} from './venue-account.ts';
import {
  andThen,
  answerFrom,
  checked,
  decimalOrZero,
  decimalText,
  frameText,
  hash,
  hmac,
  jsonOf,
  meaningOf,
  ok,
  refused,
  signedNumber,
  timeText,
} from './venue-tools.ts';
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
  streams: {
    kinds: id === 'spot' ? ['trades'] : ['trades', 'reference'],
    // Two channels each at most.
    symbolsPerSocket: 12,
    subscribe: (kinds, symbols) =>
      symbols
        .flatMap((symbol) => [
          ...(kinds.includes('trades') ? [{ event: 'subscribe', channel: 'trades', symbol }] : []),
          ...(kinds.includes('reference') ? [{ event: 'subscribe', channel: 'status', key: `deriv:${symbol}` }] : []),
        ])
        .map((request) => JSON.stringify(request)),
  },
  poll: { path: (symbol) => `/v2/book/${symbol}/P0?len=100`, decode: decodePoll },
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
  // One key, two wallets: dollars of both are spelt alike in the end.
  accounts: [accountOf('spot', 'exchange'), accountOf('swap', 'margin')],
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
  const meaning = sink.connection.instrumentOf(channel);
  if (!frame.nextElement()) throw new BadInput('bitfinex: a channel without a payload');
  const kind: number = meaning === undefined || meaning === -1 ? NOTHING : meaning % KINDS;
  const instrument = Math.floor((meaning ?? 0) / KINDS) as InstrumentIndex;
  const says = kind === NOTHING ? false : readKnown(frame, sink, kind, instrument);
  const isHeartbeat = kind === NOTHING && skipPayload(frame);
  const sequence = readSequence(frame);
  frame.finish();
  if (!isReleased) countFrame(sink, sequence);
  if (says) {
    if (kind === BOOKS) sink.update.lastSequence = sequence;
    publishKnown(sink, kind, instrument);
  } else if (meaning === undefined && !isHeartbeat && !sink.connection.hold(channel, frame)) {
    sink.control('lost', 'frames of channels that nobody announced');
  }
}

/** What a channel carries: learnt of it together with its instrument, as one number. */
const BOOKS = 0;
const TRADES = 1;
const STATUS = 2;
const KINDS = 4;
const NOTHING = -1;

/** Reads a payload; false when there is nothing to publish. */
function readKnown(frame: Frame, sink: MarketSink, kind: number, instrument: InstrumentIndex): boolean {
  if (kind === BOOKS) return readPayload(frame, sink.update, instrument);
  return kind === TRADES ? readTrade(frame) : readStatus(frame);
}

function publishKnown(sink: MarketSink, kind: number, instrument: InstrumentIndex): void {
  if (kind === BOOKS) sink.publish();
  else if (kind === TRADES) publishTrade(sink, instrument);
  else publishStatus(sink, instrument);
}

/** A stream's numbers by their place, until its frame has proved whole. */
const numbers = new Float64Array(32);
const EXECUTED = bytesOf('te');

/** `"te",[id,ms,amount,price]`, an amount below zero sold; `tu` repeats it, and the first frame holds old ones. */
function readTrade(frame: Frame): boolean {
  if (frame.peek() !== QUOTE) {
    frame.skip();
    return false;
  }
  frame.string();
  const isTrade = frame.textIs(EXECUTED);
  if (!isTrade) {
    if (!frame.textIs(HEARTBEAT) && frame.nextElement()) frame.skip();
    return false;
  }
  if (!frame.nextElement()) throw new BadInput('bitfinex: a trade without its numbers');
  if (readNumbers(frame) !== 4 || !(numbers[3]! > 0) || !(numbers[2]! !== 0)) {
    throw new BadInput(`bitfinex: not a trade: ${frame.text().slice(0, 120)}`);
  }
  return true;
}

function publishTrade(sink: MarketSink, instrument: InstrumentIndex): void {
  const { print } = sink;
  print.instrument = instrument;
  print.price = numbers[3]!;
  print.qty = Math.abs(numbers[2]!);
  print.taker = numbers[2]! > 0 ? 1 : -1;
  print.venueTimeMs = numbers[1]!;
  sink.publishPrint();
}

/**
 * `[ms,…]` of the status channel: 3 the index, 7 the next funding, 11 what is paid then, 14 the mark.
 * @see https://docs.bitfinex.com/reference/ws-public-status
 */
function readStatus(frame: Frame): boolean {
  if (frame.peek() === QUOTE) {
    frame.string();
    return false;
  }
  if (readNumbers(frame) < 15) throw new BadInput(`bitfinex: not a status: ${frame.text().slice(0, 120)}`);
  return true;
}

function publishStatus(sink: MarketSink, instrument: InstrumentIndex): void {
  const { reference } = sink;
  sink.clearReference();
  reference.instrument = instrument;
  reference.venueTimeMs = numbers[0]!;
  reference.indexPrice = numbers[3]!;
  reference.nextFundingTimeMs = numbers[7]!;
  reference.fundingRate = numbers[11]!;
  reference.markPrice = numbers[14]!;
  sink.publishReference();
}

/** A flat array of numbers and nulls; returns how many. */
function readNumbers(frame: Frame): number {
  let count = 0;
  if (!frame.firstElement()) return 0;
  do {
    if (count < numbers.length) signedNumber(frame, numbers, count);
    else frame.skip();
    count += 1;
  } while (frame.nextElement());
  return count;
}

/** `[[price,count,amount],…]` by REST. */
function decodePoll(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  if (frame.peek() !== OPEN_BRACKET || !readPayload(frame, update, instrument) || update.kind !== SNAPSHOT) {
    throw new BadInput(`bitfinex: not a book: ${frame.text().slice(0, 120)}`);
  }
  frame.finish();
  update.lastSequence = NaN;
  sink.publish();
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
  key: keyCode('key'),
  precision: keyCode('prec'),
  code: keyCode('code'),
  status: keyCode('status'),
} as const;
const SUBSCRIBED = bytesOf('subscribed');
const INFO = bytesOf('info');
const CONF = bytesOf('conf');
const ERROR = bytesOf('error');
const BOOK_CHANNEL = bytesOf('book');
const TRADES_CHANNEL = bytesOf('trades');
const STATUS_CHANNEL = bytesOf('status');
const DERIVATIVE = bytesOf('deriv:');
const OK = bytesOf('OK');

type Event = {
  kind: 'subscribed' | 'info' | 'conf' | 'error' | 'other';
  /** What the channel carries, NOTHING if it is none of ours. */
  carries: number;
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
  const isOurs = event.carries !== NOTHING && (event.carries !== BOOKS || event.isPriced);
  const instrument = isOurs ? sink.find(frame, event.symbolStart, event.symbolEnd) : -1;
  sink.connection.learn(
    event.channel,
    instrument === -1 ? -1 : ((instrument * KINDS + event.carries) as InstrumentIndex),
  );
  sink.control('ack', frame.text());
  for (const held of sink.connection.release(event.channel)) readData(frame.window(held, 0, held.length), sink, true);
}

function eventFrom(frame: Frame): Event {
  const event: Event = {
    kind: 'other',
    carries: NOTHING,
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
      else if (key === KEY.channel) event.carries = carriedBy(frame);
      else if (key === KEY.precision) event.isPriced = frame.bytes[frame.textStart] === LETTER_P;
      else if (key === KEY.status) event.isOk = frame.textIs(OK);
      else if (key === KEY.symbol) {
        event.symbolStart = frame.textStart;
        event.symbolEnd = frame.textEnd;
      } else if (key === KEY.key && startsWith(frame, DERIVATIVE)) {
        event.symbolStart = frame.textStart + DERIVATIVE.length;
        event.symbolEnd = frame.textEnd;
      }
    } else {
      event.hasCode ||= key === KEY.code;
      frame.skip();
    }
  }
  return event;
}

function carriedBy(frame: Frame): number {
  if (frame.textIs(BOOK_CHANNEL)) return BOOKS;
  if (frame.textIs(TRADES_CHANNEL)) return TRADES;
  return frame.textIs(STATUS_CHANNEL) ? STATUS : NOTHING;
}

const startsWith = (frame: Frame, text: Uint8Array): boolean =>
  frame.textEnd - frame.textStart > text.length && text.every((byte, at) => frame.bytes[frame.textStart + at] === byte);

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
/**
 * Paid every eight hours; frames say the next time.
 * @see https://docs.bitfinex.com/reference/rest-public-derivatives-status
 */
const FUNDING: Funding = { intervalMs: 28_800_000 };

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
        ...ticksAt(amountOf(last).e),
        lot: LOT,
        minQty: typeof minimum === 'string' && Number(minimum) > 0 ? decimalFrom(minimum) : LOT,
        minNotional: amountOf(0),
        fees,
        ...(id === 'swap' ? { funding: FUNDING } : {}),
        status: 'trading',
      } satisfies Instrument,
    ];
  });
}

/** Five digits at a price of `10^exponent` and more; with every further digit before the point the tick is ten times as large. */
const ticksAt = (exponent: number): Pick<Instrument, 'tick' | 'tickSteps'> => {
  const tick = amountOf(10).pow(exponent - SIGNIFICANT_DIGITS + 1);
  const tickSteps = [1, 2].map((more) => ({ above: amountOf(10).pow(exponent + more), tick: tick.times(10 ** more) }));
  return { tick, tickSteps };
};

/** `BTCUSD`, `1INCH:USD`, `BTCF0:USTF0` without the mark of a perpetual. */
function assetsOf(pair: string): readonly [string, string] {
  const [base, quote] = pair.includes(':') ? pair.split(':') : [pair.slice(0, 3), pair.slice(3)];
  return [base!.replace(/F0$/, ''), quote!.replace(/F0$/, '')];
}

/** Their names where the venue's own code is another, as everybody else spells them. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ ALG: 'ALGO', AMP: 'AMPL', ATO: 'ATOM', BCHABC: 'XEC', BCHN: 'BCH', DAT: 'DATA', DSH: 'DASH', EUS: 'EURS' },
  ...{ EUT: 'EURT', IOT: 'IOTA', LUNA: 'LUNC', LUNA2: 'LUNA', MNA: 'MANA', PAS: 'PASS', QTM: 'QTUM', RBT: 'RBTC' },
  ...{ STJ: 'STORJ', TERRAUST: 'USTC', TSD: 'TUSD', UDC: 'USDC', UST: 'USDT', WBT: 'WBTC', XCH: 'XCHF', YYW: 'YOYOW' },
};
const assetOf = (code: string): string => {
  const plain = code.replace(/F0$/, '');
  return NAMES[plain] ?? plain.toUpperCase();
};

/**
 * The wallet decides what an account trades: `exchange` spot, `margin` derivatives. Both hear everything that happens under the key.
 * @see https://docs.bitfinex.com/docs/rest-auth
 */
function accountOf(id: 'spot' | 'swap', wallet: 'exchange' | 'margin'): Account {
  return {
    id,
    markets: [id],
    restUrl: 'https://api.bitfinex.com',
    clientOrderId: (order) => String(clientNumber(order)),
    refuses,
    limits: {
      buckets: { orders: { units: 1_000, windowMs: 300_000 }, requests: { units: 90, windowMs: 60_000 } },
      // "nonce: small" answers whoever is overtaken.
      serial: true,
    },
    rest: {
      place,
      cancel,
      cancelAll: (instruments, context) => [cancelOpen(instruments, context)],
      query,
      openOrders: (instruments, context) => [openOf(instruments, context)],
      fillsSince: (instruments, sinceMs, context) => [fillsPage({ instruments, sinceMs }, context)],
      fillsOf,
      balances: (context) => balances(wallet, context),
      ...(id === 'swap' ? { positions } : {}),
      fees: (instruments, context) => [feesOf(instruments, context)],
      permissions,
    },
    sockets: [privateSocket(wallet)],
    deadMan: { kind: 'disconnect' },
  };
}

const EPOCHS = 2 ** 14;
const ORDINALS = 2 ** 20;
const BASE = 36;
/** A leg and an attempt of one digit each. */
const LAST_DIGITS = BASE * BASE;
const CLIENT_NUMBERS = 2 ** 45;

/**
 * A number of 45 bits, which is what the venue takes. Of an id of ours (`a`, start 4, ordinal 6, leg and attempt 1, in base 36) it keeps all that differs within
 * a day: 16,384 starts, a million operations each. Any other id is hashed into the numbers above those.
 */
export function clientNumber(id: string): number {
  const parts = /^a([0-9a-z]{4})([0-9a-z]{6})([0-9a-z]{2})$/.exec(id)?.slice(1);
  const own = EPOCHS * ORDINALS * LAST_DIGITS;
  if (parts === undefined) return own + (hash('sha256', id).readUIntBE(0, 6) % (CLIENT_NUMBERS - own));
  const [start, ordinal, last] = parts.map((digits) => parseInt(digits, BASE));
  return ((start! % EPOCHS) * ORDINALS + (ordinal! % ORDINALS)) * LAST_DIGITS + last!;
}

function refuses(order: OrderTicket): string | undefined {
  if (order.postOnly && (order.type === 'market' || order.timeInForce !== 'GTC')) {
    return 'a post-only order is a limit order that rests';
  }
  if (order.type === 'market' && order.timeInForce === 'FOK') return 'a market order cannot be fill-or-kill';
  if (order.reduceOnly && order.instrument.kind === 'spot') return 'spot has no reduce-only orders';
  const isTooFine = order.type === 'limit' && new Decimal(order.price).precision() > SIGNIFICANT_DIGITS;
  return isTooFine ? `a price has ${SIGNIFICANT_DIGITS} significant digits` : undefined;
}

/** Everything is a POST, signed over path, nonce and body: hex HMAC-SHA384. */
function post(path: string, body: unknown, { credentials, nonce }: AccountContext) {
  const text = JSON.stringify(body);
  return {
    method: 'POST',
    path,
    headers: {
      'bfx-nonce': String(nonce),
      'bfx-apikey': credentials.apiKey,
      'bfx-signature': hmac('sha384', credentials.secret, `/api${path}${nonce}${text}`, 'hex'),
      'Content-Type': 'application/json',
    },
    body: text,
  } as const;
}

/** Refusals are `["error",code,text]`, most of them with status 500; the gates before the exchange answer with objects. */
const errorRow = z.tuple([z.literal('error'), z.string().nullable(), z.string().nullish()]).rest(z.unknown());
const errorObject = z.object({ error: z.string(), error_description: z.string().optional() });

function refusalOf(body: unknown): Refusal | undefined {
  const row = errorRow.safeParse(body);
  if (row.success) return refusalFrom(row.data[1] ?? '', row.data[2] ?? '');
  const object = errorObject.safeParse(body);
  return object.success ? refusalFrom(object.data.error, object.data.error_description ?? '') : undefined;
}

/** What is wrong with an order stands in words: the codes are of whole families. */
function refusalFrom(code: string, text: string): Refusal {
  const byCode = meaningOf(MEANINGS, code);
  const byText = TEXTS.find(([pattern]) => pattern.test(text))?.[1];
  return refused(byCode === 'unlisted' ? (byText ?? 'unlisted') : byCode, code, text);
}

const answerOf = <T, V>(reply: Reply, schema: z.ZodType<T>, valueOf: (body: T) => V): Answer<V> =>
  answerFrom(reply, schema, { refusalOf, valueOf });

const word = z.string().nullish();
const any = z.unknown();

/** id, group, cid, symbol, created, updated, left, amount, type, …, 13 status, …, 16 price. */
const orderRow = z
  .tuple([z.string(), any, word, z.string(), timeText, timeText, decimalText, decimalText, z.string()])
  .rest(any)
  .transform(([id, , cid, symbol, , updatedMs, left, amount, type, ...rest], context) => {
    const [status, price] = [rest[4], rest[7]];
    if (typeof status === 'string') {
      return { id, cid: cid ?? '', symbol, updatedMs, left, amount, type, status, price: priceOf(price) };
    }
    context.addIssue({ code: 'custom', message: 'an order without a status' });
    return z.NEVER;
  });
const priceOf = (text: unknown): Decimal | undefined => (typeof text === 'string' ? decimalFrom(text) : undefined);

/** How an order's `status` begins, and what it means. What follows (`@ price(amount)`, `was: …`) is history. */
const STATUSES: readonly (readonly [pattern: RegExp, status: OrderState['status'], reason?: Meaning])[] = [
  [/^(ACTIVE|PARTIALLY FILLED)/, 'open'],
  [/^EXECUTED/, 'filled'],
  [/^CANCELED/, 'canceled'],
  [/^POSTONLY CANCELED/, 'expired', 'would-take'],
  [/^FILLORKILL CANCELED/, 'expired', 'not-filled'],
  [/^IOC CANCELED/, 'expired'],
  [/^INSUFFICIENT (BALANCE|MARGIN)/, 'rejected', 'insufficient-funds'],
  [/^RSN_DUST/, 'rejected', 'below-minimum'],
  [/^RSN_POS_REDUCE/, 'rejected', 'reduce-only'],
  [/^RSN_BOOK_SLIP/, 'rejected', 'price-out-of-band'],
  [/^RSN_PAUSE/, 'rejected', 'not-allowed'],
];

/** @throws BadInput for a status that is not known */
function orderFrom(row: z.infer<typeof orderRow>): OrderState {
  const known = STATUSES.find(([pattern]) => pattern.test(row.status));
  if (known === undefined) throw new BadInput(`bitfinex: an order that is ${row.status}`);
  const [, status, reason] = known;
  return {
    venueSymbol: row.symbol,
    clientOrderId: row.cid,
    venueOrderId: row.id,
    side: row.amount.isNegative() ? 'sell' : 'buy',
    status,
    ...(row.price === undefined || row.type.endsWith('MARKET') ? {} : { price: row.price }),
    qty: row.amount.abs(),
    filled: row.amount.abs().minus(row.left.abs()),
    timeMs: row.updatedMs,
    ...(reason === undefined ? {} : { reason }),
  };
}

/** id, symbol, time, order, amount, price, type, order price, maker, fee, fee currency, cid. */
const fillRow = z
  .tuple([z.string(), z.string(), timeText, z.string(), decimalText, decimalText, any, any, word, decimalOrZero, word])
  .rest(any);

const fillFrom = ([id, symbol, timeMs, order, amount, price, , , maker, fee, currency, cid]: z.infer<
  typeof fillRow
>): VenueFill => ({
  venueSymbol: symbol,
  clientOrderId: typeof cid === 'string' && cid !== '0' ? cid : '',
  venueOrderId: order,
  tradeId: id,
  side: amount.isNegative() ? 'sell' : 'buy',
  price,
  qty: amount.abs(),
  // What is paid is written as a negative number.
  fee: new Decimal(0).minus(fee),
  feeAsset: currency === null || currency === undefined ? '' : assetOf(currency),
  liquidity: maker === '1' ? 'maker' : 'taker',
  timeMs,
});

/** time, type, …, 4 what it is about, 5 code, 6 status, 7 text: the answer to anything that is written. */
const notice = z
  .tuple([any, z.string(), any, any, any, any, z.string(), word])
  .rest(any)
  .transform(([, type, , , about, , status, text]) => ({ type, about, status, text: text ?? '' }));

const POST_ONLY = 4_096;
const REDUCE_ONLY = 1_024;

/** An amount below zero sells. Without `lev` a derivative order has a leverage of 10. */
function orderFields(order: OrderTicket, { leverage }: AccountContext) {
  const spot = order.instrument.kind === 'spot';
  const type = order.type === 'market' ? 'MARKET' : order.timeInForce === 'GTC' ? 'LIMIT' : order.timeInForce;
  const flags = (order.postOnly ? POST_ONLY : 0) + (order.reduceOnly ? REDUCE_ONLY : 0);
  return {
    symbol: order.instrument.venueSymbol,
    amount: order.side === 'sell' ? `-${order.qty}` : order.qty,
    ...(order.type === 'market' ? {} : { price: order.price }),
    type: spot ? `EXCHANGE ${type}` : type,
    ...(flags === 0 ? {} : { flags }),
    cid: clientNumber(order.clientOrderId),
    ...(spot ? {} : { lev: leverage }),
  };
}

/** Client numbers are unique within a UTC day, so its date is named. */
const nameOf = ({ venueOrderId, clientOrderId, sentMs }: OrderRef) =>
  venueOrderId === undefined
    ? { cid: clientNumber(clientOrderId), cid_date: new Date(sentMs).toISOString().slice(0, 10) }
    : { id: Number(venueOrderId) };

const placedRow = z.tuple([z.string()]).rest(any);

function place(order: OrderTicket, context: AccountContext): Call<Placed> {
  return {
    ...post('/v2/auth/w/order/submit', orderFields(order, context), context),
    weight: { orders: 1 },
    read: (reply) =>
      andThen(
        answerOf(reply, notice, (said) => said),
        ({ about, status, text }) => {
          if (status !== 'SUCCESS') return refusalFrom(status, text);
          const orders = z.tuple([placedRow]).rest(any).safeParse(about);
          return orders.success ? ok({ venueOrderId: orders.data[0][0] }) : refused('in-doubt', status, text);
        },
      ),
  };
}

/** What is gone cannot be told from what never was: too late to cancel, in both cases. */
const cancelAnswer = (answer: Answer<z.infer<typeof notice>>): Answer<unknown> => {
  const judged = andThen(answer, ({ status, text }) => (status === 'SUCCESS' ? ok(text) : refusalFrom(status, text)));
  return judged.kind === 'refused' && judged.meaning === 'not-found'
    ? refused('not-open', judged.code, judged.text)
    : judged;
};

function cancel(order: OrderRef, context: AccountContext): Call<unknown> {
  return {
    ...post('/v2/auth/w/order/cancel', nameOf(order), context),
    weight: { requests: 1 },
    read: (reply) => cancelAnswer(answerOf(reply, notice, (said) => said)),
  };
}

/** By symbol where there is one; else everything of the key. */
const symbolPath = (instruments: readonly Instrument[]): string =>
  instruments.length === 1 ? `/${instruments[0]!.venueSymbol}` : '';

const isOf = (instruments: readonly Instrument[], symbol: string): boolean =>
  instruments.some(({ venueSymbol }) => venueSymbol === symbol);

function openOf(instruments: readonly Instrument[], context: AccountContext): Call<readonly OrderState[]> {
  return {
    ...post(`/v2/auth/r/orders${symbolPath(instruments)}`, {}, context),
    weight: { requests: 1 },
    read: (reply) =>
      answerOf(reply, z.array(orderRow), (rows) =>
        rows.filter(({ symbol }) => isOf(instruments, symbol)).map(orderFrom),
      ),
  };
}

/** `{all:1}` would cancel whatever the key has open anywhere: what is open in these instruments is listed and cancelled by its numbers. */
function cancelOpen(instruments: readonly Instrument[], context: AccountContext): Call<unknown> {
  const list = openOf(instruments, context);
  return {
    ...list,
    read: (reply) =>
      andThen<readonly OrderState[], unknown>(list.read(reply), (orders) => {
        if (orders.length === 0) return ok(orders);
        const id = orders.map(({ venueOrderId }) => Number(venueOrderId));
        const more = (later: AccountContext): Call<unknown> => ({
          ...post('/v2/auth/w/order/cancel/multi', { id }, later),
          weight: { requests: 1 },
          read: (answer) => cancelAnswer(answerOf(answer, notice, (said) => said)),
        });
        return { ...ok(orders), more };
      }),
  };
}

const PAGE = 2_500;

/** Open orders first; ended ones stand in another list, two weeks long. */
function query(order: OrderRef, context: AccountContext): Call<OrderState> {
  const { venueSymbol } = order.instrument;
  const named = order.venueOrderId === undefined ? {} : { id: [Number(order.venueOrderId)] };
  return {
    ...post(`/v2/auth/r/orders/${venueSymbol}`, named, context),
    weight: { requests: 1 },
    read: (reply) =>
      andThen(foundIn(reply, order), ({ found }) =>
        found === undefined
          ? { ...refused('not-found', '', 'not among the open orders'), elsewhere: (later) => ended(order, later) }
          : ok(found),
      ),
  };
}

function ended(order: OrderRef, context: AccountContext): Call<OrderState> {
  const { venueSymbol } = order.instrument;
  const named =
    order.venueOrderId === undefined
      ? { start: Math.floor(order.sentMs) - 60_000, limit: PAGE }
      : { id: [Number(order.venueOrderId)] };
  return {
    ...post(`/v2/auth/r/orders/${venueSymbol}/hist`, named, context),
    weight: { requests: 1 },
    read: (reply) =>
      andThen(foundIn(reply, order), ({ found, count }) => {
        if (found !== undefined) return ok(found);
        return count < PAGE
          ? refused('not-found', '', 'among neither open nor ended orders')
          : refused('in-doubt', '', 'more orders have ended since than one list holds');
      }),
  };
}

/** The last one that goes by either name. */
const foundIn = (reply: Reply, { venueOrderId, clientOrderId }: OrderRef) =>
  answerOf(reply, z.array(orderRow), (rows) => {
    const cid = String(clientNumber(clientOrderId));
    const row = rows.find((each) => (venueOrderId === undefined ? each.cid === cid : each.id === venueOrderId));
    return { count: rows.length, found: row === undefined ? undefined : orderFrom(row) };
  });

type FillsQuery = { readonly instruments: readonly Instrument[]; readonly sinceMs: number; readonly order?: OrderRef };

/** The oldest first; the next page begins in the last one's millisecond. */
function fillsPage(wanted: FillsQuery, context: AccountContext): Call<readonly VenueFill[]> {
  const { instruments, sinceMs, order } = wanted;
  const cid = order === undefined ? undefined : String(clientNumber(order.clientOrderId));
  const isWanted = ({ venueSymbol, clientOrderId }: VenueFill): boolean =>
    isOf(instruments, venueSymbol) && (cid === undefined || clientOrderId === cid);
  const fields = { start: Math.floor(sinceMs), limit: PAGE, sort: 1 };
  return {
    ...post(`/v2/auth/r/trades${symbolPath(instruments)}/hist`, fields, context),
    weight: { requests: 1 },
    read: (reply) =>
      andThen(
        answerOf(reply, z.array(fillRow), (rows) => rows.map(fillFrom)),
        (fills) => {
          const lastMs = fills.at(-1)?.timeMs ?? NaN;
          const later = lastMs > sinceMs ? lastMs : sinceMs + 1;
          const more = (then: AccountContext) => fillsPage({ ...wanted, sinceMs: later }, then);
          return { ...ok(fills.filter(isWanted)), ...(fills.length < PAGE ? {} : { more }) };
        },
      ),
  };
}

function fillsOf(order: OrderRef, context: AccountContext): Call<readonly VenueFill[]> {
  const { venueOrderId, instrument, sentMs } = order;
  // The venue's clock may be a little behind ours.
  if (venueOrderId === undefined)
    return fillsPage({ instruments: [instrument], sinceMs: sentMs - 60_000, order }, context);
  return {
    ...post(`/v2/auth/r/order/${instrument.venueSymbol}:${venueOrderId}/trades`, {}, context),
    weight: { requests: 1 },
    read: (reply) => answerOf(reply, z.array(fillRow), (rows) => rows.map(fillFrom)),
  };
}

/** wallet, currency, total, interest, available where it has been worked out. */
const walletRow = z
  .tuple([z.string(), z.string(), decimalText, any, word])
  .rest(any)
  .transform(([wallet, currency, total, , available]) => ({
    wallet,
    balance: {
      asset: assetOf(currency),
      total,
      available: available === null || available === undefined ? total : decimalFrom(available),
    } satisfies BalanceState,
  }));

function balances(wanted: string, context: AccountContext): Call<readonly BalanceState[]> {
  return {
    ...post('/v2/auth/r/wallets', {}, context),
    weight: { requests: 1 },
    read: (reply) =>
      answerOf(reply, z.array(walletRow), (rows) =>
        rows.filter(({ wallet }) => wallet === wanted).map(({ balance }) => balance),
      ),
  };
}

/** symbol, status, amount, base price, …, 8 liquidation price, 9 leverage. */
const positionRow = z
  .tuple([z.string(), any, decimalOrZero, decimalOrZero])
  .rest(any)
  .transform(([venueSymbol, , qty, entryPrice, ...rest]): PositionState => {
    const [liquidationPrice, leverage] = [priceOf(rest[4]), priceOf(rest[5])];
    return {
      venueSymbol,
      qty,
      entryPrice,
      ...(liquidationPrice === undefined ? {} : { liquidationPrice }),
      ...(leverage === undefined ? {} : { leverage }),
    };
  });

function positions(context: AccountContext): Call<readonly PositionState[]> {
  return {
    ...post('/v2/auth/r/positions', {}, context),
    weight: { requests: 1 },
    read: (reply) => answerOf(reply, z.array(positionRow), (rows) => rows),
  };
}

/** 0 crypto, 1 stable, 2 fiat, 5 derivatives. */
const rates = z.tuple([decimalText, decimalText, decimalText, any, any, decimalText]).rest(any);
const summary = z.tuple([any, any, any, any, z.tuple([rates, rates]).rest(any)]).rest(any);
const FIAT: readonly string[] = ['USD', 'EUR', 'GBP', 'JPY', 'TRY', 'CHF', 'CNH', 'MXN', 'HKD', 'SGD'];
const STABLE: readonly string[] = ['USDT', 'USDC', 'EURT', 'EURS', 'TUSD', 'DAI', 'XAUT', 'MXNT', 'CNHT'];

function feesOf(instruments: readonly Instrument[], context: AccountContext): Call<readonly FeeState[]> {
  return {
    ...post('/v2/auth/r/summary', {}, context),
    weight: { requests: 1 },
    read: (reply) =>
      answerOf(reply, summary, ([, , , , [maker, taker]]) =>
        instruments.map(({ venueSymbol, market: id, kind, quote }) => {
          const tier = kind !== 'spot' ? 5 : FIAT.includes(quote) ? 2 : STABLE.includes(quote) ? 1 : 0;
          return { venueSymbol, market: id, maker: maker[tier], taker: taker[tier] };
        }),
      ),
  };
}

/** What of the key may be read and written. */
function permissions(context: AccountContext): Call<KeyPermissions> {
  return {
    ...post('/v2/auth/r/permissions', {}, context),
    weight: { requests: 1 },
    read: (reply) =>
      answerOf(reply, z.array(z.tuple([z.string(), z.string(), z.string()]).rest(any)), (scopes) => {
        const mayWrite = (name: string): boolean => scopes.some(([scope, , write]) => scope === name && write === '1');
        return { trade: mayWrite('orders'), withdraw: mayWrite('withdraw') };
      }),
  };
}

/** Cancels what the key has open when the socket is lost. */
const CANCEL_ON_DISCONNECT = 4;

/**
 * Orders and everything about them on one socket.
 * @see https://docs.bitfinex.com/docs/ws-auth
 */
function privateSocket(wallet: string): AccountSocket {
  return {
    id: 'private',
    carries: ['events', 'orders'],
    wsUrl: 'wss://api.bitfinex.com/ws/2',
    login: ({ credentials, nonce }) => {
      const authPayload = `AUTH${nonce}`;
      const authSig = hmac('sha384', credentials.secret, authPayload, 'hex');
      const auth = { event: 'auth', apiKey: credentials.apiKey, authSig, authNonce: nonce, authPayload };
      return [JSON.stringify({ ...auth, dms: CANCEL_ON_DISCONNECT })];
    },
    subscribe: () => [],
    orders: {
      weight: { orders: 1 },
      place: (order, context) => JSON.stringify([0, 'on', null, orderFields(order, context)]),
      cancel: (order) => JSON.stringify([0, 'oc', null, nameOf(order)]),
    },
    // It sends `hb` every 15 s.
    heartbeat: { kind: 'none' },
    idleMs: 40_000,
    decode: (frame) => eventsOf(frameText(frame), wallet),
  };
}

const socketEvent = z.object({ event: z.string(), status: word, code: word, msg: word });

/** @throws BadInput */
function eventsOf(text: string, wallet: string): readonly AccountEvent[] {
  const frame = jsonOf(text);
  if (!Array.isArray(frame)) return controlEvents(checked(socketEvent, frame, 'bitfinex private frame'));
  const [channel, type, payload] = checked(z.array(any).min(2), frame, 'bitfinex private frame');
  if (channel !== '0') return [];
  const read = <T>(schema: z.ZodType<T>): T => checked(schema, payload, `bitfinex ${String(type)}`);
  switch (type) {
    case 'os':
      return read(z.array(orderRow)).map((row) => ({ kind: 'order', order: orderFrom(row) }));
    case 'on':
    case 'ou':
    case 'oc':
      return [{ kind: 'order', order: orderFrom(read(orderRow)) }];
    // `te` comes a moment earlier, but without the fee.
    case 'tu':
      return [{ kind: 'fill', fill: fillFrom(read(fillRow)) }];
    case 'ws':
      return read(z.array(walletRow)).flatMap((row) => walletEvents(row, wallet));
    case 'wu':
      return walletEvents(read(walletRow), wallet);
    case 'ps':
      return read(z.array(positionRow)).map((position) => ({ kind: 'position', position }));
    case 'pn':
    case 'pu':
    case 'pc':
      return [{ kind: 'position', position: read(positionRow) }];
    case 'n':
      return noticeEvents(read(notice));
    default:
      return [];
  }
}

const walletEvents = (row: z.infer<typeof walletRow>, wallet: string): readonly AccountEvent[] =>
  row.wallet === wallet ? [{ kind: 'balance', balance: row.balance }] : [];

/** 20051 the server restarts, 20060 maintenance begins, 20061 it is over: each wants a new socket. */
function controlEvents({ event, status, code, msg }: z.infer<typeof socketEvent>): readonly AccountEvent[] {
  const said = `${code ?? ''} ${msg ?? ''}`.trim();
  switch (event) {
    case 'auth':
      return status === 'OK'
        ? [{ kind: 'ready' }]
        : [{ kind: 'error', refusal: refusalFrom(code ?? '10100', msg ?? '') }];
    case 'error':
      return [{ kind: 'error', refusal: refusalFrom(code ?? '', msg ?? '') }];
    case 'info':
      return code === null || code === undefined ? [] : [{ kind: 'over', text: said }];
    default:
      return [];
  }
}

/** The answer to an order or a cancel, found by our number; a cancel that found nothing may not repeat it. */
function noticeEvents({ type, about, status, text }: z.infer<typeof notice>): readonly AccountEvent[] {
  const to = type === 'on-req' ? 'place' : type === 'oc-req' ? 'cancel' : undefined;
  if (to === undefined) return [];
  const [id, , cid] = checked(z.tuple([word, any, word]).rest(any), about, 'bitfinex order notice');
  const refusal = refusalFrom(status, text);
  const judged =
    to === 'cancel' && refusal.meaning === 'not-found' ? { ...refusal, meaning: 'not-open' as const } : refusal;
  if (cid === null || cid === undefined) return status === 'SUCCESS' ? [] : [{ kind: 'error', refusal: judged }];
  const answer: Answer<Placed> = status === 'SUCCESS' ? ok({ venueOrderId: id ?? '' }) : judged;
  return [{ kind: 'answer', clientOrderId: cid, to, answer }];
}

/**
 * 10001 is any error and 10020 any parameter: their texts decide.
 * @see https://docs.bitfinex.com/docs/abbreviations-glossary
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '10008': 'rate-limited',
  '10100': 'unauthorised',
  '10111': 'unauthorised',
  '10112': 'unauthorised',
  '10113': 'unauthorised',
  '10114': 'clock-skew',
  '10200': 'unauthorised',
  '11000': 'venue-down',
  '11010': 'rate-limited',
  '20060': 'venue-down',
  ERR_RATE_LIMIT: 'rate-limited',
  temporarily_unavailable: 'in-doubt',
};

const TEXTS: readonly (readonly [pattern: RegExp, meaning: Meaning])[] = [
  [/not enough .*(balance|margin)|available balance is only/i, 'insufficient-funds'],
  [/minimum (size|amount)|amount.*below.*min/i, 'below-minimum'],
  [/maximum size|maximum amount/i, 'invalid-order'],
  [/order not found/i, 'not-found'],
  [/reduce.?only/i, 'reduce-only'],
  [/duplicate/i, 'duplicate-id'],
  [/post.?only/i, 'would-take'],
  [/permission|apikey|api_key|unauth/i, 'unauthorised'],
  [/nonce/i, 'clock-skew'],
  [/rate.?limit/i, 'rate-limited'],
  [/(trading|pair|market|symbol).*(disabled|suspended|paused|closed|not available)/i, 'not-allowed'],
  [/price.*(too (high|low)|away|deviat)/i, 'price-out-of-band'],
  [
    /\b(symbol|price|amount|type|cid|flags|lev|meta): invalid|invalid (price|amount|symbol|type)|incorrect/i,
    'invalid-order',
  ],
];
