import { createHash, createHmac } from 'node:crypto';
import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import { flatLevels } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { trimmedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { derivativeListing, priceOf, qtyOf, spotListings, tickOf } from '../listings.ts';
import type { MatchingEngine } from '../matching-engine.ts';
import { nextFundingMs, referenceOf } from '../reference.ts';
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
  jsonReply,
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
  textsOf,
} from './venue-dialect.ts';

const contractListing = (base: string, contractSize: string, priceDecimals: number) =>
  derivativeListing({
    venue: 'gate',
    market: 'usdt',
    symbol: `${base}/USDT:USDT`,
    venueSymbol: `${base}_USDT`,
    contractSize,
    priceDecimals,
    lotDecimals: 0,
    fees: ['0.0002', '0.0005'],
    wallet: 'futures',
  });

/**
 * Gate APIv4: REST below `/api/v4`, sockets at `/ws/v4/` for spot and `/v4/ws/usdt` for contracts.
 * @see https://www.gate.com/docs/developers/apiv4/en/
 */
export const simulated: SimulatedVenue = {
  venue: 'gate',
  hosts: { 'api.gateio.ws': '', 'fx-ws.gateio.ws': '/futures' },
  listings: [
    ...spotListings({
      venue: 'gate',
      fees: ['0.001', '0.001'],
      spell: (base, quote) => `${base}_${quote}`,
      minQty: { BTC: '0.00001', ETH: '0.0001', SOL: '0.001', XRP: '1', ADA: '1', LTC: '0.01', USDC: '1' },
      minNotional: { USDT: '3', USDC: '3' },
    }),
    contractListing('BTC', '0.0001', 1),
    contractListing('ETH', '0.01', 2),
  ],
  dialect: (options) => new Gate(options),
};

type Prefix = 'spot' | 'futures';
type Fields = ReadonlyMap<string, string>;
type Socket = {
  readonly client: Client;
  readonly prefix: Prefix;
  /** `channel payload` of every public subscription. */
  readonly topics: Set<string>;
  /** Private channels that it hears. */
  readonly channels: Set<string>;
  account: Account | undefined;
};
type Call = {
  readonly account: Account;
  readonly fields: Fields;
  /** What stands behind the operation's path: an order's name. */
  readonly name: string;
};

const TIMESTAMP_WINDOW_S = 60;
const ORDERS_PER_SECOND: Readonly<Record<string, number>> = { spot: 10, usdt: 100 };
const FIRST_SEQUENCE = 70_000_000_000;
const TICKER_MS = 1_000;
const DEPTHS = [50, 400] as const;
const UPDATE_DEPTH = 100;
const CHANNEL_OF: Readonly<Record<Prefix, readonly string[]>> = {
  spot: ['orders', 'usertrades', 'balances'],
  futures: ['orders', 'usertrades', 'positions', 'balances'],
};

/** A refusal: what the venue calls it, in its words. */
class GateError extends Error {
  override readonly name = 'GateError';
  readonly label: string;
  readonly status: number;

  constructor(label: string, text: string, status = 400) {
    super(text);
    this.label = label;
    this.status = status;
  }
}

const REFUSALS: Readonly<Record<Refusal, readonly [spot: string, futures: string, words: string]>> = {
  'price-off-grid': ['INVALID_PARAM_VALUE', 'INVALID_PARAM_VALUE', 'Invalid price'],
  'qty-off-grid': ['INVALID_PRECISION', 'INVALID_PARAM_VALUE', 'Invalid amount'],
  'below-min-qty': ['AMOUNT_TOO_LITTLE', 'SIZE_TOO_SMALL', 'Order amount is below the minimum'],
  'below-min-notional': ['INVALID_PARAM_VALUE', 'SIZE_TOO_SMALL', 'Your order size is too small'],
  'insufficient-funds': ['BALANCE_NOT_ENOUGH', 'INSUFFICIENT_AVAILABLE', 'Not enough balance'],
  'duplicate-id': ['REPEATED_CREATION', 'REPEATED_CREATION', 'This text is in use'],
  'would-take': ['POC_FILL_IMMEDIATELY', 'ORDER_POC_IMMEDIATE', 'Order would match and take immediately'],
  'no-liquidity': ['QUANTITY_NOT_ENOUGH', 'CONTRACT_NO_COUNTER', 'No orders on the other side'],
  'too-many-orders': ['TOO_MANY_ORDERS', 'TOO_MANY_ORDERS', 'Too many open orders'],
  'reduce-only': ['INVALID_PARAM_VALUE', 'INCREASE_POSITION', 'The order would increase the position'],
  expired: ['INVALID_CURRENCY_PAIR', 'CONTRACT_IN_DELISTING', 'The contract has ended'],
  'told-to': ['TRADE_RESTRICTED', 'TRADE_RESTRICTED', 'Trading is restricted'],
};

const prefixOf = ({ market }: Listing): Prefix => (market === 'spot' ? 'spot' : 'futures');
const hmacSha512 = (secret: string, text: string): string => createHmac('sha512', secret).update(text).digest('hex');
const sha512 = (text: string): string => createHash('sha512').update(text).digest('hex');

/** Order numbers are beyond what a double holds; contracts' are JSON numbers all the same. */
const orderIdText = (id: number): string => `93${String(id).padStart(16, '0')}`;
const orderIdFrom = (text: string): number | undefined => (/^93\d{16}$/.test(text) ? Number(text.slice(2)) : undefined);
/** JSON in which texts that begin with `#` are numbers. */
const jsonText = (value: unknown): string => JSON.stringify(value).replace(/"#(-?[\d.]+)"/g, '$1');

