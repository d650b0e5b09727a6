import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
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
  hash,
  hmac,
  jsonOf,
  meaningOf,
  ok,
  queryOf,
  refused,
  signedNumber,
  timeText,
} from './venue-tools.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import {
  asset,
  bodyFrom,
  bytesOf,
  END,
  FOUND_NUMBERS,
  fundingFrom,
  idOf,
  keyCode,
  roomFor,
  shapeOf,
  venueId,
} from './venue.ts';

const GATE = venueId('gate');
/** Every request must have a time; that it is the present one matters only where a request is signed. */
const ANY_TIME = 1;

/** What the markets share: the protocol, in which only the prefix of a channel's name differs, and its limits. */
const streams = (prefix: 'spot' | 'futures') =>
  ({
    restUrl: 'https://api.gateio.ws',
    subscribe: (symbols) => requestsOf('subscribe', prefix, symbols),
    unsubscribe: (symbols) => requestsOf('unsubscribe', prefix, symbols),
    limits: { symbolsPerSocket: 40, messagesPerSecond: 20 },
    heartbeat: {
      kind: 'client-text',
      text: JSON.stringify({ time: ANY_TIME, channel: `${prefix}.ping` }),
      everyMs: 15_000,
    },
    idleMs: 30_000,
    firstBookWithinMs: 5_000,
    book: { snapshot: { from: 'push' }, follows, depth: Infinity },
    decode: decoderOf(`${prefix}.obu`, prefix),
  }) as const satisfies Partial<Market>;

const spot: Market = {
  ...streams('spot'),
  id: 'spot',
  wsUrl: 'wss://api.gateio.ws/ws/v4/',
  defaultFees: { maker: amountOf('0.001'), taker: amountOf('0.001'), currency: 'received' },
  instruments: pairsOf('spot'),
  streams: {
    kinds: ['trades'],
    symbolsPerSocket: 100,
    subscribe: (kinds, symbols) => kinds.map(() => requestOf('subscribe', 'spot.trades', symbols)),
  },
  poll: { path: bookPath, decode: decodeSnapshot },
};

/** Perpetuals settled in USDT. */
const usdt: Market = {
  ...streams('futures'),
  id: 'usdt',
  wsUrl: 'wss://fx-ws.gateio.ws/v4/ws/usdt',
  defaultFees: { maker: amountOf('0.0002'), taker: amountOf('0.0005'), currency: 'settle' },
  instruments: { paths: ['/api/v4/futures/usdt/contracts'], parse: parseContracts },
  streams: {
    kinds: ['trades', 'reference'],
    symbolsPerSocket: 100,
    subscribe: (kinds, symbols) =>
      kinds.map((kind) => requestOf('subscribe', kind === 'trades' ? 'futures.trades' : 'futures.tickers', symbols)),
  },
  poll: {
    path: (symbol) => `/api/v4/futures/usdt/order_book?contract=${symbol}&limit=100&with_id=true`,
    decode: decodeSnapshot,
  },
};

/** Spot books before mid 2025: `order_book_update`, started from a REST snapshot. */
const spotUpdates: Market = {
  ...streams('spot'),
  id: 'spot-updates',
  wsUrl: spot.wsUrl,
  defaultFees: spot.defaultFees,
  instruments: pairsOf('spot-updates'),
  subscribe: (symbols) => updateRequestsOf('subscribe', symbols),
  unsubscribe: (symbols) => updateRequestsOf('unsubscribe', symbols),
  book: {
    snapshot: {
      from: 'rest',
      path: bookPath,
      decode: decodeSnapshot,
    },
    follows: followsSnapshot,
    depth: Infinity,
  },
  decode: decoderOf('spot.order_book_update', 'spot'),
};

/** One stream a request, as in every example of the documentation. */
function requestsOf(event: string, prefix: string, symbols: readonly string[]): readonly string[] {
  return symbols.map((symbol) => requestOf(event, `${prefix}.obu`, [`ob.${symbol}.50`]));
}

function bookPath(symbol: string): string {
  return `/api/v4/spot/order_book?currency_pair=${symbol}&limit=100&with_id=true`;
}

function updateRequestsOf(event: string, symbols: readonly string[]): readonly string[] {
  return symbols.map((symbol) => requestOf(event, 'spot.order_book_update', [symbol, '100ms']));
}

const requestOf = (event: string, channel: string, payload: readonly string[]): string =>
  JSON.stringify({ time: ANY_TIME, channel, event, payload });

/**
 * 1. A full push replaces the book, and its u is the book's id; it may come again at any time.
 * 2. Otherwise U is the book's id + 1, and u becomes the id; 3. anything else is a gap: unsubscribe and subscribe.
 */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  return update.firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

/**
 * `order_book_update`. 1. An update with u below the snapshot's id + 1 is dropped; 2. the first one must have U <= id + 1 <= u;
 * 3. afterwards each U is the previous u + 1.
 * @see https://www.gate.com/docs/developers/apiv4/ws/en/#changed-order-book-levels
 */
