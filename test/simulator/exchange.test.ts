import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { AccountSpec } from '#simulator/accounts.ts';
import type { OrderDraft, Placed } from '#simulator/exchange.ts';
import { Exchange } from '#simulator/exchange.ts';
import { FaultBoard } from '#simulator/faults.ts';
import type { Listing } from '#simulator/listings.ts';
import { listingsFrom, valueOf } from '#simulator/listings.ts';
import { simulatedVenues } from '#simulator/simulated-venues.ts';

const accountNamed = (name: string): AccountSpec => ({
  name,
  apiKey: name,
  secret: '',
  passphrase: '',
  balances: { USDT: '500', BTC: '0.02', ETH: '1' },
});

function exchangeOf(venue: string, symbols: readonly string[]): { exchange: Exchange; faults: FaultBoard } {
  const clock = new VirtualClock(0n);
  const faults = new FaultBoard(clock);
  const accounts = [accountNamed('a'), accountNamed('b')];
  const listings = listingsFrom(simulatedVenues.get(venue)!.listings, { symbols });
  return { exchange: new Exchange({ venue, listings, accounts, clock, faults }), faults };
}

const draftFor = (exchange: Exchange, symbol: string, fields: Partial<OrderDraft> = {}): OrderDraft => ({
  account: exchange.ledger.byKey('a')!,
  listing: exchange.listings.find((listing) => listing.symbol === symbol)!,
  clientOrderId: 'id-1',
  side: 'buy',
  type: 'limit',
  timeInForce: 'GTC',
  postOnly: false,
  price: '90000',
  qty: '0.001',
  qtyIn: 'base',
  ...fields,
});

/** Every unit of every asset of every wallet, over all accounts. */
function totals(exchange: Exchange): Record<string, string> {
  const sums = new Map<string, Decimal>();
  for (const account of exchange.ledger.all())
    for (const wallet of ['spot', 'usdm', 'coinm'])
      for (const asset of account.assets(wallet)) {
        const key = `${wallet}:${asset}`;
        sums.set(key, (sums.get(key) ?? new Decimal(0)).plus(account.balance(wallet, asset).total));
      }
  return Object.fromEntries([...sums].filter(([, sum]) => !sum.isZero()).map(([key, sum]) => [key, sum.toFixed()]));
}

const step = fc.record({
  who: fc.constantFrom('a', 'b', 'house'),
  symbol: fc.constantFrom('BTC/USDT', 'ETH/BTC', 'BTC/USDT:USDT', 'BTC/USD:BTC'),
  side: fc.constantFrom('buy' as const, 'sell' as const),
  type: fc.constantFrom('limit' as const, 'limit' as const, 'market' as const),
  timeInForce: fc.constantFrom('GTC' as const, 'GTC' as const, 'IOC' as const, 'FOK' as const),
  away: fc.integer({ min: -20, max: 20 }),
  size: fc.integer({ min: 1, max: 40 }),
  cancel: fc.boolean(),
});

/** Small enough to be affordable, large enough for every venue's minimum. */
const UNIT: Record<string, number> = { 'BTC/USDT': 0.0002, 'ETH/BTC': 0.01, 'BTC/USDT:USDT': 0.01, 'BTC/USD:BTC': 1 };
const CENTRE: Record<string, number> = {
  'BTC/USDT': 90_000,
  'ETH/BTC': 0.034,
  'BTC/USDT:USDT': 90_000,
  'BTC/USD:BTC': 90_000,
};

function play(
  exchange: Exchange,
  { who, symbol, side, type, timeInForce, away, size, cancel }: typeof step extends fc.Arbitrary<infer S> ? S : never,
  at: number,
): void {
  const listing = exchange.listings.find((each) => each.symbol === symbol);
  if (listing === undefined) return;
  const ticks = Math.round(CENTRE[symbol]! * 10 ** listing.priceDecimals) + away;
  const lots = Math.round(UNIT[symbol]! * 10 ** listing.lotDecimals * size);
  if (who === 'house') {
    exchange.house(listing, { side, price: ticks, qty: lots * 5, timeInForce: 'GTC' });
    return;
  }
  const account = exchange.ledger.byKey(who)!;
  const placed = exchange.place({
    account,
    listing,
    clientOrderId: `o${at}`,
    side,
    type,
    timeInForce,
    postOnly: false,
    qtyIn: 'base',
    price: (ticks / 10 ** listing.priceDecimals).toFixed(listing.priceDecimals),
    qty: (lots / 10 ** listing.lotDecimals).toFixed(listing.lotDecimals),
  });
  if (cancel && placed.kind === 'placed') exchange.cancel(placed.order);
}

