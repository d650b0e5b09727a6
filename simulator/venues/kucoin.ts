import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import { DepthView, flatLevels } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { trimmedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { derivativeListing, lotOf, priceOf, qtyOf, spotListings, tickOf } from '../listings.ts';
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
  hmacSha256,
  jsonReply,
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
} from './venue-dialect.ts';

const contractListing = (symbol: string, venueSymbol: string, contractSize: string, priceDecimals: number) =>
  derivativeListing({
    venue: 'kucoin',
    market: 'futures',
    symbol,
    venueSymbol,
    contractSize,
    priceDecimals,
    lotDecimals: 0,
    fees: ['0.0002', '0.0006'],
    postOnly: 'ended',
    wallet: 'unified',
  });

/**
 * KuCoin, the unified account: REST on one host for spot and futures (lists and polled books on the older hosts), public pushes without a token, private
 * ones by a token, orders on a socket of their own. Of the classic generation spot books alone are here, for clients that know no other.
 * @see https://www.kucoin.com/docs-new
 */
export const simulated: SimulatedVenue = {
  venue: 'kucoin',
  hosts: {
    'api.kucoin.com': '',
    'api-futures.kucoin.com': '',
    'x-push-spot.kucoin.com': '/push/SPOT',
    'x-push-futures.kucoin.com': '/push/FUTURES',
    'wsapi-push.kucoin.com': '/push/UNIFIED',
    'wsapi.kucoin.com': '/trade',
    'ws-api-spot.kucoin.com': '/classic',
  },
  listings: [
    ...spotListings({
      venue: 'kucoin',
      fees: ['0.001', '0.001'],
      feeIn: 'quote',
      postOnly: 'ended',
      wallet: 'unified',
      spell: (base, quote) => `${base}-${quote}`,
      minQty: { BTC: '0.00001', ETH: '0.0001', SOL: '0.01', XRP: '0.1', ADA: '0.1', LTC: '0.001', USDC: '0.1' },
      minNotional: { USDT: '0.1', USDC: '0.1' },
    }),
    contractListing('BTC/USDT:USDT', 'XBTUSDTM', '0.001', 1),
    contractListing('ETH/USDT:USDT', 'ETHUSDTM', '0.01', 2),
    contractListing('BTC/USD:BTC', 'XBTUSDM', '1', 1),
  ],
  dialect: (options) => new KuCoin(options),
};

type Fields = ReadonlyMap<string, string>;
type TradeType = 'SPOT' | 'FUTURES';
type PushSocket = {
  readonly client: Client;
  /** UNIFIED: the private one. */
  readonly product: TradeType | 'UNIFIED' | 'CLASSIC';
  /** `channel:symbol` of public subscriptions, channels of private ones. */
  readonly topics: Set<string>;
  readonly account: Account | undefined;
  spokeMs: number;
};
type TradeSocket = {
  readonly client: Client;
  readonly account: Account;
  readonly challenge: string;
  isProven: boolean;
};
type Call = { readonly account: Account; readonly fields: Fields };

const TIMESTAMP_WINDOW_MS = 5_000;
const REQUESTS = { limit: 200, windowMs: 3_000 } as const;
const IDLE_MS = 60_000;
const SNAPSHOT_DEPTH = 500;
const FIRST_SEQUENCE = 25_900_000_000;
const MARK_MS = 1_000;
const FUNDING_MS = 60_000;
const BOOK_DEPTH = 'increment@10ms';
const PUBLIC_CHANNELS = ['obu', 'trade', 'mark-price', 'funding-fee'];
const PRIVATE_CHANNELS = ['order', 'orderAll', 'execution', 'execution.lite', 'balance', 'positionAll'];

/** A refusal as the venue codes it. */
class KuCoinError extends Error {
  override readonly name = 'KuCoinError';
  readonly code: string;
  readonly status: number;

  constructor(code: string, text: string, status = 200) {
    super(text);
    this.code = code;
    this.status = status;
  }
}

const REFUSALS: Readonly<Record<Refusal, readonly [code: string, words: string]>> = {
  'price-off-grid': ['600100', 'Price increment invalid.'],
  'qty-off-grid': ['600100', 'Order size increment invalid.'],
  'below-min-qty': ['400100', 'Order size below the minimum requirement.'],
  'below-min-notional': ['600101', 'The order funds should more then 0.1 USDT.'],
  'insufficient-funds': ['200004', 'Balance insufficient!'],
  'duplicate-id': ['126044', 'clientOid duplicate'],
  'would-take': ['300000', 'request invalid'],
  'no-liquidity': ['300000', 'request invalid'],
  'too-many-orders': ['126011', 'There are too many orders'],
  'reduce-only': ['300009', 'No open positions to close.'],
  expired: ['400200', 'Forbidden to place an order'],
  'told-to': ['400200', 'Forbidden to place an order'],
};

const tradeTypeOf = ({ market }: Listing): TradeType => (market === 'spot' ? 'SPOT' : 'FUTURES');
const currencyOf = (asset: string, listing: Listing): string =>
  asset === 'BTC' && listing.market === 'futures' ? 'XBT' : asset;
/** 18 digits, beyond what a double holds. */
const orderIdText = (id: number): string => `42${String(id).padStart(16, '0')}`;
const orderIdFrom = (text: string): number => (/^42\d{16}$/.test(text) ? Number(text.slice(2)) : -1);
/** Nanoseconds are JSON numbers that no double holds. */
const ns = (ms: number): string => `#${ms}000000`;
/** JSON in which texts that begin with `#` are numbers. */
const jsonText = (value: unknown): string => JSON.stringify(value).replace(/"#(-?[\d.]+)"/g, '$1');

