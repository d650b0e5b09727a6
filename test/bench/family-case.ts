import { Decimal } from 'decimal.js';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { families } from '#hotpath/detect/routes/index.ts';
import type { References, Tops } from '#shared/domain/capital.ts';
import type { Asset, InstrumentId, InstrumentIndex, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, SumRoute } from '#shared/domain/route.ts';
import { carryOf, carrySettingsOf, notionalPerUnit, underlyingOf } from '#shared/quant/carry.ts';
import { cashPerUnit, legFeeOf } from '#shared/quant/leg-value.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Row } from './cases.ts';
import { row } from './cases.ts';
import { engine } from './decision.ts';
import type { Contender } from './measure.ts';
import { compare } from './measure.ts';
import { PlainRoutes } from './plain-routes.ts';
import { ResultHash } from './result-hash.ts';

const VENUES = 8;
const ROUTES_MAX = 100_000;
const MIN_EDGE = 0.0001;
const DAY_MS = 86_400_000;
const EXPIRIES_DAYS = [7, 28, 91] as const;
const COINS = [
  ...['BTC', 'ETH', 'SOL', 'XRP', 'ADA', 'LTC', 'DOT', 'LINK', 'AVAX', 'UNI', 'ATOM', 'NEAR', 'APT', 'ARB', 'OP'],
  ...['INJ', 'SUI', 'TIA', 'SEI', 'FIL', 'AAVE', 'DOGE', 'TRX', 'TON', 'BCH', 'ETC', 'XLM', 'HBAR', 'ICP', 'VET'],
] as const;
const STRIKES = [0.7, 0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.3] as const;
const FAIR: Readonly<Record<string, number>> = Object.fromEntries(
  COINS.map((coin, rank) => [coin, rank < 2 ? [60_000, 3_000][rank]! : 200 / (rank + 1)]),
);

type Shape = Partial<Instrument> & Pick<Instrument, 'symbol' | 'kind' | 'base' | 'quote'>;

/**
 * A changed best price → the routes of all families that pay: eight venues with 200 symbols each (spot, perpetuals, futures, linear and coin-settled options).
 * Carry is the same on both sides, reckoned before: it is not part of an update.
 */
export function familyCase(messages: number, rounds: number): Row {
  const instruments = universe();
  // Cycles last: of four legs across venues there are millions.
  const names = families.map(({ id }) => id).sort((a, b) => Number(a === 'cycle') - Number(b === 'cycle'));
  const settings = {
    ...engine,
    families: names as Config['engine']['families'],
    max_legs: 4,
    max_routes: ROUTES_MAX,
  };
  const { routes } = compileRoutes(instruments, settings, 0);
  const references = referencesOf(instruments);
  const random = randomFrom(11);
  const changed = Int32Array.from({ length: messages }, () => random.integer(instruments.length));
  const shifts = Float64Array.from({ length: messages }, () => 1 + random.normal() * 0.0004);
  const contender = (screenOn: (tops: Tops, hash: ResultHash) => (index: number) => void): Contender => ({
    prepare: () => {
      const hash = new ResultHash();
      const tops = topsOf(instruments);
      const screen = screenOn(tops, hash);
      const run = (): void => {
        for (let at = 0; at < messages; at += 1) {
          const index = changed[at]!;
          setQuote(tops, instruments, index, shifts[at]!);
          screen(index);
        }
      };
      return { run, hash: () => hash.hex };
    },
  });
  const fast = contender((tops, hash) => {
    const carry = { references, settings: carrySettingsOf(engine.carry), unixMs: () => 0 };
    const evaluator = new Evaluator(instruments, routes, { tops, minEdge: MIN_EDGE, carry });
    for (let call = 0; call < evaluator.sums / 16; call += 1) evaluator.refresh(0 as TimeNs);
    return (index) => {
      const count = evaluator.screen(index as InstrumentIndex);
      hash.integer(count);
      for (let at = 0; at < count; at += 1) hash.integer(evaluator.found[at]!);
    };
  });
  const plain = contender((tops, hash) => {
    const market = new PlainMarket(instruments, routes, { tops, references });
    return (index) => {
      const found = market.found(index);
      hash.integer(found.length);
      for (const route of found) hash.integer(route);
    };
  });
  const compared = compare(messages, rounds, fast, plain);
  return row(`detect, all families, ${VENUES} × ${instruments.length / VENUES} symbols`, compared);
}

