import { z } from 'zod';
import { BOOK_STATUSES } from '../domain/market-event.ts';

const percentiles = z.object({ p50: z.number(), p99: z.number(), p999: z.number() });

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
});

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
  operations: z.object({ completed: z.int(), failed: z.int(), recovering: z.int(), open: z.int() }),
  fills: z.int(),
  pnl: z.object({ realised: z.string(), fees: z.string() }),
  journal: z.object({ records: z.int(), published: z.int(), lag_records: z.int(), lag_ms: z.number() }),
  memory_bytes: z.number(),
  cpu_percent: z.number(),
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
