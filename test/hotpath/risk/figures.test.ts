import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { positionsFor } from '#shared/quant/risk/exposure.ts';
import { randomFrom } from '#shared/random.ts';
import { figurerHere, FigurerThread } from '#hotpath/risk/figurer.ts';
import type { Portfolio } from '#hotpath/risk/figures.ts';
import { figuresOf } from '#hotpath/risk/figures.ts';

const SCENARIOS = 1_000;

/** A hundred thousand of a coin at one venue, half as much sold as a perpetual at another, and some dollars. */
function portfolioOf(more: Partial<Portfolio> = {}): Portfolio {
  const random = randomFrom(5);
  const common = Float64Array.from({ length: SCENARIOS }, () => 0.03 * random.normal());
  const returns = Float64Array.from(
    { length: 2 * SCENARIOS },
    (_none, at) => common[at % SCENARIOS]! + 0.001 * random.normal(),
  );
  const positions = positionsFor(3);
  positions.count = 3;
  positions.venue.set([0, 1, 1]);
  positions.asset.set([0, 0, 1]);
  positions.currency.set([0, 1, 1]);
  positions.valueUsd.set([100_000, 500, 20_000]);
  positions.deltaUsd.set([100_000, -50_000, 20_000]);
  positions.perpetualUsd.set([0, -50_000, 0]);
  return {
    atMs: 7,
    confidence: 0.95,
    deltaUsd: Float64Array.of(100_000, -50_000),
    returns,
    positions,
    legs: {
      count: 2,
      plan: Int32Array.of(0, 0),
      deltaUsd: Float64Array.of(10_000, 10_000),
      gammaUsd: new Float64Array(2),
      exitCostUsd: Float64Array.of(20, 30),
    },
    venues: ['a', 'b'],
    assets: ['BTC', 'USDT'],
    stable: Uint8Array.of(0, 1),
    toLeave: [
      {
        qty: 1,
        book: { count: 1, pricesUsd: Float64Array.of(99_900), qtys: Float64Array.of(1), midUsd: 100_000 },
        takerFee: 0.001,
      },
    ],
    ...more,
  };
}

const threads: FigurerThread[] = [];
afterEach(() => {
  for (const thread of threads.splice(0)) thread.stop();
});

describe('risk figures', () => {
  it('are those of half a coin: 1.645 deviations of 3 % of 50,000', () => {
    const { atMs, parametricVarUsd, monteCarloVarUsd } = figuresOf(portfolioOf());
    expect(atMs).toBe(7);
    expect(parametricVarUsd).toBeGreaterThan(0.9 * 1.645 * 1_500);
    expect(parametricVarUsd).toBeLessThan(1.1 * 1.645 * 1_500);
    expect(Math.abs(monteCarloVarUsd / parametricVarUsd - 1)).toBeLessThan(0.15);
  });

  it('say what each stress brings, by name', () => {
    const { stresses } = figuresOf(portfolioOf());
    expect(stresses['gap up']).toBeCloseTo(10_000, 9);
    expect(stresses['gap down']).toBeCloseTo(-10_000, 9);
    // Shorts of a perpetual are paid by longs, three times.
    expect(stresses['funding-spike longs pay']).toBeCloseTo(3 * 0.0075 * 50_000, 9);
    expect(stresses['funding-spike shorts pay']).toBeCloseTo(-3 * 0.0075 * 50_000, 9);
    expect(stresses['one-leg-fills']).toBeCloseTo(-230, 9);
    // Half of the coins gone; the perpetual then hedges all that is left.
    expect(stresses['venue-down a']).toBeCloseTo(-50_000, 9);
    expect(stresses['depeg USDT']).toBeLessThan(-2_000);
    expect(Object.keys(stresses)).toHaveLength(8);
  });

  it('walk the books: two rounds of half of what is shown', () => {
    const { liquidityRatio, exitCostUsd } = figuresOf(portfolioOf());
    expect(liquidityRatio).toBe(1);
    expect(exitCostUsd).toBeCloseTo(100 + 99.9, 6);
  });

  it('are nothing where nothing is held, and unknown where nothing moves as told', () => {
    const empty = { deltaUsd: new Float64Array(0), returns: new Float64Array(0), toLeave: [] };
    expect(figuresOf(portfolioOf(empty))).toMatchObject({
      parametricVarUsd: 0,
      monteCarloVarUsd: 0,
      liquidityRatio: 1,
      exitCostUsd: 0,
    });
    const { returns } = portfolioOf();
    expect(figuresOf(portfolioOf({ returns: returns.map(() => NaN) })).monteCarloVarUsd).toBeNaN();
  });

  it('come from another thread as they come from this one', async () => {
    const here = figurerHere();
    expect(here.latest()).toBeUndefined();
    here.ask(portfolioOf());
    const crashes: Error[] = [];
    const thread = new FigurerThread(systemClock(), (error) => crashes.push(error));
    threads.push(thread);
    thread.ask(portfolioOf());
    // What it has no time for is dropped.
    thread.ask(portfolioOf({ atMs: 8 }));
    while (thread.latest() === undefined && crashes.length === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(crashes).toEqual([]);
    expect(thread.latest()).toEqual(here.latest());
  });
});
