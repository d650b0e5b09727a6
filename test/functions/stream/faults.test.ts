import { expect, it } from 'vitest';
import { runUnderFaults } from '#test/support/fault-run.ts';

it(
  'loses nothing, keeps order per key and projects nothing twice while both peers fail in every way',
  { timeout: 300_000 },
  async () => {
    const run = await runUnderFaults({
      seed: 20_261_121,
      database: 'dynalite',
      perSecond: 250,
      seconds: 8,
      faults: {
        throttled: 0.03,
        partial: 0.1,
        serverError: 0.03,
        doneServerError: 0.03,
        reset: 0.02,
        doneReset: 0.02,
        slow: 0.03,
        slowMs: 200,
      },
      outages: [
        { peer: 'kinesis', atS: 2, forS: 2 },
        { peer: 'dynamodb', atS: 3, forS: 2 },
      ],
    });
    expect(run).toMatchObject({ events: 2_000, lost: 0, surplus: 0, outOfOrder: 0 });
    expect(run.projected).toEqual(run.expected);
    const { kinesis, dynamodb } = run;
    const never = Object.keys(kinesis).filter((fault) => sum(fault, kinesis, dynamodb) === 0);
    expect(never).toEqual([]);
  },
);

const sum = (fault: string, ...counts: readonly object[]): number =>
  counts.reduce((total, each) => total + Number((each as Readonly<Record<string, number>>)[fault]), 0);
