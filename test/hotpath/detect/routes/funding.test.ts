import { describe, expect, it } from 'vitest';
import { funding } from '#hotpath/detect/routes/funding.ts';
import { compileOptions, dollarsAreEqual, listing } from '#test/support/options.ts';

const instruments = [
  listing('a:BTC/USDT:USDT'),
  listing('a:BTC/USD:BTC'),
  listing('b:BTC/USDT:USDT'),
  listing('b:BTC/USDC:USDC'),
  listing('b:BTC/USDT'),
  listing('b:BTC/USDT:USDT-261225'),
];

describe('funding', () => {
  it('pairs perpetuals of one quote, both ways, and closes both by trading', () => {
    const routes = funding.compile(instruments, compileOptions);
    expect(routes.map(({ id }) => id)).toEqual([
      'funding:a:BTC/USDT:USDT>b:BTC/USDT:USDT',
      'funding:b:BTC/USDT:USDT>a:BTC/USDT:USDT',
    ]);
    expect(routes[1]).toMatchObject({
      evaluator: 'sum',
      start: 'USDT',
      legs: [
        { instrument: 2, side: 'buy', ratio: 1 },
        { instrument: 0, side: 'sell', ratio: 1 },
      ],
      terms: { certainty: 'converging', closings: [{ instrument: 2 }, { instrument: 0 }], deliveries: [], payoffs: [] },
    });
  });

  it('joins the linear and the inverse one of a venue where their quotes are equal', () => {
    const routes = funding.compile(instruments, dollarsAreEqual);
    expect(routes).toHaveLength(6);
    expect(routes.map(({ id }) => id)).toContain('funding:a:BTC/USDT:USDT>a:BTC/USD:BTC');
    expect(routes.filter(({ id }) => id.includes('USDC'))).toEqual([]);
  });
});
