import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import { recordedDir } from '#test/support/recorded.ts';
import type { ExampleTable } from '#test/venues/examples/examples.ts';

/** Message and answer examples by which maintained clients test themselves, read by our decoders. */

const folder = `${recordedDir}/fixtures`;
const present = existsSync(folder);
type Example = { readonly path: string; readonly text: string };
const examplesOf = (file: string): readonly Example[] =>
  gunzipSync(readFileSync(`${folder}/${file}`))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Example);

const names = readdirSync('test/venues/examples')
  .map((name) => name.replace(/[.]ts$/, ''))
  .filter((name) => name !== 'examples');
const tables = await Promise.all(
  names.map(async (name) => {
    const { examples } = (await import(`../venues/examples/${name}.ts`)) as { readonly examples: ExampleTable };
    return { name, examples };
  }),
);

const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

const figures: string[] = [];

describe.skipIf(!present)('recorded examples (skipped without RECORDED_DIR)', () => {
  it('answers for every example of every file once', () => {
    expect(names.filter((name) => !venues.some(({ id }) => id === name))).toEqual([]);
    for (const file of readdirSync(folder)) {
      const answering = tables.filter(({ examples }) => examples.file === file);
      const unanswered = examplesOf(file).filter(
        ({ path }) => answering.filter(({ examples }) => examples.only?.test(path) ?? true).length !== 1,
      );
      expect(unanswered.map(({ path }) => path)).toEqual([]);
    }
  });

  it.each(tables)('$name: decodes what it covers, and says why it leaves the rest', ({ name, examples }) => {
    const { file, only, decode, ignored } = examples;
    const failed: string[] = [];
    const reasons = new Map<string, number>();
    const used = new Set<string>();
    let decoded = 0;
    for (const { path, text } of examplesOf(file)) {
      if (only !== undefined && !only.test(path)) continue;
      const ending = Object.keys(decode).find((each) => path.endsWith(each));
      if (ending !== undefined) {
        used.add(ending);
        try {
          if (isNothing(decode[ending]!(text))) failed.push(`${path}: nothing came of it`);
          else decoded += 1;
        } catch (error) {
          failed.push(`${path}: ${String(error)}`);
        }
        continue;
      }
      const [, reason] = ignored.find(([pattern]) => pattern.test(path)) ?? [];
      if (reason === undefined) failed.push(`${path}: neither decoded nor ignored`);
      else reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    expect(failed).toEqual([]);
    expect(Object.keys(decode).filter((ending) => !used.has(ending))).toEqual([]);
    const left = [...reasons.values()].reduce((sum, count) => sum + count, 0);
    figures.push(
      `${name.padEnd(14)} ${decoded} decoded, ${left} ignored (${[...reasons].map(([why, n]) => `${n} ${why}`).join('; ')}), 0 failed`,
    );
  });

  afterAll(() => {
    process.stdout.write(`examples\n  ${figures.join('\n  ')}\n`);
  });
});
