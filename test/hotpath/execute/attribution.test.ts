import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InstrumentId } from '#shared/domain/ids.ts';
import type { OrderRequest } from '#shared/domain/order.ts';
import type { RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import type { EventData } from '#shared/schema/event.ts';
import { ExecutorWorld, fill } from './executor-world.ts';
import type { LegShape } from './trading.ts';
import { planOf } from './trading.ts';

/** Bought at 49,900 and sold at 50,100: 40 expected of 0.2, before fees. */
const BUY: LegShape = ['a:BTC/USDT', 'buy', '0.2', '49900'];
const SELL: LegShape = ['b:BTC/USDT', 'sell', '0.2', '50100'];

type Attribution = NonNullable<EventData<'operation'>['attribution']>;

const at = (order: OrderRequest, price: string, qty: string, trade = '1') => {
  const said = fill(order, qty, trade);
  return { ...said, fill: { ...said.fill, price: new Decimal(price), fee: new Decimal('0.001') } };
};
const ended = (world: ExecutorWorld): EventData<'operation'> => world.journal.of('operation').at(-1)!;
const sumOf = (parts: Attribution): string =>
  Object.values(parts)
    .reduce((sum, part) => sum.plus(part), new Decimal(0))
    .toFixed();
const round = ({ captured, slippage, legging, fees, inventory }: Attribution): number[] =>
  [captured, slippage, legging, fees, inventory].map(Number);

describe('attribution', () => {
  it('is all edge where everything went as planned', () => {
    const world = new ExecutorWorld();
    world.executor.submit(planOf('op', [BUY, SELL]));
    for (const order of world.sent) world.say(order, at(order, order.price.toFixed(), '0.2'));
    // Fees: 0.001 BTC at 50,000 and 0.001 USDT.
    expect(round(ended(world).attribution!)).toEqual([40, 0, 0, -50.001, 0]);
    expect(ended(world).pnl!.realised).toBe('-10.001');
  });

  it('tells better prices from worse ones, and what recovery cost', () => {
    const world = new ExecutorWorld();
    world.executor.submit(planOf('op', [BUY, SELL]));
    world.say(world.sent[0]!, at(world.sent[0]!, '49890', '0.2'));
    world.decision = { kind: 'send', orders: [recovering('0.1', '49800')] };
    world.say(world.sent[1]!, at(world.sent[1]!, '50090', '0.1'));
    world.say(world.sent[1]!, { kind: 'expired' });
    world.decision = { kind: 'complete', reason: 'recovered' };
    world.say(world.sent[2]!, at(world.sent[2]!, '49800', '0.1', '2'));
    // 0.2 bought 10 better, 0.1 sold 10 worse; 0.1 sold 300 below the plan.
    expect(round(ended(world).attribution!)).toEqual([40, 1, -30, -50.002, 0]);
  });

  it('names what was kept as inventory', () => {
    const world = new ExecutorWorld();
    world.executor.submit(planOf('op', [BUY, SELL]));
    world.say(world.sent[0]!, at(world.sent[0]!, '49900', '0.2'));
    world.decision = { kind: 'complete', reason: 'dust' };
    world.say(world.sent[1]!, at(world.sent[1]!, '50100', '0.05'));
    world.say(world.sent[1]!, { kind: 'expired' });
    // A quarter of the edge; 0.15 bought 100 below what they count for.
    expect(round(ended(world).attribution!)).toEqual([10, 0, 0, -50.001, 15]);
  });

  it('is not told of a person`s order', () => {
    const world = new ExecutorWorld();
    world.executor.submit(planOf('op', [BUY]));
    expect(ended(world).attribution).toBeUndefined();
  });

  it('sums to what was realised, whatever happened', () => {
    const lots = (max: number): fc.Arbitrary<string> =>
      fc.integer({ min: 1, max }).map((count) => new Decimal(count).div(10_000).toFixed());
    const price = fc.integer({ min: 4_900_000, max: 5_100_000 }).map((cents) => new Decimal(cents).div(100).toFixed());
    const fills = fc.array(fc.tuple(price, lots(700)), { maxLength: 3 });
    fc.assert(
      fc.property(fills, fills, fills, fc.boolean(), (bought, sold, recovered, isAccepted) => {
        const world = new ExecutorWorld();
        world.executor.submit(planOf('op', [BUY, SELL]));
        world.decision = { kind: 'send', orders: [recovering('0.2', '48000')] };
        for (const [order, parts] of [
          [world.sent[0]!, bought],
          [world.sent[1]!, sold],
        ] as const) {
          for (const [trade, [paid, qty]] of parts.entries()) world.say(order, at(order, paid, qty, String(trade)));
          world.say(order, { kind: 'expired' });
        }
        world.decision = isAccepted
          ? { kind: 'escalate', reason: 'NO_WAY_OUT', request: '', loose: [], proposals: [], loss: new Decimal(0) }
          : { kind: 'complete' };
        const third = world.sent[2]!;
        for (const [trade, [paid, qty]] of recovered.entries()) world.say(third, at(third, paid, qty, `r${trade}`));
        world.say(third, { kind: 'expired' });
        world.runMs(60_000);
        world.executor.cancelRecovery('op' as never, { by: 'ann', commandId: 'c' });
        const { pnl, attribution, state } = ended(world);
        expect(['completed', 'failed']).toContain(state);
        expect(sumOf(attribution!)).toBe(pnl!.realised);
        expect(world.ledger.pnl.realised.toFixed()).toBe(pnl!.realised);
      }),
      { numRuns: 200 },
    );
  });
});

const recovering = (qty: string, price: string): RecoveryOrder => ({
  leg: 1,
  purpose: 'complete',
  instrument: 'b:BTC/USDT' as InstrumentId,
  side: 'sell',
  qty: new Decimal(qty) as Qty,
  price: new Decimal(price) as Price,
});
