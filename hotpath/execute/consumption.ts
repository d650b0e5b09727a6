import type { Decimal } from 'decimal.js';
import type { InstrumentId } from '#shared/domain/ids.ts';
import { ZERO } from '#shared/money/grid.ts';

export type BookSide = 'bid' | 'ask';
type Taken = { readonly displayed: number; readonly qty: Decimal };

/** Levels remembered on one side of a book; the one taken from longest ago is forgotten first. */
const LEVELS_MAX = 256;

/** What our paper orders have taken of displayed levels. A level whose displayed size has changed since is a new one. */
export class Consumption {
  readonly #sides = new Map<string, Map<number, Taken>>();

  takenOf(
    instrument: InstrumentId,
    side: BookSide,
    level: { readonly price: number; readonly displayed: number },
  ): Decimal {
    const taken = this.#sides.get(keyOf(instrument, side))?.get(level.price);
    return taken?.displayed === level.displayed ? taken.qty : ZERO;
  }

  /** Whether anything was ever taken there: mostly not, and then there is nothing to subtract. */
  isTouched(instrument: InstrumentId, side: BookSide): boolean {
    return this.#sides.has(keyOf(instrument, side));
  }

  take(
    instrument: InstrumentId,
    side: BookSide,
    level: { readonly price: number; readonly displayed: number; readonly qty: Decimal },
  ): void {
    const key = keyOf(instrument, side);
    let levels = this.#sides.get(key);
    if (levels === undefined) {
      levels = new Map();
      this.#sides.set(key, levels);
    }
    const qty = this.takenOf(instrument, side, level).plus(level.qty);
    levels.delete(level.price);
    levels.set(level.price, { displayed: level.displayed, qty });
    if (levels.size <= LEVELS_MAX) return;
    for (const oldest of levels.keys()) {
      levels.delete(oldest);
      break;
    }
  }
}

const keyOf = (instrument: InstrumentId, side: BookSide): string => `${side} ${instrument}`;
