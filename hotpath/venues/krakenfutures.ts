import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { assert, BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Funding, Instrument } from '#shared/domain/instrument.ts';
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
  Meaning,
  OrderRef,
  OrderState,
  OrderTicket,
  Placed,
  PositionState,
  Refusal,
  VenueFill,
} from './venue-account.ts';
import {
  answerFrom,
  checked,
  decimalText,
  frameText,
  hash,
  hmac,
  jsonOf,
  ok,
  queryOf,
  refused,
  signedNumber,
} from './venue-tools.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, expiryOf, idOf, keyCode, venueId } from './venue.ts';

const KRAKEN_FUTURES = venueId('krakenfutures');
const REST_URL = 'https://futures.kraken.com';
const WS_URL = 'wss://futures.kraken.com/ws/v1';
/** The trading API. What is signed begins behind `/derivatives`. */
const API = '/derivatives/api/v3';

/** Multi-collateral contracts (`PF_`, `FF_`: linear, in base units) and inverse ones (`PI_`, `FI_`: in US dollars) share one socket. */
const futures: Market = {
  id: 'futures',
  wsUrl: WS_URL,
  restUrl: REST_URL,
  // Settlement costs what a taker pays: https://support.kraken.com/hc/en-us/articles/linear-multi-collateral-fixed-maturity-contract-specifications
  defaultFees: {
    maker: amountOf('0.0002'),
    taker: amountOf('0.0005'),
    currency: 'settle',
    delivery: amountOf('0.0005'),
  },
  instruments: { paths: [`${API}/instruments`], parse: parseInstruments },
  subscribe: (symbols) => requestsOf('subscribe', 'book', symbols),
  unsubscribe: (symbols) => requestsOf('unsubscribe', 'book', symbols),
  limits: { symbolsPerSocket: 100, messagesPerSecond: 20 },
  // Only a protocol ping keeps the socket open; a minute without one closes it.
  heartbeat: { kind: 'client-protocol-ping', everyMs: 20_000 },
  idleMs: 45_000,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity },
  streams: {
    kinds: ['trades', 'reference'],
    symbolsPerSocket: 100,
    subscribe: (kinds, symbols) =>
      kinds.flatMap((kind) => requestsOf('subscribe', kind === 'trades' ? 'trade' : 'ticker', symbols)),
  },
  poll: { path: (symbol) => `${API}/orderbook?symbol=${symbol}`, decode: decodeOrderBook },
  decode,
};

/** @see https://docs.kraken.com/exchange/api-reference/futures-websocket/book */
export const krakenfutures: Venue = {
  id: KRAKEN_FUTURES,
  markets: [futures],
  // Last in the file, made when it is asked for.
  get accounts() {
    return [account];
  },
};

function requestsOf(event: string, feed: string, symbols: readonly string[]): readonly string[] {
  return batchesOf(symbols, 50).map((batch) => JSON.stringify({ event, feed, product_ids: batch }));
}

/** 1. A snapshot brings its seq. 2. Each delta is one level, and its seq, counted by product, is the last one + 1. */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  return update.lastSequence === lastSequence + 1 ? 'apply' : 'gap';
}

const KEY = {
  feed: keyCode('feed'),
  event: keyCode('event'),
  product: keyCode('product_id'),
  side: keyCode('side'),
  sequence: keyCode('seq'),
  price: keyCode('price'),
  qty: keyCode('qty'),
  timestamp: keyCode('timestamp'),
  time: keyCode('time'),
  bids: keyCode('bids'),
  asks: keyCode('asks'),
  mark: keyCode('markPrice'),
  index: keyCode('index'),
  funding: keyCode('relative_funding_rate'),
  nextFunding: keyCode('next_funding_rate_time'),
  orderBook: keyCode('orderBook'),
} as const;
const BUY = bytesOf('buy');
const SELL = bytesOf('sell');
const REFUSALS = ['error', 'alert', 'subscribed_failed', 'unsubscribed_failed'].map(bytesOf);

const NO_FEED = 0;
const OTHER_FEED = 1;
const BOOK_DELTA = 2;
const BOOK_SNAPSHOT = 3;
const TRADE = 4;
const TICKER = 5;
type Feed =
  typeof NO_FEED | typeof OTHER_FEED | typeof BOOK_DELTA | typeof BOOK_SNAPSHOT | typeof TRADE | typeof TICKER;
const NAME_DELTA = bytesOf('book');
const NAME_SNAPSHOT = bytesOf('book_snapshot');
const NAME_TRADE = bytesOf('trade');
const NAME_TICKER = bytesOf('ticker');

const PRODUCT = 1;
const SEQUENCE = 2;
const SIDE = 4;
const PRICE = 8;
const QTY = 16;
const BIDS = 32;
const ASKS = 64;
const IS_BUY = 128;
const REFERENCE = 256;
const WHOLE_DELTA = PRODUCT | SEQUENCE | SIDE | PRICE | QTY;
const WHOLE_SNAPSHOT = PRODUCT | SEQUENCE | BIDS | ASKS;
const WHOLE_TRADE = PRODUCT | SIDE | PRICE | QTY;

/** The level of a delta or the terms of a trade, until the feed and the side are known. */
const level = new Float64Array(2);
const MARK = 0;
const INDEX = 1;
const FUNDING = 2;
const NEXT_FUNDING = 3;
const TIME = 4;
/** What a ticker says. */
const said = new Float64Array(5);

/**
 * Messages are flat: `{"feed":"book_snapshot"|"book"|"trade"|"ticker","product_id":…,…}`, the feed not always first; or `{"event":…}`, which may name the
 * feed that it is about. `trade_snapshot` is of before the subscription, and left.
 */
function decode(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  let seen = 0;
  let feed: Feed = NO_FEED;
  let instrument: InstrumentIndex | -1 = -1;
  said.fill(NaN);
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.event) {
      control(frame, sink);
      return;
    }
    if (key === KEY.feed) {
      frame.string();
      feed = feedOf(frame);
      if (feed === OTHER_FEED) return;
    } else if (key === KEY.product) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
      if (instrument === -1) return;
      seen |= PRODUCT;
    } else seen |= readField(frame, update, key);
  }
  if (feed === BOOK_DELTA) publishDelta(frame, sink, seen, instrument);
  else if (feed === BOOK_SNAPSHOT) publishSnapshot(frame, sink, seen, instrument);
  else if (feed === TRADE) publishTrade(frame, sink, seen, instrument);
  else if (feed === TICKER) publishReference(frame, sink, seen, instrument);
}

