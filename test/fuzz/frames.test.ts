import { expect, it } from 'vitest';
import { randomFrom } from '#shared/random.ts';
import { hammer, readers } from './frames.ts';

it.each(readers())('$name: refuses what it cannot read, and nothing worse', (reader) => {
  const { faults, mutations, refused } = hammer(reader, 500, randomFrom(1));
  expect(faults).toEqual([]);
  expect(mutations).toBeGreaterThanOrEqual(500);
  if (!reader.name.includes('account')) expect(refused).toBeGreaterThan(0);
});
