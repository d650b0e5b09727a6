import { assert } from '#shared/assert.ts';
import type { Asset, OperationId, VenueId } from '#shared/domain/ids.ts';

/** What one leg stands to move, in the numeraire. */
export type Exposed = { readonly venue: VenueId; readonly asset: Asset; readonly usd: number };

type Open = { readonly family: string; readonly legs: readonly Exposed[] };

/** Under which what is held counts, beside the operation that entered it and ends. */
export const heldKey = (id: OperationId): OperationId => `held ${id}` as OperationId;

/** How much stands open where: all legs of what is open, whichever way they trade. Doubles: what limits are measured on, never what is booked. */
export class Exposures {
  readonly #open = new Map<OperationId, Open>();
  readonly #byVenue = new Map<string, number>();
  readonly #byAsset = new Map<string, number>();
  readonly #byFamily = new Map<string, number>();
  #totalUsd = 0;

  /** Over all venues. */
  get total(): number {
    return this.#totalUsd;
  }

  readonly ofVenue = (venue: string): number => this.#byVenue.get(venue) ?? 0;
  readonly ofAsset = (asset: string): number => this.#byAsset.get(asset) ?? 0;
  readonly ofFamily = (family: string): number => this.#byFamily.get(family) ?? 0;

  /** As they stand, for people. */
  all(): { readonly [By in 'byVenue' | 'byAsset' | 'byFamily']: Record<string, number> } {
    return {
      byVenue: Object.fromEntries(this.#byVenue),
      byAsset: Object.fromEntries(this.#byAsset),
      byFamily: Object.fromEntries(this.#byFamily),
    };
  }

  /** Legs of each operation that is under way: what is held has filled. */
  underWay(): readonly (readonly Exposed[])[] {
    return [...this.#open].flatMap(([key, { legs }]) => (key.startsWith('held ') ? [] : [legs]));
  }

  add(operation: OperationId, family: string, legs: readonly Exposed[]): void {
    assert(!this.#open.has(operation), 'an operation is exposed twice');
    this.#open.set(operation, { family, legs });
    for (const leg of legs) this.#count(family, leg, leg.usd);
  }

  /** Nothing where it is not open. */
  remove(operation: OperationId): void {
    const open = this.#open.get(operation);
    if (open === undefined) return;
    this.#open.delete(operation);
    if (this.#open.size > 0) {
      for (const leg of open.legs) this.#count(open.family, leg, -leg.usd);
      return;
    }
    // What rounding has left in the sums goes with the last of them.
    this.#totalUsd = 0;
    for (const sums of [this.#byVenue, this.#byAsset, this.#byFamily]) sums.clear();
  }

  #count(family: string, { venue, asset }: Exposed, usd: number): void {
    this.#totalUsd += usd;
    this.#byVenue.set(venue, (this.#byVenue.get(venue) ?? 0) + usd);
    this.#byAsset.set(asset, (this.#byAsset.get(asset) ?? 0) + usd);
    this.#byFamily.set(family, (this.#byFamily.get(family) ?? 0) + usd);
  }
}
