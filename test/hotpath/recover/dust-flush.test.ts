import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DustFlush, DustMarket, DustRules } from '#hotpath/recover/dust-flush.ts';
import { dustFlushes } from '#hotpath/recover/dust-flush.ts';
import type { Weather } from './recovery-world.ts';
import { A_BTC, B_BTC, C_BTC, C_USD, fairOf, LISTED, marketOf, P_BTC, RATES } from './recovery-world.ts';

const RULES: DustRules = { flushUsd: 25, slackBps: 10, quotes: new Set(['USDT']), numeraire: 'USDT' };
const rates: Readonly<Record<string, Decimal>> = RATES;
const market = (weather: Weather = {}, more: Partial<DustMarket> = {}): DustMarket => ({
  ...marketOf(weather),
  instruments: LISTED,
  rateOf: (asset) => rates[asset],
  ...more,
});
const flush = (dust: Readonly<Record<string, Decimal.Value>>, weather: Weather = {}): readonly DustFlush[] =>
  dustFlushes(
    new Map(Object.entries(dust).map(([asset, amount]) => [asset, new Decimal(amount)])),
    market(weather),
    RULES,
  );
const wordsOf = (orders: readonly DustFlush[]): string =>
  orders.map(({ side, qty, instrument }) => `${side} ${qty.toFixed()} ${instrument.id}`).join(', ');

describe('dustFlushes', () => {
  it('sells what is worth it where it brings most, and buys back what is owed', () => {
    // a charges 10 bps, c 12, b 16.
    expect(wordsOf(flush({ BTC: '0.00123' }))).toBe('sell 0.0012 a:BTC/USDT');
    expect(wordsOf(flush({ BTC: '0.00123' }, { moves: new Map([[B_BTC, 10]]) }))).toBe('sell 0.0012 b:BTC/USDT');
    expect(wordsOf(flush({ BTC: '-0.00123' }, { away: [A_BTC] }))).toBe('buy 0.0012 c:BTC/USDT');
  });

  it('leaves what is worth too little, and what nobody can value', () => {
    expect(wordsOf(flush({ BTC: '0.00049' }))).toBe('');
    expect(wordsOf(flush({ BTC: '0.0005' }))).toBe('sell 0.0005 a:BTC/USDT');
    expect(wordsOf(flush({ USDT: 500, DOGE: 1e6, BTC: 0 }))).toBe('');
  });

  it('sells every asset by itself', () => {
    const dust = { ETH: '0.02', BTC: '0.0018' };
    expect(wordsOf(flush(dust))).toBe('sell 0.02 a:ETH/USDT, sell 0.0018 a:BTC/USDT');
    expect(wordsOf(flush(dust, { away: [A_BTC, B_BTC, C_BTC] }))).toBe('sell 0.02 a:ETH/USDT');
  });

  it('needs a live book, enough of it, and the coins where it sells', () => {
    expect(wordsOf(flush({ BTC: '0.0012' }, { away: [A_BTC, B_BTC, C_BTC] }))).toBe('');
    expect(wordsOf(flush({ BTC: '0.0012' }, { free: ({ venue }) => (venue === 'b' ? 1 : 0) }))).toBe(
      'sell 0.0012 b:BTC/USDT',
    );
    // Two levels of two lots: ten dollars each is too little on c alone.
    expect(wordsOf(flush({ BTC: '0.0012' }, { depthOf: () => '0.0002' }))).toBe('sell 0.0004 a:BTC/USDT');
    expect(wordsOf(flush({ BTC: '0.0012' }, { depthOf: () => '0.00001' }))).toBe('');
  });

  it('turns dust into what it may be turned into only', () => {
    const others = LISTED.filter(({ symbol }) => symbol !== 'BTC/USDT');
    const dust = new Map([['BTC', new Decimal('0.0012')]]);
    expect(dustFlushes(dust, market({}, { instruments: others }), RULES)).toEqual([]);
    const rateOf = (asset: string): Decimal | undefined => (asset === 'USD' ? new Decimal(1) : rates[asset]);
    const dollars = { ...RULES, quotes: new Set(['USD']) };
    expect(wordsOf(dustFlushes(dust, market({}, { rateOf }), dollars))).toBe(`sell 0.0012 ${C_USD.id}`);
    // Nobody says what a dollar is worth.
    expect(dustFlushes(dust, market(), dollars)).toEqual([]);
  });

  it('closes contracts on their own book', () => {
    expect(wordsOf(flush({ [P_BTC.id]: -2 }))).toBe(`buy 2 ${P_BTC.id}`);
    expect(wordsOf(flush({ [P_BTC.id]: 3 }, { away: [P_BTC] }))).toBe('');
  });

  it('never trades more than there is, below the smallest order, or off the grid', () => {
    const scenario = fc.record({
      btc: fc.integer({ min: -50_000, max: 50_000 }),
      eth: fc.integer({ min: -50_000, max: 50_000 }),
      moves: fc.array(fc.integer({ min: -50, max: 50 }), { minLength: LISTED.length, maxLength: LISTED.length }),
      depth: fc.constantFrom('0.0003', '0.004', '100'),
    });
    let sent = 0;
    fc.assert(
      fc.property(scenario, ({ btc, eth, moves, depth }) => {
        const dust = { BTC: new Decimal(btc).div(1e6), ETH: new Decimal(eth).div(1e5) };
        const weather = { moves: new Map(LISTED.map((on, at) => [on, moves[at]!])), depthOf: () => depth };
        for (const { instrument: on, side, qty, price } of flush(dust, weather)) {
          sent += 1;
          const amount = dust[on.base as 'BTC'];
          expect(side).toBe(amount.gt(0) ? 'sell' : 'buy');
          expect(qty.lte(amount.abs()) && qty.gte(on.minQty) && qty.mod(on.lot).isZero()).toBe(true);
          expect(qty.times(price).gte(on.minNotional) && price.mod(on.tick).isZero()).toBe(true);
          expect(price.div(fairOf(on)).minus(1).abs().toNumber()).toBeLessThan(0.01);
        }
      }),
      { numRuns: 500 },
    );
    expect(sent).toBeGreaterThan(200);
  });
});
