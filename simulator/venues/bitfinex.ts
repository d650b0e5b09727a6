import { createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import type { FlatLevels } from '../depth-view.ts';
import { flatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf } from '../exchange.ts';
import type { Listing, ListingSpec } from '../listings.ts';
import { derivativeListing, priceOf, qtyOf, spotListings } from '../listings.ts';
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
  jsonReply,
  listOf,
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
} from './venue-dialect.ts';

type Fields = ReadonlyMap<string, string>;
type Channel = {
  readonly id: number;
  readonly kind: 'book' | 'trades' | 'status';
  readonly listing: Listing;
  /** Levels a side, of a book. */
  readonly depth: number;
  /** What the subscriber has been told of the book. */
  told: Sides;
  toldMs: number;
  /** A lost frame or a change since the last checksum. */
  isChanged: boolean;
};
type Sides = { readonly bids: FlatLevels; readonly asks: FlatLevels };
type Socket = {
  readonly client: Client;
  readonly channels: Map<number, Channel>;
  flags: number;
  /** Of the last data frame, when the socket counts them. */
  sequence: number;
  account: Account | undefined;
  cancelsOnLoss: boolean;
  spokeMs: number;
};

const SEQUENCED = 65_536;
const CHECKSUMS = 131_072;
const CHANNELS_MAX = 30;
const DEPTHS: readonly number[] = [1, 25, 100, 250];
const HEARTBEAT_MS = 15_000;
const CHECKSUM_MS = 1_000;
const STATUS_MS = 3_000;
const HASHED_LEVELS = 25;
const POST_ONLY = 4_096;
const REDUCE_ONLY = 1_024;
const CANCEL_ON_DISCONNECT = '4';
const FIRST_ORDER = 33_950_000_000;
const REQUESTS_A_MINUTE = 90;
const ORDERS_A_WINDOW = 1_000;
const ORDERS_WINDOW_MS = 300_000;

/** The venue's names of what others call otherwise. */
const CODES: Readonly<Record<string, string>> = { USDT: 'UST', USDC: 'UDC' };
const codeOf = (asset: string): string => CODES[asset] ?? asset;

/** Codes of three letters stand side by side, longer ones apart; a perpetual's end in F0. */
function pairOf({ base, quote, kind }: Pick<Listing, 'base' | 'quote' | 'kind'>): string {
  const [first, second] = [codeOf(base), codeOf(quote)];
  if (kind !== 'spot') return `${first}F0:${second}F0`;
  return first.length > 3 || second.length > 3 ? `${first}:${second}` : first + second;
}
const symbolOf = (listing: Listing): string => `t${pairOf(listing)}`;

/** Five significant digits at the prices of the market model. */
const PRICE_DECIMALS: Readonly<Record<string, number>> = {
  ...{ 'BTC/USDT': 0, 'ETH/USDT': 1, 'SOL/USDT': 2, 'XRP/USDT': 4, 'ADA/USDT': 5, 'LTC/USDT': 3, 'ETH/BTC': 6 },
  ...{ 'SOL/BTC': 7, 'XRP/BTC': 9, 'LTC/BTC': 7, 'SOL/ETH': 6, 'USDC/USDT': 5, 'BTC/USDC': 0, 'ETH/USDC': 1 },
  ...{ 'BTC/USD': 0, 'ETH/USD': 1 },
};
const MIN_QTY = { BTC: '0.00004', ETH: '0.001', SOL: '0.02', XRP: '4', ADA: '4', LTC: '0.04', USDC: '2' } as const;

const perpetual = (base: keyof typeof MIN_QTY, priceDecimals: number): ListingSpec =>
  derivativeListing({
    venue: 'bitfinex',
    market: 'swap',
    symbol: `${base}/USDT:USDT`,
    venueSymbol: `t${base}F0:USTF0`,
    contractSize: '1',
    priceDecimals,
    lotDecimals: 8,
    minLots: Number(MIN_QTY[base]) * 1e8,
    fees: ['0', '0'],
    postOnly: 'ended',
    wallet: 'margin',
  });

/**
 * Bitfinex V2: REST below `/v2`, every socket at `/ws/2`.
 * @see https://docs.bitfinex.com/docs
 */
export const simulated: SimulatedVenue = {
  venue: 'bitfinex',
  hosts: { 'api-pub.bitfinex.com': '', 'api.bitfinex.com': '' },
  listings: [
    ...spotListings({
      venue: 'bitfinex',
      wallet: 'exchange',
      fees: ['0', '0'],
      postOnly: 'ended',
      spell: (base, quote) => `t${pairOf({ base, quote, kind: 'spot' })}`,
      also: ['BTC/USD', 'ETH/USD'],
      priceDecimals: PRICE_DECIMALS,
      lotDecimals: 8,
      minQty: MIN_QTY,
    }),
    perpetual('BTC', 0),
    perpetual('ETH', 1),
  ],
  dialect: (options) => new Bitfinex(options),
};

/** The venue's refusal: `["error",code,text]`. */
class BitfinexError extends Error {
  override readonly name = 'BitfinexError';
  readonly code: number;
  readonly status: number;

  constructor(code: number, text: string, status = 500) {
    super(text);
    this.code = code;
    this.status = status;
  }
}

