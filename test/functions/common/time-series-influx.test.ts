import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { influxTimeSeries } from '#functions/common/time-series-influx.ts';

// What a real server does is proved on a real one (test/slow/influx.test.ts); here is what it seldom does.
let answer: { readonly status: number; readonly body: string } | 'hang';
let heard: { readonly url: string; readonly authorization: string | undefined }[];
let url: string;
const server = createServer((request: IncomingMessage, response) => {
  request.resume();
  heard.push({ url: request.url ?? '', authorization: request.headers.authorization });
  if (answer !== 'hang') response.writeHead(answer.status).end(answer.body);
});

beforeEach(async () => {
  heard = [];
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const quote = { instrument: 'x:A/B', atMs: 60_000, price: '1' };
const write = (options: object = {}): Promise<void> =>
  influxTimeSeries({ url, database: 'arb', timeoutMs: 200, ...options }).write([quote], 60_000);

it.each([
  [
    400,
    '{"error":"partial write: field type conflict dropped=1"}',
    5003,
    'partial write: field type conflict dropped=1',
  ],
  [401, '{"error":"authorization failed"}', 5003, 'authorization failed'],
  [413, '{"error":"Request Entity Too Large"}', 5003, 'Request Entity Too Large'],
  [404, 'not JSON', 5003, 'no reason'],
  [429, '', 5001, '429'],
  [503, '{"error":"engine: cache maximum memory size exceeded"}', 5001, '503'],
])('says what a %i is', async (status, body, code, detail) => {
  answer = { status, body };
  await expect(write()).rejects.toMatchObject({ code, detail: expect.stringContaining(detail) as string });
});

it('waits for no server for ever', async () => {
  answer = 'hang';
  await expect(write()).rejects.toMatchObject({ code: 5001 });
});

it('takes nonsense and a failed question for no candles', async () => {
  const query = { instrument: 'x:A/B', interval: '1m', fromMs: 0, toMs: 60_000, limit: 1 } as const;
  for (const body of ['nonsense', '{"results":[]}', '{"results":[{"error":"shard is gone"}]}']) {
    answer = { status: 200, body };
    await expect(influxTimeSeries({ url, database: 'arb' }).candles(query, 60_000)).rejects.toMatchObject({
      code: 5003,
    });
  }
});

it('shows its token, or its name and password, or nothing', async () => {
  answer = { status: 500, body: '' };
  for (const who of [{ token: 'abc' }, { user: 'me', password: 'pass:word' }, {}])
    await write(who).catch(() => undefined);
  expect(heard.map(({ authorization }) => authorization)).toEqual([
    'Token abc',
    `Basic ${Buffer.from('me:pass:word').toString('base64')}`,
    undefined,
  ]);
  expect(heard[0]?.url).toBe('/write?db=arb_1m&precision=ns');
});