class Gate implements VenueDialect {
  readonly venue = 'gate';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #books: readonly BookFeed[];
  readonly #flushedMs: Float64Array;
  readonly #sockets = new Set<Socket>();
  readonly #private = new PrivateAudience<Socket>();
  readonly #rates = new RateWindow(1_000);
  readonly #countdowns = new Map<string, { readonly atMs: number; readonly cancel: () => void }>();
  readonly #operations: ReadonlyMap<string, (call: Call) => unknown>;
  #tickedMs = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#books = options.exchange.listings.map((listing) => new BookFeed(listing, options.exchange.engine(listing)));
    this.#flushedMs = new Float64Array(this.#books.length).fill(-Infinity);
    this.#operations = new Map(Object.entries({ ...this.#spotOperations(), ...this.#usdtOperations() }));
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
    const { route } = splitPath(path);
    const prefix = /^\/ws\/v4\/?$/.test(route) ? 'spot' : route === '/futures/v4/ws/usdt' ? 'futures' : undefined;
    if (prefix === undefined) return undefined;
    const socket: Socket = { client, prefix, topics: new Set(), channels: new Set(), account: undefined };
    this.#sockets.add(socket);
    return {
      markets: [prefix === 'spot' ? 'spot' : 'usdt'],
      message: (text) => {
        this.#message(socket, text);
      },
      closed: () => {
        this.#sockets.delete(socket);
        this.#private.leave(socket);
      },
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const path = route.replace(/^\/api\/v4/, '');
    try {
      const open = request.method === 'GET' ? this.#public(path, fieldsOf(query)) : undefined;
      if (open !== undefined) return textReply(open);
      const account = this.#authorise(request, { route, query });
      const [run, name] = this.#find(request.method, path);
      const isOrder = request.method === 'POST' && /\/orders$/.test(path);
      const headers = isOrder ? this.#countOrder(account, this.marketOf(path)) : {};
      const body = fieldsOfJson(objectOf(request.body)) ?? new Map<string, string>();
      const answer = run({ account, name, fields: new Map([...fieldsOf(query), ...body]) });
      const isAcknowledged = isOrder || request.method === 'DELETE';
      const delayMs = isAcknowledged ? this.#options.faults.ackDelayMs('gate', this.marketOf(path)) : 0;
      return { ...textReply(answer, isOrder ? 201 : 200, headers), delayMs };
    } catch (error) {
      if (error instanceof GateError)
        return jsonReply(error.status, { label: error.label, message: error.message }, LIMIT_HEADERS);
      throw error;
    }
  }

  marketOf(path: string): string {
    return path.includes('/futures/') ? 'usdt' : 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    return JSON.stringify(
      kind === 'rate-limited'
        ? { label: 'TOO_MANY_REQUESTS', message: 'Request Rate limit Exceeded' }
        : { label: 'SERVER_ERROR', message: 'Service temporarily unavailable' },
    );
  }

  step(): void {
    const nowMs = this.#exchange.nowMs();
    for (const { listing } of this.#books) {
      if (nowMs - this.#flushedMs[listing.index]! < this.#options.batchMs || this.#stale(listing)) continue;
      this.#flushedMs[listing.index] = nowMs;
      this.#flush(listing);
    }
    for (const [key, { atMs, cancel }] of [...this.#countdowns]) {
      if (nowMs < atMs) continue;
      this.#countdowns.delete(key);
      cancel();
    }
    if (nowMs - this.#tickedMs < TICKER_MS) return;
    this.#tickedMs = nowMs;
    for (const listing of this.#exchange.listings) if (listing.perpetual && !this.#stale(listing)) this.#tick(listing);
  }

  #stale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'gate', market);
  }

  /** Sends what changed to whoever listens; a gap loses the frame but not its numbers. */
  #flush(listing: Listing): void {
    const feed = this.#books[listing.index]!;
    const frames = feed.advance(this.#exchange.nowMs());
    if (frames.length === 0) return;
    const listeners = frames.flatMap(([topic, frame]) =>
      [...this.#hearing(listing, topic)].map((to) => [to, frame] as const),
    );
    if (listeners.length === 0 || this.#options.faults.take('gap', 'gate', listing.market) !== undefined) return;
    for (const [socket, frame] of listeners) socket.client.send(frame);
  }

  *#hearing(listing: Listing, topic: string): Iterable<Socket> {
    const prefix = prefixOf(listing);
    for (const socket of this.#sockets) if (socket.prefix === prefix && socket.topics.has(topic)) yield socket;
  }

  #printed(listing: Listing, { id, price, lots, taker, timeMs }: Print): void {
    const { venueSymbol, priceDecimals, lotDecimals } = listing;
    const size = trimmedText(lots, lotDecimals);
    const text = trimmedText(price, priceDecimals);
    const time = Math.floor(timeMs / 1_000);
    const result =
      listing.kind === 'spot'
        ? {
            id,
            create_time: time,
            create_time_ms: `${timeMs}.0`,
            side: taker,
            currency_pair: venueSymbol,
            amount: size,
            price: text,
          }
        : [
            {
              size: `#${taker === 'sell' ? '-' : ''}${size}`,
              id,
              create_time: time,
              create_time_ms: timeMs,
              price: text,
              contract: venueSymbol,
            },
          ];
    this.#push(listing, { channel: 'trades', topic: `trades ${venueSymbol}` }, result);
  }

  #tick(listing: Listing): void {
    const { venueSymbol } = listing;
    const { mark, index, rate } = this.#reference(listing);
    this.#push(listing, { channel: 'tickers', topic: `tickers ${venueSymbol}` }, [
      {
        contract: venueSymbol,
        last: this.#mid(listing).toFixed(),
        funding_rate: rate,
        funding_rate_indicative: rate,
        mark_price: mark,
        index_price: index,
        quanto_base_rate: '',
      },
    ]);
  }

  #push(
    listing: Listing,
    { channel, topic }: { readonly channel: string; readonly topic: string },
    result: unknown,
  ): void {
    let frame: string | undefined;
    for (const socket of this.#hearing(listing, topic)) {
      frame ??= this.#frame(`${socket.prefix}.${channel}`, result);
      socket.client.send(frame);
    }
  }

