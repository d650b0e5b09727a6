import { describe, expect, it } from 'vitest';
import { Bug } from '#shared/assert.ts';
import { sampleCovariance } from '#shared/quant/risk/covariance.ts';
import { PortfolioRisk } from '#shared/quant/risk/portfolio-risk.ts';
import type { Position } from '#shared/quant/risk/portfolio-risk.ts';
import { pnlInto, scenariosOf } from '#shared/quant/risk/scenarios.ts';
import { tailsFor, tailsInto } from '#shared/quant/risk/tail.ts';
import { randomFrom } from '#shared/random.ts';

const FACTORS = 3;
const COUNT = 200;

function portfolio() {
  const random = randomFrom(11);
  const returns = Float64Array.from({ length: FACTORS * COUNT }, () => 0.02 * random.normal());
  const scenarios = scenariosOf(FACTORS, COUNT, returns);
  const covariance = sampleCovariance(scenarios);
  const risk = new PortfolioRisk({ scenarios, covariance, rows: 4, venues: 2, assets: 2, families: 2, window: 3 });
  return { scenarios, risk };
}

const position = (change: Partial<Position>): Position => ({
  factor: 0,
  venue: 0,
  asset: 0,
  currency: 0,
  family: 0,
  valueUsd: 0,
  deltaUsd: 0,
  gammaUsd: 0,
  perpetualUsd: 0,
  ...change,
});

describe('the risk of a portfolio', () => {
  it('is nothing where nothing is held', () => {
    const figures = portfolio().risk.figuresAt(1_000);
    expect(figures).toMatchObject({ grossUsd: 0, netUsd: 0, leverage: 0, correlationRisk: 0 });
    expect([...figures.historical.varUsd, ...figures.historical.esUsd]).toEqual([0, 0, 0, 0]);
    expect(figures.parametric.map(({ varUsd }) => varUsd)).toEqual([0, 0]);
    expect(figures.assetConcentration).toEqual({ herfindahl: 0, largestShare: 0 });
    expect(figures.drawdown.currentUsd).toBe(0);
  });

  it('counts each position once by venue, asset and family', () => {
    const { risk } = portfolio();
    risk.set(0, position({ factor: 0, deltaUsd: 600 }));
    risk.set(1, position({ factor: 1, venue: 1, deltaUsd: -400, family: 1 }));
    risk.set(3, position({ factor: 2, venue: 1, asset: 1, deltaUsd: 1_000 }));
    const { byVenue, byAsset, byFamily, grossUsd, netUsd, leverage, venueConcentration } = risk.figuresAt(500);
    expect([...byVenue.grossUsd, ...byVenue.netUsd]).toEqual([600, 1_400, 600, 600]);
    expect([...byAsset.grossUsd, ...byAsset.netUsd]).toEqual([1_000, 1_000, 200, 1_000]);
    expect([...byFamily.grossUsd]).toEqual([1_600, 400]);
    expect([grossUsd, netUsd, leverage]).toEqual([2_000, 1_200, 4]);
    expect(venueConcentration.largestShare).toBe(0.7);
  });

  it('follows positions as they change size, change instrument, share one and close', () => {
    const { scenarios, risk } = portfolio();
    risk.set(0, position({ factor: 0, deltaUsd: 9_000, gammaUsd: 500 }));
    risk.set(0, position({ factor: 0, deltaUsd: 5_000, gammaUsd: 100 }));
    risk.set(0, position({ factor: 1, deltaUsd: 7_000 }));
    risk.set(1, position({ factor: 1, deltaUsd: -2_000, gammaUsd: 300 }));
    risk.set(2, position({ factor: 2, deltaUsd: 4_000 }));
    risk.set(2, position({}));
    const pnl = new Float64Array(COUNT);
    const tails = tailsFor(COUNT);
    pnlInto(scenarios, Float64Array.of(0, 5_000, 0), Float64Array.of(0, 300, 0), pnl);
    tailsInto(pnl, tails);
    const { historical, grossUsd } = risk.figuresAt(1e5);
    for (const at of [0, 1]) {
      expect(historical.varUsd[at]).toBeCloseTo(tails.varUsd[at]!, 8);
      expect(historical.esUsd[at]).toBeCloseTo(tails.esUsd[at]!, 8);
    }
    expect(grossUsd).toBe(9_000);
  });

  it('says what a plan adds, and how far the account is below its peak', () => {
    const { risk } = portfolio();
    risk.set(0, position({ factor: 2, deltaUsd: 5_000 }));
    const plan = {
      count: 1,
      factor: Int32Array.of(2),
      deltaUsd: Float64Array.of(-5_000),
      gammaUsd: Float64Array.of(0),
    };
    expect([...risk.effectOf(plan).esUsd]).toEqual([0, 0]);
    risk.figuresAt(1_000);
    expect(risk.figuresAt(900).drawdown).toMatchObject({ currentUsd: 100, maxFraction: 0.1 });
    expect(risk.positions.count).toBe(1);
  });

  it('refuses a row that it has no room for, and scenarios of other factors than the covariance', () => {
    const { scenarios, risk } = portfolio();
    expect(() => risk.set(4, position({}))).toThrow(Bug);
    expect(() => risk.set(0, position({ deltaUsd: Number.NaN }))).toThrow(Bug);
    const covariance = { size: 2, cells: new Float64Array(4) };
    const options = { scenarios, covariance, rows: 1, venues: 1, assets: 1, families: 1, window: 1 };
    expect(() => new PortfolioRisk(options)).toThrow(Bug);
  });
});
