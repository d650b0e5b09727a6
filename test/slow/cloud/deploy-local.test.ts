import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseEnv } from 'node:util';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import { listIn, parse, textIn, type Json } from '../../functions/support/json.ts';
import { eventually } from '../../functions/support/world.ts';
import { pythonTool } from '../../support/python-tool.ts';

/**
 * `npm run deploy:local` onto MiniStack, as a user does it: then everything over the API that it made, with an engine of this machine behind
 * it and simulated venues before that.
 */
const tool = pythonTool('ministack', '1.5.33');
const absent = 'absent' in tool ? ` (skipped: ${tool.absent})` : '';
const PATIENCE_MS = 120_000;
const NONE = [] as unknown as Json;

describe.skipIf(absent !== '')(`deployed to MiniStack${absent}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'arb-deployed-'));
  const children: ChildProcess[] = [];
  const notices: Json[] = [];
  let slack: Server;
  let endpoint: string;
  let api: string;
  let token: string;

  beforeAll(async () => {
    slack = createHttpServer((request, response) => {
      request.setEncoding('utf8');
      void request.toArray().then((chunks) => {
        notices.push(parse(chunks.join('')));
        response.end('ok');
      });
    }).listen(0, '127.0.0.1');
    await once(slack, 'listening');
    endpoint = await startMiniStack();
    const said = await deploy();
    process.stdout.write(said);
    api = /API +(\S+)\/v1/.exec(said)![1]!;
  }, 600_000);
  afterAll(async () => {
    for (const child of children.reverse()) await stopped(child);
    slack.close();
    slack.closeAllConnections();
    rmSync(dir, { recursive: true, force: true });
  });

  it('gives a token for the key that was made, and tells health', async () => {
    expect((await ask('GET', '/health')).status).toBe(200);
    const { apiKey, apiSecret } = JSON.parse(readFileSync(join(dir, 'key.json'), 'utf8')) as Record<string, string>;
    const given = await ask('POST', '/v1/auth/token', { api_key: apiKey, api_secret: apiSecret });
    expect([given.status, given.data['expires_in']]).toEqual([200, 86_400]);
    token = textIn(given.data['token']);
    // MiniStack leaves the variables of the gateway's own answers in: the status alone is as on AWS.
    expect((await fetch(`${api}/v1/status`)).status).toBe(401);
  });

  it('has an engine process join: its events and samples come by the streams and the functions', async () => {
    await nameSlack();
    await startEngine();
    await eventually(async () => (await ask('GET', '/ready')).status === 200, PATIENCE_MS);
    const bid = async (): Promise<unknown> =>
      listIn((await ask('GET', '/v1/market/prices?symbols=BTC/USDT&exchange=binance')).data['prices'] ?? NONE)[0]?.[
        'bid'
      ];
    await eventually(async () => Number(await bid()) > 0, PATIENCE_MS);
    await eventually(
      async () =>
        listIn((await ask('GET', '/v1/analytics/opportunities?limit=1')).data['opportunities'] ?? NONE).length === 1,
      PATIENCE_MS,
    );
  });

  it('sends an order to the engine and tells its answer', async () => {
    const order = {
      symbol: 'BTC/USDT',
      exchange: 'binance',
      side: 'buy',
      type: 'limit',
      quantity: 0.01,
      price: 30_000,
    };
    const key = { 'idempotency-key': 'one' };
    let placed = await ask('POST', '/v1/trading/orders', order, key);
    await eventually(async () => {
      if (placed.status === 202) placed = await ask('POST', '/v1/trading/orders', order, key);
      return placed.status !== 202;
    }, PATIENCE_MS);
    expect(placed.status, placed.text).toBe(201);
    expect(placed.data).toMatchObject({ symbol: 'BTC/USDT', purpose: 'manual', quantity: 0.01 });
    const id = textIn(placed.data['order_id']);
    await eventually(
      async () => (await ask('GET', '/v1/orders?status=accepted')).text.includes(`"order_id":"${id}"`),
      PATIENCE_MS,
    );
  });

  it('takes a configuration, and limits of risk that the engine follows', async () => {
    const config = loadConfig({ dir: 'config', env: engineEnv() });
    expect((await ask('PUT', '/v1/config', { config })).status).toBe(200);
    const put = await ask('PUT', '/v1/risk/limits', { max_position_size_usd: 12_345 });
    expect([put.status, put.data['limits']?.['max_position_size_usd']]).toEqual([200, 12_345]);
    await eventually(
      async () => (await ask('GET', '/v1/risk/limits')).data['applied'] === (true as never),
      PATIENCE_MS,
    );
  });

  it('tells Slack of an emergency stop', async () => {
    const { status } = await ask('POST', '/v1/trading/emergency-stop', { reason: 'a drill' });
    expect([200, 202]).toContain(status);
    await eventually(() => notices.some((notice) => JSON.stringify(notice).includes('Emergency stop')), PATIENCE_MS);
  });

  type Told = { readonly status: number; readonly data: Json; readonly text: string };
  async function ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Told> {
    const response = await fetch(`${api}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, data: parse(text)['data'] ?? {}, text };
  }

  async function startMiniStack(): Promise<string> {
    const port = await freePort();
    // It puts what it runs into the folder of temporary files, as scripts of CommonJS.
    const temporary = join(dir, 'ministack');
    mkdirSync(temporary);
    writeFileSync(join(temporary, 'package.json'), '{}');
    const env = {
      ...process.env,
      PATH: `${resolve('node_modules/node/bin')}:${process.env['PATH'] ?? ''}`,
      TMPDIR: temporary,
      GATEWAY_PORT: String(port),
    };
    children.push(spawn(resolve('path' in tool ? tool.path : ''), { env, stdio: 'ignore', cwd: temporary }));
    const url = `http://127.0.0.1:${port}`;
    const isUp = (): Promise<boolean> =>
      fetch(url).then(
        () => true,
        () => false,
      );
    await eventually(isUp, PATIENCE_MS);
    return url;
  }

  async function deploy(): Promise<string> {
    const env = { ...process.env, AWS_ENDPOINT_URL: endpoint, DEPLOYED_DIR: dir };
    const child = spawn('npm', ['run', '--silent', 'deploy:local'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code, said).toBe(0);
    return said;
  }

  function engineEnv(): Record<string, string> {
    return {
      ...(parseEnv(readFileSync(join(dir, 'engine.env'), 'utf8')) as Record<string, string>),
      ARB_ENGINE__VENUES: 'binance,okx',
      ARB_ENGINE__SYMBOLS: 'BTC/USDT,ETH/USDT',
      ARB_SYSTEM__DATA_DIR: join(dir, 'engine'),
    };
  }

  async function startEngine(): Promise<void> {
    const wanted = { port: 0, venues: ['binance', 'okx'], symbols: ['BTC/USDT', 'ETH/USDT'] };
    const simulator = spawn(process.execPath, ['simulator/main.ts', JSON.stringify(wanted)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(simulator);
    const [line] = (await once(createInterface(simulator.stdout), 'line')) as [string];
    const via = `http://127.0.0.1:${(JSON.parse(line) as { listening: number }).listening}`;
    const env = {
      ...process.env,
      ...engineEnv(),
      ARB_VENUES__BINANCE__VIA: via,
      ARB_VENUES__OKX__VIA: via,
    };
    children.push(spawn(process.execPath, ['hotpath/main.ts'], { env, stdio: ['ignore', 'ignore', 'inherit'] }));
  }

  /** The loopback server stands for Slack. */
  async function nameSlack(): Promise<void> {
    const outputs = JSON.parse(readFileSync(join(dir, 'outputs.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    const client = new SecretsManagerClient({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    const slack_webhook_url = `http://127.0.0.1:${(slack.address() as AddressInfo).port}/slack`;
    await client.send(
      new PutSecretValueCommand({
        SecretId: outputs['Arbitrage-dev-data']!['AlertChannelsId'],
        SecretString: JSON.stringify({ slack_webhook_url, webhook_url: '', webhook_secret: 'x'.repeat(48) }),
      }),
    );
    client.destroy();
  }
});

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
