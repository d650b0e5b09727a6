import type { Decimal } from 'decimal.js';
import type { Asset } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LegView, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import { ZERO } from '#shared/money/grid.ts';
import type { Level } from './book-walk.ts';

/** What recovery may ask about the world. */
export type RecoveryMarket = {
  /** What a taker of `side` meets, best first; empty when the book is not live. */
  readonly levels: (instrument: Instrument, side: Side) => readonly Level[];
  /** Free funds, exact. */
  readonly freeOf: (instrument: Instrument, asset: string) => Decimal;
  /** What an order would reserve at its worst. */
  readonly needOf: (
    instrument: Instrument,
    order: Pick<RecoveryOrder, 'side' | 'qty' | 'price'>,
  ) => { readonly asset: Asset; readonly amount: Decimal };
  /** What an option's fee is a fraction of, in the currency of its premium. */
  readonly underlyingOf: (instrument: Instrument) => Decimal;
};

export type RecoveryLimits = {
  /** Rounds of orders after which the market is not to be had at any price we would pay. */
  readonly roundsMax: number;
  /** Waits in a row for a live book or for funds: a venue that is away comes back in minutes, and until then a loose leg is nobody else's. */
  readonly waitsMax: number;
  /** How far beyond the walked price a recovery order may trade, in basis points a round: it must get done. */
  readonly slackBps: number;
};

/** With the executor's patience, 360 waits are half an hour. */
export const RECOVERY_LIMITS: RecoveryLimits = { roundsMax: 8, waitsMax: 360, slackBps: 10 };

/** A way to make the legs agree: every order it needs, and what the operation would be worth at the end, in the numeraire. */
export type Candidate = {
  readonly orders: readonly RecoveryOrder[];
  readonly value: Decimal;
  /** Whether the books bear all of it; otherwise it is a beginning. */
  readonly isWhole: boolean;
};

/** All of it before a part of it; then what leaves more. */
export const isBetter = (a: Candidate, b: Candidate): boolean =>
  a.isWhole === b.isWhole ? a.value.gt(b.value) : a.isWhole;

/** Whether every account bears the worst case of all orders at once. */
export function isAffordable(
  orders: readonly RecoveryOrder[],
  legs: readonly LegView[],
  market: RecoveryMarket,
): boolean {
  const needed = new Map<string, Decimal>();
  for (const order of orders) {
    const { instrument } = legs[order.leg]!;
    const { asset, amount } = market.needOf(instrument, order);
    const account = `${instrument.venue} ${asset}`;
    const total = (needed.get(account) ?? ZERO).plus(amount);
    // What only reduces a position needs nothing, whatever the account has.
    if (amount.gt(0) && total.gt(market.freeOf(instrument, asset))) return false;
    needed.set(account, total);
  }
  return true;
}
