import type { ReportData } from '#shared/schema/api.ts';
import { isoFromMs } from '../common/envelope.ts';
import { at } from '../common/layout.ts';
import type { Store } from '../common/store.ts';
import { readHistory, type History } from './history.ts';
import { performanceOf, type Outcome } from './performance.ts';
import { amount, figuresOf } from './views.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Events may be this late: a report that is made before is not kept. */
const SETTLED_AFTER_MS = HOUR_MS;

const startOf = (date: string): number => Date.parse(`${date}T00:00:00Z`);
const dateOf = (ms: number): string => isoFromMs(ms).slice(0, 10);
const isFinal = (date: string, nowMs: number): boolean => nowMs >= startOf(date) + DAY_MS + SETTLED_AFTER_MS;

/** Days from the engine's first operation to today, newest first, strictly before `before`. */
export async function reportDays(
  store: Store,
  { nowMs, before, limit }: { readonly nowMs: number; readonly before: string | undefined; readonly limit: number },
): Promise<readonly { readonly date: string; readonly final: boolean }[]> {
  const first = await store.firstOperationAtMs();
  if (first === undefined) return [];
  const oldest = startOf(dateOf(first));
  const newest = before === undefined ? startOf(dateOf(nowMs)) : Math.min(startOf(before) - DAY_MS, nowMs);
  const count = Math.max(0, Math.min(limit, Math.floor((newest - oldest) / DAY_MS) + 1));
  return Array.from({ length: count }, (_, back) => dateOf(newest - back * DAY_MS)).map((date) => ({
    date,
    final: isFinal(date, nowMs),
  }));
}

/** The report of a day, as JSON text: made on request, and kept once the day is settled. Undefined outside the engine's history. */
export async function dailyReport(store: Store, date: string, nowMs: number): Promise<string | undefined> {
  const kept = await store.state.get(at.report(store.engine, date));
  const text = kept?.['report'];
  if (typeof text === 'string') return text;
  const first = await store.firstOperationAtMs();
  const fromMs = startOf(date);
  if (first === undefined || date < dateOf(first) || fromMs > nowMs) return undefined;

  const history = await readHistory(store, { fromMs, toMs: fromMs + DAY_MS });
  const report = JSON.stringify(reportOf(store.engine, date, history, nowMs));
  if (isFinal(date, nowMs)) {
    await store.state.update(at.report(store.engine, date), {
      UpdateExpression: 'SET report = if_not_exists(report, :report)',
      ExpressionAttributeValues: { ':report': report },
    });
  }
  return report;
}

function reportOf(engine: string, date: string, history: History, nowMs: number): ReportData {
  const fromMs = startOf(date);
  // The whole day, also before the first operation: its hours stand on a clock.
  const found = performanceOf(history.outcomes, { fromMs, toMs: fromMs + DAY_MS, bucketMs: HOUR_MS });
  const { pnl, sharpe, volatility } = figuresOf(found);
  const byProfit = history.outcomes
    .filter(({ isPayment }) => isPayment !== true)
    .sort((a, b) => b.pnl.comparedTo(a.pnl) || (a.id < b.id ? -1 : 1));
  return {
    date,
    engine,
    final: isFinal(date, nowMs),
    generated_at: isoFromMs(nowMs),
    operations: found.operations,
    open_operations: history.open,
    truncated: history.truncated,
    ...pnl,
    ...sharpe,
    ...volatility,
    hours: found.series.map((hour) => ({
      timestamp: isoFromMs(hour.fromMs),
      pnl: amount(hour.pnl),
      cumulative: amount(hour.cumulative),
    })),
    best: operationOf(byProfit[0]),
    worst: operationOf(byProfit.at(-1)),
  };
}

const operationOf = (outcome: Outcome | undefined): ReportData['best'] =>
  outcome === undefined
    ? null
    : { id: outcome.id, family: outcome.family, pnl: amount(outcome.pnl), ended: isoFromMs(outcome.endedAtMs) };
