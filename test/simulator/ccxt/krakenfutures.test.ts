import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'krakenfutures',
  symbols: ['BTC/USD:USD', 'ETH/USD:USD', 'BTC/USD:BTC'],
  limit: ['BTC/USD:USD', 0.05, 20_000],
  market: ['ETH/USD:USD', 0.5],
  watchesOrders: true,
  // ccxt computes fees of its own from the lowest tier, and leaves out the quantity of a fill.
  fetchesTrades: false,
  missing: '00000000-0000-4000-8880-ffffffffffff',
  wrongSecret: 'authenticationError',
  tooDear: ['BTC/USD:USD', 1_000, 90_000],
  idOf: (id) => id.toString(16).padStart(12, '0'),
  perpetuals: [
    ['BTC/USD:USD', 0.5],
    ['BTC/USD:BTC', 10_000],
  ],
  without: [
    'IOC: ccxt sends it as a limit order that rests',
    'orders over WebSocket: the venue takes none',
    'fees of fills: ccxt computes them itself',
  ],
});
