import { drawScenarios } from '#shared/quant/risk/monte-carlo.ts';
import { sampleCovariance } from '#shared/quant/risk/covariance.ts';
import { PortfolioRisk } from '#shared/quant/risk/portfolio-risk.ts';
import type { Position } from '#shared/quant/risk/portfolio-risk.ts';
import { ScenarioBook } from '#shared/quant/risk/scenario-book.ts';
import { keptScenarios, pnlInto, scenariosOf } from '#shared/quant/risk/scenarios.ts';
import type { Scenarios } from '#shared/quant/risk/scenarios.ts';
import { tailsFor, tailsInto } from '#shared/quant/risk/tail.ts';
import { randomFrom } from '#shared/random.ts';
import type { Row } from './cases.ts';
import type { Compared, Contender } from './measure.ts';
import { compare, median } from './measure.ts';
import { ResultHash } from './result-hash.ts';

const POSITIONS = 50;
const SCENARIOS = 1_000;
const PLAN_LEGS = 3;
const CONFIDENCES = [0.95, 0.99] as const;

/** Recalculations of a round: a round is over before a busy machine gives its core to another, and its median is the code's own time. */
const EACH = 20;

/** VaR and ES from nothing, of a plan, and all figures after a position has changed; scenarios drawn anew. */
export function riskCases(recalculations: number): readonly Row[] {
  const rounds = Math.max(2, Math.ceil(recalculations / EACH));
  const scenarios = moves();
  const deltas = changingDeltas(EACH);
  const changed = changeCase(scenarios, deltas, rounds);
  return [
    {
      ...rowOf(
        `VaR and ES, ${POSITIONS} × ${SCENARIOS}`,
        'µs/portfolio',
        scaled(tailCase(scenarios, deltas, rounds), 1e-3),
      ),
      goal: { of: 'value', most: 40 },
    },
    rowOf(
      `effect of a plan of ${PLAN_LEGS} legs on VaR and ES`,
      'µs/plan',
      scaled(planCase(scenarios, deltas, rounds), 1e-3),
    ),
    {
      ...rowOf('risk metrics after a change', 'recalculations/s', changed),
      value: 1e9 / changed.fastNs,
      quiet: 1e9 / changed.quietNs,
      goal: { of: 'value', least: 25_000 },
    },
    drawCase(scenarios, rounds),
  ];
}

const rowOf = (name: string, unit: string, { fastNs, quietNs, plainNs, hash, plainHash }: Compared): Row => ({
  name,
  unit,
  value: fastNs,
  quiet: quietNs,
  ratio: plainNs / fastNs,
  hash,
  plainHash,
});

const scaled = (compared: Compared, by: number): Compared => ({
  ...compared,
  fastNs: compared.fastNs * by,
  quietNs: compared.quietNs * by,
  plainNs: compared.plainNs * by,
});

/** One common move and each its own, with fat tails; kept as the engine keeps its own. */
function moves(): Scenarios {
  const random = randomFrom(1);
  const common = Float64Array.from({ length: SCENARIOS }, () => 0.02 * random.normal());
  const returns = Float64Array.from({ length: POSITIONS * SCENARIOS }, (_none, at) => {
    const own = 0.01 * random.normal() * (random.next() < 0.05 ? 4 : 1);
    return common[at % SCENARIOS]! + own;
  });
  return keptScenarios(scenariosOf(POSITIONS, SCENARIOS, returns));
}

/** A new size for one position after the other. */
function changingDeltas(count: number): Float64Array {
  const random = randomFrom(2);
  return Float64Array.from({ length: count + POSITIONS }, () => 20_000 * random.normal());
}

type Figures = { readonly varUsd: ArrayLike<number>; readonly esUsd: ArrayLike<number> };

/** To a hundredth of a cent: the two add up in another order. */
function addTails(hash: ResultHash, { varUsd, esUsd }: Figures): void {
  for (let at = 0; at < varUsd.length; at += 1) {
    hash.integer(Math.round(varUsd[at]! * 1e4));
    hash.integer(Math.round(esUsd[at]! * 1e4));
  }
}