/** The feed that the text read last names. */
function feedOf(frame: Frame): Feed {
  if (frame.textIs(NAME_DELTA)) return BOOK_DELTA;
  if (frame.textIs(NAME_TICKER)) return TICKER;
  if (frame.textIs(NAME_TRADE)) return TRADE;
  return frame.textIs(NAME_SNAPSHOT) ? BOOK_SNAPSHOT : OTHER_FEED;
}

/** Reads the value under `key`; answers which field it was, 0 for none of ours. */
function readField(frame: Frame, update: MarketUpdate, key: number): number {
  switch (key) {
    case KEY.side:
      frame.string();
      if (frame.textIs(BUY)) return SIDE | IS_BUY;
      if (frame.textIs(SELL)) return SIDE;
      throw new BadInput(`krakenfutures: unknown side: ${frame.text().slice(0, 120)}`);
    case KEY.sequence:
      frame.integer();
      update.lastSequence = frame.value;
      return SEQUENCE;
    case KEY.price:
      frame.number(level, 0);
      return PRICE;
    case KEY.qty:
      frame.number(level, 1);
      return QTY;
    case KEY.timestamp:
      frame.integer();
      update.venueTimeMs = frame.value;
      return 0;
    case KEY.bids:
      frame.levelObjects(update.bids);
      return BIDS;
    case KEY.asks:
      frame.levelObjects(update.asks);
      return ASKS;
    case KEY.time:
      signedNumber(frame, said, TIME);
      return 0;
    case KEY.mark:
      return readSaid(frame, MARK);
    case KEY.index:
      return readSaid(frame, INDEX);
    case KEY.funding:
      return readSaid(frame, FUNDING);
    case KEY.nextFunding:
      return readSaid(frame, NEXT_FUNDING);
    default:
      frame.skip();
      return 0;
  }
}

function readSaid(frame: Frame, at: number): number {
  signedNumber(frame, said, at);
  return Number.isNaN(said[at]!) ? 0 : REFERENCE;
}

type Found = InstrumentIndex | -1;

function requireWhole(
  frame: Frame,
  seen: number,
  needed: number,
  instrument: Found,
): asserts instrument is InstrumentIndex {
  if (instrument === -1 || (seen & needed) !== needed) {
    throw new BadInput(`krakenfutures: fields are missing: ${frame.text().slice(0, 120)}`);
  }
  frame.finish();
}

function publishDelta(frame: Frame, sink: MarketSink, seen: number, instrument: Found): void {
  const { update } = sink;
  requireWhole(frame, seen, WHOLE_DELTA, instrument);
  update.kind = DELTA;
  update.instrument = instrument;
  placeLevel(frame, update, (seen & IS_BUY) !== 0);
  sink.publish();
}

function publishSnapshot(frame: Frame, sink: MarketSink, seen: number, instrument: Found): void {
  const { update } = sink;
  requireWhole(frame, seen, WHOLE_SNAPSHOT, instrument);
  update.kind = SNAPSHOT;
  update.instrument = instrument;
  sink.publish();
}

function publishTrade(frame: Frame, sink: MarketSink, seen: number, instrument: Found): void {
  const { print } = sink;
  requireWhole(frame, seen, WHOLE_TRADE, instrument);
  if (!(level[0]! > 0 && level[1]! > 0)) {
    throw new BadInput(`krakenfutures: not a trade: ${frame.text().slice(0, 120)}`);
  }
  print.instrument = instrument;
  print.price = level[0]!;
  print.qty = level[1]!;
  print.taker = (seen & IS_BUY) !== 0 ? 1 : -1;
  print.venueTimeMs = said[TIME]!;
  sink.publishPrint();
}

/** The relative rate is a fraction of the value for one hour, the other one an amount a contract. */
function publishReference(frame: Frame, sink: MarketSink, seen: number, instrument: Found): void {
  const { reference } = sink;
  requireWhole(frame, seen, PRODUCT, instrument);
  if ((seen & REFERENCE) === 0) return;
  sink.clearReference();
  reference.instrument = instrument;
  reference.venueTimeMs = said[TIME]!;
  reference.markPrice = said[MARK]!;
  reference.indexPrice = said[INDEX]!;
  reference.fundingRate = said[FUNDING]!;
  reference.nextFundingTimeMs = said[NEXT_FUNDING]!;
  sink.publishReference();
}

/**
 * `{"result":"success","orderBook":{"bids":[[price,qty],…],"asks":[…]},…}`, for watching only: it has no seq.
 * @see https://docs.kraken.com/api-reference/market-data/get-orderbook
 */
function decodeOrderBook(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
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
    if (key !== KEY.orderBook) {
      frame.skip();
      continue;
    }
    for (let side = frame.firstKey(); side !== END; side = frame.nextKey()) {
      if (side === KEY.bids) {
        frame.levels(update.bids);
        seen |= BIDS;
      } else if (side === KEY.asks) {
        frame.levels(update.asks);
        seen |= ASKS;
      } else frame.skip();
    }
  }
  frame.finish();
  if (seen !== (BIDS | ASKS)) throw new BadInput(`krakenfutures: not a book: ${frame.text().slice(0, 120)}`);
  sink.publish();
}

/** No checksum hashes these levels: their decimals are of no use. */
function placeLevel(frame: Frame, { bids, asks }: MarketUpdate, isBuy: boolean): void {
  const into = isBuy ? bids : asks;
  if (!(level[0]! > 0 && level[1]! >= 0)) {
    throw new BadInput(`krakenfutures: not a level: ${frame.text().slice(0, 120)}`);
  }
  into.prices[0] = level[0]!;
  into.qtys[0] = level[1]!;
  into.count = 1;
  (isBuy ? asks : bids).count = 0;
}

/** `{"event":"info"|"subscribed"|"unsubscribed"|"alert"|"error"|…}`. */
function control(frame: Frame, sink: MarketSink): void {
  frame.string();
  const isRefusal = REFUSALS.some((refusal) => frame.textIs(refusal));
  sink.control(isRefusal ? 'error' : 'ack', frame.text());
}