class KuCoin implements VenueDialect {
  readonly venue = 'kucoin';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #books: readonly BookFeed[];
  readonly #flushedMs: Float64Array;
  readonly #pushed = new Set<PushSocket>();
  readonly #private = new PrivateAudience<PushSocket>();
  readonly #tokens = new Map<string, Account>();
  readonly #rates = new RateWindow(REQUESTS.windowMs);
  readonly #countdowns = new Map<string, { readonly atMs: number; readonly cancel: () => void }>();
  /** Orders that somebody asked to cancel: what ends otherwise ended by its own terms. */
  readonly #asked = new WeakSet<Order>();
  readonly #operations: ReadonlyMap<string, (call: Call) => unknown>;
  #sessions = 0;
  #markedMs = 0;
  #fundedMs = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#books = options.exchange.listings.map((listing) => new BookFeed(listing, options.exchange.engine(listing)));
    this.#flushedMs = new Float64Array(this.#books.length).fill(-Infinity);
    this.#operations = new Map(Object.entries({ ...this.#orderOperations(), ...this.#accountOperations() }));
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
    const fields = fieldsOf(query);
    if (route.startsWith('/trade/v1/private')) return this.#tradeSession(client, fields);
    if (/^\/classic\/?$/.test(route)) return this.#classicConnection(client);
    const product = /^\/push\/(SPOT|FUTURES|UNIFIED)\/?$/.exec(route)?.[1] as TradeType | 'UNIFIED' | undefined;
    const account = product === 'UNIFIED' ? this.#tokens.get(fields.get('token') ?? '') : undefined;
    if (product === undefined || (product === 'UNIFIED' && account === undefined)) return undefined;
    const socket: PushSocket = { client, product, topics: new Set(), account, spokeMs: this.#exchange.nowMs() };
    this.#pushed.add(socket);
    if (account !== undefined) this.#private.join(account, socket);
    client.send(bytesOf(`{"sessionId":"${this.#session()}","message":"welcome","pingInterval":18000}`));
    return {
      markets: product === 'UNIFIED' ? ['spot', 'futures'] : [product === 'SPOT' ? 'spot' : 'futures'],
      message: (text) => {
        this.#message(socket, text);
      },
      closed: () => {
        this.#pushed.delete(socket);
        this.#private.leave(socket);
      },
    };
  }

  /** Spot books as they were before: deltas alone, the first state by REST. Texts, and acknowledged by type. */
  #classicConnection(client: Client): Connection {
    const socket: PushSocket = {
      client,
      product: 'CLASSIC',
      topics: new Set(),
      account: undefined,
      spokeMs: this.#exchange.nowMs(),
    };
    this.#pushed.add(socket);
    client.send(`{"id":"${this.#session()}","type":"welcome"}`);
    return {
      markets: ['spot'],
      message: (text) => {
        socket.spokeMs = this.#exchange.nowMs();
        const message = fieldsOfJson(objectOf(text));
        const [id, type, topic = ''] = ['id', 'type', 'topic'].map((name) => message?.get(name));
        const symbols = topic.replace(/^\/market\/level2:/, '').split(',');
        if (type === 'ping') client.send(JSON.stringify({ id, type: 'pong' }));
        else if (topic.startsWith('/market/level2:') && (type === 'subscribe' || type === 'unsubscribe')) {
          for (const symbol of symbols) socket.topics[type === 'subscribe' ? 'add' : 'delete'](`obu:${symbol}`);
          client.send(JSON.stringify({ id, type: 'ack' }));
        } else client.send(JSON.stringify({ id, type: 'error', code: 404, data: `topic ${topic} is not found` }));
      },
      closed: () => {
        this.#pushed.delete(socket);
      },
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const fields = fieldsOf(query);
    try {
      if (route === '/api/v1/bullet-public') return reply(classicServer(request.headers['host'] ?? ''));
      const open = this.#public(route, fields);
      if (open !== undefined) return reply(open);
      const account = this.#authorise(request);
      const run = this.#operations.get(`${request.method} ${route}`);
      if (run === undefined) throw new KuCoinError('404', 'Not Found', 404);
      const used = this.#rates.take(account.spec.name, 1, this.#exchange.nowMs());
      if (used > REQUESTS.limit) throw new KuCoinError('429000', 'Too Many Requests', 429);
      const body = fieldsOfJson(objectOf(request.body)) ?? new Map<string, string>();
      const all = new Map([...fields, ...body]);
      const data = run({ account, fields: all });
      const market = all.get('tradeType') === 'FUTURES' ? 'futures' : 'spot';
      const delayMs = /order\/(place|cancel)$/.test(route) ? this.#options.faults.ackDelayMs('kucoin', market) : 0;
      return { ...reply(data, REQUESTS.limit - used), delayMs };
    } catch (error) {
      if (error instanceof KuCoinError) return jsonReply(error.status, { code: error.code, msg: error.message });
      throw error;
    }
  }

