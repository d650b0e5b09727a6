import { statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';
import { build } from 'esbuild';

/** zod's index of all its languages keeps each of them in the bundle; English is loaded apart from it. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup: ({ onResolve }) => {
    onResolve({ filter: /[/]locales[/]index[.]js$/ }, ({ path, resolveDir }) => {
      const file = join(resolveDir, path);
      return file.includes('/zod/v4/') ? { path: join(dirname(file), 'en.js') } : undefined;
    });
  },
};

/** Makes one file of a Lambda's entry, with its map beside it, and gives its size in bytes. The runtime brings the SDK. */
export async function bundle(entry: string, outDir: string): Promise<number> {
  const outfile = join(outDir, 'index.mjs');
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    sourcemap: 'linked',
    sourcesContent: false,
    external: ['@aws-sdk/*', '@smithy/*'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [englishOnly],
    logLevel: 'warning',
  });
  return statSync(outfile).size;
}

const [, script = '', entry, outDir] = process.argv;
/** As a process of its own where the caller cannot wait for a promise. */
if (script === fileURLToPath(import.meta.url) && entry !== undefined && outDir !== undefined) {
  const bytes = await bundle(entry, outDir);
  process.stderr.write(`${relative('.', entry)}: ${bytes} bytes\n`);
}
