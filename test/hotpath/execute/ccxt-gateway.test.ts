import { Decimal } from 'decimal.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AccountUnreachable } from '#hotpath/execute/account/account-client.ts';
import { CcxtAccount } from '#hotpath/execute/account/ccxt-account.ts';
import type { CcxtGatewayOptions } from '#hotpath/execute/ccxt-gateway.ts';
import { CcxtGateway } from '#hotpath/execute/ccxt-gateway.ts';
import { ccxtDefects } from '#hotpath/venues/venue-ccxt.ts';
import { BadInput } from '#shared/assert.ts';
import { systemClock } from '#shared/clock/clock.ts';
import type { ClientOrderId, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderReport } from '#shared/domain/order.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { limitPrice, lotQty } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Order } from '#simulator/exchange.ts';
import { priceOf, qtyOf } from '#simulator/listings.ts';
import type { RunningServer } from '#simulator/server.ts';
import { serveSimulator } from '#simulator/server.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { LogBook, orderOf, told } from '#test/support/account-rig.ts';
import { spot } from './trading.ts';

/** ccxt's own classes against the simulator: only their URLs are moved. */
const clock = systemClock();
let simulator: Simulator;
let server: RunningServer;
const gateways: CcxtGateway[] = [];

async function open(): Promise<void> {
  simulator = createSimulator({
    clock,
    random: randomFrom(31),
    config: {
      updates_per_second: 20,
      dislocations_per_minute: 0,
      dislocation_bps: 0,
      symbols: ['BTC/USDT', 'ETH/USDT', 'BTC/USDT:USDT'],
    },
  });
  server = await serveSimulator({ simulator, clock, port: 0 });
  simulator.start();
}
async function close(): Promise<void> {
  simulator.stop();
  await server.close();
}
beforeAll(open);
afterEach(() => {
  for (const gateway of gateways.splice(0)) gateway.stop();
});
afterAll(close);

async function rig(exchange: string, options: Partial<CcxtGatewayOptions> = {}) {
  const reports: OrderReport[] = [];
  const log = new LogBook();
  const { apiKey, secret, passphrase } = DEFAULT_ACCOUNT;
  const gateway = await CcxtGateway.open({
    exchange,
    venue: exchange as VenueId,
    credentials: { apiKey, secret, passphrase },
    via: `http://127.0.0.1:${server.port}`,
    paced: false,
    clock,
    logger: log.logger,
    onReport: (report) => void reports.push(report),
    ...options,
  });
  gateways.push(gateway);
  const instrument = gateway.instruments.find(({ symbol }) => symbol === 'BTC/USDT')!;
  const venue = simulator.exchange(exchange);
  const listing = venue.listings.find(({ symbol }) => symbol === 'BTC/USDT')!;
  const best = (side: 'bids' | 'asks'): Decimal => priceOf(listing, venue.engine(listing)[side].best()!.price);
  const order = (id: string, more: object) =>
    orderOf({
      clientOrderId: id as ClientOrderId,
      instrument: instrument.id,
      qty: lotQty('0.01', instrument.lot),
      ...more,
    });
  const words = (id: string): string[] =>
    reports.filter(({ clientOrderId }) => clientOrderId === id).map((report) => told(report).split(' ', 1)[0]!);
  const until = async (done: () => boolean): Promise<void> => {
    await expect.poll(done, { timeout: 20_000, interval: 20 }).toBe(true);
  };
  const orders = (): readonly Order[] => venue.ordersOf(venue.ledger.byKey(apiKey)!);
  return { gateway, reports, log, instrument, best, order, words, until, orders };
}

const crossing = (best: Decimal, { tick }: Instrument): Price => limitPrice(best.times('1.01'), tick, 'sell');
const away = (best: Decimal, { tick }: Instrument): Price => limitPrice(best.times('0.95'), tick, 'buy');

