import { crc32 } from 'node:zlib';
import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { assert, BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom, textOf } from '#shared/money/grid.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountSocket,
  Amendment,
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
  hmac,
  jsonOf,
  meaningOf,
  ok,
  queryOf,
  refused,
  signedNumber,
  timeText,
} from './venue-tools.ts';
import { filled, HOLE, OrderTemplates } from './venue-templates.ts';
import type { BookRules, ChecksumView, Continuity, Frame, Market, MarketSink, StreamKind, Venue } from './venue.ts';
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

const OKX = venueId('okx');
const REST_URL = 'https://www.okx.com';
/** What instruments, orders and fees are asked by. */
const TYPE_OF: Readonly<Record<string, string>> = { spot: 'SPOT', swap: 'SWAP', futures: 'FUTURES', options: 'OPTION' };
const KIND_OF: Readonly<Record<string, InstrumentKind>> = {
  spot: 'spot',
  swap: 'perpetual',
  futures: 'future',
  options: 'option',
};
/** Options are listed by the family of their underlying. */
const OPTION_FAMILIES = ['BTC-USD', 'ETH-USD'] as const;

/**
 * An option's fee is a fraction of its coins, at most 7 % of the premium; its exercise likewise, but for daily ones, where nothing is charged.
 * @see https://www.okx.com/help/trading-fee-rules-faq
 */
const SETTLEMENT_FEES: Readonly<Record<string, Partial<Fees>>> = {
  futures: { delivery: amountOf('0.0001') },
  options: { premiumShareMax: amountOf('0.07'), delivery: amountOf('0.0002') },
};

/** One protocol and one socket for every market; they differ in their instruments. */
const market = (id: string, [maker, taker]: readonly [string, string]): Market => ({
  id,
  wsUrl: 'wss://ws.okx.com:8443/ws/v5/public',
  restUrl: REST_URL,
  defaultFees: {
    maker: amountOf(maker),
    taker: amountOf(taker),
    currency: id === 'spot' ? 'received' : 'settle',
    ...SETTLEMENT_FEES[id],
  },
  instruments: {
    paths:
      id === 'options'
        ? OPTION_FAMILIES.map((family) => `/api/v5/public/instruments?instType=OPTION&instFamily=${family}`)
        : [`/api/v5/public/instruments?instType=${TYPE_OF[id]!}`],
    parse: (bodies, fees) => parseInstruments(id, bodies, fees),
  },
  subscribe: (symbols) => requestsOf('subscribe', bookArguments(symbols)),
  unsubscribe: (symbols) => requestsOf('unsubscribe', bookArguments(symbols)),
  // 480 subscriptions and unsubscriptions an hour: a hundred symbols leave room to repair each of them.
  limits: { symbolsPerSocket: 100, messagesPerSecond: 3 },
  heartbeat: { kind: 'client-text', text: 'ping', everyMs: 20_000 },
  idleMs: 30_000,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity, checksum },
  streams: {
    kinds: id === 'spot' ? ['trades'] : ['trades', 'reference'],
    symbolsPerSocket: 100,
    subscribe: (kinds, symbols) => requestsOf('subscribe', streamArguments(id, kinds, symbols)),
  },
  poll: { path: (symbol) => `/api/v5/market/books?instId=${symbol}&sz=400`, decode: decodePoll },
  decode,
});

/** @see https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel */
export const okx: Venue = {
  id: OKX,
  markets: [
    market('spot', ['0.0008', '0.001']),
    market('swap', ['0.0002', '0.0005']),
    market('futures', ['0.0002', '0.0005']),
    market('options', ['0.0002', '0.0003']),
  ],
  accounts: [unified()],
};

type Argument = Readonly<Record<string, string>>;

/** A request may hold 64 KB; a hundred subscriptions are about 5. */
const requestsOf = (op: string, args: readonly Argument[]): readonly string[] =>
  batchesOf(args, 100).map((batch) => JSON.stringify({ op, args: batch }));

const bookArguments = (symbols: readonly string[]): readonly Argument[] =>
  symbols.map((instId) => ({ channel: 'books', instId }));

/**
 * An index is its underlying's (`BTC-USDT` of `BTC-USDT-SWAP`): only the perpetual is told, as one frame means one instrument. Volatilities and Greeks come
 * for a whole option family.
 */
function streamArguments(id: string, kinds: readonly StreamKind[], symbols: readonly string[]): readonly Argument[] {
  const of = (channel: string): readonly Argument[] => symbols.map((instId) => ({ channel, instId }));
  const familyOf = (symbol: string): string => symbol.split('-').slice(0, 2).join('-');
  const families = [...new Set(symbols.map(familyOf))];
  const reference = [
    ...of('mark-price'),
    ...(id === 'swap'
      ? [...of('funding-rate'), ...families.map((instId) => ({ channel: 'index-tickers', instId }))]
      : []),
    ...(id === 'options' ? families.map((instFamily) => ({ channel: 'opt-summary', instFamily })) : []),
  ];
  return [...(kinds.includes('trades') ? of('trades') : []), ...(kinds.includes('reference') ? reference : [])];
}

/**
 * 1. prevSeqId equals the seqId of the frame before; seqId itself may jump.
 * 2. seqId equal to prevSeqId with no levels says that nothing happened for a minute.
 * 3. seqId below prevSeqId is a reset after maintenance: the frame follows all the same, and its seqId is the new base.
 * Frames recorded before seqId existed have no prevSeqId: their checksum alone decides.
 */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  const { previousSequence } = update;
  if (Number.isNaN(previousSequence)) return 'apply';
  if (previousSequence !== lastSequence) return 'gap';
  const silent = update.bids.count === 0 && update.asks.count === 0;
  return silent && update.lastSequence === previousSequence ? 'drop' : 'apply';
}

const HASHED_LEVELS = 25;

/**
 * The rule of recordings before 2026-06-23 (0, absent, since then): signed CRC32 over `bidPrice:bidQty:askPrice:askQty:…` of the best 25 a side, the longer
 * side's rest appended.
 */
function checksum(book: ChecksumView): number {
  const sides = [book.bids, book.asks].map((read) => {
    const prices = new Float64Array(HASHED_LEVELS);
    const qtys = new Float64Array(HASHED_LEVELS);
    const count = read(prices, qtys);
    return Array.from({ length: count }, (_, at) => `${plain(prices[at]!)}:${plain(qtys[at]!)}`);
  });
  const [bids = [], asks = []] = sides;
  const texts = Array.from({ length: HASHED_LEVELS }, (_, at) => [bids[at], asks[at]]).flat();
  return crc32(texts.filter((text) => text !== undefined).join(':')) | 0;
}

const plain = (value: number): string => (value >= 1e-6 && value < 1e21 ? String(value) : textOf(amountOf(value)));

