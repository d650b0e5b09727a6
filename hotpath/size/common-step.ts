import { Decimal } from 'decimal.js';
import type { UnitLeg } from './unit-leg.ts';
import { isExact } from './unit-leg.ts';

/** The least number of units of a route of which every leg that counts exactly takes whole lots. */
export type CommonStep = {
  /** Units of the route. */
  readonly units: Decimal;
  /** By leg: lots in one step; undefined for a leg whose units depend on its price or its fee. */
  readonly lots: readonly (Decimal | undefined)[];
  /** By leg: the ratio as the fraction that it stands for, such as the quotient of two strikes. */
  readonly ratios: readonly Decimal[];
  /** The leg whose own lots make the largest step. */
  readonly coarsest: number;
};

/** In whole numbers: the least common multiple of lot × contract size / ratio. Undefined where no leg counts exactly. */
export function commonStepOf(legs: readonly UnitLeg[]): CommonStep | undefined {
  const steps = legs.map((leg) => (isExact(leg) ? stepOf(leg) : undefined));
  const [first, ...others] = steps.filter((step) => step !== undefined);
  if (first === undefined) return undefined;
  const common = others.reduce(leastCommonMultiple, first);
  const units = decimalOf(common);
  const lots = steps.map((step) => (step === undefined ? undefined : decimalOf(quotient(common, step))));
  return {
    units,
    lots,
    ratios: legs.map(({ listing, ratio }, at) => {
      const whole = lots[at];
      return whole === undefined ? new Decimal(ratio) : whole.times(listing.lot).times(listing.contractSize).div(units);
    }),
    coarsest: steps.reduce((most, step, at) => (isLarger(step, steps[most]) ? at : most), 0),
  };
}

/** In lowest terms, both parts positive. */
type Fraction = { readonly over: bigint; readonly under: bigint };

/** Strikes are decimals of few digits: their quotients have denominators below this, and no other fraction so short is as near. */
const DENOMINATOR_MAX = 1_000_000;
/** What a quotient loses as a double. */
const ROUNDING = 1e-15;

const stepOf = ({ listing: { lot, contractSize }, ratio }: UnitLeg): Fraction =>
  quotient(fractionOf(lot.times(contractSize)), ratioOf(ratio));

function ratioOf(ratio: number): Fraction {
  const written = new Decimal(ratio);
  const meant = fractionOf(written, DENOMINATOR_MAX);
  return Math.abs(decimalOf(meant).div(written).toNumber() - 1) <= ROUNDING ? meant : fractionOf(written);
}

function fractionOf(value: Decimal, denominatorMax?: number): Fraction {
  const [over, under] = denominatorMax === undefined ? value.toFraction() : value.toFraction(denominatorMax);
  return { over: BigInt(over!.toFixed()), under: BigInt(under!.toFixed()) };
}

function leastCommonMultiple(a: Fraction, b: Fraction): Fraction {
  const over = (a.over * b.over) / greatestCommonDivisor(a.over, b.over);
  return { over, under: greatestCommonDivisor(a.under, b.under) };
}

function quotient(a: Fraction, b: Fraction): Fraction {
  const over = a.over * b.under;
  const under = a.under * b.over;
  const shared = greatestCommonDivisor(over, under);
  return { over: over / shared, under: under / shared };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [larger, smaller] = [a, b];
  while (smaller !== 0n) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}

const isLarger = (a: Fraction | undefined, b: Fraction | undefined): boolean =>
  a !== undefined && (b === undefined || a.over * b.under > b.over * a.under);

const decimalOf = ({ over, under }: Fraction): Decimal => new Decimal(over.toString()).div(under.toString());
