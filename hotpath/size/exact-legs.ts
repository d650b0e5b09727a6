import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Side } from '#shared/domain/route.ts';
import type { SizeRefusal } from '#shared/domain/trade.ts';
import { doubleOf } from '#shared/money/double.ts';
import { compare, lesser, minus, plus, times, wholeOf } from '#shared/money/exact.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { limitPrice, lotQty, lotsIn, tickAt, ZERO } from '#shared/money/grid.ts';
import type { TakerFee } from '#shared/quant/taker-fee.ts';

/** What the walk found for one leg, and the grid it must stand on. */
export type WantedLeg = {
  readonly instrument: Instrument;
  readonly side: Side;
  readonly fee: TakerFee;
  /** Base quantity and worst level of the walk. */
  readonly qty: number;
  readonly worstPrice: number;
  /** Free money in the leg's input asset at its venue. */
  readonly available: number;
  /** Levels that may be taken, best first: price and displayed quantity. */
  readonly prices: Float64Array;
  readonly qtys: Float64Array;
  readonly levels: number;
};

export type ExactLeg = {
  readonly instrument: Instrument;
  readonly side: Side;
  readonly limit: Price;
  readonly qty: Qty;
  /** Quote money that the displayed levels ask or bring for `qty`, before fees. */
  readonly quote: Decimal;
  /** Given and received after fees at those levels, each in its own asset. */
  readonly given: Decimal;
  readonly received: Decimal;
};

export type ExactLegs =
  | { readonly kind: 'legs'; readonly legs: readonly ExactLeg[] }
  | { readonly kind: 'refused'; readonly reason: SizeRefusal; readonly detail: string };

/** A leg with its limit and a quantity still under way to the grid. */
type Draft = { readonly wanted: WantedLeg; readonly limit: Price; qty: Qty };

/**
 * Puts a walk on the grids, exactly and against us: no leg needs more than the one before it surely delivers, at the limit prices and
 * after fees; none buys more than the next one needs; every leg meets its venue's minimums and its balance, or nothing is planned.
 * `bearable` is how much worse than the walked levels the whole route may fill, as a factor ≥ 1; `displayedFraction` that of the walk.
 */
export function exactLegs(wanted: readonly WantedLeg[], bearable: number, displayedFraction: number): ExactLegs {
  const drafts = draftsOf(wanted, bearable);
  fitForward(drafts);
  fitBackward(drafts);
  for (const draft of drafts) {
    const refused = refusalOf(draft);
    if (refused !== undefined) return refused;
  }
  return { kind: 'legs', legs: drafts.map((draft) => exactLeg(draft, displayedFraction)) };
}

/** What a leg gives at most and brings at least for a quantity: at its limit price, after fees. */
const needs = ({ wanted: { side, fee }, limit }: Draft, qty: Decimal): Decimal =>
  side === 'buy' ? times(times(qty, limit), fee.paid) : qty;
const delivers = ({ wanted: { side, fee }, limit }: Draft, qty: Decimal): Decimal =>
  side === 'buy' ? times(qty, fee.kept) : times(times(qty, limit), fee.kept);

const ONE = new Decimal(1);
/** Doubles fall short of a whole lot by about this much. */
const NUDGE = 1 + 1e-12;

/** Orders reserve their worst case, which may be more than the walk paid: no leg asks for more than its venue holds. */
function draftsOf(wanted: readonly WantedLeg[], bearable: number): readonly Draft[] {
  return wanted.map((leg, at) => {
    const { lot } = leg.instrument;
    const draft: Draft = { wanted: leg, limit: limitOf(wanted, at, bearable), qty: lotQty(leg.qty * NUDGE, lot) };
    // Where there is plenty, doubles see it.
    const isScarce = doubleOf(needs(draft, draft.qty)) * NUDGE >= leg.available;
    if (isScarce) fitWithin(draft, new Decimal(leg.available));
    return draft;
  });
}

/** Takes away what `budget` does not pay for: the most lots that need no more. */
function fitWithin(draft: Draft, budget: Decimal): void {
  if (compare(needs(draft, draft.qty), budget) <= 0) return;
  const { lot } = draft.wanted.instrument;
  const lots = lotQty(budget.div(needs(draft, ONE)), lot);
  draft.qty = compare(needs(draft, lots), budget) <= 0 ? lots : (minus(lots, lot) as Qty);
}

function limitOf(wanted: readonly WantedLeg[], at: number, bearable: number): Price {
  const { instrument, side } = wanted[at]!;
  const price = yieldedPrice(wanted, at, bearable);
  return limitPrice(price, tickAt(instrument, price), side);
}

