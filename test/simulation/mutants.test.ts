import { expect, it } from 'vitest';
import { MUTANTS, placesOf } from './mutants.ts';

it.each(MUTANTS)('has its place in the engine: $id', (mutant) => {
  expect(placesOf(mutant)).toHaveLength(1);
});

it('plants every bug once', () => {
  expect(new Set(MUTANTS.map(({ id }) => id)).size).toBe(MUTANTS.length);
});
