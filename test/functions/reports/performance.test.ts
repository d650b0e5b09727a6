import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { performanceOf, type Outcome, type Performance, type Window } from '#functions/reports/performance.ts';

const DAY_MS = 86_400_000;
const week: Window = { fromMs: 0, toMs: 4 * DAY_MS, bucketMs: DAY_MS };
let ids = 0;
const outcome = (pnl: string, day: number, over: Partial<Outcome> = {}): Outcome => ({
  id: `op-${(ids += 1)}`,
  family: 'spatial',
  begunAtMs: day * DAY_MS,
  endedAtMs: day * DAY_MS + 2_000,
  pnl: new Decimal(pnl),
  fees: new Decimal('0.1'),
  shares: [],
  sources: {},
  ...over,
});
const texts = ({ sharpeRatio, sortinoRatio, volatility, maxDrawdown, winRate, profitFactor, totalPnl }: Performance) =>
  [totalPnl, sharpeRatio, sortinoRatio, volatility, maxDrawdown, winRate, profitFactor].map((value) =>
    value === null ? null : value.toFixed(),
  );

describe('performance, by hand', () => {
  it('of nothing is zero where a sum is meant and null where there is nothing to measure', () => {
    const empty = performanceOf([], { ...week, fromMs: week.toMs });
    expect(texts(empty)).toEqual(['0', null, null, null, '0', null, null]);
    expect([empty.averageDurationMs, empty.families, empty.series]).toEqual([null, [], []]);
  });

  it('of four days +3 −1 +2 0', () => {
    // m = 1, s = √((4 + 4 + 1 + 1) / 3) = √(10/3), d = √(1/4) = 1/2, k = 365.
    const found = performanceOf([outcome('3', 0), outcome('-1', 1), outcome('2', 2)], week);
    expect(texts(found)).toEqual([
      '4',
      // √(365 × 3 / 10)
      '10.4642247682',
      // 2 √365
      '38.2099463491',
      // √(365 × 10 / 3)
      '34.8807492274',
      '1',
      '0.666666666667',
      '5',
    ]);
    expect(found.averageDurationMs).toBe(2_000);
    expect(found.series.map(({ cumulative }) => cumulative.toFixed())).toEqual(['3', '2', '4', '4']);
  });

  it('of a fall over several days is the deepest, from the highest point before it', () => {
    const path = ['5', '-2', '1', '-6', '10', '-3'];
    const found = performanceOf(
      path.map((pnl, at) => outcome(pnl, at / 2)),
      week,
    );
    expect(found.maxDrawdown.toFixed()).toBe('7');
  });

  it('has no Sharpe ratio without deviation, and no Sortino ratio without a loss', () => {
    const even = performanceOf(
      [0, 1, 2, 3].map((day) => outcome('0.1', day)),
      week,
    );
    expect(texts(even)).toEqual(['0.4', null, null, '0', '0', '1', null]);
  });

  it('attributes to families, venues and symbols, and says what nobody can be given', () => {
    const share = (venue: string, symbol: string, pnl: string) => ({ venue, symbol, pnl: new Decimal(pnl) });
    const found = performanceOf(
      [
        outcome('5', 0, { shares: [share('a', 'X/Y', '-1'), share('b', 'X/Y', '6')] }),
        outcome('-2', 1, { family: 'cycle', shares: [share('a', 'X/Y', '1'), share('a', 'X/Z', '-2.5')] }),
      ],
      week,
    );
    const lines = (parts: Performance['venues']) =>
      parts.map(({ name, pnl, operations }) => `${name} ${pnl.toFixed()} ${operations}`);
    expect(lines(found.families)).toEqual(['spatial 5 1', 'cycle -2 1']);
    expect(lines(found.venues)).toEqual(['b 6 1', 'unattributed -0.5 1', 'a -2.5 2']);
    expect(lines(found.symbols)).toEqual(['X/Y 6 2', 'unattributed -0.5 1', 'X/Z -2.5 1']);
  });
});

const outcomes = fc.array(
  fc
    .record({
      cents: fc.integer({ min: -1_000, max: 1_000 }),
      // Some fall outside the window.
      atMs: fc.integer({ min: -DAY_MS, max: 5 * DAY_MS }),
      family: fc.constantFrom('spatial', 'cycle'),
      parts: fc.array(fc.record({ venue: fc.constantFrom('a', 'b'), cents: fc.integer({ min: -500, max: 500 }) }), {
        maxLength: 3,
      }),
    })
    .map(({ cents, atMs, family, parts }) =>
      outcome(String(cents / 100), 0, {
        family,
        begunAtMs: atMs - 10,
        endedAtMs: atMs,
        shares: parts.map(({ venue, cents: part }) => ({ venue, symbol: 'X/Y', pnl: new Decimal(part).div(100) })),
      }),
    ),
  { maxLength: 40 },
);
const sum = (values: readonly { readonly pnl: Decimal }[]): string =>
  values.reduce((total, { pnl }) => total.plus(pnl), new Decimal(0)).toFixed();

describe('performance, always', () => {
  it('adds up to the cent, however it is split', () => {
    fc.assert(
      fc.property(outcomes, (list) => {
        const found = performanceOf(list, week);
        const total = sum(list.filter(({ endedAtMs }) => endedAtMs >= 0 && endedAtMs < week.toMs));
        expect(found.totalPnl.toFixed()).toBe(total);
        for (const split of [found.families, found.venues, found.symbols, found.series]) expect(sum(split)).toBe(total);
        expect(found.series.at(-1)?.cumulative.toFixed()).toBe(total);
      }),
    );
  });

  it('does not depend on the order in which operations are read', () => {
    fc.assert(
      fc.property(outcomes, (list) => {
        expect(texts(performanceOf([...list].reverse(), week))).toEqual(texts(performanceOf(list, week)));
      }),
    );
  });

  it('keeps its ratios when every profit is ten times as large, and its amounts grow tenfold', () => {
    fc.assert(
      fc.property(outcomes, (list) => {
        const one = performanceOf(list, week);
        const ten = performanceOf(
          list.map((each) => ({ ...each, pnl: each.pnl.times(10) })),
          week,
        );
        const [total, sharpe, sortino, volatility, drawdown, winRate, factor] = texts(one);
        const tenfold = (text: string | null | undefined) => new Decimal(text ?? 0).times(10).toFixed();
        const found = texts(ten);
        expect([found[1], found[2], found[5], found[6]]).toEqual([sharpe, sortino, winRate, factor]);
        expect([found[0], found[3] ?? '0', found[4]]).toEqual([tenfold(total), tenfold(volatility), tenfold(drawdown)]);
      }),
    );
  });

  it('finds the same drawdown as comparing every pair of points', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -100, max: 100 }), { maxLength: 30 }), (steps) => {
        const found = performanceOf(
          steps.map((step, at) => outcome(String(step), 0, { endedAtMs: at })),
          week,
        );
        const points = steps.reduce<number[]>((path, step) => [...path, path.at(-1)! + step], [0]);
        const falls = points.flatMap((high, at) => points.slice(at).map((low) => high - low));
        expect(found.maxDrawdown.toNumber()).toBe(Math.max(...falls));
      }),
    );
  });
});
