import { expect, it } from 'vitest';
import { ReferenceStore } from '#hotpath/book/reference-store.ts';
import { wordsFrom } from '#hotpath/engine-words.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Funding } from '#shared/domain/instrument.ts';
import { Books } from '#test/support/market.ts';
import { listing } from '#test/support/options.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = 1_000 * HOUR_MS + 90_000;

/** What is to be booked of a perpetual that pays like this, at a rate of 4.8 bps. */
function wordOf(funding: Funding) {
  const instruments = [{ ...listing('a:BTC/USDT:USDT', {}), funding }];
  const references = new ReferenceStore(instruments);
  references.fundingRate[0] = 0.00048;
  references.markPrice[0] = 50_000;
  const words = wordsFrom({
    instruments,
    indexOf: () => 0 as InstrumentIndex,
    references,
    tops: new Books(1).tops,
    rateOf: () => 1,
    settings: {
      horizonMs: HOUR_MS,
      fundingPersistence: 1,
      capitalRate: 0,
      marginFraction: 0,
      closingSlippage: 0,
      borrowRateOf: () => 0,
      minTenorMs: 0,
    },
    nowMs: () => NOW_MS,
  });
  return words.fundingOf(instruments[0]!.id);
}

it('books funding at the time that is said', () => {
  const paidMs = 1_008 * HOUR_MS;
  expect(wordOf({ intervalMs: 8 * HOUR_MS, paidMs })).toEqual({ rate: 0.00048, nextMs: paidMs, price: 50_000 });
});

it('books funding that flows minute by minute, each its share of the interval', () => {
  const word = wordOf({ intervalMs: 8 * HOUR_MS, flows: true })!;
  expect(word).toMatchObject({ nextMs: 1_000 * HOUR_MS + 120_000, price: 50_000 });
  expect(word.rate).toBeCloseTo(0.000001, 15);
});

it('books nothing while nobody has said the time', () => {
  expect(wordOf({ intervalMs: 8 * HOUR_MS })).toBeUndefined();
});
