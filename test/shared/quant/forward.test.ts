import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { black76 } from '#shared/quant/black.ts';
import { discountFactor, rateBetween, yearsBetween } from '#shared/quant/discount.ts';
import { forwardFromFutures, forwardFromParity } from '#shared/quant/forward.ts';
import type { StrikeQuote } from '#shared/quant/forward.ts';
import { forwardCurve } from '#shared/quant/forward-curve.ts';
import { inversePayoff, inversePrice } from '#shared/quant/inverse.ts';
import { optionFee, settlementFee } from '#shared/quant/option-fee.ts';
import { parityEdges, parityEdgesInto } from '#shared/quant/parity.ts';

const DAY_MS = 86_400_000;
const between = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const LINEAR = { discount: 1, settlement: 'linear', minStrikes: 3 } as const;
const INVERSE = { ...LINEAR, settlement: 'inverse' } as const;

/** A strike quoted around Black's prices. */
function quoteOf(forward: number, strike: number, halfSpread: number, unit = 1): StrikeQuote {
  const option = { underlying: forward, strike, years: 0.1, volatility: 0.6, rate: 0 };
  const call = black76({ right: 'call', ...option }).price / unit;
  const put = black76({ right: 'put', ...option }).price / unit;
  const half = halfSpread / unit;
  return { strike, callBid: call - half, callAsk: call + half, putBid: put - half, putAsk: put + half };
}

describe('time and discounting', () => {
  it('counts milliseconds, never whole days', () => {
    expect(yearsBetween(0, 365 * DAY_MS)).toBe(1);
    expect(yearsBetween(1_000, 61_000) * 525_600).toBeCloseTo(1, 14);
    expect(yearsBetween(0, 1) * 365 * DAY_MS).toBeCloseTo(1, 14);
    expect(yearsBetween(10, 5)).toBe(0);
  });

  it('takes a rate out as it was put in', () => {
    fc.assert(
      fc.property(between(-0.5, 0.5), between(0.001, 10), (rate, years) => {
        expect(rateBetween(discountFactor(rate, years), 1, years)).toBeCloseTo(rate, 10);
      }),
    );
  });
});

describe('the forward from futures', () => {
  const curve = {
    spot: 100,
    nowMs: 0,
    futures: [
      { expiryMs: 10 * DAY_MS, price: 101 },
      { expiryMs: 40 * DAY_MS, price: 107 },
    ],
  };
  const forwardAt = (days: number) => forwardFromFutures(curve, days * DAY_MS);

  it('is the future of the same expiry, and a constant carry between two', () => {
    expect(forwardAt(10)).toEqual({ kind: 'forward', forward: 101 });
    const middle = forwardAt(25);
    if (middle.kind === 'none') throw new Error(middle.reason);
    expect(middle.forward).toBeCloseTo(Math.sqrt(101 * 107), 10);
    const early = forwardAt(5);
    if (early.kind === 'none') throw new Error(early.reason);
    expect(early.forward).toBeCloseTo(Math.sqrt(100 * 101), 10);
  });

  it('guesses nothing outside', () => {
    expect(forwardAt(0)).toEqual({ kind: 'none', reason: 'expired' });
    expect(forwardAt(41)).toEqual({ kind: 'none', reason: 'beyond-last-future' });
  });
});

describe('the forward from parity', () => {
  const strikes = [80, 90, 100, 110, 120];

  it.each([
    ['linear', LINEAR, 1],
    ['inverse', INVERSE, 102],
  ] as const)('is bracketed by what %s strikes can be traded to', (_name, terms, unit) => {
    const found = forwardFromParity(
      strikes.map((strike) => quoteOf(102, strike, 0.05, unit)),
      terms,
    );
    if (found.kind === 'none') throw new Error(found.reason);
    expect(found).toMatchObject({ agreeing: 5, dissenting: 0 });
    expect(found.low).toBeLessThanOrEqual(102);
    expect(found.high).toBeGreaterThanOrEqual(102);
    expect(found.forward).toBeCloseTo(102, 1);
  });

  it('is not moved by a minority of tight, stale strikes', () => {
    const sound = strikes.map((strike) => quoteOf(102, strike, 0.1));
    const stale = [95, 105].map((strike) => quoteOf(110, strike, 0.001));
    const found = forwardFromParity([...stale, ...sound], LINEAR);
    if (found.kind === 'none') throw new Error(found.reason);
    expect(found).toMatchObject({ agreeing: 5, dissenting: 2 });
    expect(found.forward).toBeCloseTo(102, 8);
  });

  it('refuses too few strikes, and strikes of which no majority agrees', () => {
    const one = quoteOf(102, 100, 0.1);
    expect(forwardFromParity([one, one, { ...one, putBid: 0 }], LINEAR)).toEqual({
      kind: 'none',
      reason: 'too-few-strikes',
    });
    const apart = [102, 105, 108].map((forward) => quoteOf(forward, 100, 0.1));
    expect(forwardFromParity(apart, LINEAR)).toEqual({ kind: 'none', reason: 'no-majority' });
  });
});

