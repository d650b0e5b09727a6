import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';

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
