import type { References, Tops } from '../domain/capital.ts';
import { FUNDING_FLOWS } from '../domain/capital.ts';
import type { InstrumentIndex } from '../domain/ids.ts';
import type { Instrument } from '../domain/instrument.ts';
import type { Bridge, RouteLeg, SumRoute, Unit } from '../domain/route.ts';
import type { Config } from '../schema/config.ts';
import { unitValue } from './leg-value.ts';

/** How routes that hold are reckoned; see `[engine.carry]` in the configuration. */
export type CarrySettings = {
  /** Routes that end by trading are reckoned to be held so long. */
  readonly horizonMs: number;
  /** The share of a funding rate that its next interval is expected to keep. 0: only the transmitted one counts. */
  readonly fundingPersistence: number;
  /** What money costs, a year. */
  readonly capitalRate: number;
  /** Of the value of a future, or of the underlying of a sold option. */
  readonly marginFraction: number;
  /** Lost to the spread by a trade to come, as a fraction. */
  readonly closingSlippage: number;
  /** What a coin that was sold short costs, a year, by asset. */
  readonly borrowRateOf: (asset: string) => number;
  /** What expires sooner makes no route, and no route pays until the end any more. */
  readonly minTenorMs: number;
};

/**
 * What the time until the end of a route brings and costs per unit, in the start asset, beside the cash of its entry. Costs are positive; funding is what is
 * expected to be received (negative: paid). `net` = payoff + funding − closing − delivery − borrow − capitalCost. Every figure is NaN while a price or
 * a word of a venue that it needs is missing, and `net` once the route can be entered no more.
 */
export type Carry = {
  readonly net: number;
  readonly payoff: number;
  readonly closing: number;
  readonly delivery: number;
  readonly funding: number;
  readonly borrow: number;
  readonly capitalCost: number;
  /** What must lie idle or as margin. */
  readonly capital: number;
  readonly holdMs: number;
};

export type CarryMarket = {
  readonly instruments: readonly Instrument[];
  readonly tops: Pick<Tops, 'bid' | 'ask'>;
  readonly references: References;
  readonly nowMs: number;
};

/** The settings as the configuration states them. */
export function carrySettingsOf(carry: Config['engine']['carry']): CarrySettings {
  const { borrow_rates: borrowRates } = carry;
  return {
    horizonMs: carry.horizon_hours * 3_600_000,
    fundingPersistence: carry.funding_persistence,
    capitalRate: carry.capital_rate,
    marginFraction: carry.margin_fraction,
    closingSlippage: carry.closing_slippage_bps / 1e4,
    borrowRateOf: (asset) => borrowRates[asset] ?? borrowRates['default'] ?? 0,
    minTenorMs: carry.min_tenor_minutes * 60_000,
  };
}

const YEAR_MS = 365 * 86_400_000;
/** Fundings counted at most: what comes later is worth nothing at any persistence below 1. */
const FUNDINGS_MAX = 1_000;
const NO_BRIDGES: readonly Bridge[] = [];

/** @see docs/net-edge.md for each term. Reckoned twelve thousand times a second: loops without iterators, fees that are doubles already. */
export function carryOf(route: SumRoute, market: CarryMarket, settings: CarrySettings): Carry {
  const { legs, terms } = route;
  const holdMs = terms.endsMs === undefined ? settings.horizonMs : Math.max(0, terms.endsMs - market.nowMs);
  const years = holdMs / YEAR_MS;
  let closing = 0;
  let delivery = 0;
  let funding = 0;
  let borrow = 0;
  let capital = 0;
  let bridging = 0;
  for (let at = 0; at < terms.closings.length; at += 1) {
    const end = terms.closings[at]!;
    const value = valueAtMid(end, market);
    closing += end.ratio * (takerFeeAt(value, end.instrument, market) + value * settings.closingSlippage);
  }
  for (let at = 0; at < terms.deliveries.length; at += 1) {
    const end = terms.deliveries[at]!;
    const instrument = market.instruments[end.instrument]!;
    const settled = instrument.kind === 'option' ? underlyingOf(end.instrument, market) : valueAtMid(end, market);
    const rate = ratesOf(instrument).delivery;
    if (rate > 0) delivery += end.ratio * settled * rate;
  }
  for (let at = 0; at < legs.length; at += 1) {
    const leg = legs[at]!;
    const { kind, base } = market.instruments[leg.instrument]!;
    capital += leg.ratio * tiedUp(leg, market, settings);
    if (kind === 'perpetual') {
      const paid = leg.ratio * valueAtMid(leg, market) * expectedFunding(leg.instrument, market, holdMs, settings);
      funding += leg.side === 'buy' ? -paid : paid;
    }
    if (kind === 'spot' && leg.side === 'sell') {
      borrow += leg.ratio * valueAtMid(leg, market) * settings.borrowRateOf(base) * years;
    }
  }
  const bridges = terms.bridges ?? NO_BRIDGES;
  for (let at = 0; at < bridges.length; at += 1) {
    const bridge = bridges[at]!;
    const value = bridge.ratio * valueAtMid(bridge, market);
    const heldYears = Math.max(0, bridge.toMs - Math.max(bridge.fromMs, market.nowMs)) / YEAR_MS;
    bridging += value * settings.capitalRate * heldYears;
    if (bridge.side === 'sell') {
      borrow += value * settings.borrowRateOf(market.instruments[bridge.instrument]!.base) * heldYears;
    }
  }
  let payoff = 0;
  for (let at = 0; at < terms.payoffs.length; at += 1) payoff += terms.payoffs[at]!.amount;
  const capitalCost = capital * settings.capitalRate * years + bridging;
  const net = canEnter(route, market, settings) ? payoff + funding - closing - delivery - borrow - capitalCost : NaN;
  return { net, payoff, closing, delivery, funding, borrow, capitalCost, capital, holdMs };
}

