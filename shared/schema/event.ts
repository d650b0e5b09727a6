import { z } from 'zod';

/** Decimal text, exact: money never travels as a JSON number between planes. */
const decimal = z.string().regex(/^-?\d+(\.\d+)?$/);
const unixNs = z.string().regex(/^\d{1,20}$/);
const side = z.enum(['buy', 'sell']);

const leg = z.object({ instrument: z.string(), side, price: decimal, qty: decimal });

/** What a reader must know of a contract to tell the money of its trades; absent for spot. */
const contract = z.object({
  kind: z.enum(['perpetual', 'future', 'option', 'combo']),
  /** Base units (inverse futures: quote units) in one unit of quantity. */
  size: decimal,
  inverse: z.boolean(),
  settle: z.string(),
  right: z.enum(['call', 'put']).optional(),
});

/** The same, with what its settlement needs. */
const heldContract = contract.extend({
  expiry_ms: z.number().optional(),
  strike: decimal.optional(),
  /** Fee of the settlement, as a fraction of the value or of the underlying. */
  delivery: decimal.optional(),
  premium_share_max: decimal.optional(),
});

/** What the chance that a leg fills was reckoned from: milliseconds, and fractions (docs/calibration.md). */
const legFill = z.object({
  age_ms: decimal,
  round_trip_ms: decimal,
  volatility: decimal,
  share: decimal,
  displayed: decimal,
  cushion: decimal,
});
export type LegFill = z.infer<typeof legFill>;

/** One check of the decision, for the explanation: what was asked, what was found, whether it held. */
const check = z.object({ name: z.string(), value: z.string(), limit: z.string().optional(), passed: z.boolean() });

/** What the time until the end brings and costs, in the opportunity's asset; docs/net-edge.md. */
const opportunityHolding = z.object({
  certainty: z.enum(['locked', 'bound', 'converging']),
  hours: decimal,
  payoff: decimal,
  closing: decimal,
  delivery: decimal,
  funding: decimal,
  borrow: decimal,
  capital_cost: decimal,
  annualised: decimal,
  /** Absent when funding never pays for the rest. */
  break_even_hours: decimal.optional(),
});

