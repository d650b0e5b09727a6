import { gzipSync } from 'node:zlib';
import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice } from '../accounts.ts';
import { flatLevels } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { trimmedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { derivativeListing, priceOf, qtyOf, spotListings, tickOf } from '../listings.ts';
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

/**
 * HTX: spot with `/feed`, `/ws`, `/ws/v2` and `/ws/trade`, USDT swaps with V5. What sockets send is gzip, but for the private spot ones.
 * @see https://huobiapi.github.io/docs/spot/v1/en/
 */
export const simulated: SimulatedVenue = {
  venue: 'htx',
  hosts: { 'api.huobi.pro': '', 'api-aws.huobi.pro': '', 'api.hbdm.vn': '', 'api.hbdm.com': '' },
  listings: [
    ...spotListings({
      venue: 'htx',
      fees: ['0.002', '0.002'],
      postOnly: 'ended',
      spell: (base, quote) => (base + quote).toLowerCase(),
      minNotional: { USDT: '10', USDC: '10' },
      minQty: { BTC: '0.00001', ETH: '0.0001' },
    }),
    swapListing('BTC/USDT:USDT', 'BTC-USDT', { contractSize: '0.001', priceDecimals: 1 }),
    swapListing('ETH/USDT:USDT', 'ETH-USDT', { contractSize: '0.01', priceDecimals: 2 }),
  ],
  dialect: (options) => new Htx(options),
};

function swapListing(
  symbol: string,
  venueSymbol: string,
  grid: { readonly contractSize: string; readonly priceDecimals: number },
): SimulatedVenue['listings'][number] {
  return derivativeListing({
    venue: 'htx',
    market: 'swap',
    symbol,
    venueSymbol,
    ...grid,
    lotDecimals: 0,
    fees: ['0.0002', '0.0006'],
    postOnly: 'ended',
    wallet: 'swap',
  });
}

type Fields = ReadonlyMap<string, string>;
type Message = Readonly<Record<string, unknown>>;
type Route = keyof typeof ROUTES;
type Socket = {
  readonly client: Client;
  readonly route: Route;
  /** Public topics, with what their numbers of frames stand at. */
  readonly topics: Map<string, { version: number }>;
  /** Private channels as subscribed. */
  readonly channels: Set<string>;
  account: Account | undefined;
  heardMs: number;
  pingedMs: number;
};
type Call = { readonly account: Account; readonly fields: Fields; readonly name: string };
type Run = (call: Call) => unknown;

/** What a path carries, and how its frames are written. */
const ROUTES = {
  '/feed': { market: 'spot', ping: 'plain', gzip: true },
  '/ws': { market: 'spot', ping: 'plain', gzip: true },
  '/ws/v2': { market: 'spot', ping: 'action', gzip: false },
  '/ws/trade': { market: 'spot', ping: 'action', gzip: false },
  '/linear-swap-ws': { market: 'swap', ping: 'plain', gzip: true },
  '/ws_index': { market: 'swap', ping: 'plain', gzip: true },
  '/linear-swap-notification': { market: 'swap', ping: 'op', gzip: true },
  '/ws/v5/notification': { market: 'swap', ping: 'op', gzip: true },
} as const;
const HOSTS = { spot: ['api.huobi.pro', 'api-aws.huobi.pro'], swap: ['api.hbdm.vn', 'api.hbdm.com'] } as const;
type MarketName = keyof typeof HOSTS;

const USER_ID = '45678901';
const ACCOUNT_ID = '9912791';
const TIMESTAMP_WINDOW_MS = 300_000;
const PING_MS = 5_000;
const SILENCE_MS = 20_000;
const REFERENCE_MS = 1_000;
const FIRST_SEQUENCE = 136_000_000_000;
const SPOT_DEPTH = 150;
const SWAP_DEPTHS = [20, 150];
const LIMITS = { spot: { orders: 100, windowMs: 2_000 }, swap: { orders: 72, windowMs: 3_000 } } as const;

class HtxError extends Error {
  override readonly name = 'HtxError';
  readonly code: string;

  constructor(code: string, text: string) {
    super(text);
    this.code = code;
  }
}

/** Spot calls its troubles by names, swaps by numbers. */
const REFUSALS: Readonly<Record<Refusal, readonly [spot: string, swap: string, words: string]>> = {
  'price-off-grid': ['order-orderprice-precision-error', '1038', 'order price precision error'],
  'qty-off-grid': ['order-orderamount-precision-error', '1040', 'order amount precision error'],
  'below-min-qty': ['order-limitorder-amount-min-error', '1040', 'limit order amount error'],
  'below-min-notional': ['order-value-min-error', '1040', 'Order total cannot be lower than: 10 USDT'],
  'insufficient-funds': ['account-frozen-balance-insufficient-error', '1047', 'trade account balance is not enough'],
  'duplicate-id': ['invalid-client-order-id', '1065', 'client order id is duplicated'],
  'would-take': ['order-update-error', '1000', 'order update error'],
  'no-liquidity': ['order-invalid-price', '1039', 'invalid price'],
  'too-many-orders': ['rate-too-many-requests', '1032', 'exceeded rate limit'],
  'reduce-only': ['base-operation-forbidden', '1492', 'Reduce only quantity exceeds the position'],
  expired: ['symbol-not-support', '1059', 'The contract is in settlement or delivery'],
  'told-to': ['base-symbol-trade-disabled', '1058', 'Trading is disabled for this symbol'],
};

class Htx implements VenueDialect {
  readonly venue = 'htx';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #books: readonly BookFeed[];
  readonly #flushedMs: Float64Array;
  readonly #sockets = new Set<Socket>();
  readonly #private = new PrivateAudience<Socket>();
  readonly #rates = { spot: new RateWindow(LIMITS.spot.windowMs), swap: new RateWindow(LIMITS.swap.windowMs) };
  readonly #countdowns = new Map<string, { readonly atMs: number; readonly cancel: () => void }>();
  readonly #operations: ReadonlyMap<string, Run>;
  /** Orders whose end somebody asked for: a post-only order that would take ends without. */
  readonly #asked = new WeakSet<Order>();
  #referredMs = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#books = options.exchange.listings.map((listing) => new BookFeed(listing, options.exchange));
    this.#flushedMs = new Float64Array(this.#books.length).fill(-Infinity);
    this.#operations = new Map(Object.entries({ ...this.#spotOperations(), ...this.#swapOperations() }));
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
    if (!Object.hasOwn(ROUTES, route)) return undefined;
    const nowMs = this.#exchange.nowMs();
    const socket: Socket = {
      client,
      route: route as Route,
      topics: new Map(),
      channels: new Set(),
      account: undefined,
      heardMs: nowMs,
      pingedMs: nowMs,
    };
    this.#sockets.add(socket);
    return {
      markets: [ROUTES[socket.route].market],
      message: (text) => {
        socket.heardMs = this.#exchange.nowMs();
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
    const market = this.marketOf(request.path) as MarketName;
    try {
      const open = request.method === 'GET' ? this.#public(route, fieldsOf(query)) : undefined;
      if (open !== undefined) return textReply(open);
      const account = this.#authorise(request, market);
      const [run, name] = this.#find(request.method, route);
      const isOrder = request.method === 'POST' && /\/(place|order)$/.test(route);
      if (isOrder) this.#countOrder(account, market);
      const body = fieldsOfJson(objectOf(request.body)) ?? new Map<string, string>();
      const answer = run({ account, name, fields: new Map([...fieldsOf(query), ...body]) });
      const isAcknowledged = isOrder || (request.method === 'POST' && /cancel/i.test(route));
      const delayMs = isAcknowledged ? this.#options.faults.ackDelayMs('htx', market) : 0;
      return { ...textReply(answer), delayMs };
    } catch (error) {
      if (error instanceof HtxError) return textReply(this.#errorOf(error, route));
      throw error;
    }
  }

  marketOf(path: string): string {
    return /^\/(v5|linear-swap|swap-api|api\/v1|index)/.test(path) ? 'swap' : 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    const [code, text] =
      kind === 'rate-limited'
        ? ['rate-too-many-requests', 'exceeded rate limit']
        : ['gateway-internal-error', 'Failed to load data. Try again later.'];
    return JSON.stringify({ status: 'error', 'err-code': code, 'err-msg': text, data: null });
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
    for (const socket of [...this.#sockets]) this.#ping(socket, nowMs);
    if (nowMs - this.#referredMs < REFERENCE_MS) return;
    this.#referredMs = nowMs;
    for (const listing of this.#exchange.listings)
      if (listing.perpetual && !this.#stale(listing)) this.#refer(listing, this.#sockets);
  }

  #stale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'htx', market);
  }

  #errorOf({ code, message }: HtxError, route: string): unknown {
    const ts = this.#exchange.nowMs();
    if (this.marketOf(route) === 'spot') return { status: 'error', 'err-code': code, 'err-msg': message, data: null };
    // The gateway of V5 still speaks as before it.
    if (code === '403') return { status: 'error', err_code: 403, err_msg: message, ts };
    return { code: Number(code), message, data: null, ts };
  }

  #send({ client, route }: Socket, value: unknown): void {
    const text = typeof value === 'string' ? value : jsonText(value);
    client.send(ROUTES[route].gzip ? gzipSync(text, { level: 1 }) : text);
  }

  #ping(socket: Socket, nowMs: number): void {
    if (nowMs - socket.heardMs > SILENCE_MS) {
      socket.client.close(1003, 'ping timeout');
      return;
    }
    if (nowMs - socket.pingedMs < PING_MS) return;
    socket.pingedMs = nowMs;
    const ping = {
      plain: { ping: nowMs },
      action: { action: 'ping', data: { ts: nowMs } },
      op: { op: 'ping', ts: String(nowMs) },
    }[ROUTES[socket.route].ping];
    this.#send(socket, ping);
  }

  /** Sends what changed to whoever listens; a gap loses the frame but not its number. */
  #flush(listing: Listing): void {
    const feed = this.#books[listing.index]!;
    const changed = feed.advance();
    if (changed.length === 0) return;
    const heard = changed.some(({ topic }) => [...this.#sockets].some(({ topics }) => topics.has(topic)));
    const lost = heard && this.#options.faults.take('gap', 'htx', listing.market) !== undefined;
    for (const { topic, tick } of changed)
      for (const socket of this.#sockets) {
        const state = socket.topics.get(topic);
        if (state === undefined) continue;
        state.version += 1;
        if (!lost) this.#send(socket, this.#frame(topic, tick(state.version)));
      }
  }

  #frame(topic: string, tick: string): string {
    return `{"ch":"${topic}","ts":${this.#exchange.nowMs()},"tick":${tick}}`;
  }

  #printed(listing: Listing, { id, price, lots, taker, timeMs }: Print): void {
    const topic = `market.${listing.venueSymbol}.trade.detail`;
    const amount = trimmedText(lots, listing.lotDecimals);
    const number = listing.kind === 'spot' ? `"tradeId":${id},` : `"quantity":${amount},`;
    const tick =
      `{"id":${id},"ts":${timeMs},"data":[{"id":${id}000,"ts":${timeMs},${number}"amount":${amount},` +
      `"price":${trimmedText(price, listing.priceDecimals)},"direction":"${taker}"}]}`;
    for (const socket of this.#sockets) if (socket.topics.has(topic)) this.#send(socket, this.#frame(topic, tick));
  }

  /** Candles of mark and index, and the funding rate. */
  #refer(listing: Listing, sockets: Iterable<Socket>): void {
    const reference = referenceOf(this.#exchange, listing);
    if (reference === undefined) return;
    const { venueSymbol, base, settle } = listing;
    const nowMs = this.#exchange.nowMs();
    const candle = (price: number): string =>
      `{"id":${Math.floor(nowMs / 60_000) * 60},"open":"${price}","close":"${price}","high":"${price}","low":"${price}","amount":"0","vol":"0","count":"0","trade_turnover":"0"}`;
    const funding = {
      op: 'notify',
      topic: `public.${venueSymbol}.funding_rate`,
      ts: nowMs,
      data: [
        {
          symbol: base,
          contract_code: venueSymbol,
          fee_asset: settle,
          funding_time: String(nowMs),
          funding_rate: reference.fundingRate.toFixed(8),
          settlement_time: String(reference.fundingMs),
          estimated_rate: null,
        },
      ],
    };
    for (const socket of sockets) {
      for (const [topic, price] of [
        [`market.${venueSymbol}.mark_price.1min`, reference.mark],
        [`market.${venueSymbol}.index.1min`, reference.index],
      ] as const)
        if (socket.topics.has(topic)) this.#send(socket, this.#frame(topic, candle(price)));
      if (socket.topics.has(funding.topic)) this.#send(socket, funding);
    }
  }

  #message(socket: Socket, text: string): void {
    const message = objectOf(text);
    if (message === undefined) {
      this.#refuse(socket, undefined, ['bad-request', 'invalid command']);
      return;
    }
    if ('pong' in message || message['op'] === 'pong' || message['action'] === 'pong') return;
    const { route } = socket;
    if (route === '/ws/v2') this.#listen(socket, message);
    else if (route === '/ws/trade') this.#trade(socket, message);
    else if (route.endsWith('notification')) this.#operate(socket, message);
    else this.#subscription(socket, message);
  }

  #refuse(socket: Socket, id: unknown, [code, text]: readonly [string, string]): void {
    this.#send(socket, { ts: this.#exchange.nowMs(), status: 'error', 'err-code': code, 'err-msg': text, id });
  }

  /** `sub`, `unsub` and `req` of the market sockets. */
  #subscription(socket: Socket, { sub, unsub, req, id }: Message): void {
    const topic = [sub, unsub, req].find((each) => typeof each === 'string');
    const ts = this.#exchange.nowMs();
    const listing = this.#exchange.listings.find((each) => (topicsOf(each)[socket.route] ?? []).includes(topic ?? ''));
    if (topic === undefined || listing === undefined) {
      this.#refuse(socket, id, ['bad-request', `invalid topic ${(topic ?? '').slice(0, 80)}`]);
      return;
    }
    const feed = this.#books[listing.index]!;
    if (req !== undefined) {
      // Who listens is brought up to the same number first.
      this.#flush(listing);
      this.#send(
        socket,
        `{"id":${JSON.stringify(id)},"rep":"${topic}","status":"ok","ts":${ts},"data":${feed.spotSnapshot()}}`,
      );
      return;
    }
    if (unsub !== undefined) {
      socket.topics.delete(topic);
      this.#send(socket, { id, status: 'ok', unsubbed: topic, ts });
      return;
    }
    this.#send(socket, { id, status: 'ok', subbed: topic, ts });
    this.#flush(listing);
    socket.topics.set(topic, { version: 1 });
    const snapshot = feed.swapSnapshot(topic, 1);
    if (snapshot !== undefined) this.#send(socket, this.#frame(topic, snapshot));
    if (socket.route === '/ws_index') this.#refer(listing, [socket]);
  }

  /** The private spot socket. */
  #listen(socket: Socket, { action, ch, params }: Message): void {
    const channel = typeof ch === 'string' ? ch : '';
    const answer = (code: number, message?: string): void => {
      this.#send(socket, { action, code, ch, ...(message === undefined ? { data: {} } : { message }) });
    };
    if (action === 'req' && channel === 'auth') {
      const account = this.#spotLogin('/ws/v2', params);
      if (account === undefined) answer(2002, 'auth.fail');
      else {
        this.#enter(socket, account);
        answer(200);
      }
      return;
    }
    if (socket.account === undefined) answer(2001, 'invalid.auth.state');
    else if (!/^(orders#|trade\.clearing#|accounts\.update#)/.test(channel)) answer(2001, 'invalid.ch');
    else if (action === 'sub') {
      socket.channels.add(channel);
      answer(200);
      if (channel.startsWith('accounts.update#')) this.#tellBalances(socket, socket.account, channel);
    } else if (action === 'unsub') {
      socket.channels.delete(channel);
      answer(200);
    } else answer(2001, 'invalid.action');
  }

  #enter(socket: Socket, account: Account): void {
    socket.account = account;
    this.#private.join(account, socket);
  }

  #spotLogin(path: string, params: unknown): Account | undefined {
    const fields = fieldsOfJson(params) ?? new Map<string, string>();
    const account = this.#exchange.ledger.byKey(fields.get('accessKey') ?? '');
    const names = ['accessKey', 'signatureMethod', 'signatureVersion', 'timestamp'];
    const query = names.map((name) => `${name}=${encodeURIComponent(fields.get(name) ?? '')}`).join('&');
    const signed = { method: 'GET', path, query, given: fields.get('signature') ?? '' };
    return account !== undefined && this.#isSigned(account, 'spot', signed) ? account : undefined;
  }

  #isSigned(
    { spec }: Account,
    market: MarketName,
    { method, path, query, given }: Readonly<Record<'method' | 'path' | 'query' | 'given', string>>,
  ): boolean {
    return HOSTS[market].some((host) =>
      sameText(given, hmacSha256(spec.secret, `${method}\n${host}\n${path}\n${query}`, 'base64')),
    );
  }

  /** The socket that takes spot orders. */
  #trade(socket: Socket, { action, ch, params, cid }: Message): void {
    if (action === 'req' && ch === 'auth') {
      const account = this.#spotLogin('/ws/trade', params);
      if (account === undefined) this.#send(socket, { action, code: 2002, ch, message: 'auth.fail' });
      else {
        this.#enter(socket, account);
        this.#send(socket, { action, code: 200, ch, data: {} });
      }
      return;
    }
    try {
      const { account } = socket;
      if (account === undefined) throw new HtxError('login-required', 'login required');
      const data = this.#socketOrder(ch, params, account);
      deliver(this.#options, 'spot', () => {
        this.#send(socket, { status: 'ok', data, cid });
      });
    } catch (error) {
      if (!(error instanceof HtxError)) throw error;
      this.#send(socket, { status: 'error', 'err-code': error.code, 'err-msg': error.message, data: null, cid });
    }
  }

  #socketOrder(operation: unknown, params: unknown, account: Account): unknown {
    const fields = fieldsOfJson(params) ?? new Map<string, string>();
    if (operation === 'create-order') {
      this.#countOrder(account, 'spot');
      return this.#placeSpot({ account, fields, name: '' });
    }
    if (operation !== 'cancel') throw new HtxError('bad-request', 'invalid operation');
    const listed = (params ?? {}) as Message;
    const byId = textsOf(listed['order-ids']).map((id) => [id, { id: spotIdFrom(id) }] as const);
    const byName = textsOf(listed['client-order-ids']).map((name) => [name, { clientOrderId: name }] as const);
    const success: string[] = [];
    const failed: unknown[] = [];
    for (const [name, by] of [...byId, ...byName]) {
      const order = this.#exchange.find(account, by);
      if (order !== undefined && this.#end(order)) success.push(name);
      else
        failed.push({
          'order-id': name,
          'err-code': order === undefined ? 'order-queryorder-invalid' : 'order-orderstate-error',
          'err-msg': order === undefined ? 'query order error' : 'Incorrect order state',
          'order-state': order === undefined ? -1 : 7,
        });
    }
    return { success, failed };
  }

  /** The notification sockets: login where it is private, then topics. */
  #operate(socket: Socket, message: Message): void {
    const { op, cid, topic, type } = message;
    const ts = this.#exchange.nowMs();
    const answer = (code: number, text?: string): void => {
      this.#send(socket, {
        op,
        cid,
        topic,
        type,
        ts,
        'err-code': code,
        ...(text === undefined ? {} : { 'err-msg': text }),
      });
    };
    const name = typeof topic === 'string' ? topic : '';
    if (op === 'auth') {
      const account = this.#swapLogin(message);
      if (account === undefined) answer(2002, 'Authentication fail');
      else {
        this.#enter(socket, account);
        answer(0);
      }
    } else if (op !== 'sub' && op !== 'unsub') answer(2010, 'Unknown operation');
    else if (name.startsWith('public.')) {
      const listing = this.#exchange.listings.find(({ venueSymbol }) => name === `public.${venueSymbol}.funding_rate`);
      answer(listing === undefined ? 2011 : 0);
      if (listing === undefined) return;
      if (op === 'unsub') socket.topics.delete(name);
      else socket.topics.set(name, { version: 0 });
      this.#refer(listing, [socket]);
    } else if (socket.account === undefined) answer(2002, 'Authentication required');
    else if (!['orders', 'trade', 'positions', 'account'].includes(name)) answer(2010, 'Topic error');
    else {
      const channel = `${name} ${typeof message['contract_code'] === 'string' ? message['contract_code'] : '*'}`;
      if (op === 'unsub') socket.channels.delete(channel);
      else socket.channels.add(channel);
      answer(0);
      if (name === 'account') this.#tell(socket, 'account', swapBalance(socket.account));
      if (name === 'positions') this.#tell(socket, 'positions', this.#positions(socket.account));
    }
  }

  #swapLogin(message: Message): Account | undefined {
    const fields = fieldsOfJson(message) ?? new Map<string, string>();
    const account = this.#exchange.ledger.byKey(fields.get('AccessKeyId') ?? '');
    const names = ['AccessKeyId', 'SignatureMethod', 'SignatureVersion', 'Timestamp'];
    const query = names.map((name) => `${name}=${encodeURIComponent(fields.get(name) ?? '')}`).join('&');
    const signed = { method: 'GET', path: '/ws/v5/notification', query, given: fields.get('Signature') ?? '' };
    return account !== undefined && this.#isSigned(account, 'swap', signed) ? account : undefined;
  }

  /** Method, host, path and the sorted query without its signature, a line each. @throws HtxError */
  #authorise({ method, path }: HttpRequest, market: MarketName): Account {
    const { route, query } = splitPath(path);
    const fields = fieldsOf(query);
    const account = this.#exchange.ledger.byKey(fields.get('AccessKeyId') ?? '');
    const refuse = (words: string): never => {
      throw market === 'spot'
        ? new HtxError('api-signature-not-valid', `Signature not valid: ${words}`)
        : new HtxError('403', words);
    };
    if (account === undefined) return refuse('Incorrect Access key [Access key错误]');
    const sentMs = Date.parse(`${fields.get('Timestamp') ?? ''}Z`);
    if (!(Math.abs(sentMs - this.#exchange.nowMs()) <= TIMESTAMP_WINDOW_MS))
      throw new HtxError(market === 'spot' ? 'invalid-timestamp' : '403', 'Timestamp is out of the window');
    const signed = query
      .split('&')
      .filter((part) => !part.startsWith('Signature='))
      .sort()
      .join('&');
    const given = fields.get('Signature') ?? '';
    // Swap keys are asked about at the spot host too.
    if (!this.#isSigned(account, market, { method, path: route, query: signed, given }))
      return refuse('Verification failure [校验失败]');
    return account;
  }

  /** @throws HtxError */
  #countOrder({ spec }: Account, market: MarketName): void {
    if (this.#rates[market].take(spec.name, 1, this.#exchange.nowMs()) <= LIMITS[market].orders) return;
    throw new HtxError(...codeOf('too-many-orders', market));
  }

  /** By the whole path, or with an order's number in one of its parts. @throws HtxError */
  #find(method: string, route: string): readonly [run: Run, name: string] {
    const whole = this.#operations.get(`${method} ${route}`);
    if (whole !== undefined) return [whole, ''];
    const name = /\/(\d+)(?=\/|$)/.exec(route)?.[1] ?? '';
    const named = this.#operations.get(`${method} ${route.replace(`/${name}`, '/*')}`);
    if (named === undefined)
      throw new HtxError(this.marketOf(route) === 'spot' ? 'bad-request' : '1030', 'unknown path');
    return [named, name];
  }

  #public(route: string, fields: Fields): unknown {
    const nowMs = this.#exchange.nowMs();
    const spot = this.#exchange.listings.filter(({ market }) => market === 'spot');
    switch (route) {
      case '/v1/common/timestamp':
        return { status: 'ok', data: nowMs };
      case '/api/v1/timestamp':
        return { status: 'ok', ts: nowMs };
      case '/v1/common/symbols':
        return { status: 'ok', data: spot.map(symbolOf) };
      case '/v1/settings/common/market-symbols':
        return { status: 'ok', data: spot.map(marketSymbolOf), ts: String(nowMs), full: 1 };
      case '/linear-swap-api/v1/swap_contract_info':
        return {
          status: 'ok',
          data: this.#exchange.listings.filter(({ perpetual }) => perpetual).map(contractOf),
          ts: nowMs,
        };
      case '/linear-swap-api/v1/swap_query_elements':
        return {
          status: 'ok',
          data: this.#exchange.listings
            .filter(({ perpetual }) => perpetual)
            .map(({ venueSymbol, fundingEveryMs }) => ({
              contract_code: venueSymbol,
              settle_period: fundingEveryMs / 3_600_000,
            })),
          ts: nowMs,
        };
      case '/swap-api/v1/swap_contract_info':
      case '/api/v1/contract_contract_info':
        return { status: 'ok', data: [], ts: nowMs };
      case '/v2/reference/currencies':
        return { code: 200, data: [] };
      case '/market/depth':
        return this.#depth('spot', fields.get('symbol'));
      case '/linear-swap-ex/market/depth':
        return this.#depth('swap', fields.get('contract_code'));
      default:
        return undefined;
    }
  }

  #depth(market: MarketName, symbol: string | undefined): unknown {
    const feed = this.#books[this.#listing(market, symbol).index]!;
    const nowMs = this.#exchange.nowMs();
    return `{"ch":"market.${symbol ?? ''}.depth.step0","status":"ok","ts":${nowMs},"tick":${feed.polled(nowMs)}}`;
  }

  #listing(market: MarketName, symbol: string | undefined): Listing {
    const listing = this.#exchange.listings.find((each) => each.market === market && each.venueSymbol === symbol);
    if (listing !== undefined) return listing;
    throw market === 'spot'
      ? new HtxError('base-symbol-error', 'The symbol is invalid')
      : new HtxError('1013', 'This contract symbol doesnt exist.');
  }

  #spotOperations(): Readonly<Record<string, Run>> {
    const done = (data: unknown): unknown => ({ status: 'ok', data });
    const byClientId = ({ account, fields }: Call): Order | undefined =>
      this.#exchange.find(account, { clientOrderId: fields.get('client-order-id') ?? fields.get('clientOrderId') });
    return {
      'GET /v1/account/accounts': () => done([{ id: `#${ACCOUNT_ID}`, type: 'spot', subtype: '', state: 'working' }]),
      'GET /v2/user/uid': () => ({ code: 200, data: `#${USER_ID}` }),
      'GET /v2/user/api-key': ({ account }) => ({
        code: 200,
        message: 'success',
        data: [{ accessKey: account.spec.apiKey, status: 'normal', note: 'desk', permission: 'trade,readOnly' }],
        ok: true,
      }),
      'GET /v1/account/accounts/*/balance': ({ account }) =>
        done({ id: `#${ACCOUNT_ID}`, type: 'spot', state: 'working', list: spotBalances(account) }),
      'GET /v2/reference/transact-fee-rate': ({ fields }) => ({
        code: 200,
        data: (fields.get('symbols') ?? '').split(',').map((symbol) => feeOf(this.#listing('spot', symbol))),
        success: true,
      }),
      'POST /v1/order/orders/place': (call) => done(this.#placeSpot(call)),
      'POST /v1/order/orders/*/submitcancel': (call) => {
        this.#cancel(this.#order(call, 'spot'), 'spot');
        return done(call.name);
      },
      'POST /v1/order/orders/submitCancelClientOrder': (call) => {
        const order = byClientId(call);
        return done(order === undefined ? 0 : this.#end(order) ? 10 : 7);
      },
      'POST /v1/order/orders/batchCancelOpenOrders': ({ account, fields }) => {
        const symbols = fields.get('symbol')?.split(',');
        const count = this.#endAll(account, 'spot', (symbol) => symbols?.includes(symbol) ?? true);
        return done({ 'success-count': count, 'failed-count': 0, 'next-id': -1 });
      },
      'GET /v1/order/orders/*': (call) => done(this.#spotOrder(this.#order(call, 'spot'))),
      'GET /v1/order/orders/getClientOrder': (call) => {
        const order = byClientId(call);
        if (order === undefined) throw new HtxError('base-record-invalid', 'record invalid');
        return done(this.#spotOrder(order));
      },
      'GET /v1/order/openOrders': (call) => {
        const open = this.#orders(call, 'spot').filter(({ status }) => status === 'open');
        return done(open.map((order) => this.#spotOrder(order)));
      },
      'GET /v1/order/history': (call) =>
        done(
          this.#orders(call, 'spot')
            .slice(0, Number(call.fields.get('size') ?? 100))
            .map((order) => this.#spotOrder(order)),
        ),
      'GET /v1/order/orders': (call) => done(this.#orders(call, 'spot').map((order) => this.#spotOrder(order))),
      'GET /v1/order/orders/*/matchresults': (call) => done(this.#order(call, 'spot').trades.map(spotFill)),
      'GET /v1/order/matchresults': (call) =>
        done(
          this.#fills(call, 'spot', Number(call.fields.get('start-time') ?? 0))
            .slice(0, Number(call.fields.get('size') ?? 100))
            .map(spotFill),
        ),
      'POST /v2/algo-orders/cancel-all-after': ({ account, fields }) => {
        const timeoutMs = Number(fields.get('timeout')) * 1_000;
        return { code: 200, message: 'success', data: this.#arm(account, 'spot', timeoutMs) };
      },
    };
  }

  #swapOperations(): Readonly<Record<string, Run>> {
    const done = (data: unknown): unknown => ({ code: 200, message: 'Success', data, ts: this.#exchange.nowMs() });
    const numbersOf = (order: Order): unknown => ({
      order_id: swapIdText(order.id),
      client_order_id: clientIdOf(order),
    });
    return {
      'POST /v5/trade/order': (call) => done(numbersOf(this.#placeSwap(call))),
      'POST /v5/trade/cancel_order': (call) => {
        const order = this.#order(call, 'swap');
        this.#cancel(order, 'swap');
        return done(numbersOf(order));
      },
      'POST /v5/trade/cancel_all_orders': ({ account, fields }) => {
        const symbol = fields.get('contract_code');
        const open = this.#orders({ account, fields, name: '' }, 'swap').filter(({ status }) => status === 'open');
        if (open.length === 0) throw new HtxError('1051', 'No orders to cancel.');
        this.#endAll(account, 'swap', (each) => (symbol ?? each) === each);
        return done(open.map((order) => ({ ...(numbersOf(order) as object), code: 200, message: 'Success' })));
      },
      'POST /v5/trade/cancel-after': ({ account, fields }) => {
        const timeoutMs = fields.get('on_off') === '1' ? Number(fields.get('time_out') ?? 5_000) : 0;
        const { currentTime, triggerTime } = this.#arm(account, 'swap', timeoutMs);
        return done({ current_time: String(currentTime), trigger_time: String(triggerTime) });
      },
      'GET /v5/trade/order': (call) => done(this.#swapOrder(this.#order(call, 'swap'))),
      'GET /v5/trade/order/opens': (call) =>
        done(
          pageOf(
            this.#orders(call, 'swap')
              .filter(({ status }) => status === 'open')
              .map((order) => this.#swapOrder(order)),
            call.fields,
          ),
        ),
      'GET /v5/trade/order/history': (call) =>
        done(
          this.#orders(call, 'swap')
            .filter(({ status }) => status !== 'open')
            .map((order) => this.#swapOrder(order)),
        ),
      'GET /v5/trade/order/details': (call) => {
        const id = swapIdFrom(call.fields.get('order_id') ?? '');
        return done(
          pageOf(
            this.#fills(call, 'swap', Number(call.fields.get('start_time') ?? 0))
              .filter(({ order }) => id === -1 || order.id === id)
              .map(swapFill),
            call.fields,
          ),
        );
      },
      'GET /v5/account/balance': ({ account }) => done(swapBalance(account)),
      'GET /v5/trade/position/opens': ({ account }) => done(this.#positions(account)),
      'POST /linear-swap-api/v1/swap_fee': () => ({
        status: 'ok',
        data: this.#exchange.listings.filter(({ perpetual }) => perpetual).map(swapFeeOf),
        ts: this.#exchange.nowMs(),
      }),
    };
  }

  /** Newest first. */
  #orders({ account, fields }: Call, market: MarketName): readonly Order[] {
    const symbol = fields.get('symbol') ?? fields.get('contract_code');
    return this.#exchange
      .ordersOf(account)
      .filter(({ listing }) => listing.market === market && (symbol ?? listing.venueSymbol) === listing.venueSymbol)
      .toReversed();
  }

  #fills(call: Call, market: MarketName, fromMs: number): readonly Trade[] {
    return this.#orders(call, market)
      .flatMap(({ trades }) => trades)
      .filter(({ timeMs }) => timeMs >= fromMs)
      .sort((a, b) => b.id - a.id);
  }

  /** @throws HtxError */
  #order({ account, fields, name }: Call, market: MarketName): Order {
    const id = market === 'spot' ? spotIdFrom(name) : swapIdFrom(fields.get('order_id') ?? '');
    const clientOrderId = fields.get('client_order_id');
    const order = this.#exchange.find(account, id === -1 ? { clientOrderId: clientOrderId ?? '-' } : { id });
    if (order?.listing.market === market) return order;
    throw market === 'spot'
      ? new HtxError('order-queryorder-invalid', 'query order error')
      : new HtxError('1061', 'The order does not exist.');
  }

  #end(order: Order): boolean {
    this.#asked.add(order);
    return this.#exchange.cancel(order);
  }

  #endAll(account: Account, market: MarketName, isMeant: (symbol: string) => boolean): number {
    const open = this.#exchange
      .ordersOf(account, 'open')
      .filter(({ listing }) => listing.market === market && isMeant(listing.venueSymbol));
    for (const order of open) this.#end(order);
    return open.length;
  }

  /** @throws HtxError */
  #cancel(order: Order, market: MarketName): void {
    if (order.status !== 'open')
      throw market === 'spot'
        ? new HtxError('order-orderstate-error', 'Incorrect order state')
        : new HtxError('1071', 'Repeated withdraw.');
    this.#end(order);
  }

  #arm(account: Account, market: MarketName, timeoutMs: number) {
    const currentTime = this.#exchange.nowMs();
    if (timeoutMs !== 0 && !(timeoutMs >= 5_000))
      throw new HtxError(market === 'spot' ? 'bad-request' : '1030', 'timeout must be 0 or at least 5 seconds');
    const key = `${account.spec.name}:${market}`;
    const atMs = currentTime + timeoutMs;
    this.#countdowns.delete(key);
    if (timeoutMs > 0) this.#countdowns.set(key, { atMs, cancel: () => this.#endAll(account, market, () => true) });
    return { currentTime, triggerTime: timeoutMs === 0 ? 0 : atMs };
  }

  /** @throws HtxError */
  #placeSpot({ account, fields }: Call): string {
    const listing = this.#listing('spot', fields.get('symbol'));
    const draft = spotDraft(fields);
    return spotIdText(this.#place({ ...draft, account, listing, clientOrderId: fields.get('client-order-id') }).id);
  }

  /** @throws HtxError */
  #placeSwap({ account, fields }: Call): Order {
    const listing = this.#listing('swap', fields.get('contract_code'));
    const clientOrderId = fields.get('client_order_id');
    if (clientOrderId !== undefined && !/^[1-9]\d{0,18}$/.test(clientOrderId))
      throw new HtxError('1067', 'The client_order_id field is invalid. Please re-enter.');
    return this.#place({ ...swapDraft(fields), account, listing, clientOrderId });
  }

  #place(draft: Parameters<Exchange['place']>[0]): Order {
    const market = draft.listing.market as MarketName;
    try {
      const placed = this.#exchange.place(draft);
      if (placed.kind === 'placed') return placed.order;
      throw new HtxError(...codeOf(placed.reason, market));
    } catch (error) {
      if (error instanceof BadInput) throw new HtxError(...codeOf('price-off-grid', market));
      throw error;
    }
  }

  #ordered(order: Order, change: OrderChange): void {
    const { account, listing } = order;
    for (const socket of this.#private.of(account)) {
      if (socket.route === '/ws/v2' && listing.market === 'spot') this.#tellSpot(socket, order, change);
      if (socket.route === '/ws/v5/notification' && listing.market === 'swap') this.#tellSwap(socket, order, change);
    }
  }

  #tellSpot(socket: Socket, order: Order, change: OrderChange): void {
    const { venueSymbol } = order.listing;
    for (const channel of socket.channels) {
      const [name, symbol] = channel.split('#');
      if (name === 'accounts.update') {
        if (socket.account !== undefined) this.#tellBalances(socket, socket.account, channel, order.listing);
        continue;
      }
      if (symbol !== '*' && symbol !== venueSymbol) continue;
      const ch = channel.replace('#*', `#${venueSymbol}`);
      if (name === 'orders') this.#send(socket, { action: 'push', ch, data: this.#spotEvent(order, change) });
      else if (change.kind === 'trade') this.#send(socket, { action: 'push', ch, data: clearingOf(change.trade) });
    }
  }

  #spotEvent(order: Order, change: OrderChange): Readonly<Record<string, unknown>> {
    const { listing } = order;
    const eventType = change.kind === 'new' ? 'creation' : change.kind === 'trade' ? 'trade' : 'cancellation';
    const trade = change.kind === 'trade' ? change.trade : undefined;
    return {
      eventType,
      symbol: listing.venueSymbol,
      accountId: `#${ACCOUNT_ID}`,
      orderId: `#${spotIdText(order.id)}`,
      clientOrderId: order.clientOrderId,
      orderSource: 'spot-api',
      type: spotTypeOf(order),
      orderPrice: limitOf(order).toFixed(),
      orderSize: qtyOf(listing, order.qty).toFixed(),
      orderStatus: change.kind === 'new' ? 'submitted' : this.#spotState(order),
      orderCreateTime: order.createdMs,
      execAmt: qtyOf(listing, change.kind === 'new' ? 0 : order.filled).toFixed(),
      remainAmt: qtyOf(listing, order.qty - order.filled).toFixed(),
      ...(eventType === 'cancellation' ? { lastActTime: order.updatedMs } : {}),
      ...(trade === undefined
        ? {}
        : {
            tradePrice: priceOf(listing, trade.price).toFixed(),
            tradeVolume: qtyOf(listing, trade.lots).toFixed(),
            tradeId: trade.id,
            tradeTime: trade.timeMs,
            aggressor: trade.liquidity === 'taker',
          }),
    };
  }

  #tellBalances(socket: Socket, account: Account, ch: string, listing?: Listing): void {
    const assets = listing === undefined ? account.assets('spot') : [listing.base, listing.quote];
    for (const asset of assets)
      this.#send(socket, {
        action: 'push',
        ch,
        data: {
          currency: asset.toLowerCase(),
          accountId: `#${ACCOUNT_ID}`,
          balance: account.balance('spot', asset).total.toFixed(),
          available: account.available('spot', asset).toFixed(),
          changeType: 'order.place',
          accountType: 'trade',
          seqNum: '1',
          changeTime: this.#exchange.nowMs(),
        },
      });
  }

  #paid(account: Account, { venueSymbol }: Listing): void {
    for (const socket of this.#private.of(account)) {
      if (socket.route !== '/ws/v5/notification') continue;
      if (hears(socket, 'positions', venueSymbol))
        this.#tell(socket, 'positions', this.#positions(account), venueSymbol);
      if (hears(socket, 'account', venueSymbol)) this.#tell(socket, 'account', swapBalance(account));
    }
  }

  #tellSwap(socket: Socket, order: Order, change: OrderChange): void {
    const { venueSymbol } = order.listing;
    if (hears(socket, 'orders', venueSymbol)) {
      const shown = this.#swapOrder(order);
      this.#tell(
        socket,
        'orders',
        change.kind === 'new' ? { ...shown, state: 'new', trade_volume: '0' } : shown,
        venueSymbol,
      );
    }
    if (change.kind === 'trade') {
      if (hears(socket, 'trade', venueSymbol)) {
        const { side, ...fill } = swapFill(change.trade);
        // The socket calls the side so, and says nothing of the fee.
        const told = { ...fill, direction: side, trade_fee: undefined, fee_currency: undefined };
        this.#tell(socket, 'trade', [told], venueSymbol);
      }
      if (hears(socket, 'positions', venueSymbol))
        this.#tell(socket, 'positions', this.#positions(order.account), venueSymbol);
    }
    if (hears(socket, 'account', venueSymbol)) this.#tell(socket, 'account', swapBalance(order.account));
  }

  #tell(socket: Socket, topic: string, data: unknown, symbol = ''): void {
    this.#send(socket, {
      op: 'notify',
      topic,
      contract_code: symbol,
      ts: this.#exchange.nowMs(),
      uid: USER_ID,
      event: 'snapshot',
      data,
    });
  }

  #spotState(order: Order): string {
    switch (order.status) {
      case 'open':
        return order.filled > 0 ? 'partial-filled' : 'submitted';
      case 'filled':
        return 'filled';
      case 'canceled':
      case 'expired':
        if (order.postOnly && !this.#asked.has(order)) return 'rejected';
        return order.filled > 0 ? 'partial-canceled' : 'canceled';
    }
  }

  #spotOrder(order: Order): Readonly<Record<string, unknown>> {
    const { listing } = order;
    const fees = order.trades.reduce((sum, { fee }) => sum.plus(fee), new Decimal(0)).toFixed();
    const filled = qtyOf(listing, order.filled).toFixed();
    return {
      id: `#${spotIdText(order.id)}`,
      symbol: listing.venueSymbol,
      'account-id': `#${ACCOUNT_ID}`,
      'client-order-id': order.clientOrderId,
      amount: qtyOf(listing, order.qty).toFixed(),
      price: limitOf(order).toFixed(),
      'created-at': order.createdMs,
      type: spotTypeOf(order),
      'field-amount': filled,
      'field-cash-amount': order.cost.toFixed(),
      'field-fees': fees,
      'filled-amount': filled,
      'filled-cash-amount': order.cost.toFixed(),
      'filled-fees': fees,
      'finished-at': order.status === 'open' ? 0 : order.updatedMs,
      source: 'spot-api',
      state: this.#spotState(order),
      'canceled-at': order.status === 'canceled' ? order.updatedMs : 0,
    };
  }

  #swapOrder(order: Order): Readonly<Record<string, unknown>> {
    const { listing } = order;
    const isEnded = order.status === 'canceled' || order.status === 'expired';
    return {
      id: swapIdText(order.id),
      contract_code: listing.venueSymbol,
      contract_type: 'swap',
      side: order.side,
      position_side: 'both',
      type: order.type === 'market' ? 'market' : order.postOnly ? 'post_only' : 'limit',
      price_match: null,
      order_id: swapIdText(order.id),
      client_order_id: clientIdOf(order),
      margin_mode: 'cross',
      price: limitOf(order).toFixed(),
      volume: qtyOf(listing, order.qty).toFixed(),
      lever_rate: 10,
      state: swapStateOf(order),
      order_source: 'api',
      reduce_only: false,
      time_in_force: order.timeInForce.toLowerCase(),
      trade_avg_price: averageOf(order).toDecimalPlaces(8).toFixed(),
      trade_volume: qtyOf(listing, order.filled).toFixed(),
      trade_turnover: order.cost.toFixed(),
      fee_currency: listing.settle,
      fee: order.trades
        .reduce((sum, { fee }) => sum.plus(fee), new Decimal(0))
        .negated()
        .toFixed(),
      profit: '0',
      cancel_reason: !isEnded
        ? ''
        : this.#asked.has(order)
          ? 'Limit order cancelation by the client'
          : 'Order cancelation by system',
      created_time: String(order.createdMs),
      updated_time: String(order.updatedMs),
      self_match_prevent: 'cancel_taker',
    };
  }

  #positions(account: Account): readonly unknown[] {
    return account
      .positions()
      .filter(({ listing }) => listing.market === 'swap')
      .map(({ listing, position }) => ({
        contract_code: listing.venueSymbol,
        position_side: 'both',
        direction: position.lots < 0 ? 'sell' : 'buy',
        margin_mode: 'cross',
        open_avg_price: entryPrice(listing, position),
        volume: qtyOf(listing, Math.abs(position.lots)).toFixed(),
        available: qtyOf(listing, Math.abs(position.lots)).toFixed(),
        lever_rate: 10,
        adl_risk_percent: null,
        liquidation_price: '-1',
        mark_price: String(referenceOf(this.#exchange, listing)?.mark ?? 0),
        profit_unreal: '0',
        margin_currency: listing.settle,
        contract_type: 'swap',
        created_time: String(this.#exchange.nowMs()),
        updated_time: String(this.#exchange.nowMs()),
      }));
  }
}

/** Whether a private socket has asked for this topic, of this contract or of all. */
const hears = ({ channels }: Socket, topic: string, contract: string): boolean =>
  channels.has(`${topic} *`) || channels.has(`${topic} ${contract}`);

/** JSON in which texts that begin with `#` are numbers. */
const jsonText = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value).replace(/"#(-?[\d.]+)"/g, '$1');

const textReply = (value: unknown): HttpReply => ({ ...jsonReply(200, null), body: jsonText(value) });

const codeOf = (reason: Refusal, market: MarketName): readonly [code: string, text: string] => {
  const [spot, swap, text] = REFUSALS[reason];
  return [market === 'spot' ? spot : swap, text];
};

/** 15 digits on spot, 19 on swaps. */
const spotIdText = (id: number): string => `35${String(id).padStart(13, '0')}`;
const spotIdFrom = (text: string): number => (/^35\d{13}$/.test(text) ? Number(text.slice(2)) : -1);
const swapIdText = (id: number): string => `15${String(id).padStart(17, '0')}`;
const swapIdFrom = (text: string): number => (/^15\d{17}$/.test(text) ? Number(text.slice(2)) : -1);

/** An order without a client's number repeats its own. */
const clientIdOf = ({ id, clientOrderId }: Order): string =>
  /^\d+$/.test(clientOrderId) ? clientOrderId : swapIdText(id);

type Draft = Omit<Parameters<Exchange['place']>[0], 'account' | 'listing' | 'clientOrderId'>;

/** `buy-limit-maker`: side and behaviour in one. A market buy is sized in quote. @throws HtxError */
function spotDraft(fields: Fields): Draft {
  const [, side, kind] = /^(buy|sell)-(limit|ioc|limit-fok|limit-maker|market)$/.exec(fields.get('type') ?? '') ?? [];
  if (side !== 'buy' && side !== 'sell') throw new HtxError('order-type-invalid', 'Order type is invalid');
  const isMarket = kind === 'market';
  return {
    side,
    type: isMarket ? 'market' : 'limit',
    timeInForce: kind === 'ioc' || isMarket ? 'IOC' : kind === 'limit-fok' ? 'FOK' : 'GTC',
    postOnly: kind === 'limit-maker',
    price: isMarket ? undefined : fields.get('price'),
    qty: fields.get('amount') ?? '0',
    qtyIn: isMarket && side === 'buy' ? 'quote' : 'base',
  };
}

/** @throws HtxError */
function swapDraft(fields: Fields): Draft {
  const [side, type] = [fields.get('side'), fields.get('type') ?? ''];
  const time = (fields.get('time_in_force') ?? 'gtc').toUpperCase();
  if (side !== 'buy' && side !== 'sell') throw new HtxError('1035', 'Incorrect field of direction.');
  if (!['limit', 'market', 'post_only'].includes(type))
    throw new HtxError('1034', 'Incorrect field of order price type.');
  if (time !== 'GTC' && time !== 'IOC' && time !== 'FOK') throw new HtxError('1030', 'Input error.');
  const isMarket = type === 'market';
  return {
    side,
    type: isMarket ? 'market' : 'limit',
    timeInForce: isMarket ? 'IOC' : time,
    postOnly: type === 'post_only',
    price: isMarket ? undefined : fields.get('price'),
    qty: fields.get('volume') ?? '0',
    qtyIn: 'base',
    reduceOnly: fields.get('reduce_only') === '1',
  };
}

const spotTypeOf = ({ side, type, timeInForce, postOnly }: Order): string =>
  `${side}-${type === 'market' ? 'market' : postOnly ? 'limit-maker' : { GTC: 'limit', IOC: 'ioc', FOK: 'limit-fok' }[timeInForce]}`;

function swapStateOf({ status, filled }: Order): string {
  switch (status) {
    case 'open':
      return filled > 0 ? 'partially_filled' : 'new';
    case 'filled':
      return 'filled';
    case 'canceled':
    case 'expired':
      return filled > 0 ? 'partially_canceled' : 'canceled';
  }
}

const spotFill = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade) => ({
  id,
  symbol: order.listing.venueSymbol,
  'order-id': `#${spotIdText(order.id)}`,
  'match-id': id,
  'trade-id': id,
  type: spotTypeOf(order),
  source: 'spot-api',
  price: priceOf(order.listing, price).toFixed(),
  'filled-amount': qtyOf(order.listing, lots).toFixed(),
  'filled-fees': fee.toFixed(),
  'filled-points': '0.0',
  'fee-currency': feeAsset.toLowerCase(),
  'fee-deduct-currency': '',
  'fee-deduct-state': 'done',
  role: liquidity,
  'created-at': timeMs,
});