const listing = z.object({
  symbol: z.string().min(1),
  type: z.string(),
  base: z.string().optional(),
  quote: z.string().optional(),
  tickSize: z.number().optional(),
  contractSize: z.number().optional(),
  contractValueTradePrecision: z.int().optional(),
  lastTradingTime: z.string().optional(),
  tradeable: z.boolean(),
  postOnly: z.boolean().optional(),
});
type Listing = z.infer<typeof listing>;
const answer = z.object({ result: z.literal('success'), instruments: z.array(listing) });

function parseInstruments(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(answer, body, 'krakenfutures instruments').instruments.flatMap((entry) => instrumentFrom(entry, fees)),
  );
}

const RENAMED: Readonly<Record<string, string>> = { XBT: 'BTC', XDG: 'DOGE' };
const TYPES: Readonly<Record<string, 'linear' | 'inverse'>> = {
  flexible_futures: 'linear',
  futures_inverse: 'inverse',
};

/**
 * Paid by the hour; frames say the next time.
 * @see https://support.kraken.com/hc/en-us/articles/9618146737172-Perpetual-Contracts-Funding-Rate-Method
 */
const HOURLY: Funding = { intervalMs: 3_600_000 };

/** Empty for indices and for types that are no longer listed. A market that takes resting orders only is halted for us. */
function instrumentFrom(entry: Listing, fees: Fees): readonly Instrument[] {
  const { tickSize, contractSize, contractValueTradePrecision: precision } = entry;
  const type = TYPES[entry.type];
  const [base, quote] = [entry.base, entry.quote].map((code) => RENAMED[code ?? ''] ?? code);
  if (type === undefined || base === undefined || quote === undefined || precision === undefined) return [];
  if (!(Number(tickSize) > 0) || !(Number(contractSize) > 0)) return [];
  const expiry = expiryOf(Date.parse(entry.lastTradingTime ?? ''));
  if (expiry === undefined && entry.lastTradingTime !== undefined) return [];
  const settle = type === 'inverse' ? base : quote;
  const symbol = `${base}/${quote}:${settle}${expiry === undefined ? '' : `-${expiry.day}`}`;
  const lot = amountOf(10).pow(-precision);
  return [
    {
      id: idOf(KRAKEN_FUTURES, symbol),
      venue: KRAKEN_FUTURES,
      market: 'futures',
      symbol,
      venueSymbol: entry.symbol.toUpperCase(),
      kind: expiry === undefined ? 'perpetual' : 'future',
      base: asset(base),
      quote: asset(quote),
      settle: asset(settle),
      contractSize: decimalFrom(String(contractSize)),
      inverse: type === 'inverse',
      tick: decimalFrom(String(tickSize)),
      lot,
      minQty: lot,
      minNotional: amountOf(0),
      fees,
      ...(expiry === undefined ? { funding: HOURLY } : { expiryMs: expiry.ms }),
      status: entry.tradeable && entry.postOnly !== true ? 'trading' : 'halted',
    },
  ];
}

// The account: REST for orders (the venue takes none on its socket), and feeds that are subscribed by answering a challenge.

const assetOf = (code: string): string => RENAMED[code.toUpperCase()] ?? code.toUpperCase();

/**
 * Errors of requests (`error`) and what becomes of orders and cancels (`status`). On some markets whatever may take is held for some milliseconds first,
 * and answered after.
 * @see https://docs.kraken.com/api/docs/guides/futures-introduction , https://docs.kraken.com/exchange/guides/futures/maker-protection
 */
const ERRORS: Readonly<Record<string, Meaning>> = {
  accountInactive: 'not-allowed',
  apiLimitExceeded: 'rate-limited',
  authenticationError: 'unauthorised',
  'Bad Request': 'invalid-order',
  clientOrderIdAlreadyExist: 'duplicate-id',
  clientOrderIdInvalid: 'invalid-order',
  clientOrderIdTooBig: 'invalid-order',
  clientOrderIdTooLong: 'invalid-order',
  contractNotFound: 'invalid-order',
  filled: 'not-open',
  insufficientAvailableFunds: 'insufficient-funds',
  insufficientFunds: 'insufficient-funds',
  INSUFFICIENT_MARGIN: 'insufficient-funds',
  invalidAccount: 'invalid-order',
  invalidArgument: 'invalid-order',
  invalidOrderType: 'invalid-order',
  invalidPrice: 'invalid-order',
  invalidSide: 'invalid-order',
  invalidSize: 'invalid-order',
  iocWouldNotExecute: 'not-filled',
  'Json Parse Error': 'invalid-order',
  marketInactive: 'not-allowed',
  marketIsPostOnly: 'not-allowed',
  marketSuspended: 'not-allowed',
  marketUnavailable: 'not-allowed',
  maxPositionExceeded: 'not-allowed',
  maxPositionViolation: 'not-allowed',
  nonceBelowThreshold: 'clock-skew',
  nonceDuplicate: 'clock-skew',
  notFound: 'not-found',
  outsidePriceCollar: 'price-out-of-band',
  postWouldExecute: 'would-take',
  reduceOnlyWouldIncreasePosition: 'reduce-only',
  requiredArgumentMissing: 'invalid-order',
  selfFill: 'self-trade',
  'Server Error': 'in-doubt',
  tooManyOrders: 'not-allowed',
  tooManySmallOrders: 'not-allowed',
  Unavailable: 'in-doubt',
  unavailable: 'in-doubt',
  unknownError: 'in-doubt',
  wouldCauseLiquidation: 'insufficient-funds',
  wouldNotReducePosition: 'reduce-only',
  wouldProcessAfterSpecifiedTime: 'clock-skew',
  // The same of the matching engine, which the status and the history of an order repeat.
  CLIENT_ORDER_ID_IN_USE: 'duplicate-id',
  INVALID_PRICE: 'invalid-order',
  INVALID_QUANTITY: 'invalid-order',
  IOC_WOULD_NOT_EXECUTE: 'not-filled',
  MARKET_INACTIVE: 'not-allowed',
  MARKET_IS_POST_ONLY: 'not-allowed',
  MARKET_SUSPENDED: 'not-allowed',
  MAX_POSITION_EXCEEDED: 'not-allowed',
  POST_WOULD_EXECUTE: 'would-take',
  PRICE_COLLAR: 'price-out-of-band',
  PRICE_DISLOCATION: 'price-out-of-band',
  SMALL_ORDER_LIMIT_EXCEEDED: 'not-allowed',
  WOULD_CAUSE_LIQUIDATION: 'insufficient-funds',
  WOULD_EXECUTE_SELF: 'self-trade',
  WOULD_NOT_REDUCE_POSITION: 'reduce-only',
};