describe('the forward curve', () => {
  const quotesAround = (forward: number, strikes: readonly number[]) =>
    strikes.map((strike) => quoteOf(forward, strike, 0.05));
  const market = {
    spot: 100,
    nowMs: 0,
    futures: [
      { expiryMs: 0, price: 99 },
      { expiryMs: 30 * DAY_MS, price: 101 },
      { expiryMs: 90 * DAY_MS, price: 104 },
    ],
    options: [
      { expiryMs: 120 * DAY_MS, quotes: quotesAround(105, [100]) },
      { expiryMs: 60 * DAY_MS, quotes: quotesAround(102, [90, 100, 110]) },
      { expiryMs: 30 * DAY_MS, quotes: quotesAround(110, [90, 100, 110]) },
      { expiryMs: 10 * DAY_MS, quotes: [] },
      { expiryMs: 0, quotes: [] },
    ],
    settlement: 'linear' as const,
    rate: 0,
    minStrikes: 3,
  };
  const { points, missing } = forwardCurve(market);

  it('takes futures first, parity next, a constant carry between them, and nothing beyond', () => {
    expect(points.map(({ expiryMs, source }) => [expiryMs / DAY_MS, source])).toEqual([
      [10, 'interpolated'],
      [30, 'future'],
      [60, 'parity'],
      [90, 'future'],
    ]);
    expect(missing).toEqual([0, 120 * DAY_MS]);
    const [early, near, middle, far] = points.map(({ forward }) => forward);
    expect(early).toBeCloseTo(100 * Math.exp(Math.log(1.01) / 3), 10);
    expect([near, far]).toEqual([101, 104]);
    expect(middle).toBeCloseTo(102, 8);
  });

  it('says the rate of each tenor and of each step, which multiply to the forward', () => {
    let grown = 100;
    let from = 0;
    for (const { forward, years, carry, stepCarry } of points) {
      grown *= Math.exp(stepCarry * (years - from));
      from = years;
      expect(grown).toBeCloseTo(forward, 10);
      expect(100 * Math.exp(carry * years)).toBeCloseTo(forward, 10);
    }
    expect(points[0]!.carry).toBeCloseTo(points[1]!.carry, 12);
  });

  it('discounts in the currency of the premium', () => {
    const { points: discounted } = forwardCurve({ ...market, options: [], rate: 0.05 });
    for (const { discount, years } of discounted) expect(discount).toBeCloseTo(Math.exp(-0.05 * years), 14);
  });

  it('finds the inverse forward again at any rate of the coin', () => {
    fc.assert(
      fc.property(between(-0.05, 0.1), between(90, 110), (rate, forward) => {
        const quotes = [90, 100, 110].map((strike) => {
          const option = { underlying: forward, strike, years: 73 / 365, volatility: 0.6, rate };
          const call = inversePrice({ right: 'call', ...option });
          const put = inversePrice({ right: 'put', ...option });
          return { strike, callBid: call, callAsk: call + 1e-9, putBid: put, putAsk: put + 1e-9 };
        });
        const options = [{ expiryMs: 73 * DAY_MS, quotes }];
        const found = forwardCurve({ ...market, futures: [], options, settlement: 'inverse', rate });
        expect(found.points).toHaveLength(1);
        expect(found.points[0]!.forward).toBeCloseTo(forward, 5);
      }),
    );
  });
});

