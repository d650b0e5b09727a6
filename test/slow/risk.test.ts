import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { correlationOf, ewmaCovariance, sampleCovariance, shrunkCovariance } from '#shared/quant/risk/covariance.ts';
import { DrawdownMeter } from '#shared/quant/risk/drawdown.ts';
import { concentrationOf, exposureFor, exposureInto, leverageOf, positionsFor } from '#shared/quant/risk/exposure.ts';
import type { Positions } from '#shared/quant/risk/exposure.ts';
import { exitOf } from '#shared/quant/risk/liquidity.ts';
import { drawScenarios } from '#shared/quant/risk/monte-carlo.ts';
import { correlationRisk, parametricTail } from '#shared/quant/risk/parametric.ts';
import type { Position } from '#shared/quant/risk/portfolio-risk.ts';
import { ScenarioBook } from '#shared/quant/risk/scenario-book.ts';
import { pnlInto, scenariosOf } from '#shared/quant/risk/scenarios.ts';
import type { Scenarios } from '#shared/quant/risk/scenarios.ts';
import { stressesFor, stressOf } from '#shared/quant/risk/stress.ts';
import type { OpenLegs } from '#shared/quant/risk/stress.ts';
import { tailsFor, tailsInto } from '#shared/quant/risk/tail.ts';
import type { Tails } from '#shared/quant/risk/tail.ts';
import { randomFrom } from '#shared/random.ts';
import type { Random } from '#shared/random.ts';

/** Every risk figure of random portfolios against numpy: one scenario to 1,500, ties, more factors than scenarios, idle positions. */

const CASES = 150;
const TOLERANCE = 1e-10;
const DECAY = 0.94;
const CONFIDENCES = [0.9, 0.95, 0.99, 0.995];
const VENUES = 5;
/** Two stablecoins, then coins. */
const STABLE = Uint8Array.of(1, 1, 0, 0, 0, 0);
const TERMS = {
  lostShare: 0.7,
  hedgeMove: 0.15,
  depeg: 0.1,
  gap: 0.25,
  fundingRate: 0.0075,
  fundingTimes: 3,
  legMove: 0.02,
};

type PlanLeg = { readonly factor: number; readonly deltaUsd: number; readonly gammaUsd: number };
type Leg = {
  readonly plan: number;
  readonly deltaUsd: number;
  readonly gammaUsd: number;
  readonly exitCostUsd: number;
};

type Case = {
  readonly scenarios: Scenarios;
  readonly seed: number;
  readonly deltaUsd: Float64Array;
  readonly gammaUsd: Float64Array;
  readonly plan: readonly PlanLeg[];
  readonly groups: Int32Array;
  readonly equity: readonly number[];
  readonly window: number;
  readonly exit: ReturnType<typeof exitFrom>;
  readonly positions: readonly Position[];
  readonly legs: readonly Leg[];
};

type Figures = Readonly<Record<string, readonly number[]>>;

const isThere = spawnSync('python3', ['-c', 'import numpy']).status === 0;

describe.skipIf(!isThere)('against numpy (skipped where python3 or its numpy is absent)', () => {
  const cases = casesFrom(17);
  let references: readonly Figures[] = [];
  beforeAll(() => {
    references = referencesOf(cases);
  }, 600_000);

  it('comes to every figure within 1e-10, relative', () => {
    expect(references).toHaveLength(CASES);
    const worst = new Map<string, { compared: number; off: number }>();
    for (const [at, each] of cases.entries()) {
      const ours = figuresOf(each);
      for (const [name, wanted] of Object.entries(references[at]!)) {
        const found = ours[name]!;
        expect(found.length, name).toBe(wanted.length);
        const tally = worst.get(name) ?? { compared: 0, off: 0 };
        worst.set(name, tally);
        // What is lost where figures of a family cancel is measured by the family's largest.
        const scale = Math.max(...wanted.map(Math.abs));
        for (const [place, figure] of wanted.entries()) {
          const off = Math.abs(found[place]! - figure) / Math.max(Math.abs(figure), 1e-3 * scale, Number.MIN_VALUE);
          expect(off, `${name} ${place} of case ${at}: ${found[place]!}, not ${figure}`).toBeLessThanOrEqual(TOLERANCE);
          tally.compared += 1;
          tally.off = Math.max(tally.off, off);
        }
      }
    }
    for (const [name, { compared, off }] of worst)
      process.stdout.write(`  ${name}: ${compared} figures, worst ${off.toExponential(2)}\n`);
    expect([...worst.keys()].sort()).toEqual(Object.keys(figuresOf(cases.find(isWhole)!)).sort());
  });
});

const isWhole = ({ scenarios: { count, factors } }: Case): boolean => count > 2 * factors && count > 2;

