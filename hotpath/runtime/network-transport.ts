import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { WebSocket } from 'ws';
import type { Clock } from '#shared/clock/clock.ts';
import { WebSocketClient } from './websocket.ts';
import type { HttpRequest, HttpResult, Socket, SocketHandlers, Transport } from './transport.ts';

/** A depth snapshot of 5,000 levels is 0.3 MB and the longest instrument list about 20 MB; beyond this the other side is broken. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const FRAME_BYTES_MAX = 16 * 1024 * 1024;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Written but not yet sent: a peer that does not read is closed, not waited for. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;
/** A host. Rate limits bound what is asked, so none waits here: what waits in an agent has passed the fence, and leaves after it was closed. */
const SOCKETS_MAX = 256;

/** Real sockets: our own client, or `ws` where `sockets` says so; keep-alive agents for requests. `end` closes the idle connections. */
export function networkTransport(
  clock: Clock,
  sockets: 'in-place' | 'ws' = 'in-place',
): Transport & { readonly end: () => void } {
  const agents = {
    'http:': new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
    'https:': new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
  };
  return {
    open: (url, handlers) => (sockets === 'in-place' ? openInPlace : openLibrary)(url, handlers, clock),
    request: (request, done) => {
      const agent = request.url.startsWith('https:') ? agents['https:'] : agents['http:'];
      sendRequest(request, agent, done);
    },
    end: () => {
      agents['http:'].destroy();
      agents['https:'].destroy();
    },
  };
}

function openInPlace(url: string, handlers: SocketHandlers, clock: Clock): Socket {
  // Frames that the kernel gave out together came together: those behind the first have waited for it.
  let readNs = clock.now();
  return new WebSocketClient(
    url,
    {
      onOpen: handlers.onOpen,
      onRead: () => {
        readNs = clock.now();
      },
      onMessage: (bytes, start, end) => handlers.onFrame(bytes, start, end, readNs),
      onPing: () => handlers.onPing?.(clock.now()),
      onClose: handlers.onClose,
    },
    {
      messageBytesMax: FRAME_BYTES_MAX,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      unsentBytesMax: UNSENT_BYTES_MAX,
    },
  );
}

function openLibrary(url: string, handlers: SocketHandlers, clock: Clock): Socket {
  const socket = new WebSocket(url, {
    skipUTF8Validation: true,
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  let failure = '';
  socket.on('open', handlers.onOpen);
  // With `nodebuffer`, the default, text and binary frames alike arrive as one Buffer over the received bytes.
  socket.on('message', (bytes: Buffer) => handlers.onFrame(bytes, 0, bytes.length, clock.now()));
  socket.on('ping', () => handlers.onPing?.(clock.now()));
  socket.on('pong', () => handlers.onPing?.(clock.now()));
  socket.on('error', (error: Error) => {
    failure = error.message;
  });
  socket.on('close', (code, reason) => handlers.onClose(code, reason.length > 0 ? reason.toString() : failure));
  return {
    send: (text) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > UNSENT_BYTES_MAX) {
        failure = 'peer does not read';
        socket.terminate();
        return;
      }
      socket.send(text);
    },
    ping: () => {
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    },
    close: () => socket.terminate(),
  };
}

function sendRequest(request: HttpRequest, agent: HttpAgent, done: (result: HttpResult) => void): void {
  let finished = false;
  const finish = (result: HttpResult): void => {
    if (finished) return;
    finished = true;
    done(result);
  };
  if (!URL.canParse(request.url)) {
    finish({ kind: 'failure', cause: 'disconnect', text: `not a URL: ${request.url}` });
    return;
  }
  const send = request.url.startsWith('https:') ? httpsRequest : httpRequest;
  const signal = AbortSignal.timeout(request.timeoutMs);
  const fail = (error: Error): void => {
    finish({ kind: 'failure', cause: signal.aborted ? 'timeout' : 'disconnect', text: error.message });
  };
  const { method, headers = {} } = request;
  const outgoing = send(request.url, { agent, method, headers, signal }, (incoming) => {
    incoming.on('error', fail);
    collectBody(incoming, finish);
  });
  outgoing.on('error', fail);
  outgoing.end(request.body);
}

function collectBody(incoming: IncomingMessage, finish: (result: HttpResult) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > BODY_BYTES_MAX) incoming.destroy(new Error(`body is longer than ${BODY_BYTES_MAX} bytes`));
  });
  incoming.on('end', () => {
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : (value ?? ''),
      ]),
    );
    finish({ kind: 'response', status: incoming.statusCode ?? 0, headers, body: Buffer.concat(chunks) });
  });
}
