import { z } from 'zod';
import { alertsConfig } from './alerts.ts';

const decimal = z.string().regex(/^-?\d+(\.\d+)?$/, 'a decimal in quotes, such as "0.001"');
const assetAmounts = z.record(z.string(), decimal);
const fraction = z.number().min(0).max(1);

const system = z.strictObject({
  environment: z.enum(['local', 'dev', 'staging', 'production']),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error']),
  data_dir: z.string().min(1),
});

export const FAMILY_IDS = [
  'spatial',
  'cycle',
  'stablecoin',
  'basis',
  'funding',
  'calendar',
  'parity',
  'box',
  'synthetic-forward',
  'jelly-roll',
  'surface',
] as const;

/** How routes that hold are reckoned; docs/net-edge.md has the terms. */
const carry = z.strictObject({
  /** Routes that end by trading are reckoned to be held so long. */
  horizon_hours: z.number().positive(),
  /** The share of a funding rate that its next interval is expected to keep. */
  funding_persistence: fraction,
  /** What money costs, a year, as a fraction. */
  capital_rate: z.number().min(0),
  /** Margin of a future, or of a sold option's underlying, as a fraction of its value. */
  margin_fraction: fraction,
  /** What a trade to come loses to the spread. */
  closing_slippage_bps: z.number().min(0),
  /** What a coin sold short costs, a year; `default` stands for every asset without its own. */
  borrow_rates: z.record(z.string(), z.number().min(0)),
  /** What expires sooner makes no route. */
  min_tenor_minutes: z.number().min(0),
});

/** The chance that orders fill, and what they do to the market. The first six make the hazard of hotpath/size/fill-model.ts. */
const fill = z.strictObject({
  intercept: z.number(),
  /** Of ln(round trip / 100 ms). */
  round_trip: z.number().min(0),
  /** Of the book's age in units of 100 ms. */
  age: z.number().min(0),
  /** Of ln(volatility / 1e-4). */
  volatility: z.number(),
  /** Of the share taken of what is displayed within the limit. */
  share: z.number().min(0),
  /** Of ln(what is displayed within the limit / 10,000), in the numeraire. */
  displayed: z.number(),
  /** Of ln(1 + room between limit and need / expected move). */
  cushion: z.number(),
  /** 1 where legs miss independently, less where they miss together. */
  correlation: z.number().positive(),
  /** Round trip at which recovery saves half of what a miss would cost. */
  rescue_ms: z.number().min(0),
  /** A fraction per square root of a second, until an instrument's own is known. */
  default_volatility: z.number().positive(),
  /** What is older than this counts half as much, in the volatility. */
  volatility_half_life_s: z.number().positive(),
  /** Y of the square-root law; 0 leaves impact out. */
  impact_factor: z.number().min(0),
  /** In how many seconds as much is traded as is displayed. */
  turnover_seconds: z.number().positive(),
});

/** What is held back although it would pay; 0 switches a filter off. */
const filters = z.strictObject({
  /** A better edge is likelier a wrong price than a gift. */
  max_edge_bps: z.number().min(0),
  max_edge_bps_by_family: z.partialRecord(z.enum(FAMILY_IDS), z.number().min(0)),
  /** What carries the size must have been displayed for so long. */
  min_level_age_ms: z.number().min(0),
  /** So long must the route have paid. */
  min_lifetime_ms: z.number().min(0),
  /** Most that the travel time of a venue's messages may vary. */
  max_clock_uncertainty_ms: z.number().min(0),
  /** Most that the ages of the legs' books may differ. */
  max_skew_ms: z.number().min(0),
});

