import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecoveryMarket } from '#hotpath/recover/candidate.ts';
import { NOWHERE_ELSE } from '#hotpath/recover/elsewhere.ts';
import { decideRecovery, RECOVERY_LIMITS } from '#hotpath/recover/recovery.ts';
import { doAgree } from '#hotpath/recover/sum-recovery.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LegView, OperationView, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import { lotQty, ZERO } from '#shared/money/grid.ts';
import { needOf } from '#shared/money/margin.ts';
import { quoteValueOf } from '#shared/money/pnl.ts';
import { CALL, COIN_CALL, COIN_FUTURE, COIN_PUT, FUTURE, PERPETUAL, PUT, SPOT } from '../execute/held-world.ts';

const PRICES = new Map<Instrument, string>([
  [SPOT, '30000'],
  [PERPETUAL, '30050'],
  [FUTURE, '30100'],
  [CALL, '1500'],
  [PUT, '1350'],
  [COIN_FUTURE, '30200'],
  [COIN_CALL, '0.05'],
  [COIN_PUT, '0.04'],
]);
const rates = {
  BTC: new Decimal(30_000),
  USDT: new Decimal(1),
  USD: new Decimal(1),
  [CALL.id]: new Decimal(1_500),
  [PUT.id]: new Decimal(1_350),
  [COIN_CALL.id]: new Decimal(1_500),
  [COIN_PUT.id]: new Decimal(1_200),
};
const RULES = { fraction: new Decimal('0.2'), underlyingOf: () => new Decimal(30_000) };
const priceOf = (on: Instrument): Decimal => new Decimal(PRICES.get(on)!);

/** Instrument, side, quantity for each unit. */
type Shape = readonly [Instrument, Side, string];
const BASIS: readonly Shape[] = [
  [SPOT, 'buy', '1.001'],
  [PERPETUAL, 'sell', '1000'],
];
const ROUTES: readonly (readonly Shape[])[] = [
  BASIS,
  [
    [FUTURE, 'buy', '10'],
    [CALL, 'sell', '1'],
    [PUT, 'buy', '1'],
  ],
  [
    [COIN_CALL, 'sell', '1'],
    [COIN_PUT, 'buy', '1'],
    [COIN_FUTURE, 'buy', '6000'],
  ],
];

type Done = { readonly legs: LegView[]; readonly perUnit: readonly Decimal[] };
function viewOf(shapes: readonly Shape[], units: number, filled: readonly Decimal.Value[]): Done {
  const legs = shapes.map(([instrument, side, perUnit], at): LegView => {
    const qty = lotQty(new Decimal(perUnit).times(units), instrument.lot);
    const filledQty = new Decimal(filled[at]!);
    return { instrument, side, qty, filledQty, spent: filledQty, received: filledQty };
  });
  return { legs, perUnit: shapes.map(([, , perUnit]) => new Decimal(perUnit)) };
}

const viewFrom = ({ legs, perUnit }: Done, round: number, carry: Decimal.Value): OperationView => ({
  legs,
  rates,
  round,
  waits: 0,
  ageMs: 0,
  realised: ZERO,
  covers: [],
  bond: { perUnit, carry: new Decimal(carry), intent: 'enter' },
});

type Asked = {
  readonly moves?: ReadonlyMap<Instrument, number>;
  readonly depthOf?: (on: Instrument) => Decimal;
  readonly free?: number;
};
const DEEP = (): Decimal => new Decimal(1e9);
function market({ moves = new Map(), depthOf = DEEP, free = 1e9 }: Asked = {}): RecoveryMarket {
  return {
    levels: (on, side) => {
      const sign = side === 'buy' ? 1 : -1;
      return [1, 2].map((step) => ({
        price: priceOf(on)
          .times(1 + ((moves.get(on) ?? 0) + sign * step) / 10_000)
          .div(on.tick)
          .round()
          .times(on.tick),
        qty: depthOf(on),
      }));
    },
    freeOf: () => new Decimal(free),
    needOf: (on, order) => needOf(order, on, ZERO, RULES),
    underlyingOf: () => new Decimal(30_000),
    carryOf: () => ZERO,
    ...NOWHERE_ELSE,
  };
}