  #frame(channel: string, result: unknown, event = 'update'): string {
    const nowMs = this.#exchange.nowMs();
    return jsonText({ time: Math.floor(nowMs / 1_000), time_ms: nowMs, channel, event, result });
  }

  /** Between the best prices. */
  #mid(listing: Listing): Decimal {
    const { bids, asks } = this.#exchange.engine(listing);
    const [bid, ask] = [bids.best()?.price ?? 1, asks.best()?.price ?? 1];
    return priceOf(listing, Math.round((bid + ask) / 2));
  }

  #message(socket: Socket, text: string): void {
    const message = objectOf(text);
    const channel = typeof message?.['channel'] === 'string' ? message['channel'] : '';
    const [prefix, name = ''] = channel.split('.');
    if (message === undefined || prefix !== socket.prefix || typeof message['time'] !== 'number') {
      socket.client.send(
        this.#errorFrame(
          { channel: '', event: '' },
          { code: 1, message: 'request payload does not follow json schema' },
        ),
      );
      return;
    }
    if (name === 'ping') socket.client.send(this.#frame(`${prefix}.pong`, null, ''));
    else if (message['event'] === 'api') this.#api(socket, name, objectIn(message['payload']));
    else if (CHANNEL_OF[socket.prefix].includes(name)) this.#listen(socket, name, message);
    else this.#subscription(socket, name, message);
  }

  #errorFrame(
    said: Readonly<Record<string, unknown>>,
    error: { readonly code: number; readonly message: string },
  ): string {
    const nowMs = this.#exchange.nowMs();
    return JSON.stringify({ time: Math.floor(nowMs / 1_000), time_ms: nowMs, ...said, error, result: null });
  }

  /** Unknown symbols are acknowledged, and stay silent. */
  #subscription(socket: Socket, name: string, message: Readonly<Record<string, unknown>>): void {
    const { id, channel, event, payload } = message;
    const said = { ...(id === undefined ? {} : { id }), channel, event, payload };
    const texts = textsOf(payload);
    const topics =
      name === 'order_book_update' ? [`${name} ${texts[0] ?? ''}`] : texts.map((each) => `${name} ${each}`);
    if (event === 'unsubscribe') for (const topic of topics) socket.topics.delete(topic);
    else if (name === 'obu' && topics.some((topic) => socket.topics.has(topic))) {
      socket.client.send(this.#errorFrame(said, { code: 2, message: `Alert sub ${texts[0] ?? ''}` }));
      return;
    }
    const nowMs = this.#exchange.nowMs();
    socket.client.send(
      JSON.stringify({ time: Math.floor(nowMs / 1_000), time_ms: nowMs, ...said, result: { status: 'success' } }),
    );
    if (event !== 'subscribe') return;
    for (const topic of topics) {
      const listing = this.#exchange.listings.find(
        (each) => prefixOf(each) === socket.prefix && topicsOf(each).includes(topic),
      );
      // Everybody goes on from one number: those who listen already are brought up to it first.
      if (listing !== undefined) this.#flush(listing);
      socket.topics.add(topic);
      if (listing !== undefined && name === 'obu') socket.client.send(this.#books[listing.index]!.full(topic, nowMs));
    }
  }

  #listen(socket: Socket, name: string, message: Readonly<Record<string, unknown>>): void {
    const { id, time, channel, event } = message;
    const auth = objectIn(message['auth']);
    const said = { ...(id === undefined ? {} : { id }), channel, event };
    const account = this.#exchange.ledger.byKey(textIn(auth, 'KEY'));
    const text = `channel=${String(channel)}&event=${String(event)}&time=${String(time)}`;
    if (account === undefined || !sameText(textIn(auth, 'SIGN'), hmacSha512(account.spec.secret, text))) {
      const refusal = JSON.stringify({ label: 'INVALID_KEY', message: 'Invalid key provided' });
      socket.client.send(this.#errorFrame(said, { code: 4, message: `${refusal}\n` }));
      return;
    }
    if (event === 'unsubscribe') socket.channels.delete(name);
    else socket.channels.add(name);
    this.#private.join(account, socket);
    const nowMs = this.#exchange.nowMs();
    socket.client.send(
      JSON.stringify({ time: Math.floor(nowMs / 1_000), time_ms: nowMs, ...said, result: { status: 'success' } }),
    );
  }

  /** A login or an order over the socket. Orders are received first, and answered then. */
  #api(socket: Socket, name: string, payload: Readonly<Record<string, unknown>>): void {
    const request = textIn(payload, 'req_id');
    const channel = `${socket.prefix}.${name}`;
    const answer = (status: number, data: unknown, ack?: boolean): void => {
      const header = {
        response_time: String(this.#exchange.nowMs()),
        status: String(status),
        channel,
        event: 'api',
        client_id: '127.0.0.1-0xc0',
      };
      socket.client.send(jsonText({ request_id: request, ...(ack === undefined ? {} : { ack }), header, data }));
    };
    const market = socket.prefix === 'spot' ? 'spot' : 'usdt';
    const parameters = objectIn(payload['req_param']);
    try {
      if (name === 'login') {
        socket.account = this.#login(channel, payload);
        answer(200, { result: { api_key: socket.account.spec.apiKey, uid: String(USER_ID) } });
        return;
      }
      const { account } = socket;
      if (account === undefined) throw new GateError('AUTHENTICATION_FAILED', 'Not login', 401);
      if (name === 'order_place') this.#countOrder(account, market);
      answer(200, { result: { req_id: request, req_param: parameters } }, true);
      const result = this.#socketOrder(name, {
        account,
        market,
        fields: fieldsOfJson(parameters) ?? new Map<string, string>(),
      });
      deliver(this.#options, market, () => {
        answer(200, { result }, false);
      });
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      answer(error.status, { errs: { label: error.label, message: error.message } });
    }
  }

  #socketOrder(
    name: string,
    { account, market, fields }: { readonly account: Account; readonly market: string; readonly fields: Fields },
  ): unknown {
    if (name === 'order_place') return this.#place({ account, fields, name: '' }, market);
    if (name === 'order_cancel') return this.#cancel({ account, fields, name: fields.get('order_id') ?? '' }, market);
    throw new GateError('NOT_FOUND', `unknown operation ${name.slice(0, 40)}`, 404);
  }

  #login(channel: string, payload: Readonly<Record<string, unknown>>): Account {
    const time = textIn(payload, 'timestamp');
    const account = this.#accountAt(textIn(payload, 'api_key'), time);
    const text = `api\n${channel}\n${JSON.stringify(payload['req_param'] ?? '')}\n${time}`;
    if (!sameText(textIn(payload, 'signature'), hmacSha512(account.spec.secret, text)))
      throw new GateError('INVALID_SIGNATURE', 'Signature mismatch', 401);
    return account;
  }

  /** @throws GateError */
  #accountAt(key: string, time: string): Account {
    const account = this.#exchange.ledger.byKey(key);
    if (account === undefined) throw new GateError('INVALID_KEY', 'Invalid key provided', 401);
    if (!(Math.abs(Number(time) - this.#exchange.nowMs() / 1_000) <= TIMESTAMP_WINDOW_S))
      throw new GateError('REQUEST_EXPIRED', 'gap between request Timestamp and server time exceeds 60', 403);
    return account;
  }

  /** Method, path, query, hash of the body, seconds; a line each. @throws GateError */
  #authorise(
    { method, headers, body }: HttpRequest,
    { route, query }: { readonly route: string; readonly query: string },
  ): Account {
    const time = headers['timestamp'] ?? '';
    if (headers['key'] === undefined)
      throw new GateError('MISSING_REQUIRED_HEADER', 'Missing required header: KEY', 401);
    const account = this.#accountAt(headers['key'], time);
    const text = `${method}\n${route}\n${query}\n${sha512(body)}\n${time}`;
    if (!sameText(headers['sign'] ?? '', hmacSha512(account.spec.secret, text)))
      throw new GateError('INVALID_SIGNATURE', 'Signature mismatch', 401);
    return account;
  }

  /** @throws GateError */
  #countOrder(account: Account, market: string): Readonly<Record<string, string>> {
    const limit = ORDERS_PER_SECOND[market]!;
    const used = this.#rates.take(`${account.spec.name}:${market}`, 1, this.#exchange.nowMs());
    if (used > limit) throw new GateError('TOO_MANY_REQUESTS', 'Request Rate limit Exceeded', 429);
    return { 'x-gate-ratelimit-limit': String(limit), 'x-gate-ratelimit-requests-remain': String(limit - used) };
  }

  /** By the whole path, or by all of it but its last part. @throws GateError */
  #find(method: string, path: string): readonly [run: (call: Call) => unknown, name: string] {
    const whole = this.#operations.get(`${method} ${path}`);
    if (whole !== undefined) return [whole, ''];
    const cut = path.lastIndexOf('/');
    const named = this.#operations.get(`${method} ${path.slice(0, cut)}/*`);
    if (named === undefined) throw new GateError('NOT_FOUND', `${method} ${path}`, 404);
    return [named, decodeURIComponent(path.slice(cut + 1))];
  }

  #public(path: string, fields: Fields): unknown {
    const listings = (market: string): readonly Listing[] =>
      this.#exchange.listings.filter((each) => each.market === market);
    switch (path) {
      case '/spot/time':
        return { server_time: this.#exchange.nowMs() };
      case '/spot/currency_pairs':
        return listings('spot').map(pairOf);
      case '/futures/usdt/contracts':
        return listings('usdt').map((listing) => this.#contractOf(listing));
      case '/spot/order_book':
        return this.#book('spot', fields.get('currency_pair'), fields);
      case '/futures/usdt/order_book':
        return this.#book('usdt', fields.get('contract'), fields);
      case '/spot/currencies':
      case '/margin/currency_pairs':
      case '/futures/btc/contracts':
      case '/delivery/usdt/contracts':
      case '/options/underlyings':
        return [];
      default:
        if (!path.startsWith('/futures/usdt/contracts/')) return undefined;
        return this.#contractOf(this.#listing('usdt', path.slice('/futures/usdt/contracts/'.length)));
    }
  }

  #book(market: string, symbol: string | undefined, fields: Fields): unknown {
    const feed = this.#books[this.#listing(market, symbol).index]!;
    return feed.snapshot(Math.min(400, Number(fields.get('limit') ?? 10)), this.#exchange.nowMs());
  }

  #listing(market: string, symbol: string | undefined): Listing {
    const listing = this.#exchange.listings.find((each) => each.market === market && each.venueSymbol === symbol);
    if (listing !== undefined) return listing;
    throw market === 'spot'
      ? new GateError('INVALID_CURRENCY_PAIR', `Invalid currency pair ${symbol ?? ''}`)
      : new GateError('CONTRACT_NOT_FOUND', `Contract ${symbol ?? ''} not found`);
  }

  /** As texts; the middle of the book where there is no other mark. */
  #reference(listing: Listing): { mark: string; index: string; rate: string; fundingMs: number } {
    const said = referenceOf(this.#exchange, listing);
    const mark = said === undefined ? this.#mid(listing).toFixed() : new Decimal(said.mark).toFixed();
    return {
      mark,
      index: said === undefined ? mark : new Decimal(said.index).toFixed(),
      rate: new Decimal(said?.fundingRate ?? 0).toFixed(),
      fundingMs: said?.fundingMs ?? nextFundingMs(listing, this.#exchange.nowMs()),
    };
  }

  #contractOf(listing: Listing): unknown {
    const { mark, index, rate, fundingMs } = this.#reference(listing);
    return {
      name: listing.venueSymbol,
      type: 'direct',
      quanto_multiplier: listing.contractSize.toFixed(),
      order_price_round: tickOf(listing).toFixed(),
      mark_price_round: tickOf(listing).toFixed(),
      order_size_min: listing.minLots,
      order_size_max: 1_000_000,
      order_price_deviate: '0.5',
      maker_fee_rate: listing.maker.toFixed(),
      taker_fee_rate: listing.taker.toFixed(),
      leverage_min: '1',
      leverage_max: '100',
      maintenance_rate: '0.005',
      mark_type: 'index',
      mark_price: mark,
      index_price: index,
      last_price: this.#mid(listing).toFixed(),
      funding_rate: rate,
      funding_rate_indicative: rate,
      funding_interval: listing.fundingEveryMs / 1_000,
      funding_next_apply: fundingMs / 1_000,
      in_delisting: false,
      status: 'trading',
      create_time: 1_600_000_000,
    };
  }

  #spotOperations(): Readonly<Record<string, (call: Call) => unknown>> {
    return {
      ...this.#orderOperations('/spot', 'spot'),
      'GET /account/detail': () => ({
        user_id: USER_ID,
        ip_whitelist: [],
        currency_pairs: [],
        key: { mode: 1 },
        tier: 0,
      }),
      'GET /account/main_keys': ({ account }) => [
        {
          state: 1,
          mode: 1,
          name: account.spec.name,
          user_id: USER_ID,
          perms: ['spot', 'futures', 'account'].map((name) => ({ name, read_only: false })),
          key: account.spec.apiKey,
        },
      ],
      'GET /wallet/fee': () => {
        const { maker, taker } = this.#exchange.listings.find(({ market }) => market === 'spot')!;
        const contract = this.#exchange.listings.find(({ market }) => market === 'usdt');
        return {
          user_id: USER_ID,
          taker_fee: taker.toFixed(),
          maker_fee: maker.toFixed(),
          futures_taker_fee: contract?.taker.toFixed() ?? '0',
          futures_maker_fee: contract?.maker.toFixed() ?? '0',
          gt_discount: false,
          gt_taker_fee: '0',
          gt_maker_fee: '0',
          point_type: '1',
        };
      },
      'GET /spot/accounts': ({ account }) =>
        account.assets('spot').map((currency) => ({
          currency,
          available: account.available('spot', currency).toFixed(),
          locked: account.balance('spot', currency).held.toFixed(),
          update_id: 1,
        })),
      'GET /spot/open_orders': ({ account, fields }) => {
        const page = Number(fields.get('page') ?? 1);
        const size = Number(fields.get('limit') ?? 100);
        const open = this.#orders(account, 'spot').filter(({ status }) => status === 'open');
        return [...new Set(open.map(({ listing }) => listing.venueSymbol))].map((symbol) => {
          const own = open.filter(({ listing }) => listing.venueSymbol === symbol);
          return {
            currency_pair: symbol,
            total: own.length,
            orders: own.slice((page - 1) * size, page * size).map(spotOrder),
          };
        });
      },
      'GET /spot/my_trades': (call) => this.#fills(call, 'spot').map(spotFill),
    };
  }

  #usdtOperations(): Readonly<Record<string, (call: Call) => unknown>> {
    const listings = this.#exchange.listings.filter(({ market }) => market === 'usdt');
    const fills = (call: Call): unknown => this.#fills(call, 'usdt').map(contractFill);
    return {
      ...this.#orderOperations('/futures/usdt', 'usdt'),
      'GET /futures/usdt/fee': () =>
        Object.fromEntries(
          listings.map(({ venueSymbol, maker, taker }) => [
            venueSymbol,
            { taker_fee: taker.toFixed(), maker_fee: maker.toFixed() },
          ]),
        ),
      'GET /futures/usdt/accounts': ({ account }) => {
        const { total, held } = account.balance('futures', 'USDT');
        return {
          user: USER_ID,
          currency: 'USDT',
          total: total.toFixed(),
          order_margin: held.toFixed(),
          position_margin: total.minus(held).minus(account.available('futures', 'USDT')).toFixed(),
          available: account.available('futures', 'USDT').toFixed(),
          unrealised_pnl: '0',
          point: '0',
          bonus: '0',
          in_dual_mode: false,
        };
      },
      'GET /futures/usdt/positions': ({ account }) => this.#positions(account),
      'GET /futures/usdt/my_trades': fills,
      'GET /futures/usdt/my_trades_timerange': fills,
      'GET /futures/usdt/orders_timerange': ({ account, fields }) =>
        this.#among(this.#orders(account, 'usdt'), fields)
          .filter(({ createdMs }) => createdMs >= Number(fields.get('from') ?? 0) * 1_000)
          .toReversed()
          .map(contractOrder),
    };
  }

  /** What both products do alike: `*` is an order, by its number or by its text. */
  #orderOperations(path: string, market: string): Readonly<Record<string, (call: Call) => unknown>> {
    const describe = market === 'spot' ? spotOrder : contractOrder;
    return {
      [`POST ${path}/orders`]: (call) => this.#place(call, market),
      [`GET ${path}/orders`]: ({ account, fields }) =>
        this.#among(this.#orders(account, market), fields)
          .filter(({ status }) => (fields.get('status') === 'open') === (status === 'open'))
          .filter(({ createdMs }) => createdMs >= Number(fields.get('from') ?? 0) * 1_000)
          .toReversed()
          .slice(Number(fields.get('offset') ?? 0))
          .slice(0, Number(fields.get('limit') ?? 100))
          .map(describe),
      [`DELETE ${path}/orders`]: ({ account, fields }) => {
        const symbol = fields.get('currency_pair') ?? fields.get('contract');
        return this.#exchange
          .cancelAll(account, (each) => each.market === market && (symbol ?? each.venueSymbol) === each.venueSymbol)
          .map((order) => ({ ...describe(order), succeeded: true }));
      },
      [`GET ${path}/orders/*`]: ({ account, name }) => describe(this.#order(account, market, name)),
      [`DELETE ${path}/orders/*`]: (call) => this.#cancel(call, market),
      [`PUT ${path}/orders/*`]: (call) => this.#amend(call, market),
      [`POST ${path}/countdown_cancel_all`]: (call) => this.#countdown(call, market),
    };
  }

  #orders(account: Account, market: string): readonly Order[] {
    return this.#exchange.ordersOf(account).filter(({ listing }) => listing.market === market);
  }

  #among(orders: readonly Order[], fields: Fields): readonly Order[] {
    const symbol = fields.get('currency_pair') ?? fields.get('contract');
    return orders.filter(({ listing }) => (symbol ?? listing.venueSymbol) === listing.venueSymbol);
  }

  /** Newest first. */
  #fills({ account, fields }: Call, market: string): readonly Trade[] {
    const size = Number(fields.get('limit') ?? 100);
    const from = fields.has('page') ? (Number(fields.get('page')) - 1) * size : Number(fields.get('offset') ?? 0);
    const order = orderIdFrom(fields.get('order_id') ?? fields.get('order') ?? '');
    return this.#among(this.#orders(account, market), fields)
      .filter(({ id }) => order === undefined || id === order)
      .flatMap(({ trades }) => trades)
      .filter(({ timeMs }) => timeMs >= Number(fields.get('from') ?? 0) * 1_000)
      .sort((a, b) => b.id - a.id)
      .slice(from, from + size);
  }

  /** @throws GateError */
  #order(account: Account, market: string, name: string): Order {
    const id = orderIdFrom(name);
    const order = this.#exchange.find(account, id === undefined ? { clientOrderId: name } : { id });
    if (order?.listing.market !== market) throw new GateError('ORDER_NOT_FOUND', 'Order not found', 404);
    return order;
  }

  #cancel({ account, name }: Call, market: string): unknown {
    const order = this.#order(account, market, name);
    if (!this.#exchange.cancel(order))
      throw new GateError(market === 'spot' ? 'ORDER_CLOSED' : 'ORDER_FINISHED', 'Order is closed');
    return market === 'spot' ? spotOrder(order) : contractOrder(order);
  }

  /** @throws GateError */
  #amend({ account, name, fields }: Call, market: string): unknown {
    const order = this.#order(account, market, name);
    if (order.status !== 'open' || market === 'spot') throw new GateError('ORDER_FINISHED', 'Order is closed');
    try {
      const qty = (fields.get('size') ?? '').replace('-', '');
      const refused = this.#exchange.amend(order, { price: fields.get('price'), qty });
      if (refused === undefined) return contractOrder(order);
      const [, futures, words] = REFUSALS[refused];
      throw new GateError(futures, words);
    } catch (error) {
      if (error instanceof BadInput) throw new GateError('INVALID_PARAM_VALUE', 'Invalid price or size');
      throw error;
    }
  }

  /** @throws GateError */
  #place(call: Call, market: string): unknown {
    const text = call.fields.get('text') ?? '';
    if (text !== '' && !/^t-[\w.-]{0,28}$/.test(text)) throw new GateError('INVALID_PARAM_VALUE', 'Invalid text value');
    const draft = market === 'spot' ? spotDraft(call.fields) : contractDraft(call.fields);
    const listing = this.#listing(market, call.fields.get(market === 'spot' ? 'currency_pair' : 'contract'));
    try {
      const placed = this.#exchange.place({
        ...draft,
        account: call.account,
        listing,
        clientOrderId: text === '' ? undefined : text,
      });
      if (placed.kind === 'placed') return market === 'spot' ? spotOrder(placed.order) : contractOrder(placed.order);
      const [spot, futures, words] = REFUSALS[placed.reason];
      throw new GateError(market === 'spot' ? spot : futures, words);
    } catch (error) {
      if (error instanceof BadInput) throw new GateError('INVALID_PARAM_VALUE', 'Invalid price or amount');
      throw error;
    }
  }

  #countdown({ account, fields }: Call, market: string): unknown {
    const timeout = Number(fields.get('timeout'));
    const symbol = fields.get('currency_pair') ?? fields.get('contract');
    if (timeout !== 0 && !(timeout >= 5)) throw new GateError('INVALID_PARAM_VALUE', 'timeout must be 0 or at least 5');
    const key = `${account.spec.name}:${market}:${symbol ?? ''}`;
    const atMs = this.#exchange.nowMs() + timeout * 1_000;
    if (timeout === 0) this.#countdowns.delete(key);
    else
      this.#countdowns.set(key, {
        atMs,
        cancel: () => {
          this.#exchange.cancelAll(
            account,
            (each) => each.market === market && (symbol ?? each.venueSymbol) === each.venueSymbol,
          );
        },
      });
    return { triggerTime: `#${timeout === 0 ? 0 : atMs}` };
  }

  #positions(account: Account): readonly unknown[] {
    return account.positions().map(({ listing, position }) => ({
      user: USER_ID,
      contract: listing.venueSymbol,
      size: `#${signedSize(listing, position)}`,
      leverage: '0',
      cross_leverage_limit: '10',
      leverage_max: '100',
      value: position.cost.toFixed(),
      entry_price: entryPrice(listing, position),
      mark_price: this.#mid(listing).toFixed(),
      liq_price: '0',
      unrealised_pnl: '0',
      realised_pnl: position.realised.toFixed(),
      mode: 'single',
      update_time: Math.floor(this.#exchange.nowMs() / 1_000),
    }));
  }

  #ordered(order: Order, change: OrderChange): void {
    const prefix = prefixOf(order.listing);
    const isSpot = prefix === 'spot';
    const event = change.kind === 'new' ? 'put' : order.status === 'open' ? 'update' : 'finish';
    // A spot push names the event instead of a status.
    const shown = isSpot ? { ...spotOrder(order), status: undefined, event } : contractOrder(order);
    for (const socket of this.#private.of(order.account)) {
      if (socket.prefix !== prefix) continue;
      const tell = (name: string, result: readonly unknown[]): void => {
        if (socket.channels.has(name)) socket.client.send(this.#frame(`${prefix}.${name}`, result));
      };
      tell('orders', [shown]);
      if (change.kind === 'trade') tell('usertrades', [isSpot ? spotFill(change.trade) : contractFill(change.trade)]);
      if (isSpot) tell('balances', this.#balances(order));
      else if (change.kind === 'trade') tell('positions', this.#positions(order.account));
    }
  }

  #paid(account: Account, listing: Listing): void {
    const prefix = prefixOf(listing);
    for (const socket of this.#private.of(account))
      if (socket.prefix === prefix && socket.channels.has('positions'))
        socket.client.send(this.#frame(`${prefix}.positions`, this.#positions(account)));
  }

  #balances({ account, listing }: Order): readonly unknown[] {
    const nowMs = this.#exchange.nowMs();
    return [listing.base, listing.quote].map((currency) => ({
      timestamp: String(Math.floor(nowMs / 1_000)),
      timestamp_ms: String(nowMs),
      user: String(USER_ID),
      currency,
      change: '0',
      total: account.balance('spot', currency).total.toFixed(),
      available: account.available('spot', currency).toFixed(),
      freeze: account.balance('spot', currency).held.toFixed(),
    }));
  }
}

const USER_ID = 100_001;
const LIMIT_HEADERS = { 'x-gate-ratelimit-limit': '200' };

const textReply = (value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): HttpReply => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: jsonText(value),
  delayMs: 0,
});

