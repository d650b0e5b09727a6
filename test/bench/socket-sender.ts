import { createHash } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { benchMarket } from './bench-market.ts';
import { scaleMarket } from './scale-market.ts';

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
  parts.push(headOf(bytes.length), Buffer.from(bytes));
}
const streams = new Map([...bytesOf].map(([venue, parts]) => [venue, Buffer.concat(parts)]));

/** Venue → who listens now. */
const listeners = new Map<string, Socket>();
const server = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', (head) => {
    const text = head.toString();
    const key = /Sec-WebSocket-Key: (.+)\r\n/.exec(text)![1]!;
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    listeners.set(/^GET \/([a-z]+)/.exec(text)![1]!, socket);
  });
});
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
process.on('message', () => {
  for (const [venue, socket] of listeners) socket.write(streams.get(venue)!);
  listeners.clear();
});
process.on('disconnect', () => process.exit(0));

/** Of a whole text message by a server: RFC 6455 §5.2. */
function headOf(length: number): Buffer {
  if (length < 126) return Buffer.from([0x81, length]);
  const head = Buffer.from([0x81, 126, 0, 0]);
  head.writeUInt16BE(length, 2);
  return head;
}
