import { assert, BadInput } from '#shared/assert.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Account, Delivery } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import type { FlatLevels } from '../depth-view.ts';
import { flatLevels } from '../depth-view.ts';
import type {
  BookedPart,
  Exchange,
  Order,
  OrderChange,
  Payment,
  Print,
  Refusal,
  Settlement,
  Trade,
} from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { integerFrom } from '../grid-text.ts';
import type { Listing, ListingSpec } from '../listings.ts';
import {
  comboListing,
  derivativeListing,
  isCoinSettled,
  lotOf,
  payoffOf,
  priceOf,
  qtyOf,
  sizeOf,
  tickOf,
} from '../listings.ts';
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

type Fields = ReadonlyMap<string, string>;
type Socket = {
  readonly client: Client;
  /** By channel: how to leave it. */
  readonly channels: Map<string, () => void>;
  /** Placed here, to be canceled when this ends. */
  readonly orders: Set<Order>;
  account: Account | undefined;
  cancels: 'connection' | 'account' | undefined;
  heartbeatMs: number;
  heardMs: number;
  askedMs: number;
  readonly send: (value: unknown) => void;
};
type Delivered = {
  readonly account: Account;
  readonly listing: Listing;
  readonly delivery: Delivery;
  readonly timeMs: number;
};
/** A request, wherever it came from. */
type Call = { readonly fields: Fields; readonly channels: readonly string[]; readonly socket: Socket | undefined };
type PublicOperation = (call: Call) => unknown;
type PrivateOperation = (call: Call, account: Account) => unknown;

const ORDERS_WINDOW_MS = 4_000;
/** Five a second, twenty at once. */
const ORDERS_A_WINDOW = 20;
const TIMESTAMP_WINDOW_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;
const CHANNELS_MAX = 500;
const DEPTH = 1_000;
const COUNT = 10;
const COUNT_MAX = 1_000;
/** Deliveries remembered; the oldest are forgotten. */
const DELIVERIES_MAX = 10_000;
const FIRST_CHANGE = 33_190_041_000;
const CREATED_MS = 1_534_242_287_000;
const SCOPE = 'connection mainaccount account:read trade:read_write wallet:none';

const derivative = (
  market: 'swap' | 'futures' | 'options',
  symbol: string,
  venueSymbol: string,
  [priceDecimals, lotDecimals]: readonly [price: number, lot: number],
): ListingSpec =>
  derivativeListing({
    venue: 'deribit',
    market,
    symbol,
    venueSymbol,
    contractSize: '1',
    priceDecimals,
    lotDecimals,
    fees: market === 'options' ? ['0.0003', '0.0003'] : ['0.00015', '0.00035'],
    deliveryFee: market === 'options' ? '0.00015' : '0.00025',
    fundingFlows: true,
  });

/** By its name: what one unit buys and what it sells. */
const COMBOS: readonly (readonly [name: string, bought: string, sold: string])[] = [
  ['BTC-FS-25DEC26_PERP', 'BTC-25DEC26', 'BTC-PERPETUAL'],
  ['BTC-FS-26MAR27_PERP', 'BTC-26MAR27', 'BTC-PERPETUAL'],
  ['BTC-FS-26MAR27_25DEC26', 'BTC-26MAR27', 'BTC-25DEC26'],
  ['ETH-FS-25DEC26_PERP', 'ETH-25DEC26', 'ETH-PERPETUAL'],
  ['BTC-CS-25DEC26-90000_100000', 'BTC-25DEC26-90000-C', 'BTC-25DEC26-100000-C'],
  ['BTC-REV-25DEC26-90000', 'BTC-25DEC26-90000-C', 'BTC-25DEC26-90000-P'],
];

/** The listings, and the combos of them. */
function withCombos(listings: readonly ListingSpec[]): readonly ListingSpec[] {
  const named = (name: string): ListingSpec => {
    const found = listings.find(({ venueSymbol }) => venueSymbol === name);
    assert(found !== undefined, 'the legs of a combo are listed');
    return found;
  };
  return [
    ...listings,
    ...COMBOS.map(([name, bought, sold]) => comboListing('combos', name, [named(bought), named(sold)])),
  ];
}

/** Day of expiry in the unified symbol and in the venue's. */
type Expiry = readonly [day: string, name: string];
const EXPIRIES: readonly Expiry[] = [
  ['261225', '25DEC26'],
  ['270326', '26MAR27'],
  ['270625', '25JUN27'],
];

/** Dated futures and options that settle in their coin. */
const coinListings = (
  coin: string,
  strikes: readonly string[],
  futureGrid: readonly [price: number, lot: number],
  optionGrid: readonly [price: number, lot: number],
): readonly ListingSpec[] =>
  EXPIRIES.flatMap(([day, name]) => [
    derivative('futures', `${coin}/USD:${coin}-${day}`, `${coin}-${name}`, futureGrid),
    ...strikes.flatMap((strike) =>
      ['C', 'P'].map((right) =>
        derivative(
          'options',
          `${coin}/USD:${coin}-${day}-${strike}-${right}`,
          `${coin}-${name}-${strike}-${right}`,
          optionGrid,
        ),
      ),
    ),
  ]);

/** The same settled in USDC. */
const dollarListings = (coin: string, strikes: readonly string[]): readonly ListingSpec[] =>
  EXPIRIES.slice(0, 2).flatMap(([day, name]) => [
    derivative('futures', `${coin}/USDC:USDC-${day}`, `${coin}_USDC-${name}`, [1, 4]),
    ...strikes.flatMap((strike) =>
      ['C', 'P'].map((right) =>
        derivative(
          'options',
          `${coin}/USDC:USDC-${day}-${strike}-${right}`,
          `${coin}_USDC-${name}-${strike}-${right}`,
          [0, 2],
        ),
      ),
    ),
  ]);

/**
 * Deribit: JSON-RPC 2.0 over one socket, or by GET and POST below `/api/v2`. Inverse contracts trade in lots of ten dollars.
 * @see https://docs.deribit.com/
 */
export const simulated: SimulatedVenue = {
  venue: 'deribit',
  hosts: { 'www.deribit.com': '' },
  listings: withCombos([
    derivative('swap', 'BTC/USD:BTC', 'BTC-PERPETUAL', [1, -1]),
    derivative('swap', 'BTC/USDC:USDC', 'BTC_USDC-PERPETUAL', [1, 4]),
    derivative('swap', 'ETH/USD:ETH', 'ETH-PERPETUAL', [2, 0]),
    ...coinListings('BTC', ['70000', '80000', '90000', '96000', '100000', '110000', '120000'], [1, -1], [4, 1]),
    ...coinListings('ETH', ['2400', '2800', '3000', '3200', '3600', '4000'], [2, 0], [4, 0]),
    ...dollarListings('BTC', ['80000', '90000', '100000']),
  ]),
  dialect: (options) => new Deribit(options),
};

