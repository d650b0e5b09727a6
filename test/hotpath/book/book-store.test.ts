import { describe, expect, it } from 'vitest';
import { BookStore } from '#hotpath/book/book-store.ts';
import { RingSide } from '#hotpath/book/ring-book.ts';
import { SortedSide } from '#hotpath/book/sorted-book.ts';
import { newMarketUpdate } from '#hotpath/feed/sink.ts';
import { venues } from '#hotpath/venues/index.ts';
import type { BookRules } from '#hotpath/venues/venue.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN, DELTA, HELD, IGNORED, QUOTE, SNAPSHOT } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';

type Pair = readonly [price: number, qty: number];
type Said = {
  readonly first?: number;
  readonly last?: number;
  readonly previous?: number;
  readonly checksum?: number;
  readonly venueTimeMs?: number;
  readonly bids?: readonly Pair[];
  readonly asks?: readonly Pair[];
};

const BTC = 0 as InstrumentIndex;
const rulesOf = (venue: string): BookRules => venues.find(({ id }) => id === venue)!.markets[0]!.book;
const pushed: BookRules = { snapshot: { from: 'push' }, follows: () => 'apply', depth: Infinity };

function fill(buffer: LevelBuffer, levels: readonly Pair[]): void {
  buffer.count = levels.length;
  buffer.prices = Float64Array.from(levels, ([price]) => price);
  buffer.qtys = Float64Array.from(levels, ([, qty]) => qty);
}

/** One book, spoken to in updates; `pass` lets time go by. */
class Bench {
  readonly clock = new VirtualClock(0n);
  readonly store: BookStore;
  readonly #update = newMarketUpdate();

  constructor(rules: BookRules, { tick = '0.01', staleAfterMs = Infinity } = {}) {
    this.store = new BookStore({
      instruments: [instrumentOf('binance', 'spot', 'BTCUSDT', tick)],
      rulesOf: () => rules,
      clock: this.clock,
      staleAfterMs,
    });
  }

  pass(ms: number): void {
    this.clock.jumpTo(this.clock.now() + ms * 1e6);
  }

  say(kind: MarketUpdate['kind'], { first = NaN, last = NaN, previous = NaN, checksum = NaN, ...rest }: Said) {
    const update = this.#update;
    Object.assign(update, { kind, instrument: BTC, checksum, receivedTimeNs: this.clock.now() });
    Object.assign(update, { firstSequence: first, lastSequence: last, previousSequence: previous });
    update.venueTimeMs = rest.venueTimeMs ?? NaN;
    fill(update.bids, rest.bids ?? []);
    fill(update.asks, rest.asks ?? []);
    return this.store.apply(update);
  }

  get status() {
    return this.store.depths.status(BTC);
  }

  get top() {
    const { bid, bidQty, ask, askQty } = this.store.tops;
    return [bid[BTC], bidQty[BTC], ask[BTC], askQty[BTC]];
  }

  get depth() {
    const prices = new Float64Array(5);
    const qtys = new Float64Array(5);
    const levels = (count: number): Pair[] =>
      Array.from({ length: count }, (_, at) => [prices[at]!, qtys[at]!] as const);
    const bids = levels(this.store.depths.bids(BTC, prices, qtys));
    return { bids, asks: levels(this.store.depths.asks(BTC, prices, qtys)) };
  }
}

const NOTHING = [NaN, 0, NaN, 0];
const snapshot = (last: number): Said => ({
  last,
  bids: [
    [99, 1],
    [98, 2],
  ],
  asks: [
    [101, 3],
    [102, 4],
  ],
});

function live(rules = rulesOf('binance')): Bench {
  const bench = new Bench(rules);
  expect(bench.say(SNAPSHOT, snapshot(100))).toBe(APPLIED);
  expect(bench.status).toBe('live');
  return bench;
}

