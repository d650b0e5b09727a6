import { readFileSync, writeFileSync } from 'node:fs';

/** What is used of the compiler. Its own types declare globals, such as arrays that are never out of bounds, for the whole project. */
type Compiler = {
  readonly main: (
    argv: readonly string[],
    host: {
      readonly readFile: (name: string) => string | null;
      readonly writeFile: (name: string, contents: Uint8Array | string) => void;
      readonly listFiles: () => readonly string[];
    },
  ) => Promise<{ readonly error: Error | null }>;
};
const COMPILER: string = 'assemblyscript/asc';

/** `node test/shared/quant/build-kernel.ts` compiles shared/quant/pairs.as into shared/quant/pairs-wasm.ts. */

const SOURCE = 'shared/quant/pairs.as';
const TARGET = 'shared/quant/pairs-wasm.ts';
const OPTIONS = [
  '-O3',
  '--enable',
  'simd',
  '--runtime',
  'stub',
  '--noAssert',
  '--initialMemory',
  '1',
  '--memoryBase',
  '16384',
];

/** The text of the generated file. */
export async function builtKernel(): Promise<string> {
  const { main } = (await import(COMPILER)) as Compiler;
  let bytes: Uint8Array | undefined;
  const { error } = await main(['pairs.ts', '--outFile', 'pairs.wasm', ...OPTIONS], {
    readFile: (name) => (name === 'pairs.ts' ? readFileSync(SOURCE, 'utf8') : null),
    writeFile: (_name, contents) => {
      bytes = Buffer.from(contents);
    },
    listFiles: () => [],
  });
  if (error !== null || bytes === undefined) throw new Error(error?.message ?? 'nothing was built');
  return `/** pairs.as, compiled: \`node test/shared/quant/build-kernel.ts\` writes this file. */
export const PAIRS_WASM =
  '${Buffer.from(bytes).toString('base64')}';
`;
}

if (import.meta.main) writeFileSync(TARGET, await builtKernel());
