import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { WebSocketClient } from '#hotpath/runtime/websocket.ts';

const LIMITS = { messageBytesMax: 1_000_000, handshakeTimeoutMs: 5_000, unsentBytesMax: 100_000 };
let server: Server | undefined;
const peers = new Set<Socket>();

afterEach(async () => {
  for (const peer of peers) peer.destroy();
  peers.clear();
  await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)));
  server = undefined;
});

/** A server of bare TCP: it answers the head of a request with whatever the test wants. */
async function serve(answer: (head: string, peer: Socket) => void): Promise<string> {
  server = createServer((peer) => {
    peers.add(peer);
    peer.on('error', () => undefined);
    peer.once('data', (head) => answer(head.toString(), peer));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/path?a=1`;
}

const keyIn = (head: string): string => /Sec-WebSocket-Key: (.+)\r\n/.exec(head)![1]!;
const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
const yes = (head: string, accept = acceptOf(keyIn(head))): string =>
  `HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
const textFrame = (text: string): Buffer => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);

/** What a client heard until it was closed. */
function talk(url: string, limits: Partial<typeof LIMITS> = {}, onMessage?: (client: WebSocketClient) => void) {
  const heard: string[] = [];
  let client: WebSocketClient | undefined;
  const closed = new Promise<readonly string[]>((resolve) => {
    client = new WebSocketClient(
      url,
      {
        onOpen: () => heard.push('open'),
        onMessage: (bytes, start, end) => {
          heard.push(Buffer.from(bytes.subarray(start, end)).toString());
          onMessage?.(client!);
        },
        onPing: () => heard.push('ping'),
        onClose: (code, reason) => {
          heard.push(`closed ${code} ${reason}`.trim());
          resolve(heard);
        },
      },
      { ...LIMITS, ...limits },
    );
  });
  return { client: client!, heard, closed };
}

it('hears what comes in one piece with the answer to its handshake', async () => {
  const heads: string[] = [];
  const url = await serve((head, peer) => {
    heads.push(head);
    peer.write(
      Buffer.concat([Buffer.from(yes(head)), textFrame('first'), textFrame('second'), Buffer.from([0x88, 0])]),
    );
  });
  expect(await talk(url).closed).toEqual(['open', 'first', 'second', 'closed 1005']);
  expect(heads[0]).toMatch(/^GET \/path\?a=1 HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
});

it('reads an answer that comes byte by byte', async () => {
  const url = await serve((head, peer) => {
    const bytes = Buffer.concat([Buffer.from(yes(head)), textFrame('slow'), Buffer.from([0x88, 0])]);
    const next = (at: number): void => {
      if (at < bytes.length) peer.write(bytes.subarray(at, at + 1), () => setImmediate(() => next(at + 1)));
    };
    next(0);
  });
  expect(await talk(url).closed).toEqual(['open', 'slow', 'closed 1005']);
});

it.each([
  ['closed 1006 Unexpected server response: 404', () => 'HTTP/1.1 404 Not Found\r\n\r\n'],
  ['closed 1006 Unexpected server response: 302', () => 'HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n'],
  ['closed 1006 Unexpected server response: nonsense', () => 'nonsense\r\n\r\n'],
  ['closed 1006 Invalid Sec-WebSocket-Accept header', (head: string) => yes(head, acceptOf('other'))],
  ['closed 1006 Invalid Upgrade header', (head: string) => yes(head).replace('WebSocket\r', 'h2c\r')],
  [
    'closed 1006 an extension that nobody asked for',
    (head: string) => yes(head).replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n'),
  ],
  ['closed 1006 the answer to the handshake is endless', () => 'HTTP/1.1 101 x\r\n' + 'a: b\r\n'.repeat(20_000)],
])('refuses an answer that is not the one: %s', async (trouble, answer) => {
  const url = await serve((head, peer) => peer.write(answer(head)));
  expect(await talk(url).closed).toEqual([trouble]);
});

it('does not wait for an answer for ever', async () => {
  const url = await serve(() => undefined);
  expect(await talk(url, { handshakeTimeoutMs: 20 }).closed).toEqual(['closed 1006 the handshake takes too long']);
});

it('says what was wrong with a frame to the peer, hears nothing after it, and closes once', async () => {
  const answers: Buffer[] = [];
  let answered: () => void = () => undefined;
  const all = new Promise<void>((resolve) => (answered = resolve));
  const url = await serve((head, peer) => {
    peer.on('data', (bytes) => answers.push(bytes));
    peer.on('close', answered);
    peer.write(Buffer.concat([Buffer.from(yes(head)), Buffer.from([0x83, 0]), textFrame('later')]));
  });
  expect(await talk(url).closed).toEqual(['open', 'closed 1006 reserved opcode 3']);
  await all;
  const [first, second, ...rest] = Buffer.concat(answers);
  const code = (rest[4]! ^ rest[0]!) * 256 + (rest[5]! ^ rest[1]!);
  expect([first, second, code]).toEqual([0x88, 0x82, 1002]);
});

it('is done when it is told to, in the middle of a read', async () => {
  const url = await serve((head, peer) => {
    peer.write(Buffer.concat([Buffer.from(yes(head)), textFrame('one'), textFrame('two')]));
  });
  const { closed } = talk(url, {}, (client) => client.close());
  expect(await closed).toEqual(['open', 'one', 'closed 1006']);
});

it('leaves a peer that does not read', async () => {
  const url = await serve((head, peer) => {
    peer.write(yes(head));
    peer.pause();
    peer.write(textFrame('go'));
  });
  const big = 'x'.repeat(50_000);
  const { closed } = talk(url, {}, (client) => {
    for (let at = 0; at < 1_000; at += 1) client.send(big);
  });
  expect(await closed).toEqual(['open', 'go', 'closed 1006 peer does not read']);
});

it('speaks over TLS as it does in the clear, in messages of every length', async (context) => {
  const dir = mkdtempSync(join(tmpdir(), 'arb-tls-'));
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  try {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', ...made, ...subject], { stdio: 'ignore' });
  } catch {
    context.skip('openssl is not here to make a certificate');
  }
  const certificate = readFileSync(cert, 'utf8');
  const https = createHttps({ key: readFileSync(key), cert: certificate });
  rmSync(dir, { recursive: true });
  const sockets = new WebSocketServer({ server: https });
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
  const lengths = [0, 1, 125, 126, 65_535, 65_536, 300_000];
  const echoed: number[] = [];
  sockets.on('connection', (peer) => {
    peer.on('message', (text: Buffer) => {
      echoed.push(text.length);
      if (echoed.length === lengths.length) peer.close(4000, 'enough');
    });
    for (const length of lengths) peer.send('x'.repeat(length));
  });
  const url = `wss://localhost:${(https.address() as AddressInfo).port}/`;
  // A certificate that nobody vouches for is refused.
  expect(await talk(url).closed).toEqual([expect.stringMatching(/^closed 1006 (self-signed|unable)/)]);
  const known = getCACertificates('default');
  setDefaultCACertificates([...known, certificate]);
  const { closed } = talk(url, {}, (client) => client.send('y'.repeat(lengths[echoed.length]!)));
  const heard = await closed;
  setDefaultCACertificates(known);
  expect(heard.slice(1, -1).map((text) => text.length)).toEqual(lengths);
  expect(heard.at(-1)).toBe('closed 4000 enough');
  sockets.close();
  https.closeAllConnections();
  await new Promise((resolve) => https.close(resolve));
});

it('sends texts of every length as they are', async () => {
  const texts = [0, 1, 125, 126, 65_535, 65_536].map((length) => 'é'.repeat(length).slice(0, length));
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => sockets.on('listening', resolve));
  const heard: string[] = [];
  sockets.on('connection', (peer) => {
    peer.on('message', (text: Buffer) => {
      heard.push(text.toString());
      if (heard.length === texts.length) peer.close(4000, 'enough');
    });
    peer.send('go');
  });
  const url = `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}/`;
  const { closed } = talk(url, {}, (client) => {
    for (const text of texts) client.send(text);
  });
  expect(await closed).toEqual(['open', 'go', 'closed 4000 enough']);
  expect(heard).toEqual(texts);
  await new Promise((resolve) => sockets.close(resolve));
});
