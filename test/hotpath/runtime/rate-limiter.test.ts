import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RateLimiter } from '#hotpath/runtime/rate-limiter.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';

const MS = 1e6;

it('runs every task once, in order, and never more in a window than burst and rate allow', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 1_500 }), { minLength: 1, maxLength: 80 });
  const limits = fc.record({
    perSecond: fc.double({ min: 0.5, max: 20, noNaN: true }),
    burst: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(gaps, limits, (waitsMs, { perSecond, burst }) => {
      const clock = new VirtualClock(0n);
      const limiter = new RateLimiter(clock, { perSecond, burst, queueMax: 100 });
      const ranNs: number[] = [];
      const order: number[] = [];
      for (const [task, waitMs] of waitsMs.entries()) {
        clock.runUntil(clock.now() + waitMs * MS);
        expect(
          limiter.run(() => {
            order.push(task);
            ranNs.push(clock.now());
          }),
        ).toBe(true);
      }
      clock.runUntil(clock.now() + (waitsMs.length / perSecond + 1) * 1e9);
      expect(order).toEqual(waitsMs.map((_waitMs, task) => task));
      for (let at = 0; at < ranNs.length; at += 1) {
        const inSecond = ranNs.filter((otherNs, index) => index >= at && otherNs < ranNs[at]! + 1e9).length;
        expect(inSecond).toBeLessThanOrEqual(burst + perSecond + 1e-3);
      }
    }),
  );
});

it('runs at once while there are tokens', () => {
  const limiter = new RateLimiter(new VirtualClock(0n), { perSecond: 1, burst: 2, queueMax: 10 });
  const ran: string[] = [];
  for (const name of ['a', 'b', 'c']) limiter.run(() => ran.push(name));
  expect(ran).toEqual(['a', 'b']);
  expect(limiter.waiting).toBe(1);
});

it('refuses what does not fit its queue, and forgets on request', () => {
  const clock = new VirtualClock(0n);
  const limiter = new RateLimiter(clock, { perSecond: 1, burst: 1, queueMax: 2 });
  const ran: number[] = [];
  const taken = [0, 1, 2, 3].map((task) => limiter.run(() => ran.push(task)));
  expect(taken).toEqual([true, true, true, false]);
  limiter.clear();
  clock.runUntil(60e9);
  expect(ran).toEqual([0]);
});

it('pauses for as long as it is told, and a shorter pause does not end a longer one', () => {
  const clock = new VirtualClock(0n);
  const limiter = new RateLimiter(clock, { perSecond: 100, burst: 10, queueMax: 10 });
  const ranMs: number[] = [];
  limiter.pause(5_000);
  limiter.pause(1_000);
  limiter.run(() => ranMs.push(clock.now() / MS));
  clock.runUntil(60e9);
  expect(ranMs).toEqual([5_000]);
});

it('may be asked from inside a task', () => {
  const clock = new VirtualClock(0n);
  const limiter = new RateLimiter(clock, { perSecond: 10, burst: 1, queueMax: 10 });
  const ranMs: number[] = [];
  const again = (): void => {
    ranMs.push(clock.now() / MS);
    if (ranMs.length < 4) limiter.run(again);
  };
  limiter.run(again);
  clock.runUntil(60e9);
  expect(ranMs.map(Math.round)).toEqual([0, 100, 200, 300]);
});
