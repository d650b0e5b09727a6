import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';

/**
 * The exact answer to a planted market, in decimals, written from docs/net-edge.md alone: nothing here is shared with what it judges. Sizes are
 * not yet on any grid: one lot more or less is the only thing in which a right answer may differ.
 */
export type Level = readonly [price: Decimal, qty: Decimal];

export type ShapeLeg = {
  readonly instrument: Instrument;
  readonly side: 'buy' | 'sell';
  readonly ratio: Decimal;
  readonly unit: 'base' | 'quote';
};

/** A trade or a settlement to come. */
export type ShapeEnd = { readonly instrument: Instrument; readonly ratio: Decimal; readonly unit: 'base' | 'quote' };

export type SumShape = {
  readonly kind: 'sum';
  readonly family: string;
  readonly start: string;
  readonly legs: readonly ShapeLeg[];
  readonly payoff: Decimal;
  readonly closings: readonly ShapeEnd[];
  readonly deliveries: readonly ShapeEnd[];
  /** Spot held from one settlement to the next. */
  readonly bridge?: ShapeLeg & { readonly fromMs: number; readonly toMs: number };
  readonly notional: { readonly leg: number } | { readonly amount: Decimal };
  readonly endsMs: number | undefined;
};
export type ProductShape = {
  readonly kind: 'product';
  readonly family: string;
  readonly start: string;
  readonly legs: readonly ShapeLeg[];
};
export type Shape = SumShape | ProductShape;

/** What is planted of one instrument. */
export type PlantedBook = { readonly bids: readonly Level[]; readonly asks: readonly Level[] };

export type World = {
  readonly bookOf: (instrument: Instrument) => PlantedBook;
  /** Dollars, for fees of options whose premium is in dollars. */
  readonly indexOf: (instrument: Instrument) => Decimal;
  readonly fundingOf: (instrument: Instrument) => {
    readonly rate: Decimal;
    /** Undefined where it flows all the time. */
    readonly nextMs: number | undefined;
    readonly intervalMs: number;
  };
  readonly nowMs: number;
  readonly displayedFraction: Decimal;
  /** Every unit must earn this, as a fraction of its notional. */
  readonly hurdle: Decimal;
  readonly horizonMs: number;
  readonly fundingPersistence: Decimal;
  readonly capitalRate: Decimal;
  readonly marginFraction: Decimal;
  readonly closingSlippage: Decimal;
  readonly borrowRate: Decimal;
};

export type Truth = {
  /** Of the first unit, basis points after everything. */
  readonly bestEdgeBps: Decimal;
  /** At the size of greatest profit, in the start asset; zero when not even the first unit earns the hurdle. */
  readonly net: Decimal;
  readonly size: Decimal;
  /** What one lot of rounding may change. */
  readonly tolerance: Decimal;
};

const ZERO = new Decimal(0);
const ONE = new Decimal(1);
const YEAR_MS = new Decimal(365 * 86_400_000);

export const truthOf = (shape: Shape, world: World): Truth =>
  shape.kind === 'sum' ? sumTruth(shape, { ...world, coinOf: coinIn(shape, world) }) : productTruth(shape, world);

/** With what a coin is worth that was paid as a fee. */
type SumWorld = World & { readonly coinOf: (instrument: Instrument) => Decimal };

/** What a spot leg's dollars say of its coin, where there is one: those dollars are worth what coins cost in them. Else the index. */
function coinIn({ legs }: SumShape, world: World): SumWorld['coinOf'] {
  const spot = legs.find(({ instrument: { kind, quote } }) => kind === 'spot' && quote === 'USD')?.instrument;
  return (instrument) => (spot?.base === instrument.base ? midOf(spot, world) : world.indexOf(instrument));
}

