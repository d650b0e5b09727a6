import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Asset } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { SumRoute } from '#shared/domain/route.ts';
import { families } from '#hotpath/detect/routes/index.ts';
import { randomFrom } from '#shared/random.ts';
import { boardOf, compileOptions, listing, optionMarkets } from '#test/support/options.ts';
import { deliveredAtMost, payoffFaults } from '#test/support/payoffs.ts';

const equalAssets = fc.constantFrom(new Map(), new Map([['USD', 'USDT']])) as fc.Arbitrary<Map<Asset, Asset>>;

/** Random entries: premiums of a few percent, coins around what they cost. */
function entriesOf(instruments: readonly Instrument[], seed: number): (instrument: number) => number {
  const random = randomFrom(seed);
  const entries = instruments.map(({ kind, base, quote }) => {
    const price = 50_000 * (0.9 + 0.2 * random.next());
    return kind === 'option' ? 0.1 * random.next() * (base === quote ? 1 : price) : price;
  });
  return (instrument) => entries[instrument]!;
}

const sumsOf = (instruments: readonly Instrument[], options = compileOptions): readonly SumRoute[] =>
  families.flatMap((family) =>
    family.compile(instruments, options).flatMap((route) => (route.evaluator === 'sum' ? [route] : [])),
  );

const strikes = [40_000, 50_000, 61_000];
const universe = [
  ...['BTC/USD:BTC', 'BTC/USDT:USDT'].flatMap((pair) =>
    ['a', 'b'].flatMap((venue) => [
      ...boardOf(`${venue}:${pair}-261225`, strikes),
      ...boardOf(`${venue}:${pair}-270326`, strikes),
      listing(`${venue}:${pair}-261225`),
      listing(`${venue}:${pair}`),
    ]),
  ),
  listing('a:BTC/USD'),
  listing('a:BTC/USDT'),
];
/** Every family that opens all its legs at once has some of these. */
const routes = sumsOf(universe);
const entries = entriesOf(universe, 7);
const kindOf = ({ family, start }: SumRoute): string => `${family} ${start === 'BTC' ? 'in coin' : 'in dollars'}`;

describe('payoffs', () => {
  it('do not move with the price where they are locked or converge, and keep their bound at every price', () => {
    const met = new Map<string, number>();
    fc.assert(
      fc.property(optionMarkets, equalAssets, fc.nat(), (instruments, equal, seed) => {
        for (const route of sumsOf(instruments, { ...compileOptions, equalAssets: equal })) {
          met.set(kindOf(route), (met.get(kindOf(route)) ?? 0) + 1);
          expect(payoffFaults(route, instruments, entriesOf(instruments, seed))).toEqual([]);
        }
      }),
      { numRuns: 80 },
    );
    expect([...met.keys()].sort()).toEqual([...new Set(routes.map(kindOf))].sort());
    expect(Math.min(...met.values())).toBeGreaterThan(20);
  });

  it('end every leg once: by a settlement of the venue, or by a trade', () => {
    fc.assert(
      fc.property(optionMarkets, equalAssets, (instruments, equal) => {
        for (const route of sumsOf(instruments, { ...compileOptions, equalAssets: equal })) {
          const { terms, legs } = route;
          const settles = (instrument: number): boolean =>
            (instruments[instrument]!.expiryMs ?? Infinity) <= (terms.endsMs ?? 0);
          const traded = legs.filter(({ instrument }) => !settles(instrument));
          const bridged = (terms.bridges ?? []).flatMap((bridge) => [bridge, bridge]);
          const endOf = ({ instrument, ratio, unit }: (typeof legs)[number]) => ({ instrument, ratio, unit });
          expect(terms.closings.map((end) => ({ unit: undefined, ...end }))).toEqual(
            [...traded, ...bridged].map(endOf),
          );
          expect(terms.deliveries.every(({ instrument }) => settles(instrument))).toBe(true);
          const delivered = terms.deliveries.reduce((sum, { ratio }) => sum + ratio, 0);
          expect(delivered).toBeCloseTo(deliveredAtMost(route, instruments), 9);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('the proof', () => {
  const faults = (route: SumRoute): number => payoffFaults(route, universe, entries).length;

  it.each([...new Set(routes.map(({ family }) => family))])(
    'sees a wrong ratio in %s, on any leg that can lose by it',
    (id) => {
      const own = routes.filter(({ family }) => family === id);
      for (const route of own) {
        expect(faults(route)).toBe(0);
        for (const [at, leg] of route.legs.entries()) {
          const isBound = route.terms.certainty === 'bound';
          // To hold more of what is bought only adds to a bound, which the sold leg reaches only when it grows beyond all strikes.
          if (isBound && leg.side === 'buy') continue;
          const legs = route.legs.with(at, { ...leg, ratio: leg.ratio * (isBound ? 3 : 1.001) });
          expect(faults({ ...route, legs }), `${route.id}, leg ${at}`).toBeGreaterThan(0);
        }
      }
    },
  );

  it('sees a payoff that is promised a millionth too high', () => {
    for (const route of routes.filter(({ terms }) => terms.payoffs.length > 0)) {
      const { terms } = route;
      const [first, ...rest] = terms.payoffs;
      const more = {
        ...terms,
        payoffs: [{ ...first!, amount: first!.amount + 1e-6 * Math.abs(first!.amount) }, ...rest],
      };
      expect(faults({ ...route, terms: more }), route.id).toBeGreaterThan(0);
    }
  });

  it('sees a bridge that is missing, and an option of the wrong right', () => {
    for (const route of routes.filter(({ family }) => family === 'jelly-roll')) {
      expect(faults({ ...route, terms: { ...route.terms, bridges: [] } })).toBeGreaterThan(0);
    }
    const turned = universe.map((each): Instrument => (each.right === undefined ? each : { ...each, right: 'call' }));
    const [parity] = routes.filter(({ family }) => family === 'parity');
    expect(payoffFaults(parity!, turned, entries).length).toBeGreaterThan(0);
  });
});
