import { fixedText, scaled } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import { lotOf, tickOf } from '../listings.ts';

/** How Binance writes a listing's numbers: eight decimals on spot, the instrument's own on futures. */
export const priceText = (listing: Listing, ticks: number): string => padded(ticks, listing.priceDecimals, listing);
export const qtyText = (listing: Listing, lots: number): string => padded(lots, listing.lotDecimals, listing);

function padded(value: number, decimals: number, { market }: Listing): string {
  const text = fixedText(value, decimals);
  if (market !== 'spot') return text;
  return decimals === 0 ? `${text}.00000000` : text.padEnd(text.length + 8 - decimals, '0');
}

/** `/api/v3/exchangeInfo`, `/fapi/v1/exchangeInfo`, `/dapi/v1/exchangeInfo`. */
export const exchangeInfo = (market: string, listings: readonly Listing[], nowMs: number): unknown => ({
  timezone: 'UTC',
  serverTime: nowMs,
  rateLimits: [
    { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: market === 'spot' ? 6_000 : 2_400 },
    { rateLimitType: 'ORDERS', interval: 'SECOND', intervalNum: 10, limit: market === 'spot' ? 100 : 300 },
  ],
  exchangeFilters: [],
  symbols: listings.map(market === 'spot' ? spotSymbol : futuresSymbol),
});

const spotSymbol = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  status: 'TRADING',
  baseAsset: listing.base,
  baseAssetPrecision: 8,
  quoteAsset: listing.quote,
  quotePrecision: 8,
  quoteAssetPrecision: 8,
  baseCommissionPrecision: 8,
  quoteCommissionPrecision: 8,
  orderTypes: ['LIMIT', 'LIMIT_MAKER', 'MARKET'],
  icebergAllowed: false,
  ocoAllowed: false,
  quoteOrderQtyMarketAllowed: true,
  allowTrailingStop: false,
  cancelReplaceAllowed: false,
  isSpotTradingAllowed: true,
  isMarginTradingAllowed: false,
  filters: [
    ...sizeFilters(listing),
    {
      filterType: 'NOTIONAL',
      minNotional: listing.minNotional.toFixed(8),
      applyMinToMarket: true,
      maxNotional: '9000000.00000000',
      applyMaxToMarket: false,
      avgPriceMins: 5,
    },
  ],
  permissions: [],
  permissionSets: [['SPOT']],
  defaultSelfTradePreventionMode: 'NONE',
  allowedSelfTradePreventionModes: ['NONE'],
});

const futuresSymbol = (listing: Listing): unknown => ({
  symbol: listing.venueSymbol,
  pair: `${listing.base}${listing.quote}`,
  contractType: 'PERPETUAL',
  // The year 2100: how Binance says "never".
  deliveryDate: 4_133_404_800_000,
  onboardDate: 1_569_398_400_000,
  ...(listing.inverse
    ? { contractStatus: 'TRADING', contractSize: listing.contractSize.toNumber() }
    : { status: 'TRADING' }),
  baseAsset: listing.base,
  quoteAsset: listing.quote,
  marginAsset: listing.settle,
  pricePrecision: listing.priceDecimals,
  quantityPrecision: listing.lotDecimals,
  baseAssetPrecision: 8,
  quotePrecision: 8,
  underlyingType: 'COIN',
  filters: [
    ...sizeFilters(listing),
    ...(listing.minNotional.isZero() ? [] : [{ filterType: 'MIN_NOTIONAL', notional: listing.minNotional.toFixed() }]),
  ],
  orderTypes: ['LIMIT', 'MARKET'],
  timeInForce: ['GTC', 'IOC', 'FOK', 'GTX'],
});

function sizeFilters(listing: Listing): readonly unknown[] {
  const write = (value: { toFixed: (decimals: number) => string }, decimals: number): string =>
    value.toFixed(listing.market === 'spot' ? 8 : decimals);
  const lots = {
    minQty: write(scaled(listing.minLots, listing.lotDecimals), listing.lotDecimals),
    maxQty: listing.market === 'spot' ? '9000000.00000000' : '1000000',
    stepSize: write(lotOf(listing), listing.lotDecimals),
  };
  const tick = write(tickOf(listing), listing.priceDecimals);
  return [
    { filterType: 'PRICE_FILTER', minPrice: tick, maxPrice: '1000000.00000000', tickSize: tick },
    { filterType: 'LOT_SIZE', ...lots },
    { filterType: 'MARKET_LOT_SIZE', ...lots },
  ];
}