/** `invalidArgument: limitPrice` means what it means without its detail. */
function refusalFrom(text: string): Refusal {
  const [code = text] = text.split(':');
  return refused(Object.hasOwn(ERRORS, code) ? ERRORS[code]! : 'unlisted', code, text);
}

const failure = z.object({
  error: z.string().optional(),
  errors: z.array(z.object({ message: z.string() })).optional(),
});

function refusalIn(body: unknown): Refusal | undefined {
  const { error, errors } = failure.safeParse(body).data ?? {};
  const text = error ?? errors?.[0]?.message;
  return text === undefined ? undefined : refusalFrom(text);
}

/** Costs, of 500 in ten seconds; histories have a counter of their own. @see https://docs.kraken.com/api/docs/guides/futures-rate-limits */
const cost = (units: number) => ({ derivatives: units });

type Question<T, V> = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly form?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly weight: Readonly<Record<string, number>>;
  readonly body: z.ZodType<T>;
  readonly valueOf: (body: T) => Answer<V>;
};

/**
 * Authent = base64 of HMAC-SHA512, keyed by the decoded secret, over the SHA-256 of the parameters and the path. A nonce is not asked for, and none is sent:
 * requests may overtake each other.
 * @see https://docs.kraken.com/api/docs/guides/futures-rest
 */
function callOf<T, V>(question: Question<T, V>, { credentials }: AccountContext): Call<V> {
  const { method, path, form = {}, weight, body, valueOf } = question;
  const fields = queryOf(form);
  const signed = hash('sha256', fields + path.replace(/^[/]derivatives/, ''));
  return {
    method,
    path: fields === '' ? path : `${path}?${fields}`,
    headers: {
      APIKey: credentials.apiKey,
      Authent: hmac('sha512', Buffer.from(credentials.secret, 'base64'), signed, 'base64'),
      'Content-Type': 'application/x-www-form-urlencoded',
    },
    weight,
    read: (reply) => {
      const read = answerFrom(reply, body, { refusalOf: refusalIn, valueOf });
      if (read.kind === 'ok') return read.value;
      const { kind, meaning, code, text } = read;
      return { kind, meaning, code, text };
    },
  };
}

/** `2026-11-20T10:00:00.000Z` in Unix milliseconds. */
const time = z.string().transform((text) => Date.parse(text));
const side = z.enum(['buy', 'sell']);
const symbol = z.string().transform((text) => text.toUpperCase());

function orderTypeOf(order: OrderTicket): string {
  assert(refuses(order) === undefined, 'an order that the venue cannot express is never sent');
  if (order.type === 'market') return 'mkt';
  if (order.postOnly) return 'post';
  return order.timeInForce === 'IOC' ? 'ioc' : 'lmt';
}

const sent = z.object({
  sendStatus: z.object({
    status: z.string(),
    order_id: z.string().optional(),
    receivedTime: time.optional(),
    orderEvents: z.array(z.object({ type: z.string(), amount: decimalText.optional() })).optional(),
  }),
});

/** @see https://docs.kraken.com/api/docs/futures-api/trading/send-order */
function place(order: OrderTicket, context: AccountContext): Call<Placed> {
  const form = {
    symbol: order.instrument.venueSymbol,
    side: order.side,
    size: order.qty,
    cliOrdId: order.clientOrderId,
    reduceOnly: order.reduceOnly ? true : undefined,
    orderType: orderTypeOf(order),
    limitPrice: order.type === 'limit' ? order.price : undefined,
  };
  return callOf(
    {
      method: 'POST',
      path: `${API}/sendorder`,
      form,
      weight: cost(10),
      body: sent,
      valueOf: ({ sendStatus }) => placedOf(order, sendStatus),
    },
    context,
  );
}

const IDLE = 'iocWouldNotExecute';
const TAKEN: ReadonlySet<string> = new Set(['placed', 'partiallyFilled', 'filled', IDLE]);

/**
 * What executed at once is in the answer, without its fees: these come with the fills. An immediate order that found nothing is rejected in the venue's words;
 * to us it has ended by its terms, as the feed says too.
 */
function placedOf(order: OrderTicket, sendStatus: z.infer<typeof sent>['sendStatus']): Answer<Placed> {
  const { status, order_id: venueOrderId, receivedTime, orderEvents = [] } = sendStatus;
  // `filled` refuses a cancel, not an order.
  if (!TAKEN.has(status) || (status === IDLE && venueOrderId === undefined)) return refusalFrom(status);
  if (venueOrderId === undefined) return refused('in-doubt', status, 'an order was taken without an id');
  const executions = orderEvents.filter(({ type }) => type === 'EXECUTION');
  const filled = executions.reduce((sum, { amount }) => sum.plus(amount ?? 0), new Decimal(0));
  const qty = new Decimal(order.qty);
  const rests = order.type === 'limit' && order.timeInForce === 'GTC';
  const state: OrderState = {
    venueSymbol: order.instrument.venueSymbol,
    clientOrderId: order.clientOrderId,
    venueOrderId,
    side: order.side,
    status: filled.gte(qty) ? 'filled' : rests ? 'open' : 'expired',
    ...(order.type === 'limit' ? { price: new Decimal(order.price) } : {}),
    qty,
    filled,
    timeMs: receivedTime ?? NaN,
  };
  // Without its events the answer does not say how the order stands.
  return ok(orderEvents.length === 0 ? { venueOrderId } : { venueOrderId, order: state });
}

const cancelled = z.object({ cancelStatus: z.object({ status: z.string() }) });

