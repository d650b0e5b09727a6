import { describe, expect, it } from 'vitest';
import { Bug } from '#shared/assert.ts';
import { DrawdownMeter } from '#shared/quant/risk/drawdown.ts';
import { concentrationOf, exposureFor, exposureInto, leverageOf } from '#shared/quant/risk/exposure.ts';
import { exitOf, liquidityOf } from '#shared/quant/risk/liquidity.ts';

describe('exposure', () => {
  it('adds up by group, gross and net, whatever was there before', () => {
    const exposure = exposureFor(3);
    exposureInto(Int32Array.of(0, 0), Float64Array.of(9, 9), 2, exposure);
    exposureInto(Int32Array.of(2, 0, 2, 1), Float64Array.of(100, -30, -60, 7), 3, exposure);
    expect([...exposure.grossUsd]).toEqual([30, 0, 160]);
    expect([...exposure.netUsd]).toEqual([-30, 0, 40]);
  });

  it('refuses a group that nobody counts', () => {
    expect(() => exposureInto(Int32Array.of(3), Float64Array.of(1), 1, exposureFor(3))).toThrow(Bug);
  });

  it('is levered by what it is of the equity', () => {
    expect(leverageOf(300, 100)).toBe(3);
    expect(leverageOf(0, 0)).toBe(0);
    expect(leverageOf(1, 0)).toBe(Infinity);
    expect(leverageOf(1, -5)).toBe(Infinity);
    expect(leverageOf(1, Number.NaN)).toBeNaN();
  });

  it.each([
    ['nothing held', [0, 0], 0, 0],
    ['all in one', [0, 50], 1, 1],
    ['evenly spread', [10, 10, 10, 10], 0.25, 0.25],
    ['uneven', [60, 40], 0.52, 0.6],
  ])('is concentrated with %s', (_name, grossUsd, herfindahl, largestShare) => {
    const found = concentrationOf(Float64Array.from(grossUsd));
    expect(found.herfindahl).toBeCloseTo(herfindahl, 12);
    expect(found.largestShare).toBeCloseTo(largestShare, 12);
  });
});

describe('drawdown', () => {
  const followed = (window: number, ...values: readonly number[]) => {
    const meter = new DrawdownMeter(window);
    for (const value of values) meter.add(value);
    return meter.figures();
  };

  it('is what was lost from the peak: now, at worst, and of late', () => {
    expect(followed(2, 100, 200, 120, 150, 140)).toEqual({
      currentUsd: 60,
      currentFraction: 0.3,
      maxUsd: 80,
      maxFraction: 0.4,
      trailingUsd: 10,
      trailingFraction: 10 / 150,
    });
  });

  it('remembers the deepest of earlier peaks: in USD of one, as a fraction of another', () => {
    const { maxUsd, maxFraction, currentUsd } = followed(10, 100, 50, 1_000, 900, 2_000);
    expect([maxUsd, maxFraction, currentUsd]).toEqual([100, 0.5, 0]);
  });

  it('is nothing before the first point, after one, and while it only rises', () => {
    const none = { currentUsd: 0, currentFraction: 0, maxUsd: 0, maxFraction: 0, trailingUsd: 0, trailingFraction: 0 };
    expect(followed(3)).toEqual(none);
    expect(followed(3, 5)).toEqual(none);
    expect(followed(1, 5, 6, 6, 7)).toEqual(none);
  });

  it('has no bound as a fraction of nothing', () => {
    const { currentUsd, currentFraction, maxFraction } = followed(3, 0, -10);
    expect([currentUsd, currentFraction, maxFraction]).toEqual([10, Infinity, Infinity]);
  });

  it('is unknown while the value is, and goes on after', () => {
    const meter = new DrawdownMeter(2);
    for (const value of [100, 80, Number.NaN]) meter.add(value);
    expect(meter.figures()).toMatchObject({ currentUsd: Number.NaN, trailingUsd: Number.NaN, maxUsd: 20 });
    meter.add(90);
    expect(meter.figures()).toMatchObject({ currentUsd: 10, trailingUsd: 0, maxUsd: 20 });
  });

  it('forgets what is no longer in the window, over many windows', () => {
    const values = Array.from({ length: 500 }, (_none, at) => 1_000 + 200 * Math.sin(at / 7) + at);
    for (const window of [1, 2, 7, 60, 600]) {
      const meter = new DrawdownMeter(window);
      for (const [at, value] of values.entries()) {
        meter.add(value);
        const peak = Math.max(...values.slice(Math.max(0, at + 1 - window), at + 1));
        expect(meter.figures().trailingUsd).toBe(peak - value);
      }
    }
  });

  it('needs a window of whole points', () => {
    expect(() => new DrawdownMeter(0)).toThrow(Bug);
    expect(() => new DrawdownMeter(1.5)).toThrow(Bug);
  });
});

describe('liquidity', () => {
  const terms = { share: 0.5, refillMs: 1_000, slippageMax: 0.02, takerFee: 0.001, horizonMs: 1_500 };
  const bids = {
    count: 3,
    pricesUsd: Float64Array.of(99, 98, 90),
    qtys: Float64Array.of(2, 4, 100),
    midUsd: 100,
  };
  const asks = { ...bids, pricesUsd: Float64Array.of(101, 102, 110) };

  it('costs the way to each level and the fees, in one round where the book is deep enough', () => {
    const { costUsd, timeMs, rounds, valueUsd, liquidUsd } = exitOf(2, bids, terms);
    expect(costUsd).toBeCloseTo(1 * (1 + 0.099) + 1 * (2 + 0.098), 12);
    expect([timeMs, rounds, valueUsd, liquidUsd]).toEqual([0, 1, 200, 200]);
  });

  it('buys back what is owed from the other side', () => {
    expect(exitOf(-2, asks, terms).costUsd).toBeCloseTo(1 * (1 + 0.101) + 1 * (2 + 0.102), 12);
  });

  it('waits for the book to refill, and leaves levels too far off alone', () => {
    // A round takes half of 2 + 4 coins: the level at 90 is beyond 2 %.
    const { rounds, timeMs, liquidUsd, costUsd } = exitOf(7, bids, terms);
    const round = 1.099 + 2 * 2.098;
    expect([rounds, timeMs, liquidUsd]).toEqual([3, 2_000, 600]);
    expect(costUsd).toBeCloseTo(2 * round + 1.099, 12);
  });

  it('takes no round more for what rounding leaves', () => {
    const third = { ...bids, qtys: Float64Array.of(0.2, 0, 0) };
    expect(exitOf(0.3, third, terms).rounds).toBe(3);
  });

  it('never ends where the book takes nothing', () => {
    const none = { valueUsd: 100, costUsd: Infinity, timeMs: Infinity, rounds: 0, liquidUsd: 0 };
    expect(exitOf(1, { ...bids, count: 0 }, terms)).toEqual(none);
    expect(exitOf(1, bids, { ...terms, slippageMax: 0.001 })).toEqual(none);
    expect(exitOf(0, { ...bids, count: 0 }, terms).costUsd).toBe(0);
  });

  it('of all together costs the sum and takes as long as the slowest', () => {
    const { costUsd, timeMs, liquidShare } = liquidityOf([exitOf(7, bids, terms), exitOf(-2, asks, terms)]);
    expect(costUsd).toBeCloseTo(2 * (1.099 + 4.196) + 1.099 + 1.101 + 2.102, 12);
    expect([timeMs, liquidShare]).toEqual([2_000, 800 / 900]);
    expect(liquidityOf([])).toEqual({ costUsd: 0, timeMs: 0, liquidShare: 1 });
  });
});
