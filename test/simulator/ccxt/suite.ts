import ccxt from 'ccxt';
import type { Order as CcxtOrder } from 'ccxt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { Account } from '#simulator/accounts.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Order } from '#simulator/exchange.ts';
import { averageOf } from '#simulator/exchange.ts';
import { qtyOf } from '#simulator/listings.ts';
import type { RunningServer } from '#simulator/server.ts';
import { serveSimulator } from '#simulator/server.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { truth } from '../venue-client.ts';

/**
 * The proof that the simulator speaks the venues' language: ccxt as published, only its URLs moved, trades here, and what it believes
 * afterwards is what the simulator's own ledger says.
 */
export type Ccxt = InstanceType<typeof ccxt.pro.binance>;
type SizedOrder = readonly [symbol: string, qty: number];

/** What is exercised on one venue. What a client or a venue does not have is left out, and stands in `without` with its reason. */
export type CcxtCase = {
  readonly venue: string;
  /** ccxt's name of the venue where it is another. */
  readonly ccxt?: string;
  /** ccxt options that a user sets by its manual (an API generation, say). */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Books to fetch and watch. */
  readonly symbols: readonly string[];
  /** What `loadMarkets` is to know; every listing when absent. */
  readonly listed?: (symbol: string) => boolean;
  /** Whether ccxt knows ticks and lots here; where it counts digits it does not. */
  readonly knowsGrids?: boolean;
  /** A limit order far below the market: [symbol, qty, price]. */
  readonly limit: readonly [symbol: string, qty: number, price: number];
  readonly market: SizedOrder;
  /** Sells more than the best bid holds, IOC. */
  readonly ioc?: readonly [symbol: string, more: number];
  /** Over WebSocket, where ccxt has it. */
  readonly orderWs?: {
    readonly order: readonly [symbol: string, qty: number, price: number];
    readonly cancelNamesSymbol: boolean;
  };
  /** Whether ccxt watches orders here. */
  readonly watchesOrders: boolean;
  readonly fetchesTrades: boolean;
  /** An order that cannot exist; absent where ccxt reads an empty list as an order. */
  readonly missing?: string;
  /** What a wrong secret brings. */
  readonly wrongSecret: unknown;
  /** An order that the account cannot pay: [symbol, qty, price]. */
  readonly tooDear: readonly [symbol: string, qty: number, price: number];
  /** Positions to open and close at market. */
  readonly perpetuals: readonly SizedOrder[];
  /** How the venue writes the exchange's order number inside its own. */
  readonly idOf?: (id: number) => string;
  /** Where ccxt's word for a state is another than usual. */
  readonly statusOf?: (status: Order['status']) => string;
  /** False where the free balance is told without what positions bind. */
  readonly marginIsFree?: boolean;
  /** Whether ccxt can find an ended order by its id. */
  readonly fetchesEnded?: boolean;
  /** What is not exercised here, and why. */
  readonly without?: readonly string[];
};

const STATUS = { open: 'open', filled: 'closed', canceled: 'canceled', expired: 'expired' } as const;
const clock = systemClock();

type Identified = CcxtOrder & { readonly id: string };
const identified = (order: CcxtOrder): Identified => {
  if (order.id === undefined) throw new Error('an order without an id');
  return order as Identified;
};

