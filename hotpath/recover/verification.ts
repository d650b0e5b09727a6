import { Decimal } from 'decimal.js';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { EventData } from '#shared/schema/event.ts';

export type Mismatch = EventData<'mismatch'>;

/** One balance or position as its venue says it, against what the ledger had while the venue was asked. */
export type Comparison = {
  readonly what: 'balance' | 'position';
  /** Asset or instrument. */
  readonly id: string;
  readonly says: Decimal;
  /** Everything that the ledger had between the question and a while after the answer: fills travel, and the venue speaks of one instant. */
  readonly had: readonly Decimal[];
  /** What one unit is worth in the numeraire; undefined when nobody can say, and then no difference is small. */
  readonly unitValue: number | undefined;
  /** What is likely to be behind a difference. */
  readonly cause: string;
};

export type VerificationRules = {
  /** Differences that are worth less, in the numeraire, are not told. */
  readonly tolerance: number;
  /** So many comparisons in a row must differ. */
  readonly confirm: number;
};

/** A difference that would explain what was seen, and how far it was off at most from one comparison to the next. */
type Gap = { readonly amount: Decimal; readonly spread: Decimal };
/** Those that explain everything so far, and in how many comparisons in a row. */
type Suspicion = { readonly gaps: readonly Gap[]; readonly times: number };

/**
 * Which differences stand between the ledger and the venues: told once they were seen often enough in a row, and again once they are gone. While an
 * account trades, one comparison leaves as many differences possible as the ledger had amounts; what is really missing is missing in each of them.
 */
export class Mismatches {
  readonly #rules: VerificationRules;
  readonly #suspicions = new Map<string, Suspicion>();
  readonly #open = new Map<string, Mismatch>();

  /** `open`: what was told before and not settled. */
  constructor(rules: VerificationRules, open: readonly Mismatch[] = []) {
    this.#rules = rules;
    for (const mismatch of open) this.#open.set(keyOf(mismatch), mismatch);
  }

  get open(): readonly Mismatch[] {
    return [...this.#open.values()];
  }

  /** What is to be told after a venue was compared. */
  compare(venue: string, comparisons: readonly Comparison[]): readonly Mismatch[] {
    return comparisons.flatMap((comparison) => this.#compareOne(venue, comparison) ?? []);
  }

  /** Something that is surely wrong: an order or a trade that the journal does not know. Undefined when it was told before. */
  note(mismatch: Omit<Mismatch, 'state'>): Mismatch | undefined {
    if (this.#open.has(keyOf(mismatch))) return undefined;
    return this.#tell({ ...mismatch, state: 'open' });
  }

  /** Ends what was told, because somebody or something has dealt with it. */
  settle(which: Pick<Mismatch, 'venue' | 'what' | 'id'>, reason: string): Mismatch | undefined {
    this.#suspicions.delete(keyOf(which));
    const open = this.#open.get(keyOf(which));
    return open === undefined ? undefined : this.#tell({ ...open, state: 'settled', reason });
  }

  #compareOne(venue: string, comparison: Comparison): Mismatch | undefined {
    const { what, id, says, had, unitValue } = comparison;
    const { tolerance, confirm } = this.#rules;
    const isSmall = (amount: Decimal): boolean =>
      amount.isZero() || (unitValue !== undefined && amount.abs().times(unitValue).lte(tolerance));
    const amounts = had.map((amount) => says.minus(amount));
    if (amounts.some(isSmall)) return this.settle({ venue, what, id }, 'the venue and the ledger agree');

    const key = keyOf({ venue, what, id });
    const before = this.#suspicions.get(key);
    const common = amounts.flatMap((amount) => followed(amount, before?.gaps ?? [], isSmall) ?? []);
    const suspicion =
      before === undefined || common.length === 0
        ? { gaps: amounts.map((amount) => ({ amount, spread: ZERO })), times: 1 }
        : { gaps: common, times: Math.min(before.times + 1, confirm) };
    this.#suspicions.set(key, suspicion);
    if (suspicion.times < confirm || this.#open.has(key)) return undefined;
    return this.#tell(mismatchOf(venue, comparison, likeliestOf(suspicion.gaps)));
  }

  #tell(mismatch: Mismatch): Mismatch {
    if (mismatch.state === 'open') this.#open.set(keyOf(mismatch), mismatch);
    else this.#open.delete(keyOf(mismatch));
    return mismatch;
  }
}

/** A difference that was there before too, about as large. */
function followed(amount: Decimal, before: readonly Gap[], isSmall: (amount: Decimal) => boolean): Gap | undefined {
  const spreads = before.flatMap((other) => {
    const off = amount.minus(other.amount).abs();
    return isSmall(off) ? Decimal.max(off, other.spread) : [];
  });
  return spreads.length === 0 ? undefined : { amount, spread: Decimal.min(...spreads) };
}

/** What is missing stays the same to the last digit; what only happens to lie near does not. */
const likeliestOf = (gaps: readonly Gap[]): Decimal =>
  gaps.reduce((best, gap) => (gap.spread.lt(best.spread) ? gap : best)).amount;

function mismatchOf(venue: string, { what, id, says, unitValue, cause }: Comparison, gap: Decimal): Mismatch {
  return {
    venue,
    what,
    id,
    state: 'open',
    ledger: textOf(says.minus(gap)),
    venue_says: textOf(says),
    ...(unitValue === undefined ? {} : { value: textOf(gap.times(new Decimal(unitValue)).toDecimalPlaces(8)) }),
    reason: cause,
  };
}

const keyOf = ({ venue, what, id }: Pick<Mismatch, 'venue' | 'what' | 'id'>): string => `${venue} ${what} ${id}`;
