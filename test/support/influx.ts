import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '#test/functions/support/world.ts';

export type Influx = { readonly url: string; readonly close: () => Promise<void> };

const CACHE = resolve('node_modules/.cache/influxdb');

/**
 * Debian's InfluxDB: the one that `INFLUXD` names or that is kept below node_modules, downloaded when it is not there.
 * @returns its path, or why there is none
 */
export function influxd(): { readonly path: string } | { readonly missing: string } {
  const kept = process.env['INFLUXD'] ?? join(CACHE, 'usr/bin/influxd');
  if (existsSync(kept)) return { path: kept };
  try {
    mkdirSync(CACHE, { recursive: true });
    execFileSync('apt-get', ['download', 'influxdb'], { cwd: CACHE, stdio: 'ignore', timeout: 120_000 });
    const deb = readdirSync(CACHE).find((name) => name.endsWith('.deb'))!;
    execFileSync('dpkg', ['-x', join(CACHE, deb), CACHE], { stdio: 'ignore' });
  } catch {
    return { missing: 'no influxd: neither INFLUXD nor Debian has one here' };
  }
  return existsSync(kept) ? { path: kept } : { missing: `no influxd in ${CACHE}` };
}

/** A server with nothing in it, on a port of its own. */
export async function startInflux(path: string): Promise<Influx> {
  const dir = mkdtempSync(join(tmpdir(), 'arb-influx-'));
  const port = await freePort();
  const config = join(dir, 'influxdb.conf');
  writeFileSync(config, configOf(dir, port));
  const child = spawn(path, ['-config', config], { stdio: 'ignore' });
  const gone = new Promise<void>((onGone) => child.once('exit', () => onGone()));
  const url = `http://127.0.0.1:${port}`;
  const answers = (): Promise<boolean> =>
    fetch(`${url}/ping`).then(
      ({ status }) => status === 204,
      () => false,
    );
  await eventually(answers, 60_000);
  return {
    url,
    close: async () => {
      child.kill();
      await gone;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const configOf = (dir: string, port: number): string => `
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "${dir}/meta"
[data]
dir = "${dir}/data"
wal-dir = "${dir}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:${port}"
log-enabled = false
`;

/** One that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((onPort) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => onPort(port));
    });
  });
}
