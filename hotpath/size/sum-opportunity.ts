import type { OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { SumRoute } from '#shared/domain/route.ts';
import { opposite } from '#shared/domain/route.ts';
import type { Holding, Opportunity } from '#shared/domain/trade.ts';
import type { Carry, CarryMarket, CarrySettings } from '#shared/quant/carry.ts';
import { breakEvenMsOf } from './break-even.ts';
import type { WalkedLeg } from './fill-model.ts';
import { impactShareOf, improvementShareOf } from './fill-model.ts';
import { fillOutlook, valueOf } from './opportunity.ts';
import type { SizeSources } from './sizing.ts';
import type { UnitLeg } from './unit-leg.ts';
import { cashAt, grossCashAt, wayBackPrice, wayInPrice } from './unit-leg.ts';

/** A sum route as it stands now: its legs, what the time until its end brings, and what one unit is a fraction of. */
export type SumSight = {
  readonly route: SumRoute;
  readonly legs: readonly UnitLeg[];
  readonly carry: Carry;
  /** Of one unit, in the start asset. */
  readonly notional: number;
  readonly market: CarryMarket;
  readonly settings: CarrySettings;
};

/** At best prices, of one unit of the route in the start asset. */
export type UnitCash = { readonly gross: number; readonly net: number };

export function unitCashAtBest({ legs }: Pick<SumSight, 'legs'>, { tops }: Pick<SizeSources, 'tops'>): UnitCash {
  let gross = 0;
  let net = 0;
  for (const leg of legs) {
    const price = wayInPrice(leg, tops);
    gross += leg.ratio * grossCashAt(leg, price);
    net += leg.ratio * cashAt(leg, price);
  }
  return { gross, net };
}

export type SumSighting = {
  readonly id: OpportunityId;
  readonly sight: SumSight;
  readonly walked: readonly WalkedLeg[];
  readonly units: number;
  /** What the legs bring for all units, after fees, in the start asset. */
  readonly cash: number;
  readonly nowNs: TimeNs;
};

/**
 * Describes so many units of a route. Gross is what the legs bring at best prices before fees, and the payoff; what adds up is gross edge × notional − fees −
 * slippage + funding − closing − delivery − borrow − capital cost = net profit.
 */
export function sumOpportunity(
  { id, sight, walked, units, cash, nowNs }: SumSighting,
  sources: Pick<SizeSources, 'tops' | 'engine' | 'pace' | 'capital'>,
): { readonly opportunity: Opportunity; readonly unwindable: boolean } {
  const { route, legs, carry } = sight;
  const atBest = unitCashAtBest(sight, sources);
  const profit = cash + units * carry.net;
  const notional = units * sight.notional;
  const netEdge = units > 0 ? profit / notional : (atBest.net + carry.net) / sight.notional;
  const unwindCost = Math.max(...legs.map((leg, at) => units * unwindOf(leg, walked[at]!, sources)));
  const unwindable = Number.isFinite(unwindCost);
  const figures = {
    profit,
    unwindCost: unwindable ? unwindCost : 0,
    impact: legs.reduce((sum, leg, at) => sum + units * impactOf(leg, walked[at]!, sources), 0),
    improvement: legs.reduce((sum, leg, at) => sum + units * improvementOf(leg, walked[at]!), 0),
  };
  const opportunity: Opportunity = {
    id,
    route: route.id,
    family: route.family,
    asset: route.start,
    ...fillOutlook(walked, sources, { ...figures, value: valueOf(notional, route, sources.capital) }),
    notional,
    grossEdge: (atBest.gross + carry.payoff) / sight.notional,
    netEdge,
    fees: units * (atBest.gross - atBest.net),
    slippage: units * atBest.net - cash,
    detectedTimeNs: nowNs,
    capital: units * carry.capital,
    holding: holdingOf(sight, units, profit, netEdge),
  };
  return { opportunity, unwindable };
}

/** What is said of a route whose reckoning lacks a venue's word: only what its legs bring before fees. */
export function unknownOpportunity(
  { id, sight, walked, nowNs }: Pick<SumSighting, 'id' | 'sight' | 'walked' | 'nowNs'>,
  sources: Pick<SizeSources, 'tops' | 'engine' | 'pace' | 'capital'>,
): Opportunity {
  const { route } = sight;
  const grossEdge = grossEdgeOf(sight, sources);
  return {
    id,
    route: route.id,
    family: route.family,
    asset: route.start,
    ...fillOutlook(walked, sources, { value: 0, profit: 0, unwindCost: 0, impact: 0, improvement: 0 }),
    notional: 0,
    grossEdge,
    netEdge: grossEdge,
    fees: 0,
    slippage: 0,
    detectedTimeNs: nowNs,
    capital: 0,
  };
}

/** What the legs bring at best prices before fees, and the payoff, as a fraction of the notional. */
export const grossEdgeOf = (sight: SumSight, sources: Pick<SizeSources, 'tops'>): number =>
  (unitCashAtBest(sight, sources).gross + sight.carry.payoff) / sight.notional;

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

function holdingOf(sight: SumSight, units: number, profit: number, netEdge: number): Holding {
  const { carry, route } = sight;
  return {
    certainty: route.terms.certainty,
    hours: carry.holdMs / HOUR_MS,
    payoff: units * carry.payoff,
    closing: units * carry.closing,
    delivery: units * carry.delivery,
    funding: units * carry.funding,
    borrow: units * carry.borrow,
    capitalCost: units * carry.capitalCost,
    annualised: carry.holdMs > 0 ? (netEdge * YEAR_MS) / carry.holdMs : netEdge,
    breakEvenHours: breakEvenMsOf(sight, units > 0 ? profit / units : netEdge * sight.notional) / HOUR_MS,
  };
}

/** What undoing the leg at once would cost, per unit of the route: back over the spread with fees both ways. */
function unwindOf(leg: UnitLeg, { averagePrice }: WalkedLeg, { tops }: Pick<SizeSources, 'tops'>): number {
  const back = cashAt({ ...leg, side: opposite(leg.side) }, wayBackPrice(leg, tops));
  return -leg.ratio * (cashAt(leg, averagePrice) + back);
}

/** What our own footprint costs on the leg, per unit of the route. */
function impactOf(leg: UnitLeg, walked: WalkedLeg, { engine, pace }: Pick<SizeSources, 'engine' | 'pace'>): number {
  return legValueOf(leg, walked) * impactShareOf(walked, pace, engine.fill);
}

/** What the leg's order gets better than reckoned, per unit of the route. */
const improvementOf = (leg: UnitLeg, walked: WalkedLeg): number => legValueOf(leg, walked) * improvementShareOf(walked);

const legValueOf = (leg: UnitLeg, { averagePrice }: WalkedLeg): number =>
  leg.ratio * Math.abs(grossCashAt(leg, averagePrice));
