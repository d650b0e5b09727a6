import { leverageOf } from '#shared/quant/risk/exposure.ts';
import type { RiskStatus } from '#shared/schema/status.ts';
import type { Figures } from './figures.ts';
import type { Limits } from './risk-gate.ts';
import type { TradingBook } from './trading-book.ts';

export type StatusSources = {
  readonly atMs: number;
  readonly book: TradingBook;
  readonly ageMs: number;
  readonly limits: Limits;
  readonly exposures: {
    readonly total: number;
    readonly all: () => { readonly [By in 'byVenue' | 'byAsset' | 'byFamily']: Record<string, number> };
  };
  readonly dailyPnlUsd: number;
  /** Undefined while another thread has not answered. */
  readonly figures: Figures | undefined;
};

/** All figures in one record; what nobody knows is null. */
export function riskStatusOf(sources: StatusSources): RiskStatus {
  const { atMs, book, ageMs, limits, exposures, dailyPnlUsd, figures } = sources;
  const isKnown = ageMs < Infinity;
  const { varUsd, shortfallUsd } = book.tailUsd;
  const equityUsd = book.equityUsd();
  const { byVenue, byAsset, byFamily } = exposures.all();
  const { grossUsd, netUsd } = sumsOf(book.deltaUsd);
  const ofBook = (value: number): number | null => (isKnown ? known(value) : null);
  return {
    at_ms: atMs,
    equity_usd: known(equityUsd),
    var_usd: ofBook(varUsd),
    expected_shortfall_usd: ofBook(shortfallUsd),
    parametric_var_usd: known(figures?.parametricVarUsd),
    monte_carlo_var_usd: known(figures?.monteCarloVarUsd),
    confidence: limits.var_confidence,
    var_utilization: ofBook(varUsd / limits.max_var),
    drawdown: ofBook(book.drawdown()),
    max_drawdown: ofBook(book.maxDrawdown),
    leverage: known(leverageOf(exposures.total, equityUsd)),
    concentration: known(leverageOf(Math.max(0, ...Object.values(byAsset)), equityUsd)),
    correlation_risk: ofBook(book.correlationRisk()),
    liquidity_ratio: known(figures?.liquidityRatio),
    exit_cost_usd: known(figures?.exitCostUsd),
    daily_pnl_usd: dailyPnlUsd,
    exposure: {
      gross_usd: ofBook(grossUsd),
      net_usd: ofBook(netUsd),
      by_venue: byVenue,
      by_asset: byAsset,
      by_family: byFamily,
    },
    stresses: Object.fromEntries(
      Object.entries(figures?.stresses ?? {}).map(([name, pnlUsd]) => [name, known(pnlUsd)]),
    ),
  };
}

/** JSON has neither NaN nor infinity. */
const known = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

function sumsOf(deltaUsd: Readonly<Float64Array>): { readonly grossUsd: number; readonly netUsd: number } {
  let grossUsd = 0;
  let netUsd = 0;
  for (const each of deltaUsd) {
    grossUsd += Math.abs(each);
    netUsd += each;
  }
  return { grossUsd, netUsd };
}
