import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
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
  Reply,
  VenueFill,
} from './venue-account.ts';
import {
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
  timeText,
} from './venue-tools.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, FOUND_NUMBERS, idOf, keyCode, shapeOf, venueId } from './venue.ts';

const BITGET = venueId('bitget');
const REST_URL = 'https://api.bitget.com';
const TOPICS_A_REQUEST = 50;

/**
 * Spot of the unified trading account (API generation 3).
 * @see https://www.bitget.com/api-doc/uta/websocket/public/Order-Book-Channel
 */
const spot: Market = {
  id: 'spot',
  wsUrl: 'wss://ws.bitget.com/v3/ws/public',
  restUrl: REST_URL,
  defaultFees: { maker: amountOf('0.001'), taker: amountOf('0.001'), currency: 'received' },
  instruments: { paths: ['/api/v3/market/instruments?category=SPOT'], parse: parseInstruments },
  subscribe: (symbols) => requestsOf('subscribe', 'books', symbols),
  unsubscribe: (symbols) => requestsOf('unsubscribe', 'books', symbols),
  limits: { symbolsPerSocket: 50, messagesPerSecond: 10 },
  heartbeat: { kind: 'client-text', text: 'ping', everyMs: 25_000 },
  idleMs: 60_000,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity },
  streams: {
    kinds: ['trades'],
    symbolsPerSocket: 50,
    subscribe: (kinds, symbols) => (kinds.includes('trades') ? requestsOf('subscribe', 'publicTrade', symbols) : []),
  },
  poll: { path: (symbol) => `/api/v3/market/orderbook?category=SPOT&symbol=${symbol}&limit=200`, decode: decodePoll },
  decode,
};

export const bitget: Venue = { id: BITGET, markets: [spot], accounts: [unified()] };

function requestsOf(op: string, topic: string, symbols: readonly string[]): readonly string[] {
  const args = symbols.map((symbol) => ({ instType: 'spot', topic, symbol }));
  return batchesOf(args, TOPICS_A_REQUEST).map((batch) => JSON.stringify({ op, args: batch }));
}

/** `pseq` is the `seq` of the frame before. */
function follows(
  { lastSequence }: Parameters<BookRules['follows']>[0],
  { previousSequence }: MarketUpdate,
): Continuity {
  return previousSequence === lastSequence ? 'apply' : 'gap';
}

const KEY = {
  event: keyCode('event'),
  action: keyCode('action'),
  arg: keyCode('arg'),
  topic: keyCode('topic'),
  symbol: keyCode('symbol'),
  data: keyCode('data'),
  asks: keyCode('a'),
  bids: keyCode('b'),
  sequence: keyCode('seq'),
  previous: keyCode('pseq'),
  time: keyCode('ts'),
  price: keyCode('p'),
  size: keyCode('v'),
  side: keyCode('S'),
  tradeTime: keyCode('T'),
} as const;
const BOOKS = bytesOf('books');
const TRADES = bytesOf('publicTrade');
const ACTION_SNAPSHOT = bytesOf('snapshot');
const ERROR = bytesOf('error');
const BUY = bytesOf('buy');
const SELL = bytesOf('sell');
const PONG = 'pong';
const LETTER_P = 0x70;
const QUOTE = 0x22;

const OTHER = 0;
const BOOK = 1;
const PRINTS = 2;
type Topic = typeof OTHER | typeof BOOK | typeof PRINTS;

/** A change as it usually comes. */
const UPDATE_SHAPE = shapeOf(
  '{"action":"update","arg":{"instType":"spot","topic":"books","symbol":"<text>"},"data":[{"a":<levels>,"b":<levels>' +
    '(,"checksum":<integer>),"pseq":"<sequence>","seq":"<sequence>","ts":"<integer>"}],"ts":<integer>}',
);

function decode(frame: Frame, sink: MarketSink): void {
  if (frame.has(UPDATE_SHAPE)) takeUpdate(frame, sink);
  else decodeAny(frame, sink);
}

