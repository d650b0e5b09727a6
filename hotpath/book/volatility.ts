import type { Clock } from '#shared/clock/clock.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';

export type VolatilitySettings = {
  /** A fraction per square root of a second, until an instrument's own is known. */
  readonly default_volatility: number;
  readonly volatility_half_life_s: number;
};

/** So many seconds of observation weigh as much as the default. */
const PRIOR_SECONDS = 5;

/**
 * How fast each instrument's middle price moves: σ² = Σ r² / Σ Δt over the samples, each weighing half as much when it is one half-life old, and over
 * the move since the last of them. Samples are taken on a timer, not by update: between bid and ask of one moment there is no move.
 */
export class Volatility {
  readonly #tops: Tops;
  readonly #clock: Clock;
  readonly #decayPerSecond: number;
  readonly #squares: Float64Array;
  readonly #seconds: Float64Array;
  readonly #lastMid: Float64Array;
  readonly #lastNs: Float64Array;

  constructor(tops: Tops, clock: Clock, { default_volatility, volatility_half_life_s }: VolatilitySettings) {
    const instruments = tops.bid.length;
    this.#tops = tops;
    this.#clock = clock;
    this.#decayPerSecond = Math.LN2 / volatility_half_life_s;
    this.#squares = new Float64Array(instruments).fill(default_volatility ** 2 * PRIOR_SECONDS);
    this.#seconds = new Float64Array(instruments).fill(PRIOR_SECONDS);
    this.#lastMid = new Float64Array(instruments).fill(NaN);
    this.#lastNs = new Float64Array(instruments);
  }

  /** Looks at every live book once. */
  sample(): void {
    const { bid, ask } = this.#tops;
    const nowNs = this.#clock.now();
    for (let at = 0; at < this.#lastMid.length; at += 1) {
      const mid = (bid[at]! + ask[at]!) / 2;
      if (!(mid > 0)) continue;
      const seconds = (nowNs - this.#lastNs[at]!) / 1e9;
      const moved = Math.log(mid / this.#lastMid[at]!);
      this.#lastMid[at] = mid;
      this.#lastNs[at] = nowNs;
      if (!(seconds > 0) || Number.isNaN(moved)) continue;
      const kept = Math.exp(-this.#decayPerSecond * seconds);
      this.#squares[at] = this.#squares[at]! * kept + moved * moved;
      this.#seconds[at] = this.#seconds[at]! * kept + seconds;
    }
  }

  /** Now, as a fraction per square root of a second. */
  readonly of = (instrument: InstrumentIndex): number => {
    const mid = (this.#tops.bid[instrument]! + this.#tops.ask[instrument]!) / 2;
    const moved = Math.log(mid / this.#lastMid[instrument]!);
    const squares = this.#squares[instrument]!;
    const seconds = this.#seconds[instrument]!;
    if (Number.isNaN(moved)) return Math.sqrt(squares / seconds);
    const since = (this.#clock.now() - this.#lastNs[instrument]!) / 1e9;
    const kept = Math.exp(-this.#decayPerSecond * since);
    return Math.sqrt((squares * kept + moved * moved) / (seconds * kept + since));
  };
}
