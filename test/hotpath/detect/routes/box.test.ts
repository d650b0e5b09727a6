import { describe, expect, it } from 'vitest';
import { box } from '#hotpath/detect/routes/box.ts';
import { boardOf, compileOptions as options, expiryMsOf } from '#test/support/options.ts';

const endsMs = expiryMsOf('261225');

describe('box', () => {
  it('leaves the difference of the strikes in dollars, either way', () => {
    const [long, short] = box.compile(boardOf('a:BTC/USDT:USDT-261225', [60_000, 70_000]), options);
    expect(long).toEqual({
      id: 'box:a:BTC/USDT:USDT-261225-60000-C+a:BTC/USDT:USDT-261225-70000-P>a:BTC/USDT:USDT-261225-60000-P+a:BTC/USDT:USDT-261225-70000-C',
      family: 'box',
      evaluator: 'sum',
      start: 'USDT',
      legs: [
        { instrument: 0, side: 'buy', ratio: 1 },
        { instrument: 1, side: 'sell', ratio: 1 },
        { instrument: 2, side: 'sell', ratio: 1 },
        { instrument: 3, side: 'buy', ratio: 1 },
      ],
      terms: {
        certainty: 'locked',
        notional: { amount: 60_000 },
        payoffs: [{ atMs: endsMs, amount: 10_000 }],
        closings: [],
        deliveries: [
          { instrument: 0, ratio: 1 },
          { instrument: 2, ratio: 1 },
        ],
        endsMs,
      },
    });
    expect(short).toMatchObject({
      legs: [
        { instrument: 2, side: 'buy' },
        { instrument: 3, side: 'sell' },
        { instrument: 0, side: 'sell' },
        { instrument: 1, side: 'buy' },
      ],
      terms: { notional: { amount: 60_000 }, payoffs: [{ amount: -10_000 }] },
    });
  });

  it('takes fewer units at the higher strike where it is settled in coin', () => {
    const [long, short] = box.compile(boardOf('a:BTC/USD:BTC-261225', [60_000, 80_000]), options);
    expect(long).toMatchObject({
      start: 'BTC',
      legs: [{ ratio: 1 }, { ratio: 1 }, { ratio: 0.75 }, { ratio: 0.75 }],
      terms: { notional: { amount: 1 }, payoffs: [{ amount: 0.25 }], deliveries: [{ ratio: 1 }, { ratio: 0.75 }] },
    });
    expect(short).toMatchObject({ terms: { payoffs: [{ amount: -0.25 }] } });
  });

  it('needs strikes above nothing', () => {
    for (const board of ['a:BTC/USDT:USDT-261225', 'a:BTC/USD:BTC-261225'])
      expect(box.compile(boardOf(board, [0, 60_000]), options)).toEqual([]);
  });

  it('begins with neighbours and goes no further than eight strikes', () => {
    const strikes = Array.from({ length: 12 }, (_, at) => 10_000 * (at + 1));
    const instruments = ['261225', '270326'].flatMap((day) => boardOf(`a:BTC/USDT:USDT-${day}`, strikes));
    const routes = box.compile(instruments, options);
    const distances = routes.map(({ legs }) => Math.abs(legs[0]!.instrument - legs[2]!.instrument) / 2);
    expect(distances).toEqual([...distances].sort((x, y) => x - y));
    expect(distances.at(-1)).toBe(8);
    expect(routes).toHaveLength(2 * 2 * (11 + 10 + 9 + 8 + 7 + 6 + 5 + 4));
  });

  it('stays on one board: one venue, one expiry, one currency, one size of contract', () => {
    const instruments = [
      ...boardOf('a:BTC/USDT:USDT-261225', [10_000]),
      ...boardOf('b:BTC/USDT:USDT-261225', [20_000]),
      ...boardOf('a:BTC/USDT:USDT-270326', [30_000]),
      ...boardOf('a:BTC/USDC:USDC-261225', [40_000]),
      ...boardOf('a:BTC/USD:BTC-261225', [50_000]),
      ...boardOf('a:ETH/USDT:USDT-261225', [60_000]),
    ];
    expect(box.compile(instruments, options)).toEqual([]);
  });

  it('is left out where an asset may not start, and where four legs are too many', () => {
    const instruments = boardOf('a:SOL/USD:SOL-261225', [100, 200]);
    expect(box.compile(instruments, options)).toEqual([]);
    expect(box.compile(boardOf('a:BTC/USD:BTC-261225', [100, 200]), { ...options, maxLegs: 3 })).toEqual([]);
  });
});
