import { Decimal } from 'decimal.js';
import type { Held, HeldLeg } from '#shared/domain/held.ts';
import { isCountedInQuote, realisedOf } from '#shared/domain/held.ts';
import type { OperationId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Side } from '#shared/domain/route.ts';
import { opposite } from '#shared/domain/route.ts';
import type { Plan, PlanLeg } from '#shared/domain/trade.ts';
import { feeOfTrade } from '#shared/money/fee.ts';
import type { Amount, Price, Qty } from '#shared/money/grid.ts';
import { amountOf, lotQty, tickAt, ZERO } from '#shared/money/grid.ts';
import { fillFactsOf, pnlOfFill, quoteValueOf } from '#shared/money/pnl.ts';
import { exposureOf } from './operation.ts';

type Level = { readonly price: Decimal; readonly qty: Decimal };

/** What an exit may ask about the world. */
export type ExitMarket = {
  /** Undefined for what is listed no more. */
  readonly instrumentOf: (id: HeldLeg['instrument']) => Instrument | undefined;
  /** What a taker of `side` meets, best first; empty when the book is not live. */
  readonly levels: (instrument: Instrument, side: Side) => readonly Level[];
  readonly underlyingOf: (instrument: Instrument) => Decimal;
  /** What a long of the perpetual is expected to pay over the time, as a fraction of its value; NaN while its venue has not said. */
  readonly expectedFunding: (instrument: Instrument, holdMs: number) => number;
};

type ExitLeg = {
  readonly instrument: Instrument;
  readonly side: Side;
  readonly qty: Qty;
  /** Worst price met on the way through the book. */
  readonly worst: Decimal;
  readonly average: Decimal;
};

/** A way out at today's books. Values are in the numeraire at the rates of the entry. */
export type ExitQuote = {
  readonly legs: readonly ExitLeg[];
  /** What the exit brings after fees. */
  readonly realised: Decimal;
  /** Whether the books bear all of it. */
  readonly isWhole: boolean;
};

/** Why what is held is closed; all but the first two whatever it brings. */
export type ExitReason =
  | 'converged'
  | 'funding-turned'
  | 'stop-loss'
  | 'horizon'
  | 'ended'
  | 'aged'
  | 'unbalanced'
  /** Unbalanced because a venue has reduced a position by itself. */
  | 'deleveraged'
  /** Before a venue does. */
  | 'adl-rank';

/** A way out of everything that is left: undefined while a book is not live or an instrument unknown. Legs below the smallest order are left out. */
export function quoteExit(held: Held, market: ExitMarket): ExitQuote | undefined {
  const legs: ExitLeg[] = [];
  let realised: Decimal = ZERO;
  let isWhole = true;
  for (const leg of held.legs) {
    const { size } = leg;
    if (size.isZero()) continue;
    const instrument = market.instrumentOf(leg.instrument);
    if (instrument === undefined) return undefined;
    const side = size.isNegative() ? 'buy' : 'sell';
    const taken = market.levels(instrument, side);
    const given = market.levels(instrument, opposite(side));
    if (taken.length === 0 || given.length === 0) return undefined;
    const mid = taken[0]!.price.plus(given[0]!.price).div(2);
    const coins = isCountedInQuote(held, leg) ? size.abs().times(leg.entryPrice).div(mid) : size.abs();
    const qty = orderQty(instrument, side, coins);
    if (isTooSmall(instrument, qty, mid)) continue;
    const walk = walkLeg({ instrument, side, qty }, taken, held.rates, market.underlyingOf(instrument));
    legs.push(walk.leg);
    realised = realised.plus(walk.realised);
    isWhole &&= walk.isWhole;
  }
  return { legs, realised, isWhole };
}

/** Coins that are bought back lose their fee on the way: a little more is bought. */
function orderQty({ kind, fees, lot }: Instrument, side: Side, size: Decimal): Qty {
  const losesFee = kind === 'spot' && side === 'buy' && fees.currency === 'received';
  return lotQty(losesFee ? size.div(new Decimal(1).minus(fees.taker)) : size, lot);
}

const isTooSmall = (instrument: Instrument, qty: Qty, price: Decimal): boolean =>
  qty.isZero() || qty.lt(instrument.minQty) || quoteValueOf(instrument, qty, price).lt(instrument.minNotional);

function walkLeg(
  { instrument, side, qty }: Pick<ExitLeg, 'instrument' | 'side' | 'qty'>,
  levels: readonly Level[],
  rates: Held['rates'],
  underlying: Decimal,
): { readonly leg: ExitLeg; readonly realised: Decimal; readonly isWhole: boolean } {
  let left: Decimal = qty;
  let realised: Decimal = ZERO;
  let value: Decimal = ZERO;
  let worst = levels[0]!.price;
  for (const level of levels) {
    if (!left.gt(0)) break;
    const trade = { side, price: level.price, qty: Decimal.min(left, level.qty) };
    const fee = feeOfTrade(instrument, { ...trade, rate: instrument.fees.taker, underlying });
    realised = realised.plus(pnlOfFill(fillFactsOf({ ...trade, ...fee }, instrument), rates).realised);
    value = value.plus(trade.qty.times(level.price));
    left = left.minus(trade.qty);
    worst = level.price;
  }
  const average = value.div(qty.minus(left)).toSignificantDigits(18);
  return { leg: { instrument, side, qty, worst, average }, realised, isWhole: left.isZero() };
}

