import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Priority, WeightedTask } from '#hotpath/runtime/weight-limiter.ts';
import { PRIORITIES, WeightLimiter } from '#hotpath/runtime/weight-limiter.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';

const MS = 1e6;
const BUCKETS = { ip: { units: 20, windowMs: 1_000 }, orders: { units: 8, windowMs: 300 } };

type Ran = {
  readonly task: number;
  readonly priority: Priority;
  readonly atNs: number;
  readonly weight: WeightedTask['weight'];
};
type Step = { readonly waitMs: number; readonly priority: Priority; readonly ip: number; readonly orders: number };

const steps = fc.array(
  fc.record({
    waitMs: fc.integer({ min: 0, max: 200 }),
    priority: fc.constantFrom(...PRIORITIES),
    ip: fc.integer({ min: 0, max: 7 }),
    orders: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 80 },
);

function rig(reserved = 0.25, queueMax = 1_000) {
  const clock = new VirtualClock(0n);
  const limiter = new WeightLimiter(clock, { buckets: BUCKETS, reserved, queueMax });
  const ran: Ran[] = [];
  let count = 0;
  const submit = (priority: Priority, weight: WeightedTask['weight'], more: Partial<WeightedTask> = {}) => {
    const task = count;
    count += 1;
    const run = (): void => void ran.push({ task, priority, weight, atNs: clock.now() });
    return limiter.submit({ priority, weight, run, ...more });
  };
  const play = (list: readonly Step[], each: () => void = () => undefined): void => {
    for (const { waitMs, priority, ip, orders } of list) {
      clock.runUntil(clock.now() + waitMs * MS);
      submit(priority, { ip, orders });
      each();
    }
  };
  return { clock, limiter, ran, submit, play, forward: (ms: number) => clock.runUntil(clock.now() + ms * MS) };
}

/** The most that any window of a bucket saw, of the tasks that `counts`. */
function most(ran: readonly Ran[], name: keyof typeof BUCKETS, counts: (ran: Ran) => boolean = () => true): number {
  const windowNs = BUCKETS[name].windowMs * MS;
  return Math.max(
    ...ran.map(({ atNs: fromNs }) =>
      ran
        .filter((each) => counts(each) && each.atNs >= fromNs && each.atNs < fromNs + windowNs)
        .reduce((sum, { weight }) => sum + (weight[name] ?? 0), 0),
    ),
  );
}

describe('WeightLimiter', () => {
  it('never exceeds any window, runs every task once, and keeps the order within a priority', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { ran, play, forward, limiter } = rig();
        play(list);
        forward(120_000);
        expect(limiter.waiting).toBe(0);
        expect(ran.map(({ task }) => task).toSorted((a, b) => a - b)).toEqual(list.map((_, task) => task));
        expect(most(ran, 'ip')).toBeLessThanOrEqual(BUCKETS.ip.units);
        expect(most(ran, 'orders')).toBeLessThanOrEqual(BUCKETS.orders.units);
        for (const priority of PRIORITIES) {
          const order = ran.filter((each) => each.priority === priority).map(({ task }) => task);
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  it('leaves the reserved share to cancels and hedges, whatever orders and queries want', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { ran, play, submit } = rig();
        const calm = list.map((step) => ({
          ...step,
          priority: step.ip % 2 === 0 ? ('order' as const) : ('query' as const),
        }));
        play(calm);
        expect(most(ran, 'ip')).toBeLessThanOrEqual(15);
        expect(most(ran, 'orders')).toBeLessThanOrEqual(6);
        expect(submit('cancel', { ip: 3, orders: 1 })).toBe('ran');
        expect(submit('hedge', { ip: 2, orders: 1 })).toBe('ran');
        expect(submit('hedge', { ip: 20 })).toBe('waits');
      }),
    );
  });

  it('is silent through a ban, whatever is asked, and goes on after it', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 30_000 }), (list, banMs) => {
        const { clock, limiter, ran, play, forward } = rig();
        const half = Math.floor(list.length / 2);
        play(list.slice(0, half));
        const before = ran.length;
        limiter.pause(banMs);
        limiter.pause(banMs / 2);
        const untilNs = clock.now() + banMs * MS;
        play(list.slice(half), () => {
          if (clock.now() < untilNs) expect(ran.length).toBe(before);
        });
        forward(120_000);
        expect(ran).toHaveLength(list.length);
        for (const { atNs } of ran.slice(before)) expect(atNs).toBeGreaterThanOrEqual(untilNs);
        expect(limiter.pausedMs).toBe(0);
      }),
    );
  });

  it('lets the urgent go first, and nobody overtake in a bucket that an urgent one waits for', () => {
    const { ran, submit, forward } = rig(0);
    submit('query', { ip: 20 });
    expect(submit('query', { ip: 1 })).toBe('waits');
    expect(submit('cancel', { ip: 20 })).toBe('waits');
    expect(submit('order', { ip: 1 })).toBe('waits');
    expect(submit('order', { orders: 1 })).toBe('waits');
    expect(submit('hedge', { orders: 1 })).toBe('ran');
    forward(1_100);
    expect(ran.map(({ task }) => task)).toEqual([0, 5, 2]);
    forward(1_100);
    expect(ran.map(({ task }) => task)).toEqual([0, 5, 2, 3, 4, 1]);
  });

  it('takes the venue at its word where it counts more than we do', () => {
    const { limiter, submit, forward } = rig(0.25);
    submit('query', { ip: 5 });
    limiter.told({ ip: 3, elsewhere: 9 });
    expect(submit('order', { ip: 5 })).toBe('ran');
    limiter.told({ ip: 18 });
    expect(submit('cancel', { ip: 2 })).toBe('ran');
    expect(submit('cancel', { ip: 1 })).toBe('waits');
    forward(1_001);
    expect(limiter.waiting).toBe(0);
  });

  it('keeps the reserve when the venue finds a bucket spent', () => {
    const { limiter, submit, forward } = rig(0.25);
    limiter.spent({ orders: 1 });
    expect(submit('order', { orders: 1 })).toBe('waits');
    expect(submit('query', { ip: 1 })).toBe('ran');
    expect(submit('cancel', { orders: 2 })).toBe('ran');
    forward(301);
    expect(limiter.waiting).toBe(0);
  });

  it('gives an empty bucket to one that is heavier than the unreserved part, and refuses what never fits', () => {
    const { submit, forward, limiter } = rig(0.9);
    expect(submit('query', { orders: 1 })).toBe('ran');
    expect(submit('query', { orders: 1 })).toBe('waits');
    expect(submit('query', { orders: 9 })).toBe('too-heavy');
    forward(301);
    expect(limiter.waiting).toBe(0);
  });

  it('refuses when too many wait, drops what is too late, and says so', () => {
    const { submit, forward, ran, limiter } = rig(0, 2);
    const dropped: string[] = [];
    const late = (name: string, withinMs: number) => ({ withinMs, drop: () => void dropped.push(name) });
    submit('order', { ip: 20 });
    expect(submit('order', { ip: 20 }, late('a', 400))).toBe('waits');
    expect(submit('order', { ip: 1 }, late('b', 2_000))).toBe('waits');
    expect(submit('order', { ip: 1 })).toBe('full');
    expect(submit('hedge', { ip: 1 })).toBe('waits');
    forward(500);
    expect(dropped).toEqual(['a']);
    forward(600);
    expect(ran.map(({ task }) => task)).toEqual([0, 4, 2]);
    submit('order', { ip: 20 }, late('c', 5_000));
    limiter.clear();
    forward(10_000);
    expect(dropped).toEqual(['a', 'c']);
    expect(limiter.waiting).toBe(0);
  });

  it('sees what a task submits from within', () => {
    const { limiter, ran, submit } = rig(0);
    limiter.submit({ priority: 'order', weight: { ip: 1 }, run: () => void submit('cancel', { ip: 19 }) });
    expect(ran).toHaveLength(1);
    expect(submit('cancel', { ip: 1 })).toBe('waits');
  });
});

it('goes on after a task that threw, at once or in its turn', () => {
  const { submit, ran, limiter, forward } = rig(0);
  const fail = (): void => {
    throw new Error('a bug of the task');
  };
  expect(() => submit('order', { orders: 4 }, { run: fail })).toThrow('a bug of the task');
  expect(submit('order', { orders: 4 })).toBe('ran');
  expect(submit('order', { orders: 1 }, { run: fail })).toBe('waits');
  expect(submit('order', { orders: 1 })).toBe('waits');
  expect(() => forward(301)).toThrow('a bug of the task');
  forward(1);
  expect([ran.map(({ task }) => task), limiter.waiting]).toEqual([[1, 3], 0]);
});
