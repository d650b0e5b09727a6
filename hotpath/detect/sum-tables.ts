import { assert } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, RouteLeg, SumRoute } from '#shared/domain/route.ts';
import type { LegFee } from '#shared/quant/leg-value.ts';
import { cashPerUnit, legFeeOf } from '#shared/quant/leg-value.ts';
import type { Rows } from './rows.ts';
import { rowsFrom, rowsOfOne, rowsWith } from './rows.ts';

/**
 * Sum routes as typed arrays. A *slot* is one side of an instrument (2 × instrument, + 1 for a sell). A *value* is the cash of one unit of a leg after fees, less what
 * it must earn where the route's notional is this leg: routes share them. *Places* are the routes ordered by the value of the leg whose instrument is
 * in the most routes, so that routes which are looked at together lie together.
 */
export type SumTables = {
  readonly values: Values;
  readonly valuesOfSlot: Rows;
  /** By place. */
  readonly routes: readonly SumRoute[];
  readonly indices: Int32Array;
  /** By route; −1 for product routes. */
  readonly placeOfRoute: Int32Array;
  /** By place: the values of its legs in their order, and their ratios beside `legs.items`. */
  readonly legs: Rows;
  readonly ratios: Float64Array;
  /** What a route must earn where its notional is a fixed amount. */
  readonly hurdles: Float64Array;
  readonly placesOfValue: Rows;
  /** By instrument: places whose carry is reckoned with it. */
  readonly placesOfCarry: Rows;
};

/**
 * By value, at a price p. Counted in base: max(slope × p − fee rate × underlying, capped slope × p), the same slope twice but for options, whose fee has a
 * cap. Counted in quote: slope / p. All rise with the bid that is sold at, or with the fall of the ask that is bought at.
 */
export type Values = {
  readonly count: number;
  readonly slots: Int32Array;
  readonly fees: readonly LegFee[];
  readonly isPerPrice: Uint8Array;
  readonly slopes: Float64Array;
  readonly cappedSlopes: Float64Array;
  readonly feeRates: Float64Array;
};

/** `hurdle` is the least edge, as a fraction. */
export function sumTables(instruments: readonly Instrument[], routes: readonly Route[], hurdle: number): SumTables {
  const listed = routes.flatMap(({ evaluator }, index) => (evaluator === 'sum' ? [index] : []));
  const sums = listed.map((index) => routes[index] as SumRoute);
  const numbers = new ValueNumbers(instruments.length);
  const hubs = hubsOf(sums, numbers, instruments.length);
  const values = valuesOf(instruments, numbers.list, hurdle);
  const order = rowsWith(values.count, rowsOfOne(hubs)).items;
  const placed = Array.from(order, (at) => sums[at]!);
  const indices = order.map((at) => listed[at]!);
  const legs = rowsFrom(placed.map((route) => legsOf(route, numbers)));
  return {
    values,
    valuesOfSlot: rowsWith(instruments.length * 2, rowsOfOne(values.slots)),
    routes: placed,
    indices,
    placeOfRoute: placesOf(indices, routes.length),
    legs,
    ratios: ratiosOf(placed, legs.items.length),
    hurdles: Float64Array.from(placed, (route) => hurdle * fixedNotional(route)),
    placesOfValue: rowsWith(values.count, legs),
    placesOfCarry: rowsWith(instruments.length, rowsFrom(placed.map(instrumentsOfCarry))),
  };
}

type ValueKey = { readonly leg: RouteLeg; readonly isNotional: boolean };

/** Values by what tells them apart. */
class ValueNumbers {
  readonly list: ValueKey[] = [];
  readonly #numbers: Int32Array;

  constructor(instruments: number) {
    this.#numbers = new Int32Array(instruments * 8).fill(-1);
  }

  of(leg: RouteLeg, isNotional: boolean): number {
    const key =
      8 * leg.instrument + (leg.side === 'buy' ? 0 : 4) + (leg.unit === 'quote' ? 2 : 0) + (isNotional ? 1 : 0);
    const known = this.#numbers[key]!;
    if (known >= 0) return known;
    this.#numbers[key] = this.list.push({ leg, isNotional }) - 1;
    return this.#numbers[key];
  }
}

