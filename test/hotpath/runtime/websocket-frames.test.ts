import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '#hotpath/runtime/websocket-frames.ts';

/** The cases are those of the Autobahn test suite by number, which every client is measured by. */
const FIN = 0x80;
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const;
const MAX = 1_000_000;

/** A server's frame. */
function frame(first: number, payload: Uint8Array | string = ''): Buffer {
  const body = Buffer.from(payload);
  const { length } = body;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = Math.min(length, length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, body]);
}

/** Reads bytes as they would come in pieces of the given sizes, the last one again and again; tells what was heard. */
function heard(bytes: Uint8Array, sizes: readonly number[] = [MAX], max = MAX): readonly string[] {
  const said: string[] = [];
  const text = (part: Uint8Array, start: number, end: number): string =>
    Buffer.from(part.subarray(start, end)).toString('latin1');
  const reader = new FrameReader(
    {
      onMessage: (...part) => said.push(`message ${text(...part)}`),
      onPing: (...part) => said.push(`ping ${text(...part)}`),
      onPong: () => said.push('pong'),
      onClose: (code, reason) => said.push(`close ${code} ${reason}`),
      onFault: (code, trouble) => said.push(`fault ${code} ${trouble}`),
    },
    max,
  );
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const { window } = reader;
    const part = bytes.subarray(at, at + Math.min(window.length, sizes[Math.min(turn, sizes.length - 1)]!));
    window.set(part);
    reader.read(part.length);
    at += part.length;
  }
  return said;
}

describe('messages', () => {
  it.each([0, 125, 126, 127, 128, 65_535, 65_536, 65_537, 131_072, 400_000])(
    '1.1, 1.2: of %d bytes, whole and in pieces',
    (length) => {
      const payload = 'x'.repeat(length);
      const bytes = Buffer.concat([frame(FIN | TEXT, payload), frame(FIN | BINARY, 'after')]);
      for (const sizes of [[MAX], [997], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4_000]])
        expect(heard(bytes, sizes)).toEqual([`message ${payload}`, 'message after']);
    },
  );

  it('5.x: in fragments, with control frames between', () => {
    const bytes = Buffer.concat([
      frame(TEXT, 'one '),
      frame(FIN | PING, 'are you there'),
      frame(CONTINUATION, ''),
      frame(FIN | PONG),
      frame(CONTINUATION, 'two '),
      frame(FIN | CONTINUATION, 'three'),
      frame(FIN | TEXT, 'next'),
    ]);
    const said = ['ping are you there', 'pong', 'message one two three', 'message next'];
    expect(heard(bytes)).toEqual(said);
    expect(heard(bytes, [1])).toEqual(said);
  });

  it('9.x: a long one in many fragments', () => {
    const parts = Array.from({ length: 64 }, (_none, at) => frame(at === 0 ? BINARY : CONTINUATION, 'y'.repeat(4_096)));
    const bytes = Buffer.concat([...parts, frame(FIN | CONTINUATION)]);
    expect(heard(bytes, [1_400])).toEqual([`message ${'y'.repeat(64 * 4_096)}`]);
  });

  it('end the connection when they are longer than anybody sends: at once, before they are there', () => {
    const long = Buffer.from([FIN | TEXT, 127, 0, 0, 0, 0, 0, 16, 0, 0]);
    expect(heard(long)).toEqual(['fault 1009 Max payload size exceeded']);
    expect(heard(Buffer.from([FIN | TEXT, 127, ...Array<number>(8).fill(255)]))).toEqual([
      'fault 1009 Max payload size exceeded',
    ]);
    const parts = Buffer.concat([frame(TEXT, 'abc'), frame(CONTINUATION, 'def'), frame(CONTINUATION, 'ghi')]);
    expect(heard(parts, [MAX], 8)).toEqual(['fault 1009 Max payload size exceeded']);
  });
});

