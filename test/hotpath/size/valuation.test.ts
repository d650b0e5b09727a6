import { describe, expect, it } from 'vitest';
import type { Asset } from '#shared/domain/ids.ts';
import { valuationOf } from '#hotpath/size/valuation.ts';
import { Books, spot } from '#test/support/market.ts';

const asset = (code: string): Asset => code as Asset;
const instruments = [
  spot('a:BTC/USDT'),
  spot('b:BTC/USDT'),
  spot('a:USDT/EUR'),
  spot('b:SOL/BTC'),
  spot('b:BTC/USD'),
  spot('a:ETH/USDT', { kind: 'perpetual' }),
];
const valued = (
  set: (books: Books) => void,
  pegs: Record<string, string> = {},
): ((code: string) => number | undefined) => {
  const books = new Books(instruments.length);
  set(books);
  const rateOf = valuationOf(instruments, books.tops, { numeraire: asset('USDT'), pegs });
  return (code) => rateOf(asset(code));
};

describe('valuation', () => {
  it('reads the middle of the first live book, direct or inverse', () => {
    const rateOf = valued((books) => {
      books.flat(1, 29_990, 30_010);
      books.flat(2, 0.8);
    });
    expect(rateOf('USDT')).toBe(1);
    expect(rateOf('BTC')).toBe(30_000);
    expect(rateOf('EUR')).toBe(1.25);
  });

  it('goes through one hop where no book joins the two', () => {
    const rateOf = valued((books) => {
      books.flat(0, 30_000);
      books.flat(3, 0.005);
      books.flat(4, 31_000);
    });
    expect(rateOf('SOL')).toBe(150);
    expect(rateOf('USD')).toBeCloseTo(30_000 / 31_000, 12);
  });

  it('falls back to a peg, and knows nothing where there is neither', () => {
    const rateOf = valued((books) => books.flat(5, 2_000), { USD: '0.999' });
    expect(rateOf('USD')).toBe(0.999);
    expect(rateOf('ETH')).toBeUndefined();
    expect(rateOf('BTC')).toBeUndefined();
  });
});
