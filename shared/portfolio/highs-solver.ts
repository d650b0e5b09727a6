import type { Highs, Model, ModelData } from 'highs';
import type { LinearProgram, Row, Solved, Solver } from './linear-program.ts';

/** Whichever comes first ends a search; what was found by then is the answer. */
const SECONDS_MAX = 1;
const NODES_MAX = 20_000;
const FEASIBLE = 2;

let loading: Promise<Solver> | undefined;

/**
 * HiGHS, a solver of mixed-integer linear programs, as WebAssembly: loaded at the first call, 3.5 MB. It has one thread and a fixed seed, and a search
 * that ends within its limits has the same answer every time. A call blocks.
 * @see Q. Huangfu & J. A. J. Hall, "Parallelizing the dual revised simplex method", Math. Program. Comput. 10 (2018) 119–142; https://highs.dev
 */
export function highsSolver(): Promise<Solver> {
  loading ??= loaded();
  return loading;
}

async function loaded(): Promise<Solver> {
  // Its types describe the CommonJS build, where what is exported stands one `default` deeper than in the module that is loaded.
  const { default: load } = (await import('highs')) as unknown as { readonly default: () => Promise<Highs> };
  const highs = await load();
  return (program) => highs.withModel(modelFrom(program, highs.infinity), (model) => solved(model, highs));
}

function solved(model: Model, { constants }: Highs): Solved {
  model.options.set({ output_flag: false, time_limit: SECONDS_MAX, mip_max_nodes: NODES_MAX, random_seed: 0 });
  model.options.set({ mip_rel_gap: 1e-9, mip_abs_gap: 1e-6, mip_feasibility_tolerance: 1e-9 });
  model.run();
  if (model.info.get('primal_solution_status') !== FEASIBLE) return { kind: 'none' };
  const isOptimal = model.getModelStatus() === constants.modelStatus.optimal;
  return { kind: isOptimal ? 'optimal' : 'bounded', values: model.getSolution().colValue };
}

function modelFrom({ columns, rows }: LinearProgram, infinity: number): ModelData {
  const bound = (value: number): number => (Number.isFinite(value) ? value : Math.sign(value) * infinity);
  return {
    numCols: columns.length,
    numRows: rows.length,
    colCost: columns.map(({ cost }) => cost),
    colLower: columns.map(() => 0),
    colUpper: columns.map(({ upper }) => bound(upper)),
    rowLower: rows.map(({ lower }) => bound(lower)),
    rowUpper: rows.map(({ upper }) => bound(upper)),
    matrix: matrixFrom(rows, columns.length),
    integrality: Int32Array.from(columns, ({ isInteger }) => (isInteger ? 1 : 0)),
  };
}

function matrixFrom(rows: readonly Row[], numCols: number): ModelData['matrix'] {
  const starts = [0];
  const indices: number[] = [];
  const values: number[] = [];
  for (const { terms } of rows) {
    for (const [column, coefficient] of terms) {
      indices.push(column);
      values.push(coefficient);
    }
    starts.push(indices.length);
  }
  return { format: 'csr', numRows: rows.length, numCols, starts, indices, values };
}