/** Routes as objects, listed by instrument; each one that touches a changed instrument is evaluated. */
class PlainMarket {
  readonly #products: PlainRoutes;
  readonly #sums = new Map<number, { readonly index: number; readonly route: SumRoute; readonly carry: number }[]>();
  readonly #instruments: readonly Instrument[];
  readonly #world: { readonly tops: Tops; readonly references: References };

  constructor(
    instruments: readonly Instrument[],
    routes: readonly Route[],
    world: { readonly tops: Tops; readonly references: References },
  ) {
    this.#instruments = instruments;
    this.#world = world;
    this.#products = new PlainRoutes(instruments, routes, world.tops);
    const market = { instruments, ...world, nowMs: 0 };
    for (const [index, route] of routes.entries()) {
      if (route.evaluator !== 'sum') continue;
      const listed = { index, route, carry: carryOf(route, market, carrySettingsOf(engine.carry)).net };
      for (const { instrument } of route.legs) {
        const touching = this.#sums.get(instrument) ?? [];
        this.#sums.set(instrument, touching);
        touching.push(listed);
      }
    }
  }

  found(changed: number): readonly number[] {
    const paying = this.#products.paying(changed, MIN_EDGE);
    for (const { index, route, carry } of this.#sums.get(changed) ?? []) {
      const edge = this.#edge(route, carry);
      if (edge > MIN_EDGE - 2e-6) paying.push({ index, edge });
    }
    return paying
      .sort((a, b) => b.edge - a.edge || a.index - b.index)
      .slice(0, 256)
      .map(({ index }) => index);
  }