const engine = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,32}$/),
  /** `paper`: fills are simulated on live books. `shadow`: the accounts' real state, orders recorded and not sent. `live`: orders are sent. */
  mode: z.enum(['paper', 'shadow', 'live']),
  families: z.array(z.enum(FAMILY_IDS)).min(1),
  venues: z.array(z.string()).min(1),
  /** Unified symbols to follow on every enabled venue that lists them. */
  symbols: z.array(z.string()).min(1),
  /** What to follow beside the books, where a venue has it: the tape, and mark, index, funding and Greeks of derivatives. */
  streams: z.array(z.enum(['trades', 'reference'])),
  /** Whose WebSockets: our own, read where the socket put it and written in one piece, or those of the `ws` library. */
  sockets: z.enum(['in-place', 'ws']),
  /** Whether the engine's thread asks for what has come without ever sleeping. Costs a whole core: for hosts of its own. */
  busy_poll: z.boolean(),
  /** Plans that an engine which trades for real sends nowhere before it starts, so that the first real one meets compiled code; 0: none. */
  warm_up_plans: z.int().min(0).max(100_000),
  /** Assets in which routes start and profit stays. */
  start_assets: z.array(z.string()).min(1),
  /** In which asset everything is valued and reported. */
  numeraire: z.string(),
  /** Value in the numeraire of assets for which no book gives one. An explicit decision, not a default: USD is not USDT. */
  pegs: assetAmounts,
  /** Assets that promise the same; the family `stablecoin` trades what they are apart. */
  stable_assets: z.array(z.string()),
  /** Quotes that count as another one, by explicit decision: { USD = "USDT" } lets a coin-margined future meet a USDT spot market. */
  equal_assets: z.record(z.string(), z.string()),
  carry,
  min_edge_bps: z.number(),
  min_expected_value: z.number(),
  max_legs: z.int().min(2).max(6),
  cross_venue_cycles: z.boolean(),
  max_routes: z.int().min(1).max(1_000_000),
  displayed_fraction: fraction,
  max_notional: z.number().positive(),
  /** Of Kelly's share of the equity, which bounds a size beside `max_notional`: docs/portfolio.md. 0 leaves it out. */
  kelly_fraction: fraction,
  route_cooldown_ms: z.number().min(0),
  /** What it costs to bring back what a route has carried from one venue to another, `"binance>okx"`; nothing where absent, since accounts are pre-funded. */
  rebalance_cost_bps: z.record(z.string(), z.number().min(0)),
  fill,
  filters,
});

const venue = z.strictObject({
  enabled: z.boolean().default(true),
  markets: z.array(z.string()).optional(),
  /** Every URL of the venue is reached through this address, which finds the venue's host as the first part of the path. */
  via: z.url({ protocol: /^https?$/ }).optional(),
  maker_fee: decimal.optional(),
  taker_fee: decimal.optional(),
  /** The account pays its spot fees in this asset, at this discount (a fraction), while it holds enough of it. */
  fee_token: z.strictObject({ asset: z.string(), discount: decimal }).optional(),
});

/** Limits of the gate, in the numeraire where nothing else is said; docs/risk.md has what each is measured on. */
const risk = z.strictObject({
  max_position_size_usd: z.number().positive(),
  max_exposure_per_exchange: z.number().positive(),
  max_exposure_per_asset_usd: z.number().positive(),
  max_exposure_per_family_usd: z.number().positive(),
  max_total_exposure_usd: z.number().positive(),
  /** Largest exposure to one asset, as a share of equity. */
  max_concentration: fraction,
  /** Gross exposure over equity. */
  max_leverage: z.number().positive(),
  /** 1: nothing hedges anything; docs/risk-metrics.md. */
  max_correlation_risk: fraction,
  max_daily_loss_usd: z.number().positive(),
  /** From the peak of equity, as a share of it. */
  max_drawdown: fraction,
  /** Of a day, at `var_confidence`, with the plan. */
  max_var: z.number().positive(),
  max_expected_shortfall: z.number().positive(),
  var_confidence: z.union([z.literal(0.95), z.literal(0.99)]),
  max_open_operations: z.int().positive(),
  max_orders_per_second: z.int().positive(),
  min_profit_margin_bps: z.number(),
  /** Better than this is likelier a wrong price than a gift; 0 leaves it to the filters of the engine. */
  max_edge_bps: z.number().min(0),
  /** How much worse than expected the worst price of a leg may be. */
  max_slippage_bps: z.number().positive(),
  /** From the venue's last word on its oldest book to the expected answer to the order. */
  max_execution_time_ms: z.number().positive(),
  max_book_age_ms: z.number().positive(),
  min_venue_health: fraction,
  /** Free margin after the plan, as a share of what the venue's contracts bind. */
  min_margin_ratio: z.number().min(0),
  /** A holding that has lost so much of its notional is closed. */
  stop_loss_percentage: z.number().positive(),
  /** A holding that is older is closed, whatever that brings; `ageing` has exceptions by family. 0: none is. */
  max_position_age_hours: z.number().min(0),
  /** An operation that is open for longer is told of. 0: none is. */
  max_operation_age_hours: z.number().min(0),
  /**
   * From 0 (last) to 1 (next): a position that stands nearer to being reduced by its venue is not added to, and what holds it is closed. 1: none is too near.
   */
  max_adl_rank: fraction,
});

/** How old what is held may get. */
const ageing = z.strictObject({
  /** Instead of `risk.max_position_age_hours`, by family; 0: never too old. */
  hours_by_family: z.record(z.string(), z.number().min(0)),
  /** The share of its limit at which an age is told of. */
  warn_share: fraction,
});

