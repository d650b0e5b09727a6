import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
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
  Reply,
  VenueFill,
  Weight,
} from './venue-account.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, StreamKind, StreamRules, Venue } from './venue.ts';
import {
  andThen,
  answerFrom,
  checked,
  codesOf,
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
import {
  asset,
  batchesOf,
  bodyFrom,
  bytesOf,
  END,
  expiryOf,
  FOUND_NUMBERS,
  fundingFrom,
  idOf,
  keyCode,
  shapeOf,
  venueId,
} from './venue.ts';

const BYBIT = venueId('bybit');
const REST_URL = 'https://api.bybit.com';
const PING = '{"op":"ping"}';
const PING_MS = 20_000;
const HEARTBEAT = { kind: 'client-text', text: () => PING, everyMs: PING_MS } as const;
/** More than a market lists. */
const SYMBOLS_MAX = 10_000;

type MarketSettings = {
  readonly fees: readonly [maker: string, taker: string];
  readonly topicsPerRequest: number;
  readonly depth: 25 | 50;
  readonly streams: readonly StreamKind[];
  readonly moreStreams?: readonly StreamKind[];
  readonly instrumentPaths: readonly string[];
};

const FUTURE_DELIVERY = { delivery: amountOf('0.0005') };
/**
 * Where a listing does not say it. An option's fee is of the index, at most 7 % of the premium.
 * @see https://www.bybit.com/en/help-center/article/Bybit-Option-Fees-Explained
 * @see https://help.bybit.com/hc/en-us/articles/900003221726-Trading-and-Settlement-Fees-Futures-Contract-
 */
const SETTLEMENT_FEES: Readonly<Record<string, Partial<Fees>>> = {
  linear: FUTURE_DELIVERY,
  inverse: FUTURE_DELIVERY,
  option: { premiumShareMax: amountOf('0.07'), delivery: amountOf('0.00015') },
};

/** One protocol, a socket path each; they differ in their instruments, in their depth and in how much one request may ask for. */
const market = (id: string, settings: MarketSettings): Market => ({
  id,
  wsUrl: `wss://stream.bybit.com/v5/public/${id}`,
  restUrl: REST_URL,
  defaultFees: {
    maker: amountOf(settings.fees[0]),
    taker: amountOf(settings.fees[1]),
    currency: id === 'spot' ? 'received' : 'settle',
    ...SETTLEMENT_FEES[id],
  },
  instruments: {
    // A page holds at most 1,000, which is more than any list has.
    paths: settings.instrumentPaths.map((query) => `/v5/market/instruments-info?category=${id}${query}&limit=1000`),
    parse: (bodies, fees) => parseInstruments(id, bodies, fees),
  },
  subscribe: (symbols, request) => requestsOf('subscribe', bookTopics(settings.depth, symbols), request, settings),
  unsubscribe: (symbols, request) => requestsOf('unsubscribe', bookTopics(settings.depth, symbols), request, settings),
  // 21,000 characters of topics a connection are allowed; a hundred are about 3,000.
  limits: { symbolsPerSocket: 100, messagesPerSecond: 5 },
  heartbeat: { kind: 'client-text', text: PING, everyMs: PING_MS },
  idleMs: 30_000,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity },
  // Two topics a symbol, and still within 21,000 characters.
  streams: streamsOf(id, settings, settings.streams, 300),
  ...(settings.moreStreams === undefined
    ? {}
    : { moreStreams: [streamsOf(id, settings, settings.moreStreams, SYMBOLS_MAX)] }),
  poll: {
    path: (symbol) => `/v5/market/orderbook?${queryOf({ category: id, symbol, limit: settings.depth })}`,
    decode: decodePoll,
  },
  decode,
});

const COINS_WITH_OPTIONS = ['BTC', 'ETH', 'SOL', 'XRP', 'MNT', 'DOGE'];

/**
 * Books of 50 levels every 20 ms, of 25 for options. The best-quote channel (`orderbook.1`, every 10 ms) counts its own u, which does not tell whether a
 * quote is newer than a book: it is not used.
 * @see https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
 * @see https://bybit-exchange.github.io/docs/v5/websocket/public/ticker
 */
export const bybit: Venue = {
  id: BYBIT,
  markets: [
    market('spot', {
      fees: ['0.001', '0.001'],
      topicsPerRequest: 10,
      depth: 50,
      streams: ['trades'],
      instrumentPaths: [''],
    }),
    market('linear', {
      fees: ['0.0002', '0.00055'],
      topicsPerRequest: 100,
      depth: 50,
      streams: ['trades', 'reference'],
      instrumentPaths: [''],
    }),
    market('inverse', {
      fees: ['0.0002', '0.00055'],
      topicsPerRequest: 100,
      depth: 50,
      streams: ['trades', 'reference'],
      instrumentPaths: [''],
    }),
    market('option', {
      fees: ['0.0002', '0.0003'],
      topicsPerRequest: 100,
      depth: 25,
      streams: ['reference'],
      // Told a base coin at a time: a second socket would repeat them.
      moreStreams: ['trades'],
      instrumentPaths: COINS_WITH_OPTIONS.map((coin) => `&baseCoin=${coin}`),
    }),
  ],
  accounts: [unified()],
};

const bookTopics = (depth: number, symbols: readonly string[]): readonly string[] =>
  symbols.map((symbol) => `orderbook.${depth}.${symbol}`);

function streamsOf(
  id: string,
  settings: MarketSettings,
  kinds: readonly StreamKind[],
  symbolsPerSocket: number,
): StreamRules {
  return {
    kinds,
    symbolsPerSocket,
    subscribe: (wanted, symbols, request) =>
      requestsOf('subscribe', streamTopics(id, wanted, symbols), request, settings),
  };
}

/** Trades of options are subscribed by base coin. */
const streamTopics = (id: string, kinds: readonly StreamKind[], symbols: readonly string[]): readonly string[] => [
  ...(kinds.includes('trades')
    ? new Set(symbols.map((symbol) => `publicTrade.${id === 'option' ? symbol.split('-', 1)[0]! : symbol}`))
    : []),
  ...(kinds.includes('reference') ? symbols.map((symbol) => `tickers.${symbol}`) : []),
];

function requestsOf(
  op: string,
  topics: readonly string[],
  request: number,
  { topicsPerRequest }: MarketSettings,
): readonly string[] {
  return batchesOf(topics, topicsPerRequest).map((args, at) =>
    JSON.stringify({ req_id: String(request * 100 + at), op, args }),
  );
}

/**
 * 1. A snapshot replaces the book whenever it comes; so does u = 1, whatever the type says: the service was restarted.
 * 2. Each delta's u is the last one + 1. The documentation says only that u identifies an update; 5.76 million deltas watched without an exception
 *    make it the rule.
 */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  return update.lastSequence === lastSequence + 1 ? 'apply' : 'gap';
}

