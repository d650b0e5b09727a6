import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReferenceStore } from '#hotpath/book/reference-store.ts';
import { newReferenceUpdate } from '#hotpath/feed/sink.ts';
import { FUNDING_FLOWS } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Funding } from '#shared/domain/instrument.ts';
import type { ReferenceUpdate } from '#shared/domain/market-event.ts';

const PERPETUAL = 1 as InstrumentIndex;
const HOUR_MS = 3_600_000;

function say(store: ReferenceStore, seconds: number, said: Partial<ReferenceUpdate>): void {
  store.apply({ ...newReferenceUpdate(), instrument: PERPETUAL, receivedTimeNs: (seconds * 1e9) as TimeNs, ...said });
}

describe('reference data', () => {
  it('keeps the last of everything, each by itself', () => {
    const store = new ReferenceStore([{}, {}]);
    say(store, 1, { markPrice: 100, fundingRate: 0.0001, markVolatility: 0.65 });
    say(store, 2, { markPrice: 101, indexPrice: 99 });
    expect([store.markPrice[1], store.indexPrice[1], store.fundingRate[1], store.markVolatility[1]]).toEqual([
      ...[101, 99, 0.0001, 0.65],
    ]);
    expect(store.markPrice[0]).toBeNaN();
    expect(store.ageMs(PERPETUAL, 5e9 as TimeNs)).toBe(3_000);
    expect(store.ageMs(0 as InstrumentIndex, 5e9 as TimeNs)).toBe(Infinity);
  });

  it('takes every number that an update carries', () => {
    const store = new ReferenceStore([{}, {}]);
    const { instrument, receivedTimeNs, ...columns } = newReferenceUpdate();
    expect([instrument, receivedTimeNs]).toHaveLength(2);
    const names = Object.keys(columns) as (keyof typeof columns)[];
    say(store, 1, Object.fromEntries(names.map((name, at) => [name, at + 1])));
    expect(names.map((name) => store[name][1])).toEqual(names.map((_name, at) => at + 1));
  });
});

describe('the funding interval', () => {
  it('is what the venue says, whatever the times say', () => {
    const store = new ReferenceStore([{}, {}]);
    say(store, 0, { nextFundingTimeMs: 8 * HOUR_MS, fundingIntervalMs: 8 * HOUR_MS });
    say(store, 10, { nextFundingTimeMs: 12 * HOUR_MS });
    expect(store.fundingIntervalMs[1]).toBe(8 * HOUR_MS);
  });

  it('is the distance of two funding times that follow each other, and unknown before', () => {
    const store = new ReferenceStore([{}, {}]);
    for (const seconds of [0, 30, 60]) say(store, seconds, { nextFundingTimeMs: 8 * HOUR_MS });
    expect(store.fundingIntervalMs[1]).toBeNaN();
    say(store, 90, { nextFundingTimeMs: 8 * HOUR_MS + 1_000 });
    expect(store.fundingIntervalMs[1]).toBeNaN();
    say(store, 120, { nextFundingTimeMs: 8 * HOUR_MS });
    say(store, 150, { nextFundingTimeMs: 12 * HOUR_MS });
    expect(store.fundingIntervalMs[1]).toBe(4 * HOUR_MS);
  });

  it('is never a distance over which funding may have been missed', () => {
    const store = new ReferenceStore([{}, {}]);
    say(store, 0, { nextFundingTimeMs: 8 * HOUR_MS });
    say(store, 61, { nextFundingTimeMs: 24 * HOUR_MS });
    expect(store.fundingIntervalMs[1]).toBeNaN();
  });

  it('is the true one after any absence, or none', () => {
    const pauses = fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 200 });
    fc.assert(
      fc.property(pauses, fc.constantFrom(1, 4, 8), (seconds, hours) => {
        const store = new ReferenceStore([{}, {}]);
        let now = 0;
        for (const pause of seconds) {
          now += pause % 3 === 0 ? pause : pause % 60;
          const intervalMs = hours * HOUR_MS;
          say(store, now, { nextFundingTimeMs: (Math.floor((now * 1_000) / intervalMs) + 1) * intervalMs });
          expect([NaN, intervalMs]).toContainEqual(store.fundingIntervalMs[1]);
        }
      }),
    );
  });
});