const KEY = {
  arg: keyCode('arg'),
  channel: keyCode('channel'),
  instId: keyCode('instId'),
  action: keyCode('action'),
  data: keyCode('data'),
  asks: keyCode('asks'),
  bids: keyCode('bids'),
  time: keyCode('ts'),
  checksum: keyCode('checksum'),
  sequence: keyCode('seqId'),
  previous: keyCode('prevSeqId'),
  event: keyCode('event'),
  price: keyCode('px'),
  size: keyCode('sz'),
  side: keyCode('side'),
  mark: keyCode('markPx'),
  index: keyCode('idxPx'),
  fundingRate: keyCode('fundingRate'),
  fundingTime: keyCode('fundingTime'),
  nextFundingTime: keyCode('nextFundingTime'),
  bidVolatility: keyCode('bidVol'),
  askVolatility: keyCode('askVol'),
  markVolatility: keyCode('markVol'),
  delta: keyCode('deltaBS'),
  gamma: keyCode('gammaBS'),
  vega: keyCode('vegaBS'),
  theta: keyCode('thetaBS'),
  forward: keyCode('fwdPx'),
} as const;
const ACTION_SNAPSHOT = bytesOf('snapshot');
const ACTION_UPDATE = bytesOf('update');
const NOTICE = bytesOf('notice');
const ERROR = bytesOf('error');
const BUY = bytesOf('buy');
const SELL = bytesOf('sell');
const PONG = 'pong';
const LETTER_P = 0x70;

const OTHER = 0;
const BOOK = 1;
const PRINTS = 2;
const REFERENCE = 3;
const INDEX = 4;
type Channel = typeof OTHER | typeof BOOK | typeof PRINTS | typeof REFERENCE | typeof INDEX;
const CHANNELS: readonly (readonly [name: Uint8Array, channel: Channel])[] = [
  [bytesOf('books'), BOOK],
  [bytesOf('trades'), PRINTS],
  [bytesOf('mark-price'), REFERENCE],
  [bytesOf('funding-rate'), REFERENCE],
  [bytesOf('opt-summary'), REFERENCE],
  [bytesOf('index-tickers'), INDEX],
];

const ASKS = 1;
const BIDS = 2;
const CHECKSUM = 4;
const SEQUENCE = 8;
const PREVIOUS = 16;

/** A change as it usually comes, its two sequences in either order. */
const UPDATE_SHAPE = shapeOf(
  '{"arg":{"channel":"books","instId":"<text>"},"action":"update","data":[{"asks":<levels>,"bids":<levels>,' +
    '"ts":"<integer>","checksum":<integer>(,"prevSeqId":<integer>),"seqId":<integer>(,"prevSeqId":<integer>)}]}',
);

function decode(frame: Frame, sink: MarketSink): void {
  if (!frame.has(UPDATE_SHAPE)) decodeAny(frame, sink);
  else if (!Number.isNaN(FOUND_NUMBERS[4])) takeUpdate(frame, sink, 4);
  else if (!Number.isNaN(FOUND_NUMBERS[2])) takeUpdate(frame, sink, 2);
  else decodeAny(frame, sink);
}

/** `previousAt`: which of the shape's numbers is the previous sequence. */
function takeUpdate(frame: Frame, sink: MarketSink, previousAt: 2 | 4): void {
  const { update } = sink;
  frame.shapedText(0);
  const instrument = sink.find(frame, frame.textStart, frame.textEnd);
  if (instrument === -1) return;
  update.kind = DELTA;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.venueTimeMs = FOUND_NUMBERS[0]!;
  update.checksum = FOUND_NUMBERS[1] === 0 ? NaN : FOUND_NUMBERS[1]!;
  update.previousSequence = FOUND_NUMBERS[previousAt]!;
  update.lastSequence = FOUND_NUMBERS[3]!;
  frame.shapedLevels(0, update.asks);
  frame.shapedLevels(1, update.bids);
  sink.publish();
}

function decodeAny(frame: Frame, sink: MarketSink): void {
  if (frame.peek() === LETTER_P && frame.text() === PONG) {
    sink.control('pong', PONG);
    return;
  }
  let channel: Channel = OTHER;
  let action = 0;
  let isRead = false;
  let dataAt = -1;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.event) {
      control(frame, sink);
      return;
    }
    if (key === KEY.arg) {
      channel = readArg(frame, sink);
      if (channel === OTHER) return;
    } else if (key === KEY.action) action = readAction(frame);
    else if (key === KEY.data && channel === BOOK && action !== 0) {
      readBook(frame, sink, action === 1 ? SNAPSHOT : DELTA);
      isRead = true;
    } else {
      if (key === KEY.data) {
        frame.peek();
        dataAt = frame.at;
      }
      frame.skip();
    }
  }
  if (channel === OTHER) return;
  if (channel === BOOK) {
    if (!isRead) throw new BadInput(`okx: a book frame without action or data: ${frame.text().slice(0, 120)}`);
    frame.finish();
    sink.publish();
    return;
  }
  // Whole first, so that half a frame publishes nothing.
  frame.finish();
  if (dataAt < 0) throw new BadInput(`okx: a frame without data: ${frame.text().slice(0, 120)}`);
  frame.at = dataAt;
  readStream(frame, sink, channel);
}

/** `{"channel":"books","instId":…}`; OTHER for a channel that says nothing to us, and for the book of an instrument that we do not follow. */
function readArg(frame: Frame, sink: MarketSink): Channel {
  let channel: Channel = OTHER;
  let instrument: ReturnType<MarketSink['find']> = -1;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      frame.string();
      channel = channelOf(frame);
    } else if (key === KEY.instId) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
    } else frame.skip();
  }
  if (channel !== BOOK) return channel;
  if (instrument === -1) return OTHER;
  sink.update.instrument = instrument;
  return BOOK;
}

function channelOf(frame: Frame): Channel {
  for (const [name, channel] of CHANNELS) if (frame.textIs(name)) return channel;
  return OTHER;
}

function readAction(frame: Frame): 1 | 2 {
  frame.string();
  if (frame.textIs(ACTION_SNAPSHOT)) return 1;
  if (frame.textIs(ACTION_UPDATE)) return 2;
  throw new BadInput(`okx: unknown action: ${frame.text().slice(0, 120)}`);
}

function readBook(frame: Frame, sink: MarketSink, kind: MarketUpdate['kind']): void {
  requireWhole(frame, sink.update, readLevels(frame, sink.update, kind));
}

/** The array holds one book; returns which of its fields were there. */
function readLevels(frame: Frame, update: MarketUpdate, kind: MarketUpdate['kind']): number {
  let seen = 0;
  update.kind = kind;
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  if (!frame.firstElement()) throw new BadInput('okx: a book frame without a book');
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else if (key === KEY.checksum) {
      frame.integer();
      update.checksum = frame.value === 0 ? NaN : frame.value;
      seen |= CHECKSUM;
    } else if (key === KEY.sequence) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= SEQUENCE;
    } else if (key === KEY.previous) {
      frame.integer();
      update.previousSequence = frame.value;
      seen |= PREVIOUS;
    } else frame.skip();
  }
  if (frame.nextElement()) throw new BadInput('okx: two books in a frame');
  return seen;
}

