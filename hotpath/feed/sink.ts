import { assert } from '#shared/assert.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate, ReferenceUpdate, TradePrint } from '#shared/domain/market-event.ts';
import { SNAPSHOT } from '#shared/domain/market-event.ts';
import type { Frame } from '../runtime/frame.ts';
import { newLevelBuffer } from '../runtime/frame.ts';
import type { MarketSink } from '../venues/venue.ts';
import { ConnectionState } from './connection-state.ts';

type SinkOptions = {
  /** The run's registry: an instrument's position in it is its index. */
  readonly instruments: readonly Instrument[];
  /** Which venue market this sink decodes for: the same spelling means other things elsewhere. */
  readonly venue: string;
  readonly market: string;
  /** Called for each decoded update, before `decode` returns; the update is overwritten by the next frame. */
  readonly onUpdate: (update: MarketUpdate) => void;
  readonly onControl: MarketSink['control'];
  /** Called for each decoded trade and reference update; overwritten by the next frame. */
  readonly onPrint?: (print: TradePrint) => void;
  readonly onReference?: (reference: ReferenceUpdate) => void;
};

/**
 * Where a market's decoder puts what it read. Whoever feeds frames sets `update.receivedTimeNs` before `decode`; the decoder sets the rest.
 */
export class FeedSink implements MarketSink {
  readonly update: MarketUpdate = newMarketUpdate();
  readonly print: TradePrint = newTradePrint();
  readonly reference: ReferenceUpdate = newReferenceUpdate();
  readonly control: MarketSink['control'];
  /** To be reset when the sink goes on with another socket. */
  readonly connection = new ConnectionState();
  readonly #symbols: SymbolTable;
  readonly #onUpdate: (update: MarketUpdate) => void;
  readonly #onPrint: SinkOptions['onPrint'];
  readonly #onReference: SinkOptions['onReference'];

  constructor({ instruments, venue, market, onUpdate, onControl, onPrint, onReference }: SinkOptions) {
    this.control = onControl;
    this.#onUpdate = onUpdate;
    this.#onPrint = onPrint;
    this.#onReference = onReference;
    this.#symbols = new SymbolTable(
      instruments.flatMap((instrument, index) =>
        instrument.venue === venue && instrument.market === market ? [[instrument.venueSymbol, index] as const] : [],
      ),
    );
  }

  find(frame: Frame, start: number, end: number): InstrumentIndex | -1 {
    return this.#symbols.find(frame.view, start, end) as InstrumentIndex | -1;
  }

  publish(): void {
    this.#onUpdate(this.update);
  }

  publishPrint(): void {
    this.print.receivedTimeNs = this.update.receivedTimeNs;
    this.#onPrint?.(this.print);
  }

  clearReference(): void {
    Object.assign(this.reference, NOTHING_SAID);
  }

  publishReference(): void {
    this.reference.receivedTimeNs = this.update.receivedTimeNs;
    this.#onReference?.(this.reference);
  }
}

/** An update with nothing in it. Times and sequences start as doubles, so that the object's shape never changes. */
export function newMarketUpdate(): MarketUpdate {
  return {
    kind: SNAPSHOT,
    instrument: 0 as InstrumentIndex,
    firstSequence: NaN,
    lastSequence: NaN,
    previousSequence: NaN,
    checksum: NaN,
    venueTimeMs: NaN,
    receivedTimeNs: NaN as TimeNs,
    bids: newLevelBuffer(),
    asks: newLevelBuffer(),
  };
}

export const newTradePrint = (): TradePrint => ({
  instrument: 0 as InstrumentIndex,
  price: NaN,
  qty: NaN,
  taker: 1,
  venueTimeMs: NaN,
  receivedTimeNs: NaN as TimeNs,
});

const NOTHING_SAID: Omit<ReferenceUpdate, 'instrument' | 'receivedTimeNs'> = {
  venueTimeMs: NaN,
  markPrice: NaN,
  indexPrice: NaN,
  fundingRate: NaN,
  nextFundingTimeMs: NaN,
  fundingIntervalMs: NaN,
  bidVolatility: NaN,
  askVolatility: NaN,
  markVolatility: NaN,
  delta: NaN,
  gamma: NaN,
  vega: NaN,
  theta: NaN,
  rho: NaN,
  underlyingPrice: NaN,
  interestRate: NaN,
};

export const newReferenceUpdate = (): ReferenceUpdate => ({
  instrument: 0 as InstrumentIndex,
  receivedTimeNs: NaN as TimeNs,
  ...NOTHING_SAID,
});

/** Symbol bytes → index, without making a string: open addressing, bytes compared on a hit, four at a time. */
class SymbolTable {
  readonly #mask: number;
  /** Entry number + 1 by slot; 0 is free. */
  readonly #slots: Int32Array;
  readonly #indexes: Int32Array;
  /** Entry e's spelling is `#bytes[#starts[e]..#starts[e + 1]]`. */
  readonly #starts: Int32Array;
  readonly #bytes: DataView;

  constructor(symbols: readonly (readonly [symbol: string, index: number])[]) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(8, 4 * symbols.length)));
    this.#mask = size - 1;
    this.#slots = new Int32Array(size);
    this.#indexes = Int32Array.from(symbols, ([, index]) => index);
    this.#starts = new Int32Array(symbols.length + 1);
    this.#bytes = new DataView(new TextEncoder().encode(symbols.map(([symbol]) => symbol).join('')).buffer);
    let end = 0;
    for (const [entry, [symbol]] of symbols.entries()) {
      const start = end;
      end += Buffer.byteLength(symbol);
      this.#starts[entry + 1] = end;
      assert(this.find(this.#bytes, start, end) === -1, `two instruments are spelled ${symbol}`);
      let slot = hashOf(this.#bytes, start, end) & this.#mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = entry + 1;
    }
  }

  find(bytes: DataView, start: number, end: number): number {
    let slot = hashOf(bytes, start, end) & this.#mask;
    for (let entry = this.#slots[slot]! - 1; entry >= 0; entry = this.#slots[slot]! - 1) {
      if (this.#spells(entry, bytes, start, end)) return this.#indexes[entry]!;
      slot = (slot + 1) & this.#mask;
    }
    return -1;
  }

  #spells(entry: number, bytes: DataView, start: number, end: number): boolean {
    const spelling = this.#bytes;
    let from = this.#starts[entry]!;
    if (this.#starts[entry + 1]! - from !== end - start) return false;
    let at = start;
    for (; at + 4 <= end; at += 4, from += 4)
      if (bytes.getInt32(at, true) !== spelling.getInt32(from, true)) return false;
    for (; at < end; at += 1, from += 1) if (bytes.getUint8(at) !== spelling.getUint8(from)) return false;
    return true;
  }
}

/** As FNV-1a, four bytes at a time, so that the high bits of each product have to come down. */
function hashOf(bytes: DataView, start: number, end: number): number {
  let hash = 0x811c9dc5;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ bytes.getInt32(at, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at += 1) hash = Math.imul(hash ^ bytes.getUint8(at), 0x9e3779b1);
  return hash ^ (hash >>> 15);
}