const ordersOf = (decision: ReturnType<typeof decideRecovery>): readonly RecoveryOrder[] =>
  decision.kind === 'send' ? decision.orders : [];
const textsOf = (decision: ReturnType<typeof decideRecovery>): string[] =>
  ordersOf(decision).map(({ purpose, side, qty, leg }) => `${purpose} ${leg} ${side} ${qty.toFixed()}`);

describe('decideRecovery of a sum route', () => {
  const decide = (filled: readonly string[], around: RecoveryMarket, carry = '0') =>
    decideRecovery(viewFrom(viewOf(BASIS, 1, filled), 0, carry), around, RECOVERY_LIMITS);

  it('is done when all legs are full, when none is, and when they agree to within a lot', () => {
    expect(decide(['1.001', '1000'], market())).toEqual({ kind: 'complete' });
    expect(decide(['0', '0'], market())).toEqual({ kind: 'complete', reason: 'unfilled' });
    expect(decide(['0.5005', '500'], market())).toEqual({ kind: 'complete', reason: 'recovered' });
    expect(decide(['0.5010', '500'], market())).toEqual({ kind: 'complete', reason: 'recovered' });
  });

  it('completes the leg that lacks while that is better than going back', () => {
    const dear = (on: Instrument, bps: number) => market({ moves: new Map([[on, bps]]) });
    expect(textsOf(decide(['1.001', '0'], dear(PERPETUAL, -5)))).toEqual(['complete 1 sell 1000']);
    expect(textsOf(decide(['1.001', '0'], dear(PERPETUAL, -80)))).toEqual(['unwind 0 sell 1.001']);
    expect(textsOf(decide(['0', '1000'], dear(SPOT, 80)))).toEqual(['unwind 1 buy 1000']);
  });

  it('counts what a unit is expected to bring later', () => {
    const dear = market({ moves: new Map([[PERPETUAL, -80]]) });
    // 240 dollars worse than the other way, and worth it for 500 that only who stays will get.
    expect(textsOf(decide(['1.001', '0'], dear, '500'))).toEqual(['complete 1 sell 1000']);
  });

  it('waits for books and for money, and asks a person about what is left', () => {
    const dead = { ...market(), levels: () => [] };
    expect(decide(['1.001', '0'], dead)).toMatchObject({ kind: 'wait' });
    expect(decide(['0', '1000'], { ...market(), freeOf: () => ZERO })).toMatchObject({ kind: 'wait' });
    const view = viewFrom(viewOf(BASIS, 1, ['1.001', '0']), RECOVERY_LIMITS.roundsMax, '0');
    expect(decideRecovery(view, market(), RECOVERY_LIMITS)).toMatchObject({
      kind: 'escalate',
      reason: 'ROUNDS_EXHAUSTED: a:BTC/USDT=1, d:BTC/USDT:USDT=0',
      loose: [{ instrument: SPOT.id, size: new Decimal('1.001'), value: new Decimal('30030') }],
    });
  });

  it('leaves dust below the smallest order', () => {
    const big = { ...PERPETUAL, minQty: new Decimal(50) };
    const done = viewOf([BASIS[0]!, [big, 'sell', '1000']], 1, ['1.001', '960']);
    const small = { ...SPOT, minNotional: new Decimal(5_000) };
    const legs = done.legs.with(0, { ...done.legs[0]!, instrument: small });
    const around = market();
    PRICES.set(big, '30050').set(small, '30000');
    expect(decideRecovery(viewFrom({ ...done, legs }, 0, '0'), around, RECOVERY_LIMITS)).toEqual({
      kind: 'complete',
      reason: 'dust',
    });
  });
});

/** Limits have their own tests. */
const PATIENT = { ...RECOVERY_LIMITS, lossMax: Infinity };