describe('coin-settled options', () => {
  it('pay in coin what the linear one pays in quote', () => {
    fc.assert(
      fc.property(between(1, 1_000), between(1, 1_000), (strike, settled) => {
        expect(inversePayoff('call', strike, settled) * settled).toBeCloseTo(Math.max(0, settled - strike), 9);
        expect(inversePayoff('put', strike, settled) * settled).toBeCloseTo(Math.max(0, strike - settled), 9);
      }),
    );
    expect(inversePayoff('call', 100, 1e9)).toBeLessThan(1);
  });

  it('keep parity in coin: C − P = D·(1 − K/F)', () => {
    fc.assert(
      fc.property(between(50, 200), between(50, 200), between(-0.05, 0.1), (underlying, strike, rate) => {
        const option = { underlying, strike, years: 0.3, volatility: 0.7, rate };
        const gap = inversePrice({ right: 'call', ...option }) - inversePrice({ right: 'put', ...option });
        expect(gap).toBeCloseTo(discountFactor(rate, 0.3) * (1 - strike / underlying), 12);
      }),
    );
  });
});

describe('parity edges', () => {
  it.each([
    ['linear', 1],
    ['inverse', 102],
  ] as const)('show no profit within the spreads, and a planted one exactly (%s)', (settlement, unit) => {
    const quote = quoteOf(102, 100, 0.05, unit);
    const market = { bid: 101.99, ask: 102.01, discount: 1, settlement };
    const sound = parityEdges(quote, market);
    expect(Math.max(sound.conversion, sound.reversal)).toBeLessThan(0);
    const planted = parityEdges({ ...quote, callBid: quote.callBid + 1, callAsk: quote.callAsk + 1 }, market);
    expect(planted.conversion - sound.conversion).toBeCloseTo(1, 12);
    expect(planted.reversal - sound.reversal).toBeCloseTo(-1, 12);
  });
});

it('gives parity edges by columns as one by one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ strike: between(50, 200), call: between(0, 9), put: between(0, 9) }), { maxLength: 6 }),
      fc.constantFrom('linear' as const, 'inverse' as const),
      (rows, settlement) => {
        const quotes = rows.map(({ strike, call, put }) => ({
          strike,
          callBid: call,
          callAsk: call + 0.1,
          putBid: put,
          putAsk: put + 0.1,
        }));
        const column = (pick: (quote: StrikeQuote) => number) => Float64Array.from(quotes, pick);
        const columns = {
          strike: column(({ strike }) => strike),
          callBid: column(({ callBid }) => callBid),
          callAsk: column(({ callAsk }) => callAsk),
          putBid: column(({ putBid }) => putBid),
          putAsk: column(({ putAsk }) => putAsk),
        };
        const forward = { bid: 99.5, ask: 100.5, discount: 0.98, settlement };
        const out = { conversion: new Float64Array(6), reversal: new Float64Array(6) };
        parityEdgesInto(columns, forward, out);
        for (const [at, quote] of quotes.entries())
          expect({ conversion: out.conversion[at], reversal: out.reversal[at] }).toEqual(parityEdges(quote, forward));
      },
    ),
  );
});

describe('the settlement fee', () => {
  it("is the venues' own examples", () => {
    // Binance: 3 calls of strike 2,000 settled at 2,200.
    expect(3 * settlementFee({ ofUnderlying: 0.00015, capOfValue: 0.1 }, 2_200, 200)).toBeCloseTo(0.99, 12);
    // Deribit, in coin: capped where the option ends barely in the money, nothing where it ends worthless.
    const inCoin = { ofUnderlying: 0.00015, capOfValue: 0.125 };
    expect(settlementFee(inCoin, 1, inversePayoff('call', 60_000, 66_000))).toBe(0.00015);
    expect(settlementFee(inCoin, 1, 0.0008)).toBeCloseTo(0.0001, 15);
    expect(settlementFee(inCoin, 1, 0)).toBe(0);
  });
});

describe('the option fee', () => {
  const rule = { ofUnderlying: 0.0003, capOfPremium: 0.125 };

  it('is taken on the underlying and capped by the premium', () => {
    expect(optionFee(rule, 60_000, 2_000)).toBeCloseTo(18, 12);
    expect(optionFee(rule, 60_000, 40)).toBe(5);
    expect(optionFee(rule, 1, 0.05)).toBe(0.0003);
    expect(optionFee(rule, 60_000, 0)).toBe(0);
  });
});