function figuresOf(each: Case): Figures {
  const { scenarios, seed, deltaUsd, gammaUsd, equity, window, groups } = each;
  const { factors, count } = scenarios;
  const book = new ScenarioBook(scenarios, CONFIDENCES);
  book.replace(deltaUsd, gammaUsd);
  const historical = flat(book.measure());
  const { varUsd, esUsd } = book.effectOf({
    count: each.plan.length,
    factor: Int32Array.from(each.plan, ({ factor }) => factor),
    deltaUsd: Float64Array.from(each.plan, (leg) => leg.deltaUsd),
    gammaUsd: Float64Array.from(each.plan, (leg) => leg.gammaUsd),
  });
  const figures: Record<string, readonly number[]> = {
    historical,
    planned: flat({ varUsd, esUsd }),
    ewma: [...ewmaCovariance(scenarios, DECAY).cells],
    exit: exitFigures(each.exit),
    stresses: stressFigures(each),
  };
  const meter = new DrawdownMeter(window);
  for (const value of equity) meter.add(value);
  const drawdown = meter.figures();
  figures['drawdown'] = [
    drawdown.currentUsd,
    drawdown.currentFraction,
    drawdown.maxUsd,
    drawdown.maxFraction,
    drawdown.trailingUsd,
    drawdown.trailingFraction,
  ];
  const exposure = exposureFor(Math.max(...groups) + 1);
  exposureInto(groups, deltaUsd, factors, exposure);
  const { herfindahl, largestShare } = concentrationOf(exposure.grossUsd);
  const gross = exposure.grossUsd.reduce((sum, amount) => sum + amount, 0);
  figures['exposure'] = [
    ...exposure.grossUsd,
    ...exposure.netUsd,
    herfindahl,
    largestShare,
    leverageOf(gross, equity.at(-1)!),
  ];
  const covariance = sampleCovariance(scenarios);
  if (count > 2) {
    const shrunk = shrunkCovariance(scenarios);
    figures['covariance'] = [...covariance.cells];
    figures['shrunk'] = [shrunk.intensity, ...shrunk.covariance.cells];
    figures['correlation'] = [...correlationOf(covariance).cells];
    figures['parametric'] = CONFIDENCES.flatMap((confidence) => {
      const tail = parametricTail(deltaUsd, covariance, confidence);
      return [tail.varUsd, tail.esUsd];
    });
    figures['correlationRisk'] = [correlationRisk(deltaUsd, covariance)];
  }
  if (count > 2 * factors) {
    const drawn = drawScenarios(covariance, count, randomFrom(seed));
    if (drawn.kind === 'refused') throw new Error(drawn.reason);
    const pnl = new Float64Array(count);
    const tails = tailsFor(count, CONFIDENCES);
    pnlInto(drawn.scenarios, deltaUsd, gammaUsd, pnl);
    tailsInto(pnl, tails);
    figures['monteCarlo'] = flat(tails);
  }
  return figures;
}

const flat = ({ varUsd, esUsd }: Pick<Tails, 'varUsd' | 'esUsd'>): readonly number[] =>
  [...varUsd].flatMap((value, at) => [value, esUsd[at]!]);

function exitFigures({ qty, mid, prices, qtys, ...terms }: Case['exit']): readonly number[] {
  const book = {
    count: prices.length,
    pricesUsd: Float64Array.from(prices),
    qtys: Float64Array.from(qtys),
    midUsd: mid,
  };
  const { costUsd, timeMs, liquidUsd } = exitOf(qty, book, terms);
  return [costUsd, timeMs, liquidUsd];
}

function stressFigures({ positions, legs }: Case): readonly number[] {
  const book = { positions: columnsOf(positions), legs: legColumnsOf(legs), stable: STABLE };
  const coins = [...STABLE.keys()];
  const subject = {
    venues: VENUES,
    stablecoins: coins.filter((asset) => STABLE[asset] === 1),
    others: coins.filter((asset) => STABLE[asset] === 0),
  };
  return stressesFor(subject, TERMS).map((stress) => stressOf(book, stress).pnlUsd);
}

function columnsOf(rows: readonly Position[]): Positions {
  const columns = positionsFor(rows.length);
  for (const [at, row] of rows.entries())
    for (const name of Object.keys(row) as (keyof Position)[]) columns[name][at] = row[name];
  columns.count = rows.length;
  return columns;
}

const legColumnsOf = (legs: readonly Leg[]): OpenLegs => ({
  count: legs.length,
  plan: Int32Array.from(legs, ({ plan }) => plan),
  deltaUsd: Float64Array.from(legs, ({ deltaUsd }) => deltaUsd),
  gammaUsd: Float64Array.from(legs, ({ gammaUsd }) => gammaUsd),
  exitCostUsd: Float64Array.from(legs, ({ exitCostUsd }) => exitCostUsd),
});

