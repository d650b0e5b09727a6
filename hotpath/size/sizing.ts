import type { Decimal } from 'decimal.js';
import type { CapitalView, Depths, Pace, References, Tops } from '#shared/domain/capital.ts';
import type { OperationId, OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { Bond, Opportunity, PlanLeg, SizeRefusal } from '#shared/domain/trade.ts';
import type { Amount } from '#shared/money/grid.ts';
import type { Config } from '#shared/schema/config.ts';
import type { WalkBound } from './depth-walk.ts';
import type { WalkedLeg } from './fill-model.ts';
import type { Rates } from './plan.ts';

/** What sizing may ask of the rest of the engine. */
export type SizeSources = {
  readonly instruments: readonly Instrument[];
  readonly tops: Tops;
  readonly depths: Depths;
  readonly references: References;
  readonly pace: Pace;
  readonly capital: CapitalView;
  readonly engine: Config['engine'];
  readonly unixMs: (nowNs: TimeNs) => number;
  readonly ids: {
    /** Begins every opportunity id, so that ids of different runs of an engine differ. */
    readonly prefix: string;
    readonly nextOperation: () => OperationId;
  };
};

/** How routes of one kind are sized: one implementation for products, one for sums. */
export type Sizing<SizedRoute> = {
  /** Net edge at best prices as a fraction; NaN while a leg has no price. */
  readonly edgeAtBest: (sized: SizedRoute, nowNs: TimeNs) => number;
  /** Walks the books up to `notionalMax`; undefined when not even the first unit pays there. What it returns is good until the next call. */
  readonly find: (sized: SizedRoute, sight: Sight) => Found | undefined;
};

/** `notionalMax` is in the numeraire. */
export type Sight = { readonly id: OpportunityId; readonly nowNs: TimeNs; readonly notionalMax: number };

/** A route that has been walked. */
export type Found = {
  readonly opportunity: Opportunity;
  /** Why it may not be traded, whatever it earns. */
  readonly obstacle: Refusal | undefined;
  readonly bound: WalkBound;
  readonly walked: readonly WalkedLeg[];
  /** Puts the walk on the grids; `startRate` is the value of one unit of the start asset in the numeraire. */
  readonly settle: (startRate: number) => Settled | Refusal;
};

/** Exact legs and what they are worth, in the numeraire. */
export type Settled = {
  readonly kind: 'settled';
  /** The opportunity at the size that the grids allow. */
  readonly opportunity: Opportunity;
  readonly legs: readonly PlanLeg[];
  readonly notional: Amount;
  /** By the definition, `carry` included. */
  readonly profit: Amount;
  readonly carry: Amount;
  readonly netEdge: Decimal;
  readonly rates: Rates;
  readonly bond?: Bond;
};

export type Refusal = { readonly kind: 'refused'; readonly reason: SizeRefusal; readonly detail: string };

export const refusal = (reason: SizeRefusal, detail: string): Refusal => ({ kind: 'refused', reason, detail });

/** What is too small is so for want of money, or of books, where one of those ended the walk. */
export function causeOf({ reason, detail }: Refusal, bound: WalkBound): Refusal {
  if (bound === 'balance') return refusal('BALANCE_INSUFFICIENT', detail);
  return refusal(bound === 'depth' ? 'DEPTH_INSUFFICIENT' : reason, detail);
}

/** Whether a leg's fee is taken in the venue's token: there is enough of it for the dearest case, the size limit on every leg of a route. */
export function paysInToken(
  { venue, fees }: Pick<Instrument, 'venue' | 'fees'>,
  { capital, engine }: Pick<SizeSources, 'capital' | 'engine'>,
): boolean {
  if (fees.token === undefined) return false;
  const rate = capital.rateOf(fees.token.asset);
  const most = engine.max_legs * engine.max_notional * fees.taker.toNumber();
  return rate !== undefined && capital.availableOf(venue, fees.token.asset) * rate >= most;
}

/** The fees of an instrument as they hold now: without the token while that is short. */
export function feesNow(
  listing: Pick<Instrument, 'venue' | 'fees'>,
  sources: Pick<SizeSources, 'capital' | 'engine'>,
): Fees {
  const { token, ...others } = listing.fees;
  return token === undefined || paysInToken(listing, sources) ? listing.fees : others;
}

/** Doubles cannot tell edges closer than this; decimals do, on the exact legs. */
export const THRESHOLD_SLACK = 1e-9;

/** Every unit of size must bear the least edge: what earns less only adds to what may go wrong. */
export const edgeMinOf = ({ min_edge_bps }: Pick<Config['engine'], 'min_edge_bps'>): number => min_edge_bps / 1e4;
export const hurdleOf = (engine: Pick<Config['engine'], 'min_edge_bps'>): number =>
  Math.max(0, edgeMinOf(engine) - THRESHOLD_SLACK);