class Bitfinex implements VenueDialect {
  readonly venue = 'bitfinex';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #sockets = new Set<Socket>();
  readonly #private = new PrivateAudience<Socket>();
  readonly #requests = new RateWindow(60_000);
  readonly #orders = new RateWindow(ORDERS_WINDOW_MS);
  readonly #nonces = new Map<string, number>();
  /** Orders whose cancellation somebody asked for: others end by their own terms. */
  readonly #asked = new WeakSet<Order>();
  readonly #flushedMs: Float64Array;
  /** When a channel's last checksum went out. */
  readonly #checksumsMs = new WeakMap<Channel, number>();
  #nextChannel = 17;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#flushedMs = new Float64Array(options.exchange.listings.length).fill(-Infinity);
    options.exchange.listener = {
      booked: (listing) => {
        if (options.batchMs === 0 && !this.#isStale(listing)) this.#flush(listing);
      },
      printed: (listing, print) => {
        if (!this.#isStale(listing)) this.#printed(listing, print);
      },
      ordered: (order, change) => this.#ordered(order, change),
      paid: (account, listing) => this.#paid(account, listing),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    if (splitPath(path).route.replace(/\/$/, '') !== '/ws/2') return undefined;
    const socket: Socket = {
      client,
      channels: new Map(),
      flags: 0,
      sequence: 0,
      account: undefined,
      cancelsOnLoss: false,
      spokeMs: this.#nowMs(),
    };
    this.#sockets.add(socket);
    client.send(JSON.stringify({ event: 'info', version: 2, serverId: 'simulator', platform: { status: 1 } }));
    return {
      markets: ['spot', 'swap'],
      message: (text) => this.#message(socket, text),
      closed: () => this.#closed(socket),
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const path = decodeRoute(route);
    try {
      const answer = path.startsWith('/v2/auth/')
        ? this.#privateAnswer(path, request)
        : publicAnswer(this.#exchange, path, fieldsOf(query));
      if (answer === undefined) return jsonReply(404, ['error', 10020, 'path: invalid']);
      const delayMs = /^\/v2\/auth\/w\/order\//.test(path)
        ? this.#options.faults.ackDelayMs('bitfinex', request.body.includes('F0:') ? 'swap' : 'spot')
        : 0;
      return { ...jsonReply(200, answer), delayMs };
    } catch (error) {
      if (error instanceof BitfinexError) return jsonReply(error.status, ['error', error.code, error.message]);
      throw error;
    }
  }

  marketOf(path: string): string {
    return /F0(:|%3A)|deriv|futures/i.test(path) ? 'swap' : 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    return kind === 'rate-limited'
      ? JSON.stringify(['error', 11010, 'ratelimit: error'])
      : JSON.stringify({ code: 503, error: 'temporarily_unavailable', error_description: 'Sorry.' });
  }

  step(): void {
    const nowMs = this.#nowMs();
    for (const listing of this.#exchange.listings) {
      if (nowMs - this.#flushedMs[listing.index]! < this.#options.batchMs || this.#isStale(listing)) continue;
      this.#flushedMs[listing.index] = nowMs;
      this.#flush(listing);
    }
    for (const socket of this.#sockets) this.#keepAlive(socket, nowMs);
  }

  #nowMs(): number {
    return this.#exchange.nowMs();
  }

  #isStale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'bitfinex', market);
  }

  /** Quiet channels say that they live; derivatives their status; the private channel 0 as the others. */
  #keepAlive(socket: Socket, nowMs: number): void {
    for (const channel of socket.channels.values()) {
      const everyMs = channel.kind === 'status' ? STATUS_MS : HEARTBEAT_MS;
      if (nowMs - channel.toldMs < everyMs || this.#isStale(channel.listing)) continue;
      if (channel.kind === 'status') this.#sendStatus(socket, channel);
      else this.#send(socket, channel, '"hb"');
    }
    if (socket.account !== undefined && nowMs - socket.spokeMs >= HEARTBEAT_MS) this.#tell(socket, 'hb');
  }

  /** A data frame of a channel, with the socket's count where it wants one. `isLost` counts it and sends nothing. */
  #send(socket: Socket, channel: Channel, payload: string, isLost = false): void {
    channel.toldMs = this.#nowMs();
    socket.spokeMs = channel.toldMs;
    const counted = (socket.flags & SEQUENCED) !== 0;
    if (counted) socket.sequence += 1;
    if (!isLost) socket.client.send(`[${channel.id},${payload}${counted ? `,${socket.sequence}` : ''}]`);
  }

  /** What changed of a listing's book, to each subscriber level by level, and now and then a checksum. */
  #flush(listing: Listing): void {
    const engine = this.#exchange.engine(listing);
    for (const socket of this.#sockets)
      for (const channel of socket.channels.values()) {
        if (channel.kind !== 'book' || channel.listing !== listing) continue;
        const now = { bids: flatLevels(engine.bids, channel.depth), asks: flatLevels(engine.asks, channel.depth) };
        const levels = levelsBetween(listing, channel.told, now);
        channel.told = now;
        for (const level of levels) {
          const isLost = this.#options.faults.take('gap', 'bitfinex', listing.market) !== undefined;
          this.#send(socket, channel, level, isLost);
        }
        channel.isChanged ||= levels.length > 0;
        this.#sendChecksum(socket, channel);
      }
  }

  #sendChecksum(socket: Socket, channel: Channel): void {
    const nowMs = this.#nowMs();
    if ((socket.flags & CHECKSUMS) === 0 || !channel.isChanged) return;
    if (nowMs - (this.#checksumsMs.get(channel) ?? -Infinity) < CHECKSUM_MS) return;
    this.#checksumsMs.set(channel, nowMs);
    channel.isChanged = false;
    const isSpoilt = this.#options.faults.take('bad-checksum', 'bitfinex', channel.listing.market) !== undefined;
    this.#send(socket, channel, `"cs",${checksumOf(channel) ^ (isSpoilt ? 1 : 0)}`);
  }

  #printed(listing: Listing, { id, price, lots, taker, timeMs }: Print): void {
    const amount = (taker === 'buy' ? 1 : -1) * amountOf(listing, lots);
    const trade = JSON.stringify([id, timeMs, amount, numberOf(listing, price)]);
    for (const socket of this.#sockets)
      for (const channel of socket.channels.values())
        if (channel.kind === 'trades' && channel.listing === listing)
          for (const word of ['te', 'tu']) this.#send(socket, channel, `"${word}",${trade}`);
  }

  #sendStatus(socket: Socket, channel: Channel): void {
    const row = statusOf(this.#exchange, channel.listing);
    if (row !== undefined) this.#send(socket, channel, JSON.stringify(row));
  }

  #message(socket: Socket, text: string): void {
    const fields = fieldsOfJson(objectOf(text));
    if (fields === undefined) {
      this.#input(socket, text);
      return;
    }
    switch (fields.get('event') ?? '') {
      case 'conf':
        socket.flags = Number(fields.get('flags') ?? 0) | 0;
        socket.client.send(JSON.stringify({ event: 'conf', status: 'OK', flags: socket.flags }));
        return;
      case 'subscribe':
        this.#subscribe(socket, fields);
        return;
      case 'unsubscribe': {
        const chanId = Number(fields.get('chanId'));
        const known = socket.channels.delete(chanId);
        if (known) socket.client.send(JSON.stringify({ event: 'unsubscribed', status: 'OK', chanId }));
        else this.#error(socket, 10400, 'unsubscribe: invalid', fields);
        return;
      }
      case 'auth':
        this.#login(socket, fields);
        return;
      case 'ping':
        socket.client.send(JSON.stringify({ event: 'pong', ts: this.#nowMs(), cid: Number(fields.get('cid') ?? 0) }));
        return;
      default:
        this.#error(socket, 10000, 'event: invalid', new Map());
    }
  }

  #error(socket: Socket, code: number, msg: string, fields: Fields): void {
    socket.client.send(JSON.stringify({ ...Object.fromEntries(fields), event: 'error', msg, code }));
  }

  #subscribe(socket: Socket, fields: Fields): void {
    const kind = fields.get('channel') ?? '';
    const symbol = kind === 'status' ? (fields.get('key') ?? '').replace(/^deriv:/, '') : (fields.get('symbol') ?? '');
    const listing = this.#exchange.listings.find((each) => symbolOf(each) === symbol);
    const depth = Number(fields.get('len') ?? 25);
    if (kind !== 'book' && kind !== 'trades' && kind !== 'status') {
      this.#error(socket, 10300, 'subscribe: invalid', fields);
    } else if (listing === undefined || (kind === 'status' && !listing.perpetual)) {
      this.#error(socket, 10300, 'symbol: invalid', fields);
    } else if (kind === 'book' && ((fields.get('prec') ?? 'P0') !== 'P0' || !DEPTHS.includes(depth))) {
      this.#error(socket, 10300, 'prec: invalid', fields);
    } else if ([...socket.channels.values()].some((each) => each.kind === kind && each.listing === listing)) {
      this.#error(socket, 10301, 'subscribe: dup', fields);
    } else if (socket.channels.size >= CHANNELS_MAX) {
      this.#error(socket, 10305, 'subscribe: limit', fields);
    } else {
      this.#open(socket, { kind, listing, depth }, fields);
    }
  }

  #open(socket: Socket, { kind, listing, depth }: Pick<Channel, 'kind' | 'listing' | 'depth'>, fields: Fields): void {
    const engine = this.#exchange.engine(listing);
    const told = { bids: flatLevels(engine.bids, depth), asks: flatLevels(engine.asks, depth) };
    const id = this.#nextChannel;
    this.#nextChannel += 1;
    const channel: Channel = { id, kind, listing, depth, told, toldMs: this.#nowMs(), isChanged: true };
    socket.channels.set(id, channel);
    const asked = Object.fromEntries([...fields].filter(([name]) => name !== 'event'));
    const pair = kind === 'status' ? {} : { pair: pairOf(listing) };
    socket.client.send(JSON.stringify({ event: 'subscribed', ...asked, chanId: id, ...pair }));
    if (kind === 'status') this.#sendStatus(socket, channel);
    else if (kind === 'trades') this.#send(socket, channel, '[]');
    else {
      const levels = levelsBetween(listing, { bids: [], asks: [] }, told);
      this.#send(socket, channel, `[${levels.join(',')}]`);
    }
  }

  #login(socket: Socket, fields: Fields): void {
    const account = this.#exchange.ledger.byKey(fields.get('apiKey') ?? '');
    const payload = fields.get('authPayload') ?? '';
    const refuse = (code: number, msg: string): void =>
      socket.client.send(JSON.stringify({ event: 'auth', status: 'FAILED', chanId: 0, code, msg }));
    if (account === undefined) refuse(10100, 'apikey: invalid');
    else if (!sameText(fields.get('authSig') ?? '', signature(account, payload)))
      refuse(10100, 'apikey: digest invalid');
    else if (!this.#takesNonce(`ws:${account.spec.apiKey}`, fields.get('authNonce') ?? ''))
      refuse(10114, 'nonce: small');
    else {
      socket.account = account;
      socket.cancelsOnLoss = fields.get('dms') === CANCEL_ON_DISCONNECT;
      this.#private.join(account, socket);
      const caps = { orders: { read: 1, write: 1 }, wallets: { read: 1, write: 0 }, withdraw: { read: 0, write: 0 } };
      socket.client.send(JSON.stringify({ event: 'auth', status: 'OK', chanId: 0, userId: 1, caps }));
      this.#tell(socket, 'ps', positionsOf(account));
      this.#tell(socket, 'ws', walletsOf(account));
      this.#tell(
        socket,
        'os',
        this.#ordersOf(account)
          .filter(isOpen)
          .map((order) => this.#rowOf(order)),
      );
    }
  }

  #takesNonce(key: string, text: string): boolean {
    const nonce = Number(text);
    if (!Number.isSafeInteger(nonce) || nonce <= (this.#nonces.get(key) ?? 0)) return false;
    this.#nonces.set(key, nonce);
    return true;
  }

  #closed(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#private.leave(socket);
    if (socket.cancelsOnLoss && socket.account !== undefined) this.#cancelAmong(socket.account, () => true);
  }

  /** `[0,"hb"]`, `[0,type,payload]`. */
  #tell(socket: Socket, type: string, payload?: unknown): void {
    socket.spokeMs = this.#nowMs();
    const counted = (socket.flags & SEQUENCED) !== 0;
    if (counted) socket.sequence += 1;
    const tail = counted ? [socket.sequence] : [];
    socket.client.send(JSON.stringify([0, type, ...(payload === undefined ? [] : [payload]), ...tail]));
  }

  /** `[0,"on",null,{…}]`: an order, a cancel, several cancels. */
  #input(socket: Socket, text: string): void {
    const [channel, type, , payload] = arrayOf(text);
    const { account } = socket;
    const word = typeof type === 'string' ? type : '';
    if (channel !== 0 || account === undefined || !['on', 'oc', 'oc_multi'].includes(word)) {
      this.#error(socket, channel === 0 && account === undefined ? 10200 : 10000, 'auth: invalid', new Map());
      return;
    }
    const notice = this.#noticed(account, word, payload);
    const market = JSON.stringify(payload ?? null).includes('F0:') ? 'swap' : 'spot';
    deliver(this.#options, market, () => this.#tell(socket, 'n', notice));
  }

  /** Does what is asked, and says so as the venue notifies: errors are answers here. */
  #noticed(account: Account, word: string, payload: unknown): unknown {
    const fields = fieldsOfJson(payload) ?? new Map<string, string>();
    try {
      if (word === 'on') {
        const order = this.#place(account, fields);
        return this.#notice('on-req', this.#rowOf(order), 'SUCCESS', 'Submitting order.');
      }
      if (word === 'oc') {
        const order = this.#cancel(account, fields);
        return this.#notice('oc-req', this.#rowOf(order), 'SUCCESS', 'Submitted for cancellation.');
      }
      const rows = this.#cancelMany(account, payload).map((order) => this.#rowOf(order));
      return this.#notice('oc_multi-req', rows, 'SUCCESS', `Submitting ${rows.length} order cancellations.`);
    } catch (error) {
      if (!(error instanceof BitfinexError)) throw error;
      return this.#notice(`${word}-req`, blankRow(fields), 'ERROR', error.message);
    }
  }

  #notice(type: string, about: unknown, status: string, text: string): unknown {
    return [this.#nowMs(), type, null, null, about, null, status, text];
  }

  /** @throws BitfinexError */
  #place(account: Account, fields: Fields): Order {
    if (this.#orders.take(account.spec.name, 1, this.#nowMs()) > ORDERS_A_WINDOW)
      throw new BitfinexError(11010, 'ratelimit: error', 429);
    const listing = this.#exchange.listings.find((each) => symbolOf(each) === fields.get('symbol'));
    if (listing === undefined) throw new BitfinexError(10020, 'symbol: invalid');
    const amount = fields.get('amount') ?? '';
    const flags = Number(fields.get('flags') ?? 0);
    const type = fields.get('type') ?? '';
    const kind = ORDER_TYPES[type.replace('EXCHANGE ', '')];
    if (kind === undefined || type.startsWith('EXCHANGE ') !== (listing.kind === 'spot'))
      throw new BitfinexError(10020, 'type: invalid');
    const cid = fields.get('cid');
    if (cid !== undefined && !(Number.isSafeInteger(Number(cid)) && Number(cid) < 2 ** 45))
      throw new BitfinexError(10020, 'cid: invalid');
    try {
      const placed = this.#exchange.place({
        account,
        listing,
        side: amount.startsWith('-') ? 'sell' : 'buy',
        ...kind,
        postOnly: (flags & POST_ONLY) !== 0,
        reduceOnly: (flags & REDUCE_ONLY) !== 0,
        clientOrderId: cid,
        price: kind.type === 'market' ? undefined : fields.get('price'),
        qty: amount.replace(/^-/, ''),
        qtyIn: 'base',
      });
      if (placed.kind === 'placed') return placed.order;
      throw refusalOf(placed.reason, listing, amount);
    } catch (error) {
      if (error instanceof BadInput) throw new BitfinexError(10020, 'amount: invalid');
      throw error;
    }
  }

