import { Decimal } from 'decimal.js';
import type { CapitalView, References, Tops } from '#shared/domain/capital.ts';
import { FUNDING_FLOWS } from '#shared/domain/capital.ts';
import type { SettledTerms } from '#shared/domain/held.ts';
import type { InstrumentId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { CarrySettings } from '#shared/quant/carry.ts';
import { expectedFunding, underlyingOf } from '#shared/quant/carry.ts';
import type { FundingWord } from './execute/funding.ts';

export type WordSources = {
  readonly instruments: readonly Instrument[];
  /** Undefined for what is listed no more. */
  readonly indexOf: (id: InstrumentId) => InstrumentIndex | undefined;
  readonly references: References;
  readonly tops: Tops;
  readonly rateOf: CapitalView['rateOf'];
  readonly settings: CarrySettings;
  readonly nowMs: () => number;
};

/** What venues say beside their books, as accounting asks for it. */
export type Words = {
  /** What an option's fee and margin are fractions of, in the currency of its premium. */
  readonly underlyingOf: (instrument: Instrument) => Decimal | undefined;
  /** What an expired contract settles at. Where its venue says it no more: the underlying's value in the books. */
  readonly settlementPriceOf: (terms: SettledTerms) => number | undefined;
  readonly fundingOf: (id: InstrumentId) => FundingWord | undefined;
  readonly expectedFunding: (instrument: Instrument, holdMs: number) => number;
};

export function wordsFrom(sources: WordSources): Words {
  const { instruments, indexOf, references, tops, rateOf, settings, nowMs } = sources;
  return {
    underlyingOf: ({ id }) => {
      const at = indexOf(id);
      const price = at === undefined ? NaN : underlyingOf(at, { instruments, references });
      return price > 0 ? new Decimal(price) : undefined;
    },
    settlementPriceOf: ({ id, base, quote }) => {
      const at = indexOf(id);
      const said = at === undefined ? undefined : spoken(at, [references.indexPrice, references.underlyingPrice]);
      if (said !== undefined) return said;
      // Options paid in coin are struck in the numeraire, near enough.
      const dollar = base === quote ? 1 : rateOf(quote);
      const coin = rateOf(base);
      return coin === undefined || dollar === undefined ? undefined : coin / dollar;
    },
    fundingOf: (id) => {
      const at = indexOf(id);
      if (at === undefined) return undefined;
      const rate = references.fundingRate[at]!;
      const nextMs = references.nextFundingTimeMs[at]!;
      const middle = (tops.bid[at]! + tops.ask[at]!) / 2;
      const price = spoken(at, [references.markPrice, references.indexPrice]) ?? middle;
      if (Number.isNaN(rate + nextMs + price)) return undefined;
      if (nextMs !== FUNDING_FLOWS) return { rate, nextMs, price };
      const slice = { share: FLOW_SLICE_MS / references.fundingIntervalMs[at]!, number: nowMs() / FLOW_SLICE_MS };
      return { rate: rate * slice.share, nextMs: (Math.floor(slice.number) + 1) * FLOW_SLICE_MS, price };
    },
    expectedFunding: ({ id }, holdMs) => {
      const at = indexOf(id);
      return at === undefined ? NaN : expectedFunding(at, { references, nowMs: nowMs() }, holdMs, settings);
    },
  };
}

/** Funding that flows is booked by the minute. */
const FLOW_SLICE_MS = 60_000;

/** The first of these that a venue has said. */
const spoken = (at: InstrumentIndex, columns: readonly Float64Array[]): number | undefined =>
  columns.map((column) => column[at]!).find((price) => price > 0);
