import { FUNDING_FLOWS } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
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
  /** As frames say it, else from a time that the listing says; `FUNDING_FLOWS` where it is paid all the time. */
  readonly nextFundingTimeMs: Float64Array;
  /** As frames say it, else the distance of two funding times that followed each other, else as the instrument says; never assumed. */
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
  /** 1 where frames say the interval: their word stands. */
  readonly #intervalSaid: Uint8Array;

  constructor(instruments: readonly Pick<Instrument, 'funding'>[]) {
    const column = (): Float64Array => new Float64Array(instruments.length).fill(NaN);
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
    this.#intervalSaid = new Uint8Array(instruments.length);
    for (const [at, { funding }] of instruments.entries()) {
      if (funding === undefined) continue;
      this.fundingIntervalMs[at] = funding.intervalMs;
      this.nextFundingTimeMs[at] = funding.flows ? FUNDING_FLOWS : (funding.paidMs ?? NaN);
    }
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
  #schedule(update: ReferenceUpdate): void {
    const { instrument, receivedTimeNs, nextFundingTimeMs, fundingIntervalMs } = update;
    if (fundingIntervalMs > 0) {
      this.fundingIntervalMs[instrument] = fundingIntervalMs;
      this.#intervalSaid[instrument] = 1;
    }
    if (!(nextFundingTimeMs > 0)) {
      this.#rollOn(update);
      return;
    }
    const distanceMs = nextFundingTimeMs - this.nextFundingTimeMs[instrument]!;
    const attended = receivedTimeNs - this.#scheduledNs[instrument]! <= DERIVED_WITHIN_NS;
    if (distanceMs >= INTERVAL_MIN_MS && attended && this.#intervalSaid[instrument] === 0) {
      this.fundingIntervalMs[instrument] = distanceMs;
    }
    this.nextFundingTimeMs[instrument] = nextFundingTimeMs;
    this.#scheduledNs[instrument] = receivedTimeNs;
  }

  /** While no frame has said the next time, it is whole intervals after the one that the listing says. */
  #rollOn({ instrument, venueTimeMs }: ReferenceUpdate): void {
    const saidMs = this.nextFundingTimeMs[instrument]!;
    const intervalMs = this.fundingIntervalMs[instrument]!;
    const isListed = Number.isNaN(this.#scheduledNs[instrument]!) && saidMs !== FUNDING_FLOWS;
    if (!isListed || !(venueTimeMs >= saidMs)) return;
    this.nextFundingTimeMs[instrument] = saidMs + (Math.floor((venueTimeMs - saidMs) / intervalMs) + 1) * intervalMs;
  }
}

function keep(column: Float64Array, at: InstrumentIndex, value: number): void {
  if (!Number.isNaN(value)) column[at] = value;
}
