import type { Config } from '../schema/config.ts';

/** One setting that changed: its path, and its values as JSON (null: it was not there, or is no more). */
export type Change = { readonly path: string; readonly before: string | null; readonly after: string | null };

/** Setting by setting, in the order of their paths. A list is one setting. */
export function changesBetween(before: Config | undefined, after: Config): readonly Change[] {
  const [from, to] = [leavesOf(before ?? {}), leavesOf(after)];
  return [...new Set([...from.keys(), ...to.keys()])]
    .sort()
    .map((path) => ({ path, before: from.get(path) ?? null, after: to.get(path) ?? null }))
    .filter((change) => change.before !== change.after);
}

/** Path → value as JSON. An empty table is a leaf too, or its coming and going would not show. */
export function leavesOf(value: unknown, path = ''): ReadonlyMap<string, string> {
  const isTable = typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = isTable ? Object.entries(value) : [];
  if (entries.length === 0) return new Map(path === '' ? [] : [[path, JSON.stringify(value)]]);
  return new Map(entries.flatMap(([name, inner]) => [...leavesOf(inner, path === '' ? name : `${path}.${name}`)]));
}
