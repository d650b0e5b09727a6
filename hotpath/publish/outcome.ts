import type { Depths, References, Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ProductRoute, Route, RouteLeg, SumRoute } from '#shared/domain/route.ts';
import type { Opportunity } from '#shared/domain/trade.ts';
import type { CarryMarket, CarrySettings } from '#shared/quant/carry.ts';
import { carryOf, notionalPerUnit, underlyingOf } from '#shared/quant/carry.ts';
import { cashPerUnit, legFeeOf, unitsPerQty } from '#shared/quant/leg-value.ts';
import { takerFeeOf } from '#shared/quant/taker-fee.ts';
import { transferCostOf } from '#shared/quant/transfer-cost.ts';

export type OutcomeSources = {
  readonly instruments: readonly Instrument[];
  readonly routes: readonly Route[];
  readonly tops: Tops;
  readonly depths: Depths;
  readonly references: References;
  readonly settings: CarrySettings;
  readonly unixMs: (at: TimeNs) => number;
  /** Share of each displayed level that could have been taken: that of sizing. */
  readonly displayedFraction: number;
  /** What transfers cost, by `from>to`. */
  readonly rebalanceCostBps: Readonly<Record<string, number>>;
};

/** What an opportunity would make if its legs were taken from the books of now, as a fraction; undefined when they cannot be, or when nobody can say. */
export type OutcomeOf = (route: number, opportunity: Opportunity, nowNs: TimeNs) => number | undefined;

/** Levels read of each book. */
const LEVELS_MAX = 64;

/**
 * Walks the same legs at the same size: a product takes its notional through its conversions, a sum as many units as were found. Fees, transfers and carry are those
 * of docs/net-edge.md. Reads into its own buffers; one at a time.
 */
export function outcomesFrom(sources: OutcomeSources): OutcomeOf {
  const levels = new Levels(sources);
  return (index, opportunity, nowNs) => {
    if (!(opportunity.notional > 0)) return undefined;
    const route = sources.routes[index]!;
    const edge =
      route.evaluator === 'product'
        ? productEdge(route, opportunity, sources, levels)
        : sumEdge(route, opportunity, { ...sources, nowMs: sources.unixMs(nowNs) }, levels);
    return Number.isFinite(edge) ? edge : undefined;
  };
}

/** One side of a book, best first. */
class Levels {
  readonly prices = new Float64Array(LEVELS_MAX);
  readonly qtys = new Float64Array(LEVELS_MAX);
  count = 0;
  readonly #sources: OutcomeSources;

  constructor(sources: OutcomeSources) {
    this.#sources = sources;
  }

  read(instrument: InstrumentIndex, side: RouteLeg['side']): void {
    const { depths, displayedFraction } = this.#sources;
    this.count =
      depths.status(instrument) === 'live'
        ? (side === 'buy' ? depths.asks : depths.bids)(instrument, this.prices, this.qtys)
        : 0;
    for (let at = 0; at < this.count; at += 1) this.qtys[at]! *= displayedFraction;
  }
}

/** NaN when a book is too thin. */
function productEdge(
  route: ProductRoute,
  { notional }: Opportunity,
  { instruments, rebalanceCostBps }: OutcomeSources,
  levels: Levels,
): number {
  let amount = notional;
  for (const { instrument, side } of route.legs) {
    const fee = takerFeeOf(instruments[instrument]!, side);
    levels.read(instrument, side);
    amount = converted(amount / fee.paid.toNumber(), side, levels) * fee.kept.toNumber();
  }
  return amount / notional - 1 - transferCostOf(route, instruments, rebalanceCostBps);
}

/** What an amount of quote buys, or an amount of base brings, before fees. */
function converted(amount: number, side: RouteLeg['side'], { prices, qtys, count }: Levels): number {
  let left = amount;
  let received = 0;
  for (let at = 0; at < count && left > 0; at += 1) {
    const price = prices[at]!;
    const given = Math.min(left, side === 'buy' ? qtys[at]! * price : qtys[at]!);
    received += side === 'buy' ? given / price : given * price;
    left -= given;
  }
  return left <= amount * ROUNDING ? received : NaN;
}

/** NaN when a book is too thin, or a venue's word is missing. */
function sumEdge(route: SumRoute, { legs }: Opportunity, market: CarryMarket & OutcomeSources, levels: Levels): number {
  const units = unitsOf(route.legs[0]!, legs[0]!, market.instruments);
  let net = units * carryOf(route, market, market.settings).net;
  for (const leg of route.legs) net += cashOf(leg, units * leg.ratio, market, levels);
  return net / (units * notionalPerUnit(route, market.tops));
}

/** Of the route, in what was found of its first leg. */
function unitsOf(
  { instrument, unit, ratio }: RouteLeg,
  { price, qty }: Opportunity['legs'][number],
  instruments: readonly Instrument[],
): number {
  return (qty * unitsPerQty(instruments[instrument]!, unit, price)) / ratio;
}

function cashOf(leg: RouteLeg, units: number, market: CarryMarket, levels: Levels): number {
  const { instrument, side, unit } = leg;
  const listing = market.instruments[instrument]!;
  const fee = legFeeOf(listing);
  const underlying = underlyingOf(instrument, market);
  levels.read(instrument, side);
  let left = units;
  let cash = 0;
  for (let at = 0; at < levels.count && left > 0; at += 1) {
    const price = levels.prices[at]!;
    const taken = Math.min(left, levels.qtys[at]! * unitsPerQty(listing, unit, price));
    cash += taken * cashPerUnit(leg, fee, price, underlying);
    left -= taken;
  }
  return left <= units * ROUNDING ? cash : NaN;
}

/** Doubles leave about this much of a size that is taken whole. */
const ROUNDING = 1e-9;
