/** Rows of different length in one array: row r is `items[starts[r]] … items[starts[r + 1] − 1]`. */
export type Rows = { readonly starts: Int32Array; readonly items: Int32Array };

export function rowsFrom(rows: readonly (readonly number[])[]): Rows {
  const starts = new Int32Array(rows.length + 1);
  for (let row = 0; row < rows.length; row += 1) starts[row + 1] = starts[row]! + rows[row]!.length;
  const items = new Int32Array(starts[rows.length]!);
  let at = 0;
  for (const row of rows) {
    // Many short rows: copied by hand, that is faster than `set`.
    for (const item of row) {
      items[at] = item;
      at += 1;
    }
  }
  return { starts, items };
}

/** For each of so many items the rows that have it, in their order. */
export function rowsWith(count: number, { starts, items }: Rows): Rows {
  const ends = new Int32Array(count + 1);
  for (const item of items) ends[item + 1]! += 1;
  for (let item = 0; item < count; item += 1) ends[item + 1]! += ends[item]!;
  const inverted = new Int32Array(items.length);
  const next = ends.slice();
  for (let row = 0; row < starts.length - 1; row += 1) {
    for (let at = starts[row]!; at < starts[row + 1]!; at += 1) {
      const item = items[at]!;
      inverted[next[item]!] = row;
      next[item]! += 1;
    }
  }
  return { starts: ends, items: inverted };
}

/** Rows of one item each. */
export const rowsOfOne = (items: Int32Array): Rows => ({
  starts: new Int32Array(items.length + 1).map((_none, row) => row),
  items,
});
