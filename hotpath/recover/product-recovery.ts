import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LegView, OperationView, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import { opposite } from '#shared/domain/route.ts';
import type { Qty } from '#shared/money/grid.ts';
import { lotQty, tickAt, ZERO } from '#shared/money/grid.ts';
import type { Walk } from './book-walk.ts';
import { limitBeyond, walkBase, walkQuote } from './book-walk.ts';
import type { Candidate, PlacedOrder, Situation } from './candidate.ts';
import { DUST_COST, isAffordable, isBetter, isLeg } from './candidate.ts';
import { rateIn, sourceOf, targetOf } from './loose.ts';

/** One correction of one leg: what it changes about the leg's spending and receiving, and what all that is asked for brings at that price, in the numeraire. */
type Correction = {
  readonly placed: PlacedOrder | undefined;
  readonly spent: Decimal;
  readonly received: Decimal;
  readonly value: Decimal;
  readonly isWhole: boolean;
};

/**
 * Ways to bring a product route into agreement: what leg k receives, leg k + 1 must spend. One leg is taken as it is, and the others are brought to agree
 * with it: those that did too little are completed at today's prices, those that did too much are unwound. Each leg is tried as the one that stays, once on
 * the legs' own books and once with other venues' beside them. What is smaller than the smallest order stays as dust, unless the smallest order leaves much
 * less of it. Ways that want a book which is not live, or funds that are missing, are none.
 */
export function productWays(situation: Situation): readonly Candidate[] {
  const ways: Way[] = [];
  const { view, market } = situation;
  const isElsewhere = view.legs.some(({ instrument }) => market.alternatives(instrument).length > 0);
  for (const anchor of view.legs.keys()) {
    for (const elsewhere of isElsewhere ? [false, true] : [false]) {
      // An account that does not bear the smallest order keeps its dust, and so does a route along which it would only be moved.
      const bold = wayAround(anchor, situation, { elsewhere, beyond: true });
      const way = bold?.lessens === true ? bold : (wayAround(anchor, situation, { elsewhere, beyond: false }) ?? bold);
      if (way !== undefined) ways.push(way);
    }
  }
  // What moves dust from one asset to another is moved back by the next look, for ever: only where there is nothing else.
  const lessening = ways.filter(({ lessens }) => lessens);
  return lessening.length > 0 ? lessening : ways;
}

type Way = Candidate & {
  /** Whether it sends nothing, or leaves clearly less between the legs than there was. */
  readonly lessens: boolean;
};

type Means = {
  /** Whether other venues' books may do a leg's work. */
  readonly elsewhere: boolean;
  /** Whether the smallest order may be sent for what is less. */
  readonly beyond: boolean;
};

/** Brings every leg into agreement with one. */
function wayAround(anchor: number, situation: Situation, means: Means): Way | undefined {
  const { legs, realised } = situation.view;
  const corrections: Correction[] = [NOTHING];
  let { received } = legs[anchor]!;
  for (let at = anchor + 1; at < legs.length; at += 1) {
    const leg = legs[at]!;
    const correction = correct({ leg, at, end: 'source', amount: received.minus(leg.spent), ...means }, situation);
    if (correction === undefined) return undefined;
    corrections.push(correction);
    received = leg.received.plus(correction.received);
  }
  let { spent } = legs[anchor]!;
  for (let at = anchor - 1; at >= 0; at -= 1) {
    const leg = legs[at]!;
    const correction = correct({ leg, at, end: 'target', amount: spent.minus(leg.received), ...means }, situation);
    if (correction === undefined) return undefined;
    corrections.unshift(correction);
    spent = leg.spent.plus(correction.spent);
  }
  const placed = corrections.flatMap((correction) => correction.placed ?? []);
  if (!isAffordable(placed, situation.market)) return undefined;
  const isWhole = corrections.every((correction) => correction.isWhole);
  // A book too thin for the smallest order is no way, and what it cannot take is no dust.
  if (!isWhole && placed.length === 0) return undefined;
  const left = looseAfter(corrections, situation.view);
  const lessens = placed.length === 0 || !isWhole || left.lte(looseAfter([], situation.view).times(LEFT_MAX));
  return { placed, value: corrections.reduce((sum, { value }) => sum.plus(value), realised), isWhole, lessens };
}

/** What the legs leave between them, in the numeraire, after a correction of each; none is nothing. */
function looseAfter(corrections: readonly Correction[], { legs, rates }: OperationView): Decimal {
  let loose: Decimal = ZERO;
  for (let at = 1; at < legs.length; at += 1) {
    const [before, behind] = [legs[at - 1]!, legs[at]!];
    const received = before.received.plus(corrections[at - 1]?.received ?? ZERO);
    const spent = behind.spent.plus(corrections[at]?.spent ?? ZERO);
    loose = loose.plus(
      received
        .minus(spent)
        .abs()
        .times(rateIn(rates, targetOf(before))),
    );
  }
  return loose;
}

type Wanted = Means & {
  readonly leg: LegView;
  readonly at: number;
  /** Which end of the leg must change: what it spends, or what it receives. */
  readonly end: 'source' | 'target';
  /** By how much; negative takes back. */
  readonly amount: Decimal;
};

/** Share of what was loose that orders may leave, all of them together: so that looks come to an end. */
const LEFT_MAX = new Decimal('0.75');
/** The smallest order is sent for what is less when that leaves no more than half of it, on the other side. */
const BEYOND_MAX = new Decimal('1.5');
const NOTHING: Correction = { placed: undefined, spent: ZERO, received: ZERO, value: ZERO, isWhole: true };

/**
 * The order that changes one end of a leg by an amount: none when that is below the smallest order of the leg's own instrument, undefined without a live
 * book. Elsewhere is where it costs least, and where the funds are.
 */
