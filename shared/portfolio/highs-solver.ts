import type { Highs, Model, ModelData } from 'highs';
import type { LinearProgram, Row, Solved, Solver } from './linear-program.ts';

/** Whichever limit comes first ends a search; what was found by then is the answer. */
const OPTIONS = {
  output_flag: false,
  random_seed: 0,
  mip_max_nodes: 1_000,
  time_limit: 1.5,
  mip_rel_gap: 1e-8,
  mip_abs_gap: 1e-4,
  mip_feasibility_tolerance: 1e-9,
  // Ten milliseconds a search, for a first answer that we do not need: doing nothing is one.
  mip_heuristic_run_feasibility_jump: false,
};
const FEASIBLE = 2;
const CONTINUOUS = 0;
const INTEGER = 1;
/** Less of a choice is the solver's noise. */
const CHOSEN = 1e-7;

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
  const { modelStatus } = highs.constants;
  return (program) =>
    highs.withModel(modelFrom(program, highs.infinity), (model): Solved => {
      model.options.set(OPTIONS);
      const start = begun(model, program);
      const found = ran(model) ?? start;
      const isOptimal = model.getModelStatus() === modelStatus.optimal;
      return found === undefined ? { kind: 'none' } : { kind: isOptimal ? 'optimal' : 'bounded', values: found };
    });
}

/**
 * Gives the search something to improve: what is chosen at all where choices need not be whole is chosen, the rest is not. A large program that runs
 * into its limits has a good plan from the first moment.
 */
function begun(model: Model, { columns }: LinearProgram): Float64Array | undefined {
  const choices = columns.flatMap(({ isInteger }, column) => (isInteger ? [column] : []));
  if (choices.length === 0) return undefined;
  for (const column of choices) model.changeColIntegrality(column, CONTINUOUS);
  const relaxed = ran(model);
  for (const column of choices) {
    const chosen = relaxed !== undefined && relaxed[column]! > CHOSEN ? 1 : 0;
    model.changeColBounds(column, chosen, chosen);
  }
  const start = ran(model);
  for (const column of choices) {
    model.changeColBounds(column, 0, columns[column]!.upper);
    model.changeColIntegrality(column, INTEGER);
  }
  if (start !== undefined) model.setSolution({ colValue: start });
  return start;
}

/** What a run of its own time finds. */
function ran(model: Model): Float64Array | undefined {
  model.zeroAllClocks();
  model.run();
  return model.info.get('primal_solution_status') === FEASIBLE ? model.getSolution().colValue : undefined;
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
    integrality: Int32Array.from(columns, ({ isInteger }) => (isInteger ? INTEGER : CONTINUOUS)),
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
