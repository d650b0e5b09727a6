import type { AlertRuleId, AlertsConfig } from '#shared/schema/alerts.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { Alert, Signal } from './alert.ts';
import type { Window } from './windows.ts';

/** What the figures are judged by. */
export type Figures = {
  readonly nowMs: number;
  /** Undefined for an engine that has never spoken. */
  readonly status: EngineStatus | undefined;
  /** In the numeraire, as the gate has it now. */
  readonly maxDailyLossUsd: number | undefined;
  /** Counted since the last window. */
  readonly window: Window;
};

/** Signals of all figures, good and bad: what is not known says nothing. */
export function signalsOfFigures(
  figures: Figures,
  known: readonly Alert[],
  { limits }: Pick<AlertsConfig, 'limits'>,
): readonly Signal[] {
  const { status, nowMs, window } = figures;
  const judged = judge(nowMs);
  const counted = [...ofApi(window, limits, judged), ...ofMoves(window, judged)];
  if (status === undefined) return counted;
  const silentMs = nowMs - status.at_ms;
  const isSilent = silentMs > limits.silent_ms;
  const silence = judged('engine-silent', isSilent, `last heard ${seconds(silentMs)} ago`, {
    value: seconds(silentMs),
    limit: seconds(limits.silent_ms),
  });
  // What the engine said before it fell silent says nothing of now.
  if (isSilent) return [...counted, silence];
  return [
    ...counted,
    silence,
    ...ofEngine(figures, status, limits),
    ...ofStrategies(window, limits, judged),
    ...ofVenues(status, known, limits, nowMs),
    ...ofStop(status, known, nowMs),
  ];
}

type Limits = AlertsConfig['limits'];
type Extra = Pick<Signal, 'value' | 'limit' | 'holdMs'>;
type Judge = (rule: AlertRuleId, bad: boolean, text: string, extra?: Extra) => Signal;
const judge =
  (atMs: number): Judge =>
  (rule, bad, text, extra = {}) => ({ rule, subject: '', bad, atMs, text, ...extra });

function ofEngine(
  { maxDailyLossUsd, window, nowMs }: Figures,
  status: EngineStatus,
  limits: Limits,
): readonly Signal[] {
  const judged = judge(nowMs);
  const found: Signal[] = [];
  const { latencyP99S } = window;
  if (latencyP99S !== undefined) {
    const ms = latencyP99S * 1e3;
    found.push(
      judged('latency-high', ms > limits.latency_p99_ms, 'from frame to decision, 99th percentile', {
        value: `${fixed(ms)} ms`,
        limit: `${limits.latency_p99_ms} ms`,
        holdMs: limits.latency_hold_ms,
      }),
    );
  }
  const memory = memoryShareOf(status);
  if (memory !== undefined) {
    const text = `${Math.round(status.memory_bytes / 1e6)} MB resident`;
    const of = (limit: number): Extra => ({ value: percent(memory), limit: percent(limit) });
    found.push(
      judged('memory-high', memory > limits.memory_high, text, {
        ...of(limits.memory_high),
        holdMs: limits.memory_high_hold_ms,
      }),
      judged('memory-full', memory > limits.memory_full, text, of(limits.memory_full)),
    );
  }
  const utilization = status.risk?.var_utilization ?? undefined;
  if (utilization !== undefined) {
    found.push(
      judged('var-high', utilization > limits.var_utilization, 'value at risk over its limit', {
        value: fixed(utilization),
        limit: String(limits.var_utilization),
        holdMs: limits.var_hold_ms,
      }),
    );
  }
  const pnl = status.risk?.daily_pnl_usd;
  if (pnl !== undefined && maxDailyLossUsd !== undefined) {
    found.push(
      judged('daily-loss', pnl <= -maxDailyLossUsd, 'result of the day', {
        value: fixed(pnl),
        limit: `-${maxDailyLossUsd}`,
      }),
    );
  }
  const { lag_ms, lag_records } = status.journal;
  found.push(
    judged('publish-late', lag_ms > limits.publish_lag_ms, `${lag_records} records are not shipped`, {
      value: seconds(lag_ms),
      limit: seconds(limits.publish_lag_ms),
      holdMs: limits.publish_hold_ms,
    }),
  );
  return found;
}

function ofApi({ api }: Window, limits: Limits, judged: Judge): readonly Signal[] {
  if (api === undefined || api.requests < limits.api_requests_min) return [];
  const share = api.errors / api.requests;
  const text = `${api.errors} of ${api.requests} answers were server errors`;
  const limit = percent(limits.api_error_share);
  return [judged('api-errors', share > limits.api_error_share, text, { value: percent(share), limit })];
}

function ofStrategies({ operations, denials }: Window, limits: Limits, judged: Judge): readonly Signal[] {
  const found: Signal[] = [];
  if (operations !== undefined) {
    const share = operations.failed / operations.ended;
    const text = `${operations.failed} of the last ${operations.ended} operations failed`;
    const limit = percent(limits.failed_share);
    found.push(judged('strategy-degraded', share > limits.failed_share, text, { value: percent(share), limit }));
  }
  if (denials !== undefined) {
    const text = `no plan has passed; refused for ${denials.reasons}`;
    const [value, limit] = [String(denials.count), String(limits.denials)];
    found.push(judged('denial-streak', denials.count >= limits.denials, text, { value, limit }));
  }
  return found;
}

function ofMoves({ moves }: Window, judged: Judge): readonly Signal[] {
  if (moves === undefined) return [];
  const text = moves.unusual.map(({ instrument, bps, sigmas }) => `${instrument} ${bps} bps (${sigmas}σ)`).join(', ');
  return [judged('volatility-unusual', moves.unusual.length > 0, text === '' ? 'prices move as usual' : text)];
}

/** Each venue; one that is not configured any more is none to worry about. */
function ofVenues({ venues }: EngineStatus, known: readonly Alert[], limits: Limits, atMs: number): readonly Signal[] {
  const about = { rule: 'venue-degraded', atMs, holdMs: limits.venue_hold_ms } as const;
  const listed = new Set(venues.map(({ id }) => id));
  const gone = known.filter(({ rule, subject }) => rule === 'venue-degraded' && !listed.has(subject));
  return [
    ...venues.map((venue) => ({
      ...about,
      subject: venue.id,
      bad: venue.status !== 'live' || venue.tradable === false,
      text: `${venue.status}, ${venue.live_books} of ${venue.books} books live`,
      value: fixed(venue.health),
    })),
    ...gone.map(({ subject }) => ({ ...about, subject, bad: false, text: 'not configured any more' })),
  ];
}

/** An emergency stop is over when trading is. */
function ofStop(status: EngineStatus, known: readonly Alert[], nowMs: number): readonly Signal[] {
  const stop = known.find(({ rule, state }) => rule === 'emergency-stop' && state === 'firing');
  const isTrading = stop !== undefined && status.trading_state === 'active' && status.at_ms > stop.last_ms;
  return isTrading ? [judge(nowMs)('emergency-stop', false, 'trading goes on')] : [];
}

/** Of what the process may use; undefined where nobody says how much that is. */
export function memoryShareOf({ memory_bytes, memory_limit_bytes }: EngineStatus): number | undefined {
  return memory_limit_bytes === undefined || memory_limit_bytes <= 0 ? undefined : memory_bytes / memory_limit_bytes;
}

const fixed = (value: number): string => String(Number(value.toPrecision(4)));
const percent = (share: number): string => `${fixed(share * 100)} %`;
const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
