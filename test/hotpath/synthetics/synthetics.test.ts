import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReferenceStore } from '#hotpath/book/reference-store.ts';
import type { Synthetic } from '#hotpath/synthetics/synthetic.ts';
import { syntheticsFrom } from '#hotpath/synthetics/synthetic.ts';
import { syntheticRoutes } from '#hotpath/synthetics/synthetic-routes.ts';
import { viewOf } from '#hotpath/synthetics/synthetic-view.ts';
import { BadInput } from '#shared/assert.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Asset, InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Config } from '#shared/schema/config.ts';
import { compileOptions, dollarsAreEqual, expiryMsOf, listing } from '#test/support/options.ts';
import type { Levels } from '#test/support/market.ts';
import { Books } from '#test/support/market.ts';

const DAY = '261225';
const COMBO = 'a:FS-270326_261225/USDT';
const instruments = [
  listing('a:BTC/USDT'),
  listing('b:BTC/USDT:USDT'),
  listing('a:BTC/USDT:USDT-261225'),
  listing('a:BTC/USD:BTC-261225', { contractSize: new Decimal(100) }),
  listing('a:BTC/USDT:USDT-261225-60000-C'),
  listing('a:BTC/USDT:USDT-261225-60000-P'),
  listing('a:ETH/USDT'),
  listing('a:BTC/USD:BTC-261225-50000-C'),
  listing('a:BTC/USD:BTC-261225-50000-P'),
  listing('a:BTC/USD:BTC-261225-70000-C'),
  listing('a:BTC/USD:BTC-261225-70000-P'),
  listing(COMBO, { kind: 'combo' }),
  listing('a:BTC-FS-270326_261225/USD', { kind: 'combo', inverse: true }),
];
const at = (id: string): InstrumentIndex =>
  instruments.findIndex((instrument) => instrument.id === id) as InstrumentIndex;
const CALL = 'a:BTC/USDT:USDT-261225-60000-C';
const PUT = 'a:BTC/USDT:USDT-261225-60000-P';
const FUTURE = 'a:BTC/USDT:USDT-261225';

type Legs = Readonly<Record<string, string>>;
const definition = (legs: Legs, more: Partial<Config['synthetics'][string]> = {}): Config['synthetics'][string] => ({
  legs: Object.entries(legs).map(([instrument, ratio]) => ({ instrument, ratio })),
  ...more,
});
const resolved = (definitions: Config['synthetics'], options = compileOptions): readonly Synthetic[] =>
  syntheticsFrom(definitions, instruments, options);
const routesOf = (definitions: Config['synthetics'], options = compileOptions) =>
  syntheticRoutes(resolved(definitions, options), options);

describe('definitions', () => {
  it('are refused with the nearest names where an instrument is not followed', () => {
    const wrong = { roll: definition({ 'a:BTC/USDT:USDT-261226': '1' }) };
    expect(() => resolved(wrong)).toThrow(BadInput);
    expect(() => resolved(wrong)).toThrow(
      'synthetics.roll: "a:BTC/USDT:USDT-261226" is not followed (nearest: a:BTC/USDT:USDT-261225, ',
    );
    const against = { roll: definition({ [FUTURE]: '1' }, { against: 'rol' }) };
    expect(() => resolved(against)).toThrow('synthetics.roll: "rol" is not followed (nearest: roll, ');
  });

  it('are refused in mixed quotes, unless these are equal by decision', () => {
    const mixed = { roll: definition({ 'a:BTC/USDT': '1', 'a:BTC/USD:BTC-261225': '-1' }) };
    expect(() => resolved(mixed)).toThrow(
      'synthetics.roll: its legs are priced in several assets: a:BTC/USDT in USDT, a:BTC/USD:BTC-261225 in USD',
    );
    expect(resolved(mixed, dollarsAreEqual)[0]!.quote).toBe('USDT');
    const coinAndDollar = { odd: definition({ 'a:BTC/USDT': '1', 'a:BTC/USD:BTC-261225-50000-C': '-1' }) };
    expect(() => resolved(coinAndDollar, dollarsAreEqual)).toThrow('priced in several assets');
    expect(() => resolved({ odd: definition({ 'a:BTC/USDT': '1' }, { quote: 'USDC' }) })).toThrow(
      'synthetics.odd: its legs are priced in USDT, not in USDC',
    );
  });

  it('are refused on combos that have no coins at a price', () => {
    const dollars = { odd: definition({ 'a:BTC-FS-270326_261225/USD': '1' }) };
    expect(() => resolved(dollars)).toThrow('is counted in dollars and has no coins at a price');
  });

  it('are read from TOML, and one is there as an example that is off', () => {
    expect(loadConfig({ dir: 'config', env: {} }).synthetics).toEqual({});
    const example = loadConfig({ dir: 'config', env: {}, file: 'config/examples/synthetics.toml' });
    expect(Object.keys(example.synthetics).length).toBeGreaterThan(0);
    const bad = (legs: unknown): unknown =>
      loadConfig({ dir: 'config', env: {}, overrides: { synthetics: { bad: { legs } } } });
    expect(() => bad([{ instrument: 'a:BTC/USDT', ratio: '0' }])).toThrow('synthetics.bad.legs.0.ratio: not zero');
    expect(() => bad([])).toThrow('synthetics.bad.legs');
  });
});