function followsSnapshot(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  if (opening) return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
  return firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

const KEY = {
  channel: keyCode('channel'),
  event: keyCode('event'),
  error: keyCode('error'),
  result: keyCode('result'),
  time: keyCode('t'),
  sentMs: keyCode('time_ms'),
  full: keyCode('full'),
  symbol: keyCode('s'),
  first: keyCode('U'),
  last: keyCode('u'),
  bids: keyCode('b'),
  asks: keyCode('a'),
  pair: keyCode('currency_pair'),
  contract: keyCode('contract'),
  price: keyCode('price'),
  amount: keyCode('amount'),
  size: keyCode('size'),
  side: keyCode('side'),
  createdMs: keyCode('create_time_ms'),
  markPrice: keyCode('mark_price'),
  indexPrice: keyCode('index_price'),
  fundingRate: keyCode('funding_rate'),
  levelPrice: keyCode('p'),
  levelSize: keyCode('s'),
  snapshotId: keyCode('id'),
  snapshotBids: keyCode('bids'),
  snapshotAsks: keyCode('asks'),
} as const;
const EVENT_UPDATE = bytesOf('update');
const SPOT_PONG = bytesOf('spot.pong');
const FUTURES_PONG = bytesOf('futures.pong');
const STREAM_PREFIX = bytesOf('ob.');
const POINT = 0x2e;
const LETTER_T = 0x74;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const BUY = bytesOf('buy');
const SELL = bytesOf('sell');

const SYMBOL = 1;
const FIRST = 2;
const LAST = 4;
const FULL = 8;
const BIDS = 16;
const ASKS = 32;
const PRICE = 64;
const SIZE = 128;
const SIDE = 256;

/** What a frame's result held. */
const NOTHING = 0;
const BOOK = 1;
const UNFOLLOWED = 2;
const PRINT = 3;
const LIST = 4;

/** What a frame's channel is. */
const BOOKS = 1;
const TRADES = 2;
const TICKERS = 3;

type Channels = { readonly books: Uint8Array; readonly trades: Uint8Array; readonly tickers: Uint8Array | undefined };

/** Where numbers are read before they go on. */
const numbers = new Float64Array(1);

/** A decoder of a market's channels: `{"channel":…,"result":{…},"event":"update"}`, in whatever order. */
function decoderOf(books: string, prefix: 'spot' | 'futures'): Market['decode'] {
  const channels: Channels = {
    books: bytesOf(books),
    trades: bytesOf(`${prefix}.trades`),
    // Those of spot say nothing but quotes and turnover.
    tickers: prefix === 'futures' ? bytesOf('futures.tickers') : undefined,
  };
  // A change as it usually comes.
  const shape = shapeOf(
    `{"channel":"${books}","result":{"t":<integer>,"U":<integer>,"u":<integer>,"s":"ob.<text>","b":<levels>,"a":<levels>}` +
      '(,"time":<integer>),"time_ms":<integer>,"event":"update"}',
  );
  return (frame, sink) => {
    if (!frame.has(shape) || !takeChange(frame, sink)) decode(frame, sink, channels);
  };
}

/** False when the stream's name is none. */
function takeChange(frame: Frame, sink: MarketSink): boolean {
  const { update } = sink;
  frame.shapedText(0);
  const { bytes, textStart: start } = frame;
  let end = frame.textEnd - 1;
  while (end > start && bytes[end] !== POINT) end -= 1;
  if (end <= start) return false;
  const instrument = sink.find(frame, start, end);
  if (instrument === -1) return true;
  update.kind = DELTA;
  update.instrument = instrument;
  update.venueTimeMs = FOUND_NUMBERS[0]!;
  update.firstSequence = FOUND_NUMBERS[1]!;
  update.lastSequence = FOUND_NUMBERS[2]!;
  update.previousSequence = NaN;
  update.checksum = NaN;
  frame.shapedLevels(0, update.bids);
  frame.shapedLevels(1, update.asks);
  sink.publish();
  return true;
}

function decode(frame: Frame, sink: MarketSink, channels: Channels): void {
  let channel = NOTHING;
  let isUpdate = false;
  let held = NOTHING;
  sink.update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      frame.string();
      channel = channelOf(frame, channels);
      // A request that could not be read is refused without a channel.
      if (channel === NOTHING && frame.textEnd > frame.textStart) {
        if (frame.textIs(SPOT_PONG) || frame.textIs(FUTURES_PONG)) sink.control('pong', frame.text());
        return;
      }
    } else if (key === KEY.sentMs && held === NOTHING) {
      frame.integer();
      sink.update.venueTimeMs = frame.value;
    } else if (key === KEY.event) {
      frame.string();
      isUpdate = frame.textIs(EVENT_UPDATE);
    } else if (key === KEY.result && channel !== NOTHING) {
      held = readAny(frame, sink, channel);
      if (held === UNFOLLOWED) return;
    } else if (key === KEY.error && frame.peek() === OPEN_BRACE) {
      sink.control('error', frame.text());
      return;
    } else frame.skip();
  }
  if (channel === NOTHING) return;
  if (isUpdate !== (held !== NOTHING)) throw new BadInput(`gate: not an update: ${frame.text().slice(0, 120)}`);
  frame.finish();
  if (held === BOOK) sink.publish();
  else if (held === PRINT) sink.publishPrint();
  else if (!isUpdate) sink.control('ack', frame.text());
}

function channelOf(frame: Frame, { books, trades, tickers }: Channels): number {
  if (frame.textIs(books)) return BOOKS;
  if (frame.textIs(trades)) return TRADES;
  return tickers !== undefined && frame.textIs(tickers) ? TICKERS : NOTHING;
}

/** A list is published as it is read; `null` and the `{"status":…}` of an answer hold nothing. */
function readAny(frame: Frame, sink: MarketSink, channel: number): number {
  const first = frame.peek();
  if (first === OPEN_BRACKET && channel !== BOOKS) {
    readList(frame, sink, channel);
    return LIST;
  }
  if (first === OPEN_BRACE && channel === BOOKS) return readResult(frame, sink);
  if (first === OPEN_BRACE && channel === TRADES) return readTrade(frame, sink);
  frame.skip();
  return NOTHING;
}

function readList(frame: Frame, sink: MarketSink, channel: number): void {
  if (!frame.firstElement()) return;
  do {
    if (channel === TICKERS) readTicker(frame, sink);
    else {
      const held = readTrade(frame, sink);
      if (held === NOTHING) throw new BadInput(`gate: not a trade: ${frame.text().slice(0, 120)}`);
      if (held === PRINT) sink.publishPrint();
    }
  } while (frame.nextElement());
}

/** Spot: `side` and `amount`; contracts: `size`, negative when the taker sold. */
function readTrade(frame: Frame, sink: MarketSink): number {
  const { print } = sink;
  let seen = 0;
  let followed = false;
  print.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.pair || key === KEY.contract) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      followed = instrument !== -1;
      if (instrument !== -1) print.instrument = instrument;
      seen |= SYMBOL;
    } else if (key === KEY.price) {
      frame.number(numbers, 0);
      print.price = numbers[0]!;
      seen |= PRICE;
    } else if (key === KEY.amount) {
      frame.number(numbers, 0);
      print.qty = numbers[0]!;
      seen |= SIZE;
    } else if (key === KEY.size) {
      signedNumber(frame, numbers, 0);
      print.qty = Math.abs(numbers[0]!);
      print.taker = numbers[0]! < 0 ? -1 : 1;
      seen |= SIZE | SIDE;
    } else if (key === KEY.side) {
      frame.string();
      if (!frame.textIs(BUY) && !frame.textIs(SELL))
        throw new BadInput(`gate: unknown side: ${frame.text().slice(0, 120)}`);
      print.taker = frame.textIs(BUY) ? 1 : -1;
      seen |= SIDE;
    } else if (key === KEY.createdMs) {
      frame.number(numbers, 0);
      print.venueTimeMs = numbers[0]!;
    } else frame.skip();
  }
  if (seen === 0) return NOTHING;
  if (seen !== (SYMBOL | PRICE | SIZE | SIDE))
    throw new BadInput(`gate: fields are missing: ${frame.text().slice(0, 120)}`);
  return followed ? PRINT : UNFOLLOWED;
}

/** `funding_rate` is the running period's; `funding_rate_indicative` is that of the period after it. When it is paid, the contract's listing says. */
function readTicker(frame: Frame, sink: MarketSink): void {
  const { reference } = sink;
  let followed = false;
  sink.clearReference();
  reference.venueTimeMs = sink.update.venueTimeMs;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.contract) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      followed = instrument !== -1;
      if (instrument !== -1) reference.instrument = instrument;
    } else if (key === KEY.markPrice) {
      signedNumber(frame, numbers, 0);
      reference.markPrice = numbers[0]!;
    } else if (key === KEY.indexPrice) {
      signedNumber(frame, numbers, 0);
      reference.indexPrice = numbers[0]!;
    } else if (key === KEY.fundingRate) {
      signedNumber(frame, numbers, 0);
      reference.fundingRate = numbers[0]!;
    } else frame.skip();
  }
  if (followed) sink.publishReference();
}

/** A book's change, or the `{"status":…}` of an answer. A side without changes may be left out. */
function readResult(frame: Frame, sink: MarketSink): number {
  const { update } = sink;
  let seen = 0;
  let followed = false;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  empty(update.bids);
  empty(update.asks);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      followed = readSymbol(frame, sink);
      if (!followed) return UNFOLLOWED;
      seen |= SYMBOL;
    } else if (key === KEY.full) {
      if (frame.peek() === LETTER_T) seen |= FULL;
      frame.skip();
    } else if (key === KEY.first) {
      frame.integer();
      update.firstSequence = frame.value;
      seen |= FIRST;
    } else if (key === KEY.last) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen === 0) return NOTHING;
  update.kind = (seen & FULL) === 0 ? DELTA : SNAPSHOT;
  const needed = update.kind === DELTA ? SYMBOL | FIRST | LAST : SYMBOL | LAST;
  if ((seen & needed) !== needed) throw new BadInput(`gate: fields are missing: ${frame.text().slice(0, 120)}`);
  return BOOK;
}