/** What `trade.clearing` says of a fill. */
const clearingOf = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade) => ({
  eventType: 'trade',
  symbol: order.listing.venueSymbol,
  orderId: `#${spotIdText(order.id)}`,
  clientOrderId: order.clientOrderId,
  tradePrice: priceOf(order.listing, price).toFixed(),
  tradeVolume: qtyOf(order.listing, lots).toFixed(),
  orderSide: order.side,
  orderType: spotTypeOf(order),
  aggressor: liquidity === 'taker',
  tradeId: id,
  tradeTime: timeMs,
  transactFee: fee.toFixed(),
  feeCurrency: feeAsset.toLowerCase(),
  feeDeduct: '0',
  feeDeductType: '',
  accountId: `#${ACCOUNT_ID}`,
  source: 'spot-api',
  orderPrice: limitOf(order).toFixed(),
  orderSize: qtyOf(order.listing, order.qty).toFixed(),
  orderCreateTime: order.createdMs,
  orderStatus: order.status === 'filled' ? 'filled' : 'partial-filled',
});

/** A page of a list, the newest first: what stands behind the entry `from`. @see https://www.htx.com/en-us/opend/newApiPages/ */
function pageOf<T extends { readonly id?: unknown }>(list: readonly T[], fields: Fields): readonly T[] {
  const from = fields.get('from');
  const start = from === undefined ? 0 : list.findIndex(({ id }) => id === from) + 1;
  return list.slice(start, start + Number(fields.get('limit') ?? 10));
}

