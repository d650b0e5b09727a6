import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Side } from '#shared/domain/route.ts';
import { takerFeeOf } from '#shared/quant/taker-fee.ts';
import type { ExactLeg, WantedLeg } from '#hotpath/size/exact-legs.ts';
import { exactLegs } from '#hotpath/size/exact-legs.ts';
import { spot } from '#test/support/market.ts';

const wantedLeg = (instrument: Instrument, side: Side, price: number, qty: number): WantedLeg => ({
  instrument,
  side,
  fee: takerFeeOf(instrument, side),
  qty,
  worstPrice: price,
  available: Infinity,
  prices: Float64Array.of(price),
  qtys: Float64Array.of(1e9),
  levels: 1,
});

const rules = fc.record({
  tick: fc.constantFrom('0.01', '0.001', '0.5'),
  lot: fc.constantFrom('0.00000001', '0.00001', '0.001', '0.01', '1'),
  minQty: fc.constantFrom('0', '0.01', '2'),
  minNotional: fc.constantFrom('0', '5', '100'),
  fee: fc.constantFrom('0', '0.001', '0.0016'),
  feeCurrency: fc.constantFrom('received' as const, 'quote' as const),
});

/** USDT → BTC → ETH → USDT, with the money of each leg what the one before brings, as a walk would leave it. */
const triangles = fc
  .record({
    rules: fc.tuple(rules, rules, rules),
    prices: fc.tuple(
      fc.integer({ min: 20, max: 400 }).map((halves) => halves / 2),
      fc.constantFrom(0.5, 1.5, 2),
      fc.integer({ min: 20, max: 900 }).map((halves) => halves / 2),
    ),
    size: fc.oneof(fc.double({ min: 1, max: 20_000, noNaN: true }), fc.double({ min: 1e5, max: 1e7, noNaN: true })),
    available: fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(Infinity, Infinity, 1000, 3.7))),
    bearable: fc.constantFrom(1, 1.0005, 1.01),
  })
  .map(({ rules: [one, two, three], prices, size, available, bearable }) => {
    const listings = [spot('a:BTC/USDT', one), spot('a:ETH/BTC', two), spot('b:ETH/USDT', three)] as const;
    const bought = size / prices[0];
    const legs = [
      wantedLeg(listings[0], 'buy', prices[0], bought),
      wantedLeg(listings[1], 'buy', prices[1], bought / prices[1]),
      wantedLeg(listings[2], 'sell', prices[2], bought / prices[1]),
    ].map((leg, at) => ({ ...leg, available: available[at]! }));
    return { legs, bearable };
  });

const needAtLimit = ({ instrument, side, limit, qty }: ExactLeg): Decimal =>
  side === 'buy' ? qty.times(limit).times(takerFeeOf(instrument, side).paid) : qty;
const deliveredAtLimit = ({ instrument, side, limit, qty }: ExactLeg, of: Decimal = qty): Decimal =>
  side === 'buy'
    ? of.times(takerFeeOf(instrument, side).kept)
    : of.times(limit).times(takerFeeOf(instrument, side).kept);

