import type { AlertsConfig } from '#shared/schema/alerts.ts';
import { LATENCY_BOUNDS_S, type EngineStatus, type MarketSample } from '#shared/schema/status.ts';

/** Counters as they stand: what is judged is how far they have moved. */
export type Reading = {
  readonly atMs: number;
  readonly status: EngineStatus | undefined;
  /** Of this process since its start; undefined where others count them. */
  readonly api: { readonly requests: number; readonly errors: number } | undefined;
  readonly markets: readonly MarketSample[];
};

/** What a reading is compared with. Counters of an engine begin anew with it. */
export type Memory = {
  readonly at_ms: number;
  readonly started_ms: number;
  readonly latency: readonly number[];
  readonly api: { readonly requests: number; readonly errors: number };
  /** Not moved before enough operations have ended. */
  readonly operations: { readonly completed: number; readonly failed: number };
  /** As they stood when the last plan had passed. */
  readonly passed: { readonly executed: number; readonly denied: number };
  /** Instrument → mid, variance of its moves, windows. */
  readonly moves: Readonly<Record<string, readonly [mid: number, variance: number, windows: number]>>;
};

/** What was counted over a window; absent where it was too short or too little happened. */
export type Window = {
  /** Seconds: the 99th percentile. */
  readonly latencyP99S?: number;
  readonly api?: { readonly requests: number; readonly errors: number };
  readonly operations?: { readonly ended: number; readonly failed: number };
  readonly denials?: { readonly count: number; readonly reasons: string };
  readonly moves?: Moves;
};

type Moves = {
  readonly unusual: readonly { readonly instrument: string; readonly bps: number; readonly sigmas: number }[];
};

type Limits = AlertsConfig['limits'];

const INSTRUMENTS_MAX = 1_000;
/** Moves are judged once this many are known. */
const WINDOWS_MIN = 20;
/** Weight of the past in the variance, a window. @see RiskMetrics Technical Document (1996), 5.2.1 */
const DECAY = 0.94;
const NAMED_MAX = 5;

/** Refusals by a limit or a doubt of the gate; what the market alone explains is no denial. */
const DENIAL = /_EXCEEDS?_MAX$|^(VENUE_UNHEALTHY|ACCOUNT_UNVERIFIED|RISK_UNKNOWN|MARGIN_INSUFFICIENT)$/;

/** What happened since the memory was made, and the memory for the next time. */
export function windowOf(
  memory: Memory | undefined,
  reading: Reading,
  limits: Limits,
): { readonly window: Window; readonly memory: Memory } {
  const { status, api = { requests: 0, errors: 0 } } = reading;
  const startedMs = status?.started_at_ms ?? 0;
  const isSame = memory !== undefined && memory.started_ms === startedMs;
  const operations = operationsOf(isSame ? memory.operations : NO_OPERATIONS, status, limits);
  const passed = passedOf(isSame ? memory.passed : NONE_PASSED, status);
  const latency = status?.latency?.['decision']?.counts ?? [];
  const moves = movesOf(memory?.moves ?? {}, reading.markets, limits);
  const next: Memory = {
    at_ms: reading.atMs,
    started_ms: startedMs,
    latency,
    api,
    operations: operations.base,
    passed,
    moves: moves.next,
  };
  if (memory === undefined) return { window: {}, memory: next };
  const p99 = latencyP99(isSame ? memory.latency : [], latency);
  const window: Window = {
    ...(p99 === undefined ? {} : { latencyP99S: p99 }),
    ...(reading.api === undefined ? {} : { api: since(memory.api, api) }),
    ...(operations.ended === undefined ? {} : { operations: operations.ended }),
    ...(status === undefined ? {} : { denials: denialsOf(passed, status) }),
    moves: { unusual: moves.unusual },
  };
  return { window, memory: next };
}

