import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';

/** A program of PyPI, or why it is not to be had here. */
export type PythonTool = { readonly path: string } | { readonly absent: string };

const INSTALL_MS = 180_000;
const LIBRARIES_MS = 600_000;

/**
 * The program `name` of one pinned release, in an environment of its own under node_modules/.cache: installed when it is wanted first,
 * where python3 and a package index are there.
 */
export function pythonTool(name: string, version: string): PythonTool {
  const home = `node_modules/.cache/venv-${name}-${version}`;
  const path = `${home}/bin/${name}`;
  if (existsSync(path)) return { path };
  const absent = installed(home, [`${name}==${version}`], INSTALL_MS);
  if (absent !== undefined) return { absent };
  return existsSync(path) ? { path } : { absent: `${name} ${version} brings no program of its name` };
}

/** A Python that has pinned releases of some libraries, in an environment likewise. */
export function pythonWith(libraries: Readonly<Record<string, string>>): PythonTool {
  const releases = Object.entries(libraries).map(([name, version]) => `${name}==${version}`);
  const home = `node_modules/.cache/venv-${releases.join('-').replaceAll('==', '-')}`;
  const path = `${home}/bin/python`;
  // Written when all of them are there: an environment may have been left half made.
  const complete = `${home}/complete`;
  if (existsSync(complete)) return { path };
  const absent = installed(home, releases, LIBRARIES_MS);
  if (absent !== undefined) return { absent };
  writeFileSync(complete, '');
  return { path };
}

/** Undefined, or why they cannot be installed. */
function installed(home: string, releases: readonly string[], withinMs: number): string | undefined {
  const steps = [
    ['python3', '-m', 'venv', home],
    [`${home}/bin/pip`, 'install', '--quiet', '--disable-pip-version-check', '--timeout', '15', ...releases],
  ] as const;
  for (const [program, ...args] of steps) {
    const { status, error, stderr } = spawnSync(program, args, { timeout: withinMs, encoding: 'utf8' });
    if (status === 0) continue;
    // Without the program to run, there is no text.
    const lines = [error?.message, ...((stderr as string | null) ?? '').split('\n')];
    const reason = lines.filter((line) => line !== undefined && line !== '').at(-1) ?? 'no reason given';
    return `${releases.join(', ')} cannot be installed: ${reason}`;
  }
  return undefined;
}
