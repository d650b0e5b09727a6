import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ProductShape, Shape, ShapeEnd, ShapeLeg, SumShape } from './truth.ts';

/** Written from the table of docs/net-edge.md, not from the families: which arbitrages a list of instruments offers. */
export const FAMILIES: Readonly<Record<string, (instruments: readonly Instrument[]) => readonly Shape[]>> = {
  spatial,
  cycle,
  stablecoin,
  basis,
  funding,
  calendar,
  parity,
  box,
  'synthetic-forward': syntheticForward,
  'jelly-roll': jellyRoll,
  surface,
};

const ONE = new Decimal(1);
const ZERO = new Decimal(0);
const STARTS = ['USDT', 'USDC', 'USD'];

function spatial(instruments: readonly Instrument[]): readonly Shape[] {
  return pairs(instruments.filter(isSpot)).flatMap(([buy, sell]) =>
    buy.symbol === sell.symbol && buy.venue !== sell.venue && STARTS.includes(buy.quote)
      ? [product('spatial', buy.quote, [leg(buy, 'buy'), leg(sell, 'sell')])]
      : [],
  );
}

/** USDT → coin → bridge → USDT on one venue, and the other way round. Through a second stable asset it is another family's. */
function cycle(instruments: readonly Instrument[]): readonly Shape[] {
  const spots = instruments.filter(isSpot);
  return spots.flatMap((cross) => {
    if (STARTS.includes(cross.base) || STARTS.includes(cross.quote)) return [];
    const toUsdt = (base: string): Instrument | undefined =>
      spots.find((each) => each.venue === cross.venue && each.base === base && each.quote === 'USDT');
    const [coin, bridge] = [toUsdt(cross.base), toUsdt(cross.quote)];
    if (coin === undefined || bridge === undefined) return [];
    return [
      product('cycle', 'USDT', [leg(coin, 'buy'), leg(cross, 'sell'), leg(bridge, 'sell')]),
      product('cycle', 'USDT', [leg(bridge, 'buy'), leg(cross, 'buy'), leg(coin, 'sell')]),
    ];
  });
}

/** Bought for USDT, sold for USDC, the USDC sold for USDT, on any venues. */
function stablecoin(instruments: readonly Instrument[]): readonly Shape[] {
  const spots = instruments.filter(isSpot);
  const stable = spots.filter(({ symbol }) => symbol === 'USDC/USDT');
  return pairs(spots).flatMap(([tether, circle], at) => {
    if (tether.quote !== 'USDT' || circle.quote !== 'USDC' || tether.base !== circle.base) return [];
    const exchange = stable[at % stable.length]!;
    if (tether.base === 'USDC') return [];
    return [
      product('stablecoin', 'USDT', [leg(tether, 'buy'), leg(circle, 'sell'), leg(exchange, 'sell')]),
      product('stablecoin', 'USDT', [leg(exchange, 'buy'), leg(circle, 'buy'), leg(tether, 'sell')]),
    ];
  });
}

function basis(instruments: readonly Instrument[]): readonly Shape[] {
  const futures = instruments.filter(({ kind }) => kind === 'perpetual' || kind === 'future');
  return instruments
    .filter(isSpot)
    .flatMap((coin) =>
      futures
        .filter(({ base, quote }) => base === coin.base && quote === coin.quote && STARTS.includes(quote))
        .flatMap((future) => [
          converging('basis', leg(coin, 'buy'), leg(future, 'sell')),
          converging('basis', leg(future, 'buy'), leg(coin, 'sell')),
        ]),
    );
}

function funding(instruments: readonly Instrument[]): readonly Shape[] {
  return pairs(instruments.filter(({ kind }) => kind === 'perpetual')).flatMap(([long, short]) =>
    isSamePair(long, short) && long.venue !== short.venue
      ? [converging('funding', leg(long, 'buy'), leg(short, 'sell'))]
      : [],
  );
}

