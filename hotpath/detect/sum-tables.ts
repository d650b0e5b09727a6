import { assert } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, RouteLeg, SumRoute } from '#shared/domain/route.ts';
import type { LegFee } from '#shared/quant/leg-value.ts';
import { legFeeOf } from '#shared/quant/leg-value.ts';
import type { Rows } from './rows.ts';
import { invert, rowsFrom } from './rows.ts';

/** The cash of one unit of a leg after fees, less what it must earn where the route's notional is this leg. Routes share them. */
export type Value = {
  readonly instrument: InstrumentIndex;
  readonly leg: Pick<RouteLeg, 'side' | 'unit'>;
  readonly fee: LegFee;
  /** The least edge where the leg is the notional, else 0. */
  readonly hurdle: number;
};

/**
 * Sum routes as typed arrays. The *hub* of a route is the leg whose instrument is in the most routes: when it changes, every route costs one product and
 * one sum, since what the other legs are worth stands beside it. *Places* are the routes ordered by the value of their hub, so that all
 * routes of one value lie side by side.
 */
export type SumTables = {
  readonly values: readonly Value[];
  readonly valuesOfInstrument: Rows;
  /** By place. */
  readonly routes: readonly SumRoute[];
  readonly indices: Int32Array;
  /** By route; −1 for product routes. */
  readonly placeOfRoute: Int32Array;
  readonly hubs: Int32Array;
  readonly hubRatios: Float64Array;
  /** Values of the other legs, and their ratios beside `others.items`. */
  readonly others: Rows;
  readonly otherRatios: Float64Array;
  /** What a route must earn where its notional is a fixed amount. */
  readonly hurdles: Float64Array;
  /** By value: places from `placesOfHub[value]` to before `placesOfHub[value + 1]`. */
  readonly placesOfHub: Int32Array;
  /** By instrument: places that have it as a leg other than the hub. */
  readonly placesOfOther: Rows;
  /** By instrument: places whose carry is reckoned with it. */
  readonly placesOfCarry: Rows;
};

type Placed = {
  readonly index: number;
  readonly route: SumRoute;
  readonly hub: { readonly value: number; readonly ratio: number };
  readonly others: readonly { readonly value: number; readonly leg: RouteLeg }[];
};

/** `hurdle` is the least edge, as a fraction. */
export function sumTables(instruments: readonly Instrument[], routes: readonly Route[], hurdle: number): SumTables {
  const sums = [...routes.entries()].flatMap(([index, route]) => (route.evaluator === 'sum' ? [{ index, route }] : []));
  const crowds = new Int32Array(instruments.length);
  for (const { route } of sums) for (const { instrument } of route.legs) crowds[instrument]! += 1;
  const values = new Values(instruments, hurdle);
  const placed = sums
    .map(({ index, route }) => placedFrom(index, route, values, crowds))
    .sort((one, other) => one.hub.value - other.hub.value || one.index - other.index);
  const placeOfRoute = new Int32Array(routes.length).fill(-1);
  for (const [place, { index }] of placed.entries()) placeOfRoute[index] = place;
  const instrumentsOf = values.list.map(({ instrument }) => instrument);
  return {
    values: values.list,
    valuesOfInstrument: invert(instruments.length, [...instrumentsOf.entries()], ([at, row]) => [[row, [at]]]),
    routes: placed.map(({ route }) => route),
    indices: Int32Array.from(placed, ({ index }) => index),
    placeOfRoute,
    hubs: Int32Array.from(placed, ({ hub }) => hub.value),
    hubRatios: Float64Array.from(placed, ({ hub }) => hub.ratio),
    others: rowsFrom(placed.map(({ others }) => others.map(({ value }) => value))),
    otherRatios: Float64Array.from(placed.flatMap(({ others }) => others.map(({ leg }) => leg.ratio))),
    hurdles: Float64Array.from(placed, ({ route }) => hurdle * fixedNotional(route)),
    placesOfHub: placesOfHub(placed, values.list.length),
    placesOfOther: invert(instruments.length, [...placed.entries()], ([place, { others }]) =>
      others.map(({ leg }) => [leg.instrument, [place]]),
    ),
    placesOfCarry: invert(instruments.length, [...placed.entries()], ([place, { route }]) =>
      [...instrumentsOfCarry(route)].map((row) => [row, [place]]),
    ),
  };
}

/** Values by what tells them apart. */
class Values {
  readonly list: Value[] = [];
  readonly #instruments: readonly Instrument[];
  readonly #hurdle: number;
  readonly #numbers = new Map<string, number>();

  constructor(instruments: readonly Instrument[], hurdle: number) {
    this.#instruments = instruments;
    this.#hurdle = hurdle;
  }

  numberOf({ instrument, side, unit = 'base' }: RouteLeg, isNotional: boolean): number {
    const key = `${instrument} ${side} ${unit} ${isNotional}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const fee = legFeeOf(this.#instruments[instrument]!);
    const number = this.list.push({ instrument, leg: { side, unit }, fee, hurdle: isNotional ? this.#hurdle : 0 }) - 1;
    this.#numbers.set(key, number);
    return number;
  }
}

function placedFrom(index: number, route: SumRoute, values: Values, crowds: Int32Array): Placed {
  const { legs, terms } = route;
  assert(new Set(legs.map(({ instrument }) => instrument)).size === legs.length, `an instrument twice: ${route.id}`);
  const valued = legs.map((leg, at) => {
    const isNotional = 'leg' in terms.notional && terms.notional.leg === at;
    return { leg, value: values.numberOf(leg, isNotional) };
  });
  const hub = valued.reduce((best, next) =>
    crowds[next.leg.instrument]! > crowds[best.leg.instrument]! ? next : best,
  );
  const others = valued.filter((one) => one !== hub);
  return { index, route, hub: { value: hub.value, ratio: hub.leg.ratio }, others };
}

const fixedNotional = ({ terms: { notional } }: SumRoute): number => ('amount' in notional ? notional.amount : 0);

const instrumentsOfCarry = ({ legs, terms }: SumRoute): ReadonlySet<number> =>
  new Set(
    [...legs, ...terms.closings, ...terms.deliveries, ...(terms.bridges ?? [])].map(({ instrument }) => instrument),
  );

function placesOfHub(placed: readonly Placed[], values: number): Int32Array {
  const starts = new Int32Array(values + 1);
  for (const { hub } of placed) starts[hub.value + 1]! += 1;
  for (let value = 0; value < values; value += 1) starts[value + 1]! += starts[value]!;
  return starts;
}