/** Either the sequence pair, or (recordings) a checksum, which then stands for the sequence: it names the state that the frame leads to. */
function requireWhole(frame: Frame, update: MarketUpdate, seen: number): void {
  const sequenced = (seen & (SEQUENCE | PREVIOUS)) === (SEQUENCE | PREVIOUS);
  const legacy = (seen & (SEQUENCE | PREVIOUS)) === 0 && !Number.isNaN(update.checksum);
  if ((seen & (ASKS | BIDS)) !== (ASKS | BIDS) || (!sequenced && !legacy)) {
    throw new BadInput(`okx: fields are missing: ${frame.text().slice(0, 120)}`);
  }
  if (legacy) update.lastSequence = update.checksum;
}

/** `data` of a stream: each element names its instrument. */
function readStream(frame: Frame, sink: MarketSink, channel: Channel): void {
  if (!frame.firstElement()) return;
  do {
    if (channel === PRINTS) readPrint(frame, sink);
    else readReference(frame, sink, channel === INDEX);
  } while (frame.nextElement());
}

/** `count` may say that several trades of one price stand together. */
function readPrint(frame: Frame, sink: MarketSink): void {
  const { print } = sink;
  let instrument: ReturnType<MarketSink['find']> = -1;
  let side = 0;
  numbers.fill(NaN);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.instId) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
    } else if (key === KEY.price) frame.number(numbers, 0);
    else if (key === KEY.size) frame.number(numbers, 1);
    else if (key === KEY.time) frame.number(numbers, 2);
    else if (key === KEY.side) {
      frame.string();
      side = frame.textIs(BUY) ? 1 : frame.textIs(SELL) ? -1 : 0;
    } else frame.skip();
  }
  if (instrument === -1) return;
  if (!(numbers[0]! > 0 && numbers[1]! > 0) || side === 0) {
    throw new BadInput(`okx: not a trade: ${frame.text().slice(0, 120)}`);
  }
  print.instrument = instrument;
  print.price = numbers[0]!;
  print.qty = numbers[1]!;
  print.taker = side === 1 ? 1 : -1;
  print.venueTimeMs = numbers[2]!;
  sink.publishPrint();
}

/** Where the numbers of an element are put before it is known to be whole. */
const numbers = new Float64Array(16);
const REFERENCE_KEYS: readonly number[] = [
  KEY.time,
  KEY.mark,
  KEY.index,
  KEY.fundingRate,
  KEY.fundingTime,
  KEY.nextFundingTime,
  KEY.bidVolatility,
  KEY.askVolatility,
  KEY.markVolatility,
  KEY.delta,
  KEY.gamma,
  KEY.vega,
  KEY.theta,
  KEY.forward,
];
const SWAP_SUFFIX = bytesOf('-SWAP');
/** What stood behind an index's name while the suffix takes its place. */
const covered = new Uint8Array(SWAP_SUFFIX.length);

/** What is said at once differs by channel; the Greeks are those of Black and Scholes, in dollars. */
function readReference(frame: Frame, sink: MarketSink, isIndex: boolean): void {
  let instrument: ReturnType<MarketSink['find']> = -1;
  numbers.fill(NaN);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    const at = REFERENCE_KEYS.indexOf(key);
    if (at >= 0) signedNumber(frame, numbers, at);
    else if (key === KEY.instId) {
      frame.string();
      instrument = isIndex ? findPerpetual(frame, sink) : sink.find(frame, frame.textStart, frame.textEnd);
    } else frame.skip();
  }
  if (instrument !== -1) publishReference(sink, instrument);
}

function publishReference(sink: MarketSink, instrument: InstrumentIndex): void {
  const { reference } = sink;
  sink.clearReference();
  reference.instrument = instrument;
  reference.venueTimeMs = numbers[0]!;
  reference.markPrice = numbers[1]!;
  reference.indexPrice = numbers[2]!;
  reference.fundingRate = numbers[3]!;
  // `fundingTime` is when the rate is paid; `nextFundingTime` is the one after.
  reference.nextFundingTimeMs = numbers[4]!;
  reference.fundingIntervalMs = numbers[5]! - numbers[4]!;
  reference.bidVolatility = numbers[6]!;
  reference.askVolatility = numbers[7]!;
  reference.markVolatility = numbers[8]!;
  reference.delta = numbers[9]!;
  reference.gamma = numbers[10]!;
  reference.vega = numbers[11]!;
  reference.theta = numbers[12]!;
  reference.underlyingPrice = numbers[13]!;
  sink.publishReference();
}

/** The perpetual of the index whose name was read last: spelt out in the frame for a moment, as names are looked up there. */
function findPerpetual(frame: Frame, sink: MarketSink): InstrumentIndex | -1 {
  const { textStart, textEnd, bytes } = frame;
  const end = textEnd + SWAP_SUFFIX.length;
  if (end > frame.end) return -1;
  for (let at = textEnd; at < end; at += 1) {
    covered[at - textEnd] = bytes[at]!;
    bytes[at] = SWAP_SUFFIX[at - textEnd]!;
  }
  const instrument = sink.find(frame, textStart, end);
  for (let at = textEnd; at < end; at += 1) bytes[at] = covered[at - textEnd]!;
  return instrument;
}

/** The REST book: `{"code":"0","data":[{"asks":…,"bids":…,"ts":…}]}`. */
function decodePoll(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  let seen = 0;
  sink.update.instrument = instrument;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.data) seen = readLevels(frame, sink.update, SNAPSHOT);
    else frame.skip();
  }
  if ((seen & (ASKS | BIDS)) !== (ASKS | BIDS)) throw new BadInput(`okx: not a book: ${frame.text().slice(0, 120)}`);
  frame.finish();
  sink.publish();
}

/** `{"event":"subscribe"|"unsubscribe"|"error"|"notice"|…}`. */
function control(frame: Frame, sink: MarketSink): void {
  frame.string();
  const kind = frame.textIs(ERROR) ? 'error' : frame.textIs(NOTICE) ? 'notice' : 'ack';
  sink.control(kind, frame.text());
}

const listing = z.object({
  instId: z.string().min(1),
  instIdCode: z.union([z.number(), z.string()]).nullish(),
  baseCcy: z.string().default(''),
  quoteCcy: z.string().default(''),
  settleCcy: z.string().default(''),
  uly: z.string().default(''),
  instFamily: z.string().default(''),
  ctType: z.string().default(''),
  ctVal: z.string().default(''),
  ctMult: z.string().default(''),
  tickSz: z.string().default(''),
  lotSz: z.string().default(''),
  minSz: z.string().default(''),
  expTime: z.string().default(''),
  optType: z.string().default(''),
  stk: z.string().default(''),
  state: z.string(),
});
type Listing = z.infer<typeof listing>;
const listings = z.object({ code: z.literal('0'), data: z.array(listing) });

function parseInstruments(id: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(listings, body, 'okx instruments').data.flatMap((entry) => instrumentFrom(id, entry, fees)),
  );
}

