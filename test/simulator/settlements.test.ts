import { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Side } from '#shared/domain/route.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Payment } from '#simulator/exchange.ts';
import { Exchange } from '#simulator/exchange.ts';
import { FaultBoard } from '#simulator/faults.ts';
import type { Listing } from '#simulator/listings.ts';
import { listingsFrom } from '#simulator/listings.ts';
import { Settlements } from '#simulator/settlements.ts';
import { simulatedVenues } from '#simulator/simulated-venues.ts';

const EXPIRY_MS = Date.UTC(2026, 11, 25, 8);

/** One venue without a market: what its listings are worth is what `fair` says. */
class Calendar {
  readonly exchange: Exchange;
  readonly fair = new Map([
    ['BTC', 100_000],
    ['ETH', 4_000],
    ['USD', 1],
    ['USDC', 1],
    ['USDT', 1],
  ]);
  readonly payments: (readonly [symbol: string, payment: Payment])[] = [];
  readonly closed: string[] = [];
  readonly #clock: VirtualClock;
  readonly #settlements: Settlements;

  constructor(venue: string, startMs: number) {
    this.#clock = new VirtualClock(BigInt(startMs) * 1_000_000n);
    this.exchange = new Exchange({
      venue,
      listings: listingsFrom(
        simulatedVenues.get(venue)!.listings.filter(({ kind }) => kind !== 'spot'),
        {},
      ),
      accounts: [DEFAULT_ACCOUNT],
      clock: this.#clock,
      faults: new FaultBoard(this.#clock),
      fair: this.fair,
    });
    this.#settlements = new Settlements(this.exchange);
    this.exchange.listener = {
      booked: () => undefined,
      printed: () => undefined,
      ordered: () => undefined,
      paid: (_, { symbol }, payment) => void this.payments.push([symbol, payment]),
      closed: ({ symbol }) => void this.closed.push(symbol),
    };
  }

  get account() {
    return this.exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
  }

  listing(symbol: string): Listing {
    return this.exchange.listings.find((each) => each.symbol === symbol)!;
  }

  /** Trades with the house: [symbol, side, price, quantity]. */
  trade(symbol: string, side: Side, price: string, qty: string): void {
    const listing = this.listing(symbol);
    const level = [
      new Decimal(price).times(10 ** listing.priceDecimals).toNumber(),
      new Decimal(qty).div(Decimal.pow(10, -listing.lotDecimals)).toNumber(),
    ] as const;
    this.exchange.plant(listing, side === 'buy' ? [] : [level], side === 'buy' ? [level] : []);
    const placed = this.exchange.place({
      account: this.account,
      listing,
      clientOrderId: undefined,
      side,
      type: 'limit',
      timeInForce: 'IOC',
      postOnly: false,
      price,
      qty,
      qtyIn: 'base',
    });
    expect(placed).toMatchObject({ kind: 'placed', order: { status: 'filled' } });
  }

  /** Second by second. */
  run(untilMs: number): void {
    for (let nowMs = this.exchange.nowMs(); nowMs < untilMs; nowMs += 1_000) {
      this.#clock.jumpTo(this.#clock.now() + 1e9);
      this.#settlements.step();
    }
  }

  balance(asset: string): string {
    return this.account.balance(this.exchange.listings[0]!.wallet, asset).total.toFixed();
  }

  total(asset: string): string {
    return this.exchange.ledger
      .all()
      .reduce((sum, account) => sum.plus(account.balance('spot', asset).total), new Decimal(0))
      .toFixed();
  }
}

describe('expiry', () => {
  it('settles at the average of the index over the last half hour', () => {
    const calendar = new Calendar('deribit', EXPIRY_MS - 3_600_000);
    const listing = calendar.listing('BTC/USD:BTC-261225');
    calendar.fair.set('BTC', 50_000);
    calendar.run(EXPIRY_MS - 1_801_000);
    calendar.fair.set('BTC', 90_000);
    calendar.run(EXPIRY_MS - 901_000);
    calendar.fair.set('BTC', 100_000);
    calendar.run(EXPIRY_MS - 1_000);
    expect([calendar.exchange.isTraded(listing), calendar.exchange.settlementOf(listing)]).toEqual([true, undefined]);
    calendar.fair.set('BTC', 1);
    calendar.run(EXPIRY_MS);
    expect(calendar.exchange.isTraded(listing)).toBe(false);
    expect(calendar.exchange.settlementOf(listing)!.price.toFixed()).toBe('95000');
    expect(calendar.closed).toContain('BTC/USD:BTC-261225-90000-C');
    expect(calendar.closed).not.toContain('BTC/USD:BTC-270326');
  });

  it('takes an hour on OKX for futures, and the index of who slept through it', () => {
    const okx = new Calendar('okx', Date.UTC(2027, 2, 26, 7));
    okx.fair.set('BTC', 90_000);
    okx.run(Date.UTC(2027, 2, 26, 7, 30) - 1_000);
    okx.fair.set('BTC', 100_000);
    okx.run(Date.UTC(2027, 2, 26, 8));
    const priceOf = (symbol: string): string => okx.exchange.settlementOf(okx.listing(symbol))!.price.toFixed();
    expect(Number(priceOf('BTC/USD:BTC-270326'))).toBeCloseTo(95_000, -1);
    expect(priceOf('BTC/USD:BTC-270326-90000-C')).toBe('100000');

    const late = new Calendar('deribit', EXPIRY_MS + 86_400_000);
    late.fair.set('BTC', 70_000);
    late.run(EXPIRY_MS + 86_401_000);
    expect(late.exchange.settlementOf(late.listing('BTC/USD:BTC-261225'))!.price.toFixed()).toBe('70000');
  });

  it.each([
    // [symbol, side, entry, quantity, asset, paid at expiry, delivery fee]
    ['BTC/USD:BTC-261225', 'buy', '80000', '1000', 'BTC', '0.0025', '0.0000025'],
    ['BTC/USD:BTC-261225', 'sell', '80000', '1000', 'BTC', '-0.0025', '0.0000025'],
    ['BTC/USDC:USDC-261225', 'buy', '80000', '0.5', 'USDC', '10000', '12.5'],
    ['BTC/USDC:USDC-261225', 'sell', '80000', '0.5', 'USDC', '-10000', '12.5'],
    ['BTC/USD:BTC-261225-90000-C', 'buy', '0.05', '2', 'BTC', '0.2', '0.0003'],
    ['BTC/USD:BTC-261225-90000-C', 'sell', '0.05', '2', 'BTC', '-0.2', '0.0003'],
    ['BTC/USD:BTC-261225-90000-P', 'buy', '0.05', '2', 'BTC', '0', '0'],
    ['BTC/USD:BTC-261225-120000-P', 'buy', '0.05', '2', 'BTC', '0.4', '0.0003'],
    ['BTC/USDC:USDC-261225-90000-C', 'buy', '5000', '2', 'USDC', '20000', '30'],
    ['BTC/USDC:USDC-261225-90000-C', 'sell', '5000', '2', 'USDC', '-20000', '30'],
    ['BTC/USDC:USDC-261225-80000-P', 'sell', '5000', '2', 'USDC', '0', '0'],
  ] as const)('pays %s %s at %s × %s in %s: %s less %s', (symbol, side, entry, qty, asset, paid, fee) => {
    const calendar = new Calendar('deribit', EXPIRY_MS - 60_000);
    const [before, total] = [calendar.balance(asset), calendar.total(asset)];
    calendar.trade(symbol, side, entry, qty);
    const traded = calendar.balance(asset);
    const isOption = calendar.listing(symbol).kind === 'option';
    const premium = isOption ? new Decimal(entry).times(qty).times(side === 'buy' ? -1 : 1) : new Decimal(0);
    const { fees } = calendar.exchange.ledger;
    expect(new Decimal(traded).minus(before).plus(fees.balance('spot', asset).total).toFixed()).toBe(premium.toFixed());

    calendar.run(EXPIRY_MS);
    expect(new Decimal(calendar.balance(asset)).minus(traded).toFixed()).toBe(new Decimal(paid).minus(fee).toFixed());
    expect(calendar.total(asset)).toBe(total);
    expect(calendar.account.position(calendar.listing(symbol))).toMatchObject({ lots: 0 });
    const [[named, payment]] = calendar.payments as [(typeof calendar.payments)[0]];
    expect(named).toBe(symbol);
    expect(payment.kind === 'delivery' && payment.delivery.fee.toFixed()).toBe(fee);
    expect(payment.kind === 'delivery' && payment.delivery.profit.toFixed()).toBe(premium.plus(paid).toFixed());
  });

  it('takes no more of a payoff than an eighth', () => {
    const calendar = new Calendar('deribit', EXPIRY_MS - 60_000);
    calendar.fair.set('BTC', 96_008);
    calendar.trade('BTC/USDC:USDC-261225-90000-C', 'buy', '4', '1');
    // It pays 8 dollars: 0.00015 of the underlying would be 13.50.
    calendar.exchange.settle(calendar.listing('BTC/USDC:USDC-261225-90000-C'), new Decimal('90008'));
    expect(calendar.payments).toMatchObject([['BTC/USDC:USDC-261225-90000-C', { kind: 'delivery' }]]);
    const [, payment] = calendar.payments[0]!;
    expect(payment.kind === 'delivery' && payment.delivery.fee.toFixed()).toBe('1');
    // The same cap when it was bought: 0.0003 of the underlying would be 28.80, an eighth of the premium is 0.5.
    expect(calendar.exchange.ledger.fees.balance('spot', 'USDC').total.toFixed()).toBe('1.5');
  });

  it('ends what rests in the book, and takes no order any more', () => {
    const calendar = new Calendar('deribit', EXPIRY_MS - 60_000);
    const listing = calendar.listing('BTC/USD:BTC-261225');
    const place = () =>
      calendar.exchange.place({
        account: calendar.account,
        listing,
        clientOrderId: undefined,
        side: 'buy',
        type: 'limit',
        timeInForce: 'GTC',
        postOnly: false,
        price: '50000',
        qty: '10',
        qtyIn: 'base',
      });
    expect(place()).toMatchObject({ kind: 'placed', order: { status: 'open' } });
    calendar.run(EXPIRY_MS);
    const { bids, asks } = calendar.exchange.engine(listing);
    expect([bids.levels, asks.levels]).toEqual([[], []]);
    expect(calendar.exchange.ordersOf(calendar.account).map(({ status }) => status)).toEqual(['canceled']);
    expect(calendar.account.balance('spot', 'BTC').held.toFixed()).toBe('0');
    expect(place()).toEqual({ kind: 'refused', reason: 'expired' });
    expect(calendar.exchange.traded()).not.toContain(listing);
  });
});

describe('an option', () => {
  it('costs its premium when bought, and binds a tenth of its underlying when sold', () => {
    const calendar = new Calendar('deribit', EXPIRY_MS - 60_000);
    const free = (): string => calendar.account.available('spot', 'BTC').toFixed();
    calendar.trade('BTC/USD:BTC-261225-90000-C', 'buy', '0.05', '2');
    expect(free()).toBe('7.8994');
    calendar.trade('BTC/USD:BTC-261225-90000-C', 'sell', '0.05', '2');
    expect(free()).toBe('7.9988');
    calendar.trade('BTC/USD:BTC-261225-90000-P', 'sell', '0.05', '2');
    expect(free()).toBe('7.8982');
  });
});

describe('funding', () => {
  const HOUR = Date.UTC(2026, 11, 1, 8);

  it.each([
    // [symbol, side, quantity, asset, paid]
    ['BTC/USD:BTC', 'buy', '10000', 'BTC', '-0.00001'],
    ['BTC/USD:BTC', 'sell', '10000', 'BTC', '0.00001'],
    ['BTC/USDT:USDT', 'buy', '0.5', 'USDT', '-5'],
    ['BTC/USDT:USDT', 'sell', '0.5', 'USDT', '5'],
  ] as const)('of %s %s %s moves %s: %s', (symbol, side, qty, asset, paid) => {
    const calendar = new Calendar('bybit', HOUR - 10_000);
    const total = calendar.total(asset);
    calendar.trade(symbol, side, '90000', qty);
    calendar.exchange.plantReference(calendar.listing(symbol), { fundingRate: 0.0001, markPrice: 100_000 });
    const before = calendar.balance(asset);
    calendar.run(HOUR - 1_000);
    expect(calendar.balance(asset)).toBe(before);
    calendar.run(HOUR + 60_000);
    expect(new Decimal(calendar.balance(asset)).minus(before).toFixed()).toBe(paid);
    expect(calendar.total(asset)).toBe(total);
    expect(calendar.payments).toMatchObject([[symbol, { kind: 'funding' }]]);
  });

  it('comes when it was planted to come, and then at its usual hours again', () => {
    const calendar = new Calendar('bybit', HOUR - 600_000);
    calendar.trade('BTC/USDT:USDT', 'buy', '90000', '1');
    const planted = { fundingRate: -0.001, markPrice: 100_000, nextFundingMs: HOUR - 300_000 };
    calendar.exchange.plantReference(calendar.listing('BTC/USDT:USDT'), planted);
    calendar.run(HOUR - 301_000);
    expect(calendar.payments).toEqual([]);
    calendar.run(HOUR - 300_000);
    expect(calendar.payments).toMatchObject([['BTC/USDT:USDT', { amount: new Decimal(100) }]]);
    calendar.run(HOUR - 1_000);
    expect(calendar.payments).toHaveLength(1);
    calendar.run(HOUR);
    expect(calendar.payments).toHaveLength(2);
  });

  it('flows on Deribit, a share a minute, whatever time was planted', () => {
    const calendar = new Calendar('deribit', HOUR - 3_600_000);
    calendar.trade('BTC/USDC:USDC', 'buy', '90000', '0.5');
    const planted = { fundingRate: 0.0001, markPrice: 100_000, nextFundingMs: HOUR };
    calendar.exchange.plantReference(calendar.listing('BTC/USDC:USDC'), planted);
    const before = calendar.balance('USDC');
    const total = calendar.total('USDC');
    calendar.run(HOUR - 3_540_000);
    expect(calendar.payments).toHaveLength(1);
    calendar.run(HOUR);
    expect(calendar.payments).toHaveLength(60);
    // An eighth of what eight hours cost.
    expect(new Decimal(before).minus(calendar.balance('USDC')).toNumber()).toBeCloseTo(5 / 8, 9);
    expect(calendar.total('USDC')).toBe(total);
  });
});
