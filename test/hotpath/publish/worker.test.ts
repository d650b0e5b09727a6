import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListShardsCommand,
  PutRecordCommand,
} from '@aws-sdk/client-kinesis';
import dynalite from 'dynalite';
import kinesalite from 'kinesalite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeaseGate } from '#hotpath/lease/lease-gate.ts';
import { dynamodbFrom, kinesisFrom } from '#hotpath/publish/aws.ts';
import type { CommandPollerOptions, CommandPosition } from '#hotpath/publish/command-poller.ts';
import { CommandPoller } from '#hotpath/publish/command-poller.ts';
import { Journal } from '#hotpath/publish/journal.ts';
import type { OutboxClientOptions } from '#hotpath/publish/outbox-client.ts';
import { OutboxClient } from '#hotpath/publish/outbox-client.ts';
import { positionFile } from '#hotpath/publish/position-file.ts';
import { systemClock } from '#shared/clock/clock.ts';
import type { Command } from '#shared/schema/command.ts';
import { engineEvent } from '#shared/schema/event.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import { engineStatus, marketSample } from '#shared/schema/status.ts';
import { Books, spot } from '#test/support/market.ts';
import { createStateTable } from '#test/support/state-table.ts';

const clock = systemClock();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let directory: string;
let kinesisPeer: Server;
let dynamodbPeer: Server;
let kinesisPort: number;
let dynamodbPort: number;
let journal: Journal;
let clients: OutboxClient[];
let commands: Command[];
let troubles: string[];

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
const startKinesis = async (port: number): Promise<void> => {
  kinesisPeer = kinesalite({ path: join(directory, 'kinesis'), createStreamMs: 0, deleteStreamMs: 0 });
  kinesisPort = await listen(kinesisPeer, port);
};
const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
const kinesis = (): KinesisClient =>
  kinesisFrom({ region: 'eu-west-1', kinesisEndpoint: `http://127.0.0.1:${kinesisPort}` });

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'worker-'));
  [commands, troubles] = [[], []];
  clients = [];
  await startKinesis(0);
  dynamodbPeer = dynalite({ createTableMs: 0 });
  dynamodbPort = await listen(dynamodbPeer, 0);
  journal = new Journal({ directory: join(directory, 'journal'), engine: 'engine-1', clock });
});
afterEach(async () => {
  for (const client of clients) await client.drain(0);
  journal.close();
  await close(kinesisPeer);
  await close(dynamodbPeer);
  rmSync(directory, { recursive: true });
});

/** One live book. */
function marketOf(): OutboxClientOptions['market'] {
  const books = new Books(1);
  books.set(0, { bids: [[1, 1]], asks: [[2, 0.5]], ageMs: 1 });
  return { instruments: [spot('a:BTC/USDT')], books: { depths: books.depths, levels: () => [] } };
}

function startOutbox(gate?: LeaseGate, onCommand: (command: Command) => void = () => undefined): OutboxClient {
  const outbox = new OutboxClient({
    clock,
    market: marketOf(),
    lastSeq: () => journal.lastSeq,
    onCommand: (command) => {
      commands.push(command);
      onCommand(command);
    },
    onTrouble: (lastError) => troubles.push(lastError),
    onCrash: (error) => {
      throw error;
    },
    worker: {
      journalDir: join(directory, 'journal'),
      positionFile: join(directory, 'outbox.json'),
      commandsFile: join(directory, 'commands.json'),
      streams: { events: 'events', market: 'market', commands: 'commands' },
      stateTable: 'state',
      aws: {
        region: 'eu-west-1',
        kinesisEndpoint: `http://127.0.0.1:${kinesisPort}`,
        dynamodbEndpoint: `http://127.0.0.1:${dynamodbPort}`,
      },
      ...(gate === undefined ? {} : { lease: { epoch: 1, memory: gate.memory } }),
      seed: 1,
    },
  });
  outbox.start();
  clients.push(outbox);
  return outbox;
}

async function createStreams(): Promise<void> {
  const client = kinesis();
  for (const StreamName of ['events', 'market', 'commands']) {
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
    await until(async () => {
      const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
      return StreamDescriptionSummary?.StreamStatus === 'ACTIVE';
    });
  }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 400; turn += 1) {
    if (await holds()) return;
    await pause(50);
  }
  throw new Error('waited for nothing');
}

