import { describe, expect, it } from 'vitest';
import { gate } from '#hotpath/venues/gate.ts';
import { virtualRun } from '../venue-client.ts';
import type { Refusable, Suite } from './account-suite.ts';
import { asked, contextOf, valueOf, Private, describeMarketData, describeOrders } from './account-suite.ts';

/** Our own reading of Gate against the simulated one. */
const everywhere: readonly Refusable[] = [
  ['a post-only price that takes', { postOnly: true, price: '200000' }, 'would-take'],
  ['a price off the tick', { price: '50000.01' }, 'invalid-order'],
];
const refusals: Suite['refusals'] = {
  spot: [
    ...everywhere,
    ['too little money', { qty: '900' }, 'insufficient-funds'],
    ['too small a quantity', { qty: '0.000001' }, 'below-minimum'],
    ['too small a value', { qty: '0.0001', price: '1000' }, 'below-minimum'],
  ],
  usdt: [
    ...everywhere,
    ['too little money', { qty: '90000000' }, 'insufficient-funds'],
    ['nothing to reduce', { reduceOnly: true, side: 'sell' }, 'reduce-only'],
  ],
};

const suite: Suite = {
  venue: gate,
  markets: ['spot', 'usdt'],
  depth: 50,
  orders: [
    ['spot', 'BTC/USDT'],
    ['usdt', 'BTC/USDT:USDT'],
  ],
  refusals,
  rateLimitedCode: 'TOO_MANY_REQUESTS',
  orderLimit: 'orders',
};
describeMarketData(suite);
describeOrders(suite);

describe('a stranger', () => {
  it.each(['spot', 'usdt'])('is let into no private channel of %s', (id) => {
    const run = virtualRun(43, { venues: ['gate'], symbols: ['BTC/USDT', 'BTC/USDT:USDT'] });
    const account = gate.accounts!.find((each) => each.id === id)!;
    const wire = new Private(run, account, 'orders', contextOf(run, { secret: 'wrong' }));
    expect(wire.opening.map((event) => (event.kind === 'error' ? event.refusal.meaning : event.kind))).toEqual(
      Array.from({ length: 4 }, () => 'unauthorised'),
    );
  });

  it('has its number asked for once', () => {
    const run = virtualRun(44, { venues: ['gate'], symbols: ['BTC/USDT'] });
    const [account] = gate.accounts!;
    const [call] = account!.prepare!(contextOf(run));
    expect(valueOf(asked(run, account!, call!))).toEqual({ user: '100001', mode: '1' });
  });
});