describe('exact legs', () => {
  it('stand on every grid, feed one another, and meet every minimum and balance', () => {
    let planned = 0;
    fc.assert(
      fc.property(triangles, ({ legs: wanted, bearable }) => {
        const exact = exactLegs(wanted, bearable, 1);
        if (exact.kind === 'refused') return;
        planned += 1;
        for (const [at, leg] of exact.legs.entries()) {
          const { tick, lot, minQty, minNotional } = leg.instrument;
          const { available, qty, worstPrice } = wanted[at]!;
          expect(leg.limit.mod(tick).toNumber()).toBe(0);
          expect(leg.qty.mod(lot).toNumber()).toBe(0);
          expect(leg.qty.gt(0) && leg.qty.gte(minQty)).toBe(true);
          expect(leg.qty.times(leg.limit).gte(minNotional)).toBe(true);
          expect(needAtLimit(leg).lte(available)).toBe(true);
          expect(leg.qty.lte(new Decimal(qty).times(1 + 1e-11))).toBe(true);
          // Our own side of the worst level by less than a tick, or beyond it only as far as the plan bears.
          const slip = leg.limit.div(worstPrice).toNumber() - 1;
          expect(leg.side === 'buy' ? slip : -slip).toBeLessThanOrEqual(bearable - 1 + 1e-12);
          const before = exact.legs[at - 1];
          if (before === undefined) continue;
          expect(needAtLimit(leg).lte(deliveredAtLimit(before))).toBe(true);
          const oneLotLess = before.qty.minus(before.instrument.lot);
          expect(needAtLimit(leg).gt(deliveredAtLimit(before, oneLotLess))).toBe(true);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(planned).toBeGreaterThan(300);
  });

  it('loses no lot to what doubles cannot say', () => {
    const listing = spot('a:BTC/USDT', { lot: '0.1' });
    const exact = exactLegs(
      [wantedLeg(listing, 'buy', 100, 0.1 + 0.2 - 1e-16), wantedLeg(listing, 'sell', 101, 0.7 - 0.4)],
      1,
      1,
    );
    expect(exact.kind === 'legs' && exact.legs.map(({ qty }) => qty.toFixed())).toEqual(['0.3', '0.3']);
  });

  it('lets a fee in the received asset shrink the next leg, and buys no lot more than that needs', () => {
    const cheap = spot('a:BTC/USDT', { lot: '0.001', fee: '0.001' });
    const dear = spot('b:BTC/USDT', { lot: '0.01' });
    const exact = exactLegs([wantedLeg(cheap, 'buy', 100, 1), wantedLeg(dear, 'sell', 102, 0.999)], 1, 1);
    // 1 less 0.1 % is 0.999, floored to 0.99 on the coarser grid; that needs 0.990990…, so 0.991.
    expect(exact.kind === 'legs' && exact.legs.map(({ qty }) => qty.toFixed())).toEqual(['0.991', '0.99']);
  });

  it('plans nothing when rounding kills it', () => {
    const coarse = spot('b:BTC/USDT', { lot: '1' });
    const exact = exactLegs(
      [wantedLeg(spot('a:BTC/USDT'), 'buy', 100, 0.9), wantedLeg(coarse, 'sell', 102, 0.9)],
      1,
      1,
    );
    expect(exact).toMatchObject({ kind: 'refused', reason: 'BELOW_MIN_QTY' });
  });

  it('counts each displayed level once, at the share that may be taken', () => {
    const listing = spot('a:BTC/USDT', { lot: '0.1' });
    const buy: WantedLeg = {
      ...wantedLeg(listing, 'buy', 101, 1.5),
      prices: Float64Array.of(100, 101),
      qtys: Float64Array.of(2, 2),
      levels: 2,
    };
    const exact = exactLegs([buy, wantedLeg(listing, 'sell', 103, 1.5)], 1, 0.5);
    expect(exact.kind === 'legs' && exact.legs[0]!.quote.toFixed()).toBe('150.5');
  });

  it('stays exact where lots times ticks leave the whole numbers of a double', () => {
    const fine = spot('a:BTC/USDT', { tick: '0.01', lot: '0.00000001' });
    const buy: WantedLeg = {
      ...wantedLeg(fine, 'buy', 97_412.35, 5_000.00000003),
      prices: Float64Array.of(97_412.33, 97_412.34, 97_412.35),
      qtys: Float64Array.of(2_000.00000001, 1_999.99999999, 4_000),
      levels: 3,
    };
    const exact = exactLegs([buy, wantedLeg(fine, 'sell', 97_500, 5_000.00000003)], 1, 1);
    const quote = new Decimal('2000.00000001').times('97412.33').plus(new Decimal('1999.99999999').times('97412.34'));
    const expected = quote.plus(new Decimal('1000.00000003').times('97412.35'));
    expect(exact.kind === 'legs' && exact.legs[0]!.quote.toFixed()).toBe(expected.toFixed());
  });
});
