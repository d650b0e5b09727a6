import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LegView, OperationView, Recovery, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import { opposite } from '#shared/domain/route.ts';
import { lotQty, textOf, tickAt, ZERO } from '#shared/money/grid.ts';
import type { Walk } from './book-walk.ts';
import { limitBeyond, walkBase, walkQuote } from './book-walk.ts';
import type { Candidate, RecoveryLimits, RecoveryMarket } from './candidate.ts';
import { isAffordable, isBetter } from './candidate.ts';
import { decideSumRecovery } from './sum-recovery.ts';

export { RECOVERY_LIMITS } from './candidate.ts';

/** One correction of one leg: what it changes about the leg's spending and receiving. */
type Correction = {
  readonly order: RecoveryOrder | undefined;
  readonly spent: Decimal;
  readonly received: Decimal;
  readonly isWhole: boolean;
};

/** Decides what is left to do once no order of an operation works any more. Sends nothing. */
export function decideRecovery(view: OperationView, market: RecoveryMarket, limits: RecoveryLimits): Recovery {
  return view.bond === undefined
    ? decideProductRecovery(view, market, limits)
    : decideSumRecovery(view, view.bond, market, limits);
}

/**
 * What leg k receives, leg k + 1 must spend. One leg is taken as it is, and the others are brought to agree with it: those that did too
 * little are completed at today's prices, those that did too much are unwound. Each leg is tried as the one that stays; the way that
 * leaves most wins. So a route is completed at a worse price exactly while that beats unwinding. What is smaller than the smallest order
 * stays as dust.
 */
function decideProductRecovery(view: OperationView, market: RecoveryMarket, limits: RecoveryLimits): Recovery {
  const { legs, round, waits } = view;
  if (legs.every(({ qty, filledQty }) => filledQty.eq(qty))) return { kind: 'complete' };
  if (legs.every(({ spent, received }) => spent.isZero() && received.isZero()))
    return { kind: 'complete', reason: 'unfilled' };

  const slack = new Decimal(limits.slackBps).times(round + 1).div(10_000);
  let best: Candidate | undefined;
  for (let anchor = 0; anchor < legs.length; anchor += 1) {
    const candidate = candidateAround(anchor, view, market, slack);
    if (candidate !== undefined && (best === undefined || isBetter(candidate, best))) best = candidate;
  }
  if (best?.orders.length === 0) return { kind: 'complete', reason: isEven(legs) ? 'recovered' : 'dust' };
  if (round >= limits.roundsMax || waits >= limits.waitsMax) {
    return { kind: 'fail', reason: `RECOVERY_EXHAUSTED: ${imbalanceText(legs)}` };
  }
  if (best === undefined) return { kind: 'wait', reason: `NO_WAY_OUT_NOW: ${imbalanceText(legs)}` };
  return { kind: 'send', orders: best.orders };
}

/** Brings every leg into agreement with one; undefined when a book is empty or not live, or when funds are missing. */
function candidateAround(
  anchor: number,
  { legs, rates }: OperationView,
  market: RecoveryMarket,
  slack: Decimal,
): Candidate | undefined {
  const corrections = new Map<number, Correction>();
  let received = legs[anchor]!.received;
  for (let at = anchor + 1; at < legs.length; at += 1) {
    const correction = correct(
      legs[at]!,
      at,
      { asset: 'source', amount: received.minus(legs[at]!.spent), slack },
      market,
    );
    if (correction === undefined) return undefined;
    corrections.set(at, correction);
    received = legs[at]!.received.plus(correction.received);
  }
  let spent = legs[anchor]!.spent;
  for (let at = anchor - 1; at >= 0; at -= 1) {
    const correction = correct(
      legs[at]!,
      at,
      { asset: 'target', amount: spent.minus(legs[at]!.received), slack },
      market,
    );
    if (correction === undefined) return undefined;
    corrections.set(at, correction);
    spent = legs[at]!.spent.plus(correction.spent);
  }
  const orders = [...corrections.values()].flatMap(({ order }) => order ?? []).sort((a, b) => a.leg - b.leg);
  if (!isAffordable(orders, legs, market)) return undefined;
  const isWhole = [...corrections.values()].every((correction) => correction.isWhole);
  // A book too thin for the smallest order is no way, and what it cannot take is no dust.
  if (!isWhole && orders.length === 0) return undefined;
  return { orders, value: valueOf(legs, corrections, rates), isWhole };
}