function correct(wanted: Wanted, situation: Situation): Correction | undefined {
  if (wanted.amount.isZero()) return NOTHING;
  const { market, view } = situation;
  const { instrument } = wanted.leg;
  const own = correctOn(instrument, wanted, situation);
  const isDust = own?.placed === undefined && own?.isWhole === true;
  if (!wanted.elsewhere || isDust) return own;

  let best = own?.placed !== undefined && isAffordable([own.placed], market) ? own : undefined;
  for (const other of market.alternatives(instrument)) {
    // On another leg's instrument it would be that leg's unwinding, which has a way of its own.
    if (isLeg(other, view) || view.rates[other.quote] === undefined) continue;
    const there = correctOn(other, wanted, situation);
    if (there?.placed === undefined || !isAffordable([there.placed], market)) continue;
    if (best === undefined || isBetter(there, best)) best = there;
  }
  return best ?? own;
}

/** The same on one instrument: the leg's own, or spot of another venue. */
function correctOn(on: Instrument, wanted: Wanted, situation: Situation): Correction | undefined {
  const { leg, at, end, amount, beyond } = wanted;
  const { market, slack, view } = situation;
  const isForward = amount.gt(0);
  const side = isForward ? leg.side : opposite(leg.side);
  const levels = market.levels(on, side);
  if (levels.length === 0) return undefined;
  // What one unit of the leg's quote is in the quote that is traded.
  const exchange = rateIn(view.rates, leg.instrument.quote).div(rateIn(view.rates, on.quote));
  const wantsBase = (end === 'source') === (leg.side === 'sell');
  const walk = wantsBase
    ? walkBase(levels, baseToTrade(on, side, amount.abs()))
    : walkQuote(levels, quoteToTrade(on, side, amount.abs().times(exchange)));

  const price = limitBeyond(walk.worst, slack, side, tickAt(on, walk.worst));
  const least = leastQty(on, price);
  const isBeyond = beyond && walk.isWhole && walk.qty.lt(least) && least.lt(walk.qty.times(BEYOND_MAX));
  const qty = isBeyond ? least : lotQty(walk.qty, on.lot);
  if (qty.lt(least)) return { ...NOTHING, value: costOfDust(wanted, view.rates), isWhole: walk.isWhole };
  const isOwn = on.id === leg.instrument.id;
  const purpose: RecoveryOrder['purpose'] = !isOwn ? 'hedge' : isForward ? 'complete' : 'unwind';
  const { base, quote } = netFlows(on, side, walkBase(levels, qty));
  const paid = quote.div(exchange);
  const [spent, received] = leg.side === 'buy' ? [paid.neg(), base] : [base.neg(), paid];
  const brought = valueOf(leg, { spent, received }, view.rates).minus(moving(leg, on, { quote, situation }));
  // As if all of it were traded so: what a thin book leaves for later, or lots leave for ever, must not look like a gain.
  const share = (end === 'source' ? spent : received).div(amount);
  return {
    placed: { on, order: { leg: at, purpose, instrument: on.id, side, qty, price } },
    spent,
    received,
    value: brought.div(share),
    isWhole: walk.isWhole,
  };
}

/** The smallest order at a price. */
function leastQty({ lot, minQty, minNotional }: Instrument, price: Decimal): Qty {
  const least = Decimal.max(lot, minQty, minNotional.div(price));
  return least.div(lot).toDecimalPlaces(0, Decimal.ROUND_CEIL).times(lot) as Qty;
}

function costOfDust({ leg, end, amount }: Wanted, rates: OperationView['rates']): Decimal {
  const rate = rateIn(rates, end === 'source' ? sourceOf(leg) : targetOf(leg));
  return amount.abs().times(rate).times(DUST_COST).neg();
}

/** What it costs to bring home what was traded elsewhere, in the numeraire. */
function moving(
  { instrument }: LegView,
  on: Instrument,
  { quote, situation: { market, view } }: { readonly quote: Decimal; readonly situation: Situation },
): Decimal {
  if (on.id === instrument.id) return ZERO;
  return quote.abs().times(rateIn(view.rates, on.quote)).times(market.transferCostOf(instrument.venue, on.venue));
}

/** The base quantity to trade so that, after fees, this much base moves. */
const baseToTrade = ({ fees }: Instrument, side: Side, amount: Decimal): Decimal =>
  side === 'buy' && fees.currency === 'received' ? amount.div(new Decimal(1).minus(fees.taker)) : amount;

/** The quote value to trade so that, after fees, this much quote moves. */
function quoteToTrade({ fees }: Instrument, side: Side, amount: Decimal): Decimal {
  if (side === 'sell') return amount.div(new Decimal(1).minus(fees.taker));
  return fees.currency === 'received' ? amount : amount.div(fees.taker.plus(1));
}

/** What an order of this size moves after fees. */
function netFlows({ fees }: Instrument, side: Side, { qty, value }: Walk): { base: Decimal; quote: Decimal } {
  if (side === 'sell') return { base: qty.neg(), quote: value.times(new Decimal(1).minus(fees.taker)) };
  if (fees.currency === 'received') return { base: qty.times(new Decimal(1).minus(fees.taker)), quote: value.neg() };
  return { base: qty, quote: value.times(fees.taker.plus(1)).neg() };
}

/** Received less spent, in the numeraire. */
const valueOf = (
  leg: LegView,
  { spent, received }: Pick<LegView, 'spent' | 'received'>,
  rates: OperationView['rates'],
): Decimal => received.times(rateIn(rates, targetOf(leg))).minus(spent.times(rateIn(rates, sourceOf(leg))));
