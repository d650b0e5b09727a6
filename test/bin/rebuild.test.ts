import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Journal } from '#hotpath/publish/journal.ts';
import { startDynamo } from '#local/peers.ts';
import { systemClock } from '#shared/clock/clock.ts';
import type { RebuildReport } from '#functions/stream/rebuild.ts';
import { fillData, orderData } from '../functions/support/events.ts';
import { tempDir } from '../functions/support/world.ts';

const dir = tempDir();

beforeAll(() => {
  const journal = new Journal({ directory: join(dir.path, 'journal'), engine: 'engine-1', clock: systemClock() });
  for (let seq = 1; seq <= 30; seq += 1) {
    if (seq % 2 === 0) journal.append('fill', 'op', fillData(`t${seq}`, 'op'));
    else journal.append('order', 'op', orderData('o', 'op', { filled_qty: String(seq) }));
  }
  journal.close();
});
afterAll(dir.remove);

type Ran = { readonly code: number; readonly out: string; readonly err: string };

function arb(...args: readonly string[]): Promise<Ran> {
  const env = { ...process.env, NODE_ENV: 'production' };
  return new Promise((resolve) => {
    execFile(process.execPath, ['bin/arb.ts', 'rebuild', ...args], { env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

it('says what is missing, mends it, and has nothing more to say', { timeout: 240_000 }, async () => {
  const missing = { expected: 16, missing: 16, stale: 0, misplaced: 0, newer: 0, different: 0 };
  const dry = await arb('--data', dir.path, '--dry-run', '--json');
  expect(dry).toMatchObject({ code: 1, err: '' });
  expect(JSON.parse(dry.out)).toMatchObject({ before: { events: { expected: 30, missing: 30 }, items: missing } });

  const mended = await arb('--data', dir.path, '--json');
  expect(mended).toMatchObject({ code: 0, err: '' });
  const { before, after } = JSON.parse(mended.out) as RebuildReport;
  expect([before.items, after?.items]).toEqual([missing, { ...missing, missing: 0 }]);
  expect(after?.hash.found).toBe(after?.hash.expected);

  const again = await arb('--data', dir.path);
  expect(again.code).toBe(0);
  expect(again.out).toMatch(/^before +events 30, 0 missing; items 16, 0 missing, .* as expected$/m);
  expect(again.out).not.toMatch(/^after/m);
});

it(
  'leaves tables alone that another process has open, unless it is told where they are',
  { timeout: 240_000 },
  async () => {
    const peer = await startDynamo({ dataDir: dir.path, port: 0 });
    try {
      const locked = await arb('--data', dir.path);
      expect([locked.code, locked.out]).toEqual([1, '']);
      expect(locked.err).toMatch(/^arb: .*dynamodb/);
      const told = await arb('--endpoint', peer.url, '--journal', join(dir.path, 'journal'), '--dry-run');
      expect([told.code, told.err]).toEqual([0, '']);
    } finally {
      await peer.close();
    }
  },
);
