import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import type { Asset, InstrumentId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { CompileOptions } from '#shared/domain/route.ts';
import { spot } from './market.ts';

/** What families are given unless a test says otherwise: everything may start, nothing stands for anything else. */
export const compileOptions: CompileOptions = {
  maxLegs: 4,
  crossVenue: true,
  maxRoutes: 1_000_000,
  startAssets: ['USDT', 'USDC', 'USD', 'BTC', 'ETH'] as Asset[],
  stableAssets: [],
  equalAssets: new Map(),
  nowMs: Date.UTC(2026, 10, 20),
  minTenorMs: 1_800_000,
};

/** USD stands for USDT. */
export const dollarsAreEqual: CompileOptions = {
  ...compileOptions,
  equalAssets: new Map([['USD' as Asset, 'USDT' as Asset]]),
};

/** `261225` → 2026-12-25 08:00 UTC, when venues settle. */
export const expiryMsOf = (day: string): number =>
  Date.UTC(2000 + Number(day.slice(0, 2)), Number(day.slice(2, 4)) - 1, Number(day.slice(4, 6)), 8);

/**
 * Anything that trades, from its id: `a:BTC/USDT` is spot, `a:BTC/USDT:USDT` a perpetual, `a:BTC/USD:BTC-261225` a future, `a:BTC/USD:BTC-261225-60000-C` an option
 * (priced in its base where it settles in it). Fine grids, no fees, contracts of one unit.
 */
export function listing(id: string, other: Partial<Instrument> = {}): Instrument {
  const [, symbol = ''] = /^[^:]+:(.+)$/.exec(id)!;
  const [pair = '', rest] = symbol.split(':');
  const [venue] = id.split(':');
  const coin = spot(`${venue!}:${pair}`);
  if (rest === undefined) return { ...coin, ...other };
  const [settle = '', day, strike, letter] = rest.split('-');
  const inCoin = settle === coin.base;
  const isOption = letter !== undefined;
  return {
    ...coin,
    id: id as InstrumentId,
    market: isOption ? 'options' : 'swap',
    symbol,
    venueSymbol: symbol,
    kind: isOption ? 'option' : day === undefined ? 'perpetual' : 'future',
    quote: isOption && inCoin ? coin.base : coin.quote,
    settle: settle as Asset,
    inverse: inCoin && !isOption,
    fees: { ...coin.fees, currency: 'settle' },
    ...(day === undefined ? {} : { expiryMs: expiryMsOf(day) }),
    ...(isOption ? { strike: new Decimal(strike!), right: letter === 'C' ? 'call' : 'put' } : {}),
    ...other,
  };
}

/** Call and put at every strike of one expiry: `boardOf('a:BTC/USD:BTC-261225', [60000, 70000])`. */
export const boardOf = (series: string, strikes: readonly number[], other: Partial<Instrument> = {}): Instrument[] =>
  strikes.flatMap((strike) => ['C', 'P'].map((letter) => listing(`${series}-${strike}-${letter}`, other)));

const DAYS = ['261127', '261225', '270326'] as const;
const COINS = ['BTC/USD', 'BTC/USDT', 'BTC/USDC', 'BTC/USD:BTC', 'BTC/USDT:USDT', 'BTC/USDC:USDC'];

const seriesListings = fc
  .record({
    venue: fc.constantFrom('a', 'b'),
    settle: fc.constantFrom('BTC/USD:BTC', 'BTC/USDT:USDT', 'BTC/USDC:USDC'),
    days: fc.subarray([...DAYS], { minLength: 1 }),
    strikes: fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { minLength: 2, maxLength: 4 }),
    contractSize: fc.constantFrom('1', '0.01', '10'),
  })
  .map(({ venue, settle, days, strikes, contractSize }) =>
    days.flatMap((day) =>
      boardOf(
        `${venue}:${settle}-${day}`,
        strikes.map((strike) => strike * 500),
        { contractSize: new Decimal(contractSize) },
      ),
    ),
  );

const coinListings = fc
  .record({
    venue: fc.constantFrom('a', 'b', 'c'),
    symbol: fc.constantFrom(
      ...COINS,
      ...COINS.filter((symbol) => symbol.includes(':')).flatMap((symbol) => DAYS.map((day) => `${symbol}-${day}`)),
    ),
    contractSize: fc.constantFrom('1', '0.001', '100'),
  })
  .map(({ venue, symbol, contractSize }) =>
    listing(`${venue}:${symbol}`, symbol.includes(':') ? { contractSize: new Decimal(contractSize) } : {}),
  );

/** Some of everything that is listed for one coin on up to three venues: option boards with holes, futures, perpetuals, spot; linear and settled in coin. */
export const optionMarkets: fc.Arbitrary<readonly Instrument[]> = fc
  .tuple(
    fc.array(seriesListings, { minLength: 1, maxLength: 3 }),
    fc.array(coinListings, { minLength: 2, maxLength: 10 }),
    fc.array(fc.nat(), { maxLength: 3 }),
  )
  .map(([series, coins, holes]) => {
    const all = [...series.flat(), ...coins].filter((_each, at) => !holes.includes(at));
    return [...new Map(all.map((each) => [each.id, each])).values()];
  });
