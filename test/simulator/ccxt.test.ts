import ccxt from 'ccxt';
import type { Order as CcxtOrder } from 'ccxt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Order } from '#simulator/exchange.ts';
import { averageOf } from '#simulator/exchange.ts';
import { qtyOf } from '#simulator/listings.ts';
import type { RunningServer } from '#simulator/server.ts';
import { serveSimulator } from '#simulator/server.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { truth } from './venue-client.ts';

/**
 * The proof that the simulator speaks the venues' language: ccxt as published, only its URLs moved, trades here, and what it believes
 * afterwards is what the simulator's own ledger says.
 */
type Ccxt = InstanceType<typeof ccxt.pro.binance>;

const clock = systemClock();
let simulator: Simulator;
let server: RunningServer;

beforeAll(async () => {
  simulator = createSimulator({
    clock,
    random: randomFrom(11),
    config: { updates_per_second: 400, dislocations_per_minute: 0, dislocation_bps: 0 },
  });
  server = await serveSimulator({ simulator, clock, port: 0 });
  simulator.start();
});

afterAll(async () => {
  simulator.stop();
  await server.close();
});

type VenueName = 'binance' | 'okx' | 'kraken';

/** `https://host/path` → `http://127.0.0.1:port/host/path`, everywhere in ccxt's `urls.api`. */
function moved(urls: unknown, port: number): unknown {
  if (typeof urls === 'string')
    return urls.replace(/^(http|ws)s:\/\//, (_, scheme: string) => `${scheme}://127.0.0.1:${port}/`);
  if (typeof urls !== 'object' || urls === null) return urls;
  return Object.fromEntries(Object.entries(urls).map(([name, value]) => [name, moved(value, port)]));
}

async function client(venue: VenueName, { port } = server): Promise<Ccxt> {
  const { apiKey, secret, passphrase } = DEFAULT_ACCOUNT;
  const exchange = new ccxt.pro[venue]({
    apiKey,
    secret,
    password: passphrase,
    enableRateLimit: false,
    timeout: 10_000,
  });
  exchange.urls['api'] = moved(exchange.urls['api'], port) as typeof exchange.urls.api;
  // ccxt's own way to allow ws:// besides wss://.
  await exchange.loadHttpProxyAgent();
  return exchange as unknown as Ccxt;
}

const account = (venue: VenueName) => simulator.exchange(venue).ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;

/** The order as the simulator itself knows it: the one whose number or client id ccxt learnt. */
function own(venue: VenueName, order: Identified): Order {
  const there = simulator.exchange(venue).ordersOf(account(venue)).at(-1)!;
  expect(order.id).toContain(there.id.toString(venue === 'kraken' ? 36 : 10).toUpperCase());
  return there;
}

type Identified = CcxtOrder & { readonly id: string };
const identified = (order: CcxtOrder): Identified => {
  if (order.id === undefined) throw new Error('an order without an id');
  return order as Identified;
};
const place = async (exchange: Ccxt, ...order: Parameters<Ccxt['createOrder']>): Promise<Identified> =>
  identified(await exchange.createOrder(...order));

const STATUS = { open: 'open', filled: 'closed', canceled: 'canceled', expired: 'expired' } as const;

/** ccxt's picture of an order against the simulator's. OKX knows no "expired": it cancels. */
function expectSame(venue: VenueName, seen: CcxtOrder, order: Order): void {
  expect(seen.symbol).toBe(order.listing.symbol);
  expect(seen.side).toBe(order.side);
  expect(seen.type).toBe(order.type);
  expect(seen.amount).toBe(qtyOf(order.listing, order.qty).toNumber());
  // What ccxt cannot tell from a Kraken cancellation it leaves out.
  expect(seen.filled ?? 0).toBe(qtyOf(order.listing, order.filled).toNumber());
  expect(seen.status).toBe(venue === 'okx' && order.status === 'expired' ? 'canceled' : STATUS[order.status]);
  if (order.filled > 0) {
    expect(seen.average).toBeCloseTo(averageOf(order).toNumber(), 6);
    expect(seen.cost).toBeCloseTo(order.cost.toNumber(), 6);
  }
}

async function expectSameBalances(venue: VenueName, exchange: Ccxt): Promise<void> {
  const balance = await exchange.fetchBalance();
  for (const asset of account(venue).assets('spot')) {
    const { total, held } = account(venue).balance('spot', asset);
    expect(balance[asset]!.total, asset).toBeCloseTo(total.toNumber(), 6);
    expect(balance[asset]!.free, asset).toBeCloseTo(total.minus(held).toNumber(), 6);
  }
}

/** Waits until the stream has said of the order what `told` asks for. */
async function watchUntil(exchange: Ccxt, symbol: string, told: (order: CcxtOrder) => boolean): Promise<CcxtOrder> {
  for (;;) {
    const orders = await exchange.watchOrders(symbol);
    const hit = orders.findLast(told);
    if (hit !== undefined) return hit;
  }
}

const CASES: readonly { readonly venue: VenueName; readonly symbols: readonly string[] }[] = [
  { venue: 'binance', symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USDT:USDT', 'BTC/USD:BTC'] },
  { venue: 'okx', symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USDT:USDT'] },
  { venue: 'kraken', symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USD'] },
];

describe.each(CASES)('ccxt on $venue', ({ venue, symbols }) => {
  let exchange: Ccxt;
  beforeAll(async () => {
    exchange = await client(venue);
    await exchange.loadMarkets();
  });
  afterAll(async () => {
    await exchange.close();
  });

  it('loads the markets that are listed, with their grids', () => {
    const { listings } = simulator.exchange(venue);
    expect(Object.keys(exchange.markets ?? {}).toSorted()).toEqual(listings.map(({ symbol }) => symbol).toSorted());
    for (const listing of listings) {
      const market = exchange.market(listing.symbol);
      expect(market.precision.price, listing.symbol).toBeCloseTo(10 ** -listing.priceDecimals, 12);
      expect(market.precision.amount, listing.symbol).toBeCloseTo(10 ** -listing.lotDecimals, 12);
      expect(market.active).toBe(true);
      if (listing.perpetual) expect(market.contractSize).toBe(listing.contractSize.toNumber());
    }
  });

  it('fetches and watches order books without complaint', async () => {
    await Promise.all(
      symbols.map(async (symbol) => {
        const fetched = await exchange.fetchOrderBook(symbol, 20);
        expect(fetched.bids).toHaveLength(20);
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
    const heard = watchUntil(exchange, 'ETH/USDT', ({ status }) => status === 'canceled');
    const created = await place(exchange, 'ETH/USDT', 'limit', 'buy', 0.5, 2_000.5);
    const order = own(venue, created);
    await expectSameBalances(venue, exchange);
    expectSame(venue, await exchange.fetchOrder(created.id, 'ETH/USDT'), order);
    expect((await exchange.fetchOpenOrders('ETH/USDT')).map(({ id }) => id)).toEqual([created.id]);

    await exchange.cancelOrder(created.id, 'ETH/USDT');
    expect(order.status).toBe('canceled');
    expectSame(venue, await exchange.fetchOrder(created.id, 'ETH/USDT'), order);
    expectSame(venue, await heard, order);
    await expectSameBalances(venue, exchange);
    await expect(exchange.cancelOrder(created.id, 'ETH/USDT')).rejects.toThrow(ccxt.OrderNotFound);
  });

  it('trades at market, and fees and balances agree to the ledger', async () => {
    const heard = watchUntil(exchange, 'BTC/USDT', ({ status }) => status === 'closed');
    const created = await place(exchange, 'BTC/USDT', 'market', 'buy', 0.05);
    const order = own(venue, created);
    expect(order.status).toBe('filled');
    const seen = await exchange.fetchOrder(created.id, 'BTC/USDT');
    expectSame(venue, seen, order);
    const watched = await heard;
    expect([watched.id, watched.filled]).toEqual([created.id, 0.05]);
    await expectSameBalances(venue, exchange);

    const trades = (await exchange.fetchMyTrades('BTC/USDT')).filter(({ order: of }) => of === created.id);
    expect(trades).toHaveLength(order.trades.length);
    const fees = trades.reduce((sum, { fee }) => sum + (fee?.cost ?? NaN), 0);
    expect(fees).toBeCloseTo(
      order.trades.reduce((sum, { fee }) => sum + fee.toNumber(), 0),
      8,
    );
    expect(new Set(trades.map(({ fee }) => fee?.currency))).toEqual(
      new Set(order.trades.map(({ feeAsset }) => feeAsset)),
    );
  });

  it('sells IOC: at the limit what is there, and the rest not at all', async () => {
    const { bids } = await exchange.fetchOrderBook('SOL/USDT', 5);
    const [price, qty] = bids[0]!;
    const created = await place(exchange, 'SOL/USDT', 'limit', 'sell', Number((qty! + 100).toFixed(3)), price, {
      timeInForce: 'IOC',
    });
    const order = own(venue, created);
    expect(['filled', 'expired']).toContain(order.status);
    expect(order.filled).toBeLessThan(order.qty);
    expectSame(venue, await exchange.fetchOrder(created.id, 'SOL/USDT'), order);
    await expectSameBalances(venue, exchange);
  });

  it('places and cancels over WebSocket', async () => {
    const created = identified(await exchange.createOrderWs('LTC/USDT', 'limit', 'buy', 1, 50));
    const order = own(venue, created);
    expect(order.status).toBe('open');
    await exchange.cancelOrderWs(created.id, venue === 'kraken' ? undefined : 'LTC/USDT');
    expect(order.status).toBe('canceled');
  });

  it('names refusals so that ccxt knows them', async () => {
    await expect(exchange.createOrder('BTC/USDT', 'limit', 'buy', 1_000, 90_000)).rejects.toThrow(
      ccxt.InsufficientFunds,
    );
    await expect(exchange.fetchOrder(venue === 'kraken' ? 'OAAAAA-AAAAA-AAAAAA' : '1', 'BTC/USDT')).rejects.toThrow(
      ccxt.OrderNotFound,
    );
    const stranger = await client(venue);
    stranger.secret = 'd3Jvbmc=';
    await expect(stranger.fetchBalance()).rejects.toThrow(
      venue === 'kraken' ? 'EAPI:Invalid signature' : ccxt.AuthenticationError,
    );
    await stranger.close();
  });
});

describe('ccxt on perpetuals', () => {
  it.each([
    ['binance', 'BTC/USDT:USDT', 0.05, 'usdm'],
    ['binance', 'BTC/USD:BTC', 10, 'coinm'],
    ['okx', 'BTC/USDT:USDT', 5, 'spot'],
  ] as const)('%s %s: opens and closes a position, the profit arrives', async (venue, symbol, amount, wallet) => {
    const exchange = await client(venue);
    await exchange.loadMarkets();
    const settle = symbol.split(':')[1]!;
    const before = account(venue).balance(wallet, settle).total;
    const opened = await place(exchange, symbol, 'market', 'sell', amount);
    const opening = own(venue, opened);
    const { listing } = opening;
    expect(account(venue).position(listing).lots).toBe(-opening.qty);
    expectSame(venue, await exchange.fetchOrder(opened.id, symbol), opening);

    const closed = await place(exchange, symbol, 'market', 'buy', amount);
    const closing = own(venue, closed);
    expect(account(venue).position(listing).lots).toBe(0);
    const fees = [...opening.trades, ...closing.trades].reduce((sum, { fee }) => sum.plus(fee), before.times(0));
    const { realised } = account(venue).position(listing);
    expect(account(venue).balance(wallet, settle).total.toFixed()).toBe(before.plus(realised).minus(fees).toFixed());
    await exchange.close();
  });
});

describe('ccxt order books', () => {
  it.each(CASES)('$venue: what ccxt has built is the book that the simulator has', async ({ venue, symbols }) => {
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
    const exchange = await client(venue, stillServer);
    await exchange.loadMarkets();
    still.start();
    await Promise.all(
      symbols.map(async (symbol) => {
        for (let update = 0; update < 30; update += 1) await exchange.watchOrderBook(symbol);
      }),
    );
    still.stop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const symbol of symbols) {
      const { bids, asks } = exchange.orderbooks[symbol]!;
      const expected = truth(still.exchange(venue), symbol, 10);
      const top = (side: unknown): unknown[] =>
        (side as [number, number][]).slice(0, 10).map(([price, qty]) => [price, qty]);
      expect({ bids: top(bids), asks: top(asks) }, symbol).toEqual(expected);
    }
    await exchange.close();
    await stillServer.close();
  });
});
