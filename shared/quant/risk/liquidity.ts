import { assert } from '../../assert.ts';

/** The side of a book that a position leaves into, best first: bids for what is held, asks for what is owed. Prices in USD for one unit of quantity. */
export type ExitSide = {
  readonly count: number;
  readonly pricesUsd: Float64Array;
  readonly qtys: Float64Array;
  /** The middle of the book, which the cost is counted from. */
  readonly midUsd: number;
};

export type ExitTerms = {
  /** Of what is displayed, taken at once. */
  readonly share: number;
  /** Until what was taken stands again, milliseconds. */
  readonly refillMs: number;
  /** Levels further from the middle are left alone, as a fraction of it. */
  readonly slippageMax: number;
  readonly takerFee: number;
  /** What can be left within it counts as liquid, milliseconds. */
  readonly horizonMs: number;
};

/** Leaving one position by taking from its book, again each time it has refilled. */
export type Exit = {
  readonly valueUsd: number;
  /** Against the middle, fees included. Infinity where the book takes nothing. */
  readonly costUsd: number;
  /** Until the last of it is gone. Infinity where the book takes nothing. */
  readonly timeMs: number;
  readonly rounds: number;
  /** Of its value, gone within the horizon. */
  readonly liquidUsd: number;
};

/**
 * Walks the book for `share` of each level within `slippageMax` of the middle: that is a round, and the next one comes after `refillMs` at the same prices (no lasting impact).
 * cost = Σ qtyₖ·(|mid − priceₖ| + fee·priceₖ) with the sign against us, time = (rounds − 1)·refill. `qty` is signed: what is held above zero, what is owed below.
 * @see R. Almgren & N. Chriss, "Optimal execution of portfolio transactions", J. Risk 3 (2000) 5–39: this is their temporary impact alone, read off the book.
 */
export function exitOf(qty: number, book: ExitSide, terms: ExitTerms): Exit {
  const size = Math.abs(qty);
  const valueUsd = size * book.midUsd;
  if (size === 0) return { valueUsd: 0, costUsd: 0, timeMs: 0, rounds: 0, liquidUsd: 0 };
  const isHeld = qty > 0;
  const round = walked(Infinity, isHeld, book, terms);
  if (!(round.qty > 0)) return { valueUsd, costUsd: Infinity, timeMs: Infinity, rounds: 0, liquidUsd: 0 };
  // A remainder that only rounding leaves is no round of its own.
  const rounds = Math.max(1, Math.ceil((size / round.qty) * (1 - 1e-12)));
  const last = walked(size - (rounds - 1) * round.qty, isHeld, book, terms);
  const inTime = round.qty * (1 + Math.floor(terms.horizonMs / terms.refillMs));
  return {
    valueUsd,
    costUsd: (rounds - 1) * round.costUsd + last.costUsd,
    timeMs: (rounds - 1) * terms.refillMs,
    rounds,
    liquidUsd: Math.min(size, inTime) * book.midUsd,
  };
}

/** All at once, each from its own book: costs add up, the slowest says when it is over. */
export type Liquidity = {
  readonly costUsd: number;
  readonly timeMs: number;
  /** Of what is held, gone within the horizon; 1 where nothing is held. */
  readonly liquidShare: number;
};

export function liquidityOf(exits: readonly Exit[]): Liquidity {
  let costUsd = 0;
  let timeMs = 0;
  let valueUsd = 0;
  let liquidUsd = 0;
  for (const exit of exits) {
    costUsd += exit.costUsd;
    timeMs = Math.max(timeMs, exit.timeMs);
    valueUsd += exit.valueUsd;
    liquidUsd += exit.liquidUsd;
  }
  return { costUsd, timeMs, liquidShare: valueUsd === 0 ? 1 : liquidUsd / valueUsd };
}

function walked(
  wanted: number,
  isHeld: boolean,
  { count, pricesUsd, qtys, midUsd }: ExitSide,
  { share, slippageMax, takerFee }: ExitTerms,
): { readonly qty: number; readonly costUsd: number } {
  assert(share > 0 && share <= 1, 'a share of what is displayed is taken');
  let qty = 0;
  let costUsd = 0;
  for (let level = 0; level < count && qty < wanted; level += 1) {
    const priceUsd = pricesUsd[level]!;
    const worse = isHeld ? midUsd - priceUsd : priceUsd - midUsd;
    if (worse > slippageMax * midUsd) break;
    const taken = Math.min(qtys[level]! * share, wanted - qty);
    qty += taken;
    costUsd += taken * (worse + takerFee * priceUsd);
  }
  return { qty, costUsd };
}
