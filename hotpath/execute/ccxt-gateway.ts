import { AsyncLocalStorage } from 'node:async_hooks';
import { Decimal } from 'decimal.js';
import { assert, BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Asset, ClientOrderId, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { Fence, OrderGateway, OrderReport, OrderRequest, RejectReason } from '#shared/domain/order.ts';
import type { Side } from '#shared/domain/route.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { Logger } from '../runtime/logger.ts';
import { rerouted } from '../runtime/reroute.ts';
import type { BalanceState, Credentials, OrderState, PositionState, VenueFill } from '../venues/venue-account.ts';
import { ccxtDefects, ccxtOneWallet } from '../venues/venue-ccxt.ts';
import { AccountUnreachable } from './account/account-client.ts';
import { liftOf } from './account/lift.ts';
import { OrderTracker, type TrackedOrder } from './account/order-tracker.ts';
import { Redaction } from './account/redaction.ts';
import type { AccountHoldings } from './account/trading-gateway.ts';

export type CcxtGatewayOptions = {
  /** ccxt's name of the exchange. */
  readonly exchange: string;
  readonly venue: VenueId;
  readonly credentials: Credentials;
  readonly via?: string;
  /** ccxt's own pacing of requests; off only where the other side has no limits. */
  readonly paced?: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onReport: (report: OrderReport) => void;
  /** An order of an earlier start, whose fate is asked for. */
  readonly orderOf?: (id: ClientOrderId) => { readonly request: OrderRequest; readonly sentMs: number } | undefined;
  readonly fence?: Fence;
};

/** What is used of a ccxt exchange, with every number as text: `number: String`. */
export type CcxtExchange = {
  readonly has: Readonly<Record<string, boolean | string | undefined>>;
  urls: { api?: unknown };
  readonly precisionMode: number;
  readonly loadMarkets: () => Promise<Readonly<Record<string, CcxtMarket>>>;
  readonly featureValue: (symbol: string, method: string, name: string) => unknown;
  /** Sends one request: signed, and past ccxt's own pacing. */
  fetch: (url: string, method: string, ...more: readonly unknown[]) => Promise<unknown>;
  readonly createOrder: (
    symbol: string,
    type: string,
    side: string,
    ...more: readonly [amount: string, price: string, params: Readonly<Record<string, unknown>>]
  ) => Promise<CcxtOrder>;
  readonly cancelOrder: (id: string, symbol: string) => Promise<unknown>;
  readonly cancelAllOrders: (symbol: string) => Promise<unknown>;
  readonly fetchOrder: (id: string, symbol: string) => Promise<CcxtOrder>;
  readonly fetchOpenOrders: List<CcxtOrder>;
  readonly fetchOrders: List<CcxtOrder>;
  readonly fetchClosedOrders: List<CcxtOrder>;
  readonly fetchCanceledOrders: List<CcxtOrder>;
  readonly fetchCanceledAndClosedOrders: List<CcxtOrder>;
  readonly fetchMyTrades: List<CcxtTrade>;
  readonly fetchBalance: (params?: Readonly<Record<string, unknown>>) => Promise<CcxtBalances>;
  readonly fetchPositions: () => Promise<readonly CcxtPosition[]>;
};
type List<T> = (symbol: string, sinceMs?: number) => Promise<readonly T[]>;
type Text = string | undefined | null;
type CcxtOrder = {
  readonly id: Text;
  readonly clientOrderId: Text;
  readonly status: Text;
  readonly filled: Text;
};
/** By asset, and all of them once more under `total` and `free`. */
type CcxtBalances = { readonly total: Readonly<Record<string, Text>>; readonly free: Readonly<Record<string, Text>> };
type CcxtPosition = {
  readonly symbol: string;
  readonly side: Text;
  readonly contracts: Text;
  readonly entryPrice: Text;
  readonly markPrice: Text;
  readonly liquidationPrice: Text;
  readonly leverage: Text;
};
type CcxtFee = { readonly cost: Text; readonly currency: Text };
type CcxtTrade = {
  readonly id: Text;
  readonly order: Text;
  readonly side: Text;
  readonly price: Text;
  readonly amount: Text;
  readonly takerOrMaker: Text;
  readonly timestamp: number | undefined;
  readonly fee?: CcxtFee | null;
  readonly fees?: readonly CcxtFee[];
};
type CcxtMarket = {
  readonly id: string;
  readonly symbol: string;
  readonly type: string;
  readonly base: string;
  readonly quote: string;
  readonly settle: Text;
  readonly active: boolean | undefined;
  readonly inverse: boolean | undefined;
  readonly contractSize: Text;
  readonly precision: { readonly price: Text; readonly amount: Text };
  readonly limits: { readonly amount?: { readonly min: Text }; readonly cost?: { readonly min: Text } };
  readonly maker: Text;
  readonly taker: Text;
};
type CcxtClass = new (options: Readonly<Record<string, unknown>>) => CcxtExchange;

const TIMEOUT_MS = 10_000;
const TICK_SIZE = 4;
/** An order is asked about this long after it was taken, then later and later, while it works. */
const FOLLOW_MS = 150;
const FOLLOW_MAX_MS = 5_000;
const MARGIN_MS = 5_000;
const CANCEL_ROUNDS_MAX = 5;
const NEEDED = ['createOrder', 'cancelOrder', 'fetchOpenOrders', 'fetchMyTrades'] as const;

/**
 * Orders at any exchange that ccxt knows, by REST. What ccxt is known to do wrong there, or does not claim to do, is not sent. There is no private stream:
 * orders are asked about until they have ended. Definite is only what ccxt's classes say without doubt; an exchange's unnamed error is not.
 */
export class CcxtGateway implements OrderGateway {
  readonly instruments: readonly Instrument[];
  /** Errors that ccxt has no class for. */
  unlisted = 0;
  readonly #options: CcxtGatewayOptions;
  readonly #exchange: CcxtExchange;
  readonly #tracker: OrderTracker;
  readonly #redaction: Redaction;
  readonly #byId: ReadonlyMap<InstrumentId, Instrument>;
  /** Which order a request of ccxt's is for: its pacing keeps requests waiting long after they were asked for. */
  readonly #sending = new AsyncLocalStorage<TrackedOrder>();
  #stopped = false;

  private constructor(
    options: CcxtGatewayOptions,
    exchange: CcxtExchange,
    instruments: readonly Instrument[],
    redaction: Redaction,
  ) {
    this.#options = options;
    this.#exchange = exchange;
    this.#redaction = redaction;
    this.instruments = instruments;
    this.#byId = new Map(instruments.map((instrument) => [instrument.id, instrument]));
    this.#tracker = new OrderTracker(options.clock, instruments, options.onReport, (tracked) => this.#onRisen(tracked));
    const send = exchange.fetch.bind(exchange);
    exchange.fetch = (url, method, ...more) => {
      if (method !== 'GET') this.#depart();
      return send(url, method, ...more);
    };
  }

  /**
   * Loads ccxt (not before: it is large) and the exchange's markets.
   * @throws BadInput when ccxt does not know the exchange, cannot do what is needed there, or is not answered.
   */
  static async open(options: CcxtGatewayOptions): Promise<CcxtGateway> {
    const { exchange: id, venue, credentials, via, logger } = options;
    const redaction = new Redaction([credentials.apiKey, credentials.secret, credentials.passphrase]);
    const exchange = await exchangeOf(id, credentials, options.paced ?? true);
    const missing = NEEDED.filter((method) => !isThere(exchange.has[method]));
    if (missing.length > 0) throw new BadInput(`ccxt cannot trade at ${id}: it lacks ${missing.join(', ')}`);
    if (ccxtDefects[id]?.losesClientId === true) {
      throw new BadInput(`ccxt cannot trade at ${id}: an order whose answer is lost could not be found again`);
    }
    exchange.urls.api = moved(exchange.urls.api, via);
    let markets: readonly CcxtMarket[];
    try {
      markets = Object.values(await exchange.loadMarkets());
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new AccountUnreachable(
        `ccxt cannot read the markets of ${id}: ${redaction.text(error.message).slice(0, 300)}`,
      );
    }
    if (exchange.precisionMode !== TICK_SIZE) throw new BadInput(`ccxt does not say the ticks of ${id}`);
    logger.warn('ccxt-key-unchecked', { venue, reason: 'ccxt does not say what a key may do' });
    const instruments = markets.flatMap((market) => instrumentFrom(market, venue) ?? []);
    return new CcxtGateway(options, exchange, instruments, redaction);
  }

  readonly submit = (orders: readonly OrderRequest[]): void => {
    for (const order of orders) {
      const { clock } = this.#options;
      const instrument = this.#byId.get(order.instrument);
      assert(instrument !== undefined, 'an order goes to the account that trades its instrument');
      const tracked = this.#track(order, instrument, clock.unixMs(clock.now()));
      const refusal = this.#refuses(order, instrument);
      if (refusal === undefined) void this.#place(tracked, order);
      else clock.after(0, () => this.#tracker.reject(tracked, 'not-allowed', refusal));
    }
  };

  readonly cancel: OrderGateway['cancel'] = (id) => {
    const tracked = this.#known(id);
    if (tracked !== undefined) void this.#cancel(tracked).then(() => this.#look(tracked, 'silently'));
  };

  /** What ccxt calls an edit is, at many venues, a cancel and another order: the executor does that itself, and knows what became of each. */
  readonly replace: OrderGateway['replace'] = () => false;

  readonly probe: OrderGateway['probe'] = (id) => {
    const tracked = this.#known(id);
    if (tracked === undefined)
      this.#options.logger.warn('account-order-unknown', { venue: this.#options.venue, order: id });
    else void this.#look(tracked, 'aloud');
  };

  /** Ends every open order in these instruments, while the fence stays as it is; returns how many could not be ended. */
  async cancelAll(instruments: readonly Instrument[] = this.instruments): Promise<number> {
    const bySymbol = isThere(this.#exchange.has['cancelAllOrders']) && this.#defects.cancelsAllSymbols !== true;
    const isLifted = liftOf(this.#options.fence);
    let left = 0;
    for (let round = 0; round < CANCEL_ROUNDS_MAX; round += 1) {
      left = 0;
      for (const { symbol } of instruments) {
        const open = await this.#try('open-orders', () => this.#exchange.fetchOpenOrders(symbol));
        left += open?.length ?? 1;
        if (isLifted()) return left;
        if (open === undefined || open.length === 0) continue;
        if (bySymbol) await this.#try('cancel-all', () => this.#exchange.cancelAllOrders(symbol));
        else for (const { id } of open) await this.#try('cancel', () => this.#exchange.cancelOrder(id ?? '', symbol));
      }
      if (left === 0) break;
    }
    for (const tracked of this.#tracker.open()) await this.#look(tracked, 'silently');
    return left;
  }

  /** Orders of ours that may still work. */
  get openOrders(): number {
    return this.#tracker.open().length;
  }

  /** What is open in these instruments, whoever sent it; undefined when the venue does not say. */
  async openOrdersOf(instruments: readonly Instrument[]): Promise<readonly OrderState[] | undefined> {
    const open: OrderState[] = [];
    for (const instrument of instruments) {
      const orders = await this.#try('open-orders', () => this.#exchange.fetchOpenOrders(instrument.symbol));
      if (orders === undefined) return undefined;
      open.push(...orders.map((order) => strangerFrom(order, instrument)));
    }
    return open;
  }

  async fillsSince(instruments: readonly Instrument[], sinceMs: number): Promise<readonly VenueFill[] | undefined> {
    const fills: VenueFill[] = [];
    for (const { symbol, venueSymbol } of instruments) {
      const trades = await this.#try('fills', () => this.#exchange.fetchMyTrades(symbol, Math.floor(sinceMs)));
      if (trades === undefined) return undefined;
      fills.push(...trades.map((trade) => tradeFrom(trade, { venueSymbol })));
    }
    return fills;
  }

  /** Totals of the wallets of these instruments, and their positions where ccxt can say. */
  async holdingsOf(instruments: readonly Instrument[]): Promise<AccountHoldings | undefined> {
    const types = [...new Set(instruments.map(({ kind }) => (kind === 'spot' ? 'spot' : 'swap')))];
    const wallets = ccxtOneWallet.has(this.#options.exchange) ? types.slice(0, 1) : types;
    const balances: BalanceState[] = [];
    for (const type of wallets) {
      const told = await this.#try('balances', () => this.#exchange.fetchBalance({ type }));
      if (told === undefined) return undefined;
      for (const [asset, total] of Object.entries(told.total)) {
        const found = decimalOf(total) ?? ZERO;
        balances.push({ asset, total: found, available: decimalOf(told.free[asset]) ?? found });
      }
    }
    if (!types.includes('swap') || !isThere(this.#exchange.has['fetchPositions'])) return { balances, positions: [] };
    const positions = await this.#try('positions', () => this.#exchange.fetchPositions());
    if (positions === undefined) return undefined;
    const bySymbol = new Map(instruments.map((instrument) => [instrument.symbol, instrument]));
    return {
      balances,
      positions: positions.flatMap((position) => positionFrom(position, bySymbol.get(position.symbol)) ?? []),
    };
  }

  async cancelStranger({ venueOrderId }: OrderState, { symbol }: Instrument): Promise<void> {
    await this.#try('cancel', () => this.#exchange.cancelOrder(venueOrderId, symbol));
  }

  stop(): void {
    this.#stopped = true;
  }

  get #defects() {
    return ccxtDefects[this.#options.exchange] ?? {};
  }

  /** What ccxt sends wrong there, and what it does not say that it can. */
  #refuses({ timeInForce, type, postOnly = false }: OrderRequest, { symbol, kind }: Instrument): string | undefined {
    const wrong = this.#defects.timesInForce;
    const claimed = this.#exchange.featureValue(symbol, 'createOrder', 'timeInForce') as
      Readonly<Record<string, boolean | undefined>> | undefined;
    if (postOnly && claimed?.['PO'] !== true) return 'ccxt has no post-only orders there';
    if (timeInForce === 'GTC' || type === 'market') return undefined;
    if (wrong?.values.includes(timeInForce) === true && (wrong.on === 'all' || kind !== 'spot'))
      return `ccxt sends ${timeInForce} as a resting order there`;
    return claimed?.[timeInForce] === true ? undefined : `ccxt has no ${timeInForce} orders there`;
  }

  async #place(tracked: TrackedOrder, order: OrderRequest): Promise<void> {
    const { clientOrderId, timeInForce, type, side, postOnly, reduceOnly } = order;
    const params = {
      clientOrderId: tracked.venueClientId,
      ...(type === 'limit' && timeInForce !== 'GTC' ? { timeInForce } : {}),
      ...(postOnly === true ? { postOnly } : {}),
      ...(reduceOnly === true ? { reduceOnly } : {}),
    };
    const { symbol } = tracked.instrument;
    const [qty, price] = [textOf(order.qty), textOf(order.price)];
    if (this.#options.fence?.() !== undefined) {
      this.#options.clock.after(0, () => this.#tracker.reject(tracked, 'not-allowed', 'not sent: fenced'));
      return;
    }
    tracked.leftNs = undefined;
    try {
      const placed = await this.#sending.run(tracked, () =>
        this.#exchange.createOrder(symbol, type, side, qty, price, params),
      );
      this.#tracker.accept(tracked, placed.id ?? '');
    } catch (error) {
      if (error instanceof Fenced && !error.mayHaveLeft) this.#tracker.reject(tracked, 'not-allowed', error.message);
      else if (error instanceof Fenced) this.#tracker.doubt(tracked, 'disconnect');
      else this.#onRefused(tracked, 'place', errorOf(error));
      return;
    } finally {
      // Refused within ccxt, it never leaves: it is over then, and nobody asks.
      tracked.leftNs ??= this.#options.clock.now();
    }
    if (!this.#stopped) this.#follow(this.#tracker.get(clientOrderId)!, FOLLOW_MS);
  }

  /** In the tick in which a request leaves: one that may place an order asks the fence. */
  #depart(): void {
    const tracked = this.#sending.getStore();
    if (tracked === undefined) return;
    if (this.#options.fence?.() !== undefined) throw new Fenced(tracked.leftNs !== undefined);
    tracked.leftNs = this.#options.clock.now();
  }

  /** It was reported as over, and others may be on their way in its stead: it must not work any longer. */
  #onRisen({ request: { clientOrderId } }: TrackedOrder): void {
    this.#options.logger.error('account-order-risen', { venue: this.#options.venue, order: clientOrderId });
    this.cancel(clientOrderId);
  }

  #onRefused(tracked: TrackedOrder, request: string, error: CcxtError): void {
    const text = this.#redaction.text(error.text).slice(0, 300);
    const { meaning, name } = error;
    if (meaning === 'unlisted') {
      this.unlisted += 1;
      const fields = { venue: this.#options.venue, request, code: name, text };
      this.#options.logger.warn('account-code-unlisted', fields);
      this.#tracker.doubt(tracked, 'server-error');
    } else if (meaning === 'timeout' || meaning === 'disconnect' || meaning === 'server-error') {
      this.#tracker.doubt(tracked, meaning);
    } else this.#tracker.reject(tracked, meaning, text);
  }

  /** Asks about an order until it has ended. */
  #follow(tracked: TrackedOrder, waitMs: number): void {
    this.#options.clock.after(waitMs, () => {
      if (this.#stopped || tracked.isOver) return;
      void this.#look(tracked, 'silently').then(() => this.#follow(tracked, Math.min(waitMs * 2, FOLLOW_MAX_MS)));
    });
  }

  async #cancel(tracked: TrackedOrder): Promise<void> {
    const id = tracked.venueOrderId ?? (await this.#search(tracked)).order?.id ?? undefined;
    if (id !== undefined) await this.#try('cancel', () => this.#exchange.cancelOrder(id, tracked.instrument.symbol));
  }

  /** Fills first, then how it stands; that there is none only `aloud`, and only when every list was asked. */
  async #look(tracked: TrackedOrder, how: 'aloud' | 'silently'): Promise<void> {
    const { symbol } = tracked.instrument;
    const askedNs = this.#options.clock.now();
    const known = tracked.venueOrderId;
    const byId =
      known === undefined || !isThere(this.#exchange.has['fetchOrder'])
        ? undefined
        : await this.#try('query', () => this.#exchange.fetchOrder(known, symbol));
    const { order, isCertain } = byId === undefined ? await this.#search(tracked) : { order: byId, isCertain: true };
    if (order?.id !== undefined && order.id !== null) this.#tracker.accept(tracked, order.id);
    const isAnswered = await this.#fills(tracked);
    if (!isAnswered) return;
    if (order !== undefined) {
      this.#tracker.learn(tracked, stateFrom(order, tracked));
      this.#tracker.tell(tracked);
    } else if (isCertain && how === 'aloud' && !this.#tracker.isOnItsWay(tracked, askedNs))
      this.#tracker.missing(tracked, askedNs);
  }

  /** By our id, among what is open and what has ended. `isCertain`: every list that there is was answered. */
  async #search({ venueClientId, instrument: { symbol }, sentMs }: TrackedOrder) {
    const { has } = this.#exchange;
    const sinceMs = Math.floor(sentMs - MARGIN_MS);
    const ended = isThere(has['fetchOrders'])
      ? (['fetchOrders'] as const)
      : isThere(has['fetchCanceledAndClosedOrders'])
        ? (['fetchCanceledAndClosedOrders'] as const)
        : (['fetchClosedOrders', 'fetchCanceledOrders'] as const).filter((method) => isThere(has[method]));
    let isCertain = ended.length > 0;
    for (const method of ['fetchOpenOrders', ...ended] as const) {
      const list = await this.#try(method, () =>
        method === 'fetchOpenOrders' ? this.#exchange[method](symbol) : this.#exchange[method](symbol, sinceMs),
      );
      const order = list?.find(({ clientOrderId }) => clientOrderId === venueClientId);
      if (order !== undefined) return { order, isCertain: true };
      isCertain &&= list !== undefined;
    }
    return { order: undefined, isCertain };
  }

  async #fills(tracked: TrackedOrder): Promise<boolean> {
    const { symbol } = tracked.instrument;
    const sinceMs = Math.floor(tracked.sentMs - MARGIN_MS);
    const trades = await this.#try('fills', () => this.#exchange.fetchMyTrades(symbol, sinceMs));
    for (const trade of trades ?? []) {
      if (trade.order !== tracked.venueOrderId || trade.order === undefined) continue;
      this.#tracker.fill(fillFrom(trade, tracked));
    }
    if (trades !== undefined && tracked.end !== undefined) tracked.fillsAsked = true;
    return trades !== undefined;
  }

  /** Undefined when it was not answered, whatever the reason: it is asked again by whoever needs it. */
  async #try<T>(request: string, ask: () => Promise<T>): Promise<T | undefined> {
    if (this.#stopped) return undefined;
    try {
      return await ask();
    } catch (error) {
      const { name, text } = errorOf(error);
      const fields = {
        venue: this.#options.venue,
        request,
        code: name,
        text: this.#redaction.text(text).slice(0, 300),
      };
      this.#options.logger.warn('ccxt-request-failed', fields);
      return undefined;
    }
  }

  #track(request: OrderRequest, instrument: Instrument, sentMs: number): TrackedOrder {
    return this.#tracker.track({ request, instrument, venueClientId: request.clientOrderId, sentMs });
  }

  #known(id: ClientOrderId): TrackedOrder | undefined {
    const earlier = this.#options.orderOf?.(id);
    const instrument = earlier === undefined ? undefined : this.#byId.get(earlier.request.instrument);
    const tracked = this.#tracker.get(id);
    if (tracked !== undefined || earlier === undefined || instrument === undefined) return tracked;
    return this.#track(earlier.request, instrument, earlier.sentMs);
  }
}

