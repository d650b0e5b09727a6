import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import type { Socket as TcpSocket } from 'node:net';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { FrameReader } from './websocket-frames.ts';

export type WebSocketHandlers = {
  readonly onOpen: () => void;
  /** Bytes have come: the messages that they end follow at once. */
  readonly onRead?: () => void;
  /** One whole message in [start, end) of `bytes`, which are overwritten after the call. */
  readonly onMessage: (bytes: Uint8Array, start: number, end: number) => void;
  /** A ping or a pong came. Pings are answered. */
  readonly onPing: () => void;
  /** Exactly once, whether or not it ever opened. */
  readonly onClose: (code: number, reason: string) => void;
};

export type WebSocketLimits = {
  readonly messageBytesMax: number;
  readonly handshakeTimeoutMs: number;
  /** Written but not yet sent: a peer that does not read is closed, not waited for. */
  readonly unsentBytesMax: number;
};

/** RFC 6455 §1.3: what makes an answer one to this protocol. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const HEAD_BYTES_MAX = 16 * 1024;
const HEAD_END = '\r\n\r\n';
const FIN = 0x80;
const MASKED = 0x80;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** Ended without a close frame. */
const ABNORMAL = 1006;
const NO_CODE = 1005;
const EMPTY = new Uint8Array(0);

/**
 * A WebSocket client (RFC 6455) whose messages stay where the kernel wrote them: one buffer a connection, handed to `onread` of `net` or `tls`. For what
 * streams in by the hundred thousand, and for orders, which leave in one write; without extensions, proxies and redirects.
 */
export class WebSocketClient {
  readonly #handlers: WebSocketHandlers;
  readonly #limits: WebSocketLimits;
  readonly #socket: TcpSocket;
  readonly #frames: FrameReader;
  readonly #key = randomBytes(16).toString('base64');
  readonly #handshakeTimer: NodeJS.Timeout;
  /** The answer to our handshake as far as it has come; undefined once it was read. */
  #head: Buffer | undefined = Buffer.alloc(0);
  #given: Uint8Array;
  #open = false;
  #closed = false;
  /** What ended it, until the socket has. */
  #end: { readonly code: number; readonly reason: string } | undefined;

  /** @throws TypeError on a URL that is none; any other failure comes as `onClose`. */
  constructor(url: string, handlers: WebSocketHandlers, limits: WebSocketLimits) {
    const target = new URL(url);
    this.#handlers = handlers;
    this.#limits = limits;
    this.#frames = new FrameReader(
      {
        onMessage: handlers.onMessage,
        onPing: (bytes, start, end) => {
          this.#write(PONG, bytes.subarray(start, end));
          handlers.onPing();
        },
        onPong: handlers.onPing,
        onClose: (code, reason) => this.#leave(code, reason, code),
        onFault: (code, text) => this.#leave(ABNORMAL, text, code),
      },
      limits.messageBytesMax,
    );
    this.#given = this.#frames.window;
    this.#socket = this.#connect(target);
    this.#socket.on('error', (error) => (this.#end ??= { code: ABNORMAL, reason: textOf(error) }));
    this.#socket.on('end', () => this.#socket.destroy());
    this.#socket.on('close', () => this.#finish());
    this.#handshakeTimer = setTimeout(() => this.#fail('the handshake takes too long'), limits.handshakeTimeoutMs);
    this.#socket.write(requestText(target, this.#key));
  }

  /** A text message; nothing unless it is open. */
  send(text: string): void {
    if (this.#open) this.#write(TEXT, text);
  }

  ping(): void {
    if (this.#open) this.#write(PING, EMPTY);
  }

  /** Ends it now; onClose follows. */
  close(): void {
    this.#end ??= { code: ABNORMAL, reason: '' };
    this.#stop();
    this.#socket.destroy();
  }

  #connect({ protocol, hostname, port }: URL): TcpSocket {
    const isTls = protocol === 'wss:';
    // An IPv6 address stands in brackets in a URL, and in nothing else.
    const host = hostname.replace(/^\[|\]$/g, '');
    const options = {
      host,
      port: port === '' ? (isTls ? 443 : 80) : Number(port),
      noDelay: true,
      onread: {
        buffer: () => this.#nextWindow(),
        callback: (count: number) => {
          if (this.#head === undefined) this.#read(count);
          else this.#readHead(this.#given.subarray(0, count));
          return true;
        },
      },
    };
    if (!isTls) return connectTcp(options);
    return connectTls({ ...options, ALPNProtocols: ['http/1.1'], ...(isIP(host) === 0 && { servername: host }) });
  }

  /** Told by Node before each read; what does not change is not handed over again, which Node's types do not know. */
  #nextWindow(): Uint8Array {
    const next = this.#frames.window;
    const isNew = next !== this.#given || this.#head !== undefined;
    this.#given = next;
    return isNew ? next : (undefined as unknown as Uint8Array);
  }

  #readHead(bytes: Uint8Array): void {
    const head = Buffer.concat([this.#head!, bytes]);
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = head;
      if (head.length > HEAD_BYTES_MAX) this.#fail('the answer to the handshake is endless');
      return;
    }
    this.#head = undefined;
    clearTimeout(this.#handshakeTimer);
    const trouble = refusalIn(head.toString('latin1', 0, end), this.#key);
    if (trouble !== undefined) {
      this.#fail(trouble);
      return;
    }
    this.#open = true;
    this.#handlers.onOpen();
    // Frames that came with the answer, moved to where frames are read.
    this.#feed(head.subarray(end + HEAD_END.length));
  }

  #feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.#closed && this.#open;) {
      const { window } = this.#frames;
      const part = bytes.subarray(at, at + window.length);
      window.set(part);
      at += part.length;
      this.#read(part.length);
    }
  }

  #read(count: number): void {
    this.#handlers.onRead?.();
    this.#frames.read(count);
  }

  /** Both of it in one write; masked, as a client must (§5.3). */
  #write(opcode: number, payload: string | Uint8Array): void {
    if (this.#socket.writableLength > this.#limits.unsentBytesMax) {
      this.#fail('peer does not read');
      return;
    }
    this.#socket.write(clientFrame(opcode, payload));
  }

  /** Says the last word, and hears nothing more. */
  #leave(code: number, reason: string, answer: number): void {
    this.#end ??= { code, reason };
    if (this.#open) this.#write(CLOSE, answer === NO_CODE ? EMPTY : Uint8Array.of(answer >> 8, answer & 0xff));
    this.#stop();
    this.#socket.destroySoon();
  }

  #fail(reason: string): void {
    this.#end ??= { code: ABNORMAL, reason };
    this.#stop();
    this.#socket.destroy();
  }

  #stop(): void {
    this.#open = false;
    this.#frames.end();
    clearTimeout(this.#handshakeTimer);
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    const { code, reason } = this.#end ?? { code: ABNORMAL, reason: '' };
    this.#handlers.onClose(code, reason);
  }
}

