import { Decimal } from 'decimal.js';
import type { References, Tops } from '#shared/domain/capital.ts';
import type { Asset, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';

const DAY_MS = 86_400_000;
const EXPIRIES_DAYS = [7, 28, 91] as const;
const COINS = [
  ...['BTC', 'ETH', 'SOL', 'XRP', 'ADA', 'LTC', 'DOT', 'LINK', 'AVAX', 'UNI', 'ATOM', 'NEAR', 'APT', 'ARB', 'OP'],
  ...['INJ', 'SUI', 'TIA', 'SEI', 'FIL', 'AAVE', 'DOGE', 'TRX', 'TON', 'BCH', 'ETC', 'XLM', 'HBAR', 'ICP', 'VET'],
] as const;
const STRIKES = [0.7, 0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.3] as const;
const OPTIONS_A_CHAIN = 2 * STRIKES.length;
/** The usual number of symbols a venue; with others every kind keeps its share. */
const SYMBOLS = 200;

type Shape = Partial<Instrument> & Pick<Instrument, 'symbol' | 'kind' | 'base' | 'quote'>;

/** What each venue lists: spot, perpetuals, futures, linear and coin-settled options. Fees are everywhere the same. */
export const universe = (venues: readonly string[], symbols = SYMBOLS): readonly Instrument[] =>
  venues.flatMap((venue) => listings(symbols).map((shape) => instrumentOf(venue, shape)));

/** Of two hundred: 30 coins in two quotes and in coin, perpetuals of both kinds, futures of both kinds, options of both kinds. */
function listings(symbols: number): readonly Shape[] {
  const share = (of: number): number => Math.floor((of * symbols) / SYMBOLS);
  const coins = Array.from({ length: Math.max(1, share(30)) }, (_none, rank) => coinOf(rank));
  const dollar = 'USDT' as Asset;
  const spot = (base: string, quote: string): Shape => ({
    symbol: `${base}/${quote}`,
    kind: 'spot',
    base: base as Asset,
    quote: quote as Asset,
  });
  const perpetuals = coins.map((coin): Shape => ({
    ...spot(coin, dollar),
    symbol: `${coin}/USDT:USDT`,
    kind: 'perpetual',
  }));
  const dated = coins.flatMap((coin) =>
    EXPIRIES_DAYS.map((days): Shape => ({
      ...spot(coin, dollar),
      symbol: `${coin}/USDT:USDT-${days}`,
      kind: 'future',
      expiryMs: days * DAY_MS,
    })),
  );
  const inverse = coins.flatMap((coin) =>
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
  const plain = [
    ...coins.map((coin) => spot(coin, dollar)),
    ...coins.slice(1, 1 + share(20)).map((coin) => spot(coin, 'BTC')),
    ...coins.slice(0, share(18)).map((coin) => spot(coin, 'USDC')),
    spot('USDC', dollar),
    ...perpetuals,
    ...dated.slice(0, share(12)),
    ...inverse.slice(0, share(8)),
  ];
  return [...plain, ...options(symbols - plain.length - 1, coins), spot('BTC', 'USD')];
}

function options(count: number, coins: readonly string[]): readonly Shape[] {
  const chains: (readonly [base: string, quote: string, days: number])[] = [
    ...EXPIRIES_DAYS.slice(0, 2).map((days) => ['BTC', 'USDT', days] as const),
    ['BTC', 'BTC', EXPIRIES_DAYS[1]] as const,
    ['ETH', 'USDT', EXPIRIES_DAYS[1]] as const,
    ...coins.slice(2).map((coin) => [coin, 'USDT', EXPIRIES_DAYS[1]] as const),
  ];
  return chains
    .slice(0, Math.ceil(count / OPTIONS_A_CHAIN))
    .flatMap((chain) => chainOf(...chain))
    .slice(0, count);
}

function chainOf(base: string, quote: string, days: number): readonly Shape[] {
  return STRIKES.flatMap((moneyness) =>
    (['call', 'put'] as const).map((right): Shape => {
      const value = valueOf(base);
      const strike = value < 100 ? Number((value * moneyness).toPrecision(3)) : Math.round(value * moneyness);
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

/** Beyond the known ones they are invented. */
const coinOf = (rank: number): string => COINS[rank] ?? `C${rank}`;

/** In dollars. */
const VALUES: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 1_000 }, (_none, rank) => [coinOf(rank), rank < 2 ? [60_000, 3_000][rank]! : 200 / (rank + 1)]),
);
const valueOf = (asset: string): number => VALUES.get(asset) ?? 1;

/**
 * Near enough to what arbitrage leaves: options at intrinsic value and a share of the underlying by the root of time. `moved`: what a coin is worth now,
 * as a share of what it was in the beginning.
 */
export function fairOf(
  { kind, base, quote, strike, right, expiryMs }: Instrument,
  moved: (asset: string) => number = () => 1,
): number {
  const spot = valueOf(base) * moved(base);
  if (kind !== 'option') return spot / (valueOf(quote) * moved(quote));
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

export function topsOf(instruments: readonly Instrument[]): Tops {
  const column = (): Float64Array => new Float64Array(instruments.length);
  const tops = { bid: column(), bidQty: column(), ask: column(), askQty: column() };
  for (const index of instruments.keys()) setQuote(tops, instruments, index, 1);
  return tops;
}

export function referencesOf(instruments: readonly Instrument[]): References {
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
