import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { References } from '#shared/domain/capital.ts';
import { FUNDING_FLOWS } from '#shared/domain/capital.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { SumRoute } from '#shared/domain/route.ts';
import type { CarrySettings } from '#shared/quant/carry.ts';
import { carryOf, expectedFunding } from '#shared/quant/carry.ts';
import { jellyRoll } from '#hotpath/detect/routes/jelly-roll.ts';
import { surface } from '#hotpath/detect/routes/surface.ts';
import { Books } from '#test/support/market.ts';
import { boardOf, compileOptions, expiryMsOf, listing } from '#test/support/options.ts';

const settings: CarrySettings = {
  horizonMs: 8 * 3_600_000,
  fundingPersistence: 0.5,
  capitalRate: 0.1,
  marginFraction: 0.2,
  closingSlippage: 0.0001,
  borrowRateOf: () => 0.05,
  minTenorMs: 60_000,
};
const YEAR_MS = 365 * 86_400_000;
const [nearMs, farMs] = [expiryMsOf('261225'), expiryMsOf('270326')];
const between = (farMs - nearMs) / YEAR_MS;

const feesOf = (taker: string, premiumShareMax?: string): Instrument['fees'] => ({
  maker: new Decimal(0),
  taker: new Decimal(taker),
  currency: 'settle',
  ...(premiumShareMax === undefined ? {} : { premiumShareMax: new Decimal(premiumShareMax) }),
});

const expiries = (pair: string, fees: Instrument['fees']) =>
  ['261225', '270326'].flatMap((day) => boardOf(`a:${pair}-${day}`, [60_000], { fees }));

/** Spot at 50 000, every option at 5 % of that. */
function marketOf(instruments: readonly Instrument[], nowMs: number) {
  const column = (): Float64Array => new Float64Array(instruments.length).fill(NaN);
  const references: References = {
    markPrice: column(),
    indexPrice: column().fill(50_000),
    underlyingPrice: column(),
    fundingRate: column(),
    nextFundingTimeMs: column(),
    fundingIntervalMs: column(),
    markVolatility: column(),
  };
  const books = new Books(instruments.length);
  for (const [at, { kind, base, quote }] of instruments.entries()) {
    books.flat(at, kind !== 'option' ? 50_000 : base === quote ? 0.05 : 2_500);
  }
  return { instruments, tops: books.tops, references, nowMs };
}

describe('the carry of a bridge', () => {
  const instruments = [
    ...expiries('BTC/USDT:USDT', feesOf('0')),
    listing('a:BTC/USDT', { fees: { ...feesOf('0.001'), currency: 'quote' } }),
  ];
  const routes = jellyRoll.compile(instruments, compileOptions) as readonly SumRoute[];
  const byBridge = (side: 'buy' | 'sell'): SumRoute => routes.find(({ terms }) => terms.bridges![0]!.side === side)!;
  const bare = (route: SumRoute): SumRoute => ({ ...route, terms: { ...route.terms, bridges: [] } });

  it('is capital at its value from settlement to settlement, and borrow where a coin is sold', () => {
    const market = marketOf(instruments, compileOptions.nowMs);
    for (const side of ['buy', 'sell'] as const) {
      const route = byBridge(side);
      const [whole, without] = [carryOf(route, market, settings), carryOf(bare(route), market, settings)];
      expect(whole.capitalCost - without.capitalCost).toBeCloseTo(50_000 * 0.1 * between, 6);
      expect(whole.borrow).toBeCloseTo(side === 'sell' ? 50_000 * 0.05 * between : 0, 6);
      expect(whole.capital).toBe(without.capital);
      expect(whole.closing).toBeCloseTo(2 * 50_000 * (0.001 + 0.0001), 6);
      expect(whole.net).toBeCloseTo(without.net - (whole.capitalCost - without.capitalCost) - whole.borrow, 6);
    }
  });

  it('shrinks with what is left of it', () => {
    const route = byBridge('sell');
    const halfway = marketOf(instruments, (nearMs + farMs) / 2);
    expect(carryOf(route, halfway, settings).borrow).toBeCloseTo((50_000 * 0.05 * between) / 2, 6);
    expect(carryOf(route, marketOf(instruments, farMs), settings).borrow).toBe(0);
  });

  it('is reckoned in coin where the route is', () => {
    const inCoin = [...expiries('BTC/USD:BTC', feesOf('0')), listing('a:BTC/USD')];
    const [route] = jellyRoll.compile(inCoin, compileOptions) as readonly SumRoute[];
    const { borrow, closing } = carryOf(route!, marketOf(inCoin, compileOptions.nowMs), settings);
    expect(borrow).toBeCloseTo((60_000 / 50_000) * 0.05 * between, 12);
    expect(closing).toBeCloseTo(2 * (60_000 / 50_000) * 0.0001, 12);
  });

  it('is unknown without a price of the spot market', () => {
    const market = marketOf(instruments, compileOptions.nowMs);
    market.tops.bid[4 as InstrumentIndex] = NaN;
    expect(carryOf(routes[0]!, market, settings).net).toBeNaN();
  });

  it('is unknown once a leg expires within the least tenor, be it one that the route outlasts', () => {
    const netAt = (nowMs: number): number => carryOf(routes[0]!, marketOf(instruments, nowMs), settings).net;
    expect(netAt(nearMs - settings.minTenorMs - 1)).not.toBeNaN();
    expect(netAt(nearMs - settings.minTenorMs)).toBeNaN();
    expect(netAt(farMs + 1)).toBeNaN();
  });
});