  marketOf(path: string): string {
    return /tradeType=FUTURES|\/contracts\/|\/level2\/|symbol=[A-Z0-9]+M\b/.test(path) ? 'futures' : 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    return JSON.stringify(
      kind === 'rate-limited'
        ? { code: '429000', msg: 'Too Many Requests' }
        : { code: '500000', msg: 'Internal Server Error' },
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
    if (nowMs - this.#markedMs < MARK_MS) return;
    this.#markedMs = nowMs;
    const isFundingDue = nowMs - this.#fundedMs >= FUNDING_MS;
    if (isFundingDue) this.#fundedMs = nowMs;
    for (const listing of this.#exchange.listings)
      if (listing.perpetual && !this.#stale(listing)) this.#refer(listing, isFundingDue);
    for (const { spokeMs, client } of [...this.#pushed]) if (nowMs - spokeMs > IDLE_MS) client.close(1000, 'Bye');
  }

  #session(): string {
    this.#sessions += 1;
    return `e8e46556-ae1d-4871-be0b-${String(this.#sessions).padStart(12, '0')}`;
  }

  #stale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'kucoin', market);
  }

  /** Sends what changed; a gap loses the frame but not its numbers. */
  #flush(listing: Listing): void {
    const feed = this.#books[listing.index]!;
    const nowMs = this.#exchange.nowMs();
    const frame = feed.advance(nowMs);
    if (frame === undefined) return;
    const listeners = this.#hearing(listing, 'obu');
    const classic = this.#hearing(listing, 'obu', 'CLASSIC');
    if (listeners.length + classic.length === 0) return;
    if (this.#options.faults.take('gap', 'kucoin', listing.market) !== undefined) return;
    const bytes = bytesOf(frame);
    for (const socket of listeners) socket.client.send(bytes);
    if (classic.length === 0) return;
    const text = feed.classic(nowMs);
    for (const socket of classic) socket.client.send(text);
  }

  #hearing(
    listing: Listing,
    channel: string,
    product: PushSocket['product'] = tradeTypeOf(listing),
  ): readonly PushSocket[] {
    const topic = `${channel}:${listing.venueSymbol}`;
    return [...this.#pushed].filter((socket) => socket.product === product && socket.topics.has(topic));
  }

  #push(listing: Listing, channel: string, message: Readonly<Record<string, unknown>>): void {
    const listeners = this.#hearing(listing, channel);
    if (listeners.length === 0) return;
    const bytes = bytesOf(jsonText(message));
    for (const socket of listeners) socket.client.send(bytes);
  }

  #printed(listing: Listing, { id, price, lots, taker, timeMs }: Print): void {
    const { venueSymbol, priceDecimals, lotDecimals } = listing;
    this.#push(listing, 'trade', {
      T: `trade.${tradeTypeOf(listing)}`,
      P: ns(timeMs),
      d: {
        E: id,
        M: ns(timeMs),
        S: taker,
        p: trimmedText(price, priceDecimals),
        q: trimmedText(lots, lotDecimals),
        s: venueSymbol,
        ti: String(id),
      },
    });
  }