/** All P&L summed anew each time. */
function tailCase(scenarios: Scenarios, deltas: Float64Array, rounds: number): Compared {
  const count = deltas.length - POSITIONS;
  const gammaUsd = new Float64Array(POSITIONS);
  const contender = (measure: (deltaUsd: Float64Array) => Figures): Contender => ({
    prepare: () => {
      const hash = new ResultHash();
      const deltaUsd = deltas.slice(0, POSITIONS);
      const run = (): void => {
        for (let at = 0; at < count; at += 1) {
          deltaUsd[at % POSITIONS] = deltas[at + POSITIONS]!;
          addTails(hash, measure(deltaUsd));
        }
      };
      return { run, hash: () => hash.hex };
    },
  });
  const pnl = new Float64Array(SCENARIOS);
  const tails = tailsFor(SCENARIOS, CONFIDENCES);
  const fast = contender((deltaUsd) => {
    pnlInto(scenarios, deltaUsd, gammaUsd, pnl);
    tailsInto(pnl, tails);
    return tails;
  });
  const rows = scenarioRows(scenarios);
  return compare(
    count,
    rounds,
    fast,
    contender((deltaUsd) => plainTails(rows.map((row) => plainPnl(row, deltaUsd)))),
  );
}

/** Three legs beside what is held. */
function planCase(scenarios: Scenarios, deltas: Float64Array, rounds: number): Compared {
  const count = deltas.length - POSITIONS;
  const held = deltas.slice(0, POSITIONS);
  const contender = (effectOf: (factors: Int32Array, deltaUsd: Float64Array) => Figures): Contender => ({
    prepare: () => {
      const hash = new ResultHash();
      const factors = new Int32Array(PLAN_LEGS);
      const deltaUsd = new Float64Array(PLAN_LEGS);
      const run = (): void => {
        for (let at = 0; at < count; at += 1) {
          for (let leg = 0; leg < PLAN_LEGS; leg += 1) {
            factors[leg] = (at + 7 * leg) % POSITIONS;
            deltaUsd[leg] = deltas[at + leg]!;
          }
          addTails(hash, effectOf(factors, deltaUsd));
        }
      };
      return { run, hash: () => hash.hex };
    },
  });
  const book = new ScenarioBook(scenarios, CONFIDENCES);
  book.replace(held, new Float64Array(POSITIONS));
  const gammaUsd = new Float64Array(PLAN_LEGS);
  const fast = contender((factor, deltaUsd) => book.effectOf({ count: PLAN_LEGS, factor, deltaUsd, gammaUsd }));
  const rows = scenarioRows(scenarios);
  const plain = contender((factors, deltaUsd) => {
    const planned = [...held];
    for (const [leg, factor] of factors.entries()) planned[factor]! += deltaUsd[leg]!;
    return plainTails(rows.map((row) => plainPnl(row, planned)));
  });
  return compare(count, rounds, fast, plain);
}

