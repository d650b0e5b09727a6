import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice } from '../accounts.ts';
import { DepthView } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { fixedText, trimmedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { derivativeListing, lotOf, priceOf, qtyOf, spotListings, tickOf } from '../listings.ts';
import type { MatchingEngine } from '../matching-engine.ts';
import { referenceOf } from '../reference.ts';
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

/**
 * MEXC: spot with its protobuf socket at `/ws`, futures with JSON at `/edge`, REST below `/api/v3` and `/api/v1`.
 * @see https://www.mexc.com/api-docs
 */
export const simulated: SimulatedVenue = {
  venue: 'mexc',
  hosts: { 'api.mexc.com': '', 'wbs-api.mexc.com': '', 'contract.mexc.com': '' },
  listings: [
    ...spotListings({
      venue: 'mexc',
      fees: ['0', '0.0005'],
      feeIn: 'quote',
      postOnly: 'ended',
      spell: (base, quote) => base + quote,
      minNotional: { USDT: '1', USDC: '1' },
    }),
    futuresListing('BTC/USDT:USDT', 'BTC_USDT', { contractSize: '0.0001', priceDecimals: 1 }),
    futuresListing('ETH/USDT:USDT', 'ETH_USDT', { contractSize: '0.01', priceDecimals: 2 }),
  ],
  dialect: (options) => new Mexc(options),
};

function futuresListing(
  symbol: string,
  venueSymbol: string,
  grid: { readonly contractSize: string; readonly priceDecimals: number },
): SimulatedVenue['listings'][number] {
  return derivativeListing({
    venue: 'mexc',
    market: 'futures',
    symbol,
    venueSymbol,
    ...grid,
    lotDecimals: 0,
    fees: ['0.0006', '0.0008'],
    postOnly: 'ended',
    wallet: 'futures',
  });
}

type Fields = ReadonlyMap<string, string>;
type MarketName = 'spot' | 'futures';
type Socket = {
  readonly client: Client;
  readonly market: MarketName;
  /** Topics as they are subscribed; private channels too. */
  readonly topics: Set<string>;
  account: Account | undefined;
  heardMs: number;
  spokeMs: number;
};
type Call = {
  readonly account: Account;
  readonly fields: Fields;
  readonly names: readonly string[];
  readonly items: readonly unknown[];
};
type Run = (call: Call) => unknown;

const WINDOW_MS = 10_000;
const ORDERS = { spot: { units: 200, windowMs: 10_000 }, futures: { units: 20, windowMs: 2_000 } } as const;
const IDLE_MS = 60_000;
const STREAMS_MAX = 30;
const REFERENCE_MS = 1_000;
const LISTEN_KEY_MS = 3_600_000;
const FIRST_SEQUENCE = 36_000_000_000;
const SPEEDS = ['10ms', '100ms'];
const PRIVATE = { orders: 304, deals: 306, account: 307 } as const;
const PERSONAL = ['order', 'order.deal', 'position', 'asset'];

class MexcError extends Error {
  override readonly name = 'MexcError';
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

const REFUSALS: Readonly<Record<Refusal, readonly [spot: number, futures: number, words: string]>> = {
  'price-off-grid': [30010, 2015, 'Price or quantity accuracy error'],
  'qty-off-grid': [10096, 2015, 'amount decimal places is too long'],
  'below-min-qty': [30002, 2008, 'The minimum transaction volume cannot be less than：1USDT'],
  'below-min-notional': [30002, 2008, 'The minimum transaction volume cannot be less than：1USDT'],
  'insufficient-funds': [30004, 2005, 'Insufficient balance!'],
  'duplicate-id': [33333, 2030, 'param is error'],
  'would-take': [30041, 2007, 'current order type can not place order'],
  'no-liquidity': [30025, 2007, 'no exist opponent order'],
  'too-many-orders': [30029, 2036, 'Cannot exceed the maximum order limit'],
  'reduce-only': [26, 2009, 'Position is not exists or closed.'],
  expired: [30016, 1002, 'contract not activated'],
  'told-to': [30016, 1002, 'trading disabled'],
};

class Mexc implements VenueDialect {
  readonly venue = 'mexc';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #books: readonly BookFeed[];
  readonly #flushedMs: Float64Array;
  readonly #sockets = new Set<Socket>();
  readonly #private = new PrivateAudience<Socket>();
  readonly #rates = { spot: new RateWindow(ORDERS.spot.windowMs), futures: new RateWindow(ORDERS.futures.windowMs) };
  readonly #listenKeys = new Map<string, { readonly account: Account; untilMs: number }>();
  readonly #operations: ReadonlyMap<string, Run>;
  #referredMs = 0;
  #keys = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#books = options.exchange.listings.map((listing) => new BookFeed(listing, options.exchange.engine(listing)));
    this.#flushedMs = new Float64Array(this.#books.length).fill(-Infinity);
    this.#operations = new Map(Object.entries({ ...this.#spotOperations(), ...this.#futuresOperations() }));
    options.exchange.listener = {
      booked: (listing) => {
        if (options.batchMs === 0 && !this.#stale(listing)) this.#flush(listing);
      },
      printed: (listing, print) => {
        if (!this.#stale(listing)) this.#printed(listing, print);
      },
      paid: (account, listing) => {
        this.#paid(account, listing);
      },
      ordered: (order, change) => {
        this.#ordered(order, change);
      },
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    const { route, query } = splitPath(path);
    const market = route === '/ws' ? 'spot' : route === '/edge' ? 'futures' : undefined;
    if (market === undefined) return undefined;
    const nowMs = this.#exchange.nowMs();
    const socket: Socket = { client, market, topics: new Set(), account: undefined, heardMs: nowMs, spokeMs: nowMs };
    const listenKey = fieldsOf(query).get('listenKey');
    if (listenKey !== undefined) {
      const key = this.#listenKeys.get(listenKey);
      if (key === undefined || key.untilMs < nowMs) client.send('Invalid listen key');
      else this.#enter(socket, key.account);
    }
    this.#sockets.add(socket);
    return {
      markets: [market],
      message: (text) => {
        socket.heardMs = this.#exchange.nowMs();
        if (market === 'spot') this.#spotMessage(socket, text);
        else this.#futuresMessage(socket, text);
      },
      closed: () => {
        this.#sockets.delete(socket);
        this.#private.leave(socket);
      },
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const market = this.marketOf(request.path) as MarketName;
    try {
      const open = request.method === 'GET' ? this.#public(route, fieldsOf(query)) : undefined;
      if (open !== undefined) return textReply(open);
      const account = market === 'spot' ? this.#authoriseSpot(request) : this.#authoriseFutures(request);
      const [run, names] = this.#find(request.method, route);
      const isOrder = request.method === 'POST' && /\/order(\/create)?$/.test(route);
      if (isOrder) this.#countOrder(account, market);
      const items = itemsOf(request.body);
      const body = fieldsOfJson(objectOf(request.body)) ?? new Map<string, string>();
      const answer = run({ account, names, items, fields: new Map([...fieldsOf(query), ...body]) });
      const isAcknowledged = isOrder || request.method === 'DELETE' || /\/order\/\w*cancel/.test(route);
      const delayMs = isAcknowledged ? this.#options.faults.ackDelayMs('mexc', market) : 0;
      return { ...textReply(answer), delayMs };
    } catch (error) {
      if (!(error instanceof MexcError)) throw error;
      const { code, message } = error;
      if (market === 'spot') return jsonReply(code === 429 ? 429 : 400, { msg: message, code });
      return jsonReply(200, { success: false, code, message });
    }
  }

  marketOf(path: string): string {
    return path.startsWith('/api/v1/') ? 'futures' : 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    return JSON.stringify(
      kind === 'rate-limited' ? { code: 429, msg: 'Too Many Requests' } : { code: 503, msg: 'service not available' },
    );
  }

  step(): void {
    const nowMs = this.#exchange.nowMs();
    for (const { listing } of this.#books) {
      if (nowMs - this.#flushedMs[listing.index]! < this.#options.batchMs || this.#stale(listing)) continue;
      this.#flushedMs[listing.index] = nowMs;
      this.#flush(listing);
    }
    // Spot hangs up on silence of both sides, futures on the client's alone.
    for (const { client, market, heardMs, spokeMs } of [...this.#sockets]) {
      const quietMs = nowMs - (market === 'futures' ? heardMs : Math.max(heardMs, spokeMs));
      if (quietMs > IDLE_MS) client.close(1005, 'idle');
    }
    if (nowMs - this.#referredMs < REFERENCE_MS) return;
    this.#referredMs = nowMs;
    for (const listing of this.#exchange.listings) if (listing.perpetual && !this.#stale(listing)) this.#refer(listing);
  }

  #stale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'mexc', market);
  }

  #send(socket: Socket, data: string | Uint8Array): void {
    socket.spokeMs = this.#exchange.nowMs();
    socket.client.send(data);
  }

  #tell(topic: string, data: () => string | Uint8Array): void {
    let frame: string | Uint8Array | undefined;
    for (const socket of this.#sockets) {
      if (!socket.topics.has(topic)) continue;
      frame ??= data();
      this.#send(socket, frame);
    }
  }

  /** Sends what changed to whoever listens; a gap loses the frame but not its numbers. */
  #flush(listing: Listing): void {
    const feed = this.#books[listing.index]!;
    if (!feed.advance()) return;
    const topics = depthTopicsOf(listing);
    const isHeard = [...this.#sockets].some((socket) => topics.some((topic) => socket.topics.has(topic)));
    if (isHeard && this.#options.faults.take('gap', 'mexc', listing.market) !== undefined) return;
    for (const topic of topics) this.#tell(topic, () => feed.frame(topic, this.#exchange.nowMs()));
  }

  #printed(listing: Listing, { price, lots, taker, timeMs, id }: Print): void {
    const { venueSymbol, priceDecimals, lotDecimals } = listing;
    const type = taker === 'buy' ? 1 : 2;
    if (listing.kind === 'spot') {
      const item = Buffer.concat([
        textField(1, fixedText(price, priceDecimals)),
        textField(2, trimmedText(lots, lotDecimals)),
        numberField(3, type),
        numberField(4, timeMs),
        textField(5, `${id}`),
      ]);
      for (const speed of SPEEDS) {
        const channel = `spot@public.aggre.deals.v3.api.pb@${speed}`;
        const topic = `${channel}@${venueSymbol}`;
        const body = Buffer.concat([textField(1, item), textField(2, channel)]);
        this.#tell(topic, () => wrapped({ channel: topic, symbol: venueSymbol, field: 314, body }, timeMs));
      }
      return;
    }
    const data = `[{"p":${trimmedText(price, priceDecimals)},"v":${trimmedText(lots, lotDecimals)},"T":${type},"O":3,"M":1,"t":${timeMs}}]`;
    this.#tell(`deal ${venueSymbol}`, () => pushOf(listing, 'deal', data, timeMs));
  }

  #refer(listing: Listing): void {
    const reference = referenceOf(this.#exchange, listing);
    if (reference === undefined) return;
    const { venueSymbol: symbol } = listing;
    const nowMs = this.#exchange.nowMs();
    const { mark, index, fundingRate, fundingMs } = reference;
    const told = {
      'fair.price': { price: mark, symbol },
      'index.price': { price: index, symbol },
      'funding.rate': { rate: fundingRate, symbol, nextSettleTime: fundingMs },
      ticker: { symbol, lastPrice: mark, fairPrice: mark, indexPrice: index, fundingRate, timestamp: nowMs },
    };
    for (const [name, data] of Object.entries(told))
      this.#tell(`${name} ${symbol}`, () => pushOf(listing, name, JSON.stringify(data), nowMs));
  }

  #spotMessage(socket: Socket, text: string): void {
    const message = objectOf(text);
    const method = message?.['method'];
    const answer = (msg: string, code = 0): void => {
      this.#send(socket, JSON.stringify({ id: typeof message?.['id'] === 'number' ? message['id'] : 0, code, msg }));
    };
    if (method === 'PING') {
      answer('PONG');
      return;
    }
    const params = textsOf(message?.['params']);
    if (method === 'UNSUBSCRIPTION') for (const topic of params) socket.topics.delete(topic);
    else if (method === 'SUBSCRIPTION') {
      const unknown = params.filter((topic) => !this.#isSpotTopic(socket, topic));
      if (unknown.length > 0) {
        answer(`Not Subscribed successfully! [${unknown.join(',')}].  Reason： Blocked! `);
        return;
      }
      if (socket.topics.size + params.length > STREAMS_MAX) {
        answer('Not Subscribed successfully! too many subscriptions');
        return;
      }
      for (const topic of params) socket.topics.add(topic);
    } else {
      answer('msg format invalid', 1);
      return;
    }
    answer(params.join(','));
  }

  #isSpotTopic({ account }: Socket, topic: string): boolean {
    if (topic.startsWith('spot@private.')) return account !== undefined;
    return this.#exchange.listings.some(
      (listing) => listing.kind === 'spot' && [...depthTopicsOf(listing), ...dealTopicsOf(listing)].includes(topic),
    );
  }

  #enter(socket: Socket, account: Account): void {
    socket.account = account;
    this.#private.join(account, socket);
  }

  #futuresMessage(socket: Socket, text: string): void {
    const message = objectOf(text);
    const method = typeof message?.['method'] === 'string' ? message['method'] : '';
    const param = message?.['param'];
    const ts = this.#exchange.nowMs();
    const answer = (channel: string, data: unknown): void => {
      this.#send(socket, JSON.stringify({ channel, data, ts }));
    };
    if (method === 'ping') answer('pong', ts);
    else if (method === 'login') {
      const account = this.#login(fieldsOfJson(param) ?? new Map<string, string>());
      if (account === undefined) {
        answer('rs.error', 'Login failed, please check your apiKey and signature');
        return;
      }
      this.#enter(socket, account);
      for (const name of PERSONAL) socket.topics.add(`personal.${name}`);
      answer('rs.login', 'success');
    } else if (method === 'personal.filter') {
      const filters = listOf((param as { readonly filters?: unknown } | undefined)?.filters).flatMap(
        (each) => fieldsOfJson(each)?.get('filter') ?? [],
      );
      for (const name of PERSONAL) socket.topics.delete(`personal.${name}`);
      for (const name of filters.length === 0 ? PERSONAL : filters) socket.topics.add(`personal.${name}`);
      answer('rs.personal.filter', 'success');
    } else this.#subscription(socket, method, fieldsOfJson(param) ?? new Map<string, string>());
  }

  #subscription(socket: Socket, method: string, param: Fields): void {
    const [, verb, name = ''] = /^(sub|unsub)[.]([\w.]+)$/.exec(method) ?? [];
    const symbol = param.get('symbol') ?? '';
    const listing = this.#exchange.listings.find((each) => each.perpetual && each.venueSymbol === symbol);
    const known = ['depth', 'deal', 'fair.price', 'index.price', 'funding.rate', 'ticker'].includes(name);
    const ts = this.#exchange.nowMs();
    const answer = (channel: string, data: string): void => {
      this.#send(socket, JSON.stringify({ channel, data, ts }));
    };
    if (verb === undefined || !known || listing === undefined) {
      answer('rs.error', known ? "Contract doesn't exist!" : `method ${method.slice(0, 40)} not exist`);
      return;
    }
    // Steps by themselves, or merged ones.
    const kind = name === 'depth' && param.get('compress') === 'false' ? 'depth.steps' : name;
    const topic = `${kind} ${symbol}`;
    if (verb === 'unsub') for (const each of [topic, `${name}.steps ${symbol}`]) socket.topics.delete(each);
    else socket.topics.add(topic);
    answer(`rs.${method}`, 'success');
  }

  #login(fields: Fields): Account | undefined {
    const apiKey = fields.get('apiKey') ?? '';
    const time = fields.get('reqTime') ?? '';
    const account = this.#exchange.ledger.byKey(apiKey);
    if (account === undefined || !(Math.abs(Number(time) - this.#exchange.nowMs()) <= WINDOW_MS)) return undefined;
    const expected = hmacSha256(account.spec.secret, apiKey + time, 'hex');
    return sameText(fields.get('signature') ?? '', expected) ? account : undefined;
  }

  /** The query before its signature. @throws MexcError */
  #authoriseSpot({ path, headers }: HttpRequest): Account {
    const { query } = splitPath(path);
    const account = this.#exchange.ledger.byKey(headers['x-mexc-apikey'] ?? '');
    if (account === undefined) throw new MexcError(10072, 'Api key info invalid');
    const fields = fieldsOf(query);
    const window = Number(fields.get('recvWindow') ?? 5_000);
    if (!(Math.abs(Number(fields.get('timestamp')) - this.#exchange.nowMs()) <= window))
      throw new MexcError(700003, 'Timestamp for this request is outside of the recvWindow.');
    const [unsigned = ''] = query.split('&signature=');
    if (!sameText(fields.get('signature') ?? '', hmacSha256(account.spec.secret, unsigned, 'hex')))
      throw new MexcError(700002, 'Signature for this request is not valid.');
    return account;
  }

  /** Key, time and content. @throws MexcError */
  #authoriseFutures({ path, headers, body }: HttpRequest): Account {
    const apiKey = headers['apikey'] ?? '';
    const time = headers['request-time'] ?? '';
    const account = this.#exchange.ledger.byKey(apiKey);
    if (account === undefined) throw new MexcError(401, 'Not logged in or login has expired');
    if (!(Math.abs(Number(time) - this.#exchange.nowMs()) <= WINDOW_MS)) throw new MexcError(513, 'Invalid request');
    const content = body === '' ? splitPath(path).query : body;
    if (!sameText(headers['signature'] ?? '', hmacSha256(account.spec.secret, apiKey + time + content, 'hex')))
      throw new MexcError(602, 'Confirming signature failed');
    return account;
  }

  /** @throws MexcError */
  #countOrder({ spec }: Account, market: MarketName): void {
    const used = this.#rates[market].take(spec.name, 1, this.#exchange.nowMs());
    if (used > ORDERS[market].units)
      throw new MexcError(market === 'spot' ? 429 : 510, 'Requests are too frequent, please try again later');
  }

  /** By the whole path, or with its last one or two parts as names. @throws MexcError */
  #find(method: string, route: string): readonly [run: Run, names: readonly string[]] {
    const parts = route.split('/');
    for (const count of [0, 1, 2]) {
      const names = count === 0 ? [] : parts.slice(-count);
      const pattern = [...parts.slice(0, parts.length - count), ...names.map(() => '*')].join('/');
      const run = this.#operations.get(`${method} ${pattern}`);
      if (run !== undefined) return [run, names.map((name) => decodeURIComponent(name))];
    }
    throw new MexcError(400, 'no such endpoint');
  }

  #funding(listing: Listing): unknown {
    const reference = referenceOf(this.#exchange, listing);
    return {
      symbol: listing.venueSymbol,
      fundingRate: reference?.fundingRate ?? 0,
      collectCycle: listing.fundingEveryMs / 3_600_000,
      nextSettleTime: reference?.fundingMs ?? 0,
      timestamp: this.#exchange.nowMs(),
    };
  }

  #public(route: string, fields: Fields): unknown {
    const nowMs = this.#exchange.nowMs();
    const name = route.split('/').at(-1) ?? '';
    switch (route.replace(/\/(depth|funding_rate)\/\w+$/, '/$1/*')) {
      case '/api/v3/ping':
        return {};
      case '/api/v3/time':
        return { serverTime: nowMs };
      case '/api/v3/exchangeInfo':
        return {
          timezone: 'CST',
          serverTime: nowMs,
          rateLimits: [],
          exchangeFilters: [],
          symbols: this.#exchange.listings.filter(({ kind }) => kind === 'spot').map(symbolOf),
        };
      case '/api/v3/depth':
        return this.#books[this.#listing('spot', fields.get('symbol')).index]!.spotSnapshot(
          Number(fields.get('limit') ?? 100),
          nowMs,
        );
      case '/api/v1/contract/ping':
        return done(nowMs);
      case '/api/v1/contract/detail':
        return done(this.#exchange.listings.filter(({ perpetual }) => perpetual).map(contractOf));
      case '/api/v1/contract/depth/*':
        return this.#books[this.#listing('futures', name).index]!.futuresSnapshot(
          Number(fields.get('limit') ?? 1_000),
          nowMs,
        );
      case '/api/v1/contract/funding_rate':
        return done(this.#exchange.listings.filter(({ perpetual }) => perpetual).map((each) => this.#funding(each)));
      case '/api/v1/contract/funding_rate/*':
        return done(this.#funding(this.#listing('futures', name)));
      default:
        return undefined;
    }
  }

  #listing(market: MarketName, symbol: string | undefined): Listing {
    const listing = this.#exchange.listings.find((each) => each.market === market && each.venueSymbol === symbol);
    if (listing !== undefined) return listing;
    throw market === 'spot' ? new MexcError(-1121, 'Invalid symbol.') : new MexcError(1001, 'Contract does not exist');
  }

  #spotOperations(): Readonly<Record<string, Run>> {
    const keyOf = ({ fields }: Call): string => fields.get('listenKey') ?? '';
    return {
      'GET /api/v3/capital/config/getall': () => [],
      'POST /api/v3/order': (call) => this.#placeSpot(call),
      'GET /api/v3/order': (call) => spotOrder(this.#spotOrder(call, -2013, 'Order does not exist.')),
      'DELETE /api/v3/order': (call) => {
        const order = this.#spotOrder(call, -2011, 'Unknown order sent.');
        if (!this.#exchange.cancel(order)) throw new MexcError(-2011, 'Unknown order sent.');
        return spotOrder(order);
      },
      'GET /api/v3/openOrders': (call) =>
        this.#orders(call, 'spot')
          .filter(({ status }) => status === 'open')
          .map(spotOrder),
      'DELETE /api/v3/openOrders': ({ account, fields }) => {
        const symbols = (fields.get('symbol') ?? '').split(',');
        return this.#exchange
          .cancelAll(account, ({ market, venueSymbol }) => market === 'spot' && symbols.includes(venueSymbol))
          .map(spotOrder);
      },
      'GET /api/v3/allOrders': (call) => this.#orders(call, 'spot').map(spotOrder),
      'GET /api/v3/myTrades': (call) => {
        const id = spotIdFrom(call.fields.get('orderId') ?? '');
        const [from, to] = ['startTime', 'endTime'].map((name) => call.fields.get(name));
        return this.#fills(call, 'spot')
          .filter(({ order }) => id === -1 || order.id === id)
          .filter(({ timeMs }) => timeMs >= Number(from ?? 0) && timeMs <= Number(to ?? Infinity))
          .slice(0, Math.min(100, Number(call.fields.get('limit') ?? 100)))
          .map(spotFill);
      },
      'GET /api/v3/account': ({ account }) => ({
        canTrade: true,
        canWithdraw: true,
        canDeposit: true,
        updateTime: null,
        accountType: 'SPOT',
        balances: account.assets('spot').map((asset) => {
          const free = account.available('spot', asset);
          return { asset, free: free.toFixed(), locked: account.balance('spot', asset).total.minus(free).toFixed() };
        }),
        permissions: ['SPOT'],
      }),
      'GET /api/v3/tradeFee': ({ fields }) => {
        const { maker, taker } = this.#listing('spot', fields.get('symbol'));
        const data = { makerCommission: `#${maker.toFixed()}`, takerCommission: `#${taker.toFixed()}` };
        return { data, code: 0, msg: 'success', timestamp: this.#exchange.nowMs() };
      },
      'POST /api/v3/userDataStream': ({ account }) => {
        this.#keys += 1;
        const listenKey = `lk${String(this.#keys).padStart(62, '0')}`;
        this.#listenKeys.set(listenKey, { account, untilMs: this.#exchange.nowMs() + LISTEN_KEY_MS });
        return { listenKey };
      },
      'PUT /api/v3/userDataStream': (call) => {
        const key = this.#listenKeys.get(keyOf(call));
        if (key === undefined) throw new MexcError(730706, 'listenKey does not exist');
        key.untilMs = this.#exchange.nowMs() + LISTEN_KEY_MS;
        return { listenKey: keyOf(call) };
      },
      'DELETE /api/v3/userDataStream': (call) => {
        this.#listenKeys.delete(keyOf(call));
        return { listenKey: keyOf(call) };
      },
    };
  }

  #futuresOperations(): Readonly<Record<string, Run>> {
    const root = '/api/v1/private';
    const open: Run = (call) => {
      const symbol = call.names[0];
      const list = this.#orders(call, 'futures').filter(
        ({ status, listing }) => status === 'open' && (symbol ?? listing.venueSymbol) === listing.venueSymbol,
      );
      return done(pageOf(list, call.fields).map(futuresOrder));
    };
    const found = (order: Order | undefined): unknown => {
      if (order?.listing.market !== 'futures') throw new MexcError(2040, 'order not exist');
      return done(futuresOrder(order));
    };
    return {
      [`POST ${root}/order/create`]: (call) => this.#placeFutures(call),
      [`POST ${root}/order/cancel`]: ({ account, items }) =>
        done(items.map((id) => this.#cancelFutures(this.#exchange.find(account, { id: futuresIdFrom(String(id)) })))),
      [`POST ${root}/order/batch_cancel_with_external`]: ({ account, items }) =>
        done(
          items.map((item) =>
            this.#cancelFutures(
              this.#exchange.find(account, { clientOrderId: fieldsOfJson(item)?.get('externalOid') ?? '' }),
            ),
          ),
        ),
      [`POST ${root}/order/cancel_all`]: ({ account, fields }) => {
        const symbol = fields.get('symbol');
        this.#exchange.cancelAll(
          account,
          ({ market, venueSymbol }) => market === 'futures' && (symbol ?? venueSymbol) === venueSymbol,
        );
        return done(undefined);
      },
      [`GET ${root}/order/get/*`]: ({ account, names }) =>
        found(this.#exchange.find(account, { id: futuresIdFrom(names[0]!) })),
      [`GET ${root}/order/external/*/*`]: ({ account, names }) =>
        found(this.#exchange.find(account, { clientOrderId: names[1] })),
      [`GET ${root}/order/list/open_orders`]: open,
      [`GET ${root}/order/list/open_orders/*`]: open,
      [`GET ${root}/order/list/order_deals`]: (call) =>
        done(
          pageOf(
            this.#fills(call, 'futures').filter(({ timeMs }) => timeMs >= Number(call.fields.get('start_time') ?? 0)),
            call.fields,
          ).map(futuresFill),
        ),
      [`GET ${root}/order/deal_details/*`]: ({ account, names }) =>
        done((this.#exchange.find(account, { id: futuresIdFrom(names[0]!) })?.trades ?? []).map(futuresFill)),
      [`GET ${root}/account/assets`]: ({ account }) =>
        done(account.assets('futures').map((asset) => assetOf(account, asset))),
      [`GET ${root}/position/open_positions`]: ({ account }) =>
        done(
          account
            .positions()
            .filter(({ position }) => position.lots !== 0)
            .map(positionOf),
        ),
      [`GET ${root}/account/tiered_fee_rate`]: ({ fields }) => {
        const { maker, taker } = this.#listing('futures', fields.get('symbol'));
        return done({
          level: 0,
          makerFee: `#${maker.toFixed()}`,
          takerFee: `#${taker.toFixed()}`,
          makerFeeDiscount: 1,
          takerFeeDiscount: 1,
        });
      },
    };
  }

  /** Newest first. */
  #orders({ account, fields }: Pick<Call, 'account' | 'fields'>, market: MarketName): readonly Order[] {
    const symbol = fields.get('symbol');
    return this.#exchange
      .ordersOf(account)
      .filter(({ listing }) => listing.market === market && (symbol ?? listing.venueSymbol) === listing.venueSymbol)
      .toReversed();
  }

  #fills(call: Call, market: MarketName): readonly Trade[] {
    return this.#orders(call, market)
      .flatMap(({ trades }) => trades)
      .sort((a, b) => b.id - a.id);
  }

  /** @throws MexcError */
  #spotOrder({ account, fields }: Call, code: number, words: string): Order {
    const id = fields.get('orderId');
    const order = this.#exchange.find(
      account,
      id === undefined ? { clientOrderId: fields.get('origClientOrderId') ?? '' } : { id: spotIdFrom(id) },
    );
    if (order?.listing.venueSymbol !== fields.get('symbol')) throw new MexcError(code, words);
    return order!;
  }

  #cancelFutures(order: Order | undefined): unknown {
    if (order?.listing.market !== 'futures') return { orderId: '#0', errorCode: 2040, errorMsg: 'order not exist' };
    const orderId = `#${futuresIdText(order.id)}`;
    return this.#exchange.cancel(order)
      ? { orderId, errorCode: 0, errorMsg: 'success' }
      : { orderId, errorCode: 2041, errorMsg: 'order state cannot be cancelled' };
  }

  #placeSpot({ account, fields }: Call): unknown {
    const listing = this.#listing('spot', fields.get('symbol'));
    const order = this.#place({
      ...spotDraft(fields),
      account,
      listing,
      clientOrderId: fields.get('newClientOrderId'),
    });
    const { symbol, orderId, price, origQty, type, side } = spotOrder(order);
    return { symbol, orderId, orderListId: -1, price, origQty, type, side, transactTime: order.createdMs };
  }

  #placeFutures({ account, fields }: Call): unknown {
    const listing = this.#listing('futures', fields.get('symbol'));
    const order = this.#place({ ...futuresDraft(fields), account, listing, clientOrderId: fields.get('externalOid') });
    return done({ orderId: futuresIdText(order.id), ts: order.createdMs });
  }

  /** @throws MexcError */
  #place(draft: Parameters<Exchange['place']>[0]): Order {
    const refuse = (reason: Refusal): never => {
      const [spot, futures, words] = REFUSALS[reason];
      throw new MexcError(draft.listing.market === 'spot' ? spot : futures, words);
    };
    try {
      const placed = this.#exchange.place(draft);
      return placed.kind === 'placed' ? placed.order : refuse(placed.reason);
    } catch (error) {
      if (error instanceof BadInput) return refuse('price-off-grid');
      throw error;
    }
  }

  #ordered(order: Order, change: OrderChange): void {
    for (const socket of this.#private.of(order.account)) {
      if (socket.market !== order.listing.market) continue;
      if (socket.market === 'spot') this.#tellSpot(socket, order, change);
      else this.#tellFutures(socket, order, change);
    }
  }

  #tellSpot(socket: Socket, order: Order, change: OrderChange): void {
    const { account, listing } = order;
    const nowMs = this.#exchange.nowMs();
    const tell = (name: keyof typeof PRIVATE, body: Uint8Array): void => {
      const channel = `spot@private.${name}.v3.api.pb`;
      if (!socket.topics.has(channel)) return;
      const symbol = name === 'account' ? '' : listing.venueSymbol;
      this.#send(socket, wrapped({ channel, symbol, field: PRIVATE[name], body }, nowMs));
    };
    tell('orders', orderMessage(order, change));
    if (change.kind === 'trade') tell('deals', dealMessage(change.trade));
    for (const asset of [listing.base, listing.quote]) tell('account', accountMessage(account, asset, nowMs));
  }

  #paid(account: Account, listing: Listing): void {
    for (const socket of this.#private.of(account)) {
      if (socket.market !== listing.market) continue;
      this.#tellPersonal(socket, 'position', positionOf({ listing, position: account.position(listing) }));
      this.#tellPersonal(socket, 'asset', assetOf(account, listing.settle));
    }
  }

  #tellPersonal(socket: Socket, name: string, data: unknown): void {
    if (socket.topics.has(`personal.${name}`))
      this.#send(socket, jsonText({ channel: `push.personal.${name}`, data, ts: this.#exchange.nowMs() }));
  }

  #tellFutures(socket: Socket, order: Order, change: OrderChange): void {
    const tell = (name: string, data: unknown): void => this.#tellPersonal(socket, name, data);
    const shown = futuresOrder(order);
    tell('order', change.kind === 'new' ? { ...shown, state: 2, dealVol: 0, dealAvgPrice: 0 } : shown);
    if (change.kind === 'trade') {
      tell('order.deal', { ...futuresFill(change.trade), externalOid: order.clientOrderId });
      const { listing } = order;
      tell('position', positionOf({ listing, position: order.account.position(listing) }));
    }
    tell('asset', assetOf(order.account, order.listing.settle));
  }
}

