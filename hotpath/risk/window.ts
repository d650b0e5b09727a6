import { assert } from '#shared/assert.ts';

/** Sums what has happened within the last `spanMs`, at most `capacity` things: the oldest go first. Pure: time is passed in and never goes back. */
export class Window {
  readonly #spanMs: number;
  readonly #atMs: Float64Array;
  readonly #values: Float64Array;
  #head = 0;
  #count = 0;
  #sum = 0;

  constructor(spanMs: number, capacity: number) {
    assert(spanMs > 0 && capacity > 0, 'a window has a span and room');
    this.#spanMs = spanMs;
    this.#atMs = new Float64Array(capacity);
    this.#values = new Float64Array(capacity);
  }

  add(nowMs: number, value: number): void {
    const capacity = this.#atMs.length;
    if (this.#count === capacity) this.#drop();
    const place = (this.#head + this.#count) % capacity;
    this.#atMs[place] = nowMs;
    this.#values[place] = value;
    this.#count += 1;
    this.#sum += value;
  }

  /** Things still in it. */
  count(nowMs: number): number {
    while (this.#count > 0 && this.#atMs[this.#head]! <= nowMs - this.#spanMs) this.#drop();
    return this.#count;
  }

  sum(nowMs: number): number {
    return this.count(nowMs) === 0 ? 0 : this.#sum;
  }

  /** The value that this share of them does not exceed; NaN where there is none. */
  quantile(share: number, nowMs: number): number {
    const count = this.count(nowMs);
    const sorted = Float64Array.from({ length: count }, (_none, at) => this.#valueAt(at)).sort();
    return sorted[Math.max(0, Math.ceil(share * count) - 1)] ?? Number.NaN;
  }

  clear(): void {
    this.#count = 0;
    this.#sum = 0;
  }

  #valueAt(at: number): number {
    return this.#values[(this.#head + at) % this.#values.length]!;
  }

  #drop(): void {
    this.#sum -= this.#valueAt(0);
    this.#head = (this.#head + 1) % this.#atMs.length;
    this.#count -= 1;
    // What rounding has left goes with the last of them.
    if (this.#count === 0) this.#sum = 0;
  }
}