const objectIn = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const textIn = (fields: Readonly<Record<string, unknown>>, name: string): string =>
  typeof fields[name] === 'string' ? fields[name] : '';

type Draft = Pick<
  Parameters<Exchange['place']>[0],
  'side' | 'type' | 'timeInForce' | 'postOnly' | 'price' | 'qty' | 'qtyIn' | 'reduceOnly'
>;
const TIMES: Readonly<Record<string, Pick<Draft, 'timeInForce' | 'postOnly'>>> = {
  gtc: { timeInForce: 'GTC', postOnly: false },
  ioc: { timeInForce: 'IOC', postOnly: false },
  fok: { timeInForce: 'FOK', postOnly: false },
  poc: { timeInForce: 'GTC', postOnly: true },
};
const timeOf = (name: string): Pick<Draft, 'timeInForce' | 'postOnly'> => {
  const time = Object.hasOwn(TIMES, name) ? TIMES[name] : undefined;
  if (time === undefined) throw new GateError('INVALID_PARAM_VALUE', 'Invalid time in force');
  return time;
};

/** A market order that buys is sized in quote. @throws GateError */
function spotDraft(fields: Fields): Draft {
  const [side, type = 'limit'] = [fields.get('side'), fields.get('type')];
  if (side !== 'buy' && side !== 'sell') throw new GateError('INVALID_PARAM_VALUE', 'Invalid side');
  if (type !== 'limit' && type !== 'market') throw new GateError('INVALID_PARAM_VALUE', 'Invalid type');
  const time = timeOf(fields.get('time_in_force') ?? 'gtc');
  if (type === 'market' && time.timeInForce === 'GTC')
    throw new GateError('INVALID_PARAM_VALUE', 'Only ioc and fok are supported when type=market');
  return {
    side,
    type,
    ...time,
    price: type === 'market' ? undefined : fields.get('price'),
    qty: fields.get('amount') ?? '0',
    qtyIn: type === 'market' && side === 'buy' ? 'quote' : 'base',
  };
}