/** A request that was kept back. `mayHaveLeft`: one before it, for the same order, was not. */
class Fenced extends Error {
  readonly mayHaveLeft: boolean;

  constructor(mayHaveLeft: boolean) {
    super('not sent: fenced');
    this.mayHaveLeft = mayHaveLeft;
  }
}

type CcxtError = {
  readonly name: string;
  readonly text: string;
  readonly meaning: RejectReason | 'timeout' | 'disconnect' | 'server-error';
};

/**
 * What ccxt's exception classes leave no doubt about, the most special first found. Everything on the way (NetworkError and below) may have been done.
 * @see https://github.com/ccxt/ccxt/blob/master/ts/src/base/errorHierarchy.ts
 */
const MEANINGS: Readonly<Record<string, CcxtError['meaning']>> = {
  InsufficientFunds: 'insufficient-funds',
  OrderImmediatelyFillable: 'would-take',
  OrderNotFillable: 'not-filled',
  DuplicateOrderId: 'duplicate-id',
  ContractUnavailable: 'venue-down',
  MarketClosed: 'venue-down',
  AuthenticationError: 'unauthorised',
  RestrictedLocation: 'unauthorised',
  BadSymbol: 'invalid-order',
  ArgumentsRequired: 'invalid-order',
  NotSupported: 'not-allowed',
  OrderNotFound: 'server-error',
  OrderNotCached: 'server-error',
  InvalidOrder: 'invalid-order',
  RequestTimeout: 'timeout',
  ExchangeNotAvailable: 'server-error',
  NetworkError: 'disconnect',
  OperationFailed: 'server-error',
  BaseError: 'unlisted',
};