/**
 * The worst price the plan still bears, before it is put on the grid. Only a first buy and a last sell may give way: their price meets no other leg's quantity,
 * so a worse fill costs edge but never leaves an asset over. The legs in between stand at the worst level walked.
 */
export function yieldedPrice(
  wanted: readonly Pick<WantedLeg, 'side' | 'worstPrice'>[],
  at: number,
  bearable: number,
): number {
  const { side, worstPrice } = wanted[at]!;
  const yielding = Number(wanted[0]!.side === 'buy') + Number(wanted.at(-1)!.side === 'sell');
  const yields = (at === 0 && side === 'buy') || (at === wanted.length - 1 && side === 'sell');
  if (!yields) return worstPrice;
  const slack = Math.max(1, bearable) ** (1 / yielding);
  return side === 'buy' ? worstPrice * slack : worstPrice / slack;
}

/** No leg takes in more than the one before it brings. */
function fitForward(drafts: readonly Draft[]): void {
  for (const [at, draft] of drafts.entries()) {
    const before = drafts[at - 1];
    if (before !== undefined) fitWithin(draft, delivers(before, before.qty));
  }
}

/** No leg brings a lot more than the next one takes in. */
function fitBackward(drafts: readonly Draft[]): void {
  for (let at = drafts.length - 2; at >= 0; at -= 1) {
    const draft = drafts[at]!;
    const { lot } = draft.wanted.instrument;
    const need = needs(drafts[at + 1]!, drafts[at + 1]!.qty);
    if (compare(delivers(draft, draft.qty), need) <= 0) continue;
    const least = lotQty(need.div(delivers(draft, ONE)), lot);
    const enough = compare(delivers(draft, least), need) >= 0 ? least : (plus(least, lot) as Qty);
    draft.qty = lesser(draft.qty, enough) as Qty;
  }
}

function refusalOf(draft: Draft): ExactLegs | undefined {
  const { wanted, limit, qty } = draft;
  const { id, minQty, minNotional } = wanted.instrument;
  if (qty.lte(0) || compare(qty, minQty) < 0) {
    return refuse('BELOW_MIN_QTY', `instrument=${id}, qty=${qty.toFixed()}, min=${minQty.toFixed()}`);
  }
  // What is plainly enough needs no decimals.
  if (doubleOf(qty) * Math.min(doubleOf(limit), wanted.worstPrice) > doubleOf(minNotional) * NUDGE) return undefined;
  const notional = qty.times(Decimal.min(limit, wanted.worstPrice));
  if (notional.lt(minNotional)) {
    return refuse(
      'BELOW_MIN_NOTIONAL',
      `instrument=${id}, notional=${notional.toFixed()}, min=${minNotional.toFixed()}`,
    );
  }
  return undefined;
}

const refuse = (reason: SizeRefusal, detail: string): ExactLegs => ({ kind: 'refused', reason, detail });

function exactLeg({ wanted, limit, qty }: Draft, displayedFraction: number): ExactLeg {
  const { instrument, side, fee } = wanted;
  const quote = quoteOf(wanted, qty, displayedFraction);
  return side === 'buy'
    ? { instrument, side, limit, qty, quote, given: times(quote, fee.paid), received: times(qty, fee.kept) }
    : { instrument, side, limit, qty, quote, given: qty, received: times(quote, fee.kept) };
}

/**
 * Quote money for `qty` from the best level down, in whole lots a level and at whole ticks, both against us; what the levels cannot give to a
 * lot is counted at the worst price. Whole numbers are exact in doubles up to 2^53; beyond that decimals go on.
 */
function quoteOf(
  { instrument, side, prices, qtys, levels, worstPrice }: WantedLeg,
  qty: Qty,
  fraction: number,
): Decimal {
  const lot = doubleOf(instrument.lot);
  const tick = doubleOf(instrument.tick);
  const inTicks = (price: number): number =>
    side === 'buy' ? Math.ceil((price / tick) * (2 - NUDGE)) : Math.floor((price / tick) * NUDGE);
  let left = lotsIn(qty, instrument.lot);
  let sum = 0;
  let rest: Decimal = ZERO;
  for (let at = 0; at <= levels && left > 0; at += 1) {
    const shown = at < levels ? Math.floor(((qtys[at]! * fraction) / lot) * NUDGE) : Infinity;
    const lots = Math.min(left, shown);
    const ticks = inTicks(at < levels ? prices[at]! : worstPrice);
    if (Number.isSafeInteger(sum + lots * ticks)) sum += lots * ticks;
    else rest = plus(rest, times(wholeOf(lots), wholeOf(ticks)));
    left -= lots;
  }
  return times(times(plus(rest, wholeOf(sum)), instrument.lot), instrument.tick);
}
