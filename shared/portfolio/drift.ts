import { Decimal } from 'decimal.js';
import { accountKey, type Account, type Band } from './rebalancing.ts';

/** What a venue says of an asset. `available` is what is not reserved. */
export type Holding = {
  readonly venue: string;
  readonly asset: string;
  readonly total: Decimal;
  readonly available: Decimal;
};

/** `amount` is wanted there; within ± buffer × amount nothing is done. */
export type Target = {
  readonly venue: string;
  readonly asset: string;
  readonly amount: Decimal;
  readonly buffer: Decimal;
};

/**
 * A transfer on its way, by what the two venues say of it so far. `requested`: the source still counts it. `sent`: neither counts it. `credited`: the
 * destination counts it already. So that it counts once, at its destination, whatever state it is in.
 */
export type InFlight = {
  readonly id: string;
  readonly asset: string;
  readonly from: string;
  readonly to: string;
  /** What arrives, and what the source is charged beyond it. */
  readonly amount: Decimal;
  readonly fee: Decimal;
  readonly state: 'requested' | 'sent' | 'credited';
};

const ZERO = new Decimal(0);

/** Every account that holds something, is asked for something, or is to receive something, in the order of these. */
export function accountsFrom(
  holdings: readonly Holding[],
  targets: readonly Target[],
  inFlight: readonly InFlight[],
): Account[] {
  const drafts = new Map<string, Account>();
  const change = (venue: string, asset: string, by: (account: Account) => Account): void => {
    const key = accountKey(venue, asset);
    drafts.set(key, by(drafts.get(key) ?? { venue, asset, projected: ZERO, available: ZERO }));
  };
  for (const { venue, asset, total, available } of holdings) {
    change(venue, asset, (account) => ({ ...account, projected: total, available }));
  }
  for (const { venue, asset, ...target } of targets) {
    change(venue, asset, (account) => ({ ...account, band: bandOf(target) }));
  }
  for (const { asset, from, to, amount, fee, state } of distinct(inFlight)) {
    const leaves = state === 'requested' ? amount.plus(fee) : ZERO;
    change(from, asset, (account) => ({
      ...account,
      projected: account.projected.minus(leaves),
      available: account.available.minus(leaves),
    }));
    const comes = state === 'credited' ? ZERO : amount;
    change(to, asset, (account) => ({ ...account, projected: account.projected.plus(comes) }));
  }
  return [...drafts.values()].map((account) => ({
    ...account,
    // What nobody has asked for is left alone.
    available: account.band === undefined ? ZERO : Decimal.max(ZERO, account.available),
  }));
}

function bandOf({ amount, buffer }: Pick<Target, 'amount' | 'buffer'>): Band {
  const room = amount.times(buffer);
  return { target: amount, low: Decimal.max(ZERO, amount.minus(room)), high: amount.plus(room) };
}

/** One transfer that two venues tell of is one: the word of the one further on counts. */
function distinct(inFlight: readonly InFlight[]): InFlight[] {
  const ORDER = { requested: 0, sent: 1, credited: 2 } as const;
  const latest = new Map<string, InFlight>();
  for (const transfer of inFlight) {
    const known = latest.get(transfer.id);
    if (known === undefined || ORDER[transfer.state] > ORDER[known.state]) latest.set(transfer.id, transfer);
  }
  return [...latest.values()];
}
