import { readFileSync, writeFileSync } from 'node:fs';
import type { ReportRow } from './report.ts';

/** Results of the small mode by group and name: an answer that changes is seen, on whatever machine. */
export type Pins = Readonly<Record<string, Readonly<Record<string, string>>>>;

const FILE = new URL('hashes.json', import.meta.url);

export const pinned = (): Pins => JSON.parse(readFileSync(FILE, 'utf8')) as Pins;

/** Groups that have no rows here (their recordings are missing) keep what they had. */
export function pin(rows: readonly ReportRow[]): void {
  const groups = Object.groupBy(rows, ({ group }) => group);
  const fresh = Object.fromEntries(
    Object.entries(groups).map(([group, of = []]) => [group, Object.fromEntries(pinsOf(of))]),
  );
  writeFileSync(FILE, `${JSON.stringify({ ...pinned(), ...fresh }, null, 2)}\n`);
}

const pinsOf = (rows: readonly ReportRow[]): (readonly [string, string])[] =>
  rows.filter(({ hash }) => hash !== '').map(({ name, hash }) => [name, hash]);

/** A line for each answer that is not the pinned one, not pinned, or pinned and not given. */
export function changes(rows: readonly ReportRow[], pins: Pins): readonly string[] {
  const groups = Object.groupBy(rows, ({ group }) => group);
  return Object.entries(groups).flatMap(([group, of = []]) => {
    const given = new Map(pinsOf(of));
    const expected = new Map(Object.entries(pins[group] ?? {}));
    const changed = [...given].flatMap(([name, hash]) => {
      const before = expected.get(name);
      if (before === undefined) return [`${group}, ${name}: not pinned (--small --pin does)`];
      return before === hash ? [] : [`${group}, ${name}: the result has changed: ${hash}, pinned ${before}`];
    });
    const missing = [...expected.keys()].filter((name) => !given.has(name));
    return [...changed, ...missing.map((name) => `${group}, ${name}: pinned, and not among the results`)];
  });
}
