import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Window } from '#hotpath/risk/window.ts';

const SPAN = 100;
const ROOM = 8;

describe('a window', () => {
  it('holds what a list of everything would, cut by time and room', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -5, max: 5 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, (added) => {
        const window = new Window(SPAN, ROOM);
        let nowMs = 0;
        const all: { readonly atMs: number; readonly value: number }[] = [];
        for (const [later, value] of added) {
          nowMs += later;
          window.add(nowMs, value);
          all.push({ atMs: nowMs, value });
          const kept = all.slice(-ROOM).filter(({ atMs }) => atMs > nowMs - SPAN);
          expect(window.count(nowMs)).toBe(kept.length);
          expect(window.sum(nowMs)).toBe(kept.reduce((sum, each) => sum + each.value, 0));
        }
      }),
    );
  });

  it('knows the value that a share of it does not exceed', () => {
    const window = new Window(SPAN, 200);
    expect(window.quantile(0.99, 0)).toBeNaN();
    for (let at = 1; at <= 100; at += 1) window.add(0, 101 - at);
    expect([window.quantile(0.5, 0), window.quantile(0.99, 0), window.quantile(1, 0)]).toEqual([50, 99, 100]);
    window.clear();
    expect([window.count(0), window.sum(0)]).toEqual([0, 0]);
  });
});
