import { describe, expect, it } from 'vitest';
import { episodeSeed, runEpisode } from './episode.ts';
import { FAULTS } from './faults.ts';
import type { Totals } from './report.ts';
import { addOutcome, automaticShare, hashText, noTotals } from './report.ts';

function simulate(episodes: number, seed: number, crashes = false): Totals {
  const totals = noTotals();
  for (let episode = 0; episode < episodes; episode += 1)
    addOutcome(totals, runEpisode({ seed: episodeSeed(seed, episode), crashes }));
  return totals;
}

/** Seconds of work; how long they take is the machine's business. */
const PATIENT = { timeout: 600_000 };

describe('the engine among venues where everything goes wrong', PATIENT, () => {
  it('keeps every promise through 800 stories', () => {
    const totals = simulate(800, 1);
    // The stories are bad enough to be worth telling.
    expect(totals.recovered).toBeGreaterThan(500);
    for (const fault of [...FAULTS, 'kill', 'takeover']) expect(totals.faults[fault], fault).toBeGreaterThan(0);
    expect(Object.keys(totals.legs)).toEqual(['1', '2', '3', '4', '5']);
    expect(totals.sums).toBeGreaterThan(300);
    expect(totals.operations - totals.sums).toBeGreaterThan(300);
    expect(automaticShare(totals)).toBeGreaterThan(0.99);
  });

  it('keeps them through 200 in which it is killed in the middle of anything', () => {
    const totals = simulate(200, 2, true);
    expect(totals.faults['kill']).toBeGreaterThan(200);
    expect(totals.faults['takeover']).toBeGreaterThan(0);
  });

  it('tells the same story for the same seed', () => {
    expect(hashText(simulate(20, 3, true))).toBe(hashText(simulate(20, 3, true)));
    expect(hashText(simulate(20, 3))).not.toBe(hashText(simulate(20, 4)));
  });
});