describe('the price of a synthetic', () => {
  const books = new Books(instruments.length);
  const references = new ReferenceStore(instruments);
  const market = { tops: books.tops, depths: books.depths, references };
  const view = (legs: Legs, options = compileOptions): ReturnType<typeof viewOf> =>
    viewOf(resolved({ it: definition(legs) }, options)[0]!, market, 0 as TimeNs);

  it('is what its legs cost together, level by level', () => {
    const level = (price: number, qty: number): readonly [number, number] => [price, qty];
    books.set(at(FUTURE), { bids: [level(101, 1), level(100, 5)], asks: [level(103, 2), level(104, 9)] });
    books.set(at('b:BTC/USDT:USDT'), { bids: [level(99, 1), level(98, 1)], asks: [level(100, 4), level(101, 4)] });
    const { bids, asks, status } = view({ [FUTURE]: '1', 'b:BTC/USDT:USDT': '-2' });
    expect(status).toBe('live');
    // Bought: one future at its ask, two perpetuals sold at their bid.
    expect(asks).toEqual([
      [103 - 2 * 99, 0.5],
      [103 - 2 * 98, 0.5],
    ]);
    expect(bids).toEqual([
      [101 - 2 * 100, 1],
      [100 - 2 * 100, 1],
      [100 - 2 * 101, 2],
    ]);
  });

  it('has no digits that only summing made', () => {
    books.set(at(FUTURE), { bids: [[92_396.4, 1]], asks: [[92_396.4, 1]] });
    books.set(at('b:BTC/USDT:USDT'), { bids: [[92_389.39, 1]], asks: [[92_389.39, 1]] });
    expect(92_396.4 - 92_389.39).not.toBe(7.01);
    expect(view({ [FUTURE]: '1', 'b:BTC/USDT:USDT': '-1' }).asks).toEqual([[7.01, 1]]);
  });

  it('counts contracts of 100 dollars in coins', () => {
    books.set(at('a:BTC/USD:BTC-261225'), { bids: [[50_000, 1_000]], asks: [[50_000, 500]] });
    const { bids, asks } = view({ 'a:BTC/USD:BTC-261225': '0.5' });
    expect(bids).toEqual([[25_000, 4]]);
    expect(asks).toEqual([[25_000, 2]]);
  });

  it('is fair at the marks, and at the middle of the book where there is none', () => {
    books.flat(at('a:BTC/USDT'), 100, 102);
    books.flat(at(CALL), 7, 9);
    expect(view({ 'a:BTC/USDT': '1', [CALL]: '-1' }).fairValue).toBe(101 - 8);
    references.markPrice[at(CALL)] = 7.5;
    expect(view({ 'a:BTC/USDT': '1', [CALL]: '-1' }).fairValue).toBe(101 - 7.5);
    expect(view({ 'a:BTC/USDT': '1', [PUT]: '1' }).fairValue).toBeNaN();
  });

  it('has the Greeks of its legs, a coin in any other form a delta of 1', () => {
    references.delta[at(CALL)] = 0.6;
    references.vega[at(CALL)] = 12;
    const { greeks } = view({ [FUTURE]: '1', [CALL]: '-2' });
    expect(greeks.delta).toBeCloseTo(-0.2, 12);
    expect(greeks.vega).toBe(-24);
    expect(greeks.gamma).toBeNaN();
    expect(view({ 'a:BTC/USDT': '1', 'a:ETH/USDT': '-20' }).greeks.delta).toBeNaN();
  });

  it('is as alive and as young as its worst leg', () => {
    books.set(at('a:ETH/USDT'), { bids: [[2, 1]], asks: [[3, 1]], status: 'stale', ageMs: 7_000 });
    books.set(at('a:BTC/USDT'), { bids: [[100, 1]], asks: [[102, 1]], ageMs: 20 });
    expect(view({ 'a:BTC/USDT': '1', 'a:ETH/USDT': '-20' })).toMatchObject({ status: 'stale', ageMs: 7_000 });
    const empty = view({ 'a:BTC/USDT': '1', [PUT]: '1' });
    expect(empty).toMatchObject({ status: 'syncing', bids: [], asks: [] });
  });

  it('never offers more, nor better, than its legs do: against a walk unit by unit', () => {
    const side = (sign: number) =>
      fc
        .array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 })), { minLength: 1, maxLength: 5 })
        .map((steps): Levels => {
          let price = 100;
          return steps.map(([step, qty]) => [(price += sign * step), qty] as const);
        });
    const ratio = fc.constantFrom(-2, -1, 1, 2);
    fc.assert(
      fc.property(side(-1), side(1), side(-1), side(1), ratio, ratio, (bids, asks, bids2, asks2, one, other) => {
        books.set(at(FUTURE), { bids, asks });
        books.set(at('b:BTC/USDT:USDT'), { bids: bids2, asks: asks2 });
        const found = view({ [FUTURE]: String(one), 'b:BTC/USDT:USDT': String(other) });
        const costs = (sign: number): number[] => {
          const unrolled = [
            unroll(one * sign > 0 ? asks : bids, Math.abs(one)),
            unroll(other * sign > 0 ? asks2 : bids2, Math.abs(other)),
          ] as const;
          const units = Math.min(...unrolled.map(({ length }) => length));
          return Array.from({ length: units }, (_, unit) => one * unrolled[0][unit]! + other * unrolled[1][unit]!);
        };
        expect(halves(found.asks)).toEqual(costs(1));
        expect(halves(found.bids)).toEqual(costs(-1));
      }),
      { numRuns: 300 },
    );
  });
});