describe.each(['binance', 'okx', 'kraken'])('exchange %s', (venue) => {
  it('conserves every asset, holds no more than there is, and holds nothing for closed orders', () => {
    let trades = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const { exchange } = exchangeOf(venue, Object.keys(CENTRE));
        const before = totals(exchange);
        steps.forEach((each, at) => play(exchange, each, at));
        expect(totals(exchange)).toEqual(before);
        for (const name of ['a', 'b']) {
          const account = exchange.ledger.byKey(name)!;
          for (const asset of account.assets('spot')) {
            const { total, held } = account.balance('spot', asset);
            expect(held.lte(total), `${asset} held ${held.toFixed()} of ${total.toFixed()}`).toBe(true);
          }
          trades += exchange.ordersOf(account).flatMap((order) => order.trades).length;
          for (const order of exchange.ordersOf(account, 'open')) exchange.cancel(order);
          for (const asset of account.assets('spot')) expect(account.balance('spot', asset).held.toFixed()).toBe('0');
        }
      }),
      { numRuns: 60 },
    );
    expect(trades).toBeGreaterThan(100);
  });

  it('keeps perpetual positions zero-sum: realised and open profit of all accounts cancel', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.integer({ min: 80_000, max: 100_000 }),
        (steps, mark) => {
          const { exchange } = exchangeOf(venue, Object.keys(CENTRE));
          steps.forEach((each, at) => play(exchange, each, at));
          for (const listing of exchange.listings.filter(({ perpetual }) => perpetual)) {
            const positions = exchange.ledger.all().map((account) => account.position(listing));
            expect(positions.reduce((sum, { lots }) => sum + lots, 0)).toBe(0);
            const profit = positions.reduce(
              (sum, position) => sum.plus(position.realised).plus(openProfit(listing, position, mark)),
              new Decimal(0),
            );
            expect(profit.abs().lte('1e-6'), profit.toFixed()).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

function openProfit(listing: Listing, { lots, cost }: { lots: number; cost: Decimal }, mark: number): Decimal {
  const worth = lots === 0 ? new Decimal(0) : valueOf(listing, mark * 10 ** listing.priceDecimals, Math.abs(lots));
  const grown = worth.minus(cost);
  return lots > 0 === listing.inverse ? grown.negated() : grown;
}

describe('exchange rules', () => {
  const refused = (placed: Placed): string => (placed.kind === 'refused' ? placed.reason : 'placed');

  it('refuses by the instrument rules, each with its own reason', () => {
    const { exchange } = exchangeOf('binance', ['BTC/USDT']);
    const listing = exchange.listings[0]!;
    exchange.house(listing, { side: 'sell', price: 9_000_000, qty: 10_000, timeInForce: 'GTC' });
    const answer = (fields: Partial<OrderDraft>): string =>
      refused(exchange.place(draftFor(exchange, 'BTC/USDT', fields)));
    expect(answer({ type: 'market', price: undefined, side: 'sell' })).toBe('no-liquidity');
    expect(answer({ price: '89999.999' })).toBe('price-off-grid');
    expect(answer({ qty: '0.000001' })).toBe('qty-off-grid');
    expect(answer({ qty: '0' })).toBe('below-min-qty');
    expect(answer({ qty: '0.00001' })).toBe('below-min-notional');
    expect(answer({ qty: '0.1' })).toBe('insufficient-funds');
    expect(answer({ postOnly: true })).toBe('would-take');
    expect(answer({ price: '80000' })).toBe('placed');
    expect(answer({ price: '80000' })).toBe('duplicate-id');
  });

  it('takes the fee from what is received on Binance, from the quote on Kraken', () => {
    for (const [venue, base, quote] of [
      ['binance', '0.020999', '410'],
      ['kraken', '0.021', '409.856'],
    ] as const) {
      const { exchange } = exchangeOf(venue, ['BTC/USDT']);
      const listing = exchange.listings[0]!;
      exchange.house(listing, {
        side: 'sell',
        price: 90_000 * 10 ** listing.priceDecimals,
        qty: 10 ** listing.lotDecimals,
        timeInForce: 'GTC',
      });
      expect(refused(exchange.place(draftFor(exchange, 'BTC/USDT', { timeInForce: 'IOC' })))).toBe('placed');
      const account = exchange.ledger.byKey('a')!;
      expect(account.balance(listing.wallet, 'BTC').total.toFixed()).toBe(base);
      expect(account.balance(listing.wallet, 'USDT').total.toFixed()).toBe(quote);
    }
  });

  it('fills what a fault allows and expires the rest', () => {
    const { exchange, faults } = exchangeOf('okx', ['BTC/USDT']);
    exchange.house(exchange.listings[0]!, { side: 'sell', price: 900_000, qty: 100_000_000, timeInForce: 'GTC' });
    faults.order({ venue: 'okx', kind: 'partial-fill', ms: 0, ratio: 0.4 });
    const placed = exchange.place(draftFor(exchange, 'BTC/USDT', { timeInForce: 'IOC' }));
    expect(placed).toMatchObject({ kind: 'placed', order: { status: 'expired', filled: 40_000 } });
    faults.order({ venue: 'okx', kind: 'reject', ms: 0, ratio: 0 });
    expect(refused(exchange.place(draftFor(exchange, 'BTC/USDT')))).toBe('told-to');
    expect(refused(exchange.place(draftFor(exchange, 'BTC/USDT')))).toBe('placed');
  });

  it('accepts a post-only order that would take on OKX, and cancels it at once', () => {
    const { exchange } = exchangeOf('okx', ['BTC/USDT']);
    exchange.house(exchange.listings[0]!, { side: 'sell', price: 900_000, qty: 100_000_000, timeInForce: 'GTC' });
    const placed = exchange.place(draftFor(exchange, 'BTC/USDT', { postOnly: true }));
    expect(placed).toMatchObject({ kind: 'placed', order: { status: 'canceled', filled: 0 } });
  });
});
