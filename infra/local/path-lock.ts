import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BadInput } from '#shared/assert.ts';

/** In the folder that it claims. */
export const LOCK_FILE = 'owner.lock';

/** Folders that this process holds: a lock file with our own pid that is not among them is a dead namesake's. */
const held = new Set<string>();

/**
 * Claims a folder for this process. LevelDB has a lock of its own, but the peers turn its refusal into an uncaught exception.
 * A lock whose process is gone (`kill -9`) is taken over.
 * @throws BadInput naming the process that holds it
 */
export function lockFolder(folder: string): { readonly release: () => void } {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, LOCK_FILE);
  if (held.has(file)) throw new BadInput(`${folder} is in use by this process`);
  const owner = ownerOf(file);
  if (owner !== undefined) throw new BadInput(`${folder} is in use by process ${owner} (lock file ${file})`);
  rmSync(file, { force: true });
  const descriptor = openSync(file, 'wx');
  writeSync(descriptor, String(process.pid));
  closeSync(descriptor);
  held.add(file);
  return {
    release: () => {
      if (held.delete(file)) rmSync(file, { force: true });
    },
  };
}

/** The living process that a lock file names; undefined when there is none. */
function ownerOf(file: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const pid = Number(text);
  return Number.isSafeInteger(pid) && pid > 0 && pid !== process.pid && isAlive(pid) ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
