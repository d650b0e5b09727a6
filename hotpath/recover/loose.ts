import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LegView, Loose, OperationView } from '#shared/domain/recovery.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import { hasPremium } from '#shared/money/pnl.ts';

/** Coins are counted to so many decimals. */
const COIN_DECIMALS = 18;
const HALF = new Decimal('0.5');

type Rates = OperationView['rates'];
type Bond = NonNullable<OperationView['bond']>;

export function rateIn(rates: Rates, asset: string): Decimal {
  const rate = rates[asset];
  assert(rate !== undefined, `an operation has no rate for ${asset}`);
  return rate;
}

export const sourceOf = ({ instrument, side }: Pick<LegView, 'instrument' | 'side'>): string =>
  side === 'buy' ? instrument.quote : instrument.base;
export const targetOf = ({ instrument, side }: Pick<LegView, 'instrument' | 'side'>): string =>
  side === 'buy' ? instrument.base : instrument.quote;

/** What the legs of a product route leave between them, by asset: received less spent. */
export const imbalances = (legs: readonly LegView[]): readonly (readonly [string, Decimal])[] =>
  legs.slice(1).map((leg, at) => [sourceOf(leg), legs[at]!.received.minus(leg.spent)]);

/** How many units of a sum route a leg has filled. */
export const unitsOf = ({ filledQty }: Pick<LegView, 'filledQty'>, perUnit: Decimal): Decimal => filledQty.div(perUnit);

/** Units that all legs have filled. */
export const matchedUnits = (legs: readonly LegView[], { perUnit }: Pick<Bond, 'perUnit'>): Decimal =>
  Decimal.max(ZERO, Decimal.min(...legs.map((leg, at) => unitsOf(leg, perUnit[at]!))));

/** What is out of agreement, in a line. */
export function looseText({ legs, bond }: Pick<OperationView, 'legs' | 'bond'>): string {
  const parts =
    bond === undefined
      ? imbalances(legs)
      : legs.map((leg, at) => [leg.instrument.id, unitsOf(leg, bond.perUnit[at]!).toSignificantDigits(8)] as const);
  return parts.map(([name, amount]) => `${name}=${textOf(amount)}`).join(', ');
}

/** What stands unhedged, and what covers it. */
export function looseOf(view: OperationView): readonly Loose[] {
  const { bond, covers, rates } = view;
  const loose = bond === undefined ? looseOfProduct(view) : looseOfSum(view, bond);
  return [
    ...loose,
    ...covers.map(({ instrument, size }) => ({
      instrument: instrument.id,
      size,
      value: valueOfSize(instrument, size, rates),
    })),
  ];
}

/** As a position of the leg that received too much, or of the one that spent too much. */
function looseOfProduct({ legs, rates }: OperationView): readonly Loose[] {
  return imbalances(legs).flatMap(([asset, amount], at) => {
    if (amount.isZero()) return [];
    const { instrument } = legs[amount.gt(0) ? at : at + 1]!;
    const value = amount.times(rateIn(rates, asset));
    if (asset === instrument.base) return [{ instrument: instrument.id, size: amount, value }];
    const size = value.div(rateIn(rates, instrument.base)).neg().toDecimalPlaces(COIN_DECIMALS);
    return [{ instrument: instrument.id, size, value: value.neg() }];
  });
}

/** What legs have done beyond the one that has done least, to within a lot. */
function looseOfSum({ legs, rates }: OperationView, bond: Bond): readonly Loose[] {
  const matched = matchedUnits(legs, bond);
  return legs.flatMap(({ instrument, side, filledQty }, at) => {
    const excess = filledQty.minus(matched.times(bond.perUnit[at]!)).toDecimalPlaces(COIN_DECIMALS);
    if (excess.lt(instrument.lot)) return [];
    const size = side === 'buy' ? excess : excess.neg();
    return [{ instrument: instrument.id, size, value: valueOfSize(instrument, size, rates) }];
  });
}

/**
 * By asset: coins that the legs have moved on balance. Contracts count as the coins they stand for, a call as half a one and a put as minus half, so that
 * legs which hedge each other come to nothing.
 */
export function deltasOf({ legs, rates }: OperationView): ReadonlyMap<string, Decimal> {
  const deltas = new Map<string, Decimal>();
  const add = (asset: string, amount: Decimal): void => {
    if (!amount.isZero()) deltas.set(asset, (deltas.get(asset) ?? ZERO).plus(amount));
  };
  for (const leg of legs) {
    const { instrument, side, filledQty, spent, received } = leg;
    if (instrument.kind === 'spot') {
      add(targetOf(leg), received);
      add(sourceOf(leg), spent.neg());
    } else add(instrument.base, coinsOf(instrument, side === 'buy' ? filledQty : filledQty.neg(), rates));
  }
  return deltas;
}

/** How many coins a size of a contract stands for. */
export function coinsOf(
  { kind, contractSize, inverse, right, base, quote }: Instrument,
  size: Decimal,
  rates: Rates,
): Decimal {
  const units = size.times(contractSize);
  if (right !== undefined) return units.times(right === 'call' ? HALF : HALF.neg());
  if (hasPremium(kind)) return ZERO;
  if (!inverse) return units;
  return units.times(rateIn(rates, quote)).div(rateIn(rates, base)).toDecimalPlaces(COIN_DECIMALS);
}

/** What a size is worth in the numeraire, that of what underlies a future or a perpetual. */
export function valueOfSize(
  { id, kind, base, quote, contractSize, inverse }: Instrument,
  size: Decimal,
  rates: Rates,
): Decimal {
  if (hasPremium(kind)) return size.times(rateIn(rates, id));
  const units = size.times(contractSize);
  return units.times(rateIn(rates, inverse ? quote : base));
}
