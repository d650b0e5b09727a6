import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { LiveWorld } from './live-world.ts';
import { LIVE_VENUES, liveConfig, liveWorld, ordersAt } from './live-world.ts';

let world: LiveWorld | undefined;
afterEach(() => {
  if (world === undefined) return;
  world.engine.finish('test');
  rmSync(dirname(world.journalDir), { recursive: true, force: true });
});

describe('an engine in shadow mode', () => {
  it('starts with what the venues hold, records orders and what became of them, and sends none', async () => {
    const live = liveConfig();
    world = await liveWorld({ ...live, engine: { ...live.engine, mode: 'shadow' } });
    world.engine.start();
    world.forward(30_000);
    world.engine.drain();
    world.forward(30_000);
    expect(world.events('engine-started')).toMatchObject([{ mode: 'shadow' }]);
    const first = world.events('balance').find(({ venue, asset }) => venue === 'binance' && asset === 'SOL');
    expect(first?.total).toBe(DEFAULT_ACCOUNT.balances['SOL']);
    const orders = world.events('order');
    expect(orders.length).toBeGreaterThan(20);
    const statuses = new Set(orders.map(({ status }) => status));
    expect(statuses.has('filled')).toBe(true);
    // What paper would have filled, later trades did not prove.
    expect(statuses.has('expired')).toBe(true);
    expect(world.engine.feed.status().every(({ prints = 0 }) => prints > 0)).toBe(true);
    for (const venue of LIVE_VENUES) expect(ordersAt(world.simulator.exchange(venue))).toEqual([]);
  });

  it('leaves alone what another engine has resting on the same account', async () => {
    const live = liveConfig();
    world = await liveWorld({ ...live, engine: { ...live.engine, mode: 'shadow' } });
    const exchange = world.simulator.exchange('binance');
    const listing = exchange.listings.find(({ symbol, kind }) => symbol === 'BTC/USDT' && kind === 'spot')!;
    exchange.place({
      account: exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!,
      listing,
      postOnly: false,
      qtyIn: 'base',
      qty: '0.01',
      clientOrderId: 'a000100zzzz00',
      side: 'buy',
      type: 'limit',
      timeInForce: 'GTC',
      price: (exchange.mid(listing)! * 0.5).toFixed(2),
    });
    world.engine.start();
    world.forward(5_000);
    world.command({ kind: 'emergency-stop', reason: 'drill' });
    world.forward(5_000);
    expect(world.engine.trading.state).toBe('halted');
    expect(ordersAt(exchange).map(({ status }) => status)).toEqual(['open']);
  });
});
