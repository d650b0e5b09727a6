import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bpsText, decimalText } from '#hotpath/publish/opportunity-event.ts';
import { textOf } from '#shared/money/grid.ts';

const exactly = (found: number): string => textOf(new Decimal(found).toSignificantDigits(12));

it('says a found number in twelve digits, rounded half up as decimals are', () => {
  const double = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 });
  const price = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
  // Thirteen digits, the last one in the middle.
  const tie = fc
    .tuple(fc.integer({ min: -1e12, max: 1e12 }), fc.integer({ min: 0, max: 20 }))
    .map(([digits, point]) => Number(`${digits}5e-${point}`));
  fc.assert(
    fc.property(fc.oneof(double, price, tie), (found) => {
      expect(decimalText(found)).toBe(exactly(found));
    }),
    { numRuns: 5_000 },
  );
});

it('says the edges as decimals do', () => {
  const edges = [0, -0, 1, -1, 1e-7, 1e21, 123_456_789_012, 1_234_567_890_123, 999_999_999_999.5, 99_999_999_999.95];
  const small = [0.1 + 0.2, 0.000_001_234_567_890_125, 5e-324, 1.000_000_000_005, -100.000_000_000_04, 2 ** 53];
  for (const found of [...edges, ...small]) expect([found, decimalText(found)]).toEqual([found, exactly(found)]);
  expect(bpsText(0.000_123)).toBe('1.23');
});
