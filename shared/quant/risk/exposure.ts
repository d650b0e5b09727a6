import { assert } from '../../assert.ts';

/** What is held, a row a position or balance. Venues, assets and families are indices into the caller's lists; amounts are USD (the numeraire), signed. */
export type Positions = {
  readonly count: number;
  /** The risk factor its price moves with; see {@link Scenarios}. */
  readonly factor: Int32Array;
  readonly venue: Int32Array;
  /** What it is a position in. */
  readonly asset: Int32Array;
  /** What its price is in, and what its profit is paid in where that is another asset than its own. */
  readonly currency: Int32Array;
  readonly family: Int32Array;
  /** What the venue would owe for it if it were closed now: a coin's worth, an option's, margin, profit not yet paid. */
  readonly valueUsd: Float64Array;
  /** S·∂V/∂S: what it gains when the asset doubles, to first order. */
  readonly deltaUsd: Float64Array;
  /** S²·∂²V/∂S². */
  readonly gammaUsd: Float64Array;
  /** A perpetual's notional, long above zero; else 0. */
  readonly perpetualUsd: Float64Array;
};

export function positionsFor(rows: number): Positions & { count: number } {
  const index = (): Int32Array => new Int32Array(rows);
  const amount = (): Float64Array => new Float64Array(rows);
  return {
    count: 0,
    factor: index(),
    venue: index(),
    asset: index(),
    currency: index(),
    family: index(),
    valueUsd: amount(),
    deltaUsd: amount(),
    gammaUsd: amount(),
    perpetualUsd: amount(),
  };
}

/** By group: Σ|amount| and Σ amount, USD. */
export type Exposure = { readonly grossUsd: Float64Array; readonly netUsd: Float64Array };

export const exposureFor = (groups: number): Exposure => ({
  grossUsd: new Float64Array(groups),
  netUsd: new Float64Array(groups),
});

/** Exposure by venue, asset or family, whichever column `group` is. Allocates nothing. */
export function exposureInto(
  group: Int32Array,
  amountsUsd: Float64Array,
  count: number,
  { grossUsd, netUsd }: Exposure,
): void {
  grossUsd.fill(0);
  netUsd.fill(0);
  for (let at = 0; at < count; at += 1) {
    const to = group[at]!;
    assert(to >= 0 && to < grossUsd.length, 'each position is in a group that is counted');
    grossUsd[to] = grossUsd[to]! + Math.abs(amountsUsd[at]!);
    netUsd[to] = netUsd[to]! + amountsUsd[at]!;
  }
}

/** Gross exposure over equity: 0 without exposure, Infinity where there is some and no equity. */
export function leverageOf(grossUsd: number, equityUsd: number): number {
  if (grossUsd === 0) return 0;
  return equityUsd <= 0 ? Infinity : grossUsd / equityUsd;
}

export type Concentration = {
  /** Herfindahl–Hirschman: Σ shareᵢ², from 1/n (even) to 1 (all in one); 0 where nothing is held. */
  readonly herfindahl: number;
  readonly largestShare: number;
};

/**
 * How uneven gross amounts are, shareᵢ = amountᵢ / Σ amount.
 * @see U.S. Department of Justice, "Herfindahl–Hirschman index", https://www.justice.gov/atr/herfindahl-hirschman-index (shares there in percent).
 */
export function concentrationOf(grossUsd: Float64Array): Concentration {
  let total = 0;
  let largest = 0;
  for (let at = 0; at < grossUsd.length; at += 1) {
    total += grossUsd[at]!;
    largest = Math.max(largest, grossUsd[at]!);
  }
  if (total === 0) return { herfindahl: 0, largestShare: 0 };
  let herfindahl = 0;
  for (let at = 0; at < grossUsd.length; at += 1) herfindahl += (grossUsd[at]! / total) ** 2;
  return { herfindahl, largestShare: largest / total };
}
