import { beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE } from '#hotpath/execute/executor.ts';
import { Bug } from '#shared/assert.ts';
import type { ClientOrderId, InstrumentId, TimeNs, VenueId, VenueOrderId } from '#shared/domain/ids.ts';
import { eventKinds, engineEvent } from '#shared/schema/event.ts';
import { BUY, ExecutorWorld, fill, SELL } from './executor-world.ts';
import { planOf } from './trading.ts';

let world: ExecutorWorld;

beforeEach(() => {
  world = new ExecutorWorld();
});

describe('Executor', () => {
  it('sends all legs in one tick, each journalled, reserved and told under the id of its opportunity', () => {
    world.executor.submit(planOf('op-1', [BUY, SELL]));
    expect(world.sent.map(({ clientOrderId }) => clientOrderId)).toEqual(['a000700000100', 'a000700000110']);
    expect(world.journal.flushed).toBe(world.journal.events.length);
    expect(world.told()).toEqual(['approved', 'executing']);
    expect(world.journal.of('operation')[0]).toMatchObject({ opportunity: 'first-opp-op-1', rates: { BTC: '50000' } });
    expect(world.ledger.freeOf('a' as VenueId, 'USDT').toFixed()).toBe('10000');
    expect(world.executor.busy('a:BTC/USDT' as InstrumentId)).toBe(true);
    expect(world.ledger.exposures.total).toBeCloseTo(20_009.98);
    expect(world.executor.counts).toMatchObject({ open: 1 });
    expect(world.executor.working).toBe(1);
  });

  it('completes when every leg is filled, with its profit, and writes only events that consumers accept', () => {
    world.executor.submit(planOf('op-1', [BUY, SELL]));
    for (const order of world.sent) {
      world.say(order, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
      world.say(order, fill(order, order.qty.toFixed()));
    }
    expect(world.told()).toEqual(['approved', 'executing', 'completed']);
    // 0.2 bought at 50000, 0.1998 sold at 50100, less 0.0001 BTC and 0.0001 USDT of fees.
    expect(world.journal.of('operation').at(-1)!.pnl).toEqual({ realised: '14.9799', fees: '5.0001' });
    expect(
      world.journal
        .of('balance')
        .map(({ venue, asset, total }) => `${venue} ${asset} ${total}`)
        .sort(),
    ).toEqual(['a BTC 1.1999', 'a USDT 10000', 'b BTC 0.8002', 'b USDT 30009.9799']);
    expect(world.journal.of('position').map(({ id, type }) => `${id} ${type}`)).toEqual([
      'a:BTC/USDT long',
      'b:BTC/USDT short',
    ]);
    expect(world.executor.counts).toEqual({ completed: 1, failed: 0, recovering: 0, escalated: 0, open: 0 });
    expect(world.ledger.dust.get('BTC')?.toFixed()).toBe('0.0001');
    for (const event of world.journal.events) expect(engineEvent.safeParse(event).error).toBeUndefined();
    expect(eventKinds).toContain('fill');
  });

  it('sends nothing that an account does not bear', () => {
    world.executor.submit(planOf('op-1', [BUY, ['b:BTC/USDT', 'sell', '1.5', '50100']]));
    expect(world.sent).toEqual([]);
    expect(world.told()).toEqual(['approved', 'failed BALANCE_INSUFFICIENT']);
    expect(world.ledger.exposures.total).toBe(0);
    expect(world.ledger.freeOf('a' as VenueId, 'USDT').toFixed()).toBe('20000');
  });

  it('asks about a silent order by its id, never sends it again, and asks a person when nobody knows', () => {
    world.executor.submit(planOf('op-1', [BUY, SELL]));
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.1998'));
    world.say(world.sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    world.clock.runUntil(1.1e9);
    expect(world.orderStates(world.sent[0]!.clientOrderId)).toEqual(['submitted', 'accepted', 'unknown']);
    expect(world.canceled).toEqual([world.sent[0]!.clientOrderId]);
    world.clock.runUntil(400e9);
    expect(world.told().at(-1)).toBe(`escalated ORDER_UNKNOWN: orders=${world.sent[0]!.clientOrderId}`);
    expect(world.probed.length).toBeGreaterThan(PATIENCE.probesMax);
    expect(new Set(world.probed)).toEqual(new Set([world.sent[0]!.clientOrderId]));
    expect(world.sent.length).toBe(2);
    // It may still be live: its money stays reserved, and its venue is asked on.
    expect(world.ledger.reservedOf('a' as VenueId, 'USDT').toFixed()).toBe('10000');
    const asked = world.probed.length;
    world.runMs(60_000);
    expect(world.probed.length).toBe(asked + 4);
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.2'));
    expect(world.told().at(-1)).toBe('completed');
    expect(world.journal.of('escalation').map(({ state }) => state)).toEqual(['open', 'settled']);
    expect(world.ledger.reservedOf('a' as VenueId, 'USDT').toFixed()).toBe('0');
    expect(world.clock.step(Infinity)).toBe(false);
  });

  it('believes that an order was never seen only when told twice, and not too soon', () => {
    world.executor.submit(planOf('op-1', [BUY]));
    world.say(world.sent[0]!, { kind: 'unknown', cause: 'disconnect' });
    world.clock.runUntil(0.25e9);
    expect(world.probed.length).toBe(1);
    // So soon it may still be on its way; and the answer to an early question may be heard late.
    for (let times = 0; times < 3; times += 1) world.say(world.sent[0]!, { kind: 'not-found' });
    world.clock.runUntil(3e9);
    for (let times = 0; times < 3; times += 1)
      world.say(world.sent[0]!, { kind: 'not-found', askedTimeNs: 1.9e9 as TimeNs });
    world.say(world.sent[0]!, { kind: 'not-found' });
    expect(world.executor.counts.open).toBe(1);
    world.say(world.sent[0]!, { kind: 'not-found' });
    expect(world.orderStates(world.sent[0]!.clientOrderId)).toEqual(['submitted', 'unknown', 'expired']);
    expect(world.executor.counts.open).toBe(0);
  });

  it('asks as soon as a denial says something, and once more soon after it', () => {
    world.decision = { kind: 'complete', reason: 'unfilled' };
    world.executor.submit(planOf('op-1', [BUY]));
    const askedMs: number[] = [];
    while (world.executor.counts.open > 0 && world.clock.step(10e9)) {
      if (world.probed.length === askedMs.length) continue;
      askedMs.push(world.clock.now() / 1e6);
      world.say(world.sent[0]!, { kind: 'not-found', askedTimeNs: world.clock.now() });
    }
    const { notFoundAfterMs, probeAfterMs } = PATIENCE;
    expect(askedMs.filter((ms) => ms < notFoundAfterMs).length).toBeGreaterThan(2);
    expect(askedMs.filter((ms) => ms >= notFoundAfterMs)).toEqual([
      notFoundAfterMs + 1,
      notFoundAfterMs + 1 + probeAfterMs,
    ]);
  });

  it('counts a repeated fill once and believes one that comes after the end: the operation is open again', () => {
    world.executor.submit(planOf('op-1', [BUY, SELL]));
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.1'));
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.1'));
    world.say(world.sent[0]!, { kind: 'expired' });
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.1998'));
    expect(world.views[0]!.legs.map(({ filledQty }) => filledQty.toFixed())).toEqual(['0.1', '0.1998']);
    expect(world.executor.counts).toMatchObject({ completed: 1, open: 0 });
    world.decision = { kind: 'complete', reason: 'dust' };
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.05', '2'));
    expect(world.told().slice(-2)).toEqual(['recovering late-fill', 'completed dust']);
    expect(world.orderStates(world.sent[0]!.clientOrderId).at(-1)).toBe('expired');
    expect(world.executor.counts).toEqual({ completed: 1, failed: 0, recovering: 0, escalated: 0, open: 0 });
  });

  it('sends what recovery decides under new ids, and waits when it cannot', () => {
    world.executor.submit(planOf('op-1', [BUY, SELL]));
    world.decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.2'));
    world.say(world.sent[1]!, { kind: 'rejected', reason: 'venue-down', text: '' });
    expect(world.told().slice(-1)).toEqual(['recovering NO_WAY_OUT_NOW']);
    expect(world.executor.counts).toMatchObject({ open: 1, recovering: 1 });
    const { price, qty, instrument } = world.sent[1]!;
    world.decision = { kind: 'send', orders: [{ leg: 1, purpose: 'complete', instrument, side: 'sell', price, qty }] };
    world.clock.runUntil(0.26e9);
    expect(world.sent.at(-1)).toMatchObject({
      clientOrderId: 'a000700000111',
      attempt: 1,
      purpose: 'complete',
      side: 'sell',
    });
    world.decision = { kind: 'complete' };
    world.say(world.sent.at(-1)!, fill(world.sent.at(-1)!, '0.1998'));
    expect(world.views.map(({ round, waits }) => [round, waits])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
    expect(world.told().slice(-2)).toEqual(['recovering NO_WAY_OUT_NOW', 'completed']);
  });

  it('does nothing more once stopped: what is open stays as the journal has it', () => {
    world.executor.submit(planOf('op-1', [BUY, SELL]));
    world.decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    world.executor.submit(planOf('op-2', [['a:ETH/USDT', 'buy', '1', '2500']]));
    world.say(world.sent[2]!, fill(world.sent[2]!, '0.5'));
    world.say(world.sent[2]!, { kind: 'expired' });
    world.executor.stop();
    const events = world.journal.events.length;
    world.clock.runUntil(120e9);
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.2'));
    expect(world.journal.events.length).toBe(events);
    expect([world.sent.length, world.probed.length, world.views.length]).toEqual([3, 0, 1]);
    expect(world.executor.counts).toMatchObject({ open: 2 });
  });

  it('counts reports that make no sense and changes nothing', () => {
    world.executor.submit(planOf('op-1', [BUY]));
    const events = world.journal.events.length;
    world.executor.onReport({
      clientOrderId: 'foreign' as ClientOrderId,
      receivedTimeNs: world.clock.now(),
      kind: 'canceled',
    });
    const wrong = fill(world.sent[0]!, '0.1');
    world.say(world.sent[0]!, { kind: 'fill', fill: { ...wrong.fill, side: 'sell' } });
    expect(world.executor.anomalies).toBe(2);
    expect(world.journal.events.length).toBe(events);
  });

  it('refuses an operation that is open already', () => {
    world.executor.submit(planOf('op-1', [BUY]));
    expect(() => world.executor.submit(planOf('op-1', [SELL]))).toThrow(Bug);
  });
});
