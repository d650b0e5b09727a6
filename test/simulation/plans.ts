import { Decimal } from 'decimal.js';
import type { ManualOrder } from '#hotpath/execute/manual.ts';
import { MANUAL } from '#hotpath/execute/operation.ts';
import type { Asset, OperationId, OpportunityId, RouteId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Standing } from '#shared/domain/order.ts';
import type { Side } from '#shared/domain/route.ts';
import { opposite } from '#shared/domain/route.ts';
import type { Approved, Plan, PlanLeg } from '#shared/domain/trade.ts';
import { amountOf, limitPrice, lotQty } from '#shared/money/grid.ts';
import type { Random } from '#shared/random.ts';
import { instrumentOf, listingsOf, RATES, unitWorth } from './listings.ts';
import type { Market } from './market.ts';

type Where = { readonly random: Random; readonly market: Market; readonly venues: readonly string[] };

const LEGS_MIN = 2;
const LEGS_MAX = 5;
const START = 'USDT';
const ASSETS = [START, 'USDC', 'BTC', 'ETH'] as const;
/** Worse than expected, as a fraction: what a plan still bears. */
const SLACK = 0.0015;
const SLACK_CLOSE = 0.0002;
const MAKER_SHARE = 0.12;
const SLACK_MAKER = 0.001;
const SPLIT_SHARE = 0.4;

/** An approved plan of two to five legs, over any venues: a product route, or legs that cancel and are held. Undefined when the draw makes none. */
export function drawPlan(operation: string, where: Where): Approved<Plan> | undefined {
  const { random } = where;
  const count = LEGS_MIN + random.integer(LEGS_MAX - LEGS_MIN + 1);
  const usd = 20 + 8_000 * random.next() ** 2;
  const plan = random.next() < 0.5 ? productPlan(operation, where, count, usd) : sumPlan(operation, where, count, usd);
  if (plan === undefined) return plan;
  if (random.next() < MAKER_SHARE) return withMaker(plan, where);
  return plan.bond === undefined && random.next() < SPLIT_SHARE ? withParts(plan, where) : plan;
}

/** The same with a part of each leg at another venue that lists it, where there is one. */
function withParts(plan: Approved<Plan>, { random, market, venues }: Where): Approved<Plan> {
  const used = new Set(plan.legs.map(({ instrument }) => instrument));
  const legs = plan.legs.map((leg): PlanLeg => {
    const own = instrumentOf(leg.instrument)!;
    const other = venues
      .flatMap(listingsOf)
      .find((each) => each.kind === 'spot' && each.symbol === own.symbol && !used.has(each.id));
    if (other === undefined) return leg;
    const qty = lotQty(leg.qty.times(random.next()), Decimal.max(own.lot, other.lot));
    const left = leg.qty.minus(qty);
    const isEnough = [own, other].every(({ minQty, minNotional }, at) => {
      const part = at === 0 ? left : qty;
      return part.gt(0) && part.gte(minQty) && part.times(leg.price).gte(minNotional);
    });
    const [best] = market.levels(other, leg.side);
    if (!isEnough || best === undefined || !left.mod(own.lot).isZero()) return leg;
    used.add(other.id);
    const price = limitPrice(leg.price, other.tick, leg.side);
    const notional = amountOf(leg.notional.times(qty).div(leg.qty));
    return { ...leg, beside: [{ instrument: other.id, qty, price, expectedPrice: best.price, notional }] };
  });
  return { ...plan, legs };
}

/** The same with one leg that rests, and the others sent as it fills. */
function withMaker(plan: Approved<Plan>, { random, market }: Where): Approved<Plan> {
  const maker = random.integer(plan.legs.length);
  const legs = plan.legs.map((leg, at): PlanLeg => {
    if (at !== maker) return leg;
    const instrument = instrumentOf(leg.instrument)!;
    const { tick } = instrument;
    const [best] = market.levels(instrument, opposite(leg.side));
    // It may follow its market a little way.
    const slack = SLACK_MAKER * random.next();
    const worst = (best?.price ?? leg.price).times(leg.side === 'buy' ? 1 + slack : 1 - slack);
    return { ...leg, how: 'maker', price: limitPrice(worst, tick, leg.side) };
  });
  return { ...plan, legs };
}

/** A person's order: it rests, mostly. Undefined when the draw makes none. */
export function drawManual(operation: string, { random, market, venues }: Where): ManualOrder | undefined {
  const instrument = pick(random, listingsOf(pick(random, venues)));
  const side: Side = random.next() < 0.5 ? 'buy' : 'sell';
  const rests = random.next() < 0.7;
  const [best] = market.levels(instrument, rests ? opposite(side) : side);
  if (best === undefined) return undefined;
  const price = limitPrice(best.price, instrument.tick, side);
  const qty = lotQty((100 + 900 * random.next()) / unitWorth(instrument), instrument.lot);
  if (qty.lt(instrument.minQty) || qty.times(price).lt(instrument.minNotional)) return undefined;
  return {
    operation: operation as OperationId,
    instrument,
    route: MANUAL,
    side,
    type: 'limit',
    price,
    qty,
    timeInForce: rests ? 'GTC' : 'IOC',
    ...(rests && random.next() < 0.5 ? { postOnly: true } : {}),
  };
}

