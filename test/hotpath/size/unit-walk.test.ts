import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { SumRoute } from '#shared/domain/route.ts';
import { amountOf } from '#shared/money/grid.ts';
import { legFeeOf } from '#shared/quant/leg-value.ts';
import { unitLegsOf } from '#hotpath/size/unit-leg.ts';
import type { UnitLimits } from '#hotpath/size/unit-walk.ts';
import { UnitWalk } from '#hotpath/size/unit-walk.ts';
import type { PaperBook } from '#test/support/market.ts';
import { Books } from '#test/support/market.ts';
import { listing } from '#test/support/options.ts';
import { silentReferences } from '#test/support/sizing.ts';
import { at, entryOf, legOutcome, scenes, sumsOf, sumStage } from './sum-scene.ts';

type Market = { readonly instruments: readonly Instrument[]; readonly books: readonly PaperBook[] };

function walked(route: SumRoute, { instruments, books: shown }: Market, limits: Partial<UnitLimits> = {}): UnitWalk {
  const books = new Books(instruments.length);
  for (const [index, book] of shown.entries()) books.set(index, book);
  const references = silentReferences(instruments.length);
  references.indexPrice.fill(60_000);
  const legs = unitLegsOf(route, { instruments, references }, ({ instrument }) => {
    const listed = instruments[instrument]!;
    return { fees: listed.fees, fee: legFeeOf(listed) };
  });
  const walk = new UnitWalk();
  walk.walk(legs, books.depths, {
    displayedFraction: 1,
    carry: 0,
    hurdle: 0,
    unitsMax: Infinity,
    marginFraction: 0.2,
    availableOf: () => Infinity,
    ...limits,
  });
  return walk;
}

/** A route with what a unit of it would have to bring in the future to pay right now by a little. */
const routesOf = ({ instruments, books }: Market): readonly SumRoute[] =>
  sumsOf(sumStage({ instruments, books }).routes).map(([, route]) => route);

/** What makes the first unit earn two percent of a coin. */
const carryFor = (route: SumRoute, market: Market): number =>
  0.02 * (route.start === 'BTC' ? 1 : 60_000) - entryOf(route, market, 1e-9)! / 1e-9;

const anyRoute = fc.record({ scene: scenes, pick: fc.nat(), fraction: fc.constantFrom(0.5, 1) });

