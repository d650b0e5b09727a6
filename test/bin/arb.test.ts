import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'arb-cli-'));
const file = (name: string, content: string | Buffer): string => {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
};
const arb = (args: readonly string[], env: Readonly<Record<string, string>> = {}, input = '') => {
  const { status, stdout, stderr } = spawnSync('node', ['bin/arb.ts', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    input,
    timeout: 60_000,
  });
  return { status, stdout, stderr };
};

describe('bad input gets one clear line and an exit code', () => {
  const half = gzipSync('{"t":"1","k":"in","d":"{}"}\n'.repeat(1000)).subarray(0, 40);
  it.each<[string, readonly string[], Record<string, string>, RegExp]>([
    ['unknown flag', ['start', '--quick'], {}, /unknown option '--quick'/],
    ['unknown command', ['begin'], {}, /unknown command 'begin'/],
    ['bad duration', ['start', '--for', 'soon'], {}, /a duration such as 30s/],
    ['virtual without an end', ['start', '--virtual'], {}, /--virtual needs --for/],
    ['keys without a passphrase', ['keys', 'list'], {}, /set ARB_SECRETS_PASSPHRASE/],
    ['a key of no venue', ['keys', 'add', 'nowhere'], { ARB_SECRETS_PASSPHRASE: 'x' }, /unknown venue "nowhere"/],
    ['virtual and standby', ['start', '--virtual', '--standby', '--for', '1s'], {}, /exclude each other/],
    [
      'standby and record',
      ['start', '--standby', '--record', join(dir, 'r.gz')],
      {},
      /two engines would write one file/,
    ],
    ['virtual and live', ['start', '--virtual', '--live', '--for', '1s'], {}, /exclude each other/],
    [
      'bad configuration key',
      ['config'],
      { ARB_RISK__NO_SUCH: '1' },
      /ARB_RISK__NO_SUCH names no setting \(allowed in risk: max_/,
    ],
    [
      'unknown key in a file',
      ['config', '--config', file('bad.toml', '[api]\nprot = 1\n')],
      {},
      /unknown key api\.prot \(allowed: host, port/,
    ],
    ['missing configuration file', ['start', '--config', '/nowhere.toml'], {}, /cannot read \/nowhere\.toml: ENOENT/],
    ['journal in no folder', ['drift', '/nowhere', '/nowhere'], {}, /cannot read \/nowhere: ENOENT/],
    ['report in no folder', ['start', '--report', '/nowhere/r.json'], {}, /cannot write \/nowhere\/r\.json: ENOENT/],
    ['recording in no folder', ['start', '--record', '/nowhere/r.gz'], {}, /cannot write \/nowhere\/r\.gz: ENOENT/],
    [
      'data folder that is a file',
      ['start', '--virtual', '--for', '1s', '--data', file('plain', '')],
      {},
      /cannot keep data in .*plain: E/,
    ],
    [
      'API address of another machine',
      ['start', '--for', '5s', '--data', join(dir, 'elsewhere')],
      { ARB_API__HOST: '192.0.2.1', ARB_API__PORT: '0', ARB_SIMULATOR__PORT: '0' },
      /192\.0\.2\.1 cannot be listened on: EADDRNOTAVAIL/,
    ],
    [
      'unknown venue',
      ['start', '--venues', 'atlantis', '--for', '1s'],
      {},
      /unknown venue "atlantis" \(known: binance, okx/,
    ],
    ['missing recording', ['replay', '/nowhere.jsonl.gz'], {}, /\/nowhere\.jsonl\.gz/],
    ['damaged recording', ['replay', file('torn.frames.jsonl.gz', half)], {}, /torn\.frames\.jsonl\.gz/],
    ['recording that is none', ['replay', file('text.frames.jsonl', 'hello\n')], {}, /text\.frames\.jsonl/],
  ])('%s', (_what, args, env, message) => {
    const { status, stderr } = arb(args, env);
    expect(stderr).toMatch(message);
    expect(status, stderr).not.toBe(0);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(3);
  });
});

it('says what is wrong when a symbol is listed nowhere, and stops what it had started', () => {
  const { status, stderr } = arb(['start', '--symbols', 'NO/SUCH', '--for', '5s', '--data', join(dir, 'data')], {
    ARB_API__PORT: '0',
    ARB_SIMULATOR__PORT: '0',
  });
  expect(stderr).toContain('no venue lists any of the configured symbols: NO/SUCH');
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(status).toBe(1);
});

it('says so when a run is over before its engine is up', () => {
  const { status, stderr } = arb(['start', '--for', '1ms', '--data', join(dir, 'short')], {
    ARB_API__PORT: '0',
    ARB_SIMULATOR__PORT: '0',
    ARB_SYSTEM__LOG_LEVEL: 'error',
  });
  expect(stderr).toMatch(/^arb: the run ended before the engine was up$/m);
  expect(status).toBe(1);
});

it.each(['ARB_API__PORT', 'ARB_SIMULATOR__PORT'])('names the port that is taken (%s)', async (name) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const free = { ARB_API__PORT: '0', ARB_SIMULATOR__PORT: '0' };
  const { status, stderr } = arb(['start', '--for', '5s', '--data', join(dir, name)], {
    ...free,
    [name]: String(port),
  });
  taken.close();
  expect(stderr).toContain(`port ${port} on 127.0.0.1 is taken`);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(status).toBe(1);
});

it.each([['--help'], ['start', '--help'], ['replay', '--help'], ['config', '--help'], ['venues', '--help']])(
  'teaches: %s %s',
  (...args) => {
    const { status, stdout } = arb(args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: arb/);
  },
);

it('prints the configuration and its schema as JSON', () => {
  expect(JSON.parse(arb(['config']).stdout)).toHaveProperty('engine.families.0', 'spatial');
  expect(JSON.parse(arb(['config', '--schema']).stdout)).toHaveProperty(
    'properties.risk.properties.max_daily_loss_usd',
  );
});

it('lists what it can do on every market, and names the venues when one is unknown', () => {
  const rows = JSON.parse(arb(['venues', '--json']).stdout) as { venue: string; market: string }[];
  const markets = venues.flatMap(({ id, markets: list }) => list.map((market) => `${id} ${market.id}`));
  expect(rows.map(({ venue, market }) => `${venue} ${market}`)).toEqual(markets);
  expect(arb(['venues', 'kraken']).stdout).toMatch(
    /^venue .*\nkraken +spot +push \+ checksum .* ws, rest +timer .*yes\n$/,
  );
  const unknown = arb(['venues', 'nowhere']);
  expect([unknown.status, unknown.stderr]).toEqual([1, expect.stringContaining('known: binance, okx')]);
});

it('seals keys of venues, and names them to whoever knows the passphrase', () => {
  const env = { ARB_SECRETS_PASSPHRASE: 'correct horse' };
  const data = join(dir, 'keys');
  const input = 'my-key\nmy-secret\nmy-passphrase\n';
  expect(arb(['keys', 'add', 'okx', '--data', data], env, input).status).toBe(0);
  const sealed = join(data, 'venue-keys.sealed');
  expect(readFileSync(sealed, 'utf8')).not.toMatch(/my-|okx/);
  expect(statSync(sealed).mode & 0o777).toBe(0o600);
  expect(arb(['keys', 'list', '--data', data], env).stdout).toBe('okx\n');
  expect(arb(['keys', 'list', '--data', data], { ARB_SECRETS_PASSPHRASE: 'x' }).stderr).toMatch(/do not open/);
});
