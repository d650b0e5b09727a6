import { Decimal } from 'decimal.js';
import { expect, it } from 'vitest';
import { recoveryMarketFrom } from '#hotpath/recover/recovery-market.ts';
import type { Asset, InstrumentIndex } from '#shared/domain/ids.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import { instrumentOf } from '../execute/trading.ts';

const btc = instrumentOf('a:BTC/USDT' as never)!;

it('shows a taker the other side of a live book, exactly, and nothing of any other', () => {
  let status: BookStatus = 'live';
  const write = (price: number) => (_: InstrumentIndex, prices: Float64Array, qtys: Float64Array) => {
    [prices[0], qtys[0]] = [price, 0.1];
    return 1;
  };
  const market = recoveryMarketFrom({
    depths: { status: () => status, asks: write(100.01), bids: write(99.99), ageMs: () => 0 },
    indexOf: () => 0 as InstrumentIndex,
    needOf: () => ({ asset: 'BTC' as Asset, amount: new Decimal(1) }),
    underlyingOf: () => new Decimal(1),
    freeOf: (venue, asset) => new Decimal(venue === 'a' && asset === 'BTC' ? '1.5' : 0),
  });
  const texts = (side: 'buy' | 'sell'): string[] =>
    market.levels(btc, side).map(({ price, qty }) => `${qty.toFixed()}@${price.toFixed()}`);
  expect(texts('buy')).toEqual(['0.1@100.01']);
  expect(texts('sell')).toEqual(['0.1@99.99']);
  expect(market.freeOf(btc, 'BTC').toFixed()).toBe('1.5');
  for (status of ['stale', 'syncing', 'crossed', 'gap'] as const) expect(texts('buy')).toEqual([]);
});
