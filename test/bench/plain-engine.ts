import { crc32 } from 'node:zlib';
import type { Depths, References, Tops } from '#shared/domain/capital.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { silentReferences } from '#test/support/sizing.ts';
import type { Stages } from '#hotpath/pipeline.ts';
import { pursue } from '#hotpath/pipeline.ts';
import type { BenchFrame } from './bench-market.ts';
import { decisionStages, engine } from './decision.ts';
import { PlainBook } from './plain-book.ts';
import type { PlainUpdate } from './plain-parse.ts';
import { plainParse, plainSnapshot } from './plain-parse.ts';
import { PlainMarket } from './plain-market.ts';
import { ResultHash } from './result-hash.ts';

/** The same decisions as most bots take them: JSON.parse, Map, sorted arrays, a loop over route objects. Written with care, not to lose. */
export class PlainEngine {
  readonly hash = new ResultHash();
  readonly #instruments: readonly Instrument[];
  readonly #indexOf = new Map<string, number>();
  readonly #books: PlainBook[];
  readonly #tops: Tops;
  readonly #market: PlainMarket;
  readonly #stages: Pick<Stages, 'size' | 'risk' | 'execute' | 'publish'>;
  #nowNs = 0;

  constructor(
    instruments: readonly Instrument[],
    routes: readonly Route[],
    references: References = silentReferences(instruments.length),
  ) {
    this.#instruments = instruments;
    for (const [at, { venue, venueSymbol }] of instruments.entries()) this.#indexOf.set(`${venue} ${venueSymbol}`, at);
    this.#books = instruments.map(() => new PlainBook());
    const column = (): Float64Array => new Float64Array(instruments.length).fill(NaN);
    this.#tops = { bid: column(), bidQty: column(), ask: column(), askQty: column() };
    this.#market = new PlainMarket(instruments, routes, {
      tops: this.#tops,
      references,
      minEdge: engine.min_edge_bps / 1e4,
    });
    const depths: Depths = {
      status: () => 'live',
      asks: (at, prices, qtys) => this.#books[at]!.read('asks', prices, qtys),
      bids: (at, prices, qtys) => this.#books[at]!.read('bids', prices, qtys),
      ageMs: () => 0,
    };
    this.#stages = decisionStages(instruments, routes, { tops: this.#tops, depths, references }, this.hash);
  }

  take({ instrument, kind, bytes }: BenchFrame): void {
    this.#nowNs += 10_000;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
    const { venue } = this.#instruments[instrument]!;
    const update =
      kind === 'snapshot' && venue === 'binance'
        ? plainSnapshot(text, instrument, this.#instruments)
        : plainParse(venue, text);
    const at = this.#indexOf.get(`${venue} ${update.symbol}`)!;
    this.#apply(at, update);
    const top = this.#books[at]!.top();
    this.#tops.bid[at] = top.bid;
    this.#tops.ask[at] = top.ask;
    const found = this.#market.found(at);
    pursue(this.#stages, Int32Array.from(found), this.#nowNs as TimeNs);
    this.hash.double(top.bid);
    this.hash.double(top.ask);
  }

  /** Carry of every route that holds. */
  reckon(): void {
    this.#market.reckon();
  }

  get tops(): Tops {
    return this.#tops;
  }

  #apply(at: number, update: PlainUpdate): void {
    const book = this.#books[at]!;
    if (!book.apply(update)) throw new Error(`the bench broke a plain book: ${update.symbol}`);
    if (update.checksum === undefined) return;
    if (checksumOf(book, this.#instruments[at]!) !== update.checksum)
      throw new Error(`a plain checksum is wrong: ${update.symbol}`);
  }
}

function checksumOf(book: PlainBook, { tick, lot }: Instrument): number {
  const digits = (value: number, decimals: number): string =>
    value.toFixed(decimals).replace('.', '').replace(/^0+/, '');
  const text = [...book.best('asks', 10), ...book.best('bids', 10)]
    .map(([price, qty]) => digits(price, tick.decimalPlaces()) + digits(qty, lot.decimalPlaces()))
    .join('');
  return crc32(text);
}
