import { copyFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';
import { build } from 'esbuild';

/** zod's index of all its languages keeps each of them in the bundle; English is loaded apart from it. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup: (context) => {
    context.onResolve({ filter: /[/]locales[/]index[.]js$/ }, ({ path, resolveDir }) => {
      const file = join(resolveDir, path);
      return file.includes('/zod/v4/') ? { path: join(dirname(file), 'en.js') } : undefined;
    });
  },
};

/** The size of a bundle, and what it expects to find where it runs. */
export type Bundle = { readonly bytes: number; readonly outside: readonly string[] };

const SOLVER = 'highs/build/highs.mjs';
const SDK = ['@aws-sdk/*', '@smithy/*'];
/** No emulated endpoint has what these ask for. */
const NEVER_EMULATED = ['@aws-sdk/client-timestream-*'];

/** Makes one file of a Lambda's entry, with its map beside it. AWS's own runtime brings the SDK; others want it bundled. */
export async function bundle(entry: string, outDir: string, sdk: 'of-the-runtime' | 'bundled'): Promise<Bundle> {
  const outfile = join(outDir, 'index.mjs');
  const { metafile } = await build({
    metafile: true,
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
    external: sdk === 'of-the-runtime' ? SDK : NEVER_EMULATED,
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [englishOnly],
    logLevel: 'warning',
  });
  // The solver looks for its WebAssembly beside the script that it stands in.
  for (const input of Object.keys(metafile.inputs).filter((path) => path.endsWith(SOLVER))) {
    copyFileSync(input.replace(/mjs$/, 'wasm'), join(outDir, basename(SOLVER).replace(/mjs$/, 'wasm')));
  }
  const made = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined);
  const outside = (made?.imports ?? []).filter(({ external }) => external === true).map(({ path }) => path);
  return { bytes: statSync(outfile).size, outside };
}

const [, script = '', entry, outDir, sdk] = process.argv;
/** As a process of its own where the caller cannot wait for a promise. */
if (script === fileURLToPath(import.meta.url) && entry !== undefined && outDir !== undefined) {
  const { bytes } = await bundle(entry, outDir, sdk === 'bundled' ? sdk : 'of-the-runtime');
  process.stderr.write(`${relative('.', entry)}: ${bytes} bytes\n`);
}