describe('after the orders of a decision have filled', () => {
  it('legs agree to within a lot, nothing is hedged beyond what stands, and no account is asked for what it has not', () => {
    const scenario = fc.record({
      route: fc.constantFrom(...ROUTES),
      units: fc.integer({ min: 1, max: 40 }),
      fractions: fc.array(fc.constantFrom(0, 0.1, 0.333, 0.5, 0.9, 1), { minLength: 3, maxLength: 3 }),
      moves: fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 3, maxLength: 3 }),
      take: fc.constantFrom(0.5, 1),
      depth: fc.constantFrom(0.05, 0.3, 100),
      carry: fc.integer({ min: -100, max: 300 }),
      free: fc.constantFrom(20_000, 1e9),
    });
    let sent = 0;
    fc.assert(
      fc.property(scenario, ({ route, units, fractions, moves, take, depth, carry, free }) => {
        const filled = route.map(([on, , perUnit], at) =>
          lotQty(new Decimal(perUnit).times(units).times(fractions[at]!), on.lot),
        );
        let done = viewOf(route, units, filled);
        const depths = new Map(
          route.map(([on, , perUnit]) => [
            on,
            Decimal.max(on.lot, lotQty(new Decimal(perUnit).times(units * depth), on.lot)),
          ]),
        );
        const depthOf = (on: Instrument): Decimal => depths.get(on)!;
        const around = market({ moves: new Map(route.map(([on], at) => [on, moves[at]!])), depthOf, free });
        for (let round = 0; ; round += 1) {
          const decision = decideRecovery(viewFrom(done, Math.min(round, 3), carry), around, PATIENT);
          if (decision.kind !== 'send') {
            if (decision.kind === 'wait') expect(free).toBeLessThan(1e9);
            else expect(decision.kind).toBe('complete');
            break;
          }
          sent += decision.orders.length;
          checkOrders(decision.orders, done, { around, free });
          if (depth === 100 && take === 1) expect(doAgree(filledBy(decision.orders, done, 1).legs, done)).toBe(true);
          done = filledBy(decision.orders, done, round < 20 ? take : 1);
          if (round > 200) throw new Error('no end');
        }
        if (free === 1e9) expect(doAgree(done.legs, done)).toBe(true);
      }),
      { numRuns: 600 },
    );
    expect(sent).toBeGreaterThan(600);
  });
});

/** No order goes beyond the units of the leg that has done most, or below those of the one that has done least. */
function checkOrders(
  orders: readonly RecoveryOrder[],
  { legs, perUnit }: Done,
  { around, free }: { readonly around: RecoveryMarket; readonly free: number },
): void {
  const units = legs.map(({ filledQty }, at) => filledQty.div(perUnit[at]!));
  const needed = new Map<string, Decimal>();
  for (const order of orders) {
    const { instrument, filledQty, side } = legs[order.leg]!;
    const after = (order.side === side ? filledQty.plus(order.qty) : filledQty.minus(order.qty)).div(
      perUnit[order.leg]!,
    );
    expect(after.lte(Decimal.max(...units))).toBe(true);
    expect(after.gte(Decimal.min(...units))).toBe(true);
    expect(order.qty.gte(instrument.minQty)).toBe(true);
    expect(quoteValueOf(instrument, order.qty, order.price).gte(instrument.minNotional)).toBe(true);
    const { asset, amount } = around.needOf(instrument, order);
    const account = `${instrument.venue} ${asset}`;
    needed.set(account, (needed.get(account) ?? ZERO).plus(amount));
  }
  for (const amount of needed.values()) expect(amount.toNumber()).toBeLessThanOrEqual(free);
}

function filledBy(orders: readonly RecoveryOrder[], { legs, perUnit }: Done, take: number): Done {
  const after = [...legs];
  for (const { leg: at, side, qty } of orders) {
    const leg = after[at]!;
    const part = lotQty(qty.times(take), leg.instrument.lot);
    const done: Decimal = part.isZero() ? qty : part;
    const filledQty = side === leg.side ? leg.filledQty.plus(done) : leg.filledQty.minus(done);
    after[at] = { ...leg, filledQty: filledQty };
  }
  return { legs: after, perUnit };
}
