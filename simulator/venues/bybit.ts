import type { Timer } from '#shared/clock/clock.ts';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import type { FlatLevels } from '../depth-view.ts';
import { flatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { trimmedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { derivativeListing, lotOf, priceOf, qtyOf, spotListings, tickOf, valueOf } from '../listings.ts';
import { optionReferenceOf, referenceOf } from '../reference.ts';
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
  textsOf,
} from './venue-dialect.ts';

type Fields = ReadonlyMap<string, string>;
type Place = 'public' | 'private' | 'trade';
type Socket = {
  readonly client: Client;
  readonly place: Place;
  /** Of a public socket. */
  readonly category: string;
  readonly id: string;
  /** By topic: how to leave it. */
  readonly topics: Map<string, () => void>;
  readonly requests: Set<string>;
  account: Account | undefined;
  readonly send: (value: unknown) => void;
};
type Asked = { readonly request: string; readonly op: string };
type Operation = (fields: Fields, account: Account) => unknown;

const CATEGORIES = ['spot', 'linear', 'inverse', 'option'];
const DEPTHS: Readonly<Record<string, readonly number[]>> = { option: [25, 100] };
const COMMON_DEPTHS: readonly number[] = [1, 50, 200, 1_000];
const SPOT_TOPICS_MAX = 10;
const RECEIVE_WINDOW_MS = 5_000;
const AHEAD_MS_MAX = 1_000;
/** Orders a second in each category. */
const ORDERS_PER_SECOND: Readonly<Record<string, number>> = { spot: 20 };
const ORDERS_PER_SECOND_ELSE = 10;
const DISCONNECTED_SECONDS = 10;
/** Which categories a product of the dead-man switch holds. */
const PRODUCTS: Readonly<Record<string, readonly string[]>> = {
  'dcp.future': ['linear', 'inverse'],
  'dcp.spot': ['spot'],
  'dcp.option': ['option'],
};
const PRODUCT_NAMES: Readonly<Record<string, string>> = {
  DERIVATIVES: 'dcp.future',
  SPOT: 'dcp.spot',
  OPTIONS: 'dcp.option',
};
const PAGE = 50;
const PAGE_MAX = 1_000;

const contract = (market: string, symbol: string, venueSymbol: string, grid: readonly [price: number, lot: number]) =>
  derivativeListing({
    venue: 'bybit',
    market,
    symbol,
    venueSymbol,
    contractSize: '1',
    priceDecimals: grid[0],
    lotDecimals: grid[1],
    ...(market === 'linear' ? { minNotional: '5' } : {}),
    fees: market === 'option' ? ['0.0002', '0.0003'] : ['0.0002', '0.00055'],
    deliveryFee: market === 'option' ? '0.00015' : '0.0005',
    feeCap: '0.07',
    postOnly: 'ended',
  });

/**
 * Bybit V5, the unified account: REST below `/v5`, sockets at `/v5/public/{category}`, `/v5/private`, `/v5/trade`.
 * @see https://bybit-exchange.github.io/docs/v5/intro
 */
export const simulated: SimulatedVenue = {
  venue: 'bybit',
  hosts: { 'api.bybit.com': '', 'stream.bybit.com': '' },
  listings: [
    ...spotListings({
      venue: 'bybit',
      fees: ['0.001', '0.001'],
      postOnly: 'ended',
      spell: (base, quote) => `${base}${quote}`,
      minNotional: { USDT: '5', USDC: '5' },
    }),
    contract('linear', 'BTC/USDT:USDT', 'BTCUSDT', [1, 3]),
    contract('linear', 'ETH/USDT:USDT', 'ETHUSDT', [2, 2]),
    contract('linear', 'BTC/USDC:USDC', 'BTCPERP', [1, 3]),
    contract('inverse', 'BTC/USD:BTC', 'BTCUSD', [1, 0]),
    contract('option', 'BTC/USDT:USDT-261225-90000-C', 'BTC-25DEC26-90000-C-USDT', [0, 2]),
    contract('option', 'BTC/USDT:USDT-261225-90000-P', 'BTC-25DEC26-90000-P-USDT', [0, 2]),
  ],
  dialect: (options) => new Bybit(options),
};

/** Bybit's refusal. */
class BybitError extends Error {
  override readonly name = 'BybitError';
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

class Bybit implements VenueDialect {
  readonly venue = 'bybit';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #feeds: readonly Feed[];
  readonly #private = new PrivateAudience<Socket>();
  readonly #orderRates = new RateWindow(1_000);
  readonly #operations: ReadonlyMap<string, Operation>;
  /** Seconds, by account and product, where they were set. */
  readonly #windows = new Map<string, number>();
  readonly #countdowns = new Map<string, Timer>();
  /** Post-only orders that would have taken. */
  readonly #wouldTake = new Set<number>();
  readonly #flushedMs: Float64Array;
  #isPlacing = false;
  #connections = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#feeds = options.exchange.listings.map((listing) => new Feed(listing, options.exchange));
    this.#flushedMs = new Float64Array(this.#feeds.length).fill(-Infinity);
    this.#operations = new Map(Object.entries({ ...this.#accountOperations(), ...this.#orderOperations() }));
    options.exchange.listener = {
      booked: (listing) => {
        if (options.batchMs === 0 && !this.#isStale(listing)) this.#flush(this.#feeds[listing.index]!);
      },
      printed: (listing, print) => {
        if (!this.#isStale(listing)) this.#feeds[listing.index]!.trade(print);
      },
      ordered: (order, change) => this.#ordered(order, change),
      paid: (account, listing) => this.#paid(account, listing),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    const [, version, place, category = ''] = splitPath(path).route.split('/');
    if (version !== 'v5' || (place !== 'public' && place !== 'private' && place !== 'trade')) return undefined;
    if ((place === 'public') !== CATEGORIES.includes(category)) return undefined;
    this.#connections += 1;
    const socket: Socket = {
      client,
      place,
      category,
      id: `sim${String(this.#connections).padStart(12, '0')}`,
      topics: new Map(),
      requests: new Set(),
      account: undefined,
      send: (value) => client.send(JSON.stringify(value)),
    };
    return {
      markets: place === 'public' ? [category] : CATEGORIES,
      message: (text) => this.#message(socket, text),
      closed: () => this.#closed(socket),
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const time = this.#exchange.nowMs();
    try {
      const open = this.#public(`${request.method} ${route}`, fieldsOf(query));
      if (open !== undefined) return jsonReply(200, { retCode: 0, retMsg: 'OK', result: open, retExtInfo: {}, time });
      const operation = this.#operations.get(`${request.method} ${route}`);
      if (operation === undefined) return jsonReply(404, { retCode: 10017, retMsg: 'Route not found', time });
      const account = this.#authorise(request, request.method === 'GET' ? query : request.body);
      const body = fieldsOfJson(objectOf(request.body)) ?? new Map<string, string>();
      const fields = request.method === 'GET' ? fieldsOf(query) : body;
      const result = operation(fields, account);
      const acknowledges = /order\/(create|amend|cancel)$/.test(route);
      const delayMs = acknowledges ? this.#options.faults.ackDelayMs('bybit', fields.get('category') ?? 'spot') : 0;
      return { ...jsonReply(200, { retCode: 0, retMsg: 'OK', result, retExtInfo: {}, time }), delayMs };
    } catch (error) {
      if (error instanceof BybitError)
        return jsonReply(200, { retCode: error.code, retMsg: error.message, result: {}, retExtInfo: {}, time });
      throw error;
    }
  }

  marketOf(path: string): string {
    return /category=(\w+)/.exec(path)?.[1] ?? 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    const [retCode, retMsg] = kind === 'rate-limited' ? [10006, 'Too many visits!'] : [10016, 'Internal System Error.'];
    return JSON.stringify({ retCode, retMsg, result: {}, retExtInfo: {}, time: this.#exchange.nowMs() });
  }

  step(): void {
    const nowMs = this.#exchange.nowMs();
    for (const feed of this.#feeds) {
      const { index } = feed.listing;
      if (nowMs - this.#flushedMs[index]! < this.#options.batchMs || this.#isStale(feed.listing)) continue;
      this.#flushedMs[index] = nowMs;
      this.#flush(feed);
      feed.tickers();
    }
  }

  #flush(feed: Feed): void {
    feed.flush(() => this.#options.faults.take('gap', 'bybit', feed.listing.market) !== undefined);
  }

  #isStale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'bybit', market);
  }

  #message(socket: Socket, text: string): void {
    const message = objectOf(text) ?? {};
    const { op } = message;
    const args = listOf(message['args']);
    const { req_id: given } = message;
    const request = typeof given === 'string' || typeof given === 'number' ? String(given) : '';
    switch (op) {
      case 'ping':
        this.#pong(socket, request);
        return;
      case 'auth':
        this.#login(socket, args.map(String), request);
        return;
      case 'subscribe':
      case 'unsubscribe':
        if (socket.place !== 'trade') this.#subscription(socket, op, textsOf(args), request);
        return;
      default:
        if (socket.place === 'trade') this.#trade(socket, message);
        else this.#said(socket, false, 'error:handler not found', { request, op: String(op) });
    }
  }

  #pong(socket: Socket, request: string): void {
    const now = String(this.#exchange.nowMs());
    if (socket.place === 'trade') socket.send({ retCode: 0, retMsg: 'OK', op: 'pong', data: [now], connId: socket.id });
    else if (socket.category === 'spot') this.#said(socket, true, 'pong', { request, op: 'ping' });
    else socket.send({ req_id: request, op: 'pong', args: [now], conn_id: socket.id });
  }

  #said(socket: Socket, success: boolean, ret_msg: string, { request, op }: Asked): void {
    socket.send({ success, ret_msg, conn_id: socket.id, req_id: request, op });
  }

  /** Key, end of validity, signature of `GET/realtime` and that end. */
  #login(socket: Socket, [key = '', expires = '', signature = '']: readonly string[], request: string): void {
    const account = this.#exchange.ledger.byKey(key);
    const isLate = !(Number(expires) >= this.#exchange.nowMs());
    const isRight =
      account !== undefined && sameText(signature, hmacSha256(account.spec.secret, `GET/realtime${expires}`, 'hex'));
    const refusal = isRight ? (isLate ? 'Params Error: expires is too old' : undefined) : 'Invalid sign';
    if (refusal === undefined) socket.account = account;
    if (socket.place === 'trade') {
      const [retCode, retMsg] = refusal === undefined ? [0, 'OK'] : [10004, refusal];
      socket.send({ retCode, retMsg, op: 'auth', connId: socket.id });
    } else this.#said(socket, refusal === undefined, refusal ?? '', { request, op: 'auth' });
    if (refusal === undefined && account !== undefined && socket.place === 'private')
      this.#private.join(account, socket);
  }

  /** One topic that does not exist fails the whole request. */
  #subscription(socket: Socket, op: 'subscribe' | 'unsubscribe', topics: readonly string[], request: string): void {
    if (socket.place === 'private' && socket.account === undefined) {
      this.#said(socket, false, 'Request not authorized', { request, op });
      return;
    }
    const feeds = topics.map((topic) => this.#joins(socket, topic));
    const bad = topics.filter((_, at) => feeds[at] === undefined);
    const isTooLong = socket.category === 'spot' && topics.length > SPOT_TOPICS_MAX;
    if (bad.length > 0 || isTooLong) {
      this.#said(socket, false, isTooLong ? 'args size >10' : `Invalid symbol :[${bad.join(',')}]`, { request, op });
      return;
    }
    const data = { failTopics: [], successTopics: topics };
    if (socket.category === 'option') socket.send({ success: true, conn_id: socket.id, data, type: 'COMMAND_RESP' });
    else this.#said(socket, true, op, { request, op });
    for (const [at, topic] of topics.entries()) {
      socket.topics.get(topic)?.();
      socket.topics.delete(topic);
      if (op === 'subscribe') socket.topics.set(topic, feeds[at]!());
    }
  }

  /** What joins a topic, and answers how to leave it; undefined where there is no such topic. */
  #joins(socket: Socket, topic: string): (() => () => void) | undefined {
    if (socket.place === 'private') {
      const { account } = socket;
      if (account !== undefined && topic in PRODUCTS) return () => this.#guard(account, topic);
      return /^(order|execution|position|wallet)(\.(spot|linear|inverse|option))?$/.test(topic)
        ? () => () => undefined
        : undefined;
    }
    const book = /^orderbook\.(\d+)\.(.+)$/.exec(topic);
    const [name = '', symbol = ''] = book === null ? topic.split(/\.(.*)/) : ['orderbook', book[2]!];
    const inside = this.#feeds.filter(({ listing }) => listing.market === socket.category);
    const isByCoin = name === 'publicTrade' && socket.category === 'option';
    const named = inside.filter(({ listing }) => (isByCoin ? listing.base : listing.venueSymbol) === symbol);
    const depth = Number(book?.[1] ?? 0);
    const isKnown =
      name === 'orderbook'
        ? (DEPTHS[socket.category] ?? COMMON_DEPTHS).includes(depth)
        : name === 'publicTrade' || name === 'tickers';
    if (named.length === 0 || !isKnown) return undefined;
    return () => {
      const leaves = named.map((feed) => feed.join(name, depth, socket));
      return () => {
        for (const leave of leaves) leave();
      };
    };
  }

  /** While a socket of the account listens, its orders live; a while after the last has gone, they end. */
  #guard(account: Account, product: string): () => void {
    const key = `${account.spec.name}:${product}`;
    this.#countdowns.get(key)?.cancel();
    this.#countdowns.delete(key);
    return () => {
      const isHeard = [...this.#private.of(account)].some(({ topics }) => topics.has(product));
      if (isHeard) return;
      const seconds = this.#windows.get(key) ?? DISCONNECTED_SECONDS;
      const end = (): void => {
        this.#countdowns.delete(key);
        this.#exchange.cancelAll(account, ({ market }) => PRODUCTS[product]!.includes(market));
      };
      this.#countdowns.get(key)?.cancel();
      this.#countdowns.set(key, this.#options.clock.after(seconds * 1_000, end));
    };
  }

  #closed(socket: Socket): void {
    this.#private.leave(socket);
    const leaves = [...socket.topics.values()];
    socket.topics.clear();
    for (const leave of leaves) leave();
  }

  /** An order over the trade socket: one a message, its request number never used before. */
  #trade(socket: Socket, message: Readonly<Record<string, unknown>>): void {
    const { op } = message;
    const reqId = typeof message['reqId'] === 'string' ? message['reqId'] : undefined;
    const fields = fieldsOfJson(listOf(message['args'])[0]) ?? new Map<string, string>();
    const category = fields.get('category') ?? 'spot';
    const reply = (retCode: number, retMsg: string, data: unknown): void =>
      socket.send({
        ...(reqId === undefined ? {} : { reqId }),
        retCode,
        retMsg,
        op,
        data,
        retExtInfo: {},
        header: { Traceid: '0', Timenow: String(this.#exchange.nowMs()) },
        connId: socket.id,
      });
    try {
      const account = this.#tradeAccount(socket, message, reqId);
      if (op !== 'order.create' && op !== 'order.cancel') throw new BybitError(10404, 'op type is not found');
      const done = op === 'order.create' ? this.#place(fields, account) : this.#cancel(fields, account);
      deliver(this.#options, category, () => reply(0, 'OK', done));
    } catch (error) {
      if (!(error instanceof BybitError)) throw error;
      const { code, message: text } = error;
      deliver(this.#options, category, () => reply(code, text, {}));
    }
  }

  /** @throws BybitError */
  #tradeAccount({ account, requests }: Socket, message: Readonly<Record<string, unknown>>, reqId?: string): Account {
    if (account === undefined) throw new BybitError(10005, 'Permission denied');
    if (reqId !== undefined && requests.has(reqId)) throw new BybitError(20006, 'reqId duplicate');
    if (reqId !== undefined) requests.add(reqId);
    const header = fieldsOfJson(message['header']);
    this.#checkTime(header?.get('X-BAPI-TIMESTAMP') ?? '', header?.get('X-BAPI-RECV-WINDOW'));
    return account;
  }

  /** Time + key + window + query or body, HMAC-SHA256, hex. @throws BybitError */
  #authorise({ headers }: HttpRequest, payload: string): Account {
    const account = this.#exchange.ledger.byKey(headers['x-bapi-api-key'] ?? '');
    if (account === undefined) throw new BybitError(10003, 'API key is invalid.');
    const [time, window] = [headers['x-bapi-timestamp'] ?? '', headers['x-bapi-recv-window'] ?? ''];
    this.#checkTime(time, window);
    const { apiKey, secret } = account.spec;
    const expected = hmacSha256(secret, time + apiKey + window + payload, 'hex');
    if (!sameText(headers['x-bapi-sign'] ?? '', expected))
      throw new BybitError(10004, 'error sign! please check your sign generation algorithm.');
    return account;
  }

  #checkTime(time: string, window = String(RECEIVE_WINDOW_MS)): void {
    const age = this.#exchange.nowMs() - Number(time);
    if (time === '' || !(age <= Number(window) && age > -AHEAD_MS_MAX))
      throw new BybitError(10002, 'invalid request, please check your server timestamp or recv_window param.');
  }

  /** @throws BybitError */
  #listing(fields: Fields): Listing {
    const [category, symbol] = [fields.get('category') ?? '', fields.get('symbol') ?? ''];
    const listing = this.#exchange.listings.find((each) => each.market === category && each.venueSymbol === symbol);
    if (listing !== undefined) return listing;
    throw new BybitError(10001, CATEGORIES.includes(category) ? 'params error: symbol invalid' : 'Illegal category');
  }

  /** Undefined for what is not public. @throws BybitError */
  #public(call: string, fields: Fields): unknown {
    switch (call) {
      case 'GET /v5/market/time': {
        const nowMs = this.#exchange.nowMs();
        return { timeSecond: String(Math.floor(nowMs / 1_000)), timeNano: `${nowMs}000000` };
      }
      case 'GET /v5/market/instruments-info': {
        const category = fields.get('category') ?? '';
        const base = category === 'option' ? (fields.get('baseCoin') ?? 'BTC') : fields.get('baseCoin');
        const list = this.#exchange
          .traded()
          .filter(({ market }) => market === category && fields.get('status') !== 'PreLaunch')
          .filter((listing) => base === undefined || listing.base === base)
          .filter(({ venueSymbol }) => venueSymbol === (fields.get('symbol') ?? venueSymbol));
        return { category, list: fields.has('cursor') ? [] : list.map(instrumentOf), nextPageCursor: '' };
      }
      case 'GET /v5/market/orderbook':
        return this.#feeds[this.#listing(fields).index]!.snapshot(Number(fields.get('limit') ?? 25));
      case 'GET /v5/market/tickers': {
        const category = fields.get('category') ?? '';
        const symbol = fields.get('symbol');
        const inside = this.#feeds.filter(({ listing }) => listing.market === category);
        const named = inside.filter(({ listing }) => listing.venueSymbol === (symbol ?? listing.venueSymbol));
        return { category, list: named.map((feed) => feed.ticker()) };
      }
      default:
        return undefined;
    }
  }

  #accountOperations(): Readonly<Record<string, Operation>> {
    return {
      'GET /v5/account/wallet-balance': (_, account) => ({ list: [this.#wallet(account)] }),
      'GET /v5/account/info': () => ({ marginMode: 'REGULAR_MARGIN', unifiedMarginStatus: 5, dcpStatus: 'ON' }),
      'GET /v5/account/fee-rate': (fields) => ({
        list: this.#exchange.listings
          .filter(({ market }) => market === fields.get('category'))
          .filter(({ venueSymbol }) => venueSymbol === (fields.get('symbol') ?? venueSymbol))
          .map(({ venueSymbol, maker, taker }) => ({
            symbol: venueSymbol,
            makerFeeRate: maker.toFixed(),
            takerFeeRate: taker.toFixed(),
          })),
      }),
      'GET /v5/user/query-api': (_, { spec }) => ({
        id: '1',
        apiKey: spec.apiKey,
        readOnly: 0,
        permissions: {
          ContractTrade: ['Order', 'Position'],
          Spot: ['SpotTrade'],
          Wallet: [],
          Options: ['OptionsTrade'],
          Derivatives: ['DerivativesTrade'],
        },
        ips: ['*'],
        unified: 0,
        uta: 1,
        userID: 1,
      }),
      'GET /v5/asset/coin/query-info': () => ({ rows: [] }),
      'GET /v5/position/list': (fields, account) => {
        const category = fields.get('category') ?? '';
        if (category === 'linear' && !fields.has('symbol') && !fields.has('settleCoin'))
          throw new BybitError(10001, 'Missing some parameters that must be filled in, symbol or settleCoin');
        const inside = positionsOf(account).filter(({ listing }) => isWithin(listing, fields));
        return { category, list: inside.map(({ described }) => described), nextPageCursor: '' };
      },
    };
  }

  #orderOperations(): Readonly<Record<string, Operation>> {
    const orders = (fields: Fields, account: Account): readonly Order[] =>
      this.#exchange
        .ordersOf(account)
        .filter((order) => isWithin(order.listing, fields) && isNamed(order, fields))
        .toReversed();
    const listed = (found: readonly Order[], fields: Fields): unknown => ({
      category: fields.get('category'),
      ...pageOf(
        found.map((order) => this.#describe(order)),
        fields,
      ),
    });
    return {
      'POST /v5/order/create': (fields, account) => this.#place(fields, account),
      'POST /v5/order/cancel': (fields, account) => this.#cancel(fields, account),
      'POST /v5/order/amend': (fields, account) => this.#amend(fields, account),
      'POST /v5/order/cancel-all': (fields, account) => {
        const isScoped = ['symbol', 'settleCoin', 'baseCoin'].some((name) => fields.has(name));
        if (fields.get('category') === 'linear' && !isScoped)
          throw new BybitError(10001, 'params error: scope missing');
        const ended = this.#exchange.cancelAll(account, (listing) => isWithin(listing, fields));
        return { list: ended.map(idsOf), success: '1' };
      },
      'GET /v5/order/realtime': (fields, account) => {
        const found = orders(fields, account);
        const byId = fields.has('orderId') || fields.has('orderLinkId');
        return listed(byId ? found.slice(0, 1) : found.filter(({ status }) => status === 'open'), fields);
      },
      'GET /v5/order/history': (fields, account) =>
        listed(
          orders(fields, account).filter(({ status }) => status !== 'open'),
          fields,
        ),
      'GET /v5/execution/list': (fields, account) => {
        const [from, to] = [Number(fields.get('startTime') ?? 0), Number(fields.get('endTime') ?? Infinity)];
        const trades = orders(fields, account)
          .flatMap((order) => order.trades)
          .filter(({ timeMs }) => timeMs >= from && timeMs <= to)
          .sort((a, b) => b.id - a.id);
        return { category: fields.get('category'), ...pageOf(trades.map(describeTrade), fields) };
      },
      'POST /v5/order/disconnected-cancel-all': (fields, account) => {
        const product = PRODUCT_NAMES[fields.get('product') ?? 'OPTIONS'];
        const seconds = Number(fields.get('timeWindow'));
        if (product === undefined || !(seconds >= 3 && seconds <= 300)) throw new BybitError(10001, 'params error');
        this.#windows.set(`${account.spec.name}:${product}`, seconds);
        return {};
      },
    };
  }

  /** @throws BybitError */
  #place(fields: Fields, account: Account): unknown {
    const listing = this.#listing(fields);
    const rate = this.#orderRates.take(`${account.spec.name}:${listing.market}`, 1, this.#exchange.nowMs());
    if (rate > (ORDERS_PER_SECOND[listing.market] ?? ORDERS_PER_SECOND_ELSE))
      throw new BybitError(10006, 'Too many visits. Exceeded the API Rate Limit.');
    const said = { side: fields.get('side'), type: fields.get('orderType'), link: fields.get('orderLinkId') };
    const terms = TERMS[fields.get('timeInForce') ?? 'GTC'];
    if (terms === undefined || (said.side !== 'Buy' && said.side !== 'Sell') || !/^[\w-]{0,36}$/.test(said.link ?? ''))
      throw new BybitError(10001, 'params error');
    const market = said.type === 'Market';
    if (!market && said.type !== 'Limit') throw new BybitError(10001, 'params error: orderType invalid');
    const side = said.side === 'Buy' ? 'buy' : 'sell';
    const unit = fields.get('marketUnit') ?? (side === 'buy' ? 'quoteCoin' : 'baseCoin');
    this.#isPlacing = true;
    try {
      const placed = this.#exchange.place({
        account,
        listing,
        clientOrderId: said.link === '' ? undefined : said.link,
        side,
        type: market ? 'market' : 'limit',
        ...(market ? MARKET_TERMS : terms),
        price: market ? undefined : fields.get('price'),
        qty: fields.get('qty') ?? '',
        qtyIn: market && listing.kind === 'spot' && unit === 'quoteCoin' ? 'quote' : 'base',
        reduceOnly: fields.get('reduceOnly') === 'true',
      });
      if (placed.kind === 'placed') return idsOf(placed.order);
      throw new BybitError(...REFUSALS[placed.reason][listing.kind === 'spot' ? 0 : 1]);
    } catch (error) {
      if (error instanceof BadInput) throw new BybitError(10001, 'params error: qty or price invalid');
      throw error;
    } finally {
      this.#isPlacing = false;
    }
  }

  /** @throws BybitError */
  #cancel(fields: Fields, account: Account): unknown {
    const listing = this.#listing(fields);
    const order = this.#exchange
      .ordersOf(account)
      .findLast((each) => each.listing === listing && isNamed(each, fields));
    if (order !== undefined && this.#exchange.cancel(order)) return idsOf(order);
    throw listing.kind === 'spot'
      ? new BybitError(170213, 'Order does not exist.')
      : new BybitError(110001, 'order not exists or too late to cancel');
  }

  /** @throws BybitError */
  #amend(fields: Fields, account: Account): unknown {
    const listing = this.#listing(fields);
    const order = this.#exchange
      .ordersOf(account)
      .findLast((each) => each.listing === listing && isNamed(each, fields));
    if (order?.status !== 'open')
      throw listing.kind === 'spot'
        ? new BybitError(170213, 'Order does not exist.')
        : new BybitError(110001, 'order not exists or too late to replace');
    try {
      const qty = fields.get('qty') ?? qtyOf(listing, order.qty).toFixed();
      const refused = this.#exchange.amend(order, { price: fields.get('price'), qty });
      if (refused !== undefined) throw new BybitError(...REFUSALS[refused][listing.kind === 'spot' ? 0 : 1]);
      return idsOf(order);
    } catch (error) {
      if (error instanceof BadInput) throw new BybitError(10001, 'params error: qty or price invalid');
      throw error;
    }
  }

  #describe(order: Order): Record<string, unknown> {
    return describeOrder(order, this.#wouldTake.has(order.id));
  }

  #wallet(account: Account): unknown {
    const coin = account.assets('spot').map((name) => {
      const { total, held } = account.balance('spot', name);
      const bound = total.minus(held).minus(account.available('spot', name));
      return {
        coin: name,
        equity: total.toFixed(),
        walletBalance: total.toFixed(),
        locked: held.toFixed(),
        availableToWithdraw: '',
        totalOrderIM: '0',
        totalPositionIM: bound.toFixed(),
        unrealisedPnl: '0',
      };
    });
    return { accountType: 'UNIFIED', totalEquity: '', coin };
  }

  #ordered(order: Order, change: OrderChange): void {
    if (change.kind === 'canceled' && this.#isPlacing) this.#wouldTake.add(order.id);
    const { listing, account } = order;
    for (const socket of this.#private.of(account)) {
      if (change.kind === 'trade') this.#tell(socket, listing, 'execution', [describeTrade(change.trade)]);
      this.#tell(socket, listing, 'order', [this.#describe(order)]);
      if (change.kind === 'trade' && listing.kind !== 'spot') this.#tellPosition(socket, account, listing);
      this.#tell(socket, listing, 'wallet', [this.#wallet(account)]);
    }
  }

  #paid(account: Account, listing: Listing): void {
    for (const socket of this.#private.of(account)) {
      this.#tellPosition(socket, account, listing);
      this.#tell(socket, listing, 'wallet', [this.#wallet(account)]);
    }
  }

  #tellPosition(socket: Socket, account: Account, listing: Listing): void {
    const positions = positionsOf(account).flatMap((each) => (each.listing === listing ? [each.described] : []));
    this.#tell(socket, listing, 'position', positions);
  }

  #tell(socket: Socket, { market }: Listing, topic: string, data: readonly unknown[]): void {
    const name = [topic, `${topic}.${market}`].find((each) => socket.topics.has(each));
    if (name !== undefined) socket.send({ id: socket.id, topic: name, creationTime: this.#exchange.nowMs(), data });
  }
}

