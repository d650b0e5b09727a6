import { createHash } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';

/** Venues in a process of their own: whoever opens `ws://127.0.0.1:<port>/<venue>` is told to `onListener`. The parent is told the port, and ends it by going. */
export function serveVenues(onListener: (venue: string, socket: Socket) => void): void {
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
      onListener(/^GET \/([a-z]+)/.exec(text)![1]!, socket);
    });
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
  process.on('disconnect', () => process.exit(0));
}

/** Of a whole text message of less than 64 KiB by a server: RFC 6455 §5.2. */
export const frameHead = (length: number): readonly number[] =>
  length < 126 ? [0x81, length] : [0x81, 126, length >> 8, length & 0xff];
