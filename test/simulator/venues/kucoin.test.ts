import { describe, expect, it } from 'vitest';
import { kucoin } from '#hotpath/venues/kucoin.ts';
import type { OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import { socketTo, virtualRun } from '../venue-client.ts';
import type { Suite } from './account-suite.ts';
import {
  asked,
  contextOf,
  instrumentsOf,
  marketOf,
  placeOf,
  valueOf,
  Private,
  describeMarketData,
  describeOrders,
} from './account-suite.ts';

/** Our own reading of KuCoin against the simulated one. */
const refusals: Suite['refusals'] = {
  spot: [
    ['a price off the tick', { price: '50000.01' }, 'invalid-order'],
    ['too little money', { qty: '900' }, 'insufficient-funds'],
    ['too small a quantity', { qty: '0.000001' }, 'below-minimum'],
    ['too small a value', { qty: '0.00001', price: '1000' }, 'below-minimum'],
  ],
  futures: [
    ['a price off the tick', { price: '50000.01' }, 'invalid-order'],
    ['too little money', { qty: '900000000' }, 'insufficient-funds'],
    ['nothing to reduce', { reduceOnly: true, side: 'sell' }, 'reduce-only'],
  ],
};

const suite: Suite = {
  venue: kucoin,
  markets: ['spot', 'futures'],
  orders: [
    ['spot', 'BTC/USDT'],
    ['futures', 'BTC/USDT:USDT'],
    ['futures', 'BTC/USD:BTC'],
  ],
  refusals,
  rateLimitedCode: '429000',
  orderLimit: 'unified',
};
describeMarketData(suite);
describeOrders(suite);

describe('a session for orders', () => {
  const [account] = kucoin.accounts!;

  it('is not opened to a stranger', () => {
    const run = virtualRun(43, { venues: ['kucoin'], symbols: ['BTC/USDT'] });
    const wire = new Private(run, account!, 'orders', contextOf(run, { secret: 'wrong' }));
    expect(wire.opening).toEqual([]);
    expect(wire.closes).toEqual([1008]);
  });

  it('takes nothing before it is proven', () => {
    const run = virtualRun(44, { venues: ['kucoin'], symbols: ['BTC/USDT'] });
    const spec = account!.sockets.find(({ carries }) => carries.includes('orders'))!;
    const socket = socketTo(run.simulator, placeOf(spec.wsUrl + spec.path!(contextOf(run), '')));
    const [challenge] = socket.take().flatMap((frame) => spec.decode(Buffer.from(frame)));
    expect(challenge).toMatchObject({ kind: 'challenge' });
    socket.send(JSON.stringify({ id: '1', op: 'uta.order', args: {} }));
    expect(socket.closes).toEqual([1008]);
  });

  it('tells why a post-only order ended', () => {
    const run = virtualRun(45, { venues: ['kucoin'], symbols: ['BTC/USDT'] });
    const [instrument] = instrumentsOf(run, marketOf(kucoin, 'spot'));
    const stream = new Private(run, account!, 'events');
    const order: OrderTicket = {
      clientOrderId: 'a000100000001' as ClientOrderId,
      instrument: instrument!,
      side: 'buy',
      type: 'limit',
      price: '200000',
      qty: '0.02',
      timeInForce: 'GTC',
      postOnly: true,
      reduceOnly: false,
    };
    valueOf(asked(run, account!, account!.rest.place(order, contextOf(run))));
    const told = stream.take().filter((event) => event.kind === 'order');
    expect(told.map(({ order: { status } }) => status)).toEqual(['open', 'expired']);
  });
});
