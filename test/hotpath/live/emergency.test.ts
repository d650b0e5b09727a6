import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { LiveWorld } from './live-world.ts';
import { LIVE_VENUES, liveConfig, liveWorld, ordersAt } from './live-world.ts';

const worlds: LiveWorld[] = [];
async function started(config = liveConfig()): Promise<LiveWorld> {
  // Kraken counts a question more than it has room for: those of every ten seconds leave some to cancels.
  const world = await liveWorld({ ...config, verification: { ...config.verification, every_ms: 10_000 } });
  worlds.push(world);
  world.engine.start();
  world.forward(8_000);
  return world;
}
afterEach(() => {
  for (const { engine, journalDir } of worlds.splice(0)) {
    engine.finish('test');
    rmSync(dirname(journalDir), { recursive: true, force: true });
  }
});

const openAt = ({ simulator }: LiveWorld): number =>
  LIVE_VENUES.reduce(
    (sum, venue) => sum + ordersAt(simulator.exchange(venue)).filter(({ status }) => status === 'open').length,
    0,
  );

/** A bid far below every book: it rests. */
function rest(world: LiveWorld, venue: string): void {
  const order = { type: 'limit', qty: '0.01', price: '20000', time_in_force: 'GTC' } as const;
  world.command({ kind: 'order', instrument: `${venue}:BTC/USDT`, side: 'buy', ...order });
}

const stop = (world: LiveWorld): void => world.command({ kind: 'emergency-stop', reason: 'fire' });
const states = (world: LiveWorld): readonly string[] => world.events('emergency-stop').map(({ state }) => state);

it('sends nothing more, cancels everything, and says so once the venues have', async () => {
  const world = await started();
  for (const venue of LIVE_VENUES) rest(world, venue);
  world.forward(500);
  expect(openAt(world)).toBeGreaterThanOrEqual(3);
  stop(world);
  const sent = world.events('order').length;
  world.forward(3_000);
  expect(states(world)).toEqual(['started', 'verified']);
  const { accounts } = world.events('emergency-stop').at(-1)!;
  expect(accounts.map(({ venue, account }) => `${venue} ${account}`)).toEqual([
    'binance spot',
    'binance usdm',
    'okx unified',
    'kraken spot',
  ]);
  expect(accounts.every(({ left }) => left === 0)).toBe(true);
  expect(accounts.reduce((sum, { open }) => sum + open, 0)).toBeGreaterThanOrEqual(3);
  expect(openAt(world)).toBe(0);
  world.forward(20_000);
  const placed = world.events('order').filter(({ status }) => status === 'submitted');
  const before = new Set(
    world
      .events('order')
      .slice(0, sent)
      .map(({ client_order_id: id }) => id),
  );
  expect(placed.filter(({ client_order_id: id }) => !before.has(id))).toEqual([]);
  expect(world.engine.trading).toMatchObject({ state: 'halted', reason: 'fire' });
});

it('goes on trying while a venue does not answer, and says that it has failed', async () => {
  const world = await started();
  rest(world, 'kraken');
  world.forward(500);
  world.simulator.fault({ kind: 'server-error', venue: 'kraken', market: 'spot', duration_ms: 30_000 });
  stop(world);
  world.forward(25_000);
  expect(states(world)).toEqual(['started', 'failed']);
  const failed = world.events('emergency-stop').at(-1)!.accounts;
  expect(failed.filter(({ left }) => left > 0).map(({ venue }) => venue)).toEqual(['kraken']);
  world.forward(60_000);
  expect(states(world)).toEqual(['started', 'failed', 'verified']);
  expect(openAt(world)).toBe(0);
});

it('ends with a start', async () => {
  const world = await started();
  stop(world);
  world.forward(5_000);
  const before = ordersAt(world.simulator.exchange('okx')).length;
  world.command({ kind: 'start', reason: 'the fire is out' });
  world.forward(20_000);
  expect(world.engine.trading.state).toBe('active');
  expect(ordersAt(world.simulator.exchange('okx')).length).toBeGreaterThan(before);
});

it('cancels what rests on paper', async () => {
  const config = liveConfig();
  const world = await started({ ...config, engine: { ...config.engine, mode: 'paper' } });
  rest(world, 'okx');
  world.forward(500);
  expect(world.engine.executor.restingOrders()).toHaveLength(1);
  stop(world);
  world.forward(1_000);
  expect(states(world)).toEqual(['started', 'verified']);
  expect(world.events('emergency-stop').at(-1)!.accounts).toMatchObject([{ venue: 'paper', open: 1, left: 0 }]);
  expect(world.engine.executor.restingOrders()).toEqual([]);
});

it.each(['live', 'paper'] as const)(
  'outlives a restart on %s: the fence stays closed, the venues are asked again',
  async (mode) => {
    const config = liveConfig();
    const world = await started({ ...config, engine: { ...config.engine, mode } });
    rest(world, 'okx');
    stop(world);
    const again = await world.restarted();
    worlds.splice(0, 1, again);
    again.engine.start();
    const before = again.events('order').filter(({ status }) => status === 'submitted').length;
    again.forward(25_000);
    expect(again.engine.control.fence()).toBe('EMERGENCY_STOP: fire');
    expect(again.events('order').filter(({ status }) => status === 'submitted')).toHaveLength(before);
    // On paper nobody answers for an order of an earlier start until that is certain.
    expect(states(again).at(-1)).toBe('verified');
    expect(again.engine.executor.restingOrders()).toEqual([]);
    expect(openAt(again)).toBe(0);
    again.command({ kind: 'start', reason: 'the fire is out' });
    const active = await again.restarted();
    worlds.splice(0, 1, active);
    active.engine.start();
    expect(active.engine.control.fence()).toBeUndefined();
  },
);