/** The sign of the size is the side; a price of 0 is a market order's. @throws GateError */
function contractDraft(fields: Fields): Draft {
  const [size = '0', price = '0'] = [fields.get('size'), fields.get('price')];
  const time = timeOf(fields.get('tif') ?? 'gtc');
  const type = Number(price) === 0 ? 'market' : 'limit';
  if (type === 'market' && time.timeInForce !== 'IOC')
    throw new GateError('INVALID_PARAM_VALUE', 'a price of 0 must be ioc');
  return {
    side: size.startsWith('-') ? 'sell' : 'buy',
    type,
    ...time,
    price: type === 'market' ? undefined : price,
    qty: size.replace(/^-/, ''),
    qtyIn: 'base',
    reduceOnly: fields.get('reduce_only') === 'true',
  };
}

const tifOf = ({ postOnly, timeInForce }: Order): string => (postOnly ? 'poc' : timeInForce.toLowerCase());
const finishOf = (order: Order): string =>
  order.status === 'filled' ? 'filled' : order.status === 'canceled' ? 'cancelled' : tifOf(order);
const feeOf = ({ trades }: Order): string => trades.reduce((sum, { fee }) => sum.plus(fee), new Decimal(0)).toFixed();

/** An order as REST shows it. */
function spotOrder(order: Order): Readonly<Record<string, unknown>> {
  const { listing } = order;
  const seconds = (ms: number): string => String(Math.floor(ms / 1_000));
  return {
    id: orderIdText(order.id),
    text: order.clientOrderId,
    amend_text: '-',
    create_time: seconds(order.createdMs),
    update_time: seconds(order.updatedMs),
    create_time_ms: order.createdMs,
    update_time_ms: order.updatedMs,
    status: order.status === 'open' ? 'open' : order.status === 'filled' ? 'closed' : 'cancelled',
    currency_pair: listing.venueSymbol,
    type: order.type,
    account: 'spot',
    side: order.side,
    amount: qtyOf(listing, order.qty).toFixed(),
    price: order.type === 'market' ? '0' : limitOf(order).toFixed(),
    time_in_force: tifOf(order),
    left: qtyOf(listing, order.qty - order.filled).toFixed(),
    filled_amount: qtyOf(listing, order.filled).toFixed(),
    filled_total: order.cost.toFixed(),
    avg_deal_price: averageOf(order).toDecimalPlaces(12).toFixed(),
    fee: feeOf(order),
    fee_currency: listing.feeIn === 'received' && order.side === 'buy' ? listing.base : listing.quote,
    point_fee: '0',
    gt_fee: '0',
    gt_discount: false,
    rebated_fee: '0',
    finish_as: order.status === 'open' ? 'open' : finishOf(order),
  };
}

