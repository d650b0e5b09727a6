import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { ZodError } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { FaultSpec } from './faults.ts';
import type { PlantSpec, ReferenceSpec, UnplantSpec } from './planting.ts';
import type { Simulator } from './simulator.ts';
import type { Client, HttpReply } from './venues/venue-dialect.ts';

const HOST = '127.0.0.1';
const BODY_BYTES_MAX = 1 << 20;
/** A client that reads slower than this is behind for good. */
const BUFFERED_BYTES_MAX = 32 << 20;
const PING_MS = 20_000;

export type RunningServer = { readonly port: number; readonly close: () => Promise<void> };

/**
 * Serves the simulator on a loopback port (0: any free one). Also takes orders for itself, each a JSON object by POST: a fault to /_control/faults, books
 * to /_control/plant, a reference to /_control/references, what to give back to /_control/unplant.
 */
export function serveSimulator(options: {
  readonly simulator: Simulator;
  readonly clock: Clock;
  readonly port: number;
}): Promise<RunningServer> {
  const { simulator, clock } = options;
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: BODY_BYTES_MAX,
  });
  const server = createServer((request, response) => {
    void answer(simulator, clock, request, response);
  });
  server.on('upgrade', (request, socket, head) => upgrade({ simulator, sockets }, request, socket, head));
  const pings = setInterval(() => {
    for (const socket of sockets.clients) socket.ping();
  }, PING_MS);
  pings.unref();

  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(taken ? new BadInput(`port ${options.port} on ${HOST} is taken (the venue simulator's)`) : error);
    });
    server.listen(options.port, HOST, () => {
      resolve({ port: (server.address() as AddressInfo).port, close: () => closeAll(server, sockets, pings) });
    });
  });
}

async function answer(
  simulator: Simulator,
  clock: Clock,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await bodyOf(request);
  if (typeof body !== 'string') {
    if (body.kind === 'too-long') response.writeHead(413).end();
    return;
  }
  const method = request.method ?? 'GET';
  const path = request.url ?? '/';
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
  const reply =
    path.startsWith(CONTROL) && method === 'POST'
      ? control(simulator, path.slice(CONTROL.length), body)
      : simulator.request({ method, path, headers, body });
  const send = (): void => {
    if (!response.destroyed) response.writeHead(reply.status, { ...reply.headers }).end(reply.body);
  };
  if (reply.delayMs === 0) send();
  else if (reply.delayMs !== Infinity) clock.after(reply.delayMs, send);
}

const CONTROL = '/_control/';

/** What each control does with the parsed body: its answer, and false when there is no room for more. */
const CONTROLS: Readonly<Record<string, (simulator: Simulator, value: unknown) => Readonly<Record<string, boolean>>>> =
  {
    faults: (simulator, value) => ({ ordered: simulator.fault(value as FaultSpec) }),
    plant: (simulator, value) => {
      simulator.plant(value as PlantSpec);
      return { planted: true };
    },
    references: (simulator, value) => {
      simulator.plantReference(value as ReferenceSpec);
      return { planted: true };
    },
    unplant: (simulator, value) => {
      simulator.unplant(value as UnplantSpec);
      return { unplanted: true };
    },
  };

/** The simulator checks what it is given; what is wrong with it comes back by name. */
function control(simulator: Simulator, name: string, body: string): HttpReply {
  const reply = (status: number, value: unknown): HttpReply => ({
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
    delayMs: 0,
  });
  const does = CONTROLS[name];
  if (does === undefined) return reply(404, { error: `no control ${name}` });
  try {
    const said = does(simulator, JSON.parse(body));
    return reply(said['ordered'] === false ? 429 : 200, said);
  } catch (error) {
    if (error instanceof SyntaxError) return reply(400, { error: 'not JSON' });
    if (error instanceof BadInput) return reply(400, { error: error.message });
    if (!(error instanceof ZodError)) throw error;
    const [issue] = error.issues;
    return reply(400, { error: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` });
  }
}

/** The whole body, or why there is none: longer than anybody needs, or the client went away. */
async function bodyOf(request: IncomingMessage): Promise<string | { readonly kind: 'too-long' | 'aborted' }> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > BODY_BYTES_MAX) return { kind: 'too-long' };
      chunks.push(chunk);
    }
  } catch (error) {
    if (request.destroyed) return { kind: 'aborted' };
    throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function upgrade(
  { simulator, sockets }: { readonly simulator: Simulator; readonly sockets: WebSocketServer },
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  sockets.handleUpgrade(request, socket, head, (webSocket) => {
    const connection = simulator.connect(request.url ?? '/', clientOf(webSocket));
    webSocket.on('message', (data) => connection.message((data as Buffer).toString('utf8')));
    webSocket.on('close', connection.closed);
    webSocket.on('error', () => webSocket.terminate());
  });
}

const clientOf = (webSocket: WebSocket): Client => ({
  send: (data) => {
    if (webSocket.readyState !== webSocket.OPEN) return;
    if (webSocket.bufferedAmount > BUFFERED_BYTES_MAX) webSocket.terminate();
    else webSocket.send(data, { binary: typeof data !== 'string' });
  },
  // 1006 cannot be sent: it is what a socket looks like that simply breaks.
  close: (code, reason) => {
    if (code === 1006) webSocket.terminate();
    else webSocket.close(code, reason);
  },
});

async function closeAll(server: Server, sockets: WebSocketServer, pings: NodeJS.Timeout): Promise<void> {
  clearInterval(pings);
  for (const socket of sockets.clients) socket.terminate();
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}
