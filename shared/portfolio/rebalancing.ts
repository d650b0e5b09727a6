import type { Decimal } from 'decimal.js';
import type { Side } from '../domain/route.ts';

/** What stands at one venue in one asset. */
export type Account = {
  readonly venue: string;
  readonly asset: string;
  /** What is there once all that travels has arrived. */
  readonly projected: Decimal;
  /** What may be moved now: neither reserved for orders nor on its way. */
  readonly available: Decimal;
  /** Between these nothing is done: the no-trade region. Absent where nothing is asked of the account: then it is only passed through. */
  readonly band?: Band;
};
export type Band = { readonly target: Decimal; readonly low: Decimal; readonly high: Decimal };

export type Level = { readonly price: Decimal; readonly qty: Decimal };

/** A book that may be traded, best levels first. Spot trades move assets; a perpetual offsets exposure. */
export type Market = {
  /** `venue:symbol`. */
  readonly instrument: string;
  readonly venue: string;
  readonly base: string;
  /** For a perpetual the asset of its margin: linear contracts only. */
  readonly quote: string;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
  /** A fraction. */
  readonly takerFee: Decimal;
  readonly feeIn: 'received' | 'quote';
  readonly lot: Decimal;
  /** In quote: what is worth less is no order. */
  readonly minNotional: Decimal;
  readonly perpetual?: Perpetual;
};
export type Perpetual = {
  /** Base units of one contract; levels and lots count contracts. */
  readonly contract: Decimal;
  readonly marginFraction: Decimal;
  /** What holding it is expected to cost, as a fraction of its value: long and short. */
  readonly carry: Readonly<Record<Side, number>>;
};

/** A chain over which both venues move an asset. */
export type TransferRoute = {
  readonly asset: string;
  readonly from: string;
  readonly to: string;
  readonly network: string;
  /** In the asset; the source pays it out of what it sends. */
  readonly fee: Decimal;
  readonly min: Decimal;
  readonly minutes: number;
  /** One of the two wallets is closed. */
  readonly isSuspended: boolean;
  /** The operator has named it: what is not named is only proposed. */
  readonly isAllowed: boolean;
};
/** Transfers are counted to so many decimals. */
export const TRANSFER_DECIMALS = 8;
export const MINUTES_A_YEAR = 525_600;
/** What waiting for an arrival costs a trade, as a fraction of it: prices move until then. Also what makes now better than later where both would do. */
export const LATER_COST = 1e-5;

export type RebalancingProblem = {
  readonly accounts: readonly Account[];
  readonly markets: readonly Market[];
  readonly routes: readonly TransferRoute[];
  /** Value of one unit of each asset in the numeraire. What has none is left out, and said so. */
  readonly marks: ReadonlyMap<string, Decimal>;
  /** What open contracts hold of each asset already, signed. */
  readonly contracts: ReadonlyMap<string, Decimal>;
  /** What bringing one unit of value back between its bounds is worth at most, as a fraction. */
  readonly driftWorth: number;
  /** The same of exposure to an asset as a whole, which perpetuals can offset. */
  readonly exposureWorth: number;
  /** What money costs, a year, while it travels. */
  readonly capitalRate: number;
  /** Share of the displayed depth that a plan may take. */
  readonly depthShare: number;
  /** In the numeraire: what drifts less is not told. */
  readonly dust: number;
};

/** Trades with what is there; transfers; trades with what has arrived. Within a phase no step waits for another. */
export type Phase = 0 | 1 | 2;

export type TradeStep = {
  readonly kind: 'trade' | 'offset';
  readonly phase: Phase;
  readonly instrument: string;
  readonly side: Side;
  /** On the lot grid; contracts for a perpetual. */
  readonly qty: Decimal;
  /** The worst level that is needed: a price of the book, therefore on its grid. */
  readonly limit: Decimal;
  readonly average: Decimal;
  /** In the numeraire: fee, what the walked levels are worse than the middle of the book, and LATER_COST in phase 2. */
  readonly cost: Decimal;
};
export type TransferStep = {
  readonly kind: 'transfer';
  readonly phase: 1;
  readonly asset: string;
  readonly from: string;
  readonly to: string;
  readonly network: string;
  /** What leaves the source, and what of it arrives. */
  readonly amount: Decimal;
  readonly arrives: Decimal;
  readonly minutes: number;
  readonly isAllowed: boolean;
  /** In the numeraire: the fee, and what the money costs while it travels. */
  readonly cost: Decimal;
};
export type Step = TradeStep | TransferStep;

/**
 * Why drift remains: the first of these, lifted one after the other, without which a plan would remove it. The last two name what lifting does not help.
 * NOT_WORTH_IT: it costs more than it is worth. WALLET_SUSPENDED. BELOW_MINIMUM: an order or a transfer must be larger, or of whole lots. NO_DEPTH: the books display too
 * little. RESERVED: it stands behind orders or travels. NO_COUNTERPART: nobody has too much of what is missing, or lacks what is too much.
 * NO_ROUTE: no market and no chain reaches the account. NO_PRICE: nothing says what the asset is worth. TIME_LIMIT: the search was cut short.
 */
export type DriftReason =
  | 'NOT_WORTH_IT'
  | 'WALLET_SUSPENDED'
  | 'BELOW_MINIMUM'
  | 'NO_DEPTH'
  | 'RESERVED'
  | 'NO_COUNTERPART'
  | 'NO_ROUTE'
  | 'NO_PRICE'
  | 'TIME_LIMIT';

/** Signed, beyond the band: below zero is missing. */
export type Drift = { readonly venue: string; readonly asset: string; readonly amount: Decimal };
export type RemainingDrift = Drift & { readonly reason: DriftReason };

export type RebalancingPlan = {
  readonly status: 'optimal' | 'bounded' | 'none';
  readonly steps: readonly Step[];
  /** In the numeraire. */
  readonly cost: Decimal;
  /** Until the last step is done. */
  readonly minutes: number;
  readonly before: readonly Drift[];
  readonly remaining: readonly RemainingDrift[];
};

export const accountKey = (venue: string, asset: string): string => `${venue}:${asset}`;

/** What is above the band, or below it with a sign. */
export function driftOf({ band }: Pick<Account, 'band'>, amount: Decimal): Decimal {
  if (band === undefined) return amount.times(0);
  if (amount.lt(band.low)) return amount.minus(band.low);
  return amount.gt(band.high) ? amount.minus(band.high) : amount.times(0);
}
