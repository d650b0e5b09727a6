import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { BadInput } from '#shared/assert.ts';
import type { DriftReport, DriftRow, DriftSide } from '#hotpath/drift/drift-report.ts';
import { driftReport } from '#hotpath/drift/drift-report.ts';
import { readJournal } from '#hotpath/publish/journal.ts';

/** `arb drift`: how orders fared in one mode against another. */
export function driftCommand(): Command {
  return new Command('drift')
    .description('Compare the orders of journals: paper against shadow against live.')
    .argument('<journals...>', 'two journals or more: a data folder, or the folder of its journal')
    .option('--report <file>', 'write the result as JSON')
    .addHelpText(
      'after',
      `
Counts what all of the journals have ordered, by venue and leg: how much filled, how soon, at what price against the plan's, with what fees,
and what operations have brought against what was expected. docs/shadow.md says how to read it.

  arb drift .arbitrage/paper .arbitrage/shadow --report drift.json`,
    )
    .action((paths: readonly string[], { report }: { readonly report?: string }) => {
      const found = driftReport(paths.map((path) => ({ name: path, events: () => readJournal(journalIn(path)) })));
      process.stdout.write(`${tableOf(found)}\n`);
      if (report !== undefined) write(report, found);
    });
}

/** @throws BadInput where there is none */
function journalIn(path: string): string {
  const folder = [join(path, 'journal'), path].find((candidate) => existsSync(candidate));
  if (folder === undefined) throw new BadInput(`cannot read ${path}: ENOENT`);
  return folder;
}

function write(path: string, report: DriftReport): void {
  try {
    writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    throw new BadInput(`cannot write ${path}: ${(error as NodeJS.ErrnoException).code ?? 'unwritable'}`);
  }
}

const COLUMNS = [
  'venue',
  'part',
  'mode',
  'orders',
  'filled',
  'whole',
  'slip bps',
  'fee bps',
  'ms p50',
  'ms p99',
  'rejected',
];

/** Venue by venue and leg by leg, the modes below each other; then what it came to. */
export function tableOf({ instruments, sides }: DriftReport): string {
  const keys = [...new Set(sides.flatMap(({ rows }) => rows.map(keyOf)))].sort();
  const lines = keys.flatMap((key) =>
    sides.flatMap((side) => side.rows.filter((row) => keyOf(row) === key).map((row) => cellsOf(side, row))),
  );
  return [
    `${instruments.length} instruments in common`,
    '',
    ...aligned([COLUMNS, ...lines]),
    '',
    ...aligned([
      ['mode', 'operations', 'completed', 'expected', 'realised', 'fees', 'drift bps', 'journal'],
      ...sides.map((side) => [
        side.mode,
        String(side.operations),
        String(side.completed),
        side.expected.toFixed(2),
        side.realised.toFixed(2),
        side.fees.toFixed(2),
        numberOf(side.driftBps, 2),
        side.journal,
      ]),
    ]),
  ].join('\n');
}

const keyOf = ({ venue, part }: DriftRow): string => `${venue} ${part}`;

const cellsOf = ({ mode }: DriftSide, row: DriftRow): string[] => [
  row.venue,
  row.part,
  mode,
  String(row.orders),
  percentOf(row.fillRate),
  percentOf(row.wholeShare),
  numberOf(row.slippageBps, 2),
  numberOf(row.feeBps, 2),
  numberOf(row.fillMs.p50, 1),
  numberOf(row.fillMs.p99, 1),
  String(row.rejected),
];

const percentOf = (share: number): string => `${(100 * share).toFixed(1)} %`;
const numberOf = (value: number | null, digits: number): string => (value === null ? '–' : value.toFixed(digits));

/** Words to the left, numbers to the right. */
function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) =>
    line
      .map((cell, column) => (/^[-–\d]/.test(cell) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}
