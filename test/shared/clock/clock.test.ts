import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock, wallTimes } from '#shared/clock/clock.ts';
import type { TimeNs } from '#shared/domain/ids.ts';

const START_MS = 1_700_000_000_000;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: START_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

it('keeps its own pace while the wall clock is slewed a little', () => {
  const clock = systemClock();
  vi.advanceTimersByTime(10_000);
  vi.setSystemTime(START_MS + 10_040);
  expect(clock.now()).toBe(10e9);
  expect(clock.unixMs(clock.now())).toBe(START_MS + 10_000);
  expect(clock.unixNs(clock.now())).toBe(`${START_MS + 10_000}000000`);
});

it('tells the right date after the machine has slept, and after its date was set', () => {
  const clock = systemClock();
  // Asleep, monotonic time stands and the date goes on.
  for (const wallMs of [START_MS + 3_600_000, START_MS + 60_000]) {
    vi.setSystemTime(wallMs);
    expect(clock.unixMs(clock.now())).toBe(wallMs);
    expect(clock.unixNs(clock.now())).toBe(`${wallMs}000000`);
    expect(clock.now()).toBe(0);
  }
});

it('tells nanoseconds as the sum of both has them, to the last digit', () => {
  const origins = fc.oneof(fc.bigInt({ min: 0n, max: 3n * 10n ** 9n }), fc.bigInt({ min: 0n, max: 2n * 10n ** 18n }));
  fc.assert(
    fc.property(origins, fc.integer({ min: 0, max: 2 ** 52 }), fc.constantFrom(0, 0.4, 0.6), (origin, whole, part) => {
      const at = (whole + part) as TimeNs;
      expect(wallTimes(origin).unixNs(at)).toBe(String(origin + BigInt(Math.round(at))));
    }),
    { numRuns: 2_000 },
  );
});

it('runs at once what was due before it was asked', async () => {
  const warned = vi.fn();
  process.on('warning', warned);
  await new Promise<void>((resolve) => void systemClock().after(-5, resolve));
  process.off('warning', warned);
  expect(warned).not.toHaveBeenCalled();
});