  /** Mark and index each second, funding each minute. */
  #refer(listing: Listing, isFundingDue: boolean): void {
    const nowMs = this.#exchange.nowMs();
    const said = referenceOf(this.#exchange, listing);
    const mark = said === undefined ? this.#mid(listing).toFixed() : new Decimal(said.mark).toFixed();
    const index = said === undefined ? mark : new Decimal(said.index).toFixed();
    this.#push(listing, 'mark-price', {
      T: 'mark-price',
      P: ns(nowMs),
      d: { s: listing.venueSymbol, mp: mark, ip: index, oi: '1000', ts: nowMs },
    });
    // Without a price there is no rate, and none is not zero.
    if (isFundingDue && said !== undefined) this.#push(listing, 'funding-fee', this.#funding(listing, nowMs));
  }

  #funding(listing: Listing, nowMs: number): Readonly<Record<string, unknown>> {
    const { fundingEveryMs, venueSymbol } = listing;
    const said = referenceOf(this.#exchange, listing);
    const next = said?.fundingMs ?? nextFundingMs(listing, nowMs);
    const rate = new Decimal(said?.fundingRate ?? 0).toFixed();
    return {
      T: 'funding-fee',
      P: ns(nowMs),
      d: {
        s: venueSymbol,
        fr: rate,
        lfr: rate,
        ft: next - fundingEveryMs,
        nt: next,
        gl: fundingEveryMs,
        fc: '0.003',
        ff: '-0.003',
      },
    };
  }

  /** Between the best prices. */
  #mid(listing: Listing): Decimal {
    const { bids, asks } = this.#exchange.engine(listing);
    const [bid, ask] = [bids.best()?.price ?? 1, asks.best()?.price ?? 1];
    return priceOf(listing, Math.round((bid + ask) / 2));
  }

  #message(socket: PushSocket, text: string): void {
    const nowMs = this.#exchange.nowMs();
    socket.spokeMs = nowMs;
    const message = fieldsOfJson(objectOf(text));
    const id = message?.get('id') ?? '';
    if (message?.get('type') === 'ping') {
      socket.client.send(bytesOf(`{"type":"pong","id":${JSON.stringify(id)},"ts":${nowMs}000000}`));
      return;
    }
    const action = message?.get('action')?.toLowerCase();
    const channel = message?.get('channel') ?? '';
    const channels = socket.product === 'UNIFIED' ? PRIVATE_CHANNELS : PUBLIC_CHANNELS;
    if (message === undefined || (action !== 'subscribe' && action !== 'unsubscribe') || !channels.includes(channel)) {
      const reason = `unsupported channel: ${channel.slice(0, 40)}`;
      socket.client.send(bytesOf(JSON.stringify({ id, result: false, reason })));
      return;
    }
    // Unknown symbols are acknowledged, and stay silent.
    socket.client.send(bytesOf(JSON.stringify({ id, result: true })));
    if (socket.product === 'UNIFIED') {
      if (action === 'subscribe') socket.topics.add(channel);
      else socket.topics.delete(channel);
      return;
    }
    if (channel === 'obu' && message.get('depth') !== BOOK_DEPTH) return;
    this.#subscription(socket, action, { channel, symbol: message.get('symbol') ?? '' });
  }

  #subscription(
    socket: PushSocket,
    action: 'subscribe' | 'unsubscribe',
    { channel, symbol }: { readonly channel: string; readonly symbol: string },
  ): void {
    const topic = `${channel}:${symbol}`;
    if (action === 'unsubscribe') {
      socket.topics.delete(topic);
      return;
    }
    const listing = this.#exchange.listings.find(
      (each) => each.venueSymbol === symbol && tradeTypeOf(each) === socket.product,
    );
    // Everybody goes on from one number: those who listen already are brought up to it first.
    if (listing !== undefined && channel === 'obu') this.#flush(listing);
    socket.topics.add(topic);
    if (listing === undefined) return;
    const nowMs = this.#exchange.nowMs();
    if (channel === 'obu') socket.client.send(bytesOf(this.#books[listing.index]!.snapshot(nowMs)));
    if (channel === 'funding-fee') socket.client.send(bytesOf(jsonText(this.#funding(listing, nowMs))));
  }

  /** The session is opened by a signature in the URL, and proven by signing what the server says first. */
  #tradeSession(client: Client, fields: Fields): Connection | undefined {
    const [key, timestamp] = [fields.get('apikey') ?? '', fields.get('timestamp') ?? ''];
    const account = this.#exchange.ledger.byKey(key);
    if (account === undefined || !this.#isTimely(timestamp)) return undefined;
    const { secret, passphrase } = account.spec;
    if (!sameText(fields.get('sign') ?? '', hmacSha256(secret, `${key}${timestamp}`, 'base64'))) return undefined;
    if (!sameText(fields.get('passphrase') ?? '', hmacSha256(secret, passphrase, 'base64'))) return undefined;
    const sessionId = this.#session();
    const challenge = `{"sessionId":"${sessionId}","timestamp":${this.#exchange.nowMs()}}`;
    const socket: TradeSocket = { client, account, challenge, isProven: false };
    client.send(challenge);
    return {
      markets: ['spot', 'futures'],
      message: (text) => {
        if (socket.isProven) this.#trade(socket, text);
        else if (sameText(text, hmacSha256(secret, challenge, 'base64'))) {
          socket.isProven = true;
          client.send(JSON.stringify({ sessionId, data: 'welcome', pingInterval: 18_000, pingTimeout: 10_000 }));
        } else client.close(1008, 'invalid session signature');
      },
      closed: () => undefined,
    };
  }

  #trade({ client, account }: TradeSocket, text: string): void {
    const message = objectOf(text);
    const inTime = this.#exchange.nowMs();
    const head = fieldsOfJson(message);
    const [id, op] = [head?.get('id') ?? '', head?.get('op') ?? ''];
    if (op === 'ping') {
      client.send(JSON.stringify({ id, op: 'pong', timestamp: String(inTime) }));
      return;
    }
    const fields = fieldsOfJson(message?.['args']) ?? new Map<string, string>();
    const market = fields.get('tradeType') === 'FUTURES' ? 'futures' : 'spot';
    const answer = (said: Readonly<Record<string, unknown>>): void => {
      const outTime = this.#exchange.nowMs();
      client.send(jsonText({ id, op, ...said, inTime, outTime }));
    };
    try {
      const used = this.#rates.take(account.spec.name, 1, inTime);
      if (used > REQUESTS.limit) throw new KuCoinError('429000', 'Too Many Requests');
      const data = this.#socketOrder(op, { account, fields });
      const userRateLimit = { limit: REQUESTS.limit, reset: REQUESTS.windowMs, remaining: REQUESTS.limit - used };
      deliver(this.#options, market, () => {
        answer({ code: '200000', data, userRateLimit });
      });
    } catch (error) {
      if (!(error instanceof KuCoinError)) throw error;
      answer({ code: error.code, msg: error.message });
    }
  }

  #socketOrder(op: string, call: Call): unknown {
    if (op === 'uta.order') return this.#place(call);
    if (op === 'uta.cancel') return this.#cancel(call);
    throw new KuCoinError('400100', `unsupported op ${op.slice(0, 40)}`);
  }

  #isTimely(timestamp: string): boolean {
    return Math.abs(Number(timestamp) - this.#exchange.nowMs()) <= TIMESTAMP_WINDOW_MS;
  }

  /** Time + method + path with query + body, HMAC-SHA256, base64. @throws KuCoinError */
  #authorise({ method, path, headers, body }: HttpRequest): Account {
    const timestamp = headers['kc-api-timestamp'] ?? '';
    const key = headers['kc-api-key'];
    if (key === undefined) throw new KuCoinError('400001', 'Please check the header of your request.', 401);
    if (!this.#isTimely(timestamp)) throw new KuCoinError('400002', 'KC-API-TIMESTAMP Invalid', 401);
    const account = this.#exchange.ledger.byKey(key);
    if (account === undefined) throw new KuCoinError('400003', 'KC-API-KEY not exists', 401);
    const { secret, passphrase } = account.spec;
    if (!sameText(headers['kc-api-sign'] ?? '', hmacSha256(secret, `${timestamp}${method}${path}${body}`, 'base64')))
      throw new KuCoinError('400005', 'Invalid KC-API-SIGN', 401);
    if (!sameText(headers['kc-api-passphrase'] ?? '', hmacSha256(secret, passphrase, 'base64')))
      throw new KuCoinError('400004', 'Invalid KC-API-PASSPHRASE', 401);
    return account;
  }

  #public(route: string, fields: Fields): unknown {
    const { listings } = this.#exchange;
    const [spot, futures] = [false, true].map((perpetual) => listings.filter((each) => each.perpetual === perpetual));
    const tradeType = fields.get('tradeType') === 'FUTURES' ? 'FUTURES' : 'SPOT';
    switch (route) {
      case '/api/v1/timestamp':
        return this.#exchange.nowMs();
      case '/api/v2/symbols':
        return spot!.map(symbolOf);
      case '/api/v1/contracts/active':
        return futures!.map(contractOf);
      case '/api/ua/v1/market/instrument':
        return { tradeType, list: tradeType === 'SPOT' ? spot!.map(spotInstrument) : futures!.map(futuresInstrument) };
      case '/api/v1/market/orderbook/level2_100':
      case '/api/v1/level2/depth100':
        return this.#book(fields, 100);
      case '/api/ua/v1/market/orderbook':
        return { tradeType, ...this.#book(fields, fields.get('limit') === '20' ? 20 : SNAPSHOT_DEPTH) };
      case '/api/ua/v1/asset/currencies':
        return [];
      default:
        return undefined;
    }
  }

  #book(fields: Fields, depth: number): Readonly<Record<string, unknown>> {
    return this.#books[this.#listing(fields).index]!.rest(depth, this.#exchange.nowMs());
  }

  /** @throws KuCoinError */
  #listing(fields: Fields): Listing {
    const symbol = fields.get('symbol');
    const listing = this.#exchange.listings.find(({ venueSymbol }) => venueSymbol === symbol);
    if (listing === undefined) throw new KuCoinError('900001', `symbol ${symbol ?? ''} not exists`);
    return listing;
  }

  #orderOperations(): Readonly<Record<string, (call: Call) => unknown>> {
    const path = '/api/ua/v1/unified/order';
    return {
      [`POST ${path}/place`]: (call) => this.#place(call),
      [`POST ${path}/cancel`]: (call) => this.#cancel(call),
      [`POST ${path}/cancel-all`]: ({ account, fields }) => {
        const items = this.#cancelAmong(account, (order) => this.#isAsked(order, fields));
        return { tradeType: fields.get('tradeType'), ts: ns(this.#exchange.nowMs()), items };
      },
      [`GET ${path}/detail`]: ({ account, fields }) => {
        const order = this.#find(account, fields);
        if (order === undefined) throw new KuCoinError('100001', 'error.getOrder.orderNotExist');
        return { ...this.#describe(order), tradeType: tradeTypeOf(order.listing) };
      },
      [`GET ${path}/open-list`]: ({ account, fields }) => {
        const [page, size] = [Number(fields.get('pageNumber') ?? 1), Number(fields.get('pageSize') ?? 50)];
        const open = this.#exchange.ordersOf(account, 'open').filter((order) => this.#isAsked(order, fields));
        return {
          pageNumber: page,
          pageSize: size,
          totalNum: open.length,
          totalPage: Math.ceil(open.length / size),
          items: open.slice((page - 1) * size, page * size).map((order) => this.#describe(order)),
          tradeType: fields.get('tradeType'),
        };
      },
      [`GET ${path}/execution`]: ({ account, fields }) => {
        const lastId = Number(fields.get('lastId') ?? Infinity);
        const items = this.#exchange
          .ordersOf(account)
          .filter((order) => this.#isAsked(order, fields))
          .flatMap(({ trades }) => trades)
          .filter(({ id, timeMs }) => id < lastId && timeMs >= Number(fields.get('startAt') ?? 0))
          .sort((a, b) => b.id - a.id)
          .slice(0, Number(fields.get('pageSize') ?? 50));
        return { lastId: items.at(-1)?.id ?? 0, tradeType: fields.get('tradeType'), items: items.map(describeFill) };
      },
    };
  }

  #accountOperations(): Readonly<Record<string, (call: Call) => unknown>> {
    const balances = ({ account, fields }: Call): unknown => ({
      accountType: fields.get('accountType') ?? 'UNIFIED',
      ts: this.#exchange.nowMs(),
      accounts: [{ currencies: account.assets('unified').map((currency) => balanceOf(account, currency)) }],
    });
    return {
      'GET /api/ua/v1/unified/account/balance': balances,
      'GET /api/ua/v1/account/balance': balances,
      'GET /api/ua/v1/account/mode': () => ({
        selfAccountMode: 'UNIFIED',
        unifiedSubAccount: [],
        classicSubAccount: [],
      }),
      'GET /api/ua/v1/unified/position/open-list': ({ account }) => this.#positions(account),
      'GET /api/ua/v1/user/fee-rate': ({ fields }) => {
        const symbols = (fields.get('symbol') ?? '').split(',');
        const list = this.#exchange.listings
          .filter(({ venueSymbol }) => symbols.includes(venueSymbol))
          .map(({ venueSymbol, maker, taker }) => ({
            symbol: venueSymbol,
            takerFeeRate: taker.toFixed(),
            makerFeeRate: maker.toFixed(),
          }));
        return { tradeType: fields.get('tradeType'), list };
      },
      'GET /api/ua/v1/user/api-key': ({ account }) => ({
        remark: account.spec.name,
        apiKey: account.spec.apiKey,
        apiVersion: 3,
        permission: 'General,Unified,Spot,Futures',
        uid: 157_267_400,
        isMaster: true,
      }),
      'POST /api/ua/v1/dcp/set': (call) => this.#countdown(call),
      'POST /api/v2/bullet-private': ({ account }) => {
        const token = `${account.spec.name}-${this.#session()}`;
        this.#tokens.set(token, account);
        return { token, instanceServers: [] };
      },
    };
  }

  #isAsked({ listing }: Order, fields: Fields): boolean {
    return (
      tradeTypeOf(listing) === fields.get('tradeType') &&
      (fields.get('symbol') ?? listing.venueSymbol) === listing.venueSymbol
    );
  }

  #find(account: Account, fields: Fields): Order | undefined {
    const id = fields.get('orderId');
    return this.#exchange.find(
      account,
      id === undefined ? { clientOrderId: fields.get('clientOid') } : { id: orderIdFrom(id) },
    );
  }

  /** @throws KuCoinError */
  #place({ account, fields }: Call): unknown {
    const listing = this.#listing(fields);
    const clientOid = fields.get('clientOid') ?? '';
    const [side, type] = [fields.get('side')?.toLowerCase(), fields.get('orderType')?.toLowerCase()];
    const timeInForce = type === 'market' ? 'IOC' : (fields.get('timeInForce') ?? 'GTC');
    if (side !== 'buy' && side !== 'sell') throw new KuCoinError('400100', 'side is invalid');
    if (type !== 'limit' && type !== 'market') throw new KuCoinError('400100', 'orderType is invalid');
    if (timeInForce !== 'GTC' && timeInForce !== 'IOC' && timeInForce !== 'FOK')
      throw new KuCoinError('400100', 'timeInForce is invalid');
    if (!/^[\w-]{0,40}$/.test(clientOid)) throw new KuCoinError('400100', 'clientOid is invalid');
    if (tradeTypeOf(listing) !== fields.get('tradeType')) throw new KuCoinError('400100', 'tradeType is invalid');
    try {
      const placed = this.#exchange.place({
        account,
        listing,
        side,
        type,
        timeInForce,
        clientOrderId: clientOid === '' ? undefined : clientOid,
        postOnly: fields.get('postOnly') === 'true',
        reduceOnly: fields.get('reduceOnly') === 'true',
        price: type === 'market' ? undefined : fields.get('price'),
        qty: fields.get('size') ?? '0',
        qtyIn: fields.get('sizeUnit') === 'QUOTECCY' ? 'quote' : 'base',
      });
      if (placed.kind === 'refused') throw new KuCoinError(...REFUSALS[placed.reason]);
      return this.#acknowledged(placed.order);
    } catch (error) {
      if (error instanceof BadInput) throw new KuCoinError('400100', 'price or size is invalid');
      throw error;
    }
  }

  #acknowledged({ id, clientOrderId, listing }: Order): unknown {
    return {
      orderId: orderIdText(id),
      tradeType: tradeTypeOf(listing),
      ts: ns(this.#exchange.nowMs()),
      clientOid: clientOrderId,
    };
  }

  /** @throws KuCoinError */
  #cancel({ account, fields }: Call): unknown {
    const order = this.#find(account, fields);
    if (order?.status !== 'open') throw new KuCoinError('400100', 'order_not_exist_or_not_allow_to_cancel');
    this.#asked.add(order);
    this.#exchange.cancel(order);
    return this.#acknowledged(order);
  }

  #cancelAmong(account: Account, among: (order: Order) => boolean): readonly unknown[] {
    const orders = this.#exchange.ordersOf(account, 'open').filter(among);
    for (const order of orders) {
      this.#asked.add(order);
      this.#exchange.cancel(order);
    }
    return orders.map(({ id }) => ({ orderId: orderIdText(id) }));
  }

  /** All of a product, or the symbols named; -1 ends the countdown. @throws KuCoinError */
  #countdown({ account, fields }: Call): unknown {
    const timeout = Number(fields.get('timeout'));
    const tradeType = fields.get('tradeType') ?? '';
    const symbols = (fields.get('symbols') ?? '').split(',').filter((symbol) => symbol !== '');
    if (timeout !== -1 && !(timeout >= 5 && timeout <= 86_400)) throw new KuCoinError('400100', 'timeout is invalid');
    const key = `${account.spec.name}:${tradeType}`;
    const nowMs = this.#exchange.nowMs();
    if (timeout === -1) this.#countdowns.delete(key);
    else
      this.#countdowns.set(key, {
        atMs: nowMs + timeout * 1_000,
        cancel: () => {
          this.#cancelAmong(
            account,
            ({ listing }) =>
              tradeTypeOf(listing) === tradeType && (symbols.length === 0 || symbols.includes(listing.venueSymbol)),
          );
        },
      });
    const systemTime = Math.floor(nowMs / 1_000);
    return { tradeType, symbol: symbols, systemTime, triggerTime: timeout === -1 ? 0 : systemTime + timeout };
  }

  #positions(account: Account): readonly unknown[] {
    return account.positions().map(({ listing, position }) => ({
      symbol: listing.venueSymbol,
      id: `1000000000${listing.index}`,
      marginMode: 'CROSS',
      size: signedSize(listing, position),
      entryPrice: entryPrice(listing, position),
      positionValue: position.cost.toFixed(),
      markPrice: this.#mid(listing).toFixed(),
      leverage: '10',
      unrealizedPnL: '0',
      realizedPnL: position.realised.toFixed(),
      creationTime: ns(this.#exchange.nowMs()),
    }));
  }

  /** Who cancelled it, or what of its own terms. */
  #reasonOf(order: Order): string {
    if (order.status !== 'canceled' && order.status !== 'expired') return '';
    return this.#asked.has(order) ? 'USER' : order.postOnly ? 'POST_ONLY' : 'TIME_IN_FORCE';
  }

  #describe(order: Order): Readonly<Record<string, unknown>> {
    const { listing, type, qty, filled } = order;
    return {
      orderId: orderIdText(order.id),
      symbol: listing.venueSymbol,
      orderType: type.toUpperCase(),
      side: order.side.toUpperCase(),
      size: qtyOf(listing, qty).toFixed(),
      price: type === 'market' ? '' : limitOf(order).toFixed(),
      timeInForce: type === 'market' ? 'GTC' : order.timeInForce,
      orderTime: ns(order.createdMs),
      stp: '',
      cancelAfter: null,
      postOnly: order.postOnly,
      reduceOnly: false,
      filledSize: qtyOf(listing, filled).toFixed(),
      avgPrice: averageOf(order).toDecimalPlaces(12).toFixed(),
      fee: feeOf(order),
      feeCurrency: currencyOf(listing.kind === 'spot' ? listing.quote : listing.settle, listing),
      tax: '0',
      updatedTime: ns(order.updatedMs),
      cancelReason: this.#reasonOf(order),
      cancelSize: qtyOf(listing, order.status === 'open' ? 0 : qty - filled).toFixed(),
      clientOid: order.clientOrderId,
      sizeUnit: listing.kind === 'spot' ? 'BASECCY' : 'UNIT',
      status: statusOf(order),
    };
  }

  #ordered(order: Order, change: OrderChange): void {
    for (const socket of this.#private.of(order.account)) {
      const tell = (channel: string, list: readonly unknown[]): void => this.#tell(socket, channel, list);
      const shown = this.#pushedOrder(order, change);
      tell('order', [shown]);
      tell('orderAll', [shown]);
      if (change.kind === 'trade') {
        const fill = pushedFill(change.trade);
        tell('execution', [fill]);
        tell('execution.lite', [{ ...fill, f: undefined, fC: undefined }]);
        if (order.listing.perpetual) tell('positionAll', this.#pushedPositions(order));
      }
      tell('balance', this.#pushedBalances(order));
    }
  }

  #paid(account: Account, listing: Listing): void {
    for (const socket of this.#private.of(account)) {
      this.#tell(socket, 'positionAll', this.#pushedPositions({ account, listing }));
      this.#tell(socket, 'balance', this.#pushedBalances({ account, listing }));
    }
  }

  #tell(socket: PushSocket, channel: string, list: readonly unknown[]): void {
    if (!socket.topics.has(channel)) return;
    const P = ns(this.#exchange.nowMs());
    for (const d of list) socket.client.send(bytesOf(jsonText({ T: `${channel}.UNIFIED`, P, d })));
  }

  #pushedOrder(order: Order, change: OrderChange): unknown {
    const { listing, type, qty, filled, status } = order;
    const left = qtyOf(listing, qty - filled).toFixed();
    const event =
      change.kind === 'new' ? 'OPEN' : change.kind !== 'trade' ? 'CANCEL' : status === 'filled' ? 'FILL' : 'MATCH';
    return {
      tT: tradeTypeOf(listing),
      oi: orderIdText(order.id),
      ci: order.clientOrderId,
      os: statusOf(order),
      eT: event,
      s: listing.venueSymbol,
      S: order.side.toUpperCase(),
      oT: type.toUpperCase(),
      p: type === 'market' ? '0' : limitOf(order).toFixed(),
      q: qtyOf(listing, qty).toFixed(),
      qU: listing.kind === 'spot' ? 'BASECCY' : 'UNIT',
      fS: qtyOf(listing, filled).toFixed(),
      aP: averageOf(order).toDecimalPlaces(12).toFixed(),
      f: feeOf(order),
      fC: currencyOf(listing.kind === 'spot' ? listing.quote : listing.settle, listing),
      cR: this.#reasonOf(order),
      cS: status === 'open' ? '0' : left,
      rS: status === 'open' ? left : '0',
      tIF: type === 'market' ? 'GTC' : order.timeInForce,
      pO: order.postOnly,
      O: ns(order.createdMs),
      U: ns(order.updatedMs),
    };
  }

  #pushedPositions({ account, listing }: Pick<Order, 'account' | 'listing'>): readonly unknown[] {
    const position = account.position(listing);
    return [
      {
        U: ns(this.#exchange.nowMs()),
        s: listing.venueSymbol,
        q: signedSize(listing, position),
        eP: entryPrice(listing, position),
        mP: this.#mid(listing).toFixed(),
        lP: '0',
        l: '10',
        mM: 'CROSS',
        rPL: position.realised.toFixed(),
      },
    ];
  }

  #pushedBalances({ account, listing }: Pick<Order, 'account' | 'listing'>): readonly unknown[] {
    const assets = listing.kind === 'spot' ? [listing.base, listing.quote] : [listing.settle];
    return assets.map((currency) => {
      const { balance, available, hold } = balanceOf(account, currency);
      return { U: ns(this.#exchange.nowMs()), c: currency, e: balance, b: balance, a: available, h: hold, l: '0' };
    });
  }
}

