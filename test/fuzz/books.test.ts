import { expect, it } from 'vitest';
import { fuzz } from './fuzzer.ts';
import { streams } from './streams.ts';

const all = streams();

it.each(all)('$name: survives what may happen to frames, and never believes a wrong book', (stream) => {
  const { faults, tally, mutations } = fuzz(stream, Math.ceil(5_000 / all.length), 1);
  expect(faults).toEqual([]);
  expect(mutations).toBeGreaterThanOrEqual(5_000 / all.length);
  expect(tally.snapshots).toBeGreaterThan(0);
  if (stream.frames.length > 100) expect(Math.min(tally.liveChecks, tally.refused, tally.broken)).toBeGreaterThan(10);
});
