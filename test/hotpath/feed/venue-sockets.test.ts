import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { networkTransport } from '#hotpath/runtime/network-transport.ts';
import { INFLATED_BYTES_MAX } from '#hotpath/runtime/inflate.ts';
import { bitfinex } from '#hotpath/venues/bitfinex.ts';
import { deribit } from '#hotpath/venues/deribit.ts';
import { htx } from '#hotpath/venues/htx.ts';
import type { Market, Venue } from '#hotpath/venues/venue.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { endpointOf, feedOver } from './scripted-venue.ts';

/** Sockets that need more than subscribing, against a real server on loopback that is scripted by the test. */
let server: WebSocketServer;
let clients: WebSocket[] = [];
/** What each client was sent, in the order of their connections. */
let heard: string[][] = [];
let answer: (text: string, client: WebSocket) => void;
const clock = systemClock();
const transport = networkTransport(clock);
const stops: (() => void)[] = [];

beforeEach(async () => {
  clients = [];
  heard = [];
  answer = () => undefined;
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (client) => {
    const texts: string[] = [];
    clients.push(client);
    heard.push(texts);
    client.on('message', (data: Buffer) => {
      texts.push(data.toString());
      answer(data.toString(), client);
    });
  });
  await once(server, 'listening');
});

afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  for (const client of clients) client.terminate();
  transport.end();
  await new Promise((resolve) => server.close(resolve));
});

