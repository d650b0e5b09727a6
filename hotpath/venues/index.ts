import { binance } from './binance.ts';
import { bitfinex } from './bitfinex.ts';
import { bitget } from './bitget.ts';
import { bybit } from './bybit.ts';
import { deribit } from './deribit.ts';
import { gate } from './gate.ts';
import { htx } from './htx.ts';
import { kraken } from './kraken.ts';
import { krakenfutures } from './krakenfutures.ts';
import { kucoin } from './kucoin.ts';
import { mexc } from './mexc.ts';
import { okx } from './okx.ts';
import type { Venue } from './venue.ts';

/** Every venue that may trade. A line here is a decision to send money there: it is reviewed as one. */
export const venues: readonly Venue[] = [
  binance,
  okx,
  kraken,
  bybit,
  gate,
  krakenfutures,
  kucoin,
  mexc,
  htx,
  bitfinex,
  deribit,
  bitget,
];
