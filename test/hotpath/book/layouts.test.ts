import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BookSide, Direction } from '#hotpath/book/book.ts';
import { bookFor } from '#hotpath/book/layout.ts';
import { RingSide } from '#hotpath/book/ring-book.ts';
import { SortedSide } from '#hotpath/book/sorted-book.ts';
import { newMarketUpdate } from '#hotpath/feed/sink.ts';
import { newLevelBuffer } from '#hotpath/runtime/frame.ts';
import type { LevelBuffer } from '#shared/domain/market-event.ts';
import { SNAPSHOT } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';

/** The layout nobody can get wrong: a Map, sorted when asked. */
class MapSide implements BookSide {
  readonly #levels = new Map<number, number>();
  readonly #direction: Direction;

  constructor(direction: Direction) {
    this.#direction = direction;
  }

  get count(): number {
    return this.#levels.size;
  }

  sorted(): [price: number, qty: number][] {
    return [...this.#levels].sort(([a], [b]) => (b - a) * this.#direction);
  }

  best(prices: Float64Array, qtys: Float64Array, at: number): void {
    let best = NaN;
    for (const price of this.#levels.keys()) if (!((best - price) * this.#direction >= 0)) best = price;
    prices[at] = best;
    qtys[at] = this.#levels.get(best) ?? 0;
  }

  write({ prices, qtys, count }: LevelBuffer): void {
    for (let at = 0; at < count; at += 1) {
      if (qtys[at] === 0) this.#levels.delete(prices[at]!);
      else this.#levels.set(prices[at]!, qtys[at]!);
    }
  }

  replace({ prices, qtys, count }: LevelBuffer): void {
    this.#levels.clear();
    for (let at = count - 1; at >= 0; at -= 1) this.#levels.set(prices[at]!, qtys[at]!);
  }

  truncate(depth: number): void {
    for (const [price] of this.sorted().slice(depth)) this.#levels.delete(price);
  }

  read(prices: Float64Array, qtys: Float64Array, at: number, beyond: number): number {
    const levels = this.sorted().filter(
      ([price]) => Number.isNaN(beyond) || price * this.#direction < beyond * this.#direction,
    );
    const fitting = levels.slice(0, prices.length - at);
    for (const [index, [price, qty]] of fitting.entries()) {
      prices[at + index] = price;
      qtys[at + index] = qty;
    }
    return at + fitting.length;
  }
}

const TICK = { units: 5, scale: 100 } as const;
const priceOf = (ticks: number): number => (ticks * TICK.units) / TICK.scale;

type Level = { readonly price: number; readonly qty: number };
type Operation =
  | { readonly kind: 'write' | 'replace'; readonly levels: readonly Level[] }
  | { readonly kind: 'walk'; readonly ticks: number }
  | { readonly kind: 'remove-best'; readonly times: number }
  | { readonly kind: 'sweep'; readonly times: number; readonly ticks: number }
  | { readonly kind: 'truncate'; readonly depth: number }
  | { readonly kind: 'read'; readonly room: number; readonly beyond: number };

const WINDOWS = [1_024, 8_192, 32_768] as const;
const CENTRE = 60_000;
const nearTicks = fc.integer({ min: CENTRE - 40, max: CENTRE + 40 });
/** Inside and around the window, far outliers on both sides, and prices between two ticks. */
const anyPrice = fc.oneof(
  { weight: 10, arbitrary: nearTicks.map(priceOf) },
  ...WINDOWS.map((window) => ({
    weight: 2,
    arbitrary: fc.integer({ min: Math.max(1, CENTRE - 2 * window), max: CENTRE + 2 * window }).map(priceOf),
  })),
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 1e9 }).map(priceOf) },
  { weight: 2, arbitrary: nearTicks.map((ticks) => priceOf(ticks) + 0.0125) },
  { weight: 1, arbitrary: fc.constantFrom(1e-9, 0.01, 123_456_789_012.34, 2 ** 52) },
);
const anyQty = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 9 }));
/** One level, or up to so many, prices named twice among them. */
function upTo(most: number): fc.Arbitrary<readonly Level[]> {
  return fc.array(fc.record({ price: anyPrice, qty: anyQty }), { minLength: 1, maxLength: most });
}
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant('write' as const), levels: upTo(1) }) },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('write' as const), levels: upTo(12) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('walk' as const), ticks: fc.integer({ min: -1_500, max: 1_500 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('remove-best' as const), times: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('sweep' as const),
      times: fc.integer({ min: 1, max: 20 }),
      ticks: fc.integer({ min: 1, max: 4_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('truncate' as const), depth: fc.integer({ min: 0, max: 30 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      room: fc.integer({ min: 1, max: 8 }),
      beyond: anyPrice,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replace' as const), levels: upTo(12) }) },
);

/** One frame: the best levels go, and as many come behind the worst of them, in reach of the window or not. */
function swept(side: BookSide, { times, ticks }: { readonly times: number; readonly ticks: number }): readonly Level[] {
  const gone = levelsOf(side, times).map(([level]) => level!);
  const down = (gone[0] ?? 0) >= (gone[1] ?? 0) ? -1 : 1;
  const last = Math.round((gone.at(-1) ?? priceOf(CENTRE)) / priceOf(1));
  const come = gone.map((_none, at) => Math.max(1, last + down * (ticks + at)));
  return [
    ...gone.map((level) => ({ price: level, qty: 0 })),
    ...come.map((at) => ({ price: priceOf(at), qty: 1 })),
    ...come.filter((at) => at % 3 === 0).map((at) => ({ price: priceOf(at), qty: 0 })),
  ];
}

/** Applies one operation; the market drifts by `walk`, which makes windows move. */
function apply(side: BookSide, step: Operation, drift: number): void {
  switch (step.kind) {
    case 'write':
      side.write(bufferOf(drifted(step.levels, drift)));
      return;
    case 'replace':
      // A snapshot says what there is, not what there is not.
      side.replace(bufferOf(drifted(step.levels, drift).filter(({ qty }) => qty > 0)));
      return;
    case 'remove-best':
      for (let times = 0; times < step.times && side.count > 0; times += 1) setLevel(side, bestOf(side)[0]!, 0);
      return;
    case 'sweep':
      side.write(bufferOf(swept(side, step)));
      return;
    case 'truncate':
      side.truncate(step.depth);
      return;
    case 'walk':
    case 'read':
      return;
  }
}

const drifted = (levels: readonly Level[], drift: number): readonly Level[] =>
  levels.map(({ price, qty }) => ({ price: price + priceOf(drift), qty }));

const bufferOf = (levels: readonly Level[]): LevelBuffer => ({
  ...newLevelBuffer(),
  prices: Float64Array.from(levels, ({ price }) => price),
  qtys: Float64Array.from(levels, ({ qty }) => qty),
  count: levels.length,
});

const setLevel = (side: BookSide, price: number, qty: number): void => side.write(bufferOf([{ price, qty }]));

function bestOf(side: BookSide): number[] {
  const best = new Float64Array(2);
  side.best(best, best.subarray(1), 0);
  return [...best];
}

function levelsOf(side: BookSide, room = 64, beyond = NaN): number[][] {
  const prices = new Float64Array(room);
  const qtys = new Float64Array(room);
  const count = side.read(prices, qtys, 0, beyond);
  return Array.from({ length: count }, (_, at) => [prices[at]!, qtys[at]!]);
}

function agree(side: BookSide, model: MapSide, steps: readonly Operation[]): void {
  let drift = 0;
  for (const step of steps) {
    if (step.kind === 'walk') drift = Math.max(-CENTRE / 2, drift + step.ticks);
    apply(side, step, drift);
    apply(model, step, drift);
    if (side.count !== model.count) expect(side.count).toBe(model.count);
    const [found, want] = [bestOf(side), bestOf(model)];
    if (!Object.is(found[0], want[0]) || found[1] !== want[1]) expect(found).toEqual(want);
    if (step.kind === 'read') {
      expect(levelsOf(side, step.room, step.beyond)).toEqual(levelsOf(model, step.room, step.beyond));
    }
  }
  expect(levelsOf(side)).toEqual(levelsOf(model));
}

describe.each([
  ...WINDOWS.map(
    (window) =>
      [
        `ring of ${window} ticks`,
        (direction: Direction): BookSide => new RingSide(direction, { tick: TICK, ticks: window }),
      ] as const,
  ),
  ['sorted', (direction: Direction): BookSide => new SortedSide(direction)],
] as const)('the %s layout', (_name, make) => {
  it('answers as a Map would, over 3,000 random histories', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Direction>(1, -1),
        fc.array(operation, { maxLength: 60, size: 'max' }),
        (direction, steps) => {
          agree(make(direction), new MapSide(direction), steps);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('keeps agreeing over long histories', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Direction>(1, -1),
        fc.array(operation, { minLength: 2_000, maxLength: 4_000, size: 'max' }),
        (direction, steps) => {
          agree(make(direction), new MapSide(direction), steps);
        },
      ),
      { numRuns: 15 },
    );
  });

  it.each<Direction>([1, -1])(
    'holds 20,000 levels far apart and gives them back in order (direction %i)',
    (direction) => {
      const side = make(direction);
      const model = new MapSide(direction);
      for (let at = 1; at <= 20_000; at += 1) {
        const level = priceOf(((at * 7_919) % 20_011) * 3 + 1);
        setLevel(side, level, at);
        setLevel(model, level, at);
      }
      expect(side.count).toBe(20_000);
      expect(levelsOf(side, 20_000)).toEqual(levelsOf(model, 20_000));
    },
  );

  it.each<Direction>([1, -1])(
    'finds a level that the window took in while the frame was written (direction %i)',
    (direction) => {
      const side = make(direction);
      const frame = (...levels: readonly (readonly [below: number, qty: number])[]): void =>
        side.write(bufferOf(levels.map(([below, qty]) => ({ price: priceOf(CENTRE - direction * below), qty }))));
      frame([0, 1], [700, 2], [1_000, 3]);
      frame([0, 0], [1_000, 0]);
      expect(levelsOf(side)).toEqual([[priceOf(CENTRE - direction * 700), 2]]);
    },
  );

  it('removes what is not there without a trace', () => {
    const side = make(1);
    setLevel(side, priceOf(100), 0);
    setLevel(side, priceOf(1e8), 0);
    setLevel(side, 0.013, 0);
    expect([side.count, ...bestOf(side)]).toEqual([0, NaN, 0]);
  });
});

/** `count` levels, `step` ticks of 0.01 apart. */
const levelsApart = (count: number, step: number): LevelBuffer => ({
  ...newLevelBuffer(),
  prices: Float64Array.from({ length: count }, (_none, at) => (6_000_000 + at * step) / 100),
  qtys: new Float64Array(count).fill(1),
  count,
});

describe('the layout of a book', () => {
  it.each([
    ['dense and shallow', { levels: 20, step: 1, tick: '0.01' }, RingSide],
    ['too few levels to gain', { levels: 10, step: 1, tick: '0.01' }, SortedSide],
    ['an unknown tick', { levels: 500, step: 1, tick: '0' }, SortedSide],
    ['sparse, and deep enough for a large window', { levels: 1_000, step: 15, tick: '0.01' }, RingSide],
    ['sparser, and deep enough for the largest', { levels: 1_000, step: 50, tick: '0.01' }, RingSide],
    ['sparse, and too shallow for one', { levels: 20, step: 1_500, tick: '0.01' }, SortedSide],
    ['too sparse for the largest window', { levels: 1_000, step: 150, tick: '0.01' }, SortedSide],
  ] as const)('suits a snapshot: %s', (_name, { levels, step, tick }, layout) => {
    const side = levelsApart(levels, step);
    const book = bookFor(instrumentOf('binance', 'spot', 'BTCUSDT', tick), {
      ...newMarketUpdate(),
      kind: SNAPSHOT,
      bids: side,
      asks: side,
    });
    expect(book.bids).toBeInstanceOf(layout);
    expect(book.asks).toBeInstanceOf(layout);
  });
});