/** Whoever asked a simulator is led back to it. */
const classicServer = (host: string): unknown => ({
  token: 'public',
  instanceServers: [
    {
      endpoint: `${host === '' ? 'wss:/' : `ws://${host}`}/ws-api-spot.kucoin.com/`,
      encrypt: host === '',
      protocol: 'websocket',
      pingInterval: 18_000,
      pingTimeout: 10_000,
    },
  ],
});

const utf8 = new TextEncoder();
/** Push sockets send their text in binary frames. */
const bytesOf = (text: string): Uint8Array => utf8.encode(text);

const reply = (data: unknown, remaining?: number): HttpReply => ({
  status: 200,
  headers: {
    'content-type': 'application/json',
    ...(remaining === undefined
      ? {}
      : {
          'gw-ratelimit-limit': String(REQUESTS.limit),
          'gw-ratelimit-remaining': String(remaining),
          'gw-ratelimit-reset': String(REQUESTS.windowMs),
        }),
  },
  body: jsonText({ code: '200000', data }),
  delayMs: 0,
});

/** 2 rests, 3 is filled, 4 rests filled in part, 5 was cancelled, 6 was cancelled filled in part. */
function statusOf({ status, filled }: Order): number {
  if (status === 'filled') return 3;
  if (status === 'open') return filled > 0 ? 4 : 2;
  return filled > 0 ? 6 : 5;
}