const until = async (holds: () => boolean, withinMs = 5_000) => {
  const deadline = performance.now() + withinMs;
  while (!holds() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
};

function feedOf(venue: Venue, market: string, symbols: readonly string[], changes: Partial<Market> = {}) {
  const ws = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const limits = { symbolsPerSocket: 25, messagesPerSecond: 100 };
  const endpoint = endpointOf(venue, market, { limits, ...changes, urls: { ws, rest: 'http://127.0.0.1:9' } });
  const wired = feedOver(endpoint, symbols, { clock, transport });
  wired.feed.start();
  stops.push(() => wired.feed.stop());
  return wired;
}

describe('HTX', () => {
  const pack = (client: WebSocket, message: unknown) => client.send(gzipSync(JSON.stringify(message)));
  const topic = 'market.btcusdt.mbp.150';
  const push = (client: WebSocket, previous: number, sequence: number) =>
    pack(client, {
      ch: topic,
      ts: 1,
      tick: { prevSeqNum: previous, seqNum: sequence, bids: [[100, sequence]], asks: [] },
    });
  const reply = (client: WebSocket, sequence: number) =>
    pack(client, { id: '1', rep: topic, status: 'ok', data: { seqNum: sequence, bids: [[100, 1]], asks: [[101, 1]] } });

  it('is inflated, answers pings and asks for its snapshot over the socket until that joins', async () => {
    let asked = 0;
    answer = (text, client) => {
      const said = JSON.parse(text) as { sub?: string; req?: string };
      if (said.sub === topic) {
        pack(client, { ping: 1_790_000_000_123 });
        push(client, 10, 12);
        push(client, 12, 15);
      }
      if (said.req !== topic) return;
      asked += 1;
      // The first answer is older than what was pushed before it.
      reply(client, asked === 1 ? 7 : 12);
    };
    const { statusOf, books, status } = feedOf(htx, 'spot', ['btcusdt']);
    await until(() => statusOf() === 'live');
    expect(books.lastSequence(0 as never)).toBe(15);
    expect(books.tops.bidQty[0]).toBe(15);
    expect(asked).toBe(2);
    expect(heard[0]).toContain('{"pong":1790000000123}');
    expect(status()).toMatchObject({ malformed: 0, reconnects: 0 });
  });

  it.each([
    ['what is no gzip', Buffer.from('{"ping":1}')],
    ['a damaged frame', gzipSync('{"ping":1}').fill(0, 12, 16)],
    ['a frame cut short', gzipSync('{"ping":1}').subarray(0, 15)],
    ['a frame that swells without end', gzipSync(Buffer.alloc(INFLATED_BYTES_MAX + 1))],
  ])('does not believe its books after %s, and repairs them', async (_name, frame) => {
    let asked = 0;
    answer = (text, client) => {
      const said = JSON.parse(text) as { sub?: string; req?: string };
      if (said.sub !== undefined) push(client, 10, 12);
      if (said.req === undefined) return;
      asked += 1;
      reply(client, 12);
    };
    const { statusOf, status } = feedOf(htx, 'spot', ['btcusdt']);
    await until(() => statusOf() === 'live');
    clients[0]!.send(frame);
    await until(() => status().malformed === 1);
    await until(() => asked === 2 && statusOf() === 'live');
    expect(clients).toHaveLength(1);
  });
});

describe('Bitfinex', () => {
  const symbols = ['tBTCUSD', 'tETHUSD'];
  const announce = (client: WebSocket, channel: number, symbol: string) =>
    client.send(JSON.stringify({ event: 'subscribed', channel: 'book', chanId: channel, symbol, prec: 'P0' }));
  const book = (price: number) => [
    [price, 1, 1],
    [price + 1, 1, -1],
  ];

  /** Numbers differ from socket to socket, as the venue's do; the first book comes before its number is announced. */
  const open = (client: WebSocket, offset: number) => {
    client.send(JSON.stringify([offset, book(100), 1]));
    announce(client, offset, 'tBTCUSD');
    announce(client, offset + 1, 'tETHUSD');
    client.send(JSON.stringify([offset + 1, book(200), 2]));
  };
  const subscriptions = (texts: readonly string[]) => texts.filter((text) => text.includes('"subscribe"')).length;

  it('learns each socket’s channels, holds what comes before, and takes a new socket when a frame was lost', async () => {
    answer = (_text, client) => {
      const at = clients.indexOf(client);
      if (subscriptions(heard[at]!) === symbols.length) open(client, at === 0 ? 17 : 18);
    };
    const { statusOf, books, status } = feedOf(bitfinex, 'spot', symbols);
    await until(() => statusOf(0) === 'live' && statusOf(1) === 'live');
    expect(heard[0]![0]).toBe('{"event":"conf","flags":196608}');
    expect([...books.tops.bid]).toEqual([100, 200]);
    // Count 3 never came: it may have been of either book.
    clients[0]!.send(JSON.stringify([17, [100, 1, 5], 4]));
    await until(() => clients.length === 2 && statusOf(0) === 'live' && statusOf(1) === 'live');
    // 18 was ETH's number and is BTC's now.
    expect([...books.tops.bid]).toEqual([100, 200]);
    expect(heard[1]!.filter((text) => text.includes('unsubscribe'))).toEqual([]);
    expect(status()).toMatchObject({ gaps: 1, reconnects: 1, malformed: 0 });
  });

  it('takes a new socket when a checksum is wrong', async () => {
    answer = (_text, client) => {
      if (subscriptions(heard[clients.indexOf(client)]!) === symbols.length) open(client, 17);
    };
    const { statusOf } = feedOf(bitfinex, 'spot', symbols);
    await until(() => statusOf(0) === 'live' && statusOf(1) === 'live');
    clients[0]!.send(JSON.stringify([18, 'cs', 12, 3]));
    await until(() => clients.length === 2 && statusOf(1) === 'live');
  });
});

describe('Deribit', () => {
  const name = 'BTC-PERPETUAL';
  const tell = (client: WebSocket, data: object) =>
    client.send(
      JSON.stringify({
        jsonrpc: '2.0',
        method: 'subscription',
        params: { channel: `book.${name}.100ms`, data: { bids: [], asks: [], ...data } },
      }),
    );
  const snapshot = { type: 'snapshot', change_id: 5, bids: [['new', 100, 10]], asks: [['new', 101, 10]] };

  it('asks for heartbeats, answers them, and takes a new socket after a gap', async () => {
    answer = (text, client) => {
      if (!text.includes('public/subscribe')) return;
      client.send('{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}');
      tell(client, snapshot);
    };
    const { statusOf } = feedOf(deribit, 'swap', [name]);
    await until(() => statusOf() === 'live' && heard[0]!.length === 3);
    expect(heard[0]!.map((text) => (JSON.parse(text) as { method: string }).method)).toEqual([
      'public/set_heartbeat',
      'public/subscribe',
      'public/test',
    ]);
    tell(clients[0]!, { type: 'change', prev_change_id: 7, change_id: 8 });
    await until(() => clients.length === 2 && statusOf() === 'live');
    expect(heard[0]!.filter((text) => text.includes('unsubscribe'))).toEqual([]);
  });
});