  #edge(route: SumRoute, carry: number): number {
    const { tops, references } = this.#world;
    let cash = 0;
    for (const leg of route.legs) {
      const listing = this.#instruments[leg.instrument]!;
      const price = (leg.side === 'buy' ? tops.ask : tops.bid)[leg.instrument]!;
      const underlying =
        listing.kind === 'option' ? underlyingOf(leg.instrument, { instruments: this.#instruments, references }) : 0;
      cash += leg.ratio * cashPerUnit(leg, legFeeOf(listing), price, underlying);
    }
    return (cash + carry) / notionalPerUnit(route, tops);
  }
}

function universe(): readonly Instrument[] {
  return Array.from({ length: VENUES }, (_none, venue) =>
    listings().map((shape) => instrumentOf(`v${venue}`, shape)),
  ).flat();
}

/** Two hundred: 30 coins in two quotes and in coin, perpetuals of both kinds, futures of both kinds, options of both kinds. */
function listings(): readonly Shape[] {
  const dollar = 'USDT' as Asset;
  const spot = (base: string, quote: string): Shape => ({
    symbol: `${base}/${quote}`,
    kind: 'spot',
    base: base as Asset,
    quote: quote as Asset,
  });
  const perpetuals = COINS.map((coin): Shape => ({
    ...spot(coin, dollar),
    symbol: `${coin}/USDT:USDT`,
    kind: 'perpetual',
  }));
  const dated = (['BTC', 'ETH', 'SOL', 'XRP'] as const).flatMap((coin) =>
    EXPIRIES_DAYS.map((days): Shape => ({
      ...spot(coin, dollar),
      symbol: `${coin}/USDT:USDT-${days}`,
      kind: 'future',
      expiryMs: days * DAY_MS,
    })),
  );
  const inverse = (['BTC', 'ETH'] as const).flatMap((coin) =>
    [undefined, ...EXPIRIES_DAYS].map((days): Shape => ({
      ...spot(coin, 'USD'),
      symbol: `${coin}/USD:${coin}-${days ?? ''}`,
      kind: days === undefined ? 'perpetual' : 'future',
      settle: coin as Asset,
      inverse: true,
      contractSize: new Decimal(100),
      ...(days === undefined ? {} : { expiryMs: days * DAY_MS }),
    })),
  );
  const options = [
    ...EXPIRIES_DAYS.slice(0, 2).flatMap((days) => chain('BTC', 'USDT', days)),
    ...chain('BTC', 'BTC', EXPIRIES_DAYS[1]),
    ...chain('ETH', 'USDT', EXPIRIES_DAYS[1]),
  ];
  return [
    ...COINS.map((coin) => spot(coin, dollar)),
    ...COINS.slice(1, 21).map((coin) => spot(coin, 'BTC')),
    ...COINS.slice(0, 18).map((coin) => spot(coin, 'USDC')),
    spot('USDC', dollar),
    ...perpetuals,
    ...dated,
    ...inverse,
    ...options,
    spot('BTC', 'USD'),
  ];
}

function chain(base: string, quote: string, days: number): readonly Shape[] {
  return STRIKES.flatMap((moneyness) =>
    (['call', 'put'] as const).map((right): Shape => {
      const strike = Math.round(FAIR[base]! * moneyness);
      return {
        symbol: `${base}/${quote}-${days}-${strike}-${right}`,
        kind: 'option',
        base: base as Asset,
        quote: quote as Asset,
        strike: new Decimal(strike),
        right,
        expiryMs: days * DAY_MS,
      };
    }),
  );
}

function instrumentOf(venue: string, shape: Shape): Instrument {
  const fee = (value: string): Decimal => new Decimal(value);
  const fees: Instrument['fees'] =
    shape.kind === 'option'
      ? {
          maker: fee('0.0003'),
          taker: fee('0.0003'),
          currency: 'settle',
          premiumShareMax: fee('0.125'),
          delivery: fee('0.00015'),
        }
      : {
          maker: fee('0.0002'),
          taker: fee(shape.kind === 'spot' ? '0.0007' : '0.0004'),
          currency: shape.kind === 'spot' ? 'received' : 'settle',
        };
  return {
    id: `${venue}:${shape.symbol}` as InstrumentId,
    venue: venue as VenueId,
    market: shape.kind,
    venueSymbol: shape.symbol,
    settle: shape.quote,
    contractSize: new Decimal(1),
    inverse: false,
    tick: fee('0.00000001'),
    lot: fee('0.00000001'),
    minQty: fee('0'),
    minNotional: fee('0'),
    fees,
    status: 'trading',
    ...shape,
  };
}

const valueOf = (asset: string): number => FAIR[asset] ?? 1;

/** Near enough to what arbitrage leaves: options at intrinsic value and a share of the underlying by the root of time. */
function fairOf({ kind, base, quote, strike, right, expiryMs }: Instrument): number {
  const spot = valueOf(base);
  if (kind !== 'option') return spot / valueOf(quote);
  const above = right === 'call' ? spot - strike!.toNumber() : strike!.toNumber() - spot;
  const distance = Math.abs(Math.log(strike!.toNumber() / spot));
  const premium = Math.max(0, above) + 0.4 * spot * 0.6 * Math.sqrt(expiryMs! / DAY_MS / 365) * Math.exp(-6 * distance);
  return quote === base ? premium / spot : premium;
}

/** Half spreads: a basis point, a percent for options. */
function setQuote(tops: Tops, instruments: readonly Instrument[], index: number, shift: number): void {
  const instrument = instruments[index]!;
  const half = instrument.kind === 'option' ? 0.01 : 0.0001;
  const price = fairOf(instrument) * shift;
  tops.bid[index] = price * (1 - half);
  tops.ask[index] = price * (1 + half);
}

function topsOf(instruments: readonly Instrument[]): Tops {
  const column = (): Float64Array => new Float64Array(instruments.length);
  const tops = { bid: column(), bidQty: column(), ask: column(), askQty: column(), receivedTimeNs: column() };
  for (const index of instruments.keys()) setQuote(tops, instruments, index, 1);
  return tops;
}

function referencesOf(instruments: readonly Instrument[]): References {
  const column = (value: number): Float64Array => new Float64Array(instruments.length).fill(value);
  return {
    markPrice: column(NaN),
    indexPrice: Float64Array.from(instruments, ({ base }) => valueOf(base)),
    underlyingPrice: column(NaN),
    fundingRate: column(0.0001),
    nextFundingTimeMs: column(3_600_000),
    fundingIntervalMs: column(28_800_000),
    markVolatility: column(NaN),
  };
}