/** JSON in which texts that begin with `#` are numbers. */
const jsonText = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value).replace(/"#(-?[\d.]+)"/g, '$1');
const textReply = (value: unknown): HttpReply => ({ ...jsonReply(200, null), body: jsonText(value) });
const done = (data: unknown): unknown => ({ success: true, code: 0, data });

function itemsOf(body: string): readonly unknown[] {
  if (!body.startsWith('[')) return [];
  try {
    return listOf(JSON.parse(body));
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function pageOf<T>(list: readonly T[], fields: Fields): readonly T[] {
  const size = Number(fields.get('page_size') ?? 20);
  const from = (Number(fields.get('page_num') ?? 1) - 1) * size;
  return list.slice(from, from + size);
}

const spotIdText = (id: number): string => `C02__${String(id).padStart(21, '0')}`;
const spotIdFrom = (text: string): number => (/^C02__\d{21}$/.test(text) ? Number(text.slice(5)) : -1);
const futuresIdText = (id: number): string => `73${String(id).padStart(16, '0')}`;
const futuresIdFrom = (text: string): number => (/^73\d{16}$/.test(text) ? Number(text.slice(2)) : -1);

type Draft = Omit<Parameters<Exchange['place']>[0], 'account' | 'listing' | 'clientOrderId'>;
type Behaviour = Pick<Draft, 'type' | 'timeInForce' | 'postOnly'>;
const limit = (timeInForce: Draft['timeInForce'], postOnly = false): Behaviour => ({
  type: 'limit',
  timeInForce,
  postOnly,
});
const MARKET: Behaviour = { type: 'market', timeInForce: 'IOC', postOnly: false };

const SPOT_TYPES: Readonly<Record<string, Behaviour>> = {
  LIMIT: limit('GTC'),
  LIMIT_MAKER: limit('GTC', true),
  IMMEDIATE_OR_CANCEL: limit('IOC'),
  FILL_OR_KILL: limit('FOK'),
  MARKET,
};

/** @throws MexcError */
function spotDraft(fields: Fields): Draft {
  const side = fields.get('side')?.toLowerCase();
  const name = fields.get('type') ?? '';
  const behaviour = Object.hasOwn(SPOT_TYPES, name) ? SPOT_TYPES[name] : undefined;
  if ((side !== 'buy' && side !== 'sell') || behaviour === undefined)
    throw new MexcError(700004, "Mandatory parameter 'side' or 'type' was not sent, was empty/null, or malformed");
  const worth = behaviour.type === 'market' ? fields.get('quoteOrderQty') : undefined;
  return {
    side,
    ...behaviour,
    price: behaviour.type === 'market' ? undefined : fields.get('price'),
    qty: worth ?? fields.get('quantity') ?? '0',
    qtyIn: worth === undefined ? 'base' : 'quote',
  };
}

/** 5 is market; 6 too, whose rest this exchange does not turn into a limit order. */
const FUTURES_TYPES: Readonly<Record<string, Behaviour>> = {
  1: limit('GTC'),
  2: limit('GTC', true),
  3: limit('IOC'),
  4: limit('FOK'),
  5: MARKET,
  6: MARKET,
};

/** Sides 1 and 3 open, 2 and 4 close: those reduce. @throws MexcError */
function futuresDraft(fields: Fields): Draft {
  const side = fields.get('side') ?? '';
  const name = fields.get('type') ?? '';
  const behaviour = Object.hasOwn(FUTURES_TYPES, name) ? FUTURES_TYPES[name] : undefined;
  if (!/^[1-4]$/.test(side)) throw new MexcError(2001, 'Wrong order direction');
  if (behaviour === undefined) throw new MexcError(2029, 'Error order type');
  if (!/^[12]$/.test(fields.get('openType') ?? '')) throw new MexcError(2002, 'Wrong opening type');
  return {
    side: side === '1' || side === '2' ? 'buy' : 'sell',
    ...behaviour,
    price: behaviour.type === 'market' ? undefined : fields.get('price'),
    qty: fields.get('vol') ?? '0',
    qtyIn: 'base',
    reduceOnly: side === '2' || side === '4' || fields.get('reduceOnly') === 'true',
  };
}

const spotTypeOf = ({ type, postOnly, timeInForce }: Order): string =>
  type === 'market'
    ? 'MARKET'
    : postOnly
      ? 'LIMIT_MAKER'
      : { GTC: 'LIMIT', IOC: 'IMMEDIATE_OR_CANCEL', FOK: 'FILL_OR_KILL' }[timeInForce];

/** The numbers of types that futures and the user stream share. */
const typeNumberOf = ({ type, postOnly, timeInForce }: Order): number =>
  type === 'market' ? 5 : postOnly ? 2 : { GTC: 1, IOC: 3, FOK: 4 }[timeInForce];

function spotStatusOf({ status, filled }: Order): string {
  switch (status) {
    case 'open':
      return filled > 0 ? 'PARTIALLY_FILLED' : 'NEW';
    case 'filled':
      return 'FILLED';
    case 'canceled':
    case 'expired':
      return filled > 0 ? 'PARTIALLY_CANCELED' : 'CANCELED';
  }
}

const spotOrder = (order: Order) => ({
  symbol: order.listing.venueSymbol,
  orderId: spotIdText(order.id),
  orderListId: -1,
  clientOrderId: order.clientOrderId,
  price: limitOf(order).toFixed(),
  origQty: qtyOf(order.listing, order.qty).toFixed(),
  executedQty: qtyOf(order.listing, order.filled).toFixed(),
  cummulativeQuoteQty: order.cost.toFixed(),
  status: spotStatusOf(order),
  timeInForce: null,
  type: spotTypeOf(order),
  side: order.side.toUpperCase(),
  stopPrice: null,
  icebergQty: null,
  time: order.createdMs,
  updateTime: order.updatedMs,
  isWorking: true,
  origQuoteOrderQty: '0',
});

const spotFill = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade) => ({
  symbol: order.listing.venueSymbol,
  id: `${id}X1`,
  orderId: spotIdText(order.id),
  orderListId: -1,
  price: priceOf(order.listing, price).toFixed(),
  qty: qtyOf(order.listing, lots).toFixed(),
  quoteQty: priceOf(order.listing, price).times(qtyOf(order.listing, lots)).toFixed(),
  commission: fee.toFixed(),
  commissionAsset: feeAsset,
  time: timeMs,
  isBuyer: order.side === 'buy',
  isMaker: liquidity === 'maker',
  isBestMatch: true,
  isSelfTrade: false,
  clientOrderId: order.clientOrderId,
});

/** States: 2 open, 3 completed, 4 cancelled. */
const futuresOrder = (order: Order) => {
  const { listing } = order;
  return {
    orderId: futuresIdText(order.id),
    symbol: listing.venueSymbol,
    positionId: 1_394_650 + listing.index,
    price: `#${limitOf(order).toFixed()}`,
    vol: `#${qtyOf(listing, order.qty).toFixed()}`,
    leverage: 10,
    side: order.side === 'buy' ? 1 : 3,
    category: 1,
    orderType: typeNumberOf(order),
    dealAvgPrice: `#${averageOf(order).toDecimalPlaces(8).toFixed()}`,
    dealVol: `#${qtyOf(listing, order.filled).toFixed()}`,
    orderMargin: 0,
    takerFee: `#${order.trades.reduce((sum, { fee }) => sum.plus(fee), new Decimal(0)).toFixed()}`,
    makerFee: 0,
    profit: 0,
    feeCurrency: listing.settle,
    openType: 2,
    state: order.status === 'open' ? 2 : order.status === 'filled' ? 3 : 4,
    externalOid: order.clientOrderId,
    errorCode: 0,
    usedMargin: 0,
    createTime: order.createdMs,
    updateTime: order.updatedMs,
    positionMode: 2,
  };
};

const futuresFill = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs, realised }: Trade) => ({
  id: String(id),
  symbol: order.listing.venueSymbol,
  side: order.side === 'buy' ? 1 : 3,
  vol: `#${qtyOf(order.listing, lots).toFixed()}`,
  price: `#${priceOf(order.listing, price).toFixed()}`,
  feeCurrency: feeAsset,
  fee: `#${fee.toFixed()}`,
  timestamp: timeMs,
  profit: `#${realised.toFixed()}`,
  category: 1,
  orderId: futuresIdText(order.id),
  isTaker: liquidity === 'taker',
});

