import type { Account } from '../accounts.ts';
import { flatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange } from '../exchange.ts';
import { fixedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { lotOf, qtyOf, spotListings, tickOf } from '../listings.ts';
import { krakenAltName, krakenAsset, restSymbol } from './kraken-orders.ts';
import type { BookHalf } from '../matching-engine.ts';
import type { FrameFate } from './kraken-feed.ts';
import { isoText, KrakenFeed } from './kraken-feed.ts';
import type { KrakenReceiver } from './kraken-feed.ts';
import {
  altNameOf,
  describeOrder,
  describeTrade,
  executionOf,
  KrakenError,
  orderIdFrom,
  orderText,
  placeOrder,
  txidOf,
} from './kraken-orders.ts';
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
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
  textsOf,
} from './venue-dialect.ts';

type Fields = ReadonlyMap<string, string>;
type Operation = { readonly acknowledges?: true; readonly run: (fields: Fields, account: Account) => unknown };
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
  readonly #orderRates = new RateWindow(ORDERS_WINDOW_MS);
  readonly #operations: ReadonlyMap<string, Operation>;
  #sequence = 0;
  #sweptMs = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#feeds = options.exchange.listings.map((listing) => new KrakenFeed(listing, options.exchange.engine(listing)));
    this.#operations = new Map(Object.entries({ ...this.#accountOperations(), ...this.#orderOperations() }));
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
      const result = operation.run(fields, account);
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
    switch (method) {
      case 'ping':
        this.#answer(socket, { ...request, method: 'pong' }, {});
        return;
      case 'subscribe':
      case 'unsubscribe':
        this.#subscription(socket, request);
        return;
      case 'add_order': {
        const result = this.#addOrder(params);
        deliver(this.#options, 'spot', () => this.#answer(socket, request, { result, success: true }));
        return;
      }
      case 'cancel_order': {
        const account = this.#accountOf(params);
        const orders = [
          ...textsOf(params['order_id']).map((txid) => this.#exchange.find(account, { id: orderIdFrom(txid) })),
          ...textsOf(params['cl_ord_id']).map((clientOrderId) => this.#exchange.find(account, { clientOrderId })),
        ];
        for (const order of orders) {
          if (order === undefined || !this.#exchange.cancel(order)) throw new KrakenError('EOrder:Unknown order');
          const result = { order_id: txidOf('O', order.id), cl_ord_id: order.clientOrderId };
          deliver(this.#options, 'spot', () => this.#answer(socket, request, { result, success: true }));
        }
        return;
      }
      case 'cancel_all': {
        const result = { count: this.#cancelAll(this.#accountOf(params)) };
        deliver(this.#options, 'spot', () => this.#answer(socket, request, { result, success: true }));
        return;
      }
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
        socket.subscriptions.set(key, this.#join(feed, channel, depth, socket));
      }
    }
  }

  #join(feed: KrakenFeed, channel: 'book' | 'trade' | 'ticker', depth: number, socket: Socket): () => void {
    switch (channel) {
      case 'book':
        feed.subscribeBook(depth, socket, this.#exchange.nowMs());
        return () => feed.unsubscribeBook(depth, socket);
      case 'trade':
        feed.subscribeTrades(socket);
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
        ? this.#exchange.ordersOf(account, 'open').map((order) => executionOf(order, 'new', undefined))
        : account.assets('spot').map((asset) => balanceOf(account, asset));
    socket.send(JSON.stringify({ channel, type: 'snapshot', data, sequence: this.#nextSequence() }));
  }

  #addOrder(params: Params): Record<string, unknown> {
    const account = this.#accountOf(params);
    const fields = fieldsOfJson(params) ?? new Map<string, string>();
    const listing = this.#exchange.listings.find(({ symbol }) => symbol === fields.get('symbol'));
    if (listing === undefined) throw new KrakenError(`Currency pair not supported ${fields.get('symbol') ?? ''}`);
    const deadline = fields.get('deadline');
    if (deadline !== undefined && Date.parse(deadline) < this.#exchange.nowMs())
      throw new KrakenError('EService:Deadline elapsed');
    if (fields.get('validate') === 'true') return {};
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
          const listing = this.#listing(fields);
          const fee = (rate: typeof listing.maker): unknown => ({
            [listing.venueSymbol]: { fee: rate.times(100).toFixed(4) },
          });
          return { currency: 'ZUSD', volume: '0.0000', fees: fee(listing.taker), fees_maker: fee(listing.maker) };
        },
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
      TradesHistory: {
        run: (_, account) => {
          const trades = this.#exchange
            .ordersOf(account)
            .flatMap((order) => order.trades)
            .slice(-50);
          return {
            trades: Object.fromEntries(trades.map((trade) => [txidOf('T', trade.id), describeTrade(trade)])),
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
    const reports = [executionOf(order, change.kind, trade)];
    if (trade !== undefined && order.status === 'filled') reports.push(executionOf(order, 'filled', undefined));
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
