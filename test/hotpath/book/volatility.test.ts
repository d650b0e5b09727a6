import { describe, expect, it } from 'vitest';
import type { Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import { randomFrom } from '#shared/random.ts';
import { Volatility } from '#hotpath/book/volatility.ts';

const SETTINGS = { default_volatility: 1e-4, volatility_half_life_s: 30 };
const at = 0 as InstrumentIndex;
const seconds = (value: number): TimeNs => (value * 1e9) as TimeNs;
const column = (value: number): Float64Array => Float64Array.of(value, NaN);
const tops = (mid: number): Tops => ({
  bid: column(mid * 0.9999),
  ask: column(mid * 1.0001),
  bidQty: column(1),
  askQty: column(1),
  receivedTimeNs: column(0),
});

/** Samples a walk of a known volatility, `perSecond` times a second; returns what is found at the end. */
function found(actual: number, perSecond: number, forSeconds: number): number {
  const volatility = new Volatility(2, SETTINGS);
  const random = randomFrom(5);
  let mid = 100;
  for (let tick = 0; tick <= forSeconds * perSecond; tick += 1) {
    volatility.sample(tops(mid), seconds(tick / perSecond));
    mid *= Math.exp((actual * random.normal()) / Math.sqrt(perSecond));
  }
  return volatility.of(at);
}

describe('volatility', () => {
  it('is the default until something is seen', () => {
    const volatility = new Volatility(2, SETTINGS);
    expect(volatility.of(at)).toBeCloseTo(1e-4, 15);
    volatility.sample(tops(100), seconds(1));
    expect(volatility.of(at)).toBeCloseTo(1e-4, 15);
  });

  it('finds the one of a walk, per root of a second, however often it looks', () => {
    for (const actual of [2e-6, 3e-4, 5e-3])
      for (const perSecond of [1, 4, 20]) expect(found(actual, perSecond, 600) / actual).toBeCloseTo(1, 0);
  });

  it('forgets: what is one half-life old counts half as much', () => {
    const volatility = new Volatility(2, SETTINGS);
    volatility.sample(tops(100), seconds(0));
    volatility.sample(tops(101), seconds(1));
    const squared = volatility.of(at) ** 2;
    for (let second = 2; second <= 31; second += 1) volatility.sample(tops(101), seconds(second));
    // Seconds weigh as much as they are remembered: 5 before the first, and one each.
    const kept = (after: number): number => 2 ** (-after / 30);
    const weight = (until: number): number =>
      5 * kept(until) + [...Array(until).keys()].reduce((s, n) => s + kept(n), 0);
    expect(volatility.of(at) ** 2 / squared).toBeCloseTo((kept(30) * weight(1)) / weight(31), 9);
  });

  it('leaves out books that are not live, and takes their way since then for one move', () => {
    const volatility = new Volatility(2, SETTINGS);
    volatility.sample(tops(100), seconds(0));
    for (let second = 1; second < 10; second += 1) volatility.sample(tops(NaN), seconds(second));
    volatility.sample(tops(100 * Math.exp(0.01)), seconds(10));
    const kept = 2 ** (-10 / 30);
    expect(volatility.of(at)).toBeCloseTo(Math.sqrt((5e-8 * kept + 1e-4) / (5 * kept + 10)), 12);
    expect(volatility.of(1 as InstrumentIndex)).toBeCloseTo(1e-4, 15);
  });
});