const swapFill = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade) => ({
  id: String(id),
  contract_code: order.listing.venueSymbol,
  contract_type: 'swap',
  order_id: swapIdText(order.id),
  client_order_id: clientIdOf(order),
  trade_id: String(id),
  side: order.side,
  position_side: 'both',
  order_type: '1',
  margin_mode: 'cross',
  role: liquidity,
  trade_price: priceOf(order.listing, price).toFixed(),
  trade_volume: qtyOf(order.listing, lots).toFixed(),
  trade_fee: fee.toFixed(),
  fee_currency: feeAsset,
  profit: '0',
  created_time: String(timeMs),
  updated_time: String(timeMs),
});

const spotBalances = (account: Account): readonly unknown[] =>
  account.assets('spot').flatMap((asset) => {
    const { total } = account.balance('spot', asset);
    const available = account.available('spot', asset);
    const currency = asset.toLowerCase();
    return [
      { currency, type: 'trade', balance: available.toFixed(), 'seq-num': '1' },
      { currency, type: 'frozen', balance: total.minus(available).toFixed(), 'seq-num': '1' },
    ];
  });

const swapBalance = (account: Account): Readonly<Record<string, unknown>> => ({
  state: 'normal',
  equity: account.balance('swap', 'USDT').total.toFixed(),
  profit_unreal: '0',
  available_margin: account.available('swap', 'USDT').toFixed(),
  details: account.assets('swap').map((currency) => ({
    currency,
    equity: account.balance('swap', currency).total.toFixed(),
    available: account.available('swap', currency).toFixed(),
    withdraw_available: account.available('swap', currency).toFixed(),
    profit_unreal: '0',
    isolated_equity: '0',
    initial_margin: '0',
    maintenance_margin: '0',
  })),
});

