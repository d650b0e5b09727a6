import type { PerformanceEntry } from 'node:perf_hooks';
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/** What a process says of itself once a period, over its channel to its parent. */
export type Probe = {
  readonly kind: 'probe';
  readonly rssMb: number;
  readonly heapMb: number;
  readonly externalMb: number;
  /** Of the period: how late a timer of ten milliseconds came. */
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly gc: Pauses;
  readonly cpuShare: number;
};
export type Pauses = {
  readonly count: number;
  readonly totalMs: number;
  readonly longestMs: number;
  /** Of these, collections of the old generation that stopped the thread. */
  readonly major: number;
};

type GcDetail = { readonly kind: number };

const MB = 1_048_576;
const TIMER_MS = 10;

/** Preloaded into the process that is watched; its threads have no share in it. */
if (isMainThread && process.send !== undefined) watch(Number(process.env['PROBE_EVERY_MS'] ?? 60_000));

function watch(everyMs: number): void {
  const lag = monitorEventLoopDelay({ resolution: TIMER_MS });
  lag.enable();
  let gc = noPauses();
  new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as (PerformanceEntry & { readonly detail: GcDetail })[]) {
      gc = {
        count: gc.count + 1,
        totalMs: gc.totalMs + duration,
        longestMs: Math.max(gc.longestMs, duration),
        major: gc.major + Number(detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR),
      };
    }
  }).observe({ entryTypes: ['gc'] });
  let cpu = process.cpuUsage();
  setInterval(() => {
    const { rss, heapUsed, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage(cpu);
    cpu = process.cpuUsage();
    const late = (ns: number): number => Math.max(0, ns / 1e6 - TIMER_MS);
    const probe: Probe = {
      kind: 'probe',
      rssMb: rss / MB,
      heapMb: heapUsed / MB,
      externalMb: external / MB,
      lagMs: { p50: late(lag.percentile(50)), p99: late(lag.percentile(99)), max: late(lag.max) },
      gc,
      cpuShare: (user + system) / 1e3 / everyMs,
    };
    lag.reset();
    gc = noPauses();
    process.send!(probe);
  }, everyMs).unref();
}

function noPauses(): Pauses {
  return { count: 0, totalMs: 0, longestMs: 0, major: 0 };
}
