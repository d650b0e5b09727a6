import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'bitfinex',
  symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USDT:USDT'],
  limit: ['ETH/USDT', 0.5, 2_000.5],
  market: ['BTC/USDT', 0.05],
  ioc: ['SOL/USDT', 100],
  watchesOrders: true,
  fetchesTrades: true,
  fetchesEnded: false,
  // ccxt counts five significant digits.
  knowsGrids: false,
  wrongSecret: ccxt.AuthenticationError,
  tooDear: ['BTC/USDT', 1_000, 90_000],
  perpetuals: [['BTC/USDT:USDT', 0.05]],
  without: [
    'orders over the socket, and ended orders by their id: ccxt has neither here',
    'an order that never was: ccxt makes one of the empty answer',
  ],
});
