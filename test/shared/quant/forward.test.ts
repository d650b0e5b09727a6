import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { black76 } from '#shared/quant/black.ts';
import { discountFactor, rateBetween, yearsBetween } from '#shared/quant/discount.ts';
import { forwardFromFutures, forwardFromParity } from '#shared/quant/forward.ts';
import type { StrikeQuote } from '#shared/quant/forward.ts';
import { inversePayoff, inversePrice } from '#shared/quant/inverse.ts';
import { optionFee } from '#shared/quant/option-fee.ts';
import { parityEdges } from '#shared/quant/parity.ts';

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

describe('the option fee', () => {
  const rule = { ofUnderlying: 0.0003, capOfPremium: 0.125 };

  it('is taken on the underlying and capped by the premium', () => {
    expect(optionFee(rule, 60_000, 2_000)).toBeCloseTo(18, 12);
    expect(optionFee(rule, 60_000, 40)).toBe(5);
    expect(optionFee(rule, 1, 0.05)).toBe(0.0003);
    expect(optionFee(rule, 60_000, 0)).toBe(0);
  });
});
