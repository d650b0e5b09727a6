import type { InstrumentId } from '#shared/domain/ids.ts';

/** What a plan takes from one account at worst, and what is free there. */
export type Claim = { readonly account: string; readonly amount: number; readonly free: number };

/** One of the plans of a change, for the money and the books that they share. */
export type Contestant = {
  /** Expected value and capital in one currency. */
  readonly expectedValue: number;
  readonly capital: number;
  readonly holdHours: number;
  readonly netEdge: number;
  readonly claims: readonly Claim[];
  /** One operation at a time trades an instrument. */
  readonly instruments: readonly InstrumentId[];
};

/** Money that is back at once waits for the next opportunity: no plan is worth more than if it held this long. */
const HOLD_HOURS_MIN = 1;

/** What ties up nothing is worth no more than if it were a cent. */
const CAPITAL_MIN = 0.01;

/** What rounding leaves in an account pays for nothing, and keeps nobody from a book. */
const SHARE_MIN = 1e-9;

/** Expected value per unit of capital and hour: what plans are ranked by. */
export const worthOf = (contestant: Contestant): number =>
  earningOf(contestant) / Math.max(contestant.capital, CAPITAL_MIN);

/**
 * In which order contestants take what they claim; indices. By worth first: where money is short, it goes to what makes most of it in its time. But
 * capital need not be what is short (two plans may meet in one book), so the orders by earning and by edge are tried as well, and the one that
 * earns most an hour over all contestants is taken, the first of equals. Each takes its share of what is left; net profit is
 * concave in size, so that half the money earns at least half.
 */
export function orderOf(contestants: readonly Contestant[]): readonly number[] {
  const orders = [worthOf, earningOf, ({ netEdge }: Contestant) => netEdge].map((rank) => orderBy(contestants, rank));
  const earnings = orders.map((order) => earningIn(order, contestants));
  return orders[earnings.indexOf(Math.max(...earnings))]!;
}

/** One claim an account. */
export function mergedClaims(claims: readonly Claim[]): readonly Claim[] {
  const merged = new Map<string, Claim>();
  for (const claim of claims) {
    const before = merged.get(claim.account);
    merged.set(claim.account, before === undefined ? claim : { ...claim, amount: before.amount + claim.amount });
  }
  return [...merged.values()];
}

/** An hour, as long as it holds. */
const earningOf = ({ expectedValue, holdHours }: Contestant): number =>
  expectedValue / Math.max(holdHours, HOLD_HOURS_MIN);

/** Descending; equals stay as they came. */
function orderBy(contestants: readonly Contestant[], rank: (contestant: Contestant) => number): readonly number[] {
  const ranks = contestants.map(rank);
  return [...contestants.keys()].sort((one, other) => ranks[other]! - ranks[one]!);
}

function earningIn(order: readonly number[], contestants: readonly Contestant[]): number {
  const spent = new Map<string, number>();
  const busy = new Set<InstrumentId>();
  let earned = 0;
  for (const index of order) {
    const contestant = contestants[index]!;
    const { claims, instruments } = contestant;
    if (instruments.some((instrument) => busy.has(instrument))) continue;
    const share = Math.min(
      1,
      ...claims.map(({ account, amount, free }) => (free - (spent.get(account) ?? 0)) / amount),
    );
    if (!(share > SHARE_MIN)) continue;
    earned += share * earningOf(contestant);
    for (const instrument of instruments) busy.add(instrument);
    for (const { account, amount } of claims) spent.set(account, (spent.get(account) ?? 0) + share * amount);
  }
  return earned;
}
