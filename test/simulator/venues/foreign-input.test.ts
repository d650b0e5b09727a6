import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { socketTo, virtualRun } from '../venue-client.ts';

const METHODS = [
  'SUBSCRIBE',
  'UNSUBSCRIBE',
  'order.place',
  'order.cancel',
  'depth',
  'subscribe',
  'unsubscribe',
  'login',
  'order',
  'cancel-order',
  'batch-orders',
  'add_order',
  'cancel_order',
  'ping',
  'x',
];
const NAMES = [
  'channel',
  'symbol',
  'instId',
  'instIdCode',
  'depth',
  'token',
  'price',
  'px',
  'sz',
  'args',
  'order_id',
  'apiKey',
  'timestamp',
  'signature',
  'limit',
  'side',
  'type',
];

const leaf = fc.oneof(
  fc.constantFrom(
    'book',
    'books',
    'trades',
    'BTC/USDT',
    'BTC-USDT',
    'BTCUSDT',
    'btcusdt@depth',
    DEFAULT_ACCOUNT.apiKey,
    'buy',
    '1e999',
    '-1',
    'NaN',
  ),
  fc.json(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const fields = fc.dictionary(fc.constantFrom(...NAMES), fc.oneof(leaf, fc.array(leaf, { maxLength: 3 })), {
  maxKeys: 6,
});
const message = fc.record({
  method: fc.option(fc.constantFrom(...METHODS), { nil: undefined }),
  op: fc.option(fc.constantFrom(...METHODS), { nil: undefined }),
  id: leaf,
  params: fc.oneof(fields, fc.array(leaf, { maxLength: 3 }), leaf),
  args: fc.oneof(fc.array(fields, { maxLength: 3 }), leaf),
});
const text = fc.oneof(
  { weight: 4, arbitrary: message.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.json() },
);

const SOCKETS = [
  '/binance/spot/ws',
  '/binance/spot/stream',
  '/binance/spot/ws-api/v3',
  '/binance/usdm/ws-fapi/v1',
  '/okx/ws/v5/private',
  '/kraken/v2',
];
const PATHS = [
  ['GET', '/binance/spot/api/v3/depth'],
  ['POST', '/binance/spot/api/v3/order'],
  ['GET', '/binance/coinm/dapi/v1/account'],
  ['GET', '/okx/api/v5/market/books'],
  ['POST', '/okx/api/v5/trade/order'],
  ['GET', '/kraken/0/public/Depth'],
  ['POST', '/kraken/0/private/AddOrder'],
  ['GET', '/okx'],
  ['GET', '/binance/'],
] as const;

describe('foreign input', () => {
  it('is answered or ignored by every socket, never thrown at', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SOCKETS), fc.array(text, { maxLength: 8 }), (path, texts) => {
        const { simulator, forward } = virtualRun(1, { symbols: ['BTC/USDT', 'BTC/USDT:USDT'] });
        const socket = socketTo(simulator, path);
        for (const each of texts) socket.send(each);
        forward(300);
      }),
      { numRuns: 150 },
    );
  });

  it('gets an answer from every endpoint', () => {
    const { simulator } = virtualRun(1, { symbols: ['BTC/USDT', 'BTC/USD:BTC'] });
    const headers = {
      'x-mbx-apikey': DEFAULT_ACCOUNT.apiKey,
      'ok-access-key': DEFAULT_ACCOUNT.apiKey,
      'api-key': DEFAULT_ACCOUNT.apiKey,
    };
    fc.assert(
      fc.property(
        fc.constantFrom(...PATHS),
        fc.string(),
        fields,
        fc.string(),
        ([method, path], query, params, tail) => {
          const pairs = Object.entries(params).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
          for (const url of [`${path}?${pairs.join('&')}`, `${path}?${query}`, path + tail]) {
            const reply = simulator.request({
              method,
              path: url,
              headers,
              body: method === 'POST' ? JSON.stringify(params) : '',
            });
            expect(reply.status).toBeLessThan(500);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('that floods a Binance stream socket ends it', () => {
    const { simulator } = virtualRun(1, { symbols: ['BTC/USDT'] });
    const socket = socketTo(simulator, '/binance/spot/ws');
    for (let at = 0; at < 6; at += 1) socket.send({ method: 'LIST_SUBSCRIPTIONS', id: at });
    expect(socket.closes).toEqual([1008]);
    expect(socket.frames).toHaveLength(5);
  });
});
