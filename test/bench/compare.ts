import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { recordedDir } from '#test/support/recorded.ts';
import { GROUPS } from './groups.ts';
import { figureText } from './report.ts';
import type { Figure, Verdict } from './verdict.ts';
import { PAIRS_LEAST, verdicts } from './verdict.ts';

const HELP = `npm run bench:compare -- REV [--only GROUP,…] [--pairs N] [--small]

Is what lies here slower than the commit REV? Runs the bench of both, process by process in turns (old new, new old, …), and judges each row by
pairs of neighbours: what the machine does to one it does to the other.
  REV      a commit, tag or branch; it is checked out beside, in a temporary folder that is removed at the end, with the packages installed here
  --only   some groups of cases: ${GROUPS.map(({ name }) => name).join(', ')} (all is long)
  --pairs  how many pairs of runs (default ${PAIRS_LEAST}; fewer are not judged)
  --small  the small mode: tells whether results are the same, not speed

  npm run bench:compare -- HEAD --only path           # what is not committed yet, against what is
  npm run bench:compare -- main~10 --only hotpath,path --pairs 9

A row's slowdown is the median of new ÷ old over the pairs; for rates, of old ÷ new. Its noise is how far a run is from the next one of the same code,
the median of both sides. "slower" and "faster" are said where the difference is beyond the noise (and 2 %) and the pairs agree about the side, but for one
in six. With five pairs and no difference at all, one row in thirty is said to differ by chance: ask again with more pairs.

Exits with 0 whatever it finds: it tells, you decide. With 1 when a bench cannot be run.
`;

type Options = {
  readonly rev: string;
  readonly groups: readonly string[];
  readonly pairs: number;
  readonly isSmall: boolean;
};

const run = promisify(execFile);

async function main(): Promise<void> {
  const options = optionsFrom(process.argv.slice(2));
  if (typeof options === 'string') {
    (options === HELP ? process.stdout : process.stderr).write(options);
    process.exitCode = options === HELP ? 0 : 1;
    return;
  }
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const old = join(mkdtempSync(join(tmpdir(), 'bench-')), 'old');
  try {
    await run('git', ['worktree', 'add', '--quiet', '--detach', old, options.rev]);
    symlinkSync(resolve('node_modules'), join(old, 'node_modules'));
    for (const group of options.groups) await compared(group, { old, ...options, signal: stopping.signal });
  } catch (error) {
    process.stderr.write(`bench:compare: ${stopping.signal.aborted ? 'stopped' : messageOf(error)}\n`);
    process.exitCode = 1;
  } finally {
    await run('git', ['worktree', 'remove', '--force', old]).catch(() => undefined);
    rmSync(join(old, '..'), { recursive: true, force: true });
  }
}

type Comparison = Options & { readonly old: string; readonly signal: AbortSignal };

async function compared(group: string, comparison: Comparison): Promise<void> {
  const pairs: (readonly [readonly Figure[], readonly Figure[]])[] = [];
  for (let pair = 0; pair < comparison.pairs; pair += 1) {
    const figures = (folder: string): Promise<readonly Figure[]> => figuresOf(group, folder, comparison);
    if (pair % 2 === 0) {
      const old = await figures(comparison.old);
      pairs.push([old, await figures('.')]);
    } else {
      const fresh = await figures('.');
      pairs.push([await figures(comparison.old), fresh]);
    }
    process.stderr.write(`${group}: pair ${pair + 1} of ${comparison.pairs}\n`);
  }
  process.stdout.write(tableOf(group, verdicts(pairs), comparison));
}

async function figuresOf(group: string, folder: string, { isSmall, signal }: Comparison): Promise<readonly Figure[]> {
  const args = ['--expose-gc', 'test/bench/main.ts', '--json', '--only', group, ...(isSmall ? ['--small'] : [])];
  // What stands beside the project does not stand beside the other checkout.
  const env = { ...process.env, RECORDED_DIR: resolve(recordedDir) };
  const stdout = await run(process.execPath, args, { cwd: folder, env, signal, maxBuffer: 1 << 26 }).then(
    (done) => done.stdout,
    (error: unknown) => {
      // A bench whose results differ prints its figures all the same.
      const { stdout: printed = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
      if (/^[[{]/.test(printed)) return printed;
      throw new Error(`group ${group} cannot be run in ${folder}: ${stderr.trim() || messageOf(error)}`);
    },
  );
  const parsed = JSON.parse(stdout) as readonly Figure[] | { readonly rows: readonly Figure[] };
  const rows = 'rows' in parsed ? parsed.rows : parsed;
  return rows.filter(({ value }) => typeof value === 'number');
}

function tableOf(group: string, rows: readonly Verdict[], { rev, pairs }: Options): string {
  if (rows.length === 0) return `${group}: no row that both have\n`;
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  const title = `${group.padEnd(width)}${rev.slice(0, 12).padStart(12)}${'here'.padStart(12)} ${'unit'.padEnd(18)}slowdown   noise`;
  const lines = rows.map(({ name, unit, slowdown, noise, kind, isOtherResult, ...figures }) => {
    const values = [figures.old, figures.new].map((value) => figureText(value).padStart(12)).join('');
    const factors = `${`${slowdown.toFixed(3)} ×`.padStart(9)}  ${`±${((noise - 1) * 100).toFixed(1)} %`.padStart(8)}`;
    const said = [...(kind === 'same' ? [] : [kind]), ...(isOtherResult ? ['OTHER RESULT'] : [])].join(', ');
    return `${name.padEnd(width)}${values} ${unit.padEnd(18)}${factors}  ${said}`.trimEnd();
  });
  const count = (kind: Verdict['kind']): number => rows.filter((row) => row.kind === kind).length;
  const others = rows.filter(({ isOtherResult }) => isOtherResult).length;
  const judged = `${count('slower')} slower, ${count('faster')} faster, ${count('same')} within the noise`;
  const sum = `${pairs} pairs: ${pairs < PAIRS_LEAST ? 'too few to judge' : judged}; ${others} with another result`;
  return `${[title, ...lines, sum].join('\n')}\n\n`;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What is wrong with them, or HELP, as text. */
function optionsFrom(args: readonly string[]): Options | string {
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    only: { type: 'string' },
    pairs: { type: 'string', default: String(PAIRS_LEAST) },
    small: flag,
    help: flag,
  } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (values.help) return HELP;
    const [rev, ...others] = positionals;
    if (rev === undefined || others.length > 0) return `bench:compare: which commit? (--help)\n`;
    const names = GROUPS.map(({ name }) => name);
    const groups = values.only?.split(',') ?? names;
    const unknown = groups.filter((name) => !names.includes(name));
    if (unknown.length > 0) return `bench:compare: no such group: ${unknown.join(', ')}\n`;
    const pairs = Number(values.pairs);
    if (!Number.isInteger(pairs) || pairs < 1) return 'bench:compare: --pairs is a whole number from 1\n';
    return { rev, groups, pairs, isSmall: values.small };
  } catch (error) {
    return `bench:compare: ${messageOf(error)}\n`;
  }
}

await main();
