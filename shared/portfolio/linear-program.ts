import { assert } from '../assert.ts';

export type Column = {
  readonly cost: number;
  /** From zero to this. */
  readonly upper: number;
  readonly isInteger: boolean;
};
/** Σ coefficient × column, kept between the bounds. */
export type Row = { readonly lower: number; readonly upper: number; readonly terms: readonly Term[] };
export type Term = readonly [column: number, coefficient: number];

/** `bounded`: feasible, but a limit of time or nodes came first. `none`: nothing feasible was found before it. */
export type Solved =
  { readonly kind: 'optimal' | 'bounded'; readonly values: ArrayLike<number> } | { readonly kind: 'none' };
export type Solver = (program: LinearProgram) => Solved;

/** Minimise Σ cost × column subject to rows; columns are at least zero. Bounded: a program that would grow past its limits is a bug of its maker. */
export class LinearProgram {
  static readonly COLUMNS_MAX = 20_000;
  readonly #columns: Column[] = [];
  readonly #rows: Row[] = [];

  get columns(): readonly Column[] {
    return this.#columns;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  continuous(cost: number, upper = Infinity): number {
    return this.#add({ cost, upper, isInteger: false });
  }

  /** Zero or one. `isOpen` false holds it at zero. */
  choice(cost: number, isOpen = true): number {
    return this.#add({ cost, upper: isOpen ? 1 : 0, isInteger: true });
  }

  atLeast(lower: number, terms: readonly Term[]): void {
    this.#rows.push({ lower, upper: Infinity, terms });
  }

  atMost(upper: number, terms: readonly Term[]): void {
    this.#rows.push({ lower: -Infinity, upper, terms });
  }

  #add(column: Column): number {
    assert(this.#columns.length < LinearProgram.COLUMNS_MAX, 'a program stays within its columns');
    return this.#columns.push(column) - 1;
  }
}
