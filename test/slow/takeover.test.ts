import { cpSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kill, percentile } from '#test/support/killing.ts';
import { TakeoverWorld } from '#test/support/takeover.ts';

const KILLS = Number(process.env['KILLS'] ?? 200);
const KEPT = join(tmpdir(), 'arb-takeover-kept');
const SEED = Number(process.env['SEED'] ?? 7);

it(`takes over from ${String(KILLS)} kill -9 of an engine that trades: no orphan, no order twice, ledgers equal`, async () => {
  const world = await TakeoverWorld.start(SEED);
  try {
    const { kills, pauses, takeovers, restarts, wrong } = await kill(world, KILLS, SEED);
    try {
      await world.settled();
    } catch (error) {
      // What it is that never ends stands in the journal.
      const open = world.state.openOperations().map(({ id, state }) => `${id} ${state}`);
      cpSync(world.journalDir, KEPT, { recursive: true });
      throw new Error(`open: ${open.join(', ')}; the journal is in ${KEPT}`, { cause: error });
    }
    const finished = await world.rest();
    const figures = (gaps: readonly (number | undefined)[]): Readonly<Record<string, number>> => {
      const values = gaps.filter((gap) => gap !== undefined);
      return { count: values.length, p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
    };
    const { takenOver } = world;
    process.stdout.write(
      `${JSON.stringify({
        kills,
        pauses,
        epochs: world.epoch,
        orders: world.orders,
        records: world.records,
        segments: readdirSync(world.journalDir).filter((name) => name.endsWith('.journal')).length,
        takeoverMs: {
          engineStarted: figures(takeovers.map(({ startedMs }) => startedMs)),
          firstOrder: figures(takeovers.map(({ orderedMs }) => orderedMs)),
        },
        afterTheTtlMs: {
          leaseHeld: figures(takenOver.map(({ leaseMs }) => leaseMs)),
          engineBuilt: figures(takenOver.map(({ engineMs }) => engineMs)),
          engineStarted: figures(takenOver.map(({ startMs }) => startMs)),
        },
        restartMs: {
          engineStarted: figures(restarts.map(({ startedMs }) => startedMs)),
          firstOrder: figures(restarts.map(({ orderedMs }) => orderedMs)),
        },
      })}\n`,
    );
    expect(wrong).toEqual([]);
    expect(finished, 'the last engine came to its last word').toBe(true);
    expect(world.wrongAtRest()).toEqual([]);
    expect(world.orders).toBeGreaterThan(KILLS);
    expect(await world.projected()).toBe(world.records);
  } finally {
    await world.close();
    rmSync(world.dataDir, { recursive: true });
  }
}, 2_400_000);