const cancel = ({ venueOrderId, clientOrderId }: OrderRef, context: AccountContext): Call<unknown> =>
  callOf(
    {
      method: 'POST',
      path: `${API}/cancelorder`,
      form: venueOrderId === undefined ? { cliOrdId: clientOrderId } : { order_id: venueOrderId },
      weight: cost(10),
      body: cancelled,
      valueOf: ({ cancelStatus: { status } }) => (status === 'cancelled' ? ok(status) : refusalFrom(status)),
    },
    context,
  );

const cancelAll = (instruments: readonly Instrument[], context: AccountContext): readonly Call<unknown>[] =>
  instruments.map(({ venueSymbol }) =>
    callOf(
      {
        method: 'POST',
        path: `${API}/cancelallorders`,
        form: { symbol: venueSymbol },
        weight: cost(25),
        body: cancelled,
        valueOf: ({ cancelStatus: { status } }) =>
          status === 'cancelled' || status === 'noOrdersToCancel' ? ok(status) : refusalFrom(status),
      },
      context,
    ),
  );

const cachedOrders = z.object({
  orders: z
    .array(
      z.object({
        order: z.object({
          orderId: z.string(),
          cliOrdId: z.string().nullish(),
          symbol,
          side,
          quantity: decimalText,
          filled: decimalText,
          limitPrice: decimalText.nullish(),
          lastUpdateTimestamp: time,
        }),
        status: z.enum(['ENTERED_BOOK', 'FULLY_EXECUTED', 'CANCELLED', 'REJECTED']),
        updateReason: z.string().nullish(),
        error: z.string().nullish(),
      }),
    )
    .optional(),
});

type Ending = { readonly status: Exclude<OrderState['status'], 'open'>; readonly reason?: Meaning };

/** Reasons of the feeds, and of the histories, which write some of them in capitals. What they do not name was asked for by somebody. */
const ENDINGS: Readonly<Record<string, Ending>> = {
  contract_expired: { status: 'expired' },
  full_fill: { status: 'filled' },
  ioc_order_failed_because_it_would_not_be_executed: { status: 'expired', reason: 'not-filled' },
  market_inactive: { status: 'expired' },
  not_enough_margin: { status: 'expired', reason: 'insufficient-funds' },
  partial_fill: { status: 'expired' },
  post_order_failed_because_it_would_be_filled: { status: 'expired', reason: 'would-take' },
  post_order_failed_because_it_would_filled: { status: 'expired', reason: 'would-take' },
  would_execute_self: { status: 'expired', reason: 'self-trade' },
  would_not_reduce_position: { status: 'expired', reason: 'reduce-only' },
};

const endingOf = (reason: string | null | undefined): Ending =>
  ENDINGS[(reason ?? '').toLowerCase()] ?? { status: 'canceled' };

const notFound = (what: string): Refusal => refused('not-found', 'notFound', `no order ${what}`);

/**
 * Orders that are open, or were until five seconds ago; older ones stand in the history.
 * @see https://docs.kraken.com/api-reference/order-management/get-specific-orders-status
 */
function query(order: OrderRef, context: AccountContext): Call<OrderState> {
  const { venueOrderId, clientOrderId, sentMs } = order;
  return callOf(
    {
      method: 'POST',
      path: `${API}/orders/status`,
      form: venueOrderId === undefined ? { cliOrdIds: clientOrderId } : { orderIds: venueOrderId },
      weight: cost(1),
      body: cachedOrders,
      valueOf: ({ orders = [] }): Answer<OrderState> => {
        const [hit] = orders;
        if (hit !== undefined) return ok(cachedStateOf(hit));
        const elsewhere = (later: AccountContext) => historyCall(order, { since: sentMs - CLOCK_MARGIN_MS }, later);
        return { ...notFound(venueOrderId ?? clientOrderId), elsewhere };
      },
    },
    context,
  );
}

type CachedOrder = NonNullable<z.infer<typeof cachedOrders>['orders']>[number];

function cachedStateOf({ order, status, updateReason, error }: CachedOrder): OrderState {
  const ending: Readonly<Record<CachedOrder['status'], Ending | { readonly status: 'open' }>> = {
    ENTERED_BOOK: { status: 'open' },
    FULLY_EXECUTED: { status: 'filled' },
    CANCELLED: endingOf(updateReason),
    REJECTED: { status: 'rejected', reason: refusalFrom(error ?? updateReason ?? 'REJECTED').meaning },
  };
  return {
    venueSymbol: order.symbol,
    clientOrderId: order.cliOrdId ?? '',
    venueOrderId: order.orderId,
    side: order.side,
    ...ending[status],
    ...priced(order.limitPrice),
    qty: Decimal.max(order.quantity, order.filled),
    filled: order.filled,
    timeMs: order.lastUpdateTimestamp,
  };
}

const priced = (price: Decimal | null | undefined): { readonly price?: Decimal } =>
  price === undefined || price === null || price.isZero() ? {} : { price };

/** How far the venue's clock may be behind the one that stamped an order. */
const CLOCK_MARGIN_MS = 60_000;

const pastOrder = z.object({
  uid: z.string(),
  tradeable: symbol,
  direction: z.enum(['Buy', 'Sell']),
  /** What is left of it. */
  quantity: decimalText,
  filled: decimalText,
  limitPrice: decimalText.nullish(),
  orderType: z.string(),
  clientId: z.string().nullish(),
  lastUpdateTimestamp: z.string().transform(Number),
});
type PastOrder = z.infer<typeof pastOrder>;
const pastEvent = z.object({ order: pastOrder, reason: z.string().nullish(), orderError: z.string().nullish() });
const history = z.object({
  elements: z.array(
    z.object({
      event: z.object({
        OrderPlaced: pastEvent.optional(),
        OrderCancelled: pastEvent.optional(),
        OrderRejected: pastEvent.optional(),
        OrderUpdated: z.object({ newOrder: pastOrder, reason: z.string().nullish() }).optional(),
      }),
    }),
  ),
  continuationToken: z.string().nullish(),
});
type PastEvent = z.infer<typeof history>['elements'][number]['event'];

