import { assert } from '../../assert.ts';
import type { Scenarios } from './scenarios.ts';
import { addExposure, pnlInto } from './scenarios.ts';
import type { Tails } from './tail.ts';
import { CONFIDENCES, tailsFor, tailsInto } from './tail.ts';

/** What a plan would add to each factor once it stands, in columns; the first `count` rows count. */
export type PlanColumns = {
  readonly count: number;
  readonly factor: Int32Array;
  readonly deltaUsd: Float64Array;
  readonly gammaUsd: Float64Array;
};

/** By confidence, ascending. Added is with the plan less without it: below zero where the plan hedges what is held. */
export type PlanEffect = {
  readonly varUsd: Float64Array;
  readonly esUsd: Float64Array;
  readonly addedVarUsd: Float64Array;
  readonly addedEsUsd: Float64Array;
};

/** Each change leaves a last place behind in each sum; after so many the sums are made anew. */
const CHANGES_MAX = 4_096;

/**
 * A portfolio's outcome in each scenario, kept while positions change: a change of one costs one pass over the scenarios, VaR and ES one selection.
 * Exact to the rounding of the sums (1e-12 of the gross exposure). What it hands out is reused: read it before the next call.
 */
export class ScenarioBook {
  readonly tails: Tails;
  /** What the portfolio gains in each scenario, USD. */
  readonly pnl: Float64Array;
  readonly #scenarios: Scenarios;
  readonly #deltaUsd: Float64Array;
  readonly #gammaUsd: Float64Array;
  readonly #plannedPnl: Float64Array;
  readonly #planned: Tails;
  readonly #effect: PlanEffect;
  #changes = 0;
  #measured = false;

  constructor(scenarios: Scenarios, confidences: readonly number[] = CONFIDENCES) {
    const { count, factors } = scenarios;
    const column = (): Float64Array => new Float64Array(confidences.length);
    this.#scenarios = scenarios;
    this.tails = tailsFor(count, confidences);
    this.pnl = new Float64Array(count);
    this.#deltaUsd = new Float64Array(factors);
    this.#gammaUsd = new Float64Array(factors);
    this.#plannedPnl = new Float64Array(count);
    this.#planned = tailsFor(count, confidences);
    const { varUsd, esUsd } = this.#planned;
    this.#effect = { varUsd, esUsd, addedVarUsd: column(), addedEsUsd: column() };
  }

  get deltaUsd(): Readonly<Float64Array> {
    return this.#deltaUsd;
  }

  /** Takes the exposures of a whole portfolio. */
  replace(deltaUsd: Float64Array, gammaUsd: Float64Array): void {
    this.#deltaUsd.set(deltaUsd);
    this.#gammaUsd.set(gammaUsd);
    this.#rebuild();
  }

  /** Adds to the exposure to one factor; the sign says which way. What is not known must not get in: no later change would take it out of the sums. */
  add(factor: number, deltaUsd: number, gammaUsd: number): void {
    assert(factor >= 0 && factor < this.#scenarios.factors, 'the scenarios know the factor');
    assert(Number.isFinite(deltaUsd) && Number.isFinite(gammaUsd), 'an exposure is a number');
    this.#deltaUsd[factor] = this.#deltaUsd[factor]! + deltaUsd;
    this.#gammaUsd[factor] = this.#gammaUsd[factor]! + gammaUsd;
    this.#changes += 1;
    if (this.#changes >= CHANGES_MAX) {
      this.#rebuild();
      return;
    }
    addExposure(this.#scenarios, factor, { deltaUsd, gammaUsd }, this.pnl);
    this.#measured = false;
  }

  /** VaR and ES of what is held. */
  measure(): Tails {
    if (!this.#measured) tailsInto(this.pnl, this.tails);
    this.#measured = true;
    return this.tails;
  }

  /** VaR and ES with a plan, and what it adds; the portfolio stays as it is. NaN where an amount of the plan is. */
  effectOf({ count, factor, deltaUsd, gammaUsd }: PlanColumns): PlanEffect {
    const before = this.measure();
    const { varUsd, esUsd, addedVarUsd, addedEsUsd } = this.#effect;
    this.#plannedPnl.set(this.pnl);
    for (let at = 0; at < count; at += 1) {
      assert(factor[at]! >= 0 && factor[at]! < this.#scenarios.factors, 'the scenarios know the factor');
      addExposure(this.#scenarios, factor[at]!, { deltaUsd: deltaUsd[at]!, gammaUsd: gammaUsd[at]! }, this.#plannedPnl);
    }
    tailsInto(this.#plannedPnl, this.#planned);
    for (let at = 0; at < varUsd.length; at += 1) {
      addedVarUsd[at] = varUsd[at]! - before.varUsd[at]!;
      addedEsUsd[at] = esUsd[at]! - before.esUsd[at]!;
    }
    return this.#effect;
  }

  #rebuild(): void {
    pnlInto(this.#scenarios, this.#deltaUsd, this.#gammaUsd, this.pnl);
    this.#changes = 0;
    this.#measured = false;
  }
}
