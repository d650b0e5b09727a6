import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Side } from '#shared/domain/route.ts';
import type { WalkLeg } from '#hotpath/size/depth-walk.ts';
import { DepthWalk, LEGS_MAX } from '#hotpath/size/depth-walk.ts';
import type { Levels } from '#test/support/market.ts';
import { Books } from '#test/support/market.ts';

type Leg = { readonly side: Side; readonly levels: Levels; readonly feeOnBase: number; readonly feeOnQuote: number };
type Case = {
  readonly legs: readonly Leg[];
  readonly displayedFraction?: number;
  readonly hurdle?: number;
  readonly startMax?: number;
  readonly inputMax?: readonly number[];
};

const walked = ({ legs, displayedFraction = 1, hurdle = 0, startMax = Infinity, inputMax = [] }: Case): DepthWalk => {
  const books = new Books(legs.length);
  for (const [at, { side, levels }] of legs.entries()) {
    books.set(at, side === 'buy' ? { bids: [], asks: levels } : { bids: levels, asks: [] });
  }
  const walk = new DepthWalk();
  walk.walk(
    legs.map(({ side, feeOnBase, feeOnQuote }, at): WalkLeg => ({
      instrument: at as InstrumentIndex,
      side,
      paid: side === 'buy' ? 1 + feeOnQuote : 1,
      kept: side === 'buy' ? 1 - feeOnBase : 1 - feeOnQuote,
    })),
    books.depths,
    {
      displayedFraction,
      hurdle,
      startMax,
      inputMax: Float64Array.from({ length: LEGS_MAX }, (_none, at) => inputMax[at] ?? Infinity),
    },
  );
  return walk;
};
const asks: Levels = [
  [10, 2],
  [11, 2],
];
const bids: Levels = [
  [24, 3],
  [13, 100],
];
const profitOf = ({ input, output }: DepthWalk): number => output - input;

/** Levels that get worse by some ticks each, of whole quantities. */
const levels = (side: Side, best: number): fc.Arbitrary<Levels> =>
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 4 })
    .map((steps) => {
      let price = best;
      return steps.map(([ticks, qty]) => {
        price = Number((price + (side === 'buy' ? ticks : -ticks) * 0.001 * best).toFixed(8));
        return [price, qty] as const;
      });
    });
const fee = fc.constantFrom(0, 0.0004, 0.001, 0.0016);
const leg = (side: Side, best: number): fc.Arbitrary<Leg> =>
  fc.record({ levels: levels(side, best), fee, onBase: fc.boolean() }).map(({ levels: found, fee: rate, onBase }) => ({
    side,
    levels: found,
    feeOnBase: side === 'buy' && onBase ? rate : 0,
    feeOnQuote: side === 'buy' && onBase ? 0 : rate,
  }));
const pairs = fc.tuple(leg('buy', 98), leg('sell', 104));
const triangles = fc.tuple(leg('buy', 10), leg('buy', 2), leg('sell', 21.5));
const squares = fc.tuple(leg('sell', 10), leg('buy', 2), leg('buy', 4), leg('sell', 0.84));

