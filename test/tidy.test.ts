import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';

/** Laws that the linters cannot say. */

const textOf = (file: string): string => readFileSync(file, 'utf8');
const sourcesOf = (...folders: string[]): string[] => folders.flatMap((folder) => globSync(`${folder}/**/*.ts`)).sort();
const filesWith = (pattern: RegExp, files: readonly string[]): string[] =>
  files.filter((file) => pattern.test(textOf(file)));

describe('registries', () => {
  it('lists every route family in the index (`npm test -- -u` rewrites it)', async () => {
    const names = readdirSync('hotpath/detect/routes')
      .filter((file) => file !== 'index.ts')
      .map((file) => file.replace(/[.]ts$/, ''))
      .sort();
    const index = [
      '// Written by test/tidy.test.ts from the files of this folder. Do not edit.',
      ...names.map((name) => `import { ${camel(name)} } from './${name}.ts';`),
      '',
      'export const families = [',
      ...names.map((name) => `  ${camel(name)},`),
      '] as const;',
      '',
    ].join('\n');
    await expect(index).toMatchFileSnapshot('../hotpath/detect/routes/index.ts');
  });

  it('registers every venue file, each with a fixture that says where it comes from', () => {
    const names = readdirSync('hotpath/venues')
      // With a dash: what venues share, or what a venue has beside its own file.
      .filter((file) => !/^(index|venue)[.]|-/.test(file))
      .map((file) => file.replace(/[.]ts$/, ''));
    expect(venues.map(({ id }) => id as string).sort()).toEqual(names.sort());
    for (const name of names) {
      const fixture = `test/fixtures/venues/${name}.jsonl`;
      expect(existsSync(fixture), fixture).toBe(true);
      expect(textOf(fixture).split('\n')[0], fixture).toMatch(/provenance/);
    }
  });
});

describe('the spine', () => {
  const stages = stagesOf(textOf('hotpath/pipeline.ts'));

  it('has a folder for each stage', () => {
    expect(stages.length).toBeGreaterThanOrEqual(7);
    expect(stages.filter((stage) => !existsSync(`hotpath/${stage}`))).toEqual([]);
  });

  it('runs the stages in the order in which the README draws them', () => {
    const drawn = /^frame → (.+) ⇄ venue$/m.exec(textOf('README.md'))?.[1]?.split(' → ');
    expect(drawn).toEqual(stages.filter((stage) => stage !== 'publish'));
  });

  it('calls the stages in the order in which it names them', () => {
    const body = textOf('hotpath/pipeline.ts').split('export function onMarketUpdate')[1]!;
    const firstCall = (stage: string): number => body.indexOf(`stages.${stage}.`);
    // The feed speaks before the pipeline does, and hears of it again only when a book breaks; facts are published before money moves.
    const called = stages.filter((stage) => !['feed', 'publish'].includes(stage));
    const places = called.map(firstCall);
    expect(places.every((place) => place >= 0)).toBe(true);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(firstCall('publish')).toBeGreaterThan(firstCall('risk'));
    expect(firstCall('publish')).toBeLessThan(firstCall('execute'));
  });
});

describe('promises', () => {
  it('mints Approved in the risk gate alone', () => {
    expect(filesWith(/as Approved</, sourcesOf('hotpath', 'shared', 'functions', 'simulator', 'infra', 'bin'))).toEqual(
      ['hotpath/risk/risk-gate.ts'],
    );
  });

  it('reads the time and draws chance in one place each', () => {
    const engine = sourcesOf('hotpath', 'shared');
    expect(filesWith(/\bDate[.]now\(|\bnew Date\(\)|\bperformance[.]now\(|\bhrtime\b/, engine)).toEqual([
      'shared/clock/clock.ts',
    ]);
    expect(filesWith(/\bMath[.]random\(/, engine)).toEqual([]);
  });

  it('names no venue outside venues/, where shared code runs', () => {
    const named = new RegExp(`^(?!\\s*(?:/|[*])).*['"\`](?:${venues.map(({ id }) => id).join('|')})['"\`:]`, 'm');
    const shared = sourcesOf('hotpath', 'shared').filter((file) => !file.startsWith('hotpath/venues/'));
    expect(filesWith(named, shared)).toEqual([]);
  });

  it('leaves nothing to do later, and silences no check', () => {
    const ours = sourcesOf('hotpath', 'shared', 'functions', 'simulator', 'infra', 'bin', 'test');
    const marks = new RegExp(
      ['TO' + 'DO', 'FIX' + 'ME', 'eslint-' + 'disable', '@ts-' + '(ignore|expect-error|nocheck)'].join('|'),
    );
    expect(filesWith(marks, ours)).toEqual([]);
  });
});

function stagesOf(pipeline: string): string[] {
  const type = pipeline.split('export type Stages = {')[1]!.split('\n};')[0]!;
  return [...type.matchAll(/^ {2}readonly (\w+): \{/gm)].map((match) => match[1]!);
}

const camel = (name: string): string => name.replace(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase());
