import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { PushEvent, PushResult } from '#functions/websocket/push.ts';

export type PushGatewayOptions = {
  /** The request authorizer of `$connect`: its context, or undefined for a refusal. */
  readonly authorize: (token: string | undefined) => Promise<Readonly<Record<string, unknown>> | undefined>;
  readonly handler: () => (event: PushEvent) => Promise<PushResult>;
};

/** What the management API does to one connection, by its id. */
export type Weather = 'fair' | 'throttled' | 'failing' | 'hanging';

/**
 * API Gateway's WebSocket API as its functions meet it: real sockets on the outside, proxy events inside, and the management API over HTTP.
 * Messages of a connection are handled side by side, as they are there.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
 */
export class PushGateway {
  /** Messages that were taken for a connection. */
  posts = 0;
  readonly weather = new Map<string, Weather>();
  readonly #options: PushGatewayOptions;
  readonly #server: Server;
  readonly #sockets = new Map<string, WebSocket>();
  readonly #wss = new WebSocketServer({ noServer: true, maxPayload: 32 * 1024 });
  readonly #hanging: ServerResponse[] = [];
  readonly #running = new Set<Promise<void>>();
  #count = 0;

  private constructor(options: PushGatewayOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#manage(request, response));
    this.#server.on('upgrade', (request: IncomingMessage, wire: Duplex, head: Buffer) => {
      void this.#upgrade(request, wire, head);
    });
  }

  static async start(options: PushGatewayOptions): Promise<PushGateway> {
    const gateway = new PushGateway(options);
    gateway.#server.listen(0, '127.0.0.1');
    await once(gateway.#server, 'listening');
    return gateway;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get ids(): readonly string[] {
    return [...this.#sockets.keys()];
  }

  /** A connection that ends and of which nobody is told. */
  lose(id: string): void {
    this.#sockets.get(id)?.removeAllListeners('close').terminate();
    this.#sockets.delete(id);
  }

  async close(): Promise<void> {
    for (const response of this.#hanging) response.destroy();
    for (const socket of this.#sockets.values()) socket.removeAllListeners('close').terminate();
    await Promise.all(this.#running);
    this.#wss.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** What a function fails with is in its log, and of no interest to the client. */
  #run(result: Promise<PushResult>): void {
    const running = result.then(nothing, nothing).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #upgrade(request: IncomingMessage, wire: Duplex, head: Buffer): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gateway');
    const query = Object.fromEntries(url.searchParams);
    const token = query['token'] ?? request.headers.authorization?.replace(/^Bearer /, '');
    const authorizer = await this.#options.authorize(token);
    if (authorizer === undefined) {
      refuse(wire, token === undefined ? 401 : 403);
      return;
    }
    const connectionId = `c-${(this.#count += 1)}`;
    const event = (eventType: PushEvent['requestContext']['eventType'], body?: string): PushEvent => ({
      requestContext: { eventType, connectionId, requestId: `r-${connectionId}`, authorizer },
      ...(eventType === 'CONNECT' ? { queryStringParameters: query } : {}),
      ...(body === undefined ? {} : { body }),
    });
    const handler = this.#options.handler();
    const { statusCode } = await handler(event('CONNECT'));
    if (statusCode !== 200) {
      refuse(wire, statusCode);
      return;
    }
    this.#wss.handleUpgrade(request, wire, head, (socket) => {
      this.#sockets.set(connectionId, socket);
      socket.on('message', (data: Buffer) => this.#run(handler(event('MESSAGE', data.toString()))));
      socket.on('error', () => socket.terminate());
      socket.on('close', () => {
        this.#sockets.delete(connectionId);
        this.#run(handler(event('DISCONNECT')));
      });
    });
  }

  #manage(request: IncomingMessage, response: ServerResponse): void {
    const id = decodeURIComponent(/^\/@connections\/([^/?]+)/.exec(request.url ?? '')?.[1] ?? '');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const weather = this.weather.get(id) ?? 'fair';
      if (weather === 'hanging') {
        this.#hanging.push(response);
        return;
      }
      if (weather === 'throttled') fail(response, 429, 'LimitExceededException');
      else if (weather === 'failing') fail(response, 500, 'InternalServerError');
      else this.#carryOut(request.method, id, Buffer.concat(chunks), response);
    });
  }

  #carryOut(method: string | undefined, id: string, body: Buffer, response: ServerResponse): void {
    const socket = this.#sockets.get(id);
    if (socket?.readyState !== WebSocket.OPEN) {
      fail(response, 410, 'GoneException');
      return;
    }
    if (method === 'DELETE') {
      socket.close(1000);
      response.writeHead(204).end();
      return;
    }
    if (body.length > 128 * 1024) {
      fail(response, 413, 'PayloadTooLargeException');
      return;
    }
    this.posts += 1;
    socket.send(body.toString());
    response.writeHead(200).end();
  }
}

const nothing = (): void => undefined;

function fail(response: ServerResponse, status: number, name: string): void {
  response.writeHead(status, { 'x-amzn-errortype': name, 'content-type': 'application/json' });
  response.end(JSON.stringify({ message: name }));
}

function refuse(wire: Duplex, status: number): void {
  wire.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}
