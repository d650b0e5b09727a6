import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { randomFrom } from '#shared/random.ts';
import { Volatility } from '#hotpath/book/volatility.ts';

const SETTINGS = { default_volatility: 1e-4, volatility_half_life_s: 30 };
const FIRST = 0 as InstrumentIndex;
const SECOND = 1 as InstrumentIndex;

/** One book whose middle is set by hand, and another that is never live. */
function scene() {
  const clock = new VirtualClock(0n);
  const column = (): Float64Array => new Float64Array(2).fill(NaN);
  const tops = { bid: column(), ask: column(), bidQty: column(), askQty: column() };
  const volatility = new Volatility(tops, clock, SETTINGS);
  const move = (atSeconds: number, mid: number): void => {
    clock.runUntil(atSeconds * 1e9);
    tops.bid[FIRST] = mid * 0.9999;
    tops.ask[FIRST] = mid * 1.0001;
  };
  const sample = (atSeconds: number, mid: number): void => {
    move(atSeconds, mid);
    volatility.sample();
  };
  return { volatility, move, sample };
}

/** Samples a walk of a known volatility, `perSecond` times a second; returns what is found at the end. */
function found(actual: number, perSecond: number, forSeconds: number): number {
  const { volatility, sample } = scene();
  const random = randomFrom(5);
  let mid = 100;
  for (let tick = 0; tick <= forSeconds * perSecond; tick += 1) {
    sample(tick / perSecond, mid);
    mid *= Math.exp((actual * random.normal()) / Math.sqrt(perSecond));
  }
  return volatility.of(FIRST);
}

describe('volatility', () => {
  it('is the default until something is seen', () => {
    const { volatility, sample } = scene();
    expect(volatility.of(FIRST)).toBeCloseTo(1e-4, 15);
    sample(1, 100);
    expect(volatility.of(FIRST)).toBeCloseTo(1e-4, 15);
    expect(volatility.of(SECOND)).toBeCloseTo(1e-4, 15);
  });

  it('finds the one of a walk, per root of a second, however often it looks', () => {
    for (const actual of [2e-6, 3e-4, 5e-3])
      for (const perSecond of [1, 4, 20]) expect(found(actual, perSecond, 600) / actual).toBeCloseTo(1, 0);
  });

  it('forgets: what is one half-life old counts half as much', () => {
    const { volatility, sample } = scene();
    sample(0, 100);
    sample(1, 101);
    const squared = volatility.of(FIRST) ** 2;
    for (let second = 2; second <= 31; second += 1) sample(second, 101);
    // Seconds weigh as much as they are remembered: 5 before the first, and one each.
    const kept = (after: number): number => 2 ** (-after / 30);
    const weight = (until: number): number =>
      5 * kept(until) + [...Array(until).keys()].reduce((sum, second) => sum + kept(second), 0);
    expect(volatility.of(FIRST) ** 2 / squared).toBeCloseTo((kept(30) * weight(1)) / weight(31), 9);
  });

  it('leaves out books that are not live, and takes their way since then for one move', () => {
    const { volatility, sample } = scene();
    sample(0, 100);
    for (let second = 1; second < 10; second += 1) sample(second, NaN);
    sample(10, 100 * Math.exp(0.01));
    const kept = 2 ** (-10 / 30);
    expect(volatility.of(FIRST)).toBeCloseTo(Math.sqrt((5e-8 * kept + 1e-4) / (5 * kept + 10)), 12);
  });

  it('knows a jump at once, before the next sample', () => {
    const { volatility, move, sample } = scene();
    sample(0, 100);
    move(0.1, 100 * Math.exp(0.004));
    const kept = 2 ** (-0.1 / 30);
    expect(volatility.of(FIRST)).toBeCloseTo(Math.sqrt((5e-8 * kept + 1.6e-5) / (5 * kept + 0.1)), 12);
  });
});
