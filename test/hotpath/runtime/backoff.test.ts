import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Backoff } from '#hotpath/runtime/backoff.ts';
import { randomFrom } from '#shared/random.ts';

const limits = { minMs: 100, maxMs: 5_000 };

it('stays below a ceiling that doubles up to the greatest', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 200 }), (seed, attempts) => {
      const backoff = new Backoff(limits, randomFrom(seed));
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const delayMs = backoff.nextMs();
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThan(Math.min(5_000, 100 * 2 ** attempt));
      }
      expect(backoff.attempts).toBe(attempts);
      backoff.reset();
      expect(backoff.attempts).toBe(0);
      expect(backoff.nextMs()).toBeLessThan(100);
    }),
  );
});

it('uses the whole range, so that clients do not return in step', () => {
  const backoff = new Backoff(limits, randomFrom(7));
  for (let attempt = 0; attempt < 10; attempt += 1) backoff.nextMs();
  const delaysMs = Array.from({ length: 1_000 }, () => backoff.nextMs());
  expect(Math.min(...delaysMs)).toBeLessThan(50);
  expect(Math.max(...delaysMs)).toBeGreaterThan(4_950);
  const mean = delaysMs.reduce((sum, delayMs) => sum + delayMs, 0) / delaysMs.length;
  expect(mean).toBeGreaterThan(2_300);
  expect(mean).toBeLessThan(2_700);
});