/** Newest first: the first event of an order says how it stands. @see https://docs.kraken.com/api-reference/account-history/get-order-events */
function historyCall(
  order: OrderRef,
  page: { readonly since: number; readonly continuation_token?: string },
  context: AccountContext,
): Call<OrderState> {
  return callOf(
    {
      method: 'GET',
      path: '/api/history/v3/orders',
      form: { sort: 'desc', ...page },
      weight: { history: 1 },
      body: history,
      valueOf: ({ elements, continuationToken }): Answer<OrderState> => {
        const { venueOrderId, clientOrderId } = order;
        const states = elements.flatMap(({ event }) => pastStateOf(event) ?? []);
        const hit = states.find((state) =>
          venueOrderId === undefined ? state.clientOrderId === clientOrderId : state.venueOrderId === venueOrderId,
        );
        if (hit !== undefined) return ok(hit);
        const missing = notFound(venueOrderId ?? clientOrderId);
        if (continuationToken === undefined || continuationToken === null || elements.length === 0) return missing;
        const next = { since: page.since, continuation_token: continuationToken };
        return { ...missing, elsewhere: (later) => historyCall(order, next, later) };
      },
    },
    context,
  );
}

function pastStateOf(event: PastEvent): OrderState | undefined {
  const { OrderPlaced: placed, OrderUpdated: updated, OrderCancelled: ended, OrderRejected: rejected } = event;
  if (rejected !== undefined) {
    const { meaning } = refusalFrom(rejected.orderError ?? rejected.reason ?? 'REJECTED');
    return stateOfPast(rejected.order, { status: 'rejected', reason: meaning });
  }
  if (ended !== undefined) return stateOfPast(ended.order, endingOf(ended.reason));
  const order = updated?.newOrder ?? placed?.order;
  if (order === undefined) return undefined;
  const rests = /^(limit|post)$/i.test(order.orderType);
  return stateOfPast(order, { status: order.quantity.isZero() ? 'filled' : rests ? 'open' : 'expired' });
}

const stateOfPast = (order: PastOrder, ending: Ending | { readonly status: 'open' }): OrderState => ({
  venueSymbol: order.tradeable,
  clientOrderId: order.clientId ?? '',
  venueOrderId: order.uid,
  side: order.direction === 'Buy' ? 'buy' : 'sell',
  ...ending,
  ...priced(order.limitPrice),
  qty: order.quantity.plus(order.filled),
  filled: order.filled,
  timeMs: order.lastUpdateTimestamp,
});

const openOrder = z.object({
  order_id: z.string(),
  cliOrdId: z.string().nullish(),
  cli_ord_id: z.string().nullish(),
  symbol,
  side,
  limitPrice: decimalText.nullish(),
  unfilledSize: decimalText.nullish(),
  filledSize: decimalText,
  lastUpdateTime: time,
});

/** All of the account; the venue cannot be asked for less. */
const openOrders = (instruments: readonly Instrument[], context: AccountContext): Call<readonly OrderState[]> =>
  callOf(
    {
      method: 'GET',
      path: `${API}/openorders`,
      weight: cost(2),
      body: z.object({ openOrders: z.array(openOrder) }),
      valueOf: (body) => ok(body.openOrders.filter(isOneOf(instruments)).map(openStateOf)),
    },
    context,
  );

const isOneOf =
  (instruments: readonly Instrument[]) =>
  (row: { readonly symbol: string }): boolean =>
    instruments.some(({ venueSymbol }) => venueSymbol === row.symbol);

const openStateOf = (order: z.infer<typeof openOrder>): OrderState => ({
  venueSymbol: order.symbol,
  clientOrderId: order.cliOrdId ?? order.cli_ord_id ?? '',
  venueOrderId: order.order_id,
  side: order.side,
  status: 'open',
  ...priced(order.limitPrice),
  qty: order.filledSize.plus(order.unfilledSize ?? 0),
  filled: order.filledSize,
  timeMs: order.lastUpdateTime,
});

const restFill = z.object({
  fill_id: z.string(),
  symbol,
  side,
  order_id: z.string(),
  cliOrdId: z.string().nullish(),
  cli_ord_id: z.string().nullish(),
  size: decimalText,
  price: decimalText,
  fillTime: time,
  fillType: z.string(),
  fee_paid: decimalText.nullish(),
  fee_currency: z.string().nullish(),
});

/** The hundred fills before a time, or the last hundred: followed back to `sinceMs`. */
function fillsCall(
  instruments: readonly Instrument[],
  sinceMs: number,
  before: number | undefined,
  context: AccountContext,
): Call<readonly VenueFill[]> {
  return callOf(
    {
      method: 'GET',
      path: `${API}/fills`,
      form: { lastFillTime: before === undefined ? undefined : new Date(before).toISOString() },
      weight: cost(before === undefined ? 2 : 25),
      body: z.object({ fills: z.array(restFill) }),
      valueOf: ({ fills }): Answer<readonly VenueFill[]> => {
        const value = fills
          .filter(isOneOf(instruments))
          .map(fillOf)
          .filter(({ timeMs }) => timeMs >= sinceMs);
        // One more than the oldest: fills of the same millisecond may be on either page.
        const oldest = Math.min(...fills.map(({ fillTime }) => fillTime)) + 1;
        const isLast = fills.length === 0 || oldest <= sinceMs || oldest >= (before ?? Infinity);
        if (isLast) return ok(value);
        return { kind: 'ok', value, more: (later) => fillsCall(instruments, sinceMs, oldest, later) };
      },
    },
    context,
  );
}

const fillOf = (fill: z.infer<typeof restFill>): VenueFill => ({
  venueSymbol: fill.symbol,
  clientOrderId: fill.cliOrdId ?? fill.cli_ord_id ?? '',
  venueOrderId: fill.order_id,
  tradeId: fill.fill_id,
  side: fill.side,
  price: fill.price,
  qty: fill.size,
  fee: fill.fee_paid ?? new Decimal(0),
  feeAsset: fill.fee_currency === undefined || fill.fee_currency === null ? '' : assetOf(fill.fee_currency),
  liquidity: fill.fillType === 'maker' ? 'maker' : 'taker',
  timeMs: fill.fillTime,
  ...forcedBy(fill.fillType),
});

/** A position that was closed for want of margin, assigned away, or unwound against one that was. */
function forcedBy(type: string): Pick<VenueFill, 'forced'> {
  if (type === 'unwindCounterparty') return { forced: 'adl' };
  return ['liquidation', 'assignor', 'unwindBankrupt'].includes(type) ? { forced: 'liquidation' } : {};
}

