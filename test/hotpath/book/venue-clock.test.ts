import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VenueClock } from '#hotpath/book/venue-clock.ts';
import type { TimeNs } from '#shared/domain/ids.ts';

const ORIGIN_MS = 1e12;

function latenessOf(clock: VenueClock, receivedMs: number, venueTimeMs: number): number {
  clock.observe({ receivedTimeNs: ((receivedMs - ORIGIN_MS) * 1e6) as TimeNs, venueTimeMs });
  return clock.latenessMs;
}

describe('VenueClock', () => {
  it('measures lateness against the fastest message, however wrong either clock is', () => {
    const clock = new VenueClock(ORIGIN_MS);
    const offset = -1_270;
    const delays = [12, 5, 40, 5, 900, 6];
    const lateness = delays.map((delay, at) => latenessOf(clock, 1e12 + at * 100 + delay + offset, 1e12 + at * 100));
    expect(lateness).toEqual([0, 0, 35, 0, 895, 1]);
    expect(clock.offsetMs()).toBe(offset + 5);
  });

  it('is never negative, and forgets what is older than a minute', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ gap: fc.nat(40_000), delay: fc.nat(5_000) }), { maxLength: 60 }), (messages) => {
        const clock = new VenueClock(ORIGIN_MS);
        let now = 1e12;
        const seen: { at: number; delay: number }[] = [];
        for (const { gap, delay } of messages) {
          now += gap;
          seen.push({ at: now, delay });
          const lateness = latenessOf(clock, now, now - delay);
          const within = (ms: number): number =>
            Math.min(...seen.filter(({ at }) => now - at < ms).map((m) => m.delay));
          expect(lateness).toBeGreaterThanOrEqual(Math.max(0, delay - within(30_000)));
          expect(lateness).toBeLessThanOrEqual(delay - within(60_001));
        }
      }),
    );
  });

  it('does not let one senseless time make every book of the venue late for a minute', () => {
    for (const senseless of [9.7e12, 0, -5]) {
      const clock = new VenueClock(ORIGIN_MS);
      expect(latenessOf(clock, 1e12, senseless)).toBe(0);
      expect([1, 2, 3].map((at) => latenessOf(clock, 1e12 + at * 100 + 5, 1e12 + at * 100))).toEqual([0, 0, 0]);
      expect(latenessOf(clock, 1e12 + 400, senseless)).toBe(0);
      expect(latenessOf(clock, 1e12 + 507, 1e12 + 500)).toBe(2);
      expect(clock.offsetMs()).toBe(5);
    }
  });

  it('tells how much the travel time varies, whatever the clocks show', () => {
    const jitterOf = (delays: readonly number[], offset: number): number => {
      const clock = new VenueClock(ORIGIN_MS);
      for (const [at, delay] of delays.entries()) latenessOf(clock, 1e12 + at * 100 + delay + offset, 1e12 + at * 100);
      return clock.jitterMs;
    };
    expect(jitterOf([5], 0)).toBeNaN();
    expect(jitterOf([5, 5, 5, 5], 700)).toBe(0);
    // Forgets in about sixteen messages, as RFC 3550 has it.
    expect(jitterOf([5, 21, 21], 0)).toBe(15);
    const uneven = Array.from({ length: 200 }, (_, at) => (at % 2) * 8);
    expect(jitterOf(uneven, -1_270)).toBeCloseTo(8, 5);
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { minLength: 2, maxLength: 50 }), (delays) => {
        const jitter = jitterOf(delays, 0);
        expect(jitter).toBeGreaterThanOrEqual(0);
        expect(jitter).toBeLessThanOrEqual(Math.max(...delays) - Math.min(...delays));
      }),
    );
  });

  it('knows no offset before the first message', () => {
    expect(new VenueClock(ORIGIN_MS).offsetMs()).toBeNaN();
  });
});
