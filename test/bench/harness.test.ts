import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Row } from './cases.ts';
import { pageFrom } from './page.ts';
import { changes } from './pins.ts';
import type { Report } from './report.ts';
import { goalText, reportRow, tableOf } from './report.ts';
import type { Minute } from './soak-verdict.ts';
import { verdictOf } from './soak-verdict.ts';
import type { Figure } from './verdict.ts';
import { verdicts } from './verdict.ts';

const figure: Row = { name: 'a case', unit: 'ns/message', value: 1_234.56, hash: 'aa', plainHash: 'aa' };

describe('a row of the report', () => {
  it('says whether its goal is reached, of the value or of the ratio', () => {
    const goals = [
      reportRow('g', { ...figure, goal: { of: 'value', most: 1_300 } }),
      reportRow('g', { ...figure, ratio: 40, goal: { of: 'ratio', least: 50 } }),
      reportRow('g', { ...figure, value: NaN, goal: { of: 'value', most: 1 } }),
      reportRow('g', figure),
    ];
    const quiet = (value: number, quietest: number): string =>
      goalText(reportRow('g', { ...figure, value, quiet: quietest, goal: { of: 'value', most: 1_300 } }));
    expect([quiet(1_400, 1_300), quiet(1_400, 1_301), quiet(1_300, 1_200)]).toEqual([
      '≤ 1,300: reached when quiet',
      '≤ 1,300: missed',
      '≤ 1,300: reached',
    ]);
    const ofRatio = { ...figure, quiet: 99, ratio: 40, goal: { of: 'ratio', least: 50 } } as const;
    expect(goalText(reportRow('g', ofRatio))).toBe('≥ 50 ×: missed');
    const small = reportRow('g', { ...figure, goal: { of: 'value', most: 1 } }, 'small');
    expect(goalText(small)).toBe('');
    expect(goals.map(goalText)).toEqual(['≤ 1,300: reached', '≥ 50 ×: missed', '≤ 1: not measured', '']);
  });

  it('keeps the other result only where it is another', () => {
    expect(reportRow('g', figure)).toEqual({
      group: 'g',
      name: 'a case',
      unit: 'ns/message',
      value: 1_235,
      hash: 'aa',
    });
    expect(reportRow('g', { ...figure, plainHash: 'bb' })).toMatchObject({ hash: 'aa', plainHash: 'bb' });
    const alone = { name: 'pinned', unit: 'ns', value: 1, hash: 'aa' };
    expect(tableOf([reportRow('g', figure), reportRow('g', alone)]).match(/aa( alone)?/g)).toEqual(['aa', 'aa alone']);
  });

  it('is a line of the table, with its distribution below', () => {
    const text = tableOf([reportRow('g', { ...figure, ratio: 12.3, percentiles: { p50: 1, 'p99.9': 2.5 } })]);
    expect(text).toMatch(/^case .*\na case +1,235 +ns\/message +12.3 × +aa\n +p50 1 · p99.9 2.5\n$/);
    const quiet = tableOf([reportRow('g', { ...figure, quiet: 1_100.2 })]);
    expect(quiet).toMatch(/^case +value +quiet unit .*\na case +1,235 +1,100 ns\/message +aa\n$/);
  });
});

describe('pinned results', () => {
  const rows = [reportRow('g', figure), reportRow('g', { ...figure, name: 'time itself', hash: '' })];

  it('are silent where nothing has changed, and about groups that did not run', () => {
    expect(changes(rows, { g: { 'a case': 'aa' }, peer: { other: 'cc' } })).toEqual([]);
  });

  it('tell a changed, an unpinned and a missing result', () => {
    expect(changes(rows, { g: { 'a case': 'bb', gone: 'cc' } })).toEqual([
      'g, a case: the result has changed: aa, pinned bb',
      'g, gone: pinned, and not among the results',
    ]);
    expect(changes(rows, {})).toEqual(['g, a case: not pinned (--small --pin does)']);
  });
});

