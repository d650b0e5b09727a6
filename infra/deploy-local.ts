import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import { ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';

/**
 * Tables, streams, functions and the API on a LocalStack-compatible endpoint (`AWS_ENDPOINT_URL`, else http://127.0.0.1:4566), with the first
 * key: what `cdk deploy` makes in an account, step by step, and how to go on. Run it again after a change: what is there is updated.
 */
const ACCOUNT = 'aws://000000000000/us-east-1';
const ENDPOINT = process.env['AWS_ENDPOINT_URL'] ?? 'http://127.0.0.1:4566';
/** Left behind for what runs beside it; nothing here is a secret of AWS. */
const DIR = process.env['DEPLOYED_DIR'] ?? join('.arbitrage', 'deployed');
const aws = {
  AWS_ENDPOINT_URL: ENDPOINT,
  AWS_ENDPOINT_URL_S3: process.env['AWS_ENDPOINT_URL_S3'] ?? ENDPOINT,
  AWS_REGION: 'us-east-1',
  // Such endpoints take any: real ones would go no further than the account above.
  AWS_ACCESS_KEY_ID: process.env['AWS_ACCESS_KEY_ID'] ?? 'local',
  AWS_SECRET_ACCESS_KEY: process.env['AWS_SECRET_ACCESS_KEY'] ?? 'local',
};
const paths = {
  assembly: join(DIR, 'cdk.out'),
  outputs: join(DIR, 'outputs.json'),
  log: join(DIR, 'deploy.log'),
  /** For `node --env-file`: with these an engine on this machine joins. */
  engine: join(DIR, 'engine.env'),
  key: join(DIR, 'key.json'),
};

const outputsSchema = z.object({
  'Arbitrage-dev-data': z.object({
    StateTableName: z.string(),
    EventsTableName: z.string(),
    EventsStreamName: z.string(),
    MarketStreamName: z.string(),
    CommandsStreamName: z.string(),
    AlertChannelsId: z.string(),
  }),
  'Arbitrage-dev-functions': z.object({ ApiId: z.string() }),
});
type Outputs = z.infer<typeof outputsSchema>;

async function main(): Promise<void> {
  mkdirSync(DIR, { recursive: true });
  await step(1, `is anybody at ${ENDPOINT}?`, demandEndpoint);
  await step(2, 'bundle the functions, synthesise data and functions', () =>
    cdk('synth', '--quiet', '--output', paths.assembly, '-c', 'stacks=data,functions', '-c', 'endpoint=emulated'),
  );
  await step(3, `bootstrap ${ACCOUNT}`, () => cdk('bootstrap', ACCOUNT, '--app', paths.assembly));
  await step(4, 'deploy', () =>
    cdk('deploy', '--all', '--app', paths.assembly, '--require-approval', 'never', '--outputs-file', paths.outputs),
  );
  const outputs = outputsSchema.parse(JSON.parse(readFileSync(paths.outputs, 'utf8')));
  writeFileSync(paths.engine, engineEnvironment(outputs));
  const isNew = await step(5, 'the first key', () => firstKey(outputs));
  const api = `${ENDPOINT}/restapis/${outputs['Arbitrage-dev-functions'].ApiId}/live/_user_request_`;
  await step(6, 'does the API answer?', () => demandHealth(api));
  print(`
API      ${api}/v1
key      ${paths.key}${isNew ? '' : ' (of an earlier time)'}
engine   node ${ENGINE_NODE_OPTIONS.join(' ')} --env-file=${paths.engine} hotpath/main.ts
alerts   the secret ${outputs['Arbitrage-dev-data'].AlertChannelsId} has the addresses of Slack and webhook
`);
}

async function step<T>(number: number, what: string, run: () => Promise<T>): Promise<T> {
  const started = performance.now();
  print(`${number}/6  ${what}\n`);
  const result = await run();
  print(`     done in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  return result;
}

async function demandEndpoint(): Promise<void> {
  try {
    await fetch(ENDPOINT, { signal: AbortSignal.timeout(5_000) });
  } catch {
    throw new BadInput(
      `nobody answers at ${ENDPOINT}. One way: python3 -m venv ms && ms/bin/pip install ministack && ms/bin/ministack`,
    );
  }
}

/** Its words go to the log: they are many, and of use when it fails. */
async function cdk(command: 'synth' | 'bootstrap' | 'deploy', ...args: readonly string[]): Promise<void> {
  const log = createWriteStream(paths.log, { flags: 'a' });
  const child = spawn('cdk', [command, ...args], { env: { ...process.env, ...aws } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
      log.write(chunk);
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  log.end();
  if (code !== 0) throw new BadInput(`cdk ${command} ended with ${code ?? 'a signal'} (${paths.log}):\n${said}`);
}

const engineEnvironment = ({ 'Arbitrage-dev-data': data }: Outputs): string =>
  Object.entries({
    ...aws,
    ARB_SYSTEM__ENVIRONMENT: 'dev',
    ARB_STREAMS__EVENTS: data.EventsStreamName,
    ARB_STREAMS__MARKET: data.MarketStreamName,
    ARB_STREAMS__COMMANDS: data.CommandsStreamName,
    ARB_STORES__STATE_TABLE: data.StateTableName,
    ARB_STORES__EVENTS_TABLE: data.EventsTableName,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

/** True when it was made now: only then its secret is known. */
async function firstKey({ 'Arbitrage-dev-data': data }: Outputs): Promise<boolean> {
  const env = { ...process.env, ...aws, STATE_TABLE: data.StateTableName };
  const child = spawn(process.execPath, ['infra/first-key.ts'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let pair = '';
  child.stdout.on('data', (chunk: Buffer) => (pair += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) return false;
  writeFileSync(paths.key, pair, { mode: 0o600 });
  return true;
}

async function demandHealth(api: string): Promise<void> {
  const { status } = await fetch(`${api}/health`, { signal: AbortSignal.timeout(30_000) });
  if (status !== 200) throw new BadInput(`GET ${api}/health is answered ${status}`);
}

const print = (text: string): boolean => process.stdout.write(text);

main().catch((error: unknown) => {
  if (!(error instanceof BadInput)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