/** `https://host/path` → `http://127.0.0.1:port/host/path`, everywhere in ccxt's `urls.api`. */
function moved(urls: unknown, port: number): unknown {
  if (typeof urls === 'string')
    return urls.replace(/^(http|ws)s:\/\//, (_, scheme: string) => `${scheme}://127.0.0.1:${port}/`);
  if (typeof urls !== 'object' || urls === null) return urls;
  return Object.fromEntries(Object.entries(urls).map(([name, value]) => [name, moved(value, port)]));
}

/** ccxt as published, on the simulator. */
export async function clientOf({ venue, ccxt: id = venue, options = {} }: CcxtCase, port: number): Promise<Ccxt> {
  const { apiKey, secret, passphrase } = DEFAULT_ACCOUNT;
  const classes = ccxt.pro as unknown as Readonly<Record<string, new (settings: object) => Ccxt>>;
  const exchange = new classes[id]!({
    apiKey,
    secret,
    password: passphrase,
    uid: 'simulator',
    enableRateLimit: false,
    timeout: 10_000,
    options,
  });
  exchange.urls['api'] = moved(exchange.urls['api'], port) as typeof exchange.urls.api;
  // ccxt's own way to allow ws:// besides wss://.
  await exchange.loadHttpProxyAgent();
  return exchange;
}

/** Waits until the stream has said of the order what `told` asks for. */
async function watchUntil(exchange: Ccxt, symbol: string, told: (order: CcxtOrder) => boolean): Promise<CcxtOrder> {
  for (;;) {
    const orders = await exchange.watchOrders(symbol);
    const hit = orders.findLast(told);
    if (hit !== undefined) return hit;
  }
}

export function exerciseCcxt(spec: CcxtCase): void {
  const { venue, symbols } = spec;
  const wallets = (): readonly string[] => [...new Set(simulator.exchange(venue).listings.map(({ wallet }) => wallet))];
  let simulator: Simulator;
  let server: RunningServer;
  let exchange: Ccxt;

  beforeAll(async () => {
    simulator = createSimulator({
      clock,
      random: randomFrom(11),
      config: { updates_per_second: 200, dislocations_per_minute: 0, dislocation_bps: 0, venues: [venue] },
    });
    server = await serveSimulator({ simulator, clock, port: 0 });
    simulator.start();
    exchange = await clientOf(spec, server.port);
    await exchange.loadMarkets();
  });
  afterAll(async () => {
    await exchange.close();
    simulator.stop();
    await server.close();
  });

  const account = (): Account => simulator.exchange(venue).ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;

  /** The order as the simulator itself knows it: the latest, whose number ccxt learnt. */
  function own(order: Identified): Order {
    const there = simulator.exchange(venue).ordersOf(account()).at(-1)!;
    expect(order.id).toContain((spec.idOf ?? String)(there.id));
    return there;
  }

  const place = async (...order: Parameters<Ccxt['createOrder']>): Promise<Identified> =>
    identified(await exchange.createOrder(...order));

  function expectSame(seen: CcxtOrder, order: Order): void {
    expect(seen.symbol).toBe(order.listing.symbol);
    expect(seen.side).toBe(order.side);
    expect(seen.amount ?? NaN).toBeCloseTo(qtyOf(order.listing, order.qty).toNumber(), 10);
    // What ccxt cannot tell from a cancellation it leaves out.
    expect(seen.filled ?? 0).toBeCloseTo(qtyOf(order.listing, order.filled).toNumber(), 10);
    expect(seen.status).toBe((spec.statusOf ?? ((status): string => STATUS[status]))(order.status));
    if (order.filled > 0 && seen.average !== undefined)
      expect(seen.average).toBeCloseTo(averageOf(order).toNumber(), 6);
  }

  async function expectSameBalances(): Promise<void> {
    const balance = await exchange.fetchBalance();
    const wallet = simulator.exchange(venue).listings.find(({ symbol }) => symbol === spec.limit[0])!.wallet;
    for (const asset of account().assets(wallet)) {
      const { total, held } = account().balance(wallet, asset);
      const free = spec.marginIsFree === false ? account().available(wallet, asset) : total.minus(held);
      if (total.isZero()) continue;
      expect(balance[asset]!.total, asset).toBeCloseTo(total.toNumber(), 6);
      if (balance[asset]!.free !== undefined && wallets().length > 0)
        expect(balance[asset]!.free, asset).toBeCloseTo(free.toNumber(), 6);
    }
  }

  describe(`ccxt ${ccxt.version} on ${venue}`, () => {
    it('loads the markets that are listed, with their grids', () => {
      const listings = simulator.exchange(venue).listings.filter(({ symbol }) => spec.listed?.(symbol) ?? true);
      const known = Object.keys(exchange.markets ?? {});
      expect(known.toSorted()).toEqual(listings.map(({ symbol }) => symbol).toSorted());
      for (const listing of listings) {
        const market = exchange.market(listing.symbol);
        if (spec.knowsGrids !== false) {
          expect(market.precision.price, listing.symbol).toBeCloseTo(10 ** -listing.priceDecimals, 12);
          expect(market.precision.amount, listing.symbol).toBeCloseTo(10 ** -listing.lotDecimals, 12);
        }
        expect(market.active).not.toBe(false);
        if (listing.perpetual) expect(market.contractSize).toBe(listing.contractSize.toNumber());
      }
    });

    it('fetches and watches order books without complaint', async () => {
      await Promise.all(
        symbols.map(async (symbol) => {
          const fetched = await exchange.fetchOrderBook(symbol, 20);
          expect(fetched.bids.length).toBeGreaterThanOrEqual(10);
          expect(fetched.bids[0]![0]!).toBeLessThan(fetched.asks[0]![0]!);
          for (let update = 0; update < 10; update += 1) {
            const book = await exchange.watchOrderBook(symbol);
            expect(book.bids[0]![0]!).toBeLessThan(book.asks[0]![0]!);
            expect(book.asks.length).toBeGreaterThanOrEqual(10);
          }
        }),
      );
    });

    it('places, fetches and cancels a limit order, and hears of it', async () => {
      const [symbol, qty, price] = spec.limit;
      const heard = spec.watchesOrders
        ? watchUntil(exchange, symbol, ({ status }) => status === 'canceled')
        : undefined;
      const created = await place(symbol, 'limit', 'buy', qty, price);
      const order = own(created);
      await expectSameBalances();
      expectSame(await exchange.fetchOrder(created.id, symbol), order);
      expect((await exchange.fetchOpenOrders(symbol)).map(({ id }) => id)).toEqual([created.id]);

      await exchange.cancelOrder(created.id, symbol);
      expect(order.status).toBe('canceled');
      if (spec.fetchesEnded !== false) expectSame(await exchange.fetchOrder(created.id, symbol), order);
      if (heard !== undefined) expectSame(await heard, order);
      await expectSameBalances();
      await expect(exchange.cancelOrder(created.id, symbol)).rejects.toThrow(ccxt.BaseError);
    });

    it('trades at market, and fees and balances agree to the ledger', async () => {
      const [symbol, qty] = spec.market;
      const created = await place(symbol, 'market', 'sell', qty);
      const order = own(created);
      expect(order.status).toBe('filled');
      if (spec.fetchesEnded !== false) expectSame(await exchange.fetchOrder(created.id, symbol), order);
      await expectSameBalances();
      if (!spec.fetchesTrades) return;
      const trades = (await exchange.fetchMyTrades(symbol)).filter(({ order: of }) => of === created.id);
      expect(trades).toHaveLength(order.trades.length);
      const fees = trades.reduce((sum, { fee }) => sum + (fee?.cost ?? NaN), 0);
      const charged = order.trades.reduce((sum, { fee }) => sum + fee.toNumber(), 0);
      expect(fees).toBeCloseTo(charged, 8);
      expect(new Set(trades.map(({ fee }) => fee?.currency))).toEqual(
        new Set(order.trades.map(({ feeAsset }) => feeAsset)),
      );
    });

    it.runIf(spec.ioc !== undefined)('sells IOC: at the limit what is there, and the rest not at all', async () => {
      const [symbol, more] = spec.ioc!;
      const sell = async (): Promise<Order> => {
        const { bids } = await exchange.fetchOrderBook(symbol, 20);
        const [price, qty] = bids[0]!;
        const amount = Number((qty! + more).toFixed(3));
        return own(await place(symbol, 'limit', 'sell', amount, price, { timeInForce: 'IOC' }));
      };
      let order = await sell();
      // The market lives: between the question and the order it may have risen, and then takes all of it.
      for (let again = 0; again < 10 && order.filled === order.qty; again += 1) order = await sell();
      expect(order.timeInForce).toBe('IOC');
      expect(['filled', 'expired']).toContain(order.status);
      expect(order.filled).toBeLessThan(order.qty);
      await expectSameBalances();
    });

    it.runIf(spec.orderWs !== undefined)('places and cancels over WebSocket', async () => {
      const {
        order: [symbol, qty, price],
        cancelNamesSymbol,
      } = spec.orderWs!;
      const created = identified(await exchange.createOrderWs(symbol, 'limit', 'buy', qty, price));
      const order = own(created);
      expect(order.status).toBe('open');
      await exchange.cancelOrderWs(created.id, cancelNamesSymbol ? symbol : undefined);
      expect(order.status).toBe('canceled');
    });

    it('names refusals so that ccxt knows them', async () => {
      const [symbol, qty, price] = spec.tooDear;
      await expect(exchange.createOrder(symbol, 'limit', 'buy', qty, price)).rejects.toThrow(ccxt.InsufficientFunds);
      if (spec.missing !== undefined)
        await expect(exchange.fetchOrder(spec.missing, symbol)).rejects.toThrow(ccxt.OrderNotFound);
      const stranger = await clientOf(spec, server.port);
      stranger.secret = 'd3Jvbmc=';
      await expect(stranger.fetchBalance()).rejects.toThrow(spec.wrongSecret);
      await stranger.close();
    });

    it.each(spec.perpetuals)('%s: opens and closes a position, the profit arrives', async (symbol, qty) => {
      const { wallet, settle } = simulator.exchange(venue).listings.find((listing) => listing.symbol === symbol)!;
      const before = account().balance(wallet, settle).total;
      const opening = own(await place(symbol, 'market', 'sell', qty));
      expect(account().position(opening.listing).lots).toBe(-opening.qty);
      const closing = own(await place(symbol, 'market', 'buy', qty));
      const { lots, realised } = account().position(closing.listing);
      expect(lots).toBe(0);
      const fees = [...opening.trades, ...closing.trades].reduce((sum, { fee }) => sum.plus(fee), before.times(0));
      expect(account().balance(wallet, settle).total.toFixed()).toBe(before.plus(realised).minus(fees).toFixed());
    });
  });

  it(`${venue}: what ccxt has built is the book that the simulator has`, async () => {
    // Without batches a stopped market owes nobody a frame.
    const still = createSimulator({
      clock,
      random: randomFrom(12),
      config: {
        updates_per_second: 300,
        dislocations_per_minute: 600,
        dislocation_bps: 60,
        venues: [venue],
        batch_ms: 0,
      },
    });
    const stillServer = await serveSimulator({ simulator: still, clock, port: 0 });
    const watcher = await clientOf(spec, stillServer.port);
    await watcher.loadMarkets();
    still.start();
    await Promise.all(
      symbols.map(async (symbol) => {
        for (let update = 0; update < 30; update += 1) await watcher.watchOrderBook(symbol);
      }),
    );
    still.stop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const symbol of symbols) {
      const { bids, asks } = watcher.orderbooks[symbol]!;
      const top = (side: unknown): unknown[] =>
        (side as [number, number][]).slice(0, 10).map(([price, qty]) => [price, qty]);
      expect({ bids: top(bids), asks: top(asks) }, symbol).toEqual(truth(still.exchange(venue), symbol, 10));
    }
    await watcher.close();
    await stillServer.close();
  });
}