const flexCurrencies = z.record(z.string(), z.object({ quantity: decimalText, available: decimalText }));
const wallets = z.object({
  accounts: z.record(
    z.string(),
    z.object({
      type: z.string(),
      currencies: flexCurrencies.optional(),
      currency: z.string().optional(),
      balances: z.record(z.string(), decimalText).optional(),
      auxiliary: z.object({ af: decimalText }).optional(),
    }),
  ),
});

const flexBalances = (currencies: z.infer<typeof flexCurrencies>): readonly BalanceState[] =>
  Object.entries(currencies).map(([code, { quantity, available }]) => ({
    asset: assetOf(code),
    total: quantity,
    available,
  }));

/** The collateral of an inverse contract lies in a wallet of its own: `BTC:fi_xbtusd`, not to be taken for the common collateral. */
const balances = (context: AccountContext): Call<readonly BalanceState[]> =>
  callOf(
    {
      method: 'GET',
      path: `${API}/accounts`,
      weight: cost(2),
      body: wallets,
      valueOf: ({ accounts }) =>
        ok(
          Object.entries(accounts).flatMap(([name, { currencies, currency, balances: held = {}, auxiliary }]) => {
            if (currencies !== undefined) return flexBalances(currencies);
            if (currency === undefined || auxiliary === undefined) return [];
            const total = held[currency] ?? new Decimal(0);
            return [{ asset: `${assetOf(currency)}:${name}`, total, available: auxiliary.af }];
          }),
        ),
    },
    context,
  );

const openPosition = z.object({
  symbol,
  side: z.enum(['long', 'short']),
  size: decimalText,
  price: decimalText,
  maxFixedLeverage: decimalText.nullish(),
});

const positions = (context: AccountContext): Call<readonly PositionState[]> =>
  callOf(
    {
      method: 'GET',
      path: `${API}/openpositions`,
      weight: cost(2),
      body: z.object({ openPositions: z.array(openPosition) }),
      valueOf: (body) =>
        ok(
          body.openPositions.map((position) => ({
            venueSymbol: position.symbol,
            qty: position.side === 'long' ? position.size : position.size.neg(),
            entryPrice: position.price,
            ...(position.maxFixedLeverage === undefined || position.maxFixedLeverage === null
              ? {}
              : { leverage: position.maxFixedLeverage }),
          })),
        ),
    },
    context,
  );

function refuses(order: OrderTicket): string | undefined {
  if (order.timeInForce === 'FOK') return 'the venue has no fill-or-kill';
  if (order.postOnly && (order.type === 'market' || order.timeInForce === 'IOC')) {
    return 'post-only does not go with an order that must trade at once';
  }
  return undefined;
}

const PRIVATE_FEEDS = ['open_orders', 'fills', 'balances', 'open_positions'] as const;
const LAST_FEED = 'open_positions';

/** The challenge, hashed and signed as requests are. @see https://docs.kraken.com/exchange/guides/futures/websockets */
function prove(challenge: string, { credentials }: AccountContext): readonly string[] {
  const secret = Buffer.from(credentials.secret, 'base64');
  const signed = hmac('sha512', secret, hash('sha256', challenge), 'base64');
  const proof = { api_key: credentials.apiKey, original_challenge: challenge, signed_challenge: signed };
  return [
    // Something every second: silence means that the socket is dead.
    JSON.stringify({ event: 'subscribe', feed: 'heartbeat' }),
    ...PRIVATE_FEEDS.map((feed) => JSON.stringify({ event: 'subscribe', feed, ...proof })),
  ];
}

const feedOrder = z.object({
  instrument: symbol,
  last_update_time: z.string().transform(Number),
  /** What is left of it. */
  qty: decimalText,
  filled: decimalText,
  limit_price: decimalText.nullish(),
  order_id: z.string(),
  cli_ord_id: z.string().nullish(),
  direction: z.enum(['0', '1']),
});
const orderNews = z.object({
  order: feedOrder.optional(),
  order_id: z.string().optional(),
  cli_ord_id: z.string().nullish(),
  is_cancel: z.boolean(),
  reason: z.string().nullish(),
});

const stateOfFeed = (order: z.infer<typeof feedOrder>, ending: Ending | { readonly status: 'open' }): OrderState => ({
  venueSymbol: order.instrument,
  clientOrderId: order.cli_ord_id ?? '',
  venueOrderId: order.order_id,
  side: order.direction === '0' ? 'buy' : 'sell',
  ...ending,
  ...priced(order.limit_price),
  qty: order.qty.plus(order.filled),
  filled: order.filled,
  timeMs: order.last_update_time,
});

/** A new or changed order is told whole; of one that ended often no more than which it was. */
function eventsOfOrder({
  order,
  order_id: id,
  cli_ord_id: clientId,
  is_cancel: ends,
  reason,
}: z.infer<typeof orderNews>) {
  const ending = endingOf(reason);
  if (order !== undefined) {
    return [{ kind: 'order' as const, order: stateOfFeed(order, ends ? ending : { status: 'open' }) }];
  }
  if (!ends || id === undefined) throw new BadInput('krakenfutures: order news without an order');
  return [{ kind: 'ended' as const, venueOrderId: id, clientOrderId: clientId ?? '', timeMs: NaN, ...ending }];
}

const feedFill = z.object({
  instrument: symbol,
  time: z.string().transform(Number),
  price: decimalText,
  qty: decimalText,
  buy: z.boolean(),
  order_id: z.string(),
  cli_ord_id: z.string().nullish(),
  fill_id: z.string(),
  fill_type: z.string(),
  fee_paid: decimalText.nullish(),
  fee_currency: z.string().nullish(),
});

const fillOfFeed = (fill: z.infer<typeof feedFill>): VenueFill => ({
  venueSymbol: fill.instrument,
  clientOrderId: fill.cli_ord_id ?? '',
  venueOrderId: fill.order_id,
  tradeId: fill.fill_id,
  side: fill.buy ? 'buy' : 'sell',
  price: fill.price,
  qty: fill.qty,
  fee: fill.fee_paid ?? new Decimal(0),
  feeAsset: fill.fee_currency === undefined || fill.fee_currency === null ? '' : assetOf(fill.fee_currency),
  liquidity: fill.fill_type === 'maker' ? 'maker' : 'taker',
  timeMs: fill.time,
  ...forcedBy(fill.fill_type),
});

