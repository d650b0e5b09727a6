import type { Config } from '#shared/schema/config.ts';
import { Window } from './window.ts';

/** What has come to an end and counts: an operation that ended at once, or a holding. In the numeraire. */
export type Result = {
  readonly realisedUsd: number;
  readonly expectedUsd: number;
  readonly notionalUsd: number;
};

/** How one order has ended. `refused`: its venue did not take it, for a reason that is no usual outcome. `unknown`: nobody can say. */
export type OrderEnd = 'taken' | 'refused' | 'unknown';

/** Pure state machines on passed time: what each has seen, and whether it has seen too much. Cleared when a person resets the breaker. */
export type Machine = {
  readonly value: (nowMs: number) => number;
  readonly limit: number;
  /** Too much has been seen for it to stay closed. */
  readonly isOver: (nowMs: number) => boolean;
  readonly clear: () => void;
  readonly onResult?: (result: Result, nowMs: number) => void;
  /** Beside results: what of an operation was expected and came of it, before it is known what holding it brings. */
  readonly onTrade?: (result: Result, nowMs: number) => void;
  readonly onOrder?: (end: OrderEnd, nowMs: number) => void;
  readonly onRoundTrip?: (tookMs: number, nowMs: number) => void;
  /** A venue has reduced a position by itself. */
  readonly onForced?: () => void;
};

type Settings = Config['breakers'];
const MINUTE_MS = 60_000;
/** More results or orders than this within a window push the oldest out. */
const RESULTS_MAX = 2_000;
const ORDERS_MAX = 2_000;
/** Of round trips. */
const SLOWEST_SHARE = 0.01;

/** Results below zero, one after the other. */
export function consecutiveLosses({ max }: Settings['consecutive_losses']): Machine {
  let losses = 0;
  return {
    value: () => losses,
    limit: max,
    isOver: () => losses >= max,
    clear: () => {
      losses = 0;
    },
    onResult: ({ realisedUsd }) => {
      losses = realisedUsd < 0 ? losses + 1 : 0;
    },
  };
}

/** Trades that venues have made of our positions by themselves: one is too many. */
export function forcedTrades(): Machine {
  let trades = 0;
  return {
    value: () => trades,
    limit: 1,
    isOver: () => trades > 0,
    clear: () => {
      trades = 0;
    },
    onForced: () => {
      trades += 1;
    },
  };
}

/** What results of the window have lost together. */
export function windowLoss({ usd, minutes }: Settings['window_loss']): Machine {
  const window = new Window(minutes * MINUTE_MS, RESULTS_MAX);
  const value = (nowMs: number): number => Math.max(0, -window.sum(nowMs));
  return {
    value,
    limit: usd,
    isOver: (nowMs) => value(nowMs) >= usd,
    clear: () => window.clear(),
    onResult: ({ realisedUsd }, nowMs) => window.add(nowMs, realisedUsd),
  };
}

/** Orders refused one after the other. */
export function rejectStreak({ max }: Settings['reject_streak']): Machine {
  let refused = 0;
  return {
    value: () => refused,
    limit: max,
    isOver: () => refused >= max,
    clear: () => {
      refused = 0;
    },
    onOrder: (end) => {
      if (end === 'refused') refused += 1;
      else if (end === 'taken') refused = 0;
    },
  };
}

/** Share of the window's orders that were refused or left in doubt. */
export function errorRate({ share, orders_min: least, minutes }: Settings['error_rate']): Machine {
  const window = new Window(minutes * MINUTE_MS, ORDERS_MAX);
  const value = (nowMs: number): number => {
    const count = window.count(nowMs);
    return count === 0 ? 0 : window.sum(nowMs) / count;
  };
  return {
    value,
    limit: share,
    isOver: (nowMs) => window.count(nowMs) >= least && value(nowMs) >= share,
    clear: () => window.clear(),
    onOrder: (end, nowMs) => window.add(nowMs, end === 'taken' ? 0 : 1),
  };
}

/** The 99th percentile of the window's round trips. */
export function latency({ ms, orders_min: least, minutes }: Settings['latency']): Machine {
  const window = new Window(minutes * MINUTE_MS, ORDERS_MAX);
  const slow = new Window(minutes * MINUTE_MS, ORDERS_MAX);
  return {
    value: (nowMs) => window.quantile(1 - SLOWEST_SHARE, nowMs),
    limit: ms,
    isOver: (nowMs) => {
      const count = slow.count(nowMs);
      return count >= least && slow.sum(nowMs) > SLOWEST_SHARE * count;
    },
    clear: () => {
      window.clear();
      slow.clear();
    },
    onRoundTrip: (tookMs, nowMs) => {
      window.add(nowMs, tookMs);
      slow.add(nowMs, tookMs > ms ? 1 : 0);
    },
  };
}

/** By how much the last operations fell short of what they were expected to bring, of their notional. */
export function drift({ bps, operations }: Settings['drift']): Machine {
  const missed = new Window(Infinity, operations);
  const traded = new Window(Infinity, operations);
  const value = (nowMs: number): number => {
    const notionalUsd = traded.sum(nowMs);
    return notionalUsd === 0 ? 0 : (missed.sum(nowMs) / notionalUsd) * 1e4;
  };
  return {
    value,
    limit: bps,
    isOver: (nowMs) => traded.count(nowMs) >= operations && value(nowMs) >= bps,
    clear: () => {
      missed.clear();
      traded.clear();
    },
    onTrade: ({ realisedUsd, expectedUsd, notionalUsd }, nowMs) => {
      missed.add(nowMs, expectedUsd - realisedUsd);
      traded.add(nowMs, notionalUsd);
    },
  };
}