describe('the joint walk', () => {
  it.each([
    ['two legs', pairs],
    ['three legs', triangles],
    ['four legs', squares],
  ])('finds what an exhaustive decimal search finds: %s', (_name, cases: fc.Arbitrary<readonly Leg[]>) => {
    fc.assert(
      fc.property(cases, fc.constantFrom(0.5, 1), (legs, displayedFraction) => {
        const walk = walked({ legs, displayedFraction });
        const most = capacityOf(legs[0]!, displayedFraction);
        const lot = most.div(200);
        let best = { size: new Decimal(0), profit: new Decimal(0) };
        for (let lots = 1; lots <= 200; lots += 1) {
          const size = lot.times(lots);
          const out = outputOf(legs, displayedFraction, size);
          if (out === undefined) break;
          if (out.minus(size).gt(best.profit)) best = { size, profit: out.minus(size) };
        }
        expect(profitOf(walk)).toBeGreaterThanOrEqual(best.profit.toNumber() - 1e-9);
        expect(Math.abs(walk.input - best.size.toNumber())).toBeLessThanOrEqual(lot.toNumber() * (1 + 1e-9));
        const exact = outputOf(legs, displayedFraction, new Decimal(walk.input * (1 - 1e-12)));
        expect(walk.output).toBeCloseTo(exact!.toNumber(), 8);
      }),
      { numRuns: 150 },
    );
  });

  it('hands each leg what the one before it brings, and says what it traded', () => {
    const walk = walked({
      legs: [
        { side: 'buy', levels: asks, feeOnBase: 0.1, feeOnQuote: 0 },
        { side: 'sell', levels: bids, feeOnBase: 0, feeOnQuote: 0.5 },
      ],
    });
    // One unit bought brings 0.9 × 24 × 0.5 = 10.8: that pays at 10, not at 11.
    expect(walk.input).toBe(20);
    expect(walk.output).toBeCloseTo(21.6, 12);
    expect(walk.baseQty[0]).toBe(2);
    expect(walk.baseQty[1]).toBeCloseTo(1.8, 12);
    expect(walk.quoteQty[1]).toBeCloseTo(43.2, 12);
    expect([...walk.worstPrice.subarray(0, 2)]).toEqual([10, 24]);
    expect(walk.bound).toBe('edge');
  });

  it('stops at the balance of any leg, at the size limit, and at the end of a book', () => {
    const legs: readonly Leg[] = [
      { side: 'buy', levels: [[10, 5]], feeOnBase: 0, feeOnQuote: 0 },
      { side: 'sell', levels: [[12, 4]], feeOnBase: 0, feeOnQuote: 0 },
    ];
    const cases: [Partial<Case>, number, string][] = [
      [{}, 40, 'depth'],
      [{ displayedFraction: 0.5 }, 20, 'depth'],
      [{ startMax: 7 }, 7, 'notional'],
      [{ inputMax: [9, 100] }, 9, 'balance'],
      [{ inputMax: [100, 1.5] }, 15, 'balance'],
      [{ inputMax: [100, 0] }, 0, 'balance'],
    ];
    for (const [limits, input, bound] of cases) {
      const walk = walked({ legs, ...limits });
      expect([walk.input, walk.bound]).toEqual([input, bound]);
    }
  });

  it('ends where the next unit would not bear the hurdle', () => {
    const legs: readonly Leg[] = [
      {
        side: 'buy',
        levels: [
          [100, 1],
          [101, 1],
          [102, 1],
        ],
        feeOnBase: 0,
        feeOnQuote: 0,
      },
      { side: 'sell', levels: [[103, 10]], feeOnBase: 0, feeOnQuote: 0 },
    ];
    expect(walked({ legs, hurdle: 0 }).baseQty[0]).toBe(3);
    expect(walked({ legs, hurdle: 0.015 }).baseQty[0]).toBe(2);
    expect(walked({ legs, hurdle: 0.025 }).baseQty[0]).toBe(1);
    expect(walked({ legs, hurdle: 0.04 }).input).toBe(0);
  });

  it('never earns more when a fee rises, a level shrinks or a level goes', () => {
    fc.assert(
      fc.property(fc.oneof(pairs, triangles, squares), fc.nat(3), fc.nat(3), (legs: readonly Leg[], which, level) => {
        const before = profitOf(walked({ legs }));
        const at = which % legs.length;
        const worse = (change: (changed: Leg) => Leg): number =>
          profitOf(walked({ legs: legs.map((same, index) => (index === at ? change(same) : same)) }));
        const tolerance = 1e-9 * Math.max(1, before);
        const drop = level % legs[at]!.levels.length;
        const left = legs[at]!.levels.filter((_gone, index) => index !== drop);
        const shrunk = legs[at]!.levels.map(([price, qty], index) => [price, index === drop ? qty / 2 : qty] as const);
        expect(worse((same) => ({ ...same, feeOnQuote: same.feeOnQuote + 0.001 }))).toBeLessThanOrEqual(
          before + tolerance,
        );
        expect(worse((same) => ({ ...same, levels: shrunk }))).toBeLessThanOrEqual(before + tolerance);
        expect(worse((same) => ({ ...same, levels: left }))).toBeLessThanOrEqual(before + tolerance);
      }),
      { numRuns: 500 },
    );
  });
});

describe('at one size', () => {
  it('no edge rises with a fee, or falls with depth', () => {
    fc.assert(
      fc.property(fc.oneof(pairs, triangles, squares), fc.nat(3), fc.nat(3), (legs: readonly Leg[], which, level) => {
        // However little it earns: all of the size is taken.
        const startMax = walked({ legs, hurdle: -1 }).input * 0.4;
        const edgeOf = (changed: readonly Leg[]): number => {
          const walk = walked({ legs: changed, hurdle: -1, startMax });
          return walk.input < startMax * (1 - 1e-9) ? NaN : profitOf(walk) / walk.input;
        };
        const at = which % legs.length;
        const changed = (change: (same: Leg) => Leg): readonly Leg[] =>
          legs.map((same, index) => (index === at ? change(same) : same));
        const edge = edgeOf(legs);
        expect(edgeOf(changed((same) => ({ ...same, feeOnQuote: same.feeOnQuote + 0.001 })))).toBeLessThanOrEqual(
          edge + 1e-12,
        );
        const drop = level % legs[at]!.levels.length;
        const deeper = legs[at]!.levels.map(([price, qty], index) => [price, index === drop ? qty * 2 : qty] as const);
        expect(edgeOf(changed((same) => ({ ...same, levels: deeper })))).toBeGreaterThanOrEqual(edge - 1e-12);
      }),
      { numRuns: 300 },
    );
  });
});

function capacityOf({ side, levels: shown, feeOnQuote }: Leg, fraction: number): Decimal {
  return shown.reduce(
    (sum, [price, qty]) =>
      sum.plus(new Decimal(qty).times(fraction).times(side === 'buy' ? new Decimal(price).times(1 + feeOnQuote) : 1)),
    new Decimal(0),
  );
}

/** What comes out of the last leg when `size` goes into the first: leg by leg in decimals; undefined when a book is too thin. */
function outputOf(legs: readonly Leg[], fraction: number, size: Decimal): Decimal | undefined {
  let flow = size;
  for (const { side, levels: shown, feeOnBase, feeOnQuote } of legs) {
    let left = flow;
    let out = new Decimal(0);
    for (const [price, qty] of shown) {
      const unit = side === 'buy' ? new Decimal(price).times(new Decimal(feeOnQuote).plus(1)) : new Decimal(1);
      const taken = Decimal.min(left, unit.times(qty).times(fraction));
      const rate =
        side === 'buy'
          ? new Decimal(1).minus(feeOnBase).div(unit)
          : new Decimal(price).times(new Decimal(1).minus(feeOnQuote));
      out = out.plus(taken.times(rate));
      left = left.minus(taken);
    }
    if (left.gt(size.times('1e-12'))) return undefined;
    flow = out;
  }
  return flow;
}