const KEY = {
  topic: keyCode('topic'),
  type: keyCode('type'),
  data: keyCode('data'),
  time: keyCode('ts'),
  engineTime: keyCode('cts'),
  symbol: keyCode('s'),
  bids: keyCode('b'),
  asks: keyCode('a'),
  sequence: keyCode('u'),
  success: keyCode('success'),
  op: keyCode('op'),
  message: keyCode('ret_msg'),
  result: keyCode('result'),
  returnCode: keyCode('retCode'),
  tradeTime: keyCode('T'),
  tradeSide: keyCode('S'),
  tradeQty: keyCode('v'),
  tradePrice: keyCode('p'),
  blockTrade: keyCode('BT'),
  tickerSymbol: keyCode('symbol'),
} as const;
const BOOK_TOPIC = bytesOf('orderbook.');
const TRADE_TOPIC = bytesOf('publicTrade.');
const TICKER_TOPIC = bytesOf('tickers.');
const TYPE_SNAPSHOT = bytesOf('snapshot');
const TYPE_DELTA = bytesOf('delta');
const OP_PING = bytesOf('ping');
const OP_PONG = bytesOf('pong');
const SIDE_BUY = bytesOf('Buy');
const SIDE_SELL = bytesOf('Sell');
const LETTER_F = 0x66;
const LETTER_T = 0x74;
const RESTARTED = 1;

const SYMBOL = 1;
const BIDS = 2;
const ASKS = 4;
const SEQUENCE = 8;
const WHOLE = SYMBOL | BIDS | ASKS | SEQUENCE;

const NO_TOPIC = 0;
const BOOK = 1;
const TRADES = 2;
const TICKER = 3;
const OTHER = 4;

/** A change as it usually comes; `cts` is the matching engine's time. */
const DELTA_SHAPE = shapeOf(
  '{"topic":"orderbook.<text>","type":"delta","ts":<integer>,"data":{"s":"<text>","b":<levels>,"a":<levels>,"u":<integer>,"seq":<integer>},"cts":<integer>}',
);

function decode(frame: Frame, sink: MarketSink): void {
  if (frame.has(DELTA_SHAPE)) takeDelta(frame, sink);
  else decodeAny(frame, sink);
}

function takeDelta(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  frame.shapedText(1);
  const instrument = sink.find(frame, frame.textStart, frame.textEnd);
  if (instrument === -1) return;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.lastSequence = FOUND_NUMBERS[1]!;
  update.kind = update.lastSequence === RESTARTED ? SNAPSHOT : DELTA;
  update.venueTimeMs = FOUND_NUMBERS[3]!;
  frame.shapedLevels(0, update.bids);
  frame.shapedLevels(1, update.asks);
  sink.publish();
}

/** `{"topic":"orderbook.50.X","type":…,"ts":…,"data":{…},"cts":…}`; cts is the matching engine's time, ts the gateway's. */
function decodeAny(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  let topic = NO_TOPIC;
  let isRead = false;
  let hasType = false;
  let hasEngineTime = false;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.topic) {
      topic = readTopic(frame);
      if (topic === OTHER) return;
    } else if (key === KEY.type && topic === BOOK) {
      update.kind = readType(frame);
      hasType = true;
    } else if (key === KEY.data && (hasType || topic === TRADES || topic === TICKER)) {
      const isOurs =
        topic === BOOK
          ? readBook(frame, sink, -1)
          : topic === TRADES
            ? readTrades(frame, sink)
            : readTicker(frame, sink);
      if (!isOurs) return;
      isRead = true;
    } else if (key === KEY.engineTime || (key === KEY.time && !hasEngineTime)) {
      frame.integer();
      update.venueTimeMs = frame.value;
      hasEngineTime = key === KEY.engineTime;
    } else if (topic === NO_TOPIC && (key === KEY.success || key === KEY.op)) {
      control(frame, sink, key);
      return;
    } else frame.skip();
  }
  if (topic === NO_TOPIC) return;
  if (!isRead) throw new BadInput(`bybit: a frame without type or data: ${frame.text().slice(0, 120)}`);
  frame.finish();
  if (topic === BOOK) sink.publish();
  if (topic !== TICKER) return;
  sink.reference.venueTimeMs = update.venueTimeMs;
  sink.publishReference();
}

function readTopic(frame: Frame): number {
  frame.string();
  if (startsWith(frame, BOOK_TOPIC)) return BOOK;
  if (startsWith(frame, TRADE_TOPIC)) return TRADES;
  return startsWith(frame, TICKER_TOPIC) ? TICKER : OTHER;
}

/** Whether the string read last starts with `text`. */
function startsWith(frame: Frame, text: Uint8Array): boolean {
  const { bytes, textStart, textEnd } = frame;
  if (textEnd - textStart < text.length) return false;
  for (let at = 0; at < text.length; at += 1) if (bytes[textStart + at] !== text[at]) return false;
  return true;
}

function readType(frame: Frame): MarketUpdate['kind'] {
  frame.string();
  if (frame.textIs(TYPE_SNAPSHOT)) return SNAPSHOT;
  if (frame.textIs(TYPE_DELTA)) return DELTA;
  throw new BadInput(`bybit: unknown type: ${frame.text().slice(0, 120)}`);
}

/** False, at once, when it is of an instrument that we do not follow. `known`: the instrument, where it was asked for. */
function readBook(frame: Frame, sink: MarketSink, known: InstrumentIndex | -1): boolean {
  const { update } = sink;
  let seen = 0;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      const instrument = known === -1 ? sink.find(frame, frame.textStart, frame.textEnd) : known;
      if (instrument === -1) return false;
      update.instrument = instrument;
      seen |= SYMBOL;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.sequence) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= SEQUENCE;
    } else if (known !== -1 && (key === KEY.time || key === KEY.engineTime)) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen !== WHOLE) throw new BadInput(`bybit: fields are missing: ${frame.text().slice(0, 120)}`);
  if (update.lastSequence === RESTARTED) update.kind = SNAPSHOT;
  return true;
}

/** `[{"T":…,"s":…,"S":"Buy","v":…,"p":…,"BT":false},…]`: each trade is published as it is read. Block trades are made beside the book: no prints. */
function readTrades(frame: Frame, sink: MarketSink): boolean {
  if (!frame.firstElement()) return true;
  do {
    if (readTrade(frame, sink)) sink.publishPrint();
  } while (frame.nextElement());
  return true;
}

const TRADE_TIME = 1;
const TRADE_SYMBOL = 2;
const TRADE_SIDE = 4;
const TRADE_QTY = 8;
const TRADE_PRICE = 16;
const WHOLE_TRADE = TRADE_TIME | TRADE_SYMBOL | TRADE_SIDE | TRADE_QTY | TRADE_PRICE;
const NUMBER = new Float64Array(1);