/** All records of a stream, shard by shard in order. */
async function recordsOf(StreamName: string): Promise<string[][]> {
  const client = kinesis();
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }));
  return Promise.all(
    Shards.map(async ({ ShardId }) => {
      const start = await client.send(
        new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
      );
      const texts: string[] = [];
      for (let iterator = start.ShardIterator; ;) {
        const { Records = [], NextShardIterator } = await client.send(
          new GetRecordsCommand({ ShardIterator: iterator }),
        );
        if (Records.length === 0) return texts;
        texts.push(...Records.flatMap(({ Data }) => new TextDecoder().decode(Data).split('\n')));
        iterator = NextShardIterator;
      }
    }),
  );
}

function append(count: number): void {
  for (let at = 0; at < count; at += 1) {
    journal.append('engine-stopped', `key-${journal.lastSeq % 11}`, { reason: String(journal.lastSeq) });
  }
  journal.flush();
}

/** Every journal record is in the stream, in order per key; returns how many came more than once. */
async function checkStream(): Promise<number> {
  const shards = (await recordsOf('events')).map((texts) => texts.map((text) => engineEvent.parse(JSON.parse(text))));
  const all = shards.flat();
  expect([...new Set(all.map(({ seq }) => seq))].sort((a, b) => a - b)).toEqual(
    Array.from({ length: journal.lastSeq }, (_, at) => at + 1),
  );
  for (const shard of shards) {
    const last = new Map<string, number>();
    for (const { key, seq } of shard) {
      const before = last.get(key);
      // Each record of a key follows its predecessor, or repeats something older.
      if (before !== undefined) expect(seq).toBeLessThanOrEqual(before + 11);
      last.set(key, Math.max(before ?? 0, seq));
    }
  }
  return all.length - journal.lastSeq;
}

