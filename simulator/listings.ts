import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import { scaled } from './grid-text.ts';

export type VenueName = 'binance' | 'okx' | 'kraken';
export type MarketName = 'spot' | 'usdm' | 'coinm' | 'swap';

/** One tradable thing of one simulated venue. Ticks and lots are powers of ten: prices and quantities are integers of them. */
export type Listing = {
  /** Position among the venue's listings. */
  readonly index: number;
  readonly venue: VenueName;
  readonly market: MarketName;
  /** ccxt's unified form. */
  readonly symbol: string;
  /** The venue's spelling in REST and in its metadata. */
  readonly venueSymbol: string;
  readonly base: string;
  readonly quote: string;
  readonly settle: string;
  readonly perpetual: boolean;
  readonly inverse: boolean;
  /** Base units a contract (linear), quote units a contract (inverse), 1 for spot. */
  readonly contractSize: Decimal;
  readonly priceDecimals: number;
  readonly lotDecimals: number;
  /** In lots. */
  readonly minLots: number;
  /** In quote units; 0 where the venue has no such rule. */
  readonly minNotional: Decimal;
  readonly maker: Decimal;
  readonly taker: Decimal;
};

/** As a venue describes it: the exchange numbers them. */
export type ListingSpec = Omit<Listing, 'index'>;

/** Traded on every venue: [symbol, price decimals by venue, lot decimals by venue], venues in the order of VENUES. */
const SPOT: readonly SpotRow[] = [
  ['BTC/USDT', [2, 1, 1], [5, 8, 8]],
  ['ETH/USDT', [2, 2, 2], [4, 6, 8]],
  ['SOL/USDT', [2, 2, 2], [3, 6, 8]],
  ['XRP/USDT', [4, 4, 5], [1, 6, 8]],
  ['ADA/USDT', [4, 4, 5], [1, 4, 8]],
  ['LTC/USDT', [2, 2, 2], [3, 6, 8]],
  ['ETH/BTC', [5, 5, 5], [4, 6, 8]],
  ['SOL/BTC', [7, 7, 7], [3, 6, 8]],
  ['XRP/BTC', [8, 8, 8], [0, 4, 8]],
  ['LTC/BTC', [7, 7, 7], [3, 6, 8]],
  ['SOL/ETH', [6, 6, 6], [3, 6, 8]],
  ['USDC/USDT', [5, 4, 4], [0, 6, 8]],
  ['BTC/USDC', [2, 1, 1], [5, 8, 8]],
  ['ETH/USDC', [2, 2, 2], [4, 6, 8]],
];

const KRAKEN_ONLY: readonly SpotRow[] = [
  ['BTC/USD', [0, 0, 1], [0, 0, 8]],
  ['ETH/USD', [0, 0, 2], [0, 0, 8]],
];

const PERPETUALS: readonly PerpetualRow[] = [
  [
    'binance',
    'usdm',
    'BTC/USDT:USDT',
    'BTCUSDT',
    { contractSize: '1', price: 1, lot: 3, minLots: 1, minNotional: '50' },
  ],
  [
    'binance',
    'coinm',
    'BTC/USD:BTC',
    'BTCUSD_PERP',
    { contractSize: '100', price: 1, lot: 0, minLots: 1, minNotional: '0' },
  ],
  [
    'okx',
    'swap',
    'BTC/USDT:USDT',
    'BTC-USDT-SWAP',
    { contractSize: '0.01', price: 1, lot: 2, minLots: 1, minNotional: '0' },
  ],
];

/** Lowest quantity in base units, and lowest value in quote units, as the venues publish them. */
const MIN_QTY: Readonly<Record<VenueName, Readonly<Record<string, string>>>> = {
  binance: {},
  okx: { BTC: '0.00001', ETH: '0.0001', SOL: '0.001', XRP: '1', ADA: '1', LTC: '0.01', USDC: '1' },
  kraken: { BTC: '0.00005', ETH: '0.001', SOL: '0.02', XRP: '1.65', ADA: '4.4', LTC: '0.04', USDC: '5' },
};
const MIN_NOTIONAL: Readonly<Record<VenueName, Readonly<Record<string, string>>>> = {
  binance: { USDT: '5', USDC: '5', BTC: '0.0001', ETH: '0.001' },
  okx: {},
  kraken: { USD: '0.5', USDT: '0.5', USDC: '0.5', BTC: '0.00002', ETH: '0.0002' },
};

/** Kraken's are the desk's tier of config/default.toml, not its lowest one, at which nothing pays. */
const FEES: Readonly<Record<VenueName, { readonly spot: FeePair; readonly perpetual: FeePair }>> = {
  binance: { spot: ['0.001', '0.001'], perpetual: ['0.0002', '0.0005'] },
  okx: { spot: ['0.0008', '0.001'], perpetual: ['0.0002', '0.0005'] },
  kraken: { spot: ['0.001', '0.0016'], perpetual: ['0.0002', '0.0005'] },
};

export const VENUES: readonly VenueName[] = ['binance', 'okx', 'kraken'];

