import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundle } from '#cdk/bundle.ts';

const dir = mkdtempSync(join(tmpdir(), 'arb-bundles-'));
afterAll(() => rmSync(dir, { recursive: true }));

const LIMITS: Readonly<Record<string, number>> = { 'rest.lambda.ts': 1_000_000 };
const OTHERS = 300_000;

describe('bundles', () => {
  it.each(globSync('functions/**/*.lambda.ts'))('%s is small, and one file with its map', async (entry) => {
    const outDir = join(dir, basename(entry));
    const { bytes, outside } = await bundle(entry, outDir, 'of-the-runtime');
    expect(bytes).toBeLessThan(LIMITS[basename(entry)] ?? OTHERS);
    const text = readFileSync(join(outDir, 'index.mjs'), 'utf8');
    expect(text.trimEnd()).toMatch(/\/\/# sourceMappingURL=index[.]mjs[.]map$/);
    expect(outside.filter((name) => !isBuiltin(name) && !/^@(aws-sdk|smithy)\//.test(name))).toEqual([]);
    // The solver's WebAssembly, where the solver looks for it.
    expect(existsSync(join(outDir, 'highs.wasm'))).toBe(text.includes('highs.wasm'));
  });
});

const isBuiltin = (name: string): boolean => process.getBuiltinModule(name) !== undefined;
