import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { Ledger } from '#hotpath/execute/ledger.ts';
import { Bug } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Asset, ClientOrderId, OperationId, TradeId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderRequest } from '#shared/domain/order.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { fillFactsOf } from '#shared/money/pnl.ts';
import { CALL, COIN_CALL, COIN_FUTURE, PERPETUAL, SPOT } from './held-world.ts';
import { instrumentOf, rates } from './trading.ts';

const a = 'a' as VenueId;
const b = 'b' as VenueId;
const known = (id: never) => instrumentOf(id)!;

/** Five minutes before midnight UTC. */
const clock = () => new VirtualClock(BigInt(Date.UTC(2026, 0, 1, 23, 55)) * 1_000_000n);
let ledger: Ledger;
let time: VirtualClock;
beforeEach(() => {
  time = clock();
  ledger = new Ledger(time);
  for (const venue of [a, b]) {
    ledger.deposit(venue, 'USDT', new Decimal(10_000));
    ledger.deposit(venue, 'BTC', new Decimal(1));
  }
  ledger.changes();
});

const order = (id: string, instrument: string, side: Side, qty: string, price: string): OrderRequest => ({
  clientOrderId: id as ClientOrderId,
  operation: 'op' as OperationId,
  leg: 0,
  attempt: 0,
  purpose: 'leg',
  instrument: instrument as never,
  side,
  type: 'limit',
  price: new Decimal(price) as Price,
  qty: new Decimal(qty) as Qty,
  timeInForce: 'IOC',
});

const fill = (
  id: string,
  instrument: string,
  side: Side,
  qty: string,
  price: string,
  fee: string,
  feeAsset: string,
): Fill => ({
  tradeId: `t-${id}` as TradeId,
  clientOrderId: id as ClientOrderId,
  instrument: instrument as never,
  side,
  price: new Decimal(price),
  qty: new Decimal(qty),
  fee: new Decimal(fee),
  feeAsset: feeAsset as Asset,
  liquidity: 'taker',
});

