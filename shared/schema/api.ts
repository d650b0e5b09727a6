import { z } from 'zod';
import { BOOK_STATUSES } from '../domain/market-event.ts';
import { configSchema } from './config.ts';
import { notNegative, positive, signed } from './exact.ts';
import { scope } from './scope.ts';

/**
 * The outward contract of the HTTP API and the WebSocket as schemas: what is validated on the way in, documented in OpenAPI, and typed
 * for every consumer (functions/rest, the dashboard, tests). Amounts are JSON numbers whose text is the exact decimal.
 */
const decimal = z.number().meta({ description: 'A JSON number whose text is the exact decimal' });
const time = z.iso.datetime().meta({ description: 'ISO-8601 UTC' });
const optionalDecimal = decimal.nullable();

/** Lists come newest first; `next_cursor` is null on the last page. */
const page = { next_cursor: z.string().nullable() };
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().max(1000).optional(),
});

export const tokenRequest = z.object({ api_key: z.string().min(1).max(200), api_secret: z.string().min(1).max(200) });
export const tokenData = z.object({ token: z.string(), expires_in: z.int(), scopes: z.array(scope) });

const keyFacts = {
  api_key: z.string(),
  name: z.string().nullable(),
  scopes: z.array(scope),
  created_at: time,
  expires_at: time.nullable(),
  revoked_at: time.nullable(),
};
export const keyRequest = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  scopes: z.array(scope).min(1).max(scope.options.length),
  expires_at: time.optional(),
});
export const keyView = z.object(keyFacts);
/** The secret is in this answer and in no other. */
export const keyCreated = z.object({ ...keyFacts, api_secret: z.string() });
export const keysData = z.object({ keys: z.array(keyView), ...page });

export const auditQuery = pageQuery.extend({ since: time.optional(), actor: z.string().max(200).optional() });
export const auditData = z.object({
  entries: z.array(
    z.object({
      seq: z.int(),
      timestamp: time,
      at_ms: z.int(),
      actor: z.string(),
      action: z.string(),
      request_id: z.string(),
      /** Written before anything was done, or after it. */
      phase: z.enum(['requested', 'answered']),
      body_sha256: z.string().nullable(),
      status: z.int().nullable(),
      code: z.int().nullable(),
      detail: z.string().nullable(),
      previous: z.string(),
      hash: z.string(),
    }),
  ),
  /** False when an entry that was read is not what was written. */
  intact: z.boolean(),
  ...page,
});

/** What came of a command by the time of the answer; one that is `pending` is still on its way, one that is `unsent` is not. */
const commandWord = z.object({
  state: z.enum(['done', 'refused', 'pending', 'unsent']),
  command_id: z.string(),
  code: z.int().nullable(),
  reason: z.string().nullable(),
  detail: z.record(z.string(), z.string()),
});
export type CommandWord = z.infer<typeof commandWord>;

