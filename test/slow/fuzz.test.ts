import { expect, it } from 'vitest';
import { fuzz } from '#test/fuzz/fuzzer.ts';
import { streams } from '#test/fuzz/streams.ts';

const all = streams();
const MUTATIONS = 105_000;

it.each(all)('$name: survives its share of a hundred thousand mutations', (stream) => {
  const { faults, tally, mutations } = fuzz(stream, Math.ceil(MUTATIONS / all.length), 1_000);
  expect(faults).toEqual([]);
  expect(mutations).toBeGreaterThanOrEqual(MUTATIONS / all.length);
  expect(tally.liveChecks).toBeGreaterThan(1_000);
});