describe('publish worker', () => {
  it('ships over an outage and a kill of itself: nothing lost, order per key kept, at most one batch twice', async () => {
    await createStreams();
    const outbox = startOutbox();
    append(1_200);
    await until(() => outbox.lag.lagRecords === 0 && outbox.lag.published === 1_200);

    await close(kinesisPeer);
    append(800);
    await until(() => outbox.lag.lastError !== '' && outbox.lag.lagMs > 1_000);
    expect(outbox.lag.lagRecords).toBe(800);
    expect(outbox.lag.lastError).toMatch(/^events: ECONNREFUSED/);
    // The worker dies while the stream is away; a new one goes on from the saved position.
    expect(await outbox.drain(0)).toBe(false);
    const second = startOutbox();
    await startKinesis(kinesisPort);
    append(300);
    await until(() => second.lag.published === 2_300);
    expect(await second.drain(10_000)).toBe(true);
    expect(second.lag).toMatchObject({ published: 2_300, lagRecords: 0, lastError: '' });
    expect(troubles).toContainEqual(expect.stringMatching(/^events: ECONNREFUSED/));
    expect(await checkStream()).toBeLessThanOrEqual(500);
  });

  it('says that a stream does not exist, ships once it does, and says that too', async () => {
    const outbox = startOutbox();
    append(5);
    await until(() => outbox.lag.lastError.includes('ResourceNotFoundException'));
    expect(outbox.lag.lastError).toMatch(/events/);
    await createStreams();
    await until(() => outbox.lag.published === 5);
    await until(() => troubles.at(-1) === '');
    expect(await outbox.drain(10_000)).toBe(true);
    expect(await checkStream()).toBe(0);
  });

  it('writes status and samples past the events', async () => {
    await createStreams();
    const dynamodb = dynamodbFrom({ region: 'eu-west-1', dynamodbEndpoint: `http://127.0.0.1:${dynamodbPort}` });
    await createStateTable(dynamodb);
    const outbox = startOutbox();
    outbox.post(STATUS);
    const Key = { pk: { S: 'ENGINE#engine-1' }, sk: { S: 'STATUS' } };
    const item = async (): Promise<Record<string, { S?: string; N?: string }> | undefined> =>
      (await dynamodb.send(new GetItemCommand({ TableName: 'state', Key }))).Item;
    await until(async () => (await item()) !== undefined);
    const { status, at_ms, ttl } = (await item())!;
    expect(engineStatus.parse(JSON.parse(status!.S!))).toEqual(STATUS);
    expect([at_ms!.N, ttl!.N]).toEqual(['1700000000000', '1700086400']);
    await until(async () => (await recordsOf('market')).flat().length === 1);
    expect(marketSample.parse(JSON.parse((await recordsOf('market')).flat()[0]!))).toMatchObject({
      instrument: 'a:BTC/USDT',
      bids: [['1', '1']],
      asks: [['2', '0.5']],
    });
    expect(outbox.refused).toBe(0);
  });

  it('hands over each command once, also over a restart', async () => {
    await createStreams();
    const last = new Map<string, string>();
    const send = async (id: string, text?: string): Promise<void> => {
      const command: Command = { v: 1, id, by: 'me', at_ms: 1, kind: 'stop', reason: 'test' };
      const Data = new TextEncoder().encode(text ?? JSON.stringify(command));
      const put = new PutRecordCommand({ StreamName: 'commands', PartitionKey: id, Data });
      const { ShardId, SequenceNumber } = await kinesis().send(put);
      last.set(ShardId!, SequenceNumber!);
    };
    const file = join(directory, 'commands.json');
    const heard = (): Promise<void> =>
      until(() => {
        const position = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as CommandPosition) : undefined;
        return [...last].every(([shard, seq]) => position?.shards[shard] === seq);
      });
    await send('before');
    await pause(50);
    const outbox = startOutbox();
    await heard();
    await send('one');
    await send('one');
    await send('nonsense', 'not json');
    await send('two');
    await heard();
    await until(() => troubles.length > 0);
    await outbox.drain(5_000);
    await send('three');
    startOutbox();
    await heard();
    expect(commands.map(({ id }) => id).sort()).toEqual(['one', 'three', 'two']);
    expect(troubles).toContain('commands: a record that is no command was skipped');
  });

  it('says and hears nothing without its lease, and forgets a command that was obeyed too late', async () => {
    await createStreams();
    const gate = new LeaseGate();
    const outbox = startOutbox(gate, () => gate.close());
    append(3);
    const command: Command = { v: 1, id: 'one', by: 'me', at_ms: 1, kind: 'stop', reason: 'test' };
    const Data = new TextEncoder().encode(JSON.stringify(command));
    await pause(1_500);
    expect((await recordsOf('events')).flat()).toEqual([]);
    gate.openFor(() => 60_000);
    await until(() => outbox.lag.published === 3);
    await kinesis().send(new PutRecordCommand({ StreamName: 'commands', PartitionKey: 'one', Data }));
    await until(() => commands.length === 1);
    append(3);
    await pause(500);
    expect(outbox.lag.published).toBe(3);
    await outbox.drain(0);
    gate.openFor(() => 60_000);
    const next = startOutbox(gate);
    await until(() => commands.length === 2 && next.lag.published === 6);
    expect(commands.map(({ id }) => id)).toEqual(['one', 'one']);
    expect(await checkStream()).toBe(0);
  });

  it('hands over again what an engine that died had not carried out', async () => {
    await createStreams();
    const heard: string[] = [];
    const pollerWith = (onCommand: CommandPollerOptions['onCommand']): CommandPoller =>
      new CommandPoller({
        kinesis: kinesis(),
        stream: 'commands',
        position: positionFile(join(directory, 'commands.json'), (json) => json as CommandPosition),
        nowMs: () => 0,
        onCommand,
      });
    const stop: Command = { v: 1, id: 'one', by: 'me', at_ms: 1, kind: 'stop', reason: 'test' };
    const Data = new TextEncoder().encode(JSON.stringify(stop));
    await kinesis().send(new PutRecordCommand({ StreamName: 'commands', PartitionKey: 'one', Data }));
    const dying = pollerWith(({ id }) => {
      heard.push(id);
      return new Promise(() => undefined);
    });
    void dying.poll();
    await until(() => heard.length === 1);
    await pause(200);
    const next = pollerWith(async ({ id }) => void heard.push(id));
    await next.poll();
    expect(heard).toEqual(['one', 'one']);
    await next.poll();
    expect(heard.length).toBe(2);
  });
});

const STATUS: EngineStatus = {
  engine: 'engine-1',
  epoch: 1,
  mode: 'paper',
  at_ms: 1_700_000_000_000,
  started_at_ms: 0,
  trading_state: 'active',
  reason: '',
  version: '0',
  venues: [],
  messages: 0,
  messages_per_second: 0,
  decision_ns: { p50: 0, p99: 0, p999: 0 },
  opportunities: { detected: 0, executed: 0, rejected_by_reason: {}, top: [] },
  operations: { completed: 0, failed: 0, recovering: 0, open: 0 },
  fills: 0,
  pnl: { realised: '0', fees: '0' },
  journal: { records: 0, published: 0, lag_records: 0, lag_ms: 0 },
  memory_bytes: 0,
  cpu_percent: 0,
};
