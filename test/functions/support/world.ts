import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#shared/clock/clock.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Log } from '#functions/common/log.ts';

/** A folder that is gone after the test. */
export function tempDir(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'arb-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The defaults of a laptop run, on a free port. */
export function testConfig(
  over: { readonly api?: object; readonly streams?: object; readonly alerts?: object } = {},
): Config {
  return loadConfig({
    dir: 'config',
    env: {},
    overrides: {
      api: { port: 0, cors_origins: ['http://desk.test'], ...over.api },
      streams: { ...over.streams },
      alerts: { ...over.alerts },
    },
  });
}

/** Real timers, but the time of day moves only by `advance`: edges of limits and expiries can be hit exactly. */
export function handClock(): Clock & { readonly advance: (ms: number) => void; readonly nowMs: () => number } {
  const real = systemClock();
  let nowMs = Math.floor(real.unixMs(real.now()));
  return {
    now: real.now,
    after: real.after,
    unixMs: () => nowMs,
    unixNs: real.unixNs,
    nowMs: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

const nothing = (): void => undefined;
export const silentLog: Log = { info: nothing, warn: nothing, error: nothing };

/** Polls until it holds; fails after `ms`. */
export async function eventually(holds: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const clock = systemClock();
  while (!(await holds())) {
    if (clock.now() > ms * 1e6) throw new Error(`did not hold within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