function calendar(instruments: readonly Instrument[]): readonly Shape[] {
  const futures = instruments.filter(({ kind }) => kind === 'perpetual' || kind === 'future');
  return pairs(futures).flatMap(([bought, sold]) =>
    isSamePair(bought, sold) && bought.expiryMs !== sold.expiryMs
      ? [converging('calendar', leg(bought, 'buy'), leg(sold, 'sell'))]
      : [],
  );
}

/** Conversion and reversal around every strike that has both rights, against everything of the same coin and money. */
function parity(instruments: readonly Instrument[]): readonly Shape[] {
  return strikesOf(instruments).flatMap(({ call, put }) => {
    const inCoin = isInCoin(call);
    const money = call.symbol.split('/')[1]!.split(':')[0]!;
    const hedges = instruments.filter(
      ({ kind, base, quote, settle, expiryMs, inverse }) =>
        base === call.base &&
        quote === money &&
        (kind === 'spot' ||
          ((kind === 'perpetual' || (kind === 'future' && expiryMs === call.expiryMs)) &&
            (inCoin ? inverse : settle === call.settle && !inverse))),
    );
    return hedges.flatMap((hedge) =>
      (['buy', 'sell'] as const).map((side) => parityShape({ call, put, hedge, side, inCoin })),
    );
  });
}

/** `side` is that of the hedge: bought, it is a conversion. */
function parityShape({
  call,
  put,
  hedge,
  side,
  inCoin,
}: Strike & { readonly hedge: Instrument; readonly side: 'buy' | 'sell'; readonly inCoin: boolean }): SumShape {
  const strike = call.strike!;
  const hedged: ShapeLeg = inCoin
    ? { instrument: hedge, side, ratio: strike, unit: 'quote' }
    : { instrument: hedge, side, ratio: ONE, unit: 'base' };
  const settles = hedge.kind === 'future';
  return {
    kind: 'sum',
    family: 'parity',
    start: call.quote,
    legs: [hedged, leg(call, side === 'buy' ? 'sell' : 'buy'), leg(put, side)],
    payoff: (inCoin ? ONE.neg() : strike).times(side === 'buy' ? 1 : -1),
    closings: settles ? [] : [endOf(hedged)],
    deliveries: [...(settles ? [endOf(hedged)] : []), end(call, ONE)],
    notional: inCoin ? { amount: ONE } : { leg: 0 },
    endsMs: call.expiryMs,
  };
}

function box(instruments: readonly Instrument[]): readonly Shape[] {
  return pairs(strikesOf(instruments)).flatMap(([low, high]) => {
    if (!isSameBoard(low.call, high.call) || low.call.expiryMs !== high.call.expiryMs) return [];
    const [k1, k2] = [low.call.strike!, high.call.strike!];
    if (k1.gte(k2)) return [];
    const inCoin = isInCoin(low.call);
    const ratio = inCoin ? k1.div(k2) : ONE;
    const far = (instrument: Instrument, side: 'buy' | 'sell'): ShapeLeg => ({ ...leg(instrument, side), ratio });
    const shape = (sign: 1 | -1): SumShape => {
      const [long, short] = sign === 1 ? (['buy', 'sell'] as const) : (['sell', 'buy'] as const);
      return {
        kind: 'sum',
        family: 'box',
        start: low.call.quote,
        legs: [leg(low.call, long), leg(low.put, short), far(high.call, short), far(high.put, long)],
        payoff: (inCoin ? ONE.minus(k1.div(k2)) : k2.minus(k1)).times(sign),
        closings: [],
        deliveries: [end(low.call, ONE), end(high.call, ratio)],
        notional: { amount: inCoin ? ONE : k1 },
        endsMs: low.call.expiryMs,
      };
    };
    return [shape(1), shape(-1)];
  });
}

/** The same strike on two venues: one synthetic forward against the other. */
function syntheticForward(instruments: readonly Instrument[]): readonly Shape[] {
  return pairs(strikesOf(instruments)).flatMap(([bought, sold]) => {
    const same =
      isSamePair(bought.call, sold.call) &&
      bought.call.venue !== sold.call.venue &&
      bought.call.expiryMs === sold.call.expiryMs &&
      bought.call.strike!.eq(sold.call.strike!);
    if (!same) return [];
    return [
      {
        kind: 'sum',
        family: 'synthetic-forward',
        start: bought.call.quote,
        legs: [leg(bought.call, 'buy'), leg(bought.put, 'sell'), leg(sold.call, 'sell'), leg(sold.put, 'buy')],
        payoff: ZERO,
        closings: [],
        deliveries: [end(bought.call, ONE), end(sold.call, ONE)],
        notional: { amount: isInCoin(bought.call) ? ONE : bought.call.strike! },
        endsMs: bought.call.expiryMs,
      } satisfies SumShape,
    ];
  });
}