/** Whether the running engine has said that it follows this version. */
const applied = z.boolean();
const configVersion = {
  /** 0 is what the API was started with. */
  version: z.int(),
  by: z.string(),
  timestamp: time,
  comment: z.string(),
  /** Against the version before, values as JSON. */
  changes: z.array(z.object({ path: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
};
const comment = z.string().max(200).default('');
/** The version on which the change is based; a conflict when another one is current. */
const expectedVersion = z.int().min(0).optional();
export const configRequest = z.strictObject({
  config: z.record(z.string(), z.unknown()),
  comment,
  expected_version: expectedVersion,
});
export const rollbackRequest = z.strictObject({
  version: z.int().min(0),
  comment,
  expected_version: expectedVersion,
});
/** What needs a restart to count: paths of settings. */
const restart = z.array(z.string());
export const configData = z.object({ ...configVersion, config: configSchema, applied, restart });
export const configChanged = configData.extend({ engine: commandWord });
export const configVersionsData = z.object({ versions: z.array(z.object(configVersion)), ...page });

const limits = configSchema.shape.risk;
export const limitsRequest = limits
  .partial()
  .refine((changed) => Object.keys(changed).length > 0, 'no limit is named')
  .meta({ minProperties: 1 });
export const limitsData = z.object({ limits, version: z.int(), applied, timestamp: time });
export const limitsChanged = limitsData.extend({
  message: z.literal('Risk limits updated successfully'),
  engine: commandWord,
});

/** Null: not known (yet). Amounts in USD, the rest as shares. */
const figure = z.number().nullable();
const figures = z.record(z.string(), z.number());
export const riskMetricsData = z.object({
  portfolio_var: figure,
  expected_shortfall: figure,
  parametric_var: figure,
  monte_carlo_var: figure,
  confidence: z.number(),
  /** VaR over its limit. */
  var_utilization: figure,
  equity: figure,
  max_drawdown: figure,
  drawdown: figure,
  leverage_ratio: figure,
  concentration_risk: figure,
  liquidity_ratio: figure,
  correlation_risk: figure,
  exit_cost: figure,
  daily_pnl: z.number(),
  exposure: z.object({ gross: figure, net: figure, by_exchange: figures, by_asset: figures, by_family: figures }),
  /** Profit or loss in each stress scenario. */
  stresses: z.record(z.string(), figure),
  timestamp: time,
});
export type RiskMetrics = z.infer<typeof riskMetricsData>;

const breakerFacts = {
  id: z.string(),
  state: z.enum(['open', 'closed']),
  /** What it makes of trading while it is open. */
  trips: z.enum(['reducing', 'halted']),
  value: z.string(),
  limit: z.string(),
  reason: z.string(),
};
const breakerChange = z.object({ ...breakerFacts, by: z.string(), timestamp: time });
export type BreakerChange = z.infer<typeof breakerChange>;
export const breakersData = z.object({
  breakers: z.array(z.object({ ...breakerFacts, opened_at: time.nullable() })),
  /** When each opened and who closed it, newest first. */
  history: z.array(breakerChange),
  ...page,
});
export const breakerResetData = breakerChange.extend({ command_id: z.string() });

const date = z.iso.date().meta({ description: 'A day in UTC' });
export const reportParams = z.object({ date });
export const reportQuery = z.object({ format: z.enum(['json', 'html']).optional() });
const partView = z.object({ name: z.string(), pnl: decimal, operations: z.int() });
/** Where the profit came from: the parts sum to the total. */
const sourcesView = z.object({
  captured: decimal,
  slippage: decimal,
  legging: decimal,
  fees: decimal,
  inventory: decimal,
  funding: decimal,
  settlement: decimal,
  /** Of operations that do not say. */
  unexplained: decimal,
});
const reportOperation = z.object({ id: z.string(), family: z.string(), pnl: decimal, ended: time });
export const reportData = z.object({
  date,
  engine: z.string(),
  /** False while the day lasts, and an hour longer: events may still be on their way. */
  final: z.boolean(),
  generated_at: time,
  operations: z.int(),
  open_operations: z.int(),
  truncated: z.boolean(),
  total_pnl: decimal,
  fees: decimal,
  max_drawdown: decimal,
  win_rate: optionalDecimal,
  profit_factor: optionalDecimal,
  /** Of the hours of the day. */
  sharpe_ratio: optionalDecimal,
  sortino_ratio: optionalDecimal,
  volatility: optionalDecimal,
  avg_trade_duration: z.number().nullable(),
  attribution: z.object({
    families: z.array(partView),
    venues: z.array(partView),
    symbols: z.array(partView),
    sources: sourcesView.optional(),
  }),
  hours: z.array(z.object({ timestamp: time, pnl: decimal, cumulative: decimal })),
  best: reportOperation.nullable(),
  worst: reportOperation.nullable(),
});
export type ReportData = z.infer<typeof reportData>;
export const reportsData = z.object({ reports: z.array(z.object({ date, final: z.boolean() })), ...page });

export const errorBody = z.object({
  status: z.literal('error'),
  timestamp: time,
  error: z.object({
    code: z.int(),
    category: z.string(),
    message: z.string(),
    detail: z.string().optional(),
    request_id: z.string(),
  }),
});

export const healthData = z.object({ healthy: z.boolean() });
export const readyData = z.object({ ready: z.boolean(), engine: z.string(), status_age_ms: z.number() });

const bookStatus = z.enum(BOOK_STATUSES);
export const priceView = z.object({
  symbol: z.string(),
  exchange: z.string(),
  /** Mid of best bid and ask; null while a side is empty. */
  price: optionalDecimal,
  bid: optionalDecimal,
  ask: optionalDecimal,
  volume: optionalDecimal,
  timestamp: time,
  status: bookStatus,
});
export type PriceView = z.infer<typeof priceView>;
export const pricesQuery = z.object({
  symbols: z.string().max(4000).optional(),
  exchange: z.string().max(64).optional(),
});
export const pricesData = z.object({ prices: z.array(priceView) });

export const interval = z.enum(['1m', '5m', '1h', '1d']);
export type Interval = z.infer<typeof interval>;
export const historyQuery = z.object({
  symbol: z.string().min(1).max(128),
  exchange: z.string().max(64).optional(),
  interval,
  start_time: time,
  end_time: time,
  limit: z.coerce.number().int().min(1).max(1000).default(500),
  cursor: z.string().max(32).optional(),
});
export const historyData = z.object({
  symbol: z.string(),
  exchange: z.string(),
  interval,
  /** Oldest first, of mid prices sampled about once a second; `volume` is null because the engine publishes none. */
  records: z.array(
    z.object({ timestamp: time, open: decimal, high: decimal, low: decimal, close: decimal, volume: z.null() }),
  ),
  ...page,
});

export const bookParams = z.object({ exchange: z.string().max(64), symbol: z.string().max(128) });
export const bookQuery = z.object({ depth: z.coerce.number().int().min(1).max(1000).default(20) });
/** The schemas of OpenAPI have no tuple of zod's. */
const level = z.tuple([decimal, decimal]).meta({ type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 2 });
const levels = z.array(level).meta({ description: '[price, quantity], best first' });
export const bookData = z.object({
  symbol: z.string(),
  exchange: z.string(),
  bids: levels,
  asks: levels,
  status: bookStatus,
  age_ms: z.number(),
  timestamp: time,
});

const greek = optionalDecimal;
const syntheticView = z.object({
  name: z.string(),
  description: z.string(),
  quote: z.string(),
  legs: z
    .array(z.object({ exchange: z.string(), symbol: z.string(), ratio: decimal }))
    .meta({ description: 'Coins of each instrument in one unit; below zero where they are owed' }),
  bid: optionalDecimal,
  bid_quantity: optionalDecimal,
  ask: optionalDecimal,
  ask_quantity: optionalDecimal,
  bids: levels,
  asks: levels,
  fair_value: optionalDecimal.meta({ description: 'Σ ratio × mark price, or the middle of the book' }),
  greeks: z
    .object({ delta: greek, gamma: greek, vega: greek, theta: greek, rho: greek })
    .meta({ description: 'Null while a venue has not said them, and over several coins' }),
  status: bookStatus,
  age_ms: z.number(),
  timestamp: time,
});
export const syntheticsData = z.object({ synthetics: z.array(syntheticView) });

const side = z.enum(['buy', 'sell']);
const legView = z.object({ exchange: z.string(), symbol: z.string(), side, price: decimal, quantity: decimal });
export const opportunityStatus = z.enum(['active', 'executed', 'expired', 'rejected']);
export const opportunityView = z.object({
  id: z.string(),
  symbol: z.string(),
  type: z.string(),
  buy_exchange: z.string().nullable(),
  sell_exchange: z.string().nullable(),
  buy_price: optionalDecimal,
  sell_price: optionalDecimal,
  legs: z.array(legView),
  quantity: optionalDecimal,
  /** The asset in which notional, profit and costs are counted. */
  asset: z.string(),
  notional: decimal,
  profit: decimal,
  profit_percentage: decimal,
  confidence: decimal,
  expected_value: decimal,
  timestamp: time,
  last_seen: time,
  status: opportunityStatus,
  reason: z.string().nullable(),
  operation: z.string().nullable(),
});
export type OpportunityView = z.infer<typeof opportunityView>;
export const opportunitiesQuery = pageQuery.extend({
  min_profit: z.coerce.number().optional(),
  status: opportunityStatus.optional(),
  type: z.string().max(64).optional(),
  symbol: z.string().max(128).optional(),
});
export const opportunitiesData = z.object({ opportunities: z.array(opportunityView), ...page });

const checkView = z.object({
  name: z.string(),
  value: z.string(),
  limit: z.string().nullable(),
  passed: z.boolean(),
});
/** What the time until the end brings and costs, in `asset`. */
const holdingView = z.object({
  certainty: z.enum(['locked', 'bound', 'converging']),
  hours: decimal,
  payoff: decimal,
  closing: decimal,
  delivery: decimal,
  funding: decimal,
  borrow: decimal,
  capital_cost: decimal,
  annualised: decimal,
  break_even_hours: optionalDecimal,
});
const outcomeView = z.object({
  notional: decimal,
  net_edge_bps: decimal,
  lifetime_ms: decimal,
  /** Edge and profit are null where the books did not bear the size. */
  outcomes: z.array(z.object({ delay_ms: z.number(), net_edge_bps: optionalDecimal, profit: optionalDecimal })),
});
export const opportunityData = opportunityView.extend({
  explanation: z.object({
    route: z.string(),
    gross_edge_bps: decimal,
    net_edge_bps: decimal,
    peak_net_edge_bps: decimal,
    costs: z.object({ fees: decimal, slippage: decimal, expected_unwind: decimal }),
    fill_probability: decimal,
    oldest_book_age_ms: decimal,
    checks: z.array(checkView),
    /** What must lie idle or as margin, and what our own footprint is expected to cost. */
    capital: optionalDecimal,
    impact: optionalDecimal,
    holding: holdingView.nullable(),
    /** Its place among the plans of one change, by expected value per unit of capital and hour. */
    contest: z.object({ rank: z.int(), of: z.int(), worth: decimal }).nullable(),
    /** What would have had to be different for it to be traded. */
    counterfactual: z.string(),
    /** What it would have made although it was refused: its legs at its size in the books of some moments later. */
    counterfactual_outcome: outcomeView.nullable(),
  }),
});

export const performanceQuery = z.object({
  period: z.enum(['1d', '7d', '30d', '90d', '1y']).default('30d'),
  metric: z.enum(['pnl', 'sharpe', 'volatility']).optional(),
});
/** With `metric` the figures of the others are left out. */
export const performanceData = z.object({
  period: performanceQuery.shape.period.unwrap(),
  from: time,
  to: time,
  operations: z.int(),
  open_operations: z.int(),
  /** There were more operations than one request reads: only the newest are counted. */
  truncated: z.boolean(),
  total_pnl: decimal.optional(),
  fees: decimal.optional(),
  sharpe_ratio: optionalDecimal.optional(),
  sortino_ratio: optionalDecimal.optional(),
  volatility: optionalDecimal.optional(),
  max_drawdown: decimal.optional(),
  win_rate: optionalDecimal.optional(),
  /** Seconds. */
  avg_trade_duration: z.number().nullable().optional(),
  profit_factor: optionalDecimal.optional(),
  attribution: z
    .object({
      families: z.array(partView),
      venues: z.array(partView),
      symbols: z.array(partView),
      sources: sourcesView,
    })
    .optional(),
  timestamp: time,
});

export const idParams = z.object({ id: z.string().min(1).max(200) });

export const operationState = z.enum(['approved', 'executing', 'recovering', 'escalated', 'completed', 'failed']);
export const operationView = z.object({
  id: z.string(),
  opportunity: z.string(),
  route: z.string(),
  type: z.string(),
  state: operationState,
  reason: z.string().nullable(),
  notional: decimal,
  expected_profit: decimal,
  legs: z.array(legView),
  pnl: z.object({ realised: decimal, fees: decimal }).nullable(),
  /** Once it is over: captured + slippage + legging + fees + inventory = realised. */
  attribution: z
    .object({ captured: decimal, slippage: decimal, legging: decimal, fees: decimal, inventory: decimal })
    .nullable(),
  timestamp: time,
  updated: time,
});
export const operationsQuery = pageQuery.extend({ state: operationState.optional() });
export const operationsData = z.object({ operations: z.array(operationView), ...page });

export const orderStatus = z.enum([
  'submitted',
  'unknown',
  'accepted',
  'partially-filled',
  'filled',
  'canceled',
  'rejected',
  'expired',
]);
const timeInForce = z.enum(['GTC', 'IOC', 'FOK']);
export const orderView = z.object({
  order_id: z.string(),
  venue_order_id: z.string().nullable(),
  operation: z.string(),
  purpose: z.string(),
  symbol: z.string(),
  exchange: z.string(),
  side,
  type: z.enum(['market', 'limit']),
  time_in_force: timeInForce,
  price: decimal,
  quantity: decimal,
  filled_quantity: decimal,
  average_price: optionalDecimal,
  status: orderStatus,
  reason: z.string().nullable(),
  timestamp: time,
  updated: time,
});
/** An order as the WebSocket tells of it: its latest state, without the time of its first. */
export type OrderUpdate = Omit<z.infer<typeof orderView>, 'timestamp'>;
export const ordersQuery = pageQuery.extend({
  status: orderStatus.optional(),
  symbol: z.string().max(128).optional(),
  operation: z.string().max(200).optional(),
});
export const ordersData = z.object({ orders: z.array(orderView), ...page });

/** The same name by the same caller is the same order. */
export const orderHeaders = z.object({ 'idempotency-key': z.string().min(1).max(128).optional() });
export const orderRequest = z
  .strictObject({
    symbol: z.string().min(1).max(128),
    /** Without one it is routed: split over the venues that list the symbol, where it is best after fees. Such an order takes at once. */
    exchange: z.string().min(1).max(64).optional(),
    side,
    type: z.enum(['market', 'limit']),
    quantity: positive,
    /** The limit; of a market order the worst price that is still borne. */
    price: positive.optional(),
    /** GTC where absent, IOC for a market order and one that is routed. */
    time_in_force: timeInForce.optional(),
    /** The caller's own name for it: sent twice it is one order, as with `Idempotency-Key`. */
    client_order_id: z.string().min(1).max(64).optional(),
    post_only: z.boolean().optional(),
    reduce_only: z.boolean().optional(),
  })
  .refine(({ type, price }) => type === 'market' || price !== undefined, {
    path: ['price'],
    message: 'a limit order has one',
  })
  .refine(({ type, time_in_force }) => type === 'limit' || time_in_force !== 'GTC', {
    path: ['time_in_force'],
    message: 'a market order does not rest: IOC or FOK',
  })
  .refine(
    ({ post_only, type, time_in_force = 'GTC' }) => post_only !== true || (type === 'limit' && time_in_force === 'GTC'),
    {
      path: ['post_only'],
      message: 'only for a limit order that may rest',
    },
  );
/** The engine, or the venue, has not said what became of it; it stays on its way. */
export const orderPending = z.object({
  status: z.literal('pending'),
  command_id: z.string(),
  order_id: z.string().nullable(),
});
export const orderParams = z.object({ order_id: z.string().min(1).max(64) });
/** What a resting order is to be: not given, it is as it was. `quantity` is the whole of it, with what has filled. */
export const orderReplace = z
  .strictObject({ price: positive.optional(), quantity: positive.optional() })
  .refine(({ price, quantity }) => price !== undefined || quantity !== undefined, {
    message: 'price, quantity or both',
  });
export const orderCancelled = z.object({ order_id: z.string(), status: z.literal('cancelled'), timestamp: time });

const fillView = z.object({
  trade_id: z.string(),
  order_id: z.string(),
  symbol: z.string(),
  exchange: z.string(),
  side,
  price: decimal,
  quantity: decimal,
  fee: decimal,
  fee_asset: z.string(),
  liquidity: z.enum(['maker', 'taker']),
  timestamp: time,
  /** What this fill did to the operation's profit, in the numeraire at the rates fixed with the plan; null where a rate is missing. */
  contribution: z.object({ base: decimal, quote: decimal, fee: decimal }).nullable(),
});
/** A fill as the WebSocket tells of it. */
export type TradeView = Omit<z.infer<typeof fillView>, 'contribution'> & { readonly operation: string };
const recoveryState = z.enum(['open', 'approved', 'cancelled', 'settled']);
/** What a person is asked about an operation that recovery has given up. Amounts in the numeraire. */
export const recoveryView = z.object({
  operation: z.string(),
  state: recoveryState,
  reason: z.string(),
  request: z.string(),
  loose: z.array(z.object({ exchange: z.string(), symbol: z.string(), size: decimal, value: decimal })),
  proposals: z.array(
    z.object({
      id: z.string(),
      kind: z.enum(['complete', 'unwind', 'hedge', 'accept']),
      cost: decimal,
      orders: z.array(legView),
    }),
  ),
  attempts: z.int(),
  loss: decimal,
  since: time,
  by: z.string().nullable(),
  updated: time,
});
export type RecoveryView = z.infer<typeof recoveryView>;
export const recoveriesQuery = pageQuery.extend({ state: recoveryState.default('open') });
export const recoveriesData = z.object({ recoveries: z.array(recoveryView), ...page });
export const recoveryParams = z.object({ operation: z.string().min(1).max(200) });
export const recoveryRequest = z.strictObject({
  decision: z.enum(['approve', 'cancel']),
  /** Of those that were shown; the cheapest where absent. */
  proposal: z.string().min(1).max(64).optional(),
});
export const recoveryData = z.object({
  operation: z.string(),
  decision: z.enum(['approve', 'cancel']),
  command_id: z.string(),
  detail: z.record(z.string(), z.string()),
  timestamp: time,
});

export const operationData = operationView.extend({
  escalation: recoveryView.nullable(),
  transitions: z.array(z.object({ state: operationState, reason: z.string().nullable(), timestamp: time })),
  orders: z.array(orderView),
  fills: z.array(fillView),
});

/** What the venue says instead; null while it does not differ. */
const mismatch = z.object({ venue_says: z.string(), reason: z.string(), since: time }).nullable();

export const positionsQuery = pageQuery.extend({
  status: z.enum(['open', 'closed', 'pending']).optional(),
  symbol: z.string().max(128).optional(),
});
export const positionView = z.object({
  id: z.string(),
  symbol: z.string(),
  exchange: z.string(),
  type: z.enum(['long', 'short', 'flat']),
  size: decimal,
  entry_price: decimal,
  current_price: optionalDecimal,
  /** Null where there is no current price, or the contract's payoff is not linear in it. */
  unrealized_pnl: optionalDecimal,
  realized_pnl: decimal,
  /** As the venue last told it; null on paper, and where it tells of none. Distance: a share of the price, from the mark to where it closes it. */
  at_exchange: z
    .object({
      size: decimal,
      entry_price: decimal,
      mark_price: optionalDecimal,
      liquidation_price: optionalDecimal,
      leverage: optionalDecimal,
      liquidation_distance: z.number().nullable(),
      /** Where it stands among those that the venue reduces first, 0 (last) to 1; null where it does not say. */
      adl_rank: z.number().nullable(),
    })
    .nullable(),
  mismatch,
  /** When it was opened from nothing, and how long ago that is; null while flat. */
  opened: time.nullable(),
  age_hours: z.number().nullable(),
  timestamp: time,
  status: z.enum(['open', 'closed', 'pending']),
});
export const positionsData = z.object({ positions: z.array(positionView), ...page });

export const balancesQuery = z.object({
  exchange: z.string().max(64).optional(),
  asset: z.string().max(32).optional(),
});
export const balanceView = z.object({
  exchange: z.string(),
  asset: z.string(),
  total: decimal,
  available: decimal,
  /** Held by open orders. */
  reserved: decimal,
  /** Under way between venues: nothing moves yet, so always 0. */
  in_flight: decimal,
  mismatch,
  timestamp: time,
});
export const balancesData = z.object({ balances: z.array(balanceView) });

export const tradingRequest = z.strictObject({ reason: z.string().max(200).default('') });
export const tradingData = z.object({
  state: z.enum(['active', 'reducing', 'halted']),
  reason: z.string(),
  by: z.string(),
  command_id: z.string(),
  timestamp: time,
});
/** The engine has not answered yet; the command stays on its way. */
export const tradingPending = z.object({ state: z.literal('pending'), command_id: z.string() });

/** `verified`: every venue has said that no order of ours is open. */
export const emergencyData = z.object({
  state: z.enum(['verified', 'failed']),
  reason: z.string(),
  by: z.string(),
  command_id: z.string(),
  accounts: z.array(
    z.object({
      exchange: z.string(),
      account: z.string(),
      open_orders: z.int(),
      left_orders: z.int(),
      took_ms: z.number(),
    }),
  ),
  timestamp: time,
});
/** `started`: nothing is sent any more, and the venues are being asked. */
export const emergencyPending = z.object({ state: z.enum(['pending', 'started']), command_id: z.string() });

export const adjustmentRequest = z.strictObject({
  exchange: z.string().min(1).max(64),
  asset: z.string().min(1).max(32),
  amount: signed,
  reason: z.string().min(1).max(200),
});
export const adjustmentData = z.object({
  exchange: z.string(),
  asset: z.string(),
  command_id: z.string(),
  detail: z.record(z.string(), z.string()),
  timestamp: time,
});
export const positionAdjustmentRequest = z.strictObject({
  exchange: z.string().min(1).max(64),
  /** Unified, of a contract: `BTC/USDT:USDT`. Coins are adjusted as a balance. */
  symbol: z.string().min(1).max(64),
  /** In contracts' base; negative where short. */
  size: signed,
  /** 0 where the size is. */
  entry_price: notNegative,
  reason: z.string().min(1).max(200),
});
export const positionAdjustmentData = adjustmentData.omit({ asset: true }).extend({ symbol: z.string() });
export const commandPending = z.object({ state: z.literal('pending'), command_id: z.string() });
/** What became of a command: `pending` while nothing has been heard of it, and for whatever was never one. Kept for a day. */
export const commandData = commandWord.extend({ answered_at: time.nullable() });

const venueView = z.object({
  id: z.string(),
  status: z.enum(['connecting', 'live', 'degraded', 'down']),
  reason: z.string().nullable(),
  health: z.number(),
  age_ms: z.number(),
  age_ms_p99: z.number(),
  messages: z.int(),
  gaps: z.int(),
  resyncs: z.int(),
  reconnects: z.int(),
  books: z.int(),
  live_books: z.int(),
  malformed: z.int(),
  clock_offset_ms: z.number(),
  /** Null where the engine does not say. */
  clock_jitter_ms: z.number().nullable(),
  suspect_books: z.int().nullable(),
  polled_books: z.int().nullable(),
  tradable: z.boolean().nullable(),
  order_round_trip_ms: z.number().nullable(),
  rejects: z.int(),
});
const accountView = z.object({
  exchange: z.string(),
  account: z.string(),
  gateway: z.enum(['native', 'ccxt']),
  status: z.enum(['starting', 'live', 'degraded', 'down']),
  verified: z.boolean(),
  reason: z.string(),
  round_trip_ms: z.number().nullable(),
  banned_ms: z.number(),
  open_positions: z.int(),
});
export const statusData = z.object({
  engine: z.string(),
  /** `unknown` when the engine has not been heard for ten seconds. */
  state: z.enum(['active', 'reducing', 'halted', 'unknown']),
  reason: z.string(),
  mode: z.string().nullable(),
  version: z.string().nullable(),
  epoch: z.int().nullable(),
  status_age_ms: z.number().nullable(),
  venues: z.array(venueView),
  messages_per_second: z.number(),
  decision_ns: z.object({ p50: z.number(), p99: z.number(), p999: z.number() }),
  opportunities: z.object({
    detected: z.int(),
    executed: z.int(),
    rejected_by_reason: z.record(z.string(), z.int()),
  }),
  operations: z.object({
    completed: z.int(),
    failed: z.int(),
    recovering: z.int(),
    open: z.int(),
    escalated: z.int(),
  }),
  /** Ids of the breakers that hold trading back. */
  breakers_open: z.array(z.string()),
  accounts: z.array(accountView),
  lease: z.object({ holder: z.string(), epoch: z.int(), left_ms: z.number() }).nullable(),
  pnl: z.object({ realised: decimal, fees: decimal }),
  publish: z.object({ journalled: z.int(), published: z.int(), lag_records: z.int(), lag_ms: z.number() }),
});

/** What the WebSocket tells of the engine and its venues. */
export type SystemView = {
  readonly event:
    | 'engine-started'
    | 'engine-stopped'
    | 'trading-state'
    | 'venue-status'
    | 'breaker'
    | 'emergency-stop'
    | 'lease'
    | 'mismatch'
    | 'adjustment'
    | 'position-adjustment'
    | 'ageing'
    | 'escalation';
  /** The breaker, operation, asset or instrument that is meant; null where there is none. */
  readonly subject: string | null;
  readonly engine: string;
  /** Null where the engine as a whole is meant. */
  readonly exchange: string | null;
  readonly state: string;
  readonly reason: string;
  readonly timestamp: string;
};

/** What the WebSocket tells of risk: the figures about once a second, breakers and limits as they change. */
export type RiskView =
  | ({ readonly event: 'metrics' } & RiskMetrics)
  | ({ readonly event: 'breaker' } & BreakerChange)
  | {
      readonly event: 'limits';
      readonly limits: Readonly<Record<string, number>>;
      readonly by: string;
      readonly timestamp: string;
    };
