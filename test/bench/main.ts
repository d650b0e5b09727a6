import { execFileSync, spawnSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';
import { parseArgs } from 'node:util';
import { systemClock } from '#shared/clock/clock.ts';
import type { Group } from './groups.ts';
import { GROUPS, SIZES } from './groups.ts';
import { changes, pin, pinned } from './pins.ts';
import type { Report, ReportRow } from './report.ts';
import { reportRow, tableOf } from './report.ts';

const names = GROUPS.map(({ name }) => name);

const HELP = `npm run bench [-- --json] [-- --small [--pin]] [-- --only NAME,…]

Times the hot path beside a plain JSON.parse + Map + objects implementation in the same run, rounds interleaved, medians; and
recorded book frames of every venue beside libraries of the field on the same frames. Every group of cases has a process of its own.
  --json   prints {machine, node, commit, flags, date, size, rows}; docs/reports.md has the fields
  --small  fewer messages and rounds: proves the results, not the speed
  --pin    with --small: keeps the results in test/bench/hashes.json as those to expect
  --only   some groups of cases: ${names.join(', ')}

npm run -s bench -- --json > FILE && npm run bench:docs -- FILE   writes docs/performance.md
npm run bench:compare -- REV                                      compares with another commit; --help teaches the rest

Exits with 1 when two implementations do not come to the same results, or --small not to the pinned ones. No figure fails it.
`;

type Options = {
  readonly json: boolean;
  readonly size: Report['size'];
  readonly pins: boolean;
  readonly groups: readonly Group[];
};

async function main(): Promise<void> {
  const options = optionsFrom(process.argv.slice(2));
  if (typeof options === 'string') {
    (options === HELP ? process.stdout : process.stderr).write(options);
    process.exitCode = options === HELP ? 0 : 1;
    return;
  }
  const { groups, json } = options;
  const [first] = groups;
  const isHere = groups.length === 1 && (first!.flags ?? []).every((flag) => process.execArgv.includes(flag));
  const run = isHere ? await rowsHere(first!, options) : rowsOfProcesses(options);
  const report: Report = { ...circumstances(), size: options.size, rows: run.rows };
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : tableOf(run.rows));
  for (const line of run.problems) process.stderr.write(`${line}\n`);
  if (run.problems.length > 0) process.exitCode = 1;
}

type Run = { readonly rows: readonly ReportRow[]; readonly problems: readonly string[] };

async function rowsHere({ name, run }: Group, { size, pins }: Options): Promise<Run> {
  const rows = (await run(SIZES[size])).map((row) => reportRow(name, row, size));
  if (pins) pin(rows);
  const differing = rows.flatMap(({ group, name: title, hash, plainHash }) =>
    plainHash === undefined ? [] : [`${group}, ${title}: results differ: ${hash}, plain ${plainHash}`],
  );
  return { rows, problems: [...differing, ...(size === 'small' ? changes(rows, pinned()) : [])] };
}

/** One after the other: what one group has compiled and left on the heap is in no other group's figures. */
function rowsOfProcesses({ groups, size, pins }: Options): Run {
  const clock = systemClock();
  const flags = [...(size === 'small' ? ['--small'] : []), ...(pins ? ['--pin'] : [])];
  const runs = groups.map(({ name, flags: own = [] }): Run => {
    const startedNs = clock.now();
    const args = [...process.execArgv, ...own, import.meta.filename, '--only', name, '--json', ...flags];
    // What is wrong with its results, the process says itself.
    const { stdout, status } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 1 << 26,
    });
    process.stderr.write(`${name}: ${((clock.now() - startedNs) / 1e9).toFixed(1)} s\n`);
    const rows = stdout.startsWith('{') ? (JSON.parse(stdout) as Report).rows : [];
    return { rows, problems: status === 0 ? [] : [`${name}: failed`] };
  });
  return { rows: runs.flatMap(({ rows }) => rows), problems: runs.flatMap(({ problems }) => problems) };
}

function circumstances(): Omit<Report, 'rows' | 'size'> {
  const git = (...args: readonly string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const clock = systemClock();
  const [core] = cpus();
  const cores = `${cpus().length} × ${core?.model.trim() ?? 'unknown processor'}`;
  return {
    machine: `${cores}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()} ${process.arch}`,
    node: process.version,
    commit: `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ', changed'}`,
    flags: process.execArgv,
    date: new Date(clock.unixMs(clock.now())).toISOString(),
  };
}

/** What is wrong with them, or HELP, as text. */
function optionsFrom(args: readonly string[]): Options | string {
  const flag = { type: 'boolean', default: false } as const;
  const options = { json: flag, small: flag, pin: flag, help: flag, only: { type: 'string' } } as const;
  try {
    const { only, ...values } = parseArgs({ args: [...args], options }).values;
    if (values.help) return HELP;
    const wanted = only?.split(',') ?? names;
    const unknown = wanted.filter((name) => !names.includes(name));
    if (unknown.length > 0) return `bench: no such group: ${unknown.join(', ')}\n`;
    if (values.pin && !values.small) return 'bench: --pin goes with --small\n';
    return {
      json: values.json,
      size: values.small ? 'small' : 'full',
      pins: values.pin,
      groups: GROUPS.filter(({ name }) => wanted.includes(name)),
    };
  } catch (error) {
    return `bench: ${error instanceof Error ? error.message : String(error)}\n`;
  }
}

await main();
