import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE } from '#hotpath/execute/executor.ts';
import type { Asset, OperationId, VenueId, VenueOrderId } from '#shared/domain/ids.ts';
import type { OrderRequest } from '#shared/domain/order.ts';
import type { Approved, Plan } from '#shared/domain/trade.ts';
import { BUY, ExecutorWorld, fill, SELL } from './executor-world.ts';
import { planOf } from './trading.ts';

const LOT = 0.0001;

/** Buys by resting in the book of one venue, and sells on the other as it is filled. */
const makerPlan = (): Approved<Plan> => {
  const plan = planOf('op-1', [BUY, SELL]);
  const legs = plan.legs.map((leg, at) => (at === 0 ? { ...leg, how: 'maker' as const } : leg));
  return { ...plan, legs };
};

let world: ExecutorWorld;
const maker = (): OrderRequest => world.sent[0]!;
const takers = (): readonly OrderRequest[] => world.sent.slice(1);
const made = (qty: string, trade: string): void => world.say(maker(), fill(maker(), qty, trade));

beforeEach(() => {
  world = new ExecutorWorld();
  world.executor.submit(makerPlan());
  world.say(maker(), { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
});

describe('a plan with a leg that makes', () => {
  it('sends that leg alone to rest, with the money of all legs held', () => {
    expect(world.sent).toHaveLength(1);
    expect(maker()).toMatchObject({ timeInForce: 'GTC', postOnly: true, purpose: 'leg' });
    expect(world.ledger.reservedOf('a' as VenueId, 'USDT').toFixed()).toBe('10000');
    expect(world.ledger.reservedOf('b' as VenueId, 'BTC').toFixed()).toBe('0.1998');
  });

  it('sends the others as it fills, in proportion and by whole lots', () => {
    made('0.05', '1');
    made('0.00005', '2');
    made('0.15', '3');
    expect(takers().map(({ qty, timeInForce }) => `${qty.toFixed()} ${timeInForce}`)).toEqual([
      '0.0499 IOC',
      '0.1499 IOC',
    ]);
    expect(world.ledger.reservedOf('b' as VenueId, 'BTC').toFixed()).toBe('0.1998');
    expect(world.journal.flushed).toBe(world.journal.events.length);
    for (const order of takers()) world.say(order, fill(order, order.qty.toFixed()));
    expect(world.told()).toEqual(['approved', 'executing', 'completed']);
    expect(world.ledger.reservedOf('b' as VenueId, 'BTC').toFixed()).toBe('0');
  });

  it('takes the maker back when another leg misses, and leaves the rest to recovery', () => {
    made('0.1', '1');
    world.say(takers()[0]!, fill(takers()[0]!, '0.04'));
    expect(world.canceled).toEqual([]);
    world.say(takers()[0]!, { kind: 'expired' });
    expect(world.canceled).toEqual([maker().clientOrderId]);
    expect(world.views).toEqual([]);
    world.decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    world.say(maker(), { kind: 'canceled' });
    expect(world.views[0]!.legs.map(({ filledQty }) => filledQty.toFixed())).toEqual(['0.1', '0.04']);
    expect(world.ledger.reservedOf('b' as VenueId, 'BTC').toFixed()).toBe('0.0999');
  });

  it('takes it back when its venue has taken of it, and follows it no further', () => {
    world = new ExecutorWorld();
    const [units, perUnit] = [new Decimal('0.2'), [new Decimal(1), new Decimal(1)]];
    world.executor.submit({ ...makerPlan(), bond: { units, perUnit, intent: 'enter' } });
    world.say(maker(), { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    made('0.05', '1');
    const { instrument, price } = maker();
    const fee = { fee: new Decimal(0), feeAsset: 'USDT' as Asset };
    const taken = { instrument, side: 'sell', price, qty: new Decimal('0.07'), ...fee } as const;
    const more = { ...taken, qty: new Decimal('0.3') };
    expect(world.executor.sharesOf(more).map(({ id, qty }) => [id, qty.toFixed()])).toEqual([
      ['op-1', '0.2'],
      [undefined, '0.1'],
    ]);
    world.executor.take('op-1' as OperationId, taken);
    expect(world.canceled).toEqual([maker().clientOrderId]);
    made('0.05', '2');
    expect(takers()).toHaveLength(1);
    world.decision = { kind: 'wait', reason: 'x' };
    world.say(takers()[0]!, fill(takers()[0]!, takers()[0]!.qty.toFixed()));
    world.say(maker(), { kind: 'canceled' });
    // What had not been told when it was taken has been since.
    expect(world.views[0]!.legs.map(({ filledQty, isTaken }) => [filledQty.toFixed(), isTaken])).toEqual([
      ['0.03', true],
      ['0.0499', undefined],
    ]);
  });

  it('takes it back when it has rested long enough', () => {
    made('0.1', '1');
    world.say(takers()[0]!, fill(takers()[0]!, takers()[0]!.qty.toFixed()));
    world.runMs(PATIENCE.makerMs - 1);
    expect(world.canceled).toEqual([]);
    world.runMs(1_000);
    expect(world.canceled[0]).toBe(maker().clientOrderId);
    world.say(maker(), { kind: 'canceled' });
    expect(world.told().at(-1)).toBe('completed');
    expect(world.executor.counts.open).toBe(0);
    expect(world.ledger.reservedOf('b' as VenueId, 'BTC').toFixed()).toBe('0');
  });

  it('ends unfilled when nobody came', () => {
    world.runMs(PATIENCE.makerMs + 1_000);
    world.decision = { kind: 'complete', reason: 'unfilled' };
    world.say(maker(), { kind: 'canceled' });
    expect(world.told().at(-1)).toBe('completed unfilled');
    expect(world.sent).toHaveLength(1);
  });

  it('goes on with what is filled when the fence closes: the maker is taken back, nothing more is sent', () => {
    world.closed = 'EMERGENCY_STOP: fire';
    made('0.1', '1');
    expect(world.sent).toHaveLength(1);
    expect(world.canceled).toEqual([maker().clientOrderId]);
    world.decision = { kind: 'wait', reason: 'x' };
    world.say(maker(), { kind: 'canceled' });
    expect(world.executor.counts).toMatchObject({ open: 1, recovering: 1 });
  });

  it('is never ahead of the maker by a lot, whatever comes', () => {
    const fills = fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.boolean()), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fills, (parts) => {
        world = new ExecutorWorld();
        world.executor.submit(makerPlan());
        let filled = 0;
        for (const [at, [lots, answers]] of parts.entries()) {
          const qty = Math.min(lots, 2_000 - filled);
          if (qty === 0) break;
          filled += qty;
          made(new Decimal(qty).div(10_000).toFixed(), String(at));
          const sent = takers().reduce((sum, order) => sum + order.qty.toNumber(), 0);
          expect(sent).toBeLessThanOrEqual(((filled / 10_000) * 0.1998) / 0.2 + 1e-12);
          // What is due of one instrument is sent as soon as it is a lot.
          expect(sent).toBeGreaterThan(((filled / 10_000) * 0.1998) / 0.2 - LOT - 1e-12);
          const last = takers().at(-1);
          if (answers && last !== undefined) world.say(last, fill(last, last.qty.toFixed()));
        }
        for (const order of takers()) world.say(order, fill(order, order.qty.toFixed()));
        world.say(maker(), { kind: 'canceled' });
        expect(world.executor.counts.open).toBe(0);
        for (const asset of ['BTC', 'USDT'])
          for (const venue of ['a', 'b'] as VenueId[])
            expect(world.ledger.reservedOf(venue, asset).toFixed()).toBe('0');
      }),
      { numRuns: 100 },
    );
  });
});
