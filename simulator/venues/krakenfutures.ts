import { createHash, createHmac } from 'node:crypto';
import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { Account } from '../accounts.ts';
import { entryPrice } from '../accounts.ts';
import type { FlatLevels } from '../depth-view.ts';
import { DepthView, flatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Placed, Print, Refusal, Trade } from '../exchange.ts';
import { limitOf } from '../exchange.ts';
import { fixedText } from '../grid-text.ts';
import type { DerivativeRules, Listing } from '../listings.ts';
import { derivativeListing, priceOf, qtyOf, tickOf } from '../listings.ts';
import type { BookHalf, MatchingEngine } from '../matching-engine.ts';
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
type Answer = Readonly<Record<string, unknown>>;
type Operation = {
  readonly cost: number;
  readonly acknowledges?: true;
  readonly run: (fields: Fields, account: Account, query: string) => Answer;
};
type Receiver = { readonly send: (text: string) => void };
type Socket = Receiver & {
  readonly client: Client;
  /** By feed and product: how to leave again. */
  readonly subscriptions: Map<string, () => void>;
  readonly privateFeeds: Set<string>;
  challenge: string;
};

const MARKET = 'futures';
const SECOND_MS = 1_000;
const COST_MAX = 500;
const COST_WINDOW_MS = 10_000;
const RECENT_MAX = 100;
/** How long an order that ended is still told by its status. */
const STATUS_MS = 5_000;
const CANCEL_AFTER_S_MAX = 86_400;

const rules = (
  symbol: string,
  venueSymbol: string,
  [priceDecimals, lotDecimals]: readonly [number, number],
): DerivativeRules => ({
  venue: 'krakenfutures',
  market: MARKET,
  symbol,
  venueSymbol,
  contractSize: '1',
  priceDecimals,
  lotDecimals,
  fees: ['0.0002', '0.0005'],
  deliveryFee: '0.0005',
  fundingEveryMs: 3_600_000,
  // Inverse contracts have a wallet each.
  wallet: symbol.includes(':BTC') ? 'fi_xbtusd' : 'flex',
});

/**
 * Kraken's derivatives: REST below `/derivatives/api/v3`, public and private feeds at `/ws/v1`.
 * @see https://docs.kraken.com/exchange/api-reference/futures-websocket
 */
export const simulated: SimulatedVenue = {
  venue: 'krakenfutures',
  hosts: { 'futures.kraken.com': '' },
  listings: [
    rules('BTC/USD:USD', 'PF_XBTUSD', [0, 4]),
    rules('ETH/USD:USD', 'PF_ETHUSD', [1, 3]),
    rules('SOL/USD:USD', 'PF_SOLUSD', [2, 2]),
    rules('BTC/USD:BTC', 'PI_XBTUSD', [0, 0]),
    rules('BTC/USD:USD-261225', 'FF_XBTUSD_261225', [0, 4]),
    rules('BTC/USD:BTC-261225', 'FI_XBTUSD_261225', [0, 0]),
  ].map(derivativeListing),
  dialect: (options) => new KrakenFutures(options),
};

/** The venue's refusal of a request; orders are refused by their status instead. */
class FuturesError extends Error {
  override readonly name = 'FuturesError';
}

