import type { Instrument } from '#shared/domain/instrument.ts';
import type { RouteLeg, SumRoute } from '#shared/domain/route.ts';
import { cashPerUnit, legFeeOf, unitsPerQty } from '#shared/quant/leg-value.ts';

/** What the coin is worth at a time. Asked at settlements and at the route's end alone. */
type PriceAt = (atMs: number) => number;

/** Prices of entry by instrument: what a route earns beside its payoffs must not depend on them. */
type EntryOf = (instrument: number) => number;

/** Routes that have no settlement end somewhere. */
const SOME_TIME = 8.64e15;

/**
 * What one unit of a route earns when every position is held as contracts until the contract's own end, beyond the cash of its entry and before fees: reckoned
 * from the contracts' terms (kind, right, strike, inverse, settled in coin, contract size) and nothing that the route promises. What expires after the route's end
 * is traded away then, an option for no more than it would pay.
 */
function remainderOf(route: SumRoute, instruments: readonly Instrument[], priceAt: PriceAt, entryOf: EntryOf): number {
  const { legs, terms, start } = route;
  const endsMs = terms.endsMs ?? SOME_TIME;
  let earned = 0;
  for (const leg of legs) {
    const instrument = instruments[leg.instrument]!;
    const entry = entryOf(leg.instrument);
    const exit = priceAt(Math.min(instrument.expiryMs ?? SOME_TIME, endsMs));
    const cash = leg.ratio * cashPerUnit(leg, { ...legFeeOf(instrument), taker: 0 }, entry, 1);
    earned += profitOf(leg, instrument, { entry, exit, inCoin: start === instrument.base }) - cash;
  }
  for (const { fromMs, toMs, ...bridge } of terms.bridges ?? []) {
    const instrument = instruments[bridge.instrument]!;
    const held = { entry: priceAt(fromMs), exit: priceAt(toMs), inCoin: start === instrument.base };
    earned += profitOf(bridge, instrument, held);
  }
  return earned;
}

type Held = { readonly entry: number; readonly exit: number; readonly inCoin: boolean };

/** Of the contracts that the leg buys or sells at `entry`, in the coin or in dollars. */
function profitOf({ side, ratio, unit }: RouteLeg, instrument: Instrument, { entry, exit, inCoin }: Held): number {
  const { kind, base, quote, inverse, contractSize } = instrument;
  const contracts = (side === 'buy' ? ratio : -ratio) / unitsPerQty(instrument, unit, entry);
  const size = contracts * contractSize.toNumber();
  if (kind === 'option') return size * (settledValue(instrument, exit) / (quote === base ? exit : 1) - entry);
  // Contracts in dollars earn coin; `size` coins of anything else earn dollars.
  if (inverse) return size * (1 / entry - 1 / exit) * (inCoin ? 1 : exit);
  return inCoin ? size - (size * entry) / exit : size * (exit - entry);
}

/** In dollars, for one coin. */
function settledValue({ right, strike }: Instrument, price: number): number {
  const above = price - strike!.toNumber();
  return Math.max(0, right === 'call' ? above : -above);
}

/**
 * What is wrong with the payoffs of a route, over every price of a wide grid at every settlement (all combinations where there are several): they depend on the
 * price though they are promised not to, or fall short of their bound. Empty when all is well.
 */
export function payoffFaults(route: SumRoute, instruments: readonly Instrument[], entryOf: EntryOf): readonly string[] {
  const { terms, legs } = route;
  const promised = terms.payoffs.reduce((sum, { amount }) => sum + amount, 0);
  const traded = legs.map(({ instrument }) => instruments[instrument]!);
  const scale = traded.some(({ base }) => base === route.start) ? 1 : Math.max(...strikesOf(traded));
  const endsMs = terms.endsMs ?? SOME_TIME;
  const times = [...new Set([endsMs, ...traded.map(({ expiryMs = endsMs }) => Math.min(expiryMs, endsMs))])];
  return combinations(times.map(() => pricesOf(traded))).flatMap((prices) => {
    const remainder = remainderOf(route, instruments, (atMs) => prices[times.indexOf(atMs)]!, entryOf);
    const isKept = terms.certainty === 'bound' ? remainder > promised - 1e-9 * scale : near(remainder, promised, scale);
    return isKept ? [] : [`${route.id} at ${prices.join(', ')}: ${remainder}, not ${promised}`];
  });
}

/** From a thousandth to a thousandfold of every strike, the strikes and a tick beside them. */
function pricesOf(traded: readonly Instrument[]): readonly number[] {
  return [...new Set(strikesOf(traded))].flatMap((strike) => [
    ...[1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 1, 1.01, 1.1, 2, 10, 100, 1e3].map((factor) => factor * strike),
    ...traded.slice(0, 1).flatMap(({ tick }) => [strike - tick.toNumber(), strike + tick.toNumber()]),
  ]);
}

/** A likely price where nothing has a strike. */
function strikesOf(traded: readonly Instrument[]): readonly number[] {
  const strikes = traded.flatMap(({ strike }) => strike?.toNumber() ?? []);
  return strikes.length === 0 ? [50_000] : strikes;
}

const near = (one: number, other: number, scale: number): boolean => Math.abs(one - other) <= 1e-9 * scale;

const combinations = (choices: readonly (readonly number[])[]): readonly (readonly number[])[] =>
  choices.reduce<readonly (readonly number[])[]>(
    (chosen, next) => chosen.flatMap((before) => next.map((choice) => [...before, choice])),
    [[]],
  );

/** Units of the route's legs that pay at a settlement, at most over all prices: what deliveries must be reckoned for. */
export function deliveredAtMost({ legs, terms }: SumRoute, instruments: readonly Instrument[]): number {
  const settled = legs.flatMap(({ instrument, ratio }) => {
    const listed = instruments[instrument]!;
    return listed.expiryMs !== undefined && listed.expiryMs <= (terms.endsMs ?? 0) ? [{ listed, ratio }] : [];
  });
  const pays = ({ listed }: (typeof settled)[number], price: number): boolean =>
    listed.kind === 'future' || settledValue(listed, price) > 0;
  return Math.max(
    0,
    ...pricesOf(settled.map(({ listed }) => listed)).map((price) =>
      settled.filter((each) => pays(each, price)).reduce((sum, { ratio }) => sum + ratio, 0),
    ),
  );
}
