import type { CapitalView, Depths, Tops } from '#shared/domain/capital.ts';
import type { OperationId, OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import type { Opportunity, Plan, SizeRefusal } from '#shared/domain/trade.ts';
import { ZERO } from '#shared/money/grid.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Sized } from '../pipeline.ts';
import { CoolDown } from './cool-down.ts';
import type { WalkLimits } from './depth-walk.ts';
import { DepthWalk, LEGS_MAX, rateAt } from './depth-walk.ts';
import type { ExactLeg, WantedLeg } from './exact-legs.ts';
import { exactLegs } from './exact-legs.ts';
import { atExactSize, opportunityFrom } from './opportunity.ts';
import type { Rates } from './plan.ts';
import { expectedValueOf, planLegOf, ratesOf, worthOf } from './plan.ts';
import type { SizedLeg, SizedRoute } from './sized-route.ts';
import { netEdgeAtBest, sizedRoutesOf } from './sized-route.ts';

export type SizerOptions = {
  readonly instruments: readonly Instrument[];
  readonly routes: readonly Route[];
  readonly tops: Tops;
  readonly depths: Depths;
  readonly capital: CapitalView;
  readonly engine: Config['engine'];
  readonly ids: {
    /** Begins every opportunity id, so that ids of different runs of an engine differ. */
    readonly prefix: string;
    readonly nextOperation: () => OperationId;
  };
};

/**
 * Routes walked for one change at most. One dislocated book opens hundreds that compete for its levels, and sizing them all would cost the time
 * in which the best could have been sent. The others wait for the next change, when those walked now are cooling down.
 */
const WALKS_MAX = 8;

/** Doubles cannot tell edges closer than this; decimals do, on the exact legs. */
const THRESHOLD_SLACK = 1e-9;
/** The same for values in the numeraire. */
const VALUE_SLACK = 1e-6;

/** Turns a route that pays at best prices into exact legs of the greatest profit, or says why not. */
export class Sizer {
  readonly #options: SizerOptions;
  readonly #routes: readonly SizedRoute[];
  readonly #coolDown: CoolDown;
  readonly #sightings: Uint32Array;
  readonly #walk = new DepthWalk();
  readonly #inputMax = new Float64Array(LEGS_MAX);
  readonly #edgeMin: number;
  #changeNs = -Infinity;
  #walksLeft = 0;

  /** `instruments` is the registry, `routes` the compiled list whose indices `size` takes. */
  constructor(options: SizerOptions) {
    const { instruments, routes, engine } = options;
    this.#options = options;
    this.#routes = sizedRoutesOf(routes, instruments);
    this.#coolDown = new CoolDown(routes.length, engine.route_cooldown_ms);
    this.#sightings = new Uint32Array(routes.length);
    this.#edgeMin = engine.min_edge_bps / 1e4;
  }

  /**
   * Undefined when there is nothing to say: it does not pay in the books, it was spoken of a moment ago, or better routes of the same change
   * (all those asked about at the same `nowNs`) have had their turn.
   */
  readonly size = (index: number, nowNs: TimeNs): Sized | undefined => {
    const { tops, depths, engine } = this.#options;
    const sized = this.#routes[index]!;
    const edge = netEdgeAtBest(sized.legs, tops);
    if (!(edge > this.#edgeMin - THRESHOLD_SLACK)) return undefined;
    const cooling = this.#coolDown.ask(index, edge, nowNs);
    if (cooling === 'silent' || !this.#mayWalk(nowNs)) return undefined;
    if (!this.#walk.walk(sized.legs, depths, this.#limitsOf(sized))) return undefined;

    const id = this.#nextId(index);
    const { opportunity, unwindable } = opportunityFrom({ id, sized, walk: this.#walk, tops, depths, engine, nowNs });
    const answer =
      cooling === 'planned'
        ? refuse(opportunity, 'ROUTE_COOLING_DOWN', `edge_bps=${(edge * 1e4).toFixed(2)}`)
        : this.#answerFor(sized, opportunity, unwindable);
    this.#coolDown.begin(index, edge, nowNs, answer.kind === 'plan');
    return answer;
  };

  /** From the walk to exact legs, asking at each step whether they can be had and still pay. */
  #answerFor({ route, legs }: SizedRoute, found: Opportunity, unwindable: boolean): Sized {
    const { capital, engine } = this.#options;
    if (!unwindable) return refuse(found, 'DEPTH_INSUFFICIENT', 'a leg has no price to go back at');
    const startRate = capital.rateOf(route.start);
    if (startRate === undefined) return refuse(found, 'RATE_UNKNOWN', `asset=${route.start}`);
    // Rounding only takes away: what is too little here needs no decimals. Want of money is told as such.
    const expectedMost = found.expectedValue * startRate;
    const isTooLow = expectedMost < engine.min_expected_value - VALUE_SLACK;
    if (isTooLow && this.#walk.bound !== 'balance') return valueTooLow(found, expectedMost, engine);

    const valued = ratesOf(legs, capital.rateOf);
    if (valued.kind === 'unknown') return refuse(found, 'RATE_UNKNOWN', `asset=${valued.asset}`);
    const exact = exactLegs(this.#wantedLegs(legs), this.#bearable(legs), engine.displayed_fraction);
    if (exact.kind === 'refused') return refuse(found, this.#causeOf(exact.reason), exact.detail);
    return this.#judge(route, found, exact.legs, valued.rates);
  }

  /** The thresholds, settled in decimals on the exact legs. */
  #judge(route: Route, found: Opportunity, legs: readonly ExactLeg[], rates: Rates): Sized {
    const { engine } = this.#options;
    const startRate = rates[route.start]!;
    const { notional, profit } = worthOf(legs, rates);
    const netEdge = profit.div(notional);
    const opportunity = atExactSize(found, legs, notional.div(startRate), netEdge);

    const netEdgeBps = netEdge.times(1e4);
    if (netEdgeBps.lt(engine.min_edge_bps)) {
      return refuse(
        opportunity,
        'EDGE_BELOW_THRESHOLD',
        `net_edge_bps=${netEdgeBps.toFixed(4)}, min=${engine.min_edge_bps}`,
      );
    }
    const unwindCost = startRate.times(opportunity.unwindCost).toNumber();
    const expectedValue = expectedValueOf(profit, opportunity.fillProbability, unwindCost);
    if (expectedValue.lt(engine.min_expected_value)) {
      return valueTooLow(opportunity, expectedValue.toNumber(), engine);
    }
    const plan: Plan = {
      operation: this.#options.ids.nextOperation(),
      opportunity: opportunity.id,
      route: route.id,
      family: route.family,
      asset: route.start,
      legs: legs.map((leg) => planLegOf(leg, rates)),
      notional,
      expectedProfit: profit,
      netEdgeBps: netEdgeBps.toNumber(),
      expectedValue,
      fillProbability: opportunity.fillProbability,
      oldestBookAgeMs: opportunity.oldestBookAgeMs,
      rates,
      plannedTimeNs: opportunity.detectedTimeNs,
      expectedCarry: ZERO,
    };
    return { kind: 'plan', opportunity, plan };
  }

  /** Every unit of size must bear the least edge: what earns less only adds to what may go wrong. */
  #limitsOf({ route, legs }: SizedRoute): WalkLimits {
    const { capital, engine } = this.#options;
    for (const [at, { listing, input }] of legs.entries()) {
      this.#inputMax[at] = Math.max(0, capital.availableOf(listing.venue, input));
    }
    const startRate = capital.rateOf(route.start);
    return {
      displayedFraction: engine.displayed_fraction,
      hurdle: Math.max(0, this.#edgeMin - THRESHOLD_SLACK),
      startMax: startRate === undefined ? Infinity : engine.max_notional / startRate,
      inputMax: this.#inputMax,
    };
  }

  #wantedLegs(legs: readonly SizedLeg[]): readonly WantedLeg[] {
    const walk = this.#walk;
    return legs.map(({ listing, side, fee }, at) => ({
      instrument: listing,
      side,
      fee,
      qty: walk.baseQty[at]!,
      worstPrice: walk.worstPrice[at]!,
      available: this.#inputMax[at]!,
      prices: walk.prices[at]!,
      qtys: walk.qtys[at]!,
      levels: walk.levels[at]!,
    }));
  }

  /** How far the whole route may slip below the worst levels walked before it earns less than the least edge, as a factor. */
  #bearable(legs: readonly SizedLeg[]): number {
    let product = 1;
    for (const [at, leg] of legs.entries()) product *= rateAt(leg, this.#walk.worstPrice[at]!);
    return product / (1 + this.#edgeMin);
  }

  /** What is too small is so for want of money, or of books, where one of those ended the walk. */
  #causeOf(reason: SizeRefusal): SizeRefusal {
    if (this.#walk.bound === 'balance') return 'BALANCE_INSUFFICIENT';
    return this.#walk.bound === 'depth' ? 'DEPTH_INSUFFICIENT' : reason;
  }

  #mayWalk(nowNs: TimeNs): boolean {
    if (nowNs !== this.#changeNs) {
      this.#changeNs = nowNs;
      this.#walksLeft = WALKS_MAX;
    }
    this.#walksLeft -= 1;
    return this.#walksLeft >= 0;
  }

  #nextId(route: number): OpportunityId {
    this.#sightings[route]! += 1;
    return `${this.#options.ids.prefix}-${route}-${this.#sightings[route]!}` as OpportunityId;
  }
}

const refuse = (opportunity: Opportunity, reason: SizeRefusal, detail: string): Sized => ({
  kind: 'refused',
  opportunity,
  reason,
  detail,
});

function valueTooLow(opportunity: Opportunity, found: number, { min_expected_value: least }: Config['engine']): Sized {
  return refuse(opportunity, 'EV_BELOW_THRESHOLD', `expected_value=${found.toFixed(4)}, min=${least}`);
}
