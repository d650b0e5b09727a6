import { Decimal } from 'decimal.js';
import type { Asset, InstrumentId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Random } from '#shared/random.ts';
import { randomFrom } from '#shared/random.ts';
import type { Change, Dialect, Said } from './dialects.ts';
import { dialects, ranked, saidOf } from './dialects.ts';

/** One frame of a market's socket, or (for a venue that wants it) the answer to a snapshot request. */
export type BenchFrame = {
  readonly instrument: number;
  readonly kind: 'snapshot' | 'quote' | 'delta';
  /** Changes a side. */
  readonly levels: number;
  readonly bytes: Uint8Array;
};
export type BenchMarket = {
  readonly instruments: readonly Instrument[];
  readonly snapshots: readonly BenchFrame[];
  readonly frames: readonly BenchFrame[];
};

/** Values in USDT; with the quotes below they make fifty symbols, about as real venues pair them. */
const ALTS = [
  ...Object.entries({
    SOL: 152.3,
    XRP: 2.31,
    ADA: 0.71,
    LTC: 97.2,
    DOT: 4.12,
    LINK: 17.9,
    AVAX: 23.4,
    UNI: 9.07,
    ATOM: 4.6,
  }),
  ...Object.entries({
    NEAR: 2.9,
    APT: 5.1,
    ARB: 0.41,
    OP: 0.83,
    INJ: 13.6,
    SUI: 3.44,
    TIA: 1.9,
    SEI: 0.23,
    FIL: 2.6,
    AAVE: 271,
    DOGE: 0.22,
  }),
] as const;
const VALUES: Readonly<Record<string, number>> = {
  USDT: 1,
  USDC: 1.0002,
  BTC: 97_412,
  ETH: 3_388,
  ...Object.fromEntries(ALTS),
};
const SYMBOLS: readonly string[] = [
  ...['BTC', 'ETH', ...ALTS.map(([code]) => code)].map((base) => `${base}/USDT`),
  ...['ETH', ...ALTS.slice(0, 15).map(([code]) => code)].map((base) => `${base}/BTC`),
  ...ALTS.slice(0, 10).map(([code]) => `${code}/ETH`),
  'BTC/USDC',
  'ETH/USDC',
];

/** Venues and what they take of a trade, and of what. */
const FEES = {
  binance: ['0.001', 'received'],
  okx: ['0.001', 'received'],
  kraken: ['0.0016', 'quote'],
} as const;
const VENUES = Object.keys(FEES) as readonly (keyof typeof FEES)[];

const LEVELS = 200;
/** Changes fall this near to the top; the top itself wanders this far from fair value, both in ticks. */
const NEAR = 40;
const WANDER = 3;
const QTY_DECIMALS = 5;
/** Share of a price by which a mispriced quote is off: more than the fees of four legs. */
const MISPRICED = 0.006;
/** Frames from one mispriced quote to the next. */
const MISPRICED_EVERY = 10_000;

/** Frames of three venues with fifty symbols each: 70 % best quotes, 20 % changes of 8 + 8 levels, 10 % of 20 + 20. The same for the same seed. */
export function benchMarket(seed: number, count: number): BenchMarket {
  const random = randomFrom(seed);
  const books = VENUES.flatMap((id) => SYMBOLS.map((symbol) => new BookModel(id, symbol, random.fork(id + symbol))));
  const instruments = books.map(({ instrument }) => instrument);
  const snapshots = books.map((book, at) => frameOf(at, 'snapshot', LEVELS, book.snapshot()));
  const quoting = [...books.entries()].filter(([, book]) => book.quotes);
  const frames = Array.from({ length: count }, (_none, at): BenchFrame => {
    const isMispriced = at % MISPRICED_EVERY === MISPRICED_EVERY / 2;
    const draw = isMispriced ? 0 : random.next();
    if (draw < 0.7) {
      const [index, book] = quoting[random.integer(quoting.length)]!;
      return frameOf(index, 'quote', 1, book.quote(isMispriced));
    }
    const index = random.integer(books.length);
    const levels = draw < 0.9 ? 8 : 20;
    return frameOf(index, 'delta', levels, books[index]!.delta(levels));
  });
  return { instruments, snapshots, frames };
}

function frameOf(instrument: number, kind: BenchFrame['kind'], levels: number, text: string): BenchFrame {
  return { instrument, kind, levels, bytes: Buffer.from(text) };
}