const feeOf = ({ trades }: Order): string => trades.reduce((sum, { fee }) => sum.plus(fee), new Decimal(0)).toFixed();

function balanceOf(account: Account, currency: string) {
  const { total, held } = account.balance('unified', currency);
  const available = account.available('unified', currency).toFixed();
  return {
    currency,
    equity: total.toFixed(),
    hold: held.toFixed(),
    balance: total.toFixed(),
    available,
    liability: '0',
  };
}

const describeFill = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade): unknown => ({
  symbol: order.listing.venueSymbol,
  orderId: orderIdText(order.id),
  clientOid: order.clientOrderId,
  orderType: order.type.toUpperCase(),
  side: order.side.toUpperCase(),
  fillType: 'NORMAL',
  tradeId: String(id),
  size: qtyOf(order.listing, lots).toFixed(),
  value: priceOf(order.listing, price).times(qtyOf(order.listing, lots)).toFixed(),
  price: priceOf(order.listing, price).toFixed(),
  executionTime: ns(timeMs),
  fee: fee.toFixed(),
  feeCurrency: currencyOf(feeAsset, order.listing),
  liquidityRole: liquidity.toUpperCase(),
  tax: '0',
});

const pushedFill = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade) => ({
  E: ns(timeMs),
  S: order.side.toUpperCase(),
  f: fee.toFixed(),
  p: priceOf(order.listing, price).toFixed(),
  q: qtyOf(order.listing, lots).toFixed(),
  s: order.listing.venueSymbol,
  fC: currencyOf(feeAsset, order.listing),
  lR: liquidity.toUpperCase(),
  oT: order.type.toUpperCase(),
  oi: orderIdText(order.id),
  ti: String(id),
});

