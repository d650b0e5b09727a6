import { assert } from '../../assert.ts';

/** Losses from a peak, positive. As fractions of that peak: Infinity where something was lost from a peak that was nothing or less. */
export type Drawdown = {
  /** From the highest point so far to now. */
  readonly currentUsd: number;
  readonly currentFraction: number;
  /** The deepest there has been. The two may be of different peaks. */
  readonly maxUsd: number;
  readonly maxFraction: number;
  /** From the highest of the last `window` points to now. */
  readonly trailingUsd: number;
  readonly trailingFraction: number;
};

/**
 * Follows the value of an account, point by point, in constant time and room: drawdown = peak − value. Nothing is lost before the first point. A value that is no number makes no peak;
 * until the next one that is, the figures from the peak to now are NaN.
 * @see M. Magdon-Ismail & A. Atiya, "Maximum drawdown", Risk 17 (2004) 99–102.
 */
export class DrawdownMeter {
  readonly #window: number;
  /** The points that may yet be the trailing peak: later and lower than the one before. A ring. */
  readonly #peaks: Float64Array;
  readonly #peakTimes: Float64Array;
  #head = 0;
  #held = 0;
  #points = 0;
  #peakUsd = -Infinity;
  #lastUsd = Number.NaN;
  #maxUsd = 0;
  #maxFraction = 0;

  /** `window` counts points. */
  constructor(window: number) {
    assert(Number.isInteger(window) && window > 0, 'the window is a number of points');
    this.#window = window;
    this.#peaks = new Float64Array(window);
    this.#peakTimes = new Float64Array(window);
  }

  add(equityUsd: number): void {
    const time = this.#points;
    this.#points += 1;
    this.#lastUsd = equityUsd;
    this.#follow(equityUsd, time);
    if (Number.isNaN(equityUsd)) return;
    this.#peakUsd = Math.max(this.#peakUsd, equityUsd);
    const lostUsd = this.#peakUsd - equityUsd;
    this.#maxUsd = Math.max(this.#maxUsd, lostUsd);
    this.#maxFraction = Math.max(this.#maxFraction, fractionOf(lostUsd, this.#peakUsd));
  }

  /** As of the last point. */
  figures(): Drawdown {
    const isEmpty = this.#points === 0;
    const currentUsd = isEmpty ? 0 : this.#peakUsd - this.#lastUsd;
    const trailingPeakUsd = this.#held === 0 ? Number.NaN : this.#peaks[this.#head]!;
    const trailingUsd = isEmpty ? 0 : trailingPeakUsd - this.#lastUsd;
    return {
      currentUsd,
      currentFraction: fractionOf(currentUsd, this.#peakUsd),
      maxUsd: this.#maxUsd,
      maxFraction: this.#maxFraction,
      trailingUsd,
      trailingFraction: fractionOf(trailingUsd, trailingPeakUsd),
    };
  }

  #follow(equityUsd: number, time: number): void {
    const size = this.#window;
    if (this.#held > 0 && this.#peakTimes[this.#head]! <= time - size) {
      this.#head = (this.#head + 1) % size;
      this.#held -= 1;
    }
    if (Number.isNaN(equityUsd)) return;
    while (this.#held > 0 && this.#peaks[(this.#head + this.#held - 1) % size]! <= equityUsd) this.#held -= 1;
    const place = (this.#head + this.#held) % size;
    this.#peaks[place] = equityUsd;
    this.#peakTimes[place] = time;
    this.#held += 1;
  }
}

function fractionOf(lostUsd: number, peakUsd: number): number {
  if (lostUsd === 0) return 0;
  return lostUsd > 0 && peakUsd <= 0 ? Infinity : lostUsd / peakUsd;
}