/** Anything that ccxt throws. What is none of its classes is our own mistake and goes through. */
function errorOf(error: unknown): CcxtError {
  for (
    let type: unknown = (error as Error).constructor;
    typeof type === 'function';
    type = Object.getPrototypeOf(type)
  ) {
    const meaning = Object.hasOwn(MEANINGS, type.name) ? MEANINGS[type.name] : undefined;
    if (meaning !== undefined) return { name: (error as Error).name, text: (error as Error).message, meaning };
  }
  throw error;
}

async function exchangeOf(
  id: string,
  { apiKey, secret, passphrase }: Credentials,
  enableRateLimit: boolean,
): Promise<CcxtExchange> {
  const { default: ccxt } = await import('ccxt');
  const classes = ccxt as unknown as Readonly<Record<string, CcxtClass | undefined>>;
  const known = (ccxt as unknown as { readonly exchanges: readonly string[] }).exchanges;
  const Exchange = known.includes(id) ? classes[id] : undefined;
  if (Exchange === undefined) throw new BadInput(`ccxt knows no exchange "${id}"`);
  return new Exchange({
    apiKey,
    secret,
    password: passphrase,
    enableRateLimit,
    timeout: TIMEOUT_MS,
    number: String,
  });
}

/** Every URL in ccxt's tree of them. */
function moved(urls: unknown, via: string | undefined): unknown {
  if (typeof urls === 'string') return /^(http|ws)s?:/.test(urls) ? rerouted(urls, via) : urls;
  if (typeof urls !== 'object' || urls === null) return urls;
  return Object.fromEntries(Object.entries(urls).map(([name, value]) => [name, moved(value, via)]));
}

