import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { FillFacts } from '#shared/money/pnl.ts';
import { flowsOf } from '#shared/money/pnl.ts';
import { FLAT, positionAfter } from '#shared/money/position.ts';

const fill = (side: 'buy' | 'sell', qty: number, price: number, fee = 0, feeAsset = 'USDT'): FillFacts => ({
  side,
  base: 'BTC',
  quote: 'USDT',
  qty: new Decimal(qty),
  price: new Decimal(price),
  fee: new Decimal(fee),
  feeAsset,
});
const after = (...fills: readonly FillFacts[]): string[] => {
  const { size, entryPrice, realised } = fills.reduce(positionAfter, FLAT);
  return [size, entryPrice, realised].map((value) => value.toFixed());
};

it('averages its entry while it grows and realises while it shrinks', () => {
  expect(after(fill('buy', 1, 100), fill('buy', 1, 200))).toEqual(['2', '150', '0']);
  expect(after(fill('buy', 2, 100), fill('sell', 1, 130))).toEqual(['1', '100', '30']);
  expect(after(fill('sell', 2, 100), fill('buy', 2, 90))).toEqual(['0', '0', '20']);
});

it('turns over at the price of the fill', () => {
  expect(after(fill('buy', 1, 100), fill('sell', 3, 110))).toEqual(['-2', '110', '10']);
});

it('counts a fee in either asset as a loss', () => {
  expect(after(fill('sell', 1, 100, 0.5))).toEqual(['-1', '100', '-0.5']);
  expect(after(fill('buy', 1, 100, 0.01, 'BTC'))).toEqual(['0.99', '100', '-1']);
});

it('is worth what the fills were worth, at any price', () => {
  const one = fc.record({
    side: fc.constantFrom('buy', 'sell'),
    qty: fc.integer({ min: 1, max: 100 }),
    price: fc.integer({ min: 50, max: 150 }),
    feeInBase: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 20 }), (list) => {
      const fills = list.map(({ side, qty, price, feeInBase }) =>
        fill(side as 'buy', qty, price, feeInBase ? qty / 1_000 : (qty * price) / 1_000, feeInBase ? 'BTC' : 'USDT'),
      );
      const mark = new Decimal(123);
      let expected = new Decimal(0);
      for (const each of fills) {
        const { base, quote } = flowsOf(each);
        const fee = each.feeAsset === 'BTC' ? each.fee.times(mark) : each.fee;
        expected = expected.plus(base.times(mark)).plus(quote).minus(fee);
      }
      const { size, entryPrice, realised } = fills.reduce(positionAfter, FLAT);
      const value = realised.plus(size.times(mark.minus(entryPrice)));
      expect(value.minus(expected).abs().toNumber()).toBeLessThan(1e-9);
    }),
  );
});
