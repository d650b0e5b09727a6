import { createHash } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { benchMarket } from './bench-market.ts';

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
  const head = length < 126 ? Buffer.from([0x81, length]) : Buffer.from([0x81, 126, length >> 8, length & 0xff]);
  return { venue: instruments[instrument]!.venue, bytes: Buffer.concat([head, bytes, Buffer.alloc(8)]) };
});

/** Venue → who listens now. */
const listeners = new Map<string, Socket>();
const server = createServer((socket) => {
  socket.setNoDelay(true);
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
process.on('message', () => send(0, performance.now()));
process.on('disconnect', () => process.exit(0));

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
