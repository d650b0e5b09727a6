import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import { statusData } from '#shared/schema/api.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import { exact, success } from '../../common/envelope.ts';
import type { EventOf } from '../../common/store.ts';
import { nowMs, SILENT_AFTER_MS, type App, type AppOptions } from '../context.ts';
import { answers, denials, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

type StatusData = z.infer<typeof statusData>;

/** The engine as it last described itself; `state` is `unknown` once that is too long ago. */
export function mountStatus(app: App, options: AppOptions, guards: Guards): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/status',
    tags: ['system'],
    summary: 'Engine state, venues, lag of the publish worker, versions',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    responses: { 200: answers(statusData, 'The status'), ...denials },
  });
  app.openapi(route, async (context) => {
    const [status, venues] = await Promise.all([options.store.status(), options.store.venues()]);
    const ageMs = status === undefined ? null : Math.max(0, Math.round(nowMs(options) - status.at_ms));
    const data = status === undefined || ageMs === null ? silent(options.store.engine) : spoken(status, venues, ageMs);
    return context.json(success(data, nowMs(options)), 200);
  });
}

function spoken(status: EngineStatus, venues: readonly EventOf<'venue-status'>[], ageMs: number): StatusData {
  const isSilent = ageMs > SILENT_AFTER_MS;
  const reasons = new Map(venues.map(({ data }) => [data.venue, data.reason]));
  return {
    engine: status.engine,
    state: isSilent ? 'unknown' : status.trading_state,
    reason: isSilent ? `the engine was last heard ${Math.round(ageMs / 1000)} s ago` : status.reason,
    mode: status.mode,
    version: status.version,
    epoch: status.epoch,
    status_age_ms: ageMs,
    venues: status.venues.map((venue) => ({
      ...venue,
      malformed: venue.malformed ?? 0,
      clock_jitter_ms: venue.clock_jitter_ms ?? null,
      suspect_books: venue.suspect_books ?? null,
      polled_books: venue.polled_books ?? null,
      tradable: venue.tradable ?? null,
      order_round_trip_ms: venue.order_round_trip_ms ?? null,
      rejects: venue.rejects ?? 0,
      reason: reasons.get(venue.id) ?? null,
    })),
    messages_per_second: status.messages_per_second,
    decision_ns: status.decision_ns,
    opportunities: {
      detected: status.opportunities.detected,
      executed: status.opportunities.executed,
      rejected_by_reason: status.opportunities.rejected_by_reason,
    },
    operations: { ...status.operations, escalated: status.operations.escalated ?? 0 },
    breakers_open: (status.breakers ?? []).filter(({ state }) => state === 'open').map(({ id }) => id),
    accounts: (status.accounts ?? []).map(({ venue, positions, ...account }) => ({
      exchange: venue,
      ...account,
      open_positions: positions?.length ?? 0,
    })),
    lease: status.lease ?? null,
    pnl: { realised: exact(status.pnl.realised), fees: exact(status.pnl.fees) },
    publish: {
      journalled: status.journal.records,
      published: status.journal.published,
      lag_records: status.journal.lag_records,
      lag_ms: status.journal.lag_ms,
    },
  };
}

const silent = (engine: string): StatusData => ({
  engine,
  state: 'unknown',
  reason: 'the engine has never been heard',
  mode: null,
  version: null,
  epoch: null,
  status_age_ms: null,
  venues: [],
  messages_per_second: 0,
  decision_ns: { p50: 0, p99: 0, p999: 0 },
  opportunities: { detected: 0, executed: 0, rejected_by_reason: {} },
  operations: { completed: 0, failed: 0, recovering: 0, open: 0, escalated: 0 },
  breakers_open: [],
  accounts: [],
  lease: null,
  pnl: { realised: exact('0'), fees: exact('0') },
  publish: { journalled: 0, published: 0, lag_records: 0, lag_ms: 0 },
});
