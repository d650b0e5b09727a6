import type { Clock } from '#shared/clock/clock.ts';
import type { AlertsConfig } from '#shared/schema/alerts.ts';
import { at } from '../common/layout.ts';
import type { Store } from '../common/store.ts';
import type { Figures } from './figures.ts';
import { windowOf, type Memory, type Reading } from './windows.ts';

export type WatchOptions = {
  readonly store: Store;
  /** Requests and server errors of the API since its start; absent where somebody else counts them. */
  readonly api?: () => NonNullable<Reading['api']>;
  /** With what the engine is started, until it says otherwise. */
  readonly maxDailyLossUsd: number | undefined;
  readonly clock: Clock;
};

/** The figures as they are now. What is counted over a window is there when the window is over: the memory of its begin stands in the table. */
export async function readFigures(
  { store, api, maxDailyLossUsd, clock }: WatchOptions,
  { window_ms, limits }: AlertsConfig,
): Promise<Figures> {
  const nowMs = clock.unixMs(clock.now());
  const key = at.alertMemory(store.engine);
  const [status, set, item] = await Promise.all([store.status(), store.riskLimits(), store.state.get(key)]);
  const about = { nowMs, status, maxDailyLossUsd: set?.data.limits['max_daily_loss_usd'] ?? maxDailyLossUsd };
  // Written below alone.
  const memory = item === undefined ? undefined : (JSON.parse(String(item['memory'])) as Memory);
  if (memory !== undefined && nowMs - memory.at_ms < window_ms) return { ...about, window: {} };

  const reading: Reading = { atMs: nowMs, status, api: api?.(), markets: await store.markets() };
  const found = windowOf(memory, reading, limits);
  await store.state.update(key, {
    UpdateExpression: 'SET #memory = :memory',
    ExpressionAttributeNames: { '#memory': 'memory' },
    ExpressionAttributeValues: { ':memory': JSON.stringify(found.memory) },
  });
  return { ...about, window: found.window };
}