const feeOf = ({ venueSymbol, maker, taker }: Listing): Readonly<Record<string, string>> => ({
  symbol: venueSymbol,
  actualMakerRate: maker.toFixed(),
  actualTakerRate: taker.toFixed(),
  takerFeeRate: taker.toFixed(),
  makerFeeRate: maker.toFixed(),
});

const swapFeeOf = ({ venueSymbol, base, settle, maker, taker }: Listing): Readonly<Record<string, string>> => ({
  symbol: base,
  contract_code: venueSymbol,
  open_maker_fee: maker.toFixed(),
  open_taker_fee: taker.toFixed(),
  close_maker_fee: maker.toFixed(),
  close_taker_fee: taker.toFixed(),
  fee_asset: settle,
  delivery_fee: '0',
  business_type: 'swap',
  contract_type: 'swap',
  pair: venueSymbol,
});

const number = (value: Decimal): string => `#${value.toFixed()}`;

const symbolOf = (listing: Listing): Readonly<Record<string, unknown>> => ({
  'base-currency': listing.base.toLowerCase(),
  'quote-currency': listing.quote.toLowerCase(),
  'price-precision': listing.priceDecimals,
  'amount-precision': listing.lotDecimals,
  'symbol-partition': 'main',
  symbol: listing.venueSymbol,
  state: 'online',
  'value-precision': 8,
  'min-order-amt': number(qtyOf(listing, listing.minLots)),
  'max-order-amt': 100_000_000,
  'min-order-value': number(listing.minNotional),
  'limit-order-min-order-amt': number(qtyOf(listing, listing.minLots)),
  'limit-order-max-order-amt': 100_000_000,
  'api-trading': 'enabled',
  tags: '',
});