/** Whether it is to be published. */
function readTrade(frame: Frame, sink: MarketSink): boolean {
  const { print } = sink;
  let seen = 0;
  let isOurs = true;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      if (instrument === -1) isOurs = false;
      else print.instrument = instrument;
      seen |= TRADE_SYMBOL;
    } else if (key === KEY.tradeTime) {
      frame.integer();
      print.venueTimeMs = frame.value;
      seen |= TRADE_TIME;
    } else if (key === KEY.tradeSide) {
      print.taker = readSide(frame);
      seen |= TRADE_SIDE;
    } else if (key === KEY.tradeQty) {
      frame.number(NUMBER, 0);
      print.qty = NUMBER[0]!;
      seen |= TRADE_QTY;
    } else if (key === KEY.tradePrice) {
      frame.number(NUMBER, 0);
      print.price = NUMBER[0]!;
      seen |= TRADE_PRICE;
    } else if (key === KEY.blockTrade) {
      if (frame.peek() === LETTER_T) isOurs = false;
      frame.skip();
    } else frame.skip();
  }
  if (isOurs && seen !== WHOLE_TRADE) throw new BadInput(`bybit: not a trade: ${frame.text().slice(0, 120)}`);
  return isOurs;
}

function readSide(frame: Frame): 1 | -1 {
  frame.string();
  if (frame.textIs(SIDE_BUY)) return 1;
  if (frame.textIs(SIDE_SELL)) return -1;
  throw new BadInput(`bybit: unknown side: ${frame.text().slice(0, 120)}`);
}

/** What a ticker may say that we take; position is the place in SAID. */
const TICKER_KEYS: readonly number[] = [
  'markPrice',
  'indexPrice',
  'fundingRate',
  'nextFundingTime',
  'fundingIntervalHour',
  'bidIv',
  'askIv',
  'markPriceIv',
  'delta',
  'gamma',
  'vega',
  'theta',
  'underlyingPrice',
].map(keyCode);
const SAID = new Float64Array(TICKER_KEYS.length);
const HOUR_MS = 3_600_000;

/**
 * The ticker of a contract: a snapshot, then deltas that name only what changed, so that a frame may say anything or nothing. False when it says nothing
 * that we take. An implied volatility of 0 stands where there is no such quote.
 */
function readTicker(frame: Frame, sink: MarketSink): boolean {
  let instrument: InstrumentIndex | -1 = -1;
  let isSaid = false;
  SAID.fill(NaN);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.tickerSymbol) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
      if (instrument === -1) return false;
      continue;
    }
    const at = TICKER_KEYS.indexOf(key);
    if (at === -1) frame.skip();
    else {
      signedNumber(frame, SAID, at);
      isSaid = true;
    }
  }
  if (instrument === -1) throw new BadInput(`bybit: a ticker of nothing: ${frame.text().slice(0, 120)}`);
  if (isSaid) takeReference(sink, instrument);
  return isSaid;
}

function takeReference(sink: MarketSink, instrument: InstrumentIndex): void {
  const { reference } = sink;
  sink.clearReference();
  reference.instrument = instrument;
  reference.markPrice = SAID[0]!;
  reference.indexPrice = SAID[1]!;
  reference.fundingRate = SAID[2]!;
  reference.nextFundingTimeMs = SAID[3]!;
  reference.fundingIntervalMs = SAID[4]! * HOUR_MS;
  reference.bidVolatility = SAID[5]! === 0 ? NaN : SAID[5]!;
  reference.askVolatility = SAID[6]! === 0 ? NaN : SAID[6]!;
  reference.markVolatility = SAID[7]!;
  reference.delta = SAID[8]!;
  reference.gamma = SAID[9]!;
  reference.vega = SAID[10]!;
  reference.theta = SAID[11]!;
  reference.underlyingPrice = SAID[12]!;
}

/** `{"retCode":0,"result":{"s":…,"b":[…],"a":[…],"ts":…,"u":…}}`. @see https://bybit-exchange.github.io/docs/v5/market/orderbook */
function decodePoll(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let isRead = false;
  update.kind = SNAPSHOT;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.returnCode) {
      frame.integer();
      if (frame.value !== 0) throw new BadInput(`bybit: refused: ${frame.text().slice(0, 120)}`);
    } else if (key === KEY.result) isRead = readBook(frame, sink, instrument);
    else frame.skip();
  }
  if (!isRead) throw new BadInput(`bybit: no book: ${frame.text().slice(0, 120)}`);
  frame.finish();
  sink.publish();
}

/** `{"success":true|false,"ret_msg":…,"op":"subscribe"|"ping"|…}`, or `{"op":"pong",…}` on the derivatives' sockets. */
function control(frame: Frame, sink: MarketSink, firstKey: number): void {
  let kind: 'ack' | 'pong' | 'error' = 'ack';
  for (let key = firstKey; key !== END; key = frame.nextKey()) {
    if (key === KEY.op || key === KEY.message) {
      frame.string();
      if (kind === 'ack' && (frame.textIs(OP_PING) || frame.textIs(OP_PONG))) kind = 'pong';
      continue;
    }
    if (key === KEY.success && frame.peek() === LETTER_F) kind = 'error';
    frame.skip();
  }
  sink.control(kind, frame.text());
}

const listing = z.object({
  symbol: z.string().min(1),
  contractType: z.string().optional(),
  optionsType: z.enum(['Call', 'Put']).optional(),
  status: z.string(),
  baseCoin: z.string().min(1),
  quoteCoin: z.string().min(1),
  settleCoin: z.string().optional(),
  deliveryTime: z.string().optional(),
  deliveryFeeRate: z.string().nullish(),
  /** Minutes. */
  fundingInterval: z.number().optional(),
  priceFilter: z.object({ tickSize: z.string() }),
  lotSizeFilter: z.object({
    basePrecision: z.string().optional(),
    qtyStep: z.string().optional(),
    minOrderQty: z.string().optional(),
    minOrderAmt: z.string().optional(),
    minNotionalValue: z.string().optional(),
  }),
});
type Listing = z.infer<typeof listing>;
const instrumentsBody = z.object({ retCode: z.literal(0), result: z.object({ list: z.array(listing) }) });

function parseInstruments(id: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(instrumentsBody, body, 'bybit instruments-info').result.list.flatMap((entry) =>
      instrumentFrom(id, entry, fees),
    ),
  );
}

/** Empty where nothing is delivered. */
const feesOf = ({ deliveryFeeRate: rate }: Listing, fees: Fees): Fees =>
  rate === undefined || rate === null || rate === '' ? fees : { ...fees, delivery: decimalFrom(rate) };

const kindOf = (id: string, { contractType }: Listing): InstrumentKind => {
  if (id === 'spot' || id === 'option') return id;
  return (contractType ?? '').endsWith('Perpetual') ? 'perpetual' : 'future';
};

type Strike = { readonly strike: Decimal; readonly right: 'call' | 'put' };

/** Only an option's symbol says its strike: `BTC-26DEC26-60000-C`, `BTC-26DEC26-60000-C-USDT`. */
function strikeOf({ symbol, optionsType }: Listing): Strike | undefined {
  const text = symbol.split('-')[2] ?? '';
  if (!/^\d+(\.\d+)?$/.test(text) || optionsType === undefined) return undefined;
  return { strike: decimalFrom(text), right: optionsType === 'Call' ? 'call' : 'put' };
}

