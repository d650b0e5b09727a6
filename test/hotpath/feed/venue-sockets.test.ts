import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
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
import { kucoin } from '#hotpath/venues/kucoin.ts';
import { mexc } from '#hotpath/venues/mexc.ts';
import type { Market, Venue } from '#hotpath/venues/venue.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { endpointOf, feedOver } from './scripted-venue.ts';

/** Sockets that need more than subscribing, against a real server on loopback that is scripted by the test. */
let http: Server;
let server: WebSocketServer;
let clients: WebSocket[] = [];
/** What each client was sent, in the order of their connections. */
let heard: string[][] = [];
let answer: (text: string, client: WebSocket) => void;
/** The body that a path is answered with. */
let body: (path: string) => string;
const clock = systemClock();
const transport = networkTransport(clock);
const stops: (() => void)[] = [];

beforeEach(async () => {
  clients = [];
  heard = [];
  answer = () => undefined;
  body = () => '';
  http = createServer(({ url = '' }, response) => response.end(body(url)));
  server = new WebSocketServer({ server: http });
  server.on('connection', (client) => {
    const texts: string[] = [];
    clients.push(client);
    heard.push(texts);
    client.on('message', (data: Buffer) => {
      texts.push(data.toString());
      answer(data.toString(), client);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
});

afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  for (const client of clients) client.terminate();
  transport.end();
  server.close();
  await new Promise((resolve) => http.close(resolve));
});

const until = async (holds: () => boolean, withinMs = 5_000) => {
  const deadline = performance.now() + withinMs;
  while (!holds() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
};

function feedOf(venue: Venue, market: string, symbols: readonly string[], changes: Partial<Market> = {}) {
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  const limits = { symbolsPerSocket: 25, messagesPerSecond: 100 };
  const endpoint = endpointOf(venue, market, {
    limits,
    ...changes,
    urls: { ws: `ws://${host}`, rest: `http://${host}` },
  });
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

describe('KuCoin', () => {
  const push = (client: WebSocket, kind: string, first: number, last: number) =>
    client.send(
      Buffer.from(
        `{"T":"obu.SPOT","dp":"increment@10ms","t":"${kind}","P":1790114459840641662,"d":{"a":[["101","1"]],"b":[["100","${last}"]],"C":${last},"s":"BTC-USDT","M":1790114459839000000,"O":${first}}}`,
      ),
    );

  it('holds the deltas that come before the snapshot, and subscribes anew after a gap', async () => {
    let subscriptions = 0;
    answer = (text, client) => {
      const { id, action } = JSON.parse(text) as { id: string; action?: string };
      client.send(Buffer.from(`{"id":"${id}","result":true}`));
      if (action !== 'SUBSCRIBE') return;
      subscriptions += 1;
      const from = 100 * subscriptions;
      push(client, 'delta', from - 1, from);
      push(client, 'delta', from + 1, from + 3);
      push(client, 'snapshot', from, from);
    };
    const { statusOf, books, status } = feedOf(kucoin, 'spot', ['BTC-USDT']);
    await until(() => statusOf() === 'live');
    expect(books.lastSequence(0 as never)).toBe(103);
    expect(books.tops.bidQty[0]).toBe(103);
    push(clients[0]!, 'delta', 105, 106);
    await until(() => subscriptions === 2 && statusOf() === 'live');
    expect(books.lastSequence(0 as never)).toBe(203);
    expect(heard[0]!.map((text) => (JSON.parse(text) as { action: string }).action)).toEqual([
      'SUBSCRIBE',
      'UNSUBSCRIBE',
      'SUBSCRIBE',
    ]);
    expect(status()).toMatchObject({ gaps: 1, reconnects: 0, malformed: 0 });
  });
});

describe('MEXC', () => {
  const channel = 'spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT';
  /** Every length here is below 128: one byte each. */
  const text = (tag: readonly number[], value: Buffer | string): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.from([...tag, bytes.length]), bytes]);
  };
  const push = (client: WebSocket, from: number, to: number): void => {
    const level = Buffer.concat([text([0x0a], '100'), text([0x12], String(to))]);
    const depths = Buffer.concat([text([0x12], level), text([0x22], String(from)), text([0x2a], String(to))]);
    client.send(Buffer.concat([text([0x0a], channel), text([0x1a], 'BTCUSDT'), text([0xca, 0x13], depths)]));
  };

  it('reads protobuf and asks for its snapshot again until that joins', async () => {
    const asked: string[] = [];
    body = (path) => {
      asked.push(path);
      return JSON.stringify({ lastUpdateId: asked.length === 1 ? 7 : 12, bids: [['100', '1']], asks: [['101', '1']] });
    };
    answer = (request, client) => {
      if (!request.includes('SUBSCRIPTION')) return;
      client.send(`{"id":1,"code":0,"msg":"${channel}"}`);
      push(client, 10, 12);
      push(client, 13, 15);
    };
    const { statusOf, books, status } = feedOf(mexc, 'spot', ['BTCUSDT']);
    await until(() => statusOf() === 'live');
    expect(books.lastSequence(0 as never)).toBe(15);
    expect(books.tops.bidQty[0]).toBe(15);
    expect(asked).toEqual(Array(2).fill('/api/v3/depth?symbol=BTCUSDT&limit=1000'));
    // A field that ends behind its frame: nothing of it can be read, and no book of the socket is believed until a new snapshot.
    clients[0]!.send(Buffer.from([0x0a, 0x7f, 0x31]));
    await until(() => status().malformed === 1);
    expect(status()).toMatchObject({ gaps: 0, reconnects: 0 });
  });
});