/** What an open breaker does to trading until it is reset by command. */
const trips = z.enum(['reducing', 'halted']);
const breakers = z.strictObject({
  enabled: z.boolean(),
  consecutive_losses: z.strictObject({ max: z.int().positive(), trips }),
  window_loss: z.strictObject({ usd: z.number().positive(), minutes: z.number().positive(), trips }),
  reject_streak: z.strictObject({ max: z.int().positive(), trips }),
  /** Share of orders that were rejected or left in doubt. */
  error_rate: z.strictObject({
    share: fraction,
    orders_min: z.int().positive(),
    minutes: z.number().positive(),
    trips,
  }),
  /** Round trip of orders, 99th percentile of the window. */
  latency: z.strictObject({
    ms: z.number().positive(),
    orders_min: z.int().positive(),
    minutes: z.number().positive(),
    trips,
  }),
  /** Expected less realised profit of the last operations, as a share of the notional. */
  drift: z.strictObject({ bps: z.number().positive(), operations: z.int().positive(), trips }),
  /** What a venue says of an account differs from the ledger. */
  mismatch: z.strictObject({ trips }),
  /** A venue has reduced a position by itself. */
  deleveraging: z.strictObject({ trips }),
});

/** How an operation is followed to its end. */
const execution = z.strictObject({
  /** An order without a last word after so long is unknown. */
  report_within_ms: z.number().positive(),
  /** Orders into which a leg may be divided over the venues that list the same coins; 1: never. */
  split_legs: z.int().min(1).max(5),
  recovery: z.strictObject({
    /** Off, nothing is sent for an operation whose legs do not agree until a person has decided. */
    enabled: z.boolean(),
    /** Rounds of orders, and waits for a live book or for funds, before a person is asked. */
    rounds_max: z.int().positive(),
    waits_max: z.int().positive(),
    /** How far beyond the walked price a recovery order may trade, a round. */
    slack_bps: z.number().positive(),
    /** An operation that has lost more, or would by the best way left, is a person's to decide. */
    loss_max_usd: z.number().positive(),
    minutes_max: z.number().positive(),
    /** Another venue's or instrument's book may close what its own cannot. */
    hedge_elsewhere: z.boolean(),
  }),
  /** Dust worth more than this is sold where it can be. */
  dust_flush_usd: z.number().positive(),
});

/** The account at a venue that shadow and live use. Its keys are secrets and stand in no file: docs/live.md. */
const account = z.strictObject({
  gateway: z.enum(['native', 'ccxt']).default('native'),
  margin_mode: z.enum(['cross', 'isolated']).default('cross'),
  leverage: z.number().positive().default(1),
  /** The share of every rate limit that is kept for cancels and hedges. */
  reserved_limit_share: fraction.default(0.2),
  /** A key that may withdraw is refused unless this says otherwise. */
  allow_withdraw: z.boolean().default(false),
});

/** How the ledger is compared with what the venues say. */
const verification = z.strictObject({
  every_ms: z.number().positive(),
  /** What is worth less is not told. */
  tolerance_usd: z.number().positive(),
  /** So many comparisons in a row must differ. */
  confirm: z.int().positive(),
  /** How often every account is asked for its open orders; 0: at the start only. */
  open_orders_every_ms: z.number().min(0),
  /** What an open order of nobody here does: told only, or nothing more is opened until it is gone. Of other traders on the account: `tell`. */
  alien_orders: z.enum(['tell', 'reduce']),
});

/** One active engine an account: docs/failover.md. */
const lease = z
  .strictObject({
    enabled: z.boolean(),
    /** Without renewal it ends after so long, and another engine may take it. */
    ttl_ms: z.number().min(500),
    renew_ms: z.number().min(50),
  })
  .refine(({ ttl_ms, renew_ms }) => 3 * renew_ms <= ttl_ms, 'renew_ms must fit three times into ttl_ms');

const paper = z.strictObject({
  latency_ms: z.number().min(0),
  latency_jitter_ms: z.number().min(0),
  /** Share of displayed size that a paper order may take. */
  displayed_fraction: fraction,
  /** Venue → asset → amount at the first start; `default` stands for every venue without its own. */
  balances: z.record(z.string(), assetAmounts),
});

/** What would have become of orders that are not sent: docs/shadow.md. */
const shadow = z.strictObject({
  /** One way to the venue, and its greatest deviation. */
  latency_ms: z.number().min(0),
  latency_jitter_ms: z.number().min(0),
  /** So long after an order's arrival does the tape say what of the book could be had. */
  window_ms: z.number().min(0),
  /** Share of a proven level that an order may take. */
  displayed_fraction: fraction,
});

/** A chain on which a venue takes and sends an asset. */
const wallet = z.strictObject({
  /** What a withdrawal costs and must be at least, in the asset. */
  fee: decimal,
  min: decimal,
  /** Until it can be used at the other end. */
  minutes: z.number().min(0),
  deposit: z.boolean().default(true),
  withdraw: z.boolean().default(true),
});

