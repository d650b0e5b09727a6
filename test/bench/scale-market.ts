import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Random } from '#shared/random.ts';
import { randomFrom } from '#shared/random.ts';
import type { BenchFrame, BenchMarket } from './bench-market.ts';
import type { Change, Said } from './dialects.ts';
import { dialects, ranked, saidOf } from './dialects.ts';
import { fairOf, universe } from './universe.ts';

const VENUES = Object.keys(dialects);
const QTY_DECIMALS = 5;
/** Of a price: a tick is about half a basis point; of an option's, a quarter of a percent. */
const TICKS_OF = { usual: 20_000, option: 400 } as const;
/** Ticks: best prices stand this far from the middle, the middle wanders this far from fair value, changes fall this near to the top. */
const HALF_SPREAD = { usual: 1, option: 4 } as const;
const WANDER = { usual: 3, option: 1 } as const;
const NEAR = 40;
/** A book holds about as many levels a side; what is further away than these ticks is taken back. */
const LEVELS = 100;
const FAR = 150;
/** Coins move every so many frames, by such a share (one standard deviation), half of it together. */
const MOVE_EVERY = 100;
const MOVE = 0.00002;
/** Frames from one mispriced quote to the next, how many it lasts, and how far it is off: more than the fees of four legs. */
const MISPRICED_EVERY = 20_000;
const MISPRICED_FOR = 50;
const MISPRICED = 0.006;

/** A market whose frames are made one after the other, as many as are asked for. */
export type ScaleStream = Omit<BenchMarket, 'frames'> & {
  readonly venues: readonly string[];
  readonly next: () => BenchFrame;
};

export function scaleMarket(seed: number, { frames, symbols }: { frames: number; symbols: number }): BenchMarket {
  const { next, ...market } = scaleStream(seed, symbols);
  return { ...market, frames: Array.from({ length: frames }, next) };
}

/**
 * Frames of eight venues, each in its own dialect, with as many symbols of every kind as asked for: 70 % best quotes (changes of the top where a venue has no
 * channel of quotes), 20 % changes of 8 + 8 levels, 10 % of 20 + 20. Coins move together and apart, their books follow with the next frame. The same for the
 * same seed.
 */
export function scaleStream(seed: number, symbols: number): ScaleStream {
  const random = randomFrom(seed);
  const coins = new Coins(random.fork('coins'));
  const books = universe(VENUES, symbols).map(
    (instrument) => new BookModel(instrument, coins, random.fork(instrument.id)),
  );
  const instruments = books.map(({ instrument }) => instrument);
  const snapshots = books.map((book, at): BenchFrame => frameOf(at, 'snapshot', LEVELS, book.snapshot()));
  const quoting = [...books.keys()].filter((at) => books[at]!.quotes);
  let [made, wrong] = [0, 0];
  const next = (): BenchFrame => {
    if (made % MOVE_EVERY === 0) coins.move();
    const cycle = made % MISPRICED_EVERY;
    made += 1;
    if (cycle === MISPRICED_EVERY / 2) wrong = quoting[random.integer(quoting.length)]!;
    if (cycle === MISPRICED_EVERY / 2) return frameOf(wrong, 'quote', 1, books[wrong]!.mispriced());
    if (cycle === MISPRICED_EVERY / 2 + MISPRICED_FOR) return frameOf(wrong, 'quote', 1, books[wrong]!.quote());
    const draw = random.next();
    const index = random.integer(books.length);
    const book = books[index]!;
    const levels = draw < 0.7 ? 1 : draw < 0.9 ? 8 : 20;
    if (levels > 1) return frameOf(index, 'delta', levels, book.delta(levels));
    return frameOf(index, 'quote', 1, book.quotes ? book.quote() : book.delta(1));
  };
  return { venues: VENUES, instruments, snapshots, next };
}

function frameOf(instrument: number, kind: BenchFrame['kind'], levels: number, text: string): BenchFrame {
  return { instrument, kind, levels, bytes: Buffer.from(text) };
}

/** What coins are worth, as a share of what they were in the beginning. Dollars are worth a dollar. */
class Coins {
  readonly #random: Random;
  readonly #moved = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  readonly moved = (asset: string): number => {
    if (asset.startsWith('USD')) return 1;
    const known = this.#moved.get(asset);
    if (known === undefined) this.#moved.set(asset, 1);
    return known ?? 1;
  };

  move(): void {
    const together = this.#random.normal();
    for (const [asset, moved] of this.#moved)
      this.#moved.set(asset, moved * Math.exp((MOVE * (together + this.#random.normal())) / 2));
  }
}

