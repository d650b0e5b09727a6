import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { splitLeg, splitPlan } from '#hotpath/size/leg-splitting.ts';
import type { Plan, PlanLeg } from '#shared/domain/trade.ts';
import { sentLegs } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { Place } from '#shared/money/routing.ts';
import { planOf, spot } from '../execute/trading.ts';

const d = (value: string | number): Decimal => new Decimal(value);
const listings = [
  spot('a', 'BTC/USDT', 'quote', { fee: '0.001', lot: '0.001', minQty: '0.01', tick: '0.01' }),
  spot('b', 'BTC/USDT', 'quote', { fee: '0.0005', lot: '0.01', minQty: '0.01', tick: '0.5' }),
  spot('c', 'BTC/USDT', 'quote', { fee: '0.001', lot: '0.001', minQty: '0.05', tick: '0.01' }),
  spot('d', 'BTC/USDT', 'quote', { fee: '0.002', lot: '0.001', minQty: '0.01', tick: '0.01' }),
];
type Row = readonly (readonly [price: number, qty: number])[];
const place = (at: number, levels: Row, most = 1e9): Place => ({
  instrument: listings[at]!,
  levels: levels.map(([price, qty]) => ({ price: d(price), qty: d(qty) })),
  most: d(most),
});
const legOf = (qty: string, price: string): PlanLeg => ({
  instrument: listings[0]!.id,
  side: 'buy',
  price: d(price) as Price,
  qty: d(qty) as Qty,
  expectedPrice: d(price),
  notional: amountOf(d(price).times(qty)),
});
const said = (found: ReturnType<typeof splitLeg>): readonly string[] =>
  (found?.beside ?? []).map(({ instrument, qty, price }) => `${instrument} ${qty.toFixed()} at ${price.toFixed()}`);

it('takes elsewhere what is dearer at home, and leaves a dearer fee alone', () => {
  const own = place(0, [
    [100, 1],
    [102, 5],
  ]);
  const leg = legOf('3', '103');
  expect(said(splitLeg(leg, [own, place(1, [[100.5, 1]])], 2))).toEqual(['b:BTC/USDT 1 at 103']);
  expect(splitLeg(leg, [own, place(3, [[100.5, 1]])], 2)).toBeUndefined();
  expect(splitLeg(leg, [own, place(1, [[102.5, 1]])], 2)).toBeUndefined();
  expect(splitLeg({ ...leg, how: 'maker' }, [own, place(1, [[100.5, 1]])], 2)).toBeUndefined();
});

it('does not for a gain that one more order`s risk outweighs', () => {
  const plan: Plan = { ...planOf('op', [['a:BTC/USDT', 'buy', '3', '103']]), fillProbability: 0.5 };
  const own = place(0, [
    [100, 1],
    [102, 5],
  ]);
  const placesOf = (): readonly Place[] => [own, place(1, [[100.5, 1]])];
  const odds = { goodEnd: 0.6, notional: 300 };
  const risky = splitPlan(plan, { ...odds, unwindCost: 50 }, 1, { placesOf, partsMax: 2 });
  expect(risky).toBe(plan);
  const better = splitPlan(plan, { ...odds, unwindCost: 0 }, 1, { placesOf, partsMax: 2 });
  expect(better.legs[0]!.beside).toHaveLength(1);
  expect(better.expectedValue.gt(plan.expectedValue)).toBe(true);
  expect(splitPlan(plan, { ...odds, unwindCost: 0 }, 1, { placesOf, partsMax: 1 })).toBe(plan);
});

it('never costs more than the whole leg, adds up exactly, and keeps to grids, minimums and accounts', () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 9_900, max: 10_400 }), fc.integer({ min: 1, max: 500 })), {
    minLength: 1,
    maxLength: 5,
  });
  const levels = rows.map((list): Row =>
    list.map(([price, qty]) => [price / 100, qty / 100] as const).toSorted((a, b) => a[0] - b[0]),
  );
  const most = fc.integer({ min: 0, max: 600 }).map((lots) => lots / 100);
  fc.assert(
    fc.property(levels, levels, levels, most, fc.integer({ min: 10, max: 6_000 }), (one, two, three, free, lots) => {
      const leg = legOf(d(lots).div(1_000).toFixed(), '104');
      const places = [place(0, one), place(1, two, free), place(2, three, free)];
      const found = splitLeg(leg, places, 3);
      if (found === undefined) return;
      expect(found.saved.gt(0)).toBe(true);
      const sent = sentLegs([{ ...leg, beside: found.beside }]);
      expect(sent.reduce((sum, { qty }) => sum.plus(qty), d(0)).toFixed()).toBe(leg.qty.toFixed());
      expect(new Set(sent.map(({ instrument }) => instrument)).size).toBe(sent.length);
      for (const part of sent) {
        const { instrument, most: bearable } = places.find(({ instrument: { id } }) => id === part.instrument)!;
        expect(part.qty.mod(instrument.lot).isZero() && part.qty.gte(instrument.minQty)).toBe(true);
        expect(part.qty.times(part.price).gte(instrument.minNotional)).toBe(true);
        expect(part.price.lte(leg.price) && part.price.mod(instrument.tick).isZero()).toBe(true);
        expect(part.qty.lte(bearable)).toBe(true);
      }
    }),
  );
});
