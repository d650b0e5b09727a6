import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE } from '#hotpath/execute/executor.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import { revive } from '#hotpath/recover/startup.ts';
import type { InstrumentId, OperationId, VenueId, VenueOrderId } from '#shared/domain/ids.ts';
import type { Escalation, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import { engineEvent } from '#shared/schema/event.ts';
import { BUY, ExecutorWorld, fill, SELL } from './executor-world.ts';
import { planOf } from './trading.ts';

const OP = 'op-1' as OperationId;
const WORD = { by: 'ann', commandId: 'c-1' };
const order = (purpose: 'complete' | 'unwind', price: string): RecoveryOrder => ({
  leg: purpose === 'complete' ? 1 : 0,
  purpose,
  instrument: (purpose === 'complete' ? 'b:BTC/USDT' : 'a:BTC/USDT') as InstrumentId,
  side: 'sell',
  price: new Decimal(price) as Price,
  qty: new Decimal('0.1998') as Qty,
});
const asking = (cost: string, price = '49000'): Escalation => ({
  kind: 'escalate',
  reason: 'LOSS_ABOVE_MAX: BTC=0.1998',
  request: 'Decide.',
  loose: [{ instrument: 'a:BTC/USDT' as InstrumentId, size: new Decimal('0.1998'), value: new Decimal('9990') }],
  proposals: [
    { id: 'complete', kind: 'complete', cost: new Decimal(cost), orders: [order('complete', price)] },
    { id: 'unwind', kind: 'unwind', cost: new Decimal('900'), orders: [order('unwind', '45000')] },
    { id: 'accept', kind: 'accept', cost: new Decimal(0), orders: [] },
  ],
  loss: new Decimal(cost),
});

let world: ExecutorWorld;

/** One leg filled, the other rejected: recovery says what the test has it say. */
function oneSided(): void {
  world.executor.submit(planOf(OP, [BUY, SELL]));
  world.say(world.sent[0]!, fill(world.sent[0]!, '0.2'));
  world.say(world.sent[1]!, { kind: 'rejected', reason: 'venue-down', text: '' });
}

beforeEach(() => {
  world = new ExecutorWorld();
});

describe('an escalated operation', () => {
  beforeEach(() => {
    world.decision = asking('200');
    oneSided();
  });

  it('stays open and asks once, in words, with ways out and their cost', () => {
    world.runMs(360_000);
    expect(world.told()).toEqual(['approved', 'executing', 'escalated LOSS_ABOVE_MAX: BTC=0.1998']);
    expect(world.executor.counts).toMatchObject({ open: 1, escalated: 1, recovering: 0 });
    expect(world.executor.idle).toBe(true);
    expect([world.executor.working, world.executor.busy('a:BTC/USDT' as InstrumentId)]).toEqual([0, false]);
    expect(world.journal.of('escalation')).toHaveLength(1);
    expect(world.asked()).toMatchObject({ operation: OP, state: 'open', attempts: 2, loss: '200' });
    expect(world.asked().proposals.map(({ id, cost }) => `${id} ${cost}`)).toEqual([
      'complete.7-1 200',
      'unwind.7-1 900',
      'accept.7-1 0',
    ]);
    expect(world.asked().request).toContain('complete.7-1, unwind.7-1, accept.7-1');
    expect(world.views.length).toBe(1 + 360_000 / PATIENCE.askAgainMs);
    for (const event of world.journal.events) expect(engineEvent.safeParse(event).error).toBeUndefined();
  });

  it('shows ways out anew when they have changed, and then knows the old ones no more', () => {
    world.decision = asking('210');
    world.runMs(PATIENCE.askAgainMs);
    expect(world.journal.of('escalation')).toHaveLength(1);
    world.decision = asking('300', '48000');
    world.runMs(PATIENCE.askAgainMs);
    expect(world.asked().proposals[0]).toMatchObject({ id: 'complete.7-2', cost: '300' });
    expect(world.asked().since_ms).toBe(world.journal.of('escalation')[0]!.since_ms);
    expect(world.executor.approveRecovery(OP, 'complete.7-1', WORD)).toMatchObject({ reason: 'NOT_ON_OFFER' });
    expect(world.executor.approveRecovery(OP, 'complete.7-2', WORD)).toEqual({ kind: 'done' });
    expect(world.sent.at(-1)!.price.toFixed()).toBe('48000');
  });

  it('sends what a person approves, and asks again when that was not enough', () => {
    expect(world.executor.approveRecovery(OP, undefined, WORD)).toEqual({ kind: 'done' });
    expect(world.asked()).toMatchObject({ state: 'approved', by: 'ann', command_id: 'c-1' });
    expect(world.told().at(-1)).toBe('recovering approved by ann');
    const sent = world.sent.at(-1)!;
    expect(sent).toMatchObject({ purpose: 'complete', instrument: 'b:BTC/USDT', attempt: 1 });
    expect(world.journal.flushed).toBe(world.journal.events.length);
    expect(world.executor.approveRecovery(OP, undefined, WORD)).toMatchObject({ reason: 'NOT_ASKED' });
    world.say(sent, { kind: 'expired' });
    world.runMs(PATIENCE.recoverAfterMs);
    expect(world.views.at(-1)).toMatchObject({ round: 1, waits: 0 });
    expect(world.told().at(-1)).toMatch(/^escalated /);
    expect(world.asked()).toMatchObject({ state: 'open', attempts: 3 });
  });

  it('goes on by itself once there is a way again', () => {
    world.decision = { kind: 'send', orders: [order('complete', '50000')] };
    world.runMs(PATIENCE.askAgainMs);
    expect(world.asked().state).toBe('settled');
    expect(world.executor.counts).toMatchObject({ escalated: 0, recovering: 1 });
    world.decision = { kind: 'complete', reason: 'recovered' };
    world.say(world.sent.at(-1)!, fill(world.sent.at(-1)!, '0.1998'));
    expect(world.told().at(-1)).toBe('completed recovered');
    expect(world.executor.counts).toEqual({ completed: 1, failed: 0, recovering: 0, escalated: 0, open: 0 });
  });

  it('ends as it stands when a person says so: what is loose is inventory and no dust, also after a restart', () => {
    expect(world.executor.cancelRecovery(OP, WORD)).toEqual({ kind: 'done' });
    expect(world.asked()).toMatchObject({ state: 'cancelled', by: 'ann' });
    expect(world.told().at(-1)).toBe('failed ACCEPTED: by=ann');
    expect(world.ledger.dust.size).toBe(0);
    expect(world.executor.counts).toMatchObject({ failed: 1, escalated: 0, open: 0 });
    expect(stateOf(world).ledger().dust).toEqual({});
    expect(world.executor.cancelRecovery(OP, WORD)).toMatchObject({ reason: 'NOT_ASKED' });
  });

  it('takes a late fill in and asks recovery again', () => {
    world.decision = { kind: 'complete' };
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.1998'));
    expect(world.told().at(-1)).toBe('completed');
    expect(world.asked().state).toBe('settled');
  });

  it('refuses what an account does not bear, and stays', () => {
    world.ledger.adjust('b' as VenueId, 'BTC', new Decimal(-1));
    expect(world.executor.approveRecovery(OP, 'complete.7-1', WORD)).toMatchObject({ reason: 'BALANCE_INSUFFICIENT' });
    expect(world.executor.counts.escalated).toBe(1);
  });

  it('is still escalated after a restart, and its old proposals answer to nobody', () => {
    const next = restarted(world);
    next.decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    expect(next.executor.counts).toMatchObject({ escalated: 1, open: 1 });
    expect(next.executor.approveRecovery(OP, 'complete.7-1', WORD)).toMatchObject({ reason: 'NOT_ON_OFFER' });
    next.decision = asking('200');
    next.runMs(PATIENCE.askAgainMs);
    expect(next.asked()).toMatchObject({ state: 'open', since_ms: world.asked().since_ms });
    expect(next.asked().proposals[0]!.id).toBe('complete.8-1');
    expect(next.executor.approveRecovery(OP, 'complete.8-1', WORD)).toEqual({ kind: 'done' });
    expect(next.sent.map(({ clientOrderId }) => clientOrderId)).toEqual(['a000800000111']);
  });
});

it('gets no new means by a restart: recovery goes on with what it had left', () => {
  world.decision = { kind: 'send', orders: [order('complete', '49000')] };
  oneSided();
  world.decision = asking('200');
  world.say(world.sent[2]!, fill(world.sent[2]!, '0.1'));
  world.say(world.sent[2]!, { kind: 'expired' });
  expect(world.told().at(-1)).toMatch(/^escalated /);
  const next = restarted(world);
  next.runMs(PATIENCE.askAgainMs);
  // The clock of the next start begins where the first one's did.
  expect(next.views.at(-1)).toMatchObject({ round: 1, ageMs: PATIENCE.askAgainMs });
});

it('asks anew when a kill has lost the request, and takes no word before', () => {
  world.decision = asking('200');
  oneSided();
  world.journal.events.splice(world.journal.events.findIndex(({ kind }) => kind === 'escalation'));
  const next = restarted(world);
  next.decision = asking('200');
  expect(next.executor.counts).toMatchObject({ escalated: 1 });
  expect(next.executor.approveRecovery(OP, 'complete.7-1', WORD)).toMatchObject({ reason: 'NOT_ON_OFFER' });
  next.runMs(PATIENCE.askAgainMs);
  expect(next.asked().proposals[0]!.id).toBe('complete.8-1');
});

describe('an order in doubt', () => {
  beforeEach(() => {
    world.executor.submit(planOf(OP, [BUY, SELL]));
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.1998'));
    world.runMs(360_000);
    expect(world.told().at(-1)).toBe('escalated ORDER_UNKNOWN: orders=a000700000100');
  });

  it('is given up on a person`s word, and recovery goes on', () => {
    world.decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    expect(world.executor.approveRecovery(OP, undefined, WORD)).toMatchObject({ reason: 'NOT_ON_OFFER' });
    world.canceled.length = 0;
    expect(world.executor.approveRecovery(OP, 'accept.7-1', WORD)).toEqual({ kind: 'done' });
    expect(world.orderStates('a000700000100').at(-1)).toBe('expired');
    expect(world.canceled).toEqual(['a000700000100']);
    expect(world.executor.counts).toMatchObject({ recovering: 1, escalated: 0 });
    expect(world.ledger.reservedOf('a' as VenueId, 'USDT').toFixed()).toBe('0');
  });

  it('keeps nobody from going on when its venue denies it once more after it was given up', () => {
    world.say(world.sent[0]!, { kind: 'not-found', askedTimeNs: world.clock.now() });
    world.decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    expect(world.executor.approveRecovery(OP, 'accept.7-1', WORD)).toEqual({ kind: 'done' });
    world.say(world.sent[0]!, { kind: 'not-found', askedTimeNs: world.clock.now() });
    world.decision = { kind: 'complete' };
    world.runMs(60_000);
    expect(world.told().at(-1)).toBe('completed');
  });

  it('ends with its operation when a person takes things as they are, and wakes it when it did fill', () => {
    expect(world.executor.cancelRecovery(OP, WORD)).toEqual({ kind: 'done' });
    expect(world.told().at(-1)).toBe('failed ACCEPTED: by=ann');
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.2'));
    expect(world.told().slice(-2)).toEqual(['recovering late-fill', 'completed']);
    // Sold without having been bought, then bought after all: the dust ledger has what is left between the two.
    expect(world.ledger.dust.get('BTC')?.toFixed()).toBe('0.0001');
    expect(stateOf(world).ledger().dust['BTC']?.toFixed()).toBe('0.0001');
  });
});

describe('after a restart', () => {
  it('asks about every order of what ended lately, and a fill that nobody heard wakes its operation', () => {
    world.executor.submit(planOf(OP, [BUY, SELL]));
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.1'));
    world.say(world.sent[0]!, { kind: 'expired' });
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.1998'));
    expect(world.told().at(-1)).toBe('completed');
    const next = restarted(world);
    expect(next.probed).toEqual(['a000700000100', 'a000700000110']);
    expect(next.executor.counts).toMatchObject({ completed: 0, open: 0 });
    next.decision = { kind: 'complete' };
    for (const [at, sent] of world.sent.entries()) next.say(sent, fill(sent, at === 0 ? '0.1' : '0.1998'));
    expect(next.journal.of('fill')).toEqual([]);
    next.say(world.sent[0]!, fill(world.sent[0]!, '0.1', '2'));
    expect(next.told()).toEqual(['recovering late-fill', 'completed']);
    expect(next.executor.counts).toMatchObject({ completed: 1, open: 0 });
    expect(next.ledger.dust.get('BTC')?.toFixed()).toBe('0');
  });

  it('counts lately from the end, however long an operation took, and asks about nothing that ended before', () => {
    world.executor.submit(planOf(OP, [BUY, SELL]));
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.2'));
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.1998'));
    world.executor.submit(planOf('op-2', [BUY, SELL]));
    world.say(world.sent[2]!, fill(world.sent[2]!, '0.2', '3'));
    world.runMs(120_000);
    world.say(world.sent[3]!, fill(world.sent[3]!, '0.1998', '4'));
    expect(world.told().at(-1)).toBe('completed');
    expect(restarted(world).probed).toEqual(['a000700000200', 'a000700000210']);
  });
});

describe('the fence', () => {
  it('lets no plan out, and says why', () => {
    world.closed = 'EMERGENCY_STOP: fire';
    world.executor.submit(planOf(OP, [BUY, SELL]));
    expect(world.sent).toEqual([]);
    expect(world.told()).toEqual(['approved', 'failed EMERGENCY_STOP: fire']);
  });

  it('withdraws what was journalled when it closed during the flush', () => {
    const recorder: Recorder = {
      record: (...fact) => world.journal.record(...fact),
      flush: () => {
        world.closed = 'LEASE_LOST';
      },
    };
    world = new ExecutorWorld({ recorder });
    world.executor.submit(planOf(OP, [BUY, SELL]));
    expect(world.sent).toEqual([]);
    expect(world.orderStates('a000700000100')).toEqual(['submitted', 'canceled']);
    expect(world.told().at(-1)).toBe('failed LEASE_LOST');
    expect(world.ledger.reservedOf('a' as VenueId, 'USDT').toFixed()).toBe('0');
  });

  it('keeps recovery from sending until it opens, while probes and cancels still go', () => {
    world.executor.submit(planOf(OP, [BUY, SELL]));
    world.closed = 'EMERGENCY_STOP: fire';
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.2'));
    world.say(world.sent[1]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    world.runMs(1_500);
    expect([world.canceled.length, world.probed.length]).toEqual([1, 2]);
    world.decision = { kind: 'send', orders: [order('complete', '50000')] };
    world.say(world.sent[1]!, { kind: 'canceled' });
    expect(world.told().at(-1)).toBe('escalated EMERGENCY_STOP: fire');
    expect(world.asked().loose).toEqual([{ instrument: 'a:BTC/USDT', size: '0.2', value: '10000' }]);
    world.runMs(360_000);
    expect(world.sent).toHaveLength(2);
    world.closed = undefined;
    world.runMs(PATIENCE.askAgainMs);
    expect(world.sent).toHaveLength(3);
    expect(world.asked().state).toBe('settled');
  });
});

const stateOf = ({ journal }: ExecutorWorld): JournalState => {
  const state = new JournalState();
  for (const venue of ['a', 'b'])
    for (const [asset, total] of [
      ['USDT', '20000'],
      ['BTC', '1'],
    ] as const)
      state.apply({
        v: 1,
        engine: 'e',
        seq: 0,
        at: '0',
        key: 'x',
        kind: 'balance',
        data: { venue, asset, total, available: total, reserved: '0' },
      });
  for (const event of journal.events) state.apply(event);
  return state;
};

/** Another start on the journal of the first. */
function restarted(before: ExecutorWorld): ExecutorWorld {
  before.executor.stop();
  const state = stateOf(before);
  const next = new ExecutorWorld({ epoch: 8, funds: false });
  next.decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
  revive(
    state,
    ['a', 'b'],
    {},
    {
      ledger: next.ledger,
      executor: next.executor,
      holdings: { restore: () => undefined },
      recorder: next.journal,
    },
  );
  return next;
}