  /** @throws BitfinexError */
  #cancel(account: Account, fields: Fields): Order {
    const id = fields.get('id');
    const order = this.#exchange.find(account, {
      id: id === undefined ? undefined : Number(id) - FIRST_ORDER,
      clientOrderId: fields.get('cid'),
    });
    if (order === undefined || !isOpen(order)) throw new BitfinexError(10001, 'Order not found.');
    this.#asked.add(order);
    this.#exchange.cancel(order);
    return order;
  }

  #cancelMany(account: Account, payload: unknown): readonly Order[] {
    const { all, id } = (typeof payload === 'object' && payload !== null ? payload : {}) as Record<string, unknown>;
    const ids = new Set(listOf(id).map((each) => Number(each) - FIRST_ORDER));
    return this.#cancelAmong(account, (order) => all === 1 || ids.has(order.id));
  }

  #cancelAmong(account: Account, wanted: (order: Order) => boolean): readonly Order[] {
    const orders = this.#ordersOf(account).filter((order) => isOpen(order) && wanted(order));
    for (const order of orders) {
      this.#asked.add(order);
      this.#exchange.cancel(order);
    }
    return orders;
  }

  #ordersOf(account: Account): readonly Order[] {
    return this.#exchange.ordersOf(account);
  }

  #ordered(order: Order, change: OrderChange): void {
    const isLast = change.kind !== 'trade' || (!isOpen(order) && change.trade === order.trades.at(-1));
    const word = change.kind === 'new' ? 'on' : isOpen(order) || !isLast ? 'ou' : 'oc';
    for (const socket of this.#private.of(order.account)) {
      if (change.kind === 'trade')
        for (const type of ['te', 'tu']) this.#tell(socket, type, fillRow(change.trade, type === 'tu'));
      this.#tell(socket, word, this.#rowOf(order));
      if (change.kind === 'trade' && order.listing.perpetual) this.#tellPosition(socket, order.account, order.listing);
      for (const row of walletsOf(order.account, order.listing)) this.#tell(socket, 'wu', row);
    }
  }

  #paid(account: Account, listing: Listing): void {
    for (const socket of this.#private.of(account)) {
      this.#tellPosition(socket, account, listing);
      for (const row of walletsOf(account, listing)) this.#tell(socket, 'wu', row);
    }
  }

  #tellPosition(socket: Socket, account: Account, listing: Listing): void {
    const row = positionRow(listing, account);
    this.#tell(socket, row[2] === 0 ? 'pc' : 'pu', row);
  }

  /** An order as every list and event shows it. */
  #rowOf(order: Order): readonly unknown[] {
    const { listing, side, filled, qty } = order;
    const sign = side === 'buy' ? 1 : -1;
    const cid = /^\d+$/.test(order.clientOrderId) ? Number(order.clientOrderId) : null;
    const type = (listing.kind === 'spot' ? 'EXCHANGE ' : '') + typeOf(order);
    const flags = order.postOnly ? POST_ONLY : 0;
    const price = order.type === 'market' ? 0 : numberOf(listing, order.price);
    return [
      ...[FIRST_ORDER + order.id, null, cid, symbolOf(listing), order.createdMs, order.updatedMs],
      ...[sign * amountOf(listing, qty - filled), sign * amountOf(listing, qty), type, null, null, null, flags],
      ...[statusText(order, this.#asked.has(order)), null, null, price, Number(averageOf(order).toFixed(10)), 0, 0],
      ...[null, null, null, 0, 0, null, null, null, 'API>BFX', null, null, null],
    ];
  }

  /** @throws BitfinexError */
  #privateAnswer(path: string, { method, headers, body }: HttpRequest): unknown {
    const account = this.#exchange.ledger.byKey(headers['bfx-apikey'] ?? '');
    const nonce = headers['bfx-nonce'] ?? '';
    if (method !== 'POST') return undefined;
    if (account === undefined) throw new BitfinexError(10100, 'apikey: invalid');
    if (!sameText(headers['bfx-signature'] ?? '', signature(account, `/api${path}${nonce}${body}`)))
      throw new BitfinexError(10100, 'apikey: digest invalid');
    if (!this.#takesNonce(`rest:${account.spec.apiKey}`, nonce)) throw new BitfinexError(10114, 'nonce: small');
    if (this.#requests.take(account.spec.name, 1, this.#nowMs()) > REQUESTS_A_MINUTE)
      throw new BitfinexError(11010, 'ratelimit: error', 429);
    const payload = objectOf(body) ?? {};
    const fields = fieldsOfJson(payload) ?? new Map<string, string>();
    const [, what = ''] = /^\/v2\/auth\/(.*)$/.exec(path) ?? [];
    switch (what) {
      case 'w/order/submit':
        return this.#notice('on-req', [this.#rowOf(this.#place(account, fields))], 'SUCCESS', 'Submitting order.');
      case 'w/order/cancel':
        return this.#notice('oc-req', this.#rowOf(this.#cancel(account, fields)), 'SUCCESS', 'Submitted.');
      case 'w/order/cancel/multi': {
        const rows = this.#cancelMany(account, payload).map((order) => this.#rowOf(order));
        return this.#notice('oc_multi-req', rows, 'SUCCESS', `Submitting ${rows.length} order cancellations.`);
      }
      case 'r/wallets':
        return walletsOf(account);
      case 'r/positions':
        return positionsOf(account);
      case 'r/permissions':
        return [
          ...[
            ['account', 1, 0],
            ['history', 1, 0],
            ['orders', 1, 1],
            ['positions', 1, 1],
            ['funding', 0, 0],
          ],
          ...[
            ['settings', 0, 0],
            ['wallets', 1, 0],
            ['withdraw', 0, 0],
          ],
        ];
      case 'r/summary':
        return summaryOf(this.#exchange);
      default:
        return this.#listAnswer(account, what, payload);
    }
  }

  /** Lists of orders and trades, of one symbol or of all, newest first. */
  #listAnswer(account: Account, what: string, payload: Readonly<Record<string, unknown>>): unknown {
    const [, kind, symbol, history] = /^r\/(orders|trades)(?:\/(t[^/]+))?(\/hist)?$/.exec(what) ?? [];
    const [, of, id] = /^r\/order\/(t[^/]+):(\d+)\/trades$/.exec(what) ?? [];
    const limit = Math.min(2_500, Number(payload['limit'] ?? 2_500));
    const [start, end] = [Number(payload['start'] ?? 0), Number(payload['end'] ?? Infinity)];
    const sorted = <T>(rows: readonly T[]): readonly T[] => (payload['sort'] === 1 ? rows : rows.toReversed());
    const within = (timeMs: number): boolean => timeMs >= start && timeMs <= end;
    if (of !== undefined) {
      const order = this.#exchange.find(account, { id: Number(id) - FIRST_ORDER });
      return (order?.trades ?? []).map((trade) => fillRow(trade, true));
    }
    const orders = this.#ordersOf(account).filter(
      ({ listing }) => symbol === undefined || symbolOf(listing) === symbol,
    );
    if (kind === 'trades') {
      const trades = orders.flatMap(({ trades: own }) => own).sort((a, b) => a.id - b.id);
      return sorted(trades.filter(({ timeMs }) => within(timeMs)))
        .slice(0, limit)
        .map((trade) => fillRow(trade, true));
    }
    if (kind !== 'orders') return undefined;
    const ids = payload['id'] === undefined ? undefined : new Set(listOf(payload['id']).map(Number));
    return sorted(orders)
      .filter((order) => isOpen(order) === (history === undefined) && (ids?.has(FIRST_ORDER + order.id) ?? true))
      .filter(({ createdMs }) => history === undefined || within(createdMs))
      .slice(0, limit)
      .map((order) => this.#rowOf(order));
  }
}

const isOpen = ({ status }: Order): boolean => status === 'open';

/** Exactly what JSON and the checksum both print. */
const numberOf = (listing: Listing, ticks: number): number => priceOf(listing, ticks).toNumber();
const amountOf = (listing: Listing, lots: number): number => qtyOf(listing, lots).toNumber();

const signature = ({ spec }: Account, text: string): string =>
  createHmac('sha384', spec.secret).update(text).digest('hex');

function arrayOf(text: string): readonly unknown[] {
  return listOf(objectOf(`{"items":${text}}`)?.['items']);
}

/** A path as it was meant: clients may encode its colons. */
function decodeRoute(route: string): string {
  try {
    return decodeURIComponent(route);
  } catch (error) {
    if (error instanceof URIError) return route;
    throw error;
  }
}

/** `[price,count,amount]` texts that lead from one book to another. What is gone comes first, so that no book is crossed on the way. */
function levelsBetween(listing: Listing, before: Sides, now: Sides): readonly string[] {
  const bids = changesOf(listing, before.bids, now.bids, 1);
  const asks = changesOf(listing, before.asks, now.asks, -1);
  return [...bids.gone, ...asks.gone, ...bids.changed, ...asks.changed];
}

/** A count of 0 takes a level away. */
function changesOf(listing: Listing, before: FlatLevels, now: FlatLevels, sign: 1 | -1) {
  const known = new Map<number, number>();
  for (let at = 0; at < before.length; at += 2) known.set(before[at]!, before[at + 1]!);
  const changed: string[] = [];
  for (let at = 0; at < now.length; at += 2) {
    const [price, lots] = [now[at]!, now[at + 1]!];
    if (known.get(price) !== lots)
      changed.push(JSON.stringify([numberOf(listing, price), 1, sign * amountOf(listing, lots)]));
    known.delete(price);
  }
  return { gone: [...known.keys()].map((price) => JSON.stringify([numberOf(listing, price), 0, sign])), changed };
}

/** Signed CRC32 of the best 25 a side, as JavaScript prints them; asks with their sign. */
function checksumOf({ listing, told: { bids, asks } }: Channel): number {
  const texts: string[] = [];
  for (let at = 0; at < 2 * HASHED_LEVELS; at += 2)
    for (const [side, sign] of [
      [bids, 1],
      [asks, -1],
    ] as const)
      if (at < side.length) texts.push(`${numberOf(listing, side[at]!)}:${sign * amountOf(listing, side[at + 1]!)}`);
  return crc32(texts.join(':')) | 0;
}

/** As the status channel shows it; by REST with its symbol first. */
function statusOf(exchange: Exchange, listing: Listing): readonly unknown[] | undefined {
  const reference = referenceOf(exchange, listing);
  if (reference === undefined) return undefined;
  const { mark, index, fundingRate, fundingMs } = reference;
  const steps = Math.floor((exchange.nowMs() - (fundingMs - listing.fundingEveryMs)) / 60_000);
  return [
    ...[exchange.nowMs(), null, mark, index, null, 100_000, null, fundingMs, fundingRate, steps, null, fundingRate],
    ...[null, null, mark, null, null, 1_000, null, null, null, 0.0005, 0.0025],
  ];
}

type OrderKind = Pick<Order, 'type' | 'timeInForce'>;
const ORDER_TYPES: Readonly<Record<string, OrderKind>> = {
  LIMIT: { type: 'limit', timeInForce: 'GTC' },
  IOC: { type: 'limit', timeInForce: 'IOC' },
  FOK: { type: 'limit', timeInForce: 'FOK' },
  MARKET: { type: 'market', timeInForce: 'IOC' },
};
const typeOf = ({ type, timeInForce }: Order): string =>
  type === 'market' ? 'MARKET' : timeInForce === 'GTC' ? 'LIMIT' : timeInForce;

function statusText(order: Order, wasAsked: boolean): string {
  const { listing, status, filled, side, timeInForce, type } = order;
  const amount = `${side === 'buy' ? '' : '-'}${qtyOf(listing, filled).toFixed()}`;
  const at = `@ ${averageOf(order).toDecimalPlaces(10).toFixed()}(${amount})`;
  const past = filled > 0 ? ` was: PARTIALLY FILLED ${at}` : '';
  switch (status) {
    case 'open':
      return filled > 0 ? `PARTIALLY FILLED ${at}` : 'ACTIVE';
    case 'filled':
      return `EXECUTED ${at}`;
    case 'canceled':
      return order.postOnly && !wasAsked ? 'POSTONLY CANCELED' : `CANCELED${past}`;
    case 'expired':
      if (type === 'market' || timeInForce === 'GTC') return `CANCELED${past}`;
      return `${timeInForce === 'IOC' ? 'IOC' : 'FILLORKILL'} CANCELED${past}`;
  }
}

/** What a refused order leaves of its row: its number and what was asked. */
const blankRow = (fields: Fields): readonly unknown[] => [
  ...[Number(fields.get('id') ?? NaN) || null, null, Number(fields.get('cid') ?? NaN) || null],
  fields.get('symbol') ?? null,
  ...Array.from({ length: 28 }, () => null),
];

/** `te` comes without its fee. */
function fillRow({ id, order, price, lots, fee, feeAsset, liquidity, timeMs }: Trade, withFee: boolean): unknown[] {
  const { listing } = order;
  const amount = (order.side === 'buy' ? 1 : -1) * amountOf(listing, lots);
  const type = (listing.kind === 'spot' ? 'EXCHANGE ' : '') + typeOf(order);
  const paid = withFee ? [0 - fee.toNumber(), codeIn(listing, feeAsset)] : [null, null];
  return [
    ...[id, symbolOf(listing), timeMs, FIRST_ORDER + order.id, amount, numberOf(listing, price), type],
    ...[order.type === 'market' ? 0 : numberOf(listing, order.price), liquidity === 'maker' ? 1 : -1, ...paid],
    /^\d+$/.test(order.clientOrderId) ? Number(order.clientOrderId) : null,
  ];
}

/** Money in the margin wallet has codes of its own. */
const codeIn = ({ kind }: Pick<Listing, 'kind'>, asset: string): string =>
  kind === 'spot' ? codeOf(asset) : `${codeOf(asset)}F0`;

/** Every wallet, or what one listing's orders touch. */
function walletsOf(account: Account, listing?: Listing): readonly (readonly unknown[])[] {
  const kinds = [
    ['exchange', 'spot'],
    ['margin', 'perpetual'],
  ] as const;
  return kinds.flatMap(([wallet, kind]) =>
    account
      .assets(wallet)
      .filter((asset) => listing === undefined || (listing.wallet === wallet && isTouched(listing, asset)))
      .map((asset) => {
        const { total } = account.balance(wallet, asset);
        const available = account.available(wallet, asset).toNumber();
        return [wallet, codeIn({ kind }, asset), total.toNumber(), 0, available, null, null];
      }),
  );
}

const isTouched = ({ base, quote, settle }: Listing, asset: string): boolean => [base, quote, settle].includes(asset);

function positionRow(listing: Listing, account: Account): readonly unknown[] {
  const position = account.position(listing);
  const size = Number(signedSize(listing, position));
  return [
    ...[symbolOf(listing), size === 0 ? 'CLOSED' : 'ACTIVE', size, Number(entryPrice(listing, position)), 0, 0],
    ...[null, null, null, size === 0 ? null : 10, null, listing.index + 1, null, null, null, 0, null, 0, 0, null],
  ];
}

const positionsOf = (account: Account): readonly unknown[] =>
  account
    .positions()
    .filter(({ position }) => position.lots !== 0)
    .map(({ listing }) => positionRow(listing, account));

function summaryOf({ listings }: Exchange): unknown {
  const of = (kind: Listing['kind']): Listing | undefined => listings.find((each) => each.kind === kind);
  const [spot, swap] = [of('spot'), of('perpetual')];
  const rates = (side: 'maker' | 'taker'): readonly unknown[] => {
    const [plain, derivative] = [spot?.[side].toNumber() ?? 0, swap?.[side].toNumber() ?? 0];
    return [plain, plain, plain, null, null, derivative];
  };
  return [null, null, null, null, [rates('maker'), rates('taker')], null, null, null, null, {}];
}

/** @throws BitfinexError */
function publicAnswer(exchange: Exchange, path: string, fields: Fields): unknown {
  const [, conf] = /^\/v2\/conf\/(.+)$/.exec(path) ?? [];
  if (conf !== undefined) return conf.split(',').map((label) => configurationOf(exchange, label));
  if (path === '/v2/platform/status') return [1];
  if (path === '/v2/tickers') {
    const wanted = (fields.get('symbols') ?? 'ALL').split(',');
    return exchange.listings
      .filter((listing) => wanted.includes('ALL') || wanted.includes(symbolOf(listing)))
      .flatMap((listing) => tickerOf(exchange, listing));
  }
  if (path === '/v2/status/deriv') {
    const wanted = (fields.get('keys') ?? 'ALL').split(',');
    return exchange.listings
      .filter((listing) => listing.perpetual && (wanted.includes('ALL') || wanted.includes(symbolOf(listing))))
      .flatMap((listing) => [[symbolOf(listing), ...(statusOf(exchange, listing) ?? [])]]);
  }
  const [, symbol, precision] = /^\/v2\/book\/(t[^/]+)\/(P0|R0)$/.exec(path) ?? [];
  if (symbol === undefined) return undefined;
  const listing = exchange.listings.find((each) => symbolOf(each) === symbol);
  if (listing === undefined) throw new BitfinexError(10020, 'symbol: invalid');
  return bookOf(exchange, listing, { depth: Number(fields.get('len') ?? 25), isRaw: precision === 'R0' });
}

/** By price, or order by order: then the level stands for its only order. */
function bookOf(
  exchange: Exchange,
  listing: Listing,
  { depth, isRaw }: { readonly depth: number; readonly isRaw: boolean },
): unknown {
  const { bids, asks } = exchange.engine(listing);
  return [
    [flatLevels(bids, depth), 1],
    [flatLevels(asks, depth), -1],
  ].flatMap(([flat, sign]) => {
    const levels = flat as FlatLevels;
    return Array.from({ length: levels.length / 2 }, (_, at) => {
      const [price, lots] = [levels[2 * at]!, levels[2 * at + 1]!];
      const amount = (sign as number) * amountOf(listing, lots);
      return isRaw ? [1_000_000 + price, numberOf(listing, price), amount] : [numberOf(listing, price), 1, amount];
    });
  });
}

function tickerOf(exchange: Exchange, listing: Listing): readonly unknown[] {
  const { bids, asks } = exchange.engine(listing);
  const [bid, ask] = [bids.best(), asks.best()];
  if (bid === undefined || ask === undefined) return [];
  const [low, high] = [numberOf(listing, bid.price), numberOf(listing, ask.price)];
  const [bidSize, askSize] = [amountOf(listing, bid.qty), amountOf(listing, ask.qty)];
  return [[symbolOf(listing), low, bidSize, high, askSize, 0, 0, low, 1_000, high, low]];
}

function configurationOf({ listings }: Exchange, label: string): unknown {
  const pairs = (kind: Listing['kind']): unknown =>
    listings
      .filter((listing) => listing.kind === kind)
      .map((listing) => [
        pairOf(listing),
        [null, null, null, qtyOf(listing, listing.minLots).toFixed(), '100000.0', null, null, null, null, null, null],
      ]);
  switch (label) {
    case 'pub:info:pair':
      return pairs('spot');
    case 'pub:info:pair:futures':
      return pairs('perpetual');
    case 'pub:list:currency':
      return [...new Set(listings.flatMap((each) => [codeIn(each, each.base), codeIn(each, each.quote)]))];
    case 'pub:map:currency:sym':
      return [
        ['UST', 'USDt'],
        ['UDC', 'USDC'],
        ['USTF0', 'USDt0'],
      ];
    default:
      return [];
  }
}

/** Nearly everything is 10001: the text says what. */
function refusalOf(reason: Refusal, listing: Listing, amount: string): BitfinexError {
  const pair = `${codeOf(listing.base)}/${codeOf(listing.quote)}`;
  const wallet = listing.kind === 'spot' ? 'exchange' : 'tradable';
  const minimum = `Invalid order: minimum size for ${pair} is ${qtyOf(listing, listing.minLots).toFixed()}`;
  const said: Readonly<Record<Refusal, readonly [code: number, text: string]>> = {
    'price-off-grid': [10020, 'price: invalid'],
    'qty-off-grid': [10020, 'amount: invalid'],
    'below-min-qty': [10001, minimum],
    'below-min-notional': [10001, minimum],
    'insufficient-funds': [10001, `Invalid order: not enough ${wallet} balance for ${amount} ${pair}`],
    'duplicate-id': [10001, 'Invalid order: duplicate cid'],
    'would-take': [10001, 'Invalid order: post-only order would take'],
    'no-liquidity': [10001, 'Invalid order: market is closed'],
    'too-many-orders': [11010, 'ratelimit: error'],
    'reduce-only': [10001, 'Invalid order: reduce-only order would not reduce a position'],
    expired: [10001, 'Invalid order: symbol is not available'],
    'told-to': [10001, 'Invalid order: trading is disabled for this pair'],
  };
  return new BitfinexError(...said[reason], reason === 'too-many-orders' ? 429 : 500);
}