describe.each(['binance', 'okx', 'kraken'])('ccxt gateway on %s', (exchange) => {
  it('describes what is listed on its grid', async () => {
    const { instrument, gateway } = await rig(exchange);
    const listing = simulator.exchange(exchange).listings.find(({ symbol }) => symbol === 'BTC/USDT')!;
    expect(instrument).toMatchObject({
      id: `${exchange}:BTC/USDT`,
      kind: 'spot',
      base: 'BTC',
      settle: 'USDT',
      status: 'trading',
    });
    expect(instrument.tick.toFixed()).toBe(priceOf(listing, 1).toFixed());
    expect(instrument.lot.toFixed()).toBe(qtyOf(listing, 1).toFixed());
    expect(gateway.instruments.map(({ symbol }) => symbol)).toContain('ETH/USDT');
  });

  it('fills an IOC order and books it as the venue does', async () => {
    const { gateway, order, best, instrument, words, until, reports, orders } = await rig(exchange);
    gateway.submit([order('cx1', { price: crossing(best('asks'), instrument) })]);
    await until(() => reports.some(({ kind }) => kind === 'fill'));
    const placed = orders().at(-1)!;
    await until(() => words('cx1').filter((word) => word === 'fill').length === placed.trades.length);
    expect(words('cx1')[0]).toBe('accepted');
    const fills = reports.flatMap((report) => (report.kind === 'fill' ? [report.fill] : []));
    const row = (price: Decimal, qty: Decimal, fee: Decimal, asset: string): string =>
      `${qty.toFixed()}@${price.toFixed()} ${fee.toFixed()} ${asset}`;
    expect(fills.map(({ price, qty, fee, feeAsset }) => row(price, qty, fee, feeAsset)).toSorted()).toEqual(
      placed.trades
        .map(({ price, lots, fee, feeAsset }) =>
          row(priceOf(placed.listing, price), qtyOf(placed.listing, lots), fee, feeAsset),
        )
        .toSorted(),
    );
  });

  it('says that an IOC order found nothing', async () => {
    const { gateway, order, best, instrument, words, until } = await rig(exchange);
    gateway.submit([order('cx2', { price: away(best('bids'), instrument) })]);
    await until(() => ['expired', 'canceled'].includes(words('cx2').at(-1) ?? ''));
    expect(words('cx2')).not.toContain('fill');
  });

  it('rests, cancels, and leaves nothing open', async () => {
    const { gateway, order, best, instrument, words, until, orders } = await rig(exchange);
    const price = away(best('bids'), instrument);
    gateway.submit([order('cx3', { price, timeInForce: 'GTC' })]);
    await until(() => words('cx3').includes('accepted'));
    gateway.cancel('cx3' as ClientOrderId);
    await until(() => words('cx3').at(-1) === 'canceled');
    gateway.submit([order('cx4', { price, timeInForce: 'GTC' }), order('cx5', { price, timeInForce: 'GTC' })]);
    await until(() => words('cx4').includes('accepted') && words('cx5').includes('accepted'));
    expect(await gateway.cancelAll([instrument])).toBe(0);
    expect(orders().filter(({ status }) => status === 'open')).toEqual([]);
    await until(() => words('cx4').at(-1) === 'canceled' && words('cx5').at(-1) === 'canceled');
  });

  it('rejects for want of money, and doubts what the venue did not answer', async () => {
    const { gateway, order, best, instrument, words, until, orders, log } = await rig(exchange);
    gateway.submit([order('cx6', { price: crossing(best('asks'), instrument), qty: new Decimal(900) as Qty })]);
    await until(() => words('cx6').length > 0);
    expect(words('cx6'), log.lines.join('\n')).toEqual(['rejected']);
    simulator.fault({ venue: exchange, market: 'spot', kind: 'server-error' });
    gateway.submit([order('cx7', { price: away(best('bids'), instrument), timeInForce: 'GTC' })]);
    await until(() => words('cx7').length > 0);
    expect(words('cx7')).toEqual(['unknown']);
    const before = orders().length;
    const denied = (): string | undefined => {
      gateway.probe('cx7' as ClientOrderId);
      return words('cx7').at(-1);
    };
    // Shortly after it has left, that it is not found says nothing.
    await expect.poll(denied, { timeout: 20_000, interval: 500 }).toBe('not-found');
    expect(orders()).toHaveLength(before);
  });

  it('sends no order that waited while the fence was closed', async () => {
    let closed: string | undefined;
    const fence = (): string | undefined => closed;
    const { gateway, order, best, instrument, words, until, orders } = await rig(exchange, { fence, paced: true });
    const price = away(best('bids'), instrument);
    gateway.submit(['cf1', 'cf2'].map((id) => order(id, { price, timeInForce: 'GTC' })));
    closed = 'stopped';
    gateway.submit([order('cf3', { price, timeInForce: 'GTC' })]);
    await until(() => ['cf1', 'cf2', 'cf3'].every((id) => words(id).length > 0));
    expect(['cf1', 'cf2', 'cf3'].flatMap(words)).toEqual(['rejected', 'rejected', 'rejected']);
    closed = undefined;
    gateway.submit([order('cf4', { price, timeInForce: 'GTC' })]);
    await until(() => words('cf4').includes('accepted'));
    expect(orders().filter(({ clientOrderId }) => clientOrderId.includes('cf'))).toHaveLength(1);
    gateway.cancel('cf4' as ClientOrderId);
    await until(() => words('cf4').at(-1) === 'canceled');
  });

  it('finds an order by our id when its answer was lost', async () => {
    const { gateway, order, best, instrument, words, until, orders } = await rig(exchange);
    simulator.fault({ venue: exchange, market: 'spot', kind: 'slow-ack', ms: 12_000 });
    gateway.submit([order('cx8', { price: away(best('bids'), instrument), timeInForce: 'GTC' })]);
    await until(() => orders().at(-1)?.clientOrderId === 'cx8');
    gateway.probe('cx8' as ClientOrderId);
    await until(() => words('cx8').includes('accepted'));
    gateway.cancel('cx8' as ClientOrderId);
    await until(() => words('cx8').at(-1) === 'canceled');
    expect(orders().filter(({ clientOrderId }) => clientOrderId === 'cx8')).toHaveLength(1);
  });
});

