import type { Decimal } from 'decimal.js';
import { ZERO } from '../money/grid.ts';
import type { Asset, InstrumentId, OperationId, OpportunityId, RouteId } from './ids.ts';
import type { Instrument } from './instrument.ts';
import type { Fill } from './order.ts';
import type { FamilyId } from './route.ts';

/** What a settlement must know of a contract. An instrument has it, and the journal keeps it: what has expired is listed no more. */
export type SettledTerms = Pick<
  Instrument,
  'id' | 'venue' | 'kind' | 'base' | 'quote' | 'settle' | 'contractSize' | 'inverse' | 'expiryMs' | 'strike' | 'right'
> & { readonly fees: Pick<Instrument['fees'], 'delivery' | 'premiumShareMax'> };

export type HeldLeg = {
  readonly instrument: InstrumentId;
  readonly terms: SettledTerms;
  /** Signed, in the venue's unit: what is short is negative. */
  readonly entered: Decimal;
  /** What of it is left. */
  readonly size: Decimal;
  readonly entryPrice: Decimal;
};

/** In the numeraire. `entry` and `exit` are before fees. */
export type HeldPnl = {
  readonly entry: Decimal;
  readonly entryFees: Decimal;
  readonly funding: Decimal;
  readonly exit: Decimal;
  readonly exitFees: Decimal;
};

/** A route that was entered and has not ended. */
export type Held = {
  /** The operation that entered. */
  readonly id: OperationId;
  readonly opportunity: OpportunityId;
  readonly route: RouteId;
  readonly family: FamilyId;
  readonly asset: Asset;
  readonly units: Decimal;
  readonly legs: readonly HeldLeg[];
  /** Of the entry: all that comes later is valued at them too, so that what cancels cancels. */
  readonly rates: Readonly<Record<string, Decimal>>;
  readonly notional: Decimal;
  /** What the entry promised for `units`. */
  readonly expectedProfit: Decimal;
  /** How much of that was to come from funding: received when positive. */
  readonly expectedFunding: Decimal;
  readonly openedMs: number;
  /** Undefined where it ends by trading. */
  readonly endsMs?: number;
  readonly pnl: HeldPnl;
};

/** A trade that a venue has made of a position of ours by itself: to cover another trader's losses, or for want of margin. Nobody's order. */
export type ForcedFill = Omit<Fill, 'clientOrderId' | 'liquidity'> & {
  readonly forced: 'adl' | 'liquidation';
  /** By its venue's clock, Unix ms; NaN where it does not say. */
  readonly timeMs: number;
};

/** What a start must know of what is held, and lately was. */
export type HeldState = {
  readonly open: readonly Held[];
  /** Over and flat, the oldest first: a late fill of an exit wakes one. */
  readonly ended: readonly Held[];
  /** When each perpetual was last paid for, Unix ms. */
  readonly fundedMs: ReadonlyMap<string, number>;
  /** By trade that a venue has made by itself, as `tradeKey` names it: what of it is not booked, because the process died between the parts of two holdings. */
  readonly forcedRests: ReadonlyMap<string, Decimal>;
};

/** What is closed is nothing any more: what of it was too small to be traded is dust. */
export const endedOf = (held: Held): Held => ({ ...held, legs: held.legs.map((leg) => ({ ...leg, size: ZERO })) });

/** What a trade or a settlement takes away: signed change of what is held, and what it brings in quote before its fee. */
export type Closing = { readonly change: Decimal; readonly quote: Decimal };

/**
 * Coins of a route that is reckoned in the coin are counted in what they were bought or sold for: those dollars must come back, however many coins
 * that is by then. Their `size` is in coins of the entry.
 */
export const isCountedInQuote = ({ asset }: Pick<Held, 'asset'>, { terms }: Pick<HeldLeg, 'terms'>): boolean =>
  terms.kind === 'spot' && terms.base === asset;

/** After a trade or a settlement of one leg. */
export function afterClosing(
  held: Held,
  instrument: string,
  { change, quote }: Closing,
  pnl: { readonly realised: Decimal; readonly fees: Decimal },
): Held {
  const legs = held.legs.map((leg) => {
    if (leg.instrument !== instrument) return leg;
    const closed = isCountedInQuote(held, leg) ? quote.neg().div(leg.entryPrice).toDecimalPlaces(18) : change;
    return { ...leg, size: leg.size.plus(closed) };
  });
  const exit = held.pnl.exit.plus(pnl.realised).plus(pnl.fees);
  return { ...held, legs, pnl: { ...held.pnl, exit, exitFees: held.pnl.exitFees.plus(pnl.fees) } };
}

export const afterFunding = (held: Held, value: Decimal): Held => ({
  ...held,
  pnl: { ...held.pnl, funding: held.pnl.funding.plus(value) },
});

export const realisedOf = ({ entry, entryFees, funding, exit, exitFees }: HeldPnl): Decimal =>
  entry.plus(funding).plus(exit).minus(entryFees).minus(exitFees);

export const isFlat = ({ legs }: Held): boolean => legs.every(({ size }) => size.isZero());
