import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from '../simulation/mutants.ts';
import type { Verdict } from '../simulation/mutation-child.ts';

/** A bug that this many stories do not find is one that the simulation does not see. */
const EPISODES = 1_500;
const CHILD = join(import.meta.dirname, '../simulation/mutation-child.ts');

describe('a bug in the engine', () => {
  it.each(MUTANTS)('is caught: $id', ({ id }) => {
    const said = execFileSync(process.execPath, [CHILD, id, String(EPISODES)], { encoding: 'utf8' });
    const verdict = JSON.parse(said) as Verdict;
    if (verdict.kind === 'caught')
      process.stdout.write(`${id}: episode ${verdict.episode}${verdict.crashes ? ' --crashes' : ''}: ${verdict.by}\n`);
    expect(verdict.kind).toBe('caught');
  });
});