function takeUpdate(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  frame.shapedText(0);
  const instrument = sink.find(frame, frame.textStart, frame.textEnd);
  if (instrument === -1) return;
  update.kind = DELTA;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.previousSequence = FOUND_NUMBERS[1]!;
  update.lastSequence = FOUND_NUMBERS[2]!;
  update.checksum = NaN;
  update.venueTimeMs = FOUND_NUMBERS[3]!;
  frame.shapedLevels(0, update.asks);
  frame.shapedLevels(1, update.bids);
  sink.publish();
}

/** `action`, `arg`, `data` and `ts`, in any order: `data` is read last. */
function decodeAny(frame: Frame, sink: MarketSink): void {
  if (frame.peek() === LETTER_P && frame.text() === PONG) {
    sink.control('pong', PONG);
    return;
  }
  let topic: Topic = OTHER;
  let kind: MarketUpdate['kind'] = DELTA;
  let dataAt = -1;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.event) {
      control(frame, sink);
      return;
    }
    if (key === KEY.arg) topic = readArg(frame, sink);
    else if (key === KEY.action) {
      frame.string();
      kind = frame.textIs(ACTION_SNAPSHOT) ? SNAPSHOT : DELTA;
    } else {
      if (key === KEY.data) {
        frame.peek();
        dataAt = frame.at;
      }
      frame.skip();
    }
  }
  if (topic === OTHER) return;
  frame.finish();
  if (dataAt < 0) throw new BadInput(`bitget: a frame without data: ${frame.text().slice(0, 120)}`);
  frame.at = dataAt;
  if (topic === PRINTS) readPrints(frame, sink);
  else {
    readBook(frame, sink.update, kind);
    sink.publish();
  }
}

/** OTHER for a topic that says nothing to us, and for an instrument that we do not follow. */
function readArg(frame: Frame, sink: MarketSink): Topic {
  let topic: Topic = OTHER;
  let instrument: ReturnType<MarketSink['find']> = -1;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.topic) {
      frame.string();
      topic = frame.textIs(BOOKS) ? BOOK : frame.textIs(TRADES) ? PRINTS : OTHER;
    } else if (key === KEY.symbol) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
    } else frame.skip();
  }
  if (instrument === -1) return OTHER;
  sink.update.instrument = instrument;
  return topic;
}

const ASKS = 1;
const BIDS = 2;
const SEQUENCE = 4;
const PREVIOUS = 8;
const WHOLE = ASKS | BIDS | SEQUENCE | PREVIOUS;

/** The array holds one book. */
function readBook(frame: Frame, update: MarketUpdate, kind: MarketUpdate['kind']): void {
  if (!frame.firstElement()) throw new BadInput('bitget: a book frame without a book');
  if (readLevels(frame, update, kind) !== WHOLE) {
    throw new BadInput(`bitget: fields are missing: ${frame.text().slice(0, 120)}`);
  }
}

/** Returns which fields were there. */
function readLevels(frame: Frame, update: MarketUpdate, kind: MarketUpdate['kind']): number {
  let seen = 0;
  update.kind = kind;
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.sequence) {
      update.lastSequence = sequence(frame);
      seen |= SEQUENCE;
    } else if (key === KEY.previous) {
      update.previousSequence = sequence(frame);
      seen |= PREVIOUS;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  return seen;
}

const numbers = new Float64Array(3);
/** So many decimal digits are exact in a double. */
const DIGITS = 15;

/** Sequences pass 2^53: their last 15 digits stand for them, which two neighbours never share. */
function sequence(frame: Frame): number {
  const quoted = frame.peek() === QUOTE;
  const from = frame.at;
  if (quoted) frame.string();
  else frame.skip();
  const [start, end] = quoted ? [frame.textStart, frame.textEnd] : [from, frame.at];
  frame.decimalAt(Math.max(start, end - DIGITS), end, numbers, 0);
  return numbers[0]!;
}

