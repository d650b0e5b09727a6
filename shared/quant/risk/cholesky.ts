import type { Square } from './matrix.ts';

export type Factored =
  { readonly kind: 'factored'; readonly lower: Square } | { readonly kind: 'refused'; readonly reason: NoCovariance };

/** Why a matrix is no covariance: not square; a cell is no finite number; Σᵢⱼ ≠ Σⱼᵢ; some portfolio would have a variance below zero. */
export type NoCovariance = 'not-square' | 'not-a-number' | 'not-symmetric' | 'not-positive';

/** A variance below this share of its factor's is none: what the sums before it round. */
const NOTHING = 1e-12;

/**
 * The lower triangle L with L·Lᵀ = Σ. Factors that others make up (more factors than scenarios, the same one twice, one that does not move) are given no variance of their
 * own; a matrix that is no covariance is refused.
 * @see G. Golub & C. Van Loan, "Matrix Computations", § 4.2 (Cholesky, positive semidefinite).
 */
export function choleskyOf({ size, cells }: Square): Factored {
  const reason = faultOf({ size, cells });
  if (reason !== undefined) return { kind: 'refused', reason };
  const lower = new Float64Array(size * size);
  for (let column = 0; column < size; column += 1) {
    const variance = cells[column * size + column]!;
    const left = remainder(cells, lower, size, [column, column]);
    if (left < -NOTHING * variance || variance < 0) return { kind: 'refused', reason: 'not-positive' };
    const isNothing = left <= NOTHING * variance;
    const pivot = isNothing ? 0 : Math.sqrt(left);
    lower[column * size + column] = pivot;
    for (let row = column + 1; row < size; row += 1) {
      const rest = remainder(cells, lower, size, [row, column]);
      if (!isNothing) {
        lower[row * size + column] = rest / pivot;
        continue;
      }
      // What has no variance left goes with nothing: |covariance| ≤ √(product of the variances).
      const most = Math.sqrt(2 * NOTHING * variance * cells[row * size + row]!);
      if (!(Math.abs(rest) <= most)) return { kind: 'refused', reason: 'not-positive' };
    }
  }
  return { kind: 'factored', lower: { size, cells: lower } };
}

function faultOf({ size, cells }: Square): NoCovariance | undefined {
  if (cells.length !== size * size) return 'not-square';
  if (!cells.every((cell) => Number.isFinite(cell))) return 'not-a-number';
  for (let row = 1; row < size; row += 1) {
    for (let column = 0; column < row; column += 1) {
      const one = cells[row * size + column]!;
      const other = cells[column * size + row]!;
      if (Math.abs(one - other) > NOTHING * Math.max(Math.abs(one), Math.abs(other))) return 'not-symmetric';
    }
  }
  return undefined;
}

/** Σᵢⱼ − Σ_{k<j} Lᵢₖ·Lⱼₖ. */
function remainder(
  cells: Float64Array,
  lower: Float64Array,
  size: number,
  [row, column]: readonly [number, number],
): number {
  let left = cells[row * size + column]!;
  for (let k = 0; k < column; k += 1) left -= lower[row * size + k]! * lower[column * size + k]!;
  return left;
}