const assetOf = (account: Account, currency: string): Readonly<Record<string, unknown>> => {
  const { total, held } = account.balance('futures', currency);
  const available = account.available('futures', currency);
  return {
    currency,
    positionMargin: `#${total.minus(held).minus(available).toFixed()}`,
    availableBalance: `#${available.toFixed()}`,
    cashBalance: `#${total.toFixed()}`,
    frozenBalance: `#${held.toFixed()}`,
    equity: `#${total.toFixed()}`,
    unrealized: 0,
    bonus: 0,
  };
};

const positionOf = ({ listing, position }: ReturnType<Account['positions']>[number]): unknown => ({
  positionId: 1_394_650 + listing.index,
  symbol: listing.venueSymbol,
  positionType: position.lots < 0 ? 2 : 1,
  openType: 2,
  state: position.lots === 0 ? 3 : 1,
  holdVol: `#${qtyOf(listing, Math.abs(position.lots)).toFixed()}`,
  frozenVol: 0,
  closeVol: 0,
  holdAvgPrice: `#${entryPrice(listing, position)}`,
  openAvgPrice: `#${entryPrice(listing, position)}`,
  closeAvgPrice: 0,
  liquidatePrice: 0,
  oim: 0,
  im: 0,
  holdFee: 0,
  realised: `#${position.realised.toFixed()}`,
  leverage: 10,
  autoAddIm: false,
});