function readPrints(frame: Frame, sink: MarketSink): void {
  const { print, update } = sink;
  if (!frame.firstElement()) return;
  do {
    let side = 0;
    numbers.fill(NaN);
    for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
      if (key === KEY.price) frame.number(numbers, 0);
      else if (key === KEY.size) frame.number(numbers, 1);
      else if (key === KEY.tradeTime) frame.number(numbers, 2);
      else if (key === KEY.side) {
        frame.string();
        side = frame.textIs(BUY) ? 1 : frame.textIs(SELL) ? -1 : 0;
      } else frame.skip();
    }
    if (!(numbers[0]! > 0 && numbers[1]! > 0) || side === 0) {
      throw new BadInput(`bitget: not a trade: ${frame.text().slice(0, 120)}`);
    }
    print.instrument = update.instrument;
    print.price = numbers[0]!;
    print.qty = numbers[1]!;
    print.taker = side === 1 ? 1 : -1;
    print.venueTimeMs = numbers[2]!;
    sink.publishPrint();
  } while (frame.nextElement());
}

/** The REST book: `{"code":"00000","data":{"a":…,"b":…,"ts":…}}`. */
function decodePoll(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  let seen = 0;
  sink.update.instrument = instrument;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.data) seen = readLevels(frame, sink.update, SNAPSHOT);
    else frame.skip();
  }
  if ((seen & (ASKS | BIDS)) !== (ASKS | BIDS)) {
    throw new BadInput(`bitget: not a book: ${frame.text().slice(0, 120)}`);
  }
  frame.finish();
  sink.publish();
}

/** `{"event":"subscribe"|"unsubscribe"|"error",…}`. */
function control(frame: Frame, sink: MarketSink): void {
  frame.string();
  sink.control(frame.textIs(ERROR) ? 'error' : 'ack', frame.text());
}

const listing = z.object({
  symbol: z.string().min(1),
  baseCoin: z.string().min(1),
  quoteCoin: z.string().min(1),
  minOrderQty: z.string(),
  minOrderAmount: z.string(),
  pricePrecision: z.string().regex(/^\d{1,2}$/),
  quantityPrecision: z.string().regex(/^\d{1,2}$/),
  status: z.string(),
});
const listings = z.object({ code: z.literal('00000'), data: z.array(listing) });

function parseInstruments(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(listings, body, 'bitget instruments').data.map((entry) => instrumentFrom(entry, fees)),
  );
}

function instrumentFrom(entry: z.infer<typeof listing>, fees: Fees): Instrument {
  const symbol = `${entry.baseCoin}/${entry.quoteCoin}`;
  const gridOf = (decimals: string) => amountOf(10).pow(-Number(decimals));
  const lot = gridOf(entry.quantityPrecision);
  const minQty = decimalFrom(entry.minOrderQty);
  return {
    id: idOf(BITGET, symbol),
    venue: BITGET,
    market: 'spot',
    symbol,
    venueSymbol: entry.symbol,
    kind: 'spot',
    base: asset(entry.baseCoin),
    quote: asset(entry.quoteCoin),
    settle: asset(entry.quoteCoin),
    contractSize: amountOf(1),
    inverse: false,
    tick: gridOf(entry.pricePrecision),
    lot,
    minQty: minQty.gt(lot) ? minQty : lot,
    minNotional: decimalFrom(entry.minOrderAmount),
    fees,
    status: entry.status === 'online' ? 'trading' : 'halted',
  };
}