/** A position changes, then every figure: VaR and ES historical and parametric, exposures, leverage, concentration, correlation, drawdown. */
function changeCase(scenarios: Scenarios, deltas: Float64Array, rounds: number): Compared {
  const count = deltas.length - POSITIONS;
  const covariance = sampleCovariance(scenarios);
  const groups = { venues: 10, assets: 20, families: 4 };
  const positionAt = (row: number, deltaUsd: number): Position => ({
    factor: row,
    venue: row % groups.venues,
    asset: row % groups.assets,
    currency: 0,
    family: row % groups.families,
    valueUsd: Math.max(0, deltaUsd),
    deltaUsd,
    gammaUsd: 0,
    perpetualUsd: 0,
  });
  const equityAt = (at: number): number => 1e6 + deltas[at]!;
  const fast: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const risk = new PortfolioRisk({ scenarios, covariance, rows: POSITIONS, ...groups, window: 1_440 });
      for (let row = 0; row < POSITIONS; row += 1) risk.set(row, positionAt(row, deltas[row]!));
      const run = (): void => {
        for (let at = 0; at < count; at += 1) {
          risk.set(at % POSITIONS, positionAt(at % POSITIONS, deltas[at + POSITIONS]!));
          const { historical, parametric, grossUsd, leverage, assetConcentration } = risk.figuresAt(equityAt(at));
          addTails(hash, historical);
          hash.integer(Math.round(parametric[0]!.varUsd * 1e4));
          hash.integer(Math.round(grossUsd * 1e4));
          hash.integer(Math.round(leverage * 1e9));
          hash.integer(Math.round(assetConcentration.herfindahl * 1e9));
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  const rows = scenarioRows(scenarios);
  const plain: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const held = [...deltas.slice(0, POSITIONS)];
      const run = (): void => {
        for (let at = 0; at < count; at += 1) {
          held[at % POSITIONS] = deltas[at + POSITIONS]!;
          addTails(hash, plainTails(rows.map((row) => plainPnl(row, held))));
          let variance = 0;
          for (let i = 0; i < POSITIONS; i += 1)
            for (let j = 0; j < POSITIONS; j += 1)
              variance += held[i]! * held[j]! * covariance.cells[i * POSITIONS + j]!;
          hash.integer(Math.round(1.6448536269514722 * Math.sqrt(variance) * 1e4));
          const byAsset = Array.from({ length: groups.assets }, (_none, asset) =>
            held.reduce((sum, delta, row) => (row % groups.assets === asset ? sum + Math.abs(delta) : sum), 0),
          );
          const grossUsd = byAsset.reduce((sum, amount) => sum + amount, 0);
          hash.integer(Math.round(grossUsd * 1e4));
          hash.integer(Math.round((grossUsd / equityAt(at)) * 1e9));
          hash.integer(Math.round(byAsset.reduce((sum, amount) => sum + (amount / grossUsd) ** 2, 0) * 1e9));
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  return compare(count, rounds, fast, plain);
}

/** Monte Carlo: all factors' moves drawn anew, as when the covariance has changed. */
function drawCase(scenarios: Scenarios, rounds: number): Row {
  const covariance = sampleCovariance(scenarios);
  const hash = new ResultHash();
  const times = Array.from({ length: rounds + 1 }, (_none, round) => {
    const started = performance.now();
    const drawn = drawScenarios(covariance, SCENARIOS, randomFrom(round));
    if (drawn.kind === 'refused') throw new Error(`the bench expects a covariance: ${drawn.reason}`);
    hash.double(drawn.scenarios.returns[0]!);
    return (performance.now() - started) * 1e3;
  });
  return {
    name: `Monte Carlo, ${POSITIONS} × ${SCENARIOS} drawn`,
    unit: 'µs/draw',
    value: median(times.slice(1)),
    hash: hash.hex,
  };
}

/** An array a scenario, as it is usually held. */
const scenarioRows = ({ returns, factors, count }: Scenarios): readonly (readonly number[])[] =>
  Array.from({ length: count }, (_none, at) =>
    Array.from({ length: factors }, (_factor, factor) => returns[factor * count + at]!),
  );

function plainPnl(row: readonly number[], deltaUsd: ArrayLike<number>): number {
  let sum = 0;
  for (let factor = 0; factor < row.length; factor += 1) sum += deltaUsd[factor]! * row[factor]!;
  return sum;
}

function plainTails(pnl: readonly number[]): Figures {
  const losses = pnl.map((gain) => -gain).sort((a, b) => b - a);
  const worst = CONFIDENCES.map((confidence) => Math.round(losses.length * (1 - confidence)));
  return {
    varUsd: worst.map((count) => losses[count]!),
    esUsd: worst.map((count) => losses.slice(0, count).reduce((sum, loss) => sum + loss, 0) / count),
  };
}