/** The quantile of counts by bucket, with straight lines between the bounds; what is above the last bound counts as that. Undefined of nothing. */
export function quantileOf(counts: readonly number[], quantile: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    const wanted = quantile * total - below;
    if (count > 0 && wanted <= count) {
      const from = index === 0 ? 0 : LATENCY_BOUNDS_S[index - 1]!;
      const to = LATENCY_BOUNDS_S[index];
      return to === undefined ? from : from + ((to - from) * wanted) / count;
    }
    below += count;
  }
  return LATENCY_BOUNDS_S.at(-1);
}

const NO_OPERATIONS = { completed: 0, failed: 0 } as const;
const NONE_PASSED = { executed: 0, denied: 0 } as const;

function latencyP99(before: readonly number[], now: readonly number[]): number | undefined {
  return quantileOf(
    now.map((count, index) => Math.max(0, count - (before[index] ?? 0))),
    0.99,
  );
}

/** A process that was started anew counts from zero. */
function since(before: Memory['api'], now: Memory['api']): Memory['api'] {
  if (now.requests < before.requests) return now;
  return { requests: now.requests - before.requests, errors: Math.max(0, now.errors - before.errors) };
}

function operationsOf(
  base: Memory['operations'],
  status: EngineStatus | undefined,
  { operations_min }: Limits,
): { readonly base: Memory['operations']; readonly ended: Window['operations'] } {
  if (status === undefined) return { base, ended: undefined };
  const { completed, failed } = status.operations;
  const ended = completed + failed - base.completed - base.failed;
  if (ended < operations_min) return { base, ended: undefined };
  return { base: { completed, failed }, ended: { ended, failed: failed - base.failed } };
}

function passedOf(before: Memory['passed'], status: EngineStatus | undefined): Memory['passed'] {
  if (status === undefined) return before;
  const { executed } = status.opportunities;
  return executed > before.executed ? { executed, denied: deniedOf(status) } : before;
}

function denialsOf({ denied }: Memory['passed'], status: EngineStatus): NonNullable<Window['denials']> {
  const reasons = deniedReasons(status)
    .sort(([, a], [, b]) => b - a)
    .slice(0, NAMED_MAX)
    .map(([reason]) => reason);
  return { count: Math.max(0, deniedOf(status) - denied), reasons: reasons.join(', ') };
}

const deniedReasons = ({ opportunities }: EngineStatus): [string, number][] =>
  Object.entries(opportunities.rejected_by_reason).filter(([reason]) => DENIAL.test(reason));
const deniedOf = (status: EngineStatus): number => deniedReasons(status).reduce((sum, [, count]) => sum + count, 0);

/** How far each mid has moved, against how it usually moves. */
function movesOf(
  before: Memory['moves'],
  markets: readonly MarketSample[],
  { volatility_sigmas, volatility_bps }: Limits,
): { readonly next: Memory['moves']; readonly unusual: Moves['unusual'] } {
  const next: Record<string, Memory['moves'][string]> = {};
  const unusual: Moves['unusual'][number][] = [];
  for (const { instrument, bid, ask, status } of markets.slice(0, INSTRUMENTS_MAX)) {
    const known = before[instrument];
    const mid = status === 'live' && bid !== '' && ask !== '' ? (Number(bid) + Number(ask)) / 2 : 0;
    if (!(mid > 0)) {
      if (known !== undefined) next[instrument] = known;
      continue;
    }
    if (known === undefined) {
      next[instrument] = [mid, 0, 0];
      continue;
    }
    const [lastMid, variance, windows] = known;
    const move = Math.log(mid / lastMid);
    const sigmas = Math.abs(move) / Math.sqrt(variance);
    const bps = Math.abs(move) * 1e4;
    if (windows >= WINDOWS_MIN && bps >= volatility_bps && sigmas >= volatility_sigmas)
      unusual.push({ instrument, bps: Math.round(bps), sigmas: Math.round(sigmas) });
    const weight = windows === 0 ? 0 : DECAY;
    next[instrument] = [mid, weight * variance + (1 - weight) * move * move, windows + 1];
  }
  return { next, unusual: unusual.sort((a, b) => b.sigmas - a.sigmas).slice(0, NAMED_MAX) };
}
