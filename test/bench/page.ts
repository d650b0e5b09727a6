import { format, resolveConfig } from 'prettier';
import { GROUPS } from './groups.ts';
import type { Report, ReportRow } from './report.ts';
import { figureText, goalText, reachedBy } from './report.ts';

const FILE = 'docs/performance.md';

/** docs/performance.md, from the report of a run: the same report gives the same page. */
export async function pageFrom(report: Report): Promise<string> {
  const groups = GROUPS.flatMap(({ name, about }) => {
    const rows = report.rows.filter(({ group }) => group === name);
    return rows.length === 0 ? [] : [sectionOf(name, about, rows)];
  });
  const text = [...introduction(report), ...goals(report.rows), ...groups].join('\n\n');
  return format(text, { ...(await resolveConfig(FILE)), parser: 'markdown' });
}

const introduction = ({ machine, node, commit, flags, date, size }: Report): readonly string[] => [
  '# Performance',
  'Written by `npm run bench:docs` from `docs/performance.json`. Do not edit: measure again.',
  '```\nnpm run -s bench -- --json > performance.json\nnpm run bench:docs -- performance.json\n```',
  table(
    ['measured on', ''],
    [
      ['date', date],
      ['machine', machine],
      ['Node', `${node} ${flags.join(' ')}`.trim()],
      ['commit', commit],
      ...(size === 'full' ? [] : [['size', '**small: the figures mean nothing**']]),
    ],
  ),
  'Machines differ, and a shared one differs from itself by half within an hour: quote ratios. A ratio compares two implementations in one process, in interleaved rounds, by medians; both must ' +
    'come to the same result, and `result` is the hash of it; `alone` says that nothing else reckons it here, and that it is only held to what it was before. The figure is the median of the rounds; `quiet` is the best of them, what the code takes while nobody else is on the machine. Each group of cases has a process of its own. `npm run bench:compare -- REV` tells whether a change made anything slower.',
];

function goals(rows: readonly ReportRow[]): readonly string[] {
  const wanted = rows.filter(({ goal }) => goal !== undefined);
  if (wanted.length === 0) return [];
  const reached = (by: ReturnType<typeof reachedBy>): number => wanted.filter((row) => reachedBy(row) === by).length;
  const lines = wanted.map((row) => [row.name, figureOf(row), quietOf(row), ratioOf(row), goalText(row)]);
  return [
    '## Goals',
    `${reached('median')} of ${wanted.length} are reached, ${reached('quiet')} more in the quietest round. A missed one stays on the page.`,
    table(['case', 'figure', 'quiet', 'ratio', 'goal'], lines),
  ];
}

function sectionOf(name: string, about: string, rows: readonly ReportRow[]): string {
  const lines = rows.map((row) => [
    row.name,
    figureOf(row),
    quietOf(row),
    ratioOf(row),
    goalText(row),
    `\`${row.hash || '–'}\`${row.isAlone === true ? ' alone' : ''}`,
  ]);
  const notes = [...Map.groupBy(rows, ({ note }) => note)].flatMap(([note, of]) =>
    note === undefined ? [] : [`- ${named(of)}: ${note}`],
  );
  return [
    `## ${name}`,
    about,
    `\`npm run bench -- --only ${name}\``,
    table(['case', 'figure', 'quiet', 'ratio', 'goal', 'result'], lines),
    ...percentiles(rows),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
  ].join('\n\n');
}

function percentiles(rows: readonly ReportRow[]): readonly string[] {
  const having = rows.filter((row) => row.percentiles !== undefined);
  const columns = [...new Set(having.flatMap((row) => Object.keys(row.percentiles!)))];
  if (columns.length === 0) return [];
  const lines = having.map(({ name, unit, percentiles: at = {} }) => [
    `${name} (${unit})`,
    ...columns.map((column) => figureText(at[column] ?? null)),
  ]);
  return [table(['distribution', ...columns], lines)];
}

const figureOf = ({ value, unit }: ReportRow): string => `${figureText(value)} ${unit}`;
const quietOf = ({ quiet }: ReportRow): string => (quiet === undefined ? '' : figureText(quiet));
const ratioOf = ({ ratio }: ReportRow): string => (ratio === undefined ? '' : `${figureText(ratio)} ×`);
const named = (rows: readonly ReportRow[]): string => rows.map(({ name }) => name).join('; ');

function table(titles: readonly string[], lines: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '-')), ...lines.map(line)].join('\n');
}
