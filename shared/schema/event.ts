import { z } from 'zod';

/** Decimal text, exact: money never travels as a JSON number between planes. */
const decimal = z.string().regex(/^-?\d+(\.\d+)?$/);
const unixNs = z.string().regex(/^\d{1,20}$/);
const side = z.enum(['buy', 'sell']);

const leg = z.object({ instrument: z.string(), side, price: decimal, qty: decimal });

/** What the chance that a leg fills was reckoned from: milliseconds, and fractions (docs/calibration.md). */
const legFill = z.object({
  age_ms: decimal,
  round_trip_ms: decimal,
  volatility: decimal,
  share: decimal,
  cushion: decimal,
});
export type LegFill = z.infer<typeof legFill>;

/** One check of the decision, for the explanation: what was asked, what was found, whether it held. */
const check = z.object({ name: z.string(), value: z.string(), limit: z.string().optional(), passed: z.boolean() });

const payloads = {
  'engine-started': z.object({
    mode: z.enum(['paper', 'shadow', 'live', 'replay']),
    epoch: z.int(),
    seed: z.int().optional(),
    version: z.string(),
    config_hash: z.string(),
    venues: z.array(z.string()),
    families: z.array(z.string()),
    instruments: z.int(),
    routes: z.int(),
  }),
  'engine-stopped': z.object({ reason: z.string() }),
  'trading-state': z.object({
    state: z.enum(['active', 'reducing', 'halted']),
    reason: z.string(),
    by: z.string(),
    command_id: z.string().optional(),
  }),
  'command-refused': z.object({ command_id: z.string(), code: z.int(), reason: z.string() }),
  'venue-status': z.object({
    venue: z.string(),
    status: z.enum(['connecting', 'live', 'degraded', 'down']),
    reason: z.string(),
  }),
  opportunity: z.object({
    id: z.string(),
    route: z.string(),
    type: z.string(),
    asset: z.string(),
    legs: z.array(leg.extend({ fill: legFill.optional() })),
    notional: decimal,
    gross_edge_bps: decimal,
    net_edge_bps: decimal,
    fees: decimal,
    slippage: decimal,
    unwind_cost: decimal,
    fill_probability: decimal,
    expected_value: decimal,
    oldest_book_age_ms: decimal,
    /** `active` while it lasts; each change is a new event with the same id. */
    status: z.enum(['active', 'executed', 'expired', 'rejected']),
    reason: z.string().optional(),
    detail: z.string().optional(),
    operation: z.string().optional(),
    checks: z.array(check),
    first_seen: unixNs,
    last_seen: unixNs,
    peak_net_edge_bps: decimal,
  }),
  operation: z.object({
    id: z.string(),
    opportunity: z.string(),
    route: z.string(),
    type: z.string(),
    state: z.enum(['approved', 'executing', 'recovering', 'completed', 'failed']),
    reason: z.string().optional(),
    notional: decimal,
    expected_profit: decimal,
    /** Asset → value in the numeraire, fixed at plan time: profit = Σ over fills of asset flows × rate. */
    rates: z.record(z.string(), decimal),
    legs: z.array(leg),
    /** Set once the operation is over. */
    pnl: z.object({ realised: decimal, fees: decimal }).optional(),
  }),
  order: z.object({
    client_order_id: z.string(),
    venue_order_id: z.string().optional(),
    operation: z.string(),
    leg: z.int(),
    attempt: z.int(),
    purpose: z.enum(['leg', 'complete', 'unwind', 'hedge', 'manual']),
    instrument: z.string(),
    side,
    type: z.enum(['limit', 'market']),
    time_in_force: z.enum(['GTC', 'IOC', 'FOK']),
    price: decimal,
    qty: decimal,
    filled_qty: decimal,
    average_price: decimal.optional(),
    status: z.enum([
      'submitted',
      'unknown',
      'accepted',
      'partially-filled',
      'filled',
      'canceled',
      'rejected',
      'expired',
    ]),
    reason: z.string().optional(),
  }),
  fill: z.object({
    trade_id: z.string(),
    client_order_id: z.string(),
    operation: z.string(),
    instrument: z.string(),
    base: z.string(),
    quote: z.string(),
    side,
    price: decimal,
    qty: decimal,
    fee: decimal,
    fee_asset: z.string(),
    liquidity: z.enum(['maker', 'taker']),
  }),
  balance: z.object({ venue: z.string(), asset: z.string(), total: decimal, available: decimal, reserved: decimal }),
  position: z.object({
    id: z.string(),
    instrument: z.string(),
    type: z.enum(['long', 'short', 'flat']),
    size: decimal,
    entry_price: decimal,
    realized_pnl: decimal,
    status: z.enum(['open', 'closed']),
  }),
} as const;

export type EventKind = keyof typeof payloads;
export const eventKinds = Object.keys(payloads) as readonly EventKind[];
export type EventData<K extends EventKind> = z.infer<(typeof payloads)[K]>;

/**
 * One journalled fact. `seq` counts every record of one engine without a hole, over restarts; `key` groups what must stay in order
 * downstream (an operation, a venue, an opportunity) and is the Kinesis partition key.
 */
export type EngineEvent = {
  [K in EventKind]: {
    readonly v: 1;
    readonly engine: string;
    readonly seq: number;
    readonly at: string;
    readonly key: string;
    readonly kind: K;
    readonly data: EventData<K>;
  };
}[EventKind];

const envelope = {
  v: z.literal(1),
  engine: z.string().min(1),
  seq: z.int().positive(),
  at: unixNs,
  key: z.string().min(1),
};

/** The schema of every event, for consumers: what does not parse is poison and goes to the dead-letter queue with its reason. */
export const engineEvent: z.ZodType<EngineEvent> = z.discriminatedUnion(
  'kind',
  // zod wants a non-empty tuple; the kinds are listed once, above.
  eventKinds.map((kind) => z.object({ ...envelope, kind: z.literal(kind), data: payloads[kind] })) as never,
);
