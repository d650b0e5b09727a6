import type { PlainLevel, PlainUpdate } from './plain-parse.ts';

/** One side: quantities by price in a Map, prices in an array with the best at the end, found by binary search. */
class PlainSide {
  readonly #qtys = new Map<number, number>();
  #prices: number[] = [];
  /** +1 where the highest price is best. */
  readonly #direction: 1 | -1;

  constructor(direction: 1 | -1) {
    this.#direction = direction;
  }

  get bestPrice(): number {
    return this.#prices.at(-1) ?? NaN;
  }

  clear(): void {
    this.#qtys.clear();
    this.#prices = [];
  }

  set(price: number, qty: number): void {
    if (qty === 0) {
      if (this.#qtys.delete(price)) this.#prices.splice(this.#placeOf(price), 1);
      return;
    }
    if (!this.#qtys.has(price)) this.#prices.splice(this.#placeOf(price), 0, price);
    this.#qtys.set(price, qty);
  }

  best(count: number): PlainLevel[] {
    const levels: PlainLevel[] = [];
    for (let at = this.#prices.length - 1; at >= 0 && levels.length < count; at -= 1) {
      const price = this.#prices[at]!;
      levels.push([price, this.#qtys.get(price)!]);
    }
    return levels;
  }

  #placeOf(price: number): number {
    let low = 0;
    let high = this.#prices.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#prices[middle]! - price) * this.#direction < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A book in objects, with the same rules: continuity, and a newer quote over the depth. */
export class PlainBook {
  readonly #sides = { bids: new PlainSide(1), asks: new PlainSide(-1) };
  #sequence = NaN;
  #quote: { readonly bids: PlainLevel; readonly asks: PlainLevel; readonly sequence: number } | undefined;

  /** False when the update does not follow. */
  apply(update: PlainUpdate): boolean {
    if (update.kind === 'quote') {
      this.#quote = { bids: update.bids[0]!, asks: update.asks[0]!, sequence: update.last };
      return true;
    }
    if (update.kind === 'snapshot') {
      this.#sides.bids.clear();
      this.#sides.asks.clear();
    } else if (!Number.isNaN(update.last) && update.previous !== this.#sequence) return false;
    for (const [price, qty] of update.bids) this.#sides.bids.set(price, qty);
    for (const [price, qty] of update.asks) this.#sides.asks.set(price, qty);
    this.#sequence = update.last;
    if (this.#quote !== undefined && this.#quote.sequence <= update.last) this.#quote = undefined;
    return true;
  }

  top(): { readonly bid: number; readonly ask: number } {
    if (this.#quote !== undefined) return { bid: this.#quote.bids[0], ask: this.#quote.asks[0] };
    return { bid: this.#sides.bids.bestPrice, ask: this.#sides.asks.bestPrice };
  }

  best(side: 'bids' | 'asks', count: number): PlainLevel[] {
    return this.#sides[side].best(count);
  }

  read(side: 'bids' | 'asks', prices: Float64Array, qtys: Float64Array): number {
    const direction = side === 'bids' ? 1 : -1;
    const quoted = this.#quote?.[side];
    const shown = this.#sides[side].best(Infinity);
    const levels =
      quoted === undefined ? shown : [quoted, ...shown.filter(([price]) => (quoted[0] - price) * direction > 0)];
    const count = Math.min(levels.length, prices.length);
    for (let at = 0; at < count; at += 1) [prices[at], qtys[at]] = levels[at]!;
    return count;
  }
}
