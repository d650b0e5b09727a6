import { expect, it } from 'vitest';
import { runUnderFaults, summaryOf } from '#test/support/fault-run.ts';

const SECONDS = Number(process.env['FAULT_SECONDS'] ?? 200);
const PER_SECOND = Number(process.env['FAULT_RATE'] ?? 2_000);

it('takes 2,000 events a second through faults and a minute without each peer: nothing lost, disordered or twice', async () => {
  const run = await runUnderFaults({
    seed: 7,
    database: 'stub',
    perSecond: PER_SECOND,
    seconds: SECONDS,
    faults: {
      throttled: 0.01,
      partial: 0.03,
      serverError: 0.01,
      doneServerError: 0.01,
      reset: 0.01,
      doneReset: 0.01,
      slow: 0.01,
      slowMs: 300,
    },
    outages: [
      { peer: 'kinesis', atS: SECONDS * 0.1, forS: Math.min(60, SECONDS / 4) },
      { peer: 'dynamodb', atS: SECONDS * 0.5, forS: Math.min(60, SECONDS / 4) },
    ],
  });
  process.stdout.write(`${summaryOf(run)}\n`);
  expect(run).toMatchObject({ events: PER_SECOND * SECONDS, lost: 0, surplus: 0, outOfOrder: 0 });
  expect(run.projected).toEqual(run.expected);
  // What is not yet acknowledged stays in files, not in memory.
  expect(run.rssMbMax).toBeLessThan(1_500);
});
