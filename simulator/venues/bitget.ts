import type { Timer } from '#shared/clock/clock.ts';
import type { Account } from '../accounts.ts';
import { DepthView, flatLevels } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, OrderDraft, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { trimmedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { priceOf, qtyOf, spotListings, valueOf } from '../listings.ts';
import type { MatchingEngine } from '../matching-engine.ts';
import type {
  Client,
  Connection,
  DialectOptions,
  HttpReply,
  HttpRequest,
  SimulatedVenue,
  VenueDialect,
} from './venue-dialect.ts';
import {
  deliver,
  fieldsOf,
  fieldsOfJson,
  hmacSha256,
  jsonReply,
  listOf,
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
} from './venue-dialect.ts';

/**
 * Bitget, unified account: REST below `/api/v3`, sockets at `/v3/ws/public` and `/v3/ws/private`.
 * @see https://www.bitget.com/api-doc/uta/intro
 */
export const simulated: SimulatedVenue = {
  venue: 'bitget',
  hosts: { 'api.bitget.com': '', 'ws.bitget.com': '' },
  listings: spotListings({
    venue: 'bitget',
    fees: ['0.001', '0.001'],
    postOnly: 'ended',
    spell: (base, quote) => `${base}${quote}`,
    priceDecimals: { 'BTC/USDT': 2, 'BTC/USDC': 2 },
    lotDecimals: 6,
    minNotional: { USDT: '1', USDC: '1' },
  }),
  dialect: (options) => new Bitget(options),
};

type Fields = ReadonlyMap<string, string>;
type Operation = {
  readonly signed: boolean;
  readonly acknowledges?: true;
  readonly run: (fields: Fields, account: Account) => unknown;
};
type Topic = 'books' | 'publicTrade';
type Socket = {
  readonly client: Client;
  readonly topics: Map<string, readonly [feed: BitgetFeed, topic: Topic]>;
  readonly privateTopics: Set<string>;
  account: Account | undefined;
};

const ORDERS_A_SECOND = 10;
const FILLS_A_PAGE = 100;
const WINDOW_MS = 30_000;
const DEPTH = 500;
/** Beyond 2^53, as the venue's are. */
const FIRST_SEQUENCE = 1_343_064_377_000_000_000n;

class BitgetError extends Error {
  override readonly name = 'BitgetError';
  readonly code: string;
  readonly status: number;

  constructor(code: string, text: string, status = 400) {
    super(text);
    this.code = code;
    this.status = status;
  }
}

const REFUSALS: Readonly<Record<Refusal, readonly [code: string, msg: string]>> = {
  'price-off-grid': ['41103', 'param price scale error error'],
  'qty-off-grid': ['40808', 'Parameter verification exception size checkBDScale error'],
  'below-min-qty': ['45110', 'less than the minimum order quantity'],
  'below-min-notional': ['45110', 'less than the minimum amount 1 USDT'],
  'insufficient-funds': ['43012', 'Insufficient balance'],
  'duplicate-id': ['25207', 'Duplicate clientOid'],
  'would-take': ['40017', 'Parameter verification failed'],
  'no-liquidity': ['41117', 'price out of the limit'],
  'too-many-orders': ['429', 'Too Many Requests'],
  'reduce-only': ['40017', 'Parameter verification failed'],
  expired: ['40309', 'The symbol has been removed'],
  'told-to': ['40014', 'Incorrect permissions'],
};

class Bitget implements VenueDialect {
  readonly venue = 'bitget';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #feeds: readonly BitgetFeed[];
  readonly #flushedMs: Float64Array;
  readonly #private = new PrivateAudience<Socket>();
  readonly #orderRates = new RateWindow(1_000);
  readonly #operations: ReadonlyMap<string, Operation>;
  readonly #deadMen = new Map<Account, Timer>();

  constructor(options: DialectOptions) {
    this.#options = options;
    const { exchange } = options;
    this.#exchange = exchange;
    this.#feeds = exchange.listings.map((listing) => new BitgetFeed(listing, exchange.engine(listing)));
    this.#flushedMs = new Float64Array(this.#feeds.length).fill(-Infinity);
    this.#operations = new Map(Object.entries({ ...this.#publicOperations(), ...this.#privateOperations() }));
    exchange.listener = {
      booked: (listing) => {
        if (options.batchMs === 0 && !this.#stale(listing)) this.#flush(listing);
      },
      printed: (listing, print) => {
        if (!this.#stale(listing)) this.#feeds[listing.index]!.trade(print);
      },
      ordered: (order, change) => this.#ordered(order, change),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    if (!/^\/v3\/ws\/(public|private)$/.test(splitPath(path).route)) return undefined;
    const socket: Socket = { client, topics: new Map(), privateTopics: new Set(), account: undefined };
    return {
      markets: ['spot'],
      message: (text) => this.#message(socket, text),
      closed: () => {
        this.#private.leave(socket);
        for (const [feed, topic] of socket.topics.values()) feed.leave(topic, client);
      },
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const operation = this.#operations.get(`${request.method} ${route}`);
    if (operation === undefined) return jsonReply(404, { code: '40404', msg: 'Request URL NOT FOUND', data: null });
    try {
      const account = operation.signed ? this.#authorise(request) : this.#exchange.ledger.house;
      const fields =
        request.method === 'GET'
          ? fieldsOf(query)
          : (fieldsOfJson(objectOf(request.body)) ?? new Map<string, string>());
      const data = operation.run(fields, account);
      const delayMs = operation.acknowledges === true ? this.#options.faults.ackDelayMs('bitget', 'spot') : 0;
      return {
        ...jsonReply(200, { code: '00000', msg: 'success', requestTime: this.#exchange.nowMs(), data }),
        delayMs,
      };
    } catch (error) {
      if (!(error instanceof BitgetError)) throw error;
      return jsonReply(error.status, {
        code: error.code,
        msg: error.message,
        requestTime: this.#exchange.nowMs(),
        data: null,
      });
    }
  }

  marketOf(): string {
    return 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    const [code, msg] =
      kind === 'rate-limited' ? ['429', 'Too Many Requests'] : ['40015', 'System is abnormal, please try again later'];
    return JSON.stringify({ code, msg, requestTime: this.#exchange.nowMs(), data: null });
  }

  step(): void {
    const nowMs = this.#exchange.nowMs();
    for (const { listing } of this.#feeds) {
      if (nowMs - this.#flushedMs[listing.index]! < this.#options.batchMs || this.#stale(listing)) continue;
      this.#flushedMs[listing.index] = nowMs;
      this.#flush(listing);
    }
  }

  #flush({ index, market }: Listing): void {
    this.#feeds[index]!.flush(
      this.#exchange.nowMs(),
      () => this.#options.faults.take('gap', 'bitget', market) !== undefined,
    );
  }

  #stale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'bitget', market);
  }

  #message(socket: Socket, text: string): void {
    if (text === 'ping') {
      socket.client.send('pong');
      return;
    }
    const message = objectOf(text);
    const args = listOf(message?.['args']).flatMap((arg) => fieldsOfJson(arg) ?? []);
    switch (message?.['op']) {
      case 'subscribe':
      case 'unsubscribe':
        for (const arg of args) this.#subscription(socket, message['op'], arg);
        return;
      case 'login':
        this.#login(socket, args[0] ?? new Map<string, string>());
        return;
      case 'trade':
        this.#trade(socket, fieldsOfJson(message) ?? new Map<string, string>(), args[0] ?? new Map<string, string>());
        return;
      default:
        socket.client.send(JSON.stringify({ event: 'error', code: '30003', msg: 'INVALID op' }));
    }
  }

  #subscription(socket: Socket, op: 'subscribe' | 'unsubscribe', arg: Fields): void {
    const [topic, symbol] = [arg.get('topic') ?? '', arg.get('symbol') ?? ''];
    const answer = (code?: string, msg?: string): void =>
      socket.client.send(
        JSON.stringify({
          event: code === undefined ? op : 'error',
          arg: Object.fromEntries(arg),
          ...(code === undefined ? {} : { code, msg }),
        }),
      );
    if (arg.get('instType') === 'UTA') {
      if (socket.account === undefined) {
        answer('30004', 'please login first');
        return;
      }
      if (op === 'subscribe') socket.privateTopics.add(topic);
      else socket.privateTopics.delete(topic);
      answer();
      return;
    }
    const feed = this.#feeds.find(({ listing }) => listing.venueSymbol === symbol);
    if (feed === undefined || (topic !== 'books' && topic !== 'publicTrade')) {
      answer('30001', `instType:spot,topic:${topic},symbol:${symbol} doesn't exist`);
      return;
    }
    answer();
    if (op === 'unsubscribe') {
      socket.topics.delete(`${topic}:${symbol}`);
      feed.leave(topic, socket.client);
      return;
    }
    socket.topics.set(`${topic}:${symbol}`, [feed, topic]);
    feed.join(topic, socket.client, this.#exchange.nowMs());
  }

  #login(socket: Socket, fields: Fields): void {
    const account = this.#exchange.ledger.byKey(fields.get('apiKey') ?? '');
    const timestamp = fields.get('timestamp') ?? '';
    const refuse = (code: string, msg: string): void =>
      socket.client.send(JSON.stringify({ event: 'error', code, msg }));
    if (account === undefined) {
      refuse('40006', 'Invalid ACCESS_KEY');
      return;
    }
    if (!(Math.abs(Number(timestamp) * 1_000 - this.#exchange.nowMs()) <= WINDOW_MS)) {
      refuse('40008', 'Request timestamp expired');
      return;
    }
    const expected = hmacSha256(account.spec.secret, `${timestamp}GET/user/verify`, 'base64');
    if (fields.get('passphrase') !== account.spec.passphrase || !sameText(fields.get('sign') ?? '', expected)) {
      refuse('40009', 'sign signature error');
      return;
    }
    socket.account = account;
    this.#private.join(account, socket);
    socket.client.send('{"event":"login","code":"0"}');
  }

  #trade(socket: Socket, message: Fields, fields: Fields): void {
    const head = { id: message.get('id') ?? '', category: 'spot', topic: message.get('topic') ?? '' };
    const { account } = socket;
    const send = (value: object): void =>
      deliver(this.#options, 'spot', () =>
        socket.client.send(JSON.stringify({ ...head, ...value, ts: String(this.#exchange.nowMs()) })),
      );
    try {
      if (account === undefined) throw new BitgetError('30004', 'please login first');
      const done = head.topic === 'place-order' ? this.#place(account, fields) : this.#cancel(account, fields);
      send({ event: 'trade', args: [done], code: '0', msg: 'success' });
    } catch (error) {
      if (!(error instanceof BitgetError)) throw error;
      send({ event: 'error', code: error.code, msg: error.message });
    }
  }

  /** Time, method, path with query, body: HMAC-SHA256, base64. @throws BitgetError */
  #authorise({ method, path, headers, body }: HttpRequest): Account {
    const account = this.#exchange.ledger.byKey(headers['access-key'] ?? '');
    const timestamp = headers['access-timestamp'] ?? '';
    if (account === undefined) throw new BitgetError('40006', 'Invalid ACCESS_KEY');
    if (!(Math.abs(Number(timestamp) - this.#exchange.nowMs()) <= WINDOW_MS))
      throw new BitgetError('40008', 'Request timestamp expired');
    const expected = hmacSha256(account.spec.secret, timestamp + method + path + body, 'base64');
    if (!sameText(headers['access-sign'] ?? '', expected)) throw new BitgetError('40009', 'sign signature error');
    if (headers['access-passphrase'] !== account.spec.passphrase)
      throw new BitgetError('40012', 'apikey/password is incorrect');
    return account;
  }

  #publicOperations(): Readonly<Record<string, Operation>> {
    const open = (run: (fields: Fields) => unknown): Operation => ({ signed: false, run });
    return {
      'GET /api/v2/public/time': open(() => ({ serverTime: String(this.#exchange.nowMs()) })),
      'GET /api/v3/market/instruments': open(() => this.#exchange.listings.map(instrumentOf)),
      'GET /api/v3/market/orderbook': open((fields) =>
        this.#feedOf(fields).snapshot(Math.min(200, Number(fields.get('limit') ?? 5)), this.#exchange.nowMs()),
      ),
    };
  }

  #privateOperations(): Readonly<Record<string, Operation>> {
    const signed = (run: Operation['run']): Operation => ({ signed: true, run });
    const orders = (account: Account, fields: Fields): readonly Order[] =>
      this.#exchange
        .ordersOf(account)
        .filter(({ listing }) => (fields.get('symbol') ?? listing.venueSymbol) === listing.venueSymbol);
    return {
      'POST /api/v3/trade/place-order': {
        ...signed((fields, account) => this.#place(account, fields)),
        acknowledges: true,
      },
      'POST /api/v3/trade/cancel-order': {
        ...signed((fields, account) => this.#cancel(account, fields)),
        acknowledges: true,
      },
      'POST /api/v3/trade/cancel-symbol-order': signed((fields, account) => {
        const symbol = fields.get('symbol');
        const gone = this.#exchange.cancelAll(
          account,
          ({ venueSymbol }) => symbol === undefined || venueSymbol === symbol,
        );
        return { list: gone.map((order) => ({ ...acknowledge(order), code: '00000', msg: 'success' })) };
      }),
      'POST /api/v3/trade/countdown-cancel-all': signed((fields, account) =>
        this.#countDown(account, Number(fields.get('countdown'))),
      ),
      'GET /api/v3/trade/order-info': signed((fields, account) => describe(this.#find(account, fields, '25204'))),
      'GET /api/v3/trade/unfilled-orders': signed((fields, account) => ({
        list: orders(account, fields)
          .filter(({ status }) => status === 'open')
          .map(describe),
        cursor: '',
      })),
      'GET /api/v3/trade/fills': signed((fields, account) => {
        const before = Number(fields.get('cursor') ?? Infinity);
        const found = orders(account, fields)
          .flatMap(({ trades }) => trades)
          .filter((trade) => trade.timeMs >= Number(fields.get('startTime') ?? 0) && execIdOf(trade) < before)
          .sort((one, other) => execIdOf(other) - execIdOf(one));
        const page = found.slice(0, FILLS_A_PAGE);
        const last = page.at(-1);
        const hasMore = last !== undefined && found.length > page.length;
        return { list: page.map(describeFill), cursor: hasMore ? String(execIdOf(last)) : '' };
      }),
      'GET /api/v3/account/assets': signed((_fields, account) => ({
        assets: account.assets('spot').map((coin) => balanceOf(account, coin)),
      })),
      'GET /api/v3/account/fee-rate': signed((fields) => {
        const { maker, taker } = this.#feedOf(fields).listing;
        return { makerFeeRate: maker.toFixed(), takerFeeRate: taker.toFixed() };
      }),
      'GET /api/v3/account/info': signed(() => ({
        userId: '1',
        permType: 'read-and-write',
        permissions: ['uta_trade', 'uta_mgt'],
      })),
    };
  }

  #feedOf(fields: Fields): BitgetFeed {
    const feed = this.#feeds.find(({ listing }) => listing.venueSymbol === fields.get('symbol'));
    if (feed === undefined) throw new BitgetError('40017', 'Parameter symbol error');
    return feed;
  }

  #place(account: Account, fields: Fields): unknown {
    if (this.#orderRates.take(account.spec.name, 1, this.#exchange.nowMs()) > ORDERS_A_SECOND)
      throw new BitgetError('429', 'Too Many Requests', 429);
    const placed = this.#exchange.place(draftFrom(account, this.#feedOf(fields).listing, fields));
    if (placed.kind === 'refused') throw new BitgetError(...REFUSALS[placed.reason]);
    return {
      ...acknowledge(placed.order),
      symbol: placed.order.listing.venueSymbol,
      cTime: String(placed.order.createdMs),
    };
  }

  #cancel(account: Account, fields: Fields): unknown {
    const order = this.#find(account, fields, '43001');
    if (!this.#exchange.cancel(order)) throw new BitgetError('43001', 'The order does not exist');
    return acknowledge(order);
  }

  #find(account: Account, fields: Fields, code: string): Order {
    const [id, clientOrderId] = [fields.get('orderId'), fields.get('clientOid')];
    const order = this.#exchange.find(account, { id: id === undefined ? undefined : Number(id), clientOrderId });
    if (order === undefined) throw new BitgetError(code, 'Order does not exist');
    return order;
  }

  #countDown(account: Account, seconds: number): unknown {
    if (!(seconds === 0 || (seconds >= 5 && seconds <= 60)))
      throw new BitgetError('40017', 'Parameter countdown error');
    this.#deadMen.get(account)?.cancel();
    this.#deadMen.delete(account);
    if (seconds > 0) {
      const end = (): void => {
        this.#exchange.cancelAll(account, () => true);
      };
      this.#deadMen.set(account, this.#options.clock.after(seconds * 1_000, end));
    }
    return 'success';
  }

  #ordered(order: Order, change: OrderChange): void {
    const ts = String(this.#exchange.nowMs());
    const push = (socket: Socket, topic: string, row: unknown): void => {
      if (!socket.privateTopics.has(topic)) return;
      socket.client.send(JSON.stringify({ action: 'snapshot', arg: { instType: 'UTA', topic }, data: [row], ts }));
    };
    const { base, quote } = order.listing;
    for (const socket of this.#private.of(order.account)) {
      if (change.kind === 'trade') push(socket, 'fill', describeFill(change.trade));
      push(socket, 'order', describe(order));
      push(socket, 'account', { coin: [base, quote].map((coin) => balanceOf(order.account, coin)) });
    }
  }
}

/** The public topics of one instrument. */
class BitgetFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  readonly #view: DepthView;
  readonly #clients: Readonly<Record<Topic, Set<Client>>> = { books: new Set(), publicTrade: new Set() };
  #told: bigint;

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
    this.#view = new DepthView(engine, DEPTH);
    this.#view.advance();
    this.#told = this.#sequence();
  }

  join(topic: Topic, client: Client, nowMs: number): void {
    if (topic === 'books') {
      this.flush(nowMs, () => false);
      client.send(this.#frame('snapshot', { bids: this.#view.bids, asks: this.#view.asks }, 0n, nowMs));
    }
    this.#clients[topic].add(client);
  }

  leave(topic: Topic, client: Client): void {
    this.#clients[topic].delete(client);
  }

  /** Sends what changed since the last frame; `drop` loses the frame but not its sequence. */
  flush(nowMs: number, drop: () => boolean): void {
    const previous = this.#told;
    if (!this.#view.advance()) return;
    this.#told = this.#sequence();
    const { bidChanges: bids, askChanges: asks } = this.#view;
    if (this.#clients.books.size === 0 || drop()) return;
    const frame = this.#frame('update', { bids, asks }, previous, nowMs);
    for (const client of this.#clients.books) client.send(frame);
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    const { venueSymbol, priceDecimals, lotDecimals } = this.listing;
    const row = {
      p: trimmedText(price, priceDecimals),
      v: trimmedText(lots, lotDecimals),
      S: taker,
      T: String(timeMs),
      i: String(id),
    };
    const frame = JSON.stringify({
      action: 'update',
      arg: { instType: 'spot', topic: 'publicTrade', symbol: venueSymbol },
      data: [row],
      ts: timeMs,
    });
    for (const client of this.#clients.publicTrade) client.send(frame);
  }

  snapshot(depth: number, nowMs: number): unknown {
    return {
      a: this.#levels(flatLevels(this.#engine.asks, depth)),
      b: this.#levels(flatLevels(this.#engine.bids, depth)),
      ts: String(nowMs),
    };
  }

  #sequence(): bigint {
    return FIRST_SEQUENCE + BigInt(this.#engine.changes);
  }

  #frame(
    action: string,
    { bids, asks }: { readonly bids: FlatLevels; readonly asks: FlatLevels },
    previous: bigint,
    nowMs: number,
  ): string {
    const pseq = previous === 0n ? 0 : String(previous);
    const data = [
      { a: this.#levels(asks), b: this.#levels(bids), checksum: 0, pseq, seq: String(this.#told), ts: String(nowMs) },
    ];
    return JSON.stringify({
      action,
      arg: { instType: 'spot', topic: 'books', symbol: this.listing.venueSymbol },
      data,
      ts: nowMs,
    });
  }

  #levels(flat: FlatLevels): readonly (readonly [price: string, qty: string])[] {
    const { priceDecimals, lotDecimals } = this.listing;
    return Array.from({ length: flat.length / 2 }, (_, at) => [
      trimmedText(flat[2 * at]!, priceDecimals),
      trimmedText(flat[2 * at + 1]!, lotDecimals),
    ]);
  }
}

const FORCES: Readonly<Record<string, OrderDraft['timeInForce']>> = {
  gtc: 'GTC',
  post_only: 'GTC',
  ioc: 'IOC',
  fok: 'FOK',
};

function draftFrom(account: Account, listing: Listing, fields: Fields): OrderDraft {
  const [side, type, force = 'gtc'] = [fields.get('side'), fields.get('orderType'), fields.get('timeInForce')];
  const timeInForce = FORCES[force];
  const qty = fields.get('qty') ?? '';
  if ((side !== 'buy' && side !== 'sell') || (type !== 'limit' && type !== 'market') || timeInForce === undefined)
    throw new BitgetError('40017', 'Parameter verification failed');
  if (!/^\d+(\.\d+)?$/.test(qty) || (type === 'limit' && !/^\d+(\.\d+)?$/.test(fields.get('price') ?? '')))
    throw new BitgetError('40017', 'Parameter verification failed');
  return {
    account,
    listing,
    clientOrderId: fields.get('clientOid'),
    side,
    type,
    timeInForce: type === 'market' ? 'IOC' : timeInForce,
    postOnly: force === 'post_only',
    price: fields.get('price'),
    qty,
    qtyIn: type === 'market' && side === 'buy' ? 'quote' : 'base',
  };
}

const acknowledge = ({ id, clientOrderId }: Order): object => ({ orderId: String(id), clientOid: clientOrderId });

const STATUS = { open: 'live', filled: 'filled', canceled: 'cancelled', expired: 'cancelled' } as const;

function describe(order: Order): object {
  const { listing, filled, status } = order;
  return {
    ...acknowledge(order),
    category: 'SPOT',
    symbol: listing.venueSymbol,
    orderType: order.type,
    side: order.side,
    price: order.type === 'market' ? '0' : limitOf(order).toFixed(),
    qty: qtyOf(listing, order.qty).toFixed(),
    amount: '0',
    cumExecQty: qtyOf(listing, filled).toFixed(),
    cumExecValue: order.cost.toFixed(),
    avgPrice: averageOf(order).toFixed(),
    timeInForce: order.postOnly ? 'post_only' : order.timeInForce.toLowerCase(),
    orderStatus: status === 'open' && filled > 0 ? 'partially_filled' : STATUS[status],
    feeDetail: [],
    cancelReason: '',
    createdTime: String(order.createdMs),
    updatedTime: String(order.updatedMs),
  };
}

/** Both sides of a trade with oneself have one of their own. */
const execIdOf = ({ id, liquidity }: Trade): number => 2 * id + (liquidity === 'maker' ? 1 : 0);

function describeFill(trade: Trade): object {
  const { order, price, lots, fee, feeAsset, liquidity, timeMs } = trade;
  return {
    execId: String(execIdOf(trade)),
    ...acknowledge(order),
    category: 'SPOT',
    symbol: order.listing.venueSymbol,
    orderType: order.type,
    side: order.side,
    execPrice: priceOf(order.listing, price).toFixed(),
    execQty: qtyOf(order.listing, lots).toFixed(),
    execValue: valueOf(order.listing, price, lots).toFixed(),
    tradeScope: liquidity,
    feeDetail: [{ feeCoin: feeAsset, fee: fee.toFixed() }],
    createdTime: String(timeMs),
    updatedTime: String(timeMs),
  };
}

function balanceOf(account: Account, coin: string): object {
  const { total, held } = account.balance('spot', coin);
  return {
    coin,
    equity: total.toFixed(),
    balance: total.toFixed(),
    available: total.minus(held).toFixed(),
    locked: held.toFixed(),
  };
}

const instrumentOf = (listing: Listing): object => ({
  symbol: listing.venueSymbol,
  category: 'SPOT',
  baseCoin: listing.base,
  quoteCoin: listing.quote,
  minOrderQty: qtyOf(listing, listing.minLots).toFixed(),
  maxOrderQty: '0',
  pricePrecision: String(listing.priceDecimals),
  quantityPrecision: String(listing.lotDecimals),
  quotePrecision: '8',
  minOrderAmount: listing.minNotional.toFixed(),
  status: 'online',
});