const symbolOf = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  name: listing.venueSymbol,
  baseCurrency: listing.base,
  quoteCurrency: listing.quote,
  feeCurrency: listing.quote,
  market: 'USDS',
  baseMinSize: qtyOf(listing, listing.minLots).toFixed(),
  quoteMinSize: listing.minNotional.toFixed(),
  baseIncrement: lotOf(listing).toFixed(),
  quoteIncrement: '0.000001',
  priceIncrement: tickOf(listing).toFixed(),
  minFunds: listing.minNotional.toFixed(),
  feeCategory: 1,
  makerFeeCoefficient: '1.00',
  takerFeeCoefficient: '1.00',
  isMarginEnabled: false,
  enableTrading: true,
});

/** An inverse contract's multiplier is negative. */
const contractOf = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  rootSymbol: listing.settle,
  type: 'FFWCSX',
  expireDate: null,
  baseCurrency: currencyOf(listing.base, listing),
  quoteCurrency: listing.quote,
  settleCurrency: currencyOf(listing.settle, listing),
  lotSize: lotOf(listing).toNumber(),
  tickSize: tickOf(listing).toNumber(),
  multiplier: listing.contractSize.times(listing.inverse ? -1 : 1).toNumber(),
  makerFeeRate: listing.maker.toNumber(),
  takerFeeRate: listing.taker.toNumber(),
  isInverse: listing.inverse,
  status: 'Open',
  maxLeverage: 100,
});