class KrakenFutures implements VenueDialect {
  readonly venue = 'krakenfutures';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #feeds: readonly FuturesFeed[];
  readonly #sockets = new Set<Socket>();
  readonly #private = new PrivateAudience<Socket>();
  readonly #costs = new RateWindow(COST_WINDOW_MS);
  /** Whose orders end when their time is up. */
  readonly #countdowns = new Map<Account, Timer>();
  readonly #operations: ReadonlyMap<string, Operation>;
  #challenges = 0;
  #sweptMs = 0;
  #fills = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#feeds = options.exchange.listings.map((listing) => new FuturesFeed(listing, options.exchange));
    this.#operations = new Map(Object.entries({ ...this.#orderOperations(), ...this.#accountOperations() }));
    options.exchange.listener = {
      booked: (listing) => {
        if (this.#stale()) return;
        this.#feeds[listing.index]!.flush(this.#exchange.nowMs(), () => this.#dropped());
      },
      printed: (listing, print) => {
        if (!this.#stale()) this.#feeds[listing.index]!.trade(print);
      },
      ordered: (order, change) => this.#ordered(order, change),
      paid: (account) => this.#tell(account, this.#holdings(account)),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    if (splitPath(path).route !== '/ws/v1') return undefined;
    const socket: Socket = {
      client,
      subscriptions: new Map(),
      privateFeeds: new Set(),
      challenge: '',
      send: (text) => client.send(text),
    };
    this.#sockets.add(socket);
    socket.send('{"event":"info","version":1}');
    return {
      markets: [MARKET],
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
    const nowMs = this.#exchange.nowMs();
    try {
      const name = /^[/](?:derivatives[/]api[/]v3|api[/]history[/]v3)[/](.+)$/.exec(route)?.[1] ?? '';
      const operation = this.#operations.get(route.startsWith('/api/history') ? `past ${name}` : name);
      if (operation === undefined) return success(nowMs, this.#public(name, fieldsOf(query)));
      const account = this.#authorise(request, route, query === '' ? request.body : query);
      if (this.#costs.take(account.spec.name, operation.cost, nowMs) > COST_MAX) {
        throw new FuturesError('apiLimitExceeded');
      }
      const parameters = query === '' ? request.body : query;
      const answer = operation.run(fieldsOf(parameters), account, parameters);
      const delayMs = operation.acknowledges === true ? this.#options.faults.ackDelayMs(this.venue, MARKET) : 0;
      return { ...success(nowMs, answer), delayMs };
    } catch (error) {
      if (!(error instanceof FuturesError)) throw error;
      return jsonReply(200, { result: 'error', error: error.message, serverTime: isoText(nowMs) });
    }
  }

  marketOf(): string {
    return MARKET;
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    return JSON.stringify({ result: 'error', error: kind === 'rate-limited' ? 'apiLimitExceeded' : 'Unavailable' });
  }

  /** Tickers and heartbeats, once a second. */
  step(): void {
    const nowMs = this.#exchange.nowMs();
    if (nowMs - this.#sweptMs < SECOND_MS) return;
    this.#sweptMs = nowMs;
    if (!this.#stale()) for (const feed of this.#feeds) feed.tick(nowMs);
    for (const socket of this.#sockets) {
      if (socket.privateFeeds.has('heartbeat')) socket.send(`{"feed":"heartbeat","time":${nowMs}}`);
    }
  }

  #stale(): boolean {
    return this.#options.faults.holds('stale', this.venue, MARKET);
  }

  #dropped(): boolean {
    return this.#options.faults.take('gap', this.venue, MARKET) !== undefined;
  }

  #message(socket: Socket, text: string): void {
    const message = objectOf(text) ?? {};
    const { event, feed } = message;
    if (event === 'challenge') {
      this.#challenges += 1;
      socket.challenge = uuidOf('c', this.#challenges);
      socket.send(JSON.stringify({ event, message: socket.challenge }));
      return;
    }
    if ((event !== 'subscribe' && event !== 'unsubscribe') || typeof feed !== 'string') {
      socket.send('{"event":"error","message":"Json Error"}');
      return;
    }
    if (PUBLIC_FEEDS.has(feed)) this.#publicSubscription(socket, event, feed, textsOf(message['product_ids']));
    else if (feed === 'heartbeat') {
      this.#toggle(socket, event, feed);
      socket.send(JSON.stringify({ event: `${event}d`, feed }));
    } else if (PRIVATE_FEEDS.has(feed)) this.#privateSubscription(socket, event, feed, message);
    else socket.send('{"event":"error","message":"Invalid feed"}');
  }

  #toggle(socket: Socket, event: string, feed: string): void {
    if (event === 'subscribe') socket.privateFeeds.add(feed);
    else socket.privateFeeds.delete(feed);
  }

  #publicSubscription(socket: Socket, event: string, name: string, products: readonly string[]): void {
    for (const product of products) {
      const feed = this.#feeds.find(({ listing }) => listing.venueSymbol === product.toUpperCase());
      const key = `${name}:${product}`;
      if (feed === undefined) {
        socket.send('{"event":"error","message":"Invalid product id"}');
        continue;
      }
      socket.subscriptions.get(key)?.();
      socket.subscriptions.delete(key);
      socket.send(JSON.stringify({ event: `${event}d`, feed: name, product_ids: [product] }));
      if (event === 'subscribe') socket.subscriptions.set(key, feed.join(name, socket, this.#exchange.nowMs()));
    }
  }

  #privateSubscription(socket: Socket, event: string, feed: string, message: Answer): void {
    const [apiKey, challenge, signed] = ['api_key', 'original_challenge', 'signed_challenge'].map((name) =>
      String(message[name]),
    ) as [string, string, string];
    const account = this.#exchange.ledger.byKey(apiKey);
    const proven = account !== undefined && sameText(signed, signatureOf(account.spec.secret, challenge));
    if (!proven || challenge !== socket.challenge) {
      socket.send('{"event":"alert","message":"Failed to subscribe to authenticated feed"}');
      return;
    }
    this.#toggle(socket, event, feed);
    const proof = { api_key: apiKey, original_challenge: challenge, signed_challenge: signed };
    socket.send(JSON.stringify({ event: `${event}d`, feed, ...proof }));
    if (event === 'unsubscribe') return;
    this.#private.join(account, socket);
    socket.send(JSON.stringify(this.#snapshotOf(feed, account)));
  }

  #snapshotOf(feed: string, account: Account): Answer {
    const nowMs = this.#exchange.nowMs();
    switch (feed) {
      case 'open_orders':
        return {
          feed: 'open_orders_snapshot',
          account: account.spec.name,
          orders: this.#exchange.ordersOf(account, 'open').map(feedOrder),
        };
      case 'fills':
        return {
          feed: 'fills_snapshot',
          account: account.spec.name,
          fills: this.#trades(account)
            .slice(0, RECENT_MAX)
            .map((trade) => this.#feedFill(trade)),
        };
      case 'balances':
        return { feed: 'balances_snapshot', ...this.#balances(account), seq: 0, timestamp: nowMs };
      default:
        return this.#positionsFeed(account);
    }
  }

  #balances(account: Account): Answer {
    const inverse = this.#exchange.listings.find(({ kind, wallet }) => kind === 'perpetual' && wallet !== 'flex');
    const futures = inverse === undefined ? {} : { 'F-XBT:USD': marginWallet(account, inverse) };
    const currencies = Object.fromEntries(
      account.assets('flex').map((asset) => [codeOf(asset), flexCurrency(account, asset)]),
    );
    return { account: account.spec.name, holding: {}, futures, flex_futures: { currencies } };
  }

  #positionsFeed(account: Account): Answer {
    const positions = openPositions(account).map(({ listing, position }) => ({
      instrument: listing.venueSymbol,
      balance: qtyOf(listing, position.lots).toNumber(),
      pnl: 0,
      entry_price: Number(entryPrice(listing, position)),
      mark_price: this.#feeds[listing.index]!.mark(),
      index_price: this.#feeds[listing.index]!.mark(),
      liquidation_threshold: 0,
      effective_leverage: 1,
      pnl_currency: listing.settle,
    }));
    return { feed: 'open_positions', account: account.spec.name, positions, timestamp: this.#exchange.nowMs() };
  }

  /** Newest first. */
  #trades(account: Account): readonly Trade[] {
    const trades = this.#exchange.ordersOf(account).flatMap((order) => order.trades);
    return trades.toSorted((a, b) => b.id - a.id);
  }

  #feedFill(trade: Trade): Answer {
    const { order, liquidity } = trade;
    const { listing } = order;
    this.#fills += 1;
    return {
      instrument: listing.venueSymbol,
      time: trade.timeMs,
      price: priceOf(listing, trade.price).toNumber(),
      seq: this.#fills,
      buy: order.side === 'buy',
      qty: qtyOf(listing, trade.lots).toNumber(),
      remaining_order_qty: qtyOf(listing, order.qty - order.filled).toNumber(),
      order_id: uuidOf('0', order.id),
      cli_ord_id: order.clientOrderId,
      fill_id: fillIdOf(trade),
      fill_type: liquidity,
      fee_paid: trade.fee.toNumber(),
      fee_currency: trade.feeAsset,
      order_type: 'limit',
    };
  }

  #ordered(order: Order, change: OrderChange): void {
    const news: Answer[] = [{ feed: 'open_orders', ...newsOf(order, change) }];
    if (change.kind === 'trade') {
      news.push(
        { feed: 'fills', username: order.account.spec.name, fills: [this.#feedFill(change.trade)] },
        ...this.#holdings(order.account),
      );
    }
    this.#tell(order.account, news);
  }

  #holdings(account: Account): readonly Answer[] {
    return [
      { feed: 'balances', ...this.#balances(account), timestamp: this.#exchange.nowMs() },
      this.#positionsFeed(account),
    ];
  }

  #tell(account: Account, news: readonly Answer[]): void {
    for (const socket of this.#private.of(account)) {
      for (const each of news) if (socket.privateFeeds.has(String(each['feed']))) socket.send(JSON.stringify(each));
    }
  }

  /** Authent over the parameters, the nonce where one is sent, and the path behind `/derivatives`. @throws FuturesError */
  #authorise({ headers }: HttpRequest, route: string, parameters: string): Account {
    const account = this.#exchange.ledger.byKey(headers['apikey'] ?? '');
    const signed = parameters + (headers['nonce'] ?? '') + route.replace(/^[/]derivatives/, '');
    if (account === undefined || !sameText(headers['authent'] ?? '', signatureOf(account.spec.secret, signed))) {
      throw new FuturesError('authenticationError');
    }
    return account;
  }

  #public(name: string, fields: Fields): Answer {
    const product = /^instruments[/](\w+)[/]status$/.exec(name)?.[1];
    if (product !== undefined) return { ...statusOf(this.#listing(product)) };
    switch (name) {
      case 'instruments':
        return { instruments: this.#exchange.traded().map(instrumentOf) };
      case 'instruments/status':
        return { instrumentStatus: this.#exchange.traded().map(statusOf) };
      case 'tickers':
        return {
          tickers: this.#feeds
            .filter(({ listing }) => this.#exchange.isTraded(listing))
            .map((feed) => feed.restTicker()),
        };
      case 'orderbook': {
        const listing = this.#listing(fields.get('symbol'));
        const rows = (half: BookHalf): readonly unknown[] => pairsOf(listing, flatLevels(half, Infinity));
        const { bids, asks } = this.#exchange.engine(listing);
        return { orderBook: { bids: rows(bids), asks: rows(asks) } };
      }
      case 'feeschedules':
        return { feeSchedules: [SCHEDULE] };
      default:
        throw new FuturesError('notFound');
    }
  }

  /** @throws FuturesError */
  #listing(symbol: string | undefined): Listing {
    const listing = this.#exchange.listings.find(({ venueSymbol }) => venueSymbol === symbol?.toUpperCase());
    if (listing === undefined) throw new FuturesError('contractNotFound');
    return listing;
  }

  #orderOf(fields: Fields, account: Account): Order | undefined {
    const id = fields.get('order_id');
    return this.#exchange.find(account, {
      id: id === undefined ? undefined : idOf(id),
      clientOrderId: fields.get('cliOrdId'),
    });
  }

  #orderOperations(): Readonly<Record<string, Operation>> {
    return {
      sendorder: {
        acknowledges: true,
        cost: 10,
        run: (fields, account) => ({ sendStatus: this.#send(fields, account) }),
      },
      cancelorder: {
        acknowledges: true,
        cost: 10,
        run: (fields, account) => ({ cancelStatus: this.#cancel(fields, account) }),
      },
      cancelallorders: {
        acknowledges: true,
        cost: 25,
        run: (fields, account) => {
          const symbol = fields.get('symbol')?.toUpperCase();
          const among = ({ venueSymbol }: Listing): boolean => symbol === undefined || venueSymbol === symbol;
          const cancelled = this.#exchange.cancelAll(account, among);
          const ids = cancelled.map((order) => ({ order_id: uuidOf('0', order.id), cliOrdId: order.clientOrderId }));
          const status = ids.length === 0 ? 'noOrdersToCancel' : 'cancelled';
          return { cancelStatus: { cancelOnly: symbol ?? 'all', status, cancelledOrders: ids } };
        },
      },
      cancelallordersafter: { cost: 25, run: (fields, account) => this.#cancelAfter(fields, account) },
      batchorder: {
        acknowledges: true,
        cost: 10,
        run: (fields, account) => {
          const orders = listOf(objectOf(fields.get('json') ?? '')?.['batchOrder']);
          return { batchStatus: orders.map((order) => this.#batched(fieldsOfJson(order) ?? new Map(), account)) };
        },
      },
    };
  }

  #batched(fields: Fields, account: Account): Answer {
    if (fields.get('order') === 'cancel') return this.#cancel(fields, account);
    return { order_tag: fields.get('order_tag'), ...this.#send(fields, account) };
  }

  /** What became of an order: a refusal is a status like any other. */
  #send(fields: Fields, account: Account): Answer {
    const listing = this.#listing(fields.get('symbol'));
    const receivedTime = isoText(this.#exchange.nowMs());
    const side = fields.get('side');
    const orderType = fields.get('orderType') ?? '';
    const type = ORDER_TYPES[orderType];
    if (side !== 'buy' && side !== 'sell') throw new FuturesError('invalidArgument: side');
    if (type === undefined) throw new FuturesError('invalidArgument: orderType');
    const placed = attempt(this.#exchange, {
      account,
      listing,
      side,
      ...type,
      price: type.type === 'market' ? undefined : fields.get('limitPrice'),
      qty: fields.get('size') ?? '0',
      qtyIn: 'base',
      clientOrderId: fields.get('cliOrdId'),
      reduceOnly: fields.get('reduceOnly') === 'true',
    });
    if (placed.kind === 'refused') return { status: REFUSALS[placed.reason], receivedTime, orderEvents: [] };
    const { order } = placed;
    const idle = type.timeInForce === 'IOC' && order.filled === 0;
    return {
      order_id: uuidOf('0', order.id),
      cliOrdId: order.clientOrderId,
      status: idle ? 'iocWouldNotExecute' : 'placed',
      receivedTime,
      orderEvents: eventsOf(order, orderType),
    };
  }

  #cancel(fields: Fields, account: Account): Answer {
    const order = this.#orderOf(fields, account);
    const receivedTime = isoText(this.#exchange.nowMs());
    if (order === undefined) return { status: 'notFound', receivedTime };
    const isCancelled = this.#exchange.cancel(order);
    const status = isCancelled ? 'cancelled' : order.status === 'filled' ? 'filled' : 'notFound';
    const orderEvents = isCancelled ? [{ type: 'CANCEL', uid: uuidOf('0', order.id), order: describe(order) }] : [];
    return { status, order_id: uuidOf('0', order.id), cliOrdId: order.clientOrderId, receivedTime, orderEvents };
  }

  /** Starts the account's countdown again; 0 stops it. When it ends, every order of the account is cancelled. */
  #cancelAfter(fields: Fields, account: Account): Answer {
    const seconds = Number(fields.get('timeout') ?? NaN);
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > CANCEL_AFTER_S_MAX) {
      throw new FuturesError('invalidArgument: timeout');
    }
    this.#countdowns.get(account)?.cancel();
    this.#countdowns.delete(account);
    const nowMs = this.#exchange.nowMs();
    const ending = (): void => {
      this.#countdowns.delete(account);
      this.#exchange.cancelAll(account, () => true);
    };
    if (seconds > 0) this.#countdowns.set(account, this.#options.clock.after(seconds * SECOND_MS, ending));
    const triggerTime = seconds === 0 ? '0' : isoText(nowMs + seconds * SECOND_MS);
    return { status: { currentTime: isoText(nowMs), triggerTime } };
  }

  #accountOperations(): Readonly<Record<string, Operation>> {
    return {
      accounts: { cost: 2, run: (_, account) => ({ accounts: this.#wallets(account) }) },
      openpositions: {
        cost: 2,
        run: (_, account) => ({ openPositions: openPositions(account).map(describePosition) }),
      },
      openorders: {
        cost: 2,
        run: (_, account) => ({ openOrders: this.#exchange.ordersOf(account, 'open').map(openOrder) }),
      },
      'orders/status': { cost: 1, run: (_, account, query) => ({ orders: this.#statuses(query, account) }) },
      fills: { cost: 2, run: (fields, account) => ({ fills: this.#restFills(fields, account) }) },
      'feeschedules/volumes': { cost: 1, run: () => ({ volumesByFeeSchedule: { [SCHEDULE.uid]: 0 } }) },
      'past orders': { cost: 0, run: (fields, account) => this.#past(fields, account) },
    };
  }

  #wallets(account: Account): Answer {
    const inverse = this.#exchange.listings.find(({ wallet }) => wallet !== 'flex');
    const currencies = Object.fromEntries(
      account.assets('flex').map((asset) => [codeOf(asset), flexCurrency(account, asset)]),
    );
    const flex = { type: 'multiCollateralMarginAccount', currencies };
    if (inverse === undefined) return { flex };
    const { total, held } = account.balance(inverse.wallet, inverse.settle);
    const margin = {
      type: 'marginAccount',
      currency: codeOf(inverse.settle).toLowerCase(),
      balances: { [codeOf(inverse.settle).toLowerCase()]: total.toNumber() },
      auxiliary: { af: total.minus(held).toNumber(), pnl: 0, pv: total.toNumber() },
    };
    return { flex, [inverse.wallet]: margin };
  }

  #statuses(query: string, account: Account): readonly unknown[] {
    const parameters = new URLSearchParams(query);
    const orders = [
      ...parameters.getAll('orderIds').map((id) => this.#exchange.find(account, { id: idOf(id) })),
      ...parameters.getAll('cliOrdIds').map((clientOrderId) => this.#exchange.find(account, { clientOrderId })),
    ];
    const youngestMs = this.#exchange.nowMs() - STATUS_MS;
    return orders.flatMap((order) =>
      order !== undefined && (order.status === 'open' || order.updatedMs >= youngestMs) ? [cachedOrder(order)] : [],
    );
  }

  /** The hundred before a time, newest first. */
  #restFills(fields: Fields, account: Account): readonly unknown[] {
    const before = Date.parse(fields.get('lastFillTime') ?? '');
    return this.#trades(account)
      .filter(({ timeMs }) => !(timeMs >= before))
      .slice(0, RECENT_MAX)
      .map(restFill);
  }

  #past(fields: Fields, account: Account): Answer {
    const since = Number(fields.get('since') ?? 0);
    const from = Number(fields.get('continuation_token') ?? 0);
    const orders = this.#exchange
      .ordersOf(account)
      .filter(({ updatedMs }) => updatedMs >= since)
      .toSorted((a, b) => b.updatedMs - a.updatedMs || b.id - a.id);
    const page = orders.slice(from, from + RECENT_MAX);
    const next = from + page.length;
    const elements = page.map((order) => ({
      uid: uuidOf('e', order.id),
      timestamp: order.updatedMs,
      event: pastEvent(order),
    }));
    return { elements, len: elements.length, ...(next < orders.length ? { continuationToken: String(next) } : {}) };
  }
}

const PUBLIC_FEEDS: ReadonlySet<string> = new Set(['book', 'trade', 'ticker']);
const PRIVATE_FEEDS: ReadonlySet<string> = new Set(['open_orders', 'fills', 'balances', 'open_positions']);

/** One product's public feeds. A book frame is one level, and counted. */
class FuturesFeed {
  readonly listing: Listing;
  readonly #exchange: Exchange;
  readonly #engine: MatchingEngine;
  readonly #view: DepthView;
  readonly #books = new Set<Receiver>();
  readonly #trades = new Set<Receiver>();
  readonly #tickers = new Set<Receiver>();
  readonly #recent: string[] = [];
  #sequence = 0;
  #tradeSequence = 0;
  #last = 0;

  constructor(listing: Listing, exchange: Exchange) {
    this.listing = listing;
    this.#exchange = exchange;
    this.#engine = exchange.engine(listing);
    this.#view = new DepthView(this.#engine, Infinity);
  }

  /** Starts with a snapshot; returns how to leave. */
  join(name: string, receiver: Receiver, nowMs: number): () => void {
    const { venueSymbol } = this.listing;
    if (name === 'trade') {
      receiver.send(`{"feed":"trade_snapshot","product_id":"${venueSymbol}","trades":[${this.#recent.join(',')}]}`);
      this.#trades.add(receiver);
      return () => this.#trades.delete(receiver);
    }
    if (name === 'ticker') {
      receiver.send(this.#tickerFrame(nowMs));
      this.#tickers.add(receiver);
      return () => this.#tickers.delete(receiver);
    }
    // Everybody else first gets up to date.
    this.flush(nowMs, () => false);
    this.#view.advance();
    const { bids, asks } = this.#view;
    receiver.send(
      `{"feed":"book_snapshot","product_id":"${venueSymbol}","timestamp":${nowMs},"seq":${this.#sequence},` +
        `"tickSize":null,"bids":${this.#levels(bids)},"asks":${this.#levels(asks)}}`,
    );
    this.#books.add(receiver);
    return () => this.#books.delete(receiver);
  }

  /** Levels that went before those that came, so that the book never crosses on the way. */
  flush(nowMs: number, dropped: () => boolean): void {
    if (this.#books.size === 0 || !this.#view.advance()) return;
    const sides = [
      ['buy', this.#view.bidChanges],
      ['sell', this.#view.askChanges],
    ] as const;
    for (const removes of [true, false]) {
      for (const [side, changes] of sides) {
        for (let at = 0; at < changes.length; at += 2) {
          if ((changes[at + 1] === 0) !== removes) continue;
          this.#sequence += 1;
          if (dropped()) continue;
          const frame = this.#deltaFrame(side, changes[at]!, changes[at + 1]!, nowMs);
          for (const receiver of this.#books) receiver.send(frame);
        }
      }
    }
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    this.#tradeSequence += 1;
    this.#last = price;
    const row =
      `{"feed":"trade","product_id":"${this.listing.venueSymbol}","uid":"${uuidOf('f', id)}","side":"${taker}",` +
      `"type":"fill","seq":${this.#tradeSequence},"time":${timeMs},"qty":${this.#qty(lots)},"price":${this.#price(price)}}`;
    this.#recent.push(row);
    if (this.#recent.length > RECENT_MAX) this.#recent.shift();
    for (const receiver of this.#trades) receiver.send(row);
  }

  tick(nowMs: number): void {
    if (this.#tickers.size === 0) return;
    const frame = this.#tickerFrame(nowMs);
    for (const receiver of this.#tickers) receiver.send(frame);
  }

  index(): number {
    return referenceOf(this.#exchange, this.listing)?.index ?? this.mark();
  }

  /** Halfway between the best prices, where nothing else was said; at the only one where a side is empty. */
  mark(): number {
    const said = referenceOf(this.#exchange, this.listing);
    if (said !== undefined) return said.mark;
    const [bid, ask] = [this.#engine.bids.best()?.price, this.#engine.asks.best()?.price];
    const ticks = new Decimal((bid ?? ask ?? 0) + (ask ?? bid ?? 0)).div(2);
    return ticks.times(tickOf(this.listing)).toNumber();
  }

  restTicker(): Answer {
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    return {
      symbol: this.listing.venueSymbol,
      pair: 'XBT:USD',
      tag: this.listing.perpetual ? 'perpetual' : 'quarter',
      markPrice: this.mark(),
      indexPrice: this.index(),
      bid: Number(this.#price(bid?.price ?? 0)),
      bidSize: Number(this.#qty(bid?.qty ?? 0)),
      ask: Number(this.#price(ask?.price ?? 0)),
      askSize: Number(this.#qty(ask?.qty ?? 0)),
      last: Number(this.#price(this.#last)),
      suspended: false,
      postOnly: false,
    };
  }

  #tickerFrame(nowMs: number): string {
    const { perpetual, venueSymbol, inverse } = this.listing;
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    const mark = this.mark();
    const { fundingRate = 0, fundingMs = nowMs } = referenceOf(this.#exchange, this.listing) ?? {};
    // An amount a contract: of the settlement asset.
    const absolute = inverse ? fundingRate / mark : fundingRate * mark;
    const funding = perpetual
      ? { funding_rate: absolute, relative_funding_rate: fundingRate, next_funding_rate_time: fundingMs }
      : {};
    return JSON.stringify({
      time: nowMs,
      product_id: venueSymbol,
      ...funding,
      feed: 'ticker',
      bid: Number(this.#price(bid?.price ?? 0)),
      ask: Number(this.#price(ask?.price ?? 0)),
      bid_size: Number(this.#qty(bid?.qty ?? 0)),
      ask_size: Number(this.#qty(ask?.qty ?? 0)),
      index: this.index(),
      last: Number(this.#price(this.#last)),
      tag: perpetual ? 'perpetual' : 'quarter',
      suspended: false,
      markPrice: mark,
      maturityTime: this.listing.expiryMs ?? 0,
      post_only: false,
    });
  }

  #deltaFrame(side: string, price: number, qty: number, nowMs: number): string {
    return (
      `{"feed":"book","product_id":"${this.listing.venueSymbol}","side":"${side}","seq":${this.#sequence},` +
      `"price":${this.#price(price)},"qty":${this.#qty(qty)},"timestamp":${nowMs}}`
    );
  }

  #levels(flat: FlatLevels): string {
    const rows: string[] = [];
    for (let at = 0; at < flat.length; at += 2) {
      rows.push(`{"price":${this.#price(flat[at]!)},"qty":${this.#qty(flat[at + 1]!)}}`);
    }
    return `[${rows.join(',')}]`;
  }

  #price(ticks: number): string {
    return fixedText(ticks, this.listing.priceDecimals);
  }

  #qty(lots: number): string {
    return fixedText(lots, this.listing.lotDecimals);
  }
}

const success = (nowMs: number, answer: Answer): HttpReply =>
  jsonReply(200, { result: 'success', ...answer, serverTime: isoText(nowMs) });

/** Base64 of HMAC-SHA512, keyed by the decoded secret, over the SHA-256 of a text. */
const signatureOf = (secret: string, text: string): string =>
  createHmac('sha512', Buffer.from(secret, 'base64'))
    .update(createHash('sha256').update(text).digest())
    .digest('base64');

const isoText = (unixMs: number): string => new Date(unixMs).toISOString();

/** A number as the venue's ids look; `kind` keeps orders, fills and events apart. */
const uuidOf = (kind: string, id: number): string =>
  `00000000-0000-4000-${kind.padStart(4, '8')}-${id.toString(16).padStart(12, '0')}`;
const idOf = (uuid: string): number =>
  /^00000000-0000-4000-8880-[0-9a-f]{12}$/.test(uuid) ? Number.parseInt(uuid.slice(-12), 16) : -1;
/** Both sides of a fill may be one account's: a maker's and a taker's. */
const fillIdOf = ({ id, liquidity }: Trade): string => uuidOf(liquidity === 'maker' ? 'a' : 'b', id);

const codeOf = (asset: string): string => (asset === 'BTC' ? 'XBT' : asset);

const ORDER_TYPES: Readonly<
  Record<string, { readonly type: 'limit' | 'market'; readonly timeInForce: 'GTC' | 'IOC'; readonly postOnly: boolean }>
> = {
  lmt: { type: 'limit', timeInForce: 'GTC', postOnly: false },
  post: { type: 'limit', timeInForce: 'GTC', postOnly: true },
  ioc: { type: 'limit', timeInForce: 'IOC', postOnly: false },
  mkt: { type: 'market', timeInForce: 'IOC', postOnly: false },
};

const REFUSALS: Readonly<Record<Refusal, string>> = {
  'price-off-grid': 'invalidPrice',
  'qty-off-grid': 'invalidSize',
  'below-min-qty': 'invalidSize',
  'below-min-notional': 'invalidSize',
  'insufficient-funds': 'insufficientAvailableFunds',
  'duplicate-id': 'clientOrderIdAlreadyExist',
  'would-take': 'postWouldExecute',
  'no-liquidity': 'iocWouldNotExecute',
  'too-many-orders': 'tooManySmallOrders',
  'reduce-only': 'wouldNotReducePosition',
  expired: 'marketInactive',
  'told-to': 'marketSuspended',
};

function attempt(exchange: Exchange, draft: Parameters<Exchange['place']>[0]): Placed {
  try {
    return exchange.place(draft);
  } catch (error) {
    if (error instanceof BadInput) throw new FuturesError('invalidArgument: size');
    throw error;
  }
}

/** An order as events tell it. */
const describe = (order: Order): Answer => ({
  orderId: uuidOf('0', order.id),
  cliOrdId: order.clientOrderId,
  type: order.timeInForce === 'IOC' ? 'ioc' : order.postOnly ? 'post' : 'lmt',
  symbol: order.listing.venueSymbol,
  side: order.side,
  quantity: qtyOf(order.listing, order.qty).toNumber(),
  filled: qtyOf(order.listing, order.filled).toNumber(),
  limitPrice: limitOf(order).toNumber(),
  reduceOnly: false,
  timestamp: isoText(order.createdMs),
  lastUpdateTimestamp: isoText(order.updatedMs),
});

/** What it took at once, and what rests. */
function eventsOf(order: Order, orderType: string): readonly unknown[] {
  const prior = { ...describe(order), type: orderType, filled: 0 };
  const executions = order.trades.map((trade) => ({
    type: 'EXECUTION',
    executionId: fillIdOf(trade),
    price: priceOf(order.listing, trade.price).toNumber(),
    amount: qtyOf(order.listing, trade.lots).toNumber(),
    orderPriorEdit: null,
    orderPriorExecution: prior,
    takerReducedQuantity: null,
  }));
  if (order.status === 'open') {
    return [...executions, { type: 'PLACE', order: describe(order), reducedQuantity: null }];
  }
  if (order.filled > 0) return executions;
  return [{ type: 'REJECT', uid: uuidOf('0', order.id), reason: 'IOC_WOULD_NOT_EXECUTE', order: describe(order) }];
}

const STATUSES = {
  open: 'ENTERED_BOOK',
  filled: 'FULLY_EXECUTED',
  canceled: 'CANCELLED',
  expired: 'CANCELLED',
} as const;

/** Why it ended, in the feeds' words. */
function reasonOf({ status, filled }: Order): string | null {
  if (status === 'open') return null;
  if (status === 'filled') return 'full_fill';
  if (status === 'canceled') return 'cancelled_by_user';
  return filled > 0 ? 'partial_fill' : 'ioc_order_failed_because_it_would_not_be_executed';
}

const cachedOrder = (order: Order): Answer => ({
  order: { ...describe(order), type: 'ORDER' },
  status: STATUSES[order.status],
  updateReason: reasonOf(order),
  error: null,
});

const openOrder = (order: Order): Answer => ({
  order_id: uuidOf('0', order.id),
  cliOrdId: order.clientOrderId,
  symbol: order.listing.venueSymbol,
  side: order.side,
  orderType: 'lmt',
  limitPrice: limitOf(order).toNumber(),
  unfilledSize: qtyOf(order.listing, order.qty - order.filled).toNumber(),
  filledSize: qtyOf(order.listing, order.filled).toNumber(),
  receivedTime: isoText(order.createdMs),
  lastUpdateTime: isoText(order.updatedMs),
  status: order.filled > 0 ? 'partiallyFilled' : 'untouched',
  reduceOnly: false,
});

/** One element of the history: how the order stands. */
function pastEvent(order: Order): Answer {
  const { listing, side, status, filled } = order;
  const immediate = order.timeInForce === 'IOC';
  const past = {
    uid: uuidOf('0', order.id),
    accountUid: order.account.spec.name,
    tradeable: listing.venueSymbol,
    direction: side === 'buy' ? 'Buy' : 'Sell',
    quantity: qtyOf(listing, order.qty - filled).toFixed(),
    filled: qtyOf(listing, filled).toFixed(),
    timestamp: String(order.createdMs),
    limitPrice: limitOf(order).toFixed(),
    orderType: immediate ? 'IoC' : order.postOnly ? 'Post' : 'Limit',
    clientId: order.clientOrderId,
    reduceOnly: false,
    lastUpdateTimestamp: String(order.updatedMs),
  };
  if (status === 'canceled') return { OrderCancelled: { order: past, reason: 'cancelled_by_user' } };
  if (status === 'expired' && filled === 0) return { OrderCancelled: { order: past, reason: reasonOf(order) } };
  if (filled === 0 || immediate) return { OrderPlaced: { order: past, reason: 'new_user_order' } };
  return { OrderUpdated: { newOrder: past, reason: status === 'filled' ? 'full_fill' : 'partial_fill' } };
}

const feedOrder = (order: Order): Answer => ({
  instrument: order.listing.venueSymbol,
  time: order.createdMs,
  last_update_time: order.updatedMs,
  qty: qtyOf(order.listing, order.qty - order.filled).toNumber(),
  filled: qtyOf(order.listing, order.filled).toNumber(),
  limit_price: limitOf(order).toNumber(),
  stop_price: 0,
  type: 'limit',
  order_id: uuidOf('0', order.id),
  cli_ord_id: order.clientOrderId,
  direction: order.side === 'buy' ? 0 : 1,
  reduce_only: false,
});

/** Whoever cancels or ends an order is told its id and no more. */
function newsOf(order: Order, change: OrderChange): Answer {
  if (change.kind === 'new') return { order: feedOrder(order), is_cancel: false, reason: 'new_placed_order_by_user' };
  if (change.kind === 'trade') {
    const isFull = order.status === 'filled';
    return { order: feedOrder(order), is_cancel: isFull, reason: isFull ? 'full_fill' : 'partial_fill' };
  }
  const ids = { order_id: uuidOf('0', order.id), cli_ord_id: order.clientOrderId };
  return { ...ids, is_cancel: true, reason: reasonOf(order) };
}

/** Its fee stands only on the feed. */
const restFill = (trade: Trade): Answer => ({
  fill_id: fillIdOf(trade),
  symbol: trade.order.listing.venueSymbol,
  side: trade.order.side,
  order_id: uuidOf('0', trade.order.id),
  cliOrdId: trade.order.clientOrderId,
  size: qtyOf(trade.order.listing, trade.lots).toNumber(),
  price: priceOf(trade.order.listing, trade.price).toNumber(),
  fillTime: isoText(trade.timeMs),
  fillType: trade.liquidity,
  fee_paid: trade.fee.toNumber(),
  fee_currency: trade.feeAsset,
});

function flexCurrency(account: Account, asset: string): Answer {
  const { total, held } = account.balance('flex', asset);
  return {
    quantity: total.toNumber(),
    value: total.toNumber(),
    collateral_value: total.toNumber(),
    available: total.minus(held).toNumber(),
  };
}

function marginWallet(account: Account, { wallet, settle }: Listing): Answer {
  const { total, held } = account.balance(wallet, settle);
  const [balance, available] = [total.toNumber(), total.minus(held).toNumber()];
  return { name: 'F-XBT:USD', pair: 'XBT/USD', unit: codeOf(settle), portfolio_value: balance, balance, available };
}

const openPositions = (account: Account): ReturnType<Account['positions']> =>
  account.positions().filter(({ position }) => position.lots !== 0);

const describePosition = ({ listing, position }: ReturnType<Account['positions']>[number]): Answer => ({
  side: position.lots > 0 ? 'long' : 'short',
  symbol: listing.venueSymbol,
  price: Number(entryPrice(listing, position)),
  size: qtyOf(listing, Math.abs(position.lots)).toNumber(),
});

const pairsOf = (listing: Listing, flat: FlatLevels): readonly unknown[] =>
  flat.flatMap((price, at) =>
    at % 2 === 1 ? [] : [[priceOf(listing, price).toNumber(), qtyOf(listing, flat[at + 1]!).toNumber()]],
  );

const SCHEDULE = {
  uid: 'simulated-schedule',
  name: 'Simulated',
  tiers: [{ makerFee: 0.02, takerFee: 0.05, usdVolume: 0 }],
} as const;

const statusOf = (listing: Listing): Answer => ({
  tradeable: listing.venueSymbol,
  experiencingDislocation: false,
  priceDislocationDirection: null,
  experiencingExtremeVolatility: false,
  extremeVolatilityInitialMarginMultiplier: 1,
});

const instrumentOf = (listing: Listing): Answer => ({
  symbol: listing.venueSymbol,
  pair: `${codeOf(listing.base)}:${listing.quote}`,
  base: codeOf(listing.base),
  quote: listing.quote,
  type: listing.inverse ? 'futures_inverse' : 'flexible_futures',
  ...(listing.expiryMs === undefined ? {} : { lastTradingTime: isoText(listing.expiryMs) }),
  tickSize: tickOf(listing).toNumber(),
  contractSize: listing.contractSize.toNumber(),
  tradeable: true,
  impactMidSize: 1,
  maxPositionSize: 1_000_000,
  openingDate: '2022-01-01T00:00:00.000Z',
  marginLevels: [],
  contractValueTradePrecision: listing.lotDecimals,
  postOnly: false,
  feeScheduleUid: SCHEDULE.uid,
  category: '',
  tags: [],
});
