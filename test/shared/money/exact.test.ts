import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, minus, plus, times, wholeOf } from '#shared/money/exact.ts';
import { ZERO } from '#shared/money/grid.ts';

/** Digits of any length, wherever the point is: prices, quantities, rates, and what no money ever is. */
const decimals = fc
  .tuple(
    fc.bigInt({ min: -(10n ** 45n), max: 10n ** 45n }),
    fc.integer({ min: -30, max: 20 }),
    fc.integer({ min: 0, max: 45 }),
  )
  .map(([digits, exponent, cut]) => new Decimal(`${digits / 10n ** BigInt(cut)}e${exponent}`));
const odd = fc.constantFrom(
  ...['0', '-0', 'NaN', 'Infinity', '-Infinity', '1', '-1', '9999999', '1e7', '1e-7'].map((text) => new Decimal(text)),
);
const numbers = fc.oneof({ weight: 8, arbitrary: decimals }, odd);

/** Everything that a decimal is, its hidden parts and the sign of zero too. */
const partsOf = ({ s, e, d }: Decimal): unknown => ({ s, e, d });

describe('exact decimals', () => {
  it.each([
    ['plus', plus],
    ['minus', minus],
    ['times', times],
  ] as const)('are what the method makes them: %s', (name, operate) => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const texts = [a.toString(), b.toString()];
        expect(partsOf(operate(a, b))).toEqual(partsOf(a[name](b)));
        expect([a.toString(), b.toString()]).toEqual(texts);
      }),
      { numRuns: 3_000 },
    );
  });

  it('finds nothing left of what is taken from itself', () => {
    fc.assert(
      fc.property(decimals, (a) => {
        expect(partsOf(minus(a, new Decimal(a)))).toEqual(partsOf(a.minus(a)));
      }),
    );
  });

  it('counts as the constructor does', () => {
    const counts = fc.oneof(
      fc.maxSafeNat(),
      fc.nat(),
      fc.nat(40),
      fc.nat(900_000).map((count) => count * 1e7),
    );
    fc.assert(
      fc.property(counts, (count) => {
        expect(partsOf(wholeOf(count))).toEqual(partsOf(new Decimal(count)));
      }),
      { numRuns: 3_000 },
    );
  });

  it('compares as the method does', () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        expect(compare(a, b)).toBe(a.cmp(b));
        expect(compare(a, new Decimal(a))).toBe(a.cmp(a));
      }),
      { numRuns: 3_000 },
    );
  });

  it('makes numbers with which the methods go on', () => {
    const sum = plus(new Decimal('99999.99999999'), new Decimal('0.00000001'));
    expect(sum.toFixed()).toBe('100000');
    expect(sum.div(8).toFixed()).toBe('12500');
    expect(times(sum, ZERO).isZero()).toBe(true);
  });
});