/**
 * Empty for a listing without a grid, a dated one without a date, an option without a strike. Linear contracts and options count base units, inverse
 * contracts US dollars.
 */
function instrumentFrom(id: string, entry: Listing, fees: Fees): readonly Instrument[] {
  const kind = kindOf(id, entry);
  const { basePrecision, qtyStep, minOrderQty, minOrderAmt, minNotionalValue } = entry.lotSizeFilter;
  const step = qtyStep ?? basePrecision ?? '';
  const { tickSize } = entry.priceFilter;
  const dated = kind === 'future' || kind === 'option';
  const expiry = dated ? expiryOf(Number(entry.deliveryTime)) : undefined;
  const strike = kind === 'option' ? strikeOf(entry) : undefined;
  if (!(Number(tickSize) > 0) || !(Number(step) > 0) || (dated && expiry === undefined)) return [];
  if (kind === 'option' && strike === undefined) return [];
  const [base, quote] = [asset(entry.baseCoin), asset(entry.quoteCoin)];
  const settle = asset(entry.settleCoin ?? entry.quoteCoin);
  const day = expiry === undefined ? '' : `-${expiry.day}`;
  const option = strike === undefined ? '' : `-${strike.strike.toFixed()}-${strike.right === 'call' ? 'C' : 'P'}`;
  const symbol = `${base}/${quote}${kind === 'spot' ? '' : `:${settle}${day}${option}`}`;
  return [
    {
      id: idOf(BYBIT, symbol),
      venue: BYBIT,
      market: id,
      symbol,
      venueSymbol: entry.symbol,
      kind,
      ...{ base, quote, settle },
      contractSize: amountOf(1),
      inverse: id === 'inverse',
      tick: decimalFrom(tickSize),
      lot: decimalFrom(step),
      minQty: decimalFrom(minOrderQty ?? step),
      minNotional: decimalFrom(minNotionalValue ?? minOrderAmt ?? '0'),
      fees: feesOf(entry, fees),
      ...(kind === 'perpetual' ? fundingFrom((entry.fundingInterval ?? 0) * 60_000) : {}),
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      ...strike,
      status: entry.status === 'Trading' ? 'trading' : 'halted',
    },
  ];
}

/**
 * The unified account: one key, one wallet for spot, linear and inverse. Options are watched, not traded.
 * @see https://bybit-exchange.github.io/docs/v5/order/create-order
 */
function unified(): Account {
  return {
    id: 'unified',
    markets: ['spot', 'linear', 'inverse'],
    restUrl: REST_URL,
    /** At most 36 letters, digits, dashes and underscores: ours are as they stand. */
    clientOrderId: (id) => id,
    refuses,
    limits: {
      // 10 orders a second in each contract category; spot allows 20. The headers do not name the endpoint whose limit they tell: they are not read.
      buckets: {
        ip: { units: 600, windowMs: 5_000 },
        orders: { units: 10, windowMs: 1_000 },
        queries: { units: 50, windowMs: 1_000 },
        fees: { units: 5, windowMs: 1_000 },
      },
    },
    rest: {
      place: (order, context) => post('/v5/order/create', orderOf(order), context, readPlaced(CODES)),
      cancel: (order, context) => post('/v5/order/cancel', referenceOf(order), context, readPlaced(CANCEL_CODES)),
      // The answer says that it was asked, not that it was done. @see https://bybit-exchange.github.io/docs/v5/order/amend-order
      amend: (order, { price, qty }, context) =>
        post('/v5/order/amend', { ...referenceOf(order), qty, price }, context, readAmended),
      cancelAll: (instruments, context) =>
        instruments.map(({ market: category, venueSymbol: symbol }) =>
          post('/v5/order/cancel-all', { symbol, category }, context, readDone),
        ),
      query: (order, context) => queryCall('/v5/order/realtime', order, context),
      openOrders: (instruments, context) =>
        scopesOf(instruments).map(({ scope, symbols }) =>
          listCall(openOrderPages(symbols), { ...scope, limit: 50 }, context),
        ),
      fillsSince: (instruments, sinceMs, context) =>
        scopesOf(instruments).flatMap(({ scope, symbols }) =>
          windowsOf(sinceMs, context.nowMs).map((window) =>
            listCall(fillPages(scope.category, symbols), { ...executionScope(scope), ...window, limit: 100 }, context),
          ),
        ),
      fillsOf: (order, context) =>
        listCall(
          fillPages(order.instrument.market, new Set([order.instrument.venueSymbol])),
          { ...referenceOf(order), startTime: Math.floor(order.sentMs) - SENT_SLACK_MS, limit: 100 },
          context,
        ),
      balances: (context) =>
        get('/v5/account/wallet-balance', { accountType: 'UNIFIED' }, context, { weight: QUERY, read: readBalances }),
      positions: (context) => positionsFrom(0, context),
      fees: (instruments, context) =>
        categoriesOf(instruments).map(([category, symbols]) => {
          const [only, ...others] = symbols;
          const symbol = others.length === 0 ? only : undefined;
          return get('/v5/account/fee-rate', { category, symbol }, context, { weight: FEE, read: readFees(category) });
        }),
      permissions: (context) => get('/v5/user/query-api', {}, context, { weight: FEE, read: readPermissions }),
      time: {
        method: 'GET',
        path: '/v5/market/time',
        headers: {},
        weight: { ip: 1 },
        read: (reply) => readTime(reply),
      },
    },
    sockets: [privateSocket(), tradeSocket()],
    /** Works for accounts for which Bybit has switched it on; the private socket must have subscribed `dcp`. */
    deadMan: {
      kind: 'disconnect',
      arm: (context) =>
        ['DERIVATIVES', 'SPOT'].map((product) =>
          post('/v5/order/disconnected-cancel-all', { timeWindow: DISCONNECTED_SECONDS, product }, context, readDone),
        ),
    },
  };
}

const RECEIVE_WINDOW_MS = '5000';
/** After so long without the private socket its orders end: the least that the venue takes, of 3 to 300. */
const DISCONNECTED_SECONDS = 3;
/** Clocks differ: fills of an order are asked for from a little before it was sent. */
const SENT_SLACK_MS = 60_000;
const AUTH_VALID_MS = 10_000;
const ORDER: Weight = { ip: 1, orders: 1 };
const QUERY: Weight = { ip: 1, queries: 1 };
const FEE: Weight = { ip: 1, fees: 1 };

type Fields = Readonly<Record<string, string | number | boolean | undefined>>;
type Reader<T> = (reply: Reply) => Answer<T>;

/** Signed: time + key + window + query or body. */
const headersFor = (payload: string, { credentials, nowMs }: AccountContext): Readonly<Record<string, string>> => {
  const time = String(Math.floor(nowMs));
  return {
    'X-BAPI-API-KEY': credentials.apiKey,
    'X-BAPI-TIMESTAMP': time,
    'X-BAPI-RECV-WINDOW': RECEIVE_WINDOW_MS,
    'X-BAPI-SIGN': hmac('sha256', credentials.secret, time + credentials.apiKey + RECEIVE_WINDOW_MS + payload, 'hex'),
  };
};