function sumTruth(shape: SumShape, world: SumWorld): Truth {
  const carry = carryPerUnit(shape, world);
  const ladders = shape.legs.map((leg) => ladderOf(leg, world));
  const notional = notionalOf(shape, world);
  const places = ladders.map(() => 0);
  const left = ladders.map((ladder) => ladder[0]?.units ?? ZERO);
  const marginal = (of: 'cash' | 'sought'): Decimal | undefined => {
    let sum = carry;
    for (const [at, ladder] of ladders.entries()) {
      const step = ladder[places[at]!];
      if (step === undefined) return undefined;
      sum = sum.plus(step[of]);
    }
    return sum;
  };
  const best = marginal('cash');
  if (best === undefined) return { bestEdgeBps: new Decimal(-1e9), net: ZERO, size: ZERO, tolerance: ZERO };
  let net = ZERO;
  let size = ZERO;
  let levels = 1;
  for (let now: Decimal | undefined = best; now !== undefined; now = marginal('cash')) {
    if (marginal('sought')!.lte(world.hurdle.times(notional))) break;
    const units = Decimal.min(...left);
    net = net.plus(units.times(now));
    size = size.plus(units);
    for (const [at, ladder] of ladders.entries()) {
      left[at] = left[at]!.minus(units);
      if (left[at].gt(1e-15)) continue;
      places[at] = places[at]! + 1;
      left[at] = ladder[places[at]]?.units ?? ZERO;
    }
    levels = Math.max(...places) + 1;
  }
  // Only a share of each level is ours, in whole lots.
  const rounded = stepOf(shape, world).times(best.abs()).times(levels).times(1.000001);
  const tolerance = rounded.plus(remainders(shape, world));
  return { bestEdgeBps: best.div(notional).times(1e4), net, size, tolerance };
}

/** Cash of one unit of the route on one leg's level, the same with every fee at the price (by which size is sought), and how many units the level bears. */
type Step = { readonly cash: Decimal; readonly sought: Decimal; readonly units: Decimal };

function ladderOf(leg: ShapeLeg, world: SumWorld): readonly Step[] {
  const { bids, asks } = world.bookOf(leg.instrument);
  return (leg.side === 'buy' ? asks : bids).map(([price, qty]) => ({
    cash: cashOf(leg, price, world).times(leg.ratio),
    sought: cashOf(leg, price, { ...world, coinOf: () => price }).times(leg.ratio),
    units: qty.times(world.displayedFraction).times(unitsOf(leg, price)).times(keptOf(leg)).div(leg.ratio),
  }));
}

/** What is left of a bought coin where the fee is taken from it. */
const keptOf = ({ instrument: { kind, fees }, side, unit }: ShapeLeg): Decimal =>
  kind === 'spot' && side === 'buy' && unit === 'base' && fees.currency === 'received' ? ONE.minus(fees.taker) : ONE;

/** Cash of one unit of a leg, fee included: received is positive. */
function cashOf({ instrument, side, unit }: ShapeLeg, price: Decimal, world: SumWorld): Decimal {
  const { kind, fees } = instrument;
  const fee = fees.taker;
  if (kind === 'option') {
    return (side === 'buy' ? price.neg() : price).minus(takerOf(instrument, price, world));
  }
  // Coin-settled contracts take their fee in coin, which is worth what coins cost, not what the contract does.
  if (unit === 'base' && instrument.inverse) {
    return (side === 'buy' ? price.neg() : price).minus(fee.times(world.coinOf(instrument)));
  }
  if (unit === 'base') {
    if (side === 'sell') return price.times(ONE.minus(fee));
    return kind === 'spot' && fees.currency === 'received'
      ? price.div(ONE.minus(fee)).neg()
      : price.times(ONE.plus(fee)).neg();
  }
  if (kind !== 'spot') {
    return side === 'buy' ? ONE.minus(fee).div(price) : ONE.plus(fee).div(price).neg();
  }
  if (side === 'sell') return ONE.div(price.times(ONE.minus(fee))).neg();
  return fees.currency === 'received' ? ONE.minus(fee).div(price) : ONE.div(price.times(ONE.plus(fee)));
}

/** Units of a leg in one unit of the venue's quantity. */
function unitsOf({ instrument, unit }: ShapeEnd, price: Decimal): Decimal {
  const { contractSize, inverse } = instrument;
  if (inverse) return unit === 'quote' ? contractSize : contractSize.div(price);
  return unit === 'quote' ? contractSize.times(price) : contractSize;
}

const midOf = (instrument: Instrument, world: World): Decimal => {
  const { bids, asks } = world.bookOf(instrument);
  return bids[0]![0].plus(asks[0]![0]).div(2);
};
const valueOf = ({ instrument, unit }: ShapeEnd, world: World): Decimal =>
  unit === 'quote' ? ONE.div(midOf(instrument, world)) : midOf(instrument, world);

const underlyingOf = (instrument: Instrument, world: World): Decimal =>
  instrument.quote === instrument.base ? ONE : world.indexOf(instrument);

function notionalOf({ legs, notional }: SumShape, world: World): Decimal {
  if ('amount' in notional) return notional.amount;
  const { instrument, side, unit, ratio } = legs[notional.leg]!;
  const { bids, asks } = world.bookOf(instrument);
  const [price] = (side === 'buy' ? asks : bids)[0]!;
  return ratio.times(unit === 'quote' ? ONE.div(price) : price);
}

