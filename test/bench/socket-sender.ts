import type { Socket } from 'node:net';
import { benchMarket } from './bench-market.ts';
import { scaleMarket } from './scale-market.ts';
import { frameHead, serveVenues } from './venue-server.ts';

/**
 * The venues of the socket cases as a process: `argv[2]` seed, `argv[3]` how many frames, `argv[4]` symbols a venue of the market at scale, none for the
 * small one. Each venue's frames, encoded beforehand, go to whoever opened
 * `/<venue>` once the parent says so, as fast as they are read.
 */
const [seed, count, symbols] = process.argv.slice(2).map(Number) as [number, number, number?];
const { instruments, frames } =
  symbols === undefined ? benchMarket(seed, count) : scaleMarket(seed, { frames: count, symbols });
const bytesOf = new Map<string, Buffer[]>();
for (const { instrument, bytes } of frames) {
  const { venue } = instruments[instrument]!;
  const parts = bytesOf.get(venue) ?? [];
  bytesOf.set(venue, parts);
  parts.push(Buffer.from(frameHead(bytes.length)), Buffer.from(bytes));
}
const streams = new Map([...bytesOf].map(([venue, parts]) => [venue, Buffer.concat(parts)]));

/** Venue → who listens now. */
const listeners = new Map<string, Socket>();
serveVenues((venue, socket) => listeners.set(venue, socket));
process.on('message', () => {
  for (const [venue, socket] of listeners) socket.write(streams.get(venue)!);
  listeners.clear();
});
