import { describe, expect, it } from 'vitest';
import type { Asset } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { parity } from '#hotpath/detect/routes/parity.ts';
import { boardOf, compileOptions as options, expiryMsOf, listing } from '#test/support/options.ts';

const endsMs = expiryMsOf('261225');
const compile = (instruments: readonly Instrument[], other: Partial<typeof options> = {}) =>
  parity
    .compile(instruments, { ...options, ...other })
    .map((route) => ({ ...route, ...('terms' in route ? route.terms : {}) }));
const ids = (instruments: readonly Instrument[], other: Partial<typeof options> = {}): string[] =>
  parity.compile(instruments, { ...options, ...other }).map(({ id }) => id);

const [call, put] = boardOf('a:BTC/USDC:USDC-261225', [60_000]) as [Instrument, Instrument];
const [coinCall, coinPut] = boardOf('a:BTC/USD:BTC-261225', [60_000]) as [Instrument, Instrument];

describe('parity', () => {
  it('converts and reverses in dollars against one coin', () => {
    const routes = parity.compile([listing('a:BTC/USDC'), call, put], options);
    expect(routes.map(({ id }) => id)).toEqual([
      'parity:a:BTC/USDC+a:BTC/USDC:USDC-261225-60000-P>a:BTC/USDC:USDC-261225-60000-C',
      'parity:a:BTC/USDC:USDC-261225-60000-C>a:BTC/USDC+a:BTC/USDC:USDC-261225-60000-P',
    ]);
    expect(routes[0]).toEqual({
      id: expect.any(String) as string,
      family: 'parity',
      evaluator: 'sum',
      start: 'USDC',
      legs: [
        { instrument: 0, side: 'buy', ratio: 1 },
        { instrument: 1, side: 'sell', ratio: 1 },
        { instrument: 2, side: 'buy', ratio: 1 },
      ],
      terms: {
        certainty: 'locked',
        notional: { leg: 0 },
        payoffs: [{ atMs: endsMs, amount: 60_000 }],
        closings: [{ instrument: 0, ratio: 1 }],
        deliveries: [{ instrument: 1, ratio: 1 }],
        endsMs,
      },
    });
    expect(routes[1]).toMatchObject({
      legs: [{ side: 'sell' }, { side: 'buy' }, { side: 'sell' }],
      terms: { payoffs: [{ atMs: endsMs, amount: -60_000 }] },
    });
  });

  it('converts in coin against as many dollars of the coin as the strike says, counted in quote', () => {
    const [route] = parity.compile([coinCall, coinPut, listing('a:BTC/USD:BTC-261225')], options);
    expect(route).toMatchObject({
      start: 'BTC',
      legs: [
        { instrument: 2, side: 'buy', ratio: 60_000, unit: 'quote' },
        { instrument: 0, side: 'sell', ratio: 1 },
        { instrument: 1, side: 'buy', ratio: 1 },
      ],
      terms: {
        certainty: 'locked',
        notional: { amount: 1 },
        payoffs: [{ atMs: endsMs, amount: -1 }],
        closings: [],
        deliveries: [
          { instrument: 2, ratio: 60_000, unit: 'quote' },
          { instrument: 0, ratio: 1 },
        ],
      },
    });
  });

  it('takes futures of the expiry first, then perpetuals, then spot, those of the venue before others, all strikes each', () => {
    const coins = ['b:BTC/USDC', 'a:BTC/USDC', 'b:BTC/USDC:USDC', 'a:BTC/USDC:USDC', 'b:BTC/USDC:USDC-261225'];
    const instruments = [
      ...coins.map((id) => listing(id)),
      listing('a:BTC/USDC:USDC-261225'),
      ...boardOf('a:BTC/USDC:USDC-261225', [60_000, 50_000]),
    ];
    const met = compile(instruments).map(({ legs }) => [legs[0]!.instrument, legs[0]!.side, legs[1]!.instrument]);
    expect(met.filter(([, side]) => side === 'buy').map(([coin, , option]) => [coin, option])).toEqual(
      [5, 4, 3, 2, 1, 0].flatMap((coin) => [8, 6].map((option) => [coin, option])),
    );
    expect(ids(instruments, { maxRoutes: 5 })).toEqual(ids(instruments).slice(0, 5));
  });

  it('is locked by spot and by the future of the same index alone', () => {
    const coins = ['a:BTC/USDC', 'b:BTC/USDC', 'a:BTC/USDC:USDC', 'a:BTC/USDC:USDC-261225', 'b:BTC/USDC:USDC-261225'];
    const certainties = compile([...coins.map((id) => listing(id)), call, put]).map(({ legs, certainty }) => [
      coins[legs[0]!.instrument],
      certainty,
    ]);
    expect(Object.fromEntries(certainties)).toEqual({
      'a:BTC/USDC': 'locked',
      'b:BTC/USDC': 'locked',
      'a:BTC/USDC:USDC': 'converging',
      'a:BTC/USDC:USDC-261225': 'locked',
      'b:BTC/USDC:USDC-261225': 'converging',
    });
  });

  it('never meets another quote, expiry, settlement or coin, nor half a strike', () => {
    const others = ['a:BTC/USDT', 'a:BTC/USDT:USDT', 'a:ETH/USDC', 'a:BTC/USDC:USDC-270326', 'a:BTC/USDC:BTC'];
    expect(ids([...others.map((id) => listing(id)), call, put])).toEqual([]);
    expect(ids([listing('a:BTC/USDC'), listing('a:BTC/USDT'), listing('a:BTC/USD:USD'), coinCall, coinPut])).toEqual(
      [],
    );
    expect(ids([listing('a:BTC/USDC'), call])).toEqual([]);
  });

  it('meets a quote that stands for another by explicit decision, and then is not on its index', () => {
    const equalAssets = new Map([['USDC', 'USDT']] as [Asset, Asset][]);
    const future = listing('a:BTC/USDT:USDT-261225');
    const routes = compile([future, listing('b:BTC/USDT'), call, put], { equalAssets });
    expect(routes.map(({ start, certainty }) => [start, certainty])).toEqual([
      ['USDT', 'converging'],
      ['USDT', 'converging'],
      ['USDT', 'locked'],
      ['USDT', 'locked'],
    ]);
  });
});