type Wanted = {
  /** Which end of the leg must change: what it spends, or what it receives. */
  readonly asset: 'source' | 'target';
  /** By how much; negative takes back. */
  readonly amount: Decimal;
  readonly slack: Decimal;
};

const NOTHING: Correction = { order: undefined, spent: ZERO, received: ZERO, isWhole: true };

/** The order that changes one end of a leg by an amount: none when that is below the smallest order, undefined without a live book. */
function correct(
  leg: LegView,
  at: number,
  { asset, amount, slack }: Wanted,
  market: RecoveryMarket,
): Correction | undefined {
  if (amount.isZero()) return NOTHING;
  const { instrument } = leg;
  const isForward = amount.gt(0);
  const side = isForward ? leg.side : opposite(leg.side);
  const levels = market.levels(instrument, side);
  if (levels.length === 0) return undefined;
  const wantsBase = (asset === 'source') === (leg.side === 'sell');
  const walk = wantsBase
    ? walkBase(levels, baseToTrade(instrument, side, amount.abs()))
    : walkQuote(levels, quoteToTrade(instrument, side, amount.abs()));

  const qty = lotQty(walk.qty, instrument.lot);
  const price = limitBeyond(walk.worst, slack, side, tickAt(instrument, walk.worst));
  if (qty.isZero() || qty.lt(instrument.minQty) || qty.times(price).lt(instrument.minNotional))
    return { ...NOTHING, isWhole: walk.isWhole };
  const purpose = isForward ? 'complete' : 'unwind';
  const order: RecoveryOrder = { leg: at, purpose, instrument: instrument.id, side, qty, price };
  const { base, quote } = netFlows(instrument, side, walkBase(levels, qty));
  const [spent, received] = leg.side === 'buy' ? [quote.neg(), base] : [base.neg(), quote];
  return { order, spent, received, isWhole: walk.isWhole };
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

/** Everything received less everything spent over all legs, in the numeraire. */
function valueOf(
  legs: readonly LegView[],
  corrections: ReadonlyMap<number, Correction>,
  rates: OperationView['rates'],
): Decimal {
  let value: Decimal = ZERO;
  for (const [at, leg] of legs.entries()) {
    const { spent, received } = corrections.get(at) ?? NOTHING;
    value = value
      .plus(leg.received.plus(received).times(rateIn(rates, targetOf(leg))))
      .minus(leg.spent.plus(spent).times(rateIn(rates, sourceOf(leg))));
  }
  return value;
}

function rateIn(rates: OperationView['rates'], asset: string): Decimal {
  const rate = rates[asset];
  assert(rate !== undefined, `an operation has no rate for ${asset}`);
  return rate;
}

const sourceOf = ({ instrument, side }: LegView): string => (side === 'buy' ? instrument.quote : instrument.base);
const targetOf = ({ instrument, side }: LegView): string => (side === 'buy' ? instrument.base : instrument.quote);

/** What the legs leave between them: asset and received less spent. */
const imbalances = (legs: readonly LegView[]): readonly (readonly [string, Decimal])[] =>
  legs.slice(1).map((leg, at) => [sourceOf(leg), legs[at]!.received.minus(leg.spent)]);

const isEven = (legs: readonly LegView[]): boolean => imbalances(legs).every(([, amount]) => amount.isZero());

const imbalanceText = (legs: readonly LegView[]): string =>
  imbalances(legs)
    .map(([asset, amount]) => `${asset}=${textOf(amount)}`)
    .join(', ');