describe('what an instrument says of funding', () => {
  const storeOf = (funding: Funding): ReferenceStore => new ReferenceStore([{}, { funding }]);
  const scheduleOf = (store: ReferenceStore): readonly number[] => [
    store.nextFundingTimeMs[1]!,
    store.fundingIntervalMs[1]!,
  ];

  it('holds until frames say otherwise', () => {
    const store = storeOf({ intervalMs: 8 * HOUR_MS, paidMs: 16 * HOUR_MS });
    expect(scheduleOf(store)).toEqual([16 * HOUR_MS, 8 * HOUR_MS]);
    expect(store.fundingIntervalMs[0]).toBeNaN();
    say(store, 0, { nextFundingTimeMs: 12 * HOUR_MS, fundingIntervalMs: 4 * HOUR_MS });
    expect(scheduleOf(store)).toEqual([12 * HOUR_MS, 4 * HOUR_MS]);
    say(store, 1, { venueTimeMs: 13 * HOUR_MS });
    expect(scheduleOf(store)).toEqual([12 * HOUR_MS, 4 * HOUR_MS]);
  });

  it('gives way to the distance of two funding times that follow each other', () => {
    const store = storeOf({ intervalMs: 8 * HOUR_MS });
    say(store, 0, { nextFundingTimeMs: 8 * HOUR_MS });
    expect(scheduleOf(store)).toEqual([8 * HOUR_MS, 8 * HOUR_MS]);
    say(store, 30, { nextFundingTimeMs: 12 * HOUR_MS });
    expect(scheduleOf(store)).toEqual([12 * HOUR_MS, 4 * HOUR_MS]);
  });

  it('gives no interval by the distance of the listing from the first frame', () => {
    const store = storeOf({ intervalMs: 8 * HOUR_MS, paidMs: 8 * HOUR_MS });
    say(store, 0, { nextFundingTimeMs: 12 * HOUR_MS });
    expect(scheduleOf(store)).toEqual([12 * HOUR_MS, 8 * HOUR_MS]);
  });

  it('keeps the next time ahead of the venue’s clock, whole intervals from the time that is listed', () => {
    const times = fc.array(fc.integer({ min: 0, max: 2_000 * HOUR_MS }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(times, fc.constantFrom(1, 4, 8), fc.integer({ min: 1, max: HOUR_MS }), (list, hours, paidMs) => {
        const intervalMs = hours * HOUR_MS;
        const store = storeOf({ intervalMs, paidMs });
        for (const venueTimeMs of list.sort((a, b) => a - b)) {
          say(store, 0, { venueTimeMs, markPrice: 1 });
          const [nextMs] = scheduleOf(store);
          expect(nextMs).toBeGreaterThan(venueTimeMs);
          expect(nextMs! - Math.max(venueTimeMs, paidMs - intervalMs)).toBeLessThanOrEqual(intervalMs);
          expect((nextMs! - paidMs) % intervalMs).toBe(0);
        }
      }),
    );
  });

  it('has no next time where it flows', () => {
    const store = storeOf({ intervalMs: 8 * HOUR_MS, flows: true });
    say(store, 0, { venueTimeMs: 9 * HOUR_MS, fundingRate: 0.0001 });
    expect(scheduleOf(store)).toEqual([FUNDING_FLOWS, 8 * HOUR_MS]);
  });

  it('is unknown of a time that nobody says, whatever frames say that is none', () => {
    const store = storeOf({ intervalMs: 8 * HOUR_MS });
    say(store, 0, { venueTimeMs: 9 * HOUR_MS, nextFundingTimeMs: 0 });
    expect(scheduleOf(store)).toEqual([NaN, 8 * HOUR_MS]);
  });
});
