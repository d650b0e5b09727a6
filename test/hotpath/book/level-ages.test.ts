import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LevelAges } from '#hotpath/book/level-ages.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { LevelBuffer, MarketUpdate, MarketUpdateKind } from '#shared/domain/market-event.ts';
import { DELTA, QUOTE, SNAPSHOT } from '#shared/domain/market-event.ts';

const MIN_AGE_MS = 100;
const BOOK = 1 as InstrumentIndex;
const ms = (milliseconds: number): TimeNs => (milliseconds * 1e6) as TimeNs;

type Levels = readonly (readonly [price: number, qty: number])[];
const side = (levels: Levels): LevelBuffer => ({
  prices: Float64Array.from(levels, ([price]) => price),
  qtys: Float64Array.from(levels, ([, qty]) => qty),
  count: levels.length,
  priceDecimals: 0,
  qtyDecimals: 0,
});
const update = (kind: MarketUpdateKind, atMs: number, asks: Levels, bids: Levels = []): MarketUpdate => ({
  kind,
  instrument: BOOK,
  firstSequence: NaN,
  lastSequence: NaN,
  previousSequence: NaN,
  checksum: NaN,
  venueTimeMs: NaN,
  receivedTimeNs: ms(atMs),
  bids: side(bids),
  asks: side(asks),
});

/** Watches updates, and says what share of an ask has stood. */
function watched(...updates: readonly MarketUpdate[]) {
  const ages = new LevelAges(2, MIN_AGE_MS);
  for (const each of updates) ages.observe(each);
  return { ages, askAt: (price: number, atMs: number) => ages.standingShareOf(BOOK, 'buy', price, ms(atMs)) };
}

describe('how much of a level has stood', () => {
  it('is nothing at first, and all of it after twice the least age at most', () => {
    const { askAt } = watched(update(SNAPSHOT, 50, [[100, 2]]));
    expect(askAt(100, 50)).toBe(0);
    expect(askAt(100, 149)).toBe(0);
    expect(askAt(100, 250)).toBe(1);
  });

  it('is the least that was there of what is there now', () => {
    const { askAt } = watched(update(SNAPSHOT, 0, [[100, 2]]), update(DELTA, 510, [[100, 8]]));
    expect(askAt(100, 520)).toBe(0.25);
    expect(askAt(100, 710)).toBe(1);
  });

  it('does not grow young when somebody takes from it', () => {
    const { askAt } = watched(update(SNAPSHOT, 0, [[100, 2]]), update(DELTA, 510, [[100, 1]]));
    expect(askAt(100, 520)).toBe(1);
  });

  it('begins anew with a level that was gone for a moment', () => {
    const { askAt } = watched(
      update(SNAPSHOT, 0, [[100, 2]]),
      update(DELTA, 510, [[100, 0]]),
      update(DELTA, 511, [[100, 2]]),
    );
    expect(askAt(100, 520)).toBe(0);
  });

  it('keeps sides and instruments apart', () => {
    const { ages, askAt } = watched(update(SNAPSHOT, 0, [[100, 2]], [[99, 3]]), update(QUOTE, 510, [], [[99.5, 1]]));
    expect(askAt(100, 520)).toBe(1);
    expect(ages.standingShareOf(BOOK, 'sell', 99, ms(520))).toBe(1);
    expect(ages.standingShareOf(BOOK, 'sell', 99.5, ms(520))).toBe(0);
    expect(ages.standingShareOf(0 as InstrumentIndex, 'buy', 100, ms(520))).toBe(0);
  });

  it('lets a level stand through snapshots that repeat it, and drops what one leaves out', () => {
    const both: Levels = [
      [100, 2],
      [101, 2],
    ];
    const { askAt } = watched(
      ...[0, 100, 200, 300].map((at) => update(SNAPSHOT, at, both)),
      update(SNAPSHOT, 400, [[101, 2]]),
      update(SNAPSHOT, 500, both),
    );
    expect(askAt(101, 510)).toBe(1);
    expect(askAt(100, 510)).toBe(0);
  });

  it('believes nothing from before a break', () => {
    const { ages, askAt } = watched(update(SNAPSHOT, 0, [[100, 2]]));
    ages.forget(BOOK, ms(500));
    expect(askAt(100, 510)).toBe(0);
    ages.observe(update(SNAPSHOT, 520, [[100, 2]]));
    expect(askAt(100, 590)).toBe(0);
    expect(askAt(100, 750)).toBe(1);
  });

  it('says nothing has stood rather than run out of room', () => {
    const many = Array.from({ length: 2_000 }, (_, at) => [200 + at, 1] as const);
    const { askAt } = watched(update(SNAPSHOT, 0, [[100, 2]]), ...many.map((level) => update(DELTA, 510, [level])));
    expect(askAt(100, 520)).toBe(0);
    expect(askAt(100, 750)).toBe(1);
    expect(askAt(2_199, 750)).toBe(1);
  });

  it('never says more than a history in full would, and all of it after twice the least age', () => {
    const price = fc.constantFrom(100, 100.1, 101, 250.7);
    const change = fc.record({ waitMs: fc.integer({ min: 0, max: 150 }), price, qty: fc.integer({ min: 0, max: 5 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 60 }), (changes) => {
        const { ages, askAt } = watched();
        const history: { readonly atMs: number; readonly price: number; readonly qty: number }[] = [];
        let nowMs = 0;
        for (const { waitMs, ...level } of changes) {
          nowMs += waitMs;
          ages.observe(update(DELTA, nowMs, [[level.price, level.qty]]));
          history.push({ atMs: nowMs, ...level });
        }
        nowMs += 7;
        for (const { price: at } of history) {
          const words = history.filter((each) => each.price === at);
          const qty = words.at(-1)!.qty;
          const leastSince = (fromMs: number): number => {
            const before = words.filter(({ atMs }) => atMs <= fromMs).at(-1)?.qty ?? 0;
            return Math.min(before, ...words.filter(({ atMs }) => atMs > fromMs).map((each) => each.qty));
          };
          const said = askAt(at, nowMs) * qty;
          expect(said).toBeLessThanOrEqual(leastSince(nowMs - MIN_AGE_MS));
          expect(said).toBeGreaterThanOrEqual(leastSince(nowMs - 2 * MIN_AGE_MS) - 1e-9);
        }
      }),
    );
  });
});