describe('Ledger', () => {
  it('reserves the worst case: limit price and, where the fee comes on top, the fee', () => {
    expect(ledger.reserve([order('1', 'a:BTC/USDT', 'buy', '0.1', '50000')], known as never)).toBe(true);
    expect(ledger.availableOf(a, 'USDT' as Asset)).toBe(5_000);
    expect(ledger.reserve([order('2', 'b:BTC/USDT', 'buy', '0.1', '50000')], known as never)).toBe(true);
    expect(ledger.reservedOf(b, 'USDT').toFixed()).toBe('5008');
    expect(ledger.reserve([order('3', 'b:BTC/USDT', 'sell', '0.4', '50000')], known as never)).toBe(true);
    expect(ledger.freeOf(b, 'BTC').toFixed()).toBe('0.6');
  });

  it('reserves for all orders or for none', () => {
    const orders = [order('1', 'a:BTC/USDT', 'buy', '0.1', '50000'), order('2', 'a:BTC/USDT', 'buy', '0.11', '50000')];
    expect(ledger.reserve(orders, known as never)).toBe(false);
    expect(ledger.freeOf(a, 'USDT').toFixed()).toBe('10000');
  });

  it('moves a fill once, frees what it used, and frees the rest on release', () => {
    ledger.reserve([order('1', 'a:BTC/USDT', 'buy', '0.1', '50000')], known as never);
    const first = fill('1', 'a:BTC/USDT', 'buy', '0.04', '49000', '0.00004', 'BTC');
    const pnl = ledger.apply(first, known('a:BTC/USDT' as never), rates);
    // 0.04 BTC worth 2000 for 1960, less a fee worth 2.
    expect([pnl.realised.toFixed(), pnl.fees.toFixed()]).toEqual(['38', '2']);
    expect(ledger.totalOf(a, 'USDT').toFixed()).toBe('8040');
    expect(ledger.totalOf(a, 'BTC').toFixed()).toBe('1.03996');
    expect(ledger.reservedOf(a, 'USDT').toFixed()).toBe('3000');
    expect(ledger.knows(first)).toBe(true);
    expect(() => ledger.apply(first, known('a:BTC/USDT' as never), rates)).toThrow(Bug);
    ledger.release('1' as ClientOrderId);
    ledger.release('1' as ClientOrderId);
    expect(ledger.reservedOf(a, 'USDT').toFixed()).toBe('0');
    expect(ledger.availableOf(a, 'USDT' as Asset)).toBe(8_040);
  });

  it('knows exposure by venue, asset, family and in total, and how far inventory has moved', () => {
    const { exposures } = ledger;
    const exposed = (venue: VenueId, usd: number, asset = 'BTC') => ({ venue, asset: asset as Asset, usd });
    ledger.expose('x' as OperationId, 'spatial', [exposed(a, 500), exposed(b, 490)]);
    ledger.expose('y' as OperationId, 'cycle', [exposed(a, 10, 'ETH')]);
    expect([exposures.ofVenue(a), exposures.ofVenue(b), exposures.total]).toEqual([510, 490, 1_000]);
    expect([exposures.ofAsset('BTC'), exposures.ofFamily('cycle')]).toEqual([990, 10]);
    ledger.unexpose('x' as OperationId);
    ledger.unexpose('x' as OperationId);
    expect(exposures.all()).toEqual({
      byVenue: { a: 10, b: 0 },
      byAsset: { BTC: 0, ETH: 10 },
      byFamily: { spatial: 0, cycle: 10 },
    });
    ledger.unexpose('y' as OperationId);
    expect(exposures.total).toBe(0);
    ledger.apply(fill('1', 'a:BTC/USDT', 'buy', '0.1', '50000', '0.0001', 'BTC'), known('a:BTC/USDT' as never), rates);
    ledger.apply(fill('2', 'b:BTC/USDT', 'sell', '0.09', '50000', '7.2', 'USDT'), known('b:BTC/USDT' as never), rates);
    expect(ledger.deviationOf('BTC')).toBe(0.0099);
    expect(ledger.deviationOf('USDT')).toBe(-507.2);
  });

  it('starts a new day at midnight UTC', () => {
    ledger.apply(fill('1', 'a:BTC/USDT', 'buy', '0.1', '49000', '0', 'BTC'), known('a:BTC/USDT' as never), rates);
    expect(ledger.dailyPnl(time.now())).toBe(100);
    time.jumpTo(299e9);
    expect(ledger.dailyPnl(time.now())).toBe(100);
    time.jumpTo(300e9);
    expect(ledger.dailyPnl(time.now())).toBe(0);
    expect(ledger.pnl.realised.toNumber()).toBe(100);
  });

  it('tells each balance and position that changed, once', () => {
    ledger.reserve([order('1', 'a:BTC/USDT', 'buy', '0.1', '50000')], known as never);
    ledger.release('1' as ClientOrderId);
    expect(ledger.changes()).toEqual({ balances: [], positions: [] });
    ledger.apply(fill('1', 'a:BTC/USDT', 'buy', '0.1', '50000', '0.0001', 'BTC'), known('a:BTC/USDT' as never), rates);
    expect(ledger.changes()).toEqual({
      balances: [
        { venue: 'a', asset: 'BTC', total: '1.0999', available: '1.0999', reserved: '0' },
        { venue: 'a', asset: 'USDT', total: '5000', available: '5000', reserved: '0' },
      ],
      positions: [
        {
          id: 'a:BTC/USDT',
          instrument: 'a:BTC/USDT',
          type: 'long',
          size: '0.0999',
          entry_price: '50000',
          realized_pnl: '-5',
          status: 'open',
          opened_ms: time.unixMs(time.now()),
        },
      ],
    });
    expect(ledger.changes()).toEqual({ balances: [], positions: [] });
  });
});

