import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import { DepthView, flatLevels } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Exchange, Order, OrderChange, Print, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import { scaled, trimmedText } from '../grid-text.ts';
import type { Listing, ListingSpec } from '../listings.ts';
import { derivativeListing, lotOf, priceOf, qtyOf, spotListings, tickOf } from '../listings.ts';
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
  listOf,
  objectOf,
  PrivateAudience,
  RateWindow,
  sameText,
  splitPath,
} from './venue-dialect.ts';

type Fields = ReadonlyMap<string, string>;
type Call = { readonly fields: Fields; readonly items: readonly Fields[]; readonly account: Account | undefined };
type Operation = { readonly signed: boolean; readonly acknowledges?: true; readonly run: (call: Call) => unknown };
type Socket = OkxReceiver & {
  readonly client: Client;
  readonly id: string;
  readonly channels: Map<string, readonly [OkxFeed, OkxChannel]>;
  readonly references: Map<string, Subject>;
  readonly privateChannels: Set<string>;
  account: Account | undefined;
  spokeMs: number;
};

/** A reference channel of a socket: what it is about, and when it was told last. */
type Subject = {
  readonly channel: ReferenceChannel;
  readonly arg: Fields;
  readonly listings: readonly Listing[];
  toldMs: number;
};

const BATCH_MAX = 20;
const PAGE = 100;
const ORDERS_PER_INSTRUMENT = 60;
const ORDERS_WINDOW_MS = 2_000;
const TIMESTAMP_WINDOW_MS = 30_000;
const IDLE_MS = 30_000;
/** Least and most seconds of cancel-all-after; 0 disarms it. */
const CANCEL_AFTER_S = [10, 120] as const;

/** How often each is told; they change with every price. */
const REFERENCE_MS = {
  'mark-price': 1_000,
  'index-tickers': 1_000,
  'opt-summary': 1_000,
  'funding-rate': 5_000,
} as const;
type ReferenceChannel = keyof typeof REFERENCE_MS;

const TYPE_OF = { spot: 'SPOT', perpetual: 'SWAP', future: 'FUTURES', option: 'OPTION', combo: '' } as const;
const typeOf = ({ kind }: Listing): string => TYPE_OF[kind];
/** `BTC-USD` of `BTC/USD:BTC-270326-90000-C`. */
const familyOf = ({ symbol }: Listing): string => symbol.split(':')[0]!.replace('/', '-');

const derivative = (
  rules: Pick<ListingSpec, 'market' | 'symbol' | 'venueSymbol' | 'priceDecimals'> & {
    readonly contractSize: string;
    readonly lotDecimals?: number;
  },
): ListingSpec =>
  derivativeListing({
    venue: 'okx',
    lotDecimals: 0,
    fees: rules.market === 'options' ? ['0.0002', '0.0003'] : ['0.0002', '0.0005'],
    deliveryFee: rules.market === 'options' ? '0.0002' : '0.0001',
    feeCap: '0.07',
    // The delivery price of a future is the average of an hour, an option's that of half one.
    settlesOverMs: rules.market === 'futures' ? 3_600_000 : 1_800_000,
    postOnly: 'ended',
    ...rules,
  });

/**
 * OKX V5: REST below `/api/v5`, sockets at `/ws/v5/public`, `/ws/v5/private`, `/ws/v5/business`.
 * @see https://www.okx.com/docs-v5/en/
 */
export const simulated: SimulatedVenue = {
  venue: 'okx',
  hosts: { 'www.okx.com': '', 'ws.okx.com:8443': '', 'ws.okx.com': '' },
  listings: [
    ...spotListings({
      venue: 'okx',
      fees: ['0.0008', '0.001'],
      postOnly: 'ended',
      spell: (base, quote) => `${base}-${quote}`,
      minQty: { BTC: '0.00001', ETH: '0.0001', SOL: '0.001', XRP: '1', ADA: '1', LTC: '0.01', USDC: '1' },
    }),
    derivative({
      market: 'swap',
      symbol: 'BTC/USDT:USDT',
      venueSymbol: 'BTC-USDT-SWAP',
      contractSize: '0.01',
      priceDecimals: 1,
      lotDecimals: 2,
    }),
    derivative({
      market: 'swap',
      symbol: 'BTC/USD:BTC',
      venueSymbol: 'BTC-USD-SWAP',
      contractSize: '100',
      priceDecimals: 1,
    }),
    derivative({
      market: 'futures',
      symbol: 'BTC/USDT:USDT-270326',
      venueSymbol: 'BTC-USDT-270326',
      contractSize: '0.01',
      priceDecimals: 1,
      lotDecimals: 2,
    }),
    derivative({
      market: 'futures',
      symbol: 'BTC/USD:BTC-270326',
      venueSymbol: 'BTC-USD-270326',
      contractSize: '100',
      priceDecimals: 1,
    }),
    ...['C', 'P'].map((right) =>
      derivative({
        market: 'options',
        symbol: `BTC/USD:BTC-270326-90000-${right}`,
        venueSymbol: `BTC-USD-270326-90000-${right}`,
        contractSize: '0.01',
        priceDecimals: 4,
      }),
    ),
  ],
  dialect: (options) => new Okx(options),
};

/** OKX's refusal of a whole request. */
class OkxError extends Error {
  override readonly name = 'OkxError';
  readonly code: string;
  readonly status: number;

  constructor(code: string, text: string, status = 200) {
    super(text);
    this.code = code;
    this.status = status;
  }
}

class Okx implements VenueDialect {
  readonly venue = 'okx';
  readonly #options: DialectOptions;
  readonly #exchange: Exchange;
  readonly #feeds: readonly OkxFeed[];
  readonly #flushedMs: Float64Array;
  readonly #sockets = new Set<Socket>();
  readonly #private = new PrivateAudience<Socket>();
  readonly #orderRates = new RateWindow(ORDERS_WINDOW_MS);
  readonly #operations: ReadonlyMap<string, Operation>;
  /** When to cancel what an account has open, unless it says otherwise before. */
  readonly #cancelAfterMs = new Map<Account, number>();
  #connections = 0;
  #sweptMs = 0;