const symbolOf = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  status: '1',
  baseAsset: listing.base,
  baseAssetPrecision: listing.lotDecimals,
  quoteAsset: listing.quote,
  quotePrecision: listing.priceDecimals,
  quoteAssetPrecision: listing.priceDecimals,
  baseCommissionPrecision: listing.lotDecimals,
  quoteCommissionPrecision: listing.priceDecimals,
  orderTypes: ['LIMIT', 'MARKET', 'LIMIT_MAKER'],
  isSpotTradingAllowed: true,
  isMarginTradingAllowed: false,
  quoteAmountPrecision: listing.minNotional.toFixed(),
  baseSizePrecision: qtyOf(listing, listing.minLots).toFixed(),
  permissions: ['SPOT'],
  filters: [],
  maxQuoteAmount: '2000000000',
  makerCommission: listing.maker.toFixed(),
  takerCommission: listing.taker.toFixed(),
  fullName: listing.base,
  tradeSideType: 1,
});

const contractOf = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  displayName: listing.venueSymbol,
  displayNameEn: listing.venueSymbol,
  positionOpenType: 3,
  baseCoin: listing.base,
  quoteCoin: listing.quote,
  settleCoin: listing.settle,
  contractSize: `#${listing.contractSize.toFixed()}`,
  minLeverage: 1,
  maxLeverage: 125,
  priceScale: listing.priceDecimals,
  volScale: 0,
  priceUnit: `#${tickOf(listing).toFixed()}`,
  volUnit: `#${lotOf(listing).toFixed()}`,
  minVol: listing.minLots,
  maxVol: 1_000_000,
  takerFeeRate: `#${listing.taker.toFixed()}`,
  makerFeeRate: `#${listing.maker.toFixed()}`,
  state: 0,
  apiAllowed: true,
});

