import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import { differences, liveConfig, liveWorld, ordersAt } from '../hotpath/live/live-world.ts';

const SYMBOLS = ['BTC/USDT', 'BTC/USDT:USDT', 'BTC/USD:BTC', 'BTC/USD:USD', 'BTC/USD:BTC-270326'];

it('trades for real with every account of every venue at once, and is exact at rest', async () => {
  const { engine, simulator, verification, ...config } = liveConfig();
  const everywhere = venues.map(({ id }) => id);
  const world = await liveWorld({
    ...config,
    engine: { ...engine, venues: everywhere, symbols: SYMBOLS },
    simulator: { ...simulator, dislocations_per_minute: 400 },
    verification: { ...verification, every_ms: 10_000 },
  });
  world.engine.start();
  world.forward(40_000);
  const accounts = venues.flatMap(({ id, accounts: all = [] }) => all.map((account) => `${id} ${account.id}`));
  const statuses = world.engine.accounts!.statuses();
  expect(statuses.map(({ venue, account }) => `${venue} ${account}`).toSorted()).toEqual(accounts.toSorted());
  expect(statuses.filter(({ verified, status }) => !verified || status !== 'live')).toEqual([]);

  world.engine.drain();
  for (let second = 0; second < 60 && !world.engine.idle; second += 1) world.forward(1_000);
  world.forward(15_000);
  expect(world.engine.executor.counts).toMatchObject({ open: 0, failed: 0 });
  expect(differences(world, everywhere)).toEqual([]);
  expect(world.events('mismatch')).toEqual([]);
  const used = everywhere.filter((venue) => ordersAt(world.simulator.exchange(venue)).length > 0);
  process.stdout.write(
    `live at ${String(accounts.length)} accounts of ${String(everywhere.length)} venues: ` +
      `${String(world.engine.executor.counts.completed)} operations, ${String(world.engine.ledger.fills)} fills, orders at ${String(used.length)}\n`,
  );
  expect(used.length).toBeGreaterThanOrEqual(8);
  world.engine.finish('test');
  rmSync(dirname(world.journalDir), { recursive: true, force: true });
});
