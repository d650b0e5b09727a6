import type { Pace } from '#shared/domain/capital.ts';
import type { InstrumentId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Side } from '#shared/domain/route.ts';
import type { FillFacts } from '#shared/domain/trade.ts';
import type { Config } from '#shared/schema/config.ts';

export type FillSettings = Config['engine']['fill'];

/** A leg as a walk left it, and the limit that its order will have. Quantities as in the book. */
export type WalkedLeg = {
  readonly id: InstrumentId;
  readonly instrument: InstrumentIndex;
  readonly side: Side;
  readonly qty: number;
  readonly averagePrice: number;
  /** The worst level that is needed, and the worst price that the order bears. */
  readonly worstPrice: number;
  readonly limit: number;
  readonly ageMs: number;
  /** The displayed levels, best first. */
  readonly prices: Float64Array;
  readonly qtys: Float64Array;
  readonly levels: number;
};

/** What the chance that a leg fills is reckoned from; `notional` is the plan's, in the numeraire. */
export function fillFactsOf(leg: WalkedLeg, pace: Pace, notional: number): FillFacts {
  const { instrument, side, qty, worstPrice, limit, ageMs } = leg;
  const displayed = displayedWithin(leg, limit);
  const share = displayed > qty ? qty / displayed : 1;
  return {
    ageMs,
    roundTripMs: pace.roundTripMsOf(instrument),
    volatility: pace.volatilityOf(instrument),
    share,
    displayed: share > 0 ? notional / share : 0,
    cushion: Math.max(0, side === 'buy' ? limit / worstPrice - 1 : 1 - limit / worstPrice),
  };
}

/**
 * The probability that every leg fills completely, at or better than its limit, within its immediate-or-cancel order; in [0, 1].
 *
 * Each leg is a race between the order and whatever takes its liquidity away: P(leg) = exp(−h), with the hazard h of `hazardOf`. All of them:
 * P = exp(−correlation × Σ h), `correlation` being 1 where legs miss independently of each other.
 */
export function fillProbabilityOf(legs: readonly FillFacts[], settings: FillSettings): number {
  let hazard = 0;
  for (const leg of legs) hazard += hazardOf(leg, settings);
  return Math.exp(-settings.correlation * hazard);
}

/**
 * −ln P of one leg alone: ln h is linear in what `regressorsOf` says, a regression with a complementary log-log link.
 * @see McCullagh and Nelder, Generalized Linear Models (1989), section 4.3; docs/calibration.md has the fit
 */
export function hazardOf(facts: FillFacts, settings: FillSettings): number {
  return Math.exp(
    settings.intercept +
      settings.round_trip * roundTripOf(facts) +
      settings.age * ageOf(facts) +
      settings.volatility * volatilityOf(facts) +
      settings.share * facts.share +
      settings.displayed * displayedOf(facts) +
      settings.cushion * cushionOf(facts),
  );
}

/** In the order of the coefficients: 1, round trip, age, volatility, share, displayed, cushion. */
export const regressorsOf = (facts: FillFacts): readonly number[] => [
  1,
  roundTripOf(facts),
  ageOf(facts),
  volatilityOf(facts),
  facts.share,
  displayedOf(facts),
  cushionOf(facts),
];

/**
 * The probability that a plan ends as if every leg had filled: either they do, or recovery saves a part of it. So
 * E[result] = G × profit − (1 − G) × unwind cost.
 */
export const goodEndOf = (fillProbability: number, legs: readonly FillFacts[], settings: FillSettings): number =>
  fillProbability + (1 - fillProbability) * rescueOf(legs, settings);

/** The share of what a miss would cost that recovery saves: the sooner the answers come, the more of the opportunity is still there. */
export function rescueOf(legs: readonly FillFacts[], { rescue_ms }: Pick<FillSettings, 'rescue_ms'>): number {
  let slowestMs = MS_MIN;
  for (const { roundTripMs } of legs) slowestMs = Math.max(slowestMs, roundTripMs);
  return rescue_ms / (rescue_ms + slowestMs);
}

/**
 * What our own footprint is expected to cost beyond the levels that the walk has paid for, as a fraction of the leg's value. The square-root law,
 * averaged over the order: ⅔·Y·σ·√(T·Q/D), where the displayed quantity D turns over in the time T; less what the walk already lost to the
 * best price, and never below 0.
 * @see Tóth et al., Anomalous price impact and the critical nature of liquidity in financial markets (2011), equation 1;
 *   Almgren et al., Direct estimation of equity market impact (2005)
 */
export function impactShareOf(leg: WalkedLeg, pace: Pace, settings: FillSettings): number {
  const { impact_factor: factor, turnover_seconds: turnover } = settings;
  const displayed = displayedWithin(leg, leg.side === 'buy' ? Infinity : 0);
  if (factor === 0 || !(displayed > 0)) return 0;
  const moved = MEAN_OF_ROOT * factor * pace.volatilityOf(leg.instrument) * Math.sqrt((turnover * leg.qty) / displayed);
  const walked = Math.abs(leg.averagePrice / leg.prices[0]! - 1);
  return Math.max(0, moved - walked);
}

/**
 * How much better than reckoned the leg's order is filled, as a fraction of its value: the walk counts on a share of each level, the order takes the best
 * ones whole.
 */
export function improvementShareOf({ qty, averagePrice, worstPrice, prices, qtys, levels }: WalkedLeg): number {
  if (!(qty > 0)) return 0;
  let left = qty;
  let value = 0;
  for (let at = 0; at < levels && left > 0; at += 1) {
    const taken = Math.min(left, qtys[at]!);
    value += taken * prices[at]!;
    left -= taken;
  }
  value += left * worstPrice;
  return Math.abs(value / qty / averagePrice - 1);
}

/** The mean of a square root over an order is two thirds of its last value. */
const MEAN_OF_ROOT = 2 / 3;

const roundTripOf = ({ roundTripMs }: FillFacts): number => Math.log(Math.max(roundTripMs, MS_MIN) / 100);
const ageOf = ({ ageMs }: FillFacts): number => ageMs / 100;
const displayedOf = ({ displayed }: FillFacts): number => Math.log(Math.max(displayed, VALUE_MIN) / 1e4);
const volatilityOf = ({ volatility }: FillFacts): number => Math.log(Math.max(volatility, VOLATILITY_MIN) / 1e-4);

/** The cushion against the move that is to be expected until the order arrives, the book's age included. */
function cushionOf({ ageMs, roundTripMs, volatility, cushion }: FillFacts): number {
  const unseenMs = Math.max(MS_MIN, ageMs + roundTripMs / 2);
  const move = Math.max(volatility, VOLATILITY_MIN) * Math.sqrt(unseenMs / 1e3);
  return Math.log1p(cushion / move);
}

/** Logarithms need something; no order is faster, no book thinner, no price calmer. */
const MS_MIN = 0.1;
const VALUE_MIN = 1;
const VOLATILITY_MIN = 1e-7;

function displayedWithin({ side, prices, qtys, levels }: WalkedLeg, limit: number): number {
  let displayed = 0;
  for (let at = 0; at < levels; at += 1) {
    if (side === 'buy' ? prices[at]! > limit : prices[at]! < limit) break;
    displayed += qtys[at]!;
  }
  return displayed;
}
