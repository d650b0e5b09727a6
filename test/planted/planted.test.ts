import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge } from './judge.ts';
import { FAMILIES } from './shapes.ts';
import type { Universe } from './universe.ts';
import { openUniverse } from './universe.ts';

/** Above and below the threshold each; test/slow/planted.test.ts plants five hundred. */
const EACH = 2;

describe('planted violations', () => {
  let universe: Universe;
  beforeAll(async () => {
    universe = await openUniverse({ seed: 4 });
  }, 120_000);
  afterAll(() => universe.close());

  it.each(Object.keys(FAMILIES))(
    'finds %s above the threshold, none below, for what it is exactly worth',
    (family) => {
      expect(judge(universe, family, EACH)).toEqual([]);
    },
    60_000,
  );
});
