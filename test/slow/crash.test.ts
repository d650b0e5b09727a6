import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { readJournal } from '#hotpath/publish/journal.ts';
import { recomputePnl } from '#shared/money/pnl.ts';
import { textOf } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import type { RunReport } from '#local/run-report.ts';
import { enginesBelow } from '#test/support/processes.ts';

const KILLS = 20;
const SECONDS = 75;

it(`survives ${KILLS} kill -9 of the engine: journal whole, nothing projected twice, nothing left open`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'arb-crash-'));
  const report = join(dir, 'r.json');
  const run = spawn(
    'node',
    ['bin/arb.ts', 'start', '--for', `${SECONDS}s`, '--seed', '7', '--report', report, '--data', dir],
    {
      env: { ...process.env, ARB_API__PORT: '0', ARB_SIMULATOR__PORT: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  run.stdout.on('data', (text: Buffer) => (said += text.toString()));
  run.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const ended = new Promise<number | null>((resolve) => run.once('exit', resolve));

  const random = randomFrom(7);
  let kills = 0;
  await wait(8_000);
  while (kills < KILLS && run.exitCode === null) {
    const [engine] = enginesBelow(run.pid!);
    if (engine !== undefined) {
      process.kill(engine, 'SIGKILL');
      kills += 1;
    }
    await wait(1_500 + 1_500 * random.next());
  }
  expect(await ended, said).toBe(0);
  expect(kills).toBe(KILLS);

  const result = JSON.parse(readFileSync(report, 'utf8')) as RunReport;
  const events = [...readJournal(join(dir, 'journal'))];
  expect(result.journal).toEqual({ records: events.length, gaps: 0 });
  expect(result.events).toEqual({ journalled: events.length, published: events.length, projected: events.length });
  expect(result.operations).toMatchObject({ open: 0, recovering: 0 });
  expect(result.operations.completed).toBeGreaterThan(10);
  // A kill may come before the engine has written its first record.
  expect(events.filter(({ kind }) => kind === 'engine-started').length).toBeGreaterThan(KILLS / 2);
  expect(result.pnl.realised).toBe(textOf(recomputePnl(events).realised));

  const ids = events.flatMap((event) =>
    event.kind === 'order' && event.data.status === 'submitted' ? [event.data.client_order_id] : [],
  );
  expect(new Set(ids).size, 'a client order id was used twice').toBe(ids.length);
  const trades = events.flatMap((event) =>
    event.kind === 'fill' ? [`${event.data.instrument} ${event.data.trade_id}`] : [],
  );
  expect(new Set(trades).size, 'a trade was recorded twice').toBe(trades.length);
  process.stdout.write(
    `${JSON.stringify({ kills, ...result.operations, fills: result.fills, events: result.events })}\n`,
  );
});