/** @see https://www.bitget.com/api-doc/uta/trade/Place-Order */
function unified(): Account {
  return {
    id: 'unified',
    markets: ['spot'],
    restUrl: REST_URL,
    clientOrderId: (id) => id,
    refuses,
    limits: {
      buckets: {
        orders: { units: 10, windowMs: 1_000 },
        reads: { units: 20, windowMs: 1_000 },
        deadMan: { units: 1, windowMs: 1_000 },
      },
    },
    rest: {
      place,
      cancel,
      cancelAll: (instruments, context) => instruments.map((instrument) => cancelSymbol(instrument, context)),
      query,
      openOrders: (instruments, context) => instruments.map((instrument) => openOrders(instrument, context, '')),
      fillsSince: (instruments, sinceMs, context) => [fills({ instruments, sinceMs }, context, '')],
      balances,
      fees: (instruments, context) => instruments.map((instrument) => feeOf(instrument, context)),
      permissions: (context) => ({
        ...get('/api/v3/account/info', {}, context),
        weight: { reads: 1 },
        read: (reply) =>
          dataOf(reply, z.object({ permType: z.string(), permissions: z.array(z.string()) }), (row) => ({
            trade: row.permType === 'read-and-write' && row.permissions.includes('uta_trade'),
            withdraw: row.permissions.includes('withdraw'),
          })),
      }),
      time: {
        method: 'GET',
        path: '/api/v2/public/time',
        headers: {},
        weight: { reads: 1 },
        read: (reply) => dataOf(reply, z.object({ serverTime: z.string() }), ({ serverTime }) => Number(serverTime)),
      },
    },
    sockets: [privateSocket()],
    deadMan: {
      kind: 'timer',
      minMs: 5_000,
      maxMs: 60_000,
      arm: (timeoutMs, _instruments, context) => [
        {
          ...post('/api/v3/trade/countdown-cancel-all', { countdown: String(Math.ceil(timeoutMs / 1_000)) }, context),
          weight: { deadMan: 1 },
          read: (reply) => dataOf(reply, z.unknown(), (data) => data ?? 'armed'),
        },
      ],
    },
  };
}

function refuses({ type, timeInForce, postOnly, reduceOnly, side }: OrderTicket): string | undefined {
  if (postOnly && (type === 'market' || timeInForce !== 'GTC')) return 'a post-only order is a limit order that rests';
  if (type === 'market' && timeInForce === 'FOK') return 'a market order cannot be fill-or-kill';
  if (type === 'market' && side === 'buy') return 'a market order to buy is counted in the quote';
  if (reduceOnly) return 'spot has no reduce-only orders';
  return undefined;
}

