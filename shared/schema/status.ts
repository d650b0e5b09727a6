import { z } from 'zod';
import { BOOK_STATUSES } from '../domain/market-event.ts';

const percentiles = z.object({ p50: z.number(), p99: z.number(), p999: z.number() });

/** Upper bounds of the buckets in which latencies are counted, seconds; one more bucket has what is above the last. */
export const LATENCY_BOUNDS_S = [
  ...[1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4],
  ...[1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5],
] as const;
/** Since the engine's start, each in one bucket. */
const latencyCounts = z.object({ counts: z.array(z.int()), sum_s: z.number() });
export type LatencyCounts = z.infer<typeof latencyCounts>;

const venueStatus = z.object({
  id: z.string(),
  status: z.enum(['connecting', 'live', 'degraded', 'down']),
  health: z.number(),
  messages: z.int(),
  gaps: z.int(),
  resyncs: z.int(),
  reconnects: z.int(),
  /** Frames of known channels that could not be read. */
  malformed: z.int().optional(),
  /** Trades of the tape and reference updates, where they are followed. */
  prints: z.int().optional(),
  references: z.int().optional(),
  books: z.int(),
  live_books: z.int(),
  /** Books far from what the other venues say, and books that come by REST because no socket can be kept: neither is traded. */
  suspect_books: z.int().optional(),
  polled_books: z.int().optional(),
  /** False from when the health fell too low until it was well again for a while. */
  tradable: z.boolean().optional(),
  age_ms: z.number(),
  age_ms_p99: z.number(),
  clock_offset_ms: z.number(),
  /** Mean change of the travel time from one message to the next. */
  clock_jitter_ms: z.number().optional(),
  /** From an order's leaving to its first word, a mean of the last ones; and orders rejected since the start. */
  order_round_trip_ms: z.number().optional(),
  rejects: z.int().optional(),
});

/** What is at risk now; USD is the numeraire, NaN is written as null. docs/risk.md. */
const riskStatus = z.object({
  at_ms: z.number(),
  equity_usd: z.number().nullable(),
  var_usd: z.number().nullable(),
  expected_shortfall_usd: z.number().nullable(),
  parametric_var_usd: z.number().nullable(),
  monte_carlo_var_usd: z.number().nullable(),
  confidence: z.number(),
  /** VaR over its limit. */
  var_utilization: z.number().nullable(),
  /** Shares of the peak. */
  drawdown: z.number().nullable(),
  max_drawdown: z.number().nullable(),
  leverage: z.number().nullable(),
  concentration: z.number().nullable(),
  correlation_risk: z.number().nullable(),
  /** What could be closed within a minute, as a share of what is held, and what closing all of it costs. */
  liquidity_ratio: z.number().nullable(),
  exit_cost_usd: z.number().nullable(),
  daily_pnl_usd: z.number(),
  exposure: z.object({
    gross_usd: z.number().nullable(),
    net_usd: z.number().nullable(),
    by_venue: z.record(z.string(), z.number()),
    by_asset: z.record(z.string(), z.number()),
    by_family: z.record(z.string(), z.number()),
  }),
  /** Profit or loss of each stress scenario. */
  stresses: z.record(z.string(), z.number().nullable()),
});
export type RiskStatus = z.infer<typeof riskStatus>;

const breakerStatus = z.object({
  id: z.string(),
  state: z.enum(['open', 'closed']),
  trips: z.enum(['reducing', 'halted']),
  value: z.string(),
  limit: z.string(),
  reason: z.string(),
  /** When it last opened; null when it never did. */
  opened_ms: z.number().nullable(),
});
export type BreakerStatus = z.infer<typeof breakerStatus>;

