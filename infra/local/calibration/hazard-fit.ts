import { assert } from '#shared/assert.ts';

/** One trial: what its hazard depends on, a known part of ln h, and whether it ended in a miss. */
export type Trial = { readonly regressors: readonly number[]; readonly offset: number; readonly missed: boolean };

export type Fit = {
  readonly coefficients: readonly number[];
  readonly standardErrors: readonly number[];
  readonly logLikelihood: number;
};

const ITERATIONS_MAX = 100;
const HALVINGS_MAX = 30;
const GAIN_LEAST = 1e-9;

/**
 * The coefficients β under which the trials were likeliest, P(missed) = 1 − exp(−h), ln h = offset + β·x: Fisher scoring, each step halved until it
 * gains. `ridge` is the weight, in trials, of the belief that a coefficient is 0; it keeps what the trials do not tell from running away. The
 * first coefficient, the intercept, has none.
 * @see McCullagh and Nelder, Generalized Linear Models (1989), sections 2.5 and 4.3
 */
export function fitHazard(trials: readonly Trial[], ridge: number): Fit {
  const size = trials[0]?.regressors.length ?? 0;
  assert(size > 0, 'a fit without trials');
  const penalties = Array.from({ length: size }, (_, at) => (at === 0 ? 0 : ridge));
  const misses = trials.filter(({ missed }) => missed).length;
  let coefficients = Array.from({ length: size }, () => 0);
  coefficients[0] = Math.log(-Math.log1p(-(misses + 0.5) / (trials.length + 1)));
  let value = objective(trials, coefficients, penalties);
  for (let iteration = 0; iteration < ITERATIONS_MAX; iteration += 1) {
    const { score, information } = derivatives(trials, coefficients, penalties);
    const step = solved(information, score);
    const next = longestGain(coefficients, step, value, (tried) => objective(trials, tried, penalties));
    if (next === undefined || next.value - value < GAIN_LEAST) break;
    ({ coefficients, value } = next);
  }
  const { information } = derivatives(trials, coefficients, penalties);
  const standardErrors = coefficients.map((_, at) => Math.sqrt(solved(information, unit(size, at))[at]!));
  return { coefficients, standardErrors, logLikelihood: objective(trials, coefficients, zeros(size)) };
}

type Tried = { readonly coefficients: number[]; readonly value: number };

function longestGain(
  from: readonly number[],
  step: readonly number[],
  value: number,
  valueOf: (coefficients: readonly number[]) => number,
): Tried | undefined {
  let length = 1;
  for (let halving = 0; halving < HALVINGS_MAX; halving += 1) {
    const coefficients = from.map((each, at) => each + length * step[at]!);
    const tried = valueOf(coefficients);
    if (tried > value) return { coefficients, value: tried };
    length /= 2;
  }
  return undefined;
}

/** Log likelihood less the penalties. */
function objective(trials: readonly Trial[], coefficients: readonly number[], penalties: readonly number[]): number {
  let sum = 0;
  for (const trial of trials) {
    const hazard = Math.exp(logHazardOf(trial, coefficients));
    sum += trial.missed ? Math.log(-Math.expm1(-hazard)) : -hazard;
  }
  for (const [at, each] of coefficients.entries()) sum -= (penalties[at]! * each * each) / 2;
  return sum;
}

function derivatives(
  trials: readonly Trial[],
  coefficients: readonly number[],
  penalties: readonly number[],
): { readonly score: number[]; readonly information: number[][] } {
  const size = coefficients.length;
  const score = coefficients.map((each, at) => -penalties[at]! * each);
  const information = coefficients.map((_, row) => unit(size, row).map((one) => one * penalties[row]!));
  for (const trial of trials) {
    const { regressors, missed } = trial;
    const hazard = Math.exp(Math.min(LOG_HAZARD_MAX, logHazardOf(trial, coefficients)));
    const odds = hazard / Math.expm1(hazard);
    const pull = missed ? odds : -hazard;
    const weight = hazard * odds;
    for (let row = 0; row < size; row += 1) {
      score[row]! += pull * regressors[row]!;
      for (let column = 0; column < size; column += 1)
        information[row]![column]! += weight * regressors[row]! * regressors[column]!;
    }
  }
  return { score, information };
}

/** Beyond this nothing fills, and e to the hazard is more than a double holds. */
const LOG_HAZARD_MAX = 6;

function logHazardOf({ regressors, offset }: Trial, coefficients: readonly number[]): number {
  let sum = offset;
  for (let at = 0; at < coefficients.length; at += 1) sum += coefficients[at]! * regressors[at]!;
  return sum;
}

/** Gaussian elimination with row pivots. */
function solved(matrix: readonly (readonly number[])[], right: readonly number[]): readonly number[] {
  const rows = matrix.map((row, at) => [...row, right[at]!]);
  const size = rows.length;
  for (let at = 0; at < size; at += 1) {
    let pivot = at;
    for (let row = at + 1; row < size; row += 1)
      if (Math.abs(rows[row]![at]!) > Math.abs(rows[pivot]![at]!)) pivot = row;
    [rows[at], rows[pivot]] = [rows[pivot]!, rows[at]!];
    const head = rows[at]!;
    assert(head[at] !== 0, 'the trials do not tell the coefficients apart');
    for (const [row, each] of rows.entries()) {
      if (row === at) continue;
      const factor = each[at]! / head[at]!;
      for (let column = at; column <= size; column += 1) each[column]! -= factor * head[column]!;
    }
  }
  return rows.map((row, at) => row[size]! / row[at]!);
}

const zeros = (size: number): number[] => Array.from({ length: size }, () => 0);
const unit = (size: number, at: number): number[] => zeros(size).map((_, each) => (each === at ? 1 : 0));
