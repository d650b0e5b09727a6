import { describe, expect, it } from 'vitest';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { SumRoute } from '#shared/domain/route.ts';
import { surface } from '#hotpath/detect/routes/surface.ts';
import { boardOf, compileOptions as options, expiryMsOf } from '#test/support/options.ts';
import { payoffFaults } from '#test/support/payoffs.ts';

const endsMs = expiryMsOf('261225');
const compile = (instruments: readonly Instrument[]): readonly SumRoute[] =>
  surface.compile(instruments, options) as readonly SumRoute[];
const only = (right: 'call' | 'put', instruments: readonly Instrument[]): Instrument[] =>
  instruments.filter((each) => each.right === right);
/** `+0.5 60000` by leg. */
const legsOf = ({ legs }: SumRoute, instruments: readonly Instrument[]): string[] =>
  legs.map(
    ({ instrument, side, ratio }) =>
      `${side === 'buy' ? '+' : '-'}${ratio} ${instruments[instrument]!.strike!.toFixed()}`,
  );

describe('surface', () => {
  it.each([
    ['call', 'BTC/USDT:USDT', ['+1 60000', '-1 80000'], ['-1 60000', '+1 80000'], 20_000, 60_000],
    ['put', 'BTC/USDT:USDT', ['+1 80000', '-1 60000'], ['-1 80000', '+1 60000'], 20_000, 60_000],
    ['call', 'BTC/USD:BTC', ['+1 60000', '-1 80000'], ['-1 60000', '+0.75 80000'], 0.25, 1],
    ['put', 'BTC/USD:BTC', ['+1 80000', '-1 60000'], ['-0.75 80000', '+1 60000'], 0.25, 1],
  ] as const)('bounds a vertical of %ss on %s from both sides', (right, pair, long, short, most, notional) => {
    const instruments = only(right, boardOf(`a:${pair}-261225`, [60_000, 80_000]));
    const routes = compile(instruments);
    expect(routes.map((route) => legsOf(route, instruments))).toEqual([long, short]);
    expect(routes.map(({ terms }) => terms)).toMatchObject([
      { certainty: 'bound', notional: { amount: notional }, payoffs: [], closings: [], endsMs },
      { certainty: 'bound', notional: { amount: notional }, payoffs: [{ atMs: endsMs, amount: -most }], closings: [] },
    ]);
    expect(routes[1]!.terms.deliveries.map(({ ratio }) => ratio)).toEqual(routes[1]!.legs.map(({ ratio }) => ratio));
  });

  it('weighs the wings of a butterfly by their distances', () => {
    const instruments = only('put', boardOf('a:BTC/USD:BTC-261225', [60_000, 70_000, 100_000]));
    const [butterfly] = compile(instruments).filter(({ legs }) => legs.length === 3);
    expect(legsOf(butterfly!, instruments)).toEqual(['-1 70000', '+0.75 60000', '+0.25 100000']);
    expect(butterfly).toMatchObject({
      id: 'surface:a:BTC/USD:BTC-261225-60000-P+a:BTC/USD:BTC-261225-100000-P>a:BTC/USD:BTC-261225-70000-P',
      start: 'BTC',
      terms: { certainty: 'bound', notional: { amount: 1 }, payoffs: [] },
    });
  });

  it('buys the later call against the earlier one, ends with that, and leaves puts alone', () => {
    const instruments = ['261225', '270326'].flatMap((day) => boardOf(`a:BTC/USDT:USDT-${day}`, [60_000]));
    expect(compile(instruments)).toMatchObject([
      {
        id: 'surface:a:BTC/USDT:USDT-270326-60000-C>a:BTC/USDT:USDT-261225-60000-C',
        legs: [
          { instrument: 2, side: 'buy', ratio: 1 },
          { instrument: 0, side: 'sell', ratio: 1 },
        ],
        terms: {
          certainty: 'bound',
          notional: { amount: 60_000 },
          payoffs: [],
          closings: [{ instrument: 2, ratio: 1 }],
          deliveries: [{ instrument: 0, ratio: 1 }],
          endsMs,
        },
      },
    ]);
  });

  it('promises no more than a bound: what it pays does move', () => {
    const instruments = boardOf('a:BTC/USD:BTC-261225', [60_000, 70_000, 100_000]);
    for (const route of compile(instruments)) {
      const locked: SumRoute = { ...route, terms: { ...route.terms, certainty: 'locked' } };
      expect(payoffFaults(route, instruments, () => 0.05)).toEqual([]);
      expect(payoffFaults(locked, instruments, () => 0.05).length, route.id).toBeGreaterThan(0);
    }
  });

  it('promises the least that it may pay, and not a millionth more', () => {
    const instruments = boardOf('a:BTC/USD:BTC-261225', [60_000, 70_000]);
    for (const route of compile(instruments).filter(({ terms }) => terms.payoffs.length > 0)) {
      const [payoff] = route.terms.payoffs;
      const better = { ...route.terms, payoffs: [{ atMs: endsMs, amount: payoff!.amount + 1e-6 }] };
      expect(payoffFaults({ ...route, terms: better }, instruments, () => 0.05).length).toBeGreaterThan(0);
    }
  });

  it('begins with neighbours and goes no further than eight, butterflies no further than one', () => {
    const strikes = Array.from({ length: 12 }, (_, at) => 10_000 * (at + 1));
    const routes = compile(only('call', boardOf('a:BTC/USDT:USDT-261225', strikes)));
    const butterflies = routes.filter(({ legs }) => legs.length === 3);
    const verticals = routes.filter(({ legs }) => legs.length === 2);
    expect(butterflies).toHaveLength(10);
    expect(verticals).toHaveLength(2 * (11 + 10 + 9 + 8 + 7 + 6 + 5 + 4));
    const distances = verticals.map(({ legs }) => Math.abs(legs[0]!.instrument - legs[1]!.instrument));
    expect(distances).toEqual([...distances].sort((x, y) => x - y));
    expect(routes.slice(22, 32)).toEqual(butterflies);
  });

  it('never meets another board', () => {
    const instruments = [
      ...boardOf('a:BTC/USDT:USDT-261225', [10_000]),
      ...boardOf('b:BTC/USDT:USDT-270326', [10_000]),
      ...boardOf('b:BTC/USDT:USDT-261225', [20_000]),
      ...boardOf('a:BTC/USDC:USDC-261225', [40_000]),
      ...boardOf('a:BTC/USD:BTC-261225', [50_000]),
    ];
    expect(compile(instruments)).toEqual([]);
  });
});
