import type { Outcome } from './episode.ts';

/** Episodes added up. Plain data: workers send it. */
export type Totals = {
  episodes: number;
  operations: number;
  /** Operations by number of legs, and how many of them hold what they enter. */
  legs: Record<string, number>;
  sums: number;
  recovered: number;
  /** Of the recovered: a person was asked; a person had to answer. */
  asked: number;
  answered: number;
  orders: number;
  events: number;
  steps: number;
  mismatches: number;
  unseen: number;
  faults: Record<string, number>;
  looseSeconds: number[];
  /** Cost of recovery, in basis points of the operation's notional. */
  costBps: number[];
  costUsd: number;
  notionalUsd: number;
  hash: number;
};

export const noTotals = (): Totals => ({
  episodes: 0,
  operations: 0,
  legs: {},
  sums: 0,
  recovered: 0,
  asked: 0,
  answered: 0,
  orders: 0,
  events: 0,
  steps: 0,
  mismatches: 0,
  unseen: 0,
  faults: {},
  looseSeconds: [],
  costBps: [],
  costUsd: 0,
  notionalUsd: 0,
  hash: 0,
});

export function addOutcome(totals: Totals, outcome: Outcome): void {
  totals.episodes += 1;
  totals.orders += outcome.orders;
  totals.events += outcome.events;
  totals.steps += outcome.steps;
  totals.mismatches += outcome.mismatches;
  totals.unseen += outcome.unseen;
  // Episodes come in any order: what they say together must not depend on it.
  totals.hash = (totals.hash + outcome.hash) >>> 0;
  for (const [fault, count] of outcome.faults) totals.faults[fault] = (totals.faults[fault] ?? 0) + count;
  for (const operation of outcome.operations) {
    totals.operations += 1;
    totals.legs[operation.legs] = (totals.legs[operation.legs] ?? 0) + 1;
    if (operation.isSum) totals.sums += 1;
    if (!operation.wasRecovering || operation.isStrict) continue;
    totals.recovered += 1;
    if (operation.wasAsked) totals.asked += 1;
    if (operation.wasAnswered) totals.answered += 1;
    // What only the comparison of balances finds is not found here.
    if (!operation.isMismatched) totals.looseSeconds.push(operation.looseSeconds);
    totals.costBps.push((-operation.recoveryUsd / operation.notionalUsd) * 1e4);
    totals.costUsd -= operation.recoveryUsd;
    totals.notionalUsd += operation.notionalUsd;
  }
}

export function addTotals(totals: Totals, other: Totals): void {
  for (const key of [
    'episodes',
    'operations',
    'sums',
    'recovered',
    'asked',
    'answered',
    'orders',
    'events',
    'steps',
    'mismatches',
    'unseen',
    'costUsd',
    'notionalUsd',
  ] as const)
    totals[key] += other[key];
  totals.hash = (totals.hash + other.hash) >>> 0;
  for (const [fault, count] of Object.entries(other.faults)) totals.faults[fault] = (totals.faults[fault] ?? 0) + count;
  for (const [legs, count] of Object.entries(other.legs)) totals.legs[legs] = (totals.legs[legs] ?? 0) + count;
  for (const seconds of other.looseSeconds) totals.looseSeconds.push(seconds);
  for (const bps of other.costBps) totals.costBps.push(bps);
}

/** Of operations that recovery had to bring to an end: how many it did without a person's word. */
export const automaticShare = ({ recovered, answered }: Totals): number =>
  recovered === 0 ? 1 : (recovered - answered) / recovered;

export const hashText = ({ hash }: Totals): string => hash.toString(16).padStart(8, '0');

/** The figures, a line each. */
export function reportOf(totals: Totals, seconds: number): string {
  const { episodes, operations, recovered, asked, answered, orders, events, faults, legs, sums } = totals;
  const each = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `${episodes} episodes, ${operations} operations (${each(legs)} by legs; ${sums} held), ${orders} orders, ${events} records`,
    `faults: ${each(faults)}`,
    `recovery: ${recovered} operations, ${(100 * automaticShare(totals)).toFixed(2)} % without a person; a person was asked ${asked} times and had to answer ${answered}`,
    `unhedged seconds: ${quantilesOf(totals.looseSeconds)}`,
    `cost of recovery in bps of the notional: ${quantilesOf(totals.costBps)}; all together ${((1e4 * totals.costUsd) / Math.max(1, totals.notionalUsd)).toFixed(2)}`,
    `trades that only the comparison of balances finds: ${totals.mismatches}; orders at work that only a list of open orders finds: ${totals.unseen}`,
    `hash ${hashText(totals)}, ${seconds.toFixed(1)} s, ${(episodes / seconds).toFixed(0)} episodes a second`,
  ].join('\n');
}

function quantilesOf(values: readonly number[]): string {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(2);
  return `p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)}`;
}