const get = <T>(
  path: string,
  fields: Fields,
  context: AccountContext,
  { weight, read, cursor = '' }: { readonly weight: Weight; readonly read: Reader<T>; readonly cursor?: string },
): Call<T> => {
  // A cursor comes percent-encoded already and goes back as it came.
  const query = queryOf(fields) + (cursor === '' ? '' : `&cursor=${cursor}`);
  return {
    method: 'GET',
    path: query === '' ? path : `${path}?${query}`,
    headers: headersFor(query, context),
    weight,
    read: exceptBanned(read),
  };
};

const post = <T>(path: string, fields: Fields, context: AccountContext, read: Reader<T>): Call<T> => {
  const body = JSON.stringify(fields);
  return {
    method: 'POST',
    path,
    headers: { ...headersFor(body, context), 'Content-Type': 'application/json' },
    body,
    weight: ORDER,
    read: exceptBanned(read),
  };
};

/** 403 says that too many requests came from the address, unless it says that its country is not served. */
const exceptBanned =
  <T>(read: Reader<T>): Reader<T> =>
  (reply) => {
    if (reply.status !== 403) return read(reply);
    return refused(/country|region/i.test(reply.text) ? 'not-allowed' : 'rate-limited', '403', reply.text);
  };

function refuses({ instrument, type, timeInForce, postOnly, reduceOnly }: OrderTicket): string | undefined {
  if (instrument.kind === 'option') return 'options are watched here, not traded';
  if (postOnly && type === 'market') return 'a market order cannot be post-only';
  if (postOnly && timeInForce !== 'GTC') return `a post-only order cannot be ${timeInForce}`;
  if (type === 'market' && timeInForce === 'FOK') return 'a market order fills what it can: FOK needs a limit';
  if (reduceOnly && instrument.kind === 'spot') return 'spot has no positions to reduce';
  return undefined;
}

/** A market order is IOC by itself. Positions are held one way: `positionIdx` is 0, which need not be said. */
function orderOf({
  clientOrderId,
  instrument,
  side,
  type,
  price,
  qty,
  timeInForce,
  postOnly,
  reduceOnly,
}: OrderTicket): Fields {
  const limit = type === 'limit';
  return {
    symbol: instrument.venueSymbol,
    side: side === 'buy' ? 'Buy' : 'Sell',
    orderType: limit ? 'Limit' : 'Market',
    ...(limit ? { timeInForce: postOnly ? 'PostOnly' : timeInForce } : {}),
    orderLinkId: clientOrderId,
    ...(limit ? { price } : {}),
    category: instrument.market,
    ...(!limit && instrument.kind === 'spot' ? { marketUnit: 'baseCoin' } : {}),
    qty,
    ...(reduceOnly ? { reduceOnly } : {}),
  };
}

const referenceOf = ({ clientOrderId, instrument, venueOrderId }: OrderRef): Fields => ({
  symbol: instrument.venueSymbol,
  ...(venueOrderId === undefined ? { orderLinkId: clientOrderId } : { orderId: venueOrderId }),
  category: instrument.market,
});

const envelope = z.object({ retCode: z.string(), retMsg: z.string().default('') });

const refusalBy =
  (codes: Readonly<Record<string, Meaning>>) =>
  (body: unknown): ReturnType<typeof refused> | undefined => {
    const head = envelope.safeParse(body);
    if (!head.success || head.data.retCode === '0') return undefined;
    const { retCode, retMsg } = head.data;
    return refused(meaningOf(codes, retCode), retCode, retMsg);
  };

const readDone: Reader<unknown> = (reply) =>
  answerFrom(reply, envelope, { refusalOf: refusalBy(CODES), valueOf: () => undefined });

const placedBody = z.object({ orderId: z.string(), orderLinkId: z.string().default('') });
const readPlaced = (codes: Readonly<Record<string, Meaning>>): Reader<Placed> => {
  const schema = z.object({ result: placedBody });
  return (reply) =>
    answerFrom(reply, schema, {
      refusalOf: refusalBy(codes),
      valueOf: ({ result }) => ({ venueOrderId: result.orderId }),
    });
};

const readAmended: Reader<undefined> = (reply) => andThen(readPlaced(CANCEL_CODES)(reply), () => ok(undefined));

const side = z.enum(['Buy', 'Sell']).transform((text) => (text === 'Buy' ? 'buy' : 'sell'));

const orderEntry = z.object({
  category: z.string().optional(),
  symbol: z.string(),
  orderId: z.string(),
  orderLinkId: z.string().default(''),
  side,
  orderType: z.string(),
  timeInForce: z.string(),
  orderStatus: z.string(),
  cancelType: z.string().default(''),
  rejectReason: z.string().default(''),
  price: decimalOrZero,
  qty: decimalText,
  cumExecQty: decimalOrZero,
  updatedTime: timeText,
});
type OrderEntry = z.infer<typeof orderEntry>;
const orderList = z.object({
  result: z.object({
    category: z.string().optional(),
    list: z.array(orderEntry),
    nextPageCursor: z.string().nullish(),
  }),
});

/** Open orders and the last 500 that ended stand in one list, older ones in another. */
function queryCall(
  path: '/v5/order/realtime' | '/v5/order/history',
  order: OrderRef,
  context: AccountContext,
): Call<OrderState> {
  const read: Reader<OrderState> = (reply) =>
    andThen(answerFrom(reply, orderList, { refusalOf: refusalBy(CODES), valueOf: onlyOrder }), (found) => {
      if (found !== undefined) return ok(found);
      const unknown = refused('not-found', String(reply.status), 'no order of this id');
      if (path === '/v5/order/history') return unknown;
      return { ...unknown, elsewhere: (later) => queryCall('/v5/order/history', order, later) };
    });
  return get(path, referenceOf(order), context, { weight: QUERY, read });
}

/** @throws BadInput when there is more than one. */
function onlyOrder({ result: { list, category } }: z.infer<typeof orderList>): OrderState | undefined {
  const [entry, ...others] = list;
  if (others.length > 0) throw new BadInput(`bybit: ${list.length} orders of one id`);
  return entry === undefined ? undefined : orderState(entry, category);
}

const OPEN = new Set(['New', 'PartiallyFilled', 'Untriggered']);
const ENDED = new Set(['Cancelled', 'PartiallyFilledCanceled', 'Deactivated']);

function statusOf({ orderStatus, orderType, timeInForce, cancelType, rejectReason }: OrderEntry): OrderState['status'] {
  if (OPEN.has(orderStatus)) return 'open';
  if (orderStatus === 'Filled') return 'filled';
  if (orderStatus === 'Rejected') return 'rejected';
  if (!ENDED.has(orderStatus)) throw new BadInput(`bybit: order status ${orderStatus}`);
  if (rejectReason === 'EC_PostOnlyWillTakeLiquidity') return 'expired';
  const atOnce = timeInForce === 'IOC' || timeInForce === 'FOK' || orderType === 'Market';
  const asked = rejectReason === 'EC_PerCancelRequest' || cancelType.startsWith('CancelBy');
  return atOnce && !asked ? 'expired' : 'canceled';
}

