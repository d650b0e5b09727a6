import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BadInput } from '#shared/assert.ts';
import type { Config } from '#shared/schema/config.ts';
import { readJournal } from '#hotpath/publish/journal.ts';
import type { FillSettings } from '#hotpath/size/fill-model.ts';
import { hazardOf, regressorsOf, rescueOf } from '#hotpath/size/fill-model.ts';
import { drained, SLICE_NS, virtualWorld } from '../virtual-world.ts';
import type { Fit, Trial } from './hazard-fit.ts';
import { fitHazard } from './hazard-fit.ts';
import type { Sample } from './samples.ts';
import { samplesFrom } from './samples.ts';
import type { Bin, Mean } from './scores.ts';
import { brierScore, meanWithError, reliabilityOf } from './scores.ts';

/** A market, and how far away it is. */
export type Scenario = {
  readonly latencyMs: number;
  readonly updatesPerSecond: number;
  readonly dislocationsPerMinute: number;
};

/** From the laptop's defaults to venues on the other side of the world in a fast market. */
export const SCENARIOS: readonly Scenario[] = [
  { latencyMs: 5, updatesPerSecond: 400, dislocationsPerMinute: 24 },
  { latencyMs: 25, updatesPerSecond: 400, dislocationsPerMinute: 24 },
  { latencyMs: 100, updatesPerSecond: 400, dislocationsPerMinute: 60 },
  { latencyMs: 100, updatesPerSecond: 1600, dislocationsPerMinute: 60 },
  { latencyMs: 300, updatesPerSecond: 400, dislocationsPerMinute: 60 },
  { latencyMs: 300, updatesPerSecond: 1600, dislocationsPerMinute: 60 },
];

export type Run = { readonly scenario: Scenario; readonly seed: number; readonly samples: readonly Sample[] };

/** Runs the engine on the simulator in virtual time, each scenario with each seed. */
export async function runsOf(
  config: Config,
  {
    seeds,
    seconds,
    onRun,
  }: { readonly seeds: readonly number[]; readonly seconds: number; readonly onRun: (run: Run) => void },
): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const seed of seeds) {
    for (const scenario of SCENARIOS) {
      const run = { scenario, seed, samples: await samplesOf(configOf(config, scenario), seed, seconds) };
      onRun(run);
      runs.push(run);
    }
  }
  return runs;
}

/** Nothing but the market and the way to it: the rest stays as configured. Paper orders leave no footprint, so none is reckoned with. */
const configOf = (config: Config, scenario: Scenario): Config => ({
  ...config,
  system: { ...config.system, log_level: 'error' },
  engine: { ...config.engine, fill: { ...config.engine.fill, impact_factor: 0 } },
  paper: { ...config.paper, latency_ms: scenario.latencyMs, latency_jitter_ms: scenario.latencyMs * JITTER_SHARE },
  simulator: {
    ...config.simulator,
    updates_per_second: scenario.updatesPerSecond,
    dislocations_per_minute: scenario.dislocationsPerMinute,
  },
});

const JITTER_SHARE = 0.4;

async function samplesOf(config: Config, seed: number, seconds: number): Promise<readonly Sample[]> {
  const journalDir = mkdtempSync(join(tmpdir(), 'arb-calibrate-'));
  try {
    const world = await virtualWorld(config, { seed, journalDir, version: 'calibrate' });
    const { engine, clock } = world;
    engine.start();
    const endNs = clock.now() + seconds * 1e9;
    while (clock.now() < endNs) {
      clock.runUntil(Math.min(endNs, clock.now() + SLICE_NS));
      await new Promise((resolve) => setImmediate(resolve));
    }
    drained(world);
    engine.finish('calibrated');
    return samplesFrom(readJournal(journalDir, 0));
  } finally {
    rmSync(journalDir, { recursive: true, force: true });
  }
}

/** In the order of `regressorsOf`. */
const COEFFICIENTS = ['intercept', 'round_trip', 'age', 'volatility', 'share', 'displayed', 'cushion'] as const;

type Coefficients = Readonly<Record<(typeof COEFFICIENTS)[number], number>>;
const byName = (values: readonly number[]): Coefficients =>
  Object.fromEntries(COEFFICIENTS.map((name, at) => [name, values[at]!])) as Coefficients;

export type Fitted = {
  readonly settings: FillSettings;
  readonly standardErrors: Coefficients & { readonly correlation: number };
  readonly plans: number;
  readonly filled: number;
  /** How far chance may have put the expected value of a plan, as it was fitted to these runs. */
  readonly valueError: number;
};

/** The belief that a coefficient is 0 weighs as much as one miss. */
const RIDGE = 1;

/**
 * Coefficients under which the runs were likeliest: leg by leg; then how the legs hang together, which counts where it is twice its standard error away from
 * independence; then what recovery saved of what missing plans would have cost. @throws BadInput when too little was missed to tell
 */
