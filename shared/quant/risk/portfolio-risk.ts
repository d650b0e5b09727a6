import { assert } from '../../assert.ts';
import type { Drawdown } from './drawdown.ts';
import { DrawdownMeter } from './drawdown.ts';
import type { Concentration, Exposure, Positions } from './exposure.ts';
import { concentrationOf, exposureFor, exposureInto, leverageOf, positionsFor } from './exposure.ts';
import type { Square } from './matrix.ts';
import { correlationRisk, parametricTail } from './parametric.ts';
import type { ParametricTail } from './parametric.ts';
import { ScenarioBook } from './scenario-book.ts';
import type { PlanColumns, PlanEffect } from './scenario-book.ts';
import type { Scenarios } from './scenarios.ts';
import { CONFIDENCES } from './tail.ts';
import type { Tails } from './tail.ts';

export type PortfolioRiskOptions = {
  readonly scenarios: Scenarios;
  /** Of the same factors over the same horizon. */
  readonly covariance: Square;
  /** Positions at most. */
  readonly rows: number;
  readonly venues: number;
  readonly assets: number;
  readonly families: number;
  /** Points of the trailing drawdown. */
  readonly window: number;
  readonly confidences?: readonly number[];
};

/** One row of {@link Positions}. */
export type Position = {
  readonly [column in Exclude<keyof Positions, 'count'>]: number;
};

/** Every figure of a portfolio at one moment. `historical` and the exposures are reused: read them before the next call. */
export type RiskFigures = {
  readonly historical: Tails;
  /** By confidence, ascending. */
  readonly parametric: readonly ParametricTail[];
  readonly byVenue: Exposure;
  readonly byAsset: Exposure;
  readonly byFamily: Exposure;
  readonly grossUsd: number;
  readonly netUsd: number;
  readonly leverage: number;
  readonly venueConcentration: Concentration;
  readonly assetConcentration: Concentration;
  readonly correlationRisk: number;
  readonly drawdown: Drawdown;
};

/** A portfolio whose figures follow each position: see docs/risk-metrics.md for what each is. */
export class PortfolioRisk {
  readonly #positions: ReturnType<typeof positionsFor>;
  readonly #book: ScenarioBook;
  readonly #covariance: Square;
  readonly #confidences: readonly number[];
  readonly #byVenue: Exposure;
  readonly #byAsset: Exposure;
  readonly #byFamily: Exposure;
  readonly #drawdown: DrawdownMeter;

  constructor(options: PortfolioRiskOptions) {
    const { scenarios, covariance, rows, venues, assets, families, window } = options;
    assert(covariance.size === scenarios.factors, 'scenarios and covariance are of the same factors');
    this.#confidences = options.confidences ?? CONFIDENCES;
    this.#positions = positionsFor(rows);
    this.#book = new ScenarioBook(scenarios, this.#confidences);
    this.#covariance = covariance;
    this.#byVenue = exposureFor(venues);
    this.#byAsset = exposureFor(assets);
    this.#byFamily = exposureFor(families);
    this.#drawdown = new DrawdownMeter(window);
  }

  /** As it stands, for stress scenarios. */
  get positions(): Positions {
    return this.#positions;
  }

  /** Puts a position in a row, in place of what was there; all amounts 0 close it. Amounts are numbers: while a price is unknown, the last one counts. */
  set(row: number, position: Position): void {
    const columns = this.#positions;
    assert(row >= 0 && row < columns.factor.length, 'there is a row for the position');
    const { factor, deltaUsd, gammaUsd } = position;
    if (columns.factor[row] === factor) {
      this.#book.add(factor, deltaUsd - columns.deltaUsd[row]!, gammaUsd - columns.gammaUsd[row]!);
    } else {
      this.#book.add(columns.factor[row]!, -columns.deltaUsd[row]!, -columns.gammaUsd[row]!);
      this.#book.add(factor, deltaUsd, gammaUsd);
    }
    columns.factor[row] = position.factor;
    columns.venue[row] = position.venue;
    columns.asset[row] = position.asset;
    columns.currency[row] = position.currency;
    columns.family[row] = position.family;
    columns.valueUsd[row] = position.valueUsd;
    columns.deltaUsd[row] = position.deltaUsd;
    columns.gammaUsd[row] = position.gammaUsd;
    columns.perpetualUsd[row] = position.perpetualUsd;
    columns.count = Math.max(columns.count, row + 1);
  }

  /** VaR and ES with a plan. */
  effectOf(plan: PlanColumns): PlanEffect {
    return this.#book.effectOf(plan);
  }

  /** Every figure, as of an account value that is one more point of the drawdown. */
  figuresAt(equityUsd: number): RiskFigures {
    const { count, venue, asset, family, deltaUsd } = this.#positions;
    exposureInto(venue, deltaUsd, count, this.#byVenue);
    exposureInto(asset, deltaUsd, count, this.#byAsset);
    exposureInto(family, deltaUsd, count, this.#byFamily);
    this.#drawdown.add(equityUsd);
    const factorDeltaUsd = this.#book.deltaUsd;
    const grossUsd = total(this.#byVenue.grossUsd);
    return {
      historical: this.#book.measure(),
      parametric: this.#confidences.map((confidence) => parametricTail(factorDeltaUsd, this.#covariance, confidence)),
      byVenue: this.#byVenue,
      byAsset: this.#byAsset,
      byFamily: this.#byFamily,
      grossUsd,
      netUsd: total(this.#byVenue.netUsd),
      leverage: leverageOf(grossUsd, equityUsd),
      venueConcentration: concentrationOf(this.#byVenue.grossUsd),
      assetConcentration: concentrationOf(this.#byAsset.grossUsd),
      correlationRisk: correlationRisk(factorDeltaUsd, this.#covariance),
      drawdown: this.#drawdown.figures(),
    };
  }
}

function total(amounts: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < amounts.length; at += 1) sum += amounts[at]!;
  return sum;
}
