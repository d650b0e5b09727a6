import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DustFlush, DustMarket, DustRules } from '#hotpath/recover/dust-flush.ts';
import { dustFlush } from '#hotpath/recover/dust-flush.ts';
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
const flush = (dust: Readonly<Record<string, Decimal.Value>>, weather: Weather = {}): DustFlush | undefined =>
  dustFlush(
    new Map(Object.entries(dust).map(([asset, amount]) => [asset, new Decimal(amount)])),
    market(weather),
    RULES,
  );
const wordsOf = (order: DustFlush | undefined): string =>
  order === undefined ? 'nothing' : `${order.side} ${order.qty.toFixed()} ${order.instrument.id}`;

describe('dustFlush', () => {
  it('sells what is worth it where it brings most, and buys back what is owed', () => {
    // a charges 10 bps, c 12, b 16.
    expect(wordsOf(flush({ BTC: '0.00123' }))).toBe('sell 0.0012 a:BTC/USDT');
    expect(wordsOf(flush({ BTC: '0.00123' }, { moves: new Map([[B_BTC, 10]]) }))).toBe('sell 0.0012 b:BTC/USDT');
    expect(wordsOf(flush({ BTC: '-0.00123' }, { away: [A_BTC] }))).toBe('buy 0.0012 c:BTC/USDT');
  });

  it('leaves what is worth too little, or so much that it is no dust', () => {
    expect(wordsOf(flush({ BTC: '0.00049' }))).toBe('nothing');
    expect(wordsOf(flush({ BTC: '0.0005' }))).toBe('sell 0.0005 a:BTC/USDT');
    expect(wordsOf(flush({ BTC: '0.02' }))).toBe('sell 0.02 a:BTC/USDT');
    expect(wordsOf(flush({ BTC: '0.0201' }))).toBe('nothing');
    expect(wordsOf(flush({ USDT: 500, DOGE: 1e6 }))).toBe('nothing');
  });

  it('takes the most valuable first, and the next where that cannot be sold', () => {
    const dust = { ETH: '0.02', BTC: '0.0018' };
    expect(wordsOf(flush(dust))).toBe('sell 0.0018 a:BTC/USDT');
    expect(wordsOf(flush(dust, { away: [A_BTC, B_BTC, C_BTC] }))).toBe('sell 0.02 a:ETH/USDT');
  });

  it('needs a live book, enough of it, and the coins where it sells', () => {
    expect(wordsOf(flush({ BTC: '0.0012' }, { away: [A_BTC, B_BTC, C_BTC] }))).toBe('nothing');
    expect(wordsOf(flush({ BTC: '0.0012' }, { free: ({ venue }) => (venue === 'b' ? 1 : 0) }))).toBe(
      'sell 0.0012 b:BTC/USDT',
    );
    // Two levels of two lots: ten dollars each is too little on c alone.
    expect(wordsOf(flush({ BTC: '0.0012' }, { depthOf: () => '0.0002' }))).toBe('sell 0.0004 a:BTC/USDT');
    expect(wordsOf(flush({ BTC: '0.0012' }, { depthOf: () => '0.00001' }))).toBe('nothing');
  });

  it('turns dust into what it may be turned into only', () => {
    const others = LISTED.filter(({ symbol }) => symbol !== 'BTC/USDT');
    const dust = new Map([['BTC', new Decimal('0.0012')]]);
    expect(dustFlush(dust, market({}, { instruments: others }), RULES)).toBeUndefined();
    const rateOf = (asset: string): Decimal | undefined => (asset === 'USD' ? new Decimal(1) : rates[asset]);
    const dollars = { ...RULES, quotes: new Set(['USD']) };
    expect(wordsOf(dustFlush(dust, market({}, { rateOf }), dollars))).toBe(`sell 0.0012 ${C_USD.id}`);
    // Nobody says what a dollar is worth.
    expect(dustFlush(dust, market(), dollars)).toBeUndefined();
  });

  it('closes contracts on their own book', () => {
    expect(wordsOf(flush({ [P_BTC.id]: -2 }))).toBe(`buy 2 ${P_BTC.id}`);
    expect(wordsOf(flush({ [P_BTC.id]: 3 }, { away: [P_BTC] }))).toBe('nothing');
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
        const order = flush(dust, { moves: new Map(LISTED.map((on, at) => [on, moves[at]!])), depthOf: () => depth });
        if (order === undefined) return;
        sent += 1;
        const { instrument: on, side, qty, price } = order;
        const amount = dust[on.base as 'BTC'];
        expect(side).toBe(amount.gt(0) ? 'sell' : 'buy');
        expect(qty.lte(amount.abs()) && qty.gte(on.minQty) && qty.mod(on.lot).isZero()).toBe(true);
        expect(qty.times(price).gte(on.minNotional) && price.mod(on.tick).isZero()).toBe(true);
        expect(price.div(fairOf(on)).minus(1).abs().toNumber()).toBeLessThan(0.01);
      }),
      { numRuns: 500 },
    );
    expect(sent).toBeGreaterThan(200);
  });
});
