import { assert } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import type { Exchange, Order, OrderChange } from '../exchange.ts';
import type { Listing } from '../listings.ts';
import { derivativeListing, spotListings } from '../listings.ts';
import { BinanceFeed } from './binance-feed.ts';
import type { StreamSocket } from './binance-feed.ts';
import { exchangeInfo } from './binance-metadata.ts';
import {
  BinanceError,
  describeCancel,
  describeOrder,
  describeTrade,
  executionOf,
  findOrder,
  placeOrder,
  required,
  walletRows,
} from './binance-orders.ts';
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
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
  textsOf,
} from './venue-dialect.ts';

type BinanceMarket = 'spot' | 'usdm' | 'coinm';
type Fields = ReadonlyMap<string, string>;
/** What one operation is asked: `account` is there where the operation's security asks for it. */
type Call = { readonly market: BinanceMarket; readonly fields: Fields; readonly account: Account | undefined };
type Operation = {
  readonly security: 'none' | 'key' | 'signed';
  readonly weight: number;
  /** Its answer is an order's acknowledgement: slow-ack and lost-ack hit it. */
  readonly acknowledges?: true;
  readonly run: (call: Call) => unknown;
};

/** How an account's events reach one of its sockets: the WebSocket API wraps them, listen-key sockets do not. */
type PrivateSocket = {
  readonly client: Client;
  readonly market: BinanceMarket;
  readonly subscriptionId: number | undefined;
};

/** Weight a minute, orders in ten seconds, messages a second on a stream socket. */
const LIMITS: Readonly<
  Record<BinanceMarket, { readonly weight: number; readonly orders: number; readonly messages: number }>
> = {
  spot: { weight: 6_000, orders: 100, messages: 5 },
  usdm: { weight: 2_400, orders: 300, messages: 10 },
  coinm: { weight: 2_400, orders: 300, messages: 10 },
};
const RECV_WINDOW_MS = 5_000;
const STREAMS_MAX = 1_024;
const MISSING = { code: -2013, text: 'Order does not exist.' };
const UNKNOWN = { code: -2011, text: 'Unknown order sent.' };

/**
 * Binance spot, USD-M and COIN-M below `/spot`, `/usdm` and `/coinm`.
 * @see https://developers.binance.com/docs/binance-spot-api-docs
 * @see https://developers.binance.com/docs/derivatives
 */
export const simulated: SimulatedVenue = {
  venue: 'binance',
  hosts: {
    'api.binance.com': '/spot',
    'stream.binance.com:9443': '/spot',
    'stream.binance.com': '/spot',
    'data-stream.binance.vision': '/spot',
    'ws-api.binance.com:443': '/spot',
    'ws-api.binance.com': '/spot',
    'fapi.binance.com': '/usdm',
    'fstream.binance.com': '/usdm',
    'ws-fapi.binance.com': '/usdm',
    'dapi.binance.com': '/coinm',
    'dstream.binance.com': '/coinm',
    'ws-dapi.binance.com': '/coinm',
  },
  listings: [
    ...spotListings({
      venue: 'binance',
      fees: ['0.001', '0.001'],
      spell: (base, quote) => `${base}${quote}`,
      priceDecimals: { 'BTC/USDT': 2, 'BTC/USDC': 2, 'USDC/USDT': 5 },
      lotDecimals: {
        'BTC/USDT': 5,
        'ETH/USDT': 4,
        'SOL/USDT': 3,
        'XRP/USDT': 1,
        'ADA/USDT': 1,
        'LTC/USDT': 3,
        'ETH/BTC': 4,
        'SOL/BTC': 3,
        'XRP/BTC': 0,
        'LTC/BTC': 3,
        'SOL/ETH': 3,
        'USDC/USDT': 0,
        'BTC/USDC': 5,
        'ETH/USDC': 4,
      },
      minNotional: { USDT: '5', USDC: '5', BTC: '0.0001', ETH: '0.001' },
    }),
    derivativeListing({
      venue: 'binance',
      market: 'usdm',
      symbol: 'BTC/USDT:USDT',
      venueSymbol: 'BTCUSDT',
      contractSize: '1',
      priceDecimals: 1,
      lotDecimals: 3,
      minNotional: '50',
      fees: ['0.0002', '0.0005'],
      wallet: 'usdm',
    }),
    derivativeListing({
      venue: 'binance',
      market: 'coinm',
      symbol: 'BTC/USD:BTC',
      venueSymbol: 'BTCUSD_PERP',
      contractSize: '100',
      priceDecimals: 1,
      lotDecimals: 0,
      fees: ['0.0002', '0.0005'],
      wallet: 'coinm',
    }),
  ],
  dialect: (options) => new Binance(options),
};