/** An account as its gateway stands: shadow and live. */
const accountStatus = z.object({
  venue: z.string(),
  account: z.string(),
  gateway: z.enum(['native', 'ccxt']),
  status: z.enum(['starting', 'live', 'degraded', 'down']),
  /** Whether the ledger agrees with what the venue says. */
  verified: z.boolean(),
  reason: z.string(),
  round_trip_ms: z.number().nullable(),
  banned_ms: z.number(),
  /** Open ones, as the venue last told them; absent without any. Distance: a share of the price, from the mark to where the venue closes it. */
  positions: z
    .array(
      z.object({
        instrument: z.string(),
        size: z.string(),
        entry_price: z.string(),
        mark_price: z.string().nullable(),
        liquidation_price: z.string().nullable(),
        leverage: z.string().nullable(),
        liquidation_distance: z.number().nullable(),
        /** Where it stands among those that the venue reduces first, 0 (last) to 1; absent where it does not say. */
        adl_rank: z.number().optional(),
      }),
    )
    .optional(),
});
export type AccountStatus = z.infer<typeof accountStatus>;

/** Text of a decimal; null while nobody can say. */
const known = z.string().nullable();

/** A synthetic as its legs stood; levels best first, [price, units]. Prices and fair value are in `quote` and may be below zero. */
export const syntheticStatus = z.object({
  name: z.string(),
  description: z.string(),
  quote: z.string(),
  legs: z.array(z.object({ instrument: z.string(), ratio: z.string() })),
  bids: z.array(z.tuple([z.string(), z.string()])),
  asks: z.array(z.tuple([z.string(), z.string()])),
  fair_value: known,
  greeks: z.object({ delta: known, gamma: known, vega: known, theta: known, rho: known }),
  status: z.enum(BOOK_STATUSES),
  age_ms: z.number(),
});
export type SyntheticStatus = z.infer<typeof syntheticStatus>;

/**
 * What the engine says of itself once a second, past the streams: written straight to the state table by the publish worker, so that it
 * is seen while Kinesis is down, and drawn by the terminal.
 */
export const engineStatus = z.object({
  engine: z.string(),
  epoch: z.int(),
  mode: z.string(),
  at_ms: z.number(),
  started_at_ms: z.number(),
  trading_state: z.enum(['active', 'reducing', 'halted']),
  reason: z.string(),
  version: z.string(),
  venues: z.array(venueStatus),
  messages: z.int(),
  messages_per_second: z.number(),
  decision_ns: percentiles,
  /** By stage. `decision`: from a frame's arrival to what was made of it. `order`: from an order's leaving to its first word. */
  latency: z.record(z.string(), latencyCounts).optional(),
  opportunities: z.object({
    detected: z.int(),
    executed: z.int(),
    rejected_by_reason: z.record(z.string(), z.int()),
    top: z.array(
      z.object({
        route: z.string(),
        type: z.string(),
        net_edge_bps: z.number(),
        notional: z.number(),
        reason: z.string(),
      }),
    ),
  }),
  operations: z.object({
    completed: z.int(),
    failed: z.int(),
    recovering: z.int(),
    open: z.int(),
    /** Of the open ones: waiting for a person. */
    escalated: z.int().optional(),
  }),
  fills: z.int(),
  pnl: z.object({ realised: z.string(), fees: z.string() }),
  journal: z.object({ records: z.int(), published: z.int(), lag_records: z.int(), lag_ms: z.number() }),
  memory_bytes: z.number(),
  /** Most that the process may use: of its container, or the machine's memory. */
  memory_limit_bytes: z.number().optional(),
  cpu_percent: z.number(),
  /** Absent until the first figures. */
  risk: riskStatus.optional(),
  breakers: z.array(breakerStatus).optional(),
  accounts: z.array(accountStatus).optional(),
  /** Absent where no lease is asked for. */
  lease: z.object({ holder: z.string(), epoch: z.int(), left_ms: z.number() }).optional(),
  /** Absent where none is configured. */
  synthetics: z.array(syntheticStatus).optional(),
});
export type EngineStatus = z.infer<typeof engineStatus>;

/** One line of the `market` stream: a best quote sampled at most once a second an instrument. May be lost; the next one replaces it. */
export const marketSample = z.object({
  instrument: z.string(),
  at_ms: z.number(),
  bid: z.string(),
  bid_qty: z.string(),
  ask: z.string(),
  ask_qty: z.string(),
  volume: z.string(),
  status: z.enum(BOOK_STATUSES),
  age_ms: z.number(),
  bids: z.array(z.tuple([z.string(), z.string()])),
  asks: z.array(z.tuple([z.string(), z.string()])),
});
export type MarketSample = z.infer<typeof marketSample>;
