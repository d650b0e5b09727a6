import type { CapitalView } from '#shared/domain/capital.ts';
import type { OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { Route } from '#shared/domain/route.ts';
import type { Opportunity } from '#shared/domain/trade.ts';
import { doubleOf } from '#shared/money/double.ts';
import type { DepthWalk } from './depth-walk.ts';
import type { ExactLeg } from './exact-legs.ts';
import type { WalkedLeg } from './fill-model.ts';
import { fillFactsOf, fillProbabilityOf, goodEndOf, impactShareOf, improvementShareOf } from './fill-model.ts';
import type { SizedProduct } from './sized-route.ts';
import { grossEdgeAtBest, netEdgeAtBest, wayBackPrice } from './sized-route.ts';
import type { SizeSources } from './sizing.ts';

/** Stands for an age that nobody knows: a day, far beyond every limit. */
const AGE_UNKNOWN_MS = 86_400_000;

export const ageOf = (ageMs: number): number => (Number.isFinite(ageMs) ? Math.max(0, ageMs) : AGE_UNKNOWN_MS);

type Sighting = {
  readonly id: OpportunityId;
  readonly sized: SizedProduct;
  readonly walk: DepthWalk;
  readonly walked: readonly WalkedLeg[];
  readonly nowNs: TimeNs;
};

/**
 * Describes what a walk found. Costs add up: gross edge × notional − fees − slippage is the net profit, transfers being among the fees. The unwind cost is that of
 * crossing the spread back, fees both ways, on the leg where it is dearest; `unwindable` is false when a leg has no price to go back at.
 */
export function opportunityFrom(
  { id, sized, walk, walked, nowNs }: Sighting,
  { tops, engine, pace, capital }: Pick<SizeSources, 'tops' | 'engine' | 'pace' | 'capital'>,
): { readonly opportunity: Opportunity; readonly unwindable: boolean } {
  const { route, legs, transfer } = sized;
  const atBest = { gross: grossEdgeAtBest(legs, tops), net: netEdgeAtBest(sized, tops) };
  const profit = walk.output - walk.input * (1 + transfer);
  const unwindShare = Math.max(
    ...legs.map((leg, at) => {
      const lost = 1 - wayBackPrice(leg, tops) / walked[at]!.averagePrice;
      return (leg.side === 'buy' ? lost : -lost) + 2 * (leg.paid - leg.kept);
    }),
  );
  const unwindable = Number.isFinite(unwindShare);
  const figures = {
    profit,
    unwindCost: unwindable ? walk.input * unwindShare : 0,
    impact: walked.reduce((sum, leg) => sum + walk.input * impactShareOf(leg, pace, engine.fill), 0),
    improvement: walked.reduce((sum, leg) => sum + walk.input * improvementShareOf(leg), 0),
  };
  const opportunity: Opportunity = {
    id,
    route: route.id,
    family: route.family,
    asset: route.start,
    ...fillOutlook(walked, { engine, pace }, { ...figures, value: valueOf(walk.input, route, capital) }),
    notional: walk.input,
    grossEdge: atBest.gross,
    netEdge: walk.input > 0 ? profit / walk.input : atBest.net,
    fees: walk.input * (atBest.gross - atBest.net),
    slippage: walk.input * atBest.net - profit,
    detectedTimeNs: nowNs,
    capital: walk.input,
  };
  return { opportunity, unwindable };
}

/** What a walk is worth, in the start asset. */
export type Figures = Pick<Opportunity, 'unwindCost' | 'impact' | 'improvement'> & { readonly profit: number };

type Outlook = Pick<
  Opportunity,
  'legs' | 'fillProbability' | 'goodEnd' | 'unwindCost' | 'impact' | 'improvement' | 'expectedValue' | 'oldestBookAgeMs'
>;

/** A size in the numeraire; 0 while nobody can value it, and then it is not traded. */
export const valueOf = (
  notional: number,
  { start }: Pick<Route, 'start'>,
  { rateOf }: Pick<CapitalView, 'rateOf'>,
): number => notional * (rateOf(start) ?? 0);

/** What is to be expected of the legs as they were walked: whether they fill, and what that makes of the profit. */
export function fillOutlook(
  walked: readonly WalkedLeg[],
  { engine, pace }: Pick<SizeSources, 'engine' | 'pace'>,
  figures: Figures & { readonly value: number },
): Outlook {
  const fills = walked.map((leg) => fillFactsOf(leg, pace, figures.value));
  const fillProbability = fillProbabilityOf(fills, engine.fill);
  const goodEnd = goodEndOf(fillProbability, fills, engine.fill);
  return {
    legs: walked.map(({ id, side, averagePrice, qty }, at) => ({
      instrument: id,
      side,
      price: averagePrice,
      qty,
      fill: fills[at]!,
    })),
    fillProbability,
    goodEnd,
    unwindCost: figures.unwindCost,
    impact: figures.impact,
    improvement: figures.improvement,
    expectedValue: expectedOf(goodEnd, figures),
    oldestBookAgeMs: Math.max(...walked.map(({ ageMs }) => ageMs)),
  };
}

/** P(good end) × (profit + improvement) − (1 − P) × unwind cost − impact. */
const expectedOf = (goodEnd: number, { profit, improvement, unwindCost, impact }: Figures): number =>
  goodEnd * (profit + improvement) - (1 - goodEnd) * unwindCost - impact;

/** The same opportunity at the size that the grids allow: figures of the exact legs, costs in proportion. */
export function atExactSize(found: Opportunity, legs: readonly ExactLeg[], size: number, netEdge: number): Opportunity {
  const share = size / found.notional;
  const figures = {
    profit: size * netEdge,
    unwindCost: found.unwindCost * share,
    impact: found.impact * share,
    improvement: found.improvement * share,
  };
  return {
    ...found,
    legs: legs.map(({ qty, quote }, at) => ({
      ...found.legs[at]!,
      price: doubleOf(quote) / doubleOf(qty),
      qty: doubleOf(qty),
    })),
    notional: size,
    capital: size,
    netEdge,
    fees: found.fees * share,
    slippage: size * found.grossEdge - found.fees * share - figures.profit,
    unwindCost: figures.unwindCost,
    impact: figures.impact,
    improvement: figures.improvement,
    expectedValue: expectedOf(found.goodEnd, figures),
  };
}