/** Where several addresses were tried, the error of them all says nothing but its code. */
const textOf = (error: NodeJS.ErrnoException): string =>
  error.message === '' ? (error.code ?? error.name) : error.message;

function requestText({ pathname, search, host }: URL, key: string): string {
  const lines = [
    `GET ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
  ];
  return lines.join('\r\n') + HEAD_END;
}

/** Why the answer is not the one that was asked for (§4.1); undefined when it is. */
function refusalIn(head: string, key: string): string | undefined {
  const [statusLine = '', ...lines] = head.split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1];
  // In the words of the other client, so that one log line means one thing.
  if (status !== '101') return `Unexpected server response: ${status ?? statusLine.slice(0, 40)}`;
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket') return 'Invalid Upgrade header';
  const accept = createHash('sha1')
    .update(key + ACCEPT_GUID)
    .digest('base64');
  if (headers.get('sec-websocket-accept') !== accept) return 'Invalid Sec-WebSocket-Accept header';
  if (headers.has('sec-websocket-extensions')) return 'an extension that nobody asked for';
  return undefined;
}

function clientFrame(opcode: number, payload: string | Uint8Array): Uint8Array {
  const length = Buffer.byteLength(payload);
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const from = 2 + extended + MASK_BYTES;
  const frame = Buffer.allocUnsafe(from + length);
  frame[0] = FIN | opcode;
  frame[1] = MASKED | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  if (typeof payload === 'string') frame.write(payload, from);
  else frame.set(payload, from);
  mask(frame, from);
  return frame;
}

const MASK_BYTES = 4;
/** Drawn ahead: one by one they cost more than the frame. Each is used once. */
const masks = Buffer.alloc(4_096);
let masksUsed = masks.length;

/** What stands from `from` on, with a mask before it that nobody can guess (§5.3). */
function mask(frame: Buffer, from: number): void {
  if (masksUsed === masks.length) {
    randomFillSync(masks);
    masksUsed = 0;
  }
  for (let at = 0; at < MASK_BYTES; at += 1) frame[from - MASK_BYTES + at] = masks[masksUsed + at]!;
  masksUsed += MASK_BYTES;
  for (let at = from; at < frame.length; at += 1) frame[at]! ^= frame[from - MASK_BYTES + ((at - from) & 3)]!;
}
