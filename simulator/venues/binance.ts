import { Decimal } from 'decimal.js';
import type { Timer } from '#shared/clock/clock.ts';
import { assert, BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import { DepthView } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, OrderDraft, Payment, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { fixedText, integerFrom, scaled } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { derivativeListing, lotOf, spotListings, tickOf, valueOf } from '../listings.ts';
import type { MatchingEngine } from '../matching-engine.ts';
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
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
  textsOf,
} from './venue-dialect.ts';

type BinanceMarket = 'spot' | 'usdm' | 'coinm' | 'options';
type Fields = ReadonlyMap<string, string>;
/** What one operation is asked: `account` is there where the operation's security asks for it. */
type Call = { readonly market: BinanceMarket; readonly fields: Fields; readonly account: Account | undefined };
type Operation = {
  readonly security: 'none' | 'key' | 'signed';
  readonly weight: number;
  /** Its answer is an order's acknowledgement: slow-ack and lost-ack hit it. */
  readonly acknowledges?: true;
  /** It is an order: counted by themselves. */
  readonly counts?: true;
  readonly run: (call: Call) => unknown;
};

/** How an account's events reach one of its sockets: the WebSocket API wraps them, listen-key sockets do not. */
type PrivateSocket = {
  readonly client: Client;
  readonly market: BinanceMarket;
  readonly subscriptionId: number | undefined;
};

/** One account's private stream of one market. */
type ListenKey = {
  readonly account: Account;
  readonly market: BinanceMarket;
  readonly sockets: Set<PrivateSocket>;
  endsMs: number;
};

/** What is said every so often, not when it changes. */
type MarkStream = {
  readonly market: string;
  readonly sockets: Set<StreamSocket>;
  readonly everyMs: number;
  saidMs: number;
  readonly text: (nowMs: number) => string | undefined;
};

/** Weight a minute, orders in ten seconds, messages a second on a stream socket. */
const LIMITS: Readonly<
  Record<BinanceMarket, { readonly weight: number; readonly orders: number; readonly messages: number }>
> = {
  spot: { weight: 6_000, orders: 100, messages: 5 },
  usdm: { weight: 2_400, orders: 300, messages: 10 },
  coinm: { weight: 2_400, orders: 300, messages: 10 },
  options: { weight: 400, orders: 0, messages: 10 },
};
const RECV_WINDOW_MS = 5_000;
const STREAMS_MAX = 1_024;
const LISTEN_KEY_MS = 3_600_000;
const MISSING = { code: -2013, text: 'Order does not exist.' };
const UNKNOWN = { code: -2011, text: 'Unknown order sent.' };

