import { Decimal } from 'decimal.js';
import { expect, it } from 'vitest';
import { LedgerWindow } from '#hotpath/live/ledger-window.ts';
import type { InstrumentId, VenueId } from '#shared/domain/ids.ts';

const OKX = 'okx' as VenueId;
const PERPETUAL = 'okx:BTC/USDT:USDT' as InstrumentId;

it('remembers every amount that the ledger had, each once in a row, and no more than it may', () => {
  const now = { total: 1, size: 5 };
  const window = new LedgerWindow(
    {
      assetsOf: () => ['USDT'],
      totalOf: () => new Decimal(now.total),
      positionOf: () => ({ size: new Decimal(now.size) }),
    },
    OKX,
    [PERPETUAL],
  );
  window.look();
  now.total = 2;
  window.look();
  now.size = -5;
  window.look();
  expect(window.balance('USDT').map(Number)).toEqual([1, 2]);
  expect(window.position(PERPETUAL).map(Number)).toEqual([5, -5]);
  expect(window.balance('BTC').map(Number)).toEqual([0]);
  expect(window.assets).toEqual(['USDT']);
  for (let total = 3; total < 1_000; total += 1) {
    now.total = total;
    window.look();
  }
  expect(window.balance('USDT')).toHaveLength(256);
  expect(window.balance('USDT').at(-1)!.toNumber()).toBe(999);
});
