import type { Depths, Tops } from '#shared/domain/capital.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import { unitsPerQty } from '#shared/quant/leg-value.ts';
import type { Synthetic, SyntheticLeg } from './synthetic.ts';

const GREEKS = ['delta', 'gamma', 'vega', 'theta', 'rho'] as const;
type Greek = (typeof GREEKS)[number];

/** What a synthetic is priced from: live books, and the last words of the venues in columns by instrument. */
export type SyntheticMarket = {
  readonly tops: Pick<Tops, 'bid' | 'ask'>;
  readonly depths: Depths;
  readonly references: Readonly<Record<'markPrice' | Greek, Float64Array>>;
};

/** Price in the quote, and units of the synthetic that all legs together offer there. */
export type SyntheticLevel = readonly [price: number, units: number];

export type SyntheticView = {
  /** Best first; a bid is what selling every bought leg and buying back every sold one brings. Prices may be below zero. */
  readonly bids: readonly SyntheticLevel[];
  readonly asks: readonly SyntheticLevel[];
  /** Σ ratio × mark price, or the middle of the book where a venue says no mark; NaN while a leg has neither. */
  readonly fairValue: number;
  /** Σ ratio × Greek as the venues say them; a coin in another form has delta 1 and nothing else. NaN while a venue has not spoken, and over several coins. */
  readonly greeks: Readonly<Record<Greek, number>>;
  /** `live` when all legs are, else that of the first that is not. */
  readonly status: BookStatus;
  /** Of the oldest leg's book. */
  readonly ageMs: number;
};

/** The synthetic as its legs stand now. */
export function viewOf({ legs }: Synthetic, market: SyntheticMarket, nowNs: TimeNs): SyntheticView {
  const { depths } = market;
  const statuses = legs.map(({ at }) => depths.status(at));
  return {
    bids: levelsOf(legs, depths, 'bid'),
    asks: levelsOf(legs, depths, 'ask'),
    fairValue: sumOf(legs, (leg) => fairPriceOf(leg, market)),
    greeks: greeksOf(legs, market),
    status: statuses.find((status) => status !== 'live') ?? 'live',
    ageMs: Math.max(...legs.map(({ at }) => depths.ageMs(at, nowNs))),
  };
}

/** Digits of the greatest term of a sum that doubles are sure of. */
const DIGITS = 13;
const DECIMALS_MAX = 20;

/** Σ ratio × value, without the last digits that summing leaves over: two prices of five digits are seven cents apart, not 6.99999999 of them. */
function sumOf(legs: readonly SyntheticLeg[], of: (leg: SyntheticLeg, place: number) => number): number {
  let sum = 0;
  let greatest = 0;
  for (const [place, leg] of legs.entries()) {
    const term = leg.ratio * of(leg, place);
    sum += term;
    greatest = Math.max(greatest, Math.abs(term));
  }
  const decimals = DIGITS - 1 - Math.floor(Math.log10(greatest));
  return Number(sum.toFixed(Math.min(DECIMALS_MAX, Math.max(0, decimals))));
}

function fairPriceOf({ at }: SyntheticLeg, { tops, references }: SyntheticMarket): number {
  const mark = references.markPrice[at]!;
  return Number.isNaN(mark) ? (tops.bid[at]! + tops.ask[at]!) / 2 : mark;
}

function greeksOf(legs: readonly SyntheticLeg[], { references }: SyntheticMarket): SyntheticView['greeks'] {
  const isOneCoin = new Set(legs.map(({ instrument }) => instrument.base)).size === 1;
  const greekOf = (greek: Greek, { at, instrument: { kind } }: SyntheticLeg): number => {
    if (kind === 'option') return references[greek][at]!;
    if (kind === 'combo') return NaN;
    return greek === 'delta' ? 1 : 0;
  };
  const summed = GREEKS.map((greek) => [greek, isOneCoin ? sumOf(legs, (leg) => greekOf(greek, leg)) : NaN]);
  return Object.fromEntries(summed) as Record<Greek, number>;
}

const LEVELS_MAX = 10;

/**
 * The joint walk over the books of all legs: each level is what the levels under way cost together, for as many units as the smallest of them offers. Buying a
 * synthetic takes the asks of what it holds and the bids of what it owes.
 */
function levelsOf(legs: readonly SyntheticLeg[], depths: Depths, side: 'bid' | 'ask'): readonly SyntheticLevel[] {
  const books = legs.map((leg) => legLevels(leg, depths, leg.ratio > 0 === (side === 'ask')));
  const at = legs.map(() => 0);
  const left = books.map((book) => book[0]?.units ?? 0);
  const levels: SyntheticLevel[] = [];
  while (levels.length < LEVELS_MAX) {
    const under = books.map((book, leg) => book[at[leg]!]);
    if (under.includes(undefined)) break;
    const price = sumOf(legs, (_leg, place) => under[place]!.price);
    const units = Math.min(...left);
    levels.push([price, units]);
    for (const leg of legs.keys()) {
      left[leg]! -= units;
      if (left[leg]! > 0) continue;
      at[leg]! += 1;
      left[leg] = books[leg]![at[leg]!]?.units ?? 0;
    }
  }
  return levels;
}

/** Levels of a leg, in units of the synthetic. */
function legLevels(
  { at, instrument, ratio }: SyntheticLeg,
  depths: Depths,
  isAsk: boolean,
): readonly { readonly price: number; readonly units: number }[] {
  const prices = new Float64Array(LEVELS_MAX);
  const qtys = new Float64Array(LEVELS_MAX);
  const count = (isAsk ? depths.asks : depths.bids)(at, prices, qtys);
  return Array.from({ length: count }, (_, level) => {
    const price = prices[level]!;
    return { price, units: (qtys[level]! * unitsPerQty(instrument, 'base', price)) / Math.abs(ratio) };
  });
}
