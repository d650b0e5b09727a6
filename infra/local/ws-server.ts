import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { Clock } from '#shared/clock/clock.ts';
import { bearerToken, type Authority, type Principal } from '#functions/common/auth.ts';
import { failure } from '#functions/common/envelope.ts';
import { ApplicationError, applicationErrors } from '#functions/common/errors.ts';
import type { Hub } from '#functions/websocket/hub.ts';
import type { Channel } from '#functions/websocket/subscription.ts';

/** API Gateway's limit of a frame, so that what works here works there. */
const FRAME_BYTES_MAX = 32 * 1024;
const PING_EVERY_MS = 30_000;

/** Address → the channel with which it opens. */
const paths: ReadonlyMap<string, Channel | undefined> = new Map([
  ['/v1/ws', undefined],
  ['/v1/market-data', 'prices' as const],
  ['/v1/trades', 'trades' as const],
  ['/v1/system', 'system' as const],
]);

/** Serves the hub on the API's own port. Who has no valid token is turned away before the upgrade. */
export function serveSockets(
  server: Server,
  hub: Hub,
  { authority, clock }: { readonly authority: Authority; readonly clock: Clock },
): { readonly close: () => void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false });
  const alive = new WeakSet<WebSocket>();

  const welcome = (socket: WebSocket, principal: Principal, opensWith: Channel | undefined): void => {
    const connection = hub.connect(
      {
        send: (text) => socket.send(text),
        close: (code, reason) => socket.close(code, reason),
        bufferedBytes: () => socket.bufferedAmount,
      },
      principal,
      opensWith,
    );
    alive.add(socket);
    socket.on('pong', () => alive.add(socket));
    socket.on('message', (data: RawData) => connection.message(textOf(data)));
    socket.on('close', () => connection.closed());
    // A broken frame or connection: `close` follows.
    socket.on('error', () => socket.terminate());
  };

  server.on('upgrade', (request: IncomingMessage, wire: Duplex, head: Buffer) => {
    wire.on('error', () => wire.destroy());
    // Whoever connects chooses the address: what is no URL is a place that we do not have.
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    admitted(url, request, hub, authority).then(
      (principal) =>
        sockets.handleUpgrade(request, wire, head, (socket) =>
          welcome(socket, principal, paths.get(url?.pathname ?? '')),
        ),
      (error: unknown) => refuse(wire, error, clock),
    );
  });

  const ping = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!alive.delete(socket)) socket.terminate();
      else socket.ping();
    }
  }, PING_EVERY_MS);

  return {
    close: () => {
      clearInterval(ping);
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

async function admitted(url: URL | null, request: IncomingMessage, hub: Hub, authority: Authority): Promise<Principal> {
  if (url === null || !paths.has(url.pathname)) throw new ApplicationError(404);
  const token = url.searchParams.get('token') ?? bearerToken(request.headers.authorization);
  const principal = await authority.verify(token);
  if (hub.isFull) throw new ApplicationError(5002, 'all connections are taken');
  return principal;
}

function refuse(wire: Duplex, thrown: unknown, clock: Clock): void {
  const error = thrown instanceof ApplicationError ? thrown : new ApplicationError(500);
  const body = JSON.stringify(failure(error, 'upgrade', clock.unixMs(clock.now())));
  const { status, message } = applicationErrors[error.code];
  wire.end(
    `HTTP/1.1 ${status} ${message}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return Buffer.from(data as Buffer).toString('utf8');
}