/** Empty for what has no grid yet (before its opening) or names no assets. An option is priced in its base, and its contract is in base units. */
function instrumentFrom(id: string, entry: Listing, fees: Fees): readonly Instrument[] {
  const kind = KIND_OF[id]!;
  const spot = kind === 'spot';
  const underlying = entry.uly === '' ? entry.instFamily : entry.uly;
  const [base = '', quote = ''] = spot ? [entry.baseCcy, entry.quoteCcy] : underlying.split('-');
  const settle = spot ? quote : entry.settleCcy;
  const contract = spot ? ['1', '1'] : [entry.ctVal, entry.ctMult];
  const numbersOf = [entry.tickSz, entry.lotSz, entry.minSz, ...contract];
  if ([base, quote, settle].includes('') || numbersOf.some((text) => !(Number(text) > 0))) return [];
  const expiry = kind === 'future' || kind === 'option' ? expiryOf(Number(entry.expTime)) : undefined;
  const option = kind === 'option' ? optionOf(entry) : undefined;
  if (
    (kind === 'future' && expiry === undefined) ||
    (kind === 'option' && (expiry === undefined || option === undefined))
  )
    return [];
  const symbol = `${base}/${quote}${spot ? '' : `:${settle}`}${expiry === undefined ? '' : `-${expiry.day}`}${option?.suffix ?? ''}`;
  const [tick, lot, minQty, value, multiplier] = numbersOf.map(decimalFrom);
  const code = entry.instIdCode ?? undefined;
  return [
    {
      id: idOf(OKX, symbol),
      venue: OKX,
      market: id,
      symbol,
      venueSymbol: entry.instId,
      ...(code === undefined ? {} : { venueCode: String(code) }),
      kind,
      base: asset(base),
      quote: asset(kind === 'option' ? base : quote),
      settle: asset(settle),
      contractSize: value!.times(multiplier!),
      inverse: entry.ctType === 'inverse',
      tick: tick!,
      lot: lot!,
      minQty: minQty!,
      minNotional: amountOf(0),
      fees,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      ...(option === undefined ? {} : { strike: option.strike, right: option.right }),
      status: entry.state === 'live' ? 'trading' : 'halted',
    },
  ];
}

function optionOf({ stk, optType }: Listing) {
  if (!(Number(stk) > 0) || (optType !== 'C' && optType !== 'P')) return undefined;
  const strike = decimalFrom(stk);
  return { strike, right: optType === 'C' ? 'call' : 'put', suffix: `-${strike.toFixed()}-${optType}` } as const;
}

/**
 * One account trades everything ("unified"), in net position mode.
 * @see https://www.okx.com/docs-v5/en/#order-book-trading-trade
 */
function unified(): Account {
  return {
    id: 'unified',
    markets: ['spot', 'swap', 'futures', 'options'],
    restUrl: REST_URL,
    clientOrderId: clientText,
    refuses,
    limits: {
      buckets: {
        // By instrument, so that one for all is on the safe side; a sub-account has 1,000 orders in 2 s besides.
        orders: { units: 60, windowMs: 2_000 },
        cancels: { units: 60, windowMs: 2_000 },
        reads: { units: 60, windowMs: 2_000 },
        account: { units: 5, windowMs: 2_000 },
        holdings: { units: 10, windowMs: 2_000 },
        deadMan: { units: 1, windowMs: 1_000 },
      },
    },
    prepare: (context) => [configuration(context, ({ uid, posMode, acctLv }) => ({ uid, posMode, acctLv }))],
    rest: {
      place,
      cancel,
      amend,
      cancelAll: (instruments, context) => [cancelPage(instruments, context, undefined)],
      query,
      openOrders: (instruments, context) => [openPage(instruments, context, undefined)],
      fillsSince: (instruments, sinceMs, context) => [fillsPage({ instruments, sinceMs }, context, undefined)],
      fillsOf,
      balances,
      positions,
      fees: feesOf,
      permissions: (context) => configuration(context, permissionsOf),
      time: {
        method: 'GET',
        path: '/api/v5/public/time',
        headers: {},
        weight: { reads: 1 },
        read: (reply) => dataOf(reply, z.object({ ts: z.string() }), ([row]) => Number(row!.ts)),
      },
    },
    sockets: [privateSocket()],
    deadMan: {
      kind: 'timer',
      minMs: 10_000,
      maxMs: 120_000,
      arm: (timeoutMs, _instruments, context) => [cancelAllAfter(timeoutMs, context)],
    },
  };
}

/** At most 32 letters and digits, case-sensitive. */
function clientText(id: string): string {
  const text = id.replaceAll(/[^A-Za-z0-9]/g, '');
  assert(text !== '' && text.length <= 32, 'a client order id has 1 to 32 letters and digits');
  return text;
}

function refuses(order: OrderTicket): string | undefined {
  const { kind } = order.instrument;
  if (order.postOnly && (order.type === 'market' || order.timeInForce !== 'GTC')) {
    return 'a post-only order is a limit order that rests';
  }
  if (order.type === 'market' && order.timeInForce === 'FOK') return 'a market order cannot be fill-or-kill';
  if (order.type === 'market' && kind === 'option') return 'options have no market orders';
  if (order.reduceOnly && kind === 'spot') return 'spot has no reduce-only orders';
  if (order.reduceOnly && kind === 'option') return 'options have no reduce-only orders';
  return undefined;
}

/** The base64 HMAC-SHA256 of timestamp, method, path with query, and body. */
function signed(method: 'GET' | 'POST', path: string, { credentials, nowMs }: AccountContext, body = '') {
  const timestamp = new Date(nowMs).toISOString();
  return {
    method,
    path,
    headers: {
      'OK-ACCESS-KEY': credentials.apiKey,
      'OK-ACCESS-PASSPHRASE': credentials.passphrase ?? '',
      'OK-ACCESS-TIMESTAMP': timestamp,
      'OK-ACCESS-SIGN': hmac('sha256', credentials.secret, timestamp + method + path + body, 'base64'),
      ...(method === 'POST' ? { 'Content-Type': 'application/json' } : {}),
    },
    ...(method === 'POST' ? { body } : {}),
  } as const;
}

function get(path: string, fields: Parameters<typeof queryOf>[0], context: AccountContext) {
  const asked = queryOf(fields);
  return signed('GET', asked === '' ? path : `${path}?${asked}`, context);
}

const post = (path: string, body: unknown, context: AccountContext) =>
  signed('POST', path, context, JSON.stringify(body));

/** `{"code":…,"msg":…,"data":[…]}`: the refusal of a request as a whole. 1 and 2 leave it to its items. */
const envelope = z.object({ code: z.string(), msg: z.string().default('') });

function refusalOf(body: unknown): Refusal | undefined {
  const read = envelope.safeParse(body);
  if (!read.success || ['0', '1', '2'].includes(read.data.code)) return undefined;
  return refused(meaningOf(MEANINGS, read.data.code), read.data.code, read.data.msg);
}

