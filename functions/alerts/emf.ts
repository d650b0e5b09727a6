import type { Figures } from './figures.ts';
import { memoryShareOf } from './figures.ts';

const NAMESPACE = 'ArbitrageEngine';

/**
 * The figures as one line that CloudWatch makes metrics of; what is not known is left out.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function emfLine(engine: string, { nowMs, status, window }: Figures): string {
  const share = status === undefined ? undefined : memoryShareOf(status);
  const found: Readonly<Record<string, readonly [unit: string, value: number | null | undefined]>> = {
    StatusAge: ['Milliseconds', status === undefined ? undefined : nowMs - status.at_ms],
    DecisionLatencyP99: ['Milliseconds', scaled(window.latencyP99S, 1e3)],
    MemoryUtilization: ['Percent', scaled(share, 100)],
    VarUtilization: ['None', status?.risk?.var_utilization],
    DailyPnl: ['None', status?.risk?.daily_pnl_usd],
    VenuesNotLive: ['Count', status?.venues.filter((venue) => venue.status !== 'live').length],
    PublishLag: ['Milliseconds', status?.journal.lag_ms],
  };
  const known = Object.entries(found).flatMap(([name, [unit, value]]) =>
    typeof value === 'number' && Number.isFinite(value) ? [{ name, unit, value }] : [],
  );
  return JSON.stringify({
    _aws: {
      Timestamp: Math.floor(nowMs),
      CloudWatchMetrics: [
        {
          Namespace: NAMESPACE,
          Dimensions: [['Engine']],
          Metrics: known.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    Engine: engine,
    ...Object.fromEntries(known.map(({ name, value }) => [name, value])),
  });
}

const scaled = (value: number | undefined, by: number): number | undefined =>
  value === undefined ? undefined : value * by;
