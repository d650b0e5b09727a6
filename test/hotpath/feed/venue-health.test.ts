import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { VenueView } from '#hotpath/feed/venue-health.ts';
import { decayed, healthOf, Standing, statusOf } from '#hotpath/feed/venue-health.ts';

const well: VenueView = {
  sockets: 2,
  openSockets: 2,
  books: 8,
  liveBooks: 8,
  quietBooks: 0,
  abandoned: 0,
  unreachable: false,
  warm: true,
  trouble: 0,
};

describe('a venue', () => {
  it.each([
    ['live', {}],
    ['live', { liveBooks: 6 }],
    ['degraded', { liveBooks: 5 }],
    ['degraded', { openSockets: 1 }],
    ['degraded', { abandoned: 1 }],
    ['degraded', { abandoned: 1, warm: false }],
    ['connecting', { warm: false, liveBooks: 7 }],
    ['connecting', { warm: false, openSockets: 0, liveBooks: 0 }],
    ['down', { warm: false, openSockets: 0, liveBooks: 0, unreachable: true }],
    ['down', { openSockets: 0, liveBooks: 0 }],
  ] as const)('is %s: %j', (status, changes) => {
    expect(statusOf({ ...well, ...changes })).toBe(status);
  });

  it('is healthy between 0 and 1, less with fewer live books, less with more trouble', () => {
    const views = fc.record({
      books: fc.integer({ min: 1, max: 100 }),
      trouble: fc.double({ min: 0, max: 1e6, noNaN: true }),
    });
    fc.assert(
      fc.property(views, fc.nat(99), ({ books, trouble }, fewer) => {
        const liveBooks = Math.max(0, books - fewer);
        const health = healthOf({ ...well, books, liveBooks, trouble });
        expect(health).toBeGreaterThanOrEqual(0);
        expect(health).toBeLessThanOrEqual(1);
        expect(healthOf({ ...well, books, liveBooks: books, trouble })).toBeGreaterThanOrEqual(health);
        expect(healthOf({ ...well, books, liveBooks, trouble: trouble + 1 })).toBeLessThanOrEqual(health);
      }),
    );
    expect(healthOf(well)).toBe(1);
    expect(healthOf({ ...well, books: 0, liveBooks: 0 })).toBe(0);
  });

  it('is forgiven half of its trouble every minute', () => {
    expect(decayed(4, 60_000)).toBe(2);
    expect(decayed(decayed(4, 1_000), 119_000)).toBeCloseTo(1, 12);
  });
});

describe('the standing of a venue', () => {
  const after = (standing: Standing, healths: readonly number[], from = 0): boolean[] =>
    healths.map((health, second) => {
      standing.judge(health, ((from + second) * 1e9) as TimeNs);
      return standing.tradable;
    });

  it('is in at the first good health, out below the limit, and back when well for five seconds', () => {
    const standing = new Standing(0.5);
    expect(after(standing, [0, 0.49, 0.5, 0.6, 0.49, 0.6, 0.6])).toEqual([
      ...[false, false, true, true, false, false, false],
    ]);
    // 0.7 is well; a relapse starts the count again.
    expect(after(standing, [0.7, 0.7, 0.7, 0.69, 0.7, 1, 1, 1, 1, 1], 10)).toEqual([
      ...[false, false, false, false, false, false, false, false, false, true],
    ]);
  });

  it('never lets an unhealthy venue in, nor changes more often than every five seconds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 200 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (healths, limit) => {
          const standing = new Standing(limit);
          const states = after(standing, healths);
          const returns = states.flatMap((tradable, at) =>
            tradable && at > 0 && states[at - 1] === false ? [at] : [],
          );
          for (const [at, tradable] of states.entries())
            if (tradable) expect(healths[at]).toBeGreaterThanOrEqual(limit);
          for (const [at, second] of returns.entries()) {
            if (at > 0) expect(second - returns[at - 1]!).toBeGreaterThan(5);
          }
        },
      ),
    );
  });
});