/** Whether no leg has expired, or expires within the least tenor: routes are compiled once, and time goes on. */
export function canEnter(
  { legs }: Pick<SumRoute, 'legs'>,
  { instruments, nowMs }: Pick<CarryMarket, 'instruments' | 'nowMs'>,
  { minTenorMs }: Pick<CarrySettings, 'minTenorMs'>,
): boolean {
  for (let at = 0; at < legs.length; at += 1) {
    const { expiryMs } = instruments[legs[at]!.instrument]!;
    if (expiryMs !== undefined && expiryMs <= nowMs + minTenorMs) return false;
  }
  return true;
}

/** The notional of one unit, in the start asset: what its edge is a fraction of. */
export function notionalPerUnit(
  { legs, terms: { notional } }: SumRoute,
  { bid, ask }: Pick<Tops, 'bid' | 'ask'>,
): number {
  if ('amount' in notional) return notional.amount;
  const { instrument, side, unit, ratio } = legs[notional.leg]!;
  return ratio * unitValue(unit, (side === 'buy' ? ask : bid)[instrument]!);
}

/** What an option's fees are a fraction of, in the currency of its premium: one coin, or the index that its venue says. NaN while nobody has said. */
export function underlyingOf(
  instrument: InstrumentIndex,
  { instruments, references }: Pick<CarryMarket, 'instruments' | 'references'>,
): number {
  const { base, quote } = instruments[instrument]!;
  if (base === quote) return 1;
  const index = references.indexPrice[instrument]!;
  return Number.isNaN(index) ? references.underlyingPrice[instrument]! : index;
}

/**
 * What a long pays over the time, as a fraction of its value: the transmitted rate at the transmitted time, then what persists of it every interval; where
 * funding flows, the rate of each interval for as much of it as the time takes in.
 * NaN while the venue has not said all three.
 */
export function expectedFunding(
  instrument: InstrumentIndex,
  { references, nowMs }: Pick<CarryMarket, 'references' | 'nowMs'>,
  holdMs: number,
  { fundingPersistence }: Pick<CarrySettings, 'fundingPersistence'>,
): number {
  const rate = references.fundingRate[instrument]!;
  const nextMs = references.nextFundingTimeMs[instrument]!;
  const intervalMs = references.fundingIntervalMs[instrument]!;
  if (Number.isNaN(rate + nextMs + intervalMs)) return NaN;
  if (nextMs === FUNDING_FLOWS) return rate * intervalsKept(holdMs / intervalMs, fundingPersistence);
  // A time that has passed was paid: the next one is a whole number of intervals later.
  const firstMs = nextMs > nowMs ? nextMs : nextMs + Math.ceil((nowMs - nextMs + 1) / intervalMs) * intervalMs;
  const count = Math.min(FUNDINGS_MAX, Math.floor((nowMs + holdMs - firstMs) / intervalMs) + 1);
  let expected = 0;
  let share = 1;
  for (let at = 0; at < count; at += 1) {
    expected += rate * share;
    share *= fundingPersistence;
  }
  return expected;
}

/** So many intervals, each worth `persistence` of the one before; the last in part. */
function intervalsKept(intervals: number, persistence: number): number {
  let kept = 0;
  let share = 1;
  for (let left = Math.min(FUNDINGS_MAX, intervals); left > 0; left -= 1) {
    kept += share * Math.min(1, left);
    share *= persistence;
  }
  return kept;
}

/** Per unit of a leg: coins bought or given away whole, a premium paid, the margin of everything else. */
function tiedUp({ instrument, side, unit }: RouteLeg, market: CarryMarket, { marginFraction }: CarrySettings): number {
  const { kind } = market.instruments[instrument]!;
  if (kind === 'spot' || (kind === 'option' && side === 'buy')) return valueAtMid({ instrument, unit }, market);
  const value = kind === 'option' ? underlyingOf(instrument, market) : valueAtMid({ instrument, unit }, market);
  return marginFraction * value;
}

/** What a taker pays on one unit of this value: an option's fee is a fraction of its underlying, up to its cap. */
function takerFeeAt(value: number, instrument: InstrumentIndex, market: CarryMarket): number {
  const listing = market.instruments[instrument]!;
  const { taker, premiumShareMax } = ratesOf(listing);
  if (listing.kind !== 'option') return taker * value;
  return Math.min(taker * underlyingOf(instrument, market), premiumShareMax * value);
}

/** Fee rates as doubles: 0 and no cap where there is none. */
type FeeRates = { readonly taker: number; readonly delivery: number; readonly premiumShareMax: number };

const knownRates = new WeakMap<Instrument, FeeRates>();

function ratesOf(instrument: Instrument): FeeRates {
  const known = knownRates.get(instrument);
  if (known !== undefined) return known;
  const { taker, delivery, premiumShareMax } = instrument.fees;
  const rates = {
    taker: taker.toNumber(),
    delivery: delivery?.toNumber() ?? 0,
    premiumShareMax: premiumShareMax?.toNumber() ?? Infinity,
  };
  knownRates.set(instrument, rates);
  return rates;
}

function valueAtMid(
  { instrument, unit }: { readonly instrument: InstrumentIndex; readonly unit?: Unit | undefined },
  { tops }: Pick<CarryMarket, 'tops'>,
): number {
  return unitValue(unit, (tops.bid[instrument]! + tops.ask[instrument]!) / 2);
}
