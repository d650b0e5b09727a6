import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OperationBond } from '#hotpath/execute/operation.ts';
import type { RecoveryMarket } from '#hotpath/recover/candidate.ts';
import { RECOVERY_LIMITS } from '#hotpath/recover/candidate.ts';
import { deltasOf } from '#hotpath/recover/loose.ts';
import { decideRecovery } from '#hotpath/recover/recovery.ts';
import { doAgree } from '#hotpath/recover/sum-recovery.ts';
import type { Asset } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OperationView, Recovery, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import { lotQty, tickAt, ZERO } from '#shared/money/grid.ts';
import { quoteValueOf } from '#shared/money/pnl.ts';
import type { Shape, Weather } from './recovery-world.ts';
import * as world from './recovery-world.ts';

const { A_BTC, A_ETH, A_ETH_BTC, B_BTC, B_ETH, B_ETH_BTC, C_BTC, C_ETH_BTC, P_BTC, Q_BTC } = world;
const { fairOf, LISTED, marketOf, RATES, Recovering } = world;

/** Time and again; limits have their own tests. */
const PATIENT = { ...RECOVERY_LIMITS, roundsMax: 10_000, waitsMax: 10_000, lossMax: Infinity };

type Route = { readonly legs: readonly (readonly [Instrument, Side])[]; readonly perUnit?: readonly string[] };
const PRODUCTS: readonly Route[] = [
  {
    legs: [
      [A_BTC, 'buy'],
      [B_BTC, 'sell'],
    ],
  },
  {
    legs: [
      [B_ETH, 'buy'],
      [A_ETH, 'sell'],
    ],
  },
  {
    legs: [
      [A_BTC, 'buy'],
      [A_ETH_BTC, 'buy'],
      [A_ETH, 'sell'],
    ],
  },
  {
    legs: [
      [B_ETH, 'buy'],
      [B_ETH_BTC, 'sell'],
      [B_BTC, 'sell'],
    ],
  },
  {
    legs: [
      [A_ETH, 'buy'],
      [B_ETH_BTC, 'sell'],
      [A_ETH_BTC, 'buy'],
      [B_ETH, 'sell'],
    ],
  },
  {
    legs: [
      [A_BTC, 'buy'],
      [A_ETH_BTC, 'buy'],
      [B_ETH_BTC, 'sell'],
      [C_ETH_BTC, 'buy'],
      [A_ETH, 'sell'],
    ],
  },
];
const SUMS: readonly Route[] = [
  {
    legs: [
      [A_BTC, 'buy'],
      [P_BTC, 'sell'],
    ],
    perUnit: ['1.001', '100'],
  },
  {
    legs: [
      [B_BTC, 'sell'],
      [Q_BTC, 'buy'],
    ],
    perUnit: ['1', '1000'],
  },
  {
    legs: [
      [A_BTC, 'buy'],
      [P_BTC, 'sell'],
      [Q_BTC, 'sell'],
    ],
    perUnit: ['2.002', '100', '1000'],
  },
];

/** The legs of a route in quantities as planned, each of them filled by a share. */
function recovering({ legs, perUnit }: Route, notional: number, shares: readonly number[]): world.Recovering {
  let amount = new Decimal(notional);
  const shapes = legs.map(([on, side], at): Shape => {
    const { fees, lot } = on;
    const kept = new Decimal(1).minus(fees.taker);
    const units = new Decimal(notional).div(RATES.BTC);
    const price = fees.currency === 'quote' ? fairOf(on).times(fees.taker.plus(1)) : fairOf(on);
    const wanted = perUnit === undefined ? (side === 'sell' ? amount : amount.div(price)) : units.times(perUnit[at]!);
    const qty = lotQty(wanted, lot);
    if (side === 'sell') amount = qty.times(fairOf(on)).times(kept);
    else amount = fees.currency === 'received' ? qty.times(kept) : qty;
    return [on, side, qty, lotQty(qty.times(shares[at]!), lot)];
  });
  return new Recovering(shapes, perUnit === undefined ? undefined : bondOf(perUnit));
}

