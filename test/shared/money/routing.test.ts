import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Place } from '#shared/money/routing.ts';
import { splitOver } from '#shared/money/routing.ts';
import { spot } from '../../hotpath/execute/trading.ts';

const text = (value: string | number): Decimal => new Decimal(value);
const listings = [
  spot('a', 'BTC/USDT', 'quote', { fee: '0.001', lot: '0.001', minQty: '0.01', tick: '0.01' }),
  spot('b', 'BTC/USDT', 'quote', { fee: '0', lot: '0.01', minQty: '0.01', tick: '0.5' }),
];
const place = (at: number, levels: readonly (readonly [number, number])[], most = 1e9): Place => ({
  instrument: listings[at]!,
  levels: levels.map(([price, qty]) => ({ price: text(price), qty: text(qty) })),
  most: text(most),
});
const split = (places: readonly Place[], side: 'buy' | 'sell', qty: string, price: string): string[] =>
  splitOver(places, { side, qty: text(qty), price: text(price) }).map(
    (part) => `${part.instrument.venue} ${part.qty.toFixed()} at ${part.price.toFixed()}`,
  );

describe('splitOver', () => {
  it('takes what is best after fees first, on each venue`s grid', () => {
    const books = [
      place(0, [
        [100, 1],
        [101, 5],
      ]),
      place(1, [
        [100.05, 1],
        [100.9, 5],
      ]),
    ];
    // 100 costs 100.1 with its fee, 101 more than 100.9.
    expect(split(books, 'buy', '1.5', '110.3')).toEqual(['a 0.5 at 110.3', 'b 1 at 110']);
    expect(split(books, 'buy', '3', '110.3')).toEqual(['a 1 at 110.3', 'b 2 at 110']);
  });

  it('sells the other way round', () => {
    const books = [
      place(0, [
        [100.2, 1],
        [99, 5],
      ]),
      place(1, [[100.05, 1]]),
    ];
    expect(split(books, 'sell', '1.5', '98')).toEqual(['a 1 at 98', 'b 0.5 at 98']);
  });

  it('stays within the limit, the accounts and the books', () => {
    const books = [
      place(
        0,
        [
          [100, 1],
          [103, 5],
        ],
        0.4,
      ),
      place(1, [[101, 2]]),
    ];
    expect(split(books, 'buy', '9', '102')).toEqual(['a 0.4 at 102', 'b 2 at 102']);
    expect(split(books, 'buy', '9', '99')).toEqual([]);
    expect(split([place(0, [])], 'buy', '1', '99')).toEqual([]);
  });

  it('leaves out what is below the smallest order of its venue', () => {
    expect(split([place(0, [[100, 0.009]]), place(1, [[101, 1]])], 'buy', '1', '102')).toEqual(['b 0.99 at 102']);
  });

  it('never takes more than was asked, than there is, or than an account bears', () => {
    const levels = fc.array(fc.tuple(fc.integer({ min: 90, max: 110 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(
        levels,
        levels,
        fc.integer({ min: 1, max: 900 }),
        fc.nat(90),
        fc.boolean(),
        (one, two, lots, most, isBuy) => {
          const order = (levelled: readonly (readonly [number, number])[]) =>
            [...levelled].sort(([p], [q]) => (isBuy ? p - q : q - p)).map(([p, q]) => [p, q / 10] as const);
          const places = [place(0, order(one), most / 10), place(1, order(two))];
          const qty = text(lots).div(100);
          const parts = splitOver(places, { side: isBuy ? 'buy' : 'sell', qty, price: text(100) });
          const total = parts.reduce((sum, part) => sum.plus(part.qty), text(0));
          expect(total.lte(qty)).toBe(true);
          for (const { instrument, qty: part, price } of parts) {
            const { levels: there, most: bears } = places.find((found) => found.instrument === instrument)!;
            const within = there.filter((level) => (isBuy ? level.price.lte(100) : level.price.gte(100)));
            expect(part.lte(within.reduce((sum, level) => sum.plus(level.qty), text(0)))).toBe(true);
            expect(part.lte(bears)).toBe(true);
            expect(part.mod(instrument.lot).isZero() && part.gte(instrument.minQty)).toBe(true);
            expect(isBuy ? price.lte(100) : price.gte(100)).toBe(true);
          }
        },
      ),
    );
  });
});
