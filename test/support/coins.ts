import { Decimal } from 'decimal.js';
import type { Asset, InstrumentId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { CompileOptions } from '#shared/domain/route.ts';
import { spot } from './market.ts';

/**
 * An instrument from its id: `a:BTC/USDT` is spot, `a:BTC/USDT:USDT` a linear perpetual, `a:BTC/USD:BTC-261225` an inverse future. A contract is one coin, or 100 of
 * the quote where inverse.
 */
export function coin(id: string, changes: Partial<Instrument> = {}): Instrument {
  const [, base, quote, settle, day] = /^\w+:(\w+)\/(\w+)(?::(\w+))?(?:-(\d{6}))?$/.exec(id)!;
  const plain = { ...spot(`${id.split(':')[0]!}:${base!}/${quote!}`), id: id as InstrumentId };
  if (settle === undefined) return { ...plain, ...changes };
  const inverse = settle === base;
  return {
    ...plain,
    market: 'futures',
    symbol: id.slice(id.indexOf(':') + 1),
    venueSymbol: id,
    kind: day === undefined ? 'perpetual' : 'future',
    settle: settle as Asset,
    inverse,
    contractSize: new Decimal(inverse ? 100 : 1),
    fees: { ...plain.fees, currency: 'settle' },
    ...(day === undefined ? {} : { expiryMs: expiryOf(day) }),
    ...changes,
  };
}

/** `261225` at eight in the morning, as venues settle. */
export const expiryOf = (day: string): number =>
  Date.UTC(2000 + Number(day.slice(0, 2)), Number(day.slice(2, 4)) - 1, Number(day.slice(4, 6)), 8);

export const compileOptions: CompileOptions = {
  maxLegs: 4,
  crossVenue: true,
  maxRoutes: 100_000,
  startAssets: ['USDT', 'USDC', 'BTC'] as Asset[],
  stableAssets: [],
  equalAssets: new Map(),
  nowMs: Date.UTC(2026, 10, 21),
  minTenorMs: 1_800_000,
};

/** USD stands for USDT. */
export const dollarsAreEqual: CompileOptions = { ...compileOptions, equalAssets: new Map([['USD', 'USDT']]) as never };