/** The price of each half unit, best first. */
const unroll = (levels: Levels, ratio: number): number[] =>
  levels.flatMap(([price, qty]) => Array<number>((2 * qty) / ratio).fill(price));
const halves = (levels: readonly (readonly [number, number])[]): number[] =>
  levels.flatMap(([price, units]) => Array<number>(2 * units).fill(price));

describe('routes against what is replicated', () => {
  it('open the legs of both, with the sure difference as payoff', () => {
    const [enter, exit, ...rest] = routesOf({ forward: definition({ [CALL]: '1', [PUT]: '-1' }, { against: FUTURE }) });
    expect(rest).toEqual([]);
    expect(enter).toEqual({
      id: `synthetic:forward>${FUTURE}`,
      family: 'synthetic',
      evaluator: 'sum',
      legs: [
        { instrument: at(CALL), side: 'buy', ratio: 1 },
        { instrument: at(PUT), side: 'sell', ratio: 1 },
        { instrument: at(FUTURE), side: 'sell', ratio: 1 },
      ],
      start: 'USDT',
      terms: {
        certainty: 'locked',
        notional: { leg: 2 },
        payoffs: [{ atMs: expiryMsOf(DAY), amount: -60_000 }],
        closings: [],
        deliveries: [
          { instrument: at(CALL), ratio: 1 },
          { instrument: at(FUTURE), ratio: 1 },
        ],
        endsMs: expiryMsOf(DAY),
      },
    });
    expect(exit).toMatchObject({
      id: `synthetic:${FUTURE}>forward`,
      legs: [{ side: 'sell' }, { side: 'buy' }, { side: 'buy' }],
      terms: { payoffs: [{ amount: 60_000 }] },
    });
  });

  it('flatten another synthetic, and drop what both hold', () => {
    const routes = routesOf({
      one: definition({ 'a:BTC/USDT': '1', [CALL]: '-1', [PUT]: '1' }),
      other: definition({ [FUTURE]: '1', [CALL]: '-1', [PUT]: '1' }, { against: 'one' }),
    });
    expect(routes.map(({ id }) => id)).toEqual(['synthetic:other>one', 'synthetic:one>other']);
    expect(routes[0]!.legs).toEqual([
      { instrument: at(FUTURE), side: 'buy', ratio: 1 },
      { instrument: at('a:BTC/USDT'), side: 'sell', ratio: 1 },
    ]);
    expect(routes[0]!.terms).toMatchObject({ certainty: 'locked', payoffs: [] });
  });

  it('are worth in coin what the settlement does not move: a box of coin-settled options', () => {
    const [low, high] = ['a:BTC/USD:BTC-261225-50000', 'a:BTC/USD:BTC-261225-70000'];
    const share = '0.714285714285714285';
    const box = { [`${low}-C`]: '1', [`${low}-P`]: '-1', [`${high}-C`]: `-${share}` };
    const [route] = routesOf({
      box: definition(box, { against: 'puts' }),
      puts: definition({ [`${high}-P`]: `-${share}` }),
    });
    expect(route).toMatchObject({ start: 'BTC', terms: { certainty: 'locked', notional: { amount: 1 } } });
    expect(route!.terms.payoffs[0]!.amount).toBeCloseTo(1 - 5 / 7, 12);
    // So few digits leave a few millionths of a coin that move: too much beside what options in coin are worth.
    const coarse = { ...box, [`${high}-C`]: '-0.71428' };
    const puts = definition({ [`${high}-P`]: '-0.71428' });
    expect(() => routesOf({ box: definition(coarse, { against: 'puts' }), puts })).toThrow('do not come to the same');
  });

  it('are refused where they do not come to the same at every price', () => {
    const refused = (legs: Legs, against: string): (() => unknown) => {
      return () => routesOf({ it: definition(legs, { against }) });
    };
    expect(refused({ [CALL]: '1' }, FUTURE)).toThrow('synthetics.it: against a:BTC/USDT:USDT-261225: they do not come');
    expect(refused({ [CALL]: '1', [PUT]: '-1.01' }, FUTURE)).toThrow('do not come to the same at every price');
    expect(refused({ 'a:ETH/USDT': '20' }, 'a:BTC/USDT')).toThrow('do not come to the same at every price');
    expect(refused({ [FUTURE]: '1' }, FUTURE)).toThrow('2 to 6 different legs make a route');
    expect(refused({ 'a:BTC/USDT': '1', [COMBO]: '1' }, 'a:BTC/USDT')).toThrow('2 to 6 different legs');
    expect(refused({ 'a:BTC/USDT': '1', [COMBO]: '1' }, FUTURE)).toThrow('is a combo, whose price says neither');
    const elsewhere = { ...compileOptions, startAssets: ['BTC' as Asset] };
    expect(() => routesOf({ it: definition({ 'a:BTC/USDT': '1' }, { against: FUTURE }) }, elsewhere)).toThrow(
      'USDT is no start asset',
    );
  });

  it('promise nothing against a perpetual, nor over several indices', () => {
    const [perpetual] = routesOf({ it: definition({ 'a:BTC/USDT': '1' }, { against: 'b:BTC/USDT:USDT' }) });
    expect(perpetual!.terms).toMatchObject({ certainty: 'converging', deliveries: [], closings: [{}, {}] });
    const inverse = { it: definition({ [FUTURE]: '1' }, { against: 'a:BTC/USD:BTC-261225' }) };
    expect(routesOf(inverse, dollarsAreEqual)[0]!.terms).toMatchObject({ certainty: 'converging' });
  });

  it('are none without something to set it against', () => {
    expect(routesOf({ it: definition({ [CALL]: '1' }) })).toEqual([]);
  });
});
