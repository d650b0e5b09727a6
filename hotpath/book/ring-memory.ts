import { assert } from '#shared/assert.ts';

/** From one megabyte to 32: the more books, the larger. What is not written yet takes no memory of the machine. */
const PIECE_MIN_DOUBLES = 2 ** 17;
const PIECE_MAX_DOUBLES = 2 ** 22;
const LINE_DOUBLES = 8;

/** A stretch of a piece: the same bytes as doubles and as integers; `at` counts doubles. */
export type Stretch = { readonly doubles: Float64Array; readonly integers: Int32Array; readonly at: number };

/**
 * Memory of many rings in few pieces, so that what an update must fetch besides its levels stays in the cache. It grows only: a book lives as long as the run.
 */
export class RingMemory {
  #doubles = new Float64Array(0);
  #integers = new Int32Array(0);
  #used = 0;

  take(doubles: number): Stretch {
    assert(doubles > 0 && doubles <= PIECE_MIN_DOUBLES, 'a ring fits a piece');
    if (this.#used + doubles > this.#doubles.length) {
      const size = Math.min(PIECE_MAX_DOUBLES, Math.max(PIECE_MIN_DOUBLES, 2 * this.#doubles.length));
      this.#doubles = new Float64Array(size);
      this.#integers = new Int32Array(this.#doubles.buffer);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used = Math.ceil((at + doubles) / LINE_DOUBLES) * LINE_DOUBLES;
    return { doubles: this.#doubles, integers: this.#integers, at };
  }
}
