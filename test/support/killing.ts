import { setTimeout as wait } from 'node:timers/promises';
import { randomFrom } from '#shared/random.ts';
import type { TakeoverWorld } from './takeover.ts';

/** From the kill, in ms: until the next engine began, and until it first sent an order (where it lived so long). */
export type Gap = { readonly startedMs: number; readonly orderedMs: number | undefined };

export type Killed = {
  readonly kills: number;
  readonly pauses: number;
  /** By a standby that waited, and by whoever was started again. */
  readonly takeovers: readonly Gap[];
  readonly restarts: readonly Gap[];
  /** What was wrong after any of them. */
  readonly wrong: readonly string[];
};

type Blow = 'active' | 'both' | 'standby' | 'pause';
const SHARES: Readonly<Record<Blow, number>> = { active: 0.78, both: 0.07, standby: 0.05, pause: 0.1 };

/**
 * Kills the engine that trades so many times, at any moment of its life from its first record on: mostly with a standby at hand, sometimes together with it.
 * Sometimes it is stopped for longer than its lease and then wakes.
 */
export async function kill(world: TakeoverWorld, times: number, seed: number): Promise<Killed> {
  const random = randomFrom(seed);
  const takeovers: Gap[] = [];
  const restarts: Gap[] = [];
  const wrong: string[] = [];
  let [kills, pauses] = [0, 0];
  await world.until(() => world.epoch > 0, 'a first engine');
  let blow: Blow = 'active';
  while (kills < times) {
    // Whoever lost its standby just now may be hit before the next one is ready.
    if (blow !== 'standby') await world.until(() => world.isWhole, 'a standby');
    await wait(2_500 * random.next());
    blow = drawn(random.next());
    if (blow === 'standby') {
      for (const pid of world.pids) if (pid !== world.activePid) end(pid);
      continue;
    }
    const isTakeover = blow === 'active' && world.isWhole;
    const { gap, ordered } = await strike(world, blow);
    if (blow === 'pause') pauses += 1;
    else {
      kills += 1;
      // Most live until they trade; some are killed before that.
      if (random.next() < 0.8) await ordered();
      (isTakeover ? takeovers : restarts).push(gap());
    }
    wrong.push(...world.wrongNow());
  }
  return { kills, pauses, takeovers, restarts, wrong };
}

/** Hits, and returns when the next engine has begun. */
async function strike(
  world: TakeoverWorld,
  blow: Exclude<Blow, 'standby'>,
): Promise<{ readonly gap: () => Gap; readonly ordered: () => Promise<void> }> {
  world.follow();
  const { epoch, activePid, clock } = world;
  const hitMs = clock.unixMs(clock.now());
  if (blow === 'both') for (const pid of world.pids) end(pid);
  else end(activePid!, blow === 'pause' ? 'SIGSTOP' : 'SIGKILL');
  await world.until(() => world.epoch > epoch, `an engine after epoch ${String(epoch)}`);
  const next = world.epoch;
  if (blow === 'pause') {
    await wait(500);
    end(activePid!, 'SIGCONT');
    // It has a lot to say, and must not.
    await wait(1_000);
  }
  const since = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : Math.round(ms - hitMs));
  return {
    gap: () => ({
      startedMs: since(world.startOf(next)?.startedMs)!,
      orderedMs: since(world.startOf(next)?.orderedMs),
    }),
    // Or it lost its lease before it did, and the one after it trades.
    ordered: () =>
      world.until(
        () => world.startOf(next)?.orderedMs !== undefined || world.epoch > next,
        `a first order of epoch ${String(next)}`,
      ),
  };
}

function drawn(chance: number): Blow {
  let left = chance;
  for (const [blow, share] of Object.entries(SHARES)) {
    left -= share;
    if (left < 0) return blow as Blow;
  }
  return 'active';
}

function end(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It was faster.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The value that so many hundredths of them do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
