import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { kinesisClient } from '#functions/common/clients.ts';
import { startCloud } from '#local/cloud.ts';
import { ENGINE, eventOf, opportunityData } from '../functions/support/events.ts';
import { eventually, silentLog, tempDir, testConfig } from '../functions/support/world.ts';

const dir = tempDir();
afterAll(() => dir.remove());
const base = { config: testConfig(), clock: systemClock(), logger: silentLog };

describe('cloud', () => {
  it('makes its key pair once, keeps its secret to the owner, and takes a new one from the environment', async () => {
    const dataDir = join(dir.path, 'keys');
    const login = async (url: string, api_key: string, api_secret: string): Promise<number> => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ api_key, api_secret });
      return (await fetch(`${url}/v1/auth/token`, { method: 'POST', headers, body })).status;
    };
    const first = await startCloud({ ...base, dataDir, env: {} });
    const pair = first.keyPair!;
    expect(await login(first.apiUrl, pair.apiKey, pair.apiSecret)).toBe(200);
    await first.close();
    expect(statSync(join(dataDir, 'secrets.json')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dataDir, 'secrets.json'), 'utf8')).not.toContain(pair.apiSecret);

    const second = await startCloud({ ...base, dataDir, env: {} });
    expect(second.keyPair).toBeUndefined();
    expect(await login(second.apiUrl, pair.apiKey, pair.apiSecret)).toBe(200);
    await second.close();

    const third = await startCloud({ ...base, dataDir, env: { ARB_API_SECRET: 'chosen by the owner' } });
    expect(await login(third.apiUrl, pair.apiKey, 'chosen by the owner')).toBe(200);
    expect(await login(third.apiUrl, pair.apiKey, pair.apiSecret)).toBe(401);
    await third.close();
  });

  it('refuses weak or damaged secrets, and a taken port, in one line each, and leaves nothing running', async () => {
    const dataDir = join(dir.path, 'refused');
    const start = (over: Partial<Parameters<typeof startCloud>[0]>) =>
      startCloud({ ...base, dataDir, env: {}, ...over });
    await expect(start({ env: { ARB_JWT_SECRET: 'short' } })).rejects.toThrow('ARB_JWT_SECRET has fewer than 32');
    await expect(start({ env: { ARB_API_SECRET: 'short' } })).rejects.toThrow('ARB_API_SECRET has fewer than 16');
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    await expect(start({ config: testConfig({ api: { port } }) })).rejects.toThrow(
      `port ${port} on 127.0.0.1 is taken`,
    );
    squatter.close();
    await (await start({})).close();
    writeFileSync(join(dataDir, 'secrets.json'), '{');
    await expect(start({})).rejects.toThrow('secrets.json is damaged');
  });
});

describe('cloud process', () => {
  let child: ChildProcess;
  let ready: Record<string, string>;
  const dataDir = join(dir.path, 'process');

  beforeAll(async () => {
    child = run(JSON.stringify({ config: testConfig(), dataDir }));
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
    ({ ready } = JSON.parse(line) as { ready: Record<string, string> });
  });

  it(
    'says when it is ready, answers questions, survives an outage on demand, ends on SIGTERM',
    { timeout: 60_000 },
    async () => {
      expect((await fetch(`${ready['apiUrl']!}/health`)).status).toBe(200);
      const kinesis = kinesisClient({ endpoint: ready['kinesisUrl'], attempts: 1 });
      const put = (from: number, to: number) =>
        kinesis.send(
          new PutRecordsCommand({
            StreamName: testConfig().streams.events,
            Records: Array.from({ length: to - from }, (_, index) => {
              const id = `o${index % 5}`;
              const event = eventOf('opportunity', from + index + 1, opportunityData(id));
              return { PartitionKey: id, Data: Buffer.from(JSON.stringify(event)) };
            }),
          }),
        );
      await put(0, 100);
      await eventually(async () => (await ask({ ask: 'projected', engine: ENGINE })) === 100);
      await ask({ ask: 'stop-kinesis' });
      await expect(put(100, 101)).rejects.toThrow();
      await ask({ ask: 'start-kinesis' });
      await put(100, 200);
      await eventually(async () => (await ask({ ask: 'projected', engine: ENGINE })) === 200);

      child.kill('SIGTERM');
      expect(await once(child, 'exit')).toEqual([0, null]);
    },
  );

  it.each([
    ['nothing', undefined, 'the first argument is the options as JSON'],
    ['an unknown option', JSON.stringify({ config: testConfig(), dataDir, speed: 'high' }), 'speed'],
  ])('refuses %s with one line and code 2', async (_, argument, expected) => {
    const bad = run(argument);
    let trouble = '';
    bad.stderr!.on('data', (chunk: Buffer) => (trouble += chunk.toString()));
    expect((await once(bad, 'exit'))[0]).toBe(2);
    expect(trouble.trim().split('\n')).toHaveLength(1);
    expect(trouble).toContain(expected);
  });

  function run(argument?: string): ChildProcess {
    const args = ['infra/local/main.ts', ...(argument === undefined ? [] : [argument])];
    return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  }

  let questions = 0;
  function ask(question: object): Promise<number | null> {
    questions += 1;
    const id = questions;
    return new Promise((resolve, reject) => {
      const hear = (message: { id: number; value?: number | null; error?: string }): void => {
        if (message.id !== id) return;
        child.off('message', hear);
        if (message.error === undefined) resolve(message.value ?? null);
        else reject(new Error(message.error));
      };
      child.on('message', hear);
      child.send({ ...question, id });
    });
  }
});