describe('a book that starts from a REST snapshot', () => {
  it('holds deltas until the snapshot and continues it with those that follow', () => {
    const bench = new Bench(rulesOf('binance'));
    expect(bench.status).toBe('syncing');
    expect(bench.say(DELTA, { first: 95, last: 100, bids: [[97, 9]] })).toBe(HELD);
    expect(bench.say(DELTA, { first: 101, last: 105, bids: [[99, 0]], asks: [[101, 5]] })).toBe(HELD);
    expect(bench.top).toEqual(NOTHING);
    expect(bench.say(SNAPSHOT, snapshot(100))).toBe(APPLIED);
    expect(bench.top).toEqual([98, 2, 101, 5]);
    expect(bench.depth).toEqual({
      bids: [[98, 2]],
      asks: [
        [101, 5],
        [102, 4],
      ],
    });
    expect(bench.store.lastSequence(BTC)).toBe(105);
    expect(bench.store.statistics(BTC)).toMatchObject({ held: 2, deltas: 1, deltasDropped: 1, gaps: 0 });
    expect(bench.say(DELTA, { first: 106, last: 107, bids: [[99.5, 1]] })).toBe(APPLIED);
    expect(bench.top[0]).toBe(99.5);
  });

  it('asks again when the snapshot is older than what is held, and heals with a newer one', () => {
    const bench = new Bench(rulesOf('binance'));
    bench.say(DELTA, { first: 110, last: 112, bids: [[99, 7]] });
    expect(bench.say(SNAPSHOT, snapshot(100))).toBe(BROKEN);
    expect([bench.status, ...bench.top]).toEqual(['syncing', ...NOTHING]);
    expect(bench.depth).toEqual({ bids: [], asks: [] });
    bench.say(DELTA, { first: 113, last: 113, asks: [[101, 6]] });
    expect(bench.say(SNAPSHOT, snapshot(111))).toBe(APPLIED);
    expect(bench.top).toEqual([99, 7, 101, 6]);
    expect(bench.store.statistics(BTC)).toMatchObject({ gaps: 0, snapshotsTooOld: 1, snapshots: 2 });
  });

  it('keeps what follows a hole among the held for the next snapshot', () => {
    const bench = new Bench(rulesOf('binance'));
    bench.say(DELTA, { first: 101, last: 102, bids: [[99, 7]] });
    bench.say(DELTA, { first: 105, last: 106, bids: [[99, 8]] });
    expect(bench.say(SNAPSHOT, snapshot(100))).toBe(BROKEN);
    expect(bench.status).toBe('syncing');
    expect(bench.say(SNAPSHOT, snapshot(104))).toBe(APPLIED);
    expect(bench.top[1]).toBe(8);
  });

  it('holds a bounded number of frames and levels, then asks for a new snapshot', () => {
    const many = Array.from({ length: 10_000 }, (_, at) => [at + 1, 1] as const);
    const frames = new Bench(rulesOf('binance'));
    const outcomes = Array.from({ length: 4_097 }, (_, at) => frames.say(DELTA, { first: at, last: at }));
    expect([outcomes.lastIndexOf(HELD), outcomes.at(-1)]).toEqual([4_095, BROKEN]);
    const levels = new Bench(rulesOf('binance'));
    const said = Array.from({ length: 6 }, (_, at) => levels.say(DELTA, { first: at, last: at, bids: many }));
    expect(said.at(-1)).toBe(BROKEN);
    expect(levels.status).toBe('gap');
    expect(levels.say(SNAPSHOT, snapshot(5))).toBe(APPLIED);
  });

  it('is not set back by a snapshot older than itself', () => {
    const bench = live();
    bench.say(DELTA, { first: 101, last: 110, bids: [[99, 5]] });
    expect(bench.say(SNAPSHOT, snapshot(105))).toBe(IGNORED);
    expect(bench.top[1]).toBe(5);
  });
});

describe('continuity', () => {
  it('makes a book with a gap unready until a snapshot; the deltas meanwhile are held', () => {
    const bench = live();
    expect(bench.say(DELTA, { first: 102, last: 103, bids: [[99, 5]] })).toBe(BROKEN);
    expect([bench.status, ...bench.top]).toEqual(['gap', ...NOTHING]);
    expect(bench.say(DELTA, { first: 104, last: 104, bids: [[99, 6]] })).toBe(HELD);
    expect(bench.say(SNAPSHOT, snapshot(102))).toBe(APPLIED);
    expect([bench.status, bench.top[1]]).toEqual(['live', 6]);
    expect(bench.store.statistics(BTC).gaps).toBe(1);
  });

  it('drops what it already has', () => {
    const bench = live();
    expect(bench.say(DELTA, { first: 90, last: 100, bids: [[99, 5]] })).toBe(IGNORED);
    expect(bench.top[1]).toBe(1);
  });

  it('waits for the push where snapshots are pushed', () => {
    const bench = new Bench(pushed);
    expect(bench.say(DELTA, { bids: [[99, 5]] })).toBe(IGNORED);
    expect(bench.say(SNAPSHOT, snapshot(NaN))).toBe(APPLIED);
    expect(bench.status).toBe('live');
  });

  it('starts anew after distrust, whatever was held or quoted', () => {
    const bench = live();
    bench.say(QUOTE, { last: 101, bids: [[99.5, 1]], asks: [[101, 1]] });
    bench.store.distrust(BTC);
    expect([bench.status, ...bench.top]).toEqual(['syncing', ...NOTHING]);
    expect(bench.store.quotes.bid[BTC]).toBeNaN();
    expect(bench.say(DELTA, { first: 101, last: 101 })).toBe(HELD);
    bench.say(SNAPSHOT, snapshot(100));
    expect([bench.status, bench.top[0]]).toEqual(['live', 99]);
  });
});