function empty(side: MarketUpdate['bids']): void {
  side.count = 0;
  side.priceDecimals = 0;
  side.qtyDecimals = 0;
}

/** `BTC_USDT`, or a stream's name around it: `ob.BTC_USDT.50`. False when we do not follow it. */
function readSymbol(frame: Frame, sink: MarketSink): boolean {
  frame.string();
  const { bytes } = frame;
  let { textStart: start, textEnd: end } = frame;
  if (bytes[start] === STREAM_PREFIX[0] && bytes[start + 1] === STREAM_PREFIX[1] && bytes[start + 2] === POINT) {
    start += STREAM_PREFIX.length;
    while (end > start && bytes[end - 1] !== POINT) end -= 1;
    end -= 1;
    if (end <= start) throw new BadInput(`gate: not a stream: ${frame.text().slice(0, 120)}`);
  }
  const instrument = sink.find(frame, start, end);
  if (instrument === -1) return false;
  sink.update.instrument = instrument;
  return true;
}

function decodeSnapshot(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let seen = 0;
  update.kind = SNAPSHOT;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.snapshotId) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.snapshotBids) {
      readLevels(frame, update.bids);
      seen |= BIDS;
    } else if (key === KEY.snapshotAsks) {
      readLevels(frame, update.asks);
      seen |= ASKS;
    } else frame.skip();
  }
  if (seen !== (LAST | BIDS | ASKS)) throw new BadInput(`gate: not a snapshot: ${frame.text().slice(0, 120)}`);
  frame.finish();
  sink.publish();
}

/** `[["price","amount"],…]`; a contract's are `[{"p":"price","s":size},…]`. */
function readLevels(frame: Frame, into: MarketUpdate['bids']): void {
  const start = frame.at;
  empty(into);
  if (!frame.firstElement()) return;
  if (frame.peek() !== OPEN_BRACE) {
    frame.at = start;
    frame.levels(into);
    return;
  }
  do {
    const index = roomFor(into);
    into.prices[index] = NaN;
    into.qtys[index] = NaN;
    for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
      if (key === KEY.levelPrice) frame.number(into.prices, index);
      else if (key === KEY.levelSize) frame.number(into.qtys, index);
      else frame.skip();
    }
    frame.takeLevel(into, index);
  } while (frame.nextElement());
}

const pair = z.object({
  id: z.string().min(1),
  base: z.string().min(1),
  quote: z.string().min(1),
  precision: z.int(),
  amount_precision: z.int(),
  min_base_amount: z.string().optional(),
  min_quote_amount: z.string().optional(),
  trade_status: z.string(),
});
const pairs = z.array(pair).min(1);

function pairsOf(id: string): Market['instruments'] {
  return {
    paths: ['/api/v4/spot/currency_pairs'],
    parse: (bodies, fees) =>
      bodies.flatMap((body) => bodyFrom(pairs, body, 'gate currency_pairs').map((entry) => pairFrom(id, entry, fees))),
  };
}

function pairFrom(id: string, entry: z.infer<typeof pair>, fees: Fees): Instrument {
  const symbol = `${entry.base}/${entry.quote}`;
  const lot = amountOf(10).pow(-entry.amount_precision);
  return {
    id: idOf(GATE, symbol),
    venue: GATE,
    market: id,
    symbol,
    venueSymbol: entry.id,
    kind: 'spot',
    base: asset(entry.base),
    quote: asset(entry.quote),
    settle: asset(entry.quote),
    contractSize: amountOf(1),
    inverse: false,
    tick: amountOf(10).pow(-entry.precision),
    lot,
    minQty: entry.min_base_amount === undefined ? lot : decimalFrom(entry.min_base_amount),
    minNotional: decimalFrom(entry.min_quote_amount ?? '0'),
    fees,
    status: entry.trade_status === 'tradable' ? 'trading' : 'halted',
  };
}

const contract = z.object({
  name: z.string().min(1),
  type: z.string(),
  quanto_multiplier: z.string(),
  order_price_round: z.string(),
  order_size_min: z.union([z.number(), z.string()]),
  in_delisting: z.boolean(),
  funding_interval: z.number().optional(),
  funding_next_apply: z.number().optional(),
  status: z.string().optional(),
});
const contracts = z.array(contract).min(1);

function parseContracts(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(contracts, body, 'gate contracts').flatMap((entry) => contractFrom(entry, fees)),
  );
}

const msOf = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1_000);

/**
 * Empty for what is not a linear contract with a size and a grid. Fractions of contracts, where a contract allows them, need a header of their own
 * with every order: whole contracts are the lot everywhere.
 */
function contractFrom(entry: z.infer<typeof contract>, fees: Fees): readonly Instrument[] {
  const [base = '', quote = ''] = entry.name.split('_');
  const { quanto_multiplier: size, order_price_round: tick } = entry;
  if (entry.type !== 'direct' || base === '' || quote === '') return [];
  if (!(Number(size) > 0) || !(Number(tick) > 0)) return [];
  const symbol = `${base}/${quote}:${quote}`;
  const least = decimalFrom(String(entry.order_size_min));
  const trades = !entry.in_delisting && (entry.status === undefined || entry.status === 'trading');
  return [
    {
      id: idOf(GATE, symbol),
      venue: GATE,
      market: 'usdt',
      symbol,
      venueSymbol: entry.name,
      kind: 'perpetual',
      base: asset(base),
      quote: asset(quote),
      settle: asset(quote),
      contractSize: decimalFrom(size),
      inverse: false,
      tick: decimalFrom(tick),
      lot: amountOf(1),
      minQty: least.lessThan(1) ? amountOf(1) : least,
      minNotional: amountOf(0),
      fees,
      ...fundingFrom(msOf(entry.funding_interval), msOf(entry.funding_next_apply)),
      status: trades ? 'trading' : 'halted',
    },
  ];
}