class DeribitError extends Error {
  override readonly name = 'DeribitError';
  readonly code: number;
  readonly data: Readonly<Record<string, string>> | undefined;

  constructor(code: number, text: string, data?: Readonly<Record<string, string>>) {
    super(text);
    this.code = code;
    this.data = data;
  }
}

class Deribit implements VenueDialect {
  readonly venue = 'deribit';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #feeds: readonly Feed[];
  readonly #flushedMs: Float64Array;
  readonly #sockets = new Set<Socket>();
  readonly #private = new PrivateAudience<Socket>();
  readonly #orderRates = new RateWindow(ORDERS_WINDOW_MS);
  readonly #public: ReadonlyMap<string, PublicOperation>;
  readonly #signed: ReadonlyMap<string, PrivateOperation>;
  /** Labels are the clients' own: nobody keeps them unique. */
  readonly #labels = new WeakMap<Order, string>();
  #label = '';
  /** Newest last. */
  readonly #deliveries: Delivered[] = [];

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    const changes = { last: FIRST_CHANGE };
    this.#feeds = options.exchange.listings.map((listing) => new Feed(listing, options.exchange, changes));
    this.#flushedMs = new Float64Array(this.#feeds.length).fill(-Infinity);
    this.#public = new Map(Object.entries({ ...this.#marketOperations(), ...this.#sessionOperations() }));
    this.#signed = new Map(Object.entries({ ...this.#orderOperations(), ...this.#accountOperations() }));
    options.exchange.listener = {
      booked: (listing) => {
        if (options.batchMs === 0 && !this.#isStale(listing)) this.#flush(this.#feeds[listing.index]!);
      },
      printed: (listing, print) => {
        if (!this.#isStale(listing)) this.#feeds[listing.index]!.trade(print);
      },
      ordered: (order, change) => this.#ordered(order, change),
      paid: (account, listing, payment) => this.#paid(account, listing, payment),
      closed: (listing) => this.#closedListing(listing),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    if (splitPath(path).route !== '/ws/api/v2') return undefined;
    const nowMs = this.#exchange.nowMs();
    const socket: Socket = {
      client,
      channels: new Map(),
      orders: new Set(),
      account: undefined,
      cancels: undefined,
      heartbeatMs: Infinity,
      heardMs: nowMs,
      askedMs: nowMs,
      send: (value) => client.send(JSON.stringify(value)),
    };
    this.#sockets.add(socket);
    return {
      markets: ['swap', 'futures', 'options', 'combos'],
      message: (text) => this.#message(socket, text),
      closed: () => this.#closed(socket),
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const body = objectOf(request.body);
    const method = route.replace('/api/v2/', '');
    const fields = request.method === 'GET' ? fieldsOf(query) : (fieldsOfJson(body?.['params']) ?? new Map());
    try {
      const account = method.startsWith('private/') ? this.#authorise(request) : undefined;
      const result = this.#run(method, { fields, channels: [], socket: undefined }, account);
      const market = this.#marketOf(fields);
      const delayMs = isOrder(method) ? this.#options.faults.ackDelayMs('deribit', market) : 0;
      return { ...jsonReply(200, { jsonrpc: '2.0', result, ...this.#times() }), delayMs };
    } catch (error) {
      if (error instanceof DeribitError)
        return jsonReply(400, { jsonrpc: '2.0', error: errorOf(error), ...this.#times() });
      throw error;
    }
  }

  marketOf(path: string): string {
    const name = /instrument_name=([^&]*)/.exec(path)?.[1] ?? '';
    return this.#exchange.listings.find(({ venueSymbol }) => venueSymbol === name)?.market ?? 'swap';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    const error =
      kind === 'rate-limited'
        ? { message: 'too_many_requests', code: 10028 }
        : { message: 'internal_server_error', code: 11094 };
    return JSON.stringify({ jsonrpc: '2.0', error, ...this.#times() });
  }

  step(): void {
    const nowMs = this.#exchange.nowMs();
    for (const feed of this.#feeds) {
      const { index } = feed.listing;
      if (nowMs - this.#flushedMs[index]! < this.#options.batchMs || this.#isStale(feed.listing)) continue;
      this.#flushedMs[index] = nowMs;
      this.#flush(feed);
      feed.ticker();
    }
    for (const socket of [...this.#sockets]) this.#beat(socket, nowMs);
  }

  /** Asks now and then whether anybody is there, and hangs up when nobody answers. */
  #beat(socket: Socket, nowMs: number): void {
    const { askedMs, heardMs, heartbeatMs } = socket;
    if (askedMs > heardMs) {
      if (nowMs - askedMs > ANSWER_WITHIN_MS) socket.client.close(1000, 'no answer to the heartbeat');
      return;
    }
    if (nowMs - heardMs < heartbeatMs) return;
    socket.askedMs = nowMs;
    socket.send({ jsonrpc: '2.0', method: 'heartbeat', params: { type: 'test_request' } });
  }

  #flush(feed: Feed): void {
    feed.flush(() => this.#options.faults.take('gap', 'deribit', feed.listing.market) !== undefined);
  }

  #isStale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'deribit', market);
  }

  #times(): Readonly<Record<string, unknown>> {
    const us = this.#exchange.nowMs() * 1_000;
    return { usIn: us, usOut: us, usDiff: 0, testnet: false };
  }

  #message(socket: Socket, text: string): void {
    socket.heardMs = this.#exchange.nowMs();
    const message = objectOf(text) ?? {};
    const { id, params } = message;
    const method = typeof message['method'] === 'string' ? message['method'] : '';
    const fields = fieldsOfJson(params) ?? new Map<string, string>();
    const channels = textsOf((params as Readonly<Record<string, unknown>> | undefined)?.['channels']);
    const answer = (said: Readonly<Record<string, unknown>>): void =>
      socket.send({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), ...said, ...this.#times() });
    let said: Readonly<Record<string, unknown>>;
    try {
      said = { result: this.#run(method, { fields, channels, socket }, socket.account) };
    } catch (error) {
      if (!(error instanceof DeribitError)) throw error;
      said = { error: errorOf(error) };
    }
    if (isOrder(method)) deliver(this.#options, this.#marketOf(fields), () => answer(said));
    else answer(said);
    if (method.endsWith('/subscribe')) this.#open(socket, channels);
  }

  /** @throws DeribitError */
  #run(method: string, call: Call, account: Account | undefined): unknown {
    const open = this.#public.get(method);
    if (open !== undefined) return open(call);
    const operation = this.#signed.get(method);
    if (operation === undefined) throw new DeribitError(-32601, 'Method not found');
    if (account === undefined) throw new DeribitError(13009, 'unauthorized');
    return operation(call, account);
  }

  #marketOf(fields: Fields): string {
    const name = fields.get('instrument_name');
    return this.#exchange.listings.find(({ venueSymbol }) => venueSymbol === name)?.market ?? 'swap';
  }

  /** @throws DeribitError */
  #listing(fields: Fields): Listing {
    const name = fields.get('instrument_name') ?? '';
    const listing = this.#exchange.listings.find(({ venueSymbol }) => venueSymbol === name);
    if (listing !== undefined) return listing;
    throw new DeribitError(13020, 'not_found', { reason: 'instrument not found', param: 'instrument_name' });
  }

  /** Time, nonce, then method, path with query and body, a line each. @throws DeribitError */
  #authorise({ method, path, headers, body }: HttpRequest): Account {
    const said = /^deri-hmac-sha256 id=([^,]*),ts=(\d+),sig=(\w+),nonce=([^,]*)$/.exec(headers['authorization'] ?? '');
    const [, id = '', time = '', signature = '', nonce = ''] = said ?? [];
    const account = this.#exchange.ledger.byKey(id);
    if (account === undefined) throw new DeribitError(13004, 'invalid_credentials');
    this.#checkTime(time);
    const expected = hmacSha256(account.spec.secret, `${time}\n${nonce}\n${method}\n${path}\n${body}\n`, 'hex');
    if (!sameText(signature, expected)) throw new DeribitError(13004, 'invalid_credentials');
    return account;
  }

  #checkTime(time: string): void {
    if (!(Math.abs(Number(time) - this.#exchange.nowMs()) <= TIMESTAMP_WINDOW_MS))
      throw new DeribitError(13004, 'invalid_credentials', { reason: 'timestamp' });
  }

  #sessionOperations(): Readonly<Record<string, PublicOperation>> {
    return {
      'public/auth': ({ fields, socket }) => {
        const account = this.#granted(fields);
        if (socket !== undefined) {
          socket.account = account;
          this.#private.join(account, socket);
        }
        const token = { access_token: 'simulated', refresh_token: 'simulated', token_type: 'bearer' };
        return { ...token, expires_in: 31_536_000, scope: SCOPE };
      },
      'public/set_heartbeat': ({ fields, socket }) => {
        const seconds = Number(fields.get('interval'));
        if (socket === undefined) throw new DeribitError(10030, 'must_be_websocket_request');
        if (!(seconds >= 10)) throw invalid('interval', 'must be at least 10');
        socket.heartbeatMs = seconds * 1_000;
        return 'ok';
      },
      'public/subscribe': ({ channels, socket }) => this.#accepted(channels, socket),
      'public/unsubscribe': ({ channels, socket }) => this.#left(channels, socket),
    };
  }

  /** @throws DeribitError */
  #granted(fields: Fields): Account {
    const said = (name: string): string => fields.get(name) ?? '';
    const account = this.#exchange.ledger.byKey(said('client_id'));
    const secret = account?.spec.secret ?? '';
    const isRight =
      said('grant_type') === 'client_credentials'
        ? sameText(said('client_secret'), secret)
        : said('grant_type') === 'client_signature' &&
          sameText(
            said('signature'),
            hmacSha256(secret, `${said('timestamp')}\n${said('nonce')}\n${said('data')}`, 'hex'),
          );
    if (account === undefined || !isRight) throw new DeribitError(13004, 'invalid_credentials');
    if (said('grant_type') === 'client_signature') this.#checkTime(said('timestamp'));
    return account;
  }

  #marketOperations(): Readonly<Record<string, PublicOperation>> {
    return {
      'public/test': () => ({ version: '1.2.26' }),
      'public/get_time': () => this.#exchange.nowMs(),
      'public/get_currencies': () =>
        [...new Set(this.#exchange.listings.map(({ settle }) => settle))].map((currency) => ({
          currency,
          currency_long: currency,
          coin_type: currency,
          fee_precision: 4,
          min_confirmations: 1,
          withdrawal_fee: 0.0005,
        })),
      'public/get_instruments': ({ fields }) => {
        const [currency, kind] = [fields.get('currency') ?? 'any', fields.get('kind')];
        const isTraded = fields.get('expired') !== 'true';
        return this.#exchange.listings
          .filter((listing) => this.#exchange.isTraded(listing) === isTraded)
          .filter(({ settle }) => currency === 'any' || settle === currency)
          .filter((listing) => kind === undefined || kindOf(listing) === kind)
          .map((listing) => instrumentOf(listing, isTraded));
      },
      'public/get_instrument': ({ fields }) => {
        const listing = this.#listing(fields);
        return instrumentOf(listing, this.#exchange.isTraded(listing));
      },
      'public/get_order_book': ({ fields }) =>
        this.#feeds[this.#listing(fields).index]!.snapshot(Number(fields.get('depth') ?? 5)),
      'public/ticker': ({ fields }) => this.#feeds[this.#listing(fields).index]!.described(),
      'public/get_combo_ids': ({ fields }) => this.#combos(fields).map(({ venueSymbol }) => venueSymbol),
      'public/get_combos': ({ fields }) => this.#combos(fields).map((listing) => this.#comboOf(listing)),
      'public/get_combo_details': ({ fields }) => {
        const name = fields.get('combo_id') ?? '';
        const listing = this.#exchange.listings.find(
          ({ venueSymbol, combo }) => combo !== undefined && venueSymbol === name,
        );
        if (listing === undefined) throw new DeribitError(13020, 'not_found', { param: 'combo_id' });
        return this.#comboOf(listing);
      },
      'public/get_delivery_prices': ({ fields }) => this.#deliveryPrices(fields),
      'public/get_last_settlements_by_instrument': ({ fields }) => {
        const listing = this.#listing(fields);
        const settlement = this.#exchange.settlementOf(listing);
        return {
          settlements: settlement === undefined ? [] : [describeSettlement(listing, settlement)],
          continuation: 'none',
        };
      },
    };
  }

  #accountOperations(): Readonly<Record<string, PrivateOperation>> {
    return {
      'private/get_account_summaries': (_, account) => ({
        summaries: account.assets('spot').map((currency) => summaryOf(account, currency)),
      }),
      'private/get_account_summary': ({ fields }, account) => summaryOf(account, fields.get('currency') ?? 'BTC'),
      'private/get_positions': ({ fields }, account) =>
        account
          .positions()
          .filter(({ listing }) => isWithin(listing, fields))
          .map(({ listing }) => this.#position(account, listing)),
      'private/get_settlement_history_by_instrument': ({ fields }, account) => this.#settled(account, fields),
      'private/get_settlement_history_by_currency': ({ fields }, account) => this.#settled(account, fields),
      'private/enable_cancel_on_disconnect': ({ fields, socket }) => {
        if (socket === undefined) throw new DeribitError(10030, 'must_be_websocket_request');
        socket.cancels = fields.get('scope') === 'account' ? 'account' : 'connection';
        return 'ok';
      },
      'private/disable_cancel_on_disconnect': ({ socket }) => {
        if (socket !== undefined) socket.cancels = undefined;
        return 'ok';
      },
      'private/subscribe': ({ channels, socket }) => this.#accepted(channels, socket),
      'private/unsubscribe': ({ channels, socket }) => this.#left(channels, socket),
    };
  }

  #orderOperations(): Readonly<Record<string, PrivateOperation>> {
    const place =
      (side: Side): PrivateOperation =>
      (call, account) =>
        this.#place(side, call, account);
    const all: PrivateOperation = ({ fields }, account) =>
      this.#exchange.cancelAll(account, (listing) => isWithin(listing, fields)).length;
    const open: PrivateOperation = ({ fields }, account) =>
      this.#orders(account, fields, 'open').map((order) => this.#describe(order));
    const history: PrivateOperation = ({ fields }, account) =>
      this.#orders(account, fields)
        .filter(({ status }) => status !== 'open')
        .toReversed()
        .slice(0, countOf(fields))
        .map((order) => this.#describe(order));
    const trades: PrivateOperation = ({ fields }, account) => this.#trades(account, fields);
    return {
      'private/buy': place('buy'),
      'private/sell': place('sell'),
      'private/cancel': ({ fields }, account) => {
        const order = this.#named(account, fields);
        if (order === undefined) throw new DeribitError(10004, 'order_not_found');
        if (!this.#exchange.cancel(order)) throw new DeribitError(11044, 'not_open_order');
        return this.#describe(order);
      },
      'private/edit': ({ fields }, account) => this.#edit(this.#named(account, fields), fields),
      'private/edit_by_label': ({ fields }, account) =>
        this.#edit(
          this.#labelled(account, fields).find(({ status }) => status === 'open'),
          fields,
        ),
      'private/cancel_by_label': ({ fields }, account) =>
        this.#labelled(account, fields).filter((order) => this.#exchange.cancel(order)).length,
      'private/cancel_all': all,
      'private/cancel_all_by_instrument': all,
      'private/cancel_all_by_currency': all,
      'private/get_order_state': ({ fields }, account) => {
        const order = this.#named(account, fields);
        if (order === undefined) throw new DeribitError(10004, 'order_not_found');
        return this.#describe(order);
      },
      'private/get_order_state_by_label': ({ fields }, account) =>
        this.#labelled(account, fields).map((order) => this.#describe(order)),
      'private/get_open_orders': open,
      'private/get_open_orders_by_instrument': open,
      'private/get_open_orders_by_currency': open,
      'private/get_order_history_by_instrument': history,
      'private/get_order_history_by_currency': history,
      'private/get_user_trades_by_instrument': trades,
      'private/get_user_trades_by_instrument_and_time': trades,
      'private/get_user_trades_by_currency': trades,
      'private/get_user_trades_by_currency_and_time': trades,
      'private/get_user_trades_by_order': ({ fields }, account) =>
        (this.#named(account, fields)?.trades ?? []).map((trade) => this.#describeTrade(trade)),
    };
  }

  #orders(account: Account, fields: Fields, status?: Order['status']): readonly Order[] {
    return this.#exchange.ordersOf(account, status).filter(({ listing }) => isWithin(listing, fields));
  }

  #labelled(account: Account, fields: Fields): readonly Order[] {
    return this.#orders(account, fields).filter((order) => this.#labels.get(order) === fields.get('label'));
  }

  #named(account: Account, fields: Fields): Order | undefined {
    const id = fields.get('order_id');
    return this.#exchange.ordersOf(account).find((order) => orderIdOf(order) === id);
  }

  #trades(account: Account, fields: Fields): unknown {
    const [from, to] = [Number(fields.get('start_timestamp') ?? 0), Number(fields.get('end_timestamp') ?? Infinity)];
    const direction = fields.get('sorting') === 'asc' ? 1 : -1;
    const found = this.#orders(account, fields)
      .flatMap(({ trades }) => trades)
      .filter(({ timeMs }) => timeMs >= from && timeMs <= to)
      .sort((a, b) => direction * (a.id - b.id));
    const page = found.slice(0, countOf(fields));
    return { trades: page.map((trade) => this.#describeTrade(trade)), has_more: page.length < found.length };
  }

  /** @throws DeribitError */
  #place(side: Side, { fields, socket }: Call, account: Account): unknown {
    const listing = this.#listing(fields);
    if (this.#orderRates.take(account.spec.name, 1, this.#exchange.nowMs()) > ORDERS_A_WINDOW)
      throw new DeribitError(10028, 'too_many_requests');
    const timeInForce = TIMES_IN_FORCE[fields.get('time_in_force') ?? 'good_til_cancelled'];
    const type = fields.get('type') ?? 'limit';
    if (timeInForce === undefined) throw invalid('time_in_force', 'unknown');
    if (type !== 'limit' && type !== 'market') throw invalid('type', 'unknown');
    const market = type === 'market';
    const postOnly = fields.get('post_only') === 'true' && !market;
    this.#label = (fields.get('label') ?? '').slice(0, 64);
    try {
      const placed = this.#exchange.place({
        account,
        listing,
        clientOrderId: undefined,
        side,
        type,
        timeInForce: market ? 'IOC' : timeInForce,
        postOnly,
        price: market ? undefined : this.#priceOf(listing, side, fields),
        qty: fields.get('amount') ?? fields.get('contracts') ?? '',
        qtyIn: 'base',
        reduceOnly: fields.get('reduce_only') === 'true',
      });
      if (placed.kind === 'refused') throw REFUSALS[placed.reason];
      socket?.orders.add(placed.order);
      const trades = placed.order.trades.map((trade) => this.#describeTrade(trade));
      return { order: this.#describe(placed.order), trades };
    } catch (error) {
      if (error instanceof BadInput) throw invalid('amount', 'not a number');
      throw error;
    }
  }

  /** @throws DeribitError */
  #edit(order: Order | undefined, fields: Fields): unknown {
    if (order === undefined) throw new DeribitError(10004, 'order_not_found');
    if (order.status !== 'open') throw new DeribitError(11044, 'not_open_order');
    const before = order.trades.length;
    try {
      const refused = this.#exchange.amend(order, { price: fields.get('price'), qty: fields.get('amount') ?? '' });
      if (refused !== undefined) throw REFUSALS[refused];
    } catch (error) {
      if (error instanceof BadInput) throw invalid('amount', 'not a number');
      throw error;
    }
    const trades = order.trades.slice(before).map((trade) => this.#describeTrade(trade));
    return { order: this.#describe(order), trades };
  }

  /** The limit; of a post-only order that may be moved, so far from the other side that it does not take. */
  #priceOf(listing: Listing, side: Side, fields: Fields): string | undefined {
    const price = fields.get('price');
    const moves = fields.get('post_only') === 'true' && fields.get('reject_post_only') !== 'true';
    const engine = this.#exchange.engine(listing);
    const ticks = integerFrom(price ?? '', listing.priceDecimals);
    if (!moves || ticks === undefined || !engine.wouldTake(side, ticks)) return price;
    const other = engine.half(side === 'buy' ? 'sell' : 'buy').best()!.price;
    return priceOf(listing, other + (side === 'buy' ? -1 : 1)).toFixed();
  }

  /** Those of the channels that there are; @throws DeribitError for raw ones without a login. */
  #accepted(channels: readonly string[], socket: Socket | undefined): readonly string[] {
    if (socket === undefined) throw new DeribitError(10030, 'must_be_websocket_request');
    if (channels.length > CHANNELS_MAX) throw invalid('channels', 'too many');
    const isRaw = channels.some((channel) => channel.endsWith('.raw') && !channel.startsWith('user.'));
    if (isRaw && socket.account === undefined)
      throw new DeribitError(13778, 'raw_subscriptions_not_available_for_unauthorized');
    return channels.filter((channel) => this.#joins(channel, socket) !== undefined);
  }

  #left(channels: readonly string[], socket: Socket | undefined): readonly string[] {
    return channels.filter((channel) => {
      const leave = socket?.channels.get(channel);
      leave?.();
      socket?.channels.delete(channel);
      return leave !== undefined;
    });
  }

  /** After the answer. A channel that is open already brings nothing new, not even a snapshot. */
  #open(socket: Socket, channels: readonly string[]): void {
    for (const channel of channels) {
      if (socket.channels.has(channel)) continue;
      const isRaw = channel.endsWith('.raw') && socket.account === undefined;
      const join = isRaw ? undefined : this.#joins(channel, socket);
      if (join !== undefined) socket.channels.set(channel, join());
    }
  }

  #joins(channel: string, socket: Socket): (() => () => void) | undefined {
    if (/^instrument\.state\.\w+\.\w+$/.test(channel)) return () => () => undefined;
    if (channel.startsWith('user.')) return socket.account === undefined ? undefined : () => () => undefined;
    const [, name = '', instrument = ''] = /^(book|trades|ticker)\.(.+)\.(?:100ms|raw)$/.exec(channel) ?? [];
    const feed = this.#feeds.find(({ listing }) => listing.venueSymbol === instrument);
    return feed === undefined ? undefined : () => feed.join(name, channel, socket);
  }

  #closed(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#private.leave(socket);
    for (const leave of socket.channels.values()) leave();
    const { account, cancels, orders } = socket;
    if (cancels === 'connection') for (const order of orders) this.#exchange.cancel(order);
    if (cancels === 'account' && account !== undefined) this.#exchange.cancelAll(account, () => true);
  }

  #ordered(order: Order, change: OrderChange): void {
    if (change.kind === 'new') this.#labels.set(order, this.#label);
    const { listing, account } = order;
    const trades = change.kind === 'trade' ? [this.#describeTrade(change.trade)] : [];
    const described = this.#describe(order);
    for (const socket of this.#private.of(account)) {
      for (const channel of socket.channels.keys()) {
        const [user, name = '', ...scope] = channel.split('.');
        const tell = (data: unknown): void =>
          socket.send({ jsonrpc: '2.0', method: 'subscription', params: { channel, data } });
        if (user !== 'user') continue;
        if (name === 'portfolio') {
          if (scope[0] === listing.settle.toLowerCase() || scope[0] === 'any') tell(summaryOf(account, listing.settle));
        } else if (!isOfChannel(listing, scope)) continue;
        else if (name === 'orders') tell(described);
        else if (name === 'trades' && trades.length > 0) tell(trades);
        else if (name === 'changes') {
          const moved = listing.kind === 'combo' ? this.#exchange.legsOf(listing) : [listing];
          const positions = change.kind === 'trade' ? moved.map((each) => this.#position(account, each)) : [];
          tell({ instrument_name: listing.venueSymbol, trades, orders: [described], positions });
        }
      }
    }
  }

  /** Money that came or went by itself: the balance, and the position as it is now. */
  #paid(account: Account, listing: Listing, payment: Payment): void {
    if (payment.kind === 'delivery') {
      const timeMs = this.#exchange.nowMs();
      this.#deliveries.push({ account, listing, delivery: payment.delivery, timeMs });
      if (this.#deliveries.length > DELIVERIES_MAX) this.#deliveries.shift();
    }
    for (const socket of this.#private.of(account)) {
      for (const channel of socket.channels.keys()) {
        const [user, name = '', ...scope] = channel.split('.');
        if (user !== 'user') continue;
        if (name === 'portfolio') {
          if (scope[0] === listing.settle.toLowerCase() || scope[0] === 'any')
            tellOf(socket, channel, summaryOf(account, listing.settle));
        } else if (name === 'changes' && isOfChannel(listing, scope)) {
          const positions = [this.#position(account, listing)];
          tellOf(socket, channel, { instrument_name: listing.venueSymbol, trades: [], orders: [], positions });
        }
      }
    }
  }

  #closedListing(listing: Listing): void {
    const said = { timestamp: this.#exchange.nowMs(), state: 'closed', instrument_name: listing.venueSymbol };
    for (const socket of this.#sockets)
      for (const channel of socket.channels.keys()) {
        const [topic, , ...scope] = channel.split('.');
        if (topic === 'instrument' && isOfChannel(listing, [...scope, 'raw'])) tellOf(socket, channel, said);
      }
  }

  #combos(fields: Fields): readonly Listing[] {
    const currency = fields.get('currency') ?? 'any';
    return this.#exchange
      .traded()
      .filter(({ combo, settle }) => combo !== undefined && (currency === 'any' || settle === currency));
  }

  #comboOf(listing: Listing): Record<string, unknown> {
    const [bought, sold] = listing.combo?.legs ?? [];
    return {
      id: listing.venueSymbol,
      instrument_id: listing.index + 1,
      state: this.#exchange.isTraded(listing) ? 'active' : 'inactive',
      state_timestamp: CREATED_MS,
      creation_timestamp: CREATED_MS,
      legs: [
        { instrument_name: bought, amount: 1 },
        { instrument_name: sold, amount: -1 },
      ],
    };
  }

  /** Of an index, a day each, newest first. */
  #deliveryPrices(fields: Fields): unknown {
    const days = new Map<string, number>();
    for (const listing of this.#exchange.listings) {
      const settlement = this.#exchange.settlementOf(listing);
      if (settlement === undefined || indexNameOf(listing) !== fields.get('index_name')) continue;
      days.set(new Date(settlement.timeMs).toISOString().slice(0, 10), settlement.price.toNumber());
    }
    const data = [...days].sort(([a], [b]) => b.localeCompare(a));
    const offset = Number(fields.get('offset') ?? 0);
    return {
      data: data.slice(offset, offset + countOf(fields)).map(([date, delivery_price]) => ({ date, delivery_price })),
      records_total: data.length,
    };
  }

  #settled(account: Account, fields: Fields): unknown {
    const settlements = this.#deliveries
      .filter((each) => each.account === account && isWithin(each.listing, fields))
      .toReversed()
      .slice(0, countOf(fields))
      .map(describeDelivered);
    return { settlements, continuation: 'none' };
  }

  #describe(order: Order): Record<string, unknown> {
    return describeOrder(order, this.#labels.get(order) ?? '');
  }

  #describeTrade(trade: Trade): Record<string, unknown> {
    return describeTrade(trade, this.#labels.get(trade.order) ?? '');
  }

  #position(account: Account, listing: Listing): unknown {
    const position = account.position(listing);
    const { lots } = position;
    return {
      instrument_name: listing.venueSymbol,
      kind: kindOf(listing),
      size: Number(signedSize(listing, position)),
      direction: lots === 0 ? 'zero' : lots > 0 ? 'buy' : 'sell',
      average_price: Number(entryPrice(listing, position)),
      mark_price: referenceOf(this.#exchange, listing)?.mark ?? 0,
      estimated_liquidation_price: null,
      leverage: 10,
      realized_profit_loss: position.realised.toNumber(),
    };
  }
}

type Book = { bids: FlatLevels; asks: FlatLevels; change: number };

/** The public channels of one instrument. Change ids are shared by all: they jump. */
class Feed {
  readonly listing: Listing;
  readonly #exchange: Exchange;
  readonly #changes: { last: number };
  /** By socket: its channel's name. */
  readonly #receivers: Readonly<Record<string, Map<Socket, string>>> = {
    book: new Map(),
    trades: new Map(),
    ticker: new Map(),
  };
  #book: Book | undefined;
  #told = '';

