import { Journal } from '#hotpath/publish/journal.ts';
import { systemClock } from '#shared/clock/clock.ts';

/** Appends for ever and says after each flush how far it is, until it is killed. */
const journal = new Journal({ directory: process.argv[2]!, engine: 'e', clock: systemClock(), segmentBytes: 200_000 });
for (;;) {
  for (let at = 0; at < 7; at += 1) journal.append('engine-stopped', 'e', { reason: 'x'.repeat(at * 50) });
  journal.flush();
  process.stdout.write(`${journal.lastSeq}\n`);
  await new Promise((resolve) => setImmediate(resolve));
}
