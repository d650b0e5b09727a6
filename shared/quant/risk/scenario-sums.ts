import { SCENARIO_SUMS_WASM } from './scenario-sums-wasm.ts';

type Memory = { readonly buffer: ArrayBuffer };
type Sum = (factors: number, count: number) => void;
/** What is used of WebAssembly; the types of Node do not tell. */
type Wasm = {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => Memory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: Memory } },
  ) => { readonly exports: { readonly sum: Sum } };
};

const PAGE_BYTES = 65_536;
const wasm = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;
const module = new wasm.Module(Buffer.from(SCENARIO_SUMS_WASM, 'base64'));

/** Returns of factors in scenarios in a memory of the SIMD code of scenario-sums.as, which never grows. */
export class ScenarioSums {
  /** As in `Scenarios`. May be written to. */
  readonly returns: Float64Array;
  readonly #deltas: Float64Array;
  readonly #pnl: Float64Array;
  readonly #sum: Sum;

  constructor(factors: number, count: number) {
    const initial = Math.ceil((8 * (factors * count + count + factors)) / PAGE_BYTES);
    const memory = new wasm.Memory({ initial, maximum: initial });
    this.returns = new Float64Array(memory.buffer, 0, factors * count);
    this.#pnl = new Float64Array(memory.buffer, this.returns.byteLength, count);
    this.#deltas = new Float64Array(memory.buffer, this.#pnl.byteOffset + this.#pnl.byteLength, factors);
    this.#sum = new wasm.Instance(module, { env: { memory } }).exports.sum;
  }

  /** What linear exposures gain in each scenario, bit for bit as the scalar code. */
  into(deltaUsd: Float64Array, pnl: Float64Array): void {
    this.#deltas.set(deltaUsd);
    this.#sum(deltaUsd.length, this.#pnl.length);
    pnl.set(this.#pnl);
  }
}
