import type { Clock } from '#shared/clock/clock.ts';
import type { Random } from '#shared/random.ts';
import type { HttpResult, Socket, SocketHandlers, Transport } from '#hotpath/runtime/transport.ts';

/** The simulator as this transport sees it: no sockets, just calls. */
export type InProcessPeer = {
  readonly connect: (path: string, client: PeerClient) => PeerConnection | undefined;
  /** `delayMs`: when the answer leaves; Infinity is never. */
  readonly request: (request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }) => {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly delayMs: number;
  };
};
export type PeerClient = {
  readonly send: (bytes: string | Uint8Array) => void;
  readonly close: (code: number, reason: string) => void;
};
export type PeerConnection = { readonly message: (text: string) => void; readonly closed: () => void };

/**
 * A Transport whose wire is the clock: every frame and answer arrives after a drawn latency, in order per socket, so a run on a virtual
 * clock repeats to the byte.
 */
export function inProcessTransport(peer: InProcessPeer, clock: Clock, random: Random, latencyMs: number): Transport {
  const wire = new Wire(clock, random, latencyMs);
  return {
    open: (url, handlers) => openSocket(peer, clock, wire, { path: pathOf(url), handlers }),
    request: ({ method, url, headers = {}, body = '', timeoutMs }, done) => {
      clock.after(wire.delay(), () => {
        const { delayMs, ...reply } = peer.request({ method, path: pathOf(url), headers, body });
        const response: HttpResult = { kind: 'response', ...reply, body: Buffer.from(reply.body) };
        const late = delayMs >= timeoutMs;
        const result: HttpResult = late ? { kind: 'failure', cause: 'timeout', text: 'no answer' } : response;
        clock.after(late ? timeoutMs : delayMs + wire.delay(), () => done(result));
      });
    },
  };
}

class Wire {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #latencyMs: number;

  constructor(clock: Clock, random: Random, latencyMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#latencyMs = latencyMs;
  }

  delay(): number {
    return this.#latencyMs * (0.5 + this.#random.next());
  }

  /** A lane keeps order: what is sent later never arrives earlier. */
  lane(): (deliver: () => void) => void {
    let lastMs = 0;
    return (deliver) => {
      const nowMs = this.#clock.now() / 1e6;
      lastMs = Math.max(lastMs, nowMs + this.delay());
      this.#clock.after(lastMs - nowMs, deliver);
    };
  }
}

function openSocket(
  peer: InProcessPeer,
  clock: Clock,
  wire: Wire,
  { path, handlers }: { readonly path: string; readonly handlers: SocketHandlers },
): Socket {
  const toPeer = wire.lane();
  const toEngine = wire.lane();
  let connection: PeerConnection | undefined;
  let closed = false;
  const close = (code: number, reason: string): void => {
    if (closed) return;
    closed = true;
    handlers.onClose(code, reason);
  };
  toPeer(() => {
    if (closed) return;
    toEngine(() => {
      if (!closed) handlers.onOpen();
    });
    connection = peer.connect(path, {
      send: (bytes) => {
        const frame = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
        toEngine(() => {
          if (!closed) handlers.onFrame(frame, 0, frame.length, clock.now());
        });
      },
      close: (code, reason) => toEngine(() => close(code, reason)),
    });
    if (connection === undefined) toEngine(() => close(1008, 'no such endpoint'));
  });
  return {
    send: (text) => toPeer(() => connection?.message(text)),
    close: () => {
      toPeer(() => connection?.closed());
      clock.after(0, () => close(1000, 'closed by us'));
    },
  };
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