/** Base 128, lowest first; above 32 bits too. */
function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let left = value;
  while (left > 127) {
    bytes.push((left % 128) + 128);
    left = Math.floor(left / 128);
  }
  return [...bytes, left];
}

/** @see https://protobuf.dev/programming-guides/encoding/ */
const textField = (field: number, value: string | Uint8Array): Buffer => {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
};
const numberField = (field: number, value: number): Buffer => Buffer.from([...varint(field * 8), ...varint(value)]);

type Push = { readonly channel: string; readonly symbol: string; readonly field: number; readonly body: Uint8Array };

/** PushDataV3ApiWrapper. @see https://github.com/mexcdevelop/websocket-proto */
const wrapped = ({ channel, symbol, field, body }: Push, nowMs: number): Uint8Array =>
  Buffer.concat([
    textField(1, channel),
    ...(symbol === '' ? [] : [textField(3, symbol)]),
    numberField(5, nowMs),
    numberField(6, nowMs),
    textField(field, body),
  ]);

/** PrivateOrdersV3Api: 1 open, 2 filled, 3 partly filled, 4 cancelled, 5 cancelled in part. */
function orderMessage(order: Order, change: OrderChange): Uint8Array {
  const { listing } = order;
  const filled = change.kind === 'new' ? 0 : order.filled;
  const status =
    { NEW: 1, FILLED: 2, PARTIALLY_FILLED: 3, CANCELED: 4, PARTIALLY_CANCELED: 5 }[spotStatusOf(order)] ?? 1;
  return Buffer.concat([
    textField(1, spotIdText(order.id)),
    textField(2, order.clientOrderId),
    textField(3, limitOf(order).toFixed()),
    textField(4, qtyOf(listing, order.qty).toFixed()),
    textField(5, limitOf(order).times(qtyOf(listing, order.qty)).toFixed()),
    textField(6, averageOf(order).toDecimalPlaces(8).toFixed()),
    numberField(7, typeNumberOf(order)),
    numberField(8, order.side === 'buy' ? 1 : 2),
    textField(11, qtyOf(listing, order.qty - filled).toFixed()),
    textField(13, qtyOf(listing, filled).toFixed()),
    textField(14, order.cost.toFixed()),
    numberField(15, change.kind === 'new' ? 1 : status),
    numberField(16, order.createdMs),
  ]);
}