/** Labels that say what happened. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ACCOUNT_LOCKED: 'not-allowed',
  AMOUNT_TOO_LITTLE: 'below-minimum',
  AMOUNT_TOO_MUCH: 'invalid-order',
  AUTHENTICATION_FAILED: 'unauthorised',
  BAD_REQUEST: 'invalid-order',
  BALANCE_NOT_ENOUGH: 'insufficient-funds',
  CLIENT_ID_NOT_FOUND: 'not-found',
  CONTRACT_IN_DELISTING: 'not-allowed',
  CONTRACT_NOT_FOUND: 'invalid-order',
  FOK_NOT_FILL: 'not-filled',
  FORBIDDEN: 'unauthorised',
  FUTURES_BALANCE_NOT_ENOUGH: 'insufficient-funds',
  INCREASE_POSITION: 'reduce-only',
  INSUFFICIENT_AVAILABLE: 'insufficient-funds',
  INTERNAL: 'in-doubt',
  INVALID_ARGUMENT: 'invalid-order',
  INVALID_CREDENTIALS: 'unauthorised',
  INVALID_CURRENCY: 'invalid-order',
  INVALID_CURRENCY_PAIR: 'invalid-order',
  INVALID_KEY: 'unauthorised',
  INVALID_PARAM_VALUE: 'invalid-order',
  INVALID_PRECISION: 'invalid-order',
  INVALID_PROTOCOL: 'invalid-order',
  INVALID_REQUEST_BODY: 'invalid-order',
  INVALID_SIGNATURE: 'unauthorised',
  IP_FORBIDDEN: 'unauthorised',
  LIQUIDATE_IMMEDIATELY: 'not-allowed',
  MARGIN_BALANCE_NOT_ENOUGH: 'insufficient-funds',
  MARGIN_NOT_ENOUGH: 'insufficient-funds',
  MISSING_REQUIRED_HEADER: 'unauthorised',
  MISSING_REQUIRED_PARAM: 'invalid-order',
  MIXED_ACCOUNT_TYPE: 'invalid-order',
  ORDER_CANCELLED: 'not-open',
  ORDER_CLOSED: 'not-open',
  ORDER_FINISHED: 'not-open',
  ORDER_NOT_FOUND: 'not-found',
  ORDER_NOT_OWNED: 'not-found',
  ORDER_POC_IMMEDIATE: 'would-take',
  POC_FILL_IMMEDIATELY: 'would-take',
  POSITION_EMPTY: 'reduce-only',
  POSITION_IN_CLOSE: 'not-allowed',
  POSITION_IN_LIQUIDATION: 'not-allowed',
  PRICE_OVER_BANKRUPT: 'price-out-of-band',
  PRICE_OVER_LIQUIDATION: 'price-out-of-band',
  PRICE_THRESHOLD_EXCEEDED: 'price-out-of-band',
  PRICE_TOO_DEVIATED: 'price-out-of-band',
  QUANTITY_NOT_ENOUGH: 'invalid-order',
  READ_ONLY: 'unauthorised',
  REPEATED_CREATION: 'duplicate-id',
  REQUEST_EXPIRED: 'clock-skew',
  RISK_LIMIT_EXCEEDED: 'not-allowed',
  SERVER_ERROR: 'in-doubt',
  SIZE_TOO_LARGE: 'invalid-order',
  SIZE_TOO_SMALL: 'below-minimum',
  SUB_ACCOUNT_LOCKED: 'not-allowed',
  TOO_BUSY: 'in-doubt',
  TOO_FAST: 'rate-limited',
  TOO_MANY_ORDERS: 'not-allowed',
  TOO_MANY_REQUESTS: 'rate-limited',
  TRADE_RESTRICTED: 'not-allowed',
  USER_NOT_FOUND: 'not-allowed',
};

/** "Your order size 0.37 USDT is too small. The minimum is 1 USDT" comes as a wrong parameter. */
const meansOf = (label: string, words: string): Meaning =>
  label === 'INVALID_PARAM_VALUE' && words.startsWith('Your order size') ? 'below-minimum' : meaningOf(MEANINGS, label);

/** Of a server that fails, whatever it says: it may have done what was asked. */
const refusalFrom = (status: number, label: string, words: string): Refusal =>
  refused(status >= 500 ? 'in-doubt' : meansOf(label, words), label, words);

const labelled = z.object({ label: z.string(), message: z.string().nullish(), detail: z.string().nullish() });

function refusalOf(body: unknown, reply: Reply): Refusal | undefined {
  const { success, data } = labelled.safeParse(body);
  return success ? refusalFrom(reply.status, data.label, data.message ?? data.detail ?? '') : undefined;
}

const secondsOf = ({ nowMs }: AccountContext): number => Math.floor(nowMs / 1_000);
const signatureOf = ({ credentials }: AccountContext, text: string): string =>
  hmac('sha512', credentials.secret, text, 'hex');

