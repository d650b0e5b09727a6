import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE } from '#hotpath/execute/executor.ts';
import type { ManualOrder } from '#hotpath/execute/manual.ts';
import { MANUAL } from '#hotpath/execute/operation.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import type { OperationId, VenueId, VenueOrderId } from '#shared/domain/ids.ts';
import type { OrderRequest, Standing } from '#shared/domain/order.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import type { Said } from './executor-world.ts';
import { BUY, ExecutorWorld, fill, SELL } from './executor-world.ts';
import { instrumentOf, planOf } from './trading.ts';

const A = 'a' as VenueId;
const venueOrderId = 'v' as VenueOrderId;
const at = (price: number, qty: number): Standing => ({
  price: new Decimal(price) as Price,
  qty: new Decimal(qty) as Qty,
});
const stands = (standing: Standing, askedMs?: number): Said => ({
  kind: 'accepted',
  venueOrderId,
  standing,
  ...(askedMs === undefined ? {} : { askedTimeNs: (askedMs * 1e6) as never }),
});

let world: ExecutorWorld;
const first = (): OrderRequest => world.sent[0]!;
const replace = (to: Partial<Standing>, order = first()) => world.executor.replaceOrder(order.clientOrderId, to);
const reserved = (): string => world.ledger.reservedOf(A, 'USDT').toFixed();
const forward = (ms: number): void => world.clock.runUntil(world.clock.now() + ms * 1e6);
const terms = (order = first()) =>
  world.journal.of('order').findLast((data) => data.client_order_id === order.clientOrderId)!;

const byHand = (over: Partial<ManualOrder> = {}): ManualOrder => ({
  operation: 'by-hand' as OperationId,
  instrument: instrumentOf('a:BTC/USDT' as never)!,
  route: MANUAL,
  side: 'buy',
  type: 'limit',
  timeInForce: 'GTC',
  ...at(49_000, 0.1),
  ...over,
});

beforeEach(() => {
  world = new ExecutorWorld();
  world.executor.submitManual(byHand());
  world.say(first(), { kind: 'accepted', venueOrderId });
});

