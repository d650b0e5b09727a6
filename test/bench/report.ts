import type { Goal, Row } from './cases.ts';

/** What `--json` prints: the run, and a row a figure. */
export type Report = {
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly flags: readonly string[];
  /** ISO 8601, of the beginning. */
  readonly date: string;
  readonly size: 'full' | 'small';
  readonly rows: readonly ReportRow[];
};

/** `plainHash` only where it is another one; `isAlone`: nothing else reckons the result. A figure that could not be taken is null. */
export type ReportRow = Omit<Row, 'plainHash' | 'value'> & {
  readonly group: string;
  readonly value: number | null;
  readonly plainHash?: string;
  readonly isAlone?: true;
};

/** The figures of a small run mean nothing: no goal is held against them. */
export function reportRow(group: string, { hash, plainHash, ...row }: Row, size: Report['size'] = 'full'): ReportRow {
  const { name, unit, value, quiet, ratio, goal, percentiles, note } = row;
  return {
    group,
    name,
    unit,
    value: Number.isFinite(value) ? rounded(value) : null,
    ...(quiet === undefined ? {} : { quiet: rounded(quiet) }),
    ...(ratio === undefined ? {} : { ratio: rounded(ratio) }),
    hash,
    ...(plainHash === undefined || hash === plainHash ? {} : { plainHash }),
    ...(plainHash === undefined && hash !== '' ? { isAlone: true } : {}),
    ...(goal === undefined || size === 'small' ? {} : { goal }),
    ...(percentiles === undefined
      ? {}
      : { percentiles: Object.fromEntries(Object.entries(percentiles).map(([at, ns]) => [at, rounded(ns)])) }),
    ...(note === undefined ? {} : { note }),
  };
}

const rounded = (value: number): number => Number(value.toPrecision(4));

type Measured = Pick<ReportRow, 'goal' | 'value' | 'quiet' | 'ratio'>;

/** By the median of the rounds, by the quietest one alone, or not at all. Undefined where there is no goal, or no figure. */
export function reachedBy({ goal, value, quiet, ratio }: Measured): 'median' | 'quiet' | 'none' | undefined {
  const figure = goal?.of === 'ratio' ? ratio : value;
  if (goal === undefined || figure === undefined || figure === null) return undefined;
  const holds = (found: number): boolean => ('least' in goal ? found >= goal.least : found <= goal.most);
  if (holds(figure)) return 'median';
  return goal.of === 'value' && quiet !== undefined && holds(quiet) ? 'quiet' : 'none';
}

const REACHED = { median: 'reached', quiet: 'reached when quiet', none: 'missed' } as const;

export function goalText(row: Measured): string {
  if (row.goal === undefined) return '';
  const by = reachedBy(row);
  return `${boundText(row.goal)}: ${by === undefined ? 'not measured' : REACHED[by]}`;
}

function boundText(goal: Goal): string {
  const bound = 'least' in goal ? `≥ ${figureText(goal.least)}` : `≤ ${figureText(goal.most)}`;
  return goal.of === 'ratio' ? `${bound} ×` : bound;
}

export const figureText = (value: number | null): string =>
  value === null ? '–' : value.toLocaleString('en', { maximumSignificantDigits: 4 });

/** The hash, and whether it is only pinned. */
const resultText = ({ hash, isAlone }: Pick<ReportRow, 'hash' | 'isAlone'>): string =>
  isAlone === true ? `${hash} alone` : hash;

export const percentilesText = (percentiles: NonNullable<Row['percentiles']>): string =>
  Object.entries(percentiles)
    .map(([at, value]) => `${at} ${figureText(value)}`)
    .join(' · ');

export function tableOf(rows: readonly ReportRow[]): string {
  const width = Math.max(4, ...rows.map(({ name }) => name.length)) + 2;
  const units = Math.max(14, ...rows.map(({ unit }) => unit.length));
  const title = `${'case'.padEnd(width)}${'value'.padStart(12)}${'quiet'.padStart(12)} ${'unit'.padEnd(units)}${'ratio'.padStart(9)}   ${'result'.padEnd(14)}  goal`;
  const lines = rows.flatMap((row) => {
    const { name, unit, value, quiet, ratio, percentiles } = row;
    const times = ratio === undefined ? '' : `${figureText(ratio)} ×`;
    const least = quiet === undefined ? '' : figureText(quiet);
    const figures = `${figureText(value).padStart(12)}${least.padStart(12)} ${unit.padEnd(units)}${times.padStart(9)}`;
    const line = `${name.padEnd(width)}${figures}   ${resultText(row).padEnd(14)}  ${goalText(row)}`.trimEnd();
    return percentiles === undefined ? [line] : [line, `${' '.repeat(width)}  ${percentilesText(percentiles)}`];
  });
  return `${[title, ...lines].join('\n')}\n`;
}
