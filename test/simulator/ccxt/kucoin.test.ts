import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'kucoin',
  // The unified account; books in the classic form, because ccxt 4.5.84 looks for `bids` and `asks` where unified deltas have `b` and `a`.
  options: { uta: true, watchOrderBook: { uta: false } },
  symbols: ['BTC/USDT', 'SOL/ETH'],
  limit: ['ETH/USDT', 0.5, 2_000.5],
  market: ['BTC/USDT', 0.05],
  ioc: ['SOL/USDT', 100],
  watchesOrders: true,
  fetchesTrades: true,
  missing: '1',
  wrongSecret: ccxt.AuthenticationError,
  tooDear: ['BTC/USDT', 1_000, 90_000],
  // KuCoin knows no "expired": it cancels.
  statusOf: (status) => (status === 'expired' ? 'canceled' : status === 'filled' ? 'closed' : status),
  perpetuals: [
    ['BTC/USDT:USDT', 50],
    ['BTC/USD:BTC', 100],
  ],
  without: [
    'orders over WebSocket: ccxt has none for this venue',
    'books of contracts by socket: of the unified form ccxt drops every delta, and the classic one is here for spot alone',
  ],
});
