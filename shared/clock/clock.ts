import type { TimeNs, UnixNsText } from '../domain/ids.ts';

/** Time and timers, passed in: the real ones here, virtual ones in replay and simulation. */
export type Clock = {
  /** Nanoseconds since the origin; never goes back. */
  readonly now: () => TimeNs;
  /** Wall time, which may be set: for people and events, never for measuring. */
  readonly unixNs: (at: TimeNs) => UnixNsText;
  readonly unixMs: (at: TimeNs) => number;
  /** Runs `task` once, `delayMs` from now. */
  readonly after: (delayMs: number, task: () => void) => Timer;
};

export type Timer = { readonly cancel: () => void };

/** A wall clock this far from ours was set, or our monotonic one stood still: machines sleep, and so do functions between two requests. */
const WALL_SLIP_MS = 500;

/** The machine's clock: monotonic readings against the wall clock, which is read once and again when it has slipped. */
export function systemClock(): Clock {
  const started = performance.now();
  const elapsedMs = (): number => performance.now() - started;
  let originMs = Date.now();
  let wall = wallTimes(BigInt(originMs) * 1_000_000n);
  const current = (): Pick<Clock, 'unixNs' | 'unixMs'> => {
    const foundMs = Date.now() - elapsedMs();
    if (Math.abs(foundMs - originMs) > WALL_SLIP_MS) {
      originMs = Math.round(foundMs);
      wall = wallTimes(BigInt(originMs) * 1_000_000n);
    }
    return wall;
  };
  return {
    now: () => (elapsedMs() * 1e6) as TimeNs,
    unixNs: (at) => current().unixNs(at),
    unixMs: (at) => current().unixMs(at),
    after: (delayMs, task) => {
      // What was due while the thread was held up is due now; Node warns of less than nothing.
      const handle = setTimeout(task, Math.max(0, delayMs));
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

/** Nanoseconds of the monotonic clock that all threads of a process read alike, whenever they began: for deadlines that one sets and another heeds. */
export const threadsNs = (): bigint => process.hrtime.bigint();

const NS_A_SECOND = 1_000_000_000n;

/** Conversions that every clock with an origin shares. */
export function wallTimes(originUnixNs: bigint): Pick<Clock, 'unixNs' | 'unixMs'> {
  const originS = Number(originUnixNs / NS_A_SECOND);
  const beyondNs = Number(originUnixNs % NS_A_SECOND);
  const originMs = Number(originUnixNs / 1_000_000n) + Number(originUnixNs % 1_000_000n) / 1e6;
  return {
    // Every record of the journal asks: seconds and the rest of them are numbers, which a sum of BigInts takes several times as long as.
    unixNs: (at) => {
      const ns = beyondNs + Math.round(at);
      const estimate = Math.floor(ns / 1e9);
      const seconds = ns < estimate * 1e9 ? estimate - 1 : estimate;
      if (originS + seconds <= 0) return String(originUnixNs + BigInt(Math.round(at))) as UnixNsText;
      return `${originS + seconds}${String(ns - seconds * 1e9).padStart(9, '0')}` as UnixNsText;
    },
    unixMs: (at) => originMs + at / 1e6,
  };
}
