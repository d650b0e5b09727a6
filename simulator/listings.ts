import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { InstrumentKind } from '#shared/domain/instrument.ts';
import { scaled } from './grid-text.ts';

/** One tradable thing of one simulated venue. Ticks and lots are powers of ten: prices and quantities are integers of them. */
export type Listing = {
  /** Position among the venue's listings. */
  readonly index: number;
  readonly venue: string;
  readonly market: string;
  /** ccxt's unified form. */
  readonly symbol: string;
  /** The venue's spelling in REST and in its metadata. */
  readonly venueSymbol: string;
  readonly kind: InstrumentKind;
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
  /** Of a spot trade; derivatives pay in their settlement asset. */
  readonly feeIn: 'received' | 'quote';
  /** What becomes of a post-only order that would take: refused, or taken and ended at once. */
  readonly postOnly: 'refused' | 'ended';
  /** Which of the venue's wallets pays and is paid. */
  readonly wallet: string;
  readonly expiryMs?: number;
  readonly strike?: Decimal;
  readonly right?: 'call' | 'put';
  /** Of a perpetual: what its rate is for, and between two fundings, which come at whole multiples of it since midnight UTC. */
  readonly fundingEveryMs: number;
  /** Funding is paid all the time: a minute's share of the rate each minute. */
  readonly fundingFlows: boolean;
  /** Of a combo only. */
  readonly combo?: Combo;
  /** Fraction of the underlying taken at expiry. */
  readonly deliveryFee: Decimal;
  /** No fee on an option, at trade or at expiry, is more than this fraction of its price or payoff. */
  readonly feeCap: Decimal;
  /** The settlement price is the index averaged over this long before expiry. */
  readonly settlesOverMs: number;
};

/** A structure of two legs that trades as one: its price is the first leg's less the second's, and may lie below zero. */
export type Combo = {
  readonly of: 'future' | 'option';
  /** By venue symbol: what one unit buys, and what it sells. */
  readonly legs: readonly [bought: string, sold: string];
};

/** As a venue describes it: the exchange numbers them. */
export type ListingSpec = Omit<Listing, 'index'>;

/** What is particular of a venue's spot market; everything else is as everywhere. */
export type SpotRules = {
  readonly venue: string;
  readonly market?: string;
  readonly wallet?: string;
  /** Maker and taker. */
  readonly fees: readonly [maker: string, taker: string];
  readonly feeIn?: Listing['feeIn'];
  readonly postOnly?: Listing['postOnly'];
  readonly spell: (base: string, quote: string) => string;
  /** Symbols beyond those that every venue lists. */
  readonly also?: readonly string[];
  /** By symbol, where they are not the usual ones. */
  readonly priceDecimals?: Readonly<Record<string, number>>;
  /** By symbol, or one for all. */
  readonly lotDecimals?: Readonly<Record<string, number>> | number;
  /** In base units, by base asset; a lot where absent. */
  readonly minQty?: Readonly<Record<string, string>>;
  /** In quote units, by quote asset; none where absent. */
  readonly minNotional?: Readonly<Record<string, string>>;
};

/** Traded on every venue: [symbol, price decimals, lot decimals]. */
const SPOT: readonly (readonly [symbol: string, price: number, lot: number])[] = [
  ['BTC/USDT', 1, 8],
  ['ETH/USDT', 2, 6],
  ['SOL/USDT', 2, 6],
  ['XRP/USDT', 4, 6],
  ['ADA/USDT', 4, 4],
  ['LTC/USDT', 2, 6],
  ['ETH/BTC', 5, 6],
  ['SOL/BTC', 7, 6],
  ['XRP/BTC', 8, 4],
  ['LTC/BTC', 7, 6],
  ['SOL/ETH', 6, 6],
  ['USDC/USDT', 4, 6],
  ['BTC/USDC', 1, 8],
  ['ETH/USDC', 2, 6],
];
const FURTHER: Readonly<Record<string, readonly [price: number, lot: number]>> = {
  'BTC/USD': [1, 8],
  'ETH/USD': [2, 8],
};

/** The spot market that every venue has, in this one's spelling and on its grid. */
export function spotListings(rules: SpotRules): readonly ListingSpec[] {
  const further = (rules.also ?? []).map((symbol) => [symbol, ...(FURTHER[symbol] ?? [2, 6])] as const);
  return [...SPOT, ...further].map((row) => spotListing(rules, row));
}

