import { Decimal } from 'decimal.js';
import type { Closing } from '../domain/held.ts';
import { minus, negated, plus, times } from './exact.ts';
import { ZERO } from './grid.ts';
import type { Contract, FillFacts, Flows } from './pnl.ts';
import { contractValue, flowAssetOf, flowsOf, hasPremium } from './pnl.ts';

/**
 * Net change of inventory through one instrument; contracts in the venue's unit. `realised` is after fees: in quote, for futures in the settlement asset.
 * `cost`, for contracts: what the open size was entered for, signed as it: quote, or coins where inverse, which makes the entry a harmonic average.
 */
export type Position = {
  readonly size: Decimal;
  readonly entryPrice: Decimal;
  readonly realised: Decimal;
  readonly cost?: Decimal;
};

export const FLAT: Position = { size: ZERO, entryPrice: ZERO, realised: ZERO };

/** What a fill does to the books. Amounts stand beside their assets; one may appear more than once. */
export type Booking = {
  readonly position: Position;
  /** What the account gains and loses at once: coins of spot, premiums, the realised profit of futures, fees. */
  readonly cash: Amounts;
  /**
   * What it changes about how much of each asset is held: contracts count as what they stand for. A call counts half a coin and a put minus half, so
   * that a call less its put is one, whatever the price.
   */
  readonly exposure: Amounts;
};
export type Amounts = readonly (readonly [asset: string, amount: Decimal])[];

/** `flows`: those of the fill, where somebody has reckoned them already. */
export function bookingOf(before: Position, fill: FillFacts, flows = flowsOf(fill)): Booking {
  const position = positionBy(before, fill, flows);
  const { base, quote } = flows;
  const fee = [fill.feeAsset, negated(fill.fee)] as const;
  const { contract } = fill;
  if (contract === undefined) {
    const cash: Amounts = [[fill.base, base], [fill.quote, quote], fee];
    return { position, cash, exposure: cash };
  }
  if (hasPremium(contract.kind)) {
    const cash: Amounts = [[fill.quote, quote], fee];
    return { position, cash, exposure: [[fill.base, base.times(contract.size).times(deltaOf(contract))], ...cash] };
  }
  const profit = futureAfter(before, fill, contract).profit;
  return { position, cash: [[contract.settle, profit], fee], exposure: [[fill.base, base], [fill.quote, quote], fee] };
}

/**
 * A contract's position made another by somebody's word. Nothing is earned or paid, and what it stands for changes by what the two stand for.
 */
export function adjustmentOf(
  before: Position,
  { base, quote, contract }: Pick<FillFacts, 'base' | 'quote'> & { readonly contract: Contract },
  { size, entryPrice }: Pick<Position, 'size' | 'entryPrice'>,
): Pick<Booking, 'position' | 'exposure'> {
  const cost = size.isZero() ? ZERO : contractValue(contract, size, entryPrice);
  const position = { size, entryPrice: size.isZero() ? ZERO : entryPrice, realised: before.realised, cost };
  const units = size.minus(before.size).times(contract.size);
  const paid = cost.minus(before.cost ?? ZERO);
  if (hasPremium(contract.kind)) return { position, exposure: [[base, units.times(deltaOf(contract))]] };
  const [coins, money] = contract.inverse ? [paid, units] : [units, paid];
  return {
    position,
    exposure: [
      [base, coins],
      [quote, money.neg()],
    ],
  };
}

const deltaOf = ({ right }: Contract): Decimal.Value => (right === undefined ? 0 : right === 'call' ? 0.5 : -0.5);

/** The position after a fill. A fee in base is inventory given away at the fill's price; one in a third asset is none of the position's. */
export const positionAfter = (position: Position, fill: FillFacts): Position =>
  positionBy(position, fill, flowsOf(fill));