const bondOf = (perUnit: readonly string[]): OperationBond => ({
  units: new Decimal(1),
  perUnit: perUnit.map((each) => new Decimal(each)),
  intent: 'enter',
  carry: new Decimal(20),
  asset: 'USDT' as Asset,
});

/** So many decisions fall into one: long enough that it is worth covering what cannot be traded. */
const STORM_STEPS = 6;

const shares = fc.array(fc.constantFrom(0, 0.1, 0.333, 0.5, 0.9, 1), { minLength: 5, maxLength: 5 });
const weather: fc.Arbitrary<Weather> = fc
  .record({
    moves: fc.array(fc.integer({ min: -80, max: 80 }), { minLength: LISTED.length, maxLength: LISTED.length }),
    away: fc.subarray([...LISTED]),
    depth: fc.constantFrom(0.01, 0.3, 1e6),
    free: fc.constantFrom(0, 0.05, 5_000, 1e9),
  })
  .map(({ moves, away, depth, free }) => ({
    moves: new Map(LISTED.map((on, at) => [on, moves[at]!])),
    away,
    // Of its coin, in the unit of the instrument.
    depthOf: (on) => Decimal.max(on.lot, lotQty(new Decimal(depth).div(on.contractSize), on.lot)),
    free: () => free,
  }));

