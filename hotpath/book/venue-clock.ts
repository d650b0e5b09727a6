/** How long a smallest difference is remembered: twice this at most. Clocks drift, so old minima must go. */
const HALF_WINDOW_MS = 30_000;

/**
 * Estimates how far a venue's clock stands from ours as the smallest (received − venue time) of the last minute: the message that travelled fastest.
 * The estimate includes that message's travel time, so lateness is measured against the best the line can do. Real captures are off by more
 * than a second, in both directions.
 */
export class VenueClock {
  #current = Infinity;
  #previous = Infinity;
  #turnMs = -Infinity;

  /** Ours − theirs, milliseconds; NaN before the first message. */
  offsetMs(): number {
    const offset = Math.min(this.#current, this.#previous);
    return offset === Infinity ? NaN : offset;
  }

  /** Takes one message's times, both Unix milliseconds, and returns its lateness: never negative. */
  lateness(receivedMs: number, venueMs: number): number {
    if (receivedMs >= this.#turnMs) {
      const next = receivedMs - this.#turnMs < HALF_WINDOW_MS;
      this.#previous = next ? this.#current : Infinity;
      this.#current = Infinity;
      this.#turnMs = (next ? this.#turnMs : receivedMs) + HALF_WINDOW_MS;
    }
    const difference = receivedMs - venueMs;
    if (difference < this.#current) this.#current = difference;
    return difference - Math.min(this.#current, this.#previous);
  }
}
