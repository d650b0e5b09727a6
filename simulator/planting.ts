import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Exchange, PlantedReference, PlantedSide } from './exchange.ts';
import { integerFrom } from './grid-text.ts';
import type { Listing } from './listings.ts';

const BOOKS_MAX = 4_096;
const LEVELS_MAX = 1_000;
const DURATION_MS_MAX = 86_400_000;

const listingName = {
  venue: z.string().min(1).max(32),
  /** Unified, or the venue's own. */
  symbol: z.string().min(1).max(64),
};
/** Price and quantity as decimal text, in any order of the prices. */
const levels = z.array(z.tuple([z.string().max(40), z.string().max(40)])).max(LEVELS_MAX);

/**
 * Books to plant: all of the house's levels of each, in the venue's unit of quantity. The market leaves them alone for `duration_ms`, or until they are
 * unplanted. `quiet` stops it everywhere for as long: nothing walks, nothing is updated. `clear` empties every other book too, and makes it quiet.
 */
export const plantSpec = z.strictObject({
  books: z
    .array(z.strictObject({ ...listingName, bids: levels, asks: levels }))
    .min(1)
    .max(BOOKS_MAX),
  quiet: z.boolean().default(false),
  clear: z.boolean().default(false),
  duration_ms: z.number().positive().max(DURATION_MS_MAX).optional(),
});
export type PlantSpec = z.input<typeof plantSpec>;

/** What a venue shall say of one listing beside its book; what is absent goes on as it was before anything was planted. Rates are fractions. */
export const referenceSpec = z.strictObject({
  ...listingName,
  funding_rate: z.number().min(-1).max(1).optional(),
  next_funding_ms: z.int().min(0).optional(),
  index_price: z.number().positive().optional(),
  mark_price: z.number().positive().optional(),
  /** A year. */
  interest_rate: z.number().min(-1).max(1).optional(),
});
export type ReferenceSpec = z.input<typeof referenceSpec>;

export const unplantSpec = z.strictObject({
  /** All when absent. */
  listings: z.array(z.strictObject(listingName)).max(BOOKS_MAX).optional(),
});
export type UnplantSpec = z.input<typeof unplantSpec>;

/** How long the market keeps its hands off. */
export type Holding = { readonly quiet: boolean; readonly durationMs: number };

export type PlantedBook = {
  readonly exchange: Exchange;
  readonly listing: Listing;
  readonly bids: PlantedSide;
  readonly asks: PlantedSide;
};

/** @throws BadInput on an unknown or expired listing, a level off its grid or twice there, a crossed book, the same book twice. */
export function plantedFrom(
  { books, quiet, clear, duration_ms: durationMs = Infinity }: z.infer<typeof plantSpec>,
  exchanges: readonly Exchange[],
): { readonly books: readonly PlantedBook[]; readonly holding: Holding } {
  const planted = books.map(({ venue, symbol, bids, asks }): PlantedBook => {
    const { exchange, listing } = listingNamed(exchanges, venue, symbol);
    const named = `${venue} ${symbol}`;
    if (!exchange.isTraded(listing)) throw new BadInput(`${named} has expired`);
    const book = {
      exchange,
      listing,
      bids: sideFrom(listing, bids, `${named} bids`),
      asks: sideFrom(listing, asks, `${named} asks`),
    };
    const [bid, ask] = [Math.max(...pricesOf(book.bids)), Math.min(...pricesOf(book.asks))];
    if (bid >= ask) throw new BadInput(`${named} is crossed: its best bid is not below its best ask`);
    return book;
  });
  const chosen = new Set(planted.map(({ listing }) => listing));
  if (chosen.size < planted.length) throw new BadInput('a book is planted twice at once');
  const emptied = !clear
    ? []
    : exchanges.flatMap((exchange) =>
        exchange.listings
          .filter((listing) => !chosen.has(listing))
          .map((listing): PlantedBook => ({ exchange, listing, bids: [], asks: [] })),
      );
  return { books: [...planted, ...emptied], holding: { quiet: quiet || clear, durationMs } };
}

/** @throws BadInput when the venue is not simulated or does not list it. */
export function listingNamed(
  exchanges: readonly Exchange[],
  venue: string,
  symbol: string,
): { readonly exchange: Exchange; readonly listing: Listing } {
  const exchange = exchanges.find((each) => each.venue === venue);
  if (exchange === undefined) throw new BadInput(`venue ${venue} is not simulated`);
  const listing = exchange.listings.find((each) => each.symbol === symbol || each.venueSymbol === symbol);
  if (listing === undefined) throw new BadInput(`${venue} does not list ${symbol}`);
  return { exchange, listing };
}

export const plantedReference = (spec: Omit<ReferenceSpec, 'venue' | 'symbol'>): PlantedReference => ({
  fundingRate: spec.funding_rate,
  nextFundingMs: spec.next_funding_ms,
  indexPrice: spec.index_price,
  markPrice: spec.mark_price,
  interestRate: spec.interest_rate,
});

function sideFrom(listing: Listing, given: readonly (readonly [string, string])[], named: string): PlantedSide {
  const side = given.map(([price, qty], at) => {
    const ticks = integerFrom(price, listing.priceDecimals);
    const lots = integerFrom(qty, listing.lotDecimals);
    if (ticks === undefined) throw new BadInput(`${named}[${at}]: price ${price} is off the grid`);
    if (lots === undefined) throw new BadInput(`${named}[${at}]: quantity ${qty} is off the grid`);
    if (ticks <= 0 && listing.kind !== 'combo') throw new BadInput(`${named}[${at}]: price ${price} is not above zero`);
    if (lots <= 0) throw new BadInput(`${named}[${at}]: quantity ${qty} is not above zero`);
    return [ticks, lots] as const;
  });
  if (new Set(pricesOf(side)).size < side.length) throw new BadInput(`${named} have a price twice`);
  return side;
}

const pricesOf = (side: PlantedSide): readonly number[] => side.map(([price]) => price);