/** Reads `data`; a list that is empty is for `valueOf` to judge. */
function dataOf<T, V>(reply: Reply, row: z.ZodType<T>, valueOf: (rows: readonly T[]) => V): Answer<V> {
  return answerFrom(reply, z.object({ code: z.literal('0'), data: z.array(row) }), {
    refusalOf,
    valueOf: ({ data }) => valueOf(data),
  });
}

/** How an order stands, by REST and in the `orders` channel. */
const orderRow = z.object({
  instId: z.string(),
  clOrdId: z.string().default(''),
  ordId: z.string().min(1),
  side: z.enum(['buy', 'sell']),
  ordType: z.string(),
  state: z.enum(['live', 'partially_filled', 'filled', 'canceled', 'mmp_canceled']),
  cancelSource: z.string().nullish(),
  px: z.string().default(''),
  sz: decimalText,
  accFillSz: decimalOrZero,
  uTime: timeText,
});

/** Why the venue ended an order by itself: `cancelSource`. */
const ENDINGS: Readonly<Record<string, Meaning | undefined>> = {
  '13': 'not-filled',
  '14': undefined,
  '31': 'would-take',
  '32': 'self-trade',
};

function orderFrom(row: z.infer<typeof orderRow>): OrderState {
  const { cancelSource, px } = row;
  const reason = cancelSource === null || cancelSource === undefined ? undefined : ENDINGS[cancelSource];
  return {
    venueSymbol: row.instId,
    clientOrderId: row.clOrdId,
    venueOrderId: row.ordId,
    side: row.side,
    status: statusOf(row),
    ...(px === '' ? {} : { price: decimalFrom(px) }),
    qty: row.sz,
    filled: row.accFillSz,
    timeMs: row.uTime,
    ...(reason === undefined ? {} : { reason }),
  };
}

/** What asks to trade at once and is canceled without a source that names somebody ended by its own terms. */
function statusOf({ state, ordType, cancelSource }: z.infer<typeof orderRow>): OrderState['status'] {
  if (state === 'live' || state === 'partially_filled') return 'open';
  if (state === 'filled') return 'filled';
  if (Object.hasOwn(ENDINGS, cancelSource ?? '')) return 'expired';
  const isImmediate = ordType === 'ioc' || ordType === 'fok' || ordType === 'market';
  return isImmediate && (cancelSource ?? '') === '' ? 'expired' : 'canceled';
}

/** A line of the fills, by REST. */
const fillRow = z.object({
  instId: z.string(),
  clOrdId: z.string().default(''),
  ordId: z.string(),
  tradeId: z.string(),
  billId: z.string(),
  side: z.enum(['buy', 'sell']),
  fillPx: decimalText,
  fillSz: decimalText,
  fee: decimalOrZero,
  feeCcy: z.string().default(''),
  execType: z.string().default(''),
  fillTime: timeText,
  subType: z.string().default(''),
});

const LIQUIDATIONS = new Set([
  '100',
  '101',
  '102',
  '103',
  '104',
  '105',
  '106',
  '107',
  'partial_liquidation',
  'full_liquidation',
]);
const DELEVERAGINGS = new Set(['125', '126', '127', '128', 'adl']);

/** Of a bill's subtype, by REST, or an order's category, on the stream. */
function forcedBy(kind: string): Pick<VenueFill, 'forced'> {
  if (DELEVERAGINGS.has(kind)) return { forced: 'adl' };
  return LIQUIDATIONS.has(kind) ? { forced: 'liquidation' } : {};
}

const fillFrom = (row: Omit<z.infer<typeof fillRow>, 'billId'>): VenueFill => ({
  venueSymbol: row.instId,
  clientOrderId: row.clOrdId,
  venueOrderId: row.ordId,
  tradeId: row.tradeId,
  side: row.side,
  price: row.fillPx,
  qty: row.fillSz,
  // The venue writes what is paid as a negative number.
  fee: new Decimal(0).minus(row.fee),
  feeAsset: row.feeCcy,
  liquidity: row.execType === 'M' ? 'maker' : 'taker',
  timeMs: row.fillTime,
  ...forcedBy(row.subType),
});

/** The answer to one order or cancel of a request. */
const ackRow = z.object({
  ordId: z.string().default(''),
  clOrdId: z.string().default(''),
  sCode: z.string(),
  sMsg: z.string().default(''),
});
const acks = z.object({ code: z.enum(['0', '1', '2']), msg: z.string().default(''), data: z.array(ackRow) });

const ackRefusal = ({ sCode, sMsg }: z.infer<typeof ackRow>): Refusal | undefined =>
  sCode === '0' ? undefined : refused(meaningOf(MEANINGS, sCode), sCode, sMsg);

/** The one order of a request. */
function placedFrom({ code, msg, data }: z.infer<typeof acks>): Answer<Placed> {
  const [ack] = data;
  if (ack === undefined) return refused('in-doubt', code, msg);
  return ackRefusal(ack) ?? ok({ venueOrderId: ack.ordId });
}

/** Reads a list of acknowledgements whatever they say. */
function acknowledged<V>(reply: Reply, answerOf: (body: z.infer<typeof acks>) => Answer<V>): Answer<V> {
  return andThen(answerFrom(reply, acks, { refusalOf, valueOf: (body) => body }), answerOf);
}

/** Spot is traded on what is there (`cash`), but the two accounts that share margin between currencies want `cross`. */
function tradeMode({ kind }: Instrument, { facts, marginMode }: AccountContext): string {
  if (kind !== 'spot') return marginMode;
  return facts['acctLv'] === '3' || facts['acctLv'] === '4' ? 'cross' : 'cash';
}

const orderTypeOf = ({ type, timeInForce, postOnly }: OrderTicket): string =>
  type === 'market' ? 'market' : postOnly ? 'post_only' : timeInForce === 'GTC' ? 'limit' : timeInForce.toLowerCase();

/** Without `base_ccy` a market order to buy is counted in the quote. */
const orderFields = (order: OrderTicket, context: AccountContext) => ({
  side: order.side,
  ordType: orderTypeOf(order),
  sz: order.qty,
  tdMode: tradeMode(order.instrument, context),
  ...(order.instrument.kind === 'spot' ? { tgtCcy: 'base_ccy' } : {}),
  ...(order.type === 'market' ? {} : { px: order.price }),
  clOrdId: clientText(order.clientOrderId),
  ...(order.reduceOnly ? { reduceOnly: true } : {}),
});

const nameOf = ({ venueOrderId, clientOrderId }: OrderRef) =>
  venueOrderId === undefined ? { clOrdId: clientText(clientOrderId) } : { ordId: venueOrderId };

/** A batch of one: batches have five times the limit of single orders. */
function place(order: OrderTicket, context: AccountContext): Call<Placed> {
  return {
    ...post(
      '/api/v5/trade/batch-orders',
      [{ instId: order.instrument.venueSymbol, ...orderFields(order, context) }],
      context,
    ),
    weight: { orders: 1 },
    read: (reply) => acknowledged(reply, placedFrom),
  };
}

