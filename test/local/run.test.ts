import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { lockFolder } from '#local/path-lock.ts';
import type { RunReport } from '#local/run-report.ts';
import { recomputePnl } from '#shared/money/pnl.ts';
import { textOf } from '#shared/money/grid.ts';
import { readJournal } from '#hotpath/publish/journal.ts';

const run = promisify(execFile);

async function started(
  args: readonly string[],
): Promise<{ readonly report: RunReport; readonly data: string; readonly text: string }> {
  const data = mkdtempSync(join(tmpdir(), 'arb-run-'));
  const file = join(data, 'r.json');
  await run('node', ['bin/arb.ts', 'start', '--report', file, '--data', data, ...args], {
    env: { ...process.env, ARB_API__PORT: '0', ARB_SIMULATOR__PORT: '0', ARB_SYSTEM__LOG_LEVEL: 'error' },
  });
  const text = readFileSync(file, 'utf8');
  return { report: JSON.parse(text) as RunReport, data, text };
}

function expectWhole({ report, data }: { readonly report: RunReport; readonly data: string }): void {
  const events = [...readJournal(join(data, 'journal'))];
  expect(report.journal).toEqual({ records: events.length, gaps: 0 });
  expect(report.events).toEqual({ journalled: events.length, published: events.length, projected: events.length });
  expect(report.pnl.realised).toBe(textOf(recomputePnl(events).realised));
  expect(report.operations).toMatchObject({ open: 0, recovering: 0 });
  expect(report.venues.map(({ id, status, gaps }) => ({ id, status, gaps }))).toEqual(
    ['binance', 'okx', 'kraken', 'deribit'].map((id) => ({ id, status: 'live', gaps: 0 })),
  );
  expect(report.opportunities.detected).toBeGreaterThan(0);
}

it('repeats a virtual run to the byte, and another seed decides otherwise', async () => {
  const [one, two, other] = [
    await started(['--virtual', '--for', '20s', '--seed', '7']),
    await started(['--virtual', '--for', '20s', '--seed', '7']),
    await started(['--virtual', '--for', '20s', '--seed', '8']),
  ];
  expect(two.text).toBe(one.text);
  expect(other.report.decisionHash).not.toBe(one.report.decisionHash);
  expectWhole({ report: one.report, data: join(one.data, 'virtual') });
});

it('refuses a second virtual run in the folder of one that is running', async () => {
  const data = mkdtempSync(join(tmpdir(), 'arb-run-'));
  const lock = lockFolder(join(data, 'virtual'));
  // A lock of this process: it lives.
  const second = run('node', ['bin/arb.ts', 'start', '--virtual', '--for', '1s', '--data', data]);
  await expect(second).rejects.toMatchObject({
    stderr: expect.stringContaining(`in use by process ${process.pid}`) as string,
  });
  lock.release();
});

it('runs as processes: everything that is journalled is published and projected', async () => {
  const result = await started(['--for', '12s', '--seed', '7']);
  expectWhole(result);
  expect(result.report.decisionNs.p50).toBeGreaterThan(0);
});
