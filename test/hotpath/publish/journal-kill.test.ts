import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Journal, readJournal } from '#hotpath/publish/journal.ts';
import { systemClock } from '#shared/clock/clock.ts';

it('loses nothing that was flushed when the process is killed, again and again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'kill-'));
  const writer = fileURLToPath(new URL('./journal-writer.ts', import.meta.url));
  for (let turn = 0; turn < 5; turn += 1) {
    const child = spawn(process.execPath, [writer, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    let told = '';
    child.stdout.on('data', (chunk: Buffer) => {
      told += chunk.toString();
      if (told.length > 500 * (turn + 1)) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const acknowledged = Number(told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1));
    const seqs = [...readJournal(directory)].map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => at + 1));
    expect(seqs.length).toBeGreaterThanOrEqual(acknowledged);
    const journal = new Journal({ directory, engine: 'e', clock: systemClock() });
    expect(journal.lastSeq).toBe(seqs.length);
    journal.close();
  }
  rmSync(directory, { recursive: true });
});
