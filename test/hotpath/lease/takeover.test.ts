import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { kill } from '#test/support/killing.ts';
import { TakeoverWorld } from '#test/support/takeover.ts';

/** The slow suite does it two hundred times. */
it('takes over from engines that are killed, or stopped for longer than their lease, and leaves nothing behind', async () => {
  const world = await TakeoverWorld.start(7);
  try {
    const { kills, pauses, wrong } = await kill(world, 2, 5);
    expect([kills, pauses, wrong]).toEqual([2, 1, []]);
    await world.settled();
    expect(await world.rest()).toBe(true);
    expect(world.wrongAtRest()).toEqual([]);
    expect(world.orders).toBeGreaterThan(2);
    expect(await world.projected()).toBe(world.records);
  } finally {
    await world.close();
    rmSync(world.dataDir, { recursive: true });
  }
}, 240_000);