describe('crossing', () => {
  it('takes a crossed or locked book out of trade until it uncrosses', () => {
    const bench = live();
    expect(bench.say(DELTA, { first: 101, last: 101, bids: [[101, 1]] })).toBe(APPLIED);
    expect([bench.status, ...bench.top]).toEqual(['crossed', ...NOTHING]);
    bench.pass(1_000);
    bench.say(DELTA, { first: 102, last: 102, bids: [[101, 0]] });
    expect([bench.status, ...bench.top]).toEqual(['live', 99, 1, 101, 3]);
    bench.pass(60_000);
    bench.say(DELTA, { first: 103, last: 103, asks: [[98.5, 1]] });
    expect(bench.status).toBe('crossed');
  });

  it('gives up a book that stays crossed', () => {
    const bench = live();
    bench.say(DELTA, { first: 101, last: 101, bids: [[102, 1]] });
    bench.pass(2_000);
    expect(bench.say(DELTA, { first: 102, last: 102, bids: [[90, 1]] })).toBe(APPLIED);
    bench.pass(1);
    expect(bench.say(DELTA, { first: 103, last: 103, bids: [[90, 2]] })).toBe(BROKEN);
    expect(bench.status).toBe('gap');
  });

  it('gives it up too when only quotes say so', () => {
    const bench = live();
    bench.say(QUOTE, { last: 101, bids: [[101, 1]], asks: [[101, 2]] });
    expect(bench.status).toBe('crossed');
    bench.pass(2_001);
    expect(bench.say(QUOTE, { last: 102, bids: [[101.5, 1]], asks: [[101, 2]] })).toBe(BROKEN);
    expect([bench.status, ...bench.top]).toEqual(['gap', ...NOTHING]);
  });
});

describe('a book that is not believed', () => {
  it('while suspect keeps up with its venue, and is as it stands when it is believed again', () => {
    const bench = live();
    bench.store.suspect(BTC, true);
    expect([bench.status, ...bench.top]).toEqual(['suspect', ...NOTHING]);
    bench.say(DELTA, { first: 101, last: 101, bids: [[99.5, 1]] });
    expect([bench.status, ...bench.top]).toEqual(['suspect', ...NOTHING]);
    const [prices, qtys] = [new Float64Array(2), new Float64Array(2)];
    bench.store.best(BTC, prices, qtys);
    expect([...prices, ...qtys]).toEqual([99.5, 101, 1, 3]);
    bench.say(DELTA, { first: 102, last: 102, bids: [[101, 1]] });
    expect(bench.status).toBe('crossed');
    bench.store.suspect(BTC, false);
    expect(bench.status).toBe('crossed');
    bench.say(DELTA, { first: 103, last: 103, bids: [[101, 0]] });
    expect([bench.status, ...bench.top]).toEqual(['live', 99.5, 1, 101, 3]);
  });

  it('stays suspect over a new snapshot: only the other venues can clear it', () => {
    const bench = live();
    bench.store.suspect(BTC, true);
    bench.store.distrust(BTC);
    expect(bench.status).toBe('syncing');
    bench.say(SNAPSHOT, snapshot(200));
    expect(bench.status).toBe('suspect');
  });

  it('while polled has levels to look at and no top, until it is followed again', () => {
    const bench = new Bench(rulesOf('binance'));
    bench.store.markPolled(BTC);
    bench.say(SNAPSHOT, snapshot(100));
    expect([bench.status, ...bench.top]).toEqual(['polled', ...NOTHING]);
    expect(bench.depth.bids).toHaveLength(2);
    bench.store.distrust(BTC);
    expect(bench.depth.bids).toEqual([]);
    bench.say(SNAPSHOT, snapshot(101));
    expect(bench.status).toBe('live');
  });
});

