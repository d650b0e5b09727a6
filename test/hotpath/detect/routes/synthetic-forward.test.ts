import { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import { syntheticForward } from '#hotpath/detect/routes/synthetic-forward.ts';
import { boardOf, compileOptions as options } from '#test/support/options.ts';

describe('synthetic-forward', () => {
  it('buys a forward of one venue and sells it to another, both ways, which is expected and not promised', () => {
    const instruments = ['a', 'b'].flatMap((venue) => boardOf(`${venue}:BTC/USDT:USDT-261225`, [60_000]));
    const routes = syntheticForward.compile(instruments, options);
    expect(routes).toHaveLength(2);
    expect(routes[0]).toMatchObject({
      id: 'synthetic-forward:a:BTC/USDT:USDT-261225-60000-C+b:BTC/USDT:USDT-261225-60000-P>a:BTC/USDT:USDT-261225-60000-P+b:BTC/USDT:USDT-261225-60000-C',
      start: 'USDT',
      legs: [
        { instrument: 0, side: 'buy', ratio: 1 },
        { instrument: 1, side: 'sell', ratio: 1 },
        { instrument: 2, side: 'sell', ratio: 1 },
        { instrument: 3, side: 'buy', ratio: 1 },
      ],
      terms: { certainty: 'converging', notional: { amount: 60_000 }, payoffs: [], closings: [] },
    });
    expect(routes[1]!.legs[0]).toEqual({ instrument: 2, side: 'buy', ratio: 1 });
  });

  it('is locked between two contract sizes of one venue, which settle on one index', () => {
    const instruments = [
      ...boardOf('a:BTC/USDT:USDT-261225', [60_000]),
      ...boardOf('a:BTC/USDT:USDT-261225', [60_000], { contractSize: new Decimal('0.01') }),
    ];
    expect(syntheticForward.compile(instruments, options)).toMatchObject([
      { terms: { certainty: 'locked' } },
      { terms: { certainty: 'locked' } },
    ]);
  });

  it('leaves what the strikes are apart, in dollars and in coin', () => {
    const twoStrikes = (pair: string) => [
      ...boardOf(`a:${pair}-261225`, [60_000]),
      ...boardOf(`b:${pair}-261225`, [80_000]),
    ];
    const [linear] = syntheticForward.compile(twoStrikes('BTC/USDT:USDT'), options);
    expect(linear).toMatchObject({ terms: { notional: { amount: 60_000 }, payoffs: [{ amount: 20_000 }] } });
    const [, inCoin] = syntheticForward.compile(twoStrikes('BTC/USD:BTC'), options);
    expect(inCoin).toMatchObject({
      start: 'BTC',
      legs: [{ ratio: 0.75 }, { ratio: 0.75 }, { ratio: 1 }, { ratio: 1 }],
      terms: { notional: { amount: 1 }, payoffs: [{ amount: -0.25 }], deliveries: [{ ratio: 0.75 }, { ratio: 1 }] },
    });
  });

  it('begins with equal strikes and goes no further than three of all strikes there are', () => {
    const instruments = [
      ...boardOf('a:BTC/USDT:USDT-261225', [10_000, 20_000, 30_000, 40_000, 50_000]),
      ...boardOf('b:BTC/USDT:USDT-261225', [10_000, 15_000, 50_000]),
    ];
    const strikes = [10_000, 15_000, 20_000, 30_000, 40_000, 50_000];
    const placeOf = (instrument: number): number => strikes.indexOf(instruments[instrument]!.strike!.toNumber());
    const routes = syntheticForward.compile(instruments, options);
    const distances = routes.map(({ legs }) => Math.abs(placeOf(legs[0]!.instrument) - placeOf(legs[2]!.instrument)));
    expect(distances).toEqual([...distances].sort((x, y) => x - y));
    expect([0, 1, 2, 3].map((distance) => distances.filter((each) => each === distance).length)).toEqual([4, 6, 6, 6]);
  });

  it('leaves strikes of one board to the box, and never meets other terms', () => {
    const instruments = [
      ...boardOf('a:BTC/USDT:USDT-261225', [60_000, 70_000]),
      ...boardOf('b:BTC/USDT:USDT-270326', [60_000]),
      ...boardOf('b:BTC/USDC:USDC-261225', [60_000]),
      ...boardOf('b:BTC/USD:BTC-261225', [60_000]),
      ...boardOf('b:ETH/USDT:USDT-261225', [60_000]),
    ];
    expect(syntheticForward.compile(instruments, options)).toEqual([]);
  });
});
