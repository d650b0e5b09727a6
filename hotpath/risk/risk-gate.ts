import { assert } from '#shared/assert.ts';
import type { Asset, InstrumentId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import type { Approved, DenyReason, Plan, PlanLeg, TradingState, Verdict } from '#shared/domain/trade.ts';
import { hasPremium } from '#shared/money/pnl.ts';
import type { Config } from '#shared/schema/config.ts';

/** What the gate may ask of the rest of the engine. Amounts are in the numeraire. */
export type RiskSources = {
  readonly tradingState: () => TradingState;
  /** 0 (nothing works) to 1. */
  readonly venueHealth: (venue: VenueId) => number;
  readonly bookStatus: (instrument: InstrumentId) => BookStatus;
  readonly bookAgeMs: (instrument: InstrumentId, nowNs: TimeNs) => number;
  /** Net holding above or below what the run began with, over all venues; signed. */
  readonly positionUsd: (asset: Asset) => number;
  /** Notional of open operations. */
  readonly exposureUsd: (venue: VenueId) => number;
  readonly totalExposureUsd: () => number;
  /** Realised since midnight UTC. */
  readonly dailyPnlUsd: () => number;
  readonly openOperations: () => number;
  /** An open operation works on the instrument. */
  readonly busy: (instrument: InstrumentId) => boolean;
};

/** One question asked of a plan, for the explanation. */
export type Check = {
  readonly name: string;
  readonly value: string;
  readonly limit?: string;
  readonly passed: boolean;
};

export type RiskGate = {
  /** The first check that fails is the answer. */
  readonly approve: (plan: Plan, nowNs: TimeNs) => Verdict;
  /** Every check with what it found, failed or not. */
  readonly checksOf: (plan: Plan, nowNs: TimeNs) => readonly Check[];
};

export function riskGate(limits: Config['risk'], instruments: readonly Instrument[], sources: RiskSources): RiskGate {
  const listings = new Map(instruments.map((instrument) => [instrument.id, instrument]));
  const question = (plan: Plan, nowNs: TimeNs): Question => ({
    plan,
    nowNs,
    limits,
    sources,
    legs: legsOf(plan, listings),
  });
  return {
    approve: (plan, nowNs) => {
      const asked = question(plan, nowNs);
      for (const { reason, ask } of checksFor(plan)) {
        const check = ask(asked);
        if (!check.passed) return { kind: 'denied', reason, detail: detailOf(check) };
      }
      return { kind: 'approved', plan: plan as Approved<Plan> };
    },
    checksOf: (plan, nowNs) => {
      const asked = question(plan, nowNs);
      return checksFor(plan).map(({ ask }) => ask(asked));
    },
  };
}

type RiskLeg = { readonly id: InstrumentId; readonly venue: VenueId; readonly base: Asset; readonly notional: number };

type Question = {
  readonly plan: Plan;
  readonly legs: readonly RiskLeg[];
  readonly nowNs: TimeNs;
  readonly limits: Config['risk'];
  readonly sources: RiskSources;
};

/** One rule. A limit is one entry of `checks`. An exit only takes away from what is held: limits on what may be opened do not hold it back. */
type RiskCheck = {
  readonly reason: DenyReason;
  readonly ask: (question: Question) => Check;
  readonly letsExitsPass?: true;
};

/** Every limit, in the order in which it is asked: from what stops everything to what concerns this plan alone. */
const checks: readonly RiskCheck[] = [
  {
    reason: 'TRADING_HALTED',
    ask: ({ sources }) => isNot('trading_state', sources.tradingState(), 'halted'),
  },
  {
    // While reducing, only recovery and exits trade: they close what is open.
    reason: 'TRADING_REDUCING',
    letsExitsPass: true,
    ask: ({ sources }) => isNot('trading_state', sources.tradingState(), 'reducing'),
  },
  {
    reason: 'VENUE_UNHEALTHY',
    ask: ({ legs, limits, sources }) =>
      atLeast(
        'venue_health',
        least(legs, ({ venue }) => sources.venueHealth(venue)),
        limits.min_venue_health,
      ),
  },
  {
    reason: 'BOOK_NOT_LIVE',
    ask: ({ legs, sources }) => {
      const dead = legs.find(({ id }) => sources.bookStatus(id) !== 'live');
      return {
        name: 'book_status',
        value: dead === undefined ? 'live' : sources.bookStatus(dead.id),
        limit: 'live',
        passed: dead === undefined,
      };
    },
  },
  {
    reason: 'BOOK_TOO_OLD',
    ask: ({ legs, limits, nowNs, sources }) =>
      atMost(
        'book_age_ms',
        most(legs, ({ id }) => sources.bookAgeMs(id, nowNs)),
        limits.max_book_age_ms,
      ),
  },
  {
    reason: 'EDGE_BELOW_MIN',
    letsExitsPass: true,
    ask: ({ plan, limits }) => atLeast('net_edge_bps', plan.netEdgeBps, limits.min_profit_margin_bps),
  },
  {
    // As if this leg alone filled: until the others have, its whole size is a position.
    reason: 'POSITION_EXCEEDS_MAX',
    letsExitsPass: true,
    ask: ({ legs, limits, sources }) =>
      atMost(
        'position_usd',
        most(legs, ({ base, notional }) => Math.abs(sources.positionUsd(base)) + notional),
        limits.max_position_size_usd,
      ),
  },
  {
    reason: 'VENUE_EXPOSURE_EXCEEDS_MAX',
    letsExitsPass: true,
    ask: ({ legs, limits, sources }) =>
      atMost(
        'venue_exposure_usd',
        most(legs, ({ venue }) => sources.exposureUsd(venue) + total(legs.filter((leg) => leg.venue === venue))),
        limits.max_exposure_per_exchange,
      ),
  },
  {
    reason: 'TOTAL_EXPOSURE_EXCEEDS_MAX',
    letsExitsPass: true,
    ask: ({ legs, limits, sources }) =>
      atMost('total_exposure_usd', sources.totalExposureUsd() + total(legs), limits.max_total_exposure_usd),
  },
  {
    reason: 'DAILY_LOSS_EXCEEDS_MAX',
    letsExitsPass: true,
    ask: ({ limits, sources }) => atLeast('daily_pnl_usd', sources.dailyPnlUsd(), -limits.max_daily_loss_usd),
  },
  {
    reason: 'OPEN_OPERATIONS_EXCEED_MAX',
    letsExitsPass: true,
    ask: ({ limits, sources }) => atMost('open_operations', sources.openOperations() + 1, limits.max_open_operations),
  },
  {
    // Two operations on one book would each count on the same levels.
    reason: 'INSTRUMENT_BUSY',
    ask: ({ legs, sources }) => {
      const taken = legs.find(({ id }) => sources.busy(id));
      return { name: 'instruments_free', value: taken?.id ?? 'all', passed: taken === undefined };
    },
  },
  {
    // Without its spot trade it would stand open from the first settlement on.
    reason: 'BRIDGE_NOT_TRADED',
    letsExitsPass: true,
    ask: ({ plan: { bond } }) => ({
      name: 'bridge',
      value: bond?.isBridged === true ? 'needed' : 'none',
      passed: bond?.isBridged !== true,
    }),
  },
];

const checksFor = ({ bond }: Plan): readonly RiskCheck[] =>
  bond?.intent === 'exit' ? checks.filter(({ letsExitsPass }) => letsExitsPass !== true) : checks;

/** A number that is none passes no limit. */
const atMost = (name: string, value: number, limit: number): Check => numeric(name, value, limit, value <= limit);
const atLeast = (name: string, value: number, limit: number): Check => numeric(name, value, limit, value >= limit);
const numeric = (name: string, value: number, limit: number, passed: boolean): Check => ({
  name,
  value: rounded(value),
  limit: rounded(limit),
  passed,
});
const isNot = (name: string, value: string, refused: string): Check => ({ name, value, passed: value !== refused });

const rounded = (value: number): string => String(Math.round(value * 1e4) / 1e4);
const detailOf = ({ name, value, limit }: Check): string =>
  limit === undefined ? `${name}=${value}` : `${name}=${value}, limit=${limit}`;

const most = (legs: readonly RiskLeg[], of: (leg: RiskLeg) => number): number => Math.max(...legs.map(of));
const least = (legs: readonly RiskLeg[], of: (leg: RiskLeg) => number): number => Math.min(...legs.map(of));
const total = (legs: readonly RiskLeg[]): number => legs.reduce((sum, { notional }) => sum + notional, 0);

function legsOf(plan: Plan, listings: ReadonlyMap<InstrumentId, Instrument>): readonly RiskLeg[] {
  return plan.legs.map((leg) => {
    const listing = listings.get(leg.instrument);
    assert(listing !== undefined, `a plan trades what is not in the registry: ${leg.instrument}`);
    return { id: leg.instrument, venue: listing.venue, base: listing.base, notional: notionalOf(leg, listing, plan) };
  });
}

/** An option counts as what underlies it, whatever its premium. */
function notionalOf({ qty, notional }: PlanLeg, { kind, base, contractSize }: Instrument, { rates }: Plan): number {
  const rate = rates[base];
  if (!hasPremium(kind) || rate === undefined) return notional.toNumber();
  return qty.times(contractSize).times(rate).toNumber();
}
