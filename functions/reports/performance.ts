import { Decimal } from 'decimal.js';
import { ZERO } from '#shared/money/grid.ts';

/** What the fills of one market contributed to an operation, in the numeraire. */
export type Share = { readonly venue: string; readonly symbol: string; readonly pnl: Decimal };

/** Where profit comes from: the parts of an operation's attribution, and what is paid on what is held. */
const SOURCES = ['captured', 'slippage', 'legging', 'fees', 'inventory', 'funding', 'settlement'] as const;
type Source = (typeof SOURCES)[number];

/** An operation that is over. Amounts are in the numeraire; `pnl` is after `fees`. */
export type Outcome = {
  readonly id: string;
  /** A settlement or funding: profit like any other, and no operation. */
  readonly isPayment?: true;
  readonly family: string;
  readonly begunAtMs: number;
  readonly endedAtMs: number;
  readonly pnl: Decimal;
  readonly fees: Decimal;
  /** Of the fills that could be valued; what is left of `pnl` is `unattributed`. */
  readonly shares: readonly Share[];
  /** Parts of `pnl`, fees below zero; what they leave is `unexplained`. */
  readonly sources: Readonly<Partial<Record<Source, Decimal>>>;
};

/** The time looked at, cut into buckets of `bucketMs` that end with `toMs`: a return is the profit of one bucket. */
export type Window = { readonly fromMs: number; readonly toMs: number; readonly bucketMs: number };

export type Bucket = { readonly fromMs: number; readonly pnl: Decimal; readonly cumulative: Decimal };
/** `operations` counts those that touched it. */
export type Part = { readonly name: string; readonly pnl: Decimal; readonly operations: number };

/** Null: not defined by what there is (no operation, one bucket, no loss). */
export type Performance = {
  readonly operations: number;
  readonly totalPnl: Decimal;
  readonly fees: Decimal;
  readonly sharpeRatio: Decimal | null;
  readonly sortinoRatio: Decimal | null;
  readonly volatility: Decimal | null;
  readonly maxDrawdown: Decimal;
  readonly winRate: Decimal | null;
  readonly averageDurationMs: number | null;
  readonly profitFactor: Decimal | null;
  readonly families: readonly Part[];
  readonly venues: readonly Part[];
  readonly symbols: readonly Part[];
  /** They sum to `totalPnl`. */
  readonly sources: Readonly<Record<Source | 'unexplained', Decimal>>;
  readonly series: readonly Bucket[];
};

const YEAR_MS = 365 * 86_400_000;
/** Of ratios, which are measures and not money. */
const RATIO_DIGITS = 12;
export const UNATTRIBUTED = 'unattributed';

/**
 * The figures of a window. Each bucket's profit x counts as a return; n buckets, mean m, and k buckets in a year of 365 days (the
 * markets never close). Capital is not known here, so returns are amounts and not percentages: the ratios do not depend on that as
 * long as the capital stays the same, volatility and drawdown are amounts of the numeraire.
 *
 * - Sharpe ratio: m / s × √k with s = √(Σ(x − m)² / (n − 1)), riskless return zero. @see Sharpe, The Sharpe Ratio, J. Portfolio
 *   Management 21 (1994)
 * - Sortino ratio: m / d × √k with d = √(Σ min(x, 0)² / n). @see Sortino and Price, J. of Investing 3 (1994)
 * - Volatility: s × √k.
 * - Maximum drawdown: the largest fall of the running total from its highest point so far, operation by operation; it starts at zero.
 *   @see Magdon-Ismail and Atiya, Maximum Drawdown, Risk 17 (2004)
 * - Settlements and funding of what is held are profit where they happen; they are counted among no operations.
 * - Win rate: operations that ended with a profit / operations. Profit factor: sum of profits / sum of losses.
 */
export function performanceOf(outcomes: readonly Outcome[], window: Window): Performance {
  // Those that end together are taken by their names, so that the order in which they were read changes nothing.
  const inOrder = outcomes
    .filter(({ endedAtMs }) => endedAtMs >= window.fromMs && endedAtMs < window.toMs)
    .sort((a, b) => a.endedAtMs - b.endedAtMs || (a.id < b.id ? -1 : 1));
  const series = seriesOf(inOrder, window);
  const profits = inOrder.map(({ pnl }) => pnl);
  const operations = inOrder.filter(({ isPayment }) => isPayment !== true);
  const won = operations.map(({ pnl }) => pnl).filter((pnl) => pnl.isPositive() && !pnl.isZero());
  const lost = operations.map(({ pnl }) => pnl).filter((pnl) => pnl.isNegative() && !pnl.isZero());
  const count = operations.length;
  const durationMs = operations.reduce((sum, { begunAtMs, endedAtMs }) => sum + endedAtMs - begunAtMs, 0);
  return {
    operations: count,
    totalPnl: sumOf(profits),
    fees: sumOf(inOrder.map(({ fees }) => fees)),
    ...riskOf(
      series.map(({ pnl }) => pnl),
      window.bucketMs,
    ),
    maxDrawdown: drawdownOf(profits),
    winRate: count === 0 ? null : ratio(new Decimal(won.length).div(count)),
    averageDurationMs: count === 0 ? null : durationMs / count,
    profitFactor: lost.length === 0 ? null : ratio(sumOf(won).div(sumOf(lost).neg())),
    families: partsOf(inOrder, ({ family, pnl }) => [[family, pnl]]),
    venues: partsOf(inOrder, (outcome) => sharesBy(outcome, ({ venue }) => venue)),
    symbols: partsOf(inOrder, (outcome) => sharesBy(outcome, ({ symbol }) => symbol)),
    sources: sourcesOf(inOrder),
    series,
  };
}

