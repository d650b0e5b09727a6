import type { TimeNs } from '#shared/domain/ids.ts';

/** The outside world as the engine needs it: real sockets, or the simulator in process on a virtual clock. Callbacks, so that order is exact. */
export type Transport = {
  readonly open: (url: string, handlers: SocketHandlers, use?: SocketUse) => Socket;
  /** Calls `done` once, with a response of any status or with a failure; never throws. */
  readonly request: (request: HttpRequest, done: (result: HttpResult) => void) => void;
};

/** What it is for: who stands in for the network may answer the one and not the other. */
export type SocketUse = 'feed' | 'account';

export type SocketHandlers = {
  readonly onOpen: () => void;
  /** A frame is in [start, end) of `bytes`, which belong to the transport and are overwritten after the call. */
  readonly onFrame: (bytes: Uint8Array, start: number, end: number, receivedTimeNs: TimeNs) => void;
  /** A protocol ping or pong came: the venue lives, and what it sent before has arrived. The transport answers pings. */
  readonly onPing?: (receivedTimeNs: TimeNs) => void;
  /** Exactly once, whether or not the socket ever opened. */
  readonly onClose: (code: number, reason: string) => void;
};

export type Socket = {
  readonly send: (text: string) => void;
  /** Sends a protocol ping; missing where the other side is no network away. */
  readonly ping?: () => void;
  /** Ends the socket now; onClose follows. */
  readonly close: () => void;
};

export type HttpRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
};

export type HttpResult =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array;
    }
  | { readonly kind: 'failure'; readonly cause: 'timeout' | 'disconnect'; readonly text: string };