describe('an order that is replaced in place', () => {
  it('is in the journal first, and reserved for as what it is and what it may become', () => {
    expect(replace(at(49_500, 0.2))).toMatchObject({ kind: 'replacing' });
    expect(world.replaced).toMatchObject([{ id: first().clientOrderId }]);
    expect(terms()).toMatchObject({ price: '49000', qty: '0.1', replacing: { price: '49500', qty: '0.2' } });
    expect(world.journal.flushed).toBe(world.journal.events.length);
    expect(reserved()).toBe('9900');
    world.say(first(), stands(at(49_500, 0.2)));
    expect(terms()).toMatchObject({ price: '49500', qty: '0.2' });
    expect(terms()).not.toHaveProperty('replacing');
    replace({ qty: at(1, 0.05).qty });
    expect(reserved()).toBe('9900');
    world.say(first(), stands(at(49_500, 0.05)));
    expect(reserved()).toBe('2475');
  });

  it('stays as it was when its venue says no', () => {
    replace(at(49_500, 0.2));
    world.say(first(), { kind: 'kept', to: at(49_400, 0.2), reason: 'not-allowed', text: 'of another change' });
    expect(terms()).toHaveProperty('replacing');
    world.say(first(), { kind: 'kept', to: at(49_500, 0.2), reason: 'would-take', text: '' });
    expect(terms()).toMatchObject({ price: '49000', qty: '0.1', reason: 'kept: would-take' });
    expect(reserved()).toBe('4900');
  });

  it('is asked about when nothing is heard, and never asked to change twice', () => {
    const sentMs = world.clock.now() / 1e6;
    replace(at(49_500, 0.2));
    forward(1_500);
    expect(world.probed.length).toBeGreaterThan(0);
    expect(world.replaced).toHaveLength(1);
    expect(world.canceled).toEqual([]);
    expect(replace(at(49_600, 0.2))).toMatchObject({ kind: 'refused', reason: 'NOT_RESTING' });
    // The change may still be on its way.
    world.say(first(), stands(at(49_000, 0.1), sentMs + 1_000));
    world.say(first(), stands(at(49_000, 0.1)));
    expect(terms()).toHaveProperty('replacing');
    world.say(first(), stands(at(49_000, 0.1), sentMs + 2_000));
    expect(terms()).not.toHaveProperty('replacing');
    expect(reserved()).toBe('4900');
  });

  it('is what its venue says it is, should the change come after all', () => {
    const sentMs = world.clock.now() / 1e6;
    replace(at(49_500, 0.2));
    world.say(first(), { kind: 'kept', to: at(49_500, 0.2), reason: 'venue-down', text: '' });
    world.say(first(), stands(at(49_500, 0.2), sentMs + 5_000));
    expect(terms()).toMatchObject({ price: '49500', qty: '0.2' });
    expect(reserved()).toBe('9900');
  });

  it('is reserved for as what its venue says it is, though the account does not bear that', () => {
    const sentMs = world.clock.now() / 1e6;
    replace(at(49_500, 0.2));
    world.say(first(), { kind: 'kept', to: at(49_500, 0.2), reason: 'venue-down', text: '' });
    world.ledger.adjust(A, 'USDT', new Decimal(6_000));
    world.say(first(), stands(at(49_500, 0.2), sentMs + 5_000));
    expect(reserved()).toBe('9900');
    expect(world.ledger.freeOf(A, 'USDT').toFixed()).toBe('-3900');
  });

  it('counts what fills meanwhile, whichever it is by then', () => {
    replace(at(49_500, 0.06));
    world.say(first(), fill(first(), '0.05'));
    expect(terms()).toMatchObject({ status: 'partially-filled', filled_qty: '0.05' });
    world.say(first(), stands(at(49_500, 0.06)));
    expect(reserved()).toBe('495');
    world.say(first(), fill(first(), '0.01', '2'));
    expect(world.told().at(-1)).toBe('completed');
    expect(reserved()).toBe('0');
  });

  it('is full as what it was when its venue could not make it more', () => {
    replace(at(49_000, 0.2));
    world.say(first(), fill(first(), '0.1'));
    expect(world.told().at(-1)).toBe('executing');
    world.say(first(), { kind: 'kept', to: at(49_000, 0.2), reason: 'not-allowed', text: '' });
    expect(terms()).toMatchObject({ status: 'filled' });
    expect(world.told().at(-1)).toBe('completed');
  });

  it('is refused beyond the account, below what has filled, against our own, behind a fence and when it is over', () => {
    expect(replace(at(49_000, 1))).toMatchObject({ kind: 'refused', reason: 'BALANCE_INSUFFICIENT' });
    world.say(first(), fill(first(), '0.05'));
    expect(replace(at(49_000, 0.05))).toMatchObject({ kind: 'refused', reason: 'FILLED_BEYOND' });
    world.executor.submitManual(byHand({ operation: 'other' as OperationId, side: 'sell', ...at(50_000, 0.1) }));
    expect(replace(at(50_000, 0.1))).toMatchObject({ kind: 'refused', reason: 'SELF_TRADE' });
    world.closed = 'LEASE_LOST';
    expect(replace(at(49_100, 0.1))).toMatchObject({ kind: 'refused', reason: 'FENCED' });
    world.closed = undefined;
    world.say(first(), { kind: 'canceled' });
    expect(replace(at(49_100, 0.1))).toEqual({ kind: 'over', status: 'canceled' });
    expect(world.replaced).toEqual([]);
    expect(terms()).not.toHaveProperty('replacing');
  });
});

describe('where the venue cannot', () => {
  beforeEach(() => {
    world.replaces = false;
  });

  it('takes the order back, and sends another for what is left once it is surely over', () => {
    replace(at(49_500, 0.2));
    expect(world.canceled).toEqual([first().clientOrderId]);
    world.say(first(), fill(first(), '0.03'));
    expect(world.sent).toHaveLength(1);
    world.say(first(), { kind: 'canceled' });
    expect(world.sent).toHaveLength(2);
    expect(world.sent[1]).toMatchObject({ timeInForce: 'GTC', purpose: 'manual' });
    expect([world.sent[1]!.price.toFixed(), world.sent[1]!.qty.toFixed()]).toEqual(['49500', '0.17']);
    expect(world.sent[1]!.clientOrderId).not.toBe(first().clientOrderId);
    expect(terms()).toMatchObject({ status: 'canceled', replaced_by: world.sent[1]!.clientOrderId });
    expect(reserved()).toBe('8415');
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.17', '2'));
    expect(world.told().at(-1)).toBe('completed');
  });

  it('sends none when a person takes the order back, when it is full, and behind a fence', () => {
    replace(at(49_500, 0.2));
    world.executor.cancelOrder(first().clientOrderId);
    world.say(first(), { kind: 'canceled' });
    expect(world.sent).toHaveLength(1);
    expect(world.told().at(-1)).toBe('completed unfilled');

    world.executor.submitManual(byHand({ operation: 'full' as OperationId }));
    world.say(world.sent[1]!, { kind: 'accepted', venueOrderId });
    replace({ price: at(49_500, 1).price }, world.sent[1]);
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.1'));
    expect(world.sent).toHaveLength(2);

    world.executor.submitManual(byHand({ operation: 'fenced' as OperationId }));
    world.say(world.sent[2]!, { kind: 'accepted', venueOrderId });
    replace({ price: at(49_500, 1).price }, world.sent[2]);
    world.closed = 'LEASE_LOST';
    world.say(world.sent[2]!, { kind: 'canceled' });
    expect(world.sent).toHaveLength(3);
  });

  it('takes the other one back when the first has done more than it had said', () => {
    replace(at(49_500, 0.1));
    world.say(first(), { kind: 'canceled' });
    world.say(first(), fill(first(), '0.04'));
    expect(world.canceled).toEqual([first().clientOrderId, world.sent[1]!.clientOrderId]);
  });

  it('takes back what stands now, when the other one has been replaced as well', () => {
    replace(at(49_500, 0.1));
    world.say(first(), { kind: 'canceled' });
    world.say(world.sent[1]!, { kind: 'accepted', venueOrderId });
    replace(at(49_600, 0.1), world.sent[1]);
    world.say(world.sent[1]!, { kind: 'canceled' });
    world.say(first(), fill(first(), '0.04'));
    expect(world.canceled).toEqual(world.sent.map(({ clientOrderId }) => clientOrderId));
  });

  it('takes the other one back after a restart too', () => {
    replace(at(49_500, 0.1));
    world.say(first(), { kind: 'canceled' });
    const [one, other] = world.sent;
    world.say(other!, { kind: 'accepted', venueOrderId });
    const state = new JournalState();
    for (const event of world.journal.events) state.apply(event);
    const next = new ExecutorWorld({ epoch: 8 });
    next.executor.resume({ open: state.openOperations(), ended: [], atMs: state.atMs });
    expect(next.probed).toEqual([one!.clientOrderId, other!.clientOrderId]);
    next.say(other!, { kind: 'accepted', venueOrderId });
    expect(next.canceled).toEqual([]);
    next.say(one!, fill(one!, '0.04'));
    expect(next.canceled).toEqual([other!.clientOrderId]);
    expect(next.journal.of('order').findLast(({ client_order_id: id }) => id === one!.clientOrderId)).toMatchObject({
      filled_qty: '0.04',
      replaced_by: other!.clientOrderId,
    });
  });
});

