import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { networkTransport } from '#hotpath/runtime/network-transport.ts';
import type { HttpResult, Socket, SocketHandlers } from '#hotpath/runtime/transport.ts';
import { systemClock } from '#shared/clock/clock.ts';

let server: Server;
let sockets: WebSocketServer;
let host = '';
let connections = 0;
const ways = ['in-place', 'ws'] as const;
const transport = networkTransport(systemClock());

beforeEach(async () => {
  connections = 0;
  server = createServer((request, response) => {
    switch (request.url ?? '/') {
      case '/never':
        return;
      case '/cut':
        response.writeHead(200, { 'content-length': '100' });
        response.write('only');
        setTimeout(() => request.socket.destroy(), 20);
        return;
      case '/endless':
        response.writeHead(200);
        for (let chunk = 0; chunk < 70; chunk += 1) response.write(Buffer.alloc(1024 * 1024));
        return;
      default: {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          response.writeHead(request.url === '/limited' ? 429 : 200, { 'Retry-After': '7' });
          response.end(JSON.stringify({ method: request.method, key: request.headers['x-key'], body }));
        });
      }
    }
  });
  server.on('connection', () => (connections += 1));
  sockets = new WebSocketServer({ server });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const client of sockets.clients) client.terminate();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const request = (path: string, more: { timeoutMs?: number; body?: string } = {}) =>
  new Promise<HttpResult>((resolve) =>
    transport.request(
      { method: more.body === undefined ? 'GET' : 'POST', url: `http://${host}${path}`, timeoutMs: 5_000, ...more },
      resolve,
    ),
  );

/** Opens a socket and collects what it says. */
function openBy(way: (typeof ways)[number], url = `ws://${host}/`) {
  const events: string[] = [];
  const frames: Buffer[] = [];
  const receivedNs: number[] = [];
  let socket: Socket | undefined;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    const handlers: SocketHandlers = {
      onOpen: () => events.push('open'),
      onPing: () => events.push('ping'),
      onFrame: (bytes, start, end, atNs) => {
        frames.push(Buffer.from(bytes.subarray(start, end)));
        receivedNs.push(atNs);
      },
      onClose: (code, reason) => {
        events.push('close');
        resolve({ code, reason });
      },
    };
    socket = networkTransport(systemClock(), way).open(url, handlers);
  });
  return { events, frames, receivedNs, closed, socket: socket! };
}

const until = async (holds: () => boolean) => {
  for (let wait = 0; wait < 500 && !holds(); wait += 1) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
};

it('says of frames that came in one read that they came at one time', async () => {
  let more: () => void = () => undefined;
  sockets.on('connection', (client, { socket: tcp }) => {
    const sendTwo = (): void => {
      tcp.cork();
      client.send('one');
      client.send('two');
      tcp.uncork();
    };
    sendTwo();
    more = sendTwo;
  });
  const { frames, receivedNs } = openBy('in-place');
  await until(() => frames.length === 2);
  more();
  await until(() => frames.length === 4);
  expect([receivedNs[1], receivedNs[3]]).toEqual([receivedNs[0], receivedNs[2]]);
  expect(receivedNs[2]).toBeGreaterThan(receivedNs[0]!);
});

