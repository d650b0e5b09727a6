import ccxt from 'ccxt';
import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'binance',
  // Options are not among what ccxt loads by itself.
  options: { fetchMarkets: { types: ['spot', 'linear', 'inverse', 'option'] } },
  symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USDT:USDT', 'BTC/USD:BTC', 'BTC/USDT:USDT-270326-90000-C'],
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
    ['BTC/USDT:USDT', 0.05],
    ['BTC/USD:BTC', 10],
  ],
});