function spotListing(rules: SpotRules, [symbol, price, lot]: readonly [string, number, number]): ListingSpec {
  const [base, quote] = symbol.split('/');
  assert(base !== undefined && quote !== undefined, 'a symbol has a base and a quote');
  const { lotDecimals: lots } = rules;
  const lotDecimals = typeof lots === 'number' ? lots : (lots?.[symbol] ?? lot);
  const minQty = rules.minQty?.[base] ?? scaled(1, lotDecimals).toFixed();
  return {
    venue: rules.venue,
    market: rules.market ?? 'spot',
    symbol,
    venueSymbol: rules.spell(base, quote),
    kind: 'spot',
    base,
    quote,
    settle: quote,
    perpetual: false,
    inverse: false,
    contractSize: new Decimal(1),
    priceDecimals: rules.priceDecimals?.[symbol] ?? price,
    lotDecimals,
    minLots: new Decimal(minQty).div(scaled(1, lotDecimals)).ceil().toNumber(),
    minNotional: new Decimal(rules.minNotional?.[quote] ?? 0),
    maker: new Decimal(rules.fees[0]),
    taker: new Decimal(rules.fees[1]),
    feeIn: rules.feeIn ?? 'received',
    postOnly: rules.postOnly ?? 'refused',
    wallet: rules.wallet ?? 'spot',
    ...USUAL,
  };
}

const USUAL = {
  fundingEveryMs: 28_800_000,
  fundingFlows: false,
  deliveryFee: new Decimal(0),
  feeCap: new Decimal('0.125'),
  settlesOverMs: 1_800_000,
};

export type DerivativeRules = {
  readonly venue: string;
  readonly market: string;
  /** `BTC/USDT:USDT`, `BTC/USD:BTC-261225`, `BTC/USD:BTC-261225-60000-C`: kind, expiry (08:00 UTC), strike and right stand in it. */
  readonly symbol: string;
  readonly venueSymbol: string;
  /** Base units a contract (linear, options), quote units a contract (inverse). */
  readonly contractSize: string;
  readonly priceDecimals: number;
  readonly lotDecimals: number;
  /** In lots. */
  readonly minLots?: number;
  readonly minNotional?: string;
  readonly fees: readonly [maker: string, taker: string];
  readonly postOnly?: Listing['postOnly'];
  readonly wallet?: string;
  /** Eight hours where absent. */
  readonly fundingEveryMs?: number;
  readonly fundingFlows?: boolean;
  /** None where absent. */
  readonly deliveryFee?: string;
  /** An eighth where absent. */
  readonly feeCap?: string;
  /** Half an hour where absent. */
  readonly settlesOverMs?: number;
};

/** A perpetual, dated future or option, as its unified symbol says. An option settled in its base is priced in it. */
export function derivativeListing(rules: DerivativeRules): ListingSpec {
  const [pair = '', rest = ''] = rules.symbol.split(':');
  const [base = '', quote = ''] = pair.split('/');
  const [settle = '', day, strike, right] = rest.split('-');
  assert(base !== '' && quote !== '' && settle !== '', 'a derivative names base, quote and settle');
  const kind = right !== undefined ? 'option' : day !== undefined ? 'future' : 'perpetual';
  const inCoin = settle === base;
  return {
    venue: rules.venue,
    market: rules.market,
    symbol: rules.symbol,
    venueSymbol: rules.venueSymbol,
    kind,
    base,
    quote: kind === 'option' && inCoin ? base : quote,
    settle,
    perpetual: kind === 'perpetual',
    inverse: inCoin && kind !== 'option',
    contractSize: new Decimal(rules.contractSize),
    priceDecimals: rules.priceDecimals,
    lotDecimals: rules.lotDecimals,
    minLots: rules.minLots ?? 1,
    minNotional: new Decimal(rules.minNotional ?? 0),
    maker: new Decimal(rules.fees[0]),
    taker: new Decimal(rules.fees[1]),
    feeIn: 'quote',
    postOnly: rules.postOnly ?? 'refused',
    wallet: rules.wallet ?? 'spot',
    ...USUAL,
    ...(rules.fundingEveryMs === undefined ? {} : { fundingEveryMs: rules.fundingEveryMs }),
    ...(rules.fundingFlows === undefined ? {} : { fundingFlows: rules.fundingFlows }),
    ...(rules.deliveryFee === undefined ? {} : { deliveryFee: new Decimal(rules.deliveryFee) }),
    ...(rules.feeCap === undefined ? {} : { feeCap: new Decimal(rules.feeCap) }),
    ...(rules.settlesOverMs === undefined ? {} : { settlesOverMs: rules.settlesOverMs }),
    ...(day === undefined ? {} : { expiryMs: expiryMsOf(day) }),
    ...(strike === undefined ? {} : { strike: new Decimal(strike) }),
    ...(right === undefined ? {} : { right: right === 'C' ? ('call' as const) : ('put' as const) }),
  };
}

