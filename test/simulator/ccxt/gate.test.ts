import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'gate',
  symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USDT:USDT'],
  limit: ['ETH/USDT', 0.5, 2_000.5],
  market: ['BTC/USDT', 0.05],
  ioc: ['SOL/USDT', 100],
  orderWs: { order: ['LTC/USDT', 1, 50], cancelNamesSymbol: true },
  watchesOrders: true,
  fetchesTrades: true,
  missing: '1',
  wrongSecret: ccxt.AuthenticationError,
  tooDear: ['BTC/USDT', 1_000, 90_000],
  perpetuals: [
    ['BTC/USDT:USDT', 50],
    ['ETH/USDT:USDT', 20],
  ],
});
