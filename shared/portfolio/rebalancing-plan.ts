import { Decimal } from 'decimal.js';
import type { Solved, Solver } from './linear-program.ts';
import {
  accountKey,
  driftOf,
  type Drift,
  type DriftReason,
  type RebalancingPlan,
  type RebalancingProblem,
  type RemainingDrift,
  type Step,
} from './rebalancing.ts';
import { rebalancingProgram, type Lifted, type RebalancingProgram } from './rebalancing-program.ts';
import { Execution, type Decided } from './rebalancing-steps.ts';

/** In the numeraire: less than this is the solver's noise. */
const NOISE = 1e-3;
/** Trades of a phase are sent at once. */
const TRADE_MINUTES = 0.05;

/** What is lifted to learn why drift remains, one upon the other. */
const LIFTED: readonly (readonly [Lifted, DriftReason])[] = [
  ['worth', 'NOT_WORTH_IT'],
  ['suspension', 'WALLET_SUSPENDED'],
  ['minimum', 'BELOW_MINIMUM'],
  ['depth', 'NO_DEPTH'],
  ['reserve', 'RESERVED'],
];

/**
 * The cheapest steps that bring accounts back between their bounds, and why they do not reach them all. Doing nothing is always a plan, so there is
 * always one: what cannot be done remains as drift with a reason. The cost of a plan and the worth of what remains add up to the least that there is,
 * but for what the grids of lots take.
 */
export function planRebalancing(problem: RebalancingProblem, solver: Solver): RebalancingPlan {
  const made = rebalancingProgram(problem, new Set());
  const solved = solver(made.program);
  const execution = new Execution(problem);
  for (const decided of decisionsOf(made, solved)) execution.add(decided);
  const after = driftsOf(problem, (venue, asset) => execution.amountOf(venue, asset));
  return {
    status: solved.kind,
    steps: execution.steps,
    cost: execution.steps.reduce((sum, { cost }) => sum.plus(cost), new Decimal(0)),
    minutes: minutesOf(execution.steps),
    before: driftsOf(problem, undefined),
    remaining: explained(problem, after, solver, { made, solved }),
  };
}

function decisionsOf({ weighed }: RebalancingProgram, solved: Solved): Decided[] {
  if (solved.kind === 'none') return [];
  return weighed
    .map(({ decision, columns, mark }) => ({
      decision,
      value: columns.reduce((sum, column) => sum + solved.values[column]!, 0),
      mark,
    }))
    .filter(({ value }) => value > NOISE)
    .map(({ decision, value, mark }) => ({ decision, amount: value / mark }))
    .sort((one, other) => one.decision.phase - other.decision.phase);
}

function driftsOf(
  { accounts, marks, dust }: RebalancingProblem,
  amountOf: ((venue: string, asset: string) => Decimal) | undefined,
): Drift[] {
  return accounts
    .map((account) => {
      const { venue, asset, projected } = account;
      return { venue, asset, amount: driftOf(account, amountOf === undefined ? projected : amountOf(venue, asset)) };
    })
    .filter(
      ({ asset, amount }) =>
        !amount.isZero() &&
        !amount
          .abs()
          .times(marks.get(asset) ?? Infinity)
          .lt(dust),
    );
}

/** Trades, then the slowest transfer, then trades again: each phase waits for the one before. */
function minutesOf(steps: readonly Step[]): number {
  const of = (phase: Step['phase']): readonly Step[] => steps.filter((step) => step.phase === phase);
  const slowest = of(1).reduce((most, step) => Math.max(most, step.kind === 'transfer' ? step.minutes : 0), 0);
  return (of(0).length > 0 ? TRADE_MINUTES : 0) + slowest + (of(2).length > 0 ? TRADE_MINUTES : 0);
}

function explained(
  problem: RebalancingProblem,
  drifts: readonly Drift[],
  solver: Solver,
  { made: plain, solved: found }: { readonly made: RebalancingProgram; readonly solved: Solved },
): RemainingDrift[] {
  const reasons = new Map<Drift, DriftReason>();
  for (const drift of drifts) {
    if (!problem.marks.has(drift.asset)) reasons.set(drift, 'NO_PRICE');
    else if (found.kind === 'none') reasons.set(drift, 'TIME_LIMIT');
    // The program itself leaves nothing there: it is what whole lots take.
    else if (remainderOf(drift, plain, found.values) < problem.dust) reasons.set(drift, 'BELOW_MINIMUM');
  }
  const lifted = new Set<Lifted>();
  let isCut = false;
  for (const [rule, reason] of LIFTED) {
    const open = drifts.filter((drift) => !reasons.has(drift));
    if (open.length === 0) break;
    lifted.add(rule);
    const made = rebalancingProgram(problem, lifted);
    const solved = solver(made.program);
    isCut = solved.kind !== 'optimal';
    if (solved.kind === 'none') break;
    for (const drift of open) {
      if (remainderOf(drift, made, solved.values) < problem.dust) reasons.set(drift, reason);
    }
    // More of the same would take as long again, each.
    if (isCut) break;
  }
  const { filled, emptied } = rebalancingProgram(problem, lifted);
  return drifts.map((drift) => {
    const reachable = drift.amount.isNegative() ? filled : emptied;
    const last = isCut
      ? 'TIME_LIMIT'
      : reachable.has(accountKey(drift.venue, drift.asset))
        ? 'NO_COUNTERPART'
        : 'NO_ROUTE';
    return { ...drift, reason: reasons.get(drift) ?? last };
  });
}

function remainderOf(drift: Drift, { drifts }: RebalancingProgram, values: ArrayLike<number>): number {
  const columns = drifts.get(accountKey(drift.venue, drift.asset));
  return columns === undefined ? Infinity : values[drift.amount.isNegative() ? columns.short : columns.over]!;
}
