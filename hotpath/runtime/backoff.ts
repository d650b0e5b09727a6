import type { Random } from '#shared/random.ts';

export type BackoffLimits = { readonly minMs: number; readonly maxMs: number };

/**
 * How long to wait before the next attempt: uniform in [0, min(maxMs, minMs · 2^attempt)), so that many clients that lost the same
 * venue do not return in step.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (full jitter)
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: Random;
  #attempts = 0;

  constructor(limits: BackoffLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Attempts since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  nextMs(): number {
    const ceilingMs = Math.min(this.#limits.maxMs, this.#limits.minMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return this.#random.next() * ceilingMs;
  }

  /** What was attempted has worked: the next failure starts from `minMs` again. */
  reset(): void {
    this.#attempts = 0;
  }
}
