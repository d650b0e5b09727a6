import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { decimalFrom, limitPrice, lotQty, textOf, tickAt } from '#shared/money/grid.ts';

describe('decimalFrom', () => {
  it('reads decimal text exactly', () => {
    for (const text of ['0', '-1.5', '12345678901234567.123456789012345678', '0.00000000000000000001']) {
      expect(textOf(decimalFrom(text))).toBe(text);
    }
    expect(textOf(decimalFrom('1e-8'))).toBe('0.00000001');
    expect(textOf(decimalFrom('0e999999999'))).toBe('0');
  });

  it('refuses what is none, and what nobody could ever write out', () => {
    for (const text of ['', ' 1', '1 ', '.', '1.2.3', 'NaN', 'Infinity', '0x1', '1e', '--1', '1,5']) {
      expect(() => decimalFrom(text), text).toThrow(BadInput);
    }
    for (const text of ['1e99999999999999999999', '1e-9000000000000000', '1e1000000', '1e-101', '9'.repeat(200)]) {
      expect(() => decimalFrom(text), text.slice(0, 30)).toThrow(BadInput);
    }
  });
});

describe('grids', () => {
  it('grow coarser where a venue says so, from just above the step', () => {
    const steps = [
      { above: decimalFrom('0.005'), tick: decimalFrom('0.0005') },
      { above: decimalFrom('1'), tick: decimalFrom('0.05') },
    ];
    const instrument = { tick: decimalFrom('0.0001'), tickSteps: steps };
    const found = ['0.0049', '0.005', '0.0051', '1', '1.01'].map((price) => textOf(tickAt(instrument, price)));
    expect(found).toEqual(['0.0001', '0.0001', '0.0005', '0.0005', '0.05']);
    expect(textOf(tickAt({ tick: decimalFrom('0.5') }, 100))).toBe('0.5');
  });

  const cents = fc.integer({ min: 1, max: 1_000_000 });
  it('never pay more, never take less, never trade more than was decided', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1e6, noNaN: true }), cents, (found, units) => {
        const grid = decimalFrom(`${units}e-2`);
        const [bought, sold, qty] = [
          limitPrice(found, grid, 'buy'),
          limitPrice(found, grid, 'sell'),
          lotQty(found, grid),
        ];
        expect(bought.lte(found) && sold.gte(found) && qty.lte(found)).toBe(true);
        for (const value of [bought, sold, qty]) expect(value.mod(grid).isZero()).toBe(true);
        expect(sold.minus(bought).lte(grid)).toBe(true);
      }),
    );
  });

  it('are reached as decimals reach them, on a step, beside it and anywhere', () => {
    const steps = fc.tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: -2, max: 12 }));
    const counts = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2 ** 52 }));
    const beside = fc.constantFrom('0', '1e-25', '-1e-25', '1e-18', '-1e-18', '0.3', '-0.3', '0.9999999999999999');
    fc.assert(
      fc.property(steps, counts, beside, fc.boolean(), ([units, digits], count, off, isDouble) => {
        const step = decimalFrom(`${units}e${-digits}`);
        const exact = step.times(decimalFrom(off).plus(count));
        const found = isDouble ? exact.toNumber() : exact;
        const inSteps = (rounding: Decimal.Rounding): string =>
          textOf(new Decimal(found).div(step).toDecimalPlaces(0, rounding).times(step));
        expect(textOf(lotQty(found, step))).toBe(inSteps(Decimal.ROUND_FLOOR));
        expect(textOf(limitPrice(found, step, 'buy'))).toBe(inSteps(Decimal.ROUND_FLOOR));
        expect(textOf(limitPrice(found, step, 'sell'))).toBe(inSteps(Decimal.ROUND_CEIL));
      }),
      { numRuns: 2_000 },
    );
  });
});
