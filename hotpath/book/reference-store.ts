import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { ReferenceUpdate } from '#shared/domain/market-event.ts';

/** Next funding times further apart in receipt than this leave open whether one in between was missed. */
const DERIVED_WITHIN_NS = 60e9;
/** A next funding time that moves by less was corrected, not reached. */
const INTERVAL_MIN_MS = 60_000;

type Column = Exclude<keyof ReferenceUpdate, 'instrument' | 'receivedTimeNs'>;

/**
 * The last that each venue said of each instrument beside its book: columns by InstrumentIndex, NaN while unknown, units as in `ReferenceUpdate`. Each column
 * keeps its last value: venues send what changed. Bounded by the registry, no allocation per update.
 */
export class ReferenceStore implements Readonly<Record<Column, Float64Array>> {
  readonly venueTimeMs: Float64Array;
  readonly markPrice: Float64Array;
  readonly indexPrice: Float64Array;
  readonly fundingRate: Float64Array;
  readonly nextFundingTimeMs: Float64Array;
  /** As the venue said, else the distance of two funding times that followed each other; never assumed. */
  readonly fundingIntervalMs: Float64Array;
  readonly bidVolatility: Float64Array;
  readonly askVolatility: Float64Array;
  readonly markVolatility: Float64Array;
  readonly delta: Float64Array;
  readonly gamma: Float64Array;
  readonly vega: Float64Array;
  readonly theta: Float64Array;
  readonly rho: Float64Array;
  readonly underlyingPrice: Float64Array;
  readonly interestRate: Float64Array;
  readonly #receivedTimeNs: Float64Array;
  /** When a next funding time was last received. */
  readonly #scheduledNs: Float64Array;
  /** 1 where the venue itself says the interval: its word stands. */
  readonly #intervalSaid: Uint8Array;

  constructor(instruments: number) {
    const column = (): Float64Array => new Float64Array(instruments).fill(NaN);
    this.venueTimeMs = column();
    this.markPrice = column();
    this.indexPrice = column();
    this.fundingRate = column();
    this.nextFundingTimeMs = column();
    this.fundingIntervalMs = column();
    this.bidVolatility = column();
    this.askVolatility = column();
    this.markVolatility = column();
    this.delta = column();
    this.gamma = column();
    this.vega = column();
    this.theta = column();
    this.rho = column();
    this.underlyingPrice = column();
    this.interestRate = column();
    this.#receivedTimeNs = column();
    this.#scheduledNs = column();
    this.#intervalSaid = new Uint8Array(instruments);
  }

  /** Takes what the update says and leaves the rest as it was. */
  apply(update: ReferenceUpdate): void {
    const at = update.instrument;
    this.#receivedTimeNs[at] = update.receivedTimeNs;
    this.#schedule(update);
    keep(this.venueTimeMs, at, update.venueTimeMs);
    keep(this.markPrice, at, update.markPrice);
    keep(this.indexPrice, at, update.indexPrice);
    keep(this.fundingRate, at, update.fundingRate);
    keep(this.bidVolatility, at, update.bidVolatility);
    keep(this.askVolatility, at, update.askVolatility);
    keep(this.markVolatility, at, update.markVolatility);
    keep(this.delta, at, update.delta);
    keep(this.gamma, at, update.gamma);
    keep(this.vega, at, update.vega);
    keep(this.theta, at, update.theta);
    keep(this.rho, at, update.rho);
    keep(this.underlyingPrice, at, update.underlyingPrice);
    keep(this.interestRate, at, update.interestRate);
  }

  /** Since the last word of any kind; Infinity before the first. */
  ageMs(instrument: InstrumentIndex, nowNs: TimeNs): number {
    const receivedTimeNs = this.#receivedTimeNs[instrument]!;
    return Number.isNaN(receivedTimeNs) ? Infinity : (nowNs - receivedTimeNs) / 1e6;
  }

  /** Two funding times follow each other when nobody was absent in between. */
  #schedule({ instrument, receivedTimeNs, nextFundingTimeMs, fundingIntervalMs }: ReferenceUpdate): void {
    if (fundingIntervalMs > 0) {
      this.fundingIntervalMs[instrument] = fundingIntervalMs;
      this.#intervalSaid[instrument] = 1;
    }
    if (Number.isNaN(nextFundingTimeMs)) return;
    const distanceMs = nextFundingTimeMs - this.nextFundingTimeMs[instrument]!;
    const attended = receivedTimeNs - this.#scheduledNs[instrument]! <= DERIVED_WITHIN_NS;
    if (distanceMs >= INTERVAL_MIN_MS && attended && this.#intervalSaid[instrument] === 0) {
      this.fundingIntervalMs[instrument] = distanceMs;
    }
    this.nextFundingTimeMs[instrument] = nextFundingTimeMs;
    this.#scheduledNs[instrument] = receivedTimeNs;
  }
}

function keep(column: Float64Array, at: InstrumentIndex, value: number): void {
  if (!Number.isNaN(value)) column[at] = value;
}
