import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Solver } from '#shared/portfolio/linear-program.ts';
import { midOf } from '#shared/portfolio/rebalancing-program.ts';
import type { Market, RebalancingProblem, TransferRoute } from '#shared/portfolio/rebalancing.ts';
import { planRebalancing } from '#shared/portfolio/rebalancing-plan.ts';
import {
  beyond,
  bruteForce,
  judged,
  MARK,
  markOf,
  movesOf,
  PLACES,
  RATES,
  type Chain,
  type Place,
  type Small,
} from './brute-force.ts';

/** Lots and the solver's tolerance, in the numeraire. */
const TOLERANCE = 0.02;

/** Random small cases against every try, and the plan against a second bookkeeping. */
export function neverWorseThanBruteForce(solver: Solver, numRuns: number): void {
  fc.assert(
    fc.property(smalls, (small) => {
      const plan = planRebalancing(problemFrom(small), solver);
      expect(plan.status).toBe('optimal');
      const outcome = judged(small, movesOf(plan.steps));
      expect(outcome, 'a plan that can be done').toBeDefined();
      const { cost, left } = outcome!;
      expect(Math.abs(cost - Number(plan.cost))).toBeLessThan(0.01);
      const remaining = plan.remaining.reduce(
        (sum, { amount, venue, asset }) => sum + Math.abs(Number(amount)) * markOf(`${venue}:${asset}` as Place),
        0,
      );
      expect(Math.abs(left - small.worth * remaining)).toBeLessThan(small.worth * 4 + TOLERANCE);
      expect(cost + left).toBeLessThanOrEqual(bruteForce(small) + TOLERANCE);
      const doNothing =
        small.worth *
        PLACES.reduce((sum, place) => sum + beyond(small, place, small.projected[place]) * markOf(place), 0);
      expect(cost + left).toBeLessThanOrEqual(doNothing + TOLERANCE);
    }),
    { numRuns, endOnFailure: true },
  );
}

const amounts = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 20 }).map((step) => (step * max) / 20);
const chains = (unit: number): fc.Arbitrary<Chain> =>
  fc.record({
    fee: fc.constantFrom(0, 0.2, 5, 40).map((value) => value * unit),
    min: fc.constantFrom(10, 500, 20_000).map((value) => Math.max(value, 50) * unit),
    minutes: fc.constantFrom(1, 3, 30),
    isSuspended: fc.integer({ min: 0, max: 5 }).map((drawn) => drawn === 0),
  });
const levels = (direction: 1 | -1): fc.Arbitrary<readonly (readonly [number, number])[]> =>
  fc
    .tuple(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.constantFrom(0.01, 0.2, 1, 3)), {
        minLength: 1,
        maxLength: 3,
      }),
    )
    .map(([first, steps]) => {
      let price = MARK + direction * first;
      return steps.map(([step, qty]) => {
        const level = [price, qty] as const;
        price += direction * step;
        return level;
      });
    });

const smalls: fc.Arbitrary<Small> = fc
  .record({
    btc: fc.tuple(amounts(4), amounts(4)),
    usdt: fc.tuple(amounts(200_000), amounts(200_000)),
    targets: fc.tuple(amounts(4), amounts(200_000), amounts(4), amounts(200_000)),
    buffer: fc.constantFrom(0, 0.1, 0.5),
    reserved: fc.constantFrom(0, 0, 0.3),
    bids: levels(-1),
    asks: levels(1),
    takerFee: fc.constantFrom(0, 0.0005, 0.002),
    feeIn: fc.constantFrom('received' as const, 'quote' as const),
    minNotional: fc.constantFrom(0, 10, 5_000),
    routes: fc.record({ BTC: chains(1 / MARK), USDT: chains(1) }),
    worth: fc.constantFrom(0.001, 0.01, 0.1),
  })
  .map(({ btc, usdt, targets, buffer, reserved, ...rest }) => {
    const by = (of: (index: number) => number): Record<Place, number> =>
      Object.fromEntries(PLACES.map((place, index) => [place, of(index)])) as Record<Place, number>;
    const held = [btc[0], usdt[0], btc[1], usdt[1]];
    return {
      ...rest,
      projected: by((index) => held[index]!),
      available: by((index) => held[index]! * (1 - reserved)),
      low: by((index) => targets[index]! * (1 - buffer)),
      high: by((index) => targets[index]! * (1 + buffer)),
    };
  });

function problemFrom(small: Small): RebalancingProblem {
  const d = (value: number): Decimal => new Decimal(value);
  const level = ([price, qty]: readonly [number, number]) => ({ price: d(price), qty: d(qty) });
  const market: Market = {
    instrument: 'a:BTC/USDT',
    venue: 'a',
    base: 'BTC',
    quote: 'USDT',
    bids: small.bids.map(level),
    asks: small.asks.map(level),
    takerFee: d(small.takerFee),
    feeIn: small.feeIn,
    lot: d(1e-8),
    minNotional: d(small.minNotional),
  };
  expect(midOf(market)).toBeGreaterThan(0);
  const route = (asset: 'BTC' | 'USDT', from: string, to: string): TransferRoute => {
    const { fee, min, ...rest } = small.routes[asset];
    return { asset, from, to, network: 'any', fee: d(fee), min: d(min), isAllowed: false, ...rest };
  };
  return {
    ...RATES,
    accounts: PLACES.map((place) => {
      const [venue, asset] = place.split(':') as [string, string];
      const target = (small.low[place] + small.high[place]) / 2;
      return {
        venue,
        asset,
        projected: d(small.projected[place]),
        available: d(small.available[place]),
        band: { target: d(target), low: d(small.low[place]), high: d(small.high[place]) },
      };
    }),
    markets: [market],
    routes: [route('BTC', 'a', 'b'), route('USDT', 'b', 'a')],
    marks: new Map([
      ['BTC', d(MARK)],
      ['USDT', d(1)],
    ]),
    contracts: new Map(),
    driftWorth: small.worth,
    exposureWorth: 0,
    dust: 1,
  };
}
