import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { notice, type Notice } from '#functions/alerts/notice.ts';
import { startReceiver, type Receiver } from '../functions/support/receiver.ts';
import { eventually } from '../functions/support/world.ts';

/** From an engine that trips a breaker to whoever is told, in the processes that `arb start` starts. */
const SECRET = 'a-secret-of-this-test';
const dir = mkdtempSync(join(tmpdir(), 'arb-alerting-'));
let run: ChildProcess;
let api: string;
let webhook: Receiver;
let slack: Receiver;

beforeAll(async () => {
  webhook = await startReceiver();
  slack = await startReceiver();
  const port = await freePort();
  api = `http://127.0.0.1:${port}`;
  const env = {
    ...process.env,
    ARB_API__PORT: String(port),
    ARB_SIMULATOR__PORT: '0',
    ARB_API_SECRET: SECRET,
    ARB_ALERTS__WEBHOOK_URL: webhook.url,
    ARB_ALERT_WEBHOOK_SECRET: 'shared with the receiver',
    ARB_SLACK_WEBHOOK_URL: slack.url,
    // No order is answered so soon.
    ARB_BREAKERS__LATENCY__MS: '0.001',
    ARB_BREAKERS__LATENCY__ORDERS_MIN: '1',
  };
  const few = ['--venues', 'binance,okx', '--symbols', 'BTC/USDT,ETH/USDT', '--seed', '7'];
  run = spawn('node', ['bin/arb.ts', 'start', '--no-table', '--data', dir, ...few], { env, stdio: 'ignore' });
}, 60_000);
afterAll(async () => {
  const gone = once(run, 'exit');
  run.kill('SIGINT');
  await gone;
  await webhook.close();
  await slack.close();
  rmSync(dir, { recursive: true, force: true });
}, 60_000);

const told = (kind: Notice['kind']): Notice | undefined =>
  webhook.received
    .map(({ body }) => notice.parse(JSON.parse(body)))
    .find((each) => each.alert === 'breaker-open:latency' && each.kind === kind);

it(
  'a breaker that opens is told to webhook and Slack, acknowledged by its link, and over when it is reset',
  { timeout: 240_000 },
  async () => {
    await eventually(() => told('firing') !== undefined, 200_000);
    const first = told('firing')!;
    expect(first).toMatchObject({ severity: 'critical', firing: 1, engine: 'engine-1' });
    for (const { headers, body } of webhook.received) {
      const signed = createHmac('sha256', 'shared with the receiver').update(
        `${String(headers['x-arbitrage-timestamp'])}.${body}`,
      );
      expect(headers['x-arbitrage-signature']).toBe(`v1=${signed.digest('hex')}`);
    }
    await eventually(() => slack.received.some(({ body }) => body.includes('Breaker has opened: latency')), 60_000);

    expect((await fetch(first.ack_url!)).status).toBe(200);
    const pressed = await fetch(first.ack_url!, { method: 'POST' });
    expect([pressed.status, await pressed.text()]).toEqual([200, expect.stringContaining('Acknowledged')]);

    const headers = { authorization: `Bearer ${await token()}` };
    const reset = await fetch(`${api}/v1/risk/breakers/latency/reset`, { method: 'POST', headers });
    expect(reset.status).toBe(200);
    await eventually(() => told('resolved') !== undefined, 60_000);
  },
);

async function token(): Promise<string> {
  const body = JSON.stringify({ api_key: 'arb-local', api_secret: SECRET });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${api}/v1/auth/token`, { method: 'POST', headers, body });
  return ((await answer.json()) as { readonly data: { readonly token: string } }).data.token;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
