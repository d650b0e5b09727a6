import { describe, expect, it } from 'vitest';
import { Bug } from '#shared/assert.ts';
import { blackScholes } from '#shared/quant/black.ts';
import { positionsFor } from '#shared/quant/risk/exposure.ts';
import type { Position } from '#shared/quant/risk/portfolio-risk.ts';
import { stressesFor, stressOf } from '#shared/quant/risk/stress.ts';
import type { OpenLegs, Stress } from '#shared/quant/risk/stress.ts';

/** Assets: dollars, a stablecoin, two coins. */
const [USD, TETHER, BTC, ETH] = [0, 1, 2, 3] as const;
const STABLE = Uint8Array.of(1, 1, 0, 0);

const IDLE: Position = {
  factor: 0,
  venue: 0,
  asset: BTC,
  currency: USD,
  family: 0,
  valueUsd: 0,
  deltaUsd: 0,
  gammaUsd: 0,
  perpetualUsd: 0,
};
const coins = (venue: number, usd: number): Position => ({ ...IDLE, venue, valueUsd: usd, deltaUsd: usd });
const cash = (venue: number, asset: number, usd: number): Position => ({ ...coins(venue, usd), asset });
const perpetual = (venue: number, usd: number, currency: number = USD): Position => ({
  ...IDLE,
  venue,
  currency,
  deltaUsd: usd,
  perpetualUsd: usd,
});

const NO_LEGS = legsOf();

function legsOf(
  ...legs: readonly (readonly [plan: number, deltaUsd: number, gammaUsd: number, exitCostUsd: number])[]
): OpenLegs {
  return {
    count: legs.length,
    plan: Int32Array.from(legs, ([plan]) => plan),
    deltaUsd: Float64Array.from(legs, ([, deltaUsd]) => deltaUsd),
    gammaUsd: Float64Array.from(legs, ([, , gammaUsd]) => gammaUsd),
    exitCostUsd: Float64Array.from(legs, ([, , , exitCostUsd]) => exitCostUsd),
  };
}

function outcomeOf(stress: Stress, rows: readonly Position[], legs = NO_LEGS) {
  const positions = positionsFor(rows.length);
  for (const [at, row] of rows.entries())
    for (const name of Object.keys(row) as (keyof Position)[]) positions[name][at] = row[name];
  positions.count = rows.length;
  return stressOf({ positions, legs, stable: STABLE }, stress);
}

/** Coins here against a short perpetual there, with its margin. */
const CARRY = [coins(0, 10_000), perpetual(1, -10_000, TETHER), cash(1, TETHER, 2_000)];

describe('a venue that is down', () => {
  const down = (venue: number, lostShare: number): Stress => ({ kind: 'venue-down', venue, lostShare, move: 0.2 });

  it('takes what it holds, and leaves the hedge elsewhere alone', () => {
    expect(outcomeOf(down(0, 1), CARRY)).toEqual({ pnlUsd: -12_000, frozenUsd: 0, unhedgedUsd: 10_000 });
    expect(outcomeOf(down(1, 1), CARRY)).toEqual({ pnlUsd: -4_000, frozenUsd: 0, unhedgedUsd: 10_000 });
  });

  it('freezes what it does not take: the hedge holds', () => {
    expect(outcomeOf(down(0, 0), CARRY)).toEqual({ pnlUsd: 0, frozenUsd: 10_000, unhedgedUsd: 0 });
    expect(outcomeOf(down(0, 0.5), CARRY)).toEqual({ pnlUsd: -6_000, frozenUsd: 5_000, unhedgedUsd: 5_000 });
  });

  it('does not forgive what we owe it', () => {
    expect(outcomeOf(down(0, 1), [cash(0, TETHER, -500)])).toEqual({ pnlUsd: 0, frozenUsd: 0, unhedgedUsd: 0 });
  });

  it('elsewhere changes nothing', () => {
    expect(outcomeOf(down(4, 1), CARRY)).toEqual({ pnlUsd: 0, frozenUsd: 0, unhedgedUsd: 0 });
  });
});

describe('a stablecoin that falls', () => {
  const fall: Stress = { kind: 'depeg', asset: TETHER, fall: 0.1 };

  it('takes its share of balances, and the price in it that rises from a short', () => {
    expect(outcomeOf(fall, [cash(0, TETHER, 5_000)]).pnlUsd).toBeCloseTo(-500, 9);
    // Short one coin at 10,000 of it: at 11,111.11 it owes 1,111.11 of it, worth 1,000.
    expect(outcomeOf(fall, [perpetual(0, -10_000, TETHER)]).pnlUsd).toBeCloseTo(-1_000, 9);
    expect(outcomeOf(fall, [perpetual(0, 10_000, TETHER)]).pnlUsd).toBeCloseTo(1_000, 9);
    expect(outcomeOf(fall, CARRY)).toEqual({
      pnlUsd: expect.closeTo(-1_200, 9) as number,
      frozenUsd: 0,
      unhedgedUsd: 0,
    });
  });

  it('does nothing to coins bought with it, and to what is paid in another', () => {
    expect(outcomeOf(fall, [{ ...coins(0, 10_000), currency: TETHER }]).pnlUsd).toBeCloseTo(0, 12);
    expect(outcomeOf(fall, [perpetual(0, -10_000), cash(0, USD, 700)]).pnlUsd).toBe(0);
  });
});

