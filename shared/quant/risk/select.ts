/**
 * Reorders `values[0…last]` so that the one at `rank` is the one that sorting would put there, none before it is greater and none after it less. The values are
 * numbers, not NaN.
 * @see C. A. R. Hoare, "Algorithm 65: FIND", Comm. ACM 4 (1961) 321.
 */
export function selectLowest(values: Float64Array, last: number, rank: number): void {
  let left = 0;
  let right = last;
  while (left < right) {
    const pivot = values[(left + right) >> 1]!;
    let i = left;
    let j = right;
    while (i <= j) {
      while (values[i]! < pivot) i += 1;
      while (values[j]! > pivot) j -= 1;
      if (i > j) break;
      const value = values[i]!;
      values[i] = values[j]!;
      values[j] = value;
      i += 1;
      j -= 1;
    }
    if (rank <= j) right = j;
    else if (rank >= i) left = i;
    else return;
  }
}
