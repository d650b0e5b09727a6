/** Rows of different length in one array: row r is `items[starts[r]] … items[starts[r + 1] − 1]`. */
export type Rows = { readonly starts: Int32Array; readonly items: Int32Array };

export type Entry = readonly [row: number, items: readonly number[]];

export function rowsFrom(rows: readonly (readonly number[])[]): Rows {
  const starts = new Int32Array(rows.length + 1);
  for (const [at, row] of rows.entries()) starts[at + 1] = starts[at]! + row.length;
  return { starts, items: Int32Array.from(rows.flat()) };
}

/** Rows of what each source says belongs to them, in the order of the sources. */
export function invert<Source>(
  count: number,
  sources: readonly Source[],
  entriesOf: (source: Source) => readonly Entry[],
): Rows {
  const rows: number[][] = Array.from({ length: count }, () => []);
  for (const [row, items] of sources.flatMap((source) => entriesOf(source))) rows[row]!.push(...items);
  return rowsFrom(rows);
}
