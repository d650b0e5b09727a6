import type { Decimal } from 'decimal.js';
import { textOf } from '#shared/money/grid.ts';
import { exact } from '../common/envelope.ts';
import type { Part, Performance } from './performance.ts';

/** A performance as outsiders see it: amounts keep their exact text. */
export type Figures = {
  readonly pnl: {
    total_pnl: number;
    fees: number;
    win_rate: number | null;
    avg_trade_duration: number | null;
    profit_factor: number | null;
    attribution: { families: PartView[]; venues: PartView[]; symbols: PartView[]; sources: SourcesView };
  };
  readonly sharpe: { sharpe_ratio: number | null; sortino_ratio: number | null };
  readonly volatility: { volatility: number | null; max_drawdown: number };
};
type SourcesView = Record<keyof Performance['sources'], number>;
type PartView = { name: string; pnl: number; operations: number };

/** The figures by the metric to which they belong. */
export function figuresOf(found: Performance): Figures {
  return {
    pnl: {
      total_pnl: amount(found.totalPnl),
      fees: amount(found.fees),
      win_rate: amountOrNull(found.winRate),
      avg_trade_duration: found.averageDurationMs === null ? null : Math.round(found.averageDurationMs) / 1000,
      profit_factor: amountOrNull(found.profitFactor),
      attribution: {
        families: found.families.map(partOf),
        venues: found.venues.map(partOf),
        symbols: found.symbols.map(partOf),
        sources: sourcesOf(found.sources),
      },
    },
    sharpe: { sharpe_ratio: amountOrNull(found.sharpeRatio), sortino_ratio: amountOrNull(found.sortinoRatio) },
    volatility: { volatility: amountOrNull(found.volatility), max_drawdown: amount(found.maxDrawdown) },
  };
}

const partOf = ({ name, pnl, operations }: Part): PartView => ({
  name,
  pnl: amount(pnl),
  operations,
});
const sourcesOf = (sources: Performance['sources']): SourcesView =>
  Object.fromEntries(Object.entries(sources).map(([name, value]) => [name, amount(value)])) as SourcesView;
export const amount = (value: Decimal): number => exact(textOf(value));
const amountOrNull = (value: Decimal | null): number | null => (value === null ? null : amount(value));