/**
 * Binance spot, USD-M and COIN-M below `/spot`, `/usdm` and `/coinm`; options, as data, below `/options`, their sockets with those of USD-M.
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
    'eapi.binance.com': '/options',
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
    derivativeListing({
      venue: 'binance',
      market: 'coinm',
      symbol: 'BTC/USD:BTC-270326',
      venueSymbol: 'BTCUSD_270326',
      deliveryFee: '0.0005',
      contractSize: '100',
      priceDecimals: 1,
      lotDecimals: 0,
      fees: ['0.0002', '0.0005'],
      wallet: 'coinm',
    }),
    ...['C', 'P'].map((right) =>
      derivativeListing({
        venue: 'binance',
        market: 'options',
        symbol: `BTC/USDT:USDT-270326-90000-${right}`,
        venueSymbol: `BTC-270326-90000-${right}`,
        contractSize: '1',
        priceDecimals: 0,
        lotDecimals: 2,
        fees: ['0.0003', '0.0003'],
        deliveryFee: '0.00015',
        feeCap: '0.1',
        wallet: 'options',
      }),
    ),
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
  readonly #listenKeys = new Map<string, ListenKey>();
  #listenKeysMade = 0;
  /** Streams of marks by their names. */
  readonly #marks = new Map<string, MarkStream>();
  /** What cancels an account's orders in a symbol when it is not set again in time. */
  readonly #countdowns = new Map<string, Timer>();
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
      paid: (account, listing, { kind }) => this.#paid(account, listing, kind),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    const { route, query } = splitPath(path);
    const [, market, ...rest] = route.split('/');
    if (!isMarket(market)) return undefined;
    const path0 = rest[0] ?? '';
    const routed = ROUTES.has(path0) ? path0 : undefined;
    const [kind, name] = routed === undefined ? rest : rest.slice(1);
    const fields = fieldsOf(query);
    if (kind === 'ws-api' || kind === 'ws-fapi' || kind === 'ws-dapi') return this.#apiSocket(market, client);
    if (kind !== 'ws' && kind !== 'stream') return undefined;

    const listenKey = this.#listenKeys.get(fields.get('listenKey') ?? name ?? '');
    if (listenKey !== undefined) return this.#listenKeySocket(listenKey, client);
    const streams = (fields.get('streams') ?? (name?.includes('@') === true ? name : ''))
      .split('/')
      .filter((text) => text !== '');
    const socket: StreamSocket = {
      client,
      combined: kind === 'stream',
      inMicroseconds: fields.get('timeUnit')?.toUpperCase() === 'MICROSECOND',
      // The unrouted paths of USD-M still open, and stay silent.
      carries: market === 'usdm' ? (ROUTES.get(routed ?? '') ?? NOTHING) : EVERYTHING,
      streams: new Set(),
    };
    return this.#streamSocket(market, socket, streams);
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const [, market, ...rest] = route.split('/');
    if (!isMarket(market)) return jsonReply(404, { code: -1000, msg: 'No such market.' });
    const operation = this.#operations.get(`${request.method} ${operationName(rest)}`);
    if (operation === undefined || (market === 'options' && operation.security !== 'none'))
      return jsonReply(404, { code: -5000, msg: `Path /${rest.join('/')}, Method ${request.method} is invalid` });

    const nowMs = this.#exchange.nowMs();
    const used = this.#weights.take(market, operation.weight, nowMs);
    const headers: Record<string, string> = { 'x-mbx-used-weight-1m': String(used) };
    if (used > LIMITS[market].weight)
      return jsonReply(429, TOO_MANY, { ...headers, 'retry-after': String(this.#weights.secondsLeft(nowMs)) });
    try {
      const fields = new Map([...fieldsOf(query), ...fieldsOf(request.body)]);
      const account = this.#authorise(operation, request, query, fields);
      const value = operation.run({ market, fields, account });
      if (operation.counts === true) headers['x-mbx-order-count-10s'] = String(this.#ordersOf(market, account));
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
      feed.flush(nowMs, () => this.#loses(listing));
    }
    this.#sayMarks(nowMs);
    this.#endListenKeys(nowMs);
  }

  #booked(listing: Listing): void {
    if (this.#stale(listing)) return;
    const feed = this.#feeds[listing.index]!;
    const nowMs = this.#exchange.nowMs();
    feed.quote(nowMs);
    if (this.#options.batchMs === 0) feed.flush(nowMs, () => this.#loses(listing));
  }

  #snapshot(listing: Listing, limit: number): unknown {
    const feed = this.#feeds[listing.index]!;
    const nowMs = this.#exchange.nowMs();
    if (!this.#stale(listing)) feed.catchUp(nowMs, () => this.#loses(listing));
    return feed.snapshot(limit, nowMs);
  }

  /** Whether the next depth frame is ordered to be lost. */
  #loses(listing: Listing): boolean {
    return this.#options.faults.take('gap', 'binance', listing.market) !== undefined;
  }

  #stale(listing: Listing): boolean {
    return this.#options.faults.holds('stale', 'binance', listing.market);
  }

  #streamSocket(market: BinanceMarket, socket: StreamSocket, streams: readonly string[]): Connection {
    const change = (names: readonly string[], on: boolean): void => {
      for (const name of names) {
        if (on && socket.streams.size >= STREAMS_MAX) return;
        if (on) socket.streams.add(name);
        else socket.streams.delete(name);
        this.#changeStream(market, socket, name, on);
      }
    };
    change(streams, true);
    const reply = (value: unknown): void => socket.client.send(JSON.stringify(value));
    const messages = new RateWindow(1_000);
    return {
      markets: marketsOn(market),
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

  /** Stream names are lower case; others, and those of another path, are acknowledged, and silent. */
  #changeStream(market: BinanceMarket, socket: StreamSocket, name: string, on: boolean): void {
    const [symbol = '', channel = ''] = name.split(/@(.*)/s);
    if (symbol !== symbol.toLowerCase() || !socket.carries.test(channel)) return;
    const marks = this.#marks.get(name) ?? this.#marksFor(market, symbol, channel);
    if (marks !== undefined) {
      if (on) marks.sockets.add(socket);
      else marks.sockets.delete(socket);
      if (marks.sockets.size === 0) this.#marks.delete(name);
      else this.#marks.set(name, marks);
      return;
    }
    for (const feed of this.#feedsOf(market, symbol.toUpperCase(), channel)) {
      if (on) feed.subscribe(name, socket);
      else feed.unsubscribe(name, socket);
    }
  }

  #feedOf(market: BinanceMarket, symbol: string): BinanceFeed | undefined {
    return this.#feeds.find(({ listing }) => listing.market === market && listing.venueSymbol === symbol);
  }

  /** One, or for the tape of an underlying all its options. */
  #feedsOf(market: BinanceMarket, symbol: string, channel: string): readonly BinanceFeed[] {
    return this.#feeds.filter(
      ({ listing }) =>
        marketsOn(market).includes(listing.market) &&
        (listing.venueSymbol === symbol || (channel === 'optionTrade' && underlyingOf(listing) === symbol)),
    );
  }

  /** A stream of marks, which are said by the clock; undefined for any other. */
  #marksFor(market: BinanceMarket, symbol: string, channel: string): MarkStream | undefined {
    const named = symbol.toUpperCase();
    const listings = this.#exchange.listings.filter((each) => marketsOn(market).includes(each.market));
    const everyMs = channel === 'markPrice' ? 3_000 : 1_000;
    const sockets = new Set<StreamSocket>();
    if (/^markPrice(@1s)?$/.test(channel)) {
      const listing = listings.find((each) => each.venueSymbol === named && each.kind !== 'option');
      if (listing === undefined || listing.kind === 'spot') return undefined;
      return {
        market: listing.market,
        sockets,
        everyMs,
        saidMs: -Infinity,
        text: (nowMs) => markText(this.#exchange, listing, nowMs),
      };
    }
    const options = listings.filter((each) => each.kind === 'option' && underlyingOf(each) === named);
    if (channel !== 'optionMarkPrice' || options.length === 0) return undefined;
    return {
      market: 'options',
      sockets,
      everyMs,
      saidMs: -Infinity,
      text: (nowMs) => optionMarksText(this.#exchange, options, nowMs),
    };
  }

  #sayMarks(nowMs: number): void {
    for (const [name, marks] of this.#marks) {
      if (nowMs - marks.saidMs < marks.everyMs || this.#options.faults.holds('stale', 'binance', marks.market))
        continue;
      marks.saidMs = nowMs;
      const text = marks.text(nowMs);
      if (text !== undefined) sendTo(marks.sockets, name, text);
    }
  }

  #listenKeySocket(key: ListenKey, client: Client): Connection {
    const { account, market } = key;
    const socket: PrivateSocket = { client, market, subscriptionId: undefined };
    this.#private.join(account, socket);
    key.sockets.add(socket);
    return {
      markets: [market],
      message: () => undefined,
      closed: () => {
        this.#private.leave(socket);
        key.sockets.delete(socket);
      },
    };
  }

  /** An hour after it was made or kept alive. */
  #endListenKeys(nowMs: number): void {
    for (const [listenKey, { endsMs, sockets }] of this.#listenKeys) {
      if (nowMs < endsMs) continue;
      this.#listenKeys.delete(listenKey);
      for (const socket of sockets) {
        this.#private.leave(socket);
        socket.client.send(JSON.stringify({ e: 'listenKeyExpired', E: nowMs, listenKey }));
      }
    }
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
      if (this.#weights.take(market, operation.weight, this.#exchange.nowMs()) > LIMITS[market].weight)
        throw new BinanceError(TOO_MANY.code, TOO_MANY.msg, 429);
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
      this.#exchange.traded().filter((listing) => listing.market === market);
    const tickers = (call: Call, show: (ticker: Record<string, unknown>) => unknown): unknown => {
      const symbol = call.fields.get('symbol');
      const feed = (listing: Listing): unknown => show(this.#feeds[listing.index]!.ticker());
      return symbol === undefined ? listed(call).map(feed) : feed(this.#listing(call));
    };
    return {
      'GET ping': open(1, () => ({})),
      'GET time': open(1, () => ({ serverTime: this.#exchange.nowMs() })),
      'GET exchangeInfo': open(20, (call) =>
        call.market === 'options'
          ? optionsInfo(listed(call), this.#exchange.nowMs())
          : exchangeInfo(call.market, listed(call), this.#exchange.nowMs()),
      ),
      // Only those are listed whose interval or caps were adjusted.
      'GET fundingInfo': open(0, () => []),
      'GET premiumIndex': open(1, (call) => this.#premium(this.#listing(call))),
      'GET depth': open(5, (call) => {
        const limit = Number(call.fields.get('limit') ?? 100);
        if (!(limit > 0)) throw new BinanceError(-1100, "Illegal characters found in parameter 'limit'.");
        return this.#snapshot(this.#listing(call), Math.min(5_000, limit));
      }),
      'GET ticker/bookTicker': open(2, (call) => tickers(call, (ticker) => ticker)),
      'GET ticker/price': open(2, (call) => tickers(call, ({ symbol, bidPrice }) => ({ symbol, price: bidPrice }))),
      // No margin trading: clients that ask get the empty truth.
      'GET margin/allPairs': open(1, () => []),
      'GET margin/isolated/allPairs': open(1, () => []),
      'GET capital/config/getall': { security: 'signed', weight: 1, run: () => this.#coins() },
    };
  }

  #premium(listing: Listing): unknown {
    const reference = referenceOf(this.#exchange, listing);
    if (reference === undefined)
      throw new BinanceError(-1000, 'An unknown error occurred while processing the request.');
    return {
      symbol: listing.venueSymbol,
      markPrice: reference.mark.toFixed(8),
      indexPrice: reference.index.toFixed(8),
      estimatedSettlePrice: reference.index.toFixed(8),
      lastFundingRate: reference.fundingRate.toFixed(8),
      interestRate: '0.00010000',
      nextFundingTime: reference.fundingMs,
      time: this.#exchange.nowMs(),
    };
  }

  #accountOperations(): Readonly<Record<string, Operation>> {
    const signed = (weight: number, run: (call: Call, account: Account) => unknown): Operation => ({
      security: 'signed',
      weight,
      run: (call) => run(call, accountIn(call)),
    });
    const listenKey = (run: Operation['run']): Operation => ({ security: 'key', weight: 1, run });
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
        specialCommission: NO_COMMISSION,
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
      'GET account/apiRestrictions': signed(1, () => API_RESTRICTIONS),
      'POST listenKey': listenKey((call) => this.#keepListenKey(call)),
      'PUT listenKey': listenKey((call) => {
        this.#ownListenKey(call);
        return this.#keepListenKey(call);
      }),
      'DELETE listenKey': listenKey((call) => {
        this.#ownListenKey(call).endsMs = -Infinity;
        return {};
      }),
      'POST countdownCancelAll': signed(10, (call, account) => this.#countdown(call, account)),
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
      'POST order': {
        ...acknowledged((call, account) => {
          this.#countOrder(call.market, account);
          return placeOrder(this.#exchange, this.#listing(call), account, call.fields);
        }),
        counts: true,
      },
      'DELETE order': acknowledged(({ fields }, account) => {
        const order = findOrder(this.#exchange, account, fields, UNKNOWN);
        if (!this.#exchange.cancel(order)) throw new BinanceError(UNKNOWN.code, UNKNOWN.text);
        return describeCancel(order);
      }),
      'PUT order': acknowledged(({ market, fields }, account) => {
        const order = findOrder(this.#exchange, account, fields, MISSING);
        if (market === 'spot' || order.status !== 'open') throw new BinanceError(MISSING.code, MISSING.text);
        return amendOrder(this.#exchange, order, fields);
      }),
      'GET order': signed(4, ({ fields }, account) =>
        describeOrder(findOrder(this.#exchange, account, fields, MISSING)),
      ),
      'GET openOrder': signed(1, ({ fields }, account) => {
        const order = findOrder(this.#exchange, account, fields, MISSING);
        if (order.status !== 'open') throw new BinanceError(MISSING.code, MISSING.text);
        return describeOrder(order);
      }),
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

  /** From an id or a time on the oldest, else the latest. */
  #trades(call: Call, account: Account): readonly unknown[] {
    const { fields } = call;
    const number = (name: string): number => Number(fields.get(name) ?? NaN);
    const [orderId, fromId, startMs, endMs] = ['orderId', 'fromId', 'startTime', 'endTime'].map(number);
    const limit = Math.min(1_000, Number(fields.get('limit') ?? 500));
    const all = this.#orders(call, account)
      .flatMap(({ trades }) => trades)
      .filter(
        ({ id, order, timeMs }) =>
          !(order.id !== orderId && orderId! >= 0) && !(id < fromId!) && !(timeMs < startMs!) && !(timeMs > endMs!),
      )
      .sort((a, b) => a.id - b.id);
    const isFrom = fields.has('fromId') || fields.has('startTime');
    return (isFrom ? all.slice(0, limit) : all.slice(-limit)).map(describeTrade);
  }

  #ordersOf(market: BinanceMarket, account: Account | undefined): number {
    return this.#orderRates.take(`${account?.spec.name ?? ''}:${market}`, 0, this.#exchange.nowMs());
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

  /** POST gives the key there is, or a new one; both keep it alive. */
  #keepListenKey(call: Call): unknown {
    const { market } = call;
    const account = accountIn(call);
    const [listenKey = `listen${account.spec.name}${market}${(this.#listenKeysMade += 1)}`] = this.#listenKeyOf(call);
    const there = this.#listenKeys.get(listenKey);
    const endsMs = this.#exchange.nowMs() + LISTEN_KEY_MS;
    if (there === undefined) this.#listenKeys.set(listenKey, { account, market, endsMs, sockets: new Set() });
    else there.endsMs = endsMs;
    return { listenKey };
  }

  #listenKeyOf({ market, account }: Call): readonly string[] {
    const own = [...this.#listenKeys].filter(([, key]) => key.account === account && key.market === market);
    return own.map(([listenKey]) => listenKey);
  }

  #ownListenKey(call: Call): ListenKey {
    const key = this.#listenKeys.get(this.#listenKeyOf(call)[0] ?? '');
    if (key === undefined) throw new BinanceError(-1125, 'This listenKey does not exist.');
    return key;
  }

  /** @see https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/Auto-Cancel-All-Open-Orders */
  #countdown(call: Call, account: Account): unknown {
    const listing = this.#listing(call);
    const countdownMs = Number(required(call.fields, 'countdownTime'));
    if (!(countdownMs >= 0)) throw new BinanceError(-1102, "Mandatory parameter 'countdownTime' was malformed.");
    const key = `${account.spec.name}:${listing.index}`;
    this.#countdowns.get(key)?.cancel();
    this.#countdowns.delete(key);
    if (countdownMs > 0) {
      const end = (): void => {
        this.#countdowns.delete(key);
        this.#exchange.cancelAll(account, (each) => each.index === listing.index);
      };
      this.#countdowns.set(key, this.#options.clock.after(countdownMs, end));
    }
    return { symbol: listing.venueSymbol, countdownTime: String(countdownMs) };
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
        markPrice: referenceOf(this.#exchange, listing)?.mark.toFixed(8) ?? '0',
        unRealizedProfit: '0.00000000',
        liquidationPrice: '0',
        leverage: '10',
        marginType: 'cross',
        isolatedMargin: '0.00000000',
        notional: '0',
        positionSide: 'BOTH',
        updateTime: this.#exchange.nowMs(),
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
            ...(trade === undefined ? [] : [accountUpdate(account, listing, 'ORDER', nowMs)]),
          ];
    for (const { client, market, subscriptionId } of this.#private.of(account))
      if (market === listing.market)
        for (const each of events)
          client.send(JSON.stringify(subscriptionId === undefined ? each : { subscriptionId, event: each }));
  }

  #paid(account: Account, listing: Listing, kind: Payment['kind']): void {
    const event = accountUpdate(account, listing, kind === 'funding' ? 'FUNDING_FEE' : 'ORDER', this.#exchange.nowMs());
    for (const { client, market, subscriptionId } of this.#private.of(account))
      if (market === listing.market)
        client.send(JSON.stringify(subscriptionId === undefined ? event : { subscriptionId, event }));
  }
}

const TOO_MANY = { code: -1003, msg: 'Too many requests; current limit is 6000 request weight per 1 MINUTE.' };
/** USD-M sockets are routed since April 2026: each path carries its own channels, and options share them. */
const ROUTES: ReadonlyMap<string, RegExp> = new Map([
  ['public', /^(depth(@.*)?|bookTicker|trade|optionTrade)$/],
  ['market', /^(aggTrade|markPrice(@1s)?|optionMarkPrice)$/],
  ['private', /^$/],
]);
const NOTHING = /^$/;
const EVERYTHING = /./;
const EXECUTION_TYPES = {
  new: 'NEW',
  amended: 'AMENDMENT',
  trade: 'TRADE',
  canceled: 'CANCELED',
  expired: 'EXPIRED',
} as const;
const API_RESTRICTIONS = {
  ipRestrict: true,
  createTime: 1_700_000_000_000,
  enableReading: true,
  enableSpotAndMarginTrading: true,
  enableFutures: true,
  enableWithdrawals: false,
  enableInternalTransfer: false,
  enableMargin: false,
  enableVanillaOptions: false,
  permitsUniversalTransfer: false,
  enablePortfolioMarginTrading: false,
};
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
  text === 'spot' || text === 'usdm' || text === 'coinm' || text === 'options';
/** Options have their sockets where USD-M has its own. */
const marketsOn = (market: BinanceMarket): readonly string[] => (market === 'usdm' ? ['usdm', 'options'] : [market]);

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

function accountUpdate(account: Account, listing: Listing, reason: 'ORDER' | 'FUNDING_FEE', nowMs: number): unknown {
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
    a: { m: reason, B: [{ a: listing.settle, wb: total, cw: total, bc: '0' }], P },
  };
}

/** A public socket; `combined` ones wrap each payload in `{"stream","data"}`. */
type StreamSocket = {
  readonly client: Client;
  readonly combined: boolean;
  /** Spot on demand: `timeUnit=MICROSECOND`. */
  readonly inMicroseconds: boolean;
  /** Channels that this path has; others are acknowledged and silent. */
  readonly carries: RegExp;
  readonly streams: Set<string>;
};

type StreamKind = 'depth' | 'bookTicker' | 'trade' | 'aggTrade' | 'optionTrade';

const DEPTH_MAX = 5_000;
/** Update ids start here: large enough to look like the venue's, far from where doubles lose integers. */
const FIRST_ID = 90_000_000_000;

/**
 * The public streams of one listing.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#diff-depth-stream
 */
class BinanceFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  readonly #view: DepthView;
  readonly #streams: Readonly<Record<StreamKind, Map<string, Set<StreamSocket>>>> = {
    depth: new Map(),
    bookTicker: new Map(),
    trade: new Map(),
    aggTrade: new Map(),
    optionTrade: new Map(),
  };
  /** Last update id that a depth frame has told. */
  #toldId: number;
  /** Ids that other symbols of the market used up: futures number all symbols from one counter. */
  #foreignIds = FIRST_ID;
  readonly #toldTop: [bid: number, bidQty: number, ask: number, askQty: number] = [0, 0, 0, 0];

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
    this.#view = new DepthView(engine, DEPTH_MAX);
    this.#view.advance();
    this.#toldId = this.#id();
  }

  /** False when this listing has no such stream (the venue acknowledges it all the same, and stays silent). */
  subscribe(name: string, socket: StreamSocket): boolean {
    const kind = kindOf(name);
    if (kind === undefined) return false;
    if (kind === 'depth' && this.#streams.depth.size === 0) this.#forget();
    const there = this.#streams[kind].get(name);
    if (there === undefined) this.#streams[kind].set(name, new Set([socket]));
    else there.add(socket);
    return true;
  }

  unsubscribe(name: string, socket: StreamSocket): void {
    const kind = kindOf(name);
    if (kind === undefined) return;
    const there = this.#streams[kind].get(name);
    there?.delete(socket);
    if (there?.size === 0) this.#streams[kind].delete(name);
  }

  /**
   * The REST snapshot. It is what subscribers have been told by then: a level that came and went between two frames, and stood in a snapshot, would
   * never be taken back.
   */
  snapshot(limit: number, nowMs: number): Record<string, unknown> {
    // Rule 5 of the futures documentation wants U <= lastUpdateId <= u: true there because the shared counter has moved on meanwhile.
    const lastUpdateId = this.#isDerivative() ? this.#toldId + 1 : this.#toldId;
    const levels = (flat: FlatLevels): unknown => pairsOf(this.listing, flat.slice(0, 2 * limit));
    const book = { lastUpdateId, bids: levels(this.#view.bids), asks: levels(this.#view.asks) };
    if (!this.#isDerivative()) return book;
    if (this.listing.kind === 'option') return { ...book, T: nowMs };
    const names = this.listing.inverse ? { symbol: this.listing.venueSymbol, pair: this.#pair() } : {};
    return { ...book, E: nowMs, T: nowMs, ...names };
  }

  /** Brings what subscribers know up to now, whenever the next frame is due. */
  catchUp(nowMs: number, drop: () => boolean): void {
    if (this.#streams.depth.size > 0) this.flush(nowMs, drop);
    else this.#forget();
    if (this.#isDerivative()) this.#foreignIds += 1;
  }

  /** Nobody has to be told of what has changed. */
  #forget(): void {
    this.#view.advance();
    this.#toldId = this.#id();
  }

  /** Sends what changed since the last depth frame; `drop` loses the frame but not its ids. */
  flush(nowMs: number, drop: () => boolean): void {
    if (this.#streams.depth.size === 0 || !this.#view.advance()) return;
    const previous = this.#toldId;
    this.#toldId = this.#id();
    if (drop()) return;
    const isDerivative = this.#isDerivative();
    const futures = isDerivative ? `,"T":${nowMs}` : '';
    const chain = isDerivative ? `,"pu":${previous}` : '';
    this.#send(
      'depth',
      `{"e":"depthUpdate","E":${nowMs}${futures},"s":"${this.listing.venueSymbol}"${this.#segment()},"U":${previous + 1},"u":${this.#toldId}${chain}` +
        `,"b":${levelsText(this.listing, this.#view.bidChanges)},"a":${levelsText(this.listing, this.#view.askChanges)}}`,
    );
  }

  /** Sends the best quote when it moved. */
  quote(nowMs: number): void {
    if (this.#streams.bookTicker.size === 0) return;
    const bid = this.#engine.bids.best();
    const ask = this.#engine.asks.best();
    if (bid === undefined || ask === undefined) return;
    const told = this.#toldTop;
    if (told[0] === bid.price && told[1] === bid.qty && told[2] === ask.price && told[3] === ask.qty) return;
    [told[0], told[1], told[2], told[3]] = [bid.price, bid.qty, ask.price, ask.qty];
    this.#send('bookTicker', this.#quoteText(nowMs, { bid, ask }));
  }

  /** Best quote as REST tells it. */
  ticker(): Record<string, unknown> {
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    return {
      symbol: this.listing.venueSymbol,
      bidPrice: priceText(this.listing, bid?.price ?? 0),
      bidQty: qtyText(this.listing, bid?.qty ?? 0),
      askPrice: priceText(this.listing, ask?.price ?? 0),
      askQty: qtyText(this.listing, ask?.qty ?? 0),
    };
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    const maker = taker === 'sell';
    const start = `"E":${timeMs},"s":"${this.listing.venueSymbol}"${this.#segment()}`;
    const end = `"p":"${priceText(this.listing, price)}","q":"${qtyText(this.listing, lots)}","T":${timeMs},"m":${maker}`;
    const last = this.#isDerivative() ? '"X":"MARKET"' : '"M":true';
    const trade = `{"e":"trade",${start},"t":${id},${end},${last}}`;
    this.#send('trade', trade);
    this.#send('optionTrade', trade);
    this.#send('aggTrade', `{"e":"aggTrade",${start},"a":${id},"f":${id},"l":${id},${end}}`);
  }

  #quoteText(
    nowMs: number,
    { bid, ask }: Record<'bid' | 'ask', { readonly price: number; readonly qty: number }>,
  ): string {
    const { listing } = this;
    const isDerivative = this.#isDerivative();
    const head = isDerivative ? '"e":"bookTicker",' : '';
    const times = isDerivative ? `,"T":${nowMs},"E":${nowMs}` : '';
    return (
      `{${head}"u":${this.#id()},"s":"${listing.venueSymbol}"${this.#segment()},"b":"${priceText(listing, bid.price)}","B":"${qtyText(listing, bid.qty)}",` +
      `"a":"${priceText(listing, ask.price)}","A":"${qtyText(listing, ask.qty)}"${times}}`
    );
  }

  #id(): number {
    return this.#foreignIds + this.#engine.changes;
  }

  #pair(): string {
    return `${this.listing.base}${this.listing.quote}`;
  }

  #isDerivative(): boolean {
    return this.listing.kind !== 'spot';
  }

  #segment(): string {
    return segmentOf(this.listing);
  }

  #send(kind: StreamKind, frame: string): void {
    for (const [name, sockets] of this.#streams[kind]) sendTo(sockets, name, frame);
  }
}

/** Futures say the pair and which market they are of: 1 USD-M, 2 COIN-M. */
function segmentOf({ market, base, quote }: Listing): string {
  if (market === 'usdm') return `,"ps":"${base}${quote}","st":1`;
  return market === 'coinm' ? `,"ps":"${base}${quote}","st":2` : '';
}

/** One text for each form in which sockets want it. */
function sendTo(sockets: Iterable<StreamSocket>, name: string, frame: string): void {
  const made = new Map<string, string>();
  for (const { client, combined, inMicroseconds } of sockets) {
    const key = `${combined}${inMicroseconds}`;
    let text = made.get(key);
    if (text === undefined) {
      const timed = inMicroseconds ? frame.replace(/"[ET]":\d{13}(?=[,}])/g, (time) => `${time}000`) : frame;
      text = combined ? `{"stream":"${name}","data":${timed}}` : timed;
      made.set(key, text);
    }
    client.send(text);
  }
}

/** `markPriceUpdate`; a dated future has no funding. */
function markText(exchange: Exchange, listing: Listing, nowMs: number): string | undefined {
  const reference = referenceOf(exchange, listing);
  if (reference === undefined) return undefined;
  const { mark, index, fundingRate, fundingMs } = reference;
  const funding = listing.perpetual ? `"r":"${fundingRate.toFixed(8)}","T":${fundingMs}` : '"r":"","T":0';
  return (
    `{"e":"markPriceUpdate","E":${nowMs},"s":"${listing.venueSymbol}"${segmentOf(listing)},"p":"${mark.toFixed(8)}",` +
    `"P":"${index.toFixed(8)}","i":"${index.toFixed(8)}",${funding}}`
  );
}

/** `markPrice` of every option of an underlying, in one list. */
function optionMarksText(exchange: Exchange, options: readonly Listing[], nowMs: number): string {
  const volatility = (value: number): string => (Number.isNaN(value) ? '-1.0' : value.toFixed(8));
  const marks = options.flatMap((listing) => {
    const price = referenceOf(exchange, listing);
    const greeks = optionReferenceOf(exchange, listing);
    if (price === undefined || greeks === undefined) return [];
    const { delta, gamma, vega, theta, bidVolatility, askVolatility, markVolatility } = greeks;
    const { bids, asks } = exchange.engine(listing);
    return {
      s: listing.venueSymbol,
      mp: price.mark.toFixed(3),
      E: nowMs,
      e: 'markPrice',
      i: price.index.toFixed(8),
      P: '0.000',
      bo: priceText(listing, bids.best()?.price ?? 0),
      ao: priceText(listing, asks.best()?.price ?? 0),
      bq: qtyText(listing, bids.best()?.qty ?? 0),
      aq: qtyText(listing, asks.best()?.qty ?? 0),
      b: volatility(bidVolatility),
      a: volatility(askVolatility),
      hl: (2 * price.mark).toFixed(3),
      ll: (price.mark / 2).toFixed(3),
      vo: volatility(markVolatility),
      rf: '0.0',
      d: delta.toFixed(8),
      t: theta.toFixed(8),
      g: gamma.toFixed(8),
      v: vega.toFixed(8),
    };
  });
  return JSON.stringify(marks);
}

const underlyingOf = ({ kind, base, quote }: Listing): string => (kind === 'option' ? `${base}${quote}` : '');

/** `btcusdt@depth@100ms` → depth. Partial-depth and ticker streams are not simulated. */
function kindOf(name: string): StreamKind | undefined {
  const kind = name.slice(name.indexOf('@') + 1);
  if (kind === 'bookTicker' || kind === 'trade' || kind === 'aggTrade' || kind === 'optionTrade') return kind;
  return /^depth(@(0|100|250|500|1000)ms)?$/.test(kind) ? 'depth' : undefined;
}

function levelsText(listing: Listing, flat: FlatLevels): string {
  let text = '[';
  for (let at = 0; at < flat.length; at += 2)
    text += `${at === 0 ? '' : ','}["${priceText(listing, flat[at]!)}","${qtyText(listing, flat[at + 1]!)}"]`;
  return `${text}]`;
}

function pairsOf(listing: Listing, flat: FlatLevels): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at < flat.length; at += 2)
    pairs.push([priceText(listing, flat[at]!), qtyText(listing, flat[at + 1]!)]);
  return pairs;
}

/** How Binance writes a listing's numbers: eight decimals on spot, the instrument's own on futures. */
const priceText = (listing: Listing, ticks: number): string => padded(ticks, listing.priceDecimals, listing);
const qtyText = (listing: Listing, lots: number): string => padded(lots, listing.lotDecimals, listing);

function padded(value: number, decimals: number, { market }: Listing): string {
  const text = fixedText(value, decimals);
  if (market !== 'spot') return text;
  return decimals === 0 ? `${text}.00000000` : text.padEnd(text.length + 8 - decimals, '0');
}

/** `/api/v3/exchangeInfo`, `/fapi/v1/exchangeInfo`, `/dapi/v1/exchangeInfo`. */
const exchangeInfo = (market: string, listings: readonly Listing[], nowMs: number): unknown => ({
  timezone: 'UTC',
  serverTime: nowMs,
  rateLimits: [
    { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: market === 'spot' ? 6_000 : 2_400 },
    { rateLimitType: 'ORDERS', interval: 'SECOND', intervalNum: 10, limit: market === 'spot' ? 100 : 300 },
  ],
  exchangeFilters: [],
  symbols: listings.map(market === 'spot' ? spotSymbol : futuresSymbol),
});

/** `/eapi/v1/exchangeInfo`. */
const optionsInfo = (listings: readonly Listing[], nowMs: number): unknown => ({
  timezone: 'UTC',
  serverTime: nowMs,
  optionContracts: [...new Set(listings.map(underlyingOf))].map((underlying) => {
    const { base, quote, settle } = listings.find((listing) => underlyingOf(listing) === underlying)!;
    return { baseAsset: base, quoteAsset: quote, underlying, settleAsset: settle };
  }),
  optionAssets: [...new Set(listings.map(({ settle }) => settle))].map((name) => ({ name })),
  optionSymbols: listings.map((listing) => ({
    expiryDate: listing.expiryMs,
    filters: sizeFilters(listing),
    symbol: listing.venueSymbol,
    side: listing.right === 'put' ? 'PUT' : 'CALL',
    strikePrice: (listing.strike ?? new Decimal(0)).toFixed(8),
    underlying: underlyingOf(listing),
    unit: listing.contractSize.toNumber(),
    makerFeeRate: listing.maker.toFixed(8),
    takerFeeRate: listing.taker.toFixed(8),
    minQty: scaled(listing.minLots, listing.lotDecimals).toFixed(),
    maxQty: '1000000',
    priceScale: listing.priceDecimals,
    quantityScale: listing.lotDecimals,
    quoteAsset: listing.quote,
    status: 'TRADING',
  })),
  rateLimits: [{ rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 400 }],
});

const spotSymbol = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  status: 'TRADING',
  baseAsset: listing.base,
  baseAssetPrecision: 8,
  quoteAsset: listing.quote,
  quotePrecision: 8,
  quoteAssetPrecision: 8,
  baseCommissionPrecision: 8,
  quoteCommissionPrecision: 8,
  orderTypes: ['LIMIT', 'LIMIT_MAKER', 'MARKET'],
  icebergAllowed: false,
  ocoAllowed: false,
  quoteOrderQtyMarketAllowed: true,
  allowTrailingStop: false,
  cancelReplaceAllowed: false,
  isSpotTradingAllowed: true,
  isMarginTradingAllowed: false,
  filters: [
    ...sizeFilters(listing),
    {
      filterType: 'NOTIONAL',
      minNotional: listing.minNotional.toFixed(8),
      applyMinToMarket: true,
      maxNotional: '9000000.00000000',
      applyMaxToMarket: false,
      avgPriceMins: 5,
    },
  ],
  permissions: [],
  permissionSets: [['SPOT']],
  defaultSelfTradePreventionMode: 'NONE',
  allowedSelfTradePreventionModes: ['NONE'],
});

const futuresSymbol = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  pair: `${listing.base}${listing.quote}`,
  contractType: listing.perpetual ? 'PERPETUAL' : 'CURRENT_QUARTER',
  // The year 2100: how Binance says "never".
  deliveryDate: listing.expiryMs ?? 4_133_404_800_000,
  onboardDate: 1_569_398_400_000,
  ...(listing.inverse
    ? { contractStatus: 'TRADING', contractSize: listing.contractSize.toNumber() }
    : { status: 'TRADING' }),
  baseAsset: listing.base,
  quoteAsset: listing.quote,
  marginAsset: listing.settle,
  pricePrecision: listing.priceDecimals,
  quantityPrecision: listing.lotDecimals,
  baseAssetPrecision: 8,
  quotePrecision: 8,
  underlyingType: 'COIN',
  filters: [
    ...sizeFilters(listing),
    ...(listing.minNotional.isZero() ? [] : [{ filterType: 'MIN_NOTIONAL', notional: listing.minNotional.toFixed() }]),
  ],
  orderTypes: ['LIMIT', 'MARKET'],
  timeInForce: ['GTC', 'IOC', 'FOK', 'GTX'],
});

function sizeFilters(listing: Listing): readonly unknown[] {
  const write = (value: { toFixed: (decimals: number) => string }, decimals: number): string =>
    value.toFixed(listing.market === 'spot' ? 8 : decimals);
  const lots = {
    minQty: write(scaled(listing.minLots, listing.lotDecimals), listing.lotDecimals),
    maxQty: listing.market === 'spot' ? '9000000.00000000' : '1000000',
    stepSize: write(lotOf(listing), listing.lotDecimals),
  };
  const tick = write(tickOf(listing), listing.priceDecimals);
  return [
    { filterType: 'PRICE_FILTER', minPrice: tick, maxPrice: '1000000.00000000', tickSize: tick },
    { filterType: 'LOT_SIZE', ...lots },
    { filterType: 'MARKET_LOT_SIZE', ...lots },
  ];
}

/** Binance's refusal of a request: an HTTP status and its own code. */
class BinanceError extends Error {
  override readonly name = 'BinanceError';
  readonly status: number;
  readonly code: number;

  constructor(code: number, text: string, status = 400) {
    super(text);
    this.code = code;
    this.status = status;
  }
}

/** The field, or -1102. */
function required(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (value === undefined || value === '')
    throw new BinanceError(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);
  return value;
}

/** Reads, places and answers one `order.place`. @throws BinanceError */
function placeOrder(exchange: Exchange, listing: Listing, account: Account, fields: Fields): unknown {
  const draft = draftOf(listing, account, fields);
  if (listing.market !== 'spot' && draft.timeInForce === 'FOK' && !fillsWhole(exchange, draft))
    throw new BinanceError(
      -5021,
      'Due to the order could not be filled immediately, the FOK order has been rejected. The order will not be recorded in the order history',
    );
  const placed = place(exchange, draft);
  const kind = fields.get('newOrderRespType');
  if (listing.market === 'spot') return spotPlaced(placed, kind);
  // By default futures acknowledge before they match.
  return kind === 'RESULT'
    ? futuresOrder(placed)
    : { ...futuresOrder(placed), status: 'NEW', avgPrice: '0.00', ...NOTHING_FILLED };
}

function amendOrder(exchange: Exchange, order: Order, fields: Fields): unknown {
  try {
    const refused = exchange.amend(order, { price: fields.get('price'), qty: fields.get('quantity') ?? '' });
    if (refused !== undefined) throw new BinanceError(...refusalOf(refused, true));
    return futuresOrder(order);
  } catch (error) {
    if (error instanceof BadInput) throw new BinanceError(-1102, 'Illegal characters found in a parameter.');
    throw error;
  }
}

const NOTHING_FILLED = { executedQty: '0', cumQty: '0', cumQuote: '0' };

/** Whether the book as it stands holds all of it; what is off the grid is refused elsewhere. */
function fillsWhole(exchange: Exchange, { listing, side, price, qty }: OrderDraft): boolean {
  try {
    const [ticks, lots] = [integerFrom(price ?? '0', listing.priceDecimals), integerFrom(qty, listing.lotDecimals)];
    return ticks === undefined || lots === undefined || exchange.engine(listing).takeable(side, ticks) >= lots;
  } catch (error) {
    if (error instanceof BadInput) return true;
    throw error;
  }
}

/** Finds by orderId or origClientOrderId. @throws BinanceError `code` when there is none. */
function findOrder(
  exchange: Exchange,
  account: Account,
  fields: Fields,
  missing: { code: number; text: string },
): Order {
  const id = fields.get('orderId');
  const clientOrderId = fields.get('origClientOrderId');
  if (id === undefined && clientOrderId === undefined)
    throw new BinanceError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
  const order = exchange.find(account, { id: id === undefined ? undefined : Number(id), clientOrderId });
  if (order === undefined || order.listing.venueSymbol !== fields.get('symbol'))
    throw new BinanceError(missing.code, missing.text);
  return order;
}

const describeOrder = (order: Order): unknown =>
  order.listing.market === 'spot' ? spotOrder(order) : futuresOrder(order);

/** A spot cancel has an id of its own, and tells the order's beside it. */
const cancelId = ({ id }: Order): string => `cancel${id}`;

const describeCancel = (order: Order): unknown =>
  order.listing.market === 'spot'
    ? {
        ...spotCore(order),
        clientOrderId: cancelId(order),
        origClientOrderId: order.clientOrderId,
        transactTime: order.updatedMs,
      }
    : futuresOrder(order);

/** A line of `myTrades` or `userTrades`. */
function describeTrade({ id, order, price, lots, fee, feeAsset, liquidity, realised, timeMs }: Trade): unknown {
  const { listing } = order;
  const common = {
    symbol: listing.venueSymbol,
    id,
    orderId: order.id,
    price: priceText(listing, price),
    qty: qtyText(listing, lots),
    commission: fee.toFixed(8),
    commissionAsset: feeAsset,
    time: timeMs,
  };
  const value = valueOf(listing, price, lots).toFixed(8);
  if (listing.market === 'spot')
    return {
      ...common,
      orderListId: -1,
      quoteQty: value,
      isBuyer: order.side === 'buy',
      isMaker: liquidity === 'maker',
      isBestMatch: true,
    };
  return {
    ...common,
    ...(listing.inverse ? { baseQty: value } : { quoteQty: value }),
    side: sideText(order),
    buyer: order.side === 'buy',
    maker: liquidity === 'maker',
    realizedPnl: realised.toFixed(8),
    positionSide: 'BOTH',
  };
}

const FORCED_IDS = { adl: 'adl_autoclose', liquidation: 'autoclose-1' } as const;

/** `executionReport` (spot) or the `o` of `ORDER_TRADE_UPDATE` (futures). */
function executionOf(
  order: Order,
  change: 'NEW' | 'AMENDMENT' | 'CANCELED' | 'EXPIRED' | 'TRADE',
  trade: Trade | undefined,
): Record<string, unknown> {
  const { listing } = order;
  const common = {
    s: listing.venueSymbol,
    c: order.forced === undefined ? order.clientOrderId : FORCED_IDS[order.forced],
    S: sideText(order),
    o: typeText(order),
    f: timeInForceText(order),
    q: qtyText(listing, order.qty),
    p: priceText(listing, order.price),
    x: change,
    X: statusText(order),
    i: order.id,
    l: qtyText(listing, trade?.lots ?? 0),
    z: qtyText(listing, order.filled),
    L: priceText(listing, trade?.price ?? 0),
    n: trade?.fee.toFixed(8) ?? '0',
    N: trade?.feeAsset ?? null,
    T: order.updatedMs,
    t: trade?.id ?? (listing.market === 'spot' ? -1 : 0),
    m: trade?.liquidity === 'maker',
  };
  if (listing.market === 'spot') {
    const isCanceled = change === 'CANCELED';
    const ids = isCanceled ? { c: cancelId(order), C: order.clientOrderId } : { C: '' };
    return { ...common, ...spotExecution(order, trade), ...ids };
  }
  return {
    ...common,
    ap: averageOf(order).toDecimalPlaces(8).toFixed(),
    sp: '0',
    R: false,
    wt: 'CONTRACT_PRICE',
    ot: typeText(order),
    ps: 'BOTH',
    cp: false,
    rp: trade?.realised.toFixed(8) ?? '0',
    b: '0',
    a: '0',
  };
}

const spotExecution = (order: Order, trade: Trade | undefined): Record<string, unknown> => ({
  e: 'executionReport',
  E: order.updatedMs,
  P: '0.00000000',
  F: '0.00000000',
  g: -1,
  r: 'NONE',
  I: order.id * 2,
  w: order.status === 'open',
  M: false,
  O: order.createdMs,
  Z: order.cost.toFixed(8),
  Y: trade === undefined ? '0.00000000' : valueOf(order.listing, trade.price, trade.lots).toFixed(8),
  Q: '0.00000000',
  W: order.createdMs,
  V: 'NONE',
});

/** Free and locked of every asset of the market's wallet. */
const walletRows = (
  account: Account,
  market: string,
): readonly { asset: string; free: string; locked: string; total: string }[] => {
  const wallet = market;
  return account.assets(wallet).map((asset) => {
    const { total, held } = account.balance(wallet, asset);
    const free = market === 'spot' ? total.minus(held) : account.available(wallet, asset);
    return { asset, free: free.toFixed(8), locked: held.toFixed(8), total: total.toFixed(8) };
  });
};

function place(exchange: Exchange, draft: OrderDraft): Order {
  const futures = draft.listing.market !== 'spot';
  try {
    const placed = exchange.place(draft);
    if (placed.kind === 'placed') return placed.order;
    const [code, text] = refusalOf(placed.reason, futures);
    throw new BinanceError(code, text);
  } catch (error) {
    if (error instanceof BadInput) throw new BinanceError(-1100, 'Illegal characters found in a parameter.');
    throw error;
  }
}

function draftOf(listing: Listing, account: Account, fields: Fields): OrderDraft {
  const side = required(fields, 'side');
  if (side !== 'BUY' && side !== 'SELL') throw new BinanceError(-1117, 'Invalid side.');
  const type = required(fields, 'type');
  const spot = listing.market === 'spot';
  if (type !== 'LIMIT' && type !== 'MARKET' && !(spot && type === 'LIMIT_MAKER'))
    throw new BinanceError(-1116, 'Invalid orderType.');
  const timeInForce = type === 'LIMIT' ? required(fields, 'timeInForce') : type === 'MARKET' ? 'IOC' : 'GTC';
  const postOnly = type === 'LIMIT_MAKER' || (!spot && timeInForce === 'GTX');
  if (!postOnly && timeInForce !== 'GTC' && timeInForce !== 'IOC' && timeInForce !== 'FOK')
    throw new BinanceError(-1115, 'Invalid timeInForce.');
  const byQuote = spot && type === 'MARKET' && fields.get('quantity') === undefined;
  const clientOrderId = fields.get('newClientOrderId');
  if (clientOrderId !== undefined && !/^[.A-Z:/a-z0-9_-]{1,36}$/.test(clientOrderId))
    throw new BinanceError(-1100, "Illegal characters found in parameter 'newClientOrderId'.");
  return {
    account,
    listing,
    clientOrderId,
    side: side === 'BUY' ? 'buy' : 'sell',
    type: type === 'MARKET' ? 'market' : 'limit',
    timeInForce: timeInForce === 'IOC' || timeInForce === 'FOK' ? timeInForce : 'GTC',
    postOnly,
    price: type === 'MARKET' ? undefined : required(fields, 'price'),
    qty: byQuote ? required(fields, 'quoteOrderQty') : required(fields, 'quantity'),
    qtyIn: byQuote ? 'quote' : 'base',
    reduceOnly: !spot && fields.get('reduceOnly') === 'true',
  };
}

function refusalOf(reason: Refusal, futures: boolean): readonly [code: number, text: string] {
  switch (reason) {
    case 'price-off-grid':
      return futures ? [-4014, 'Price not increased by tick size.'] : [-1013, 'Filter failure: PRICE_FILTER'];
    case 'qty-off-grid':
      return futures
        ? [-1111, 'Precision is over the maximum defined for this asset.']
        : [-1013, 'Filter failure: LOT_SIZE'];
    case 'below-min-qty':
      return futures ? [-4003, 'Quantity less than or equal to zero.'] : [-1013, 'Filter failure: LOT_SIZE'];
    case 'below-min-notional':
      return futures ? [-4164, "Order's notional must be no smaller than 50."] : [-1013, 'Filter failure: NOTIONAL'];
    case 'insufficient-funds':
      return futures
        ? [-2019, 'Margin is insufficient.']
        : [-2010, 'Account has insufficient balance for requested action.'];
    case 'duplicate-id':
      return futures ? [-4116, 'ClientOrderId is duplicated.'] : [-2010, 'Duplicate order sent.'];
    case 'would-take':
      return futures
        ? [-5022, 'Due to the order could not be executed as maker, the Post Only order will be rejected.']
        : [-2010, 'Order would immediately match and take.'];
    case 'no-liquidity':
      return [-1013, 'Filter failure: MARKET_LOT_SIZE'];
    case 'too-many-orders':
      return [-1015, 'Too many new orders; current limit is 2000 orders.'];
    case 'reduce-only':
      return [-2022, 'ReduceOnly Order is rejected.'];
    case 'expired':
      return futures ? [-4140, 'Invalid symbol status for opening position.'] : [-1013, 'Market is closed.'];
    case 'told-to':
      return [-2010, 'This action is disabled on this account.'];
  }
}

const sideText = ({ side }: Order): string => (side === 'buy' ? 'BUY' : 'SELL');
const typeText = ({ type, postOnly, listing }: Order): string =>
  type === 'market' ? 'MARKET' : postOnly && listing.market === 'spot' ? 'LIMIT_MAKER' : 'LIMIT';
const timeInForceText = ({ timeInForce, postOnly, listing, type }: Order): string =>
  postOnly && listing.market !== 'spot' ? 'GTX' : type === 'market' ? 'GTC' : timeInForce;

function statusText({ status, filled }: Order): string {
  switch (status) {
    case 'open':
      return filled > 0 ? 'PARTIALLY_FILLED' : 'NEW';
    case 'filled':
      return 'FILLED';
    case 'canceled':
      return 'CANCELED';
    case 'expired':
      return 'EXPIRED';
  }
}

const spotCore = (order: Order): Record<string, unknown> => ({
  symbol: order.listing.venueSymbol,
  orderId: order.id,
  orderListId: -1,
  clientOrderId: order.clientOrderId,
  price: priceText(order.listing, order.price),
  origQty: qtyText(order.listing, order.qty),
  executedQty: qtyText(order.listing, order.filled),
  origQuoteOrderQty: '0.00000000',
  cummulativeQuoteQty: order.cost.toFixed(8),
  status: statusText(order),
  timeInForce: timeInForceText(order),
  type: typeText(order),
  side: sideText(order),
  selfTradePreventionMode: 'NONE',
});

const spotOrder = (order: Order): unknown => ({
  ...spotCore(order),
  stopPrice: '0.00000000',
  icebergQty: '0.00000000',
  time: order.createdMs,
  updateTime: order.updatedMs,
  isWorking: true,
  workingTime: order.createdMs,
});

function spotPlaced(order: Order, wanted: string | undefined): unknown {
  const { listing, trades } = order;
  // FULL is Binance's default for LIMIT and MARKET, ACK for the rest.
  const kind = wanted ?? (order.postOnly ? 'ACK' : 'FULL');
  if (kind === 'ACK') return ackOf(order);
  const result = { ...spotCore(order), transactTime: order.updatedMs, workingTime: order.createdMs };
  if (kind === 'RESULT') return result;
  return {
    ...result,
    fills: trades.map((trade) => ({
      price: priceText(listing, trade.price),
      qty: qtyText(listing, trade.lots),
      commission: trade.fee.toFixed(8),
      commissionAsset: trade.feeAsset,
      tradeId: trade.id,
    })),
  };
}

const ackOf = (order: Order): unknown => ({
  symbol: order.listing.venueSymbol,
  orderId: order.id,
  orderListId: -1,
  clientOrderId: order.clientOrderId,
  transactTime: order.createdMs,
});

const futuresOrder = (order: Order): Record<string, unknown> => ({
  orderId: order.id,
  symbol: order.listing.venueSymbol,
  ...(order.listing.inverse ? { pair: `${order.listing.base}${order.listing.quote}` } : {}),
  status: statusText(order),
  clientOrderId: order.clientOrderId,
  price: limitOf(order).toFixed(),
  avgPrice: averageOf(order).toDecimalPlaces(8).toFixed(),
  origQty: qtyText(order.listing, order.qty),
  executedQty: qtyText(order.listing, order.filled),
  cumQty: qtyText(order.listing, order.filled),
  ...(order.listing.inverse ? { cumBase: order.cost.toFixed() } : { cumQuote: order.cost.toFixed() }),
  timeInForce: timeInForceText(order),
  type: typeText(order),
  reduceOnly: false,
  closePosition: false,
  side: sideText(order),
  positionSide: 'BOTH',
  stopPrice: '0',
  workingType: 'CONTRACT_PRICE',
  priceProtect: false,
  origType: typeText(order),
  time: order.createdMs,
  updateTime: order.updatedMs,
});