  constructor(options: DialectOptions) {
    this.#options = options;
    this.#exchange = options.exchange;
    this.#feeds = options.exchange.listings.map((listing) => new OkxFeed(listing, options.exchange.engine(listing)));
    this.#flushedMs = new Float64Array(this.#feeds.length).fill(-Infinity);
    this.#operations = new Map(Object.entries({ ...this.#publicOperations(), ...this.#privateOperations() }));
    options.exchange.listener = {
      booked: (listing) => this.#booked(listing),
      printed: (listing, print) => {
        if (!this.#isStale(listing)) this.#feeds[listing.index]!.trade(print);
      },
      ordered: (order, change) => this.#ordered(order, change),
      paid: (account) => this.#paid(account),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    if (!/^\/ws\/v5\/(public|private|business)$/.test(splitPath(path).route)) return undefined;
    this.#connections += 1;
    const socket: Socket = {
      client,
      id: String(this.#connections).padStart(8, '0'),
      channels: new Map(),
      references: new Map(),
      privateChannels: new Set(),
      account: undefined,
      spokeMs: this.#exchange.nowMs(),
      send: (text) => {
        socket.spokeMs = this.#exchange.nowMs();
        client.send(text);
      },
    };
    this.#sockets.add(socket);
    return {
      markets: ['spot', 'swap', 'futures', 'options'],
      message: (text) => this.#message(socket, text),
      closed: () => {
        this.#sockets.delete(socket);
        this.#private.leave(socket);
        for (const [feed, channel] of socket.channels.values()) feed.unsubscribe(channel, socket);
      },
    };
  }

  request(request: HttpRequest): HttpReply {
    const { route, query } = splitPath(request.path);
    const operation = this.#operations.get(`${request.method} ${route.replace('/api/v5/', '')}`);
    if (operation === undefined) return jsonReply(404, { code: '404', data: [], msg: 'URL not found' });
    try {
      const account = operation.signed ? this.#authorise(request) : undefined;
      const body: unknown = request.body === '' ? undefined : (objectOf(request.body) ?? arrayOf(request.body));
      const items = (Array.isArray(body) ? listOf(body) : [body]).flatMap((item) => fieldsOfJson(item) ?? []);
      const fields = request.method === 'GET' ? fieldsOf(query) : (items[0] ?? new Map<string, string>());
      const data = operation.run({ fields, items, account });
      const delayMs =
        operation.acknowledges === true ? this.#options.faults.ackDelayMs('okx', this.#marketOfItem(fields)) : 0;
      const code = operation.acknowledges === true ? codeOf(data as readonly OkxAck[]) : '0';
      return { ...jsonReply(200, { code, data, msg: code === '1' ? 'All operations failed' : '' }), delayMs };
    } catch (error) {
      if (error instanceof OkxError) return jsonReply(error.status, { code: error.code, data: [], msg: error.message });
      throw error;
    }
  }

  marketOf(path: string): string {
    if (/instType=OPTION|instId=[^&]*-[CP](&|$)/.test(path)) return 'options';
    if (/instType=SWAP|instId=[^&]*-SWAP/.test(path)) return 'swap';
    return /instType=FUTURES|instId=[^&]*-\d{6}(&|$)/.test(path) ? 'futures' : 'spot';
  }

  failure(kind: 'rate-limited' | 'server-error'): string {
    const [code, msg] =
      kind === 'rate-limited' ? ['50011', 'Too Many Requests'] : ['50001', 'Service temporarily unavailable.'];
    return JSON.stringify({ code, data: [], msg });
  }

  step(): void {
    const nowMs = this.#exchange.nowMs();
    for (const feed of this.#feeds) {
      const { listing } = feed;
      if (nowMs - this.#flushedMs[listing.index]! < this.#options.batchMs || this.#isStale(listing)) continue;
      this.#flushedMs[listing.index] = nowMs;
      feed.flush(nowMs, () => this.#dropped(listing));
    }
    for (const socket of this.#sockets) this.#tellReferences(socket, nowMs);
    for (const [account, atMs] of this.#cancelAfterMs) if (nowMs >= atMs) this.#cancelNow(account);
    if (nowMs - this.#sweptMs < 1_000) return;
    this.#sweptMs = nowMs;
    for (const { spokeMs, client } of [...this.#sockets])
      if (nowMs - spokeMs > IDLE_MS) client.close(4004, 'No data received in 30s.');
  }

  #booked(listing: Listing): void {
    if (this.#isStale(listing)) return;
    const feed = this.#feeds[listing.index]!;
    const nowMs = this.#exchange.nowMs();
    feed.quote(nowMs);
    if (this.#options.batchMs === 0) feed.flush(nowMs, () => this.#dropped(listing));
  }

  #dropped({ market }: Listing): boolean {
    return this.#options.faults.take('gap', 'okx', market) !== undefined;
  }

  #isStale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'okx', market);
  }

  #cancelNow(account: Account): void {
    this.#cancelAfterMs.delete(account);
    for (const order of this.#exchange.ordersOf(account, 'open')) {
      cancelSources.set(order, '20');
      this.#exchange.cancel(order);
    }
  }

  #tellReferences(socket: Socket, nowMs: number): void {
    for (const subject of socket.references.values()) {
      if (nowMs - subject.toldMs < REFERENCE_MS[subject.channel]) continue;
      subject.toldMs = nowMs;
      const rows = subject.listings.flatMap((listing) => {
        const row = this.#isStale(listing) ? undefined : referenceRow(this.#exchange, listing, subject);
        return row === undefined ? [] : [row];
      });
      if (rows.length > 0) socket.send(JSON.stringify({ arg: Object.fromEntries(subject.arg), data: rows }));
    }
  }

  /** What a reference channel is about: an instrument, a family, or the index of one. */
  #subjectOf(channel: ReferenceChannel, arg: Fields): Subject {
    const instId = arg.get('instId');
    const family = arg.get('instFamily') ?? arg.get('uly');
    const { listings } = this.#exchange;
    const of = {
      'mark-price': listings.filter((each) => each.kind !== 'spot' && each.venueSymbol === instId),
      'funding-rate': listings.filter((each) => each.perpetual && each.venueSymbol === instId),
      'index-tickers': listings.filter((each) => familyOf(each) === instId).slice(0, 1),
      'opt-summary': listings.filter((each) => each.kind === 'option' && familyOf(each) === family),
    };
    return { channel, arg, listings: of[channel], toldMs: -Infinity };
  }

  #message(socket: Socket, text: string): void {
    socket.spokeMs = this.#exchange.nowMs();
    if (text === 'ping') {
      socket.send('pong');
      return;
    }
    const message = objectOf(text);
    const op = message?.['op'];
    const args = listOf(message?.['args']).flatMap((arg) => fieldsOfJson(arg) ?? []);
    const id = typeof message?.['id'] === 'string' ? message['id'] : '';
    switch (op) {
      case 'subscribe':
      case 'unsubscribe':
        for (const arg of args) this.#subscription(socket, op, arg);
        return;
      case 'login':
        this.#login(socket, args[0] ?? new Map<string, string>());
        return;
      case 'order':
      case 'batch-orders':
      case 'cancel-order':
      case 'batch-cancel-orders':
        this.#trade(socket, { id, op, args });
        return;
      default:
        socket.send(
          JSON.stringify({
            event: 'error',
            code: '60012',
            msg: `Illegal request: ${text.slice(0, 200)}`,
            connId: socket.id,
          }),
        );
    }
  }

  #subscription(socket: Socket, op: 'subscribe' | 'unsubscribe', arg: Fields): void {
    const [channel, instId] = [arg.get('channel') ?? '', arg.get('instId') ?? ''];
    const key = [channel, instId, arg.get('instFamily') ?? arg.get('uly') ?? ''].join(':');
    const answer = { event: op, arg: Object.fromEntries(arg), connId: socket.id };
    if (channel === 'orders' || channel === 'account' || channel === 'positions') {
      if (socket.account === undefined) {
        this.#error(socket, '60011', 'Please log in');
        return;
      }
      if (op === 'subscribe') socket.privateChannels.add(channel);
      else socket.privateChannels.delete(channel);
      socket.send(JSON.stringify(answer));
      if (op === 'subscribe' && channel === 'account') this.#sendBalances(socket, socket.account);
      if (op === 'subscribe' && channel === 'positions') this.#sendPositions(socket, socket.account);
      return;
    }
    const feed = this.#feeds.find(({ listing }) => listing.venueSymbol === instId);
    const subject = isReference(channel) ? this.#subjectOf(channel, arg) : undefined;
    const exists = subject === undefined ? feed !== undefined && isChannel(channel) : subject.listings.length > 0;
    if (!exists) {
      const asked = `channel:${channel},instId:${instId}`;
      this.#error(
        socket,
        '60018',
        `Wrong URL or ${asked} doesn't exist. Please use the correct URL, channel and parameters.`,
      );
      return;
    }
    socket.send(JSON.stringify(answer));
    if (subject !== undefined) {
      if (op === 'subscribe') socket.references.set(key, subject);
      else socket.references.delete(key);
      return;
    }
    if (feed === undefined || !isChannel(channel)) return;
    if (op === 'unsubscribe') {
      socket.channels.delete(key);
      feed.unsubscribe(channel, socket);
      return;
    }
    socket.channels.set(key, [feed, channel]);
    feed.subscribe(channel, socket, this.#exchange.nowMs());
  }

  #error(socket: Socket, code: string, msg: string): void {
    socket.send(JSON.stringify({ event: 'error', code, msg, connId: socket.id }));
  }

  #login(socket: Socket, fields: Fields): void {
    const account = this.#exchange.ledger.byKey(fields.get('apiKey') ?? '');
    const timestamp = fields.get('timestamp') ?? '';
    if (account === undefined) {
      this.#error(socket, '60005', 'Invalid apiKey');
      return;
    }
    if (Math.abs(Number(timestamp) * 1_000 - this.#exchange.nowMs()) > TIMESTAMP_WINDOW_MS) {
      this.#error(socket, '60006', 'Timestamp request expired');
      return;
    }
    const expected = hmacSha256(account.spec.secret, `${timestamp}GET/users/self/verify`, 'base64');
    if (fields.get('passphrase') !== account.spec.passphrase || !sameText(fields.get('sign') ?? '', expected)) {
      this.#error(socket, '60007', 'Invalid sign');
      return;
    }
    socket.account = account;
    this.#private.join(account, socket);
    socket.send(JSON.stringify({ event: 'login', code: '0', msg: '', connId: socket.id }));
  }

  /** An order request on a private socket. Instruments are named by `instIdCode`; `instId` is not honoured there since March 2026. */
  #trade(
    socket: Socket,
    { id, op, args }: { readonly id: string; readonly op: string; readonly args: readonly Fields[] },
  ): void {
    const { account } = socket;
    const inTime = String(this.#exchange.nowMs() * 1_000);
    const reply = (code: string, data: readonly OkxAck[], msg = ''): void =>
      socket.send(JSON.stringify({ id, op, code, msg, data, inTime, outTime: String(this.#exchange.nowMs() * 1_000) }));
    if (account === undefined) {
      reply('60011', [], 'Please log in');
      return;
    }
    if (args.length === 0 || args.length > BATCH_MAX) {
      reply('60012', [], 'Illegal request');
      return;
    }
    const listings = args.map((arg) => this.#exchange.listings[Number(arg.get('instIdCode')) - INSTRUMENT_CODE_FIRST]);
    const data = args.map((arg, at) =>
      op === 'order' || op === 'batch-orders'
        ? this.#place(account, listings[at], arg)
        : cancelItem(this.#exchange, account, arg),
    );
    deliver(this.#options, listings[0]?.market ?? 'spot', () => reply(codeOf(data), data));
  }

  #place(account: Account, listing: Listing | undefined, fields: Fields): OkxAck {
    const key = `${account.spec.name}:${listing?.venueSymbol ?? ''}`;
    if (this.#orderRates.take(key, 1, this.#exchange.nowMs()) > ORDERS_PER_INSTRUMENT)
      return {
        ordId: '',
        clOrdId: fields.get('clOrdId') ?? '',
        tag: '',
        ts: String(this.#exchange.nowMs()),
        sCode: '50011',
        sMsg: 'Rate limit reached.',
      };
    return placeItem(this.#exchange, listing, account, fields);
  }

  /** Timestamp + method + path with query + body, HMAC-SHA256, base64. @throws OkxError */
  #authorise({ method, path, headers, body }: HttpRequest): Account {
    const account = this.#exchange.ledger.byKey(headers['ok-access-key'] ?? '');
    const timestamp = headers['ok-access-timestamp'] ?? '';
    if (account === undefined) throw new OkxError('50111', 'Invalid OK-ACCESS-KEY', 401);
    if (!(Math.abs(Date.parse(timestamp) - this.#exchange.nowMs()) <= TIMESTAMP_WINDOW_MS))
      throw new OkxError('50102', 'Timestamp request expired', 401);
    if (headers['ok-access-passphrase'] !== account.spec.passphrase)
      throw new OkxError('50105', 'Request header OK-ACCESS-PASSPHRASE incorrect.', 401);
    if (
      !sameText(
        headers['ok-access-sign'] ?? '',
        hmacSha256(account.spec.secret, timestamp + method + path + body, 'base64'),
      )
    )
      throw new OkxError('50113', 'Invalid Sign', 401);
    return account;
  }

  #publicOperations(): Readonly<Record<string, Operation>> {
    const open = (run: Operation['run']): Operation => ({ signed: false, run });
    const ofType = (fields: Fields): readonly Listing[] =>
      this.#exchange.traded().filter((listing) => {
        const family = fields.get('instFamily') ?? fields.get('uly');
        return fields.get('instType') === typeOf(listing) && (family === undefined || family === familyOf(listing));
      });
    const nowMs = (): number => this.#exchange.nowMs();
    return {
      'GET public/time': open(() => [{ ts: String(nowMs()) }]),
      'GET public/instruments': open(({ fields }) => {
        const instId = fields.get('instId');
        if (fields.get('instType') === 'OPTION' && !fields.has('uly') && !fields.has('instFamily'))
          throw new OkxError('50015', 'Either parameter uly or instFamily is required.', 400);
        return ofType(fields)
          .filter(({ venueSymbol }) => instId === undefined || venueSymbol === instId)
          .map(instrumentOf);
      }),
      'GET market/books': open(({ fields }) => [
        this.#feed(fields).snapshot(Math.min(400, Number(fields.get('sz') ?? 1)), nowMs()),
      ]),
      'GET public/funding-rate': open(({ fields }) => [this.#referenceOf('funding-rate', fields)]),
      'GET public/mark-price': open(({ fields }) => [this.#referenceOf('mark-price', fields)]),
      'GET market/ticker': open(({ fields }) => [this.#feed(fields).ticker(nowMs())]),
      'GET market/tickers': open(({ fields }) =>
        ofType(fields).map(({ index }) => this.#feeds[index]!.ticker(nowMs())),
      ),
    };
  }

  #privateOperations(): Readonly<Record<string, Operation>> {
    const signed = (run: (call: Call, account: Account) => unknown): Operation => ({
      signed: true,
      run: (call) => {
        if (call.account === undefined) throw new OkxError('50111', 'Invalid OK-ACCESS-KEY', 401);
        return run(call, call.account);
      },
    });
    const orders = (account: Account, fields: Fields): readonly Order[] =>
      this.#exchange
        .ordersOf(account)
        .filter(({ listing }) => (fields.get('instId') ?? listing.venueSymbol) === listing.venueSymbol)
        .filter(({ listing }) => (fields.get('instType') ?? typeOf(listing)) === typeOf(listing))
        .toReversed();
    const listed = (account: Account, fields: Fields, wanted: (order: Order) => boolean): unknown => {
      const after = fields.has('after') ? orderIdFrom(fields.get('after')!) : Infinity;
      const found = orders(account, fields).filter((order) => wanted(order) && order.id < after);
      return found.slice(0, PAGE).map((order) => describeOrder(order));
    };
    const fills = ({ fields }: Call, account: Account): unknown => {
      const [after, begin, end] = ['after', 'begin', 'end'].map((name) => Number(fields.get(name) ?? NaN));
      const ordId = fields.get('ordId');
      return orders(account, fields)
        .filter(({ id }) => ordId === undefined || id === orderIdFrom(ordId))
        .flatMap((order) => order.trades)
        .filter(({ id, timeMs }) => !(id >= after!) && !(timeMs < begin!) && !(timeMs > end!))
        .sort((a, b) => b.id - a.id)
        .slice(0, PAGE)
        .map(describeFill);
    };
    const place = ({ items }: Call, account: Account): readonly OkxAck[] =>
      items.slice(0, BATCH_MAX).map((item) => this.#place(account, this.#listingOf(item), item));
    const cancel = ({ items }: Call, account: Account): readonly OkxAck[] =>
      items.slice(0, BATCH_MAX).map((item) => cancelItem(this.#exchange, account, item));
    return {
      'POST trade/order': { ...signed(place), acknowledges: true },
      'POST trade/batch-orders': { ...signed(place), acknowledges: true },
      'POST trade/cancel-order': { ...signed(cancel), acknowledges: true },
      'POST trade/cancel-batch-orders': { ...signed(cancel), acknowledges: true },
      'POST trade/amend-order': {
        ...signed(({ items }: Call, account: Account): readonly OkxAck[] =>
          items.slice(0, 1).map((item) => amendItem(this.#exchange, account, item)),
        ),
        acknowledges: true,
      },
      'GET trade/order': signed(({ fields }, account) => {
        const order = findOrder(this.#exchange, account, fields);
        if (order === undefined) throw new OkxError('51603', 'Order does not exist');
        return [describeOrder(order)];
      }),
      'GET trade/orders-pending': signed(({ fields }, account) =>
        listed(account, fields, ({ status }) => status === 'open'),
      ),
      'GET trade/orders-history': signed(({ fields }, account) =>
        listed(account, fields, ({ status }) => status !== 'open'),
      ),
      'POST trade/cancel-all-after': signed(({ fields }, account) => [this.#cancelAfter(account, fields)]),
      'GET trade/fills': signed(fills),
      'GET trade/fills-history': signed(fills),
      'GET account/balance': signed((_, account) => [this.#balances(account)]),
      'GET account/config': signed((_, { spec }) => [
        { uid: spec.name, acctLv: '2', posMode: 'net_mode', autoLoan: false, level: 'Lv1', perm: 'read_only,trade' },
      ]),
      'GET account/trade-fee': signed(({ fields }) => [this.#tradeFee(fields)]),
      'GET account/positions': signed((_, account) => positionsOf(this.#exchange, account)),
      'GET asset/currencies': signed(() => []),
    };
  }

  #feed(fields: Fields): OkxFeed {
    const listing = this.#listingOf(fields);
    if (listing === undefined) throw new OkxError('51001', "Instrument ID doesn't exist.");
    return this.#feeds[listing.index]!;
  }

  #listingOf(fields: Fields): Listing | undefined {
    return this.#exchange.listings.find(({ venueSymbol }) => venueSymbol === fields.get('instId'));
  }

  #marketOfItem(fields: Fields): string {
    return this.#listingOf(fields)?.market ?? 'spot';
  }

  /** Makers' and takers' rates, negative because OKX charges them; of a pair or a family where one is named. */
  #tradeFee(fields: Fields): unknown {
    const instType = fields.get('instType') ?? 'SPOT';
    const family = fields.get('instFamily') ?? fields.get('uly');
    const listing = this.#exchange.listings.find(
      (each) =>
        typeOf(each) === instType &&
        (fields.get('instId') ?? each.venueSymbol) === each.venueSymbol &&
        (family ?? familyOf(each)) === familyOf(each),
    );
    const [maker, taker] = [listing?.maker.negated().toFixed() ?? '0', listing?.taker.negated().toFixed() ?? '0'];
    const rates = { maker, taker, makerU: maker, takerU: taker, makerUSDC: maker, takerUSDC: taker };
    const feeGroup = [{ groupId: '1', maker, taker }];
    return { level: 'Lv1', instType, ...rates, feeGroup, ts: String(this.#exchange.nowMs()) };
  }

  /** @throws OkxError */
  #cancelAfter(account: Account, fields: Fields): unknown {
    const seconds = Number(fields.get('timeOut') ?? NaN);
    const [least, most] = CANCEL_AFTER_S;
    if (!Number.isInteger(seconds) || (seconds !== 0 && (seconds < least || seconds > most)))
      throw new OkxError('51000', 'Parameter timeOut error');
    const nowMs = this.#exchange.nowMs();
    const atMs = nowMs + seconds * 1_000;
    if (seconds === 0) this.#cancelAfterMs.delete(account);
    else this.#cancelAfterMs.set(account, atMs);
    return { triggerTime: seconds === 0 ? '0' : String(atMs), tag: '', ts: String(nowMs) };
  }

  /** @throws OkxError */
  #referenceOf(channel: ReferenceChannel, fields: Fields): unknown {
    const subject = this.#subjectOf(channel, fields);
    const [listing] = subject.listings;
    const row = listing === undefined ? undefined : referenceRow(this.#exchange, listing, subject);
    if (row === undefined) throw new OkxError('51001', "Instrument ID doesn't exist.");
    return row;
  }

  #balances(account: Account): unknown {
    const uTime = String(this.#exchange.nowMs());
    const details = account.assets('spot').map((ccy) => {
      const { total, held } = account.balance('spot', ccy);
      const available = account.available('spot', ccy).toFixed();
      const frozenBal = held.toFixed();
      return {
        ccy,
        eq: total.toFixed(),
        cashBal: total.toFixed(),
        availBal: available,
        availEq: available,
        frozenBal,
        ordFrozen: frozenBal,
        uTime,
      };
    });
    return { uTime, totalEq: '', details };
  }

  #sendBalances(socket: Socket, account: Account): void {
    socket.send(
      JSON.stringify({ arg: { channel: 'account', uid: account.spec.name }, data: [this.#balances(account)] }),
    );
  }

  #sendPositions(socket: Socket, account: Account): void {
    const arg = { channel: 'positions', instType: 'ANY', uid: account.spec.name };
    socket.send(JSON.stringify({ arg, data: positionsOf(this.#exchange, account) }));
  }

  #ordered(order: Order, change: OrderChange): void {
    const trade = change.kind === 'trade' ? change.trade : undefined;
    const instType = typeOf(order.listing);
    for (const socket of this.#private.of(order.account)) {
      if (socket.privateChannels.has('orders'))
        socket.send(
          JSON.stringify({
            arg: { channel: 'orders', instType, uid: order.account.spec.name },
            data: [describeOrder(order, trade)],
          }),
        );
      if (socket.privateChannels.has('account')) this.#sendBalances(socket, order.account);
      if (socket.privateChannels.has('positions') && trade !== undefined && order.listing.kind !== 'spot')
        this.#sendPositions(socket, order.account);
    }
  }

  #paid(account: Account): void {
    for (const socket of this.#private.of(account)) {
      if (socket.privateChannels.has('account')) this.#sendBalances(socket, account);
      if (socket.privateChannels.has('positions')) this.#sendPositions(socket, account);
    }
  }
}

const isChannel = (text: string): text is OkxChannel => text === 'books' || text === 'bbo-tbt' || text === 'trades';

const isReference = (text: string): text is ReferenceChannel => Object.hasOwn(REFERENCE_MS, text);

function arrayOf(text: string): readonly unknown[] {
  return listOf(objectOf(`{"items":${text}}`)?.['items']);
}

/** "0": all taken, "1": none, "2": some. */
function codeOf(data: readonly OkxAck[]): string {
  const failed = data.filter(({ sCode }) => sCode !== '0').length;
  return failed === 0 ? '0' : failed === data.length ? '1' : '2';
}

function instrumentOf(listing: Listing): Record<string, unknown> {
  const { kind, base, quote, settle, contractSize, inverse, strike, right, expiryMs } = listing;
  const spot = kind === 'spot';
  const option = kind === 'option';
  const family = spot ? '' : familyOf(listing);
  const contract = {
    ctVal: option ? '1' : contractSize.toFixed(),
    ctMult: option ? contractSize.toFixed() : '1',
    ctValCcy: inverse ? quote : base,
    ctType: option ? '' : inverse ? 'inverse' : 'linear',
  };
  return {
    instType: typeOf(listing),
    instId: listing.venueSymbol,
    instIdCode: INSTRUMENT_CODE_FIRST + listing.index,
    instFamily: family,
    uly: family,
    baseCcy: spot ? base : '',
    quoteCcy: spot ? quote : '',
    settleCcy: spot ? '' : settle,
    ...(spot ? { ctVal: '', ctMult: '', ctValCcy: '', ctType: '' } : contract),
    tickSz: tickOf(listing).toFixed(),
    lotSz: lotOf(listing).toFixed(),
    minSz: scaled(listing.minLots, listing.lotDecimals).toFixed(),
    maxLmtSz: '99999999',
    maxMktSz: '1000000',
    lever: spot || option ? '' : '100',
    stk: strike?.toFixed() ?? '',
    optType: right === undefined ? '' : right === 'call' ? 'C' : 'P',
    listTime: '1600000000000',
    expTime: expiryMs === undefined ? '' : String(expiryMs),
    state: 'live',
    ruleType: 'normal',
  };
}

const positionsOf = (exchange: Exchange, account: Account): readonly unknown[] =>
  account.positions().map(({ listing, position }) => ({
    instType: typeOf(listing),
    instId: listing.venueSymbol,
    mgnMode: 'cross',
    posId: String(listing.index + 1),
    posSide: 'net',
    pos: signedSize(listing, position),
    avgPx: entryPrice(listing, position),
    markPx: referenceOf(exchange, listing)?.mark.toFixed() ?? '',
    liqPx: '',
    lever: '10',
    realizedPnl: position.realised.toFixed(),
    ccy: listing.settle,
    uTime: String(exchange.nowMs()),
  }));

/** One line of a reference channel; nothing while the book has no two sides. */
function referenceRow(exchange: Exchange, listing: Listing, { channel, arg }: Subject): unknown {
  const reference = referenceOf(exchange, listing);
  if (reference === undefined) return undefined;
  const { mark, index, fundingRate, fundingMs } = reference;
  const named = { instType: typeOf(listing), instId: listing.venueSymbol, ts: String(exchange.nowMs()) };
  const text = (value: number): string => (Number.isNaN(value) ? '' : new Decimal(value).toFixed());
  switch (channel) {
    case 'mark-price':
      return { ...named, markPx: text(mark) };
    case 'index-tickers':
      return { instId: arg.get('instId'), idxPx: text(index), ts: named.ts };
    case 'funding-rate': {
      const times = { fundingTime: String(fundingMs), nextFundingTime: String(fundingMs + listing.fundingEveryMs) };
      return { ...named, fundingRate: text(fundingRate), ...times, method: 'current_period', settState: 'settled' };
    }
    case 'opt-summary': {
      const option = optionReferenceOf(exchange, listing);
      if (option === undefined) return undefined;
      const { delta, gamma, vega, theta, forward } = option;
      const greeks = { deltaBS: text(delta), gammaBS: text(gamma), vegaBS: text(vega), thetaBS: text(theta) };
      const [bidVol, askVol] = [text(option.bidVolatility), text(option.askVolatility)];
      return {
        ...named,
        uly: familyOf(listing),
        ...greeks,
        bidVol,
        askVol,
        markVol: text(option.markVolatility),
        fwdPx: text(forward),
      };
    }
  }
}

/** What a public channel sends to. */
type OkxReceiver = { readonly send: (text: string) => void };

type OkxChannel = 'books' | 'bbo-tbt' | 'trades';

const DEPTH = 400;
const FIRST_SEQUENCE = 70_000_000_000;
/** An idle book says so with an empty update. */
const LIVENESS_MS = 60_000;

/**
 * The public channels of one instrument.
 * @see https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
 */
class OkxFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  readonly #view: DepthView;
  readonly #receivers: Readonly<Record<OkxChannel, Set<OkxReceiver>>> = {
    books: new Set(),
    'bbo-tbt': new Set(),
    trades: new Set(),
  };
  #toldSequence: number;
  #toldMs = 0;
  #toldTop = '';

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
    this.#view = new DepthView(engine, DEPTH);
    this.#view.advance();
    this.#toldSequence = this.#sequence();
  }

  /** `books` starts with a snapshot, `bbo-tbt` with the quote as it is. */
  subscribe(channel: OkxChannel, receiver: OkxReceiver, nowMs: number): void {
    if (channel === 'books') {
      // Whoever listens already is brought up to date first, so that all go on from one sequence.
      this.flush(nowMs, () => false);
      receiver.send(this.#bookFrame('snapshot', { bids: this.#view.bids, asks: this.#view.asks }, -1, nowMs));
    }
    if (channel === 'bbo-tbt') receiver.send(this.#quoteFrame(nowMs));
    this.#receivers[channel].add(receiver);
  }

  unsubscribe(channel: OkxChannel, receiver: OkxReceiver): void {
    this.#receivers[channel].delete(receiver);
  }

  /** Sends what changed since the last book frame; `drop` loses the frame but not its sequence. */
  flush(nowMs: number, drop: () => boolean): void {
    const previous = this.#toldSequence;
    if (!this.#view.advance()) {
      if (this.#receivers.books.size === 0 || nowMs - this.#toldMs < LIVENESS_MS) return;
      this.#toldMs = nowMs;
      this.#send('books', this.#bookFrame('update', { bids: [], asks: [] }, previous, nowMs));
      return;
    }
    this.#toldSequence = this.#sequence();
    this.#toldMs = nowMs;
    if (this.#receivers.books.size === 0 || drop()) return;
    this.#send(
      'books',
      this.#bookFrame('update', { bids: this.#view.bidChanges, asks: this.#view.askChanges }, previous, nowMs),
    );
  }

  quote(nowMs: number): void {
    if (this.#receivers['bbo-tbt'].size === 0) return;
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    const top = `${bid?.price ?? 0} ${bid?.qty ?? 0} ${ask?.price ?? 0} ${ask?.qty ?? 0}`;
    if (top === this.#toldTop) return;
    this.#toldTop = top;
    this.#send('bbo-tbt', this.#quoteFrame(nowMs));
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    if (this.#receivers.trades.size === 0) return;
    const { venueSymbol, priceDecimals, lotDecimals } = this.listing;
    this.#send(
      'trades',
      `{"arg":{"channel":"trades","instId":"${venueSymbol}"},"data":[{"instId":"${venueSymbol}","tradeId":"${id}",` +
        `"px":"${trimmedText(price, priceDecimals)}","sz":"${trimmedText(lots, lotDecimals)}","side":"${taker}","ts":"${timeMs}","count":"1","seqId":${this.#sequence()}}]}`,
    );
  }

  /** The REST book. */
  snapshot(depth: number, nowMs: number): unknown {
    const sides = { bids: flatLevels(this.#engine.bids, depth), asks: flatLevels(this.#engine.asks, depth) };
    return JSON.parse(`{${this.#levels(sides)},"ts":"${nowMs}","seqId":${this.#sequence()}}`);
  }

  ticker(nowMs: number): Record<string, unknown> {
    const { venueSymbol, priceDecimals, lotDecimals } = this.listing;
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    return {
      instType: typeOf(this.listing),
      instId: venueSymbol,
      last: trimmedText(bid?.price ?? 0, priceDecimals),
      bidPx: trimmedText(bid?.price ?? 0, priceDecimals),
      bidSz: trimmedText(bid?.qty ?? 0, lotDecimals),
      askPx: trimmedText(ask?.price ?? 0, priceDecimals),
      askSz: trimmedText(ask?.qty ?? 0, lotDecimals),
      ts: String(nowMs),
    };
  }

  #sequence(): number {
    return FIRST_SEQUENCE + this.#engine.changes;
  }

  /** The checksum is always 0 since June 2026. */
  #bookFrame(action: string, sides: Sides, previous: number, nowMs: number): string {
    return (
      `{"arg":{"channel":"books","instId":"${this.listing.venueSymbol}"},"action":"${action}","data":[{${this.#levels(sides)},` +
      `"ts":"${nowMs}","checksum":0,"prevSeqId":${previous},"seqId":${this.#toldSequence}}]}`
    );
  }

  #quoteFrame(nowMs: number): string {
    const sides = { bids: flatLevels(this.#engine.bids, 1), asks: flatLevels(this.#engine.asks, 1) };
    return `{"arg":{"channel":"bbo-tbt","instId":"${this.listing.venueSymbol}"},"data":[{${this.#levels(sides)},"ts":"${nowMs}","seqId":${this.#sequence()}}]}`;
  }

  #levels({ bids, asks }: Sides): string {
    return `"asks":${levelsText(this.listing, asks)},"bids":${levelsText(this.listing, bids)}`;
  }

  #send(channel: OkxChannel, frame: string): void {
    for (const receiver of this.#receivers[channel]) receiver.send(frame);
  }
}

type Sides = { readonly bids: FlatLevels; readonly asks: FlatLevels };

/** Price, size, a field that is always "0", and a number of orders. */
function levelsText({ priceDecimals, lotDecimals }: Listing, flat: FlatLevels): string {
  let text = '[';
  for (let at = 0; at < flat.length; at += 2)
    text += `${at === 0 ? '' : ','}["${trimmedText(flat[at]!, priceDecimals)}","${trimmedText(flat[at + 1]!, lotDecimals)}","0","1"]`;
  return `${text}]`;
}

/** The answer to one order of a request: `sCode` "0" when it was taken. */
type OkxAck = Readonly<Record<'ordId' | 'clOrdId' | 'tag' | 'ts' | 'sCode' | 'sMsg', string>>;

const INSTRUMENT_CODE_FIRST = 10_000;

/** 19 digits, beyond what a double holds, as OKX's are. */
const orderIdText = (id: number): string => `9${String(id).padStart(18, '0')}`;
const orderIdFrom = (text: string): number => (/^9\d{18}$/.test(text) ? Number(text.slice(1)) : -1);

/** Places one order of a request. Refusals are answers here, item by item. */
function placeItem(exchange: Exchange, listing: Listing | undefined, account: Account, fields: Fields): OkxAck {
  const nowMs = exchange.nowMs();
  const clOrdId = fields.get('clOrdId') ?? '';
  const refuse = (sCode: string, sMsg: string): OkxAck => ({ ...ackOf(undefined, nowMs), clOrdId, sCode, sMsg });
  if (listing === undefined) return refuse('51001', "Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
  const side = fields.get('side');
  const ordType = fields.get('ordType') ?? '';
  const kind = ORDER_TYPES[ordType];
  if (side !== 'buy' && side !== 'sell') return refuse('51000', 'Parameter side error');
  if (kind === undefined) return refuse('51000', 'Parameter ordType error');
  if (!/^[A-Za-z0-9]{0,32}$/.test(clOrdId)) return refuse('51000', 'Parameter clOrdId error');
  const market = kind.type === 'market';
  const byQuote =
    market &&
    listing.kind === 'spot' &&
    (fields.get('tgtCcy') ?? (side === 'buy' ? 'quote_ccy' : 'base_ccy')) === 'quote_ccy';
  try {
    const placed = exchange.place({
      account,
      listing,
      side,
      ...kind,
      clientOrderId: clOrdId === '' ? undefined : clOrdId,
      price: market ? undefined : fields.get('px'),
      qty: fields.get('sz') ?? '0',
      qtyIn: byQuote ? 'quote' : 'base',
      reduceOnly: fields.get('reduceOnly') === 'true',
    });
    if (placed.kind === 'placed') return { ...ackOf(placed.order, nowMs), clOrdId };
    return refuse(...REFUSALS[placed.reason]);
  } catch (error) {
    if (error instanceof BadInput) return refuse('51000', 'Parameter px or sz error');
    throw error;
  }
}

/** Who ended an order: `1` its owner, `20` cancel-all-after. Others end by their own terms. */
const cancelSources = new WeakMap<Order, string>();

function cancelSourceOf(order: Order): string {
  const { status, postOnly, timeInForce, type } = order;
  if (status === 'open' || status === 'filled') return '';
  const source = cancelSources.get(order);
  if (source !== undefined) return source;
  if (postOnly && status === 'canceled') return '31';
  return type === 'market' || timeInForce === 'GTC' ? '0' : timeInForce === 'FOK' ? '13' : '14';
}

function cancelItem(exchange: Exchange, account: Account, fields: Fields): OkxAck {
  const nowMs = exchange.nowMs();
  const order = findOrder(exchange, account, fields);
  if (order?.status === 'open') {
    cancelSources.set(order, '1');
    exchange.cancel(order);
    return ackOf(order, nowMs);
  }
  return {
    ...ackOf(undefined, nowMs),
    ordId: fields.get('ordId') ?? '',
    clOrdId: fields.get('clOrdId') ?? '',
    sCode: '51400',
    sMsg: 'Cancellation failed as the order has been filled, canceled or does not exist.',
  };
}

/** @see https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-amend-order */
function amendItem(exchange: Exchange, account: Account, fields: Fields): OkxAck {
  const order = findOrder(exchange, account, fields);
  const refuse = (sCode: string, sMsg: string): OkxAck => ({
    ...ackOf(undefined, exchange.nowMs()),
    ordId: fields.get('ordId') ?? '',
    clOrdId: fields.get('clOrdId') ?? '',
    sCode,
    sMsg,
  });
  if (order?.status !== 'open')
    return refuse('51503', 'Modification failed as the order has been filled, canceled or does not exist.');
  try {
    const qty = fields.get('newSz') ?? qtyOf(order.listing, order.qty).toFixed();
    const refused = exchange.amend(order, { price: fields.get('newPx'), qty });
    return refused === undefined ? ackOf(order, exchange.nowMs()) : refuse(...REFUSALS[refused]);
  } catch (error) {
    if (error instanceof BadInput) return refuse('51000', 'Parameter newPx or newSz error');
    throw error;
  }
}

function findOrder(exchange: Exchange, account: Account, fields: Fields): Order | undefined {
  const id = fields.get('ordId');
  return exchange.find(account, {
    id: id === undefined || id === '' ? undefined : orderIdFrom(id),
    clientOrderId: fields.get('clOrdId'),
  });
}

/** An order as REST and the `orders` channel show it; `trade` is the fill that the channel reports. */
function describeOrder(order: Order, trade?: Trade): Record<string, string> {
  const { listing } = order;
  const last = trade ?? order.trades.at(-1);
  const feeAsset = last?.feeAsset ?? '';
  const fee = order.trades.reduce((sum, each) => sum.plus(each.fee), new Decimal(0));
  return {
    instType: typeOf(listing),
    instId: listing.venueSymbol,
    instIdCode: String(INSTRUMENT_CODE_FIRST + listing.index),
    ccy: '',
    ordId: orderIdText(order.id),
    clOrdId: order.clientOrderId,
    tag: '',
    px: order.type === 'market' ? '' : limitOf(order).toFixed(),
    sz: qtyOf(listing, order.qty).toFixed(),
    ordType: orderTypeOf(order),
    side: order.side,
    posSide: 'net',
    tdMode: listing.kind === 'spot' ? 'cash' : 'cross',
    tgtCcy: order.type === 'market' && listing.kind === 'spot' ? 'base_ccy' : '',
    accFillSz: qtyOf(listing, order.filled).toFixed(),
    fillPx: last === undefined ? '' : priceOf(listing, last.price).toFixed(),
    fillSz: last === undefined ? '0' : qtyOf(listing, last.lots).toFixed(),
    fillTime: last === undefined ? '' : String(last.timeMs),
    tradeId: last === undefined ? '' : String(last.id),
    avgPx: order.filled === 0 ? '' : averageOf(order).toDecimalPlaces(12).toFixed(),
    state: stateOf(order),
    cancelSource: cancelSourceOf(order),
    feeCcy: feeAsset,
    fee: fee.negated().toFixed(),
    rebateCcy: '',
    rebate: '0',
    pnl: (last?.realised ?? new Decimal(0)).toFixed(),
    lever: listing.kind === 'spot' ? '' : '10',
    category: CATEGORIES[order.forced ?? 'none'],
    reduceOnly: 'false',
    cTime: String(order.createdMs),
    uTime: String(order.updatedMs),
    ...(trade === undefined
      ? {}
      : {
          fillFee: trade.fee.negated().toFixed(),
          fillFeeCcy: trade.feeAsset,
          execType: trade.liquidity === 'taker' ? 'T' : 'M',
        }),
  };
}

const CATEGORIES = { none: 'normal', adl: 'adl', liquidation: 'partial_liquidation' } as const;

/** Of a bill: a purchase or sale, as those of a net position. */
const subTypeOf = ({ forced, side }: Order): string =>
  forced === undefined
    ? { buy: '1', sell: '2' }[side]
    : { adl: { buy: '127', sell: '128' }, liquidation: { buy: '102', sell: '103' } }[forced][side];

/** A line of `/trade/fills`. */
function describeFill(trade: Trade): Record<string, string> {
  const { order } = trade;
  return {
    instType: typeOf(order.listing),
    instId: order.listing.venueSymbol,
    tradeId: String(trade.id),
    ordId: orderIdText(order.id),
    clOrdId: order.clientOrderId,
    billId: String(trade.id),
    subType: subTypeOf(order),
    tag: '',
    fillPx: priceOf(order.listing, trade.price).toFixed(),
    fillSz: qtyOf(order.listing, trade.lots).toFixed(),
    side: order.side,
    posSide: 'net',
    execType: trade.liquidity === 'taker' ? 'T' : 'M',
    feeCcy: trade.feeAsset,
    fee: trade.fee.negated().toFixed(),
    fillPnl: trade.realised.toFixed(),
    ts: String(trade.timeMs),
    fillTime: String(trade.timeMs),
  };
}

const ackOf = (order: Order | undefined, nowMs: number): OkxAck => ({
  ordId: order === undefined ? '' : orderIdText(order.id),
  clOrdId: order?.clientOrderId ?? '',
  tag: '',
  ts: String(nowMs),
  sCode: '0',
  sMsg: '',
});

function stateOf({ status, filled }: Order): string {
  switch (status) {
    case 'open':
      return filled > 0 ? 'partially_filled' : 'live';
    case 'filled':
      return 'filled';
    case 'canceled':
    case 'expired':
      return 'canceled';
  }
}

const orderTypeOf = ({ type, postOnly, timeInForce }: Order): string =>
  type === 'market' ? 'market' : postOnly ? 'post_only' : timeInForce === 'GTC' ? 'limit' : timeInForce.toLowerCase();

type OrderKind = {
  readonly type: 'limit' | 'market';
  readonly timeInForce: 'GTC' | 'IOC' | 'FOK';
  readonly postOnly: boolean;
};
const ORDER_TYPES: Readonly<Record<string, OrderKind>> = {
  limit: { type: 'limit', timeInForce: 'GTC', postOnly: false },
  market: { type: 'market', timeInForce: 'IOC', postOnly: false },
  post_only: { type: 'limit', timeInForce: 'GTC', postOnly: true },
  ioc: { type: 'limit', timeInForce: 'IOC', postOnly: false },
  fok: { type: 'limit', timeInForce: 'FOK', postOnly: false },
};

const REFUSALS: Readonly<Record<Refusal, readonly [sCode: string, sMsg: string]>> = {
  'price-off-grid': ['51000', 'Parameter px error'],
  'qty-off-grid': ['51121', 'Order quantity must be a multiple of the lot size.'],
  'below-min-qty': ['51020', 'Your order should meet or exceed the minimum order amount.'],
  'below-min-notional': ['51020', 'Your order should meet or exceed the minimum order amount.'],
  'insufficient-funds': ['51008', 'Order failed. Insufficient balance in account.'],
  'duplicate-id': ['51016', 'Client order ID already exists.'],
  'would-take': ['51000', 'Parameter ordType error'],
  'no-liquidity': ['51006', 'Order price is not within the price limit.'],
  'too-many-orders': ['50011', 'Rate limit reached.'],
  'reduce-only': [
    '51169',
    "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
  ],
  expired: ['51027', 'Contract expired.'],
  'told-to': ['51155', "You can't trade this pair or borrow this crypto due to local laws and regulations."],
};