describe('closing an option by trading', () => {
  const calendar = (instruments: readonly Instrument[]): SumRoute =>
    (surface.compile(instruments, compileOptions) as readonly SumRoute[]).find(
      ({ terms }) => terms.closings.length > 0,
    )!;
  const closingOf = (pair: string, fees: Instrument['fees']): number => {
    const instruments = expiries(pair, fees);
    return carryOf(calendar(instruments), marketOf(instruments, compileOptions.nowMs), settings).closing;
  };

  it('costs a fraction of the underlying, not of the premium', () => {
    expect(closingOf('BTC/USDT:USDT', feesOf('0.0003'))).toBeCloseTo(50_000 * 0.0003 + 2_500 * 0.0001, 9);
    expect(closingOf('BTC/USD:BTC', feesOf('0.0003'))).toBeCloseTo(0.0003 + 0.05 * 0.0001, 12);
  });

  it('costs no more than its share of the premium', () => {
    expect(closingOf('BTC/USDT:USDT', feesOf('0.01', '0.125'))).toBeCloseTo(2_500 * (0.125 + 0.0001), 9);
  });
});

describe('funding that flows', () => {
  const HOUR_MS = 3_600_000;
  const intervalMs = 8 * HOUR_MS;
  const expected = (nextMs: number, holdMs: number, fundingPersistence: number, rate = 0.0003): number => {
    const market = marketOf([listing('a:BTC/USDT:USDT', { fees: feesOf('0') })], compileOptions.nowMs);
    market.references.fundingRate[0] = rate;
    market.references.fundingIntervalMs[0] = intervalMs;
    market.references.nextFundingTimeMs[0] = nextMs;
    return expectedFunding(0 as InstrumentIndex, market, holdMs, { fundingPersistence });
  };
  const persistences = fc.double({ min: 0, max: 1, noNaN: true });
  const holds = fc.integer({ min: 0, max: 400 * HOUR_MS });

  it('comes to what is paid at once after whole intervals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), persistences, (intervals, persistence) => {
        const holdMs = intervals * intervalMs;
        const atOnce = expected(compileOptions.nowMs + intervalMs, holdMs, persistence);
        expect(expected(FUNDING_FLOWS, holdMs, persistence)).toBeCloseTo(atOnce, 12);
      }),
    );
  });

  it('is between the whole intervals before and after, and grows evenly inside of one', () => {
    fc.assert(
      fc.property(holds, persistences, (holdMs, persistence) => {
        const flowed = expected(FUNDING_FLOWS, holdMs, persistence);
        const startMs = Math.floor(holdMs / intervalMs) * intervalMs;
        const [from, to] = [0, intervalMs].map((more) => expected(FUNDING_FLOWS, startMs + more, persistence));
        expect(flowed).toBeCloseTo(from! + ((to! - from!) * (holdMs - startMs)) / intervalMs, 12);
      }),
    );
  });

  it('is unknown without a rate', () => {
    expect(expected(FUNDING_FLOWS, intervalMs, 1, NaN)).toBeNaN();
    expect(expected(FUNDING_FLOWS, intervalMs / 4, 1, 0.0004)).toBeCloseTo(0.0001, 15);
  });
});
