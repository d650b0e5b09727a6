import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  acknowledgedOf,
  dueOf,
  observed,
  quieted,
  toldOf,
  type Alert,
  type NoticeKind,
  type Signal,
} from '#functions/alerts/alert.ts';

const signal = (atMs: number, bad: boolean, over: Partial<Signal> = {}): Signal => ({
  rule: 'var-high',
  subject: '',
  bad,
  atMs,
  text: 'x',
  ...over,
});
const after = (signals: readonly Signal[], start?: Alert): Alert | undefined => signals.reduce(observed, start);

describe('an alert', () => {
  it('fires once it has been so for exactly its hold, and not a millisecond sooner', () => {
    const held = { holdMs: 60_000 };
    const states = [0, 59_999, 60_000].map((last) => after([signal(0, true, held), signal(last, true, held)])?.state);
    expect(states).toEqual(['pending', 'pending', 'firing']);
    const broken = after([signal(0, true, held), signal(30_000, false), signal(60_000, true, held)]);
    expect(broken).toMatchObject({ state: 'pending', since_ms: 60_000, firings: 0 });
    expect(dueOf(broken!, 60_000, 0)).toBeUndefined();
  });

  it('counts from where it is known to have begun', () => {
    expect(after([signal(60_000, true, { holdMs: 60_000, sinceMs: 0 })])?.state).toBe('firing');
  });

  it('is nothing while nothing is wrong', () => {
    expect(observed(undefined, signal(0, false))).toBeUndefined();
  });

  it('hears an event once, however often and late it comes', () => {
    const open = { seq: 5 };
    const closed = after([signal(1, true, open), signal(2, false, { seq: 9 })])!;
    expect(closed).toMatchObject({ state: 'over', firings: 1 });
    expect(after([signal(1, true, open), signal(2, false, { seq: 9 }), signal(1, true, open)], closed)).toEqual(closed);
  });

  it('reminds until somebody has seen to it, and forgets that with the next firing', () => {
    const firing = toldOf(after([signal(0, true)])!, 'firing', 0);
    expect([dueOf(firing, 999, 1_000), dueOf(firing, 1_000, 1_000)]).toEqual([undefined, 'reminder']);
    expect(dueOf(firing, 1e9, 0)).toBeUndefined();
    const seen = acknowledgedOf(firing, 1, 'ann', 500);
    expect(seen.acknowledged).toEqual({ by: 'ann', at_ms: 500 });
    expect(dueOf(seen, 1e9, 1_000)).toBeUndefined();
    expect(acknowledgedOf(seen, 1, 'bob', 600)).toBe(seen);
    const again = after([signal(2_000, false), signal(3_000, true)], seen)!;
    expect(again).toMatchObject({ firings: 2, acknowledged: null });
    expect(acknowledgedOf(again, 1, 'ann', 4_000)).toBe(again);
  });

  it('ends by silence where it is momentary, and nobody is told of that', () => {
    const lease = (atMs: number): Signal => signal(atMs, true, { rule: 'lease-changed' });
    const firing = toldOf(after([lease(0), lease(500)])!, 'firing', 500);
    expect(firing.times).toBe(2);
    expect(quieted(firing, 1_499, 1_000)).toBe(firing);
    const over = quieted(firing, 1_500, 1_000);
    expect(over.state).toBe('over');
    expect(dueOf(over, 1e9, 1_000)).toBeUndefined();
    const forgotten = after([signal(0, true)])!;
    expect(quieted(forgotten, 1e9, 1_000)).toBe(forgotten);
  });
});

/** A life: what is seen, time that passes, and moments at which somebody may tell. */
const step = fc.record({
  bad: fc.boolean(),
  waitMs: fc.integer({ min: 0, max: 2_000 }),
  tells: fc.boolean(),
  seen: fc.boolean(),
});
const REMIND_MS = 5_000;

describe.each(['var-high', 'lease-changed'] as const)('%s, whatever happens', (rule) => {
  it('is told of each firing once, of its end once, and of nothing else', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 1_500 }), (steps, holdMs) => {
        const told: { readonly kind: NoticeKind; readonly from: number; readonly to: number }[] = [];
        let alert: Alert | undefined;
        let nowMs = 0;
        const tell = (): void => {
          const kind = alert && dueOf(alert, nowMs, REMIND_MS);
          if (alert === undefined || kind === undefined) return;
          told.push({ kind, from: alert.told + 1, to: alert.firings });
          alert = toldOf(alert, kind, nowMs);
        };
        for (const { bad, waitMs, tells, seen } of steps) {
          nowMs += waitMs;
          alert = observed(alert, signal(nowMs, bad, { rule, holdMs }));
          alert = alert && quieted(alert, nowMs, 3_000);
          if (seen && alert !== undefined) alert = acknowledgedOf(alert, alert.firings, 'ann', nowMs);
          if (tells) tell();
        }
        alert = alert && observed(alert, signal(nowMs, false, { rule }));
        for (let last = 0; last < 3; last += 1) tell();

        // The begins cover every firing without a hole and without an overlap.
        const begins = told.filter(({ kind }) => kind === 'firing' || kind === 'passed');
        expect(begins.map(({ from }) => from)).toEqual(
          [0, ...begins.map(({ to }) => to)].slice(0, -1).map((to) => to + 1),
        );
        expect(begins.at(-1)?.to ?? 0).toBe(alert?.firings ?? 0);
        // An end comes after its begin, and a reminder between them.
        let isOpen = false;
        for (const { kind } of told) {
          if (kind === 'firing') isOpen = true;
          else {
            if (kind !== 'passed') expect([kind, isOpen]).toEqual([kind, true]);
            if (kind !== 'reminder') isOpen = false;
          }
        }
        expect(alert === undefined ? undefined : dueOf(alert, nowMs, REMIND_MS)).toBeUndefined();
        if (rule === 'lease-changed')
          expect(told.some(({ kind }) => kind === 'resolved' || kind === 'reminder')).toBe(false);
      }),
    );
  });
});
