import type { Account } from '../accounts.ts';
import { entryPrice, signedSize } from '../accounts.ts';
import type { Exchange, Order, OrderChange } from '../exchange.ts';
import { scaled } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { derivativeListing, lotOf, spotListings, tickOf } from '../listings.ts';
import { OkxFeed } from './okx-feed.ts';
import type { OkxChannel, OkxReceiver } from './okx-feed.ts';
import type { OkxAck } from './okx-orders.ts';
import { cancelItem, describeFill, describeOrder, findOrder, INSTRUMENT_CODE_FIRST, placeItem } from './okx-orders.ts';
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
  readonly privateChannels: Set<string>;
  account: Account | undefined;
  spokeMs: number;
};

const BATCH_MAX = 20;
const ORDERS_PER_INSTRUMENT = 60;
const ORDERS_WINDOW_MS = 2_000;
const TIMESTAMP_WINDOW_MS = 30_000;
const IDLE_MS = 30_000;

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
    derivativeListing({
      venue: 'okx',
      market: 'swap',
      symbol: 'BTC/USDT:USDT',
      venueSymbol: 'BTC-USDT-SWAP',
      contractSize: '0.01',
      priceDecimals: 1,
      lotDecimals: 2,
      fees: ['0.0002', '0.0005'],
      postOnly: 'ended',
    }),
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
        if (!this.#stale(listing)) this.#feeds[listing.index]!.trade(print);
      },
      ordered: (order, change) => this.#ordered(order, change),
    };
  }

  connect(path: string, client: Client): Connection | undefined {
    if (!/^\/ws\/v5\/(public|private|business)$/.test(splitPath(path).route)) return undefined;
    this.#connections += 1;
    const socket: Socket = {
      client,
      id: String(this.#connections).padStart(8, '0'),
      channels: new Map(),
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
      markets: ['spot', 'swap'],
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
    return /instType=SWAP|instId=[^&]*-SWAP/.test(path) ? 'swap' : 'spot';
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
      if (nowMs - this.#flushedMs[listing.index]! < this.#options.batchMs || this.#stale(listing)) continue;
      this.#flushedMs[listing.index] = nowMs;
      feed.flush(nowMs, () => this.#dropped(listing));
    }
    if (nowMs - this.#sweptMs < 1_000) return;
    this.#sweptMs = nowMs;
    for (const { spokeMs, client } of [...this.#sockets])
      if (nowMs - spokeMs > IDLE_MS) client.close(4004, 'No data received in 30s.');
  }

  #booked(listing: Listing): void {
    if (this.#stale(listing)) return;
    const feed = this.#feeds[listing.index]!;
    const nowMs = this.#exchange.nowMs();
    feed.quote(nowMs);
    if (this.#options.batchMs === 0) feed.flush(nowMs, () => this.#dropped(listing));
  }

  #dropped({ market }: Listing): boolean {
    return this.#options.faults.take('gap', 'okx', market) !== undefined;
  }

  #stale({ market }: Listing): boolean {
    return this.#options.faults.holds('stale', 'okx', market);
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
    const key = `${channel}:${instId}`;
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
      return;
    }
    const feed = this.#feeds.find(({ listing }) => listing.venueSymbol === instId);
    if (feed === undefined || !isChannel(channel)) {
      this.#error(
        socket,
        '60018',
        `Wrong URL or channel:${channel},instId:${instId} doesn't exist. Please use the correct URL, channel and parameters referring to API document.`,
      );
      return;
    }

    socket.send(JSON.stringify(answer));
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
      this.#exchange.listings.filter(({ perpetual }) => fields.get('instType') === (perpetual ? 'SWAP' : 'SPOT'));
    const nowMs = (): number => this.#exchange.nowMs();
    return {
      'GET public/time': open(() => [{ ts: String(nowMs()) }]),
      'GET public/instruments': open(({ fields }) => {
        const instId = fields.get('instId');
        return ofType(fields)
          .filter(({ venueSymbol }) => instId === undefined || venueSymbol === instId)
          .map(instrumentOf);
      }),
      'GET market/books': open(({ fields }) => [
        this.#feed(fields).snapshot(Math.min(400, Number(fields.get('sz') ?? 1)), nowMs()),
      ]),
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
        .filter(({ listing }) => (fields.get('instId') ?? listing.venueSymbol) === listing.venueSymbol);
    const fills = ({ fields }: Call, account: Account): unknown => {
      const trades = orders(account, fields).flatMap((order) => order.trades);
      return trades
        .sort((a, b) => b.id - a.id)
        .slice(0, 100)
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
      'GET trade/order': signed(({ fields }, account) => {
        const order = findOrder(this.#exchange, account, fields);
        if (order === undefined) throw new OkxError('51603', 'Order does not exist');
        return [describeOrder(order)];
      }),
      'GET trade/orders-pending': signed(({ fields }, account) =>
        orders(account, fields)
          .filter(({ status }) => status === 'open')
          .map((order) => describeOrder(order)),
      ),
      'GET trade/orders-history': signed(({ fields }, account) =>
        orders(account, fields)
          .filter(({ status }) => status !== 'open')
          .slice(-100)
          .reverse()
          .map((order) => describeOrder(order)),
      ),
      'GET trade/fills': signed(fills),
      'GET trade/fills-history': signed(fills),
      'GET account/balance': signed((_, account) => [this.#balances(account)]),
      'GET account/config': signed((_, { spec }) => [
        { uid: spec.name, acctLv: '2', posMode: 'net_mode', autoLoan: false, level: 'Lv1' },
      ]),
      'GET account/trade-fee': signed(({ fields }) => [this.#tradeFee(fields)]),
      'GET account/positions': signed((_, account) => positionsOf(account)),
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

  /** Makers' and takers' rates, negative because OKX charges them. */
  #tradeFee(fields: Fields): unknown {
    const perpetual = fields.get('instType') === 'SWAP';
    const listing = this.#exchange.listings.find((each) => each.perpetual === perpetual);
    const [maker, taker] = [listing?.maker.negated().toFixed() ?? '0', listing?.taker.negated().toFixed() ?? '0'];
    return {
      level: 'Lv1',
      instType: fields.get('instType') ?? 'SPOT',
      maker,
      taker,
      makerU: maker,
      takerU: taker,
      ts: String(this.#exchange.nowMs()),
    };
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

  #ordered(order: Order, change: OrderChange): void {
    const trade = change.kind === 'trade' ? change.trade : undefined;
    const instType = order.listing.perpetual ? 'SWAP' : 'SPOT';
    for (const socket of this.#private.of(order.account)) {
      if (socket.privateChannels.has('orders'))
        socket.send(
          JSON.stringify({
            arg: { channel: 'orders', instType, uid: order.account.spec.name },
            data: [describeOrder(order, trade)],
          }),
        );
      if (socket.privateChannels.has('account')) this.#sendBalances(socket, order.account);
      if (socket.privateChannels.has('positions') && trade !== undefined && order.listing.perpetual)
        socket.send(
          JSON.stringify({
            arg: { channel: 'positions', instType, uid: order.account.spec.name },
            data: positionsOf(order.account),
          }),
        );
    }
  }
}

const isChannel = (text: string): text is OkxChannel => text === 'books' || text === 'bbo-tbt' || text === 'trades';

function arrayOf(text: string): readonly unknown[] {
  return listOf(objectOf(`{"items":${text}}`)?.['items']);
}

/** "0": all taken, "1": none, "2": some. */
function codeOf(data: readonly OkxAck[]): string {
  const failed = data.filter(({ sCode }) => sCode !== '0').length;
  return failed === 0 ? '0' : failed === data.length ? '1' : '2';
}

const instrumentOf = (listing: Listing): Record<string, unknown> => ({
  instType: listing.perpetual ? 'SWAP' : 'SPOT',
  instId: listing.venueSymbol,
  instIdCode: INSTRUMENT_CODE_FIRST + listing.index,
  instFamily: listing.perpetual ? `${listing.base}-${listing.quote}` : '',
  uly: listing.perpetual ? `${listing.base}-${listing.quote}` : '',
  baseCcy: listing.perpetual ? '' : listing.base,
  quoteCcy: listing.perpetual ? '' : listing.quote,
  settleCcy: listing.perpetual ? listing.settle : '',
  ctVal: listing.perpetual ? listing.contractSize.toFixed() : '',
  ctMult: listing.perpetual ? '1' : '',
  ctValCcy: listing.perpetual ? listing.base : '',
  ctType: listing.perpetual ? (listing.inverse ? 'inverse' : 'linear') : '',
  tickSz: tickOf(listing).toFixed(),
  lotSz: lotOf(listing).toFixed(),
  minSz: scaled(listing.minLots, listing.lotDecimals).toFixed(),
  maxLmtSz: '99999999',
  maxMktSz: '1000000',
  lever: listing.perpetual ? '100' : '',
  stk: '',
  optType: '',
  listTime: '1600000000000',
  expTime: '',
  state: 'live',
  ruleType: 'normal',
});

const positionsOf = (account: Account): readonly unknown[] =>
  account.positions().map(({ listing, position }) => ({
    instType: 'SWAP',
    instId: listing.venueSymbol,
    mgnMode: 'cross',
    posSide: 'net',
    pos: signedSize(listing, position),
    avgPx: entryPrice(listing, position),
    realizedPnl: position.realised.toFixed(),
    ccy: listing.settle,
  }));