/** `true`, or `emulated`. */
const isThere = (has: boolean | string | undefined): boolean => has === true || has === 'emulated';

const KINDS: Readonly<Record<string, InstrumentKind>> = { spot: 'spot', swap: 'perpetual', future: 'future' };

/** Undefined for what cannot be expressed: options, and markets without a grid. */
function instrumentFrom(market: CcxtMarket, venue: VenueId): Instrument | undefined {
  const { id, symbol, type, base, quote, settle, precision, limits, inverse, contractSize, active } = market;
  const kind = KINDS[type];
  const tick = decimalOf(precision.price);
  const lot = decimalOf(precision.amount);
  if (kind === undefined || tick === undefined || lot === undefined || tick.lte(0) || lot.lte(0)) return undefined;
  return {
    id: `${venue}:${symbol}` as InstrumentId,
    venue,
    market: type,
    symbol,
    venueSymbol: id,
    kind,
    base: base as Asset,
    quote: quote as Asset,
    settle: (settle ?? quote) as Asset,
    contractSize: decimalOf(contractSize) ?? new Decimal(1),
    inverse: inverse === true,
    tick,
    lot,
    minQty: decimalOf(limits.amount?.min) ?? lot,
    minNotional: decimalOf(limits.cost?.min) ?? ZERO,
    fees: {
      maker: decimalOf(market.maker) ?? ZERO,
      taker: decimalOf(market.taker) ?? ZERO,
      currency: kind === 'spot' ? 'received' : 'settle',
    },
    status: active === false ? 'halted' : 'trading',
  };
}