export function fittedTo(runs: readonly Run[], settings: FillSettings): Fitted {
  const samples = runs.flatMap((run) => run.samples);
  const trials = samples.flatMap(({ legs }) =>
    legs.map(({ facts, filled }) => ({ regressors: regressorsOf(facts), offset: 0, missed: !filled })),
  );
  const misses = trials.filter(({ missed }) => missed).length;
  if (misses < MISSES_LEAST) throw new BadInput(`only ${misses} legs missed: run longer (at least ${MISSES_LEAST})`);
  const legs = fitted(trials);
  const alone: FillSettings = { ...settings, ...byName(legs.coefficients), correlation: 1 };
  const together = togetherness(samples, alone);
  const correlation = Math.abs(together.mean - 1) > 2 * together.standardError ? together.mean : 1;
  return {
    settings: { ...alone, correlation, rescue_ms: rescueMsOf(samples) },
    standardErrors: {
      ...byName(legs.standardErrors),
      correlation: together.standardError,
    },
    plans: samples.length,
    filled: samples.filter(({ allFilled }) => allFilled).length,
    valueError: verdictOn(runs).bias.standardError,
  };
}

const MISSES_LEAST = 50;

/** Neither age nor a greater share does any good: where chance says that it does, it is left out. */
function fitted(trials: readonly Trial[]): Fit {
  const fit = fitHazard(trials, RIDGE);
  const odd = HARMFUL.find((name) => fit.coefficients[COEFFICIENTS.indexOf(name)]! < 0);
  if (odd === undefined) return fit;
  const at = COEFFICIENTS.indexOf(odd);
  return fitted(trials.map((trial) => ({ ...trial, regressors: trial.regressors.with(at, 0) })));
}

const HARMFUL = ['round_trip', 'age', 'share'] as const;

/** By what factor the hazards of one plan's legs must be multiplied to give the plan's. */
function togetherness(samples: readonly Sample[], settings: FillSettings): Omit<Mean, 'count'> {
  const { coefficients, standardErrors } = fitHazard(
    samples.map(({ legs, allFilled }) => {
      const hazard = legs.reduce((sum, { facts }) => sum + hazardOf(facts, settings), 0);
      return { regressors: [1], offset: Math.log(hazard), missed: !allFilled };
    }),
    0,
  );
  const mean = Math.exp(coefficients[0]!);
  return { mean, standardError: mean * standardErrors[0]! };
}

/** The round trip of half a rescue under which the misses would have lost, all together, what they did lose: by bisection of its logarithm. */
function rescueMsOf(samples: readonly Sample[]): number {
  const misses = samples.filter(({ allFilled, realised }) => !allFilled && realised !== undefined);
  const surplusOf = (rescueMs: number): number =>
    misses.reduce((sum, { legs, expectedProfit, unwindCost, realised }) => {
      const saved = rescueOf(
        legs.map(({ facts }) => facts),
        { rescue_ms: rescueMs },
      );
      return sum + saved * (expectedProfit + unwindCost) - unwindCost - realised!;
    }, 0);
  let low = Math.log(RESCUE_MS_MIN);
  let high = Math.log(RESCUE_MS_MAX);
  for (let step = 0; step < BISECTIONS; step += 1) {
    const middle = (low + high) / 2;
    if (surplusOf(Math.exp(middle)) < 0) low = middle;
    else high = middle;
  }
  return Math.exp(low);
}

const RESCUE_MS_MIN = 0.01;
const RESCUE_MS_MAX = 1e5;
const BISECTIONS = 60;

/** How good the forecasts of some runs were. */
export type Verdict = {
  readonly plans: number;
  readonly filled: number;
  /** Of the engine's own forecasts; and of the best constant, which only hindsight knows. */
  readonly brier: number;
  readonly baseline: number;
  readonly reliability: readonly Bin[];
  /** Realised less expected value of an operation, in the numeraire. The error is that of these runs alone, without that of the fit. */
  readonly bias: Mean;
  readonly expectedValue: number;
};

/** What begins within so long of each other may come from one dislocation. */
const CLUSTER_MS = 5_000;

export function verdictOn(runs: readonly Run[]): Verdict {
  const samples = runs.flatMap((run) => run.samples);
  const forecasts = samples.map(({ fillProbability, allFilled }) => ({
    probability: fillProbability,
    happened: allFilled,
  }));
  const filled = samples.filter(({ allFilled }) => allFilled).length;
  const rate = filled / samples.length;
  const errors = new Map<string, number[]>();
  let expectedValue = 0;
  for (const [at, run] of runs.entries()) {
    for (const sample of run.samples) {
      if (sample.realised === undefined) continue;
      const cluster = `${at} ${Math.floor(sample.plannedMs / CLUSTER_MS)}`;
      errors.set(cluster, [...(errors.get(cluster) ?? []), sample.realised - sample.expectedValue]);
      expectedValue += sample.expectedValue;
    }
  }
  const bias = meanWithError([...errors.values()]);
  return {
    plans: samples.length,
    filled,
    brier: brierScore(forecasts),
    baseline: rate * (1 - rate),
    reliability: reliabilityOf(forecasts),
    bias,
    expectedValue: expectedValue / bias.count,
  };
}