function cancel(order: OrderRef, context: AccountContext): Call<unknown> {
  return {
    ...post('/api/v5/trade/cancel-order', { instId: order.instrument.venueSymbol, ...nameOf(order) }, context),
    weight: { cancels: 1 },
    read: (reply) => acknowledged(reply, placedFrom),
  };
}

/**
 * Size and price are the whole order's, filled part included. What is acknowledged is that it was asked: the order's state says what came of it.
 * @see https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-amend-order
 */
function amend(order: OrderRef, { price, qty }: Amendment, context: AccountContext): Call<undefined> {
  const fields = { instId: order.instrument.venueSymbol, ...nameOf(order), newSz: qty, newPx: price };
  return {
    ...post('/api/v5/trade/amend-order', fields, context),
    weight: { orders: 1 },
    read: (reply) => andThen(acknowledged(reply, placedFrom), () => ok(undefined)),
  };
}

function query(order: OrderRef, context: AccountContext): Call<OrderState> {
  return {
    ...get('/api/v5/trade/order', { instId: order.instrument.venueSymbol, ...nameOf(order) }, context),
    weight: { reads: 1 },
    read: (reply) =>
      andThen(
        dataOf(reply, orderRow, ([row]) => row),
        (row) => (row === undefined ? refused('not-found', '0', 'no such order') : ok(orderFrom(row))),
      ),
  };
}

const PAGE = 100;

/** Instruments of one market as a query names them: one by its name, more by their type. */
function namesOf(instruments: readonly Instrument[]): { readonly instType?: string; readonly instId?: string } {
  const [first, second] = instruments;
  if (first === undefined) return {};
  return second === undefined ? { instId: first.venueSymbol } : { instType: TYPE_OF[first.market]! };
}

const isOf = (instruments: readonly Instrument[], symbol: string): boolean =>
  instruments.some(({ venueSymbol }) => venueSymbol === symbol);

/** A hundred open orders at a time, the newest first. */
function pendingPage<T>(
  instruments: readonly Instrument[],
  context: AccountContext,
  { after, answerOf }: { readonly after: string | undefined; readonly answerOf: PendingAnswer<T> },
): Call<T> {
  return {
    ...get('/api/v5/trade/orders-pending', { ...namesOf(instruments), after }, context),
    weight: { reads: 1 },
    read: (reply) =>
      andThen(
        dataOf(reply, orderRow, (rows) => rows),
        (rows) => {
          const orders = rows.filter(({ instId }) => isOf(instruments, instId)).map(orderFrom);
          return answerOf(orders, rows.length < PAGE ? undefined : rows.at(-1)?.ordId);
        },
      ),
  };
}
type PendingAnswer<T> = (orders: readonly OrderState[], next: string | undefined) => Answer<T>;

const openPage = (
  instruments: readonly Instrument[],
  context: AccountContext,
  after: string | undefined,
): Call<readonly OrderState[]> =>
  pendingPage(instruments, context, {
    after,
    answerOf: (orders, next) => ({
      ...ok(orders),
      ...(next === undefined ? {} : { more: (later: AccountContext) => openPage(instruments, later, next) }),
    }),
  });

/** OKX cancels by name only: what is open is listed, then cancelled twenty at a time. */
const cancelPage = (
  instruments: readonly Instrument[],
  context: AccountContext,
  after: string | undefined,
): Call<unknown> =>
  pendingPage<unknown>(instruments, context, {
    after,
    answerOf: (orders, next) => {
      const following =
        next === undefined ? undefined : (later: AccountContext) => cancelPage(instruments, later, next);
      const more = cancelBatches(batchesOf(orders, 20), following);
      return { ...ok(orders), ...(more === undefined ? {} : { more }) };
    },
  });

type Step = (context: AccountContext) => Call<unknown>;

function cancelBatches(batches: readonly (readonly OrderState[])[], following: Step | undefined): Step | undefined {
  const [batch, ...rest] = batches;
  if (batch === undefined) return following;
  const items = batch.map(({ venueSymbol, venueOrderId }) => ({ instId: venueSymbol, ordId: venueOrderId }));
  const more = cancelBatches(rest, following);
  return (context) => ({
    ...post('/api/v5/trade/cancel-batch-orders', items, context),
    weight: { cancels: items.length },
    read: (reply) =>
      acknowledged<unknown>(reply, ({ data }) => {
        // What is no longer open needs no cancel.
        const failed = data.map(ackRefusal).find((refusal) => refusal !== undefined && refusal.meaning !== 'not-open');
        return failed ?? { ...ok(data), ...(more === undefined ? {} : { more }) };
      }),
  });
}

const DAY_MS = 86_400_000;
type FillsQuery = {
  readonly instruments: readonly Instrument[];
  readonly sinceMs: number;
  readonly order?: OrderRef;
};

/** The newest first, three days back; further back in the history, three months. */
function fillsPage(wanted: FillsQuery, context: AccountContext, after: string | undefined): Call<readonly VenueFill[]> {
  const { instruments, sinceMs, order } = wanted;
  const isRecent = context.nowMs - sinceMs < 2.9 * DAY_MS;
  const fields = {
    instType: TYPE_OF[instruments[0]?.market ?? ''],
    ...(instruments.length === 1 ? { instId: instruments[0]!.venueSymbol } : {}),
    ordId: order?.venueOrderId,
    begin: Math.floor(sinceMs),
    after,
    limit: PAGE,
  };
  const client = order === undefined ? undefined : clientText(order.clientOrderId);
  const isWanted = ({ instId, clOrdId, ordId }: z.infer<typeof fillRow>): boolean =>
    isOf(instruments, instId) && (client === undefined || clOrdId === client || ordId === order?.venueOrderId);
  return {
    ...get(isRecent ? '/api/v5/trade/fills' : '/api/v5/trade/fills-history', fields, context),
    weight: isRecent ? { reads: 1 } : { account: 1 },
    read: (reply) =>
      andThen(
        dataOf(reply, fillRow, (rows) => rows),
        (rows) => {
          const next = rows.length < PAGE ? undefined : rows.at(-1)?.billId;
          const more = (later: AccountContext) => fillsPage(wanted, later, next);
          return { ...ok(rows.filter(isWanted).map(fillFrom)), ...(next === undefined ? {} : { more }) };
        },
      ),
  };
}

function fillsOf(order: OrderRef, context: AccountContext): Call<readonly VenueFill[]> {
  // The venue's clock may be a little behind ours.
  return fillsPage({ instruments: [order.instrument], sinceMs: order.sentMs - 60_000, order }, context, undefined);
}

const balanceRow = z.object({ ccy: z.string().min(1), cashBal: decimalOrZero, availBal: decimalOrZero });
const accountRow = z.object({ details: z.array(balanceRow) });

const balanceFrom = ({ ccy, cashBal, availBal }: z.infer<typeof balanceRow>): BalanceState => ({
  asset: ccy,
  total: cashBal,
  available: availBal,
});

function balances(context: AccountContext): Call<readonly BalanceState[]> {
  return {
    ...get('/api/v5/account/balance', {}, context),
    weight: { holdings: 1 },
    read: (reply) => dataOf(reply, accountRow, (rows) => rows.flatMap(({ details }) => details).map(balanceFrom)),
  };
}

