import { beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { Fitted, Verdict } from '#local/calibration/calibrate.ts';
import { fittedTo, runsOf, verdictOn } from '#local/calibration/calibrate.ts';
import { fittedText, verdictText } from '../../bin/commands/calibrate.ts';

/** The chance of filling and the expected value, fitted to some markets and judged on others. docs/calibration.md has larger runs. */

const SECONDS = 60;
const TRAINING = [1, 2];
const HELD_OUT = [11, 12];

describe('forecasts on markets that the fit has not seen', () => {
  let fitted: Fitted;
  let verdict: Verdict;
  beforeAll(async () => {
    const config = loadConfig({ dir: 'config', env: {} });
    const onRun = (): void => undefined;
    fitted = fittedTo(await runsOf(config, { seeds: TRAINING, seconds: SECONDS, onRun }), config.engine.fill);
    const judged = { ...config, engine: { ...config.engine, fill: fitted.settings } };
    verdict = verdictOn(await runsOf(judged, { seeds: HELD_OUT, seconds: SECONDS, onRun }));
    process.stdout.write(`${fittedText(fitted)}${verdictText(verdict, fitted)}`);
  }, 900_000);

  it('have misses to be judged by', () => {
    const { plans, filled } = verdict;
    expect(plans).toBeGreaterThan(1_000);
    expect(plans - filled).toBeGreaterThan(plans / 50);
  });

  it('are better than the best constant that hindsight knows', () => {
    expect(verdict.brier).toBeLessThan(verdict.baseline);
  });

  it('come true as often as they say', () => {
    for (const { predicted, observed, count } of verdict.reliability) {
      // Plans of one dislocation fill or miss together: fewer are independent than there are.
      const error = Math.sqrt((predicted * (1 - predicted)) / (count / PLANS_A_DISLOCATION));
      expect(Math.abs(observed - predicted)).toBeLessThan(3 * error);
    }
  });

  it('expect the value that is realised, within two standard errors of both samples', () => {
    const { mean, standardError } = verdict.bias;
    expect(Math.abs(mean)).toBeLessThanOrEqual(2 * Math.hypot(standardError, fitted.valueError));
  });

  it('are those of the configured coefficients, to what the runs can tell', () => {
    const { fill } = loadConfig({ dir: 'config', env: {} }).engine;
    for (const name of ['round_trip', 'share', 'cushion'] as const)
      expect(Math.abs(fill[name] - fitted.settings[name])).toBeLessThan(5 * fitted.standardErrors[name]);
  });
});

const PLANS_A_DISLOCATION = 3;
