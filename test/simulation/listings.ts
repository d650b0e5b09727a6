import { Decimal } from 'decimal.js';
import type { Asset, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Profile } from './profiles.ts';
import { PROFILES } from './profiles.ts';

/** In dollars, at the start of every episode. */
export const PRICES: Readonly<Record<string, number>> = {
  BTC: 50_000,
  ETH: 2_500,
  USDC: 1,
  USDT: 1,
  USD: 1,
  TOKEN: 20,
};
export const RATES: Readonly<Record<string, Decimal>> = Object.fromEntries(
  ['BTC', 'ETH', 'USDC', 'USDT', 'USD'].map((asset) => [asset, new Decimal(PRICES[asset]!)]),
);
/** Of every venue. Tight enough for reservations to matter. */
export const FUNDS: Readonly<Record<string, string>> = { USDT: '40000', USDC: '30000', BTC: '0.9', ETH: '14' };
/** In which some venues take their fee, when they please: no plan counts on it. */
export const FEE_TOKEN = 'TOKEN';

type Grid = {
  readonly tick: string;
  readonly lot: string;
  readonly minQty?: string;
  readonly minNotional?: string;
};
type Terms = Pick<Instrument, 'kind' | 'settle'> & { readonly size: string; readonly inverse: boolean };

const SPOT_TERMS: Terms = { kind: 'spot', settle: 'USDT' as Asset, size: '1', inverse: false };
const SPOT: readonly (readonly [symbol: string, grid: Grid])[] = [
  ['BTC/USDT', { tick: '0.01', lot: '0.0001', minNotional: '5' }],
  ['ETH/USDT', { tick: '0.01', lot: '0.001', minNotional: '5' }],
  ['BTC/USDC', { tick: '0.01', lot: '0.0001', minNotional: '5' }],
  ['ETH/USDC', { tick: '0.01', lot: '0.001', minNotional: '5' }],
  ['USDC/USDT', { tick: '0.0001', lot: '1', minNotional: '5' }],
  ['ETH/BTC', { tick: '0.00001', lot: '0.001', minNotional: '0.0001' }],
];

const instruments = new Map<InstrumentId, Instrument>();
const byVenue = new Map<string, readonly Instrument[]>();
for (const profile of PROFILES) {
  const listed = listedOf(profile);
  byVenue.set(profile.venue, listed);
  for (const instrument of listed) instruments.set(instrument.id, instrument);
}

export const instrumentOf = (id: InstrumentId): Instrument | undefined => instruments.get(id);
export const listingsOf = (venue: string): readonly Instrument[] => byVenue.get(venue) ?? [];

/** What a unit of quantity is worth in dollars at an episode's first prices. */
export function unitWorth({ kind, base, quote, contractSize, inverse }: Instrument): number {
  if (kind === 'spot') return PRICES[base]!;
  return contractSize.toNumber() * (inverse ? PRICES[quote]! : PRICES[base]!);
}

function listedOf(profile: Profile): readonly Instrument[] {
  const listed: Instrument[] = [];
  if (profile.kinds.includes('spot'))
    for (const [symbol, grid] of SPOT) listed.push(instrumentFrom(profile, symbol, grid, SPOT_TERMS));
  if (profile.kinds.includes('linear')) {
    for (const [base, lot, size] of [
      ['BTC', '1', '0.0001'],
      ['ETH', '1', '0.001'],
    ] as const) {
      const grid = { tick: '0.1', lot };
      const terms: Terms = { kind: 'perpetual', settle: 'USDT' as Asset, size, inverse: false };
      listed.push(instrumentFrom(profile, `${base}/USDT:USDT`, grid, terms));
      listed.push(instrumentFrom(profile, `${base}/USDT:USDT-271231`, grid, { ...terms, kind: 'future' }));
    }
  }
  if (profile.kinds.includes('inverse')) {
    const terms: Terms = { kind: 'perpetual', settle: 'BTC' as Asset, size: '10', inverse: true };
    listed.push(instrumentFrom(profile, 'BTC/USD:BTC', { tick: '0.5', lot: '1' }, terms));
    listed.push(instrumentFrom(profile, 'BTC/USD:BTC-271231', { tick: '0.5', lot: '1' }, { ...terms, kind: 'future' }));
  }
  return listed;
}

function instrumentFrom(
  profile: Profile,
  symbol: string,
  grid: Grid,
  { kind, settle, size, inverse }: Terms,
): Instrument {
  const [base, quote] = symbol.split(':')[0]!.split('/') as [Asset, Asset];
  const fee = new Decimal(profile.fee);
  const currency = kind === 'spot' ? profile.feeCurrency : 'settle';
  return {
    id: `${profile.venue}:${symbol}` as InstrumentId,
    venue: profile.venue as VenueId,
    market: kind === 'spot' ? 'spot' : inverse ? 'inverse' : 'linear',
    symbol,
    venueSymbol: symbol,
    kind,
    base,
    quote,
    settle: kind === 'spot' ? quote : settle,
    contractSize: new Decimal(size),
    inverse,
    tick: new Decimal(grid.tick),
    lot: new Decimal(grid.lot),
    minQty: new Decimal(grid.minQty ?? grid.lot),
    minNotional: new Decimal(grid.minNotional ?? 0),
    fees: { maker: fee, taker: fee, currency },
    status: 'trading',
    ...(kind === 'future' ? { expiryMs: 1_830_000_000_000 } : {}),
  };
}
