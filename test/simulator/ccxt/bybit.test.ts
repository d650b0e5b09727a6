import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'bybit',
  // By its manual: ccxt finds an order by id only among the last 500, and wants to hear that one knows.
  options: { fetchOrder: { acknowledged: true } },
  symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USDT:USDT', 'BTC/USD:BTC', 'BTC/USDT:USDT-261225-90000-C'],
  limit: ['ETH/USDT', 0.5, 2_000.5],
  market: ['BTC/USDT', 0.05],
  ioc: ['SOL/USDT', 100],
  orderWs: { order: ['LTC/USDT', 1, 50], cancelNamesSymbol: true },
  watchesOrders: true,
  fetchesTrades: true,
  missing: '1',
  wrongSecret: ccxt.AuthenticationError,
  tooDear: ['BTC/USDT', 1_000, 90_000],
  // Bybit knows no "expired": it cancels.
  statusOf: (status) => (status === 'expired' ? 'canceled' : status === 'filled' ? 'closed' : status),
  perpetuals: [
    ['BTC/USDT:USDT', 0.05],
    ['BTC/USD:BTC', 100],
  ],
});
