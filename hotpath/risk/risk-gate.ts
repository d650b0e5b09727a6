import type { Asset, InstrumentId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import type { Approved, Denied, DenyReason, Plan, PlanLeg, TradingState, Verdict } from '#shared/domain/trade.ts';
import { leverageOf } from '#shared/quant/risk/exposure.ts';
import type { Config } from '#shared/schema/config.ts';
import type { AskedLeg, AskedPlan } from './asked.ts';
import { Asked } from './asked.ts';

export type Limits = Config['risk'];

/** What the gate may ask of the rest of the engine. Amounts are in the numeraire; what is not known is NaN, which passes no limit. */
export type RiskSources = {
  readonly tradingState: () => TradingState;
  /** The venue's account is heard and agrees with the ledger. */
  readonly accountVerified: (venue: VenueId) => boolean;
  /** 0 (nothing works) to 1. */
  readonly venueHealth: (venue: VenueId) => number;
  readonly bookStatus: (instrument: InstrumentId) => BookStatus;
  readonly bookAgeMs: (instrument: InstrumentId, nowNs: TimeNs) => number;
  /** From an order's leaving to the venue's first word. */
  readonly roundTripMs: (venue: VenueId) => number;
  /** Net holding above or below what the run began with, over all venues; signed. */
  readonly positionUsd: (asset: Asset) => number;
  /** Notional of open operations and of what is held, all legs. */
  readonly exposureUsd: (venue: VenueId) => number;
  readonly assetExposureUsd: (asset: Asset) => number;
  readonly familyExposureUsd: (family: string) => number;
  readonly totalExposureUsd: () => number;
  /** Realised since midnight UTC. */
  readonly dailyPnlUsd: () => number;
  readonly openOperations: () => number;
  /** Orders that have left within the last second. */
  readonly recentOrders: (nowNs: TimeNs) => number;
  /** An account that does not bear what the legs need of it together, in words; undefined where all do. */
  readonly shortAccount: (asked: AskedPlan) => string | undefined;
  /**
   * Least share of what is bound on an account of its contracts that is free after the plan; Infinity without contracts. Where it surely is at least `enough`, a bound of it
   * will do.
   */
  readonly marginRatio: (asked: AskedPlan, enough: number) => number;
  /** An open operation works on the instrument. */
  readonly busy: (instrument: InstrumentId) => boolean;
  /** Where the position stands among those that its venue reduces first, 0 (last) to 1. */
  readonly adlRank: (instrument: InstrumentId) => number;
  /** An order of ours rests where the leg would take it. */
  readonly meetsOwnOrder: (leg: PlanLeg) => boolean;
  readonly book: RiskBook;
};

/** The trading book: what trading has made of the inventory it began with, and its contracts. Figures as of the last look. */
export type RiskBook = {
  /** Since the last look at which everything was known; Infinity before the first. */
  readonly ageMs: (nowNs: TimeNs) => number;
  readonly equityUsd: () => number;
  /** From the peak, as a share of equity. */
  readonly drawdown: () => number;
  readonly correlationRisk: () => number;
  /** Of a day, with the plan; where it surely is at most `enough`, a bound of it will do. */
  readonly varUsdWith: (asked: AskedPlan, enough: number) => number;
  readonly shortfallUsdWith: (asked: AskedPlan, enough: number) => number;
};

/** One question asked of a plan, for the explanation. */
export type Check = {
  readonly name: string;
  readonly value: string;
  readonly limit?: string;
  readonly passed: boolean;
};

/** An order by itself: a person's. */
export type AskedOrder = {
  readonly leg: PlanLeg;
  readonly rates: Plan['rates'];
  /** It only takes away from what is held. */
  readonly reduces: boolean;
};

/** Asked before anything opens. Answers with the first limit that is broken; docs/risk.md has what each is measured on. */
export class RiskGate {
  readonly #sources: RiskSources;
  readonly #asked: Asked;
  /** What was found last, at the places of the rules that were asked. */
  readonly #numbers = new Float64Array(checks.length);
  readonly #words: (string | undefined)[] = checks.map(() => undefined);
  /** The plan of which that is, when it broke none. */
  #approved: Plan | undefined;
  #limits: Limits;

  constructor(limits: Limits, instruments: readonly Instrument[], sources: RiskSources) {
    this.#limits = limits;
    this.#sources = sources;
    this.#asked = new Asked(new Map(instruments.map((instrument) => [instrument.id, instrument])));
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** In force from the next plan on. */
  setLimits(changed: Partial<Limits>): void {
    this.#limits = { ...this.#limits, ...changed };
    this.#approved = undefined;
  }

  readonly approve = (plan: Plan, nowNs: TimeNs): Verdict => {
    this.#asked.take(plan, nowNs);
    const rules = rulesFor(plan);
    const denied = this.#firstBroken(rules);
    this.#approved = denied === undefined ? plan : undefined;
    return denied ?? { kind: 'approved', plan: plan as Approved<Plan> };
  };

  /** What holds a person's order back; undefined: nothing. */
  readonly denialOf = ({ leg, rates, reduces }: AskedOrder, nowNs: TimeNs): Denied | undefined => {
    this.#asked.takeOrder(leg, rates, nowNs);
    this.#approved = undefined;
    return this.#firstBroken(reduces ? reducingOrderRules : orderRules);
  };

  /**
   * Every check with what it finds, failed or not: of a plan that was approved just now, what was found then. Found when this is called, put into words when its
   * answer is.
   */
  readonly checksOf = (plan: Plan, nowNs: TimeNs): (() => readonly Check[]) => {
    const rules = rulesFor(plan);
    if (this.#approved !== plan || this.#asked.nowNs !== nowNs) {
      this.#asked.take(plan, nowNs);
      this.#approved = undefined;
      for (let at = 0; at < rules.length; at += 1) this.#holds(rules[at]!, at);
    }
    const found = { limits: this.#limits, numbers: this.#numbers.slice(0, rules.length), words: [...this.#words] };
    return () => rules.map((rule, at) => told(rule, at, found));
  };

  /** Numbers alone while all is well: text is made for what is told. */
  #firstBroken(rules: readonly Rule[]): Denied | undefined {
    for (let at = 0; at < rules.length; at += 1) {
      const rule = rules[at]!;
      if (this.#holds(rule, at)) continue;
      const found = { limits: this.#limits, numbers: this.#numbers, words: this.#words };
      return { kind: 'denied', reason: rule.reason, detail: detailOf(told(rule, at, found)) };
    }
    return undefined;
  }

  /** Asks, and keeps what was found. */
  #holds(rule: Rule, at: number): boolean {
    const sources = this.#sources;
    if (rule.kind === 'words') {
      const word = rule.word(this.#asked, sources);
      this.#words[at] = word;
      return isWell(rule, word);
    }
    const limit = rule.limitOf(this.#limits);
    const value = rule.measure(this.#asked, sources, limit);
    this.#numbers[at] = value;
    return isWithin(rule, value, limit);
  }
}

/** What was found of each rule, at its place. */
type Found = {
  readonly limits: Limits;
  readonly numbers: Float64Array;
  readonly words: readonly (string | undefined)[];
};

/** One limit. An exit only takes away from what is held: limits on what may be opened do not hold it back. */
type Rule = (Bound | Words) & {
  readonly reason: DenyReason;
  readonly name: string;
  readonly letsExitsPass?: true;
  /** It is asked of a person's order too. */
  readonly asksOrders?: true;
};
/** A number, and what it may be at most or must be at least. */
type Bound = { readonly kind: 'most' | 'least'; readonly measure: Measure; readonly limitOf: Limit };
/** A word: the one that is refused, or the only one that passes. */
type Words = {
  readonly kind: 'words';
  readonly word: (asked: Asked, sources: RiskSources) => string;
  readonly refused?: string;
  readonly passed?: string;
};
type Measure = (asked: Asked, sources: RiskSources, limit: number) => number;
type Limit = (limits: Limits) => number;

/** Figures older than this say nothing any more. */
const FIGURES_AGE_MAX_MS = 5_000;
const WELL = 'well';
const OPENING = { letsExitsPass: true } as const;
const ORDERS = { asksOrders: true } as const;

/** Every limit, in the order in which it is asked: from what stops everything to what concerns this plan alone; what costs most to find out comes last. */
const checks: readonly Rule[] = [
  { reason: 'TRADING_HALTED', ...stateIsNot('halted'), ...ORDERS },
  // While reducing, only recovery and exits trade: they close what is open.
  { reason: 'TRADING_REDUCING', ...stateIsNot('reducing'), ...ORDERS, ...OPENING },
  {
    reason: 'ACCOUNT_UNVERIFIED',
    ...noLeg('accounts', ({ venue }, sources) => (sources.accountVerified(venue) ? undefined : venue)),
    ...ORDERS,
  },
  {
    reason: 'VENUE_UNHEALTHY',
    ...atLeast('venue_health', healthOf, ({ min_venue_health: limit }) => limit),
    ...ORDERS,
  },
  {
    reason: 'BOOK_NOT_LIVE',
    ...noLeg('book_status', ({ id }, sources) =>
      sources.bookStatus(id) === 'live' ? undefined : sources.bookStatus(id),
    ),
  },
  { reason: 'BOOK_TOO_OLD', ...atMost('book_age_ms', ageOf, ({ max_book_age_ms: limit }) => limit) },
  {
    reason: 'EXECUTION_TIME_EXCEEDS_MAX',
    ...atMost('execution_time_ms', executionTimeOf, ({ max_execution_time_ms: limit }) => limit),
    ...OPENING,
  },
  {
    reason: 'RISK_UNKNOWN',
    ...atMost(
      'risk_age_ms',
      ({ nowNs }, { book }) => book.ageMs(nowNs),
      () => FIGURES_AGE_MAX_MS,
    ),
    ...OPENING,
  },
  {
    reason: 'EDGE_BELOW_MIN',
    ...atLeast(
      'net_edge_bps',
      ({ plan }) => plan.netEdgeBps,
      ({ min_profit_margin_bps: limit }) => limit,
    ),
    ...OPENING,
  },
  {
    reason: 'EDGE_ABNORMAL',
    ...atMost(
      'net_edge_bps',
      ({ plan }) => plan.netEdgeBps,
      ({ max_edge_bps: limit }) => (limit > 0 ? limit : Infinity),
    ),
    ...OPENING,
  },
  {
    reason: 'SLIPPAGE_EXCEEDS_MAX',
    ...atMost('slippage_bps', slippageOf, ({ max_slippage_bps: limit }) => limit),
    ...OPENING,
  },
  {
    reason: 'POSITION_EXCEEDS_MAX',
    ...atMost('position_usd', positionOf, ({ max_position_size_usd: limit }) => limit),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'VENUE_EXPOSURE_EXCEEDS_MAX',
    ...atMost('venue_exposure_usd', venueExposureOf, ({ max_exposure_per_exchange: limit }) => limit),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'ASSET_EXPOSURE_EXCEEDS_MAX',
    ...atMost('asset_exposure_usd', assetExposureOf, ({ max_exposure_per_asset_usd: limit }) => limit),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'FAMILY_EXPOSURE_EXCEEDS_MAX',
    ...atMost(
      'family_exposure_usd',
      ({ plan, totalUsd }, sources) => sources.familyExposureUsd(plan.family) + totalUsd,
      ({ max_exposure_per_family_usd: limit }) => limit,
    ),
    ...OPENING,
  },
  {
    reason: 'TOTAL_EXPOSURE_EXCEEDS_MAX',
    ...atMost('total_exposure_usd', totalExposureOf, ({ max_total_exposure_usd: limit }) => limit),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'CONCENTRATION_EXCEEDS_MAX',
    ...atMost(
      'concentration',
      (asked, sources) => leverageOf(assetExposureOf(asked, sources), sources.book.equityUsd()),
      ({ max_concentration: limit }) => limit,
    ),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'LEVERAGE_EXCEEDS_MAX',
    ...atMost(
      'leverage',
      (asked, sources) => leverageOf(totalExposureOf(asked, sources), sources.book.equityUsd()),
      ({ max_leverage: limit }) => limit,
    ),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'CORRELATION_RISK_EXCEEDS_MAX',
    ...atMost(
      'correlation_risk',
      (_asked, { book }) => book.correlationRisk(),
      ({ max_correlation_risk: limit }) => limit,
    ),
    ...OPENING,
  },
  {
    reason: 'DAILY_LOSS_EXCEEDS_MAX',
    ...atLeast(
      'daily_pnl_usd',
      (_asked, sources) => sources.dailyPnlUsd(),
      ({ max_daily_loss_usd: limit }) => -limit,
    ),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'DRAWDOWN_EXCEEDS_MAX',
    ...atMost(
      'drawdown',
      (_asked, { book }) => book.drawdown(),
      ({ max_drawdown: limit }) => limit,
    ),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'OPEN_OPERATIONS_EXCEED_MAX',
    ...atMost(
      'open_operations',
      (_asked, sources) => sources.openOperations() + 1,
      ({ max_open_operations: limit }) => limit,
    ),
    ...OPENING,
  },
  {
    reason: 'ORDER_RATE_EXCEEDS_MAX',
    ...atMost(
      'orders_per_second',
      ({ count, nowNs }, sources) => sources.recentOrders(nowNs) + count,
      ({ max_orders_per_second: limit }) => limit,
    ),
    ...OPENING,
    ...ORDERS,
  },
  {
    reason: 'BALANCE_INSUFFICIENT',
    name: 'short_account',
    kind: 'words',
    word: (asked, sources) => sources.shortAccount(asked) ?? 'none',
    passed: 'none',
    ...OPENING,
  },
  {
    reason: 'MARGIN_INSUFFICIENT',
    ...atLeast(
      'margin_ratio',
      (asked, sources, limit) => sources.marginRatio(asked, limit),
      ({ min_margin_ratio: limit }) => limit,
    ),
    ...OPENING,
  },
  // Two operations on one book would each count on the same levels.
  { reason: 'INSTRUMENT_BUSY', ...noLeg('instruments', ({ id }, sources) => (sources.busy(id) ? id : undefined)) },
  {
    reason: 'SELF_TRADE',
    ...noLeg('own_orders', ({ leg, id }, sources) => (sources.meetsOwnOrder(leg) ? id : undefined)),
  },
  {
    reason: 'ADL_RANK_EXCEEDS_MAX',
    ...atMost('adl_rank', adlRankOf, ({ max_adl_rank: limit }) => limit),
    ...OPENING,
    ...ORDERS,
  },
  {
    // Without its spot trade it would stand open from the first settlement on.
    reason: 'BRIDGE_NOT_TRADED',
    name: 'bridge',
    kind: 'words',
    word: ({ plan }) => (plan.bond?.isBridged === true ? 'needed' : 'none'),
    passed: 'none',
    ...OPENING,
  },
  {
    reason: 'VAR_EXCEEDS_MAX',
    ...atMost(
      'var_usd',
      (asked, { book }, limit) => book.varUsdWith(asked, limit),
      ({ max_var: limit }) => limit,
    ),
    ...OPENING,
  },
  {
    reason: 'EXPECTED_SHORTFALL_EXCEEDS_MAX',
    ...atMost(
      'expected_shortfall_usd',
      (asked, { book }, limit) => book.shortfallUsdWith(asked, limit),
      ({ max_expected_shortfall: limit }) => limit,
    ),
    ...OPENING,
  },
];

const exitRules = checks.filter(({ letsExitsPass }) => letsExitsPass !== true);
const orderRules = checks.filter(({ asksOrders }) => asksOrders === true);
const reducingOrderRules = orderRules.filter(({ letsExitsPass }) => letsExitsPass !== true);
const rulesFor = ({ bond }: Plan): readonly Rule[] => (bond?.intent === 'exit' ? exitRules : checks);

type Named<R> = R & { readonly name: string };

function atMost(name: string, measure: Measure, limitOf: Limit): Named<Bound> {
  return { name, kind: 'most', measure, limitOf };
}

function atLeast(name: string, measure: Measure, limitOf: Limit): Named<Bound> {
  return { name, kind: 'least', measure, limitOf };
}

/** What is wrong with a leg, in a word; undefined: nothing. */
function noLeg(name: string, wrong: (leg: AskedLeg, sources: RiskSources) => string | undefined): Named<Words> {
  const word = ({ legs, count }: Asked, sources: RiskSources): string => {
    for (let at = 0; at < count; at += 1) {
      const found = wrong(legs[at]!, sources);
      if (found !== undefined) return found;
    }
    return WELL;
  };
  return { name, kind: 'words', word, passed: WELL };
}

function stateIsNot(refused: TradingState): Named<Words> {
  return { name: 'trading_state', kind: 'words', word: (_asked, sources) => sources.tradingState(), refused };
}

/** In words what was found. */
function told(rule: Rule, at: number, { limits, numbers, words }: Found): Check {
  const { name } = rule;
  if (rule.kind === 'words') {
    const value = words[at]!;
    return { name, value, passed: isWell(rule, value) };
  }
  const value = numbers[at]!;
  const limit = rule.limitOf(limits);
  return { name, value: rounded(value), limit: rounded(limit), passed: isWithin(rule, value, limit) };
}

const isWell = ({ refused, passed }: Words, word: string): boolean =>
  word !== refused && (passed === undefined || word === passed);
/** A number that is none passes no limit. */
const isWithin = ({ kind }: Bound, value: number, limit: number): boolean =>
  kind === 'most' ? value <= limit : value >= limit;

const rounded = (value: number): string => String(Math.round(value * 1e4) / 1e4);
const detailOf = ({ name, value, limit }: Check): string =>
  limit === undefined ? `${name}=${value}` : `${name}=${value}, limit=${limit}`;

function adlRankOf({ legs, count }: Asked, sources: RiskSources): number {
  let most = 0;
  for (let at = 0; at < count; at += 1) most = Math.max(most, sources.adlRank(legs[at]!.id));
  return most;
}

function healthOf({ legs, count }: Asked, sources: RiskSources): number {
  let least = Infinity;
  for (let at = 0; at < count; at += 1) least = Math.min(least, sources.venueHealth(legs[at]!.venue));
  return least;
}

function ageOf({ legs, count, nowNs }: Asked, sources: RiskSources): number {
  let oldest = 0;
  for (let at = 0; at < count; at += 1) oldest = Math.max(oldest, sources.bookAgeMs(legs[at]!.id, nowNs));
  return oldest;
}

/** From the venue's last word on the oldest book to the slowest expected answer. */
function executionTimeOf(asked: Asked, sources: RiskSources): number {
  let slowest = 0;
  for (let at = 0; at < asked.count; at += 1) slowest = Math.max(slowest, sources.roundTripMs(asked.legs[at]!.venue));
  return ageOf(asked, sources) + slowest;
}

function slippageOf({ legs, count }: Asked): number {
  let worst = 0;
  for (let at = 0; at < count; at += 1) worst = Math.max(worst, legs[at]!.slippageBps);
  return worst;
}

/** As if one leg alone filled: until the others have, its whole size is a position. */
function positionOf({ legs, count }: Asked, sources: RiskSources): number {
  let largest = 0;
  for (let at = 0; at < count; at += 1) {
    const { base, usd } = legs[at]!;
    largest = Math.max(largest, Math.abs(sources.positionUsd(base)) + usd);
  }
  return largest;
}

/** What is open on the venue that comes to the most, with all the plan puts there. */
function venueExposureOf({ legs, count }: Asked, sources: RiskSources): number {
  let largest = 0;
  for (let at = 0; at < count; at += 1) {
    const { venue } = legs[at]!;
    let sum = sources.exposureUsd(venue);
    for (let other = 0; other < count; other += 1) if (legs[other]!.venue === venue) sum += legs[other]!.usd;
    largest = Math.max(largest, sum);
  }
  return largest;
}

/** The same by asset: what is open in it, what nobody closes any more, and the plan. */
function assetExposureOf({ legs, count }: Asked, sources: RiskSources): number {
  let largest = 0;
  for (let at = 0; at < count; at += 1) {
    const { base } = legs[at]!;
    let sum = sources.assetExposureUsd(base) + Math.abs(sources.positionUsd(base));
    for (let other = 0; other < count; other += 1) if (legs[other]!.base === base) sum += legs[other]!.usd;
    largest = Math.max(largest, sum);
  }
  return largest;
}

function totalExposureOf({ totalUsd }: Asked, sources: RiskSources): number {
  return sources.totalExposureUsd() + totalUsd;
}
