import { describe, expect, it } from 'vitest';
import { basis } from '#hotpath/detect/routes/basis.ts';
import type { Asset } from '#shared/domain/ids.ts';
import { compileOptions, dollarsAreEqual, expiryMsOf, listing } from '#test/support/options.ts';

const ids = (instruments: readonly ReturnType<typeof listing>[], options = compileOptions): string[] =>
  basis.compile(instruments, options).map(({ id }) => id);

describe('basis', () => {
  it('holds spot against a perpetual, both ways, and closes both by trading', () => {
    const [enter, reverse, ...rest] = basis.compile(
      [listing('okx:BTC/USDT'), listing('binance:BTC/USDT:USDT')],
      compileOptions,
    );
    expect(rest).toEqual([]);
    expect(enter).toEqual({
      id: 'basis:okx:BTC/USDT>binance:BTC/USDT:USDT',
      family: 'basis',
      evaluator: 'sum',
      legs: [
        { instrument: 0, side: 'buy', ratio: 1 },
        { instrument: 1, side: 'sell', ratio: 1 },
      ],
      start: 'USDT',
      terms: {
        certainty: 'converging',
        notional: { leg: 0 },
        payoffs: [],
        closings: [
          { instrument: 0, ratio: 1 },
          { instrument: 1, ratio: 1 },
        ],
        deliveries: [],
        endsMs: undefined,
      },
    });
    expect(reverse).toMatchObject({
      id: 'basis:binance:BTC/USDT:USDT>okx:BTC/USDT',
      legs: [
        { instrument: 1, side: 'buy' },
        { instrument: 0, side: 'sell' },
      ],
    });
  });

  it('locks a dated future, which delivers while spot is sold at its settlement', () => {
    const instruments = [listing('a:BTC/USDT'), listing('a:BTC/USDT:USDT-261225')];
    for (const route of basis.compile(instruments, compileOptions)) {
      expect(route).toMatchObject({
        start: 'USDT',
        terms: {
          certainty: 'locked',
          closings: [{ instrument: 0, ratio: 1 }],
          deliveries: [{ instrument: 1, ratio: 1 }],
          endsMs: expiryMsOf('261225'),
        },
      });
    }
  });

  it('lets an inverse contract meet a USDT market only where USD was declared equal', () => {
    const instruments = [
      listing('a:BTC/USDT'),
      listing('b:BTC/USD:BTC'),
      listing('b:BTC/USD:BTC-261225'),
      listing('c:BTC/USDC'),
    ];
    expect(ids(instruments)).toEqual([]);
    const routes = basis.compile(instruments, dollarsAreEqual);
    expect(routes.map(({ id }) => id)).toEqual([
      'basis:a:BTC/USDT>b:BTC/USD:BTC',
      'basis:b:BTC/USD:BTC>a:BTC/USDT',
      'basis:a:BTC/USDT>b:BTC/USD:BTC-261225',
      'basis:b:BTC/USD:BTC-261225>a:BTC/USDT',
    ]);
    expect(new Set(routes.map(({ start }) => start))).toEqual(new Set(['USDT']));
  });

  it('needs the quote, or what it counts as, among the start assets', () => {
    const instruments = [listing('a:BTC/USD'), listing('b:BTC/USD:BTC')];
    expect(ids(instruments, { ...compileOptions, startAssets: ['USDT' as Asset] })).toEqual([]);
    expect(ids(instruments, { ...compileOptions, startAssets: ['USD' as Asset] })).toHaveLength(2);
    expect(basis.compile(instruments, dollarsAreEqual).map(({ start }) => start)).toEqual(['USDT', 'USDT']);
    const alone = { ...dollarsAreEqual, startAssets: ['USD' as Asset] };
    expect(basis.compile(instruments, alone).map(({ start }) => start)).toEqual(['USDT', 'USDT']);
  });

  it('leaves out quantos, other coins, what is halted, and what ends too soon', () => {
    const soon = compileOptions.nowMs + compileOptions.minTenorMs;
    const others = [
      listing('b:BTC/USDT:ETH'),
      listing('b:ETH/USDT:USDT'),
      listing('c:BTC/USDT:USDT', { status: 'halted' }),
      listing('d:BTC/USDT:USDT-261225', { expiryMs: soon }),
      listing('b:BTC/USDT:USDT-261225', { kind: 'option' }),
    ];
    expect(ids([listing('a:BTC/USDT'), ...others])).toEqual([]);
    expect(ids([listing('a:BTC/USDT'), listing('d:BTC/USDT:USDT-261225', { expiryMs: soon + 1 })])).toHaveLength(2);
  });

  it('stops at the bound', () => {
    const venues = ['a', 'b', 'c', 'd'];
    const instruments = venues.flatMap((venue) => [listing(`${venue}:BTC/USDT`), listing(`${venue}:BTC/USDT:USDT`)]);
    const all = ids(instruments);
    expect(all).toHaveLength(32);
    expect(ids(instruments, { ...compileOptions, maxRoutes: 7 })).toEqual(all.slice(0, 7));
    expect(ids(instruments, { ...compileOptions, maxRoutes: 0 })).toEqual([]);
  });

  it('looks at pairs of one coin only: 2,000 instruments of 200 coins', () => {
    const venues = ['a', 'b', 'c', 'd', 'e'];
    const coins = Array.from({ length: 200 }, (_, at) => `C${at}`);
    const instruments = coins.flatMap((base) =>
      venues.flatMap((venue) => [listing(`${venue}:${base}/USDT`), listing(`${venue}:${base}/USDT:USDT`)]),
    );
    expect(instruments).toHaveLength(2_000);
    expect(ids(instruments)).toHaveLength(200 * 5 * 5 * 2);
  });
});
