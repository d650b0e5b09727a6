import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { keptSecret, secretsManagerRead } from '#functions/common/secrets.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';

const MINUTE_MS = 60_000;

/** A keeper whose answers are given by the test, and counted. */
function keeper(): {
  answer: string | Error;
  reads: number;
  secret: () => Promise<string>;
  pass: (ms: number) => void;
} {
  const clock = new VirtualClock(0n);
  const state = {
    answer: 'first' as string | Error,
    reads: 0,
    pass: (ms: number) => clock.runUntil(clock.now() + ms * 1e6),
  };
  const read = async (): Promise<string> => {
    state.reads += 1;
    if (state.answer instanceof Error) throw state.answer;
    return state.answer;
  };
  return Object.assign(state, { secret: keptSecret({ read, clock }) });
}

describe('a kept secret', () => {
  it('is read once by all who meet, and again after five minutes', async () => {
    const kept = keeper();
    expect(await Promise.all([kept.secret(), kept.secret(), kept.secret()])).toEqual(['first', 'first', 'first']);
    kept.answer = 'second';
    kept.pass(5 * MINUTE_MS - 1);
    expect([await kept.secret(), kept.reads]).toEqual(['first', 1]);
    kept.pass(1);
    expect([await kept.secret(), kept.reads]).toEqual(['second', 2]);
  });

  it('outlasts an outage of its keeper for an hour, asking seldom', async () => {
    const kept = keeper();
    await kept.secret();
    kept.answer = new Error('away');
    kept.pass(5 * MINUTE_MS);
    expect([await kept.secret(), await kept.secret(), kept.reads]).toEqual(['first', 'first', 2]);
    kept.pass(55 * MINUTE_MS);
    expect(await kept.secret()).toBe('first');
    kept.pass(5 * MINUTE_MS);
    await expect(kept.secret()).rejects.toMatchObject({ code: 5002 });
    kept.answer = 'back';
    expect(await kept.secret()).toBe('back');
  });

  it('is an unavailable service when it was never read', async () => {
    const kept = keeper();
    kept.answer = new Error('denied');
    await expect(kept.secret()).rejects.toMatchObject({ code: 5002 });
    await expect(kept.secret()).rejects.toMatchObject({ code: 5002 });
    expect(kept.reads).toBe(2);
  });
});

it('asks Secrets Manager for the current text of the one secret', async () => {
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      asked.push([request.headers['x-amz-target'], JSON.parse(body)]);
      response.setHeader('content-type', 'application/x-amz-json-1.1').end('{"SecretString":"signs-tokens"}');
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new SecretsManagerClient({
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  try {
    expect(await secretsManagerRead(client, 'arn:of:it')()).toBe('signs-tokens');
    expect(asked).toEqual([['secretsmanager.GetSecretValue', { SecretId: 'arn:of:it' }]]);
  } finally {
    client.destroy();
    server.close();
  }
});
