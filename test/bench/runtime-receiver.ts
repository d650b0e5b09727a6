import { PerformanceObserver } from 'node:perf_hooks';
import { systemClock } from '#shared/clock/clock.ts';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import { busyPoll } from '#hotpath/runtime/busy-poll.ts';
import { networkTransport } from '#hotpath/runtime/network-transport.ts';
import { benchMarket } from './bench-market.ts';
import { engine } from './decision.ts';
import { FastEngine } from './fast-engine.ts';
import { median, note, nsHistogram } from './measure.ts';

/** Microseconds from the sender's write to the decision; pauses for garbage. The first second is not in it. */
export type Received = {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  readonly pauses: number;
  readonly usualMs: number;
  readonly longestMs: number;
  readonly pausedMs: number;
  readonly cpuPercent: number;
};

/** About twice what a busy engine was seen to leave a second, and what it holds: orders, events, statuses. One object in a hundred lives for about a second. */
const GARBAGE_BYTES_A_SECOND = 60e6;
const HELD_BYTES = 60e6;
const OBJECT_BYTES = 160;

const [port, rate, seconds, polls] = process.argv.slice(2).map(Number) as [number, number, number, number];
const { instruments, snapshots } = benchMarket(1, 0);
const running = new FastEngine(instruments, compileRoutes(instruments, engine, 0).routes);
for (const frame of snapshots) running.take(frame);

const litter = (): readonly number[] => new Array<number>(14).fill(0.5);
const held = Array.from({ length: HELD_BYTES / OBJECT_BYTES }, litter);
const lasting = Array.from({ length: Math.floor(GARBAGE_BYTES_A_SECOND / OBJECT_BYTES / 100) }, litter);
/** Kept for a moment: what nobody can reach is never made. */
const recent = Array.from({ length: 64 }, litter);
const objectsEach = Math.round(GARBAGE_BYTES_A_SECOND / rate / OBJECT_BYTES);
let made = 0;
function leaveGarbage(): void {
  for (let left = objectsEach; left > 0; left -= 1) {
    const object = litter();
    made += 1;
    recent[made % recent.length] = object;
    if (made % 100 === 0) lasting[(made / 100) % lasting.length] = object;
  }
}

const sent = new Float64Array(1);
const sentBytes = new Uint8Array(sent.buffer);
const times = nsHistogram();
const [frames, warm] = [rate * seconds, rate];
const pauses: number[] = [];
let count = 0;
let usage = process.cpuUsage();
let warmMs = 0;
new PerformanceObserver((list) => {
  if (count > warm) for (const { duration } of list.getEntries()) pauses.push(duration);
}).observe({ entryTypes: ['gc'] });

function hear(venue: string, bytes: Uint8Array, start: number, end: number): void {
  for (let at = 0; at < 8; at += 1) sentBytes[at] = bytes[end - 8 + at]!;
  running.hear(venue, bytes, start, end - 8);
  leaveGarbage();
  count += 1;
  if (count > warm) note(times, Number(process.hrtime.bigint()) - sent[0]!);
  if (count === warm) [usage, warmMs] = [process.cpuUsage(), performance.now()];
  // Observers hear of a pause in a later turn.
  if (count === frames) setTimeout(tell, 50);
}

function tell(): void {
  const { user, system } = process.cpuUsage(usage);
  const us = (percentile: number): number => times.getValueAtPercentile(percentile) / 1e3;
  const received: Received = {
    ...{ p50Us: us(50), p99Us: us(99), p999Us: us(99.9), maxUs: times.maxValue / 1e3 },
    pauses: pauses.length,
    usualMs: pauses.length === 0 ? 0 : median(pauses),
    longestMs: Math.max(0, ...pauses),
    pausedMs: pauses.reduce((sum, ms) => sum + ms, 0),
    cpuPercent: (user + system) / 10 / (performance.now() - warmMs),
  };
  process.send!(received);
}

process.on('disconnect', () => process.exit(held.length + recent.length > 0 ? 0 : 1));
const transport = networkTransport(systemClock(), 'in-place');
const venues = new Set(instruments.map(({ venue }) => venue as string));
let open = 0;
for (const venue of venues) {
  const handlers = {
    onOpen: () => {
      open += 1;
      if (open === venues.size) process.send!('ready');
    },
    onFrame: (bytes: Uint8Array, start: number, end: number) => hear(venue, bytes, start, end),
    onClose: () => undefined,
  };
  transport.open(`ws://127.0.0.1:${port}/${venue}`, handlers, 'feed');
}
if (polls === 1) busyPoll();