/** @throws BadInput on a status that we do not know. */
function orderState(entry: OrderEntry, category?: string): OrderState {
  const status = statusOf(entry);
  const traded = entry.category ?? category;
  return {
    venueSymbol: entry.symbol,
    ...(traded === undefined ? {} : { market: traded }),
    clientOrderId: entry.orderLinkId,
    venueOrderId: entry.orderId,
    side: entry.side,
    status,
    ...(entry.price.isZero() ? {} : { price: entry.price }),
    qty: entry.qty,
    filled: entry.cumExecQty,
    timeMs: entry.updatedTime,
    ...(status === 'rejected' ? { reason: meaningOf(REJECT_REASONS, entry.rejectReason) } : {}),
  };
}

const fillEntry = z.object({
  category: z.string().optional(),
  symbol: z.string(),
  execType: z.string(),
  execId: z.string(),
  orderId: z.string(),
  orderLinkId: z.string().default(''),
  side,
  execPrice: decimalText,
  execQty: decimalText,
  execFee: decimalOrZero,
  feeCurrency: z.string().nullish(),
  isMaker: z.boolean().default(false),
  execTime: timeText,
});
type FillEntry = z.infer<typeof fillEntry>;
/** The rest is funding, delivery and transfers of positions. */
const FILLS = new Set(['Trade', 'AdlTrade', 'BustTrade']);

const FORCED: Readonly<Record<string, VenueFill['forced']>> = { AdlTrade: 'adl', BustTrade: 'liquidation' };

const fillOf = (entry: FillEntry, category?: string): VenueFill => {
  const traded = entry.category ?? category;
  const forced = FORCED[entry.execType];
  return {
    venueSymbol: entry.symbol,
    ...(traded === undefined ? {} : { market: traded }),
    clientOrderId: entry.orderLinkId,
    venueOrderId: entry.orderId,
    tradeId: entry.execId,
    side: entry.side,
    price: entry.execPrice,
    qty: entry.execQty,
    fee: entry.execFee,
    feeAsset: entry.feeCurrency ?? '',
    liquidity: entry.isMaker ? 'maker' : 'taker',
    timeMs: entry.execTime,
    ...(forced === undefined ? {} : { forced }),
  };
};

/** A list that comes in pages: where it is, how an entry reads, and what is asked after its last page. */
type Pages<E, T> = {
  readonly path: string;
  readonly entry: z.ZodType<E>;
  readonly take: (entry: E) => readonly T[];
  readonly after?: (context: AccountContext) => Call<readonly T[]>;
};

function listCall<E, T>(pages: Pages<E, T>, fields: Fields, context: AccountContext, cursor = ''): Call<readonly T[]> {
  const schema = z.object({
    result: z.object({
      list: z.array(pages.entry),
      nextPageCursor: z
        .string()
        .regex(/^[!-~]*$/)
        .nullish(),
    }),
  });
  const read: Reader<readonly T[]> = (reply) =>
    andThen(
      answerFrom(reply, schema, {
        refusalOf: refusalBy(CODES),
        valueOf: ({ result: { list, nextPageCursor } }) => ({
          value: list.flatMap(pages.take),
          next: list.length === 0 ? '' : (nextPageCursor ?? ''),
        }),
      }),
      ({ value, next }): Answer<readonly T[]> => {
        // A cursor comes with the last page too: an empty one follows.
        if (next !== '' && next !== cursor)
          return { kind: 'ok', value, more: (later) => listCall(pages, fields, later, next) };
        return { kind: 'ok', value, ...(pages.after === undefined ? {} : { more: pages.after }) };
      },
    );
  return get(pages.path, fields, context, { weight: QUERY, read, cursor });
}

const openOrderPages = (symbols: ReadonlySet<string>): Pages<OrderEntry, OrderState> => ({
  path: '/v5/order/realtime',
  entry: orderEntry,
  take: (entry) => (symbols.has(entry.symbol) ? [orderState(entry)] : []),
});

const fillPages = (category: string, symbols: ReadonlySet<string>): Pages<FillEntry, VenueFill> => ({
  path: '/v5/execution/list',
  entry: fillEntry,
  take: (entry) => (symbols.has(entry.symbol) && FILLS.has(entry.execType) ? [fillOf(entry, category)] : []),
});

const positionEntry = z.object({
  category: z.string().optional(),
  symbol: z.string(),
  side: z.string().default(''),
  size: decimalOrZero,
  avgPrice: decimalOrZero,
  /** What the private stream calls it. */
  entryPrice: decimalOrZero,
  markPrice: decimalOrZero,
  liqPrice: decimalOrZero,
  leverage: decimalOrZero,
  /** 1 to 5; 0 where nothing is held. */
  adlRankIndicator: decimalOrZero,
});
type PositionEntry = z.infer<typeof positionEntry>;

const POSITION_SCOPES: readonly Fields[] = [
  { category: 'linear', settleCoin: 'USDT' },
  { category: 'linear', settleCoin: 'USDC' },
  { category: 'inverse' },
];

/** Linear positions are told by settlement coin: one list follows the other. */
function positionsFrom(at: number, context: AccountContext): Call<readonly PositionState[]> {
  const last = at === POSITION_SCOPES.length - 1;
  const pages: Pages<PositionEntry, PositionState> = {
    path: '/v5/position/list',
    entry: positionEntry,
    take: (entry) => [positionState(entry)],
    ...(last ? {} : { after: (later: AccountContext) => positionsFrom(at + 1, later) }),
  };
  return listCall(pages, { ...POSITION_SCOPES[at], limit: 200 }, context);
}

function positionState(entry: PositionEntry): PositionState {
  const { markPrice, liqPrice, leverage } = entry;
  return {
    venueSymbol: entry.symbol,
    qty: entry.side === 'Sell' ? entry.size.negated() : entry.size,
    entryPrice: entry.avgPrice.isZero() ? entry.entryPrice : entry.avgPrice,
    ...(markPrice.isZero() ? {} : { markPrice }),
    ...(liqPrice.isZero() ? {} : { liquidationPrice: liqPrice }),
    ...(leverage.isZero() ? {} : { leverage }),
    ...(entry.adlRankIndicator.isZero() ? {} : { adlRank: entry.adlRankIndicator.toNumber() / 5 }),
  };
}

const coinEntry = z.object({
  coin: z.string(),
  walletBalance: decimalOrZero,
  locked: decimalOrZero,
  totalOrderIM: decimalOrZero,
  totalPositionIM: decimalOrZero,
});
const walletEntry = z.object({ coin: z.array(coinEntry) });

