import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateTableCommand, DescribeTableCommand, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  ResourceNotFoundException as StreamNotFound,
} from '@aws-sdk/client-kinesis';
import dynalite from 'dynalite';
import kinesalite from 'kinesalite';
import { BadInput } from '#shared/assert.ts';
import { lockFolder } from './path-lock.ts';

const HOST = '127.0.0.1';
const SETTLE_MS = 25;

/** A DynamoDB- or Kinesis-compatible server in this process, on its real wire protocol. */
export type Peer = {
  readonly url: string;
  /** Ends every connection and frees the port; what was stored stays. */
  readonly stop: () => Promise<void>;
  /** Listens on the same port again. @throws BadInput when somebody took it meanwhile */
  readonly start: () => Promise<void>;
  /** Stops for good and gives the folder back. */
  readonly close: () => Promise<void>;
};

export type PeerOptions = {
  /** Everything is kept under it, so that a restart finds it again. */
  readonly dataDir: string;
  /** 0 picks a free one. */
  readonly port: number;
};

/** @throws BadInput when the port or the folder is taken */
export function startDynamo({ dataDir, port }: PeerOptions): Promise<Peer> {
  const path = join(dataDir, 'dynamodb');
  return startPeer(path, port, () => dynalite({ path, createTableMs: SETTLE_MS, deleteTableMs: SETTLE_MS }));
}

/** @throws BadInput when the port or the folder is taken */
export function startKinesis({ dataDir, port }: PeerOptions): Promise<Peer> {
  const path = join(dataDir, 'kinesis');
  return startPeer(path, port, () =>
    kinesalite({ path, createStreamMs: SETTLE_MS, deleteStreamMs: SETTLE_MS, shardLimit: 64 }),
  );
}

/** Creates what is missing and leaves alone what is there. */
export async function ensureTables(client: DynamoDBClient, tables: readonly CreateTableCommandInput[]): Promise<void> {
  for (const table of tables) {
    if ((await tableStatus(client, table.TableName!)) === undefined) await client.send(new CreateTableCommand(table));
    await until(async () => (await tableStatus(client, table.TableName!)) === 'ACTIVE');
  }
}

/** Creates what is missing and leaves alone what is there, also its number of shards. */
export async function ensureStreams(client: KinesisClient, streams: readonly string[], shards: number): Promise<void> {
  for (const stream of streams) {
    if ((await streamStatus(client, stream)) === undefined) {
      await client.send(new CreateStreamCommand({ StreamName: stream, ShardCount: shards }));
    }
    await until(async () => (await streamStatus(client, stream)) === 'ACTIVE');
  }
}

type Guarded = { readonly server: Server; readonly drain: () => Promise<void> };

async function startPeer(folder: string, port: number, create: () => Server): Promise<Peer> {
  const lock = lockFolder(folder);
  let running: Guarded | undefined;
  let boundPort = port;
  const start = async (): Promise<void> => {
    if (running !== undefined) return;
    // Asked before the store is opened: the peers cannot close a store whose server never listened.
    if (boundPort !== 0) await claimable(boundPort);
    const peer = guarded(create());
    await bind(peer.server, boundPort);
    boundPort = (peer.server.address() as AddressInfo).port;
    running = peer;
  };
  const stop = async (): Promise<void> => {
    const peer = running;
    running = undefined;
    if (peer === undefined) return;
    await peer.drain();
    await closed(peer.server);
  };
  try {
    await start();
  } catch (error) {
    lock.release();
    throw error;
  }
  return {
    url: `http://${HOST}:${boundPort}`,
    start,
    stop,
    close: async () => {
      await stop();
      lock.release();
    },
  };
}

/**
 * The peers throw on a client that hangs up in the middle of a request (here clients are killed on purpose) and on a store that closes
 * under a request. `drain` turns new requests away and waits for those in hand.
 */
function guarded(server: Server): Guarded {
  const [handler] = server.listeners('request') as RequestListener[];
  let inHand = 0;
  let draining = false;
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }) => {
    if (draining) {
      request.destroy();
      return;
    }
    inHand += 1;
    response.once('close', () => (inHand -= 1));
    handler!(request, response);
    request.removeAllListeners('error');
    request.on('error', () => request.destroy());
  });
  return {
    server,
    drain: async () => {
      draining = true;
      for (let waited = 0; inHand > 0 && waited < 100; waited += 1) await sleep(10);
    },
  };
}

/** @throws BadInput when somebody listens there */
function claimable(port: number): Promise<void> {
  return bind(createServer(), port).then(
    (probe) =>
      new Promise((resolve) => {
        probe.close(() => resolve());
      }),
  );
}

function bind<S extends NetServer>(server: S, port: number): Promise<S> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new BadInput(`port ${port} on ${HOST} is taken`) : error);
    });
    server.listen(port, HOST, () => {
      server.removeAllListeners('error');
      resolve(server);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function tableStatus(client: DynamoDBClient, name: string): Promise<string | undefined> {
  try {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: name }));
    return Table?.TableStatus;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function streamStatus(client: KinesisClient, name: string): Promise<string | undefined> {
  try {
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName: name }));
    return StreamDescriptionSummary?.StreamStatus;
  } catch (error) {
    if (error instanceof StreamNotFound) return undefined;
    throw error;
  }
}

/** Polls for at most ten seconds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await holds()) return;
    await sleep(50);
  }
  throw new BadInput('a table or stream did not become active within 10 s');
}
