import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { LiveWorld } from './live-world.ts';
import { differences, LIVE_VENUES, liveConfig, liveWorld } from './live-world.ts';

let world: LiveWorld;
afterEach(() => {
  world.engine.finish('test');
  rmSync(dirname(world.journalDir), { recursive: true, force: true });
});

/** Venues of whose perpetual something is held. */
const heldVenues = ({ engine }: LiveWorld): readonly string[] =>
  engine.instruments
    .filter(
      ({ kind, id }) =>
        kind === 'perpetual' &&
        engine.holdings.open.some(({ legs }) => legs.some((leg) => leg.instrument === id && !leg.size.isZero())),
    )
    .map(({ venue }) => venue);

/** Trades until something is held; returns where. */
async function holding(venues: readonly string[] = LIVE_VENUES): Promise<string> {
  const config = liveConfig();
  world = await liveWorld({ ...config, engine: { ...config.engine, venues: [...venues], families: ['basis'] } });
  world.engine.start();
  for (let second = 0; second < 60 && heldVenues(world).length === 0; second += 1) world.forward(1_000);
  expect(heldVenues(world)).not.toEqual([]);
  return heldVenues(world)[0]!;
}

const forcedAt = (venue: string) =>
  world
    .events('settlement')
    .filter(({ instrument, forced }) => instrument.startsWith(`${venue}:`) && forced !== undefined);

describe('a position that its venue reduces by itself', () => {
  it('is booked, the other leg is unwound at once, nothing is opened, and the ledger is the venue’s', async () => {
    const venue = await holding();
    expect(world.simulator.fault({ venue, kind: 'deleverage', ratio: 0.5 })).toBe(true);
    world.forward(30_000);
    expect(forcedAt(venue)).toMatchObject([{ forced: 'adl' }]);
    const touched = new Set(forcedAt(venue).flatMap(({ holding: id }) => id ?? []));
    expect(touched.size).toBeGreaterThan(0);
    for (const id of touched) expect(world.engine.holdings.open.map((held) => held.id)).not.toContain(id);
    expect(world.engine.trading.state).toBe('reducing');
    expect(world.engine.trading.reason).toMatch(/^breaker deleveraging/);
    expect(differences(world)).toEqual([]);
    expect(world.events('mismatch')).toEqual([]);

    // A person has looked: trading goes on.
    world.command({ kind: 'breaker-reset', breaker: 'deleveraging' });
    expect(world.engine.trading.state).toBe('active');
  });

  it('is found by the list of fills when it happened while no engine lived', async () => {
    const venues = ['okx', 'kraken'];
    const venue = await holding(venues);
    world.engine.drain();
    for (let second = 0; second < 30 && !world.engine.idle; second += 1) world.forward(1_000);
    const { simulator } = world;
    world.engine.finish('killed');
    simulator.fault({ venue, kind: 'liquidate', ratio: 1 });
    world = await world.restarted();
    world.engine.start();
    world.forward(30_000);
    // One trade, of one holding or of several.
    const told = forcedAt(venue).map(({ forced, trade_id: trade }) => `${String(forced)} ${String(trade)}`);
    expect([...new Set(told)]).toEqual([expect.stringMatching(/^liquidation \d+$/)]);
    expect(differences(world, venues)).toEqual([]);
    expect(world.events('mismatch')).toEqual([]);
  });
});
