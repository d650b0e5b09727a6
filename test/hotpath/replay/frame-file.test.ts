import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FrameLine } from '#hotpath/replay/frame-file.ts';
import { readFrameFile } from '#hotpath/replay/frame-file.ts';
import { mergeFrameFiles } from '#hotpath/replay/merge.ts';
import { fileOf, frameLines, newFolder, ORIGIN_NS } from './frame-lines.ts';

async function linesOf(path: string): Promise<FrameLine[]> {
  const lines: FrameLine[] = [];
  for await (const batch of readFrameFile(path)) lines.push(...batch);
  return lines;
}
const text = ({ bytes }: FrameLine) => Buffer.from(bytes).toString();

describe('a frame file', () => {
  const content = frameLines([
    { k: 'open', c: 'ws', u: 'wss://host/ws' },
    { k: 'out', c: 'ws', d: 'subscribe' },
    { k: 'in', c: 'ws', d: '{"text":"ünïcode"}' },
    { k: 'in', b: Buffer.from([0, 255]).toString('base64') },
    { k: 'http', u: 'https://host/depth', d: '{}' },
  ]);

  it.each(['day.frames.jsonl.gz', 'day.frames.jsonl', 'wrong-name.txt'])('is read as %s', async (name) => {
    const lines = await linesOf(fileOf(content, name));
    expect(lines.map(({ line, kind, connection, url }) => [line, kind, connection, url])).toEqual([
      [0, 'open', 'ws', 'wss://host/ws'],
      [1, 'out', 'ws', undefined],
      [2, 'in', 'ws', undefined],
      [3, 'in', '', undefined],
      [4, 'http', '', 'https://host/depth'],
    ]);
    expect(text(lines[2]!)).toBe('{"text":"ünïcode"}');
    expect([...lines[3]!.bytes]).toEqual([0, 255]);
    expect(lines.map(({ unixNs }) => unixNs - ORIGIN_NS)).toEqual([0n, 1_000_000n, 2_000_000n, 3_000_000n, 4_000_000n]);
  });

  it('may end without a line feed, and keeps times exact to the nanosecond', async () => {
    const lines = await linesOf(fileOf('{"t":"1723161253937085768","k":"in","d":"x"}', 'a.jsonl'));
    expect(lines.map(({ unixNs }) => unixNs)).toEqual([1_723_161_253_937_085_768n]);
  });

  it('comes back as it was, however its bytes fall into chunks', async () => {
    const frames = fc.array(fc.string({ unit: 'grapheme', maxLength: 3_000 }), { maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(frames, async (texts) => {
        const lines = await linesOf(fileOf(frameLines(texts.map((d) => ({ k: 'in', d })))));
        expect(lines.map(text)).toEqual(texts.map((frame) => Buffer.from(frame).toString()));
        expect(lines.map(({ line }) => line)).toEqual(texts.map((_frame, at) => at));
      }),
      { numRuns: 25 },
    );
  });

  it('tells how far it is', async () => {
    const frames = Array.from({ length: 5_000 }, () => ({ k: 'in' as const, d: randomBytes(200).toString('hex') }));
    const shares: number[] = [];
    for await (const batch of readFrameFile(fileOf(frameLines(frames)), (share) => shares.push(share))) batch.at(0);
    expect(shares.length).toBeGreaterThan(3);
    expect(shares.at(-1)).toBe(1);
    expect([...shares].sort((a, b) => a - b)).toEqual(shares);
  });
});

describe('bad input is named with file and line', () => {
  const good = frameLines([{ k: 'in', d: 'x' }]);

  it.each([
    ['not json\n', ':2: not JSON'],
    ['[]\n', ':2: not a frame line'],
    ['{"t":12,"k":"in","d":""}\n', ':2: not a frame line'],
    ['{"t":"1e9","k":"in","d":""}\n', ':2: not a frame line'],
    ['{"t":"12","k":"other","d":""}\n', ':2: not a frame line'],
    ['{"t":"12","k":"in","d":5}\n', ':2: not a frame line'],
    ['{"t":"12","k":"in"}\n', ':2: "in" without data'],
    ['{"t":"12","k":"in","d":"cut of', ':2: not JSON'],
  ])('%j', async (bad, message) => {
    const path = fileOf(good + bad, 'bad.frames.jsonl');
    await expect(linesOf(path)).rejects.toMatchObject({
      name: 'BadInput',
      message: expect.stringContaining(path + message),
    });
  });

  it('a file that is not there, or is a folder', async () => {
    await expect(linesOf('/nonexistent/x.gz')).rejects.toThrow('/nonexistent/x.gz: no such file');
    const folder = newFolder();
    await expect(linesOf(folder)).rejects.toMatchObject({ name: 'BadInput', message: expect.stringContaining(folder) });
  });

  it('a gzip file cut or damaged anywhere', async () => {
    const whole = gzipSync(frameLines(Array.from({ length: 300 }, (_line, at) => ({ k: 'in', d: `frame ${at}` }))));
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.boolean(), async (at, cut) => {
        const damaged = Buffer.from(cut ? whole.subarray(0, at) : whole);
        if (!cut) damaged[at]! ^= 0xff;
        const outcome = await linesOf(fileOf(damaged)).catch((error: unknown) => error);
        // The header's modification time and system are free to differ; an empty file is no file at all, but no crash either.
        if (Array.isArray(outcome)) expect(cut ? at === 0 : at < 10).toBe(true);
        else
          expect(outcome).toMatchObject({
            name: 'BadInput',
            message: expect.stringMatching(/^\S+day[.]frames[.]jsonl[.]gz:/),
          });
      }),
      { numRuns: 150 },
    );
  });
});

it('several files play as one: by time, ties in the order of the files', async () => {
  const dir = newFolder();
  const files = [
    fileOf(
      frameLines([
        { at: 0, k: 'in', d: 'a0' },
        { at: 5, k: 'in', d: 'a5' },
        { at: 5, k: 'in', d: 'a5b' },
      ]),
      'a',
      dir,
    ),
    fileOf(
      frameLines([
        { at: 5, k: 'in', d: 'b5' },
        { at: 9, k: 'in', d: 'b9' },
      ]),
      'b',
      dir,
    ),
    fileOf('', 'empty', dir),
    fileOf(
      frameLines([
        { at: 1, k: 'in', d: 'd1' },
        { at: 5, k: 'in', d: 'd5' },
      ]),
      'd',
      dir,
    ),
  ];
  const merged: string[] = [];
  for await (const { source, line } of mergeFrameFiles(files)) merged.push(`${source}:${text(line)}`);
  expect(merged).toEqual(['0:a0', '3:d1', '0:a5', '0:a5b', '1:b5', '3:d5', '1:b9']);
  expect(readFileSync(files[2]!, 'utf8')).toBe('');
});