/** The base64 HMAC-SHA256 of time, method, path with query, and body. */
function signed(method: 'GET' | 'POST', path: string, { credentials, nowMs }: AccountContext, body = '') {
  const timestamp = String(nowMs);
  return {
    method,
    path,
    headers: {
      'ACCESS-KEY': credentials.apiKey,
      'ACCESS-SIGN': hmac('sha256', credentials.secret, timestamp + method + path + body, 'base64'),
      'ACCESS-TIMESTAMP': timestamp,
      'ACCESS-PASSPHRASE': credentials.passphrase ?? '',
      'Content-Type': 'application/json',
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

/** @see https://www.bitget.com/api-doc/uta/error-code/restapi */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '429': 'rate-limited',
  '40004': 'clock-skew',
  '40005': 'clock-skew',
  '40008': 'clock-skew',
  '40006': 'unauthorised',
  '40009': 'unauthorised',
  '40012': 'unauthorised',
  '40014': 'unauthorised',
  '40018': 'unauthorised',
  '40037': 'unauthorised',
  '40015': 'in-doubt',
  '40017': 'invalid-order',
  '400172': 'invalid-order',
  '40020': 'invalid-order',
  '40200': 'venue-down',
  '40604': 'in-doubt',
  '40762': 'insufficient-funds',
  '40768': 'not-found',
  '40808': 'invalid-order',
  '40109': 'not-found',
  '41103': 'invalid-order',
  '41114': 'venue-down',
  '41117': 'price-out-of-band',
  '43001': 'not-found',
  '43012': 'insufficient-funds',
  '25204': 'not-found',
  '25206': 'insufficient-funds',
  '25207': 'duplicate-id',
  '45110': 'below-minimum',
};

const envelope = z.object({ code: z.string(), msg: z.string().default('') });

const refusalOf = (body: unknown): ReturnType<typeof refused> | undefined => {
  const read = envelope.safeParse(body);
  if (!read.success || read.data.code === '00000' || read.data.code === '0') return undefined;
  return refused(meaningOf(MEANINGS, read.data.code), read.data.code, read.data.msg);
};

const dataOf = <T, V>(reply: Reply, data: z.ZodType<T>, valueOf: (data: T) => V): Answer<V> =>
  answerFrom(reply, z.object({ data }), { refusalOf, valueOf: (body) => valueOf(body.data) });

const orderFields = ({ instrument, side, type, price, qty, ...order }: OrderTicket) => ({
  symbol: instrument.venueSymbol,
  side,
  orderType: type,
  qty,
  ...(type === 'market' ? {} : { price, timeInForce: order.postOnly ? 'post_only' : order.timeInForce.toLowerCase() }),
  clientOid: order.clientOrderId,
});

const nameOf = ({ venueOrderId, clientOrderId }: OrderRef) =>
  venueOrderId === undefined ? { clientOid: clientOrderId } : { orderId: venueOrderId };

const ack = z.object({ orderId: z.string().min(1) });
const placedFrom = ({ orderId }: z.infer<typeof ack>): Placed => ({ venueOrderId: orderId });

function place(order: OrderTicket, context: AccountContext): Call<Placed> {
  return {
    ...post('/api/v3/trade/place-order', { category: 'SPOT', ...orderFields(order) }, context),
    weight: { orders: 1 },
    read: (reply) => dataOf(reply, ack, placedFrom),
  };
}

function cancel(order: OrderRef, context: AccountContext): Call<unknown> {
  return {
    ...post('/api/v3/trade/cancel-order', { category: 'SPOT', ...nameOf(order) }, context),
    weight: { orders: 1 },
    read: (reply) => dataOf(reply, ack, placedFrom),
  };
}

const cancelSymbol = ({ venueSymbol }: Instrument, context: AccountContext): Call<unknown> => ({
  ...post('/api/v3/trade/cancel-symbol-order', { category: 'SPOT', symbol: venueSymbol }, context),
  weight: { orders: 1 },
  read: (reply) => dataOf(reply, z.object({ list: z.array(z.unknown()).nullish() }), ({ list }) => list ?? []),
});

const feeDetail = z.array(z.object({ feeCoin: z.string(), fee: decimalOrZero })).nullish();

/** How an order stands, by REST and on the `order` topic. */
const orderRow = z.object({
  category: z.string().transform((text) => text.toLowerCase()),
  symbol: z.string(),
  orderId: z.string().min(1),
  clientOid: z.string().default(''),
  side: z.enum(['buy', 'sell']),
  price: z.string().nullish(),
  qty: decimalOrZero,
  cumExecQty: decimalOrZero,
  timeInForce: z.string().default('gtc'),
  orderStatus: z.enum(['live', 'new', 'partially_filled', 'filled', 'cancelled', 'canceled']),
  updatedTime: timeText,
});

/** Orders that never rest are ended by their own terms. */
function orderFrom(row: z.infer<typeof orderRow>): OrderState {
  const ended = row.orderStatus.startsWith('cancel');
  const status = row.orderStatus === 'filled' ? 'filled' : ended ? 'canceled' : 'open';
  return {
    venueSymbol: row.symbol,
    clientOrderId: row.clientOid,
    venueOrderId: row.orderId,
    side: row.side,
    status: status === 'canceled' && (row.timeInForce === 'ioc' || row.timeInForce === 'fok') ? 'expired' : status,
    ...(Number(row.price ?? 0) > 0 ? { price: decimalFrom(row.price!) } : {}),
    qty: row.qty,
    filled: row.cumExecQty,
    timeMs: row.updatedTime,
  };
}

function query(order: OrderRef, context: AccountContext): Call<OrderState> {
  return {
    ...get('/api/v3/trade/order-info', nameOf(order), context),
    weight: { reads: 1 },
    read: (reply) => dataOf(reply, orderRow, orderFrom),
  };
}

const PAGE = 100;
/** A page of a list, and where the next one starts. */
const page = <T>(row: z.ZodType<T>) => z.object({ list: z.array(row).nullish(), cursor: z.string().nullish() });

function openOrders(instrument: Instrument, context: AccountContext, cursor: string): Call<readonly OrderState[]> {
  const fields = {
    category: 'SPOT',
    symbol: instrument.venueSymbol,
    limit: PAGE,
    cursor: cursor === '' ? undefined : cursor,
  };
  return {
    ...get('/api/v3/trade/unfilled-orders', fields, context),
    weight: { reads: 1 },
    read: (reply) =>
      pageOf(reply, orderRow, { rowOf: orderFrom, next: (later, at) => openOrders(instrument, later, at) }),
  };
}

/** Reads a page; a full one has another behind it. */
function pageOf<T, V>(
  reply: Reply,
  row: z.ZodType<T>,
  {
    rowOf,
    next,
  }: { readonly rowOf: (row: T) => V; readonly next: (context: AccountContext, cursor: string) => Call<readonly V[]> },
): Answer<readonly V[]> {
  const answer = dataOf(reply, page(row), ({ list, cursor }) => ({ rows: list ?? [], cursor: cursor ?? '' }));
  if (answer.kind !== 'ok') return refused(answer.meaning, answer.code, answer.text);
  const { rows, cursor } = answer.value;
  const more = (context: AccountContext): Call<readonly V[]> => next(context, cursor);
  return { ...ok(rows.map(rowOf)), ...(rows.length < PAGE || cursor === '' ? {} : { more }) };
}

/** A fill, by REST and on the `fill` topic. What is paid stands as a positive fee. */
const fillRow = z.object({
  symbol: z.string(),
  orderId: z.string(),
  clientOid: z.string().default(''),
  execId: z.string(),
  side: z.enum(['buy', 'sell']),
  execPrice: decimalText,
  execQty: decimalText,
  tradeScope: z.string().default('taker'),
  feeDetail,
  createdTime: timeText,
  execTime: timeText,
});

const fillFrom = (row: z.infer<typeof fillRow>): VenueFill => ({
  venueSymbol: row.symbol,
  clientOrderId: row.clientOid,
  venueOrderId: row.orderId,
  tradeId: row.execId,
  side: row.side,
  price: row.execPrice,
  qty: row.execQty,
  fee: row.feeDetail?.[0]?.fee ?? amountOf(0),
  feeAsset: row.feeDetail?.[0]?.feeCoin ?? '',
  liquidity: row.tradeScope === 'maker' ? 'maker' : 'taker',
  timeMs: Number.isNaN(row.execTime) ? row.createdTime : row.execTime,
});

type FillsQuery = { readonly instruments: readonly Instrument[]; readonly sinceMs: number };

function fills(wanted: FillsQuery, context: AccountContext, cursor: string): Call<readonly VenueFill[]> {
  const fields = {
    category: 'SPOT',
    startTime: Math.floor(wanted.sinceMs),
    limit: PAGE,
    cursor: cursor === '' ? undefined : cursor,
  };
  return {
    ...get('/api/v3/trade/fills', fields, context),
    weight: { reads: 1 },
    read: (reply) => {
      const answer = pageOf(reply, fillRow, { rowOf: fillFrom, next: (later, at) => fills(wanted, later, at) });
      if (answer.kind !== 'ok') return answer;
      const isWanted = ({ venueSymbol }: VenueFill): boolean =>
        wanted.instruments.some((each) => each.venueSymbol === venueSymbol);
      return { ...answer, value: answer.value.filter(isWanted) };
    },
  };
}

const balanceRow = z.object({ coin: z.string().min(1), balance: decimalOrZero, available: decimalOrZero });
const balanceFrom = ({ coin, balance, available }: z.infer<typeof balanceRow>): BalanceState => ({
  asset: coin,
  total: balance,
  available,
});

function balances(context: AccountContext): Call<readonly BalanceState[]> {
  return {
    ...get('/api/v3/account/assets', {}, context),
    weight: { reads: 1 },
    read: (reply) => dataOf(reply, z.object({ assets: z.array(balanceRow) }), ({ assets }) => assets.map(balanceFrom)),
  };
}

const feeOf = (instrument: Instrument, context: AccountContext) => ({
  ...get('/api/v3/account/fee-rate', { category: 'SPOT', symbol: instrument.venueSymbol }, context),
  weight: { reads: 7 },
  read: (reply: Reply) =>
    dataOf(reply, z.object({ makerFeeRate: decimalText, takerFeeRate: decimalText }), (rates) => [
      { venueSymbol: instrument.venueSymbol, market: 'spot', maker: rates.makerFeeRate, taker: rates.takerFeeRate },
    ]),
});

/** @see https://www.bitget.com/api-doc/uta/websocket/private/Order-Channel */
function privateSocket(): AccountSocket {
  return {
    id: 'private',
    carries: ['events', 'orders'],
    wsUrl: 'wss://ws.bitget.com/v3/ws/private',
    login: ({ credentials, nowMs }) => {
      const timestamp = String(Math.floor(nowMs / 1_000));
      const sign = hmac('sha256', credentials.secret, `${timestamp}GET/user/verify`, 'base64');
      const { apiKey, passphrase = '' } = credentials;
      return [JSON.stringify({ op: 'login', args: [{ apiKey, passphrase, timestamp, sign }] })];
    },
    subscribe: () => [
      JSON.stringify({
        op: 'subscribe',
        args: ['order', 'fill', 'account'].map((topic) => ({ instType: 'UTA', topic })),
      }),
    ],
    orders: {
      weight: { orders: 1 },
      place: (order, _context, request) => trade('place-order', request, orderFields(order)),
      cancel: (order, _context, request) => trade('cancel-order', request, nameOf(order)),
    },
    heartbeat: { kind: 'client-text', text: () => 'ping', everyMs: 25_000 },
    idleMs: 60_000,
    decode: decodePrivate,
  };
}

const trade = (topic: string, id: string, fields: object): string =>
  JSON.stringify({ op: 'trade', id, category: 'spot', topic, args: [fields] });

const privateFrame = z.object({
  event: z.string().optional(),
  id: z.string().optional(),
  topic: z.string().optional(),
  code: z.string().optional(),
  msg: z.string().default(''),
  arg: z.object({ topic: z.string() }).optional(),
  args: z.array(z.unknown()).optional(),
  data: z.array(z.unknown()).optional(),
});

function decodePrivate(bytes: Uint8Array): readonly AccountEvent[] {
  const text = frameText(bytes);
  if (text === PONG) return [{ kind: 'pong' }];
  const parsed = privateFrame.safeParse(jsonOf(text));
  if (!parsed.success) return [];
  const { event, id, topic, code = '', msg, arg, args, data } = parsed.data;
  const refusal =
    code === '' || code === '0' || code === '00000' ? undefined : refused(meaningOf(MEANINGS, code), code, msg);
  if (event === 'login') return refusal === undefined ? [{ kind: 'ready' }] : [{ kind: 'error', refusal }];
  if (id !== undefined && (event === 'trade' || event === 'error')) {
    const to = topic === 'place-order' ? 'place' : topic === 'cancel-order' ? 'cancel' : 'unsaid';
    const answer = refusal ?? ok(placedFrom(checked(ack, args?.[0], 'bitget: an acknowledgement')));
    return [{ kind: 'answer', request: id, to, answer }];
  }
  if (event === 'error' && refusal !== undefined) return [{ kind: 'error', refusal }];
  return (data ?? []).flatMap((row) => eventsOf(arg?.topic ?? '', row));
}

function eventsOf(topic: string, row: unknown): readonly AccountEvent[] {
  switch (topic) {
    case 'order': {
      const read = checked(orderRow, row, 'bitget: an order');
      return read.category === 'spot' ? [{ kind: 'order', order: orderFrom(read) }] : [];
    }
    case 'fill':
      return [{ kind: 'fill', fill: fillFrom(checked(fillRow, row, 'bitget: a fill')) }];
    case 'account': {
      const { coin } = checked(z.object({ coin: z.array(balanceRow) }), row, 'bitget: an account');
      return coin.map((each) => ({ kind: 'balance', balance: balanceFrom(each) }));
    }
    default:
      return [];
  }
}