  constructor(listing: Listing, exchange: Exchange, changes: { last: number }) {
    this.listing = listing;
    this.#exchange = exchange;
    this.#changes = changes;
  }

  /** Books begin with a snapshot, tickers with what is. Returns how to leave. */
  join(name: string, channel: string, socket: Socket): () => void {
    const receivers = this.#receivers[name]!;
    if (name === 'book') {
      // Whoever listens already is brought up to date first, so that all go on from one id.
      this.flush(() => false);
      this.#book ??= this.#now();
      const { bids, asks, change } = this.#book;
      const [none, empty]: readonly FlatLevels[] = [[], []];
      const data = {
        type: 'snapshot',
        ...this.#head(change),
        bids: this.#actions(none!, bids),
        asks: this.#actions(empty!, asks),
      };
      tellOf(socket, channel, data);
    }
    if (name === 'ticker') tellOf(socket, channel, this.described());
    receivers.set(socket, channel);
    return () => void receivers.delete(socket);
  }

  /** Sends what changed since the last frame; a frame that is dropped is counted all the same. */
  flush(isDropped: () => boolean): void {
    const before = this.#book;
    if (before === undefined) return;
    const [bids, asks] = this.#sides(DEPTH);
    const changes = { bids: this.#actions(before.bids, bids), asks: this.#actions(before.asks, asks) };
    if (changes.bids.length + changes.asks.length === 0) return;
    this.#book = this.#now();
    const receivers = this.#receivers['book']!;
    if (receivers.size === 0 || isDropped()) return;
    const data = { type: 'change', ...this.#head(this.#book.change), prev_change_id: before.change, ...changes };
    for (const [socket, channel] of receivers) tellOf(socket, channel, data);
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    const { venueSymbol } = this.listing;
    const data = {
      trade_seq: id,
      trade_id: String(id),
      timestamp: timeMs,
      tick_direction: 1,
      price: this.#price(price),
      mark_price: this.#price(price),
      index_price: this.#price(price),
      instrument_name: venueSymbol,
      direction: taker,
      amount: this.#amount(lots),
    };
    for (const [socket, channel] of this.#receivers['trades']!) tellOf(socket, channel, [data]);
  }

  ticker(): void {
    const receivers = this.#receivers['ticker']!;
    if (receivers.size === 0) return;
    const { timestamp, ...said } = this.described();
    const text = JSON.stringify(said);
    if (text === this.#told) return;
    this.#told = text;
    for (const [socket, channel] of receivers) tellOf(socket, channel, { timestamp, ...said });
  }

  /** Volatilities in percent, 0 where there is no such quote. */
  described(): Readonly<Record<string, unknown>> {
    const { bids, asks } = this.#exchange.engine(this.listing);
    const [bid, ask] = [bids.best(), asks.best()];
    const settlement = this.#exchange.settlementOf(this.listing);
    const reference = referenceOf(this.#exchange, this.listing);
    const option = optionReferenceOf(this.#exchange, this.listing);
    const percent = (value: number): number => (Number.isNaN(value) ? 0 : Number((value * 100).toFixed(2)));
    return {
      timestamp: this.#exchange.nowMs(),
      instrument_name: this.listing.venueSymbol,
      state: settlement === undefined ? 'open' : 'closed',
      ...(settlement === undefined ? {} : { delivery_price: settlement.price.toNumber() }),
      stats: { volume: null, price_change: null, low: null, high: null },
      best_bid_price: this.#price(bid?.price ?? 0),
      best_bid_amount: this.#amount(bid?.qty ?? 0),
      best_ask_price: this.#price(ask?.price ?? 0),
      best_ask_amount: this.#amount(ask?.qty ?? 0),
      last_price: this.#price(bid?.price ?? 0),
      mark_price: reference?.mark ?? 0,
      index_price: reference?.index ?? this.#exchange.indexOf(this.listing) ?? 0,
      ...(this.listing.perpetual
        ? { current_funding: reference?.fundingRate ?? 0, funding_8h: reference?.fundingRate ?? 0 }
        : {}),
      ...(option === undefined
        ? {}
        : {
            underlying_price: option.forward,
            underlying_index: this.listing.venueSymbol.split('-', 2).join('-'),
            interest_rate: option.interestRate,
            bid_iv: percent(option.bidVolatility),
            ask_iv: percent(option.askVolatility),
            mark_iv: percent(option.markVolatility),
            greeks: {
              delta: Number(option.delta.toFixed(5)),
              gamma: Number(option.gamma.toFixed(5)),
              vega: Number(option.vega.toFixed(5)),
              theta: Number(option.theta.toFixed(5)),
              rho: Number(option.rho.toFixed(5)),
            },
          }),
    };
  }

  /** The REST book. */
  snapshot(depth: number): unknown {
    const [bids, asks] = this.#sides(depth);
    const levels = (flat: FlatLevels): unknown =>
      Array.from({ length: flat.length / 2 }, (_, at) => [this.#price(flat[2 * at]!), this.#amount(flat[2 * at + 1]!)]);
    return { ...this.described(), change_id: this.#changes.last, bids: levels(bids), asks: levels(asks) };
  }

  #now(): Book {
    const [bids, asks] = this.#sides(DEPTH);
    this.#changes.last += 1;
    return { bids, asks, change: this.#changes.last };
  }

  #head(change_id: number): Readonly<Record<string, unknown>> {
    return { timestamp: this.#exchange.nowMs(), instrument_name: this.listing.venueSymbol, change_id };
  }

  #sides(depth: number): readonly [bids: FlatLevels, asks: FlatLevels] {
    const { bids, asks } = this.#exchange.engine(this.listing);
    return [flatLevels(bids, depth), flatLevels(asks, depth)];
  }

  #actions(before: FlatLevels, now: FlatLevels): readonly (readonly [action: string, price: number, amount: number])[] {
    const left = new Map(Array.from({ length: before.length / 2 }, (_, at) => [before[2 * at]!, before[2 * at + 1]!]));
    const actions: (readonly [string, number, number])[] = [];
    for (let at = 0; at < now.length; at += 2) {
      const [price, lots] = [now[at]!, now[at + 1]!];
      const old = left.get(price);
      if (old !== lots) actions.push([old === undefined ? 'new' : 'change', this.#price(price), this.#amount(lots)]);
      left.delete(price);
    }
    for (const price of left.keys()) actions.push(['delete', this.#price(price), 0]);
    return actions;
  }

  #price(ticks: number): number {
    return priceOf(this.listing, ticks).toNumber();
  }

  #amount(lots: number): number {
    return qtyOf(this.listing, lots).toNumber();
  }
}

const tellOf = (socket: Socket, channel: string, data: unknown): void =>
  socket.send({ jsonrpc: '2.0', method: 'subscription', params: { channel, data } });

const errorOf = ({ code, message, data }: DeribitError) => ({ message, ...(data === undefined ? {} : { data }), code });
const invalid = (param: string, reason: string): DeribitError =>
  new DeribitError(-32602, 'Invalid params', { reason, param });
const isOrder = (method: string): boolean =>
  /^private\/(buy|sell|edit|edit_by_label|cancel|cancel_by_label)$/.test(method);
const countOf = (fields: Fields): number => Math.min(COUNT_MAX, Number(fields.get('count') ?? COUNT));

/** Orders are numbered in their currency; bitcoin's have no name. */
const orderIdOf = ({ id, listing: { settle } }: Order): string =>
  `${settle === 'BTC' ? '' : `${settle}-`}9${String(id).padStart(9, '0')}`;

const kindOf = ({ kind, combo }: Listing): string =>
  combo !== undefined ? `${combo.of}_combo` : kind === 'option' ? 'option' : 'future';

/** Whether an instrument lies in what a request names. */
function isWithin(listing: Listing, fields: Fields): boolean {
  const [name, currency, kind] = [fields.get('instrument_name'), fields.get('currency') ?? 'any', fields.get('kind')];
  return (
    listing.venueSymbol === (name ?? listing.venueSymbol) &&
    (currency === 'any' || listing.settle === currency) &&
    (kind === undefined || kind === 'any' || kindOf(listing) === kind)
  );
}

/** `user.changes.INSTRUMENT.raw` or `user.changes.KIND.CURRENCY.raw`. */
function isOfChannel(listing: Listing, scope: readonly string[]): boolean {
  if (scope.length === 2) return scope[0] === listing.venueSymbol;
  const [kind, currency] = scope;
  return (
    (kind === 'any' || kind === kindOf(listing)) && (currency === 'any' || currency?.toUpperCase() === listing.settle)
  );
}

const summaryOf = (account: Account, currency: string): Record<string, unknown> => {
  const { total } = account.balance('spot', currency);
  const available = account.available('spot', currency);
  return {
    currency,
    balance: total.toNumber(),
    equity: total.toNumber(),
    margin_balance: total.toNumber(),
    available_funds: available.toNumber(),
    available_withdrawal_funds: available.toNumber(),
    initial_margin: total.minus(available).toNumber(),
  };
};

/** `btc_usd`, `btc_usdc`: what a listing settles at. */
const indexNameOf = (listing: Listing): string =>
  `${listing.base}_${isCoinSettled(listing) ? 'USD' : listing.settle}`.toLowerCase();

const describeSettlement = (listing: Listing, { price, timeMs }: Settlement): Record<string, unknown> => ({
  type: 'delivery',
  timestamp: timeMs,
  instrument_name: listing.venueSymbol,
  index_price: price.toNumber(),
  mark_price:
    listing.kind === 'option' ? payoffOf(listing, price, 1).div(sizeOf(listing, 1)).toNumber() : price.toNumber(),
});

function describeDelivered({ listing, delivery, timeMs }: Delivered): Record<string, unknown> {
  const { price, lots, profit, amount, fee } = delivery;
  return {
    ...describeSettlement(listing, { price, timeMs }),
    position: qtyOf(listing, lots).toNumber(),
    profit_loss: profit.toNumber(),
    session_profit_loss: amount.minus(fee).toNumber(),
  };
}

const instrumentOf = (listing: Listing, isTraded: boolean): Record<string, unknown> => ({
  instrument_name: listing.venueSymbol,
  kind: kindOf(listing),
  is_active: isTraded,
  state: isTraded ? 'open' : 'closed',
  base_currency: listing.base,
  quote_currency: listing.quote,
  counter_currency: isCoinSettled(listing) ? 'USD' : listing.quote,
  settlement_currency: listing.settle,
  settlement_period: listing.perpetual ? 'perpetual' : 'month',
  instrument_type: isCoinSettled(listing) ? 'reversed' : 'linear',
  tick_size: tickOf(listing).toNumber(),
  tick_size_steps: [],
  min_trade_amount: qtyOf(listing, listing.minLots).toNumber(),
  contract_size: listing.contractSize.toNumber(),
  amount_step: lotOf(listing).toNumber(),
  maker_commission: listing.maker.toNumber(),
  taker_commission: listing.taker.toNumber(),
  creation_timestamp: CREATED_MS,
  expiration_timestamp: listing.expiryMs ?? 32_503_708_800_000,
  ...(listing.kind === 'option' ? { strike: listing.strike?.toNumber(), option_type: listing.right } : {}),
});

const STATES = { open: 'open', filled: 'filled', canceled: 'cancelled', expired: 'cancelled' } as const;
const TIMES_IN_FORCE: Readonly<Record<string, 'GTC' | 'IOC' | 'FOK'>> = {
  good_til_cancelled: 'GTC',
  good_til_day: 'GTC',
  immediate_or_cancel: 'IOC',
  fill_or_kill: 'FOK',
};
const nameOf = (timeInForce: Order['timeInForce']): string =>
  Object.keys(TIMES_IN_FORCE).find((name) => TIMES_IN_FORCE[name] === timeInForce) ?? '';

function describeOrder(order: Order, label: string): Record<string, unknown> {
  const { listing, status, type } = order;
  return {
    order_id: orderIdOf(order),
    label,
    instrument_name: listing.venueSymbol,
    direction: order.side,
    order_state: STATES[status],
    ...(status === 'canceled' ? { cancel_reason: 'user_request' } : {}),
    order_type: type,
    time_in_force: nameOf(order.timeInForce),
    post_only: order.postOnly,
    reduce_only: false,
    price: type === 'market' ? 'market_price' : limitOf(order).toNumber(),
    amount: qtyOf(listing, order.qty).toNumber(),
    filled_amount: qtyOf(listing, order.filled).toNumber(),
    average_price: averageOf(order).toDecimalPlaces(12).toNumber(),
    commission: order.trades.reduce((sum, { fee }) => sum + fee.toNumber(), 0),
    max_show: qtyOf(listing, order.qty).toNumber(),
    api: true,
    web: false,
    creation_timestamp: order.createdMs,
    last_update_timestamp: order.updatedMs,
  };
}

function describeTrade(trade: Trade, label: string): Record<string, unknown> {
  const { order, price, lots } = trade;
  const { listing } = order;
  return {
    trade_id: `${listing.settle === 'BTC' ? '' : `${listing.settle}-`}${trade.id}`,
    trade_seq: trade.id,
    order_id: orderIdOf(order),
    label,
    instrument_name: listing.venueSymbol,
    direction: order.side,
    price: priceOf(listing, price).toNumber(),
    amount: qtyOf(listing, lots).toNumber(),
    fee: trade.fee.toNumber(),
    fee_currency: trade.feeAsset,
    liquidity: trade.liquidity === 'maker' ? 'M' : 'T',
    ...(order.forced === undefined ? {} : { liquidation: 'T' }),
    order_type: order.type,
    ...(trade.legs === undefined ? {} : { legs: trade.legs.map((leg, at) => describeLeg(trade, leg, at)) }),
    state: STATES[order.status],
    self_trade: false,
    tick_direction: 1,
    timestamp: trade.timeMs,
  };
}

function describeLeg(trade: Trade, leg: BookedPart, at: number): Record<string, unknown> {
  return {
    trade_id: `${trade.id}-${at + 1}`,
    trade_seq: trade.id,
    instrument_name: leg.listing.venueSymbol,
    direction: leg.side,
    price: priceOf(leg.listing, leg.price).toNumber(),
    amount: qtyOf(leg.listing, leg.lots).toNumber(),
    fee: leg.fee.toNumber(),
    fee_currency: leg.feeAsset,
    combo_id: trade.order.listing.venueSymbol,
    combo_trade_id: String(trade.id),
    timestamp: trade.timeMs,
  };
}

const REFUSALS: Readonly<Record<Refusal, DeribitError>> = {
  'price-off-grid': new DeribitError(10043, 'price_wrong_tick'),
  'qty-off-grid': invalid('amount', 'must be a multiple of the minimum order size'),
  'below-min-qty': new DeribitError(10002, 'qty_too_low'),
  'below-min-notional': new DeribitError(10032, 'whole_cost_too_low'),
  'insufficient-funds': new DeribitError(10009, 'not_enough_funds'),
  'duplicate-id': new DeribitError(11030, 'other_reject'),
  'would-take': new DeribitError(11054, 'post_only_reject'),
  'no-liquidity': new DeribitError(10012, 'book_closed'),
  'too-many-orders': new DeribitError(10015, 'max_open_orders'),
  'reduce-only': new DeribitError(11030, 'other_reject invalid_reduce_only_order'),
  expired: new DeribitError(10020, 'invalid_or_unsupported_instrument'),
  'told-to': new DeribitError(10019, 'locked_by_admin'),
};