describe('a comparison of two commits', () => {
  const run = (value: number, unit = 'ns/message', hash = 'aa'): readonly Figure[] => [
    { name: 'a', unit, value, hash },
  ];
  const noisy = [100, 130, 95, 120, 105];
  const judged = (factors: readonly number[], unit?: string) =>
    verdicts(factors.map((factor, at) => [run(noisy[at]!, unit), run(noisy[at]! * factor, unit)]))[0];

  it('sees a change beyond the noise of code against itself', () => {
    expect(judged([1.5, 1.4, 1.6, 1.5, 1.5])).toMatchObject({ kind: 'slower', slowdown: 1.5, isOtherResult: false });
    expect(judged([0.5, 0.6, 0.5, 0.4, 0.5])).toMatchObject({ kind: 'faster', slowdown: 0.5 });
  });

  it('takes what the machine does to both for no change', () => {
    expect(judged([1, 1.01, 0.99, 1, 1])).toMatchObject({ kind: 'same' });
    expect(judged([1.1, 1.1, 1.1, 1.1, 1.1])).toMatchObject({ kind: 'same' });
    expect(judged([1.6, 1.6, 0.9, 1.6, 1.6])).toMatchObject({ kind: 'same' });
    expect(judged([1.6, 1.6, 1.6, 1.6])).toMatchObject({ kind: 'same' });
  });

  it('knows that more a second is better', () => {
    expect(judged([2, 2, 2, 2, 2], 'messages/s')).toMatchObject({ kind: 'faster', slowdown: 0.5 });
  });

  it('sees another result, and lets rows be that only one side has', () => {
    const [old, fresh] = [run(1), [...run(1, 'ns/message', 'bb'), ...run(1).map((row) => ({ ...row, name: 'new' }))]];
    expect(verdicts([[old, fresh]])).toMatchObject([{ name: 'a', kind: 'same', isOtherResult: true }]);
    expect(verdicts([])).toEqual([]);
  });

  it('does not stumble over figures of zero', () => {
    expect(verdicts([[run(0), run(0)]])).toMatchObject([{ kind: 'same', slowdown: 1, noise: 1 }]);
  });
});

describe('a soak', () => {
  const minute = (over: Partial<Minute>): Minute => ({
    ...{
      rssMb: 400,
      heapMb: 90,
      externalMb: 90,
      cpuShare: 0.5,
      messagesPerSecond: 20_000,
      operations: 100,
      liveBooks: 182,
    },
    lagMs: { p50: 1, p99: 5, max: 50 },
    gc: { count: 50, totalMs: 50, longestMs: 10, major: 1 },
    engineUs: { p50: 5, p99: 50, p999: 1_000 },
    ...over,
  });
  /** A minute of warm-up, and two a quarter. */
  const judged = (over: (at: number) => Partial<Minute>): readonly string[] =>
    verdictOf(
      Array.from({ length: 9 }, (_none, at) => minute(over(at))),
      { everyMs: 60_000, warmUpMs: 60_000, rate: 20_000 },
    ).words.filter((words) => words.startsWith('FAILS'));

  it('holds while memory, tail and rate do, whatever the warm-up was like', () => {
    expect(judged((at) => (at === 0 ? { rssMb: 100, operations: 0, messagesPerSecond: 1 } : {}))).toEqual([]);
    expect(judged((at) => ({ rssMb: 400 + 2 * at }))).toEqual([]);
  });

  it('fails on each by itself', () => {
    expect(judged((at) => ({ rssMb: 400 + 5 * at }))).toEqual([expect.stringContaining('memory by quarter')]);
    const slow = judged((at) => (at > 6 ? { engineUs: { p50: 5, p99: 50, p999: 9_000 } } : {}));
    expect(slow).toEqual([expect.stringContaining('p99.9 of engine time')]);
    expect(judged(() => ({ messagesPerSecond: 18_900 }))).toEqual([
      expect.stringContaining('messages a second: 18900'),
    ]);
    const resting = judged((at) => (at > 6 ? { operations: 0 } : {}));
    expect(resting).toEqual([expect.stringContaining('operations ended by quarter: 200, 200, 200, 0')]);
  });
});

describe('docs/performance.md', () => {
  it('is what docs/performance.json gives', async () => {
    const report = JSON.parse(readFileSync('docs/performance.json', 'utf8')) as Report;
    expect(await pageFrom(report)).toBe(readFileSync('docs/performance.md', 'utf8'));
  });

  it('has every figure of the report, its goal, its distribution and its notes', async () => {
    const rows = [
      reportRow('path', { ...figure, quiet: 950, ratio: 45, goal: { of: 'value', most: 1_000 }, note: 'a note' }),
      reportRow('path', { ...figure, name: 'slow', percentiles: { p50: 7 } }),
    ];
    const circumstances = { machine: 'a machine', node: 'v24', commit: 'abc', flags: ['--expose-gc'], date: 'today' };
    const page = await pageFrom({ ...circumstances, size: 'full', rows });
    expect(page).toMatch(/0 of 1 are reached, 1 more in the quietest round/);
    expect(page).toMatch(
      /[|] a case +[|] 1,235 ns\/message [|] 950 +[|] 45 × +[|] ≤ 1,000: reached when quiet [|] `aa` +[|]/,
    );
    expect(page).toMatch(/[|] slow \(ns\/message\) +[|] 7 +[|]/);
    expect(page).toMatch(/- a case: a note/);
    expect(page).toMatch(/v24 --expose-gc/);
  });
});
