import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'kucoin',
  // The unified account, and the depth that its books come in since July 2026.
  options: { uta: true, watchOrderBook: { utaDepth: 'increment@10ms' } },
  symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USDT:USDT'],
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
  without: ['orders over WebSocket: ccxt has none for this venue'],
});