/** Near sold and far bought, or the reverse; the coin is traded once at each expiry. */
function jellyRoll(instruments: readonly Instrument[]): readonly Shape[] {
  return pairs(strikesOf(instruments)).flatMap(([near, far]) => {
    const rolls =
      isSameBoard(near.call, far.call) &&
      near.call.expiryMs! < far.call.expiryMs! &&
      near.call.strike!.eq(far.call.strike!);
    if (!rolls) return [];
    const inCoin = isInCoin(near.call);
    const money = near.call.symbol.split('/')[1]!.split(':')[0]!;
    const markets = instruments.filter(
      ({ kind, base, quote }) => kind === 'spot' && base === near.call.base && quote === money,
    );
    // On the options' own venue where it has one: else the first.
    const carrier = markets.find(({ venue }) => venue === near.call.venue) ?? markets[0];
    if (carrier === undefined) return [];
    const strike = near.call.strike!;
    const roll: ShapeEnd = {
      instrument: carrier,
      ratio: inCoin ? strike : ONE,
      unit: inCoin ? 'quote' : 'base',
    };
    return (['sell', 'buy'] as const).map((side): SumShape => {
      const other = side === 'sell' ? 'buy' : 'sell';
      return {
        kind: 'sum',
        family: 'jelly-roll',
        start: near.call.quote,
        legs: [leg(near.call, side), leg(near.put, other), leg(far.call, other), leg(far.put, side)],
        payoff: ZERO,
        closings: [roll, roll],
        deliveries: [end(near.call, ONE), end(far.call, ONE)],
        bridge: { ...roll, side, fromMs: near.call.expiryMs!, toMs: far.call.expiryMs! },
        notional: { amount: inCoin ? ONE : strike },
        endsMs: far.call.expiryMs,
      };
    });
  });
}

function surface(instruments: readonly Instrument[]): readonly Shape[] {
  const calls = instruments.filter(({ kind, right }) => kind === 'option' && right === 'call');
  return [...pairs(calls).flatMap(([low, high]) => verticals(low, high)), ...butterflies(calls), ...inversions(calls)];
}

function verticals(low: Instrument, high: Instrument): readonly SumShape[] {
  if (!isSameBoard(low, high) || low.expiryMs !== high.expiryMs || !low.strike!.lt(high.strike!)) return [];
  const credit: SumShape = {
    ...bound([leg(low, 'buy'), leg(high, 'sell')], isInCoin(low) ? ONE : low.strike!),
    deliveries: [end(low, ONE), end(high, ONE)],
  };
  // In coin, K₁/K₂ of the upper call caps what the lower one may cost at 1 − K₁/K₂.
  const width = high.strike!.minus(low.strike!);
  const ratio = isInCoin(low) ? low.strike!.div(high.strike!) : ONE;
  const debit: SumShape = {
    ...bound([leg(low, 'sell'), { ...leg(high, 'buy'), ratio }], isInCoin(low) ? ONE : low.strike!),
    payoff: (isInCoin(low) ? width.div(high.strike!) : width).neg(),
    deliveries: [end(low, ONE), end(high, ratio)],
  };
  return [credit, debit];
}

