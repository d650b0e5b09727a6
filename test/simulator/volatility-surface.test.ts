import { describe, expect, it } from 'vitest';
import { black76 } from '#shared/quant/black.ts';
import type { Exchange } from '#simulator/exchange.ts';
import type { Listing } from '#simulator/listings.ts';
import { isCoinSettled, priceOf } from '#simulator/listings.ts';
import { surfaceOf, totalVariance, volatilityOf } from '#simulator/volatility-surface.ts';
import { virtualRun } from './venue-client.ts';

const ASSETS = ['BTC', 'ETH', 'SOL'];
const YEARS = [1 / 365, 1 / 52, 0.1, 0.25, 0.5, 1, 2, 5];
const MONEYNESS = Array.from({ length: 81 }, (_, at) => (at - 40) / 20);

describe('volatility surface', () => {
  it.each(ASSETS)('%s: no total variance falls with time', (asset) => {
    for (const moneyness of MONEYNESS) {
      const variances = YEARS.map((years) => totalVariance(surfaceOf(asset), moneyness, years));
      for (let at = 1; at < variances.length; at += 1) expect(variances[at]).toBeGreaterThan(variances[at - 1]!);
    }
  });

  it.each(ASSETS)('%s: calls fall and bend upwards in the strike, never steeper than the strike itself', (asset) => {
    for (const years of YEARS) {
      const strikes = Array.from({ length: 400 }, (_, at) => 0.05 * 1.01 ** at);
      const calls = strikes.map((strike) => priceAt(asset, strike, years));
      for (let at = 1; at < strikes.length - 1; at += 1) {
        const slope = (from: number): number =>
          (calls[from + 1]! - calls[from]!) / (strikes[from + 1]! - strikes[from]!);
        expect(slope(at)).toBeLessThanOrEqual(1e-12);
        expect(slope(at)).toBeGreaterThanOrEqual(-1 - 1e-12);
        expect(slope(at) - slope(at - 1)).toBeGreaterThanOrEqual(-1e-12);
      }
    }
  });

  it('smiles: low strikes are dearer than high ones, both dearer than the middle', () => {
    const [low, middle, high] = [-0.5, 0, 0.5].map((moneyness) => volatilityOf(surfaceOf('BTC'), moneyness, 0.25));
    expect(low).toBeGreaterThan(high!);
    expect(high).toBeGreaterThan(middle!);
  });
});

/** A call on a forward of one. */
const priceAt = (asset: string, strike: number, years: number): number =>
  black76({
    right: 'call',
    underlying: 1,
    strike,
    years,
    rate: 0,
    volatility: volatilityOf(surfaceOf(asset), Math.log(strike), years),
  }).price;

type Quote = { readonly bid: number; readonly ask: number };

// The venues that list a future of the options' own expiry and settlement.
describe.each([
  ['deribit', ['BTC', 'ETH']],
  ['okx', ['BTC']],
] as const)('option books of %s', (venue, coins) => {
  const { simulator } = virtualRun(41, { venues: [venue], dislocations_per_minute: 0 });
  const exchange = simulator.exchange(venue);
  const options = exchange.listings.filter(({ kind }) => kind === 'option');
  const families = [...Map.groupBy(options, ({ base, settle, expiryMs }) => `${base} ${settle} ${expiryMs}`).values()];

  it('are there for each coin', () => {
    expect([...new Set(options.map(({ base }) => base))]).toEqual(coins);
    if (venue === 'deribit')
      for (const coin of coins) {
        const ours = options.filter((each) => each.base === coin && isCoinSettled(each));
        const dated = exchange.listings.filter((each) => each.base === coin && each.kind === 'future');
        expect(new Set(ours.map(({ strike }) => strike!.toNumber())).size).toBeGreaterThanOrEqual(5);
        for (const expiryMs of new Set(ours.map((each) => each.expiryMs)))
          expect(dated.map((each) => each.expiryMs)).toContain(expiryMs);
      }
  });

  it('leave nothing to a conversion or reversal against the future of their expiry', () => {
    for (const family of families) {
      const [any] = family;
      const future = exchange.listings.find(
        (each) => each.kind === 'future' && each.settle === any!.settle && each.expiryMs === any!.expiryMs,
      );
      const forward = quoteOf(exchange, future!);
      for (const { strike, call, put } of pairsOf(exchange, family)) {
        // Settled in coin the parity is c − p = 1 − K/F, rising in the forward; settled in dollars c − p = F − K.
        const worth = (price: number): number => (isCoinSettled(any!) ? 1 - strike / price : price - strike);
        expect(call.bid - put.ask).toBeLessThanOrEqual(worth(forward.ask) + 1e-12);
        expect(call.ask - put.bid).toBeGreaterThanOrEqual(worth(forward.bid) - 1e-12);
        const tick = 10 ** -any!.priceDecimals;
        expect(Math.abs(mid(call) - mid(put) - worth(mid(forward)))).toBeLessThan(2 * tick);
      }
    }
  });

  it('leave nothing to verticals and butterflies', () => {
    for (const family of families) {
      const pairs = pairsOf(exchange, family);
      for (let low = 0; low < pairs.length - 1; low += 1) {
        const [a, b, c] = [pairs[low]!, pairs[low + 1]!, pairs[low + 2]];
        expect(b.call.bid).toBeLessThan(a.call.ask);
        expect(a.put.bid).toBeLessThan(b.put.ask);
        if (c === undefined) continue;
        const weight = (c.strike - b.strike) / (c.strike - a.strike);
        expect(weight * a.call.ask + (1 - weight) * c.call.ask).toBeGreaterThan(b.call.bid);
        expect(weight * a.put.ask + (1 - weight) * c.put.ask).toBeGreaterThan(b.put.bid);
      }
    }
  });

  it('price a later call above an earlier one of its strike', () => {
    const byStrike = Map.groupBy(
      options,
      ({ base, settle, strike, right }) => `${base} ${settle} ${strike!.toFixed()} ${right}`,
    );
    for (const series of byStrike.values()) {
      const prices = series
        .toSorted((a, b) => a.expiryMs! - b.expiryMs!)
        .map((listing) => mid(quoteOf(exchange, listing)));
      if (series[0]!.right === 'call')
        for (let at = 1; at < prices.length; at += 1) expect(prices[at]).toBeGreaterThan(prices[at - 1]!);
    }
  });
});

const mid = ({ bid, ask }: Quote): number => (bid + ask) / 2;

/** Nothing is bid for what is worth less than a tick. */
function quoteOf(exchange: Exchange, listing: Listing): Quote {
  const { bids, asks } = exchange.engine(listing);
  return {
    bid: priceOf(listing, bids.best()?.price ?? 0).toNumber(),
    ask: priceOf(listing, asks.best()!.price).toNumber(),
  };
}

function pairsOf(
  exchange: Exchange,
  family: readonly Listing[],
): readonly { readonly strike: number; readonly call: Quote; readonly put: Quote }[] {
  const byStrike = Map.groupBy(family, ({ strike }) => strike!.toNumber());
  return [...byStrike]
    .toSorted(([a], [b]) => a - b)
    .map(([strike, both]) => ({
      strike,
      call: quoteOf(
        exchange,
        both.find(({ right }) => right === 'call')!,
      ),
      put: quoteOf(
        exchange,
        both.find(({ right }) => right === 'put')!,
      ),
    }));
}
