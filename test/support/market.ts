import { Decimal } from 'decimal.js';
import type { Depths, Tops } from '#shared/domain/capital.ts';
import type { Asset, InstrumentId, InstrumentIndex, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';

type SpotOptions = {
  readonly tick?: string;
  readonly lot?: string;
  readonly minQty?: string;
  readonly minNotional?: string;
  readonly fee?: string;
  readonly feeCurrency?: 'received' | 'quote';
  readonly kind?: Instrument['kind'];
};

/** A spot instrument from its id, `venue:BASE/QUOTE`: fine grids, no minimums and no fees unless told. */
export function spot(id: string, options: SpotOptions = {}): Instrument {
  const [venue, symbol] = id.split(':') as [string, string];
  const [base, quote] = symbol.split('/') as [string, string];
  const fee = new Decimal(options.fee ?? '0');
  return {
    id: id as InstrumentId,
    venue: venue as VenueId,
    market: 'spot',
    symbol,
    venueSymbol: base + quote,
    kind: options.kind ?? 'spot',
    base: base as Asset,
    quote: quote as Asset,
    settle: quote as Asset,
    contractSize: new Decimal(1),
    inverse: false,
    tick: new Decimal(options.tick ?? '0.00000001'),
    lot: new Decimal(options.lot ?? '0.00000001'),
    minQty: new Decimal(options.minQty ?? '0'),
    minNotional: new Decimal(options.minNotional ?? '0'),
    fees: { maker: fee, taker: fee, currency: options.feeCurrency ?? 'received' },
    status: 'trading',
  };
}

export type Levels = readonly (readonly [price: number, qty: number])[];
export type PaperBook = { bids: Levels; asks: Levels; status?: BookStatus; ageMs?: number };

/** Books held in plain arrays, with the typed views that the stages read. */
export class Books {
  readonly tops: Tops;
  readonly depths: Depths;
  readonly #books: (PaperBook | undefined)[];

  constructor(count: number) {
    this.#books = Array.from({ length: count });
    const column = (): Float64Array => new Float64Array(count);
    this.tops = {
      bid: column().fill(NaN),
      bidQty: column(),
      ask: column().fill(NaN),
      askQty: column(),
    };
    this.depths = {
      status: (at) => this.#books[at]?.status ?? (this.#books[at] === undefined ? 'syncing' : 'live'),
      asks: (at, prices, qtys) => copy(this.#books[at]?.asks ?? [], prices, qtys),
      bids: (at, prices, qtys) => copy(this.#books[at]?.bids ?? [], prices, qtys),
      ageMs: (at) => this.#books[at]?.ageMs ?? 0,
    };
  }

  set(at: number, book: PaperBook): InstrumentIndex {
    this.#books[at] = book;
    this.tops.bid[at] = book.bids[0]?.[0] ?? NaN;
    this.tops.bidQty[at] = book.bids[0]?.[1] ?? 0;
    this.tops.ask[at] = book.asks[0]?.[0] ?? NaN;
    this.tops.askQty[at] = book.asks[0]?.[1] ?? 0;
    return at as InstrumentIndex;
  }

  /** One price on both sides, as deep as anybody could want. */
  flat(at: number, bid: number, ask: number = bid): InstrumentIndex {
    return this.set(at, { bids: [[bid, 1e9]], asks: [[ask, 1e9]] });
  }
}

function copy(levels: Levels, prices: Float64Array, qtys: Float64Array): number {
  const count = Math.min(levels.length, prices.length);
  for (let at = 0; at < count; at += 1) [prices[at], qtys[at]] = levels[at]!;
  return count;
}