/** What an opportunity that was refused would have made: its legs at its size in the books of some moments later. */
const counterfactual = z.object({
  /** As it was refused. */
  notional: decimal,
  net_edge_bps: decimal,
  /** How long its route kept paying. */
  lifetime_ms: decimal,
  /** Edge and profit are absent where the books did not bear the size. */
  outcomes: z.array(z.object({ delay_ms: z.number(), net_edge_bps: decimal.optional(), profit: decimal.optional() })),
});

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
  /** A command was carried out that no event of its own answers; `detail` is what whoever asked wants to know (the order's id, what was not changed). */
  'command-done': z.object({
    command_id: z.string(),
    command: z.string(),
    by: z.string(),
    detail: z.record(z.string(), z.string()),
  }),
  /** Limits of the gate that were set by command, all of them as they are now. */
  'risk-limits': z.object({
    limits: z.record(z.string(), z.number()),
    version: z.int().optional(),
    by: z.string(),
    command_id: z.string(),
  }),
  /** A breaker has opened, or was reset. */
  breaker: z.object({
    id: z.string(),
    state: z.enum(['open', 'closed']),
    /** What it makes of the trading state while it is open. */
    trips: z.enum(['reducing', 'halted']),
    reason: z.string(),
    value: z.string(),
    limit: z.string(),
    by: z.string(),
    command_id: z.string().optional(),
  }),
  /** How an emergency stop stands. `verified`: every venue has said that no order of ours is open. */
  'emergency-stop': z.object({
    state: z.enum(['started', 'verified', 'failed']),
    reason: z.string(),
    by: z.string(),
    command_id: z.string().optional(),
    accounts: z.array(
      z.object({
        venue: z.string(),
        account: z.string(),
        /** Orders that were open, that are left, and how long the venue took to say so. */
        open: z.int(),
        left: z.int(),
        ms: z.number(),
      }),
    ),
  }),
  /** Recovery asks a person, has been answered, or needs none any more. */
  escalation: z.object({
    operation: z.string(),
    state: z.enum(['open', 'approved', 'cancelled', 'settled']),
    reason: z.string(),
    /** In words: what happened, what is at stake, what can be done. */
    request: z.string(),
    /** What stands unhedged: by instrument, signed, in its unit, with its value in the numeraire. */
    loose: z.array(z.object({ instrument: z.string(), size: decimal, value: decimal })),
    /** Ways out with their cost in the numeraire, against the plan; `id` is what an approval names. */
    proposals: z.array(
      z.object({
        id: z.string(),
        kind: z.enum(['complete', 'unwind', 'hedge', 'accept']),
        cost: decimal,
        orders: z.array(leg),
      }),
    ),
    attempts: z.int(),
    loss: decimal,
    since_ms: z.number(),
    by: z.string().optional(),
    command_id: z.string().optional(),
  }),
  /** What a venue says of an account differs from the ledger (`open`), or does no more. An asset, or an instrument's position. */
  mismatch: z.object({
    venue: z.string(),
    what: z.enum(['balance', 'position', 'order']),
    id: z.string(),
    state: z.enum(['open', 'settled']),
    ledger: z.string(),
    venue_says: z.string(),
    /** In the numeraire, where it can be said. */
    value: decimal.optional(),
    reason: z.string(),
  }),
  /** A balance was made what the venue says: `amount` was added. Trading did not earn it. */
  adjustment: z.object({
    venue: z.string(),
    asset: z.string(),
    amount: decimal,
    reason: z.string(),
    by: z.string(),
    command_id: z.string().optional(),
  }),
  /** A position was made what its venue says: `size` contracts, signed, entered at `entry_price`. No profit, no cash: balances are adjusted by themselves. */
  'position-adjustment': z.object({
    venue: z.string(),
    instrument: z.string(),
    base: z.string(),
    quote: z.string(),
    size: decimal,
    entry_price: decimal,
    contract,
    reason: z.string(),
    by: z.string(),
    command_id: z.string().optional(),
  }),
  /** What is held, or an operation that is open, nears the age at which it may be no more (`near`), or has reached it (`over`). Hours. */
  ageing: z.object({
    what: z.enum(['holding', 'operation']),
    id: z.string(),
    family: z.string(),
    state: z.enum(['near', 'over']),
    age_hours: decimal,
    limit_hours: decimal,
  }),
  /** The most that trading has earned since the first start, at the prices of then, in the numeraire: drawdown is measured from it. */
  'profit-peak': z.object({ usd: decimal }),
  /** Who may trade. `lost`: this engine sends nothing any more. */
  lease: z.object({
    state: z.enum(['held', 'lost', 'released']),
    holder: z.string(),
    epoch: z.int(),
    reason: z.string(),
  }),
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
    /** In `asset`: what must lie idle or as margin, and what our own footprint is expected to cost. */
    capital: decimal.optional(),
    impact: decimal.optional(),
    /** What orders get better than the net profit counts on, and the probability of an end as if all legs had filled. */
    improvement: decimal.optional(),
    good_end: decimal.optional(),
    holding: opportunityHolding.optional(),
    /** Among the plans of one change: which had the money first. `worth` is expected value per unit of capital and hour. */
    contest: z.object({ rank: z.int(), of: z.int(), worth: decimal }).optional(),
    counterfactual: counterfactual.optional(),
  }),
  operation: z.object({
    id: z.string(),
    opportunity: z.string(),
    route: z.string(),
    type: z.string(),
    state: z.enum(['approved', 'executing', 'recovering', 'escalated', 'completed', 'failed']),
    reason: z.string().optional(),
    notional: decimal,
    expected_profit: decimal,
    /** Asset → value in the numeraire, fixed at plan time: profit = Σ over fills of asset flows × rate. */
    rates: z.record(z.string(), decimal),
    /** `price` is the worst that the plan bears. */
    legs: z.array(leg.extend({ expected_price: decimal.optional() })),
    /** Set once the operation is over. */
    pnl: z.object({ realised: decimal, fees: decimal }).optional(),
    /** Sum routes: how the legs hang together. Legs agree when filled quantity / `per_unit` is the same for all. */
    bond: z
      .object({
        units: decimal,
        per_unit: z.array(decimal),
        intent: z.enum(['enter', 'exit']),
        ends_ms: z.number().optional(),
        /** What a unit is worth beyond its fills, in the numeraire: payoffs and funding to come less what is still to be paid. */
        carry: decimal,
        /** In which the route is counted. */
        asset: z.string(),
        /** Of an exit: what it ends. */
        holding: z.string().optional(),
      })
      .optional(),
    /**
     * Where the profit came from, once the operation is over, in the numeraire: captured + slippage + legging + fees + inventory = realised.
     * docs/operations.md.
     */
    attribution: z
      .object({
        /** What the plan expected before fees, of what was filled. */
        captured: decimal,
        /** Better or worse prices of the plan's own orders. */
        slippage: decimal,
        /** What recovery's orders cost against the plan's prices. */
        legging: decimal,
        fees: decimal,
        /** What is still held at the plan's rates: dust and what nobody could close. */
        inventory: decimal,
      })
      .optional(),
    /** Once it is over: what of it is in the dust ledger, by asset; contracts by instrument. Where absent, what a completed product route has left. */
    dust: z.record(z.string(), decimal).optional(),
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
    post_only: z.boolean().optional(),
    reduce_only: z.boolean().optional(),
    price: decimal,
    qty: decimal,
    /** What it is being replaced by: at once where the venue can, else by a new order once this one is over. Absent once its fate is known. */
    replacing: z.object({ price: decimal, qty: decimal }).optional(),
    /** The order that was sent for what was left of this one. */
    replaced_by: z.string().optional(),
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
    contract: contract.optional(),
    /** Value of one unit of the fee's asset where the operation's rates have none; 0 where nobody could say. */
    fee_rate: decimal.optional(),
  }),
  /**
   * What its venue has closed by itself: a contract that expired, or (`forced`) a position that it reduced, as it may. Reads as a fill at what it paid; `rates`
   * are those of the holding it ends.
   */
  settlement: z.object({
    /** Absent for what no holding has. */
    holding: z.string().optional(),
    /** Of what was forced and no holding has: the operation that is entering it, or covers with it. */
    entry: z.string().optional(),
    /** `adl`: to cover another trader's losses; `liquidation`: for want of margin. Absent: expired. */
    forced: z.enum(['adl', 'liquidation']).optional(),
    /** Of what was forced. */
    trade_id: z.string().optional(),
    /** Of what was forced: what of the trade the events that follow book, each for another holding; absent in the last. */
    rest: decimal.optional(),
    instrument: z.string(),
    base: z.string(),
    quote: z.string(),
    /** Of the closing: a long position is sold. */
    side,
    /** A future's settlement price; what one coin of an option paid. */
    price: decimal,
    qty: decimal,
    fee: decimal,
    fee_asset: z.string(),
    fee_rate: decimal.optional(),
    contract: contract.optional(),
    /** Absent for what was forced. */
    underlying_price: decimal.optional(),
    rates: z.record(z.string(), decimal),
  }),
  /** A funding payment on an open perpetual: received when positive. */
  funding: z.object({
    holding: z.string().optional(),
    instrument: z.string(),
    asset: z.string(),
    amount: decimal,
    /** Value of one unit of the asset in the numeraire. */
    asset_rate: decimal,
    /** A fraction of the value for the interval that ended; longs pay when positive. */
    funding_rate: decimal,
    price: decimal,
    /** Signed, in the venue's unit. */
    size: decimal,
    due_ms: z.number(),
  }),
  /** What a completed entry holds until it ends. Sizes are signed: what is short is negative. */
  holding: z.object({
    /** Of the operation that entered. */
    id: z.string(),
    state: z.enum(['open', 'closed']),
    reason: z.string().optional(),
    opportunity: z.string(),
    route: z.string(),
    type: z.string(),
    asset: z.string(),
    units: decimal,
    legs: z.array(
      z.object({
        instrument: z.string(),
        base: z.string(),
        quote: z.string(),
        entered: decimal,
        /** What of it is left. */
        size: decimal,
        entry_price: decimal,
        contract: heldContract.optional(),
      }),
    ),
    rates: z.record(z.string(), decimal),
    notional: decimal,
    expected_profit: decimal,
    /** How much of that was to come from funding. */
    expected_funding: decimal,
    opened_ms: z.number(),
    ends_ms: z.number().optional(),
    /** In the numeraire. `entry` and `exit` before fees; realised = entry − entry fees + funding + exit − exit fees. */
    pnl: z.object({
      entry: decimal,
      entry_fees: decimal,
      funding: decimal,
      exit: decimal,
      exit_fees: decimal,
      realised: decimal,
    }),
    /** Left over at the end, below the smallest order. */
    dust: z.record(z.string(), decimal).optional(),
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
    /** When it was opened from nothing, Unix ms; absent while it is flat. */
    opened_ms: z.number().optional(),
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