/** One book in whole ticks and lots that never crosses, and what its venue would send of it. */
class BookModel {
  readonly instrument: Instrument;
  readonly quotes: boolean;
  readonly #coins: Coins;
  readonly #random: Random;
  readonly #decimals: number;
  readonly #half: number;
  readonly #wander: number;
  readonly #bids = new Map<number, number>();
  readonly #asks = new Map<number, number>();
  #off = 0;
  #mid: number;
  #shownMid: number;
  #sequence = 1_000_000;
  #deltaSequence = 1_000_000;

  constructor(listed: Instrument, coins: Coins, random: Random) {
    const sort = listed.kind === 'option' ? 'option' : 'usual';
    const { market, symbol, quote } = dialects[listed.venue]!;
    const [pair] = listed.symbol.split(/[:-]/, 1) as [string];
    this.#coins = coins;
    this.#random = random;
    this.#half = HALF_SPREAD[sort];
    this.#wander = WANDER[sort];
    this.#decimals = Math.max(0, Math.ceil(Math.log10(TICKS_OF[sort] / fairOf(listed))));
    this.quotes = quote !== undefined;
    const lot = new Decimal(10).pow(-QTY_DECIMALS);
    this.instrument = {
      ...listed,
      market,
      venueSymbol: symbol(listed.base, listed.quote) + listed.symbol.slice(pair.length),
      tick: new Decimal(10).pow(-this.#decimals),
      lot,
      minQty: lot,
    };
    this.#mid = this.#fair();
    this.#shownMid = this.#mid;
    for (let away = this.#half; away < this.#half + LEVELS; away += 1) {
      if (this.#mid - away > 0) this.#bids.set(this.#mid - away, this.#qty());
      this.#asks.set(this.#mid + away, this.#qty());
    }
  }

  snapshot(): string {
    const said = this.#said(ranked(this.#bids, -1), ranked(this.#asks, 1));
    return dialects[this.instrument.venue]!.snapshot(said);
  }

  quote(): string {
    this.#follow();
    return this.#quoteAt(this.#mid);
  }

  /** Stands far off, and is taken back by whatever comes next. */
  mispriced(): string {
    this.#follow();
    const off = Math.round(this.#mid * MISPRICED) * (this.#random.next() < 0.5 ? -1 : 1);
    return this.#quoteAt(this.#mid + off);
  }

  /** At least `levels` changes a side; what the top has moved across goes away, and what is far behind it. */
  delta(levels: number): string {
    this.#follow();
    const bids = this.#changes(this.#bids, -1, levels);
    const asks = this.#changes(this.#asks, 1, levels);
    this.#shownMid = this.#mid;
    const text = dialects[this.instrument.venue]!.delta(this.#said(bids, asks));
    this.#deltaSequence = this.#sequence;
    return text;
  }

  #quoteAt(mid: number): string {
    const { quote } = dialects[this.instrument.venue]!;
    return quote!(this.#said([[mid - this.#half, this.#qty()]], [[mid + this.#half, this.#qty()]]));
  }

  #changes(side: Map<number, number>, direction: 1 | -1, levels: number): Change[] {
    const best = this.#mid + direction * this.#half;
    const changes = new Map<number, number>();
    const shown = this.#shownMid + direction * this.#half;
    for (let tick = shown; tick * direction < best * direction; tick += direction)
      if (side.has(tick)) changes.set(tick, 0);
    for (let tick = best; tick * direction < shown * direction; tick += direction) changes.set(tick, this.#qty());
    changes.set(best, this.#qty());
    while (changes.size < levels) {
      const tick = best + direction * (1 + this.#random.integer(NEAR));
      if (tick > 0) changes.set(tick, side.has(tick) && this.#random.next() < 0.3 ? 0 : this.#qty());
    }
    if (levels > 1) for (const tick of side.keys()) if ((tick - best) * direction > FAR) changes.set(tick, 0);
    for (const [tick, qty] of changes) {
      if (qty === 0) side.delete(tick);
      else side.set(tick, qty);
    }
    return [...changes];
  }

  #follow(): void {
    this.#sequence += 1;
    const step = this.#random.integer(3) - 1;
    this.#off = Math.min(this.#wander, Math.max(-this.#wander, this.#off + step));
    this.#mid = Math.max(1 + this.#half, this.#fair() + this.#off);
  }

  #fair(): number {
    return Math.round(fairOf(this.instrument, this.#coins.moved) * 10 ** this.#decimals);
  }

  #qty(): number {
    return 1 + this.#random.integer(900_000);
  }

  #said(bids: readonly Change[], asks: readonly Change[]): Said {
    const book = {
      symbol: this.instrument.venueSymbol,
      decimals: { price: this.#decimals, qty: QTY_DECIMALS },
      bids: this.#bids,
      asks: this.#asks,
      sequence: this.#sequence,
      deltaSequence: this.#deltaSequence,
    };
    return saidOf(book, bids, asks);
  }
}
