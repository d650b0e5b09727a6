import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { FrameRecorder } from '#hotpath/feed/recorder.ts';
import { reportBooks } from '#hotpath/replay/book-report.ts';
import { laneFrom } from '#hotpath/replay/lane.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { networkTransport } from '#hotpath/runtime/network-transport.ts';
import type { Transport } from '#hotpath/runtime/transport.ts';
import { binance } from '#hotpath/venues/binance.ts';
import { okx } from '#hotpath/venues/okx.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { binanceDelta, binanceSnapshot, endpointOf, feedOver, okxBook } from './scripted-venue.ts';

/** A venue on loopback: real sockets, scripted by the test. */
let server: Server;
let base = '';
let clients: WebSocket[] = [];
let messages: string[] = [];
let onRequest: (request: IncomingMessage, response: ServerResponse) => void;
let onClient: (client: WebSocket) => void;
const clock = systemClock();
const transport = networkTransport(clock);
const stops: (() => void)[] = [];

beforeEach(async () => {
  clients = [];
  messages = [];
  onClient = () => undefined;
  onRequest = (_request, response) => response.writeHead(404).end();
  server = createServer((request, response) => onRequest(request, response));
  new WebSocketServer({ server }).on('connection', (client) => {
    clients.push(client);
    client.on('message', (data: Buffer) => messages.push(data.toString()));
    onClient(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  for (const client of clients) client.terminate();
  transport.end();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const until = async (holds: () => boolean, withinMs = 5_000) => {
  const deadline = performance.now() + withinMs;
  while (!holds() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
};
const send = (client: WebSocket, message: unknown) =>
  client.send(typeof message === 'string' ? message : JSON.stringify(message));

function pushFeed(changes: { idleMs?: number; firstBookWithinMs?: number } = {}, symbols = ['BTC-USDT']) {
  const endpoint = endpointOf(okx, 'spot', {
    limits: { symbolsPerSocket: 100, messagesPerSecond: 100 },
    ...changes,
    urls: { ws: `ws://${base}/okx/spot`, rest: `http://${base}` },
  });
  const wired = feedOver(endpoint, symbols, { clock, transport });
  wired.feed.start();
  stops.push(() => wired.feed.stop());
  return wired;
}

function restFeed(over: Transport = transport) {
  const urls = { ws: `ws://${base}/stream.binance.com:9443/stream`, rest: `http://${base}/api.binance.com` };
  const wired = feedOver(endpointOf(binance, 'spot', { urls }), ['BTCUSDT'], { clock, transport: over });
  wired.feed.start();
  stops.push(() => wired.feed.stop());
  return wired;
}

it('comes back after the venue closes, with every book distrusted in between', async () => {
  onClient = (client) => client.once('message', () => send(client, okxBook('BTC-USDT', 'snapshot', -1, 10)));
  const { statusOf, status } = pushFeed();
  await until(() => statusOf() === 'live');
  clients[0]!.close(1001, 'maintenance');
  await until(() => statusOf() === 'syncing');
  expect(status().health).toBe(0);
  await until(() => statusOf() === 'live');
  expect(clients).toHaveLength(2);
  expect(status()).toMatchObject({ reconnects: 1 });
});

it('leaves a connection that went silent', async () => {
  onClient = (client) => client.once('message', () => send(client, okxBook('BTC-USDT', 'snapshot', -1, 10)));
  pushFeed({ idleMs: 200 });
  await until(() => clients.length >= 2);
});

it('subscribes again where the venue acks and stays silent', async () => {
  pushFeed({ firstBookWithinMs: 60 });
  await until(() => messages.filter((text) => text.includes('"unsubscribe"')).length === 3);
});

it('aligns a slow snapshot with the deltas that overtook it', async () => {
  const { statusOf, books, status } = restFeed();
  onRequest = (_request, response) => {
    setTimeout(() => response.end(JSON.stringify(binanceSnapshot(12))), 150);
  };
  await until(() => clients.length === 1);
  let sequence = 10;
  const flow = setInterval(() => {
    send(clients[0]!, binanceDelta('BTCUSDT', sequence, sequence, [['100.5', String(sequence)]]));
    sequence += 1;
  }, 10);
  stops.push(() => clearInterval(flow));
  await until(() => statusOf() === 'live');
  expect(status()).toMatchObject({ gaps: 0, resyncs: 0 });
  const { bidQty } = books.tops;
  // The quantity is the sequence: what is seen is what was last sent.
  await until(() => bidQty[0]! > 20 && bidQty[0] === books.lastSequence(0 as never));
});

it('waits as long as a limited venue says', async () => {
  const { statusOf } = restFeed();
  const askedMs: number[] = [];
  onRequest = (_request, response) => {
    askedMs.push(performance.now());
    if (askedMs.length === 1) response.writeHead(429, { 'Retry-After': '1' }).end();
    else response.end(JSON.stringify(binanceSnapshot(12)));
  };
  await until(() => statusOf() === 'live', 8_000);
  expect(askedMs).toHaveLength(2);
  expect(askedMs[1]! - askedMs[0]!).toBeGreaterThan(990);
});

it('survives frames that are not what they claim', async () => {
  onClient = (client) =>
    client.on('message', () => {
      send(client, okxBook('BTC-USDT', 'snapshot', -1, 10));
    });
  const { statusOf, status } = pushFeed();
  await until(() => statusOf() === 'live');
  clients[0]!.send(Buffer.from([0xff, 0x00, 0x7b]));
  send(clients[0]!, '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[[');
  await until(() => messages.some((text) => text.includes('"unsubscribe"')) && statusOf() === 'live');
  expect(status().status).not.toBe('down');
});

it('records what passes, and replay finds the same book', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'feed-'));
  stops.push(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'day.frames.jsonl.gz');
  const recorder = new FrameRecorder(path, { clock, logger: silentLogger });
  const { feed, statusOf, books } = restFeed(recorder.around(transport));
  onRequest = (_request, response) => response.end(JSON.stringify(binanceSnapshot(12)));
  await until(() => clients.length === 1);
  // Bytes that are no text must not spoil the file.
  clients[0]!.send(Buffer.from([1, 2, 255]));
  for (let sequence = 10; sequence < 40; sequence += 1) {
    send(clients[0]!, binanceDelta('BTCUSDT', sequence, sequence, [['100.5', String(sequence)]]));
  }
  await until(() => statusOf() === 'live' && books.lastSequence(0 as never) === 39);
  feed.stop();
  await recorder.close();

  // The URL leads through another address; saying venue and market gives the same.
  for (const lane of [{}, { lane: laneFrom('binance:spot', [binance]) }]) {
    const report = await reportBooks(path, { venues: [binance], ...lane });
    expect(report).toMatchObject({ gaps: 0, crossed: 0, malformed: 1 });
    expect(report.books['BTCUSDT']).toMatchObject({
      last_seq: 39,
      final_top5: {
        bids: [
          ['100.5', '39'],
          ['100', '1'],
        ],
        asks: [['101', '1']],
      },
    });
  }
});

it('stops recording, not trading, when the file cannot be written', async () => {
  const events: string[] = [];
  const logger = { ...silentLogger, error: (event: string) => events.push(event) };
  const recorder = new FrameRecorder('/nonexistent/day.frames.jsonl.gz', { clock, logger });
  onRequest = (_request, response) => response.end(JSON.stringify(binanceSnapshot(12)));
  const { statusOf } = restFeed(recorder.around(transport));
  await until(() => statusOf() === 'live' && events.length > 0);
  expect(events).toEqual(['recording-stopped']);
  await recorder.close();
});
