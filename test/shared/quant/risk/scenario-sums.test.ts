import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keptScenarios, pnlInto, scenariosOf } from '#shared/quant/risk/scenarios.ts';
import { randomFrom } from '#shared/random.ts';
import { builtKernel, KERNELS } from '../build-kernel.ts';

describe('sums over kept scenarios', () => {
  it('are bit for bit those of the scalar code, whatever is left over of eight factors and two scenarios', () => {
    const cases = { factors: fc.integer({ min: 0, max: 26 }), count: fc.integer({ min: 0, max: 9 }), seed: fc.nat() };
    const holds = fc.property(fc.record(cases), ({ factors, count, seed }) => {
      const random = randomFrom(seed);
      // Of so different sizes that another order of adding up would show.
      const drawn = (length: number): Float64Array =>
        Float64Array.from({ length }, () => random.normal() * 10 ** random.integer(12) * (random.next() < 0.1 ? 0 : 1));
      const plain = scenariosOf(factors, count, drawn(factors * count));
      const [deltaUsd, gammaUsd] = [drawn(factors), drawn(factors)];
      const [expected, pnl] = [new Float64Array(count), new Float64Array(count).fill(7)];
      pnlInto(plain, deltaUsd, gammaUsd, expected);
      pnlInto(keptScenarios(plain), deltaUsd, gammaUsd, pnl);
      expect(pnl).toEqual(expected);
    });
    fc.assert(holds, { numRuns: 200, seed: 7 });
  });

  it('follow a return that changes, and leave alone those that were copied', () => {
    const plain = scenariosOf(1, 3, Float64Array.of(1, 2, 3));
    const kept = keptScenarios(plain);
    kept.returns[1] = 5;
    const pnl = new Float64Array(3);
    pnlInto(kept, Float64Array.of(10), new Float64Array(1), pnl);
    expect([...pnl]).toEqual([10, 50, 30]);
    expect([...plain.returns]).toEqual([1, 2, 3]);
  });

  it('pass on what is no number', () => {
    const kept = keptScenarios(scenariosOf(2, 2, Float64Array.of(1, Number.NaN, Infinity, 1)));
    const pnl = new Float64Array(2);
    pnlInto(kept, Float64Array.of(1, 0), new Float64Array(2), pnl);
    expect([...pnl]).toEqual([Number.NaN, Number.NaN]);
  });

  it('are what their source compiles to', async () => {
    expect(await builtKernel(KERNELS.sums)).toBe(readFileSync(KERNELS.sums.target, 'utf8'));
  }, 60_000);
});
