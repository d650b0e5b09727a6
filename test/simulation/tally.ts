import { Decimal } from 'decimal.js';
import type { InstrumentId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill } from '#shared/domain/order.ts';

export type Traded = Pick<Fill, 'side' | 'price' | 'qty' | 'fee' | 'feeAsset'>;
type Position = { instrument: Instrument; size: Decimal; value: Decimal };

const ZERO = new Decimal(0);
/** Coins for an inverse contract are counted to so many decimals, as the engine does. */
const COIN_DECIMALS = 18;
/** Parts of one trade are rounded to them one by one. */
const ROUNDED = new Decimal('1e-16');

/**
 * Money added up on its own: what trades moved, by account and by contract. Profit of contracts is left as what was paid and received for them, so that it
 * does not depend on how somebody averages: balance = cash here ± what the open size cost.
 */
export class Tally {
  readonly cash = new Map<string, Decimal>();
  readonly positions = new Map<InstrumentId, Position>();

  static of(other: Tally): Tally {
    const copy = new Tally();
    for (const [account, amount] of other.cash) copy.cash.set(account, amount);
    for (const [id, position] of other.positions) copy.positions.set(id, { ...position });
    return copy;
  }

  add(venue: string, asset: string, amount: Decimal): void {
    const account = `${venue} ${asset}`;
    this.cash.set(account, (this.cash.get(account) ?? ZERO).plus(amount));
  }

  of(venue: string, asset: string): Decimal {
    return this.cash.get(`${venue} ${asset}`) ?? ZERO;
  }

  apply(fill: Traded, instrument: Instrument): void {
    const { venue, id, kind, base, quote, settle, contractSize, inverse } = instrument;
    const sign = fill.side === 'buy' ? 1 : -1;
    this.add(venue, fill.feeAsset, fill.fee.neg());
    if (kind === 'spot') {
      this.add(venue, base, fill.qty.times(sign));
      this.add(venue, quote, fill.qty.times(fill.price).times(-sign));
      return;
    }
    const size = fill.qty.times(contractSize);
    const value = (inverse ? size.div(fill.price).toDecimalPlaces(COIN_DECIMALS) : size.times(fill.price)).times(sign);
    const position = this.positions.get(id) ?? { instrument, size: ZERO, value: ZERO };
    this.positions.set(id, {
      instrument,
      size: position.size.plus(fill.qty.times(sign)),
      value: position.value.plus(value),
    });
    this.add(venue, settle, inverse ? value : value.neg());
  }

  /** Where two differ, in words; undefined when they agree. */
  differs(other: Tally): string | undefined {
    for (const account of new Set([...this.cash.keys(), ...other.cash.keys()])) {
      const [one, two] = [this.cash.get(account) ?? ZERO, other.cash.get(account) ?? ZERO];
      if (one.minus(two).abs().gt(ROUNDED)) return `${account}: ${one.toFixed()} against ${two.toFixed()}`;
    }
    for (const id of new Set([...this.positions.keys(), ...other.positions.keys()])) {
      const [one, two] = [this.positions.get(id)?.size ?? ZERO, other.positions.get(id)?.size ?? ZERO];
      if (!one.eq(two)) return `${id}: ${one.toFixed()} against ${two.toFixed()}`;
    }
    return undefined;
  }
}