/** What spot orders lock and contracts bind is not available; never below zero, though coins may be lent against others. */
function balanceState({
  coin,
  walletBalance,
  locked,
  totalOrderIM,
  totalPositionIM,
}: z.infer<typeof coinEntry>): BalanceState {
  const free = walletBalance.minus(locked).minus(totalOrderIM).minus(totalPositionIM);
  return { asset: coin, total: walletBalance, available: Decimal.max(0, free) };
}

const balanceBody = z.object({ result: z.object({ list: z.array(walletEntry) }) });
const readBalances: Reader<readonly BalanceState[]> = (reply) =>
  answerFrom(reply, balanceBody, {
    refusalOf: refusalBy(CODES),
    valueOf: ({ result }) => result.list.flatMap(({ coin }) => coin.map(balanceState)),
  });

const feeBody = z.object({
  result: z.object({
    list: z.array(z.object({ symbol: z.string(), makerFeeRate: decimalText, takerFeeRate: decimalText })),
  }),
});
const readFees =
  (category: string): Reader<readonly FeeState[]> =>
  (reply) =>
    answerFrom(reply, feeBody, {
      refusalOf: refusalBy(CODES),
      valueOf: ({ result }) =>
        result.list.map(({ symbol, makerFeeRate, takerFeeRate }) => ({
          venueSymbol: symbol,
          market: category,
          maker: makerFeeRate,
          taker: takerFeeRate,
        })),
    });

const keyBody = z.object({
  result: z.object({ readOnly: z.string(), permissions: z.record(z.string(), z.array(z.string()).nullish()) }),
});
const TRADE_PERMISSIONS: readonly (readonly [group: string, permission: string])[] = [
  ['Spot', 'SpotTrade'],
  ['ContractTrade', 'Order'],
  ['Derivatives', 'DerivativesTrade'],
];
const readPermissions: Reader<KeyPermissions> = (reply) =>
  answerFrom(reply, keyBody, {
    refusalOf: refusalBy(CODES),
    valueOf: ({ result: { readOnly, permissions } }) => {
      const may = (group: string, permission: string): boolean => permissions[group]?.includes(permission) ?? false;
      return {
        trade: readOnly === '0' && TRADE_PERMISSIONS.some(([group, permission]) => may(group, permission)),
        withdraw: may('Wallet', 'Withdraw'),
      };
    },
  });

const timeBody = z.object({ result: z.object({ timeNano: z.string().regex(/^\d{16,20}$/) }) });
const readTime: Reader<number> = exceptBanned((reply) =>
  answerFrom(reply, timeBody, {
    refusalOf: refusalBy(CODES),
    valueOf: ({ result }) => Math.floor(Number(result.timeNano) / 1e6),
  }),
);

const categoriesOf = (instruments: readonly Instrument[]): readonly (readonly [string, readonly string[]])[] =>
  [...Map.groupBy(instruments, ({ market: category }) => category)].map(([category, inside]) => [
    category,
    inside.map(({ venueSymbol }) => venueSymbol),
  ]);

type Scope = { readonly category: string; readonly symbol?: string; readonly settleCoin?: string };

/** As few lists as name all of these: one symbol by its name, more by category, linear ones by settlement coin besides. */
function scopesOf(
  instruments: readonly Instrument[],
): readonly { readonly scope: Scope; readonly symbols: ReadonlySet<string> }[] {
  const groups = Map.groupBy(instruments, ({ market: category, settle }) =>
    category === 'linear' ? `${category} ${settle}` : category,
  );
  return [...groups.values()].map((inside) => {
    const { market: category, venueSymbol: symbol, settle: settleCoin } = inside[0]!;
    const symbols = new Set(inside.map(({ venueSymbol }) => venueSymbol));
    if (symbols.size === 1) return { scope: { symbol, category }, symbols };
    return { scope: category === 'linear' ? { category, settleCoin } : { category }, symbols };
  });
}

/** Executions are not told by settlement coin. */
const executionScope = ({ category, symbol }: Scope): Fields => ({ category, symbol });

const WINDOW_MS = 7 * 86_400_000;
/** Two years are kept. */
const WINDOWS_MAX = 104;

/** Executions are told a week at a time. */
function windowsOf(
  sinceMs: number,
  nowMs: number,
): readonly { readonly startTime: number; readonly endTime?: number }[] {
  const windows = Math.min(WINDOWS_MAX, Math.max(1, Math.ceil((nowMs - sinceMs) / WINDOW_MS)));
  const first = Math.floor(Math.max(sinceMs, nowMs - windows * WINDOW_MS));
  return Array.from({ length: windows }, (_, at) => {
    const startTime = first + at * WINDOW_MS;
    return at === windows - 1 ? { startTime } : { startTime, endTime: startTime + WINDOW_MS - 1 };
  });
}

const authFrame = ({ credentials, nowMs }: AccountContext): string => {
  const expires = String(Math.floor(nowMs) + AUTH_VALID_MS);
  const signature = hmac('sha256', credentials.secret, `GET/realtime${expires}`, 'hex');
  return JSON.stringify({ op: 'auth', args: [credentials.apiKey, expires, signature] });
};

/** @see https://bybit-exchange.github.io/docs/v5/websocket/private/order */
function privateSocket(): AccountSocket {
  return {
    id: 'private',
    carries: ['events'],
    wsUrl: 'wss://stream.bybit.com/v5/private',
    login: (context) => [authFrame(context)],
    // One topic that is not allowed fails its whole request: the dead-man switch's are not everybody's.
    subscribe: () => [
      JSON.stringify({ req_id: 'account', op: 'subscribe', args: ['order', 'execution', 'position', 'wallet'] }),
      JSON.stringify({ req_id: 'dcp', op: 'subscribe', args: ['dcp.future', 'dcp.spot'] }),
    ],
    heartbeat: HEARTBEAT,
    idleMs: 3 * PING_MS,
    decode: decodePrivate,
  };
}

/** Orders over a socket of their own; what becomes of them is told on the private one. @see https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline */
function tradeSocket(): AccountSocket {
  return {
    id: 'trade',
    carries: ['orders'],
    wsUrl: 'wss://stream.bybit.com/v5/trade',
    login: (context) => [authFrame(context)],
    subscribe: () => [],
    orders: {
      weight: { orders: 1 },
      place: (order, context, request) => tradeFrame('order.create', orderOf(order), context, request),
      cancel: (order, context, request) => tradeFrame('order.cancel', referenceOf(order), context, request),
    },
    heartbeat: HEARTBEAT,
    idleMs: 3 * PING_MS,
    decode: decodeTrade,
  };
}

const tradeFrame = (op: string, order: Fields, { nowMs }: AccountContext, reqId: string): string =>
  JSON.stringify({
    reqId,
    header: { 'X-BAPI-TIMESTAMP': String(Math.floor(nowMs)), 'X-BAPI-RECV-WINDOW': RECEIVE_WINDOW_MS },
    op,
    args: [order],
  });

const controlReply = z.object({ op: z.string(), success: z.boolean().optional(), ret_msg: z.string().default('') });
const push = z.object({ topic: z.string(), data: z.unknown() });