const marketSymbolOf = (listing: Listing): Readonly<Record<string, unknown>> => ({
  symbol: listing.venueSymbol,
  state: 'online',
  bc: listing.base.toLowerCase(),
  qc: listing.quote.toLowerCase(),
  pp: listing.priceDecimals,
  ap: listing.lotDecimals,
  sp: 'main',
  vp: 8,
  minoa: number(qtyOf(listing, listing.minLots)),
  maxoa: 100_000_000,
  minov: number(listing.minNotional),
  lominoa: number(qtyOf(listing, listing.minLots)),
  at: 'enabled',
  tags: '',
});

const contractOf = (listing: Listing): Readonly<Record<string, unknown>> => ({
  symbol: listing.base,
  contract_code: listing.venueSymbol,
  contract_size: number(listing.contractSize),
  price_tick: number(tickOf(listing)),
  delivery_date: '',
  delivery_time: '',
  create_date: '20201021',
  contract_status: 1,
  settlement_date: '1640966400000',
  settlement_period: String(listing.fundingEveryMs / 3_600_000),
  support_margin_mode: 'all',
  business_type: 'swap',
  pair: listing.venueSymbol,
  contract_type: 'swap',
  trade_partition: listing.settle,
});

/** What one can subscribe to of a listing, by socket. */
function topicsOf({ market, venueSymbol }: Listing): Partial<Record<Route, readonly string[]>> {
  const topic = (name: string): string => `market.${venueSymbol}.${name}`;
  if (market === 'spot') return { '/feed': [topic(`mbp.${SPOT_DEPTH}`)], '/ws': [topic('trade.detail')] };
  return {
    '/linear-swap-ws': [topic('trade.detail'), ...SWAP_DEPTHS.map((depth) => topic(`depth.size_${depth}.high_freq`))],
    '/ws_index': [topic('mark_price.1min'), topic('index.1min')],
  };
}