function butterflies(calls: readonly Instrument[]): readonly SumShape[] {
  const boards = Map.groupBy(calls, ({ venue, base, settle, expiryMs }) => `${venue} ${base} ${settle} ${expiryMs}`);
  return [...boards.values()].flatMap((board) => {
    const sorted = board.toSorted((a, b) => a.strike!.cmp(b.strike!));
    return sorted.slice(2).map((high, at) => {
      const [low, middle] = [sorted[at]!, sorted[at + 1]!];
      const width = high.strike!.minus(low.strike!);
      const wings = [
        { ...leg(low, 'buy'), ratio: high.strike!.minus(middle.strike!).div(width) },
        { ...leg(high, 'buy'), ratio: middle.strike!.minus(low.strike!).div(width) },
      ] as const;
      return {
        ...bound([wings[0], leg(middle, 'sell'), wings[1]], isInCoin(low) ? ONE : middle.strike!),
        deliveries: [end(low, wings[0].ratio), end(middle, ONE), end(high, wings[1].ratio)],
      };
    });
  });
}

function inversions(calls: readonly Instrument[]): readonly SumShape[] {
  return pairs(calls).flatMap(([near, far]) =>
    isSameBoard(near, far) && near.strike!.eq(far.strike!) && near.expiryMs! < far.expiryMs!
      ? [
          {
            ...bound([leg(far, 'buy'), leg(near, 'sell')], isInCoin(near) ? ONE : near.strike!),
            closings: [end(far, ONE)],
            deliveries: [end(near, ONE)],
            endsMs: near.expiryMs,
          },
        ]
      : [],
  );
}

/** Two legs of one coin each that meet in price at the end: what expires first is settled, the other one is traded out. */
function converging(family: string, bought: ShapeLeg, sold: ShapeLeg): SumShape {
  const legs = [bought, sold];
  const expiries = legs.flatMap(({ instrument }) => instrument.expiryMs ?? []);
  const endsMs = expiries.length === 0 ? undefined : Math.min(...expiries);
  const settles = ({ instrument }: ShapeLeg): boolean => endsMs !== undefined && instrument.expiryMs === endsMs;
  return {
    kind: 'sum',
    family,
    start: bought.instrument.quote,
    legs,
    payoff: ZERO,
    closings: legs.filter((each) => !settles(each)).map(endOf),
    deliveries: legs.filter(settles).map(endOf),
    notional: { leg: 0 },
    endsMs,
  };
}

const bound = (legs: readonly ShapeLeg[], notional: Decimal): SumShape => ({
  kind: 'sum',
  family: 'surface',
  start: legs[0]!.instrument.quote,
  legs,
  payoff: ZERO,
  closings: [],
  deliveries: [],
  notional: { amount: notional },
  endsMs: legs[0]!.instrument.expiryMs,
});

type Strike = { readonly call: Instrument; readonly put: Instrument };

/** Calls with the put of the same terms. */
function strikesOf(instruments: readonly Instrument[]): readonly Strike[] {
  const options = instruments.filter(({ kind }) => kind === 'option');
  return options.flatMap((call) => {
    if (call.right !== 'call') return [];
    const put = options.find(({ symbol, venue }) => venue === call.venue && symbol === `${call.symbol.slice(0, -1)}P`);
    return put === undefined ? [] : [{ call, put }];
  });
}

function product(family: string, start: string, legs: readonly ShapeLeg[]): ProductShape {
  return { kind: 'product', family, start, legs };
}
const leg = (instrument: Instrument, side: 'buy' | 'sell'): ShapeLeg => ({
  instrument,
  side,
  ratio: ONE,
  unit: 'base',
});
const end = (instrument: Instrument, ratio: Decimal): ShapeEnd => ({ instrument, ratio, unit: 'base' });
const endOf = ({ instrument, ratio, unit }: ShapeLeg): ShapeEnd => ({ instrument, ratio, unit });
const isSpot = ({ kind }: Instrument): boolean => kind === 'spot';
const isInCoin = ({ base, quote }: Instrument): boolean => base === quote;
const isSamePair = (a: Instrument, b: Instrument): boolean => a.base === b.base && a.quote === b.quote;
const isSameBoard = (a: Instrument, b: Instrument): boolean =>
  a.venue === b.venue && isSamePair(a, b) && a.settle === b.settle;

function pairs<Item>(items: readonly Item[]): readonly (readonly [Item, Item])[] {
  return items.flatMap((first, at) =>
    items.flatMap((second, other) => (other === at ? [] : [[first, second] as const])),
  );
}