describe('Ledger of contracts', () => {
  const d = 'd' as VenueId;
  const listed = new Map([SPOT, PERPETUAL, COIN_FUTURE, CALL, COIN_CALL].map((one) => [one.id, one]));
  const contractOf = (id: string): Instrument => listed.get(id as never)!;
  let margined: Ledger;
  beforeEach(() => {
    margined = new Ledger(time, {
      fraction: new Decimal('0.2'),
      underlyingOf: () => new Decimal(30_000),
      instrumentOf: (id) => listed.get(id),
    });
    margined.deposit(d, 'USDT', new Decimal(10_000));
    margined.deposit(d, 'BTC', new Decimal(2));
  });
  const on = ({ id }: Instrument): string => id;
  const reserve = (...orders: readonly OrderRequest[]): boolean => margined.reserve(orders, contractOf);

  it('reserves margin and fee for what opens, nothing for what closes', () => {
    // 0.1 coin at 30000: a fifth of 3000, and 1.5 of fee.
    expect(reserve(order('1', on(PERPETUAL), 'sell', '100', '30000'))).toBe(true);
    expect(margined.reservedOf(d, 'USDT').toFixed()).toBe('601.5');
    margined.apply(fill('1', on(PERPETUAL), 'sell', '100', '30000', '1.5', 'USDT'), PERPETUAL, rates);
    expect(margined.reservedOf(d, 'USDT').toFixed()).toBe('600');
    expect(margined.totalOf(d, 'USDT').toFixed()).toBe('9998.5');
    expect(reserve(order('2', on(PERPETUAL), 'buy', '100', '90000'))).toBe(true);
    expect(margined.reservedOf(d, 'USDT').toFixed()).toBe('600');
    margined.apply(fill('2', on(PERPETUAL), 'buy', '60', '31000', '1', 'USDT'), PERPETUAL, rates);
    // 60 dollars lost and the fee; margin stands for what is left.
    expect(margined.reservedOf(d, 'USDT').toFixed()).toBe('240');
    expect(margined.totalOf(d, 'USDT').toFixed()).toBe('9937.5');
    expect(margined.availableOf(d, 'USDT' as Asset)).toBe(9_697.5);
  });

  it('frees nothing for what closes first: what is left of the order opens as much as before', () => {
    margined.apply(fill('1', on(PERPETUAL), 'sell', '100', '30000', '0', 'USDT'), PERPETUAL, rates);
    // 300 of 400 open something, each for 6 and a fee of 0.015.
    reserve(order('2', on(PERPETUAL), 'buy', '400', '30000'));
    expect(margined.reservedOf(d, 'USDT').toFixed()).toBe('2404.5');
    margined.apply(fill('2', on(PERPETUAL), 'buy', '40', '30000', '0', 'USDT'), PERPETUAL, rates);
    expect(margined.reservedOf(d, 'USDT').minus('360').toFixed()).toBe('1804.5');
    margined.apply(
      { ...fill('2', on(PERPETUAL), 'buy', '160', '30000', '0', 'USDT'), tradeId: 't-3' as TradeId },
      PERPETUAL,
      rates,
    );
    // 100 are held, and 200 may be bought yet.
    expect(margined.reservedOf(d, 'USDT').minus('600').toFixed()).toBe('1203');
  });

  describe('of a position that two orders reduce', () => {
    const bought = (id: string, qty: string): Fill => fill(id, on(PERPETUAL), 'buy', qty, '30000', '0', 'USDT');
    const reserved = (): string => margined.reservedOf(d, 'USDT').toFixed();
    beforeEach(() => {
      margined.apply(fill('1', on(PERPETUAL), 'sell', '100', '30000', '0', 'USDT'), PERPETUAL, rates);
      reserve(order('2', on(PERPETUAL), 'buy', '60', '30000'));
      expect(reserved()).toBe('600');
    });

    it('lets each close what the other does not', () => {
      // 40 are left to close; 20 open something, each for 6 and a fee of 0.015.
      expect(margined.needOf(PERPETUAL, order('3', on(PERPETUAL), 'buy', '60', '30000')).amount.toFixed()).toBe(
        '120.3',
      );
      reserve(order('3', on(PERPETUAL), 'buy', '60', '30000'));
      expect(reserved()).toBe('720.3');
      reserve(order('4', on(PERPETUAL), 'buy', '10', '30000'));
      expect(reserved()).toBe('780.45');
      margined.release('3' as ClientOrderId);
      reserve(order('5', on(PERPETUAL), 'buy', '50', '30000'));
      expect(reserved()).toBe('720.3');
    });

    it('reserves for what an order counted on closing when another one has closed it', () => {
      reserve(order('3', on(PERPETUAL), 'buy', '100', '30000'));
      expect(reserved()).toBe('960.9');
      margined.apply(bought('3', '100'), PERPETUAL, rates);
      // Nothing is held any more: the other order opens 60.
      expect(reserved()).toBe('360.9');
      margined.apply(bought('2', '60'), PERPETUAL, rates);
      expect(reserved()).toBe('360');
    });

    it('reserves for it when its venue has taken it, or a person says that it is not there', () => {
      margined.force(PERPETUAL, fillFactsOf(bought('2', '70'), PERPETUAL), rates);
      // 30 are held, 30 of 60 would open something.
      expect(reserved()).toBe('360.45');
      margined.adjustPosition(PERPETUAL, { size: new Decimal(10), entryPrice: new Decimal(30_000) });
      expect(reserved()).toBe('420.9');
    });

    it('leaves an order that is changed what it closes itself', () => {
      const changed = order('2', on(PERPETUAL), 'buy', '90', '30000');
      expect(margined.amend(changed.clientOrderId, PERPETUAL, [changed], 'wish')).toBe(true);
      expect(reserved()).toBe('600');
      reserve(order('3', on(PERPETUAL), 'buy', '20', '30000'));
      expect(reserved()).toBe('660.15');
    });
  });

  it('refuses a change that its account does not bear, and reserves for what is so all the same', () => {
    const wished = order('1', on(PERPETUAL), 'buy', '2000', '30000');
    reserve(order('1', on(PERPETUAL), 'buy', '1000', '30000'));
    expect(margined.amend(wished.clientOrderId, PERPETUAL, [wished], 'wish')).toBe(false);
    expect(margined.reservedOf(d, 'USDT').toFixed()).toBe('6015');
    expect(margined.amend(wished.clientOrderId, PERPETUAL, [wished], 'fact')).toBe(true);
    expect(margined.availableOf(d, 'USDT' as Asset)).toBe(-2_030);
  });

  it('reserves coin for inverse futures, the premium of what is bought and a share of what underlies what is sold', () => {
    reserve(order('1', on(COIN_FUTURE), 'buy', '2500', '50000'));
    expect(margined.reservedOf(d, 'BTC').toFixed()).toBe('0.10025');
    reserve(order('2', on(COIN_CALL), 'sell', '1', '0.05'));
    expect(margined.reservedOf(d, 'BTC').minus('0.10025').toFixed()).toBe('0.2003');
    reserve(order('3', on(CALL), 'buy', '2', '1500'));
    expect(margined.reservedOf(d, 'USDT').toFixed()).toBe('3018');
    expect(reserve(order('4', on(CALL), 'sell', '2', '1500'))).toBe(false);
  });

  it('counts a coin in the account and a coin sold as nothing', () => {
    margined.apply(fill('1', on(SPOT), 'buy', '0.1', '30000', '0', 'BTC'), SPOT, rates);
    expect(margined.deviationOf('BTC')).toBe(0.1);
    margined.apply(fill('2', on(PERPETUAL), 'sell', '100', '30050', '0', 'USDT'), PERPETUAL, rates);
    expect(margined.deviationOf('BTC')).toBe(0);
    expect(margined.deviationOf('USDT')).toBe(5);
  });

  it('calls for the margin of an exit, whoever has it, and for nothing else that is not there', () => {
    const sale = order('1', on(PERPETUAL), 'sell', '2000', '30000');
    expect(reserve(sale)).toBe(false);
    expect(margined.reserve([sale], contractOf, 'exit')).toBe(true);
    expect(margined.availableOf(d, 'USDT' as Asset)).toBe(10_000 - 12_030);
    expect(margined.reserve([order('2', on(SPOT), 'buy', '1', '30000')], contractOf, 'exit')).toBe(false);
  });

  it('keeps the margin of what it takes over', () => {
    const position = { instrument: PERPETUAL.id, size: new Decimal(-100), entryPrice: new Decimal(30_000) };
    const revived = new Ledger(time, {
      fraction: new Decimal('0.2'),
      underlyingOf: () => undefined,
      instrumentOf: (id) => listed.get(id),
    });
    revived.restore({
      balances: [{ venue: d, asset: 'USDT', total: new Decimal(1_000) }],
      positions: [{ ...position, realised: new Decimal(0), cost: new Decimal(-3_000) }],
      deviations: {},
      dust: {},
      trades: [],
      realised: new Decimal(0),
      fees: new Decimal(0),
      fills: 0,
      day: 0,
      dayRealised: new Decimal(0),
    });
    expect(revived.freeOf(d, 'USDT').toFixed()).toBe('400');
  });

  it('takes a fee in an asset of its own', () => {
    margined.apply(fill('1', on(SPOT), 'buy', '0.1', '50000', '0.01', 'BNB'), SPOT, rates, new Decimal(600));
    expect(margined.totalOf('a' as VenueId, 'BNB').toFixed()).toBe('-0.01');
    expect([margined.pnl.realised.toFixed(), margined.pnl.fees.toFixed()]).toEqual(['-6', '6']);
    expect(margined.positionOf(SPOT.id).realised.toFixed()).toBe('0');
  });

  it('knows two sides of one trade', () => {
    const bought = fill('1', on(SPOT), 'buy', '0.1', '50000', '0', 'BTC');
    margined.apply(bought, SPOT, rates);
    expect(margined.knows({ ...bought, side: 'sell' })).toBe(false);
  });
});