const STATUS: Readonly<Record<string, OrderState['status']>> = {
  open: 'open',
  closed: 'filled',
  canceled: 'canceled',
  cancelled: 'canceled',
  expired: 'expired',
  rejected: 'rejected',
};

/** A `closed` order that is not full has ended by its own terms. */
function stateFrom(
  { status, filled, id }: CcxtOrder,
  { request, instrument, venueClientId, ...tracked }: TrackedOrder,
): OrderState {
  const done = decimalOf(filled) ?? tracked.filled;
  const told = STATUS[status ?? 'open'] ?? 'open';
  return {
    venueSymbol: instrument.venueSymbol,
    clientOrderId: venueClientId,
    venueOrderId: id ?? '',
    side: request.side,
    status: told === 'filled' && done.lt(request.qty) ? 'expired' : told,
    qty: request.qty,
    filled: done,
    timeMs: NaN,
  };
}

const fillFrom = (trade: CcxtTrade, { instrument, venueClientId, request }: TrackedOrder): VenueFill => ({
  ...tradeFrom(trade, instrument),
  clientOrderId: venueClientId,
  side: (trade.side ?? request.side) as Side,
  price: decimalOf(trade.price) ?? request.price,
});

function tradeFrom(trade: CcxtTrade, { venueSymbol }: Pick<Instrument, 'venueSymbol'>): VenueFill {
  const fee = trade.fee ?? trade.fees?.[0];
  return {
    venueSymbol,
    clientOrderId: '',
    venueOrderId: trade.order ?? '',
    tradeId: trade.id ?? '',
    side: trade.side === 'sell' ? 'sell' : 'buy',
    price: decimalOf(trade.price) ?? ZERO,
    qty: decimalOf(trade.amount) ?? ZERO,
    fee: decimalOf(fee?.cost) ?? ZERO,
    feeAsset: fee?.currency ?? '',
    liquidity: trade.takerOrMaker === 'maker' ? 'maker' : 'taker',
    timeMs: trade.timestamp ?? NaN,
  };
}