describe.each(ways)('sockets, %s,', (way) => {
  const open = (url?: string) => openBy(way, url);

  it('deliver text and binary frames as bytes, and send text', async () => {
    const heard: string[] = [];
    sockets.on('connection', (client) => {
      client.on('message', (data: Buffer) => heard.push(data.toString()));
      client.send('{"text":"é"}');
      client.send(Buffer.from([0, 255, 1]));
    });
    const { frames, socket, closed, events } = open();
    await until(() => frames.length === 2);
    expect(frames[0]!.toString()).toBe('{"text":"é"}');
    expect([...frames[1]!]).toEqual([0, 255, 1]);
    socket.send('ping');
    await until(() => heard.length === 1);
    socket.close();
    await closed;
    socket.send('into the void');
    expect([heard, events]).toEqual([['ping'], ['open', 'close']]);
  });

  it('say why the venue closed them', async () => {
    sockets.on('connection', (client) => client.close(4004, 'no data'));
    expect(await open().closed).toEqual({ code: 4004, reason: 'no data' });
  });

  it('close once, whether nobody listens or the answer is no', async () => {
    sockets.close();
    const { port } = await new Promise<{ port: number }>((resolve) => {
      const taken = createServer().listen(0, '127.0.0.1', () => {
        const address = taken.address() as AddressInfo;
        taken.close(() => resolve(address));
      });
    });
    const refused = open(`ws://127.0.0.1:${port}/`);
    expect((await refused.closed).reason).toContain('ECONNREFUSED');
    expect(refused.events).toEqual(['close']);
    const early = open();
    early.socket.close();
    await early.closed;
    expect(early.events).toEqual(['close']);
  });

  it('end on a frame that is longer than any venue sends', async () => {
    sockets.on('connection', (client) => client.send(Buffer.alloc(17 * 1024 * 1024)));
    const { closed, frames } = open();
    expect((await closed).reason).toContain('Max payload size exceeded');
    expect(frames).toEqual([]);
  });

  it('send protocol pings, and tell of the answers', async () => {
    const { socket, closed, events } = open();
    socket.ping?.();
    await until(() => events.includes('open'));
    expect(events).toEqual(['open']);
    socket.ping?.();
    await until(() => events.includes('ping'));
    socket.close();
    await closed;
  });

  it('answer protocol pings, and tell of them', async () => {
    let ponged = false;
    sockets.on('connection', (client) => {
      client.on('pong', () => (ponged = true));
      client.ping();
    });
    const { socket, closed, events } = open();
    await until(() => ponged);
    expect(events).toEqual(['open', 'ping']);
    socket.close();
    await closed;
  });
});

describe('requests', () => {
  it('give status, headers in lower case and body, over one kept connection', async () => {
    for (const path of ['/limited', '/limited', '/limited']) {
      const result = await request(path);
      expect(result).toMatchObject({ kind: 'response', status: 429, headers: { 'retry-after': '7' } });
    }
    expect(connections).toBe(1);
    const posted = await request('/order', { body: '{"qty":"1"}' });
    expect(posted.kind === 'response' && JSON.parse(Buffer.from(posted.body).toString())).toEqual({
      method: 'POST',
      body: '{"qty":"1"}',
    });
  });

  it('leave at once, however many are on their way', async () => {
    const unanswered = Array.from({ length: 40 }, () => request('/never'));
    await until(() => connections === 40);
    server.closeAllConnections();
    expect(new Set((await Promise.all(unanswered)).map(({ kind }) => kind))).toEqual(new Set(['failure']));
  });

  it('fail as a timeout when there is no answer in time', async () => {
    expect(await request('/never', { timeoutMs: 50 })).toMatchObject({ kind: 'failure', cause: 'timeout' });
  });

  it('fail as a disconnect when the answer breaks off, is endless, or nobody is there', async () => {
    expect(await request('/cut')).toMatchObject({ kind: 'failure', cause: 'disconnect' });
    expect(await request('/endless')).toMatchObject({ kind: 'failure', text: expect.stringContaining('longer than') });
    const gone = new Promise<HttpResult>((resolve) =>
      transport.request({ method: 'GET', url: 'http://127.0.0.1:1/', timeoutMs: 5_000 }, resolve),
    );
    expect(await gone).toMatchObject({ kind: 'failure', cause: 'disconnect' });
  });

  it('never throw, not even on a URL that is none', async () => {
    const result = new Promise<HttpResult>((resolve) =>
      transport.request({ method: 'GET', url: 'nowhere', timeoutMs: 1_000 }, resolve),
    );
    expect(await result).toMatchObject({ kind: 'failure', text: 'not a URL: nowhere' });
  });
});

it('lets go of its idle connections at the end', async () => {
  await request('/');
  const count = () =>
    new Promise<number>((resolve) => server.getConnections((_error, connected) => resolve(connected)));
  expect(await count()).toBe(1);
  transport.end();
  let left = 1;
  for (let wait = 0; wait < 500 && left > 0; wait += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    left = await count();
  }
  expect(left).toBe(0);
});
