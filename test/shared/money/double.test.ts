import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { doubleOf } from '#shared/money/double.ts';

/** Two last places. */
const CLOSE = 2 ** -51;

describe('a decimal as a double', () => {
  it('is the nearest one, or next to it', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
        fc.integer({ min: -60, max: 60 }),
        (digits, by) => {
          const value = new Decimal(`${digits}e${by}`);
          const nearest = value.toNumber();
          expect(Math.abs(doubleOf(value) - nearest)).toBeLessThanOrEqual(CLOSE * Math.abs(nearest));
        },
      ),
    );
  });

  it.each([
    '0',
    '-0',
    '1',
    '-1',
    '0.1',
    '100',
    '12345678',
    '0.00000001',
    '9007199254740993',
    '1e300',
    '-1e-300',
    '1e-400',
  ])('is exact for %s', (text) => {
    expect(doubleOf(new Decimal(text))).toBe(new Decimal(text).toNumber());
  });

  it('leaves what is no number as it is', () => {
    expect([NaN, Infinity, -Infinity].map((value) => doubleOf(new Decimal(value)))).toEqual([NaN, Infinity, -Infinity]);
  });
});