/** What a person makes of an order that rests: another price, another quantity, or both. */
export function drawStanding(
  { price, qty, side }: Standing & { readonly side: Side },
  instrument: Instrument,
  random: Random,
): Partial<Standing> {
  const which = random.integer(3);
  const moved = limitPrice(price.times(1 + (random.next() - 0.5) * 0.002), instrument.tick, side);
  const resized = lotQty(qty.times(0.4 + 1.4 * random.next()), instrument.lot);
  const isEnough = resized.gte(instrument.minQty) && resized.times(moved).gte(instrument.minNotional);
  return { ...(which === 1 ? {} : { price: moved }), ...(which === 0 || !isEnough ? {} : { qty: resized }) };
}

/** A walk from the start asset back to it; what a leg receives, the next one spends. */
function productPlan(operation: string, where: Where, count: number, usd: number): Approved<Plan> | undefined {
  const { random, venues } = where;
  const legs: PlanLeg[] = [];
  const used = new Set<Instrument>();
  let asset: string = START;
  let has = new Decimal(Math.round(usd));
  for (let at = 0; at < count; at += 1) {
    const target =
      at === count - 1
        ? START
        : pick(
            random,
            ASSETS.filter((each) => each !== asset && each !== START),
          );
    const venue = pick(random, venues);
    const instrument = spotBetween(venue, asset, target);
    if (target === asset || instrument === undefined || used.has(instrument)) return undefined;
    used.add(instrument);
    const side: Side = instrument.base === target ? 'buy' : 'sell';
    const leg = legOf(instrument, side, where, (price) => (side === 'buy' ? has.div(price) : has));
    if (leg === undefined) return undefined;
    legs.push(leg);
    has = receivedBy(leg, instrument);
    asset = target;
  }
  return planOf(operation, legs, 'product');
}

/** Legs in units that agree: coins of one asset, bought and sold, as spot and as contracts. */
function sumPlan(operation: string, where: Where, count: number, usd: number): Approved<Plan> | undefined {
  const { random, venues } = where;
  const base = random.next() < 0.7 ? 'BTC' : 'ETH';
  const intent = random.next() < 0.2 ? 'exit' : 'enter';
  const listed = venues.flatMap((venue) =>
    listingsOf(venue).filter((each) => each.base === base && !isCoinQuoted(each)),
  );
  const legs: PlanLeg[] = [];
  const perUnit: Decimal[] = [];
  const units = new Decimal(1 + random.integer(20));
  const first: Side = random.next() < 0.5 ? 'buy' : 'sell';
  for (let at = 0; at < count; at += 1) {
    const instrument = pick(random, listed);
    if (legs.some((leg) => leg.instrument === instrument.id)) return undefined;
    const side: Side = (at % 2 === 0) === (first === 'buy') ? 'buy' : 'sell';
    const leg = legOf(instrument, side, where, () => new Decimal(usd / unitWorth(instrument)));
    if (leg === undefined) return undefined;
    legs.push(leg);
    perUnit.push(leg.qty.div(units));
  }
  const bond: Plan['bond'] = {
    units,
    perUnit,
    intent,
    ...(intent === 'exit' ? { holding: 'held' as OperationId } : {}),
  };
  return planOf(operation, legs, 'sum', bond);
}

const isCoinQuoted = ({ quote }: Instrument): boolean => quote === 'BTC';

function legOf(
  instrument: Instrument,
  side: Side,
  { random, market }: Where,
  qtyAt: (price: Decimal) => Decimal,
): PlanLeg | undefined {
  const levels = market.levels(instrument, side);
  const [best] = levels;
  if (best === undefined) return undefined;
  const slack = random.next() < 0.8 ? SLACK : SLACK_CLOSE;
  const bound = levels.at(-1)!.price.times(side === 'buy' ? 1 + slack : 1 - slack);
  const price = limitPrice(bound, instrument.tick, side);
  const qty = lotQty(qtyAt(price), instrument.lot);
  if (qty.lt(instrument.minQty) || qty.isZero() || qty.times(price).lt(instrument.minNotional.times(2)))
    return undefined;
  const notional = amountOf(qty.times(unitWorth(instrument)));
  return { instrument: instrument.id, side, price, qty: qty, expectedPrice: best.price, notional };
}

function planOf(operation: string, legs: readonly PlanLeg[], kind: string, bond?: Plan['bond']): Approved<Plan> {
  const plan: Plan = {
    operation: operation as OperationId,
    opportunity: `opp-${operation}` as OpportunityId,
    route: legs.map(({ instrument }) => instrument).join('>') as RouteId,
    family: bond === undefined ? (legs.length === 2 ? 'spatial' : 'cycle') : kind,
    asset: START as Asset,
    legs,
    notional: legs[0]!.notional,
    expectedProfit: amountOf(1),
    netEdgeBps: 10,
    expectedValue: amountOf(1),
    fillProbability: 0.9,
    oldestBookAgeMs: 1,
    rates: RATES,
    plannedTimeNs: 0 as TimeNs,
    expectedCarry: amountOf(bond === undefined ? 0 : 1),
    ...(bond === undefined ? {} : { bond }),
  };
  return plan as Approved<Plan>;
}

function receivedBy({ side, qty, price }: PlanLeg, { fees }: Instrument): Decimal {
  const gross = side === 'buy' ? qty : qty.times(price);
  const isPaidFromIt = fees.currency === 'received' || side === 'sell';
  return isPaidFromIt ? gross.minus(gross.times(fees.taker)) : gross;
}

const spotBetween = (venue: string, one: string, other: string): Instrument | undefined =>
  listingsOf(venue).find(
    ({ kind, base, quote }) =>
      kind === 'spot' && ((base === one && quote === other) || (base === other && quote === one)),
  );

const pick = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)]!;
