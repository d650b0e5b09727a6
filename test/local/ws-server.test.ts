import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '#shared/clock/clock.ts';
import { createAuthority } from '#functions/common/auth.ts';
import { priceOf } from '#functions/rest/views.ts';
import { newsOf } from '#functions/websocket/news.ts';
import { Hub } from '#functions/websocket/hub.ts';
import { serveSockets } from '#local/ws-server.ts';
import { SECRET, startTestCloud } from '../functions/support/cloud.ts';
import { eventOf, fillData, opportunityData, riskOf, sampleOf, statusOf } from '../functions/support/events.ts';
import { heardFrom, parse, textIn, type Heard } from '../functions/support/json.ts';
import { eventually } from '../functions/support/world.ts';

/** A real client: everything it hears, and how it ended. */
class Client {
  readonly inbox: Heard[] = [];
  closed: number | undefined;
  readonly socket: WebSocket;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers });
    this.socket.on('message', (data: Buffer) => this.inbox.push(heardFrom(data.toString())));
    this.socket.on('close', (code) => (this.closed = code));
    this.socket.on('error', () => undefined);
  }

  say(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  heard(type: string): Heard | undefined {
    return this.inbox.findLast((message) => message.type === type);
  }
}

describe('socket server', () => {
  const clock = systemClock();
  const authority = createAuthority(SECRET, clock);
  let server: Server;
  let hub: Hub;
  let sockets: ReturnType<typeof serveSockets>;
  let base: string;

  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    hub = new Hub({
      clock,
      isClosed: async () => false,
      isKnownSymbol: () => true,
      isKnownVenue: () => true,
      connectionsMax: 3,
    });
    sockets = serveSockets(server, hub, { authority, isClosed: async () => false, clock });
    base = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    hub.close();
    sockets.close();
    server.close();
  });
  const token = async (): Promise<string> => (await authority.issue('x', ['read'])).token;

  it('takes the token from the address or the header', async () => {
    const clients = [
      new Client(`${base}/v1/ws?token=${await token()}`),
      new Client(`${base}/v1/market-data`, { authorization: `Bearer ${await token()}` }),
    ];
    for (const { socket } of clients) await once(socket, 'open');
    await eventually(() => clients[1]!.heard('subscribed') !== undefined);
    expect(clients[1]!.heard('subscribed')).toMatchObject({ channel: 'prices' });
    expect(hub.connections).toBe(2);
  });

  it.each([
    ['no token', '/v1/ws', 401],
    ['a bad token', '/v1/ws?token=x.y.z', 401],
    ['an unknown address', '/v1/elsewhere?token=x', 404],
  ])('turns away %s before the upgrade', async (_, path, status) => {
    const { socket } = new Client(`${base}${path}`);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(status);
    expect(JSON.parse((await response.toArray()).join(''))).toMatchObject({ status: 'error' });
    expect(hub.connections).toBe(0);
  });

  it('turns away an address that is none, and lives on', async () => {
    const wire = connect((server.address() as AddressInfo).port, '127.0.0.1');
    wire.write(
      'GET // HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const answer = (await wire.setEncoding('utf8').toArray()).join('');
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
    await once(new Client(`${base}/v1/ws?token=${await token()}`).socket, 'open');
  });

  it('turns away who comes when all connections are taken, and lets in again after one left', async () => {
    const url = `${base}/v1/ws?token=${await token()}`;
    const inside = [new Client(url), new Client(url), new Client(url)];
    for (const { socket } of inside) await once(socket, 'open');
    const [, response] = (await once(new Client(url).socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(503);
    response.resume();
    inside[0]!.socket.close();
    await eventually(() => !hub.isFull);
    await once(new Client(url).socket, 'open');
  });

  it('closes with 1008 after three bad messages, and with 1009 on a frame beyond the limit', async () => {
    const url = `${base}/v1/ws?token=${await token()}`;
    const rude = new Client(url);
    const large = new Client(url);
    await once(rude.socket, 'open');
    for (let count = 0; count < 3; count += 1) rude.say('nonsense');
    if (large.socket.readyState !== WebSocket.OPEN) await once(large.socket, 'open');
    large.say('x'.repeat(40_000));
    await eventually(() => rude.closed !== undefined && large.closed !== undefined);
    expect([rude.closed, large.closed]).toEqual([1008, 1009]);
    expect(rude.inbox).toHaveLength(3);
    await eventually(() => hub.connections === 0);
  });

  it('loses nothing for a client that drops out amid the flow, comes again and resumes', async () => {
    const all = Array.from({ length: 1_500 }, (_, index) => index + 1);
    const heard = new Map<number, string>();
    const missing = (): number => all.find((seq) => !heard.has(seq)) ?? all.length + 1;
    let told = 0;
    const tell = (): void => {
      told += 1;
      for (const news of newsOf(eventOf('fill', told, fillData(`t-${told}`, 'op')))) hub.publish(news);
    };
    /** Listens until it has heard so many more, while the flow goes on, and drops out without a word. */
    const visit = async (more: number): Promise<void> => {
      const client = new Client(`${base}/v1/ws?token=${await token()}`);
      client.socket.on('message', (data: Buffer) => {
        const text = data.toString();
        const { type, seq } = heardFrom(text);
        if (type === 'trade_update') heard.set(seq, textIn(parse(text)['data']?.['trade_id']));
      });
      await once(client.socket, 'open');
      client.say({ type: 'subscribe', channel: 'trades' });
      client.say({ type: 'resume', channel: 'trades', from_seq: missing() });
      const enough = Math.min(all.length, missing() + more);
      await eventually(() => {
        for (let count = 0; count < 20 && told < all.length; count += 1) tell();
        return missing() > enough;
      });
      client.socket.terminate();
      for (let count = 0; count < 50 && told < all.length; count += 1) tell();
      await eventually(() => hub.connections === 0);
    };
    for (let visits = 0; missing() <= all.length; visits += 1) {
      expect(visits).toBeLessThan(all.length);
      await visit(100);
    }
    expect([...heard].sort(([a], [b]) => a - b)).toEqual(all.map((seq) => [seq, `t-${seq}`]));
  });

  it('holds little for a client that stopped reading, and brings it up to date when it reads again', async () => {
    const waiting: (() => number)[] = [];
    const join = hub.connect.bind(hub);
    hub.connect = (socket, ...rest) => {
      waiting.push(() => socket.bufferedBytes());
      return join(socket, ...rest);
    };
    const client = new Client(`${base}/v1/ws?token=${await token()}`);
    await once(client.socket, 'open');
    client.say({ type: 'subscribe', channel: 'prices' });
    await eventually(() => client.heard('subscribed') !== undefined);
    client.socket.pause();
    let most = 0;
    for (let round = 0; round < 400; round += 1) {
      for (let at = 0; at < 100; at += 1)
        hub.price(priceOf(sampleOf(`v:S${at}/Q`, round, { bid: `${round + 1}`, ask: `${round + 1}` })));
      most = Math.max(most, ...waiting.map((bytes) => bytes()));
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Slow it was, and no more than what makes it slow was ever held for it, beside the latest states.
    expect(most).toBeGreaterThan(64 * 1024);
    expect(most).toBeLessThan(65 * 1024);
    client.socket.resume();
    await eventually(() => client.inbox.some(({ seq, type }) => type === 'price_update' && seq === 40_000));
    const latest = new Map(
      client.inbox.filter(({ type }) => type === 'price_update').map(({ symbol, data }) => [symbol, data.price]),
    );
    expect(latest.size).toBe(100);
    expect(new Set(latest.values())).toEqual(new Set([400]));
    expect(client.inbox.length).toBeLessThan(40_000);
  });
});

describe('push, end to end', () => {
  it('brings samples and opportunities from the streams to the client', async () => {
    const world = await startTestCloud();
    const client = new Client(`${world.cloud.apiUrl.replace('http', 'ws')}/v1/ws?token=${await world.tokenOf('x')}`);
    await once(client.socket, 'open');
    client.say({ type: 'subscribe', channel: 'prices', symbol: 'BTC/USDT' });
    client.say({ type: 'subscribe', channel: 'opportunities', id: 'all' });
    client.say({ type: 'subscribe', channel: 'risk' });
    await eventually(() => client.inbox.length === 3);
    await world.sample([sampleOf('binance:BTC/USDT', 5), sampleOf('binance:ETH/USDT', 5)]);
    await world.feed([eventOf('opportunity', 1, opportunityData('opp-1'))]);
    await eventually(
      () => client.heard('price_update') !== undefined && client.heard('opportunity_update') !== undefined,
    );
    expect(client.heard('price_update')).toMatchObject({
      channel: 'prices',
      symbol: 'BTC/USDT',
      data: { price: 60000.2, volume: 1234.5 },
    });
    expect(client.heard('opportunity_update')).toMatchObject({
      id: 'all',
      seq: 1,
      data: { id: 'opp-1', status: 'active' },
    });
    expect(client.inbox.filter(({ symbol }) => symbol === 'ETH/USDT')).toEqual([]);
    expect((await world.get('/metrics')).text).toContain('websocket_connections_active 1');
    // Figures of risk come with the status; the same ones are told once.
    await world.say(statusOf(1_000, { risk: riskOf(1_000) }));
    await eventually(() => client.heard('risk_update') !== undefined);
    await world.say(statusOf(2_000, { risk: riskOf(1_000) }));
    await world.say(statusOf(3_000, { risk: { ...riskOf(3_000), var_usd: 7 } }));
    await eventually(() => client.heard('risk_update')?.seq === 2);
    expect(client.heard('risk_update')).toMatchObject({ data: { event: 'metrics', portfolio_var: 7 } });
    await world.close();
    await eventually(() => client.closed !== undefined);
    expect(client.closed).toBe(1001);
  });
});
