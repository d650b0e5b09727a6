import { claimRoom, FRAME_MEMORY, ROOM_BYTES } from './frame-memory.ts';

/** What a peer said, and what it did wrong. Data is in [start, end) of `bytes`, which are overwritten after the call. */
export type FrameHandlers = {
  /** One whole message, text or binary. */
  readonly onMessage: (bytes: Uint8Array, start: number, end: number) => void;
  readonly onPing: (bytes: Uint8Array, start: number, end: number) => void;
  readonly onPong: () => void;
  /** The peer's last word. 1005: without a code. */
  readonly onClose: (code: number, reason: string) => void;
  /** Nothing more is read. `code` is what RFC 6455 §7.4.1 has for it. */
  readonly onFault: (code: number, text: string) => void;
};

/** One read of a socket; what TCP holds of a venue's burst is rarely more. */
const READ_BYTES = 64 * 1024;
/** The beginning of a frame that the next read ends is carried below the read window, so that every frame lies in one piece. */
const CARRY_BYTES = ROOM_BYTES - READ_BYTES;
const CONTROL_BYTES_MAX = 125;
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const NO_CODE = 1005;
const PROTOCOL_ERROR = 1002;
const NOT_TEXT = 1007;
const TOO_BIG = 1009;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads the frames of a server (RFC 6455 §5) where the socket put them: the kernel fills {@link window}, {@link read} walks it, and a message goes to its
 * handler as a piece of the same memory. Nothing is allocated but for fragmented messages and frames longer than the carry, which get memory of their own
 * for as long as they last. Text is not checked to be UTF-8: whoever parses it refuses what is not.
 */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  readonly #messageBytesMax: number;
  readonly #room = claimRoom(this);
  // A plain Uint8Array where there is no room: what reads frames elsewhere sees one kind of array.
  readonly #bytes = this.#room === undefined ? new Uint8Array(ROOM_BYTES + 1) : FRAME_MEMORY;
  /** Where the read window begins. */
  readonly #base = (this.#room ?? 0) + CARRY_BYTES;
  readonly #readWindow = this.#bytes.subarray(this.#base, this.#base + READ_BYTES);
  /** Bytes of an unfinished frame, right below the read window. */
  #carried = 0;
  /** An unfinished frame that is longer than the carry: read to its end and no further. */
  #long: { readonly bytes: Uint8Array; readonly length: number; filled: number } | undefined;
  /** What has come of a message in fragments, and how much of it. */
  #message: Uint8Array | undefined;
  #gathered = 0;
  #ended = false;

  constructor(handlers: FrameHandlers, messageBytesMax: number) {
    this.#handlers = handlers;
    this.#messageBytesMax = messageBytesMax;
  }

  /** Where the next bytes of the socket go. */
  get window(): Uint8Array {
    const long = this.#long;
    return long === undefined ? this.#readWindow : long.bytes.subarray(long.filled, long.length);
  }

  /** Nothing that was or will be read matters any more: also in the middle of a read. */
  end(): void {
    this.#ended = true;
    this.#message = undefined;
    this.#long = undefined;
  }

  /** So many bytes have been put into {@link window}. */
  read(count: number): void {
    const long = this.#long;
    if (long !== undefined) {
      long.filled += count;
      if (long.filled < long.length) return;
      this.#long = undefined;
      this.#walk(long.bytes, 0, long.length);
      return;
    }
    const end = this.#base + count;
    const at = this.#walk(this.#bytes, this.#base - this.#carried, end);
    if (this.#ended) return;
    const rest = end - at;
    this.#carried = 0;
    const length = this.#frameLength(at, end);
    if (length > CARRY_BYTES) {
      const bytes = new Uint8Array(length + 1);
      bytes.set(this.#bytes.subarray(at, end));
      this.#long = { bytes, length, filled: rest };
    } else if (rest > 0) {
      this.#bytes.copyWithin(this.#base - rest, at, end);
      this.#carried = rest;
    }
  }

  /** Reads the whole frames in [at, end); where the first unfinished one begins. */
  #walk(bytes: Uint8Array, at: number, end: number): number {
    while (end - at >= 2 && !this.#ended) {
      const first = bytes[at]!;
      const second = bytes[at + 1]!;
      if (!this.#isSound(first, second)) return at;
      let start = at + 2;
      let length = second & 0x7f;
      if (length === 126) {
        start = at + 4;
        if (start > end) return at;
        length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
      } else if (length === 127) {
        start = at + 10;
        if (start > end) return at;
        length = longLength(bytes, at + 2);
      }
      if (length > this.#messageBytesMax) {
        this.#fail(TOO_BIG, 'Max payload size exceeded');
        return at;
      }
      if (start + length > end) return at;
      at = start + length;
      // The rule, first: a whole message.
      if ((first === 0x80 + TEXT || first === 0x80 + BINARY) && this.#message === undefined) {
        // A byte 0 ends it for as long as it is read.
        const behind = bytes[at]!;
        bytes[at] = 0;
        this.#handlers.onMessage(bytes, start, at);
        bytes[at] = behind;
      } else this.#take(first, bytes, start, at);
    }
    return at;
  }

  /** The length of the frame that begins at `at`, header included, as far as it is known. */
  #frameLength(at: number, end: number): number {
    const bytes = this.#bytes;
    if (end - at < 2) return 0;
    const length = bytes[at + 1]! & 0x7f;
    if (length < 126) return 2 + length;
    if (length === 126) return end - at < 4 ? 0 : 4 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    return end - at < 10 ? 0 : 10 + longLength(bytes, at + 2);
  }

  /** What the first two bytes of a frame alone can have wrong. */
  #isSound(first: number, second: number): boolean {
    const opcode = first & 0x0f;
    const isFinal = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0) return this.#fail(PROTOCOL_ERROR, 'reserved bits are set');
    if ((second & 0x80) !== 0) return this.#fail(PROTOCOL_ERROR, 'a server masks nothing');
    switch (opcode) {
      case CONTINUATION:
        return this.#message !== undefined || this.#fail(PROTOCOL_ERROR, 'continues no message');
      case TEXT:
      case BINARY:
        return this.#message === undefined || this.#fail(PROTOCOL_ERROR, 'a message within a message');
      case CLOSE:
      case PING:
      case PONG:
        if (!isFinal) return this.#fail(PROTOCOL_ERROR, 'a control frame in fragments');
        return second <= CONTROL_BYTES_MAX || this.#fail(PROTOCOL_ERROR, 'a control frame of more than 125 bytes');
      default:
        return this.#fail(PROTOCOL_ERROR, `reserved opcode ${opcode}`);
    }
  }

  /** Control frames, and messages in fragments. */
  #take(first: number, bytes: Uint8Array, start: number, end: number): void {
    switch (first & 0x0f) {
      case PING:
        this.#handlers.onPing(bytes, start, end);
        return;
      case PONG:
        this.#handlers.onPong();
        return;
      case CLOSE:
        this.#takeClose(bytes.subarray(start, end));
        return;
      default:
        this.#takePart((first & 0x80) !== 0, bytes.subarray(start, end));
    }
  }

  #takePart(isFinal: boolean, part: Uint8Array): void {
    const length = this.#gathered + part.length;
    if (length > this.#messageBytesMax) {
      this.#fail(TOO_BIG, 'Max payload size exceeded');
      return;
    }
    this.#message ??= new Uint8Array(CARRY_BYTES);
    if (length > this.#message.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#message.length));
      grown.set(this.#message);
      this.#message = grown;
    }
    this.#message.set(part, this.#gathered);
    this.#gathered = length;
    if (!isFinal) return;
    const message = this.#message;
    this.#message = undefined;
    this.#gathered = 0;
    this.#handlers.onMessage(message, 0, length);
  }

  #takeClose(body: Uint8Array): void {
    if (body.length === 0) {
      this.end();
      this.#handlers.onClose(NO_CODE, '');
      return;
    }
    const code = body.length === 1 ? 0 : (body[0]! << 8) | body[1]!;
    if (!mayClose(code)) {
      this.#fail(PROTOCOL_ERROR, `no code to close with: ${code}`);
      return;
    }
    const reason = textFrom(body.subarray(2));
    if (reason === undefined) {
      this.#fail(NOT_TEXT, 'the reason of a close is not UTF-8');
      return;
    }
    this.end();
    this.#handlers.onClose(code, reason);
  }

  #fail(code: number, text: string): false {
    this.end();
    this.#handlers.onFault(code, text);
    return false;
  }
}

/** Of 64 bits; above what a double counts exactly it is only said to be too long. */
function longLength(bytes: Uint8Array, at: number): number {
  let length = 0;
  for (let index = 0; index < 8; index += 1) length = length * 256 + bytes[at + index]!;
  return length;
}

/** What may stand in a close frame: RFC 6455 §7.4 with the registered 1012–1014. */
const mayClose = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_CODE && code !== 1006) || (code >= 3000 && code < 5000);

function textFrom(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