/** One book in whole ticks and lots that never crosses, and what its venue would send of it. */
class BookModel {
  readonly instrument: Instrument;
  readonly quotes: boolean;
  readonly #dialect: Dialect;
  readonly #random: Random;
  readonly #bids = new Map<number, number>();
  readonly #asks = new Map<number, number>();
  readonly #fair: number;
  #mid: number;
  #shownMid: number;
  #sequence = 1_000_000;
  #deltaSequence = 1_000_000;

  constructor(venue: keyof typeof FEES, symbol: string, random: Random) {
    const [base, quote] = symbol.split('/') as [string, string];
    const value = VALUES[base]! / VALUES[quote]!;
    const decimals = Math.max(0, Math.ceil(Math.log10(20_000 / value)));
    this.#random = random;
    this.#dialect = dialects[venue]!;
    this.quotes = this.#dialect.quote !== undefined;
    this.instrument = instrumentOf(venue, symbol, decimals);
    this.#fair = Math.round(value * 10 ** decimals);
    this.#mid = this.#fair;
    this.#shownMid = this.#fair;
    for (let away = 1; away <= LEVELS; away += 1) {
      this.#bids.set(this.#mid - away, this.#qty());
      this.#asks.set(this.#mid + away, this.#qty());
    }
  }

  snapshot(): string {
    return this.#dialect.snapshot(
      this.#said(ranked(this.#bids, -1).slice(0, LEVELS), ranked(this.#asks, 1).slice(0, LEVELS)),
    );
  }

  /** Moves the top by a tick or not at all; a mispriced quote stands far off and is taken back by whatever comes next. */
  quote(mispriced: boolean): string {
    this.#sequence += 1;
    this.#wander(1);
    const off = mispriced ? Math.round(this.#fair * MISPRICED) * (this.#random.next() < 0.5 ? -1 : 1) : 0;
    const mid = this.#mid + off;
    return this.#dialect.quote!(this.#said([[mid - 1, this.#qty()]], [[mid + 1, this.#qty()]]));
  }

  /** `levels` changes a side; what the top has moved across goes away. */
  delta(levels: number): string {
    this.#sequence += 1;
    this.#wander(2);
    const bids = this.#changes(this.#bids, -1, levels);
    const asks = this.#changes(this.#asks, 1, levels);
    this.#shownMid = this.#mid;
    const text = this.#dialect.delta(this.#said(bids, asks));
    this.#deltaSequence = this.#sequence;
    return text;
  }

  #changes(side: Map<number, number>, direction: 1 | -1, levels: number): Change[] {
    const changes = new Map<number, number>();
    for (let tick = this.#shownMid; tick * direction <= this.#mid * direction; tick += direction) {
      if (side.delete(tick)) changes.set(tick, 0);
    }
    changes.set(this.#mid + direction, this.#qty());
    while (changes.size < levels) {
      const tick = this.#mid + direction * (2 + this.#random.integer(NEAR));
      changes.set(tick, side.has(tick) && this.#random.next() < 0.3 ? 0 : this.#qty());
    }
    for (const [tick, qty] of changes) {
      if (qty === 0) side.delete(tick);
      else side.set(tick, qty);
    }
    return [...changes];
  }

  #wander(ticks: number): void {
    const step = this.#random.integer(2 * ticks + 1) - ticks;
    this.#mid = Math.min(this.#fair + WANDER, Math.max(this.#fair - WANDER, this.#mid + step));
  }

  #qty(): number {
    return 1 + this.#random.integer(900_000);
  }

  #said(bids: readonly Change[], asks: readonly Change[]): Said {
    const book = {
      symbol: this.instrument.venueSymbol,
      decimals: { price: this.instrument.tick.decimalPlaces(), qty: QTY_DECIMALS },
      bids: this.#bids,
      asks: this.#asks,
      sequence: this.#sequence,
      deltaSequence: this.#deltaSequence,
    };
    return saidOf(book, bids, asks);
  }
}

function instrumentOf(venue: keyof typeof FEES, symbol: string, decimals: number): Instrument {
  const [base, quote] = symbol.split('/') as [Asset, Asset];
  const { market, symbol: spell } = dialects[venue]!;
  const [fee, currency] = FEES[venue];
  const lot = new Decimal(10).pow(-QTY_DECIMALS);
  return {
    id: `${venue}:${symbol}` as InstrumentId,
    venue: venue as Instrument['venue'],
    market,
    symbol,
    venueSymbol: spell(base, quote),
    kind: 'spot',
    base,
    quote,
    settle: quote,
    contractSize: new Decimal(1),
    inverse: false,
    tick: new Decimal(10).pow(-decimals),
    lot,
    minQty: lot,
    minNotional: new Decimal(0),
    fees: { maker: new Decimal(fee), taker: new Decimal(fee), currency },
    status: 'trading',
  };
}