describe('a leg that makes', () => {
  const start = (replaces: boolean, best: () => number): void => {
    world = new ExecutorWorld({ bestOf: () => new Decimal(best()) });
    world.replaces = replaces;
    const plan = planOf('op-1', [BUY, SELL]);
    const legs = plan.legs.map((leg, nth) => (nth === 0 ? { ...leg, how: 'maker' as const } : leg));
    world.executor.submit({ ...plan, legs });
    world.say(first(), { kind: 'accepted', venueOrderId });
  };

  it('stands at the best of its side and follows it, up to the worst that the plan bears and never back', () => {
    let best = 49_900;
    start(true, () => best);
    expect(first().price.toFixed()).toBe('49900');
    for (const [moved, expected] of [
      [49_950, '49950'],
      [49_940, undefined],
      [50_100, '50000'],
      [50_200, undefined],
    ] as const) {
      best = moved;
      const before = world.replaced.length;
      forward(600);
      expect(world.replaced.at(before)?.price.toFixed()).toBe(expected);
      const asked = world.replaced.at(-1)!;
      world.say(first(), stands({ price: asked.price, qty: asked.qty }));
    }
    world.say(first(), fill(first(), '0.2'));
    expect(world.sent[1]).toMatchObject({ side: 'sell', timeInForce: 'IOC' });
  });

  it('is not sent anew once another leg has missed, or its time is over', () => {
    let best = 49_900;
    start(false, () => best);
    best = 49_950;
    forward(600);
    world.say(first(), fill(first(), '0.1'));
    world.say(world.sent[1]!, { kind: 'expired' });
    world.decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    world.say(first(), { kind: 'canceled' });
    expect(world.sent).toHaveLength(2);

    start(false, () => best);
    forward(PATIENCE.makerMs - 400);
    best = 49_960;
    forward(1_000);
    expect(world.canceled).toContain(first().clientOrderId);
    world.say(first(), { kind: 'canceled' });
    expect(world.sent).toHaveLength(1);
  });

  it('is followed in proportion whichever of its orders fills', () => {
    let best = 49_900;
    start(false, () => best);
    best = 49_950;
    forward(600);
    world.say(first(), fill(first(), '0.1'));
    const [, half] = world.sent;
    expect(half!.qty.toFixed()).toBe('0.0999');
    world.say(half!, fill(half!, '0.0999'));
    world.say(first(), { kind: 'canceled' });
    const anew = world.sent[2]!;
    expect([anew.price.toFixed(), anew.qty.toFixed(), anew.postOnly]).toEqual(['49950', '0.1', true]);
    world.say(anew, { kind: 'accepted', venueOrderId });
    world.say(anew, fill(anew, '0.1', '3'));
    const rest = world.sent[3]!;
    expect(rest.qty.toFixed()).toBe('0.0999');
    world.say(rest, fill(rest, '0.0999', '4'));
    expect(world.told()).toEqual(['approved', 'executing', 'completed']);
  });
});