/** How funds are kept where they are needed: docs/portfolio.md. Values are in the numeraire. */
const portfolio = z.strictObject({
  /** Venue → asset → amount wanted there; `default` stands for every venue without its own. What has no target is left alone. */
  targets: z.record(z.string(), assetAmounts),
  /** Within this share of its target an account is left alone. */
  buffer: fraction,
  /** What bringing a unit of value back between its bounds may cost at most, and the same of exposure that only perpetuals can offset. */
  drift_worth_bps: z.number().min(0).max(9_900),
  exposure_worth_bps: z.number().min(0).max(9_900),
  /** Share of the displayed depth that a plan may take. */
  depth_share: fraction,
  /** Smaller trades are not proposed. */
  min_trade: z.number().min(0),
  /** What drifts less is not told. */
  dust: z.number().positive(),
  /** A plan is carried out within this time or not at all. */
  plan_ttl_s: z.number().positive(),
  /** Where neither the venue's section nor the account says another. */
  taker_fee_bps: z.number().min(0),
  /** Venues that take the fee of a spot trade in quote, and not out of what is received. */
  quote_fee_venues: z.array(z.string()),
  /** Linear perpetuals that may offset exposure, `venue:symbol`. */
  offsets: z.record(
    z.string(),
    z.strictObject({
      /** Base units of one contract. */
      contract: decimal,
      margin_fraction: z.number().positive().max(1),
      /** What holding it is expected to cost until the drift is gone: funding. */
      carry_bps: z.strictObject({ buy: z.number().min(0), sell: z.number().min(0) }),
    }),
  ),
  /** Venue → asset → network, named as ccxt names it: a transfer needs the same one at both ends. */
  wallets: z.record(z.string(), z.record(z.string(), z.record(z.string(), wallet))),
  /** Wallets that are closed now: `venue:asset:network`, `venue:asset`. */
  suspended: z.array(z.string()),
  /** Transfers that may be carried out, `from>to:asset:network`; all others are only proposed. */
  transfers: z.array(z.string()),
});

const simulator = z.strictObject({
  port: z.int().min(0).max(65_535),
  /** Market updates a second over all instruments. */
  updates_per_second: z.number().positive(),
  /** Mean dislocations a minute, within and across venues. */
  dislocations_per_minute: z.number().min(0),
  /** Mean size of a dislocation, basis points. */
  dislocation_bps: z.number().min(0),
});

const api = z.strictObject({
  host: z.string(),
  port: z.int().min(0).max(65_535),
  cors_origins: z.array(z.string()),
  rate_limit_per_minute: z.int().positive(),
  rate_limit_burst: z.int().positive(),
});

const streams = z.strictObject({
  events: z.string(),
  market: z.string(),
  commands: z.string(),
  shards: z.int().positive(),
});
const stores = z.strictObject({
  state_table: z.string(),
  events_table: z.string(),
  /** Where candles are kept: in the state table, in InfluxDB, or in Timestream for LiveAnalytics, which takes no new accounts. */
  time_series: z.enum(['dynamodb', 'influxdb', 'timestream']),
  /** Its credentials stand in the environment: INFLUX_TOKEN, or INFLUX_USERNAME and INFLUX_PASSWORD. */
  influxdb: z.strictObject({ url: z.url({ protocol: /^https?$/ }), database: z.string().min(1) }),
  timestream: z.strictObject({ database: z.string().min(1), table: z.string().min(1) }),
});

/** A linear combination of instruments that is priced as one; docs/synthetics.md. */
const synthetic = z.strictObject({
  /** `venue:symbol`, and how many coins of it one unit holds: below zero where it owes them. */
  legs: z
    .array(z.strictObject({ instrument: z.string(), ratio: decimal.refine((text) => Number(text) !== 0, 'not zero') }))
    .min(1)
    .max(6),
  /** What it is priced in; that of its legs where absent. */
  quote: z.string().optional(),
  description: z.string().max(200).optional(),
  /** The instrument or the other synthetic that it replicates: what they are apart is traded. */
  against: z.string().optional(),
});
const SYNTHETICS_MAX = 32;

/** The whole configuration. Unknown keys and bad values are refused with their path; nothing is guessed. */
export const configSchema = z.strictObject({
  system,
  engine,
  venues: z.record(z.string(), venue),
  risk,
  ageing,
  breakers,
  execution,
  accounts: z.record(z.string(), account).default({}),
  verification,
  lease,
  paper,
  shadow,
  portfolio,
  synthetics: z
    .record(z.string().regex(/^[\w-]{1,48}$/), synthetic)
    .refine((named) => Object.keys(named).length <= SYNTHETICS_MAX, `at most ${SYNTHETICS_MAX}`)
    .default({}),
  alerts: alertsConfig,
  simulator,
  api,
  streams,
  stores,
});
export type Config = z.infer<typeof configSchema>;
