import fc from 'fast-check';
import type { Point } from '#functions/common/line-protocol.ts';

/** What the protocol has its own meaning for, among letters that it does not know. */
const letters = fc.constantFrom(...Array.from('abzé€ ,="#:/-_.\'0'));
const word = fc
  .string({ unit: letters, minLength: 1, maxLength: 12 })
  .filter((text) => !text.startsWith('#') && text.trim() !== '' && !RESERVED.has(text));
const RESERVED: ReadonlySet<string> = new Set(['time']);
const text = fc.string({ unit: fc.oneof(letters, fc.constantFrom('\\', '\n', '\t')), maxLength: 20 });
const integer = fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n });

/** Points that the protocol can carry. Names of tags and fields are apart, as a reader needs them to be. */
export const points: fc.Arbitrary<Point> = fc.record({
  measurement: word,
  tags: fc.dictionary(
    word.map((key) => `t${key}`),
    word,
    { maxKeys: 3 },
  ),
  fields: fc.dictionary(
    word.map((key) => `f${key}`),
    text,
    { minKeys: 1, maxKeys: 3 },
  ),
  timeNs: integer,
});