class Binance implements VenueDialect {
  readonly venue = 'binance';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #feeds: readonly BinanceFeed[];
  readonly #flushedMs: Float64Array;
  readonly #private = new PrivateAudience<PrivateSocket>();
  readonly #listenKeys = new Map<string, { readonly account: Account; readonly market: BinanceMarket }>();
  readonly #weights = new RateWindow(60_000);
  readonly #orderRates = new RateWindow(10_000);
  readonly #operations: ReadonlyMap<string, Operation>;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#feeds = options.exchange.listings.map(
      (listing) => new BinanceFeed(listing, options.exchange.engine(listing)),
    );
    this.#flushedMs = new Float64Array(this.#feeds.length).fill(-Infinity);
    this.#operations = new Map(
      Object.entries({ ...this.#marketOperations(), ...this.#accountOperations(), ...this.#orderOperations() }),
    );
    options.exchange.listener = {
      booked: (listing) => this.#booked(listing),
      printed: (listing, print) => {
        if (!this.#stale(listing)) this.#feeds[listing.index]!.trade(print);
      },
      ordered: (order, change) => this.#ordered(order, change),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    const { route, query } = splitPath(path);
    const [, market, ...rest] = route.split('/');
    if (!isMarket(market)) return undefined;
    const [kind, name] = ROUTED.has(rest[0] ?? '') ? rest.slice(1) : rest;
    const fields = fieldsOf(query);
    if (kind === 'ws-api' || kind === 'ws-fapi' || kind === 'ws-dapi') return this.#apiSocket(market, client);
    if (kind !== 'ws' && kind !== 'stream') return undefined;

    const listenKey = this.#listenKeys.get(fields.get('listenKey') ?? name ?? '');
    if (listenKey !== undefined) return this.#listenKeySocket(listenKey, client);
    const streams = (fields.get('streams') ?? (name?.includes('@') === true ? name : ''))
      .split('/')
      .filter((text) => text !== '');
    return this.#streamSocket(market, { client, combined: kind === 'stream', streams: new Set() }, streams);
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const [, market, ...rest] = route.split('/');
    if (!isMarket(market)) return jsonReply(404, { code: -1000, msg: 'No such market.' });
    const operation = this.#operations.get(`${request.method} ${operationName(rest)}`);
    if (operation === undefined)
      return jsonReply(404, { code: -5000, msg: `Path /${rest.join('/')}, Method ${request.method} is invalid` });

    const nowMs = this.#exchange.nowMs();
    const used = this.#weights.take(market, operation.weight, nowMs);
    const headers = { 'x-mbx-used-weight-1m': String(used) };
    if (used > LIMITS[market].weight)
      return jsonReply(429, TOO_MANY, { ...headers, 'retry-after': String(this.#weights.secondsLeft(nowMs)) });
    try {
      const fields = new Map([...fieldsOf(query), ...fieldsOf(request.body)]);
      const account = this.#authorise(operation, request, query, fields);
      const value = operation.run({ market, fields, account });
      const delayMs = operation.acknowledges === true ? this.#options.faults.ackDelayMs('binance', market) : 0;
      return { ...jsonReply(200, value, headers), delayMs };
    } catch (error) {
      if (error instanceof BinanceError)
        return jsonReply(error.status, { code: error.code, msg: error.message }, headers);
      throw error;
    }
  }

  marketOf(path: string): string {
    const market = path.split('/')[1];
    return isMarket(market) ? market : 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    return JSON.stringify(
      kind === 'rate-limited' ? TOO_MANY : { code: -1001, msg: 'Internal error; unable to process your request.' },
    );
  }

  step(): void {
    const nowMs = this.#exchange.nowMs();
    for (const feed of this.#feeds) {
      const { listing } = feed;
      if (nowMs - this.#flushedMs[listing.index]! < this.#options.batchMs || this.#stale(listing)) continue;
      this.#flushedMs[listing.index] = nowMs;
      feed.flush(nowMs, () => this.#options.faults.take('gap', 'binance', listing.market) !== undefined);
    }
  }

  #booked(listing: Listing): void {
    if (this.#stale(listing)) return;
    const feed = this.#feeds[listing.index]!;
    const nowMs = this.#exchange.nowMs();
    feed.quote(nowMs);
    if (this.#options.batchMs === 0)
      feed.flush(nowMs, () => this.#options.faults.take('gap', 'binance', listing.market) !== undefined);
  }

  #stale(listing: Listing): boolean {
    return this.#options.faults.holds('stale', 'binance', listing.market);
  }

  #streamSocket(market: BinanceMarket, socket: StreamSocket, streams: readonly string[]): Connection {
    const change = (names: readonly string[], on: boolean): void => {
      for (const name of names) {
        if (on && socket.streams.size >= STREAMS_MAX) return;
        const symbol = name.slice(0, name.indexOf('@'));
        // Stream names are lower case; others are acknowledged, and silent.
        const feed = symbol === symbol.toLowerCase() ? this.#feedOf(market, symbol.toUpperCase()) : undefined;
        if (on) {
          socket.streams.add(name);
          feed?.subscribe(name, socket);
        } else {
          socket.streams.delete(name);
          feed?.unsubscribe(name, socket);
        }
      }
    };
    change(streams, true);
    const reply = (value: unknown): void => socket.client.send(JSON.stringify(value));
    const messages = new RateWindow(1_000);
    return {
      markets: [market],
      message: (text) => {
        if (messages.take('', 1, this.#exchange.nowMs()) > LIMITS[market].messages) {
          socket.client.close(1008, 'Too many requests');
          return;
        }
        const message = objectOf(text);
        const names = textsOf(message?.['params']);
        const id = message?.['id'] ?? null;
        switch (message?.['method']) {
          case 'SUBSCRIBE':
            reply({ result: null, id });
            change(names, true);
            return;
          case 'UNSUBSCRIBE':
            change(names, false);
            reply({ result: null, id });
            return;
          case 'LIST_SUBSCRIPTIONS':
            reply({ result: [...socket.streams], id });
            return;
          default:
            reply({
              error: {
                code: message === undefined ? 3 : 2,
                msg: message === undefined ? 'Invalid JSON' : 'Invalid request',
              },
              id,
            });
        }
      },
      closed: () => change([...socket.streams], false),
    };
  }

  #feedOf(market: BinanceMarket, symbol: string): BinanceFeed | undefined {
    return this.#feeds.find(({ listing }) => listing.market === market && listing.venueSymbol === symbol);
  }

  #listenKeySocket({ account, market }: { account: Account; market: BinanceMarket }, client: Client): Connection {
    const socket: PrivateSocket = { client, market, subscriptionId: undefined };
    this.#private.join(account, socket);
    return { markets: [market], message: () => undefined, closed: () => this.#private.leave(socket) };
  }

  /** The WebSocket API: requests with an id, and on spot the user data stream. */
  #apiSocket(market: BinanceMarket, client: Client): Connection {
    const socket: PrivateSocket = { client, market, subscriptionId: 0 };
    return {
      markets: [market],
      message: (text) => this.#apiMessage(market, socket, text),
      closed: () => this.#private.leave(socket),
    };
  }

  #apiMessage(market: BinanceMarket, socket: PrivateSocket, text: string): void {
    const message = objectOf(text);
    const id = message?.['id'] ?? null;
    const method = typeof message?.['method'] === 'string' ? message['method'] : '';
    const operation = this.#operations.get(API_METHODS[method] ?? '');
    const send = (value: unknown): void => socket.client.send(JSON.stringify(value));
    try {
      const fields = fieldsOfJson(message?.['params']) ?? new Map<string, string>();
      if (method === 'userDataStream.subscribe.signature' || method === 'userDataStream.subscribe') {
        this.#private.join(this.#authoriseParams(fields), socket);
        send({ id, status: 200, result: { subscriptionId: 0 } });
        return;
      }
      if (operation === undefined) throw new BinanceError(-1000, 'Unknown method.');
      const account = operation.security === 'none' ? undefined : this.#authoriseParams(fields);
      const result = operation.run({ market, fields, account });
      const answer = (): void => send({ id, status: 200, result, rateLimits: [] });
      if (operation.acknowledges === true) deliver(this.#options, market, answer);
      else answer();
    } catch (error) {
      if (!(error instanceof BinanceError)) throw error;
      send({ id, status: error.status, error: { code: error.code, msg: error.message } });
    }
  }

  /** The account a REST request may act for; undefined for public operations. @throws BinanceError */
  #authorise(operation: Operation, { headers, body }: HttpRequest, query: string, fields: Fields): Account | undefined {
    if (operation.security === 'none') return undefined;
    const account = this.#accountOf(headers['x-mbx-apikey']);
    if (operation.security === 'key') return account;
    const signed = (text: string): string => text.replace(/(^|&)signature=[^&]*/, '');
    this.#verify(account, signed(query) + signed(body), fields);
    return account;
  }

  /** The same for a WebSocket API request: its parameters sorted by name. @throws BinanceError */
  #authoriseParams(fields: Fields): Account {
    const account = this.#accountOf(fields.get('apiKey'));
    const names = [...fields.keys()].filter((name) => name !== 'signature').sort();
    this.#verify(account, names.map((name) => `${name}=${fields.get(name)!}`).join('&'), fields);
    return account;
  }

  #accountOf(apiKey: string | undefined): Account {
    if (apiKey === undefined || apiKey === '') throw new BinanceError(-2014, 'API-key format invalid.', 401);
    const account = this.#exchange.ledger.byKey(apiKey);
    if (account === undefined) throw new BinanceError(-2015, 'Invalid API-key, IP, or permissions for action.', 401);
    return account;
  }

  #verify({ spec }: Account, payload: string, fields: Fields): void {
    const signature = required(fields, 'signature');
    if (!sameText(signature, hmacSha256(spec.secret, payload, 'hex')))
      throw new BinanceError(-1022, 'Signature for this request is not valid.');
    const timestamp = Number(required(fields, 'timestamp'));
    const window = Number(fields.get('recvWindow') ?? RECV_WINDOW_MS);
    const nowMs = this.#exchange.nowMs();
    if (!(timestamp < nowMs + 1_000 && nowMs - timestamp <= Math.min(window, 60_000)))
      throw new BinanceError(-1021, 'Timestamp for this request is outside of the recvWindow.');
  }

  #marketOperations(): Readonly<Record<string, Operation>> {
    const open = (weight: number, run: Operation['run']): Operation => ({ security: 'none', weight, run });
    const listed = ({ market }: Call): readonly Listing[] =>
      this.#exchange.listings.filter((listing) => listing.market === market);
    const tickers = (call: Call, show: (ticker: Record<string, unknown>) => unknown): unknown => {
      const symbol = call.fields.get('symbol');
      const feed = (listing: Listing): unknown => show(this.#feeds[listing.index]!.ticker());
      return symbol === undefined ? listed(call).map(feed) : feed(this.#listing(call));
    };
    return {
      'GET ping': open(1, () => ({})),
      'GET time': open(1, () => ({ serverTime: this.#exchange.nowMs() })),
      'GET exchangeInfo': open(20, (call) => exchangeInfo(call.market, listed(call), this.#exchange.nowMs())),
      'GET depth': open(5, (call) => {
        const limit = Number(call.fields.get('limit') ?? 100);
        if (!(limit > 0)) throw new BinanceError(-1100, "Illegal characters found in parameter 'limit'.");
        return this.#feeds[this.#listing(call).index]!.snapshot(Math.min(5_000, limit), this.#exchange.nowMs());
      }),
      'GET ticker/bookTicker': open(2, (call) => tickers(call, (ticker) => ticker)),
      'GET ticker/price': open(2, (call) => tickers(call, ({ symbol, bidPrice }) => ({ symbol, price: bidPrice }))),
      // No margin trading: clients that ask get the empty truth.
      'GET margin/allPairs': open(1, () => []),
      'GET margin/isolated/allPairs': open(1, () => []),
      'GET capital/config/getall': { security: 'signed', weight: 1, run: () => this.#coins() },
    };
  }

  #accountOperations(): Readonly<Record<string, Operation>> {
    const signed = (weight: number, run: (call: Call, account: Account) => unknown): Operation => ({
      security: 'signed',
      weight,
      run: (call) => run(call, accountIn(call)),
    });
    const listenKey: Operation = { security: 'key', weight: 1, run: (call) => this.#listenKey(call) };
    return {
      'GET account': signed(20, ({ market }, account) =>
        market === 'spot' ? this.#spotAccount(account) : this.#futuresAccount(account, market),
      ),
      'GET balance': signed(5, ({ market }, account) =>
        walletRows(account, market).map(({ asset, free, total }) => ({
          asset,
          balance: total,
          crossWalletBalance: total,
          availableBalance: free,
        })),
      ),
      'GET account/commission': signed(20, (call) => ({
        symbol: this.#listing(call).venueSymbol,
        standardCommission: commissionOf(this.#listing(call)),
        taxCommission: NO_COMMISSION,
        discount: { enabledForAccount: false, enabledForSymbol: false, discountAsset: 'BNB', discount: '0.00000000' },
      })),
      'GET commissionRate': signed(20, (call) => {
        const { venueSymbol, maker, taker } = this.#listing(call);
        return { symbol: venueSymbol, makerCommissionRate: maker.toFixed(), takerCommissionRate: taker.toFixed() };
      }),
      'GET myTrades': signed(20, (call, account) => this.#trades(call, account)),
      'GET userTrades': signed(5, (call, account) => this.#trades(call, account)),
      'GET positionRisk': signed(5, ({ market }, account) => this.#positions(account, market)),
      'POST listenKey': listenKey,
      'PUT listenKey': listenKey,
      'DELETE listenKey': listenKey,
    };
  }

  #orderOperations(): Readonly<Record<string, Operation>> {
    const signed = (weight: number, run: (call: Call, account: Account) => unknown): Operation => ({
      security: 'signed',
      weight,
      run: (call) => run(call, accountIn(call)),
    });
    const acknowledged = (run: (call: Call, account: Account) => unknown): Operation => ({
      ...signed(1, run),
      acknowledges: true,
    });
    return {
      'POST order': acknowledged((call, account) => {
        this.#countOrder(call.market, account);
        return placeOrder(this.#exchange, this.#listing(call), account, call.fields);
      }),
      'DELETE order': acknowledged(({ fields }, account) => {
        const order = findOrder(this.#exchange, account, fields, UNKNOWN);
        if (!this.#exchange.cancel(order)) throw new BinanceError(UNKNOWN.code, UNKNOWN.text);
        return describeCancel(order);
      }),
      'GET order': signed(4, ({ fields }, account) =>
        describeOrder(findOrder(this.#exchange, account, fields, MISSING)),
      ),
      'GET openOrders': signed(6, (call, account) => this.#orders(call, account, 'open').map(describeOrder)),
      'GET allOrders': signed(20, (call, account) => this.#orders(call, account).map(describeOrder)),
      'DELETE openOrders': acknowledged((call, account) => {
        const orders = this.#orders(call, account, 'open');
        if (orders.length === 0) throw new BinanceError(UNKNOWN.code, UNKNOWN.text);
        for (const order of orders) this.#exchange.cancel(order);
        return orders.map(describeCancel);
      }),
      'DELETE allOpenOrders': acknowledged((call, account) => {
        for (const order of this.#orders(call, account, 'open')) this.#exchange.cancel(order);
        return { code: 200, msg: 'The operation of cancel all open order is done.' };
      }),
    };
  }

  #listing({ market, fields }: Call): Listing {
    const feed = this.#feedOf(market, required(fields, 'symbol'));
    if (feed === undefined) throw new BinanceError(-1121, 'Invalid symbol.');
    return feed.listing;
  }

  #orders({ market, fields }: Call, account: Account, status?: 'open'): readonly Order[] {
    const symbol = fields.get('symbol');
    return this.#exchange
      .ordersOf(account, status)
      .filter(({ listing }) => listing.market === market && (symbol === undefined || listing.venueSymbol === symbol));
  }

  #trades(call: Call, account: Account): readonly unknown[] {
    const orderId = call.fields.get('orderId');
    return this.#orders(call, account)
      .filter(({ id }) => orderId === undefined || id === Number(orderId))
      .flatMap(({ trades }) => trades)
      .sort((a, b) => a.id - b.id)
      .slice(-1_000)
      .map(describeTrade);
  }

  #countOrder(market: BinanceMarket, account: Account): void {
    const key = `${account.spec.name}:${market}`;
    if (this.#orderRates.take(key, 1, this.#exchange.nowMs()) > LIMITS[market].orders)
      throw new BinanceError(
        -1015,
        `Too many new orders; current limit is ${LIMITS[market].orders} orders per 10 SECOND.`,
        429,
      );
  }

  #listenKey(call: Call): unknown {
    const account = accountIn(call);
    const key = `listen${account.spec.name}${call.market}`;
    this.#listenKeys.set(key, { account, market: call.market });
    return { listenKey: key };
  }

  #spotAccount(account: Account): unknown {
    const rates = this.#exchange.listings.find(({ market }) => market === 'spot');
    return {
      makerCommission: 10,
      takerCommission: 10,
      buyerCommission: 0,
      sellerCommission: 0,
      ...(rates === undefined ? {} : { commissionRates: commissionOf(rates) }),
      canTrade: true,
      canWithdraw: false,
      canDeposit: false,
      updateTime: this.#exchange.nowMs(),
      accountType: 'SPOT',
      balances: walletRows(account, 'spot').map(({ asset, free, locked }) => ({ asset, free, locked })),
      permissions: ['SPOT'],
    };
  }

  #futuresAccount(account: Account, market: BinanceMarket): unknown {
    return {
      canTrade: true,
      assets: walletRows(account, market).map(({ asset, free, locked, total }) => ({
        asset,
        walletBalance: total,
        unrealizedProfit: '0.00000000',
        marginBalance: total,
        maintMargin: '0.00000000',
        initialMargin: locked,
        positionInitialMargin: '0.00000000',
        openOrderInitialMargin: locked,
        crossWalletBalance: total,
        crossUnPnl: '0.00000000',
        availableBalance: free,
        maxWithdrawAmount: free,
      })),
      positions: this.#positions(account, market),
    };
  }

  #positions(account: Account, market: BinanceMarket): readonly unknown[] {
    return account
      .positions()
      .filter(({ listing }) => listing.market === market)
      .map(({ listing, position }) => ({
        symbol: listing.venueSymbol,
        positionAmt: signedSize(listing, position),
        entryPrice: entryPrice(listing, position),
        positionSide: 'BOTH',
      }));
  }

  #coins(): unknown {
    const assets = new Set(
      this.#exchange.listings.filter(({ market }) => market === 'spot').flatMap(({ base, quote }) => [base, quote]),
    );
    return [...assets].map((coin) => ({
      coin,
      name: coin,
      free: '0',
      locked: '0',
      isLegalMoney: false,
      trading: true,
      networkList: [],
    }));
  }

  #ordered(order: Order, change: OrderChange): void {
    const { account, listing } = order;
    const trade = change.kind === 'trade' ? change.trade : undefined;
    const event = executionOf(order, EXECUTION_TYPES[change.kind], trade);
    const nowMs = this.#exchange.nowMs();
    const events =
      listing.market === 'spot'
        ? [event, { e: 'outboundAccountPosition', E: nowMs, u: nowMs, B: balancesIn(order) }]
        : [
            { e: 'ORDER_TRADE_UPDATE', E: nowMs, T: nowMs, o: event },
            ...(trade === undefined ? [] : [accountUpdate(order, nowMs)]),
          ];
    for (const { client, market, subscriptionId } of this.#private.of(account))
      if (market === listing.market)
        for (const each of events)
          client.send(JSON.stringify(subscriptionId === undefined ? each : { subscriptionId, event: each }));
  }
}

const TOO_MANY = { code: -1003, msg: 'Too many requests; current limit is 6000 request weight per 1 MINUTE.' };
/** USD-M sockets are routed since April 2026. */
const ROUTED: ReadonlySet<string> = new Set(['public', 'market', 'private']);
const EXECUTION_TYPES = { new: 'NEW', trade: 'TRADE', canceled: 'CANCELED', expired: 'EXPIRED' } as const;
const NO_COMMISSION = { maker: '0.00000000', taker: '0.00000000', buyer: '0.00000000', seller: '0.00000000' };
const API_METHODS: Readonly<Record<string, string>> = {
  ping: 'GET ping',
  time: 'GET time',
  exchangeInfo: 'GET exchangeInfo',
  depth: 'GET depth',
  'ticker.book': 'GET ticker/bookTicker',
  'order.place': 'POST order',
  'order.cancel': 'DELETE order',
  'order.status': 'GET order',
  'openOrders.status': 'GET openOrders',
  'openOrders.cancelAll': 'DELETE openOrders',
  'account.status': 'GET account',
  'account.balance': 'GET balance',
  myTrades: 'GET myTrades',
};

const isMarket = (text: string | undefined): text is BinanceMarket =>
  text === 'spot' || text === 'usdm' || text === 'coinm';
/** `api/v3/order`, `fapi/v1/order`, `sapi/v1/capital/config/getall` → what follows the version. */
const operationName = (segments: readonly string[]): string => segments.slice(2).join('/');

function accountIn({ account }: Call): Account {
  assert(account !== undefined, 'a secured operation has an account');
  return account;
}

const commissionOf = ({ maker, taker }: Listing): Record<string, string> => ({
  maker: maker.toFixed(8),
  taker: taker.toFixed(8),
  buyer: '0.00000000',
  seller: '0.00000000',
});

function balancesIn({ account, listing }: Order): readonly unknown[] {
  return [listing.base, listing.quote].map((asset) => {
    const { total, held } = account.balance('spot', asset);
    return { a: asset, f: total.minus(held).toFixed(8), l: held.toFixed(8) };
  });
}

function accountUpdate({ account, listing }: Order, nowMs: number): unknown {
  const total = account.balance(listing.market, listing.settle).total.toFixed(8);
  const position = account.position(listing);
  const P = [
    {
      s: listing.venueSymbol,
      pa: signedSize(listing, position),
      ep: entryPrice(listing, position),
      cr: position.realised.toFixed(8),
      up: '0',
      mt: 'cross',
      iw: '0',
      ps: 'BOTH',
    },
  ];
  return {
    e: 'ACCOUNT_UPDATE',
    E: nowMs,
    T: nowMs,
    a: { m: 'ORDER', B: [{ a: listing.settle, wb: total, cw: total, bc: '0' }], P },
  };
}