function decodePrivate(frame: Uint8Array): readonly AccountEvent[] {
  const message = jsonOf(frameText(frame));
  const pushed = push.safeParse(message);
  if (pushed.success) return eventsOf(pushed.data.topic, pushed.data.data);
  const said = controlReply.safeParse(message);
  if (!said.success) return [];
  const { op, success, ret_msg } = said.data;
  if (op === 'pong' || ret_msg === 'pong') return [{ kind: 'pong' }];
  if (success === false) {
    const meaning = op === 'auth' ? 'unauthorised' : 'unlisted';
    return [{ kind: 'error', refusal: refused(meaning, op, ret_msg) }];
  }
  return op === 'auth' ? [{ kind: 'ready' }] : [];
}

/** Topics may be told a category at a time: `order.linear`. @throws BadInput */
function eventsOf(topic: string, data: unknown): readonly AccountEvent[] {
  switch (topic.split('.', 1).join()) {
    case 'order':
      return checked(z.array(orderEntry), data, 'bybit order').map((entry) => ({
        kind: 'order',
        order: orderState(entry),
      }));
    case 'execution':
      return topic.startsWith('execution.fast') ? [] : fillEvents(data);
    case 'position':
      return checked(z.array(positionEntry), data, 'bybit position').map((entry) => ({
        kind: 'position',
        position: positionState(entry),
      }));
    case 'wallet':
      return checked(z.array(walletEntry), data, 'bybit wallet').flatMap(({ coin }) =>
        coin.map((entry) => ({ kind: 'balance' as const, balance: balanceState(entry) })),
      );
    default:
      return [];
  }
}

const fillEvents = (data: unknown): readonly AccountEvent[] =>
  checked(z.array(fillEntry), data, 'bybit execution').flatMap((entry) =>
    FILLS.has(entry.execType) ? [{ kind: 'fill' as const, fill: fillOf(entry) }] : [],
  );

const tradeReply = z.object({
  reqId: z.string().optional(),
  retCode: z.string(),
  retMsg: z.string().default(''),
  op: z.string(),
  data: z.unknown().optional(),
});

/** `{"reqId":…,"retCode":0,"op":"order.create","data":{"orderId":…}}`; an acknowledgement is no fill. */
function decodeTrade(frame: Uint8Array): readonly AccountEvent[] {
  const parsed = tradeReply.safeParse(jsonOf(frameText(frame)));
  if (!parsed.success) return [];
  const { reqId, retCode, retMsg, op, data } = parsed.data;
  if (op === 'pong' || op === 'ping') return [{ kind: 'pong' }];
  const codes = op === 'order.cancel' ? CANCEL_CODES : CODES;
  const refusal = retCode === '0' ? undefined : refused(meaningOf(codes, retCode), retCode, retMsg);
  if (op === 'auth') return [refusal === undefined ? { kind: 'ready' } : { kind: 'error', refusal }];
  if (op !== 'order.create' && op !== 'order.cancel')
    return refusal === undefined ? [] : [answerTo(reqId, 'unsaid', refusal)];
  const to = op === 'order.create' ? 'place' : 'cancel';
  if (refusal !== undefined) return [answerTo(reqId, to, refusal)];
  const { orderId } = checked(placedBody, data, `bybit ${op}`);
  return [answerTo(reqId, to, ok({ venueOrderId: orderId }))];
}

const answerTo = (
  request: string | undefined,
  to: 'place' | 'cancel' | 'unsaid',
  answer: Answer<Placed>,
): AccountEvent => ({
  kind: 'answer',
  ...(request === undefined ? {} : { request }),
  to,
  answer,
});

/**
 * Codes by what they mean; definite unless `in-doubt`, where the request may have reached the matching engine.
 * @see https://bybit-exchange.github.io/docs/v5/error
 */
const CODES = codesOf({
  'in-doubt':
    '5004 10000 10014 10016 110079 148019 170001 170007 170032 170144 170146 170147 170149 170150 170234 177006',
  'invalid-order':
    '7001 10001 10017 10404 12137 12201 110019 110029 110030 110032 110049 110092 110093 170011 170105 170115 170116 ' +
    '170117 170121 170124 170130 170134 170135 170137 170148 170202 170221 175016',
  'clock-skew': '10002 -1021',
  unauthorised: '10003 10004 10005 10007 10008 10009 10010 33004 -2015 20001',
  'rate-limited': '10006 10018 10403 10429 20003 170005 170222',
  'venue-down': '10019 110063 110066 110071 170031 170151',
  'not-allowed':
    '10020 10024 10027 10028 10029 100028 110009 110011 110016 110018 110020 110021 110040 110067 110068 110069 110070 ' +
    '170036 170037 170157 170159 170201 170209 170210 170217 170224 170227 170241',
  'insufficient-funds':
    '110004 110006 110007 110012 110014 110044 110045 110051 110052 110053 130021 131001 170033 170034 170131 170223 170226',
  'price-out-of-band': '110003 170132 170133 170192 170193 170194 170195 170196 170197 170198 170371 170372',
  'below-minimum': '110094 170136 170140 -1140',
  'duplicate-id': '110072 170141 12141 20006',
  'reduce-only': '110017 110023 110034 110042',
  'would-take': '170218',
  'not-found': '110001 170143 170213 -2013',
  'not-open': '110008 110010 170139 170142 170145 170190',
});

/** Bybit says the same of an order that never was and of one that has ended: `Order not exists or too late to cancel`. */
const CANCEL_CODES = {
  ...CODES,
  ...codesOf({ 'not-open': '110001 170143 170213', 'in-doubt': '170191' }),
};

/** Of orders that the matching engine turned down after they were acknowledged. @see https://bybit-exchange.github.io/docs/v5/enum#rejectreason */
const REJECT_REASONS = codesOf({
  'would-take': 'EC_PostOnlyWillTakeLiquidity',
  'not-filled': 'EC_NoImmediateQtyToFill EC_NoEnoughQtyToFill EC_CancelForNoFullFill',
  'duplicate-id': 'EC_DuplicatedClOrdId',
  'price-out-of-band': 'EC_LimitOrderInvalidPrice EC_ReachRiskPriceLimit EC_ReachMarketPriceLimit',
  'self-trade': 'EC_BySelfMatch EC_StopBySelfMatch',
  'venue-down': 'EC_InvalidSymbolStatus EC_SecurityStatusFail EC_InCallAuctionStatus',
  'invalid-order':
    'EC_MissingClOrdId EC_UnknownOrderType EC_UnknownSide EC_UnknownTimeInForce EC_MarketOrderPriceIsNotZero ' +
    'EC_MarketOrderCannotBePostOnly EC_QtyCannotBeZero EC_MarketOrderNoSupportTIF EC_InvalidPriceScale EC_InvalidQty ' +
    'EC_InvalidAmount',
  'not-allowed': 'EC_ReachMaxTradeNum EC_CancelByMMP EC_InvalidUserType',
});
