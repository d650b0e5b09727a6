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
  /** The least and the most that the ledger had between the question and a while after the answer: fills travel. */
  readonly least: Decimal;
  readonly most: Decimal;
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

/** What lies outside of what the ledger had: negative when the venue has less. */
export function gapOf({ says, least, most }: Comparison): Decimal {
  if (says.lt(least)) return says.minus(least);
  return says.gt(most) ? says.minus(most) : ZERO;
}

/** Whether the venue's word and the ledger's agree, as far as it matters. */
export function agrees(comparison: Comparison, tolerance: number): boolean {
  const gap = gapOf(comparison);
  if (gap.isZero()) return true;
  const { unitValue } = comparison;
  return unitValue !== undefined && gap.abs().times(unitValue).lte(tolerance);
}

/**
 * Which differences stand between the ledger and the venues: told once they were seen often enough in a row, and again once they are gone.
 * Bounded by what is compared.
 */
export class Mismatches {
  readonly #rules: VerificationRules;
  readonly #seen = new Map<string, number>();
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
    this.#seen.delete(keyOf(which));
    const open = this.#open.get(keyOf(which));
    return open === undefined ? undefined : this.#tell({ ...open, state: 'settled', reason });
  }

  #compareOne(venue: string, comparison: Comparison): Mismatch | undefined {
    const key = keyOf({ venue, ...comparison });
    if (agrees(comparison, this.#rules.tolerance)) {
      this.#seen.delete(key);
      return this.settle({ venue, what: comparison.what, id: comparison.id }, 'the venue and the ledger agree');
    }
    const times = (this.#seen.get(key) ?? 0) + 1;
    this.#seen.set(key, times);
    if (times < this.#rules.confirm || this.#open.has(key)) return undefined;
    return this.#tell(mismatchOf(venue, comparison));
  }

  #tell(mismatch: Mismatch): Mismatch {
    if (mismatch.state === 'open') this.#open.set(keyOf(mismatch), mismatch);
    else this.#open.delete(keyOf(mismatch));
    return mismatch;
  }
}

function mismatchOf(venue: string, comparison: Comparison): Mismatch {
  const { what, id, says, least, most, unitValue, cause } = comparison;
  const gap = gapOf(comparison);
  return {
    venue,
    what,
    id,
    state: 'open',
    ledger: textOf(gap.isNegative() ? least : most),
    venue_says: textOf(says),
    ...(unitValue === undefined ? {} : { value: textOf(gap.times(new Decimal(unitValue)).toDecimalPlaces(8)) }),
    reason: cause,
  };
}

const keyOf = ({ venue, what, id }: Pick<Mismatch, 'venue' | 'what' | 'id'>): string => `${venue} ${what} ${id}`;
