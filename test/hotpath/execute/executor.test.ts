import { describe, expect, it } from 'vitest';
import { simulate } from './simulation.ts';

describe('Executor against a faulty venue', () => {
  it('keeps every promise through 6,000 operations in 2,000 stories', () => {
    let operations = 0;
    let recovered = 0;
    for (let seed = 1; seed <= 2_000; seed += 1) {
      const outcome = simulate(seed, 0);
      operations += outcome.operations;
      recovered += outcome.recovered;
    }
    expect(operations).toBe(6_000);
    // The stories are bad enough to be worth telling.
    expect(recovered).toBeGreaterThan(3_000);
  });

  it('keeps them through kills in the middle of anything', () => {
    let crashes = 0;
    for (let seed = 1; seed <= 250; seed += 1) crashes += simulate(seed, 3).crashes;
    expect(crashes).toBeGreaterThan(250);
  });

  it('tells the same story for the same seed', () => {
    expect(simulate(42, 2)).toEqual(simulate(42, 2));
  });
});