/** Two of a venue's derivatives as one, by the rules of the first; it ends with the leg that ends first. */
export function comboListing(
  market: string,
  name: string,
  [bought, sold]: readonly [bought: ListingSpec, sold: ListingSpec],
): ListingSpec {
  const expiryMs = Math.min(bought.expiryMs ?? Infinity, sold.expiryMs ?? Infinity);
  return {
    ...bought,
    market,
    symbol: name,
    venueSymbol: name,
    kind: 'combo',
    perpetual: false,
    inverse: false,
    combo: { of: bought.kind === 'option' ? 'option' : 'future', legs: [bought.venueSymbol, sold.venueSymbol] },
    ...(expiryMs === Infinity ? {} : { expiryMs }),
  };
}

/** `261225` → 2026-12-25 08:00 UTC, when venues settle. */
const expiryMsOf = (day: string): number =>
  Date.UTC(2000 + Number(day.slice(0, 2)), Number(day.slice(2, 4)) - 1, Number(day.slice(4, 6)), 8);

/** What a venue lists, restricted to `symbols` (and the legs of combos among them) where given, with `extra` invented coins against USDT (for load). */
export function listingsFrom(
  specs: readonly ListingSpec[],
  { symbols, extra = 0 }: { readonly symbols?: readonly string[] | undefined; readonly extra?: number },
): readonly Listing[] {
  const named = specs.filter(({ symbol }) => symbols === undefined || symbols.includes(symbol));
  const legs = new Set(named.flatMap(({ combo }) => combo?.legs ?? []));
  const chosen = specs.filter((spec) => named.includes(spec) || legs.has(spec.venueSymbol));
  const pattern = PATTERN_BASES.flatMap(
    (asset) => specs.find(({ base, kind }) => base === asset && kind !== 'option') ?? [],
  )[0];
  const invented =
    pattern === undefined ? [] : Array.from({ length: extra }, (_, at) => likewise(pattern, inventedAsset(at + 1)));
  return [...chosen, ...invented].map((listing, index) => ({ ...listing, index }));
}

/** Whose grid invented coins take, in the order of preference. */
const PATTERN_BASES = ['SOL', 'ETH', 'BTC'];

const inventedAsset = (at: number): string => `ZC${String(at).padStart(3, '0')}`;

/** The pattern's rules for another asset, spelled the same way. */
function likewise(pattern: ListingSpec, asset: string): ListingSpec {
  const { base, settle, symbol, venueSymbol } = pattern;
  const spelled = venueSymbol.replace(new RegExp(base === 'BTC' ? 'BTC|XBT' : base, 'i'), (found) =>
    found === found.toLowerCase() ? asset.toLowerCase() : asset,
  );
  return {
    ...pattern,
    base: asset,
    settle: settle === base ? asset : settle,
    symbol: symbol.replaceAll(base, asset),
    venueSymbol: spelled,
  };
}

export const tickOf = (listing: Listing): Decimal => scaled(1, listing.priceDecimals);
export const lotOf = (listing: Listing): Decimal => scaled(1, listing.lotDecimals);
export const priceOf = (listing: Listing, ticks: number): Decimal => scaled(ticks, listing.priceDecimals);
export const qtyOf = (listing: Listing, lots: number): Decimal => scaled(lots, listing.lotDecimals);

/** What `lots` at `ticks` are worth: quote units; base units for an inverse contract, to 8 decimals. */
export const valueOf = (listing: Listing, ticks: number, lots: number): Decimal =>
  valueAt(listing, priceOf(listing, ticks), lots);

/** The same at any price. */
export function valueAt(listing: Listing, price: Decimal, lots: number): Decimal {
  const size = sizeOf(listing, lots);
  return listing.inverse ? size.div(price).toDecimalPlaces(8) : size.times(price);
}

/** Base units of so many lots; quote units of an inverse contract. */
export const sizeOf = (listing: Listing, lots: number): Decimal => qtyOf(listing, lots).times(listing.contractSize);

/** Whether an option is priced, paid and settled in its underlying. */
export const isCoinSettled = ({ base, settle }: Listing): boolean => settle === base;

/** What an option's underlying is worth at `price`, in the settlement asset. */
export const underlyingWorth = (listing: Listing, price: Decimal, lots: number): Decimal =>
  isCoinSettled(listing) ? sizeOf(listing, lots) : sizeOf(listing, lots).times(price);

/**
 * What the holder of so many lots is paid at expiry, to 8 decimals. Settled in coin: call max(0, 1 − K/S), put max(0, K/S − 1), in units of the coin.
 * @see https://support.deribit.com/hc/en-us/articles/31424939096093-Inverse-Options
 */
export function payoffOf(listing: Listing, price: Decimal, lots: number): Decimal {
  const { strike, right } = listing;
  assert(strike !== undefined && right !== undefined, 'an option has a strike and a right');
  const inside = Decimal.max(0, right === 'call' ? price.minus(strike) : strike.minus(price));
  const paid = sizeOf(listing, lots).times(inside);
  return (isCoinSettled(listing) ? paid.div(price) : paid).toDecimalPlaces(8);
}
