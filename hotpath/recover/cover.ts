import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Cover, OperationView } from '#shared/domain/recovery.ts';
import { opposite } from '#shared/domain/route.ts';
import type { Side } from '#shared/domain/route.ts';
import { lotQty, tickAt, ZERO } from '#shared/money/grid.ts';
import { quoteValueOf } from '#shared/money/pnl.ts';
import type { Level, Walk } from './book-walk.ts';
import { limitBeyond, walkBase } from './book-walk.ts';
import type { PlacedOrder, Situation } from './candidate.ts';
import { isAffordable, isLeg } from './candidate.ts';
import { coinsOf, deltasOf, rateIn } from './loose.ts';

/** A perpetual sold or bought for loose coins, until they can be traded themselves. */
export type Covering = {
  readonly placed: readonly PlacedOrder[];
  /** Of opening it, of the carry and of closing it again, in the numeraire; estimated at the book of now. */
  readonly cost: Decimal;
};

/**
 * Covers for the coins that are loose and have none, asset by asset on the book where that costs least: rounded down to lots, so never more than is loose.
 * Undefined where nothing is loose or no book and no account bears any.
 */
export function coverLoose(situation: Situation): Covering | undefined {
  const { view, market } = situation;
  const placed: PlacedOrder[] = [];
  let cost: Decimal = ZERO;
  for (const [asset, loose] of deltasOf(view)) {
    const open = loose.plus(coveredCoins(view, asset));
    // Covered too far is another matter: {@link surplusOf}.
    if (open.isZero() || open.isNegative() !== loose.isNegative()) continue;
    // A leg's own instrument would be counted as the leg.
    const perpetuals = market.coversOf(asset).filter((perpetual) => !isLeg(perpetual, view));
    const bids = perpetuals.flatMap((perpetual) => bidOn(perpetual, open, situation) ?? []);
    const affordable = bids.filter((bid) => isAffordable([...placed, bid.placed], market));
    const best = cheapestOf(affordable);
    if (best === undefined) continue;
    placed.push(best.placed);
    cost = cost.plus(best.cost);
  }
  return placed.length === 0 ? undefined : { placed, cost };
}

/** What of the covers must be closed: what goes beyond what is loose, all of it once nothing is. `isAway`: some book that it wants is not live. */
export type Surplus = { readonly placed: readonly PlacedOrder[]; readonly isAway: boolean };

export function surplusOf(situation: Situation, isSettled: boolean): Surplus {
  const { view } = situation;
  const placed: PlacedOrder[] = [];
  let isAway = false;
  const deltas = deltasOf(view);
  const left = new Map<string, Decimal>();
  for (const cover of view.covers) {
    const asset = cover.instrument.base;
    const covered = coveredCoins(view, asset);
    const excess = left.get(asset) ?? excessOf(deltas.get(asset) ?? ZERO, covered);
    const coins = isSettled ? coinsOf(cover.instrument, cover.size.abs(), view.rates) : excess;
    const closing = closingOf(cover, coins, situation);
    if (closing === 'away') isAway = true;
    else if (closing !== undefined) {
      placed.push(closing);
      left.set(asset, Decimal.max(ZERO, excess.minus(coinsOf(cover.instrument, closing.order.qty, view.rates))));
    }
  }
  return { placed, isAway };
}

/** How far covers go beyond what is loose, in coins. */
function excessOf(loose: Decimal, covered: Decimal): Decimal {
  const net = loose.plus(covered);
  return net.isNegative() === covered.isNegative() ? Decimal.min(net.abs(), covered.abs()) : ZERO;
}

const coveredCoins = ({ covers, rates }: OperationView, asset: string): Decimal =>
  covers
    .filter(({ instrument }) => instrument.base === asset)
    .reduce((sum: Decimal, { instrument, size }) => sum.plus(coinsOf(instrument, size, rates)), ZERO);

/** Of a cover, so much that these coins stand open no more; undefined when that is below the smallest order. */
function closingOf(
  { instrument: on, size }: Cover,
  coins: Decimal,
  situation: Situation,
): PlacedOrder | 'away' | undefined {
  const wanted = Decimal.min(size.abs(), lotQty(coins.div(on.contractSize), on.lot));
  if (wanted.isZero()) return undefined;
  const side = size.isNegative() ? 'buy' : 'sell';
  const levels = situation.market.levels(on, side);
  if (levels.length === 0) return 'away';
  return placedOn(on, side, walkBase(levels, wanted), situation);
}

type Bid = { readonly placed: PlacedOrder; readonly cost: Decimal; readonly isWhole: boolean };

function bidOn(on: Instrument, loose: Decimal, situation: Situation): Bid | undefined {
  const { market, view } = situation;
  if ([on.base, on.quote, on.settle].some((asset) => view.rates[asset] === undefined)) return undefined;
  const side = loose.gt(0) ? 'sell' : 'buy';
  const levels = market.levels(on, side);
  const back = market.levels(on, opposite(side));
  const wanted = lotQty(loose.abs().div(on.contractSize), on.lot);
  if (levels.length === 0 || back.length === 0 || wanted.isZero()) return undefined;
  const walk = walkBase(levels, wanted);
  const placed = placedOn(on, side, walk, situation);
  if (placed === undefined) return undefined;
  return { placed, cost: roundTripOf({ on, side }, walk, back[0]!, situation), isWhole: walk.isWhole };
}

/** Both fees, the way through the book, the spread, and what holding it costs. */
function roundTripOf(
  { on, side }: { readonly on: Instrument; readonly side: Side },
  { qty, value }: Walk,
  back: Level,
  { market, view }: Situation,
): Decimal {
  const spread = value.minus(qty.times(back.price)).abs();
  const charged = on.fees.taker.times(2).plus(market.carryOf(on, side)).times(value);
  return spread.plus(charged).times(on.contractSize).times(rateIn(view.rates, on.quote));
}

/** All of it before a part of it; then what costs less a coin. */
function cheapestOf(bids: readonly Bid[]): Bid | undefined {
  const perCoin = ({ cost, placed: { on, order } }: Bid): Decimal => cost.div(order.qty.times(on.contractSize));
  let best: Bid | undefined;
  for (const bid of bids) {
    const isBetter =
      best === undefined || (bid.isWhole === best.isWhole ? perCoin(bid).lt(perCoin(best)) : bid.isWhole);
    if (isBetter) best = bid;
  }
  return best;
}

function placedOn(on: Instrument, side: Side, walk: Walk, { slack, view }: Situation): PlacedOrder | undefined {
  const qty = lotQty(walk.qty, on.lot);
  const price = limitBeyond(walk.worst, slack, side, tickAt(on, walk.worst));
  if (qty.isZero() || qty.lt(on.minQty) || quoteValueOf(on, qty, price).lt(on.minNotional)) return undefined;
  const leg = Math.max(
    0,
    view.legs.findIndex(({ instrument: { base, quote } }) => base === on.base || quote === on.base),
  );
  return { on, order: { leg, purpose: 'hedge', instrument: on.id, side, qty, price } };
}