const spotInstrument = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  name: listing.venueSymbol,
  baseCurrency: listing.base,
  quoteCurrency: listing.quote,
  market: 'USDS',
  minBaseOrderSize: qtyOf(listing, listing.minLots).toFixed(),
  minQuoteOrderSize: listing.minNotional.toFixed(),
  maxBaseOrderSize: '10000000000',
  maxQuoteOrderSize: '99999999',
  baseOrderStep: lotOf(listing).toFixed(),
  quoteOrderStep: '0.000001',
  tickSize: tickOf(listing).toFixed(),
  feeCurrency: listing.quote,
  tradingStatus: '1',
  marginMode: '0',
  feeCategory: 1,
  makerFeeCoefficient: '1.00',
  takerFeeCoefficient: '1.00',
});

const futuresInstrument = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  baseCurrency: currencyOf(listing.base, listing),
  quoteCurrency: listing.quote,
  settlementCurrency: currencyOf(listing.settle, listing),
  tickSize: tickOf(listing).toNumber(),
  tradingStatus: '1',
  contractType: '0',
  isInverse: listing.inverse,
  launchTime: 1_585_555_200_000,
  expiryTime: null,
  maxPrice: 1_000_000,
  lotSize: lotOf(listing).toNumber(),
  unitSize: listing.contractSize.toNumber(),
  makerFeeRate: listing.maker.toNumber(),
  takerFeeRate: listing.taker.toNumber(),
  maxLeverage: 125,
});

/**
 * One instrument's `obu`: a snapshot, then every change of every level.
 * @see https://www.kucoin.com/docs-new
 */
class BookFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  readonly #view: DepthView;
  #sequence: number;
  /** Of the last `advance`. */
  #first = 0;

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
    this.#view = new DepthView(engine, Infinity);
    this.#view.advance();
    this.#sequence = this.#now();
  }

  /** The frame that tells what changed since the last one. */
  advance(nowMs: number): string | undefined {
    const first = this.#sequence + 1;
    this.#view.advance();
    const last = this.#now();
    if (last < first) return undefined;
    this.#sequence = last;
    this.#first = first;
    const { bidChanges: bids, askChanges: asks } = this.#view;
    return this.#frame('delta', { first, bids, asks }, nowMs);
  }

  /** What the last `advance` found, in the classic form: each change with its number. */
  classic(nowMs: number): string {
    const { venueSymbol: symbol } = this.listing;
    const changes = (flat: FlatLevels): unknown =>
      (JSON.parse(levelsText(this.listing, flat)) as string[][]).map((level) => [...level, String(this.#sequence)]);
    const { bidChanges, askChanges } = this.#view;
    return JSON.stringify({
      type: 'message',
      topic: `/market/level2:${symbol}`,
      subject: 'trade.l2update',
      data: {
        changes: { asks: changes(askChanges), bids: changes(bidChanges) },
        sequenceEnd: this.#sequence,
        sequenceStart: this.#first,
        symbol,
        time: nowMs,
      },
    });
  }

  /** At the number that the deltas are at. */
  snapshot(nowMs: number): string {
    const [bids, asks] = [this.#view.bids, this.#view.asks].map((flat) => flat.slice(0, 2 * SNAPSHOT_DEPTH));
    return this.#frame('snapshot', { first: this.#sequence, bids: bids!, asks: asks! }, nowMs);
  }

  rest(depth: number, nowMs: number): Readonly<Record<string, unknown>> {
    const levels = (flat: FlatLevels): unknown => JSON.parse(levelsText(this.listing, flat)) as unknown;
    return {
      symbol: this.listing.venueSymbol,
      sequence: String(this.#now()),
      time: nowMs,
      bids: levels(flatLevels(this.#engine.bids, depth)),
      asks: levels(flatLevels(this.#engine.asks, depth)),
    };
  }

  #now(): number {
    return FIRST_SEQUENCE + this.#engine.changes;
  }

  #frame(
    type: string,
    { first, bids, asks }: { readonly first: number; readonly bids: FlatLevels; readonly asks: FlatLevels },
    nowMs: number,
  ): string {
    return (
      `{"T":"obu.${tradeTypeOf(this.listing)}","dp":"${BOOK_DEPTH}","t":"${type}","P":${nowMs}000000,` +
      `"d":{"a":${levelsText(this.listing, asks)},"b":${levelsText(this.listing, bids)},"C":${this.#sequence},` +
      `"s":"${this.listing.venueSymbol}","M":${nowMs}000000,"O":${first}}}`
    );
  }
}

function levelsText({ priceDecimals, lotDecimals }: Listing, flat: FlatLevels): string {
  let text = '[';
  for (let at = 0; at < flat.length; at += 2)
    text += `${at === 0 ? '' : ','}["${trimmedText(flat[at]!, priceDecimals)}","${trimmedText(flat[at + 1]!, lotDecimals)}"]`;
  return `${text}]`;
}