describe('control frames', () => {
  it('2.x: pings of up to 125 bytes, pongs that nobody asked for', () => {
    const bytes = Buffer.concat([frame(FIN | PING), frame(FIN | PONG, 'x'), frame(FIN | PING, 'z'.repeat(125))]);
    expect(heard(bytes, [3])).toEqual(['ping ', 'pong', `ping ${'z'.repeat(125)}`]);
  });

  it.each<readonly [string, Buffer]>([
    ['2.5: ping of 126 bytes', frame(FIN | PING, 'z'.repeat(126))],
    ['3.x: RSV1', frame(FIN | 0x40 | TEXT, 'a')],
    ['3.x: RSV3 on a ping', frame(FIN | 0x10 | PING)],
    ['4.1: reserved data opcode', frame(FIN | 3, 'a')],
    ['4.2: reserved control opcode', frame(FIN | 11)],
    ['5.1: ping in fragments', frame(PING, 'a')],
    ['5.9: continues nothing', frame(FIN | CONTINUATION, 'a')],
    ['5.18: a message within a message', Buffer.concat([frame(TEXT, 'a'), frame(FIN | TEXT, 'b')])],
    ['masked by a server', Buffer.from([FIN | TEXT, 0x81, 0, 0, 0, 0, 97])],
    ['7.3.2: close of one byte', frame(FIN | CLOSE, 'a')],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
      (code) => [`7.9: close with ${code}`, frame(FIN | CLOSE, Uint8Array.of(code >> 8, code & 255))] as const,
    ),
  ])('%s: a protocol error, and nothing is heard after it', (_name, bytes) => {
    const all = Buffer.concat([bytes, frame(FIN | TEXT, 'later')]);
    for (const sizes of [[MAX], [1]]) expect(heard(all, sizes)).toEqual([expect.stringMatching(/^fault 1002 /)]);
  });

  it('7.x: the last word of the peer, and nothing after it', () => {
    const close = (code: number, reason: string) =>
      frame(FIN | CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));
    const later = frame(FIN | TEXT, 'later');
    expect(heard(Buffer.concat([frame(FIN | CLOSE), later]))).toEqual(['close 1005 ']);
    for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999])
      expect(heard(Buffer.concat([close(code, 'grüße'), later]), [2])).toEqual([`close ${code} grüße`]);
  });

  it('7.5.1: a reason that is no text', () => {
    const bytes = frame(FIN | CLOSE, Uint8Array.of(3, 232, 0xce, 0xba, 0xe1, 0xbd));
    expect(heard(bytes)).toEqual([expect.stringMatching(/^fault 1007 /)]);
  });
});

/** What a server may say, and what is then heard of it. */
const piece = fc.oneof(
  fc.record({ kind: fc.constant('ping' as const), payload: fc.string({ maxLength: 125, unit: 'binary-ascii' }) }),
  fc.record({
    kind: fc.constant('message' as const),
    parts: fc.array(fc.tuple(fc.constantFrom(0, 1, 125, 126, 3_000, 70_000), fc.boolean()), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
);

it('hears what was said, however it is cut into frames and into reads', () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 20 }),
      (pieces, sizes) => {
        const bytes: Buffer[] = [];
        const said: string[] = [];
        for (const each of pieces) {
          if (each.kind === 'ping') {
            bytes.push(frame(FIN | PING, each.payload));
            said.push(`ping ${each.payload}`);
            continue;
          }
          each.parts.forEach(([length, pinged], at) => {
            const first = at === 0 ? TEXT : CONTINUATION;
            bytes.push(frame((at === each.parts.length - 1 ? FIN : 0) | first, 'q'.repeat(length)));
            if (!pinged || at === each.parts.length - 1) return;
            bytes.push(frame(FIN | PONG));
            said.push('pong');
          });
          said.push(`message ${'q'.repeat(each.parts.reduce((sum, [length]) => sum + length, 0))}`);
        }
        expect(heard(Buffer.concat(bytes), sizes)).toEqual(said);
      },
    ),
  );
});

it('takes any bytes without a thought of its own', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 50 }), (bytes, size) => {
      const said = heard(bytes, [size], 500);
      expect(said).toEqual(heard(bytes, [MAX], 500));
      expect(said.slice(0, -1).filter((word) => /^(fault|close)/.test(word))).toEqual([]);
    }),
  );
});