/** Sizes carry the side's sign, numbers are JSON numbers. */
function contractOrder(order: Order): Readonly<Record<string, unknown>> {
  const { listing } = order;
  const signed = (lots: number): string => `#${qtyOf(listing, order.side === 'sell' ? -lots : lots).toFixed()}`;
  return {
    id: `#${orderIdText(order.id)}`,
    user: USER_ID,
    contract: listing.venueSymbol,
    create_time: order.createdMs / 1_000,
    size: signed(order.qty),
    iceberg: 0,
    left: signed(order.qty - order.filled),
    price: order.type === 'market' ? '0' : limitOf(order).toFixed(),
    fill_price: averageOf(order).toDecimalPlaces(12).toFixed(),
    mkfr: listing.maker.toFixed(),
    tkfr: listing.taker.toFixed(),
    tif: tifOf(order),
    refu: 0,
    is_reduce_only: false,
    is_close: false,
    is_liq: false,
    text: order.clientOrderId,
    ...(order.status === 'open'
      ? { status: 'open', update_time: order.updatedMs / 1_000 }
      : { status: 'finished', finish_time: order.updatedMs / 1_000, finish_as: finishOf(order) }),
  };
}

const spotFill = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade) => ({
  id: String(id),
  create_time: String(Math.floor(timeMs / 1_000)),
  create_time_ms: `${timeMs}.000`,
  currency_pair: order.listing.venueSymbol,
  order_id: orderIdText(order.id),
  side: order.side,
  role: liquidity,
  amount: qtyOf(order.listing, lots).toFixed(),
  price: priceOf(order.listing, price).toFixed(),
  fee: fee.toFixed(),
  fee_currency: feeAsset,
  point_fee: '0',
  gt_fee: '0',
  text: order.clientOrderId,
});

