import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { episodeSeed, runEpisode } from './episode.ts';
import type { Totals } from './report.ts';
import { addOutcome, addTotals, noTotals, reportOf } from './report.ts';

type Options = {
  readonly episodes: number;
  readonly seed: number;
  readonly from: number;
  readonly crashes: boolean;
  readonly verbose: boolean;
  readonly workers: number;
};
type Failure = { readonly episode: number; readonly message: string; readonly stack: string };
type News =
  | { readonly kind: 'progress'; readonly done: number }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'over'; readonly totals: Totals };

const PROGRESS_EVERY = 50;
const FAILURES_MAX = 10;

const program = new Command('simulate')
  .description(
    'Tells the engine stories of orders that go wrong, on a virtual clock, and asks after every step whether it keeps its promises.',
  )
  .option('--episodes <count>', 'how many stories', whole, 1_000)
  .option('--seed <number>', 'of all chances', whole, 1)
  .option('--from <episode>', 'the first story: with --episodes 1 it replays one', whole, 0)
  .option('--crashes', 'kill every engine a few times, not only some', false)
  .option('--verbose', 'tell the stories (in this process)', false)
  .option('--workers <count>', 'processes', whole, availableParallelism())
  .addHelpText(
    'after',
    '\nA story that fails prints the command that replays it. docs/simulation.md says what is simulated.',
  );

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('a whole number, please');
  return value;
}

if (process.send === undefined) await lead();
else work();

async function lead(): Promise<void> {
  const options = program.parse().opts<Options>();
  const startedMs = performance.now();
  const { totals, failures } = options.verbose ? tellAll(options) : await shareOut(options);
  const seconds = (performance.now() - startedMs) / 1_000;
  process.stdout.write(`${reportOf(totals, seconds)}\n`);
  for (const failure of failures.slice(0, FAILURES_MAX)) process.stdout.write(failureText(failure, options));
  process.stdout.write(`${failures.length} of ${options.episodes} episodes failed\n`);
  if (failures.length > 0) process.exitCode = 1;
}

function failureText({ episode, message, stack }: Failure, { seed, crashes, verbose }: Options): string {
  const again = `npm run simulate -- --seed ${seed} --from ${episode} --episodes 1${crashes ? ' --crashes' : ''} --verbose`;
  return `FAILED episode ${episode}: ${message}\n  ${again}\n${verbose ? `${stack}\n` : ''}`;
}

function tellAll(options: Options): { readonly totals: Totals; readonly failures: readonly Failure[] } {
  const totals = noTotals();
  const failures: Failure[] = [];
  const tell = (line: string): void => void process.stdout.write(`${line}\n`);
  for (let episode = options.from; episode < options.from + options.episodes; episode += 1)
    runOne(totals, failures, { ...options, episode, tell });
  return { totals, failures };
}

/** Every n-th episode to every worker: what they come to does not depend on how many there are. */
async function shareOut(options: Options): Promise<{ readonly totals: Totals; readonly failures: readonly Failure[] }> {
  const totals = noTotals();
  const failures: Failure[] = [];
  let done = 0;
  const one = (worker: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(import.meta.filename, [JSON.stringify({ ...options, worker })], { serialization: 'advanced' });
      let isOver = false;
      child.on('message', (news: News) => {
        if (news.kind === 'progress') {
          done += news.done;
          if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${options.episodes} episodes`);
        } else if (news.kind === 'failed') {
          failures.push(news.failure);
          // Nobody waits for the end of a long run to look at what has failed.
          if (failures.length <= FAILURES_MAX) process.stderr.write(failureText(news.failure, options));
        } else {
          isOver = true;
          addTotals(totals, news.totals);
        }
      });
      child.on('error', reject);
      child.on('exit', (code) => {
        if (isOver) resolve();
        else reject(new Error(`a worker ended early: code=${String(code)}`));
      });
    });
  await Promise.all(Array.from({ length: Math.max(1, options.workers) }, (_, worker) => one(worker)));
  if (process.stderr.isTTY) process.stderr.write('\r');
  return { totals, failures: failures.toSorted((a, b) => a.episode - b.episode) };
}

function work(): void {
  const options = JSON.parse(process.argv[2]!) as Options & { readonly worker: number };
  const totals = noTotals();
  const say = (news: News): void => void process.send!(news);
  let done = 0;
  for (let at = options.worker; at < options.episodes; at += Math.max(1, options.workers)) {
    const failures: Failure[] = [];
    runOne(totals, failures, { ...options, episode: options.from + at });
    for (const failure of failures) say({ kind: 'failed', failure });
    done += 1;
    if (done % PROGRESS_EVERY === 0) say({ kind: 'progress', done: PROGRESS_EVERY });
  }
  // A long message takes a while: who disconnects at once has not sent it.
  process.send!({ kind: 'over', totals } satisfies News, undefined, undefined, () => process.disconnect());
}

function runOne(
  totals: Totals,
  failures: Failure[],
  {
    seed,
    episode,
    crashes,
    tell,
  }: Pick<Options, 'seed' | 'crashes'> & { readonly episode: number; readonly tell?: (line: string) => void },
): void {
  try {
    const outcome = runEpisode({ seed: episodeSeed(seed, episode), crashes, ...(tell === undefined ? {} : { tell }) });
    addOutcome(totals, outcome);
  } catch (error) {
    const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
    failures.push({ episode, message, stack });
  }
}
