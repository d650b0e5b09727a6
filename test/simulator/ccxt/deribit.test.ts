import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'deribit',
  symbols: ['BTC/USD:BTC', 'BTC/USDC:USDC', 'BTC/USD:BTC-261225', 'BTC/USD:BTC-261225-90000-C'],
  limit: ['BTC/USD:BTC', 100, 50_000.5],
  market: ['BTC/USD:BTC-261225-90000-C', 0.2],
  ioc: ['BTC/USD:BTC-261225', 50_000],
  marginIsFree: false,
  watchesOrders: true,
  fetchesTrades: true,
  missing: '1',
  wrongSecret: ccxt.AuthenticationError,
  tooDear: ['BTC/USD:BTC', 90_000_000, 90_000],
  // Deribit knows no "expired": it cancels.
  statusOf: (status) => (status === 'expired' ? 'canceled' : status === 'filled' ? 'closed' : status),
  perpetuals: [
    ['BTC/USD:BTC', 100],
    ['BTC/USDC:USDC', 0.01],
    ['ETH/USD:ETH', 100],
  ],
  without: ['orders over WebSocket: ccxt has none for this venue'],
});
