import type { TimeNs, UnixNsText } from '../domain/ids.ts';

/** Time and timers, passed in: the real ones here, virtual ones in replay and simulation. */
export type Clock = {
  /** Nanoseconds since the origin; never goes back. */
  readonly now: () => TimeNs;
  readonly unixNs: (at: TimeNs) => UnixNsText;
  readonly unixMs: (at: TimeNs) => number;
  /** Runs `task` once, `delayMs` from now. */
  readonly after: (delayMs: number, task: () => void) => Timer;
};

export type Timer = { readonly cancel: () => void };

/** The machine's clock: monotonic readings against one wall-clock origin taken at start. */
export function systemClock(): Clock {
  const originUnixNs = BigInt(Date.now()) * 1_000_000n;
  const started = performance.now();
  return {
    now: () => ((performance.now() - started) * 1e6) as TimeNs,
    ...wallTimes(originUnixNs),
    after: (delayMs, task) => {
      const handle = setTimeout(task, delayMs);
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

/** Conversions that every clock with an origin shares. */
export function wallTimes(originUnixNs: bigint): Pick<Clock, 'unixNs' | 'unixMs'> {
  const originMs = Number(originUnixNs / 1_000_000n) + Number(originUnixNs % 1_000_000n) / 1e6;
  return {
    unixNs: (at) => String(originUnixNs + BigInt(Math.round(at))) as UnixNsText,
    unixMs: (at) => originMs + at / 1e6,
  };
}
