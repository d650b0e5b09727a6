import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'htx',
  // Without coin-margined contracts, of which there are none.
  options: { fetchMarkets: { types: { spot: true, linear: true, inverse: false } } },
  symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USDT:USDT'],
  limit: ['ETH/USDT', 0.5, 2_000.5],
  market: ['BTC/USDT', 0.05],
  ioc: ['SOL/USDT', 100],
  watchesOrders: false,
  fetchesTrades: true,
  missing: '1',
  wrongSecret: ccxt.AuthenticationError,
  tooDear: ['BTC/USDT', 1_000, 90_000],
  // HTX knows no "expired": it cancels.
  statusOf: (status) => (status === 'expired' ? 'canceled' : status === 'filled' ? 'closed' : status),
  perpetuals: [
    ['BTC/USDT:USDT', 50],
    ['ETH/USDT:USDT', 20],
  ],
  without: [
    'watchOrders: ccxt signs the whole URL instead of its path when the host is moved',
    'orders over WebSocket: ccxt has none here',
  ],
});
