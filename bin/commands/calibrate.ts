import { Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '#shared/config/load.ts';
import type { Fitted, Run, Verdict } from '#local/calibration/calibrate.ts';
import { fittedTo, runsOf, SCENARIOS, verdictOn } from '#local/calibration/calibrate.ts';
import { configDir } from './config.ts';

type Flags = { readonly train: number; readonly test: number; readonly for: number; readonly config?: string };

/** `arb calibrate`: fits the chance of filling on the simulator, and says how good it is on markets that it has not seen. */
export function calibrateCommand(): Command {
  return new Command('calibrate')
    .description('Fit the probability that orders fill, and the value expected of them, to simulated markets.')
    .option('--train <n>', 'seeds to fit to', count, 3)
    .option('--test <n>', 'other seeds to judge the fit by', count, 3)
    .option('--for <seconds>', 'virtual seconds of each run', count, 60)
    .option('--config <file>', "one more TOML file over the project's own layers")
    .addHelpText(
      'after',
      `
Every seed is run in several markets, near and far, calm and fast, on a virtual clock. Prints the coefficients as TOML for
[engine.fill], then what came of the forecasts on the other seeds. docs/calibration.md says what the numbers mean.`,
    )
    .action(async ({ train, test, for: seconds, config: file }: Flags) => {
      const config = loadConfig({ dir: configDir, env: process.env, file });
      const onRun = (run: Run): void => void process.stderr.write(runLine(run));
      const training = await runsOf(config, { seeds: seedsFrom(1, train), seconds, onRun });
      const fitted = fittedTo(training, config.engine.fill);
      process.stdout.write(fittedText(fitted));
      const judged = { ...config, engine: { ...config.engine, fill: fitted.settings } };
      const heldOut = await runsOf(judged, { seeds: seedsFrom(1 + train, test), seconds, onRun });
      process.stdout.write(`${verdictText(verdictOn(heldOut), fitted)}\n${scenarioTexts(heldOut)}`);
    });
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 10_000)
    throw new InvalidArgumentError('a whole number from 1 on');
  return value;
}

const seedsFrom = (first: number, many: number): readonly number[] =>
  Array.from({ length: many }, (_, at) => first + at);

const runLine = ({ scenario, seed, samples }: Run): string =>
  `seed ${seed}  latency ${scenario.latencyMs} ms  ${scenario.updatesPerSecond} updates/s  plans ${samples.length}\n`;

/** The section of the configuration, each fitted number with its standard error. */
export function fittedText({ settings, standardErrors, plans, filled }: Fitted): string {
  const lines = Object.entries(standardErrors).map(([name, error]) => {
    const value = settings[name as keyof typeof standardErrors];
    return `${name} = ${value.toFixed(3)}  # ± ${error.toFixed(3)}`;
  });
  return [
    `# fitted to ${plans} plans, of which ${filled} filled`,
    '[engine.fill]',
    ...lines,
    `rescue_ms = ${settings.rescue_ms.toFixed(1)}`,
    '',
    '',
  ].join('\n');
}

export function verdictText(
  { plans, filled, brier, baseline, reliability, bias, expectedValue }: Verdict,
  { valueError }: Pick<Fitted, 'valueError'>,
): string {
  const share = ((100 * filled) / plans).toFixed(1);
  const skill = (100 * (1 - brier / baseline)).toFixed(1);
  return [
    `held out       ${plans} plans, ${share} % filled`,
    `Brier score    ${brier.toFixed(5)}, constant rate ${baseline.toFixed(5)}, better by ${skill} %`,
    `EV per plan    ${expectedValue.toFixed(3)}, realised less expected ${bias.mean.toFixed(3)} ± ${Math.hypot(bias.standardError, valueError).toFixed(3)} (${bias.count} plans)`,
    'predicted  observed  plans',
    ...reliability.map(
      (bin) =>
        `${bin.predicted.toFixed(3).padStart(9)}  ${bin.observed.toFixed(3).padStart(8)}  ${String(bin.count).padStart(5)}`,
    ),
    '',
  ].join('\n');
}

/** One line a market: the forecasts on average, and what came of them. */
function scenarioTexts(runs: readonly Run[]): string {
  const lines = SCENARIOS.map((scenario) => {
    const { plans, filled, reliability, bias, expectedValue } = verdictOn(
      runs.filter((run) => run.scenario === scenario),
    );
    const predicted = reliability.reduce((sum, bin) => sum + bin.predicted * bin.count, 0) / plans;
    const cells = [
      String(scenario.latencyMs).padStart(10),
      String(scenario.updatesPerSecond).padStart(9),
      String(plans).padStart(5),
      predicted.toFixed(3).padStart(9),
      (filled / plans).toFixed(3).padStart(8),
      expectedValue.toFixed(2).padStart(8),
      `${bias.mean.toFixed(2)} ± ${bias.standardError.toFixed(2)}`,
    ];
    return cells.join('  ');
  });
  return ['latency ms  updates/s  plans  predicted  observed  EV/plan  realised less expected', ...lines, ''].join(
    '\n',
  );
}
