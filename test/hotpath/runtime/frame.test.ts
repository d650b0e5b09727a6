import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { END, Frame, keyCode, LEVELS_MAX, newLevelBuffer } from '#hotpath/runtime/frame.ts';
import { refusalOf } from '#test/support/venue-fixture.ts';

/** The text stands inside a larger buffer of digits: a scanner that runs over its window's end would take them. */
function frameOf(text: string): Frame {
  const bytes = Buffer.from(`99${text}99`);
  return new Frame().window(bytes, 2, bytes.length - 2);
}

const scratch = new Float64Array(1);
function numberOf(frame: Frame): number {
  frame.number(scratch, 0);
  return scratch[0]!;
}

const spellings = fc.oneof(
  fc.tuple(fc.nat(), fc.stringMatching(/^\d{1,18}$/)).map(([whole, fraction]) => `${whole}.${fraction}`),
  fc.stringMatching(/^\d{1,24}$/),
  fc.stringMatching(/^\d{1,17}\.\d{1,25}$/),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map(String)
    .filter((text) => !text.startsWith('.')),
  fc.stringMatching(/^-?\d{1,3}(\.\d{1,3})?[eE][+-]?\d{1,2}$/),
);

describe('numbers', () => {
  it('come out as the nearest double, quoted or bare, whatever follows', () => {
    fc.assert(
      fc.property(spellings, fc.boolean(), (text, quoted) => {
        const written = quoted ? `"${text}"` : text;
        const frame = frameOf(`[${written} ,7]`);
        expect(frame.firstElement()).toBe(true);
        expect(numberOf(frame)).toBe(Number(text));
        expect(frame.nextElement()).toBe(true);
        frame.integer();
        expect(frame.value).toBe(7);
        expect(frame.nextElement()).toBe(false);
        frame.finish();
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ['1.50', 2],
    ['1', 0],
    ['0.00000000', 8],
    ['12.5e-3', 4],
    ['1e2', 0],
    ['1234567890.12', 2],
    ['0.123456789012', 12],
  ])('%s has %i decimals', (text, decimals) => {
    const frame = frameOf(`[${text}]`);
    frame.firstElement();
    numberOf(frame);
    expect(frame.decimals).toBe(decimals);
  });

  it.each([
    '',
    '.5',
    '1.',
    '1.2.3',
    '--1',
    '+1',
    '1e',
    'e5',
    '0x10',
    'NaN',
    'Infinity',
    'null',
    '1e999',
    '1 2',
    '"',
    '"1',
    '1"',
    '1-2',
    '1.5.',
  ])('refuses %j', (text) => {
    expect(
      refusalOf(() => {
        const frame = frameOf(`{"a":${text}}`);
        frame.firstKey();
        numberOf(frame);
        frame.nextKey();
        frame.finish();
      }),
    ).toBeTypeOf('string');
  });

  it('refuses integers that a double does not hold', () => {
    for (const text of ['9007199254740993', '1.5', '12393906104898154338', '1e-1']) {
      const frame = frameOf(`[${text}]`);
      frame.firstElement();
      expect(refusalOf(() => frame.integer())).toMatch(/not an exact integer/);
    }
  });
});

const literals = new Map<string, unknown>(Object.entries({ true: true, false: false, null: null }));

/** Rebuilds the value that stands at the cursor: the walk sees exactly what JSON.parse sees. */
function rebuild(frame: Frame, keys: ReadonlyMap<number, string>): unknown {
  const byte = String.fromCharCode(frame.peek());
  if (byte === '{') {
    const found: Record<string, unknown> = {};
    for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) found[keys.get(key)!] = rebuild(frame, keys);
    return found;
  }
  if (byte === '[') {
    const found: unknown[] = [];
    if (frame.firstElement())
      do found.push(rebuild(frame, keys));
      while (frame.nextElement());
    return found;
  }
  if (byte === '"') {
    frame.string();
    return JSON.parse(`"${frame.text(frame.textStart, frame.textEnd)}"`);
  }
  if (/[-\d]/.test(byte)) return numberOf(frame);
  const from = frame.at;
  frame.skip();
  return literals.get(frame.text(from, frame.at));
}

const names = ['a', 'b', 'U', 'u', 'pu', 'seqId', 'price', 'data', 'long key with spaces'] as const;
const keysByCode = new Map(names.map((name) => [keyCode(name), name]));
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 5 }),
  ),
})).value;

