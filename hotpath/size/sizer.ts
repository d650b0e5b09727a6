import type { OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { Route } from '#shared/domain/route.ts';
import type { Opportunity, Plan } from '#shared/domain/trade.ts';
import { kellyFraction, kellyNotional } from '#shared/portfolio/kelly.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Sized } from '../pipeline.ts';
import { CoolDown } from './cool-down.ts';
import { Filters } from './filters.ts';
import type { SplitSources } from './leg-splitting.ts';
import { splitPlan } from './leg-splitting.ts';
import { Places } from './places.ts';
import { expectedValueOf } from './plan.ts';
import { ProductSizing } from './product-sizing.ts';
import type { Found, Refusal, Settled, Sight, SizeSources } from './sizing.ts';
import { edgeMinOf, refusal, THRESHOLD_SLACK } from './sizing.ts';
import { SumSizing } from './sum-sizing.ts';

export type SizerOptions = SizeSources & {
  readonly routes: readonly Route[];
  /** Orders a leg may be divided into, at most; 1, and never where absent. */
  readonly splitLegs?: number;
};

/**
 * Routes walked for one change at most. One dislocated book opens hundreds that compete for its levels, and sizing them all would cost the time
 * in which the best could have been sent. The others wait for the next change, when those walked now are cooling down.
 */
const WALKS_MAX = 8;
/**
 * Walks a millisecond in the long run, and how many are saved up for a burst. A walk and what is said of it cost some tenths of a millisecond: while a
 * dislocation of thousands of routes lasts, sizing one after the other again would take the whole thread, and books would wait.
 */
const WALKS_PER_MS = 0.5;
const WALKS_SAVED = 24;

/** Doubles cannot tell values in the numeraire closer than this; decimals do, on the exact legs. */
const VALUE_SLACK = 1e-6;

/** Turns a route that pays at best prices into exact legs of the greatest profit, or says why not. */
export class Sizer {
  readonly #options: SizerOptions;
  readonly #product: ProductSizing;
  readonly #sum: SumSizing;
  readonly #coolDown: CoolDown;
  readonly #filters: Filters;
  readonly #sightings: Uint32Array;
  readonly #places: SplitSources | undefined;
  #changeNs = -Infinity;
  #walksLeft = 0;
  #walksSaved = WALKS_SAVED;

  /** `instruments` is the registry, `routes` the compiled list whose indices `size` takes. */
  constructor(options: SizerOptions) {
    const { routes, engine, pace } = options;
    this.#options = options;
    this.#product = new ProductSizing(options);
    this.#sum = new SumSizing(options);
    this.#coolDown = new CoolDown(routes.length, engine.route_cooldown_ms);
    this.#filters = new Filters(engine, pace, routes.length);
    this.#sightings = new Uint32Array(routes.length);
    const { splitLegs: partsMax = 1 } = options;
    if (partsMax > 1) this.#places = { placesOf: new Places(options).of, partsMax };
  }

  /**
   * Undefined when there is nothing to say: it does not pay in the books, it was spoken of a moment ago, or better routes of the same change
   * (all those asked about at the same `nowNs`) have had their turn, as have too many of the changes before.
   */
  readonly size = (index: number, nowNs: TimeNs): Sized | undefined => {
    if (!this.#mayWalk(nowNs)) {
      // The screen says that it pays.
      this.#filters.seen(index, nowNs);
      return undefined;
    }
    const route = this.#options.routes[index]!;
    const edge = this.#edgeAtBest(route, nowNs);
    if (!(edge > edgeMinOf(this.#options.engine) - THRESHOLD_SLACK)) return undefined;
    this.#filters.seen(index, nowNs);
    const cooling = this.#coolDown.ask(index, edge, nowNs);
    if (cooling === 'silent') return undefined;
    this.#walksLeft -= 1;
    this.#walksSaved -= 1;
    const found = this.#find(route, index, nowNs);
    if (found === undefined) return undefined;

    const answer =
      cooling === 'planned'
        ? refuse(found.opportunity, refusal('ROUTE_COOLING_DOWN', `edge_bps=${(edge * 1e4).toFixed(2)}`))
        : this.#answerFor(route, index, found);
    this.#coolDown.begin(index, edge, nowNs, answer.kind === 'plan');
    return answer;
  };

  /** What is left for a route that was planned just now, after a better plan has taken money of it: its cool-down does not count. */
  readonly resize = (index: number, nowNs: TimeNs): Sized | undefined => {
    const route = this.#options.routes[index]!;
    const found = this.#find(route, index, nowNs);
    return found === undefined ? undefined : this.#answerFor(route, index, found);
  };

  /** To be called when fees in the registry have changed: nothing that was derived from them stands any more. */
  readonly forgetFees = (): void => {
    this.#product.forgetFees();
    this.#sum.forgetFees();
  };

  #edgeAtBest(route: Route, nowNs: TimeNs): number {
    return route.evaluator === 'product' ? this.#product.edgeAtBest(route) : this.#sum.edgeAtBest(route, nowNs);
  }

  #find(route: Route, index: number, nowNs: TimeNs): Found | undefined {
    const { engine } = this.#options;
    const id = `${this.#options.ids.prefix}-${index}-${this.#sightings[index]! + 1}` as OpportunityId;
    const found = this.#walk(route, { id, nowNs, notionalMax: engine.max_notional });
    if (found === undefined) return undefined;
    this.#sightings[index]! += 1;
    const stake = this.#stakeOf(found);
    return stake < engine.max_notional ? this.#walk(route, { id, nowNs, notionalMax: stake }) : found;
  }

  #walk(route: Route, sight: Sight): Found | undefined {
    return route.evaluator === 'product' ? this.#product.find(route, sight) : this.#sum.find(route, sight);
  }

  /** What of the capital a bet with these odds is worth, in the numeraire: no more than the limit, and less where little is to be won. */
  #stakeOf({ opportunity }: Found): number {
    const { engine, capital } = this.#options;
    const equity = engine.kelly_fraction > 0 ? (capital.equity?.() ?? NaN) : NaN;
    if (Number.isNaN(equity)) return Infinity;
    const { goodEnd, netEdge, notional, improvement, unwindCost, impact } = opportunity;
    const bet = {
      chance: goodEnd,
      gain: netEdge + (improvement - impact) / notional,
      loss: (unwindCost + impact) / notional,
    };
    // What never pays is refused for that, and not for its size.
    if (!(kellyFraction(bet) > 0)) return Infinity;
    return kellyNotional(bet, equity, { fraction: engine.kelly_fraction, cap: engine.max_notional });
  }

  /** From the walk to exact legs, asking at each step whether they can be had and still pay. */
  #answerFor(route: Route, index: number, found: Found): Sized {
    const { capital, engine } = this.#options;
    const { opportunity, obstacle, bound, walked } = found;
    if (obstacle !== undefined) return refuse(opportunity, obstacle);
    const startRate = capital.rateOf(route.start);
    if (startRate === undefined) return refuse(opportunity, refusal('RATE_UNKNOWN', `asset=${route.start}`));
    // Rounding only takes away: what is too little here needs no decimals. Want of money is told as such.
    const expectedMost = opportunity.expectedValue * startRate;
    // What is no number reaches nothing.
    const isTooLow = !(expectedMost >= engine.min_expected_value - VALUE_SLACK);
    if (isTooLow && bound !== 'balance') return refuse(opportunity, valueTooLow(expectedMost, engine));

    const { family, netEdge, detectedTimeNs: nowNs } = opportunity;
    const filtered = this.#filters.refusalOf({ route: index, family, netEdge, legs: walked, nowNs });
    if (filtered !== undefined) return refuse(opportunity, refusal(filtered.reason, filtered.detail));
    const settled = found.settle(startRate);
    return settled.kind === 'refused' ? refuse(opportunity, settled) : this.#judge(route, settled, startRate);
  }

  /** The thresholds, settled in decimals on the exact legs. */
  #judge(route: Route, settled: Settled, startRate: number): Sized {
    const { engine, ids } = this.#options;
    const { opportunity, legs, notional, profit, carry, rates, bond } = settled;
    const netEdgeBps = settled.netEdge.times(1e4);
    if (!netEdgeBps.gte(engine.min_edge_bps)) {
      const detail = `net_edge_bps=${netEdgeBps.toFixed(4)}, min=${engine.min_edge_bps}`;
      return refuse(opportunity, refusal('EDGE_BELOW_THRESHOLD', detail));
    }
    const expectedValue = expectedValueOf(profit, opportunity, startRate);
    if (!expectedValue.gte(engine.min_expected_value)) {
      return refuse(opportunity, valueTooLow(expectedValue.toNumber(), engine));
    }
    const plan: Plan = {
      operation: ids.nextOperation(),
      opportunity: opportunity.id,
      route: route.id,
      family: route.family,
      asset: route.start,
      legs,
      notional,
      expectedProfit: profit,
      netEdgeBps: netEdgeBps.toNumber(),
      expectedValue,
      fillProbability: opportunity.fillProbability,
      oldestBookAgeMs: opportunity.oldestBookAgeMs,
      rates,
      plannedTimeNs: opportunity.detectedTimeNs,
      expectedCarry: carry,
      ...(bond === undefined ? {} : { bond }),
    };
    return { kind: 'plan', opportunity, plan: this.#split(plan, opportunity, startRate) };
  }

  #split(plan: Plan, opportunity: Opportunity, startRate: number): Plan {
    return this.#places === undefined ? plan : splitPlan(plan, opportunity, startRate, this.#places);
  }

  #mayWalk(nowNs: TimeNs): boolean {
    if (nowNs !== this.#changeNs) {
      const earned = ((nowNs - this.#changeNs) / 1e6) * WALKS_PER_MS;
      this.#walksSaved = Math.min(WALKS_SAVED, this.#walksSaved + earned);
      this.#changeNs = nowNs;
      this.#walksLeft = Math.min(WALKS_MAX, Math.floor(this.#walksSaved));
    }
    return this.#walksLeft > 0;
  }
}

const refuse = (opportunity: Opportunity, { reason, detail }: Refusal): Sized => ({
  kind: 'refused',
  opportunity,
  reason,
  detail,
});

const valueTooLow = (found: number, { min_expected_value: least }: Config['engine']): Refusal =>
  refusal('EV_BELOW_THRESHOLD', `expected_value=${found.toFixed(4)}, min=${least}`);