function carryPerUnit(shape: SumShape, world: World): Decimal {
  const holdMs = new Decimal(shape.endsMs === undefined ? world.horizonMs : Math.max(0, shape.endsMs - world.nowMs));
  const years = holdMs.div(YEAR_MS);
  let net = shape.payoff;
  for (const end of shape.closings) {
    const value = valueOf(end, world);
    net = net.minus(end.ratio.times(takerOf(end.instrument, value, world).plus(value.times(world.closingSlippage))));
  }
  for (const end of shape.deliveries) {
    const of = end.instrument.kind === 'option' ? underlyingOf(end.instrument, world) : valueOf(end, world);
    net = net.minus(end.ratio.times(of).times(end.instrument.fees.delivery ?? ZERO));
  }
  let capital = ZERO;
  for (const leg of shape.legs) {
    const { kind } = leg.instrument;
    const whole = kind === 'spot' || (kind === 'option' && leg.side === 'buy');
    const of = kind === 'option' && leg.side === 'sell' ? underlyingOf(leg.instrument, world) : valueOf(leg, world);
    capital = capital.plus(leg.ratio.times(of).times(whole ? ONE : world.marginFraction));
    if (kind === 'perpetual') {
      const paid = leg.ratio.times(valueOf(leg, world)).times(fundingRate(leg.instrument, holdMs, world));
      net = leg.side === 'buy' ? net.minus(paid) : net.plus(paid);
    }
    if (kind === 'spot' && leg.side === 'sell') {
      net = net.minus(leg.ratio.times(valueOf(leg, world)).times(world.borrowRate).times(years));
    }
  }
  const { bridge } = shape;
  if (bridge !== undefined) {
    const held = new Decimal(bridge.toMs - bridge.fromMs).div(YEAR_MS);
    const rate = bridge.side === 'sell' ? world.capitalRate.plus(world.borrowRate) : world.capitalRate;
    net = net.minus(bridge.ratio.times(valueOf(bridge, world)).times(rate).times(held));
  }
  return net.minus(capital.times(world.capitalRate).times(years));
}

/** The fee of a trade of this value: of the underlying and capped for options. */
function takerOf(instrument: Instrument, value: Decimal, world: World): Decimal {
  const { kind, fees } = instrument;
  if (kind !== 'option') return fees.taker.times(value);
  const flat = fees.taker.times(underlyingOf(instrument, world));
  return fees.premiumShareMax === undefined ? flat : Decimal.min(flat, value.times(fees.premiumShareMax));
}

/** The transmitted rate at its time (or all the time), then its persistent share an interval, as long as the route is held. */
function fundingRate(instrument: Instrument, holdMs: Decimal, world: World): Decimal {
  const { rate, nextMs, intervalMs } = world.fundingOf(instrument);
  let sum = ZERO;
  let share = ONE;
  if (nextMs === undefined) {
    for (let left = holdMs.div(intervalMs); left.gt(0); left = left.minus(1)) {
      sum = sum.plus(rate.times(share).times(Decimal.min(1, left)));
      share = share.times(world.fundingPersistence);
    }
    return sum;
  }
  for (let atMs = nextMs; holdMs.plus(world.nowMs).gte(atMs); atMs += intervalMs) {
    sum = sum.plus(rate.times(share));
    share = share.times(world.fundingPersistence);
  }
  return sum;
}

/** The coarsest step in which the legs can agree, in units of the route: lots multiply up, so their least common multiple by brute force. */
function stepOf(shape: SumShape, world: World): Decimal {
  const steps = shape.legs.map((leg) => {
    const [best] = world.bookOf(leg.instrument)[leg.side === 'buy' ? 'asks' : 'bids'];
    return leg.instrument.lot.times(unitsOf(leg, best![0])).div(leg.ratio);
  });
  const exact = shape.legs.flatMap((leg, at) => (isPriceDependent(leg) ? [] : [steps[at]!]));
  const largest = Decimal.max(...steps);
  if (exact.length === 0) return largest;
  const top = Decimal.max(...exact);
  for (let times = 1; times <= 10_000; times += 1) {
    const step = top.times(times);
    if (exact.every((each) => step.div(each).toDecimalPlaces(12).isInteger())) return Decimal.max(step, largest);
  }
  return largest;
}

/** What is left of a lot of every leg that no number of lots fits: its price is not what the coin is worth, and it paid a fee. */
function remainders({ legs }: SumShape, world: SumWorld): Decimal {
  return legs.filter(isPriceDependent).reduce((sum, leg) => {
    const coin = world.coinOf(leg.instrument);
    const middle = midOf(leg.instrument, world);
    const apart = middle.minus(coin).abs().div(coin).plus(leg.instrument.fees.taker);
    const worth = leg.instrument.lot.times(unitsOf(leg, middle)).times(valueOf(leg, world));
    return sum.plus(worth.times(apart));
  }, ZERO);
}

