import type { Socket } from 'node:net';
import { scaleStream } from './scale-market.ts';
import { frameHead, serveVenues } from './venue-server.ts';

/**
 * Eight venues that send at a steady rate: `argv[2]` seed, `argv[3]` symbols a venue, `argv[4]` messages a second, `argv[5]` how many, once the parent says so.
 * Behind each message's text stands when it was written: nanoseconds of the machine's monotonic clock, a double.
 */
const [seed, symbols, rate, count] = process.argv.slice(2).map(Number) as [number, number, number, number];
const STAMP = 8;
const CHUNK = 1 << 26;

/** All frames one behind the other in a few large buffers: three million objects would be their own trouble. */
const chunks: Buffer[] = [];
const chunkOf = new Uint8Array(count);
const startOf = new Uint32Array(count);
const endOf = new Uint32Array(count);
const venueOf = new Uint8Array(count);
const { venues, instruments, next } = scaleStream(seed, symbols);
for (let at = 0, end = CHUNK; at < count; at += 1) {
  const { instrument, bytes } = next();
  const length = bytes.length + STAMP;
  if (end + length + 4 > CHUNK) {
    chunks.push(Buffer.allocUnsafeSlow(CHUNK));
    end = 0;
  }
  const chunk = chunks.at(-1)!;
  const head = frameHead(length);
  startOf[at] = end;
  chunk.set(head, end);
  chunk.set(bytes, end + head.length);
  end += head.length + length;
  endOf[at] = end;
  chunkOf[at] = chunks.length - 1;
  venueOf[at] = venues.indexOf(instruments[instrument]!.venue);
}

/** By venue, who listens. */
const listeners: Socket[] = [];
serveVenues((venue, socket) => {
  listeners[venues.indexOf(venue)] = socket;
});
process.on('message', () => send(0, performance.now()));

/** What is due by now; what cannot be sent in time follows as soon as it can. */
function send(from: number, startedMs: number): void {
  const due = Math.min(count, Math.floor(((performance.now() - startedMs) * rate) / 1e3));
  for (let at = from; at < due; at += 1) {
    const frame = chunks[chunkOf[at]!]!.subarray(startOf[at], endOf[at]);
    frame.writeDoubleLE(Number(process.hrtime.bigint()), frame.length - STAMP);
    listeners[venueOf[at]!]!.write(frame);
  }
  if (due < count) setImmediate(send, due, startedMs);
}