type Request<T> = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/api/v4`. */
  readonly path: string;
  readonly query?: Parameters<typeof queryOf>[0];
  readonly body?: Readonly<Record<string, unknown>>;
  readonly bucket?: 'orders' | 'cancels';
  readonly read: Call<T>['read'];
};

/**
 * Method, path, query, hash of the body and seconds, a line each: HMAC-SHA512, hexadecimal.
 * @see https://www.gate.com/docs/developers/apiv4/en/#apiv4-signed-request-requirements
 */
function signed<T>(request: Request<T>, context: AccountContext): Call<T> {
  const { method, body, bucket = 'private', read } = request;
  const path = `/api/v4${request.path}`;
  const query = queryOf(request.query ?? {});
  const text = body === undefined ? '' : JSON.stringify(body);
  const time = String(secondsOf(context));
  const bodyHash = hash('sha512', text).toString('hex');
  return {
    method,
    path: query === '' ? path : `${path}?${query}`,
    headers: {
      KEY: context.credentials.apiKey,
      Timestamp: time,
      SIGN: signatureOf(context, `${method}\n${path}\n${query}\n${bodyHash}\n${time}`),
      'Content-Type': 'application/json',
    },
    ...(body === undefined ? {} : { body: text }),
    weight: { [bucket]: 1 },
    read,
  };
}

const reader =
  <T, V>(schema: z.ZodType<T>, valueOf: (body: T) => V): Call<V>['read'] =>
  (reply) =>
    answerFrom(reply, schema, { refusalOf, valueOf });
const done = reader(z.unknown(), () => undefined);

/** A page of a list; the one after it is asked for while they come full. */
function pages<T, V>(
  schema: z.ZodType<T>,
  page: {
    readonly request: Omit<Request<unknown>, 'read'>;
    readonly valueOf: (body: T) => readonly V[];
    readonly isFull: (body: T) => boolean;
    /** The query of the next page. */
    readonly next: Parameters<typeof queryOf>[0];
  },
  further: (query: Parameters<typeof queryOf>[0], context: AccountContext) => Call<readonly V[]>,
): Request<readonly V[]> {
  return {
    ...page.request,
    read: (reply) => {
      const last = { isFull: false };
      const answer = answerFrom(reply, schema, {
        refusalOf,
        valueOf: (body) => {
          last.isFull = page.isFull(body);
          return page.valueOf(body);
        },
      });
      return answer.kind === 'ok' && last.isFull
        ? { ...answer, more: (context) => further({ ...page.request.query, ...page.next }, context) }
        : answer;
    },
  };
}

const PREFIX = 't-';
/** Orders placed elsewhere carry the name of the place instead. */
const clientIdOf = (text: string | null | undefined): string => (text?.startsWith(PREFIX) === true ? text : '');
const nameOf = (order: OrderRef): string => order.venueOrderId ?? `${PREFIX}${order.clientOrderId}`;

const sideText = z.enum(['buy', 'sell']);
/** Unix milliseconds, from seconds with or without a fraction. */
const secondsText = z
  .string()
  .nullish()
  .transform((text) => (text === undefined || text === null || text === '' ? NaN : Math.round(Number(text) * 1_000)));
/** Milliseconds, of which the fraction is left out. */
function wholeMs(...times: readonly number[]): number {
  const said = times.find((time) => time > 0);
  return said === undefined ? NaN : Math.floor(said);
}
const endedAs = (how: string, timeInForce: string): OrderState['status'] => {
  if (how === 'filled') return 'filled';
  const isPatient = timeInForce === 'gtc' || timeInForce === 'poc';
  return how === 'cancelled' && isPatient ? 'canceled' : (ENDED_AS[how] ?? (isPatient ? 'canceled' : 'expired'));
};
/** Ends that an order brought upon itself. What we do not know was somebody else's doing. */
const ENDED_AS: Readonly<Record<string, OrderState['status']>> = {
  ioc: 'expired',
  fok: 'expired',
  poc: 'expired',
  stp: 'expired',
  small: 'expired',
  depth_not_enough: 'expired',
  trader_not_enough: 'expired',
  reduce_only: 'expired',
};

const spotOrder = z
  .object({
    id: z.string().min(1),
    text: z.string().nullish(),
    currency_pair: z.string().min(1),
    side: sideText,
    type: z.string(),
    amount: decimalText,
    left: decimalText,
    price: decimalOrZero,
    time_in_force: z.string(),
    status: z.string().optional(),
    /** Of a push. */
    event: z.string().optional(),
    finish_as: z.string().nullish(),
    update_time: secondsText,
    update_time_ms: timeText,
  })
  .transform((order): OrderState => {
    const isOpen = order.status === undefined ? order.event !== 'finish' : order.status === 'open';
    const how = order.finish_as ?? (order.status === 'closed' ? 'filled' : 'cancelled');
    return {
      venueSymbol: order.currency_pair,
      clientOrderId: clientIdOf(order.text),
      venueOrderId: order.id,
      side: order.side,
      status: isOpen ? 'open' : endedAs(order.left.isZero() ? 'filled' : how, order.time_in_force),
      ...(order.type === 'market' || order.price.isZero() ? {} : { price: order.price }),
      qty: order.amount,
      filled: order.amount.minus(order.left),
      timeMs: wholeMs(order.update_time_ms, order.update_time),
    };
  });

/** A contract's size is negative where it sells. A market order's price is 0. */
const contractOrder = z
  .object({
    id: z.string().min(1),
    text: z.string().nullish(),
    contract: z.string().min(1),
    size: decimalText,
    left: decimalText,
    price: decimalOrZero,
    tif: z.string(),
    status: z.string(),
    finish_as: z.string().nullish(),
    finish_time: secondsText,
    finish_time_ms: timeText,
    update_time: secondsText,
    create_time: secondsText,
    create_time_ms: timeText,
  })
  .transform((order): OrderState => ({
    venueSymbol: order.contract,
    clientOrderId: clientIdOf(order.text),
    venueOrderId: order.id,
    side: sideOf(order.size.isNegative()),
    status: order.status === 'open' ? 'open' : endedAs(order.finish_as ?? '', order.tif),
    ...(order.price.isZero() ? {} : { price: order.price }),
    qty: order.size.abs(),
    filled: order.size.abs().minus(order.left.abs()),
    timeMs: wholeMs(
      order.finish_time_ms,
      order.finish_time,
      order.update_time,
      order.create_time_ms,
      order.create_time,
    ),
  }));

const sideOf = (isNegative: boolean): Side => (isNegative ? 'sell' : 'buy');

const spotFill = z
  .object({
    id: z.string().min(1),
    /** Left out where one pair was asked for. */
    currency_pair: z.string().optional(),
    order_id: z.string().min(1),
    text: z.string().nullish(),
    side: sideText,
    role: z.enum(['maker', 'taker']),
    amount: decimalText,
    price: decimalText,
    fee: decimalOrZero,
    fee_currency: z.string().nullish(),
    gt_fee: decimalOrZero,
    point_fee: decimalOrZero,
    create_time_ms: timeText,
  })
  .transform((fill): VenueFill => ({
    venueSymbol: fill.currency_pair ?? '',
    clientOrderId: clientIdOf(fill.text),
    venueOrderId: fill.order_id,
    tradeId: fill.id,
    side: fill.side,
    price: fill.price,
    qty: fill.amount,
    // One of the three is charged.
    ...(fill.gt_fee.isZero()
      ? fill.point_fee.isZero()
        ? { fee: fill.fee, feeAsset: fill.fee_currency ?? '' }
        : { fee: fill.point_fee, feeAsset: 'POINT' }
      : { fee: fill.gt_fee, feeAsset: 'GT' }),
    liquidity: fill.role,
    timeMs: Math.floor(fill.create_time_ms),
  }));

const contractFill = z
  .object({
    id: z.string().min(1).optional(),
    /** What a list by time calls it. */
    trade_id: z.string().min(1).optional(),
    contract: z.string().min(1),
    order_id: z.string().min(1),
    text: z.string().nullish(),
    size: decimalText,
    price: decimalText,
    role: z.enum(['maker', 'taker']),
    fee: decimalOrZero,
    point_fee: decimalOrZero,
    create_time: secondsText,
    create_time_ms: timeText,
  })
  .transform((fill, context): VenueFill => {
    const tradeId = fill.id ?? fill.trade_id;
    if (tradeId === undefined) {
      context.addIssue({ code: 'custom', message: 'a fill without its id' });
      return z.NEVER;
    }
    return {
      venueSymbol: fill.contract,
      clientOrderId: clientIdOf(fill.text),
      venueOrderId: fill.order_id,
      tradeId,
      side: sideOf(fill.size.isNegative()),
      price: fill.price,
      qty: fill.size.abs(),
      ...(fill.point_fee.isZero() ? { fee: fill.fee, feeAsset: 'USDT' } : { fee: fill.point_fee, feeAsset: 'POINT' }),
      liquidity: fill.role,
      timeMs: wholeMs(fill.create_time_ms, fill.create_time),
      ...forcedBy(fill.text ?? ''),
    };
  });

/** What the venue has sent by itself has a text of its own for it; ours and those of its pages never begin so. */
function forcedBy(text: string): Pick<VenueFill, 'forced'> {
  if (/^auto_deleverag/.test(text)) return { forced: 'adl' };
  return /^(liquidat|liq-|hedge-liq-|(pm|comb_margin|scm)_liquidate)/.test(text) ? { forced: 'liquidation' } : {};
}

const spotBalances = z.array(z.object({ currency: z.string().min(1), available: decimalText, locked: decimalText }));
const contractBalance = z.object({ currency: z.string().min(1), total: decimalText, available: decimalText });
const contractPositions = z.array(
  z.object({
    contract: z.string().min(1),
    size: decimalText,
    entry_price: decimalOrZero,
    mark_price: decimalOrZero,
    liq_price: decimalOrZero,
    leverage: decimalOrZero,
    cross_leverage_limit: decimalOrZero,
    /** 1 (next) to 5; 6 where nothing is held. */
    adl_ranking: decimalOrZero,
  }),
);
const userFee = z.object({ maker_fee: decimalText, taker_fee: decimalText });
const contractFees = z.record(z.string(), userFee);
const keys = z.array(
  z.object({
    key: z.string(),
    perms: z.array(z.object({ name: z.string(), read_only: z.boolean().nullish() })).nullish(),
  }),
);
const accountDetail = z.object({ user_id: z.string().min(1), key: z.object({ mode: z.string() }).nullish() });

const positionFrom = (entry: z.infer<typeof contractPositions>[number]): PositionState => ({
  venueSymbol: entry.contract,
  qty: entry.size,
  entryPrice: entry.entry_price,
  // Pushes leave them out.
  ...(entry.mark_price.isZero() ? {} : { markPrice: entry.mark_price }),
  ...(entry.liq_price.isZero() ? {} : { liquidationPrice: entry.liq_price }),
  // A cross position's own leverage is 0.
  leverage: entry.leverage.isZero() ? entry.cross_leverage_limit : entry.leverage,
  ...(entry.adl_ranking.isZero() ? {} : { adlRank: (6 - entry.adl_ranking.toNumber()) / 5 }),
});

/** What the two accounts' endpoints differ by. */
type Segment = {
  readonly id: 'spot' | 'usdt';
  /** Of channels and of socket requests. */
  readonly prefix: 'spot' | 'futures';
  readonly path: string;
  /** What an instrument is named by. */
  readonly symbolField: 'currency_pair' | 'contract';
  readonly orderFields: (order: OrderTicket, context: AccountContext) => Readonly<Record<string, unknown>>;
  /** What every order request says beside. */
  readonly scope: (context: AccountContext) => Readonly<Record<string, string>>;
  readonly order: z.ZodType<OrderState>;
  readonly fill: z.ZodType<VenueFill>;
};

/** Limit orders only; what a market order says instead is each segment's own. */
const tifOf = ({ timeInForce, postOnly }: OrderTicket): string => (postOnly ? 'poc' : timeInForce.toLowerCase());

/** A key of a unified account trades as that; every other as spot. */
const UNIFIED_MODE = '2';
const accountOf = ({ facts }: AccountContext): string => (facts['mode'] === UNIFIED_MODE ? 'unified' : 'spot');

const spotSegment: Segment = {
  id: 'spot',
  prefix: 'spot',
  path: '/spot',
  symbolField: 'currency_pair',
  orderFields: (order, context) => ({
    currency_pair: order.instrument.venueSymbol,
    type: order.type,
    account: accountOf(context),
    side: order.side,
    amount: order.qty,
    ...(order.type === 'limit' ? { price: order.price } : {}),
    time_in_force: tifOf(order),
    text: `${PREFIX}${order.clientOrderId}`,
  }),
  scope: (context) => ({ account: accountOf(context) }),
  order: spotOrder,
  fill: spotFill,
};

const usdtSegment: Segment = {
  id: 'usdt',
  prefix: 'futures',
  path: '/futures/usdt',
  symbolField: 'contract',
  orderFields: (order) => ({
    contract: order.instrument.venueSymbol,
    // Whole contracts, which a double holds exactly.
    size: Number(order.side === 'sell' ? `-${order.qty}` : order.qty),
    price: order.type === 'limit' ? order.price : '0',
    tif: tifOf(order),
    ...(order.reduceOnly ? { reduce_only: true } : {}),
    text: `${PREFIX}${order.clientOrderId}`,
  }),
  scope: () => ({}),
  order: contractOrder,
  fill: contractFill,
};

function refusesCommonly({ type, timeInForce, postOnly }: OrderTicket): string | undefined {
  if (postOnly && (type === 'market' || timeInForce !== 'GTC')) return 'only a GTC limit order can be post-only';
  if (type === 'market' && timeInForce !== 'IOC') return `a market order here is IOC, not ${timeInForce}`;
  return undefined;
}

function refusesOnSpot(order: OrderTicket): string | undefined {
  if (order.reduceOnly) return 'a spot order cannot only reduce';
  if (order.type === 'market' && order.side === 'buy') return 'a market order that buys is sized in quote here';
  return refusesCommonly(order);
}

const refusesOnUsdt = (order: OrderTicket): string | undefined =>
  /^\d{1,15}$/.test(order.qty) ? refusesCommonly(order) : 'contracts are traded whole';

const PAGE = 100;

/** One symbol can be named; several come with all of them. */
const onlyOf = (instruments: readonly Instrument[]): string | undefined =>
  instruments.length === 1 ? instruments[0]!.venueSymbol : undefined;
const symbolsOf = (instruments: readonly Instrument[]): ReadonlySet<string> =>
  new Set(instruments.map(({ venueSymbol }) => venueSymbol));

function openOrders(
  { path, symbolField, order }: Segment,
  instruments: readonly Instrument[],
  context: AccountContext,
): Call<readonly OrderState[]> {
  const asked = symbolsOf(instruments);
  const among = (orders: readonly OrderState[]): readonly OrderState[] =>
    orders.filter(({ venueSymbol }) => asked.has(venueSymbol));
  const groups = z.array(z.object({ total: z.string(), orders: z.array(order) }));
  const spotPage = (query: Parameters<typeof queryOf>[0], later: AccountContext): Call<readonly OrderState[]> => {
    const page = Number(query['page']);
    return signed(
      pages(
        groups,
        {
          request: { method: 'GET', path: `${path}/open_orders`, query },
          valueOf: (body) => among(body.flatMap((group) => group.orders)),
          isFull: (body) => body.some(({ total }) => Number(total) > page * PAGE),
          next: { page: page + 1 },
        },
        spotPage,
      ),
      later,
    );
  };
  const contractPage = (query: Parameters<typeof queryOf>[0], later: AccountContext): Call<readonly OrderState[]> =>
    signed(
      pages(
        z.array(order),
        {
          request: { method: 'GET', path: `${path}/orders`, query },
          valueOf: among,
          isFull: ({ length }) => length === PAGE,
          next: { offset: Number(query['offset'] ?? 0) + PAGE },
        },
        contractPage,
      ),
      later,
    );
  return symbolField === 'contract'
    ? contractPage({ contract: onlyOf(instruments), status: 'open', limit: PAGE }, context)
    : spotPage({ page: 1, limit: PAGE }, context);
}

function fillsSince(
  { path, symbolField, fill }: Segment,
  { instruments, sinceMs }: { readonly instruments: readonly Instrument[]; readonly sinceMs: number },
  context: AccountContext,
): Call<readonly VenueFill[]> {
  const asked = symbolsOf(instruments);
  const only = onlyOf(instruments);
  const isSpot = symbolField === 'currency_pair';
  const page = (query: Parameters<typeof queryOf>[0], later: AccountContext): Call<readonly VenueFill[]> =>
    signed(
      pages(
        z.array(fill),
        {
          request: { method: 'GET', path: `${path}/${isSpot ? 'my_trades' : 'my_trades_timerange'}`, query },
          valueOf: (fills) =>
            fills
              .map((each) => (each.venueSymbol === '' && only !== undefined ? { ...each, venueSymbol: only } : each))
              .filter(({ venueSymbol }) => asked.has(venueSymbol)),
          isFull: ({ length }) => length === PAGE,
          next: isSpot ? { page: Number(query['page'] ?? 1) + 1 } : { offset: Number(query['offset'] ?? 0) + PAGE },
        },
        page,
      ),
      later,
    );
  return page({ [symbolField]: only, from: Math.floor(sinceMs / 1_000), limit: PAGE }, context);
}

/**
 * By our name an order is found while it is open and for a minute after: then it stands in the list of ended ones alone.
 * @see https://www.gate.com/docs/developers/apiv4/en/#get-a-single-order-2
 */
function queried(segment: Segment, order: OrderRef, context: AccountContext): Call<OrderState> {
  const { path, symbolField, scope } = segment;
  const read = reader(segment.order, (state) => state);
  return signed(
    {
      method: 'GET',
      path: `${path}/orders/${nameOf(order)}`,
      query: { ...scope(context), [symbolField]: order.instrument.venueSymbol },
      read: (reply) => {
        const answer = read(reply);
        return answer.kind === 'refused' && answer.meaning === 'not-found' && order.venueOrderId === undefined
          ? { ...answer, elsewhere: (later) => endedOrder(segment, order, later) }
          : answer;
      },
    },
    context,
  );
}

/** Clocks differ: it may have been registered a little before we say that we sent it. */
const BEFORE_S = 60;

/** Page by page: what is not on the first of many has not been looked for. */
function endedOrder(segment: Segment, order: OrderRef, context: AccountContext, offset = 0): Call<OrderState> {
  const { path, symbolField, scope } = segment;
  const name = `${PREFIX}${order.clientOrderId}`;
  const isSpot = symbolField === 'currency_pair';
  const read = reader(z.array(segment.order), (orders) => ({
    found: orders.find(({ clientOrderId }) => clientOrderId === name),
    isFull: orders.length === PAGE,
  }));
  return signed(
    {
      method: 'GET',
      path: `${path}/${isSpot ? 'orders' : 'orders_timerange'}`,
      query: {
        ...scope(context),
        [symbolField]: order.instrument.venueSymbol,
        ...(isSpot ? { status: 'finished' } : {}),
        from: Math.floor(order.sentMs / 1_000) - BEFORE_S,
        limit: PAGE,
        ...(offset === 0 ? {} : isSpot ? { page: offset / PAGE + 1 } : { offset }),
      },
      read: (reply): Answer<OrderState> => {
        const answer = read(reply);
        if (answer.kind === 'refused') return refused(answer.meaning, answer.code, answer.text);
        const { found, isFull } = answer.value;
        if (found !== undefined) return ok(found);
        const missing = refused('not-found', 'ORDER_NOT_FOUND', 'not among the ended orders');
        return isFull
          ? { ...missing, elsewhere: (later) => endedOrder(segment, order, later, offset + PAGE) }
          : missing;
      },
    },
    context,
  );
}

const placedFrom = (order: OrderState): Placed => ({ venueOrderId: order.venueOrderId, order });

/** What both accounts do alike. */
function commonRest(
  segment: Segment,
): Pick<
  AccountRest,
  'place' | 'cancel' | 'cancelAll' | 'query' | 'openOrders' | 'fillsSince' | 'permissions' | 'time'
> {
  const { path, symbolField, scope } = segment;
  return {
    place: (order, context) =>
      signed(
        {
          method: 'POST',
          path: `${path}/orders`,
          body: segment.orderFields(order, context),
          bucket: 'orders',
          read: reader(segment.order, placedFrom),
        },
        context,
      ),
    cancel: (order, context) =>
      signed(
        {
          method: 'DELETE',
          path: `${path}/orders/${nameOf(order)}`,
          query: { ...scope(context), [symbolField]: order.instrument.venueSymbol },
          bucket: 'cancels',
          read: done,
        },
        context,
      ),
    cancelAll: (instruments, context) =>
      instruments.map(({ venueSymbol }) =>
        signed(
          {
            method: 'DELETE',
            path: `${path}/orders`,
            query: { ...scope(context), [symbolField]: venueSymbol },
            bucket: 'cancels',
            read: done,
          },
          context,
        ),
      ),
    query: (order, context) => queried(segment, order, context),
    openOrders: (instruments, context) => [openOrders(segment, instruments, context)],
    fillsSince: (instruments, sinceMs, context) => [fillsSince(segment, { instruments, sinceMs }, context)],
    permissions: (context) =>
      signed(
        {
          method: 'GET',
          path: '/account/main_keys',
          read: reader(keys, (list) => permissionsOf(list, { segment, apiKey: context.credentials.apiKey })),
        },
        context,
      ),
    time: {
      method: 'GET',
      path: '/api/v4/spot/time',
      headers: {},
      weight: { public: 1 },
      read: reader(z.object({ server_time: z.string() }), ({ server_time: ms }) => Number(ms)),
    },
  };
}

/** A key that the list does not have (a sub-account's) is not known to be safe. */
function permissionsOf(
  list: z.infer<typeof keys>,
  { segment, apiKey }: { readonly segment: Segment; readonly apiKey: string },
): KeyPermissions {
  const own = list.find(({ key }) => key === apiKey)?.perms;
  if (own === undefined || own === null) return { trade: true, withdraw: undefined };
  const may = new Set(own.filter((perm) => perm.read_only !== true).map(({ name }) => name));
  return { trade: may.has(segment.prefix), withdraw: may.has('withdraw') || may.has('withdrawal') };
}

const spotRest: AccountRest = {
  ...commonRest(spotSegment),
  balances: (context) =>
    signed(
      {
        method: 'GET',
        path: '/spot/accounts',
        read: reader(spotBalances, (list) =>
          list.map(({ currency, available, locked }): BalanceState => ({
            asset: currency,
            total: available.plus(locked),
            available,
          })),
        ),
      },
      context,
    ),
  fees: (_, context) => [
    signed(
      {
        method: 'GET',
        path: '/wallet/fee',
        read: reader(userFee, ({ maker_fee: maker, taker_fee: taker }): readonly FeeState[] => [
          { market: 'spot', maker, taker },
        ]),
      },
      context,
    ),
  ],
};

const usdtRest: AccountRest = {
  ...commonRest(usdtSegment),
  // The size is the whole order's, signed as it was. Of spot the documents do not say what an amount counts: it is not asked for.
  // @see https://www.gate.com/docs/developers/apiv4/en/#amend-single-order-2
  amend: (order, { price, qty }, context) =>
    signed(
      {
        method: 'PUT',
        path: `/futures/usdt/orders/${nameOf(order)}`,
        body: { size: Number(order.side === 'sell' ? `-${qty}` : qty), price },
        bucket: 'orders',
        read: reader(contractOrder, (state) => state),
      },
      context,
    ),
  balances: (context) =>
    signed(
      {
        method: 'GET',
        path: '/futures/usdt/accounts',
        read: reader(contractBalance, ({ currency, total, available }): readonly BalanceState[] => [
          { asset: currency, total, available },
        ]),
      },
      context,
    ),
  positions: (context) =>
    signed(
      {
        method: 'GET',
        path: '/futures/usdt/positions',
        query: { holding: true },
        read: reader(contractPositions, (list) => list.map(positionFrom)),
      },
      context,
    ),
  fees: (instruments, context) => [
    signed(
      {
        method: 'GET',
        path: '/futures/usdt/fee',
        read: reader(contractFees, (fees) =>
          instruments.flatMap(({ venueSymbol }): readonly FeeState[] => {
            const fee = Object.hasOwn(fees, venueSymbol) ? fees[venueSymbol] : undefined;
            return fee === undefined
              ? []
              : [{ venueSymbol, market: 'usdt', maker: fee.maker_fee, taker: fee.taker_fee }];
          }),
        ),
      },
      context,
    ),
  ],
};

/** Each has a countdown of its own: one for everything besides would run out while these are armed again. */
const deadManOf = ({ path: root, symbolField }: Segment): DeadMan => ({
  kind: 'timer',
  minMs: 5_000,
  maxMs: 86_400_000,
  arm: (timeoutMs, instruments, context) => {
    const timeout = Math.ceil(timeoutMs / 1_000);
    return instruments.map(({ venueSymbol }) => {
      const body = { timeout, [symbolField]: venueSymbol };
      const path = `${root}/countdown_cancel_all`;
      return signed({ method: 'POST', path, body, bucket: 'cancels', read: done }, context);
    });
  },
});

const socketFrame = z.object({
  channel: z.string().optional(),
  event: z.string().optional(),
  error: z.object({ code: z.string(), message: z.string().nullish() }).nullish(),
  result: z.unknown().optional(),
  request_id: z.string().optional(),
  ack: z.boolean().optional(),
  header: z.object({ status: z.string(), channel: z.string(), event: z.string() }).optional(),
  data: z.object({ result: z.unknown().optional(), errs: labelled.nullish() }).nullish(),
});

const LOGIN = 'login';

/** An answer to a request: the header says to which. */
function answerEvents(segment: Segment, frame: z.infer<typeof socketFrame>): readonly AccountEvent[] {
  const { header, data, ack, request_id: request } = frame;
  if (header === undefined) return [];
  const [, operation = ''] = header.channel.split('.');
  const errs = data?.errs;
  const refusal =
    errs === undefined || errs === null
      ? undefined
      : refusalFrom(Number(header.status), errs.label, errs.message ?? errs.detail ?? '');
  if (operation === LOGIN) return [refusal === undefined ? { kind: 'ready' } : { kind: 'error', refusal }];
  // Only that it was received: the result follows.
  if (ack === true && refusal === undefined) return [];
  const to = operation === 'order_place' ? 'place' : operation === 'order_cancel' ? 'cancel' : undefined;
  if (to === undefined) return refusal === undefined ? [] : [{ kind: 'error', refusal }];
  const order = segment.order.safeParse(data?.result);
  const answer: Answer<Placed> =
    refusal ??
    (order.success ? ok(placedFrom(order.data)) : refused('in-doubt', header.status, 'an answer without its order'));
  return [{ kind: 'answer', ...(request === undefined ? {} : { request }), to, answer }];
}

/** The message of a refused subscription is the REST refusal as text, or plain words. */
function subscriptionRefusal({
  code,
  message,
}: {
  readonly code: string;
  readonly message?: string | null | undefined;
}): Refusal {
  const words = message ?? '';
  const { success, data } = labelled.safeParse(jsonOf(words));
  return success ? refusalFrom(0, data.label, data.message ?? '') : refused('invalid-order', code, words);
}

const pushedBalances = z.array(z.object({ currency: z.string().min(1), total: decimalText, available: decimalText }));

/** Lists of what happened, by channel. Contracts' balance frames leave out what is available: the account is asked instead. */
function pushes({ order, fill }: Segment): Readonly<Record<string, (list: unknown) => readonly AccountEvent[]>> {
  return {
    orders: (list) => checked(z.array(order), list, 'gate orders').map((each) => ({ kind: 'order', order: each })),
    usertrades: (list) => checked(z.array(fill), list, 'gate fills').map((each) => ({ kind: 'fill', fill: each })),
    balances: (list) =>
      checked(pushedBalances, list, 'gate balances').map(({ currency, total, available }) => ({
        kind: 'balance',
        balance: { asset: currency, total, available },
      })),
    positions: (list) =>
      checked(contractPositions, list, 'gate positions').map((each) => ({
        kind: 'position',
        position: positionFrom(each),
      })),
  };
}

/** Orders out, and what becomes of them in, on one socket per account. */
function socketOf(segment: Segment, wsUrl: string): AccountSocket {
  const { prefix, symbolField, scope } = segment;
  const byChannel = pushes(segment);
  const channels = prefix === 'spot' ? ['orders', 'usertrades', 'balances'] : ['orders', 'usertrades', 'positions'];
  const requestFrame = (
    [operation, request]: readonly [string, string],
    parameters: Readonly<Record<string, unknown>>,
    context: AccountContext,
  ): string => {
    const [time, channel] = [secondsOf(context), `${prefix}.${operation}`];
    return JSON.stringify({
      time,
      channel,
      event: 'api',
      payload: {
        req_id: request,
        timestamp: String(time),
        api_key: context.credentials.apiKey,
        signature: signatureOf(context, `api\n${channel}\n${JSON.stringify(parameters)}\n${time}`),
        req_param: parameters,
      },
    });
  };
  return {
    id: segment.id,
    carries: ['events', 'orders'],
    wsUrl,
    login: (context) => [requestFrame([LOGIN, LOGIN], {}, context)],
    subscribe: (_, context) =>
      channels.map((name) => {
        const [time, channel, event] = [secondsOf(context), `${prefix}.${name}`, 'subscribe'];
        const sign = signatureOf(context, `channel=${channel}&event=${event}&time=${time}`);
        const auth = { method: 'api_key', KEY: context.credentials.apiKey, SIGN: sign };
        const payload = prefix === 'spot' ? ['!all'] : [context.facts['user'] ?? '', '!all'];
        return JSON.stringify({ time, channel, event, auth, ...(channel === 'spot.balances' ? {} : { payload }) });
      }),
    orders: {
      weight: { orders: 1 },
      place: (order, context, request) =>
        requestFrame(['order_place', request], segment.orderFields(order, context), context),
      cancel: (order, context, request) =>
        requestFrame(
          ['order_cancel', request],
          { order_id: nameOf(order), [symbolField]: order.instrument.venueSymbol, ...scope(context) },
          context,
        ),
    },
    heartbeat: {
      kind: 'client-text',
      text: (nowMs) => JSON.stringify({ time: Math.floor(nowMs / 1_000), channel: `${prefix}.ping` }),
      everyMs: 15_000,
    },
    idleMs: 30_000,
    decode: (bytes) => {
      const frame = checked(socketFrame, jsonOf(frameText(bytes)), 'gate private frame');
      if (frame.header !== undefined) return answerEvents(segment, frame);
      const [of, name = ''] = (frame.channel ?? '').split('.');
      if (frame.error !== undefined && frame.error !== null)
        return [{ kind: 'error', refusal: subscriptionRefusal(frame.error) }];
      if (name === 'pong') return [{ kind: 'pong' }];
      if (frame.event !== 'update' || of !== prefix || !channels.includes(name)) return [];
      return byChannel[name]!(frame.result);
    },
  };
}

/** Subscriptions of contracts name the user; a unified account is traded by its name. */
const prepare = (context: AccountContext): readonly Call<Readonly<Record<string, string>>>[] => [
  signed(
    {
      method: 'GET',
      path: '/account/detail',
      read: reader(accountDetail, ({ user_id: user, key }) => ({ user, mode: key?.mode ?? '' })),
    },
    context,
  ),
];

function accountFrom(
  segment: Segment,
  own: Pick<Account, 'refuses' | 'rest'> & { readonly wsUrl: string; readonly ordersPerSecond: number },
): Account {
  return {
    id: segment.id,
    markets: [segment.id],
    restUrl: 'https://api.gateio.ws',
    // At most 28 of letters, digits, `_`, `-` and `.` after the prefix: ours are.
    clientOrderId: (id) => `${PREFIX}${id}`,
    refuses: own.refuses,
    limits: {
      buckets: {
        orders: { units: own.ordersPerSecond, windowMs: 1_000 },
        cancels: { units: 200, windowMs: 1_000 },
        private: { units: 200, windowMs: 10_000 },
        public: { units: 200, windowMs: 10_000 },
      },
      // The headers do not name the limit; the orders' alone is unlike the others.
      used: ({ 'x-gate-ratelimit-limit': limit, 'x-gate-ratelimit-requests-remain': remain }) =>
        Number(limit) === own.ordersPerSecond && Number(remain) >= 0
          ? { orders: own.ordersPerSecond - Number(remain) }
          : NOTHING_USED,
    },
    prepare,
    rest: own.rest,
    sockets: [socketOf(segment, own.wsUrl)],
    deadMan: deadManOf(segment),
  };
}

const NOTHING_USED = {};

const spotAccount = accountFrom(spotSegment, {
  wsUrl: spot.wsUrl,
  refuses: refusesOnSpot,
  rest: spotRest,
  ordersPerSecond: 10,
});
const usdtAccount = accountFrom(usdtSegment, {
  wsUrl: usdt.wsUrl,
  refuses: refusesOnUsdt,
  rest: usdtRest,
  ordersPerSecond: 100,
});

/**
 * Books of 50 levels every 20 ms. The best quotes come on a channel of their own, hardly sooner, and nothing says that their ids are those of `obu`:
 * they are not used.
 * @see https://www.gate.com/announcements/article/45317 spot, https://www.gate.com/announcements/article/44946 futures
 */
export const gate: Venue = {
  id: GATE,
  markets: [spot, usdt],
  recorded: [spotUpdates],
  accounts: [spotAccount, usdtAccount],
};