/** The value of each route's hub: the leg whose instrument is in the most routes, of equal ones the first. */
function hubsOf(sums: readonly SumRoute[], numbers: ValueNumbers, instruments: number): Int32Array {
  const crowds = new Int32Array(instruments);
  for (const { legs } of sums) for (const { instrument } of legs) crowds[instrument]! += 1;
  const hubs = new Int32Array(sums.length);
  for (let at = 0; at < sums.length; at += 1) {
    const { legs } = sums[at]!;
    let hub = 0;
    for (let leg = 1; leg < legs.length; leg += 1) {
      if (crowds[legs[leg]!.instrument]! > crowds[legs[hub]!.instrument]!) hub = leg;
    }
    hubs[at] = legsOf(sums[at]!, numbers)[hub]!;
  }
  return hubs;
}

function legsOf({ id, legs, terms: { notional } }: SumRoute, numbers: ValueNumbers): readonly number[] {
  const leader = 'leg' in notional ? notional.leg : -1;
  assert(areApart(legs), `an instrument twice: ${id}`);
  assert(
    legs.every(({ ratio }) => ratio > 0),
    `a leg of nothing: ${id}`,
  );
  return legs.map((leg, at) => numbers.of(leg, at === leader));
}

function areApart(legs: readonly RouteLeg[]): boolean {
  for (let at = 1; at < legs.length; at += 1) {
    for (let before = 0; before < at; before += 1) if (legs[before]!.instrument === legs[at]!.instrument) return false;
  }
  return true;
}

function placesOf(indices: Int32Array, routes: number): Int32Array {
  const places = new Int32Array(routes).fill(-1);
  for (let place = 0; place < indices.length; place += 1) places[indices[place]!] = place;
  return places;
}

/** More than any premium's share: stands for no cap. */
const UNCAPPED = 1e9;

function valuesOf(instruments: readonly Instrument[], list: readonly ValueKey[], leastEdge: number): Values {
  assert(leastEdge > -1, 'a least edge of minus everything');
  const fees = list.map(({ leg }) => legFeeOf(instruments[leg.instrument]!));
  const isOption = (at: number): boolean => fees[at]!.kind === 'option';
  const slopes = Float64Array.from(list, ({ leg, isNotional }, at) =>
    monotone(leg, cashPerUnit(leg, fees[at]!, 1, 0) - (isNotional ? leastEdge : 0)),
  );
  return {
    count: list.length,
    slots: Int32Array.from(list, ({ leg }) => 2 * leg.instrument + (leg.side === 'sell' ? 1 : 0)),
    fees,
    isPerPrice: Uint8Array.from(list, ({ leg }, at) => {
      assert(leg.unit !== 'quote' || !isOption(at), 'an option counted in quote');
      return leg.unit === 'quote' ? 1 : 0;
    }),
    slopes,
    cappedSlopes: Float64Array.from(list, ({ leg }, at) =>
      isOption(at) ? monotone(leg, slopes[at]! - Math.min(UNCAPPED, fees[at]!.premiumShareMax)) : slopes[at]!,
    ),
    feeRates: Float64Array.from(list, (_one, at) => (isOption(at) ? fees[at]!.taker : 0)),
  };
}

/** A hurdle or a cap of more than the whole price would turn it over: what is sold is then worth more than it is, and next to nothing. */
const monotone = ({ side, unit }: RouteLeg, slope: number): number =>
  (side === 'sell') === (unit === 'quote') ? slope : Math.max(1e-9, slope);

function ratiosOf(placed: readonly SumRoute[], count: number): Float64Array {
  const ratios = new Float64Array(count);
  let at = 0;
  for (const { legs } of placed) {
    for (const { ratio } of legs) {
      ratios[at] = ratio;
      at += 1;
    }
  }
  return ratios;
}

const fixedNotional = ({ terms: { notional } }: SumRoute): number => ('amount' in notional ? notional.amount : 0);

function instrumentsOfCarry({ legs, terms }: SumRoute): readonly number[] {
  const instruments: number[] = [];
  for (const parts of [legs, terms.closings, terms.deliveries, terms.bridges ?? []]) {
    for (const { instrument } of parts) if (!instruments.includes(instrument)) instruments.push(instrument);
  }
  return instruments;
}