/** PrivateDealsV3Api. */
const dealMessage = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade): Uint8Array =>
  Buffer.concat([
    textField(1, priceOf(order.listing, price).toFixed()),
    textField(2, qtyOf(order.listing, lots).toFixed()),
    textField(3, priceOf(order.listing, price).times(qtyOf(order.listing, lots)).toFixed()),
    numberField(4, order.side === 'buy' ? 1 : 2),
    ...(liquidity === 'maker' ? [numberField(5, 1)] : []),
    textField(7, `${id}X1`),
    textField(8, order.clientOrderId),
    textField(9, spotIdText(order.id)),
    textField(10, fee.toFixed()),
    textField(11, feeAsset),
    numberField(12, timeMs),
  ]);

/** PrivateAccountV3Api. */
function accountMessage(account: Account, asset: string, nowMs: number): Uint8Array {
  const available = account.available('spot', asset);
  return Buffer.concat([
    textField(1, asset),
    textField(2, '128f589271cb4951b03e71e6323eb7be'),
    textField(3, available.toFixed()),
    textField(4, '0'),
    textField(5, account.balance('spot', asset).total.minus(available).toFixed()),
    textField(6, '0'),
    textField(7, 'ENTRUST'),
    numberField(8, nowMs),
  ]);
}

const pushOf = ({ venueSymbol }: Listing, name: string, data: string, ts: number): string =>
  `{"channel":"push.${name}","data":${data},"symbol":"${venueSymbol}","ts":${ts}}`;

