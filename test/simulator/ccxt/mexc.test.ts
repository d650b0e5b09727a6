import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'mexc',
  // ccxt reads the spot socket with protobufjs alone, which the project does without.
  symbols: ['BTC/USDT:USDT', 'ETH/USDT:USDT'],
  limit: ['ETH/USDT', 0.5, 2_000.5],
  market: ['BTC/USDT', 0.05],
  ioc: ['SOL/USDT', 100],
  watchesOrders: false,
  fetchesTrades: true,
  wrongSecret: ccxt.AuthenticationError,
  tooDear: ['BTC/USDT', 1_000, 90_000],
  // MEXC knows no "expired": it cancels.
  statusOf: (status) => (status === 'expired' ? 'canceled' : status === 'filled' ? 'closed' : status),
  perpetuals: [
    ['BTC/USDT:USDT', 50],
    ['ETH/USDT:USDT', 20],
  ],
  without: [
    'spot books and orders over WebSocket: ccxt wants protobufjs installed beside it',
    'an order that does not exist: ccxt has no word for -2013',
    'orders over WebSocket: MEXC takes none',
    'IOC of futures: ccxt sends a resting order',
  ],
});
