import { expect, it } from 'vitest';
import { LATENCY_BOUNDS_S } from '#shared/schema/status.ts';
import { LatencyCounter } from '#hotpath/runtime/latency-counter.ts';

it('counts a latency at a bound below it, and what is above all bounds by itself', () => {
  const counter = new LatencyCounter();
  for (const ns of [0, 1_000, 1_001, 1e7, 1e7 + 1, 2.5e9, 60e9]) counter.record(ns);
  const { counts, sum_s } = counter.read();
  const at = (bound: number): number => counts[LATENCY_BOUNDS_S.indexOf(bound as never)]!;
  expect([at(1e-6), at(2.5e-6), at(1e-2), at(2.5e-2), at(2.5), counts.at(-1)]).toEqual([2, 1, 1, 1, 1, 1]);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(7);
  expect(sum_s).toBeCloseTo(62.520002002, 9);
});
