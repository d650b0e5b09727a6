import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE } from '#hotpath/execute/executor.ts';
import type { ManualOrder } from '#hotpath/execute/manual.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import type { InstrumentId, OperationId, VenueId, VenueOrderId } from '#shared/domain/ids.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { recomputePnl } from '#shared/money/pnl.ts';
import { engineEvent } from '#shared/schema/event.ts';
import { BUY, ExecutorWorld, fill, SELL } from './executor-world.ts';
import { instruments, planOf } from './trading.ts';

const WORD = { by: 'ann', commandId: 'c-1' };
const A = 'a:BTC/USDT' as InstrumentId;
const resting = (changes: Partial<ManualOrder> = {}): ManualOrder => ({
  operation: 'm-1' as OperationId,
  instrument: instruments.get(A)!,
  side: 'sell',
  type: 'limit',
  qty: new Decimal('0.1') as Qty,
  price: new Decimal('50500') as Price,
  timeInForce: 'GTC',
  route: 'manual',
  ...changes,
});

const price = (value: number): Price => new Decimal(value) as Price;

let world: ExecutorWorld;

beforeEach(() => {
  world = new ExecutorWorld();
});

describe('a person`s order', () => {
  it('is an operation of one leg, reserved and journalled before it leaves', () => {
    const placed = world.executor.submitManual(resting({ postOnly: true }), (id) => {
      expect(world.sent).toEqual([]);
      world.journal.record('command-done', 'c', { command_id: 'c-1', command: 'order', by: 'ann', detail: { id } });
    });
    expect(placed).toEqual({ kind: 'sent', order: 'a000700000100', operation: 'm-1' });
    expect(world.sent).toHaveLength(1);
    expect(world.sent[0]).toMatchObject({ purpose: 'manual', timeInForce: 'GTC', postOnly: true, side: 'sell' });
    expect(world.journal.flushed).toBe(world.journal.events.length);
    expect(world.journal.of('operation')[0]).toMatchObject({ type: 'manual', route: 'manual', notional: '5050' });
    expect(world.ledger.reservedOf('a' as VenueId, 'BTC').toFixed()).toBe('0.1');
    for (const event of world.journal.events) expect(engineEvent.safeParse(event).error).toBeUndefined();
  });

  it('rests for as long as it likes, asked about now and then, and stands in nobody`s way', () => {
    world.executor.submitManual(resting());
    world.say(world.sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    world.runMs(600_000);
    expect(world.orderStates('a000700000100')).toEqual(['submitted', 'accepted']);
    expect(world.canceled).toEqual([]);
    expect(world.probed.length).toBe(600_000 / PATIENCE.probeSlowlyMs);
    expect(world.executor.busy(A)).toBe(false);
    expect(world.executor.idle).toBe(true);
    expect(world.executor.working).toBe(0);
  });

  it('is not recovered: what fills is wanted and is no dust', () => {
    world.executor.submitManual(resting());
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.06'));
    world.say(world.sent[0]!, { kind: 'canceled' });
    expect(world.views).toEqual([]);
    expect(world.told()).toEqual(['approved manual', 'executing', 'completed']);
    expect(world.ledger.dust.size).toBe(0);
    const state = new JournalState();
    for (const event of world.journal.events) state.apply(event);
    expect(state.ledger().dust).toEqual({});
    // At the rates of the moment: 0.06 sold 500 above them, less the fee.
    expect(world.journal.of('operation').at(-1)!.pnl).toEqual({ realised: '29.9999', fees: '0.0001' });
    expect(recomputePnl(world.journal.events).realised.toFixed()).toBe('29.9999');
  });

  it('sells dust out of the dust ledger', () => {
    world.ledger.addDust('BTC', new Decimal('0.15'));
    world.executor.submitManual(resting({ route: 'dust', timeInForce: 'IOC' }));
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.1'));
    expect(world.ledger.dust.get('BTC')?.toFixed()).toBe('0.05');
    expect(world.journal.of('operation').at(-1)!.dust).toEqual({ BTC: '-0.1' });
  });

  it('ends when it is rejected, or when it fills nothing', () => {
    world.executor.submitManual(resting());
    world.say(world.sent[0]!, { kind: 'rejected', reason: 'would-take', text: '' });
    expect(world.told().at(-1)).toBe('failed REJECTED: would-take');
    world.executor.submitManual(resting({ operation: 'm-2' as OperationId }));
    world.say(world.sent[1]!, { kind: 'expired' });
    expect(world.told().at(-1)).toBe('completed unfilled');
    expect(world.ledger.reservedOf('a' as VenueId, 'BTC').toFixed()).toBe('0');
  });

  it('is refused without money, without a rate, behind a closed fence', () => {
    expect(world.executor.submitManual(resting({ qty: new Decimal(2) as Qty }))).toEqual({
      kind: 'refused',
      reason: 'BALANCE_INSUFFICIENT',
      detail: 'asset=BTC, needed=2, free=1',
    });
    world.closed = 'EMERGENCY_STOP';
    expect(world.executor.submitManual(resting())).toMatchObject({ reason: 'FENCED' });
    world = new ExecutorWorld({ rateOf: () => undefined });
    expect(world.executor.submitManual(resting())).toMatchObject({ reason: 'RATE_UNKNOWN' });
    expect([world.sent, world.journal.events]).toEqual([[], []]);
    world = new ExecutorWorld({ rateOf: (asset) => (asset === 'USDT' ? 1 : undefined) });
    world.executor.submitManual(resting());
    expect(world.journal.of('operation')[0]!.rates).toEqual({ BTC: '50500', USDT: '1' });
  });

  it('rests again when its venue says so, though part of it had filled', () => {
    world.executor.submitManual(resting());
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.04'));
    world.say(world.sent[0]!, { kind: 'unknown', cause: 'disconnect' });
    world.runMs(1_000);
    world.say(world.sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    expect(world.orderStates('a000700000100').at(-1)).toBe('partially-filled');
    const asked = world.probed.length;
    world.runMs(400_000);
    expect(world.canceled).toEqual([]);
    expect(world.probed.length - asked).toBeLessThan(40);
    expect(world.executor.counts).toMatchObject({ escalated: 0, open: 1 });
  });

  it('is taken back on demand, again and again until its venue has heard', () => {
    world.executor.submitManual(resting());
    const [sent] = world.sent;
    world.say(sent!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    expect(world.executor.cancelOrder(sent!.clientOrderId)).toEqual({ kind: 'cancelling', operation: 'm-1' });
    expect(world.canceled).toEqual([sent!.clientOrderId]);
    world.runMs(PATIENCE.probeAfterMs);
    expect([world.canceled.length, world.probed.length]).toEqual([2, 1]);
    world.say(sent!, { kind: 'canceled' });
    expect(world.told().at(-1)).toBe('completed unfilled');
    expect(world.executor.cancelOrder(sent!.clientOrderId)).toEqual({ kind: 'over', status: 'canceled' });
    expect(world.executor.cancelOrder('foreign' as never)).toEqual({ kind: 'unknown' });
  });

  it('is asked about as any other while nothing is heard of it, and rests after all when it turns up', () => {
    world.executor.submitManual(resting());
    world.runMs(360_000);
    expect(world.told().at(-1)).toBe('escalated ORDER_UNKNOWN: orders=a000700000100');
    world.say(world.sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    expect(world.told().at(-1)).toBe('executing resting');
    expect(world.asked().state).toBe('settled');
    expect(world.executor.counts).toMatchObject({ escalated: 0, open: 1 });
    world.executor.cancelOrder(world.sent[0]!.clientOrderId);
    world.say(world.sent[0]!, { kind: 'canceled' });
    expect(world.executor.counts.open).toBe(0);
  });

  it('may be given up by a person when nothing is heard of it', () => {
    world.executor.submitManual(resting());
    world.runMs(360_000);
    expect(world.executor.cancelRecovery('m-1' as OperationId, WORD)).toEqual({ kind: 'done' });
    expect(world.told().at(-1)).toBe('failed ACCEPTED: by=ann');
    expect(world.ledger.reservedOf('a' as VenueId, 'BTC').toFixed()).toBe('0');
  });

  it('takes up what rested before a restart', () => {
    world.executor.submitManual(resting({ postOnly: true, reduceOnly: false }));
    world.say(world.sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    const state = new JournalState();
    for (const event of world.journal.events) state.apply(event);
    const next = new ExecutorWorld({ epoch: 8 });
    next.executor.resume({ open: state.openOperations(), ended: [], atMs: state.atMs });
    expect(next.probed).toEqual(['a000700000100']);
    expect(next.executor.restingAgainst({ instrument: A, side: 'buy', price: price(50_500) })).toBe(true);
    next.say(world.sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    next.runMs(360_000);
    expect(next.executor.counts).toMatchObject({ open: 1, escalated: 0 });
    expect(next.executor.restingOrders()).toEqual(['a000700000100']);
  });
});

describe('self-trade', () => {
  beforeEach(() => {
    world.executor.submitManual(resting());
    world.say(world.sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
  });

  it('is seen where an order would come as far as one of ours that rests', () => {
    const { restingAgainst } = world.executor;
    expect(restingAgainst({ instrument: A, side: 'buy', price: price(50_500) })).toBe(true);
    expect(restingAgainst({ instrument: A, side: 'buy', price: price(50_499) })).toBe(false);
    expect(restingAgainst({ instrument: A, side: 'sell', price: price(40_000) })).toBe(false);
    expect(restingAgainst({ instrument: 'b:BTC/USDT' as InstrumentId, side: 'buy', price: price(60_000) })).toBe(false);
    world.say(world.sent[0]!, { kind: 'canceled' });
    expect(restingAgainst({ instrument: A, side: 'buy', price: price(50_500) })).toBe(false);
  });

  it('is seen by a leg that would rest where an order of ours is on its way to take', () => {
    world.executor.submit(planOf('op-1', [['b:BTC/USDT', 'buy', '0.1', '50100']]));
    const leg = { instrument: 'b:BTC/USDT' as InstrumentId, side: 'sell', price: price(50_100) } as const;
    expect(world.executor.restingAgainst(leg)).toBe(false);
    expect(world.executor.restingAgainst({ ...leg, how: 'maker' })).toBe(true);
    expect(world.executor.restingAgainst({ ...leg, how: 'maker', price: price(50_101) })).toBe(false);
  });

  it('is refused to another order by hand', () => {
    const buy = resting({ operation: 'm-2' as OperationId, side: 'buy', price: new Decimal(50_600) as Price });
    expect(world.executor.submitManual(buy)).toMatchObject({ reason: 'SELF_TRADE', detail: 'order=a000700000100' });
  });

  it('is refused to an order by hand where one of a plan is still on its way', () => {
    world.executor.submit(planOf('op-1', [['b:BTC/USDT', 'buy', '0.1', '50100']]));
    const there = { instrument: instruments.get('b:BTC/USDT' as InstrumentId)!, operation: 'm-2' as OperationId };
    const sell = resting({ ...there, price: new Decimal(50_000) as Price });
    expect(world.executor.submitManual(sell)).toMatchObject({ reason: 'SELF_TRADE', detail: 'order=a000700000200' });
    world.say(world.sent[1]!, { kind: 'expired' });
    expect(world.executor.submitManual(sell)).toMatchObject({ kind: 'sent' });
  });

  it('never happens to recovery: what rests in its way is taken back first', () => {
    world.executor.submit(planOf('op-1', [BUY, SELL]));
    world.say(world.sent[2]!, fill(world.sent[2]!, '0.1998'));
    const limit = price(50_600);
    const order = { leg: 0, purpose: 'complete', instrument: A, side: 'buy', qty: new Decimal('0.2') as Qty } as const;
    world.decision = { kind: 'send', orders: [{ ...order, price: limit }] };
    world.say(world.sent[1]!, { kind: 'expired' });
    expect(world.sent).toHaveLength(3);
    expect(world.canceled).toEqual([world.sent[0]!.clientOrderId]);
    world.say(world.sent[0]!, { kind: 'canceled' });
    world.runMs(PATIENCE.recoverAfterMs);
    expect(world.sent).toHaveLength(4);
    expect(world.told()).toContain('recovering');
  });

  it('never happens to the recovery of an operation that was taken over before the order that rests', () => {
    const before = new ExecutorWorld();
    before.decision = { kind: 'wait', reason: 'no book' };
    before.executor.submit(planOf('op-1', [BUY, SELL]));
    before.say(before.sent[0]!, { kind: 'expired' });
    before.say(before.sent[1]!, fill(before.sent[1]!, '0.1998'));
    before.executor.submitManual(resting());
    const state = new JournalState();
    for (const event of before.journal.events) state.apply(event);

    const next = new ExecutorWorld({ epoch: 8 });
    const order = { leg: 0, purpose: 'complete', instrument: A, side: 'buy', qty: new Decimal('0.2') as Qty } as const;
    next.decision = { kind: 'send', orders: [{ ...order, price: price(50_600) }] };
    next.executor.resume({ open: state.openOperations(), ended: [], atMs: state.atMs });
    const rests = before.sent[2]!;
    expect([next.sent, next.canceled]).toEqual([[], [rests.clientOrderId]]);
    next.say(rests, { kind: 'canceled' });
    next.runMs(PATIENCE.recoverAfterMs);
    expect(next.sent.map(({ operation }) => operation)).toEqual(['op-1']);
  });
});
