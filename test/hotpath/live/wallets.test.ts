import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { Decimal } from 'decimal.js';
import { expect, it } from 'vitest';
import type { InstrumentId } from '#shared/domain/ids.ts';
import { amountOf, type Price, type Qty } from '#shared/money/grid.ts';
import { liveConfig, liveWorld } from './live-world.ts';

it('counts what each wallet bears where a venue keeps its accounts apart', async () => {
  const world = await liveWorld(liveConfig());
  world.engine.start();
  world.forward(1_500);
  const leg = (id: string, qty: string) => ({
    instrument: id as InstrumentId,
    side: 'buy' as const,
    price: new Decimal(60_000) as Price,
    qty: new Decimal(qty) as Qty,
    expectedPrice: new Decimal(60_000),
    notional: amountOf(new Decimal(60_000).times(qty)),
  });
  const { accounts } = world.engine;
  // 500,000 in each of Binance's wallets; OKX has but one.
  expect(accounts!.shortWallet({ legs: [leg('binance:BTC/USDT', '8')] })).toBeUndefined();
  expect(accounts!.shortWallet({ legs: [leg('binance:BTC/USDT', '9')] })).toMatch(/^wallet=binance spot USDT, needed=/);
  const both = [leg('binance:BTC/USDT', '8'), leg('binance:BTC/USDT:USDT', '8')];
  expect(accounts!.shortWallet({ legs: both })).toBeUndefined();
  expect(accounts!.shortWallet({ legs: [...both, leg('binance:BTC/USDT', '1')] })).toMatch(/binance spot USDT/);
  expect(accounts!.shortWallet({ legs: [leg('okx:BTC/USDT', '9')] })).toBeUndefined();
  world.engine.finish('test');
  rmSync(dirname(world.journalDir), { recursive: true, force: true });
});
