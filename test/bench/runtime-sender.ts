import type { Socket } from 'node:net';
import { benchMarket } from './bench-market.ts';
import { frameHead, serveVenues } from './venue-server.ts';

/**
 * Three venues that send at a steady rate: `argv[2]` messages a second, `argv[3]` for how many seconds, once the parent says so. Behind each message's text
 * stands when it was written: nanoseconds of the machine's monotonic clock, a double. With `burn` in place of the rate it only keeps a core busy.
 */
if (process.argv[2] === 'burn') {
  process.on('disconnect', () => process.exit(0));
  for (;;) {
    const until = performance.now() + 50;
    while (performance.now() < until);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const SEED = 1;
const [rate, seconds] = process.argv.slice(2).map(Number) as [number, number];
const { instruments, frames } = benchMarket(SEED, rate * seconds);
const messages = frames.map(({ instrument, bytes }) => {
  const length = bytes.length + 8;
  const head = Buffer.from(frameHead(length));
  return { venue: instruments[instrument]!.venue, bytes: Buffer.concat([head, bytes, Buffer.alloc(8)]) };
});

/** Venue → who listens now. */
const listeners = new Map<string, Socket>();
serveVenues((venue, socket) => listeners.set(venue, socket));
process.on('message', () => send(0, performance.now()));

/** What is due by now; what cannot be sent in time follows as soon as it can. */
function send(from: number, startedMs: number): void {
  const due = Math.min(messages.length, Math.floor(((performance.now() - startedMs) * rate) / 1e3));
  for (let at = from; at < due; at += 1) {
    const { venue, bytes } = messages[at]!;
    bytes.writeDoubleLE(Number(process.hrtime.bigint()), bytes.length - 8);
    listeners.get(venue)!.write(bytes);
  }
  if (due < messages.length) setImmediate(send, due, startedMs);
}
