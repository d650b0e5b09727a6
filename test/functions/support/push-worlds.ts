import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { WebSocket } from 'ws';
import type { Scope } from '#shared/schema/scope.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { MarketSample, RiskStatus } from '#shared/schema/status.ts';
import { createAuthority } from '#functions/common/auth.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { priceOf, riskMetricsOf } from '#functions/rest/views.ts';
import { ChannelLog } from '#functions/websocket/channel-log.ts';
import { Connections } from '#functions/websocket/connections.ts';
import { Courier } from '#functions/websocket/courier.ts';
import { createFanout } from '#functions/websocket/fanout.ts';
import { managedConnections } from '#functions/websocket/gateway.ts';
import { Hub } from '#functions/websocket/hub.ts';
import { newsOf } from '#functions/websocket/news.ts';
import { createPush } from '#functions/websocket/push.ts';
import { ensureTables, startDynamo } from '#local/peers.ts';
import { serveSockets } from '#local/ws-server.ts';
import { batchOf, ENGINE, riskOf } from './events.ts';
import { heardFrom, type Heard } from './json.ts';
import { PushGateway } from './push-gateway.ts';
import { eventually, handClock, silentLog, tempDir } from './world.ts';

const SECRET = 'a secret of the tests that is long enough for HS256';
const KNOWN = new Set(['A/B', 'C/D', 'BTC/USDT', 'ETH/USDT']);
const names = {
  isKnownSymbol: (symbol: string): boolean => KNOWN.has(symbol),
  isKnownVenue: (venue: string): boolean => venue === 'binance' || venue === 'okx',
};

/** A push API with a hand on its clock and on what happens. */
export type PushWorld = {
  readonly url: (token: string, rest?: string) => string;
  readonly clock: ReturnType<typeof handClock>;
  readonly tokenOf: (scopes?: readonly Scope[]) => Promise<string>;
  readonly prices: (samples: readonly MarketSample[]) => Promise<void>;
  readonly events: (events: readonly EngineEvent[]) => Promise<void>;
  readonly risk: (risk: RiskStatus) => Promise<void>;
  /** The key of everybody here, or their keys again. */
  readonly revoke: (isRevoked: boolean) => void;
  readonly connections: () => Promise<number>;
  readonly close: () => Promise<void>;
};

