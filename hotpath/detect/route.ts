import type { Asset, InstrumentIndex, RouteId } from '#shared/domain/ids.ts';
import type { Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { CompileOptions, FamilyId, ProductRoute, RouteLeg, SumRoute, Terms } from '#shared/domain/route.ts';

export type { CompileOptions, Route, RouteFamily, SumRoute, Terms } from '#shared/domain/route.ts';

/** An instrument together with its place in the registry: what families arrange. */
export type Listed = { readonly at: InstrumentIndex; readonly instrument: Instrument };

/** One way through an instrument: what is given, what is received. */
export type Step = Listed & { readonly leg: RouteLeg; readonly from: Asset; readonly to: Asset };

/** The instruments that trade spot now, in registry order. */
export function spotOf(instruments: readonly Instrument[]): readonly Listed[] {
  return instruments.flatMap((instrument, at) =>
    instrument.kind === 'spot' && instrument.status === 'trading' ? [{ at: at as InstrumentIndex, instrument }] : [],
  );
}

/** The instruments of these kinds that trade now and do not expire within the least tenor, in registry order. */
export function lastingOf(
  instruments: readonly Instrument[],
  kinds: readonly InstrumentKind[],
  { nowMs, minTenorMs }: Pick<CompileOptions, 'nowMs' | 'minTenorMs'>,
): readonly Listed[] {
  return instruments.flatMap((instrument, at) => {
    const { kind, status, expiryMs } = instrument;
    const lasts = kind === 'spot' || kind === 'perpetual' || (expiryMs !== undefined && expiryMs > nowMs + minTenorMs);
    return lasts && status === 'trading' && kinds.includes(kind) ? [{ at: at as InstrumentIndex, instrument }] : [];
  });
}

/** The asset that this one counts as: itself, unless the configuration says that it stands for another. */
export const countsAs = (asset: Asset, { equalAssets }: Pick<CompileOptions, 'equalAssets'>): Asset =>
  equalAssets.get(asset) ?? asset;

/** Whether a route may begin in an asset, which is one that others count as. */
export const mayStart = (asset: Asset, options: Pick<CompileOptions, 'equalAssets' | 'startAssets'>): boolean =>
  options.startAssets.some((start) => countsAs(start, options) === asset);

/** Both ways through an instrument: a buy turns quote into base, a sell turns base into quote. */
export function stepsOf({ at, instrument }: Listed): readonly [buy: Step, sell: Step] {
  const { base, quote } = instrument;
  return [
    { at, instrument, leg: { instrument: at, side: 'buy', ratio: 1 }, from: quote, to: base },
    { at, instrument, leg: { instrument: at, side: 'sell', ratio: 1 }, from: base, to: quote },
  ];
}

/** asset → asset → every step that turns the first into the second, in registry order. */
export type Conversions = ReadonlyMap<Asset, ReadonlyMap<Asset, readonly Step[]>>;

/** What turns an asset into another. */
export function conversionsOf(listed: readonly Listed[]): Conversions {
  const conversions = new Map<Asset, Map<Asset, Step[]>>();
  for (const step of listed.flatMap(stepsOf)) {
    const reachable = conversions.get(step.from) ?? new Map<Asset, Step[]>();
    conversions.set(step.from, reachable);
    const known = reachable.get(step.to);
    if (known === undefined) reachable.set(step.to, [step]);
    else known.push(step);
  }
  return conversions;
}

/** One step of each choice, all on one venue. */
export function* insideVenues(choices: readonly (readonly Step[])[]): Generator<readonly Step[]> {
  for (const venue of new Set(choices[0]!.map(({ instrument }) => instrument.venue))) {
    const here = choices.map((steps) => steps.filter(({ instrument }) => instrument.venue === venue));
    yield* combinations(here);
  }
}

/** One step of each choice, on at least two venues. */
export function* acrossVenues(choices: readonly (readonly Step[])[]): Generator<readonly Step[]> {
  for (const steps of combinations(choices)) {
    if (steps.some(({ instrument }) => instrument.venue !== steps[0]!.instrument.venue)) yield steps;
  }
}

function* combinations(
  choices: readonly (readonly Step[])[],
  chosen: readonly Step[] = [],
): Generator<readonly Step[]> {
  const [next, ...rest] = choices;
  if (next === undefined) {
    yield chosen;
    return;
  }
  for (const step of next) yield* combinations(rest, [...chosen, step]);
}

/** The route that takes these steps in order and ends where the first began. */
export function productRoute(family: FamilyId, steps: readonly Step[], start: Asset): ProductRoute {
  return {
    id: `${family}:${steps.map(({ instrument }) => instrument.id).join('>')}` as RouteId,
    family,
    evaluator: 'product',
    legs: steps.map(({ leg }) => leg),
    start,
  };
}

const COIN_KINDS: readonly InstrumentKind[] = ['spot', 'perpetual', 'future'];

/**
 * The routes of a family that buys a coin in one form and sells it in another, both ways: of all spot markets, perpetuals and dated futures of one coin in one
 * quote (or in quotes that are equal by explicit decision), the pairs that may meet, in registry order.
 */
export function coinPairRoutes(
  family: FamilyId,
  instruments: readonly Instrument[],
  options: CompileOptions,
  mayMeet: (one: InstrumentKind, other: InstrumentKind) => boolean,
): readonly SumRoute[] {
  const coins = lastingOf(instruments, COIN_KINDS, options).filter(({ instrument }) => isPlain(instrument, options));
  const groups = Map.groupBy(
    coins,
    ({ instrument: { base, quote } }) => `${base}/${countsAs(quote, options)}`,
  ).values();
  const routes: SumRoute[] = [];
  for (const group of groups) {
    for (const [rank, one] of group.entries()) {
      for (const other of group.slice(rank + 1)) {
        if (!mayMeet(one.instrument.kind, other.instrument.kind)) continue;
        routes.push(coinPairRoute(family, one, other, options), coinPairRoute(family, other, one, options));
        if (routes.length >= options.maxRoutes) return routes.slice(0, options.maxRoutes);
      }
    }
  }
  return routes;
}

/** One coin is worth its price in a start asset: what is settled in neither coin nor quote (a quanto) moves otherwise. */
function isPlain({ kind, base, quote, settle, inverse }: Instrument, options: CompileOptions): boolean {
  const start = countsAs(quote, options);
  const isSettledSo = kind === 'spot' || (inverse ? settle === base : countsAs(settle, options) === start);
  return base !== quote && isSettledSo && mayStart(start, options);
}

/**
 * One coin bought and one sold. It ends with the first settlement, where whatever does not settle then is closed by trading; without any it is held as long as
 * the configuration says. Locked are a future against spot, which is then sold at the price that settles it, and two futures that settle on one index at one time.
 */
function coinPairRoute(family: FamilyId, buy: Listed, sell: Listed, options: CompileOptions): SumRoute {
  const pair = [buy, sell];
  const expiries = pair.flatMap(({ instrument: { expiryMs } }) => expiryMs ?? []);
  const endsMs = expiries.length === 0 ? undefined : Math.min(...expiries);
  const settles = ({ instrument: { expiryMs } }: Listed): boolean => expiryMs !== undefined && expiryMs === endsMs;
  const ends = (listed: readonly Listed[]): Terms['closings'] => listed.map(({ at }) => ({ instrument: at, ratio: 1 }));
  const isLocked =
    endsMs !== undefined &&
    (pair.some(({ instrument: { kind } }) => kind === 'spot') || (pair.every(settles) && isOneIndex(buy, sell)));
  return {
    id: `${family}:${buy.instrument.id}>${sell.instrument.id}` as RouteId,
    family,
    evaluator: 'sum',
    legs: [
      { instrument: buy.at, side: 'buy', ratio: 1 },
      { instrument: sell.at, side: 'sell', ratio: 1 },
    ],
    start: countsAs(buy.instrument.quote, options),
    terms: {
      certainty: isLocked ? 'locked' : 'converging',
      notional: { leg: 0 },
      payoffs: [],
      closings: ends(pair.filter((listed) => !settles(listed))),
      deliveries: ends(pair.filter(settles)),
      endsMs,
    },
  };
}

/** Venues settle on indices of their own, one for each quote. */
const isOneIndex = ({ instrument: one }: Listed, { instrument: other }: Listed): boolean =>
  one.venue === other.venue && one.quote === other.quote;
