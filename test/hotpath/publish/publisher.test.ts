import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Journal, readJournal } from '#hotpath/publish/journal.ts';
import { Publisher } from '#hotpath/publish/publisher.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';

it('writes at the next timer what nobody flushed, and at once what somebody did', () => {
  const directory = mkdtempSync(join(tmpdir(), 'publisher-'));
  const clock = new VirtualClock(0n);
  const publisher = new Publisher(new Journal({ directory, engine: 'e', clock }), clock);
  const written = (): number => [...readJournal(directory)].length;
  expect(publisher.record('engine-stopped', 'e', { reason: 'a' })).toBe(1);
  publisher.record('engine-stopped', 'e', { reason: 'b' });
  expect(written()).toBe(0);
  expect(clock.step(0)).toBe(true);
  expect(written()).toBe(2);
  publisher.record('engine-stopped', 'e', { reason: 'c' });
  publisher.flush();
  expect(written()).toBe(3);
  // Nothing is left to do: the timer went with the flush.
  expect(clock.step(1e9)).toBe(false);
  rmSync(directory, { recursive: true });
});
