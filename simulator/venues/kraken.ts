import { crc32 } from 'node:zlib';
import { Decimal } from 'decimal.js';
import type { Timer } from '#shared/clock/clock.ts';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import type { FlatLevels } from '../depth-view.ts';
import { DepthView, flatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Placed, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { fixedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { lotOf, priceOf, qtyOf, spotListings, tickOf, valueOf } from '../listings.ts';
import type { BookHalf, MatchingEngine } from '../matching-engine.ts';
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
  krakenSignature,
  listOf,
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
  textsOf,
} from './venue-dialect.ts';

type Fields = ReadonlyMap<string, string>;
type Operation = {
  readonly acknowledges?: true;
  readonly run: (fields: Fields, account: Account, body: Params) => unknown;
};
type Params = Readonly<Record<string, unknown>>;
type Socket = KrakenReceiver & {
  readonly client: Client;
  /** By channel and symbol: how to leave again. */
  readonly subscriptions: Map<string, () => void>;
  readonly privateChannels: Set<string>;
  spokeMs: number;
};
type Request = { readonly method: string; readonly id: unknown; readonly params: Params; readonly timeIn: string };

const BOOK_DEPTHS: ReadonlySet<number> = new Set([10, 25, 100, 500, 1_000]);
const HEARTBEAT_MS = 1_000;
/** The pro tier's counter, a minute of its decay at once. */
const ORDERS_PER_PAIR = 225;
const ORDERS_WINDOW_MS = 60_000;
const BATCH_MAX = 15;
const CANCEL_BATCH_MAX = 50;
const CANCEL_AFTER_S_MAX = 86_400;
const PAGE = 50;
/** What the simulated keys may do: everything that trading needs, and no withdrawals. */
const PERMISSIONS = [
  'query-funds',
  'query-open-trades',
  'query-closed-trades',
  'modify-trades',
  'close-trades',
  'query-ledger',
  'create-ws-token',
];

/** Kraken's REST spells old assets with X and Z (XXBTZUSD); against USDT and USDC it does not (XBTUSDT). */
function restSymbol(base: string, quote: string): string {
  const names: readonly [string, string] = [krakenAsset(base), krakenAsset(quote)];
  const old = names.every((name) => /^[XZ].{3}$/.test(name));
  return old ? names.join('') : names.map(krakenAltName).join('');
}

/** Kraken's own asset codes: `XXBT`, `ZUSD`; newer assets are spelled as everywhere. */
const krakenAsset = (asset: string): string => ASSETS[asset] ?? asset;
/** `XXBT` → `XBT`. */
const krakenAltName = (name: string): string => (/^[XZ].{3}$/.test(name) ? name.slice(1) : name);

const ASSETS: Readonly<Record<string, string>> = { BTC: 'XXBT', ETH: 'XETH', XRP: 'XXRP', LTC: 'XLTC', USD: 'ZUSD' };

/**
 * Kraken spot: REST below `/0`, WebSocket v2 at `/v2` (public and private channels on one socket).
 * @see https://docs.kraken.com/api/docs/guides/spot-ws-intro
 */
export const simulated: SimulatedVenue = {
  venue: 'kraken',
  hosts: { 'api.kraken.com': '', 'ws.kraken.com': '', 'ws-auth.kraken.com': '' },
  listings: spotListings({
    venue: 'kraken',
    // The desk's tier of config/default.toml, not the lowest one, at which nothing pays.
    fees: ['0.001', '0.0016'],
    feeIn: 'quote',
    spell: restSymbol,
    also: ['BTC/USD', 'ETH/USD'],
    priceDecimals: { 'XRP/USDT': 5, 'ADA/USDT': 5 },
    lotDecimals: 8,
    minQty: { BTC: '0.00005', ETH: '0.001', SOL: '0.02', XRP: '1.65', ADA: '4.4', LTC: '0.04', USDC: '5' },
    minNotional: { USD: '0.5', USDT: '0.5', USDC: '0.5', BTC: '0.00002', ETH: '0.0002' },
  }),
  dialect: (options) => new Kraken(options),
};

class Kraken implements VenueDialect {
  readonly venue = 'kraken';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #feeds: readonly KrakenFeed[];
  readonly #sockets = new Set<Socket>();
  readonly #private = new PrivateAudience<Socket>();
  readonly #tokens = new Map<string, Account>();
  readonly #nonces = new Map<string, number>();
  /** Whose orders end when their time is up. */
  readonly #countdowns = new Map<Account, Timer>();
  readonly #orderRates = new RateWindow(ORDERS_WINDOW_MS);
  readonly #operations: ReadonlyMap<string, Operation>;
  #sequence = 0;
  #sweptMs = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#feeds = options.exchange.listings.map((listing) => new KrakenFeed(listing, options.exchange.engine(listing)));
    this.#operations = new Map(
      Object.entries({ ...this.#accountOperations(), ...this.#orderOperations(), ...this.#batchOperations() }),
    );
    options.exchange.listener = {
      booked: (listing) => {
        if (this.#stale()) return;
        const feed = this.#feeds[listing.index]!;
        feed.quote();
        feed.flush(this.#exchange.nowMs(), () => this.#fate());
      },
      printed: (listing, print) => {
        if (!this.#stale()) this.#feeds[listing.index]!.trade(print);
      },
      ordered: (order, change) => this.#ordered(order, change),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    if (splitPath(path).route !== '/v2') return undefined;
    const socket: Socket = {
      client,
      subscriptions: new Map(),
      privateChannels: new Set(),
      spokeMs: this.#exchange.nowMs(),
      send: (text) => {
        socket.spokeMs = this.#exchange.nowMs();
        client.send(text);
      },
    };
    this.#sockets.add(socket);
    socket.send(
      '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":1}]}',
    );
    return {
      markets: ['spot'],
      message: (text) => this.#message(socket, text),
      closed: () => {
        this.#sockets.delete(socket);
        this.#private.leave(socket);
        for (const leave of socket.subscriptions.values()) leave();
      },
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const [, version, access, name = ''] = route.split('/');
    if (version !== '0') return krakenReply({ error: ['EGeneral:Unknown method'] });
    try {
      if (access === 'public') return krakenReply({ error: [], result: this.#public(name, fieldsOf(query)) });
      const operation = this.#operations.get(name);
      if (operation === undefined || request.method !== 'POST') throw new KrakenError('EGeneral:Unknown method');
      const fields = bodyFields(request.body);
      const account = this.#authorise(request, route, fields);
      const result = operation.run(fields, account, objectOf(request.body) ?? {});
      const delayMs = operation.acknowledges === true ? this.#options.faults.ackDelayMs('kraken', 'spot') : 0;
      return { ...krakenReply({ error: [], result }), delayMs };
    } catch (error) {
      if (error instanceof KrakenError) return krakenReply({ error: [error.message] });
      throw error;
    }
  }

  marketOf(): string {
    return 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    return JSON.stringify({ error: [kind === 'rate-limited' ? 'EAPI:Rate limit exceeded' : 'EService:Unavailable'] });
  }

  step(): void {
    const nowMs = this.#exchange.nowMs();
    if (nowMs - this.#sweptMs < HEARTBEAT_MS / 2) return;
    this.#sweptMs = nowMs;
    for (const socket of this.#sockets)
      if (socket.subscriptions.size > 0 && nowMs - socket.spokeMs >= HEARTBEAT_MS)
        socket.send('{"channel":"heartbeat"}');
  }

  #stale(): boolean {
    return this.#options.faults.holds('stale', 'kraken', 'spot');
  }

  #fate(): FrameFate {
    if (this.#options.faults.take('gap', 'kraken', 'spot') !== undefined) return 'dropped';
    return this.#options.faults.take('bad-checksum', 'kraken', 'spot') === undefined ? 'sent' : 'spoilt';
  }

  #message(socket: Socket, text: string): void {
    const message = objectOf(text);
    const params = message?.['params'];
    const request: Request = {
      method: typeof message?.['method'] === 'string' ? message['method'] : '',
      id: message?.['req_id'],
      params: typeof params === 'object' && params !== null ? (params as Params) : {},
      timeIn: isoText(this.#exchange.nowMs()),
    };
    try {
      this.#handle(socket, request);
    } catch (error) {
      if (!(error instanceof KrakenError)) throw error;
      this.#answer(socket, request, { error: error.message, success: false });
    }
  }

  #handle(socket: Socket, request: Request): void {
    const { method, params } = request;
    const acknowledge = (result: unknown, more: Record<string, unknown> = {}): void =>
      deliver(this.#options, 'spot', () => this.#answer(socket, request, { result, success: true, ...more }));
    switch (method) {
      case 'ping':
        this.#answer(socket, { ...request, method: 'pong' }, {});
        return;
      case 'subscribe':
      case 'unsubscribe':
        this.#subscription(socket, request);
        return;
      case 'add_order':
        acknowledge(this.#addOrder(this.#accountOf(params), params));
        return;
      case 'cancel_order':
        for (const order of this.#named(this.#accountOf(params), params)) {
          if (order === undefined || !this.#exchange.cancel(order)) throw new KrakenError('EOrder:Unknown order');
          acknowledge({ order_id: txidOf('O', order.id), cl_ord_id: order.clientOrderId });
        }
        return;
      case 'cancel_all':
        acknowledge({ count: this.#cancelAll(this.#accountOf(params)) });
        return;
      case 'cancel_all_orders_after':
        acknowledge(this.#cancelAfter(this.#accountOf(params), String(params['timeout'])));
        return;
      case 'batch_add':
        acknowledge(this.#addOrders(params));
        return;
      case 'batch_cancel':
        acknowledge({}, { orders_cancelled: this.#cancelNamed(this.#accountOf(params), params) });
        return;
      default:
        throw new KrakenError(`Unsupported method: ${method}`);
    }
  }

  #answer(socket: Socket, { method, id, timeIn }: Request, fields: Record<string, unknown>): void {
    const timeOut = isoText(this.#exchange.nowMs());
    socket.send(
      JSON.stringify({
        method,
        ...(id === undefined ? {} : { req_id: id }),
        ...fields,
        time_in: timeIn,
        time_out: timeOut,
      }),
    );
  }

  /** One acknowledgement for each symbol. */
  #subscription(socket: Socket, request: Request): void {
    const { params, method } = request;
    const channel = typeof params['channel'] === 'string' ? params['channel'] : '';
    if (channel === 'executions' || channel === 'balances') {
      this.#privateSubscription(socket, request, channel);
      return;
    }
    if (channel === 'instrument') {
      this.#answer(socket, request, { result: { channel, snapshot: true }, success: true });
      if (method === 'subscribe') socket.send(JSON.stringify({ channel, type: 'snapshot', data: this.#instruments() }));
      return;
    }
    if (channel !== 'book' && channel !== 'trade' && channel !== 'ticker')
      throw new KrakenError(`Subscription name invalid: ${channel}`);
    const depth = Number(params['depth'] ?? 10);
    if (channel === 'book' && !BOOK_DEPTHS.has(depth)) throw new KrakenError('Subscription depth not supported');
    for (const symbol of textsOf(params['symbol'])) {
      const feed = this.#feeds.find(({ listing }) => listing.symbol === symbol);
      const result = {
        channel,
        symbol,
        ...(channel === 'book' ? { depth } : {}),
        ...(method === 'subscribe' ? { snapshot: true } : {}),
      };
      const key = `${channel}:${symbol}:${channel === 'book' ? depth : ''}`;
      if (feed === undefined) {
        this.#answer(socket, request, { error: `Currency pair not supported ${symbol}`, symbol, success: false });
      } else if (method === 'unsubscribe') {
        socket.subscriptions.get(key)?.();
        socket.subscriptions.delete(key);
        this.#answer(socket, request, { result, success: true });
      } else if (socket.subscriptions.has(key)) {
        this.#answer(socket, request, { error: 'Already subscribed', symbol, success: false });
      } else {
        this.#answer(socket, request, { result, success: true });
        socket.subscriptions.set(
          key,
          this.#join(feed, channel, { depth, snapshot: params['snapshot'] !== false }, socket),
        );
      }
    }
  }

  #join(
    feed: KrakenFeed,
    channel: 'book' | 'trade' | 'ticker',
    { depth, snapshot }: { readonly depth: number; readonly snapshot: boolean },
    socket: Socket,
  ): () => void {
    switch (channel) {
      case 'book':
        feed.subscribeBook(depth, socket, this.#exchange.nowMs());
        return () => feed.unsubscribeBook(depth, socket);
      case 'trade':
        feed.subscribeTrades(socket, snapshot);
        return () => feed.unsubscribe('trade', socket);
      case 'ticker':
        feed.subscribeTicker(socket);
        return () => feed.unsubscribe('ticker', socket);
    }
  }

  #privateSubscription(socket: Socket, request: Request, channel: 'executions' | 'balances'): void {
    const account = this.#accountOf(request.params);
    this.#answer(socket, request, { result: { channel }, success: true });
    if (request.method === 'unsubscribe') {
      socket.privateChannels.delete(channel);
      return;
    }
    socket.privateChannels.add(channel);
    socket.subscriptions.set(channel, () => undefined);
    this.#private.join(account, socket);
    const data =
      channel === 'executions'
        ? this.#executions(account, request.params)
        : account.assets('spot').map((asset) => balanceOf(account, asset));
    socket.send(JSON.stringify({ channel, type: 'snapshot', data, sequence: this.#nextSequence() }));
  }

  /** 2 to 15 orders of one pair. */
  #addOrders(params: Params): readonly unknown[] {
    const account = this.#accountOf(params);
    const orders = listOf(params['orders']);
    if (orders.length < 2 || orders.length > BATCH_MAX) throw new KrakenError('EGeneral:Invalid arguments:orders');
    return orders.map((order) => this.#addOrder(account, { ...(order as Params), symbol: params['symbol'] }));
  }

  /** The orders that a request names, by either id. */
  #named(account: Account, params: Params): readonly (Order | undefined)[] {
    const clientIds = textsOf(params['cl_ord_id']);
    return [
      ...textsOf(params['order_id']).map((txid) => this.#exchange.find(account, { id: orderIdFrom(txid) })),
      ...clientIds.map((clientOrderId) => this.#exchange.find(account, { clientOrderId })),
    ];
  }

  /** `orders` holds the venue's ids or the client's; returns how many were open. */
  #cancelNamed(account: Account, params: Params): number {
    const ids = textsOf(params['orders']);
    if (ids.length > CANCEL_BATCH_MAX) throw new KrakenError('EGeneral:Invalid arguments:orders');
    const orders = ids.map(
      (id) =>
        this.#exchange.find(account, { id: orderIdFrom(id) }) ?? this.#exchange.find(account, { clientOrderId: id }),
    );
    return [...orders, ...this.#named(account, { ...params, order_id: [] })].filter(
      (order) => order !== undefined && this.#exchange.cancel(order),
    ).length;
  }

  /** Starts the account's countdown again; 0 stops it. When it ends, every order of the account is cancelled. */
  #cancelAfter(account: Account, timeout: string): unknown {
    const seconds = Number(timeout);
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > CANCEL_AFTER_S_MAX) {
      throw new KrakenError('EGeneral:Invalid arguments:timeout');
    }
    this.#countdowns.get(account)?.cancel();
    this.#countdowns.delete(account);
    const nowMs = this.#exchange.nowMs();
    const ending = (): void => {
      this.#countdowns.delete(account);
      this.#cancelAll(account);
    };
    if (seconds > 0) this.#countdowns.set(account, this.#options.clock.after(seconds * 1_000, ending));
    const triggerTime = seconds === 0 ? '0' : wholeSeconds(nowMs + seconds * 1_000);
    return { currentTime: wholeSeconds(nowMs), triggerTime };
  }

  #addOrder(account: Account, params: Params): Record<string, unknown> {
    const fields = fieldsOfJson(params) ?? new Map<string, string>();
    const listing = this.#exchange.listings.find(({ symbol }) => symbol === fields.get('symbol'));
    if (listing === undefined) throw new KrakenError(`Currency pair not supported ${fields.get('symbol') ?? ''}`);
    const deadline = fields.get('deadline');
    if (deadline !== undefined && Date.parse(deadline) < this.#exchange.nowMs())
      throw new KrakenError('EService:Deadline elapsed');
    if (fields.get('validate') === 'true') return {};
    if (fields.get('reduce_only') === 'true') throw new KrakenError('EOrder:Reduce only:No position exists');
    this.#countOrder(account, listing);
    const cash = fields.get('cash_order_qty');
    const order = placeOrder(this.#exchange, {
      listing,
      account,
      side: fields.get('side'),
      orderType: fields.get('order_type'),
      timeInForce: fields.get('time_in_force') ?? 'gtc',
      postOnly: fields.get('post_only') === 'true',
      price: fields.get('limit_price'),
      qty: cash ?? fields.get('order_qty') ?? '0',
      qtyIn: cash === undefined ? 'base' : 'quote',
      clientOrderId: fields.get('cl_ord_id'),
    });
    return { order_id: txidOf('O', order.id), cl_ord_id: order.clientOrderId };
  }

  /** Open orders unless they are not wanted, and the latest trades where they are. */
  #executions(account: Account, params: Params): readonly unknown[] {
    const orders = params['snap_orders'] === false ? [] : this.#exchange.ordersOf(account, 'open');
    const trades = params['snap_trades'] === true ? this.#tradesOf(account).slice(0, PAGE) : [];
    return [...orders.map(openingOf), ...trades.map(tradeOf)];
  }

  /** Newest first. */
  #tradesOf(account: Account): readonly Trade[] {
    const trades = this.#exchange.ordersOf(account).flatMap((order) => order.trades);
    return trades.toSorted((a, b) => b.id - a.id);
  }

  #countOrder(account: Account, listing: Listing): void {
    if (this.#orderRates.take(`${account.spec.name}:${listing.symbol}`, 1, this.#exchange.nowMs()) > ORDERS_PER_PAIR)
      throw new KrakenError('EOrder:Rate limit exceeded');
  }

  #cancelAll(account: Account): number {
    const open = this.#exchange.ordersOf(account, 'open');
    for (const order of open) this.#exchange.cancel(order);
    return open.length;
  }

  #accountOf({ token }: Params): Account {
    const account = typeof token === 'string' ? this.#tokens.get(token) : undefined;
    if (account === undefined) throw new KrakenError('ESession:Invalid session');
    return account;
  }

  /** API-Sign, and a nonce that does not go back (equal ones pass, as with a key that has a nonce window). @throws KrakenError */
  #authorise({ headers, body }: HttpRequest, route: string, fields: Fields): Account {
    const account = this.#exchange.ledger.byKey(headers['api-key'] ?? '');
    if (account === undefined) throw new KrakenError('EAPI:Invalid key');
    const nonce = fields.get('nonce') ?? '';
    if (!sameText(headers['api-sign'] ?? '', krakenSignature(account.spec.secret, route, nonce + body)))
      throw new KrakenError('EAPI:Invalid signature');
    if (!(Number(nonce) >= (this.#nonces.get(account.spec.apiKey) ?? 1))) throw new KrakenError('EAPI:Invalid nonce');
    this.#nonces.set(account.spec.apiKey, Number(nonce));
    return account;
  }

  #public(name: string, fields: Fields): unknown {
    const nowMs = this.#exchange.nowMs();
    switch (name) {
      case 'Time':
        return { unixtime: Math.floor(nowMs / 1_000), rfc1123: new Date(nowMs).toUTCString() };
      case 'SystemStatus':
        return { status: 'online', timestamp: new Date(nowMs).toISOString() };
      case 'Assets':
        return this.#assets();
      case 'AssetPairs':
        return Object.fromEntries(this.#exchange.listings.map((listing) => [listing.venueSymbol, pairOf(listing)]));
      case 'Depth': {
        const listing = this.#listing(fields);
        const count = Math.min(500, Number(fields.get('count') ?? 100));
        const rows = (half: BookHalf): unknown => depthRows(listing, flatLevels(half, count), nowMs);
        const { bids, asks } = this.#exchange.engine(listing);
        return { [listing.venueSymbol]: { asks: rows(asks), bids: rows(bids) } };
      }
      case 'Ticker':
        return Object.fromEntries(
          (fields.has('pair') ? [this.#listing(fields)] : this.#exchange.listings).map((listing) => [
            listing.venueSymbol,
            this.#ticker(listing),
          ]),
        );
      default:
        throw new KrakenError('EGeneral:Unknown method');
    }
  }

  #accountOperations(): Readonly<Record<string, Operation>> {
    return {
      Balance: {
        run: (_, account) =>
          Object.fromEntries(
            account.assets('spot').map((asset) => [krakenAsset(asset), account.balance('spot', asset).total.toFixed()]),
          ),
      },
      BalanceEx: {
        run: (_, account) =>
          Object.fromEntries(
            account.assets('spot').map((asset) => {
              const { total, held } = account.balance('spot', asset);
              return [krakenAsset(asset), { balance: total.toFixed(), hold_trade: held.toFixed() }];
            }),
          ),
      },
      GetWebSocketsToken: {
        run: (_, account) => {
          const token = `token-${account.spec.name}`;
          this.#tokens.set(token, account);
          return { token, expires: 900 };
        },
      },
      TradeVolume: {
        run: (fields) => {
          const pairs = (fields.get('pair') ?? '').split(',').filter((pair) => pair !== '');
          const listings = pairs.map((pair) => this.#listing(new Map([['pair', pair]])));
          const fees = (rateOf: (listing: Listing) => Decimal): unknown =>
            Object.fromEntries(
              listings.map((listing) => [listing.venueSymbol, { fee: rateOf(listing).times(100).toFixed(4) }]),
            );
          const volume = { currency: 'ZUSD', volume: '0.0000' };
          if (listings.length === 0) return volume;
          return { ...volume, fees: fees(({ taker }) => taker), fees_maker: fees(({ maker }) => maker) };
        },
      },
      GetApiKeyInfo: {
        run: (_, account) => ({
          api_key_name: account.spec.name,
          api_key: account.spec.apiKey,
          nonce: String(this.#nonces.get(account.spec.apiKey) ?? 0),
          nonce_window: '0',
          permissions: PERMISSIONS,
          valid_until: '0',
          query_from: '0',
          query_to: '0',
        }),
      },
    };
  }

  #orderOperations(): Readonly<Record<string, Operation>> {
    const listOrders = (orders: readonly Order[]): unknown =>
      Object.fromEntries(orders.map((order) => [txidOf('O', order.id), describeOrder(order)]));
    return {
      AddOrder: { acknowledges: true, run: (fields, account) => this.#restOrder(fields, account) },
      CancelOrder: {
        acknowledges: true,
        run: (fields, account) => {
          const order = this.#orderOf(fields, account);
          if (order === undefined || !this.#exchange.cancel(order)) throw new KrakenError('EOrder:Unknown order');
          return { count: 1 };
        },
      },
      CancelAll: { acknowledges: true, run: (_, account) => ({ count: this.#cancelAll(account) }) },
      QueryOrders: {
        run: (fields, account) => {
          const txids = fields.get('txid')?.split(',') ?? [];
          const found = fields.has('cl_ord_id')
            ? [this.#orderOf(fields, account)]
            : txids.map((txid) => this.#exchange.find(account, { id: orderIdFrom(txid) }));
          return listOrders(found.filter((order) => order !== undefined));
        },
      },
      OpenOrders: {
        run: (fields, account) => {
          const clientOrderId = fields.get('cl_ord_id');
          const open = this.#exchange.ordersOf(account, 'open');
          return {
            open: listOrders(
              open.filter((order) => clientOrderId === undefined || order.clientOrderId === clientOrderId),
            ),
          };
        },
      },
      ClosedOrders: {
        run: (fields, account) => {
          const clientOrderId = fields.get('cl_ord_id');
          const closed = this.#exchange
            .ordersOf(account)
            .filter(
              (order) =>
                order.status !== 'open' && (clientOrderId === undefined || order.clientOrderId === clientOrderId),
            )
            .slice(-50);
          return { closed: listOrders(closed), count: closed.length };
        },
      },
    };
  }

  #batchOperations(): Readonly<Record<string, Operation>> {
    return {
      CancelOrderBatch: {
        acknowledges: true,
        run: (_fields, account, body) => ({ count: this.#cancelNamed(account, body) }),
      },
      AddOrderBatch: {
        acknowledges: true,
        run: (fields, account, body) => {
          const orders = listOf(body['orders']);
          if (orders.length < 2 || orders.length > BATCH_MAX) {
            throw new KrakenError('EGeneral:Invalid arguments:orders');
          }
          const pair = fields.get('pair') ?? '';
          return { orders: orders.map((order) => this.#restOrder(fieldsWith(order, pair), account)) };
        },
      },
      CancelAllOrdersAfter: {
        run: (fields, account) => this.#cancelAfter(account, fields.get('timeout') ?? ''),
      },
      TradesHistory: {
        run: (fields, account) => {
          const startMs = Number(fields.get('start') ?? 0) * 1_000;
          const trades = this.#tradesOf(account).filter(({ timeMs }) => timeMs > startMs);
          const offset = Number(fields.get('ofs') ?? 0);
          const page = trades.slice(offset, offset + PAGE);
          return {
            trades: Object.fromEntries(page.map((trade) => [txidOf('T', trade.id), describeTrade(trade)])),
            count: trades.length,
          };
        },
      },
    };
  }

  #restOrder(fields: Fields, account: Account): unknown {
    const listing = this.#listing(fields);
    const flags = (fields.get('oflags') ?? '').split(',');
    if (fields.get('validate') === 'true') return { descr: { order: '' } };
    this.#countOrder(account, listing);
    const order = placeOrder(this.#exchange, {
      listing,
      account,
      side: fields.get('type'),
      orderType: fields.get('ordertype'),
      price: fields.get('price'),
      timeInForce: fields.get('timeinforce') ?? 'GTC',
      postOnly: flags.includes('post'),
      qty: fields.get('volume') ?? '0',
      qtyIn: flags.includes('viqc') ? 'quote' : 'base',
      clientOrderId: fields.get('cl_ord_id'),
    });
    return { descr: { order: orderText(order) }, txid: [txidOf('O', order.id)] };
  }

  #orderOf(fields: Fields, account: Account): Order | undefined {
    const txid = fields.get('txid');
    return this.#exchange.find(account, {
      id: txid === undefined ? undefined : orderIdFrom(txid),
      clientOrderId: fields.get('cl_ord_id'),
    });
  }

  /** By pair id, altname or `BASE/QUOTE`. */
  #listing(fields: Fields): Listing {
    const pair = fields.get('pair') ?? '';
    const listing = this.#exchange.listings.find(
      (each) => each.venueSymbol === pair || altNameOf(each) === pair || each.symbol === pair,
    );
    if (listing === undefined) throw new KrakenError('EQuery:Unknown asset pair');
    return listing;
  }

  #assets(): unknown {
    const assets = new Set(this.#exchange.listings.flatMap(({ base, quote }) => [base, quote]));
    return Object.fromEntries(
      [...assets].map((asset) => {
        const name = krakenAsset(asset);
        return [
          name,
          { aclass: 'currency', altname: krakenAltName(name), decimals: 10, display_decimals: 5, status: 'enabled' },
        ];
      }),
    );
  }

  #instruments(): unknown {
    const assets = new Set(this.#exchange.listings.flatMap(({ base, quote }) => [base, quote]));
    return {
      assets: [...assets].map((id) => ({
        id,
        status: 'enabled',
        precision: 10,
        precision_display: 5,
        borrowable: false,
        collateral_value: 1,
        margin_rate: 0,
      })),
      pairs: this.#exchange.listings.map((listing) => ({
        symbol: listing.symbol,
        base: listing.base,
        quote: listing.quote,
        status: 'online',
        qty_precision: listing.lotDecimals,
        qty_increment: lotOf(listing).toNumber(),
        qty_min: qtyOf(listing, listing.minLots).toNumber(),
        price_precision: listing.priceDecimals,
        price_increment: tickOf(listing).toNumber(),
        tick_size: tickOf(listing).toNumber(),
        cost_precision: listing.priceDecimals,
        cost_min: listing.minNotional.toNumber(),
        marginable: false,
        has_index: true,
      })),
    };
  }

  #ticker(listing: Listing): unknown {
    const engine = this.#exchange.engine(listing);
    const row = (half: BookHalf): readonly string[] => {
      const best = half.best();
      return [fixedText(best?.price ?? 0, listing.priceDecimals), '1', fixedText(best?.qty ?? 0, listing.lotDecimals)];
    };
    const last = row(engine.bids)[0]!;
    return {
      a: row(engine.asks),
      b: row(engine.bids),
      c: [last, '0'],
      v: ['0', '0'],
      p: [last, last],
      t: [0, 0],
      l: [last, last],
      h: [last, last],
      o: last,
    };
  }

  #nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  #ordered(order: Order, change: OrderChange): void {
    const trade = change.kind === 'trade' ? change.trade : undefined;
    const reports = reportsOf(order, change);
    for (const socket of this.#private.of(order.account)) {
      if (socket.privateChannels.has('executions'))
        for (const report of reports)
          socket.send(
            JSON.stringify({ channel: 'executions', type: 'update', data: [report], sequence: this.#nextSequence() }),
          );
      if (socket.privateChannels.has('balances') && trade !== undefined) {
        const data = [order.listing.base, order.listing.quote].map((asset) => balanceOf(order.account, asset));
        socket.send(JSON.stringify({ channel: 'balances', type: 'update', data, sequence: this.#nextSequence() }));
      }
    }
  }
}

const krakenReply = (value: { readonly error: readonly string[]; readonly result?: unknown }): HttpReply =>
  jsonReply(200, value);

const fieldsWith = (order: unknown, pair: string): Fields =>
  new Map([...(fieldsOfJson(order) ?? new Map<string, string>()), ['pair', pair]]);

const wholeSeconds = (unixMs: number): string => `${new Date(unixMs).toISOString().slice(0, 19)}Z`;

const bodyFields = (body: string): Fields =>
  (body.startsWith('{') ? fieldsOfJson(objectOf(body)) : undefined) ?? fieldsOf(body);

const balanceOf = (account: Account, asset: string): unknown => {
  const balance = account.balance('spot', asset).total.toNumber();
  return { asset, asset_class: 'currency', balance, wallets: [{ type: 'spot', id: 'main', balance }] };
};

const depthRows = (listing: Listing, flat: readonly number[], nowMs: number): readonly unknown[] =>
  flat.flatMap((price, at) =>
    at % 2 === 1
      ? []
      : [
          [
            fixedText(price, listing.priceDecimals),
            fixedText(flat[at + 1]!, listing.lotDecimals),
            Math.floor(nowMs / 1_000),
          ],
        ],
  );

const pairOf = (listing: Listing): Record<string, unknown> => ({
  altname: altNameOf(listing),
  wsname: `${krakenAltName(krakenAsset(listing.base))}/${krakenAltName(krakenAsset(listing.quote))}`,
  aclass_base: 'currency',
  base: krakenAsset(listing.base),
  aclass_quote: 'currency',
  quote: krakenAsset(listing.quote),
  lot: 'unit',
  cost_decimals: listing.priceDecimals,
  pair_decimals: listing.priceDecimals,
  lot_decimals: listing.lotDecimals,
  lot_multiplier: 1,
  leverage_buy: [],
  leverage_sell: [],
  fees: [[0, listing.taker.times(100).toNumber()]],
  fees_maker: [[0, listing.maker.times(100).toNumber()]],
  fee_volume_currency: 'ZUSD',
  ordermin: qtyOf(listing, listing.minLots).toFixed(),
  costmin: listing.minNotional.toFixed(),
  tick_size: tickOf(listing).toFixed(),
  status: 'online',
});

type KrakenReceiver = { readonly send: (text: string) => void };

/** What a fault does to the next frame of a book. */
type FrameFate = 'sent' | 'dropped' | 'spoilt';

const RECENT_TRADES_MAX = 50;
const CHECKSUM_LEVELS = 10;

/**
 * The public v2 channels of one pair. Books have no sequence: each frame carries the CRC32 of its ten best levels a side.
 * @see https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
 */
class KrakenFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  /** One view of the book for each depth that somebody follows. */
  readonly #books = new Map<number, { readonly view: DepthView; readonly receivers: Set<KrakenReceiver> }>();
  readonly #trades = new Set<KrakenReceiver>();
  readonly #tickers = new Set<KrakenReceiver>();
  readonly #recent: string[] = [];
  #toldTop = '';
  #last = 0;
  #volume = 0;

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
  }

  /** Starts with a snapshot, after everybody else of that depth has been brought up to date. */
  subscribeBook(depth: number, receiver: KrakenReceiver, nowMs: number): void {
    this.flush(nowMs, () => 'sent');
    const book = this.#books.get(depth) ?? {
      view: new DepthView(this.#engine, depth),
      receivers: new Set<KrakenReceiver>(),
    };
    this.#books.set(depth, book);
    book.view.advance();
    const { bids, asks } = book.view;
    receiver.send(this.#bookFrame(nowMs, { type: 'snapshot', bids, asks, checksum: checksumOf(book.view) }));
    book.receivers.add(receiver);
  }

  unsubscribeBook(depth: number, receiver: KrakenReceiver): void {
    const book = this.#books.get(depth);
    book?.receivers.delete(receiver);
    if (book?.receivers.size === 0) this.#books.delete(depth);
  }

  subscribeTrades(receiver: KrakenReceiver, snapshot: boolean): void {
    if (snapshot) receiver.send(`{"channel":"trade","type":"snapshot","data":[${this.#recent.join(',')}]}`);
    this.#trades.add(receiver);
  }

  subscribeTicker(receiver: KrakenReceiver): void {
    receiver.send(this.#tickerFrame('snapshot'));
    this.#tickers.add(receiver);
  }

  unsubscribe(channel: 'trade' | 'ticker', receiver: KrakenReceiver): void {
    (channel === 'trade' ? this.#trades : this.#tickers).delete(receiver);
  }

  /** Sends each followed depth what changed in it. */
  flush(nowMs: number, fate: () => FrameFate): void {
    for (const { view, receivers } of this.#books.values()) {
      if (!view.advance()) continue;
      const next = fate();
      if (next === 'dropped') continue;
      const checksum = (checksumOf(view) ^ (next === 'spoilt' ? 1 : 0)) >>> 0;
      const frame = this.#bookFrame(nowMs, {
        type: 'update',
        bids: view.bidChanges,
        asks: view.askChanges,
        checksum,
      });
      for (const receiver of receivers) receiver.send(frame);
    }
  }

  quote(): void {
    if (this.#tickers.size === 0) return;
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    const top = `${bid?.price ?? 0} ${bid?.qty ?? 0} ${ask?.price ?? 0} ${ask?.qty ?? 0}`;
    if (top === this.#toldTop) return;
    this.#toldTop = top;
    const frame = this.#tickerFrame('update');
    for (const receiver of this.#tickers) receiver.send(frame);
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    const { symbol } = this.listing;
    const row =
      `{"symbol":"${symbol}","side":"${taker}","price":${this.#price(price)},"qty":${this.#qty(lots)},` +
      `"ord_type":"market","trade_id":${id},"timestamp":"${isoText(timeMs)}"}`;
    this.#last = price;
    this.#volume += lots;
    this.#recent.push(row);
    if (this.#recent.length > RECENT_TRADES_MAX) this.#recent.shift();
    for (const receiver of this.#trades) receiver.send(`{"channel":"trade","type":"update","data":[${row}]}`);
  }

  #bookFrame(nowMs: number, { type, bids, asks, checksum }: BookNews): string {
    return (
      `{"channel":"book","type":"${type}","data":[{"symbol":"${this.listing.symbol}","bids":${this.#levels(bids)},` +
      `"asks":${this.#levels(asks)},"checksum":${checksum},"timestamp":"${isoText(nowMs)}"}]}`
    );
  }

  #tickerFrame(type: string): string {
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    const last = this.#price(this.#last === 0 ? (bid?.price ?? 0) : this.#last);
    return (
      `{"channel":"ticker","type":"${type}","data":[{"symbol":"${this.listing.symbol}","bid":${this.#price(bid?.price ?? 0)},` +
      `"bid_qty":${this.#qty(bid?.qty ?? 0)},"ask":${this.#price(ask?.price ?? 0)},"ask_qty":${this.#qty(ask?.qty ?? 0)},"last":${last},` +
      `"volume":${this.#qty(this.#volume)},"vwap":${last},"low":${last},"high":${last},"change":0,"change_pct":0}]}`
    );
  }

  #levels(flat: FlatLevels): string {
    let text = '[';
    for (let at = 0; at < flat.length; at += 2)
      text += `${at === 0 ? '' : ','}{"price":${this.#price(flat[at]!)},"qty":${this.#qty(flat[at + 1]!)}}`;
    return `${text}]`;
  }

  #price(ticks: number): string {
    return fixedText(ticks, this.listing.priceDecimals);
  }

  #qty(lots: number): string {
    return fixedText(lots, this.listing.lotDecimals);
  }
}

type BookNews = {
  readonly type: 'snapshot' | 'update';
  readonly bids: FlatLevels;
  readonly asks: FlatLevels;
  readonly checksum: number;
};

/** Ten best asks, then ten best bids; price and quantity without point and leading zeros, which is how ticks and lots are written. */
function checksumOf({ bids, asks }: DepthView): number {
  let text = '';
  for (const side of [asks, bids])
    for (let at = 0; at < Math.min(side.length, 2 * CHECKSUM_LEVELS); at += 1) text += String(side[at]);
  return crc32(text);
}

/** Microseconds, as Kraken writes times. */
const isoText = (unixMs: number): string => `${new Date(unixMs).toISOString().slice(0, -1)}000Z`;

/** What REST and WebSocket orders have in common once their fields have been named alike. */
type KrakenOrder = {
  readonly listing: Listing;
  readonly account: Account;
  readonly side: string | undefined;
  readonly orderType: string | undefined;
  readonly timeInForce: string;
  readonly postOnly: boolean;
  readonly price: string | undefined;
  readonly qty: string;
  readonly qtyIn: 'base' | 'quote';
  readonly clientOrderId: string | undefined;
};

/** Kraken's refusal: `EOrder:Insufficient funds`. */
class KrakenError extends Error {
  override readonly name = 'KrakenError';
}

/** @throws KrakenError */
function placeOrder(exchange: Exchange, wanted: KrakenOrder): Order {
  const { side, orderType } = wanted;
  const timeInForce = TIMES_IN_FORCE[wanted.timeInForce.toUpperCase()];
  if (side !== 'buy' && side !== 'sell') throw new KrakenError('EGeneral:Invalid arguments:type');
  if (orderType !== 'limit' && orderType !== 'market') throw new KrakenError('EGeneral:Invalid arguments:ordertype');
  if (timeInForce === undefined) throw new KrakenError('EGeneral:Invalid arguments:timeinforce');
  if (wanted.clientOrderId !== undefined && !CLIENT_ID.test(wanted.clientOrderId))
    throw new KrakenError('EGeneral:Invalid arguments:cl_ord_id');
  const placed = attempt(exchange, {
    account: wanted.account,
    listing: wanted.listing,
    side,
    type: orderType,
    postOnly: wanted.postOnly,
    qty: wanted.qty,
    timeInForce: orderType === 'market' ? 'IOC' : timeInForce,
    clientOrderId: wanted.clientOrderId,
    price: orderType === 'market' ? undefined : wanted.price,
    qtyIn: wanted.qtyIn,
  });
  if (placed.kind === 'refused') throw new KrakenError(REFUSALS[placed.reason]);
  return placed.order;
}

/** `OABCDE-FGHIJ-KLMNOP`: an order's (O) or a trade's (T) number in base 36. */
function txidOf(kind: 'O' | 'T', id: number): string {
  const digits = id.toString(36).toUpperCase().padStart(16, '0');
  return `${kind}${digits.slice(0, 5)}-${digits.slice(5, 10)}-${digits.slice(10)}`;
}
const orderIdFrom = (txid: string): number =>
  /^O[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{6}$/.test(txid) ? Number.parseInt(txid.slice(1).replaceAll('-', ''), 36) : -1;

/** An order as QueryOrders, OpenOrders and ClosedOrders show it. */
function describeOrder(order: Order): Record<string, unknown> {
  const { listing } = order;
  const ended = order.status !== 'open';
  return {
    refid: null,
    userref: 0,
    cl_ord_id: order.clientOrderId,
    status: REST_STATUS[order.status],
    opentm: order.createdMs / 1_000,
    starttm: 0,
    expiretm: 0,
    ...(ended ? { closetm: order.updatedMs / 1_000, reason: REASONS[order.status] } : {}),
    descr: {
      pair: altNameOf(listing),
      type: order.side,
      ordertype: order.type,
      price: limitOf(order).toFixed(),
      price2: '0',
      leverage: 'none',
      order: orderText(order),
      close: '',
    },
    vol: qtyOf(listing, order.qty).toFixed(8),
    vol_exec: qtyOf(listing, order.filled).toFixed(8),
    cost: order.cost.toFixed(),
    fee: feesOf(order).toFixed(),
    price: averageOf(order).toDecimalPlaces(12).toFixed(),
    stopprice: '0.00000',
    limitprice: '0.00000',
    misc: '',
    oflags: order.postOnly ? 'fciq,post' : 'fciq',
    trades: order.trades.map(({ id }) => txidOf('T', id)),
  };
}

const orderText = (order: Order): string => {
  const qty = qtyOf(order.listing, order.qty).toFixed(8);
  const price = order.type === 'limit' ? ` ${limitOf(order).toFixed()}` : '';
  return `${order.side} ${qty} ${altNameOf(order.listing)} @ ${order.type}${price}`;
};

/** A line of TradesHistory. */
const describeTrade = ({ id, order, price, lots, fee, liquidity, timeMs }: Trade): Record<string, unknown> => ({
  ordertxid: txidOf('O', order.id),
  pair: order.listing.venueSymbol,
  time: timeMs / 1_000,
  type: order.side,
  ordertype: order.type,
  price: priceOf(order.listing, price).toFixed(),
  cost: valueOf(order.listing, price, lots).toFixed(),
  fee: fee.toFixed(),
  vol: qtyOf(order.listing, lots).toFixed(8),
  margin: '0.00000',
  misc: '',
  trade_id: id,
  maker: liquidity === 'maker',
});

/** The first report of an order, which alone describes it. */
const openingOf = (order: Order): Record<string, unknown> => ({
  order_id: txidOf('O', order.id),
  cl_ord_id: order.clientOrderId,
  symbol: order.listing.symbol,
  side: order.side,
  order_type: order.type,
  order_qty: qtyOf(order.listing, order.qty).toNumber(),
  ...(order.type === 'limit' ? { limit_price: limitOf(order).toNumber(), limit_price_type: 'static' } : {}),
  time_in_force: order.timeInForce,
  post_only: order.postOnly,
  fee_ccy_pref: 'fciq',
  exec_type: 'new',
  order_status: statusOf(order),
  ...sumsOf(order),
});

/** What later reports say of it. */
const changeOf = (order: Order, kind: 'filled' | 'canceled' | 'expired'): Record<string, unknown> => ({
  order_id: txidOf('O', order.id),
  cl_ord_id: order.clientOrderId,
  symbol: order.listing.symbol,
  exec_type: kind,
  order_status: kind,
  order_userref: 0,
  ...sumsOf(order),
  ...(kind === 'canceled' ? { cancel_reason: 'User requested', reason: 'User requested' } : {}),
  ...(kind === 'expired' ? { reason: 'Immediate order could not fill' } : {}),
});

const sumsOf = (order: Order): Record<string, unknown> => ({
  cum_qty: qtyOf(order.listing, order.filled).toNumber(),
  cum_cost: order.cost.toNumber(),
  avg_price: averageOf(order).toDecimalPlaces(12).toNumber(),
  fee_usd_equiv: feesOf(order).toNumber(),
  timestamp: isoText(order.updatedMs),
});

const tradeOf = ({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade): Record<string, unknown> => ({
  order_id: txidOf('O', order.id),
  cl_ord_id: order.clientOrderId,
  exec_id: txidOf('T', id),
  exec_type: 'trade',
  trade_id: id,
  symbol: order.listing.symbol,
  side: order.side,
  last_qty: qtyOf(order.listing, lots).toNumber(),
  last_price: priceOf(order.listing, price).toNumber(),
  liquidity_ind: liquidity === 'taker' ? 't' : 'm',
  cost: valueOf(order.listing, price, lots).toNumber(),
  order_userref: 0,
  order_status: 'partially_filled',
  order_type: order.type,
  timestamp: isoText(timeMs),
  fee_usd_equiv: fee.toNumber(),
  fees: [{ asset: feeAsset, qty: fee.toNumber() }],
});

const reportsOf = (order: Order, change: OrderChange): readonly Record<string, unknown>[] => {
  if (change.kind === 'new' || change.kind === 'amended') return [openingOf(order)];
  if (change.kind !== 'trade') return [changeOf(order, change.kind)];
  return [tradeOf(change.trade), ...(order.status === 'filled' ? [changeOf(order, 'filled')] : [])];
};

/** `XBTUSDT`, `XBTUSD`. */
const altNameOf = ({ base, quote }: Listing): string =>
  krakenAltName(krakenAsset(base)) + krakenAltName(krakenAsset(quote));

const feesOf = ({ trades }: Order): Decimal => trades.reduce((sum, { fee }) => sum.plus(fee), new Decimal(0));

function attempt(exchange: Exchange, draft: Parameters<Exchange['place']>[0]): Placed {
  try {
    return exchange.place(draft);
  } catch (error) {
    if (error instanceof BadInput) throw new KrakenError('EGeneral:Invalid arguments:volume');
    throw error;
  }
}

function statusOf({ status, filled }: Order): string {
  if (status === 'open') return filled > 0 ? 'partially_filled' : 'new';
  return status;
}

/** Why an order ended; the venue's status does not tell what was asked from what was not. */
const REASONS = {
  open: null,
  filled: null,
  canceled: 'User requested',
  expired: 'Immediate order could not fill',
} as const;
const REST_STATUS = { open: 'open', filled: 'closed', canceled: 'canceled', expired: 'expired' } as const;
/** As documented: fill-or-kill is not. */
const TIMES_IN_FORCE: Readonly<Record<string, 'GTC' | 'IOC'>> = { GTC: 'GTC', IOC: 'IOC' };
/** A UUID, or up to 18 characters. */
const CLIENT_ID = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|[\x21-\x7e]{1,18})$/i;

const REFUSALS: Readonly<Record<Refusal, string>> = {
  'price-off-grid': 'EOrder:Invalid price',
  'qty-off-grid': 'EGeneral:Invalid arguments:volume',
  'below-min-qty': 'EOrder:Order minimum not met',
  'below-min-notional': 'EOrder:Cost minimum not met',
  'insufficient-funds': 'EOrder:Insufficient funds',
  'duplicate-id': 'EGeneral:Invalid arguments:cl_ord_id is in use',
  'would-take': 'EOrder:Post only order',
  'no-liquidity': 'EService:Market in limit_only mode',
  'too-many-orders': 'EOrder:Orders limit exceeded',
  'reduce-only': 'EOrder:Reduce only:No position exists',
  expired: 'EService:Market in cancel_only mode',
  'told-to': 'EAccount:Invalid permissions',
};
