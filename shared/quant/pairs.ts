import { ROOTS } from './exponential.ts';
import type { ForwardColumns, ValuationColumns } from './option.ts';
import { PAIRS_WASM } from './pairs-wasm.ts';

export const ON_FORWARD = 0;
export const ON_SPOT = 1;

/** Prices and Greeks of all rows by the SIMD code of pairs.as, bit for bit those of the scalar code. Rows that are left to that have NaN for a price. */
export function pricePairs(
  options: ForwardColumns,
  yields: Float64Array,
  out: ValuationColumns,
  model: typeof ON_FORWARD | typeof ON_SPOT,
): void {
  const count = options.strike.length;
  for (let from = 0; from < count; from += ROWS) {
    const rows = Math.min(ROWS, count - from);
    copySigns(options.calls, from, columns.sign, rows);
    copyIn(options.underlying, from, columns.underlying, rows);
    copyIn(options.strike, from, columns.strike, rows);
    copyIn(options.years, from, columns.years, rows);
    copyIn(options.volatility, from, columns.volatility, rows);
    copyIn(options.rate, from, columns.rate, rows);
    copyIn(yields, from, columns.yield, rows);
    value(rows, model);
    copyOut(columns.price, out.price, from, rows);
    copyOut(columns.delta, out.delta, from, rows);
    copyOut(columns.gamma, out.gamma, from, rows);
    copyOut(columns.vega, out.vega, from, rows);
    copyOut(columns.theta, out.theta, from, rows);
    copyOut(columns.rho, out.rho, from, rows);
  }
}

function copySigns(calls: Uint8Array, from: number, signs: Float64Array, rows: number): void {
  for (let at = 0; at < rows; at += 1) signs[at] = calls[from + at] === 1 ? 1 : -1;
}

function copyIn(source: Float64Array, from: number, target: Float64Array, rows: number): void {
  for (let at = 0; at < rows; at += 1) target[at] = source[from + at]!;
}

function copyOut(source: Float64Array, target: Float64Array, from: number, rows: number): void {
  for (let at = 0; at < rows; at += 1) target[from + at] = source[at]!;
}

/** Rows of a column in the kernel's memory, and the order of the columns there, behind the table of roots. */
const ROWS = 128;
const COLUMNS = [
  'sign',
  'underlying',
  'strike',
  'years',
  'volatility',
  'rate',
  'yield',
  'price',
  'delta',
  'gamma',
  'vega',
  'theta',
  'rho',
] as const;

type Kernel = {
  readonly columns: { readonly [name in (typeof COLUMNS)[number]]: Float64Array };
  /** Prices the first `rows` of the columns. */
  readonly value: (rows: number, model: number) => void;
};

/** What is used of WebAssembly; the types of Node do not tell. */
type Wasm = {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => {
    readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly value: Kernel['value'] };
  };
};

const { columns, value } = kernelFrom((globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly);

function kernelFrom({ Instance, Module }: Wasm): Kernel {
  const { exports } = new Instance(new Module(Buffer.from(PAIRS_WASM, 'base64')));
  const { buffer } = exports.memory;
  new Float64Array(buffer, 0, ROOTS.length).set(ROOTS);
  const named = COLUMNS.map((name, at) => [name, new Float64Array(buffer, 8 * (ROOTS.length + at * ROWS), ROWS)]);
  return { columns: Object.fromEntries(named) as Kernel['columns'], value: exports.value };
}