type Channel = {
  readonly depth: number;
  bids: FlatLevels;
  asks: FlatLevels;
  update: number;
  readonly sockets: Set<Socket>;
};

/** The public channels of one listing. */
class Feed {
  readonly listing: Listing;
  readonly #exchange: Exchange;
  readonly #books = new Map<number, Channel>();
  readonly #trades = new Set<Socket>();
  readonly #tickers = new Set<Socket>();
  #told: Readonly<Record<string, string>> = {};
  #sequence = 0;

  constructor(listing: Listing, exchange: Exchange) {
    this.listing = listing;
    this.#exchange = exchange;
  }

  /** Books and tickers begin with a snapshot. Returns how to leave. */
  join(name: string, depth: number, socket: Socket): () => void {
    if (name === 'orderbook') return this.#joinBook(depth, socket);
    const sockets = name === 'publicTrade' ? this.#trades : this.#tickers;
    if (sockets === this.#tickers) socket.send(this.#tickerFrame('snapshot', this.ticker()));
    sockets.add(socket);
    return () => void sockets.delete(socket);
  }

  /** Sends what changed since the last frame of each depth; a frame that is dropped is counted all the same. */
  flush(isDropped: () => boolean): void {
    for (const channel of this.#books.values()) {
      const [bids, asks] = this.#sides(channel.depth);
      const changes = [changesOf(channel.bids, bids), changesOf(channel.asks, asks)] as const;
      if (changes[0].length + changes[1].length === 0) continue;
      channel.bids = bids;
      channel.asks = asks;
      channel.update += 1;
      if (channel.sockets.size === 0 || isDropped()) continue;
      const frame = this.#bookFrame('delta', channel, changes);
      for (const socket of channel.sockets) socket.send(frame);
    }
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    const { venueSymbol, priceDecimals, lotDecimals, market, base } = this.listing;
    const topic = `publicTrade.${market === 'option' ? base : venueSymbol}`;
    const data = {
      T: timeMs,
      s: venueSymbol,
      S: taker === 'buy' ? 'Buy' : 'Sell',
      v: trimmedText(lots, lotDecimals),
      p: trimmedText(price, priceDecimals),
      L: 'ZeroMinusTick',
      i: String(id),
      BT: false,
      RPI: false,
    };
    for (const socket of this.#trades) socket.send({ topic, type: 'snapshot', ts: timeMs, data: [data] });
  }

  /** What changed of the ticker: contracts are told that alone, spot and options the whole. */
  tickers(): void {
    if (this.#tickers.size === 0) return;
    const now = this.ticker();
    const changed = Object.entries(now).filter(([name, text]) => this.#told[name] !== text);
    if (changed.length === 0) return;
    this.#told = now;
    const { market, venueSymbol } = this.listing;
    const isWhole = market === 'spot' || market === 'option';
    const said = isWhole ? now : { symbol: venueSymbol, ...Object.fromEntries(changed) };
    const frame = this.#tickerFrame(isWhole ? 'snapshot' : 'delta', said);
    for (const socket of this.#tickers) socket.send(frame);
  }

  ticker(): Readonly<Record<string, string>> {
    const { venueSymbol, market, priceDecimals, lotDecimals } = this.listing;
    const { bids, asks } = this.#exchange.engine(this.listing);
    const [bid, ask] = [bids.best(), asks.best()];
    const quote = {
      bid1Price: trimmedText(bid?.price ?? 0, priceDecimals),
      bid1Size: trimmedText(bid?.qty ?? 0, lotDecimals),
      ask1Price: trimmedText(ask?.price ?? 0, priceDecimals),
      ask1Size: trimmedText(ask?.qty ?? 0, lotDecimals),
    };
    const last = { symbol: venueSymbol, lastPrice: quote.bid1Price };
    if (market === 'spot') return last;
    const reference = referenceOf(this.#exchange, this.listing);
    if (reference === undefined) return { ...last, ...quote };
    const prices = { markPrice: String(reference.mark), indexPrice: String(reference.index) };
    if (market === 'option') return { ...last, ...prices, ...this.#optionFields() };
    const funding = {
      fundingRate: reference.fundingRate.toFixed(8),
      nextFundingTime: String(reference.fundingMs),
      fundingIntervalHour: String(this.listing.fundingEveryMs / 3_600_000),
    };
    return { ...last, ...quote, ...prices, ...funding };
  }

  /** The REST book. */
  snapshot(depth: number): unknown {
    const [bids, asks] = this.#sides(depth);
    const nowMs = this.#exchange.nowMs();
    return {
      s: this.listing.venueSymbol,
      b: this.#texts(bids),
      a: this.#texts(asks),
      ts: nowMs,
      u: this.#exchange.engine(this.listing).changes,
      seq: this.#exchange.engine(this.listing).changes,
      cts: nowMs,
    };
  }

  #optionFields(): Readonly<Record<string, string>> {
    const option = optionReferenceOf(this.#exchange, this.listing);
    if (option === undefined) return {};
    const volatility = (value: number): string => (Number.isNaN(value) ? '0' : value.toFixed(4));
    return {
      bidIv: volatility(option.bidVolatility),
      askIv: volatility(option.askVolatility),
      markPriceIv: volatility(option.markVolatility),
      underlyingPrice: String(option.forward),
      delta: option.delta.toFixed(8),
      gamma: option.gamma.toFixed(8),
      vega: option.vega.toFixed(8),
      theta: option.theta.toFixed(8),
    };
  }

  #joinBook(depth: number, socket: Socket): () => void {
    const channel = this.#books.get(depth) ?? this.#open(depth);
    // Whoever listens already is brought up to date first, so that all go on from one number.
    this.flush(() => false);
    socket.send(this.#bookFrame('snapshot', channel, [channel.bids, channel.asks]));
    channel.sockets.add(socket);
    return () => void channel.sockets.delete(socket);
  }

  #open(depth: number): Channel {
    const [bids, asks] = this.#sides(depth);
    const channel: Channel = { depth, bids, asks, update: 1_000 + depth, sockets: new Set() };
    this.#books.set(depth, channel);
    return channel;
  }

  #sides(depth: number): readonly [bids: FlatLevels, asks: FlatLevels] {
    const { bids, asks } = this.#exchange.engine(this.listing);
    return [flatLevels(bids, depth), flatLevels(asks, depth)];
  }

  #bookFrame(type: string, { depth, update }: Channel, [bids, asks]: readonly [FlatLevels, FlatLevels]): unknown {
    const nowMs = this.#exchange.nowMs();
    const { venueSymbol: s } = this.listing;
    const data = { s, b: this.#texts(bids), a: this.#texts(asks), u: update, seq: 70_000_000_000 + update };
    return { topic: `orderbook.${depth}.${s}`, type, ts: nowMs, data, cts: nowMs };
  }

  #tickerFrame(type: string, data: unknown): unknown {
    this.#sequence += 1;
    const topic = `tickers.${this.listing.venueSymbol}`;
    return { topic, type, data, cs: this.#sequence, ts: this.#exchange.nowMs() };
  }

  #texts(flat: FlatLevels): readonly (readonly [price: string, qty: string])[] {
    const { priceDecimals, lotDecimals } = this.listing;
    return Array.from({ length: flat.length / 2 }, (_, at) => [
      trimmedText(flat[2 * at]!, priceDecimals),
      trimmedText(flat[2 * at + 1]!, lotDecimals),
    ]);
  }
}

/** The server keeps the window: what leaves it is deleted too. */
function changesOf(before: FlatLevels, now: FlatLevels): FlatLevels {
  const left = new Map(Array.from({ length: before.length / 2 }, (_, at) => [before[2 * at]!, before[2 * at + 1]!]));
  const changes: FlatLevels = [];
  for (let at = 0; at < now.length; at += 2) {
    const [price, qty] = [now[at]!, now[at + 1]!];
    if (left.get(price) !== qty) changes.push(price, qty);
    left.delete(price);
  }
  for (const price of left.keys()) changes.push(price, 0);
  return changes;
}

/** Whether a listing lies in what a request names. */
function isWithin(listing: Listing, fields: Fields): boolean {
  return (
    listing.market === fields.get('category') &&
    listing.venueSymbol === (fields.get('symbol') ?? listing.venueSymbol) &&
    listing.settle === (fields.get('settleCoin') ?? listing.settle) &&
    listing.base === (fields.get('baseCoin') ?? listing.base)
  );
}

/** The venue's id counts before the client's. */
function isNamed(order: Order, fields: Fields): boolean {
  const id = fields.get('orderId');
  if (id !== undefined) return orderIdOf(order) === id;
  const link = fields.get('orderLinkId');
  return link === undefined || order.clientOrderId === link;
}

/** A page of a list; the cursor is percent-encoded, as Bybit's are. */
function pageOf(
  list: readonly unknown[],
  fields: Fields,
): { readonly list: readonly unknown[]; readonly nextPageCursor: string } {
  const size = Math.min(PAGE_MAX, Number(fields.get('limit') ?? PAGE));
  const from = Number(/^page=(\d+)$/.exec(fields.get('cursor') ?? '')?.[1] ?? 0);
  const page = list.slice(from, from + size);
  return { list: page, nextPageCursor: page.length < size ? '' : `page%3D${from + size}` };
}

/** Nineteen digits on spot, a UUID elsewhere. */
const orderIdOf = ({ id, listing }: Order): string =>
  listing.kind === 'spot'
    ? `18${String(id).padStart(17, '0')}`
    : `5cf98598-39a7-459e-97bf-${String(id).padStart(12, '0')}`;

const idsOf = (order: Order) => ({ orderId: orderIdOf(order), orderLinkId: order.clientOrderId });

/** An order as REST and the `order` topic show it. */
function describeOrder(order: Order, isWouldTake: boolean): Record<string, unknown> {
  const { listing, filled, qty, side, type, timeInForce, postOnly } = order;
  const spot = listing.kind === 'spot';
  const size = (lots: number): string => qtyOf(listing, lots).toFixed();
  return {
    category: listing.market,
    symbol: listing.venueSymbol,
    ...idsOf(order),
    side: side === 'buy' ? 'Buy' : 'Sell',
    positionIdx: 0,
    orderStatus: statusOf(order),
    ...endOf(order, isWouldTake),
    timeInForce: postOnly ? 'PostOnly' : timeInForce,
    orderType: type === 'market' ? 'Market' : 'Limit',
    price: type === 'market' ? '0' : limitOf(order).toFixed(),
    qty: size(qty),
    ...(type === 'market' && spot ? { marketUnit: 'baseCoin' } : {}),
    avgPrice: filled === 0 ? '' : averageOf(order).toDecimalPlaces(12).toFixed(),
    leavesQty: size(order.status === 'open' ? qty - filled : 0),
    cumExecQty: size(filled),
    cumExecValue: order.cost.toFixed(),
    cumExecFee: order.trades.reduce((sum, { fee }) => sum + fee.toNumber(), 0).toFixed(12),
    isLeverage: spot ? '0' : '',
    ...(spot ? {} : { tpslMode: '' }),
    reduceOnly: false,
    createdTime: String(order.createdMs),
    updatedTime: String(order.updatedMs),
  };
}

function statusOf({ status, filled, listing }: Order): string {
  switch (status) {
    case 'open':
      return filled > 0 ? 'PartiallyFilled' : 'New';
    case 'filled':
      return 'Filled';
    case 'canceled':
    case 'expired':
      return filled > 0 && listing.kind === 'spot' ? 'PartiallyFilledCanceled' : 'Cancelled';
  }
}

/** How it ended, in Bybit's words. */
function endOf(
  { status, timeInForce }: Order,
  isWouldTake: boolean,
): Readonly<Record<'cancelType' | 'rejectReason', string>> {
  if (isWouldTake) return { cancelType: 'UNKNOWN', rejectReason: 'EC_PostOnlyWillTakeLiquidity' };
  switch (status) {
    case 'open':
    case 'filled':
      return { cancelType: 'UNKNOWN', rejectReason: 'EC_NoError' };
    case 'canceled':
      return { cancelType: 'CancelByUser', rejectReason: 'EC_PerCancelRequest' };
    case 'expired':
      return {
        cancelType: 'UNKNOWN',
        rejectReason: timeInForce === 'FOK' ? 'EC_CancelForNoFullFill' : 'EC_NoImmediateQtyToFill',
      };
  }
}

const EXEC_TYPES = { none: 'Trade', adl: 'AdlTrade', liquidation: 'BustTrade' } as const;

/** A fill as REST and the `execution` topic show it. */
function describeTrade(trade: Trade): Record<string, unknown> {
  const { order, price, lots } = trade;
  const { listing } = order;
  return {
    category: listing.market,
    symbol: listing.venueSymbol,
    ...idsOf(order),
    execId: String(trade.id),
    execType: EXEC_TYPES[order.forced ?? 'none'],
    side: order.side === 'buy' ? 'Buy' : 'Sell',
    execPrice: priceOf(listing, price).toFixed(),
    execQty: qtyOf(listing, lots).toFixed(),
    execValue: valueOf(listing, price, lots).toFixed(),
    execFee: trade.fee.toFixed(),
    feeCurrency: listing.kind === 'spot' ? trade.feeAsset : '',
    feeRate: (trade.liquidity === 'maker' ? listing.maker : listing.taker).toFixed(),
    isMaker: trade.liquidity === 'maker',
    orderType: order.type === 'market' ? 'Market' : 'Limit',
    orderQty: qtyOf(listing, order.qty).toFixed(),
    leavesQty: qtyOf(listing, order.qty - order.filled).toFixed(),
    execTime: String(trade.timeMs),
  };
}

const positionsOf = (account: Account) =>
  account.positions().map(({ listing, position }) => {
    const size = signedSize(listing, position);
    const entry = entryPrice(listing, position);
    const described = {
      positionIdx: 0,
      category: listing.market,
      symbol: listing.venueSymbol,
      side: position.lots === 0 ? '' : position.lots > 0 ? 'Buy' : 'Sell',
      size: size.replace('-', ''),
      avgPrice: entry,
      entryPrice: entry,
      markPrice: '',
      liqPrice: '',
      leverage: '10',
      positionValue: position.cost.toFixed(),
      cumRealisedPnl: position.realised.toFixed(),
      positionStatus: 'Normal',
    };
    return { listing, described };
  });

const instrumentOf = (listing: Listing): Record<string, unknown> => {
  const lot = lotOf(listing).toFixed();
  const least = qtyOf(listing, listing.minLots).toFixed();
  const common = {
    symbol: listing.venueSymbol,
    status: 'Trading',
    baseCoin: listing.base,
    quoteCoin: listing.quote,
    priceFilter: { tickSize: tickOf(listing).toFixed(), minPrice: tickOf(listing).toFixed(), maxPrice: '99999999' },
  };
  if (listing.kind === 'spot') {
    const sizes = { basePrecision: lot, quotePrecision: '0.00000001', minOrderQty: least, maxOrderQty: '99999999' };
    const lotSizeFilter = { ...sizes, minOrderAmt: listing.minNotional.toFixed(), maxOrderAmt: '99999999' };
    return { ...common, marginTrading: 'none', lotSizeFilter };
  }
  const minNotional = listing.minNotional.isZero() ? {} : { minNotionalValue: listing.minNotional.toFixed() };
  return {
    ...common,
    settleCoin: listing.settle,
    launchTime: '1585526400000',
    deliveryTime: String(listing.expiryMs ?? 0),
    deliveryFeeRate: listing.expiryMs === undefined ? '' : listing.deliveryFee.toFixed(),
    lotSizeFilter: { qtyStep: lot, minOrderQty: least, maxOrderQty: '99999999', ...minNotional },
    ...(listing.kind === 'option'
      ? { optionsType: listing.right === 'call' ? 'Call' : 'Put' }
      : {
          contractType: `${listing.inverse ? 'Inverse' : 'Linear'}${listing.perpetual ? 'Perpetual' : 'Futures'}`,
          leverageFilter: { minLeverage: '1', maxLeverage: '100.00', leverageStep: '0.01' },
          fundingInterval: listing.fundingEveryMs / 60_000,
        }),
  };
};

type Terms = { readonly timeInForce: 'GTC' | 'IOC' | 'FOK'; readonly postOnly: boolean };
const MARKET_TERMS: Terms = { timeInForce: 'IOC', postOnly: false };
const TERMS: Readonly<Record<string, Terms>> = {
  GTC: { timeInForce: 'GTC', postOnly: false },
  IOC: { timeInForce: 'IOC', postOnly: false },
  FOK: { timeInForce: 'FOK', postOnly: false },
  PostOnly: { timeInForce: 'GTC', postOnly: true },
};

type Said = readonly [code: number, text: string];
/** On spot, and on contracts. */
const REFUSALS: Readonly<Record<Refusal, readonly [spot: Said, contract: Said]>> = {
  'price-off-grid': [
    [170134, 'Order price decimal too long.'],
    [10001, 'params error: price invalid'],
  ],
  'qty-off-grid': [
    [170137, 'Order quantity decimal too long.'],
    [10001, 'params error: Qty invalid'],
  ],
  'below-min-qty': [
    [170136, 'Order quantity has exceeded the lower limit.'],
    [110094, 'Order does not meet minimum order value'],
  ],
  'below-min-notional': [
    [170140, 'Order value exceeded lower limit.'],
    [110094, 'Order does not meet minimum order value 5USDT'],
  ],
  'insufficient-funds': [
    [170131, 'Insufficient balance.'],
    [110007, 'ab not enough for new order'],
  ],
  'duplicate-id': [
    [170141, 'Duplicate clientOrderId.'],
    [110072, 'OrderLinkedID is duplicate'],
  ],
  'would-take': [
    [170218, 'The LIMIT-MAKER order is rejected due to invalid price.'],
    [110003, 'Order price exceeds the allowable range.'],
  ],
  'no-liquidity': [
    [
      170198,
      'Your order quantity to sell is too large. The filled price may deviate significantly from the market price.',
    ],
    [110003, 'Order price exceeds the allowable range.'],
  ],
  'too-many-orders': [
    [170005, 'Too many new orders; current limit is 500 orders per second.'],
    [110020, 'Not allowed to have more than 500 active orders'],
  ],
  'reduce-only': [
    [110017, 'orderQty will be truncated to zero.'],
    [110017, 'orderQty will be truncated to zero.'],
  ],
  expired: [
    [170157, 'The trading pair is not available for api trading.'],
    [10027, 'Transactions are banned.'],
  ],
  'told-to': [
    [170201, 'Your account has been restricted for trades.'],
    [10027, 'Transactions are banned.'],
  ],
};
