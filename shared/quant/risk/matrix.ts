/** Square, row by row. */
export type Square = { readonly size: number; readonly cells: Float64Array };

/** xᵀ·A·x of a symmetric A: a variance where A is a covariance and x exposures. */
export function quadraticForm({ size, cells }: Square, x: Readonly<Float64Array>): number {
  let sum = 0;
  for (let row = 0; row < size; row += 1) {
    const left = x[row]!;
    if (left === 0) continue;
    let inner = 0;
    for (let column = 0; column < row; column += 1) inner += cells[row * size + column]! * x[column]!;
    sum += left * (2 * inner + cells[row * size + row]! * left);
  }
  return sum;
}
