import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';
import type { Goal, Row } from './cases.ts';
import { answerOf } from './child-answer.ts';
import type { LatencyResult } from './latency-run.ts';

const SEED = 1;
const run = fileURLToPath(new URL('latency-run.ts', import.meta.url));

export type LatencySize = {
  /** Messages a second, for how long, symbols of each of eight venues. */
  readonly rate: number;
  readonly seconds: number;
  readonly symbols: number;
  /** Never sleeps between messages. */
  readonly polls?: boolean;
};

/** In a process of its own, with the engine's own flags. */
export async function latencyOf({ rate, seconds, symbols, polls = false }: LatencySize): Promise<LatencyResult> {
  const args = [SEED, symbols, rate, rate * seconds, Number(polls)].map(String);
  const child = fork(run, args, { execArgv: [...ENGINE_NODE_OPTIONS] });
  try {
    return await answerOf<LatencyResult>(child);
  } finally {
    child.kill();
  }
}

/** One run after the other. */
export async function latencyCases(sizes: readonly LatencySize[]): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const size of sizes) rows.push(...(await casesOf(size)));
  return rows;
}

/**
 * Eight venues send at a steady rate from another process through loopback WebSockets; one process reads and decides. Engine time is a message's own, from the
 * socket's callback with it to its decision; from the read it also waits for those before it in the same read; from the write it has the kernel and the
 * scheduler in it.
 */
async function casesOf(size: LatencySize): Promise<readonly Row[]> {
  const { engineUs, readUs, wireUs, gc, hash } = await latencyOf(size);
  const at = `at ${size.rate.toLocaleString('en')}/s, 8 × ${size.symbols} symbols${size.polls === true ? ', never sleeping' : ''}`;
  const pauses = Object.entries(gc.kinds).map(([kind, times]) => `${times} ${kind}`);
  const note = `${size.seconds} s; collections: ${pauses.join(', ') || 'none'}`;
  const row = (name: string, us: Readonly<Record<string, number>>, key: string, goal?: Goal): Row => ({
    name: `${name} ${at}, ${key}`,
    unit: 'µs/message',
    value: us[key]!,
    hash,
    ...(goal === undefined ? {} : { goal }),
    ...(key === 'p50' ? { percentiles: us, note } : {}),
  });
  return [
    row('engine time', engineUs, 'p50', { of: 'value', most: 1 }),
    row('engine time', engineUs, 'p99', { of: 'value', most: 8 }),
    row('engine time', engineUs, 'p99.9', { of: 'value', most: 20 }),
    row('socket read → decision', readUs, 'p50'),
    row("sender's write → decision", wireUs, 'p50'),
    { name: `longest collection ${at}`, unit: 'ms', value: gc.longestMs, hash: '', note },
  ];
}
