import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Table } from '#functions/common/table.ts';
import { timeSeriesFrom } from '#functions/common/time-series-choice.ts';

let secret = '{"token":"first"}';
const heard: string[] = [];
/** Secrets Manager and InfluxDB at once. */
const server = createServer((request, response) => {
  request.resume();
  if (request.headers['x-amz-target'] === 'secretsmanager.GetSecretValue') {
    response.end(JSON.stringify({ SecretString: secret }));
    return;
  }
  heard.push(`${request.url?.split('?')[0] ?? ''} ${request.headers.authorization ?? '-'}`);
  response.writeHead(request.url?.startsWith('/write') === true ? 204 : 200).end('{"results":[{"statement_id":0}]}');
});
let url: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', url);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
});
afterAll(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
});

const table = new Table(documentClient(dynamoClient({ endpoint: 'http://127.0.0.1:1' })), 'state');

it('opens InfluxDB with the secret as it is now', async () => {
  let ms = 0;
  const clock = { ...systemClock(), unixMs: () => ms };
  const env = { TIME_SERIES: 'influxdb', INFLUX_URL: url, INFLUX_SECRET_ID: 'influx' };
  const series = timeSeriesFrom(env, table, clock);
  const write = (): Promise<void> => series.write([{ instrument: 'x:A/B', atMs: 0, price: '1' }], 0);
  await write();
  secret = '{"username":"me","password":"second"}';
  ms = 6 * 60_000;
  await write();
  const writes = heard.filter((line) => line.startsWith('/write'));
  expect(writes).toEqual(['/write Token first', `/write Basic ${Buffer.from('me:second').toString('base64')}`]);
});

it('refuses a word that it does not know', () => {
  expect(() => timeSeriesFrom({ TIME_SERIES: 'mysql' }, table, systemClock())).toThrow(
    expect.objectContaining({ code: 5003, detail: 'environment variable TIME_SERIES is mysql' }) as Error,
  );
});