/** An order that nobody here has sent. */
const strangerFrom = ({ id, clientOrderId }: CcxtOrder, { venueSymbol }: Instrument): OrderState => ({
  venueSymbol,
  clientOrderId: clientOrderId ?? '',
  venueOrderId: id ?? '',
  side: 'buy',
  status: 'open',
  qty: ZERO,
  filled: ZERO,
  timeMs: NaN,
});

function positionFrom(position: CcxtPosition, instrument: Instrument | undefined): PositionState | undefined {
  const size = decimalOf(position.contracts);
  if (instrument === undefined || size === undefined) return undefined;
  const optional = (name: 'markPrice' | 'liquidationPrice' | 'leverage'): Partial<PositionState> => {
    const found = decimalOf(position[name]);
    return found === undefined ? {} : { [name]: found };
  };
  return {
    venueSymbol: instrument.venueSymbol,
    qty: position.side === 'short' ? size.neg() : size,
    entryPrice: decimalOf(position.entryPrice) ?? ZERO,
    ...optional('markPrice'),
    ...optional('liquidationPrice'),
    ...optional('leverage'),
  };
}

/** Text, or what some parsers of ccxt leave a number. Undefined for what is no decimal. */
function decimalOf(value: unknown): Decimal | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?$/i.test(text)
    ? new Decimal(text)
    : undefined;
}