describe('quotes', () => {
  it('rule the top while they are newer than the book, and never touch the book', () => {
    const bench = live();
    expect(bench.say(QUOTE, { last: 104, bids: [[98.5, 7]], asks: [[101, 2]] })).toBe(APPLIED);
    expect(bench.top).toEqual([98.5, 7, 101, 2]);
    expect(bench.depth).toEqual({
      bids: [
        [98.5, 7],
        [98, 2],
      ],
      asks: [
        [101, 2],
        [102, 4],
      ],
    });
    const untouched = new Float64Array(4);
    bench.store.levels(BTC)!.bids.read(untouched, new Float64Array(4), 0, NaN);
    expect([...untouched]).toEqual([99, 98, 0, 0]);
    expect(bench.say(DELTA, { first: 101, last: 103, bids: [[98, 3]] })).toBe(APPLIED);
    expect(bench.top[0]).toBe(98.5);
    bench.say(DELTA, { first: 104, last: 104, bids: [[99, 0]], asks: [[101, 2.5]] });
    expect(bench.top).toEqual([98, 3, 101, 2.5]);
  });

  it('are ignored when older than the book or than the last quote', () => {
    const bench = live();
    expect(bench.say(QUOTE, { last: 100, bids: [[50, 1]], asks: [[51, 1]] })).toBe(IGNORED);
    bench.say(QUOTE, { last: 105, bids: [[99.1, 1]], asks: [[101, 1]] });
    expect(bench.say(QUOTE, { last: 104, bids: [[50, 1]], asks: [[51, 1]] })).toBe(IGNORED);
    expect(bench.top[0]).toBe(99.1);
  });

  it('before the book are remembered, but only the book makes them count', () => {
    const bench = new Bench(rulesOf('binance'));
    expect(bench.say(QUOTE, { last: 104, bids: [[98.5, 7]], asks: [[101, 2]] })).toBe(IGNORED);
    expect(bench.top).toEqual(NOTHING);
    expect([bench.store.quotes.bid[BTC], bench.store.quotes.ask[BTC]]).toEqual([98.5, 101]);
  });

  it('that cross take the book out of trade; an empty side has no price', () => {
    const bench = live();
    bench.say(QUOTE, { last: 101, bids: [[102, 7]], asks: [[101, 2]] });
    expect([bench.status, ...bench.top]).toEqual(['crossed', ...NOTHING]);
    bench.say(QUOTE, { last: 102, bids: [[98, 7]] });
    expect([bench.status, ...bench.top]).toEqual(['live', 98, 7, NaN, 0]);
    expect(bench.depth).toEqual({ bids: [[98, 7]], asks: [] });
  });
});

describe('checksums', () => {
  const hashed = (answers: readonly number[]): BookRules => {
    let at = -1;
    return {
      ...pushed,
      checksum: () => {
        at += 1;
        return answers[at]!;
      },
    };
  };

  it('that are wrong break the book', () => {
    const bench = new Bench(hashed([1, 2]));
    expect(bench.say(SNAPSHOT, { ...snapshot(NaN), checksum: 1 })).toBe(APPLIED);
    expect(bench.say(DELTA, { checksum: 3 })).toBe(BROKEN);
    expect(bench.status).toBe('gap');
    expect(bench.store.statistics(BTC)).toMatchObject({ checksums: 2, checksumsWrong: 1, gaps: 1 });
  });

  it('that cannot be computed leave the book unbelieved until one can', () => {
    const bench = new Bench(hashed([NaN, 5]));
    bench.say(SNAPSHOT, { ...snapshot(NaN), checksum: 1 });
    expect([bench.status, ...bench.top]).toEqual(['syncing', ...NOTHING]);
    bench.say(DELTA, { checksum: 5 });
    expect(bench.status).toBe('live');
  });

  it('are not asked for where the frame carries none', () => {
    const bench = new Bench(hashed([]));
    bench.say(SNAPSHOT, snapshot(NaN));
    expect([bench.status, bench.store.statistics(BTC).checksums]).toEqual(['live', 0]);
  });
});

