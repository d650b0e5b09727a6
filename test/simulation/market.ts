import type { Decimal } from 'decimal.js';
import type { InstrumentId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Random } from '#shared/random.ts';
import { PRICES, unitWorth } from './listings.ts';

export type Level = { readonly price: Decimal; readonly qty: Decimal };

/** Standard deviation of a second's return: one percent in an hour or so. */
const VOLATILITY = 0.0002;
const LEVEL_USD = [4_000, 12_000, 40_000] as const;
const LEVEL_STEP = 0.0002;
const HALF_SPREAD = 0.0001;
const SECONDS_MAX = 100_000;
const DOLLARS = new Set(['USDT', 'USDC', 'USD']);

/** The books of all venues: every asset walks at random, a step a second; every instrument stands a little beside its asset. */
export class Market {
  readonly #random: Random;
  readonly #nowMs: () => number;
  readonly #paths = new Map<string, number[]>();
  readonly #biases = new Map<InstrumentId, number>();
  readonly #books = new Map<string, readonly Level[]>();
  #second = -1;

  constructor(random: Random, nowMs: () => number) {
    this.#random = random;
    this.#nowMs = nowMs;
  }

  mid(instrument: Instrument): number {
    let bias = this.#biases.get(instrument.id);
    if (bias === undefined) {
      bias = 1 + (this.#random.next() - 0.5) * 0.001;
      this.#biases.set(instrument.id, bias);
    }
    return (this.#worth(instrument.base) / this.#worth(instrument.quote)) * bias;
  }

  /** What a taker of `side` meets, best first. `thinness` 1 is the whole book. */
  levels(instrument: Instrument, side: Side, thinness = 1): readonly Level[] {
    const second = Math.floor(this.#nowMs() / 1_000);
    if (second !== this.#second) this.#books.clear();
    this.#second = second;
    const key = `${instrument.id} ${side} ${thinness}`;
    let levels = this.#books.get(key);
    if (levels === undefined) {
      levels = this.#levels(instrument, side, thinness);
      this.#books.set(key, levels);
    }
    return levels;
  }

  #levels(instrument: Instrument, side: Side, thinness: number): readonly Level[] {
    const mid = this.mid(instrument);
    const { tick, lot } = instrument;
    const [tickSize, lotSize] = [tick.toNumber(), lot.toNumber()];
    const away = side === 'buy' ? 1 : -1;
    const round = side === 'buy' ? Math.ceil : Math.floor;
    const levels: Level[] = [];
    for (const [at, usd] of LEVEL_USD.entries()) {
      const ticks = round((mid * (1 + away * (HALF_SPREAD + at * LEVEL_STEP))) / tickSize) + away * at;
      const lots = Math.floor((usd * thinness) / unitWorth(instrument) / lotSize);
      if (lots > 0) levels.push({ price: tick.times(ticks), qty: lot.times(lots) });
    }
    return levels;
  }

  #worth(asset: string): number {
    const price = PRICES[asset]!;
    if (DOLLARS.has(asset)) return price;
    let path = this.#paths.get(asset);
    if (path === undefined) {
      path = [price];
      this.#paths.set(asset, path);
    }
    const second = Math.min(SECONDS_MAX, Math.floor(this.#nowMs() / 1_000));
    while (path.length <= second) path.push(path.at(-1)! * (1 + VOLATILITY * this.#random.normal()));
    return path[second]!;
  }
}