type Sides = { readonly bids: FlatLevels; readonly asks: FlatLevels };
type Change = { readonly topic: string; readonly tick: (version: number) => string };

/** One book's channels, each with its own depth. What leaves a depth is deleted, so that a client never keeps a level it is not told of. */
class BookFeed {
  readonly listing: Listing;
  readonly #exchange: Exchange;
  readonly #views: readonly { readonly topic: string; readonly depth: number; told: Sides }[];
  #sequence: number;

  constructor(listing: Listing, exchange: Exchange) {
    this.listing = listing;
    this.#exchange = exchange;
    this.#sequence = this.#now();
    const depths = listing.kind === 'spot' ? [SPOT_DEPTH] : SWAP_DEPTHS;
    this.#views = depths.map((depth) => ({
      topic: `market.${listing.venueSymbol}.${listing.kind === 'spot' ? `mbp.${depth}` : `depth.size_${depth}.high_freq`}`,
      depth,
      told: this.#sides(depth),
    }));
  }

  /** What changed since the last time, for each topic. */
  advance(): readonly Change[] {
    const last = this.#now();
    if (last === this.#sequence) return [];
    const previous = this.#sequence;
    this.#sequence = last;
    return this.#views.map((view) => {
      const now = this.#sides(view.depth);
      const changes = { bids: changesOf(view.told.bids, now.bids), asks: changesOf(view.told.asks, now.asks) };
      view.told = now;
      const levels = this.#levels(changes);
      return this.listing.kind === 'spot'
        ? { topic: view.topic, tick: () => `{"seqNum":${last},"prevSeqNum":${previous},${levels}}` }
        : { topic: view.topic, tick: (version) => this.#swapTick(view.topic, levels, { event: 'update', version }) };
    });
  }

  /** The answer to a request for the spot book, at the number that the others are at. */
  spotSnapshot(): string {
    return `{"seqNum":${this.#sequence},${this.#levels(this.#views[0]!.told)}}`;
  }

  /** What a swap's book opens with. */
  swapSnapshot(topic: string, version: number): string | undefined {
    const view = this.listing.kind === 'spot' ? undefined : this.#views.find((each) => each.topic === topic);
    return view === undefined
      ? undefined
      : this.#swapTick(topic, this.#levels(view.told), { event: 'snapshot', version });
  }

  /** The book of REST. */
  polled(nowMs: number): string {
    return `{"ts":${nowMs},"version":${this.#now()},${this.#levels(this.#sides(SPOT_DEPTH))}}`;
  }

  #swapTick(
    topic: string,
    levels: string,
    { event, version }: { readonly event: string; readonly version: number },
  ): string {
    const nowMs = this.#exchange.nowMs();
    return `{${levels},"ch":"${topic}","event":"${event}","id":${this.#sequence},"mrid":${this.#sequence},"ts":${nowMs},"version":${version}}`;
  }

  #now(): number {
    return FIRST_SEQUENCE + this.#exchange.engine(this.listing).changes;
  }

  #sides(depth: number): Sides {
    const { bids, asks } = this.#exchange.engine(this.listing);
    return { bids: flatLevels(bids, depth), asks: flatLevels(asks, depth) };
  }

  #levels({ bids, asks }: Sides): string {
    return `"bids":${levelsText(this.listing, bids)},"asks":${levelsText(this.listing, asks)}`;
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

/** Numbers as this venue's Java writes them: what is removed has 0.0. */
function levelsText({ priceDecimals, lotDecimals }: Listing, flat: FlatLevels): string {
  let text = '[';
  for (let at = 0; at < flat.length; at += 2) {
    const qty = flat[at + 1] === 0 ? '0.0' : trimmedText(flat[at + 1]!, lotDecimals);
    text += `${at === 0 ? '' : ','}[${trimmedText(flat[at]!, priceDecimals)},${qty}]`;
  }
  return `${text}]`;
}
