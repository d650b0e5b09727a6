import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A program of PyPI, or why it is not to be had here. */
export type PythonTool = { readonly path: string } | { readonly absent: string };

const INSTALL_MS = 180_000;

/**
 * The program `name` of one pinned release, in an environment of its own under node_modules/.cache: installed when it is wanted first,
 * where python3 and a package index are there.
 */
export function pythonTool(name: string, version: string): PythonTool {
  const home = `node_modules/.cache/venv-${name}-${version}`;
  const path = `${home}/bin/${name}`;
  if (existsSync(path)) return { path };
  const steps = [
    ['python3', '-m', 'venv', home],
    [`${home}/bin/pip`, 'install', '--quiet', '--disable-pip-version-check', '--timeout', '15', `${name}==${version}`],
  ] as const;
  for (const [program, ...args] of steps) {
    const { status, error, stderr } = spawnSync(program, args, { timeout: INSTALL_MS, encoding: 'utf8' });
    if (status !== 0) {
      const lines = [error?.message, ...stderr.split('\n')].filter((line) => line !== undefined && line !== '');
      return { absent: `${name} ${version} cannot be installed: ${lines.at(-1) ?? 'no reason given'}` };
    }
  }
  return existsSync(path) ? { path } : { absent: `${name} ${version} brings no program of its name` };
}
