import type { Asset, InstrumentIndex, RouteId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type {
  Closing,
  CompileOptions,
  FamilyId,
  ProductRoute,
  RouteLeg,
  Side,
  SumRoute,
  Terms,
} from '#shared/domain/route.ts';
import { opposite } from '#shared/domain/route.ts';

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
  const parts = [bought(buy), sold(sell)];
  const expiries = parts.flatMap(({ instrument: { expiryMs } }) => expiryMs ?? []);
  const endsMs = expiries.length === 0 ? undefined : Math.min(...expiries);
  const settles = ({ instrument: { expiryMs } }: Listed): boolean => expiryMs !== undefined && expiryMs === endsMs;
  const isLocked =
    endsMs !== undefined &&
    (parts.some(({ instrument: { kind } }) => kind === 'spot') || (parts.every(settles) && isOneIndex(buy, sell)));
  return sumRoute(family, {
    parts,
    start: countsAs(buy.instrument.quote, options),
    terms: {
      certainty: isLocked ? 'locked' : 'converging',
      notional: { leg: 0 },
      payoffs: [],
      closings: parts.filter((part) => !settles(part)).map(endOf),
      deliveries: parts.filter(settles).map(endOf),
      endsMs,
    },
  });
}

/** Venues settle on indices of their own, one for each quote. */
const isOneIndex = ({ instrument: one }: Listed, { instrument: other }: Listed): boolean =>
  one.venue === other.venue && one.quote === other.quote;

/** A leg together with the instrument that it takes. */
export type Part = Listed & Pick<RouteLeg, 'side' | 'ratio' | 'unit'>;

export const bought = (listed: Listed, ratio = 1): Part => ({ ...listed, side: 'buy', ratio });
export const sold = (listed: Listed, ratio = 1): Part => ({ ...listed, side: 'sell', ratio });
/** Counted in quote. */
export const inQuote = (part: Part): Part => ({ ...part, unit: 'quote' });

const legOf = ({ at, side, ratio, unit }: Part): RouteLeg => ({
  instrument: at,
  side,
  ratio,
  ...(unit === undefined ? {} : { unit }),
});

/** What a leg is ended with: a trade or a settlement of as many units. */
export const endOf = ({ at, ratio, unit }: Part): Closing => ({
  instrument: at,
  ratio,
  ...(unit === undefined ? {} : { unit }),
});

/** One sure payment; none where nothing is paid. */
export const paymentOf = (atMs: number, amount: number): Terms['payoffs'] => (amount === 0 ? [] : [{ atMs, amount }]);

export type SumSpec = { readonly parts: readonly Part[]; readonly start: Asset; readonly terms: Terms };

/** The route that opens these legs at once; its id says what is bought, then what is sold. */
export function sumRoute(family: FamilyId, { parts, start, terms }: SumSpec): SumRoute {
  const idsOf = (side: Side): string =>
    parts.flatMap((part) => (part.side === side ? [part.instrument.id] : [])).join('+');
  return {
    id: `${family}:${idsOf('buy')}>${idsOf('sell')}` as RouteId,
    family,
    evaluator: 'sum',
    legs: parts.map(legOf),
    start,
    terms,
  };
}

/** The route and its reverse: what was bought is sold, what was paid out is owed. Not for bounds: they hold on one side. */
export function bothWays(family: FamilyId, spec: SumSpec): readonly [SumRoute, SumRoute] {
  const { terms } = spec;
  const reversed: SumSpec = {
    ...spec,
    parts: spec.parts.map((part) => ({ ...part, side: opposite(part.side) })),
    terms: {
      ...terms,
      payoffs: terms.payoffs.map(({ atMs, amount }) => ({ atMs, amount: -amount })),
      ...(terms.bridges === undefined
        ? {}
        : { bridges: terms.bridges.map((bridge) => ({ ...bridge, side: opposite(bridge.side) })) }),
    },
  };
  return [sumRoute(family, spec), sumRoute(family, reversed)];
}

/** As many routes as there is room for, of those that are not too long. */
export function firstRoutes(
  routes: Iterable<SumRoute>,
  { maxRoutes, maxLegs }: Pick<CompileOptions, 'maxRoutes' | 'maxLegs'>,
): readonly SumRoute[] {
  const first: SumRoute[] = [];
  for (const route of routes) {
    if (first.length >= maxRoutes) break;
    if (route.legs.length <= maxLegs) first.push(route);
  }
  return first;
}

/** The options of one strike. */
type StrikeRow = {
  readonly strike: number;
  readonly call: Listed | undefined;
  readonly put: Listed | undefined;
};
export type StrikePair = { readonly strike: number; readonly call: Listed; readonly put: Listed };

/** Options of one venue that differ in strike and right alone. */
export type Board = {
  readonly base: Asset;
  /** In what premiums and payoffs are paid, as it counts: the start asset of its routes. */
  readonly start: Asset;
  /** In what strikes are counted, as it counts: `start` unless the board is settled in coin. */
  readonly strikeAsset: Asset;
  readonly inCoin: boolean;
  readonly expiryMs: number;
  /** The venue and the asset of its strikes, before equal assets are taken for one another: boards of one index settle at one price. */
  readonly index: string;
  /** What boards of two expiries must share to be of one series. */
  readonly series: string;
  /** What boards must share for their options to cancel out, expiry aside. */
  readonly terms: string;
  /** Lowest strike first. */
  readonly rows: readonly StrikeRow[];
};

