import type { Decimal } from 'decimal.js';
import type { Asset, InstrumentId, OperationId, OpportunityId, RouteId } from './ids.ts';
import type { Instrument } from './instrument.ts';
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
  readonly openedMs: number;
  /** Undefined where it ends by trading. */
  readonly endsMs?: number;
  readonly pnl: HeldPnl;
};

/** After a trade or a settlement that changed one leg by a signed quantity. */
export function afterClosing(
  held: Held,
  instrument: string,
  change: Decimal,
  pnl: { readonly realised: Decimal; readonly fees: Decimal },
): Held {
  return {
    ...held,
    legs: held.legs.map((leg) => (leg.instrument === instrument ? { ...leg, size: leg.size.plus(change) } : leg)),
    pnl: {
      ...held.pnl,
      exit: held.pnl.exit.plus(pnl.realised).plus(pnl.fees),
      exitFees: held.pnl.exitFees.plus(pnl.fees),
    },
  };
}

export const afterFunding = (held: Held, value: Decimal): Held => ({
  ...held,
  pnl: { ...held.pnl, funding: held.pnl.funding.plus(value) },
});

export const realisedOf = ({ entry, entryFees, funding, exit, exitFees }: HeldPnl): Decimal =>
  entry.plus(funding).plus(exit).minus(entryFees).minus(exitFees);

export const isFlat = ({ legs }: Held): boolean => legs.every(({ size }) => size.isZero());