/** Whether legs that are left hang together as they were entered, to within a lot. A leg that is gone holds nothing: a lot may be all of another one. */
export function isBalanced({ legs }: Held, instrumentOf: ExitMarket['instrumentOf']): boolean {
  if (legs.some(({ size }) => size.isZero())) return legs.every(({ size }) => size.isZero());
  const ranges = legs.map(({ instrument, entered, size }) => {
    const lot = instrumentOf(instrument)?.lot ?? ZERO;
    const share = (qty: Decimal): Decimal => qty.div(entered.abs());
    return { least: share(size.abs().minus(lot)), most: share(size.abs().plus(lot)) };
  });
  return Decimal.max(...ranges.map(({ least }) => least)).lte(Decimal.min(...ranges.map(({ most }) => most)));
}

export type ExitRules = {
  readonly nowMs: number;
  /** Routes that end by trading are left after so long. */
  readonly horizonMs: number;
  /** The share of its notional that a holding may lose. */
  readonly stopLoss: number;
  /** Whatever its route, it is left after so long. */
  readonly maxAgeMs: number;
};

/** Whether to leave now, and why; undefined: stay. */
export function exitReasonOf(
  held: Held,
  quote: ExitQuote,
  market: ExitMarket,
  { nowMs, horizonMs, stopLoss, maxAgeMs }: ExitRules,
): ExitReason | undefined {
  if (!isBalanced(held, market.instrumentOf)) return 'unbalanced';
  const endsMs = held.endsMs ?? held.openedMs + horizonMs;
  if (nowMs >= endsMs) return held.endsMs === undefined ? 'horizon' : 'ended';
  if (nowMs - held.openedMs >= maxAgeMs) return 'aged';
  if (!quote.isWhole) return undefined;
  const brought = realisedOf(held.pnl).plus(quote.realised);
  if (brought.gte(held.expectedProfit)) return 'converged';
  if (brought.lte(held.notional.times(-stopLoss))) return 'stop-loss';
  const left = (endsMs - nowMs) / (endsMs - held.openedMs);
  const lost = held.expectedFunding.toNumber() * left - expectedFunding(held, market, endsMs - nowMs);
  return lost > held.expectedProfit.minus(brought).toNumber() ? 'funding-turned' : undefined;
}

/** What funding is expected to bring until the end, in the numeraire; NaN while a venue has not said. */
export function expectedFunding(
  { legs, rates }: Pick<Held, 'legs' | 'rates'>,
  market: ExitMarket,
  holdMs: number,
): number {
  let received = 0;
  for (const { instrument: id, size, terms } of legs) {
    if (terms.kind !== 'perpetual' || size.isZero()) continue;
    const instrument = market.instrumentOf(id);
    const price = instrument === undefined ? undefined : market.levels(instrument, 'sell')[0]?.price;
    if (instrument === undefined || price === undefined) return NaN;
    const value = exposureOf({ instrument, price, qty: size.abs() }, rates).toNumber();
    const paid = value * market.expectedFunding(instrument, holdMs);
    received += size.isNegative() ? paid : -paid;
  }
  return received;
}

/**
 * The plan of an exit: all that is left, opposite sides, at once. By itself it is worth nothing: what it brings was expected of the entry. So recovery
 * completes it while that costs less than taking it back.
 */
export function exitPlanOf(
  held: Held,
  { legs, realised }: ExitQuote,
  { operation, slack, nowNs }: { readonly operation: OperationId; readonly slack: Decimal; readonly nowNs: TimeNs },
): Plan {
  const planned = legs.map((leg) => exitLegOf(leg, held.rates, slack));
  const notional = Decimal.max(...planned.map((leg) => leg.notional)) as Amount;
  return {
    operation,
    opportunity: held.opportunity,
    route: held.route,
    family: held.family,
    asset: held.asset,
    legs: planned,
    notional,
    expectedProfit: ZERO,
    netEdgeBps: 0,
    expectedValue: ZERO,
    fillProbability: 1,
    oldestBookAgeMs: 0,
    rates: held.rates,
    plannedTimeNs: nowNs,
    expectedCarry: amountOf(realised.neg()),
    bond: {
      units: held.units,
      perUnit: planned.map(({ qty }) => qty.div(held.units)),
      intent: 'exit',
      holding: held.id,
    },
  };
}

function exitLegOf({ instrument, side, qty, worst, average }: ExitLeg, rates: Held['rates'], slack: Decimal): PlanLeg {
  const price = limitOf(worst, slack, side, tickAt(instrument, worst));
  const notional = exposureOf({ instrument, price, qty }, rates) as Amount;
  return { instrument: instrument.id, side, price, qty, expectedPrice: average, notional };
}

/** The worst price that is borne, on the grid and never at or below zero. */
function limitOf(worst: Decimal, slack: Decimal, side: Side, tick: Decimal): Price {
  const limit = worst.times(side === 'buy' ? slack.plus(1) : slack.neg().plus(1));
  const rounding = side === 'buy' ? Decimal.ROUND_CEIL : Decimal.ROUND_FLOOR;
  return Decimal.max(tick, limit.div(tick).toDecimalPlaces(0, rounding).times(tick)) as Price;
}
