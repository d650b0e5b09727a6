import type { MarketUpdate } from '#shared/domain/market-event.ts';

/** How long a smallest difference is remembered: twice this at most. Clocks drift, so old minima must go. */
const HALF_WINDOW_MS = 30_000;
/** No clock is off by a day: such a time is a slip of the venue's pen and says nothing. */
const SENSELESS_MS = 86_400_000;

/**
 * Estimates how far a venue's clock stands from ours as the smallest (received − venue time) of the last minute: the message that travelled fastest.
 * The estimate includes that message's travel time, so lateness is measured against the best the line can do. Real captures are off by more
 * than a second, in both directions.
 */
export class VenueClock {
  /** How late the message observed last came: never negative. */
  latenessMs = 0;
  /**
   * How much the travel time changes from one message to the next, on average over the last sixteen or so; NaN before the second message.
   * @see https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1 (interarrival jitter)
   */
  jitterMs = NaN;
  #lastDifference = NaN;
  readonly #originMs: number;
  #current = Infinity;
  #previous = Infinity;
  #turnMs = -Infinity;

  /** `originMs` is our clock's origin in Unix milliseconds. */
  constructor(originMs: number) {
    this.#originMs = originMs;
  }

  /** Ours − theirs, milliseconds; NaN before the first message. */
  offsetMs(): number {
    const offset = Math.min(this.#current, this.#previous);
    return offset === Infinity ? NaN : offset;
  }

  /** Takes one message's two times. The lateness is left in a field: a double that is returned costs an allocation. */
  observe({ receivedTimeNs, venueTimeMs }: Pick<MarketUpdate, 'receivedTimeNs' | 'venueTimeMs'>): void {
    const receivedMs = this.#originMs + receivedTimeNs / 1e6;
    if (receivedMs >= this.#turnMs) {
      const next = receivedMs - this.#turnMs < HALF_WINDOW_MS;
      this.#previous = next ? this.#current : Infinity;
      this.#current = Infinity;
      this.#turnMs = (next ? this.#turnMs : receivedMs) + HALF_WINDOW_MS;
    }
    const difference = receivedMs - venueTimeMs;
    if (Math.abs(difference) > SENSELESS_MS) {
      this.latenessMs = 0;
      return;
    }
    const change = Math.abs(difference - this.#lastDifference);
    if (!Number.isNaN(change))
      this.jitterMs = Number.isNaN(this.jitterMs) ? change : this.jitterMs + (change - this.jitterMs) / 16;
    this.#lastDifference = difference;
    if (difference < this.#current) this.#current = difference;
    this.latenessMs = difference - Math.min(this.#current, this.#previous);
  }
}
