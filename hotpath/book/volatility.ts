import type { Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';

export type VolatilitySettings = {
  /** A fraction per square root of a second, until an instrument's own is known. */
  readonly default_volatility: number;
  readonly volatility_half_life_s: number;
};

/** So many seconds of observation weigh as much as the default. */
const PRIOR_SECONDS = 5;

/**
 * How fast each instrument's middle price moves: σ² = Σ r² / Σ Δt over the samples, each weighing half as much when it is one half-life old. Samples are
 * taken on a timer, not by update: between bid and ask of one moment there is no move.
 */
export class Volatility {
  readonly #decayPerSecond: number;
  readonly #squares: Float64Array;
  readonly #seconds: Float64Array;
  readonly #lastMid: Float64Array;
  readonly #lastNs: Float64Array;

  constructor(instruments: number, { default_volatility, volatility_half_life_s }: VolatilitySettings) {
    this.#decayPerSecond = Math.LN2 / volatility_half_life_s;
    this.#squares = new Float64Array(instruments).fill(default_volatility ** 2 * PRIOR_SECONDS);
    this.#seconds = new Float64Array(instruments).fill(PRIOR_SECONDS);
    this.#lastMid = new Float64Array(instruments).fill(NaN);
    this.#lastNs = new Float64Array(instruments);
  }

  /** Looks at every live book once. */
  sample({ bid, ask }: Tops, nowNs: TimeNs): void {
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

  /** A fraction per square root of a second. */
  readonly of = (instrument: InstrumentIndex): number =>
    Math.sqrt(this.#squares[instrument]! / this.#seconds[instrument]!);
}
