import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '#shared/random.ts';
import { hammer, readers } from '#test/fuzz/frames.ts';
import { fuzz } from '#test/fuzz/fuzzer.ts';
import { streams } from '#test/fuzz/streams.ts';

const MUTATIONS = 1_000_000;
/** Compared with the venue's own book after each frame; the others are cheaper. */
const COMPARED = 400_000;
/** Where a checksum vouches, each frame's levels are compared: four times the work. */
const VOUCHED_SHARE = 0.25;
/** What may stay after a share of them: compiled code, and tables of names that grow with what was seen. */
const HEAP_GROWTH_MAX = 48 * 1024 * 1024;

const compared = streams();
const read = readers();
let made = 0;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What a task leaves on the heap. */
function heapGrowth(task: () => void): number {
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  task();
  return heap() - before;
}

describe('a million mutated frames', () => {
  it.each(compared)('$name: its share leaves no wrong book live', (stream) => {
    const wanted = Math.ceil((COMPARED / compared.length) * (stream.vouched === undefined ? 1 : VOUCHED_SHARE));
    const grown = heapGrowth(() => {
      const { faults, tally, mutations } = fuzz(stream, wanted, 1_000);
      expect(faults).toEqual([]);
      expect(mutations).toBeGreaterThanOrEqual(wanted);
      expect(tally.liveChecks).toBeGreaterThan(1_000);
      made += mutations;
    });
    expect(grown).toBeLessThan(HEAP_GROWTH_MAX);
  });

  it.each(read)('$name: its share crashes nothing', (reader) => {
    const wanted = Math.ceil((MUTATIONS - made) / (read.length - read.indexOf(reader)));
    const grown = heapGrowth(() => {
      const { faults, mutations } = hammer(reader, wanted, randomFrom(1_000));
      expect(faults).toEqual([]);
      made += mutations;
    });
    expect(grown).toBeLessThan(HEAP_GROWTH_MAX);
  });

  it('were a million', () => {
    expect(made).toBeGreaterThanOrEqual(MUTATIONS);
  });
});
