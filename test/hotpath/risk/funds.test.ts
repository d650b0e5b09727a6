import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Asset, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Plan, PlanLeg } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { amountOf, ZERO } from '#shared/money/grid.ts';
import { needOf } from '#shared/money/margin.ts';
import { Asked } from '#hotpath/risk/asked.ts';
import { Funds } from '#hotpath/risk/funds.ts';
import { spot } from '#test/support/market.ts';

const FRACTION = '0.2';
const contract = (symbol: string, more: Partial<Instrument>): Instrument => ({
  ...spot(`a:${symbol}`, { fee: '0.0005' }),
  base: 'BTC' as Asset,
  quote: 'USDT' as Asset,
  settle: 'USDT' as Asset,
  contractSize: new Decimal('0.01'),
  ...more,
});
const coin = spot('a:BTC/USDT', { fee: '0.001', feeCurrency: 'quote' });
const linear = contract('BTC/USDT:USDT', { kind: 'perpetual' });
const inverse = contract('BTC/USD:BTC', { kind: 'future', inverse: true, settle: 'BTC' as Asset });
const option = contract('BTC/USDT:USDT-C', { kind: 'option', right: 'call', strike: new Decimal(90_000) });
const instruments = [coin, linear, inverse, option];

const rules = { fraction: new Decimal(FRACTION), underlyingOf: () => new Decimal(100_000) };
const exactly = (instrument: Instrument, leg: PlanLeg) => needOf(leg, instrument, ZERO, rules);

const fundsOf = (available: Readonly<Record<string, number>>, reserved = '0') =>
  new Funds({
    availableOf: (_venue: VenueId, asset) => available[asset] ?? 0,
    reservedOf: () => new Decimal(reserved),
    needOf: exactly,
    marginFraction: Number(FRACTION),
  });

const askedOf = (...legs: readonly (readonly [Instrument, Side, Decimal.Value, Decimal.Value])[]): Asked => {
  const asked = new Asked(new Map(instruments.map((instrument) => [instrument.id, instrument])));
  const planned = legs.map(([{ id }, side, qty, price]) => ({
    instrument: id,
    side,
    qty: new Decimal(qty) as Qty,
    price: new Decimal(price) as Price,
    expectedPrice: new Decimal(price),
    notional: amountOf(1),
  }));
  asked.take({ legs: planned, rates: {} } as unknown as Plan, 0 as TimeNs);
  return asked;
};

describe('funds', () => {
  it('ask for all legs of one account together', () => {
    const plan = askedOf([coin, 'buy', 1, 600], [coin, 'buy', 1, 400]);
    expect(fundsOf({ USDT: 1_001 }).shortAccount(plan)).toBeUndefined();
    expect(fundsOf({ USDT: 1_000.9 }).shortAccount(plan)).toBe('a USDT: wanted=1001, free=1000.9');
    expect(fundsOf({ USDT: 1_001 }).shortAccount(askedOf([coin, 'sell', 1, 600]))).toBe('a BTC: wanted=1, free=0');
  });

  it('say what the exact needs say, whatever the legs are', () => {
    const leg = fc.record({
      of: fc.constantFrom(...instruments),
      side: fc.constantFrom<Side>('buy', 'sell'),
      qty: fc.integer({ min: 0, max: 100 }),
      price: fc.integer({ min: 1, max: 1_000 }),
    });
    const free = fc.record({
      USDT: fc.integer({ min: -10, max: 100_000 }),
      BTC: fc.double({ min: -1, max: 100, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(leg, { minLength: 1, maxLength: 4 }), free, (legs, available) => {
        const plan = askedOf(...legs.map(({ of, side, qty, price }) => [of, side, qty, price] as const));
        const wanted: Record<string, number> = {};
        for (const [at, { of }] of legs.entries()) {
          const { asset, amount } = exactly(of, plan.plan.legs[at]!);
          wanted[asset] = (wanted[asset] ?? 0) + amount.toNumber();
        }
        const short = (['USDT', 'BTC'] as const).filter(
          (asset) => (wanted[asset] ?? 0) > Math.max(0, available[asset]),
        );
        // To the last digits nobody looks.
        fc.pre(['USDT', 'BTC'].every((asset) => Math.abs((wanted[asset] ?? 0) - available[asset as 'BTC']) > 1e-6));
        expect(fundsOf(available).shortAccount(plan) === undefined).toBe(short.length === 0);
      }),
    );
  });

  it('leave free, beside what contracts bind, what they leave', () => {
    const plan = askedOf([linear, 'buy', 100, 1_000], [coin, 'buy', 1, 100]);
    // 1,000 × (0.2 + 0.0005) of margin and fee, 100.1 for the coin.
    const ratio = (900 - 200.5 - 100.1) / (300 + 300.6);
    expect(fundsOf({ USDT: 900 }, '300').marginRatio(plan, 0)).toBeCloseTo(ratio, 6);
    expect(fundsOf({ USDT: 900 }, '300').marginRatio(plan, 2)).toBeCloseTo(ratio, 6);
    expect(fundsOf({}).marginRatio(askedOf([coin, 'buy', 1, 100]), 2)).toBe(Infinity);
  });
});
