import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { lockFolder } from '#local/path-lock.ts';
import type { RunReport } from '#local/run-report.ts';
import { recomputePnl } from '#shared/money/pnl.ts';
import { textOf } from '#shared/money/grid.ts';
import { readJournal } from '#hotpath/publish/journal.ts';

const run = promisify(execFile);

type Ended = { readonly report: RunReport; readonly data: string; readonly text: string };

const env = { ...process.env, ARB_API__PORT: '0', ARB_SIMULATOR__PORT: '0', ARB_SYSTEM__LOG_LEVEL: 'error' };

function command(args: readonly string[]): { readonly args: readonly string[]; readonly ended: () => Ended } {
  const data = mkdtempSync(join(tmpdir(), 'arb-run-'));
  const file = join(data, 'r.json');
  return {
    args: ['bin/arb.ts', 'start', '--report', file, '--data', data, ...args],
    ended: () => {
      const text = readFileSync(file, 'utf8');
      return { report: JSON.parse(text) as RunReport, data, text };
    },
  };
}

async function started(args: readonly string[]): Promise<Ended> {
  const { args: all, ended } = command(args);
  await run('node', all, { env });
  return ended();
}

/** Stopped as by Ctrl-C once it has completed something: how long that takes is the machine's affair, not the test's. */
async function startedUntilTraded(args: readonly string[]): Promise<Ended> {
  const { args: all, ended } = command(args);
  const child = spawn('node', all, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let asked = false;
  for await (const line of createInterface(child.stdout)) {
    if (asked || !/operations [1-9]/.test(line)) continue;
    asked = child.kill('SIGINT');
  }
  if (child.exitCode === null) await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  return ended();
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
    await started(['--virtual', '--for', '30s', '--seed', '7']),
    await started(['--virtual', '--for', '30s', '--seed', '7']),
    await started(['--virtual', '--for', '30s', '--seed', '8']),
  ];
  expect(two.text).toBe(one.text);
  expect(other.report.decisionHash).not.toBe(one.report.decisionHash);
  expectWhole({ report: one.report, data: join(one.data, 'virtual') });
}, 180_000);

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
  const result = await startedUntilTraded(['--for', '50s', '--seed', '7']);
  expectWhole(result);
  expect(result.report.decisionNs.p50).toBeGreaterThan(0);
}, 120_000);
