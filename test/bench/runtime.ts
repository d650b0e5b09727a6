import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Received } from './runtime-receiver.ts';

const HELP = `node test/bench/runtime.ts [--rate 20000] [--seconds 5] [--rounds 3] [--busy] [--poll]

Messages from another process through loopback WebSockets to a decision, at a steady rate, in processes that differ in what Node is told of garbage.
The receiver leaves as much of it as a running engine does. One table, the best of the rounds for each figure (others share the machine); the ways take turns within a round.
  --busy   another process keeps a core busy meanwhile
  --poll   compares a thread that sleeps between messages with one that never does (engine.busy_poll) instead`;

type Way = { readonly name: string; readonly flags: readonly string[]; readonly polls?: boolean };

const semiSpace = (mb: number): readonly string[] => [`--min-semi-space-size=${mb}`, `--max-semi-space-size=${mb}`];
const CHOSEN = ['--no-parallel-scavenge', '--heap-growing-percent=100', ...semiSpace(16)];
const GARBAGE: readonly Way[] = [
  { name: 'none', flags: [] },
  { name: '--single-threaded-gc', flags: ['--single-threaded-gc'] },
  { name: '… semi-space 8', flags: ['--single-threaded-gc', ...semiSpace(8)] },
  { name: '… semi-space 16', flags: ['--single-threaded-gc', ...semiSpace(16)] },
  { name: '… semi-space 32', flags: ['--single-threaded-gc', ...semiSpace(32)] },
  { name: '… semi-space 64', flags: ['--single-threaded-gc', ...semiSpace(64)] },
  { name: 'semi-space 16 alone', flags: semiSpace(16) },
  { name: '… --no-parallel-scavenge', flags: ['--no-parallel-scavenge', ...semiSpace(16)] },
  { name: '… --heap-growing-percent=100', flags: CHOSEN },
];
const POLLING: readonly Way[] = [
  { name: 'sleeps', flags: CHOSEN },
  { name: 'never sleeps', flags: CHOSEN, polls: true },
];

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

async function main(): Promise<void> {
  const options = {
    rate: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    busy: { type: 'boolean', default: false },
    poll: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  } as const;
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const [rate, seconds, rounds] = [Number(values.rate), Number(values.seconds), Number(values.rounds)];
  const ways = values.poll ? POLLING : GARBAGE;
  const found = ways.map((): Received[] => []);
  const children: ChildProcess[] = [];
  const started = (
    name: string,
    args: readonly (string | number)[],
    execArgv: readonly string[] = [],
  ): ChildProcess => {
    const child = fork(file(name), args.map(String), { execArgv: [...execArgv] });
    child.once('exit', (code) => {
      if (code !== 0 && code !== null) process.exit(1);
    });
    children.push(child);
    return child;
  };
  try {
    const sender = started('runtime-sender.ts', [rate, seconds]);
    const [{ port }] = (await once(sender, 'message')) as [{ port: number }];
    if (values.busy) started('runtime-sender.ts', ['burn']);
    for (let round = 0; round < rounds; round += 1) {
      for (const [at, { flags, polls = false }] of ways.entries()) {
        const receiver = started('runtime-receiver.ts', [port, rate, seconds, Number(polls)], flags);
        await once(receiver, 'message');
        sender.send('go');
        const [received] = (await once(receiver, 'message')) as [Received];
        found[at]!.push(received);
        receiver.kill();
      }
    }
  } finally {
    for (const child of children) child.kill();
  }
  process.stdout.write(tableOf(ways, found));
}

function tableOf(ways: readonly Way[], found: readonly (readonly Received[])[]): string {
  const rows = ways.map(({ name }, at) => {
    const least = (figure: (received: Received) => number, digits = 0): string =>
      Math.min(...found[at]!.map(figure)).toFixed(digits);
    const wire = [least((r) => r.p50Us), least((r) => r.p99Us), least((r) => r.p999Us), least((r) => r.maxUs)];
    const garbage = [
      least((r) => r.pauses),
      least((r) => r.usualMs, 2),
      least((r) => r.longestMs, 2),
      least((r) => r.pausedMs, 1),
    ];
    return [name, ...wire, ...garbage, least((r) => r.cpuPercent)];
  });
  const head = ['', 'p50 µs', 'p99 µs', 'p99.9 µs', 'max µs', 'pauses', 'usual ms', 'longest ms', 'all ms', 'CPU %'];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '-')) + rows.map(line).join('');
}

await main();
