import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import type { PerformanceEntry } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { busyPoll } from '#hotpath/runtime/busy-poll.ts';
import { networkTransport } from '#hotpath/runtime/network-transport.ts';
import type { Socket } from '#hotpath/runtime/transport.ts';
import { systemClock } from '#shared/clock/clock.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import { FastEngine } from './fast-engine.ts';
import { note, nsHistogram, percentilesOf } from './measure.ts';
import { ResultHash } from './result-hash.ts';
import { scaleStream } from './scale-market.ts';
import { allRoutes, opened } from './scale-world.ts';

/** What the process that decides tells its parent. Times in microseconds. */
export type LatencyResult = {
  readonly engineUs: Readonly<Record<string, number>>;
  readonly readUs: Readonly<Record<string, number>>;
  readonly wireUs: Readonly<Record<string, number>>;
  readonly gc: { readonly count: number; readonly longestMs: number; readonly kinds: Readonly<Record<string, number>> };
  readonly hash: string;
  /** Of the process while it listened, as a share of one core; and its memory at the end. */
  readonly cpuShare: number;
  readonly rssMb: number;
};

/** `argv[2]` seed, `argv[3]` symbols a venue, `argv[4]` messages a second, `argv[5]` how many, `argv[6]` 1: it never sleeps. */
const [seed, symbols, , count, polls] = process.argv.slice(2).map(Number) as [number, number, number, number, number];
const STAMP = 8;
/** Share of the messages, the first ones: their code is still being compiled. */
const WARM_UP = 0.05;
const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'scavenge',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak',
};

const histograms = { engine: nsHistogram(), read: nsHistogram(), wire: nsHistogram() };
const market = scaleStream(seed, symbols);
const running = opened(FastEngine, { ...market, routes: allRoutes(market.instruments) });
const clock = systemClock();
const originNs = originOf();
const pauses = observed();
const stamped = new Float64Array(1);
const stamp = new Uint8Array(stamped.buffer);
let heard = 0;
let done: () => void = () => undefined;
const all = new Promise<void>((resolve) => (done = resolve));

const sender = fork(fileURLToPath(new URL('latency-sender.ts', import.meta.url)), process.argv.slice(2), {
  execArgv: [],
});
const [{ port }] = (await once(sender, 'message')) as [{ port: number }];
const transport = networkTransport(clock);
const sockets = await Promise.all(market.venues.map(listen));
const before = { cpu: process.cpuUsage(), ns: clock.now() };
const endPolling = polls === 1 ? busyPoll() : undefined;
sender.send('go');
await all;
endPolling?.();
const { user, system } = process.cpuUsage(before.cpu);
const cpuShare = ((user + system) * 1e3) / (clock.now() - before.ns);
const gc = pauses();
for (const socket of sockets) socket.close();
transport.end();
sender.kill();
const hash = new ResultHash();
for (let at = 0; at < market.instruments.length; at += 1) {
  hash.double(running.tops.bid[at]!);
  hash.double(running.tops.ask[at]!);
}
const result: LatencyResult = {
  engineUs: percentilesOf(histograms.engine, 1e3),
  readUs: percentilesOf(histograms.read, 1e3),
  wireUs: percentilesOf(histograms.wire, 1e3),
  gc,
  hash: hash.hex,
  cpuShare,
  rssMb: process.memoryUsage.rss() / 1_048_576,
};
process.send!(result, undefined, undefined, () => process.exit(0));

function listen(venue: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = transport.open(
      `ws://127.0.0.1:${port}/${venue}`,
      {
        onOpen: () => resolve(socket),
        onFrame: (bytes, start, end, readNs) => take(venue, bytes, start, end, readNs),
        onClose: () => undefined,
      },
      'feed',
    );
  });
}

/** What to take from a reading of the machine's clock, which the senders write down: ours begins with the process. The first readings are slow and lie apart: of many the two that lie closest. */
function originOf(): number {
  let [origin, least] = [0, Infinity];
  for (let at = 0; at < 1_000; at += 1) {
    const first = process.hrtime.bigint();
    const ownNs = clock.now();
    const apart = Number(process.hrtime.bigint() - first);
    if (apart >= least) continue;
    least = apart;
    origin = Number(first) + apart / 2 - ownNs;
  }
  return origin;
}

/** A clock reading before and one after: what the histograms take is in neither. */
function take(venue: string, bytes: Uint8Array, start: number, end: number, readNs: TimeNs): void {
  const beganNs = clock.now();
  running.hear(venue, bytes, start, end - STAMP);
  const decidedNs = clock.now();
  heard += 1;
  if (heard > WARM_UP * count) {
    for (let at = 0; at < STAMP; at += 1) stamp[at] = bytes[end - STAMP + at]!;
    const writtenNs = stamped[0]! - originNs;
    note(histograms.engine, decidedNs - beganNs);
    note(histograms.read, decidedNs - readNs);
    note(histograms.wire, decidedNs - writtenNs);
  }
  if (heard === count) done();
}

/** Collections from now on; those of the start are over. */
function observed(): () => LatencyResult['gc'] {
  const kinds: Record<string, number> = {};
  let [total, longestMs] = [0, 0];
  const observer = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as (PerformanceEntry & {
      readonly detail: { kind: number };
    })[]) {
      const kind = GC_KINDS[detail.kind] ?? String(detail.kind);
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      total += 1;
      longestMs = Math.max(longestMs, duration);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => {
    observer.disconnect();
    return { count: total, longestMs, kinds };
  };
}
