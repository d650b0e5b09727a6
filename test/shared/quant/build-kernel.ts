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

/** `node test/shared/quant/build-kernel.ts` compiles the sources into the TypeScript files beside them. */
export const KERNELS = {
  pairs: {
    source: 'shared/quant/pairs.as',
    target: 'shared/quant/pairs-wasm.ts',
    name: 'PAIRS_WASM',
    options: ['--initialMemory', '1', '--memoryBase', '16384'],
  },
  sums: {
    source: 'shared/quant/risk/scenario-sums.as',
    target: 'shared/quant/risk/scenario-sums-wasm.ts',
    name: 'SCENARIO_SUMS_WASM',
    options: ['--importMemory'],
  },
  // 64 MB that never grow: growing would take the memory from whoever looks at it. The pages cost nothing until they are written to.
  frames: {
    source: 'hotpath/runtime/frame-kernel.as',
    target: 'hotpath/runtime/frame-wasm.ts',
    name: 'FRAME_WASM',
    options: [
      '--enable',
      'relaxed-simd',
      '--initialMemory',
      '1024',
      '--maximumMemory',
      '1024',
      '--memoryBase',
      '16384',
    ],
  },
} as const;
const OPTIONS = ['-O3', '--enable', 'simd', '--runtime', 'stub', '--noAssert'];

/** The text of the generated file. */
export async function builtKernel({ source, name, options }: (typeof KERNELS)[keyof typeof KERNELS]): Promise<string> {
  const { main } = (await import(COMPILER)) as Compiler;
  let bytes: Uint8Array | undefined;
  const { error } = await main(['kernel.ts', '--outFile', 'kernel.wasm', ...OPTIONS, ...options], {
    readFile: (file) => (file === 'kernel.ts' ? readFileSync(source, 'utf8') : null),
    writeFile: (_name, contents) => {
      bytes = Buffer.from(contents);
    },
    listFiles: () => [],
  });
  if (error !== null || bytes === undefined) throw new Error(error?.message ?? 'nothing was built');
  return `/** ${source.replace(/.*\//, '')}, compiled: \`node test/shared/quant/build-kernel.ts\` writes this file. */
export const ${name} =
  '${Buffer.from(bytes).toString('base64')}';
`;
}

if (import.meta.main) {
  for (const kernel of Object.values(KERNELS)) writeFileSync(kernel.target, await builtKernel(kernel));
}
