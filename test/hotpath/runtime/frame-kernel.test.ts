import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimRoom, FRAME_MEMORY, ROOM_BYTES } from '#hotpath/runtime/frame-memory.ts';
import { Frame, newLevelBuffer } from '#hotpath/runtime/frame.ts';
import { BadInput } from '#shared/assert.ts';
import { builtKernel, KERNELS } from '#test/shared/quant/build-kernel.ts';

const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`));
const plain = fc.oneof(
  digits(9),
  fc.tuple(digits(6), digits(8)).map(([whole, fraction]) => `${whole}.${fraction}`),
  fc.tuple(digits(12), digits(12)).map(([whole, fraction]) => `${whole}.${fraction}`),
);
const odd = fc.constantFrom(
  '0',
  '0.0',
  '00',
  '',
  '.',
  '1.',
  '.5',
  '1..2',
  '1.2.3',
  '-1',
  '1e5',
  '1.5E-7',
  '1/2',
  '12a',
  'null',
  ' 1',
  '9'.repeat(40),
);
const number = fc.oneof({ weight: 12, arbitrary: plain }, { weight: 1, arbitrary: odd });
const quoted = (text: string): string => `"${text}"`;
const bare = (text: string): string => text;
const further = fc.oneof(
  digits(15).map(quoted),
  digits(15),
  fc.constantFrom(
    '"a\\"b"',
    '"é"',
    'true',
    '{"a":[1]}',
    '""',
    '"]"',
    '"1534614057.321597"',
    '1.5e3',
    '',
    '1/2',
    '"\n"',
  ),
);
const separators = fc.constantFrom(',', ',', ',', ',', ',', ', ', ' ,', ';', ',,');

const lists = fc
  .tuple(
    fc.array(fc.tuple(number, number, fc.array(further, { maxLength: 2 }), separators), { maxLength: 12 }),
    fc.constantFrom(quoted, bare),
    fc.boolean(),
  )
  .map(([levels, spell, isMixed]) => {
    const text = levels.map(([price, qty, rest, separator], at) => {
      const other = isMixed && at === 3 ? (spell === quoted ? bare : quoted) : spell;
      return `[${[spell(price), other(qty), ...rest].join(',')}]${at === levels.length - 1 ? '' : separator}`;
    });
    return `[${text.join('')}]`;
  });
const objectLists = fc
  .tuple(fc.array(fc.tuple(number, number, fc.nat(12)), { maxLength: 12 }), fc.constantFrom(quoted, bare))
  .map(([levels, spell]) => {
    const text = levels.map(([price, qty, form]) => {
      if (form === 0) return `{"qty":${spell(qty)},"price":${spell(price)}}`;
      if (form === 1) return `{"price":${spell(price)}, "qty":${spell(qty)} }`;
      if (form === 2) return `{"price":${spell(price)},"qty":${spell(qty)},"more":[1,{}]}`;
      return `{"price":${spell(price)},"qty":${spell(qty)}}`;
    });
    return `[${text.join(',')}]`;
  });

/** A text so long that the kernel cannot be asked: white space behind it. */
const BEYOND = Buffer.alloc(ROOM_BYTES, ' ');
const inMemory = new Frame();
const alone = new Frame();

function readBy(frame: Frame, bytes: Buffer, areObjects: boolean) {
  frame.window(bytes, 0, bytes.length);
  const into = newLevelBuffer();
  try {
    if (areObjects) frame.levelObjects(into);
    else frame.levels(into);
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    return 'refused';
  }
  const { count, priceDecimals, qtyDecimals } = into;
  const numbers = [...into.prices.subarray(0, count), ...into.qtys.subarray(0, count)];
  return { at: frame.at - frame.start, count, priceDecimals, qtyDecimals, numbers };
}

function agree(text: string, areObjects: boolean): ReturnType<typeof readBy> {
  const bytes = Buffer.from(text);
  const read = readBy(inMemory, bytes, areObjects);
  expect(read).toEqual(readBy(alone, Buffer.concat([bytes, BEYOND]), areObjects));
  return read;
}

describe('the kernel', () => {
  it('reads lists of levels as the other code does, or leaves them to it', () => {
    fc.assert(
      fc.property(lists, (text) => void agree(text, false)),
      { numRuns: 1_500 },
    );
    fc.assert(
      fc.property(objectLists, (text) => void agree(text, true)),
      { numRuns: 700 },
    );
  });

  it('reads what is cut or damaged anywhere as the other code does', () => {
    const damaged = fc.oneof(
      lists.map((text) => ({ text, areObjects: false })),
      objectLists.map((text) => ({ text, areObjects: true })),
    );
    fc.assert(
      fc.property(damaged, fc.nat(), fc.nat(255), fc.boolean(), ({ text, areObjects }, place, byte, isCut) => {
        const at = place % text.length;
        const latin1 = (code: number): string => String.fromCharCode(code & 0x7f);
        agree(isCut ? text.slice(0, at) : text.slice(0, at) + latin1(byte) + text.slice(at + 1), areObjects);
      }),
      { numRuns: 2_500 },
    );
  });

  it('reads every plain number to the nearest double, with its decimals', () => {
    fc.assert(
      fc.property(plain, plain, fc.constantFrom(quoted, bare), (price, qty, spell) => {
        const read = agree(`[[${spell(price)},${spell(qty)}],[${spell('1.5')},${spell('2')}]]`, false);
        if (Number(price) === 0) expect(read).toBe('refused');
        else expect(read).toMatchObject({ numbers: [Number(price), 1.5, Number(qty), 2] });
        const decimals = (text: string): number => text.split('.')[1]?.length ?? 0;
        if (read !== 'refused')
          expect([read.priceDecimals, read.qtyDecimals]).toEqual([Math.max(1, decimals(price)), decimals(qty)]);
      }),
    );
  });

  it('reads more levels than it takes at once', () => {
    const levels = Array.from({ length: 1_000 }, (_none, at) => [`${at + 1}.5`, String(at)]);
    const read = agree(JSON.stringify(levels), false);
    expect(read).toMatchObject({ count: 1_000, priceDecimals: 1, qtyDecimals: 0 });
    expect(agree(JSON.stringify(levels.slice(0, 256)), false)).toMatchObject({ count: 256 });
  });

  it('reads to the last byte of the memory and not beyond', () => {
    const text = Buffer.from('[["1.5","2"],["3.25","40"]');
    for (let length = 1; length <= text.length; length += 1) {
      const end = FRAME_MEMORY.length - 64;
      FRAME_MEMORY.set(text.subarray(0, length), end - length);
      expect(() => new Frame().window(FRAME_MEMORY, end - length, end).levels(newLevelBuffer())).toThrow(BadInput);
    }
  });

  it('is what its source compiles to', async () => {
    expect(await builtKernel(KERNELS.frames)).toBe(readFileSync(KERNELS.frames.target, 'utf8'));
  }, 60_000);
});

describe('a frame', () => {
  it('is read where it lies in the memory when a 0 follows it, and copied otherwise', () => {
    const room = claimRoom({})!;
    FRAME_MEMORY.set(Buffer.from('[["1.5","2"]]0'), room);
    const frame = new Frame();
    const into = newLevelBuffer();
    frame.window(FRAME_MEMORY, room, room + 13).levels(into);
    expect([frame.start === room, into.count]).toEqual([false, 1]);
    FRAME_MEMORY[room + 13] = 0;
    frame.window(FRAME_MEMORY, room, room + 13).levels(into);
    expect([frame.start === room, into.count]).toEqual([true, 1]);
  });

  it('finds no room once all are taken, and is read all the same', () => {
    const owners: object[] = [];
    for (let owner = {}; claimRoom(owner) !== undefined; owner = {}) owners.push(owner);
    expect(owners.length).toBeGreaterThan(300);
    const into = newLevelBuffer();
    const bytes = Buffer.from('[["1.5","2","0","1"]]');
    new Frame().window(bytes, 0, bytes.length).levels(into);
    expect([into.count, into.prices[0], into.qtys[0]]).toEqual([1, 1.5, 2]);
  });
});