/** What a venue lists, restricted to `symbols` where given. */
export function listingsOf(venue: VenueName, symbols?: readonly string[]): readonly Listing[] {
  const rows = venue === 'kraken' ? [...SPOT, ...KRAKEN_ONLY] : SPOT;
  const all = [
    ...rows.map((row) => spotListing(venue, row)),
    ...PERPETUALS.filter(([on]) => on === venue).map(perpetualListing),
  ];
  return all
    .filter(({ symbol }) => symbols === undefined || symbols.includes(symbol))
    .map((listing, index) => ({ ...listing, index }));
}

export const tickOf = (listing: Listing): Decimal => scaled(1, listing.priceDecimals);
export const lotOf = (listing: Listing): Decimal => scaled(1, listing.lotDecimals);
export const priceOf = (listing: Listing, ticks: number): Decimal => scaled(ticks, listing.priceDecimals);
export const qtyOf = (listing: Listing, lots: number): Decimal => scaled(lots, listing.lotDecimals);

/** What `lots` at `ticks` are worth: quote units; base units for an inverse contract, to 8 decimals. */
export function valueOf(listing: Listing, ticks: number, lots: number): Decimal {
  const size = qtyOf(listing, lots).times(listing.contractSize);
  const price = priceOf(listing, ticks);
  return listing.inverse ? size.div(price).toDecimalPlaces(8) : size.times(price);
}

type FeePair = readonly [maker: string, taker: string];
type SpotRow = readonly [symbol: string, priceDecimals: readonly number[], lotDecimals: readonly number[]];
type PerpetualRow = readonly [
  venue: VenueName,
  market: MarketName,
  symbol: string,
  venueSymbol: string,
  rules: {
    readonly contractSize: string;
    readonly price: number;
    readonly lot: number;
    readonly minLots: number;
    readonly minNotional: string;
  },
];

function spotListing(venue: VenueName, [symbol, priceDecimals, lotDecimals]: SpotRow): Omit<Listing, 'index'> {
  const [base, quote] = symbol.split('/');
  assert(base !== undefined && quote !== undefined, 'a symbol has a base and a quote');
  const at = VENUES.indexOf(venue);
  const lot = lotDecimals[at]!;
  const [maker, taker] = FEES[venue].spot;
  const minQty = MIN_QTY[venue][base] ?? scaled(1, lot).toFixed();
  return {
    venue,
    market: 'spot',
    symbol,
    venueSymbol: spotSymbol(venue, base, quote),
    base,
    quote,
    settle: quote,
    perpetual: false,
    inverse: false,
    contractSize: new Decimal(1),
    priceDecimals: priceDecimals[at]!,
    lotDecimals: lot,
    minLots: new Decimal(minQty).div(scaled(1, lot)).toNumber(),
    minNotional: new Decimal(MIN_NOTIONAL[venue][quote] ?? 0),
    maker: new Decimal(maker),
    taker: new Decimal(taker),
  };
}

function perpetualListing([venue, market, symbol, venueSymbol, rules]: PerpetualRow): Omit<Listing, 'index'> {
  const [pair, settle] = symbol.split(':');
  const [base, quote] = (pair ?? '').split('/');
  assert(base !== undefined && quote !== undefined && settle !== undefined, 'a perpetual names base, quote and settle');
  const [maker, taker] = FEES[venue].perpetual;
  return {
    venue,
    market,
    symbol,
    venueSymbol,
    base,
    quote,
    settle,
    perpetual: true,
    inverse: settle === base,
    contractSize: new Decimal(rules.contractSize),
    priceDecimals: rules.price,
    lotDecimals: rules.lot,
    minLots: rules.minLots,
    minNotional: new Decimal(rules.minNotional),
    maker: new Decimal(maker),
    taker: new Decimal(taker),
  };
}

/** Kraken's REST spells old assets with X and Z (XXBTZUSD); against USDT and USDC it does not (XBTUSDT). */
function spotSymbol(venue: VenueName, base: string, quote: string): string {
  switch (venue) {
    case 'binance':
      return `${base}${quote}`;
    case 'okx':
      return `${base}-${quote}`;
    case 'kraken': {
      const names: readonly [string, string] = [krakenAsset(base), krakenAsset(quote)];
      const old = names.every((name) => /^[XZ].{3}$/.test(name));
      return old ? names.join('') : names.map(krakenAltName).join('');
    }
  }
}

/** Kraken's own asset codes: `XXBT`, `ZUSD`; newer assets are spelled as everywhere. */
export const krakenAsset = (asset: string): string => KRAKEN_ASSETS[asset] ?? asset;
/** `XXBT` → `XBT`. */
export const krakenAltName = (name: string): string => (/^[XZ].{3}$/.test(name) ? name.slice(1) : name);

const KRAKEN_ASSETS: Readonly<Record<string, string>> = {
  BTC: 'XXBT',
  ETH: 'XETH',
  XRP: 'XXRP',
  LTC: 'XLTC',
  USD: 'ZUSD',
};
