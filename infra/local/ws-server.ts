import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { Clock } from '#shared/clock/clock.ts';
import { bearerToken, type Authority, type Principal } from '#functions/common/auth.ts';
import { failure } from '#functions/common/envelope.ts';
import { ApplicationError, applicationErrors } from '#functions/common/errors.ts';
import { channelFrom } from '#functions/websocket/conversation.ts';
import type { Hub } from '#functions/websocket/hub.ts';
import { KEY_CLOSED, type IsClosed } from '#functions/websocket/key-watch.ts';
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

export type SocketServerOptions = {
  readonly authority: Authority;
  readonly isClosed: IsClosed;
  readonly clock: Clock;
};

/** Serves the hub on the API's own port. Who has no valid token is turned away before the upgrade. */
export function serveSockets(server: Server, hub: Hub, options: SocketServerOptions): { readonly close: () => void } {
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
    admitted(url, request, hub, options).then(
      ({ principal, opensWith }) =>
        sockets.handleUpgrade(request, wire, head, (socket) => welcome(socket, principal, opensWith)),
      (error: unknown) => refuse(wire, error, options.clock),
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

type Guest = { readonly principal: Principal; readonly opensWith: Channel | undefined };

async function admitted(
  url: URL | null,
  request: IncomingMessage,
  hub: Hub,
  { authority, isClosed }: SocketServerOptions,
): Promise<Guest> {
  if (url === null || !paths.has(url.pathname)) throw new ApplicationError(404);
  const token = url.searchParams.get('token') ?? bearerToken(request.headers.authorization);
  const principal = await authority.verify(token);
  // The cloud's push API has one path only: what is an alias here is a parameter there, and so here as well.
  const named = url.searchParams.get('channel');
  const opensWith = named === null ? paths.get(url.pathname) : channelFrom(named);
  if (await isClosed(principal)) throw new ApplicationError(1001, KEY_CLOSED);
  if (hub.isFull) throw new ApplicationError(5002, 'all connections are taken');
  return { principal, opensWith };
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