function sourcesOf(outcomes: readonly Outcome[]): Performance['sources'] {
  const sums = SOURCES.map((source) => sumOf(outcomes.map(({ sources }) => sources[source] ?? ZERO)));
  const unexplained = sumOf(outcomes.map(({ pnl }) => pnl)).minus(sumOf(sums));
  const named = Object.fromEntries(SOURCES.map((source, at) => [source, sums[at]!])) as Record<Source, Decimal>;
  return { ...named, unexplained };
}

function riskOf(
  returns: readonly Decimal[],
  bucketMs: number,
): Pick<Performance, 'sharpeRatio' | 'sortinoRatio' | 'volatility'> {
  const n = returns.length;
  if (n < 2) return { sharpeRatio: null, sortinoRatio: null, volatility: null };
  const mean = sumOf(returns).div(n);
  const deviation = sumOf(returns.map((x) => x.minus(mean).pow(2)))
    .div(n - 1)
    .sqrt();
  const downside = sumOf(returns.map((x) => Decimal.min(x, 0).pow(2)))
    .div(n)
    .sqrt();
  const yearly = new Decimal(YEAR_MS).div(bucketMs).sqrt();
  // Equal returns differ from their mean by the last digit of a division: that is no deviation.
  const isFlat = returns.every((x) => x.eq(returns[0]!));
  return {
    sharpeRatio: isFlat ? null : ratio(mean.div(deviation).times(yearly)),
    sortinoRatio: downside.isZero() ? null : ratio(mean.div(downside).times(yearly)),
    volatility: isFlat ? ZERO : ratio(deviation.times(yearly)),
  };
}

function drawdownOf(profits: readonly Decimal[]): Decimal {
  let total: Decimal = ZERO;
  let peak: Decimal = ZERO;
  let deepest: Decimal = ZERO;
  for (const profit of profits) {
    total = total.plus(profit);
    peak = Decimal.max(peak, total);
    deepest = Decimal.max(deepest, peak.minus(total));
  }
  return deepest;
}

function seriesOf(inOrder: readonly Outcome[], { fromMs, toMs, bucketMs }: Window): readonly Bucket[] {
  const count = Math.ceil((toMs - fromMs) / bucketMs);
  const startMs = toMs - count * bucketMs;
  const sums = Array.from<Decimal>({ length: count }).fill(ZERO);
  for (const { endedAtMs, pnl } of inOrder) {
    const at = Math.floor((endedAtMs - startMs) / bucketMs);
    sums[at] = sums[at]!.plus(pnl);
  }
  let cumulative: Decimal = ZERO;
  return sums.map((pnl, at) => {
    cumulative = cumulative.plus(pnl);
    return { fromMs: startMs + at * bucketMs, pnl, cumulative };
  });
}

/** Shares by a name, and under `unattributed` what they leave of the operation's profit. */
function sharesBy({ pnl, shares }: Outcome, nameOf: (share: Share) => string): readonly (readonly [string, Decimal])[] {
  const rest = pnl.minus(sumOf(shares.map((share) => share.pnl)));
  const named = shares.map((share) => [nameOf(share), share.pnl] as const);
  return rest.isZero() ? named : [...named, [UNATTRIBUTED, rest] as const];
}

/** Sums by name, the largest profit first. */
function partsOf(
  outcomes: readonly Outcome[],
  partsIn: (outcome: Outcome) => readonly (readonly [string, Decimal])[],
): readonly Part[] {
  const parts = new Map<string, Part>();
  for (const outcome of outcomes) {
    const touched = new Set<string>();
    for (const [name, pnl] of partsIn(outcome)) {
      const known = parts.get(name) ?? { name, pnl: ZERO, operations: 0 };
      const operations = known.operations + (touched.has(name) || outcome.isPayment === true ? 0 : 1);
      parts.set(name, { name, pnl: known.pnl.plus(pnl), operations });
      touched.add(name);
    }
  }
  return [...parts.values()].sort((a, b) => b.pnl.comparedTo(a.pnl) || (a.name < b.name ? -1 : 1));
}

const sumOf = (amounts: readonly Decimal[]): Decimal => amounts.reduce<Decimal>((sum, each) => sum.plus(each), ZERO);
const ratio = (value: Decimal): Decimal => value.toSignificantDigits(RATIO_DIGITS);
