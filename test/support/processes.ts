import { readdirSync, readFileSync } from 'node:fs';

/** Process ids of the engines that `parent` started (Linux: read from /proc). */
export function enginesBelow(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const parentOf = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return parentOf === parent && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('hotpath/main.ts');
      } catch {
        return false; // it ended while we looked
      }
    });
}
