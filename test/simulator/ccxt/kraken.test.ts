import { exerciseCcxt } from './suite.ts';

exerciseCcxt({
  venue: 'kraken',
  symbols: ['BTC/USDT', 'SOL/ETH', 'BTC/USD'],
  limit: ['ETH/USDT', 0.5, 2_000.5],
  market: ['BTC/USDT', 0.05],
  ioc: ['SOL/USDT', 100],
  orderWs: { order: ['LTC/USDT', 1, 50], cancelNamesSymbol: false },
  watchesOrders: true,
  fetchesTrades: true,
  missing: 'OAAAAA-AAAAA-AAAAAA',
  wrongSecret: 'EAPI:Invalid signature',
  tooDear: ['BTC/USDT', 1_000, 90_000],
  idOf: (id) => id.toString(36).toUpperCase(),
  perpetuals: [],
});