const positionRow = z.object({
  instId: z.string(),
  instType: z.string(),
  posSide: z.string().default('net'),
  pos: decimalOrZero,
  avgPx: decimalOrZero,
  markPx: z.string().default(''),
  liqPx: z.string().default(''),
  lever: z.string().default(''),
  /** 0 to 5 lights. */
  adl: z.string().default(''),
});

function positionsFrom(rows: readonly z.infer<typeof positionRow>[]): readonly PositionState[] {
  const named = (name: 'markPrice' | 'liquidationPrice' | 'leverage', text: string) =>
    text === '' ? {} : { [name]: decimalFrom(text) };
  return rows
    .filter(({ instType }) => instType !== 'MARGIN')
    .map((row) => ({
      venueSymbol: row.instId,
      qty: row.posSide === 'short' ? row.pos.abs().negated() : row.pos,
      entryPrice: row.avgPx,
      ...named('markPrice', row.markPx),
      ...named('liquidationPrice', row.liqPx),
      ...named('leverage', row.lever),
      ...(row.adl === '' ? {} : { adlRank: decimalFrom(row.adl).toNumber() / 5 }),
    }));
}

function positions(context: AccountContext): Call<readonly PositionState[]> {
  return {
    ...get('/api/v5/account/positions', {}, context),
    weight: { holdings: 1 },
    read: (reply) => dataOf(reply, positionRow, positionsFrom),
  };
}

const rateText = z.string().default('');
const feeRow = z.object({
  maker: rateText,
  taker: rateText,
  makerU: rateText,
  takerU: rateText,
  makerUSDC: rateText,
  takerUSDC: rateText,
  feeGroup: z.array(z.object({ maker: z.string(), taker: z.string() })).optional(),
});

/** Spot is asked for by pair, everything else by family. */
function feesOf(instruments: readonly Instrument[], context: AccountContext): readonly Call<readonly FeeState[]>[] {
  const groups = Map.groupBy(instruments, ({ kind, venueSymbol }) =>
    kind === 'spot' ? venueSymbol : venueSymbol.split('-').slice(0, 2).join('-'),
  );
  return [...groups].map(([name, group]) => {
    const { kind, market: id } = group[0]!;
    const field = kind === 'spot' ? { instId: name } : { instFamily: name };
    return {
      ...get('/api/v5/account/trade-fee', { instType: TYPE_OF[id]!, ...field }, context),
      weight: { account: 1 },
      read: (reply) => dataOf(reply, feeRow, (rows) => rows.slice(0, 1).flatMap((row) => feesFrom(row, group))),
    };
  });
}

/** The venue writes what is paid as a negative rate. */
function feesFrom(row: z.infer<typeof feeRow>, group: readonly Instrument[]): readonly FeeState[] {
  const rate = (text: string): Decimal => new Decimal(0).minus(decimalFrom(text));
  return group.map((instrument) => {
    const { maker, taker } = ratesOf(row, instrument);
    return {
      venueSymbol: instrument.venueSymbol,
      market: instrument.market,
      maker: rate(maker),
      taker: rate(taker),
    };
  });
}

/** The single group where one was asked for; before there were groups, a field by what the instrument is paid in. */
function ratesOf(row: z.infer<typeof feeRow>, { kind, quote, settle }: Instrument) {
  const [group, second] = row.feeGroup ?? [];
  if (group !== undefined && second === undefined) return group;
  const usual = { maker: row.maker, taker: row.taker };
  const byDollar = { maker: row.makerUSDC, taker: row.takerUSDC };
  const byTether = { maker: row.makerU, taker: row.takerU };
  const paidIn = kind === 'spot' ? quote : settle;
  const isUsual = kind === 'spot' ? paidIn === 'USDT' : paidIn !== 'USDT' && paidIn !== 'USDC';
  const preferred = isUsual ? usual : paidIn === 'USDT' ? byTether : byDollar;
  return preferred.maker === '' || preferred.taker === '' ? usual : preferred;
}

const configurationRow = z.object({
  uid: z.string().default(''),
  posMode: z.string().default(''),
  acctLv: z.string().default(''),
  perm: z.string().default(''),
});

const permissionsOf = ({ perm }: z.infer<typeof configurationRow>): KeyPermissions => {
  const granted = perm.split(',').map((word) => word.trim());
  return { trade: granted.includes('trade'), withdraw: granted.includes('withdraw') };
};

/** Refused where positions are kept a side each: our orders do not say which of them they mean. */
const configuration = <V>(context: AccountContext, valueOf: (row: z.infer<typeof configurationRow>) => V): Call<V> => ({
  ...get('/api/v5/account/config', {}, context),
  weight: { account: 1 },
  read: (reply) =>
    andThen(
      dataOf(reply, configurationRow, ([row]) => row),
      (row) => {
        if (row === undefined) return refused('in-doubt', '0', 'no account configuration');
        return row.posMode === 'long_short_mode'
          ? refused('not-allowed', row.posMode, 'positions must be net: set the position mode of the account')
          : ok(valueOf(row));
      },
    ),
});

/** All our open orders, after so many whole seconds; 0 disarms. */
const cancelAllAfter = (timeoutMs: number, context: AccountContext): Call<unknown> => ({
  ...post('/api/v5/trade/cancel-all-after', { timeOut: String(Math.ceil(timeoutMs / 1_000)) }, context),
  weight: { deadMan: 1 },
  read: (reply) => dataOf(reply, z.object({ triggerTime: z.string() }), ([row]) => row?.triggerTime),
});

/** @see https://www.okx.com/docs-v5/en/#overview-websocket-login */
function privateSocket(): AccountSocket {
  return {
    id: 'private',
    carries: ['events', 'orders'],
    wsUrl: 'wss://ws.okx.com:8443/ws/v5/private',
    login: (context) => [loginText(context)],
    subscribe: () => [
      JSON.stringify({
        op: 'subscribe',
        args: [
          { channel: 'orders', instType: 'ANY' },
          { channel: 'account' },
          { channel: 'positions', instType: 'ANY' },
        ],
      }),
    ],
    orders: {
      weight: { orders: 1 },
      place: placeText,
      cancel: (order, _context, request) =>
        orderText('cancel-order', request, { ...codeOf(order.instrument), ...nameOf(order) }),
    },
    heartbeat: { kind: 'client-text', text: () => 'ping', everyMs: 20_000 },
    idleMs: 30_000,
    decode: (frame) => eventsOf(frameText(frame)),
  };
}

function loginText({ credentials, nowMs }: AccountContext): string {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const sign = hmac('sha256', credentials.secret, `${timestamp}GET/users/self/verify`, 'base64');
  const args = [{ apiKey: credentials.apiKey, passphrase: credentials.passphrase ?? '', timestamp, sign }];
  return JSON.stringify({ op: 'login', args });
}

const orderText = (op: string, id: string, fields: object): string => JSON.stringify({ id, op, args: [fields] });

