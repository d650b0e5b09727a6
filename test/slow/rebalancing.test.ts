import { it } from 'vitest';
import { highsSolver } from '#shared/portfolio/highs-solver.ts';
import { neverWorseThanBruteForce } from '../shared/portfolio/rebalancing-law.ts';

it('a thousand rebalancing plans can be done, and none is dearer than the best of all tries', async () => {
  neverWorseThanBruteForce(await highsSolver(), 1_000);
});