const feedBalances = z.object({
  flex_futures: z.object({ currencies: flexCurrencies.optional() }).optional(),
  futures: z
    .record(z.string(), z.object({ pair: z.string(), unit: z.string(), balance: decimalText, available: decimalText }))
    .optional(),
});

/** `XBT/USD` of the feed is the wallet `fi_xbtusd` of REST. */
function balancesOfFeed({ flex_futures: flex, futures: inverse = {} }: z.infer<typeof feedBalances>) {
  const margins = Object.values(inverse).map(({ pair, unit, balance, available }) => ({
    asset: `${assetOf(unit)}:fi_${pair.replace(/\W/g, '').toLowerCase()}`,
    total: balance,
    available,
  }));
  return [...flexBalances(flex?.currencies ?? {}), ...margins];
}

const feedPosition = z.object({
  instrument: symbol,
  balance: decimalText,
  entry_price: decimalText,
  mark_price: decimalText.nullish(),
  liquidation_threshold: decimalText.nullish(),
  effective_leverage: decimalText.nullish(),
});

/** A threshold of 0: no price liquidates it. */
const positionOfFeed = (position: z.infer<typeof feedPosition>): PositionState => ({
  venueSymbol: position.instrument,
  qty: position.balance,
  entryPrice: position.entry_price,
  ...(position.mark_price instanceof Decimal ? { markPrice: position.mark_price } : {}),
  ...(position.liquidation_threshold instanceof Decimal && !position.liquidation_threshold.isZero()
    ? { liquidationPrice: position.liquidation_threshold }
    : {}),
  ...(position.effective_leverage instanceof Decimal ? { leverage: position.effective_leverage } : {}),
});

const eventMessage = z.object({ event: z.string(), feed: z.string().optional(), message: z.string().optional() });

function eventsOfEvent(frame: unknown): readonly AccountEvent[] {
  const { event, feed, message = '' } = checked(eventMessage, frame, 'krakenfutures event');
  if (event === 'challenge') return [{ kind: 'challenge', text: message }];
  if (event === 'subscribed') return feed === LAST_FEED ? [{ kind: 'ready' }] : [];
  if (event !== 'error' && event !== 'alert' && event !== 'subscribed_failed') return [];
  const meaning = /auth|challenge|key/i.test(message) ? 'unauthorised' : 'unlisted';
  return [{ kind: 'error', refusal: refused(meaning, event, message) }];
}

const listOf = <T>(name: string, row: z.ZodType<T>, frame: unknown): readonly T[] =>
  checked(z.looseObject({ [name]: z.array(row) }), frame, `krakenfutures ${name}`)[name] as readonly T[];

function decodePrivate(bytes: Uint8Array): readonly AccountEvent[] {
  const frame = jsonOf(frameText(bytes));
  if (typeof frame !== 'object' || frame === null) {
    throw new BadInput(`krakenfutures: not a message: ${frameText(bytes).slice(0, 80)}`);
  }
  if ('event' in frame) return eventsOfEvent(frame);
  switch ('feed' in frame ? frame.feed : undefined) {
    case 'open_orders':
      return eventsOfOrder(checked(orderNews, frame, 'krakenfutures open_orders'));
    case 'open_orders_snapshot':
      return listOf('orders', feedOrder, frame).map((order) => ({
        kind: 'order',
        order: stateOfFeed(order, { status: 'open' }),
      }));
    case 'fills':
    case 'fills_snapshot':
      return listOf('fills', feedFill, frame).map((fill) => ({ kind: 'fill', fill: fillOfFeed(fill) }));
    case 'balances':
    case 'balances_snapshot':
      return balancesOfFeed(checked(feedBalances, frame, 'krakenfutures balances')).map((balance) => ({
        kind: 'balance',
        balance,
      }));
    case 'open_positions':
      return listOf('positions', feedPosition, frame).map((position) => ({
        kind: 'position',
        position: positionOfFeed(position),
      }));
    default:
      return [];
  }
}

const privateSocket: AccountSocket = {
  id: 'private',
  carries: ['events'],
  wsUrl: WS_URL,
  login: ({ credentials }) => [JSON.stringify({ event: 'challenge', api_key: credentials.apiKey })],
  prove,
  // The answer to the challenge is what subscribes.
  subscribe: () => [],
  heartbeat: { kind: 'client-protocol-ping', everyMs: 20_000 },
  idleMs: 15_000,
  decode: decodePrivate,
};

const account: Account = {
  id: 'futures',
  markets: ['futures'],
  restUrl: REST_URL,
  // Up to a hundred characters.
  clientOrderId: (id) => id,
  refuses,
  limits: {
    buckets: { derivatives: { units: 500, windowMs: 10_000 }, history: { units: 100, windowMs: 600_000 } },
  },
  rest: {
    place,
    cancel,
    cancelAll,
    query,
    openOrders: (instruments, context) => [openOrders(instruments, context)],
    fillsSince: (instruments, sinceMs, context) => [fillsCall(instruments, sinceMs, undefined, context)],
    balances,
    positions,
    /**
     * None: since 2026-06-22 the fee schedules of this API are not those charged, and the service that knows them takes only keys of the spot API.
     * @see https://docs.kraken.com/api-reference/fee-schedules/get-fee-schedules
     */
    fees: () => [],
    time: {
      method: 'GET',
      path: `${API}/instruments/PF_XBTUSD/status`,
      headers: {},
      weight: {},
      read: (reply) =>
        answerFrom(reply, z.object({ serverTime: time }), {
          refusalOf: refusalIn,
          valueOf: ({ serverTime }) => serverTime,
        }),
    },
  },
  sockets: [privateSocket],
  // Ends every order of the account, whatever its contract.
  deadMan: {
    kind: 'timer',
    minMs: 1_000,
    maxMs: 86_400_000,
    arm: (timeoutMs, _instruments, context) => [
      callOf(
        {
          method: 'POST',
          path: `${API}/cancelallordersafter`,
          form: { timeout: Math.ceil(timeoutMs / 1_000) },
          weight: cost(25),
          body: z.object({ status: z.object({ currentTime: z.string(), triggerTime: z.string().nullish() }) }),
          valueOf: ({ status }) => ok(status),
        },
        context,
      ),
    ],
  },
};