describe('an account through ccxt', () => {
  // Wallets in which nobody has traded.
  beforeAll(async () => {
    await close();
    await open();
  });
  const accountAt = (venue: string, log = new LogBook()): { account: CcxtAccount; reports: OrderReport[] } => {
    const reports: OrderReport[] = [];
    const { apiKey, secret, passphrase } = DEFAULT_ACCOUNT;
    const wanted = ['BTC/USDT', 'BTC/USDT:USDT'].map((symbol) => ({
      ...spot(venue, 'BTC/USDT', 'received'),
      id: `${venue}:${symbol}` as InstrumentId,
      kind: symbol.includes(':') ? ('perpetual' as const) : ('spot' as const),
    }));
    const account = new CcxtAccount(
      {
        exchange: venue,
        venue: venue as VenueId,
        credentials: { apiKey, secret, passphrase },
        via: `http://127.0.0.1:${server.port}`,
        paced: false,
        clock,
        logger: log.logger,
        onReport: (report) => void reports.push(report),
      },
      wanted,
    );
    return { account, reports };
  };
  const asked = <T>(ask: (done: (answer: T) => void) => void): Promise<T> => new Promise((resolve) => ask(resolve));

  it.each([
    ['okx', '500000', 'one wallet for all'],
    ['gate', '1000000', 'a wallet for spot and one for contracts'],
  ])('%s holds %s: %s', async (venue, total) => {
    const { account } = accountAt(venue);
    expect(await asked(account.askHoldings)).toBeUndefined();
    expect(await asked(account.start)).toBeUndefined();
    const held = await asked(account.askHoldings);
    const sum = held!.balances.reduce(
      (all, each) => (each.asset === 'USDT' ? all.plus(each.total) : all),
      new Decimal(0),
    );
    expect(sum.toFixed()).toBe(total);
    expect(held!.positions).toEqual([]);
    expect(await asked(account.askOpenOrders)).toEqual([]);
    expect(await asked((done: (fills: unknown) => void) => account.askFills(clock.unixMs(clock.now()), done))).toEqual(
      [],
    );
    account.stop();
  });

  it('sends nothing that ccxt does not list, and nothing before it is open', async () => {
    const { account, reports } = accountAt('okx');
    const strange = orderOf({ instrument: 'okx:XYZ/USDT' as InstrumentId });
    await asked(account.start);
    account.submit([strange]);
    await expect.poll(() => reports).toMatchObject([{ kind: 'rejected', reason: 'not-allowed' }]);
    account.stop();
  });

  it('is out of reach where nobody answers', async () => {
    const account = new CcxtAccount({ ...closed, exchange: 'okx' }, []);
    expect(await asked(account.start)).toBeInstanceOf(AccountUnreachable);
    expect(account.status.current).toBe(false);
  });
});

describe('what ccxt does wrong', () => {
  it('is refused before anything is sent', async () => {
    await expect(CcxtGateway.open({ ...closed, exchange: 'deribit' })).rejects.toThrow(/could not be found again/);
    await expect(CcxtGateway.open({ ...closed, exchange: 'nowhere' })).rejects.toThrow(BadInput);
    await expect(CcxtGateway.open({ ...closed, exchange: 'exchanges' })).rejects.toThrow(BadInput);
  });

  it('is listed', () => {
    expect(ccxtDefects['krakenfutures']?.timesInForce).toEqual({ values: ['IOC', 'FOK'], on: 'all' });
    expect(ccxtDefects['mexc']?.timesInForce?.on).toBe('derivatives');
    expect([ccxtDefects['bitfinex'], ccxtDefects['kraken']].map((each) => each?.cancelsAllSymbols)).toEqual([
      true,
      true,
    ]);
  });

  it('says no when the exchange is not there, without the key', async () => {
    const opening = CcxtGateway.open({ ...closed, exchange: 'binance' });
    await expect(opening).rejects.toThrow(BadInput);
    await expect(opening).rejects.not.toThrow(DEFAULT_ACCOUNT.apiKey);
  });
});

const closed = {
  venue: 'x' as VenueId,
  credentials: { apiKey: DEFAULT_ACCOUNT.apiKey, secret: DEFAULT_ACCOUNT.secret },
  // Port 1: nobody listens there.
  via: 'http://127.0.0.1:1',
  clock,
  logger: new LogBook().logger,
  onReport: () => undefined,
};
