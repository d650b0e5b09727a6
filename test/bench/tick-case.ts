import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';
import type { Goal, Row } from './cases.ts';
import { answerOf } from './child-answer.ts';
import type { TickResult } from './tick-run.ts';

const run = fileURLToPath(new URL('tick-run.ts', import.meta.url));

/**
 * The whole engine in live mode against two simulated venues in another process, over loopback: from the read that brought the frame at which a plan pays to
 * the signed orders of both legs written to their sockets, and to both fills known.
 */
export async function tickCases(ticks: number): Promise<readonly Row[]> {
  const child = fork(run, [String(ticks)], { execArgv: [...ENGINE_NODE_OPTIONS] });
  try {
    const { sentUs, filledUs, ticks: sent, filled } = await answerOf<TickResult>(child);
    const row = (name: string, us: Readonly<Record<string, number>>, key: string, goal?: Goal): Row => ({
      name: `${name}, ${key}`,
      unit: 'µs/tick',
      value: us[key]!,
      hash: '',
      ...(goal === undefined ? {} : { goal }),
      ...(key === 'p50' ? { percentiles: us, note: `${sent} ticks sent, ${filled} filled` } : {}),
    });
    return [
      row('tick → orders of both legs written', sentUs, 'p50', { of: 'value', most: 150 }),
      row('tick → orders of both legs written', sentUs, 'p99', { of: 'value', most: 2_000 }),
      row('tick → both fills known', filledUs, 'p50'),
      row('tick → both fills known', filledUs, 'p99'),
    ];
  } finally {
    child.kill();
  }
}