const depthTopicsOf = ({ kind, venueSymbol }: Listing): readonly string[] =>
  kind === 'spot'
    ? SPEEDS.map((speed) => `spot@public.aggre.depth.v3.api.pb@${speed}@${venueSymbol}`)
    : [`depth ${venueSymbol}`, `depth.steps ${venueSymbol}`];
const dealTopicsOf = ({ venueSymbol }: Listing): readonly string[] =>
  SPEEDS.map((speed) => `spot@public.aggre.deals.v3.api.pb@${speed}@${venueSymbol}`);

/** One book as its subscribers know it: the whole of it, whose snapshots stand at the number of the last frame. */
class BookFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  readonly #view: DepthView;
  #first = FIRST_SEQUENCE;
  #last = FIRST_SEQUENCE;
  /** Of futures, which count their frames. */
  #version = 1;

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
    this.#view = new DepthView(engine, Infinity);
    this.#view.advance();
    this.#last = FIRST_SEQUENCE + engine.changes;
  }

  /** True when there is something to tell. */
  advance(): boolean {
    if (!this.#view.advance()) return false;
    this.#first = this.#last + 1;
    this.#last = Math.max(this.#first, FIRST_SEQUENCE + this.#engine.changes);
    this.#version += 1;
    return true;
  }

  /** What the last advance found. */
  frame(topic: string, nowMs: number): string | Uint8Array {
    const { bidChanges, askChanges } = this.#view;
    if (this.listing.kind !== 'spot') {
      const merged = topic.startsWith('depth.steps') ? '' : `"begin":${this.#version},"end":${this.#version},`;
      const data = `{"asks":${this.#levels(askChanges)},"bids":${this.#levels(bidChanges)},${merged}"version":${this.#version}}`;
      return pushOf(this.listing, 'depth', data, nowMs);
    }
    const { venueSymbol } = this.listing;
    const channel = topic.slice(0, -venueSymbol.length - 1);
    const body = Buffer.concat([
      ...this.#items(1, askChanges),
      ...this.#items(2, bidChanges),
      textField(3, channel),
      textField(4, String(this.#first)),
      textField(5, String(this.#last)),
    ]);
    return wrapped({ channel: topic, symbol: venueSymbol, field: 313, body }, nowMs);
  }

  spotSnapshot(depth: number, nowMs: number): string {
    const { bids, asks } = this.#view;
    const side = (flat: FlatLevels): string => this.#levels(flat.slice(0, 2 * depth), '"', '');
    return `{"lastUpdateId":${this.#last},"bids":${side(bids)},"asks":${side(asks)},"timestamp":${nowMs}}`;
  }

  futuresSnapshot(depth: number, nowMs: number): string {
    const { bids, asks } = this.#view;
    const side = (flat: FlatLevels): string => this.#levels(flat.slice(0, 2 * depth));
    return `{"success":true,"code":0,"data":{"asks":${side(asks)},"bids":${side(bids)},"version":${this.#version},"timestamp":${nowMs}}}`;
  }

  /** Futures end a level with its number of orders. */
  #levels(flat: FlatLevels, quote = '', tail = ',1'): string {
    const { priceDecimals, lotDecimals } = this.listing;
    let text = '[';
    for (let at = 0; at < flat.length; at += 2) {
      const price = trimmedText(flat[at]!, priceDecimals);
      const qty = trimmedText(flat[at + 1]!, lotDecimals);
      text += `${at === 0 ? '' : ','}[${quote}${price}${quote},${quote}${qty}${quote}${tail}]`;
    }
    return `${text}]`;
  }

  #items(field: number, flat: FlatLevels): readonly Buffer[] {
    const { priceDecimals, lotDecimals } = this.listing;
    return Array.from({ length: flat.length / 2 }, (_, at) => {
      const price = textField(1, fixedText(flat[2 * at]!, priceDecimals));
      const qty = textField(2, trimmedText(flat[2 * at + 1]!, lotDecimals));
      return textField(field, Buffer.concat([price, qty]));
    });
  }
}