/** The option boards in which routes may start, nearest expiry first, then in registry order. */
export function boardsOf(instruments: readonly Instrument[], options: CompileOptions): readonly Board[] {
  const groups = Map.groupBy(
    lastingOf(instruments, ['option'], options).filter(({ instrument }) => isPlainOption(instrument, options)),
    ({ instrument }) => `${seriesOf(instrument)} ${instrument.expiryMs}`,
  );
  return [...groups.values()]
    .map((group) => boardFrom(group, options))
    .filter(({ start }) => mayStart(start, options))
    .sort((a, b) => a.expiryMs - b.expiryMs);
}

/** Every two that stand so many places apart. */
export function* apart<Item>(items: readonly Item[], distance: number): Generator<readonly [Item, Item]> {
  for (const [at, item] of items.entries()) {
    const other = items[at + distance];
    if (other === undefined) return;
    yield [item, other];
  }
}

/** The strikes of a board that have both a call and a put. */
export const pairsOf = ({ rows }: Board): readonly StrikePair[] =>
  rows.flatMap(({ strike, call, put }) => (call === undefined || put === undefined ? [] : [{ strike, call, put }]));

/** Whether this settles together with a board: on its index, at its time. Another venue, or another quote, has an index of its own. */
export const settlesWith = ({ instrument: { venue, quote, expiryMs } }: Listed, board: Board): boolean =>
  expiryMs === board.expiryMs && indexOf(venue, quote) === board.index;

/**
 * A synthetic forward bought at one strike (its call bought, its put sold) and one sold at another or on another board of the same terms and expiry. Paid in
 * dollars, S − K of one and K′ − S of the other leave K′ − K. Paid in coin, 1 − K/S leaves a remainder that moves unless units × K are the same on both: one unit
 * at the lower strike K₁ meets K₁/K₂ at the higher one K₂, which leaves the difference of the units.
 */
export function forwardPair(
  family: FamilyId,
  [long, longBoard]: readonly [StrikePair, Board],
  [short, shortBoard]: readonly [StrikePair, Board],
): SumRoute {
  const { inCoin, start, expiryMs } = longBoard;
  const lower = Math.min(long.strike, short.strike);
  const unitsAt = ({ strike }: StrikePair): number => (inCoin ? lower / strike : 1);
  const longCall = bought(long.call, unitsAt(long));
  const shortCall = sold(short.call, unitsAt(short));
  const payoff = inCoin ? longCall.ratio - shortCall.ratio : short.strike - long.strike;
  return sumRoute(family, {
    parts: [longCall, sold(long.put, longCall.ratio), shortCall, bought(short.put, shortCall.ratio)],
    start,
    terms: {
      certainty: longBoard.index === shortBoard.index ? 'locked' : 'converging',
      notional: { amount: inCoin ? 1 : lower },
      payoffs: paymentOf(expiryMs, payoff),
      closings: [],
      deliveries: [endOf(longCall), endOf(shortCall)],
      endsMs: expiryMs,
    },
  });
}

function boardFrom(group: readonly Listed[], options: CompileOptions): Board {
  const { venue, base, quote, expiryMs } = group[0]!.instrument;
  const written = strikeAssetOf(group[0]!.instrument);
  const [start, strikeAsset] = [countsAs(quote, options), countsAs(written, options)];
  const rows = Map.groupBy(group, ({ instrument }) => instrument.strike!.toNumber());
  const withRight = (row: readonly Listed[], right: 'call' | 'put'): Listed | undefined =>
    row.find(({ instrument }) => instrument.right === right);
  return {
    base,
    start,
    strikeAsset,
    inCoin: quote === base,
    expiryMs: expiryMs!,
    index: indexOf(venue, written),
    series: seriesOf(group[0]!.instrument),
    terms: `${base} ${start} ${strikeAsset}`,
    rows: [...rows.entries()]
      .map(([strike, row]) => ({ strike, call: withRight(row, 'call'), put: withRight(row, 'put') }))
      .sort((a, b) => a.strike - b.strike),
  };
}

/** An option of one strike, above nothing, that pays in what its premium is paid in. */
function isPlainOption({ symbol, base, quote, settle, strike, right }: Instrument, options: CompileOptions): boolean {
  if (strike?.gt(0) !== true || right === undefined || countsAs(settle, options) !== countsAs(quote, options))
    return false;
  return quote !== base || STRIKE_ASSET.test(symbol);
}

/** `BTC/USD:BTC-261225-60000-C`: the premium is paid in coin, the strike is in USD. */
const STRIKE_ASSET = /^[^/]+[/]([^:]+):/;

const strikeAssetOf = ({ symbol, base, quote }: Instrument): Asset =>
  quote === base ? (STRIKE_ASSET.exec(symbol)![1] as Asset) : quote;

const indexOf = (venue: VenueId, strikeAsset: Asset): string => `${venue} ${strikeAsset}`;

const seriesOf = (instrument: Instrument): string =>
  `${instrument.venue} ${instrument.base} ${instrument.quote} ${strikeAssetOf(instrument)} ${instrument.contractSize.toFixed()}`;