/** Contracts of an inverse future for a number of coins, coins for a number of dollars: never a whole number of lots. */
const isPriceDependent = ({ instrument, unit }: ShapeLeg): boolean => instrument.inverse !== (unit === 'quote');

function productTruth(shape: ProductShape, world: World): Truth {
  const ladders = shape.legs.map((leg) => conversionsOf(leg, world));
  const places = ladders.map(() => 0);
  const left = ladders.map((ladder) => ladder[0]?.input ?? ZERO);
  const rates = (): readonly Decimal[] | undefined => {
    const now = ladders.map((ladder, at) => ladder[places[at]!]?.rate);
    return now.every((rate) => rate !== undefined) ? now : undefined;
  };
  const product = (each: readonly Decimal[]): Decimal => each.reduce((all, rate) => all.times(rate), ONE);
  const first = rates();
  if (first === undefined) return { bestEdgeBps: new Decimal(-1e9), net: ZERO, size: ZERO, tolerance: ZERO };
  const bestEdge = product(first).minus(1);
  let size = ZERO;
  let net = ZERO;
  let last = first;
  for (let now: readonly Decimal[] | undefined = first; now !== undefined; now = rates()) {
    const edge = product(now).minus(1);
    if (edge.lte(world.hurdle)) break;
    last = now;
    let reach = ONE;
    let step = new Decimal(Infinity);
    for (const [at, rate] of now.entries()) {
      step = Decimal.min(step, left[at]!.div(reach));
      reach = reach.times(rate);
    }
    size = size.plus(step);
    net = net.plus(step.times(edge));
    let flow = step;
    for (const [at, ladder] of ladders.entries()) {
      left[at] = left[at]!.minus(flow);
      flow = flow.times(now[at]!);
      if (left[at].gt(1e-15)) continue;
      places[at] = places[at]! + 1;
      left[at] = ladder[places[at]]?.input ?? ZERO;
    }
  }
  const kept = keptBack(shape, { first, last, size, edge: bestEdge });
  return { bestEdgeBps: bestEdge.times(1e4), net, size, tolerance: lotsWorth(shape, first, bestEdge).plus(kept) };
}

function conversionsOf(leg: ShapeLeg, world: World): readonly { readonly rate: Decimal; readonly input: Decimal }[] {
  const { fees } = leg.instrument;
  const { bids, asks } = world.bookOf(leg.instrument);
  const keeps = ONE.minus(fees.taker);
  if (leg.side === 'sell') {
    return bids.map(([price, qty]) => ({ rate: price.times(keeps), input: qty.times(world.displayedFraction) }));
  }
  const paid = fees.currency === 'received' ? ONE : ONE.plus(fees.taker);
  const kept = fees.currency === 'received' ? keeps : ONE;
  return asks.map(([price, qty]) => ({
    rate: kept.div(price.times(paid)),
    input: qty.times(world.displayedFraction).times(price).times(paid),
  }));
}

/**
 * A leg between others is sized for the worst level it may trade at; what it does better stays as it is and is valued at the middle: it misses no more
 * than the edge, and the fee and spread of its way on.
 */
function keptBack(
  shape: ProductShape,
  at: {
    readonly first: readonly Decimal[];
    readonly last: readonly Decimal[];
    readonly size: Decimal;
    readonly edge: Decimal;
  },
): Decimal {
  let share = ZERO;
  for (const [leg, rate] of at.first.entries()) share = share.plus(rate.div(at.last[leg]!).minus(1));
  const missed = shape.legs.reduce((sum, { instrument }) => sum.plus(instrument.fees.taker), at.edge.abs());
  return share.times(at.size).times(missed.plus(share));
}

/**
 * In the start asset: a lot of every leg, once at the edge it would have earned, and once at what its remainder loses to fees and spread, which is
 * less than the fee of its own conversion.
 */
function lotsWorth(shape: ProductShape, rates: readonly Decimal[], edge: Decimal): Decimal {
  let reach = ONE;
  let sum = ZERO;
  for (const [at, leg] of shape.legs.entries()) {
    const lotIn = leg.side === 'sell' ? leg.instrument.lot : leg.instrument.lot.div(rates[at]!);
    const worth = lotIn.div(reach);
    sum = sum.plus(worth.times(edge.abs().plus(leg.instrument.fees.taker.times(2))));
    reach = reach.times(rates[at]!);
  }
  return sum;
}