const FORCED_TEXTS = { adl: 'auto_deleveraging', liquidation: 'liquidation' } as const;

const contractFill = ({ id, order, price, lots, fee, liquidity, timeMs }: Trade) => ({
  id: String(id),
  trade_id: String(id),
  create_time: timeMs / 1_000,
  create_time_ms: timeMs,
  contract: order.listing.venueSymbol,
  order_id: orderIdText(order.id),
  size: `#${qtyOf(order.listing, order.side === 'sell' ? -lots : lots).toFixed()}`,
  price: priceOf(order.listing, price).toFixed(),
  role: liquidity,
  text: order.forced === undefined ? order.clientOrderId : FORCED_TEXTS[order.forced],
  fee: fee.toFixed(),
  point_fee: '0',
});

const pairOf = (listing: Listing): unknown => ({
  id: listing.venueSymbol,
  base: listing.base,
  quote: listing.quote,
  fee: '0.2',
  min_base_amount: qtyOf(listing, listing.minLots).toFixed(),
  min_quote_amount: listing.minNotional.toFixed(),
  amount_precision: listing.lotDecimals,
  precision: listing.priceDecimals,
  trade_status: 'tradable',
  sell_start: 0,
  buy_start: 0,
  type: 'normal',
});

/** What one can subscribe to of a listing, as sockets keep it. */
const topicsOf = ({ venueSymbol }: Listing): readonly string[] => [
  ...DEPTHS.map((depth) => `obu ob.${venueSymbol}.${depth}`),
  `order_book_update ${venueSymbol}`,
];