/** The hub of a laptop. */
export async function startHubWorld(): Promise<PushWorld> {
  const clock = handClock();
  const authority = createAuthority(SECRET, clock);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const keys = { areClosed: false };
  const isClosed = async (): Promise<boolean> => keys.areClosed;
  const hub = new Hub({ clock, isClosed, ...names });
  const sockets = serveSockets(server, hub, { authority, isClosed, clock });
  const base = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/ws`;
  return {
    clock,
    url: (token, rest = '') => `${base}?token=${token}${rest}`,
    tokenOf: async (scopes = ['read']) => (await authority.issue('x', scopes)).token,
    prices: async (samples) => {
      for (const sample of samples) hub.price(priceOf(sample));
    },
    events: async (events) => {
      for (const news of events.flatMap(newsOf)) hub.publish(news);
    },
    risk: async (risk) => hub.publish({ channel: 'risk', data: { event: 'metrics', ...riskMetricsOf(risk) } }),
    revoke: (isRevoked) => {
      keys.areClosed = isRevoked;
    },
    connections: async () => hub.connections,
    close: async () => {
      hub.close();
      sockets.close();
      server.close();
    },
  };
}

export type CloudPushWorld = PushWorld & {
  readonly gateway: PushGateway;
  readonly table: Table;
  readonly client: DynamoDBDocumentClient;
  readonly channels: ChannelLog;
  readonly fanout: ReturnType<typeof createFanout>;
  /** Another of the same functions, over a table of its own making. */
  readonly another: (table: Table) => ReturnType<typeof createFanout>;
};

/** The functions of the cloud, over a database and a gateway on loopback. */
export async function startCloudPushWorld(): Promise<CloudPushWorld> {
  const dir = tempDir();
  const clock = handClock();
  const authority = createAuthority(SECRET, clock);
  const dynamo = await startDynamo({ dataDir: dir.path, port: 0 });
  const dynamodb = dynamoClient({ endpoint: dynamo.url });
  await ensureTables(dynamodb, tableDefinitions({ state_table: 'state', events_table: 'events' }));
  const client = documentClient(dynamodb);
  const table = new Table(client, 'state');
  const gateway = await PushGateway.start({
    authorize: async (token) => {
      try {
        const { id, scopes, expiresAtMs } = await authority.verify(token ?? '');
        return { principalId: id, scopes: scopes.join(' '), expiresAtMs: String(expiresAtMs) };
      } catch {
        return undefined;
      }
    },
    handler: () => push,
  });
  const management = managedConnections(`http://${gateway.host}`, { accessKeyId: 'local', secretAccessKey: 'local' });
  let risk: RiskStatus | undefined;
  const keys = { areClosed: false };
  const isClosed = async (): Promise<boolean> => keys.areClosed;
  const partsOf = (over: Table) => {
    const connections = new Connections(over, ENGINE);
    const channels = new ChannelLog(over, ENGINE, clock);
    const courier = new Courier({ channels, connections, gateway: management, isClosed, clock });
    return { connections, channels, courier };
  };
  const another = (over: Table): ReturnType<typeof createFanout> =>
    createFanout({
      ...partsOf(over),
      engine: ENGINE,
      risk: async () => risk,
      log: silentLog,
    });
  const { connections, channels, courier } = partsOf(table);
  const push = createPush({
    state: table,
    connections,
    courier,
    known: async () => names,
    clock,
    log: silentLog,
  });
  const fanout = another(table);
  let next = 1;
  const feed = async (handler: typeof fanout.events, texts: readonly string[]): Promise<void> => {
    const from = next;
    next += texts.length;
    await eventually(async () => (await handler(batchOf(texts, 'shardId-0', from))).batchItemFailures.length === 0);
  };
  return {
    clock,
    gateway,
    table,
    client,
    channels,
    fanout,
    another,
    url: (token, rest = '') => `ws://${gateway.host}/live?token=${token}${rest}`,
    tokenOf: async (scopes = ['read']) => (await authority.issue('x', scopes)).token,
    prices: (samples) =>
      feed(
        fanout.market,
        samples.map((sample) => JSON.stringify(sample)),
      ),
    events: (events) =>
      feed(
        fanout.events,
        events.map((event) => JSON.stringify(event)),
      ),
    risk: async (figures) => {
      risk = figures;
      await feed(fanout.market, ['no sample']);
    },
    revoke: (isRevoked) => {
      keys.areClosed = isRevoked;
    },
    connections: async () => (await connections.all()).length,
    close: async () => {
      await gateway.close();
      dynamodb.destroy();
      await dynamo.close();
      dir.remove();
    },
  };
}

export const figuresOf = (atMs: number, varUsd: number): RiskStatus => ({ ...riskOf(atMs), var_usd: varUsd });

/** A client of either: everything it hears, and how it ended. */
export class PushClient {
  readonly inbox: Heard[] = [];
  closed: number | undefined;
  readonly socket: WebSocket;

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on('message', (data: Buffer) => this.inbox.push(heardFrom(data.toString())));
    this.socket.on('close', (code) => (this.closed = code));
    this.socket.on('error', () => undefined);
  }

  static async open(url: string): Promise<PushClient> {
    const client = new PushClient(url);
    await once(client.socket, 'open');
    return client;
  }

  /** Says it and waits for the answer: the next message that is no update. */
  async ask(message: object | string): Promise<Heard> {
    const before = this.answers().length;
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    await eventually(() => this.answers().length > before);
    return this.answers()[before]!;
  }

  answers(): readonly Heard[] {
    return this.inbox.filter(({ type }) => !type.endsWith('_update'));
  }

  updates(): readonly Heard[] {
    return this.inbox.filter(({ type }) => type.endsWith('_update'));
  }

  seqs(channel: string): readonly number[] {
    return this.updates()
      .filter((each) => each.channel === channel)
      .map(({ seq }) => seq);
  }

  async leave(): Promise<void> {
    const left = once(this.socket, 'close');
    this.socket.close();
    await left;
  }
}
