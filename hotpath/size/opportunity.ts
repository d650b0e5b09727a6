import type { Decimal } from 'decimal.js';
import type { Depths, Tops } from '#shared/domain/capital.ts';
import type { OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { Opportunity } from '#shared/domain/trade.ts';
import type { Config } from '#shared/schema/config.ts';
import type { DepthWalk } from './depth-walk.ts';
import type { ExactLeg } from './exact-legs.ts';
import type { SizedLeg, SizedRoute } from './sized-route.ts';
import { bestPrice, grossEdgeAtBest, netEdgeAtBest, wayBackPrice } from './sized-route.ts';

/** Stands for an age that nobody knows: a day, far beyond every limit. */
const AGE_UNKNOWN_MS = 86_400_000;

type Sighting = {
  readonly id: OpportunityId;
  readonly sized: SizedRoute;
  readonly walk: DepthWalk;
  readonly tops: Tops;
  readonly depths: Depths;
  readonly engine: Config['engine'];
  readonly nowNs: TimeNs;
};

/**
 * Describes what a walk found. Costs add up: gross edge × notional − fees − slippage is the net profit. The unwind cost is that of crossing the
 * spread back, fees both ways, on the leg where it is dearest; `unwindable` is false when a leg has no price to go back at.
 */
export function opportunityFrom({ id, sized, walk, tops, depths, engine, nowNs }: Sighting): {
  readonly opportunity: Opportunity;
  readonly unwindable: boolean;
} {
  const { route, legs } = sized;
  const atBest = { gross: grossEdgeAtBest(legs, tops), net: netEdgeAtBest(legs, tops) };
  const profit = walk.output - walk.input;
  const ages = legs.map(({ instrument }) => ageOf(depths.ageMs(instrument, nowNs)));
  const fillProbability = fillProbabilityOf(ages, engine);
  const unwindShare = Math.max(...legs.map((leg, at) => unwindShareOf(leg, at, walk, tops)));
  const unwindable = Number.isFinite(unwindShare);
  const unwindCost = unwindable ? walk.input * unwindShare : 0;
  const opportunity: Opportunity = {
    id,
    route: route.id,
    family: route.family,
    asset: route.start,
    legs: legs.map((leg, at) => ({
      instrument: leg.listing.id,
      side: leg.side,
      price: averagePrice(leg, at, walk, tops),
      qty: walk.baseQty[at]!,
    })),
    notional: walk.input,
    grossEdge: atBest.gross,
    netEdge: walk.input > 0 ? profit / walk.input : atBest.net,
    fees: walk.input * (atBest.gross - atBest.net),
    slippage: walk.input * atBest.net - profit,
    unwindCost,
    fillProbability,
    expectedValue: fillProbability * profit - (1 - fillProbability) * unwindCost,
    oldestBookAgeMs: Math.max(...ages),
    detectedTimeNs: nowNs,
    capital: walk.input,
    impact: 0,
  };
  return { opportunity, unwindable };
}

/** The same opportunity at the size that the grids allow: figures of the exact legs, costs in proportion. */
export function atExactSize(
  found: Opportunity,
  legs: readonly ExactLeg[],
  notional: Decimal,
  netEdge: Decimal,
): Opportunity {
  const size = notional.toNumber();
  const net = netEdge.toNumber();
  const share = size / found.notional;
  const profit = size * net;
  const unwindCost = found.unwindCost * share;
  return {
    ...found,
    legs: legs.map(({ instrument, side, qty, quote }) => ({
      instrument: instrument.id,
      side,
      price: quote.div(qty).toNumber(),
      qty: qty.toNumber(),
    })),
    notional: size,
    capital: size,
    netEdge: net,
    fees: found.fees * share,
    slippage: size * found.grossEdge - found.fees * share - profit,
    unwindCost,
    expectedValue: found.fillProbability * profit - (1 - found.fillProbability) * unwindCost,
  };
}

const ageOf = (ageMs: number): number => (Number.isFinite(ageMs) ? Math.max(0, ageMs) : AGE_UNKNOWN_MS);

/** Displayed liquidity is still there with the configured probability a leg, less the longer ago a book was heard of. */
function fillProbabilityOf(agesMs: readonly number[], engine: Config['engine']): number {
  let probability = 1;
  for (const ageMs of agesMs) {
    probability *= engine.fill_probability * Math.exp((-engine.fill_decay_per_second * ageMs) / 1e3);
  }
  return probability;
}

/** Share of its notional that undoing the leg at once would cost. */
function unwindShareOf(leg: SizedLeg, at: number, walk: DepthWalk, tops: Tops): number {
  const lost = 1 - wayBackPrice(leg, tops) / averagePrice(leg, at, walk, tops);
  return (leg.side === 'buy' ? lost : -lost) + 2 * (leg.paid - leg.kept);
}

function averagePrice(leg: SizedLeg, at: number, walk: DepthWalk, tops: Tops): number {
  return walk.baseQty[at]! > 0 ? walk.quoteQty[at]! / walk.baseQty[at]! : bestPrice(leg, tops);
}