const placeTemplates = new OrderTemplates((order, context) =>
  orderText('order', HOLE, { ...codeOf(order.instrument), ...orderFields(order, context), clOrdId: HOLE }).split(HOLE),
);

/** Of what is the same for all orders of a kind, and what differs. */
function placeText(order: OrderTicket, context: AccountContext, request: string): string {
  const { clientOrderId, price, qty, type } = order;
  const parts = placeTemplates.of(context.facts, order, context);
  const id = clientText(clientOrderId);
  return filled(parts, type === 'limit' ? [request, qty, price, id] : [request, qty, id]);
}

/** Sockets take the venue's number alone since 2026-03-26; without one the venue refuses the order. */
const codeOf = ({ venueCode, venueSymbol }: Instrument) =>
  venueCode === undefined ? { instId: venueSymbol } : { instIdCode: Number(venueCode) };

const orderEventRow = orderRow.extend({
  tradeId: z.string().default(''),
  fillPx: z.string().default(''),
  fillSz: decimalOrZero,
  fillFee: decimalOrZero,
  fillFeeCcy: z.string().default(''),
  execType: z.string().default(''),
  fillTime: timeText,
  category: z.string().default(''),
});

const privateFrame = z.object({
  event: z.string().optional(),
  code: z.string().default(''),
  msg: z.string().default(''),
  id: z.string().optional(),
  op: z.string().optional(),
  arg: z.object({ channel: z.string() }).optional(),
  data: z.array(z.unknown()).default([]),
});

/** @throws BadInput */
function eventsOf(text: string): readonly AccountEvent[] {
  if (text === PONG) return [{ kind: 'pong' }];
  const frame = checked(privateFrame, jsonOf(text), 'okx private frame');
  if (frame.event !== undefined) return controlEvents(frame);
  if (frame.op !== undefined) return answersOf(frame);
  const { data } = frame;
  switch (frame.arg?.channel ?? '') {
    case 'orders':
      return checked(z.array(orderEventRow), data, 'okx orders').flatMap(orderEvents);
    case 'account':
      return checked(z.array(accountRow), data, 'okx account')
        .flatMap(({ details }) => details)
        .map((row) => ({ kind: 'balance', balance: balanceFrom(row) }));
    case 'positions':
      return positionsFrom(checked(z.array(positionRow), data, 'okx positions')).map((position) => ({
        kind: 'position',
        position,
      }));
    default:
      return [];
  }
}

function controlEvents({ event, code, msg }: z.infer<typeof privateFrame>): readonly AccountEvent[] {
  switch (event ?? '') {
    case 'login':
      return code === '0'
        ? [{ kind: 'ready' }]
        : [{ kind: 'error', refusal: refused(meaningOf(MEANINGS, code), code, msg) }];
    case 'error':
    case 'channel-conn-count-error':
      return [{ kind: 'error', refusal: refused(meaningOf(MEANINGS, code), code, msg) }];
    // 64008: the connection is about to be closed for an upgrade.
    case 'notice':
      return [{ kind: 'over', text: msg }];
    default:
      return [];
  }
}

/** To an order or cancel of ours; a refusal of the whole has no items. */
function answersOf({ id, op, code, msg, data }: z.infer<typeof privateFrame>): readonly AccountEvent[] {
  const to = op === 'order' ? 'place' : op === 'cancel-order' ? 'cancel' : undefined;
  if (to === undefined || id === undefined) return [];
  const [ack] = checked(z.array(ackRow), data, 'okx answer');
  const answer =
    ack === undefined
      ? refused(meaningOf(MEANINGS, code), code, msg)
      : (ackRefusal(ack) ?? ok<Placed>({ venueOrderId: ack.ordId }));
  const named = ack === undefined || ack.clOrdId === '' ? {} : { clientOrderId: ack.clOrdId };
  return [{ kind: 'answer', request: id, ...named, to, answer }];
}

/** The fill first, then how the order stands. */
function orderEvents(row: z.infer<typeof orderEventRow>): readonly AccountEvent[] {
  const order: AccountEvent = { kind: 'order', order: orderFrom(row) };
  if (row.tradeId === '' || !row.fillSz.gt(0)) return [order];
  const { fillPx, fillFee: fee, fillFeeCcy: feeCcy, category: subType } = row;
  const fill = fillFrom({ ...row, fillPx: decimalFrom(fillPx), fee, feeCcy, subType });
  return [{ kind: 'fill', fill }, order];
}

/**
 * Codes of requests, of orders and of sockets are one list. What may or may not have been done (timeouts, a system that is busy) is in doubt.
 * @see https://www.okx.com/docs-v5/en/#error-code
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ...meaning('in-doubt', [50001, 50004, 50005, 50013, 50026, 51054, 51149, 51410, 63999]),
  ...meaning('rate-limited', [50011, 50061, 51113, 60014, 60023]),
  ...meaning('clock-skew', [50102, 50112, 60004, 60006]),
  ...meaning(
    'unauthorised',
    [50008, 50030, 50100, 50101, 50103, 50104, 50105, 50106, 50107, 50110, 50111, 50113, 50114],
  ),
  ...meaning(
    'unauthorised',
    [50119, 50120, 60001, 60002, 60003, 60005, 60007, 60009, 60011, 60022, 60024, 60031, 60032],
  ),
  ...meaning(
    'invalid-order',
    [50000, 50002, 50006, 50014, 50015, 50016, 50024, 50025, 51000, 51001, 51002, 51003, 51012],
  ),
  ...meaning(
    'invalid-order',
    [51015, 51026, 51111, 51116, 51121, 51122, 51128, 51130, 51204, 51505, 60012, 60013, 60019, 60027],
  ),
  ...meaning(
    'invalid-order',
    [51004, 51005, 51101, 51102, 51103, 51104, 51105, 51106, 51107, 51129, 51185, 51201, 51202, 51203],
  ),
  ...meaning('below-minimum', [51007, 51020, 51100, 51118, 51120]),
  ...meaning('insufficient-funds', [51008, 51119, 51127, 51131, 51502, 59200, 59201]),
  ...meaning('price-out-of-band', [51006, 51031, 51135, 51136, 51137, 51138]),
  ...meaning('duplicate-id', [51011, 51016]),
  ...meaning('reduce-only', [51112, 51133, 51139, 51169, 51205]),
  ...meaning(
    'not-allowed',
    [50007, 50009, 50012, 50027, 50028, 51009, 51010, 51018, 51019, 51021, 51022, 51024, 51025, 51027],
  ),
  ...meaning(
    'not-allowed',
    [51028, 51029, 51030, 51110, 51124, 51155, 51174, 54008, 54072, 54094, 60018, 60020, 60028, 60029, 60030],
  ),
  ...meaning('not-open', [51400, 51401, 51402, 51509, 51510]),
  ...meaning('not-found', [51503, 51603]),
};

function meaning(means: Meaning, codes: readonly number[]): Readonly<Record<string, Meaning>> {
  return Object.fromEntries(codes.map((code) => [String(code), means]));
}
