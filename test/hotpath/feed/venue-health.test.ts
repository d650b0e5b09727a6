import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VenueView } from '#hotpath/feed/venue-health.ts';
import { decayed, healthOf, statusOf } from '#hotpath/feed/venue-health.ts';

const well: VenueView = {
  sockets: 2,
  openSockets: 2,
  books: 8,
  liveBooks: 8,
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