describe('bounds', () => {
  it('truncates each side to the depth that the venue keeps', () => {
    const bench = new Bench({ ...pushed, depth: 2 });
    bench.say(SNAPSHOT, snapshot(NaN));
    bench.say(DELTA, {
      bids: [
        [98.5, 1],
        [97, 1],
      ],
      asks: [[103, 1]],
    });
    expect(bench.depth).toEqual({
      bids: [
        [99, 1],
        [98.5, 1],
      ],
      asks: [
        [101, 3],
        [102, 4],
      ],
    });
  });

  it('gives up a book that has collected too many levels', () => {
    const bench = new Bench(pushed);
    bench.say(SNAPSHOT, { asks: [[1e6, 1]] });
    const levels = (from: number) => Array.from({ length: 20_000 }, (_, at) => [from + at, 1] as const);
    expect(bench.say(DELTA, { bids: levels(1) })).toBe(APPLIED);
    expect(bench.say(DELTA, { bids: levels(20_001) })).toBe(APPLIED);
    expect(bench.say(DELTA, { bids: levels(40_001) })).toBe(BROKEN);
  });
});

describe('age', () => {
  it('counts from the last proof that the book is current, and makes it stale beyond the limit', () => {
    const bench = new Bench(pushed, { staleAfterMs: 500 });
    const age = () => bench.store.depths.ageMs(BTC, bench.clock.now());
    expect(age()).toBe(Infinity);
    bench.store.assign(BTC, 300);
    bench.say(SNAPSHOT, snapshot(NaN));
    bench.pass(500);
    expect([age(), bench.status]).toEqual([500, 'live']);
    bench.pass(1);
    expect([age(), bench.status]).toEqual([501, 'stale']);
    bench.store.heard(299, bench.clock.now());
    expect(bench.status).toBe('stale');
    bench.store.heard(300, bench.clock.now());
    expect([age(), bench.status]).toEqual([0, 'live']);
  });

  it('is vouched for by its connection for five minutes, not for ever', () => {
    const bench = new Bench(pushed, { staleAfterMs: 500 });
    bench.store.assign(BTC, 1);
    bench.say(SNAPSHOT, snapshot(NaN));
    const hear = (ms: number) => {
      bench.pass(ms);
      bench.store.heard(1, bench.clock.now());
    };
    hear(300_000);
    expect([bench.status, bench.store.isQuiet(BTC)]).toEqual(['live', false]);
    hear(501);
    expect([bench.status, bench.store.isQuiet(BTC)]).toEqual(['stale', true]);
    // One word of its own, even one that changes nothing.
    bench.say(DELTA, {});
    hear(1_000);
    expect([bench.status, bench.store.isQuiet(BTC)]).toEqual(['live', false]);
  });

  it('includes how late the last update came, on the venue’s own clock', () => {
    const bench = new Bench(pushed);
    const behindMs = 1_270;
    const deltaAt = (delayMs: number) =>
      bench.say(DELTA, { venueTimeMs: bench.clock.now() / 1e6 + behindMs - delayMs });
    bench.pass(10_000);
    bench.say(SNAPSHOT, { ...snapshot(NaN), venueTimeMs: 5 });
    deltaAt(4);
    expect(bench.store.clockOffsetMs(BTC)).toBe(4 - behindMs);
    deltaAt(4);
    expect(bench.store.depths.ageMs(BTC, bench.clock.now())).toBe(0);
    deltaAt(804);
    bench.pass(20);
    expect(bench.store.depths.ageMs(BTC, bench.clock.now())).toBe(820);
    deltaAt(6);
    expect(bench.store.depths.ageMs(BTC, bench.clock.now())).toBe(2);
  });
});

describe('layout', () => {
  const dense = (step: number) => ({
    bids: Array.from({ length: 50 }, (_, at) => [1_000 - at * step, 1] as const),
    asks: Array.from({ length: 50 }, (_, at) => [1_001 + at * step, 1] as const),
  });

  it.each([
    ['a dense book of known tick', dense(0.01), '0.01', RingSide],
    ['a dense book of unknown tick', dense(0.01), '0', SortedSide],
    ['a wide book', dense(15), '0.01', SortedSide],
    ['a thin book', snapshot(NaN), '0.01', SortedSide],
    ['an odd tick', dense(0.25), '0.25', RingSide],
  ])('suits %s', (_name, said, tick, layout) => {
    const bench = new Bench(pushed, { tick });
    bench.say(SNAPSHOT, said);
    expect(bench.store.levels(BTC)?.bids).toBeInstanceOf(layout);
    expect(bench.status).toBe('live');
  });
});