function casesFrom(seed: number): readonly Case[] {
  const random = randomFrom(seed);
  const within = (low: number, high: number): number => low + (high - low) * random.next();
  const usd = (): number => 20_000 * random.normal();
  return Array.from({ length: CASES }, (_none, at): Case => {
    const factors = 1 + random.integer(at % 3 === 0 ? 55 : 12);
    const count = [1 + random.integer(4), 2 * factors + 1 + random.integer(60), 200 + random.integer(1_300)][at % 3]!;
    return {
      scenarios: scenariosOf(factors, count, returnsFrom(random, factors, count)),
      seed: at,
      deltaUsd: Float64Array.from({ length: factors }, () => (random.next() < 0.1 && factors > 1 ? 0 : usd())),
      gammaUsd: Float64Array.from({ length: factors }, () => (random.next() < 0.7 ? 0 : usd())),
      plan: Array.from({ length: 1 + random.integer(5) }, () => ({
        factor: random.integer(factors),
        deltaUsd: usd(),
        gammaUsd: random.next() < 0.5 ? 0 : usd(),
      })),
      groups: Int32Array.from({ length: factors }, () => random.integer(6)),
      equity: Array.from({ length: 1 + random.integer(400) }, () => within(50_000, 150_000)),
      window: 1 + random.integer(50),
      exit: exitFrom(random),
      positions: Array.from({ length: 1 + random.integer(40) }, () => positionFrom(random)),
      legs: Array.from({ length: 1 + random.integer(9) }, () => ({
        plan: random.integer(4),
        deltaUsd: usd(),
        gammaUsd: random.next() < 0.5 ? 0 : usd(),
        exitCostUsd: within(0, 20),
      })),
    };
  });
}

/** Moves in common and apart, fat-tailed; every third case to a tenth of a percent, so that outcomes tie. */
function returnsFrom(random: Random, factors: number, count: number): Float64Array {
  const grid = random.next() < 0.33 ? 1e-3 : 0;
  const common = Float64Array.from({ length: count }, () => 0.03 * random.normal());
  return Float64Array.from({ length: factors * count }, (_none, at) => {
    const move = common[at % count]! + 0.01 * random.normal() * (random.next() < 0.05 ? 5 : 1);
    return grid === 0 ? move : grid * Math.round(move / grid);
  });
}

function exitFrom(random: Random) {
  const mid = 100 * Math.exp(3 * random.normal());
  const isHeld = random.next() < 0.5;
  const levels = 1 + random.integer(30);
  const step = 0.0005 * mid;
  const size = 0.1 + 40 * random.next();
  return {
    qty: isHeld ? size : -size,
    mid,
    prices: Array.from({ length: levels }, (_none, level) => mid + (isHeld ? -1 : 1) * step * (level + 1)),
    qtys: Array.from({ length: levels }, () => 0.1 + random.next()),
    share: 0.25 + 0.5 * random.next(),
    refillMs: 250 * (1 + random.integer(8)),
    slippageMax: 0.0007 + 0.02 * random.next(),
    takerFee: 0.001 * random.next(),
    horizonMs: 100 + 20_000 * random.next(),
  };
}

function positionFrom(random: Random): Position {
  const asset = random.integer(STABLE.length);
  const deltaUsd = 20_000 * random.normal();
  const isPerpetual = random.next() < 0.4;
  return {
    factor: 0,
    venue: random.integer(VENUES),
    asset,
    currency: random.integer(3),
    family: 0,
    valueUsd: isPerpetual ? 500 * random.normal() : deltaUsd,
    deltaUsd,
    gammaUsd: random.next() < 0.8 ? 0 : 20_000 * random.normal(),
    perpetualUsd: isPerpetual ? deltaUsd : 0,
  };
}

function referencesOf(cases: readonly Case[]): readonly Figures[] {
  const input = cases.map((each) => {
    const { factors, count, returns } = each.scenarios;
    const random = randomFrom(each.seed);
    return JSON.stringify({
      factors,
      returns: [...returns],
      normals: Array.from({ length: factors * count }, () => random.normal()),
      deltaUsd: [...each.deltaUsd],
      gammaUsd: [...each.gammaUsd],
      plan: each.plan,
      confidences: CONFIDENCES,
      decay: DECAY,
      groups: [...each.groups],
      equity: each.equity,
      window: each.window,
      exit: each.exit,
      stress: { positions: each.positions, legs: each.legs, venues: VENUES, stable: [...STABLE], terms: TERMS },
    });
  });
  const { stdout, stderr, status } = spawnSync('python3', ['test/slow/risk-reference.py'], {
    input: input.join('\n'),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Figures);
}