function positionBy(position: Position, fill: FillFacts, flows: Flows): Position {
  const { contract } = fill;
  if (contract !== undefined) {
    const { size, entryPrice, cost, profit } = futureAfter(position, fill, contract);
    const ours = hasPremium(contract.kind) ? fill.quote : contract.settle;
    const fee = fill.feeAsset === ours ? fill.fee : ZERO;
    return { size, entryPrice, realised: minus(plus(position.realised, profit), fee), cost };
  }
  const traded = moved(position, flows.base, fill.price);
  if (fill.feeAsset !== fill.base)
    return fill.feeAsset === fill.quote ? { ...traded, realised: minus(traded.realised, fill.fee) } : traded;
  const paid = moved(traded, negated(fill.fee), fill.price);
  return { ...paid, realised: minus(paid.realised, times(fill.fee, fill.price)) };
}

/** Signed change of what is held: contracts in quantity, coins less a fee that was taken from them. */
export function heldChange(fill: FillFacts, flows = flowsOf(fill)): Decimal {
  if (fill.contract !== undefined) return fill.side === 'buy' ? fill.qty : negated(fill.qty);
  return fill.feeAsset === flowAssetOf(fill) ? minus(flows.base, fill.fee) : flows.base;
}

/** What a fill takes away from what is held. */
export function closingOf(fill: FillFacts): Closing {
  const flows = flowsOf(fill);
  return { change: heldChange(fill, flows), quote: flows.quote };
}

/** Average entry while it grows, realised profit while it shrinks, a new entry when it turns over. */
function moved({ size, entryPrice, realised }: Position, change: Decimal, price: Decimal): Position {
  const after = plus(size, change);
  if (size.isZero() || size.isNegative() === change.isNegative()) {
    if (size.isZero()) return { size: after, entryPrice: after.isZero() ? ZERO : price, realised };
    const cost = plus(times(size, entryPrice), times(change, price));
    return { size: after, entryPrice: averageOf(cost, after), realised };
  }
  const closed = Decimal.min(size.abs(), change.abs()).times(size.isNegative() ? -1 : 1);
  const turned = !after.isZero() && after.isNegative() !== size.isNegative();
  return {
    size: after,
    entryPrice: after.isZero() ? ZERO : turned ? price : entryPrice,
    realised: plus(realised, times(minus(price, entryPrice), closed)),
  };
}

/** Entries are averages: rounded, to so many digits. Dividing to no more of them takes a fraction of the time. */
const AverageDecimal = Decimal.clone({ precision: 20 });
const averageOf = (cost: Decimal, size: Decimal): Decimal => new Decimal(new AverageDecimal(cost).div(size));

type After = Pick<Position, 'size' | 'entryPrice'> & { readonly cost: Decimal; readonly profit: Decimal };

/**
 * The same for contracts, by what they cost: all that was entered for comes out again, to the last digit, however it is closed. `profit` is what closing
 * realises: value − cost for a long, and for an inverse future cost − value, since a coin buys more contracts when it is dearer.
 */
function futureAfter(position: Position, { side, price, qty }: FillFacts, contract: Contract): After {
  const { size } = position;
  const cost = position.cost ?? ZERO;
  const change = side === 'buy' ? qty : negated(qty);
  const value = contractValue(contract, change, price);
  const after = plus(size, change);
  if (size.isZero() || size.isNegative() === change.isNegative())
    return entered(contract, after, plus(cost, value), ZERO);
  const isReduced = change.abs().lt(size.abs());
  const closedValue = isReduced ? value : contractValue(contract, size.neg(), price);
  const closedCost = isReduced ? cost.times(change).div(size).neg().toDecimalPlaces(18) : cost;
  const received = plus(closedValue, closedCost);
  const isInverse = contract.inverse && !hasPremium(contract.kind);
  const profit = isInverse ? received : negated(received);
  return entered(contract, after, isReduced ? minus(cost, closedCost) : minus(value, closedValue), profit);
}

function entered({ kind, size: unit, inverse }: Contract, size: Decimal, cost: Decimal, profit: Decimal): After {
  if (size.isZero()) return { size, entryPrice: ZERO, cost: ZERO, profit };
  const units = size.times(unit);
  const price = inverse && !hasPremium(kind) ? averageOf(units, cost) : averageOf(cost, units);
  return { size, entryPrice: price, cost, profit };
}