describe('whatever the weather', () => {
  it.each([
    ['product', PRODUCTS],
    ['sum', SUMS],
  ])('recovery of a %s route sends only what can be sent, never hedges too much, and ends', (_, routes) => {
    const scenario = fc.record({
      route: fc.constantFrom(...routes),
      notional: fc.integer({ min: 2_000, max: 100_000 }),
      shares,
      storms: fc.array(weather, { maxLength: 4 }),
      takes: fc.array(fc.constantFrom(0, 0.3, 1), { minLength: 24, maxLength: 24 }),
    });
    const seen = { complete: 0, unwind: 0, hedge: 0, wait: 0, covered: 0 };
    fc.assert(
      fc.property(scenario, ({ route, notional, shares: filled, storms, takes }) => {
        const operation = recovering(route, notional, filled);
        let [round, waits] = [0, 0];
        for (let step = 0; step < 100; step += 1) {
          const market = marketOf(storms[Math.floor(step / STORM_STEPS)]);
          // The slack grows with the rounds; no price is worth everything.
          const view = operation.view({ round: Math.min(round, 5), waits });
          const decision = decided(view, market);
          if (view.covers.length > 0) seen.covered += 1;
          if (decision.kind === 'complete') {
            checkEnd(view);
            return;
          }
          if (decision.kind === 'wait') {
            seen.wait += 1;
            waits += 1;
            continue;
          }
          expect(decision.kind).toBe('send');
          const orders = decision.kind === 'send' ? decision.orders : [];
          for (const order of orders) seen[order.purpose] += 1;
          checkOrders(orders, view, market);
          [round, waits] = [round + 1, 0];
          for (const order of orders) operation.take(order, market, takes[step] ?? 1);
        }
        throw new Error('no end');
      }),
      { numRuns: 150 },
    );
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
  });

  it('takes no way that leaves less than another one', () => {
    const scenario = fc.record({
      shares,
      moves: fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 3, maxLength: 3 }),
    });
    const books = [A_BTC, B_BTC, C_BTC];
    let decisions = 0;
    fc.assert(
      fc.property(scenario, ({ shares: filled, moves }) => {
        const calm = { moves: new Map(books.map((on, at) => [on, moves[at]!])) };
        const end = (away: readonly Instrument[]): Decimal | undefined => {
          const operation = recovering(PRODUCTS[0]!, 40_000, filled);
          const market = marketOf({ ...calm, away });
          const decision = decided(operation.view(), market);
          if (decision.kind !== 'send') return undefined;
          for (const order of decision.orders) operation.take(order, market);
          return operation.view().realised;
        };
        const best = end([]);
        if (best === undefined) return;
        decisions += 1;
        for (const only of books) {
          const other = end(books.filter((on) => on !== only));
          // Lots are not worth the same on all of them.
          if (other !== undefined) expect(best.plus('0.05').gte(other)).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
    expect(decisions).toBeGreaterThan(75);
  });
});

/** The same question has the same answer. */
function decided(view: OperationView, market: RecoveryMarket): Recovery {
  const decision = decideRecovery(view, market, PATIENT);
  expect(decideRecovery(view, market, PATIENT)).toEqual(decision);
  return decision;
}

function checkOrders(orders: readonly RecoveryOrder[], view: OperationView, market: RecoveryMarket): void {
  const needed = new Map<string, Decimal>();
  for (const order of orders) {
    const on = LISTED.find(({ id }) => id === order.instrument)!;
    const { qty, price, side, purpose } = order;
    const isOwn = view.legs[order.leg]!.instrument === on;
    expect(isOwn).toBe(purpose !== 'hedge');
    expect(qty.mod(on.lot).isZero() && qty.gte(on.minQty) && qty.gt(0)).toBe(true);
    expect(quoteValueOf(on, qty, price).gte(on.minNotional)).toBe(true);
    expect(price.gt(0) && price.mod(tickAt(on, price)).isZero()).toBe(true);
    const [best] = market.levels(on, side);
    expect(side === 'buy' ? best!.price.lte(price) : best!.price.gte(price)).toBe(true);
    const { asset, amount } = market.needOf(on, order);
    const account = `${on.venue} ${asset}`;
    // What closes a cover frees money, though nothing is known of positions here.
    const closes = view.covers.some(({ instrument }) => instrument === on);
    if (!closes) needed.set(account, (needed.get(account) ?? ZERO).plus(amount));
  }
  for (const amount of needed.values()) expect(amount.lte(market.freeOf(A_BTC, 'USDT'))).toBe(true);
  checkCovers(orders, view);
}

/** Covers only ever go towards what is loose and not beyond it, or back towards nothing and not beyond that. */
function checkCovers(orders: readonly RecoveryOrder[], view: OperationView): void {
  const covered = new Map<string, readonly [Decimal, Decimal]>();
  for (const { instrument, size } of view.covers) {
    const [before] = covered.get(instrument.base) ?? [ZERO];
    const coins = before.plus(size.times(instrument.contractSize));
    covered.set(instrument.base, [coins, coins]);
  }
  for (const { purpose, instrument, side, qty } of orders) {
    const on = LISTED.find(({ id }) => id === instrument)!;
    if (purpose !== 'hedge' || on.kind === 'spot') continue;
    const [before, after] = covered.get(on.base) ?? [ZERO, ZERO];
    const coins = qty.times(on.contractSize);
    covered.set(on.base, [before, side === 'buy' ? after.plus(coins) : after.minus(coins)]);
  }
  const deltas = deltasOf(view);
  for (const [asset, [before, after]] of covered) {
    const loose = deltas.get(asset) ?? ZERO;
    const isClosing = after.abs().lte(before.abs()) && (after.isZero() || after.isNegative() === before.isNegative());
    const isWithin = after.abs().lte(loose.abs()) && after.isNegative() !== loose.isNegative();
    expect(isClosing || isWithin).toBe(true);
  }
}

function checkEnd({ legs, bond, covers }: OperationView): void {
  expect(covers).toEqual([]);
  if (legs.every(({ qty, filledQty }) => qty.eq(filledQty))) return;
  if (bond !== undefined) {
    expect(doAgree(legs, bond)).toBe(true);
    return;
  }
  for (const [at, next] of legs.slice(1).entries()) {
    const previous = legs[at]!;
    const asset = next.side === 'buy' ? next.instrument.quote : next.instrument.base;
    const residue = previous.received.minus(next.spent).times(RATES[asset as 'BTC']);
    // The smallest order of any of these books is worth 5, or a lot of ten thousandths of a bitcoin.
    expect(residue.abs().toNumber()).toBeLessThan(12);
  }
}