describe('structure', () => {
  it('is walked as JSON.parse reads it, with and without white space', () => {
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        const frame = frameOf(text);
        expect(rebuild(frame, keysByCode)).toEqual(JSON.parse(text));
        frame.finish();
        const skipping = frameOf(text);
        skipping.skip();
        skipping.finish();
      }),
      { numRuns: 3_000 },
    );
  });

  it('is refused when any byte is missing at the end', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), json, { minKeys: 1 }), fc.nat(), (value, seed) => {
        const text = JSON.stringify(value);
        const cut = Buffer.from(text).subarray(0, 1 + (seed % (Buffer.byteLength(text) - 1)));
        const frame = new Frame().window(cut, 0, cut.length);
        expect(refusalOf(() => rebuild(frame, keysByCode))).toBeTypeOf('string');
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{,"a":1}',
    '{"a":1,}',
    '{a:1}',
    '{"a":}',
    '["a"',
    '{"a":"x}',
    '{"a":1}}',
    '{"a":[1}',
    '{"a\\u0062":1}',
  ])('refuses %j', (text) => {
    expect(
      refusalOf(() => {
        const frame = frameOf(text);
        rebuild(frame, keysByCode);
        frame.finish();
      }),
    ).toBeTypeOf('string');
  });
});

describe('levels', () => {
  const level = fc.tuple(
    fc.stringMatching(/^[1-9]\d{0,6}\.\d{1,8}$/),
    fc.stringMatching(/^\d{1,7}(\.\d{1,8})?$/),
    fc.boolean(),
  );
  const decimalsOf = (text: string): number => text.split('.')[1]?.length ?? 0;

  it('are read from pairs and from objects, extra elements and members passed over', () => {
    fc.assert(
      fc.property(fc.array(level), (levels) => {
        const buffer = newLevelBuffer();
        const pairs = levels.map(([p, q, more]) => (more ? `["${p}","${q}","0",{"x":[1]}]` : `[${p}, ${q}]`));
        const objects = levels.map(([p, q, more]) =>
          more ? `{"qty":${q},"price":${p}}` : `{"price":"${p}","n":[{}],"qty":"${q}"}`,
        );
        const want = {
          prices: levels.map(([p]) => Number(p)),
          qtys: levels.map(([, q]) => Number(q)),
          priceDecimals: Math.max(0, ...levels.map(([p]) => decimalsOf(p))),
          qtyDecimals: Math.max(0, ...levels.map(([, q]) => decimalsOf(q))),
        };
        const told = () => ({
          prices: [...buffer.prices.slice(0, buffer.count)],
          qtys: [...buffer.qtys.slice(0, buffer.count)],
          priceDecimals: buffer.priceDecimals,
          qtyDecimals: buffer.qtyDecimals,
        });
        frameOf(`[${pairs.join(',')}]`).levels(buffer);
        expect(told()).toEqual(want);
        frameOf(`[${objects.join(',')}]`).levelObjects(buffer);
        expect(told()).toEqual(want);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '[["1"]]',
    '[[]]',
    '[["1","-2"]]',
    '[["0","2"]]',
    '[["-1","2"]]',
    '[["1","2"],]',
    '[["1","2"',
    '[["1";"2"]]',
    '[[1,2]',
    '{}',
    '[["a","2"]]',
    '[["1",""]]',
  ])('refuses %j', (text) => {
    expect(refusalOf(() => frameOf(text).levels(newLevelBuffer()))).toBeTypeOf('string');
  });

  it.each(['[{"price":1}]', '[{"qty":1}]', '[{}]', '[{"price":0,"qty":1}]', '[{"price":1,"qty":-1}]', '[[1,2]]'])(
    'refuses %j as objects',
    (text) => {
      expect(refusalOf(() => frameOf(text).levelObjects(newLevelBuffer()))).toBeTypeOf('string');
    },
  );

  it('fill a buffer that grows up to its bound, and no further', () => {
    const levelsText = (count: number): string => `[${Array.from({ length: count }, () => '[1,2]').join(',')}]`;
    const buffer = newLevelBuffer();
    frameOf(levelsText(LEVELS_MAX)).levels(buffer);
    expect(buffer.count).toBe(LEVELS_MAX);
    expect(refusalOf(() => frameOf(levelsText(LEVELS_MAX + 1)).levels(buffer))).toMatch(/more than 20000 levels/);
  });
});
