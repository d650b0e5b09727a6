import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { lineOf, type Point } from '#functions/common/line-protocol.ts';
import { points } from '../support/points.ts';

it('has every point back from its line', () => {
  fc.assert(
    fc.property(points, (point) => {
      expect(pointIn(lineOf(point))).toEqual(point);
    }),
    { numRuns: 2_000 },
  );
});

it('writes what the reference shows', () => {
  const point = {
    measurement: 'my, "measurement"',
    tags: { 'tag Key1': 'tag=Value1', plain: 'a,b' },
    fields: { 'field Key': 'string "field" \\value', count: -3n },
    timeNs: 1_556_813_561_098_000_000n,
  };
  expect(lineOf(point)).toBe(
    String.raw`my\,\ "measurement",tag\ Key1=tag\=Value1,plain=a\,b field\ Key="string \"field\" \\value",count=-3i 1556813561098000000`,
  );
});

it('refuses what no line can carry', () => {
  const good: Point = { measurement: 'm', tags: {}, fields: { f: '1' }, timeNs: 1n };
  const bad: readonly Partial<Point>[] = [
    { measurement: '' },
    { measurement: '# comment' },
    { tags: { t: '' } },
    { tags: { t: 'two\nlines' } },
    { tags: { t: 'back\\' } },
    { fields: {} },
  ];
  for (const over of bad) expect(() => lineOf({ ...good, ...over })).toThrow(BadInput);
});

/** By the reference, letter by letter, and in another way than it is written. */
function pointIn(line: string): Point {
  let at = 0;
  /** Up to one of these letters that stands unescaped. */
  const until = (ends: string): string => {
    let text = '';
    for (; at < line.length && !ends.includes(line[at]!); at += 1) {
      if (line[at] === '\\' && ', ='.includes(line[at + 1]!)) at += 1;
      text += line[at]!;
    }
    return text;
  };
  const measurement = until(', ');
  const tags: Record<string, string> = {};
  while (line[at] === ',') {
    at += 1;
    const key = until('=');
    at += 1;
    tags[key] = until(', ');
  }
  const fields: Record<string, string | bigint> = {};
  do {
    at += 1;
    const key = until('=');
    at += 1;
    fields[key] = line[at] === '"' ? quotedAt() : BigInt(until(', ').replace(/i$/, ''));
  } while (line[at] === ',');
  return { measurement, tags, fields, timeNs: BigInt(line.slice(at + 1)) };

  function quotedAt(): string {
    let text = '';
    for (at += 1; line[at] !== '"'; at += 1) {
      if (line[at] === '\\' && '"\\'.includes(line[at + 1]!)) at += 1;
      text += line[at]!;
    }
    at += 1;
    return text;
  }
}