type Sides = { readonly bids: FlatLevels; readonly asks: FlatLevels };

/**
 * One book's channels, each with its own depth and view. What leaves the depth is deleted, so that a client never keeps a level it is not told of.
 * @see https://www.gate.com/announcements/article/45317
 */
class BookFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  readonly #views: readonly { readonly topic: string; readonly depth: number; told: Sides }[];
  #sequence: number;

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
    const [shallow, deep, update] = topicsOf(listing);
    this.#views = [
      { topic: shallow!, depth: DEPTHS[0], told: this.#sides(DEPTHS[0]) },
      { topic: deep!, depth: DEPTHS[1], told: this.#sides(DEPTHS[1]) },
      { topic: update!, depth: UPDATE_DEPTH, told: this.#sides(UPDATE_DEPTH) },
    ];
    this.#sequence = this.#now();
  }

  /** The frames that tell what changed since the last ones, with their topics. */
  advance(nowMs: number): readonly (readonly [topic: string, frame: string])[] {
    const last = this.#now();
    if (last === this.#sequence) return [];
    const first = this.#sequence + 1;
    this.#sequence = last;
    return this.#views.map((view) => {
      const now = this.#sides(view.depth);
      const changes = { bids: changesOf(view.told.bids, now.bids), asks: changesOf(view.told.asks, now.asks) };
      view.told = now;
      return [view.topic, this.#frame(view.topic, `"U":${first},"u":${last},`, { sides: changes, nowMs })] as const;
    });
  }

  /** The whole of an `obu` book, at the number that the others are at. */
  full(topic: string, nowMs: number): string {
    const { told } = this.#views.find((view) => view.topic === topic)!;
    return this.#frame(topic, `"full":true,"u":${this.#sequence},`, { sides: told, nowMs });
  }

  /** The REST book. */
  snapshot(depth: number, nowMs: number): unknown {
    const { bids, asks } = this.#sides(depth);
    const isSpot = prefixOf(this.listing) === 'spot';
    const time = isSpot ? nowMs : nowMs / 1_000;
    const levels = (flat: FlatLevels): unknown => JSON.parse(levelsText(this.listing, flat, !isSpot)) as unknown;
    return { id: this.#now(), current: time, update: time, asks: levels(asks), bids: levels(bids) };
  }

  #now(): number {
    return FIRST_SEQUENCE + this.#engine.changes;
  }

  #sides(depth: number): Sides {
    return { bids: flatLevels(this.#engine.bids, depth), asks: flatLevels(this.#engine.asks, depth) };
  }

  #frame(topic: string, numbers: string, { sides, nowMs }: { readonly sides: Sides; readonly nowMs: number }): string {
    const [channel = '', name = ''] = topic.split(' ');
    const prefix = prefixOf(this.listing);
    const asObjects = channel !== 'obu' && prefix === 'futures';
    return (
      `{"channel":"${prefix}.${channel}","result":{"t":${nowMs},${numbers}"s":"${name}",` +
      `"b":${levelsText(this.listing, sides.bids, asObjects)},"a":${levelsText(this.listing, sides.asks, asObjects)}},` +
      `"time":${Math.floor(nowMs / 1_000)},"time_ms":${nowMs},"event":"update"}`
    );
  }
}

/** Absolute quantities; 0 where a level is gone. */
function changesOf(before: FlatLevels, now: FlatLevels): FlatLevels {
  const left = new Map<number, number>();
  for (let at = 0; at < before.length; at += 2) left.set(before[at]!, before[at + 1]!);
  const changes: FlatLevels = [];
  for (let at = 0; at < now.length; at += 2) {
    if (left.get(now[at]!) !== now[at + 1]) changes.push(now[at]!, now[at + 1]!);
    left.delete(now[at]!);
  }
  for (const price of left.keys()) changes.push(price, 0);
  return changes;
}

function levelsText({ priceDecimals, lotDecimals }: Listing, flat: FlatLevels, asObjects: boolean): string {
  let text = '[';
  for (let at = 0; at < flat.length; at += 2) {
    const price = trimmedText(flat[at]!, priceDecimals);
    const size = trimmedText(flat[at + 1]!, lotDecimals);
    text += `${at === 0 ? '' : ','}${asObjects ? `{"p":"${price}","s":${size}}` : `["${price}","${size}"]`}`;
  }
  return `${text}]`;
}