describe('a gap', () => {
  it('moves what it names, and bends with options', () => {
    const gap: Stress = { kind: 'gap', moves: [{ asset: BTC, move: -0.3 }] };
    expect(outcomeOf(gap, CARRY).pnlUsd).toBeCloseTo(0, 9);
    const option = { ...IDLE, deltaUsd: 1_000, gammaUsd: 4_000 };
    expect(outcomeOf(gap, [option, { ...coins(0, 500), asset: ETH }]).pnlUsd).toBeCloseTo(-300 + 180, 9);
  });

  it('follows the price of an option to second order', () => {
    const terms = { right: 'call', strike: 100, years: 0.5, volatility: 0.7, rate: 0, yield: 0 } as const;
    const { price, delta, gamma } = blackScholes({ ...terms, underlying: 100 });
    const row = { ...IDLE, valueUsd: price, deltaUsd: delta * 100, gammaUsd: gamma * 100 * 100 };
    const off = [0.04, 0.02].map((move) => {
      const { pnlUsd } = outcomeOf({ kind: 'gap', moves: [{ asset: BTC, move }] }, [row]);
      return Math.abs(blackScholes({ ...terms, underlying: 100 * (1 + move) }).price - price - pnlUsd);
    });
    // Third order: an eighth of the error for half the move.
    expect(off[0]! / off[1]!).toBeGreaterThan(6);
    expect(off[0]! / off[1]!).toBeLessThan(10);
  });

  it('refuses an asset that nobody counts', () => {
    expect(() => outcomeOf({ kind: 'gap', moves: [{ asset: 9, move: 0.1 }] }, CARRY)).toThrow(Bug);
    expect(() => outcomeOf({ kind: 'gap', moves: [] }, [{ ...IDLE, asset: 9 }])).toThrow(Bug);
  });
});

describe('funding that spikes', () => {
  const rows = [perpetual(0, 10_000), perpetual(1, -8_000), coins(0, 5_000)];

  it('is paid by longs and received by shorts', () => {
    expect(outcomeOf({ kind: 'funding-spike', rate: 0.01, times: 3 }, rows).pnlUsd).toBeCloseTo(-60, 12);
    expect(outcomeOf({ kind: 'funding-spike', rate: -0.01, times: 3 }, rows).pnlUsd).toBeCloseTo(60, 12);
  });

  it('on one venue alone is not made good on the other', () => {
    expect(outcomeOf({ kind: 'funding-spike', rate: 0.01, times: 1, venue: 0 }, rows).pnlUsd).toBeCloseTo(-100, 12);
  });
});

describe('one leg that fills', () => {
  const stress: Stress = { kind: 'one-leg-fills', move: 0.02 };

  it('is the worst leg of each plan, either way, with what undoing it costs', () => {
    const legs = legsOf([7, 10_000, 0, 5], [7, -10_000, 0, 9], [3, 2_000, 0, 1]);
    expect(outcomeOf(stress, [], legs)).toEqual({ pnlUsd: -209 - 41, frozenUsd: 0, unhedgedUsd: 12_000 });
  });

  it('counts no gain of what bends our way, and nothing without orders', () => {
    expect(outcomeOf(stress, [], legsOf([1, 0, 5_000, 2])).pnlUsd).toBe(-2);
    expect(outcomeOf(stress, CARRY).pnlUsd).toBe(0);
  });
});

describe('the list of stresses', () => {
  it('has one for each venue and stablecoin, gaps and funding both ways, and one leg', () => {
    const terms = {
      lostShare: 1,
      hedgeMove: 0.1,
      depeg: 0.2,
      gap: 0.3,
      fundingRate: 0.01,
      fundingTimes: 3,
      legMove: 0.02,
    };
    const stresses = stressesFor({ venues: 2, stablecoins: [TETHER], others: [BTC, ETH] }, terms);
    expect(stresses.map(({ kind }) => kind)).toEqual([
      'venue-down',
      'venue-down',
      'depeg',
      'gap',
      'gap',
      'funding-spike',
      'funding-spike',
      'one-leg-fills',
    ]);
    expect(stresses[4]).toEqual({
      kind: 'gap',
      moves: [
        { asset: BTC, move: -0.3 },
        { asset: ETH, move: -0.3 },
      ],
    });
    for (const stress of stresses)
      expect(outcomeOf(stress, []), stress.kind).toEqual({
        pnlUsd: expect.closeTo(0, 12) as number,
        frozenUsd: 0,
        unhedgedUsd: 0,
      });
  });
});