describe('the walk over all books of a sum route', () => {
  it('finds what an exhaustive search finds, and trades what it says', () => {
    fc.assert(
      fc.property(anyRoute, ({ scene, pick, fraction }) => {
        const routes = routesOf(scene);
        const route = routes[pick % routes.length]!;
        const carry = carryFor(route, scene);
        const walk = walked(route, scene, { carry, displayedFraction: fraction });
        const thin = { ...scene, books: scene.books.map((book) => shrunk(book, fraction)) };
        let best = 0;
        for (let step = 1; step <= 60; step += 1) {
          const units = (walk.units * step) / 30;
          const entry = entryOf(route, thin, units);
          if (entry !== undefined) best = Math.max(best, entry + units * carry);
        }
        const profit = walk.cash + walk.units * carry;
        expect(walk.units).toBeGreaterThan(0);
        expect(profit).toBeGreaterThanOrEqual(best * (1 - 1e-9));
        const size = walk.units * (1 - 1e-9);
        expect(walk.cash).toBeCloseTo(entryOf(route, thin, size)!, 3);
        for (const [index, leg] of route.legs.entries()) {
          const { qty } = legOutcome(leg, thin, size * leg.ratio)!;
          expect(walk.qty[index]! / qty).toBeCloseTo(1, 7);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('never earns more at one size, nor at its best, when a fee rises, a level shrinks or a level goes', () => {
    fc.assert(
      fc.property(anyRoute, fc.nat(), fc.nat(), ({ scene, pick }, which, level) => {
        const routes = routesOf(scene);
        const route = routes[pick % routes.length]!;
        const carry = carryFor(route, scene);
        const { instrument } = route.legs[which % route.legs.length]!;
        const profitIn = (market: Market, limits: Partial<UnitLimits>): number => {
          const walk = walked(route, market, { carry, ...limits });
          return walk.cash + walk.units * carry;
        };
        const best = walked(route, scene, { carry }).units;
        // However little it earns: all of the size is taken.
        const fixed = { hurdle: -1e12, unitsMax: best * 0.4 };
        for (const worse of [
          dearer(scene, instrument),
          changedBook(scene, instrument, (shown) =>
            shown.map(([price, qty], index) => [price, index === level % shown.length ? qty / 2 : qty]),
          ),
          changedBook(scene, instrument, (shown) =>
            shown.filter((_gone, index) => shown.length === 1 || index !== level % shown.length),
          ),
        ]) {
          expect(profitIn(worse, {})).toBeLessThanOrEqual(profitIn(scene, {}) + 1e-9);
          const walk = walked(route, worse, { carry, ...fixed });
          if (walk.units < fixed.unitsMax * (1 - 1e-9)) continue;
          expect(profitIn(worse, fixed)).toBeLessThanOrEqual(profitIn(scene, fixed) + 1e-9);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('never takes more than the share of what is displayed', () => {
    fc.assert(
      fc.property(anyRoute, ({ scene, pick, fraction }) => {
        const routes = routesOf(scene);
        const route = routes[pick % routes.length]!;
        const walk = walked(route, scene, { carry: 1e9, displayedFraction: fraction });
        expect(walk.bound).toBe('depth');
        for (const [index, { instrument, side }] of route.legs.entries()) {
          const book = scene.books[instrument]!;
          const displayed = (side === 'buy' ? book.asks : book.bids).reduce((sum, [, qty]) => sum + qty, 0);
          expect(walk.qty[index]!).toBeLessThanOrEqual(displayed * fraction * (1 + 1e-12));
        }
      }),
      { numRuns: 100 },
    );
  });

  const perpetual = (id: string, other = {}): Instrument => listing(id, { contractSize: amountOf('0.01'), ...other });
  const pair = (instruments: readonly [Instrument, Instrument]): Market => ({
    instruments,
    books: [
      { asks: [[100, 500]], bids: [[99, 500]] },
      { asks: [[103, 500]], bids: [[102, 400]] },
    ],
  });
  const route = (legs: SumRoute['legs']): SumRoute => ({
    id: 'test' as never,
    family: 'test',
    evaluator: 'sum',
    start: 'USDT' as never,
    legs,
    terms: {
      certainty: 'converging',
      notional: { leg: 0 },
      payoffs: [],
      closings: [],
      deliveries: [],
      endsMs: undefined,
    },
  });
  const legs: SumRoute['legs'] = [
    { instrument: at(0), side: 'buy', ratio: 1 },
    { instrument: at(1), side: 'sell', ratio: 1 },
  ];

  it('stops at the end of a book, at the size limit, at a hurdle and at the margin of either account', () => {
    const market = pair([perpetual('a:BTC/USDT:USDT'), perpetual('b:BTC/USDT:USDT')]);
    const cases: [Partial<UnitLimits>, number, string][] = [
      [{}, 4, 'depth'],
      [{ displayedFraction: 0.5 }, 2, 'depth'],
      [{ unitsMax: 1.5 }, 1.5, 'notional'],
      [{ hurdle: 2.5 }, 0, 'edge'],
      // A fifth of 100 on one venue, of 102 on the other.
      [{ availableOf: (venue) => (venue === 'a' ? 30 : 1e9) }, 1.5, 'balance'],
      [{ availableOf: (venue) => (venue === 'b' ? 20.4 : 1e9) }, 1, 'balance'],
      [{ availableOf: () => 0 }, 0, 'balance'],
    ];
    for (const [limits, units, bound] of cases) {
      const walk = walked(route(legs), market, limits);
      expect(walk.units).toBeCloseTo(units, 12);
      expect(walk.bound).toBe(bound);
    }
  });

  it('lets legs of one account share its money', () => {
    const market = pair([perpetual('a:BTC/USDT:USDT'), perpetual('a:BTC/USDT:USDT-261127')]);
    const walk = walked(route(legs), market, { availableOf: () => 40.4 });
    expect(walk.units).toBeCloseTo(1, 12);
    expect(walk.bound).toBe('balance');
  });

  it('says no before it begins where nothing pays or a book is empty', () => {
    const market = pair([perpetual('a:BTC/USDT:USDT'), perpetual('b:BTC/USDT:USDT')]);
    expect(walked(route(legs), market, { carry: -2 }).units).toBe(0);
    const empty = { ...market, books: [{ asks: [], bids: [] }, market.books[1]!] };
    expect(walked(route(legs), empty, { carry: 1e6 }).units).toBe(0);
  });
});

const shrunk = (book: PaperBook, fraction: number): PaperBook => ({
  asks: book.asks.map(([price, qty]) => [price, qty * fraction]),
  bids: book.bids.map(([price, qty]) => [price, qty * fraction]),
});

const dearer = (scene: Market, index: number): Market => ({
  ...scene,
  instruments: scene.instruments.map((instrument, order) =>
    order === index
      ? { ...instrument, fees: { ...instrument.fees, taker: instrument.fees.taker.plus('0.0003') } }
      : instrument,
  ),
});

const changedBook = (
  scene: Market,
  index: number,
  change: (levels: PaperBook['asks']) => PaperBook['asks'],
): Market => ({
  ...scene,
  books: scene.books.map((book, order) =>
    order === index ? { ...book, asks: change(book.asks), bids: change(book.bids) } : book,
  ),
});
